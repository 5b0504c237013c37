"""Pooling: each window of each channel becomes one number, its largest or its mean. No weights.

    max:       out[n, c, y, x] = the largest number of the window        padded with -inf, which never wins
    average:   out[n, c, y, x] = the sum of the window / its cells       padded with 0
    adaptive:  row i of h averages the rows from floor(i H / h) to ceil((i + 1) H / h), columns alike

Windows are those of a convolution, for each channel by itself; unless told otherwise they lie side by side, stride =
kernel (LeCun et al., 1998, averages; Ranzato et al., 2007, maxima). A maximum padded with 0 would be wrong wherever
everything is negative. A pool keeps little changes of place from showing, but by no means all: see chapter 05.
Where it fails: what was thrown away is gone, where a thing is as much as how often; and among equal largest numbers only
one gets the gradient, the first in reading order.
"""

import math
from collections.abc import Sequence

import torch

from dlcourse.nn.conv import pad, shifts
from dlcourse.nn.sizes import output_size, pair
from dlcourse.types import Float, Tensor


def max_pool2d(
    x: Float[Tensor, "batch channel height width"],
    kernel: int | Sequence[int],
    *,
    stride: int | Sequence[int] | None = None,
    padding: int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
) -> Float[Tensor, "batch channel out_height out_width"]:
    """The largest number of each window, as torch's max_pool2d. stride None: the kernel, side by side.

    The gradient goes to the first of the largest, row by row. A window with a nan gives nan. Raises ValueError when the
    window is larger than the padded picture, the padding larger than half the kernel, or an option no whole number.

    >>> max_pool2d(torch.tensor([[[[-3.0, -1.0, -4.0, -2.0]]]]), (1, 2))
    tensor([[[[-1., -2.]]]])
    """
    kernel, stride, padding, dilation = _checked("max_pool2d", x, kernel, stride, padding, dilation)
    cells = shifts(pad(x, padding, -math.inf), kernel, stride=stride, dilation=dilation)
    inside = shifts(pad(torch.ones_like(x), padding), kernel, stride=stride, dilation=dilation) > 0
    largest = cells.amax(1, keepdim=True)
    winners = inside & ((cells == largest) | cells.isnan())  # padding never wins, even where all is -inf
    first = winners.byte().argmax(1, keepdim=True)
    return cells.gather(1, first).squeeze(1).transpose(0, 1)


def max_pool2d_definition(
    x: Float[Tensor, "batch channel height width"],
    kernel: int | Sequence[int],
    *,
    stride: int | Sequence[int] | None = None,
    padding: int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
) -> Float[Tensor, "batch channel out_height out_width"]:
    """The same window by window: look at every cell that lies in the picture, keep the largest so far."""
    kernel, stride, padding, dilation = _checked("max_pool2d_definition", x, kernel, stride, padding, dilation)
    height, width = _sizes(x, kernel, stride, padding, dilation)
    out = x.new_zeros(*x.shape[:2], height, width)
    for n in range(x.shape[0]):
        for c in range(x.shape[1]):
            for i in range(height):
                for j in range(width):
                    cells = _window(x[n, c], i, j, kernel, stride, padding, dilation)
                    best = cells[0]
                    for cell in cells[1:]:
                        best = cell if cell > best or cell.isnan() else best
                    out[n, c, i, j] = best
    return out


def avg_pool2d(
    x: Float[Tensor, "batch channel height width"],
    kernel: int | Sequence[int],
    *,
    stride: int | Sequence[int] | None = None,
    padding: int | Sequence[int] = 0,
    count_include_pad: bool = True,
) -> Float[Tensor, "batch channel out_height out_width"]:
    """The mean of each window, as torch's avg_pool2d. stride None: the kernel, side by side.

    Padding counts as zeros unless `count_include_pad` is False: then the sum is divided by the cells that lie in the
    picture. Raises ValueError as `max_pool2d` does.

    >>> avg_pool2d(torch.tensor([[[[1.0, 3.0, 5.0, 9.0]]]]), (1, 2))
    tensor([[[[2., 7.]]]])
    """
    kernel, stride, padding, dilation = _checked("avg_pool2d", x, kernel, stride, padding, 1)
    total = shifts(pad(x, padding), kernel, stride=stride, dilation=dilation).sum(1).transpose(0, 1)
    if count_include_pad:
        return total / math.prod(kernel)
    inside = pad(x.new_ones(1, 1, *x.shape[2:]), padding)
    return total / shifts(inside, kernel, stride=stride, dilation=dilation).sum(1)


