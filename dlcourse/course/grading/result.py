"""What grading one submission came to: one signed JSON file, which is also the checkpoint of the grader.

    course/grading/results/ASSIGNMENT/STUDENT/<submission sha256[:16]>-<spec digest[:16]>.json

    {"body": {"format": 1, ...the fields of Result..., "key": "s0123abcd"}, "signature": "<64 hex digits>"}

A file is believed only when one of the course's keys signed exactly these bytes and it lies where such a result
belongs. What a later result of the same submission replaces stays beside it as NAME.1, NAME.2 and so on.
"""

import hashlib
import math
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from dlcourse.course.errors import CourseError
from dlcourse.course.grading.files import canonical, parse, write_whole
from dlcourse.course.grading.keys import BadSignature, Keys

FORMAT = 1
MAX_BYTES = 16 * 2**20
STATUSES = ("graded", "needs-human")
PARTS = ("", "visible", "hidden")
CLOSE = 1e-9  # sums of points in floating point


class BadResult(Exception):
    """This is not a result to be believed. The text says why, to an instructor; `path` is the file, if there is one."""

    path: Path | None = None


class BadName(CourseError):
    """A student's or an assignment's name that no folder can safely have."""


@dataclass(frozen=True)
class TestResult:
    """One test cell: what it gave, and what may be said about it."""

    __test__ = False  # for pytest, which takes the name for a class of tests

    id: str  # grade_id
    passed: bool
    score: float
    points: float
    part: str  # "", or where it failed: "visible" or "hidden"
    reason: str  # ours, may always be shown
    shown: str  # the full diagnosis, for the student; "" when a hidden part failed
    seconds: float


@dataclass(frozen=True)
class Result:
    """One submission graded once. `plain` and `from_plain` are its JSON; `from_plain` believes nothing."""

    assignment: str
    version: int  # of the assignment's lock
    student: str
    submission: str  # sha256 of the notebook as handed in, hex
    spec: str  # digest of the instructor's cells, hex
    notebook: str  # file name
    status: str  # "graded" or "needs-human"
    score: float | None  # of the machine; None when a human must look
    max_score: float  # that the machine can give
    tests: tuple[TestResult, ...]  # empty when a human must look, or when nothing could be read
    cells: tuple[tuple[str, str], ...]  # label and error class of cells that stopped
    notes: tuple[str, ...]
    trouble: str  # what went wrong on our side; "" when graded
    sandbox: str
    unsafe: bool  # graded without a sandbox, on demand
    seconds: float
    cpu: float
    graded_at: str  # UTC, ISO
    versions: dict[str, str]  # dlcourse, python, torch

    def plain(self) -> dict[str, Any]:
        """As JSON has it: lists for tuples."""
        return {
            **asdict(self),
            "format": FORMAT,
            "tests": [asdict(test) for test in self.tests],
            "cells": [list(cell) for cell in self.cells],
            "notes": list(self.notes),
        }

    @classmethod
    def from_plain(cls, plain: Any) -> "Result":
        """BadResult unless it has exactly these fields, of these types, and makes sense."""
        if type(plain) is dict and type(plain.get("format")) is int and plain["format"] != FORMAT:
            raise BadResult(f"it has the format {plain['format']}, and this version of dlcourse reads {FORMAT}")
        fields = {name: value for name, value in _exactly(plain, _RESULT, "it").items() if name != "format"}
        tests = [_exactly(test, _TEST, f"test {number}") for number, test in enumerate(fields["tests"], 1)]
        for cell in fields["cells"]:
            _must(type(cell) is list and [type(part) for part in cell] == [str, str], "a cell is no pair of texts")
        _must(all(type(note) is str for note in fields["notes"]), "a note is no text")
        _must(all(type(value) is str for value in fields["versions"].values()), "a version is no text")
        result = cls(
            **{
                **fields,
                "tests": tuple(TestResult(**test) for test in tests),
                "cells": tuple((label, error) for label, error in fields["cells"]),
                "notes": tuple(fields["notes"]),
            }
        )
        _check(result)
        return result


def _number(value: Any) -> bool:
    return type(value) in (int, float) and 0 <= value <= 1e15  # so neither nan nor infinite


def _of(*kinds: type):
    return lambda value: type(value) in kinds


