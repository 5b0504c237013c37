import assert from "node:assert/strict";
import test from "node:test";

import { AHEAD, BUSY, GONE, IDLE, PACE, PATIENCE, Session } from "../../../dlcourse/widgets/js/session.js";
import { Clock } from "./clock.mjs";
import { FakeView, Model, opened } from "./model.mjs";

const FRAME = 16; // milliseconds between two frames of the clock's screen

// For `span` milliseconds the kernel answers one tick after the other, `takes` milliseconds each. How many were on their
// way at once, and how many it answered.
function play({ model, clock }, span, takes) {
    let most = 0, answered = 0, busy = 0;
    for (const end = clock.now() + span; clock.now() < end; clock.run(1)) {
        most = Math.max(most, model.open.size);
        busy = model.open.size ? busy + 1 : 0;
        if (busy <= takes) continue;
        model.answerTick(model.ticks % 256);
        answered += 1;
        busy = 0;
    }
    return { most, answered };
}

// ---------------------------------------------------------------- hello

test("a view that joins says hello, and is painted by the answer", () => {
    const { model, session, view } = opened();
    assert.deepEqual(model.sent, [{ kind: "hello" }]);
    assert.deepEqual(view.painted, [0]);
    assert.deepEqual([...session.frame.arrays.field.data], [0, 255]);
});

test("a second view shows the last frame at once, and both are painted from then on", () => {
    const { model, session, view } = opened();
    const second = new FakeView();
    session.join(second);
    assert.deepEqual(second.painted, [0]);
    assert.equal(model.of("hello").length, 2);
    model.frame(5);
    assert.deepEqual([view.painted, second.painted], [[0, 5], [0, 5]]);
    session.leave(second);
    model.frame(6);
    assert.deepEqual([view.painted, second.painted], [[0, 5, 6], [0, 5]]);
});

// ---------------------------------------------------------------- pacing

test("nothing is asked for while nothing plays", () => {
    const { model, clock } = opened();
    clock.run(60_000);
    model.frame(1);
    clock.run(60_000);
    assert.equal(model.ticks, 0);
});

test("play asks for a frame, a little later for the next, and for no third", () => {
    const { model, clock, session, view } = opened();
    session.play(true);
    assert.equal(model.saved.at(-1).playing, true);
    assert.equal(model.ticks, 1);
    clock.run(PACE - 1);
    assert.equal(model.ticks, 1);
    clock.run(1);
    assert.equal(model.ticks, 2, "while the first is on its way: the browser's word that it hears");
    clock.run(500);
    assert.equal(model.ticks, AHEAD, "a slow kernel is not flooded");
    model.answerTick(7);
    assert.deepEqual(view.painted, [0, 7]);
    assert.equal(model.ticks, 3);
});

test("a screen that is behind is waited for", () => {
    const { model, clock, session, view } = opened();
    session.play(true);
    clock.run(500);
    view.painting = true; // an earlier frame is not painted yet
    model.answerTick();
    model.answerTick();
    clock.run(FRAME - 1);
    assert.equal(model.ticks, 2);
    view.painting = false;
    clock.run(1);
    assert.equal(model.ticks, 3);
    const sleeping = opened();
    sleeping.clock.paint = () => 1; // a tab in the background paints nothing
    sleeping.session.play(true);
    sleeping.view.painting = true;
    play(sleeping, 60_000, 5);
    assert.ok(sleeping.model.ticks <= 3, `${sleeping.model.ticks}`);
});

test("each tick has an id of its own", () => {
    const page = opened();
    page.session.play(true);
    play(page, 500, 3);
    const ids = page.model.of("tick").map((message) => message.id);
    assert.ok(ids.length > 20);
    assert.equal(new Set(ids).size, ids.length);
});

for (const takes of [1, 20, 60, 300]) {
    test(`two ticks on their way at most, and the kernel always has work, if a tick takes ${takes} ms`, () => {
        const page = opened();
        page.session.play(true);
        const { most, answered } = play(page, 3000, takes);
        assert.equal(most, takes >= PACE ? AHEAD : 1);
        const expected = 3000 / Math.max(takes + 1, PACE);
        assert.ok(Math.abs(answered - expected) <= 2 + expected / 20, `${answered} of about ${expected}`);
    });
}

