"""The playground's engine: what may be set, what a learner may do, and what a view gets to see.

Some settings act at once, on the run as it goes: learning rate, optimiser, batch size, penalty, activation. The others
(points, features, layers, seed) begin a new run at step 0. Nothing here draws from torch's global random stream.
"""

from collections.abc import Mapping
from typing import Any

import torch

from dlcourse.widgets.engine import Engine
from dlcourse.widgets.params import Choice, Number, Several, Whole, Widths, whole
from dlcourse.widgets.playground import frame, words
from dlcourse.widgets.playground.code import program
from dlcourse.widgets.playground.network import ACTIVATIONS, OPTIMIZERS, PENALTIES, linears
from dlcourse.widgets.playground.own import Own
from dlcourse.widgets.playground.problem import CALLS, FEATURES, Batches, checked_points, own_problem, problem
from dlcourse.widgets.playground.question import OPTIONS, Question
from dlcourse.widgets.playground.run import LIVE, Run
from dlcourse.widgets.playground.share import WEIGHT, after, packed, place, replayed
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


class PlaygroundEngine(Engine):
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
    actions = frozenset(
        {
            *("back", "scrub", "add_points", "undo_points", "clear_points", "set_weight", "set_bias"),
            *("fork", "unfork", "ask", "guess", "forget", "to_code"),
        }
    )

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
        self.kept: Run | None = None
        self.question: Question | None = None
        self.asked_count = self.right_count = 0
        self._begin(())

    # The run, forwards and backwards.

    @property
    def running(self) -> bool:
        return self.run.running and not (self.question is not None and self.question.state == "asked")

    @property
    def pauses(self) -> bool:
        """At the step where an answer is revealed."""
        question = self.question
        return question is not None and question.answered_at == self.run.at

    def step(self, n: int = 1) -> None:
        """At most n steps: less when the run cannot go on, or when an answer is revealed on the way."""
        for _ in range(whole("n", n, 0, 1_000_000)):
            if not self.running:
                return
            self.run.step()
            self._agree()  # walking on through what has been, past changes come again
            self._take_along()
            if self._reveal():
                return

    def reset(self) -> None:
        """Back to step 0 with the settings and the drawn points as they are; changes made on the way are forgotten."""
        self._begin(self.run.drawn)

    def back(self, n: int = 1) -> None:
        """n steps back, at most to the beginning."""
        self.scrub(max(0, self.run.at - whole("n", n, 1, 1_000_000_000)))

    def scrub(self, step: int) -> None:
        """To any step that this run has been at, exactly as it was, its settings included. What came later stays known
        until something is changed. Raises ValueError for a step beyond."""
        self.forget()
        self.run.scrub(whole("step", step, 0, self.run.history.last))
        self._agree()

    def fork(self) -> None:
        """Keep a copy of the run as it is (run A); what is changed from now on changes only the present one.
        Raises ValueError while a question is open: the copy would tell."""
        self._no_secret()
        self.kept = self.run.copy()

    def unfork(self) -> None:
        """Drop the kept run."""
        self._no_secret()
        self.kept = None

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

    def undo_points(self) -> None:
        """Take back what the last `add_points` added."""
        if self.run.drawn:
            self._change("undo")

    def clear_points(self) -> None:
        """Take back all drawn points."""
        if self.run.drawn:
            self._change("clear")

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
        shown = self.snapshot()
        curve = shown.arrays["curve"]
        frozen = Snapshot(shown.header, {**shown.arrays, "curve": curve[curve[:, 0] <= self.run.at]})
        of = "test" if len(self.run.problem.test_y) else "training"
        self.question = Question(self.run.at, steps, of, frozen)

    def guess(self, option: int) -> None:
        """Commit to one of the three options, 0 to 2; then step."""
        if self.question is None or self.question.state != "asked":
            raise ValueError("there is no open question; ask first.")
        self.question.guess = whole("option", option, 0, len(OPTIONS) - 1)

    def forget(self) -> None:
        """Drop the question, answered or not."""
        self.question = None

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
        if self.question is not None and self.question.state != "revealed":
            frozen = self.question.frozen
            open_ = {"run": self._where(), "say": self._waiting(), "notice": words.notice(self.run, told=False)}
            return Snapshot({**frozen.header, **open_, "prediction": self._prediction()}, frozen.arrays)
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

    # To share a run.

    def share(self) -> str:
        """A string from which `from_share` replays the run exactly. Raises ValueError for own models and points, which
        a string cannot hold, and for very long runs."""
        return super().share()

    def state(self) -> dict[str, Any]:
        if self.own:
            raise ValueError(
                "a share string holds settings and drawn points, not your own model, optimiser or data. "
                "Share the code that makes them."
            )
        return {"run": packed(self.run), "kept": None if self.kept is None else packed(self.kept)}

    def restore(self, state: Mapping[str, Any]) -> None:
        run = replayed(state.get("run"), self.params)
        kept = None if state.get("kept") is None else replayed(state["kept"], self.params)
        self.own, self.run, self.kept = Own(), run, kept
        self.forget()
        self._agree()

    # Inside.

    def _begin(self, drawn: Batches) -> None:
        """A new run at step 0."""
        own = self.own
        points = problem(self.values) if own.points is None else own_problem(*own.points, self.values["seed"])
        if own.optimizer is not None:
            self.values["lr"] = own.lr
        self.run = Run(points, self.values, drawn, model=own.model, optimizer=own.optimizer, initial=own.initial)
        self.forget()

    def _change(self, *change: Any) -> None:
        self.run.change(change)
        self.forget()

    def _agree(self) -> None:
        """The settings are those of the run at its present step."""
        self.values = dict(self.run.values)

    def _take_along(self) -> None:
        """The kept run follows when it is behind, a few steps at a time so that nothing waits for it."""
        for _ in range(4):
            if self.kept is not None and self.kept.at < self.run.at:
                self.kept.step()

    def _reveal(self) -> bool:
        """Answer the question when its step has come; whether that was now."""
        question = self.question
        if question is None or question.state != "running":
            return False
        if self.run.at < question.target and self.run.running:
            return False
        measured = self.run.measured()
        question.answered_at = self.run.at
        question.accuracy = measured.test_accuracy if question.of == "test" else measured.train_accuracy
        if question.right is not None:
            self.asked_count += 1
            self.right_count += question.right
        return True

    def _no_secret(self) -> None:
        """What a question hides, a kept run would show."""
        if self.question is not None and self.question.state != "revealed":
            raise ValueError("a question is open: answer it or cancel it first.")

    def _where(self) -> dict[str, Any]:
        return {"step": self.run.at, "first": 0, "last": self.run.history.last, "running": self.running}

    def _waiting(self) -> str:
        if self.question.state == "asked":
            return f"Step {self.run.at}. {self.question.text}"
        return f"Step {self.run.at}, the answer comes at step {self.question.target}"

    def _prediction(self) -> dict[str, Any] | None:
        counts = {"asked_count": self.asked_count, "right_count": self.right_count}
        return None if self.question is None else self.question.header() | counts

    def _widths(self, layer: Any) -> tuple[int, int]:
        """Inputs and units of a linear layer. Raises ValueError when there is no such layer."""
        layers = linears(self.run.model)
        if not layers:
            raise ValueError("this model has no torch.nn.Linear whose weights could be set.")
        chosen = layers[whole("layer", layer, 0, len(layers) - 1)]
        return chosen.in_features, chosen.out_features
