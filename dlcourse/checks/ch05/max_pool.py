"""05.max_pool: the largest number of each window, with nothing to win in the padding."""

from collections.abc import Callable, Sequence
from itertools import permutations
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from dlcourse.checks.ch05.windows import (
    BELOW_ZERO,
    NOTHING_PASSES,
    PADDING_SWAPPED,
    PAIRS,
    SINGLE_PIXELS,
    TAKES,
    Pair,
    Way,
    crashes,
    last_missing,
    one_sided,
    other_places,
    rounded,
    scrambled,
    slopes,
    swap,
    too_many_places,
    way,
)
from dlcourse.checks.examiner import Examiner, Suspect, matches
from dlcourse.checks.exercise import Exercise
from dlcourse.checks.show import Later, show
from dlcourse.checks.subject import Subject


def max_pool2d(x, kernel, stride, padding):
    nothing = torch.finfo(x.dtype).min
    x = torch.nn.functional.pad(x, (padding[1], padding[1], padding[0], padding[0]), value=nothing)
    places = [(x.shape[2 + n] - kernel[n]) // stride[n] + 1 for n in (0, 1)]
    result = None
    for row in range(kernel[0]):
        for column in range(kernel[1]):
            # the pixel at this corner of every window at once
            seen = x[:, :, row :: stride[0], column :: stride[1]][:, :, : places[0], : places[1]]
            result = seen if result is None else torch.maximum(result, seen)
    return result


def oracle(x: Tensor, kernel: Pair, stride: Pair, padding: Pair) -> Tensor:
    """torch's own."""
    return functional.max_pool2d(x, kernel, stride, padding)


def _windows(x: Tensor, kernel: Pair, stride: Pair, padding: Pair, value: float) -> Tensor:
    """(batch, channel, rows of places, columns of places, rows * columns of the kernel)"""
    rows, columns = padding
    x = functional.pad(x, (columns, columns, rows, rows), value=value)
    return x.unfold(2, kernel[0], stride[0]).unfold(3, kernel[1], stride[1]).flatten(4)


def _begun(step: Callable[[Pair, Pair], Pair]) -> Way:
    """As many places as there should be, their windows `step`(kernel, stride) apart and cut where the picture ends."""

    def answer(x: Tensor, kernel: Pair, stride: Pair, padding: Pair) -> Tensor:
        down, right = (_places(x, kernel, stride, padding, side) for side in (0, 1))
        steps = step(kernel, stride)
        beyond = (0, steps[1] * right + kernel[1], 0, steps[0] * down + kernel[0])
        x = functional.pad(x, (padding[1], padding[1], padding[0], padding[0]), value=-torch.inf)
        x = functional.pad(x, beyond, value=-torch.inf)
        return _windows(x, kernel, steps, (0, 0), 0.0)[:, :, :down, :right].amax(-1)

    return answer


def _filler_won(got: Any, wanted: Tensor, x: Tensor, kernel: Pair, stride: Pair, padding: Pair) -> bool:
    """Where the result is wrong, it is one and the same number, larger than the pixels and none of them."""
    if not (isinstance(got, Tensor) and got.dtype == wanted.dtype and got.shape == wanted.shape and any(padding)):
        return False
    won = got[got != wanted]
    return bool((won == won[0]).all() and (got >= wanted).all() and won[0].isfinite() and not (x == won[0]).any())


PLACES = "(size + 2 * padding - kernel) // stride + 1"
# The order matters: the first suspect that fits is named.
SUSPECTS = (
    Suspect(
        "The padding won: at the edge of a negative picture a 0 is the largest number. Max-pooling pads with minus "
        "infinity, so that only pixels can win: torch.nn.functional.pad(..., value=-math.inf).",
        way(lambda x, k, s, p: _windows(x, k, s, p, 0.0).amax(-1)),
    ),
    Suspect(
        "Zeros came in although nothing was padded: a running maximum that begins with 0 never falls below it. Begin "
        "with -math.inf, or with the first pixel of the window.",
        way(lambda x, k, s, p: oracle(x, k, s, p).relu()),
    ),
    Suspect(
        "This is the mean of each window: the largest was wanted.", way(lambda *args: _windows(*args, 0.0).mean(-1))
    ),
    Suspect(
        "This is the mean of each window: the largest was wanted.",
        way(lambda x, k, s, p: functional.avg_pool2d(x, k, s, p, count_include_pad=False)),
    ),
    Suspect(
        "This is the smallest of each window: the largest was wanted.", way(lambda x, k, s, p: -oracle(-x, k, s, p))
    ),
    Suspect("This is the sum of each window: the largest was wanted.", way(lambda *args: _windows(*args, 0.0).sum(-1))),
    Suspect(
        "The largest *size* was taken, with the sign dropped. -5 is smaller than 3.",
        way(lambda x, k, s, p: oracle(x.abs(), k, s, p)),
    ),
    Suspect(
        "The number of the largest size was taken. -5 is smaller than 3.",
        lambda got, wanted, *args: way(
            lambda x, k, s, p: (w := _windows(x, k, s, p, 0.0)).gather(-1, w.abs().argmax(-1, keepdim=True))[..., 0]
        )(got, wanted, *args),
    ),
    Suspect(
        "This is where the largest number stands, not the number itself: .amax, or .max(...).values.",
        lambda got, wanted, *args: (
            isinstance(got, Tensor)
            and got.dtype == torch.int64
            and got.shape == wanted.shape
            and not torch.equal(got, wanted.long())
        ),
    ),
    Suspect(
        "max(dim=...) gives a pair, the largest numbers and where they stand: take .values, or use amax.",
        lambda got, wanted, *args: type(got) in (tuple, list) and len(got) == 2 and matches(got[0], wanted),
    ),
    Suspect(
        "The stride was left out: the windows begin stride[0] rows and stride[1] columns apart.",
        way(lambda x, k, s, p: oracle(x, k, (1, 1), p)),
    ),
    Suspect(
        "The windows were laid side by side, as if the stride were the kernel's size. It is an argument of its own: "
        "windows may overlap, or leave pixels out.",
        way(lambda x, k, s, p: oracle(x, k, k, p)),
    ),
    Suspect(
        SINGLE_PIXELS,
        lambda got, wanted, *args: way(
            lambda x, k, s, p: oracle(x, k, (1, 1), p)[:, :, : wanted.shape[2], : wanted.shape[3]]
        )(got, wanted, *args),
    ),
    Suspect(
        "The number of places is right, and the windows begin kernel apart, not stride: that of place (i, j) begins at "
        "row i * stride[0], column j * stride[1].",
        way(*map(_begun, (lambda k, s: k, lambda k, s: (k[0], s[1]), lambda k, s: (s[0], k[1])))),
    ),
    Suspect(
        "Rows and columns are swapped in all the pairs. " + PAIRS,
        way(lambda x, k, s, p: _windows(x, swap(k), swap(s), swap(p), -torch.inf).amax(-1)),
    ),
    Suspect("Rows and columns of the stride are swapped. " + PAIRS, way(lambda x, k, s, p: oracle(x, k, swap(s), p))),
    Suspect(
        "The number of places is right, and the windows begin with the wrong number of the stride: that of place (i, "
        "j) at row i * stride[0], column j * stride[1].",
        way(*map(_begun, (lambda k, s: swap(s), lambda k, s: (s[0], s[0]), lambda k, s: (s[1], s[1])))),
    ),
    Suspect("Rows and columns of the kernel are swapped. " + PAIRS, way(lambda x, k, s, p: oracle(x, swap(k), s, p))),
    Suspect(
        PADDING_SWAPPED,
        way(
            lambda x, k, s, p: _windows(x, k, s, swap(p), -torch.inf).amax(-1),
            lambda x, k, s, p: _windows(x, k, s, swap(p), 0.0).amax(-1),
        ),
    ),
    Suspect(
        "The padding was left out: padding[0] rows above *and* below, padding[1] columns on either side.",
        way(lambda x, k, s, p: oracle(x, k, s, 0)),
    ),
    Suspect(
        "Only one number of the kernel was used. " + PAIRS,
        way(*(lambda x, k, s, p, take=take: _windows(x, take(k, 1), s, p, -torch.inf).amax(-1) for take in TAKES[:2])),
    ),
    Suspect(
        "Only one number of the stride was used. " + PAIRS,
        way(*(lambda x, k, s, p, take=take: oracle(x, k, take(s, 1), p) for take in TAKES)),
    ),
    Suspect(
        "Only one number of the padding was used. " + PAIRS,
        way(*(lambda x, k, s, p, take=take: _windows(x, k, s, take(p, 0), -torch.inf).amax(-1) for take in TAKES)),
    ),
    Suspect(
        "Kernel and stride are swapped: the arguments are (x, kernel, stride, padding).",
        way(lambda x, k, s, p: _windows(x, s, k, p, -torch.inf).amax(-1)),
    ),
    Suspect(
        "The padding lies on one side only: padding[0] rows above *and* below, padding[1] columns left *and* right.",
        way(
            *(
                lambda x, k, s, p, front=front, times=times, value=value: oracle(
                    one_sided(x, (p[0] * times, p[1] * times), front=front, value=value), k, s, 0
                )
                for front in (True, False)
                for times in (1, 2)
                for value in (-torch.inf, 0.0)
            )
        ),
    ),
    Suspect(
        "The padding wraps or mirrors the picture, so that pixels from elsewhere win. Pad with -math.inf.",
        way(*(lambda x, k, s, p, mode=mode: _wrapped(x, k, s, p, mode) for mode in ("circular", "reflect"))),
    ),
    Suspect(
        f"A window that reaches beyond the padding was counted as well: round down, {PLACES}.",
        way(lambda x, k, s, p: functional.max_pool2d(x, k, s, p, ceil_mode=True)),
    ),
    last_missing(PLACES),
    Suspect(
        "The largest was taken over the channels too: pooling treats every channel by itself.",
        lambda got, wanted, *args: (
            wanted.shape[1] > 1
            and any(
                matches(got, guess)
                for top in (wanted.amax(1, keepdim=True),)
                for guess in (top, top[:, 0], top.expand_as(wanted))
            )
        ),
    ),
    Suspect(
        "The largest was taken over the pictures of the batch too: each is pooled by itself.",
        lambda got, wanted, *args: (
            len(wanted) > 1
            and any(
                matches(got, guess)
                for top in (wanted.amax(0, keepdim=True),)
                for guess in (top, top[0], top.expand_as(wanted))
            )
        ),
    ),
    Suspect(
        "Only the rows were pooled, or only the columns: the window has both.",
        way(
            lambda x, k, s, p: oracle(x, (k[0], 1), (s[0], 1), (p[0], 0)),
            lambda x, k, s, p: oracle(x, (1, k[1]), (1, s[1]), (0, p[1])),
        ),
    ),
    Suspect(
        "Only the first row or column of each window was looked at: the largest of all its pixels was wanted.",
        way(
            lambda x, k, s, p: _windows(x, (1, k[1]), s, p, -torch.inf)[:, :, : _places(x, k, s, p)].amax(-1),
            lambda x, k, s, p: _windows(x, (k[0], 1), s, p, -torch.inf)[:, :, :, : _places(x, k, s, p, 1)].amax(-1),
        ),
    ),
    Suspect(
        "This is the first pixel of each window: the largest was wanted.",
        way(lambda x, k, s, p: _windows(x, k, s, p, 0.0)[..., 0]),
    ),
    Suspect(
        "This is one number for each channel, the largest of the whole picture: each window has its own.",
        way(
            lambda x, *rest: x.amax((2, 3), keepdim=True),
            lambda x, *rest: x.amax((2, 3)),
            lambda x, *rest: x.amax((2, 3), keepdim=True).expand_as(oracle(x, *rest)),
        ),
    ),
    Suspect(
        "The numbers are right, and their axes are not: (batch, channel, height, width) was wanted.",
        lambda got, wanted, *args: (
            isinstance(got, Tensor)
            and got.dim() == 4
            and any(matches(got, wanted.permute(order)) for order in permutations(range(4)) if order != (0, 1, 2, 3))
        ),
    ),
    Suspect(
        "The result was reshaped where its axes should be moved: reshape keeps the order of the numbers. Move the axes "
        "with permute or einops.rearrange first.",
        scrambled,
    ),
    Suspect(
        "Nothing was pooled: x came back.",
        lambda got, wanted, x, *rest: matches(got, x),
    ),
    Suspect(
        "The result does not depend on x.",
        lambda got, wanted, *args: (
            isinstance(got, Tensor) and got.shape == wanted.shape and (not got.any() or bool(got.isinf().all()))
        ),
    ),
    Suspect(
        "A window of the padding alone came in: it has -inf. With padding of half the kernel or less each window that "
        "fits holds a pixel; are there too many places?",
        lambda got, wanted, *args: isinstance(got, Tensor) and bool(got.isinf().any()),
    ),
    Suspect(
        "The largest was taken along one axis of the window: it has two, amax(dim=(-2, -1)).",
        lambda got, wanted, *args: isinstance(got, Tensor) and got.dim() == 5 and got.shape[:4] == wanted.shape,
    ),
    Suspect(
        "At the edge one and the same number won, and it is no pixel: the padding. However small a number is, a "
        "picture may be smaller; only -math.inf never wins.",
        _filler_won,
    ),
    Suspect(
        "This is right to about seven digits, and x has float64: on the way something has float32, as torch.full(...) "
        "has when nobody says dtype=x.dtype.",
        rounded,
    ),
    too_many_places(PLACES),
    other_places(PLACES),
)


def _wrapped(x: Tensor, kernel: Pair, stride: Pair, padding: Pair, mode: str) -> Tensor:
    rows, columns = padding
    return oracle(functional.pad(x, (columns, columns, rows, rows), mode=mode), kernel, stride, (0, 0))


def _places(x: Tensor, kernel: Pair, stride: Pair, padding: Pair, side: int = 0) -> int:
    return (x.shape[2 + side] + 2 * padding[side] - kernel[side]) // stride[side] + 1


EMPTY = (
    "A window is empty: it begins outside the picture. Either its start is wrong, and that of place (i, j) is row i * "
    "stride[0], column j * stride[1] of the framed picture (not i * kernel[0], and rows and columns not swapped). Or "
    f"there are too many places: there should be {PLACES}."
)
# All was right without padding, so in the first case with padding these may have come of it.
EMPTY_WITH_PADDING = (
    "A window is empty, and without padding all was right. Either the picture is not framed before the windows are "
    f"cut: {BELOW_ZERO}, so frame the picture first (or begin at max(..., 0)). Or the padding counts twice: a framed "
    "picture has the 2 * padding in its size already, and its windows begin at i * stride[0], with no padding[0] taken "
    "away."
)
EMPTIES = ("no reduction dim", "Expected reduction dim", "iterable argument is empty", "non-zero size")
CRASHES = (
    (
        "is invalid for input of size",
        "A reshape to a shape with another number of entries. Side by side, without overlap, windows can be made by a "
        "reshape only when stride and kernel are the same and nothing is left over: here they need not be.",
    ),
    *((part, EMPTY) for part in EMPTIES),
    (
        "must match the size",
        f"Two shapes do not fit: count the places with {PLACES}, rows and columns each with its own numbers.",
    ),
    (
        "max() received an invalid combination",
        "max takes one axis; amax takes several: .amax(dim=(2, 3)).",
    ),
    (
        "torch.return_types.max",
        "max(dim=...) gives a pair, the largest numbers and where they stand: take .values, or use amax.",
    ),
    ("'math' is not defined", "`import math` is in the first cell: run it."),
    *crashes("x", "kernel, stride and padding"),
)
SLOPES = (
    NOTHING_PASSES,
    Suspect(
        "The smallest pixel of the picture has lost slope to the padding, which ties with it where it is alone in its "
        "window. Pad with -math.inf, not with the smallest pixel.",
        lambda got, wanted, x, *rest: (
            x.numel() > 1
            and isinstance(got, Tensor)
            and got.shape == wanted.shape
            and not (got != wanted)[x != x.min()].any()
        ),
    ),
    Suspect(
        "The slope was shared among all pixels of the window. All of it goes to the largest: the others could change a "
        "little, and the result would not.",
        lambda got, wanted, *args: (
            isinstance(got, Tensor) and got.shape == wanted.shape and int((got != 0).sum()) > int((wanted != 0).sum())
        ),
    ),
)


def check(subject: Subject, seed: int | None) -> str:
    ask = Examiner("05.max_pool", "max_pool2d", subject, SUSPECTS, CRASHES)
    generator = torch.Generator().manual_seed(1 if seed is None else seed)

    def right_for(*args: Any, new: Sequence[tuple[str, str]] = ()) -> None:
        """new: what to tell of an error that this case alone brings."""
        called, wanted = ask.written(args), oracle(*args)
        got = ask.ask(lambda: subject.call(*args), called=called, wanted=Later(show, wanted), crashes=new)
        generic = "Do the first place that differs by hand: which pixels lie in its window?"
        ask.compare(got, wanted, args, called=called, generic=generic)

    def slope_for(*args: Any) -> None:
        x = args[0].clone().requires_grad_()
        with torch.enable_grad():
            y = oracle(x, *args[1:])
        cotangent = (torch.randint(1, 10, y.shape, generator=generator)).to(x.dtype)
        wanted = torch.autograd.grad(y, x, cotangent)
        generic = "The values are right, and the slope for {name} is not: it goes to the largest pixel of each window."
        slopes(ask, args, ("x",), cotangent, wanted, SLOPES, generic)

    padded = False
    for args in cases():
        first, padded = any(args[3]) and not padded, padded or any(args[3])
        right_for(*args, new=[(part, EMPTY_WITH_PADDING) for part in EMPTIES if first])
    slope_for(*cases()[-1])
    slope_for(torch.tensor([[[[-5.0, -1.0, -4.0, -2.0]]]]), (1, 2), (1, 2), (0, 1))  # the smallest is alone, and wins
    for round_ in range(12):
        args = draw(generator, round_)
        right_for(*args)
        if round_ % 3 == 0:
            slope_for(*args)
    return f"right on {ask.asked} questions, in value and in slope, on negative pictures too: the padding never wins."


def cases() -> list[tuple[Any, ...]]:
    """One thing more each time: windows side by side; overlapping, not square; channels; padding; all, and a batch."""
    picture = torch.tensor(
        [[[[3.0, -1.0, 2.0, 7.0], [1.0, 4.0, -2.0, 5.0], [-3.0, -8.0, 6.0, 0.0], [-5.0, -4.0, 8.0, -6.0]]]]
    )
    numbers = torch.Generator().manual_seed(5)

    def below(*shape: int) -> Tensor:
        """All negative, no two alike."""
        return different(numbers, shape) - 200

    none = (0, 0)
    return [
        (picture, (2, 2), (2, 2), none),
        (different(numbers, (1, 1, 5, 7)), (2, 3), (1, 2), none),
        (different(numbers, (1, 2, 4, 5)), (3, 2), (1, 3), none),
        (below(1, 1, 3, 4), (2, 2), (2, 2), none),
        (below(1, 1, 3, 4), (3, 4), (1, 2), (1, 2)),
        (different(numbers, (1, 1, 4, 4)), (2, 4), (3, 1), (1, 2)),
        (below(2, 2, 3, 3) - 10_000, (3, 2), (2, 1), (1, 1)),
    ]


def different(generator: torch.Generator, shape: tuple[int, ...]) -> Tensor:
    """Whole numbers of both signs, no two alike: so each window has one winner."""
    count = torch.Size(shape).numel()
    return (torch.randperm(count, generator=generator) - count // 2).reshape(shape).float()


def draw(generator: torch.Generator, round_: int) -> tuple[Any, ...]:
    def number(low: int, high: int) -> int:
        return int(torch.randint(low, high + 1, (), generator=generator))

    sides = []
    for _ in range(2):
        kernel = number(1, 4)
        padding = number(0, kernel // 2)
        sides.append((number(max(1, kernel - 2 * padding), 8), kernel, number(1, 4), padding))
    (height, width), kernel, stride, padding = zip(*sides, strict=True)
    x = different(generator, (number(1, 3), number(1, 3), width, height)).mT  # a view
    x = x - 10_000 if round_ % 3 == 2 else x  # all negative, in float32 and in float64
    x = x.double() / 10 if round_ // 2 % 2 else x  # float32 cannot hold 0.1
    return x, kernel, stride, padding


EXERCISE = Exercise(
    id="05.max_pool",
    name="max_pool2d",
    title="The largest of each window",
    objectives=("05-O1", "05-O3"),
    difficulty=2,
    minutes=10,
    points=3,
    task="Write max_pool2d(x, kernel, stride, padding): x (batch, channel, height, width), kernel, stride and padding "
    "pairs (rows, columns). Return (batch, channel, out_height, out_width), the largest pixel of each window, each "
    "channel by itself. The padding never wins, on negative pictures either. The slope for x must be right too.",
    ranges="1 to 3 pictures and channels, pictures of 1 to 8 pixels a side, kernels and strides of 1 to 4, padding of "
    "0 to half the kernel, rounded down; the window always fits; no two numbers of x are the same; pictures that are "
    "all negative, numbers of -11,000 to 1,000; float32 and float64, tensors that are views of others",
    hints=(
        "What is the largest pixel of a window at the corner of a picture that is -7 everywhere? And what would a 0 "
        "beside the picture make of it? Which number can never win?",
        "Pad with minus infinity: torch.nn.functional.pad(x, (left, right, top, bottom), value=-math.inf). The window "
        "of place (i, j) begins at row i * stride[0] and column j * stride[1]; there are (size + 2 * padding - kernel) "
        "// stride + 1 places on each side.",
        "With x padded: rows of results, each torch.stack([x[:, :, i * stride[0] : i * stride[0] + kernel[0], j * "
        "stride[1] : j * stride[1] + kernel[1]].amax(dim=(2, 3)) for j in range(out_width)], dim=-1); stack the rows "
        "along dim=-2.",
    ),
    reference=max_pool2d,
    walkthrough="The padding holds the smallest number there is, so that a pixel always wins. Each corner of the "
    "window sees the whole picture once, shifted and thinned by the stride, and the largest of these pictures at each "
    "place is the result.",
    where="exercises/05-cnn/05-cnn-exercises.ipynb",
    check=check,
)
