"""How much of one answer stands in another: runs of tokens that both have.

An answer becomes a list of tokens in which every name is "N", every number "0" and every text "'", without comments,
docstrings, round brackets, blanks and line ends: so new names and comments change nothing, and a moved line is a run.
What was released is taken out, the rest is compared. A token counts as shared when it lies in a run of at least `LEAST`
tokens that the other answer has too; shorter runs are the language's, not the author's.

Which answers to compare at all is found by winnowing (Schleimer, Wilkerson & Aiken 2003, "Winnowing: local algorithms
for document fingerprinting", SIGMOD, section 3): of every LEAST - GRAM + 1 neighbouring hashes of GRAM tokens the
smallest is kept. Two texts that share a run of LEAST tokens share that window, so they keep the same hash.

Where it fails: a few lines have few right answers, so what most of the class writes weighs little (`weight`), and an
answer of less than `FEWEST` tokens is never named. Who writes a copy anew, expression by expression, is not found.
Nothing here proves anything: it says which two passages a person should read side by side.
"""

import ast
import builtins
import io
import keyword
import math
import re
import tokenize
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

GRAM = 8  # tokens in a hash
LEAST = 12  # tokens: every shared run of this length is found, no shorter one counts
FEWEST = 25  # tokens that are the author's own; with fewer nobody is named
SHARE = 0.65  # of the shorter answer, weighted: from here on a pair is named; what it costs is measured in the tests
CLASS = 10  # students; of fewer nobody can say what is common
LONGEST = 50_000  # characters of an answer that are looked at; the longest solution of the course has 2,000

_KEPT = {*keyword.kwlist, *dir(builtins)} - {"_", "copyright", "credits", "exit", "license", "quit"}
_LAYOUT = {tokenize.NL, tokenize.INDENT, tokenize.DEDENT, tokenize.COMMENT, tokenize.ENDMARKER, tokenize.ENCODING}


class Token(NamedTuple):
    """kind: what is compared. start, end: where it stands in the text. line: the number of its logical line."""

    kind: str
    start: int
    end: int
    line: int


# --- text to tokens ---------------------------------------------------------------------------------------------------


def code_tokens(text: str) -> list[Token]:
    """The tokens of Python; of text that is none, its words and signs, with the same kinds."""
    try:
        return _compared(list(_python_tokens(text)))
    except (tokenize.TokenError, SyntaxError):  # an open bracket, an indentation that fits nowhere
        return _compared(
            [
                Token(_kind(match.group(), text[: match.start()].rstrip()[-5:]), *match.span(), number)
                for match, number in _with_lines(re.compile(r"#.*|[^\W\d]\w*|[\d.]*\d\w*|[^\w\s]"), text)
                if not match.group().startswith("#")
            ]
        )


def word_tokens(text: str) -> list[Token]:
    """The words of prose, in small letters."""
    return [
        Token(match.group().lower(), *match.span(), number) for match, number in _with_lines(re.compile(r"\w+"), text)
    ]


def _with_lines(pattern: re.Pattern, text: str) -> Iterator[tuple[re.Match, int]]:
    at = number = 0
    for match in pattern.finditer(text):
        number += text.count("\n", at, match.start())
        at = match.start()
        yield match, number


def _python_tokens(text: str) -> Iterator[Token]:
    starts = [0]
    for line in io.StringIO(text):  # it ends lines where tokenize does
        starts.append(starts[-1] + len(line))
    number, before = 0, ""
    for kind, string, (row, column), (end_row, end_column), _ in tokenize.generate_tokens(io.StringIO(text).readline):
        if kind == tokenize.NEWLINE:
            number += 1
        if kind in _LAYOUT or not string.strip():
            continue
        start, end = starts[row - 1] + column, starts[end_row - 1] + end_column
        yield Token(_kind(string, before), start, end, number)
        before = (before + string)[-5:]


def _kind(string: str, before: str) -> str:
    """A name that its author could change is N. What stands after a dot is torch's word, except after `self`."""
    if string[0].isdigit() or (string[0] == "." and string[1:2].isdigit()):
        return "0"
    if string[0] in "\"'" or re.match(r"[A-Za-z]{1,2}['\"]", string):
        return "'"
    if not string.isidentifier() or keyword.iskeyword(string):
        return string
    if before.endswith("."):
        return "N" if before == "self." else string
    return string if string in _KEPT else "N"


