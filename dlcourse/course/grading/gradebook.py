"""One writer brings results into nbgrader's gradebook and into autograded/, as `nbgrader autograde` leaves them there.

So formgrader, manual grading, `nbgrader generate_feedback`, `release_feedback`, `export` and a plain `nbgrader autograde`
all go on from it. What a person gave (manual scores, extra credit, comments) is never touched by a regrade; a score or
an answer that a person has judged is only marked for review again when the student handed in something else.

Each submission is one transaction of the database, then one rename in autograded/: whole or not at all. Writing the
same results again changes nothing.
"""

import json
import os
import re
import secrets
import stat
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from dlcourse.course.errors import CourseError
from dlcourse.course.grading import autograded
from dlcourse.course.grading.result import BadResult, Result, every, plain_assignment
from dlcourse.course.grading.spec import Spec, read_spec
from dlcourse.course.grading.submission import SubmittedCell

if TYPE_CHECKING:
    from nbgrader.api import Gradebook
    from nbgrader.coursedir import CourseDirectory
    from traitlets.config import Config

SMALL = 1024  # bytes: more than any timestamp.txt or submission_secret.txt of nbgrader's
SKEW = timedelta(minutes=10)  # a student's clock may be this much ahead
NO_RESPONSE = "No response."  # nbgrader's words


def write(
    course: Path, spec: Spec, results: Iterable[Result], submissions: Mapping[str, Sequence[SubmittedCell]]
) -> None:
    """Brings results of one assignment into the gradebook and into autograded/, one after the other.

    submissions: the cells of each student's submission, as `submission.parse` read them from the bytes that were
    graded; a student whose submission nobody could read is not in it.
    Raises CourseError, with what to do; what was written before that stays, and nothing is half written.
    """
    with writer(course, spec) as one:
        for result in results:
            one.write(result, submissions.get(result.student, ()))


@contextmanager
def writer(course: Path, spec: Spec) -> Iterator["Writer"]:
    """The open gradebook, for who has one result at a time."""
    course = Path(course).resolve()
    with _course_modules(course), _told_plainly(course):
        settings = _settings(course)
        gradebook = _open(settings.coursedir)
        try:
            yield Writer(settings, gradebook, spec)
        finally:
            gradebook.close()


# ---- one submission


class Writer:
    """Writes one result after the other; made by `writer`."""

    def __init__(self, settings: "_Settings", gradebook: "Gradebook", spec: Spec) -> None:
        self._settings, self._db, self._spec = settings, gradebook.db, spec
        self._rows = _released_rows(settings, gradebook, spec)
        self._db.expunge_all()

    def write(self, result: Result, cells: Sequence[SubmittedCell]) -> None:
        """One submission: its rows in one transaction, then its notebook by one rename."""
        if (result.assignment, result.spec) != (self._spec.assignment, self._spec.digest):
            raise ValueError(f"The result of {result.student!r} is of another assignment, or of another version of it.")
        folder = self._settings.folder("autograded", result.student, result.assignment)
        handed_in = _handed_in(self._settings.folder("submitted", result.student, result.assignment))
        notebook = autograded.build(self._spec, cells, result, self._rows.checksums, self._rows.kernelspec)
        same = _graded_before(folder / self._spec.notebook) == result.submission
        contents = {
            self._spec.notebook: autograded.as_bytes(notebook),
            "timestamp.txt": handed_in.stamp.encode(),
            "submission_secret.txt": _secret(handed_in, folder),
        }
        try:
            with _aside(folder, contents, self._settings.mode, self._settings.groupshared) as put_in_place:
                self._write_rows(result, notebook, handed_in, same=same)
                self._db.commit()
                put_in_place()
        finally:
            self._db.rollback()
            self._db.expunge_all()

    def _write_rows(self, result: Result, notebook: dict[str, Any], handed_in: "HandedIn", *, same: bool) -> None:
        from nbformat import from_dict

        submission, submitted = self._submitted(result.student)
        if handed_in.at is not None:
            submission.timestamp = handed_in.at
        grades, comments = self._judged(submitted)
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
        there = {
            row.notebook_id: row for row in self._db.query(SubmittedNotebook).filter_by(assignment_id=submission.id)
        }
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
            rows = {row.cell_id: row for row in self._db.query(kind).filter_by(notebook_id=submitted.id)}
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

        score = self._db.scalar(select(func.coalesce(func.sum(Grade.score), 0.0)).filter_by(notebook_id=submitted))
        try:
            penalty = self._settings.late.late_submission_penalty(submission.student_id, score, late)
            return None if penalty is None else min(max(penalty, 0), score)
        except Exception as error:  # the plugin is the instructor's own program
            name = type(self._settings.late).__name__
            raise CourseError(
                f"The course's plugin for late submissions, {name}, failed: {error!r}. Mend it."
            ) from error


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
def _aside(folder: Path, contents: Mapping[str, bytes], mode: int, groupshared: bool) -> Iterator[Any]:
    """Writes every changed file aside in the folder; the block puts them in place by calling what it is given."""
    from functools import partial

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


