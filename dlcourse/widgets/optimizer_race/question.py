"""Predict before you see: which racer arrives first? A guess, and the answer when one has."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dlcourse.widgets.optimizer_race.race import Race
from dlcourse.widgets.snapshot import Snapshot

STEPS = 500  # in which somebody should arrive
NOBODY = "nobody"


@dataclass
class Question:
    """Of the racers from the first start, who arrives first? `frozen` is all that may be seen until then."""

    racers: tuple[str, ...]  # by id; the last option is nobody
    names: tuple[str, ...]
    frozen: Snapshot
    several: bool = False  # starts
    guess: int | None = None
    answered_at: int | None = None
    answer: tuple[int, ...] = ()  # the options that are true: several may arrive at the same step

    @property
    def text(self) -> str:
        return f"Which one arrives first{' from start 1' if self.several else ''}, within {STEPS} steps?"

    @property
    def options(self) -> list[str]:
        return [*self.names, NOBODY]

    @property
    def state(self) -> str:
        if self.answered_at is not None:
            return "revealed"
        return "asked" if self.guess is None else "running"

    @property
    def right(self) -> bool:
        return self.guess in self.answer

    def look(self, race: Race) -> bool:
        """Whether the race has just come to the answer."""
        if self.state != "running":
            return False
        arrived = race.now.arrived[[race.names.index(name) for name in self.racers], 0]
        far = race.now.far[[race.names.index(name) for name in self.racers], 0]
        if (arrived >= 0).any():
            first = arrived[arrived >= 0].min()
            self.answer = tuple(int(index) for index in (arrived == first).nonzero()[0])
        elif race.at >= STEPS or (far >= 0).all():
            self.answer = (len(self.racers),)
        else:
            return False
        self.answered_at = race.at
        return True

    def verdict(self, steps: Sequence[int]) -> str:
        """The answer in words; steps: at which each racer arrived, -1 for not."""
        true = " and ".join(self.options[index] for index in self.answer)
        said = "You were right" if self.right else f"You said {self.options[self.guess]}"
        if self.answer == (len(self.racers),):
            return f"{said}: nobody had arrived by step {self.answered_at}."
        return f"{said}: {true} came in at step {max(steps)} and stayed."

    def header(self) -> dict[str, Any]:
        return {
            "state": self.state,
            "text": self.text,
            "options": self.options,
            "guess": self.guess,
            "answer": list(self.answer),
            "answered_at": self.answered_at,
            "right": self.right if self.answered_at is not None else None,
        }
