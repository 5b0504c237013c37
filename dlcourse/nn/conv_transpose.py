"""Transposed convolution: every number stamps the whole kernel, times itself, into a larger picture.

    out[n, o, r * stride + u * dilation - padding, c * ... alike]  +=  x[n, i, r, c] * weight[i, o, u, v]

and b[o] everywhere. A convolution is linear, so it is a matrix; this is that matrix transposed, and so it is what
gradients do on their way back through `conv2d` with the same weight (Zeiler, Krishnan, Taylor and Fergus, 2010;
Dumoulin and Visin, 2016, arXiv:1603.07285, chapter 4). It makes pictures larger, with weights that can be learned. It
is *no* inverse, although some call it "deconvolution".

Where it fails: unless the stride divides the kernel, neighbouring pixels get unlike numbers of stamps, and the picture
shows a checkerboard (Odena, Dumoulin and Olah, 2016, Distill).
"""

from collections.abc import Callable, Sequence
from itertools import product

import torch
from einops import rearrange
from torch import nn

from dlcourse.nn.conv import check_channels, check_dtypes, pair, start, under
from dlcourse.nn.init import he_normal
from dlcourse.nn.sizes import both_ways, transposed_output_size, whole
from dlcourse.types import Float, Tensor


def conv_transpose2d(
    x: Float[Tensor, "batch channel height width"],
    weight: Float[Tensor, "channel group_out kernel_height kernel_width"],
    bias: Float[Tensor, " out"] | None = None,
    stride: int | Sequence[int] = 1,
    *,
    padding: int | Sequence[int] = 0,
    output_padding: int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
) -> Float[Tensor, "batch out out_height out_width"]:
    """torch's conv_transpose2d: one matrix product makes all stamps, then each cell of the kernel adds its numbers.

    weight is (channel, out / groups, kernel height, kernel width): in first, as in torch. `padding` takes so many rows
    and columns away on each side, `output_padding` adds some below and on the right. Raises ValueError when channels,
    groups, sizes or dtypes do not fit, and when an option is no whole number.

    A golden example, by hand: two stamps two pixels apart, 1 2 3 and 10 20 30, which meet in the middle.

    >>> conv_transpose2d(torch.tensor([[[[1.0, 10.0]]]]), torch.tensor([[[[1.0, 2.0, 3.0]]]]), stride=2)
    tensor([[[[ 1.,  2., 13., 20., 30.]]]])
    """
    stride, padding, dilation, canvas = _checked(
        "conv_transpose2d", x, weight, bias, stride, padding, output_padding, dilation, groups
    )
    batch, _, height, width = x.shape
    columns = rearrange(x, "b (g c) h w -> g c (b h w)", g=groups)
    rows = rearrange(weight, "(g c) o u v -> g (u v o) c", g=groups)
    stamps = rearrange(
        rows @ columns, "g (k o) (b h w) -> k b (g o) h w", o=weight.shape[1], b=batch, h=height, w=width
    )
    places = product(*map(under, weight.shape[2:], (height, width), stride, dilation))
    for cell, (row, column) in enumerate(places):
        canvas[:, :, row, column] += stamps[cell]
    return _finish(canvas, padding, bias)


def conv_transpose2d_loops(
    x: Float[Tensor, "batch channel height width"],
    weight: Float[Tensor, "channel group_out kernel_height kernel_width"],
    bias: Float[Tensor, " out"] | None = None,
    stride: int | Sequence[int] = 1,
    *,
    padding: int | Sequence[int] = 0,
    output_padding: int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
) -> Float[Tensor, "batch out out_height out_width"]:
    """The same stamp by stamp, number by number."""
    stride, padding, dilation, canvas = _checked(
        "conv_transpose2d_loops", x, weight, bias, stride, padding, output_padding, dilation, groups
    )
    channels, outs, *kernel = weight.shape
    for n, i, r, c in product(*map(range, x.shape)):
        first = i // (channels // groups) * outs  # the first output channel of its group
        for o, u, v in product(range(outs), range(kernel[0]), range(kernel[1])):
            row, column = r * stride[0] + u * dilation[0], c * stride[1] + v * dilation[1]
            canvas[n, first + o, row, column] += x[n, i, r, c] * weight[i, o, u, v]
    return _finish(canvas, padding, bias)


