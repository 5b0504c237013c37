"""Transposed convolution: every number of the input stamps the whole kernel, times itself, into a larger picture.

    out[n, o, r stride + u dilation - padding, c stride + v dilation - padding]  +=  x[n, i, r, c] * weight[i, o, u, v]

A convolution is a linear map, so it has a matrix; this is the transposed matrix, and hence exactly what gradients do on
their way back through `conv2d` with the same weight (Zeiler et al., 2010; Dumoulin and Visin, 2016, arXiv:1603.07285,
chapter 4). It is *no* inverse, although it is sometimes called "deconvolution". It is used to make pictures larger.
Where it fails: when the stride does not divide the kernel, some output pixels get more stamps than their neighbours,
which shows as a checkerboard (Odena, Dumoulin and Olah, 2016, Distill).
"""

from collections.abc import Callable, Sequence

import torch
from einops import rearrange
from torch import nn

from dlcourse.nn.conv import check_layer
from dlcourse.nn.init import he_normal
from dlcourse.nn.sizes import pair, transposed_output_size, whole
from dlcourse.types import Float, Tensor


def conv_transpose2d(
    x: Float[Tensor, "batch channel height width"],
    weight: Float[Tensor, "channel group_out kernel_height kernel_width"],
    bias: Float[Tensor, " out"] | None = None,
    *,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] = 0,
    output_padding: int | Sequence[int] = 0,
    groups: int = 1,
    dilation: int | Sequence[int] = 1,
) -> Float[Tensor, "batch out out_height out_width"]:
    """torch's conv_transpose2d: one matrix product for all stamps, then one addition for each cell of the kernel.

    weight is (channel, out / groups, kernel height, kernel width): in first, as in torch. `padding` cuts that many rows
    and columns off each side, `output_padding` adds some below and at the right. Raises ValueError when channels, groups
    or sizes do not fit, and when an option is no whole number.

    A golden example, by hand: with a stride of 2, two stamps that overlap in the middle.

    >>> conv_transpose2d(torch.tensor([[[[1.0, 10.0]]]]), torch.tensor([[[[1.0, 2.0, 3.0]]]]), stride=2)
    tensor([[[[ 1.,  2., 13., 20., 30.]]]])
    """
    stride, padding, output_padding, dilation = _checked(
        "conv_transpose2d", x, weight, bias, stride, padding, output_padding, dilation, groups
    )
    batch, _, height, width = x.shape
    columns = rearrange(x, "b (g c) h w -> g c (b h w)", g=groups)
    rows = rearrange(weight, "(g c) o kh kw -> g (kh kw o) c", g=groups)
    stamps = rearrange(
        rows @ columns, "g (k o) (b h w) -> k b (g o) h w", o=weight.shape[1], b=batch, h=height, w=width
    )
    kernel = weight.shape[2:]
    canvas = _canvas(x, weight, stride, output_padding, dilation, groups)
    for u in range(kernel[0]):
        for v in range(kernel[1]):
            top, left = u * dilation[0], v * dilation[1]
            canvas[
                :,
                :,
                top : top + (height - 1) * stride[0] + 1 : stride[0],
                left : left + (width - 1) * stride[1] + 1 : stride[1],
            ] += stamps[u * kernel[1] + v]
    out = _cut(canvas, padding)
    return out if bias is None else out + bias[:, None, None]


def conv_transpose2d_loops(
    x: Float[Tensor, "batch channel height width"],
    weight: Float[Tensor, "channel group_out kernel_height kernel_width"],
    bias: Float[Tensor, " out"] | None = None,
    *,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] = 0,
    output_padding: int | Sequence[int] = 0,
    groups: int = 1,
    dilation: int | Sequence[int] = 1,
) -> Float[Tensor, "batch out out_height out_width"]:
    """The same stamp by stamp: each number of x adds its multiple of the kernel to the picture."""
    stride, padding, output_padding, dilation = _checked(
        "conv_transpose2d_loops", x, weight, bias, stride, padding, output_padding, dilation, groups
    )
    canvas = _canvas(x, weight, stride, output_padding, dilation, groups)
    batch, channels, height, width = x.shape
    outs, *kernel = weight.shape[1:]
    for n in range(batch):
        for i in range(channels):
            first = i // (channels // groups) * outs  # the first output channel of its group
            for r in range(height):
                for c in range(width):
                    for o in range(outs):
                        for u in range(kernel[0]):
                            for v in range(kernel[1]):
                                row, column = r * stride[0] + u * dilation[0], c * stride[1] + v * dilation[1]
                                canvas[n, first + o, row, column] += x[n, i, r, c] * weight[i, o, u, v]
    out = _cut(canvas, padding)
    return out if bias is None else out + bias[:, None, None]


