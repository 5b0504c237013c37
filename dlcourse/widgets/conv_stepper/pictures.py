"""Pictures to choose from, small and in round numbers, so that every sum can be checked by hand."""

from collections.abc import Callable
from functools import cache

import torch

from dlcourse import data
from dlcourse.seeding import generator
from dlcourse.types import Float, Tensor

Image = Float[Tensor, "height width"]
BLOCK = 8  # pixels of the photograph that are averaged to one, each way
TRIES = 24  # patches of the photograph of which the one with most contrast is taken


def example(name: str, rows: int, columns: int, seed: int) -> Image:
    """The picture of this name; `seed` chooses the digit, the patch or the noise.

    >>> example("edge", 3, 4, 0).tolist()
    [[0.0, 0.0, 1.0, 1.0], [0.0, 0.0, 1.0, 1.0], [0.0, 0.0, 1.0, 1.0]]
    """
    return EXAMPLES[name](rows, columns, seed)


def resized(image: Image, rows: int, columns: int) -> Image:
    """The same picture in a frame of another size: cut or filled up with 0 on all sides equally, as far as that goes.

    >>> resized(torch.ones(1, 3), 3, 2).tolist()
    [[0.0, 0.0], [1.0, 1.0], [0.0, 0.0]]
    """
    fresh = image.new_zeros(rows, columns)
    (to_row, from_row, high), (to_column, from_column, wide) = (
        _overlap(old, new) for old, new in zip(image.shape, (rows, columns), strict=True)
    )
    fresh[to_row : to_row + high, to_column : to_column + wide] = image[
        from_row : from_row + high, from_column : from_column + wide
    ]
    return fresh


def _overlap(old: int, new: int) -> tuple[int, int, int]:
    """Where the shared part begins in the new one and in the old one, and how long it is."""
    return max(0, (new - old) // 2), max(0, (old - new) // 2), min(old, new)


def _edge(rows: int, columns: int, seed: int) -> Image:
    return (torch.arange(columns, device="cpu") >= columns // 2).float().repeat(rows, 1)


def _cross(rows: int, columns: int, seed: int) -> Image:
    image = torch.zeros(rows, columns, device="cpu")
    image[rows // 2, 1:-1] = 1
    image[1:-1, columns // 2] = 1
    return image


def _digit(rows: int, columns: int, seed: int) -> Image:
    """Ink from 0 to 16: in so many of its 16 pixels the scanned original had ink."""
    digits = _digits()
    return resized(digits[seed % len(digits)], rows, columns)


def _photograph(rows: int, columns: int, seed: int) -> Image:
    """Brightness from 0 to 9. Of some places chosen by chance the one with most contrast: skies are dull."""
    grey, draw = _grey(), generator(seed)
    patches = []
    for _ in range(TRIES):
        top = int(torch.randint(grey.shape[0] - rows + 1, (), generator=draw, device="cpu"))
        left = int(torch.randint(grey.shape[1] - columns + 1, (), generator=draw, device="cpu"))
        patches.append(grey[top : top + rows, left : left + columns])
    return (9 * max(patches, key=lambda patch: patch.std().item())).round()


def _noise(rows: int, columns: int, seed: int) -> Image:
    """Whole numbers from -9 to 9, each as likely as the others."""
    return torch.randint(-9, 10, (rows, columns), generator=generator(seed), device="cpu").float()


def _blank(rows: int, columns: int, seed: int) -> Image:
    return torch.zeros(rows, columns, device="cpu")


@cache
def _digits() -> Float[Tensor, "batch height width"]:
    return (16 * data.load("digits").x[:, 0]).round()


@cache
def _grey() -> Image:
    """The photograph china in grey, each block of pixels averaged to one: 53 x 80."""
    return torch.nn.functional.avg_pool2d(data.load("china").x.mean(1), BLOCK)[0]


EXAMPLES: dict[str, Callable[[int, int, int], Image]] = {
    "edge": _edge,
    "cross": _cross,
    "digit": _digit,
    "photograph": _photograph,
    "noise": _noise,
    "blank": _blank,
}