test("pause asks for nothing more, at once", () => {
    const { model, clock, session, view } = opened();
    session.play(true);
    model.answerTick();
    session.play(false);
    clock.run(10_000);
    assert.equal(model.ticks, 1);
    session.play(true);
    session.play(false);
    model.answerTick(); // it was on its way: painted, and that is all
    clock.run(10_000);
    assert.equal(model.ticks, 2);
    assert.equal(view.painted.at(-1), 2);
});

test("pause and play while a tick is on its way ask for no more", () => {
    const page = opened();
    page.session.play(true);
    for (let times = 0; times < 5; times += 1) {
        page.session.play(false);
        page.session.play(true);
    }
    assert.equal(page.model.ticks, 1);
    assert.equal(play(page, 2000, 40).most, AHEAD);
});

test("a kernel that stops playing by itself is not asked again", () => {
    const { model, clock, session, view } = opened();
    session.play(true);
    model.set("playing", false); // the engine has come to its end
    model.answerTick(9);
    clock.run(5000);
    assert.equal(model.ticks, 1);
    assert.ok(view.heardOf.includes("playing"));
    assert.equal(view.painted.at(-1), 9);
});

test("play from a cell starts the clock too", () => {
    const { model } = opened();
    model.set("playing", true);
    assert.equal(model.ticks, 1);
});

test("what else the kernel sends while a tick is on its way asks for nothing", () => {
    const { model, clock, session } = opened();
    session.play(true);
    for (let step = 0; step < 5; step += 1) {
        model.frame(step); // a setting has changed
        clock.run(100);
    }
    assert.equal(model.ticks, AHEAD);
});

test("an action that fails while a tick is on its way asks for no more", async () => {
    const page = opened();
    page.session.play(true);
    const failed = page.session.act("scrub", { step: -1 });
    page.model.error(page.model.of("act")[0].id, "no such step");
    await assert.rejects(failed);
    page.session.play(false);
    page.session.play(true);
    assert.equal(page.model.ticks, 1);
    assert.equal(play(page, 2000, 40).most, AHEAD);
});

test("another browser window's frames are painted, and neither answer nor start a tick here", () => {
    const { model, clock, session, view } = opened();
    session.play(true);
    for (let step = 1; step < 20; step += 1) {
        model.frame(step, `tick-of-another-window-${step}`);
        clock.run(FRAME);
    }
    assert.equal(model.ticks, AHEAD);
    assert.equal(view.painted.at(-1), 19);
});

test("two browser windows at one kernel ask for no more than two frames each at a time", () => {
    // Each window hears everything; the kernel answers in turn, one message after the other, 20 ms for each.
    const clock = new Clock(), models = [new Model(), new Model()];
    for (const model of models) new Session(model, clock).join(new FakeView());
    const queue = [], heard = [0, 0];
    let longest = 0;
    for (const model of models) model.set("playing", true);
    for (let turn = 0; turn < 200; turn += 1) {
        models.forEach((model, which) => {
            queue.push(...model.of("tick").slice(heard[which]).map((message) => message.id));
            heard[which] = model.ticks;
        });
        longest = Math.max(longest, queue.length);
        clock.run(20);
        const id = queue.shift();
        if (id) for (const model of models) model.frame(turn % 200, id);
    }
    assert.ok(longest <= 2 * AHEAD, `${longest} waited at the kernel`);
    assert.ok(heard[0] > 50 && heard[1] > 50);
});

// ---------------------------------------------------------------- who looks, who moves

test("while no view is visible nothing is asked for; the first that is seen starts it again", () => {
    const page = opened();
    page.session.play(true);
    page.view.visible = false;
    page.model.answerTick();
    page.clock.run(60_000);
    assert.equal(page.model.ticks, 1);
    page.view.visible = true;
    page.session.pump(); // the page has told the view that it is seen
    assert.equal(page.model.ticks, 2);
});

test("one visible view of two is enough", () => {
    const page = opened({ visible: false });
    page.session.join(new FakeView({ visible: true }));
    page.session.play(true);
    assert.equal(page.model.ticks, 1);
});

test("a closed view is silence", () => {
    const { model, clock, session, view } = opened();
    session.play(true);
    session.leave(view);
    model.answerTick();
    clock.run(60_000);
    assert.equal(model.ticks, 1);
    assert.equal(view.painted.length, 1);
});

