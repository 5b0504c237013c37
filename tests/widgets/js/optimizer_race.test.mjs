import assert from "node:assert/strict";
import test from "node:test";

import { banded, clipped, crossing, exit, inside, nearest, pulledIn, span } from "../../../dlcourse/widgets/optimizer_race/geometry.js";
import { corners, look } from "../../../dlcourse/widgets/optimizer_race/looks.js";
import { DARK, LIGHT } from "../../../dlcourse/widgets/js/palette.js";

const BOX = { x: 10, y: 20, width: 100, height: 50 };

test("a segment is cut at the edges of the box", () => {
    assert.deepEqual(clipped([20, 30], [60, 40], BOX), [[20, 30], [60, 40]]);
    assert.deepEqual(clipped([60, 40], [160, 40], BOX), [[60, 40], [110, 40]]);
    assert.deepEqual(clipped([60, -30], [60, 1070], BOX), [[60, 20], [60, 70]]);
    assert.equal(clipped([0, 0], [5, 500], BOX), null);
    assert.equal(clipped([0, 65], [30, 200], BOX), null); // past a corner
    assert.deepEqual(clipped([60, 40], [60, 40], BOX), [[60, 40], [60, 40]]);
});

test("what flies off as far as numbers go is cut, too", () => {
    const [from, to] = clipped([60, 45], [1e30, 45], BOX);
    assert.deepEqual(from, [60, 45]);
    assert.ok(Math.abs(to[0] - 110) < 1e-9 && to[1] === 45);
});

test("a leap over the whole box is not drawn", () => {
    assert.equal(crossing([60, 0], [60, 100], BOX), null);
    assert.deepEqual(crossing([60, 30], [60, 100], BOX), [[60, 30], [60, 70]]);
    assert.deepEqual(crossing([60, 100], [60, 30], BOX), [[60, 70], [60, 30]]);
});

test("where a way left the box for the last time, and whither", () => {
    assert.equal(exit([[20, 30], [60, 40]], BOX), null);
    assert.equal(exit([], BOX), null);
    assert.equal(exit([[0, 0], [5, 5]], BOX), null);
    const out = exit([[60, 30], [60, 130], [60, 40], [260, 40], [260, -900]], BOX);
    assert.deepEqual(out, { place: [110, 40], angle: 0 });
    assert.equal(exit([[60, 30], [60, 0]], BOX).angle, -Math.PI / 2);
});

test("places inside, and pulled in", () => {
    assert.ok(inside([10, 20], BOX) && inside([110, 70], BOX) && !inside([9, 30], BOX) && !inside([NaN, 30], BOX));
    assert.deepEqual(pulledIn([110, 45], BOX, 15), [95, 45]);
    assert.deepEqual(pulledIn([12, 70], BOX, 15), [25, 55]);
    assert.deepEqual(pulledIn([50, 45], BOX, 15), [50, 45]);
});

test("the nearest start within reach", () => {
    const places = [[10, 10], [30, 10]];
    assert.equal(nearest(places, [22, 10], 14), 1);
    assert.equal(nearest(places, [90, 90], 14), -1);
    assert.equal(nearest(places, [90, 90], Infinity), 1);
});

test("bands: few heights, finer places, and no value stays none", () => {
    const { data, shape } = banded([0, 254, 0, 254], [2, 2], 4, 2);
    assert.deepEqual(shape, [5, 5]);
    assert.deepEqual([...data.slice(0, 5)], [64, 64, 191, 191, 191]);
    assert.deepEqual(new Set(data), new Set([64, 191]));
    const holed = banded([255, 0, 0, 0, 0, 0], [2, 3], 2, 2);
    assert.deepEqual([...holed.data.slice(0, 5)], [255, 255, 64, 64, 64]);
    assert.deepEqual(banded([0, 0, 254, 254], [2, 2], 2, 2).data.at(-1), 191);
});

test("the range of the losses: one that diverges does not flatten the others", () => {
    const [low, high] = span([[10, 1, 0.1], [10, 1e3, 1e30]]);
    assert.ok(low < -1 && low > -1.3);
    assert.ok(Math.abs(high - (4 + 0.2)) < 1e-9);
    assert.deepEqual(span([]), [-1, 1]);
    assert.deepEqual(span([[NaN]]), [-1, 1]);
    const flat = span([[5, 5]]);
    assert.ok(flat[1] - flat[0] > 1);
    assert.ok(span([[1, 0]])[0] >= -9.2); // zero is drawn at the bottom
    assert.ok(span([[-2, -3]]).every(Number.isFinite));
});

test("every racer has its own look", () => {
    const ids = ["sgd", "momentum", "nesterov", "rmsprop", "adam", "adamw", "own"];
    for (const palette of [LIGHT, DARK]) {
        const looks = ids.map((id) => look(id, palette));
        assert.equal(new Set(looks.map(({ colour }) => colour)).size, 7);
        assert.equal(new Set(looks.map(({ shape }) => shape)).size, 7);
    }
    const outlines = ids.map((id) => corners(look(id, LIGHT).shape, 5));
    assert.deepEqual(outlines.map((outline) => outline?.length ?? 0), [0, 3, 3, 4, 4, 12, 10]);
    for (const outline of outlines.filter(Boolean)) {
        const reach = Math.max(...outline.map(([x, y]) => Math.hypot(x, y)));
        assert.ok(reach > 4.5 && reach < 8);
        assert.ok(Math.abs(outline.reduce((sum, [x]) => sum + x, 0)) < 1e-9); // even-sided
    }
    const top = (id) => Math.min(...corners(look(id, LIGHT).shape, 5).map(([, y]) => y));
    assert.ok(top("momentum") < top("nesterov")); // one triangle up, one down
});
