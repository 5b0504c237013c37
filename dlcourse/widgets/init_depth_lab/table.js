// The numbers of every layer as a table: the picture's twin, for those who read better than they see.

import { element } from "../js/dom.js";
import { figure, percent, rows } from "./numbers.js";

const HEADS = [
    ["Layer", "", null],
    ["std", "Standard deviation of its activations", (row) => figure(row.std)],
    ["predicted", "The same for very wide layers, before the first step", (row) => figure(row.predicted_std)],
    ["factor", "Of the mean square, from the layer below", (row) => figure(row.factor)],
    ["between", "Standard deviation between examples, unit by unit", (row) => figure(row.between)],
    ["silent", "Dead units, or saturated outputs", (row) => percent(row.silent ?? NaN)],
    ["gradient std", "Standard deviation of the gradient that arrives at its activations", (row) => figure(row.grad_std)],
    ["predicted", "The same for very wide layers, before the first step", (row) => figure(row.predicted_grad_std)],
    ["factor", "Of the gradient's mean square, from the layer above", (row) => figure(row.grad_factor)],
];

export class Table {
    constructor(view) {
        this.view = view;
        this.body = element("tbody");
        const heads = HEADS.map(([words, title]) => element("th", { scope: "col", title }, words));
        const caption = element("caption", { class: "dlc-unseen" }, "Each hidden layer, the last one first");
        this.table = element("table", { class: "id-table" }, caption, element("thead", {}, element("tr", {}, ...heads)), this.body);
        this.scroll = element("div", { class: "id-scroll", tabindex: 0, role: "region", "aria-label": "Numbers of every layer" }, this.table);
        this.el = element("details", {}, element("summary", {}, "The numbers of every layer"), this.scroll);
        this.el.addEventListener("toggle", () => view.repaint(), { signal: view.signal });
    }

    // Filled only while it is open.
    paint({ header, arrays }) {
        this.el.hidden = header.hidden;
        if (!this.el.open || header.hidden) return;
        const table = rows(arrays.layers, header.columns);
        if (this.body.children.length !== table.length) {
            this.body.replaceChildren(...table.map((_, index) => element(
                "tr", {}, element("th", { scope: "row" }, String(table.length - index)), ...HEADS.slice(1).map(() => element("td")),
            )));
        }
        [...table].reverse().forEach((row, index) => {
            const line = this.body.children[index];
            line.classList.toggle("id-chosen", table.length - index === header.layer);
            HEADS.slice(1).forEach(([, , words], column) => {
                const cell = line.children[column + 1], now = words(row);
                if (cell.textContent !== now) cell.textContent = now;
            });
        });
    }
}
