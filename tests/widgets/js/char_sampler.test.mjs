import assert from "node:assert/strict";
import test from "node:test";

import { bits, context, end, lines, percent, rows, shade, short, told } from "../../../dlcourse/widgets/char_sampler/marks.js";
import { DARK, LIGHT, rgb } from "../../../dlcourse/widgets/js/palette.js";

const names = { 0: ["a", "a", ""], 1: ["␣", "space", "space"], 2: ["⏎", "newline", "newline"] };
const array = (data, shape) => ({ data: Float32Array.from(data), shape });
const frame = (changes = {}) => ({
    header: {
        names, line: 2, at: 1, model: "6-gram", beside: null, here: { token: 1 },
        lines: [{ line: 1, prefix: 2, length: 1 }, { line: 2, prefix: 1, length: 3 }], ...changes,
    },
    arrays: {
        ids: array([0, 1, 2, 0, 1, 0, 2], [7]),
        bits: array([0.5, 1, 2, 3], [4]),
        bars: array([0, 0.75, 1, NaN, 1, 0.25, 0, NaN], [2, 4]),
    },
});

test("the lines are taken apart, each symbol with its place and its bits", () => {
    const [first, second] = lines(frame());
    assert.deepEqual(first.symbols.map(({ shown, place, bits }) => [shown, place, bits]), [["a", 0, 0], ["␣", 0, 0], ["⏎", 1, 0.5]]);
    assert.deepEqual(second.symbols.map(({ place, bits }) => [place, bits]), [[0, 0], [1, 1], [2, 2], [3, 3]]);
    assert.deepEqual([first.current, first.at, second.current, second.at], [false, 1, true, 1]);
});

test("rows: what is drawn, what is cut off, and nothing of a model that is not there", () => {
    const [first, second] = rows(frame());
    assert.deepEqual(first, { token: 0, shown: "a", said: "a", kind: "", before: 0.75, after: 1, beside: null, drawn: false, cut: false });
    assert.deepEqual([second.said, second.drawn, second.cut], ["space", true, true]);
    assert.equal(rows(frame({ here: null })).some(({ drawn }) => drawn), false);
    const beside = frame({ beside: "CharRNN" });
    beside.arrays.bars = array([0, 0.5, 0.5, 0.125], [1, 4]);
    assert.equal(rows(beside)[0].beside, 0.125);
});

test("what is heard of a row", () => {
    const [first, second] = rows(frame());
    const header = { model: "6-gram", beside: "CharRNN" };
    assert.equal(told(first, header), "a: 6-gram 75 %, to draw from 100 %");
    assert.equal(told(second, header), "space: 6-gram 25 %, cut off, stands there");
    assert.equal(told({ ...first, beside: 0.00001 }, header), "a: 6-gram 75 %, to draw from 100 %, CharRNN under 0.1 %");
});

test("the bars' scale ends at a round share that none of them passes", () => {
    const of = (before, after, beside = null) => end([{ before, after, beside }]);
    assert.deepEqual([of(0.3, 0.1), of(0.01, 0.2), of(0.1, 0.1), of(0.1, 0.1, 0.7), of(0, 0), of(1, 1)], [0.5, 0.2, 0.1, 1, 0.02, 1]);
    assert.equal(of(Math.fround(0.1), 0.1), 0.1); // as 32 bits have it, a little more than 0.1
});

test("shares and bits as people write them", () => {
    assert.deepEqual([0, 0.0001, 0.0341, 0.5, 0.9999, 1].map(percent), ["0 %", "under 0.1 %", "3.4 %", "50 %", "over 99.9 %", "100 %"]);
    assert.deepEqual([0, 0.0001, 0.0341, 0.5, 0.9999, 1].map(short), ["0", "<0.1", "3.4", "50.0", ">99.9", "100.0"]);
    assert.deepEqual([bits(1.005), bits(null), bits(Infinity), bits(0)], ["1.00 bits", "∞ bits", "∞ bits", "0.00 bits"]);
});

test("the context ends before the place and is not long", () => {
    const line = lines(frame())[1];
    assert.equal(context(line, 0), "a");
    assert.equal(context(line, 2), "a␣a");
    const long = { prefix: 30, symbols: Array.from({ length: 40 }, () => ({ shown: "x" })) };
    assert.equal(context(long, 5), `…${"x".repeat(18)}`);
});

test("more bits, a stronger shade, up to eight; what is written on it can be read", () => {
    const light = (colour) => {
        const [r, g, b] = colour.map((value) => (value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    for (const palette of [LIGHT, DARK]) {
        const shades = [0, 1, 3, 6, 8].map((value) => shade(value, palette));
        assert.equal(new Set(shades).size, 5);
        assert.equal(shade(20, palette), shade(8, palette));
        assert.equal(shade(Infinity, palette), shade(8, palette));
        for (const each of shades) {
            const [one, other] = [light(each.match(/\d+/g).map(Number)), light(rgb(palette.ink))].sort((a, b) => b - a);
            assert.ok((one + 0.05) / (other + 0.05) > 4.5, `${each} under ${palette.ink}`);
        }
    }
});
