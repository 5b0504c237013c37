"""01.hinges: how many straight pieces the graph of a sum of hinges has."""

from collections.abc import Callable, Iterable
from fractions import Fraction
from typing import Any

import torch
from torch import Tensor

from dlcourse.checks.examiner import Examiner, Suspect, number
from dlcourse.checks.exercise import Exercise
from dlcourse.checks.subject import Subject


def linear_pieces(weight, bias, out):
    bends = (weight != 0) & (out != 0)
    knots = -bias[bends] / weight[bends]
    change_of_slope = (out * weight.abs())[bends]
    pieces = 1
    for knot in knots.unique():
        pieces += int(change_of_slope[knots == knot].sum() != 0)
    return pieces


Hinge = tuple[int, int, int]  # weight, bias, out


def _knots(hinges: Iterable[Hinge]) -> list[Fraction]:
    return [Fraction(-b, w) for w, b, _ in hinges if w != 0]


def _counts(count: Callable[[list[Hinge]], int]) -> Callable[..., bool]:
    """The test of a suspect that counts like this, with or without making an int of it."""

    def fits(got: Any, wanted: int, weight: Tensor, bias: Tensor, out: Tensor) -> bool:
        hinges = list(zip(*([round(number) for number in v.tolist()] for v in (weight, bias, out)), strict=True))
        return number(got) == count(hinges)

    return fits


def _bending_by(change: Callable[[int, int], int]) -> Callable[..., bool]:
    """The test of a suspect that takes `change(weight, out)` for the change of slope at a knot."""

    def count(hinges: list[Hinge]) -> int:
        changes: dict[Fraction, int] = {}
        for w, b, a in hinges:
            if w != 0:
                changes[Fraction(-b, w)] = changes.get(Fraction(-b, w), 0) + change(w, a)
        return 1 + sum(change != 0 for change in changes.values())

    return _counts(count)


