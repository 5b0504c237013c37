"""What to expect of a wide network before its first step: the size of signal and gradient, layer by layer.

In a wide layer every input of an activation is a sum of many independent numbers, so it is normal, with mean 0. If the
layer below has mean square q and the weights have variance v, then with z standard normal and f the activation

    forward    variance of the input   s = fan_in v q            mean square of the output   q' = E[f(sqrt(s) z)^2]
    backward   the gradient's mean square is multiplied by       fan_out v E[f'(sqrt(s) z)^2]

A norm divides the input by its own standard deviation, so s becomes 1 (less by its eps), and the gradient is divided
by that same standard deviation on its way back. The first two are from Poole et al., 2016, arXiv:1606.05340, and
Schoenholz et al., 2017, arXiv:1611.01232; for batch norm see Yang et al., 2019, arXiv:1902.08129, in large batches.

Where it fails: widths are finite, so a real network strays from it, more with every layer; and after the first steps
the weights are no longer independent of what they are multiplied with.
"""

import math
from collections.abc import Callable, Mapping
from functools import lru_cache
from itertools import pairwise
from typing import Any, NamedTuple

import torch

from dlcourse.types import Float, Tensor
from dlcourse.widgets.init_depth_lab.network import Batch, sizes, variance

EPS = 1e-5  # of the norms

# f and f' of each activation, of a tensor in float64.
BENDS: dict[str, tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]] = {
    "relu": (torch.relu, lambda z: (z > 0).double()),
    "tanh": (torch.tanh, lambda z: 1 - z.tanh().square()),
    "sigmoid": (torch.sigmoid, lambda z: z.sigmoid() * (1 - z.sigmoid())),
    "linear": (lambda z: z, torch.ones_like),
}


class Theory(NamedTuple):
    """Of each hidden layer, the first one first; float64.

    mean_square, std: of its activations. grad_factor: by what the gradient's mean square is multiplied on its way from
    this layer down to the one below (for the first layer: to the input).
    """

    mean_square: Float[Tensor, " layers"]
    std: Float[Tensor, " layers"]
    grad_factor: Float[Tensor, " layers"]


def theory(values: Mapping[str, Any], batch: Batch) -> Theory | None:
    """None where the weights are not drawn at random."""
    square, spread = (tensor.item() for tensor in (batch.x.double().square().mean(), batch.x.double().var(0).mean()))
    rows = []
    for fan_in, fan_out in pairwise(sizes(values, batch)[:-1]):
        weight = variance(values, fan_in, fan_out)
        if weight is None:
            return None
        # What a norm divides by: over the features of an example, or over the batch, where a shared mean goes away.
        inputs = fan_in * weight * square
        divided = {"none": 1.0, "layer": inputs + EPS, "batch": fan_in * weight * spread + EPS}[values["norm"]]
        inputs = inputs if values["norm"] == "none" else (divided - EPS) / divided
        mean, square, slope = moments(values["activation"], inputs)
        spread = max(square - mean**2, 0.0)
        rows.append((square, math.sqrt(spread), fan_out * weight * slope / divided))
    return Theory(*torch.tensor(rows, dtype=torch.float64, device="cpu").T)


@lru_cache(maxsize=4096)
def moments(activation: str, variance: float) -> tuple[float, float, float]:
    """E[f], E[f^2] and E[f'^2] of an activation whose input is normal with mean 0 and this variance.

    >>> [round(number, 4) for number in moments("relu", 1.0)]  # 1 / sqrt(2 pi), 1/2, 1/2
    [0.3989, 0.5, 0.5]
    """
    z, weight = _normal()
    value, slope = BENDS[activation]
    inputs = math.sqrt(variance) * z
    out = value(inputs)
    return (
        (weight * out).sum().item(),
        (weight * out.square()).sum().item(),
        (weight * slope(inputs).square()).sum().item(),
    )


@lru_cache(maxsize=1)
def _normal() -> tuple[Tensor, Tensor]:
    """Places from -9 to 9 in the middle of narrow cells, none of them at 0, and how likely each cell is."""
    edges = torch.linspace(-9, 9, 6001, dtype=torch.float64, device="cpu")
    z = (edges[1:] + edges[:-1]) / 2
    weight = torch.exp(-z.square() / 2)
    return z, weight / weight.sum()
