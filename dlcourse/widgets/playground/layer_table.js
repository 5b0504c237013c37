// How large the gradient is in each layer, and how many units no longer answer to anything.

import { element } from "../js/dom.js";
import { text } from "../js/scale.js";

const LOW = 1e-5, HIGH = 10; // of the bars, which are logarithmic

const HEADS = [
    ["Layer", ""],
    ["Gradient norm", "How large the last step's gradient is in this layer"],
    ["Silent units", "Units that no longer react to any training point: dead (slope 0 everywhere) or saturated (at the end of their range)"],
];

export class LayerTable {
    constructor(view) {
        this.rows = element("tbody");
        this.table = element(
            "table", { class: "pg-table" },
            element("thead", {}, element("tr", {}, ...HEADS.map(([words, title]) => element("th", { scope: "col", title }, words)))),
            this.rows,
        );
        this.el = view.hideable("layer_table", element("section", { class: "pg-section" }, element("h4", {}, "Layers"), this.table));
    }

    paint({ header }) {
        const { layers } = header;
        if (this.rows.children.length !== layers.length) {
            this.rows.replaceChildren(...layers.map((_, index) => {
                const name = index === layers.length - 1 ? "output" : `${index + 1}`;
                const bar = element("span", { class: "pg-bar", "aria-hidden": "true" });
                return element("tr", {}, element("th", { scope: "row" }, name), element("td", {}, bar, element("span")), element("td"));
            }));
        }
        layers.forEach((layer, index) => {
            const [, norm, silent] = this.rows.children[index].children;
            norm.firstChild.style.width = `${64 * share(layer.grad_norm)}px`;
            norm.lastChild.textContent = text(layer.grad_norm, 2);
            silent.textContent = layer.dead === null || index === layers.length - 1 ? "–" : `${layer.dead} of ${layer.units} ${layer.dead_word}`;
            silent.classList.toggle("pg-alarm", layer.dead > 0);
        });
    }
}

export function share(norm) {
    if (!norm) return 0;
    return Math.min(Math.max(Math.log(norm / LOW) / Math.log(HIGH / LOW), 0.02), 1);
}
