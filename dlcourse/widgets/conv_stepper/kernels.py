"""Kernels to choose from, at any size from 1 x 1 to 5 x 5.

Correlation lays a kernel on as it is, so left_right answers with a positive number where the right side is brighter.
"""

from collections.abc import Callable
from math import comb

import torch

from dlcourse.types import Float, Tensor

Kernel = Float[Tensor, "kernel_height kernel_width"]


def preset(name: str, rows: int, columns: int) -> Kernel:
    """The kernel of this name.

    >>> preset("left_right", 2, 3).tolist()
    [[-1.0, 0.0, 1.0], [-1.0, 0.0, 1.0]]
    >>> preset("laplacian", 3, 3).int().tolist()
    [[0, 1, 0], [1, -4, 1], [0, 1, 0]]
    """
    return PRESETS[name](rows, columns)


def resized(kernel: Kernel, rows: int, columns: int) -> Kernel:
    """The same numbers where there is room for them, and 0 where there were none."""
    fresh = kernel.new_zeros(rows, columns)
    shared = min(rows, kernel.shape[0]), min(columns, kernel.shape[1])
    fresh[: shared[0], : shared[1]] = kernel[: shared[0], : shared[1]]
    return fresh


def _identity(rows: int, columns: int) -> Kernel:
    kernel = torch.zeros(rows, columns, device="cpu")
    kernel[(rows - 1) // 2, (columns - 1) // 2] = 1
    return kernel


def _mean(rows: int, columns: int) -> Kernel:
    return torch.full((rows, columns), 1 / (rows * columns), device="cpu")


def _left_right(rows: int, columns: int) -> Kernel:
    """-1 left of the middle, 1 right of it."""
    across = (torch.arange(columns, device="cpu") - (columns - 1) / 2).sign()
    return across.repeat(rows, 1)


def _laplacian(rows: int, columns: int) -> Kernel:
    """The neighbours above, below, left and right, less the middle as often as there are neighbours."""
    kernel = torch.zeros(rows, columns, device="cpu")
    row, column = (rows - 1) // 2, (columns - 1) // 2
    for down, right in ((-1, 0), (1, 0), (0, -1), (0, 1)):
        if 0 <= row + down < rows and 0 <= column + right < columns:
            kernel[row + down, column + right] = 1
    kernel[row, column] = -kernel.sum()
    return kernel


def _gaussian(rows: int, columns: int) -> Kernel:
    """Rows of Pascal's triangle: what many small blurs in a row come to."""
    down, across = (torch.tensor([comb(n - 1, k) for k in range(n)], dtype=torch.float32) for n in (rows, columns))
    return down.outer(across) / (down.sum() * across.sum())


PRESETS: dict[str, Callable[[int, int], Kernel]] = {
    "identity": _identity,
    "mean": _mean,
    "left_right": _left_right,
    "top_bottom": lambda rows, columns: _left_right(columns, rows).T.contiguous(),
    "sharpen": lambda rows, columns: _identity(rows, columns) - _laplacian(rows, columns),
    "laplacian": _laplacian,
    "gaussian": _gaussian,
}
