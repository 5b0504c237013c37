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
    was_off: bool = False  # whether it was off before the question
    guess: int | None = None
    before: Measured | None = None
    after: Measured | None = None
    favourite: int | None = None  # the class of most of the channel's best patches, where they have been sought

    @property
    def text(self) -> str:
        beside = ", beside those that are off already" if self.others else ""
        return (
            f"Channel {self.channel} of {self.layer} will be switched off{beside}. Which class will lose most? A "
            "class loses when the mean probability of the right answer, over its images, falls. "
            f"({NOBODY[0].upper()}{NOBODY[1:]}: for no class by {LEAST:g} or more.)"
        )

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
        none = self.answer == (len(self.classes),)
        chosen = NOBODY if self.guess == len(self.classes) else f"class {self.classes[self.guess]}"
        said = "You were right" if self.right else f"You said {chosen}"
        worst = int(self.losses.argmax())
        if none:
            words = f"{said}: the mean probability of the right class falls by {LEAST:g} or more for no class."
        else:
            words = (
                f"{said}: class {self.classes[worst]} loses most. The mean probability of the right class fell from "
                f"{self.before.sure[worst]:.3f} to {self.after.sure[worst]:.3f}, over its "
                f"{int(self.after.count[worst])} images in the sample."
            )
        if not self.right and self.guess == self.favourite:
            words += (
                f" Most of this channel's best patches are of class {self.classes[self.guess]}: what excites a channel "
                "most need not be what depends on it most."
            )
        return words

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