class ConvTranspose2d(nn.ConvTranspose2d):
    """torch.nn.ConvTranspose2d with our start: weights by `init` from the generator, biases 0.

    Its forward pass is torch's own, as in `nn.Conv2d`; the tests hold `conv_transpose2d` equal to it. `init` is called
    with the shape of the convolution that has as many inputs and outputs, (out, in / groups, kernel height, kernel
    width), so that its fan_in counts inputs; with a stride, an output meets only 1 in (stride rows * stride columns) of
    them. Made in float32 on the generator's device. Raises ValueError as `nn.Conv2d` does.

    >>> ConvTranspose2d(6, 1, 2, stride=2, generator=torch.Generator().manual_seed(0))
    ConvTranspose2d(6, 1, kernel_size=(2, 2), stride=(2, 2))
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | Sequence[int],
        *,
        stride: int | Sequence[int] = 1,
        padding: int | Sequence[int] = 0,
        output_padding: int | Sequence[int] = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: int | Sequence[int] = 1,
        init: Callable[..., Tensor] = he_normal,
        generator: torch.Generator,
    ):
        kernel = check_layer("ConvTranspose2d", in_channels, out_channels, kernel_size, groups)
        super().__init__(
            in_channels,
            out_channels,
            kernel,
            stride=pair("ConvTranspose2d", "stride", stride, 1),
            padding=pair("ConvTranspose2d", "padding", padding, 0),
            output_padding=pair("ConvTranspose2d", "output_padding", output_padding, 0),
            groups=groups,
            bias=bias,
            dilation=pair("ConvTranspose2d", "dilation", dilation, 1),
            device=generator.device,
        )
        weight = init((out_channels, in_channels // groups, *kernel), generator=generator)
        self.weight = nn.Parameter(rearrange(weight, "(g o) c h w -> (g c) o h w", g=groups).contiguous())
        if bias:
            nn.init.zeros_(self.bias)

    def reset_parameters(self) -> None:
        """Nothing: torch's own start would draw from the global stream. Ours is drawn once, when the layer is made."""


def _canvas(
    x: Tensor,
    weight: Tensor,
    stride: tuple[int, int],
    output_padding: tuple[int, int],
    dilation: tuple[int, int],
    groups: int,
) -> Tensor:
    """Zeros where all stamps fit, before anything is cut off."""
    sizes = (
        transposed_output_size(
            x.shape[2 + d],
            weight.shape[2 + d],
            stride=stride[d],
            output_padding=output_padding[d],
            dilation=dilation[d],
        )
        for d in range(2)
    )
    return x.new_zeros(len(x), weight.shape[1] * groups, *sizes)


def _cut(canvas: Tensor, padding: tuple[int, int]) -> Tensor:
    """The canvas without its margins."""
    (rows, columns), (height, width) = padding, canvas.shape[2:]
    return canvas[:, :, rows : height - rows, columns : width - columns]


def _checked(
    caller: str,
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: int | Sequence[int],
    padding: int | Sequence[int],
    output_padding: int | Sequence[int],
    dilation: int | Sequence[int],
    groups: int,
) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int], tuple[int, int]]:
    """The options as pairs. Raises ValueError unless everything fits together."""
    whole(caller, 1, groups=groups)
    if x.ndim != 4 or weight.ndim != 4 or x.shape[1] != len(weight):
        raise ValueError(
            f"{caller} got x {tuple(x.shape)} and weight {tuple(weight.shape)}; wanted x (batch, channel, height, width) "
            "and weight (channel, out / groups, kernel height, kernel width), in first."
        )
    if len(weight) % groups:
        raise ValueError(f"{caller} got {len(weight)} input channels, which {groups} groups do not divide.")
    outs = weight.shape[1] * groups
    if bias is not None and bias.shape != (outs,):
        raise ValueError(f"{caller} got bias {tuple(bias.shape)}; wanted ({outs},), a number for each output channel.")
    pairs = (
        pair(caller, "stride", stride, 1),
        pair(caller, "padding", padding, 0),
        pair(caller, "output_padding", output_padding, 0),
        pair(caller, "dilation", dilation, 1),
    )
    for d, (s, p, o, g) in enumerate(zip(*pairs, strict=True)):
        transposed_output_size(x.shape[2 + d], weight.shape[2 + d], stride=s, padding=p, output_padding=o, dilation=g)
    return pairs
