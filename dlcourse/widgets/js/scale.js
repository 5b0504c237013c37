// From numbers to places on a slider or an axis, and to short texts.

// A slider over a parameter's range; a logarithmic one may keep its leftmost stop for zero. Each of its positions is a
// value of its own after rounding: else an arrow key would move it to where it already is, and it would be stuck.
export function slider(param, most = 100) {
    const { low, high, log, zero, digits = 2 } = param;
    const first = log && zero ? 1 : 0;
    const distinct = log ? Math.log(high / low) / (2.1 * Math.log(1 + 0.5 * 10 ** (1 - digits))) : (high - low) * 10 ** digits;
    const span = Math.max(1, Math.min(most - first, Math.floor(distinct + 1e-9)));
    const positions = span + first;
    return {
        positions,
        toValue(position) {
            if (first && position <= 0) return 0;
            const share = (Math.min(position, positions) - first) / span;
            if (share <= 0) return low;
            if (share >= 1) return high;
            if (log) return significant(low * (high / low) ** share, digits);
            return Number((low + (high - low) * share).toFixed(digits));
        },
        toPosition(value) {
            if (first && value === 0) return 0;
            const share = log ? Math.log(value / low) / Math.log(high / low) : (value - low) / (high - low);
            return first + Math.round(Math.min(Math.max(share, 0), 1) * span);
        },
    };
}

export function significant(value, digits) {
    return Number(value.toPrecision(digits));
}

// A number as people write it: no more digits than are of use.
export function text(value, digits = 3) {
    if (value === null || value === undefined || Number.isNaN(value)) return "–";
    if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
    const size = Math.abs(value);
    if (size !== 0 && (size >= 1e5 || size < 1e-4)) return value.toExponential(1).replaceAll("-", "−").replace("+", "");
    return String(size >= 10 ** digits ? Math.round(value) : significant(value, digits)).replace("-", "−");
}

// Round places for about `wanted` ticks between low and high.
export function ticks(low, high, wanted = 5) {
    if (!(high > low)) return [low];
    const rough = (high - low) / wanted;
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough * 0.999);
    const found = [];
    const start = Math.ceil(low / step - 1e-9);
    // Counted, because between numbers that differ in their last digits only, start + 1 may be start.
    for (let count = 0; (start + count) * step <= high + step * 1e-9; count += 1) {
        found.push(Number(((start + count) * step).toPrecision(12)));
    }
    return found;
}

// Powers of ten between low and high, at most about eight; within one decade, round numbers.
export function decades(low, high) {
    const first = Math.floor(Math.log10(low)), last = Math.ceil(Math.log10(high));
    const every = Math.max(1, Math.ceil((last - first) / 8));
    const found = [];
    for (let power = first; power <= last; power += every) found.push(Number(`1e${power}`)); // 10 ** -4 is not 0.0001
    const inside = found.filter((value) => value >= low * 0.999 && value <= high * 1.001);
    return inside.length > 1 ? inside : ticks(low, high, 4);
}
