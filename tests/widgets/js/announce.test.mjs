import assert from "node:assert/strict";
import test from "node:test";

import { Announcer, EVERY } from "../../../dlcourse/widgets/js/announce.js";
import { Clock } from "./clock.mjs";

const made = () => {
    const clock = new Clock(), node = { textContent: "" };
    return { clock, node, announcer: new Announcer(node, clock) };
};

test("the first line is read at once, and of those that come faster the last", () => {
    const { clock, node, announcer } = made();
    announcer.say("Step 1");
    clock.run(0);
    assert.equal(node.textContent, "Step 1");
    for (const step of [2, 3, 4]) announcer.say(`Step ${step}`);
    clock.run(EVERY - 1);
    assert.equal(node.textContent, "Step 1");
    clock.run(1);
    assert.equal(node.textContent, "Step 4");
});

test("at most one line in two seconds, however many are said", () => {
    const { clock, node, announcer } = made();
    const heard = [];
    for (let step = 0; step < 400; step += 1) {
        announcer.say(`Step ${step}`);
        clock.run(25);
        if (heard.at(-1) !== node.textContent) heard.push(node.textContent);
    }
    assert.ok(heard.length >= 5 && heard.length <= 6, `${heard.length} in ten seconds`);
});

test("the same line is not read twice, an empty one never", () => {
    const { clock, node, announcer } = made();
    announcer.say("Ready");
    clock.run(0);
    announcer.say("Ready");
    announcer.say("");
    announcer.say(undefined);
    assert.equal(clock.waiting, 0);
    assert.equal(node.textContent, "Ready");
});

test("a line that was taken back before it was read is not read", () => {
    const { clock, node, announcer } = made();
    announcer.say("A");
    clock.run(0);
    announcer.say("B");
    announcer.say("A");
    clock.run(EVERY);
    assert.equal(node.textContent, "A");
});

test("a browser's own clock: its functions refuse to be called on another object", () => {
    const { setTimeout: set, clearTimeout: clear } = globalThis;
    const strict = (then) => function own(...given) {
        if (this !== undefined && this !== globalThis) throw new TypeError("Illegal invocation");
        return then(...given);
    };
    Object.assign(globalThis, { setTimeout: strict(set), clearTimeout: strict(clear) });
    try {
        const announcer = new Announcer({ textContent: "" });
        announcer.say("A");
        announcer.stop();
        assert.equal(announcer.timer, null);
    } finally {
        Object.assign(globalThis, { setTimeout: set, clearTimeout: clear });
    }
});

test("nothing is said after the view has ended", () => {
    const { clock, node, announcer } = made();
    announcer.say("A");
    announcer.stop();
    clock.run(10 * EVERY);
    assert.equal(node.textContent, "");
});
