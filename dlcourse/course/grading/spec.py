"""What the instructor wrote: the cells of one assignment, as released, and the hidden tests apart from them.

Read from solutions/ASSIGNMENT/*.ipynb, which is nbgrader's format (metadata schema 3), so an instructor's own notebook
serves as well as one that the course build made. The text of a released cell is nbgrader's to the letter: stubs and
markers come from the course's nbgrader_config.py. A notebook whose release would show a solution or a hidden test is
refused, also where nbgrader would let it pass.
"""

import ast
import hashlib
import json
import math
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

from traitlets import Dict, Unicode
from traitlets.config import Config, Configurable, PyFileConfigLoader

from dlcourse.course.errors import CourseError

CONFIG = "nbgrader_config.py"
SCHEMA = 3


@dataclass(frozen=True)
class SpecCell:
    """One cell of the released notebook, with what the release left out of it.

    role: "answer" (code to be written), "test" (code that earns points), "manual" (an answer that a person marks),
    "task" (a text that sets a task; a person marks what the student added to the notebook), "locked" (ours, read
    only), or "" (any other cell).
    """

    id: str  # the grade_id, where there is a role; else the cell's own id, or one made up
    kind: str  # "code", "markdown" or "raw"
    role: str
    source: str  # as released: of an answer the stub, of a test the visible part
    hidden: str = ""  # of a test: a program that runs its hidden regions, markers left out; see _hidden_program
    points: float = 0.0


