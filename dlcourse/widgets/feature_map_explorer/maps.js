// The maps of a layer: a tile for each channel, a unit chosen among them by hand or by key, channels switched off.

import { Canvas } from "../js/canvas.js";
import { element, uniqueId } from "../js/dom.js";
import { Latest } from "../js/latest.js";
import { around, cellSize, colours, frame as framed, moved, ownScale, pixels, roughly, scales, short } from "./look.js";

const HOW = "Point at a cell to see what it sees, click to choose it. Keys: arrows move, Page Up and Page Down change the "
    + "channel, Home and End go to the first and last, X switches it off or on. All counts begin with 0, as in Python.";

export class Maps {
    // pointed(unit or null): somebody points at a unit without choosing it.
    constructor(view, pointed) {
        Object.assign(this, { view, pointed });
        const id = uniqueId("layer");
        this.select = element("select", { id, name: "layer" });
        this.select.addEventListener("change", () => view.set("layer", this.select.value), { signal: view.signal });
        this.choose = view.hideable("layer", element("span", { class: "dlc-row" }, element("label", { for: id, class: "fx-head" }, "Maps of layer"), this.select));
        this.legend = new Legend(view);
        this.how = element("p", { class: "fx-how", id: uniqueId("how") }, HOW);
        const how = element("details", { class: "fx-fold" }, element("summary", {}, "How to choose; by keyboard too"), this.how);
        this.tiles = element("div", { class: "fx-tiles", role: "application", tabindex: 0, "aria-label": "Feature maps", "aria-describedby": this.how.id });
        this.said = element("p", { class: "fx-said", "aria-hidden": "true" });
        this.strongest = view.button("Its strongest", () => view.act("look", { channel: view.frame.header.unit.channel }), { title: "Choose the channel's strongest unit, in this picture and those that come" });
        this.own = element("input", { type: "checkbox" });
        this.own.addEventListener("change", () => view.repaint(), { signal: view.signal });
        this.el = view.hideable("maps", element(
            "div", { class: "fx-maps", role: "group", "aria-label": "Feature maps of a layer" },
            element("div", { class: "fx-mapbar" }, this.choose, this.legend.el, element("label", { class: "dlc-box" }, this.own, "Each map on a scale of its own")),
            this.tiles, element("div", { class: "dlc-row" }, this.said, this.strongest, how),
        ));
        this.made = [];
        this.key = this.listed = "";
        this.at = null;
        this.moves = new Latest((unit) => view.act("look", unit));
        this.tiles.addEventListener("keydown", (event) => this.press(event), { signal: view.signal });
    }

    press(event) {
        if (event.ctrlKey || event.metaKey || event.altKey || !this.at) return;
        const { layer } = this.view.frame.header;
        const next = moved(this.at, event.key, layer);
        if (next) this.go(next, true, event.key.startsWith("Arrow"));
        else if (["x", "X", "Delete"].includes(event.key)) this.switch(this.at.channel);
        else return;
        event.preventDefault(); // or the page would scroll
    }

    // placed: a cell is chosen; else a channel, and the unit stays its strongest if it is.
    async go(unit, aloud = false, placed = true) {
        this.at = unit;
        await this.moves.want(placed || !this.view.frame.header.unit.follows ? unit : { channel: unit.channel });
        const now = this.view.frame?.header.unit;
        if (aloud && now) this.view.say(`Channel ${now.channel}, row ${now.row}, column ${now.column}: ${short(now.value)}.`);
    }

    async switch(channel) {
        await this.view.act("switch", { channel }).catch(() => {});
    }

    // The unit under the pointer.
    under(tile, event) {
        const { layer } = this.view.frame.header;
        const [x, y] = tile.canvas.toData(event);
        const inside = (value, end) => Math.min(Math.max(Math.floor(value), 0), end - 1);
        return { channel: tile.channel, row: inside(y * layer.height, layer.height), column: inside(x * layer.width, layer.width) };
    }

    hover(unit) {
        this.pointed(unit);
        const { header: { layer }, arrays: { maps } } = this.view.frame;
        if (!unit) return this.tell();
        const byte = maps.data[((unit.channel - layer.page) * layer.height + unit.row) * layer.width + unit.column];
        this.said.textContent = `Pointed at: channel ${unit.channel}, row ${unit.row}, column ${unit.column}, ${roughly(byte, layer)}.`;
        return undefined;
    }

    tell() {
        const { unit } = this.view.frame.header;
        this.said.textContent = `Chosen: channel ${unit.channel}, row ${unit.row}, column ${unit.column}, ${short(unit.value)}${unit.off ? ": switched off" : unit.follows ? ", the channel's strongest" : ""}.`;
        this.strongest.hidden = unit.follows;
    }

