"""The playground's engine: what may be set, what a learner may do, and what a view gets to see.

Some settings act at once, on the run as it goes: learning rate, optimiser, batch size, penalty, activation. The others
(points, features, layers, seed) begin a new run at step 0. Nothing here draws from torch's global random stream.
"""

from typing import Any, ClassVar

import torch

from dlcourse.widgets.params import Choice, Number, Several, Whole, Widths, whole
from dlcourse.widgets.playground import frame, words
from dlcourse.widgets.playground.code import program
from dlcourse.widgets.playground.network import ACTIVATIONS, OPTIMIZERS, PENALTIES, linears
from dlcourse.widgets.playground.own import Own
from dlcourse.widgets.playground.problem import CALLS, FEATURES, checked_points, own_problem, problem
from dlcourse.widgets.playground.question import Question
from dlcourse.widgets.playground.run import LIVE, Run
from dlcourse.widgets.playground.share import WEIGHT, place, replayed
from dlcourse.widgets.runs.engine import RunEngine
from dlcourse.widgets.runs.strokes import Strokes, after
from dlcourse.widgets.snapshot import Snapshot

PARAMS = {
    "data": Choice(label="Data", default="moons", options=(*CALLS, "drawn"), help="Which points; 'drawn': only yours."),
    "noise": Number(label="Noise", default=0.1, low=0.0, high=0.5, help="How far points stray from their place."),
    "train": Whole(label="Training points", default=100, low=10, high=200, help="200 more points are for the test."),
    "features": Several(
        label="Inputs", default=("x1", "x2"), options=tuple(FEATURES), help="What the network sees of each point."
    ),
    "layers": Widths(label="Hidden layers", default=(4, 2), most=4, high=8, help="Units in each hidden layer."),
    "activation": Choice(
        label="Activation", default="tanh", options=tuple(ACTIVATIONS), help="The bend after each hidden layer."
    ),
    "optimizer": Choice(
        label="Optimiser", default="adam", options=tuple(OPTIMIZERS), help="How a gradient becomes a step."
    ),
    "lr": Number(label="Learning rate", default=0.03, low=1e-4, high=10.0, log=True, help="How far a step goes."),
    "batch_size": Whole(
        label="Batch size", default=16, low=1, high=200, help="Points per step; more than there are means all."
    ),
    "regularisation": Choice(
        label="Penalty", default="none", options=("none", *PENALTIES), help="What large weights cost; biases are free."
    ),
    "strength": Number(
        label="Strength", default=0.001, low=1e-5, high=1.0, log=True, zero=True, help="How much the penalty counts."
    ),
    "seed": Whole(label="Seed", default=0, low=0, high=9999, help="Other points, weights and order for each seed."),
}