@dataclass(frozen=True)
class HandedIn:
    """What lies beside the notebook that was handed in, as far as nbgrader goes by it. The student could write it."""

    at: datetime | None  # UTC without a zone, as nbgrader has it; None = no time, which counts as on time
    stamp: str  # the same, for timestamp.txt
    secret: bytes  # with which the student fetches the feedback; b"" = none
    strange: str = ""  # why the time is not believable

    def flags(self, *, released: datetime | None = None, now: datetime | None = None) -> list[str]:
        """For the instructor. nbgrader counts a time as it stands: one after the due date is late, also in the future."""
        now = now or datetime.now(UTC).replace(tzinfo=None)
        flags = [self.strange] if self.strange else []
        if self.at and self.at > now + SKEW:
            flags.append(f"timestamp.txt lies in the future ({self.at:%Y-%m-%d %H:%M} UTC); it counts as it stands")
        if self.at and released and self.at < released:
            flags.append(
                f"timestamp.txt is from before the release ({self.at:%Y-%m-%d %H:%M} UTC); it counts as it stands"
            )
        return flags


def _handed_in(folder: Path) -> HandedIn:
    secret = _small_file(folder, "submission_secret.txt") or b""
    if not re.fullmatch(rb"[0-9A-Za-z]{1,256}", secret.strip()):
        secret = b""
    content = _small_file(folder, "timestamp.txt")
    if content is None:
        return HandedIn(None, "", secret)
    counts = "the submission counts as on time"
    # A zone is a name without a slash: dateutil would open /any/file as a zone's description.
    text = content.decode("ascii", "replace").strip()
    if not re.fullmatch(r"[0-9A-Za-z :.,+-]{8,64}", text):
        return HandedIn(None, "", secret, f"timestamp.txt holds no time; {counts}")
    from nbgrader.utils import parse_utc

    try:
        at = parse_utc(text)
        return HandedIn(at, f"{at:%Y-%m-%d %H:%M:%S.%f} UTC\n", secret)
    except (ValueError, OverflowError, TypeError, AttributeError):
        return HandedIn(None, "", secret, f"timestamp.txt holds no time; {counts}")


