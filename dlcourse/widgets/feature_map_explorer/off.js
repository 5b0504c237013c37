// Channels switched off, what that costs, and a prediction of it.

import { element, uniqueId } from "../js/dom.js";
import { share } from "./look.js";

export class Ablation {
    constructor(view) {
        this.view = view;
        this.toggle = view.button("", () => view.act("switch", { channel: view.frame.header.unit.channel }));
        this.restore = view.button("Restore all", () => view.act("restore_all"), { title: "Switch all channels on again" });
        this.off = element("p");
        this.filled = element("p", { class: "fx-filled" });
        this.accuracy = element("p", { class: "fx-accuracy" });
        this.rows = element("tbody");
        this.table = element("table", { class: "fx-classes" },
            element("caption", {}, "Mean probability of the right class"),
            element("thead", {}, element("tr", {}, ...["class", "with all channels", "now", "change"].map((name) => element("th", { scope: "col" }, name)))),
            this.rows);
        this.fold = element("details", { class: "fx-fold" }, element("summary", {}, "Class by class"), this.table);
        this.el = view.hideable("ablate", element(
            "div", { class: "fx-ablate", role: "group", "aria-label": "Switch channels off" },
            element("h3", { class: "fx-head" }, "What if a channel were missing?"),
            element("div", { class: "dlc-row" }, this.toggle, this.restore), this.off, this.filled, this.accuracy, this.fold,
        ));
    }

    paint({ header, arrays }) {
        const { unit, layer, off, accuracy, classes } = header;
        this.toggle.textContent = `Switch channel ${unit.channel} of ${layer.name} ${unit.off ? "on again" : "off"}`;
        this.restore.disabled = !off.length;
        this.off.textContent = off.length ? `Switched off: ${header.off_words}. Their maps are 0, and everything after them follows.` : "";
        const [one, two, ...more] = header.filled;
        this.filled.textContent = [one, two, more.length ? `So it is with ${more.length} more.` : ""].filter(Boolean).join(" ");
        this.accuracy.replaceChildren("Right on ", element("b", {}, share(off.length ? accuracy.now : accuracy.intact)), ` of ${accuracy.count} images, a fixed sample`,
            off.length ? `; with all channels on ${share(accuracy.intact)}.` : ".");
        this.fold.hidden = !off.length;
        if (!off.length) return;
        const sure = arrays.sure.data, many = classes.length;
        const losses = Array.from({ length: many }, (_, index) => sure[index] - sure[many + index]);
        const most = Math.max(...losses.filter((value) => !Number.isNaN(value)));
        this.rows.replaceChildren(...classes.map((name, index) => {
            const [before, after] = [sure[index], sure[many + index]];
            const cells = !accuracy.by_class[index] ? ["–", "–", "not in the sample"] : [before, after, after - before].map((value, at) => (
                Number.isNaN(value) ? "not a number" : at === 2 ? signed(value) : value.toFixed(4)));
            const row = element("tr", {}, element("th", { scope: "row" }, name), ...cells.map((text) => element("td", {}, text)));
            if (losses[index] === most && most >= 0.005) row.className = "fx-worst";
            return row;
        }));
    }
}

function signed(change) {
    if (Math.abs(change) < 0.00005) return "0";
    return `${change > 0 ? "+" : "−"}${Math.abs(change).toFixed(4)}`;
}

export class Predict {
    constructor(view) {
        this.view = view;
        this.start = view.button("Predict: which class loses most?", () => view.act("ask"), { title: "Say which class suffers most from the loss of this channel, then see it measured" });
        this.text = element("p", { class: "fx-question", id: uniqueId("question") });
        this.choices = element("div", { class: "dlc-row", role: "group", "aria-labelledby": this.text.id });
        this.el = view.hideable("predict", element("div", { class: "fx-predict", "aria-live": "polite" }, this.start, this.text, this.choices));
        this.state = null;
    }

    paint({ header: { question } }) {
        const state = question && `${question.state} ${question.text} ${question.asked_count}`;
        if (state === this.state) return;
        this.state = state;
        const open = question?.state === "asked";
        const had = this.choices.contains(document.activeElement) || document.activeElement === this.start;
        this.start.hidden = open;
        this.text.textContent = question ? words(question) : "";
        this.choices.replaceChildren(...(open ? this.buttons(question) : []));
        if (had) (open ? this.choices.querySelector("button") : this.start).focus(); // not lost with the button
    }

    buttons({ options }) {
        const cancel = this.view.button("Cancel", () => this.view.act("forget"));
        return [...options.map((option, index) => this.view.button(option, () => this.view.act("guess", { option: index }))), cancel];
    }
}

export function words({ state, text, verdict, asked_count: count, right_count: hits }) {
    return state === "asked" ? text : `${verdict} So far ${hits} of ${count} predictions were right.`;
}
