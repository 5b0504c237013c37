"""Predict before you see: how much larger or smaller is the signal, or the gradient, at the far end of the network?"""

import math
from dataclasses import dataclass
from typing import Any

from dlcourse.widgets.init_depth_lab.probe import Measured

OPTIONS = ("more than 10 times smaller", "within a factor of 10", "more than 10 times larger")
TEXTS = {
    "activations": "Compared with layer 1, the standard deviation of the activations of layer {depth} is ...",
    "gradient": "Compared with layer {depth}, the standard deviation of the gradient that arrives at layer 1 is ...",
}


@dataclass
class Question:
    """of: "activations" or "gradient". ratio: far end to near end, once answered; infinite where the far end is too
    large for float32, None where there is nothing to compare."""

    of: str
    guess: int | None = None
    ratio: float | None = None

    @property
    def state(self) -> str:
        return "asked" if self.guess is None else "revealed"

    @property
    def answer(self) -> int | None:
        """The index of the true option.

        >>> Question("gradient", guess=0, ratio=0.2).answer
        1
        """
        if self.ratio is None:
            return None
        return 0 if self.ratio < 0.1 else 1 if self.ratio <= 10 else 2

    @property
    def right(self) -> bool | None:
        return None if self.answer is None else self.answer == self.guess

    def text(self, depth: int) -> str:
        return TEXTS[self.of].format(depth=depth)

    def header(self, depth: int) -> dict[str, Any]:
        facts = {name: getattr(self, name) for name in ("of", "state", "guess", "answer", "right", "ratio")}
        facts["ratio"] = self.ratio if self.ratio is None or math.isfinite(self.ratio) else None
        return facts | {"text": self.text(depth), "options": list(OPTIONS)}


def ratio(measured: Measured, of: str) -> float | None:
    """How the far end compares with the near one. None where the near one is 0 or not finite."""
    sizes = measured.std.tolist() if of == "activations" else measured.grad_std.tolist()[::-1]
    near, far = sizes[0], sizes[-1]
    if not near > 0:
        return None
    return math.inf if math.isnan(far) else far / near
