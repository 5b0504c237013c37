"""The base of every engine, and what becomes of a share string on its way through the hands of strangers."""

import base64
import contextlib
import json
import subprocess
import sys
import time
import tracemalloc
import zlib
from typing import ClassVar

import pytest
from dlcourse_demo_engine import DemoEngine
from hypothesis import assume, given
from hypothesis import strategies as st

from dlcourse.widgets.engine import LONGEST, Engine
from dlcourse.widgets.params import Flag, Number, Whole


class Small(Engine):
    """Two numbers that must not be equal, and a note of what was told to `changed`."""

    name = "small"
    params: ClassVar = {
        "a": Number(label="A", default=0.0, low=0, high=10),
        "b": Whole(label="B", default=5, low=0, high=10),
        "on": Flag(label="On", default=False),
    }

    def __init__(self, /, **values):
        super().__init__(**values)
        self.told = []

    def changed(self, names):
        if self.values["a"] == self.values["b"]:
            raise ValueError("a and b are equal: change one of them.")
        self.told.append(set(names))


# --- parameters -------------------------------------------------------------------------------------------------------


def test_parameters_begin_with_their_defaults_or_what_is_given():
    assert Small().values == {"a": 0.0, "b": 5, "on": False}
    assert Small(b=7.0, on=True).values == {"a": 0.0, "b": 7, "on": True}
    assert Small().values is not Small().values


@pytest.mark.parametrize("wrong", [{"c": 1}, {"a": 11}, {"a": 1, "on": 1}, {"self": 1}, {"values": 1}])
def test_what_does_not_exist_or_fit_is_refused(wrong):
    with pytest.raises(ValueError, match=r"wanted|has no parameter"):
        Small(**wrong)
    engine = Small()
    with pytest.raises(ValueError, match=r"wanted|has no parameter"):
        engine.set(**wrong)


def test_an_unknown_name_is_answered_with_the_known_ones():
    with pytest.raises(ValueError, match=r"^small has no parameter 'rate'; it has a, b, on\.$"):
        Small().set(rate=1)


def test_set_tells_what_has_changed_and_only_that():
    engine = Small()
    engine.set(a=1, b=5)
    engine.set(a=1.0, on=False)
    engine.set()
    engine.set(b=6, on=True)
    assert engine.told == [{"a"}, {"b", "on"}]
    assert engine.values == {"a": 1.0, "b": 6, "on": True}


@pytest.mark.parametrize("wrong", [{"a": 3, "b": 99}, {"a": 3, "c": 1}, {"on": True, "a": 5}, {"b": 4, "a": 4}])
def test_set_is_all_or_nothing(wrong):
    engine = Small(a=2)
    with pytest.raises(ValueError, match=r"wanted|has no|are equal"):
        engine.set(**wrong)
    assert engine.values == {"a": 2.0, "b": 5, "on": False}
    assert engine.told == []


def test_set_is_all_or_nothing_also_when_it_is_interrupted():
    class Stopped(Small):
        def changed(self, names):
            raise KeyboardInterrupt

    engine = Stopped()
    with contextlib.suppress(KeyboardInterrupt):
        engine.set(a=3)
    assert engine.values["a"] == 0


def test_an_engine_that_only_shows_something_never_runs():
    engine = Small()
    assert not engine.running
    assert not engine.pauses
    assert engine.actions == frozenset()
    engine.reset()
    engine.step(3)
    with pytest.raises(NotImplementedError):
        engine.snapshot()
    with pytest.raises(NotImplementedError):
        engine.describe()


# --- share strings ----------------------------------------------------------------------------------------------------


def packed(text: str | bytes, name: str = "small.1") -> str:
    """A share string with this JSON inside, well-formed or not."""
    data = zlib.compress(text.encode() if isinstance(text, str) else text, 9)
    return f"{name}.{base64.urlsafe_b64encode(data).decode().rstrip('=')}"


@given(st.builds(dict, a=st.floats(0, 10), b=st.integers(0, 10), on=st.booleans()))
def test_there_and_back_again(values):
    assume(values["a"] != values["b"])
    engine = Small(**values)
    text = engine.share()
    assert Small.from_share(text).values == engine.values
    assert Small.from_share(f"  {text}\n").values == engine.values, "copied with what stands around it"
    assert Small(**values).share() == text, "the same settings give the same string"
    assert text.isascii()
    assert not set(text) & set(" +/=\"'\\<>&")


