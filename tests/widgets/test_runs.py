"""What the rooms with a run share, on the smallest run there is: a number that grows by `by` at every step."""

import copy
import json
import math
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
import pytest
import torch
from torch import nn

from dlcourse.widgets.params import Number, Whole
from dlcourse.widgets.runs import share
from dlcourse.widgets.runs.engine import RunEngine
from dlcourse.widgets.runs.history import History, Record, copied
from dlcourse.widgets.runs.own import Brought, check_trainable, watched
from dlcourse.widgets.runs.question import Prediction
from dlcourse.widgets.runs.run import Replayable
from dlcourse.widgets.runs.share import CHANGES, STEPS, expect, opened, packed
from dlcourse.widgets.runs.strokes import MOST_DRAWN, after, counted
from dlcourse.widgets.snapshot import Snapshot

PARAMS = {
    "by": Number(label="By", default=1.0, low=-10, high=10),
    "seed": Whole(label="Seed", default=0, low=0, high=9),
}


class Measured(NamedTuple):
    total: float
    drawn: float


class Count(Replayable):
    """A change "jump" sets the total; a drawn point counts as 1000 a step."""

    steps_called: ClassVar = "counts"
    events: ClassVar = frozenset({"jump"})

    def __init__(self, values, drawn=(), *, stride=1, most=8):
        self.values, self.drawn, self.at, self.diverged, self.total = dict(values), drawn, 0, None, 0.0
        self.history = History(dict(values), drawn, ("total",), most, stride)
        self._record()

    @property
    def running(self):
        return self.diverged is None

    def step(self):
        if not self.running:
            return
        self.total += self.values["by"] + 1000 * sum(map(len, self.drawn))
        self.at += 1
        if self.total > 1e6:
            self.diverged = self.at
        self._arrive()

    def measured(self):
        return Measured(self.total, sum(map(len, self.drawn)))

    def copy(self):
        twin = copy.copy(self)
        twin.values, twin.history = dict(self.values), self.history.copy()
        return twin

    def _apply(self, change):
        kind, *rest = change
        if kind == "set":
            self.values = self.values | rest[0]
        elif kind == "jump":
            (self.total,) = rest
        else:
            self.drawn = after(self.drawn, change)

    def _saved(self):
        return {"total": self.total, "values": dict(self.values), "drawn": self.drawn, "diverged": self.diverged}

    def _restore(self, record):
        self.at = record.step
        self.total, self.values = record.saved["total"], dict(record.saved["values"])
        self.drawn, self.diverged = record.saved["drawn"], record.saved["diverged"]


def checked_points(points):
    return tuple((float(x), float(y)) for x, y in counted(points, "wanted [[x, y], ...]"))


def replayed(state, params):
    told = opened(state, params, checked_points)
    changes = told.changes(tuple)
    run = Count(told.values, told.drawn, stride=told.stride)
    told.replay(run, changes)
    return run


@dataclass(kw_only=True)
class Question(Prediction):
    """Is the total odd or even there?"""

    total: float | None = None

    options: ClassVar = ("even", "odd")
    text: ClassVar = "Even or odd?"

    @property
    def answer(self):
        return None if self.total is None or math.isinf(self.total) else int(self.total % 2)

    def look(self, measured):
        self.total = measured.total


class Own(Brought):
    def __init__(self, why=()):
        self.fixed = dict(why)

    fixed: ClassVar = {}

    def __bool__(self):
        return bool(self.fixed)


class CountEngine(RunEngine):
    name = "count"
    params: ClassVar = PARAMS
    replayed = staticmethod(replayed)
    cannot_share = "fingers"
    catch_up: ClassVar = 2

    def __init__(self, **values):
        super().__init__(**values)
        self.own = Own()
        self._begin(())

    def _begin(self, drawn):
        self.run = Count(self.values, drawn)
        self.forget()

    def changed(self, names):
        self._change("set", {name: self.values[name] for name in names})

    def add_points(self, points):
        self._change("points", [list(point) for point in checked_points(points)])

    def ask(self, steps):
        self.forget()
        self.question = Question(asked_at=self.run.at, steps=steps, frozen=self._frozen())

    def snapshot(self):
        if self._secret:
            return self._veiled("wait")
        self.run.note_tip()
        header = {"run": self._where(), "say": "", "notice": None, "prediction": self._prediction()}
        return Snapshot(header | {"total": self.run.total}, {"curve": self.run.history.curve()})

    def describe(self):
        return f"{self.run.total:g}"


# ------------------------------------------------------------------------------------------------------ strokes


