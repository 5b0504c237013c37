// The stepper's view: settings on the left; the picture, the kernel and the output beside them; the sum behind a cell.

import { element } from "../js/dom.js";
import { Latest } from "../js/latest.js";
import { widget } from "../js/widget.js";
import { Brush } from "./brush.js";
import { Grid } from "./grid.js";
import { Kernel } from "./kernel.js";
import { typeset } from "./numbers.js";
import { Pairs } from "./pairs.js";
import { Predict } from "./predict.js";
import { Products } from "./products.js";

export default widget((view) => {
    const pairs = new Pairs(view), kernel = new Kernel(view), products = new Products(view), predict = new Predict(view);
    const maps = new Maps(view, kernel);
    const undo = view.button("Undo", () => view.act("undo"), { title: "Take the last change of picture or kernel back" });
    const clear = view.button("Clear", () => view.act("clear"), { title: "An empty picture" });
    const layer = {};
    for (const name of ["preset", "flip", "bias", "count_padding", "seed"]) layer[name] = view.control(name);
    const formula = element("section", { class: "cs-section" }), field = element("section", { class: "cs-section" });
    view.body.append(
        element("div", { class: "cs-left" },
            section("Picture", view.control("example"), layer.seed, pairs.control("size"), view.control("brush"), element("div", { class: "dlc-row" }, undo, clear)),
            section("Layer", view.control("mode"), layer.preset, pairs.control("kernel_size"), pairs.control("stride"), pairs.control("padding"),
                pairs.control("dilation"), pairs.switch, layer.bias, layer.flip, layer.count_padding),
            section("View", view.control("layers"), view.control("show"), view.control("pace")),
        ),
        element("div", { class: "cs-right" },
            maps.el,
            view.hideable("products", products.el), predict.el,
            element("div", { class: "cs-two" }, view.hideable("formula", formula), view.hideable("field", field)),
        ),
    );
    return {
        paint(frame) {
            const { header } = frame;
            for (const part of [maps, kernel, products, predict]) part.paint(frame);
            undo.disabled = !header.undoable;
            for (const name of ["preset", "flip", "bias"]) layer[name].hidden = header.mode !== "kernel";
            layer.count_padding.hidden = header.mode !== "average" || !view.get("padding").some(Boolean);
            layer.seed.hidden = !["digit", "photograph", "noise"].includes(view.get("example"));
            pairs.control("dilation").hidden = header.mode === "average";
            lines(formula, "Size of the output", header.formula ? sizes(header.formula) : ["Hidden until the question is answered."]);
            lines(field, "Receptive field", header.field.map(typeset));
        },
        heard(what) {
            if (what !== "params") return;
            pairs.show();
            maps.awaits();
        },
    };
});

const NOWHERE = { rows: [], columns: [] };

// The picture, the kernel, and a map for each layer.
class Maps {
    constructor(view, kernel) {
        this.view = view;
        this.brush = new Brush(view);
        const { brush } = this;
        this.picture = new Grid(view, "Picture", {
            press: (at) => brush.press(at), drag: (at) => brush.drag(at), release: () => brush.release(), key: (key, at) => brush.key(key, at),
        });
        this.goes = new Latest(([row, column]) => view.act("go", { row, column }));
        const pick = (at) => this.goes.want(at);
        this.output = new Grid(view, "Output", { pick, drag: (at) => this.output.focus(at) });
        this.between = [1, 2, 3].map((level) => new Grid(view, `Layer ${level}`));
        this.hint = element("p", { class: "cs-note" }, "Paint with the mouse, or move with the arrow keys: Space paints, 0 to 9 put that number, − turns the sign. In the output, click or use the arrow keys to move the window. Rows and columns are counted from 0, as in Python.");
        this.wait = element("p", { class: "cs-note cs-wait", role: "status" });
        this.unknown = element("section", { class: "cs-map", hidden: true }, element("h4", {}, "Output, ? × ?"), element("p", { class: "cs-note" }, "Hidden until the question is answered."));
        this.el = element("div", { class: "cs-maps" },
            view.hideable("picture_panel", this.picture.el), view.hideable("kernel_panel", kernel.el),
            ...this.between.map((grid) => grid.el), view.hideable("output_panel", element("div", { class: "cs-map" }, this.output.el, this.unknown)), this.wait, this.hint);
    }

    // The first photograph or digit has to be read from a file, which takes a moment.
    awaits() {
        const { view } = this, wanted = view.get("example");
        const waits = view.frame && view.frame.header.example !== wanted && ["photograph", "digit"].includes(wanted);
        const words = waits ? `Fetching a ${wanted} …` : "";
        if (this.wait.textContent !== words) this.wait.textContent = words;
        this.el.classList.toggle("cs-waits", Boolean(waits));
    }

    paint({ header, arrays }) {
        this.awaits();
        const { maps, layers, hidden, taps, at } = header, show = this.view.get("show");
        const paths = (level) => arrays[`paths${level}`].data;
        const below = (level) => (level === layers - 1 ? taps : null);
        const numbers = this.brush.over(arrays.map0.data, maps[0].size[1]);
        this.picture.paint(maps[0], numbers, paths(0), { show, places: below(0), said: "Space paints the cell." });
        this.between.forEach((grid, index) => {
            const level = index + 1, there = hidden !== "size" && level < layers;
            grid.el.hidden = !there;
            if (there) grid.paint(maps[level], arrays[`map${level}`].data, paths(level), { show, places: below(level) });
        });
        this.output.el.hidden = hidden === "size";
        this.unknown.hidden = hidden !== "size";
        if (hidden === "size") return;
        const last = show === "paths" && hidden ? "values" : show;
        this.output.paint(maps[layers], arrays[`map${layers}`].data, paths(layers), { show: last, places: NOWHERE, said: "Arrow keys move the window." });
        if (!this.goes.busy) this.follow(at);
    }

    // The window may have been moved by play or by a cell of the notebook.
    follow(at) {
        const held = this.output.box.contains(document.activeElement);
        this.output.tab(at);
        if (held) this.output.cell(at).focus({ preventScroll: true });
    }
}

function section(title, ...children) {
    return element("section", { class: "cs-section" }, element("h4", {}, title), ...children);
}

function sizes({ general, letters, rows, columns, chain }) {
    const steps = chain ? [`size after each layer: ${chain}`] : [];
    return [general, letters, `rows: ${rows}`, `columns: ${columns}`, ...steps].map(typeset);
}

function lines(el, title, texts) {
    const key = texts.join("\n");
    if (el.dataset.key === key) return;
    el.dataset.key = key;
    el.hidden = texts.length === 0;
    el.replaceChildren(element("h4", {}, title), ...texts.map((text) => element("p", {}, text)));
}
