// The states, a row for each unit and a column for each step; and below them the gradient that gets back to each step.

import { power } from "../js/decades.js";
import { element } from "../js/dom.js";
import { byte, clamp, decadesOf, every, figure, fromLog, state } from "./numbers.js";
import { Fitting, handle, place, said } from "./panel.js";

const WIDTH = 700, LEFT = 46, RIGHT = 12;
const KEYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowDown: [0, -1], ArrowUp: [0, 1], PageUp: [5, 0], PageDown: [-5, 0], Home: [-1e6, 0], End: [1e6, 0] };

export class States {
    constructor(view, at, go) {
        this.view = view;
        this.at = at; // {step, unit}: where the hand is
        this.go = go; // (step, unit): where it wants to be
        const panel = (label) => new Fitting(view, { label, width: WIDTH, height: 120, margins: [LEFT, RIGHT, 22, 4] });
        this.maps = [["states", "Hidden state h", panel("Hidden states")], ["memory", "Cell state c, the memory", panel("Cell states")]].map(([name, title, it]) => ({
            name, it, title: element("h4", {}, title),
        }));
        for (const map of this.maps) {
            map.box = element("div", {}, map.title, map.it.el);
            const pick = (x, y) => this.go(Math.round(x), Math.round(y));
            map.handle = handle(view, map.it, map.name === "states" ? "Step, and by up and down unit" : "Step in the cell state", "ru-handle", { keys: (key) => this.key(key), pick });
        }
        this.legend = element("p", { class: "ru-note" });
        this.el = element("section", { class: "ru-section" }, ...this.maps.map((map) => map.box), this.legend);
    }

    key(key) {
        if (!(key in KEYS)) return false;
        const { step, unit } = this.at();
        const [steps, units] = KEYS[key];
        return this.go(step + steps, unit + units);
    }

    paint({ header, arrays }) {
        const { run, units, unit, symbols, scale, parts } = header;
        const row = parts.findIndex((part) => part.name === "h");
        const rowC = parts.findIndex((part) => part.name === "c");
        this.maps.forEach(({ name, it, box, handle: held }, index) => {
            box.hidden = !arrays[name];
            if (!arrays[name]) return;
            it.fit(clamp(units * 9, 64, 200) + 26);
            const { canvas } = it, { palette } = this.view;
            canvas.extent = [0.5, run.last + 0.5, -0.5, units - 0.5];
            canvas.draw((ctx) => {
                canvas.field(arrays[name].data, arrays[name].shape, { smooth: false, name });
                frame(canvas);
                labels(canvas, symbols, run);
                Object.assign(ctx, { fillStyle: palette.ink, textAlign: "right", textBaseline: "middle" });
                for (let each = 0; each < units; each += every(units, canvas.box.height, 16)) ctx.fillText(String(each), LEFT - 11, canvas.toPixel(0, each)[1]);
                column(canvas, run.step, unit);
            });
            const now = arrays.parts.data[(index ? rowC : row) * units + unit];
            const letter = index ? "c" : "h";
            const reads = symbols[run.step - 1] ? ` reads ${symbols[run.step - 1]}` : "";
            said(held, { now: run.step, low: 1, high: run.last, text: `step ${run.step} of ${run.last}${reads}, unit ${unit}: ${letter} = ${figure(now)}` });
            place(held, canvas, run.step - 0.5, run.step + 0.5, -0.5, units - 0.5, 14);
            const all = [...arrays[name].data].filter((value) => value < 255).map((value) => byte(value, scale[index]));
            canvas.label(`${index ? "Cell" : "Hidden"} states of ${units} units over ${run.last} steps, from ${figure(all.reduce((a, b) => Math.min(a, b), Infinity))} to ${figure(all.reduce((a, b) => Math.max(a, b), -Infinity))}`);
        });
        const ends = arrays.memory ? `h from −${figure(scale[0])} to ${figure(scale[0])}, c from −${figure(scale[1])} to ${figure(scale[1])}` : `from −${figure(scale[0])} to ${figure(scale[0])}`;
        this.legend.textContent = `A row for each unit, a column for each step. Blue below 0, orange above; ${ends}.`;
    }
}

export class Strip {
    constructor(view, go) {
        this.view = view;
        this.it = new Fitting(view, { label: "Gradient", width: WIDTH, height: 150, margins: [LEFT, RIGHT, 22, 20] });
        this.title = element("h4");
        this.words = element("p", { class: "ru-note" });
        const cut = (x) => this.cut(Math.round(x - 0.5));
        this.handle = handle(view, this.it, "Cut after step", "ru-cut", { keys: (key) => this.key(key), pick: (x) => cut(x), targets: [] });
        this.handle.append(element("span", { "aria-hidden": "true" }, "cut"));
        this.it.el.append(this.handle);
        this.drag(cut);
        this.it.canvas.el.addEventListener("pointerdown", (event) => go(Math.round(this.it.canvas.toData(event)[0]), null), { signal: view.signal });
        this.el = element("section", { class: "ru-section" }, this.title, this.it.el, this.words);
    }

    drag(cut) {
        const { handle: made, view } = this;
        made.addEventListener("pointerdown", (event) => {
            if (event.button !== 0) return;
            event.preventDefault();
            made.setPointerCapture(event.pointerId);
            made.focus({ preventScroll: true });
        }, { signal: view.signal });
        made.addEventListener("pointermove", (event) => {
            if (made.hasPointerCapture(event.pointerId)) cut(this.it.canvas.toData(event)[0]);
        }, { signal: view.signal });
    }

