"""The notebook's side, by its messages: what a view says, what is sent, and what a cell sees meanwhile."""

import base64
import json
import logging
import threading
from typing import ClassVar

import numpy as np
import pytest
import traitlets
from dlcourse_demo import Demo
from dlcourse_demo_engine import DemoEngine

from dlcourse.widgets.base import IDLE_LIMIT, TOOLBAR, BaseWidget
from dlcourse.widgets.engine import Engine
from dlcourse.widgets.params import Number
from dlcourse.widgets.runner import Manual, Tick
from dlcourse.widgets.snapshot import Snapshot

PARAMS = list(DemoEngine.params)


@pytest.fixture
def made(recording_comm):
    """`made(**arguments)`: a demo with the Manual runner, and its line."""

    def made(cls=Demo, **arguments):
        widget = cls(runner=Manual(), **arguments)
        return widget, recording_comm(widget)

    return made


@pytest.fixture
def demo(made):
    """A demo whose opening is already over."""
    widget, line = made()
    line.comm.sent[1:] = []
    return widget, line


def field(line) -> np.ndarray:
    """The latest picture that was sent."""
    frame, buffers = [message for message in line.messages() if message[0]["kind"] == "frame"][-1]
    return np.frombuffer(buffers[0], frame["arrays"][0]["dtype"]).reshape(frame["arrays"][0]["shape"])


# --- the line opens ---------------------------------------------------------------------------------------------------


def test_all_that_a_view_needs_is_there_when_the_line_opens(made):
    widget, line = made(level=0.25, layers=(1, 2, 3), hide=["rate"])
    state = line.opening()
    assert {name: state[name] for name in PARAMS} == {
        "level": 0.25, "rate": 0.03, "strength": 0.0, "count": 10, "seed": 0, "shape": "plain", "marks": ["a"],
        "grid": False, "layers": [1, 2, 3],
    }  # fmt: skip
    assert (state["playing"], state["speed"], state["hide"], state["_idle_limit"]) == (False, 5, ["rate"], IDLE_LIMIT)
    assert IDLE_LIMIT == 600, "ten minutes"
    assert state["_spec"]["title"] == "Demo"
    assert state["_spec"]["params"] == json.loads(json.dumps({n: p.spec() for n, p in DemoEngine.params.items()}))
    assert state["_spec"]["actions"] == ["back", "fail", "load", "reset", "scrub", "share", "step", "to_code"]
    assert "export default" in state["_esm"]
    assert ".dlc-bar" in state["_css"]
    assert len(line.sent) == 1, "nothing comes after it, and no frame before anybody asks"
    assert widget.level == 0.25


def test_a_widget_without_a_line_works_all_the_same():
    widget = Demo(level=0.75)
    widget.step(2)
    widget.level = 0.5
    assert (widget.engine.values["level"], widget.engine.count) == (0.5, 2)
    widget.close()
    widget.reset()
    widget.level = 0.25
    assert (widget.engine.values["level"], widget.engine.count) == (0.25, 0)


def test_the_engine_may_exist_already(made):
    engine = DemoEngine(level=0.1)
    engine.step(3)
    widget, line = made(engine=engine)
    assert widget.engine is engine
    assert line.opening()["level"] == widget.level == 0.1
    with pytest.raises(ValueError, match=r"either an engine or its settings, not both \(came: level, rate\)"):
        Demo(engine=engine, level=0.2, rate=1)


def test_what_cannot_be_made_says_why():
    with pytest.raises(ValueError, match="level=2 is out of range"):
        Demo(level=2)
    with pytest.raises(ValueError, match="demo has no parameter 'lr'; it has level, rate"):
        Demo(lr=1)


def test_two_widgets_have_nothing_in_common(made):
    (one, line), (two, other) = made(), made()
    line.move(level=0.1)
    two.step(3)
    assert (one.level, two.level, one.engine.count, two.engine.count) == (0.1, 0.5, 0, 3)
    assert other.of("error") == line.of("error") == []
    assert one.model_id != two.model_id


# --- hello, tick ------------------------------------------------------------------------------------------------------


