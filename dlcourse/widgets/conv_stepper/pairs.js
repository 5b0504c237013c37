// Controls for (rows, columns): one field for both while rows and columns are alike, else two.

import { element, uniqueId } from "../js/dom.js";

const PAIRS = ["size", "kernel_size", "stride", "padding", "dilation"];

export class Pairs {
    constructor(view) {
        this.view = view;
        this.linked = this.wanted = true; // wanted: what the switch was set to, if the numbers allow it
        this.box = element("input", { type: "checkbox", name: "linked" });
        this.box.addEventListener("change", () => this.link(this.box.checked), { signal: view.signal });
        this.switch = view.hideable("linked", element("div", { class: "dlc-control" }, element("label", { class: "dlc-box" }, this.box, "Rows and columns alike")));
        this.fields = {};
        this.made = Object.fromEntries(PAIRS.map((name) => [name, view.hideable(name, this.make(name))]));
    }

    control(name) {
        return this.made[name];
    }

    make(name) {
        const { label, help, low, high } = this.view.spec.params[name];
        const id = uniqueId(name);
        const fields = ["rows", "columns"].map((axis, index) => {
            const field = element("input", { type: "number", min: low, max: high, step: 1, name: `${name}-${axis}`, "aria-label": `${label}, ${axis}` });
            field.addEventListener("input", () => this.write(name, index, field.value), { signal: this.view.signal });
            field.addEventListener("blur", () => this.show(), { signal: this.view.signal });
            return field;
        });
        fields[0].id = id;
        this.fields[name] = { fields, label, low, high, times: element("span", { "aria-hidden": "true" }, "×") };
        const pair = element("span", { class: "cs-pair" }, fields[0], this.fields[name].times, fields[1]);
        return element("div", { class: "dlc-control", title: help, "data-param": name }, element("label", { for: id }, label), pair);
    }

    write(name, index, text) {
        const { low, high } = this.fields[name], value = Number(text);
        if (text === "" || !Number.isInteger(value) || value < low || value > high) return; // still typing
        const [rows, columns] = this.view.get(name);
        const next = this.linked ? [value, value] : index === 0 ? [value, columns] : [rows, value];
        this.view.set(name, next);
    }

    // Alike again: as many columns as rows.
    link(on) {
        this.wanted = on;
        if (on) {
            const { view } = this;
            const uneven = PAIRS.filter((name) => view.get(name)[0] !== view.get(name)[1]);
            for (const name of uneven) view.model.set(name, [view.get(name)[0], view.get(name)[0]]);
            if (uneven.length) view.set(uneven[0], view.get(uneven[0]));
        }
        this.show();
    }

    show() {
        const uneven = PAIRS.some((name) => this.view.get(name)[0] !== this.view.get(name)[1]);
        this.linked = this.wanted && !uneven;
        this.box.checked = this.linked;
        for (const name of PAIRS) {
            const { fields, label, times } = this.fields[name];
            fields[1].hidden = times.hidden = this.linked;
            fields[0].setAttribute("aria-label", this.linked ? label : `${label}, rows`);
            this.view.get(name).forEach((value, index) => {
                if (fields[index] !== document.activeElement || Number(fields[index].value) !== value) fields[index].value = value;
            });
        }
    }
}
