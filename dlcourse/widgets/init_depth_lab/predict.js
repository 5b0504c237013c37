// Predict before you see: everything measured is hidden until one of three answers is chosen.

import { element, uniqueId } from "../js/dom.js";
import { figure } from "./numbers.js";

export class Predict {
    constructor(view) {
        this.view = view;
        const id = uniqueId("of");
        this.of = element("select", { id }, element("option", { value: "activations" }, "activations"), element("option", { value: "gradient" }, "gradient"));
        this.begin = view.button("Predict", () => this.ask(), { title: "Hide the pictures, choose settings, and guess before you see" });
        this.start = element(
            "div", { class: "dlc-row" }, this.begin,
            element("label", { for: id }, "the"), this.of,
        );
        this.text = element("p", { class: "id-question" });
        this.choices = element("div", { class: "id-choices" });
        this.el = view.hideable("predict", element("section", { class: "id-section", "aria-live": "polite" }, this.start, this.text, this.choices));
        this.state = null;
    }

    ask() {
        this.view.session.play(false);
        return this.view.act("ask", { of: this.of.value });
    }

    paint({ header: { question, layers } }) {
        const state = question && `${question.state} ${question.of} ${layers} ${question.guess} ${question.asked_count}`;
        if (state === this.state) return;
        this.state = state;
        const open = question?.state === "asked", focused = this.choices.contains(document.activeElement);
        this.start.hidden = Boolean(open);
        this.text.textContent = question ? words(question) : "";
        this.choices.replaceChildren(...(open ? this.buttons(question) : []));
        if (focused && !open) this.begin.focus({ preventScroll: true }); // the button that had it is gone
    }

    buttons({ options }) {
        const answers = options.map((option, index) => this.view.button(option, () => this.view.act("guess", { option: index })));
        return [...answers, this.view.button("Cancel", () => this.view.act("forget"))];
    }
}

export function words(question) {
    const { state, text, options, guess, answer, right, ratio, asked_count: asked, right_count: hits } = question;
    if (state === "asked") return `Choose settings that you have not seen yet. ${text}`;
    const count = ` So far ${hits} of ${asked} predictions were right.`;
    if (answer === null) return "No answer: the layer to compare with is at 0, or not finite. Not counted.";
    const found = ratio === null ? "beyond what float32 can hold" : `${figure(ratio)} times as large`;
    return `${right ? "You were right" : `You said ${options[guess]}`}: it is ${found}, ${options[answer]}.${count}`;
}