def test_hello_is_answered_by_one_frame_with_its_arrays(demo):
    widget, line = demo
    widget.engine.step(45)
    (frame,) = line.hello()
    assert frame["header"]["run"] == {"step": 45, "first": 0, "last": 45, "running": True}
    assert frame["arrays"] == [{"name": "field", "dtype": "uint8", "shape": [20, 20]}]
    assert (frame["kind"], frame["tick"]) == ("frame", None)
    np.testing.assert_array_equal(field(line), widget.engine.snapshot().arrays["field"])
    assert len(line.messages()[-1][1]) == 1
    assert widget.engine.count == 45
    line.move(playing=True)
    (frame,) = line.say(kind="hello", id="hello-1")
    assert (frame["tick"], frame["header"]["run"]["step"]) == (None, 45), "a second view gets one too; nothing steps"
    assert widget.engine.count == 45


def test_a_tick_steps_only_while_playing_and_exactly_as_often_as_the_speed_says(demo):
    widget, line = demo
    (frame,) = line.tick("t-1")
    assert (frame["tick"], frame["header"]["run"]["step"]) == ("t-1", 0)
    line.move(playing=True)
    assert line.messages()[1:] == [], "play alone does nothing: the view asks"
    counts = [line.tick(f"t-{n}")[0]["header"]["run"]["step"] for n in range(3)]
    assert counts == [5, 10, 15]
    widget.speed = 25
    assert line.tick("t-9")[0]["header"]["run"]["step"] == 40
    line.move(playing=False, speed=1)
    assert line.tick()[0]["header"]["run"]["step"] == 40
    line.move(playing=True)
    (frame,) = line.tick("t-10")
    assert (frame["tick"], frame["header"]["run"]["step"]) == ("t-10", 41)
    assert line.of("error") == []


def test_the_runner_is_a_tick_unless_another_is_given():
    assert Demo().runner == Tick()
    assert Demo(runner=Manual()).runner == Manual()


class Ending(DemoEngine):
    """Three steps, with a pause after the first two."""

    name = "ending"

    @property
    def running(self):
        return self.count < 3

    @property
    def pauses(self):
        return self.count == 2


class EndingDemo(Demo):
    engine_class = Ending


def test_play_stops_at_a_pause_and_at_the_end(made):
    widget, line = made(cls=EndingDemo)
    for expected in (2, 3):
        line.clear()
        line.move(playing=True)
        (frame,) = line.tick("t-1")
        assert (frame["tick"], frame["header"]["run"]["step"]) == ("t-1", expected)
        assert widget.playing is False
        assert {"playing": False} in line.updates(), "the views are told"


def test_steps_from_a_cell_stop_at_the_end(made):
    widget, line = made(cls=EndingDemo)
    widget.step(10)
    assert widget.engine.count == 2, "there is something to be looked at"
    widget.step(10)
    assert widget.engine.count == 3
    assert [frame["header"]["run"]["step"] for frame in line.of("frame")] == [2, 3], "one frame each, where it led"
    widget.step(0)
    for wrong in (-1, 1.0, "a", True):
        with pytest.raises(ValueError, match="wanted a whole number of steps"):
            widget.step(wrong)
    assert widget.engine.count == 3


def test_a_misspelt_name_is_not_set_in_silence(demo):
    widget, _ = demo
    with pytest.raises(AttributeError, match=r"Demo has nothing called 'levle' .* Did you mean 'level'\?"):
        widget.levle = 0.3
    widget.level = 0.3
    assert widget.engine.values["level"] == 0.3


def failing(method: str, error: BaseException):
    """A demo whose engine fails at one thing."""

    def fail(self, *args, **kwargs):
        raise error

    return type("FailingDemo", (Demo,), {"engine_class": type("Failing", (DemoEngine,), {method: fail})})


