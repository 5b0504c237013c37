// What the view works out without a page: what is written beside a map, where it is strongest, the outline of a mask.

import { STEPS } from "../js/palette.js";
import { short } from "../feature_map_explorer/look.js";

// The place of the largest size in a map of bytes: [row, column]; of equal ones the first, null where all is 0.
export function strongest(bytes, signed, [, columns]) {
    const zero = signed ? STEPS / 2 : 0;
    let [best, most] = [null, 0];
    bytes.forEach((byte, at) => {
        const size = byte > STEPS ? 0 : Math.abs(byte - zero);
        if (size > most) [best, most] = [[Math.floor(at / columns), at % columns], size];
    });
    return best;
}

// A map in words, for those who do not see it. map: as the engine sends it.
export function aloud(map, place) {
    const where = place ? ` Strongest at row ${place[0]}, column ${place[1]}.` : " It is 0 everywhere.";
    return `${map.title}: ${map.scale}.${where} ${map.likeness}.${map.rank === null ? "" : ` ${onTruth(map)}`}`;
}

// The same words; a line never ends between a number and what it is of.
export function together(likeness) {
    return likeness.replaceAll(/ (?=signed|sizes$|constant$)/g, "\u00a0");
}

// How much of a map's mass lies on the pixels that matter, and the chance that one of them is above another: 1 is best.
export function onTruth({ mass, rank }) {
    if (rank === null) return "";
    return `Truth: ${mass === null ? "" : `${Math.round(100 * mass)} %, `}rank ${short(Number(rank.toFixed(2)))}`;
}

// The ends of a scale of colours: [low, high].
export function ends({ signed, reach }) {
    return [signed ? `−${short(reach)}` : "0", short(reach)];
}

// Layers as the slider tells them: what was drawn anew, the last layer first.
export function layersAt(names, count) {
    return count ? `${count} of ${names.length}: ${names[count - 1]}` : `0 of ${names.length}: none`;
}

// The outline of a mask as segments [x0, y0, x1, y1], in cells from the upper left corner.
export function rim(mask, [rows, columns]) {
    const inside = (row, column) => row >= 0 && column >= 0 && row < rows && column < columns && mask[row * columns + column] > 0;
    const found = [];
    for (let row = 0; row < rows; row += 1) {
        for (let column = 0; column < columns; column += 1) {
            if (!inside(row, column)) continue;
            if (!inside(row - 1, column)) found.push([column, row, column + 1, row]);
            if (!inside(row + 1, column)) found.push([column, row + 1, column + 1, row + 1]);
            if (!inside(row, column - 1)) found.push([column, row, column, row + 1]);
            if (!inside(row, column + 1)) found.push([column + 1, row, column + 1, row + 1]);
        }
    }
    return found;
}
