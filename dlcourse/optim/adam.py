"""Adam: momentum divided by the gradient's usual size, both means corrected for their start at 0. AdamW: decay apart.

    mean   = beta1 * mean   + (1 - beta1) * gradient           mean_hat   = mean   / (1 - beta1**step)
    square = beta2 * square + (1 - beta2) * gradient**2        square_hat = square / (1 - beta2**step)
    parameter = parameter - lr * mean_hat / (sqrt(square_hat) + eps)

Kingma and Ba, 2014, arXiv:1412.6980, algorithm 1. L2 in the gradient is divided by sqrt(square_hat) with the rest, so
AdamW shrinks the parameter itself: Loshchilov and Hutter, 2017, arXiv:1711.05101, algorithm 2; as in torch the decay is
times lr, in the paper only times the schedule. Both forget rare large gradients too soon, and can fail to converge on
problems that SGD solves (Reddi, Kale and Kumar, 2018, arXiv:1904.09237).
"""

import math
from typing import Any, ClassVar

import torch
from torch.optim.optimizer import ParamsT

from dlcourse.optim.base import Optimizer
from dlcourse.types import Float, Tensor


def adam(
    parameter: Float[Tensor, "..."],
    gradient: Float[Tensor, "..."],
    mean: Float[Tensor, "..."],
    square: Float[Tensor, "..."],
    step: int,
    *,
    lr: float,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
) -> tuple[Float[Tensor, "..."], Float[Tensor, "..."], Float[Tensor, "..."]]:
    """One step: the new parameter, mean and square, all of one shape. The arguments stay as they are.

    mean, square: zeros before the first step. step: 1, 2, ... lr >= 0; betas in [0, 1) are the shares of the old means
    that are kept; eps >= 0 is the gradient's size below which steps shrink; weight_decay >= 0 is L2, added to the
    gradient, times the parameter. Raises ValueError when step is below 1.

    By hand: mean 0.5 * 0 + 0.5 * 2 = 1, corrected 1 / 0.5 = 2; square 0.25 * 4 = 1, corrected 1 / 0.25 = 4; so
    parameter 1 - 0.1 * 2 / sqrt(4) = 0.9. The first step is lr in size, for every gradient well
    above eps.

    >>> zero = torch.tensor(0.0)
    >>> adam(torch.tensor(1.0), torch.tensor(2.0), zero, zero, 1, lr=0.1, betas=(0.5, 0.75))
    (tensor(0.9000), tensor(1.), tensor(1.))
    """
    if step < 1:
        raise ValueError(f"adam got step={step}; it counts from 1, or the correction would divide by 0.")
    beta1, beta2 = betas
    if weight_decay:
        gradient = gradient.add(parameter, alpha=weight_decay)  # gradient + weight_decay * parameter
    mean = mean.lerp(gradient, 1 - beta1)  # this share of the way from the old mean to the gradient
    square = torch.addcmul(beta2 * square, gradient, gradient, value=1 - beta2)  # + (1 - beta2) * gradient**2
    scale = square.sqrt() / math.sqrt(1 - beta2**step) + eps
    return parameter.addcdiv(mean, scale, value=-lr / (1 - beta1**step)), mean, square


def adam_definition(
    parameter: Float[Tensor, "..."],
    gradient: Float[Tensor, "..."],
    mean: Float[Tensor, "..."],
    square: Float[Tensor, "..."],
    step: int,
    *,
    lr: float,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
) -> tuple[Float[Tensor, "..."], Float[Tensor, "..."], Float[Tensor, "..."]]:
    """Algorithm 1 as printed, line by line: the same numbers in twice as many passes over the tensors."""
    beta1, beta2 = betas
    mean = beta1 * mean + (1 - beta1) * gradient
    square = beta2 * square + (1 - beta2) * gradient**2
    mean_hat = mean / (1 - beta1**step)
    square_hat = square / (1 - beta2**step)
    return parameter - lr * mean_hat / (square_hat.sqrt() + eps), mean, square


def adamw(
    parameter: Float[Tensor, "..."],
    gradient: Float[Tensor, "..."],
    mean: Float[Tensor, "..."],
    square: Float[Tensor, "..."],
    step: int,
    *,
    lr: float,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.01,
) -> tuple[Float[Tensor, "..."], Float[Tensor, "..."], Float[Tensor, "..."]]:
    """As `adam`, but the parameter shrinks by the factor 1 - lr * weight_decay, whatever its gradient's size.

    By hand: the step of `adam` from 1 * (1 - 0.1 * 0.5) = 0.95.

    >>> zero = torch.tensor(0.0)
    >>> adamw(torch.tensor(1.0), torch.tensor(2.0), zero, zero, 1, lr=0.1, betas=(0.5, 0.75), weight_decay=0.5)
    (tensor(0.8500), tensor(1.), tensor(1.))
    """
    shrunk = parameter * (1 - lr * weight_decay)
    return adam(shrunk, gradient, mean, square, step, lr=lr, betas=betas, eps=eps)


class Adam(Optimizer):
    """`adam` for all parameters of a model.

    >>> weight = torch.tensor([1.0, -200.0], requires_grad=True)
    >>> optimizer = Adam([weight], lr=0.1)
    >>> weight.square().sum().backward()
    >>> optimizer.step()  # 0.1 downhill, for both
    >>> weight
    tensor([   0.9000, -199.9000], requires_grad=True)
    """

    left_out: ClassVar = {"amsgrad": False, "maximize": False, "decoupled_weight_decay": False}  # that is AdamW
    rule: ClassVar = staticmethod(adam)

    def __init__(
        self,
        params: ParamsT,
        *,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ):
        options = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay}
        super().__init__(params, options | self.left_out)  # they tell the family's state dicts apart, in torch too

    def update(
        self, parameter: Float[Tensor, "..."], gradient: Float[Tensor, "..."], group: dict[str, Any]
    ) -> Float[Tensor, "..."]:
        state = self.state[parameter]
        if not state:
            state["step"] = torch.zeros((), device="cpu")  # a tensor, and on the CPU, as in torch
            state["exp_avg"] = torch.zeros_like(parameter)
            state["exp_avg_sq"] = torch.zeros_like(parameter)
        state["step"] = state["step"] + 1
        new, state["exp_avg"], state["exp_avg_sq"] = self.rule(
            parameter,
            gradient,
            state["exp_avg"],
            state["exp_avg_sq"],
            int(state["step"]),
            lr=group["lr"],
            betas=group["betas"],
            eps=group["eps"],
            weight_decay=group["weight_decay"],
        )
        return new


class AdamW(Adam):
    """`adamw` for all parameters of a model.

    Give biases and the scales of normalisation a group with weight_decay=0.0: shrinking them helps nobody.

    >>> weight = torch.tensor([1.0, -200.0], requires_grad=True)
    >>> optimizer = AdamW([weight], lr=0.1, weight_decay=0.5)
    >>> weight.square().sum().backward()
    >>> optimizer.step()  # 5 % shorter, then 0.1 downhill
    >>> weight
    tensor([   0.8500, -189.9000], requires_grad=True)
    """

    left_out: ClassVar = {"amsgrad": False, "maximize": False, "decoupled_weight_decay": True}
    rule: ClassVar = staticmethod(adamw)

    def __init__(
        self,
        params: ParamsT,
        *,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.01,
    ):
        super().__init__(params, lr=lr, betas=betas, eps=eps, weight_decay=weight_decay)
