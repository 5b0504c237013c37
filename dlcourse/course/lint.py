"""What a notebook of the course must keep to, found without running it.

`lint_notebook(path)` reads a built notebook in `chapters/`, `exercises/` or `solutions/`, `lint_source(path)` a `.md`
source, `lint_glossary(root)` the glossary. Each gives a list of problems, empty when all is well. From a shell:

    python -m dlcourse.course.lint chapters/01-neurons.ipynb

Every number in a chapter's prose stands in a `claim` of the same section (a heading of level two), or in
`chapters/01-neurons.numbers.toml` with the reason why nothing measures it:

    [[number]]
    text = "99 times in 100"          # the words as the prose has them; they may hold several numbers
    section = "Beliefs that fail"     # the heading of level two, or the title for the chapter's header
    reason = "It quotes a belief."
"""

import ast
import json
import re
import sys
import tomllib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from dlcourse.learn.claim import NUMBER
from dlcourse.learn.glossary import terms
from dlcourse.learn.quiz import Question, questions

# Headings of level two that every chapter has, in this order, by the beginning of their anchor; others may stand
# between them. The start notebook, the toolkit (00b) and the deeper ones (01b) have their own form.
SKELETON = (
    "The-puzzle",
    "Stop-",
    "Beliefs-that-fail",
    "What-would-break",
    "Your-turn",
    "Quiz",
    "Summary",
    "Where-it-is-used",
    "Papers",
)
# What stands between puzzle and beliefs: a prediction, agreement with the library, a figure, real data, a question.
NEEDS = ("predict", "torch.testing.assert_close", "plot.show", "data.load", "quiz")
LAST_CHAPTER = 20  # of the map: a glossary entry may name a coming chapter


@dataclass(frozen=True)
class Problem:
    """One thing to mend: where, by which rule, and what."""

    path: Path
    cell: int | None  # counted from 1, as an editor shows them; None: the file as a whole
    rule: str
    message: str

    def __str__(self) -> str:
        where = self.path.name if self.cell is None else f"{self.path.name}, cell {self.cell}"
        return f"{where}: {self.message} [{self.rule}]"


@dataclass(frozen=True)
class Passage:
    """A stretch of one cell's markdown under one heading of level two."""

    cell: int
    section: str
    text: str


@dataclass(frozen=True)
class Code:
    """A code cell and every call in it, by dotted name."""

    cell: int
    section: str
    source: str
    tree: ast.Module

    @cached_property
    def calls(self) -> list[tuple[str, ast.Call]]:
        found = [node for node in ast.walk(self.tree) if isinstance(node, ast.Call)]
        return [
            (ast.unparse(node.func), node) for node in sorted(found, key=lambda node: (node.lineno, node.col_offset))
        ]


@dataclass(frozen=True)
class Notebook:
    """A notebook taken apart: what the rules look at."""

    path: Path
    root: Path
    shelf: str  # chapters, exercises or solutions
    raw: dict[str, Any]
    passages: list[Passage]
    code: list[Code]

    @property
    def chapter(self) -> str:
        return self.path.name.split("-")[0]

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def complete(self) -> bool:
        """A chapter that follows the skeleton: not the start notebook, not a deeper one."""
        return self.shelf == "chapters" and self.chapter.isdecimal() and int(self.chapter) > 0

    @cached_property
    def headings(self) -> list[str]:
        text = "\n".join(passage.text for passage in self.passages)
        return re.findall(r"^#{1,6} +(.+?) *$", _without_fences(text), re.MULTILINE)

    def calls(self, *names: str) -> Iterator[tuple[Code, ast.Call]]:
        for code in self.code:
            yield from ((code, call) for name, call in code.calls if name in names)


