"""The one-way build: what people edit (Markdown) becomes what learners open and what nbgrader grades (notebooks).

    chapters/NN-name.md   -> chapters/NN-name.ipynb
    solutions/NN-name.md  -> solutions/NN-name/NN-name-exercises.ipynb     the instructor's notebook
                          -> exercises/NN-name/NN-name-exercises.ipynb     the learner's, by nbgrader's release step

The same sources give the same bytes, on every machine: no outputs, no dates, no versions, and cell ids that come from
nbgrader's grade_id or from a hash of the cell's own source. Everything is built in memory before the first file is
written, so one bad notebook leaves all files as they were.
"""

import ast
import copy
import hashlib
import math
import os
import re
import secrets
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dlcourse.course.errors import CourseError

if TYPE_CHECKING:
    from nbformat import NotebookNode
    from traitlets.config import Config

WORDS_PER_MINUTE = 150  # reading with a pencil in hand
MINUTES_TOKEN = "{{minutes}}"

# Short role in the sources -> nbgrader's three switches (its documentation, "Creating and grading assignments").
ROLES = {
    "answer": {"grade": False, "solution": True, "locked": False},
    "test": {"grade": True, "solution": False, "locked": True},
    "manual": {"grade": True, "solution": True, "locked": False},
    "locked": {"grade": False, "solution": False, "locked": True},
}

# Region -> the roles whose cells may hold it.
REGIONS = {"SOLUTION": ("answer", "manual"), "HIDDEN TESTS": ("test",)}


@dataclass(frozen=True)
class Report:
    """What one build did, or would do; every path is relative to `root`."""

    root: Path
    written: tuple[Path, ...] = ()  # new or changed, and now on the disk
    stale: tuple[Path, ...] = ()  # with check=True: missing, or not what the sources give
    orphaned: tuple[Path, ...] = ()  # among the generated files, but no source gives them

    @property
    def ok(self) -> bool:
        """Whether the tree is what its sources give."""
        return not self.stale and not self.orphaned

    def lines(self) -> list[str]:
        """The report for people."""
        told = [f"written   {path.as_posix()}" for path in self.written]
        told += [f"stale     {path.as_posix()}" for path in self.stale]
        told += [f"orphaned  {path.as_posix()} (no source gives it: delete it)" for path in self.orphaned]
        if self.stale:
            told.append("Run `dlcourse course build` and commit what it writes; generated notebooks are never edited.")
        return told or ["Every notebook is up to date."]


def build(root: str | Path, *, check: bool = False) -> Report:
    """Build every notebook of the course in `root` from its Markdown source.

    Only files whose bytes change are written, each whole (written aside, then renamed). With `check` nothing is
    written and the report tells what is stale. Files that no source gives are reported, never deleted.

    Raises CourseError, naming the file and the cell, when a source is at fault; then no file has changed.
    """
    root = Path(root)
    wanted: dict[Path, bytes] = {}
    for source in _sources(root, "chapters"):
        wanted[source.with_suffix(".ipynb").relative_to(root)] = _bytes(_chapter(root, source))

    solutions = _sources(root, "solutions")
    config = _nbgrader_config(root) if solutions else None
    for source in solutions:
        name = Path(source.stem, f"{source.stem}-exercises.ipynb")
        solution = _solution(root, source)
        wanted["solutions" / name] = _bytes(solution)
        wanted["exercises" / name] = _bytes(_release(solution, config, _named(root, source)))

    changed = [path for path, content in wanted.items() if _present(root / path) != content]
    orphaned = tuple(sorted(_generated(root) - wanted.keys()))
    if check:
        return Report(root, stale=tuple(changed), orphaned=orphaned)
    for path in changed:
        _write(root / path, wanted[path])
    return Report(root, written=tuple(changed), orphaned=orphaned)


def _sources(root: Path, room: str) -> list[Path]:
    """NN-name.md files in order; other pages, such as notation.md, are no notebooks."""
    return sorted((root / room).glob("[0-9][0-9]*.md"))


def _generated(root: Path) -> set[Path]:
    """Every file there is in the places that only the build writes to."""
    found = [
        *(root / "chapters").glob("*.ipynb"),
        *(root / "solutions").glob("*/**/*"),
        *(root / "exercises").glob("**/*"),
    ]
    names = {path.relative_to(root) for path in found if path.is_file()}
    return {name for name in names if not any(part.startswith((".", "__")) for part in name.parts)}


def _present(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        aside.write_bytes(content)
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)


# ---- Markdown to notebook


