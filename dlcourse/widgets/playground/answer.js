// The network's answer over the plane, or one unit's, with the points; and the place where the learner draws points.

import { Canvas } from "../js/canvas.js";
import { Cursor } from "../js/cursor.js";
import { element } from "../js/dom.js";
import { veil } from "../js/predict.js";
import { text } from "../js/scale.js";

const SIDE = 300, SMALL = 140;
const APART = 9; // pixels between two points of one stroke

export class Answer {
    constructor(view, network) {
        this.view = view;
        this.network = network;
        this.label = 0; // class of the points to draw
        this.canvas = new Canvas(view, { label: "The network's answer", width: SIDE, height: SIDE, focusable: true });
        this.canvas.el.classList.add("pg-field");
        this.cursor = new Cursor(view, this.canvas, { across: 28 });
        this.other = new Canvas(view, { label: "The answer of run A", width: SMALL, height: SMALL });
        this.title = element("h4", {}, "Answer");
        this.losses = element("p", { class: "pg-losses" });
        this.tests = element("input", { type: "checkbox" });
        this.tests.addEventListener("change", () => view.repaint(), { signal: view.signal });
        this.aside = element("figure", { class: "pg-other" }, this.other.el, element("figcaption", {}, "Run A"));
        this.el = element(
            "section", { class: "pg-section" }, this.title, this.canvas.el, this.losses,
            element("label", { class: "dlc-box" }, this.tests, "Show the test points"), this.aside,
        );
        this.tools = this.buildTools();
        network.listeners.push(() => view.repaint());
        this.listen();
    }

    buildTools() {
        const { view } = this;
        const kinds = [["● circle", 0], ["▲ triangle", 1]].map(([words, label]) => (
            view.button(words, () => this.choose(label), { pressed: label === this.label, title: "The kind of point that a click on the answer adds; with Shift the other" })
        ));
        this.kinds = kinds;
        const hint = element("p", { class: "pg-hint" }, "Click the answer to draw. By keyboard: focus it, arrows, Space.");
        return view.hideable("draw", element(
            "div", { class: "pg-tools" }, element("div", { class: "dlc-row" }, element("span", {}, "Draw"), ...kinds),
            element("div", { class: "dlc-row" },
                view.button("Undo", () => view.act("undo_points"), { title: "Take back the points drawn last" }),
                view.button("Clear", () => view.act("clear_points"), { title: "Take back all drawn points" })),
            hint,
        ));
    }

    choose(label) {
        this.label = label;
        this.kinds.forEach((button, index) => button.setAttribute("aria-pressed", String(index === label)));
    }

    get mayDraw() {
        return !(this.view.get("hide") ?? []).includes("draw");
    }

    listen() {
        const { signal } = this.view;
        const { el } = this.canvas;
        let last = null;
        el.addEventListener("pointerdown", (event) => {
            if (!this.mayDraw || event.button !== 0) return;
            el.setPointerCapture(event.pointerId);
            last = [event.clientX, event.clientY];
            this.add(this.canvas.toData(event), event.shiftKey);
        }, { signal });
        el.addEventListener("pointermove", (event) => {
            if (last === null || Math.hypot(event.clientX - last[0], event.clientY - last[1]) < APART) return;
            last = [event.clientX, event.clientY];
            this.add(this.canvas.toData(event), event.shiftKey);
        }, { signal });
        for (const kind of ["pointerup", "pointercancel"]) el.addEventListener(kind, () => { last = null; }, { signal });
        el.addEventListener("keydown", (event) => this.key(event), { signal });
    }

    key(event) {
        if (!this.mayDraw || !this.cursor.chosen(event)) return;
        this.add(this.cursor.place, event.shiftKey);
        this.view.say(`Added a ${this.label ? "triangle" : "circle"}`);
    }

    // Points of a fast stroke travel together: one message at a time.
    async add([x, y], other) {
        const [left, right, bottom, top] = this.canvas.extent;
        if (x < left || x > right || y < bottom || y > top) return;
        this.waiting = [...(this.waiting ?? []), [x, y, other ? 1 - this.label : this.label]];
        if (this.sending) return;
        this.sending = true;
        try {
            while (this.waiting.length) {
                const points = this.waiting;
                this.waiting = [];
                await this.view.act("add_points", { points });
            }
        } catch {
            this.waiting = []; // act() has shown the error
        } finally {
            this.sending = false;
        }
    }

    paint(frame) {
        const { header, arrays } = frame;
        this.canvas.extent = header.extent;
        const unit = this.network.shown;
        const map = unit && this.unitMap(frame, unit);
        this.title.textContent = map ? this.unitName(header, unit) : "Answer";
        this.canvas.draw((ctx) => {
            if (map) this.canvas.field(map.data, map.shape);
            else {
                this.canvas.field(arrays.field.data, arrays.field.shape);
                this.canvas.contour(arrays.field.data, arrays.field.shape, 127);
            }
            if (this.tests.checked) this.draw(arrays.test_points, { size: 3, filled: false });
            this.draw(arrays.train_points, { size: 3.6, filled: true });
            this.cursor.paint(ctx);
            veil(this.canvas, header.prediction, { height: 46, opacity: 0.82 });
        });
        const { losses, points } = header;
        const shares = `${percent(losses.train_accuracy)} of training points right, ${percent(losses.test_accuracy)} of test points`;
        this.losses.replaceChildren(
            element("span", {}, `train loss ${text(losses.train)}`), element("span", {}, `test loss ${text(losses.test)}`),
            element("span", { class: "pg-shares" }, shares),
        );
        this.canvas.label(`Map of the answer over ${points.train} training points. ${header.say}. ${shares}.`);
        this.aside.hidden = !arrays.kept_field;
        if (arrays.kept_field) {
            this.other.extent = header.extent;
            this.other.draw(() => {
                this.other.field(arrays.kept_field.data, arrays.kept_field.shape);
                this.other.contour(arrays.kept_field.data, arrays.kept_field.shape, 127);
            });
            this.aside.lastChild.textContent = `Run A, step ${header.kept.step}: train loss ${text(header.kept.train)}, test ${text(header.kept.test)}`;
            this.other.label(`Map of the answer of run A at step ${header.kept.step}`);
        }
    }

    draw({ data, shape }, style) {
        for (let row = 0; row < shape[0]; row += 1) {
            this.canvas.point(data[3 * row], data[3 * row + 1], data[3 * row + 2], style);
        }
    }

    unitMap(frame, [column, row]) {
        const { maps } = frame.header;
        if (column >= maps.length) return null; // the output is the answer itself
        const index = maps.slice(0, column).reduce((sum, count) => sum + count, 0) + row;
        const [, rows, columns] = frame.arrays.maps.shape;
        return { data: frame.arrays.maps.data.subarray(index * rows * columns, (index + 1) * rows * columns), shape: [rows, columns] };
    }

    unitName(header, [column, row]) {
        return column === 0 ? `Input ${header.features[row]}` : `Unit ${row + 1} of layer ${column}`;
    }
}

function percent(share) {
    return share === null ? "–" : `${Math.round(100 * share)} %`;
}
