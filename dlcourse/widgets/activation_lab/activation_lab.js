// The activation lab's view: value and slope one above the other on the left, the numbers and the chain on the right.

import { Canvas } from "../js/canvas.js";
import { element } from "../js/dom.js";
import { text } from "../js/scale.js";
import { widget } from "../js/widget.js";
import { power, product, share, short, span } from "../js/decades.js";

const WIDTH = 400, VALUE = 282, SLOPE = 216;
const MARGINS = [40, 10, 24, 8];
const TANGENT = 62; // pixels to either side of the point
const SLOPES = [-0.25, 1.25]; // all seven lie between
const KEYS = { ArrowRight: 0.1, ArrowUp: 0.1, ArrowLeft: -0.1, ArrowDown: -0.1, PageUp: 1, PageDown: -1 };

export default widget((view) => {
    const charts = new Charts(view);
    const numbers = new Numbers();
    const chain = new Chain(view);
    view.body.append(
        element("div", { class: "al-left" }, charts.legend, charts.el),
        element(
            "div", { class: "al-right" },
            element("div", {}, view.control("activation"), view.control("compare"), view.control("x"), view.control("threshold")),
            view.hideable("numbers", numbers.el),
            view.hideable("chain", chain.el),
        ),
    );
    return {
        paint(frame) {
            charts.paint(frame);
            numbers.paint(frame.header);
            chain.paint(frame.header);
        },
    };
});

// Two panels over one axis of inputs, with one point that can be dragged in both.
class Charts {
    constructor(view) {
        this.view = view;
        this.value = new Canvas(view, { label: "Value", width: WIDTH, height: VALUE, margins: MARGINS });
        this.slope = new Canvas(view, { label: "Slope", width: WIDTH, height: SLOPE, margins: [40, 10, 36, 8] });
        this.handle = element("div", {
            class: "al-handle", role: "slider", tabindex: 0, "aria-label": "Input x", "aria-valuemin": -6, "aria-valuemax": 6,
        });
        this.legend = element("p", { class: "al-legend" });
        this.el = element(
            "div", { class: "al-charts" },
            element("div", { class: "al-panel" }, this.value.el, this.handle), this.slope.el,
        );
        for (const canvas of [this.value, this.slope]) this.draggable(canvas.el, canvas);
        this.draggable(this.handle, this.value);
        this.handle.addEventListener("keydown", (event) => this.key(event), { signal: view.signal });
    }

    // The point follows the pointer sideways, from wherever in the panel it was put down.
    draggable(target, canvas) {
        const { signal } = this.view;
        const move = (event) => this.put(canvas.toData(event)[0]);
        target.addEventListener("pointerdown", (event) => {
            if (event.button !== 0) return;
            event.preventDefault();
            target.setPointerCapture(event.pointerId);
            this.handle.focus({ preventScroll: true });
            move(event);
        }, { signal });
        target.addEventListener("pointermove", (event) => {
            if (target.hasPointerCapture(event.pointerId)) move(event);
        }, { signal });
    }

    key(event) {
        const ends = { Home: -6, End: 6 };
        const x = event.key in ends ? ends[event.key] : this.view.get("x") + (KEYS[event.key] ?? NaN) * (event.shiftKey ? 0.1 : 1);
        if (Number.isNaN(x)) return;
        event.preventDefault();
        this.put(x);
    }

    put(x) {
        const rounded = Number(Math.min(Math.max(x, -6), 6).toFixed(2)) + 0;
        if (rounded !== this.view.get("x")) this.view.set("x", rounded);
    }

