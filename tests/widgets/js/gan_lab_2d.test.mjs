import assert from "node:assert/strict";
import test from "node:test";

import { COLUMNS, apart, column, mesh, ratio, span } from "../../../dlcourse/widgets/gan_lab_2d/geometry.js";
import { words } from "../../../dlcourse/widgets/gan_lab_2d/predict.js";
import { lines, story } from "../../../dlcourse/widgets/gan_lab_2d/story.js";

test("a column of the curve, by its name and up to a step", () => {
    const row = (step) => COLUMNS.map((_, index) => 100 * step + index);
    const curve = { data: Float32Array.from([0, 4, 8].flatMap((step) => row(step).with(0, step))), shape: [3, COLUMNS.length] };
    assert.deepEqual(column(curve, "step"), [0, 4, 8]);
    assert.deepEqual(column(curve, "g_loss"), [2, 402, 802]);
    assert.deepEqual(column(curve, "mean_y", 4), [10, 410]);
    assert.deepEqual(column({ data: new Float32Array(0), shape: [0, 11] }, "push"), []);
});

test("the manifold's lines run both ways, its edges among them", () => {
    const data = Float32Array.from({ length: 18 }, (_, index) => index);
    const found = mesh({ data, shape: [3, 3, 2] }, 2);
    assert.equal(found.length, 4);
    assert.deepEqual(found[0], [[0, 1], [2, 3], [4, 5]]);
    assert.deepEqual(found[1], [[12, 13], [14, 15], [16, 17]]);
    assert.deepEqual(found[2], [[0, 1], [6, 7], [12, 13]]);
    assert.deepEqual(mesh({ data: data.slice(0, 6), shape: [1, 3, 2] }), [[[0, 1], [2, 3], [4, 5]]]);
});

test("an axis shows what is there, not a few wild values, and never nothing", () => {
    assert.deepEqual(span([]), [0, 1]);
    assert.deepEqual(span([NaN]), [0, 1]);
    const flat = span([2, 2, 2], 0.5);
    assert.ok(flat[0] === 1.75 && flat[1] === 2.25);
    const few = span([0, 10]);
    assert.ok(few[0] < 0 && few[1] > 10);
    const wild = span([...Array.from({ length: 100 }, (_, index) => index / 100), 1e6]);
    assert.ok(wild[1] < 2);
});

test("a stroke has points that are apart", () => {
    assert.ok(apart([0, 0], [0.3, 0.4], 0.5));
    assert.ok(!apart([0, 0], [0.3, 0.39], 0.5));
});

test("the ratio of the rates in words", () => {
    assert.equal(ratio(0.001, 0.001), "The same rate for both");
    assert.equal(ratio(0.004, 0.001), "D's rate is 4 times G's");
    assert.equal(ratio(0.00025, 0.001), "D's rate is 0.25 times G's");
});

test("a preset's story, before and after it is mended", () => {
    const preset = { look: "It circles.", why: "R1 damps.", steps: 600, recovered: false };
    assert.equal(story(null), "");
    assert.match(story(preset), /^It circles\. Seen with this seed within 600 updates/);
    assert.equal(story({ ...preset, recovered: true }), "It circles. Now mended: R1 damps.");
});

test("the numbers of a state, and what is absent", () => {
    const measured = { reached: 0.875, quality: 0.5, right: 0.514, push: 0.01234 };
    assert.deepEqual(lines(measured, 8).map(([, value]) => value), ["7 of 8", "50 %", "51 %", "0.012"]);
    assert.deepEqual(lines(measured, 0)[0], ["Target reached", "88 %"]);
    const nothing = { reached: null, quality: null, right: null, push: null };
    assert.deepEqual(lines(nothing, 8).map(([, value]) => value), ["–", "–", "–", "–"]);
});

test("a question, its guess, its answer", () => {
    const asked = { state: "asked", text: "How much?", options: ["few", "some", "all"], target: 50, guess: null };
    assert.equal(words(asked), "How much?");
    assert.equal(words({ ...asked, state: "running", guess: 1 }), "You said: some. The answer comes at step 50.");
    const told = { ...asked, state: "revealed", guess: 1, answered_at: 50, found: "8 of 8 modes are covered", asked_count: 3, right_count: 2 };
    assert.match(words({ ...told, right: true }), /^You were right\. At step 50, 8 of 8 modes are covered\. So far 2 of 3/);
    assert.match(words({ ...told, right: false }), /^You said: some\./);
    assert.match(words({ ...told, right: null, answered_at: 40 }), /ended at step 40, before step 50/);
});
