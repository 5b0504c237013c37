"""The playground in a notebook."""

from collections.abc import Iterable
from pathlib import Path

from dlcourse.widgets.bundle import bundle, styles
from dlcourse.widgets.playground.engine import PlaygroundEngine
from dlcourse.widgets.playground.picture import picture
from dlcourse.widgets.runs.base import RunWidget

HERE = Path(__file__).parent


class Playground(RunWidget):
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
    would_lose = "this playground holds a model or points"
    parts = ("network", "weight", "draw", "curve", "layer_table", "fork", "predict")
    _esm, _css = bundle(HERE / "playground.js"), styles(HERE / "playground.css")

    def add_points(self, points: Iterable) -> None:
        """[[x1, x2, label], ...] more training points."""
        self._change(lambda: self.engine.add_points([list(point) for point in points]))

    def set_weight(self, layer: int, unit: int, input: int, value: float) -> None:
        """Set one weight by hand, from -10 to 10; layer 0 is the first."""
        self._change(lambda: self.engine.set_weight(layer, unit, input, value))

    def set_bias(self, layer: int, unit: int, value: float) -> None:
        """Set one bias by hand, from -10 to 10."""
        self._change(lambda: self.engine.set_bias(layer, unit, value))
