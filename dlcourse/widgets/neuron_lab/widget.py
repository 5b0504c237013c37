"""The neuron lab in the notebook."""

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from dlcourse.widgets.base import BaseWidget
from dlcourse.widgets.bundle import bundle, styles
from dlcourse.widgets.engine import Engine
from dlcourse.widgets.neuron_lab.engine import NeuronLabEngine
from dlcourse.widgets.neuron_lab.picture import picture
from dlcourse.widgets.runner import Runner, Tick

HERE = Path(__file__).parent


class Paced:
    """Play that can be followed: with the pace "slow" three steps a second, else as `Tick` goes."""

    def __init__(self, every: float = 1 / 3, clock: Callable[[], float] = time.perf_counter):
        self.every, self.clock, self.due = every, clock, -float("inf")

    def advance(self, engine: Engine, at_most: int) -> int:
        if engine.values["pace"] != "slow":
            return Tick(clock=self.clock).advance(engine, at_most)
        if self.clock() < self.due or not engine.running:
            return 0
        engine.step()
        self.due = self.clock() + self.every
        return 1


class NeuronLab(BaseWidget):
    """One neuron with two inputs, to move by hand and to train: the map of its answers, its line, its arrow of weights.

    `NeuronLab(data="xor")`: "and", "or", "xor", "clouds", "overlap" or "moons" (`seed` draws other points), or your own
    points, `NeuronLab(X=x, y=y)`: shapes (points, 2) and (points,), labels 0 and 1 or -1 and +1, at most 500.
    `weight1`, `weight2`, `bias` are the neuron; `output` is what the map shows ("step", "sigmoid"); `rule` is what play
    repeats ("perceptron", "gradient" with the learning rate `lr`), at the `pace` "slow" or "fast".
    All of them can be set from a cell too. `hide=("rules", "lr")` leaves out controls, or `parts` of the view.

    >>> lab = NeuronLab(data="xor", weight1=1, weight2=1, bias=-0.5)
    >>> lab.engine.errors
    1
    """

    engine_class = NeuronLabEngine
    picture = staticmethod(picture)
    title = "Neuron lab"
    parts = ("numbers", "points", "rules", "perceptron", "descend", "louder", "zeros", "score", "equation")
    _esm, _css = bundle(HERE / "neuron_lab.js"), styles(HERE / "neuron_lab.css")

    def __init__(self, *, hide: Iterable[str] = (), runner: Runner | None = None, **given: Any):
        # Steps per frame mean nothing here: `pace` is in their place.
        hide = [hide] if isinstance(hide, str) else hide
        super().__init__(hide=["speed", *hide], runner=runner or Paced(), **given)

    def load(self, text: str) -> None:
        """Take over what a share string holds, in place. ValueError leaves everything as it was."""
        if self.engine.own is not None:
            raise ValueError(
                "this lab holds points of your own, which would be lost. Load the string into another: "
                "NeuronLab.from_share(text)."
            )
        super().load(text)
