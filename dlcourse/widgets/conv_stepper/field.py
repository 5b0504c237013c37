"""What one cell of the last layer sees in each map before it: a window, and on how many paths each of its cells.

Rows and columns do not mix: the number of paths from a pixel is that along its row times that along its column.
"""

from typing import NamedTuple

import torch

from dlcourse.types import Float, Tensor
from dlcourse.widgets.conv_stepper.layer import Layer
from dlcourse.widgets.conv_stepper.params import Pair


class Seen(NamedTuple):
    """window: (top, left, bottom, right) in cells of the map, ends exclusive; it may leave the map. paths: from each
    cell; those that end in padding are none."""

    window: tuple[int, int, int, int]
    paths: Float[Tensor, "height width"]


def seen(layer: Layer, sizes: list[Pair], row: int, column: int) -> list[Seen]:
    """For each map, the picture first; the last is the map of the chosen cell itself."""
    lines = [_line(layer, [size[axis] for size in sizes], at, axis) for axis, at in enumerate((row, column))]
    return [
        Seen((top, left, bottom, right), torch.tensor(down, device="cpu").outer(torch.tensor(across, device="cpu")))
        for ((top, bottom), down), ((left, right), across) in zip(*lines, strict=True)
    ]


def _line(layer: Layer, sizes: list[int], at: int, axis: int) -> list[tuple[Pair, list[float]]]:
    """Along one axis, for each map: (first, end) of the window, and the paths from each place."""
    k, s, p, d = (each[axis] for each in (layer.window, layer.stride, layer.padding, layer.dilation))
    counts = [0.0] * sizes[-1]
    counts[at] = 1.0
    lines = [((at, at + 1), counts)]
    for size in reversed(sizes[:-1]):
        (first, end), above = lines[0]
        below = [0.0] * size
        for place, paths in enumerate(above):
            for tap in range(k):
                under = place * s - p + tap * d
                if paths and 0 <= under < size:
                    below[under] += paths
        lines.insert(0, ((first * s - p, (end - 1) * s - p + (k - 1) * d + 1), below))
    return lines