def read(path: Path) -> tuple[Notebook, list[Problem]]:
    """The notebook, and a problem for each code cell that is no plain Python."""
    shelf = next((folder for folder in path.parents if folder.name in ("chapters", "exercises", "solutions")), None)
    if shelf is None:
        raise ValueError(f"{path} lies in none of chapters/, exercises/ and solutions/, so no rule is meant for it.")
    raw = json.loads(path.read_text(encoding="utf-8"))
    passages: list[Passage] = []
    code: list[Code] = []
    problems: list[Problem] = []
    section = ""
    for index, cell in enumerate(raw["cells"], start=1):
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            for part in _parts(source):
                heading = re.match(r"##? +(.+?) *$", part, re.MULTILINE)
                section = heading[1] if heading else section
                passages.append(Passage(index, section, part))
        elif cell["cell_type"] == "code":
            try:
                code.append(Code(index, section, source, ast.parse(source)))
            except SyntaxError as error:
                problems.append(Problem(path, index, "code", f"no plain Python ({error.msg}); magics are not used"))
    return Notebook(path, shelf.parent, shelf.name, raw, passages, code), problems


def _parts(source: str) -> list[str]:
    """A cell's markdown, cut before each heading of level one or two that is not inside a fence."""
    parts, fenced = [""], False
    for line in source.splitlines(keepends=True):
        fenced ^= line.lstrip().startswith("```")
        if not fenced and re.match(r"##? ", line):
            parts.append("")
        parts[-1] += line
    return [part for part in parts if part.strip()]


def _without_fences(text: str) -> str:
    return re.sub(r"^ *```.*?^ *```", "", text, flags=re.MULTILINE | re.DOTALL)


# -- hygiene ----------------------------------------------------------------------------------------------------------


def clean(notebook: Notebook) -> Iterator[tuple[int | None, str]]:
    """No outputs, no leftovers of tools, one id for each cell."""
    metadata = notebook.raw["metadata"]
    if "widgets" in metadata:
        yield None, "metadata.widgets holds the state of widgets; build the notebook again"
    if "formats" in metadata.get("jupytext", {}):
        yield None, "is paired by jupytext, so that saving it would rewrite the source; drop jupytext.formats"
    seen: set[str] = set()
    for index, cell in enumerate(notebook.raw["cells"], start=1):
        if cell["cell_type"] == "raw":
            yield index, "is a raw cell"
        if cell.get("outputs"):
            yield index, "has outputs"
        if cell.get("execution_count") is not None:
            yield index, "has an execution count"
        if not cell.get("id") or cell["id"] in seen:
            yield index, f"has no id of its own ({cell.get('id')!r})"
        seen.add(cell.get("id", ""))


_FORBIDDEN = {
    r"\w+://": "a URL",
    r"\bpip3? +install\b|^[!%]": "an installation or a shell command",
    r"""["'](cuda|mps|xpu)(:\d+)?["']|\.cuda\(|torch\.(cuda|mps|xpu)\b""": "an accelerator's name",
}


def plain_code(notebook: Notebook) -> Iterator[tuple[int | None, str]]:
    """Code cells name no address, no installation and no device, and seed exactly once."""
    for index, cell in enumerate(notebook.raw["cells"], start=1):
        if cell["cell_type"] == "code":
            source = "".join(cell["source"])
            for pattern, what in _FORBIDDEN.items():
                if found := re.search(pattern, source, re.MULTILINE):
                    yield index, f"has {what} in its code: {found[0]!r}"
    seeds = list(notebook.calls("seed", "dlcourse.seed"))
    if len(seeds) != 1:
        yield None, f"calls seed(...) {len(seeds)} times and should call it exactly once"
    for code, call in notebook.calls("torch.manual_seed", "random.seed", "np.random.seed", "numpy.random.seed"):
        yield code.cell, f"calls {ast.unparse(call.func)}; dlcourse.seed and dlcourse.generator are enough"


