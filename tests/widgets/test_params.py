"""What may be set: every kind of parameter with good values, bad values and values meant to do harm."""

import inspect
import json
import math
import re
from fractions import Fraction

import numpy as np
import pytest
import torch
from dlcourse_demo_engine import DemoEngine
from dlcourse_node import NODE, evaluate

from dlcourse import widgets
from dlcourse.widgets.params import LONGEST, Choice, Flag, Number, Param, Several, Whole, Widths, whole

NUMBER = Number(label="n", default=0.5, low=-1, high=2)
LOG = Number(label="n", default=0.1, low=1e-4, high=10, log=True, zero=True)
WHOLE = Whole(label="n", default=3, low=0, high=10)
CHOICE = Choice(label="c", default="a", options=("a", "b"))
SEVERAL = Several(label="s", default=("a",), options=("a", "b", "c"))
FLAG = Flag(label="f", default=False)
WIDTHS = Widths(label="w", default=(4, 2), most=3, high=8)

TAKEN = [
    (NUMBER, -1, -1.0),
    (NUMBER, 2.0, 2.0),
    (NUMBER, np.float32(0.5), 0.5),
    (NUMBER, np.int64(1), 1.0),
    (NUMBER, torch.tensor(0.25), 0.25),
    (NUMBER, torch.tensor([[1.5]]), 1.5),
    (NUMBER, Fraction(1, 4), 0.25),
    (LOG, 0, 0.0),
    (LOG, -0.0, 0.0),
    (LOG, 1e-4, 1e-4),
    (WHOLE, 0, 0),
    (WHOLE, 10.0, 10),
    (WHOLE, np.int32(7), 7),
    (WHOLE, torch.tensor(7), 7),
    (CHOICE, "b", "b"),
    (SEVERAL, ["c", "a", "c"], ("a", "c")),
    (SEVERAL, "b", ("b",)),
    (SEVERAL, {"b"}, ("b",)),
    (FLAG, True, True),
    (WIDTHS, [], ()),
    (WIDTHS, [8, 1.0, np.int64(3)], (8, 1, 3)),
]


@pytest.mark.parametrize(("param", "value", "wanted"), TAKEN, ids=repr)
def test_a_value_comes_back_in_its_own_type(param, value, wanted):
    found = param.check("n", value)
    assert found == wanted
    assert type(found) is type(wanted)
    assert json.loads(json.dumps(found, allow_nan=False)) == (list(wanted) if isinstance(wanted, tuple) else wanted)
    assert not (isinstance(found, float) and math.copysign(1, found) < 0 <= wanted), "no minus zero"
    if isinstance(found, tuple):
        assert all(type(item) is type(wanted[0]) for item in found)


NO_NUMBER = [
    True, None, "1", b"1", 1j, math.nan, math.inf, -math.inf, [1], {}, object, 10**400, -(10**400), np.ones(2),
    torch.ones(2), torch.tensor(math.nan),
]  # fmt: skip
REFUSED = [
    *((param, value) for param in (NUMBER, LOG, WHOLE) for value in NO_NUMBER),
    *((WIDTHS, [value]) for value in NO_NUMBER),
    *((NUMBER, value) for value in (-1.0000001, 2.1, 1e300)),
    *((LOG, value) for value in (1e-5, -1, 10.1, 5e-324)),
    *((WHOLE, value) for value in (-1, 11, 2.5, 10.000001)),
    *((CHOICE, value) for value in ("c", "", "A", None, 0, ["a"], ("a",), {"a": 1})),
    *((SEVERAL, value) for value in ([], "", "ab", ["a", "z"], None, 3, [["a"]], {"a": 1}, [None])),
    *((FLAG, value) for value in (0, 1, "True", None, [])),
    *((WIDTHS, value) for value in ([1, 2, 3, 4], [0], [9], [1.5], [-1], "42", 4, None, {4: 2}, [[4]])),
]


@pytest.mark.parametrize(("param", "value"), REFUSED, ids=lambda item: f"{item!r:.60}".replace("\n", ""))
def test_anything_else_is_a_value_error_that_says_what_is_wanted(param, value):
    with pytest.raises(ValueError, match=r"^name=[\s\S]*wanted ") as caught:
        param.check("name", value)
    words = str(caught.value)
    assert len(words) < LONGEST + 200
    assert caught.value.__suppress_context__ or caught.value.__context__ is None, "one error, not two"
    if isinstance(param, (Choice, Several)):
        assert all(repr(option) in words for option in param.options)
    if isinstance(param, Number):
        assert f"from {param.low:g} to {param.high:g}" in words


