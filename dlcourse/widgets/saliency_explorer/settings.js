// The picture one explains, what is explained and from where, how much of the network is left, and the question before.

import { element, uniqueId } from "../js/dom.js";
import { ByIndex } from "../feature_map_explorer/by_index.js";
import { words } from "../attack_explorer/settings.js";
import { layersAt } from "./look.js";

export class Images {
    constructor(view) {
        this.which = new ByIndex(view, "Picture");
        this.label = element("p", { class: "sx-note" });
        this.el = view.hideable("images", element("div", { class: "sx-images" }, element("div", { class: "dlc-row" }, ...this.which.parts), this.label));
    }

    paint(frame) {
        const { index, label, images } = frame.header;
        this.which.paint(frame);
        this.label.textContent = `${index === null ? "Now a drawing" : `Class ${label}`}. ${images} pictures, counted from 0.`;
    }
}

export class Settings {
    constructor(view) {
        this.view = view;
        const id = uniqueId("target");
        this.target = element("select", { id });
        this.target.addEventListener("change", () => view.set("target", this.target.value), { signal: view.signal });
        this.layers = new Layers(view);
        this.key = "";
        this.el = element("section", { class: "sx-settings", "aria-label": "What is explained, and how" },
            element("h3", { class: "sx-head" }, "What is explained"),
            view.hideable("target", element("div", { class: "dlc-control", title: "The class whose logit is explained" }, element("label", { for: id }, "Target"), this.target)),
            view.control("baseline"),
            element("h3", { class: "sx-head" }, "What is left of the network"),
            this.layers.el,
            element("div", { class: "dlc-row sx-seed" }, view.control("seed"),
                view.button("Draw anew", () => view.act("anew"), { name: "anew", title: "The same layers, from the next seed" })),
            this.layers.words);
    }

    paint({ header: { classes, index, label, layers, target } }) {
        const own = index === null ? "The answer (a drawing has no label)" : `The label (${label})`;
        const options = [["label", own], ["answer", "The network's answer"], ...classes.map((name) => [name, name])];
        const key = JSON.stringify(options);
        if (key !== this.key) this.target.replaceChildren(...options.map(([value, text]) => element("option", { value }, text)));
        this.key = key;
        this.target.value = this.view.get("target");
        this.target.title = `Now: ${target.name}`;
        this.layers.paint(layers);
    }
}

// How many layers have lost what they learned: as many stops as this network has layers.
class Layers {
    constructor(view) {
        this.view = view;
        const id = uniqueId("layers");
        this.input = element("input", { type: "range", id, name: "layers", min: 0, max: 0, step: 1 });
        this.input.addEventListener("input", () => view.set("layers", Number(this.input.value)), { signal: view.signal });
        this.count = element("output", { "aria-hidden": "true" });
        const { label, help } = view.spec.params.layers;
        this.el = view.hideable("layers", element("div", { class: "dlc-control", title: help }, element("label", { for: id }, label), this.input, this.count));
        this.words = view.hideable("layers", element("p", { class: "sx-note" }));
    }

    paint({ names, count, words: said }) {
        this.input.max = names.length;
        this.input.disabled = !names.length;
        this.input.value = this.view.get("layers");
        this.input.setAttribute("aria-valuetext", layersAt(names, count));
        this.count.textContent = `${count} of ${names.length}`;
        this.words.textContent = `${said}.`;
    }
}

export class Predict {
    constructor(view) {
        this.view = view;
        this.start = element("div", { class: "dlc-row" }, view.button("Predict: which map will change least?", () => view.act("ask"),
            { title: "Say it before the last layer is drawn anew, then see it" }));
        this.text = element("p", { class: "sx-question", id: uniqueId("question") });
        this.choices = element("div", { class: "dlc-row", role: "group", "aria-labelledby": this.text.id });
        this.el = view.hideable("predict", element("section", { class: "sx-predict", "aria-live": "polite" }, this.start, this.text, this.choices));
        this.state = null;
    }

    paint({ header: { question, layers } }) {
        this.start.querySelector("button").disabled = !layers.names.length;
        const state = question && `${question.state} ${question.text} ${question.asked_count}`;
        if (state === this.state) return;
        this.state = state;
        const open = question?.state === "asked", had = this.el.contains(document.activeElement);
        this.start.hidden = open;
        this.text.textContent = question ? words(question) : "";
        this.choices.replaceChildren(...(open ? this.buttons(question) : []));
        if (had) (open ? this.choices : this.start).querySelector("button").focus(); // not lost with the button
    }

    buttons({ options }) {
        const cancel = this.view.button("Cancel", () => this.view.act("forget"));
        return [...options.map((option, index) => this.view.button(option, () => this.view.act("guess", { option: index }))), cancel];
    }
}

// The program in the open Code panel is that of what is on screen, also when that has changed since.
export class Program {
    constructor(view) {
        Object.assign(this, { view, key: "" });
    }

    async follow({ header: { target, index, strokes, ids, cells, picked, layers } }) {
        const { view } = this, text = view.el.querySelector('.dlc-panel[data-action="to_code"] textarea');
        const key = JSON.stringify([target, index, strokes, ids, cells, picked, layers.count, ...["seed", "baseline", "pen"].map((name) => view.get(name))]);
        if (key === this.key) return;
        this.key = key;
        if (!text) return;
        const program = await view.act("to_code").catch(() => null);
        if (program !== null && this.key === key) text.value = program;
    }
}
