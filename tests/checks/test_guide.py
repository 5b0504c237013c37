"""Hints in tiers, solutions after a try, progress and the way on."""

import ast
import inspect
import math
from collections import Counter
from pathlib import Path

import pytest
import torch

from dlcourse import checks
from dlcourse.checks import CheckFailed, guide, record
from dlcourse.checks.outcome import UnknownExercise
from dlcourse.checks.registry import EXERCISES


@pytest.fixture(autouse=True)
def _fresh(monkeypatch):
    monkeypatch.setattr(guide, "_asked", Counter())
    monkeypatch.setattr(record, "_attempts", Counter())
    monkeypatch.setattr(record, "_done", set())
    monkeypatch.delenv("DLCOURSE_GRADED", raising=False)


def test_hints_grow_and_the_last_one_stays(exercise):
    shown = [repr(checks.hint(exercise.id)) for _ in range(4)]
    assert len(set(shown)) == 3
    assert shown[2] == shown[3]
    for text, hint in zip(shown, exercise.hints, strict=False):
        assert hint in text
    assert "an idea" in shown[0]
    assert "nearly the code" in shown[2]


@pytest.mark.parametrize("part", "abcde")
def test_a_part_has_hints_of_its_own(part):
    shown = [repr(checks.hint("03.loops", part)) for _ in range(4)]
    assert len(set(shown)) == 3
    assert shown[2] == shown[3]
    assert all(f"03.loops ({part}), hint" in text for text in shown)
    assert "hint 1 of 3" in repr(checks.hint("03.loops"))


@pytest.mark.parametrize(("id", "message"), [("03.loops", "the parts a, b, c, d, e"), ("03.adam", "no parts")])
def test_unknown_parts_are_named(id, message):
    with pytest.raises(UnknownExercise, match=message):
        checks.hint(id, "f")


def test_hints_are_escaped_in_html():
    html = checks.hint("01.xor")._repr_html_()
    assert html.startswith("<div")
    assert "<p " in html
    checks.hint("01.perceptron")
    assert "&lt;=" in checks.hint("01.perceptron")._repr_html_()


def test_unknown_id_names_the_near_ones():
    with pytest.raises(ValueError, match=r"01\.sigmoid"):
        checks.hint("01.sigmiod")
    with pytest.raises(ValueError, match="no exercise"):
        checks.solution("sigmoid?!")


@pytest.mark.parametrize("ask", [checks.hint, checks.solution])
def test_jupyter_shows_an_unknown_id_in_one_message(ask):
    with pytest.raises(ValueError, match="Did you mean") as caught:
        ask("01.sigmiod")
    assert caught.value._render_traceback_() == [str(caught.value)]


def test_solution_wants_a_try(exercise):
    assert "Try" in repr(checks.solution(exercise.id))
    with pytest.raises(CheckFailed):
        getattr(checks, exercise.name)(3)
    shown = repr(checks.solution(exercise.id))
    assert exercise.walkthrough in shown
    assert inspect.getsource(exercise.reference).strip() in shown
    assert "<pre>" in checks.solution(exercise.id)._repr_html_()


def test_untouched_stub_is_no_try():
    def stub(x):
        raise checks.NotStarted

    with pytest.raises(checks.NotStarted):
        checks.sigmoid(stub)
    assert "Try 01.sigmoid once" in repr(checks.solution("01.sigmoid"))


def test_solution_is_closed_in_graded_work(monkeypatch, exercise):
    getattr(checks, exercise.name)(exercise.reference)
    monkeypatch.setenv("DLCOURSE_GRADED", "1")
    assert "closed in graded work" in repr(checks.solution(exercise.id))


def test_worked_answer_is_complete(exercise):
    """What `solution` shows passes the check as it stands in a notebook."""
    names = {"math": math, "torch": torch}  # what the exercise notebooks import
    exec(inspect.getsource(exercise.reference), names)
    getattr(checks, exercise.name)(names[exercise.reference.__name__])


def test_walkthrough_is_two_sentences(exercise):
    assert exercise.walkthrough.count(". ") + 1 == 2


def test_progress_and_the_way_on():
    assert repr(checks.continue_here()).startswith("Next: 00.accuracy, ")
    assert repr(checks.progress()).count("not started") == len(EXERCISES)
    checks.accuracy(EXERCISES["00.accuracy"].reference)
    with pytest.raises(CheckFailed):
        checks.sigmoid(torch.tanh)
    table = repr(checks.progress())
    assert "done" in table.splitlines()[0]
    assert "tried 1 time" in table.splitlines()[1]
    following = "Next: 01.sigmoid, A sigmoid that survives (up to 8 minutes), in "
    assert repr(checks.continue_here()) == following + "exercises/01-neurons/01-neurons-exercises.ipynb"
    assert 'href="../exercises/01-neurons/01-neurons-exercises.ipynb"' in checks.continue_here()._repr_html_()
    assert "<th scope" in checks.progress()._repr_html_()
    for exercise in EXERCISES.values():
        getattr(checks, exercise.name)(exercise.reference)
    assert "Every exercise so far is done" in repr(checks.continue_here())


def test_every_exercise_is_well_formed(exercise):
    assert EXERCISES[exercise.id] is exercise
    assert exercise.objectives
    assert all(objective.startswith(exercise.id[:2] + "-O") for objective in exercise.objectives)
    assert 1 <= exercise.difficulty <= 5
    assert 1 <= exercise.minutes <= 30
    assert len(exercise.hints) == 3
    assert exercise.ranges
    assert exercise.name in checks.__all__


def test_offered_names_are_those_of_the_exercises():
    assert set(checks.__all__) == {
        *(exercise.name for exercise in EXERCISES.values()),
        *("CheckFailed", "NotStarted", "hint", "solution", "progress", "continue_here", "hidden_seeds"),
    }
    with pytest.raises(AttributeError, match="sigmoid"):
        checks.no_such_check  # noqa: B018


def test_this_room_catches_no_bare_exception():
    """`except Exception` stands in one place, where the learner's code is run."""
    found = []
    for path in Path(checks.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ExceptHandler):
                assert node.type is not None, path
                if isinstance(node.type, ast.Name) and node.type.id in ("Exception", "BaseException"):
                    found.append(path.name)
    assert found == ["subject.py"]