test("less motion: a frame every 0.7 s, whatever happens in between", () => {
    const page = opened({ reduced: true });
    page.session.play(true);
    assert.equal(play(page, 7000, 20).most, 1);
    assert.ok(page.model.ticks >= 9 && page.model.ticks <= 11, `${page.model.ticks} ticks in 7 s`);
    const before = page.model.ticks;
    for (let times = 0; times < 10; times += 1) {
        page.session.play(false);
        page.session.play(true);
        play(page, 100, 20);
    }
    play(page, 6000, 20);
    const after = page.model.ticks;
    play(page, 7000, 20);
    assert.ok(page.model.ticks - after <= 11, `${page.model.ticks - after} in 7 s after some pauses (${after - before})`);
});

test("after ten minutes without input it pauses and says so; input keeps it going; play goes on", () => {
    const page = opened();
    page.session.play(true);
    for (let minute = 0; minute < 9; minute += 1) {
        page.model.answerTick(1);
        page.clock.run(60_000);
    }
    page.session.touched();
    for (let minute = 0; minute < 10; minute += 1) {
        page.model.answerTick(1);
        page.clock.run(60_000);
    }
    assert.equal(page.session.playing, true);
    play(page, 1000, 5);
    assert.equal(page.session.playing, false);
    assert.equal(page.model.saved.at(-1).playing, false, "the kernel is told");
    assert.equal(page.session.notice, IDLE);
    const before = page.model.ticks;
    page.clock.run(60_000);
    assert.equal(page.model.ticks, before);
    page.session.play(true);
    assert.deepEqual([page.session.notice, page.model.ticks], ["", before + 1]);
});

test("play from a cell after an idle pause takes the notice away", () => {
    const page = opened({ traits: { _idle_limit: 1 } });
    page.session.play(true);
    play(page, 1100, 5);
    assert.equal(page.session.notice, IDLE);
    page.model.set("playing", true);
    assert.equal(page.session.notice, "");
});

for (const [what, touch] of [
    ["play from a cell", ({ model }) => model.set("playing", true)],
    ["an action", ({ session, model }) => (session.act("reset"), (model.traits.playing = true), session.pump())],
    ["a new view", ({ session, model }) => ((model.traits.playing = true), session.join(new FakeView()), session.pump())],
    ["a setting", ({ session, model }) => (session.set("level", 1), (model.traits.playing = true), session.pump())],
]) {
    test(`${what} is input: it plays, however long nothing happened before`, () => {
        const page = opened();
        page.clock.run(3_600_000);
        touch(page);
        assert.deepEqual([page.model.ticks, page.session.playing], [1, true]);
    });
}

test("the idle limit is the widget's own", () => {
    const page = opened({ traits: { _idle_limit: 0.5 } });
    page.session.play(true);
    play(page, 490, 5);
    assert.equal(page.session.playing, true);
    play(page, 100, 5);
    assert.equal(page.session.notice, IDLE);
});

// ---------------------------------------------------------------- parameters

test("set moves the trait, tells the kernel and counts as input", () => {
    const { model, clock, session, view } = opened();
    clock.run(5000);
    session.set("level", 0.25);
    assert.equal(model.get("level"), 0.25);
    assert.equal(model.saved.at(-1).level, 0.25);
    assert.equal(session.lastInput, clock.now());
    assert.ok(view.heardOf.includes("params"));
});

test("what a cell changes reaches every view", () => {
    const { model, session, view } = opened();
    const second = new FakeView();
    session.join(second);
    model.set("level", 0.75);
    model.set("hide", ["level"]);
    for (const each of [view, second]) assert.ok(each.heardOf.includes("params") && each.heardOf.includes("hide"));
});

// ---------------------------------------------------------------- actions

test("an action gives back what the engine returned, each its own", async () => {
    const { model, session } = opened();
    const first = session.act("share"), second = session.act("scrub", { step: 3 });
    const [one, two] = model.of("act");
    assert.deepEqual([one.name, one.args, two.name, two.args], ["share", {}, "scrub", { step: 3 }]);
    assert.notEqual(one.id, two.id);
    model.answer(two.id, "second");
    model.answer(one.id, "first");
    assert.deepEqual([await first, await second], ["first", "second"]);
    assert.equal(session.pending.size, 0);
});

