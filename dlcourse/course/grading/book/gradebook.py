"""One writer brings results into nbgrader's gradebook and into autograded/, as `nbgrader autograde` leaves them there.

So formgrader, manual grading, `nbgrader generate_feedback`, `release_feedback`, `export` and a plain
`nbgrader autograde` all go on from it. What a person gave (manual scores, extra credit, comments) is never touched by a
regrade; what a person has judged is marked for review again only when the student handed in something else.

Each submission is one transaction of the database, then one rename in autograded/: whole or not at all. Writing the
same results again changes nothing.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlcourse.course.errors import CourseError
from dlcourse.course.grading.book import autograded, handed_in
from dlcourse.course.grading.book.log import grading_log
from dlcourse.course.grading.book.nbcourse import (
    Settings,
    course_modules,
    open_gradebook,
    released_rows,
    settings_of,
    told_plainly,
)
from dlcourse.course.grading.result import Result
from dlcourse.course.grading.spec import Spec
from dlcourse.course.grading.submission import SubmittedCell, Unreadable, open_submission, parse

if TYPE_CHECKING:
    from nbgrader.api import Gradebook

__all__ = ["Writer", "grading_log", "write", "writer"]

NO_RESPONSE = "No response."  # nbgrader's words


def write(
    course: Path,
    spec: Spec,
    results: Iterable[Result],
    submissions: Mapping[str, Sequence[SubmittedCell]] | None = None,
) -> list[str]:
    """Brings results of one assignment into the gradebook and into autograded/, one after the other.

    submissions: each student's cells, as `submission.parse` read them from the bytes that were graded; one that nobody
    could read is not in it. Without it they are read from submitted/ again; who handed in something else since is left
    out, and named in the list that comes back: the next run grades that.
    Raises CourseError, with what to do; what was written before that stays, and nothing is half written.
    """
    left_out = []
    with writer(course, spec) as one:
        for result in results:
            cells = one.cells_of(result) if submissions is None else submissions.get(result.student, ())
            if cells is None:
                left_out.append(result.student)
            else:
                one.write(result, cells)
    return left_out


@contextmanager
def writer(course: Path, spec: Spec) -> Iterator["Writer"]:
    """The open gradebook, for who has one result at a time."""
    course = Path(course).resolve()
    with course_modules(course):
        with told_plainly(course):
            settings = settings_of(course)
            gradebook = open_gradebook(settings.coursedir)
        try:
            with told_plainly(course):
                one = Writer(settings, gradebook, spec)
            yield one
        finally:
            gradebook.close()


# ---- one submission


class Writer:
    """Writes one result after the other; made by `writer`."""

    def __init__(self, settings: "Settings", gradebook: "Gradebook", spec: Spec) -> None:
        self._settings, self._db, self._spec = settings, gradebook.db, spec
        self._rows = released_rows(settings, gradebook, spec)
        self._db.expunge_all()

    def cells_of(self, result: Result) -> Sequence[SubmittedCell] | None:
        """The cells that the result judged, from submitted/; None when something else lies there now."""
        folder = self._settings.folder("submitted", result.student, result.assignment)
        with told_plainly(Path(self._settings.coursedir.root)):
            try:
                content = open_submission(folder, self._spec.notebook)
                same = hashlib.sha256(content).hexdigest() == result.submission
                return parse(content) if same else None
            except Unreadable:
                return None if result.score else ()

    def write(self, result: Result, cells: Sequence[SubmittedCell]) -> None:
        """One submission: its rows in one transaction, then its notebook by one rename."""
        if (result.assignment, result.spec) != (self._spec.assignment, self._spec.digest):
            raise ValueError(f"The result of {result.student!r} is of another assignment, or of another version of it.")
        folder = self._settings.folder("autograded", result.student, result.assignment)
        beside = handed_in.read(self._settings.folder("submitted", result.student, result.assignment))
        notebook = autograded.build(self._spec, cells, result, self._rows.checksums, self._rows.kernelspec)
        same = _graded_before(folder / self._spec.notebook) == result.submission
        contents = {
            self._spec.notebook: autograded.as_bytes(notebook),
            "timestamp.txt": beside.stamp.encode(),
            "submission_secret.txt": handed_in.secret_of(beside, folder),
        }
        files = _aside(folder, contents, self._settings.mode, self._settings.groupshared)
        with told_plainly(Path(self._settings.coursedir.root)):
            try:
                with files as put_in_place:
                    self._write_rows(result, notebook, beside, same=same)
                    self._db.commit()
                    put_in_place()
            finally:
                self._db.rollback()
                self._db.expunge_all()

    def _write_rows(self, result: Result, notebook: dict[str, Any], beside: handed_in.HandedIn, *, same: bool) -> None:
        from nbformat import from_dict

        with self._db.no_autoflush:  # first all that is read, then all that is written
            submission, submitted = self._submitted(result.student)
            grades, comments = self._judged(submitted)
        if beside.at is not None:
            submission.timestamp = beside.at
        for cell in notebook["cells"]:
            marks = cell["metadata"].get("nbgrader", {})
            if name := marks.get("grade_id"):
                node = from_dict(cell)
                if marks["grade"]:
                    _grade(grades[name], _auto_score(result, node), same=same)
                elif marks["task"]:
                    _grade(grades[name], None, same=same)
                if marks["solution"]:
                    comments[name].auto_comment = NO_RESPONSE if _untouched(node) else None
        self._db.flush()
        submitted.late_submission_penalty = self._late_penalty(submission, submitted.id)

    def _submitted(self, student: str) -> tuple[Any, Any]:
        """The student's rows for the assignment and for the notebook, made as nbgrader's add_submission makes them."""
        from nbgrader.api import Student, SubmittedAssignment, SubmittedNotebook, new_uuid

        if self._db.get(Student, student) is None:
            self._db.add(Student(id=student))
        keys = {"assignment_id": self._rows.assignment, "student_id": student}
        submission = self._db.query(SubmittedAssignment).filter_by(**keys).one_or_none()
        if submission is None:
            submission = SubmittedAssignment(id=new_uuid(), **keys)
            self._db.add(submission)
        ours = SubmittedNotebook.notebook_id.in_(self._rows.notebooks)  # for the index, which begins with it
        rows = self._db.query(SubmittedNotebook).filter(ours, SubmittedNotebook.assignment_id == submission.id)
        there = {row.notebook_id: row for row in rows}
        for notebook in self._rows.notebooks:
            if notebook not in there:
                there[notebook] = SubmittedNotebook(id=new_uuid(), notebook_id=notebook, assignment_id=submission.id)
                self._db.add(there[notebook])
        return submission, there[self._rows.notebook]

    def _judged(self, submitted: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """Grades and comments of a submitted notebook by grade_id; what is missing is made."""
        from nbgrader.api import Comment, Grade, new_uuid

        found = []
        for kind, cells in ((Grade, self._rows.graded), (Comment, self._rows.commented)):
            ours = kind.cell_id.in_(cells.values())  # for the index, which begins with it
            there = self._db.query(kind).filter(ours, kind.notebook_id == submitted.id)
            rows = {row.cell_id: row for row in there}
            for cell in cells.values():
                if cell not in rows:
                    rows[cell] = kind(id=new_uuid(), cell_id=cell, notebook_id=submitted.id)
                    self._db.add(rows[cell])
            found.append({name: rows[cell] for name, cell in cells.items()})
        return found[0], found[1]

    def _late_penalty(self, submission: Any, submitted: str) -> float | None:
        """As nbgrader's AssignLatePenalties: the course's own plugin, between 0 and the score."""
        due = self._rows.due
        if self._settings.late is None or due is None or submission.timestamp is None:
            return None
        late = (submission.timestamp - due - (submission.extension or timedelta())).total_seconds()
        if late <= 0:
            return None
        from nbgrader.api import Grade
        from sqlalchemy import func, select

        ours = Grade.cell_id.in_(self._rows.graded.values())
        score = self._db.scalar(
            select(func.coalesce(func.sum(Grade.score), 0.0)).where(ours, Grade.notebook_id == submitted)
        )
        try:
            penalty = self._settings.late.late_submission_penalty(submission.student_id, score, late)
            return None if penalty is None else min(max(penalty, 0), score)
        except Exception as error:  # the plugin is the instructor's own program
            name = type(self._settings.late).__name__
            raise CourseError(f"The course's plugin for late submissions, {name}, failed: {error!r}.") from error


def _grade(row: Any, score: float | None, *, same: bool) -> None:
    """nbgrader's rule for who must look, except that nobody looks twice at one and the same submission."""
    asks = row.manual_score is not None or score is None
    kept = same and row.needs_manual_grade is not None and (row.auto_score is None) == (score is None)
    row.auto_score = score
    row.needs_manual_grade = row.needs_manual_grade if asks and kept else asks