def _small_file(folder: Path, name: str) -> bytes | None:
    """A regular file of the student's, never through a link; b"" when it is anything else or larger than such files."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
    with ExitStack() as stack:
        try:
            at = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            stack.callback(os.close, at)
            file = os.open(name, flags, dir_fd=at)
            stack.callback(os.close, file)
        except FileNotFoundError:
            return None
        except OSError:  # a link, a socket
            return b""
        found = os.fstat(file)
        if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1 or found.st_size > SMALL:
            return b""
        return os.read(file, SMALL)


def _secret(handed_in: HandedIn, folder: Path) -> bytes:
    """release_feedback stops for the whole class where one submission has no secret, so each gets one."""
    if handed_in.secret:
        return handed_in.secret
    with suppress(OSError):
        if found := (folder / "submission_secret.txt").read_bytes():
            return found
    return secrets.token_hex(64).encode()


# ---- the course's settings


@dataclass(frozen=True)
class _Settings:
    config: "Config"
    coursedir: "CourseDirectory"
    mode: int  # of files in autograded/
    late: Any  # nbgrader's plugin for late submissions, None = the course has switched it off

    @property
    def groupshared(self) -> bool:
        return self.coursedir.groupshared

    def folder(self, step: str, student: str, assignment: str) -> Path:
        """A student's folder of one of nbgrader's steps. CourseError for an id that leads elsewhere."""
        if student in ("", ".", "..") or re.search(r"[/\\\0]", student):
            raise CourseError(f"{student!r} can be no student's id.")
        named = getattr(self.coursedir, f"{step}_directory")
        return Path(self.coursedir.format_path(named, student, assignment))


def _settings(course: Path) -> _Settings:
    """nbgrader's settings from the course's nbgrader_config.py."""
    try:
        from nbgrader.converters import Autograde
        from nbgrader.coursedir import CourseDirectory
        from nbgrader.preprocessors import AssignLatePenalties
    except ModuleNotFoundError as error:
        raise CourseError(
            f"Grading needs {error.name}, which is not installed: pip install 'dlcourse[grading]' "
            "(in a checkout: pip install -c constraints.txt -e '.[grading]')."
        ) from error
    from sqlalchemy.engine import make_url
    from traitlets.config import Config, PyFileConfigLoader

    try:
        file = course / "nbgrader_config.py"
        config = PyFileConfigLoader(file.name, str(course)).load_config() if file.is_file() else Config()
        coursedir = CourseDirectory(config=config, root=str(course))
        url = make_url(coursedir.db_url)
        if url.get_backend_name() == "sqlite" and url.database and url.database != ":memory:":
            url = url.set(database=str(course / url.database))
            coursedir.db_url = url.render_as_string(hide_password=False)
        autograde = Autograde(coursedir=coursedir, config=config)
        penalties = AssignLatePenalties(config=config)
        late = None
        if penalties.enabled and AssignLatePenalties in autograde.autograde_preprocessors:
            penalties.init_plugin()
            late = penalties.plugin_inst
    except Exception as error:  # the file is a program: anything may come out of it
        raise CourseError(f"{course / 'nbgrader_config.py'} could not be used: {error}") from error
    return _Settings(config, coursedir, int(str(autograde.permissions), 8), late)


@contextmanager
def _course_modules(course: Path) -> Iterator[None]:
    """A plugin may lie beside nbgrader_config.py, and nbgrader starts alembic by its bare name."""
    path, folders = os.environ.get("PATH"), list(sys.path)
    os.environ["PATH"] = os.pathsep.join(filter(None, (str(Path(sys.executable).parent), path)))
    sys.path.append(str(course))
    try:
        yield
    finally:
        sys.path[:] = folders
        os.environ.pop("PATH") if path is None else os.environ.__setitem__("PATH", path)


@contextmanager
def _told_plainly(course: Path) -> Iterator[None]:
    from sqlalchemy.exc import SQLAlchemyError

    whole = "Nothing was half written; what was written before is in the gradebook. Then run the same command again."
    try:
        yield
    except SQLAlchemyError as error:
        cause = str(getattr(error, "orig", None) or error)
        advice = "Look at the reason."
        if "locked" in cause:
            advice = "Another program writes to it (nbgrader, formgrader, another grader): wait until it is done."
        elif "readonly" in cause or "unable to open" in cause:
            advice = "Make the file and its folder writable for you."
        elif "full" in cause:
            advice = "Make room on its disk."
        elif "no such column" in cause or "no such table" in cause:
            advice = "Another version of nbgrader made it: back it up, then run `nbgrader db upgrade`."
        elif "not a database" in cause or "malformed" in cause:
            advice = "It is damaged: put a backup in its place, or move it away; results are kept in grading/results."
        raise CourseError(f"Writing to the gradebook of {course} failed: {cause}. {advice} {whole}") from error
    except OSError as error:
        named = error.filename or course / "autograded"
        raise CourseError(
            f"Writing {named} failed: {error.strerror or error}. Make room, or the folder writable. {whole}"
        ) from error


# ---- the gradebook


def _open(coursedir: "CourseDirectory") -> "Gradebook":
    """nbgrader's gradebook; made when there is none, refused when it is half made or of another version."""
    from nbgrader.api import Gradebook
    from sqlalchemy import create_engine, inspect, text
    from sqlalchemy.engine import make_url

    url = make_url(coursedir.db_url)
    file = Path(url.database) if url.get_backend_name() == "sqlite" and url.database else None
    if file and (not file.exists() or not file.stat().st_size):
        _make(url, file, coursedir.course_id)
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            tables = set(inspect(connection).get_table_names())
            versions = []
            if "alembic_version" in tables:
                versions = list(connection.scalars(text("SELECT version_num FROM alembic_version")))
    finally:
        engine.dispose()
    if tables and versions != [_newest_version()]:
        shown = file or url.render_as_string(hide_password=True)
        if versions:
            raise CourseError(
                f"The gradebook {shown} was made by another version of nbgrader. Back it up, then run `nbgrader db upgrade` "
                "in the course folder."
            )
        raise CourseError(
            f"The gradebook {shown} is half made: nbgrader was stopped while it made it, perhaps because it did not find "
            "its program alembic. If no grades are in it, move it away and run the same command again, which makes a new "
            "one. If there are, back it up and run `nbgrader db upgrade` in the course folder."
        )
    return Gradebook(coursedir.db_url, coursedir.course_id)