test("what one browser window asks has an id that no other window uses", () => {
    const ids = [opened(), opened()].flatMap(({ model, session }) => {
        session.act("reset");
        session.play(true);
        return model.sent.map((message) => message.id).filter(Boolean);
    });
    assert.equal(new Set(ids).size, 4);
});

test("an action that fails is shown in the view that asked, and rejected", async () => {
    const { model, session, view } = opened();
    const other = new FakeView();
    session.join(other);
    const failed = session.act("fail", {}, view);
    model.error(model.of("act")[0].id, "this failed", "line 1");
    await assert.rejects(failed, /this failed/);
    assert.deepEqual([view.errors, other.errors], [[["this failed", "line 1"]], []]);
});

test("an error of nobody's asking is shown in all views, and the clock stands still", () => {
    const { model, clock, session, view } = opened();
    const second = new FakeView();
    session.join(second);
    session.play(true);
    model.set("playing", false); // as the kernel does when a step fails
    model.error(model.of("tick")[0].id, "the step failed");
    clock.run(5000);
    assert.deepEqual([view.errors.length, second.errors.length, model.ticks], [1, 1, 1]);
    session.play(true);
    assert.equal(model.ticks, 2, "and it can be tried again");
});

test("an answer that nobody waits for is no error", () => {
    const { model, session } = opened();
    model.answer("of-another-window-1", 3);
    model.error("of-another-window-2", "failed there");
    assert.equal(session.pending.size, 0);
});

// ---------------------------------------------------------------- a kernel that does not answer

for (const [what, ask] of [
    ["a tick", ({ session }) => session.play(true)],
    ["an action", ({ session }) => session.act("reset")],
    ["a hello", ({ session }) => session.hello()],
]) {
    test(`${what} without an answer for two seconds: the kernel is busy, and the notice goes with the next frame`, () => {
        const page = opened();
        ask(page);
        page.clock.run(PATIENCE - 1);
        assert.equal(page.session.notice, "");
        page.clock.run(1);
        assert.equal(page.session.notice, BUSY);
        assert.equal(page.view.heardOf.at(-1), "notice");
        page.model.frame(1);
        assert.equal(page.session.notice, "");
    });
}

test("answers in time: no notice, ever", async () => {
    const page = opened();
    page.session.play(true);
    const done = page.session.act("share");
    page.model.answer(page.model.of("act")[0].id, "x");
    await done;
    play(page, 10_000, 100);
    page.session.play(false);
    while (page.model.open.size) page.model.answerTick(1);
    page.clock.run(10 * PATIENCE);
    assert.equal(page.session.notice, "");
    assert.equal(page.view.heardOf.filter((what) => what === "notice").length, 2, "play() wipes it, and no more");
});

test("two seconds, and they begin again with each question", () => {
    assert.equal(PATIENCE, 2000);
    const page = opened();
    page.session.hello();
    page.clock.run(PATIENCE - 100);
    page.session.hello();
    page.clock.run(PATIENCE - 100);
    assert.equal(page.session.notice, "");
    page.model.frame(1);
    page.clock.run(10 * PATIENCE);
    assert.equal(page.session.notice, "");
});

test("an error is an answer too: the busy notice goes", async () => {
    const page = opened();
    const failed = page.session.act("fail");
    page.clock.run(PATIENCE);
    page.model.error(page.model.of("act")[0].id, "no");
    await assert.rejects(failed);
    assert.equal(page.session.notice, "");
    page.clock.run(10 * PATIENCE);
    assert.equal(page.session.notice, "");
});

test("a kernel that is gone leaves a readable message, and is asked nothing", async () => {
    const page = opened();
    page.session.play(true);
    const waiting = page.session.act("scrub", { step: 1 });
    page.model.trigger("comm_live_update");
    await assert.rejects(waiting, new Error(GONE), "whoever waits is told");
    assert.equal(page.session.notice, GONE);
    const before = page.model.ticks;
    page.session.pump();
    page.clock.run(60_000);
    assert.equal(page.model.ticks, before);
    assert.equal(page.session.notice, GONE, "not that it is busy");
});

test("a view that joins a lost kernel is not told that it is busy", () => {
    const page = opened();
    page.model.trigger("comm_live_update");
    page.model.dead = true;
    page.session.join(new FakeView());
    page.clock.run(10 * PATIENCE);
    assert.equal(page.session.notice, GONE);
});

