// A canvas that stays sharp, knows its data coordinates, and can be read aloud.

import { element } from "./dom.js";
import { table } from "./palette.js";
import { decades, text, ticks } from "./scale.js";

export class Canvas {
    // width, height: CSS pixels of the drawing; on a narrow page it shrinks as a whole.
    // margins: [left, right, bottom, top] around the plotting box.
    constructor(view, { label, width, height, margins = [0, 0, 0, 0], extent = [0, 1, 0, 1], focusable = false }) {
        this.view = view;
        this.width = width;
        this.height = height;
        this.margins = margins;
        this.extent = extent; // [left, right, bottom, top] in data units
        this.el = element("canvas", { role: "img", "aria-label": label, class: "dlc-canvas" });
        if (focusable) this.el.tabIndex = 0;
        this.el.style.maxWidth = `${width}px`;
        this.el.style.aspectRatio = `${width} / ${height}`;
        this.ctx = this.el.getContext("2d");
        this.layers = new Map(); // small canvases for fields, by name
    }

    label(words) {
        if (this.el.getAttribute("aria-label") !== words) this.el.setAttribute("aria-label", words);
    }

    get palette() {
        return this.view.palette;
    }

    get box() {
        const [left, right, bottom, top] = this.margins;
        return { x: left, y: top, width: this.width - left - right, height: this.height - top - bottom };
    }

