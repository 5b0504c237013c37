"""The map over submissions: read each, have it judged in a pool, sign the verdict, file it.

    submitted/STUDENT/ASSIGNMENT/  --bytes-->  pool (here, or on Dask)  --plain verdict-->  signed result, gradebook

One process does the reading, signing and writing; workers get bytes, the spec and seeds, never a key. A signed result
for this submission, this spec and this version of the release is the checkpoint: it is not graded again, so a run that
was killed goes on where it was. Trouble of ours (no memory, a dead worker, a disk) is tried again, alone, and then left
to a human: it is never a score. The same goes for limits by the wall clock, which a busy machine may cause.

Exit codes of `dlcourse course grade`: 0 all graded; 1 some need a human, or it failed; 2 asked for wrongly; 3 no
sandbox, nothing graded, nothing written; 4 this is not what was released; 130 interrupted.
"""

import hashlib
import json
import math
import os
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, wait
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from dlcourse.course.errors import CourseError
from dlcourse.course.grading import exchange
from dlcourse.course.grading.files import alone, write_whole
from dlcourse.course.grading.keys import Keys
from dlcourse.course.grading.lock import as_it_is, differences, exercises, read_lock
from dlcourse.course.grading.pools import Dask, Local, pool, sandbox, versions
from dlcourse.course.grading.result import BadName, BadResult, Result, TestResult, find, folder_name, write
from dlcourse.course.grading.settings import load_keys, settings
from dlcourse.course.grading.spec import Spec, read_spec
from dlcourse.course.grading.submission import SubmittedCell, Unreadable, open_submission, parse

if TYPE_CHECKING:
    from dlcourse.course.grading.book.gradebook import Writer

ATTEMPTS = 3  # at one submission, before a human is asked
LOOK = 0.2  # seconds between two looks at whether to stop


class AskedWrongly(CourseError):
    """No such student or exercise."""

    status = 2


class NotAsReleased(CourseError):
    """What would be graded is not what was released."""

    status = 4


@dataclass(frozen=True)
class Row:
    """One submission in the summary. score: None when a human must look."""

    student: str
    score: float | None
    max_score: float
    failed: tuple[str, ...]  # tests
    flags: tuple[str, ...]  # for the instructor to look at
    seconds: float
    kept: bool = False  # there was a valid result already
    trouble: str = ""  # ours


@dataclass(frozen=True)
class Report:
    """What a run came to. left: submissions that were not reached when it was interrupted."""

    assignment: str
    rows: tuple[Row, ...]
    left: int = 0
    interrupted: bool = False
    log: Path | None = None

    @property
    def status(self) -> int:
        """The exit code."""
        return 130 if self.interrupted else int(any(row.score is None for row in self.rows))


@dataclass(frozen=True)
class Ground:
    """What holds for every submission of a run."""

    course: Path
    spec: Spec
    version: int  # of the release
    keys: Keys = field(repr=False)
    seeds: dict[str, list[int]] = field(repr=False)
    notes: tuple[str, ...] = ()  # that every result bears
    unsafe: bool = False
    arrivals: Path | None = None  # where submissions come from


@dataclass(frozen=True)
class Submission:
    """What one student handed in. fault: why it cannot be read, which is the student's to mend."""

    student: str
    content: bytes = field(repr=False)
    sha256: str
    fault: str = ""