    key(key) {
        const move = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageUp: 5, PageDown: -5, Home: -1e6, End: 1e6 }[key];
        return move === undefined ? false : this.cut(this.view.get("cut") + move);
    }

    cut(step) {
        const wanted = clamp(step, 0, (this.view.frame?.header.run.last ?? 1) - 1);
        if (wanted !== this.view.get("cut")) this.view.set("cut", wanted);
    }

    paint({ header, arrays }) {
        const { run, symbols, cut } = header;
        const flow = arrays.flow.data, uncut = arrays.uncut.data;
        this.it.fit(150);
        const { canvas } = this.it, { palette } = this.view;
        const [low, high] = decadesOf(uncut);
        canvas.extent = [0.5, run.last + 0.5, low, high];
        canvas.draw((ctx) => {
            const { box } = canvas;
            ctx.fillStyle = palette.panel;
            ctx.fillRect(box.x, box.y, box.width, box.height);
            Object.assign(ctx, { textAlign: "right", textBaseline: "middle", lineWidth: 1 });
            const gap = Math.max(1, Math.ceil((high - low) / 6));
            for (let decade = Math.floor(high / gap) * gap; decade >= low; decade -= gap) {
                const [, y] = canvas.toPixel(0.5, decade);
                ctx.strokeStyle = decade === 0 ? palette.ink : palette.grid;
                line(ctx, box.x, y, box.x + box.width, y);
                ctx.fillStyle = palette.ink;
                ctx.fillText(power(decade), LEFT - 6, y);
            }
            const [, floor] = canvas.toPixel(0, low), wide = box.width / run.last;
            uncut.forEach((log, index) => {
                const [x, y] = canvas.toPixel(index + 0.5, clamp(log, low, high)), gapX = Math.min(2, wide * 0.15);
                if (!(log > low)) return;
                if (index < cut) hatch(ctx, x + gapX, y, wide - 2 * gapX, floor - y, palette);
                else {
                    ctx.fillStyle = palette.lines[0];
                    ctx.fillRect(x + gapX, y, wide - 2 * gapX, floor - y);
                }
            });
            labels(canvas, symbols, run);
            column(canvas, run.step, null);
        });
        place(this.handle, canvas, cut + 0.5, cut + 0.5, low, high, 22);
        this.handle.classList.toggle("ru-none", cut === 0);
        said(this.handle, { now: cut, low: 0, high: run.last - 1, text: cut ? `cut after step ${cut}` : "no cut" });
        const here = fromLog(flow[run.step - 1]);
        this.title.textContent = `How much of the gradient of ${state(run.last)} gets back to each step`;
        this.words.textContent = cut
            ? `At step ${run.step}: ${here}. ${cut === 1 ? "Step 1 is" : `Steps 1 to ${cut} are`} before the cut; hatched: what they would get without it.`
            : `${run.step > 1 ? `At step ${run.step}: ${here}; at` : "At"} step 1: ${fromLog(flow[0])}. Drag the cut, or move it by arrow keys.`;
        canvas.label(`Bars on a logarithmic axis: the gradient of ${state(run.last)} that gets back to step 1 is ${fromLog(flow[0])}, to step ${run.step} ${here}, to step ${run.last} 1`);
    }
}

function hatch(ctx, x, y, width, height, palette) {
    ctx.save();
    ctx.beginPath();
    ctx.rect(x, y, width, height);
    ctx.clip();
    Object.assign(ctx, { strokeStyle: palette.missing, lineWidth: 1 });
    for (let down = y - width; down < y + height + width; down += 6) line(ctx, x, down + width, x + width, down);
    ctx.restore();
    Object.assign(ctx, { strokeStyle: palette.missing, lineWidth: 1 });
    ctx.strokeRect(x + 0.5, y + 0.5, Math.max(width - 1, 0), Math.max(height - 1, 0));
}

export function line(ctx, x0, y0, x1, y1) {
    ctx.beginPath();
    ctx.moveTo(x0, y0);
    ctx.lineTo(x1, y1);
    ctx.stroke();
}

export function frame(canvas) {
    const { ctx, box, palette } = canvas;
    Object.assign(ctx, { strokeStyle: palette.quiet, lineWidth: 1 });
    ctx.strokeRect(box.x - 0.5, box.y - 0.5, box.width + 1, box.height + 1);
}

// The characters below the steps where they have room, else the steps' numbers.
function labels(canvas, symbols, run) {
    const { ctx, box, palette } = canvas;
    const wide = box.width / run.last, written = wide >= 9 && symbols.some(Boolean);
    Object.assign(ctx, { fillStyle: palette.ink, textAlign: "center", textBaseline: "top" });
    const step = written ? 1 : every(run.last, box.width);
    for (let at = 1; at <= run.last; at += step === 1 ? 1 : at === 1 ? step - 1 : step) {
        ctx.fillText(written ? symbols[at - 1] : String(at), canvas.toPixel(at, 0)[0], box.y + box.height + 5);
    }
}

// The chosen step, and in it the chosen unit.
function column(canvas, step, unit) {
    const { ctx, palette } = canvas;
    const [, , bottom, top] = canvas.extent;
    const [x0, y0] = canvas.toPixel(step - 0.5, top), [x1, y1] = canvas.toPixel(step + 0.5, bottom);
    Object.assign(ctx, { strokeStyle: palette.ink, lineWidth: 2 });
    ctx.strokeRect(x0, y0, x1 - x0, y1 - y0);
    if (unit === null) return;
    const [, low] = canvas.toPixel(0, unit - 0.5), [, high] = canvas.toPixel(0, unit + 0.5);
    ctx.fillStyle = palette.ink;
    ctx.beginPath(); // a small arrow to the left of its cell, so that its colour stays to be seen
    ctx.moveTo(x0 - 1, (low + high) / 2);
    ctx.lineTo(x0 - 8, (low + high) / 2 - 5);
    ctx.lineTo(x0 - 8, (low + high) / 2 + 5);
    ctx.fill();
}
