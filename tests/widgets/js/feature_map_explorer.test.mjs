import assert from "node:assert/strict";
import test from "node:test";

import {
    around, bytesOf, cellSize, colours, moved, onPicture, ownScale, roughly, scales, share, short, valueOf, windowOf,
} from "../../../dlcourse/widgets/feature_map_explorer/look.js";
import { words } from "../../../dlcourse/widgets/feature_map_explorer/off.js";
import { DARK, LIGHT } from "../../../dlcourse/widgets/js/palette.js";

test("what a unit sees, as dlcourse.nn says", () => {
    const field = { size: [6, 4], step: [2, 1], start: [-2, -1] };
    assert.deepEqual(windowOf(field, 0, 0), [-2, -1, 4, 3]);
    assert.deepEqual(windowOf(field, 3, 5), [4, 4, 10, 8]);
});

test("only what lies on the picture is framed", () => {
    assert.deepEqual(onPicture([-2, -1, 4, 3], [8, 8]), [0, 0, 4, 3]);
    assert.deepEqual(onPicture([4, 4, 10, 8], [8, 8]), [4, 4, 8, 8]);
    assert.equal(onPicture([-3, 0, 0, 4], [8, 8]), null);
    assert.equal(onPicture([8, 0, 9, 4], [8, 8]), null);
});

test("bytes are numbers on the stated scale", () => {
    assert.equal(valueOf(0, { signed: false, reach: 3 }), 0);
    assert.equal(valueOf(254, { signed: false, reach: 3 }), 3);
    assert.equal(valueOf(0, { signed: true, reach: 3 }), -3);
    assert.equal(valueOf(127, { signed: true, reach: 3 }), 0);
    assert.deepEqual([...bytesOf([-9, -1, 0, 1, 9], -1, 1)], [0, 0, 127, 254, 254]);
    assert.deepEqual([...bytesOf([0, 0], 0, 0)], [0, 0]); // nothing to divide by
});

test("keys move the chosen unit and stop at the edges", () => {
    const layer = { channels: 3, height: 2, width: 4 }, unit = { channel: 1, row: 1, column: 3 };
    assert.deepEqual(moved(unit, "ArrowUp", layer), { channel: 1, row: 0, column: 3 });
    assert.deepEqual(moved(unit, "ArrowDown", layer), unit);
    assert.deepEqual(moved(unit, "ArrowRight", layer), unit);
    assert.deepEqual(moved(unit, "ArrowLeft", layer), { channel: 1, row: 1, column: 2 });
    assert.deepEqual(moved(unit, "PageDown", layer), { channel: 2, row: 1, column: 3 });
    assert.deepEqual(moved({ ...unit, channel: 2 }, "PageDown", layer), { ...unit, channel: 2 });
    assert.deepEqual(moved(unit, "Home", layer), { ...unit, channel: 0 });
    assert.deepEqual(moved(unit, "End", layer), { ...unit, channel: 2 });
    assert.equal(moved(unit, "a", layer), null);
    assert.equal(moved(unit, "Tab", layer), null);
});

test("maps of every size are drawn about equally large", () => {
    for (const side of [1, 2, 4, 7, 8, 14, 24, 28]) {
        const drawn = cellSize(side, side) * side;
        assert.ok(drawn >= 62 && drawn <= 84, `${side}: ${drawn}`);
    }
});

test("the frame around a small cell can be seen and stays on the map", () => {
    assert.deepEqual(around(18, 36, 18, 72, 72), [19, 37, 16, 16]);
    for (const at of [0, 3, 42, 81]) {
        const [left, top, width, height] = around(at, at, 3, 84, 84);
        assert.ok(left >= 1 && left + width <= 83 && top >= 1 && top + height <= 83 && width === 8);
    }
});

test("numbers as people write them", () => {
    assert.deepEqual([0, 0.12345, -3, 12.345, 1234.5, 0.0001234, -0.0001].map(short), ["0", "0.123", "−3", "12.3", "1.2e3", "1.2e−4", "−1.0e−4"]);
    assert.deepEqual([0.98333, 1, 0].map(share), ["98.3 %", "100 %", "0 %"]);
});

function luminance([red, green, blue]) {
    const linear = (value) => (value / 255 <= 0.03928 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4);
    return 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue);
}

function colour(table, byte) {
    return [...new Uint8Array(table.buffer, 4 * byte, 3)];
}

test("the scales go one way in lightness, both ways from 0", () => {
    for (const palette of [LIGHT, DARK]) {
        const away = (values) => values.every((value, index) => !index || (palette.dark ? value >= values[index - 1] : value <= values[index - 1]));
        const lightness = (kind, bytes) => bytes.map((byte) => luminance(colour(colours(palette, kind), byte)));
        const up = Array.from({ length: 255 }, (_, index) => index);
        assert.ok(away(lightness("positive", up)));
        assert.ok(away(lightness("ink", up)));
        assert.ok(away(lightness("signed", up.slice(127))));
        assert.ok(away(lightness("signed", up.slice(0, 128).reverse())));
        assert.equal(colours(palette, "ink"), colours(palette, "ink"), "made once");
        const beyond = colour(colours(palette, "ink"), 255);
        assert.ok(beyond[1] > beyond[0] + 15 && beyond[1] > beyond[2] + 8, "beyond the edge is green: no value, no ink");
    }
    assert.notDeepEqual(scales(LIGHT), scales(DARK));
});

test("one meaning for one colour: orange is above 0, blue below, grey is ink", () => {
    for (const palette of [LIGHT, DARK]) {
        const [positive, signed, ink] = ["positive", "signed", "ink"].map((kind) => colours(palette, kind));
        for (const share of [0.25, 0.5, 0.75, 1]) {
            const [one, other, below] = [colour(positive, Math.round(254 * share)), colour(signed, Math.round(127 + 127 * share)), colour(signed, Math.round(127 - 127 * share))];
            for (const [red, , blue] of [one, other]) assert.ok(red > blue + 20);
            assert.ok(below[2] > below[0] + 20);
            for (const index of [0, 1, 2]) assert.ok(Math.abs(one[index] - other[index]) <= 4, "the same colour for the same value");
        }
        const grey = colour(ink, 127);
        assert.ok(Math.max(...grey) - Math.min(...grey) < 12);
    }
});

test("a map on a scale of its own", () => {
    assert.deepEqual([...ownScale(Uint8Array.of(0, 10, 127, 255), false)], [0, 20, 254, 255]);
    assert.deepEqual([...ownScale(Uint8Array.of(127, 117, 147), true)], [127, 64, 254]);
    assert.deepEqual([...ownScale(Uint8Array.of(0, 0), false)], [0, 0]);
});

test("a value read from its colour is about right, and open beyond the scale", () => {
    const layer = { signed: true, reach: 2 };
    assert.deepEqual([0, 127, 254, 255].map((byte) => roughly(byte, layer)), ["about −2 or less", "about 0", "about 2 or more", "not a number"]);
    assert.equal(roughly(0, { signed: false, reach: 2 }), "about 0");
    assert.equal(short(null), "not a number");
    assert.equal(short(NaN), "not a number");
});

test("a question, open and answered", () => {
    assert.equal(words({ state: "asked", text: "Which?" }), "Which?");
    assert.equal(words({ state: "revealed", text: "Which?", verdict: "You were right.", asked_count: 3, right_count: 2 }), "You were right. So far 2 of 3 predictions were right.");
});
