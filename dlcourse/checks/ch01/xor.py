"""01.xor: weights set by hand, right at the four corners with room to spare."""

from itertools import product
from typing import Any

import torch
from torch import Tensor

from dlcourse.checks.examiner import Examiner, unlike
from dlcourse.checks.exercise import Exercise
from dlcourse.checks.show import show
from dlcourse.checks.subject import Subject
from dlcourse.models import two_layer

ROOM = 0.05  # how far each input may be off
ROUNDING = 1e-6  # a score this little above 0 is one of 0


def xor_weights():
    weight1 = torch.tensor([[1.0, -1.0], [-1.0, 1.0]])  # hidden unit 1 is on for (1, 0), hidden unit 2 for (0, 1)
    weight2 = torch.tensor([[1.0, 1.0]])  # either will do
    return weight1, torch.zeros(2), weight2, torch.tensor([-0.5])


CORNERS = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], dtype=torch.float64)
XOR = (False, True, True, False)
OR = (False, True, True, True)
AND = (False, False, False, True)
ONLY_UP = (
    "This is OR. It is right for three corners; (1, 1) has to come down again, and no hidden unit pulls down: give one "
    "of them a negative output weight, and let it start at a sum of one or just below."
)
TOO_WEAK = (
    "The score at (1, 1) is still above zero: raise the size of the negative output weight until the score at a sum of "
    "two is below zero."
)
TOO_LATE = (
    "The score at (1, 1) is still above zero: raise the size of the negative output weight, or let its unit start "
    "earlier, until the score at a sum of two is below zero."
)
SHIFTED = "This is AND. Your bump peaks at a sum of two; move it one to the left."
ONE_ANSWER = (
    "bias2 alone decides: all four corners are on the same side as bias2 itself, whatever the hidden units add. Take "
    "bias2 away from the scores: more has to be left at (0, 1) and (1, 0) than at the other two. Then put bias2 so "
    "that 0 lies between."
)
PATTERNS = {
    OR: ONLY_UP,
    AND: "This is AND. It should say yes to one input alone, and no to both.",
    (True, False, False, True): "This is XNOR: the answers are exactly reversed, yes where it should be no.",
    (
        True,
        True,
        True,
        False,
    ): "This is NAND. It is right for three corners; (0, 0) has to come down, by a lower bias2 and "
    "a hinge that is off there.",
}
LINEAR = (
    "No hidden unit bends between the corners: what goes into its relu is never below zero at any of the four, or "
    "never above. So at the corners the whole network is one line, and no line computes XOR. Move the biases in bias1 "
    "so that a hinge starts between the corners."
)
WRONG = "Compute the score of the first wrong corner by hand: hidden units first, then relu, then the output."
TIGHT = (
    "The four corners are right, but there is no room: a score sits so close to 0 that moving an input by 0.05 turns "
    "it. Move bias2 until the yes and the no are equally far from 0."
)
CRASHES = (("converted to Python scalars", "Give numbers to torch.tensor, not tensors."),)
NAMES = ("weight1", "bias1", "weight2", "bias2")
SHAPES = ((2, 2), (2,), (1, 2), (1,))
MEANING = {
    "weight1": "one row per hidden unit, in it one number per input",
    "bias1": "one number per hidden unit",
    "weight2": "one row, in it one number per hidden unit, so two pairs of brackets",
    "bias2": "one number in brackets; torch.tensor(0.0) has the shape (), torch.zeros(1) has (1,)",
}


def check(subject: Subject, seed: int | None) -> str:
    """The seed does not matter here: the score is checked at its highest and lowest over all allowed inputs."""
    ask = Examiner("01.xor", "xor_weights", subject, crashes=CRASHES)
    called = "xor_weights()"
    wanted = "(weight1 (2, 2), bias1 (2,), weight2 (1, 2), bias2 (1,))"
    got = ask.ask(lambda: subject.call(), called=called, wanted=wanted)
    if problem := _problem(got):
        ask.fail(called=called, came_back=show(got), wanted=wanted, reason=problem)

    network = tuple(value.double() for value in got)
    scores = two_layer(CORNERS, *network)[:, 0]
    said = tuple((scores > ROUNDING).tolist())
    if said != XOR:
        ask.fail(
            called="the network with these weights at (0, 0), (0, 1), (1, 0), (1, 1)\n" + _listed(got),
            came_back=f"scores {show(scores.tolist())}: {_words(said)}{_rounding(scores)}",
            wanted=f"above 0 for (0, 1) and (1, 0) only: {_words(XOR)}",
            reason=_reason(said, network),
        )
    for corner, yes in zip(CORNERS, XOR, strict=True):
        places = _extremes(corner, network)
        scores = two_layer(places, *network)[:, 0]
        worst = scores.argmin() if yes else scores.argmax()
        if bool(scores[worst] > ROUNDING) != yes:
            ask.fail(
                called=f"the network at {_place(places[worst])}, which is within {ROOM} of {_place(corner)}\n"
                + _listed(got),
                came_back=f"a score of {show(scores[worst].item())}: {_words([not yes])}{_rounding(scores[worst])}",
                wanted=f"a score {'above 0' if yes else 'of 0 or below'}: {_words([yes])}",
                reason=TIGHT,
            )
    return f"right at all four corners, with each input up to {ROOM} off. Two hinges did what no line can."


