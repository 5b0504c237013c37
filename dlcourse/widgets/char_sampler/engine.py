"""The sampler's engine: lines of text that a model has written, and one place in them that is looked at.

    logits, state = model(symbol, state)     p = softmax(logits)     next symbol ~ shaped(p)     bits = -log2 p(symbol)

All draws come from `generation.sample_steps`, one step for each symbol; the step is kept, and with it what the symbol
was drawn from. Going back and branching begin from a kept step and compute nothing anew.
"""

from collections.abc import Mapping
from dataclasses import replace
from itertools import takewhile
from typing import Any, ClassVar, Self
from zlib import crc32

import numpy as np
import torch

from dlcourse.types import Float, Tensor
from dlcourse.widgets.char_sampler import words
from dlcourse.widgets.char_sampler.code import program
from dlcourse.widgets.char_sampler.line import LONGEST, Line, Shaping, Writer, Written
from dlcourse.widgets.char_sampler.params import PARAMS
from dlcourse.widgets.char_sampler.reader import Reader, usual
from dlcourse.widgets.char_sampler.symbols import Symbols
from dlcourse.widgets.engine import Engine
from dlcourse.widgets.params import Param, shown, whole
from dlcourse.widgets.snapshot import Snapshot

MOST_LINES = 8
MOST_BARS = 40
SEEDS = PARAMS["seed"].high + 1


