// The plane: what D says of each place, real and generated points, G's manifold and D's pushes; and the pen.

import { Canvas } from "../js/canvas.js";
import { Cursor } from "../js/cursor.js";
import { element } from "../js/dom.js";
import { veil } from "../js/predict.js";
import { apart, column, mesh } from "./geometry.js";

const SIDE = 400;
const APART = 0.012; // of the picture's width, between two points of one stroke
const TRAIL = 60; // measured places of the mean that are shown
const LAYERS = [
    ["field", "D's field", true],
    ["real", "Real points", true],
    ["fake", "Generated points", true],
    ["manifold", "G's manifold", true],
    ["arrows", "Pushes", true],
    ["trail", "Path of the mean", false],
];

export class Arena {
    constructor(view) {
        this.view = view;
        this.canvas = new Canvas(view, { label: "The game", width: SIDE, height: SIDE, focusable: true });
        this.canvas.el.classList.add("gl-arena");
        this.boxes = {};
        const layers = LAYERS.map(([name, words, on]) => {
            const box = element("input", { type: "checkbox", checked: on });
            box.addEventListener("change", () => view.repaint(), { signal: view.signal });
            this.boxes[name] = box;
            return element("label", { class: "dlc-box" }, box, words);
        });
        this.key = element("p", { class: "gl-key" });
        this.el = element(
            "div", { class: "gl-plane" }, this.canvas.el, this.key,
            view.hideable("layers", element("fieldset", { class: "gl-layers" }, element("legend", {}, "Show"), ...layers)),
        );
        this.pen = false;
        this.stroke = null; // points under way, or on their way to the kernel
        this.cursor = new Cursor(view, this.canvas, { across: 30 });
        this.tools = this.buildTools();
        this.listen();
    }

    buildTools() {
        const { view } = this;
        this.toggle = view.button("Pen", () => this.take(!this.pen), { pressed: false, title: "Draw the target: what you draw are the places of real points" });
        this.undo = view.button("Undo", () => view.act("undo_points"), { title: "Take back the last stroke" });
        this.clear = view.button("Clear", () => view.act("clear_points"), { title: "Take back all strokes" });
        this.hint = element("p", { class: "gl-hint" });
        return view.hideable("draw", element("div", { class: "gl-tools" }, element("div", { class: "dlc-row" }, this.toggle, this.undo, this.clear), this.hint));
    }

    take(pen) {
        this.pen = pen;
        this.toggle.setAttribute("aria-pressed", String(pen));
        this.canvas.el.classList.toggle("gl-pen", pen);
        if (!pen) this.cursor.leave();
        this.view.repaint();
    }

    get mayDraw() {
        return this.pen && this.view.frame !== null && !this.tools.classList.contains("dlc-hidden");
    }

    listen() {
        const { signal } = this.view, { el } = this.canvas;
        el.addEventListener("pointerdown", (event) => {
            if (!this.mayDraw || event.button !== 0 || this.stroke) return;
            el.setPointerCapture(event.pointerId);
            this.stroke = [];
            this.down = true;
            this.add(this.canvas.toData(event));
        }, { signal });
        el.addEventListener("pointermove", (event) => {
            if (!this.down) return;
            const passed = event.getCoalescedEvents?.() ?? [];
            for (const each of passed.length ? passed : [event]) this.add(this.canvas.toData(each));
        }, { signal });
        for (const kind of ["pointerup", "pointercancel"]) {
            el.addEventListener(kind, () => {
                if (this.down) this.send();
                this.down = false;
            }, { signal });
        }
        el.addEventListener("keydown", (event) => this.press(event), { signal });
    }

    add([x, y]) {
        const [left, right, bottom, top] = this.canvas.extent;
        if (x < left || x > right || y < bottom || y > top) return;
        const last = this.stroke.at(-1);
        if (last && !apart(last, [x, y], APART * (right - left))) return;
        this.stroke.push([Number(x.toFixed(3)), Number(y.toFixed(3))]);
        this.view.repaint();
    }

    async send() {
        const points = this.stroke;
        try {
            if (points.length) await this.view.act("add_points", { points });
        } catch {
            // act() has shown the error
        } finally {
            this.stroke = null;
            this.view.repaint();
        }
    }

    press(event) {
        if (!this.mayDraw || !this.cursor.chosen(event) || this.stroke) return;
        this.stroke = [];
        this.add(this.cursor.place);
        this.send();
        this.view.say("Point added");
    }

    paint({ header, arrays }) {
        const { canvas, boxes } = this, { palette } = this.view;
        canvas.extent = header.extent;
        const drawing = this.view.get("data") === "drawn";
        if (drawing && this.drawing === false) this.take(true); // the target was chosen to be drawn
        this.drawing = drawing;
        this.undo.disabled = this.clear.disabled = header.drawn === 0;
        this.toggle.disabled = header.own_points;
        this.hint.textContent = drawing
            ? "With the pen on, draw in the picture; by keyboard: focus it, arrow keys, Space."
            : "With the pen on, your first stroke begins a new game about what you draw.";
        canvas.draw((ctx) => {
            ctx.fillStyle = palette.panel;
            ctx.fillRect(0, 0, SIDE, SIDE);
            if (boxes.field.checked) {
                canvas.field(arrays.field.data, arrays.field.shape, { stops: [...palette.field].reverse() });
                canvas.contour(arrays.field.data, arrays.field.shape, 127, { width: 1.3 });
            }
            if (boxes.manifold.checked) this.lines(ctx, mesh(arrays.manifold));
            this.places(ctx, header, arrays);
            if (boxes.real.checked) this.points(ctx, arrays.real, true);
            if (boxes.fake.checked) this.points(ctx, arrays.fake, false);
            if (boxes.arrows.checked) this.arrows(ctx, arrays.arrows.data);
            if (boxes.trail.checked) this.trail(ctx, header, arrays);
            if (this.stroke) for (const [x, y] of this.stroke) this.dot(ctx, x, y, 3.5);
            this.cursor.paint(ctx);
            veil(canvas, header.prediction, { height: 40, opacity: 0.85 });
        });
        this.legend(header);
        const { health, say } = header;
        canvas.label(`The plane with real points as circles and generated ones as triangles. ${say}. ${health.join(" ")}`);
    }

