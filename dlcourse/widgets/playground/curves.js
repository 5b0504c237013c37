// Train and test loss over the steps, of the present run and of the kept one, on one axis.

import { Canvas } from "../js/canvas.js";
import { element } from "../js/dom.js";

export class Curves {
    constructor(view) {
        this.view = view;
        this.canvas = new Canvas(view, { label: "Loss curves", width: 380, height: 200, margins: [50, 12, 36, 10] });
        this.log = element("input", { type: "checkbox" });
        this.log.addEventListener("change", () => view.repaint(), { signal: view.signal });
        this.keys = element("div", { class: "pg-keys", "aria-hidden": "true" });
        this.el = view.hideable("curve", element(
            "section", { class: "pg-section" }, element("h4", {}, "Loss"), this.canvas.el,
            element("div", { class: "dlc-row" }, this.keys, element("label", { class: "dlc-box" }, this.log, "log scale")),
        ));
    }

    paint({ header, arrays }) {
        const log = this.log.checked;
        const runs = [{ curve: arrays.curve, name: "", width: 2.2 }];
        if (arrays.kept_curve) runs.push({ curve: arrays.kept_curve, name: "A: ", width: 1.4 });
        const columns = runs.map(({ curve }) => split(curve));
        const values = columns.flatMap(({ train, test }) => [...train, ...test]).filter((value) => Number.isFinite(value) && (!log || value > 0));
        const last = Math.max(10, ...columns.map(({ steps }) => steps.at(-1) ?? 0));
        this.canvas.extent = [0, last, ...span(values, log)];
        const [blue, red] = this.view.palette.lines;
        this.canvas.draw((ctx) => {
            this.canvas.axes({ xlabel: "step", ylabel: log ? "loss, log scale" : "loss", log, xticks: 5, yticks: 4 });
            runs.forEach(({ name, width }, index) => {
                const { steps, train, test } = columns[index];
                this.canvas.curve(steps, train, { colour: blue, width, log, dash: name ? [2, 3] : [] });
                this.canvas.curve(steps, test, { colour: red, width, log, dash: name ? [2, 3] : [7, 4] });
            });
            const [x] = this.canvas.toPixel(header.run.step, 0);
            const { y, height } = this.canvas.box;
            Object.assign(ctx, { strokeStyle: this.view.palette.quiet, lineWidth: 1 });
            ctx.beginPath();
            ctx.moveTo(x, y);
            ctx.lineTo(x, y + height);
            ctx.stroke();
        });
        const keys = [["train", blue, "solid"], ["test", red, "dashed"]];
        if (header.kept) keys.push(["A, train", blue, "dotted"], ["A, test", red, "dotted"]);
        this.legend(keys);
        this.canvas.label(`Loss curves up to step ${header.run.last}. ${header.say}.`);
    }

    legend(keys) {
        const key = JSON.stringify(keys);
        if (this.keys.dataset.key === key) return;
        this.keys.dataset.key = key;
        this.keys.replaceChildren(...keys.map(([words, colour, style]) => {
            const swatch = element("span", { class: "pg-swatch" });
            swatch.style.borderTop = `3px ${style} ${colour}`;
            return element("span", { class: "pg-key" }, swatch, words);
        }));
    }
}

function split({ data, shape }) {
    const steps = [], train = [], test = [];
    for (let row = 0; row < shape[0]; row += 1) {
        steps.push(data[3 * row]);
        train.push(data[3 * row + 1]);
        test.push(data[3 * row + 2]);
    }
    return { steps, train, test };
}

// The y range: from 0 to a little above the largest; one runaway loss does not flatten the rest.
export function span(values, log) {
    if (!values.length) return log ? [-2, 0] : [0, 1];
    const sorted = [...values].sort((a, b) => a - b);
    const high = Math.max(Math.min(sorted.at(-1), 4 * sorted[Math.floor(sorted.length / 2)] + 0.7), 1e-3);
    if (!log) return [0, high * 1.06];
    const [bottom, top] = [Math.floor(Math.log10(sorted[0])), Math.ceil(Math.log10(sorted.at(-1)))];
    return [Math.max(bottom, -8), Math.max(top, bottom + 1)];
}
