"""Predict before you see: a question about a later step, a guess, and the answer when the run has got there."""

from dataclasses import dataclass
from typing import Any

from dlcourse.widgets.snapshot import Snapshot


@dataclass(kw_only=True)
class Prediction:
    """A subclass holds what the answer is about, and says which of its options is true. `frozen` is all that may be
    seen until `target`."""

    asked_at: int
    steps: int
    frozen: Snapshot
    guess: int | None = None
    answered_at: int | None = None  # the target, or where the run ended before it

    @property
    def options(self) -> tuple[str, ...]:
        raise NotImplementedError

    @property
    def text(self) -> str:
        raise NotImplementedError

    @property
    def answer(self) -> int | None:
        """The index of the true option; None while it is not known, or when there is none."""
        raise NotImplementedError

    def look(self, measured: Any) -> None:
        """Keep what the answer is about."""
        raise NotImplementedError

    @property
    def target(self) -> int:
        return self.asked_at + self.steps

    @property
    def state(self) -> str:
        """One of "asked", "running" and "revealed", in this order."""
        if self.answered_at is not None:
            return "revealed"
        return "asked" if self.guess is None else "running"

    @property
    def right(self) -> bool | None:
        """None where there is nothing to be right about: no answer, or the run ended before the target."""
        if self.answer is None or self.answered_at != self.target:
            return None
        return self.answer == self.guess

    def header(self) -> dict[str, Any]:
        """What a view gets to know."""
        names = ("state", "asked_at", "steps", "target", "guess", "answer", "answered_at", "right")
        return {name: getattr(self, name) for name in names} | {"options": list(self.options)}
