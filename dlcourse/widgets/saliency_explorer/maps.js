// Pictures with their scales: what is explained, and every method's map, of which one is picked.

import { Canvas } from "../js/canvas.js";
import { element } from "../js/dom.js";
import { percent } from "../draw_pad/strokes.js";
import { part } from "../attack_explorer/look.js";
import { colours, pixels, scales, short } from "../feature_map_explorer/look.js";
import { aloud, ends, onTruth, rim, strongest, together } from "./look.js";

const SIDE = 132; // of a picture
const STRIP = 10; // the height of a scale of colours

// A picture, and around the pixels that matter a line, where they are known.
export class Tile {
    constructor(view, label, side = SIDE) {
        Object.assign(this, { view, side });
        this.canvas = new Canvas(view, { label, width: side, height: side });
    }

    paint(bytes, kind, words, { shape: [rows, columns], truth }) {
        const { side, canvas, view } = this, table = colours(view.palette, kind), tall = rows / columns;
        const [width, height] = tall > 1 ? [side / tall, side] : [side, side * tall];
        const [left, top, cell] = [(side - width) / 2, (side - height) / 2, width / columns];
        canvas.draw((ctx) => {
            pixels(ctx, bytes, [rows, columns], [left, top, width, height], table);
            if (!truth.length) return;
            for (const [strokeStyle, lineWidth] of [[view.palette.panel, 4], [scales(view.palette).mark, 2]]) {
                Object.assign(ctx, { strokeStyle, lineWidth });
                ctx.beginPath();
                for (const [x0, y0, x1, y1] of rim(truth, [rows, columns])) {
                    ctx.moveTo(left + x0 * cell, top + y0 * cell);
                    ctx.lineTo(left + x1 * cell, top + y1 * cell);
                }
                ctx.stroke();
            }
        });
        canvas.label(words);
    }
}

// The picture, the baseline, and what the network says.
export class Seen {
    constructor(view) {
        this.view = view;
        this.tiles = [new Tile(view, "The picture"), new Tile(view, "The baseline")];
        this.titles = ["Picture", "Baseline"].map((title) => element("figcaption", {}, title));
        this.answer = element("p", { class: "sx-answer" });
        this.logit = element("p", { class: "sx-note" });
        this.before = element("p", { class: "sx-note" });
        this.el = element("section", { class: "sx-seen", "aria-label": "What is explained" },
            element("div", { class: "sx-pair" }, ...this.tiles.map(({ canvas }, index) => element("figure", { class: "sx-figure" }, this.titles[index], canvas.el))),
            view.hideable("says", element("div", {}, this.answer, this.logit, this.before)));
    }

    paint({ header, arrays }) {
        const { says, before, target, layers } = header, look = { shape: header.shape, truth: arrays.truth.data };
        const baseline = this.view.get("baseline").replaceAll("_", " ");
        const what = header.index === null ? "The drawing as the network sees it" : `The picture, number ${header.index}`;
        const words = [`${what}${look.truth.length ? ", the pixels that matter framed" : ""}`, `The baseline: ${baseline}`];
        [arrays.picture, arrays.baseline].forEach(({ data }, index) => this.tiles[index].paint(data, "ink", words[index], index ? { ...look, truth: [] } : look));
        this.titles[1].textContent = `Baseline: ${baseline}`;
        const said = (answer) => (answer.name === null ? "what is not a number" : `${answer.name}, ${percent(answer.probability)}`);
        this.answer.textContent = `It says ${said(says)}`;
        this.logit.textContent = `Explained: the logit of ${target.name}${says.logit === null ? "" : `, ${short(says.logit)}`}.`;
        this.before.textContent = layers.count ? `As it was learned, it says ${said(before)}.` : "";
    }
}

export class Maps {
    constructor(view) {
        this.view = view;
        this.cards = [];
        this.list = element("div", { class: "sx-maps" });
        this.note = element("p", { class: "sx-note" }, "Orange: for the target; blue: against it. Each map has a scale of its own. "
            + "Rank correlation: with the map's own first one, before any layer was drawn anew. Signed: by its values; sizes: without their signs. A map that is "
            + "0 wherever the paper is shares these zeros with its first one, whatever the network: that alone makes the sizes alike. Grad-CAM has no signs, so one number.");
        this.framed = view.hideable("truth", element("p", { class: "sx-note" }, "Framed: the pixels that matter. Truth: the share of the map's mass on them, and "
            + "their rank, the chance that one of them is above one of the others: 1 is best, 0.5 is chance."));
        this.el = view.hideable("maps", element("section", { class: "sx-middle-row", "aria-label": "Maps" },
            element("h3", { class: "sx-head" }, "Maps", view.hideable("picked", element("span", {}, ": choose one to look at below"))), this.list, view.hideable("likeness", this.note), this.framed));
    }

    paint(frame) {
        const { maps, picked, truth } = frame.header;
        this.framed.hidden = !truth;
        while (this.cards.length < maps.length) {
            this.cards.push(new Card(this.view, maps[this.cards.length]));
            this.list.append(this.cards.at(-1).el);
        }
        this.cards.forEach((card, index) => card.paint(frame, index, maps[index].name === picked));
    }
}

// One method: its name, which is a button, its map with its scale, and what is known of it.
class Card {
    constructor(view, { name, title, about }) {
        this.view = view;
        const pick = () => view.set("picked", name);
        this.button = view.button(title, pick, { title: about, pressed: false });
        this.tile = new Tile(view, title);
        this.tile.canvas.el.addEventListener("click", pick, { signal: view.signal });
        this.strip = new Canvas(view, { label: "Scale of colours", width: SIDE, height: STRIP });
        this.low = element("span");
        this.high = element("span");
        this.scale = element("div", { class: "sx-scale" }, this.low, this.strip.el, this.high);
        this.why = element("p", { class: "sx-why" });
        this.likeness = element("p", { class: "sx-like" });
        this.truth = element("p", { class: "sx-like" });
        this.shown = element("div", {}, this.tile.canvas.el, view.hideable("scales", this.scale));
        this.el = element("div", { class: "sx-card" }, this.button, this.shown, this.why,
            view.hideable("likeness", this.likeness), view.hideable("truth", this.truth));
    }

    paint({ header, arrays }, index, picked) {
        const map = header.maps[index], bytes = part(arrays.maps, index), kind = map.signed ? "signed" : "positive";
        this.button.setAttribute("aria-pressed", String(picked));
        this.el.classList.toggle("sx-picked", picked);
        this.shown.hidden = this.likeness.hidden = this.truth.hidden = Boolean(map.why);
        this.why.textContent = map.why && `Does not apply. ${map.why}`;
        if (map.why) return;
        const { palette } = this.view, [low, high] = ends(map);
        this.tile.paint(bytes, kind, aloud(map, strongest(bytes, map.signed, header.shape)), { shape: header.shape, truth: arrays.truth.data });
        this.strip.draw((ctx) => pixels(ctx, Uint8Array.from({ length: 255 }, (_, at) => at), [1, 255], [0, 0, SIDE, STRIP], colours(palette, kind)));
        this.strip.label(`Scale of colours: ${map.scale}`);
        this.low.textContent = low;
        this.high.textContent = high;
        this.likeness.textContent = header.layers.count ? together(map.likeness) : "";
        this.truth.textContent = onTruth(map);
    }
}
