"""Convolution: one small kernel looks at every place of the picture, with the same weights everywhere.

    out[n, o, r, c] = b[o] + sum over i, u, v of  weight[o, i, u, v] * x[n, i, r * stride + u * dilation, c * ... alike]

where x has `padding` zeros around it, o and i count channels, u and v the kernel's rows and columns (LeCun et al.,
1989; LeCun, Bottou, Bengio and Haffner, 1998, section II). As in every library the kernel is not flipped, which makes
it a cross-correlation to a mathematician. With `groups`, an output sees the input channels of its own group only.

Fast: for every place of the window, put the pixels under it into a column; then the layer is one matrix product
(Chellapilla, Puri and Simard, 2006). The price is memory: each pixel is stored once for every cell of the kernel.
Where it fails: a kernel sees no further than it is wide, and does not know where in the picture it is.
"""

from collections.abc import Callable, Sequence
from itertools import product

import torch
import torch.nn.functional as F  # noqa: N812, torch's own name for it
from einops import rearrange
from torch import nn

from dlcourse.nn.init import he_normal
from dlcourse.nn.sizes import both_ways, output_size, whole
from dlcourse.types import Float, Tensor


def conv2d(
    x: Float[Tensor, "batch channel height width"],
    weight: Float[Tensor, "out group_channel kernel_height kernel_width"],
    bias: Float[Tensor, " out"] | None = None,
    stride: int | Sequence[int] = 1,
    *,
    padding: int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
) -> Float[Tensor, "batch out out_height out_width"]:
    """torch's conv2d as one matrix product. Options are a number or (rows, columns); padding is with zeros.

    weight is (out, channel / groups, kernel height, kernel width). Raises ValueError when the channels do not fit, the
    groups do not divide them, the window is larger than the padded picture, an option is no whole number, or the
    tensors differ in dtype.

    A golden example, by hand: the right neighbour minus the left one.

    >>> conv2d(torch.tensor([[[[1.0, 2.0, 4.0, 8.0]]]]), torch.tensor([[[[-1.0, 0.0, 1.0]]]]))
    tensor([[[[3., 6.]]]])
    """
    stride, padding, dilation, sizes = _checked("conv2d", x, weight, bias, stride, padding, dilation, groups)
    pixels = windows(x, weight.shape[2:], sizes, stride=stride, padding=padding, dilation=dilation)
    columns = rearrange(pixels, "(g c) u v b h w -> g (c u v) (b h w)", g=groups)
    rows = rearrange(weight, "(g o) c u v -> g o (c u v)", g=groups)
    # baddbmm(b, rows, columns) is b + rows @ columns in one go, for every group
    out = rows @ columns if bias is None else torch.baddbmm(bias.reshape(groups, -1, 1), rows, columns)
    height, width = sizes
    return rearrange(out, "g o (b h w) -> b (g o) h w", h=height, w=width, b=len(x)).contiguous()


def conv2d_loops(
    x: Float[Tensor, "batch channel height width"],
    weight: Float[Tensor, "out group_channel kernel_height kernel_width"],
    bias: Float[Tensor, " out"] | None = None,
    stride: int | Sequence[int] = 1,
    *,
    padding: int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
) -> Float[Tensor, "batch out out_height out_width"]:
    """The same number by number: the definition. Example n, output o, row r, column c: a sum over i, u and v."""
    stride, padding, dilation, sizes = _checked("conv2d_loops", x, weight, bias, stride, padding, dilation, groups)
    outs, channels, *kernel = weight.shape
    height, width = sizes
    padded = pad(x, padding)
    out = x.new_zeros(len(x), outs, height, width)
    for n, o, r, c in product(range(len(x)), range(outs), range(height), range(width)):
        first = o // (outs // groups) * channels  # the first input channel of its group
        total = 0.0 if bias is None else bias[o]
        for i, u, v in product(range(channels), range(kernel[0]), range(kernel[1])):
            pixel = padded[n, first + i, r * stride[0] + u * dilation[0], c * stride[1] + v * dilation[1]]
            total = total + weight[o, i, u, v] * pixel
        out[n, o, r, c] = total
    return out


class Conv2d(nn.Conv2d):
    """torch.nn.Conv2d with a start of our own: weights by `init` from the generator, He's rule by default; biases 0.

    Its forward pass is torch's, because training should not wait: the tests hold `conv2d` equal to it, and
    benchmarks/conv.py measures by how much it is slower. On the CPU torch 2.13 can end the process (a segmentation
    fault) where a *dilated* layer meets float32 pictures or weights in channels_last memory; leave such a layer in the
    usual one. `init` is called as init((out, in / groups, kernel height, kernel width), generator=generator). Padding
    is with zeros, a number or (rows, columns). The layer is made in float32 on the generator's device. Raises
    ValueError for numbers that are not whole or too small, for groups that do not divide the channels, and for an
    `init` that returns another shape.

    >>> Conv2d(1, 6, 5, padding=2, generator=torch.Generator().manual_seed(0))
    Conv2d(1, 6, kernel_size=(5, 5), stride=(1, 1), padding=(2, 2))
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | Sequence[int],
        stride: int | Sequence[int] = 1,
        *,
        padding: int | Sequence[int] = 0,
        dilation: int | Sequence[int] = 1,
        groups: int = 1,
        bias: bool = True,
        init: Callable[..., Tensor] = he_normal,
        generator: torch.Generator,
    ):
        in_channels, out_channels, groups = check_channels("Conv2d", in_channels, out_channels, groups)
        kernel = pair("Conv2d", "kernel_size", kernel_size, 1)
        super().__init__(
            in_channels,
            out_channels,
            kernel,
            stride=pair("Conv2d", "stride", stride, 1),
            padding=pair("Conv2d", "padding", padding, 0),
            dilation=pair("Conv2d", "dilation", dilation, 1),
            groups=groups,
            bias=bias,
            device=generator.device,
        )
        self.weight = nn.Parameter(start("Conv2d", init, (out_channels, in_channels // groups, *kernel), generator))
        if bias:
            nn.init.zeros_(self.bias)

    def reset_parameters(self) -> None:
        """Nothing: torch's own start would draw from the global stream. Ours is drawn once, when the layer is made."""