@pytest.mark.parametrize("error", [RuntimeError("bad step"), KeyboardInterrupt()], ids=["error", "stop button"])
def test_an_error_in_a_tick_pauses_and_is_shown_and_logged(made, caplog, error):
    widget, line = made(cls=failing("step", error))
    line.move(playing=True)
    (shown,) = line.tick("t-7")
    assert (shown["kind"], shown["id"]) == ("error", "t-7")
    assert shown["message"] == f"{type(error).__name__}: {error}"
    assert "Traceback" in shown["detail"]
    assert "in fail" in shown["detail"]
    assert widget.playing is False
    assert {"playing": False} in line.updates()
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("dlcourse.widgets", logging.ERROR)
    assert record.exc_info[1] is error
    assert "FailingDemo" in record.getMessage()
    (frame,) = line.tick("t-8")
    assert frame["kind"] == "frame", "and the widget goes on"


def test_an_error_in_a_frame_is_shown_and_logged_whoever_asked(made, caplog):
    widget, line = made(cls=failing("snapshot", RuntimeError("no picture")))
    widget.playing = True
    for shown, ident in ((line.hello(), None), (line.tick("t-1"), "t-1"), (line.act("reset"), "reset-1")):
        assert [(each["kind"], each["id"], each["message"]) for each in shown] == [
            ("error", ident, "RuntimeError: no picture")
        ]
    assert len(caplog.records) == 3
    assert widget.playing is False


def test_a_frame_that_is_too_big_is_an_error_and_not_sent(made, caplog):
    huge = Snapshot({}, {"field": np.zeros(70_000, np.uint8)})
    engine_class = type("Huge", (DemoEngine,), {"snapshot": lambda self: huge})
    _, line = made(cls=type("HugeDemo", (Demo,), {"engine_class": engine_class}))
    (shown,) = line.hello()
    assert shown["kind"] == "error"
    assert "70000 bytes is more than the 65536 allowed" in shown["message"]


@pytest.mark.parametrize(
    "message", [{"kind": "dance"}, {}, {"kind": None}, {"kind": ["act"]}, {"kind": "frame", "id": 3}]
)
def test_a_message_of_another_kind_is_an_error(demo, caplog, message):
    _, line = demo
    (shown,) = line.say(**message)
    assert shown["kind"] == "error"
    assert repr(message.get("kind")) in shown["message"]
    assert "hello, tick and act" in shown["message"]
    assert len(caplog.records) == 1


# --- act --------------------------------------------------------------------------------------------------------------


def test_an_action_is_done_shown_and_answered(demo):
    widget, line = demo
    widget.engine.step(10)
    frame, answer = line.act("back", n=3)
    assert (frame["kind"], frame["header"]["run"]["step"], frame["tick"]) == ("frame", 7, None)
    assert answer == {"kind": "answer", "id": "back-1", "result": None}
    assert widget.engine.count == 7
    assert line.act("to_code")[-1]["result"] == "print(7)"
    assert line.act("step")[-1] == {"kind": "answer", "id": "step-1", "result": None}
    assert widget.engine.count == 8
    line.say(kind="act", id=3, name="step", args=None)
    assert widget.engine.count == 9


@pytest.mark.parametrize(
    "name",
    [
        "set",
        "restore",
        "describe",
        "changed",
        "__init__",
        "_checked",
        "values",
        "close",
        "engine",
        "nonsense",
        "",
        None,
        3,
    ],
)
def test_an_action_that_the_engine_does_not_list_is_refused(demo, caplog, name):
    widget, line = demo
    before = dict(vars(widget.engine))
    (shown,) = line.say(kind="act", id="x-1", name=name, args={})
    assert (shown["kind"], shown["id"]) == ("error", "x-1")
    assert shown["message"] == (
        f"Demo has no action {name!r}; it has back, fail, load, reset, scrub, share, step, to_code."
    )
    assert shown["detail"] == "", "what the view did wrong needs no traceback"
    assert vars(widget.engine) == before
    assert len(caplog.records) == 1


