// From a frame's arrays to what is drawn: lines of the manifold, columns of the curves, ranges of the axes.

export const COLUMNS = ["step", "d_loss", "g_loss", "real_logit", "fake_logit", "push", "right", "reached", "quality", "mean_x", "mean_y"];

// A column of the curve by its name; rows of steps later than `last` are left out.
export function column({ data, shape }, name, last = Infinity) {
    const [rows, wide] = shape, at = COLUMNS.indexOf(name), found = [];
    for (let row = 0; row < rows; row += 1) if (data[row * wide] <= last) found.push(data[row * wide + at]);
    return found;
}

// The images of the grid's lines, every `every`-th each way, as lists of [x, y]; a grid of one row is one line.
export function mesh({ data, shape }, every = 2) {
    const [rows, columns] = shape, lines = [];
    const place = (row, column) => [data[2 * (row * columns + column)], data[2 * (row * columns + column) + 1]];
    for (let row = 0; row < rows; row += every) lines.push(Array.from({ length: columns }, (_, column) => place(row, column)));
    if (rows === 1) return lines;
    for (let column = 0; column < columns; column += every) lines.push(Array.from({ length: rows }, (_, row) => place(row, column)));
    return lines;
}

// The y range of a chart: what the values need and a little more, `least` of height at least; a few wild ones are cut.
export function span(values, least = 0.5) {
    const sorted = values.filter(Number.isFinite).sort((a, b) => a - b);
    if (!sorted.length) return [0, 1];
    const at = (share) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
    const few = sorted.length < 20;
    let low = few ? sorted[0] : at(0.02), high = few ? sorted.at(-1) : at(0.98);
    const middle = (low + high) / 2, half = Math.max((high - low) * 0.56, least / 2);
    [low, high] = [middle - half, middle + half];
    return [low, high];
}

// Is a place far enough from the last one of a stroke to be a point of its own?
export function apart([x0, y0], [x1, y1], least) {
    return Math.hypot(x1 - x0, y1 - y0) >= least;
}

// How many times the one rate is the other, as people say it: "4 times", "a quarter of" stays "0.25 times".
export function ratio(d, g) {
    const times = d / g;
    return times === 1 ? "The same rate for both" : `D's rate is ${Number(times.toPrecision(2))} times G's`;
}
