"""What the attacker may do: a ball of radius eps around the example x, cut by the box [0, 1] of possible pixels.

    |x_adv - x| <= eps    in one of three norms          and   0 <= x_adv <= 1
    Linf(eps)   every pixel by at most eps                (Goodfellow et al., 2015, arXiv:1412.6572)
    L2(eps)     the root of the summed squares            (Szegedy et al., 2014, arXiv:1312.6199)
    L1(eps)     the summed sizes: few pixels, but much    (Croce and Hein, 2021, arXiv:2103.01208)

An attack asks a threat three things: which way is up fastest, what is the nearest allowed point, and where to start.
eps is in the units of x, pixels in [0, 1]: 8/255 is eight grey levels. Where it fails: a ball in pixels is a crude
model of "looks the same"; a picture moved by one pixel leaves it, and some changes inside it can be seen.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from numbers import Real

import torch

from dlcourse.types import Bool, Float, Tensor


@dataclass(frozen=True)
class Threat(ABC):
    """A ball of radius eps in some norm, cut by the box [0, 1]. x is (batch, ...) in [0, 1] throughout.

    Raises ValueError for an eps that is no finite number of 0 or more.
    """

    eps: float  # in the units of x

    def __post_init__(self) -> None:
        if isinstance(self.eps, bool) or not isinstance(self.eps, Real) or not 0 <= self.eps < math.inf:
            raise ValueError(
                f"{type(self).__name__}(eps={self.eps!r}): wanted a finite number of 0 or more, in units of pixels in "
                "[0, 1]; eight grey levels of 255 are 8/255."
            )

    @abstractmethod
    def norm(self, delta: Float[Tensor, "batch ..."]) -> Float[Tensor, " batch"]:
        """The length of each perturbation."""

    @abstractmethod
    def steepest(
        self,
        gradient: Float[Tensor, "batch ..."],
        x: Float[Tensor, "batch ..."] | None = None,
        step: float | None = None,
    ) -> Float[Tensor, "batch ..."]:
        """The direction of length 1, in this norm, along which a function with this gradient rises most.

        0 where the gradient is 0; nan in it counts as 0. x and step, where one stands and how far one will go, matter
        in L1 only.
        """

    @abstractmethod
    def _fit(self, size: Float[Tensor, "batch ..."], room: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch ..."]:
        """Of all v of length eps or less with 0 <= v <= room, the nearest to `size`; both are 0 or more."""

    @abstractmethod
    def random(self, x: Float[Tensor, "batch ..."], *, generator: torch.Generator) -> Float[Tensor, "batch ..."]:
        """x plus a uniformly random point of the ball, clamped into the box. Drawn where the generator is."""

    def project(self, x_adv: Float[Tensor, "batch ..."], x: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch ..."]:
        """The allowed point nearest to x_adv, in the Euclidean distance whatever the norm; exactly, up to rounding.

        To project on the ball and then clamp into the box gives an allowed point too, but in L2 and L1 seldom the
        nearest: what the clamp takes away could have been spent on other pixels.
        """
        delta = x_adv - x
        room = torch.where(delta > 0, 1 - x, x)  # how far it is to the edge of the box
        return (x + self._fit(delta.abs(), room) * delta.sign()).clamp(0, 1)

    def project_ball(self, delta: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch ..."]:
        """The nearest perturbation of length eps or less, in the Euclidean distance; there is no box."""
        return self._fit(delta.abs(), torch.full_like(delta, math.inf)) * delta.sign()

    def contains(self, x_adv: Float[Tensor, "batch ..."], x: Float[Tensor, "batch ..."]) -> Bool[Tensor, " batch"]:
        """Is x_adv allowed? Exactly for the box; for the ball but for rounding: a float's precision in each pixel."""
        rounding = torch.finfo(x.dtype).eps * (self.norm(torch.ones_like(x)) + 16 * self.eps)
        inside = ((x_adv >= 0) & (x_adv <= 1)).flatten(1).all(1)
        return inside & (self.norm(x_adv - x) <= self.eps + rounding)


