// The neuron lab's view: the map with its line, arrow and points on the left; the numbers, the score, the rules beside it.

import { Canvas } from "../js/canvas.js";
import { element } from "../js/dom.js";
import { Latest } from "../js/latest.js";
import { widget } from "../js/widget.js";
import { arrow, distanceToLine, dragLine, dragTip, fixed, foot, lineEnds, middle, nearest, tidy, turnTip } from "./geometry.js";

const WIDTH = 400, HEIGHT = 392; // the box inside is square
const TURN = Math.PI / 36; // an arrow key turns by five degrees
const NEAR_POINT = 11, NEAR_LINE = 9; // pixels

export default widget((view) => {
    const map = new Chart(view);
    const score = new Score();
    const sum = new Sum(view);
    const note = element("p", { class: "nl-note" });
    const rules = element(
        "div", { class: "nl-rules" },
        element("div", { class: "dlc-row" },
            view.button("Perceptron: one mistake", () => view.act("perceptron"), {
                name: "perceptron", title: "Add the next wrong point to the weights, or take it away",
            }),
            view.button("Descend: one step", () => view.act("descend"), {
                name: "descend", title: "One step down the slope of the loss",
            }),
        ),
        element("div", { class: "nl-pair" }, view.control("rule"), view.control("pace")),
        view.control("lr"),
    );
    const draw = view.control("seed");
    const problem = element(
        "div", { class: "nl-problem" },
        element("div", { class: "nl-pair" }, view.control("data"), view.control("output")),
        draw,
    );
    const numbers = element(
        "div", { class: "nl-numbers" },
        view.control("weight1"), view.control("weight2"), view.control("bias"),
        element("div", { class: "dlc-row" },
            view.button("Louder: × 3", () => view.act("louder"), {
                name: "louder", title: "Weights and bias times three: the same decisions, bigger scores",
            }),
            view.button("All zeros", () => view.act("zeros"), { name: "zeros", title: "Where both rules usually begin" }),
        ),
    );
    view.body.append(
        element("div", { class: "nl-left" }, map.el, view.hideable("points", legend())),
        element("div", { class: "nl-right" },
            view.hideable("score", score.el), view.hideable("numbers", numbers), view.hideable("rules", rules), problem,
        ),
        element("div", { class: "nl-below" }, view.hideable("equation", sum.el), note),
    );
    return {
        paint(frame) {
            if (!frame.header.own) problem.querySelector('option[value="own"]')?.remove();
            map.paint(frame);
            score.paint(frame.header);
            sum.paint(frame.header);
            note.textContent = frame.header.note.replace(/-(?=\d)/g, "−");
            draw.hidden = !frame.header.drawn;
        },
    };
});

// The shapes of the points, named.
function legend() {
    const item = (shape, words) => element("span", {}, element("span", { class: `nl-mark nl-${shape}`, "aria-hidden": "true" }), words);
    return element("p", { class: "nl-legend" }, item("zero", "no"), item("one", "yes"), item("wrong", "wrong"));
}

// How many are wrong, the best so far, the loss.
class Score {
    constructor() {
        this.errors = element("span", { class: "nl-errors" });
        this.of = element("span", { class: "nl-of" });
        this.best = element("span");
        this.loss = element("span");
        this.el = element(
            "div", { class: "nl-score" },
            element("div", {}, this.errors, this.of),
            element("div", { class: "nl-small" }, this.best, this.loss),
        );
    }

    paint({ errors, total, best, loss }) {
        this.errors.textContent = errors;
        this.of.textContent = ` of ${total} wrong`;
        this.best.textContent = `best so far: ${best} of ${total}`;
        this.loss.textContent = `mean loss ${fixed(loss, 3)}`;
        this.el.classList.toggle("nl-none", errors === 0);
    }
}

