// Predict before you see: the output is hidden until one of its numbers, or its size, is given.

import { element } from "../js/dom.js";
import { typed, typeset } from "./numbers.js";

export class Predict {
    constructor(view) {
        this.view = view;
        this.begin = [["value", "Predict a number"], ["size", "Predict the size"]].map(([of, words]) => (
            view.button(words, () => this.ask(of), { title: "Hide the output, and say what it is before you see it" })
        ));
        this.text = element("p", { class: "cs-question" });
        const field = (label) => element("input", { type: "text", inputmode: "text", autocomplete: "off", size: 6, "aria-label": label });
        this.number = field("Your number");
        this.rows = field("Rows");
        this.columns = field("Columns");
        this.one = element("span", {}, this.number);
        this.two = element("span", { class: "dlc-row" }, this.rows, element("span", { "aria-hidden": "true" }, "×"), this.columns);
        this.form = element("form", { class: "dlc-row" }, this.one, this.two,
            element("button", { type: "submit", class: "dlc-button" }, "Check"),
            view.button("Show me", () => view.act("reveal")), view.button("Cancel", () => view.act("forget")));
        this.form.addEventListener("submit", (event) => {
            event.preventDefault();
            this.check();
        }, { signal: view.signal });
        this.verdict = element("p", { class: "cs-verdict" });
        this.score = element("p", { class: "cs-note" });
        this.start = element("div", { class: "dlc-row" }, ...this.begin);
        this.el = view.hideable("predict", element("section", { class: "cs-predict" },
            this.start, this.text, this.form, element("div", { "aria-live": "polite" }, this.verdict), this.score));
        this.state = "";
    }

    async ask(of) {
        this.view.session.play(false);
        await this.view.act("ask", { of });
        this.wanted = true; // the focus goes to the field with the next frame
        this.view.repaint();
    }

    check() {
        const size = this.view.frame?.header.question?.of === "size";
        const given = (size ? [this.rows, this.columns] : [this.number]).map((field) => typed(field.value));
        if (given.includes(null)) {
            this.verdict.textContent = size ? "Type two whole numbers." : "Type a number, such as −0.5, or press Show me.";
            return;
        }
        this.view.act("guess", { answer: size ? given : given[0] }).then(({ right }) => {
            if (!right) (size ? this.rows : this.number).select();
        }, () => {});
    }

    paint({ header: { question, score } }) {
        const open = Boolean(question) && !question.solved, size = question?.of === "size";
        const held = this.form.contains(document.activeElement);
        const state = question ? `${question.of} ${score.answered} ${question.solved}` : "";
        if (!open || !this.open) for (const field of [this.number, this.rows, this.columns]) field.value = "";
        this.open = open;
        this.start.hidden = open;
        this.form.hidden = !open;
        this.one.hidden = size;
        this.two.hidden = !size;
        this.text.textContent = open ? question.text : "";
        if (this.said !== question?.verdict || state !== this.state) this.verdict.textContent = typeset(question?.verdict ?? "");
        this.said = question?.verdict;
        this.state = state;
        this.verdict.classList.toggle("cs-wrong", Boolean(question?.verdict) && !question.right);
        this.score.textContent = score.answered ? `${score.right} of ${score.answered} right at the first try` : "";
        if (open && this.wanted) (size ? this.rows : this.number).focus();
        if (!open && held) this.begin[size ? 1 : 0].focus({ preventScroll: true }); // the field that had it is gone
        this.wanted = false;
    }
}
