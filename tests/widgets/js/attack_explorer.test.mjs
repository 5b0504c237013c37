import assert from "node:assert/strict";
import test from "node:test";

import { MOVES, borders, classAt, inside, moveIndex, outline, part, span, tints, told } from "../../../dlcourse/widgets/attack_explorer/look.js";
import { words } from "../../../dlcourse/widgets/attack_explorer/settings.js";

test("the number of a move, with a random start and without", () => {
    for (const start of [false, true]) {
        const moves = [["example", 0], ...(start ? [["start", 0]] : []), ...[1, 2, 3].flatMap((step) => MOVES.map((kind) => [kind, step]))];
        moves.forEach(([kind, step], index) => assert.equal(moveIndex(kind, step, start), index));
    }
});

test("what is right is blue, what is not is orange, the target more so", () => {
    assert.deepEqual([...tints([3, 5, 7, 3], 3, null)], [0, 254, 254, 0]);
    assert.deepEqual([...tints([3, 5, 7], 3, 7)], [0, 157, 254]);
    assert.deepEqual([...tints([3, 5], 3, 3)], [254, 157], "a target that is the right answer");
});

test("borders run between cells of different classes", () => {
    const found = borders([1, 1, 1, 2], [2, 2]);
    assert.deepEqual(found, [[0.5, 0.5, 1.5, 0.5], [0.5, 0.5, 0.5, 1.5]]);
    assert.deepEqual(borders([4, 4, 4, 4, 4, 4], [2, 3]), []);
});

test("the class at a place of the slice", () => {
    const told = [1, 2, 3, 4, 5, 6]; // three columns, the first row at the bottom
    const at = (...place) => classAt(told, [2, 3], place, 1.5);
    assert.deepEqual([at(-1.5, -1.5), at(0, -1.5), at(1.5, 1.5), at(-1.4, 0.2)], [1, 2, 6, 4]);
    assert.deepEqual([at(0.7, -0.1), at(0.8, -0.1)], [2, 3], "the nearest column");
    assert.deepEqual([at(2.6, 0), at(0, -3.2), at(-2.6, 0)], [null, null, null], "beside the slice");
});

test("an outline and its reach", () => {
    assert.deepEqual(outline(new Float32Array([3, 4, 0, 1])), { points: [[3, 4], [0, 1]], reach: 5 });
});

test("what a chart spans", () => {
    assert.deepEqual(span([1, 2, NaN, Infinity]), [0.92, 2.08]);
    assert.deepEqual(span([1, 2], true), [-0.16, 2.16]);
    assert.deepEqual(span([3, 3]), [2.5, 3.5]);
    assert.deepEqual(span([NaN]), [0, 1]);
});

test("a part of an array, and where each network stands", () => {
    const values = { data: new Float32Array([1, 2, 3, 4, 5, NaN]), shape: [2, 3] };
    assert.deepEqual([...part(values, 0)], [1, 2, 3]);
    assert.equal(told(["a", "b"], values, 2, String), "a 3, b not a number");
    assert.equal(part({ data: new Uint8Array(24), shape: [2, 3, 4] }, 1).length, 12);
});

test("names stay on the slice", () => {
    assert.deepEqual(inside([-9, 0.5], 1), [-0.88, 0.5]);
});

test("a question, and what became of it", () => {
    assert.equal(words({ state: "asked", text: "When?" }), "When?");
    const said = words({ state: "revealed", text: "When?", verdict: "You were right: so.", asked_count: 3, right_count: 2 });
    assert.equal(said, "You were right: so. So far 2 of 3 predictions were right.");
});