def _chapter(root: Path, source: Path) -> "NotebookNode":
    cells = _cells(root, source)
    for number, cell in enumerate(cells, 1):
        if "nbgrader" in cell.metadata:
            raise _fault(_named(root, source), number, cell, "is marked for nbgrader; graded cells live in solutions/")
    words = sum(len(cell.source.split()) for cell in cells if cell.cell_type == "markdown")
    _give_ids(cells)
    for cell in cells:  # after the ids, which then outlive a new estimate
        if cell.cell_type == "markdown" and MINUTES_TOKEN in cell.source:
            minutes = math.ceil(words / WORDS_PER_MINUTE + _exercise_minutes(source.stem))
            cell.source = cell.source.replace(MINUTES_TOKEN, str(minutes))
    return _notebook(cells)


def _solution(root: Path, source: Path) -> "NotebookNode":
    cells = _cells(root, source)
    named = _named(root, source)
    for number, cell in enumerate(cells, 1):
        try:
            _expand(cell)
        except ValueError as error:
            raise _fault(named, number, cell, str(error)) from error
    grade_ids = Counter(cell.metadata.nbgrader.grade_id for cell in cells if "nbgrader" in cell.metadata)
    for number, cell in enumerate(cells, 1):
        if "nbgrader" in cell.metadata and grade_ids[cell.metadata.nbgrader.grade_id] > 1:
            doubled = f"has the grade_id {cell.metadata.nbgrader.grade_id!r} that another cell has; give it its own id"
            raise _fault(named, number, cell, doubled)
    _give_ids(cells)
    return _notebook(cells)


def _cells(root: Path, source: Path) -> "list[NotebookNode]":
    try:
        import jupytext
    except ModuleNotFoundError as error:
        raise _no_author_tools(error) from error
    try:
        return jupytext.reads(source.read_text(encoding="utf-8"), fmt="md:myst").cells
    except Exception as error:  # jupytext raises its own, yaml's and markdown-it's errors; all mean a bad source
        raise CourseError(f"Reading {_named(root, source)} as MyST Markdown failed: {error}") from error


def _give_ids(cells: "Iterable[NotebookNode]") -> None:
    """Ids that outlive a change in any other cell: the grade_id, else a hash of the cell, counted where cells agree."""
    seen: Counter[str] = Counter()
    for cell in cells:
        if "nbgrader" in cell.metadata:
            cell.id = cell.metadata.nbgrader.grade_id
            continue
        digest = hashlib.sha256(f"{cell.cell_type}\n{cell.source}".encode()).hexdigest()[:12]
        seen[digest] += 1
        cell.id = digest if seen[digest] == 1 else f"{digest}-{seen[digest]}"


def _notebook(cells: "list[NotebookNode]") -> "NotebookNode":
    import nbformat

    notebook = nbformat.v4.new_notebook(
        cells=cells,
        metadata={
            "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
    )
    notebook.nbformat_minor = 5
    return notebook


def _bytes(notebook: "NotebookNode") -> bytes:
    import nbformat

    nbformat.validate(notebook)
    return (nbformat.writes(notebook, version=nbformat.NO_CONVERT).rstrip("\n") + "\n").encode("utf-8")


def _exercise_minutes(chapter: str) -> int:
    """Sum of the ceilings of the chapter's exercises, which are called `NN.something`."""
    from dlcourse.checks.registry import EXERCISES

    number = chapter.split("-")[0]
    return sum(exercise.minutes for exercise in EXERCISES.values() if exercise.id.split(".")[0] == number)


# ---- nbgrader


def _expand(cell: "NotebookNode") -> None:
    """Short metadata -> nbgrader's own, schema 3. Raises ValueError, its text worded to follow "cell 7 ..."."""
    role = None
    if "nbgrader" in cell.metadata:
        short = cell.metadata.nbgrader
        role = _checked_role(cell, short)
        cell.metadata.nbgrader = {**ROLES[role], "task": False, "schema_version": 3, "grade_id": f"{short.id}-{role}"}
        if "points" in short:
            cell.metadata.nbgrader["points"] = short.points
        if cell.cell_type == "code" and _may_raise(cell, role):
            # Untouched, it raises NotStarted; the tag lets the rest of the notebook run all the same.
            cell.metadata.tags = sorted({*cell.metadata.get("tags", []), "raises-exception"})
    _check_regions(cell, role)


def _checked_role(cell: "NotebookNode", short: dict) -> str:
    if not isinstance(short, dict) or not {"role", "id"} <= short.keys() <= {"role", "id", "points"}:
        raise ValueError(f"wants nbgrader: {{role: ..., id: ..., points: ...}}, and has {short!r}")
    role, points = short["role"], short.get("points")
    if role not in ROLES:
        raise ValueError(f"has the role {role!r}; the roles are {', '.join(ROLES)}")
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,50}", str(short["id"])):
        raise ValueError(f"has the id {short['id']!r}; an id is 1 to 50 letters, digits, - and _")
    if cell.cell_type == "markdown" and role in ("answer", "test"):
        raise ValueError(f"is Markdown with the role {role!r}; Markdown can be 'manual' or 'locked'")
    if not ROLES[role]["grade"]:
        if points is not None:
            raise ValueError(f"has points, which a cell with the role {role!r} cannot earn; put them on its test cell")
    elif isinstance(points, bool) or not isinstance(points, int | float) or points <= 0:
        raise ValueError(f"has the role {role!r} and points {points!r}; a number above 0 is wanted")
    return role


