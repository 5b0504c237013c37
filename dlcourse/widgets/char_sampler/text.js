// The lines: each symbol on the shade of its bits, to be clicked; the present line is also a slider over its steps.

import { element } from "../js/dom.js";
import { Latest } from "../js/latest.js";
import { bits, lines, shade } from "./marks.js";

export class Text {
    constructor(view) {
        this.view = view;
        this.blocks = new Map(); // number of a line -> its elements
        this.list = element("div", { class: "cs-lines" });
        this.swatches = [0, 2, 4, 6, 8].map((value) => element("span", { class: "cs-swatch", "data-bits": value }, `${value}${value === 8 ? "+" : ""}`));
        this.legend = element("p", { class: "cs-legend" }, element("span", {}, "Bits of a symbol, its surprise to the model:"), element("span", { class: "cs-swatches" }, ...this.swatches));
        this.hint = element("p", { class: "cs-hint" }, "Click on a symbol, or use the arrow keys in the text, to see what it was drawn from. Click on a bar to write that symbol there instead, on a new line.");
        this.el = view.hideable("text", element("div", { class: "cs-left" }, this.list, this.legend, this.hint));
        this.moves = new Latest((args) => view.act("look", args));
        this.wish = null;
    }

    paint(frame) {
        const found = lines(frame);
        if (this.palette !== this.view.palette) this.repaint();
        for (const [number, block] of this.blocks) {
            if (found.some(({ line }) => line === number)) continue;
            if (block.el.contains(document.activeElement)) this.focus = frame.header.line; // not lost with the line
            block.el.remove();
            this.blocks.delete(number);
        }
        for (const line of found) {
            if (!this.blocks.has(line.line)) this.blocks.set(line.line, new Block(this, line.line));
            this.blocks.get(line.line).paint(line, frame.header, found.length);
        }
        if (this.focus && this.blocks.has(this.focus)) this.blocks.get(this.focus).text.focus();
        this.focus = null;
    }

    // Another theme: all shades anew.
    repaint() {
        this.palette = this.view.palette;
        for (const swatch of this.swatches) swatch.style.background = shade(Number(swatch.dataset.bits), this.palette);
        for (const block of this.blocks.values()) block.clear();
    }

    look(line, step) {
        if (this.view.session.playing) this.view.session.play(false);
        this.wish = step;
        this.moves.want({ line, step });
    }

    // Where the next arrow key counts from: where the last one led, if the kernel has not answered yet; else the newest
    // frame, even if it is painted only with the next screen frame.
    get at() {
        return this.moves.busy && this.wish !== null ? this.wish : this.view.frame.header.at;
    }
}

class Block {
    constructor(owner, number) {
        const { view } = owner;
        Object.assign(this, { owner, view, number, line: null, spans: [] });
        this.name = view.button(`Line ${number}`, () => owner.look(number, this.line.at), { title: "Go to this line" });
        this.about = element("span", { class: "cs-about" });
        this.remove = view.button("×", () => view.act("drop", { line: number }), { title: `Remove line ${number}` });
        this.remove.setAttribute("aria-label", `Remove line ${number}`);
        this.text = element("div", { class: "cs-text" });
        this.el = element("div", { class: "cs-line" }, element("div", { class: "cs-head" }, this.name, this.about, this.remove), this.text);
        this.text.addEventListener("click", (event) => this.clicked(event), { signal: view.signal });
        this.text.addEventListener("keydown", (event) => this.pressed(event), { signal: view.signal });
        owner.list.append(this.el);
    }

    clear() {
        this.spans = [];
        this.text.replaceChildren();
    }

