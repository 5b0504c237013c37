// Strokes of the pen on their way to the kernel, one request at a time. No place may be lost: what came meanwhile is put
// together.

const MOST = 900; // places in one message

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
