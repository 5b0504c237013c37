// The hinge lab's view: the curve and its bends on the left, target and descent on the right, a row for each hinge below.

import { Canvas } from "../js/canvas.js";
import { element, uniqueId } from "../js/dom.js";
import { Latest } from "../js/latest.js";
import { text } from "../js/scale.js";
import { widget } from "../js/widget.js";
import { BENDS, KNOTS, PER_PIXEL, apart, height, nearest, snapped } from "./geometry.js";
import { Strokes } from "./strokes.js";

const WIDTH = 400, CURVE = 330, BEND = 156, ERRORS = 172;
const RADIUS = 10; // of a handle
const STEP = 0.1; // between two places of the target
const SMALLEST = 2.5; // reach of the scale of bends, at least

export default widget((view) => {
    const lab = new Lab(view);
    return { paint: (frame) => lab.paint(frame) };
});

// What the parts share: which hinge is looked at, and whether the pen is out.
class Lab {
    constructor(view) {
        this.view = view;
        this.selected = null;
        this.pen = false;
        this.curve = new Curve(this);
        this.bends = new Bends(this);
        this.result = new Result(view);
        this.rows = new Rows(this);
        this.note = element("p", { class: "hl-note" });
        const target = element(
            "div", { class: "hl-group" },
            view.control("target"),
            view.hideable("pen", element("div", { class: "dlc-row" }, this.penButton(), view.button(
                "Wipe", () => view.act("draw", { xs: [-3, 3], ys: [0, 0] }), { title: "Make the target a flat line" },
            ))),
        );
        const descent = element("div", { class: "hl-group" }, view.control("optimizer"), view.control("lr"));
        view.body.append(
            element("div", { class: "hl-left" }, this.curve.el, legend(), view.hideable("bends", this.bends.el)),
            element("div", { class: "hl-right" }, this.result.el, target, descent, view.hideable("errors", this.result.past.el)),
            element("div", { class: "hl-below" }, this.note, view.hideable("rows", this.rows.el)),
        );
    }

    penButton() {
        const button = this.view.button("✎ Draw the target", () => {
            this.pen = !this.pen;
            button.setAttribute("aria-pressed", String(this.pen));
            this.curve.penOut(this.pen);
            this.view.repaint();
        }, { title: "Then drag in the picture; or use the arrow keys on the pen", pressed: false });
        return button;
    }

    select(index) {
        if (this.selected === index) return;
        this.selected = index;
        this.view.repaint();
    }

    paint(frame) {
        const { header } = frame;
        if (this.selected !== null && this.selected >= header.hinges.length) this.selected = null;
        this.curve.paint(frame);
        this.bends.paint(frame);
        this.result.paint(frame);
        this.rows.paint(header);
        this.note.textContent = header.warning;
        this.note.hidden = !header.warning;
    }
}

function legend() {
    const item = (kind, words) => element("span", {}, element("span", { class: `hl-mark hl-${kind}`, "aria-hidden": "true" }), words);
    return element("p", { class: "hl-legend" }, item("sum", "sum"), item("single", "single hinges"), item("target", "target"));
}

// A handle: a circle with the hinge's number, hollow where its bend is cancelled or nothing.
function knob(canvas, [x, y], index, { filled, selected }) {
    const { ctx, palette } = canvas;
    ctx.beginPath();
    ctx.arc(x, y, RADIUS, 0, 2 * Math.PI);
    Object.assign(ctx, { fillStyle: filled ? palette.one : palette.panel, strokeStyle: filled && palette.dark ? "#0B0C0E" : palette.ink });
    ctx.lineWidth = selected ? 2.6 : 1.2;
    ctx.fill();
    ctx.stroke();
    Object.assign(ctx, { fillStyle: filled ? "#1B1B1B" : palette.ink, textAlign: "center", textBaseline: "middle" });
    ctx.fillText(String(index + 1), x, y + 0.5);
}

// Does this hinge's knot show in the curve?
function bends(header, { knot }) {
    return knot !== null && header.knots.some(([place]) => Math.abs(place - knot) < 2e-4);
}