_TEST = {
    "id": (_of(str), "text"),
    "passed": (_of(bool), "true or false"),
    "score": (_number, "a number of 0 or more"),
    "points": (_number, "a number of 0 or more"),
    "part": (lambda value: value in PARTS, f"one of {', '.join(map(repr, PARTS))}"),
    "reason": (_of(str), "text"),
    "shown": (_of(str), "text"),
    "seconds": (_number, "a number of 0 or more"),
}
_RESULT = {
    "format": (_of(int), "a number"),
    "assignment": (_of(str), "text"),
    "version": (lambda value: type(value) is int and value >= 1, "a whole number of 1 or more"),
    "student": (_of(str), "text"),
    "submission": (lambda value: _is_digest(value), "64 hex digits"),
    "spec": (lambda value: _is_digest(value), "64 hex digits"),
    "notebook": (_of(str), "text"),
    "status": (lambda value: value in STATUSES, f"one of {', '.join(STATUSES)}"),
    "score": (lambda value: value is None or _number(value), "a number of 0 or more, or nothing"),
    "max_score": (_number, "a number of 0 or more"),
    "tests": (_of(list), "a list"),
    "cells": (_of(list), "a list"),
    "notes": (_of(list), "a list"),
    "trouble": (_of(str), "text"),
    "sandbox": (_of(str), "text"),
    "unsafe": (_of(bool), "true or false"),
    "seconds": (_number, "a number of 0 or more"),
    "cpu": (_number, "a number of 0 or more"),
    "graded_at": (lambda value: _is_utc(value), "a time in UTC, as 2030-01-31T09:00:00+00:00"),
    "versions": (_of(dict), "an object"),
}


def _is_digest(value: Any) -> bool:
    return type(value) is str and re.fullmatch("[0-9a-f]{64}", value) is not None


def _is_utc(value: Any) -> bool:
    try:
        offset = datetime.fromisoformat(value).utcoffset()
    except (TypeError, ValueError):
        return False
    return offset is not None and not offset


def _must(holds: bool, otherwise: str) -> None:
    if not holds:
        raise BadResult(otherwise)


def _exactly(plain: Any, fields: dict, what: str) -> dict:
    _must(type(plain) is dict, f"{what} is no object")
    if missing := fields.keys() - plain.keys():
        raise BadResult(f"{what} lacks {', '.join(sorted(missing))}")
    if extra := plain.keys() - fields.keys():
        raise BadResult(f"{what} has fields that no result has: {', '.join(sorted(map(repr, extra)))[:200]}")
    for name, (is_right, wanted) in fields.items():
        _must(is_right(plain[name]), f"{what} has {name} {str(plain[name])[:60]!r}, and {wanted} is wanted")
    return plain


def _check(result: Result) -> None:
    """The fields agree with each other: no score without a verdict, none above its maximum."""
    for test in result.tests:
        _must(test.score <= test.points + CLOSE, f"{test.id} has {test.score} of {test.points} points")
        _must(test.part != "hidden" or not test.shown, f"{test.id} shows what a hidden test said")
    ids = [test.id for test in result.tests]
    _must(len(set(ids)) == len(ids), "a test stands in it twice")
    if result.status == "needs-human":
        _must(bool(result.trouble), "it needs a human and does not say why")
        _must(result.score is None and not result.tests, "it needs a human and has a score all the same")
        return
    _must(not result.trouble, f"it is graded in spite of trouble ({result.trouble[:60]})")
    _must(result.score is not None, "it is graded and has no score")
    _must(result.score <= result.max_score + CLOSE, f"its score {result.score} is above {result.max_score}")
    given = math.fsum(test.score for test in result.tests)
    _must(abs(given - result.score) <= CLOSE, f"its score {result.score} is not the sum of its tests, {given}")
    if result.tests:
        possible = math.fsum(test.points for test in result.tests)
        _must(abs(possible - result.max_score) <= CLOSE, f"its maximum {result.max_score} is not the tests' {possible}")
    else:
        _must(bool(result.notes) or not result.max_score, "it has a score of 0, no test and no note that says why")


# ---- where it lies


def folder_name(name: str) -> str:
    """The folder of a student: the id itself, or a name made from it.

    As it is, "bit-diddle": up to 100 small letters, digits and _ . @ + -, the first a letter, a digit or _.
    Made, "ann~0123456789abcdef", from what the first 40 characters leave and the id's SHA-256: with capitals (so that
    Ann and ann have two folders on every file system), blanks, other letters, control characters, a leading dot or
    dash, or more than 100 characters.
    BadName: no text, "." or "..", a path separator, NUL, more than 255 bytes, no Unicode. No folder that nbgrader
    collects into has such a name.
    """
    try:
        size = len(name.encode("utf-8"))
    except UnicodeEncodeError:
        size = 0
    if not 0 < size <= 255 or name in (".", "..") or re.search(r"[/\\\0]", name):
        shown = ascii(name if len(name) <= 60 else f"{name[:60]}...")
        raise BadName(
            f"{shown} can be no student's id: 1 to 255 bytes of Unicode are wanted, without / \\ and NUL, not . or .."
        )
    if re.fullmatch(r"[a-z0-9_][a-z0-9_.@+-]{0,99}", name):
        return name
    left = re.sub(r"[^a-z0-9_]", "", name[:40].lower())
    return f"{left}~{hashlib.sha256(name.encode('utf-8')).hexdigest()[:16]}"