class CharSamplerEngine(Engine):
    """A model writes, symbol by symbol.

    model: called as model(ids (1, time), state), gives logits (1, time, classes) and the next state, as CharRNN; or an
    NGram. Without one the 6-gram of `data.load("topics")`. vocabulary: what the model was trained with. beside: a
    second model of the same vocabulary, which reads along: for each symbol that `model` writes it says how likely it
    had held it. values: parameters by name (see `params`). Raises ValueError for what does not fit.

    >>> sampler = CharSamplerEngine(prefix="The ")
    >>> sampler.step(20)
    >>> sampler.back(10)
    >>> sampler.branch("q")  # another line: as before up to here, then "q"
    >>> sampler.step(3)
    >>> sampler.text.startswith("The "), len(sampler.text), "q" in sampler.text
    (True, 17, True)
    """

    name = "char-sampler"
    params: ClassVar[Mapping[str, Param]] = PARAMS
    actions = frozenset({"back", "scrub", "write", "look", "branch", "again", "drop", "to_code"})

    def __init__(self, model: Any = None, vocabulary: Any = None, *, beside: Any = None, **values: Any) -> None:
        self.own = model is None and vocabulary is None  # the model is the one that comes along
        if self.own:
            model, vocabulary = usual()
        elif model is None or vocabulary is None:
            raise ValueError("give a model and the vocabulary it was trained with, both or neither.")
        self.model, self.vocabulary, self.beside = model, vocabulary, beside
        self.symbols = Symbols(vocabulary)
        self.reader = Reader(model, len(self.symbols), "model")
        self.other = None if beside is None else Reader(beside, len(self.symbols), "beside")
        self.writer = Writer(self.reader, self.other)
        super().__init__(**values)
        self.values["prefix"] = self.values["prefix"] or self.symbols.usual()
        self.begin()

    # ------------------------------------------------------------------ settings

    @property
    def shaping(self) -> Shaping:
        """How the next symbol is drawn."""
        return Shaping(self.values["temperature"], self.values["top_k"], self.values["top_p"])

    def changed(self, names: frozenset[str]) -> None:
        if "prefix" in names:
            self._begin_line()

    def _checked(self, values: Mapping[str, Any]) -> dict[str, Any]:
        checked = super()._checked(values)
        if "prefix" in checked:
            checked["prefix"] = checked["prefix"] or self.symbols.usual()
            self.symbols.ids("prefix", checked["prefix"])
        return checked

    # ------------------------------------------------------------------ lines

    def begin(self) -> None:
        """One line with nothing after the prefix."""
        self.lines: list[Line] = []
        self.numbers = 0
        self._begin_line()

    reset = begin

    def _begin_line(self) -> None:
        """A new line with the present prefix; in place of the present one, if nothing is written there."""
        if self.lines and not len(self.line):
            self.lines.remove(self.line)
        self._add(Line(self._number(), self.symbols.ids("prefix", self.values["prefix"]), self._stamp()))

    def _number(self) -> int:
        if len(self.lines) >= MOST_LINES:
            raise ValueError(f"{MOST_LINES} lines are here already: remove one, or reset.")
        self.numbers += 1
        return self.numbers

    def _add(self, line: Line, at: int = 0) -> None:
        self.lines.append(line)
        self.line, self.at, self._next = line, at, None

    def _stamp(self) -> tuple[int, ...]:
        return self.reader.stamp + (self.other.stamp if self.other else ())

    def _branched(self, place: int) -> Line:
        """A new line that has the first `place` symbols of the present one."""
        old = self.line
        return Line(self._number(), old.prefix, old.stamp, old.written[:place], old.number, place)

    def drop(self, line: int) -> None:
        """Remove a line, by its number. Of one line only what is written is removed."""
        gone = self._line(line)
        if len(self.lines) == 1:
            return self.begin()
        place = self.lines.index(gone)
        self.lines.remove(gone)
        if gone is self.line:
            self._go(self.lines[min(place, len(self.lines) - 1)])

    def _line(self, number: Any) -> Line:
        for line in self.lines:
            if line.number == number and not isinstance(number, bool):
                return line
        have = ", ".join(str(line.number) for line in self.lines)
        raise ValueError(f"line={shown(number)}: there is no such line; there are {have}.")

    def _go(self, line: Line, at: int | None = None) -> None:
        self.line, self._next = line, None
        self.at = len(line) if at is None else at
        self.values = self.values | {"prefix": self.symbols.text(line.prefix)}

    # ------------------------------------------------------------------ writing

    @property
    def running(self) -> bool:
        return self.at < len(self.line) or len(self.line) < LONGEST

    def step(self, n: int = 1) -> None:
        """n symbols further, until the line is full. Where symbols are written already, and were drawn with the present
        settings or chosen by hand, it goes through them; with other settings it draws, on a new line."""
        for _ in range(whole("n", n, 0, 10_000)):
            if not self.running:
                return
            at, written = self.at, self.line.written
            if at == len(written):
                written.append(self._draw())
            elif not self._same(written[at]):
                fresh = self._draw()
                if fresh.token != written[at].token:
                    self._add(self._branched(at))
                    self.line.written.append(fresh)
            self.at, self._next = at + 1, None

    def _same(self, written: Written) -> bool:
        """Whether it would be drawn again."""
        return written.shaping is None or (written.shaping, written.seed) == (self.shaping, self.values["seed"])

    def _draw(self) -> Written:
        return self.writer.draw(self.line, self.at, self.shaping, self.values["seed"])

    def write(self, prefix: str) -> None:
        """Another prefix: a new line begins; what was written before stays. Raises ValueError for an empty one, and for
        characters that are not in the vocabulary."""
        if prefix == "":
            raise ValueError("the prefix is empty: type at least one character. A newline will do, or a space.")
        self.set(prefix=prefix)

    def branch(self, token: int | str, line: int | None = None, step: int | None = None) -> None:
        """Another symbol, by its number or as text, in place of the one drawn at the step that is looked at: a new
        line beside the old. line and step: look there first. Raises ValueError for a symbol that there is not."""
        token = self._token(token)
        if line is not None:
            self.look(line, step)
        place = max(0, self.at - 1)
        if place == len(self.line) or self.line.written[place].token != token:
            chosen = self.writer.choose(self.line, place, token)
            if place < len(self.line):
                self._add(self._branched(place))
            self.line.written.append(chosen)
        self.at, self._next = place + 1, None

    def _token(self, token: Any) -> int:
        if isinstance(token, str):
            found = self.symbols.ids("branch", token)
            if len(found) != 1:
                raise ValueError(f"branch({shown(token)}): wanted one symbol; these are {len(found)}.")
            return found[0]
        return whole("token", token, 0, len(self.symbols) - 1)

    def again(self) -> None:
        """The same prefix once more with the next seed, on a new line as long as this one."""
        seed, length = (self.values["seed"] + 1) % SEEDS, len(self.line)
        if length:
            line = Line(self._number(), self.line.prefix, self._stamp())
            for place in range(length):
                line.written.append(self.writer.draw(line, place, self.shaping, seed))
            self._add(line, length)
        self.values = self.values | {"seed": seed}

    # ------------------------------------------------------------------ looking

    def look(self, line: int, step: int | None = None) -> None:
        """Go to a line, by its number, and there to a step; without one to its end."""
        found = self._line(line)
        self._go(found, None if step is None else whole("step", step, 0, len(found)))

    def scrub(self, step: int) -> None:
        """To a step of this line: 0 is after the prefix, 1 the first symbol."""
        self.at, self._next = whole("step", step, 0, len(self.line)), None

    def back(self, n: int = 1) -> None:
        """n steps back, at most to the prefix. What is written stays."""
        self.scrub(max(0, self.at - whole("n", n, 1, 10_000)))

    @property
    def here(self) -> Written | None:
        """The symbol that is looked at; None after the prefix."""
        return self.line.written[self.at - 1] if self.at else None

    @property
    def text(self) -> str:
        """The prefix and what is written after it, up to the step that is looked at."""
        return self.symbols.text(self.line.prefix + self.line.tokens[: self.at])

    @property
    def logits(self) -> Float[Tensor, " classes"]:
        """What the model said at the step that is looked at."""
        return self._says()[0]

    @property
    def other_logits(self) -> Float[Tensor, " classes"] | None:
        """What the model beside said there."""
        return self._says()[1]

    def _says(self) -> tuple[Tensor, Tensor | None]:
        if self._next is None:
            self._next = self.writer.says(self.line, max(0, self.at - 1))
        return self._next

    def bars(self) -> Float[Tensor, "classes 4"]:
        """For each symbol, likeliest first: its number, p, p after the present shaping, p of the model beside (nan
        without one)."""
        logits, other = self._says()
        p, after = logits.softmax(0), self.shaping.shaped(logits)
        order = logits.argsort(descending=True, stable=True)
        beside = torch.full_like(p, torch.nan) if other is None else other.softmax(0)
        return torch.stack([order.float(), p[order], after[order], beside[order]], 1)

    # ------------------------------------------------------------------ what is seen and said

    @property
    def notice(self) -> str:
        """What is to be known of the model, or ""."""
        if self.line.stamp == self._stamp():
            return ""
        return (
            "The model's weights have changed since this line was begun: what was written is what it said then. "
            "Reset to let the model as it is now write from the beginning."
        )

    def snapshot(self) -> Snapshot:
        """What a view draws.

        header:
            run, say, notice
            model, beside  what the models are called; beside may be None
            names        {number: [shown, said, kind]} of all symbols that occur below
            prefix       the present line's, as text
            lines        [{"line", "prefix", "length", "origin", "parent", "bits", "beside"}, ...]: prefix and length
                         are counts of symbols, bits and beside means per symbol written, or None
            line, at     the present one, and the step that is looked at
            place        the symbol that the bars are about: its index after the prefix
            here         the symbol there: {"token", "bits", "beside", "rank", "chosen", "how"}, or None; how it was
                         drawn in words, where the settings have changed since
            classes, kept   how many symbols there are, and how many may be drawn
            rest         what is not among the bars: {"count", "before", "after", "beside"}

        arrays, float32:
            ids          the lines' symbols, one line after the other, prefixes first
            bits         of the symbols after the prefixes; beside the same of the model beside, or empty
            bars         (n, 4): see `bars`; at most 40, and the symbol drawn
        """
        bars = self.bars()
        drawn = None if self.here is None else int((bars[:, 0] == self.here.token).nonzero()[0, 0])
        rows = list(range(min(MOST_BARS, len(bars))))
        if drawn is not None and drawn not in rows:
            rows[-1] = drawn
        left = torch.ones(len(bars), dtype=torch.bool, device="cpu")
        left[rows] = False
        rest = bars[left].double().sum(0).tolist()
        ids = [token for line in self.lines for token in (*line.prefix, *line.tokens)]
        used = dict.fromkeys([*ids, *bars[rows, 0].int().tolist()])
        written = [each for line in self.lines for each in line.written]
        header = {
            "run": {"step": self.at, "first": 0, "last": len(self.line), "running": self.running},
            "say": words.say(self),
            "notice": self.notice,
            "model": self.reader.title,
            "beside": self.other.title if self.other else None,
            "names": {token: _named(self.symbols[token]) for token in used},
            "prefix": self.values["prefix"],
            "lines": [_line(line) for line in self.lines],
            "line": self.line.number,
            "at": self.at,
            "place": max(0, self.at - 1),
            "here": self._here(drawn),
            "classes": len(bars),
            "kept": int((bars[:, 2] > 0).sum()),
            "rest": {
                "count": int(left.sum()),
                "before": rest[1],
                "after": rest[2],
                "beside": rest[3] if self.other else None,
            },
        }
        arrays = {
            "ids": np.array(ids, np.float32),
            "bits": np.array([each.bits for each in written], np.float32),
            "beside": np.array([each.other_bits for each in written if self.other], np.float32),
            "bars": bars[rows].float(),
        }
        return Snapshot(header, arrays)

    def _here(self, rank: int | None) -> dict[str, Any] | None:
        here = self.here
        if here is None:
            return None
        return {
            "token": here.token,
            "bits": words.finite(here.bits),
            "beside": words.finite(here.other_bits),
            "rank": rank,
            "chosen": here.shaping is None,
            "how": "" if self._same(here) else words.how(here),
        }

    def describe(self) -> str:
        """The present line, the step that is looked at and what may come there."""
        return words.describe(self)

    def to_code(self) -> str:
        """A program that computes what the bars show, and draws from it by the luck of this place."""
        return program(self)

    # ------------------------------------------------------------------ to hand on

    def state(self) -> dict[str, Any]:
        """The text and how each symbol was drawn; not the model."""
        return {
            **super().state(),
            "vocabulary": self._print(),
            "lines": [self._packed(line) for line in self.lines],
            "line": self.lines.index(self.line),
            "at": self.at,
        }

    def _packed(self, line: Line) -> dict[str, Any]:
        numbers = [each.number for each in self.lines]
        return {
            "prefix": line.prefix,
            "tokens": line.tokens,
            "how": [
                each.shaping and [each.shaping.temperature, each.shaping.top_k, each.shaping.top_p, each.seed]
                for each in line.written
            ],
            "parent": numbers.index(line.parent) if line.parent in numbers else None,
            "origin": line.origin,
        }

    def _print(self) -> int:
        """A number that another vocabulary would hardly have."""
        names = [self.symbols[token].said for token in range(min(len(self.symbols), 1000))]
        return crc32(f"{len(self.symbols)} {names}".encode(errors="replace"))

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take over a state: the texts are read again by the present models, symbol by symbol. Raises ValueError when
        it was made with another vocabulary, or holds no lines."""
        if state.get("vocabulary") != self._print():
            raise ValueError(
                "this share string was made with another vocabulary. Make it from_share(text, model, vocabulary) with "
                "those that it was shared from."
            )
        packed = state.get("lines")
        if not isinstance(packed, list) or not 1 <= len(packed) <= MOST_LINES:
            raise ValueError(f"this share string is damaged (it holds no lines, or more than {MOST_LINES}).")
        super().restore(state)
        self.lines, self.numbers = [], 0
        for each in packed:
            self.lines.append(self._unpacked(each))
        line = self.lines[whole("line", state["line"], 0, len(packed) - 1)]
        self._go(line, whole("at", state["at"], 0, len(line)))

    def _unpacked(self, packed: Mapping[str, Any]) -> Line:
        ids = [whole("symbol", token, 0, len(self.symbols) - 1) for token in (*packed["prefix"], *packed["tokens"])]
        size = len(packed["prefix"])
        if not size or len(ids) - size > LONGEST or len(packed["how"]) != len(ids) - size:
            raise ValueError("this share string is damaged (a line of no possible length).")
        line = Line(self._number(), ids[:size], self._stamp())
        parent = packed["parent"]
        line.origin = whole("origin", packed["origin"], 0, len(ids) - size)
        if parent is not None:
            line.parent = self.lines[whole("parent", parent, 0, len(self.lines) - 1)].number
        begins = max((self._common(line, ids[size:], other) for other in self.lines), key=len, default=[])
        for place, (token, how) in enumerate(zip(ids[size:], packed["how"], strict=True)):
            read = begins[place] if place < len(begins) else self.writer.choose(line, place, token)
            line.written.append(replace(read, **self._how(how)))
        return line

    def _common(self, line: Line, tokens: list[int], other: Line) -> list[Written]:
        """What a line has in common with one that has been read already."""
        same = takewhile(lambda pair: pair[0].token == pair[1], zip(other.written, tokens, strict=False))
        return [written for written, _ in same] if other.prefix == line.prefix else []

    def _how(self, packed: Any) -> dict[str, Any]:
        if packed is None:
            return {"shaping": None, "seed": None}
        if not isinstance(packed, list) or len(packed) != 4:
            raise ValueError("this share string is damaged (a symbol that was drawn in no known way).")
        values = dict(zip(("temperature", "top_k", "top_p", "seed"), packed, strict=True))
        checked = Engine._checked(self, values)
        return {"seed": checked.pop("seed"), "shaping": Shaping(**checked)}

    @classmethod
    def from_share(cls, text: str, model: Any = None, vocabulary: Any = None, *, beside: Any = None, **_: Any) -> Self:
        """The sampler that `share` described, around your model, which a string cannot hold. Raises ValueError."""
        state, engine = cls.opened(text), cls(model, vocabulary, beside=beside)
        engine.take(state)
        return engine

    def take(self, state: Mapping[str, Any]) -> None:
        """`restore`; a ValueError for whatever a stranger's string may hold."""
        try:
            self.restore(state)
        except (LookupError, TypeError, AttributeError, ArithmeticError) as error:
            raise ValueError(f"this share string does not hold what a {self.name} needs ({error!r}).") from error


def _named(symbol: Any) -> list[str]:
    return [symbol.shown, symbol.said, symbol.kind]


def _line(line: Line) -> dict[str, Any]:
    return {
        "line": line.number,
        "prefix": len(line.prefix),
        "length": len(line),
        "origin": line.origin,
        "parent": line.parent,
        "bits": words.finite(line.bits),
        "beside": words.finite(line.other_bits),
    }