def _make(url: Any, file: Path, course_id: str) -> None:
    """A new gradebook, made aside: a kill leaves none rather than half of one."""
    from subprocess import CalledProcessError

    from nbgrader.api import Gradebook

    part = file.with_name(f".{file.name}.part")
    part.unlink(missing_ok=True)
    try:
        Gradebook(url.set(database=str(part)).render_as_string(hide_password=False), course_id).close()
        os.replace(part, file)
    except (FileNotFoundError, CalledProcessError) as error:
        raise CourseError(
            f"nbgrader could not make the gradebook {file}: {error}. It starts the program alembic, which is installed with "
            "it; install nbgrader again."
        ) from error
    finally:
        part.unlink(missing_ok=True)


def _newest_version() -> str:
    from alembic.config import Config
    from alembic.script import ScriptDirectory
    from nbgrader.dbutil import ALEMBIC_DIR

    settings = Config()
    settings.set_main_option("script_location", ALEMBIC_DIR)
    return ScriptDirectory.from_config(settings).get_current_head()


@dataclass(frozen=True)
class _Released:
    """Ids of the rows that nbgrader makes for a released assignment."""

    assignment: str
    due: datetime | None
    notebook: str
    notebooks: tuple[str, ...]  # of the assignment, ours among them
    kernelspec: Mapping[str, str]
    checksums: Mapping[str, str]  # grade_id -> nbgrader's checksum of the released cell
    graded: Mapping[str, str]  # grade_id -> row of a cell that earns points
    commented: Mapping[str, str]  # grade_id -> row of a cell that takes a comment


def _released_rows(settings: _Settings, gradebook: "Gradebook", spec: Spec) -> _Released:
    rows, differ = _find_rows(gradebook, spec)
    if rows is None:
        _save_cells(settings, gradebook, spec, differ)
        rows, differ = _find_rows(gradebook, spec)
    if rows is None:
        raise CourseError(
            f"The gradebook and solutions/{spec.assignment} disagree about {differ}. "
            f"Run `nbgrader generate_assignment {spec.assignment} --force` and grade again."
        )
    return rows


