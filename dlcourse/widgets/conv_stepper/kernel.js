// The kernel's numbers, to be typed over; or, for pooling, what the window does.

import { element } from "../js/dom.js";
import { blend } from "../js/palette.js";
import { moved, number, reach, typed } from "./numbers.js";

export class Kernel {
    constructor(view) {
        this.view = view;
        this.heading = element("h4");
        this.grid = element("div", { class: "cs-kernel", role: "group", "aria-label": "Numbers of the kernel" });
        this.note = element("p", { class: "cs-note" });
        this.el = element("section", { class: "cs-map" }, this.heading, this.grid, this.note);
        this.fields = [];
    }

    build(rows, columns) {
        if (this.rows === rows && this.columns === columns) return;
        Object.assign(this, { rows, columns });
        this.fields = Array.from({ length: rows * columns }, (_, index) => {
            const at = [Math.floor(index / columns), index % columns];
            const field = element("input", {
                type: "text", inputmode: "text", autocomplete: "off", class: "cs-weight", "aria-label": `kernel, row ${at[0]}, column ${at[1]}`,
            });
            const { signal } = this.view;
            field.addEventListener("change", () => this.write(field, at), { signal });
            field.addEventListener("keydown", (event) => this.key(event, field, at), { signal });
            field.addEventListener("focus", () => field.select(), { signal });
            field.addEventListener("blur", () => this.view.repaint(), { signal });
            return field;
        });
        this.grid.style.setProperty("--cs-columns", columns);
        this.grid.replaceChildren(...this.fields);
    }

    // Arrows lead to the neighbours; sideways only from the end of what is typed.
    key(event, field, at) {
        if (event.key === "Escape") this.restore(field);
        if (event.key === "Enter") this.write(field, at);
        const { selectionStart: start, selectionEnd: end, value } = field;
        const all = start === 0 && end === value.length;
        if (event.key === "ArrowLeft" && !(all || (start === 0 && end === 0))) return;
        if (event.key === "ArrowRight" && !(all || start === value.length)) return;
        if (!event.key.startsWith("Arrow")) return;
        const [row, column] = moved(at, event.key, [this.rows, this.columns]);
        event.preventDefault();
        this.fields[row * this.columns + column].focus();
    }

    // What was typed and is no number stays, to be mended.
    write(field, [row, column]) {
        const { view } = this, value = typed(field.value);
        if (field.value === field.dataset.shown) return;
        if (value === null) {
            field.setAttribute("aria-invalid", "true");
            view.fail(`${field.value} is no number: type one such as −0.5.`);
            return;
        }
        field.removeAttribute("aria-invalid");
        field.dataset.shown = field.value;
        view.act("weigh", { row, column, value }).then(() => view.repaint(), () => field.setAttribute("aria-invalid", "true"));
    }

    restore(field) {
        field.value = field.dataset.shown;
        field.removeAttribute("aria-invalid");
        this.view.forgive();
    }

    paint({ header: { mode }, arrays: { kernel } }) {
        const [rows, columns] = kernel.shape, kernelMode = mode === "kernel";
        this.grid.hidden = !kernelMode;
        this.heading.textContent = kernelMode ? `Kernel, ${rows} × ${columns}` : `Window, ${rows} × ${columns}`;
        const flip = kernelMode && this.view.get("flip");
        const words = { max: "The largest number under the window.", average: "The mean of what lies under the window." };
        this.note.textContent = kernelMode ? (flip ? "Turned by 180° before it is laid on." : "") : words[mode];
        if (!kernelMode) return;
        this.build(rows, columns);
        const most = reach(kernel.data), texts = Array.from(kernel.data, number);
        const longest = Math.max(...texts.map((text) => text.length));
        this.grid.style.setProperty("--cs-wide", `${Math.max(52, 16 + 8 * longest)}px`);
        this.fields.forEach((field, index) => {
            const value = kernel.data[index], text = texts[index];
            field.style.backgroundColor = `rgb(${blend(this.view.palette.field, 0.5 + value / (2 * most)).join()})`;
            field.title = String(Number(value.toPrecision(7))).replace("-", "−");
            const typing = field === document.activeElement || field.getAttribute("aria-invalid") === "true";
            if (typing && field.value !== field.dataset.shown && text === field.dataset.shown) return; // to be finished
            if (field.value !== text) field.value = text;
            field.dataset.shown = text;
            field.removeAttribute("aria-invalid");
        });
    }
}
