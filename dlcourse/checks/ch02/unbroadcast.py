"""02.unbroadcast: the gradient of a broadcast result, summed back to the shape of the operand."""

from collections.abc import Callable
from itertools import combinations, product

import torch
from torch import Tensor

from dlcourse.checks.examiner import Examiner, Suspect, gives, matches
from dlcourse.checks.exercise import Exercise
from dlcourse.checks.subject import Subject


def unbroadcast(grad, shape):
    for _ in range(grad.dim() - len(shape)):
        grad = grad.sum(0)
    for axis in range(len(shape)):
        if shape[axis] == 1:
            grad = grad.sum(axis, keepdim=True)
    return grad


Shape = tuple[int, ...]
Reduce = Callable[[Tensor, int], Tensor]  # of one axis, which stays with size 1
REDUCE: dict[str, Reduce] = {
    "sum": lambda t, axis: t.sum(axis, keepdim=True),
    "mean": lambda t, axis: t.mean(axis, keepdim=True),
    "first": lambda t, axis: t.narrow(axis, 0, 1),
    "last": lambda t, axis: t.narrow(axis, t.shape[axis] - 1, 1),
    "keep": lambda t, axis: t,
}


def _reduced(grad: Tensor, shape: Shape, leading: str, ones: str) -> Tensor:
    """What came of `grad` when new leading axes and axes of size 1 were reduced so. IndexError where it cannot be."""
    extra = grad.dim() - len(shape)
    for axis in range(grad.dim()):
        if axis < extra or shape[axis - extra] == 1:
            how = leading if axis < extra else ones
            if grad.shape[axis] == 0 and how in ("first", "last"):
                raise IndexError("no first one")
            grad = REDUCE[how](grad, axis)
    return grad if leading == "keep" else grad.reshape(grad.shape[extra:])


def _reduces(*ways: tuple[str, str]) -> Callable[..., bool]:
    """The test of a suspect with one of these ways for (leading axes, axes of size 1)."""

    def fits(got: Tensor, wanted: Tensor, grad: Tensor, shape: Shape) -> bool:
        # An empty axis has no mean and no first entry.
        return grad.numel() > 0 and any(matches(got, _reduced(grad, shape, *way)) for way in ways)

    return fits


def _wrong_shape_only(got: Tensor, wanted: Tensor, grad: Tensor, shape: Shape) -> bool:
    return (
        isinstance(got, Tensor)
        and got.shape != wanted.shape
        and got.numel() == wanted.numel() > 0
        and matches(got.reshape(wanted.shape), wanted)
    )


def _from_the_left(grad: Tensor, shape: Shape) -> Tensor:
    """The extra axes taken for the last ones instead of the first ones."""
    for _ in range(grad.dim() - len(shape)):
        grad = grad.sum(-1)
    for axis, size in enumerate(shape):
        if size == 1:
            grad = grad.sum(axis, keepdim=True)
    return grad


def _unshifted(grad: Tensor, shape: Shape) -> Tensor:
    """Axes of size 1 summed while the new ones still stood in front of them, and then those; as one row."""
    for axis, size in enumerate(shape):
        if size == 1:
            grad = grad.sum(axis, keepdim=True)
    return grad.sum(tuple(range(grad.dim() - len(shape)))).flatten()


def _sums_no_copies(got: Tensor, wanted: Tensor, grad: Tensor, shape: Shape) -> bool:
    """A sum over some set of axes, one of which is as long in `shape` as in grad; the result in whatever shape."""
    extra = grad.dim() - len(shape)
    kept = {axis for axis in range(extra, grad.dim()) if shape[axis - extra] > 1}
    sets = [axes for count in range(1, grad.dim() + 1) for axes in combinations(range(grad.dim()), count)]
    return (
        isinstance(got, Tensor)
        and grad.numel() > 0
        and any(kept & {*axes} and matches(got.flatten(), grad.sum(axes).flatten()) for axes in sets)
    )


def _copies_left(got: Tensor, wanted: Tensor, grad: Tensor, shape: Shape) -> bool:
    """Larger than `shape`, which would still broadcast to it."""
    if not isinstance(got, Tensor) or got.dim() < len(shape) or not got.numel() > wanted.numel() > 0:
        return False
    padded = (1,) * (got.dim() - len(shape)) + shape
    return all(size in (1, now) for size, now in zip(padded, got.shape, strict=True))