@pytest.mark.parametrize(
    "message",
    [
        {"name": "scrub", "args": {"stp": 3}},
        {"name": "scrub", "args": {}},
        {"name": "scrub", "args": {"step": "x"}},
        {"name": "scrub", "args": {"step": 99}},
        {"name": "scrub", "args": [3]},
        {"name": "scrub", "args": "step"},
        {"name": "scrub", "args": {"self": 1, "step": 0}},
        {"name": "reset", "args": {"self": 1}},
        {"name": "load", "args": {"text": 3}},
        {"name": "load", "args": {}},
        {"name": ["scrub"], "args": {"step": 0}},
        {"name": {"a": 1}},
        {},
    ],
    ids=str,
)
def test_wrong_arguments_are_an_error_with_the_id_and_in_the_log(demo, caplog, message):
    widget, line = demo
    before = dict(vars(widget.engine))
    (shown,) = line.say(kind="act", id="x-1", **message)
    assert (shown["kind"], shown["id"]) == ("error", "x-1")
    assert shown["message"]
    assert vars(widget.engine) == before
    assert [record.name for record in caplog.records] == ["dlcourse.widgets"]


def test_an_action_that_fails_is_shown_with_its_traceback(demo, caplog):
    widget, line = demo
    line.move(playing=True)
    (shown,) = line.act("fail")
    assert (shown["kind"], shown["id"]) == ("error", "fail-1")
    assert shown["message"] == "RuntimeError: this engine failed on purpose"
    assert "in fail" in shown["detail"]
    assert widget.playing is True, "the run has nothing to do with it"
    (refused,) = line.act("back", n=5)
    assert (refused["message"], refused["detail"]) == ("step -5 is not recorded: 0 to 0 are.", "")
    assert "Traceback" in caplog.text, "the log has it all the same"


def test_a_string_is_shared_and_loaded_by_the_view(demo):
    widget, line = demo
    widget.set(level=0.25, layers=[3])
    widget.engine.step(4)
    text = line.act("share")[-1]["result"]
    assert text == widget.share()
    widget.set(level=1, layers=[])
    widget.reset()
    line.comm.sent[1:] = []
    frame, answer = line.act("load", text=text)
    assert (frame["header"]["run"]["step"], answer["result"]) == (4, None)
    assert (widget.level, widget.layers, widget.engine.count) == (0.25, (3,), 4)
    assert (line.state()["level"], line.state()["layers"]) == (0.25, [3])


def test_a_damaged_string_changes_nothing(demo, caplog):
    widget, line = demo
    engine, text = widget.engine, Demo(level=0.25).share()
    (shown,) = line.act("load", text=text[:-5])
    assert "damaged" in shown["message"]
    assert shown["detail"] == ""
    with pytest.raises(ValueError, match="another widget"):
        widget.load("playground.1.abc")
    assert widget.engine is engine
    assert widget.level == 0.5


def test_load_and_from_share_in_a_cell(made):
    widget, line = made(level=0.25)
    widget.step(3)
    again = Demo.from_share(widget.share(), hide=["rate"], runner=Manual())
    assert (again.level, again.engine.count, again.hide, type(again.runner)) == (0.25, 3, ["rate"], Manual)
    assert isinstance(again, Demo)
    widget.reset()
    widget.load(again.share())
    assert [frame["header"]["run"]["step"] for frame in line.of("frame")] == [3, 0, 3]
    assert type(widget).from_share(widget.share()).share() == widget.share()


# --- parameters -------------------------------------------------------------------------------------------------------

VALUES = {
    "level": (0.125, 0.125), "rate": (1, 1.0), "strength": (0.5, 0.5), "count": (20, 20), "seed": (7.0, 7),
    "shape": ("checked", "checked"), "marks": (["b", "a"], ("a", "b")), "grid": (True, True), "layers": ([8], (8,)),
}  # fmt: skip


@pytest.mark.parametrize("name", PARAMS)
def test_a_trait_set_in_a_cell_reaches_the_engine_and_every_view(demo, name):
    widget, line = demo
    given, wanted = VALUES[name]
    setattr(widget, name, given)
    assert widget.engine.values[name] == getattr(widget, name) == wanted
    assert line.updates() == [{name: list(wanted) if isinstance(wanted, tuple) else wanted}]
    assert len(line.of("frame")) == 1
    setattr(widget, name, given)
    assert len(line.of("frame")) == len(line.updates()) == 1, "no news, no message"


