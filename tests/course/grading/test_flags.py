"""Notes on what does an exercise's work ready-made; the table knows every exercise and names only what is there."""

import importlib
import json
import re
import time
from pathlib import Path

import pytest
import torch
from dlcourse_styles import ROOT, source_of, tables
from hypothesis import given
from hypothesis import strategies as st

from dlcourse.checks.registry import EXERCISES
from dlcourse.course.grading.judge import flags
from dlcourse.course.grading.judge.flags import NOTHING, READY, imports_reference

USES = "{} uses {}, which does the work that the exercise asks for."


def test_every_exercise_is_in_the_table_or_named_as_having_nothing():
    assert sorted([*READY, *NOTHING]) == sorted(EXERCISES)


def answer_cells():
    for path in sorted(ROOT.glob("solutions/*/*.ipynb")):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            marks = cell["metadata"].get("nbgrader", {})
            if marks.get("solution"):
                yield path.parent.name, marks["grade_id"], cell


def test_every_answer_cell_belongs_to_its_exercise():
    found = {
        (name, id): flags.exercise_of(name, id) for name, id, cell in answer_cells() if cell["cell_type"] == "code"
    }
    assert set(found.values()) == set(EXERCISES) - {"00.accuracy"}
    assert {id for (_, id), exercise in found.items() if exercise == "03.loops"} == {
        f"loop-{letter}-answer" for letter in "abcde"
    }
    manual = [(name, id) for name, id, cell in answer_cells() if cell["cell_type"] == "markdown"]
    assert [flags.exercise_of(*each) for each in manual] == [""] * len(manual)


HOMES = (
    *(torch, torch.nn, torch.nn.functional, torch.optim, torch.special, torch.func, torch.autograd.functional),
    *(torch.Tensor, importlib.import_module("torch.optim.adam"), importlib.import_module("torch.optim.adamw")),
)


@pytest.mark.parametrize("entry", sorted({entry for entries in READY.values() for entry in entries}))
def test_what_the_table_names_is_there(entry):
    place, name = entry.split(".")
    if place == "torch":
        assert any(hasattr(home, name) for home in HOMES)
    elif place == "scipy":
        assert hasattr(importlib.import_module("scipy.special"), name)
    elif place == "sklearn":
        assert hasattr(importlib.import_module("sklearn.linear_model"), name)
    elif place == "captum":
        assert hasattr(importlib.import_module("captum.attr"), name)
    elif place == "graphlib":
        assert hasattr(importlib.import_module("graphlib"), name)
    else:
        assert hasattr(importlib.import_module(f"dlcourse.{place}"), name)


@pytest.mark.parametrize("exercise", READY)
def test_every_entry_is_noted_in_each_form(exercise):
    for entry in READY[exercise]:
        place, name = entry.split(".")
        whole = entry if place in ("torch", "scipy", "sklearn", "captum", "graphlib") else f"dlcourse.{entry}"
        wanted = (USES.format(exercise, whole),)
        module = whole.rpartition(".")[0]
        assert imports_reference(f"from {module} import {name} as mine\ny = mine(1)", exercise) == wanted
        assert imports_reference(f"import {module}\ny = {whole}(1)", exercise) == wanted
        assert imports_reference(f"import {module} as m\ny = getattr(m, {name[:2]!r} + {name[2:]!r})", exercise) in (
            wanted,
            (f"Takes a name from {module} that is made while the program runs.",) if len(name) <= 2 else wanted,
        )
        assert (
            imports_reference("s = mine(x)\nt = mine", exercise, [f"import {module} as m\nmine = m.{name}"]) == wanted
        )
        assert wanted[0] in imports_reference(f"from {module} import *\n{name}(x)", exercise)


# --- what right answers use -------------------------------------------------------------------------------------------

# (exercise, name) of right answers in tests/checks that have it done by torch or by the package.
READY_MADE = {
    *(("01.sigmoid", "torch_sigmoid"), ("01.cross_entropy", "by_torch"), ("01.cross_entropy", "by_logsumexp")),
    *(("02.local-derivatives", "by_torch_autograd"), ("02.unbroadcast", "by_the_slope_of_expand")),
    *(("02.batch-norm", "by_torch"), ("03.adam", "with_torch_optim"), ("03.adamw", "adamw_with_torch_optim")),
    *(("05.conv2d", "by_torch"), ("05.max_pool", "by_torch_itself"), ("08.lstm_cell", "by_torchs_own_cell")),
    *(("08.radius", "by_the_package"), ("08.windows", "answer"), ("08.windows", "by_the_package")),
    *(("08.debug", "with_torch_layers"), ("15.pgd", "exact_without_halving")),
}


def test_right_answers_are_noted_exactly_where_they_take_the_work_ready_made():
    noted = {(id, name) for id, name, answer in tables()[1] if imports_reference(source_of(answer), id)}
    assert noted == READY_MADE


def test_neither_solutions_nor_references_are_noted():
    for name, id, cell in answer_cells():
        if cell["cell_type"] == "code":
            assert imports_reference("".join(cell["source"]), flags.exercise_of(name, id)) == ()
    for id, exercise in EXERCISES.items():
        assert imports_reference(source_of(exercise.reference), id) == ()


