"""The network that the lab looks at: hidden layers of one width, with the initial weights that were asked for.

    digits -> (Linear, norm, activation) x depth -> Linear -> ten logits

Biases begin at 0. All weights, those of the last layer too, are drawn by the same rule from one generator.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from typing import Any, NamedTuple

import torch

from dlcourse import data, nn
from dlcourse.models.mlp import mlp
from dlcourse.seeding import generator
from dlcourse.types import Float, Int, Tensor

WIDTH = 64  # units of each hidden layer: as many as a digit has pixels
EXAMPLES = 128

ACTIVATIONS: dict[str, type[torch.nn.Module]] = {
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "sigmoid": torch.nn.Sigmoid,
    "linear": nn.Identity,
}
NORMS: dict[str, Callable[[int], torch.nn.Module] | None] = {
    "none": None,
    "batch": nn.BatchNorm,
    "layer": nn.LayerNorm,
}


class Init(NamedTuple):
    """draw(shape, gain=, generator=): the weights. variance(fan_in, fan_out): theirs at gain 1; None: not at random."""

    draw: Callable[..., Tensor]
    variance: Callable[[int, int], float] | None


def _zeros(shape: tuple[int, int], *, gain: float, generator: torch.Generator) -> Tensor:
    return torch.zeros(shape, device=generator.device)


def _constant(shape: tuple[int, int], *, gain: float, generator: torch.Generator) -> Tensor:
    """Every unit takes the mean of its inputs, times the gain."""
    return torch.full(shape, gain / nn.fans(shape)[0], device=generator.device)


def _normal(shape: tuple[int, int], *, gain: float, generator: torch.Generator, std: float) -> Tensor:
    return gain * std * torch.randn(shape, generator=generator, device=generator.device)


def _he(shape: tuple[int, int], *, gain: float, generator: torch.Generator) -> Tensor:
    return nn.he_normal(shape, gain=gain * nn.gain("relu"), generator=generator)


INITS = {
    "zeros": Init(_zeros, lambda fan_in, fan_out: 0.0),
    "constant": Init(_constant, None),
    "small_normal": Init(partial(_normal, std=0.01), lambda fan_in, fan_out: 0.01**2),
    "large_normal": Init(partial(_normal, std=1.0), lambda fan_in, fan_out: 1.0),
    "xavier": Init(nn.xavier_normal, lambda fan_in, fan_out: 2 / (fan_in + fan_out)),
    "he": Init(_he, lambda fan_in, fan_out: 2 / fan_in),
    "orthogonal": Init(nn.orthogonal, lambda fan_in, fan_out: 1 / max(fan_in, fan_out)),
}


class Batch(NamedTuple):
    """x: (batch, features) float32. y: (batch,) class numbers from 0."""

    x: Float[Tensor, "batch features"]
    y: Int[Tensor, " batch"]

    @property
    def classes(self) -> int:
        return int(self.y.max()) + 1


@lru_cache(maxsize=1)
def digits() -> Batch:
    """The first digits of the set, each pixel with mean 0 and standard deviation 1 over them (or 0 everywhere)."""
    x, y = data.load("digits")
    x = x[:EXAMPLES].flatten(1)
    return Batch(nn.Normalize.of(x)(x), y[:EXAMPLES])


def sizes(values: Mapping[str, Any], batch: Batch) -> tuple[int, ...]:
    """(features, 64, 64, ..., classes)."""
    return (batch.x.shape[1], *[WIDTH] * values["depth"], batch.classes)


def network(values: Mapping[str, Any], batch: Batch) -> nn.Sequential:
    """The network that the parameters describe, as it is before the first step."""
    return mlp(
        sizes(values, batch),
        activation=ACTIVATIONS[values["activation"]],
        init=partial(INITS[values["init"]].draw, gain=values["gain"]),
        norm=NORMS[values["norm"]],
        generator=generator(values["seed"]),
    )


def variance(values: Mapping[str, Any], fan_in: int, fan_out: int) -> float | None:
    """Of one weight of such a layer at the start. None where weights are not drawn at random."""
    rule = INITS[values["init"]].variance
    return None if rule is None else values["gain"] ** 2 * rule(fan_in, fan_out)
