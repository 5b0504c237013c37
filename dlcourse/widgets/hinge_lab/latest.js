// Requests to the kernel while a hand moves: one at a time. What came meanwhile is asked for next, and the last wish wins.

const MOST = 900; // places in one message

export class Latest {
    // ask(args): a promise.
    constructor(ask) {
        Object.assign(this, { ask, wanted: null, busy: false });
    }

    async want(args) {
        this.wanted = args;
        if (this.busy) return;
        this.busy = true;
        try {
            while (this.wanted !== null) {
                const next = this.wanted;
                this.wanted = null;
                await this.ask(next);
            }
        } catch {
            this.wanted = null; // act() has shown the error
        } finally {
            this.busy = false;
        }
    }
}

// The same for strokes of the pen, of which no place may be lost: what came meanwhile is put together.
export class Strokes {
    constructor(ask) {
        Object.assign(this, { ask, queue: [], busy: false });
    }

    begin(place) {
        this.queue.push({ places: [place], begun: 0 });
        return this.send();
    }

    add(place) {
        this.queue.at(-1)?.places.push(place);
        return this.send();
    }

    async send() {
        if (this.busy) return;
        this.busy = true;
        try {
            while (this.queue.length) {
                const stroke = this.queue[0];
                if (stroke.places.length > stroke.begun) {
                    const now = stroke.places.slice(0, MOST);
                    stroke.places = [now.at(-1), ...stroke.places.slice(MOST)]; // the next piece begins where this one ends
                    stroke.begun = 1;
                    await this.ask({ xs: now.map(([x]) => x), ys: now.map(([, y]) => y) });
                } else if (this.queue.length > 1) this.queue.shift();
                else break;
            }
        } catch {
            this.queue = []; // act() has shown the error
        } finally {
            this.busy = false;
        }
    }
}
