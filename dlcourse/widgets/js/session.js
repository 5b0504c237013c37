// What all views of one widget share: the last frame, and the one clock that asks for the next.
//
// While playing and somebody looks, a view asks ("tick"), and the kernel steps and answers with a frame. The next question
// leaves while the answer is on its way, but never a third: a slow kernel is not flooded, and pause holds within two frames.
// While the screen is behind, or nobody looks, nothing is asked; a closed tab is silence.
//
// Why ask ahead: Jupyter's server writes small messages with Nagle's algorithm on, so a frame waits there until the browser
// acknowledges what came before it. The next question carries that; without one the system takes 40 ms or more.

import { unpack } from "./frame.js";

export const PATIENCE = 2000; // milliseconds without an answer before we say that the kernel is busy
export const AHEAD = 2; // ticks on their way at once, at most
export const PACE = 25; // milliseconds between two ticks at least: smooth to the eye, and the kernel keeps time for others
const STEPWISE = 700; // the same for people who asked for less motion

export const BUSY = "No answer from the kernel yet: it is busy, with a cell or with what was asked last. This widget goes on by itself afterwards.";
export const GONE = "The kernel was restarted or has stopped, so this widget is only a picture now. Run its cell again to bring it back.";
export const IDLE = "Paused: nobody has touched this widget for a while. Press Play to go on.";

export class Session {
    // clock: {now, later, cancel, paint}, of the browser unless a test brings its own.
    constructor(model, clock = browserClock()) {
        this.model = model;
        this.clock = clock;
        this.views = new Set();
        this.frame = null;
        this.gone = false; // the kernel that made this widget has ended
        this.asked = new Set(); // ids of the ticks on their way
        this.askedAt = -Infinity;
        this.behind = false; // a frame came before the screen had painted the one before
        this.next = null; // the timer that will ask for the next one
        this.notice = "";
        this.pending = new Map(); // action id -> {resolve, reject, view}
        this.timers = new Map(); // id of what waits for an answer -> its timer
        this.lastInput = clock.now();
        this.ids = 0;
        model.on("msg:custom", (content, buffers) => this.receive(content, buffers));
        model.on("change:playing", () => {
            this.touched();
            if (this.playing && this.notice === IDLE) this.note("");
            this.tell("playing");
            this.pump();
        });
        model.on("change:hide", () => this.tell("hide"));
        model.on("change", () => this.tell("params"));
        model.on("comm_live_update", () => this.lost());
    }

    get playing() {
        return Boolean(this.model.get("playing"));
    }

    join(view) {
        this.views.add(view);
        this.touched();
        if (this.frame) view.paint(this.frame);
        if (!this.gone) this.hello();
    }

    leave(view) {
        this.views.delete(view);
    }

    hello() {
        this.send({ kind: "hello" });
        this.expect("hello");
    }

    // Input by a person, in any of the views.
    touched() {
        this.lastInput = this.clock.now();
    }

    set(name, value) {
        this.touched();
        this.model.set(name, value);
        this.model.save_changes();
    }

    play(on) {
        for (const view of this.views) view.forgive();
        for (const id of on ? [...this.asked] : []) this.answered(id); // should an answer have been lost on its way
        if (!this.gone) this.note("");
        else if (on) return; // nobody would answer, and the note says so
        this.set("playing", on);
    }

    act(name, args = {}, view = null) {
        this.touched();
        if (this.gone) return Promise.reject(new Error(GONE)); // nobody would answer, and the note says so
        const id = this.fresh(name);
        return new Promise((resolve, reject) => {
            this.pending.set(id, { resolve, reject, view });
            this.expect(id);
            this.send({ kind: "act", id, name, args });
        });
    }

    // Ask for the next frame if there is a reason to and it is time; else come back when it is.
    pump() {
        if (!this.playing || this.gone || this.next !== null || this.behind) return;
        if (![...this.views].some((view) => view.visible)) return;
        if (this.clock.now() - this.lastInput > 1000 * (this.model.get("_idle_limit") ?? 600)) {
            this.set("playing", false);
            this.note(IDLE);
            return;
        }
        const reduced = [...this.views].some((view) => view.reduced);
        if (this.asked.size >= (reduced ? 1 : AHEAD)) return;
        const wait = this.askedAt + (reduced ? STEPWISE : PACE) - this.clock.now();
        if (wait > 0) {
            this.next = this.clock.later(() => {
                this.next = null;
                this.pump();
            }, wait);
            return;
        }
        const id = this.fresh("tick");
        this.send({ kind: "tick", id });
        this.asked.add(id);
        this.askedAt = this.clock.now();
        this.expect(id);
        this.pump();
    }

    // A tick, and with it all before it: answers come in the order of the questions.
    answered(id) {
        if (!this.asked.has(id)) return false;
        for (const earlier of [...this.asked]) {
            this.asked.delete(earlier);
            this.met(earlier);
            if (earlier === id) break;
        }
        return true;
    }

    receive(content, buffers) {
        this.gone = false;
        this.met("hello");
        const ours = this.answered(content.kind === "frame" ? content.tick : content.id);
        if (this.notice === BUSY || this.notice === GONE) this.note("");
        if (content.kind === "frame") this.arrived(content, buffers);
        if (content.kind === "answer") this.settle(content.id, (waiting) => waiting.resolve(content.result));
        if (content.kind === "error") this.failed(content, ours);
    }

    arrived(content, buffers) {
        this.frame = unpack(content, buffers);
        if (!this.behind && [...this.views].some((view) => view.painting)) {
            this.behind = true;
            this.clock.paint(() => {
                this.behind = false;
                this.pump();
            });
        }
        for (const view of this.views) view.paint(this.frame);
        this.pump();
    }

    // ours: of a tick of this browser window. What another window asked is shown there, and what nobody asked everywhere.
    failed(content, ours) {
        const waiting = this.pending.get(content.id);
        if (!waiting && !ours && content.id) return;
        for (const view of waiting?.view ? [waiting.view] : this.views) view.fail(content.message, content.detail);
        this.settle(content.id, () => waiting.reject(new Error(content.message)));
    }

    settle(id, how) {
        const waiting = this.pending.get(id);
        if (!waiting) return;
        this.pending.delete(id);
        this.met(id);
        how(waiting);
    }

    // The kernel restarted, or its connection broke. If it is the same kernel, it answers and all is well.
    lost() {
        this.asked.clear();
        this.gone = true;
        this.note(GONE);
        for (const id of [...this.timers.keys()]) this.met(id);
        for (const id of [...this.pending.keys()]) this.settle(id, (waiting) => waiting.reject(new Error(GONE)));
        try {
            this.send({ kind: "hello" });
        } catch {
            // Nobody is there to take it: gone for good.
        }
    }

    // An id that no other browser window uses: each hears the answers to all.
    fresh(name) {
        return `${name}-${(this.ids += 1)}-${Math.random().toString(36).slice(2, 8)}`;
    }

    expect(id) {
        this.met(id);
        this.timers.set(id, this.clock.later(() => {
            if (!this.gone) this.note(BUSY);
        }, PATIENCE));
    }

    met(id) {
        this.clock.cancel(this.timers.get(id));
        this.timers.delete(id);
    }

    note(text) {
        this.notice = text;
        this.tell("notice");
    }

    tell(what) {
        for (const view of this.views) view.heard(what);
    }

    send(message) {
        this.model.send(message);
    }
}

function browserClock() {
    return {
        now: () => performance.now(),
        later: (then, ms) => setTimeout(then, ms),
        cancel: (timer) => clearTimeout(timer),
        paint: (then) => requestAnimationFrame(() => then()),
    };
}
