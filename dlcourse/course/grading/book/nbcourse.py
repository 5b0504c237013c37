"""The course as nbgrader sees it: its settings and folders, its gradebook, and the rows of a released assignment."""

import json
import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlcourse.course.errors import CourseError
from dlcourse.course.grading import settings as course_settings
from dlcourse.course.grading.spec import Spec, read_spec

if TYPE_CHECKING:
    from nbgrader.api import Gradebook
    from nbgrader.coursedir import CourseDirectory
    from traitlets.config import Config


@dataclass(frozen=True)
class Settings:
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


def settings_of(course: Path) -> Settings:
    """nbgrader's settings, from the same files as `settings.settings` has them."""
    course_settings.spare_the_grammar()
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

    config = course_settings.config(course)
    try:
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
    except Exception as error:  # traitlets', SQLAlchemy's and what a plugin raises at import: all mean a bad setting
        raise CourseError(f"The settings of {course / 'nbgrader_config.py'} could not be used: {error}") from error
    return Settings(config, coursedir, int(str(autograde.permissions), 8), late)


@contextmanager
def course_modules(course: Path) -> Iterator[None]:
    """A plugin may lie beside nbgrader_config.py."""
    folders = list(sys.path)
    sys.path.append(str(course))
    try:
        with course_settings.programs_found():
            yield
    finally:
        sys.path[:] = folders


@contextmanager
def told_plainly(course: Path) -> Iterator[None]:
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


def open_gradebook(coursedir: "CourseDirectory") -> "Gradebook":
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
                f"The gradebook {shown} was made by another version of nbgrader. Back it up, then run "
                "`nbgrader db upgrade` in the course folder."
            )
        raise CourseError(
            f"The gradebook {shown} is half made: nbgrader was stopped while it made it, perhaps because it did not "
            "find its program alembic. If no grades are in it, move it away and run the same command again, which "
            "makes a new one. If there are, back it up and run `nbgrader db upgrade` in the course folder."
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
            f"nbgrader could not make the gradebook {file}: {error}. It starts the program alembic, which is installed "
            "with it; install nbgrader again."
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
class Released:
    """Ids of the rows that nbgrader makes for a released assignment."""

    assignment: str
    due: datetime | None
    notebook: str
    notebooks: tuple[str, ...]  # of the assignment, ours among them
    kernelspec: Mapping[str, str]
    checksums: Mapping[str, str]  # grade_id -> nbgrader's checksum of the released cell
    graded: Mapping[str, str]  # grade_id -> row of a cell that earns points
    commented: Mapping[str, str]  # grade_id -> row of a cell that takes a comment


def released_rows(settings: Settings, gradebook: "Gradebook", spec: Spec) -> Released:
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


def _find_rows(gradebook: "Gradebook", spec: Spec) -> tuple[Released | None, str]:
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
    return Released(
        assignment=assignment.id,
        due=assignment.duedate,
        notebook=notebook.id,
        notebooks=tuple(one.id for one in notebooks),
        kernelspec=kernelspec or {"display_name": "Python 3", "language": "python", "name": "python3"},
        checksums={name: row.checksum for name, row in sources.items()},
        graded={name: row.id for (name, kind), row in cells.items() if kind in ("GradeCell", "TaskCell")},
        commented={name: row.id for (name, kind), row in cells.items() if kind in ("SolutionCell", "TaskCell")},
    ), ""


def _save_cells(settings: Settings, gradebook: "Gradebook", spec: Spec, differ: str) -> None:
    """The rows that `nbgrader generate_assignment` makes, by its own steps, up to the one that saves them."""
    import nbformat
    from nbgrader.converters import GenerateAssignment
    from nbgrader.preprocessors import SaveCells

    coursedir = settings.coursedir
    if read_spec(Path(coursedir.root), spec.assignment).digest != spec.digest:
        raise CourseError(
            f"The gradebook disagrees with the assignment about {differ}, and solutions/{spec.assignment} is no longer "
            f"what was graded. Run `dlcourse course release {spec.assignment} --again`, then grade again."
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
            f"The gradebook disagrees with solutions/{spec.assignment} about {differ}, and nbgrader could not save the "
            f"cells anew: {error}. Cells cannot come or go once something was graded: take back the change, or give "
            "the changed assignment another name."
        ) from error
    gradebook.db.expire_all()