def grade(
    course: Path,
    assignment: str,
    *,
    students: Sequence[str] | None = None,
    workers: int = 2,
    dask: str | None = None,
    regrade: bool = False,
    resume: bool = False,
    accept_changes: bool = False,
    unsafe: bool = False,
    on_progress: Callable[[int, int, str], None] = lambda done, total, student: None,
    on_trouble: Callable[[str], None] = lambda line: None,
    stop: threading.Event | None = None,
    grade_one: Callable | None = None,
) -> Report:
    """Grades what was handed in for an assignment and has no valid result yet.

    students: only these. dask: the address of a scheduler, in place of `workers` on this machine. regrade: also what
    has a result, which is kept beside the new one. resume: go on with a run that was interrupted, a regrade too.
    on_progress: told (done, total, student) after each. stop: once it is set the run ends without finishing what it
    began; what is graded stays. grade_one: judges one submission, in place of one.grade_submission.

    Raises CourseError; its `status`, where it has one, is the exit code.
    """
    from dlcourse.course.grading.book import gradebook

    course, stop = Path(course), stop or threading.Event()
    with pool(workers, dask) as place:
        if grade_one is None:
            place.start(read_spec(course, assignment))
        ground = prepare(course, assignment, accept_changes=accept_changes, unsafe=unsafe)
        names = chosen(course, assignment, students)
        place.ready(jailed=not unsafe)
        with alone(course / "grading" / ".lock", "Another grader is at work in this course. Wait until it is done."):
            regraded = _regraded(ground, names, regrade, resume, on_trouble)
            with gradebook.writer(course, ground.spec) as book:  # one that cannot be written is told before the work
                run = _Run(ground, place, book, regraded, on_progress, on_trouble, stop, grade_one)
                report = run.all(names)
            gradebook.grading_log(course, assignment)
            whole = students is None or (regraded and regraded.students <= set(names))
            if regraded and whole and report.status == 0:
                _regrade_file(ground).unlink()
            return report


def prepare(course: Path, assignment: str, *, accept_changes: bool, unsafe: bool) -> Ground:
    """Reads what a run needs and changes nothing. CourseError: never released, released otherwise, no keys."""
    spec, lock = read_spec(course, assignment), read_lock(course, assignment)
    found = differences(lock, as_it_is(course, spec, lock))
    if found and not accept_changes:
        lines = "\n".join(f"- {line}" for line in found)
        raise NotAsReleased(
            f"{assignment} is not what was released as version {lock.version}, so nothing was graded:\n{lines}\n"
            "To grade by that release, put back what was here then. "
            f"`dlcourse course release {assignment} --again` releases it as it is now. --accept-changes grades what "
            "was handed in with what is here now, and every result says so."
        )
    keys = load_keys(course)
    seeds = {id: keys.seeds(assignment, lock.version, id, key=lock.key) for id in exercises(spec)}
    notes = (f"graded although it is not what was released: {' '.join(found)}",) if found else ()
    return Ground(course, spec, lock.version, keys, seeds, notes, unsafe, exchange.inbound(settings(course)))


def chosen(course: Path, assignment: str, wanted: Sequence[str] | None) -> list[str]:
    """Students who handed something in, all or the wanted ones."""
    folder = course / "submitted"
    found = []
    if folder.is_dir():
        names = sorted(entry.name for entry in os.scandir(folder) if not entry.name.startswith("."))
        found = [name for name in names if os.path.lexists(folder / name / assignment)]
    if not found:
        raise CourseError(
            f"Nothing was handed in for {assignment}: {folder} holds no STUDENT/{assignment}. "
            f"`nbgrader collect {assignment}` fetches it from the exchange."
        )
    if unknown := sorted(set(wanted or ()) - set(found)):
        these = ", ".join(map(repr, found[:10])) + (f" and {len(found) - 10} more" if len(found) > 10 else "")
        raise AskedWrongly(f"Nothing was handed in by {', '.join(map(repr, unknown))}. There is something by: {these}.")
    return [name for name in found if not wanted or name in wanted]


# ---- what is done already


def read(ground: Ground, student: str) -> Submission:
    """What the student handed in, as it is now. OSError for trouble of ours."""
    folder = ground.course / "submitted" / student / ground.spec.assignment
    try:
        content = open_submission(folder, ground.spec.notebook)
    except Unreadable as error:
        return Submission(student, b"", hashlib.sha256(f"unreadable: {error}".encode()).hexdigest(), str(error))
    return Submission(student, content, hashlib.sha256(content).hexdigest())


@dataclass(frozen=True)
class _Regrade:
    """A regrade that was begun: what was graded before `since` is due again."""

    since: datetime
    students: frozenset[str]

    def covers(self, result: Result) -> bool:
        return result.student in self.students and datetime.fromisoformat(result.graded_at) < self.since


