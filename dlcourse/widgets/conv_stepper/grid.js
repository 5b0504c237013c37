// A map of numbers as a grid: a real cell for each number, one of them in the Tab order, arrow keys between them.

import { element } from "../js/dom.js";
import { blend } from "../js/palette.js";
import { moved, number, reach, roomFor, texts as written } from "./numbers.js";

export class Grid {
    // name: for screen readers. act: {pick(at), key(event, at), press(event, at), drag(event, at), release()}, all optional.
    constructor(view, name, act = {}) {
        Object.assign(this, { view, name, act, at: [0, 0], size: [0, 0], pad: [0, 0], cells: [] });
        this.heading = element("h4");
        this.frame = element("div", { class: "cs-frame", "aria-hidden": "true" });
        this.box = element("div", { class: "cs-grid", role: "grid", "aria-label": name, "aria-readonly": String(!act.press) });
        this.scroll = element("div", { class: "cs-scroll" }, element("div", { class: "cs-sheet" }, this.box, this.frame));
        this.el = element("section", { class: "cs-map" }, this.heading, this.scroll);
        const { signal } = view;
        this.box.addEventListener("keydown", (event) => this.key(event), { signal });
        this.box.addEventListener("focusin", ({ target: { dataset: { row, column } } }) => this.tab([Number(row), Number(column)]), { signal });
        this.box.addEventListener("pointerdown", (event) => this.down(event), { signal });
        this.box.addEventListener("pointermove", (event) => {
            if (this.box.hasPointerCapture(event.pointerId)) this.act.drag?.(this.under(event));
        }, { signal });
        this.box.addEventListener("lostpointercapture", () => this.act.release?.(), { signal });
    }

    key(event) {
        if (event.ctrlKey || event.metaKey || event.altKey) return;
        const next = moved(this.at, event.key, this.size);
        if (next) this.focus(next);
        else if (!this.act.key?.(event.key, this.at)) return;
        event.preventDefault(); // or the page would scroll
    }

    down(event) {
        if (event.button !== 0) return;
        event.preventDefault();
        this.box.setPointerCapture(event.pointerId);
        const at = this.under(event);
        this.focus(at);
        this.act.press?.(at);
    }

    // The cell of the map under a pointer, or the nearest.
    under(event) {
        const place = this.box.getBoundingClientRect(), [rows, columns] = this.size;
        const row = Math.floor((event.clientY - place.top) / this.side) - this.pad[0];
        const column = Math.floor((event.clientX - place.left) / this.side) - this.pad[1];
        return [Math.min(Math.max(row, 0), rows - 1), Math.min(Math.max(column, 0), columns - 1)];
    }

    // Take the focus to a cell.
    focus(at) {
        this.tab(at);
        this.cell(at).focus({ preventScroll: false });
        this.act.pick?.(at);
    }

    // The one cell that Tab finds.
    tab(at) {
        this.cell(this.at)?.setAttribute("tabindex", -1);
        this.at = [Math.min(at[0], this.size[0] - 1), Math.min(at[1], this.size[1] - 1)];
        this.cell(this.at)?.setAttribute("tabindex", 0);
    }

    cell([row, column]) {
        return this.cells[row * this.size[1] + column];
    }

    build(size, pad) {
        const same = [...size, ...pad].join() === [...this.size, ...this.pad].join();
        if (same && this.cells.length) return;
        const held = this.box.contains(document.activeElement);
        Object.assign(this, { size, pad, cells: [], padding: [] });
        const rows = [];
        for (let row = -pad[0]; row < size[0] + pad[0]; row += 1) {
            const line = element("div", { role: "row", class: "cs-row" });
            for (let column = -pad[1]; column < size[1] + pad[1]; column += 1) {
                const inside = row >= 0 && row < size[0] && column >= 0 && column < size[1];
                const made = inside ? element("div", { role: "gridcell", class: "cs-cell", tabindex: -1 }) : element("div", { class: "cs-cell cs-pad", "aria-hidden": "true" });
                (inside ? this.cells : this.padding).push(made);
                Object.assign(made.dataset, { row, column });
                line.append(made);
            }
            if (row < 0 || row >= size[0]) line.setAttribute("aria-hidden", "true");
            rows.push(line);
        }
        this.box.setAttribute("aria-rowcount", size[0]);
        this.box.setAttribute("aria-colcount", size[1]);
        this.box.style.setProperty("--cs-columns", size[1] + 2 * pad[1]);
        this.box.replaceChildren(...rows);
        this.tab(this.at);
        if (held) this.cell(this.at).focus();
    }

    // map: {title, size, window, padding, pad}. values, paths: Float32Array. show: "values" or "paths".
    // places: null, or {rows, columns} of the window.
    paint(map, values, paths, { show, places = null, said = "" }) {
        this.build(map.size, map.padding);
        this.box.setAttribute("aria-label", `${map.title}, ${map.size[0]} by ${map.size[1]}. ${said}`);
        const { palette } = this.view;
        const ways = show === "paths", shown = ways ? paths : values;
        const texts = written(shown, map.size[1] + 2 * map.padding[1]);
        const rounded = texts.some((text, index) => text !== "?" && text !== number(shown[index]));
        this.heading.textContent = `${map.title}, ${map.size[0]} × ${map.size[1]}${rounded ? ", rounded" : ""}`;
        const most = reach(shown);
        const stops = ways ? [palette.panel, palette.field[2]] : palette.field;
        const side = roomFor(texts);
        if (side !== this.side) {
            this.side = side;
            this.el.style.setProperty("--cs-side", `${side}px`);
        }
        const rows = new Set(places?.rows), columns = new Set(places?.columns);
        this.cells.forEach((each, index) => {
            const value = shown[index], [row, column] = [Math.floor(index / map.size[1]), index % map.size[1]];
            write(each, ways && value === 0 ? "" : texts[index]);
            const share = Number.isNaN(value) ? 0.5 : ways ? value / most : 0.5 + value / (2 * most);
            const colour = `rgb(${blend(stops, Number.isNaN(value) && ways ? 0 : share).join()})`;
            if (each.dataset.colour !== colour) each.style.backgroundColor = each.dataset.colour = colour;
            each.classList.toggle("cs-tap", rows.has(row) && columns.has(column));
            const name = `row ${row}, column ${column}: ${texts[index]}${ways ? " paths" : ""}`;
            if (each.getAttribute("aria-label") !== name) each.setAttribute("aria-label", name);
        });
        for (const each of this.padding) {
            write(each, ways ? "" : map.pad.replace("-", "−"));
            each.classList.toggle("cs-tap", rows.has(Number(each.dataset.row)) && columns.has(Number(each.dataset.column)));
        }
        this.outline(map);
    }

    // Around what the chosen cell sees, as far as the sheet goes.
    outline(map) {
        const [rows, columns] = this.size, [up, left] = this.pad;
        const top = Math.max(map.window[0], -up), bottom = Math.min(map.window[2], rows + up);
        const west = Math.max(map.window[1], -left), east = Math.min(map.window[3], columns + left);
        Object.assign(this.frame.style, {
            top: `${(top + up) * this.side}px`, left: `${(west + left) * this.side}px`,
            width: `${(east - west) * this.side}px`, height: `${(bottom - top) * this.side}px`,
        });
    }
}

function write(el, text) {
    if (el.textContent !== text) el.textContent = text;
}
