"""What the checks of layers with a moving window share: 05.conv2d, 05.max_pool and 05.debug."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from dlcourse.checks.examiner import NO_SLOPE, Examiner, Suspect, matches
from dlcourse.checks.show import Later, paste, show

Pair = tuple[int, int]
Way = Callable[..., Tensor | None]  # what a suspect would have returned; None, or an error, where it cannot be said

PAIRS = "Each pair is (rows, columns): the first number belongs to the height, the second to the width."
PADDING_SWAPPED = (
    f"Rows and columns of the padding are swapped. {PAIRS} (functional.pad counts from the last axis: (left, right, "
    "top, bottom).)"
)
SINGLE_PIXELS = (
    "The number of places is that of the stride, and the windows still move by single pixels: the window of place (i, "
    "j) begins at row i * stride[0], column j * stride[1]."
)
# How one number of a pair comes to be used alone: for both sides, or with the other left out.
TAKES = (
    lambda pair, none: (pair[0], pair[0]),
    lambda pair, none: (pair[1], pair[1]),
    lambda pair, none: (pair[0], none),
    lambda pair, none: (none, pair[1]),
)


BELOW_ZERO = (
    "a start or an index below 0, as in i * stride[0] - padding[0], does not lie in front of the picture: it counts "
    "from the *end* of the axis"
)


def swap(pair: Pair) -> Pair:
    return pair[1], pair[0]


def way(*ways: Way) -> Callable[..., bool]:
    """The test of a suspect that returns one of these. What torch refuses proves nothing."""

    def fits(got: Any, wanted: Tensor, *args: Any) -> bool:
        for guess in ways:
            try:
                guessed = guess(*args)
            except (RuntimeError, IndexError):  # a swapped pair may leave no room for the kernel
                continue
            if isinstance(guessed, Tensor) and matches(got, guessed):
                return True
        return False

    return fits


def rounded(got: Any, wanted: Tensor, *args: Any) -> bool:
    """Right to about seven digits, where there should be sixteen."""
    return (
        isinstance(got, Tensor)
        and got.dtype == wanted.dtype == torch.float64
        and got.shape == wanted.shape
        and torch.allclose(got, wanted, rtol=1e-6, atol=1e-6)
    )


def one_sided(x: Tensor, padding: Pair, *, front: bool, value: float = 0.0) -> Tensor:
    """All of the padding, or half of it, at one end only."""
    rows, columns = padding
    return functional.pad(x, (columns, 0, rows, 0) if front else (0, columns, 0, rows), value=value)


def scrambled(got: Any, wanted: Tensor, *args: Any) -> bool:
    """Reshaped where the axes should be moved."""
    orders = ((0, 2, 3, 1), (1, 0, 2, 3), (2, 3, 0, 1))
    return any(matches(got, wanted.permute(order).reshape(wanted.shape)) for order in orders)


def last_missing(places: str) -> Suspect:
    """places: how many there are, as a formula."""

    def fits(got: Any, wanted: Tensor, *args: Any) -> bool:
        return any(
            matches(got, wanted[:, :, : wanted.shape[2] - rows, : wanted.shape[3] - columns])
            for rows, columns in ((1, 1), (1, 0), (0, 1))
        )

    return Suspect(
        f"The last row or column of places is missing: there are {places} of them, and the + 1 counts the first place.",
        fits,
    )


def too_many_places(places: str) -> Suspect:
    """All that should be there is, and more beyond it."""

    def fits(got: Any, wanted: Tensor, *args: Any) -> bool:
        return (
            isinstance(got, Tensor)
            and got.dim() == 4
            and got.shape != wanted.shape
            and matches(got[:, :, : wanted.shape[2], : wanted.shape[3]], wanted)
        )

    return Suspect(
        f"The first places are right, and there are too many: their number is {places}. Is all of the formula in your "
        "count, and the padding once only? A framed picture has the 2 * padding in its size already.",
        fits,
    )


def other_places(places: str) -> Suspect:
    """Their number is wrong, in whatever way."""

    def fits(got: Any, wanted: Tensor, *args: Any) -> bool:
        return (
            isinstance(got, Tensor)
            and got.dim() == 4
            and got.shape[:2] == wanted.shape[:2]
            and got.shape[2:] != wanted.shape[2:]
        )

    return Suspect(
        f"The number of places is another one. There are {places} of them, for rows and columns each with its own "
        "numbers. Is the picture framed before windows are cut, and is the padding counted only once?",
        fits,
    )


def crashes(tensors: str, pairs: str) -> tuple[tuple[str, str], ...]:
    """Errors that say the same of every such layer, to be looked for after its own. tensors, pairs: its arguments."""
    keep = "an operation that ends in _, +=, or an assignment to x[...]. The caller still needs it: make a new tensor."
    taken = f"{pairs} are pairs: take [0] and [1] of each."
    return (
        ("an argument was changed in place", f"{tensors} was changed: {keep}"),
        ("is being used in an in-place operation", f"{tensors} was written to: {keep}"),
        (
            "modified by an inplace operation",
            "A tensor was written over that the slope still needs: one buffer filled anew for each window, say. Make a "
            "new tensor for each window, or none at all.",
        ),
        (
            "view size is not compatible",
            "view works only where the entries lie in order in memory, and this tensor is a view of another: "
            ".reshape(...) always works.",
        ),
        ("Can't call numpy()", "No slope passes through numpy: stay with tensor operations."),
        ("unsupported operand type(s)", taken),
        ("can't multiply sequence by non-int", taken),
    )


NOTHING_PASSES = Suspect(
    "The slope is 0 everywhere: the numbers left torch's record of the computation (.detach(), .item(), .data, "
    "torch.no_grad, a new torch.tensor), although something else of the result is still on it.",
    lambda got, wanted, *args: (
        isinstance(got, Tensor) and got.shape == wanted.shape and not got.any() and bool(wanted.any())
    ),
)


def slopes(
    ask: Examiner,
    args: tuple[Any, ...],
    names: Sequence[str],
    cotangent: Tensor,
    wanted: Sequence[Tensor],
    suspects: Sequence[Suspect],
    generic: str,
) -> None:
    """Compares the slopes of sum(cotangent * answer) for the first arguments, which are called `names`."""
    called = "the slope of " + ask.written(args) + ",\nits entries weighted by " + Later(paste, cotangent)
    answered = ask.ask(lambda: ask.subject.vjp(args, cotangent), called=called, wanted="slopes for " + ", ".join(names))
    for name, got, right in zip(names, answered, wanted, strict=False):
        label = called + f"\nof the slopes: that for {name}"
        if got is None and right.any():
            reason = NO_SLOPE.replace("the input", name)
            ask.fail(called=label, came_back="no slope at all", wanted=show(right), reason=reason)
        got = torch.zeros_like(right) if got is None else got  # no window saw a pixel
        ask.compare(got, right, args, called=label, generic=generic.format(name=name), suspects=suspects)
