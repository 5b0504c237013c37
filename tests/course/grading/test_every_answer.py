"""Through the grader, jail and all: every solution scores full, every named wrong answer of every check below it.

The wrong answers of a check travel as one submission: their file as a cell, and a test for each of them.
"""

import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

from dlcourse.checks.registry import EXERCISES, find
from dlcourse.course.grading.jail.sandbox import NoSandbox, probe
from dlcourse.course.grading.judge import one
from dlcourse.course.grading.spec import Spec, SpecCell, read_spec

ROOT = Path(__file__).parents[3]
FILES = sorted((ROOT / "tests" / "checks").glob("wrong_answers_ch*.py"))
ASSIGNMENTS = sorted(path.parent.name for path in (ROOT / "solutions").glob("*/*.ipynb"))
SEEDS = {exercise: [90_001, 90_002, 90_003] for exercise in EXERCISES}
# Stands in for tests/support/dlcourse_answers.py in the student's process.
COLLECT = """
import sys, types
WRONG, RIGHT = [], []
def into(answers):
    def of(exercise, phrase=None):
        return lambda answer: answers.append((exercise, answer)) or answer
    return of
sys.modules["dlcourse_answers"] = types.ModuleType("dlcourse_answers")
sys.modules["dlcourse_answers"].wrong, sys.modules["dlcourse_answers"].right = into(WRONG), into(RIGHT)
"""
NAMES = """
for kind, answers in (("wrong", WRONG), ("right", RIGHT)):
    globals().update({f"{kind}_{number}": answer for number, (_, answer) in enumerate(answers)})
"""


@pytest.fixture(scope="module")
def sandbox():
    try:
        name = probe().name
    except NoSandbox as error:
        pytest.skip(str(error))
    yield name
    one.close()


def collected(monkeypatch, file):
    """The exercises of a file's wrong and right answers, in its order."""
    space = {"__name__": "answers"}
    monkeypatch.setitem(sys.modules, "dlcourse_answers", ModuleType("dlcourse_answers"))
    exec(COLLECT, space)
    exec(compile(file.read_text(encoding="utf-8"), str(file), "exec"), space)
    return {"wrong": space["WRONG"], "right": space["RIGHT"]}


def verdict_on(answers, file, sandbox):
    """answers: (name in the notebook, exercise). One submission, one verdict, each answer with a test of its own."""
    tests = []
    for name, exercise in answers:
        check = find(exercise).name
        hidden = f'for s in checks.hidden_seeds("{exercise}"):\n    checks.{check}({name}, seed=s)'
        tests.append(SpecCell(f"{name}-test", "code", "test", f"checks.{check}({name})", hidden, 1.0))
    setup = SpecCell("setup", "code", "locked", "from dlcourse import checks")
    cells = [
        {"cell_type": "code", "source": source, "metadata": {}}
        for source in (COLLECT, file.read_text(encoding="utf-8"), NAMES)
    ]
    content = json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells}).encode()
    spec = Spec("answers", "answers.ipynb", (setup, *tests))
    verdict = one.grade_submission(content, spec, SEEDS, {"submission_cpu": 600.0}, sandbox=sandbox)
    assert verdict.trouble == ""
    assert verdict.cells == ()
    return {test.id.removesuffix("-test"): test for test in verdict.tests}


def of_each_exercise(answers, kind, most=None):
    """(name, exercise) by exercise, at most so many of each."""
    table: dict[str, list[tuple[str, str]]] = {}
    for number, (exercise, _) in enumerate(answers):
        table.setdefault(exercise, []).append((f"{kind}_{number}", exercise))
    return {exercise: named[:most] for exercise, named in table.items()}


def graded(folder, assignment, sandbox):
    """The tests' verdicts on our own notebook of `folder`, as if a student had handed it in."""
    spec = read_spec(ROOT, assignment)
    verdict = one.grade_submission(
        (ROOT / folder / assignment / spec.notebook).read_bytes(), spec, SEEDS, sandbox=sandbox
    )
    assert verdict.trouble == ""
    assert [(test.id, test.points) for test in verdict.tests] == [(test.id, test.points) for test in spec.tests]
    return verdict


# The experiments of 03-training take 7 of the 17 CPU seconds that all solutions take.
TRAINS = pytest.param("03-training", marks=pytest.mark.slow)
EVERY = pytest.mark.parametrize("assignment", [TRAINS if name == "03-training" else name for name in ASSIGNMENTS])


@EVERY
def test_solution_scores_full(assignment, sandbox):
    verdict = graded("solutions", assignment, sandbox)
    assert [(test.score, test.reason) for test in verdict.tests] == [(test.points, "") for test in verdict.tests]
    assert verdict.cells == verdict.notes == ()


@EVERY
def test_untouched_exercise_scores_nothing(assignment, sandbox):
    verdict = graded("exercises", assignment, sandbox)
    assert {(test.score, test.reason) for test in verdict.tests} == {(0.0, "Nothing was written yet.")}


def test_one_wrong_and_one_right_answer_of_every_exercise_of_a_chapter(monkeypatch, sandbox):
    """Handed in together. The slow stage has all answers of all chapters."""
    found = collected(monkeypatch, FILES[0])
    wrong, right = (
        [pair for named in of_each_exercise(found[kind], kind, 1).values() for pair in named]
        for kind in ("wrong", "right")
    )
    assert [exercise for _, exercise in wrong] == [exercise for _, exercise in right]
    assert len(wrong) > 1
    verdicts = verdict_on([*wrong, *right], FILES[0], sandbox)
    assert {name for name, test in verdicts.items() if test.passed} == {name for name, _ in right}


@pytest.mark.slow
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_wrong_answer_scores_below_full(monkeypatch, file, sandbox):
    for exercise, named in of_each_exercise(collected(monkeypatch, file)["wrong"], "wrong").items():
        verdicts = verdict_on(named, file, sandbox)
        assert len(verdicts) == len(named)
        through = [name for name, test in verdicts.items() if test.passed or test.score >= test.points]
        assert not through, f"{exercise}: {through} of {file.name} passed"
        assert all(test.reason for test in verdicts.values())


@pytest.mark.slow
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_right_answer_scores_full(monkeypatch, file, sandbox):
    for named in of_each_exercise(collected(monkeypatch, file)["right"], "right").values():
        verdicts = verdict_on(named, file, sandbox)
        assert {name: (test.passed, test.reason) for name, test in verdicts.items()} == {
            name: (True, "") for name, _ in named
        }
