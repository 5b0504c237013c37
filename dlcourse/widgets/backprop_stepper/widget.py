"""The stepper in the notebook."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from dlcourse.widgets.backprop_stepper.engine import BackpropStepperEngine
from dlcourse.widgets.backprop_stepper.picture import picture
from dlcourse.widgets.base import BaseWidget
from dlcourse.widgets.bundle import bundle, styles
from dlcourse.widgets.runner import Paced, Runner

HERE = Path(__file__).parent


class BackpropStepper(BaseWidget):
    """Backpropagation, one node at a time: values forward, gradients backward, and a guess before each step back.

    `BackpropStepper("(a * b + c).tanh()", a=2, b=-3, c=10)`: an expression with + - * / **, parentheses and exp, log,
    sqrt, tanh, sigmoid, relu, also in steps, "h = tanh(w * x); h * h + h"; or `BackpropStepper(example="two_units")`,
    one of "neuron", "squared_error", "diamond", "shared_result", "two_units", "softmax_cross_entropy", "tensors".
    `guessing=True` asks for the next gradient before each step back; `pace` is "slow" or "fast", for play.

    All of it can be set from a cell too: `w.expression = "a / b"`, `w.set(a=2, b=4)`. `w.step()`, `w.back()` and
    `w.scrub(step)` move, `w.engine.gradients` are the finished ones. `hide=("table", "example")` leaves out controls
    or `parts` of the view.

    >>> stepper = BackpropStepper("a * b + a", a=2, b=-3)
    >>> stepper.step(5)
    >>> stepper.engine.gradients
    {'a': -2.0, 'b': 2.0}
    """

    engine_class = BackpropStepperEngine
    picture = staticmethod(picture)
    title = "Backprop stepper"
    parts = ("graph", "explanation", "table")
    _esm, _css = bundle(HERE / "backprop_stepper.js"), styles(HERE / "backprop_stepper.css")

    def __init__(
        self, expression: str | None = None, *, hide: Iterable[str] = (), runner: Runner | None = None, **given: Any
    ):
        # Steps per frame mean nothing here: `pace` is in their place.
        hide = [hide] if isinstance(hide, str) else hide
        if expression is not None:
            given["expression"] = expression
        super().__init__(hide=["speed", *hide], runner=runner or Paced(), **given)

    def back(self, n: int = 1) -> None:
        """n steps back, at most to the start."""
        self._change(lambda: self.engine.back(n))

    def scrub(self, step: int) -> None:
        """To any step of this run."""
        self._change(lambda: self.engine.scrub(step))

    def guess(self, number: float) -> str:
        """Answer the question that is asked: what the widget says to it. A right guess takes the step."""
        return self._change(lambda: self.engine.guess(number))["text"]

    def to_code(self) -> str:
        """A program on `dlcourse.autograd` that computes the same numbers."""
        with self.guard:
            return self.engine.to_code()
