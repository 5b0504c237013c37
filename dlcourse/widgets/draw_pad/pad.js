// The pad one draws on: ink is painted here at once and sent in batches. Of every widget whose engine has draw and toggle.

import { Canvas } from "../js/canvas.js";
import { element, uniqueId } from "../js/dom.js";
import { Outbox, cut, moved } from "./strokes.js";

export const CELLS = 8; // of the grid that the keyboard moves on
const SIDE = 280;

// Where one draws: a canvas for the ink, and a square that the keyboard moves.
export class Pad {
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

// The lines between cells.
export function lines(ctx, side, cells, colour) {
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
