import assert from "node:assert/strict";
import test from "node:test";

import { quantised } from "../../../dlcourse/widgets/rnn_unroller/field.js";
import { byte, clamp, decadesOf, every, figure, fromLog, nearest, percent, state, typeset } from "../../../dlcourse/widgets/rnn_unroller/numbers.js";

test("numbers written as the kernel writes them", () => {
    const cases = [ // the same as in test_rnn_unroller_widget.py
        [0, "0"], [1, "1"], [0.5, "0.5"], [0.012345, "0.0123"], [0.001, "0.001"], [0.00099951, "0.001"],
        [0.00012, "1.2·10⁻⁴"], [3.2e-9, "3.2·10⁻⁹"], [99.96, "100"], [12345.6, "12346"], [123456, "1.23·10⁵"],
        [-0.25, "−0.25"], [Infinity, "more than float32 holds"],
    ];
    for (const [value, text] of cases) assert.equal(figure(value), text);
});

test("numbers from their logarithms", () => {
    assert.deepEqual([-Infinity, 0, -2, 40, NaN].map(fromLog), ["0", "1", "0.01", "more than float32 holds", "more than float32 holds"]);
});

test("a line of the kernel gets its signs and indices", () => {
    assert.equal(typeset("from h_29 back: (1 - z)·n + (-0.5)"), "from h₂₉ back: (1 − z)·n + (−0.5)");
    assert.equal(typeset("W_hh h, forget-gate, 10-fold"), "W_hh h, forget-gate, 10-fold");
    assert.equal(state(105), "h₁₀₅");
});

test("shares", () => {
    assert.deepEqual([0, 0.0001, 0.125, 1, null].map(percent), ["0.0 %", "<0.1 %", "12.5 %", "100.0 %", "–"]);
});

test("bytes of a map are numbers of its scale", () => {
    assert.deepEqual([byte(0, 2), byte(127, 2), byte(254, 2)], [-2, 0, 2]);
    assert.deepEqual([...quantised([-Infinity, -6, -3, 0, 6, 9, Infinity, NaN], 6)], [0, 0, 64, 127, 254, 254, 254, 255]);
});

test("the axis of the strip holds no change, what is there, and not more than twenty decades", () => {
    assert.deepEqual(decadesOf([0, -0.5]), [-1, 0.25]);
    assert.deepEqual(decadesOf([-5.4, 0]), [-6, 0.25]);
    assert.deepEqual(decadesOf([0, 3.2]), [-1, 4]);
    assert.deepEqual(decadesOf([-Infinity, -44, Infinity, NaN, 0]), [-20, 0.25]);
    assert.deepEqual(decadesOf([]), [-1, 0.25]);
});

test("the nearest setting", () => {
    assert.deepEqual([-3, 0.24, 0.26, 9].map((value) => nearest([0, 0.5, 1], value)), [0, 0, 1, 2]);
});

test("labels have room", () => {
    assert.deepEqual([[10, 300], [29, 640], [95, 430], [1000, 300]].map(([steps, width]) => every(steps, width)), [1, 2, 10, 100]);
    assert.equal(clamp(7, 0, 3), 3);
    assert.equal(clamp(-7, 0, 3), 0);
});