SUM = ("sum", "sum")
# The order matters: the first suspect that fits is named.
SUSPECTS = (
    Suspect(
        "The numbers are right, the shape is not: an axis of size 1 has to stay, with keepdim=True, and new leading "
        "axes have to go. The result has exactly `shape`.",
        _wrong_shape_only,
    ),
    Suspect(
        "There was no axis of size 1 to sum here, and everything was summed: torch reads an empty list of axes, "
        "dim=(), as all axes. Sum one axis at a time, or only when the list is not empty.",
        lambda got, wanted, grad, shape: (
            isinstance(got, Tensor)
            and 1 not in shape
            and (grad.shape == wanted.shape or got.dim() == len(shape) > 0)
            and wanted.numel() > 1
            and got.numel() == 1
            and matches(got.reshape(()), grad.sum())
        ),
    ),
    Suspect(
        # The first case alone: an axis of size 1 may be summed or not, it has none.
        "Nothing was summed here, grad came back as it was. It has more axes than `shape`, and those in front hold "
        "copies: sum over them, until the number of axes is right.",
        lambda got, wanted, grad, shape: grad.dim() > len(shape) and matches(got, grad),
    ),
    Suspect(
        "Only the new leading axes were summed. An axis that is 1 in `shape` and longer in grad was copied as well: "
        "sum it too, with keepdim=True.",
        _reduces(("sum", "keep")),
    ),
    Suspect(
        "Copies were averaged. Each copy adds its share to the result, so the operand's gradient is the sum over them.",
        _reduces(*(way for way in product(("sum", "mean"), repeat=2) if way != SUM)),
    ),
    Suspect(
        "This is the gradient of one copy; the others are missing. The operand gets the sum over all its copies.",
        _reduces(*(way for way in product(("sum", "first", "last"), repeat=2) if way != SUM)),
    ),
    Suspect(
        "The wrong axes were summed: shapes align from the right, so the axes that broadcasting added are the first "
        "ones.",
        lambda got, wanted, grad, shape: (
            grad.dim() > len(shape) > 0 and matches(got, _from_the_left(grad, shape)) and not matches(got, wanted)
        ),
    ),
    Suspect(
        "Everything was summed into one number: only the axes that were copied are summed.",
        gives(lambda grad, shape: grad.sum()),
    ),
    Suspect(
        "This is the sum of all entries, copied to every place: only the axes that were copied are summed.",
        gives(lambda grad, shape: grad.sum().expand(shape)),
    ),
    Suspect(
        "Axes were summed by their numbers in `shape`, while grad still had its new axes in front: there the same axis "
        "has a larger number. Remove the new axes first.",
        lambda got, wanted, grad, shape: (
            isinstance(got, Tensor) and grad.dim() > len(shape) and matches(got.flatten(), _unshifted(grad, shape))
        ),
    ),
    Suspect(
        "An axis was summed that holds no copies: `shape` is as long there as grad. Only the axes that are new in "
        "front, and those that are 1 in `shape`, are summed.",
        _sums_no_copies,
    ),
    Suspect(
        "grad has an axis of size 0 where `shape` has 1: no copies at all. It is summed like the others, and the sum "
        "over nothing is 0. A test such as `> 1` leaves it out: ask whether `shape` is 1, or whether the sizes differ.",
        lambda got, wanted, grad, shape: isinstance(got, Tensor) and got.numel() == 0 < wanted.numel(),
    ),
    Suspect(
        "Some copied axis is left: the result is larger than the operand was. Every axis that is 1 in `shape`, and "
        "every new one in front, is summed.",
        _copies_left,
    ),
)
CRASHES = (
    (
        "is invalid for input of size",
        "At the reshape the tensor does not hold as many numbers as `shape`. reshape adds nothing up: sum the copied "
        "axes first, all of them and no others. (And sum(dim=()) sums every axis.)",
    ),
    (
        "Dimension out of range",
        "An axis of this number is not there (any more): sum without keepdim=True removes the axis, and the later ones "
        "move up by one.",
    ),
    (
        "index out of range",
        "`shape` may be shorter than grad's: its last axis belongs to grad's last axis. Sum the new axes in front away "
        "first, then the numbers of the axes agree.",
    ),
    ("the number of sizes provided", "expand copies, and this is the way back: sum over the copies."),
    ("must match", "Shapes do not fit. Nothing has to be added to grad here: sum over its copied axes."),
)
WRONG = (
    "Write both shapes under each other, aligned at the right. Which axes of grad are new, or longer than 1 where "
    "`shape` has 1? Sum over exactly those."
)

