// How bytes become colours, which pixels a unit sees, and how numbers are written: no page is needed for any of it.

import { STEPS, blend, rgb } from "../js/palette.js";

// One meaning for one colour in the whole room: orange is above 0, blue below, grey is ink. Maps that are nowhere negative
// have the upper half of the same scale.
const SCALES = {
    light: {
        positive: ["#F7F7F5", "#F2AE6C", "#AD4A00"],
        signed: ["#0A5C96", "#74B3DD", "#F7F7F5", "#F2AE6C", "#AD4A00"],
        ink: ["#FBFBF9", "#222222"],
        beyond: "#C9E4D4",
        mark: "#8A1C8A",
    },
    dark: {
        positive: ["#26282C", "#A8671F", "#FFC98A"],
        signed: ["#8CCBF5", "#2E6E9E", "#26282C", "#A8671F", "#FFC98A"],
        ink: ["#1B1D21", "#ECECE8"],
        beyond: "#23473A",
        mark: "#E89BFF",
    },
};

export function scales(palette) {
    return palette.dark ? SCALES.dark : SCALES.light;
}

const TABLES = new Map();

// A colour for each byte, as little-endian ABGR in a Uint32Array; 255 is beyond the picture's edge.
export function colours(palette, kind) {
    const key = `${palette.dark} ${kind}`;
    if (!TABLES.has(key)) {
        const own = scales(palette), bytes = new Uint8ClampedArray(256 * 4);
        for (let value = 0; value < 256; value += 1) {
            const colour = value > STEPS ? rgb(own.beyond) : blend(own[kind], value / STEPS);
            bytes.set([...colour, 255], value * 4);
        }
        TABLES.set(key, new Uint32Array(bytes.buffer));
    }
    return TABLES.get(key);
}

// What a unit of a layer sees, [top, left, bottom, right], the ends exclusive; the field as the engine sends it.
export function windowOf({ step, start, size }, row, column) {
    const top = start[0] + step[0] * row, left = start[1] + step[1] * column;
    return [top, left, top + size[0], left + size[1]];
}

// The part of it that lies on the picture, or null.
export function onPicture([top, left, bottom, right], [height, width]) {
    const inside = [Math.max(top, 0), Math.max(left, 0), Math.min(bottom, height), Math.min(right, width)];
    return inside[2] > inside[0] && inside[3] > inside[1] ? inside : null;
}

// The number that a byte stands for, on a scale from 0 (or where signed, -reach) to reach.
export function valueOf(byte, { signed, reach }) {
    const share = byte / STEPS;
    return signed ? (2 * share - 1) * reach : share * reach;
}

// The same in words: what lies beyond the scale has the strongest colour too.
export function roughly(byte, layer) {
    if (byte > STEPS) return "not a number";
    const beyond = byte === STEPS ? " or more" : byte === 0 && layer.signed ? " or less" : "";
    return `about ${short(valueOf(byte, layer))}${beyond}`;
}

// Bytes of one map on a scale of its own: its largest size has the strongest colour.
export function ownScale(bytes, signed) {
    const zero = signed ? STEPS / 2 : 0;
    const most = bytes.reduce((best, byte) => (byte > STEPS ? best : Math.max(best, Math.abs(byte - zero))), 0);
    return most ? bytes.map((byte) => (byte > STEPS ? byte : Math.round(zero + (byte - zero) * ((STEPS - zero) / most)))) : bytes;
}

// Numbers as bytes, low and below 0, high and above 254.
export function bytesOf(numbers, low, high) {
    return Uint8Array.from(numbers, (value) => Math.round((Math.min(Math.max(value, low), high) - low) * (STEPS / (high - low || 1))));
}

// Where a key takes the chosen unit: {channel, row, column}, or null for other keys. layer: {channels, height, width}.
export function moved({ channel, row, column }, key, { channels, height, width }) {
    const inside = (value, end) => Math.min(Math.max(value, 0), end - 1);
    const [down, right] = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[key] ?? [0, 0];
    if (down || right) return { channel, row: inside(row + down, height), column: inside(column + right, width) };
    const next = { PageUp: channel - 1, PageDown: channel + 1, Home: 0, End: channels - 1 }[key];
    return next === undefined ? null : { channel: inside(next, channels), row, column };
}

// Pixels per cell of a map, so that maps are of about one size.
export function cellSize(rows, columns) {
    return Math.max(3, Math.floor(72 / Math.max(rows, columns)));
}

// The frame around a cell of a map: [left, top, width, height], large enough to be seen, inside the map.
export function around(left, top, cell, width, height, least = 10) {
    const side = Math.max(cell, least) - 2;
    const inside = (at, end) => Math.min(Math.max(at + cell / 2 - side / 2, 1), end - side - 1);
    return [inside(left, width), inside(top, height), side, side];
}

// 0.123, -3, 1.2e3: three digits that count.
export function short(value) {
    if (!Number.isFinite(value)) return "not a number";
    if (value === 0) return "0";
    const size = Math.abs(value);
    const text = size >= 1000 || size < 0.0005 ? value.toExponential(1).replace("+", "") : String(Number(value.toPrecision(3)));
    return text.replaceAll("-", "−");
}

// 98.3 %
export function share(value) {
    return `${(100 * value).toFixed(1).replace(/\.0$/, "")} %`;
}

let scratch = null;

// Bytes through a table of colours into a box of a canvas, row 0 at the top, cells with sharp edges.
export function pixels(ctx, bytes, [rows, columns], [left, top, width, height], table) {
    scratch ??= document.createElement("canvas");
    Object.assign(scratch, { width: columns, height: rows });
    const inner = scratch.getContext("2d");
    const image = inner.createImageData(columns, rows);
    const target = new Uint32Array(image.data.buffer);
    for (let index = 0; index < target.length; index += 1) target[index] = table[bytes[index]];
    inner.putImageData(image, 0, 0);
    ctx.imageSmoothingEnabled = false;
    ctx.drawImage(scratch, left, top, width, height);
}

// A frame that is seen on any ground.
export function frame(ctx, [left, top, width, height], colour, ground, dash = []) {
    for (const [strokeStyle, lineWidth, lineDash] of [[ground, 5, []], [colour, 2.5, dash]]) {
        Object.assign(ctx, { strokeStyle, lineWidth });
        ctx.setLineDash(lineDash);
        ctx.strokeRect(left, top, width, height);
    }
    ctx.setLineDash([]);
}
