"""The report on similarity: reads a class's submissions, compares each exercise, writes a table and one HTML file.

All that a student wrote is escaped, and what is not to be seen (escape sequences, marks that turn the direction of
writing) is spelt out. The file holds no script and loads nothing; its own policy forbids both.
"""

import json
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html import escape
from itertools import groupby
from pathlib import Path

import dlcourse
from dlcourse.course.errors import CourseError
from dlcourse.course.grading.similarity import winnowing as similarity
from dlcourse.course.grading.similarity.winnowing import Match, Outcome, Side
from dlcourse.course.grading.spec import Spec, read_spec
from dlcourse.course.grading.submission import Unreadable, answers, open_submission, parse

OTHER = "(other cells)"  # what stands in cells that the student added
MOST = 300  # passages in the file
COMMON = 0.5  # of the weight: below it a shared token is marked as common in the class


@dataclass(frozen=True)
class Report:
    """outcomes: for each exercise. unread: student -> why nothing was compared. cut: students with very long text."""

    assignment: str
    students: int
    outcomes: tuple[Outcome, ...]
    unread: dict[str, str]
    cut: tuple[str, ...]

    @property
    def pairs(self) -> tuple[Match, ...]:
        found = [match for outcome in self.outcomes for match in outcome.pairs]
        return tuple(sorted(found, key=similarity.most_alike))

    @property
    def ours(self) -> tuple[Match, ...]:
        found = [match for outcome in self.outcomes for match in outcome.ours]
        return tuple(sorted(found, key=similarity.most_alike))


# --- reading ----------------------------------------------------------------------------------------------------------


def report(course: Path, assignment: str) -> Report:
    """Compares submitted/*/ASSIGNMENT. Raises CourseError when there is no such assignment or nothing to compare."""
    spec = read_spec(course, assignment)
    folders = sorted(path for path in (course / "submitted").glob(f"*/{assignment}") if path.is_dir())
    if not folders:
        raise CourseError(
            f"There is nothing to compare: no folder submitted/STUDENT/{assignment} in {course}. "
            f"Collect first: nbgrader collect {assignment}"
        )
    texts, unread = {}, {}
    for folder in folders:
        student = folder.parent.name
        try:
            texts[student] = student_texts(spec, parse(open_submission(folder, spec.notebook)))
        except Unreadable as error:
            unread[student] = str(error)
    ours = {**package(), **solutions(course, assignment)}
    return compare(spec, texts, unread, ours, solutions(course, assignment, "markdown"))


def student_texts(spec: Spec, cells: Iterable) -> dict[str, str]:
    """Exercise -> the student's text; what stands in cells of their own is one text more."""
    cells = tuple(cells)
    known = {cell.id for cell in spec.cells}
    added = [cell.source for cell in cells if cell.kind == "code" and cell.grade_id not in known]
    return {**answers(spec, cells), OTHER: "\n".join(added)}


def package() -> dict[str, str]:
    """Our own source, the checks' reference answers among it: "dlcourse/nn/loss.py cross_entropy" -> text."""
    root = Path(dlcourse.__file__).parent
    return {
        f"{file.relative_to(root.parent).as_posix()} {name}": text
        for file in sorted(root.rglob("*.py"))
        for name, text in similarity.functions(file.read_text(encoding="utf-8"))
    }


def solutions(course: Path, assignment: str, kind: str = "code") -> dict[str, str]:
    """The answers in the instructor's notebook; with kind "markdown" the sample answers in words."""
    found = {}
    for file in sorted((course / "solutions" / assignment).glob("*.ipynb")):
        for cell in json.loads(file.read_text(encoding="utf-8"))["cells"]:
            marks = cell["metadata"].get("nbgrader", {})
            if marks.get("solution") and cell["cell_type"] == kind:
                lines = "".join(cell["source"]).splitlines(keepends=True)
                kept = [line for line in lines if line.strip() not in ("### BEGIN SOLUTION", "### END SOLUTION")]
                found[f"our solution, {marks['grade_id']}"] = "".join(kept)
    return found


def compare(
    spec: Spec,
    texts: Mapping[str, Mapping[str, str]],
    unread: Mapping[str, str],
    ours: Mapping[str, str],
    samples: Mapping[str, str],
) -> Report:
    """The report on texts that have been read: student -> exercise -> text; ours (code) and samples: name -> text."""
    prose = {cell.id for cell in spec.cells if cell.kind == "markdown"}
    given = {
        kind: similarity.released((cell.source for cell in spec.cells if cell.kind == kind), prose=kind == "markdown")
        for kind in ("code", "markdown")
    }
    own = {
        kind: similarity.known_texts(
            {name: similarity.read(text, given[kind], prose=kind == "markdown") for name, text in texts_of.items()}
        )
        for kind, texts_of in (("code", ours), ("markdown", samples))
    }
    wanted = [cell.id for cell in spec.cells if cell.role in ("answer", "manual")] + [OTHER]
    outcomes = []
    for exercise in wanted:
        kind = "markdown" if exercise in prose else "code"
        read = {
            student: similarity.read(of[exercise], given[kind], prose=exercise in prose)
            for student, of in texts.items()
            if of.get(exercise, "").strip()
        }
        outcomes.append(similarity.compare(exercise, read, own[kind]))
    cut = [who for who, of in texts.items() if any(len(text) > similarity.LONGEST for text in of.values())]
    return Report(spec.assignment, len(texts), tuple(outcomes), dict(unread), tuple(sorted(cut)))


