// The diagram of the network: what each unit answers over the plane, and how strongly it listens to the one before.

import { Canvas } from "../js/canvas.js";
import { element, uniqueId } from "../js/dom.js";
import { Latest } from "../js/latest.js";
import { text } from "../js/scale.js";

const WIDTH = 380, ROOM = 38, SIDE = 28, TOP = 22;

// Where the weights of each layer begin in the flat array: [{weight, bias, inputs, units}].
export function layout(architecture) {
    const layers = [];
    let at = 0;
    for (let index = 0; index + 1 < architecture.length; index += 1) {
        const [inputs, units] = [architecture[index], architecture[index + 1]];
        layers.push({ weight: at, bias: at + inputs * units, inputs, units });
        at += inputs * units + units;
    }
    return layers;
}

export class Network {
    constructor(view) {
        this.view = view;
        this.chosen = { layer: 0, unit: 0, input: 0 }; // input may be "bias"
        this.shown = null; // unit under the pointer: [column, row]
        this.canvas = new Canvas(view, { label: "The network", width: WIDTH, height: 320 });
        this.canvas.el.classList.add("pg-network");
        this.canvas.el.addEventListener("pointermove", (event) => this.hover(event), { signal: view.signal });
        this.canvas.el.addEventListener("pointerleave", () => this.hover(null), { signal: view.signal });
        this.canvas.el.addEventListener("click", (event) => this.click(event), { signal: view.signal });
        this.el = element("div", {}, this.canvas.el, this.editor());
        this.listeners = [];
        this.sliding = ""; // the weight that the slider shows
        this.edits = new Latest(({ layer, unit, input, value }) => (input === "bias"
            ? view.act("set_bias", { layer, unit, value })
            : view.act("set_weight", { layer, unit, input, value })));
    }

    // A row to choose one weight and set it: with the keyboard too, and exactly.
    editor() {
        const { view } = this;
        this.selects = ["layer", "unit", "input"].map((name) => {
            const id = uniqueId(name);
            const select = element("select", { id, "aria-label": `${name} of the weight to edit` });
            select.addEventListener("change", () => {
                this.chosen = { ...this.chosen, [name]: select.value === "bias" ? "bias" : Number(select.value) };
                if (this.frame) this.paint(this.frame);
            }, { signal: view.signal });
            return select;
        });
        this.slider = element("input", { type: "range", min: -10, max: 10, step: 0.05, "aria-label": "Value of the chosen weight" });
        this.value = element("output", { "aria-hidden": "true" });
        this.slider.addEventListener("input", () => {
            this.edits.want({ ...this.chosen, value: Number(this.slider.value) });
        }, { signal: view.signal });
        return view.hideable("weight", element(
            "div", { class: "pg-weight" },
            element("span", {}, "Set a weight:"), ...this.selects, this.slider, this.value,
        ));
    }

    paint(frame) {
        this.frame = frame;
        const { architecture, features } = frame.header;
        const drawn = architecture.length > 1 && architecture.every((units) => units <= 8)
            && frame.header.maps.every((count, column) => count === architecture[column]) && frame.arrays.weights.data.length > 0;
        this.el.hidden = !drawn;
        this.el.parentElement.hidden = !drawn; // an own model of another kind, or a large one
        if (!drawn) return;
        this.layers = layout(architecture);
        this.names = features;
        this.canvas.height = TOP + Math.max(...architecture) * ROOM + 4;
        this.canvas.el.style.aspectRatio = `${WIDTH} / ${this.canvas.height}`;
        this.fillEditor(architecture, features, frame.arrays.weights.data);
        this.canvas.draw(() => this.diagram(frame, architecture));
        this.canvas.label(
            `Network ${architecture.join("-")}: ${features.join(", ")}, then ${architecture.length - 2} hidden layers. `
            + "Thick lines are large weights; dashed lines are negative.",
        );
    }

    place(column, row, architecture) {
        const gap = (WIDTH - SIDE - 8) / (architecture.length - 1);
        const high = this.canvas.height - TOP;
        return [4 + column * gap, TOP + (high - architecture[column] * ROOM) / 2 + row * ROOM + (ROOM - SIDE) / 2];
    }