def test_strokes_are_added_taken_back_and_cleared():
    strokes = after((), ("points", [[1, 2], [3, 4]]))
    strokes = after(strokes, ("points", [[5, 6]]))
    assert strokes == (((1, 2), (3, 4)), ((5, 6),))
    assert after(strokes, ("undo",)) == strokes[:1]
    assert after(strokes, ("clear",)) == after((), ("undo",)) == ()
    assert after(strokes, ("set", {"by": 2})) is strokes
    full = after((), ("points", [[0, 0]] * MOST_DRAWN))
    with pytest.raises(ValueError, match=r"that would be 501 drawn points; at most 500\. Clear some first"):
        after(full, ("points", [[0, 0]]))


@pytest.mark.parametrize("points", [((1, 2),), [[1, 2]], np.array([[1, 2]]), torch.tensor([[1, 2]])])
def test_points_come_as_any_kind_of_list(points):
    assert list(map(tuple, counted(points, "wanted points"))) == [(1, 2)]


@pytest.mark.parametrize("points", [None, 3, "ab", {}, [], (), np.zeros((0, 2)), [[0, 0]] * 501])
def test_no_points_and_too_many_are_refused_with_what_is_wanted(points):
    with pytest.raises(ValueError, match=r"wanted points, at least one and at most 500\.$") as caught:
        counted(points, "wanted points")
    assert len(str(caught.value)) < 200


# ------------------------------------------------------------------------------------------------------ history


def test_records_thin_out_and_stay_a_function_of_stride_and_step():
    history = History({}, (), ("total",), 8)
    for step in range(30):
        if step % history.stride == 0:
            history.add(Record(step, Measured(step, 0), {}))
    assert (history.stride, list(history.records)) == (4, [0, 4, 8, 12, 16, 20, 24, 28])
    assert [history.before(step).step for step in (0, 3, 4, 11, 29)] == [0, 0, 4, 8, 28]
    history.changes = {2: (("undo",),), 12: (("undo",),)}
    history.tip = (29, Measured(29, 0))
    history.cut(10)
    assert (history.last, history.tip, list(history.records), list(history.changes)) == (10, None, [0, 4, 8], [2])


def test_the_curve_shows_the_columns_asked_for_and_ends_at_the_tip():
    history = History({}, (), ("drawn", "total"), 8)
    assert history.curve().shape == (0, 3)
    history.add(Record(0, Measured(5, None), {}))
    history.tip = (3, Measured(7, 2))
    assert history.curve().dtype == torch.float32
    assert torch.equal(history.curve().nan_to_num(-1), torch.tensor([[0.0, -1, 5], [3, 2, 7]]))
    history.add(Record(3, Measured(7, 2), {}))
    assert len(history.curve()) == 2, "a tip that is a record is no second point"


def test_a_change_that_overrides_the_one_before_takes_its_place():
    history = History({}, (), (), 8)
    for change in (
        ("set", {"a": 1, "b": 1}), ("set", {"b": 2}), ("weight", 0, 1, 2, 0.5), ("weight", 0, 1, 2, 0.7),
        ("weight", 0, 1, 1, 0.7), ("bias", 0, 1, 3), ("bias", 0, 1, 4), ("turn", "D"), ("turn", "G"), ("set", {"a": 3}),
    ):  # fmt: skip
        history.note(4, change)
    assert history.changes == {
        4: (
            ("set", {"a": 1, "b": 2}), ("weight", 0, 1, 2, 0.7), ("weight", 0, 1, 1, 0.7), ("bias", 0, 1, 4),
            ("turn", "D"), ("turn", "G"), ("set", {"a": 3}),
        )
    }  # fmt: skip
    twin = history.copy()
    twin.note(5, ("undo",))
    assert 5 not in history.changes


def test_what_was_copied_does_not_change_with_its_source():
    state = {"a": torch.zeros(2, requires_grad=True), "b": [torch.zeros(1), (1, "x")]}
    kept = copied(state)
    with torch.no_grad():
        state["a"] += 1
        state["b"][0] += 1
    assert kept["a"].tolist() == [0, 0]
    assert not kept["a"].requires_grad
    assert (kept["b"][0].tolist(), kept["b"][1]) == ([0], (1, "x"))


# ------------------------------------------------------------------------------------------------------ run


def made(**values):
    return Count({"by": 1.0, "seed": 0} | values)


def walked(run, steps):
    for _ in range(steps):
        run.step()
    return run


def test_a_setting_at_the_beginning_always_was_so_and_an_event_never():
    run = made()
    run.change(("set", {"by": 3.0}))
    run.change(("points", [[0, 0]]))
    assert (run.history.changes, run.history.values["by"], run.history.drawn) == ({}, 3.0, (((0, 0),),))
    run.change(("jump", 50.0))
    assert run.history.changes == {0: (("jump", 50.0),)}