def avg_pool2d_definition(
    x: Float[Tensor, "batch channel height width"],
    kernel: int | Sequence[int],
    *,
    stride: int | Sequence[int] | None = None,
    padding: int | Sequence[int] = 0,
    count_include_pad: bool = True,
) -> Float[Tensor, "batch channel out_height out_width"]:
    """The same window by window: add up the cells that lie in the picture, then divide."""
    kernel, stride, padding, dilation = _checked("avg_pool2d_definition", x, kernel, stride, padding, 1)
    height, width = _sizes(x, kernel, stride, padding, dilation)
    out = x.new_zeros(*x.shape[:2], height, width)
    for n in range(x.shape[0]):
        for c in range(x.shape[1]):
            for i in range(height):
                for j in range(width):
                    cells = _window(x[n, c], i, j, kernel, stride, padding, dilation)
                    out[n, c, i, j] = sum(cells) / (math.prod(kernel) if count_include_pad else len(cells))
    return out


def adaptive_avg_pool2d(
    x: Float[Tensor, "batch channel height width"], size: int | Sequence[int]
) -> Float[Tensor, "batch channel out_height out_width"]:
    """Averages over windows that make any picture `size` large, as torch's; size 1 is global average pooling.

    Neighbouring windows share a row or column where the sizes do not divide. Raises ValueError for a size below 1.

    >>> adaptive_avg_pool2d(torch.tensor([[[[1.0, 3.0, 5.0]]]]), (1, 2))
    tensor([[[[2., 4.]]]])
    """
    height, width = _checked_size("adaptive_avg_pool2d", x, size)
    bands = torch.stack([x[:, :, top:bottom].mean(2) for top, bottom in _parts(x.shape[2], height)], 2)
    return torch.stack([bands[..., left:right].mean(-1) for left, right in _parts(x.shape[3], width)], -1)


def adaptive_avg_pool2d_definition(
    x: Float[Tensor, "batch channel height width"], size: int | Sequence[int]
) -> Float[Tensor, "batch channel out_height out_width"]:
    """The same window by window: add up its pixels, divide by how many there are."""
    height, width = _checked_size("adaptive_avg_pool2d_definition", x, size)
    out = x.new_zeros(*x.shape[:2], height, width)
    for n in range(x.shape[0]):
        for c in range(x.shape[1]):
            for i in range(height):
                for j in range(width):
                    rows = range(math.floor(i * x.shape[2] / height), math.ceil((i + 1) * x.shape[2] / height))
                    columns = range(math.floor(j * x.shape[3] / width), math.ceil((j + 1) * x.shape[3] / width))
                    total = sum(x[n, c, row, column] for row in rows for column in columns)
                    out[n, c, i, j] = total / (len(rows) * len(columns))
    return out


def _parts(size: int, count: int) -> list[tuple[int, int]]:
    """The (start, end) of each part, in whole numbers: -(-a // b) rounds up."""
    return [(i * size // count, -(-(i + 1) * size // count)) for i in range(count)]


def _sizes(
    x: Tensor,
    kernel: tuple[int, int],
    stride: tuple[int, int],
    padding: tuple[int, int],
    dilation: tuple[int, int],
) -> list[int]:
    """Height and width of what comes out."""
    return [
        output_size(x.shape[2 + d], kernel[d], stride=stride[d], padding=padding[d], dilation=dilation[d])
        for d in range(2)
    ]


def _window(
    picture: Tensor,
    i: int,
    j: int,
    kernel: tuple[int, int],
    stride: tuple[int, int],
    padding: tuple[int, int],
    dilation: tuple[int, int],
) -> list[Tensor]:
    """The cells of window (i, j) that lie in the picture, row by row."""
    rows = [i * stride[0] - padding[0] + u * dilation[0] for u in range(kernel[0])]
    columns = [j * stride[1] - padding[1] + v * dilation[1] for v in range(kernel[1])]
    height, width = picture.shape
    return [picture[r, c] for r in rows for c in columns if 0 <= r < height and 0 <= c < width]


def _checked(
    caller: str,
    x: Tensor,
    kernel: int | Sequence[int],
    stride: int | Sequence[int] | None,
    padding: int | Sequence[int],
    dilation: int | Sequence[int],
) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int], tuple[int, int]]:
    """The options as pairs. Raises ValueError unless everything fits together."""
    _checked_size(caller, x, 1)
    kernel = pair(caller, "kernel", kernel, 1)
    stride = kernel if stride is None else pair(caller, "stride", stride, 1)
    padding, dilation = pair(caller, "padding", padding, 0), pair(caller, "dilation", dilation, 1)
    if 2 * padding[0] > kernel[0] or 2 * padding[1] > kernel[1]:
        raise ValueError(
            f"{caller} got padding={padding} with kernel={kernel}; wanted at most half the kernel, as otherwise a window "
            "could lie outside the picture."
        )
    _sizes(x, kernel, stride, padding, dilation)
    return kernel, stride, padding, dilation


def _checked_size(caller: str, x: Tensor, size: int | Sequence[int]) -> tuple[int, int]:
    """The size as (rows, columns). Raises ValueError unless both are 1 or more, and x is a batch of pictures."""
    if x.ndim != 4 or not x.shape[2] or not x.shape[3]:
        raise ValueError(
            f"{caller} got x {tuple(x.shape)}; wanted (batch, channel, height, width). A single picture (height, width) "
            "becomes a batch by x[None, None]."
        )
    return pair(caller, "size", size, 1)
