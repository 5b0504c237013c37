// One step taken apart: the gates and states of all units as colours, and the chosen unit's arithmetic.

import { blend } from "../js/palette.js";
import { element } from "../js/dom.js";
import { clamp, every, figure, percent, typeset } from "./numbers.js";
import { Fitting } from "./panel.js";

const ROW = 24, LEFT = 64;

export class Step {
    constructor(view, go) {
        this.view = view;
        this.it = new Fitting(view, { label: "The step", width: 424, height: 120, margins: [LEFT, 2, 20, 2] });
        this.title = element("h4");
        this.sums = element("div", { class: "ru-sums" });
        this.help = element("dl", { class: "ru-help" });
        this.it.canvas.el.addEventListener("pointerdown", (event) => go(null, Math.round(this.it.canvas.toData(event)[0])), { signal: view.signal });
        this.el = element("section", { class: "ru-section ru-step" }, this.title, this.it.el, this.sums,
            element("details", {}, element("summary", {}, "What the rows are"), this.help));
    }

    paint({ header, arrays }) {
        const { run, symbols, parts, units, unit } = header;
        const reads = symbols[run.step - 1] ? `: reads ${symbols[run.step - 1]}` : "";
        this.title.textContent = `Step ${run.step}${reads}`;
        this.it.fit(parts.length * ROW + 22);
        const { canvas } = this.it, { palette } = this.view, numbers = arrays.parts.data;
        canvas.extent = [-0.5, units - 0.5, parts.length - 0.5, -0.5];
        const wide = canvas.box.width / units;
        canvas.draw((ctx) => {
            ctx.textBaseline = "middle";
            parts.forEach((part, row) => {
                const values = numbers.subarray(row * units, (row + 1) * units);
                const most = Math.max(1, ...values.map(Math.abs));
                const [, y] = canvas.toPixel(0, row - 0.5);
                values.forEach((value, column) => {
                    const [x] = canvas.toPixel(column - 0.5, 0);
                    ctx.fillStyle = `rgb(${blend(palette.field, 0.5 + value / most / 2).join(" ")})`;
                    ctx.fillRect(x, y, wide + 0.4, ROW - 2);
                    if (wide < 28) return;
                    Object.assign(ctx, { fillStyle: palette.ink, textAlign: "center" });
                    ctx.fillText(short(value), x + wide / 2, y + ROW / 2 - 1);
                });
                Object.assign(ctx, { fillStyle: palette.ink, textAlign: "right" });
                ctx.fillText(part.name, LEFT - 8, y + ROW / 2 - 1);
            });
            Object.assign(ctx, { fillStyle: palette.ink, textAlign: "center", textBaseline: "top" });
            for (let each = 0; each < units; each += every(units, canvas.box.width, 20)) ctx.fillText(String(each), canvas.toPixel(each, 0)[0], canvas.box.y + canvas.box.height + 4);
            const [x] = canvas.toPixel(unit - 0.5, 0);
            Object.assign(ctx, { strokeStyle: palette.ink, lineWidth: 2 });
            ctx.strokeRect(x, canvas.box.y, wide, canvas.box.height - 1);
        });
        const said = parts.map((part, row) => `${part.name} = ${figure(numbers[row * units + unit])}`);
        canvas.label(`Step ${run.step} in numbers, a column for each unit. Unit ${unit}: ${said.join(", ")}`);
        const words = [`Unit ${unit}:`, ...header.sums.map(typeset)];
        fill(this.sums, words.join("\n"), () => words.map((text) => element("p", {}, text)));
        const rows = parts.flatMap(({ name, help }) => [element("dt", {}, name), element("dd", {}, typeset(help))]);
        fill(this.help, header.kind, () => rows);
    }
}

// What the model expects after the step.
export class Next {
    constructor() {
        this.list = element("ol", { class: "ru-next" });
        this.truth = element("p", { class: "ru-note" });
        this.title = element("h4");
        this.el = element("section", { class: "ru-section" }, this.title, this.list, this.truth);
    }

    paint({ header: { next, run } }) {
        this.el.hidden = next === null;
        if (next === null) return;
        this.title.textContent = `Expected after step ${run.step}`;
        this.list.replaceChildren(...next.likeliest.map(([symbol, p]) => {
            const bar = element("span", { class: "ru-bar" });
            bar.style.width = `${clamp(100 * (p ?? 0), 1, 100)}%`;
            return element("li", {}, element("b", {}, symbol), element("span", { class: "ru-track" }, bar), element("span", {}, percent(p)));
        }));
        this.truth.textContent = next.truth ? `What comes is ${next.truth[0]}, at ${percent(next.truth[1])}: ${(-Math.log2(next.truth[1] ?? NaN)).toFixed(2)} bits.` : "The text ends here.";
    }
}

export function fill(el, key, children) {
    if (el.dataset.key === key) return;
    el.dataset.key = key;
    el.replaceChildren(...children());
}

function short(value) {
    if (value === 0) return "0";
    const text = Math.abs(value) >= 9.95 ? value.toFixed(0) : value.toFixed(Math.abs(value) < 0.995 ? 2 : 1);
    return text.replace("-", "−").replace("0.", ".");
}
