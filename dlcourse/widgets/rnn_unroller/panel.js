// What the unroller's pictures share: a canvas as wide as its place, a diverging field, a handle for mouse and keys.

import { Canvas } from "../js/canvas.js";
import { element } from "../js/dom.js";

// A canvas that is drawn as wide as its place is, so that its letters keep their size on a narrow page.
export class Fitting {
    constructor(view, { label, width, height, margins }) {
        this.view = view;
        this.most = width;
        this.canvas = new Canvas(view, { label, width, height, margins });
        this.el = element("div", { class: "ru-panel" }, this.canvas.el);
        this.el.style.maxWidth = `${width}px`;
        const seen = new ResizeObserver(() => {
            if (this.room() !== this.canvas.width) view.repaint();
        });
        seen.observe(this.el);
        view.signal.addEventListener("abort", () => seen.disconnect());
    }

    room() {
        return Math.round(Math.min(this.el.clientWidth || this.most, this.most));
    }

    fit(height) {
        const { canvas } = this, width = this.room();
        if (canvas.width === width && canvas.height === height) return;
        Object.assign(canvas, { width, height });
        canvas.el.style.maxWidth = `${width}px`;
        canvas.el.style.aspectRatio = `${width} / ${height}`;
    }
}

// An element with role slider that lies over a panel. keys(key): what an arrow does, or false. pick(x, y): in data units.
export function handle(view, panel, label, className, { keys, pick, targets }) {
    const made = element("div", { class: className, role: "slider", tabindex: 0, "aria-label": label });
    made.addEventListener("keydown", (event) => {
        if (keys(event.key) !== false) event.preventDefault();
    }, { signal: view.signal });
    for (const target of targets ?? [panel.canvas.el, made]) {
        target.addEventListener("pointerdown", (event) => {
            if (event.button !== 0) return;
            event.preventDefault();
            target.setPointerCapture(event.pointerId);
            made.focus({ preventScroll: true });
            pick(...panel.canvas.toData(event));
        }, { signal: view.signal });
        target.addEventListener("pointermove", (event) => {
            if (target.hasPointerCapture(event.pointerId)) pick(...panel.canvas.toData(event));
        }, { signal: view.signal });
    }
    if (!targets) panel.el.append(made);
    return made;
}

// Puts a handle over a rectangle given in data units; `least`: pixels at least, so that a hand can hold it.
export function place(made, canvas, left, right, bottom, top, least = 0) {
    let [x0, y1] = canvas.toPixel(left, bottom), [x1, y0] = canvas.toPixel(right, top);
    const more = Math.max(0, least - (x1 - x0)) / 2;
    [x0, x1] = [x0 - more, x1 + more];
    const percent = (value, of) => `${(100 * value) / of}%`;
    Object.assign(made.style, {
        left: percent(x0, canvas.width), width: percent(x1 - x0, canvas.width),
        top: percent(y0, canvas.height), height: percent(y1 - y0, canvas.height),
    });
}

export function said(made, { now, low, high, text }) {
    made.setAttribute("aria-valuemin", low);
    made.setAttribute("aria-valuemax", high);
    made.setAttribute("aria-valuenow", now);
    made.setAttribute("aria-valuetext", text);
}
