"""Predict before you see: one number of the output, or its size; and what a wrong answer has probably forgotten."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch

from dlcourse.types import Float, Tensor
from dlcourse.widgets.conv_stepper.layer import Layer
from dlcourse.widgets.conv_stepper.params import Pair

Map = Float[Tensor, "height width"]


@dataclass
class Question:
    """of: "value" or "size". verdict: what was said to the last guess. solved: nothing is hidden any more."""

    of: str
    tries: int = 0
    verdict: str = ""
    right: bool = False
    solved: bool = False


def close(guess: float, truth: float) -> bool:
    """Two places after the point are enough, or three digits; a whole number has to be met.

    >>> close(0.33, 1 / 3), close(33.3, 100 / 3), close(3, 3), close(999, 1000), close(0.3, 1 / 3)
    (True, True, True, False, False)
    """
    if abs(truth - round(truth)) < 1e-4 or truth == 0:
        return abs(guess - truth) <= 0.005
    half = 0.5 * 10.0 ** (math.floor(math.log10(abs(truth))) - 2)
    return abs(guess - truth) <= 1.02 * max(0.005, half)


# Of one number.


def judge_value(layer: Layer, image: Map, row: int, column: int, guess: float) -> tuple[bool, str]:
    """Whether `guess` is output cell (row, column) of the layer on this picture, and what it gives away if not."""
    truth = layer(image)[row, column].item()
    if close(guess, truth):
        return True, "Right."
    for wrong, sentence in traps(layer, image):
        value = wrong[row, column].item()
        if math.isfinite(value) and close(guess, value) and not close(value, truth):
            return False, sentence
    return False, {
        "kernel": "Not yet. Multiply each number under the window by the kernel's number on it, and add up.",
        "max": "Not yet. Wanted is the largest number under the window.",
        "average": "Not yet. Add up what lies under the window, and divide by how many places count.",
    }[layer.mode]


def traps(layer: Layer, image: Map) -> Iterator[tuple[Map, str]]:
    """What a known mistake makes of every output cell (NaN where it makes nothing), and its name; likeliest first."""
    size = layer.sizes(tuple(image.shape))
    if layer.mode == "kernel":
        way = "laid on as it is" if layer.flip else "turned by 180 degrees"
        asked = "turned first" if layer.flip else "laid on as it is"
        yield (
            layer.but(flip=not layer.flip)(image),
            f"That is the answer with the kernel {way}. Here the kernel is {asked}.",
        )
        if layer.bias:
            yield layer.but(bias=0.0)(image), f"That is the sum without the bias, {layer.bias:g}."
    yield from _elsewhere(layer, image, size)
    if layer.mode == "kernel":
        if layer.kernel.shape[0] == layer.kernel.shape[1]:
            yield (
                layer.but(kernel=layer.kernel.T.contiguous())(image),
                "That is the answer of the kernel with rows and columns swapped.",
            )
        ones = torch.ones_like(layer.kernel)
        yield layer.but(kernel=ones)(image), "That adds up the picture alone; each number is first multiplied."
        yield -layer(image), "The size is right; look at the sign again."
    yield from _other_pools(layer, image)


def _elsewhere(layer: Layer, image: Map, size: Pair) -> Iterator[tuple[Map, str]]:
    """The window laid down in the wrong place, or with the wrong gaps."""
    if layer.stride != (1, 1):
        yield (
            _same_cells(layer.but(stride=(1, 1)), image, size),
            f"That is the window moved by 1. The stride is {_pair(layer.stride)}.",
        )
    if layer.padding != (0, 0):
        yield (
            _same_cells(layer.but(padding=(0, 0)), image, size),
            f"That is the answer without padding. The window starts {_pair(layer.padding)} outside the picture.",
        )
    if layer.dilation != (1, 1):
        yield (
            _same_cells(layer.but(dilation=(1, 1)), image, size),
            f"That is the window without gaps. The dilation is {_pair(layer.dilation)}.",
        )
    whole = layer(image)
    yield _fitted(whole.T, size), "That is the answer at the cell whose row and column are swapped."


def _other_pools(layer: Layer, image: Map) -> Iterator[tuple[Map, str]]:
    if layer.mode == "kernel":
        return
    ones = layer.but(mode="kernel", kernel=torch.ones_like(layer.kernel), bias=0.0, flip=False)
    if layer.mode == "max":
        if layer.padding != (0, 0):
            zeros = torch.nn.functional.pad(
                image, (layer.padding[1], layer.padding[1], layer.padding[0], layer.padding[0])
            )
            yield (
                layer.but(padding=(0, 0))(zeros),
                "That takes the padding for zeros. In max pooling it never wins: it counts as minus infinity.",
            )
        yield -layer(-image), "That is the smallest number under the window. Wanted is the largest."
        yield layer(image.abs()), "That is the largest size without its sign. Negative numbers are small numbers."
        if layer.dilation == (1, 1):
            yield layer.but(mode="average", count_padding=False)(image), "That is the average. Wanted is the largest."
        yield ones(image), "That is the sum. Wanted is the largest number."
        return
    if layer.padding != (0, 0):
        counted = "left out of the count" if layer.count_padding else "counted as zeros"
        rule = "count too" if layer.count_padding else "are left out"
        yield (
            layer.but(count_padding=not layer.count_padding)(image),
            f"That is the average with the padding {counted}. Here the padding's places {rule}.",
        )
    yield ones(image), "That is the sum. It still has to be divided by how many places count."
    yield layer.but(mode="max")(image), "That is the largest number. Wanted is the average."


def _same_cells(layer: Layer, image: Map, size: Pair) -> Map:
    """What another layer puts out at the same row and column numbers; NaN where it has no such cell."""
    try:
        return _fitted(layer(image), size)
    except ValueError:  # its window does not fit
        return torch.full(size, math.nan, device="cpu")


def _fitted(values: Map, size: Pair) -> Map:
    fresh = torch.full(size, math.nan, device="cpu")
    shared = [min(old, new) for old, new in zip(values.shape, size, strict=True)]
    fresh[: shared[0], : shared[1]] = values[: shared[0], : shared[1]]
    return fresh


def telling(layer: Layer, image: Map) -> Float[Tensor, "out_height out_width"]:
    """For each output cell how many mistakes would show there; a cell that is 0 and looks empty tells nothing."""
    truth = layer(image)
    shows = torch.zeros_like(truth)
    for wrong, _ in traps(layer, image):
        shows += (wrong - truth).abs() > 0.011  # NaN is not
    return shows + 0.5 * (truth != 0)


# Of the size.


def judge_size(layer: Layer, size: Pair, count: int, guess: Pair) -> tuple[bool, str]:
    """Whether `guess` is the size that `count` equal layers make of a picture of `size`, and what is wrong if not."""
    truth = tuple(_through(layer, size, count, axis) for axis in (0, 1))
    if tuple(guess) == truth:
        return True, "Right."
    if tuple(guess) == truth[::-1]:
        return False, "Those are the columns and the rows. Rows come first."
    found = {}
    for axis, name in enumerate(("rows", "columns")):
        if guess[axis] != truth[axis]:
            found[name] = next(
                (sentence for wrong, sentence in _size_traps(layer, size, count, axis) if wrong == guess[axis]),
                "count how often the window fits: floor((n + 2p - d(k - 1) - 1) / s) + 1.",
            )
    if len(set(found.values())) == 1:
        names = "Rows and columns" if len(found) == 2 else next(iter(found)).capitalize()
        return False, f"{names}: {next(iter(found.values()))}"
    return False, " ".join(f"{name.capitalize()}: {sentence}" for name, sentence in found.items())


def _through(layer: Layer, size: Pair, count: int, axis: int, **wrong: int) -> int:
    """One axis of the size after `count` layers, with something wrong about them. plus: what is added at the end;
    sides: of the picture that are padded; up: round up."""
    k, s, p, d = (each[axis] for each in (layer.window, layer.stride, layer.padding, layer.dilation))
    k, s, p, d = (wrong.get(name, right) for name, right in (("k", k), ("s", s), ("p", p), ("d", d)))
    n = size[axis]
    for _ in range(count):
        room = n + wrong.get("sides", 2) * p - wrong.get("span", d * (k - 1) + 1)
        n = (-(-room // s) if wrong.get("up") else room // s) + wrong.get("plus", 1)
    return n


def _size_traps(layer: Layer, size: Pair, count: int, axis: int) -> Iterator[tuple[int, str]]:
    k, s, p, d = (each[axis] for each in (layer.window, layer.stride, layer.padding, layer.dilation))
    truth = _through(layer, size, count, axis)

    def made(**wrong: int) -> int:
        return _through(layer, size, count, axis, **wrong)

    if count > 1:
        yield _through(layer, size, 1, axis), f"that is after one layer. There are {count}."
    if p:
        yield made(p=0), f"the padding is forgotten: {p} on each side."
        yield made(sides=1), f"the padding is on both sides: 2 * {p} more."
    if s > 1:
        yield made(s=1), f"the stride is forgotten: the window moves by {s}."
        yield made(up=1), "a step that does not fit whole is not taken: round down."
    if d > 1:
        yield made(d=1), f"the dilation is forgotten: the window spans {d} * ({k} - 1) + 1 = {d * (k - 1) + 1}."
        yield made(span=d * k), f"{k} places have {k - 1} gaps between them: the window spans {d * (k - 1) + 1}."
    yield made(plus=0), "one too few: the first place of the window counts too (the + 1 at the end)."
    if k > 1:
        yield made(span=0), "the window itself takes room: its first place is not its last."
        yield made(span=1), "the window takes room: it may not reach beyond the last cell."
    if size[axis] != truth:
        yield size[axis], "that is the picture's own size."
    yield truth + 1, "one too many."
    yield truth - 1, "one too few."


def _pair(pair: Pair) -> str:
    return str(pair[0]) if pair[0] == pair[1] else f"{pair[0]} down and {pair[1]} across"
