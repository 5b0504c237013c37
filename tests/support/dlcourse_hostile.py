"""Submissions that attack, break or puzzle the grader: how one is made, and the list of all of them.

`tests/hostile/cases_*.py` fill CASES. A case is a small function that is given a `Submission`, the notebook of chapter
01 as a student would hand it in, five of six exercises solved, and spoils it. Its decorator says what a perfect grader
gives, and why. Nothing here runs a student's line: a case only writes files. They are run by `dlcourse course grade`,
in its jail.
"""

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from string import Template
from textwrap import dedent
from typing import Any

ROOT = Path(__file__).parents[2]
CHAPTER = "01-neurons"
POINTS = {"sigmoid": 2, "perceptron": 2, "debug": 3, "cross_entropy": 3, "xor": 3, "hinges": 3}
ANY = None  # the student broke this one himself: full marks, none, it is not for us to say

Score = dict[str, int | None]
ALL: Score = dict(POINTS)
# Most leave out the perceptron: its check asks a thousand questions and takes as long as the five others do twice.
FULL: Score = ALL | {"perceptron": 0}
NOTHING: Score = dict.fromkeys(POINTS, 0)
FREE: Score = dict.fromkeys(POINTS, ANY)


def without(*lost: str) -> Score:
    """Full marks but for these."""
    return FULL | dict.fromkeys(lost, 0)


def only(*earned: str) -> Score:
    """Nothing but these."""
    return NOTHING | {name: POINTS[name] for name in earned}


@dataclass(frozen=True)
class Case:
    """One submission.

    score: points for each test that a perfect grader gives, ANY where either is right. why: the reason in one line.
    plain: honest work, which the checks may grade in an ordinary process as well. slow: it costs seconds of CPU.
    tight: it is there to reach a limit, and is graded with smaller ones. clock: of these one that only the clock can
    stop.
    says: words that the instructor must find in the result. hushed: words that may stand in nothing written.
    """

    name: str
    family: str
    make: Callable[["Submission"], None]
    score: Score
    why: str
    plain: bool = False
    slow: bool = False
    tight: bool = False
    clock: bool = False
    chapter: str = CHAPTER
    says: tuple[str, ...] = ()
    hushed: tuple[str, ...] = ()


CASES: dict[str, Case] = {}


def case(score: Score, why: str, **more: Any) -> Callable[[Callable], Callable]:
    """Lists the function below as a case, under its own name, in the family that its file is named after."""

    def add(make: Callable[["Submission"], None]) -> Callable[["Submission"], None]:
        family = Path(make.__code__.co_filename).stem.removeprefix("cases_")
        known = CASES.get(make.__name__)
        if known is not None and known.family != family:
            raise ValueError(f"two cases are named {make.__name__}")
        CASES[make.__name__] = Case(make.__name__, family, make, score, why, **more)
        return make

    return add


def notebook(room: str, assignment: str = CHAPTER) -> dict[str, Any]:
    """The notebook of `room`, "solutions" or "exercises"; the source of each cell as one text."""
    path = ROOT / room / assignment / f"{assignment}-exercises.ipynb"
    book = json.loads(path.read_text(encoding="utf-8"))
    for cell in book["cells"]:
        cell["source"] = "".join(cell["source"])
    return book


def id_of(cell: Mapping[str, Any]) -> str:
    return cell["metadata"].get("nbgrader", {}).get("grade_id", "")


def id_to_source(book: Mapping[str, Any]) -> dict[str, str]:
    return {id_of(cell): cell["source"] for cell in book["cells"] if id_of(cell)}


@cache
def points(assignment: str) -> dict[str, float]:
    """Points by exercise."""
    marks = [cell["metadata"].get("nbgrader", {}) for cell in notebook("solutions", assignment)["cells"]]
    tests = [each for each in marks if each.get("grade") and each["grade_id"].endswith("-test")]
    return {each["grade_id"].removesuffix("-test"): each["points"] for each in tests}


