"""The law that real points are drawn from: a set of places, one of them at random for each point, and noise around it.

Where the places are few (eight, a grid, a point) they are the modes, and covering can be counted; elsewhere they stand
so close that noise blurs them into a curve. What a learner draws is a set of places like any other.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch

from dlcourse import data
from dlcourse.plot.draw import Extent
from dlcourse.seeding import generator
from dlcourse.types import Float, Tensor
from dlcourse.widgets.runs.strokes import Strokes, counted

EXTENT: Extent = (-3.0, 3.0, -3.0, 3.0)
MOST_OWN = 10_000
NARROWEST = 0.02  # the noise that "on the data" is measured with, where there is less
DRAWN = "drawn"
# Each is one line, so that a program may say it too; `grid` is this file's.
PLACES = {
    "eight_gaussians": "data.eight_gaussians(8, noise=0.0, generator=generator(0))[0]",
    "grid": "torch.cartesian_prod(torch.linspace(-2, 2, 5), torch.linspace(-2, 2, 5))",
    "point": "torch.tensor([[1.0, 0.5]])",
    "line": "torch.linspace(-2, 2, 200)[:, None] * torch.tensor([1.0, 0.6])",
    "ring": "2 * data.circles(400, noise=0.0, generator=generator(0))[0][::2]",
    "moons": "1.5 * (data.moons(400, noise=0.0, generator=generator(0))[0] - torch.tensor([0.5, 0.25]))",
    "spiral": "2.4 * data.spirals(400, noise=0.0, classes=1, turns=1.5, generator=generator(0))[0]",
}
WITH_MODES = frozenset({"eight_gaussians", "grid", "point"})

Point = tuple[float, float]


def _made(name: str) -> Float[Tensor, "points 2"]:
    """The places of a named target: what the line of `PLACES` gives."""
    across = torch.linspace(-2, 2, 5, device="cpu")
    return {
        "eight_gaussians": lambda: data.eight_gaussians(8, noise=0.0, generator=generator(0))[0],
        "grid": lambda: torch.cartesian_prod(across, across),
        "point": lambda: torch.tensor([[1.0, 0.5]], device="cpu"),
        "line": lambda: torch.linspace(-2, 2, 200, device="cpu")[:, None] * torch.tensor([1.0, 0.6], device="cpu"),
        "ring": lambda: 2 * data.circles(400, noise=0.0, generator=generator(0))[0][::2],
        "moons": lambda: (
            1.5 * (data.moons(400, noise=0.0, generator=generator(0))[0] - torch.tensor([0.5, 0.25], device="cpu"))
        ),
        "spiral": lambda: 2.4 * data.spirals(400, noise=0.0, classes=1, turns=1.5, generator=generator(0))[0],
    }[name]()


@dataclass(frozen=True, eq=False)
class Target:
    """places: (points, 2), float32. noise: the standard deviation around a place. modes: whether each place is one."""

    places: Float[Tensor, "points 2"]
    noise: float
    modes: bool
    extent: Extent = EXTENT

    @property
    def radius(self) -> float:
        """How far from a place a point may lie and still be on the data: three standard deviations."""
        return 3 * max(self.noise, NARROWEST) * self.scale

    @cached_property
    def scale(self) -> float:
        """The noise is in units of the plane; beside own points of other sizes, in sixths of their picture's width."""
        return (self.extent[1] - self.extent[0]) / (EXTENT[1] - EXTENT[0])

    def draw(self, n: int, source: torch.Generator) -> Float[Tensor, "points 2"]:
        """n real points, fresh ones at every call. Raises ValueError when there is no place yet."""
        if not len(self.places):
            raise ValueError("there is no real point yet: draw some in the picture, or choose a target.")
        chosen = torch.randint(len(self.places), (n,), generator=source, device="cpu")
        blur = torch.randn(n, 2, generator=source, device="cpu")
        return self.places[chosen] + self.noise * self.scale * blur


def target(values: Mapping[str, Any], drawn: Strokes = ()) -> Target:
    """The target that the parameters `data` and `noise` and what was drawn describe.

    >>> target({"data": "eight_gaussians", "noise": 0.1}).places[0].tolist()
    [2.0, 0.0]
    """
    name, noise = values["data"], values["noise"]
    if name == DRAWN:
        points = [point for stroke in drawn for point in stroke]
        return Target(torch.tensor(points, dtype=torch.float32, device="cpu").reshape(-1, 2), noise, False)
    return Target(_made(name), noise, name in WITH_MODES)


def own_target(x: Any, noise: float) -> Target:
    """The learner's points as places, in a square picture around them. Raises ValueError when they do not fit."""
    try:
        made = torch.as_tensor(x.detach() if isinstance(x, Tensor) else x, device="cpu").to("cpu", torch.float32)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"X is no table of numbers ({error}). Give a tensor, a numpy array or a list.") from None
    if made.ndim != 2 or made.shape[1] != 2 or not 1 <= len(made) <= MOST_OWN:
        raise ValueError(
            f"X is of shape {tuple(made.shape)}; wanted (n, 2), with n from 1 to {MOST_OWN}."
            f"{' Pick two columns, like X[:, :2].' if made.ndim == 2 and made.shape[1] > 2 else ''}"
        )
    if not made.isfinite().all():
        raise ValueError("X holds numbers that are not finite (nan or inf). Leave those rows out.")
    low, high = made.min(dim=0).values, made.max(dim=0).values
    reach = 0.75 * float((high - low).max()) or 1.0
    x1, x2 = ((low + high) / 2).tolist()
    return Target(made.clone(), noise, False, (x1 - reach, x1 + reach, x2 - reach, x2 + reach))


def checked_points(points: Any, extent: Extent = EXTENT) -> tuple[Point, ...]:
    """[[x1, x2], ...] within the extent, rounded so that a shared string stays short. Raises ValueError."""
    wanted = "wanted [[x1, x2], ...] with numbers inside the picture"
    return tuple(_point(point, extent, wanted) for point in counted(points, wanted))


def _point(point: Any, extent: Extent, wanted: str) -> Point:
    numbers = list(point) if isinstance(point, (list, tuple)) and len(point) == 2 else []
    if not numbers or any(isinstance(n, bool) or not isinstance(n, (int, float)) for n in numbers):
        raise ValueError(f"the point {str(point)[:60]}: {wanted}.")
    left, right, bottom, top = extent
    x1, x2 = map(float, numbers)
    if not (math.isfinite(x1) and math.isfinite(x2) and left <= x1 <= right and bottom <= x2 <= top):
        raise ValueError(f"the point {str(point)[:60]}: {wanted}; it shows {[round(edge, 2) for edge in extent]}.")
    return round(x1, 3), round(x2, 3)
