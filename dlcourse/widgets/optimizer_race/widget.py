"""The optimiser race in a notebook."""

from pathlib import Path
from typing import Any

import traitlets

from dlcourse.widgets.base import BaseWidget
from dlcourse.widgets.bundle import bundle, styles
from dlcourse.widgets.optimizer_race.engine import OptimizerRaceEngine
from dlcourse.widgets.optimizer_race.picture import picture

HERE = Path(__file__).parent


class OptimizerRace(BaseWidget):
    """Several optimisers go down one surface from the same start: who arrives first, who diverges, and why?

    Parameters, each also an attribute that a cell may set while they race: surface, condition, turn, racers, lr,
    momentum, beta2, weight_decay, noise, seed, and factor_NAME, by which the learning rate of one racer is multiplied
    (`OptimizerRaceEngine.params` has the ranges). starts: [(x, y), ...], one to four.
    Or your own: surface, a function f(x, y) of two tensors with extent=(left, right, bottom, top), and rule, a function
    (place, gradient, state, step, lr) to (place, state).
    hide: controls, buttons and parts that are not shown: any parameter, "play", "step", "back", "reset", "scrub",
    "speed", "code", "share", "map", "starts", "losses", "table", "factors", "predict", "story".

        race = OptimizerRace(surface="valley", racers=("sgd", "adam"), lr=0.02)
        race                 # shows it
        race.lr = 0.1        # the slider moves
        race.step(100)
        print(race.to_code())
    """

    engine_class = OptimizerRaceEngine
    picture = staticmethod(picture)
    title = "Optimiser race"
    parts = ("map", "starts", "losses", "table", "factors", "predict", "story")
    speed = traitlets.Int(1, min=1, max=1000).tag(sync=True)  # a race is over in a hundred steps or two
    _esm, _css = bundle(HERE / "optimizer_race.js"), styles(HERE / "optimizer_race.css")

    def load(self, text: str) -> None:
        """Take over what a share string holds, in place. ValueError leaves everything as it was."""
        if self.engine.own is not None or "own" in self.engine.known:
            raise ValueError(
                "this race has a surface or a rule of your own, which would be lost. Load the string into another: "
                "OptimizerRace.from_share(text)."
            )
        super().load(text)

    def step(self, n: int = 1) -> None:
        """n steps on, also past the one where play would pause because all have arrived."""
        self._change(lambda: self.engine.step(n))

    def back(self, n: int = 1) -> None:
        """n steps back, at most to the beginning."""
        self._change(lambda: self.engine.back(n))

    def scrub(self, step: int) -> None:
        """To any step that this race has been at, exactly as it was."""
        self._change(lambda: self.engine.scrub(step))

    def drop(self, x: float, y: float) -> None:
        """A start more; all begin anew."""
        self._change(lambda: self.engine.drop(x, y))

    def rows(self) -> list[dict[str, Any]]:
        """Where each racer is: name, start, place, loss, distance to the nearest minimum, state."""
        with self.guard:
            return self.engine.rows()

    def to_code(self) -> str:
        """A program with `dlcourse.optim` that makes this race and prints the same places."""
        with self.guard:
            return self.engine.to_code()
