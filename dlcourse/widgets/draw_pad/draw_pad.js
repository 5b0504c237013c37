// The draw pad's view: the pad, what becomes of the drawing, and ten bars. Ink is painted here at once, the rest when read.

import { Canvas } from "../js/canvas.js";
import { element, uniqueId } from "../js/dom.js";
import { blend } from "../js/palette.js";
import { widget } from "../js/widget.js";
import { Outbox, cut, moved, percent } from "./strokes.js";

const SIDE = 280, CELLS = 8;

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

// Where one draws: a canvas for the ink, and a square that the keyboard moves.
class Pad {
    constructor(view) {
        this.view = view;
        this.canvas = new Canvas(view, { label: "The drawing", width: SIDE, height: SIDE, extent: [0, 1, 1, 0] }); // y down
        this.cursor = element("span", { class: "dp-cursor", "aria-hidden": "true" });
        this.how = uniqueId("how");
        this.el = element(
            "div", { class: "dp-pad", tabindex: 0, role: "application", "aria-label": "Drawing pad", "aria-describedby": this.how },
            this.canvas.el, this.cursor,
        );
        this.mail();
        this.at = [3, 3];
        this.move(this.at);
        const { signal } = view;
        this.el.addEventListener("pointerdown", (event) => this.down(event), { signal });
        this.el.addEventListener("pointermove", (event) => this.drag(event), { signal });
        for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) {
            this.el.addEventListener(end, (event) => this.up(event), { signal });
        }
        this.el.addEventListener("keydown", (event) => this.key(event), { signal });
    }

    mail() {
        this.outbox = new Outbox((stroke, id) => this.view.act("draw", { stroke, id }), () => this.paint());
        this.stroke = null;
    }

    // An action, after all that was drawn before it has arrived.
    async then(action, args = {}) {
        await this.outbox.settled();
        return this.view.act(action, args);
    }

    down(event) {
        if (event.button !== 0 || this.stroke) return;
        this.el.setPointerCapture(event.pointerId);
        this.pointer = event.pointerId;
        this.stroke = this.outbox.begin(this.canvas.toData(event));
        this.paint();
    }

    drag(event) {
        if (!this.stroke || event.pointerId !== this.pointer) return;
        const passed = event.getCoalescedEvents?.() ?? [];
        this.outbox.extend(this.stroke, (passed.length ? passed : [event]).map((each) => this.canvas.toData(each)));
    }

    up(event) {
        if (!this.stroke || event.pointerId !== this.pointer) return;
        this.outbox.end(this.stroke);
        this.stroke = null;
    }

    key(event) {
        if (event.ctrlKey || event.metaKey || event.altKey) return;
        const next = moved(this.at, event.key);
        if (next) this.move(next);
        else if (event.key === " ") this.fill();
        else return;
        event.preventDefault(); // or the page would scroll
    }

    move(at) {
        this.at = at;
        const [row, column] = at;
        this.cursor.style.top = `${(100 * row) / CELLS}%`;
        this.cursor.style.left = `${(100 * column) / CELLS}%`;
        if (this.view.frame) this.view.say(`Row ${row + 1}, column ${column + 1}${this.filled(at) ? ", filled" : ""}.`);
    }

    filled([row, column]) {
        return this.view.frame.header.cells.some((cell) => cell[0] === row && cell[1] === column);
    }

    fill() {
        const [row, column] = this.at;
        this.then("toggle", { row, column }).catch(() => {}); // act() has shown the error already
    }

    paint() {
        const { frame, palette } = this.view;
        if (!frame) return;
        const { strokes: lengths, ids, cells } = frame.header;
        const local = this.outbox.strokes;
        const waiting = new Map(local.map((stroke) => [stroke.id, stroke]));
        const here = cut(frame.arrays.strokes.data, lengths).filter((_, index) => !waiting.has(ids[index]));
        this.canvas.draw((ctx) => {
            ctx.fillStyle = palette.panel;
            ctx.fillRect(0, 0, SIDE, SIDE);
            lines(ctx, SIDE, CELLS, palette.grid);
            ctx.fillStyle = palette.ink;
            for (const [row, column] of cells) ctx.fillRect((column * SIDE) / CELLS, (row * SIDE) / CELLS, SIDE / CELLS, SIDE / CELLS);
            Object.assign(ctx, { strokeStyle: palette.ink, lineWidth: this.view.get("pen") * SIDE, lineCap: "round" });
            for (const points of [...here, ...local.map((stroke) => stroke.points)]) {
                ctx.beginPath();
                ctx.moveTo(...this.canvas.toPixel(...points[0]));
                for (const point of points.length > 1 ? points.slice(1) : points) ctx.lineTo(...this.canvas.toPixel(...point));
                ctx.stroke();
            }
        });
        const parts = [[lengths.length, "stroke"], [cells.length, "filled square"]].filter(([count]) => count);
        const words = parts.map(([count, what]) => `${count} ${what}${count === 1 ? "" : "s"}`).join(" and ");
        this.canvas.label(words ? `The drawing: ${words}` : "The drawing: nothing yet");
    }
}

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

function lines(ctx, side, cells, colour) {
    Object.assign(ctx, { strokeStyle: colour, lineWidth: 1 });
    ctx.beginPath();
    for (let index = 1; index < cells; index += 1) {
        const place = Math.round((index * side) / cells) + 0.5;
        ctx.moveTo(place, 0);
        ctx.lineTo(place, side);
        ctx.moveTo(0, place);
        ctx.lineTo(side, place);
    }
    ctx.stroke();
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
