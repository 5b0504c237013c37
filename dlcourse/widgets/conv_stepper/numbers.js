// Numbers as they stand in the cells, where the arrow keys lead, which cells a hand has passed.

// Four digits that count, all of them before the point: "3", "−0.1111", "1235". The rule of numbers.py.
export function number(value) {
    const size = Math.abs(value), sign = value < 0 ? "−" : "";
    if (size === 0) return "0";
    if (Number.isInteger(value) || size >= 1000) return sign + size.toFixed(0);
    const rounded = Number(size.toPrecision(4));
    return sign + (rounded < 1e-4 ? rounded.toExponential().replace("-", "−") : rounded);
}

// For a narrow cell, about five characters: "−0.11", "12.3", "1e5".
export function short(value) {
    const size = Math.abs(value), sign = value < 0 ? "−" : "";
    if (size >= 1e5) return sign + size.toExponential(0).replace("+", "");
    if (Number.isInteger(value) || size >= 100) return size < 0.5 ? "0" : sign + Math.round(size);
    const text = String(Number(size.toFixed(size >= 9.995 ? 1 : 2)));
    return text === "0" ? "≈0" : sign + text;
}

const WIDE = 340; // pixels that a map may take for the sake of all digits

// What stands in the cells of a map, "?" for what is hidden: all digits that count where there is room, else fewer.
export function texts(values, columns) {
    const all = Array.from(values, (value) => (Number.isNaN(value) ? "?" : number(value)));
    if (columns * roomFor(all) <= WIDE) return all;
    return Array.from(values, (value) => (Number.isNaN(value) ? "?" : short(value)));
}

// A line of the kernel with the signs that print has.
export function typeset(line) {
    return line
        .replaceAll(" - ", " − ").replace(/-(?=[\d.∞])/g, "−")
        .replace(/(\d) x (?=\d)/g, "$1 × ").replaceAll(" * ", " · ");
}

// What somebody has typed, or null: "−0,5" is a number too.
export function typed(text) {
    const plain = text.trim().replace("−", "-").replace(",", ".");
    return plain !== "" && Number.isFinite(Number(plain)) ? Number(plain) : null;
}

const MOVES = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

// The cell that a key leads to in a grid of this size, or null for another key.
export function moved([row, column], key, [rows, columns]) {
    if (key === "Home") return [row, 0];
    if (key === "End") return [row, columns - 1];
    if (key === "PageUp") return [0, column];
    if (key === "PageDown") return [rows - 1, column];
    if (!(key in MOVES)) return null;
    const [down, right] = MOVES[key];
    return [Math.min(Math.max(row + down, 0), rows - 1), Math.min(Math.max(column + right, 0), columns - 1)];
}

// The cells on the way from one to another, without the first: a quick hand skips none.
export function between([row, column], [toRow, toColumn]) {
    const steps = Math.max(Math.abs(toRow - row), Math.abs(toColumn - column));
    return Array.from({ length: steps }, (_, step) => {
        const share = (step + 1) / steps;
        return [Math.round(row + share * (toRow - row)), Math.round(column + share * (toColumn - column))];
    });
}

// The largest size among the numbers, for the scale of colours: 1 where all are 0.
export function reach(values) {
    let most = 0;
    for (const value of values) if (Number.isFinite(value)) most = Math.max(most, Math.abs(value));
    return most || 1;
}

// Pixels of a cell in which the longest of these texts finds room, and a frame around it.
export function roomFor(texts) {
    const longest = texts.reduce((most, text) => Math.max(most, text.length), 1);
    return Math.max(28, 15 + 7 * longest);
}
