"""Hinges and their sum: chapter 01's network with one input, one output and a hidden layer of ReLU units.

    f(x) = sum_i a_i relu(w_i x + b_i) + c

Each hinge has a knot, the place x = -b/w where it starts to bend; there the slope of f changes by its bend, a |w|.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch

from dlcourse import models, nn
from dlcourse.types import Float, Tensor
from dlcourse.widgets.hinge_lab.plain import real, reals, tensor

MOST = 6  # hinges
STEEPEST = 6.0  # the largest bend that a hand may set; descent may go beyond
SAME = 1e-4  # knots closer than this are one knot, and a change of slope smaller than this is none
BETA1, BETA2, EPS = 0.9, 0.999, 1e-8  # Adam's, as in torch

# What can be aimed at: the function, and the same as a line of torch for the program. All lie inside the picture.
TARGETS: dict[str, tuple[Callable[[Tensor], Tensor], str]] = {
    "bump": (
        lambda x: 2 * nn.relu(x + 1) - 4 * nn.relu(x) + 2 * nn.relu(x - 1),
        "2 * torch.relu(x + 1) - 4 * torch.relu(x) + 2 * torch.relu(x - 1)",
    ),
    "steps": (
        lambda x: torch.where(x < -1.05, -1.0, torch.where(x < 0.95, 0.5, 2.0)),
        "torch.where(x < -1.05, -1.0, torch.where(x < 0.95, 0.5, 2.0))",
    ),
    "sine": (lambda x: 1.5 * torch.sin(torch.pi / 2 * x) + 1, "1.5 * torch.sin(torch.pi / 2 * x) + 1"),
    "absolute": (lambda x: x.abs(), "x.abs()"),
    "quadratic": (lambda x: x**2 / 3, "x**2 / 3"),
}
DRAWN = "drawn"
CHAPTER = ((1.0, 1.0, -2.0), (0.5, -2.0, -2.0), (1.0, -3.0, 0.5))  # weight, bias, out of chapter 01's example


class Hinges(NamedTuple):
    """The network's numbers, float32. weight, bias, out (hidden,), one of each a hinge; offset (), the constant c."""

    weight: Float[Tensor, " hidden"]
    bias: Float[Tensor, " hidden"]
    out: Float[Tensor, " hidden"]
    offset: Float[Tensor, ""]

    def __call__(self, x: Float[Tensor, " points"]) -> Float[Tensor, " points"]:
        """f(x): the chapter's network of two layers."""
        inner = self.weight[:, None], self.bias
        return models.two_layer(x[:, None], *inner, self.out[None], self.offset[None])[:, 0]

    def parts(self, x: Float[Tensor, " points"]) -> Float[Tensor, "hidden points"]:
        """What each hinge adds, a relu(w x + b)."""
        return self.out[:, None] * nn.relu(self.weight[:, None] * x + self.bias[:, None])

    def knot(self, index: int) -> float | None:
        """Where hinge `index` starts to bend; None with w = 0, which is constant."""
        weight, bias = self.weight[index].item(), self.bias[index].item()
        return -bias / weight + 0.0 if weight else None

    def bend(self, index: int) -> float:
        """By how much this hinge changes the slope of f at its knot, from left to right: a |w|."""
        return self.out[index].item() * abs(self.weight[index].item())


def knots(hinges: Hinges) -> list[tuple[float, float]]:
    """(place, change of slope) of each knot of the sum, from left to right.

    Knots in the same place are one knot, and their changes add up; a knot whose changes add up to zero is none; a unit
    with w = 0 or a = 0 bends nothing. Same and zero mean up to `SAME`, for descent never hits a number exactly.

    >>> knots(hinges_of([1, -1, 1], [0, 0, -1], [1, -1, 2]))  # relu(x) - relu(-x) is x
    [(1.0, 2.0)]
    """
    found = [(hinges.knot(index), hinges.bend(index)) for index in range(len(hinges.out))]
    merged: list[tuple[float, float]] = []
    for place, change in sorted((place, change) for place, change in found if place is not None and change):
        if merged and place - merged[-1][0] < SAME:
            merged[-1] = merged[-1][0], merged[-1][1] + change
        else:
            merged.append((place, change))
    return [(place, change) for place, change in merged if abs(change) > SAME]


