// What may come at the place that is looked at: a row for each symbol, before and after shaping; a click writes it there.

import { element } from "../js/dom.js";
import { bits, context, end, lines, percent, rows, short, told } from "./marks.js";

const FEW = 12; // rows, until more are asked for

export class Bars {
    constructor(view) {
        this.view = view;
        this.rows = [];
        this.all = false;
        this.title = element("h3", { class: "cs-title" });
        this.fact = element("p", { class: "cs-fact" });
        this.head = element("div", { class: "cs-row cs-columns", "aria-hidden": "true" });
        this.list = element("div", { class: "cs-list", role: "group", "aria-label": "What may come: choose one to write it here" });
        this.rest = element("p", { class: "cs-rest" });
        this.more = view.button("", () => {
            this.all = !this.all;
            view.repaint();
        });
        this.legend = element("p", { class: "cs-legend" });
        this.el = element("div", { class: "cs-bars" }, this.title, this.fact, this.head, this.list, this.rest, this.more, this.legend);
        view.hideable("bars", this.el);
        this.list.addEventListener("keydown", (event) => this.pressed(event), { signal: view.signal });
    }

    paint(frame) {
        const { header } = frame;
        const found = rows(frame), scale = end(found);
        const line = lines(frame).find(({ current }) => current);
        this.header = header;
        this.title.textContent = `What may come after “${context(line, header.place)}”`;
        this.fact.textContent = fact(header, found);
        this.head.replaceChildren(...["", `bar: 0 to ${percent(scale)}`, "model", "draw", header.beside === null ? null : "beside"]
            .filter((words) => words !== null).map((words) => element("span", {}, words)));
        this.el.classList.toggle("cs-two", header.beside !== null);
        const few = found.filter((row, at) => this.all || at < FEW || row.drawn);
        while (this.rows.length < few.length) this.rows.push(new Row(this));
        this.rows.forEach((row, at) => row.paint(few[at], scale, header, at === this.stop(few.length)));
        this.more.hidden = found.length <= FEW;
        this.more.textContent = this.all ? "Fewer symbols" : `The likeliest ${found.length}`;
        this.others(found, few, header);
        this.key(header);
    }

    // The row that Tab leads to.
    stop(many) {
        this.active = Math.min(this.active ?? 0, many - 1);
        return this.active;
    }

    // What has no row.
    others(found, few, { rest, beside, classes }) {
        const left = found.filter((row) => !few.includes(row));
        const sum = (name) => left.reduce((total, row) => total + row[name], rest[name] ?? 0);
        const count = classes - few.length;
        const also = beside === null ? "" : `, ${beside} ${percent(sum("beside"))}`;
        this.rest.hidden = count === 0;
        this.rest.textContent = `The other ${count} together: ${percent(sum("before"))}, to draw from ${percent(sum("after"))}${also}.`;
    }

    key({ model, beside }) {
        const parts = [["cs-before", `the ${model} says`], ["cs-after", "to draw from"]];
        if (beside !== null) parts.push(["cs-other", `the ${beside} says`]);
        this.legend.replaceChildren(...parts.map(([name, words]) => element("span", { class: "cs-key" }, element("span", { class: `cs-mark ${name}` }), words)));
    }

    choose(token) {
        const { header, view } = this;
        if (view.session.playing) view.session.play(false);
        return view.act("branch", { token, line: header.line, step: header.at });
    }

    pressed(event) {
        const shown = this.rows.filter(({ el }) => !el.hidden);
        const at = shown.findIndex(({ el }) => el === document.activeElement);
        const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: shown.length - 1 }[event.key];
        if (to === undefined) return;
        event.preventDefault();
        this.active = Math.min(Math.max(to, 0), shown.length - 1);
        shown.forEach(({ el }, index) => el.setAttribute("tabindex", index === this.active ? 0 : -1));
        shown[this.active].el.focus();
    }
}

class Row {
    constructor(owner) {
        this.symbol = element("span", { class: "cs-name" });
        this.before = element("span", { class: "cs-bar cs-before" });
        this.after = element("span", { class: "cs-bar cs-after" });
        this.other = element("span", { class: "cs-other" });
        this.numbers = ["before", "after", "beside"].map((name) => element("span", { class: `cs-number cs-of-${name}` }));
        this.el = owner.view.button("", () => owner.choose(this.token), { title: "Write this symbol here, on a new line" });
        this.el.className = "cs-row cs-choice";
        this.el.append(this.symbol, element("span", { class: "cs-track" }, this.before, this.after, this.other), ...this.numbers);
        owner.list.append(this.el);
    }

    paint(row, scale, header, stop) {
        this.el.hidden = row === undefined;
        if (row === undefined) return;
        this.token = row.token;
        this.symbol.textContent = row.kind === "" || row.kind === "code" ? row.shown : `${row.shown} ${row.said}`;
        this.el.classList.toggle("cs-drawn", row.drawn);
        this.el.classList.toggle("cs-cut", row.cut);
        this.el.setAttribute("tabindex", stop ? 0 : -1);
        this.el.setAttribute("aria-label", `${told(row, header)}. Write it here`);
        const width = (share) => `${(100 * share) / scale}%`;
        this.before.style.width = width(row.before);
        this.after.style.width = width(row.after);
        this.other.hidden = row.beside === null;
        if (row.beside !== null) this.other.style.left = width(row.beside);
        const [before, after, beside] = this.numbers;
        before.textContent = short(row.before);
        after.textContent = row.cut ? "cut" : short(row.after);
        beside.hidden = row.beside === null;
        beside.textContent = row.beside === null ? "" : short(row.beside);
    }
}

// What stands at the place, and how it came there.
function fact({ run, here, names, model, beside, classes, kept }, found) {
    const cut = kept < classes ? ` ${classes - kept} of ${classes} symbols are cut off.` : "";
    if (here === null) return `${run.last ? "Before the first symbol" : "Nothing is drawn yet"}: press Step, or choose one.${cut}`;
    const name = names[here.token][1];
    const also = beside === null ? "" : `, ${bits(here.beside)} to the ${beside}`;
    const how = here.chosen ? "Chosen" : "Drawn";
    const since = here.how ? ` It was drawn with other settings: ${here.how}.` : "";
    const gone = found.some((row) => row.drawn && row.cut) && !here.chosen ? " With these it would be cut off." : "";
    return `${how}: ${name}, number ${here.rank + 1} of ${classes}, ${bits(here.bits)} to the ${model}${also}.${since}${gone}${cut}`;
}
