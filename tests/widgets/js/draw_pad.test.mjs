import assert from "node:assert/strict";
import test from "node:test";

import { EVERY, Outbox, cut, moved, percent } from "../../../dlcourse/widgets/draw_pad/strokes.js";

// An outbox whose kernel answers when `answer` is called, and whose clock stands still until `tick`.
function made() {
    const kernel = { sent: [], waiting: [], due: [], painted: 0 };
    const outbox = new Outbox(
        (points, id) => new Promise((resolve, reject) => {
            kernel.sent.push({ points, id });
            kernel.waiting.push({ resolve, reject });
        }),
        () => { kernel.painted += 1; },
        { later: (then, ms) => kernel.due.push({ then, ms }) },
    );
    const quiet = () => new Promise((done) => setImmediate(done));
    return {
        outbox, kernel, quiet,
        answer: async () => { await quiet(); kernel.waiting.shift().resolve(null); return quiet(); },
        refuse: async () => { await quiet(); kernel.waiting.shift().reject(new Error("full")); return quiet(); },
        tick: () => { kernel.due.shift().then(); return quiet(); },
    };
}

test("a point is sent at once, what follows in one batch for each answer and pause", async () => {
    const { outbox, kernel, answer, tick } = made();
    const stroke = outbox.begin([0.1, 0.1]);
    assert.deepEqual(kernel.sent.map((each) => each.points), [[[0.1, 0.1]]]);
    outbox.extend(stroke, [[0.2, 0.1], [0.3, 0.1]]);
    outbox.extend(stroke, [[0.4, 0.1]]);
    assert.equal(kernel.sent.length, 1); // not before the answer
    await answer();
    assert.equal(kernel.sent.length, 1); // and not before the pause
    assert.equal(kernel.due[0].ms, EVERY);
    await tick();
    assert.deepEqual(kernel.sent[1], { points: [[0.2, 0.1], [0.3, 0.1], [0.4, 0.1]], id: stroke.id });
    assert.ok(1000 / EVERY > 14 && 1000 / EVERY < 16);
});

test("a stroke is kept for painting until the kernel has all of it", async () => {
    const { outbox, kernel, answer, tick } = made();
    const stroke = outbox.begin([0.1, 0.1]);
    outbox.extend(stroke, [[0.5, 0.5]]);
    outbox.end(stroke);
    await answer();
    assert.equal(outbox.strokes.length, 1);
    await tick();
    await answer();
    assert.equal(outbox.strokes.length, 0);
    assert.equal(outbox.running, null);
    assert.ok(kernel.painted > 0);
});

test("strokes arrive in the order drawn, and settled waits for the last", async () => {
    const { outbox, kernel, answer } = made();
    const first = outbox.begin([0.1, 0.1]);
    outbox.end(first);
    const second = outbox.begin([0.9, 0.9]);
    outbox.end(second);
    let settled = false;
    outbox.settled().then(() => { settled = true; });
    await answer();
    assert.equal(settled, false);
    await answer();
    assert.deepEqual(kernel.sent.map((each) => each.id), [first.id, second.id]);
    assert.notEqual(first.id, second.id);
    assert.equal(settled, true);
    await outbox.settled(); // with nothing on its way, at once
});

test("a stroke that is begun while the last one is being finished is sent as well", async () => {
    const { outbox, kernel, answer } = made();
    outbox.end(outbox.begin([0.1, 0.1]));
    kernel.waiting.shift().resolve(null);
    await Promise.resolve();
    outbox.end(outbox.begin([0.2, 0.2]));
    await answer();
    assert.equal(kernel.sent.length, 2);
    assert.equal(outbox.strokes.length, 0);
});

test("a stroke that the kernel refuses is dropped, and the next one goes", async () => {
    const { outbox, kernel, answer, refuse } = made();
    const full = outbox.begin([0.1, 0.1]);
    await refuse();
    assert.equal(outbox.strokes.length, 0);
    outbox.extend(full, [[0.5, 0.5]]);
    outbox.end(full);
    outbox.end(outbox.begin([0.2, 0.2]));
    await answer();
    assert.equal(kernel.sent.length, 2);
    assert.equal(outbox.strokes.length, 0);
});

test("points outside are drawn on the edge, and points on top of each other left out", async () => {
    const { outbox } = made();
    const stroke = outbox.begin([-0.5, 0.123456]);
    outbox.extend(stroke, [[-0.2, 0.1236], [0.001, 0.1236], [0.5, 2]]);
    assert.deepEqual(stroke.points, [[0, 0.1235], [0.5, 1]]);
});

test("the pad's points are cut into strokes", () => {
    assert.deepEqual(cut(Float32Array.of(0, 0.5, 1, 0.5, 0.25, 0.75), [2, 1]), [[[0, 0.5], [1, 0.5]], [[0.25, 0.75]]]);
    assert.deepEqual(cut(new Float32Array(0), []), []);
});

test("arrow keys move the square and stop at the edge", () => {
    assert.deepEqual(moved([3, 3], "ArrowUp"), [2, 3]);
    assert.deepEqual(moved([3, 3], "ArrowDown"), [4, 3]);
    assert.deepEqual(moved([3, 3], "ArrowLeft"), [3, 2]);
    assert.deepEqual(moved([3, 3], "ArrowRight"), [3, 4]);
    assert.deepEqual(moved([0, 7], "ArrowUp"), [0, 7]);
    assert.deepEqual(moved([7, 7], "ArrowRight"), [7, 7]);
    assert.equal(moved([3, 3], "x"), null);
});

test("no probability is said to be all or nothing", () => {
    assert.deepEqual([1, 0.995, 0.994, 0.934, 0.006, 0.004, 0].map(percent), ["> 99 %", "> 99 %", "99 %", "93 %", "1 %", "< 1 %", "< 1 %"]);
});