def links(notebook: Notebook) -> Iterator[tuple[int | None, str]]:
    """Every link inside the course leads somewhere, and none to a later chapter."""
    for passage in notebook.passages:
        text = re.sub(r"`[^`\n]*`", "", _without_fences(passage.text))
        for target in re.findall(r"\]\(<?([^)\s>]+)", text):
            if re.match(r"(https?|mailto):", target):
                continue
            file, _, anchor = target.partition("#")
            path = (notebook.path.parent / file).resolve() if file else notebook.path
            if not path.exists():
                yield passage.cell, f"links to {target}, which is not there"
                continue
            later = re.match(r"(\d\d)b?-", path.name)
            # Exercises link to their own chapter, and the start notebook is the door to all that there is.
            bound = notebook.shelf == "chapters" and notebook.chapter != "00"
            if bound and later and later[1] > notebook.chapter[:2]:
                yield passage.cell, f"links to the later chapter {path.name}; coming chapters are named, not linked"
            if anchor and anchor not in _anchors(path):
                yield passage.cell, f"links to {target}, and {path.name} has no heading #{anchor}"


def _anchors(path: Path) -> set[str]:
    if path.suffix == ".ipynb":
        sources = ("".join(c["source"]) for c in json.loads(path.read_text(encoding="utf-8"))["cells"])
        text = "\n".join(sources)
    else:
        text = path.read_text(encoding="utf-8")
    return {_anchor(heading) for heading in re.findall(r"^#{1,6} +(.+?) *$", _without_fences(text), re.MULTILINE)}


def _anchor(heading: str) -> str:
    """JupyterLab's anchor of a heading: its text with hyphens for spaces."""
    return re.sub(r"\s", "-", re.sub(r"[*`]", "", heading))


def figures(notebook: Notebook) -> Iterator[tuple[int | None, str]]:
    """Every figure goes through plot.show, in its own cell, so that it has alt text."""
    for code in notebook.code:
        names = [name for name, _ in code.calls]
        if {"plot.figure", "plot.images"} & set(names) and "plot.show" not in names:
            yield code.cell, "makes a figure and does not show it; end the cell with plot.show(fig, alt=...)"
        if bare := {"plt.show", "pyplot.show", "fig.show", "display"} & set(names):
            yield code.cell, f"calls {min(bare)}; plot.show(fig, alt=...) gives a figure its alt text"
        last = code.tree.body[-1] if code.tree.body else None
        if isinstance(last, ast.Expr) and isinstance(last.value, ast.Name) and last.value.id in ("fig", "figure"):
            yield code.cell, "ends in a bare figure; use plot.show(fig, alt=...)"
    for code, call in notebook.calls("plot.show"):
        if "alt" not in {keyword.arg for keyword in call.keywords}:
            yield code.cell, "calls plot.show without alt="


# -- predictions, quizzes, objectives, order --------------------------------------------------------------------------


def _first(call: ast.Call) -> str | None:
    value = call.args[0].value if call.args and isinstance(call.args[0], ast.Constant) else None
    return value if isinstance(value, str) else None


def _open(call: ast.Call, keyword: str, position: int) -> bool:
    """The learner's argument still stands at `...`, or is left out."""
    given = [k.value for k in call.keywords if k.arg == keyword] + call.args[position : position + 1]
    return all(isinstance(value, ast.Constant) and value.value is ... for value in given)


def predictions(notebook: Notebook) -> Iterator[tuple[int | None, str]]:
    """Every prediction has an id of the chapter, is left open, and is revealed further down."""
    asked: dict[str | None, int] = {}
    revealed = {_first(call): code.cell for code, call in notebook.calls("reveal")}
    for code, call in notebook.calls("predict"):
        name = _first(call)
        if name is None or not name.startswith(f"{notebook.chapter}."):
            yield code.cell, f"predicts {name!r}; the id starts with '{notebook.chapter}.'"
        if name in asked:
            yield code.cell, f"predicts {name!r} a second time"
        asked.setdefault(name, code.cell)
        if not _open(call, "guess", 2):
            yield code.cell, f"answers the prediction {name!r} itself; leave guess=..."
        if revealed.get(name, 0) <= code.cell:
            yield code.cell, f"asks for the prediction {name!r}, and no later cell reveals it"
    for name in revealed.keys() - asked.keys():
        yield revealed[name], f"reveals {name!r}, which was never asked"