@pytest.mark.parametrize("name", PARAMS)
def test_a_trait_set_by_a_view_reaches_the_engine_and_the_cell(demo, name):
    widget, line = demo
    _, wanted = VALUES[name]
    line.move(**{name: wanted})
    assert widget.engine.values[name] == getattr(widget, name) == wanted
    assert type(getattr(widget, name)) is type(wanted)
    assert len(line.of("frame")) == 1
    assert line.of("error") == line.updates() == []


def test_the_frame_shows_the_new_value(demo):
    widget, line = demo
    for value, byte in ((0.25, 64), (1.0, 254)):
        line.move(level=value)
        assert field(line)[5, 5] == byte
        assert line.of("frame")[-1]["header"]["say"] == widget.describe() == f"Step 0 at level {value:g}."


def test_what_the_engine_makes_of_a_value_goes_back_to_the_view(demo):
    _, line = demo
    line.move(marks=["b", "a"])
    assert line.updates() == [{"marks": ["a", "b"]}]


def test_no_value_of_a_burst_is_lost_and_the_last_wins(demo):
    widget, line = demo
    for step in range(1, 101):
        line.move(level=step / 100)
    assert widget.level == widget.engine.values["level"] == 1.0
    assert line.updates() == [], "what the view has said is not said back, or the slider would jump"
    assert field(line)[5, 5] == 254


def test_a_value_refused_in_a_cell_is_an_error_there_and_changes_nothing(demo):
    widget, line = demo
    with pytest.raises(traitlets.TraitError, match=r"^level=3 is out of range: wanted a number from 0 to 1\.$"):
        widget.level = 3
    assert widget.level == widget.engine.values["level"] == 0.5
    assert line.messages() == line.updates() == []


@pytest.mark.parametrize(
    ("state", "says"),
    [
        ({"level": 3}, "level=3 is out of range"),
        ({"level": "x"}, "level='x'"),
        ({"layers": [99]}, "layers="),
        ({"shape": None}, "shape=None"),
        ({"speed": 0}, "speed"),
        ({"speed": "fast"}, "speed"),
        ({"playing": "yes"}, "playing"),
        ({"hide": ["nonsense"]}, "has no such control"),
        ({"count": 20, "level": 3}, "level=3 is out of range"),
        ({"level": 3, "count": 20, "playing": True}, "level=3 is out of range"),
    ],
)
def test_a_value_refused_from_a_view_is_shown_and_the_control_goes_back(demo, caplog, state, says):
    widget, line = demo
    before = {name: getattr(widget, name) for name in (*PARAMS, "playing", "speed", "hide")}
    line.move(**state)
    (shown,) = line.of("error")
    assert says in shown["message"]
    assert (shown["id"], shown["detail"]) == (None, "")
    assert {name: getattr(widget, name) for name in before} == before, "all or nothing"
    assert widget.engine.values == {name: before[name] for name in PARAMS}
    opening = line.opening()
    assert line.updates()[-1] == {name: opening[name] for name in state}
    assert len(caplog.records) == 1
    line.move(level=0.125)
    assert widget.level == 0.125, "and the next is taken"


class Choosy(DemoEngine):
    """Wants level below count / 100."""

    name = "choosy"

    def __init__(self, **values):
        super().__init__(**{"level": 0.05, **values})
        self.told = []

    def changed(self, names):
        if self.values["level"] >= self.values["count"] / 100:
            raise ValueError("the level is too high for the count.")
        self.told.append(set(names))


class ChoosyDemo(Demo):
    engine_class = Choosy


def test_several_values_of_one_message_are_taken_together(made):
    """As when two sliders were moved while the kernel was busy: neither jumps back on the way."""
    widget, line = made(cls=ChoosyDemo)
    line.clear()
    line.move(level=0.5, count=90)
    assert widget.engine.told == [{"level", "count"}]
    assert (widget.level, widget.count) == (0.5, 90)
    assert line.updates() == line.of("error") == []
    assert len(line.of("frame")) == 1