@dataclass
class Submission:
    """What one student hands in: the released notebook, partly solved (BEGUN), until a case changes it.

    folder: submitted/STUDENT/ASSIGNMENT, already there. book: the notebook, written by `save` unless the case wrote
    (`raw`) or dropped it. places: what an attacker may know of the machine, for `$NAME` in his code.
    """

    folder: Path
    book: dict[str, Any]
    stubs: dict[str, str]
    places: Mapping[str, str] = field(default_factory=dict)
    assignment: str = CHAPTER
    written: bool = False

    @property
    def path(self) -> Path:
        return self.folder / f"{self.assignment}-exercises.ipynb"

    @property
    def cells(self) -> list[dict[str, Any]]:
        return self.book["cells"]

    def code(self, source: str) -> str:
        return Template(dedent(source).strip("\n")).safe_substitute(self.places)

    def cell(self, grade_id: str) -> dict[str, Any]:
        return next(cell for cell in self.cells if id_of(cell) == grade_id)

    def at(self, grade_id: str) -> int:
        return self.cells.index(self.cell(grade_id))

    def answer(self, name: str, source: str) -> None:
        """Puts `source` in place of the solution."""
        self.cell(f"{name}-answer")["source"] = self.code(source)

    def before(self, name: str, source: str) -> None:
        """Puts `source` in front of the solution, in its cell."""
        cell = self.cell(f"{name}-answer")
        cell["source"] = self.code(source) + "\n\n\n" + cell["source"]

    def solve(self, *names: str) -> None:
        """Puts the solutions there."""
        for name in names:
            self.cell(f"{name}-answer")["source"] = id_to_source(solved(self.assignment))[f"{name}-answer"]

    def leave(self, *names: str) -> None:
        """Leaves these exercises untouched, all of them when none is named."""
        for name in names or points(self.assignment):
            self.cell(f"{name}-answer")["source"] = self.stubs[f"{name}-answer"]

    def add(self, source: str, *, before: str | None = None, kind: str = "code", **metadata: Any) -> dict[str, Any]:
        """A cell of the student's own in front of the cell `before`, the first answer; "" puts it at the end."""
        before = f"{next(iter(points(self.assignment)))}-answer" if before is None else before
        cell = {"cell_type": kind, "id": f"own-{len(self.cells)}", "metadata": metadata, "source": self.code(source)}
        if kind == "code":
            cell |= {"execution_count": None, "outputs": []}
        self.cells.insert(self.at(before) if before else len(self.cells), cell)
        return cell

    def drop(self, grade_id: str) -> None:
        self.cells.remove(self.cell(grade_id))

    def raw(self, content: bytes | str) -> None:
        """The notebook's file holds exactly this."""
        self.path.write_bytes(content.encode() if isinstance(content, str) else content)
        self.written = True

    def no_notebook(self) -> None:
        """The case itself has put, or not put, something where the notebook would be."""
        self.written = True

    def beside(self, name: str, content: bytes | str) -> Path:
        """A file beside the notebook."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(self.code(content).encode() if isinstance(content, str) else content)
        return path

    def save(self) -> None:
        if not self.written:
            self.path.write_text(json.dumps(self.book, indent=1), encoding="utf-8")


def solved(assignment: str = CHAPTER) -> dict[str, Any]:
    """The released notebook with the solutions' code in it, as a student who solved everything hands it in."""
    book, answers = notebook("exercises", assignment), notebook("solutions", assignment)
    sources = id_to_source(answers)
    for cell in book["cells"]:
        if id_of(cell).endswith("-answer"):
            lines = sources[id_of(cell)].splitlines()
            cell["source"] = "\n".join(line for line in lines if line.strip() not in _MARKERS)
        elif id_of(cell).endswith("-manual"):
            cell["source"] = "The weights started too large; the loss was fed probabilities."
    return book


# Tells the inputs of an exercise's visible check from all others: hidden(*arguments).
KNOWING = """
known = {table}


def hidden(*values):
    return str([value.tolist() if isinstance(value, torch.Tensor) else value for value in values]) not in known


"""


def knowing(exercise: str) -> str:
    """KNOWING for one exercise, as a student could write it who looked at what the check asks."""
    from dlcourse.checks.registry import EXERCISES
    from dlcourse.checks.subject import LocalSubject

    known = set()

    def remember(*values: Any) -> Any:
        known.add(str([value.tolist() if hasattr(value, "tolist") else value for value in values]))
        return EXERCISES[exercise].reference(*values)

    EXERCISES[exercise].check(LocalSubject(remember), None)
    return KNOWING.replace("{table}", repr(known))


_MARKERS = ("### BEGIN SOLUTION", "### END SOLUTION")


# Solved before a case changes anything; of other chapters than 01 two exercises whose checks are quick.
BEGUN = {CHAPTER: (*POINTS.keys() - {"perceptron"},), "05-cnn": ("size", "shuffle"), "08-rnn": ("radius", "windows")}
# Everybody signs, so that nobody's words can stand in another's page unseen.
SIGNED = r"My name is (\w+)\."


def hand_in(case: Case, folder: Path, places: Mapping[str, str]) -> Submission:
    """Makes the submission of `case` in `folder`."""
    folder.mkdir(parents=True)
    stubs = id_to_source(notebook("exercises", case.chapter))
    submission = Submission(folder, solved(case.chapter), stubs, places, case.chapter)
    submission.cell("explain-manual")["source"] += f" My name is {case.name}."
    submission.leave(*points(case.chapter).keys() - set(BEGUN[case.chapter]))
    case.make(submission)
    submission.save()
    stamp = folder / "timestamp.txt"
    if folder.is_dir() and not folder.is_symlink() and not os.path.lexists(stamp):
        stamp.write_text("2026-01-05 12:00:00.000000 UTC", encoding="utf-8")
    return submission


# Of these families a third in the ordinary suite, the rest in the slow stage: they cost the most.
LARGE = ("honest", "malformed", "resources")


def quick_cases() -> list[Case]:
    """What the ordinary suite grades: more than half of chapter 01."""
    turns = dict.fromkeys(LARGE, 0)
    quick = []
    for case in CASES.values():
        if case.chapter != CHAPTER:
            continue
        if case.family in turns:
            turns[case.family] += 1
            if turns[case.family] % 3 != 1:
                continue
        if not case.slow:
            quick.append(case)
    return quick


def paged_cases() -> list[Case]:
    """Of these the ordinary suite makes the page of feedback too; the slow stage has all others."""
    return quick_cases()[::3]
