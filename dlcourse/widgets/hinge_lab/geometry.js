// Where the handles of the hinges are, and what moving them means. Pixels and data units, no canvas, no page.

// What a hand sets is rounded to these, so that two knots can meet exactly.
export const KNOTS = 0.05;
export const BENDS = 0.1;
export const PER_PIXEL = 0.02; // of bend, when a knot is dragged up or down on the curve

// The number nearest to `value` that is a multiple of `step`, within limits.
export function snapped(value, step, low, high) {
    const steps = Math.round(1 / step);
    return Math.min(Math.max(Math.round(value * steps) / steps, low), high) + 0;
}

// f(x) on the chain of straight lines through (xs, ys), xs in order.
export function height(xs, ys, x) {
    let right = 1;
    while (right < xs.length - 1 && xs[right] < x) right += 1;
    const [x0, x1, y0, y1] = [xs[right - 1], xs[right], ys[right - 1], ys[right]];
    if (x1 === x0) return y1;
    const share = Math.min(Math.max((x - x0) / (x1 - x0), 0), 1);
    return y0 + share * (y1 - y0);
}

// Handles in the same place are set apart, side by side: their order of index decides. Returns pixel offsets.
export function apart(places, size) {
    const offsets = places.map(() => 0);
    const groups = new Map();
    places.forEach(([x, y], index) => {
        const key = [...groups.keys()].find(([gx, gy]) => Math.hypot(gx - x, gy - y) < size * 0.6) ?? [x, y];
        groups.set(key, [...(groups.get(key) ?? []), index]);
    });
    for (const members of groups.values()) {
        members.forEach((index, rank) => {
            offsets[index] = (rank - (members.length - 1) / 2) * size;
        });
    }
    return offsets;
}

// The index of the handle nearest to a pixel, or -1 when none is within reach.
export function nearest(places, [x, y], reach) {
    let best = -1, least = reach;
    places.forEach((place, index) => {
        if (!place) return;
        const distance = Math.hypot(place[0] - x, place[1] - y);
        if (distance <= least) [best, least] = [index, distance];
    });
    return best;
}
