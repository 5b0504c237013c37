"""Pooling: each window of each channel becomes one number, its largest or its mean. There is nothing to learn.

    max        the largest number of the window                      around the picture lies -inf, which never wins
    average    the sum of the window / how many cells it has         around the picture lie zeros
    adaptive   row i of h is the mean of the rows from floor(i H / h) up to ceil((i + 1) H / h); columns alike

Windows move as in `conv2d`, over each channel by itself; by default side by side, stride = kernel. (Averages: LeCun,
Bottou, Bengio and Haffner, 1998; maxima: Riesenhuber and Poggio, 1999.) A maximum that is padded with zeros is wrong
wherever all numbers are negative. Among equal maxima the first alone, in reading order, gets the gradient; of several
nan the last. Pictures of whole numbers (bytes, say) are refused: a mean of them is none, and -inf does not exist there.
Where it fails: it throws away where in the window something was, and it hides small moves only in part (chapter 05).
"""

import math
import operator
from collections.abc import Callable, Sequence
from functools import reduce
from itertools import product

import torch

from dlcourse.nn.conv import pad, pair, under
from dlcourse.nn.sizes import both_ways, output_size
from dlcourse.types import Float, Tensor


def max_pool2d(
    x: Float[Tensor, "batch channel height width"],
    kernel_size: int | Sequence[int],
    stride: int | Sequence[int] | None = None,
    *,
    padding: int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
) -> Float[Tensor, "batch channel out_height out_width"]:
    """The largest number of each window, as torch's. Options are a number or (rows, columns); stride None: the kernel.

    A window with a nan gives nan; one that lies in the padding altogether, as dilation can have it, -inf. Where padding
    meets nothing but -inf, the slope may go to the padding and be lost; torch's goes to a pixel. Raises ValueError when
    the window is larger than the padded picture, the padding larger than half the kernel, an option no whole number, or
    x is no floating-point tensor.

    >>> max_pool2d(torch.tensor([[[[-3.0, -1.0, -4.0, -2.0]]]]), (1, 2))
    tensor([[[[-1., -2.]]]])
    """
    kernel, stride, padding, dilation, sizes = _checked("max_pool2d", x, kernel_size, stride, padding, dilation)
    return _over_windows(_larger, pad(x, padding, -math.inf), kernel, sizes, stride, dilation)


def max_pool2d_definition(
    x: Float[Tensor, "batch channel height width"],
    kernel_size: int | Sequence[int],
    stride: int | Sequence[int] | None = None,
    *,
    padding: int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
) -> Float[Tensor, "batch channel out_height out_width"]:
    """The same window by window: of the cells that lie in the picture, the largest."""
    kernel, stride, padding, dilation, sizes = _checked(
        "max_pool2d_definition", x, kernel_size, stride, padding, dilation
    )
    out = x.new_full((*x.shape[:2], *sizes), -math.inf)
    for n, c, i, j in product(*map(range, out.shape)):
        cells = _window(x[n, c], i, j, kernel, stride, padding, dilation)
        if cells:
            out[n, c, i, j] = reduce(lambda best, cell: cell if cell > best or cell.isnan() else best, cells)
    return out


def avg_pool2d(
    x: Float[Tensor, "batch channel height width"],
    kernel_size: int | Sequence[int],
    stride: int | Sequence[int] | None = None,
    *,
    padding: int | Sequence[int] = 0,
    count_include_pad: bool = True,
) -> Float[Tensor, "batch channel out_height out_width"]:
    """The mean of each window, as torch's. Options are a number or (rows, columns); stride None: the kernel.

    The padding counts, as zeros, unless `count_include_pad` is False: then the sum is divided by the number of cells in
    the picture. Raises ValueError as `max_pool2d` does.

    >>> avg_pool2d(torch.tensor([[[[1.0, 3.0, 5.0, 9.0]]]]), (1, 2))
    tensor([[[[2., 7.]]]])
    """
    kernel, stride, padding, dilation, sizes = _checked("avg_pool2d", x, kernel_size, stride, padding, 1)
    sums = _over_windows(operator.add, pad(x, padding), kernel, sizes, stride, dilation)
    if count_include_pad:
        return sums / math.prod(kernel)
    ones = torch.ones_like(x[:, :1])
    return sums / _over_windows(operator.add, pad(ones, padding), kernel, sizes, stride, dilation)


def avg_pool2d_definition(
    x: Float[Tensor, "batch channel height width"],
    kernel_size: int | Sequence[int],
    stride: int | Sequence[int] | None = None,
    *,
    padding: int | Sequence[int] = 0,
    count_include_pad: bool = True,
) -> Float[Tensor, "batch channel out_height out_width"]:
    """The same window by window: the sum of the cells that lie in the picture, divided."""
    kernel, stride, padding, dilation, sizes = _checked("avg_pool2d_definition", x, kernel_size, stride, padding, 1)
    out = x.new_zeros(*x.shape[:2], *sizes)
    for n, c, i, j in product(*map(range, out.shape)):
        cells = _window(x[n, c], i, j, kernel, stride, padding, dilation)
        out[n, c, i, j] = sum(cells) / (math.prod(kernel) if count_include_pad else len(cells))
    return out


