// The race's view: the map with its racers on the left, the settings on the right, losses and table below.

import { Canvas } from "../js/canvas.js";
import { element, uniqueId } from "../js/dom.js";
import { Latest } from "../js/latest.js";
import { text } from "../js/scale.js";
import { widget } from "../js/widget.js";
import { banded, crossing, exit, inside, nearest, pulledIn, span } from "./geometry.js";
import { land, look, mark } from "./looks.js";

const WIDTH = 480, HEIGHT = 366; // the box inside is four to three, as the engine's pictures are
const BANDS = 14, FINER = 6;
const NEAR = 14; // pixels from a start, to grab it
const ABOVE = new Set(["adamw", "own"]); // drawn with gaps, in which another's way may be seen
const LEAST = 1e-9; // of the losses drawn

export default widget((view) => {
    const map = new Chart(view);
    const racers = new Racers(view);
    const losses = new Losses(view);
    const table = new Table(view);
    const predict = new Predict(view);
    const story = view.hideable("story", element("p", { class: "or-story" }));
    const surface = view.control("surface");
    const bowl = element("div", {}, view.control("condition"), view.control("turn"));
    const seed = view.control("seed");
    const [lr, momentum, beta2, decay, noise] = ["lr", "momentum", "beta2", "weight_decay", "noise"].map((name) => view.control(name));
    const factors = new Factors(view);
    const rules = element("div", { class: "or-group" }, lr, momentum, beta2, decay, noise, seed, factors.el);
    view.el.classList.add("or-root");
    view.body.append(
        element("div", { class: "or-left" }, map.el, predict.el),
        element("div", { class: "or-right" }, element("div", {}, surface, bowl, story), racers.el, rules),
        element("div", { class: "or-below" }, losses.el, table.el),
    );
    return {
        paint(frame) {
            const { header } = frame;
            if (!header.own) surface.querySelector('option[value="own"]')?.remove();
            bowl.hidden = header.surface !== "bowl";
            const shown = new Set(header.racers.map(({ id }) => id)); // what does nothing for them is not there
            const used = (...racers) => racers.some((racer) => shown.has(racer));
            momentum.hidden = !used("momentum", "nesterov", "adam", "adamw");
            beta2.hidden = !used("rmsprop", "adam", "adamw");
            decay.hidden = !used("adamw");
            seed.hidden = header.noise === 0;
            factors.paint(shown);
            story.textContent = header.story;
            for (const part of [map, racers, losses, table, predict]) part.paint(frame);
        },
        heard: (what) => what === "params" && racers.show(),
    };
});

// A factor on the learning rate, for each racer that is shown.
class Factors {
    constructor(view) {
        const all = view.spec.params.racers.options.filter((id) => `factor_${id}` in view.spec.params);
        this.rows = all.map((id) => [id, view.control(`factor_${id}`)]);
        this.el = view.hideable("factors", element(
            "details", { class: "or-factors" }, element("summary", {}, "A factor on the rate, for each racer"), ...this.rows.map(([, el]) => el),
        ));
    }

    paint(shown) {
        for (const [id, el] of this.rows) el.hidden = !shown.has(id);
        this.el.hidden = this.rows.every(([, el]) => el.hidden);
    }
}

// ---------------------------------------------------------------------------------------------------------- the map

class Chart {
    constructor(view) {
        this.view = view;
        const shape = { width: WIDTH, height: HEIGHT, margins: [40, 10, 34, 10] };
        this.canvas = new Canvas(view, { label: "Map of the surface", ...shape });
        this.ground = new Canvas(view, { label: "", ...shape }); // never on the page: the land, painted once
        this.painted = null; // what of
        this.cursor = element("div", { class: "or-cursor", role: "slider", tabindex: 0, "aria-label": "Cross for a new start", "aria-description": "The arrow keys move it, Enter drops a start there, Delete takes the nearest start away." });
        this.place = null; // of the cursor, in data units
        const hint = element("p", { class: "or-hint" }, "Click to drop a start, drag it to move it. With the keyboard: Tab to the cross, arrow keys, Enter; Delete takes the nearest away.");
        this.only = view.button("One start", () => this.clear(), { title: "Keep the last start only" });
        this.tools = view.hideable("starts", element("div", { class: "or-tools" }, hint, this.only));
        this.el = view.hideable("map", element("div", {}, element("div", { class: "or-map" }, this.canvas.el, this.cursor), this.tools));
        this.held = null; // index of the start that is dragged
        this.moves = new Latest((args) => view.act("move", args));
        this.listen();
    }