// A chart whose handles are dragged. A subclass says where they are and what a drag means.
class Chart {
    constructor(lab, label, height_, margins, extent) {
        this.lab = lab;
        this.view = lab.view;
        this.canvas = new Canvas(lab.view, { label, width: WIDTH, height: height_, margins, extent });
        this.places = []; // of the handles, in pixels; null where there is none
        this.grip = null;
        this.moves = new Latest((args) => this.view.act("move", args));
        const { signal } = this.view, { el } = this.canvas;
        el.addEventListener("pointerdown", (event) => this.down(event), { signal });
        el.addEventListener("pointermove", (event) => this.move(event), { signal });
        for (const kind of ["pointerup", "pointercancel"]) el.addEventListener(kind, () => this.up(), { signal });
    }

    pixel(event) {
        const place = this.canvas.el.getBoundingClientRect();
        return [
            ((event.clientX - place.left) / place.width) * this.canvas.width,
            ((event.clientY - place.top) / place.height) * this.canvas.height,
        ];
    }

    down(event) {
        if (event.button !== 0) return;
        const at = this.pixel(event), index = nearest(this.places, at, 1.9 * RADIUS);
        if (index < 0) return;
        event.preventDefault();
        this.canvas.el.setPointerCapture(event.pointerId);
        const { knot, bend } = this.view.frame.header.hinges[index];
        this.grip = { index, at, knot: knot ?? 0, bend };
        this.lab.select(index);
    }

    move(event) {
        const at = this.pixel(event);
        if (!this.grip) {
            this.canvas.el.style.cursor = nearest(this.places, at, 1.9 * RADIUS) < 0 ? "" : "grab";
            return;
        }
        const { extent, box } = this.canvas, { steepest } = this.view.frame.header;
        const across = ((at[0] - this.grip.at[0]) / box.width) * (extent[1] - extent[0]);
        const args = { index: this.grip.index };
        const knot = snapped(this.grip.knot + across, KNOTS, extent[0], extent[1]);
        const bend = snapped(this.grip.bend + this.bend(this.grip.at[1] - at[1]), BENDS, -steepest, steepest);
        if (Math.abs(at[0] - this.grip.at[0]) > 2 || this.grip.sideways) Object.assign(this.grip, { sideways: true });
        if (Math.abs(at[1] - this.grip.at[1]) > 4 || this.grip.upright) Object.assign(this.grip, { upright: true });
        if (this.grip.sideways) args.knot = knot;
        if (this.grip.upright) args.bend = bend;
        if (this.grip.sideways || this.grip.upright) this.moves.want(args);
    }

    up() {
        this.grip = null;
    }

    // A pixel for every hinge, and no two in the same place.
    spread(header, toPlace) {
        const found = header.hinges.map((hinge) => (hinge.knot === null ? null : toPlace(hinge)));
        const offsets = apart(found.map((place) => place ?? [-1e9 * Math.random(), 0]), 1.5 * RADIUS);
        return found.map((place, index) => place && [place[0] + offsets[index], place[1]]);
    }

    inside([x, y]) {
        const { x: left, y: top, width, height: high } = this.canvas.box;
        const edge = RADIUS - 6; // a handle at the edge is to be seen whole
        return [Math.min(Math.max(x, left), left + width), Math.min(Math.max(y, top + edge), top + high - edge)];
    }
}

// Target, single hinges, their sum; each knot can be dragged, and with the pen out the target can be drawn.
class Curve extends Chart {
    constructor(lab) {
        super(lab, "The sum of the hinges and its target", CURVE, [34, 10, 34, 8], [-3, 3, -2, 4]);
        this.strokes = new Strokes((args) => this.view.act("draw", args));
        this.at = 30; // the pen's place, for the arrow keys
        this.nib = element("div", {
            class: "hl-nib", role: "slider", tabindex: 0, hidden: true, "aria-label": "Pen: target",
            "aria-valuemin": -2, "aria-valuemax": 4, "aria-orientation": "vertical",
        });
        this.nib.addEventListener("keydown", (event) => this.key(event), { signal: this.view.signal });
        this.el = element("div", { class: "hl-curve" }, this.canvas.el, this.nib);
    }

    bend(pixels) {
        return pixels * PER_PIXEL;
    }

    penOut(out) {
        this.nib.hidden = !out;
        this.canvas.el.style.cursor = "";
        this.el.classList.toggle("hl-drawing", out);
    }