    paint({ header, arrays }) {
        const { palette } = this.view;
        const [low, high] = header.range;
        const both = arrays.compare_value ? [arrays.value.data, arrays.compare_value.data] : [arrays.value.data];
        this.value.extent = [low, high, ...around(both)];
        this.slope.extent = [low, high, ...SLOPES];
        const xs = Float64Array.from(arrays.value.data, (_, index) => low + ((high - low) * index) / (arrays.value.data.length - 1));
        const panel = (canvas, name, axis, extra) => canvas.draw(() => {
            canvas.axes({ xlabel: axis, xticks: 6, yticks: 4 });
            this.bands(canvas, header.bands);
            this.zero(canvas);
            const other = arrays[`compare_${name}`];
            if (other) canvas.curve(xs, other.data, { colour: palette.lines[1], width: 2, dash: [7, 5] });
            canvas.curve(xs, arrays[name].data, { colour: palette.lines[0], width: 2.8 });
            extra();
            this.title(canvas, name === "value" ? "value  f(x)" : "slope  f ′(x)");
            this.dot(canvas, header.x, header[name]);
        });
        panel(this.value, "value", "", () => this.tangent(header));
        panel(this.slope, "slope", "x", () => this.threshold(header.threshold));
        this.place(header);
        this.name(header);
    }

    bands(canvas, bands) {
        const { ctx, box, palette } = canvas;
        ctx.fillStyle = palette.dark ? "rgba(255, 255, 255, 0.11)" : "rgba(90, 90, 90, 0.15)";
        for (const [low, high] of bands) {
            const [left] = canvas.toPixel(low, 0), [right] = canvas.toPixel(high, 0);
            ctx.fillRect(left, box.y, Math.max(right - left, 1), box.height);
        }
    }

    zero(canvas) {
        const { extent, palette } = canvas;
        canvas.curve([extent[0], extent[1]], [0, 0], { colour: palette.quiet, width: 1 });
        canvas.curve([0, 0], [extent[2], extent[3]], { colour: palette.quiet, width: 1 });
    }

    threshold(size) {
        const [low, high] = this.slope.extent;
        for (const level of [size, -size]) {
            this.slope.curve([low, high], [level, level], { colour: this.view.palette.quiet, width: 1, dash: [2, 3] });
        }
    }

    tangent({ x, value, slope }) {
        const [[x0, y0], [x1, y1]] = [this.value.toPixel(x, value), this.value.toPixel(x + 1, value + slope)];
        const reach = TANGENT / Math.hypot(x1 - x0, y1 - y0);
        const ends = [x - reach, x + reach];
        this.value.curve(ends, ends.map((at) => value + slope * (at - x)), { colour: this.view.palette.ink, width: 2 });
    }

    dot(canvas, x, y) {
        const { ctx, palette, extent } = canvas;
        canvas.curve([x, x], [extent[2], extent[3]], { colour: palette.ink, width: 1, dash: [1, 4] });
        ctx.beginPath();
        ctx.arc(...canvas.toPixel(x, y), 7, 0, 2 * Math.PI);
        Object.assign(ctx, { fillStyle: palette.lines[0], strokeStyle: palette.panel, lineWidth: 2.5 });
        ctx.fill();
        ctx.stroke();
    }

    title(canvas, words) {
        const { ctx, box, palette } = canvas;
        Object.assign(ctx, { textAlign: "left", textBaseline: "top", fillStyle: palette.ink });
        ctx.fillText(words, box.x + 8, box.y + 7);
    }

    place({ x, value, slope }) {
        const [left, top] = this.value.toPixel(x, value);
        this.handle.style.left = `${(100 * left) / WIDTH}%`;
        this.handle.style.top = `${(100 * top) / VALUE}%`;
        this.handle.setAttribute("aria-valuenow", x);
        this.handle.setAttribute("aria-valuetext", `${text(x)}: value ${text(value)}, slope ${text(slope)}`);
    }

    name(header) {
        this.value.label(`Value over the input x. ${header.description}`);
        this.slope.label(`Slope over the input x, shaded ${header.where}. ${header.say}`);
        const item = (kind, words) => element("span", {}, element("span", { class: `al-mark al-${kind}`, "aria-hidden": "true" }), words);
        const percent = `${Math.round(100 * header.share)} %`;
        const shaded = header.bands.length ? `${header.where}, ${percent} of the range` : "nowhere";
        this.legend.replaceChildren(
            item("chosen", header.title),
            ...(header.compare === "none" ? [] : [item("compared", header.compare_title)]),
            item("band", `|slope| < ${text(header.threshold)}: ${shaded}`),
        );
    }
}

