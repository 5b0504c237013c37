// One display of a widget: the root element, the toolbar, messages, the theme. A widget's own script fills the body.

import { Announcer } from "./announce.js";
import { control } from "./controls.js";
import { element, uniqueId } from "./dom.js";
import { guardKeys } from "./keys.js";
import { DARK, LIGHT, isDark } from "./palette.js";
import { Toolbar } from "./toolbar.js";

export class View {
    constructor(session, el) {
        this.session = session;
        this.model = session.model;
        this.ended = new AbortController();
        this.signal = this.ended.signal;
        this.spec = this.model.get("_spec");
        this.controls = [];
        this.named = []; // [name, element]: what a teacher may hide
        this.frame = null;
        this.visible = false;
        this.painting = false;
        this.build(el);
        this.watch();
    }

    build(el) {
        const title = element("span", { class: "dlc-title", id: uniqueId("title") }, this.spec.title);
        this.bar = element("div", { class: "dlc-bar" }, title);
        this.note = element("div", { class: "dlc-note", role: "status" });
        this.error = element("div", { class: "dlc-error", role: "alert", hidden: true });
        this.body = element("div", { class: "dlc-body" });
        const live = element("div", { class: "dlc-unseen", "aria-live": "polite", "aria-atomic": "true" });
        this.announcer = new Announcer(live);
        this.el = element(
            "div", { class: "dlc", role: "group", "aria-labelledby": title.id },
            this.bar, this.error, this.note, this.body, live,
        );
        el.append(this.el);
        guardKeys(this.el, this.signal);
        for (const kind of ["pointerdown", "keydown", "input"]) {
            this.el.addEventListener(kind, () => this.session.touched(), { signal: this.signal, capture: true });
        }
        this.toolbar = new Toolbar(this);
    }

    watch() {
        const changes = new MutationObserver(() => this.retheme());
        changes.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light", "data-jp-theme-name"] });
        const seen = new IntersectionObserver((entries) => {
            this.visible = entries.at(-1).isIntersecting;
            this.session.pump();
        });
        seen.observe(this.el);
        for (const query of ["(prefers-color-scheme: dark)", "(prefers-reduced-motion: reduce)"]) {
            matchMedia(query).addEventListener("change", () => this.retheme(), { signal: this.signal });
        }
        this.signal.addEventListener("abort", () => {
            changes.disconnect();
            seen.disconnect();
            this.announcer.stop();
        });
        this.retheme();
    }

    // The widget's own script has filled the body: `own` is {paint(frame), heard?(what)}.
    start(own) {
        this.own = own;
        this.heard("params");
        this.heard("hide");
        this.heard("notice");
        this.session.join(this);
    }

    close() {
        this.ended.abort();
        this.session.leave(this);
    }

    // ---------------------------------------------------------------- what a widget's script uses

    get(name) {
        return this.model.get(name);
    }

    set(name, value) {
        this.forgive();
        this.session.set(name, value);
    }

    async act(name, args = {}) {
        this.forgive();
        return this.session.act(name, args, this);
    }

    control(name) {
        const made = control(this, name, this.spec.params[name]);
        this.controls.push([name, made]);
        this.named.push([name, made.el]);
        made.show(this.get(name));
        this.heard("hide");
        return made.el;
    }

    button(label, onclick, { title = "", name = "", pressed = undefined } = {}) {
        const made = element("button", { type: "button", class: "dlc-button" }, label);
        if (title) made.title = title;
        if (pressed !== undefined) made.setAttribute("aria-pressed", String(pressed));
        made.addEventListener("click", (event) => {
            Promise.resolve(onclick(event)).catch(() => {}); // act() has shown the error already
        }, { signal: this.signal });
        if (name) this.hideable(name, made);
        return made;
    }

    // A teacher may hide this element by this name.
    hideable(name, el) {
        this.named.push([name, el]);
        this.heard("hide");
        return el;
    }

    say(text) {
        this.announcer.say(text);
    }

    repaint() {
        if (this.frame) this.paint(this.frame);
    }

    get reduced() {
        return matchMedia("(prefers-reduced-motion: reduce)").matches;
    }

    // ---------------------------------------------------------------- what the session calls

    // Frames that come faster than the screen are dropped, not queued.
    paint(frame) {
        this.frame = frame;
        if (this.painting || this.signal.aborted) return;
        this.painting = true;
        requestAnimationFrame(() => {
            this.painting = false;
            if (this.signal.aborted) return;
            this.toolbar.paint(this.frame.header);
            this.showNote();
            try {
                this.own.paint(this.frame);
            } catch (error) { // shown once, not with every frame
                if (this.broken !== error.message) this.fail(`The picture could not be drawn: ${error.message}`, error.stack);
                this.broken = error.message;
            }
            this.say(this.frame.header.say);
            this.el.dataset.frames = String(Number(this.el.dataset.frames ?? 0) + 1);
        });
    }

    heard(what) {
        if (what === "params") for (const [name, made] of this.controls) made.show(this.get(name));
        if (what === "playing") this.toolbar.playing(this.session.playing);
        if (what === "notice") this.showNote();
        if (what === "hide") {
            const hidden = this.model.get("hide") ?? [];
            for (const [name, el] of this.named) el.classList.toggle("dlc-hidden", hidden.includes(name));
        }
        this.own?.heard?.(what);
    }

    // What the session has to say (no kernel, paused) goes before what the engine says (header.notice).
    showNote() {
        const words = this.session.notice || this.frame?.header.notice || "";
        if (this.note.textContent !== words) this.note.textContent = words;
    }

    fail(message, detail = "") {
        const close = element("button", { type: "button", class: "dlc-button", "aria-label": "Close this message" }, "×");
        close.addEventListener("click", () => this.forgive(), { signal: this.signal });
        const parts = [element("span", {}, message), close];
        if (detail) parts.push(element("details", {}, element("summary", {}, "Where it happened"), element("pre", {}, detail)));
        this.error.replaceChildren(...parts);
        this.error.hidden = false;
    }

    forgive() {
        this.error.hidden = true;
        this.error.replaceChildren();
    }

    retheme() {
        this.palette = isDark(this.el) ? DARK : LIGHT;
        this.el.classList.toggle("dlc-dark", this.palette.dark);
        this.repaint();
    }
}
