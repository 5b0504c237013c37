"""The surfaces that the race is run on: a loss of two weights, x and y, and its gradient by hand.

Every one of them has its lowest value 0 in its picture, and is scaled so that a learning rate of 0.05 suits it.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import torch

from dlcourse.plot.draw import Extent
from dlcourse.types import Float, Tensor

COLUMNS, ROWS = 96, 72  # places of the field, across and up
OWN_EXTENT: Extent = (-4.0, 4.0, -3.0, 3.0)
CANDIDATES, MOST_MINIMA = 24, 12
LONGEST_STORY = 300

Pair = tuple[Tensor, Tensor]


def bowl(x: Tensor, y: Tensor, condition: float, turn: float) -> Tensor:
    """Half of u^2 + condition v^2, where u and v are x and y turned by `turn` degrees."""
    cos, sin = math.cos(math.radians(turn)), math.sin(math.radians(turn))
    u, v = cos * x + sin * y, cos * y - sin * x
    return (u * u + condition * v * v) / 2


def bowl_slope(x: Tensor, y: Tensor, condition: float, turn: float) -> Pair:
    cos, sin = math.cos(math.radians(turn)), math.sin(math.radians(turn))
    u, v = cos * x + sin * y, cos * y - sin * x
    return cos * u - sin * condition * v, sin * u + cos * condition * v


def saddle(x: Tensor, y: Tensor) -> Tensor:
    """Up along x, down along y from the middle, to two minima at y = 1 and y = -1."""
    return x * x / 2 + (y * y - 1) ** 2 / 4


def saddle_slope(x: Tensor, y: Tensor) -> Pair:
    return x, y * (y * y - 1)


def valley(x: Tensor, y: Tensor) -> Tensor:
    """Rosenbrock's valley (1960), here 20 times as steep across as along and not 100, and divided by 20."""
    return (y - x * x) ** 2 + (1 - x) ** 2 / 20


def valley_slope(x: Tensor, y: Tensor) -> Pair:
    return -4 * x * (y - x * x) - (1 - x) / 10, 2 * (y - x * x)


def hollows(x: Tensor, y: Tensor) -> Tensor:
    """Minima at x = -1.6 (loss 0) and x = 1.4 (loss 0.9), and a hump between them at x = 0.2."""
    return (x**4 / 4 - 1.14 * x * x + 0.448 * x + 1.9968) * 2 / 3 + y * y / 2


def hollows_slope(x: Tensor, y: Tensor) -> Pair:
    return (x**3 - 2.28 * x + 0.448) * 2 / 3, y


def cliff(x: Tensor, y: Tensor) -> Tensor:
    """A plateau on the left, a drop of 3 within a quarter of a unit, a flat floor with its minimum at (2, 0)."""
    return 3 * torch.sigmoid(-20 * x) + (x - 2) ** 2 / 50 + y * y / 10


def cliff_slope(x: Tensor, y: Tensor) -> Pair:
    high = torch.sigmoid(-20 * x)
    return -60 * high * (1 - high) + (x - 2) / 25, y / 5


