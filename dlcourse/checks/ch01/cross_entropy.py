"""01.cross_entropy: the mean loss of a batch, from logits, right in value and slope at +-1000."""

import math
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from dlcourse import nn
from dlcourse.checks.examiner import Examiner, Suspect, gives, number
from dlcourse.checks.exercise import Exercise
from dlcourse.checks.subject import Subject


def cross_entropy(logits, labels):
    largest = logits.max(dim=1, keepdim=True).values
    logsumexp = largest.squeeze(1) + torch.log(torch.exp(logits - largest).sum(1))
    true_class = torch.gather(logits, 1, labels.unsqueeze(1)).squeeze(1)
    return (logsumexp - true_class).mean()


def _losses(logits: Tensor, labels: Tensor, *, dim: int = 1) -> Tensor:
    """The loss of each example, with the softmax along `dim`."""
    return -nn.log_softmax(logits, dim=dim)[torch.arange(len(labels)), labels]


def _scaled(factor: Callable[[Tensor], float]) -> Callable[..., bool]:
    return gives(lambda logits, labels: nn.cross_entropy(logits, labels) * factor(logits))


def _one_sum(logits: Tensor, labels: Tensor, *, shifted: bool) -> Tensor:
    """A sum of exp over the whole batch in place of one for each row."""
    if shifted:
        logits = logits - logits.amax(1, keepdim=True)
    return logits.logsumexp((0, 1)) - logits[torch.arange(len(labels)), labels].mean()


# The order matters: the first suspect that fits is named.
SUSPECTS = (
    Suspect(
        # Whoever lets exp overflow has failed already where no probability rounds to 0.
        "Nothing overflows any more, but log of a probability that rounds to 0 is -inf: stay with logsumexp - logit, "
        "and never take the logarithm of a single probability.",
        lambda got, wanted, logits, labels: number(got) == math.inf and wanted.item() > 120,
    ),
    Suspect(
        "exp overflowed, or log met a zero: exp(1000) is infinite and exp(-1000) is 0. Subtract the largest logit of "
        "each row first (that changes no probability), and take the log of the sum, not of single probabilities.",
        lambda got, wanted, logits, labels: isinstance(got, Tensor) and got.numel() > 0 and not got.isfinite().all(),
    ),
    Suspect(
        "A small constant inside the log, or a clamp, caps the loss: a logit 2000 below the others has a loss of 2000. "
        "Write log softmax as logit minus logsumexp, and no constant is needed.",
        lambda got, wanted, logits, labels: wanted.item() > 120 and 0 < number(got) < 120,
    ),
    Suspect("This is the sum over the batch; wanted is the mean.", _scaled(len)),
    Suspect("The minus sign is missing: a loss is -log p, never below zero.", _scaled(lambda logits: -1.0)),
    Suspect("This is the loss in bits, with log2; wanted is the natural log.", _scaled(lambda logits: 1 / math.log(2))),
    Suspect("The mean was taken over the classes too: divide by the examples only.", _scaled(lambda z: 1 / z.shape[1])),
    Suspect(
        "The softmax runs along the wrong axis: each row is one example, so sum over dim=1, the classes.",
        gives(lambda logits, labels: _losses(logits, labels, dim=0).mean()),
    ),
    Suspect(
        "The largest logit was taken away and not put back: subtract it from both, from the logits in the sum and "
        "from the logit of the true class; or add it after the log.",
        gives(lambda logits, labels: nn.cross_entropy(logits, labels) - logits.amax(1).mean()),
    ),
    Suspect(
        "The largest logit was put back twice: either add it after the log and subtract logits[true], or leave it out "
        "of both; not a mix of the two.",
        gives(lambda logits, labels: nn.cross_entropy(logits, labels) + logits.amax(1).mean()),
    ),
    *(
        Suspect(
            "The sum of exp runs over the whole batch: sum over dim=1, so that each row has a sum of its own.",
            gives(partial(_one_sum, shifted=shifted)),
        )
        for shifted in (True, False)
    ),
    Suspect(
        "The softmax was applied twice: the sum of exp has to be taken of the logits, not of probabilities.",
        gives(lambda logits, labels: nn.cross_entropy(nn.softmax(logits), labels)),
    ),
    Suspect(
        "The labels were not used: this is the loss of the class with the largest logit. Pick the column labels[i] in "
        "row i.",
        gives(lambda logits, labels: nn.cross_entropy(logits, logits.argmax(1))),
    ),
    Suspect(
        "logits[:, labels] picks all those columns in every row. Pick one for each row: index with "
        "(torch.arange(len(labels)), labels), or use gather.",
        gives(lambda logits, labels: -nn.log_softmax(logits)[:, labels].mean()),
    ),
    Suspect(
        "This is a mean of probabilities: the log is missing.",
        lambda got, wanted, logits, labels: any(
            gives(lambda z, t, sign=sign: sign * torch.exp(-_losses(z, t)).mean())(got, wanted, logits, labels)
            for sign in (1, -1)
        ),
    ),
    Suspect(
        "The logit of the true class alone is not the loss: the logsumexp of the row is missing.",
        gives(lambda logits, labels: -logits[torch.arange(len(labels)), labels].mean()),
    ),
    Suspect(
        "These are the losses of the single examples: take their mean.",
        gives(lambda logits, labels: _losses(logits, labels)),
    ),
)
SLOPES = (
    Suspect(
        "The value is right and a slope is nan: somewhere exp still becomes infinite, or log meets a zero, even if "
        "torch.where or nan_to_num hides it afterwards. Subtract the largest logit of the row before exp.",
        lambda got, wanted, logits, labels: bool(got.isnan().any()),
    ),
    Suspect(
        "Part of the slope is missing, that of the true class's logit or that of the sum: a .detach(), .item() or "
        ".tolist() sits on one of the two ways. The slope is (softmax - one-hot) / batch.",
        lambda got, wanted, logits, labels: _half(got, logits, labels),
    ),
)
ARANGE = "arange must be as long as the batch: torch.arange(len(labels))."
CRASHES = (
    (
        "one_hot",
        "one_hot needs the number of classes: a class may be absent from the labels. Indexing needs no one_hot.",
    ),
    # The batch of one is asked after a batch of two, and an answer that lets the labels pick rows fails on the latter.
    ("index 1 is out of bounds for dimension 0 with size 1", ARANGE),
    ("indexing tensors could not be broadcast", ARANGE),
    (
        "out of bounds",
        "The labels picked rows: logits[labels] takes whole rows of the batch. Take the entry in column labels[i] of "
        "row i: index with (torch.arange(len(labels)), labels), or use gather along dim=1.",
    ),
    ("return_types.max", "max(dim=1) returns values and their places: take .values, or use amax."),
    ("non-singleton dimension 1", "Shapes do not fit: keepdim=True keeps the largest logit as a column, (batch, 1)."),
    (
        "non-singleton dimension 0",
        "A row of (classes,) met one of (batch,): reductions along dim=0 run over the examples. Take largest and sum "
        "along dim=1, the classes.",
    ),
)
WRONG = "Take one row and compute by hand: log(sum of exp(logits)) minus the logit of the true class. Then the mean."
WRONG_SLOPE = (
    "The value is right and its slope is not: it is (softmax - one-hot) / batch. See what leaves torch's record."
)


