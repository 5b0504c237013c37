"""Losses from logits: how surprised is the model by the right answer? Natural logarithms, so the unit is the nat.

    cross_entropy = mean over examples of  -log softmax(logits)[label]
    binary        = mean over answers  of  -(t log sigmoid(z) + (1 - t) log sigmoid(-z))

They take logits and never probabilities: log(softmax(...)) in two steps is minus infinity as soon as a probability
rounds to 0, in one step it is an ordinary number. A guess that is spread evenly over the classes costs log(classes).
"""

import math

import torch

from dlcourse.nn.activation import log_sigmoid
from dlcourse.nn.softmax import log_softmax
from dlcourse.types import Float, Int, Tensor


def cross_entropy(logits: Float[Tensor, "batch classes"], labels: Int[Tensor, " batch"]) -> Float[Tensor, ""]:
    """Mean of -log softmax(logits)[label], in nats, from 0 up. Slope for the logits: (softmax - one-hot) / batch.

    `labels` are class numbers from 0 to classes - 1. Raises TypeError when they are no integers, ValueError when the
    shapes do not fit, a label is out of range, or there are no examples.

    A golden example: logits log 1, log 2, log 5 give probabilities 1/8, 2/8, 5/8; label 2 costs -log 5/8.

    >>> logits = torch.log(torch.tensor([[1.0, 2.0, 5.0]]))
    >>> cross_entropy(logits, torch.tensor([2]))
    tensor(0.4700)
    """
    _check_labels(logits, labels)
    return -log_softmax(logits).gather(1, labels.long()[:, None]).mean()


def cross_entropy_definition(logits: Float[Tensor, "batch classes"], labels: Int[Tensor, " batch"]) -> float:
    """The cross-entropy as printed, example by example: OverflowError for large logits, in place of an answer."""
    total = 0.0
    for row, label in zip(logits.tolist(), labels.tolist(), strict=True):
        total += -math.log(math.exp(row[label]) / sum(math.exp(logit) for logit in row))
    return total / len(logits)


def binary_cross_entropy_with_logits(logits: Float[Tensor, "..."], targets: Float[Tensor, "..."]) -> Float[Tensor, ""]:
    """Mean of -(t log p + (1 - t) log(1 - p)) with p = sigmoid(logit), in nats. Slope: (p - t) / number of answers.

    `targets` are the wanted probabilities, in [0, 1], usually just 0 and 1; 1 - sigmoid(z) is sigmoid(-z). Raises
    TypeError when they are no floats, ValueError when their shape differs from the logits', they leave [0, 1], or
    there are none.

    A golden example: logit log 3 is p = 3/4; target 1 costs -log 3/4, target 0 costs -log 1/4.

    >>> z = torch.log(torch.tensor([3.0]))
    >>> binary_cross_entropy_with_logits(z, torch.ones(1)), binary_cross_entropy_with_logits(z, torch.zeros(1))
    (tensor(0.2877), tensor(1.3863))
    """
    _check_targets(logits, targets)
    return -(targets * log_sigmoid(logits) + (1 - targets) * log_sigmoid(-logits)).mean()


def binary_cross_entropy_with_logits_definition(logits: Float[Tensor, "..."], targets: Float[Tensor, "..."]) -> float:
    """The same as printed, answer by answer: an error (log of 0, or overflow) for large logits."""
    total = 0.0
    for z, t in zip(logits.flatten().tolist(), targets.flatten().tolist(), strict=True):
        p = 1 / (1 + math.exp(-z))
        total += -(t * math.log(p) + (1 - t) * math.log(1 - p))
    return total / logits.numel()


def _check_labels(logits: Tensor, labels: Tensor) -> None:
    """Raise what `cross_entropy` promises, saying what to do."""
    came = f"cross_entropy got logits {tuple(logits.shape)} and labels {tuple(labels.shape)} of {labels.dtype}"
    if labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool:
        raise TypeError(f"{came}; labels are class numbers, so integers. Use labels.long(), or one_hot.argmax(1).")
    if logits.ndim != 2 or labels.shape != logits.shape[:1]:
        raise ValueError(f"{came}; wanted (batch, classes) and (batch,). A column of labels is mended by labels[:, 0].")
    if not len(labels):
        raise ValueError(f"{came}; the mean over no examples is not defined. Give at least one.")
    low, high, classes = labels.min().item(), labels.max().item(), logits.shape[1]
    if low < 0 or high >= classes:
        raise ValueError(
            f"{came}; the labels run from {low} to {high}, but {classes} columns of logits mean labels from 0 to "
            f"{classes - 1}. Count classes from 0, and give the last layer one output per class."
        )


def _check_targets(logits: Tensor, targets: Tensor) -> None:
    """Raise what `binary_cross_entropy_with_logits` promises, saying what to do."""
    came = f"binary_cross_entropy_with_logits got logits {tuple(logits.shape)} and targets {tuple(targets.shape)}"
    if not targets.is_floating_point():
        raise TypeError(f"{came} of {targets.dtype}; targets are probabilities, so floats. Use targets.float().")
    if logits.shape != targets.shape:
        raise ValueError(
            f"{came}; the shapes must be equal, or every logit would be paired with every target. "
            "A column of logits is mended by logits[:, 0]."
        )
    if not targets.numel():
        raise ValueError(f"{came}; the mean over no answers is not defined. Give at least one.")
    if targets.min() < 0 or targets.max() > 1:
        raise ValueError(
            f"{came}; targets must lie in [0, 1], these run from {targets.min():g} to {targets.max():g}. "
            "Labels of -1 and +1 become (labels + 1) / 2."
        )
