import assert from "node:assert/strict";
import test from "node:test";

import { power, product, share, short, span } from "../../../dlcourse/widgets/js/decades.js";

test("a scale reaches down to the smallest bar, within limits, and no zero asks for room", () => {
    assert.equal(span([1, 0.5]), 3);
    assert.equal(span([1, 1e-6, 0]), 7);
    assert.equal(span([1e-40, 1]), 20);
    assert.equal(span([0, 0]), 3);
});

test("each decade takes the same length; zero has no bar, what is too small a sliver, what is too large a full one", () => {
    assert.equal(share(1, 4), 1);
    assert.ok(Math.abs(share(0.1, 4) - 0.75) < 1e-12);
    assert.ok(Math.abs(share(0.001, 4) - 0.25) < 1e-12);
    assert.equal(share(0, 4), 0);
    assert.equal(share(NaN, 4), 0);
    assert.equal(share(1e-9, 4), 0.01);
    assert.equal(share(1.2, 4), 1);
});

test("numbers are short, and do not look exact when they are not", () => {
    assert.equal(short(1), "1");
    assert.equal(short(0), "0");
    assert.equal(short(-0), "0");
    assert.equal(short(0.25), "0.25");
    assert.equal(short(-0.10021), "−0.100");
    assert.equal(short(0.19661), "0.197");
    assert.equal(short(5.9999), "6.00");
    assert.equal(short(0.00054678), "5.5 · 10⁻⁴");
    assert.equal(short(-1e-40), "−1.0 · 10⁻⁴⁰");
    assert.equal(short(1e-14), "1.0 · 10⁻¹⁴");
});

test("powers of ten", () => {
    assert.deepEqual([0, -3, -12, 4].map(power), ["1", "10⁻³", "10⁻¹²", "10⁴"]);
});

test("a product shows at most four factors, the last among them", () => {
    assert.equal(product([0.25]), "0.25");
    assert.equal(product([0.25, 0.235, 0.5, 1]), "0.25 × 0.235 × 0.5 × 1");
    assert.equal(product([0.25, 0.235, 0.5, 1, 0.125]), "0.25 × 0.235 × 0.5 × … × 0.125");
    assert.equal(product([-0.5, 1e-5]), "(−0.5) × (1.0 · 10⁻⁵)");
});