def test_a_share_string_of_the_demo_holds_its_state_too():
    engine = DemoEngine(level=0.25, layers=[1, 2], marks=["b"])
    engine.step(12)
    again = DemoEngine.from_share(engine.share())
    assert (again.count, again.values) == (12, engine.values)
    assert type(again) is DemoEngine
    assert len(engine.share()) < 250


@pytest.mark.parametrize(
    "foreign",
    [
        "",
        " ",
        "small",
        "small.",
        "small.2.abc",
        "small.01.abc",
        "Small.1.abc",
        "demo.1.abc",
        "http://x",
        "{}",
        "small1.",
        "\x00",
    ],
)
def test_a_foreign_string_is_told_by_its_beginning(foreign):
    with pytest.raises(ValueError, match=r"begins with .* with 'small\.1\.'") as caught:
        Small.from_share(foreign)
    assert repr(foreign.strip()[:24]) in str(caught.value)


def test_only_the_beginning_of_a_long_foreign_string_is_repeated():
    with pytest.raises(ValueError, match="begins with") as caught:
        Small.from_share("x" * 10**6)
    assert len(str(caught.value)) < 250


def test_another_edition_is_told_apart():
    class Newer(Small):
        version = 2

    with pytest.raises(ValueError, match="widget or edition"):
        Newer.from_share(Small().share())
    assert Newer(b=2).share().startswith("small.2.")


@pytest.mark.parametrize("thing", [None, 3, b"small.1.abc", ["small.1.abc"], {"text": "x"}])
def test_what_is_no_text_at_all(thing):
    with pytest.raises(ValueError, match=r"a share string was wanted, and .* came"):
        Small.from_share(thing)


GOOD = Small(a=1.5, b=7, on=True).share()


@pytest.mark.parametrize("cut", range(len("small.1."), len(GOOD)))
def test_a_string_that_was_cut_short_is_damaged(cut):
    with pytest.raises(ValueError, match=r"this share string is damaged .* from 'small' on"):
        Small.from_share(GOOD[:cut])


@given(st.integers(len("small.1."), len(GOOD) - 1), st.sampled_from("abcXYZ019-_ .~é\n\x00"))
def test_one_wrong_character_is_noticed_or_changes_nothing(place, character):
    text = GOOD[:place] + character + GOOD[place + 1 :]
    try:
        engine = Small.from_share(text)
    except ValueError as error:
        assert "damaged" in str(error)  # noqa: PT017
    else:
        assert engine.values == {"a": 1.5, "b": 7, "on": True}


@given(st.text(max_size=60))
def test_any_text_after_the_beginning_is_a_value_error(rest):
    with pytest.raises(ValueError, match="damaged"):
        Small.from_share(f"small.1.{rest}")


@given(st.binary(max_size=60))
def test_any_bytes_inside_are_a_value_error_or_settings(data):
    for text in (packed(data), f"small.1.{base64.urlsafe_b64encode(data).decode()}"):
        with contextlib.suppress(ValueError):
            Small.from_share(text)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers(-(10**400), 10**400) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from([*DemoEngine.params, "self", "values", "names", "__class__", "params", ""])


@given(st.dictionaries(st.sampled_from(["params", "count", "x"]), JSON | st.dictionaries(NAMES, JSON, max_size=3)))
def test_any_json_inside_is_a_value_error_or_settings(state):
    try:
        engine = DemoEngine.from_share(packed(json.dumps(state), "demo.1"))
    except ValueError:
        return
    assert {name: param.check(name, engine.values[name]) for name, param in engine.params.items()} == engine.values


@pytest.mark.parametrize(
    ("inside", "says"),
    [
        ("", "damaged"),
        ("{", "damaged"),
        ("nothing", "damaged"),
        ("{} {}", "damaged"),
        ("[]", "holds no settings"),
        ("null", "holds no settings"),
        ('"params"', "holds no settings"),
        ('{"params": []}', "'params' is no table"),
        ('{"params": null}', "'params' is no table"),
        ('{"params": {"c": 1}}', "has no parameter 'c'"),
        ('{"params": {"self": 1}}', "has no parameter 'self'"),
        ('{"params": {"a": "1"}}', "wanted a number"),
        ('{"params": {"a": 11}}', "out of range"),
        ('{"params": {"a": NaN}}', "it holds NaN"),
        ('{"params": {"a": -Infinity}}', "it holds -Infinity"),
        ('{"params": {"a": 1e999}}', "wanted a number"),
        ('{"params": {"a": 1' + "0" * 400 + "}}", "wanted a number"),
        ('{"params": {"a": 1' + "0" * 5000 + "}}", "damaged"),
        ('{"params": {"a": {"b": {}}}}', "wanted a number"),
        ('{"params": {"\\ud800": 1}}', r"has no parameter '\\ud800'"),
        (b'\xff{"params": {}}', "damaged"),
    ],
)
def test_hostile_json(inside, says):
    with pytest.raises(ValueError, match=says) as caught:
        Small.from_share(packed(inside))
    assert len(str(caught.value)) < 400
    str(caught.value).encode()  # it goes to a browser


