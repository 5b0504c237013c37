import assert from "node:assert/strict";
import test from "node:test";

import { aloud, ends, layersAt, onTruth, rim, strongest, together } from "../../../dlcourse/widgets/saliency_explorer/look.js";

test("where a map is strongest, of both signs or of one", () => {
    assert.deepEqual(strongest(new Uint8Array([127, 140, 3, 127, 200, 127]), true, [2, 3]), [0, 2], "far below 0");
    assert.deepEqual(strongest(new Uint8Array([0, 14, 3, 200, 9, 200]), false, [2, 3]), [1, 0], "of equal ones the first");
    assert.equal(strongest(new Uint8Array([127, 127]), true, [1, 2]), null, "nowhere");
    assert.deepEqual(strongest(new Uint8Array([255, 0, 30]), false, [1, 3]), [0, 2], "255 is no number");
});

test("the ends of a scale", () => {
    assert.deepEqual(ends({ signed: true, reach: 2.345 }), ["−2.35", "2.35"]);
    assert.deepEqual(ends({ signed: false, reach: 0.5 }), ["0", "0.5"]);
});

test("a map in words", () => {
    const map = { title: "Saliency", scale: "from −1 to 1", likeness: "Rank correlation 0.5 signed, 0.9 sizes", mass: null, rank: null };
    assert.equal(aloud(map, [1, 2]), "Saliency: from −1 to 1. Strongest at row 1, column 2. Rank correlation 0.5 signed, 0.9 sizes.");
    assert.equal(aloud({ ...map, mass: 0.614, rank: 0.967 }, null), "Saliency: from −1 to 1. It is 0 everywhere. Rank correlation 0.5 signed, 0.9 sizes. Truth: 61 %, rank 0.97");
});

test("a line never ends between a number and what it is of", () => {
    assert.equal(together("Rank correlation 0.5 signed, 0.9 sizes"), "Rank correlation 0.5\u00a0signed, 0.9\u00a0sizes");
    assert.equal(together("Rank correlation 0.5 signed, sizes constant"), "Rank correlation 0.5\u00a0signed, sizes\u00a0constant");
    assert.equal(together("Rank correlation 0.3"), "Rank correlation 0.3");
});

test("what lies on the pixels that matter", () => {
    assert.equal(onTruth({ mass: null, rank: null }), "");
    assert.equal(onTruth({ mass: null, rank: 0.5 }), "Truth: rank 0.5", "a map of zeros has no mass");
});

test("the layers at a stop of the slider, the last first", () => {
    assert.equal(layersAt(["linear", "conv2"], 0), "0 of 2: none");
    assert.equal(layersAt(["linear", "conv2"], 1), "1 of 2: linear");
});

test("the rim of a mask, also at the picture's edge and around a hole", () => {
    assert.deepEqual(rim([1, 0, 0, 0], [2, 2]), [[0, 0, 1, 0], [0, 1, 1, 1], [0, 0, 0, 1], [1, 0, 1, 1]]);
    assert.equal(rim([1, 1, 1, 1], [2, 2]).length, 8);
    assert.equal(rim([1, 1, 1, 1, 0, 1, 1, 1, 1], [3, 3]).length, 16);
});