def _find_rows(gradebook: "Gradebook", spec: Spec) -> tuple[_Released | None, str]:
    """The rows when all are there and as the spec has it; else None, and the first thing that is not."""
    from nbgrader.api import Assignment, BaseCell, Notebook, SourceCell

    db, name = gradebook.db, Path(spec.notebook).stem
    assignment = db.query(Assignment).filter_by(name=spec.assignment).one_or_none()
    notebooks = list(db.query(Notebook).filter_by(assignment_id=assignment.id)) if assignment else []
    notebook = next((one for one in notebooks if one.name == name), None)
    if notebook is None:
        return None, f"the notebook {name}, which is not in the gradebook"
    cells = {(cell.name, cell.type): cell for cell in db.query(BaseCell).filter_by(notebook_id=notebook.id)}
    sources = {cell.name: cell for cell in db.query(SourceCell).filter_by(notebook_id=notebook.id)}
    wanted = {cell.id: cell for cell in spec.cells if cell.role}
    kinds = {"test": ["GradeCell"], "manual": ["GradeCell", "SolutionCell"], "answer": ["SolutionCell"]}
    kinds |= {"task": ["TaskCell"], "locked": []}
    belong = {(cell.id, kind): cell for cell in wanted.values() for kind in kinds[cell.role]}
    if odd := sorted({name for name, _ in belong.keys() ^ cells.keys()} | (wanted.keys() ^ sources.keys())):
        return None, f"the cells {', '.join(odd)}"
    for (name, kind), cell in belong.items():
        if kind != "SolutionCell" and (cells[name, kind].max_score, cells[name, kind].cell_type) != (
            cell.points,
            cell.kind,
        ):
            return None, f"the points or the kind of {name}"
    for name, cell in wanted.items():
        # A test's source in the gradebook holds its hidden tests, a task's its marking scheme.
        same_text = cell.role in ("test", "task") or sources[name].source == cell.source
        if not same_text or sources[name].cell_type != cell.kind or not sources[name].checksum:
            return None, f"the text of {name}"
    kernelspec = json.loads(notebook.kernelspec) if notebook.kernelspec else {}
    return _Released(
        assignment=assignment.id,
        due=assignment.duedate,
        notebook=notebook.id,
        notebooks=tuple(one.id for one in notebooks),
        kernelspec=kernelspec or {"display_name": "Python 3", "language": "python", "name": "python3"},
        checksums={name: row.checksum for name, row in sources.items()},
        graded={name: row.id for (name, kind), row in cells.items() if kind in ("GradeCell", "TaskCell")},
        commented={name: row.id for (name, kind), row in cells.items() if kind in ("SolutionCell", "TaskCell")},
    ), ""


def _save_cells(settings: _Settings, gradebook: "Gradebook", spec: Spec, differ: str) -> None:
    """The rows that `nbgrader generate_assignment` makes, by its own steps, up to the one that saves them."""
    import nbformat
    from nbgrader.converters import GenerateAssignment
    from nbgrader.preprocessors import SaveCells

    coursedir = settings.coursedir
    if read_spec(Path(coursedir.root), spec.assignment).digest != spec.digest:
        raise CourseError(
            f"The gradebook disagrees with the assignment about {differ}, and solutions/{spec.assignment} is no longer what "
            f"was graded. Run `dlcourse course release {spec.assignment} --again`, then grade again."
        )
    gradebook.db.rollback()
    gradebook.update_or_create_assignment(spec.assignment, course_id=coursedir.course_id)
    folder = Path(coursedir.format_path(coursedir.source_directory, ".", spec.assignment))
    notebook = nbformat.read(folder / spec.notebook, as_version=4)
    named = {"student": ".", "assignment": spec.assignment, "notebook": Path(spec.notebook).stem}
    resources = {"nbgrader": {**named, "db_url": coursedir.db_url}}
    try:
        for step in GenerateAssignment(coursedir=coursedir, config=settings.config).preprocessors:
            notebook, resources = step(config=settings.config)(notebook, resources)
            if step is SaveCells:
                break
    except Exception as error:  # nbgrader raises RuntimeError, ValueError and its own
        raise CourseError(
            f"The gradebook disagrees with solutions/{spec.assignment} about {differ}, and nbgrader could not save the cells "
            f"anew: {error}. Cells cannot come or go once something was graded: take back the change, or give the changed "
            "assignment another name."
        ) from error
    gradebook.db.expire_all()