    place(event) {
        const [x, y] = this.canvas.toData(event);
        return [Number(Math.min(Math.max(x, -3), 3).toFixed(3)), Number(Math.min(Math.max(y, -2), 4).toFixed(3))];
    }

    down(event) {
        if (!this.lab.pen) return super.down(event);
        if (event.button !== 0) return undefined;
        event.preventDefault();
        this.canvas.el.setPointerCapture(event.pointerId);
        this.drawing = true;
        return this.strokes.begin(this.place(event));
    }

    move(event) {
        if (!this.lab.pen) return super.move(event);
        return this.drawing && this.strokes.add(this.place(event));
    }

    up() {
        super.up();
        this.drawing = false;
    }

    // Left and right: another place. Up and down: the target there.
    key(event) {
        const aside = { ArrowLeft: -1, ArrowRight: 1, Home: -60, End: 60 }[event.key];
        const up = { ArrowUp: 0.1, ArrowDown: -0.1, PageUp: 1, PageDown: -1 }[event.key];
        if (aside === undefined && up === undefined) return;
        event.preventDefault();
        if (aside !== undefined) {
            this.at = Math.min(Math.max(this.at + aside, 0), 60);
            this.view.repaint();
            return;
        }
        const now = this.wish?.at === this.at && this.strokes.busy ? this.wish.value : this.view.frame.arrays.target.data[this.at];
        const value = snapped(now + up, STEP, -2, 4);
        this.wish = { at: this.at, value };
        this.strokes.begin([Number((-3 + STEP * this.at).toFixed(1)), value]);
    }

    paint({ header, arrays }) {
        const { canvas, lab } = this, { palette } = this.view;
        const xs = arrays.x.data, ys = arrays.curve.data, columns = xs.length;
        canvas.label(`${header.description}`);
        canvas.draw((ctx) => {
            canvas.axes({ xlabel: "x", xticks: 6, yticks: 6 });
            canvas.curve([-3, 3], [0, 0], { colour: palette.quiet, width: 1 });
            header.hinges.forEach((hinge, index) => {
                const part = arrays.parts.data.subarray(index * columns, (index + 1) * columns);
                const chosen = index === lab.selected;
                canvas.curve(xs, part, { colour: chosen ? palette.ink : palette.quiet, width: chosen ? 2 : 1, dash: chosen ? [6, 4] : [] });
            });
            this.dots(ctx, arrays);
            canvas.curve(xs, ys, { colour: palette.lines[0], width: 3 });
            this.places = this.spread(header, ({ knot }) => this.inside(canvas.toPixel(knot, height(xs, ys, knot))));
            this.places.forEach((place, index) => {
                if (place) knob(canvas, place, index, { filled: bends(header, header.hinges[index]), selected: index === lab.selected });
            });
        });
        const value = arrays.target.data[this.at];
        const [left, top] = canvas.toPixel(-3 + STEP * this.at, value);
        this.nib.style.left = `${(100 * left) / WIDTH}%`;
        this.nib.style.top = `${(100 * top) / CURVE}%`;
        this.nib.setAttribute("aria-valuenow", value.toFixed(2));
        this.nib.setAttribute("aria-valuetext", `${text(value)} at x = ${text(-3 + STEP * this.at)}`);
    }

    dots(ctx, { places, target }) {
        ctx.fillStyle = this.view.palette.lines[1];
        places.data.forEach((x, index) => {
            ctx.beginPath();
            ctx.arc(...this.canvas.toPixel(x, target.data[index]), 2, 0, 2 * Math.PI);
            ctx.fill();
        });
    }
}

// The bends, one stem for each hinge at its knot: up where the curve turns up, as tall as the slope changes.
class Bends extends Chart {
    constructor(lab) {
        super(lab, "The bend of each hinge at its knot", BEND, [34, 10, 22, 8], [-3, 3, -SMALLEST, SMALLEST]);
        this.el = element("div", { class: "hl-bends" }, this.canvas.el);
    }

    bend(pixels) {
        return (pixels / this.canvas.box.height) * (this.canvas.extent[3] - this.canvas.extent[2]);
    }

