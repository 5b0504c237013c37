// The two maps, activations and gradients, and the share of silent units, all over one axis of layers; and the layer
// that is picked in them, by mouse or keys.

import { power } from "../js/decades.js";
import { Canvas } from "../js/canvas.js";
import { element } from "../js/dom.js";
import { figure, percent, rows, wholes } from "./numbers.js";

const HEIGHT = 352;
const BOTTOM = 38, TOP = 26;
const ZERO = 12, GAP = 6; // pixels: the column of exact zeros, and what sets it apart
const TITLES = { "dead units": "dead units", "saturated outputs": "saturated", "dead or saturated": "dead, sat." };
const KEYS = { ArrowUp: 1, ArrowRight: 1, ArrowDown: -1, ArrowLeft: -1, PageUp: 5, PageDown: -5, Home: -Infinity, End: Infinity };

export class Panels {
    constructor(view) {
        this.view = view;
        this.values = new Canvas(view, { label: "Activations", width: 246, height: HEIGHT, margins: [42 + ZERO + GAP, 10, BOTTOM, TOP] });
        this.gradient = new Canvas(view, { label: "Gradients", width: 216, height: HEIGHT, margins: [8 + ZERO + GAP, 10, BOTTOM, TOP] });
        this.silent = new Canvas(view, { label: "Silent units", width: 106, height: HEIGHT, margins: [6, 16, BOTTOM, TOP] });
        this.handle = element("div", {
            class: "id-handle", role: "slider", tabindex: 0, "aria-label": "Layer shown large", "aria-valuemin": 1, "aria-orientation": "vertical",
        });
        const panel = (canvas, ...more) => element("div", { class: "id-panel" }, canvas.el, ...more);
        this.side = panel(this.silent);
        this.legend = element("p", { class: "id-legend" });
        this.el = element(
            "div", { class: "id-maps" },
            element("div", { class: "id-row" }, panel(this.values, this.handle), panel(this.gradient), this.side), this.legend,
        );
        for (const canvas of [this.values, this.gradient, this.silent]) this.pickable(canvas.el, canvas);
        this.pickable(this.handle, this.values);
        this.handle.addEventListener("keydown", (event) => this.key(event), { signal: view.signal });
    }

    pickable(target, canvas) {
        const { signal } = this.view;
        const move = (event) => this.pick(Math.round(canvas.toData(event)[1]));
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
        if (!(event.key in KEYS)) return;
        event.preventDefault();
        this.pick(this.view.get("layer") + KEYS[event.key]);
    }

    pick(layer) {
        const count = this.view.frame?.header.layers ?? 1;
        const chosen = Math.min(Math.max(layer, 1), count);
        if (chosen !== this.view.get("layer")) this.view.set("layer", chosen);
    }

    paint({ header, arrays }) {
        const { layers, layer, silent, axes } = header;
        const table = rows(arrays.layers, header.columns);
        this.map(this.values, "values", "activations", header, arrays, table);
        this.map(this.gradient, "gradient", "gradient that arrives", header, arrays, table);
        this.side.hidden = silent === null;
        if (silent !== null) this.bars(header, table);
        this.place(layers, layer, table);
        this.words(axes?.show, table);
        const what = header.hidden ? "hidden until the question is answered" : header.say;
        this.values.label(`How the activations of ${layers} hidden layers are distributed, layer 1 at the bottom: ${what}`);
        this.gradient.label(`How the gradients that arrive at ${layers} hidden layers are distributed, layer 1 at the bottom: ${what}`);
    }

    map(canvas, name, title, header, arrays, table) {
        const { ctx, box, palette } = canvas;
        const [low, high] = header.axes?.[name] ?? [0, 1];
        const shown = arrays[name];
        canvas.extent = [low, high, 0.5, header.layers + 0.5];
        canvas.draw(() => {
            const zero = { ...box, x: box.x - ZERO - GAP, width: ZERO };
            Object.assign(ctx, { fillStyle: palette.panel });
            ctx.fillRect(zero.x, box.y, box.x + box.width - zero.x, box.height);
            if (shown) this.field(canvas, name, shown, zero);
            this.frame(canvas, title, header, zero);
            if (shown) {
                this.scale(canvas, header.axes, name, zero);
                if (header.axes.show === "size") this.lines(canvas, name, table);
            } else {
                this.veil(canvas);
            }
            if (shown) this.picked(canvas, header.layer, zero.x);
        });
    }

