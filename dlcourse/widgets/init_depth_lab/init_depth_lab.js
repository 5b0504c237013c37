// The lab's view: settings on the left, the maps of all layers beside them, the picked layer, the reasons, the table.

import { element } from "../js/dom.js";
import { widget } from "../js/widget.js";
import { Detail, Loss } from "./detail.js";
import { typeset } from "./numbers.js";
import { Panels } from "./panels.js";
import { Predict } from "./predict.js";
import { Table } from "./table.js";

const NETWORK = ["depth", "activation", "init", "gain", "norm", "seed"];

export default widget((view) => {
    const panels = new Panels(view), detail = new Detail(view), loss = new Loss(view);
    const table = new Table(view), predict = new Predict(view);
    const reasons = element("ul", { class: "id-why" });
    const settings = element(
        "div", { class: "id-left" },
        section("Network", ...NETWORK.map((name) => view.control(name))),
        section("Steps and view", view.control("lr"), view.control("show")), predict.el,
    );
    view.body.append(
        settings,
        element(
            "div", { class: "id-right" },
            view.hideable("panels", panels.el),
            element("div", { class: "id-large" }, view.hideable("layer_detail", detail.el), view.hideable("loss", loss.el)),
        ),
        element("div", { class: "id-below" },
            view.hideable("explanation", element("section", { class: "id-section" }, element("h4", {}, "What happens, and why"), reasons)),
            view.hideable("table", table.el)),
    );
    return {
        paint(frame) {
            for (const part of [panels, detail, loss, table, predict]) part.paint(frame);
            list(reasons, frame.header.hidden ? ["Hidden until the question is answered."] : frame.header.explanation);
        },
    };
});

function section(title, ...children) {
    return element("section", { class: "id-section" }, element("h4", {}, title), ...children);
}

function list(ul, sentences) {
    const words = sentences.map(typeset), key = words.join("\n");
    if (ul.dataset.key === key) return;
    ul.dataset.key = key;
    ul.replaceChildren(...words.map((sentence) => element("li", {}, sentence)));
}
