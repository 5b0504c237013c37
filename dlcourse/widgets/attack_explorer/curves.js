// Loss and margin over the steps, a line for each network; where the attack stands is marked.

import { Canvas } from "../js/canvas.js";
import { element } from "../js/dom.js";
import { short } from "../feature_map_explorer/look.js";
import { part, span, told } from "./look.js";

export class Curves {
    constructor(view) {
        this.view = view;
        this.charts = [["loss", false], ["margin", true]].map(([name, zero]) => ({
            name, zero, head: element("h4", { class: "ax-head" }),
            canvas: new Canvas(view, { label: name, width: 330, height: 138, margins: [42, 8, 36, 6] }),
        }));
        this.legend = element("p", { class: "ax-note" });
        this.el = view.hideable("curves", element("section", { class: "ax-curves", "aria-label": "Loss and margin over the steps" },
            ...this.charts.flatMap(({ head, canvas }) => [head, canvas.el]), this.legend));
    }

    paint({ header, arrays }) {
        const { models, move, done, target, classes } = header, names = models.map(({ name }) => name);
        const titles = {
            loss: target === null ? "Loss (nats): the attack raises it" : `Loss of ${classes[target]} (nats): the attack lowers it`,
            margin: target === null ? "Margin (logits): above 0 it is wrong" : `Margin (logits): above 0 it says ${classes[target]}`,
        };
        for (const { name, zero, head, canvas } of this.charts) {
            const values = arrays[name];
            head.textContent = titles[name];
            canvas.extent = [0, Math.max(move.steps, 1), ...span(values.data, zero)];
            canvas.draw((ctx) => this.chart(ctx, canvas, values, zero, done, models.length));
            canvas.label(`${titles[name]}. After ${done} of ${move.steps} steps: ${told(names, values, done, short)}.`);
        }
        this.legend.textContent = models.length > 1 ? `Solid: ${names[0]}. Dashed: ${names[1]}.` : "";
    }

    chart(ctx, canvas, values, zero, done, many) {
        const { palette, box } = canvas, steps = values.shape[1];
        canvas.axes({ xlabel: "Steps done", xticks: Math.min(5, steps - 1), yticks: 3 });
        const rule = (from, to, dash) => {
            Object.assign(ctx, { strokeStyle: palette.ink, lineWidth: 1.2 });
            ctx.setLineDash(dash);
            ctx.beginPath();
            ctx.moveTo(...from);
            ctx.lineTo(...to);
            ctx.stroke();
            ctx.setLineDash([]);
        };
        const [x] = canvas.toPixel(done, 0);
        rule([x, box.y], [x, box.y + box.height], [2, 3]);
        if (zero) {
            const [, y] = canvas.toPixel(0, 0);
            rule([box.x, y], [box.x + box.width, y], []);
        }
        const across = Array.from({ length: steps }, (_, step) => step);
        for (let index = 0; index < many; index += 1) {
            const line = part(values, index), colour = palette.lines[index];
            canvas.curve(across, line, { colour, width: 2.2, dash: index ? [7, 4] : [] });
            if (!Number.isFinite(line[done])) continue;
            ctx.beginPath();
            ctx.arc(...canvas.toPixel(done, line[done]), 4.5, 0, 2 * Math.PI);
            Object.assign(ctx, { fillStyle: colour, strokeStyle: palette.panel, lineWidth: 1.5 });
            ctx.fill();
            ctx.stroke();
        }
    }
}
