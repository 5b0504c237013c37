"""One unit explained: what it sees, through which layers its value came, and what the convolution added up."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from dlcourse.nn.receptive import PIXELWISE
from dlcourse.types import Float, Tensor
from dlcourse.widgets.feature_map_explorer.network import Call, Network, Off, Trace
from dlcourse.widgets.feature_map_explorer.words import TIMES

MOST = 4  # incoming channels that are shown one by one


@dataclass(frozen=True)
class Place:
    """A layer on the way, and the unit there from which the value came."""

    layer: str
    row: int
    column: int
    value: float
    how: str  # "" or what this layer did: "the largest of 2 x 2 places"


@dataclass(frozen=True)
class Terms:
    """What a convolution added up for one unit: value = sum of the terms + rest + bias.

    channels: of its input, the strongest terms first (by size); the sums of the others are `rest`.
    """

    layer: str
    channels: tuple[int, ...]
    sums: tuple[float, ...]
    others: int
    rest: float
    bias: float | None
    inputs: Float[Tensor, "batch height width"]
    kernels: Float[Tensor, "batch height width"]
    value: float
    of_picture: bool  # the input has one channel, and it is the picture or made from it pixel by pixel


@dataclass(frozen=True)
class Explained:
    """way: from the layer asked for back to the convolution, or as far as one layer hands on to the next."""

    way: tuple[Place, ...]
    terms: Terms | None
    ends: str  # why the way ends before a convolution, or ""


def explain(network: Network, trace: Trace, off: Off, layer: str, channel: int, row: int, column: int) -> Explained:
    """Walk back from a unit, through the place that a max pool took, to the convolution that made it."""
    way: list[Place] = []
    call: Call | None = trace.of(layer)
    while call is not None:
        module, value = network.module(call.name), float(call.value[channel, row, column])
        below = trace.before(call)
        if (call.name, channel) in off:
            way.append(Place(call.name, row, column, value, "switched off"))
            return Explained(tuple(way), None, "")
        if isinstance(module, nn.Conv2d):
            way.append(Place(call.name, row, column, value, ""))
            return Explained(tuple(way), _terms(network, trace, call, below, channel, row, column), "")
        if isinstance(module, nn.MaxPool2d) and below is not None:
            here = row, column
            row, column, size = _winner(module, below.value[channel], row, column)
            way.append(Place(call.name, *here, value, f"the largest of {size[0]} {TIMES} {size[1]} places"))
        elif isinstance(module, PIXELWISE):
            way.append(Place(call.name, row, column, value, ""))
        else:
            way.append(Place(call.name, row, column, value, ""))
            return Explained(tuple(way), None, _reason(module, below))
        call = below
    return Explained(tuple(way), None, "its input is the picture")


def _reason(module: nn.Module, below: Call | None) -> str:
    if isinstance(module, nn.AvgPool2d):
        rows, columns = _pair(module.kernel_size)
        return f"a mean of {rows} {TIMES} {columns} places" + (f" of {below.name}" if below else "")
    return "a sum of paths" if hasattr(module, "paths") else "several layers at once"


def _winner(module: nn.MaxPool2d, source: Tensor, row: int, column: int) -> tuple[int, int, tuple[int, int]]:
    """The place of the pool's input that was the largest, and the size of the window."""
    size, stride, padding, dilation = map(_pair, (module.kernel_size, module.stride, module.padding, module.dilation))
    places = [
        (row * stride[0] - padding[0] + i * dilation[0], column * stride[1] - padding[1] + j * dilation[1])
        for i in range(size[0])
        for j in range(size[1])
    ]
    inside = [(r, c) for r, c in places if 0 <= r < source.shape[0] and 0 <= c < source.shape[1]]
    return *max(inside, key=lambda place: float(source[place])), size


def _terms(
    network: Network, trace: Trace, call: Call, below: Call | None, channel: int, row: int, column: int
) -> Terms:
    """The products of kernel and input, by input channel."""
    module: nn.Conv2d = network.module(call.name)
    source = below.value if below is not None else call.source[0].float().cpu()
    weight = module.weight[channel].detach().float().cpu()  # (in a group, rows, columns)
    first = channel // (module.out_channels // module.groups) * len(weight)
    inputs = _window(module, source[first : first + len(weight)], row, column)
    sums = (inputs * weight).sum((1, 2))
    order = sums.abs().argsort(descending=True, stable=True)
    shown, others = order[:MOST], order[MOST:]
    return Terms(
        layer=call.name,
        channels=tuple((shown + first).tolist()),
        sums=tuple(sums[shown].tolist()),
        others=len(others),
        rest=float(sums[others].sum()),
        bias=None if module.bias is None else float(module.bias[channel].detach()),
        inputs=inputs[shown],
        kernels=weight[shown],
        value=float(call.value[channel, row, column]),
        of_picture=len(source) == 1 and source.shape[1:] == trace.picture.shape[1:],
    )


def _window(module: nn.Conv2d, source: Tensor, row: int, column: int) -> Tensor:
    """What lies under the kernel at one place, zeros where it leaves the maps."""
    size, stride, dilation = map(_pair, (module.kernel_size, module.stride, module.dilation))
    if module.padding == "same":
        before = tuple((k - 1) * d // 2 for k, d in zip(size, dilation, strict=True))
    else:
        before = (0, 0) if module.padding == "valid" else _pair(module.padding)
    rows = torch.arange(size[0], device="cpu") * dilation[0] + row * stride[0] - before[0]
    columns = torch.arange(size[1], device="cpu") * dilation[1] + column * stride[1] - before[1]
    inside = ((rows >= 0) & (rows < source.shape[1]))[:, None] & (columns >= 0) & (columns < source.shape[2])
    taken = source[:, rows.clamp(0, source.shape[1] - 1)][:, :, columns.clamp(0, source.shape[2] - 1)]
    return taken * inside


def _pair(value: Any) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else tuple(value)
