// From numbers to places on a slider or an axis, and to short texts.

// A slider of `positions` steps over a parameter's range; a logarithmic one may keep its leftmost stop for zero.
export function slider(param, positions = 100) {
    const { low, high, log, zero } = param;
    const first = log && zero ? 1 : 0;
    const span = positions - first;
    return {
        positions,
        toValue(position) {
            if (first && position <= 0) return 0;
            const share = (Math.min(position, positions) - first) / span;
            if (log) return significant(low * (high / low) ** share, 2);
            return Number((low + (high - low) * share).toFixed(param.digits ?? 2));
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
    if (size !== 0 && (size >= 1e5 || size < 1e-4)) return value.toExponential(1).replace("-", "−").replace("+", "");
    return String(significant(value, digits)).replace("-", "−");
}

// Round places for about `wanted` ticks between low and high.
export function ticks(low, high, wanted = 5) {
    if (!(high > low)) return [low];
    const rough = (high - low) / wanted;
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough * 0.999);
    const found = [];
    for (let index = Math.ceil(low / step - 1e-9); index * step <= high + step * 1e-9; index += 1) {
        found.push(Number((index * step).toPrecision(12)));
    }
    return found;
}

// Powers of ten between low and high, at most about eight.
export function decades(low, high) {
    const first = Math.floor(Math.log10(low)), last = Math.ceil(Math.log10(high));
    const every = Math.max(1, Math.ceil((last - first) / 8));
    const found = [];
    for (let power = first; power <= last; power += every) found.push(10 ** power);
    return found.filter((value) => value >= low * 0.999 && value <= high * 1.001);
}
