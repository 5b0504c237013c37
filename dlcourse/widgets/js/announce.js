// One line for screen readers, at most every two seconds; of those that come faster, the last is read.

export const EVERY = 2000;

export class Announcer {
    constructor(node, clock = { now: () => performance.now(), later: (then, ms) => setTimeout(then, ms), cancel: (timer) => clearTimeout(timer) }) {
        Object.assign(this, { node, clock, waiting: "", timer: null, spoken: -Infinity });
    }

    say(text) {
        if (!text || text === this.waiting || (!this.waiting && text === this.node.textContent)) return;
        this.waiting = text;
        this.timer ??= this.clock.later(() => this.speak(), Math.max(0, this.spoken + EVERY - this.clock.now()));
    }

    speak() {
        this.timer = null;
        this.spoken = this.clock.now();
        this.node.textContent = this.waiting;
        this.waiting = "";
    }

    stop() {
        if (this.timer !== null) this.clock.cancel(this.timer);
        this.timer = null;
    }
}
