"""From strokes on a pad to an 8 x 8 image, in the steps by which scikit-learn's digits were made from scanned forms.

1. The ink's bounding box is stretched to 20 x 32 pixels, in both directions apart, and set in the middle of 32 x 32.
2. Thick ink loses its outermost pixels, thin ink gains some, so that most digits hold about 310 of 1,024 pixels.
3. The rows are shifted, each by its height, until the leftmost ink near the top and near the bottom are in one column:
   slanted writing stands upright.
4. The ink is counted in blocks of 4 x 4 pixels: 0 to 16.

Steps 1 to 3 are those of the NIST Form-Based Handprint Recognition System (Garris and others 1994, NISTIR 5469), the
last is Alpaydin and Kaynak's (1998, UCI Optical Recognition of Handwritten Digits). One deviation: `STRETCH`.

A pad is the unit square, x to the right and y *down*, as on a screen and as the rows of an image.
"""

from collections.abc import Sequence

import torch

from dlcourse.types import Bool, Float, Int, Tensor

SIDE = 32  # pixels of the bitmap
WIDTH = 20  # of the box that the ink is stretched to; it is as high as the bitmap
# The original has no such bound, makes a full block of an upright bar and a broad thing of a narrow 1. With it the
# network of chapter 00 reads upright ones that it misses without, and loses nothing else; a test shows it. A drawing at
# least half as wide as high never meets it.
STRETCH = 1.25  # times more than in height, at most, a drawing is enlarged in width
CELLS = 8  # per side: the grid on which the keyboard draws, and the size of the image
# Counts of ink beyond which the outline is moved, and by how many pixels; the original's.
THICK = ((560, 2), (412, 1))
THIN = ((108, 2), (256, 1))

Point = tuple[float, float]
Box = tuple[float, float, float, float]  # left, top, right, bottom


def segments(strokes: Sequence[Sequence[Point]]) -> Float[Tensor, "_ 4"]:
    """The straight pieces (x, y, to x, to y) of all strokes; a stroke of one point is a piece of length 0."""
    pieces = [
        (*start, *end)
        for stroke in strokes
        for start, end in zip(stroke, stroke[1:] if len(stroke) > 1 else stroke, strict=False)
    ]
    return torch.tensor(pieces, dtype=torch.float32, device="cpu").reshape(-1, 4)


def covered_slowly(x: float, y: float, pieces: Float[Tensor, "_ 4"], cells: set, pen: float) -> bool:
    """Whether there is ink at one place of the pad, by the definition: no further than half a pen from a piece, or
    inside a cell. The test's oracle of `painted`."""
    for x0, y0, x1, y1 in pieces.tolist():
        length = (x1 - x0) ** 2 + (y1 - y0) ** 2
        along = ((x - x0) * (x1 - x0) + (y - y0) * (y1 - y0)) / length if length else 0.0
        along = min(max(along, 0.0), 1.0)  # the nearest place of the piece is between its ends
        if (x - x0 - along * (x1 - x0)) ** 2 + (y - y0 - along * (y1 - y0)) ** 2 <= (pen / 2) ** 2:
            return True
    return any(row <= y * CELLS < row + 1 and column <= x * CELLS < column + 1 for row, column in cells)


def painted(
    pieces: Float[Tensor, "_ 4"],
    cells: set[tuple[int, int]],
    pen: float,
    x: Float[Tensor, " width"],
    y: Float[Tensor, " height"],
) -> Bool[Tensor, "height width"]:
    """Whether there is ink at each place (x, y) of a grid on the pad: `covered_slowly` for all of them at once."""
    ink = torch.zeros(len(y), len(x), dtype=torch.bool, device="cpu")
    for some in pieces.split(256):  # few at a time, or a long drawing would take much memory
        start, along = some[:, :2, None], some[:, 2:, None] - some[:, :2, None]  # (segments, 2, 1)
        length = (along**2).sum(1, keepdim=True)  # squared
        right, down = x - start[:, 0], y - start[:, 1]  # (segments, width), (segments, height)
        share = (right * along[:, 0])[:, None, :] + (down * along[:, 1])[:, :, None]  # (segments, height, width)
        share = (share / length.clamp(min=1e-12)).clamp(0, 1)
        across = (right[:, None, :] - share * along[:, 0, :, None]) ** 2
        across += (down[:, :, None] - share * along[:, 1, :, None]) ** 2
        ink |= (across <= (pen / 2) ** 2).any(0)
    for row, column in cells:
        ink |= ((y * CELLS).floor() == row)[:, None] & ((x * CELLS).floor() == column)
    return ink


