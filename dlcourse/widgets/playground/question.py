"""Predict before you see: a question about a later step, a guess, and the answer when the run has got there."""

from dataclasses import dataclass
from typing import Any

from dlcourse.widgets.snapshot import Snapshot

OPTIONS = ("below 70 %", "70 to 95 %", "above 95 %")


@dataclass
class Question:
    """What share of the points will be right at `target`? `frozen` is all that may be seen until then."""

    asked_at: int
    steps: int
    of: str  # "test" or "training"
    frozen: Snapshot
    guess: int | None = None
    answered_at: int | None = None  # the target, or where the run ended before it
    accuracy: float | None = None  # there

    @property
    def target(self) -> int:
        return self.asked_at + self.steps

    @property
    def state(self) -> str:
        if self.answered_at is not None:
            return "revealed"
        return "asked" if self.guess is None else "running"

    @property
    def answer(self) -> int | None:
        """The index of the true option.

        >>> Question(0, 9, "test", Snapshot({}), answered_at=9, accuracy=0.7).answer
        1
        """
        if self.accuracy is None:
            return None
        return 0 if self.accuracy < 0.7 else 1 if self.accuracy <= 0.95 else 2

    @property
    def right(self) -> bool | None:
        """None where there is nothing to be right about: the run ended before the target, or has no points."""
        if self.answer is None or self.answered_at != self.target:
            return None
        return self.answer == self.guess

    @property
    def text(self) -> str:
        return f"After {self.steps} more steps, what share of the {self.of} points is right?"

    def header(self) -> dict[str, Any]:
        names = ("state", "asked_at", "steps", "target", "of", "guess", "answer", "answered_at", "accuracy", "right")
        return {name: getattr(self, name) for name in names} | {"options": list(OPTIONS)}