def _floored(hinges: list[Hinge]) -> int:
    changes: dict[int, int] = {}
    for w, b, a in hinges:
        if w != 0:
            changes[-b // w] = changes.get(-b // w, 0) + a * abs(w)
    return 1 + sum(change != 0 for change in changes.values())


def _cancelled(hinges: list[Hinge]) -> int:
    return 1 + len(set(_knots(hinge for hinge in hinges if hinge[2] != 0)))


# The order matters: the first suspect that fits is named.
SUSPECTS = (
    Suspect(
        "The number is right, but it is no int: int(...) makes one.",
        lambda got, wanted, weight, bias, out: type(got) is not int and number(got) == wanted,
    ),
    Suspect(
        "Knots in the same place whose changes of slope add up to zero were counted: the graph goes straight on there. "
        "Add up the changes at each place first.",
        _counts(_cancelled),
    ),
    Suspect(
        "The slope changes by out * |weight|, the absolute value: with a negative weight the hinge is on at the left, "
        "and bends the graph in the same direction.",
        _bending_by(lambda w, a: a * w),
    ),
    Suspect("The slope changes by out * |weight|, not by out.", _bending_by(lambda w, a: a)),
    Suspect(
        "n knots cut the line into n + 1 pieces.",
        # The first case alone: two plain knots, of which nothing but the + 1 can be lost.
        lambda got, wanted, *args: number(got) == wanted - 1 and [v.tolist() for v in args] == list(CASES[0]),
    ),
    Suspect(
        "A negative change is a bend too.",
        # The second case alone: nothing but the sign of a change is new there.
        lambda got, wanted, *args: number(got) == wanted - 1 and [v.tolist() for v in args] == list(CASES[1]),
    ),
    Suspect(
        "Different knots were merged: -b // w rounds, and so do int and round; use -b / w.",
        _counts(_floored),
    ),
    Suspect(
        "A knot was lost. A hinge with bias 0 has one too, at 0; one with a negative weight has one; and after a hinge "
        "with weight 0 the others still count.",
        lambda got, wanted, *args: type(got) is int and got < wanted,
    ),
    Suspect(
        "These are more pieces than hinges + 1, which cannot be. (A bend looked for on a grid of points shows at two "
        "of them when it lies in between.) Compute the places: -bias / weight.",
        lambda got, wanted, weight, *rest: number(got) > len(weight) + 1,
    ),
    Suspect(
        "Knots in the same place were counted more than once: collect the places -bias / weight, and merge equal ones. "
        "(Two tensors that hold the same number are different dictionary keys: use .tolist() or .item().)",
        _counts(lambda hinges: 1 + len(_knots(hinge for hinge in hinges if hinge[2] != 0))),
    ),
    Suspect(
        "This is always the number of hinges plus one: the most there can be. Some knots coincide, cancel, or belong "
        "to a hinge with weight 0 or out 0.",
        _counts(lambda hinges: len(hinges) + 1),
    ),
    Suspect(
        "Hinges with out = 0 were counted: they add nothing, so they bend nothing.",
        lambda got, wanted, weight, bias, out: (
            bool((out == 0).any())
            and any(
                _counts(count)(got, wanted, weight, bias, out)
                for count in (lambda hinges: 1 + len(set(_knots(hinges))), lambda hinges: 1 + len(_knots(hinges)))
            )
        ),
    ),
    Suspect(
        "Hinges with weight = 0 were counted: they are constant, and -bias / 0 is no place.",
        lambda got, wanted, weight, bias, out: (
            bool((weight == 0).any())
            and any(
                _counts(count)(got, wanted, weight, bias, out)
                for count in (
                    lambda hinges: _cancelled(hinges) + len({b > 0 for w, b, a in hinges if w == 0 and a != 0}),
                    lambda hinges: 1 + sum(a != 0 for _, _, a in hinges),
                    lambda hinges: _cancelled(hinges) + 1,
                )
            )
        ),
    ),
)
CRASHES = (
    ("division by zero", "A hinge with weight 0 has no knot: leave it out before you divide by its weight."),
    ("cannot convert float", "A hinge with weight 0 has no knot: leave it out before you divide by its weight."),
    ("ambiguous", "`if` cannot look at a whole tensor. Go through the hinges one by one, or use a mask."),
    ("unhashable", "A tensor is no key for a dict: use .tolist() or .item() to get plain numbers."),
)
WRONG = (
    "Draw it: mark each place -bias / weight, write out * |weight| on it, add up what coincides, count what is left."
)

# (weight, bias, out), one idea each.
# In this order, because a case is only met by answers that got those above it right: so its culprit is clear.
CASES = (
    ([1, 2], [2, -4], [1, 1]),  # two knots, and nothing else to get wrong
    ([1, 2], [2, -4], [1, -1]),  # one of them bends down
    ([1, 1, -2], [0, -1, 4], [1, -2, 1]),  # three knots in three places
    ([4, 2], [-1, -1], [1, 1]),  # a quarter and a half: both would round to zero
    ([1, 1, 2], [3, 3, 1], [0, 0, 1]),  # two hinges that add nothing
    ([0, 2, 0], [3, 1, -2], [2, 1, 1]),  # two that are constant
    ([1, 2, 1], [-1, -2, 1], [1, 1, 1]),  # two of three coincide
    ([1, 2], [-1, -2], [1, -1]),  # out adds up to zero, the changes do not
    ([2, 1, 3], [-2, -1, 3], [1, -2, 2]),  # two that cancel
    ([1, -1], [0, 0], [1, 1]),  # |x|: the absolute value of the weight matters
    ([1, -1, 1], [0, 0, -1], [1, -1, 2]),  # relu(x) - relu(-x) is x: the bend cancels
    ([0], [1], [3]),  # a constant
    ([3, 4, -3, 1], [1, 0, 1, 0], [1, -1, 2, 4]),  # thirds; and two that cancel at zero
)


def check(subject: Subject, seed: int | None) -> str:
    ask = Examiner("01.hinges", "linear_pieces", subject, SUSPECTS, CRASHES)

    def counts(weight: Tensor, bias: Tensor, out: Tensor) -> None:
        ask.value((weight, bias, out), linear_pieces(weight, bias, out), generic=WRONG)

    for case in CASES:
        counts(*(torch.tensor(numbers, dtype=torch.float32) for numbers in case))
    generator = torch.Generator().manual_seed(1 if seed is None else seed)
    for _ in range(12):
        hidden = int(torch.randint(1, 9, (), generator=generator))
        hinges = torch.randint(-4, 5, (hidden, 3), generator=generator).float()
        counts(hinges[:, 0], hinges[:, 1], hinges[:, 2])
    return f"right on {ask.asked} sums of hinges: merged, cancelled and dead ones among them."


EXERCISE = Exercise(
    id="01.hinges",
    name="hinges",
    title="Count the pieces",
    objectives=("01-O5",),
    difficulty=3,
    minutes=12,
    points=3,
    task="Write linear_pieces(weight, bias, out), three tensors (hidden,): the number of straight pieces of the graph "
    "of the sum of out_i relu(weight_i x + bias_i), an int. Knots in the same place are one; where the slope does not "
    "change there is none.",
    ranges="one to eight hinges, whole numbers between -4 and 4",
    hints=(
        "Where does one hinge bend, and by how much does the slope change there? What if another hinge bends at the "
        "same place?",
        "A hinge with weight other than 0 bends at -bias / weight, and the slope changes by out * |weight|. Add up the "
        "changes that fall on the same place; a place whose sum is 0 is no knot. Pieces = knots + 1.",
        "Go through zip(weight.tolist(), bias.tolist(), out.tolist()); skip w == 0; in a dict from place -b / w to "
        "change, add a * abs(w). Return 1 plus the number of entries that are not 0.",
    ),
    reference=linear_pieces,
    walkthrough="Only hinges with a weight and an out other than zero bend anything, each at -bias / weight by "
    "out * |weight|. Changes at one place are added before they are compared with zero, so bends that cancel vanish.",
    where="exercises/01-neurons/01-neurons-exercises.ipynb",
    check=check,
)
