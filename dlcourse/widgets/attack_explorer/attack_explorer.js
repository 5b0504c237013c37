// The explorer's view. On top the picture, the attack, and loss and margin over its steps; below what the present move is,
// and a panel for each network.

import { element } from "../js/dom.js";
import { widget } from "../js/widget.js";
import { Pad } from "../draw_pad/pad.js";
import { Curves } from "./curves.js";
import { Panel } from "./panel.js";
import { LEGEND } from "./slice.js";
import { Images, Now, Predict, Settings } from "./settings.js";

export default widget((view) => {
    const pad = new Pad(view), program = new Program(view);
    const images = new Images(view), settings = new Settings(view), curves = new Curves(view), now = new Now(view), predict = new Predict(view);
    const undo = view.button("Undo", () => pad.then("undo"), { name: "undo", title: "Take the last change of the drawing back" });
    const clear = view.button("Clear", () => pad.then("clear"), { name: "clear", title: "An empty pad" });
    const example = view.button("Example", () => pad.then("example"), { name: "example", title: "Draw the next built-in digit, from 0 to 9" });
    const panels = element("div", { class: "ax-panels" });
    const transfer = view.hideable("transfer", element("p", { class: "ax-transfer" }));
    const legend = view.hideable("slice", element("p", { class: "ax-note" }, LEGEND));
    const made = [];
    view.body.append(
        element("div", { class: "ax-top" },
            element("div", { class: "ax-input" },
                images.el,
                view.hideable("draw", element("div", { class: "ax-draw" },
                    element("h3", { class: "ax-head" }, "Or draw one"), pad.el,
                    element("div", { class: "dlc-row ax-buttons" }, undo, clear, example), images.meant.el, view.control("pen"),
                    element("p", { class: "ax-note", id: pad.how }, "With the keyboard: arrow keys move a square, Space fills or empties it.")))),
            settings.el, curves.el),
        element("div", { class: "ax-bottom" }, now.el, predict.el, view.hideable("panels", element("div", {}, panels, legend)), transfer),
    );
    return {
        paint(frame) {
            const { header } = frame;
            while (made.length < header.models.length) {
                made.push(new Panel(view, made.length));
                panels.append(made.at(-1).el);
            }
            if (header.drawable) pad.paint();
            for (const part of [images, settings, curves, now, predict, ...made]) part.paint(frame);
            transfer.textContent = header.transfer.join(" ");
            undo.disabled = !header.undoable;
            clear.disabled = header.empty;
            program.follow(frame);
        },
        heard() {
            if (view.session.gone) pad.mail(); // what was on its way will not be answered
        },
    };
});

// The program in the open Code panel is that of what is on screen, also when that has changed since.
class Program {
    constructor(view) {
        Object.assign(this, { view, key: "" });
    }

    async follow({ header: { attack, label, index, strokes, ids, cells } }) {
        const text = this.view.el.querySelector('.dlc-panel[data-action="to_code"] textarea');
        const key = JSON.stringify([attack, label, index, strokes, ids, cells, ...["seed", "eps", "step_share", "pen"].map((name) => this.view.get(name))]);
        if (key === this.key) return;
        this.key = key;
        if (!text) return;
        const words = await this.view.act("to_code").catch(() => null);
        if (words !== null && this.key === key) text.value = words;
    }
}
