// How the game went: both losses, D's outputs, what is reached; and the same of the kept run, dotted.

import { Canvas } from "../js/canvas.js";
import { element } from "../js/dom.js";
import { text } from "../js/scale.js";
import { column, span } from "./geometry.js";

// Name to hide by, title, lines [column, label, index of the palette's line], least height or a fixed range.
const CHARTS = [
    ["losses", "Losses", [["d_loss", "D", 0], ["g_loss", "G", 1]], 0.5, null],
    ["logits", "D's mean output", [["real_logit", "on real points", 0], ["fake_logit", "on generated points", 1]], 1, null],
    ["cover", "Share", [["reached", "reached of the target", 3], ["quality", "of generated points on it", 2]], 1, [-0.03, 1.05]],
];
const DASHES = [[], [7, 4]];

export class Charts {
    constructor(view) {
        this.view = view;
        this.charts = CHARTS.map(([name, title, lines, least, range]) => {
            const canvas = new Canvas(view, { label: title, width: 320, height: 132, margins: [42, 16, 20, 8] });
            const keys = element("span", { class: "gl-keys", "aria-hidden": "true" });
            const head = element("h4", {}, title);
            const el = view.hideable(name, element("section", { class: "gl-section" }, element("div", { class: "gl-head" }, head, keys), canvas.el));
            return { name, title, lines, least, range, canvas, keys, el };
        });
        this.el = element("div", {}, ...this.charts.map(({ el }) => el));
    }

    paint(frame) {
        for (const chart of this.charts) this.draw(chart, frame);
    }

    draw({ name, title, lines, least, range, canvas, keys }, { header, arrays }) {
        const { palette } = this.view, { step, last } = header.run;
        const runs = [{ curve: arrays.curve, dotted: false }];
        if (arrays.kept_curve) runs.push({ curve: arrays.kept_curve, dotted: true });
        const values = runs.flatMap(({ curve }) => lines.flatMap(([key]) => column(curve, key)));
        const steps = runs.map(({ curve }) => column(curve, "step"));
        const end = Math.max(10, last, ...steps.map((each) => each.at(-1) ?? 0));
        canvas.extent = [0, end, ...(range ?? span(values, least))];
        canvas.draw((ctx) => {
            canvas.axes({ xticks: 4, yticks: 6 });
            runs.forEach(({ curve, dotted }, index) => lines.forEach(([key, , colour], order) => {
                const style = { colour: palette.lines[colour], width: dotted ? 1.4 : 2, dash: dotted ? [2, 3] : DASHES[order] };
                const ys = column(curve, key);
                canvas.curve(steps[index], ys, style);
                if (ys.length === 1 && Number.isFinite(ys[0])) this.dot(ctx, canvas.toPixel(steps[index][0], ys[0]), style.colour);
            }));
            const [x] = canvas.toPixel(step, 0), { y, height } = canvas.box;
            Object.assign(ctx, { strokeStyle: palette.quiet, lineWidth: 1 });
            ctx.beginPath();
            ctx.moveTo(x, y);
            ctx.lineTo(x, y + height);
            ctx.stroke();
        });
        this.legend(keys, lines, Boolean(header.kept));
        const now = lines.map(([key, words]) => `${words} ${text(header.measured[key])}`).join(", ");
        canvas.label(`${title} by step, up to step ${last}${name === "losses" ? ", without the penalty" : ""}. At step ${step}: ${now}.`);
    }

    dot(ctx, place, colour) {
        ctx.fillStyle = colour;
        ctx.beginPath();
        ctx.arc(...place, 3, 0, 2 * Math.PI);
        ctx.fill();
    }

    legend(node, lines, kept) {
        const key = JSON.stringify([lines, kept, this.view.palette.dark]);
        if (node.dataset.key === key) return;
        node.dataset.key = key;
        const made = lines.map(([, words, colour], order) => swatch(words, this.view.palette.lines[colour], order ? "dashed" : "solid"));
        if (kept) made.push(swatch("run A", this.view.palette.quiet, "dotted"));
        node.replaceChildren(...made);
    }
}

function swatch(words, colour, style) {
    const line = element("span", { class: "gl-swatch" });
    line.style.borderTop = `3px ${style} ${colour}`;
    return element("span", { class: "gl-entry" }, line, words);
}