def _regrade_file(ground: Ground) -> Path:
    return ground.course / "grading" / f".regrade-{ground.spec.assignment}.json"


def _regraded(
    ground: Ground, names: Iterable[str], regrade: bool, resume: bool, on_trouble: Callable[[str], None]
) -> _Regrade | None:
    """The regrade that this run goes on with, or begins: noted on the disk, so that it outlives a kill."""
    begun = _begun(ground)
    if regrade and not (resume and begun):
        students = frozenset(names) | (begun.students if begun else frozenset())
        begun = _Regrade(datetime.now(UTC), students)
        noted = {"since": begun.since.isoformat(), "students": sorted(students)}
        with _plain_errors("Noting that a regrade begins"):
            write_whole(_regrade_file(ground), json.dumps(noted).encode())
    elif begun and not resume:
        on_trouble("an earlier --regrade was interrupted; --resume goes on with it")
        return None
    return begun


def _begun(ground: Ground) -> _Regrade | None:
    """The regrade that an earlier run did not end."""
    file = _regrade_file(ground)
    try:
        found = json.loads(file.read_bytes())
        return _Regrade(datetime.fromisoformat(found["since"]).astimezone(UTC), frozenset(found["students"]))
    except FileNotFoundError:
        return None
    except (KeyError, TypeError, ValueError) as error:
        raise CourseError(
            f"{file} notes a regrade that was interrupted, and cannot be read ({error}). Remove it, and say --regrade "
            "again if it was not done: what is graded stays."
        ) from error


