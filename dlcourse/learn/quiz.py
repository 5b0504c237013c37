"""Quizzes that work with no network: every option has its explanation, right or wrong.

The questions of a chapter live beside it, in `chapters/01-neurons.quiz.toml`:

    [[question]]
    id = "01.bias"                    # the chapter's number and a name, stable for good
    kind = "choice"
    objectives = ["01-O1"]            # what it tests, from the chapter's header
    recall = "00"                     # optional: the earlier chapter it looks back to
    read = "One neuron"               # optional, in a self-test: the heading of the section for who does not know
    text = "What does the bias of a neuron do? (mathematics as $w \\\\cdot x + b$)"
    answer = "b"                      # or a list, answer = ["a", "c"], when several are right

    [[question.option]]
    text = "It turns the boundary."
    why = "Turning is the weights' work: the bias leaves the direction alone."

    [[question.option]]
    text = "It moves the boundary away from the origin."
    why = "Without it, every boundary passes through the origin."

    [[question]]
    id = "01.pieces"
    kind = "number"
    objectives = ["01-O3"]
    text = "How many linear pieces can three hinges make?"
    answer = 4
    tolerance = 0                     # optional, absolute
    why = "Each hinge adds one knot, and three knots part the line in four."

    [[question.wrong]]                # optional: common wrong values
    value = 3
    why = "Three is the number of knots; count the stretches between them."
"""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from types import EllipsisType
from typing import Any

from dlcourse.learn.card import QUIET, Card, letters, paragraph, prose
from dlcourse.learn.content import content_root
from dlcourse.learn.record import note
from dlcourse.learn.slip import Slip


@dataclass(frozen=True)
class Option:
    """An answer to choose, with what to say to whoever chooses it."""

    letter: str
    text: str
    why: str
    right: bool


@dataclass(frozen=True)
class Wrong:
    """A common wrong value and where it comes from."""

    value: float
    why: str


@dataclass(frozen=True)
class Choice:
    """A question with options, of which one or several are right."""

    id: str
    text: str
    objectives: tuple[str, ...]
    recall: str
    read: str
    options: tuple[Option, ...]

    @property
    def right(self) -> set[str]:
        return {option.letter for option in self.options if option.right}


@dataclass(frozen=True)
class Number:
    """A question whose answer is a number, right within an absolute tolerance."""

    id: str
    text: str
    objectives: tuple[str, ...]
    recall: str
    read: str
    answer: float
    tolerance: float
    why: str
    wrong: tuple[Wrong, ...]


Question = Choice | Number
_COMMON = {"id", "kind", "text", "objectives", "answer"}
_KEYS = {"choice": {"option"}, "number": {"why"}}
_OPTIONAL = {"choice": {"recall", "read"}, "number": {"recall", "read", "tolerance", "wrong"}}
# Whether this session's first answer was right. It brings the explanation, so later ones do not tell what was known.
_first: dict[str, bool] = {}


def questions(path: Path) -> dict[str, Question]:
    """The questions of one file, by id. Raises ValueError naming file and question when anything is amiss."""
    chapter = path.name.split("-")[0]
    found: dict[str, Question] = {}
    for number, table in enumerate(tomllib.loads(path.read_text(encoding="utf-8")).get("question", []), start=1):
        where = f"{path.name}, question {table.get('id', f'number {number}')!r}"
        if not str(table.get("id", "")).startswith(f"{chapter}."):
            raise ValueError(f"{where}: the id starts with the chapter's number and a dot, like '{chapter}.name'.")
        if table["id"] in found:
            raise ValueError(f"{where}: this id is used twice.")
        found[table["id"]] = _question(table, where)
    return found


def _question(table: dict[str, Any], where: str) -> Question:
    kind = table.get("kind")
    if kind not in _KEYS:
        raise ValueError(f"{where}: kind is {kind!r} and must be 'choice' or 'number'.")
    _keys(table, _COMMON | _KEYS[kind], _OPTIONAL[kind], where)
    common = (table["id"], table["text"], tuple(table["objectives"]), table.get("recall", ""), table.get("read", ""))
    if kind == "choice":
        return Choice(*common, _options(table, where))
    wrong = []
    for entry in table.get("wrong", []):
        _keys(entry, {"value", "why"}, set(), f"{where}, wrong value")
        if abs(entry["value"] - table["answer"]) <= table.get("tolerance", 0):
            raise ValueError(f"{where}: the wrong value {entry['value']} would be accepted as right.")
        wrong.append(Wrong(entry["value"], entry["why"]))
    return Number(*common, table["answer"], table.get("tolerance", 0), table["why"], tuple(wrong))


def _options(table: dict[str, Any], where: str) -> tuple[Option, ...]:
    names = letters(len(table["option"]))
    right = set(table["answer"])
    if len(names) < 2 or not right <= set(names) or len(right) == len(names):
        raise ValueError(f"{where}: answer {table['answer']!r} must name some, not all, of the options {list(names)}.")
    for name, option in zip(names, table["option"], strict=True):
        _keys(option, {"text", "why"}, set(), f"{where}, option {name}")
    return tuple(
        Option(name, option["text"], option["why"], name in right)
        for name, option in zip(names, table["option"], strict=True)
    )


def _keys(table: dict[str, Any], needed: set[str], optional: set[str], where: str) -> None:
    if missing := {key for key in needed if table.get(key) in ([], None) or not str(table[key]).strip()}:
        raise ValueError(f"{where}: {', '.join(sorted(missing))} missing or empty.")
    if unknown := set(table) - needed - optional:
        raise ValueError(f"{where}: unknown keys {', '.join(sorted(unknown))}.")


