"""The grading log: who got what, when and why, for an instructor to read. Made from the results, never read back."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from dlcourse.course.errors import CourseError
from dlcourse.course.grading.book import handed_in
from dlcourse.course.grading.book.nbcourse import course_modules, settings_of, told_plainly
from dlcourse.course.grading.files import write_whole
from dlcourse.course.grading.lock import read_lock
from dlcourse.course.grading.result import BadResult, Result, every, plain_assignment
from dlcourse.course.grading.settings import load_keys


def grading_log(course: Path, assignment: str, results: Iterable[Result | BadResult] | None = None) -> str:
    """Who got what, when and why, for an instructor to read; also written to grading/log/ASSIGNMENT.txt.

    It is made anew from the signed results (or from those given). Everything in it that may come from a student is
    escaped: no control character reaches a terminal.
    """
    course = Path(course).resolve()
    if results is None:
        results = every(course, assignment, load_keys(course))
    found: dict[str, list[Result]] = {}
    bad: list[BadResult] = []
    for result in results:
        if isinstance(result, BadResult):
            bad.append(result)
        else:
            found.setdefault(result.student, []).append(result)
    path = course / "grading" / "log" / f"{plain_assignment(assignment)}.txt"
    with course_modules(course), told_plainly(course):
        text = "\n".join(_lines(course, assignment, found, bad)) + "\n"
        write_whole(path, text.encode("utf-8"))
    return text


def _lines(
    course: Path, assignment: str, found: Mapping[str, Sequence[Result]], bad: Sequence[BadResult]
) -> Iterator[str]:
    settings, released = settings_of(course), _released(course, assignment)
    newest = [max(some, key=lambda one: one.graded_at) for some in found.values()]
    waiting = sum(one.status != "graded" for one in newest)
    yield f"Grading log of {assignment}, made from the results in grading/results/{assignment}."
    yield ""
    yield f"{len(newest)} students, {len(newest) - waiting} graded, {waiting} waiting for a person."
    for result in sorted(newest, key=lambda one: one.student):
        earlier = sorted((one for one in found[result.student] if one is not result), key=lambda one: one.graded_at)
        beside = handed_in.read(settings.folder("submitted", result.student, assignment))
        yield ""
        yield from _student_lines(result, earlier, beside, released)
    if bad:
        yield from ("", "Files that are no results of ours:", *(f"  {shown(str(one))}" for one in bad))


def _released(course: Path, assignment: str) -> datetime | None:
    """When it was released first, in UTC without a zone; None where there is no lock to read."""
    try:
        return datetime.fromisoformat(read_lock(course, assignment, 1).released_at).replace(tzinfo=None)
    except CourseError:
        return None


def _student_lines(
    result: Result, earlier: Sequence[Result], beside: handed_in.HandedIn, released: datetime | None
) -> Iterator[str]:
    scored = "not graded" if result.score is None else f"{result.score:g} of {result.max_score:g} points"
    yield f"{shown(result.student)}: {scored}"
    came = f"handed in {beside.at:%Y-%m-%d %H:%M:%S} UTC" if beside.at else "no time of handing in"
    yield f"  graded     {result.graded_at[:19].replace('T', ' ')} UTC, {came}"
    how = f"version {result.version}, {result.seconds:.1f} s, sandbox: {result.sandbox}"
    yield f"  submission {result.submission[:16]}, {how}"
    tests = result.tests
    if len(tests) > 1 and not any(test.score for test in tests) and len({test.reason for test in tests}) == 1:
        yield f"  failed     all {len(tests)} tests: {shown(tests[0].reason)}"
        tests = ()
    for test in tests:
        if test.score < test.points:
            where = f" ({test.part} part)" if test.part else ""
            yield f"  failed     {shown(test.id)}: {test.score:g} of {test.points:g}{where}: {shown(test.reason)}"
    for label, error in result.cells:
        yield f"  stopped    {shown(label)}: {shown(error)}"
    if result.trouble:
        yield f"  TROUBLE    {shown(result.trouble)}"
    flags = ["graded without a sandbox"] if result.unsafe else []
    for flag in (*flags, *beside.flags(released=released), *result.notes):
        yield f"  flag       {shown(flag)}"
    for one in earlier:
        scored = "not graded" if one.score is None else f"{one.score:g} of {one.max_score:g} points"
        yield f"  earlier    {one.graded_at[:19].replace('T', ' ')} UTC, submission {one.submission[:16]}: {scored}"


def shown(text: str, most: int = 400) -> str:
    """One line, printable: a control character, a line end and a sign that turns the writing round are spelt out."""
    text = text.strip()
    text = text if len(text) <= most else f"{text[:most]}..."
    return "".join(
        one if one.isprintable() else " / " if one == "\n" else one.encode("unicode_escape").decode() for one in text
    )
