"""A line of text: the prefix, and the symbols written after it, each with what it was drawn from.

Every place has a luck of its own, made from the seed. So a draw can be taken back and taken again, and where only the
temperature has changed, the two draws differ by the temperature and not by luck.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from dlcourse.generation import SampleStep, sample_steps, shaped
from dlcourse.types import Float, Tensor
from dlcourse.widgets.char_sampler.reader import Reader

LONGEST = 300  # symbols after the prefix


@dataclass(frozen=True)
class Shaping:
    """How to draw. top_k=0 and top_p=1 are off."""

    temperature: float
    top_k: int
    top_p: float

    @property
    def options(self) -> dict[str, Any]:
        """As `generation` takes them."""
        top_p = None if self.top_p == 1 else self.top_p
        return {"temperature": self.temperature, "top_k": self.top_k or None, "top_p": top_p}

    def shaped(self, logits: Float[Tensor, " classes"]) -> Float[Tensor, " classes"]:
        return shaped(logits, **self.options)


@dataclass(frozen=True, eq=False)
class Written:
    """A symbol, where it came from, and how surprising it was. Shared by the lines that have it in common."""

    step: SampleStep  # what the model said, and its state before the symbol
    other: SampleStep | None  # the same of the model that reads along
    shaping: Shaping | None  # None: chosen by hand
    seed: int | None
    bits: float  # -log2 p(symbol), as the model says, before shaping
    other_bits: float | None

    @property
    def token(self) -> int:
        return self.step.token


@dataclass(eq=False)
class Line:
    """number: counts up, and stays. origin: symbols that it has in common with the line it branched from."""

    number: int
    prefix: list[int]
    stamp: tuple[int, ...]  # the weights that it was begun with
    written: list[Written] = field(default_factory=list)
    parent: int | None = None
    origin: int = 0

    def __len__(self) -> int:
        return len(self.written)

    @property
    def tokens(self) -> list[int]:
        return [each.token for each in self.written]

    @property
    def bits(self) -> float | None:
        """Mean per symbol written, of the model that writes."""
        return sum(each.bits for each in self.written) / len(self) if self.written else None

    @property
    def other_bits(self) -> float | None:
        """The same of the model that reads along."""
        if not self.written or self.written[0].other_bits is None:
            return None
        return sum(each.other_bits for each in self.written) / len(self)


class Writer:
    """Draws the symbol at some place of a line."""

    def __init__(self, reader: Reader, other: Reader | None):
        self.reader, self.other = reader, other

    def draw(self, line: Line, place: int, shaping: Shaping, seed: int) -> Written:
        """A symbol from what the model says, shaped, by the luck of this place."""
        step = self._step(self.reader, line, place, lambda each: each.step, shaping, seed)
        return self._written(line, place, step, shaping, seed)

    def choose(self, line: Line, place: int, token: int) -> Written:
        """The symbol that a hand has chosen."""
        step = self._step(self.reader, line, place, lambda each: each.step)
        return self._written(line, place, replace(step, token=token), None, None)

    def says(self, line: Line, place: int) -> tuple[Float[Tensor, " classes"], Float[Tensor, " classes"] | None]:
        """Logits of both models for a place: of what stands there, or of what comes next."""
        if place < len(line):
            at = line.written[place]
            return at.step.logits, None if at.other is None else at.other.logits
        own = self._step(self.reader, line, place, lambda each: each.step).logits
        return own, self._along(line, place).logits if self.other else None

    def _along(self, line: Line, place: int) -> SampleStep:
        return self._step(self.other, line, place, lambda each: each.other)

    def _written(self, line: Line, place: int, step: SampleStep, shaping: Shaping | None, seed: int | None) -> Written:
        other = self._along(line, place) if self.other else None
        bits = surprise(step.logits, step.token)
        return Written(step, other, shaping, seed, bits, None if other is None else surprise(other.logits, step.token))

    def _step(
        self,
        reader: Reader,
        line: Line,
        place: int,
        part: Callable[[Written], SampleStep],
        shaping: Shaping | None = None,
        seed: int = 0,
    ) -> SampleStep:
        """One step of `sample_steps`, read on from the symbol before."""
        before = line.written[place - 1] if place else None
        ids = torch.tensor(line.prefix if before is None else [before.token], dtype=torch.long, device="cpu")
        state = None if before is None else part(before).state
        options = shaping.options if shaping else {}
        step = next(sample_steps(reader, ids, steps=1, state=state, generator=luck(seed, place), **options))
        return replace(step, index=place)


def luck(seed: int, place: int) -> torch.Generator:
    """The source of the draw at a place."""
    return torch.Generator(device="cpu").manual_seed(place_seed(seed, place))


def place_seed(seed: int, place: int) -> int:
    """A number for each seed and place. Neighbours must not be alike, so the seed's own generator spreads them."""
    spread = torch.Generator(device="cpu").manual_seed(seed)
    return int(torch.randint(2**53, (place + 1,), generator=spread, device="cpu")[place])


def surprise(logits: Float[Tensor, " classes"], token: int) -> float:
    """-log2 p(token): infinite where the model holds it for impossible."""
    return float(-logits.double().log_softmax(0)[token]) / math.log(2)