def _compared(tokens: Sequence[Token]) -> list[Token]:
    """Without what an author can add or leave out at will: round brackets, and lines that hold a text alone."""
    on_line = defaultdict(set)
    for token in tokens:
        on_line[token.line].add(token.kind)
    return [token for token in tokens if token.kind not in ("(", ")") and on_line[token.line] != {"'"}]


# --- tokens to runs ---------------------------------------------------------------------------------------------------


def grams(kinds: Sequence[str], length: int) -> list[int]:
    """A hash of each `length` neighbouring tokens."""
    return [hash(tuple(kinds[at : at + length])) for at in range(len(kinds) - length + 1)]


def winnow(kinds: Sequence[str], gram: int = GRAM, least: int = LEAST) -> frozenset[int]:
    """The fingerprints: of each window of least - gram + 1 hashes the smallest.

    Two texts with a common run of at least `least` tokens have a fingerprint in common.
    """
    hashes, window = grams(kinds, gram), least - gram + 1
    return frozenset(min(hashes[at : at + window]) for at in range(len(hashes) - window + 1))


def shared(kinds: Sequence[str], others: frozenset[int], least: int = LEAST) -> list[bool]:
    """For each token: does it lie in a run of at least `least` that another text has, whose `grams` are `others`?"""
    return _covered(grams(kinds, least), others, len(kinds), least)


def _covered(runs: Sequence[int], others: frozenset[int], tokens: int, least: int) -> list[bool]:
    inside = [False] * tokens
    for at, run in enumerate(runs):
        if run in others:
            inside[at : at + least] = [True] * least
    return inside


def shared_definition(one: Sequence[str], other: Sequence[str], least: int = LEAST) -> list[bool]:
    """The same by its definition: from every pair of places, how far do both texts go on alike? Quadratic."""
    inside = [False] * len(one)
    for a in range(len(one)):
        for b in range(len(other)):
            length = 0
            while a + length < len(one) and b + length < len(other) and one[a + length] == other[b + length]:
                length += 1
            if length >= least:
                inside[a : a + length] = [True] * length
    return inside


# --- answers ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Answer:
    """A text ready to be compared. tokens: the author's own, without what was released."""

    text: str
    tokens: tuple[Token, ...]
    kinds: tuple[str, ...]
    prints: frozenset[int]
    runs: tuple[int, ...]  # hashes of LEAST tokens, in order
    held: frozenset[int]  # the same


@dataclass(frozen=True)
class Released:
    """What every student was given: its lines, and its runs of LEAST tokens."""

    lines: frozenset[tuple[str, ...]] = frozenset()
    runs: frozenset[int] = frozenset()


def released(texts: Iterable[str], prose: bool = False) -> Released:
    """The notebook as it was given out: stubs, locked cells, visible tests."""
    lines, runs = set(), set()
    for text in texts:
        tokens = word_tokens(text) if prose else code_tokens(text)
        lines.update(_lines(tokens).values())
        runs.update(grams([token.kind for token in tokens], LEAST))
    return Released(frozenset(lines), frozenset(runs))


def read(text: str, given: Released = Released(), *, prose: bool = False) -> Answer:
    """An answer without the lines that were released and without longer runs of them. prose: words, not Python."""
    text = text[:LONGEST]
    tokens = word_tokens(text) if prose else code_tokens(text)
    lines = _lines(tokens)
    tokens = [token for token in tokens if lines[token.line] not in given.lines]
    was_given = shared([token.kind for token in tokens], given.runs)
    tokens = tuple(token for token, gone in zip(tokens, was_given, strict=True) if not gone)
    kinds = tuple(token.kind for token in tokens)
    runs = tuple(grams(kinds, LEAST))
    return Answer(text, tokens, kinds, winnow(kinds), runs, frozenset(runs))


def _lines(tokens: Iterable[Token]) -> dict[int, tuple[str, ...]]:
    on_line = defaultdict(list)
    for token in tokens:
        on_line[token.line].append(token.kind)
    return {number: tuple(kinds) for number, kinds in on_line.items()}


def functions(source: str) -> list[tuple[str, str]]:
    """(name, source) of each function and class at the top of a module of ours: texts to compare with."""
    return [
        (node.name, ast.get_source_segment(source, node))
        for node in ast.parse(source).body
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
    ]


@dataclass(frozen=True)
class Library:
    """Texts of ours, and which of them hold a fingerprint."""

    texts: Mapping[str, Answer]
    holding: Mapping[int, frozenset[str]]