class ConvTranspose2d(nn.ConvTranspose2d):
    """torch.nn.ConvTranspose2d with a start of our own: weights by `init` from the generator, biases 0.

    Its forward pass is torch's, as in `nn.Conv2d`, and the tests hold `conv_transpose2d` equal to it. `init` is called
    with the shape of a convolution with as many inputs and outputs, (out, in / groups, kernel height, kernel width), so
    that its fan_in counts inputs. With a stride each output meets only one in stride rows * stride columns of those:
    for signals of the same size, give an `init` with a gain larger by the root of that. Made in float32 on the
    generator's device. Raises ValueError as `nn.Conv2d` does, and for an output_padding that is not below the stride or
    the dilation.

    >>> ConvTranspose2d(6, 1, 2, stride=2, generator=torch.Generator().manual_seed(0))
    ConvTranspose2d(6, 1, kernel_size=(2, 2), stride=(2, 2))
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | Sequence[int],
        stride: int | Sequence[int] = 1,
        *,
        padding: int | Sequence[int] = 0,
        output_padding: int | Sequence[int] = 0,
        dilation: int | Sequence[int] = 1,
        groups: int = 1,
        bias: bool = True,
        init: Callable[..., Tensor] = he_normal,
        generator: torch.Generator,
    ):
        caller = "ConvTranspose2d"
        in_channels, out_channels, groups = check_channels(caller, in_channels, out_channels, groups)
        kernel = pair(caller, "kernel_size", kernel_size, 1)
        options = {
            "stride": pair(caller, "stride", stride, 1),
            "output_padding": pair(caller, "output_padding", output_padding, 0),
            "dilation": pair(caller, "dilation", dilation, 1),
        }
        both_ways(caller, transposed_output_size, kernel, kernel, **options)  # refuses too large an output_padding
        super().__init__(
            in_channels,
            out_channels,
            kernel,
            padding=pair(caller, "padding", padding, 0),
            groups=groups,
            bias=bias,
            device=generator.device,
            **options,
        )
        weight = start(caller, init, (out_channels, in_channels // groups, *kernel), generator)
        self.weight = nn.Parameter(rearrange(weight, "(g o) c u v -> (g c) o u v", g=groups).contiguous())
        if bias:
            nn.init.zeros_(self.bias)

    def reset_parameters(self) -> None:
        """Nothing: torch's own start would draw from the global stream. Ours is drawn once, when the layer is made."""


def _finish(canvas: Tensor, padding: tuple[int, int], bias: Tensor | None) -> Tensor:
    """The canvas without its margins, plus the bias."""
    (rows, columns), (height, width) = padding, canvas.shape[2:]
    out = canvas[:, :, rows : height - rows, columns : width - columns]
    return out.contiguous() if bias is None else out + bias[:, None, None]


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
) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int], Tensor]:
    """Stride, padding and dilation as pairs, and a canvas of zeros where all stamps fit, margins and all.

    Raises ValueError unless everything fits together.
    """
    whole(caller, 1, groups=groups)
    if x.ndim != 4 or weight.ndim != 4 or x.shape[1] != len(weight):
        raise ValueError(
            f"{caller} got x {tuple(x.shape)} and weight {tuple(weight.shape)}; wanted x (batch, channel, height, "
            "width) and weight (channel, out / groups, kernel height, kernel width), in first."
        )
    outs = weight.shape[1] * groups
    check_channels(caller, len(weight), outs, groups)
    if bias is not None and bias.shape != (outs,):
        raise ValueError(f"{caller} got bias {tuple(bias.shape)}; wanted ({outs},), one for each output channel.")
    check_dtypes(caller, x, weight, bias)
    stride, padding = pair(caller, "stride", stride, 1), pair(caller, "padding", padding, 0)
    output_padding = pair(caller, "output_padding", output_padding, 0)
    dilation = pair(caller, "dilation", dilation, 1)
    options = {"stride": stride, "padding": padding, "output_padding": output_padding, "dilation": dilation}
    height, width = both_ways(caller, transposed_output_size, x.shape[2:], weight.shape[2:], **options)
    canvas = x.new_zeros(len(x), outs, height + 2 * padding[0], width + 2 * padding[1])
    return stride, padding, dilation, canvas
