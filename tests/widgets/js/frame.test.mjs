import assert from "node:assert/strict";
import test from "node:test";

import { unpack } from "../../../dlcourse/widgets/js/frame.js";

const bytes = (...values) => new Uint8Array(values);

test("bytes are read where they lie, from the buffer's own offset", () => {
    const whole = bytes(9, 9, 1, 2, 3, 9).buffer;
    const content = { header: { step: 3 }, arrays: [{ name: "field", dtype: "uint8", shape: [1, 3] }] };
    const frame = unpack(content, [new DataView(whole, 2, 3)]);
    assert.deepEqual(frame.header, { step: 3 });
    assert.deepEqual([...frame.arrays.field.data], [1, 2, 3]);
    assert.deepEqual(frame.arrays.field.shape, [1, 3]);
    assert.equal(frame.arrays.field.data.buffer, whole);
});

for (const offset of [0, 1, 2, 3, 4]) {
    test(`floats ${offset} bytes into a buffer`, () => {
        const whole = new Uint8Array(offset + 8 + 3).fill(77); // and something else behind them
        whole.set(new Uint8Array(new Float32Array([1.5, -2.25]).buffer), offset);
        const content = { header: {}, arrays: [{ name: "loss", dtype: "float32", shape: [2] }] };
        assert.deepEqual([...unpack(content, [new DataView(whole.buffer, offset, 8)]).arrays.loss.data], [1.5, -2.25]);
    });
}

test("several arrays, one of them empty, in ArrayBuffers", () => {
    const arrays = [{ name: "a", dtype: "uint8", shape: [0] }, { name: "b", dtype: "uint8", shape: [2] }];
    const frame = unpack({ header: {}, arrays }, [bytes().buffer, bytes(7, 8).buffer]);
    assert.equal(frame.arrays.a.data.length, 0);
    assert.deepEqual([...frame.arrays.b.data], [7, 8]);
});
