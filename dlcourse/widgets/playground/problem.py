"""The points that a network learns from, in the plane, and the features of a point that it may look at.

Every set is drawn by a recipe: one line of `dlcourse.data`, moved and stretched to lie within about [-3, 3] x [-3, 3].
`noise` has one meaning for all: the standard deviation, in units of 1.6 on the plane. Clouds (xor, blobs) have 0.3
more, or without noise they would be single points.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from dlcourse import data
from dlcourse.plot.draw import Extent
from dlcourse.seeding import generator
from dlcourse.types import Float, Tensor
from dlcourse.widgets.runs.strokes import Strokes, counted

EXTENT: Extent = (-3.5, 3.5, -3.5, 3.5)
EDGE = 3.4  # a point that noise throws farther is put here, so that the picture shows all of them
TEST = 200
MOST_OWN = 10_000  # the loss of the whole set is measured after every step or so
CALLS = {
    "moons": lambda n, noise, source: data.moons(n, noise=noise, generator=source),
    "circles": lambda n, noise, source: data.circles(n, noise=noise, generator=source),
    "spirals": lambda n, noise, source: data.spirals(n, noise=noise, turns=1.25, generator=source),
    "blobs": lambda n, noise, source: data.blobs(n, noise=noise, classes=2, generator=source),
    "xor": lambda n, noise, source: corners(n, noise, source),
}
SCALES = {"moons": 2.0, "circles": 2.5, "spirals": 2.8, "blobs": 0.9, "xor": 3.4}
CENTRES = {"moons": (0.5, 0.25), "xor": (0.5, 0.5)}  # of the others: the origin
FEATURES = {
    "x1": lambda x1, x2: x1,
    "x2": lambda x1, x2: x2,
    "x1^2": lambda x1, x2: x1.square(),
    "x2^2": lambda x1, x2: x2.square(),
    "x1*x2": lambda x1, x2: x1 * x2,
    "sin(x1)": lambda x1, x2: x1.sin(),
    "sin(x2)": lambda x1, x2: x2.sin(),
}

Point = tuple[float, float, int]  # x1, x2, label


@dataclass(frozen=True)
class Problem:
    """x: (n, 2) float32, y: (n,) float32 of 0 and 1. The test points are drawn as the training points are."""

    x: Float[Tensor, "train 2"]
    y: Float[Tensor, " train"]
    test_x: Float[Tensor, "test 2"]
    test_y: Float[Tensor, " test"]
    extent: Extent = EXTENT


def corners(n: int, noise: float, source: torch.Generator) -> tuple[Tensor, Tensor]:
    """Exclusive or: the four corners of the unit square, blurred; class 1 where just one of the two numbers is 1."""
    x, y = data.parity(n, bits=2, generator=source)
    return x + noise * torch.randn(n, 2, generator=source, device=source.device), y


def relative(name: str, noise: float) -> float:
    """`noise` in the units of the recipe, before it is stretched."""
    return round((1.6 * noise + 0.3 * (name in ("xor", "blobs"))) / SCALES[name], 4)


def sample(name: str, n: int, noise: float, source: torch.Generator) -> tuple[Tensor, Tensor]:
    """n points of a set: (n, 2) and (n,), both float32."""
    x, y = CALLS[name](n, relative(name, noise), source)
    moved = x - torch.tensor(CENTRES.get(name, (0.0, 0.0)), device="cpu")
    return (SCALES[name] * moved).clamp(-EDGE, EDGE), y.float()


def problem(values: Mapping[str, Any]) -> Problem:
    """The problem that the parameters `data`, `train`, `noise` and `seed` describe."""
    if values["data"] == "drawn":
        return Problem(*nothing(), *nothing())
    source = generator(10_000 + values["seed"])  # not the initial weights' stream, which generator(seed) is
    train = sample(values["data"], values["train"], values["noise"], source)
    return Problem(*train, *sample(values["data"], TEST, values["noise"], source))


def nothing() -> tuple[Tensor, Tensor]:
    return torch.zeros(0, 2, device="cpu"), torch.zeros(0, device="cpu")


def with_drawn(problem: Problem, drawn: Strokes) -> tuple[Tensor, Tensor]:
    """The training points, and after them what the learner drew."""
    points = [point for stroke in drawn for point in stroke]
    if not points:
        return problem.x, problem.y
    extra = torch.tensor(points, dtype=torch.float32, device="cpu")
    return torch.cat([problem.x, extra[:, :2]]), torch.cat([problem.y, extra[:, 2]])


def features(x: Float[Tensor, "points 2"], names: Sequence[str]) -> Float[Tensor, "points features"]:
    """What the network sees of each point.

    >>> features(torch.tensor([[2.0, 3.0]]), ("x1", "x1*x2"))
    tensor([[2., 6.]])
    """
    x1, x2 = x.T
    return torch.stack([FEATURES[name](x1, x2) for name in names], dim=1)


def own_problem(x: Any, y: Any, seed: int) -> Problem:
    """The learner's points, 30 % of them held out by `seed` as test points. Raises ValueError when they do not fit."""
    x, y = _tensor("X", x), _tensor("y", y)
    if x.ndim != 2 or x.shape[1] != 2 or y.shape != x.shape[:1] or not 1 <= len(x) <= MOST_OWN:
        raise ValueError(
            f"X is of shape {tuple(x.shape)} and y of shape {tuple(y.shape)}; wanted (n, 2) and (n,), with n from 1 to "
            f"{MOST_OWN}.{' Pick two columns, like X[:, :2].' if x.ndim == 2 and x.shape[1] > 2 else ''}"
        )
    if not x.isfinite().all():
        raise ValueError("X holds numbers that are not finite (nan or inf). Leave those rows out.")
    if not ((y == 0) | (y == 1)).all():
        raise ValueError(f"y holds {sorted(set(y.tolist()))[:6]}; wanted the labels 0 and 1 (or False and True).")
    order = torch.randperm(len(x), generator=generator(10_000 + seed), device="cpu")
    held_out = round(0.3 * len(x))
    test, train = order[:held_out], order[held_out:]
    return Problem(x[train], y[train], x[test], y[test], _around(x))


