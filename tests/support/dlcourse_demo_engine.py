"""The smallest engine that has everything the base offers: a counter that fills a square, for tests."""

from typing import ClassVar

import numpy as np

from dlcourse.widgets.engine import Engine
from dlcourse.widgets.params import Choice, Flag, Number, Several, Whole, Widths
from dlcourse.widgets.snapshot import Snapshot


class DemoEngine(Engine):
    """Counts, and remembers nothing else."""

    name = "demo"
    params: ClassVar = {
        "level": Number(label="Level", help="How bright the square is.", default=0.5, low=0, high=1),
        "rate": Number(label="Rate", default=0.03, low=1e-4, high=10, log=True),
        "strength": Number(label="Strength", default=0.0, low=1e-5, high=1, log=True, zero=True),
        "count": Whole(label="Count", default=10, low=1, high=100),
        "seed": Whole(label="Seed", default=0, low=0, high=9999),
        "shape": Choice(label="Shape", default="plain", options=("plain", "checked")),
        "marks": Several(label="Marks", default=("a",), options=("a", "b")),
        "grid": Flag(label="Grid", default=False),
        "layers": Widths(label="Layers", default=(4, 2), most=4, high=8),
    }
    actions = frozenset({"back", "scrub", "fail", "to_code"})

    def __init__(self, **values):
        super().__init__(**values)
        self.reset()

    def reset(self):
        self.count = self.last = 0

    def step(self, n=1):
        self.count += n
        self.last = max(self.last, self.count)

    @property
    def running(self):
        return True

    def back(self, n=1):
        self.scrub(self.count - n)

    def scrub(self, step):
        if not 0 <= step <= self.last:
            raise ValueError(f"step {step} is not recorded: 0 to {self.last} are.")
        self.count = step

    def fail(self):
        raise RuntimeError("this engine failed on purpose")

    def to_code(self):
        return f"print({self.count})"

    def snapshot(self):
        square = np.full((20, 20), round(254 * self.values["level"]), np.uint8)
        square[self.count // 20 % 20, self.count % 20] = 254 - square[0, 0]
        run = {"step": self.count, "first": 0, "last": self.last, "running": True}
        return Snapshot({"run": run, "say": self.describe()}, {"field": square})

    def describe(self):
        return f"Step {self.count} at level {self.values['level']:g}."

    def state(self):
        return {**super().state(), "count": self.count}

    def restore(self, state):
        super().restore(state)
        self.count = self.last = int(state["count"])
