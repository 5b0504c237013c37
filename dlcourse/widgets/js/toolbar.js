// Play, step, back, reset, the scrub bar and the speed, for engines that run; share and code, for those that can.

import { element, uniqueId } from "./dom.js";
import { Latest } from "./latest.js";

const SPEEDS = [[1, "1 step a frame"], [5, "5 steps a frame"], [25, "25 steps a frame"], [1000, "as fast as it goes"]];

export class Toolbar {
    constructor(view) {
        this.view = view;
        this.can = new Set(view.spec.actions);
        this.built = false;
    }

    // The first frame tells whether this engine runs at all.
    build(run) {
        const { view } = this, unit = run?.unit ?? "step"; // what a step is called here
        this.built = true;
        if (run) {
            this.play = view.button("▶ Play", () => view.session.play(!view.session.playing), { name: "play", title: "Play or pause" });
            this.play.classList.add("dlc-play");
            view.bar.append(this.play);
            if (this.can.has("back")) view.bar.append(view.button("Back", () => view.act("back"), { name: "back", title: `One ${unit} back` }));
            this.once = view.button(unit === "step" ? "Step" : `Next ${unit}`, () => view.act("step"), { name: "step", title: `One ${unit}` });
            view.bar.append(
                this.once,
                view.button("Reset", () => view.act("reset"), { name: "reset", title: `Back to ${unit} 0, with the settings as they are` }),
            );
            if (this.can.has("scrub")) this.scrubBar();
            this.speedMenu();
            this.playing(view.session.playing);
        }
        if (this.can.has("to_code")) {
            view.bar.append(view.button("Code", () => this.panel("to_code", "The program of what is on screen"), { name: "code" }));
        }
        view.bar.append(view.button("Share", () => this.panel("share", "Copy this string, or put another in and press Load"), { name: "share" }));
    }

    scrubBar() {
        const { view } = this;
        this.scrub = element("input", { type: "range", min: 0, max: 0, step: 1, "aria-label": "Go to step", title: "Go to a step of this run" });
        this.counter = element("output", { class: "dlc-counter", "aria-hidden": "true" });
        this.moves = new Latest((args) => view.act("scrub", args));
        this.scrub.addEventListener("input", () => {
            if (view.session.playing) view.session.play(false);
            this.moves.want({ step: Number(this.scrub.value) });
        }, { signal: view.signal });
        view.bar.append(view.hideable("scrub", element("span", { class: "dlc-scrub" }, this.scrub, this.counter)));
    }

    speedMenu() {
        const { view } = this;
        const id = uniqueId("speed");
        this.speed = element("select", { id }, ...SPEEDS.map(([value, words]) => element("option", { value }, words)));
        this.speed.addEventListener("change", () => view.set("speed", Number(this.speed.value)), { signal: view.signal });
        const label = element("label", { for: id, class: "dlc-unseen" }, "Speed");
        view.bar.append(view.hideable("speed", element("span", {}, label, this.speed)));
    }

    paint(header) {
        if (!this.built) this.build(header.run);
        if (!header.run || !this.play) return;
        const { step, first, last, running, unit = "step" } = header.run;
        this.play.disabled = !running && !this.view.session.playing;
        this.once.disabled = !running;
        if (this.scrub) {
            Object.assign(this.scrub, { min: first, max: last });
            if (!this.moves.busy) this.scrub.value = step;
            this.scrub.setAttribute("aria-valuetext", `${unit} ${step} of ${last}`);
            this.counter.textContent = `${unit} ${step}`;
        }
        const speed = this.view.get("speed");
        const known = SPEEDS.filter(([value]) => value <= speed).at(-1)[0];
        if (document.activeElement !== this.speed) this.speed.value = String(known);
    }

    playing(on) {
        if (!this.play) return;
        this.play.textContent = on ? "❚❚ Pause" : "▶ Play";
        this.play.setAttribute("aria-pressed", String(on));
    }

    // A box with a text from the kernel, below the bar; the same button closes it.
    async panel(action, title) {
        const { view } = this;
        const open = view.el.querySelector(".dlc-panel");
        open?.remove();
        if (open?.dataset.action === action) return;
        const words = await view.act(action);
        view.el.querySelector(".dlc-panel")?.remove(); // of a second click meanwhile
        const text = element("textarea", { rows: action === "share" ? 3 : 16, spellcheck: "false", "aria-label": title });
        text.value = words;
        text.readOnly = action !== "share";
        const box = element("div", { class: "dlc-panel", "data-action": action }, element("p", {}, title), text);
        const close = view.button("Close", () => box.remove());
        const copy = view.button("Copy", async () => {
            text.select();
            try {
                await navigator.clipboard.writeText(text.value);
                copy.textContent = "Copied";
            } catch { // a browser keeps its clipboard from pages without https, and from those not allowed
                copy.textContent = "Selected: press Ctrl+C";
                text.focus();
            }
            view.say(copy.textContent);
        });
        const load = action === "share" ? [view.button("Load", () => view.act("load", { text: text.value }))] : [];
        box.append(element("div", { class: "dlc-row" }, copy, ...load, close));
        view.bar.after(box);
        text.focus();
        text.setSelectionRange(0, 0); // or a long text would show its end
        text.scrollTop = 0;
    }
}
