import assert from "node:assert/strict";
import test from "node:test";

import { Predict, isOpen, veil } from "../../../dlcourse/widgets/js/predict.js";
import { words as playgroundWords } from "../../../dlcourse/widgets/playground/predict.js";

// As much of a page as the panel needs.
globalThis.document = {
    createElement: (tag) => ({
        tag, children: [], hidden: false, textContent: "", attributes: {},
        setAttribute(name, value) { this.attributes[name] = value; },
        append(...children) { this.children.push(...children); },
        replaceChildren(...children) { this.children = children; },
    }),
};

function made() {
    const done = [];
    const view = {
        session: { play: (on) => done.push(on ? "play" : "pause") },
        act: async (name, args) => { done.push([name, args]); },
        button: (label, press, { title } = {}) => ({ label, press, title }),
        hideable: (name, el) => Object.assign(el, { name }),
    };
    const panel = new Predict(view, {
        unit: "rounds", lengths: [5, 50], usual: 50, words: ({ state }) => `It is ${state}.`, label: (option) => option.toUpperCase(),
        classes: { section: "a-section", line: "a-line" },
    });
    return { panel, done };
}

function at(state, more = {}) {
    return { header: { prediction: { state, target: 60, asked_at: 10, asked_count: 0, options: ["few", "many"], ...more } } };
}

const labels = (panel) => panel.choices.children.map(({ label }) => label);

test("one may ask about some later steps", () => {
    const { panel } = made();
    assert.equal(panel.el.name, "predict");
    assert.deepEqual([panel.el.attributes.class, panel.line.attributes.class], ["a-section", "a-line"]);
    assert.deepEqual(panel.steps.children.map(({ children, attributes }) => [children[0], "selected" in attributes]), [["5 rounds", false], ["50 rounds", true]]);
    assert.equal(panel.start.children[0].title, "Guess what the next rounds bring, before you see it");
});

test("asking pauses, and answering goes on", async () => {
    const { panel, done } = made();
    panel.steps.value = "50";
    await panel.ask();
    panel.paint(at("asked"));
    assert.equal(panel.line.textContent, "It is asked.");
    assert.ok(panel.start.hidden);
    assert.deepEqual(labels(panel), ["FEW", "MANY", "Cancel"]);
    await panel.choices.children[1].press();
    assert.deepEqual(done, ["pause", ["ask", { steps: 50 }], ["guess", { option: 1 }], "play"]);
});

test("while it runs one may cancel, and when it is revealed ask again", async () => {
    const { panel, done } = made();
    panel.paint(at("running"));
    assert.deepEqual(labels(panel), ["Cancel"]);
    await panel.choices.children[0].press();
    assert.deepEqual(done, [["forget", undefined]]);
    panel.paint(at("revealed", { asked_count: 1 }));
    assert.deepEqual([labels(panel), panel.start.hidden, panel.line.textContent], [[], false, "It is revealed."]);
    panel.paint({ header: { prediction: null } });
    assert.deepEqual([labels(panel), panel.start.hidden, panel.line.textContent], [[], false, ""]);
});

test("a button that is pressed stays the same button while frames come", () => {
    const { panel } = made();
    panel.paint(at("asked"));
    const before = panel.choices.children;
    panel.paint(at("asked"));
    assert.equal(panel.choices.children, before);
    panel.paint(at("asked", { target: 70 }));
    assert.notEqual(panel.choices.children, before);
});

test("something is hidden from the question to the answer", () => {
    assert.deepEqual(["asked", "running", "revealed"].map((state) => isOpen({ state })), [true, true, false]);
    assert.deepEqual([isOpen(null), isOpen(undefined)], [false, false]);
});

test("a veil over the foot of the picture says of which step it is", () => {
    const drawn = [];
    const ctx = { fillRect: (...box) => drawn.push([ctx.fillStyle, ctx.globalAlpha, ...box]), fillText: (...what) => drawn.push([ctx.fillStyle, ctx.globalAlpha, ...what]) };
    const canvas = { ctx, palette: { panel: "light", ink: "dark" }, width: 300, height: 200 };
    const { prediction } = at("running").header;
    veil(canvas, null, { height: 40, opacity: 0.5 });
    veil(canvas, { ...prediction, state: "revealed" }, { height: 40, opacity: 0.5 });
    assert.deepEqual(drawn, []);
    veil(canvas, prediction, { height: 40, opacity: 0.5 });
    assert.deepEqual(drawn, [["light", 0.5, 0, 160, 300, 40], ["dark", 1, "as at step 10, until step 60", 150, 180]]);
});

test("the playground's question in words", () => {
    const open = { state: "asked", steps: 300, target: 320, of: "test", options: ["low", "middle", "high"], guess: 1, answer: 2, accuracy: 0.97, right: false, answered_at: 320, asked_count: 2, right_count: 1 };
    assert.equal(playgroundWords(open), "What share of the test points will be right after 300 more steps?");
    assert.equal(playgroundWords({ ...open, state: "running" }), "You said middle. The answer comes at step 320.");
    const shown = { ...open, state: "revealed" };
    assert.equal(playgroundWords(shown), "You said middle: at step 320, 97 % are right, high. So far 1 of 2 predictions were right.");
    assert.ok(playgroundWords({ ...shown, right: true }).startsWith("You were right: at step 320, "));
    assert.equal(playgroundWords({ ...shown, answered_at: 100 }), "The run ended at step 100, before step 320: no answer, and not counted.");
});
