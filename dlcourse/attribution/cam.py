"""Grad-CAM and its relatives: explain the score by a layer's maps, and not by pixels.

    weight of channel k    w_k = mean over the places of  d score / dA_k          Selvaraju et al., 2017, equations 1, 2
    Grad-CAM               max(sum over k of  w_k A_k,  0)                        arXiv:1610.02391

A is what the layer puts out, mostly the last convolution, whose maps still know where. The answer is as coarse as they
are, and says "about here": drawn over the picture it has been smoothed by `upsampled`, not sharpened. Where it fails:
the mean forgets where in a map the slope was, so the sum over the map is not the score; and max(., 0) hides what speaks
against the class. `layer_gradient_x_activation` and `layer_integrated_gradients` keep both.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn
from torch.nn import functional

from dlcourse.attribution.covered import start
from dlcourse.attribution.integrated import Quadrature, gauss_legendre
from dlcourse.attribution.score import Target, examples, score
from dlcourse.hooks import replace
from dlcourse.nn.sizes import whole
from dlcourse.training.asking import asking
from dlcourse.types import Float, Tensor


def grad_cam(
    model: nn.Module,
    x: Float[Tensor, "batch channel height width"],
    target: Target,
    *,
    layer: str,
    relu: bool = True,
) -> Float[Tensor, "batch out_height out_width"]:
    """Where in the layer's maps the score comes from, in the layer's own size; what is below 0 is cut unless not relu.

    layer: a name of `model.named_modules()`; it puts out maps (batch, channel, height, width) and runs once. Raises
    ValueError for a layer that the model does not have, that does not run exactly once, that puts out something else,
    or on which the score does not depend.

    >>> model = nn.Sequential(nn.Identity(), nn.Flatten())
    >>> grad_cam(model, torch.tensor([[[[1.0, 2.0]]]]), 0, layer="0")  # the slope is (1, 0): its mean is 0.5
    tensor([[[0.5000, 1.0000]]])
    """
    maps, gradient = layer_slope(model, x, target, layer)
    if maps.ndim != 4:
        raise ValueError(f"grad_cam: layer {layer!r} gave {tuple(maps.shape)}; wanted maps (batch, channel, h, w).")
    found = (gradient.mean((2, 3), keepdim=True) * maps).sum(1)
    return found.clamp(min=0) if relu else found


def upsampled(
    cam: Float[Tensor, "batch out_height out_width"], size: tuple[int, int]
) -> Float[Tensor, "batch height width"]:
    """The map in the size of the picture, (rows, columns), by bilinear interpolation between the pixels' centres.

    >>> upsampled(torch.tensor([[[0.0, 1.0]]]), (1, 4))
    tensor([[[0.0000, 0.2500, 0.7500, 1.0000]]])
    """
    return functional.interpolate(cam[:, None], size=size, mode="bilinear", align_corners=False)[:, 0]


def layer_gradient_x_activation(
    model: nn.Module, x: Float[Tensor, "batch ..."], target: Target, *, layer: str
) -> Float[Tensor, "batch ..."]:
    """What the layer puts out times the slope of the score for it, in the layer's shape. Errors as `grad_cam`."""
    activation, gradient = layer_slope(model, x, target, layer)
    return activation * gradient


def layer_integrated_gradients(
    model: nn.Module,
    x: Float[Tensor, "batch ..."],
    target: Target,
    *,
    layer: str,
    baseline: Float[Tensor, "..."] | float | None = None,
    steps: int = 50,
    rule: Quadrature = gauss_legendre,
) -> Float[Tensor, "batch ..."]:
    """Integrated gradients along the straight path between what the layer makes of the baseline and of x.

    In the layer's shape; it sums to score(x) - score(baseline) if all that the score knows of x goes through the layer.
    Options and errors as `integrated_gradients` and `grad_cam`.
    """
    caller = "layer_integrated_gradients"
    (steps,) = whole(caller, 1, steps=steps)
    end, _ = layer_slope(model, x, target, layer)
    begin, _ = layer_slope(model, start(caller, x, baseline), target, layer)
    found = torch.zeros_like(end)
    for alpha, weight in zip(*rule(steps), strict=True):
        _, gradient = layer_slope(model, x, target, layer, begin + alpha * (end - begin))
        found = found + weight * gradient * (end - begin)
    return found


def layer_slope(
    model: nn.Module,
    x: Float[Tensor, "batch ..."],
    target: Target,
    layer: str,
    put: Float[Tensor, "batch ..."] | None = None,
) -> tuple[Float[Tensor, "batch ..."], Float[Tensor, "batch ..."]]:
    """What the layer puts out, and the slope of the score for it. With `put`, the layer puts out that instead.

    The way back ends at the layer, so what lies below it costs no pass back. Errors as `grad_cam`.
    """
    x = examples("layer_slope", x)
    with asking(model), torch.enable_grad(), _leaf_at(model, layer, put) as leaves:
        values = score(model, x, target)
        if len(leaves) != 1:
            raise ValueError(f"layer {layer!r} ran {len(leaves)} times; wanted once, or its slope would be a mixture.")
        (gradient,) = torch.autograd.grad(values.sum(), leaves) if values.requires_grad else (None,)
    if gradient is None:
        raise ValueError(f"The score does not depend on layer {layer!r} by anything that can be differentiated.")
    return leaves[0].detach(), gradient


@contextmanager
def _leaf_at(model: nn.Module, layer: str, put: Tensor | None) -> Iterator[list[Tensor]]:
    """Inside, what the layer puts out is a leaf of the graph. A copy goes on: a ReLU behind may work in place."""
    leaves: list[Tensor] = []

    def cut(output: object) -> Tensor:
        if not isinstance(output, Tensor):
            raise ValueError(f"layer {layer!r} gave {type(output).__name__}; wanted a layer that puts out one tensor.")
        leaves.append((output if put is None else put).detach().requires_grad_())
        return leaves[-1].clone()

    with replace(model, {layer: cut}):
        yield leaves
