"""Gradient clipping: bound the step that one bad batch can cause, where the loss has a cliff.

    clip by norm:  gradients * min(1, max_norm / norm),  norm = sqrt(sum of squares over all parameters together)
    clip by value: each number by itself, into [-clip_value, clip_value]

Pascanu, Mikolov and Bengio, 2012, arXiv:1211.5063, algorithm 1. Clipping by norm keeps the direction, clipping by value
does not. Neither mends a gradient that is not finite, see `clip_grad_norm_`; and under Adam, whose steps do not depend
on the gradient's scale, clipping only matters when the scale jumps.
"""

from collections.abc import Iterable

import torch

from dlcourse.types import Float, Tensor


@torch.no_grad()
def gradient_norm(parameters: Iterable[Tensor] | Tensor) -> Float[Tensor, ""]:
    """The length of all gradients as one long vector. Parameters without a gradient count as 0; none at all: 0.

    Half precision is summed in float32, where 300 squared is not yet infinite. Raises TypeError for a sparse gradient.

    >>> weight, bias = torch.zeros(2, requires_grad=True), torch.zeros(1, requires_grad=True)
    >>> (weight.sum() + 2 * weight[1] + bias.sum() * -4).backward()  # gradients (1, 3) and (-4)
    >>> gradient_norm([weight, bias])  # sqrt(1 + 9 + 16)
    tensor(5.0990)
    """
    return _norm(_gradients(parameters))


@torch.no_grad()
def clip_grad_norm_(parameters: Iterable[Tensor] | Tensor, max_norm: float) -> Float[Tensor, ""]:
    """Shrink all gradients in place by one factor, so that their norm is at most `max_norm` (above 0, may be infinite).

    Returns the norm before. The factor is max_norm / (norm + 1e-6), as in torch, and never above 1. Also as in torch,
    an infinite norm gives factor 0 (finite gradients become 0, infinite ones nan) and a norm that is nan makes all
    gradients nan: look at the norm that comes back. Raises ValueError for a `max_norm` that is not above 0.

    >>> weight = torch.zeros(2, requires_grad=True)
    >>> weight.grad = torch.tensor([3.0, 4.0])
    >>> clip_grad_norm_([weight], 1.0), weight.grad
    (tensor(5.), tensor([0.6000, 0.8000]))
    """
    _check_bound("clip_grad_norm_", "max_norm", max_norm)
    gradients = _gradients(parameters)
    norm = _norm(gradients)
    factor = (max_norm / (norm + 1e-6)).clamp(max=1)
    for gradient in gradients:
        gradient.mul_(factor.to(gradient.device))
    return norm


@torch.no_grad()
def clip_grad_value_(parameters: Iterable[Tensor] | Tensor, clip_value: float) -> None:
    """Move each number of the gradients into [-clip_value, clip_value], in place; nan stays nan.

    Raises ValueError for a `clip_value` that is not above 0.

    >>> weight = torch.zeros(2, requires_grad=True)
    >>> weight.grad = torch.tensor([3.0, -0.5])
    >>> clip_grad_value_([weight], 1.0)
    >>> weight.grad
    tensor([ 1.0000, -0.5000])
    """
    _check_bound("clip_grad_value_", "clip_value", clip_value)
    for gradient in _gradients(parameters):
        gradient.clamp_(-clip_value, clip_value)


def _gradients(parameters: Iterable[Tensor] | Tensor) -> list[Tensor]:
    each = [parameters] if isinstance(parameters, Tensor) else parameters
    gradients = [parameter.grad for parameter in each if parameter.grad is not None]
    for gradient in gradients:
        if gradient.layout != torch.strided:
            raise TypeError(
                f"clip: a gradient of {gradient.layout} came; wanted dense ones. An embedding gives those with "
                "sparse=False."
            )
    return gradients


def _norm(gradients: list[Tensor]) -> Tensor:
    """The norm of the norms is the norm of all numbers together; on the first gradient's device."""
    if not gradients:
        return torch.zeros((), device="cpu")
    device, norms = gradients[0].device, []
    for gradient in gradients:
        wide = torch.promote_types(gradient.dtype, torch.float32)
        norms.append(torch.linalg.vector_norm(gradient, dtype=wide).to(device))
    return torch.linalg.vector_norm(torch.stack(norms))


def _check_bound(name: str, what: str, bound: float) -> None:
    if not bound > 0:
        raise ValueError(f"{name} got {what}={bound}; wanted a number above 0. Not to clip at all, do not call it.")
