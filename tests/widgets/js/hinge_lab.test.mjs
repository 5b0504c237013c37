import assert from "node:assert/strict";
import test from "node:test";

import { apart, height, nearest, snapped } from "../../../dlcourse/widgets/hinge_lab/geometry.js";
import { Strokes } from "../../../dlcourse/widgets/hinge_lab/strokes.js";
import { Latest } from "../../../dlcourse/widgets/js/latest.js";

test("what a hand sets falls on round numbers, within limits", () => {
    assert.equal(snapped(0.333, 0.05, -3, 3), 0.35);
    assert.equal(snapped(-1.02, 0.05, -3, 3), -1);
    assert.equal(snapped(7, 0.1, -6, 6), 6);
    assert.ok(Object.is(snapped(-0.01, 0.05, -3, 3), 0)); // not minus zero
    assert.equal(snapped(0.3000000001, 0.1, -6, 6), snapped(0.25 + 0.05, 0.1, -6, 6));
});

test("the height on a chain of lines", () => {
    const xs = [-3, 0, 0, 1, 3], ys = [0, 3, 3, 1, 5];
    assert.equal(height(xs, ys, -3), 0);
    assert.equal(height(xs, ys, -1), 2);
    assert.equal(height(xs, ys, 0), 3);
    assert.equal(height(xs, ys, 2), 3);
    assert.equal(height(xs, ys, 99), 5);
    assert.equal(height(xs, ys, -99), 0);
});

test("handles in one place stand side by side, others stay", () => {
    assert.deepEqual(apart([[10, 10], [50, 10], [10, 10]], 20), [-10, 0, 10]);
    assert.deepEqual(apart([[10, 10], [10, 90]], 20), [0, 0]);
    assert.deepEqual(apart([[0, 0], [1, 1], [0, 2]], 20), [-20, 0, 20]);
    assert.deepEqual(apart([], 20), []);
});

test("the nearest handle within reach, and none where there is none", () => {
    const places = [[10, 10], null, [30, 10]];
    assert.equal(nearest(places, [12, 10], 15), 0);
    assert.equal(nearest(places, [24, 10], 15), 2);
    assert.equal(nearest(places, [100, 10], 15), -1);
    assert.equal(nearest([], [0, 0], 15), -1);
});

// A kernel that answers when it is told to.
function slow() {
    const asked = [], answers = [];
    const ask = (args) => {
        asked.push(args);
        return new Promise((resolve, reject) => answers.push({ resolve, reject }));
    };
    const answer = async (how = "resolve") => {
        answers.shift()[how]();
        await new Promise((done) => { setTimeout(done, 0); });
    };
    return { asked, ask, answer };
}

test("one request at a time, and the last wish wins", async () => {
    const kernel = slow(), moves = new Latest(kernel.ask);
    for (const wish of [1, 2, 3, 4]) moves.want(wish);
    assert.deepEqual(kernel.asked, [1]);
    await kernel.answer();
    assert.deepEqual(kernel.asked, [1, 4]);
    assert.ok(moves.busy);
    await kernel.answer();
    assert.ok(!moves.busy);
    moves.want(5);
    assert.deepEqual(kernel.asked, [1, 4, 5]);
});

test("a refused wish does not block the next", async () => {
    const kernel = slow(), moves = new Latest(kernel.ask);
    moves.want(1);
    moves.want(2);
    await kernel.answer("reject");
    assert.deepEqual([kernel.asked, moves.busy], [[1], false]);
    moves.want(3);
    assert.deepEqual(kernel.asked, [1, 3]);
});

test("a stroke loses no place, and its pieces join", async () => {
    const kernel = slow(), pen = new Strokes(kernel.ask);
    pen.begin([0, 0]);
    pen.add([1, 1]);
    pen.add([2, 4]);
    assert.deepEqual(kernel.asked, [{ xs: [0], ys: [0] }]);
    await kernel.answer();
    assert.deepEqual(kernel.asked[1], { xs: [0, 1, 2], ys: [0, 1, 4] });
    pen.add([3, 9]);
    await kernel.answer();
    assert.deepEqual(kernel.asked[2], { xs: [2, 3], ys: [4, 9] });
    await kernel.answer();
    assert.equal(kernel.asked.length, 3);
    assert.ok(!pen.busy);
});

test("strokes do not join each other, and a dot is a stroke", async () => {
    const kernel = slow(), pen = new Strokes(kernel.ask);
    pen.begin([0, 0]);
    pen.add([1, 1]);
    pen.begin([5, 5]);
    pen.begin([7, 7]);
    pen.add([8, 8]);
    for (let count = 0; count < 4; count += 1) await kernel.answer();
    assert.deepEqual(kernel.asked.map(({ xs }) => xs), [[0], [0, 1], [5], [7, 8]]);
    pen.add([9, 9]); // after all has been sent, the last stroke still goes on
    await kernel.answer();
    assert.deepEqual(kernel.asked[4].xs, [8, 9]);
});

test("a long stroke goes in pieces that the kernel takes", async () => {
    const kernel = slow(), pen = new Strokes(kernel.ask);
    pen.begin([0, 0]);
    for (let index = 1; index < 2000; index += 1) pen.add([index, 0]);
    for (let count = 0; count < 4; count += 1) await kernel.answer();
    const sent = kernel.asked.map(({ xs }) => [xs.length, xs[0], xs.at(-1)]);
    assert.deepEqual(sent, [[1, 0, 0], [900, 0, 899], [900, 899, 1798], [202, 1798, 1999]]);
});