    paint(line, header, many) {
        // A line only grows, unless it is another of the same number, after a reset or a load.
        const key = (symbol) => symbol && `${symbol.place} ${symbol.shown} ${symbol.bits}`;
        if (line.symbols.length < this.spans.length || key(this.line?.symbols.at(-1)) !== key(line.symbols[this.spans.length - 1])
            || line.prefix !== this.line?.prefix || key(this.line.symbols[0]) !== key(line.symbols[0])) this.clear();
        const grown = line.symbols.length - this.spans.length;
        for (const symbol of line.symbols.slice(this.spans.length)) {
            this.spans.push(this.span(symbol, line));
            this.text.append(this.spans.at(-1));
        }
        this.remove.hidden = many === 1;
        this.about.textContent = about(line, header);
        // While the present line grows, the others stay as they are.
        const still = !line.current && this.line?.current === false && grown === 0;
        this.line = line;
        if (still) return;
        this.spans.forEach((span, at) => {
            const { place } = line.symbols[at];
            span.classList.toggle("cs-ahead", place > line.at);
            span.classList.toggle("cs-here", line.current && place > 0 && place === line.at);
        });
        this.el.classList.toggle("cs-current", line.current);
        this.name.setAttribute("aria-pressed", String(line.current));
        this.speak(line, header);
        if (line.current) this.follow(line.at + line.prefix - 1);
    }

    span({ shown, said, kind, place, bits: number }, { origin, parent }) {
        const classes = ["cs-symbol", kind && `cs-${kind}`, place ? "" : "cs-prefix", parent !== null && place === origin + 1 ? "cs-branch" : ""];
        const words = { space: " ", newline: "⏎\n" }[kind] ?? shown;
        const span = element("span", { class: classes.filter(Boolean).join(" "), "data-place": place }, words);
        span.title = place ? `${said}: ${bits(number)}` : `${said}, of the prefix`;
        if (place) span.style.backgroundColor = shade(number, this.view.palette);
        return span;
    }

    // The present line is a slider, the others are texts to be read.
    speak(line, header) {
        const { text } = this;
        const whole = line.symbols.map(({ shown, kind }) => ({ space: " ", newline: " newline " }[kind] ?? shown)).join("");
        const said = line.current
            ? {
                role: "slider", tabindex: 0, "aria-label": `Steps of line ${line.line}`, "aria-orientation": "horizontal",
                "aria-valuemin": 0, "aria-valuemax": line.length, "aria-valuenow": line.at, "aria-valuetext": header.say,
            }
            : { role: "img", "aria-label": `Line ${line.line}: ${whole}` };
        for (const name of ["role", "tabindex", "aria-label", "aria-orientation", "aria-valuemin", "aria-valuemax", "aria-valuenow", "aria-valuetext"]) {
            if (said[name] === undefined) text.removeAttribute(name);
            else if (text.getAttribute(name) !== String(said[name])) text.setAttribute(name, said[name]);
        }
    }

    // The symbol that is looked at stays in sight of a long text.
    follow(index) {
        const span = this.spans[index];
        if (!span || this.text.scrollHeight <= this.text.clientHeight + 1) return;
        const [top, bottom] = [span.offsetTop - this.text.offsetTop, span.offsetTop - this.text.offsetTop + span.offsetHeight];
        if (top < this.text.scrollTop) this.text.scrollTop = top;
        else if (bottom > this.text.scrollTop + this.text.clientHeight) this.text.scrollTop = bottom - this.text.clientHeight;
    }

    clicked(event) {
        const span = event.target.closest(".cs-symbol");
        if (!span) return;
        if (!this.line.current) this.owner.focus = this.number;
        this.owner.look(this.number, Number(span.dataset.place));
    }

    pressed(event) {
        if (!this.line.current) return;
        const at = this.owner.at, last = this.line.length;
        const to = { ArrowLeft: at - 1, ArrowDown: at - 1, ArrowRight: at + 1, ArrowUp: at + 1, PageDown: at - 10, PageUp: at + 10, Home: 0, End: last }[event.key];
        if (to === undefined) return;
        event.preventDefault();
        this.owner.look(this.number, Math.min(Math.max(to, 0), last));
    }
}

function about(line, header) {
    const parts = [];
    if (line.parent !== null) parts.push(`from line ${line.parent}, at ${line.origin + 1}`);
    if (line.length) {
        const beside = header.beside === null ? "" : ` to the ${header.model}, ${bits(line.beside)} to the ${header.beside}`;
        parts.push(`${line.length} written, on average ${bits(line.bits)}${beside}`);
    }
    return parts.join(" · ");
}