# ---- the log


def grading_log(course: Path, assignment: str, results: Iterable[Result | BadResult] | None = None) -> str:
    """Who got what, when and why, for an instructor to read; also written to grading/log/ASSIGNMENT.txt.

    It is made anew from the signed results (or from those given). Everything in it that may come from a student is
    escaped: no control character reaches a terminal.
    """
    from dlcourse.course.grading.files import write_whole
    from dlcourse.course.grading.keys import load

    course = Path(course).resolve()
    settings = _settings(course)
    if results is None:
        results = every(course, assignment, load(settings.coursedir.course_id))
    found, bad = {}, []
    for result in results:
        if isinstance(result, BadResult):
            bad.append(result)
        else:
            found.setdefault(result.student, []).append(result)
    lines = [f"Grading log of {assignment}, made from the results in grading/results/{assignment}.", ""]
    newest = [max(some, key=lambda one: one.graded_at) for some in found.values()]
    waiting = sum(one.status != "graded" for one in newest)
    lines.append(f"{len(newest)} students, {len(newest) - waiting} graded, {waiting} waiting for a person.")
    for result in sorted(newest, key=lambda one: one.student):
        earlier = sorted((one for one in found[result.student] if one is not result), key=lambda one: one.graded_at)
        folder = settings.folder("submitted", result.student, assignment)
        lines += ["", *_student_lines(result, earlier, _handed_in(folder))]
    if bad:
        lines += ["", "Files that are no results of ours:", *(f"  {_shown(str(one))}" for one in bad)]
    text = "\n".join(lines) + "\n"
    path = course / "grading" / "log" / f"{plain_assignment(assignment)}.txt"
    with _told_plainly(course):
        write_whole(path, text.encode("utf-8"))
    return text


def _student_lines(result: Result, earlier: Sequence[Result], handed_in: HandedIn) -> Iterator[str]:
    scored = "not graded" if result.score is None else f"{result.score:g} of {result.max_score:g} points"
    yield f"{_shown(result.student)}: {scored}"
    came = f"handed in {handed_in.at:%Y-%m-%d %H:%M:%S} UTC" if handed_in.at else "no time of handing in"
    yield f"  graded     {result.graded_at[:19].replace('T', ' ')} UTC, {came}"
    yield f"  submission {result.submission[:16]}, version {result.version}, {result.seconds:.1f} s, sandbox: {result.sandbox}"
    for test in result.tests:
        if test.score < test.points:
            where = f" ({test.part} part)" if test.part else ""
            yield f"  failed     {_shown(test.id)}: {test.score:g} of {test.points:g}{where}: {_shown(test.reason)}"
    for label, error in result.cells:
        yield f"  stopped    {_shown(label)}: {_shown(error)}"
    if result.trouble:
        yield f"  TROUBLE    {_shown(result.trouble)}"
    flags = ["graded without a sandbox"] if result.unsafe else []
    for flag in (*flags, *handed_in.flags(), *result.notes):
        yield f"  flag       {_shown(flag)}"
    for one in earlier:
        scored = "not graded" if one.score is None else f"{one.score:g} of {one.max_score:g} points"
        yield f"  earlier    {one.graded_at[:19].replace('T', ' ')} UTC, submission {one.submission[:16]}: {scored}"


def _shown(text: str, most: int = 400) -> str:
    """One line, printable: a control character, a line end and a sign that turns the writing round are spelt out."""
    text = text.strip()
    text = text if len(text) <= most else f"{text[:most]}..."
    return "".join(
        one if one.isprintable() else " / " if one == "\n" else one.encode("unicode_escape").decode() for one in text
    )
