// The explorer's view. On top the picture, what is explained, and how much of the network is left; then every method's map;
// below, of the one that was picked, the curve, the picture on its way, and the axioms.

import { element } from "../js/dom.js";
import { widget } from "../js/widget.js";
import { Pad } from "../draw_pad/pad.js";
import { Faith } from "./faith.js";
import { Maps, Seen } from "./maps.js";
import { Images, Predict, Program, Settings } from "./settings.js";

export default widget((view) => {
    const pad = new Pad(view), program = new Program(view);
    const images = new Images(view), settings = new Settings(view), predict = new Predict(view), seen = new Seen(view);
    const maps = new Maps(view), faith = new Faith(view);
    const undo = view.button("Undo", () => pad.then("undo"), { name: "undo", title: "Take the last change of the drawing back" });
    const clear = view.button("Clear", () => pad.then("clear"), { name: "clear", title: "An empty pad" });
    const example = view.button("Example", () => pad.then("example"), { name: "example", title: "Draw the next built-in digit, from 0 to 9" });
    view.body.append(
        element("div", { class: "sx-top" },
            element("div", { class: "sx-input" },
                images.el,
                view.hideable("draw", element("div", { class: "sx-draw" },
                    element("h3", { class: "sx-head" }, "Or draw one"), pad.el,
                    element("div", { class: "dlc-row sx-buttons" }, undo, clear, example), view.control("pen"),
                    element("p", { class: "sx-note", id: pad.how }, "With the keyboard: arrow keys move a square, Space fills or empties it.")))),
            element("div", { class: "sx-middle" }, settings.el, predict.el),
            seen.el),
        maps.el, faith.el,
    );
    return {
        paint(frame) {
            const { header } = frame;
            if (header.drawable) pad.paint();
            for (const part of [images, settings, predict, seen, maps, faith]) part.paint(frame);
            undo.disabled = !header.undoable;
            clear.disabled = header.empty;
            program.follow(frame);
        },
        heard() {
            if (view.session.gone) pad.mail(); // what was on its way will not be answered
        },
    };
});
