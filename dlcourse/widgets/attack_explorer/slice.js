// The slice through the space of pictures: which class the network tells where, the ball, the box, and the attack's path.

import { Canvas } from "../js/canvas.js";
import { element } from "../js/dom.js";
import { ticks, text } from "../js/scale.js";
import { scales } from "../feature_map_explorer/look.js";
import { borders, classAt, inside, outline, part, tints } from "./look.js";

const SIDE = 232;

export const LEGEND = "Slices, in parts of eps. Across: the steepest direction; up: a random one. Cross: the picture; path: the attack, each point where the "
    + "slice comes nearest. Dashed: the ball; dotted: [0, 1]. Blue: the right answer; orange: another.";

export class Slice {
    constructor(view, index) {
        Object.assign(this, { view, index });
        this.canvas = new Canvas(view, { label: "Slice", width: SIDE, height: SIDE, margins: [34, 6, 32, 6] });
        this.note = element("p", { class: "ax-note" });
        this.el = element("div", { class: "ax-slice" }, element("h4", { class: "ax-head" }, "A slice through the pictures"), this.canvas.el, this.note);
    }

    paint({ header, arrays }) {
        const { slice, name, says } = header.models[this.index], reach = header.slice_reach;
        const told = part(arrays.told, this.index), path = part(arrays.paths, this.index);
        const shape = arrays.told.shape.slice(1);
        const [ball, box] = [arrays.ball, arrays.box].map((array) => outline(part(array, this.index)));
        const { canvas } = this;
        canvas.extent = [-reach, reach, -reach, reach];
        canvas.draw((ctx) => {
            this.field(ctx, told, [ball, box], shape, header);
            this.axes(ctx, reach);
            for (const { name: label, at } of slice.regions.slice(0, 5)) this.word(ctx, label, inside(at, reach));
            this.path(ctx, path, slice.at, header.done);
        });
        const off = slice.off > 0.005 ? ` Of the perturbation's length ${Math.round(100 * slice.off)} % lead out of the slice.` : "";
        const here = slice.at.every((each) => each !== null) ? classAt(told, shape, slice.at, reach) : null;
        const beside = off && here !== null && says.class !== null && here !== says.class
            ? ` So the dot's answer is ${header.classes[here]}, and the attacked picture's is ${says.name}.` : "";
        const first = slice.along ? "steepest direction" : "first of two random directions";
        const edge = slice.nearest === null ? "" : ` Along it the answer changes at ${text(slice.nearest, 2)} eps.`;
        const shares = slice.regions.map(({ name: label, share }) => `${label} ${Math.round(100 * share)} %`).join(", ");
        const slope = slice.along ? "" : " There is no slope here: both directions are random.";
        this.note.textContent = `${edgeOfBox(box.reach)}${slope}${off}${beside}`.trim();
        canvas.label(`Slice for ${name}: across the ${first}, up a random one, the picture in the middle. Answers there: ${shares}.${edge}`
            + ` The attack stands at ${text(slice.at[0], 2)} across and ${text(slice.at[1], 2)} up, in eps.${off}${beside}`);
    }

    field(ctx, told, outlines, [rows, columns], { label, target }) {
        const { canvas } = this, { box, palette } = canvas;
        const half = [box.width / (columns - 1) / 2, box.height / (rows - 1) / 2];
        ctx.save();
        ctx.beginPath();
        ctx.rect(box.x, box.y, box.width, box.height);
        ctx.clip();
        canvas.field(tints(told, label.class, target), [rows, columns], {
            box: { x: box.x - half[0], y: box.y - half[1], width: box.width + 2 * half[0], height: box.height + 2 * half[1] }, smooth: false,
        });
        const place = (column, row) => [box.x + (column / (columns - 1)) * box.width, box.y + box.height - (row / (rows - 1)) * box.height];
        Object.assign(ctx, { strokeStyle: palette.ink, lineWidth: 1.6 });
        ctx.beginPath();
        for (const [x0, y0, x1, y1] of borders(told, [rows, columns])) {
            ctx.moveTo(...place(x0, y0));
            ctx.lineTo(...place(x1, y1));
        }
        ctx.stroke();
        outlines.forEach(({ points }, index) => {
            ctx.setLineDash(index ? [1.5, 3] : [6, 4]);
            ctx.beginPath();
            for (const point of points) ctx.lineTo(...canvas.toPixel(...point));
            ctx.stroke();
        });
        ctx.restore();
    }

    axes(ctx, reach) {
        const { canvas } = this, { box, palette } = canvas;
        Object.assign(ctx, { fillStyle: palette.ink, strokeStyle: palette.quiet, lineWidth: 1, textBaseline: "middle", textAlign: "right" });
        ctx.strokeRect(box.x, box.y, box.width, box.height);
        for (const value of ticks(-reach, reach, 3)) ctx.fillText(text(value, 2), box.x - 5, canvas.toPixel(0, value)[1]);
        Object.assign(ctx, { textAlign: "center", textBaseline: "top" });
        for (const value of ticks(-reach, reach, 3)) ctx.fillText(text(value, 2), canvas.toPixel(value, 0)[0], box.y + box.height + 4);
        ctx.fillText("steepest →", box.x + box.width / 2, canvas.height - 14);
    }

    // The name of a class, with a rim of the ground's colour.
    word(ctx, label, at) {
        const [x, y] = this.canvas.toPixel(...at), { palette } = this.canvas;
        ctx.save();
        ctx.font = "bold 13px system-ui, sans-serif";
        Object.assign(ctx, { textAlign: "center", textBaseline: "middle", strokeStyle: palette.panel, lineWidth: 4, fillStyle: palette.ink });
        ctx.strokeText(label, x, y);
        ctx.fillText(label, x, y);
        ctx.restore();
    }

    path(ctx, path, now, done) {
        const { canvas } = this, { palette } = canvas, colour = scales(palette).mark;
        const count = path.length / 2;
        const points = Array.from({ length: count }, (_, step) => [path[2 * step], path[2 * step + 1]]).filter((point) => point.every(Number.isFinite));
        const line = (some, alpha) => {
            ctx.globalAlpha = alpha;
            canvas.curve(some.map(([x]) => x), some.map(([, y]) => y), { colour, width: 2 });
            ctx.fillStyle = colour;
            for (const point of some) {
                ctx.beginPath();
                ctx.arc(...canvas.toPixel(...point), 2.4, 0, 2 * Math.PI);
                ctx.fill();
            }
            ctx.globalAlpha = 1;
        };
        line(points.slice(done), 0.35);
        line(points.slice(0, done + 1), 1);
        const [x, y] = canvas.toPixel(0, 0);
        Object.assign(ctx, { strokeStyle: palette.ink, lineWidth: 2 });
        ctx.beginPath();
        ctx.moveTo(x - 6, y);
        ctx.lineTo(x + 6, y);
        ctx.moveTo(x, y - 6);
        ctx.lineTo(x, y + 6);
        ctx.stroke();
        if (!now.every((each) => each !== null)) return;
        ctx.beginPath();
        ctx.arc(...canvas.toPixel(...inside(now, canvas.extent[1] * 1.1)), 6, 0, 2 * Math.PI);
        Object.assign(ctx, { fillStyle: colour, strokeStyle: palette.panel, lineWidth: 2 });
        ctx.fill();
        ctx.stroke();
    }
}

// Where most pixels stand at 0 or 1, as a digit's paper does, hardly any direction stays in the box.
function edgeOfBox(reach) {
    return reach < 0.05 ? "[0, 1] is left at once: some pixel is at its end already." : "";
}
