"""One run: a network on its way, and the way back.

A step takes the next batch of the epoch's shuffled points and goes down the gradient once.
The order of epoch e comes from a generator seeded with (seed, e); nothing draws from torch's global stream.
"""

import copy
import math
from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any, ClassVar

import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from dlcourse.seeding import generator
from dlcourse.types import Tensor
from dlcourse.widgets.playground import network as net
from dlcourse.widgets.playground.history import CURVE, MOST, Measured
from dlcourse.widgets.playground.problem import Problem, features, with_drawn
from dlcourse.widgets.runs.history import MEMORY, Change, History, Record, copied
from dlcourse.widgets.runs.own import watched
from dlcourse.widgets.runs.run import Replayable
from dlcourse.widgets.runs.strokes import Strokes, after

LIVE = frozenset({"lr", "optimizer", "batch_size", "regularisation", "strength", "activation"})


class Run(Replayable):
    """values: every parameter of the engine at step 0; drawn: the learner's points at step 0.

    model: the learner's own, or None; optimizer: their own, or None. `initial` is what their objects held at step 0.
    """

    events: ClassVar = frozenset({"weight", "bias"})

    def __init__(
        self,
        problem: Problem,
        values: Mapping[str, Any],
        drawn: Strokes = (),
        *,
        stride: int = 1,
        model: torch.nn.Module | None = None,
        optimizer: torch.optim.Optimizer | None = None,
        initial: tuple[Any, Any] | None = None,
    ) -> None:
        self.problem, self.values, self.drawn = problem, dict(values), drawn
        self.own, self.own_optimizer = model is not None, optimizer is not None
        if model is None:
            widths = (len(values["features"]), *values["layers"], 1)
            model = net.network(widths, values["activation"], generator(values["seed"]))
        elif initial is not None:
            model.load_state_dict(copied(initial[0]))
        self.model = model
        self.optimizer = optimizer if optimizer is not None else self._new_optimizer()
        if optimizer is not None and initial is not None:
            optimizer.load_state_dict(copied(initial[1]))
        self.at, self.epoch, self.diverged = 0, -1, None
        self.rest = torch.zeros(0, dtype=torch.long, device="cpu")  # of the epoch's order: what is still to come
        self.saved_norms: tuple[float, ...] | None = None
        self.saved_measured: Measured | None = None  # where the run is now
        self.history = History(dict(self.values), drawn, CURVE, self._affordable(), stride)
        self._load_points()
        self._record()

    # One step.

    @property
    def running(self) -> bool:
        return self.diverged is None and len(self.y) > 0

    def step(self) -> None:
        """One step of gradient descent on one batch. Nothing happens when the run cannot go on."""
        if not self.running:
            return
        epoch, rest = self.epoch, self.rest
        if len(rest) == 0:
            epoch += 1
            order = generator(self.values["seed"] * 1_000_003 + epoch)
            rest = torch.randperm(len(self.y), generator=order, device="cpu")
        batch, rest = rest[: self.values["batch_size"]], rest[self.values["batch_size"] :]
        loss = self._descend(batch)
        self.at, self.epoch, self.rest, self.saved_norms = self.at + 1, epoch, rest, None
        if not (math.isfinite(loss) and self._finite()):
            self.diverged = self.at
        self._arrive()

    def _descend(self, batch: Tensor) -> float:
        self.saved_measured = None
        with self._watched(training=True, seed=self.values["seed"] * 1_000_003 + self.at):
            logits = net.one_logit(self.model(self.inputs[batch]))
            loss = binary_cross_entropy_with_logits(logits, self.y[batch])
            loss = loss + net.penalty(self.model, self.values["regularisation"], self.values["strength"])
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
        return loss.item()

    # The changes on the way.

    def _apply(self, change: Change) -> None:
        kind, *arguments = change
        self.saved_measured = None
        if kind in ("points", "undo", "clear"):
            self._draw(after(self.drawn, change))
        else:
            getattr(self, f"_apply_{kind}")(*arguments)

    def _apply_set(self, values: Mapping[str, Any]) -> None:
        self.values = self.values | values  # a new one: the history holds the old
        if "activation" in values:
            net.bend(self.model, values["activation"])
        if "optimizer" in values:
            self.optimizer = self._new_optimizer()
        elif "lr" in values:
            for group in self.optimizer.param_groups:
                group["lr"] = values["lr"]

    def _apply_weight(self, layer: int, unit: int, source: int, value: float) -> None:
        with torch.no_grad():
            net.linears(self.model)[layer].weight[unit, source] = value

    def _apply_bias(self, layer: int, unit: int, value: float) -> None:
        with torch.no_grad():
            net.linears(self.model)[layer].bias[unit] = value

    def _draw(self, drawn: Strokes) -> None:
        self.drawn, self.rest = drawn, self.rest[:0]  # other points, so a new epoch begins
        self._load_points()

    def _load_points(self) -> None:
        chosen = ("x1", "x2") if self.own else self.values["features"]
        self.x, self.y = with_drawn(self.problem, self.drawn)
        self.inputs, self.test_inputs = features(self.x, chosen), features(self.problem.test_x, chosen)

    def _new_optimizer(self) -> torch.optim.Optimizer:
        return net.OPTIMIZERS[self.values["optimizer"]](self.model.parameters(), lr=self.values["lr"])

    def _finite(self) -> bool:
        return all(math.isfinite(parameter.detach().sum()) for parameter in self.model.parameters())

    def _watched(self, **how: Any) -> Any:
        return watched(self.model, **how) if self.own else nullcontext()

    # Back in time.

    def _affordable(self) -> int:
        size = sum(parameter.numel() * parameter.element_size() for parameter in self.model.parameters())
        return max(4, min(MOST, MEMORY // size))

    def _saved(self) -> dict[str, Any]:
        return {
            "model": copied(self.model.state_dict()),
            "optimizer": copied(self.optimizer.state_dict()),
            "values": dict(self.values),
            **{name: getattr(self, name) for name in ("epoch", "rest", "drawn", "diverged", "norms")},
        }

    def _restore(self, record: Record) -> None:
        saved, self.saved_measured = record.saved, None
        if not self.own and saved["values"]["activation"] != self.values["activation"]:
            net.bend(self.model, saved["values"]["activation"])
        self.at, self.values = record.step, dict(saved["values"])
        if not self.own_optimizer:
            self.optimizer = self._new_optimizer()
        self.model.load_state_dict(copied(saved["model"]))
        self.optimizer.load_state_dict(copied(saved["optimizer"]))
        self.epoch, self.rest, self.diverged = saved["epoch"], saved["rest"], saved["diverged"]
        self.saved_norms, self.drawn = saved["norms"], saved["drawn"]
        self._load_points()

    def copy(self) -> "Run":
        """The same run once more, with a network and an optimiser of its own."""
        twin = copy.copy(self)
        twin.model, twin.optimizer = copy.deepcopy((self.model, self.optimizer))
        twin.values, twin.history, twin.saved_norms = dict(self.values), self.history.copy(), self.norms
        return twin

    # What can be measured.

    def measured(self) -> Measured:
        """Loss and accuracy on all training and all test points."""
        if self.saved_measured is None or self.own:  # their own model may have been changed in a cell meanwhile
            self.saved_measured = self._measure()
        return self.saved_measured

    @torch.no_grad()
    def _measure(self) -> Measured:
        with self._watched():
            logits, self.hidden = net.walk(self.model, self.inputs)
            test = net.walk(self.model, self.test_inputs)[0]
        return Measured(*_scores(logits, self.y), *_scores(test, self.problem.test_y))

    @property
    def norms(self) -> tuple[float, ...] | None:
        """The size of the last step's gradient, layer by layer (weight and bias together); None before the first."""
        if self.saved_norms is None and self.at > 0:
            self.saved_norms = tuple(_norm(layer) for layer in net.linears(self.model))
        return self.saved_norms

    def idle(self, layer: int) -> tuple[int, str]:
        """How many units of a hidden layer no longer react to any training point, as last measured, and the word."""
        before, after, activation = self.hidden[layer]
        return net.idle(before, after, activation), "saturated" if net.saturates(activation) else "dead"

    @torch.no_grad()
    def probabilities(self, inputs: Tensor) -> tuple[Tensor, list[Tensor]]:
        """For each row the probability of class 1, and the activations of the hidden layers."""
        with self._watched():
            logits, hidden = net.walk(self.model, inputs, tall=not self.own)
        return logits.sigmoid(), [after for _, after, _ in hidden]


def _scores(logits: Tensor, y: Tensor) -> tuple[float | None, float | None]:
    if len(y) == 0:
        return None, None
    loss = binary_cross_entropy_with_logits(logits, y).item()
    if math.isnan(loss):
        return None, None  # no logit, no answer: neither right nor wrong
    return (loss if math.isfinite(loss) else None), ((logits > 0) == (y > 0.5)).float().mean().item()


def _norm(layer: torch.nn.Linear) -> float:
    grads = [parameter.grad for parameter in layer.parameters() if parameter.grad is not None]
    return math.sqrt(sum(grad.square().sum().item() for grad in grads))
