// The map of gradient flow: steps back across, the dial (an RNN's radius, a gate's bias) upwards, the current setting marked.

import { ticks } from "../js/scale.js";
import { quantised } from "./field.js";
import { element } from "../js/dom.js";
import { DECADES, clamp, every, figure, fromLog, nearest, typeset } from "./numbers.js";
import { Fitting, handle, place, said } from "./panel.js";
import { frame, line } from "./states.js";

const KEYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowDown: [0, -1], ArrowUp: [0, 1], Home: [-1e6, 0], End: [1e6, 0], PageUp: [0, 4], PageDown: [0, -4] };

export class Chart {
    constructor(view) {
        this.view = view;
        this.at = null; // [steps back, row]: what is read
        this.it = new Fitting(view, { label: "Map", width: 320, height: 230, margins: [46, 6, 38, 6] });
        this.handle = handle(view, this.it, "A place of the map", "ru-cross", {
            keys: (key) => this.key(key), pick: (x, y) => this.go(Math.round(x), nearest(this.view.frame.header.chart.settings, y)),
        });
        this.words = element("p", { class: "ru-read", "aria-live": "off" });
        this.legend = element("p", { class: "ru-note" });
        this.why = element("p", { class: "ru-note" });
        this.use = view.button("Set it", () => this.take(), { title: "Give the cell this setting" });
        this.there = element("div", {}, this.it.el, element("div", { class: "dlc-row" }, this.words, this.use), this.legend);
        this.title = element("h4");
        this.el = element("section", { class: "ru-section ru-map" }, this.title, this.there, this.why);
    }

    key(key) {
        if (key === "Enter") return this.take();
        if (!(key in KEYS)) return false;
        const [across, up] = KEYS[key];
        return this.go(this.at[0] + across, this.at[1] + up);
    }

    go(back, row) {
        const { chart, run } = this.view.frame.header;
        this.at = [clamp(back, 0, run.last - 1), clamp(row, 0, chart.settings.length - 1)];
        this.paint(this.view.frame);
    }

    take() {
        const { chart, kind } = this.view.frame.header;
        if (!chart?.sets) return;
        const value = chart.settings[this.at[1]];
        if (kind === "rnn") this.view.set("radius", value);
        else {
            this.view.set("start", "forget_bias");
            this.view.set("bias", value);
        }
    }

    paint({ header, arrays }) {
        const { chart, no_chart: why, run, kind } = header;
        this.title.textContent = kind === "rnn" ? "Other radii" : "Other biases";
        this.there.hidden = !chart;
        this.why.textContent = why ?? "";
        if (!chart) return;
        const { settings } = chart, count = settings.length, half = (settings[1] - settings[0]) / 2;
        const [low, high] = [settings[0] - half, settings[count - 1] + half];
        if (!this.at || this.of !== chart.dial) this.at = [run.last - 1, chart.mark ? nearest(settings, chart.mark[0]) : 0];
        this.of = chart.dial;
        const back = this.at[0] = clamp(this.at[0], 0, run.last - 1), row = this.at[1];
        this.it.fit(230);
        const { canvas } = this.it, { palette } = this.view;
        canvas.extent = [-0.5, run.last - 0.5, low, high];
        canvas.draw((ctx) => {
            const { box } = canvas;
            canvas.field(quantised(arrays.chart.data, DECADES), [count, run.last], { smooth: false });
            frame(canvas);
            Object.assign(ctx, { fillStyle: palette.ink, textAlign: "right", textBaseline: "middle" });
            for (const value of ticks(low, high, 5)) ctx.fillText(typeset(String(value)), box.x - 6, canvas.toPixel(0, value)[1]);
            Object.assign(ctx, { textAlign: "center", textBaseline: "top" });
            const gap = every(run.last, box.width, 30);
            for (let steps = 0; steps < run.last; steps += gap) ctx.fillText(String(steps), canvas.toPixel(steps, 0)[0], box.y + box.height + 5);
            ctx.fillText("steps back", box.x + box.width / 2, canvas.height - 15);
            ctx.save();
            ctx.translate(11, box.y + box.height / 2);
            ctx.rotate(-Math.PI / 2);
            ctx.textBaseline = "middle";
            ctx.fillText(chart.dial, 0, 0);
            ctx.restore();
            if (chart.mark) this.mark(canvas, chart.mark.map((value) => clamp(value, low, high)));
        });
        const log = arrays.chart.data[row * run.last + back];
        const words = `${chart.dial} ${typeset(String(settings[row]))}, ${back} step${back === 1 ? "" : "s"} back: ${fromLog(log)}`;
        this.words.textContent = words;
        this.use.hidden = !chart.sets;
        this.use.disabled = Boolean(chart.mark) && chart.mark.every((value) => Math.abs(value - settings[row]) < 0.005);
        said(this.handle, { now: settings[row], low: settings[0], high: settings[count - 1], text: words });
        place(this.handle, canvas, back - 0.5, back + 0.5, settings[row] - half, settings[row] + half, 12);
        this.legend.textContent = `Blue: less than 1 is left of the gradient, deepest at 10⁻⁶ or less. Orange: more than 1, up to 10⁶. ${marked(chart)}`;
        canvas.label(`Map of the gradient that gets back, over steps back and ${chart.dial}. ${marked(chart)} ${words}`);
    }

    // The cell's own setting: a line, or for units that differ a line at the lowest and at the highest.
    mark(canvas, [low, high]) {
        const { ctx, box, palette } = canvas;
        ctx.setLineDash([]);
        for (const value of new Set([low, high])) {
            const [, y] = canvas.toPixel(0, value);
            Object.assign(ctx, { strokeStyle: palette.panel, lineWidth: 4 });
            line(ctx, box.x, y, box.x + box.width, y);
            Object.assign(ctx, { strokeStyle: palette.ink, lineWidth: 2 });
            line(ctx, box.x, y, box.x + box.width, y);
        }
    }
}

function marked({ mark }) {
    if (!mark) return "";
    const [low, high] = mark.map((value) => figure(value));
    return low === high ? `The line: this cell, ${low}.` : `The lines: this cell's units, from ${low} to ${high}.`;
}