// The score of the selected point, written out: symbols, numbers, products, and a bar for each.
class Sum {
    constructor() {
        this.title = element("p", { class: "nl-who" });
        this.cells = ["w₁ x₁", "w₂ x₂", "b", "z"].map((symbol) => {
            const cell = { numbers: element("span", { class: "nl-digits" }), bar: element("span", { class: "nl-bar" }) };
            cell.el = element("span", { class: "nl-term" }, element("span", { class: "nl-symbol" }, symbol), cell.numbers,
                element("span", { class: "nl-track", "aria-hidden": "true" }, cell.bar));
            return cell;
        });
        const signs = ["+", "+", "="].map((sign) => element("span", { class: "nl-sign" }, sign));
        const row = this.cells.flatMap((cell, index) => (index < 3 ? [cell.el, signs[index]] : [cell.el]));
        this.row = element("div", { class: "nl-sum" }, ...row);
        this.el = element("div", { class: "nl-equation" }, this.title, this.row);
    }

    paint({ selected, weight, bias, total }) {
        this.row.hidden = !selected;
        if (!selected) {
            this.title.textContent = "Click a point: its score is written out here.";
            return;
        }
        const { index, x, label, parts, z, p, wrong } = selected;
        const should = label ? "yes ▲" : "no ●";
        const verdict = wrong ? (z === 0 ? "on the line: wrong" : "wrong") : "right";
        this.title.textContent = `Point ${index + 1} of ${total} should be a ${should}. It scores z = ${fixed(z)}, probability ${fixed(p, 3)} of yes: ${verdict}.`;
        const numbers = [
            `${fixed(weight[0])} · ${bracketed(x[0])}`, `${bracketed(weight[1])} · ${bracketed(x[1])}`, bracketed(bias), fixed(z),
        ];
        const values = [...parts, z];
        const largest = Math.max(...values.map(Math.abs), 1e-9);
        this.cells.forEach(({ numbers: shown, bar, el }, at) => {
            shown.textContent = numbers[at];
            el.title = fixed(values[at]);
            const share = values[at] / largest;
            bar.style.width = `${50 * Math.abs(share)}%`;
            bar.style.left = share < 0 ? `${50 - 50 * Math.abs(share)}%` : "50%";
            bar.classList.toggle("nl-minus", share < 0);
        });
    }
}

function bracketed(value) {
    return value < 0 ? `(${fixed(value)})` : fixed(value);
}

// The map. Its handles are elements above the canvas: they can be dragged, focused, and moved with the arrow keys.
class Chart {
    constructor(view) {
        this.view = view;
        this.canvas = new Canvas(view, { label: "Map of the neuron's answers", width: WIDTH, height: HEIGHT, margins: [46, 10, 38, 10] });
        this.tip = this.handle("nl-tip", "Arrow of the weights: left and right turn it, up and down stretch it");
        this.line = this.handle("nl-line", "Line: the arrow keys slide it, by the bias");
        this.point = this.handle("nl-point", "Selected point: the arrow keys choose another");
        this.el = element("div", { class: "nl-map" }, this.canvas.el, this.point, this.line, this.tip);
        this.wish = null; // the neuron that the hand wants, while the kernel is on its way there
        this.aims = new Latest((args) => view.act("aim", args));
        this.held = null; // what is being dragged
        this.listen();
    }

    handle(kind, words) {
        return element("div", { class: `nl-handle ${kind}`, role: "slider", tabindex: 0, "aria-label": words });
    }

    listen() {
        const { signal } = this.view;
        const on = (target, kind, then) => target.addEventListener(kind, then, { signal });
        on(this.el, "pointerdown", (event) => this.take(event));
        on(this.el, "pointermove", (event) => this.drag(event));
        for (const kind of ["pointerup", "pointercancel", "lostpointercapture"]) on(this.el, kind, () => this.release());
        on(this.tip, "keydown", (event) => this.key(event, (across, up, fine) => {
            this.want(turnTip(this.grip(), (-across * TURN) / fine, 1.1 ** (up / fine)));
        }));
        on(this.line, "keydown", (event) => this.key(event, (across, up, fine) => this.want(this.slid((across + up) / (10 * fine)))));
        on(this.point, "keydown", (event) => this.key(event, (across, up) => {
            const { selected, total } = this.frame.header;
            this.chosen = ((this.chosen ?? selected?.index ?? -1) + across - up + total) % total;
            const index = this.chosen;
            this.view.act("select", { index }).catch(() => {}).finally(() => {
                if (this.chosen === index) this.chosen = null; // else a later key has moved on already
            });
        }));
    }

