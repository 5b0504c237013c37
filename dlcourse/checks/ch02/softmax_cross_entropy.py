"""02.softmax-cross-entropy: the gradient of the mean cross-entropy for the logits, in one line."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from dlcourse.checks.examiner import Examiner, Suspect, gives, matches
from dlcourse.checks.exercise import Exercise
from dlcourse.checks.subject import Subject


def cross_entropy_backward(logits, labels):
    grown = torch.exp(logits - logits.max(1, keepdim=True).values)
    slopes = grown / grown.sum(1, keepdim=True)
    slopes[range(len(labels)), labels] -= 1
    return slopes / len(labels)


def _one_hot(logits: Tensor, labels: Tensor) -> Tensor:
    return torch.nn.functional.one_hot(labels, logits.shape[1]).to(logits.dtype)


def _gradient(logits: Tensor, labels: Tensor, *, dim: int = 1) -> Tensor:
    """Of the sum of the losses, with the softmax along `dim`."""
    return torch.softmax(logits, dim) - _one_hot(logits, labels)


def _scaled(factor: Callable[[Tensor], float]) -> Callable[..., bool]:
    return gives(lambda logits, labels: _gradient(logits, labels) * factor(logits))


def _one_of(*others: Callable[[Tensor, Tensor], Tensor]) -> Callable[..., bool]:
    """The test of a suspect that returns one of these, divided by the number of examples or not."""

    def fits(got: Any, wanted: Tensor, logits: Tensor, labels: Tensor) -> bool:
        values = [other(logits, labels) for other in others]
        return any(matches(got, value) or matches(got, value / len(labels)) for value in values)

    return fits


def _one_sum(logits: Tensor, labels: Tensor) -> Tensor:
    """A sum of exp over the whole batch in place of one for each row."""
    exp = torch.exp(logits - logits.amax(1, keepdim=True))
    return exp / exp.sum() - _one_hot(logits, labels)


def _columns(logits: Tensor, labels: Tensor) -> Tensor:
    """One taken from whole columns, in every row."""
    p = torch.softmax(logits, 1)
    p[:, labels] -= 1
    return p


def _rows(logits: Tensor, labels: Tensor) -> Tensor:
    """One taken from whole rows, those whose numbers stand in the labels."""
    p = torch.softmax(logits, 1)
    p[labels[labels < len(p)]] -= 1
    return p


def _turned(logits: Tensor, labels: Tensor) -> Tensor:
    """1 - p at the true class, p elsewhere."""
    p = torch.softmax(logits, 1)
    return torch.where(_one_hot(logits, labels) > 0, 1 - p, p)


# The order matters: the first suspect that fits is named.
SUSPECTS = (
    Suspect(
        "exp overflowed: exp(1000) is infinite, and inf / inf is nan. Subtract the largest logit of each row first, "
        "or use torch.softmax, which does.",
        lambda got, wanted, *args: isinstance(got, Tensor) and got.numel() > 0 and not got.isfinite().all(),
    ),
    Suspect(
        "This is the gradient of the sum over the batch. The loss is the mean: divide by the number of examples.",
        lambda got, wanted, logits, labels: len(labels) > 1 and _scaled(lambda z: 1.0)(got, wanted, logits, labels),
    ),
    Suspect(
        "The division is by all entries, examples times classes, as .mean() of a matrix would do. The loss is a mean "
        "over the examples: divide by their number only.",
        _scaled(lambda z: 1 / z.numel()),
    ),
    Suspect(
        "The division is by the number of classes: divide by the number of examples, len(labels).",
        _scaled(lambda z: 1 / z.shape[1]),
    ),
    Suspect(
        "The sign is the wrong way round: it is softmax minus one-hot. The slope of the true class's logit is negative "
        "or 0, because a larger one lowers the loss.",
        _one_of(lambda z, t: -_gradient(z, t)),
    ),
    Suspect(
        "The division by the number of examples was made twice.",
        lambda got, wanted, logits, labels: (
            len(labels) > 1 and _scaled(lambda z: 1 / len(z) ** 2)(got, wanted, logits, labels)
        ),
    ),
    Suspect(
        "The softmax runs along the wrong axis: each row is one example, so its probabilities along dim=1 add up to 1.",
        _one_of(lambda z, t: _gradient(z, t, dim=0)),
    ),
    Suspect(
        "This is the softmax alone (divided or not): the 1 has to be taken from the true class of each row. "
        "(If you took it: an index in a second pair of brackets, p[...][...] -= 1, changes a copy.)",
        _one_of(lambda z, t: torch.softmax(z, 1)),
    ),
    Suspect(
        "This is the one-hot part alone: the probabilities are missing. Wrong classes have a slope too, their "
        "probability.",
        _one_of(lambda z, t: -_one_hot(z, t), _one_hot),
    ),
    Suspect(
        "Here logits, not probabilities, meet the one-hot rows: the softmax is missing.",
        _one_of(lambda z, t: z - _one_hot(z, t)),
    ),
    Suspect(
        "The sum of exp runs over the whole batch: sum over dim=1 with keepdim=True, so that each row has its own.",
        _one_of(_one_sum, lambda z, t: torch.softmax(z.flatten(), 0).view_as(z) - _one_hot(z, t)),
    ),
    Suspect(
        "Here log-probabilities meet the one-hot rows: softmax, and not log_softmax.",
        _one_of(lambda z, t: torch.log_softmax(z, 1) - _one_hot(z, t)),
    ),
    Suspect(
        "The true class's entry was replaced by -1 (divided or not): 1 is taken *from* its probability, with -= 1.",
        _one_of(lambda z, t: torch.softmax(z, 1).scatter(1, t[:, None], -1.0)),
    ),
    Suspect(
        "p[labels] picks whole *rows*, those with these numbers. Pick one entry for each row: "
        "p[torch.arange(len(labels)), labels].",
        _one_of(_rows),
    ),
    Suspect(
        "The labels themselves were subtracted, as numbers. A label says *in which column* 1 is subtracted: one-hot "
        "rows.",
        _one_of(lambda z, t: torch.softmax(z, 1) - t[:, None]),
    ),
    Suspect(
        "Only one of the two terms was divided by the number of examples: put softmax minus one-hot in brackets.",
        lambda got, wanted, z, t: any(
            matches(got, way)
            for way in (
                torch.softmax(z, 1) / len(t) - _one_hot(z, t),
                torch.softmax(z, 1) - _one_hot(z, t) / len(t),
            )
        ),
    ),
    Suspect(
        "The true class's entry was set to 0 (divided or not): 1 is taken *from* its probability, with -= 1.",
        _one_of(lambda z, t: torch.softmax(z, 1) * (1 - _one_hot(z, t))),
    ),
    Suspect(
        "Here sigmoids meet the one-hot rows. The classes share one softmax: each row of probabilities adds up to 1.",
        _one_of(lambda z, t: torch.sigmoid(z) - _one_hot(z, t)),
    ),
    Suspect(
        "Only the entries of the true classes came back. Every logit has a slope: (batch, classes), with the "
        "probabilities in all other places.",
        _one_of(lambda z, t: _gradient(z, t).gather(1, t[:, None]).flatten()),
    ),
    Suspect(
        "The rows were added up or averaged. Every logit has its own slope, (batch, classes): divide by the number of "
        "examples and leave the rows apart.",
        lambda got, wanted, z, t: any(matches(got, _gradient(z, t).sum(0) / by) for by in (1, len(t), len(t) ** 2)),
    ),
    Suspect(
        "The sign at the true class is the wrong way round: p - 1 belongs there, and not 1 - p. A larger logit of the "
        "true class lowers the loss.",
        _one_of(_turned, lambda z, t: -_gradient(z, t) * _one_hot(z, t)),
    ),
    Suspect(
        "-1 / p is the slope of the loss for the *probability* of the true class. Wanted is that for the logits: one "
        "step further, through the softmax.",
        _one_of(
            lambda z, t: -1 / torch.softmax(z, 1),
            lambda z, t: -_one_hot(z, t) / torch.softmax(z, 1),
            lambda z, t: torch.where(_one_hot(z, t) > 0, -1 / torch.softmax(z, 1), torch.softmax(z, 1)),
        ),
    ),
    Suspect(
        "The softmax was applied twice: once makes probabilities.",
        _one_of(lambda z, t: _gradient(torch.softmax(z, 1), t)),
    ),
    Suspect(
        "p[:, labels] picks all those columns in every row. Pick one entry for each row: "
        "p[torch.arange(len(labels)), labels].",
        _one_of(_columns),
    ),
    Suspect(
        "Only the true class's column has its probability; the other entries lack theirs. (Their slopes are their "
        "probabilities, and each row adds up to 0.)",
        _one_of(lambda z, t: _gradient(z, t) * _one_hot(z, t)),
    ),
    Suspect(
        "This is the slope of a single probability, p (1 - p): in the cross-entropy that factor cancels against 1 / p.",
        _one_of(lambda z, t: _gradient(z, t) * torch.softmax(z, 1) * (1 - torch.softmax(z, 1))),
    ),
    Suspect(
        "This is the loss. Wanted is its gradient: a number for each logit.",
        gives(torch.nn.functional.cross_entropy),
    ),
)
CRASHES = (
    (
        "an argument was changed in place",
        "`logits` itself was changed: an operation that ends in _, or logits[...] -= 1. The caller still needs it. "
        "Subtract the 1 from the probabilities, which are a tensor of your own.",
    ),
    (
        "must match the size of tensor",
        "Shapes do not fit. If it is the one-hot rows: one_hot needs the number of classes, logits.shape[1], because a "
        "class may be absent from the labels. If it is the labels: they are numbers, (batch,), where one-hot rows "
        "belong, (batch, classes). If it is a sum: keepdim=True.",
    ),
    ("out of bounds", "The labels picked rows: pick columns, p[torch.arange(len(labels)), labels]."),
    ("indexing tensors could not be broadcast", "arange must be as long as the batch: torch.arange(len(labels))."),
    ("return_types.max", "max(dim=1) returns values and their places: take .values, or use amax."),
    ("with a bool tensor", "`-` takes no truth values: turn them into floats first, or use one_hot."),
)
WRONG = (
    "Take one row by hand: its probabilities, minus 1 at the true class, divided by the number of examples. Each row "
    "of the result adds up to 0."
)


def check(subject: Subject, seed: int | None) -> str:
    ask = Examiner("02.softmax-cross-entropy", "cross_entropy_backward", subject, SUSPECTS, CRASHES)

    def right_for(logits: Tensor, labels: Tensor) -> None:
        leaf = logits.detach().clone().requires_grad_()
        with torch.enable_grad():
            loss = torch.nn.functional.cross_entropy(leaf, labels)
        (wanted,) = torch.autograd.grad(loss, leaf)
        ask.value((logits, labels), wanted, generic=WRONG)

    # No two of the usual mistakes give the same numbers here: three examples, four classes, no class twice.
    right_for(
        torch.tensor([[1.0, 2.0, -0.5, 0.25], [0.0, -1.0, 3.0, 1.0], [-2.0, 0.5, 1.5, 0.0]]), torch.tensor([0, 2, 1])
    )
    right_for(torch.tensor([[0.5, -1.0, 2.0]]), torch.tensor([1]))  # one example
    right_for(torch.tensor([[1.0, 3.0], [-1.0, 0.5], [2.0, 0.0], [0.5, 1.0]]), torch.tensor([0, 0, 0, 0]))
    right_for(torch.tensor([[1000.0, -1000.0], [-1000.0, 1000.0], [1000.0, 1000.0]]), torch.tensor([1, 1, 0]))
    generator = torch.Generator().manual_seed(1 if seed is None else seed)
    for round_ in range(8):
        batch = int(torch.randint(1, 10, (), generator=generator))
        classes = int(torch.randint(2, 8, (), generator=generator))
        spread, dtype = (3, 3, 30, 1000)[round_ % 4], (torch.float32, torch.float64)[round_ % 2]
        logits = (torch.rand(classes, batch, generator=generator, dtype=torch.float64) * 2 - 1) * spread
        labels = torch.randint(0, classes, (batch, 2), generator=generator)[:, 1]
        right_for(logits.to(dtype).T, labels)  # both are views whose entries do not lie in order
    return f"right on {ask.asked} batches, with logits up to 1000."


EXERCISE = Exercise(
    id="02.softmax-cross-entropy",
    name="cross_entropy_backward",
    title="Cross-entropy, backward",
    objectives=("02-O4",),
    difficulty=3,
    minutes=10,
    points=3,
    task="Write cross_entropy_backward(logits, labels): logits (batch, classes) and the numbers of the true classes, "
    "(batch,), in; the gradient of the *mean* cross-entropy with respect to the logits out, (batch, classes), by the "
    "formula that you derived and without torch's autograd.",
    ranges="one to nine examples, two to seven classes, logits between -1000 and 1000, float32 and float64, tensors "
    "that are views of others",
    hints=(
        "The loss of one row is logsumexp(row) - row[label]. What is the derivative of logsumexp with respect to one "
        "logit? You know the result: it is a probability. And of row[label]?",
        "For one row: softmax minus one-hot. The loss is the mean over the rows, so each row's part is divided by the "
        "number of examples.",
        "p = torch.softmax(logits, dim=1), a new tensor; subtract 1 at the places [torch.arange(n), labels]; return it "
        "divided by n, the number of examples.",
    ),
    reference=cross_entropy_backward,
    walkthrough="The derivative of logsumexp for a logit is its probability, and that of the true logit is 1, so each "
    "row is softmax minus one-hot. The mean over the batch divides every row by the number of examples.",
    where="exercises/02-backpropagation/02-backpropagation-exercises.ipynb",
    check=check,
)
