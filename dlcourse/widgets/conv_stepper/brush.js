// Painting on the picture: by hand, cell after cell, and by keys. What is on its way to the kernel is shown already.

import { between } from "./numbers.js";

let strokes = 0;

// How many of what waits can go in one message: those of the first one's stroke; a cell put by a key goes alone.
export function together(waiting) {
    const [{ stroke }] = waiting;
    const end = waiting.findIndex((each, index) => index > 0 && (stroke === null || each.stroke !== stroke));
    return end < 0 ? waiting.length : end;
}

export class Brush {
    constructor(view) {
        Object.assign(this, { view, last: null, value: 0, stroke: null, waiting: [], busy: false, ahead: new Map() });
    }

    // What the picture holds, with what is on its way.
    over(values, columns) {
        this.columns = columns;
        this.seen = Float32Array.from(values);
        for (const [index, value] of this.ahead) if (index < this.seen.length) this.seen[index] = value;
        return this.seen;
    }

    press(at) {
        const brush = this.view.get("brush");
        this.value = Math.abs(this.here(at) - brush) < 1e-6 ? 0 : brush; // on a cell that has it already: wipe
        this.stroke = `${Date.now()}-${strokes += 1}`;
        this.last = at;
        this.put([at], this.value);
    }

    drag(at) {
        if (this.last === null) return;
        this.put(between(this.last, at), this.value);
        this.last = at;
    }

    release() {
        this.last = null;
    }

    // Whether the key was one of ours: a digit, a minus sign, space, delete.
    key(key, at) {
        if (key === " " || key === "Enter") this.press(at);
        else if (/^[0-9]$/.test(key)) this.once(at, Number(key));
        else if (key === "-" || key === "−") this.once(at, 0 - this.here(at));
        else if (key === "Delete" || key === "Backspace") this.once(at, 0);
        else return false;
        this.release();
        return true;
    }

    once(at, value) {
        this.stroke = null;
        this.put([at], value);
    }

    here([row, column]) {
        const index = row * this.columns + column;
        return this.ahead.get(index) ?? this.seen?.[index] ?? 0;
    }

    put(cells, value) {
        if (!cells.length) return;
        for (const [row, column] of cells) this.ahead.set(row * this.columns + column, value);
        this.waiting.push({ cells, value, stroke: this.stroke });
        this.view.repaint();
        this.send();
    }

    // One message at a time; what belongs to one stroke travels together.
    async send() {
        if (this.busy) return;
        this.busy = true;
        try {
            while (this.waiting.length) {
                const some = this.waiting.splice(0, together(this.waiting));
                const cells = new Map(some.flatMap((each) => each.cells).map((at) => [at.join(), at]));
                await this.view.act("paint", { cells: [...cells.values()], value: some[0].value, stroke: some[0].stroke });
            }
        } catch {
            this.waiting = []; // act() has shown the error
        } finally {
            this.busy = false;
            this.ahead.clear();
            this.view.repaint();
        }
    }
}
