"""Feature visualisation: which picture does a unit answer to most?

    maximise over x in [0, 1]      goal(x)  -  sum of penalties(x)

goal is a logit, or the mean of a channel's map (Simonyan, Vedaldi and Zisserman, 2013, arXiv:1312.6034, equation 1).
Without penalties what comes out is mostly noise that nobody recognises, and that the unit loves: an adversarial example
from nothing. A prior on pictures has to be added, and it is ours, not the network's (Olah, Mordvintsev and Schubert,
2017, distill.pub/2017/feature-visualization):

    L2(weight)                weight * sum of x^2                                           no pixel without a reason
    TotalVariation(weight)    weight * sum of squared differences of neighbouring pixels    smooth
    jitter                    the model sees x shifted by some pixels, anew in each step    wherever it is

(Total variation: Mahendran and Vedaldi, 2015, arXiv:1412.0035, section 3.1 with beta = 2; jitter: Mordvintsev, Olah and
Tyka, 2015, "Inceptionism".) Where it fails: the maximum lies where no data are, and it shows one of many pictures that
a unit answers to. `units.top_patches` asks the data instead; look at both.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch

from dlcourse.mechanistic.activations import outputs
from dlcourse.mechanistic.pixels import PixelStep, pixel_steps
from dlcourse.nn.sizes import whole
from dlcourse.steps import last
from dlcourse.types import Float, Int, Tensor

Goal = int | Int[Tensor, " batch"] | Callable[[Tensor], Tensor]


@runtime_checkable
class Penalty(Protocol):
    """What is asked of a penalty: a number for each picture, weight included."""

    def __call__(self, x: Float[Tensor, "batch channel height width"]) -> Float[Tensor, " batch"]: ...


@dataclass(frozen=True)
class L2:
    """weight * sum of squared pixels."""

    weight: float

    def __post_init__(self) -> None:
        _check_weight(self)

    def __call__(self, x: Float[Tensor, "batch channel height width"]) -> Float[Tensor, " batch"]:
        """
        >>> L2(0.5)(torch.tensor([[[[0.0, 1.0]]], [[[1.0, 1.0]]]]))
        tensor([0.5000, 1.0000])
        """
        return self.weight * x.square().flatten(1).sum(1)


@dataclass(frozen=True)
class TotalVariation:
    """weight * sum of squared differences from each pixel to the one below and to the one on its right."""

    weight: float

    def __post_init__(self) -> None:
        _check_weight(self)

    def __call__(self, x: Float[Tensor, "batch channel height width"]) -> Float[Tensor, " batch"]:
        """
        >>> TotalVariation(0.5)(torch.tensor([[[[0.0, 1.0], [0.0, 3.0]]]]))  # 1 and 9 across, 0 and 4 down
        tensor([7.])
        """
        return self.weight * sum(x.diff(dim=dim).square().flatten(1).sum(1) for dim in (2, 3))


def feature_visualisation_steps(
    model: torch.nn.Module,
    goal: Goal,
    start: Float[Tensor, "batch channel height width"],
    *,
    layer: str = "",
    penalties: Sequence[Penalty] = (),
    jitter: int = 0,
    steps: int = 128,
    lr: float = 0.05,
    generator: torch.Generator | None = None,
) -> Iterator[PixelStep]:
    """`steps` steps up the goal, and a last look. The parts of each: "minus goal", and "penalties" if there are any.

    goal: the number of a unit or channel of the layer for all pictures, one for each, or a function of what the layer
    puts out -> (batch,), which must treat each picture by itself. start: pictures in [0, 1]; from noise or grey.
    layer: a name of `model.named_modules()`; "" is the model, whose units are logits. Ask for logits, not
    probabilities: those rise as well when the other logits fall. jitter: pixels, up to which the model sees the
    pictures shifted in each direction, drawn from `generator`, all by the same; what leaves on one side comes back on
    the other. lr: how far a pixel goes in a step, about.

    Raises ValueError for a unit that the layer does not have, a goal that is not one number for each picture, a jitter
    that is not whole, below 0 or without a generator, layers as `activations` and starts as `pixel_steps`.
    """
    (jitter,) = whole("feature_visualisation", 0, jitter=jitter)
    if jitter and generator is None:
        raise ValueError(f"feature_visualisation got jitter={jitter} and no generator to draw the shifts from.")

    def loss(x: Tensor) -> dict[str, Tensor]:
        seen = outputs(model, _shifted(x, jitter, generator), [layer])[layer]
        parts = {"minus goal": -reached(seen, goal)}
        return parts | {"penalties": sum(penalty(x) for penalty in penalties)} if penalties else parts

    return pixel_steps(model, loss, start, steps=steps, lr=lr)


def feature_visualisation(
    model: torch.nn.Module,
    goal: Goal,
    start: Float[Tensor, "batch channel height width"],
    *,
    layer: str = "",
    penalties: Sequence[Penalty] = (),
    jitter: int = 0,
    steps: int = 128,
    lr: float = 0.05,
    generator: torch.Generator | None = None,
) -> Float[Tensor, "batch channel height width"]:
    """The pictures after the last step. It is `last(feature_visualisation_steps(...)).x`, with the same errors.

    >>> model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 2))
    >>> _ = model[1].weight.data.copy_(torch.tensor([[1.0, -1.0, 1.0, -1.0], [1.0, 1.0, 1.0, 1.0]]))
    >>> feature_visualisation(model, 0, torch.full((1, 1, 2, 2), 0.5))
    tensor([[[[1., 0.],
              [1., 0.]]]])
    """
    options = {"layer": layer, "penalties": penalties, "jitter": jitter, "generator": generator}
    return last(feature_visualisation_steps(model, goal, start, steps=steps, lr=lr, **options)).x


def reached(output: Float[Tensor, "batch ..."], goal: Goal) -> Float[Tensor, " batch"]:
    """The goal of each row of a layer's output: the unit, the mean over the channel's map, or what the function says.

    Raises ValueError for a unit that is not there, and goals that are not one for each row; TypeError for goals that
    are no integers.

    >>> reached(torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([1, 0]))
    tensor([2., 3.])
    """
    if callable(goal):
        values = goal(output)
        if not isinstance(values, Tensor) or values.shape != output.shape[:1]:
            came = tuple(values.shape) if isinstance(values, Tensor) else type(values).__name__
            raise ValueError(f"the goal made {came} of {tuple(output.shape)}; wanted one for each, ({len(output)},).")
        return values
    units = torch.as_tensor(goal, device=output.device)
    if units.is_floating_point() or units.is_complex() or units.dtype == torch.bool:
        raise TypeError(f"the goal is {units.dtype}; wanted the numbers of units, so integers, or a function.")
    if units.shape not in ((), output.shape[:1]) or not ((units >= 0) & (units < output.shape[1])).all():
        raise ValueError(
            f"the goal {units.tolist()} does not fit {tuple(output.shape)}; wanted one unit, or one for each of the "
            f"{len(output)} pictures, from 0 to {output.shape[1] - 1}."
        )
    rows = torch.arange(len(output), device=output.device)
    return output[rows, units.long()].reshape(len(output), -1).mean(1)


def _shifted(x: Tensor, jitter: int, generator: torch.Generator | None) -> Tensor:
    if not jitter:
        return x
    down, across = torch.randint(-jitter, jitter + 1, (2,), generator=generator, device=generator.device).tolist()
    return x.roll((down, across), dims=(2, 3))


def _check_weight(penalty: L2 | TotalVariation) -> None:
    if not 0 <= penalty.weight < math.inf:
        raise ValueError(f"{penalty}: wanted a finite weight, 0 or more.")
