// The draw pad's view: the pad, what becomes of the drawing, and ten bars.

import { Canvas } from "../js/canvas.js";
import { element } from "../js/dom.js";
import { blend } from "../js/palette.js";
import { widget } from "../js/widget.js";
import { CELLS, Pad, lines } from "./pad.js";
import { percent } from "./strokes.js";

export default widget((view) => {
    const pad = new Pad(view);
    const pixels = new Grid(view, 176, CELLS, 16, "The drawing in 8 by 8 pixels");
    const bitmap = new Grid(view, 88, 32, 1, "The drawing in 32 by 32 pixels");
    const answer = new Answer();
    const undo = view.button("Undo", () => pad.then("undo"), { name: "undo", title: "Take the last stroke back" });
    const clear = view.button("Clear", () => pad.then("clear"), { name: "clear", title: "An empty pad" });
    const example = view.button("Example", () => pad.then("example"), { name: "example", title: "Draw the next built-in digit, from 0 to 9" });
    const bars = view.hideable("bars", element("div", { class: "dp-says" }, element("p", { class: "dp-head" }, "The network says"), answer.el));
    const sees = element("p", { class: "dp-head" });
    view.body.append(
        element("p", { class: "dp-how", id: pad.how },
            "Draw a digit with the mouse, a finger or a pen. With the keyboard: arrow keys move a square, Space fills or empties it."),
        element("div", { class: "dp-draw" },
            element("p", { class: "dp-head" }, "You draw"), pad.el,
            element("div", { class: "dlc-row dp-buttons" }, undo, clear, example)),
        element("div", { class: "dp-sees" },
            view.hideable("pixels", element("div", {}, sees, pixels.canvas.el)),
            view.hideable("bitmap", element("div", { class: "dp-from" }, bitmap.canvas.el,
                element("p", {}, "counted from 32 × 32 pixels, 16 for each square")))),
        bars,
        element("div", { class: "dp-controls" }, view.control("pen"), view.control("prepare")),
    );
    return {
        paint(frame) {
            const { header, arrays } = frame;
            pad.paint();
            pixels.paint(arrays.image.data);
            bitmap.paint(arrays.ink.data);
            answer.paint(header, arrays.probabilities.data);
            sees.textContent = header.reads ? "The network sees" : "In 8 × 8 pixels";
            bars.hidden = !header.reads;
            undo.disabled = !header.undoable;
            clear.disabled = header.empty;
        },
        heard() {
            if (view.session.gone) pad.mail(); // what was on its way will not be answered
        },
    };
});

// A small image in grey squares.
class Grid {
    constructor(view, side, cells, most, label) {
        Object.assign(this, { view, side, cells, most, words: label });
        this.canvas = new Canvas(view, { label, width: side, height: side });
    }

    paint(values) {
        const { side, cells, most } = this;
        const { panel, ink, grid } = this.view.palette;
        const shades = Array.from({ length: most + 1 }, (_, value) => `rgb(${blend([panel, ink], value / most)})`);
        this.canvas.draw((ctx) => {
            values.forEach((value, index) => {
                const [row, column] = [Math.floor(index / cells), index % cells];
                const [left, top] = [Math.round((column * side) / cells), Math.round((row * side) / cells)];
                ctx.fillStyle = shades[value];
                ctx.fillRect(left, top, Math.round(((column + 1) * side) / cells) - left, Math.round(((row + 1) * side) / cells) - top);
            });
            if (cells === CELLS) lines(ctx, side, cells, grid);
        });
        const inked = values.reduce((count, value) => count + (value > 0), 0);
        this.canvas.label(`${this.words}: ${inked} of ${values.length} hold ink`);
    }
}

// The answer in large, and a bar for each digit; the winner's is dark, its number bold, and a mark points at it.
class Answer {
    constructor() {
        this.digit = element("span", { class: "dp-digit" });
        this.sure = element("span", { class: "dp-sure" });
        this.rows = Array.from({ length: 10 }, (_, digit) => {
            const row = { bar: element("span", { class: "dp-bar" }), number: element("span", { class: "dp-number" }) };
            row.el = element("li", { class: "dp-row" }, element("span", { class: "dp-name" }, String(digit)),
                element("span", { class: "dp-track", "aria-hidden": "true" }, row.bar), row.number);
            return row;
        });
        this.list = element("ol", { class: "dp-rows", "aria-label": "How probable each digit is" }, ...this.rows.map((row) => row.el));
        this.el = element("div", {}, element("p", { class: "dp-answer" }, this.digit, this.sure), this.list);
    }

    paint({ digit, probability, trouble, empty }, found) {
        this.digit.textContent = digit ?? "";
        this.digit.hidden = digit === null;
        this.sure.textContent = trouble || (empty ? "Nothing drawn yet." : `${percent(probability).replace(">", "more than")} sure`);
        this.sure.classList.toggle("dp-trouble", Boolean(trouble));
        this.list.classList.toggle("dp-idle", digit === null);
        this.rows.forEach((row, index) => {
            const value = found[index] ?? 0;
            row.el.classList.toggle("dp-winner", index === digit);
            row.bar.style.width = `${100 * value}%`;
            row.number.textContent = found.length ? percent(value) : "";
        });
    }
}
