"""Replaying one verdict for an appeal: the same bytes, the same hidden inputs, with everything that the test saw.

What comes out tells the hidden inputs. It is for the instructor's eyes, and nothing of it is written anywhere.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from dlcourse.course.errors import CourseError
from dlcourse.course.grading.grade import AskedWrongly, Ground, chosen, prepare, printable, read
from dlcourse.course.grading.lock import exercises
from dlcourse.course.grading.pools import Local, sandbox
from dlcourse.course.grading.result import BadResult, Result, TestResult, find
from dlcourse.course.grading.spec import Spec, SpecCell

if TYPE_CHECKING:
    from dlcourse.course.grading.judge.one import TestVerdict


@dataclass(frozen=True)
class Explanation:
    """lines: for the terminal. same: whether the replay agrees with the signed result; None when there is none."""

    lines: tuple[str, ...]
    same: bool | None


def explain(
    course: Path,
    assignment: str,
    student: str,
    exercise: str,
    *,
    accept_changes: bool = False,
    unsafe: bool = False,
    grade_one: Callable | None = None,
) -> Explanation:
    """Grades what the student handed in once more and tells all about one test. Writes nothing.

    exercise: a test's name in the notebook, or an exercise's id as the checks have it, "01.sigmoid".
    """
    course = Path(course)
    ground = prepare(course, assignment, accept_changes=accept_changes, unsafe=unsafe)
    chosen(course, assignment, [student])
    test = _test(ground.spec, exercise)
    submission = read(ground, student)
    if submission.fault:
        return Explanation((f"{printable(student)}: nothing could be read. {submission.fault}",), None)
    name = "none"
    if not unsafe:
        Local(1).ready(jailed=True)
        name, _ = sandbox()
    if grade_one is None:
        from dlcourse.course.grading.judge.one import grade_submission as grade_one

    def judge(seeds: dict[str, list[int]]) -> "TestVerdict":
        verdict = grade_one(submission.content, ground.spec, seeds, sandbox=name, explain=test.id)
        if verdict.trouble:
            raise CourseError(f"The verdict could not be replayed: {printable(verdict.trouble)}")
        return next(each for each in verdict.tests if each.id == test.id)

    now = judge(ground.seeds)
    whole = now.explained if now.part != "visible" or not now.shown else ""  # a test stops where it fails
    lines = [
        f"{printable(student)}, {assignment}, {test.id}: {_outcome(now)}",
        *_seeds(ground, test, now, judge),
        *(["", "what the visible test said:", *_indented(now.shown)] if now.shown else []),
        *(["", "what the whole test said, its hidden part too:", *_indented(whole)] if whole else []),
        "",
    ]
    told, same = _compared(ground, submission.student, submission.sha256, now)
    return Explanation((*lines, told), same)


def _test(spec: Spec, exercise: str) -> SpecCell:
    quoted = re.compile(rf"""["']{re.escape(exercise)}["']""")
    found = [test for test in spec.tests if test.id == exercise]
    found = found or [test for test in spec.tests if quoted.search(f"{test.source}\n{test.hidden}")]
    if len(found) != 1:
        known = ", ".join(test.id for test in spec.tests)
        raise AskedWrongly(f"{spec.assignment} has no test {exercise!r}. It has: {known}.")
    return found[0]


def _outcome(test: "TestVerdict | TestResult") -> str:
    failed = {"visible": ", failed in its visible part", "hidden": ", failed in its hidden part"}.get(test.part, "")
    reason = f": {printable(test.reason)}" if test.reason else ""
    return f"{test.score:g} of {test.points:g} points{failed}{reason}"


def _seeds(ground: Ground, test: SpecCell, now: "TestVerdict", judge: Callable) -> list[str]:
    """The hidden seeds of the test, and the first of them that it fails with: each alone, in their order."""
    lines, asked = [], exercises(replace(ground.spec, cells=(test,)))
    for exercise, seeds in ground.seeds.items():
        if exercise not in asked:
            continue
        lines.append(f"hidden seeds of {exercise}: {', '.join(map(str, seeds))}")
        if now.part == "hidden":
            failing = (seed for seed in seeds if not judge({**ground.seeds, exercise: [seed]}).passed)
            first = next(failing, None)
            lines.append(f"it fails with the seed {first}" if first is not None else "it fails with none of them alone")
    return lines


def _indented(text: str) -> list[str]:
    return [f"    {printable(line)}".rstrip() for line in text.splitlines()]


def _compared(ground: Ground, student: str, sha256: str, now: "TestVerdict") -> tuple[str, bool | None]:
    again = f"dlcourse course grade {ground.spec.assignment} --student {student}"
    try:
        result = find(ground.course, ground.spec.assignment, student, sha256, ground.spec.digest, ground.keys)
    except BadResult as error:
        return f"The result on file is not to be believed: {error}", False
    if result is None or result.status != "graded":
        return f"There is no signed result of exactly this submission. It is graded by: {again}", None
    signed = next(each for each in result.tests if each.id == now.id)
    if _essence(signed) == _essence(now) and result.version == ground.version:
        return f"The signed result of {result.graded_at[:16].replace('T', ' ')} UTC has the same verdict.", True
    return f"The signed result of {_when(result)} has another verdict: {_outcome(signed)}", False


def _when(result: Result) -> str:
    other = ", ".join(f"{name} {value}" for name, value in sorted(result.versions.items()))
    return f"{result.graded_at[:16].replace('T', ' ')} UTC ({other}, release {result.version})"


def _essence(test: "TestVerdict | TestResult") -> tuple:
    return (test.passed, test.score, test.points, test.part, test.reason)