def _auto_score(result: Result, cell: Any) -> float | None:
    """What nbgrader itself reads from the cell, which must be what the tests gave."""
    from nbgrader.utils import determine_grade

    read, _ = determine_grade(cell)
    if cell.metadata.nbgrader.solution:
        return read
    if result.status != "graded":
        return None
    given = next((test.score for test in result.tests if test.id == cell.metadata.nbgrader.grade_id), 0.0)
    if read != given:
        raise AssertionError(f"{cell.metadata.nbgrader.grade_id}: nbgrader reads {read}, and the tests gave {given}")
    return given


def _untouched(cell: Any) -> bool:
    from nbgrader.utils import compute_checksum

    return cell.metadata.nbgrader.checksum == compute_checksum(cell)


def _graded_before(path: Path) -> str:
    """The hash of the submission that our notebook in autograded/ shows; "" when there is none, or nbgrader's own."""
    try:
        return str(json.loads(path.read_bytes())["metadata"]["dlcourse"]["submission"])
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return ""


# ---- files


@contextmanager
def _aside(folder: Path, contents: Mapping[str, bytes], mode: int, groupshared: bool) -> Iterator[Callable[[], None]]:
    """Writes every changed file aside in the folder; the block puts them in place by calling what it is given."""
    made = not folder.exists()
    _make_folders(folder, groupshared)
    pairs = [(folder / f".{name}.part", folder / name) for name in contents]
    try:
        waiting = []
        for (part, path), content in zip(pairs, contents.values(), strict=True):
            if not (path.is_file() and not path.is_symlink() and path.read_bytes() == content):
                part.unlink(missing_ok=True)
                with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                    file.write(content)
                part.chmod(mode)
                waiting.append((part, path))
        yield partial(_rename, waiting)
    except BaseException:
        for part, _ in pairs:
            with suppress(OSError):
                part.unlink(missing_ok=True)
        if made:
            with suppress(OSError):
                folder.rmdir()
        raise


def _rename(waiting: Iterable[tuple[Path, Path]]) -> None:
    for part, path in waiting:
        os.replace(part, path)


def _make_folders(folder: Path, groupshared: bool) -> None:
    """Folders as nbgrader makes them, writable for the group where the course is shared."""
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for made in missing if groupshared else ():
        made.chmod((made.stat().st_mode | 0o2770) & 0o2777)
