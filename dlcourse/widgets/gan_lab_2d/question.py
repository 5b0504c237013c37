"""Predict before you see: how much of the target will be reached some updates from here?"""

from dataclasses import dataclass
from typing import Any

from dlcourse.widgets.snapshot import Snapshot

MODES = ("at most half of the modes", "more than half, not all", "all of them")
PLACES = ("less than half of the target", "half or more, not 95 %", "95 % or more")


@dataclass
class Question:
    """`frozen` is all that may be seen until `target`."""

    asked_at: int
    steps: int
    modes: int  # how many the target has; 0: it is a curve
    frozen: Snapshot
    guess: int | None = None
    answered_at: int | None = None  # the target, or where the run ended before it
    reached: float | None = None  # there

    @property
    def target(self) -> int:
        return self.asked_at + self.steps

    @property
    def options(self) -> tuple[str, ...]:
        return MODES if self.modes else PLACES

    @property
    def state(self) -> str:
        if self.answered_at is not None:
            return "revealed"
        return "asked" if self.guess is None else "running"

    @property
    def answer(self) -> int | None:
        """The index of the true option.

        >>> Question(0, 9, 8, Snapshot({}), answered_at=9, reached=7 / 8).answer
        1
        """
        if self.reached is None:
            return None
        if self.modes:
            covered = round(self.reached * self.modes)
            return 0 if 2 * covered <= self.modes else 1 if covered < self.modes else 2
        return 0 if self.reached < 0.5 else 1 if self.reached < 0.95 else 2

    @property
    def right(self) -> bool | None:
        """None where there is nothing to be right about: the run ended before the target."""
        if self.answer is None or self.answered_at != self.target:
            return None
        return self.answer == self.guess

    @property
    def text(self) -> str:
        of = f"of the {self.modes} modes" if self.modes > 1 else "of the mode" if self.modes else "of the target"
        return f"After {self.steps} more updates, how much {of} will the generated points reach?"

    @property
    def found(self) -> str | None:
        """What was true, in words."""
        if self.reached is None:
            return None
        if self.modes:
            return f"{round(self.reached * self.modes)} of {self.modes} modes are covered"
        return f"{round(100 * self.reached)} % of the target is reached"

    def header(self) -> dict[str, Any]:
        names = ("state", "asked_at", "steps", "target", "text", "guess", "answer", "answered_at", "right", "found")
        return {name: getattr(self, name) for name in names} | {"options": list(self.options)}
