import assert from "node:assert/strict";
import test from "node:test";

import { Brush, together } from "../../../dlcourse/widgets/conv_stepper/brush.js";
import { between, moved, number, reach, roomFor, short, texts, typed, typeset } from "../../../dlcourse/widgets/conv_stepper/numbers.js";

test("numbers short enough for a cell", () => {
    const cases = [
        [3, "3"], [-12, "−12"], [0, "0"], [-0, "0"], [0.25, "0.25"], [-1 / 9, "−0.11"], [0.5, "0.5"], [12.34, "12.3"], [-123.4, "−123"],
        [9.996, "10"], [1234567, "1e6"], [0.001, "≈0"], [-0.001, "≈0"],
    ];
    for (const [value, text] of cases) assert.equal(short(value), text);
});

test("numbers written as the kernel writes them", () => {
    const cases = [ // the same as in test_conv_stepper_engine.py
        [3, "3"], [-0, "0"], [0.015625, "0.01563"], [-0.09375, "-0.09375"], [1 / 256, "0.003906"], [-1 / 9, "-0.1111"],
        [1234.5, "1235"], [999.96, "1000"], [12.345678, "12.35"], [2.5e-5, "2.5e-5"], [123456, "123456"],
    ];
    for (const [value, text] of cases) assert.equal(number(value), text.replace("-", "−"));
    assert.equal(number(0.1 + 0.2), "0.3");
});

test("a map has all digits where there is room", () => {
    assert.deepEqual(texts([1 / 9, 0.5, NaN], 3), ["0.1111", "0.5", "?"]);
    assert.deepEqual(texts([1 / 9, 0.5, NaN], 16), ["0.11", "0.5", "?"]);
    assert.deepEqual(texts([9, -9], 24), ["9", "−9"]);
});

test("a line of the kernel gets its signs", () => {
    assert.equal(typeset("(-5) + 0.5 = -4.5"), "(−5) + 0.5 = −4.5");
    assert.equal(typeset("1 + (3 - 1) = 3"), "1 + (3 − 1) = 3");
    assert.equal(typeset("7 x 7 → 5 x 5"), "7 × 7 → 5 × 5");
    assert.equal(typeset("left-to-right, 2 * 3"), "left-to-right, 2 · 3");
});

test("what is typed is a number or nothing", () => {
    assert.deepEqual([" 2", "−0,5", "-.5", "1e1"].map(typed), [2, -0.5, -0.5, 10]);
    assert.deepEqual(["", " ", "two", "1/9", "Infinity"].map(typed), [null, null, null, null, null]);
});

test("keys lead from cell to cell and stop at the rim", () => {
    const size = [3, 5];
    const cases = {
        ArrowUp: [0, 2], ArrowDown: [2, 2], ArrowLeft: [1, 1], ArrowRight: [1, 3], Home: [1, 0], End: [1, 4], PageUp: [0, 2], PageDown: [2, 2],
    };
    for (const [key, at] of Object.entries(cases)) assert.deepEqual(moved([1, 2], key, size), at, key);
    assert.deepEqual(moved([0, 0], "ArrowUp", size), [0, 0]);
    assert.deepEqual(moved([2, 4], "ArrowRight", size), [2, 4]);
    assert.equal(moved([0, 0], "a", size), null);
});

test("a quick hand skips no cell", () => {
    assert.deepEqual(between([0, 0], [0, 3]), [[0, 1], [0, 2], [0, 3]]);
    assert.deepEqual(between([2, 2], [0, 1]), [[1, 2], [0, 1]]);
    assert.deepEqual(between([1, 1], [1, 1]), []);
});

test("the scale goes as far as the numbers, and rooms as wide as the texts", () => {
    assert.equal(reach([1, -7, NaN, Infinity]), 7);
    assert.equal(reach([0, 0]), 1);
    assert.equal(roomFor(["1"]), 28);
    assert.ok(roomFor(["−26"]) >= 34); // two borders, a frame, and neighbours that do not touch
    assert.ok(roomFor(["1"]) < roomFor(["−0.25"]));
    assert.ok(roomFor(["−0.25"]) < roomFor(["−0.2525"]));
});

function board(brush = 1) {
    const sent = [], answers = [];
    const view = {
        get: () => brush,
        repaint: () => {},
        act: (name, args) => {
            sent.push(args);
            return new Promise((resolve, reject) => answers.push({ resolve, reject }));
        },
    };
    const made = new Brush(view);
    made.over(new Float32Array(9), 3);
    return { made, sent, answers };
}

const rest = () => new Promise((resolve) => setTimeout(resolve));

test("a stroke is shown at once and travels in few messages", async () => {
    const { made, sent, answers } = board();
    made.press([0, 0]);
    made.drag([0, 1]);
    made.drag([0, 2]);
    assert.deepEqual([...made.over(new Float32Array(9), 3)], [1, 1, 1, 0, 0, 0, 0, 0, 0]);
    assert.deepEqual(sent.map(({ cells }) => cells), [[[0, 0]]]);
    answers[0].resolve();
    await rest();
    assert.deepEqual(sent[1].cells, [[0, 1], [0, 2]]);
    assert.equal(sent[0].stroke, sent[1].stroke);
    answers[1].resolve();
    await rest();
    assert.deepEqual([...made.over(new Float32Array(9), 3)], new Array(9).fill(0)); // from here on the kernel's word counts
    made.release();
    made.drag([2, 2]);
    assert.equal(sent.length, 2);
});

test("a cell that has the brush's number already is wiped", () => {
    const { made, sent } = board(5);
    made.over(Float32Array.of(5, 0, 0, 0, 0, 0, 0, 0, 0), 3);
    made.press([0, 0]);
    assert.equal(sent[0].value, 0);
});

test("keys put digits, signs and nothing", async () => {
    const { made, sent, answers } = board();
    made.over(Float32Array.of(0, 4, 0, 0, 0, 0, 0, 0, 0), 3);
    for (const [key, at] of [["7", [1, 1]], ["-", [0, 1]], ["Delete", [0, 1]], [" ", [2, 2]]]) assert.equal(made.key(key, at), true);
    assert.equal(made.key("x", [0, 0]), false);
    for (let index = 0; index < 4; index += 1) {
        answers[index].resolve();
        await rest();
    }
    assert.deepEqual(sent.map(({ value }) => value), [7, -4, 0, 1]);
});

test("what is refused is taken back", async () => {
    const { made, answers } = board();
    made.press([0, 0]);
    answers[0].reject(new Error("no"));
    await rest();
    assert.equal(made.over(new Float32Array(9), 3)[0], 0);
});

test("strokes stay apart, and so do single keys", () => {
    assert.equal(together([{ stroke: "a" }, { stroke: "a" }, { stroke: "b" }]), 2);
    assert.equal(together([{ stroke: null }, { stroke: null }]), 1);
    assert.equal(together([{ stroke: "a" }]), 1);
});
