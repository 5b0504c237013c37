// Ink on its way to the kernel: painted at once, sent in batches, kept until the kernel's own drawing holds it.

export const EVERY = 66; // milliseconds between two batches, about 15 in a second
const NEAR = 0.004; // of the pad: a point closer to the last one says nothing

export class Outbox {
    // send(points, id) -> Promise; changed() is called when what is to be painted has changed.
    constructor(send, changed, { later = (then, ms) => setTimeout(then, ms), every = EVERY } = {}) {
        Object.assign(this, { send, changed, later, every });
        this.strokes = []; // {id, points, sent, open}
        this.running = null;
    }

    begin(point) {
        const id = Math.random().toString(36).slice(2, 12);
        const stroke = { id, points: [clamped(point)], sent: 0, open: true };
        this.strokes.push(stroke);
        this.run();
        return stroke;
    }

    extend(stroke, points) {
        for (const point of points.map(clamped)) {
            const [x, y] = stroke.points.at(-1);
            if (Math.hypot(point[0] - x, point[1] - y) >= NEAR) stroke.points.push(point);
        }
        this.changed();
    }

    end(stroke) {
        stroke.open = false;
        this.run();
    }

    // When everything drawn so far has arrived.
    async settled() {
        while (this.running) await this.running;
    }

    run() {
        this.running ??= this.deliver().finally(() => {
            this.running = null;
            if (this.strokes.some(waits)) this.run();
        });
    }

    // One batch at a time, in the order drawn: a busy kernel gets few large batches, not many small ones.
    async deliver() {
        for (let stroke = this.strokes[0]; stroke; stroke = this.strokes[0]) {
            if (stroke.sent < stroke.points.length) {
                const batch = stroke.points.slice(stroke.sent);
                try {
                    await this.send(batch, stroke.id);
                    stroke.sent += batch.length;
                } catch {
                    stroke.refused = true; // a full pad, say; the reason is shown already
                }
            }
            if (stroke.refused || !waits(stroke)) {
                this.strokes.shift();
                this.changed();
            } else {
                await new Promise((done) => this.later(done, this.every));
            }
        }
    }
}

function waits(stroke) {
    return stroke.open || stroke.sent < stroke.points.length;
}

function clamped([x, y]) {
    const inside = (value) => Math.min(Math.max(value, 0), 1);
    return [Number(inside(x).toFixed(4)), Number(inside(y).toFixed(4))];
}

// The pad's drawing cut into its strokes: points are x, y, x, y, ...; lengths counts the points of each.
export function cut(points, lengths) {
    const strokes = [];
    let at = 0;
    for (const length of lengths) {
        strokes.push(Array.from({ length }, (_, index) => [points[2 * (at + index)], points[2 * (at + index) + 1]]));
        at += length;
    }
    return strokes;
}

// As people write it, and never "100 %".
export function percent(probability) {
    if (probability >= 0.995) return "> 99 %";
    return probability < 0.005 ? "< 1 %" : `${Math.round(100 * probability)} %`;
}

// Where an arrow key takes the cursor on the 8 x 8 grid; null for any other key.
export function moved([row, column], key) {
    const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[key];
    if (!step) return null;
    const inside = (value) => Math.min(Math.max(value, 0), 7);
    return [inside(row + step[0]), inside(column + step[1])];
}
