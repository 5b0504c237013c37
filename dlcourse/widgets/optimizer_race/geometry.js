// Ways and places on the map, without a canvas or a page.

// The part of a segment inside a box {x, y, width, height}: [from, to], or null. (Liang and Barsky, 1984.)
// Racers that diverge go as far as numbers go, and a canvas does not; so lines are cut before they are drawn.
export function clipped([x0, y0], [x1, y1], box) {
    let first = 0, last = 1;
    const [dx, dy] = [x1 - x0, y1 - y0];
    const edges = [[-dx, x0 - box.x], [dx, box.x + box.width - x0], [-dy, y0 - box.y], [dy, box.y + box.height - y0]];
    for (const [speed, room] of edges) {
        if (speed === 0 && room < 0) return null;
        if (speed < 0) first = Math.max(first, room / speed);
        if (speed > 0) last = Math.min(last, room / speed);
    }
    return first <= last ? [[x0 + first * dx, y0 + first * dy], [x0 + last * dx, y0 + last * dy]] : null;
}

export function inside([x, y], box) {
    return x >= box.x && x <= box.x + box.width && y >= box.y && y <= box.y + box.height;
}

// The part of a step that is to be drawn: none of one that leaps over the whole box, from outside to outside.
export function crossing(from, to, box) {
    return inside(from, box) || inside(to, box) ? clipped(from, to, box) : null;
}

// Where a way of pixels left the box for the last time: {place, angle} outwards. null when it ends inside.
export function exit(way, box) {
    if (!way.length || inside(way.at(-1), box)) return null;
    const last = way.findLastIndex((place) => inside(place, box));
    if (last < 0) return null;
    const [[x0, y0], [x1, y1]] = [way[last], way[last + 1]];
    return { place: clipped(way[last], way[last + 1], box)[1], angle: Math.atan2(y1 - y0, x1 - x0) };
}

// The same place, at least `room` pixels from the edges of the box.
export function pulledIn([x, y], box, room) {
    return [
        Math.min(Math.max(x, box.x + room), box.x + box.width - room),
        Math.min(Math.max(y, box.y + room), box.y + box.height - room),
    ];
}

// The index of the place nearest to a pixel, or -1 when none is within reach.
export function nearest(places, [x, y], reach) {
    let best = -1, least = reach;
    places.forEach((place, index) => {
        const distance = Math.hypot(place[0] - x, place[1] - y);
        if (distance <= least) [best, least] = [index, distance];
    });
    return best;
}

// A field of bytes in more places and fewer heights: bands, as on a map. 255 (no value) stays. Returns {data, shape}.
export function banded(bytes, [rows, columns], times, bands) {
    const shape = [(rows - 1) * times + 1, (columns - 1) * times + 1];
    const data = new Uint8Array(shape[0] * shape[1]);
    const size = 254 / bands;
    for (let row = 0; row < shape[0]; row += 1) {
        const low = Math.min(Math.floor(row / times), rows - 2), up = row / times - low;
        for (let column = 0; column < shape[1]; column += 1) {
            const left = Math.min(Math.floor(column / times), columns - 2), right = column / times - left;
            const at = low * columns + left;
            const four = [bytes[at], bytes[at + 1], bytes[at + columns], bytes[at + columns + 1]];
            let value = 255;
            if (!four.includes(255)) {
                const height = (four[0] * (1 - right) + four[1] * right) * (1 - up) + (four[2] * (1 - right) + four[3] * right) * up;
                value = Math.round((Math.min(Math.floor(height / size), bands - 1) + 0.5) * size);
            }
            data[row * shape[1] + column] = value;
        }
    }
    return { data, shape };
}

// The range of a logarithmic axis: from the smallest value worth seeing to a little above the beginning, so that a racer
// that diverges does not flatten the others. curves: arrays of numbers, maybe NaN. Returns powers of ten.
export function span(curves, least = 1e-9) {
    const values = curves.flatMap((curve) => [...curve].filter((value) => Number.isFinite(value) && value >= 0));
    if (!values.length) return [-1, 1];
    const begin = Math.max(least, ...curves.map((curve) => (Number.isFinite(curve[0]) ? curve[0] : 0)));
    const low = Math.max(least, values.reduce((least_, value) => Math.min(least_, value), Infinity));
    const high = Math.min(values.reduce((most, value) => Math.max(most, value), begin), 1000 * begin);
    return [Math.min(Math.log10(low), Math.log10(begin) - 1) - 0.15, Math.log10(high) + 0.2];
}
