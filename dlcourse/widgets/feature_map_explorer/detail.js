// One unit in large: what it sees, how its value came about, and the patches of the data set that its channel likes best.

import { Canvas } from "../js/canvas.js";
import { element } from "../js/dom.js";
import { bytesOf, colours, pixels, short } from "./look.js";

const SIDE = 44; // pixels of a kernel or a patch

export class Unit {
    constructor(view) {
        this.view = view;
        this.head = element("h3", { class: "fx-head" });
        this.sees = element("p");
        this.way = element("ol", { class: "fx-way" });
        this.sum = element("div", { class: "fx-sum" });
        this.el = view.hideable("unit", element("div", { class: "fx-unit", role: "group", "aria-label": "The chosen unit" }, this.head, this.sees, this.way, this.sum));
        this.rows = [];
    }

    paint({ header, arrays }) {
        const { unit, layer } = header;
        this.head.textContent = `Channel ${unit.channel}, row ${unit.row}, column ${unit.column} of ${layer.name}: ${short(unit.value)}`;
        const zero = unit.off ? " The channel is switched off." : unit.silent ? " The channel is 0 everywhere on this picture." : "";
        this.sees.textContent = `It sees ${unit.sees}.${zero}`;
        const way = [...unit.way].reverse();
        this.way.replaceChildren(...(unit.way.length > 1 || unit.ends || unit.way[0].how ? way.map((place) => this.place(place, layer)) : []));
        if (unit.ends) this.way.append(element("li", {}, `From here on: ${unit.ends}.`));
        this.paintSum(unit.terms, arrays);
    }

    place({ layer, row, column, value, how }) {
        return element("li", {}, `${layer}, row ${row}, column ${column}${how ? `, ${how}` : ""}: `, element("b", {}, short(value)));
    }

    paintSum(terms, { inputs, kernels }) {
        if (!terms) {
            this.sum.replaceChildren();
            this.rows = [];
            return;
        }
        const [count, height, width] = kernels.shape, size = height * width;
        const { palette } = this.view;
        const most = (numbers) => numbers.reduce((best, value) => Math.max(best, Math.abs(value) || 0), 0) || 1;
        const [strongest, reach] = [most(inputs.data), most(kernels.data)], signed = inputs.data.some((value) => value < 0);
        const rows = Array.from({ length: count }, (_, index) => {
            const slice = (array) => array.data.subarray(index * size, (index + 1) * size);
            const from = terms.of_picture ? "the picture" : `channel ${terms.channels[index]}`;
            const below = this.square(height, width, `Input from ${from}: ${range(slice(inputs))}`, bytesOf(slice(inputs), signed ? -strongest : 0, strongest), signed ? "signed" : terms.of_picture ? "ink" : "positive", palette);
            const kernel = this.square(height, width, `Kernel for ${from}: weights ${range(slice(kernels))}`, bytesOf(slice(kernels), -reach, reach), "signed", palette);
            return element("tr", {}, element("th", { scope: "row" }, from), element("td", {}, below), element("td", {}, kernel), element("td", { class: "fx-number" }, short(terms.sums[index])));
        });
        const line = (words, value) => element("tr", {}, element("th", { scope: "row", colspan: 3 }, words), element("td", { class: "fx-number" }, short(value)));
        if (terms.others) rows.push(line(`${terms.others} weaker channel${terms.others === 1 ? "" : "s"} together`, terms.rest));
        if (terms.has_bias) rows.push(line("bias", terms.bias));
        const total = line(`sum: the value in ${terms.layer}`, terms.value);
        total.className = "fx-total";
        const heads = ["from", "input", "× kernel", "= adds"].map((name) => element("th", { scope: "col" }, name));
        this.sum.replaceChildren(
            element("table", { class: "fx-terms" },
                element("caption", {}, terms.of_picture ? `What ${terms.layer} adds up` : `What ${terms.layer} adds up, the strongest of its input channels first`),
                element("thead", {}, element("tr", {}, ...heads)), element("tbody", {}, ...rows, total)),
            element("p", { class: "fx-note" }, `Orange is above 0, blue below${terms.of_picture ? ", grey is ink" : ""}. Strongest colour: input ${signed ? "±" : ""}${short(strongest)}, kernel ±${short(reach)}.`),
        );
    }