@contextmanager
def _plain_errors(attempt: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise CourseError(f"{attempt} failed: {error}. What is graded stays.") from error


# ---- on a worker


def work(content: bytes, spec: dict, seeds: dict[str, list[int]], unsafe: bool, grade_one: Callable | None) -> dict:
    """The verdict on one submission as plain values. Whatever goes wrong is trouble, and trouble is no score."""
    name, why = ("none", "") if unsafe else sandbox()
    if not name:
        return {"trouble": f"no sandbox: {why}"}
    try:
        if grade_one is None:
            from dlcourse.course.grading.judge.one import grade_submission as grade_one
        verdict = asdict(grade_one(content, Spec.from_plain(spec), seeds, sandbox=name))
    except Exception as error:
        return {"trouble": _told(error)}
    return {**verdict, "versions": {**versions(), **dict(verdict["versions"])}}


def _told(error: BaseException) -> str:
    """An error that nobody foresaw, in one line, with its place."""
    at = traceback.extract_tb(error.__traceback__)
    place = f" ({Path(at[-1].filename).name}, line {at[-1].lineno})" if at else ""
    return printable(f"{type(error).__name__}: {error}{place}".replace("\n", " "))


# ---- in the grader


@dataclass
class _Run:
    """One run: what it has to do, and what came of it so far."""

    ground: Ground
    pool: Local | Dask
    book: "Writer"
    regraded: _Regrade | None
    on_progress: Callable[[int, int, str], None]
    on_trouble: Callable[[str], None]
    stop: threading.Event
    grade_one: Callable | None
    rows: dict[str, Row] = field(default_factory=dict)

    def all(self, names: list[str]) -> Report:
        spec = self.ground.spec.plain()
        todo = [name for name in names if not (self.stop.is_set() or self._keep(name))]
        self._show(names)
        again: dict[str, int] = {}  # student -> attempts so far
        for name, submission, found in self._judged(todo, spec, self.pool.room):
            if found["trouble"] or found["waited"]:
                again[name] = 1
                self._say(name, f"{found['trouble'] or 'it ran into a limit by the clock'}; once more, alone, later")
            else:
                self._file(submission, found)
            self._show(names, name)
        for name in sorted(again):
            self._alone(name, spec, again[name])
            self._show(names, name)
        log = self.ground.course / "grading" / "log" / f"{self.ground.spec.assignment}.txt"
        left = len(names) - len(self.rows)
        rows = tuple(self.rows[name] for name in names if name in self.rows)
        return Report(self.ground.spec.assignment, rows, left, interrupted=self.stop.is_set() and left > 0, log=log)

    def _alone(self, name: str, spec: dict, attempts: int) -> None:
        """The other attempts, with nothing beside them. A limit by the clock counts now."""
        while not self.stop.is_set():
            for _, submission, found in self._judged([name], spec, lambda: 1):
                attempts += 1
                if not found["trouble"]:
                    self._file(submission, found)
                    return
                self._say(name, f"attempt {attempts} of {ATTEMPTS}: {found['trouble']}")
                if attempts >= ATTEMPTS:
                    self._give_up(name, submission, found["trouble"])
                    return

    def _judged(
        self, names: Iterable[str], spec: dict, room: Callable[[], int]
    ) -> Iterator[tuple[str, Submission | None, dict]]:
        """(student, submission, verdict) as they are done, with only so many open at once. Ends early when stopped."""
        names, flying = iter(names), {}
        while not self.stop.is_set():
            self.pool.check()
            while len(flying) < room() and (name := next(names, None)) is not None:
                try:
                    submission = read(self.ground, name)
                except OSError as error:
                    trouble = f"what was handed in cannot be read: {error}"
                    yield name, None, {"trouble": trouble, "waited": False}
                    continue
                if submission.fault:
                    yield name, submission, _unreadable(self.ground.spec, submission.fault)
                    continue
                arguments = (submission.content, spec, self.ground.seeds, self.ground.unsafe, self.grade_one)
                try:
                    flying[self.pool.submit(work, *arguments)] = submission
                except Exception as error:  # no thread to be had, say
                    self.pool.check()
                    yield name, submission, {"trouble": _told(error), "waited": False}
            if not flying:
                return
            done, _ = wait(flying, timeout=LOOK, return_when=FIRST_COMPLETED)
            for future in done:
                submission = flying.pop(future)
                found = _verdict(future)
                if not (found["trouble"] and self.stop.is_set()):  # being stopped is nobody's trouble
                    yield submission.student, submission, found
        for future in flying:
            future.cancel()

    def _keep(self, name: str) -> bool:
        """Whether it has its row: a valid result is there, or no result can be, or not all of it was collected.

        What is there goes to the gradebook once more: that mends a kill between the two.
        """
        try:
            folder_name(name)
            ground, assignment = self.ground, self.ground.spec.assignment
            folder = ground.course / "submitted" / name / assignment
            if trouble := exchange.cut_short(ground.arrivals, name, assignment, folder):
                self._give_up(name, None, trouble)
                return True
            submission = read(ground, name)
            result = self._find(submission)
        except BadName as error:
            self._give_up(name, None, str(error))
            return True
        except OSError:  # told when its turn comes
            return False
        if result is None:
            return False
        self._enter(submission, result, kept=True)
        return True

    def _find(self, submission: Submission) -> Result | None:
        """The checkpoint: a result that makes grading again needless."""
        found = self._valid(submission)
        return None if found and self.regraded and self.regraded.covers(found) else found

    def _valid(self, submission: Submission) -> Result | None:
        """The result of this submission, if there is one. A file that is not to be believed is set aside."""
        ground = self.ground
        try:
            found = find(
                *(ground.course, ground.spec.assignment, submission.student),
                *(submission.sha256, ground.spec.digest, ground.keys),
            )
        except BadResult as error:
            aside = _set_aside(error.path)
            self._say(submission.student, f"its result is not believed and was renamed {aside.name}: {error}")
            return None
        if found is None or found.status != "graded" or found.version != ground.version:
            return None
        return None if found.unsafe and not ground.unsafe else found

    def _file(self, submission: Submission, found: dict) -> None:
        """Signs a verdict and writes it, then enters it into the gradebook."""
        try:
            result = _result(self.ground, submission, found)
            write(self.ground.course, result, self.ground.keys)
        except BadResult as error:
            self._give_up(submission.student, submission, f"the verdict makes no sense: {error}")
            return
        self._enter(submission, result)

    def _enter(self, submission: Submission, result: Result, *, kept: bool = False) -> None:
        self.book.write(result, _cells(submission))
        self.rows[submission.student] = _row(result, kept=kept)

    def _give_up(self, name: str, submission: Submission | None, trouble: str) -> None:
        """A human must look. There is no score: neither 0 nor another. A valid result of before stays."""
        if submission is not None and self._valid(submission) is None:
            result = _result(self.ground, submission, {"trouble": trouble})
            write(self.ground.course, result, self.ground.keys)
            self.book.write(result, _cells(submission))
        maximum = math.fsum(test.points for test in self.ground.spec.tests)
        self.rows[name] = Row(name, None, maximum, (), ("needs a human",), 0.0, trouble=trouble)
        self._say(name, f"needs a human: {trouble}")

    def _say(self, name: str, text: str) -> None:
        self.on_trouble(printable(f"{name}: {text}"))

    def _show(self, names: list[str], name: str = "") -> None:
        self.on_progress(len(self.rows), len(names), printable(name))


def _cells(submission: Submission) -> Sequence[SubmittedCell]:
    """For the notebook that people are shown."""
    try:
        return parse(submission.content)
    except Unreadable:
        return ()


def printable(text: str) -> str:
    """Without what a terminal obeys: a student's text, and names of folders, pass through here."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)


def _set_aside(path: Path) -> Path:
    number = 0
    while (aside := path.with_name(f"{path.name}.bad{number or ''}")).exists():
        number += 1
    with _plain_errors(f"Setting {path} aside"):
        return path.rename(aside)


def _verdict(future: Future) -> dict:
    """What a worker answered; trouble when it did not."""
    try:
        found = future.result()
    except (Exception, CancelledError) as error:  # of a worker that died, say
        return {"trouble": _told(error), "waited": False}
    return {"waited": False, **found}


def _unreadable(spec: Spec, fault: str) -> dict:
    """The verdict on what cannot be read: its author's fault, so no point for any test, with the reason."""
    tests = [
        {"id": test.id, "passed": False, "score": 0.0, "points": test.points, "part": "visible", "seconds": 0.0}
        | {"reason": fault, "shown": fault}
        for test in spec.tests
    ]
    none = {"cells": (), "sandbox": "", "seconds": 0.0, "cpu": 0.0, "waited": False, "trouble": ""}
    return {**none, "tests": tests, "notes": (fault,), "versions": versions()}


_OF_A_TEST = [each.name for each in fields(TestResult)]


def _result(ground: Ground, submission: Submission, found: dict) -> Result:
    """BadResult when the verdict is not about this assignment's tests, each once: then it is no verdict."""
    spec, trouble = ground.spec, found["trouble"]
    try:
        tests = tuple(TestResult(**{name: test[name] for name in _OF_A_TEST}) for test in found.get("tests", ()))
        wanted = () if trouble else tuple((test.id, test.points) for test in spec.tests)
        if tuple((test.id, test.points) for test in tests) != wanted:
            raise BadResult("it is not about the tests of this assignment")
        return Result(
            assignment=spec.assignment,
            version=ground.version,
            student=submission.student,
            submission=submission.sha256,
            spec=spec.digest,
            notebook=spec.notebook,
            status="needs-human" if trouble else "graded",
            score=None if trouble else math.fsum(test.score for test in tests),
            max_score=math.fsum(test.points for test in spec.tests),
            tests=tests,
            cells=tuple((str(label), str(error)) for label, error in found.get("cells", ())),
            notes=(*ground.notes, *found.get("notes", ())),
            trouble=trouble,
            sandbox=found.get("sandbox", ""),
            unsafe=ground.unsafe,
            seconds=found.get("seconds", 0.0),
            cpu=found.get("cpu", 0.0),
            graded_at=datetime.now(UTC).isoformat(),
            versions=dict(found.get("versions") or versions()),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise BadResult(f"it lacks what a verdict has ({type(error).__name__}: {error})") from error


def _row(result: Result, *, kept: bool = False) -> Row:
    flags = (*result.notes, *(("graded without a sandbox",) if result.unsafe else ()))
    failed = tuple(test.id for test in result.tests if not test.passed)
    return Row(result.student, result.score, result.max_score, failed, flags, result.seconds, kept)