    listen() {
        const { signal } = this.view;
        const on = (target, kind, then) => target.addEventListener(kind, then, { signal });
        on(this.canvas.el, "pointerdown", (event) => this.down(event));
        on(this.canvas.el, "pointermove", (event) => this.drag(event));
        for (const kind of ["pointerup", "pointercancel"]) on(this.canvas.el, kind, () => { this.held = null; });
        on(this.cursor, "keydown", (event) => this.key(event));
    }

    // May a hand change the starts?
    get free() {
        return this.view.frame && !this.tools.classList.contains("dlc-hidden");
    }

    starts() {
        return this.view.frame.header.starts.map(([x, y]) => this.canvas.toPixel(x, y));
    }

    // A place in the picture that is short to write down.
    tidy([x, y]) {
        const [left, right, bottom, top] = this.canvas.extent;
        const digits = Math.max(0, 2 - Math.floor(Math.log10(right - left)));
        const within = (value, low, high) => Math.min(Math.max(Number(value.toFixed(digits)), low), high);
        return { x: within(x, left, right), y: within(y, bottom, top) };
    }

    down(event) {
        if (event.button !== 0 || !this.free) return;
        const [x, y] = this.canvas.toData(event);
        const pixel = this.canvas.toPixel(x, y);
        if (!inside(pixel, this.canvas.box)) return;
        event.preventDefault();
        this.held = nearest(this.starts(), pixel, NEAR);
        this.canvas.el.setPointerCapture(event.pointerId);
        if (this.held >= 0) return;
        this.held = null;
        this.drop([x, y]).then((index) => {
            if (this.canvas.el.hasPointerCapture(event.pointerId)) this.held = index; // still down: drag it on
        }, () => {});
    }

    drag(event) {
        if (!this.free) return;
        const [x, y] = this.canvas.toData(event);
        if (this.held === null) {
            this.canvas.el.classList.toggle("or-grab", nearest(this.starts(), this.canvas.toPixel(x, y), NEAR) >= 0);
        } else this.moves.want({ index: this.held, ...this.tidy([x, y]) });
    }

    drop(place) {
        return this.view.act("drop", this.tidy(place));
    }

    async clear() {
        for (let left = this.view.frame.header.starts.length; left > 1; left -= 1) await this.view.act("remove", { index: 0 });
        this.view.say("One start is left.");
    }

    key(event) {
        const across = { ArrowRight: 1, ArrowLeft: -1 }[event.key] ?? 0, up = { ArrowUp: 1, ArrowDown: -1 }[event.key] ?? 0;
        if (!this.free || !this.place) return;
        const [left, right, bottom, top] = this.canvas.extent;
        if (across || up) {
            const step = (right - left) / (event.shiftKey ? 200 : 40), rise = (top - bottom) / (event.shiftKey ? 150 : 30);
            this.place = [
                Math.min(Math.max(this.place[0] + across * step, left), right),
                Math.min(Math.max(this.place[1] + up * rise, bottom), top),
            ];
            this.putCursor();
        } else if (event.key === "Enter" || event.key === " ") {
            this.drop(this.place).then((index) => this.view.say(`Start ${index + 1} dropped.`), () => {});
        } else if (event.key === "Delete" || event.key === "Backspace") {
            const index = nearest(this.starts(), this.canvas.toPixel(...this.place), Infinity);
            this.view.act("remove", { index }).then(() => this.view.say("Start taken away."), () => {});
        } else return;
        event.preventDefault();
    }

