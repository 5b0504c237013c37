"""Predict before you see: when the last layer has lost what it learned, which map hardly notices?"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dlcourse.widgets.feature_map_explorer.words import number
from dlcourse.widgets.saliency_explorer.methods import METHODS

# Some of each family: slopes, slopes times pixels, the crisp ones, those that only ask.
FAVOURITES = ("saliency", "guided_backprop", "grad_cam", "occlusion", "lrp", "smoothgrad", "shapley")
OPTIONS = 4


@dataclass
class Question:
    """correlations: of each map with its own first one, signs included, after the layer was drawn anew.

    nan where a map is constant: it is no option.
    """

    layer: str
    correlations: Mapping[str, float]
    guess: int | None = None

    @property
    def names(self) -> list[str]:
        return [name for name in FAVOURITES if math.isfinite(self.correlations.get(name, math.nan))][:OPTIONS]

    @property
    def options(self) -> list[str]:
        return [METHODS[name].title for name in self.names]

    @property
    def text(self) -> str:
        return (
            f"Layer {self.layer}, the last, will be drawn anew. Which of these maps changes least, by its signed rank "
            "correlation?"
        )

    @property
    def answer(self) -> int:
        """The option that changes least; of equal ones the one that was guessed."""
        values = [self.correlations[name] for name in self.names]
        guessed = self.guess is not None and values[self.guess] == max(values)
        return self.guess if guessed else values.index(max(values))

    @property
    def state(self) -> str:
        return "asked" if self.guess is None else "revealed"

    @property
    def right(self) -> bool:
        return self.guess == self.answer

    def verdict(self) -> str:
        """The answer in words; "" while it is open."""
        if self.guess is None:
            return ""
        said = "You were right" if self.right else f"You said {self.options[self.guess]}"
        each = ", ".join(
            f"{title} {number(round(self.correlations[name], 2))}"
            for name, title in zip(self.names, self.options, strict=True)
        )
        return f"{said}: {self.options[self.answer]} changes least. Signed rank correlations: {each}."

    def header(self) -> dict[str, Any]:
        asked = self.guess is None
        return {
            "state": self.state,
            "text": self.text,
            "options": self.options,
            "guess": self.guess,
            "answer": None if asked else self.answer,
            "right": None if asked else self.right,
            "verdict": self.verdict(),
        }
