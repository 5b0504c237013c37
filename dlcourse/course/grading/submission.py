"""What a stranger handed in: opened, read and put in order, with nothing in it trusted.

Two sorts of failure are kept apart. What the student can mend raises Unreadable with one plain sentence, and scores 0
with that reason. What went wrong on our side (a disk, a permission) stays an OSError, and costs nobody a point.
Nothing that the student wrote, not even a file's name, stands in such a sentence.
"""

import ast
import io
import json
import os
import re
import stat
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from dlcourse.course.grading.spec import Spec, SpecCell

MAX_BYTES = 20 * 2**20
MAX_CELLS = 2_000
MAX_VALUES = 3_000_000  # counted as [ { , and : in the file, so that its values fit in some 300 MB; texts count too
MAX_ENTRIES = 1_000  # of a folder without the notebook, looked through for another one

AGAIN = "open it in Jupyter, save it, and hand it in again."


class Unreadable(Exception):
    """The student's fault: one plain sentence that says what is wrong and what to do."""


# ---- bytes


def open_submission(folder: Path, notebook: str) -> bytes:
    """The bytes of the notebook that was handed in: folder is submitted/STUDENT/ASSIGNMENT, notebook the file's name.

    No link is followed below submitted/. Where the notebook is missing and the folder holds exactly one other, or one
    whose name begins alike, that one is meant. Nothing else in the folder is looked at.

    Raises Unreadable, or OSError for trouble that is not the student's.
    """
    folder = Path(os.path.abspath(folder))
    with ExitStack() as opened:
        at = _open(opened, str(folder.parent.parent), None, os.O_DIRECTORY)
        for name in (folder.parent.name, folder.name):
            if not stat.S_ISDIR(os.stat(name, dir_fd=at, follow_symlinks=False).st_mode):
                raise Unreadable("What was handed in is a link or a file, not a folder: hand in the folder itself.")
            at = _open(opened, name, at, os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            found = os.stat(notebook, dir_fd=at, follow_symlinks=False)
        except FileNotFoundError:
            notebook = _only_notebook(at, notebook)
            found = os.stat(notebook, dir_fd=at, follow_symlinks=False)
        _check_file(found)
        file = _open(opened, notebook, at, os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY)
        _check_file(os.fstat(file))  # it may have been exchanged meanwhile
        return _read(file)


def _open(opened: ExitStack, name: str, at: int | None, flags: int) -> int:
    descriptor = os.open(name, os.O_RDONLY | os.O_CLOEXEC | flags, dir_fd=at)
    opened.callback(os.close, descriptor)
    return descriptor


def _only_notebook(at: int, notebook: str) -> str:
    names = []
    with os.scandir(at) as entries:
        for number, entry in enumerate(entries, 1):
            if number > MAX_ENTRIES:
                raise Unreadable(
                    f"There is no {notebook} among more than {MAX_ENTRIES:,} files: hand in that notebook alone."
                )
            if is_notebook(entry.name):
                names.append(entry.name)
    if not names:
        raise Unreadable(f"There is no notebook directly in the folder: hand in {notebook}.")
    if len(names) > 1:  # "NOTEBOOK-Copy1.ipynb" beside the chapter's notebook
        alike = [name for name in names if name.lower().startswith(notebook.removesuffix(".ipynb").lower())]
        names = alike if len(alike) == 1 else names
    if len(names) > 1:
        raise Unreadable(
            f"There is no {notebook} but {len(names)} other notebooks: give the one that counts that name, "
            "and hand it in again."
        )
    return names[0]


def is_notebook(name: str) -> bool:
    """By its name. Browsers like to add an ending of their own to what they download."""
    return name.lower().endswith((".ipynb", ".ipynb.txt", ".ipynb.json")) and name[0] != "."


def _check_file(found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise Unreadable("What has the notebook's name is a link, a folder or a device: hand in the file itself.")
    if found.st_nlink > 1:
        raise Unreadable("The notebook is a hard link to a file that stands elsewhere too: hand in a copy of it.")
    if found.st_size > MAX_BYTES:
        raise _too_large()


def _too_large() -> Unreadable:
    return Unreadable(
        f"The notebook is larger than {MAX_BYTES // 2**20} MB: clear the outputs of all cells in Jupyter, save it, "
        "and hand it in again."
    )


def _read(file: int) -> bytes:
    parts, size = [], 0
    while part := os.read(file, min(2**20, MAX_BYTES + 1 - size)):
        parts.append(part)
        size += len(part)
        if size > MAX_BYTES:  # it grows while we read
            raise _too_large()
    return b"".join(parts)


# ---- cells


@dataclass(frozen=True)
class SubmittedCell:
    """One cell as the student left it: text, and where it came from. Outputs and attachments are not kept."""

    kind: str  # "code", "markdown" or "raw"
    source: str  # no lone surrogates; lines end in \n
    grade_id: str  # "" = none; two cells may have the same


def parse(content: bytes) -> tuple[SubmittedCell, ...]:
    """The cells of a notebook of format 2, 3 or 4 in any encoding that Jupyter or an editor may have left.

    A cell that is no cell is left out, a text that is none reads as empty. Raises Unreadable.
    """
    if len(content) > MAX_BYTES:
        raise _too_large()
    if not content.strip():
        raise Unreadable(f"The notebook is an empty file: {AGAIN}")
    notebook = _json(_decoded(content))
    if not isinstance(notebook, dict):
        raise Unreadable(f"The file is not a notebook, for it holds no cells: {AGAIN}")
    cells = notebook.get("cells")
    if not isinstance(cells, list) and isinstance(sheets := notebook.get("worksheets"), list):  # formats 2 and 3
        parts = [sheet.get("cells") for sheet in sheets if isinstance(sheet, dict)]
        cells = [cell for part in parts if isinstance(part, list) for cell in part]
    if not isinstance(cells, list):
        raise Unreadable(f"The notebook holds no list of cells: {AGAIN}")
    if len(cells) > MAX_CELLS:
        raise Unreadable(
            f"The notebook holds {len(cells):,} cells, and {MAX_CELLS:,} are read: delete those that are not needed."
        )
    return tuple(_cell(cell) for cell in cells if isinstance(cell, dict))


def _decoded(content: bytes) -> str:
    encoding = json.detect_encoding(content)  # by byte order mark, or by the zeros that ASCII leaves in UTF-16 and -32
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        if not encoding.startswith("utf-8"):
            raise Unreadable(f"The notebook's text is damaged (it looks like {encoding}): {AGAIN}") from error
    # Mostly UTF-8 with some bad bytes, or a file that was never UTF-8? In Latin-1 every accented letter is a bad byte.
    text = content.decode(encoding, "replace")
    bad = text.count("\ufffd")
    good = len(text) - len(text.encode("ascii", "ignore")) - bad
    return text if good > bad else content.decode("latin-1")


def _json(text: str) -> object:
    if sum(map(text.count, "[{,:")) > MAX_VALUES:
        raise Unreadable(
            "The notebook holds too many values to be read: clear the outputs of all cells in Jupyter, save it, "
            "and hand it in again."
        )
    try:
        # No number in a notebook matters here, and float reads a million digits at once, where int would take minutes.
        return json.loads(text, strict=False, parse_int=float)
    except RecursionError as error:
        raise Unreadable(f"The file is nested deeper than any notebook: {AGAIN}") from error
    except ValueError as error:
        place = f" (line {error.lineno}, column {error.colno})" if isinstance(error, json.JSONDecodeError) else ""
        raise Unreadable(f"The file is not a notebook that Jupyter can open{place}: {AGAIN}") from error


def _cell(cell: dict) -> SubmittedCell:
    kind = cell.get("cell_type")
    if kind not in ("code", "raw"):
        kind = "markdown" if kind in ("markdown", "heading", "html") else "raw"
    source = cell.get("source", cell.get("input"))  # formats 2 and 3 keep code under "input"
    lines = source if isinstance(source, list) else [source]
    text = "".join(line for line in lines if isinstance(line, str))
    return SubmittedCell(kind, _plain(text), _grade_id(cell))


def _plain(text: str) -> str:
    """Text that can be encoded, with one kind of line end."""
    return re.sub("[\ud800-\udfff]", "\ufffd", text).replace("\r\n", "\n").replace("\r", "\n")


def _grade_id(cell: dict) -> str:
    """nbgrader's id of the cell, if it has the form of one: a look-alike in other letters has not."""
    name: object = cell
    for key in ("metadata", "nbgrader", "grade_id"):
        name = name.get(key) if isinstance(name, dict) else None
    return name if isinstance(name, str) and re.fullmatch(r"[A-Za-z0-9_-]{1,128}", name) else ""


# ---- order


@dataclass(frozen=True)
class Step:
    """One thing to do with the submission: run a text in the student's process, or ask one of the tests."""

    kind: str  # "run" or "test"
    label: str  # for people, different for every step: a grade_id for what is ours, "cell 7" for what is the student's
    source: str  # "" for a test
    test: str  # the test's grade_id, "" for a run
    mine: bool  # whether the text is the student's own


Plan = list[tuple[str, Step | None]]  # id in the spec, "" for none; what to do, nothing for a text


def arrange(spec: Spec, cells: Iterable[SubmittedCell]) -> tuple[Step, ...]:
    """What to run and to ask, in the student's order.

    Tests and locked cells are ours, whatever the student made of them: they stand at the first place where the student
    has them. Every other code cell runs as the student wrote it, so split, doubled and added cells do no harm. What is
    missing is put in before the next cell of the spec that is there.
    """
    cells = tuple(cells)
    wanted = {cell.id: cell for cell in spec.cells if cell.role}
    has_code = {cell.grade_id for cell in cells if cell.kind == "code"}
    plan: Plan = []
    seen: set[str] = set()
    for number, cell in enumerate(cells, 1):
        ours = wanted.get(cell.grade_id)
        first = cell.grade_id not in seen
        seen.add(cell.grade_id)
        if ours and _is_ours(ours):
            if first:
                plan.append((ours.id, _our_step(ours)))
            continue
        # An answer that a slip of the keyboard turned into text is code all the same; notes beside the code are not.
        slipped = bool(ours and ours.role == "answer" and ours.id not in has_code)
        label = f"cell {number} ({ours.id})" if ours else f"cell {number}"
        step = Step("run", label, cell.source, "", True) if cell.kind == "code" or slipped else None
        plan.append((ours.id if ours else "", step))
    for cell in reversed(spec.cells):  # backwards, so that the next one is always there
        if cell.role and cell.id not in seen and (_is_ours(cell) or cell.role == "answer"):
            place = _place(plan, spec, cell)
            earlier = _mentioned(plan[:place], cell) if cell.role == "answer" else None
            if earlier is None:
                plan.insert(place, (cell.id, _our_step(cell)))
            else:  # so far from its place that nothing else is put in beside it
                plan.insert(earlier, ("", _our_step(cell)))
    return tuple(step for _, step in plan if step)


def _is_ours(cell: SpecCell) -> bool:
    return cell.role == "test" or (cell.role == "locked" and cell.kind == "code")


def _our_step(cell: SpecCell) -> Step:
    if cell.role == "test":
        return Step("test", cell.id, "", cell.id, False)
    return Step("run", cell.id, cell.source, "", False)


def _place(plan: Plan, spec: Spec, missing: SpecCell) -> int:
    """The place of the next cell of the spec that is there, or the end."""
    first = {name: place for place, (name, _) in reversed(list(enumerate(plan)))}
    later = (first[cell.id] for cell in spec.cells[spec.cells.index(missing) + 1 :] if cell.role and cell.id in first)
    return next(later, len(plan))


def _mentioned(plan: Plan, answer: SpecCell) -> int | None:
    """Where the student's own text first has a name that this answer's stub defines.

    It may be the answer itself, in a cell that lost its id: a stub after it would undo it.
    """
    names = _defined(answer.source)
    for place, (_, step) in enumerate(plan):
        if step and step.mine and any(name in step.source for name in names):
            return place
    return None


def _defined(stub: str) -> set[str]:
    """The names that a released stub, which is ours, defines at its top level."""
    try:
        body = ast.parse(stub).body
    except SyntaxError:  # a gap to be filled in the middle of a line, say
        return set(re.findall(r"^(?:def|class)\s+(\w+)", stub, re.MULTILINE))
    named = (node.name for node in body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef))
    targets = (node.targets for node in body if isinstance(node, ast.Assign))
    return {*named, *(target.id for some in targets for target in some if isinstance(target, ast.Name))}


# ---- answers


def answers(spec: Spec, cells: Iterable[SubmittedCell]) -> dict[str, str]:
    """The student's text for each answer and manual cell that is there: the first copy that is not as released."""
    found = _copies(spec, cells)
    return {cell.id: next((text for text in copies if _changed(cell, text)), copies[0]) for cell, copies in found}


def untouched(spec: Spec, cells: Iterable[SubmittedCell]) -> set[str]:
    """The answer and manual cells that stand there as they were released, every copy of them.

    One that is missing or was emptied is not among them: the answer may stand in a cell of the student's own, so a
    person looks.
    """
    return {cell.id for cell, copies in _copies(spec, cells) if not any(_changed(cell, text) for text in copies)}


def _copies(spec: Spec, cells: Iterable[SubmittedCell]) -> Iterator[tuple[SpecCell, list[str]]]:
    found: dict[str, list[str]] = {}
    for cell in cells:
        found.setdefault(cell.grade_id, []).append(cell.source)
    return ((cell, found[cell.id]) for cell in spec.cells if cell.role in ("answer", "manual") and cell.id in found)


def _changed(cell: SpecCell, text: str) -> bool:
    """Whether the text is another than released, blanks at line ends and blank lines around it aside."""
    released, now = io.StringIO(cell.source.strip()), io.StringIO(text.strip())
    return any(before.rstrip() != after.rstrip() for before, after in zip_longest(released, now, fillvalue=""))