def test_going_back_and_on_is_the_same_run_with_its_changes():
    run = walked(made(), 10)
    run.change(("set", {"by": 5.0}))
    walked(run, 3)
    run.change(("jump", 100.0))
    walked(run, 17)
    totals = [*range(11), 15, 20, 100, *range(105, 190, 5)]
    for step in (30, 0, 13, 29, 12, 10, 9, 30):
        run.scrub(step)
        assert (run.at, run.total, run.values["by"]) == (step, totals[step], 5.0 if step >= 10 else 1.0)
    assert run.history.last == 30


def test_the_record_of_a_step_holds_the_changes_made_there():
    run = walked(made(), 4)
    run.change(("set", {"by": 5.0}))
    assert (run.history.stride, list(run.history.records)) == (1, [0, 1, 2, 3, 4])
    run.scrub(2)
    run.scrub(4)
    assert run.values["by"] == 5
    run.scrub(3)
    walked(run, 2)
    run.scrub(4)
    assert (run.values["by"], run.total) == (5, 4)


def test_a_change_drops_what_came_after():
    run = walked(made(), 20)
    run.scrub(6)
    run.change(("set", {"by": 2.0}))
    assert (run.history.last, run.history.stride, max(run.history.records)) == (6, 4, 4)
    assert run.history.curve()[-1].tolist() == [4, 4]
    walked(run, 2)
    assert run.total == 10


def test_a_run_that_ended_can_be_gone_back_in():
    run = made()
    run.change(("points", [[0, 0]] * 400))
    walked(run, 10)
    assert (run.at, run.diverged, run.history.last) == (3, 3, 3)
    run.scrub(1)
    assert run.running
    run.scrub(3)
    assert not run.running


# ------------------------------------------------------------------------------------------------------ share


def busy():
    run = made(by=2.0)
    run.change(("points", [[1.0, 2.0]]))
    walked(run, 4)
    run.change(("set", {"by": 3.0}))
    run.change(("undo",))
    walked(run, 20)
    run.scrub(9)
    return run


def test_a_run_as_json_is_the_same_run_again():
    run = busy()
    state = json.loads(json.dumps(packed(run)))
    assert state == {
        "values": {"by": 2.0, "seed": 0}, "drawn": [[[1.0, 2.0]]], "step": 9, "last": 24, "stride": 4,
        "changes": [[4, ["set", {"by": 3.0}]], [4, ["undo"]]],
    }  # fmt: skip
    again = replayed(state, PARAMS)
    assert (again.at, again.total, again.history.last) == (9, run.total, 24)
    assert torch.equal(again.history.curve(), run.history.curve())
    assert packed(again) == packed(run)


def test_what_was_done_by_hand_at_the_beginning_is_shared_too():
    run = made()
    run.change(("jump", 50.0))
    again = replayed(packed(walked(run, 2)), PARAMS)
    assert (again.total, again.history.changes) == (52, {0: (("jump", 50.0),)})


def test_a_run_that_is_too_long_is_not_packed():
    run = made()
    run.history.last = STEPS + 1
    with pytest.raises(ValueError, match=r"^this run has 20001 counts and 0 changes; at most 20000 and 2000 can be"):
        packed(run)
    run.history.last, run.history.changes = STEPS, {1: (("undo",),) * (CHANGES + 1)}
    with pytest.raises(ValueError, match="20000 counts and 2001 changes"):
        packed(run)


