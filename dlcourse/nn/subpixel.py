"""Sub-pixel upsampling: the network draws r x r pixels at each place as r * r channels, and they are laid out.

    out[n, c, h r + i, w r + j] = x[n, c r^2 + i r + j, h, w]        i, j from 0 to r - 1

(Shi, Caballero, Huszár, Totz, Aitken, Bishop, Rueckert and Wang, 2016, arXiv:1609.05158, equation 4; in torch's order
of the channels.) A convolution does the work, at the small size; this only moves numbers, so its slope only moves them
back. Convolution and shuffle together are a transposed convolution whose stride divides its kernel (Shi et al., 2016,
arXiv:1609.07009): every pixel gets equally many stamps, which takes away one cause of the checkerboard.

Where it fails: it does not take away the other. The r * r channels of a place start with unlike random weights, so the
first pictures show a pattern of period r (Aitken et al., 2017, arXiv:1707.02937); a convolution behind it smooths that.
"""

from itertools import product

from einops import rearrange
from torch import nn

from dlcourse.nn.sizes import whole
from dlcourse.types import Float, Tensor


def pixel_shuffle(
    x: Float[Tensor, "batch channel height width"], factor: int
) -> Float[Tensor, "batch out out_height out_width"]:
    """torch's pixel_shuffle: (batch, out * factor^2, height, width) becomes (batch, out, height * factor, width * ...).

    Raises ValueError for channels that factor^2 does not divide, x of other dimensions and a factor that is not whole
    or below 1.

    A golden example, by hand: four channels of one pixel are the four pixels of one channel, row by row.

    >>> import torch
    >>> pixel_shuffle(torch.tensor([1.0, 2.0, 3.0, 4.0]).reshape(1, 4, 1, 1), 2)
    tensor([[[[1., 2.],
              [3., 4.]]]])
    """
    factor = _checked("pixel_shuffle", x, factor)
    return rearrange(x, "b (c i j) h w -> b c (h i) (w j)", i=factor, j=factor)


def pixel_shuffle_definition(
    x: Float[Tensor, "batch channel height width"], factor: int
) -> Float[Tensor, "batch out out_height out_width"]:
    """The same, number by number: the equation."""
    factor = _checked("pixel_shuffle_definition", x, factor)
    batch, channels, height, width = x.shape
    out = x.new_zeros(batch, channels // factor**2, height * factor, width * factor)
    for c, h, w, i, j in product(*map(range, (out.shape[1], height, width, factor, factor))):
        out[:, c, h * factor + i, w * factor + j] = x[:, c * factor**2 + i * factor + j, h, w]
    return out


class PixelShuffle(nn.Module):
    """`pixel_shuffle` as a layer; it has no parameters. Raises ValueError for a factor not whole or below 1.

    >>> PixelShuffle(2)
    PixelShuffle(2)
    """

    def __init__(self, factor: int):
        super().__init__()
        (self.factor,) = whole("PixelShuffle", 1, factor=factor)

    def forward(
        self, x: Float[Tensor, "batch channel height width"]
    ) -> Float[Tensor, "batch out out_height out_width"]:
        return pixel_shuffle(x, self.factor)

    def extra_repr(self) -> str:
        return f"{self.factor}"


def _checked(caller: str, x: Tensor, factor: int) -> int:
    """The factor as an int. Raises ValueError unless it fits x."""
    (factor,) = whole(caller, 1, factor=factor)
    if x.ndim != 4 or x.shape[1] % factor**2:
        raise ValueError(
            f"{caller} got x {tuple(x.shape)} and factor={factor}; wanted (batch, channel, height, width) with a "
            f"multiple of {factor**2} channels: {factor} x {factor} for each channel that comes out."
        )
    return factor