    field(canvas, name, { data, shape: [count, width] }, zero) {
        const { palette } = canvas;
        const stops = [palette.panel, palette.field[name === "values" ? 0 : 2]];
        const zeros = new Uint8Array(count), rest = new Uint8Array(count * (width - 1));
        for (let row = 0; row < count; row += 1) {
            zeros[row] = data[row * width];
            rest.set(data.subarray(row * width + 1, (row + 1) * width), row * (width - 1));
        }
        canvas.field(rest, [count, width - 1], { stops, smooth: false });
        canvas.field(zeros, [count, 1], { stops, smooth: false, box: zero, name: "zeros" });
    }

    // The title, a thin frame, and the ticks of the layers.
    frame(canvas, title, { layers }, zero) {
        const { ctx, box, palette } = canvas;
        Object.assign(ctx, { strokeStyle: palette.grid, lineWidth: 1, fillStyle: palette.ink, textBaseline: "middle" });
        ctx.strokeRect(box.x, box.y, box.width, box.height);
        if (zero) ctx.strokeRect(zero.x, zero.y, zero.width, zero.height);
        ctx.save();
        Object.assign(ctx, { textAlign: "left", font: ctx.font.replace("12px", "600 13px") });
        ctx.fillText(title, (zero ?? box).x, 11);
        ctx.restore();
        if (canvas !== this.values) return;
        ctx.textAlign = "right";
        for (const layer of wholes(1, layers, 7)) {
            const [, y] = canvas.toPixel(0, layer);
            ctx.fillText(layer, zero.x - 14, y);
        }
        ctx.save();
        Object.assign(ctx, { fillStyle: palette.quiet, textAlign: "center" });
        ctx.translate(9, box.y + box.height / 2);
        ctx.rotate(-Math.PI / 2);
        ctx.fillText("hidden layer", 0, 0);
        ctx.restore();
    }

    scale(canvas, { show }, name, zero) {
        const { ctx, box, palette, extent: [low, high] } = canvas;
        const size = show === "size";
        Object.assign(ctx, { fillStyle: palette.ink, strokeStyle: palette.quiet, textAlign: "center", textBaseline: "top" });
        for (const at of wholes(low, high, 5)) {
            const [x] = canvas.toPixel(at, 0);
            if (x - box.x < 12) continue; // no room beside the "0" of the first column
            ctx.beginPath();
            ctx.moveTo(x, box.y + box.height);
            ctx.lineTo(x, box.y + box.height + 4);
            ctx.stroke();
            const words = size ? power(at) : String(at).replace("-", "−"), half = ctx.measureText(words).width / 2;
            ctx.fillText(words, Math.min(x, canvas.width - half - 1), box.y + box.height + 6);
        }
        ctx.fillText("= 0", zero.x + ZERO / 2, box.y + box.height + 6);
        ctx.fillStyle = palette.quiet;
        ctx.fillText(size ? "size |value|" : "value / its layer's size", box.x + box.width / 2, canvas.height - 14);
    }

    // Standard deviations: predicted, between examples, measured.
    lines(canvas, name, table) {
        const { ctx, palette } = canvas;
        const values = name === "values", prefix = values ? "" : "grad_";
        const layers = table.map((_, index) => index + 1);
        const log = (column) => table.map((row) => (row[column] > 0 ? Math.log10(row[column]) : NaN));
        const draw = (xs, look) => this.line(canvas, xs, layers, look);
        const theory = log(`predicted_${prefix}std`);
        draw(theory, { colour: palette.panel, width: 5 });
        draw(theory, { colour: palette.lines[values ? 1 : 0], width: 2.6, dash: [7, 4] });
        if (values) draw(log("between"), { colour: palette.ink, width: 1.6, dash: [2, 4] });
        const measured = log(`${prefix}std`);
        draw(measured, { colour: palette.ink, width: 1.5 });
        ctx.fillStyle = palette.ink;
        measured.forEach((x, index) => {
            if (!Number.isFinite(x)) return;
            ctx.beginPath();
            ctx.arc(...canvas.toPixel(x, index + 1), table.length > 30 ? 1.8 : 2.4, 0, 2 * Math.PI);
            ctx.fill();
        });
    }

