"""The notebook that formgrader and the feedback show: the instructor's cells, the student's text, our verdict.

It takes nothing else of what was handed in: no metadata, no outputs, no attachments. Code of the student stands in code
cells, which are shown and never run. Text of the student is made inert, because nbconvert passes raw HTML and
`javascript:` links of a Markdown cell on to whoever opens the page: the instructor, logged in to a Jupyter server.

Each test cell has the outputs from which nbgrader's own `determine_grade` reads the same score.
"""

import json
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dlcourse.course.grading.book.inert import MAX_TEXT, clean, inert

if TYPE_CHECKING:
    from dlcourse.course.grading.result import Result, TestResult
    from dlcourse.course.grading.spec import Spec, SpecCell
    from dlcourse.course.grading.submission import SubmittedCell

MAX_TEXTS = 10 * MAX_TEXT  # characters of all Markdown of one submission
MAX_OUTPUT = 50_000  # characters of one output
MAX_LINES = 1_000  # of one output, as nbgrader's LimitOutput has it
WIDTH = 90  # characters of a line of ours, which fits the box that the feedback puts it in
HIDDEN = "# Where what stands above passes, hidden tests follow: the same checks on other inputs."
MISSING = "*This cell is missing from the submission. The answer may stand in another cell.*"
PYTHON = {
    "codemirror_mode": {"name": "ipython", "version": 3},
    "file_extension": ".py",
    "mimetype": "text/x-python",
    "name": "python",
    "nbconvert_exporter": "python",
    "pygments_lexer": "ipython3",
}

# nbgrader's four switches, as course/build.py writes them.
SWITCHES = {
    "answer": {"grade": False, "solution": True, "locked": False, "task": False},
    "test": {"grade": True, "solution": False, "locked": True, "task": False},
    "manual": {"grade": True, "solution": True, "locked": False, "task": False},
    "task": {"grade": False, "solution": False, "locked": True, "task": True},
    "locked": {"grade": False, "solution": False, "locked": True, "task": False},
}


