// A clock that moves only when told to.

export class Clock {
    constructor() {
        this.time = 1000;
        this.ids = 0;
        this.due = new Map();
    }

    now() {
        return this.time;
    }

    later(then, ms) {
        this.due.set((this.ids += 1), [this.time + ms, then]);
        return this.ids;
    }

    paint(then) {
        return this.later(then, 16);
    }

    cancel(id) {
        this.due.delete(id);
    }

    get waiting() {
        return this.due.size;
    }

    // Let `ms` milliseconds pass; what falls due meanwhile happens in order.
    run(ms) {
        const end = this.time + ms;
        for (;;) {
            const [id, next] = [...this.due].sort(([, a], [, b]) => a[0] - b[0])[0] ?? [];
            if (!next || next[0] > end) break;
            this.due.delete(id);
            this.time = next[0];
            next[1]();
        }
        this.time = end;
    }
}
