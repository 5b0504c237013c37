// Predict before you see: a question, three answers, the game behind a veil, and then the truth.

import { element, uniqueId } from "../js/dom.js";

export class Predict {
    constructor(view) {
        this.view = view;
        const id = uniqueId("steps");
        this.steps = element("select", { id }, ...[200, 500, 1000, 2000].map((steps) => element("option", { value: steps, selected: steps === 500 }, `${steps} updates`)));
        this.start = element(
            "div", { class: "dlc-row" },
            view.button("Predict", () => this.ask(), { title: "Guess what the next updates bring, before you see it" }),
            element("label", { for: id }, "the next"), this.steps,
        );
        this.text = element("p", { class: "gl-hint" });
        this.choices = element("div", { class: "dlc-row" });
        this.el = view.hideable("predict", element("section", { class: "gl-section", "aria-live": "polite" }, this.start, this.text, this.choices));
        this.state = null;
    }

    ask() {
        this.view.session.play(false);
        return this.view.act("ask", { steps: Number(this.steps.value) });
    }

    async answer(option) {
        await this.view.act("guess", { option });
        this.view.session.play(true);
    }

    paint({ header: { prediction } }) {
        const state = prediction && `${prediction.state} ${prediction.target} ${prediction.asked_count}`;
        if (state === this.state) return;
        this.state = state;
        const open = prediction && prediction.state !== "revealed";
        this.start.hidden = Boolean(open);
        this.text.textContent = prediction ? words(prediction) : "";
        this.choices.replaceChildren(...(open ? this.buttons(prediction) : []));
    }

    buttons(prediction) {
        const cancel = this.view.button("Cancel", () => this.view.act("forget"));
        if (prediction.state === "running") return [cancel];
        return [...prediction.options.map((option, index) => this.view.button(capital(option), () => this.answer(index))), cancel];
    }
}

export function words(prediction) {
    const { state, text, target, options, guess, found, right, answered_at: at, asked_count: asked, right_count: hits } = prediction;
    if (state === "asked") return text;
    if (state === "running") return `You said: ${options[guess]}. The answer comes at step ${target}.`;
    if (right === null) return `The game ended at step ${at}, before step ${target}: no answer, and not counted.`;
    const verdict = right ? "You were right" : `You said: ${options[guess]}`;
    return `${verdict}. At step ${at}, ${found}. So far ${hits} of ${asked} predictions were right.`;
}

function capital(words) {
    return words[0].toUpperCase() + words.slice(1);
}