def pair(caller: str, name: str, value: int | Sequence[int], least: int) -> tuple[int, int]:
    """(rows, columns), from one number for both or from two. Raises ValueError unless whole, and `least` or more."""
    both = tuple(value) if isinstance(value, (tuple, list)) else (value, value)
    if len(both) != 2:
        raise ValueError(f"{caller} got {name}={value!r}; wanted one number, or two: (rows, columns).")
    rows, columns = (whole(caller, least, **{name: number})[0] for number in both)
    return rows, columns


def start(caller: str, init: Callable[..., Tensor], shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """The weights that `init` draws. Raises ValueError unless they have the shape that was asked for."""
    weight = init(shape, generator=generator)
    if weight.shape != shape:
        raise ValueError(f"{caller} asked its init for {shape} and got {tuple(weight.shape)}; wanted all of `shape`.")
    return weight


def pad(x: Float[Tensor, "batch channel height width"], padding: tuple[int, int], value: float = 0.0) -> Tensor:
    """x with so many rows of `value` above and below it, and so many columns on its left and right."""
    rows, columns = padding
    return F.pad(x, (columns, columns, rows, rows), value=value) if rows or columns else x  # F.pad by 0 would copy x


def windows(
    x: Float[Tensor, "batch channel height width"],
    kernel: Sequence[int],
    sizes: tuple[int, int],
    *,
    stride: tuple[int, int],
    padding: tuple[int, int],
    dilation: tuple[int, int],
) -> Float[Tensor, "channel kernel_height kernel_width batch out_height out_width"]:
    """For each cell of the kernel, all that comes to lie under it while the window moves over x, padded with zeros.

    sizes: how many places the window has, (rows, columns).
    Whole rows are laid out first and columns then: that takes kernel height + kernel width copies, not their product.
    """
    rows, columns = map(under, kernel, sizes, stride, dilation)
    padded = pad(x, padding).transpose(0, 1)
    bands = torch.stack([padded[:, :, row] for row in rows], 1)
    return torch.stack([bands[..., column] for column in columns], 2)


def under(kernel: int, count: int, stride: int, dilation: int) -> list[slice]:
    """Along one dimension, for each cell of the kernel: where it lies in the `count` places of the window.

    >>> under(3, 2, stride=4, dilation=1)
    [slice(0, 5, 4), slice(1, 6, 4), slice(2, 7, 4)]
    """
    starts = range(0, kernel * dilation, dilation)
    return [slice(start, start + (count - 1) * stride + 1, stride) for start in starts]


def check_channels(caller: str, in_channels: int, out_channels: int, groups: int) -> list[int]:
    """The three as ints. Raises ValueError unless the groups divide both."""
    numbers = whole(caller, 1, in_channels=in_channels, out_channels=out_channels, groups=groups)
    if in_channels % groups or out_channels % groups:
        raise ValueError(
            f"{caller} got {in_channels} input channels, {out_channels} output channels and groups={groups}; the "
            "groups must divide both. groups=1 lets every output see every input."
        )
    return numbers


def check_dtypes(caller: str, x: Tensor, weight: Tensor, bias: Tensor | None) -> None:
    """Raise ValueError unless all have one."""
    if not x.dtype == weight.dtype == (x if bias is None else bias).dtype:
        rest = "" if bias is None else f", bias {bias.dtype}"
        raise ValueError(
            f"{caller} got x {x.dtype}, weight {weight.dtype}{rest}; wanted one dtype. x.to(weight.dtype) converts x."
        )


def _checked(
    caller: str,
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: int | Sequence[int],
    padding: int | Sequence[int],
    dilation: int | Sequence[int],
    groups: int,
) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int], tuple[int, int]]:
    """Stride, padding and dilation as pairs, and the output's size. Raises ValueError unless all fits together."""
    if x.ndim != 4 or weight.ndim != 4:
        raise ValueError(
            f"{caller} got x {tuple(x.shape)} and weight {tuple(weight.shape)}; wanted x (batch, channel, height, "
            "width) and weight (out, channel / groups, kernel height, kernel width). A picture (height, width) becomes "
            "a batch by x[None, None]."
        )
    check_channels(caller, x.shape[1], len(weight), groups)
    if x.shape[1] != weight.shape[1] * groups:
        raise ValueError(
            f"{caller} got x with {x.shape[1]} channels and weight {tuple(weight.shape)}, which with groups={groups} "
            f"wants {weight.shape[1] * groups}; weight is (out, channel / groups, kernel height, kernel width)."
        )
    if bias is not None and bias.shape != weight.shape[:1]:
        raise ValueError(f"{caller} got bias {tuple(bias.shape)}; wanted ({len(weight)},), one for each output.")
    check_dtypes(caller, x, weight, bias)
    stride, padding = pair(caller, "stride", stride, 1), pair(caller, "padding", padding, 0)
    dilation = pair(caller, "dilation", dilation, 1)
    options = {"stride": stride, "padding": padding, "dilation": dilation}
    return stride, padding, dilation, both_ways(caller, output_size, x.shape[2:], weight.shape[2:], **options)
