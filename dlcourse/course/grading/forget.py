"""Forgetting a student: everything that the course's folder and the exchange hold about one person is removed.

    look(course, student)     what there is; nothing is changed
    forget(course, student)   removes it

A kill at any moment, and then the same command again, end in the same state. For that the order matters: feedback in
the exchange goes first, because its files are found by secrets that lie in the other places; then what could bring the
student back (what is in the exchange, what was collected); then the gradebook, before the folders by which a second
run would still know the student. A folder is renamed before it is emptied, so nothing half removed is ever graded.
"""

import difflib
import hashlib
import json
import os
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlcourse.course.errors import CourseError
from dlcourse.course.grading import exchange
from dlcourse.course.grading.book.handed_in import small_file
from dlcourse.course.grading.book.log import grading_log, shown
from dlcourse.course.grading.book.nbcourse import course_modules, open_gradebook, settings_of, told_plainly
from dlcourse.course.grading.files import alone, write_whole
from dlcourse.course.grading.grade import AskedWrongly
from dlcourse.course.grading.mentions import Rest, mentions
from dlcourse.course.grading.removal import measure, opened, remove
from dlcourse.course.grading.result import BadName, folder_name
from dlcourse.course.grading.settings import settings

if TYPE_CHECKING:
    from nbgrader.api import Gradebook
    from nbgrader.coursedir import CourseDirectory

BUSY = "Another dlcourse grades or releases here. Wait until it is done. Nothing was removed."
STRUCTURE = ("{nbgrader_step}", "{student_id}", "{assignment_id}")  # nbgrader's own, the only one known here


@dataclass(frozen=True)
class Entry:
    """A file or folder about the student, below a folder `base` that is taken as it is."""

    base: Path
    folder: tuple[str, ...]
    name: str

    @property
    def path(self) -> Path:
        return Path(self.base, *self.folder, self.name)


@dataclass(frozen=True)
class Place:
    """What one place holds: so many of these things, and bytes (0 where they cannot be told)."""

    where: str
    what: str
    size: int = 0


@dataclass(frozen=True)
class Held:
    """What there is about a student: what `forget` removes, and what it leaves."""

    student: str
    places: tuple[Place, ...]
    rest: Rest


@dataclass(frozen=True)
class Left:
    """What could not be removed, and why."""

    path: Path
    why: str


def look(course: Path, student: str) -> Held:
    """What the course holds about a student. AskedWrongly when it is nothing; CourseError where it cannot be seen."""
    ground = _Ground(course, student)
    places = [*ground.gradebook_places(), *ground.file_places()]
    if not places:
        raise AskedWrongly(ground.unknown())
    return Held(student, tuple(places), ground.rest())


def rest(course: Path, student: str) -> Rest:
    """What still names the student, for after `forget`."""
    return _Ground(course, student).rest()


def forget(course: Path, student: str) -> list[Left]:
    """Removes it all; what could not be removed comes back. May be run again after a kill, and after a failure.

    CourseError when a grader is at work, or when the gradebook cannot be written; what was removed before stays so.
    """
    ground = _Ground(course, student)
    with alone(ground.here.course / "grading" / ".lock", BUSY):
        ground.everything()  # a place that cannot be worked in is told before anything is removed
        ground.sweep()
        left = ground.remove(ground.released_feedback())
        left += ground.remove([*ground.arrived(), *ground.step("submitted")])
        ground.empty_gradebook()
        left += ground.remove([*ground.step("autograded"), *ground.step("feedback")])
        logs = set(ground.logs())
        left += ground.remove(ground.results())
        ground.mend_notes()
        ground.write_logs(logs)
        left += ground.remove(ground.cached())
    return left