    putCursor() {
        const [x, y] = this.canvas.toPixel(...this.place);
        Object.assign(this.cursor.style, { left: `${(100 * x) / WIDTH}%`, top: `${(100 * y) / HEIGHT}%` });
        const [left, right] = this.canvas.extent, short = this.tidy(this.place);
        const said = { valuemin: left, valuemax: right, valuenow: short.x, valuetext: `x ${text(short.x)}, y ${text(short.y)}` };
        for (const [name, value] of Object.entries(said)) this.cursor.setAttribute(`aria-${name}`, value);
    }

    paint(frame) {
        const { header, arrays } = frame, { canvas } = this, { palette } = this.view;
        if (canvas.extent.join() !== header.extent.join() || !this.place) {
            canvas.extent = header.extent;
            this.place = [(header.extent[0] + header.extent[1]) / 2, (header.extent[2] + header.extent[3]) / 2];
            this.putCursor();
        }
        this.paintGround(header, arrays);
        this.only.disabled = header.starts.length === 1;
        const ways = this.ways(header, arrays.trail.data);
        canvas.draw((ctx) => {
            ctx.drawImage(this.ground.el, 0, 0, WIDTH, HEIGHT);
            for (const [x, y] of header.minima) this.minimum(ctx, x, y, header);
            const paths = ways.map((way) => this.path(way));
            for (const path of paths) stroke(ctx, path, palette.panel, 4.6);
            paths.forEach((path, index) => {
                const { colour, dash } = look(header.rows[index].racer, palette);
                const gaps = ABOVE.has(header.rows[index].racer) ? dash : [];
                stroke(ctx, path, colour, 2.2, gaps);
            });
            header.starts.forEach(([x, y], index) => this.start(ctx, canvas.toPixel(x, y), header.starts.length > 1 ? index + 1 : ""));
            ways.forEach((way, index) => this.racer(ctx, way, header, index));
        });
        canvas.label(`Map of the surface, seen from above. ${header.story} ${header.say}. The table below has every racer.`);
    }

    // Axes, bands and contour lines: only when they have changed.
    paintGround(header, { field, fine }) {
        const { ground, painted } = this, { palette } = this.view;
        const scale = globalThis.devicePixelRatio;
        const key = [palette.dark, scale, ...header.extent, header.story].join();
        if (painted?.key === key && painted.data.every((value, index) => value === fine.data[index])) return;
        this.painted = { key, data: fine.data.slice() };
        const heights = Float32Array.from(field.data, (value, index) => value + fine.data[index] / 256);
        const { stops, line } = land(palette), bands = banded(heights, field.shape, FINER, BANDS);
        ground.extent = header.extent;
        ground.draw((ctx) => {
            ground.axes({ xlabel: "x", ylabel: "y", xticks: 8, yticks: 6 });
            ground.field(bands.data, bands.shape, { stops });
            for (let band = 1; band < BANDS; band += 1) ground.contour(heights, field.shape, (band * 254) / BANDS, { colour: line, width: 1 });
            Object.assign(ctx, { strokeStyle: palette.quiet, lineWidth: 1 });
            ctx.strokeRect(ground.box.x, ground.box.y, ground.box.width, ground.box.height);
        });
    }

    // The trails in pixels, one for each row.
    ways(header, points) {
        let at = 0;
        return header.trails.map((count) => {
            const way = [];
            for (let end = at + count; at < end; at += 1) way.push(this.canvas.toPixel(points[2 * at], points[2 * at + 1]));
            return way;
        });
    }

