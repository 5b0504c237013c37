// One network under attack: the picture now, what was added, the move; what it says, and the slice with the path.

import { Canvas } from "../js/canvas.js";
import { element } from "../js/dom.js";
import { percent } from "../draw_pad/strokes.js";
import { colours, pixels, short } from "../feature_map_explorer/look.js";
import { part } from "./look.js";
import { Slice } from "./slice.js";

const SIDE = 128; // of a picture
const STRIP = 10; // the height of a scale of colours

export class Panel {
    constructor(view, index) {
        Object.assign(this, { view, index });
        this.name = element("span");
        this.answer = element("span", { class: "ax-answer" });
        this.chance = element("span");
        this.verdict = element("span", { class: "ax-verdict" });
        this.picture = new Shown(view, "The picture now", "ink");
        this.delta = new Shown(view, "Perturbation", "signed");
        this.moved = new Shown(view, "Move", "signed");
        this.used = element("p", { class: "ax-used" });
        this.move = element("p", { class: "ax-move" });
        this.when = element("p", { class: "ax-when" });
        this.bars = new Bars(view);
        this.slice = new Slice(view, index);
        this.el = element("section", { class: "ax-panel" },
            element("h3", { class: "ax-head" }, this.name),
            element("p", { class: "ax-says" }, this.answer, this.chance, this.verdict),
            element("div", { class: "ax-pictures" }, this.picture.el, view.hideable("perturbation", this.delta.el), view.hideable("moved", this.moved.el)),
            this.move, this.used, this.when,
            element("div", { class: "ax-below" }, view.hideable("bars", this.bars.el), view.hideable("slice", this.slice.el)));
    }

    paint(frame) {
        const { header, arrays } = frame, model = header.models[this.index];
        const { says, before, used, verdict } = model, reach = header.reach;
        this.name.textContent = `Network: ${model.name}`;
        this.el.setAttribute("aria-label", `Network ${model.name}`);
        this.answer.textContent = says.name ?? "–";
        this.chance.textContent = says.probability === null ? "no answer: not a number" : percent(says.probability);
        this.verdict.textContent = { right: "✓ right", wrong: "✗ wrong", "the target": "✗ the target", "not a number": "" }[verdict];
        this.verdict.className = `ax-verdict ax-${verdict.replaceAll(" ", "-")}`;
        const shape = header.shape, was = before.name === null ? "nothing" : before.name;
        const seen = (array) => [part(array, this.index), shape];
        this.picture.paint(...seen(arrays.pictures), { words: `The picture that ${model.name} sees now`, note: "" });
        this.delta.paint(...seen(arrays.deltas), {
            reach: reach.delta, words: `Perturbation, from −${short(reach.delta)}, blue, by 0 to ${short(reach.delta)}, orange. ${used.words}`,
        });
        this.moved.head.textContent = header.moved;
        this.moved.paint(...seen(arrays.moved), {
            reach: header.move.kind === "example" ? null : reach.moves[this.index], words: `${header.moved}. ${model.move}`,
        });
        this.used.textContent = used.words;
        this.used.classList.toggle("ax-outside", !used.inside);
        this.move.textContent = model.move;
        this.when.textContent = model.when;
        this.bars.paint(part(arrays.probabilities, this.index), part(arrays.before, this.index), header, says, was);
        this.slice.paint(frame);
    }
}

// A picture with a title, and where it has one, its scale of colours.
class Shown {
    constructor(view, title, kind) {
        Object.assign(this, { view, kind });
        this.head = element("figcaption", {}, title);
        this.canvas = new Canvas(view, { label: title, width: SIDE, height: SIDE });
        this.el = element("figure", { class: "ax-figure" }, this.head, this.canvas.el);
        if (kind !== "signed") return;
        this.strip = new Canvas(view, { label: "Scale of colours", width: SIDE, height: STRIP });
        this.low = element("span");
        this.high = element("span");
        this.scale = element("div", { class: "ax-scale" }, this.low, this.strip.el, this.high);
        this.el.append(this.scale);
    }

    paint(bytes, [rows, columns], { reach = null, words }) {
        const table = colours(this.view.palette, this.kind), tall = rows / columns;
        const [width, height] = tall > 1 ? [SIDE / tall, SIDE] : [SIDE, SIDE * tall];
        this.canvas.draw((ctx) => pixels(ctx, bytes, [rows, columns], [(SIDE - width) / 2, (SIDE - height) / 2, width, height], table));
        this.canvas.label(words);
        if (!this.strip) return;
        this.scale.style.visibility = reach === null ? "hidden" : "visible";
        if (reach === null) return;
        this.strip.draw((ctx) => pixels(ctx, Uint8Array.from({ length: 255 }, (_, at) => at), [1, 255], [0, 0, SIDE, STRIP], table));
        this.strip.label(`Scale of colours: from −${short(reach)}, blue, by 0 to ${short(reach)}, orange`);
        this.low.textContent = `−${short(reach)}`;
        this.high.textContent = short(reach);
    }
}

// A bar for each class, and a mark where it was for the picture itself.
class Bars {
    constructor(view) {
        this.view = view;
        this.list = element("ol", { class: "ax-rows", "aria-label": "How probable each class is" });
        this.note = element("p", { class: "ax-note" });
        this.el = element("div", { class: "ax-bars" }, element("h4", { class: "ax-head" }, "It says"), this.list, this.note);
        this.rows = [];
    }

    paint(now, before, { classes, label, target }, says, was) {
        if (this.rows.length !== classes.length) this.build(classes);
        this.note.textContent = `Marks: before, when it said ${was}, where that has changed. ○ right answer${target === null ? "" : ", ▸ target"}.`;
        this.rows.forEach((row, index) => {
            row.el.classList.toggle("ax-winner", index === says.class);
            row.name.textContent = `${index === label.class ? "○ " : index === target ? "▸ " : ""}${classes[index]}`;
            row.bar.style.width = `${100 * (now[index] || 0)}%`;
            row.mark.hidden = !(Math.abs(before[index] - now[index]) >= 0.01);
            row.mark.style.left = `${100 * (before[index] || 0)}%`;
            row.number.textContent = Number.isFinite(now[index]) ? percent(now[index]) : "–";
        });
    }

    build(classes) {
        this.rows = classes.map((name) => {
            const row = {
                name: element("span", { class: "ax-name", title: name }), bar: element("span", { class: "ax-bar" }),
                mark: element("span", { class: "ax-mark" }), number: element("span", { class: "ax-number" }),
            };
            row.el = element("li", { class: "ax-row" }, row.name, element("span", { class: "ax-track", "aria-hidden": "true" }, row.bar, row.mark), row.number);
            return row;
        });
        this.list.replaceChildren(...this.rows.map((row) => row.el));
    }
}