class _Ground:
    """One course, and one student of it."""

    def __init__(self, course: Path, student: str) -> None:
        try:
            self.folder = folder_name(student)
        except BadName as error:
            raise AskedWrongly(str(error)) from error
        self.student, self.here = student, settings(course)
        self.aside = f".forgetting-{hashlib.sha256(student.encode()).hexdigest()[:16]}"
        with course_modules(self.here.course):
            self.nbgrader = settings_of(self.here.course)
        self.coursedir: CourseDirectory = self.nbgrader.coursedir
        if Path(self.coursedir.directory_structure).parts != STRUCTURE:
            raise CourseError(
                f"This course sets CourseDirectory.directory_structure to {self.coursedir.directory_structure!r}. "
                "Only nbgrader's own, step/student/assignment, is known here. Nothing was removed."
            )

    # ---- files

    def entries(self, base: Path, *folder: str, wanted: Callable[[str], bool]) -> list[Entry]:
        """Of base/folder/..., those whose names are wanted, and what an interrupted run left of this student."""
        try:
            with opened(base, *folder) as at:
                names = [] if at is None else sorted(os.listdir(at))
        except OSError as error:
            raise CourseError(
                f"{Path(base, *folder)} cannot be read: {error.strerror or error}. Use the account that released the "
                "course. Nothing was removed."
            ) from error
        return [Entry(base, folder, name) for name in names if name.startswith(self.aside) or wanted(name)]

    def step(self, name: str) -> list[Entry]:
        """The student's folder of submitted/, autograded/ or feedback/."""
        parts = Path(getattr(self.coursedir, f"{name}_directory")).parts
        if Path(*parts).is_absolute() or ".." in parts:
            raise CourseError(
                f"CourseDirectory.{name}_directory leads out of the course's folder. Nothing was removed."
            )
        return self.entries(self.here.course, *parts, wanted=self.student.__eq__)

    def results(self) -> list[Entry]:
        """Results of all assignments and versions, those that were set aside too."""
        found = []
        for assignment in self._assignments():
            folder = ("grading", "results", assignment)
            found += self.entries(self.here.course, *folder, wanted=self.folder.__eq__)
        return found

    def _assignments(self) -> list[str]:
        with opened(self.here.course, "grading", "results") as at:
            return [] if at is None else sorted(os.listdir(at))

    def _handed_in(self, name: str) -> bool:
        return exchange.assignment_of(name, self.student) is not None

    def arrived(self) -> list[Entry]:
        """What the student handed in, in the exchange."""
        if self.here.exchange is None:
            return []
        return self.entries(self.here.exchange, self.here.id, "inbound", wanted=self._handed_in)

    def cached(self) -> list[Entry]:
        """What was handed in for the student from the account that runs this."""
        from jupyter_core.paths import jupyter_data_dir

        cache = self.nbgrader.config.Exchange.get("cache", "") or Path(jupyter_data_dir(), "nbgrader_cache")
        return self.entries(Path(cache), self.here.id, wanted=self._handed_in)

    def released_feedback(self) -> list[Entry]:
        """The student's pages in the exchange, whose names are made from the secrets of the submissions."""
        if self.here.exchange is None:
            return []
        names = {f"{digest}{end}.html" for digest in self._digests() for end in ("", "-tmp")}
        return self.entries(self.here.exchange, self.here.id, "feedback", wanted=lambda name: name in names)

    def _digests(self) -> Iterator[str]:
        from nbgrader.utils import notebook_hash

        mine, others = self._secrets()
        for secret in mine - others:
            for name in self._notebooks():
                yield notebook_hash(secret=secret.decode(errors="replace"), notebook_id=name)

    def _secrets(self) -> tuple[set[bytes], set[bytes]]:
        """Of the student's submissions, and of all others': a copied one is no proof of whose feedback it is."""
        mine, others = set(), set()
        for step in ("submitted", "autograded", "feedback"):
            own = {entry.path for entry in self.step(step)}
            for folder in (self.here.course / getattr(self.coursedir, f"{step}_directory")).glob("*/*"):
                if not folder.parent.is_symlink():
                    (mine if folder.parent in own else others).add(small_file(folder, exchange.SECRET))
        arrivals = exchange.inbound(self.here)
        own = {entry.path for entry in self.arrived()}
        for folder in own | {arrivals / name for name in _names(arrivals)} if arrivals else ():
            (mine if folder in own else others).add(small_file(folder, exchange.SECRET))
        mine |= {small_file(entry.path, exchange.SECRET) for entry in self.cached()}
        return mine - {None, b""}, others

    def _notebooks(self) -> set[str]:
        """The names of notebooks by which feedback may have been released: ours, and those that were handed in."""
        theirs = [entry.path for entry in [*self.step("feedback"), *self.step("submitted")]]
        found = [path for room in ("exercises", "solutions") for path in self.here.course.glob(f"{room}/*/*.ipynb")]
        found += [path for folder in theirs for end in ("ipynb", "html") for path in folder.glob(f"*/*.{end}")]
        return {path.stem for path in found}

    def remove(self, entries: Sequence[Entry]) -> list[Left]:
        left = []
        for entry in entries:
            aside = entry.name if entry.name.startswith(self.aside) else f"{self.aside}-{secrets.token_hex(4)}"
            with opened(entry.base, *entry.folder) as at:
                try:
                    if at is not None:
                        remove(at, entry.name, aside)
                except FileNotFoundError:
                    continue
                except OSError as error:
                    now = entry.path if os.path.lexists(entry.path) else entry.path.with_name(aside)
                    left.append(Left(now, error.strerror or str(error)))
        return left

    # ---- what is written about several students

    def logs(self) -> list[str]:
        """Assignments whose grading log tells of the student."""
        begins, within = f"\n{shown(self.student)}: ", f"{os.sep}{self.folder}{os.sep}"
        told = []
        for path in sorted((self.here.course / "grading" / "log").glob("*.txt")):
            text = path.read_text(encoding="utf-8", errors="replace")
            if begins in text or within in text:
                told.append(path.stem)
        return told

    def write_logs(self, assignments: set[str]) -> None:
        """Made anew from the results that are left; where that cannot be, the log goes."""
        folder = self.here.course / "grading" / "log"
        for assignment in sorted(assignments):
            try:
                grading_log(self.here.course, assignment)
            except CourseError:  # no keys here, say; the next run of the grader makes it
                (folder / f"{assignment}.txt").unlink(missing_ok=True)

    def half_written(self) -> list[Path]:
        """What a killed grader left: a log of before, say."""
        folder = self.here.course / "grading"
        return [*folder.glob(".*.part"), *folder.glob("log/.*.part")]

    def sweep(self) -> None:
        for path in self.half_written():
            path.unlink()

    def notes(self) -> list[Path]:
        """Of regrades that were interrupted, with the names of those who are due."""
        found = sorted((self.here.course / "grading").glob(".regrade-*.json"))
        return [path for path in found if self.student in _noted(path)]

    def mend_notes(self) -> None:
        for path in self.notes():
            noted = json.loads(path.read_bytes())
            noted["students"] = [name for name in noted["students"] if name != self.student]
            if noted["students"]:
                write_whole(path, json.dumps(noted).encode())
            else:
                path.unlink()

    # ---- the gradebook

    def gradebook_rows(self) -> int:
        if not self.here.has_gradebook:
            return 0
        from nbgrader.api import Comment, Grade, Student, SubmittedAssignment, SubmittedNotebook

        with self._gradebook() as gradebook:
            db = gradebook.db
            if db.get(Student, self.student) is None:
                return 0
            assignments = db.query(SubmittedAssignment.id).filter_by(student_id=self.student)
            assignments = [id for (id,) in assignments]
            notebooks = db.query(SubmittedNotebook.id).filter(SubmittedNotebook.assignment_id.in_(assignments))
            notebooks = [id for (id,) in notebooks]
            marks = [db.query(kind).filter(kind.notebook_id.in_(notebooks)).count() for kind in (Grade, Comment)]
            return 1 + len(assignments) + len(notebooks) + sum(marks)

    def _gradebook(self) -> "Gradebook":
        with course_modules(self.here.course), told_plainly(self.here.course):
            return open_gradebook(self.coursedir)

    def empty_gradebook(self) -> None:
        """Removes the student's rows; afterwards nothing of them stands in what the file of the database leaves unused.

        It is packed anew before, for what earlier changes left in it, and after.
        """
        if not self.here.has_gradebook:
            return
        from nbgrader.api import InvalidEntry, MissingEntry
        from sqlalchemy import event

        with told_plainly(self.here.course), self._gradebook() as gradebook:
            gradebook.engine.dispose()
            if gradebook.engine.dialect.name == "sqlite":
                event.listen(gradebook.engine, "connect", _overwrite_what_is_deleted)
            _pack(gradebook.engine)
            try:
                gradebook.remove_student(self.student)
            except MissingEntry:
                pass
            except InvalidEntry as error:
                raise CourseError(
                    f"The gradebook could not be changed: {error}. If another program writes to it (formgrader, say), "
                    "wait until it is done. Then run the same command again."
                ) from error
            gradebook.db.remove()
            _pack(gradebook.engine)

    # ---- what is told

    def gradebook_places(self) -> list[Place]:
        rows = self.gradebook_rows()
        return [Place("the gradebook", f"{rows} rows")] if rows else []

    def file_places(self) -> list[Place]:
        groups = [
            (str(entry.path), [entry])
            for entry in [*self.step("submitted"), *self.step("autograded"), *self.step("feedback"), *self.results()]
        ]
        groups += [
            (str(some[0].path.parent), some)
            for some in (self.arrived(), self.released_feedback(), self.cached())
            if some
        ]
        places = []
        for where, entries in groups:
            files, size = (sum(parts) for parts in zip(*(measure(entry.path) for entry in entries), strict=True))
            places.append(Place(self._short(where), f"{files} file{'s' * (files != 1)}", size))
        log = self.here.course / "grading" / "log"
        places += [Place(self._short(str(log / f"{name}.txt")), "a part") for name in self.logs()]
        return places + [Place(self._short(str(path)), "the name") for path in self.notes()]

    def _short(self, path: str) -> str:
        return path.removeprefix(f"{self.here.course}{os.sep}")

    def unknown(self) -> str:
        known = set()
        for name in ("submitted", "autograded", "feedback"):
            known |= set(_names(self.here.course / getattr(self.coursedir, f"{name}_directory")))
        if self.here.has_gradebook:
            with self._gradebook() as gradebook:
                known |= {student.id for student in gradebook.students}
        known = {name for name in known if not name.startswith(".")}
        near = difflib.get_close_matches(self.student, sorted(known), n=5, cutoff=0.5)
        alike = f" Names like it: {', '.join(map(repr, near))}." if near else ""
        return (
            f"This course holds nothing about a student {self.student!r}, so nothing was removed.{alike} "
            f"It knows {len(known)} students."
        )

    def rest(self) -> Rest:
        mine = {entry.path for entry in self.everything()}
        own = {self.here.course / "grading" / "log" / f"{name}.txt" for name in self.logs()}
        own |= {*self.notes(), *self.half_written()}
        ours = {Path(self.here.gradebook.removeprefix("sqlite:///"))} if self.gradebook_rows() else set()
        roots = [self.here.course, *([self.here.exchange / self.here.id] if self.here.exchange else [])]
        # Others' work is looked into where it was collected: in inbound/ it is theirs to make large, and to change.
        arrivals = {exchange.inbound(self.here)} - {None}
        return mentions(roots, self.student, leave_out=mine | own | ours | arrivals)

    def everything(self) -> list[Entry]:
        steps = [entry for name in ("submitted", "autograded", "feedback") for entry in self.step(name)]
        return [*steps, *self.results(), *self.arrived(), *self.released_feedback(), *self.cached()]


def _names(folder: Path) -> list[str]:
    with suppress(OSError):
        return sorted(os.listdir(folder))
    return []


def _noted(path: Path) -> list[str]:
    try:
        return [name for name in json.loads(path.read_bytes())["students"] if isinstance(name, str)]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def _overwrite_what_is_deleted(connection: Any, _: Any) -> None:
    connection.execute("PRAGMA secure_delete = ON")


def _pack(engine: Any) -> None:
    """Writes a SQLite file anew, without the pages and parts of pages that nothing uses. Other databases: nothing."""
    from sqlalchemy import text

    if engine.dialect.name != "sqlite":
        return
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM"))
        connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))
