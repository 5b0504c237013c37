// Predict before you see: a question about a later step, its answers, the run behind a veil, and then the truth.

import { element, uniqueId } from "./dom.js";

export class Predict {
    // unit: what steps are called. lengths: how many of them one may ask about, `usual` at first.
    // words(prediction): the line that is shown. label(option): an answer as its button says it. classes: of the section, and of the line.
    constructor(view, { unit, lengths, usual, words, label = (option) => option, classes }) {
        this.view = view;
        this.words = words;
        this.label = label;
        const id = uniqueId("steps");
        this.steps = element("select", { id }, ...lengths.map((steps) => element("option", { value: steps, selected: steps === usual }, `${steps} ${unit}`)));
        this.start = element(
            "div", { class: "dlc-row" },
            view.button("Predict", () => this.ask(), { title: `Guess what the next ${unit} bring, before you see it` }),
            element("label", { for: id }, "the next"), this.steps,
        );
        this.line = element("p", { class: classes.line });
        this.choices = element("div", { class: "dlc-row" });
        this.el = view.hideable("predict", element("section", { class: classes.section, "aria-live": "polite" }, this.start, this.line, this.choices));
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
        const open = isOpen(prediction);
        this.start.hidden = open;
        this.line.textContent = prediction ? this.words(prediction) : "";
        this.choices.replaceChildren(...(open ? this.buttons(prediction) : []));
    }

    buttons(prediction) {
        const cancel = this.view.button("Cancel", () => this.view.act("forget"));
        if (prediction.state === "running") return [cancel];
        return [...prediction.options.map((option, index) => this.view.button(this.label(option), () => this.answer(index))), cancel];
    }
}

// Whether something is hidden: the answer is still to come.
export function isOpen(prediction) {
    return Boolean(prediction) && prediction.state !== "revealed";
}

// Over the foot of a picture while a question is open: of which step it is, and until when.
export function veil(canvas, prediction, { height, opacity }) {
    if (!isOpen(prediction)) return;
    const { ctx, palette } = canvas;
    ctx.globalAlpha = opacity;
    ctx.fillStyle = palette.panel;
    ctx.fillRect(0, canvas.height - height, canvas.width, height);
    ctx.globalAlpha = 1;
    Object.assign(ctx, { fillStyle: palette.ink, textAlign: "center", textBaseline: "middle" });
    ctx.fillText(`as at step ${prediction.asked_at}, until step ${prediction.target}`, canvas.width / 2, canvas.height - height / 2);
}
