"""Square: an attack that only asks. It sees logits and no slope, so that a model cannot hide from it by masking slopes.

    start      Linf: vertical stripes, each wholly up or down by eps        L2: a pattern of small hills
    propose    Linf: a random square is set to up or down by eps, each colour as a coin falls
               L2: a random square gets another hill, and another square pays for it with its length
    keep it    if the margin rose, or the model is fooled

The squares shrink from four fifths of the picture to a pixel or so (Andriushchenko, Croce, Flammarion and Hein, 2020,
arXiv:1912.00049, algorithms 1 to 4). It works because what a convolution sees best is a patch at the corner of the
ball. Where it fails: on a model that answers at random it keeps what was only lucky; and it takes many questions.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch

from dlcourse.attacks.boundary import pick
from dlcourse.attacks.objective import Model, answers, asking, begin, margin
from dlcourse.attacks.threat import L1, L2, Threat
from dlcourse.nn.sizes import whole
from dlcourse.types import Bool, Float, Int, Tensor

SHARE = 0.8  # of the picture, that the first squares cover
HALVINGS = (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000)  # the share is halved after so many of 10,000 steps


@dataclass(frozen=True, eq=False)
class SquareStep:
    """One question to the model; the first of them is about the start."""

    index: int  # proposals before it
    x_adv: Float[Tensor, "batch ..."]  # after it, for each example the best so far
    margin: Float[Tensor, " batch"]  # there; above 0: fooled
    fooled: Bool[Tensor, " batch"]  # there; these are left alone from now on
    kept: Bool[Tensor, " batch"]  # the proposal was better, and was kept
    side: int  # of the square, in pixels; 0 for the start


def square_steps(
    model: Model,
    x: Float[Tensor, "batch ..."],
    labels: Int[Tensor, " batch"],
    threat: Threat,
    *,
    steps: int = 1000,
    targets: Int[Tensor, " batch"] | None = None,
    generator: torch.Generator,
) -> Iterator[SquareStep]:
    """The start and at most `steps` proposals, until all are fooled: one pass forward for each, and none back.

    x: images (batch, channel, height, width) in [0, 1]; examples of another shape are taken as one row of pixels. The
    threat is Linf or L2. Each example has squares of its own: from one generator, a batch in two parts gives what it
    gives as a whole (its random numbers are drawn at once, an example after the other). Raises ValueError for L1, and
    what `begin` refuses.
    """
    x, goal = begin("square", x, labels, threat, targets, margin)
    (steps,) = whole("square", 0, steps=steps)
    if isinstance(threat, L1):
        raise ValueError(f"square got {threat}; wanted Linf or L2. Its patterns are made for these two.")
    image = x if x.ndim == 4 else x.reshape(len(x), 1, 1, -1)
    kind = _Hills if isinstance(threat, L2) else _Stripes
    first, each = kind.first(image), kind.each(image)
    numbers = torch.rand(len(x), first + steps * each, generator=generator, device=generator.device).to(x.device)

    def ask(delta: Tensor, rows: Tensor) -> tuple[Tensor, ...]:
        """The point, the margin and whether it fools, for some of the examples."""
        tried = threat.project((image[rows] + delta).reshape(x[rows].shape), x[rows])
        with asking(model):
            logits = answers(model, tried)
        some = goal.of(rows)
        return tried, some(logits), some.reached(logits)

    x_adv, height, fooled = ask(
        kind.start(numbers[:, :first], image, threat.eps), torch.arange(len(x), device=x.device)
    )
    yield SquareStep(0, x_adv, height, fooled, torch.ones_like(fooled), 0)
    for index in range(steps):
        rows = (~fooled).nonzero()[:, 0]
        if not len(rows):
            return
        side = side_at(index, steps, image.shape[2] * image.shape[3])
        draw = numbers[rows, first + index * each : first + (index + 1) * each]
        delta = kind.proposal(draw, (x_adv.reshape(image.shape) - image)[rows], side, threat.eps)
        tried, new, reached = ask(delta, rows)
        better = (new > height[rows]) | reached
        kept = torch.zeros_like(fooled).index_copy(0, rows, better)
        x_adv = pick(kept, x_adv.index_copy(0, rows, tried), x_adv)
        height = torch.where(kept, height.index_copy(0, rows, new), height)
        fooled = fooled.index_copy(0, rows, reached)
        yield SquareStep(index + 1, x_adv, height, fooled, kept, side)


def square(
    model: Model,
    x: Float[Tensor, "batch ..."],
    labels: Int[Tensor, " batch"],
    threat: Threat,
    *,
    steps: int = 1000,
    targets: Int[Tensor, " batch"] | None = None,
    generator: torch.Generator,
) -> Float[Tensor, "batch ..."]:
    """The point with the highest margin that was found, for each example: x_adv (batch, ...), within the threat.

    Errors as `square_steps`.

    >>> from dlcourse.attacks.threat import Linf
    >>> model = lambda x: torch.stack([x.flatten(1).sum(1) * 0 + 4.9, x.flatten(1).round(decimals=1).sum(1)], dim=1)
    >>> x = torch.full((1, 1, 3, 3), 0.5)  # the model rounds: it has no slope
    >>> square(model, x, torch.tensor([0]), Linf(0.1), generator=torch.Generator().manual_seed(0)).sum() > 4.9
    tensor(True)
    """
    for step in square_steps(model, x, labels, threat, steps=steps, targets=targets, generator=generator):
        found = step.x_adv
    return found


def side_at(index: int, steps: int, pixels: int) -> int:
    """The side of the square in the proposal `index` of `steps`, on a picture of so many pixels.

    >>> [side_at(index, 10_000, 28 * 28) for index in (0, 11, 201, 2001, 8001)]
    [25, 18, 9, 3, 1]
    """
    passed = sum(index * 10_000 // steps > border for border in HALVINGS)
    return max(round(math.sqrt(SHARE / 2**passed * pixels)), 1)


class _Stripes:
    """Linf: stripes of a pixel's width, then squares, at the ball's corners. Numbers are uniform in [0, 1)."""

    @staticmethod
    def first(image: Tensor) -> int:
        return image.shape[1] * image.shape[3]

    @staticmethod
    def each(image: Tensor) -> int:
        return 2 + image.shape[1]

    @staticmethod
    def start(numbers: Tensor, image: Tensor, eps: float) -> Tensor:
        signs = _signs(numbers, image).reshape(len(image), image.shape[1], 1, image.shape[3])
        return eps * signs.expand_as(image)

    @staticmethod
    def proposal(numbers: Tensor, delta: Tensor, side: int, eps: float) -> Tensor:
        inside, _ = _window(numbers[:, :2], delta, side)
        return torch.where(inside, eps * _signs(numbers[:, 2:], delta)[:, :, None, None], delta)


class _Hills:
    """L2: tiles of hills, then a hill in a window, which another window pays for. Numbers are uniform in [0, 1)."""

    @staticmethod
    def first(image: Tensor) -> int:
        return image.shape[1] * math.prod(count for _, count in _tiles(image))

    @staticmethod
    def each(image: Tensor) -> int:
        return 5 + image.shape[1]

    @staticmethod
    def start(numbers: Tensor, image: Tensor, eps: float) -> Tensor:
        (rows, down), (columns, across) = _tiles(image)
        signs = _signs(numbers, image).reshape(len(image), image.shape[1], down, across)
        tiles = torch.kron(signs, hill(rows, columns, image))[:, :, : image.shape[2], : image.shape[3]]
        return eps * _unit(tiles, (1, 2, 3))

    @staticmethod
    def proposal(numbers: Tensor, delta: Tensor, side: int, eps: float) -> Tensor:
        """In each channel the window's pattern is turned by a new hill, and as long as what is to be had allows."""
        side = max(side + 1 - side % 2, 3)  # odd, so that a hill has a middle
        inside, places = _window(numbers[:, :2], delta, side)
        payer, _ = _window(numbers[:, 2:4], delta, side)
        rows, columns = min(side, delta.shape[2]), min(side, delta.shape[3])
        forms = torch.stack([hill(rows, columns, delta), hill(columns, rows, delta).T])[(numbers[:, 4] < 0.5).long()]
        added = forms[torch.arange(len(delta), device=delta.device)[:, None, None], places[0], places[1]][:, None]
        new = _unit(delta.where(inside, 0.0), (2, 3)) + added * _signs(numbers[:, 5:], delta)[:, :, None, None]
        unspent = (eps**2 - delta.square().sum((1, 2, 3), keepdim=True)).clamp(min=0) / delta.shape[1]
        there = delta.where(inside | payer, 0.0).square().sum((2, 3), keepdim=True)
        new = _unit(new.where(inside, 0.0), (2, 3)) * (unspent + there).sqrt()
        return eps * _unit(torch.where(inside, new, delta.where(~payer, 0.0)), (1, 2, 3))


