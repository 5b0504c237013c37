"""One pass forward and back with every hidden layer watched, and what can be measured of it.

Everything that is measured is computed in float64, because squares of float32's smallest and largest numbers are not
float32 numbers.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch.nn.functional import cross_entropy

from dlcourse.hooks import capture
from dlcourse.types import Float, Tensor
from dlcourse.widgets.init_depth_lab.network import Batch

NEAR_END = 0.99  # of the way from the middle of tanh's or the sigmoid's range to its end: saturated


class Watched(NamedTuple):
    """A hidden layer: the name of the module whose output the next Linear receives, and the kind of its activation."""

    name: str
    kind: str  # "relu", "tanh", "sigmoid", "linear" or "other"


class Pass(NamedTuple):
    """loss: mean cross-entropy. values, gradients: (batch, units) of each hidden layer, the first one first."""

    loss: float
    accuracy: float
    values: list[Tensor]
    gradients: list[Tensor]


def run(model: torch.nn.Module, layers: Sequence[Watched], batch: Batch) -> Pass:
    """Forward and back, once. The model's gradients are those of this pass alone."""
    model.zero_grad()
    with capture(model, [layer.name for layer in layers], retain_grad=True) as seen:
        logits = model(batch.x)
    loss = cross_entropy(logits, batch.y)
    loss.backward()
    outs = [seen[layer.name] for layer in layers]
    right = (logits.argmax(dim=1) == batch.y).double().mean().item()
    return Pass(loss.item(), right, [out.detach() for out in outs], [out.grad for out in outs])


class Measured(NamedTuple):
    """Of each hidden layer, the first one first, (layers,) in float64; NaN where a number is not finite.

    mean, std, mean_square: of its activations, over all units and examples. between: how much a unit differs between
    examples: its standard deviation over the batch, as a root mean square over the units. silent, in [0, 1]: of a ReLU
    the share of units that are 0 for every example (dead), of tanh and sigmoid the share of outputs at 0.99 of their
    range (saturated); NaN for others. zeros: the share of activations that are exactly 0. grad_...: the same of the
    gradient of the loss with respect to the activations.
    """

    loss: float
    accuracy: float
    mean: Float[Tensor, " layers"]
    std: Float[Tensor, " layers"]
    mean_square: Float[Tensor, " layers"]
    between: Float[Tensor, " layers"]
    zeros: Float[Tensor, " layers"]
    silent: Float[Tensor, " layers"]
    grad_std: Float[Tensor, " layers"]
    grad_mean_square: Float[Tensor, " layers"]
    grad_zeros: Float[Tensor, " layers"]


def measure(seen: Pass, layers: Sequence[Watched]) -> Measured:
    rows = []
    for layer, values, gradient in zip(layers, seen.values, seen.gradients, strict=True):
        silent = _silent(layer.kind, values)
        values, gradient = values.double(), gradient.double()
        spread, mean = torch.var_mean(values, correction=0)
        between = values.var(dim=0, correction=0).mean().sqrt()
        grad_spread, grad_mean = torch.var_mean(gradient, correction=0)
        numbers = [mean, spread.sqrt(), spread + mean.square(), between, (values == 0).double().mean(), silent]
        numbers += [grad_spread.sqrt(), grad_spread + grad_mean.square(), (gradient == 0).double().mean()]
        rows.append([float(number) for number in numbers])
    table = torch.tensor(rows, dtype=torch.float64, device="cpu")
    return Measured(seen.loss, seen.accuracy, *torch.where(table.isfinite(), table, math.nan).T)


def _silent(kind: str, values: Tensor) -> Tensor | float:
    if kind == "relu":
        return (values == 0).all(dim=0).double().mean()
    if kind in ("tanh", "sigmoid"):
        swing = values if kind == "tanh" else 2 * values - 1
        return (swing.abs() > NEAR_END).double().mean()
    return math.nan


def per_layer(start: float, squares: Float[Tensor, " layers"]) -> tuple[float | None, int]:
    """The mean factor from `start` on through these mean squares, and over how many it was taken: up to the first that
    float32 cannot hold.

    >>> per_layer(8.0, torch.tensor([4.0, 2.0, 0.0, 0.0]))
    (0.5, 2)
    """
    good = ((squares > LEAST**2) & squares.isfinite()).long().cumprod(0).sum().item()
    if good == 0 or not start > 0:
        return None, 0
    return math.exp(math.log(squares[good - 1].item() / start) / good), good


LEAST = 1e-37  # below it float32's numbers lose their digits
