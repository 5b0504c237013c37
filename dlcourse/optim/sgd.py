"""Stochastic gradient descent, with momentum: step against the slope, and keep some of the last step.

    g = gradient + weight_decay * parameter      velocity = momentum * velocity + g
    parameter = parameter - lr * velocity        Nesterov: parameter - lr * (g + momentum * velocity)

Robbins and Monro, 1951; momentum: Polyak, 1964; in this notation Sutskever, Martens, Dahl and Hinton, 2013, equations 1
to 4. Two deviations, both torch's: the paper keeps lr inside the velocity (the same while lr does not change), and
Nesterov's slope ahead of the parameter is here a change of variables (Bengio et al., 2012, arXiv:1212.0901, section
3.5). It diverges beyond lr = 2 (1 + momentum) / curvature, Nesterov beyond that divided by 1 + 2 momentum; and so it
crawls along a steep-walled valley.
"""

from typing import Any, ClassVar

from torch.optim.optimizer import ParamsT

from dlcourse.optim.base import Optimizer
from dlcourse.types import Float, Tensor


def sgd(
    parameter: Float[Tensor, "..."],
    gradient: Float[Tensor, "..."],
    velocity: Float[Tensor, "..."] | None,
    *,
    lr: float,
    momentum: float = 0.0,
    nesterov: bool = False,
    weight_decay: float = 0.0,
) -> tuple[Float[Tensor, "..."], Float[Tensor, "..."] | None]:
    """One step: the new parameter and the new velocity, all of one shape. The arguments stay as they are.

    velocity: None before the first step, which starts it at the gradient; without momentum it is handed through.
    lr >= 0; momentum in [0, 1]; weight_decay >= 0 pulls towards 0, as the slope of weight_decay / 2 * parameter**2.

    By hand: velocity 0.5 * 4 + 1 = 3, parameter 1 - 0.1 * 3 = 0.7; with Nesterov 1 - 0.1 * (1 + 0.5 * 3) = 0.75.

    >>> import torch
    >>> one, velocity = torch.tensor(1.0), torch.tensor(4.0)
    >>> sgd(one, one, velocity, lr=0.1, momentum=0.5)
    (tensor(0.7000), tensor(3.))
    >>> sgd(one, one, velocity, lr=0.1, momentum=0.5, nesterov=True)
    (tensor(0.7500), tensor(3.))
    """
    # x.add(y, alpha=a) is x + a * y, in one pass over the numbers.
    if weight_decay:
        gradient = gradient.add(parameter, alpha=weight_decay)
    if momentum:
        velocity = gradient.clone() if velocity is None else gradient.add(velocity, alpha=momentum)
        gradient = gradient.add(velocity, alpha=momentum) if nesterov else velocity
    return parameter.add(gradient, alpha=-lr), velocity


class SGD(Optimizer):
    """`sgd` for all parameters of a model. Also raises ValueError when nesterov comes without momentum.

    >>> import torch
    >>> weight = torch.tensor([1.0, -2.0], requires_grad=True)
    >>> optimizer = SGD([weight], lr=0.25)
    >>> weight.square().sum().backward()  # the slope is 2 * weight
    >>> optimizer.step()
    >>> weight
    tensor([ 0.5000, -1.0000], requires_grad=True)
    """

    left_out: ClassVar = {"dampening": 0, "maximize": False}

    def __init__(
        self, params: ParamsT, *, lr: float, momentum: float = 0.0, nesterov: bool = False, weight_decay: float = 0.0
    ):
        options = {"lr": lr, "momentum": momentum, "nesterov": nesterov, "weight_decay": weight_decay}
        super().__init__(params, options | {"dampening": 0.0})  # torch reads it from every state dict

    def update(
        self, parameter: Float[Tensor, "..."], gradient: Float[Tensor, "..."], group: dict[str, Any]
    ) -> Float[Tensor, "..."]:
        remembers = group["momentum"] != 0  # without momentum there is no state, as in torch
        new, velocity = sgd(
            parameter,
            gradient,
            self.state[parameter].get("momentum_buffer") if remembers else None,
            lr=group["lr"],
            momentum=group["momentum"],
            nesterov=group["nesterov"],
            weight_decay=group["weight_decay"],
        )
        if remembers:
            self.state[parameter]["momentum_buffer"] = velocity
        return new

    def _check_options(self, options: dict[str, Any]) -> None:
        super()._check_options(options)
        if options["nesterov"] and not options["momentum"]:
            raise ValueError("SGD got nesterov=True without momentum; give one, such as momentum=0.9.")
