// The geometry of the neuron lab: where the line and the arrow are, and what dragging them means.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
    arrow, distanceToLine, dragLine, dragTip, fixed, foot, lineEnds, middle, nearest, tidy, turnTip,
} from "../../../dlcourse/widgets/neuron_lab/geometry.js";

const MAP = [-4, 4, -4, 4];
const NEURONS = [[[1, 1], 0], [[2, -0.5], 1], [[-3, 0], -2], [[0, 0.2], 0.3], [[-0.7, -2.2], 4]];

const score = ([w1, w2], bias, [x, y]) => w1 * x + w2 * y + bias;
const near = (actual, expected, allowed = 1e-9) => assert.ok(Math.abs(actual - expected) <= allowed, `${actual} is not ${expected}`);

function held(weight, bias, extent = MAP) {
    return { ...arrow(weight, bias, extent), weight, bias, pivot: foot(weight, bias, middle(extent)), width: extent[1] - extent[0] };
}

test("the foot is on the line, and straight below the place", () => {
    for (const [weight, bias] of NEURONS) {
        const at = foot(weight, bias, [1, 2]);
        near(score(weight, bias, at), 0);
        near((1 - at[0]) * weight[1] - (2 - at[1]) * weight[0], 0);
    }
    assert.deepEqual(foot([0, 0], 3, [1, 2]), [1, 2]);
});

test("the arrow goes from the line to the yes side, a tenth of the map for a weight of one", () => {
    for (const [weight, bias] of NEURONS) {
        const { from, to } = arrow(weight, bias, MAP);
        near(score(weight, bias, from), 0);
        assert.ok(score(weight, bias, to) > 0);
    }
    near(arrow([2, 0], 0, MAP).drawn, 1.6);
    assert.equal(arrow([2, 0], 0, MAP).more, false);
});

test("a long arrow ends on the map and says so, a short one can still be taken", () => {
    for (const size of [10, 1000]) {
        const { to, more } = arrow([size, size], 0, MAP);
        assert.ok(Math.max(...to) < 4 && more);
    }
    assert.ok(arrow([0.001, 0], 0, MAP).drawn > 0.5);
    const outside = arrow([1, 0], -40, MAP); // the line is at x = 40
    for (const place of [...outside.from, ...outside.to]) assert.ok(Math.abs(place) <= 4);
});

test("without weights there is a place to pull an arrow from", () => {
    const none = arrow([0, 0], 2, MAP);
    assert.deepEqual([none.from, none.to, none.size], [[0, 0], [0, 0], 0]);
    const pulled = dragTip(held([0, 0], 2), 0, 1.6);
    near(pulled.weight1, 0);
    near(pulled.weight2, 2, 0.01);
    assert.equal(pulled.bias, 0);
});

test("dragging the tip puts it under the hand, and the line keeps the arrow's foot", () => {
    for (const [weight, bias] of [[[2, -0.5], 1], [[1, 1], 0], [[-1.5, 1], -2]]) {
        const before = held(weight, bias);
        const [dx, dy] = [0.3, 0.8];
        const { weight1, weight2, bias: slid } = dragTip(before, dx, dy);
        near(score([weight1, weight2], slid, before.pivot), 0, 0.002);
        const after = arrow([weight1, weight2], slid, MAP, before.pivot);
        near(after.to[0], before.to[0] + dx, 0.002);
        near(after.to[1], before.to[1] + dy, 0.002);
    }
});

test("an arrow that is longer than drawn does not jump when it is taken", () => {
    const { weight1, weight2 } = dragTip(held([30, 40], 5), 0, 0);
    assert.deepEqual([weight1, weight2], [30, 40]);
    const drawn = held([30, 40], 5).drawn;
    const longer = dragTip(held([30, 40], 5), 0.3 * drawn, 0.4 * drawn); // half as long again
    near(longer.weight1, 45, 0.05);
    near(longer.weight2, 60, 0.05);
    const short = dragTip(held([0.03, 0.04], 0), 0, 0);
    assert.deepEqual([short.weight1, short.weight2], [0.03, 0.04]);
});

test("pulling the tip back past the foot turns the arrow round, and never gives no weights", () => {
    const before = held([2, 0], 0);
    assert.ok(dragTip(before, -3.2, 0).weight1 < 0);
    assert.equal(dragTip(before, -1.6, 0), null);
});

test("the arrow keys turn about the foot, and stretch without moving the line", () => {
    const before = held([1, 0], -1); // its foot is at (1, 0)
    const turned = turnTip(before, Math.PI / 2, 1);
    assert.deepEqual([turned.weight1, turned.weight2, turned.bias].map((v) => v + 0), [0, 1, 0]);
    const louder = turnTip(before, 0, 3);
    assert.deepEqual([louder.weight1, louder.weight2, louder.bias], [3, 0, -3]);
    assert.equal(turnTip(held([0, 0], 0), 0, 1).weight1, 0.1);
});

test("dragging the line moves it with the hand and keeps the weights", () => {
    for (const [weight, bias] of NEURONS) {
        const at = foot(weight, bias, [0, 0]);
        const slid = dragLine(weight, bias, 0.5, -0.25);
        near(score(weight, slid, [at[0] + 0.5, at[1] - 0.25]), 0, 0.003);
    }
});

test("the line leaves the map at two places, or does not touch it", () => {
    for (const [weight, bias] of NEURONS) {
        const ends = lineEnds(weight, bias, MAP);
        assert.equal(ends.length, 2);
        for (const end of ends) {
            near(score(weight, bias, end), 0, 1e-6);
            assert.ok(Math.max(...end.map(Math.abs)) <= 4 + 1e-6);
        }
        assert.ok(Math.hypot(ends[0][0] - ends[1][0], ends[0][1] - ends[1][1]) > 0.1);
    }
    assert.deepEqual(lineEnds([1, -1], 0, [0, 1, 0, 1]), [[0, 0], [1, 1]]); // through two corners
    assert.equal(lineEnds([1, 1], 20, MAP), null);
    assert.equal(lineEnds([0, 0], 1, MAP), null);
});

test("distances and the nearest point", () => {
    near(distanceToLine([3, 4], -5, [0, 0]), 1);
    assert.equal(distanceToLine([0, 0], 1, [0, 0]), Infinity);
    const points = Float32Array.from([0, 0, 1, 0, 2, 2, 0, 1, 5, 0, 1, 0]);
    assert.deepEqual(nearest(points, [2, 1]), [1, 1]);
    assert.deepEqual(nearest(new Float32Array(0), [0, 0]), [-1, Infinity]);
});

test("numbers as people write them", () => {
    assert.deepEqual([-1.5, -0.001, 0.125, 12].map((value) => fixed(value)), ["−1.50", "0.00", "0.13", "12.00"]);
    assert.equal(fixed(-1234567), "−1.2e6");
    assert.equal(tidy(1.23456789), 1.235);
    assert.ok(Object.is(tidy(-1e-9), 0));
});
