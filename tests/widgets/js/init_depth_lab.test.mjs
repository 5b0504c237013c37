import assert from "node:assert/strict";
import test from "node:test";

import { figure, fromLog, percent, rows, typeset, wholes } from "../../../dlcourse/widgets/init_depth_lab/numbers.js";
import { slider } from "../../../dlcourse/widgets/js/scale.js";
import { words } from "../../../dlcourse/widgets/init_depth_lab/predict.js";

test("numbers in three digits, small and large ones as powers", () => {
    const cases = [[0.4931, "0.493"], [7079.3, "7079"], [1.524e-6, "1.52·10⁻⁶"], [-0.25, "−0.25"], [0, "0"], [1, "1"], [1e37, "1.00·10³⁷"]];
    for (const [value, written] of cases) assert.equal(figure(value), written);
    for (const nothing of [null, undefined, NaN]) assert.equal(figure(nothing), "–");
    assert.equal(figure(1.28e-5, 2), "1.3·10⁻⁵");
    assert.equal(figure(-2e-4, 2), "−2.0·10⁻⁴");
});

test("the gain's slider stops at 1, at the root of 2 and at 2", () => {
    const gain = slider({ low: 0.25, high: 8, log: true, zero: false, digits: 3 });
    assert.deepEqual([40, 50, 60].map(gain.toValue), [1, 1.41, 2]);
});

test("logarithms back to numbers", () => {
    assert.equal(fromLog(-Infinity), 0);
    assert.equal(fromLog(NaN), null);
    assert.equal(fromLog(-2), 0.01);
});

test("rows of the table by name", () => {
    const data = Float32Array.of(-1, 0.25, 5, -Infinity, NaN, -3);
    assert.deepEqual(rows({ data, shape: [2, 3] }, ["std", "silent", "mean"]), [
        { std: 0.1, silent: 0.25, mean: 5 }, { std: 0, silent: null, mean: -3 },
    ]);
    assert.deepEqual(rows({ data: new Float32Array(0), shape: [0] }, ["std"]), []);
});

test("shares as people say them", () => {
    assert.deepEqual([0, 0.004, 0.0051, 0.5, 1, NaN].map(percent), ["0 %", "less than 1 %", "1 %", "50 %", "100 %", "–"]);
});

test("round places, never more than asked for", () => {
    assert.deepEqual(wholes(1, 20, 7), [5, 10, 15, 20]);
    assert.deepEqual(wholes(1, 1, 7), [1]);
    assert.deepEqual(wholes(-3, 0, 5), [-3, -2, -1, 0]);
    assert.deepEqual(wholes(-46, 39, 5), [-40, -20, 0, 20]);
    for (let low = -46; low < 0; low += 1) {
        for (let high = low + 3; high < 39; high += 1) {
            const found = wholes(low, high, 5);
            assert.ok(found.length >= 1 && found.length <= 5, `${low} ${high}: ${found}`);
            assert.ok(found.every((at) => at >= low && at <= high && !Object.is(at, -0)));
        }
    }
});

test("sentences as they are printed", () => {
    assert.equal(typeset("fan_in * variance / 2 = 64 * 0.015625 / 2 = 0.5 a layer, 9.54e-7 after 20"), "fan-in × variance / 2 = 64 × 0.015625 / 2 = 0.5 a layer, 9.54·10⁻⁷ after 20");
    assert.equal(typeset("1e37 in layer 50, 4.3e34, -0.25"), "10³⁷ in layer 50, 4.3·10³⁴, −0.25");
    assert.equal(typeset("the layer 3e"), "the layer 3e");
});

test("what became of a prediction", () => {
    const question = { state: "revealed", text: "...", options: ["smaller", "alike", "larger"], guess: 0, answer: 0, right: true, ratio: 0.0012, asked_count: 3, right_count: 2 };
    assert.equal(words(question), "You were right: it is 0.0012 times as large, smaller. So far 2 of 3 predictions were right.");
    assert.match(words({ ...question, answer: 2, right: false, ratio: null }), /^You said smaller: it is beyond what float32 can hold, larger\./);
    assert.match(words({ ...question, answer: null, right: null, ratio: null }), /^No answer: .* Not counted\.$/);
    assert.equal(words({ ...question, state: "asked", text: "Is it so?" }), "Choose settings that you have not seen yet. Is it so?");
});
