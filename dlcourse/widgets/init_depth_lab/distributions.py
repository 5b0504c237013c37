"""How the numbers of each layer are distributed: a row of bytes for every layer, and bars for one of them."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch

from dlcourse.types import Float, Tensor
from dlcourse.widgets.snapshot import quantise

BINS = 60
BARS = 41  # odd, so that 0 is in the middle of one
BELOW = 2.0  # decades shown below the smallest layer's size: 99 % of a normal layer's numbers are larger than that
DECADES = -46.0, 39.0  # of float32's numbers that are not 0
REACH = 4.0  # of "shape": in units of a layer's own size


class Ridges(NamedTuple):
    """rows: uint8 (layers, 1 + BINS). First the share of numbers that are exactly 0, 254 for all; then how many of the
    others lie in each cell from low to high, 254 for the fullest of the row. A row of 255: not all numbers are finite.
    """

    rows: np.ndarray
    low: float
    high: float


def ridges(layers: Sequence[Tensor], squares: Float[Tensor, " layers"], lines: Tensor, show: str) -> Ridges:
    """show "size": by log10 |value|; "shape": by the value in units of the layer's own size, the root of `squares`.

    lines: numbers that are to find room on the axis of sizes.
    """
    sizes = squares.sqrt()
    low, high = _decades(layers, sizes, lines) if show == "size" else _reach(layers)
    rows = []
    for values, size in zip(layers, sizes.tolist(), strict=True):
        if math.isnan(size):
            rows.append(np.full(1 + BINS, 255, dtype=np.uint8))
            continue
        some = values[values != 0]
        places = some.abs().log10() if show == "size" else some.double() / size
        counts = torch.histc(places.float(), bins=BINS, min=low, max=high)
        zeros = torch.tensor([1 - some.numel() / values.numel()], device="cpu")
        rows.append(quantise(torch.cat([zeros, counts / counts.max().clamp(min=1)]), 0, 1))
    return Ridges(np.stack(rows), low, high)


def _decades(layers: Sequence[Tensor], sizes: Tensor, lines: Tensor) -> tuple[float, float]:
    """Whole decades from below the smallest layer's size, and below the lines, to the largest number."""
    some, lines = sizes[sizes > 0], lines[lines > 0]  # a NaN is not
    if not len(some):
        return -3.0, 0.0
    largest = max(values.abs().max().item() for values in layers if values.isfinite().all())
    low = math.log10(some.min().item()) - BELOW
    if len(lines):
        low = min(low, math.log10(lines.min().item()) - 0.3)
    low = max(math.floor(low), DECADES[0])
    return low, max(min(math.ceil(math.log10(largest)), DECADES[1]), low + 3)


def _reach(layers: Sequence[Tensor]) -> tuple[float, float]:
    return (-REACH if any((values < 0).any() for values in layers) else 0.0), REACH


class Bars(NamedTuple):
    """shares: (BARS,) float32, of all numbers of the layer, from low to high; both None where a number is not finite.
    zeros: the share of exact zeros, which are in none of the bars."""

    shares: Float[Tensor, " bins"]
    low: float | None
    high: float | None
    zeros: float


def bars(values: Tensor) -> Bars:
    """On a linear axis over all that is there: to both sides of 0 if there are numbers on both."""
    if not values.isfinite().all():
        return Bars(torch.zeros(BARS, device="cpu"), None, None, 0.0)
    some = values[values != 0].double()
    zeros = 1 - some.numel() / values.numel()
    if not some.numel():
        return Bars(torch.zeros(BARS, device="cpu"), -1.0, 1.0, zeros)
    low, high = some.min().item(), some.max().item()
    if low < 0 < high:
        low, high = -max(-low, high), max(-low, high)
    elif high - low < 1e-6 * max(abs(low), abs(high)):  # all the same
        middle, half = (low + high) / 2, abs(low + high) / 4
        low, high = middle - half, middle + half
    counts = torch.histc((some - low) / (high - low), bins=BARS, min=0, max=1)
    return Bars((counts / values.numel()).float(), low, high, zeros)