def quizzes(notebook: Notebook) -> Iterator[tuple[int | None, str]]:
    """Every quiz call has its question, every question of the chapter is asked and sends to a section that exists."""
    known = _questions(notebook)
    asked = set()
    for code, call in notebook.calls("quiz"):
        name = _first(call)
        asked.add(name)
        if name not in known:
            yield code.cell, f"asks the quiz {name!r}, which {_quiz_file(notebook).name} does not have"
        if not _open(call, "answer", 1):
            yield code.cell, f"answers the quiz {name!r} itself; leave ..."
    if notebook.shelf == "chapters":
        for name in sorted(known.keys() - asked):
            yield None, f"never asks the question {name!r} of {_quiz_file(notebook).name}"
        for name, question in known.items():
            if question.read and question.read not in notebook.headings:
                yield None, f"its question {name!r} sends to {question.read!r}, and no heading reads so"


def _quiz_file(notebook: Notebook) -> Path:
    return notebook.root / "chapters" / f"{notebook.name.removesuffix('-exercises')}.quiz.toml"


def _questions(notebook: Notebook) -> dict[str, Question]:
    path = _quiz_file(notebook)
    return questions(path) if path.is_file() else {}


def objectives(notebook: Notebook) -> Iterator[tuple[int | None, str]]:
    """Every objective of the header is practised or asked, and answered in the summary; no other is referred to."""
    header = notebook.passages[0].text if notebook.passages else ""
    stated = set(re.findall(r"\b\d\db?-O\d+\b", header))
    if not stated:
        yield 1, f"states no objective like {notebook.chapter}-O1 in its header"
    exercises = {name: set(of) for name, of in exercise_objectives().items() if name.startswith(f"{notebook.chapter}.")}
    asked = {name: set(question.objectives) for name, question in _questions(notebook).items()}
    for name, used in (exercises | asked).items():
        for unknown in sorted(used - stated):
            yield None, f"{name} serves the objective {unknown}, which the header does not state"
    for objective in sorted(stated - set().union(*exercises.values(), *asked.values())):
        yield 1, f"no exercise and no quiz question serves the objective {objective}"
    if notebook.complete:
        summary = "".join(p.text for p in notebook.passages if _anchor(p.section) == "Summary")
        for objective in sorted(stated - set(re.findall(r"\b\d\db?-O\d+\b", summary))):
            yield None, f"the summary does not answer the objective {objective}"


def exercise_objectives() -> dict[str, tuple[str, ...]]:
    """The objectives of every exercise, by exercise id."""
    from dlcourse.checks.registry import EXERCISES  # here: it loads torch, which the other rules do without

    return {name: tuple(exercise.objectives) for name, exercise in EXERCISES.items()}


def skeleton(notebook: Notebook) -> Iterator[tuple[int | None, str]]:
    """The one order of all chapters."""
    if not notebook.complete:
        return
    sections = list(dict.fromkeys(passage.section for passage in notebook.passages))
    anchors = [_anchor(section) for section in sections]
    positions = []
    for part in SKELETON:
        found = [index for index, anchor in enumerate(anchors) if anchor.startswith(part)]
        if not found:
            yield None, f"has no section ## {part.replace('-', ' ').strip()}"
        positions += found
    if positions != sorted(positions):
        yield None, f"its sections are out of order: {', '.join(sections[p] for p in positions)}"
    called = {name for code in notebook.code for name, _ in code.calls}
    for name in NEEDS:
        if name not in called:
            yield None, f"never calls {name}(...), which every chapter needs"


# -- prose ------------------------------------------------------------------------------------------------------------

