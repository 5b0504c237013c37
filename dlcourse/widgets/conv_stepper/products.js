// What lies behind the chosen output cell: the products place by place, and their sum.

import { element } from "../js/dom.js";
import { blend } from "../js/palette.js";
import { number, reach, typeset } from "./numbers.js";

export class Products {
    constructor(view) {
        this.view = view;
        this.heading = element("h4");
        this.grid = element("div", { class: "cs-products", role: "img" });
        this.lines = element("div", { class: "cs-sums" });
        this.reasons = element("ul", { class: "cs-why" });
        this.body = element("div", { class: "cs-behind" }, this.grid, this.lines);
        this.el = element("section", { class: "cs-section" }, this.heading, this.body, this.reasons);
    }

    paint({ header, arrays }) {
        const { at, hidden, sums, explanation, mode } = header;
        this.heading.textContent = hidden ? "Behind this cell" : `Behind output row ${at[0]}, column ${at[1]}`;
        this.body.hidden = Boolean(hidden);
        list(this.reasons, hidden ? ["Hidden until the question is answered."] : explanation.map(typeset));
        if (hidden) return;
        const [rows, columns] = arrays.kernel.shape;
        const { values: { data: values }, weights: { data: weights }, products: { data: products } } = arrays;
        const { palette } = this.view;
        const shown = mode === "kernel" ? products : values;
        const most = reach(shown), best = Math.max(...Array.from(values).filter((value) => !Number.isNaN(value)));
        this.grid.style.setProperty("--cs-columns", columns);
        this.grid.setAttribute("aria-label", `The ${rows} by ${columns} places of the window: ${sums.map(typeset).join("; ")}`);
        const { rows: down, columns: across } = header.taps, size = header.maps.at(-2).size;
        const cells = Array.from(values, (value, index) => {
            const row = down[Math.floor(index / columns)], column = across[index % columns];
            const outside = row < 0 || column < 0 || row >= size[0] || column >= size[1];
            const made = element("div", { class: `cs-product${outside ? " cs-pad" : ""}${mode === "max" && value === best ? " cs-best" : ""}` });
            if (mode === "kernel") made.append(element("span", {}, `${number(value)} × ${brackets(weights[index])}`), element("strong", {}, number(products[index])));
            else made.append(element("strong", {}, Number.isNaN(value) ? (mode === "max" ? "−∞" : "") : number(value)));
            if (!outside) made.style.backgroundColor = `rgb(${blend(palette.field, 0.5 + shown[index] / (2 * most)).join()})`;
            return made;
        });
        this.grid.replaceChildren(...cells);
        const last = sums.length - 1;
        this.lines.replaceChildren(...sums.map((line, index) => element("p", index === last ? { class: "cs-result" } : {}, typeset(line))));
    }
}

function brackets(value) {
    return value < 0 ? `(${number(value)})` : number(value);
}

export function list(ul, sentences) {
    const key = sentences.join("\n");
    if (ul.dataset.key === key) return;
    ul.dataset.key = key;
    ul.replaceChildren(...sentences.map((sentence) => element("li", {}, sentence)));
}