# --- telling ----------------------------------------------------------------------------------------------------------

HEADER = ["exercise", "student", "beside", "shared", "rare", "share"]


def rows(matches: Iterable[Match]) -> list[list[str]]:
    """A row of text for each match, the most alike first."""
    return [
        [
            visible(match.exercise),
            visible(match.left.who),
            visible(match.right.who),
            f"{match.shared}",
            f"{match.weighted:.0f}",
            percent(match.share),
        ]
        for match in matches
    ]


def remarks(found: Report) -> list[str]:
    """What a reader of the table has to know."""
    told = [
        f"shared: tokens in runs of {similarity.LEAST} or more that both have, names, numbers, comments and what was "
        f"released left out. rare: the same, but where {similarity.CLASS} or more answered, what many of them write "
        "counts less, and what all write counts nothing. share: rare tokens of the shorter answer; from "
        f"{percent(similarity.SHARE)} on a pair is listed.",
    ]
    if any(0 < outcome.answers < similarity.CLASS for outcome in found.outcomes):
        told.append(
            f"Of fewer than {similarity.CLASS} answers nobody can say what is common: there rare is shared, and honest "
            "short answers look alike."
        )
    for outcome in found.outcomes:
        if outcome.answers and outcome.short * 2 >= outcome.answers:
            told.append(
                f"{outcome.exercise}: {outcome.short} of {outcome.answers} texts have fewer than "
                f"{similarity.FEWEST} tokens of their own; too few to say anything."
            )
        if outcome.common >= 0.25:
            told.append(
                f"{outcome.exercise}: {percent(outcome.common)} of all tokens stand in half of the answers or more; "
                "they count little."
            )
    told += [f"{visible(who)}: not compared. {visible(why)}" for who, why in sorted(found.unread.items())]
    told += [f"{visible(who)}: only the first {similarity.LONGEST:,} characters were compared." for who in found.cut]
    told.append("Nobody is proven to have copied: read both passages, and ask.")
    return told


def percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def visible(text: str) -> str:
    """Text in which what cannot be seen, or turns what is seen around, is spelt out as \\uXXXX."""
    return "".join(
        char if char in "\n\t" or unicodedata.category(char)[0] not in "CZ" or char == " " else f"\\u{ord(char):04x}"
        for char in text
    )


# --- HTML -------------------------------------------------------------------------------------------------------------

# Blue and orange stay apart for every kind of colour vision; the line below says the same without colour.
STYLE = """
:root { color-scheme: light dark; --back: #fff; --text: #1b1b1b; --faint: #5a5a5a; --line: #c4c4c4; --box: #f6f6f6;
  --rare: #cfe4fa; --rare-line: #0b5394; --common-line: #9a5b00; }
@media (prefers-color-scheme: dark) { :root { --back: #16181c; --text: #ececec; --faint: #b0b3b8; --line: #4a4e55;
  --box: #1f2228; --rare: #17406b; --rare-line: #8ec5ff; --common-line: #f0b060; } }
body { background: var(--back); color: var(--text); font: 1rem/1.5 system-ui, sans-serif; margin: 2rem auto;
  max-width: 90rem; padding: 0 1rem; }
h1, h2, h3 { line-height: 1.25; } h2 { margin-top: 2.5rem; } h3 { margin: 2rem 0 .5rem; overflow-wrap: anywhere; }
.faint { color: var(--faint); } a { color: var(--rare-line); }
table { border-collapse: collapse; margin: 1rem 0; }
th, td { border-bottom: 1px solid var(--line); padding: .3rem .8rem .3rem 0;
  text-align: left; vertical-align: top; overflow-wrap: anywhere; } .number { text-align: right; }
.both { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr)); }
figure { margin: 0; } figcaption { font-weight: 600; overflow-wrap: anywhere; }
pre { background: var(--box); border: 1px solid var(--line); font: .875rem/1.6 ui-monospace, monospace; margin: .3rem 0;
  overflow-wrap: anywhere; padding: .6rem; white-space: pre-wrap; }
mark { background: var(--rare); border-bottom: 2px solid var(--rare-line); color: inherit;
  padding-bottom: 3px; }
mark.common { background: none; border-bottom: 2px dotted var(--common-line); }
"""