DAMAGE = [
    (None, "a run is no table"),
    ([], "a run is no table"),
    ({"values": None}, "it does not hold every setting"),
    ({"values": {"by": 1.0}}, "it does not hold every setting"),
    ({"values": {"by": 1.0, "seed": 0, "more": 1}}, "it does not hold every setting"),
    ({"values": {"by": 1e9, "seed": 0}}, "by=1e+09 is out of range: wanted a number from -10 to 10."),
    ({"drawn": None}, "its drawn points are no list"),
    ({"drawn": [[[0, 0]]] * (MOST_DRAWN + 1)}, "its drawn points are no list"),
    ({"drawn": [[[0, 0]] * 300] * 2}, "that would be 600 drawn points"),
    ({"drawn": [[]]}, "wanted [[x, y], ...], at least one"),
    ({"last": STEPS + 1}, "last=20001 is out of range"),
    ({"last": 3}, "step=9 is out of range: wanted a whole number from 0 to 3."),
    ({"step": None}, "step=None: wanted a whole number from 0 to 24."),
    ({"stride": 0}, "stride=0 is out of range"),
    ({"changes": None}, "it wants a list of at most 2000 changes"),
    ({"changes": [[0, ["undo"]]] * (CHANGES + 1)}, "it wants a list of at most 2000 changes"),
    ({"changes": [3]}, "a change is no pair"),
    ({"changes": [[1, ["undo"], 2]]}, "a change is no pair"),
    ({"changes": [[25, ["undo"]]]}, "the step of a change=25 is out of range: wanted a whole number from 0 to 24."),
    ({"changes": [[5, ["jump", 1]], [4, ["jump", 1]]]}, "the step of a change=4 is out of range"),
    ({"changes": [[1, []]]}, "a change has no name"),
    ({"changes": [[1, [3]]]}, "a change has no name"),
    ({"changes": [[1, "undo"]]}, "a change has no name"),
    ({"changes": [[1, ["undo"]], [2, ["undo"]]]}, "it takes points back where none are drawn"),
    ({"changes": [[1, ["points", [[0, 0]] * 500]]]}, "that would be 501 drawn points"),
]


@pytest.mark.parametrize(("damage", "words"), DAMAGE)
def test_what_comes_from_strangers_is_checked_before_anything_is_computed(damage, words, monkeypatch):
    state = {**packed(busy()), **damage} if isinstance(damage, dict) else damage
    monkeypatch.setattr(Count, "__init__", lambda *_, **__: pytest.fail("a run was begun"))
    with pytest.raises(ValueError) as caught:  # noqa: PT011 (the words are compared below)
        replayed(state, PARAMS)
    assert words in str(caught.value)


def test_the_end_of_a_run_ends_its_replay():
    state = packed(made()) | {"drawn": [[[0, 0]] * 500], "last": 9, "step": 9}
    assert replayed(state, PARAMS).at == 2


def test_what_is_not_expected_is_called_damaged():
    expect([0], "fine")
    with pytest.raises(ValueError, match=r"^this share string is damaged \(it is green\)\.$"):
        expect([], "it is green")


# ------------------------------------------------------------------------------------------------------ own


def test_a_fixed_parameter_is_refused_with_its_reason():
    own = Own({"seed": "the dice are your own"})
    own.refuse(frozenset({"by"}))
    with pytest.raises(ValueError, match=r"^seed cannot be set here: the dice are your own\.$"):
        own.refuse(frozenset({"by", "seed"}))


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (3, "net is a int; wanted a torch.nn.Module."),
        (nn.ReLU(), "the net has no parameter that can be trained (requires_grad)."),
        (nn.Linear(2, 1).requires_grad_(False), "the net has no parameter that can be trained (requires_grad)."),
        (nn.Linear(2, 1, device="meta"), "the net lives on meta; the yard runs on the CPU: net.cpu()."),
        (nn.Linear(2, 1).double(), "the net's parameters are not all float32; call net.float()."),
    ],
)
def test_a_network_that_cannot_be_trained_is_refused_with_what_to_do(model, words):
    with pytest.raises(ValueError) as caught:  # noqa: PT011 (the words are compared below)
        check_trainable(model, "net", called="the net", room="the yard")
    assert str(caught.value) == words


def test_a_network_that_can_be_trained_is_not_touched():
    model = nn.Sequential(nn.Linear(2, 1), nn.Dropout()).eval()
    check_trainable(model, "net", called="the net", room="the yard")
    assert not model.training


def test_watched_repeats_random_numbers_and_puts_all_back():
    model = nn.Sequential(nn.Dropout(), nn.Dropout().eval())
    before = torch.get_rng_state()
    outs = []
    for seed in (1, 1, 2):
        with watched(model, training=True, seed=seed):
            assert all(module.training for module in model.modules())
            outs.append(model(torch.ones(64, device="cpu")))
    assert torch.equal(outs[0], outs[1])
    assert not torch.equal(outs[0], outs[2])
    model.register_forward_hook(lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError), watched(model):
        model(torch.ones(1, device="cpu"))
    assert [module.training for module in model.modules()] == [True, True, False]
    assert torch.equal(torch.get_rng_state(), before)


# ------------------------------------------------------------------------------------------------------ engine


