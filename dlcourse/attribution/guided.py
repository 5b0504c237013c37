"""Guided backprop and the deconvnet: gradients with another way back through each ReLU.

    forward    max(z, 0)                                     back, for the gradient g that comes from above:
    slope              g * [z > 0]                           the true one
    deconvnet          max(g, 0)                             Zeiler and Fergus, 2014, arXiv:1311.2901
    guided backprop    max(g, 0) * [z > 0]                   Springenberg et al., 2015, arXiv:1412.6806, figure 1c

The pictures are crisp, and that is the trouble: dropping negative g at each layer makes the result depend on the lower
layers and on the image, and hardly on what the network has learned above them (Adebayo et al., 2018, arXiv:1810.03292;
Nie et al., 2018, arXiv:1805.07039, prove it). Measure it with `cascading_randomisation`. It is here as a warning.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from dlcourse.attribution.score import Target, slope
from dlcourse.training.asking import Model
from dlcourse.types import Bool, Float, Tensor

Way = Callable[[Tensor, Tensor], Tensor]  # (gradient from above, z > 0) -> gradient for z


def guided(gradient: Float[Tensor, "..."], on: Bool[Tensor, "..."]) -> Float[Tensor, "..."]:
    """Only where the unit was on, and only what is above 0.

    >>> guided(torch.tensor([3.0, -3.0, 3.0]), torch.tensor([True, True, False])).tolist()
    [3.0, 0.0, 0.0]
    """
    return gradient.clamp(min=0) * on


def deconvolved(gradient: Float[Tensor, "..."], on: Bool[Tensor, "..."]) -> Float[Tensor, "..."]:
    """What is above 0, whether the unit was on or not.

    >>> deconvolved(torch.tensor([3.0, -3.0, 3.0]), torch.tensor([True, True, False])).tolist()
    [3.0, 0.0, 3.0]
    """
    return gradient.clamp(min=0)


def guided_backprop(model: Model, x: Float[Tensor, "batch ..."], target: Target) -> Float[Tensor, "batch ..."]:
    """The slope of the score with `guided` ways back through the ReLUs.

    Every relu of torch is seen, as a module, as a function, in place or used twice; no hook is set. Raises ValueError
    for a model that runs none: then there is nothing to guide, or its relu is spelled otherwise (clamp, where,
    `nn.relu`) and cannot be seen. Such a one among others goes unseen! Errors as `slope`.

    >>> guided_backprop(lambda x: torch.relu(x) @ torch.tensor([[1.0], [-1.0]]), torch.tensor([[2.0, 2.0]]), 0)
    tensor([[1., 0.]])
    """
    return _slope_by("guided_backprop", guided, model, x, target)


def deconvnet(model: Model, x: Float[Tensor, "batch ..."], target: Target) -> Float[Tensor, "batch ..."]:
    """The slope of the score with `deconvolved` ways back through the ReLUs. Errors as `guided_backprop`.

    >>> deconvnet(lambda x: torch.relu(x) @ torch.tensor([[1.0], [1.0]]), torch.tensor([[2.0, -2.0]]), 0)
    tensor([[1., 1.]])
    """
    return _slope_by("deconvnet", deconvolved, model, x, target)


class _Relu(torch.autograd.Function):
    """max(z, 0), with another way back."""

    @staticmethod
    def forward(ctx: Any, z: Tensor, way: Way, in_place: bool) -> Tensor:
        ctx.on, ctx.way = z > 0, way
        if in_place:
            ctx.mark_dirty(z)
        return z.clamp_(min=0) if in_place else z.clamp(min=0)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        return ctx.way(gradient, ctx.on), None, None


class _OtherWay(TorchFunctionMode):
    """Inside, each relu of torch goes back by `way`."""

    IN_PLACE = (torch.relu_, Tensor.relu_)
    RELUS = (torch.relu, functional.relu, Tensor.relu, *IN_PLACE)

    def __init__(self, way: Way):
        super().__init__()
        self.way, self.seen = way, 0

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if function not in self.RELUS:
            return function(*args, **kwargs)
        self.seen += 1
        z = args[0] if args else kwargs["input"]
        return _Relu.apply(z, self.way, function in self.IN_PLACE or kwargs.get("inplace", False))


def _slope_by(caller: str, way: Way, model: Model, x: Tensor, target: Target) -> Tensor:
    with _OtherWay(way) as mode:
        found = slope(model, x, target)[1]
    if not mode.seen:
        raise ValueError(
            f"{caller}: the model ran no relu of torch, so there is nothing to change. Use torch.nn.ReLU or torch.relu;"
            " a relu written with clamp, where or maximum cannot be seen. Without any, it would be the saliency."
        )
    return found
