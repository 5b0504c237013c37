import assert from "node:assert/strict";
import test from "node:test";

import { Cursor } from "../../../dlcourse/widgets/js/cursor.js";

// A picture from -1 to 3 across and 0 to 2 up, and a view that keeps what it is told.
function made() {
    const said = [], heard = {}, counts = { paint: 0 };
    const view = { signal: new AbortController().signal, palette: { panel: "light", ink: "dark" }, say: (words) => said.push(words), repaint: () => { counts.paint += 1; } };
    const canvas = { el: { addEventListener: (name, then) => { heard[name] = then; } }, extent: [-1, 3, 0, 2], toPixel: (x, y) => [100 * x, 100 * y] };
    return { cursor: new Cursor(view, canvas, { across: 8 }), said, heard, counts };
}

function key(name, shiftKey = false) {
    return { key: name, shiftKey, prevented: false, preventDefault() { this.prevented = true; } };
}

test("it begins in the middle, moves with the arrows, and with Shift a fifth as far", () => {
    const { cursor, said, counts } = made();
    assert.equal(cursor.place, null);
    assert.equal(cursor.chosen(key("ArrowRight")), false);
    assert.deepEqual(cursor.place, [1.5, 1]);
    cursor.chosen(key("ArrowUp", true));
    assert.deepEqual(cursor.place, [1.5, 1.1]);
    cursor.chosen(key("ArrowLeft"));
    cursor.chosen(key("ArrowDown", true));
    assert.deepEqual(cursor.place, [1, 1]);
    assert.equal(said[0], "Place 1.5, 1");
    assert.equal(counts.paint, 4);
});

test("it stays in the picture", () => {
    const { cursor } = made();
    for (let press = 0; press < 20; press += 1) for (const name of ["ArrowRight", "ArrowUp"]) cursor.chosen(key(name));
    assert.deepEqual(cursor.place, [3, 2]);
    for (let press = 0; press < 20; press += 1) for (const name of ["ArrowLeft", "ArrowDown"]) cursor.chosen(key(name));
    assert.deepEqual(cursor.place, [-1, 0]);
});

test("Space and Enter choose the place, at first the middle", () => {
    const { cursor, said } = made();
    for (const name of [" ", "Enter"]) {
        const event = key(name);
        assert.equal(cursor.chosen(event), true);
        assert.ok(event.prevented, "or the page would scroll");
        assert.deepEqual(cursor.place, [1, 1]);
    }
    assert.deepEqual(said, [], "whoever draws says what was drawn");
});

test("other keys are left alone", () => {
    const { cursor } = made();
    for (const name of ["Tab", "a", "Escape", "PageUp"]) {
        const event = key(name);
        assert.equal(cursor.chosen(event), false);
        assert.ok(!event.prevented);
        assert.equal(cursor.place, null);
    }
});

test("without the focus it is gone", () => {
    const { cursor, heard, counts } = made();
    cursor.chosen(key("ArrowUp"));
    heard.blur();
    assert.equal(cursor.place, null);
    assert.equal(counts.paint, 2);
});

test("it is drawn as a cross, dark over light, and only where it is", () => {
    const { cursor } = made();
    const drawn = [];
    const ctx = { beginPath() {}, moveTo: (...to) => drawn.push(to), lineTo: (...to) => drawn.push(to), stroke() { drawn.push(this.strokeStyle); } };
    cursor.paint(ctx);
    assert.deepEqual(drawn, []);
    cursor.chosen(key(" "));
    cursor.paint(ctx);
    const cross = [[91, 100], [109, 100], [100, 91], [100, 109]];
    assert.deepEqual(drawn, [...cross, "light", ...cross, "dark"]);
});
