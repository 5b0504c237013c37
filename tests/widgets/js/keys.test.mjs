import assert from "node:assert/strict";
import test from "node:test";

import { guardKeys, leavesWidget } from "../../../dlcourse/widgets/js/keys.js";

const press = (key, more = {}) => ({ key, ctrlKey: false, metaKey: false, shiftKey: false, ...more });

test("keys that JupyterLab would take for commands stay inside", () => {
    for (const key of ["b", "a", "x", "d", "ArrowUp", "ArrowRight", " ", "Enter", "Home", "Delete"]) {
        assert.equal(leavesWidget(press(key)), false, key);
    }
    assert.equal(leavesWidget(press("B", { shiftKey: true })), false);
});

test("what leads out, runs the cell or belongs to the browser passes", () => {
    assert.ok(leavesWidget(press("Tab")));
    assert.ok(leavesWidget(press("Tab", { shiftKey: true })));
    assert.ok(leavesWidget(press("Escape")));
    assert.ok(leavesWidget(press("Enter", { shiftKey: true })));
    assert.ok(leavesWidget(press("s", { ctrlKey: true })));
    assert.ok(leavesWidget(press("c", { metaKey: true })));
});

test("the root stops them, until the view ends", () => {
    const root = new EventTarget(), ended = new AbortController();
    guardKeys(root, ended.signal);
    const stopped = (key) => {
        let count = 0;
        const event = Object.assign(new Event("keydown"), press(key));
        event.stopPropagation = () => (count += 1);
        root.dispatchEvent(event);
        return count === 1;
    };
    assert.ok(stopped("b"));
    assert.ok(!stopped("Tab"));
    ended.abort();
    assert.ok(!stopped("b"));
});