    paint({ header, arrays }) {
        const { layer, unit } = header;
        if (!this.moves.busy) this.at = { channel: unit.channel, row: unit.row, column: unit.column };
        this.list(header);
        this.select.value = layer.name;
        this.legend.paint(layer, this.own.checked);
        const key = [layer.name, layer.page, layer.of_page].join();
        if (key !== this.key) this.build(layer);
        this.key = key;
        const off = new Set(header.off.filter(([name]) => name === layer.name).map(([, channel]) => channel));
        const size = layer.height * layer.width;
        this.made.forEach((tile, index) => {
            const bytes = arrays.maps.data.subarray(index * size, (index + 1) * size);
            tile.paint(bytes, layer, unit, off.has(tile.channel));
        });
        this.tell();
    }

    list({ layers }) {
        const key = layers.map(({ name }) => name).join();
        if (key === this.listed) return;
        this.listed = key;
        this.select.replaceChildren(...layers.map(({ name, kind, channels, height, width }) => (
            element("option", { value: name }, `${name}: ${kind}, ${channels} of ${height} × ${width}`)
        )));
    }

    build(layer) {
        const held = this.tiles.contains(document.activeElement);
        this.pointed(null); // at a tile that goes
        this.made = Array.from({ length: layer.of_page }, (_, index) => new Tile(this, layer.page + index, layer));
        const more = layer.of_page < layer.channels
            ? [element("p", { class: "fx-more" }, `Channels ${layer.page} to ${layer.page + layer.of_page - 1} of ${layer.channels}: Page Down leads on.`)] : [];
        this.tiles.replaceChildren(...this.made.map((tile) => tile.el), ...more);
        if (held) this.tiles.focus();
    }
}

class Tile {
    constructor(maps, channel, { height, width }) {
        Object.assign(this, { maps, channel });
        const { view } = maps, cell = cellSize(height, width);
        this.cell = cell;
        this.canvas = new Canvas(view, { label: `Map of channel ${channel}`, width: cell * width, height: cell * height, extent: [0, 1, 1, 0] });
        this.button = view.button(String(channel), () => maps.switch(channel));
        this.button.tabIndex = -1; // the key X does the same
        this.el = element("div", { class: "fx-tile", style: `width: ${cell * width}px` }, this.canvas.el, this.button);
        const on = (kind, then) => this.canvas.el.addEventListener(kind, then, { signal: view.signal });
        on("pointermove", (event) => maps.hover(maps.under(this, event)));
        on("pointerleave", () => maps.hover(null));
        on("click", (event) => maps.go(maps.under(this, event)));
    }

    paint(bytes, layer, unit, off) {
        const { view } = this.maps, { palette } = view, { canvas, cell, channel } = this;
        const chosen = unit.channel === channel, { width, height } = canvas;
        canvas.draw((ctx) => {
            pixels(ctx, this.maps.own.checked ? ownScale(bytes, layer.signed) : bytes, [layer.height, layer.width], [0, 0, width, height], colours(palette, layer.signed ? "signed" : "positive"));
            if (off) {
                Object.assign(ctx, { strokeStyle: palette.ink, lineWidth: 1.5 });
                ctx.beginPath();
                for (const [from, to] of [[0, width], [width, 0]]) {
                    ctx.moveTo(from, 0);
                    ctx.lineTo(to, height);
                }
                ctx.stroke();
            }
            if (chosen) framed(ctx, around(unit.column * cell, unit.row * cell, cell, width, height), scales(palette).mark, palette.panel);
        });
        const most = bytes.reduce((best, value, index) => (value > bytes[best] ? index : best), 0);
        const place = `row ${Math.floor(most / layer.width)}, column ${most % layer.width}`;
        const silent = !layer.signed && !bytes[most];
        canvas.label(`Map of channel ${channel}: ${off ? "switched off" : silent ? "0 everywhere" : `largest ${roughly(bytes[most], layer)} at ${place}`}`);
        this.el.classList.toggle("fx-chosen", chosen);
        this.el.classList.toggle("fx-off", off);
        const text = off ? `${channel} off` : String(channel);
        if (this.button.textContent !== text) this.button.textContent = text;
        this.button.title = `Switch channel ${channel} ${off ? "on again" : "off"}`;
        this.button.setAttribute("aria-label", `Channel ${channel} off`);
        this.button.setAttribute("aria-pressed", String(off));
    }
}

// The one scale of all maps: a strip of its colours with numbers.
class Legend {
    constructor(view) {
        this.view = view;
        this.canvas = new Canvas(view, { label: "Scale of colours", width: 150, height: 12 });
        this.low = element("span");
        this.high = element("span");
        this.words = element("span");
        this.el = element("span", { class: "fx-legend" }, this.low, this.canvas.el, this.high, this.words);
    }

    paint({ signed, reach, scale }, own) {
        const table = colours(this.view.palette, signed ? "signed" : "positive");
        this.canvas.draw((ctx) => pixels(ctx, Uint8Array.from({ length: 255 }, (_, index) => index), [1, 255], [0, 0, 150, 12], table));
        const words = own ? "each map on a scale of its own, up to its largest size" : scale;
        this.canvas.label(`Scale of colours: ${words}`);
        this.low.textContent = !signed ? "0" : own ? "−most" : `−${short(reach)}`;
        this.high.textContent = own ? "its most" : short(reach);
        this.words.textContent = signed ? "blue below 0, orange above" : "orange above 0";
        this.el.title = words;
    }
}