# (shape of grad, shape of the operand), in this order, because a case is only met by answers that passed those above.
CASES: tuple[tuple[Shape, Shape], ...] = (
    ((2, 3), (3,)),  # a new axis in front
    ((2, 3), (2, 1)),  # an axis of size 1
    ((4, 3, 2), (3, 1)),  # both
    ((2, 3), (2, 3)),  # nothing to do
    ((3, 3), (3, 1)),  # square: rows and columns differ
    ((3, 3), (1, 3)),
    ((2, 3), (1, 1)),  # two axes of size 1
    ((2, 3), ()),  # a number
    ((), ()),
    ((2, 1, 3), (1, 3)),  # size 1 in both: summing it or not is the same
    ((2, 2, 2, 2), (2, 1, 2)),
    ((3, 2, 5, 4), (1, 5, 1)),
    ((5, 1), (1,)),
    ((0, 3), (3,)),  # no copies at all: the sum over nothing is 0
    ((2, 0), (2, 1)),
    ((4, 0), (0,)),  # an operand without entries
)


def check(subject: Subject, seed: int | None) -> str:
    ask = Examiner("02.unbroadcast", "unbroadcast", subject, SUSPECTS, CRASHES, lines=10_000)
    generator = torch.Generator().manual_seed(1 if seed is None else seed)

    def draw(low: int, high: int) -> int:
        return int(torch.randint(low, high + 1, (), generator=generator))

    def right_for(large: Shape, shape: Shape, dtype: torch.dtype) -> None:
        # Odd whole numbers: their sums are exact in any order. Reversed axes in memory: a view.
        grad = (2 * torch.randint(-5, 5, large[::-1], generator=generator) + 1).to(dtype)
        grad = grad.permute(tuple(range(grad.dim() - 1, -1, -1)))
        ask.value((grad, shape), unbroadcast(grad, shape), generic=WRONG)

    for large, shape in CASES:
        right_for(large, shape, torch.float32)
    for round_ in range(20):
        shape = tuple(draw(1, 5) if draw(0, 2) else 1 for _ in range(draw(0, 3)))
        if round_ % 10 == 9:
            shape = (0, *shape[1:])
        copied = tuple(draw(2, 5) if size == 1 and draw(0, 3) else size for size in shape)
        new = tuple(draw(1, 4) for _ in range(draw(0, min(2, 4 - len(shape)))))
        right_for((*new, *copied), shape, (torch.float32, torch.float64)[round_ % 2])
    return f"right on {ask.asked} pairs of shapes: new axes, axes of size 1, both, neither, and empty ones."


EXERCISE = Exercise(
    id="02.unbroadcast",
    name="unbroadcast",
    title="Undo a broadcast",
    objectives=("02-O2",),
    difficulty=2,
    minutes=10,
    points=2,
    task="Write unbroadcast(grad, shape): grad, a tensor, is the gradient of a result that was broadcast from an "
    "operand of shape `shape`, a tuple. Return the operand's gradient: the sum over all copies of each entry, a tensor "
    "of exactly this shape, in grad's dtype.",
    ranges="up to four axes, sizes from 0 to 5, the shape () included, float32 and float64, tensors that are views of "
    "others",
    hints=(
        "Broadcasting copies an entry to several places, and each copy has its own part in the loss. What is the slope "
        "for the entry when all its copies move together? And where do the copies lie?",
        "Two kinds of axes hold copies: those in front that `shape` does not have, and those that are 1 in `shape`. "
        "Sum the first kind away; sum the second kind and keep the axis.",
        "while grad.dim() > len(shape): grad = grad.sum(0). Then for each axis, size in enumerate(shape): if size == "
        "1: grad = grad.sum(axis, keepdim=True). Return grad.",
    ),
    reference=unbroadcast,
    walkthrough="New axes always stand in front, so they are summed away one by one until both have the same number of "
    "axes. Then every axis of size 1 is summed with keepdim, and where it was 1 already the sum changes nothing.",
    where="exercises/02-backpropagation/02-backpropagation-exercises.ipynb",
    check=check,
)