def _half(got: Tensor, logits: Tensor, labels: Tensor) -> bool:
    one_hot = torch.nn.functional.one_hot(labels, logits.shape[1]).to(logits.dtype)
    halves = (nn.softmax(logits) / len(labels), -one_hot / len(labels), torch.zeros_like(logits))
    return any(torch.allclose(got, half, atol=1e-5) for half in halves)


def check(subject: Subject, seed: int | None) -> str:
    ask = Examiner("01.cross_entropy", "cross_entropy", subject, SUSPECTS, CRASHES)

    def right_for(logits: Tensor, labels: Tensor) -> None:
        # logsumexp minus a logit cancels: both carry the rounding of the largest number.
        slack = 4 * torch.finfo(logits.dtype).eps * logits.abs().max().item()
        ask.value((logits, labels), nn.cross_entropy(logits, labels), generic=WRONG, slack=slack)
        one_hot = torch.nn.functional.one_hot(labels, logits.shape[1])
        slope = (nn.softmax(logits) - one_hot) / len(labels)
        cotangent = torch.ones((), dtype=logits.dtype)
        args = (logits, labels)
        ask.slope(args, cotangent, 0, slope, suspects=SLOPES, generic=WRONG_SLOPE, slack=slack)

    # No two of the usual mistakes give the same number here.
    right_for(torch.tensor([[1.0, 2.0, -0.5], [0.0, -1.0, 4.0]]), torch.tensor([0, 2]))
    # exp overflows, and no probability that is asked for rounds to 0.
    right_for(torch.tensor([[1000.0, -1000.0]]), torch.tensor([0]))
    right_for(torch.tensor([[1000.0, -1000.0], [-1000.0, 1000.0], [1000.0, 1000.0]]), torch.tensor([1, 1, 0]))
    generator = torch.Generator().manual_seed(1 if seed is None else seed)
    for round_ in range(6):
        batch = int(torch.randint(1, 10, (), generator=generator))
        classes = int(torch.randint(2, 8, (), generator=generator))
        spread, dtype = (3, 30, 1000)[round_ % 3], (torch.float32, torch.float64)[round_ % 2]
        logits = (torch.rand(classes, batch, generator=generator, dtype=torch.float64) * 2 - 1) * spread
        labels = torch.randint(0, classes, (batch, 2), generator=generator)[:, 1]
        right_for(logits.to(dtype).T, labels)  # both are views whose entries do not lie in order
    right_for(torch.tensor([[0.25, 0.25, 0.25, 0.25, 0.25]]), torch.tensor([4]))
    return f"right on {ask.asked // 2} batches, in value and in slope, with logits up to 1000."


EXERCISE = Exercise(
    id="01.cross_entropy",
    name="cross_entropy",
    title="Cross-entropy from logits",
    objectives=("01-O3",),
    difficulty=3,
    minutes=12,
    points=3,
    task="Write cross_entropy(logits, labels): logits (batch, classes) and the numbers of the true classes, (batch,), "
    "in; the mean loss -log p(true class) out, a tensor of shape (), right in value and slope with logits of +-1000.",
    ranges="one to nine examples, two to seven classes, logits between -1000 and 1000, float32 and float64, tensors "
    "that are views of others",
    hints=(
        "-log of a softmax is a difference of two things, and only one of them contains exp. Which number may you "
        "subtract from a whole row without changing any probability?",
        "loss = logsumexp(row) - row[label]. Subtract the row's largest logit from the row first; then the largest "
        "number that exp meets is 0, and the sum is at least 1.",
        "shifted = logits - (largest of each row, keepdim=True); total = log of the sum over dim=1 of exp(shifted); "
        "the true class's entry is shifted[torch.arange(batch), labels]; return the mean of total - that entry.",
    ),
    reference=cross_entropy,
    walkthrough="The loss of one row is logsumexp minus the logit of its true class. Subtracting the largest logit "
    "before exp, and adding it back after the log, leaves the value as it is and keeps every exp between 0 and 1.",
    where="exercises/01-neurons/01-neurons-exercises.ipynb",
    check=check,
)