    // The newest frame, even if it is painted only with the next screen frame: a fast key builds on the one before.
    get frame() {
        return this.view.frame;
    }

    // The arrow keys as steps (across, up); with Shift five times finer.
    key(event, then) {
        const steps = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
        if (!steps || !this.frame) return;
        event.preventDefault();
        then(...steps, event.shiftKey ? 5 : 1);
    }

    // The neuron as it was last wished for, else as it is.
    get neuron() {
        const { weight, bias } = this.frame.header;
        return this.aims.busy ? this.wish : { weight, bias };
    }

    grip() {
        const { weight, bias } = this.neuron;
        const { extent } = this.frame.header;
        const pivot = foot(weight, bias, middle(extent));
        return { ...arrow(weight, bias, extent), weight, bias, pivot, width: extent[1] - extent[0] };
    }

    slid(by) {
        const { weight, bias } = this.neuron;
        return { weight1: weight[0], weight2: weight[1], bias: tidy(bias + by) };
    }

    take(event) {
        if (event.button !== 0 || !this.frame) return;
        const place = this.canvas.toData(event);
        const what = this.under(event, place);
        if (!what) return;
        if (what === "point") {
            this.view.act("select", { index: nearest(this.frame.arrays.points.data, place)[0] }).catch(() => {});
            this.point.focus({ preventScroll: true });
        } else {
            if (this.view.session.playing) this.view.session.play(false); // no tug-of-war with the rule
            this.held = { what, place, ...this.grip() };
            this.el.setPointerCapture(event.pointerId);
            (what === "tip" ? this.tip : this.line).focus({ preventScroll: true });
        }
        event.preventDefault();
    }

    under(event, place) {
        if (event.target === this.tip) return "tip";
        const [left, right] = this.frame.header.extent;
        const pixels = this.canvas.el.getBoundingClientRect().width / WIDTH * this.canvas.box.width / (right - left);
        const { weight, bias } = this.frame.header;
        if (event.target === this.line) return "line";
        if (nearest(this.frame.arrays.points.data, place)[1] * pixels < NEAR_POINT) return "point";
        return distanceToLine(weight, bias, place) * pixels < NEAR_LINE ? "line" : null;
    }

    drag(event) {
        if (!this.held) {
            if (this.frame) this.el.classList.toggle("nl-can-slide", this.under(event, this.canvas.toData(event)) === "line");
            return;
        }
        const [x, y] = this.canvas.toData(event);
        const [dx, dy] = [x - this.held.place[0], y - this.held.place[1]];
        const { what, weight, bias } = this.held;
        if (what === "tip") this.want(dragTip(this.held, dx, dy));
        else this.want({ weight1: weight[0], weight2: weight[1], bias: dragLine(weight, bias, dx, dy) });
    }

    release() {
        this.held = null;
        if (this.frame) this.paint(this.frame);
    }

    want(neuron) {
        if (!neuron) return;
        this.wish = { weight: [neuron.weight1, neuron.weight2], bias: neuron.bias };
        this.aims.want(neuron);
    }

    paint(frame) {
        const { canvas } = this;
        const { weight, bias, extent, selected } = frame.header;
        canvas.extent = extent;
        const drawn = arrow(weight, bias, extent, this.held?.what === "tip" ? this.held.pivot : undefined);
        const ends = lineEnds(weight, bias, extent);
        canvas.draw((ctx) => {
            canvas.axes({ xlabel: "x₁", ylabel: "x₂", yticks: 5 });
            ctx.save();
            const { x, y, width, height } = canvas.box;
            ctx.beginPath();
            ctx.roundRect(x, y, width, height, 4);
            ctx.clip();
            canvas.field(frame.arrays.field.data, frame.arrays.field.shape);
            if (ends) this.stroke(ctx, ...ends);
            this.points(ctx, frame);
            if (drawn.size > 0) this.drawArrow(drawn);
            ctx.restore();
        });
        canvas.label(`Map of the neuron's answers over x₁ and x₂. ${frame.header.say}`);
        this.place(this.tip, drawn.to);
        this.place(this.line, drawn.from);
        this.line.hidden = drawn.size === 0;
        this.tip.classList.toggle("nl-nothing", drawn.size === 0); // no arrow to see: show where to pull one out
        this.point.hidden = !selected;
        if (selected) this.place(this.point, selected.x);
        this.tell(frame.header, drawn);
    }

