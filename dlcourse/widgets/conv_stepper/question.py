"""Predict before you see: one number of the output, or its size; and what a wrong answer has probably forgotten."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch

from dlcourse.types import Float, Tensor
from dlcourse.widgets.conv_stepper.layer import Layer
from dlcourse.widgets.conv_stepper.params import Pair, spoken

MOST = 3  # causes that one verdict names

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


class Trap(NamedTuple):
    """made: what a known mistake makes of every output cell, NaN where it makes nothing. cause: its name; rule: what
    holds here instead."""

    made: Map
    cause: str
    rule: str = ""


def judge_value(layer: Layer, image: Map, row: int, column: int, guess: float) -> tuple[bool, str]:
    """Whether `guess` is output cell (row, column) of the layer on this picture, and what it gives away if not: all
    mistakes that come to this number, for nobody knows which of them it was."""
    truth = layer(image)[row, column].item()
    if close(guess, truth):
        return True, "Right."
    found = [
        trap
        for trap in traps(layer, image)
        if math.isfinite(value := trap.made[row, column].item()) and close(guess, value) and not close(value, truth)
    ]
    if found:
        return False, _named(found)
    return False, {
        "kernel": "Not yet. Multiply each number under the window by the kernel's number on it, and add up.",
        "max": "Not yet. Wanted is the largest number under the window.",
        "average": "Not yet. Add up what lies under the window, and divide by how many places count.",
    }[layer.mode]


def _named(found: list[Trap]) -> str:
    if len(found) == 1:
        return f"That is {found[0].cause}. {found[0].rule}".rstrip()
    causes = "; or ".join(trap.cause for trap in found[:MOST])
    return f"{'Two' if len(found) == 2 else 'Several'} mistakes come to this number: it is {causes}."


def traps(layer: Layer, image: Map) -> Iterator[Trap]:
    """The known mistakes, likeliest first."""
    size = layer.sizes(tuple(image.shape))
    if layer.mode == "kernel":
        way = "laid on as it is" if layer.flip else "turned by 180 degrees"
        asked = "turned first" if layer.flip else "laid on as it is"
        turned = layer.but(flip=not layer.flip)(image)
        yield Trap(turned, f"the answer with the kernel {way}", f"Here the kernel is {asked}.")
        if layer.bias:
            yield Trap(layer.but(bias=0.0)(image), f"the sum without the bias, {layer.bias:g}")
    yield from _elsewhere(layer, image, size)
    if layer.mode == "kernel":
        if layer.kernel.shape[0] == layer.kernel.shape[1]:
            swapped = layer.but(kernel=layer.kernel.T.contiguous())(image)
            yield Trap(swapped, "the answer of the kernel with rows and columns swapped")
        alone = layer.but(kernel=torch.ones_like(layer.kernel))(image)
        yield Trap(alone, "the sum of the picture's numbers alone", "Each of them is first multiplied.")
        yield Trap(-layer(image), "the right amount with the wrong sign", "Look at the signs again.")
    yield from _other_pools(layer, image)


def _elsewhere(layer: Layer, image: Map, size: Pair) -> Iterator[Trap]:
    """The window laid down in the wrong place, or with the wrong gaps."""
    if layer.stride != (1, 1):
        made = _same_cells(layer.but(stride=(1, 1)), image, size)
        yield Trap(made, "the answer of a window moved by 1", f"The stride is {spoken(layer.stride)}.")
    if layer.padding != (0, 0):
        made = _same_cells(layer.but(padding=(0, 0)), image, size)
        rule = f"The window starts {spoken(layer.padding)} outside the picture."
        yield Trap(made, "the answer without padding", rule)
    if layer.dilation != (1, 1):
        made = _same_cells(layer.but(dilation=(1, 1)), image, size)
        yield Trap(made, "the answer of a window without gaps", f"The dilation is {spoken(layer.dilation)}.")
    whole = layer(image)
    before = torch.nn.functional.pad(whole, (1, 0, 1, 0), value=math.nan)[:-1, :-1]
    rule = "Rows and columns are counted from 0: row 1 is the second."
    yield Trap(before, "the number one row up and one column to the left", rule)
    yield Trap(_fitted(whole.T, size), "the number at the cell with row and column swapped", "Rows come first.")


def _other_pools(layer: Layer, image: Map) -> Iterator[Trap]:
    if layer.mode == "kernel":
        return
    total = layer.but(mode="kernel", kernel=torch.ones_like(layer.kernel), bias=0.0, flip=False)(image)
    if layer.mode == "max":
        if layer.padding != (0, 0):
            rows, columns = layer.padding
            zeros = torch.nn.functional.pad(image, (columns, columns, rows, rows))
            rule = "In max pooling padding counts as minus infinity and never wins."
            yield Trap(layer.but(padding=(0, 0))(zeros), "the largest number with zeros for padding", rule)
        yield Trap(-layer(-image), "the smallest number under the window", "Wanted is the largest.")
        rule = "Negative numbers are small numbers."
        yield Trap(layer(image.abs()), "the largest size without its sign", rule)
        if layer.dilation == (1, 1):
            average = layer.but(mode="average", count_padding=False)(image)
            yield Trap(average, "the average", "Wanted is the largest number.")
        yield Trap(total, "the sum", "Wanted is the largest number.")
        return
    if layer.padding != (0, 0):
        counted = "left out of the count" if layer.count_padding else "counted as zeros"
        rule = f"Here the padding's places {'count too' if layer.count_padding else 'are left out'}."
        other = layer.but(count_padding=not layer.count_padding)(image)
        yield Trap(other, f"the average with the padding {counted}", rule)
    yield Trap(total, "the sum", "It still has to be divided by how many places count.")
    yield Trap(layer.but(mode="max")(image), "the largest number", "Wanted is the average.")


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
    for trap in traps(layer, image):
        shows += (trap.made - truth).abs() > 0.011  # NaN is not
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
            causes = [cause for wrong, cause in _size_traps(layer, size, count, axis) if wrong == guess[axis]]
            found[name] = "; or ".join(causes[:MOST]) or _nearly(guess[axis] - truth[axis], guess[axis] == size[axis])
    if len(set(found.values())) == 1:
        names = "Rows and columns" if len(found) == 2 else next(iter(found)).capitalize()
        return False, f"{names}: {next(iter(found.values()))}."
    return False, " ".join(f"{name.capitalize()}: {cause}." for name, cause in found.items())


def _nearly(miss: int, same: bool) -> str:
    if same:
        return "that is the picture's own size; the window takes d(k - 1) away, and padding gives 2p back"
    if abs(miss) == 1:
        return "one too many" if miss == 1 else "one too few"
    return "count how often the window fits: floor((n + 2p - d(k - 1) - 1) / s) + 1"


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

    def made(**wrong: int) -> int:
        return _through(layer, size, count, axis, **wrong)

    span = d * (k - 1) + 1
    if count > 1:
        yield _through(layer, size, 1, axis), f"that is after one layer of {count}"
    if p:
        yield made(p=0), f"the padding is forgotten: {p} on each side"
        yield made(sides=1), f"the padding is on both sides: 2 * {p} more"
    if s > 1:
        yield made(s=1), f"the stride is forgotten: the window moves by {s}"
        yield made(up=1), "a step that does not fit whole is not taken: round down"
        if count == 1:
            yield size[axis] // s, "that is n / s: the window's own width counts, and so does padding"
    if d > 1:
        yield made(d=1), f"the dilation is forgotten: the window spans {d} * ({k} - 1) + 1 = {span}"
        yield made(span=d * k), f"{k} places have {k - 1} gaps between them: the window spans {span}"
    yield made(plus=0), "one too few: the first place of the window counts too (the + 1 at the end)"
    if k > 1:
        yield made(span=0), f"the window's own width is forgotten: it spans {span}"
        if p or s > 1 or count > 1:  # else it is the picture's own size
            yield made(span=1), f"the window may not reach beyond the last cell: that takes d(k - 1) = {span - 1} away"