@dataclass(frozen=True)
class Linf(Threat):
    """Every pixel may change by eps: many small changes.

    >>> import torch
    >>> threat, x = Linf(0.1), torch.tensor([[0.5, 0.95, 0.0]])
    >>> threat.project(torch.tensor([[0.0, 2.0, 0.05]]), x)
    tensor([[0.4000, 1.0000, 0.0500]])
    >>> threat.steepest(torch.tensor([[-3.0, 0.0, 0.2]]))
    tensor([[-1.,  0.,  1.]])
    """

    def norm(self, delta: Float[Tensor, "batch ..."]) -> Float[Tensor, " batch"]:
        return delta.flatten(1).abs().amax(1)

    def steepest(
        self,
        gradient: Float[Tensor, "batch ..."],
        x: Float[Tensor, "batch ..."] | None = None,
        step: float | None = None,
    ) -> Float[Tensor, "batch ..."]:
        return gradient.sign()  # of nan, it is 0

    def _fit(self, size: Float[Tensor, "batch ..."], room: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch ..."]:
        return size.minimum(room).clamp(max=self.eps)

    def project(self, x_adv: Float[Tensor, "batch ..."], x: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch ..."]:
        """Pixel by pixel: this threat is a box itself, so that two clamps are exact."""
        return x_adv.clamp(x - self.eps, x + self.eps).clamp(0, 1)

    def random(self, x: Float[Tensor, "batch ..."], *, generator: torch.Generator) -> Float[Tensor, "batch ..."]:
        u = torch.rand(x.shape, generator=generator, device=generator.device).to(x)
        return (x + self.eps * (2 * u - 1)).clamp(0, 1)


@dataclass(frozen=True)
class L2(Threat):
    """The length of the perturbation, as of an arrow: a change goes where it helps most.

    >>> import torch
    >>> threat, x = L2(1.0), torch.tensor([[0.5, 0.5, 0.9]])
    >>> threat.project(x + torch.tensor([[0.3, 0.4, 0.0]]), x)  # within the ball already
    tensor([[0.8000, 0.9000, 0.9000]])
    >>> threat.steepest(torch.tensor([[3.0, 4.0, 0.0]]))
    tensor([[0.6000, 0.8000, 0.0000]])
    """

    def norm(self, delta: Float[Tensor, "batch ..."]) -> Float[Tensor, " batch"]:
        return torch.linalg.vector_norm(delta.flatten(1), dim=1)

    def steepest(
        self,
        gradient: Float[Tensor, "batch ..."],
        x: Float[Tensor, "batch ..."] | None = None,
        step: float | None = None,
    ) -> Float[Tensor, "batch ..."]:
        rows = gradient.nan_to_num(0.0).flatten(1)
        rows = rows / _positive(rows.abs().amax(1, keepdim=True))  # first, or the squares of small slopes are lost
        return (rows / _positive(torch.linalg.vector_norm(rows, dim=1, keepdim=True))).reshape(gradient.shape)

    def _fit(self, size: Float[Tensor, "batch ..."], room: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch ..."]:
        """v = min(scale * size, room): the nearest point (Lagrange's condition), for the scale that gives length eps.

        The search begins at the scale that would do without a box. Pixels at the edge leave something over for the
        others, which makes the scale larger, which may bring more pixels to the edge; it ends, because none comes back.
        """
        rows, caps = size.flatten(1), room.flatten(1)
        best = rows.minimum(caps)
        outside = self.norm(best) > self.eps
        if outside.any():
            length = _positive(self.norm(rows))[:, None]
            scale = torch.full_like(length, self.eps) / length  # eps / length is eps * (1 / length), which overflows
            for _ in range(rows.shape[1]):
                free = rows * scale < caps
                left = (self.eps**2 - (caps.where(~free, 0.0)).square().sum(1)).clamp(min=0)
                wider = (left.sqrt() / _positive(self.norm(rows.where(free, 0.0))))[:, None].maximum(scale)
                if not (wider > scale)[outside].any():
                    break
                scale = wider
            best = torch.where(outside[:, None], (rows * scale).minimum(caps), best)
        return best.reshape(size.shape)

    def random(self, x: Float[Tensor, "batch ..."], *, generator: torch.Generator) -> Float[Tensor, "batch ..."]:
        """A normal direction, at a distance eps u^(1/n) with u uniform: most of a ball of n dimensions is its rim."""
        arrow = torch.randn(x.shape, generator=generator, device=generator.device).to(x).flatten(1)
        u = torch.rand(len(x), 1, generator=generator, device=generator.device).to(x)
        arrow = arrow / _positive(self.norm(arrow))[:, None] * u ** (1 / arrow.shape[1])
        return (x + self.eps * arrow.reshape(x.shape)).clamp(0, 1)


@dataclass(frozen=True)
class L1(Threat):
    """The sizes of all changes together: the attacker does best with few pixels, and pushes them to the edge.

    >>> import torch
    >>> threat, x = L1(1.0), torch.tensor([[0.5, 0.8, 1.0, 0.5]])
    >>> threat.project_ball(torch.tensor([[0.9, -0.5, 0.1, 0.0]]))
    tensor([[ 0.7000, -0.3000,  0.0000,  0.0000]])
    >>> threat.steepest(torch.tensor([[1.0, 3.0, 4.0, 2.0]]))  # the pixel with the largest slope
    tensor([[0., 0., 1., 0.]])
    >>> threat.steepest(torch.tensor([[1.0, 3.0, 4.0, 2.0]]), x, 0.5)  # at 1 it can rise no further: the next best two
    tensor([[0.0000, 0.4000, 0.0000, 0.6000]])
    """

    def norm(self, delta: Float[Tensor, "batch ..."]) -> Float[Tensor, " batch"]:
        return delta.flatten(1).abs().sum(1)

    def steepest(
        self,
        gradient: Float[Tensor, "batch ..."],
        x: Float[Tensor, "batch ..."] | None = None,
        step: float | None = None,
    ) -> Float[Tensor, "batch ..."]:
        """All on the pixel with the largest slope: with x, of those that can still go their way within the box; with a
        step too, as far as it has room, then on the next. It is shorter than 1 only where no pixel has room.

        So x + step * direction is the best point at this distance for a linear function, in the box. Of equal slopes
        the first pixel counts.
        """
        rows = gradient.nan_to_num(0.0).flatten(1)
        room = torch.full_like(rows, math.inf)
        if x is not None:
            to_edge = torch.where(gradient > 0, 1 - x, x).flatten(1)
            room = (to_edge / step if step else room).where(to_edge > 0, 0.0)
        order = rows.abs().argsort(dim=1, descending=True, stable=True)
        room = room.gather(1, order).clamp(max=1)
        before = room.cumsum(1) - room  # what better pixels take
        taken = room.minimum((1 - before).clamp(min=0))
        return (torch.zeros_like(rows).scatter(1, order, taken) * rows.sign()).reshape(gradient.shape)

    def _fit(self, size: Float[Tensor, "batch ..."], room: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch ..."]:
        """v = clamp(size - level, 0, room): all pixels lose the same, for the level at which the sum is eps.

        As the level falls, the sum grows along straight lines, with a bend where a pixel comes up from 0 (at its size)
        and where it arrives at its edge (size - room). So sort the bends, walk down, and take the line on which the sum
        passes eps (without a box: Duchi et al., 2008, figure 1; with one: Croce and Hein, 2021, proposition 2.1).
        """
        rows, caps = size.flatten(1), room.flatten(1)
        bends, order = torch.cat([rows, (rows - caps).clamp(min=0)], dim=1).sort(dim=1, descending=True)
        growing = torch.cat([torch.ones_like(rows), torch.full_like(rows, -1.0)], dim=1).gather(1, order).cumsum(1)
        gains = growing[:, :-1] * -bends.diff(dim=1)
        sums = torch.cat([torch.zeros_like(rows[:, :1]), gains.cumsum(1)], dim=1)  # at each bend
        last = (sums <= self.eps).sum(1, keepdim=True) - 1  # the last bend before the sum is eps
        left = (self.eps - sums.gather(1, last)) / growing.gather(1, last).clamp(min=1)
        level = (bends.gather(1, last) - left).clamp(min=0)
        best = (rows - level).clamp(min=0).minimum(caps)
        best = best * (self.eps / _positive(best.sum(1, keepdim=True))).clamp(max=1)  # large sizes round coarsely
        return best.reshape(size.shape)

    def random(self, x: Float[Tensor, "batch ..."], *, generator: torch.Generator) -> Float[Tensor, "batch ..."]:
        """n + 1 exponential numbers over their sum: n of them, with random signs, are uniform in the ball."""
        n = x[:1].numel()
        draw = {"generator": generator, "device": generator.device}
        waits = torch.log1p(-torch.rand(len(x), n + 1, **draw)).to(x)  # all of one sign, which cancels
        signs = 2 * torch.randint(2, (len(x), n), **draw).to(x) - 1
        share = waits[:, :n] / waits.sum(1, keepdim=True)
        return (x + self.eps * (share * signs).reshape(x.shape)).clamp(0, 1)


def _positive(values: Tensor) -> Tensor:
    """1 in place of 0: what is divided by it is 0 too."""
    return torch.where(values > 0, values, 1.0)