    diagram(frame, architecture) {
        const { canvas } = this;
        const { ctx, palette } = canvas;
        const weights = frame.arrays.weights.data;
        const largest = Math.max(1, ...Array.from(weights, Math.abs).filter(Number.isFinite));
        this.layers.forEach(({ weight, inputs, units }, layer) => {
            for (let unit = 0; unit < units; unit += 1) {
                for (let input = 0; input < inputs; input += 1) {
                    const value = weights[weight + unit * inputs + input];
                    const [x0, y0] = this.place(layer, input, architecture), [x1, y1] = this.place(layer + 1, unit, architecture);
                    ctx.strokeStyle = value < 0 ? palette.zero : palette.one;
                    ctx.lineWidth = 0.6 + 5 * Math.min(1, Math.abs(value) / largest);
                    ctx.setLineDash(value < 0 ? [6, 4] : []);
                    ctx.globalAlpha = this.isChosen(layer, unit, input) ? 1 : 0.75;
                    const middle = (x0 + SIDE + x1) / 2;
                    ctx.beginPath();
                    ctx.moveTo(x0 + SIDE, y0 + SIDE / 2);
                    ctx.bezierCurveTo(middle, y0 + SIDE / 2, middle, y1 + SIDE / 2, x1, y1 + SIDE / 2);
                    ctx.stroke();
                    if (this.isChosen(layer, unit, input)) {
                        Object.assign(ctx, { strokeStyle: palette.ink, lineWidth: 1.2 });
                        ctx.setLineDash([]);
                        ctx.stroke();
                    }
                }
            }
        });
        ctx.setLineDash([]);
        ctx.globalAlpha = 1;
        let map = 0;
        const { data, shape } = frame.arrays.maps;
        const size = shape[1] * shape[2];
        architecture.forEach((units, column) => {
            const output = column === architecture.length - 1;
            ctx.fillStyle = palette.quiet;
            Object.assign(ctx, { textBaseline: "middle", textAlign: column === 0 ? "left" : output ? "right" : "center" });
            const [x] = this.place(column, 0, architecture);
            ctx.fillText(column === 0 ? "Inputs" : output ? "Output" : `Layer ${column}`, x + (column === 0 ? 0 : output ? SIDE : SIDE / 2), 8);
            for (let unit = 0; unit < units; unit += 1) {
                const [px, py] = this.place(column, unit, architecture);
                const box = { x: px, y: py, width: SIDE, height: SIDE };
                if (output) canvas.field(frame.arrays.field.data, frame.arrays.field.shape, { box, name: "output" });
                else {
                    canvas.field(data.subarray(map * size, (map + 1) * size), shape.slice(1), { box, name: "unit" });
                    map += 1;
                }
                ctx.strokeStyle = this.isShown(column, unit) ? palette.ink : palette.quiet;
                ctx.lineWidth = this.isShown(column, unit) ? 2.5 : 1;
                ctx.strokeRect(px, py, SIDE, SIDE);
                if (column > 0) this.biasMark(weights, column, unit, px, py);
            }
        });
    }

    // A small square at the unit's corner: the bias, filled by its sign and size.
    biasMark(weights, column, unit, px, py) {
        const { ctx, palette } = this.canvas;
        const value = weights[this.layers[column - 1].bias + unit];
        const side = 4 + 5 * Math.min(1, Math.abs(value) / 3);
        ctx.fillStyle = value < 0 ? palette.zero : palette.one;
        ctx.fillRect(px - side / 2, py + SIDE - side / 2, side, side);
        Object.assign(ctx, { strokeStyle: palette.ink, lineWidth: this.isChosen(column - 1, unit, "bias") ? 2 : 0.7 });
        ctx.strokeRect(px - side / 2, py + SIDE - side / 2, side, side);
    }

    isChosen(layer, unit, input) {
        return this.chosen.layer === layer && this.chosen.unit === unit && this.chosen.input === input;
    }

    isShown(column, row) {
        return this.shown !== null && this.shown[0] === column && this.shown[1] === row;
    }

