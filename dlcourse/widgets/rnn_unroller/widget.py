"""The unroller in the notebook."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from dlcourse.types import Float, Tensor
from dlcourse.widgets.base import BaseWidget
from dlcourse.widgets.bundle import bundle, styles
from dlcourse.widgets.engine import Engine
from dlcourse.widgets.rnn_unroller.engine import RNNUnrollerEngine
from dlcourse.widgets.rnn_unroller.picture import picture
from dlcourse.widgets.runner import Paced, Runner

HERE = Path(__file__).parent


class RNNUnroller(BaseWidget):
    """A recurrent network reads a text, one step for each character: the states it passes through, the gates behind
    each step, and how much of a gradient gets back through time from the last state.

    `RNNUnroller(cell="lstm", start="chrono", text="she put the key under the mat")`; parameters, each also an attribute
    that a cell may set: text (1 to 120 characters), cell ("rnn", "lstm", "gru"), units (1 to 32), radius and activation
    ("tanh", "none") of an RNN, start ("usual", "forget_bias", "chrono") of the gates with bias and longest, seed, cut
    (after this step no gradient gets back; 0: no cut), unit (the one written out), pace ("slow", "fast").

    Or your own: `RNNUnroller(cell=nn.LSTM(...))`, a cell or layer of dlcourse.nn or torch.nn, with `embedding=` and
    `vocabulary=` where there are some; `RNNUnroller(model=model, vocabulary=vocabulary)`, a trained models.CharRNN,
    then also with what it expects next; `RNNUnroller(cell=layer, x=x)`, inputs (time, features). It takes copies.

    `w.step()`, `w.back()` and `w.scrub(step)` move along the text. `w.states`, `w.memory`, `w.flow` and `w.step_parts`
    are what is shown. `hide=("map", "strip")` leaves out controls, buttons or `parts` of the view, and of the still
    picture.
    Steps count from 1, units from 0.

    >>> w = RNNUnroller(text="abba", radius=0.5, activation="none", cut=2)
    >>> w.flow.shape, w.flow[:2].tolist(), w.flow[3].item()
    (torch.Size([4]), [0.0, 0.0], 1.0)
    """

    engine_class = RNNUnrollerEngine
    picture = staticmethod(picture)
    title = "RNN unroller"
    parts = ("text_line", "states_panel", "strip", "step_panel", "map", "explanation", "next")
    _esm, _css = bundle(HERE / "rnn_unroller.js"), styles(HERE / "rnn_unroller.css")

    def __init__(
        self,
        cell: Any = None,
        *,
        hide: Iterable[str] = (),
        engine: Engine | None = None,
        runner: Runner | None = None,
        **given: Any,
    ):
        """Raises ValueError for a parameter out of range, and for something of your own that does not fit."""
        own = {} if cell is None else {"cell": cell}
        # Steps per frame mean nothing here: `pace` is in their place.
        hide = ["speed", *([hide] if isinstance(hide, str) else hide)]
        super().__init__(hide=hide, engine=engine, runner=runner or Paced(0.8, 0.2), **own, **given)
        self.hide = [*self.hide, *(name for name in self.engine.own.fixed if name not in self.hide)]

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict, dict]:
        """As every widget's; the still picture leaves out what is hidden."""
        self.engine.unseen = frozenset(self.hide)
        return super()._repr_mimebundle_(**kwargs)

    def load(self, text: str) -> None:
        """Take over what a share string holds, in place. ValueError leaves everything as it was."""
        if self.engine.own:
            raise ValueError(
                "this unroller holds a cell or inputs of your own, which would be lost. Load the string into another: "
                "RNNUnroller.from_share(text)."
            )
        super().load(text)

    def back(self, n: int = 1) -> None:
        """n steps back, at most to the first."""
        self._change(lambda: self.engine.back(n))

    def scrub(self, step: int) -> None:
        """To any step, from 1."""
        self._change(lambda: self.engine.scrub(step))

    @property
    def states(self) -> Float[Tensor, "time hidden"]:
        """h_1 to h_T."""
        with self.guard:
            return self.engine.hidden.clone()

    @property
    def memory(self) -> Float[Tensor, "time hidden"] | None:
        """c_1 to c_T of an LSTM; None for the others."""
        with self.guard:
            return None if self.engine.memory is None else self.engine.memory.clone()

    @property
    def flow(self) -> Float[Tensor, " time"]:
        """|d h_T / d state_t| for t = 1 to T; 0 up to the cut."""
        with self.guard:
            return self.engine.flow

    @property
    def step_parts(self) -> dict[str, Float[Tensor, " hidden"]]:
        """What the chosen step is made of, by name: for an LSTM i, f, g, o, "c before", c and h."""
        with self.guard:
            return self.engine.parts

    def to_code(self) -> str:
        """A program on torch and dlcourse that prints the gradient flow."""
        with self.guard:
            return self.engine.to_code()
