// A model in place of the browser's, with a kernel at its other end that answers only when a test lets it.

import { Clock } from "./clock.mjs";
import { Session } from "../../../dlcourse/widgets/js/session.js";

export class Model {
    constructor(traits = {}) {
        this.traits = { playing: false, hide: [], _idle_limit: 600, ...traits };
        this.handlers = [];
        this.sent = []; // custom messages to the kernel
        this.saved = []; // traits as they were at each save_changes
        this.open = new Set(); // ids of ticks without an answer
        this.dead = false;
    }

    get(name) {
        return this.traits[name];
    }

    set(name, value) {
        if (this.traits[name] === value) return;
        this.traits[name] = value;
        this.trigger(`change:${name}`);
        this.trigger("change");
    }

    save_changes() {
        this.saved.push({ ...this.traits });
    }

    send(message) {
        if (this.dead) throw new Error("Cannot send");
        this.sent.push(message);
        if (message.kind === "tick") this.open.add(message.id);
    }

    on(name, then) {
        this.handlers.push([name, then]);
    }

    trigger(name, ...what) {
        for (const [wanted, then] of this.handlers) if (wanted === name) then(...what);
    }

    // ---------------------------------------------------------------- the kernel

    of(kind) {
        return this.sent.filter((message) => message.kind === kind);
    }

    get ticks() {
        return this.of("tick").length;
    }

    frame(step, tick = null) {
        this.open.delete(tick);
        const arrays = [{ name: "field", dtype: "uint8", shape: [1, 2] }];
        const content = { kind: "frame", tick, header: { step }, arrays };
        this.trigger("msg:custom", content, [new DataView(new Uint8Array([step, 255]).buffer)]);
    }

    // The answer to the oldest tick that has none.
    answerTick(step = this.ticks) {
        this.frame(step, [...this.open][0]);
    }

    answer(id, result) {
        this.trigger("msg:custom", { kind: "answer", id, result }, []);
    }

    error(id, message, detail = "") {
        this.open.delete(id);
        this.trigger("msg:custom", { kind: "error", id, message, detail }, []);
    }
}

export class FakeView {
    constructor({ visible = true, reduced = false } = {}) {
        Object.assign(this, { visible, reduced, painting: false, painted: [], heardOf: [], errors: [] });
    }

    paint(frame) {
        this.painted.push(frame.header.step);
    }

    heard(what) {
        this.heardOf.push(what);
    }

    fail(message, detail) {
        this.errors.push([message, detail]);
    }

    forgive() {
        this.errors = [];
    }
}

// A session with one view that has been painted once.
export function opened({ traits = {}, ...settings } = {}) {
    const model = new Model(traits), clock = new Clock(), session = new Session(model, clock), view = new FakeView(settings);
    session.join(view);
    model.frame(0);
    return { model, clock, session, view };
}