def html(found: Report) -> str:
    """One page: the tables, then every listed pair with both passages side by side."""
    title = f"Similarity · {visible(found.assignment)}"
    body = [
        f"<h1>{escape(title)}</h1>",
        f"<p>Students: {found.students}. Pairs of alike answers: {len(found.pairs)}. "
        f"Answers like a text of ours: {len(found.ours)}.</p>",
        "<ul>" + "".join(f"<li>{escape(line)}</li>" for line in remarks(found)) + "</ul>",
        '<p>In the passages: <mark>shared, and rare in the class</mark>; <mark class="common">shared, and common in '
        "the class</mark>; not marked: each one's own, or released.</p>",
        *_section("Between students", found.pairs, "pair", "No pair reaches the threshold."),
        *_section(
            "Beside our solutions, references and package", found.ours, "ours", "No answer reaches the threshold."
        ),
        *_summary(found),
    ]
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>\n<body><main>\n"
        + "\n".join(body)
        + "\n</main></body></html>\n"
    )


def _section(heading: str, matches: tuple[Match, ...], anchor: str, none: str) -> Iterable[str]:
    yield f"<h2>{heading}</h2>"
    if not matches:
        yield f"<p>{none}</p>"
        return
    if len(matches) > MOST:
        yield f"<p>The {MOST} most alike of {len(matches)}.</p>"
        matches = matches[:MOST]
    if anchor == "pair":
        yield from _several(matches)
    yield _table(
        HEADER,
        [
            [f'<a href="#{anchor}-{n}">{escape(row[0])}</a>', *map(escape, row[1:])]
            for n, row in enumerate(rows(matches))
        ],
        numbers=3,
    )
    for n, match in enumerate(matches):
        sides = (match.left, match.right)
        names = " and ".join(escape(visible(side.who)) for side in sides)
        yield (
            f'<h3 id="{anchor}-{n}">{escape(match.exercise)}: {names}, {percent(match.share)}</h3>\n<div class="both">'
            + "".join(
                f"<figure><figcaption>{escape(visible(side.who))}</figcaption><pre>{passage(side)}</pre></figure>"
                for side in sides
            )
            + "</div>"
        )


def _several(matches: Iterable[Match]) -> Iterable[str]:
    """Pairs that are listed for more than one exercise: that says more than one exercise does."""
    times = Counter((match.left.who, match.right.who) for match in matches)
    several = [(n, *pair) for pair, n in times.most_common() if n > 1]
    if several:
        yield "<p>Alike in more than one exercise:</p>"
        cells = [[escape(visible(a)), escape(visible(b)), str(n)] for n, a, b in several]
        yield _table(["student", "beside", "exercises"], cells, numbers=1)


def _summary(found: Report) -> Iterable[str]:
    yield "<h2>What was compared</h2>"
    yield _table(
        ["exercise", "texts", "too short", "common in the class", "pairs listed", "like ours"],
        [
            [
                escape(outcome.exercise),
                f"{outcome.answers}",
                f"{outcome.short}",
                percent(outcome.common),
                f"{len(outcome.pairs)}",
                f"{len(outcome.ours)}",
            ]
            for outcome in found.outcomes
        ],
        numbers=5,
    )


def _table(header: list[str], cells: list[list[str]], *, numbers: int) -> str:
    """cells are HTML; the last `numbers` columns stand right."""
    classes = [""] * (len(header) - numbers) + [' class="number"'] * numbers
    head = "".join(f'<th scope="col"{of}>{name}</th>' for name, of in zip(header, classes, strict=True))
    body = "".join(
        "<tr>" + "".join(f"<td{of}>{cell}</td>" for cell, of in zip(row, classes, strict=True)) + "</tr>"
        for row in cells
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def passage(side: Side) -> str:
    """The text, escaped, with its shared tokens marked; neighbours of one sort are one mark."""
    text, parts, at = side.answer.text, [], 0
    sorts = [_sort(weight, inside) for weight, inside in zip(side.weights, side.inside, strict=True)]
    for (sort, _), run in groupby(zip(sorts, side.answer.tokens, strict=True), lambda each: (each[0], each[1].line)):
        if sort == "own":
            continue
        tokens = [token for _, token in run]
        parts.append(escape(visible(text[at : tokens[0].start])))
        mark = "<mark>" if sort == "rare" else '<mark class="common">'
        at = tokens[-1].end
        parts.append(f"{mark}{escape(visible(text[tokens[0].start : at]))}</mark>")
    return "".join(parts) + escape(visible(text[at:]))


def _sort(weight: float, inside: bool) -> str:
    if not inside:
        return "own"
    return "rare" if weight >= COMMON else "common"
