"""Convolution: one small kernel looks at every place of the picture, with the same weights everywhere.

    out[n, o, r, c] = b[o] + sum over i, u, v of  weight[o, i, u, v] * x[n, i, r stride + u dilation, c stride + v dilation]

with x padded by zeros (LeCun et al., 1989; LeCun, Bottou, Bengio and Haffner, 1998, section II). As in every library this
is the *cross-correlation*: the kernel is not flipped. Mathematicians flip it; a learned kernel does not care. Each output
channel has a kernel for every input channel; with `groups`, only for those of its own group.

The fast form: for each cell of the kernel, the picture shifted to where that cell looks. Stacked, those shifts are the
columns of one big matrix, and the whole layer is one matrix product (Chellapilla, Puri and Simard, 2006, "im2col"). The
price is memory: the pictures are stored once for each cell of the kernel.
Where it fails: whatever depends on the absolute place, or on far-apart places; one layer sees no further than its kernel.
"""

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F  # noqa: N812, torch's own name for it
from einops import rearrange
from torch import nn

from dlcourse.nn.init import he_normal
from dlcourse.nn.sizes import output_size, pair, whole
from dlcourse.types import Float, Tensor


def conv2d(
    x: Float[Tensor, "batch channel height width"],
    weight: Float[Tensor, "out group_channel kernel_height kernel_width"],
    bias: Float[Tensor, " out"] | None = None,
    *,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
) -> Float[Tensor, "batch out out_height out_width"]:
    """torch's conv2d by one matrix product. Options are one number or (rows, columns); padding is with zeros.

    weight is (out, channel / groups, kernel height, kernel width). Raises ValueError when the channels do not fit, the
    groups do not divide them, the window is larger than the padded picture, or an option is no whole number.

    A golden example, by hand: right neighbour minus left.

    >>> conv2d(torch.tensor([[[[1.0, 2.0, 4.0, 8.0]]]]), torch.tensor([[[[-1.0, 0.0, 1.0]]]]))
    tensor([[[[3., 6.]]]])
    """
    stride, padding, dilation = _checked("conv2d", x, weight, bias, stride, padding, dilation, groups)
    shifted = shifts(pad(x, padding), weight.shape[2:], stride=stride, dilation=dilation)
    batch, height, width = shifted.shape[2:]
    columns = rearrange(shifted, "(g c) k b h w -> g (c k) (b h w)", g=groups)
    rows = rearrange(weight, "(g o) c kh kw -> g o (c kh kw)", g=groups)
    out = rearrange(rows @ columns, "g o (b h w) -> b (g o) h w", b=batch, h=height, w=width)
    return out if bias is None else out + bias[:, None, None]


def conv2d_loops(
    x: Float[Tensor, "batch channel height width"],
    weight: Float[Tensor, "out group_channel kernel_height kernel_width"],
    bias: Float[Tensor, " out"] | None = None,
    *,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
) -> Float[Tensor, "batch out out_height out_width"]:
    """The same number by number: the definition. Each number is a sum over channels, kernel rows and kernel columns."""
    stride, padding, dilation = _checked("conv2d_loops", x, weight, bias, stride, padding, dilation, groups)
    padded = pad(x, padding)
    out_channels, channels, *kernel = weight.shape
    height, width = (
        output_size(padded.shape[2 + d], kernel[d], stride=stride[d], dilation=dilation[d]) for d in range(2)
    )
    out = x.new_zeros(len(x), out_channels, height, width)
    for n in range(len(x)):
        for o in range(out_channels):
            first = o // (out_channels // groups) * channels  # the first input channel of its group
            for r in range(height):
                for c in range(width):
                    for i in range(channels):
                        for u in range(kernel[0]):
                            for v in range(kernel[1]):
                                pixel = padded[
                                    n, first + i, r * stride[0] + u * dilation[0], c * stride[1] + v * dilation[1]
                                ]
                                out[n, o, r, c] += weight[o, i, u, v] * pixel
                    if bias is not None:
                        out[n, o, r, c] += bias[o]
    return out