@pytest.mark.parametrize(
    "param", [NUMBER, WHOLE, CHOICE, SEVERAL, FLAG, WIDTHS], ids=lambda param: type(param).__name__
)
def test_a_long_value_is_not_repeated_as_a_whole(param):
    with pytest.raises(ValueError, match=r"\.\.\.") as caught:
        param.check("n", "x" * 100_000)
    assert len(str(caught.value)) < 300


def test_of_zero_the_message_says_when_it_is_allowed():
    with pytest.raises(ValueError, match="wanted 0, or a number from"):
        LOG.check("rate", -1)
    with pytest.raises(ValueError, match=re.escape("level=-3 is out of range: wanted a number from -1 to 2.")):
        NUMBER.check("level", -3)


def test_a_whole_number_that_is_no_parameter_is_checked_in_the_same_words():
    assert [whole("step", value, 0, 9) for value in (0, 9, 3.0, np.int64(3), torch.tensor(3))] == [0, 9, 3, 3, 3]
    assert type(whole("step", 3.0, 0, 9)) is int
    for value in (-1, 10, 2.5):
        with pytest.raises(ValueError, match=r"^step=\S+ is out of range: wanted a whole number from 0 to 9\.$"):
            whole("step", value, 0, 9)
    for value in NO_NUMBER:
        with pytest.raises(ValueError, match=r"^step=[\s\S]*: wanted a whole number from 0 to 9\.$"):
            whole("step", value, 0, 9)


def test_the_base_decides_nothing():
    with pytest.raises(NotImplementedError):
        Param(label="p").check("p", 1)


def test_a_view_gets_all_it_needs_as_json():
    assert json.loads(json.dumps(LOG.spec(), allow_nan=False)) == {
        "kind": "number", "label": "n", "help": "", "default": 0.1, "low": 1e-4, "high": 10, "log": True, "zero": True,
        "digits": 2,
    }  # fmt: skip
    kinds = [type(param)(**vars(param)).spec()["kind"] for param in (NUMBER, WHOLE, CHOICE, SEVERAL, FLAG, WIDTHS)]
    assert kinds == ["number", "whole", "choice", "several", "flag", "widths"]


# --- every engine's table ---------------------------------------------------------------------------------------------

ENGINES = [DemoEngine, *(getattr(widgets, name) for name in widgets.__all__ if name.endswith("Engine"))]
TABLE = [pytest.param(engine, name, id=f"{engine.name}-{name}") for engine in ENGINES for name in engine.params]


@pytest.mark.parametrize(("engine", "name"), TABLE)
def test_each_parameter_makes_sense(engine, name):
    param = engine.params[name]
    assert param.check(name, param.default) == param.default
    assert type(param.check(name, param.default)) is type(param.default), "else the first view is told of a change"
    assert param.label
    assert not param.help or param.help.endswith("."), "one sentence"
    if isinstance(param, Number):
        assert param.low < param.high
        assert not param.log or param.low > 0, "no factor leads from 0 to anywhere"
        assert not param.zero or param.log
        assert param.digits >= 1 or not param.log
    if isinstance(param, (Choice, Several)):
        assert len(set(param.options)) == len(param.options) > 1


@pytest.mark.skipif(NODE is None, reason="node is not installed")
def test_each_slider_moves_one_place_at_a_time_and_never_out_of_range():
    numbers = {
        f"{engine.name} {name}": param
        for engine in ENGINES
        for name, param in engine.params.items()
        if isinstance(param, Number)
    }
    script = """Object.fromEntries(Object.entries(given).map(([name, param]) => {
        const scale = slider(param), values = [], places = [];
        for (let place = 0; place <= scale.positions; place += 1) {
            values.push(scale.toValue(place));
            places.push(scale.toPosition(values.at(-1)));
        }
        return [name, [values, places]];
    }))"""
    given = {name: param.spec() for name, param in numbers.items()}
    found = evaluate('import { slider } from "./dlcourse/widgets/js/scale.js";', script, given)
    for name, (values, places) in found.items():
        assert [numbers[name].check(name, value) for value in values] == values
        assert places == list(range(len(values))), f"{name}: an arrow key would be stuck"


@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.name)
def test_each_engine_can_do_what_it_lists(engine):
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", engine.name)
    for action in engine.actions:
        method = inspect.getattr_static(engine, action)
        assert inspect.isfunction(method), f"{action} is no method"
        assert not action.startswith("_")
    assert engine.actions.isdisjoint({"restore", "state", "changed", "opened", "from_share", "snapshot"}), (
        "not for a view"
    )
