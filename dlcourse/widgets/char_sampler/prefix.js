// The prefix, typed. What the model does not know is said, and stays in the field to be mended.

import { element, uniqueId } from "../js/dom.js";
import { Latest } from "../js/latest.js";

export class Prefix {
    constructor(view) {
        const { label, help, most } = view.spec.params.prefix;
        const id = uniqueId("prefix");
        this.field = element("textarea", { id, rows: 2, maxlength: most, spellcheck: "false", autocomplete: "off", "aria-description": help });
        this.el = view.hideable("prefix", element("div", { class: "cs-prefix-field" }, element("label", { for: id, title: help }, label), this.field));
        this.refused = false;
        const latest = new Latest((args) => {
            this.asked = args.prefix;
            return view.act("write", args).then(() => this.judge(false), () => this.judge(true));
        });
        this.field.addEventListener("input", () => {
            if (view.session.playing) view.session.play(false);
            latest.want({ prefix: this.field.value });
        }, { signal: view.signal });
    }

    judge(refused) {
        this.refused = refused;
        if (refused) this.field.setAttribute("aria-invalid", "true");
        else this.field.removeAttribute("aria-invalid");
    }

    // A prefix that this field has sent is not written into it, or what was typed meanwhile would be lost.
    paint({ prefix }) {
        const foreign = prefix !== this.known && prefix !== this.asked;
        this.known = prefix;
        if (!foreign && (this.refused || this.field === document.activeElement)) return;
        if (this.field.value !== prefix) this.field.value = prefix;
        this.judge(false);
    }
}
