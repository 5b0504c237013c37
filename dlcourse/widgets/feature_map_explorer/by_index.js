// One of the pictures that were given, by its index: a field for the number, and a step to either side.

import { element, uniqueId } from "../js/dom.js";
import { Latest } from "../js/latest.js";

export class ByIndex {
    // name: what a picture is called, "Image".
    constructor(view, name) {
        this.view = view;
        const id = uniqueId("image"), what = name.toLowerCase();
        this.input = element("input", { type: "number", id, min: 0, step: 1 });
        this.shows = new Latest((args) => view.act("show", args));
        this.typing = false; // a frame that arrives meanwhile does not overwrite what is typed
        const on = (kind, then) => this.input.addEventListener(kind, then, { signal: view.signal });
        on("input", () => {
            this.typing = true;
        });
        on("change", () => {
            this.typing = false;
            this.go(Number(this.input.value));
        });
        on("blur", () => {
            this.typing = false;
        });
        const before = view.button("◀", () => this.go((this.index ?? 0) - 1), { title: `The ${what} before` });
        const next = view.button("▶", () => this.go((this.index ?? -1) + 1), { title: `The next ${what}` });
        for (const button of [before, next]) button.setAttribute("aria-label", button.title);
        this.parts = [element("label", { for: id }, name), before, this.input, next];
    }

    // Beyond either end it goes on at the other.
    go(wanted) {
        const { images } = this.view.frame.header;
        this.index = ((Math.round(wanted) || 0) % images + images) % images;
        return this.shows.want({ index: this.index });
    }

    paint({ header: { index, images } }) {
        this.input.max = images - 1;
        if (!this.shows.busy) this.index = index;
        if (!this.typing && (document.activeElement !== this.input || !this.shows.busy)) this.input.value = index ?? "";
    }
}