def build(
    spec: "Spec",
    cells: "Sequence[SubmittedCell]",
    result: "Result",
    checksums: Mapping[str, str],
    kernelspec: Mapping[str, str],
) -> dict[str, Any]:
    """The graded notebook (nbformat 4.5), as JSON has it.

    cells: of the submission, in its order; none when nobody could read it.
    checksums: nbgrader's, of the released cells (grade_id -> checksum): it knows an untouched answer by them.
    """
    stopped = dict(result.cells)
    verdicts = {test.id: test for test in result.tests}
    made: list[dict[str, Any]] = []
    taken = {cell.id for cell in spec.cells}
    for number, placed in enumerate(_lay_out(spec, cells), 1):
        source, ours = placed.source, placed.ours
        metadata: dict[str, Any] = {}
        outputs: list[dict[str, Any]] = []
        if ours and ours.role:
            metadata = {"deletable": False, "nbgrader": _marks(ours, checksums)}
            if ours.role in ("test", "locked", "task"):
                metadata["editable"] = False
        if ours and ours.role == "test":
            source += f"\n{HIDDEN}" if ours.hidden else ""
            outputs = _verdict(result, verdicts.get(ours.id), ours)
        elif error := stopped.get(placed.label):
            outputs = [_said(f"This cell stopped: {clean(error)[:200]}\n")]
        cell = {"cell_type": placed.kind, "id": _cell_id(ours, number, taken), "metadata": metadata, "source": source}
        if placed.kind == "code":
            cell |= {"execution_count": None, "outputs": outputs}
        made.append(cell)
    about = {"submission": result.submission, "spec": result.spec, "status": result.status}
    metadata = {"dlcourse": about, "kernelspec": dict(kernelspec), "language_info": PYTHON}
    return {"cells": made, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


def as_bytes(notebook: dict[str, Any]) -> bytes:
    """The same bytes for the same notebook, laid out as nbformat writes it."""
    return (json.dumps(notebook, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode("utf-8")


def _marks(cell: "SpecCell", checksums: Mapping[str, str]) -> dict[str, Any]:
    marks = {
        **SWITCHES[cell.role],
        "cell_type": cell.kind,
        "checksum": checksums[cell.id],
        "grade_id": cell.id,
        "schema_version": 3,
    }
    return marks | ({"points": cell.points} if cell.role in ("test", "manual", "task") else {})


def _cell_id(ours: "SpecCell | None", number: int, taken: set[str]) -> str:
    """The spec's own where it fits nbformat's 64 characters; a student's cells are numbered."""
    if ours and len(ours.id) <= 64:
        return ours.id
    return next(name for name in (f"added-{number}{'-' * more}" for more in range(64)) if name not in taken)


# ---- order


@dataclass(frozen=True)
class _Placed:
    ours: "SpecCell | None"  # the spec's cell, None for one of the student's own
    kind: str
    source: str
    label: str = ""  # what submission.arrange calls it


def _lay_out(spec: "Spec", cells: "Sequence[SubmittedCell]") -> list[_Placed]:
    """The student's order, as submission.arrange has it; what is missing stands before the spec's next cell."""
    wanted = {cell.id: cell for cell in spec.cells if cell.role}
    texts = {(cell.kind, cell.source): cell for cell in spec.cells if not cell.role}
    chosen = _chosen(wanted, cells)
    plan: list[_Placed] = []
    there: set[str] = set()
    left = MAX_TEXTS
    for number, cell in enumerate(cells, 1):
        ours = wanted.get(cell.grade_id)
        label = f"cell {number} ({ours.id})" if ours else f"cell {number}"
        if ours is None and (read_only := texts.get((cell.kind, cell.source))):
            ours = None if read_only.id in there else read_only
        if ours is None or (ours.role in ("answer", "manual") and chosen[ours.id] != number):
            plan.append(_theirs(cell, label, min(left, MAX_TEXT)))
            left -= min(left, len(plan[-1].source)) if cell.kind != "code" else 0
        elif ours.id not in there:
            there.add(ours.id)
            plan.append(_Placed(ours, ours.kind, _source(ours, cell), label))
    for cell in reversed(spec.cells):
        if cell.role and cell.id not in there:
            plan.insert(_before_the_next(plan, spec, cell), _Placed(cell, cell.kind, _missing(cell, bool(cells))))
    return plan


def _chosen(wanted: "Mapping[str, SpecCell]", cells: "Iterable[SubmittedCell]") -> dict[str, int]:
    """Which copy of an answer bears its grade_id: the first of its kind that is not as released, else the first."""
    chosen: dict[str, tuple[tuple[bool, bool], int]] = {}
    for number, cell in enumerate(cells, 1):
        if ours := wanted.get(cell.grade_id):
            rank = (cell.kind != ours.kind, not _changed(ours, cell.source))
            if ours.id not in chosen or rank < chosen[ours.id][0]:
                chosen[ours.id] = (rank, number)
    return {name: number for name, (_, number) in chosen.items()}


def _source(ours: "SpecCell", cell: "SubmittedCell") -> str:
    """As released, to the letter, unless it is an answer that says something: nbgrader compares checksums."""
    if ours.role not in ("answer", "manual") or not _changed(ours, cell.source):
        return ours.source
    return clean(cell.source) if ours.kind == "code" else inert(cell.source)


def _theirs(cell: "SubmittedCell", label: str, most: int) -> _Placed:
    if cell.kind == "code":
        return _Placed(None, "code", clean(cell.source), label)
    return _Placed(None, "markdown", inert(cell.source, most), label)


def _missing(cell: "SpecCell", readable: bool) -> str:
    """A person looks for a manual answer that was deleted; in a notebook that nobody can read there is none."""
    if cell.role == "manual" and readable:
        return MISSING if cell.kind == "markdown" else f"# {MISSING.strip('*')}"
    return cell.source


def _before_the_next(plan: list[_Placed], spec: "Spec", missing: "SpecCell") -> int:
    places = {placed.ours.id: place for place, placed in enumerate(plan) if placed.ours}
    later = spec.cells[spec.cells.index(missing) + 1 :]
    return next((places[cell.id] for cell in later if cell.id in places), len(plan))


def _changed(ours: "SpecCell", text: str) -> bool:
    """As submission.untouched has it: blanks at line ends and blank lines around it do not count."""
    released, now = ([line.rstrip() for line in one.strip().split("\n")] for one in (ours.source, text))
    return released != now


# ---- the verdict


def _verdict(result: "Result", test: "TestResult | None", cell: "SpecCell") -> list[dict[str, Any]]:
    if result.status != "graded":
        return [_failed("NotGraded", "This test could not be run. A person will look at it.", "")]
    if test is None:  # nobody could read the submission
        return [_failed("Failed", clean("\n".join(result.notes)) or "The submission could not be read.", "")]
    told = f"{test.score:g} of {test.points:g} points"
    if test.score == test.points and test.passed:
        return [_said(f"passed: {told}\n{_lines(test.reason)}{_lines(test.shown)}")]
    if test.score > 0:
        said = _said(f"partly right: {told}\n{_lines(test.reason)}{_lines(test.shown)}")
        number = {"data": {"text/plain": repr(float(test.score))}, "metadata": {}, "output_type": "execute_result"}
        return [said, number | {"execution_count": None}]
    return [_failed("Failed", clean(test.reason), test.shown)]


def _lines(text: str) -> str:
    return f"{_limited(clean(text).rstrip())}\n" if text.strip() else ""


def _said(text: str) -> dict[str, Any]:
    return {"name": "stdout", "output_type": "stream", "text": text}


def _failed(name: str, reason: str, shown: str) -> dict[str, Any]:
    """The diagnosis has the reason in it, folded, or it is a hidden test, of which only the reason may be told."""
    told = _limited(clean(shown).strip())
    if " ".join(reason.split()) not in " ".join(told.split()):
        folded = "\n".join(textwrap.fill(line, WIDTH) for line in reason.split("\n"))
        told = f"{folded}\n{told}".strip()
    lines = _limited(f"{name}: {told}" if name not in told[:40] else told).split("\n")
    return {"ename": name, "evalue": reason[:1_000], "output_type": "error", "traceback": lines}


def _limited(text: str) -> str:
    lines = text[:MAX_OUTPUT].split("\n")
    if len(text) <= MAX_OUTPUT and len(lines) <= MAX_LINES:
        return text
    return "\n".join([*lines[:MAX_LINES], "... cut here ..."])