test("play starts nothing in a lost kernel and leaves the message, pause holds", () => {
    const page = opened();
    page.session.play(true);
    page.model.trigger("comm_live_update");
    page.session.play(false);
    assert.equal(page.session.playing, false);
    page.session.play(true);
    assert.equal(page.session.playing, false);
    page.clock.run(10 * PATIENCE);
    assert.equal(page.session.notice, GONE);
});

test("play takes back what is said of an earlier fault, in every view", () => {
    const page = opened(), second = new FakeView();
    page.session.join(second);
    page.session.play(true);
    page.model.error(page.model.of("tick")[0].id, "no such step");
    assert.deepEqual([page.view.errors.length, second.errors.length], [1, 1]);
    page.session.play(true);
    assert.deepEqual([page.view.errors.length, second.errors.length], [0, 0]);
});

test("a kernel that is back is not called busy for what was lost", () => {
    const page = opened();
    page.session.play(true);
    page.model.trigger("comm_live_update");
    page.session.play(false);
    page.model.frame(1);
    page.clock.run(10 * PATIENCE);
    assert.equal(page.session.notice, "");
});

test("a line that takes no message is no exception", () => {
    const page = opened();
    page.model.dead = true;
    page.model.trigger("comm_live_update");
    assert.equal(page.session.notice, GONE);
});

test("in a lost kernel every action is refused at once", async () => {
    const page = opened();
    page.model.trigger("comm_live_update");
    await assert.rejects(page.session.act("scrub", { step: 1 }), new Error(GONE));
});

test("an answer that is lost on its way does not stop the others", () => {
    const page = opened();
    page.session.play(true);
    page.clock.run(PACE);
    assert.equal(page.model.ticks, AHEAD);
    page.model.open.delete([...page.model.open][0]); // lost
    assert.equal(play(page, 1000, 20).most, 1);
    assert.ok(page.model.ticks > 20, "the answer to the second ends the waiting for both");
    page.session.play(true);
    page.clock.run(500);
    page.model.open.clear(); // now all are lost
    const before = page.model.ticks;
    page.clock.run(500);
    assert.equal(page.model.ticks, before);
    page.session.play(false);
    page.session.play(true);
    assert.equal(page.model.ticks, before + 1);
    assert.ok(play(page, 1000, 20).answered > 20);
});

test("what another window asked in vain is shown there alone", () => {
    const { model, session, view } = opened();
    session.play(true);
    model.error("scrub-of-another-window", "no such step");
    assert.deepEqual(view.errors, []);
    model.error([...model.open][0], "bad step");
    assert.deepEqual(view.errors, [["bad step", ""]]);
    model.error(null, "of nobody's asking");
    assert.equal(view.errors.length, 2);
});

test("a kernel that is back is asked for a frame, and play goes on", () => {
    const page = opened();
    page.session.play(true);
    page.clock.run(100);
    page.model.trigger("comm_live_update");
    page.model.open.clear(); // what was on its way is lost
    assert.equal(page.model.of("hello").length, 2, "is it the same kernel?");
    page.model.frame(3);
    assert.equal(page.session.notice, "");
    assert.equal(page.model.ticks, 3);
    assert.equal(play(page, 1000, 20).most, 1);
    assert.ok(page.model.ticks > 20);
});

test("a browser's own clock: its functions refuse to be called on another object", async () => {
    const names = ["setTimeout", "clearTimeout", "requestAnimationFrame"];
    const kept = Object.fromEntries(names.map((name) => [name, globalThis[name]]));
    const painters = [];
    const own = { setTimeout, clearTimeout, requestAnimationFrame: (then) => painters.push(then) };
    for (const name of names) {
        globalThis[name] = function strict(...given) {
            if (this !== undefined && this !== globalThis) throw new TypeError("Illegal invocation");
            return own[name](...given);
        };
    }
    try {
        const model = new Model(), session = new Session(model), view = new FakeView();
        session.join(view);
        session.play(true);
        view.painting = true;
        model.answerTick();
        assert.equal(painters.length, 1);
        await new Promise((done) => own.setTimeout(done, 2 * PACE));
        assert.equal(model.ticks, 1);
        painters[0](123.4);
        assert.equal(model.ticks, 2);
        session.play(false);
        model.answerTick();
        for (const id of session.timers.keys()) session.met(id);
    } finally {
        Object.assign(globalThis, kept);
    }
});
