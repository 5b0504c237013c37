// The settings, the pictures one may attack, the three moves of a step, and the question before the answer.

import { element, uniqueId } from "../js/dom.js";
import { ByIndex } from "../feature_map_explorer/by_index.js";
import { MOVES, moveIndex } from "./look.js";

const NAMES = ["threat", "eps", "attack", "steps", "step_share", "random", "seed", "pace"];

export class Settings {
    constructor(view) {
        this.view = view;
        this.controls = Object.fromEntries(NAMES.map((name) => [name, view.control(name)]));
        this.target = new Pick(view, "Target", (value) => view.set("target", value), "The answer that the attack is after");
        const { threat, eps, attack, steps, step_share: share, random, seed, pace } = this.controls;
        this.el = element("section", { class: "ax-settings", "aria-label": "The attack" },
            element("h3", { class: "ax-head" }, "The attack"), threat, eps, attack, steps, share, view.hideable("target", this.target.el), random, seed, pace);
    }

    paint({ header: { classes } }) {
        const { view } = this, one = view.get("attack") === "FGSM";
        this.controls.steps.hidden = this.controls.step_share.hidden = one;
        this.target.paint([["", "none"], ...classes.map((name) => [name, name])], view.get("target"));
    }
}

// A choice whose options only the frame knows.
class Pick {
    constructor(view, label, chosen, help = "") {
        const id = uniqueId("pick");
        this.select = element("select", { id });
        this.select.addEventListener("change", () => chosen(this.select.value), { signal: view.signal });
        this.el = element("div", { class: "dlc-control", title: help }, element("label", { for: id }, label), this.select);
        this.key = "";
    }

    paint(options, value) {
        const key = JSON.stringify(options);
        if (key !== this.key) this.select.replaceChildren(...options.map(([name, words]) => element("option", { value: name }, words)));
        this.key = key;
        this.select.value = value;
    }
}

// A picture by its index; of a drawing, what it is meant to be.
export class Images {
    constructor(view) {
        this.view = view;
        this.which = new ByIndex(view, "Picture");
        this.label = element("p", { class: "ax-note" });
        this.meant = new Pick(view, "Meant as", (value) => view.act("mean", { label: value || null }).catch(() => {}), "The right answer of the drawing");
        this.el = view.hideable("images", element("div", { class: "ax-images" }, element("div", { class: "dlc-row" }, ...this.which.parts), this.label));
    }

    paint(frame) {
        const { index, label, images, classes } = frame.header;
        this.which.paint(frame);
        this.label.textContent = index === null ? `Now a drawing; ${images} pictures, counted from 0.` : `Class ${label.name}. ${images} pictures, counted from 0.`;
        this.meant.el.hidden = index !== null;
        this.meant.paint([["", "what the network says"], ...classes.map((name) => [name, name])], label.said ? label.name : "");
    }
}

// What the present move is, and a button for each of its step's three.
export class Now {
    constructor(view) {
        this.view = view;
        this.title = element("h3", { class: "ax-title" });
        this.buttons = MOVES.map((kind, index) => view.button(`${index + 1} ${kind[0].toUpperCase()}${kind.slice(1)}`, () => this.go(kind), { pressed: false }));
        this.attack = element("p", { class: "ax-note" });
        this.el = element("section", { class: "ax-now", "aria-label": "The present move" },
            element("div", { class: "dlc-row" }, this.title, element("div", { class: "dlc-row", role: "group", "aria-label": "The moves of this step" }, ...this.buttons)),
            this.attack);
    }

    go(kind) {
        const { move } = this.view.frame.header;
        if (this.view.session.playing) this.view.session.play(false);
        return this.view.act("scrub", { step: moveIndex(kind, Math.max(move.step, 1), move.start) });
    }

    paint({ header: { move, attack, models } }) {
        this.title.textContent = move.title;
        this.attack.textContent = `${attack}.${models.length > 1 ? " Each network is attacked by itself, along its own slopes." : ""}`;
        this.buttons.forEach((button, index) => button.setAttribute("aria-pressed", String(MOVES[index] === move.kind)));
    }
}

export class Predict {
    constructor(view) {
        this.view = view;
        this.start = element("div", { class: "dlc-row" });
        this.text = element("p", { class: "ax-question", id: uniqueId("question") });
        this.choices = element("div", { class: "dlc-row", role: "group", "aria-labelledby": this.text.id });
        this.el = view.hideable("predict", element("section", { class: "ax-predict", "aria-live": "polite" }, this.start, this.text, this.choices));
        this.state = null;
        this.names = "";
    }

    paint({ header: { question, models } }) {
        const names = models.map(({ name }) => name).join("\n");
        if (names !== this.names) this.begin(models);
        this.names = names;
        const state = question && `${question.state} ${question.text} ${question.asked_count}`;
        if (state === this.state) return;
        this.state = state;
        const open = question?.state === "asked";
        const had = this.el.contains(document.activeElement);
        this.start.hidden = open;
        this.text.textContent = question ? words(question) : "";
        this.choices.replaceChildren(...(open ? this.buttons(question) : []));
        if (had) (open ? this.choices : this.start).querySelector("button").focus(); // not lost with the button
    }

    begin(models) {
        this.start.replaceChildren(...models.map(({ name }, which) => this.view.button(`Predict: when does ${name} fall?`, () => {
            this.view.session.play(false);
            return this.view.act("ask", { which });
        }, { title: "Say after how many steps the attack has what it wants, then see it" })));
    }

    buttons({ options }) {
        const cancel = this.view.button("Cancel", () => this.view.act("forget"));
        return [...options.map((option, index) => this.view.button(option, () => this.view.act("guess", { option: index }))), cancel];
    }
}

export function words({ state, text, verdict, asked_count: count, right_count: hits }) {
    return state === "asked" ? text : `${verdict} So far ${hits} of ${count} predictions were right.`;
}