@dataclass(frozen=True)
class Spec:
    """One assignment: one notebook, its cells in order."""

    assignment: str
    notebook: str  # the file's name
    cells: tuple[SpecCell, ...]

    @cached_property
    def digest(self) -> str:
        """SHA-256 of everything in the spec: another digest is another assignment."""
        text = json.dumps(self.plain(), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        return hashlib.sha256(text.encode("ascii")).hexdigest()

    @property
    def tests(self) -> tuple[SpecCell, ...]:
        return tuple(cell for cell in self.cells if cell.role == "test")

    @property
    def manual(self) -> tuple[SpecCell, ...]:
        """What a person marks: manual answers and tasks."""
        return tuple(cell for cell in self.cells if cell.role in ("manual", "task"))

    @property
    def points(self) -> float:
        """What a perfect submission earns, manual cells included."""
        return math.fsum(cell.points for cell in self.cells)

    def plain(self) -> dict:
        """As plain values, for JSON and for the wire."""
        return {
            "assignment": self.assignment,
            "notebook": self.notebook,
            "cells": [asdict(cell) for cell in self.cells],
        }

    @classmethod
    def from_plain(cls, plain: dict) -> "Spec":
        cells = tuple(SpecCell(**{**cell, "points": float(cell["points"])}) for cell in plain["cells"])
        return cls(plain["assignment"], plain["notebook"], cells)


class NoAssignment(CourseError):
    status = 2  # asked wrongly


def read_spec(course: Path, assignment: str) -> Spec:
    """The spec of course/solutions/ASSIGNMENT, which holds exactly one notebook.

    Raises CourseError, naming the file and the cell and saying what to do; NoAssignment when nothing is called so.
    """
    folder = Path(course) / "solutions" / assignment
    notebooks = sorted(path for path in folder.glob("*.ipynb") if not path.name.startswith("."))
    if not folder.is_dir():
        known = sorted({path.parent.name for path in folder.parent.glob("[!.]*/*.ipynb")})
        raise NoAssignment(
            f"There is no assignment {assignment!r} in {folder.parent}. There are: {', '.join(known) or 'none'}."
        )
    if len(notebooks) != 1:
        raise CourseError(f"{assignment!r} needs exactly one notebook in {folder}, and it holds {len(notebooks)}.")
    named, settings, taken = f"solutions/{assignment}/{notebooks[0].name}", _Settings(course), set()
    cells = []
    for number, cell in enumerate(_notebook_cells(notebooks[0], named), 1):
        try:
            cells.append(_spec_cell(cell, settings, taken))
        except ValueError as error:
            first = next((line for line in _text(cell).split("\n") if line.strip()), "")
            raise CourseError(f"{named}: cell {number}, which begins {first[:60]!r}, {error}.") from error
    return Spec(assignment, notebooks[0].name, tuple(_with_ids(cells, taken)))


def _notebook_cells(path: Path, named: str) -> list[dict]:
    try:
        notebook = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise CourseError(f"{named} is not a notebook: {error}. Save it again in Jupyter.") from error
    cells = notebook.get("cells") if isinstance(notebook, dict) else None
    if not isinstance(cells, list) or not all(map(_is_cell, cells)):
        raise CourseError(f"{named} has no list of cells (nbformat 4). Save it again in Jupyter.")
    language = notebook.get("metadata", {}).get("kernelspec", {}).get("language", "python")
    if language != "python":
        raise CourseError(f"{named} is a notebook in {language}; only Python is graded here.")
    return cells


def _is_cell(cell: object) -> bool:
    if not isinstance(cell, dict) or not isinstance(metadata := cell.get("metadata", {}), dict):
        return False
    lines = cell.get("source", "")
    whole = isinstance(lines, str) or (isinstance(lines, list) and all(isinstance(line, str) for line in lines))
    return whole and isinstance(metadata.get("nbgrader", {}), dict)


def _text(cell: dict) -> str:
    source = cell.get("source", "")
    return (source if isinstance(source, str) else "".join(source)).replace("\r\n", "\n").replace("\r", "\n")


def _with_ids(cells: list[SpecCell], taken: set[str]) -> Iterator[SpecCell]:
    """Cells without a role keep their own id where it is one and nobody else has it, else get a new one."""
    for number, cell in enumerate(cells, 1):
        if cell.role:
            yield cell
            continue
        name = cell.id if re.fullmatch(r"[A-Za-z0-9_-]+", cell.id) else f"cell-{number}"
        while name in taken:
            name += "-"
        taken.add(name)
        yield SpecCell(name, cell.kind, "", cell.source)


# ---- one cell. ValueErrors are worded to follow "cell 7, which begins '...', ".


def _spec_cell(cell: dict, settings: "_Settings", taken: set[str]) -> SpecCell:
    kind, source = cell.get("cell_type"), _text(cell)
    if kind not in ("code", "markdown", "raw"):
        raise ValueError(f"has the cell_type {kind!r}; save the notebook again in Jupyter")
    marked = cell.get("metadata", {}).get("nbgrader", {})
    role = _role(marked, kind)
    if role == "test":
        visible, regions = _cut(source, settings.hidden)
        _check_no_region(visible, settings)
        hidden = _hidden_program(source, visible, regions, settings)
        return SpecCell(_grade_id(marked, taken), kind, role, visible, hidden, _points(marked))
    if role in ("answer", "manual"):
        released, regions = _cut(source, settings.solution, stub=settings.stubs[kind])
        released = released if regions else settings.stubs[kind]
    else:
        released, _ = _cut(source, settings.marking) if role == "task" else (source, [])
    _check_no_region(released, settings)
    if not role:
        return SpecCell(str(cell.get("id", "")), kind, "", released)
    points = _points(marked) if role in ("manual", "task") else 0.0
    return SpecCell(_grade_id(marked, taken), kind, role, released, points=points)


def _role(marked: dict, kind: str) -> str:
    """Our role for nbgrader's four switches."""
    grade, solution, task, locked = (marked.get(switch) is True for switch in ("grade", "solution", "task", "locked"))
    if not (grade or solution or task or locked):
        return ""
    if marked.get("schema_version") != SCHEMA:
        version = marked.get("schema_version")
        raise ValueError(f"has nbgrader metadata of version {version}, not {SCHEMA}; run `nbgrader update` on it")
    role = (
        "task" if task else "manual" if grade and solution else "test" if grade else "answer" if solution else "locked"
    )
    kinds = {"task": ("markdown",), "manual": ("code", "markdown"), "test": ("code",), "answer": ("code",)}
    if kind not in kinds.get(role, (kind,)):
        wanted = " or ".join(kinds[role])
        raise ValueError(f"is {kind} and marked as {role} for nbgrader, which wants {wanted}; mark it anew in Jupyter")
    return role


def _grade_id(marked: dict, taken: set[str]) -> str:
    name = marked.get("grade_id")
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9_-]{1,128}", name):
        raise ValueError(f"has the grade_id {name!r}; it takes 1 to 128 letters, digits, - and _")
    if name in taken:
        raise ValueError(f"has the grade_id {name!r} that another cell has; give it its own")
    taken.add(name)
    return name


def _points(marked: dict) -> float:
    points = marked.get("points")
    if isinstance(points, bool) or not isinstance(points, int | float) or not 0 <= points < math.inf:
        raise ValueError(f"has the points {points!r}; a number from 0 is wanted")
    return float(points)


# ---- regions


class ClearSolutions(Configurable):
    """nbgrader's settings of this name, with its defaults (importing nbgrader's own class takes four seconds)."""

    code_stub = Dict({"python": "# YOUR CODE HERE\nraise NotImplementedError()"}).tag(config=True)
    text_stub = Unicode("YOUR ANSWER HERE").tag(config=True)
    begin_solution_delimeter = Unicode("BEGIN SOLUTION").tag(config=True)
    end_solution_delimeter = Unicode("END SOLUTION").tag(config=True)


