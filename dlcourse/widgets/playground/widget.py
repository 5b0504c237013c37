"""The playground in a notebook."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from dlcourse.widgets.base import BaseWidget
from dlcourse.widgets.bundle import bundle, styles
from dlcourse.widgets.playground.engine import PlaygroundEngine
from dlcourse.widgets.playground.picture import picture

HERE = Path(__file__).parent


class Playground(BaseWidget):
    """Train a small network on points of the plane: watch it, change it, draw points, go back in time, compare runs.

    Parameters, each also an attribute that a cell may set while it trains: data, noise, train, features, layers,
    activation, optimizer, lr, batch_size, regularisation, strength, seed (`PlaygroundEngine.params` has the ranges).
    Or your own: model (a `torch.nn.Module` from (n, 2) to one logit each), optimizer, X (n, 2) and y (n,) of 0 and 1.
    Of an optimizer with several groups `lr` shows the first one's rate; setting it sets all.
    hide: controls, buttons and parts that are not shown: any parameter, "play", "step", "back", "reset", "scrub",
    "speed", "code", "share", "network", "weight", "draw", "curve", "layer_table", "fork", "predict".

        w = Playground(data="circles", layers=(4,), hide=("noise", "seed"))
        w               # shows it
        w.lr = 0.1      # the slider moves
        w.step(100)
        print(w.to_code())
    """

    engine_class = PlaygroundEngine
    picture = staticmethod(picture)
    title = "Playground"
    parts = ("network", "weight", "draw", "curve", "layer_table", "fork", "predict")
    _esm, _css = bundle(HERE / "playground.js"), styles(HERE / "playground.css")

    def __init__(self, *, hide: Iterable[str] = (), **given: Any):
        super().__init__(hide=hide, **given)
        self.hide = [*self.hide, *(name for name in self.engine.own.fixed if name not in self.hide)]

    def load(self, text: str) -> None:
        """Take over what a share string holds, in place. ValueError leaves everything as it was."""
        if self.engine.own:
            raise ValueError(
                "this playground holds a model or points of your own, which would be lost. Load the string into "
                "another: Playground.from_share(text)."
            )
        super().load(text)

    def back(self, n: int = 1) -> None:
        """n steps back, at most to the beginning."""
        self._change(lambda: self.engine.back(n))

    def scrub(self, step: int) -> None:
        """To any step that this run has been at, exactly as it was."""
        self._change(lambda: self.engine.scrub(step))

    def add_points(self, points: Iterable) -> None:
        """[[x1, x2, label], ...] more training points."""
        self._change(lambda: self.engine.add_points([list(point) for point in points]))

    def clear_points(self) -> None:
        """Take back all drawn points."""
        self._change(self.engine.clear_points)

    def set_weight(self, layer: int, unit: int, input: int, value: float) -> None:
        """Set one weight by hand, from -10 to 10; layer 0 is the first."""
        self._change(lambda: self.engine.set_weight(layer, unit, input, value))

    def set_bias(self, layer: int, unit: int, value: float) -> None:
        """Set one bias by hand, from -10 to 10."""
        self._change(lambda: self.engine.set_bias(layer, unit, value))

    def fork(self) -> None:
        """Keep a copy of the run as it is, to compare with what comes."""
        self._change(self.engine.fork)

    def unfork(self) -> None:
        """Drop the kept run."""
        self._change(self.engine.unfork)

    def to_code(self) -> str:
        """A torch program that makes this run and prints the same losses."""
        with self.guard:
            return self.engine.to_code()