def _reason(said: tuple[bool, ...], network: tuple[Tensor, ...]) -> str:
    """Why a network that says this at the four corners is no XOR."""
    weight1, bias1, weight2, bias2 = network
    bends = CORNERS @ weight1.T + bias1
    down = weight2[0] < 0
    unread = [name for name, column in zip(("x1", "x2"), weight1.T, strict=True) if not column.any()]
    if len(unread) == 1:
        return f"{unread[0]} is never read: each row of weight1 holds one unit's weights for both inputs."
    if said == OR and down.any():
        return TOO_WEAK if -weight2.min() <= weight2.max() else TOO_LATE
    if said == AND and down.any() and (bends[:, down] <= 0).all():
        return SHIFTED
    if set(said) == {bool(bias2 > ROUNDING)}:
        return ONE_ANSWER
    straight = all((unit >= 0).all() or (unit <= 0).all() for unit in bends.T)
    return PATTERNS.get(said, LINEAR if straight else WRONG)


def _problem(got: Any) -> str:
    """What keeps `got` from being the four tensors of a network, as advice; "" when nothing does."""
    wanted = tuple(torch.empty(shape) for shape in SHAPES)
    if type(got) is not tuple or len(got) != len(wanted):
        return unlike(got, wanted)
    for name, value, right in zip(NAMES, got, wanted, strict=True):
        if isinstance(value, Tensor) and value.shape != right.shape:
            return f"{name} must be {tuple(right.shape)}: {MEANING[name]}."
        if isinstance(value, Tensor) and value.dtype == torch.int64:
            return f"{name}: write 1.0 for 1, without the point torch makes whole numbers."
        if problem := unlike(value, right):
            return f"{name}: {problem}"
        if not value.isfinite().all():
            return f"{name} holds a number that is not finite."
    return ""


def _extremes(corner: Tensor, network: tuple[Tensor, ...]) -> Tensor:
    """Points of the square around a corner among which the score has its highest and its lowest.

    The score is flat pieces joined along the two hinges, so both lie at a corner of a piece: a corner of the square, a
    place where a hinge crosses its side, or where the two hinges meet.
    """
    low, high = corner - ROOM, corner + ROOM
    points = [torch.stack(point) for point in product(*zip(low, high, strict=True))]
    weight1, bias1 = network[:2]
    for weight, bias in zip(weight1, bias1, strict=True):
        for across, along in ((0, 1), (1, 0)):
            for side in (low[across], high[across]):
                if weight[along] != 0:
                    crossing = torch.empty(2, dtype=torch.float64)
                    crossing[across], crossing[along] = side, -(bias + weight[across] * side) / weight[along]
                    points.append(crossing)
    if torch.linalg.det(weight1) != 0:
        points.append(torch.linalg.solve(weight1, -bias1))
    places = torch.stack(points)
    inside = ((places >= low - 1e-12) & (places <= high + 1e-12)).all(1)
    return places[inside]


def _listed(weights: tuple[Tensor, ...]) -> str:
    return "\n".join(f"{name} = {show(value)}" for name, value in zip(NAMES, weights, strict=True))


def _words(said: tuple[bool, ...] | list[bool]) -> str:
    return ", ".join("yes" if yes else "no" for yes in said)


def _rounding(scores: Tensor) -> str:
    """A score that looks above 0 and is none needs a word."""
    near = ((scores > 0) & (scores <= ROUNDING)).any()
    return " (closer than 1e-6 to zero counts as no)" if near else ""


def _place(point: Tensor) -> str:
    return f"({', '.join(show(number) for number in point.tolist())})"


EXERCISE = Exercise(
    id="01.xor",
    name="xor",
    title="XOR with two hinges",
    objectives=("01-O4",),
    difficulty=3,
    minutes=12,
    points=3,
    task="Write xor_weights(): weight1 (2, 2), bias1 (2,), weight2 (1, 2), bias2 (1,) of a network whose output "
    "weight2 relu(weight1 x + bias1) + bias2 is above zero exactly when one of the two inputs is 1 and the other 0.",
    ranges="each input of each corner may be off by up to 0.05; nothing else varies",
    hints=(
        "XOR depends on the sum of the two inputs only: no at 0, yes at 1, no at 2. Or on their difference. Draw the "
        "score over the sum: up, then down. How many hinges does that take?",
        "Let both hidden units read the sum, rows [1, 1] in weight1. One starts before a sum of 1, the other at 1 or "
        "just below, and the second pulls down at least twice as hard. Then bias2 lowers everything, so that 0 lies "
        "halfway.",
        "weight1 is all ones; bias1 is [0, -1], so that the hidden units are 0, 1, 1, 2 and 0, 0, 0, 1 at the "
        "corners. Now choose weight2 so that first plus second becomes 0, 1, 1, 0, and bias2 between minus one and "
        "zero.",
    ),
    reference=xor_weights,
    walkthrough="One hidden unit is on when the first input is larger, the other when the second is: both are off "
    "when the inputs are equal, and that is all XOR asks. A bias of minus one half puts zero halfway between a yes "
    "and a no.",
    where="exercises/01-neurons/01-neurons-exercises.ipynb",
    check=check,
)