    stroke(ctx, from, to) {
        ctx.beginPath();
        ctx.moveTo(...this.canvas.toPixel(...from));
        ctx.lineTo(...this.canvas.toPixel(...to));
        Object.assign(ctx, { strokeStyle: this.view.palette.ink, lineWidth: 2 });
        ctx.stroke();
    }

    points(ctx, frame) {
        const { data } = frame.arrays.points;
        const size = data.length > 800 ? 3.6 : 5;
        const { palette } = this.view;
        for (let at = 0; at < data.length; at += 4) {
            const [x, y, label, wrong] = data.subarray(at, at + 4);
            this.canvas.point(x, y, label, { size });
            if (wrong) ring(ctx, this.canvas.toPixel(x, y), size + 4.5, palette.wrong, 1.6);
        }
    }

    drawArrow({ from, to, more }) {
        const { palette } = this.view;
        this.canvas.arrow(...from, ...to, { colour: palette.panel, width: 6 });
        this.canvas.arrow(...from, ...to, { colour: palette.ink, width: 3 });
        this.name(from, to);
        if (!more) return;
        const [dx, dy] = [to[0] - from[0], to[1] - from[1]];
        this.canvas.arrow(...from, from[0] + 0.9 * dx, from[1] + 0.9 * dy, { colour: palette.ink, width: 3 }); // a second head: longer than drawn
    }

    // Its name, beside its tip.
    name(from, to) {
        const { ctx } = this.canvas;
        const [x0, y0] = this.canvas.toPixel(...from), [x1, y1] = this.canvas.toPixel(...to);
        const length = Math.hypot(x1 - x0, y1 - y0) || 1;
        const [x, y] = [x1 - (15 * (y1 - y0)) / length, y1 + (15 * (x1 - x0)) / length];
        Object.assign(ctx, { font: "italic bold 15px serif", textAlign: "center", textBaseline: "middle", lineJoin: "round" });
        Object.assign(ctx, { strokeStyle: this.view.palette.panel, lineWidth: 3.5, fillStyle: this.view.palette.ink });
        ctx.strokeText("w", x, y);
        ctx.fillText("w", x, y);
    }

    place(handle, at) {
        const [x, y] = this.canvas.toPixel(...at);
        handle.style.left = `${(100 * x) / WIDTH}%`;
        handle.style.top = `${(100 * y) / HEIGHT}%`;
    }

    // What a screen reader hears of the handles.
    tell({ weight, bias, selected, total }, { size }) {
        const angle = Math.round((Math.atan2(weight[1], weight[0]) * 180) / Math.PI);
        speak(this.tip, angle, -180, 180, `direction ${angle} degrees, length ${fixed(size)}`);
        speak(this.line, tidy(bias), -5, 5, `bias ${fixed(bias)}`);
        if (!selected) return;
        const { index, x, label, z, wrong } = selected;
        const place = x.map((value) => fixed(value)).join(", ");
        const words = `point ${index + 1} of ${total}, at ${place}, should be a ${label ? "yes" : "no"}, scores ${fixed(z)}, ${wrong ? "wrong" : "right"}`;
        speak(this.point, index + 1, 1, total, words);
    }
}

function speak(handle, now, low, high, words) {
    const said = { "aria-valuenow": now, "aria-valuemin": Math.min(low, now), "aria-valuemax": Math.max(high, now), "aria-valuetext": words };
    for (const [name, value] of Object.entries(said)) handle.setAttribute(name, value);
}

function ring(ctx, [x, y], radius, colour, width) {
    ctx.beginPath();
    ctx.arc(x, y, radius, 0, 2 * Math.PI);
    Object.assign(ctx, { strokeStyle: colour, lineWidth: width });
    ctx.stroke();
}
