"""One layer on one picture, by the functions of dlcourse.nn; and what lies behind a single number of what comes out."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, NamedTuple, Self

import torch

from dlcourse import nn
from dlcourse.types import Float, Tensor
from dlcourse.widgets.conv_stepper.params import Pair
from dlcourse.widgets.params import shown

ROUNDING = torch.finfo(torch.float32).eps  # the share of its terms by which a sum may miss 0 and still be meant as 0


class Place(NamedTuple):
    """One place of the window. value: what lies under it; None in the padding of max pooling, and in a padding that
    average pooling does not count. weight: None for max pooling. row, column: in the picture, from 0; may lie outside.
    """

    row: int
    column: int
    inside: bool
    value: float | None
    weight: float | None

    @property
    def product(self) -> float | None:
        return None if self.value is None or self.weight is None else self.value * self.weight + 0.0  # no -0


@dataclass(frozen=True, eq=False)
class Layer:
    """mode: "kernel", "max" or "average". kernel: as typed; pooling uses only its size. The rest as in torch."""

    mode: str
    kernel: Float[Tensor, "kernel_height kernel_width"]
    stride: Pair = (1, 1)
    padding: Pair = (0, 0)
    dilation: Pair = (1, 1)
    bias: float = 0.0
    flip: bool = False
    count_padding: bool = True

    @classmethod
    def of(cls, values: dict[str, Any], kernel: Tensor) -> Self:
        names = ("mode", "stride", "padding", "dilation", "bias", "flip", "count_padding")
        return cls(kernel=kernel, **{name: values[name] for name in names})

    def but(self, **changes: Any) -> Self:
        """The same layer with something else about it."""
        return replace(self, **changes)

    @property
    def window(self) -> Pair:
        return tuple(self.kernel.shape)

    @property
    def laid(self) -> Float[Tensor, "kernel_height kernel_width"]:
        """The kernel as it is laid on the picture."""
        return self.kernel.flip(0, 1) if self.flip else self.kernel

    def sizes(self, size: Pair) -> Pair:
        """What comes out of a picture of this size. Raises ValueError where the window does not fit."""
        out = []
        for axis, name in enumerate(("rows", "columns")):
            n, k, s, p, d = (each[axis] for each in (size, self.window, self.stride, self.padding, self.dilation))
            span = d * (k - 1) + 1
            if span > n + 2 * p:
                raise ValueError(
                    f"the window does not fit: it spans {d} * ({k} - 1) + 1 = {span} {name}, and there are "
                    f"{n} + 2 * {p} = {n + 2 * p}. Take a larger picture, more padding, or a smaller window."
                )
            out.append(nn.output_size(n, k, stride=s, padding=p, dilation=d))
        return tuple(out)

    def __call__(self, image: Float[Tensor, "height width"]) -> Float[Tensor, "out_height out_width"]:
        """Added up in float64. What is smaller than the rounding of its own terms is 0: 0.1 + 0.2 - 0.3 is no 3e-8."""
        out = self._made(image.double())
        if self.mode != "max":
            terms = self.but(kernel=self.kernel.abs(), bias=abs(self.bias))._made(image.double().abs())
            out = out.where(out.abs() > ROUNDING * terms, 0)
        return out.float()

    def _made(self, image: Float[Tensor, "height width"]) -> Float[Tensor, "out_height out_width"]:
        x, how = image[None, None], {"stride": self.stride, "padding": self.padding}
        if self.mode == "max":
            out = nn.max_pool2d(x, self.window, dilation=self.dilation, **how)
        elif self.mode == "average":
            out = nn.avg_pool2d(x, self.window, count_include_pad=self.count_padding, **how)
        else:
            kernel = self.laid[None, None].to(x)
            out = nn.conv2d(x, kernel, x.new_tensor([self.bias]), dilation=self.dilation, **how)
        return out[0, 0]

    def places(self, image: Float[Tensor, "height width"], row: int, column: int) -> list[Place]:
        """Under the window of output cell (row, column): its places, row by row."""
        rows, columns = (
            [at * self.stride[axis] - self.padding[axis] + k * self.dilation[axis] for k in range(self.window[axis])]
            for axis, at in enumerate((row, column))
        )
        seen = [(r, c, r in range(image.shape[0]) and c in range(image.shape[1])) for r, c in product(rows, columns)]
        counted = sum(inside for _, _, inside in seen) if self.skips else len(seen)
        return [
            Place(r, c, inside, image[r, c].item() if inside else None if self.skips else 0.0, weight)
            for (r, c, inside), weight in zip(seen, self._weights(counted), strict=True)
        ]

    @property
    def skips(self) -> bool:
        """Whether padding is left out, where otherwise it counts as 0."""
        return self.mode == "max" or (self.mode == "average" and not self.count_padding)

    def _weights(self, counted: int) -> Iterator[float | None]:
        if self.mode == "kernel":
            yield from self.laid.flatten().tolist()
        else:
            share = None if self.mode == "max" else 1 / max(counted, 1)
            yield from [share] * self.kernel.numel()


def check(values: dict[str, Any]) -> None:
    """Raise ValueError for what torch's pooling does not know."""
    mode, window, padding = values["mode"], values["kernel_size"], values["padding"]
    if mode == "kernel":
        return
    if any(2 * p > k for p, k in zip(padding, window, strict=True)):
        raise ValueError(
            f"padding={padding} is too much for a pooling window of {window[0]} x {window[1]}: at most half of it, "
            f"{(window[0] // 2, window[1] // 2)}, here as in torch, or a window might hold nothing but padding."
        )
    if mode == "average" and values["dilation"] != (1, 1):
        raise ValueError("average pooling has no dilation, here as in torch: set dilation=1.")


def chain(layer: Layer, image: Float[Tensor, "height width"], count: int) -> list[Float[Tensor, "height width"]]:
    """The picture, then what each of `count` equal layers makes of what came before."""
    maps = [image]
    for _ in range(count):
        maps.append(layer(maps[-1]))
    return maps


def contiguous(values: Any, what: str, low: int, high: int, largest: float) -> Float[Tensor, "height width"]:
    """A learner's own numbers as a float32 copy of two dimensions, each from `low` to `high`. Raises ValueError."""
    try:
        own = torch.as_tensor(values).detach()
    except (TypeError, ValueError, RuntimeError):
        own = None
    if own is None or own.is_complex():
        raise ValueError(f"{what}: wanted rows of numbers, such as [[0, 1], [2, 3]]; got {shown(values)}.")
    own = own.to("cpu", torch.float32).clone()
    while own.ndim > 2 and own.shape[0] == 1:
        own = own[0]  # one picture of a batch, one channel
    if own.ndim != 2 or not all(low <= n <= high for n in own.shape):
        cut = f" Cut a part out, such as [:{high}, :{high}]." if any(n > high for n in own.shape[-2:]) else ""
        one = f" Take one channel, such as [{', '.join('0' * (own.ndim - 2))}]." if own.ndim > 2 else ""
        raise ValueError(
            f"{what} of shape {tuple(own.shape)}: wanted (rows, columns), each from {low} to {high}.{one}{cut}"
        )
    if not own.isfinite().all() or own.abs().max() > largest:
        raise ValueError(f"{what}: its numbers must be from {-largest:g} to {largest:g}.")
    return own.contiguous()
