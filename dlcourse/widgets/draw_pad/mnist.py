"""From strokes on a pad to a 28 x 28 image, in the steps by which MNIST's digits were made from scanned forms.

1. The ink is scaled to fit a box of 20 x 20 pixels, its shape kept, and sampled with grey edges.
2. The box is set into 28 x 28 so that the ink's centre of mass comes to the middle, to a whole pixel.

LeCun, Bottou, Bengio and Haffner, 1998, "Gradient-based learning applied to document recognition", section III.A. The
original's grey came from its way of resampling; here it is the share of 4 x 4 samples of each pixel that hold ink.
"""

import torch

from dlcourse.types import Float, Int, Tensor
from dlcourse.widgets.draw_pad.ink import bounds, painted

SIDE = 28
BOX = 20
FINE = 4  # samples per pixel and direction: an image holds sixteenths, as those of 8 x 8 do


def counted(pieces: Float[Tensor, "_ 4"], cells: set[tuple[int, int]], pen: float) -> Int[Tensor, "28 28"]:
    """How many of the 16 samples of each pixel hold ink, row 0 at the top; an empty pad stays empty."""
    image = torch.zeros(SIDE, SIDE, dtype=torch.int32, device="cpu")
    box = bounds(pieces, cells, pen)
    if box is None:
        return image
    left, top, right, bottom = box
    pixel = max(right - left, bottom - top) / BOX  # as a share of the pad
    offsets = ((torch.arange(BOX * FINE, device="cpu") + 0.5) / FINE - BOX / 2) * pixel
    ink = painted(pieces, cells, pen, (left + right) / 2 + offsets, (top + bottom) / 2 + offsets)
    grey = ink.reshape(BOX, FINE, BOX, FINE).sum((1, 3)).int()
    row, column = _to_the_middle(grey.sum(1)), _to_the_middle(grey.sum(0))
    image[row : row + BOX, column : column + BOX] = grey
    return image


def _to_the_middle(ink: Int[Tensor, " 20"]) -> int:
    """Where the box begins, so that the mean place of its ink is that of the image; the box stays inside."""
    mean = float((ink * torch.arange(BOX, device="cpu")).sum() / ink.sum())
    return min(max(round(SIDE / 2 - mean), 0), SIDE - BOX)