    // As much as the bends need; while one is dragged the scale stands still, but for what would leave it.
    scale({ hinges, steepest }) {
        const most = Math.max(SMALLEST, ...hinges.map(({ bend }) => 1.35 * Math.min(Math.abs(bend), steepest)));
        return this.grip ? Math.max(this.canvas.extent[3], most) : most;
    }

    paint({ header }) {
        const { canvas, lab } = this, { palette } = this.view;
        const words = header.hinges.map(({ knot, bend }, index) => (
            `hinge ${index + 1} ${knot === null ? "has no knot" : `bends by ${text(bend)} at ${text(knot)}`}`
        ));
        canvas.label(words.length ? `Bends: ${words.join(", ")}.` : "There are no hinges, so nothing bends.");
        const reach = this.scale(header);
        canvas.extent = [-3, 3, -reach, reach];
        canvas.draw((ctx) => {
            canvas.axes({ xticks: 6, yticks: 5 });
            canvas.curve([-3, 3], [0, 0], { colour: palette.quiet, width: 1 });
            Object.assign(ctx, { textAlign: "left", textBaseline: "top", fillStyle: palette.ink });
            ctx.fillText("bend  a |w|", canvas.box.x + 8, canvas.box.y + 6);
            this.places = this.spread(header, ({ knot, bend }) => this.inside(canvas.toPixel(knot, Math.min(Math.max(bend, -0.9 * reach), 0.9 * reach))));
            const [, zero] = canvas.toPixel(0, 0);
            this.places.forEach((place, index) => {
                if (!place) return;
                ctx.beginPath();
                ctx.moveTo(place[0], zero);
                ctx.lineTo(...place);
                Object.assign(ctx, { strokeStyle: palette.one, lineWidth: 4 });
                ctx.stroke();
            });
            this.places.forEach((place, index) => {
                if (place) knob(canvas, place, index, { filled: bends(header, header.hinges[index]), selected: index === lab.selected });
            });
        });
    }
}

// How far off the curve is, now and in the steps before.
class Result {
    constructor(view) {
        this.digits = element("span", { class: "hl-digits" });
        this.pieces = element("span", { class: "hl-pieces" });
        this.el = element(
            "div", { class: "hl-result" },
            element("div", {}, this.digits, element("span", {}, "root mean square error")),
            element("div", {}, this.pieces, this.words = element("span")),
        );
        this.past = new Past(view);
    }

    paint(frame) {
        const { error, pieces, pieces_seen: seen } = frame.header;
        this.digits.textContent = error < 1000 ? error.toFixed(3) : text(error);
        this.pieces.textContent = pieces;
        this.words.textContent = `straight piece${pieces === 1 ? "" : "s"}${seen === pieces ? "" : `, ${seen} in sight`}`;
        this.past.paint(frame);
    }
}

class Past {
    constructor(view) {
        this.view = view;
        this.canvas = new Canvas(view, { label: "Error by step", width: WIDTH, height: ERRORS, margins: [46, 10, 22, 8] });
        this.el = element("div", { class: "hl-past" }, this.canvas.el);
    }

    paint({ header, arrays }) {
        const { canvas } = this, { palette } = this.view, { step, last } = header.run;
        const steps = arrays.error_steps.data, errors = Float32Array.from(arrays.errors.data, (error) => Math.max(error, 1e-5));
        const low = Math.log10(Math.min(...errors)), high = Math.log10(Math.max(...errors));
        canvas.extent = [steps[0], Math.max(last, steps[0] + 10), Math.min(low - 0.1, high - 0.5), high + 0.15];
        canvas.label(`Error by step: ${text(errors[0])} at step ${steps[0]}, ${text(header.error)} at step ${step}.`);
        canvas.draw((ctx) => {
            canvas.axes({ xticks: 5, log: true });
            canvas.curve(steps, errors, { colour: palette.lines[0], width: 2, log: true });
            Object.assign(ctx, { textAlign: "right", textBaseline: "top", fillStyle: palette.ink });
            ctx.fillText("error by step", canvas.box.x + canvas.box.width - 8, canvas.box.y + 6);
            ctx.beginPath();
            ctx.arc(...canvas.toPixel(step, Math.log10(Math.max(header.error, 1e-5))), 4.5, 0, 2 * Math.PI);
            Object.assign(ctx, { fillStyle: palette.lines[0], strokeStyle: palette.panel, lineWidth: 1.5 });
            ctx.fill();
            ctx.stroke();
        });
    }
}

