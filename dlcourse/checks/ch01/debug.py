"""01.debug: one step of a logistic neuron, freed of its three faults."""

from collections.abc import Callable
from itertools import product
from typing import Any

import torch
from torch import Tensor

from dlcourse.checks.examiner import Examiner, Suspect, gives, matches
from dlcourse.checks.exercise import Exercise
from dlcourse.checks.subject import Subject
from dlcourse.nn import sigmoid

Step = tuple[Tensor, Tensor]


def logistic_step(weight, bias, x, labels, lr):
    p = torch.sigmoid(x @ weight + bias)
    difference = p - labels.squeeze(1)
    return weight - lr * (x.T @ difference) / len(x), bias - lr * difference.mean()


def _step(
    weight: Tensor, bias: Tensor, x: Tensor, labels: Tensor, lr: float, *, error: Any = None, total: Any = None
) -> Step:
    """A step whose `error(p, y)` or division `total(n)` may be another than the right ones."""
    p, y = sigmoid(x @ weight + bias), labels[:, 0]
    difference = error(p, y) if error else p - y
    n = total(len(x)) if total else len(x)
    return weight - lr * x.T @ difference / n, bias - lr * difference.sum() / n


def _steps(**changed: Callable[..., Any]) -> Callable[..., bool]:
    return gives(lambda *args: _step(*args, **changed))


def _square(got: Any, wanted: Step, weight: Tensor, bias: Tensor, x: Tensor, labels: Tensor, lr: float) -> bool:
    """The broadcast fault left in: (batch,) minus (batch, 1) is every pair, whatever was done about the other two."""
    n = len(x)
    if n == 1 or type(got) is not tuple or not got or not isinstance(got[0], Tensor):
        return False
    pairs = sigmoid(x @ weight + bias) - labels
    slopes = [(x.T @ pairs).sum(1), (x.T @ pairs.T).sum(1)]
    return got[0].shape == (weight.shape[0], n) or any(
        matches(got[0], weight - lr * slope / part) for slope, part in product(slopes, (1, n, n * n))
    )


def _no_bias(got: Any, wanted: Step, weight: Tensor, bias: Tensor, *rest: Any) -> bool:
    return type(got) is tuple and len(got) == 2 and matches(got[1], bias) and not matches(wanted[1], bias)


# The order matters: the first suspect that fits is named.
SUSPECTS = (
    Suspect(
        "The labels are a column, (batch, 1), and p is (batch,): their difference is every pair, (batch, batch). "
        "Bring the labels to (batch,) before you subtract.",
        _square,
    ),
    Suspect(
        "The bias came back as it went in. It is learned too: its slope is the mean of p - y.",
        _no_bias,
    ),
    Suspect(
        "These are sums over the batch. The slope of the average loss divides by the number of examples.",
        _steps(total=lambda n: 1),
    ),
    Suspect(
        "The weight moved by a sum over the batch: divide its slope by the number of examples, as the bias's is.",
        lambda got, wanted, *args: matches(got, (_step(*args, total=lambda n: 1)[0], wanted[1])),
    ),
    Suspect(
        "The weight is right, the bias moved by the sum: take the mean of p - y there too.",
        lambda got, wanted, *args: matches(got, (wanted[0], _step(*args, total=lambda n: 1)[1])),
    ),
    Suspect(
        "This divides by len(weight), the number of features. The average is over the examples: divide by len(x).",
        lambda got, wanted, weight, *rest: (
            type(got) is tuple
            and len(got) == 2
            and matches(got[0], _step(weight, *rest, total=lambda n: len(weight))[0])
        ),
    ),
    Suspect(
        "The bias's slope uses the weight after its step. Compute both slopes first, then take both steps.",
        lambda got, wanted, weight, *rest: matches(got, (wanted[0], _step(wanted[0], *rest)[1])),
    ),
    Suspect(
        "The error is a probability minus a label: the logits must pass through the sigmoid first.",
        _steps(error=lambda p, y: p.logit() - y),
    ),
    Suspect(
        "The step goes uphill: subtract the slope, lr * x^T (p - y) / n with p - y and not y - p.",
        _steps(error=lambda p, y: y - p),
    ),
    Suspect("The learning rate was used twice.", gives(lambda w, b, x, y, lr: _step(w, b, x, y, lr * lr))),
    Suspect("The learning rate was not used.", gives(lambda w, b, x, y, lr: _step(w, b, x, y, 1.0))),
    Suspect(
        "The learning rate was not used for the bias.",
        lambda got, wanted, w, b, x, y, lr: matches(got, (wanted[0], _step(w, b, x, y, 1.0)[1])),
    ),
    Suspect(
        "The error uses hard answers, 0 or 1: it is the probability minus the label.",
        _steps(error=lambda p, y: (p > 0.5).float() - y),
    ),
    Suspect("The sigmoid was applied twice: once makes a probability.", _steps(error=lambda p, y: sigmoid(p) - y)),
    Suspect(
        "This is the slope of the squared error, with an extra p (1 - p). In the cross-entropy that factor cancels.",
        lambda got, wanted, *args: any(
            _steps(error=lambda p, y, c=c: c * (p - y) * p * (1 - p))(got, wanted, *args) for c in (1, 2)
        ),
    ),
    Suspect("The sum of products was divided twice by the number of examples.", _steps(total=lambda n: n * n)),
    Suspect(
        "p was computed without the bias: it is sigmoid(x @ weight + bias).",
        lambda got, wanted, weight, bias, x, labels, lr: (
            type(got) is tuple and len(got) == 2 and matches(got[0], _step(weight, bias * 0, x, labels, lr)[0])
        ),
    ),
)
CRASHES = (
    (
        "Dimension out of range",
        "The difference is (batch,) now, so x.T @ difference is (features,) already: the .sum(1) of the broken code "
        "has nothing left to add up.",
    ),
    ("size mismatch", "Shapes do not fit: x is (batch, features), so x.T @ difference is (features,)."),
)
WRONG = (
    "Print the shape of each line: p (batch,), difference (batch,), slopes (features,) and (). Then the division by n."
)