@dataclass(frozen=True)
class Surface:
    """loss and slope take x and y, tensors of one shape, and `shape` by name.

    minima: where a racer may arrive; starts: where it begins if nothing else is said; lowest: the least loss known.
    """

    name: str
    story: str
    loss: Callable[..., Tensor]
    slope: Callable[..., Pair]
    extent: Extent
    minima: tuple[tuple[float, float], ...]
    start: tuple[float, float]
    lowest: float = 0.0
    shape: Mapping[str, float] = field(default_factory=dict)

    @property
    def ring(self) -> float:
        """A racer has arrived when it stays this close to a minimum."""
        return (self.extent[1] - self.extent[0]) / 50

    def at(self, place: Float[Tensor, "... 2"]) -> Float[Tensor, "..."]:
        """The loss at each place."""
        return self.loss(*place.unbind(-1), **self.shape)

    def gradient(self, place: Float[Tensor, "... 2"]) -> Float[Tensor, "... 2"]:
        return torch.stack(self.slope(*place.unbind(-1), **self.shape), dim=-1)

    def holds(self, x: float, y: float) -> bool:
        """Whether a place is in the picture."""
        left, right, bottom, top = self.extent
        return bool(left <= x <= right and bottom <= y <= top)

    def curvature(self, place: Float[Tensor, " 2"]) -> float:
        """The largest curvature of the loss at a place, in whichever direction: of the Hessian's eigenvalues."""
        with torch.enable_grad():
            hessian = torch.autograd.functional.hessian(self.at, place.detach())
        return torch.linalg.eigvalsh(hessian)[-1].item() if hessian.isfinite().all() else math.nan

    def field(self) -> Float[Tensor, "height width"]:
        """The loss over the picture, the lowest row first."""
        left, right, bottom, top = self.extent
        x = torch.linspace(left, right, COLUMNS, dtype=torch.float64, device="cpu")
        y = torch.linspace(bottom, top, ROWS, dtype=torch.float64, device="cpu")
        return self.loss(*reversed(torch.meshgrid(y, x, indexing="ij")), **self.shape)


def surface(name: str, condition: float, turn: float) -> Surface:
    """One of the built-in surfaces; condition and turn (degrees) shape the bowl and no other."""
    if name == "bowl":
        steep = f"{condition:.3g} times as steep across as along" if condition > 1.5 else "the same in all directions"
        turned = " and turned, so that both directions mix the two weights" if turn and condition > 1.5 else ""
        ask = "One learning rate has to serve both." if condition > 1.5 else "Straight down is the way."
        shape = {"condition": condition, "turn": turn}
        story, extent = f"A bowl, {steep}{turned}. {ask}", (-5.0, 5.0, -3.75, 3.75)
        return Surface(name, story, bowl, bowl_slope, extent, ((0.0, 0.0),), (-4.0, 1.5), shape=shape)
    return _SURFACES[name]


_SURFACES = {
    "saddle": Surface(
        "saddle",
        "A saddle: from left and right down to the middle, and from there, gently at first, down to two minima. "
        "Who comes along the ridge must find the way off it.",
        *(saddle, saddle_slope, (-4.0, 4.0, -3.0, 3.0), ((0.0, -1.0), (0.0, 1.0)), (-3.0, 0.01)),
    ),
    "valley": Surface(
        "valley",
        "Rosenbrock's valley: getting in is easy; following its bent and almost level floor to the minimum is not.",
        *(valley, valley_slope, (-2.0, 2.0, -0.75, 2.25), ((1.0, 1.0),), (-1.5, 1.5)),
    ),
    "hollows": Surface(
        "hollows",
        "Two hollows, the left one deeper. Where a racer ends depends on its start, its speed, and the noise.",
        *(hollows, hollows_slope, (-3.2, 3.2, -2.4, 2.4), ((-1.6, 0.0), (1.4, 0.0)), (2.8, 1.5)),
    ),
    "cliff": Surface(
        "cliff",
        "A plateau that hardly slopes, then a cliff, then a level floor: small gradients, then a very large one.",
        *(cliff, cliff_slope, (-4.0, 4.0, -3.0, 3.0), ((2.0, 0.0),), (-2.5, 1.5)),
    ),
}
NAMES = ("bowl", *_SURFACES)


# A learner's own.