    // Wipe, then draw(ctx) in CSS pixels.
    draw(draw) {
        const scale = Math.min(globalThis.devicePixelRatio || 1, 3);
        const [width, height] = [Math.round(this.width * scale), Math.round(this.height * scale)];
        if (this.el.width !== width || this.el.height !== height) Object.assign(this.el, { width, height });
        this.ctx.setTransform(scale, 0, 0, scale, 0, 0);
        this.ctx.clearRect(0, 0, this.width, this.height);
        this.ctx.font = "12px var(--jp-ui-font-family, system-ui), sans-serif".replace(/var\([^)]*\)/, "system-ui");
        this.ctx.lineJoin = "round";
        draw(this.ctx);
    }

    toPixel(x, y) {
        const { x: left, y: top, width, height } = this.box;
        const [x0, x1, y0, y1] = this.extent;
        return [left + ((x - x0) / (x1 - x0)) * width, top + ((y1 - y) / (y1 - y0)) * height];
    }

    // Data coordinates of a mouse or touch event.
    toData(event) {
        const place = this.el.getBoundingClientRect();
        const px = ((event.clientX - place.left) / place.width) * this.width;
        const py = ((event.clientY - place.top) / place.height) * this.height;
        const { x: left, y: top, width, height } = this.box;
        const [x0, x1, y0, y1] = this.extent;
        return [x0 + ((px - left) / width) * (x1 - x0), y1 - ((py - top) / height) * (y1 - y0)];
    }

    // A field of bytes, row 0 at the bottom, through the palette, stretched over `box` (default: the plotting box).
    field(bytes, [rows, columns], { box = this.box, stops = undefined, name = "field", smooth = true } = {}) {
        const layer = this.layers.get(name) ?? document.createElement("canvas");
        this.layers.set(name, layer);
        if (layer.width !== columns || layer.height !== rows) Object.assign(layer, { width: columns, height: rows });
        const ctx = layer.getContext("2d");
        const image = ctx.createImageData(columns, rows);
        const pixels = new Uint32Array(image.data.buffer);
        const colours = new Uint32Array(colourTable(this.palette, stops).buffer);
        for (let row = 0; row < rows; row += 1) {
            const from = (rows - 1 - row) * columns;
            for (let column = 0; column < columns; column += 1) pixels[row * columns + column] = colours[bytes[from + column]];
        }
        ctx.putImageData(image, 0, 0);
        this.ctx.imageSmoothingEnabled = smooth;
        this.ctx.imageSmoothingQuality = "high";
        this.ctx.drawImage(layer, box.x, box.y, box.width, box.height);
    }

    // The line where a field of bytes crosses `level`; both ends of each edge are places of the grid (marching squares).
    contour(bytes, [rows, columns], level, { colour = this.palette.ink, width = 1.6, dash = [], box = this.box } = {}) {
        const { ctx } = this;
        const px = (column) => box.x + (column / (columns - 1)) * box.width;
        const py = (row) => box.y + box.height - (row / (rows - 1)) * box.height;
        ctx.save();
        Object.assign(ctx, { strokeStyle: colour, lineWidth: width });
        ctx.setLineDash(dash);
        ctx.beginPath();
        for (let row = 0; row + 1 < rows; row += 1) {
            for (let column = 0; column + 1 < columns; column += 1) {
                const at = row * columns + column;
                const corners = [bytes[at], bytes[at + 1], bytes[at + columns + 1], bytes[at + columns]];
                if (corners.includes(255)) continue;
                const above = corners.map((value) => value > level);
                if (above.every((each) => each === above[0])) continue;
                const crossing = [];
                for (let edge = 0; edge < 4; edge += 1) {
                    const next = (edge + 1) % 4;
                    if (above[edge] === above[next]) continue;
                    const share = (level - corners[edge]) / (corners[next] - corners[edge]);
                    const [x0, y0] = CORNERS[edge], [x1, y1] = CORNERS[next];
                    crossing.push([px(column + x0 + (x1 - x0) * share), py(row + y0 + (y1 - y0) * share)]);
                }
                for (let pair = 0; pair + 1 < crossing.length; pair += 2) {
                    ctx.moveTo(...crossing[pair]);
                    ctx.lineTo(...crossing[pair + 1]);
                }
            }
        }
        ctx.stroke();
        ctx.restore();
    }

    // Points of two classes: blue circles for 0, orange triangles for 1. filled: false draws rings (test points).
    points(xs, ys, labels, { size = 4.5, filled = true } = {}) {
        for (let index = 0; index < xs.length; index += 1) {
            this.point(xs[index], ys[index], labels[index], { size, filled });
        }
    }

    point(x, y, label, { size = 4.5, filled = true } = {}) {
        const { ctx, palette } = this;
        const [px, py] = this.toPixel(x, y);
        ctx.beginPath();
        if (label > 0) {
            const reach = size * 1.25;
            ctx.moveTo(px, py - reach);
            ctx.lineTo(px + reach * 0.9, py + reach * 0.7);
            ctx.lineTo(px - reach * 0.9, py + reach * 0.7);
            ctx.closePath();
        } else {
            ctx.arc(px, py, size, 0, 2 * Math.PI);
        }
        const colour = label > 0 ? palette.one : palette.zero;
        ctx.fillStyle = filled ? colour : palette.panel;
        ctx.fill();
        ctx.lineWidth = filled ? 1 : 1.8;
        ctx.strokeStyle = filled ? (palette.dark ? "#0B0C0E" : "#222222") : colour;
        ctx.stroke();
    }

    // A line through points; what is not a finite number leaves a gap.
    curve(xs, ys, { colour = this.palette.lines[0], width = 2, dash = [], log = false } = {}) {
        const { ctx } = this;
        const { x: left, y: top, width: wide, height: high } = this.box;
        ctx.save();
        ctx.beginPath();
        ctx.rect(left, top - 2, wide + 2, high + 4);
        ctx.clip();
        Object.assign(ctx, { strokeStyle: colour, lineWidth: width });
        ctx.setLineDash(dash);
        ctx.beginPath();
        let pen = false;
        for (let index = 0; index < xs.length; index += 1) {
            const y = log ? Math.log10(ys[index]) : ys[index];
            if (Number.isFinite(y)) {
                const place = this.toPixel(xs[index], y);
                if (pen) ctx.lineTo(...place);
                else ctx.moveTo(...place);
            }
            pen = Number.isFinite(y);
        }
        ctx.stroke();
        ctx.restore();
    }

    // Grid lines, ticks and names of the two axes. log: the y extent is in powers of ten.
    axes({ xlabel = "", ylabel = "", log = false, xticks = 5, yticks = 4 } = {}) {
        const { ctx, palette } = this;
        const { x: left, y: top, width, height } = this.box;
        const [x0, x1, y0, y1] = this.extent;
        ctx.fillStyle = palette.panel;
        ctx.fillRect(left, top, width, height);
        Object.assign(ctx, { strokeStyle: palette.grid, fillStyle: palette.ink, lineWidth: 1, textBaseline: "middle" });
        const rows = log ? decades(10 ** y0, 10 ** y1).map((value) => [Math.log10(value), value]) : ticks(y0, y1, yticks).map((v) => [v, v]);
        ctx.textAlign = "right";
        for (const [place, value] of rows) {
            const [, y] = this.toPixel(x0, place);
            stroke(ctx, left, y, left + width, y);
            ctx.fillText(text(value, 6), left - 6, y);
        }
        Object.assign(ctx, { textAlign: "center", textBaseline: "top" });
        for (const value of ticks(x0, x1, xticks)) {
            const [x] = this.toPixel(value, y0);
            stroke(ctx, x, top, x, top + height);
            ctx.fillText(text(value, 6), x, top + height + 5);
        }
        ctx.fillStyle = palette.quiet;
        if (xlabel) ctx.fillText(xlabel, left + width / 2, this.height - 14);
        if (ylabel) {
            ctx.save();
            ctx.translate(11, top + height / 2);
            ctx.rotate(-Math.PI / 2);
            ctx.textBaseline = "middle";
            ctx.fillText(ylabel, 0, 0);
            ctx.restore();
        }
    }

    // An arrow from one place to another, in data units.
    arrow(x0, y0, x1, y1, { colour = this.palette.ink, width = 2.5 } = {}) {
        const { ctx } = this;
        const [from, to] = [this.toPixel(x0, y0), this.toPixel(x1, y1)];
        const angle = Math.atan2(to[1] - from[1], to[0] - from[0]);
        Object.assign(ctx, { strokeStyle: colour, fillStyle: colour, lineWidth: width });
        const length = Math.hypot(to[0] - from[0], to[1] - from[1]);
        const head = Math.min(11, length);
        stroke(ctx, ...from, to[0] - head * 0.8 * Math.cos(angle), to[1] - head * 0.8 * Math.sin(angle));
        ctx.beginPath();
        ctx.moveTo(...to);
        for (const turn of [-0.42, 0.42]) ctx.lineTo(to[0] - head * Math.cos(angle + turn), to[1] - head * Math.sin(angle + turn));
        ctx.closePath();
        ctx.fill();
    }
}

const CORNERS = [[0, 0], [1, 0], [1, 1], [0, 1]];
const TABLES = new WeakMap(); // palette -> colours

function colourTable(palette, stops) {
    if (stops) return table(palette, stops);
    if (!TABLES.has(palette)) TABLES.set(palette, table(palette));
    return TABLES.get(palette);
}

function stroke(ctx, x0, y0, x1, y1) {
    ctx.beginPath();
    ctx.moveTo(x0, y0);
    ctx.lineTo(x1, y1);
    ctx.stroke();
}