def bounds(pieces: Float[Tensor, "_ 4"], cells: set[tuple[int, int]], pen: float) -> Box | None:
    """The box around all ink, the pen's width included; None for an empty pad."""
    boxes = [(column / CELLS, row / CELLS, (column + 1) / CELLS, (row + 1) / CELLS) for row, column in cells]
    if len(pieces):
        ends = pieces.reshape(-1, 2)
        (left, top), (right, bottom) = (ends.min(0).values - pen / 2).tolist(), (ends.max(0).values + pen / 2).tolist()
        boxes.append((left, top, right, bottom))
    if not boxes:
        return None
    lefts, tops, rights, bottoms = zip(*boxes, strict=True)
    return min(lefts), min(tops), max(rights), max(bottoms)


def whole(pieces: Float[Tensor, "_ 4"], cells: set[tuple[int, int]], pen: float) -> Bool[Tensor, "32 32"]:
    """The pad as it is, in 32 x 32 pixels: nothing stretched, moved or straightened."""
    centres = (torch.arange(SIDE, device="cpu") + 0.5) / SIDE
    return painted(pieces, cells, pen, centres, centres)


def normalised(pieces: Float[Tensor, "_ 4"], cells: set[tuple[int, int]], pen: float) -> Bool[Tensor, "32 32"]:
    """The ink stretched, evened out and straightened: steps 1 to 3 above. An empty pad stays empty."""
    return upright(evened(stretched(pieces, cells, pen)))


def stretched(pieces: Float[Tensor, "_ 4"], cells: set[tuple[int, int]], pen: float) -> Bool[Tensor, "32 32"]:
    """Step 1: the box around the ink becomes 20 x 32 pixels; of a very narrow drawing, as wide as `STRETCH` allows."""
    box = bounds(pieces, cells, pen)
    if box is None:
        return torch.zeros(SIDE, SIDE, dtype=torch.bool, device="cpu")
    left, top, right, bottom = box
    across, down = WIDTH / (right - left), SIDE / (bottom - top)  # pixels per pad
    across = min(across, STRETCH * down)
    centres = torch.arange(SIDE, device="cpu") + 0.5 - SIDE / 2
    return painted(pieces, cells, pen, centres / across + (left + right) / 2, centres / down + (top + bottom) / 2)


def evened(ink: Bool[Tensor, "32 32"]) -> Bool[Tensor, "32 32"]:
    """Step 2: thick ink loses one or two layers of pixels, thin ink gains as many."""
    count = int(ink.sum())
    for _ in range(next((times for limit, times in THICK if count > limit), 0)):
        ink = eroded(ink)
    for _ in range(next((times for limit, times in THIN if count < limit), 0)):
        ink = dilated(ink)
    return ink


def dilated(ink: Bool[Tensor, "height width"]) -> Bool[Tensor, "height width"]:
    """Ink wherever there was some, or some above, below, left or right."""
    return torch.stack([ink, *_neighbours(ink)]).any(0)


def eroded(ink: Bool[Tensor, "height width"]) -> Bool[Tensor, "height width"]:
    """Ink only where there was some, and some above, below, left and right; beyond the edge there is none."""
    return torch.stack([ink, *_neighbours(ink)]).all(0)


def _neighbours(ink: Bool[Tensor, "height width"]) -> list[Tensor]:
    framed = torch.nn.functional.pad(ink, (1, 1, 1, 1))
    return [framed[:-2, 1:-1], framed[2:, 1:-1], framed[1:-1, :-2], framed[1:-1, 2:]]


def upright(ink: Bool[Tensor, "32 32"]) -> Bool[Tensor, "32 32"]:
    """Step 3: shift each row until the leftmost ink two rows from the top and two from the bottom are in one column."""
    rows = ink.any(1).nonzero().flatten().tolist()
    if not rows or rows[-1] - rows[0] < 5:
        return ink
    top, bottom = rows[0] + 2, rows[-1] - 2
    if not ink[top].any() or not ink[bottom].any():
        return ink
    left = ink.int().argmax(1)  # the first column with ink, in each row
    slope = int(left[top] - left[bottom]) / (bottom - top)
    straight = torch.zeros_like(ink)
    for row in range(SIDE):
        shift = round((row - SIDE // 2) * slope)
        straight[row, max(shift, 0) : SIDE + min(shift, 0)] = ink[row, max(-shift, 0) : SIDE - max(shift, 0)]
    return straight


def counted(ink: Bool[Tensor, "32 32"]) -> Int[Tensor, "8 8"]:
    """Step 4: how many of the 16 pixels of each block hold ink."""
    block = SIDE // CELLS
    return ink.reshape(CELLS, block, CELLS, block).sum((1, 3)).int()
