// Where the line and the arrow of the weights are on the map, and what dragging them means. Data units, a square map.

export const PER_WEIGHT = 0.1; // a weight of 1 is an arrow of a tenth of the map's width
export const SHORTEST = 0.07, LONGEST = 0.42; // of the width: so much of the arrow is always, and never more, drawn

export function middle([left, right, bottom, top]) {
    return [(left + right) / 2, (bottom + top) / 2];
}

// The point of the line that is nearest to `place`; with no line (weights zero), `place` itself.
export function foot([w1, w2], bias, place) {
    const square = w1 * w1 + w2 * w2;
    if (square === 0) return place;
    const share = (w1 * place[0] + w2 * place[1] + bias) / square;
    return [place[0] - share * w1, place[1] - share * w2];
}

// The arrow: {from, to, size (of the weights), drawn (its length), more (it is longer than drawn)}.
export function arrow(weight, bias, extent, from = foot(weight, bias, middle(extent))) {
    const width = extent[1] - extent[0];
    const size = Math.hypot(...weight);
    const drawn = size === 0 ? 0 : width * Math.min(Math.max(size * PER_WEIGHT, SHORTEST), LONGEST);
    const start = inside(from, extent, 0.04 * width);
    const [u1, u2] = size === 0 ? [1, 0] : [weight[0] / size, weight[1] / size];
    const to = [start[0] + drawn * u1, start[1] + drawn * u2];
    return { from: start, to: inside(to, extent, 0.03 * width), size, drawn, more: size * PER_WEIGHT > LONGEST };
}

// A place, moved into the map if it is outside.
export function inside([x, y], [left, right, bottom, top], margin = 0) {
    return [clamp(x, left + margin, right - margin), clamp(y, bottom + margin, top - margin)];
}

// The weights and the bias when the arrow, as it was when it was taken (`held`), is dragged by (dx, dy). The line turns
// about the arrow's foot, so the bias follows; along its own direction the neuron only gets louder or quieter.
export function dragTip(held, dx, dy) {
    const { weight, pivot, drawn, size, width, more } = held;
    const [u1, u2] = size === 0 ? [0, 0] : [weight[0] / size, weight[1] / size];
    const [t1, t2] = [drawn * u1 + dx, drawn * u2 + dy];
    const length = Math.hypot(t1, t2);
    if (length === 0) return null;
    const long = more ? (size * length) / drawn : Math.max(size + (length - drawn) / (PER_WEIGHT * width), 0.02);
    return turned([(long * t1) / length, (long * t2) / length], pivot);
}

// The arrow turned by an angle and stretched by a factor, about its foot.
export function turnTip(held, angle, factor) {
    const { weight, pivot, size } = held;
    const [w1, w2] = size === 0 ? [0.1, 0] : weight;
    const [c, s] = [Math.cos(angle) * factor, Math.sin(angle) * factor];
    return turned([c * w1 - s * w2, s * w1 + c * w2], pivot);
}

// The bias when the line is dragged by (dx, dy): the weights stay.
export function dragLine(weight, bias, dx, dy) {
    return tidy(bias - weight[0] * dx - weight[1] * dy);
}

function turned([w1, w2], pivot) {
    const [weight1, weight2] = [tidy(w1), tidy(w2)];
    return { weight1, weight2, bias: tidy(-(weight1 * pivot[0] + weight2 * pivot[1])) };
}

// The two places where the line leaves the map, or null.
export function lineEnds([w1, w2], bias, [left, right, bottom, top]) {
    const found = [];
    const add = (x, y) => {
        const within = x >= left - 1e-9 && x <= right + 1e-9 && y >= bottom - 1e-9 && y <= top + 1e-9;
        if (within && !found.some(([a, b]) => Math.hypot(a - x, b - y) < 1e-6 * (right - left))) found.push([x, y]);
    };
    if (w2 !== 0) for (const x of [left, right]) add(x, -(w1 * x + bias) / w2);
    if (w1 !== 0) for (const y of [bottom, top]) add(-(w2 * y + bias) / w1, y);
    return found.length >= 2 ? found.slice(0, 2) : null;
}

export function distanceToLine([w1, w2], bias, [x, y]) {
    const size = Math.hypot(w1, w2);
    return size === 0 ? Infinity : Math.abs(w1 * x + w2 * y + bias) / size;
}

// The point nearest to a place: [its number, its distance]. points: rows of four numbers, the first two its coordinates.
export function nearest(points, [x, y]) {
    let [best, least] = [-1, Infinity];
    for (let index = 0; index * 4 < points.length; index += 1) {
        const distance = Math.hypot(points[4 * index] - x, points[4 * index + 1] - y);
        if (distance < least) [best, least] = [index, distance];
    }
    return [best, least];
}

// Four digits are finer than any hand.
export function tidy(value) {
    return Math.abs(value) < 1e-6 ? 0 : Number(value.toPrecision(4));
}

// Two digits after the point and a real minus, never "−0.00".
export function fixed(value, digits = 2) {
    if (Math.abs(value) >= 1e5) return value.toExponential(1).replace("+", "").replace("-", "−");
    const words = value.toFixed(digits);
    return Number(words) === 0 ? words.replace("-", "") : words.replace("-", "−");
}

function clamp(value, low, high) {
    return Math.min(Math.max(value, low), high);
}
