"""The loss on a plane through an example: where an attack walks, and why it gets through or not.

    loss( x + a * u + b * v )        u: the steepest direction of a threat, v: a random one at right angles to it

with the classes that the model tells there, the ball of the threat and the box [0, 1]. A smooth slope that rises to the
ball's edge is an honest model; a flat floor with cliffs where the classes change is one that hides its slope (Tramer et
al., 2018, arXiv:1705.07204, figure 1; Athalye et al., 2018, arXiv:1802.00420).
Where it fails: it is two directions of very many. A plane without another class in the ball says nothing about the rest
of the ball, and a random direction is nearly always a harmless one.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch

from dlcourse.nn.sizes import whole
from dlcourse.nn.softmax import log_softmax
from dlcourse.training.metrics import evaluating
from dlcourse.types import Bool, Float, Int, Tensor

ANGLES = 360  # of the outlines of ball and box
FAR = 10  # times the plane's reach, beyond which no outline is followed
POINTS = 1024  # of the plane, that the model is asked at a time
ROUNDING = 16  # steps of the float's precision, by which a point on the ball's edge may lie outside


@runtime_checkable
class Ball(Protocol):
    """What is asked of a threat, such as `attacks.Linf(0.1)`."""

    eps: float

    def norm(self, delta: Float[Tensor, "batch ..."]) -> Float[Tensor, " batch"]: ...

    def steepest(self, gradient: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch ..."]: ...


@dataclass(frozen=True, eq=False)
class LossPlane:
    """The plane: row i, column j belong to the point x + u[j] * directions[0] + v[i] * directions[1]."""

    u: Float[Tensor, " width"]  # along the first direction, from left to right, in the units of x
    v: Float[Tensor, " height"]  # along the second one, from the bottom up
    loss: Float[Tensor, "height width"]
    label: Int[Tensor, "height width"]  # the class that the model tells
    in_ball: Bool[Tensor, "height width"]
    in_box: Bool[Tensor, "height width"]  # are all pixels in [0, 1]?
    ball: Float[Tensor, "points 2"]  # (u, v) of its edge: not from the grid but exact, once around to where it began
    box: Float[Tensor, "points 2"]  # (u, v) of the edge of [0, 1]; x itself where a pixel at its end would move further
    directions: Float[Tensor, "2 ..."]  # of length 1 in the threat's norm
    right: int  # the example's own label
    eps: float  # the ball's radius
    along_gradient: bool  # is the first direction the steepest? False: there is no slope, and it is random


def plane(
    model: Callable[[Tensor], Tensor],
    x: Float[Tensor, "1 ..."],
    labels: Int[Tensor, "1"],
    threat: Ball,
    *,
    objective: Callable[[Tensor, Tensor], Tensor] | None = None,
    directions: Float[Tensor, "2 ..."] | None = None,
    size: int = 41,
    reach: float = 1.5,
    generator: torch.Generator | None = None,
) -> LossPlane:
    """The loss on `size` times `size` points around one example, as far as `reach` times eps along each direction.

    x: one example, (1, ...), in [0, 1]; the model is asked outside of [0, 1] too, and `in_box` says where that is.
    objective(logits, labels): one number for each example; by default the cross-entropy, in nats.
    directions: (2, ...); by default the steepest one at x and a random one, from `generator`, at right angles to it;
    both are brought to length 1 in the threat's norm. Where the slope at x is 0 or nan, as where it is masked, both are
    random. An odd size has x itself in its middle.

    The model answers in eval mode and is left as it was. Raises ValueError for more than one example, sizes below 2, a
    reach or an eps that is not above 0, a direction that is 0 or not finite, and for directions and generator both or
    neither.

    >>> from dlcourse import attacks
    >>> x, label = torch.tensor([[0.5, 0.4]]), torch.tensor([0])  # of two pixels: is the first the larger?
    >>> found = plane(lambda x: x, x, label, attacks.L2(0.3), directions=torch.eye(2), size=3, reach=1.0)
    >>> found.label  # upper pixels have the smaller row: the plane goes up with the row's number
    tensor([[0, 0, 0],
            [1, 0, 0],
            [1, 1, 0]])
    >>> found.in_ball
    tensor([[False,  True, False],
            [ True,  True,  True],
            [False,  True, False]])
    """
    if len(x) != 1 or labels.shape != (1,) or x.numel() < 2:
        raise ValueError(
            f"plane got x {tuple(x.shape)} and labels {tuple(labels.shape)}; wanted one example of two numbers or "
            "more, (1, ...) and (1,): x[:1], labels[:1]."
        )
    (size,) = whole("plane", 2, size=size)
    if not (0 < reach < math.inf and threat.eps > 0):
        raise ValueError(f"plane got reach={reach} and a ball of {threat.eps}; wanted finite numbers above 0.")
    if (directions is None) == (generator is None):
        raise ValueError("plane wants either directions=, or generator= for a random one.")
    x, objective = x.detach(), _cross_entropy if objective is None else objective
    with evaluating(model) if isinstance(model, torch.nn.Module) else torch.no_grad():
        along_gradient = False
        if directions is None:
            directions, along_gradient = _directions(model, x, labels, threat, objective, generator)
        directions = _of_length_one(directions.to(x), threat)
        u = torch.arange(size, dtype=x.dtype, device=x.device) * 2 / (size - 1) - 1  # exactly 0 in the middle
        u = u * (reach * threat.eps)
        ways = torch.stack(torch.meshgrid(u, u, indexing="xy"), dim=2).flatten(0, 1)  # row by row, the first is faster
        delta = torch.tensordot(ways, directions, dims=1)
        looks = [_look(model, part, labels, objective) for part in (x + delta).split(POINTS)]
    loss, label = (torch.cat(parts).reshape(size, size) for parts in zip(*looks, strict=True))
    in_ball = threat.norm(delta) <= threat.eps * (1 + ROUNDING * torch.finfo(x.dtype).eps)
    in_box = ((x + delta >= 0) & (x + delta <= 1)).flatten(1).all(1)
    return LossPlane(
        u,
        u,
        loss,
        label,
        in_ball.reshape(size, size),
        in_box.reshape(size, size),
        *_outlines(x, directions, threat, FAR * reach * threat.eps),
        directions,
        int(labels),
        float(threat.eps),
        along_gradient,
    )


def _directions(
    model: Callable[[Tensor], Tensor],
    x: Float[Tensor, "1 ..."],
    labels: Int[Tensor, "1"],
    threat: Ball,
    objective: Callable[[Tensor, Tensor], Tensor],
    generator: torch.Generator,
) -> tuple[Float[Tensor, "2 ..."], bool]:
    """The steepest direction at x, or a random one where there is none, and a random one at right angles to it."""
    noise = torch.randn((2, *x.shape[1:]), generator=generator, device=generator.device).to(x)
    with torch.enable_grad():
        leaf = x.clone().requires_grad_()
        value = objective(model(leaf), labels)
        (slope,) = torch.autograd.grad(value, leaf, allow_unused=True) if value.requires_grad else (None,)
    steepest = torch.zeros_like(x) if slope is None else threat.steepest(slope)
    along_gradient = bool(steepest.any())  # it is 0 where the slope is 0 or nan
    first = steepest[0] if along_gradient else noise[0]
    second = noise[1] - (noise[1] * first).sum() / first.square().sum() * first
    return torch.stack([first, second]), along_gradient


def _of_length_one(directions: Float[Tensor, "2 ..."], threat: Ball) -> Float[Tensor, "2 ..."]:
    lengths = threat.norm(directions)
    if not (lengths.isfinite() & (lengths > 0)).all():
        raise ValueError(
            f"plane got directions of the lengths {lengths.tolist()}; wanted two that are finite and not 0."
        )
    return directions / lengths.reshape(-1, *[1] * (directions.ndim - 1))


def _outlines(
    x: Float[Tensor, "1 ..."], directions: Float[Tensor, "2 ..."], threat: Ball, far: float
) -> tuple[Float[Tensor, "points 2"], Float[Tensor, "points 2"]]:
    """How far ball and box reach in each direction of the plane; both are convex and hold x, so it is their edge."""
    angles = torch.linspace(0, 2 * math.pi, ANGLES + 1, dtype=x.dtype, device=x.device)
    ways = torch.stack([angles.cos(), angles.sin()], dim=1)
    deltas = torch.tensordot(ways, directions, dims=1)
    room = torch.where(deltas > 0, 1 - x, x) / deltas.abs()  # 0 / 0 where a pixel does not move at all
    reaches = threat.eps / threat.norm(deltas), room.nan_to_num(math.inf).flatten(1).amin(1)
    ball, box = (ways * reach.clamp(0, far)[:, None] for reach in reaches)
    return ball, box


def _look(
    model: Callable[[Tensor], Tensor],
    points: Float[Tensor, "batch ..."],
    labels: Int[Tensor, "1"],
    objective: Callable[[Tensor, Tensor], Tensor],
) -> tuple[Float[Tensor, " batch"], Int[Tensor, " batch"]]:
    logits = model(points)
    return objective(logits, labels.expand(len(points))), logits.argmax(1)


def _cross_entropy(logits: Float[Tensor, "batch classes"], labels: Int[Tensor, " batch"]) -> Float[Tensor, " batch"]:
    return -log_softmax(logits).gather(1, labels[:, None])[:, 0]
