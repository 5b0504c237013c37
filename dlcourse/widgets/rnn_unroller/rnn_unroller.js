// The unroller's view: settings on the left, the text, its states and its gradient beside them, one step and the map below.

import { element, uniqueId } from "../js/dom.js";
import { Latest } from "../js/latest.js";
import { widget } from "../js/widget.js";
import { Chart } from "./chart.js";
import { clamp, typeset } from "./numbers.js";
import { States, Strip } from "./states.js";
import { Next, Step, fill } from "./step.js";

export default widget((view) => {
    const scrub = new Latest((args) => view.act("scrub", args));
    let wish = null;
    // Where the next key counts from: where the last one led, if the kernel has not answered yet.
    const at = () => ({ step: scrub.busy ? wish : view.frame.header.run.step, unit: view.get("unit") });
    // Where the hand wants to be; null: as it is.
    const go = (step, unit) => {
        const { run, units } = view.frame.header;
        if (unit !== null) {
            const chosen = clamp(unit, 0, units - 1);
            if (chosen !== view.get("unit")) view.set("unit", chosen);
        }
        if (step === null) return;
        const wanted = clamp(step, run.first, run.last);
        if (view.session.playing) view.session.play(false);
        if (wanted === at().step) return;
        wish = wanted;
        scrub.want({ step: wanted });
    };
    const line = new Line(view), states = new States(view, at, go), strip = new Strip(view, go);
    const step = new Step(view, go), next = new Next(), chart = new Chart(view);
    const controls = Object.fromEntries(["cell", "units", "radius", "activation", "start", "bias", "longest", "seed", "pace"].map((name) => [name, view.control(name)]));
    const cell = element("section", { class: "ru-section" }, element("h4", {}, "Cell"), ...Object.values(controls));
    const why = element("ul", { class: "ru-why" });
    const reasons = element("section", { class: "ru-section" }, element("h4", {}, "What happens, and why"), why);
    view.body.append(
        element("div", { class: "ru-left" }, cell, view.hideable("next", next.el)),
        element(
            "div", { class: "ru-right" },
            view.hideable("text_line", line.el), view.hideable("states_panel", states.el), view.hideable("strip", strip.el),
            element("div", { class: "ru-two" }, view.hideable("step_panel", step.el), view.hideable("map", chart.el)),
            view.hideable("explanation", reasons),
        ),
    );
    return {
        paint(frame) {
            const { kind, own, explanation } = frame.header;
            const gated = kind !== "rnn", start = view.get("start");
            for (const [name, here] of [["radius", !gated], ["activation", !gated], ["start", gated], ["bias", gated && start === "forget_bias"], ["longest", gated && start === "chrono"]]) {
                controls[name].hidden = own || !here;
            }
            for (const part of [line, states, strip, step, next, chart]) part.paint(frame);
            const words = explanation.map(typeset);
            fill(why, words.join("\n"), () => words.map((text) => element("li", {}, text)));
        },
    };
});

// The text: each change is read at once. What the engine refuses stays in the field, and the reason is shown.
class Line {
    constructor(view) {
        const id = uniqueId("text");
        this.view = view;
        this.field = element("textarea", { id, rows: 2, spellcheck: "false", autocomplete: "off", class: "ru-text" });
        this.note = element("p", { class: "ru-note", role: "status" });
        this.sent = new Latest((args) => view.act("read", args));
        this.field.addEventListener("input", () => {
            const text = this.field.value;
            this.note.textContent = text ? "" : "An empty text has no steps: type a character.";
            if (text) this.sent.want({ text });
        }, { signal: view.signal });
        this.el = element("section", { class: "ru-section" }, element("label", { for: id }, "Text, a step for each character"), this.field, this.note);
        this.shown = null;
    }

    paint({ header: { text } }) {
        this.el.hidden = text === null;
        if (text === null || text === this.shown) return;
        this.shown = text;
        if (!this.sent.busy && this.field.value !== text) {
            this.field.value = text;
            this.note.textContent = "";
        }
    }
}
