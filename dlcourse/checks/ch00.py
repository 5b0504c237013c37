"""00.accuracy: the share of right answers; the exercise that shows how exercises work."""

from typing import Any

import torch
from torch import Tensor

from dlcourse.checks.examiner import Examiner, Suspect, number
from dlcourse.checks.exercise import Exercise
from dlcourse.checks.subject import Subject


def accuracy(predicted, labels):
    right = predicted == labels
    return right.sum().item() / len(labels)


def _near(value: Any, share: float) -> bool:
    return abs(number(value) - share) < 1e-4


# The order matters: the first suspect that fits is named.
SUSPECTS = (
    Suspect(
        "This is a truth value: torch.equal and `is` ask whether everything is equal. `predicted == labels` compares "
        "place by place.",
        lambda got, wanted, predicted, labels: type(got) is bool,
    ),
    Suspect(
        "The number is right, and it is still a tensor: .item() makes a plain float of it.",
        lambda got, wanted, predicted, labels: isinstance(got, Tensor) and _near(got, wanted),
    ),
    Suspect(
        "This counts the right answers. Divide by how many there are.",
        lambda got, wanted, predicted, labels: len(labels) > 1 and _near(got, wanted * len(labels)),
    ),
    Suspect(
        "This counts mistakes. Count the places where both are equal, and divide by how many places there are.",
        lambda got, wanted, predicted, labels: len(labels) > 1 and _near(got, (1 - wanted) * len(labels)),
    ),
    Suspect(
        "This is the share of mistakes; wanted is the share of right answers.",
        lambda got, wanted, predicted, labels: _near(got, 1 - wanted),
    ),
    Suspect(
        "This is a percentage; wanted is a share between 0.0 and 1.0.",
        lambda got, wanted, predicted, labels: _near(got, 100 * wanted),
    ),
    Suspect(
        "This is 0 although some answers are right: `//` throws the fraction away. Divide with `/`.",
        lambda got, wanted, predicted, labels: wanted > 0 and _near(got, 0),
    ),
)
CRASHES = (
    ("ambiguous", "`if` and `and` cannot look at a whole tensor. Compare with ==, then take the mean of the result."),
    (
        "nput dtype must be either",
        "A mean needs floats, and a comparison gives True and False: put .float() between.",
    ),
)
WRONG = "Compare place by place with ==, turn True and False into 1.0 and 0.0 with .float(), and take the mean."


def check(subject: Subject, seed: int | None) -> str:
    ask = Examiner("00.accuracy", "accuracy", subject, SUSPECTS, CRASHES)

    def right_for(predicted: Tensor, labels: Tensor) -> None:
        ask.value((predicted, labels), accuracy(predicted, labels), generic=WRONG)

    right_for(torch.tensor([3, 1, 4, 1, 5]), torch.tensor([3, 1, 4, 9, 2]))
    generator = torch.Generator().manual_seed(1 if seed is None else seed)
    for _ in range(6):
        size = int(torch.randint(2, 41, (), generator=generator))
        pairs = torch.randint(0, 4, (size, 2), generator=generator)
        right_for(pairs[:, 0], pairs[:, 1])
    right_for(torch.tensor([7, 2, 0]), torch.tensor([7, 2, 0]))
    right_for(torch.tensor([7, 2, 0]), torch.tensor([0, 7, 2]))
    right_for(torch.tensor([4]), torch.tensor([4]))
    return f"right on {ask.asked} pairs of tensors, from none right to all right. That is how a pass looks."


EXERCISE = Exercise(
    id="00.accuracy",
    name="accuracy",
    title="The share of right answers",
    objectives=("00-O1",),
    difficulty=1,
    minutes=5,
    points=0,
    task="Write accuracy(predicted, labels): two whole-number tensors of the same length in, the share of places where "
    "they are equal out, as a plain float between 0.0 and 1.0.",
    ranges="one to forty places, numbers from 0 to 9",
    hints=(
        "How would you count equal places in two columns on paper? `predicted == labels` does the comparing.",
        "The comparison gives a tensor of True and False. As floats they are ones and zeros, and the mean of ones and "
        "zeros is the share of ones.",
        "Chain four steps: compare with ==, then .float(), then .mean(), then .item() to get a plain Python number.",
    ),
    reference=accuracy,
    walkthrough="A sum over True and False counts the True ones, and the number of places divides it. "
    ".item() turns the count into a plain number, so the result is a float and no tensor.",
    where="chapters/00-start.ipynb",
    check=check,
)
EXERCISES = (EXERCISE,)
