// A place in a picture that the arrow keys move: to draw with the keyboard what a hand draws with the mouse.

import { text } from "./scale.js";

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

export class Cursor {
    // across: presses from one edge to the other.
    constructor(view, canvas, { across }) {
        this.view = view;
        this.canvas = canvas;
        this.across = across;
        this.place = null; // in data units; null until a key is pressed, and when the picture has lost the focus
        canvas.el.addEventListener("blur", () => this.leave(), { signal: view.signal });
    }

    leave() {
        this.place = null;
        this.view.repaint();
    }

    // An arrow key moves, with Shift a fifth as far. Whether Space or Enter has chosen the place; other keys do nothing.
    chosen(event) {
        const step = ARROWS[event.key];
        if (!step && event.key !== " " && event.key !== "Enter") return false;
        event.preventDefault();
        const [left, right, bottom, top] = this.canvas.extent;
        this.place ??= [(left + right) / 2, (bottom + top) / 2];
        if (!step) return true;
        const size = ((right - left) / this.across) * (event.shiftKey ? 0.2 : 1);
        this.place = [
            Math.min(Math.max(this.place[0] + step[0] * size, left), right),
            Math.min(Math.max(this.place[1] + step[1] * size, bottom), top),
        ];
        this.view.say(`Place ${text(this.place[0], 2)}, ${text(this.place[1], 2)}`);
        this.view.repaint();
        return false;
    }

    // A cross, light below and dark above, to be seen on any field.
    paint(ctx) {
        if (!this.place) return;
        const [x, y] = this.canvas.toPixel(...this.place), { palette } = this.view;
        for (const [colour, width] of [[palette.panel, 4], [palette.ink, 1.6]]) {
            Object.assign(ctx, { strokeStyle: colour, lineWidth: width });
            ctx.beginPath();
            ctx.moveTo(x - 9, y);
            ctx.lineTo(x + 9, y);
            ctx.moveTo(x, y - 9);
            ctx.lineTo(x, y + 9);
            ctx.stroke();
        }
    }
}