class ClearHiddenTests(Configurable):
    begin_test_delimeter = Unicode("BEGIN HIDDEN TESTS").tag(config=True)
    end_test_delimeter = Unicode("END HIDDEN TESTS").tag(config=True)


class ClearMarkScheme(Configurable):
    begin_mark_scheme_delimeter = Unicode("BEGIN MARK SCHEME").tag(config=True)
    end_mark_scheme_delimeter = Unicode("END MARK SCHEME").tag(config=True)


class _Settings:
    """The course's stubs, and the markers that begin and end each kind of region."""

    def __init__(self, course: Path) -> None:
        config = _config(Path(course))
        solutions, tests = ClearSolutions(config=config), ClearHiddenTests(config=config)
        marks = ClearMarkScheme(config=config)
        if "python" not in solutions.code_stub:
            raise CourseError(f"ClearSolutions.code_stub in {CONFIG} has no entry for python.")
        self.stubs = {"code": solutions.code_stub["python"], "markdown": solutions.text_stub}
        self.solution = (solutions.begin_solution_delimeter, solutions.end_solution_delimeter)
        self.hidden = (tests.begin_test_delimeter, tests.end_test_delimeter)
        self.marking = (marks.begin_mark_scheme_delimeter, marks.end_mark_scheme_delimeter)


def _config(course: Path) -> Config:
    if not (course / CONFIG).is_file():
        return Config()
    try:
        return PyFileConfigLoader(CONFIG, str(course)).load_config()
    except Exception as error:  # the file is a program: anything may come out of it
        raise CourseError(f"{course / CONFIG} could not be read: {error}") from error


def _cut(source: str, markers: tuple[str, str], stub: str | None = None) -> tuple[str, list[str]]:
    """The source without its regions, each replaced by the indented stub if there is one; and the regions' texts."""
    begin, end = markers
    kept: list[str] = []
    regions: list[list[str]] = []
    inside = False
    for line in source.split("\n"):
        if begin in line or end in line:
            if inside == (begin in line):
                raise ValueError(f"has {line.strip()!r} where {'a' if inside else 'no'} region of that kind is open")
            inside = not inside
            if inside:
                regions.append([])
                indent = re.match(r"\s*", line)[0]
                kept += [indent + stubbed for stubbed in stub.split("\n")] if stub is not None else []
        else:
            (regions[-1] if inside else kept).append(line)
    if inside:
        raise ValueError(f"has {begin!r} and no {end!r} after it")
    return "\n".join(kept), ["\n".join(region) for region in regions]


def _check_no_region(released: str, settings: _Settings) -> None:
    """nbgrader releases a hidden test whose marker is misspelt or stands in a cell of another role."""
    usual = r"\b(BEGIN|END)[ _-]*(SOLUTIONS?|HIDDEN[ _-]*TESTS?|MARK[ _-]*SCHEME)\b|^\s*#+\s*(HASHED\s+)?AUTOTEST\b"
    theirs = [*settings.solution, *settings.hidden, *settings.marking]
    for line in released.split("\n"):
        if any(marker in line for marker in theirs) or re.search(usual, line, re.IGNORECASE):
            belongs = "solutions belong in answer cells, hidden tests in test cells, mark schemes in tasks"
            if "AUTOTEST" in line.upper():
                belongs = "write such tests out as assertions, because they would be made anew for every grading"
            raise ValueError(f"would be released with the line {line.strip()!r}; {belongs}")


def _hidden_program(source: str, visible: str, regions: list[str], settings: _Settings) -> str:
    """What to run for the hidden regions: the whole cell, markers left out.

    For a region may stand inside a loop, use what the visible part made or did, or count towards the number at the
    cell's end (partial credit). After calls of dlcourse's checks alone, which leave nothing behind, the regions do.
    """
    _python(visible, "without its hidden tests ")
    if not regions:
        return ""
    whole = "\n".join(line for line in source.split("\n") if not any(marker in line for marker in settings.hidden))
    _python(whole, "")
    return "\n".join(regions) if _only_checks(visible) else whole


def _python(source: str, which: str) -> None:
    try:
        ast.parse(source)
    except SyntaxError:
        from IPython.core.inputtransformer2 import TransformerManager  # takes a while, and few tests hold a magic

        try:
            ast.parse(TransformerManager().transform_cell(source))
        except SyntaxError as error:
            raise ValueError(
                f"is {which}no Python ({error}); a block needs one statement outside the region"
            ) from error


def _only_checks(source: str) -> bool:
    try:
        statements = ast.parse(source).body
    except SyntaxError:  # a magic
        return False
    calls = [
        ast.unparse(line.value.func)
        for line in statements
        if isinstance(line, ast.Expr) and isinstance(line.value, ast.Call)
    ]
    return len(calls) == len(statements) and all(re.fullmatch(r"checks\.\w+", call) for call in calls)
