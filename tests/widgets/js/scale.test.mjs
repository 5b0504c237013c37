import assert from "node:assert/strict";
import test from "node:test";

import { decades, slider, text, ticks } from "../../../dlcourse/widgets/js/scale.js";

const PARAMS = {
    linear: { low: -2, high: 3, digits: 2 },
    log: { low: 1e-4, high: 10, log: true },
    "log with zero": { low: 1e-5, high: 1, log: true, zero: true },
    "log, three decades": { low: 1e-3, high: 1, log: true },
    "log, less than a decade": { low: 1, high: 3, log: true },
    "log, one digit": { low: 1e-4, high: 1, log: true, digits: 1 },
    "log, odd ends": { low: 0.00333, high: 0.777, log: true },
    "log, three digits": { low: 1, high: 3, log: true, digits: 3 },
    "less than a step": { low: 0, high: 0.003, digits: 2 },
    short: { low: 0, high: 0.5, digits: 2 },
    "very short": { low: 0, high: 0.1, digits: 1 },
    "whole numbers": { low: 0, high: 7, digits: 0 },
    "odd steps": { low: 0, high: 1.7, digits: 2 },
};

for (const [name, param] of Object.entries(PARAMS)) {
    test(`${name}: both ends are reached, values rise, none leaves the range`, () => {
        const scale = slider(param);
        const values = [...Array(scale.positions + 1).keys()].map((place) => scale.toValue(place));
        assert.equal(values[0], param.zero ? 0 : param.low);
        assert.equal(values.at(-1), param.high);
        for (let place = 1; place < values.length; place += 1) assert.ok(values[place] > values[place - 1], `at ${place}`);
        for (const value of values) assert.ok((value >= param.low && value <= param.high) || (param.zero && value === 0), value);
    });

    test(`${name}: a value comes back to its own place, or an arrow key would be stuck there`, () => {
        const scale = slider(param);
        for (let place = 0; place <= scale.positions; place += 1) {
            assert.equal(scale.toPosition(scale.toValue(place)), place);
        }
    });
}

test("as many places as there are different values, at most a hundred", () => {
    const places = Object.values(PARAMS).map((param) => slider(param).positions);
    assert.deepEqual(places.slice(0, 2), [100, 100]);
    assert.equal(slider(PARAMS["whole numbers"]).positions, 7);
    assert.equal(slider(PARAMS.short).positions, 50);
    assert.equal(slider(PARAMS["log with zero"]).positions, 100);
    assert.equal(slider(PARAMS["log, three digits"]).positions, 100);
    assert.equal(slider(PARAMS["very short"]).positions, 1);
    assert.ok(slider(PARAMS["log, three decades"]).positions > 60);
});

test("a value out of range stands at the end, and never at zero's place", () => {
    const scale = slider(PARAMS["log with zero"]);
    assert.equal(scale.toPosition(0), 0);
    assert.equal(scale.toPosition(1e-9), 1);
    assert.equal(scale.toPosition(50), scale.positions);
});

test("numbers as people write them", () => {
    const written = [[0, "0"], [0.1 + 0.2, "0.3"], [-1.5, "−1.5"], [1234.4, "1234"], [99950, "99950"], [1e6, "1.0e6"], [2e-5, "2.0e−5"], [-2e-5, "−2.0e−5"]];
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

test("ticks end, also between numbers that differ only in their last digits", () => {
    for (const [low, high] of [[1, 1 + 2 ** -52], [0.1, 0.1 + 2e-17], [1e9, 1e9 + 1e-6], [NaN, 1], [0, Infinity]]) {
        assert.ok(ticks(low, high).length <= 11);
    }
});

test("decades are powers of ten within the range, at most nine; within one decade, round numbers", () => {
    assert.deepEqual(decades(0.2, 0.8), [0.2, 0.4, 0.6, 0.8]);
    assert.deepEqual(decades(0.5, 5), [2, 4]);
    assert.deepEqual(decades(1e-3, 1), [1e-3, 1e-2, 1e-1, 1]);
    assert.deepEqual(decades(0.02, 5), [0.1, 1]);
    assert.deepEqual(decades(1e-12, 1e4), [1e-12, 1e-10, 1e-8, 1e-6, 1e-4, 1e-2, 1, 100, 1e4]);
    assert.ok(decades(1e-30, 1).length <= 9);
});