def quiz(id: str, answer: str | Sequence[str] | float | EllipsisType = ..., *, folder: Path | None = None) -> None:
    """Shows a question, or says whether `answer` is right and why.

    id: "01.bias". answer: a letter, a list of letters where several are right, or a number; `...` shows the question,
    with each option's explanation folded under it. folder: where the quiz files are (the course's chapters).
    Raises Slip, a ValueError, for an unknown id and for an answer that cannot be read.
    """
    question = _find(id, folder or content_root() / "chapters")
    if answer is ...:
        _ask(question).show()
        return
    judge = _judge_choice if isinstance(question, Choice) else _judge_number
    right, lines = judge(question, answer)
    note(id, "right" if right else "not yet")
    _first.setdefault(id, right)
    if question.read and not right:
        lines.append(f"Read: {question.read}.")
    Card("Quiz answer", "\n".join(lines), "".join(map(paragraph, lines))).show()


def to_read(chapter: str, *, folder: Path | None = None) -> None:
    """After a self-test: the sections whose questions were not right at the first try of this session, and the others.

    chapter: its number, "00b". Asks only about questions that have a `read`. Raises Slip when the chapter has none.
    """
    asked = [question for question in _known(chapter, folder or content_root() / "chapters").values() if question.read]
    if not asked:
        raise Slip(f"No question of the chapter {chapter!r} belongs to a self-test.")
    shelves: dict[str, list[str]] = {"Read": [], "Not answered yet": [], "You know": []}
    for question in asked:
        known = _first.get(question.id)
        shelf = "Not answered yet" if known is None else "You know" if known else "Read"
        if question.read not in shelves[shelf]:
            shelves[shelf].append(question.read)
    filled = {shelf: sections for shelf, sections in shelves.items() if sections}
    text = "\n".join(f"{shelf}: {'; '.join(sections)}." for shelf, sections in filled.items())
    html = "".join(
        f'<p style="margin:0.3em 0"><strong>{shelf}.</strong> {"; ".join(map(_link, sections))}</p>'
        for shelf, sections in filled.items()
    )
    Card("What to read", text, html).show()


def _link(heading: str) -> str:
    """To the heading's place in the same notebook, by JupyterLab's anchor."""
    return f'<a href="#{escape(heading.replace(" ", "-"))}">{escape(heading)}</a>'


def _known(chapter: str, folder: Path) -> dict[str, Question]:
    files = sorted(folder.glob(f"{chapter}-*.quiz.toml"))
    return {name: question for path in files for name, question in questions(path).items()}


def _find(id: str, folder: Path) -> Question:
    known = _known(id.split(".")[0], folder)
    if id not in known:
        raise Slip(f"No quiz question is called {id!r}; this chapter has {', '.join(known) or 'none'}.")
    return known[id]


def _judge_choice(question: Choice, answer: object) -> tuple[bool, list[str]]:
    chosen = {str(letter).strip().casefold() for letter in ([answer] if isinstance(answer, str) else _letters(answer))}
    names = [option.letter for option in question.options]
    if not chosen or not chosen <= set(names):
        raise Slip(f"The quiz {question.id!r} got answer={answer!r}, and wanted {_wanted(question)}.")
    right = chosen == question.right
    said = [
        f"{o.letter}. {'Right' if o.right else 'Not this one'}: {o.why}" for o in question.options if o.letter in chosen
    ]
    if right or not chosen < question.right:
        return right, said if right else [*said, "Have another go."]
    return right, [*said, "Right so far, and something is still missing."]


def _letters(answer: object) -> list[object]:
    return list(answer) if isinstance(answer, list | tuple | set) else [answer]


def _judge_number(question: Number, answer: Any) -> tuple[bool, list[str]]:
    try:
        value = float(answer)
    except (TypeError, ValueError) as error:
        raise Slip(f"The quiz {question.id!r} got answer={answer!r}, and wanted a number.") from error
    if abs(value - question.answer) <= question.tolerance:
        return True, [f"{value:g} is right. {question.why}"]
    near = [wrong.why for wrong in question.wrong if abs(value - wrong.value) <= question.tolerance]
    return False, [
        f"{value:g} is not it yet.",
        *near,
        "Have another go; the question's cell shows the answer when you want it.",
    ]


def _wanted(question: Choice) -> str:
    first = question.options[0].letter
    return f'letters, like answer=["{first}", ...]' if len(question.right) > 1 else f'one letter, like answer="{first}"'


def _ask(question: Question) -> Card:
    if isinstance(question, Number):
        how = f'Put a number in place of the dots in quiz("{question.id}", ...) and run.'
        folded = _fold("Show the answer", f"{question.answer:g}. {question.why}")
        lines = []
    else:
        how = f"Open an option to see whether it is right, or answer with {_wanted(question)} in this call."
        if len(question.right) > 1:
            how = f"Several are right. {how}"
        folded = "".join(
            _fold(f"{o.letter}. {o.text}", f"{'Right' if o.right else 'Not this one'}: {o.why}")
            for o in question.options
        )
        lines = [f"  {option.letter}. {option.text}" for option in question.options]
        lines += [f"Answer with {_wanted(question)}."]
    recall = [f"Looking back to chapter {question.recall}."] if question.recall else []
    recall += [f"Not sure? Read: {question.read}."] if question.read else []
    text = [f"Quiz: {question.text}", *recall, *(lines or [how])]
    html = f'<p style="margin:0.3em 0"><strong>Quiz.</strong> {prose(question.text)}</p>'
    return Card(
        "Quiz question", "\n".join(text), html + "".join(map(paragraph, recall)) + folded + paragraph(how, QUIET)
    )


def _fold(summary: str, inside: str) -> str:
    return (
        f'<details style="margin:0.3em 0"><summary style="cursor:pointer">{prose(summary)}</summary>'
        f'<p style="margin:0.2em 0 0.5em 1.4em">{prose(inside)}</p></details>'
    )
