// Bars on a logarithmic scale: each line is a factor of ten, and zero has no bar.

const LEAST = 3, MOST = 20; // decades shown

// How many decades a scale down from 1 needs for these sizes.
export function span(sizes) {
    const needed = sizes.filter((size) => size > 0).map((size) => -Math.log10(size) + 0.3);
    return Math.min(Math.max(LEAST, Math.ceil(Math.max(0, ...needed))), MOST);
}

// The length of a bar, from 0 to 1; what is larger than 1 is cut, what is smaller than the scale is a sliver.
export function share(size, decades) {
    if (!(size > 0)) return 0;
    return Math.min(Math.max(1 + Math.log10(size) / decades, 0.01), 1);
}

// "10⁻³" for -3, "1" for 0.
export function power(exponent) {
    if (exponent === 0) return "1";
    const digits = [...String(Math.abs(exponent))].map((digit) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[digit]).join("");
    return `10${exponent < 0 ? "⁻" : ""}${digits}`;
}

// A number in three digits, a very small one as a power: "0.197", "0.100", "5.5 · 10⁻⁴"; an exact one stays short: "1".
export function short(value) {
    const size = Math.abs(value), sign = value < 0 ? "−" : "";
    if (size === 0) return "0";
    if (size >= 0.001) {
        const digits = size.toPrecision(3);
        return sign + (Number(digits) === size ? String(size) : digits);
    }
    const exponent = Math.floor(Math.log10(size) + 1e-12);
    return `${sign}${(size / 10 ** exponent).toFixed(1)} · ${power(exponent)}`;
}

// "0.197 × 0.220 × 0.225 × … × 0.225": at most four of the factors, the last one among them.
export function product(factors) {
    const some = factors.length <= 4 ? factors.map(short) : [...factors.slice(0, 3).map(short), "…", short(factors.at(-1))];
    return some.map((factor) => (/[−·]/.test(factor) ? `(${factor})` : factor)).join(" × ");
}