def test_what_the_engine_refuses_goes_back_too(made, caplog):
    widget, line = made(cls=ChoosyDemo)
    line.move(level=0.5, grid=True)
    assert [shown["message"] for shown in line.of("error")] == ["the level is too high for the count."]
    assert (widget.level, widget.grid) == (0.05, False)
    assert (line.state()["level"], line.state()["grid"]) == (0.05, False)
    with pytest.raises(ValueError, match="too high"):
        widget.level = 0.9
    assert widget.level == widget.engine.values["level"] == 0.05
    assert line.state()["level"] == 0.05
    assert widget.engine.told == []
    line.move(level=0.01)
    assert widget.engine.told == [{"level"}]


def test_an_engine_that_fails_at_a_value_is_shown_and_logged(made, caplog):
    widget, line = made(cls=failing("changed", RuntimeError("cannot")))
    line.move(level=0.25)
    (shown,) = line.of("error")
    assert shown["message"] == "RuntimeError: cannot"
    assert "Traceback" in shown["detail"]
    assert (widget.level, line.state()["level"]) == (0.5, 0.5)
    with pytest.raises(RuntimeError, match="cannot"):
        widget.level = 0.25
    assert widget.level == 0.5


def test_set_is_all_or_nothing(demo):
    widget, line = demo
    for wrong in ({"level": 0.25, "count": 0}, {"level": 0.25, "lr": 1}, {"level": 0.25, "playing": True}):
        with pytest.raises(ValueError, match=r"out of range|has no parameter"):
            widget.set(**wrong)
    assert widget.level == 0.5
    assert line.messages() == line.updates() == []
    widget.set(level=0.25, count=90)
    assert (widget.level, widget.count) == (0.25, 90)
    assert line.updates() == [{"level": 0.25, "count": 90}]
    assert len(line.of("frame")) == 1


def test_while_playing_the_next_frame_shows_a_new_value(demo):
    widget, line = demo
    line.move(playing=True)
    line.move(level=0.25)
    assert line.of("frame") == []
    assert widget.engine.values["level"] == 0.25
    line.tick()
    assert field(line)[5, 5] == 64


def test_parameters_that_an_action_changes_reach_the_views(made):
    class Restless(DemoEngine):
        name = "restless"
        actions = frozenset({"wander"})

        def wander(self):
            self.set(level=1.0, count=99)

        def step(self, n=1):
            super().step(n)
            self.values["level"] = 0.125

    widget, line = made(cls=type("RestlessDemo", (Demo,), {"engine_class": Restless}))
    line.act("wander")
    assert (widget.level, widget.count) == (1.0, 99)
    assert line.updates()[-1] == {"level": 1.0, "count": 99}
    line.move(playing=True)
    line.tick()
    assert widget.level == line.state()["level"] == 0.125
    assert line.of("error") == []


# --- hide -------------------------------------------------------------------------------------------------------------


def test_everything_that_can_be_hidden(made):
    names = [*PARAMS, *TOOLBAR, "square"]
    widget, line = made(hide=names)
    assert widget.hide == line.opening()["hide"] == names
    assert Demo(hide="level").hide == ["level"]
    assert Demo(hide=(name for name in ("play", "square"))).hide == ["play", "square"]
    widget.hide = ["rate"]
    assert line.updates() == [{"hide": ["rate"]}]


@pytest.mark.parametrize("names", [["level", "nonsense"], "nonsense", ["_esm"], ["playing"], [""]])
def test_an_unknown_name_to_hide_is_answered_with_the_known_ones(demo, names):
    widget, _ = demo
    wrong = names if isinstance(names, str) else names[-1]
    with pytest.raises(ValueError, match=f"hide={wrong!r}: Demo has no such control; it has level, .*play, .*square"):
        Demo(hide=names)
    with pytest.raises(traitlets.TraitError, match=r"no such control|hide"):
        widget.hide = names
    assert widget.hide == []


# --- two threads ------------------------------------------------------------------------------------------------------