# Numbers that measure nothing. Each is taken out before numbers are looked for.
_YEAR = r"(?:1[6-9]|20)\d\d"
_NOT_PROSE = (
    r"`+[^`]*`+",
    r"\$\$.*?\$\$",
    r"\$[^$]+\$",
    r"!?\[[^\]]*\]\([^)]*\)",
    r"\w+://\S+",
    r"<[^<>]+>",
    r"arXiv:\s*\d{4}\.\d{4,5}(?:v\d+)?",
    r"\b\d\db?-O\d+\b",  # objectives
    r"\b\d\db?\.[a-z_][\w-]*",  # exercises and quiz questions
    r"^#+ +\d+(?:\.\d+)* *(?:[.)·:] |(?= ))",  # a heading's own number
    r"^ *\d+[.)] ",  # a list's
    r"\([^()]*\b" + _YEAR + r"[a-z]?\b[^()\d]*\)",  # (Rosenblatt, 1958)
    r"\b[Ii]n " + _YEAR + r"\b(?! +(?!was |is |has |its |this )[a-z]+s\b)",  # in 1958, not in 1958 steps
    r"\b(?:[Ss]ince|[Aa]fter|[Bb]efore|[Uu]ntil) " + _YEAR + r"\b(?=[.,;:)]|$)",
    r"\b(?i:chapters?|stops?|sections?|figures?|tables?|equations?|exercises?|parts?) \d+(?:(?:, | and | to |-)\d+)*",
    r"\*\d\db? (?=[A-Z])",  # a chapter's name, *00 Start here*
    r"^\| *\d+ (?=[A-Z])",  # and in the course map's table
    r"\b\d(?:st|nd|rd|th)\b",
    r"\b\d-?D\b",
)
_STRIP = [re.compile(pattern, re.MULTILINE | re.DOTALL) for pattern in _NOT_PROSE]


def prose(text: str) -> str:
    """The words of a passage, without code, mathematics, links, citations and the numbers of chapters and lists."""
    text = _without_fences(text)
    for pattern in _STRIP:
        text = pattern.sub(" ", text)
    return text


def _values(text: str) -> dict[float, str]:
    """The numbers in a text, by value; a percent sign makes no difference."""
    found = {}
    for match in NUMBER.finditer(text):
        written = (match["sign"] or "") + match["digits"].replace(",", "") + (match["power"] or "")
        found[float(written.replace("\u2212", "-"))] = match[0]
    return found


def numbers(notebook: Notebook) -> Iterator[tuple[int | None, str]]:
    """Every number in a chapter's prose is claimed in its section, or listed with a reason; the list holds no more."""
    claimed: dict[str, set[float]] = {}
    for code, call in notebook.calls("claim"):
        text = _first(call)
        if text is None:
            yield code.cell, "makes a claim whose text is not written out; the first argument is a plain string"
            continue
        claimed.setdefault(code.section, set()).update(_values(text))
    listed = _listed(notebook)
    used = set()
    title = notebook.passages[0].section if notebook.passages else ""
    for passage in notebook.passages:
        text = prose(passage.text)
        if passage.section == "Papers":
            continue  # a bibliography measures nothing
        if passage.section == title:
            text = re.sub(r"\d+ minutes\b", "", text)  # the build's own estimate
        for section, phrase in listed:
            if section == passage.section:
                words = r"\s+".join(map(re.escape, phrase.split()))
                text, count = re.subn(rf"(?<![\w.,]){words}(?![\w]|[.,]\d)", " ", text)
                used |= {(section, phrase)} if count else set()
        for value, written in _values(text).items():
            if value not in claimed.get(passage.section, ()):
                yield (
                    passage.cell,
                    f'the number {written.strip()!r} under "{passage.section}" is in no claim of this section '
                    f"and not in {_numbers_file(notebook).name}",
                )
    for section, phrase in sorted(set(listed) - used):
        yield None, f'{_numbers_file(notebook).name} lists {phrase!r} for "{section}", and the prose there has it not'