def test_forwards_back_and_anew():
    engine = CountEngine(by=2)
    engine.step(10)
    engine.set(by=5)
    engine.step(4)
    assert engine.describe() == "40"
    engine.back(5)
    assert (engine.describe(), engine.values["by"]) == ("18", 2)
    engine.step(2)
    assert (engine.describe(), engine.values["by"]) == ("25", 5), "past changes come again"
    engine.back(100)
    assert engine.snapshot().header["run"] == {"step": 0, "first": 0, "last": 14, "running": True}
    engine.add_points([[0, 0]])
    engine.add_points([[0, 0], [1, 1]])
    engine.undo_points()
    engine.step()
    assert engine.describe() == "1002"
    engine.reset()
    assert (engine.run.at, engine.run.history.last, len(engine.run.drawn)) == (0, 0, 1)
    engine.clear_points()
    engine.step()
    assert engine.describe() == "2"


def test_a_step_that_is_refused_changes_nothing():
    engine = CountEngine()
    engine.step(3)
    engine.ask(2)
    for act in (lambda: engine.scrub(4), lambda: engine.back(0), lambda: engine.step(-1)):
        with pytest.raises(ValueError, match="out of range"):
            act()
    assert (engine.run.at, engine.question.state) == (3, "asked")


def test_the_kept_run_stays_and_catches_up_two_steps_at_a_time():
    engine = CountEngine()
    engine.step(2)
    engine.fork()
    engine.scrub(0)
    engine.set(by=7)
    engine.step(2)
    assert (engine.run.at, engine.kept.at, engine.kept.total) == (2, 2, 2)
    engine.step(3)
    assert (engine.kept.at, engine.kept.total, engine.run.total) == (5, 5, 35)
    engine.kept = made()
    engine.step()
    assert engine.kept.at == 2
    engine.unfork()
    assert engine.kept is None


@pytest.mark.parametrize(("option", "hits"), [(0, 1), (1, 0)])
def test_a_question_hides_what_comes_until_it_is_there(option, hits):
    engine = CountEngine()
    engine.step(9)
    engine.scrub(4)
    engine.ask(2)
    assert not engine.running
    seen = engine.snapshot()
    assert seen.arrays["curve"][-1].tolist() == [4, 4], "not the part that lies ahead"
    assert (seen.header["say"], seen.header["notice"]) == ("Step 4. Even or odd?", "wait")
    for act in (engine.fork, engine.unfork):
        with pytest.raises(ValueError, match="a question is open: answer it or cancel it first"):
            act()
    with pytest.raises(ValueError, match=r"option=2 is out of range: wanted a whole number from 0 to 1\."):
        engine.guess(2)
    engine.guess(option)
    with pytest.raises(ValueError, match=r"there is no open question; ask first\."):
        engine.guess(0)
    engine.step()
    hidden = engine.snapshot()
    assert (hidden.header["total"], hidden.header["say"]) == (4, "Step 5, the answer comes at step 6")
    assert hidden.header["run"]["step"] == 5
    assert not engine.pauses
    engine.step(10)
    assert (engine.run.at, engine.pauses, engine.running) == (6, True, True)
    assert engine.snapshot().header["prediction"] == {
        "state": "revealed", "asked_at": 4, "steps": 2, "target": 6, "guess": option, "answer": 0, "answered_at": 6,
        "right": option == 0, "options": ["even", "odd"], "asked_count": 1, "right_count": hits,
    }  # fmt: skip
    engine.step()
    assert (engine.run.at, engine.pauses) == (7, False)


def test_a_run_that_ends_before_its_question_is_no_answer():
    engine = CountEngine()
    engine.add_points([[0, 0]] * 400)
    engine.ask(50)
    engine.guess(1)
    engine.step(50)
    assert (engine.run.at, engine.question.state, engine.question.right, engine.asked_count) == (3, "revealed", None, 0)


@pytest.mark.parametrize("drop", [lambda e: e.forget(), lambda e: e.set(by=2), lambda e: e.back(), lambda e: e.reset()])
def test_a_change_or_going_back_drops_the_question(drop):
    engine = CountEngine()
    engine.step(3)
    engine.ask(2)
    drop(engine)
    assert engine.question is None
    assert engine.snapshot().header["prediction"] is None


def test_a_string_brings_back_both_runs_and_nothing_of_the_learners_own():
    engine = CountEngine(by=3)
    engine.step(5)
    engine.fork()
    engine.set(by=1)
    engine.step(2)
    again = CountEngine.from_share(engine.share())
    assert (again.run.total, again.kept.total, again.values["by"]) == (17, 21, 1)
    assert again.share() == engine.share()
    engine.own = Own({"seed": "the dice are your own"})
    with pytest.raises(ValueError, match=r"holds settings and drawn points, not your own fingers\. Share the code"):
        engine.share()
    engine.restore(again.state())
    assert not engine.own


def test_the_limits_are_those_that_the_strings_were_made_with():
    assert (share.STEPS, share.CHANGES, MOST_DRAWN) == (20_000, 2_000, 500)
