"""Training the picture instead of the weights: the loop that feature visualisation and style transfer share.

    x <- clamp(x - Adam's step for the slope of loss(x), 0, 1)

The loss has named parts, which are added up. Adam divides each pixel's slope by its usual size (`optim.adam`), so only
the ratios of the parts matter, not their size. Each picture of a batch has a loss of its own and goes its own way.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch

from dlcourse.nn.sizes import whole
from dlcourse.optim.adam import adam
from dlcourse.training.metrics import evaluating
from dlcourse.types import Float, Tensor


@dataclass(frozen=True, eq=False)
class PixelStep:
    """One step of the pictures; all from before it."""

    index: int
    x: Float[Tensor, "batch channel height width"]
    parts: dict[str, Float[Tensor, " batch"]]  # what the loss is made of, weights included
    gradient: Float[Tensor, "batch channel height width"]  # of the loss

    @property
    def loss(self) -> Float[Tensor, " batch"]:
        """The sum of the parts."""
        return sum(self.parts.values())


def pixel_steps(
    model: torch.nn.Module,
    loss: Callable[[Tensor], dict[str, Tensor]],
    start: Float[Tensor, "batch channel height width"],
    *,
    steps: int,
    lr: float,
) -> Iterator[PixelStep]:
    """`steps` steps down the loss, and a last look at it: steps + 1 looks.

    loss(x) -> parts, each (batch,), of pictures x and what the model makes of them; the model is in eval mode while it
    runs and is left as it was, between the steps too. lr: how far a pixel goes in a step, about. Raises ValueError for
    steps that are not whole or below 0, an lr that is not above 0, a start without pictures or outside [0, 1], a
    part that is not one number for each picture, and a loss that does not depend on x.

    >>> model = torch.nn.Identity()
    >>> steps = pixel_steps(model, lambda x: {"sum": x.flatten(1).sum(1)}, torch.ones(1, 1, 1, 1), steps=2, lr=0.25)
    >>> [step.loss.item() for step in steps]
    [1.0, 0.75, 0.5]
    """
    (steps,) = whole("pixel_steps", 0, steps=steps)
    if not 0 < lr < math.inf:
        raise ValueError(f"pixel_steps got lr={lr}; wanted a finite number above 0, in pixel units.")
    if not start.numel() or not bool(((start >= 0) & (start <= 1)).all()):
        raise ValueError(f"pixel_steps got a start {tuple(start.shape)}; wanted pictures, at least one, in [0, 1].")
    x = start.detach().clone()
    mean, square = torch.zeros_like(x), torch.zeros_like(x)
    for index in range(steps + 1):
        with evaluating(model), torch.enable_grad():
            leaf = x.clone().requires_grad_()
            parts = loss(leaf)
            if any(part.shape != x.shape[:1] for part in parts.values()):
                came = {name: tuple(part.shape) for name, part in parts.items()}
                raise ValueError(f"The loss has the parts {came}; wanted ({len(x)},) each, one for each picture.")
            total = sum(parts.values()).sum()  # each depends on its own picture only
            (slope,) = torch.autograd.grad(total, leaf, allow_unused=True) if total.requires_grad else (None,)
        if slope is None:
            raise ValueError(
                "The loss does not depend on x by anything that can be differentiated: nothing can move x."
            )
        yield PixelStep(index, x, {name: part.detach() for name, part in parts.items()}, slope)
        x, mean, square = adam(x, slope, mean, square, index + 1, lr=lr)
        x = x.clamp(0, 1)