@pytest.mark.parametrize("deep", ["[" * 90_000, "[" * 50_000 + "]" * 50_000, '{"a":' * 30_000 + "1" + "}" * 30_000])
def test_deep_nesting_is_damage_and_no_crash(deep):
    with pytest.raises(ValueError, match=r"damaged|holds no settings"):
        Small.from_share(packed(deep))


def test_a_zip_bomb_does_not_go_off():
    bomb = packed(b'{"params": {"a": ' + b" " * 50_000_000 + b"1}}")
    assert len(bomb) < 70_000
    tracemalloc.start()
    began = time.perf_counter()
    with pytest.raises(ValueError, match="too long"):
        Small.from_share(bomb)
    assert time.perf_counter() - began < 1
    assert tracemalloc.get_traced_memory()[1] < 5_000_000
    tracemalloc.stop()


def test_the_longest_state_that_is_taken():
    def filled(length):
        start, end = '{"params": {"a": 1}, "x": "', '"}'
        return start + "x" * (length - len(start) - len(end)) + end

    assert Small.from_share(packed(filled(LONGEST - 1))).values["a"] == 1
    with pytest.raises(ValueError, match="too long"):
        Small.from_share(packed(filled(LONGEST + 1)))


@pytest.mark.parametrize("state", [{}, {"count": "x"}, {"count": None}, {"count": [1]}, {"count": {}}])
def test_whatever_restore_stumbles_over_is_a_value_error(state):
    """Also where an engine's own `restore` does not look before it reaches."""
    with pytest.raises(ValueError, match=r"share string|invalid literal"):
        DemoEngine.from_share(packed(json.dumps(state), "demo.1"))


def test_a_state_that_is_no_json_is_not_shared():
    engine = Small()
    engine.values["a"] = float("nan")
    with pytest.raises(ValueError, match="JSON"):
        engine.share()


# --- what is loaded ---------------------------------------------------------------------------------------------------

WITHOUT = """
import sys
class Wall:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"ipywidgets", "anywidget", "IPython", "comm"}:
            raise ImportError(f"{name} is not installed")
sys.meta_path.insert(0, Wall())
"""


def python(code: str) -> None:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr


def test_the_engines_and_their_pictures_do_without_a_notebook():
    python(
        WITHOUT
        + """
import torch
import dlcourse.widgets as widgets
from dlcourse import generator, models
network = models.lenet(image=(1, 8, 8), generator=generator(0))
needs = {"FeatureMapExplorerEngine": (network, torch.zeros(2, 1, 8, 8), torch.tensor([0, 1]))}
for name in widgets.__all__:
    if name.endswith("Engine"):
        own = needs.get(name, ())
        engine = getattr(widgets, name)(*own)
        engine.step()
        engine.snapshot(), engine.describe(), type(engine).from_share(engine.share(), *own)
import dlcourse.widgets.runner
assert not {"ipywidgets", "anywidget", "IPython", "comm"} & set(sys.modules)
"""
    )


def test_no_widget_is_loaded_by_the_front_door_or_the_command_line():
    loaded = "bad = [n for n in sys.modules if n.startswith('dlcourse.widgets.') or n in ('ipywidgets', 'anywidget')]"
    python(f"import sys, dlcourse; {loaded}; assert not bad, bad")
    python(f"import sys, dlcourse.widgets; {loaded} + ['torch'] * ('torch' in sys.modules); assert not bad, bad")
    python(
        "import sys; sys.argv = ['dlcourse', '--help']\n"
        "try:\n    import dlcourse.cli; dlcourse.cli.main()\nexcept SystemExit as end:\n    assert not end.code\n"
        f"{loaded}; assert not bad, bad"
    )