def _numbers_file(notebook: Notebook) -> Path:
    return notebook.path.with_suffix(".numbers.toml")


def _listed(notebook: Notebook) -> list[tuple[str, str]]:
    path = _numbers_file(notebook)
    if not path.is_file():
        return []
    entries = tomllib.loads(path.read_text(encoding="utf-8"))["number"]
    for entry in entries:
        if set(entry) != {"text", "section", "reason"} or not all(map(str.strip, entry.values())):
            raise ValueError(f"{path.name}: {entry} needs text, section and reason, and nothing else.")
    return [(entry["section"], entry["text"]) for entry in entries]


def bold_terms(notebook: Notebook) -> Iterator[tuple[int | None, str]]:
    """Bold is for a term's first use, and each has an entry; a run-in heading ends with its own stop."""
    known = terms(notebook.root / "glossary.toml")
    for passage in notebook.passages:
        text = re.sub(r"^\*\*[^*\n]+\*\*$", "", _without_fences(passage.text), flags=re.MULTILINE)
        text = re.sub(r"`[^`]*`", lambda code: code[0].replace("*", ""), text)
        for bold in re.findall(r"\*\*([^*]+)\*\*", text):
            word = " ".join(bold.split()).casefold()
            if word.endswith((".", ":", "?", "!")):
                continue
            entry = known.get(word) or known.get(word.removesuffix("s"))
            if entry is None:
                yield (
                    passage.cell,
                    f"has {bold!r} in bold, and glossary.toml has no such term (stress in *italics*)",
                )
            elif notebook.chapter != "00" and entry.chapter[:2] > notebook.chapter[:2]:
                yield passage.cell, f"uses {bold!r}, which glossary.toml gives to the later chapter {entry.chapter}"


# -- all of it --------------------------------------------------------------------------------------------------------

Rule = Callable[[Notebook], Iterable[tuple[int | None, str]]]
EVERYWHERE: tuple[Rule, ...] = (clean, plain_code, links, figures, predictions, quizzes)
CHAPTERS: tuple[Rule, ...] = (objectives, skeleton, numbers, bold_terms)


def lint_notebook(path: Path) -> list[Problem]:
    """All problems of one built notebook. Raises ValueError when it lies outside the course's folders."""
    notebook, problems = read(path.resolve())
    rules = EVERYWHERE + (CHAPTERS if notebook.shelf == "chapters" else ())
    found = [Problem(path, cell, rule.__name__, message) for rule in rules for cell, message in rule(notebook)]
    return problems + found


def lint_source(path: Path) -> list[Problem]:
    """A source in MyST: no bare `+++` line (it makes an empty break) and no raw cell."""
    fenced, problems = False, []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        fenced ^= line.startswith("```")
        if line.strip() == "+++" and not fenced:
            problems.append(Problem(path, None, "source", f"line {number} is a bare +++; give it metadata or drop it"))
        if line.startswith("```{raw-cell}"):
            problems.append(Problem(path, None, "source", f"line {number} begins a raw cell"))
    return problems


def lint_glossary(root: Path) -> list[Problem]:
    """Every entry's chapter is one of the map's."""
    path = root / "glossary.toml"
    return [
        Problem(
            path, None, "glossary", f"{term.term!r} names the chapter {term.chapter!r}, which the map does not have"
        )
        for term in terms(path).values()
        if not re.fullmatch(r"\d\db?", term.chapter) or int(term.chapter[:2]) > LAST_CHAPTER
    ]


def main(names: list[str]) -> int:
    """Prints every problem of the files named; 1 when there is one."""
    paths = map(Path, names)
    problems = [problem for path in paths for problem in (lint_source if path.suffix == ".md" else lint_notebook)(path)]
    print(*problems, f"{len(problems)} problem(s)", sep="\n")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
