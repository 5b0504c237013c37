"""A small course and results for it that nobody had to grade: for tests of the gradebook, the feedback and the log."""

import hashlib
import json
import shutil
import sys
from pathlib import Path
from typing import Any

from dlcourse.course.grading.result import Result, TestResult
from dlcourse.course.grading.spec import Spec, read_spec

ROOT = Path(__file__).parents[2]
ASSIGNMENT, NOTEBOOK = "small", "small-exercises.ipynb"
ROLES = {
    "answer": {"grade": False, "solution": True, "locked": False, "task": False},
    "test": {"grade": True, "solution": False, "locked": True, "task": False},
    "manual": {"grade": True, "solution": True, "locked": False, "task": False},
    "task": {"grade": False, "solution": False, "locked": True, "task": True},
    "locked": {"grade": False, "solution": False, "locked": True, "task": False},
}
STUB = "*Write your answer here, in place of this line.*"
DOUBLE = "def double(x):\n    ### BEGIN SOLUTION\n    return 2 * x\n    ### END SOLUTION"
HIDDEN = "### BEGIN HIDDEN TESTS\nassert double(33) == 66, 'hidden thirty-three'\n### END HIDDEN TESTS"
TEST = f"assert double(2) == 4\n{HIDDEN}"


def cell(kind: str, source: str, role: str = "", name: str = "", points: float | None = None) -> dict[str, Any]:
    """A cell of a notebook, marked for nbgrader where it has a role."""
    marks = {**ROLES[role], "grade_id": name, "schema_version": 3} if role else {}
    marks |= {} if points is None else {"points": points}
    made = {"cell_type": kind, "id": name or hashlib.sha256(source.encode()).hexdigest()[:8], "source": source}
    made["metadata"] = {"nbgrader": marks} if role else {}
    return made | ({"execution_count": None, "outputs": []} if kind == "code" else {})


def notebook(cells: list[dict[str, Any]]) -> bytes:
    kernel = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
    made = {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(made).encode()


def solution() -> list[dict[str, Any]]:
    return [
        cell("markdown", "# Ours\n\nwith <b class='ours'>a tag</b>, [a link](https://example.org) and $a<b$"),
        cell("code", "import math"),
        cell("code", DOUBLE, "answer", "double"),
        cell("code", TEST, "test", "double-test", 2),
        cell("code", "halves = 0.5\nhalves", "test", "part-test", 1),
        cell("code", "GIVEN = 7", "locked", "given"),
        cell("markdown", "Because the sample answer says so.", "manual", "why", 4),
        cell("code", "### BEGIN SOLUTION\nplan = 1\n### END SOLUTION", "manual", "plan", 1),
        cell("markdown", "Make a plot of your own.", "task", "plot", 3),
    ]


def released(spec: Spec) -> list[dict[str, Any]]:
    """What a student begins with."""
    there = {one["id"]: one for one in solution()}
    made = []
    for ours, theirs in zip(spec.cells, there.values(), strict=True):
        made.append({**theirs, "source": ours.source})
    return made


def course(folder: Path) -> tuple[Path, Spec]:
    """A course of one assignment in `folder`, and its spec."""
    shutil.copy(ROOT / "nbgrader_config.py", folder)
    place = folder / "solutions" / ASSIGNMENT
    place.mkdir(parents=True)
    (place / NOTEBOOK).write_bytes(notebook(solution()))
    return folder, read_spec(folder, ASSIGNMENT)


def answered(spec: Spec, **texts: str) -> bytes:
    """The released notebook with these answers in place of the stubs."""
    cells = released(spec)
    for one in cells:
        one["source"] = texts.get(one["id"], one["source"])
    return notebook(cells)


def hand_in(folder: Path, student: str, content: bytes, spec: Spec, **beside: str) -> bytes:
    """Puts a notebook, and files beside it (timestamp for timestamp.txt), where nbgrader collects into."""
    place = folder / "submitted" / student / spec.assignment
    place.mkdir(parents=True, exist_ok=True)
    (place / spec.notebook).write_bytes(content)
    for name, text in beside.items():
        (place / f"{name}.txt").write_text(text)
    return content


def judged(
    spec: Spec, student: str, content: bytes, /, scores: dict[str, float] | None = None, **fields: Any
) -> Result:
    """A result as the grader makes it. scores: of the tests, full where nothing is said; fields: other than usual."""
    tests = tuple(verdict(one.id, one.points, (scores or {}).get(one.id, one.points)) for one in spec.tests)
    usual = {
        "assignment": spec.assignment,
        "version": 1,
        "student": student,
        "submission": hashlib.sha256(content).hexdigest(),
        "spec": spec.digest,
        "notebook": spec.notebook,
        "status": "graded",
        "score": sum(test.score for test in tests),
        "max_score": sum(test.points for test in tests),
        "tests": tests,
        "cells": (),
        "notes": (),
        "trouble": "",
        "sandbox": "namespaces",
        "unsafe": False,
        "seconds": 1.25,
        "cpu": 1.0,
        "graded_at": "2026-03-01T09:00:00+00:00",
        "versions": {"dlcourse": "0", "python": sys.version.split()[0], "torch": "2"},
    }
    return Result(**{**usual, **fields})


def verdict(name: str, points: float, score: float, shown: str = "", reason: str = "") -> TestResult:
    passed = score == points
    part = "" if passed else "visible"
    reason = reason or ("" if passed else "The value is wrong.")
    shown = shown or ("" if passed else "double(2)\ncame back  3\nwanted     4")
    return TestResult(name, passed, score, points, part, reason, shown, 0.1)


def needs_human(spec: Spec, student: str, content: bytes) -> Result:
    return judged(spec, student, content, status="needs-human", score=None, tests=(), trouble="no memory left to fork")