def hill(rows: int, columns: int, like: Tensor) -> Float[Tensor, "height width"]:
    """A hill in the upper half and a valley in the lower one, equally strong, of length 1 together.

    Each half is a pyramid of rectangles around its middle: the k-th, k - 1 pixels to every side, adds 1 / k^2.

    >>> hill(2, 3, torch.zeros(1))
    tensor([[ 0.1361,  0.6804,  0.1361],
            [-0.1361, -0.6804, -0.1361]])
    """
    halves = []
    for height in (rows // 2, rows - rows // 2):
        down, across = (torch.arange(n, device=like.device) - n // 2 for n in (height, columns))
        out = torch.maximum(down.abs()[:, None], across.abs())  # how many rectangles do not reach the pixel
        sizes = 1 / torch.arange(1, max(height, columns) // 2 + 2, device=like.device).to(like).square()
        halves.append(_unit(sizes.flip(0).cumsum(0).flip(0)[out], (0, 1)))
    return _unit(torch.cat([halves[0], -halves[1]]), (0, 1))


def _tiles(image: Tensor) -> list[tuple[int, int]]:
    """The pixels of a tile and how many there are, for rows and columns: tiles of a fifth, the last may be cut."""
    return [(max(n // 5, 1), math.ceil(n / max(n // 5, 1))) for n in image.shape[2:]]


def _window(numbers: Tensor, image: Tensor, side: int) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """A square for each example, and for each pixel its row and column within it (those outside get the nearest)."""
    inside, places = [], []
    for n, u in zip(image.shape[2:], numbers.unbind(1), strict=True):
        length = min(side, n)
        first = (u * (n - length + 1)).long()
        place = torch.arange(n, device=image.device) - first[:, None]
        inside.append((place >= 0) & (place < length))
        places.append(place.clamp(0, length - 1))
    return (inside[0][:, :, None] & inside[1][:, None, :])[:, None], (places[0][:, :, None], places[1][:, None, :])


def _signs(numbers: Tensor, like: Tensor) -> Tensor:
    """Up or down, equally often."""
    return torch.where(numbers < 0.5, 1.0, -1.0).to(like)


def _unit(values: Tensor, dims: tuple[int, ...]) -> Tensor:
    """Of length 1 along these dimensions; 0 stays 0."""
    length = torch.linalg.vector_norm(values, dim=dims, keepdim=True)
    return values / torch.where(length > 0, length, 1.0)