    legend({ modes }) {
        const circles = modes ? "; a ring around each mode, dashed while it is not covered" : "";
        const words = `● real, ▲ generated. Field: blue is taken for real, orange for generated, the line is D's border${circles}.`;
        if (this.key.textContent !== words) this.key.textContent = words;
    }

    // Small, so with a thinner edge than `canvas.point` has.
    points(ctx, { data, shape }, real) {
        const { palette } = this.view;
        Object.assign(ctx, { fillStyle: real ? palette.zero : palette.one, strokeStyle: palette.dark ? "#0B0C0E" : "#222222", lineWidth: 0.5 });
        ctx.beginPath();
        for (let row = 0; row < shape[0]; row += 1) {
            const [x, y] = this.canvas.toPixel(data[2 * row], data[2 * row + 1]);
            if (real) {
                ctx.moveTo(x + 2.5, y);
                ctx.arc(x, y, 2.5, 0, 2 * Math.PI);
            } else {
                ctx.moveTo(x, y - 3.6);
                ctx.lineTo(x + 3.2, y + 2.4);
                ctx.lineTo(x - 3.2, y + 2.4);
                ctx.closePath();
            }
        }
        ctx.fill("nonzero");
        ctx.stroke();
    }

    lines(ctx, lines) {
        ctx.save();
        Object.assign(ctx, { strokeStyle: this.view.palette.ink, lineWidth: 0.8, globalAlpha: 0.42 });
        for (const line of lines) {
            ctx.beginPath();
            line.forEach((place, index) => {
                if (!place.every(Number.isFinite)) return;
                const pixel = this.canvas.toPixel(...place);
                if (index) ctx.lineTo(...pixel);
                else ctx.moveTo(...pixel);
            });
            ctx.stroke();
        }
        ctx.restore();
    }

    // Rings around the modes: whole where covered, dashed where not. Drawn places as small crosses of the pen.
    places(ctx, { radius, covers, extent }, { modes, drawn }) {
        const { canvas } = this, { palette } = this.view;
        const reach = (radius / (extent[1] - extent[0])) * SIDE;
        Object.assign(ctx, { strokeStyle: palette.ink, lineWidth: 1.4 });
        for (let row = 0; row < modes.shape[0]; row += 1) {
            const [x, y, count] = modes.data.subarray(3 * row, 3 * row + 3);
            ctx.setLineDash(count >= covers ? [] : [3, 3]);
            ctx.beginPath();
            ctx.arc(...canvas.toPixel(x, y), reach, 0, 2 * Math.PI);
            ctx.stroke();
        }
        ctx.setLineDash([]);
        for (let row = 0; row < drawn.shape[0]; row += 1) this.dot(ctx, drawn.data[2 * row], drawn.data[2 * row + 1], 1.6);
    }

    dot(ctx, x, y, size) {
        ctx.fillStyle = this.view.palette.ink;
        ctx.beginPath();
        ctx.arc(...this.canvas.toPixel(x, y), size, 0, 2 * Math.PI);
        ctx.fill();
    }

    arrows(ctx, data) {
        const { ink, panel } = this.view.palette;
        for (const [colour, width] of [[panel, 3], [ink, 1.3]]) {
            Object.assign(ctx, { strokeStyle: colour, lineWidth: width, lineCap: "round" });
            ctx.beginPath();
            for (let at = 0; at + 3 < data.length; at += 4) {
                const from = this.canvas.toPixel(data[at], data[at + 1]), to = this.canvas.toPixel(data[at + 2], data[at + 3]);
                const length = Math.hypot(to[0] - from[0], to[1] - from[1]);
                if (!(length > 0.8)) continue;
                const angle = Math.atan2(to[1] - from[1], to[0] - from[0]), head = Math.min(5, 0.5 * length);
                ctx.moveTo(...from);
                ctx.lineTo(...to);
                for (const turn of [-0.5, 0.5]) {
                    ctx.moveTo(...to);
                    ctx.lineTo(to[0] - head * Math.cos(angle + turn), to[1] - head * Math.sin(angle + turn));
                }
            }
            ctx.stroke();
        }
        ctx.lineCap = "butt";
    }

    trail(ctx, { run }, { curve }) {
        const [xs, ys] = ["mean_x", "mean_y"].map((name) => column(curve, name, run.step).slice(-TRAIL));
        this.canvas.curve(xs, ys, { colour: this.view.palette.panel, width: 4.5 });
        this.canvas.curve(xs, ys, { colour: this.view.palette.lines[4], width: 2.2 });
        if (!xs.length || !Number.isFinite(xs.at(-1))) return;
        const [x, y] = this.canvas.toPixel(xs.at(-1), ys.at(-1));
        Object.assign(ctx, { fillStyle: this.view.palette.lines[4], strokeStyle: this.view.palette.ink, lineWidth: 1 });
        ctx.fillRect(x - 4, y - 4, 8, 8);
        ctx.strokeRect(x - 4, y - 4, 8, 8);
    }
}