@pytest.mark.parametrize("path", sorted(ROOT.glob("exercises/*/*.ipynb")), ids=lambda path: path.parent.name)
def test_a_released_notebook_is_not_noted(path):
    cells = [cell for cell in json.loads(path.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"]
    answers = {
        cell["metadata"].get("nbgrader", {}).get("grade_id", cell["id"]): "".join(cell["source"]) for cell in cells
    }
    assert flags.notes(path.parent.name, answers) == ()


# --- what no exercise needs -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("from dlcourse.checks.ch01.sigmoid import sigmoid", "dlcourse.checks.ch01.sigmoid, where the checks keep"),
        ("from dlcourse.checks.registry import find", "dlcourse.checks.registry.find"),
        ("from dlcourse.checks import registry as r", "dlcourse.checks.registry"),
        ("answer = checks.ch01.sigmoid.sigmoid", "dlcourse.checks.ch01.sigmoid"),
        ("import dlcourse.checks.ch05.conv2d as c", "dlcourse.checks.ch05.conv2d"),
        ("from dlcourse import checks as c\nc.seeds.use({})", "dlcourse.checks.seeds.use"),
        ("f = find('01.sigmoid').reference", "Takes a .reference"),
        ("import importlib\nm = importlib.import_module('dlcourse.' + 'checks')", "importlib.import_module"),
        ("from importlib import import_module as im\nim('x')", "importlib.import_module"),
        ("__import__('dlcourse')", "__import__"),
        ("eval('tor' + 'ch')", "eval"),
        ("import sys\nsys.modules['dlcourse.checks']", "sys.modules"),
        ("f = getattr(torch, name)", "Takes a name from torch that is made"),
        ("from inspect import getsource", "inspect.getsource"),
        ("%matplotlib inline\n!ls\nexec('x = 1')", "exec"),
    ],
)
def test_ways_around_are_noted(text, words):
    (note,) = imports_reference(text)
    assert words in note
    assert note.endswith(".")
    assert note.count(". ") == 0


@pytest.mark.parametrize(
    "text",
    [
        "from dlcourse.checks import CheckFailed, NotStarted\nchecks.sigmoid(sigmoid)\nchecks.hint('01.sigmoid')",
        "def sigmoid(x):\n    return 1 / (1 + torch.exp(-x))\ny = sigmoid(x)",
        "class Net:\n    def sigmoid(self, x):\n        return x\nNet().sigmoid(1)",
        "# torch.sigmoid would be easy\nprint('torch.sigmoid')",
        "value = getattr(model, name)",
        "x = (1 +",
        "",
    ],
)
def test_honest_text_is_not_noted(text):
    assert imports_reference(text, "01.sigmoid") == ()


def test_notes_are_by_exercise_and_see_the_imports_of_other_cells():
    answers = {
        "sigmoid-answer": "def sigmoid(x):\n    return s(x)",
        "cross_entropy-answer": "def cross_entropy(z, y):\n    return torch.sigmoid(z)",
        "explain-manual": "I used torch.sigmoid and `eval`.",
    }
    assert flags.notes("01-neurons", answers, ["from torch import sigmoid as s", "eval('1')"]) == (
        USES.format("01.sigmoid", "torch.sigmoid"),
        "Uses eval, by which a program can reach what its text does not name.",
    )


@given(st.text(max_size=100), st.sampled_from(sorted(READY)))
def test_any_text_gives_sentences(text, exercise):
    assert all(re.fullmatch(r".+\.", note) for note in imports_reference(text, exercise))


@pytest.mark.parametrize("text", ["(" * 5_000, "x." * 50_000 + "y", "-" * 100_000 + "1", "\x00", "x" + ".y" * 2_000])
def test_text_made_to_break_a_parser_does_not(text):
    assert imports_reference(text, "01.sigmoid") == ()


def test_more_text_than_anybody_writes_is_not_looked_through():
    """The parser's time and memory for a text are a stranger's to choose, and nothing else limits this process."""
    honest = "def sigmoid(x):\n    return torch.sigmoid(x)"
    room = flags.MOST_TEXT - len(honest)
    noted = USES.format("01.sigmoid", "torch.sigmoid")
    assert flags.notes("01-neurons", {"sigmoid-answer": honest}, ["#" * room]) == (noted,)
    assert flags.notes("01-neurons", {"sigmoid-answer": honest}, ["#" * room, "#"]) == (flags.TOO_LONG,)


MANY = {
    "cells": ["a = 1"] * 1_990,
    "expressions": ["f'" + "{1}" * 30_000 + "'"],
    "long names": ["\n".join(["import torch", *(f"torch{'.y' * 400}.z{number}" for number in range(110))])],
    "names of names": ["a0 = torch.a\n" + "\n".join(f"a{number + 1} = a{number}.a" for number in range(5_500))],
    "stars": ["".join(f"from t{number} import *\n" for number in range(2_000)) + "a, " * 15_000],
}


@pytest.mark.parametrize("texts", MANY.values(), ids=MANY)
def test_the_time_of_a_look_is_bounded(texts):
    # Each took from 6 seconds to minutes when every cell was read anew for every other, names were followed to their
    # ends, and texts had no limit; now a tenth of a second to one.
    assert sum(map(len, texts)) <= flags.MOST_TEXT
    started = time.process_time()
    flags.notes("01-neurons", {}, texts)
    assert time.process_time() - started < 4


def test_the_docstring_says_what_it_is_not():
    assert "not a security claim" in flags.__doc__
    assert "no security" in imports_reference.__doc__
    assert Path(flags.__file__).read_text().count("import torch") == 0


def test_a_package_alone_is_nothing_ready_made():
    assert imports_reference("import dlcourse, torch\ntorch.spy = dlcourse.spy = dlcourse", "01.sigmoid") == ()


def test_each_cell_is_read_once_however_many_there_are(monkeypatch):
    # GRADER does this itself: what grew with the square of the cells held it up for hours.
    read, parse = [], flags._parse
    monkeypatch.setattr(flags, "_parse", lambda text: read.append(text) or parse(text))
    texts = [f"x = {number}" for number in range(200)]
    assert flags.notes("01-neurons", {"sigmoid": "import torch"}, texts) == ()
    assert sorted(read) == sorted(["import torch", *texts])
