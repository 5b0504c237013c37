"""The logistic neuron: one neuron with a sigmoid, trained by gradient descent (Cox, 1958, gave the model).

It says p = sigmoid(x . w + b), and the cost is the mean cross-entropy -(y log p + (1 - y) log(1 - p)). Its slope, by
the chain rule, is so short because the sigmoid's slope p (1 - p) cancels:

    d cost / d w = x^T (p - y) / n        d cost / d b = mean(p - y)

The cost is convex, so a small enough lr finds the best line; if a line parts the classes, the weights grow for ever.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from dlcourse.nn.activation import sigmoid
from dlcourse.nn.loss import binary_cross_entropy_with_logits
from dlcourse.steps import last
from dlcourse.types import Float, Shaped, Tensor


@dataclass(frozen=True)
class LogisticStep:
    """The neuron after `index` updates."""

    index: int  # updates so far; 0 is the start, before any
    loss: float  # mean cross-entropy of this neuron, in nats; log 2 at the start
    weight: Float[Tensor, " features"]
    bias: Float[Tensor, ""]


def logistic_steps(
    x: Float[Tensor, "batch features"], labels: Shaped[Tensor, " batch"], *, lr: float, steps: int
) -> Iterator[LogisticStep]:
    """Gradient descent from zeros on the whole batch: the start, then one step for each of `steps` updates.

    `labels` are 0 or 1 (integers or floats); `lr` is the size of a step. Features of very different sizes need a tiny
    `lr`: scale them first. Raises ValueError on other labels, on no examples, and when `steps` is negative.

    A golden example, by hand: at the start p = 1/2, so p - y is -1/2 and +1/2 and the slope for the weight is
    (2 (-1/2) + 0 (1/2)) / 2 = -1/2; the slope for the bias is 0.

    >>> x, labels = torch.tensor([[2.0], [0.0]]), torch.tensor([1, 0])
    >>> for step in logistic_steps(x, labels, lr=1.0, steps=1):
    ...     print(f"{step.loss:.4f}", step.weight.tolist(), step.bias.item())
    0.6931 [0.0] 0.0
    0.5032 [0.5] 0.0
    """
    _check(x, labels, steps)
    y = labels.to(x.dtype)
    weight, bias = x.new_zeros(x.shape[1]), x.new_zeros(())
    for index in range(steps + 1):
        logits = x @ weight + bias
        yield LogisticStep(index, binary_cross_entropy_with_logits(logits, y).item(), weight, bias)
        error = sigmoid(logits) - y
        weight, bias = weight - lr * x.T @ error / len(x), bias - lr * error.mean()


def logistic(
    x: Float[Tensor, "batch features"], labels: Shaped[Tensor, " batch"], *, lr: float, steps: int
) -> LogisticStep:
    """The last of `logistic_steps`: its `weight` (features,) and `bias` () are the trained neuron."""
    return last(logistic_steps(x, labels, lr=lr, steps=steps))


def _check(x: Tensor, labels: Tensor, steps: int) -> None:
    """Raise what `logistic_steps` promises, saying what to do."""
    came = f"logistic_steps got x {tuple(x.shape)}, labels {tuple(labels.shape)} and steps={steps}"
    if x.ndim != 2 or labels.shape != x.shape[:1] or not len(x):
        raise ValueError(f"{came}; wanted x (batch, features) and labels (batch,), with at least one example.")
    if steps < 0:
        raise ValueError(f"{came}; the number of updates cannot be negative.")
    if not torch.all((labels == 0) | (labels == 1)):
        raise ValueError(f"{came}; labels must be 0 or 1. Labels of -1 and +1 become (labels + 1) / 2.")
