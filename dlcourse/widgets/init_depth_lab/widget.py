"""The lab in the notebook."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from dlcourse.widgets.base import BaseWidget
from dlcourse.widgets.bundle import bundle, styles
from dlcourse.widgets.init_depth_lab.engine import InitDepthLabEngine
from dlcourse.widgets.init_depth_lab.picture import picture

HERE = Path(__file__).parent


class InitDepthLab(BaseWidget):
    """A deep network on one batch of digits, before training and in its first steps: what becomes of the signal on its
    way up and of the gradient on its way down, layer by layer.

    `InitDepthLab(depth=20, activation="relu", init="xavier")`; parameters, each also an attribute that a cell may set:
    depth (1 to 50 hidden layers of 64 units), activation ("relu", "tanh", "sigmoid", "linear"), init ("zeros",
    "constant", "small_normal", "large_normal", "xavier", "he", "orthogonal"), gain (multiplies the initial weights),
    norm ("none", "batch", "layer"), seed, lr, layer (the one shown large), show ("size", "shape").
    Or your own: `InitDepthLab(model=nn.Sequential(...), X=x, y=y)`, of which the lab takes a copy.

    `w.step()`, `w.back()` and `w.scrub(step)` train and go back; `w.ask()` hides all until a guess. `w.engine.measured`
    holds the numbers. `hide=("table", "seed")` leaves out controls, buttons or `parts` of the view.

    >>> lab = InitDepthLab(depth=10, activation="relu", init="he")
    >>> round(lab.engine.predicted_factor, 6)
    1.0
    """

    engine_class = InitDepthLabEngine
    picture = staticmethod(picture)
    title = "Depth lab"
    parts = ("panels", "layer_detail", "loss", "explanation", "table", "predict")
    _esm, _css = bundle(HERE / "init_depth_lab.js"), styles(HERE / "init_depth_lab.css")

    def __init__(self, *, hide: Iterable[str] = (), **given: Any):
        super().__init__(hide=hide, **given)
        self.hide = [*self.hide, *(name for name in self.engine.own.fixed if name not in self.hide)]

    def load(self, text: str) -> None:
        """Take over what a share string holds, in place. ValueError leaves everything as it was."""
        if self.engine.own:
            raise ValueError(
                "this lab holds a model or data of your own, which would be lost. Load the string into another: "
                "InitDepthLab.from_share(text)."
            )
        super().load(text)

    def back(self, n: int = 1) -> None:
        """n steps back, at most to the beginning."""
        self._change(lambda: self.engine.back(n))

    def scrub(self, step: int) -> None:
        """To any step that this run has been at, exactly as it was."""
        self._change(lambda: self.engine.scrub(step))

    def ask(self, of: str = "activations") -> None:
        """Hide what is measured until a guess; of: "activations" or "gradient"."""
        self._change(lambda: self.engine.ask(of))

    def guess(self, option: int) -> None:
        """Answer the open question: 0 for more than 10 times smaller, 1 for within a factor of 10, 2 for larger."""
        self._change(lambda: self.engine.guess(option))

    def to_code(self) -> str:
        """A program on torch and dlcourse that prints the standard deviations of every layer."""
        with self.guard:
            return self.engine.to_code()