// A row for each hinge: its formula, two sliders, flip and remove; the constant; add and fit.
class Rows {
    constructor(lab) {
        this.lab = lab;
        this.view = lab.view;
        this.rows = [];
        this.list = element("div", { class: "hl-rows" });
        this.lift = this.range("constant c", -6, 6, BENDS, (value) => ({ action: "lift", args: { offset: value } }));
        const { view } = this;
        this.add = view.button("+ Add a hinge", () => this.added(), { name: "add", title: "Where it brings the curve closest to its target; six at most" });
        const fit = view.button("Best heights", () => view.act("fit"), {
            name: "fit", title: "The heights a and the constant c of least squared error; the knots stay where they are",
        });
        this.el = element(
            "div", {}, this.list,
            element("div", { class: "hl-last" }, element("div", { class: "dlc-row" }, this.add, fit), this.lift.el),
        );
    }

    // A labelled slider that tells the kernel; what it shows comes back with the frame.
    range(label, low, high, step, wish) {
        const id = uniqueId("hinge");
        const input = element("input", { type: "range", id, min: low, max: high, step });
        const shown = element("output", { "aria-hidden": "true" });
        const asked = new Latest(({ action, args }) => this.view.act(action, args));
        input.addEventListener("input", () => {
            shown.textContent = text(Number(input.value));
            asked.want(wish(Number(input.value)));
        }, { signal: this.view.signal });
        return {
            el: element("div", { class: "hl-range" }, element("label", { for: id }, label), input, shown),
            show(value) {
                if (asked.busy) return;
                input.value = value ?? 0;
                const words = value === null ? "none" : text(Number(value.toFixed(2)));
                shown.textContent = words;
                input.setAttribute("aria-valuetext", words);
            },
        };
    }

    row(index) {
        const { view, lab } = this;
        const name = element("span", { class: "hl-name" });
        const formula = element("span", { class: "hl-formula" });
        const knot = this.range("knot", -3, 3, KNOTS, (value) => ({ action: "move", args: { index, knot: value } }));
        const bend = this.range("bend", -6, 6, BENDS, (value) => ({ action: "move", args: { index, bend: value } }));
        const flip = view.button("⇄", () => view.act("flip", { index }), { title: "Flip: open to the other side" });
        const remove = view.button("×", () => this.removed(index), { title: "Remove" });
        flip.setAttribute("aria-label", `Flip hinge ${index + 1}`);
        remove.setAttribute("aria-label", `Remove hinge ${index + 1}`);
        const el = element(
            "div", { class: "hl-row", role: "group", "aria-label": `Hinge ${index + 1}` },
            name, formula, knot.el, bend.el, element("span", { class: "hl-buttons" }, flip, remove),
        );
        for (const kind of ["focusin", "pointerenter"]) el.addEventListener(kind, () => lab.select(index), { signal: view.signal });
        return { el, name, formula, knot, bend, remove };
    }

    async added() {
        this.lab.select(await this.view.act("add"));
    }

    async removed(index) {
        await this.view.act("remove", { index });
        const left = this.view.frame.header.hinges.length;
        (left > 0 ? this.rows[Math.min(index, left - 1)].remove : this.add).focus({ preventScroll: true });
    }

    paint(header) {
        const { hinges, offset, most } = header;
        while (this.rows.length < hinges.length) this.rows.push(this.row(this.rows.length));
        this.rows.forEach(({ el }, index) => { // the others stay where they are, and keep the focus
            if (index >= hinges.length) el.remove();
            else if (!el.parentElement) this.list.append(el);
        });
        hinges.forEach((hinge, index) => {
            const row = this.rows[index];
            row.name.textContent = index + 1;
            row.formula.textContent = hinge.formula.replaceAll("-", "−");
            row.knot.show(hinge.knot);
            row.bend.show(hinge.bend);
            row.el.classList.toggle("hl-selected", index === this.lab.selected);
            row.name.classList.toggle("hl-hollow", !bends(header, hinge));
        });
        this.lift.show(offset);
        this.add.disabled = hinges.length >= most;
    }
}
