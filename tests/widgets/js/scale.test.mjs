import assert from "node:assert/strict";
import test from "node:test";

import { decades, slider, text, ticks } from "../../../dlcourse/widgets/js/scale.js";

const PARAMS = {
    linear: { low: -2, high: 3, digits: 2 },
    log: { low: 1e-4, high: 10, log: true },
    "log with zero": { low: 1e-5, high: 1, log: true, zero: true },
};

for (const [name, param] of Object.entries(PARAMS)) {
    test(`${name}: both ends are reached, values rise, none leaves the range`, () => {
        const scale = slider(param);
        const values = [...Array(scale.positions + 1).keys()].map((place) => scale.toValue(place));
        assert.equal(values[0], param.zero ? 0 : param.low);
        assert.equal(values.at(-1), param.high);
        for (let place = 1; place < values.length; place += 1) assert.ok(values[place] >= values[place - 1], `at ${place}`);
        for (const value of values) assert.ok((value >= param.low && value <= param.high) || (param.zero && value === 0), value);
    });

    test(`${name}: a value comes back to its own place`, () => {
        const scale = slider(param);
        for (let place = 0; place <= scale.positions; place += 1) {
            const again = scale.toPosition(scale.toValue(place));
            assert.ok(Math.abs(again - place) <= 1, `${place} came back as ${again}`);
        }
    });
}

test("a value out of range stands at the end, and never at zero's place", () => {
    const scale = slider(PARAMS["log with zero"]);
    assert.equal(scale.toPosition(0), 0);
    assert.equal(scale.toPosition(1e-9), 1);
    assert.equal(scale.toPosition(50), scale.positions);
});

test("numbers as people write them", () => {
    const written = [[0, "0"], [0.1 + 0.2, "0.3"], [-1.5, "−1.5"], [1234.5, "1230"], [1e6, "1.0e6"], [2e-5, "2.0e−5"]];
    for (const [value, words] of written) assert.equal(text(value), words);
    assert.deepEqual([null, undefined, NaN, Infinity, -Infinity].map((value) => text(value)), ["–", "–", "–", "∞", "−∞"]);
});

test("ticks are round, within the range and about as many as wanted", () => {
    assert.deepEqual(ticks(0, 1, 5), [0, 0.2, 0.4, 0.6, 0.8, 1]);
    assert.deepEqual(ticks(-6, 6, 4), [-5, 0, 5]);
    assert.deepEqual(ticks(3, 3), [3]);
    for (const [low, high] of [[0, 37], [-0.003, 0.004], [1e3, 9e5], [-1, 0]]) {
        const found = ticks(low, high);
        assert.ok(found.length >= 2 && found.length <= 7, `${low} to ${high}: ${found}`);
        for (const value of found) assert.ok(value >= low - 1e-9 && value <= high + 1e-9);
    }
});

test("decades are powers of ten within the range, at most nine", () => {
    assert.deepEqual(decades(1e-3, 1), [1e-3, 1e-2, 1e-1, 1]);
    assert.deepEqual(decades(0.02, 5), [0.1, 1]);
    assert.ok(decades(1e-30, 1).length <= 9);
});