def plain_assignment(name: str) -> str:
    """The name itself. BadName when an assignment of this course cannot be called so."""
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_. -]{0,99}", name):
        raise BadName(
            f"{name[:60]!a} can be no assignment's name: 1 to 100 of the letters a to z, digits, spaces and _ . - are "
            "wanted, the first a letter or a digit."
        )
    return name


def place(course: Path, assignment: str, student: str, submission: str, spec: str) -> Path:
    """The file of a result. BadName for names that are none."""
    folder = course / "grading" / "results" / plain_assignment(assignment) / folder_name(student)
    return folder / f"{submission[:16]}-{spec[:16]}.json"


def write(course: Path, result: Result, keys: Keys) -> Path:
    """Signs the result and writes it, whole or not at all. One process writes at a time (`files.alone`).

    BadResult when it makes no sense; CourseError, with what to do, when it cannot be written.
    """
    plain = result.plain()
    Result.from_plain(plain)  # never sign what could not be read
    content = canonical(keys.sign(plain)) + b"\n"
    _must(len(content) <= MAX_BYTES, f"it would have {len(content):,} bytes, and at most {MAX_BYTES:,} are read")
    path = place(course, result.assignment, result.student, result.submission, result.spec)
    try:
        _sweep(path)
        write_whole(path, content, keep=True)
    except OSError as error:
        raise CourseError(
            f"Writing the result of {result.student!r} to {path} failed: {error.strerror or error}. Nothing was half "
            "written and earlier results are as they were. Make room, or the folder writable, and grade again: what is "
            "graded is not repeated."
        ) from error
    return path


def _sweep(path: Path) -> None:
    """What a killed grader left aside in this student's folder."""
    for left in path.parent.glob(".*.part"):
        left.unlink()


def read(path: Path, keys: Keys) -> Result:
    """The result in a file, an earlier one (NAME.1) too. BadResult, with the reason, when it is not to be believed.

    OSError when the file cannot be read at all.
    """
    with open(path, "rb") as reader:
        content = reader.read(MAX_BYTES + 1)
    try:
        _must(len(content) <= MAX_BYTES, f"it has more than {MAX_BYTES:,} bytes")
        try:
            signed = parse(content)
        except ValueError as error:
            raise BadResult(f"it is no JSON of ours ({error})") from error
        try:
            result = Result.from_plain(keys.verify(signed))
            _check_place(path, result)
        except (BadSignature, BadName) as error:
            raise BadResult(str(error)) from error
    except BadResult as error:
        raise _at(path, str(error)) from error
    return result


def _at(path: Path, reason: str) -> BadResult:
    error = BadResult(f"{path}: {reason}")
    error.path = path
    return error


def _check_place(path: Path, result: Result) -> None:
    """A true result in another's folder is a false one."""
    belongs = place(Path(), result.assignment, result.student, result.submission, result.spec)
    lies = (path.parent.parent.name, path.parent.name, re.sub(r"\.json\.\d+$", ".json", path.name))
    if lies != belongs.parts[-3:]:
        home = "/".join(belongs.parts[-3:])
        raise BadResult(f"it is the result of {result.student!r} for {result.assignment!r} and belongs into {home}")


def find(course: Path, assignment: str, student: str, submission: str, spec: str, keys: Keys) -> Result | None:
    """The result of this submission (its sha256) against this spec (its digest); None when there is none.

    BadResult when there is one that is not to be believed. The caller compares its `version` with the lock's.
    """
    path = place(course, assignment, student, submission, spec)
    try:
        result = read(path, keys)
    except FileNotFoundError:
        return None
    if (result.submission, result.spec) != (submission, spec):  # the file's name has a part of each
        raise _at(path, "it is of another submission or another spec, of which only the first 16 digits are the same")
    return result


def every(course: Path, assignment: str, keys: Keys) -> Iterator[Result | BadResult]:
    """All results of an assignment, by student and file name; in place of one that is not believed, why not."""
    for path in sorted((course / "grading" / "results" / plain_assignment(assignment)).glob("*/*.json")):
        try:
            yield read(path, keys)
        except BadResult as error:
            yield error