// Bottom and top of a panel: all of the curves, and a little air.
function around(curves) {
    const lows = curves.map((curve) => Math.min(...curve)), highs = curves.map((curve) => Math.max(...curve));
    const low = Math.min(...lows), high = Math.max(...highs);
    return [Math.min(low, -0.3) - 0.13 * (high - low), high + 0.15 * (high - low)];
}

// f(x) and f'(x), large, and what is special here.
class Numbers {
    constructor() {
        this.cells = ["f", "f ′"].map((symbol) => {
            const name = element("span", { class: "al-symbol" });
            const digits = element("span", { class: "al-digits" });
            return { symbol, name, digits, el: element("div", {}, name, digits) };
        });
        this.note = element("p", { class: "al-note" });
        this.el = element("div", { class: "al-numbers" }, ...this.cells.map((cell) => cell.el), this.note);
    }

    paint({ x, value, slope, saturated, note }) {
        [value, slope].forEach((number, index) => {
            this.cells[index].name.textContent = `${this.cells[index].symbol}(${text(x)}) =`;
            this.cells[index].digits.textContent = short(number);
        });
        this.note.textContent = note || (saturated ? "Saturated here: hardly any slope gets through." : "");
    }
}

// What is left of a slope of 1 after several bends in a row, for all seven, the most first.
class Chain {
    constructor(view) {
        this.view = view;
        this.rows = new Map();
        this.heading = element("h4", { class: "al-heading" });
        this.factors = element("p", { class: "al-factors" });
        this.list = element("ol", { class: "al-bars" });
        this.axis = element("div", { class: "al-axis", "aria-hidden": "true" });
        this.terms = element("p", { class: "al-terms" });
        this.el = element(
            "div", { class: "al-chain" },
            this.heading, view.control("layers"), this.factors, this.list, this.axis, this.terms,
        );
    }

    row(name, title) {
        const bar = element("span", { class: "al-bar" });
        const digits = element("span", { class: "al-left-over" });
        const button = this.view.button(title, () => this.view.set("activation", name), { title: `Look at ${title}`, pressed: false });
        button.classList.add("al-pick");
        const el = element("li", {}, button, element("span", { class: "al-track", "aria-hidden": "true" }, bar), digits);
        return { el, bar, digits, button };
    }

    paint({ ranking, layers, factors, activation, compare, title, x }) {
        this.heading.textContent = layers === 1 ? "What one bend leaves of a slope of 1" : `What ${layers} bends in a row leave of a slope of 1`;
        const left = ranking.find((item) => item.name === activation).slope;
        this.factors.textContent = `${title}: ${product(factors)}${layers > 1 ? ` = ${short(left)}` : ""}`;
        const decades = span(ranking.map((item) => Math.abs(item.slope)));
        this.list.style.setProperty("--al-decades", decades);
        for (const { name, title: words, slope } of ranking) {
            if (!this.rows.has(name)) this.rows.set(name, this.row(name, words));
            const { el, bar, digits, button } = this.rows.get(name);
            bar.style.width = `${100 * share(Math.abs(slope), decades)}%`;
            digits.textContent = short(slope);
            button.setAttribute("aria-pressed", String(name === activation));
            el.classList.toggle("al-is-chosen", name === activation);
            el.classList.toggle("al-is-compared", name === compare);
        }
        this.sort(ranking.map((item) => this.rows.get(item.name).el));
        const middle = decades % 2 ? [] : [power(-decades / 2)];
        const ends = [power(-decades), ...middle, power(0)];
        this.terms.textContent = `Weights 1, biases 0, first input ${text(x)}. A mark: a factor of ten.`;
        this.axis.replaceChildren(...ends.map((words) => element("span", {}, words)));
    }

    // Rows change places only when the ranking does; the one that has the focus keeps it.
    sort(rows) {
        if (rows.every((row, index) => row === this.list.children[index])) return;
        const focused = this.list.contains(document.activeElement) ? document.activeElement : null;
        this.list.replaceChildren(...rows);
        focused?.focus({ preventScroll: true });
    }
}