class Watched(DemoEngine):
    """Notes who is inside, and waits there: two at once would be seen."""

    name = "watched"
    actions = frozenset({"scrub"})

    def __init__(self, **values):
        self.inside, self.clashes, self.visits = 0, 0, []
        self.entered, self.leave = threading.Event(), threading.Event()
        super().__init__(**values)

    def visit(self, what):
        self.inside += 1
        self.clashes += self.inside > 1
        self.entered.set()
        if what == "slow step":
            assert self.leave.wait(10)
        else:
            threading.Event().wait(0.002)
        self.visits.append(what)
        self.inside -= 1

    def step(self, n=1):
        self.visit("slow step")

    def scrub(self, step):
        self.visit("scrub")

    def changed(self, names):
        self.visit("set")

    def reset(self):
        super().reset()
        self.visit("reset")

    def describe(self):
        self.visit("describe")
        return super().describe()

    def state(self):
        self.visit("state")
        return super().state()


class WatchedDemo(Demo):
    engine_class = Watched


@pytest.mark.parametrize("where", ["tick", "step"])
def test_what_comes_during_a_slow_step_waits_for_its_end(made, where):
    widget, line = made(cls=WatchedDemo)
    engine = widget.engine
    engine.visits.clear()
    engine.entered.clear()
    widget.speed = 1
    widget.playing = True
    busy = threading.Thread(target=line.tick if where == "tick" else widget.step)
    others = [
        threading.Thread(target=work)
        for work in (
            lambda: line.act("scrub", step=0),
            lambda: line.act("reset"),
            lambda: line.move(level=0.25),
            lambda: setattr(widget, "count", 20),
            lambda: widget.set(grid=True),
            line.hello,
            widget.describe,
            widget.share,
            widget._repr_mimebundle_,
            widget.reset,
        )
    ]
    busy.start()
    assert engine.entered.wait(10)
    for thread in others:
        thread.start()
    for thread in others:
        thread.join(0.02)
    assert all(thread.is_alive() for thread in others), "each needs the engine, and waits"
    assert engine.visits == []
    assert (engine.inside, engine.clashes) == (1, 0)
    engine.leave.set()
    for thread in (busy, *others):
        thread.join(10)
        assert not thread.is_alive(), "nobody waits for ever"
    assert engine.clashes == 0
    assert engine.visits[0] == "slow step"
    assert {"scrub", "set", "reset", "describe", "state"} <= set(engine.visits)
    assert (widget.level, widget.count, widget.grid) == (0.25, 20, True)
    assert widget.engine.values == {name: getattr(widget, name) for name in PARAMS}
    assert line.of("error") == []