    // As canvas.curve, but a gap where the *first* coordinate is no number.
    line(canvas, xs, ys, { colour, width, dash = [] }) {
        const { ctx, box } = canvas;
        ctx.save();
        ctx.beginPath();
        ctx.rect(box.x, box.y, box.width, box.height);
        ctx.clip();
        Object.assign(ctx, { strokeStyle: colour, lineWidth: width });
        ctx.setLineDash(dash);
        ctx.beginPath();
        let pen = false;
        xs.forEach((x, index) => {
            const there = Number.isFinite(x);
            if (there) ctx[pen ? "lineTo" : "moveTo"](...canvas.toPixel(x, ys[index]));
            pen = there;
        });
        ctx.stroke();
        ctx.restore();
    }

    veil(canvas) {
        const { ctx, box, palette } = canvas;
        Object.assign(ctx, { fillStyle: palette.quiet, textAlign: "center", textBaseline: "middle" });
        ctx.save();
        ctx.font = ctx.font.replace("12px", "64px");
        ctx.fillText("?", box.x + box.width / 2, box.y + box.height / 2);
        ctx.restore();
    }

    picked(canvas, layer, left) {
        const { ctx, box, palette } = canvas;
        const [, top] = canvas.toPixel(0, layer + 0.5), [, bottom] = canvas.toPixel(0, layer - 0.5);
        const least = Math.max(bottom - top, 7), middle = (top + bottom) / 2;
        ctx.save();
        Object.assign(ctx, { strokeStyle: palette.ink, lineWidth: 1.6 });
        ctx.strokeRect(left - 1.5, middle - least / 2, box.x + box.width - left + 3, least);
        ctx.restore();
    }

    bars(header, table) {
        const canvas = this.silent, { ctx, box, palette } = canvas;
        canvas.extent = [0, 1, 0.5, header.layers + 0.5];
        canvas.draw(() => {
            ctx.fillStyle = palette.panel;
            ctx.fillRect(box.x, box.y, box.width, box.height);
            this.frame(canvas, TITLES[header.silent], header, null);
            if (header.hidden) this.veil(canvas);
            const thick = Math.max(1, (box.height / header.layers) * 0.72);
            ctx.fillStyle = palette.quiet;
            table.forEach((row, index) => {
                if (!(row.silent > 0)) return;
                const [x, y] = canvas.toPixel(row.silent, index + 1);
                ctx.fillRect(box.x, y - thick / 2, Math.max(x - box.x, 1), thick);
            });
            Object.assign(ctx, { fillStyle: palette.ink, textAlign: "center", textBaseline: "top" });
            for (const [share, words] of [[0, "0"], [0.5, "50"], [1, "100 %"]]) {
                ctx.fillText(words, Math.min(canvas.toPixel(share, 0)[0], canvas.width - 20), box.y + box.height + 6);
            }
            if (!header.hidden) this.picked(canvas, header.layer, box.x);
        });
        const shares = table.map((row) => row.silent ?? 0);
        canvas.label(header.hidden ? "Hidden until the question is answered" : `Share of ${header.silent} per layer, from ${percent(Math.min(...shares))} to ${percent(Math.max(...shares))}`);
    }

    place(layers, layer, table) {
        const [left, top] = this.values.toPixel(this.values.extent[0], layer);
        this.handle.style.left = `${(100 * (left - ZERO - GAP - 2)) / this.values.width}%`;
        this.handle.style.top = `${(100 * top) / HEIGHT}%`;
        this.handle.setAttribute("aria-valuemax", layers);
        this.handle.setAttribute("aria-valuenow", layer);
        const row = table[layer - 1];
        const numbers = row ? `: activations ${figure(row.std)}, gradient ${figure(row.grad_std)}` : "";
        this.handle.setAttribute("aria-valuetext", `layer ${layer} of ${layers}${numbers}`);
    }

    words(show, table) {
        const key = `${show} ${table.some((row) => row.predicted_std !== null)}`;
        if (this.legend.dataset.key === key) return;
        this.legend.dataset.key = key;
        const item = (kind, words) => element("span", {}, element("span", { class: `id-mark id-${kind}`, "aria-hidden": "true" }), words);
        if (show === "size") {
            const theory = key.endsWith("true") ? [item("theory", "predicted for very wide layers")] : [];
            this.legend.replaceChildren(item("std", "standard deviation"), ...theory, item("between", "between examples"));
        } else {
            this.legend.replaceChildren(...(show ? [element("span", {}, "Each row in units of its own size, the root of its mean square. = 0: exact zeros.")] : []));
        }
    }
}
