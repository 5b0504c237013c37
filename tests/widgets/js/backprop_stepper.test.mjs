// The stepper's geometry: boxes that do not overlap, lines that end at the right ports and bend only between columns.

import assert from "node:assert/strict";
import { test } from "node:test";
import { boxWidth, port, sheet, title } from "../../../dlcourse/widgets/backprop_stepper/geometry.js";

const node = (id, column, row, more = {}) => ({ id, column, row, kind: "leaf", name: `n${id}`, symbol: "", labelled: true, ...more });
const wire = (source, target, slot = 0, count = 1, bends = []) => ({ source, target, slot, count, bends });
const OPERATION = { kind: "operation", symbol: "×", labelled: false };

// a * b + a, as the engine places it
const NODES = [node(0, 0, 0.5), node(1, 0, 1.5), node(2, 1, 1, OPERATION), node(3, 2, 0.6, OPERATION)];
const WIRES = [wire(0, 2, 0, 2), wire(1, 2, 1, 2), wire(2, 3, 0, 2), wire(0, 3, 1, 2, [[1, 0.2]])];

test("a title says the operation, and the name it was given", () => {
    assert.equal(title(node(0, 0, 0)), "n0");
    assert.equal(title(node(3, 0, 0, OPERATION)), "× n3");
    assert.equal(title(node(3, 0, 0, { ...OPERATION, labelled: true, name: "h" })), "× → h");
    assert.equal(title(node(3, 0, 0, { kind: "operation", symbol: "", labelled: false, name: "tanh2" })), "tanh2");
});

test("a box does not change its width when a number appears in it", () => {
    const before = node(0, 0, 0, { value: "", grad: "" });
    assert.equal(boxWidth(before, false), boxWidth({ ...before, value: "−0.001341", grad: "−1.234e−05" }, false));
    assert.ok(boxWidth(node(0, 0, 0, { name: "a_longer_name" }), false) > boxWidth(before, false));
    assert.ok(boxWidth(node(0, 0, 0, { kind: "constant", name: "2" }), false) < boxWidth(before, false));
});

test("the inputs of an operation enter from the top to the bottom, at different places", () => {
    assert.equal(port(0, 1), 0);
    assert.deepEqual([port(0, 2), port(1, 2)], [-0.25, 0.25]);
    assert.deepEqual([0, 1, 2].map((slot) => port(slot, 3)), [-0.25, 0, 0.25]);
});

test("boxes lie inside the sheet and do not overlap", () => {
    for (const tensors of [false, true]) {
        const { width, height, boxes } = sheet(NODES, WIRES, tensors);
        boxes.forEach((box, at) => {
            assert.ok(box.x - box.width / 2 >= 0 && box.x + box.width / 2 <= width);
            assert.ok(box.y - box.height / 2 >= 0 && box.y + box.height / 2 <= height);
            boxes.slice(0, at).forEach((other) => {
                const apart = Math.abs(box.x - other.x) >= (box.width + other.width) / 2 || Math.abs(box.y - other.y) >= (box.height + other.height) / 2;
                assert.ok(apart, `box ${at} lies on another`);
            });
        });
    }
});

// The points of a path, and whether each piece is a curve.
function pieces(d) {
    return [...d.matchAll(/([MLC]) ([-\d. ]+)/g)].map(([, kind, numbers]) => ({ kind, points: numbers.trim().split(" ").map(Number) }));
}

test("a line goes from its source's side to its target's port", () => {
    const { boxes, lines } = sheet(NODES, WIRES, false);
    WIRES.forEach(({ source, target, slot, count }, at) => {
        const [from, to] = [boxes[source], boxes[target]];
        assert.deepEqual(pieces(lines[at].d)[0].points, [from.x + from.width / 2, from.y]);
        assert.deepEqual(lines[at].tail, [from.x + from.width / 2, from.y]);
        assert.deepEqual(lines[at].head, [to.x - to.width / 2, to.y + port(slot, count) * to.height]);
    });
});

test("a line bends only between columns, and is level where it passes one", () => {
    const { boxes, lines } = sheet(NODES, WIRES, false);
    const columns = [0, 1, 2].map((column) => {
        const here = boxes.filter((_, at) => NODES[at].column === column);
        return [Math.min(...here.map((box) => box.x - box.width / 2)), Math.max(...here.map((box) => box.x + box.width / 2))];
    });
    for (const { d } of lines) {
        let [x, y] = [0, 0];
        for (const { kind, points } of pieces(d)) {
            const [nextX, nextY] = points.slice(-2);
            if (kind === "L") assert.equal(nextY, y, "a straight piece is level");
            if (kind === "C") assert.ok(columns.every(([left, right]) => nextX <= left || x >= right), "a curve lies beside every column");
            [x, y] = [nextX, nextY];
        }
    }
});

test("a share stands in the gap before its user, above the line", () => {
    const { boxes, lines } = sheet(NODES, WIRES, false);
    lines.forEach(({ label, head }, at) => {
        assert.ok(label.x < boxes[WIRES[at].target].x - boxes[WIRES[at].target].width / 2);
        assert.ok(label.y < head[1]);
    });
});

test("one node is a sheet too", () => {
    const { width, height, boxes, lines } = sheet([node(0, 0, 0)], [], false);
    assert.ok(width > boxes[0].width && height > boxes[0].height);
    assert.deepEqual(lines, []);
});
