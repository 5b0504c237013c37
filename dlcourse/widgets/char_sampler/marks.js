// From a frame to what is drawn: the lines symbol by symbol, the rows of bars, how dark a symbol is. No page needed.

import { rgb } from "../js/palette.js";

const MOST_BITS = 8; // as dark as it gets
const ENDS = [0.02, 0.05, 0.1, 0.2, 0.5, 1];
const CONTEXT = 18; // symbols named before the place

// The same words as the kernel's `words.percent`.
export function percent(share) {
    if (share > 0 && share < 0.0005) return "under 0.1 %";
    if (share > 0.9995 && share < 1) return "over 99.9 %";
    return `${Number((100 * share).toFixed(1))} %`;
}

// Short, for a column.
export function short(share) {
    if (share === 0) return "0";
    if (share < 0.0005) return "<0.1";
    if (share > 0.9995 && share < 1) return ">99.9";
    return (100 * share).toFixed(1);
}

export function bits(number) {
    return number === null || number === undefined || !Number.isFinite(number) ? "∞ bits" : `${number.toFixed(2)} bits`;
}

// [{line, current, at, origin, parent, bits, beside, symbols: [{shown, said, kind, place, bits}]}]: place counts from 1
// after the prefix, and is 0 in it.
export function lines({ header, arrays }) {
    let [id, bit] = [0, 0];
    return header.lines.map((line) => {
        const symbols = [];
        for (let at = 0; at < line.prefix + line.length; at += 1) {
            const [shown, said, kind] = header.names[arrays.ids.data[id + at]];
            const place = Math.max(0, at + 1 - line.prefix);
            symbols.push({ shown, said, kind, place, bits: place ? arrays.bits.data[bit + place - 1] : 0 });
        }
        id += line.prefix + line.length;
        bit += line.length;
        const current = line.line === header.line;
        return { ...line, current, at: current ? header.at : line.length, symbols };
    });
}

// [{token, shown, said, kind, before, after, beside, drawn, cut}], likeliest first; beside is null without a model beside.
export function rows({ header, arrays }) {
    const { data, shape } = arrays.bars;
    return Array.from({ length: shape[0] }, (_, row) => {
        const [token, before, after, beside] = data.subarray(4 * row, 4 * row + 4);
        const [shown, said, kind] = header.names[token];
        const drawn = header.here?.token === token;
        return { token, shown, said, kind, before, after, beside: header.beside === null ? null : beside, drawn, cut: after === 0 };
    });
}

// The share at the right end of all bars: a round one that none of them passes.
export function end(rows) {
    const most = Math.max(...rows.map(({ before, after, beside }) => Math.max(before, after, beside ?? 0)));
    return ENDS.find((each) => each >= most * 0.9999) ?? 1;
}

// What a screen reader hears of a row.
export function told(row, { model, beside }) {
    const parts = [`${row.said}: ${model} ${percent(row.before)}`, row.cut ? "cut off" : `to draw from ${percent(row.after)}`];
    if (row.beside !== null) parts.push(`${beside} ${percent(row.beside)}`);
    if (row.drawn) parts.push("stands there");
    return parts.join(", ");
}

// The symbols before the place that the bars are about, as text with visible spaces.
export function context(line, place) {
    const before = line.symbols.slice(0, line.prefix + place);
    const tail = before.slice(-CONTEXT).map(({ shown }) => shown).join("");
    return before.length > CONTEXT ? `…${tail}` : tail;
}

// The background of a symbol that took so many bits, between the page's colour and the palette's dark end.
export function shade(bits, palette) {
    const share = Math.min(Math.max(bits, 0), MOST_BITS) / MOST_BITS;
    const [from, to] = [rgb(palette.panel), rgb(palette.field[2])];
    return `rgb(${from.map((value, at) => Math.round(value + (to[at] - value) * share)).join(", ")})`;
}