    fillEditor(architecture, features, weights) {
        const clamp = (value, most) => Math.min(value, most - 1);
        const layer = clamp(this.chosen.layer, this.layers.length);
        const unit = clamp(this.chosen.unit, this.layers[layer].units);
        const input = this.chosen.input === "bias" ? "bias" : clamp(this.chosen.input, this.layers[layer].inputs);
        this.chosen = { layer, unit, input };
        const [layers, units, inputs] = this.selects;
        const last = this.layers.length - 1;
        options(layers, this.layers.map((_, index) => [index, index === last ? "output" : `layer ${index + 1}`]), layer);
        options(units, range(this.layers[layer].units).map((index) => [index, `unit ${index + 1}`]), unit);
        const from = range(this.layers[layer].inputs).map((index) => [index, layer === 0 ? `from ${features[index]}` : `from unit ${index + 1}`]);
        options(inputs, [...from, ["bias", "bias"]], input);
        const { weight, bias, inputs: fan } = this.layers[layer];
        const value = weights[input === "bias" ? bias + unit : weight + unit * fan + input];
        this.value.textContent = text(value, 3);
        const chosen = `${layer} ${unit} ${input}`;
        if (!this.edits.busy || this.sliding !== chosen) { // while a hand moves it, the slider leads
            this.sliding = chosen;
            this.slider.value = value;
            this.slider.setAttribute("aria-valuetext", text(value, 3));
        }
    }

    // Show the unit under the pointer large; nothing under it: the network's answer again.
    hover(event) {
        const unit = event && this.frame && !this.el.hidden ? this.unitAt(event) : null;
        if (String(unit) === String(this.shown)) return;
        this.shown = unit;
        for (const listener of this.listeners) listener();
        this.paint(this.frame);
    }

    unitAt(event) {
        const { architecture } = this.frame.header;
        const [x, y] = this.pixel(event);
        for (let column = 0; column < architecture.length; column += 1) {
            for (let row = 0; row < architecture[column]; row += 1) {
                const [px, py] = this.place(column, row, architecture);
                if (x >= px && x <= px + SIDE && y >= py && y <= py + SIDE) return [column, row];
            }
        }
        return null;
    }

    // The link nearest to a click becomes the one to edit; a click on a unit chooses its bias.
    click(event) {
        const { architecture } = this.frame.header;
        const unit = this.unitAt(event);
        if (unit) {
            if (unit[0] > 0) this.chosen = { layer: unit[0] - 1, unit: unit[1], input: "bias" };
        } else {
            const [x, y] = this.pixel(event);
            let nearest = 12;
            this.layers.forEach(({ inputs, units }, layer) => {
                for (let row = 0; row < units; row += 1) {
                    for (let input = 0; input < inputs; input += 1) {
                        const away = this.distance(x, y, this.place(layer, input, architecture), this.place(layer + 1, row, architecture));
                        if (away < nearest) {
                            nearest = away;
                            this.chosen = { layer, unit: row, input };
                        }
                    }
                }
            });
        }
        this.paint(this.frame);
    }

    // From a place to the curve of a link, sampled.
    distance(x, y, [x0, y0], [x1, y1]) {
        const [ax, ay, bx, by] = [x0 + SIDE, y0 + SIDE / 2, x1, y1 + SIDE / 2];
        const middle = (ax + bx) / 2;
        let nearest = Infinity;
        for (let step = 0; step <= 20; step += 1) {
            const t = step / 20, s = 1 - t;
            const px = s * s * s * ax + 3 * s * s * t * middle + 3 * s * t * t * middle + t * t * t * bx;
            const py = s * s * s * ay + 3 * s * s * t * ay + 3 * s * t * t * by + t * t * t * by;
            nearest = Math.min(nearest, Math.hypot(px - x, py - y));
        }
        return nearest;
    }

    pixel(event) {
        const place = this.canvas.el.getBoundingClientRect();
        const scale = WIDTH / place.width;
        return [(event.clientX - place.left) * scale, (event.clientY - place.top) * scale];
    }
}

function range(count) {
    return Array.from({ length: count }, (_, index) => index);
}

// Fill a select, but only when its options have changed: a rebuilt one would lose its focus.
function options(select, wanted, value) {
    const key = JSON.stringify(wanted);
    if (select.dataset.key !== key) {
        select.replaceChildren(...wanted.map(([name, words]) => element("option", { value: name }, words)));
        select.dataset.key = key;
    }
    select.value = String(value);
}
