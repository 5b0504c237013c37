"""A small course to grade, and a stand-in for the judge: it obeys the submission and keeps a ledger of what it did.

A submission is a notebook whose only cell is an order to the stand-in, JSON:

    {"who": "ann", "points": [2, 3], "sleep": 0.01, "trouble": ["no memory"], "waited": 1, "raises": "MemoryError"}

trouble: what goes wrong at the first attempt, the second, ..., "" for nothing. waited: so many attempts run into the
clock.
The ledger is the file named in DLCOURSE_TEST_LEDGER; each line is "begin" or "end", who, and a time.
"""

import builtins
import json
import os
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from dlcourse.course import CourseError
from dlcourse.course.grading import keys as keys_
from dlcourse.course.grading import result
from dlcourse.course.grading.judge.one import TestVerdict, Verdict
from dlcourse.course.grading.lock import as_it_is, write_lock
from dlcourse.course.grading.spec import read_spec

CLASS = ("ann", "ben", "cat", "dan")
ASSIGNMENT, NOTEBOOK = "toy", "toy-exercises.ipynb"
CONFIG = """c = get_config()
c.CourseDirectory.course_id = "dlcourse"
c.CourseDirectory.source_directory = "solutions"
c.CourseDirectory.release_directory = "exercises"
c.ClearSolutions.code_stub = {"python": "raise NotStarted  # replace this line with your code"}
"""
RIGHT = "def double(x):\n    return 2 * x"
ACCURACY = "def accuracy(predicted, labels):\n    return (predicted == labels).float().mean().item()"
FULL = 5


def _code(source: str, grade_id: str = "", **switches) -> dict:
    marked = {"grade": False, "solution": False, "locked": False, "task": False, "schema_version": 3, **switches}
    metadata = {"nbgrader": {**marked, "grade_id": grade_id}} if grade_id else {}
    cell = {"cell_type": "code", "id": grade_id or "setup", "metadata": metadata, "source": source}
    return {**cell, "outputs": [], "execution_count": None}


def notebook(*cells: dict) -> bytes:
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": metadata, "cells": list(cells)}).encode()


def _solved(text: str) -> str:
    head, _, body = text.partition("\n")
    return f"{head}\n    ### BEGIN SOLUTION\n{body}\n    ### END SOLUTION"


def _test(name: str, call: str, exercise: str, points: int) -> dict:
    hidden = f'for s in checks.hidden_seeds("{exercise}"):\n    {call}'
    source = f"{call.replace(', seed=s', '')}\n### BEGIN HIDDEN TESTS\n{hidden}\n### END HIDDEN TESTS"
    return _code(source, name, grade=True, locked=True, points=points)


def solution(points: tuple[int, int] = (2, 3)) -> bytes:
    """The instructor's notebook: one test in plain Python, one of the course's checks."""
    hidden = "### BEGIN HIDDEN TESTS\nassert double(7041) == 14082\n### END HIDDEN TESTS"
    return notebook(
        _code("import torch\nfrom dlcourse import checks\nfrom dlcourse.checks import NotStarted"),
        _code(_solved(RIGHT), "double", solution=True),
        _code(f"assert double(2) == 4\n{hidden}", "double-test", grade=True, locked=True, points=points[0]),
        _code(_solved(ACCURACY), "accuracy", solution=True),
        _test("accuracy-test", "checks.accuracy(accuracy, seed=s)", "00.accuracy", points[1]),
    )


def answered(double: str = RIGHT, accuracy: str = ACCURACY) -> bytes:
    """What a student hands in to the real judge."""
    setup = _code("import torch\nfrom dlcourse import checks\nfrom dlcourse.checks import NotStarted")
    return notebook(setup, _code(double, "double", solution=True), _code(accuracy, "accuracy", solution=True))


def order(who: str, **order) -> bytes:
    """What a student hands in to the stand-in."""
    return notebook(_code(json.dumps({"who": who, **order})))


def hand_in(course: Path, who: str, content: bytes | None = None, **told) -> Path:
    folder = course / "submitted" / who / ASSIGNMENT
    folder.mkdir(parents=True, exist_ok=True)
    (folder / NOTEBOOK).write_bytes(order(who, **told) if content is None else content)
    (folder / "timestamp.txt").write_text("2026-03-01 12:00:00 UTC")
    return folder / NOTEBOOK


