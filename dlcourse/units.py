"""What one unit answers to: the pieces of pictures in a data set that excite a channel most.

A convolution looks for the same thing everywhere, so a channel is asked for its largest value in each picture, and
where that was; the receptive field of that place, cut out of the picture, is all that the value can depend on.

Source: Zeiler and Fergus, 2014, "Visualizing and Understanding Convolutional Networks", arXiv:1311.2901, section 2,
without their way back through the layers: what stands here are pieces of data, and nothing is reconstructed.
What it does not tell: the patches that excite most are the top of a long row, picked because they are alike in one
respect. A channel that also answers to quite another thing, only less, looks pure. Look further down the row too.
"""

from dataclasses import dataclass
from typing import Any

import torch

from dlcourse.hooks import replace
from dlcourse.nn import ReceptiveField, receptive_fields
from dlcourse.training import evaluating
from dlcourse.types import Float, Int, Tensor

SIZE = 256  # pictures at a time


@dataclass(frozen=True)
class Peaks:
    """Of each picture and each channel of a layer the largest value, and the (row, column) in the channel's map."""

    values: Float[Tensor, "batch channel"]
    places: Int[Tensor, "batch channel 2"]


@dataclass(frozen=True)
class TopPatches:
    """What excites one channel most, the strongest first; k of them, or as many as there are pictures."""

    patches: Float[Tensor, "batch channel height width"]  # as large as the receptive field; 0 beyond the picture's edge
    values: Float[Tensor, " batch"]
    images: Int[Tensor, " batch"]  # indices into x
    places: Int[Tensor, "batch 2"]  # (row, column) in the channel's map


def top_patches(
    model: torch.nn.Module, layer: str, x: Float[Tensor, "batch channel height width"], channel: int, *, k: int = 9
) -> TopPatches:
    """The k pieces of the pictures x that excite a channel of a layer most, at most one from each picture.

    layer: a name of `model.named_modules()` that `nn.receptive_fields(model)` knows. The model answers in eval mode and
    is left as it was. Of equal values the earlier picture comes first, and in a picture the upper, then the left place.

    Raises ValueError for a layer without a receptive field or one that runs more than once, a channel that it does not
    have, no pictures, or a k below 1. A value that is nan comes first, as torch sorts it: something is wrong with the
    model then.

    >>> model = torch.nn.Sequential(torch.nn.Identity())
    >>> x = torch.zeros(3, 1, 2, 2)
    >>> x[1, 0, 1, 0], x[2, 0, 0, 1] = 0.5, 0.7
    >>> top = top_patches(model, "0", x, 0, k=2)
    >>> top.images, top.values, top.places
    (tensor([2, 1]), tensor([0.7000, 0.5000]), tensor([[0, 1],
            [1, 0]]))
    """
    field = field_of(model, layer)
    found = peaks(model, layer, x)
    return strongest(found, field, x, channel, k=k)


def peaks(model: torch.nn.Module, layer: str, x: Float[Tensor, "batch channel height width"]) -> Peaks:
    """The largest value of each channel of a layer in each picture, and where: the first place, if there are several.

    Raises ValueError when there are no pictures, and for a layer that the model does not have, that did not run or ran
    more than once, or whose output is no maps.
    """
    if not len(x):
        raise ValueError("peaks got no pictures; wanted at least one.")
    values, places = [], []

    def look(maps: Any) -> Any:  # at once, while the model runs: a ReLU behind may work in place
        if not isinstance(maps, Tensor) or maps.ndim != 4:
            came = tuple(getattr(maps, "shape", ()))
            raise ValueError(f"layer {layer!r} gave {came}; wanted maps (batch, channel, height, width).")
        most, index = maps.flatten(2).max(2)
        values.append(most)
        places.append(torch.stack([index // maps.shape[3], index % maps.shape[3]], dim=2))
        return maps

    for count, part in enumerate(x.split(SIZE), start=1):
        with evaluating(model), replace(model, {layer: look}):
            model(part)
        if len(values) != count:
            raise ValueError(f"layer {layer!r} ran {len(values) - count + 1} times for one picture; wanted once.")
    return Peaks(torch.cat(values), torch.cat(places))


def strongest(
    found: Peaks, field: ReceptiveField, x: Float[Tensor, "batch channel height width"], channel: int, *, k: int = 9
) -> TopPatches:
    """The second half of `top_patches`: from the peaks of all pictures to the k strongest patches of one channel."""
    whole = isinstance(k, int) and isinstance(channel, int)
    if not whole or k < 1 or not 0 <= channel < found.values.shape[1]:
        raise ValueError(
            f"channel={channel}, k={k}: wanted a channel from 0 to {found.values.shape[1] - 1}, and a k of 1 or more."
        )
    values, images = found.values[:, channel].sort(descending=True, stable=True)
    values, images = values[:k], images[:k]
    places = found.places[images, channel]
    cuts = zip(x.detach()[images], places.tolist(), strict=True)
    patches = [patch(picture, field, *place) for picture, place in cuts]
    return TopPatches(torch.stack(patches), values, images, places)


def patch(
    picture: Float[Tensor, "channel height width"], field: ReceptiveField, row: int, column: int
) -> Float[Tensor, "channel _ _"]:
    """The pixels that unit (row, column) sees, `field.size` of them; 0 beyond the edge of the picture.

    >>> patch(torch.ones(1, 2, 2), ReceptiveField((3, 3), (1, 1), (-1, -1)), 0, 0)
    tensor([[[0., 0., 0.],
             [0., 1., 1.],
             [0., 1., 1.]]])
    """
    top, left, bottom, right = field.window(row, column)
    height, width = picture.shape[1:]
    over = max(-left, 0), max(right - width, 0), max(-top, 0), max(bottom - height, 0)  # 0s that are needed
    row, column = top + over[2], left + over[0]
    padded = torch.nn.functional.pad(picture, over)
    return padded[:, row : row + bottom - top, column : column + right - left]


def field_of(model: torch.nn.Module, layer: str) -> ReceptiveField:
    """The receptive field of a layer. Raises ValueError that lists the layers which have one."""
    fields = receptive_fields(model)
    if layer not in fields:
        raise ValueError(
            f"layer {layer!r} has no receptive field that could be computed: the model has none of this name, or it is "
            "or follows one that sees the whole picture, or an adaptive pool. Those that have one: "
            f"{', '.join(fields) or 'none'}."
        )
    return fields[layer]
