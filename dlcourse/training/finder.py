"""Which learning rate? Try them all in one short run: raise it after every update, and watch where the loss falls.

    lr_i = low * (high / low)^(i / (steps - 1))        smooth_i = average of the losses so far, the recent ones most

Far too small a rate changes nothing, a good one lets the loss fall, one that is too high lets it explode. (Smith, 2017,
"Cyclical learning rates", arXiv:1506.01186, section 3.3, raises it linearly; the exponential and the smoothing became
usual with fastai.) The suggestion is the rate at which the smooth loss falls most steeply per decade. It is a place to
start from and no more: by then the weights are no longer the first ones, a long run bears less than a short one, and
momentum, batch size and weight decay all move it.
"""

import copy
import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, islice

import torch

from dlcourse.training.loop import ONCE, Diverged, train_steps
from dlcourse.training.streams import Streams
from dlcourse.types import Tensor

MEMORY = 0.9  # weight of the past in the smooth loss: it looks back over about ten updates
SPAN = 10  # updates over which the fall is measured
EXPLODED = 4.0  # times the lowest smooth loss so far (above 0); the run is given up there


@dataclass(frozen=True)
class LrFinderStep:
    """One update of the sweep."""

    index: int
    lr: float
    loss: float  # of its batch, before the update
    smooth: float  # averaged over this and the losses before it


@dataclass(frozen=True)
class LrFinder:
    """A finished sweep, up to the rate at which the loss exploded."""

    lrs: tuple[float, ...]
    losses: tuple[float, ...]
    smooth: tuple[float, ...]

    @property
    def suggestion(self) -> float:
        """The rate in the middle of the ten updates over which the smooth loss falls most, before its lowest point.

        The rates are spaced evenly in their logarithm, so that is the steepest fall per decade; over a single update
        it would be noise. ValueError when nothing fell.
        """
        lowest = min(range(len(self.smooth)), key=self.smooth.__getitem__)
        if lowest == 0:
            raise ValueError(
                f"The loss never fell between the rates {self.lrs[0]:.3g} and {self.lrs[-1]:.3g}. Begin lower, or "
                "ask training.diagnose what else is wrong."
            )
        span = min(SPAN, lowest)
        falls = [self.smooth[i] - self.smooth[i + span] for i in range(lowest - span + 1)]
        return self.lrs[falls.index(max(falls)) + span // 2]


def lr_finder_steps(
    model: torch.nn.Module,
    batches: Iterable,
    loss: Callable[[Tensor, Tensor], Tensor],
    optimizer: torch.optim.Optimizer,
    *,
    low: float = 1e-6,
    high: float = 10.0,
    steps: int = 100,
) -> Iterator[LrFinderStep]:
    """Train at rates that rise from `low` to `high` in equal ratios, `steps` updates of them, or until it explodes.

    All groups of the optimizer follow, in the ratio of their rates; `lr` is that of the first. Exploded means a smooth
    loss above four times the lowest so far (below 0: one that has risen by three times as much as it had fallen from
    the start, or from 0 if that is more), or one that is not finite. When the sweep ends, or is given up, the model,
    its modes and gradients, the optimizer and its parameters and the random streams are put back as they were: those
    streams that `train` finds. Errors as `train_steps`, Diverged too for a batch that itself is not finite, and
    ValueError unless 0 < low < high, there are at least two steps, and the rate of the first group is above 0.
    """
    if not 0 < low < high < math.inf or steps < 2:
        raise ValueError(f"low={low}, high={high}, steps={steps}: wanted 0 < low < high, and at least two steps.")
    if isinstance(batches, Iterator):
        raise ValueError(ONCE.format(kind=type(batches).__name__, why="the sweep is a look before the training itself"))
    if not optimizer.param_groups[0]["lr"] > 0:
        raise ValueError(
            "The optimizer's first group has a rate of 0, and the others follow in the ratio to it: raise it."
        )
    sweep = [low * (high / low) ** (index / (steps - 1)) for index in range(steps)]
    average, lowest, top = 0.0, math.inf, 0.0
    with _put_back(model, batches, optimizer):
        rates = [group["lr"] for group in optimizer.param_groups]
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate / rates[0]  # so that the schedule's factor is the rate of the first group
        updates = train_steps(model, batches, loss, optimizer, epochs=steps, schedule=sweep.__getitem__)
        try:
            for step in islice(updates, steps):
                average = MEMORY * average + (1 - MEMORY) * step.loss
                smooth = average / (1 - MEMORY ** (step.index + 1))  # the average begins at 0: so much of it is missing
                yield LrFinderStep(step.index, step.lr, step.loss, smooth)
                lowest, top = min(lowest, smooth), top if step.index else max(0.0, smooth)
                depth = lowest if lowest > 0 else top - lowest
                if smooth > lowest + (EXPLODED - 1) * depth:
                    return
        except Diverged as fault:
            if fault.step.index == 0 or fault.of_data:
                raise
        finally:
            updates.close()


def lr_finder(
    model: torch.nn.Module,
    batches: Iterable,
    loss: Callable[[Tensor, Tensor], Tensor],
    optimizer: torch.optim.Optimizer,
    *,
    low: float = 1e-6,
    high: float = 10.0,
    steps: int = 100,
) -> LrFinder:
    """The whole sweep of `lr_finder_steps`: `plot.lr_finder(found)` draws it, `found.suggestion` is a rate to try."""
    found = list(lr_finder_steps(model, batches, loss, optimizer, low=low, high=high, steps=steps))
    return LrFinder(*(tuple(getattr(step, name) for step in found) for name in ("lr", "loss", "smooth")))


@contextmanager
def _put_back(model: torch.nn.Module, batches: Iterable, optimizer: torch.optim.Optimizer) -> Iterator[None]:
    """Whatever happens inside, the model, the optimizer and the random streams are afterwards as they were."""
    streams = Streams(model, batches)
    states = streams.states()
    numbers = {name: value.detach().clone() for name, value in _numbers(model)}
    updated = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    others = [(p, p.detach().clone()) for p in set(updated) - set(model.parameters())]  # such as one in the loss
    gradients = [(p, None if p.grad is None else p.grad.clone()) for p in {*updated, *model.parameters()}]
    modes = [(module, module.training) for module in model.modules()]
    rates = [group["lr"] for group in optimizer.param_groups]
    memory = {parameter: copy.deepcopy(state) for parameter, state in optimizer.state.items()}
    try:
        yield
    finally:
        with torch.no_grad():
            for name, value in _numbers(model):
                value.copy_(numbers[name])
            for parameter, value in others:
                parameter.copy_(value)
        for parameter, gradient in gradients:
            parameter.grad = gradient
        for module, mode in modes:
            module.training = mode
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate
        optimizer.state.clear()
        optimizer.state.update(memory)
        streams.restore(states)


def _numbers(model: torch.nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Parameters and buffers, those too that a state dict leaves out."""
    return chain(model.named_parameters(), model.named_buffers())
