"""Who races: six update rules of `dlcourse.optim`, each with what it remembers from step to step.

A rule gets the places of one racer, (starts, 2), the gradient there, what it remembers (None at first), the number of
the step from 1 on, and the settings; it returns the next places and what to remember. Nothing is changed in place.
"""

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from dlcourse import optim
from dlcourse.types import Tensor

Memory = Any
Rule = Callable[[Tensor, Tensor, Memory, int, float, Mapping[str, float]], tuple[Tensor, Memory]]


def _descent(place, gradient, memory, step, rate, settings):
    place, _ = optim.sgd(place, gradient, None, lr=rate)
    return place, None


def _momentum(place, gradient, velocity, step, rate, settings):
    return optim.sgd(place, gradient, velocity, lr=rate, momentum=settings["momentum"])


def _nesterov(place, gradient, velocity, step, rate, settings):
    return optim.sgd(place, gradient, velocity, lr=rate, momentum=settings["momentum"], nesterov=True)


def _rmsprop(place, gradient, square, step, rate, settings):
    square = torch.zeros_like(place) if square is None else square
    return optim.rmsprop(place, gradient, square, lr=rate, alpha=settings["beta2"])


def _adam(place, gradient, memory, step, rate, settings):
    mean, square = (torch.zeros_like(place),) * 2 if memory is None else memory
    betas = (settings["momentum"], settings["beta2"])
    place, *memory = optim.adam(place, gradient, mean, square, step, lr=rate, betas=betas)
    return place, memory


def _adamw(place, gradient, memory, step, rate, settings):
    mean, square = (torch.zeros_like(place),) * 2 if memory is None else memory
    betas, decay = (settings["momentum"], settings["beta2"]), settings["weight_decay"]
    place, *memory = optim.adamw(place, gradient, mean, square, step, lr=rate, betas=betas, weight_decay=decay)
    return place, memory


@dataclass(frozen=True)
class Racer:
    """setup, line: the same as source, for `to_code`."""

    name: str
    rule: Rule
    setup: str
    line: str


RACERS = {
    "sgd": Racer(
        "gradient descent",
        *(_descent, "", "place, _ = optim.sgd(place, {gradient}, None, lr={rate})"),
    ),
    "momentum": Racer(
        "momentum",
        *(_momentum, "velocity = None"),
        "place, velocity = optim.sgd(place, {gradient}, velocity, lr={rate}, momentum={momentum})",
    ),
    "nesterov": Racer(
        "Nesterov",
        *(_nesterov, "velocity = None"),
        "place, velocity = optim.sgd(place, {gradient}, velocity, lr={rate}, momentum={momentum}, nesterov=True)",
    ),
    "rmsprop": Racer(
        "RMSprop",
        *(_rmsprop, "square = torch.zeros_like(place)"),
        "place, square = optim.rmsprop(place, {gradient}, square, lr={rate}, alpha={beta2})",
    ),
    "adam": Racer(
        "Adam",
        *(_adam, "mean = square = torch.zeros_like(place)"),
        "place, mean, square = optim.adam(place, {gradient}, mean, square, step, lr={rate}, "
        "betas=({momentum}, {beta2}))",
    ),
    "adamw": Racer(
        "AdamW",
        *(_adamw, "mean = square = torch.zeros_like(place)"),
        "place, mean, square = optim.adamw(place, {gradient}, mean, square, step, lr={rate}, "
        "betas=({momentum}, {beta2}), weight_decay={weight_decay})",
    ),
}


def own_racer(function: Callable[..., tuple[Tensor, Any]]) -> Racer:
    """A learner's rule: from (place, gradient, state, step, lr) to (place, state), for one start at a time.

    place and gradient are of shape (2,), state is None before the first step, step counts from 1. The rule returns a
    new place. Raises ValueError, at a step, when it returns something else.
    """

    def rule(place, gradient, memory, step, rate, settings):
        memory = [None] * len(place) if memory is None else copy.deepcopy(memory)  # a rule may write into its state
        made = [
            _checked(function(at.clone(), slope.clone(), state, step, rate))
            for at, slope, state in zip(place, gradient, memory, strict=True)
        ]
        return torch.stack([at for at, _ in made]), [state for _, state in made]

    name = getattr(function, "__name__", "")
    return Racer(
        "your rule" if name in ("", "<lambda>", "rule") else name,
        *(rule, "state = [None] * len(place)"),
        "moved = [rule(*each, step, {rate}) for each in zip(place, {gradient}, state)]\n"
        "place, state = torch.stack([at for at, _ in moved]), [state for _, state in moved]",
    )


def _checked(made: Any) -> tuple[Tensor, Any]:
    if not (isinstance(made, tuple) and len(made) == 2 and isinstance(made[0], torch.Tensor) and made[0].shape == (2,)):
        raise ValueError("your rule must return (place, state): the next place, a tensor of two numbers, and a state.")
    return made[0].detach().to(torch.float64), made[1]
