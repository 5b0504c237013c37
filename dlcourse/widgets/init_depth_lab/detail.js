// The picked layer large: how its activations and gradients are distributed; and the loss over the steps.

import { Canvas } from "../js/canvas.js";
import { element } from "../js/dom.js";
import { text, ticks } from "../js/scale.js";
import { figure, percent, rows } from "./numbers.js";

const WIDTH = 190, HEIGHT = 150;
const MARGINS = [44, 10, 24, 8];

export class Detail {
    constructor(view) {
        this.parts = [["values", "bars", "activations"], ["gradient", "grad_bars", "gradient"]].map(([name, bars, title]) => {
            const canvas = new Canvas(view, { label: title, width: WIDTH, height: HEIGHT, margins: MARGINS });
            const heading = element("h4"), numbers = element("p", { class: "id-numbers" });
            return { name, bars, title, canvas, heading, numbers, el: element("section", { class: "id-part" }, heading, canvas.el, numbers) };
        });
        this.el = element("div", { class: "id-detail" }, ...this.parts.map((part) => part.el));
    }

    paint({ header, arrays }) {
        this.el.classList.toggle("id-veiled", header.hidden);
        if (header.hidden) return;
        const row = rows(arrays.layers, header.columns)[header.layer - 1];
        for (const part of this.parts) {
            part.heading.textContent = `Layer ${header.layer}: ${part.title}`;
            const facts = header.detail[part.name];
            const lines = part.name === "values" ? signal(row, facts, header) : gradient(row, facts, header);
            part.numbers.replaceChildren(...lines.map((words) => element("span", {}, words)));
            this.histogram(part, facts, arrays[part.bars].data);
            const reach = facts.low === null ? "not all finite" : `between ${figure(facts.low)} and ${figure(facts.high)}`;
            part.canvas.label(`Histogram of layer ${header.layer}, ${part.title}: ${reach}, ${lines.join(", ")}`);
        }
    }

    histogram({ name, canvas }, { low, high }, shares) {
        const { ctx, palette } = canvas;
        const top = Math.max(...shares), empty = low === null ? "too large for float32" : top > 0 ? "" : "all exactly 0";
        canvas.extent = [low ?? 0, high ?? 1, 0, 112 * (top || 1)];
        canvas.draw(() => {
            this.frame(canvas, low, high, empty);
            if (empty) return;
            const { box } = canvas;
            const step = (high - low) / shares.length;
            Object.assign(ctx, { fillStyle: palette.lines[name === "values" ? 0 : 1] });
            shares.forEach((share, index) => {
                const [left, y] = canvas.toPixel(low + index * step, 100 * share), [right, floor] = canvas.toPixel(low + (index + 1) * step, 0);
                if (share > 0) ctx.fillRect(left + 0.5, Math.min(y, floor - 1), Math.max(right - left - 1, 1), Math.max(floor - y, 1));
            });
        });
    }

    // Shares in percent upwards, and sideways 0 in the middle or the ends: the numbers may be tiny.
    frame(canvas, low, high, empty) {
        const { ctx, box, palette } = canvas;
        ctx.fillStyle = palette.panel;
        ctx.fillRect(box.x, box.y, box.width, box.height);
        Object.assign(ctx, { strokeStyle: palette.grid, fillStyle: palette.ink, lineWidth: 1, textBaseline: "middle", textAlign: "right" });
        for (const share of ticks(0, canvas.extent[3], 3)) {
            const [, y] = canvas.toPixel(0, share);
            ctx.beginPath();
            ctx.moveTo(box.x, y);
            ctx.lineTo(box.x + box.width, y);
            ctx.stroke();
            ctx.fillText(share === 0 ? "0" : `${text(share)} %`, box.x - 6, y);
        }
        if (empty) {
            ctx.textAlign = "center";
            ctx.fillText(empty, box.x + box.width / 2, box.y + box.height / 2);
            return;
        }
        ctx.textBaseline = "top";
        for (const [align, at] of [low === -high ? ["center", 0] : ["left", low], ["right", high]]) {
            ctx.textAlign = align;
            ctx.fillText(figure(at, 2), canvas.toPixel(at, 0)[0], box.y + box.height + 6);
        }
    }
}

function signal(row, facts, { layer }) {
    return [
        `std ${figure(facts.std)} · mean ${figure(row.mean)}`,
        `between examples ${figure(row.between)}`,
        `exactly 0: ${percent(facts.zeros)}`,
        `mean square × ${figure(row.factor)} from ${layer > 1 ? `layer ${layer - 1}` : "the input"}`,
    ];
}

function gradient(row, facts, { layer, layers }) {
    const lines = [`std ${figure(facts.std)}`, `exactly 0: ${percent(facts.zeros)}`];
    return layer === layers ? lines : [...lines, `mean square × ${figure(row.grad_factor)} from layer ${layer + 1}`];
}

export class Loss {
    constructor(view) {
        this.view = view;
        this.canvas = new Canvas(view, { label: "Loss", width: WIDTH, height: HEIGHT, margins: [40, 10, 36, 10] });
        this.words = element("p", { class: "id-numbers" });
        this.el = element("section", { class: "id-part id-loss" }, element("h4", {}, "Loss on the batch"), this.canvas.el, this.words);
    }

    paint({ header, arrays }) {
        this.el.classList.toggle("id-veiled", header.hidden);
        if (header.hidden) return;
        const { canvas } = this, { palette } = this.view;
        const { now, start, equal, accuracy } = header.loss;
        const losses = arrays.losses.data, last = Math.max(10, losses.length - 1);
        const some = losses.filter((loss) => Number.isFinite(loss)); // one that ran away is cut at four times the start
        const most = Math.min(Math.max(equal, ...some), 4 * Math.max(equal, start ?? equal));
        canvas.extent = [0, last, 0, 1.12 * most];
        canvas.draw((ctx) => {
            canvas.axes({ xlabel: "step", xticks: 3, yticks: 3 });
            canvas.curve([0, last], [equal, equal], { colour: palette.quiet, width: 1.4, dash: [3, 3] });
            canvas.curve(Array.from(losses, (_, step) => step), losses, { colour: palette.lines[0], width: 2.2 });
            const [x, y] = canvas.toPixel(header.run.step, Math.min(now ?? 1.12 * most, 1.12 * most));
            ctx.beginPath();
            ctx.arc(x, y, 4, 0, 2 * Math.PI);
            ctx.fillStyle = palette.lines[0];
            ctx.fill();
        });
        const finite = (loss) => (loss === null ? "not finite" : text(loss, 4));
        const lines = [`now ${finite(now)} · start ${finite(start)}`, `equal guesses ${text(equal, 4)} (dashed)`, `${percent(accuracy)} of the batch right`];
        this.words.replaceChildren(...lines.map((words) => element("span", {}, words)));
        canvas.label(`Loss over the steps: ${lines.join(", ")}`);
    }
}
