"""The input layer: data in its own units goes in, numbers around 0 of size 1 go on.

    out = (x - mean) / std

Mean and standard deviation are measured once, on the *training* examples, and never change: they are buffers, not
parameters. As a layer of the model they travel with it, in its state dict and to its device; images stay in [0, 1]
everywhere else, and no caller can forget to scale, or scale twice. Gradients for x are in the data's own units.

Why: the cost of a linear layer bends along a feature as the square of that feature's size, so features of unlike
sizes want unlike learning rates (LeCun, Bottou, Orr and Müller, 1998, "Efficient BackProp", section 4.3).
Where it fails: a feature that hardly varied in training has a tiny std, which makes any other value huge.
"""

from collections.abc import Sequence

import torch
from torch import nn

from dlcourse.nn.norm import check_channels, moments, per_channel
from dlcourse.types import Float, Tensor


class Normalize(nn.Module):
    """(x - mean) / std, one pair for each feature of a table or each channel of images; buffers `mean` and `std`.

    Raises ValueError unless both are rows of one length, finite, and every std above 0; and for x of other channels.

    >>> Normalize([0.5], [0.25])(torch.tensor([[1.0], [0.5]]))
    tensor([[2.],
            [0.]])
    """

    def __init__(
        self, mean: Float[Tensor, " channel"] | Sequence[float], std: Float[Tensor, " channel"] | Sequence[float]
    ):
        super().__init__()
        mean, std = _row(mean), _row(std)
        if mean.ndim != 1 or mean.shape != std.shape or not len(mean):
            raise ValueError(
                f"Normalize got mean {tuple(mean.shape)} and std {tuple(std.shape)}; wanted two rows of one length, a "
                "number for each channel. Normalize.of(x) measures both."
            )
        if not (mean.isfinite().all() and std.isfinite().all() and (std > 0).all()):
            raise ValueError(
                f"Normalize got means from {mean.min():g} to {mean.max():g} and stds from {std.min():g} to "
                f"{std.max():g}; wanted finite numbers, and every std above 0. Are the data finite, and their squares?"
            )
        self.register_buffer("mean", mean.detach().clone())
        self.register_buffer("std", std.detach().clone())

    @classmethod
    def of(cls, x: Float[Tensor, "batch channel ..."]) -> "Normalize":
        """The layer that gives these training examples mean 0 and std 1 (divided by n), in each channel.

        x is (batch, features) or (batch, channel, height, width), floats. A channel that never varies gets std 1, so
        that it becomes 0. The buffers have the dtype of x. Raises ValueError when there are no examples or when numbers
        are so large or small (beyond 1e19 or 1e-19, in float32) that their squares are lost; TypeError for integers.

        >>> Normalize.of(torch.tensor([[1.0, 7.0], [3.0, 7.0]]))
        Normalize(mean=[2.0, 7.0], std=[1.0, 1.0])
        """
        if x.ndim < 2 or not x.numel():
            raise ValueError(f"Normalize.of got x {tuple(x.shape)}; wanted (batch, features) or images, at least one.")
        if not x.is_floating_point():
            raise TypeError(f"Normalize.of got x of {x.dtype}; wanted floats: images in [0, 1] are x.float() / 255.")
        mean, var = moments(x)
        dims = (0, *range(2, x.ndim))
        varies = x.amin(dims) < x.amax(dims)  # not var > 0: rounding can give a constant a tiny variance
        return cls(mean, torch.where(varies, var.sqrt(), 1.0))

    def forward(self, x: Float[Tensor, "batch channel ..."]) -> Float[Tensor, "batch channel ..."]:
        check_channels("Normalize", x, self.mean)
        return (x - per_channel(self.mean, x)) / per_channel(self.std, x)

    def extra_repr(self) -> str:
        if len(self.mean) > 3:
            return f"{len(self.mean)} channels"
        return f"mean={_text(self.mean)}, std={_text(self.std)}"


def _row(values: Tensor | Sequence[float]) -> Tensor:
    """Numbers as a tensor: in float32 on torch's default device, unless they are one already."""
    if isinstance(values, Tensor):
        return values
    return torch.tensor(values, dtype=torch.float32, device=torch.get_default_device())


def _text(values: Tensor) -> list[float]:
    return [round(value, 4) for value in values.tolist()]