def _may_raise(cell: "NotebookNode", role: str) -> bool:
    """A test always; an answer when anything but a definition stands at its top level, and so runs at once."""
    if role in ("answer", "manual"):
        try:
            statements = ast.parse(cell.source).body
        except SyntaxError as error:
            raise ValueError(f"is no Python ({error})") from error
        harmless = ast.FunctionDef | ast.ClassDef | ast.Import | ast.ImportFrom
        return not all(isinstance(statement, harmless) for statement in statements)
    return role == "test"


def _check_regions(cell: "NotebookNode", role: str | None) -> None:
    """nbgrader lets an END without its BEGIN pass, and so releases a hidden test whose BEGIN is misspelt."""
    opened = None
    for line in map(str.strip, cell.source.split("\n")):
        if not _looks_like_a_marker(line, cell.cell_type):
            continue
        marker = re.fullmatch("### (BEGIN|END) (SOLUTION|HIDDEN TESTS)", line)
        if not marker:
            raise ValueError(f"has {line!r}; the markers are ### BEGIN or ### END, then SOLUTION or HIDDEN TESTS")
        edge, region = marker.groups()
        if role not in REGIONS[region]:
            raise ValueError(f"has {line!r}, which belongs in a cell with the role {' or '.join(REGIONS[region])}")
        if opened != (None if edge == "BEGIN" else region):
            raise ValueError(f"has {line!r} where {f'a region of {opened} is open' if opened else 'no region is open'}")
        opened = region if edge == "BEGIN" else None
    if opened:
        raise ValueError(f"has '### BEGIN {opened}' and no end to it")


def _looks_like_a_marker(line: str, cell_type: str) -> bool:
    """What nbgrader would take for a marker, and, in code, what was perhaps meant to be one."""
    meant = cell_type == "code" and re.match(r"###+\s*(BEGIN|END)\b", line, re.IGNORECASE)
    return bool(meant or re.search("(BEGIN|END) (SOLUTION|HIDDEN TESTS|MARK SCHEME)", line))


def _nbgrader_config(root: Path) -> "Config":
    """The course's own nbgrader settings, without the database (as `nbgrader generate_assignment --no-db` has it)."""
    from traitlets.config import PyFileConfigLoader

    if not (root / "nbgrader_config.py").is_file():
        raise CourseError(f"Releasing exercises needs {root / 'nbgrader_config.py'}, and there is none.")
    config = PyFileConfigLoader("nbgrader_config.py", str(root)).load_config()
    config.SaveCells.enabled = False
    config.GenerateAssignment.no_database = True
    return config


def _release(solution: "NotebookNode", config: "Config", named: str) -> "NotebookNode":
    """The learner's notebook: nbgrader's own release steps, in its order, on a copy."""
    try:
        from nbgrader.converters import GenerateAssignment
    except ModuleNotFoundError as error:
        raise _no_author_tools(error) from error
    notebook = copy.deepcopy(solution)
    try:
        for step in GenerateAssignment(config=config).preprocessors:
            notebook, _ = step(config=config)(notebook, {})
    except Exception as error:  # nbgrader raises RuntimeError, ValueError and its own: all mean a bad source
        raise CourseError(f"nbgrader could not release {named}: {error}") from error
    return notebook


# ---- errors


def _named(root: Path, source: Path) -> str:
    return source.relative_to(root).as_posix()


def _fault(named: str, number: int, cell: "NotebookNode", what: str) -> CourseError:
    first = next((line for line in cell.source.split("\n") if line.strip()), "")
    return CourseError(f"{named}: {cell.cell_type} cell {number}, which begins {first[:60]!r}, {what}.")


def _no_author_tools(error: ModuleNotFoundError) -> CourseError:
    return CourseError(
        f"Building the course needs {error.name}, which is not installed: pip install 'dlcourse[author]' "
        "(in a checkout: pip install -c constraints.txt -e '.[author]')."
    )