def hinges_of(weight: Any, bias: Any, out: Any, offset: Any = 0.0) -> Hinges:
    """`Hinges` of plain numbers or tensors. Raises ValueError for different lengths, more than six, or no numbers."""
    lists = {"weight": weight, "bias": bias, "out": out}
    plain = {name: reals(name, values) for name, values in lists.items()}
    sizes = [len(values) for values in plain.values()]
    if len(set(sizes)) > 1 or sizes[0] > MOST:
        came = ", ".join(f"{name} holds {size}" for name, size in zip(plain, sizes, strict=True))
        raise ValueError(f"{came}: wanted equally many numbers in weight, bias and out, one for each of up to {MOST}.")
    return Hinges(*map(tensor, plain.values()), tensor(real("offset", offset)))


def best_hinge(hinges: Hinges, x: Float[Tensor, " points"], target: Float[Tensor, " points"]) -> tuple[float, float]:
    """Knot and bend of the one hinge, open to the right, that lowers the squared error most; the others stay.

    With the residual r and the hinge h, the best bend is r.h / h.h and lowers the sum of squares by (r.h)^2 / h.h:
    one step of matching pursuit (Mallat and Zhang 1993, IEEE Trans. Signal Processing 41(12)).
    """
    knots = x[:-2]  # further right no point would be left to tell the bend from
    shapes = nn.relu(x - knots[:, None])  # (knots, points)
    along, size = shapes @ (target - hinges(x)), shapes.square().sum(1)
    best = int((along.square() / size).argmax())
    bend = (along[best] / size[best]).clamp(-STEEPEST, STEEPEST)
    return round(knots[best].item(), 1), round(bend.item(), 2)


class Moment(NamedTuple):
    """One moment of a run. theta: weights, biases, outs and offset in a row; m, v, age: Adam's averages."""

    theta: Float[Tensor, " parameters"]
    m: Float[Tensor, " parameters"]
    v: Float[Tensor, " parameters"]
    age: int
    step: int

    @property
    def hinges(self) -> Hinges:
        weight, bias, out = self.theta[:-1].view(3, -1)
        return Hinges(weight, bias, out, self.theta[-1])

    def forgetful(self) -> "Moment":
        """The same without Adam's averages."""
        return self._replace(m=torch.zeros_like(self.m), v=torch.zeros_like(self.v), age=0)


def beginning(hinges: Hinges) -> Moment:
    theta = torch.cat([hinges.weight, hinges.bias, hinges.out, hinges.offset[None]])
    return Moment(theta, torch.zeros_like(theta), torch.zeros_like(theta), age=0, step=0)


def descend(now: Moment, x: Tensor, target: Tensor, *, lr: float, optimizer: str) -> Moment:
    """One step of descent on the mean squared error, along the gradient ("sgd") or as Adam does it ("adam")."""
    theta = now.theta.clone().requires_grad_()
    loss = (now._replace(theta=theta).hinges(x) - target).square().mean()
    (gradient,) = torch.autograd.grad(loss, theta)
    if optimizer == "sgd":
        return now._replace(theta=now.theta - lr * gradient, step=now.step + 1)
    m, v, age = BETA1 * now.m + (1 - BETA1) * gradient, BETA2 * now.v + (1 - BETA2) * gradient**2, now.age + 1
    move = (m / (1 - BETA1**age)) / ((v / (1 - BETA2**age)).sqrt() + EPS)
    return Moment(now.theta - lr * move, m, v, age, now.step + 1)


def best_heights(hinges: Hinges, x: Tensor, target: Tensor) -> Hinges:
    """The same knots with the outs and the offset of least squared error; the smallest such, where several do."""
    ones = torch.ones_like(x)[None]
    columns = torch.cat([hinges._replace(out=torch.ones_like(hinges.out)).parts(x), ones]).T  # (points, hinges + 1)
    found = torch.linalg.lstsq(columns, target[:, None], driver="gelsd").solution[:, 0]
    return hinges._replace(out=found[:-1], offset=found[-1])
