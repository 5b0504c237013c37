// Numbers, places and scales of the unroller. No DOM here.

import { power } from "../js/decades.js";

export const DEEPEST = -20; // decades of the strip, at most
export const DECADES = 6; // of the map, to both sides of 1

// Three digits that count, beyond a thousandth and ten thousand with a power of ten: as numbers.py writes them.
export function figure(value) {
    if (!Number.isFinite(value)) return "more than float32 holds";
    if (value === 0) return "0";
    const [mantissa, exponent] = value.toExponential(2).split("e").map(Number);
    const sign = (text) => text.replace("-", "−");
    if (exponent < -3 || exponent > 4) return `${sign(String(mantissa))}·${power(exponent)}`;
    return sign(exponent < 3 ? String(Number(value.toPrecision(3))) : value.toFixed(0));
}

// The same from a logarithm; −∞ is 0.
export function fromLog(log) {
    if (log === -Infinity) return "0";
    return log > 38.5 || Number.isNaN(log) ? figure(Infinity) : figure(10 ** log);
}

// "h₂₉" for 29.
export function state(step) {
    return `h${[...String(step)].map((digit) => "₀₁₂₃₄₅₆₇₈₉"[digit]).join("")}`;
}

// A line of the kernel with a real minus sign and small indices.
export function typeset(line) {
    return line.replace(/h_(\d+)/g, (_, digits) => state(digits)).replace(/-(?=\d)/g, "−").replaceAll(" - ", " − ");
}

// A share as people read it: "12.5 %", "<0.1 %".
export function percent(share) {
    if (share === null) return "–";
    return share > 0 && share < 0.0005 ? "<0.1 %" : `${(100 * share).toFixed(1)} %`;
}

// What a byte of a map stands for.
export function byte(value, scale) {
    return ((2 * value) / 254 - 1) * scale;
}

export function clamp(value, low, high) {
    return Math.min(Math.max(value, low), high);
}

// Whole decades for these logarithms, 0 (no change) among them.
export function decadesOf(logs) {
    const some = [...logs].filter(Number.isFinite);
    const low = Math.floor(Math.min(-1, ...some)), high = Math.ceil(Math.max(0, ...some));
    return [Math.max(low, DEEPEST), Math.max(high, 0) + (high > 0 ? 0 : 0.25)];
}

// Which of the settings is nearest.
export function nearest(settings, value) {
    return settings.reduce((best, setting, index) => (
        Math.abs(setting - value) < Math.abs(settings[best] - value) ? index : best
    ), 0);
}

// Numbers below an axis of `steps` places in `width` pixels: every one, or every 2nd, 5th, 10th, ..., the first included.
export function every(steps, width, room = 26) {
    return [1, 2, 5, 10, 20, 50].find((count) => (width / steps) * count >= room) ?? 100;
}