def known_texts(texts: Mapping[str, Answer]) -> Library:
    holding = defaultdict(set)
    for name, text in texts.items():
        for one in text.prints:
            holding[one].add(name)
    return Library(texts, {one: frozenset(names) for one, names in holding.items()})


# --- a class ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Side:
    """One passage of a match. weights: for each token 0 (not shared) to 1 (shared, and nobody else has it)."""

    who: str
    answer: Answer
    weights: tuple[float, ...]
    inside: tuple[bool, ...]


@dataclass(frozen=True)
class Match:
    """Two answers that are alike. shared: tokens. weighted: the same, the class's common ones counting less.
    share: weighted, of the shorter answer; beside a text of ours, of the student's."""

    exercise: str
    left: Side
    right: Side
    shared: int
    weighted: float
    share: float


@dataclass(frozen=True)
class Outcome:
    """What a comparison found. pairs and ours: from the most alike on. short: answers too short to be named."""

    exercise: str
    answers: int
    short: int
    common: float  # share of all tokens that stand in at least half of the answers
    pairs: tuple[Match, ...]
    ours: tuple[Match, ...]


def weight(holders: int, students: int) -> float:
    """1 when two students hold something, 0 when all do: log(students / holders) / log(students / 2)."""
    if students < CLASS or holders <= 2:
        return 1.0
    return math.log(students / holders) / math.log(students / 2)


def compare(
    exercise: str,
    answers: Mapping[str, Answer],
    ours: Library,
    *,
    share: float = SHARE,
    fewest: int = FEWEST,
) -> Outcome:
    """One exercise: every pair of students, and every student beside the nearest of our own texts."""
    holders = Counter(run for answer in answers.values() for run in set(grams(answer.kinds, GRAM)))
    weights = {who: _weights(answer, holders, len(answers)) for who, answer in answers.items()}
    long = {who: answer for who, answer in answers.items() if len(answer.kinds) >= fewest}

    pairs = []
    for left, right in combinations(sorted(long), 2):
        if not long[left].prints.isdisjoint(long[right].prints):
            sides = [_side(who, long[who], long[other], weights[who]) for who, other in ((left, right), (right, left))]
            match = _match(exercise, *sides, min(len(long[left].kinds), len(long[right].kinds)))
            if match.share >= share:
                pairs.append(match)

    found = []
    for who, answer in long.items():
        near = sorted(set().union(*(ours.holding.get(one, ()) for one in answer.prints)))
        beside = [
            _match(
                exercise,
                _side(who, answer, ours.texts[name], weights[who]),
                _side(name, ours.texts[name], answer, [1.0] * len(ours.texts[name].kinds)),
                len(answer.kinds),
            )
            for name in near
        ]
        nearest = max(beside, key=lambda match: match.weighted, default=None)
        if nearest and nearest.share >= share:
            found.append(nearest)

    tokens = sum(len(answer.kinds) for answer in answers.values())
    half = sum(each < weight(len(answers) / 2, len(answers)) + 1e-9 for some in weights.values() for each in some)
    return Outcome(
        exercise,
        len(answers),
        len(answers) - len(long),
        half / tokens if tokens and len(answers) >= CLASS else 0.0,
        tuple(sorted(pairs, key=most_alike)),
        tuple(sorted(found, key=most_alike)),
    )


def most_alike(match: Match) -> tuple:
    return -match.share, -match.weighted, match.left.who, match.right.who


def _weights(answer: Answer, holders: Mapping[int, int], students: int) -> list[float]:
    """A token weighs what the most common run of GRAM tokens over it weighs."""
    weights = [1.0] * len(answer.kinds)
    for at, run in enumerate(grams(answer.kinds, GRAM)):
        weighs = weight(holders[run], students)
        for place in range(at, at + GRAM):
            weights[place] = min(weights[place], weighs)
    return weights


def _side(who: str, answer: Answer, other: Answer, weights: Sequence[float]) -> Side:
    inside = _covered(answer.runs, other.held, len(answer.kinds), LEAST)
    return Side(
        who, answer, tuple(w if there else 0.0 for w, there in zip(weights, inside, strict=True)), tuple(inside)
    )


def _match(exercise: str, left: Side, right: Side, of: int) -> Match:
    weighted = min(sum(left.weights), sum(right.weights))
    return Match(exercise, left, right, min(sum(left.inside), sum(right.inside)), weighted, weighted / of)