def make(course: Path, *students: str, **told) -> Path:
    """A course folder with the notebook that is graded, before its release."""
    (course / "solutions" / ASSIGNMENT).mkdir(parents=True)
    (course / "solutions" / ASSIGNMENT / NOTEBOOK).write_bytes(solution())
    (course / "nbgrader_config.py").write_text(CONFIG)
    for who in students:
        hand_in(course, who, **told)
    return course


def release(course: Path, version: int = 1) -> None:
    """Keys and a lock, without nbgrader: the gradebook's rows are made by the first run."""
    try:
        keys = keys_.load("dlcourse")
    except keys_.NoKeys:
        keys = keys_.create("dlcourse")
    now = as_it_is(course, read_spec(course, ASSIGNMENT))
    released = {"version": version, "key": keys.current("course").id, "released_at": "2026-02-01T09:00:00+00:00"}
    write_lock(course, replace(now, **released))


def stand_in(content: bytes, spec, seeds, *, sandbox: str, explain: str = "") -> Verdict:
    """In place of one.grade_submission: obeys. What it gives is no judgement of anything."""
    told = json.loads("".join(json.loads(content)["cells"][0]["source"]))
    attempt = sum(line.split()[:2] == ["begin", told["who"]] for line in ledger())
    _note("begin", told["who"])
    time.sleep(told.get("sleep", 0))
    _note("end", told["who"])
    if "raises" in told:
        raise getattr(builtins, told["raises"])(*told.get("with", ["of the stand-in"]))
    if trouble := "".join(told.get("trouble", ())[attempt : attempt + 1]):
        return Verdict(trouble=trouble)
    return Verdict(
        tests=tuple(
            TestVerdict(
                *(test.id, given == test.points, float(given), test.points),
                part="" if given == test.points else "hidden",
                reason="" if given == test.points else "That is not it.",
                seconds=0.5,
                explained="called     f(7041)" if explain == test.id else "",
            )
            for test, given in zip(spec.tests, told.get("points", (2, 3)), strict=True)
        ),
        notes=tuple(told.get("notes", ())),
        sandbox=sandbox,
        versions=(("torch", "2"), ("python", "3"), ("dlcourse", "1")),
        seconds=1.0,
        cpu=1.0,
        waited=attempt < told.get("waited", 0),
    )


def _note(what: str, who: str) -> None:
    line = f"{what} {who} {time.monotonic_ns()}\n".encode()
    descriptor = os.open(os.environ["DLCOURSE_TEST_LEDGER"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(descriptor, line)  # one write: lines of two processes do not mix
    finally:
        os.close(descriptor)


def ledger() -> list[str]:
    path = Path(os.environ["DLCOURSE_TEST_LEDGER"])
    return path.read_text().splitlines() if path.exists() else []


def begun() -> list[str]:
    """Who was judged, once for each time, in alphabetical order."""
    return sorted(line.split()[1] for line in ledger() if line.startswith("begin"))


def set_variable(name: str, value: str | None) -> None:
    """For a worker elsewhere: a variable of its environment, None takes it away."""
    os.environ.pop(name, None) if value is None else os.environ.__setitem__(name, value)


def results(course: Path) -> dict[str, list[result.Result]]:
    """Student -> the results that are believed; fails on any other file."""
    found: dict[str, list[result.Result]] = {}
    for each in result.every(course, ASSIGNMENT, keys_.load("dlcourse")):
        assert isinstance(each, result.Result), each
        found.setdefault(each.student, []).append(each)
    return found


def only(course: Path, student: str) -> result.Result:
    (found,) = results(course)[student]
    return found


class Book:
    """In place of nbgrader's gradebook: what was entered, in order. refuses: after how many entries it is full."""

    def __init__(self) -> None:
        self.entered: list[tuple[str, float | None]] = []
        self.opened, self.logs, self.refuses = 0, 0, None

    @contextmanager
    def writer(self, course, spec):
        self.opened += 1
        yield self

    def write(self, graded, cells):
        if self.refuses is not None and len(self.entered) >= self.refuses:
            raise CourseError("Writing to the gradebook failed: readonly.")
        self.entered.append((graded.student, graded.score))

    def log(self, course, assignment):
        self.logs += 1
