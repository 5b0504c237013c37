"""The lab's engine: what may be set, what a learner may do, and what a view gets to see.

Nothing is trained until a step is asked for. `lr` may change on the way; every other setting begins anew at step 0.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np
import torch

from dlcourse.types import Tensor
from dlcourse.widgets.engine import Engine
from dlcourse.widgets.init_depth_lab import words
from dlcourse.widgets.init_depth_lab.code import program
from dlcourse.widgets.init_depth_lab.distributions import BARS, BINS, Bars, Ridges, bars, ridges
from dlcourse.widgets.init_depth_lab.network import ACTIVATIONS, INITS, NORMS, network
from dlcourse.widgets.init_depth_lab.own import Own, watched
from dlcourse.widgets.init_depth_lab.probe import Measured, measure, per_layer
from dlcourse.widgets.init_depth_lab.question import OPTIONS, TEXTS, Question, ratio
from dlcourse.widgets.init_depth_lab.run import Run
from dlcourse.widgets.init_depth_lab.theory import Theory, theory
from dlcourse.widgets.params import Choice, Number, Whole, whole
from dlcourse.widgets.snapshot import Snapshot

LIVE = frozenset({"lr", "layer", "show"})
SHARED = 10_000  # layers times steps that a share string may ask for: some seconds of replay
COLUMNS = (  # of the array `layers`
    *("std", "grad_std", "predicted_std", "predicted_grad_std"),
    *("factor", "grad_factor", "between", "silent", "mean", "zeros"),
)


class InitDepthLabEngine(Engine):
    """A deep network on one batch of digits, layer by layer: activations on the way up, gradients on the way down.

    values: parameters by name (see `params`), with the meanings of their `help`. Each hidden layer has 64 units.
    model: your own `nn.Sequential` of Linear layers, norms and elementwise activations; the lab works on a copy.
    X, y: your own batch, (n, features) as it is and (n,) class numbers, instead of the digits. Raises ValueError for
    what does not fit, and for a parameter that has no meaning beside your own model.

    >>> lab = InitDepthLabEngine(depth=20, activation="relu", init="xavier")
    >>> round(lab.predicted_factor, 6)  # of the mean square, for each layer
    0.5
    >>> 0.4 < lab.factor < 0.6
    True
    """

    name = "init-depth-lab"
    params: ClassVar = {
        "depth": Whole(label="Hidden layers", default=20, low=1, high=50, help="Each has 64 units."),
        "activation": Choice(
            label="Activation", default="relu", options=(*ACTIVATIONS,), help="The bend after each hidden layer."
        ),
        "init": Choice(
            label="Weights",
            default="xavier",
            options=(*INITS,),
            help="At the start. small and large normal: standard deviation 0.01 and 1. constant: all equal.",
        ),
        "gain": Number(
            label="Gain", default=1.0, low=0.25, high=8.0, log=True, digits=3, help="Multiplies all initial weights."
        ),
        "norm": Choice(
            label="Norm",
            default="none",
            options=(*NORMS,),
            help="Between linear layer and activation.",
        ),
        "seed": Whole(label="Seed", default=0, low=0, high=9999, help="Other initial weights for each seed."),
        "lr": Number(
            label="Learning rate", default=0.1, low=1e-4, high=10.0, log=True, help="How far a step goes; whole batch."
        ),
        "layer": Whole(label="Layer shown large", default=10, low=1, high=50, help="More than there are: the last."),
        "show": Choice(
            label="Axis",
            default="size",
            options=("size", "shape"),
            help="size: the logarithm of |value|. shape: each layer in units of its own size.",
        ),
    }
    actions = frozenset({"back", "scrub", "ask", "guess", "forget", "to_code"})

    def __init__(
        self,
        *,
        model: torch.nn.Module | None = None,
        X: Any = None,  # noqa: N803 (the name that everybody uses)
        y: Any = None,
        **values: Any,
    ) -> None:
        super().__init__(**values)
        self.own = Own(model, X, y)
        self.own.refuse(frozenset(values))
        self.question: Question | None = None
        self.asked_count = self.right_count = 0
        self._begin()

    # The run, forwards and backwards.

    @property
    def hidden(self) -> bool:
        """Whether an open question hides what there is to see."""
        return self.question is not None and self.question.state == "asked"

    @property
    def running(self) -> bool:
        return self.run.running and not self.hidden

    def step(self, n: int = 1) -> None:
        """At most n steps of gradient descent on the whole batch: fewer when a loss or a gradient is not finite."""
        for _ in range(whole("n", n, 0, 1_000_000)):
            if not self.running:
                return
            self.run.step(self.values["lr"])
            self._agree()

    def reset(self) -> None:
        """Back to step 0 with the settings as they are; what came later, and a question, is forgotten."""
        self._begin()
        self.forget()

    def back(self, n: int = 1) -> None:
        """n steps back, at most to the beginning."""
        self.scrub(max(0, self.run.at - whole("n", n, 1, 1_000_000)))

    def scrub(self, step: int) -> None:
        """To any step that this run has been at, exactly as it was. What came later stays known until the learning rate
        is changed. Raises ValueError for a step beyond."""
        self.run.scrub(whole("step", step, 0, self.run.last))
        self._agree()

    def changed(self, names: frozenset[str]) -> None:
        self.own.refuse(names)
        if not names <= LIVE:
            self._begin()
            if not self.hidden:
                self.forget()
        elif "lr" in names:
            self.run.cut()
        self.values["layer"] = min(self.values["layer"], self.values["depth"])

    # Predict before you see.

    def ask(self, of: str = "activations") -> None:
        """Hide everything that is measured until a guess: how does the standard deviation of the last layer's
        activations compare with the first layer's, or (of="gradient") that of the gradient at the first with the last?
        Settings may be changed meanwhile. The question is about the start, so the run goes back to step 0."""
        if not isinstance(of, str) or of not in TEXTS:
            raise ValueError(f"of={of!r}: wanted one of {', '.join(map(repr, TEXTS))}.")
        self._begin()
        self.question = Question(of)

    def guess(self, option: int) -> None:
        """Commit to one of the three options, 0 to 2, and see."""
        if not self.hidden:
            raise ValueError("there is no open question; ask first.")
        self.question.guess = whole("option", option, 0, len(OPTIONS) - 1)
        self.question.ratio = ratio(self.measured, self.question.of)
        if self.question.right is not None:
            self.asked_count += 1
            self.right_count += self.question.right

    def forget(self) -> None:
        """Drop the question, answered or not."""
        self.question = None

    # What is measured.

    @property
    def measured(self) -> Measured:
        """Of the present weights, layer by layer."""
        return self._once("measured", lambda: measure(self.run.seen, self.run.layers))

    @property
    def factor(self) -> float | None:
        """By what a layer multiplies the mean square of the activations: the geometric mean from the input to the last
        layer, or to the last whose numbers float32 can hold. None if there is none."""
        return per_layer(self._input, self.measured.mean_square)[0]

    @property
    def predicted_factor(self) -> float | None:
        """The same, over the same layers, by `theory` for the start. None where there is no theory."""
        if self.theory is None:
            return None
        count = per_layer(self._input, self.measured.mean_square)[1] or self.depth
        return per_layer(self._input, self.theory.mean_square[:count])[0] if self._input > 0 else None

    @property
    def grad_factor(self) -> float | None:
        """By what a layer multiplies the mean square of the gradient on its way back: the geometric mean from the last
        layer to the first, or to the last one down whose numbers float32 can hold. None with fewer than two layers."""
        back = self.measured.grad_mean_square.flip(0)
        return per_layer(back[0].item(), back[1:])[0]

    @property
    def predicted_grad_factor(self) -> float | None:
        if self.theory is None or self.depth < 2:
            return None
        back = self.measured.grad_mean_square.flip(0)
        count = per_layer(back[0].item(), back[1:])[1] or self.depth - 1
        factors = self.theory.grad_factor.flip(0)[:count]
        return math.exp(factors.log().mean().item()) if (factors > 0).all() else 0.0

    @property
    def depth(self) -> int:
        """Hidden layers."""
        return len(self.run.layers)

    # What is seen and said.

    def snapshot(self) -> Snapshot:
        """What a view draws.

        header (a number that is absent or not finite is None):
            run          {"step", "first", "last", "running"}
            say          "Step 0, loss 2.303; ..."
            notice       None, or why no step can be taken
            hidden       whether a question hides everything measured; then the arrays have no layers
            explanation  what happens and why, a list of sentences
            layers       how many; layer: the one shown large, from 1
            columns      names of the columns of the array `layers`
            axes         {"show", "values": [low, high], "gradient": [low, high]} of the rows
            silent       what the column "silent" counts: "dead units", "saturated outputs", "dead or saturated", None
            detail       {"values", "gradient"}: each {"low", "high" (None: not finite), "zeros", "std"} of the bars
            loss         {"now", "start", "equal", "accuracy"}; equal: log C, what equal probabilities cost
            question     None, or {"of", "state": "asked" / "revealed", "text", "options", "guess", "answer", "right",
                         "ratio", "asked_count", "right_count"}
            own          whether the model is the learner's

        arrays:
            values, gradient   uint8 (layers, 61): see `distributions.Ridges`
            layers             float32 (layers, columns). std, grad_std, their predictions, factor, grad_factor and
                               between are log10 of the number: -inf is 0, NaN is none. factor: the mean square's, from
                               the layer below; grad_factor: from the layer above. silent and zeros: shares.
            bars, grad_bars    float32 (41,): shares of the picked layer's numbers, exact zeros left out
            losses             float32 (steps + 1,)
        """
        header = {
            "run": {"step": self.run.at, "first": 0, "last": self.run.last, "running": self.running},
            "say": words.say(self),
            "notice": None if self.hidden else words.notice(self),
            "hidden": self.hidden,
            "layers": self.depth,
            "layer": self.layer,
            "columns": list(COLUMNS),
            "silent": words.silent(self.run.layers),
            "question": self._asked(),
            "own": self.own.model is not None,
        }
        if self.hidden:
            nothing = {"explanation": [], "axes": None, "detail": None, "loss": None}
            return Snapshot(header | nothing, {name: np.zeros(0, np.float32) for name in ("layers", "losses")})
        shown, large = self._rows(), self._bars()
        header |= {
            "explanation": words.explanation(self),
            "axes": {"show": self.values["show"], **{name: [it.low, it.high] for name, it in shown.items()}},
            "detail": {
                name: {"low": it.low, "high": it.high, "zeros": it.zeros, "std": _known(std[self.layer - 1])}
                for (name, it), std in zip(large.items(), (self.measured.std, self.measured.grad_std), strict=True)
            },
            "loss": {
                "now": _known(self.measured.loss),
                "start": _known(self.run.losses[0]),
                "equal": math.log(self.own.batch.classes),
                "accuracy": self.measured.accuracy,
            },
        }
        arrays = {name: it.rows for name, it in shown.items()} | {
            "layers": self._table(),
            "bars": large["values"].shares,
            "grad_bars": large["gradient"].shares,
            "losses": torch.tensor(self.run.losses, dtype=torch.float32, device="cpu"),
        }
        return Snapshot(header, arrays)

    def describe(self) -> str:
        return words.describe(self)

    def to_code(self) -> str:
        """A program on torch and dlcourse that prints the standard deviations of every layer at the present step."""
        return program(self)

    # To share.

    def share(self) -> str:
        """A string from which `from_share` computes the same state. Raises ValueError for own models and data, which a
        string cannot hold, and for runs that are long to replay."""
        return super().share()

    def state(self) -> dict[str, Any]:
        if self.own:
            raise ValueError(
                "a share string holds settings, not your own model or data. Share the code that makes them."
            )
        if self.run.last * self.depth > SHARED:
            raise ValueError(
                f"this run has {self.run.last} steps through {self.depth} layers; at most {SHARED // self.depth} can "
                "be shared, for whoever opens it computes them anew. Reset, or go back and change the learning rate."
            )
        return {"params": dict(self.values), "rates": list(self.run.rates), "step": self.run.at}

    def restore(self, state: Mapping[str, Any]) -> None:
        rates, step = state["rates"], state["step"]
        values = self._checked(state["params"])
        if not isinstance(rates, list) or len(rates) * values.get("depth", 50) > SHARED:
            raise ValueError("this share string is damaged (its learning rates are no list, or too many).")
        rates = [self.params["lr"].check("lr", rate) for rate in rates]
        self.set(**values)
        self._begin()
        for rate in rates:
            self.run.step(rate)
        if self.run.last < len(rates):
            raise ValueError("this share string does not fit this edition: its run ends early here.")
        self.run.scrub(whole("step", step, 0, self.run.last))

    # Inside.

    @property
    def layer(self) -> int:
        return min(self.values["layer"], self.depth)

    def _begin(self) -> None:
        """The network as it is before the first step."""
        own = self.own
        model = network(self.values, own.batch) if own.model is None else own.fresh()
        run = Run(model, watched(model), own.batch)
        self.run, self._of, self._kept = run, None, {}
        self._input = own.batch.x.double().square().mean().item()
        self.theory: Theory | None = None if own.model is not None else theory(self.values, own.batch)
        if own.model is not None:
            self.values["depth"] = self.depth
        self.values["layer"] = self.layer
        self._grad_anchor = self.measured.grad_std[-1].item()

    def _agree(self) -> None:
        """The learning rate is that of the step which came next, or at the end of the run of the last one."""
        if self.run.rates:
            self.values = self.values | {"lr": self.run.rates[min(self.run.at, self.run.last - 1)]}

    def _rows(self) -> dict[str, Ridges]:
        show, seen, measured = self.values["show"], self.run.seen, self.measured
        return self._once(
            ("rows", show),
            lambda: {
                "values": ridges(seen.values, measured.mean_square, torch.cat([measured.std, measured.between]), show),
                "gradient": ridges(seen.gradients, measured.grad_mean_square, measured.grad_std, show),
            },
        )

    def _bars(self) -> dict[str, Bars]:
        seen, layer = self.run.seen, self.layer - 1
        return self._once(
            ("bars", layer),
            lambda: {"values": bars(seen.values[layer]), "gradient": bars(seen.gradients[layer])},
        )

    def _once(self, what: Any, compute: Callable[[], Any]) -> Any:
        """What has been computed of the present pass, or else compute it."""
        if self._of is not self.run.seen:
            self._of, self._kept = self.run.seen, {}
        if what not in self._kept:
            self._kept[what] = compute()
        return self._kept[what]

    def _table(self) -> Tensor:
        """(layers, columns), as `snapshot` says."""
        measured, theory = self.measured, self.theory
        nan = torch.full_like(measured.std, math.nan)
        below = torch.cat([measured.mean.new_tensor([self._input]), measured.mean_square[:-1]])
        above = torch.cat([measured.grad_mean_square[1:], measured.mean.new_tensor([math.nan])])
        logs = [
            measured.std,
            measured.grad_std,
            nan if theory is None else theory.std,
            nan if theory is None else self._predicted_grad_std(),
            measured.mean_square / below,
            measured.grad_mean_square / above,
            measured.between,
        ]
        rest = [measured.silent, measured.mean, measured.zeros]
        return torch.stack([*(column.log10() for column in logs), *rest], dim=1).float()

    def _predicted_grad_std(self) -> Tensor:
        """From what is measured at the last layer before the first step, downwards by the theory's factors."""
        factors = self.theory.grad_factor[1:].flip(0).cumprod(0)
        return self._grad_anchor * torch.cat([factors.new_ones(1), factors]).sqrt().flip(0)

    def _asked(self) -> dict[str, Any] | None:
        counts = {"asked_count": self.asked_count, "right_count": self.right_count}
        return None if self.question is None else self.question.header(self.depth) | counts


def _known(number: Any) -> float | None:
    return float(number) if math.isfinite(number) else None


__all__ = ["BARS", "BINS", "COLUMNS", "InitDepthLabEngine"]
