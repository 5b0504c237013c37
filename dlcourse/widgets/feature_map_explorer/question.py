"""Predict before you see: which class loses most when a channel is switched off?"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from dlcourse.widgets.feature_map_explorer.network import Measured

LEAST = 0.005  # of probability: a class that loses less has lost nothing to speak of
NOBODY = "none of them"


@dataclass
class Question:
    """Of one channel. What a class loses is measured: the fall of the mean probability of the right class."""

    layer: str
    channel: int
    classes: Sequence[str]
    others: bool = False  # whether channels beside it are off before and after
    guess: int | None = None
    before: Measured | None = None
    after: Measured | None = None

    @property
    def text(self) -> str:
        beside = ", beside those that are off already" if self.others else ""
        return f"Channel {self.channel} of {self.layer} is switched off{beside}. Which class loses most by it?"

    @property
    def options(self) -> list[str]:
        return [*self.classes, NOBODY]

    @property
    def state(self) -> str:
        return "asked" if self.after is None else "revealed"

    @property
    def losses(self) -> torch.Tensor:
        """By class; a class that the sample does not hold loses nothing."""
        return (self.before.sure - self.after.sure).nan_to_num(0.0)

    @property
    def answer(self) -> tuple[int, ...]:
        """The options that are true: several for a tie."""
        most = float(self.losses.max())
        if most < LEAST:
            return (len(self.classes),)
        return tuple(torch.nonzero(self.losses >= most - 1e-6).flatten().tolist())

    @property
    def right(self) -> bool:
        return self.guess in self.answer

    def verdict(self) -> str:
        """The answer in words."""
        if self.after is None:
            return ""
        said = "You were right" if self.right else f"You said {self.options[self.guess]}"
        worst = int(self.losses.argmax())
        fall = f"from {self.before.sure[worst]:.3f} to {self.after.sure[worst]:.3f}"
        if self.answer == (len(self.classes),):
            return f"{said}: no class loses as much as {LEAST:g} of the probability of what is right."
        return (
            f"{said}: {self.classes[worst]} loses most by it. The probability of what is right falls {fall}, on "
            f"average of its {int(self.after.count[worst])} images."
        )

    def header(self) -> dict[str, Any]:
        revealed = self.after is not None
        return {
            "state": self.state,
            "text": self.text,
            "options": self.options,
            "guess": self.guess,
            "answer": list(self.answer) if revealed else [],
            "right": self.right if revealed else None,
            "verdict": self.verdict(),
        }
