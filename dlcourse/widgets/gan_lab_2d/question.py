"""Predict before you see: how much of the target will be reached some updates from here?"""

from dataclasses import dataclass
from typing import Any

from dlcourse.widgets.gan_lab_2d.history import Measured
from dlcourse.widgets.runs.question import Prediction

MODES = ("at most half of the modes", "more than half, not all", "all of them")
PLACES = ("less than half of the target", "half or more, not 95 %", "95 % or more")


@dataclass(kw_only=True)
class Question(Prediction):
    """modes: how many the target has; 0: it is a curve."""

    modes: int
    reached: float | None = None  # where the run was when it was answered

    @property
    def options(self) -> tuple[str, ...]:
        return MODES if self.modes else PLACES

    @property
    def answer(self) -> int | None:
        """The index of the true option.

        >>> from dlcourse.widgets.snapshot import Snapshot
        >>> Question(asked_at=0, steps=9, modes=8, frozen=Snapshot({}), answered_at=9, reached=7 / 8).answer
        1
        """
        if self.reached is None:
            return None
        if self.modes:
            covered = round(self.reached * self.modes)
            return 0 if 2 * covered <= self.modes else 1 if covered < self.modes else 2
        return 0 if self.reached < 0.5 else 1 if self.reached < 0.95 else 2

    def look(self, measured: Measured) -> None:
        self.reached = measured.reached

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
        return super().header() | {"text": self.text, "found": self.found}