def test_a_storm_from_two_threads_leaves_traits_and_engine_in_step(made):
    widget, line = made()
    failures = []

    def storm(work):
        try:
            for turn in range(60):
                work(turn)
        except BaseException as error:
            failures.append(error)

    threads = [
        threading.Thread(target=storm, args=(work,))
        for work in (
            lambda turn: line.move(level=turn / 100),
            lambda turn: widget.set(count=turn + 1),
            lambda turn: line.act("step"),
            lambda turn: setattr(widget, "seed", turn),
        )
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert failures == []
    assert widget.engine.count == 60
    assert (widget.level, widget.count, widget.seed) == (0.59, 60, 59)
    assert widget.engine.values == {name: getattr(widget, name) for name in PARAMS}
    assert line.of("error") == []


# --- what a notebook shows --------------------------------------------------------------------------------------------


def test_the_repr_is_a_call_without_an_address():
    assert repr(Demo()) == "Demo()"
    assert repr(Demo(level=0.5, rate=0.03)) == "Demo()"
    assert repr(Demo(level=0.25, marks=["b"], layers=[])) == "Demo(level=0.25, marks=('b',), layers=())"
    widget = Demo()
    widget.playing = True
    widget.shape = "checked"
    assert repr(widget) == "Demo(shape='checked')"
    again = eval(repr(widget))
    assert again.engine.values == widget.engine.values


def test_a_notebook_gets_the_view_and_for_a_page_a_picture_and_a_text(demo):
    widget, _ = demo
    widget.set(level=0.25)
    widget.step(2)
    data, metadata = widget._repr_mimebundle_(include=None, exclude=None)
    assert data["application/vnd.jupyter.widget-view+json"]["model_id"] == widget.model_id
    assert data["text/plain"] == "Demo(level=0.25)\nStep 2 at level 0.25."
    html = data["text/html"]
    assert 'alt="A square with one place that differs from the others."' in html
    assert "<figcaption" in html
    assert "Step 2 at level 0.25." in html
    png = base64.b64decode(html.partition("base64,")[2].partition('"')[0])
    assert png.startswith(b"\x89PNG")
    assert "0x" not in data["text/plain"]
    assert isinstance(metadata, dict)
    json.dumps(data, allow_nan=False)


@pytest.mark.parametrize("broken", ["describe", "snapshot"])
def test_a_picture_that_fails_does_not_hide_the_widget(made, caplog, broken):
    widget, _ = made(cls=failing(broken, RuntimeError("no picture today")))
    data, _ = widget._repr_mimebundle_()
    assert data["application/vnd.jupyter.widget-view+json"]["model_id"] == widget.model_id
    assert data["text/plain"] == "FailingDemo()"
    assert "text/html" not in data
    (record,) = caplog.records
    assert "no picture today" in record.getMessage()
    assert record.exc_info


def test_a_saved_notebook_holds_no_frame(demo):
    """Frames are messages, not traits: what Jupyter would save of a widget stays the same while it runs."""
    widget, line = demo
    before = widget.get_state()
    line.move(playing=True)
    for _ in range(5):
        line.tick()
    after = widget.get_state()
    assert {name for name in after if after[name] != before[name]} == {"playing"}
    assert all(not isinstance(value, (bytes, memoryview)) for value in after.values())


# --- strict JSON ------------------------------------------------------------------------------------------------------


def test_every_message_of_a_session_is_strict_json(made, caplog):
    widget, line = made()
    for name, (value, _) in VALUES.items():
        line.move(**{name: value})
        setattr(widget, name, DemoEngine.params[name].default)
    for name in sorted(widget._allowed()):
        line.act(name)
    line.move(level=9)
    line.hello()
    line.move(playing=True)
    line.tick()
    assert len(line.sent) > 40
    for _, data, _ in line.sent:
        json.dumps(data, allow_nan=False)


def test_the_recording_line_itself_refuses_nan(recording_comm, monkeypatch):
    """Or the check above could not fail."""

    class Diverged(Engine):
        name = "diverged"
        params: ClassVar = {"level": Number(label="Level", default=0.5, low=0, high=1)}

        def snapshot(self):
            return Snapshot({"loss": float("nan")})

        def describe(self):
            return "Diverged."

    class DivergedDemo(Demo):
        engine_class = Diverged

    line = recording_comm(DivergedDemo())
    (shown,) = line.hello()
    assert shown["kind"] == "error"
    assert "JSON" in shown["message"]
    (fault,) = line.comm.faults
    assert "nan" in fault
    line.comm.faults.clear()


def test_a_subclass_names_what_it_consists_of():
    assert issubclass(Demo, BaseWidget)
    assert Demo.engine_class is DemoEngine
    assert set(BaseWidget.__annotations__) >= {"engine_class", "picture", "title", "parts"}


def test_a_parameter_may_not_take_the_name_of_something_else():
    class Greedy(DemoEngine):
        params: ClassVar = {
            **DemoEngine.params,
            "layout": Number(label="n", default=0, low=0, high=1),
            "step": Number(label="n", default=0, low=0, high=1),
        }

    class GreedyDemo(Demo):
        engine_class = Greedy

    with pytest.raises(ValueError, match="may not be called layout, step"):
        GreedyDemo()


def test_the_names_of_the_room():
    from dlcourse import widgets

    assert widgets.__all__ == sorted(set(widgets.__all__))
    assert dir(widgets) == list(widgets.__all__)
    for name in widgets.__all__:
        assert getattr(widgets, name).__name__ == name
    with pytest.raises(AttributeError, match="has no attribute 'Nonsense'"):
        _ = widgets.Nonsense
