// The explorer's view. On top the drawing, what the network sees and what it says. Below, on the left the maps, the patches
// and the question; beside them one unit in large, and what its channel is good for.

import { Canvas } from "../js/canvas.js";
import { element } from "../js/dom.js";
import { widget } from "../js/widget.js";
import { Pad } from "../draw_pad/pad.js";
import { percent } from "../draw_pad/strokes.js";
import { ByIndex } from "./by_index.js";
import { Patches, Unit } from "./detail.js";
import { colours, frame as framed, onPicture, pixels, scales, windowOf } from "./look.js";
import { Maps } from "./maps.js";
import { Ablation, Predict } from "./off.js";

const SIDE = 168; // of what the network sees; 8 and 28 divide it

export default widget((view) => {
    const pad = new Pad(view);
    const seen = new Seen(view);
    const says = new Says(view);
    const images = new Images(view);
    const maps = new Maps(view, (unit) => seen.point(unit));
    const [unit, patches, ablation, predict] = [new Unit(view), new Patches(view), new Ablation(view), new Predict(view)];
    const parts = [seen, says, images, maps, unit, patches, ablation, predict];
    const undo = view.button("Undo", () => pad.then("undo"), { name: "undo", title: "Take the last change of the drawing back" });
    const clear = view.button("Clear", () => pad.then("clear"), { name: "clear", title: "An empty pad" });
    const example = view.button("Example", () => pad.then("example"), { name: "example", title: "Draw the next built-in digit, from 0 to 9" });
    const program = new Program(view);
    view.el.classList.add("fx-root");
    view.body.append(
        view.hideable("draw", element("div", { class: "fx-draw" },
            element("h3", { class: "fx-head" }, "You draw"), pad.el,
            element("div", { class: "dlc-row fx-buttons" }, undo, clear, example), view.control("pen"),
            element("p", { class: "fx-how", id: pad.how }, "With the keyboard: arrow keys move a square, Space fills or empties it."))),
        view.hideable("seen", element("div", { class: "fx-seen" }, seen.head, seen.canvas.el, images.el, view.control("right"), view.control("down"))),
        says.el,
        element("div", { class: "fx-below" },
            element("div", { class: "fx-left" }, maps.el, patches.el, predict.el),
            element("div", { class: "fx-right" }, unit.el, ablation.el)),
    );
    return {
        paint(frame) {
            pad.paint();
            for (const part of parts) part.paint(frame);
            program.follow(frame);
            undo.disabled = !frame.header.undoable;
            clear.disabled = frame.header.empty;
        },
        heard() {
            if (view.session.gone) pad.mail(); // what was on its way will not be answered
        },
    };
});

// The picture as the network gets it, with a frame around what a unit sees.
class Seen {
    constructor(view) {
        this.view = view;
        this.head = element("h3", { class: "fx-head" }, "The network sees");
        this.canvas = new Canvas(view, { label: "What the network sees", width: SIDE, height: SIDE });
        this.pointed = null;
    }

    point(unit) {
        this.pointed = unit;
        this.paint(this.view.frame);
    }

    paint({ header, arrays }) {
        const { palette } = this.view, { shape, unit, layer } = header, [rows, columns] = shape;
        this.canvas.draw((ctx) => {
            pixels(ctx, arrays.picture.data, shape, [0, 0, SIDE, SIDE], colours(palette, "ink"));
            this.frame(ctx, header, unit, this.pointed ? [6, 4] : []);
            if (this.pointed) this.frame(ctx, header, this.pointed, []);
        });
        const inked = arrays.picture.data.reduce((count, value) => count + (value > 0), 0);
        this.canvas.label(`What the network sees: ${inked} of ${rows * columns} pixels hold ink. Framed: what the chosen unit of ${layer.name} sees, ${unit.sees}.`);
    }

    frame(ctx, { shape, layer }, { row, column }, dash) {
        const inside = onPicture(windowOf(layer.field, row, column), shape);
        if (!inside) return;
        const [top, left, bottom, right] = inside, { palette } = this.view;
        const [high, wide] = [SIDE / shape[0], SIDE / shape[1]];
        const box = [left * wide + 2, top * high + 2, (right - left) * wide - 4, (bottom - top) * high - 4];
        framed(ctx, box, scales(palette).mark, palette.panel, dash);
    }
}

// The program in the open Code panel is that of what is on screen, also when that has changed since.
class Program {
    constructor(view) {
        Object.assign(this, { view, key: "" });
    }

    async follow({ header: { layer, unit, off, index, strokes, ids, cells } }) {
        const text = this.view.el.querySelector('.dlc-panel[data-action="to_code"] textarea');
        const moved = ["right", "down", "pen"].map((name) => this.view.get(name));
        const key = JSON.stringify([layer.name, unit.channel, unit.row, unit.column, off, index, strokes, ids, cells, moved]);
        if (key === this.key) return;
        this.key = key;
        if (!text) return;
        const words = await this.view.act("to_code").catch(() => null);
        if (words !== null && this.key === key) text.value = words;
    }
}

// An image of the data set, by its index.
class Images {
    constructor(view) {
        this.view = view;
        this.which = new ByIndex(view, "Image");
        this.label = element("span", { class: "fx-label" });
        this.el = view.hideable("images", element("div", { class: "dlc-row fx-images" }, ...this.which.parts, this.label));
    }

    paint(frame) {
        const { index, label, images } = frame.header;
        this.which.paint(frame);
        this.label.textContent = index === null ? `of ${images}; now a drawing` : `of ${images}; of class ${label}`;
    }
}

// A bar for each class; with channels switched off, a mark where it was with all of them.
class Says {
    constructor(view) {
        this.view = view;
        this.head = element("p", { class: "fx-answer" });
        this.list = element("ol", { class: "fx-rows", "aria-label": "How probable each class is" });
        this.note = element("p", { class: "fx-note" });
        this.el = view.hideable("says", element("div", { class: "fx-says" }, element("h3", { class: "fx-head" }, "It says"), this.head, this.list, this.note));
        this.rows = [];
    }

    paint({ header, arrays }) {
        const { classes, best, intact, off } = header;
        if (this.rows.length !== classes.length) this.build(classes);
        this.head.replaceChildren(element("span", { class: "fx-digit" }, best.name ?? "–"), element("span", {}, said(best.probability)));
        this.note.textContent = off.length && intact.name !== null ? `Marks: with all channels on, ${intact.name} with ${percent(intact.probability)}.` : "";
        this.rows.forEach((row, index) => {
            const [now, before] = [arrays.probabilities.data[index], arrays.intact.data[index]];
            row.el.classList.toggle("fx-winner", index === best.class);
            row.bar.style.width = `${100 * (now || 0)}%`;
            row.mark.hidden = !off.length || !Number.isFinite(before);
            row.mark.style.left = `${100 * (before || 0)}%`;
            row.number.textContent = Number.isFinite(now) ? percent(now) : "–";
        });
    }

    build(classes) {
        this.rows = classes.map((name) => {
            const row = { bar: element("span", { class: "fx-bar" }), mark: element("span", { class: "fx-mark" }), number: element("span", { class: "fx-number" }) };
            row.el = element("li", { class: "fx-row" }, element("span", { class: "fx-name", title: name }, name),
                element("span", { class: "fx-track", "aria-hidden": "true" }, row.bar, row.mark), row.number);
            return row;
        });
        this.list.replaceChildren(...this.rows.map((row) => row.el));
    }
}

function said(probability) {
    return probability === null ? "no answer: not a number" : percent(probability);
}
