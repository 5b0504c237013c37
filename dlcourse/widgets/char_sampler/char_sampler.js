// The char sampler: the prefix above, the lines on the left, on the right how to draw and what may come.

import { element } from "../js/dom.js";
import { widget } from "../js/widget.js";
import { Bars } from "./bars.js";
import { Prefix } from "./prefix.js";
import { Text } from "./text.js";

export default widget((view) => {
    const [prefix, text, bars] = [new Prefix(view), new Text(view), new Bars(view)];
    const again = view.button("Again", () => view.act("again"), { name: "again", title: "The same prefix once more, with the next seed, on a new line" });
    const shaping = element("div", { class: "cs-shaping" }, ...["temperature", "top_k", "top_p"].map((name) => view.control(name)));
    const luck = element("div", { class: "cs-luck" }, view.control("seed"), view.control("pace"), again);
    view.hideable("shaping", shaping);
    text.el.prepend(prefix.el, luck);
    view.body.append(text.el, element("div", { class: "cs-right" }, shaping, bars.el));
    return {
        paint(frame) {
            prefix.paint(frame.header);
            text.paint(frame);
            bars.paint(frame);
        },
    };
});