    minimum(ctx, x, y, { ring, extent }) {
        const { box } = this.canvas, [px, py] = this.canvas.toPixel(x, y);
        const radii = [(ring * box.width) / (extent[1] - extent[0]), (ring * box.height) / (extent[3] - extent[2])];
        Object.assign(ctx, { strokeStyle: this.view.palette.ink, lineWidth: 1.4 });
        ctx.beginPath();
        for (const [dx, dy] of [[4, 0], [0, 4]]) {
            ctx.moveTo(px - dx, py - dy);
            ctx.lineTo(px + dx, py + dy);
        }
        ctx.stroke();
        ctx.setLineDash([3, 3]);
        ctx.beginPath();
        ctx.ellipse(px, py, ...radii, 0, 0, 2 * Math.PI);
        ctx.stroke();
        ctx.setLineDash([]);
    }

    path(way) {
        const path = new Path2D();
        let pen = null;
        for (let index = 1; index < way.length; index += 1) {
            const seen = crossing(way[index - 1], way[index], this.canvas.box);
            if (!seen) continue;
            if (pen !== seen[0].join()) path.moveTo(...seen[0]);
            path.lineTo(...seen[1]);
            pen = seen[1].join();
        }
        return path;
    }

    start(ctx, [x, y], name) {
        const { palette } = this.view;
        for (const [strokeStyle, lineWidth] of [[palette.panel, 4], [palette.ink, 1.6]]) {
            Object.assign(ctx, { strokeStyle, lineWidth });
            ctx.beginPath();
            ctx.arc(x, y, 8, 0, 2 * Math.PI);
            ctx.stroke();
        }
        if (!name) return;
        const [left] = pulledIn([x - 15, y], this.canvas.box, 6);
        Object.assign(ctx, { font: "bold 12px system-ui, sans-serif", textAlign: "center", textBaseline: "middle", fillStyle: palette.ink, strokeStyle: palette.panel, lineWidth: 3 });
        ctx.strokeText(name, left, y);
        ctx.fillText(name, left, y);
    }

    // A racer where it is; who has left the picture stands at its edge, with an arrow.
    racer(ctx, way, header, index) {
        const { palette } = this.view, { box } = this.canvas, row = header.rows[index];
        if (!way.length) return;
        const shape = look(row.racer, palette), gone = exit(way, box);
        let place = gone ? pulledIn(gone.place, box, 15) : way.at(-1);
        if (header.run.step === 0) place = this.fan(place, header, row.racer);
        if (gone) this.arrow(ctx, place, gone.angle, shape.colour);
        mark(ctx, shape, place, 5.5, palette.panel);
    }

    // At the start all are in one place: side by side around it they can be seen.
    fan([x, y], { racers }, id) {
        if (racers.length < 2) return [x, y];
        const angle = (2 * Math.PI * racers.findIndex((racer) => racer.id === id)) / racers.length;
        return [x + 13 * Math.sin(angle), y - 13 * Math.cos(angle)];
    }

    arrow(ctx, [x, y], angle, colour) {
        const at = (reach, turn) => [x + reach * Math.cos(angle + turn), y + reach * Math.sin(angle + turn)];
        ctx.beginPath();
        for (const [reach, turn] of [[20, 0], [12, 0.5], [12, -0.5]]) ctx.lineTo(...at(reach, turn));
        ctx.closePath();
        Object.assign(ctx, { fillStyle: colour, strokeStyle: this.view.palette.panel, lineWidth: 3 });
        ctx.stroke();
        ctx.fill();
    }
}

function stroke(ctx, path, strokeStyle, lineWidth, dash = []) {
    Object.assign(ctx, { strokeStyle, lineWidth });
    ctx.setLineDash(dash);
    ctx.stroke(path);
    ctx.setLineDash([]);
}

// ------------------------------------------------------------------------------------------------------ the racers

// Who is shown: checkboxes, each with the racer's mark and the rate it goes at.
class Racers {
    constructor(view) {
        this.view = view;
        this.rows = new Map();
        this.list = element("div", { class: "or-racers" });
        this.el = view.hideable("racers", element("fieldset", { class: "or-group" }, element("legend", {}, "Racers"), this.list));
    }

