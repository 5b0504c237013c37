// The playground's view: points and settings on the left, the network in the middle, its answer on the right.

import { Answer } from "./answer.js";
import { Curves } from "./curves.js";
import { LayerTable } from "./layer_table.js";
import { Network } from "./network.js";
import { predict } from "./predict.js";
import { element } from "../js/dom.js";
import { isOpen } from "../js/predict.js";
import { widget } from "../js/widget.js";

const POINTS = ["data", "noise", "train", "seed"];
const LEARNING = ["activation", "optimizer", "lr", "batch_size", "regularisation", "strength"];

export default widget((view) => {
    const network = new Network(view);
    const answer = new Answer(view, network);
    const curves = new Curves(view);
    const table = new LayerTable(view);
    const question = predict(view);
    const fork = new Fork(view);
    view.body.append(
        element(
            "div", { class: "pg-left" },
            section("Points", ...POINTS.map((name) => view.control(name)), answer.tools),
            section("Learning", ...LEARNING.map((name) => view.control(name))),
        ),
        element(
            "div", { class: "pg-middle" },
            view.hideable("network", section("Network", view.control("layers"), view.control("features"), network.el)),
            curves.el,
        ),
        element("div", { class: "pg-right" }, answer.el, fork.el, question.el, table.el),
    );
    return {
        paint(frame) {
            network.paint(frame);
            answer.paint(frame);
            curves.paint(frame);
            table.paint(frame);
            question.paint(frame);
            fork.paint(frame);
        },
    };
});

function section(title, ...children) {
    return element("section", { class: "pg-section" }, element("h4", {}, title), ...children);
}

// Keep the run as A and go on with B, both on one axis.
class Fork {
    constructor(view) {
        this.keep = view.button("Keep this run as A", () => view.act("fork"), { title: "Copy the run as it is; what you change from now on changes only the present one" });
        this.drop = view.button("Drop A", () => view.act("unfork"));
        this.drop.hidden = true;
        this.text = element("span", { class: "pg-kept" });
        this.el = view.hideable("fork", element("div", { class: "dlc-row" }, this.keep, this.drop, this.text));
    }

    paint({ header }) {
        this.drop.hidden = !header.kept;
        this.keep.disabled = this.drop.disabled = isOpen(header.prediction); // a copy would tell
        this.keep.textContent = header.kept ? "Keep the present run instead" : "Keep this run as A";
        this.text.textContent = header.kept ? `A: ${header.kept.settings}` : "";
    }
}
