"""The playground's question: what share of the points will be right some steps from here?"""

from dataclasses import dataclass
from typing import Any

from dlcourse.widgets.playground.history import Measured
from dlcourse.widgets.runs.question import Prediction

OPTIONS = ("below 70 %", "70 to 95 %", "above 95 %")


@dataclass(kw_only=True)
class Question(Prediction):
    """of: "test" or "training"."""

    of: str
    accuracy: float | None = None  # where the run was when it was answered

    @property
    def options(self) -> tuple[str, ...]:
        return OPTIONS

    @property
    def answer(self) -> int | None:
        """The index of the true option.

        >>> from dlcourse.widgets.snapshot import Snapshot
        >>> Question(asked_at=0, steps=9, of="test", frozen=Snapshot({}), answered_at=9, accuracy=0.7).answer
        1
        """
        if self.accuracy is None:
            return None
        return 0 if self.accuracy < 0.7 else 1 if self.accuracy <= 0.95 else 2

    def look(self, measured: Measured) -> None:
        self.accuracy = measured.test_accuracy if self.of == "test" else measured.train_accuracy

    @property
    def text(self) -> str:
        return f"After {self.steps} more steps, what share of the {self.of} points is right?"

    def header(self) -> dict[str, Any]:
        return super().header() | {"of": self.of, "accuracy": self.accuracy}