    build(known, names) {
        this.rows.clear();
        this.list.replaceChildren(...known.map((id) => {
            const box = element("input", { type: "checkbox", name: "racers", value: id });
            const sign = new Sign(this.view, id);
            box.addEventListener("change", () => {
                const chosen = [...this.rows].filter(([, row]) => row.box.checked).map(([each]) => each);
                if (chosen.length) this.view.set("racers", chosen);
                else box.checked = true; // the last one stays
            }, { signal: this.view.signal });
            const el = element("label", { class: "dlc-box" }, box, sign.el, names[id]);
            this.rows.set(id, { box, sign, el });
            return el;
        }));
        this.show();
    }

    show() {
        const chosen = this.view.get("racers");
        for (const [id, { box }] of this.rows) box.checked = chosen.includes(id);
    }

    paint({ header: { known, names } }) {
        if ([...this.rows.keys()].join() !== known.join()) this.build(known, names);
        for (const { sign } of this.rows.values()) sign.paint();
    }
}

// A racer's mark on a piece of its line.
class Sign {
    constructor(view, id) {
        Object.assign(this, { view, id, painted: null });
        this.canvas = new Canvas(view, { label: "", width: 34, height: 18 });
        this.el = this.canvas.el;
        this.el.removeAttribute("role");
        this.el.removeAttribute("aria-label");
        this.el.setAttribute("aria-hidden", "true");
        this.el.classList.add("or-sign");
    }

    paint() {
        const { palette } = this.view;
        if (this.painted === palette) return;
        this.painted = palette;
        const { colour, shape, dash } = look(this.id, palette);
        this.canvas.draw((ctx) => {
            Object.assign(ctx, { strokeStyle: colour, lineWidth: 2.2 });
            ctx.setLineDash(dash);
            ctx.beginPath();
            ctx.moveTo(0, 9);
            ctx.lineTo(34, 9);
            ctx.stroke();
            mark(ctx, { colour, shape }, [17, 9], 5, palette.panel);
        });
    }
}

// ------------------------------------------------------------------------------------------------------ the losses

class Losses {
    constructor(view) {
        this.view = view;
        this.canvas = new Canvas(view, { label: "Losses by step", width: 390, height: 250, margins: [70, 12, 36, 10] });
        this.el = view.hideable("losses", element("div", { class: "or-losses" }, this.canvas.el));
    }

    paint({ header, arrays }) {
        const { canvas } = this, { palette } = this.view;
        const steps = arrays.steps.data, [count, length] = arrays.curves.shape;
        const curves = Array.from({ length: count }, (_, row) => arrays.curves.data.subarray(row * length, (row + 1) * length));
        canvas.extent = [0, Math.max(20, steps.at(-1)), ...span(curves, LEAST)];
        canvas.draw((ctx) => {
            canvas.axes({ xlabel: "step", ylabel: header.lowest ? "loss above the lowest" : "loss", log: true });
            const [x] = canvas.toPixel(header.run.step, 0), { y, height } = canvas.box;
            Object.assign(ctx, { strokeStyle: palette.quiet, lineWidth: 1 });
            ctx.beginPath();
            ctx.moveTo(x, y);
            ctx.lineTo(x, y + height);
            ctx.stroke();
            curves.forEach((curve, row) => {
                const { colour, dash } = look(header.rows[row].racer, palette);
                canvas.curve(steps, Float32Array.from(curve, (loss) => Math.max(loss, LEAST)), { colour, dash, log: true });
            });
            const now = steps.findLastIndex((step) => step <= header.run.step);
            curves.forEach((curve, row) => {
                const place = canvas.toPixel(steps[now], Math.log10(Math.max(curve[now], LEAST)));
                if (inside(place, canvas.box)) mark(ctx, look(header.rows[row].racer, palette), place, 4.5, palette.panel);
            });
        });
        canvas.label(`Losses by step, on a logarithmic scale. ${header.say}.`);
    }
}

