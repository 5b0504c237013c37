"""RMSprop: divide each gradient by its usual size, so that steep and flat directions take steps of one size.

    square = alpha * square + (1 - alpha) * gradient**2
    parameter = parameter - lr * gradient / (sqrt(square) + eps)

Tieleman and Hinton, 2012 (lecture 6.5 of their course; there is no paper). The square starts at 0 and nothing corrects
for it: the first step is lr / sqrt(1 - alpha) in size, ten times lr by default, for every gradient well above eps.
Near a minimum the steps stay as long as before, so lr has to fall. As in torch, eps stands outside the root; torch's
options `momentum` and `centered` are left out.
"""

from typing import Any, ClassVar

import torch
from torch.optim.optimizer import ParamsT

from dlcourse.optim.base import Optimizer
from dlcourse.types import Float, Tensor


def rmsprop(
    parameter: Float[Tensor, "..."],
    gradient: Float[Tensor, "..."],
    square: Float[Tensor, "..."],
    *,
    lr: float,
    alpha: float = 0.99,
    eps: float = 1e-8,
    weight_decay: float = 0.0,
) -> tuple[Float[Tensor, "..."], Float[Tensor, "..."]]:
    """One step: the new parameter and the new mean square, all of one shape. The arguments stay as they are.

    square: zeros before the first step. lr >= 0; alpha in [0, 1) is the share of the old mean that is kept; eps >= 0
    is the gradient's size below which steps shrink; weight_decay >= 0 is added to the gradient, times the parameter.

    By hand: square 0.75 * 4 + 0.25 * 4 = 4, so parameter 1 - 0.1 * 2 / 2 = 0.9.

    >>> rmsprop(torch.tensor(1.0), torch.tensor(2.0), torch.tensor(4.0), lr=0.1, alpha=0.75)
    (tensor(0.9000), tensor(4.))
    """
    if weight_decay:
        gradient = gradient.add(parameter, alpha=weight_decay)  # gradient + weight_decay * parameter
    square = torch.addcmul(alpha * square, gradient, gradient, value=1 - alpha)  # + (1 - alpha) * gradient**2
    return parameter.addcdiv(gradient, square.sqrt() + eps, value=-lr), square  # - lr * gradient / (...)


class RMSprop(Optimizer):
    """`rmsprop` for all parameters of a model.

    >>> weight = torch.tensor([1.0, -200.0], requires_grad=True)
    >>> optimizer = RMSprop([weight], lr=0.1, alpha=0.75)
    >>> weight.square().sum().backward()
    >>> optimizer.step()  # 0.1 / sqrt(1 - 0.75) = 0.2, downhill, for both
    >>> weight
    tensor([   0.8000, -199.8000], requires_grad=True)
    """

    left_out: ClassVar = {"momentum": 0, "centered": False, "maximize": False}

    def __init__(
        self, params: ParamsT, *, lr: float = 1e-2, alpha: float = 0.99, eps: float = 1e-8, weight_decay: float = 0.0
    ):
        super().__init__(params, {"lr": lr, "alpha": alpha, "eps": eps, "weight_decay": weight_decay})

    def update(
        self, parameter: Float[Tensor, "..."], gradient: Float[Tensor, "..."], group: dict[str, Any]
    ) -> Float[Tensor, "..."]:
        state = self.state[parameter]
        if not state:
            state["step"] = torch.zeros((), device="cpu")  # the rule needs no count, but torch's state has one
            state["square_avg"] = torch.zeros_like(parameter)
        state["step"] = state["step"] + 1
        new, state["square_avg"] = rmsprop(
            parameter,
            gradient,
            state["square_avg"],
            lr=group["lr"],
            alpha=group["alpha"],
            eps=group["eps"],
            weight_decay=group["weight_decay"],
        )
        return new