class Conv2d(nn.Conv2d):
    """torch.nn.Conv2d with our start: weights by `init` from the generator (He's rule unless told otherwise), biases 0.

    Its forward pass is torch's own convolution, because training should not wait: `conv2d` gives the same numbers, which
    the tests assert, and benchmarks/conv.py measures how much longer it takes. `init` is called as
    init((out, in / groups, kernel height, kernel width), generator=generator). Padding is with zeros, by a number or
    (rows, columns). The layer is made in float32 on the generator's device. Raises ValueError for numbers that are not
    whole or too small, and for groups that do not divide the channels.

    >>> Conv2d(1, 6, 5, padding=2, generator=torch.Generator().manual_seed(0))
    Conv2d(1, 6, kernel_size=(5, 5), stride=(1, 1), padding=(2, 2))
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | Sequence[int],
        *,
        stride: int | Sequence[int] = 1,
        padding: int | Sequence[int] = 0,
        dilation: int | Sequence[int] = 1,
        groups: int = 1,
        bias: bool = True,
        init: Callable[..., Tensor] = he_normal,
        generator: torch.Generator,
    ):
        kernel = check_layer("Conv2d", in_channels, out_channels, kernel_size, groups)
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
        self.weight = nn.Parameter(init((out_channels, in_channels // groups, *kernel), generator=generator))
        if bias:
            nn.init.zeros_(self.bias)

    def reset_parameters(self) -> None:
        """Nothing: torch's own start would draw from the global stream. Ours is drawn once, when the layer is made."""


def pad(x: Float[Tensor, "batch channel height width"], padding: tuple[int, int], value: float = 0.0) -> Tensor:
    """x with so many rows of `value` above and below, and columns left and right."""
    rows, columns = padding
    return F.pad(x, (columns, columns, rows, rows), value=value) if rows or columns else x


def shifts(
    x: Float[Tensor, "batch channel height width"],
    kernel: Sequence[int],
    *,
    stride: tuple[int, int],
    dilation: tuple[int, int],
) -> Float[Tensor, "channel cells batch out_height out_width"]:
    """For each cell of the kernel, row by row, what lies under it as the window moves over x."""
    height, width = (output_size(x.shape[2 + d], kernel[d], stride=stride[d], dilation=dilation[d]) for d in range(2))
    pictures = rearrange(x, "b c h w -> c b h w")
    return torch.stack(
        [
            pictures[
                :,
                :,
                u * dilation[0] : u * dilation[0] + (height - 1) * stride[0] + 1 : stride[0],
                v * dilation[1] : v * dilation[1] + (width - 1) * stride[1] + 1 : stride[1],
            ]
            for u in range(kernel[0])
            for v in range(kernel[1])
        ],
        1,
    )


def check_layer(
    caller: str, in_channels: int, out_channels: int, kernel_size: int | Sequence[int], groups: int
) -> tuple[int, int]:
    """The kernel as (rows, columns). Raises ValueError unless there is such a layer."""
    whole(caller, 1, in_channels=in_channels, out_channels=out_channels, groups=groups)
    if in_channels % groups or out_channels % groups:
        raise ValueError(
            f"{caller}({in_channels}, {out_channels}, groups={groups}): the groups must divide both numbers of channels."
        )
    return pair(caller, "kernel_size", kernel_size, 1)


def _checked(
    caller: str,
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: int | Sequence[int],
    padding: int | Sequence[int],
    dilation: int | Sequence[int],
    groups: int,
) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]]:
    """Stride, padding and dilation as pairs. Raises ValueError unless everything fits together."""
    whole(caller, 1, groups=groups)
    if x.ndim != 4 or weight.ndim != 4 or x.shape[1] != weight.shape[1] * groups:
        raise ValueError(
            f"{caller} got x {tuple(x.shape)} and weight {tuple(weight.shape)} with groups={groups}; wanted x (batch, "
            "channel, height, width) and weight (out, channel / groups, kernel height, kernel width). A single picture "
            "(height, width) becomes a batch by x[None, None]."
        )
    if len(weight) % groups:
        raise ValueError(f"{caller} got {len(weight)} output channels, which {groups} groups do not divide.")
    if bias is not None and bias.shape != weight.shape[:1]:
        raise ValueError(
            f"{caller} got bias {tuple(bias.shape)}; wanted ({len(weight)},), a number for each output channel."
        )
    pairs = (
        pair(caller, "stride", stride, 1),
        pair(caller, "padding", padding, 0),
        pair(caller, "dilation", dilation, 1),
    )
    for d in range(2):
        output_size(x.shape[2 + d], weight.shape[2 + d], stride=pairs[0][d], padding=pairs[1][d], dilation=pairs[2][d])
    return pairs