// ------------------------------------------------------------------------------------------------------- the table

// All that map and curves show, in words and numbers.
class Table {
    constructor(view) {
        this.view = view;
        this.caption = element("caption");
        this.body = element("tbody");
        this.head = element("tr");
        this.columns = "";
        this.signs = [];
        const table = element("table", { class: "or-table" }, this.caption, element("thead", {}, this.head), this.body);
        this.el = view.hideable("table", element("div", { class: "or-scroll", tabindex: 0, role: "region", "aria-label": "Table of the racers" }, table));
    }

    paint({ header }) {
        const several = header.starts.length > 1;
        const rates = new Set(header.rows.map(({ rate }) => rate)).size > 1;
        const columns = ["racer", ...(several ? ["start"] : []), ...(rates ? ["rate"] : []), "loss", "distance", "state"];
        const key = columns.join() + header.rows.map(({ racer }) => racer).join();
        if (this.columns !== key) this.build(key, columns, header.rows);
        this.caption.textContent = `At step ${header.run.step}`;
        header.rows.forEach((row, index) => {
            const line = this.body.children[index];
            const cells = { start: String(row.start), rate: text(row.rate), loss: text(row.loss), distance: text(row.distance), state: row.words };
            columns.slice(1).forEach((name, column) => {
                const cell = line.children[column + 1];
                if (cell.textContent !== cells[name]) cell.textContent = cells[name];
            });
            line.dataset.state = row.state;
            line.title = row.reason;
            this.signs[index].paint();
        });
    }

    build(key, columns, rows) {
        this.columns = key;
        const title = { distance: "To the nearest minimum" };
        this.head.replaceChildren(...columns.map((name) => element("th", { scope: "col", title: title[name] }, name)));
        this.signs = rows.map(({ racer }) => new Sign(this.view, racer));
        this.body.replaceChildren(...rows.map(({ name }, index) => element(
            "tr", {}, element("th", { scope: "row" }, this.signs[index].el, name), ...columns.slice(1).map(() => element("td")),
        )));
    }
}

// -------------------------------------------------------------------------------------------- predict before you see

class Predict {
    constructor(view) {
        this.view = view;
        this.start = view.button("Predict: who arrives first?", () => this.ask(), { title: "Begin anew, and say who will arrive first before you see it" });
        this.text = element("p", { class: "or-question", id: uniqueId("question") });
        this.choices = element("div", { class: "dlc-row", role: "group", "aria-labelledby": this.text.id });
        this.el = view.hideable("predict", element("section", { class: "or-group", "aria-live": "polite" }, this.start, this.text, this.choices));
        this.state = null;
    }

    ask() {
        this.view.session.play(false);
        return this.view.act("ask");
    }

    async answer(option) {
        await this.view.act("guess", { option });
        this.view.session.play(true);
    }

    paint({ header: { question } }) {
        const state = question && `${question.state} ${question.options} ${question.asked_count}`;
        if (state === this.state) return;
        this.state = state;
        const open = question && question.state !== "revealed";
        this.start.hidden = Boolean(open);
        this.text.textContent = question ? words(question) : "";
        const had = this.choices.contains(document.activeElement);
        this.choices.replaceChildren(...(open ? this.buttons(question) : []));
        if (had) (open ? this.choices.querySelector("button") : this.start).focus(); // not lost with the button
    }

    buttons(question) {
        const cancel = this.view.button("Cancel", () => this.view.act("forget"));
        if (question.state === "running") return [cancel];
        return [...question.options.map((option, index) => this.view.button(option, () => this.answer(index))), cancel];
    }
}

export function words({ state, text: asked, options, guess, verdict, asked_count: count, right_count: hits }) {
    if (state === "asked") return asked;
    if (state === "running") return `You said ${options[guess]}. The answer comes with the race.`;
    return `${verdict} So far ${hits} of ${count} predictions were right.`;
}