def checked_points(points: Any, extent: Extent) -> tuple[Point, ...]:
    """[[x1, x2, label], ...] within the extent, rounded so that a shared string stays short. Raises ValueError."""
    wanted = "wanted [[x1, x2, label], ...] with numbers inside the field and labels 0 or 1"
    return tuple(_point(point, extent, wanted) for point in counted(points, wanted))


def _point(point: Any, extent: Extent, wanted: str) -> Point:
    numbers = list(point) if isinstance(point, (list, tuple)) and len(point) == 3 else []
    if not numbers or any(isinstance(n, bool) or not isinstance(n, (int, float)) for n in numbers):
        raise ValueError(f"the point {str(point)[:60]}: {wanted}.")
    x1, x2, label = numbers
    left, right, bottom, top = extent
    if not (left <= x1 <= right and bottom <= x2 <= top and label in (0, 1)):
        raise ValueError(f"the point {str(point)[:60]}: {wanted}; the field is {[round(edge, 2) for edge in extent]}.")
    return round(float(x1), _digits(right - left)), round(float(x2), _digits(top - bottom)), int(label)


def _digits(width: float) -> int:
    """How many digits after the point: about a thousandth of the field, and never fewer than two."""
    return max(2, math.ceil(2.5 - math.log10(width)))


def _around(x: Tensor) -> Extent:
    low, high = x.min(dim=0).values.tolist(), x.max(dim=0).values.tolist()
    margin = [0.1 * (b - a) or max(1.0, 0.1 * abs(a)) for a, b in zip(low, high, strict=True)]
    return low[0] - margin[0], high[0] + margin[0], low[1] - margin[1], high[1] + margin[1]


def _tensor(name: str, values: Any) -> Tensor:
    try:
        made = values.detach() if isinstance(values, Tensor) else torch.as_tensor(values, device="cpu")
        return made.to("cpu", torch.float32, copy=True)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"{name} is no table of numbers ({error}). Give a tensor, a numpy array or a list.") from None