    square(rows, columns, label, bytes, kind, palette) {
        const cell = Math.max(4, Math.floor(SIDE / Math.max(rows, columns)));
        const canvas = new Canvas(this.view, { label, width: cell * columns, height: cell * rows });
        canvas.el.style.width = `${cell * columns}px`;
        canvas.draw((ctx) => pixels(ctx, bytes, [rows, columns], [0, 0, cell * columns, cell * rows], colours(palette, kind)));
        return canvas.el;
    }
}

function range(numbers) {
    return `from ${short(Math.min(...numbers))} to ${short(Math.max(...numbers))}`;
}

export class Patches {
    constructor(view) {
        this.view = view;
        this.head = element("h3", { class: "fx-head" });
        this.find = view.button("Find them", () => this.start(), { title: "Look through all the images, a few at a time" });
        this.bar = element("progress", { "aria-label": "Images looked at" });
        this.count = element("span");
        this.list = element("div", { class: "fx-patches" });
        this.note = element("p", { class: "fx-note" });
        this.el = view.hideable("patches", element(
            "div", { class: "fx-best", role: "group", "aria-label": "Best patches" },
            this.head, element("div", { class: "dlc-row" }, this.find, this.bar, this.count), this.list, this.note,
        ));
        this.key = "";
    }

    async start() {
        const { session } = this.view;
        if (this.view.frame.header.search.state === "searching") {
            session.play(false);
            return this.view.act("stop");
        }
        await this.view.act("find");
        return session.play(true);
    }

    paint({ header, arrays }) {
        const { search, unit, layer } = header;
        this.head.textContent = `What excites channel ${unit.channel} of ${layer.name} most`;
        this.find.hidden = search.state === "finished";
        this.find.textContent = { none: `Find the best patches of ${layer.name}`, searching: "Stop", stopped: "Go on" }[search.state] ?? "";
        const open = search.state === "searching" || search.state === "stopped";
        Object.assign(this.bar, { hidden: !open, max: search.total, value: search.done });
        this.count.textContent = open ? `${search.done} of ${search.total} images` : "";
        this.paintList(header, arrays.patches);
    }

    paintList({ search, unit, layer, shape }, { data, shape: [count, rows, columns] }) {
        const key = JSON.stringify([search.patches, search.silent && search.done, search.state, unit.channel, layer.name, this.view.palette.dark]);
        if (key === this.key) return;
        this.key = key;
        const size = rows * columns, cell = Math.max(1, Math.floor(SIDE / Math.max(rows, columns, 1)));
        const table = colours(this.view.palette, "ink");
        const at = [...this.list.children].indexOf(document.activeElement);
        this.list.replaceChildren(...search.patches.map(({ image, label, value, row, column }, index) => {
            const words = `Show image ${image}, class ${label}: ${short(value)} at row ${row}, column ${column}`;
            const canvas = new Canvas(this.view, { label: words, width: cell * columns, height: cell * rows });
            canvas.el.style.width = `${cell * columns}px`;
            canvas.draw((ctx) => pixels(ctx, data.subarray(index * size, (index + 1) * size), [rows, columns], [0, 0, cell * columns, cell * rows], table));
            const button = this.view.button("", () => this.open(image, unit.channel, row, column), { title: words });
            button.setAttribute("aria-label", words);
            button.append(element("span", {}, /^\d+$/.test(label) ? `class ${label}` : label), canvas.el, element("span", { class: "fx-value" }, short(value)));
            return button;
        }));
        if (at >= 0) this.list.children[Math.min(at, count - 1)]?.focus();
        const larger = layer.field.size[0] > shape[0] || layer.field.size[1] > shape[1];
        this.note.textContent = search.silent ? `Channel ${unit.channel} is 0 on all ${search.done} images${search.state === "finished" ? ": nothing excites it." : " so far."}`
            : !count ? "Sought among all the images, with all channels on; one patch from each image at most."
                : `Class above, value below; one from each image at most.${larger ? " The field is larger than the picture, which is shown whole." : data.includes(255) ? " Pale green: beyond the picture's edge." : ""}`;
    }

    async open(image, channel, row, column) {
        await this.view.act("show", { index: image });
        await this.view.act("look", { channel, row, column });
    }
}