def adaptive_avg_pool2d(
    x: Float[Tensor, "batch channel height width"], output_size: int | Sequence[int]
) -> Float[Tensor, "batch channel out_height out_width"]:
    """The mean of each of `output_size` windows that cover the picture, as torch's. Size 1: global average pooling.

    Windows share rows or columns where the sizes do not divide. `output_size` is a number or (rows, columns); it may be
    larger than the picture, whose pixels are then repeated. Raises ValueError for a size below 1, and unless x holds
    floating-point numbers.

    >>> adaptive_avg_pool2d(torch.tensor([[[[1.0, 3.0, 5.0]]]]), (1, 2))
    tensor([[[[2., 4.]]]])
    """
    _check_pictures("adaptive_avg_pool2d", x)
    height, width = pair("adaptive_avg_pool2d", "output_size", output_size, 1)
    bands = torch.stack([x[:, :, part].mean(2) for part in _parts(x.shape[2], height)], 2)
    return torch.stack([bands[..., part].mean(3) for part in _parts(x.shape[3], width)], 3)


def adaptive_avg_pool2d_definition(
    x: Float[Tensor, "batch channel height width"], output_size: int | Sequence[int]
) -> Float[Tensor, "batch channel out_height out_width"]:
    """The same window by window, pixel by pixel, with the formula as printed above."""
    _check_pictures("adaptive_avg_pool2d_definition", x)
    height, width = pair("adaptive_avg_pool2d_definition", "output_size", output_size, 1)
    out = x.new_zeros(*x.shape[:2], height, width)
    for n, c, i, j in product(*map(range, out.shape)):
        rows = range(math.floor(i * x.shape[2] / height), math.ceil((i + 1) * x.shape[2] / height))
        columns = range(math.floor(j * x.shape[3] / width), math.ceil((j + 1) * x.shape[3] / width))
        out[n, c, i, j] = sum(x[n, c, row, column] for row in rows for column in columns) / (len(rows) * len(columns))
    return out


def _over_windows(
    combine: Callable[[Tensor, Tensor], Tensor],
    padded: Tensor,
    kernel: tuple[int, int],
    sizes: tuple[int, int],
    stride: tuple[int, int],
    dilation: tuple[int, int],
) -> Tensor:
    """The cells of each window combined, two at a time: along its rows first, then what came out, down the window."""
    rows, columns = map(under, kernel, sizes, stride, dilation)
    across = reduce(combine, [padded[..., column] for column in columns])
    return reduce(combine, [across[:, :, row] for row in rows]).contiguous()


def _larger(best: Tensor, cell: Tensor) -> Tensor:
    """The larger of two, place by place: of equal ones the first, of two nan the second."""
    return torch.where((cell > best) | cell.isnan(), cell, best)


def _window(
    picture: Tensor,
    i: int,
    j: int,
    kernel: tuple[int, int],
    stride: tuple[int, int],
    padding: tuple[int, int],
    dilation: tuple[int, int],
) -> list[Tensor]:
    """The cells of window (i, j) that lie in the picture, in reading order."""
    rows = [i * stride[0] - padding[0] + u * dilation[0] for u in range(kernel[0])]
    columns = [j * stride[1] - padding[1] + v * dilation[1] for v in range(kernel[1])]
    height, width = picture.shape
    return [picture[r, c] for r in rows for c in columns if 0 <= r < height and 0 <= c < width]


def _parts(size: int, count: int) -> list[slice]:
    """The parts of an adaptive pool along one dimension. -(-a // b) rounds up, in whole numbers."""
    return [slice(i * size // count, -(-(i + 1) * size // count)) for i in range(count)]


def _checked(
    caller: str,
    x: Tensor,
    kernel_size: int | Sequence[int],
    stride: int | Sequence[int] | None,
    padding: int | Sequence[int],
    dilation: int | Sequence[int],
) -> list[tuple[int, int]]:
    """The options as pairs, and the output's size. Raises ValueError unless everything fits together."""
    _check_pictures(caller, x)
    kernel = pair(caller, "kernel_size", kernel_size, 1)
    stride = kernel if stride is None else pair(caller, "stride", stride, 1)
    padding = pair(caller, "padding", padding, 0)
    if any(2 * padding[d] > kernel[d] for d in (0, 1)):
        raise ValueError(
            f"{caller} got padding={padding} with kernel_size={kernel}; wanted at most half the kernel, so that every "
            "window reaches into the picture."
        )
    dilation = pair(caller, "dilation", dilation, 1)
    options = {"stride": stride, "padding": padding, "dilation": dilation}
    return [kernel, *options.values(), both_ways(caller, output_size, x.shape[2:], kernel, **options)]


def _check_pictures(caller: str, x: Tensor) -> None:
    """Raise ValueError unless x is a batch of pictures with pixels, in floats; the batch itself may be empty."""
    if x.ndim != 4 or not min(x.shape[2:]):
        raise ValueError(
            f"{caller} got x {tuple(x.shape)}; wanted (batch, channel, height, width), with pixels. A picture (height, "
            "width) becomes a batch by x[None, None]."
        )
    if not x.is_floating_point():
        raise ValueError(f"{caller} got {x.dtype}; wanted floating-point numbers. x.float() makes them.")
