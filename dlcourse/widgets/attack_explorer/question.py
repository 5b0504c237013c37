"""Predict before you see: after how many steps does the attack have what it wants?"""

from dataclasses import dataclass
from typing import Any

from dlcourse.widgets.attack_explorer.run import Run

NEVER = "not at all"


@dataclass
class Question:
    """About one network, under the attack that is set."""

    name: str
    run: Run
    target: str | None  # the name of the target's class
    guess: int | None = None

    @property
    def ranges(self) -> list[tuple[int, int]]:
        """(from, to) for each answer but the last, which is `NEVER`."""
        most = self.run.plan.steps
        return [(low, min(high, most)) for low, high in ((0, 0), (1, 1), (2, 3), (4, most)) if low <= most]

    @property
    def options(self) -> list[str]:
        named = {(0, 0): "at the start", (1, 1): "after 1 step"}
        return [named.get(each) or f"after {_span(*each)} steps" for each in self.ranges] + [NEVER]

    @property
    def text(self) -> str:
        wanted = "wrong" if self.target is None else f"saying {self.target}"
        steps = self.run.plan.steps
        return f"{steps} step{'s' * (steps > 1)} will be taken. When is {self.name} first {wanted}?"

    @property
    def answer(self) -> int:
        after = self.run.fooled_after
        if after is None:
            return len(self.ranges)
        return next(i for i, (low, high) in enumerate(self.ranges) if low <= after <= high)

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
        after, wanted = self.run.fooled_after, "wrong" if self.target is None else f"says {self.target}"
        if after is None:
            truth = (
                f"{self.name} is not {wanted} after any step" if self.target is None else f"{self.name} never {wanted}"
            )
            return f"{said}: {truth}. That is one attack; a stronger one may find more."
        verb = "is wrong" if self.target is None else wanted
        where = "at the start, before the first step" if after == 0 else f"after step {after}"
        kept = all(self.run.reached(self.run.iterates)[after:])
        return f"{said}: {self.name} {verb} {where}{'' if kept else ', though not after every later one'}."

    def header(self) -> dict[str, Any]:
        asked = self.guess is None
        return {
            "state": self.state,
            "name": self.name,
            "text": self.text,
            "options": self.options,
            "guess": self.guess,
            "answer": None if asked else self.answer,
            "right": None if asked else self.right,
            "verdict": self.verdict(),
        }


def _span(low: int, high: int) -> str:
    return str(low) if low == high else f"{low} to {high}"