def own_surface(function: Callable[[Tensor, Tensor], Tensor], extent: Any = None) -> Surface:
    """function: from x and y, float64 tensors of one shape, to the loss at each place, of that shape, made of torch's
    operations. extent: (left, right, bottom, top) of the picture. Raises ValueError for what does not fit.

    >>> made = own_surface(lambda x, y: (x - 1) ** 2 + 3 * y**2 + 5)
    >>> made.minima, made.lowest
    (((1.0, 0.0),), 5.0)
    """
    edges = _edges(OWN_EXTENT if extent is None else extent)

    def loss(x: Tensor, y: Tensor) -> Tensor:
        found = function(x, y)
        if not isinstance(found, torch.Tensor) or found.shape != x.shape:
            what = f"shape {tuple(found.shape)}" if isinstance(found, torch.Tensor) else type(found).__name__
            raise ValueError(
                f"your surface gave {what} for x and y of shape {tuple(x.shape)}: wanted a tensor of that shape, the "
                "loss at each place. Use torch's operations, such as x.square() + y.square()."
            )
        return found

    def slope(x: Tensor, y: Tensor) -> Pair:
        with torch.enable_grad():
            x, y = x.detach().requires_grad_(), y.detach().requires_grad_()
            return torch.autograd.grad(loss(x, y).sum(), (x, y), materialize_grads=True)

    story = " ".join((function.__doc__ or "Your own surface.").split())[:LONGEST_STORY]
    left, right, bottom, top = edges
    start = (left + 0.12 * (right - left), bottom + 0.8 * (top - bottom))
    plain = Surface("own", story, loss, slope, edges, (), start)
    with torch.no_grad():
        heights = plain.field()
        if not heights.isfinite().any():
            raise ValueError("your surface is a finite number nowhere in the picture: change it, or its extent.")
        minima = _minima(plain, heights)
        lowest = min(
            [plain.at(_place(minimum)).item() for minimum in minima] or [heights[heights.isfinite()].min().item()]
        )
    try:
        plain.gradient(_place(start))
    except RuntimeError as error:
        raise ValueError(f"your surface has no gradient ({error}). Make it of torch's operations on x and y.") from None
    return Surface("own", story, loss, slope, edges, minima, start, lowest)


def _edges(extent: Any) -> Extent:
    try:
        left, right, bottom, top = (float(edge) for edge in extent)
    except (TypeError, ValueError):
        left, right, bottom, top = math.nan, 0.0, 0.0, 0.0
    if not (left < right and bottom < top and all(math.isfinite(edge) for edge in (left, right, bottom, top))):
        raise ValueError(f"extent={extent!r}: wanted four numbers (left, right, bottom, top), left below right.")
    return left, right, bottom, top


def _minima(plain: Surface, heights: Tensor) -> tuple[tuple[float, float], ...]:
    """From each place of the field below all its eight neighbours downhill: where that ends, in the picture."""
    left, right, bottom, top = plain.extent
    across, up = (right - left) / (COLUMNS - 1), (top - bottom) / (ROWS - 1)
    middle, below = heights[1:-1, 1:-1], torch.ones(ROWS - 2, COLUMNS - 2, dtype=torch.bool, device="cpu")
    for down, along in product((0, 1, 2), repeat=2):
        if (down, along) != (1, 1):
            beside = heights[down : down + ROWS - 2, along : along + COLUMNS - 2]
            # Of two equal neighbours the later one counts: a minimum half-way between places is still found, once.
            below &= (middle < beside) if (down, along) < (1, 1) else (middle <= beside)
    found = [(row + 1, column + 1) for row, column in below.nonzero().tolist()]
    minima: list[tuple[float, float]] = []
    for row, column in sorted(found, key=lambda place: heights[place].item())[:CANDIDATES]:
        minimum = _descended(plain, left + column * across, bottom + row * up)
        # A bent valley makes many such places of one minimum.
        if plain.holds(*minimum) and all(math.dist(minimum, other) > plain.ring for other in minima):
            minima.append(minimum)
    return tuple(minima[:MOST_MINIMA])


def _descended(plain: Surface, x: float, y: float) -> tuple[float, float]:
    """The minimum below a place, by torch's L-BFGS."""
    place = _place((x, y)).requires_grad_()
    exact = {"tolerance_grad": 1e-12, "tolerance_change": 1e-15, "line_search_fn": "strong_wolfe"}
    optimizer = torch.optim.LBFGS([place], max_iter=200, **exact)

    def loss() -> Tensor:
        optimizer.zero_grad()
        with torch.enable_grad():
            height = plain.at(place)
            height.backward()
        return height

    optimizer.step(loss)
    x, y = place.tolist()
    return round(x, 6) + 0.0, round(y, 6) + 0.0


def _place(place: tuple[float, float]) -> Tensor:
    return torch.tensor(place, dtype=torch.float64, device="cpu")
