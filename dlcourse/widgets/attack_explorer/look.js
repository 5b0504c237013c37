// What the view works out without a page: places of moves, tints of classes, borders on the slice, what a chart spans.

import { STEPS } from "../js/palette.js";

export const MOVES = ["gradient", "step", "projection"];

// The number of a move on the scrub bar: the picture itself is 0, a random start 1 where there is one; steps count from 1.
export function moveIndex(kind, step, start) {
    if (step === 0) return kind === "start" ? 1 : 0;
    return (start ? 2 : 1) + 3 * (step - 1) + MOVES.indexOf(kind);
}

// The classes told on the slice as bytes of a field that goes from blue to orange: what is right, what is not, the target.
export function tints(told, right, target) {
    return Uint8Array.from(told, (label) => {
        if (label === target) return STEPS;
        if (label === right) return 0;
        return target === null ? STEPS : Math.round(STEPS * 0.62);
    });
}

// Between which neighbours the class changes: segments [x0, y0, x1, y1] in cells, the middle of a cell at whole numbers.
export function borders(told, [rows, columns]) {
    const found = [];
    for (let row = 0; row < rows; row += 1) {
        for (let column = 0; column < columns; column += 1) {
            const here = told[row * columns + column];
            if (column + 1 < columns && told[row * columns + column + 1] !== here) found.push([column + 0.5, row - 0.5, column + 0.5, row + 0.5]);
            if (row + 1 < rows && told[(row + 1) * columns + column] !== here) found.push([column - 0.5, row + 0.5, column + 0.5, row + 0.5]);
        }
    }
    return found;
}

// The points of an outline [x, y, x, y, ...] as pairs, and how far it reaches.
export function outline(numbers) {
    const points = Array.from({ length: numbers.length / 2 }, (_, index) => [numbers[2 * index], numbers[2 * index + 1]]);
    return { points, reach: Math.max(...points.map(([x, y]) => Math.hypot(x, y))) };
}

// What a chart has to span: all finite numbers and, where asked, 0; a little more at both ends.
export function span(values, zero = false) {
    const finite = [...values].filter(Number.isFinite);
    if (zero) finite.push(0);
    if (!finite.length) return [0, 1];
    const [low, high] = [Math.min(...finite), Math.max(...finite)];
    const room = 0.08 * (high - low) || 0.5;
    return [low - room, high + room];
}

// Row `index` of an array (many, ...).
export function part({ data, shape }, index) {
    const size = shape.slice(1).reduce((product, each) => product * each, 1);
    return data.subarray(index * size, (index + 1) * size);
}

// "now 4.21" of a chart, in words: where each network stands after `done` steps.
export function told(names, values, done, say) {
    return names.map((name, index) => {
        const value = part(values, index)[done];
        return `${name} ${Number.isFinite(value) ? say(value) : "not a number"}`;
    }).join(", ");
}

// Which class the slice tells at a place (in parts of eps); null beside the slice. Row 0 is at the bottom.
export function classAt(told, [rows, columns], [x, y], reach) {
    const [row, column] = [[y, rows], [x, columns]].map(([place, many]) => Math.round(((place + reach) / (2 * reach)) * (many - 1)));
    return row >= 0 && row < rows && column >= 0 && column < columns ? told[row * columns + column] : null;
}

// The place of a label that has to stay inside the slice.
export function inside(place, reach) {
    return place.map((each) => Math.min(Math.max(each, -0.88 * reach), 0.88 * reach));
}
