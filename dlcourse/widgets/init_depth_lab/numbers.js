// Numbers of the lab as people read them, and round places for its axes.

import { power } from "../js/decades.js";

// "0.493", "7079", "1.52·10⁻⁶"; "0" for zero, "–" for what is not there.
export function figure(value, digits = 3) {
    if (value === null || value === undefined || Number.isNaN(value)) return "–";
    if (value === 0) return "0";
    const size = Math.abs(value), sign = value < 0 ? "−" : "";
    if (size >= 1e-3 && size < 1e5) return sign + (size >= 1000 ? String(Math.round(size)) : String(Number(size.toPrecision(digits))));
    const [front, exponent] = size.toExponential(digits - 1).split("e");
    return `${sign}${front}·${power(Number(exponent))}`;
}

// What a column of logarithms stands for: minus infinity is 0, NaN is nothing.
export function fromLog(log) {
    return Number.isNaN(log) ? null : 10 ** log;
}

// A share as people say it: "42 %", "less than 1 %".
export function percent(share) {
    if (!Number.isFinite(share)) return "–";
    return share === 0 || share >= 0.005 ? `${Math.round(100 * share)} %` : "less than 1 %";
}

// Round numbers between low and high, at most `most` of them, whole and all multiples of one step.
export function wholes(low, high, most) {
    const step = [1, 2, 5, 10, 20, 50].find((size) => Math.floor(high / size) - Math.ceil(low / size) < most) ?? 100;
    const found = [];
    for (let at = Math.ceil(low / step) * step; at <= high; at += step) found.push(at + 0); // no -0
    return found;
}

// The rows of the array `layers` as objects: [{std: 0.5, silent: 0.1, ...}, ...]; `plain` columns are no logarithms.
export function rows({ data, shape }, columns, plain = ["silent", "mean", "zeros"]) {
    return Array.from({ length: shape[0] ?? 0 }, (_, row) => Object.fromEntries(columns.map((name, column) => {
        const value = data[row * columns.length + column];
        return [name, plain.includes(name) ? (Number.isNaN(value) ? null : value) : fromLog(value)];
    })));
}

// A sentence of the kernel with the signs that print has.
export function typeset(sentence) {
    return sentence
        .replace(/([\d.]+)e(-?\d+)/g, (_, digits, exponent) => `${digits === "1" ? "" : `${digits}·`}${power(Number(exponent))}`)
        .replaceAll(" * ", " × ")
        .replace(/-(?=\d)/g, "−")
        .replace("fan_in", "fan-in");
}