class PlaygroundEngine(RunEngine):
    """Train a small network on points of the plane, watch it, and go back in time.

    values: parameters by name (see `params`), with the meanings of their `help`.
    model: your own `torch.nn.Module` from (n, 2) to one logit per point, (n,) or (n, 1), or two, (n, 2), instead of
    the playground's network. It is trained in place: look at its weights in a cell. (Changes that you make to it there
    are not part of the run: going back loses them.)
    optimizer: a name, or your own optimiser of that model. X, y: your own points, (n, 2), and their labels 0 or 1; 30 %
    are held out as test points. Raises ValueError for what does not fit, and for a parameter that has no meaning then.

    >>> engine = PlaygroundEngine(data="circles", layers=(4,), lr=0.1)
    >>> engine.step(3)
    >>> engine.back()
    >>> engine.snapshot().header["run"]
    {'step': 2, 'first': 0, 'last': 3, 'running': True}
    """

    name = "playground"
    params = PARAMS
    actions = RunEngine.actions | {"set_weight", "set_bias"}
    replayed = staticmethod(replayed)
    cannot_share = "model, optimiser or data"
    catch_up: ClassVar = 4

    def __init__(
        self,
        *,
        model: torch.nn.Module | None = None,
        optimizer: torch.optim.Optimizer | str | None = None,
        X: Any = None,  # noqa: N803 (the name that everybody uses)
        y: Any = None,
        **values: Any,
    ) -> None:
        if isinstance(optimizer, str):
            values, optimizer = values | {"optimizer": optimizer}, None
        super().__init__(**values)
        self.own = Own.checked(model, optimizer, X, y)
        self.own.refuse(frozenset(values) - {"seed"})
        self._begin(())

    # What the learner changes.

    def changed(self, names: frozenset[str]) -> None:
        self.own.refuse(names)
        if names <= LIVE:
            self._change("set", {name: self.values[name] for name in self.params if name in names})
        else:
            self._begin(self.run.drawn)

    def add_points(self, points: list) -> None:
        """[[x1, x2, label], ...] more training points, inside the field. Raises ValueError beyond 500 in all."""
        fresh = checked_points(points, self.run.problem.extent)
        after(self.run.drawn, ("points", fresh))
        self._change("points", [list(point) for point in fresh])

    def set_weight(self, layer: int, unit: int, input: int, value: float) -> None:
        """Set one weight by hand, from -10 to 10; layer 0 is the first linear layer."""
        where = place(self._widths(layer), 0, unit, input)[1:]
        self._change("weight", layer, *where, WEIGHT.check("value", value))

    def set_bias(self, layer: int, unit: int, value: float) -> None:
        """Set one bias by hand, from -10 to 10."""
        unit = place(self._widths(layer), 0, unit)[1]
        if linears(self.run.model)[layer].bias is None:
            raise ValueError(f"layer {layer} of this model has no bias.")
        self._change("bias", layer, unit, WEIGHT.check("value", value))

    # Predict before you see.

    def ask(self, steps: int = 300) -> None:
        """Begin a question: what share of the points will be right `steps` steps from here? Until it is answered, the
        snapshot shows the present step only. A change of any kind, or going back, drops the question."""
        steps = whole("steps", steps, 1, 5000)
        self.forget()
        if not self.run.running:
            raise ValueError("the run does not go on from here, so there is nothing to predict.")
        of = "test" if len(self.run.problem.test_y) else "training"
        self.question = Question(asked_at=self.run.at, steps=steps, of=of, frozen=self._frozen())

    # What is seen and said.

    def snapshot(self) -> Snapshot:
        """What a view draws.

        header (a number that is absent or not finite is None):
            run          {"step", "first", "last", "running"}: first is 0, last the furthest step reached
            say          "Step 120, train loss 0.31, test loss 0.35"
            notice       None, or a sentence or two: why the run does not go on, or goes on in vain
            extent       [left, right, bottom, top] of the field
            features     ids of the inputs in use, such as ["x1", "x2", "sin(x1)"]
            architecture [2, 4, 2, 1]: inputs, units of each hidden layer, output (empty for an own model
                         whose Linears are no chain)
            layers       one for each Linear, the output layer too: {"inputs": 2, "units": 4, "grad_norm": 0.12 or None,
                         "dead": 0 (None where it cannot be known), "dead_word": "dead" or "saturated"}
            maps         [2, 4, 2]: how many of `maps` belong to the inputs, then to each hidden layer, in order
            losses       {"train", "test", "train_accuracy", "test_accuracy"}; accuracies in [0, 1]
            points       {"train": 100, "test": 200, "drawn": 0}; the drawn ones are among the training points
            own          whether the model or the points are the learner's
            kept         None, or {"step", "train", "test", "settings"} of the run kept by `fork` (run A)
            prediction   None, or {"state": "asked" / "running" / "revealed", "asked_at", "steps", "target",
                         "of": "test" / "training", "options": [three texts], "guess": 0..2 or None, "answer": 0..2 or
                         None, "accuracy": float or None, "right": bool or None (the run ended before the target),
                         "answered_at": step or None, "asked_count", "right_count"}

        arrays:
            field        uint8 (100, 100): probability of class 1, 0..254 for 0..1, row 0 at the bottom
            maps         uint8 (units, 25, 25): the inputs, then the hidden units layer by layer; 127 is zero, each
                         scaled by its own largest size
            weights      float32 (n,): for each layer the weight (out, in) row by row, then the bias (out); empty for an
                         own model of more than 512 numbers
            train_points float32 (n, 3): x1, x2, label; the drawn ones last (at most 700, the last ones)
            test_points  float32 (n, 3): the same (at most 200)
            curve        float32 (k, 3): step, train loss, test loss; up to the last step reached; NaN where absent
            kept_field, kept_curve: the same of the kept run; only there after `fork`

        From `ask` to the revealing step everything but run, say, notice and prediction is as it was at the asking step.
        While a question is "asked", the run waits for `guess` (or `forget`): running is False.
        """
        if self._secret:
            return self._veiled(words.notice(self.run, told=False))
        measured = self.run.measured()
        self.run.note_tip(measured)
        arrays = frame.arrays(self.run)
        header = frame.header(self.run, measured) | {
            "run": self._where(),
            "own": bool(self.own),
            "kept": None,
            "prediction": self._prediction(),
        }
        if self.kept is not None:
            header["kept"], theirs = frame.kept(self.kept)
            arrays |= theirs
        return Snapshot(header, arrays)

    def describe(self) -> str:
        measured = self.run.measured()
        return words.describe(self.run, measured, self.kept, self.question, self.own.points is not None)

    def to_code(self) -> str:
        """A torch program that makes this run, changes by hand included, and prints the same losses."""
        own_lr = None if self.own.optimizer is None else self.own.lr
        return program(self.run, own_points=self.own.points is not None, own_lr=own_lr)

    # Inside.

    def _begin(self, drawn: Strokes) -> None:
        own = self.own
        points = problem(self.values) if own.points is None else own_problem(*own.points, self.values["seed"])
        if own.optimizer is not None:
            self.values["lr"] = own.lr
        self.run = Run(points, self.values, drawn, model=own.model, optimizer=own.optimizer, initial=own.initial)
        self.forget()

    def _widths(self, layer: Any) -> tuple[int, int]:
        """Inputs and units of a linear layer. Raises ValueError when there is no such layer."""
        layers = linears(self.run.model)
        if not layers:
            raise ValueError("this model has no torch.nn.Linear whose weights could be set.")
        chosen = layers[whole("layer", layer, 0, len(layers) - 1)]
        return chosen.in_features, chosen.out_features
