// Of the picked map: the curve beside random orders, the picture with a share of its pixels gone, and the axioms.

import { Canvas } from "../js/canvas.js";
import { element } from "../js/dom.js";
import { part, span } from "../attack_explorer/look.js";
import { Tile } from "./maps.js";

export class Faith {
    constructor(view) {
        this.view = view;
        this.title = element("h3", { class: "sx-head sx-title" });
        this.about = element("p", { class: "sx-note" });
        this.head = element("h4", { class: "sx-head" });
        this.canvas = new Canvas(view, { label: "The curve", width: 350, height: 180, margins: [42, 10, 36, 8] });
        this.words = element("p", { class: "sx-note" });
        this.tile = new Tile(view, "The picture on its way");
        this.partly = element("p", { class: "sx-note" });
        this.axioms = element("dl", { class: "sx-axioms" });
        this.parts = element("div", { class: "sx-parts" },
            view.hideable("curves", element("section", { class: "sx-curve", "aria-label": "Curve" }, this.head, this.canvas.el, view.control("curve"), this.words)),
            view.hideable("partly", element("section", { class: "sx-partly", "aria-label": "The picture on its way" },
                element("h4", { class: "sx-head" }, "The picture on its way"), this.tile.canvas.el, view.control("gone"), this.partly)),
            view.hideable("axioms", element("section", { class: "sx-said", "aria-label": "Axioms" }, element("h4", { class: "sx-head" }, "Axioms"), this.axioms)));
        this.el = view.hideable("faith", element("section", { class: "sx-faith", "aria-label": "The map that is looked at" }, this.title, this.about, this.parts));
    }

    paint({ header, arrays }) {
        const { faith, maps, picked, target } = header, map = maps.find(({ name }) => name === picked);
        this.title.textContent = map.title;
        this.about.textContent = faith ? map.about : `${map.about} Does not apply: ${map.why}`;
        this.parts.hidden = !faith;
        if (!faith) return;
        const taken = faith.curve === "deletion";
        this.head.textContent = `${taken ? "Deletion" : "Insertion"}: logit of ${target.name}`;
        this.words.textContent = faith.words;
        this.partly.textContent = faith.partly;
        this.tile.paint(arrays.partly.data, "ink", faith.partly, { shape: header.shape, truth: [] });
        this.chart(arrays, faith, taken ? "Share of pixels gone" : "Share of pixels put in");
        const wanted = faith.axioms.flatMap(({ name, kept, words }) => [[`${kept ? "✓" : "✗"} ${name}`, "dt"], [words, "dd"]]);
        if (this.axioms.textContent !== wanted.map(([text]) => text).join("")) {
            this.axioms.replaceChildren(...wanted.map(([text, tag]) => element(tag, {}, text)));
        }
    }

    chart(arrays, faith, xlabel) {
        const { canvas, view } = this, share = [...arrays.share.data], curve = arrays.curve.data, gone = view.get("gone");
        const [low, high] = [part(arrays.band, 0), part(arrays.band, 1)];
        canvas.extent = [0, 1, ...span([...curve, ...low, ...high])];
        canvas.draw((ctx) => {
            const { palette, box } = canvas;
            canvas.axes({ xlabel, xticks: 5, yticks: 5 });
            ctx.beginPath();
            for (const [at, x] of share.entries()) ctx.lineTo(...canvas.toPixel(x, high[at]));
            for (let at = share.length - 1; at >= 0; at -= 1) ctx.lineTo(...canvas.toPixel(share[at], low[at]));
            Object.assign(ctx, { fillStyle: palette.missing, globalAlpha: 0.4 });
            ctx.fill();
            ctx.globalAlpha = 1;
            canvas.curve(share, curve, { colour: palette.lines[0], width: 2.4 });
            const [x, y] = canvas.toPixel(gone, faith.score ?? canvas.extent[2]);
            Object.assign(ctx, { strokeStyle: palette.ink, lineWidth: 1.2 });
            ctx.setLineDash([2, 3]);
            ctx.beginPath();
            ctx.moveTo(x, box.y);
            ctx.lineTo(x, box.y + box.height);
            ctx.stroke();
            ctx.setLineDash([]);
            if (faith.score === null) return;
            ctx.beginPath();
            ctx.arc(x, y, 4.5, 0, 2 * Math.PI);
            Object.assign(ctx, { fillStyle: palette.lines[0], strokeStyle: palette.panel, lineWidth: 1.5 });
            ctx.fill();
            ctx.stroke();
        });
        canvas.label(`${this.head.textContent} over the share of pixels. Grey: where the curves of random orders lie. ${faith.words} ${faith.partly}`);
    }
}