def check(subject: Subject, seed: int | None) -> str:
    ask = Examiner("01.debug", "logistic_step", subject, SUSPECTS, CRASHES)

    def right_for(weight: Tensor, bias: float, x: Tensor, labels: list[int], lr: float) -> None:
        column = torch.tensor(labels, dtype=torch.float32).reshape(-1, 1)
        args = (weight, torch.tensor(bias), x, column, lr)
        ask.value(args, logistic_step(*args), generic=WRONG, names="(weight, bias)")

    right_for(torch.tensor([0.5, -1.0]), 0.25, torch.tensor([[1.0, 2.0], [-1.0, 0.5], [2.0, -1.0]]), [1, 0, 1], 0.5)
    generator = torch.Generator().manual_seed(1 if seed is None else seed)
    for _ in range(8):
        batch = int(torch.randint(1, 9, (), generator=generator))
        features = int(torch.randint(1, 6, (), generator=generator))
        weight = torch.randn(features, generator=generator)
        bias = torch.randn((), generator=generator).item()
        x = (torch.rand(features, batch, generator=generator) * 6 - 3).T  # a view whose entries do not lie in order
        labels = torch.randint(0, 2, (batch,), generator=generator).tolist()
        lr = 0.01 + 0.99 * torch.rand((), generator=generator).item()
        right_for(weight, bias, x, labels, lr)
    right_for(torch.tensor([2.0]), -1.0, torch.tensor([[0.5]]), [1], 1.0)
    return f"right on {ask.asked} steps. Three faults found: the square, the forgotten bias, the sum."


EXERCISE = Exercise(
    id="01.debug",
    name="debug_neuron",
    title="Find the faults",
    objectives=("01-O2",),
    difficulty=3,
    minutes=10,
    points=3,
    task="Write logistic_step(weight, bias, x, labels, lr): weight (features,), bias (), x (batch, features), labels "
    "(batch, 1) of zeros and ones, lr a float in; the new weight and the new bias out, in their old shapes, after one "
    "step along the slope of the average loss.",
    ranges="one to eight examples, one to five features, inputs between -3 and 3, learning rates between 0.01 and 1",
    hints=(
        "Print the shape of every line of the broken code for three examples. Which one is a surprise? Then ask which "
        "parameters a step has to change.",
        "(batch,) minus (batch, 1) is a square: bring the labels to (batch,) first. Both weight and bias take a step. "
        "The slope of an average has a division by the number of examples in it.",
        "difference = p - labels as a row of length batch; the weight's slope is x.T @ difference divided by the "
        "number of examples, the bias's slope is the mean of difference; subtract lr times each; return both.",
    ),
    reference=logistic_step,
    walkthrough="The column of labels is squeezed to (batch,), so that each probability meets its own label only. "
    "Weight and bias each move against their slope of the mean loss: x^T (p - y) / n, and the mean of p - y.",
    where="exercises/01-neurons/01-neurons-exercises.ipynb",
    check=check,
)
