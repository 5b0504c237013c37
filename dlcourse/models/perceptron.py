"""The perceptron: one neuron that learns from its mistakes (Rosenblatt, 1958, Psychological Review 65).

Go through the examples; whenever one is on the wrong side, t (x . w + b) <= 0, move the line towards it:

    w <- w + t x        b <- b + t        with the label t = -1 or +1

If some line parts the classes, it makes at most (R / margin)^2 mistakes, whatever the order (Novikoff, 1962): R is the
length of the longest example and the margin the distance from the best line to the nearest one, both measured with a
constant 1 added to each example for the bias. If no line does, it never has a clean pass: it runs until `epochs`.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from dlcourse.steps import last
from dlcourse.types import Float, Shaped, Tensor


@dataclass(frozen=True)
class PerceptronStep:
    """One look at one example, and the neuron after it."""

    index: int  # looks so far, from 0
    epoch: int  # passes finished before this one
    example: int  # row of x that was looked at
    mistake: bool  # was it on the wrong side, or on the line?
    weight: Float[Tensor, " features"]  # after the update, if there was one
    bias: Float[Tensor, ""]


def perceptron_steps(
    x: Float[Tensor, "batch features"], labels: Shaped[Tensor, " batch"], *, epochs: int
) -> Iterator[PerceptronStep]:
    """One step for each look at an example, in the order given; ends after a pass without a mistake, or after `epochs`.

    `labels` are -1 or +1 (integers or floats); the neuron starts at zeros. Raises ValueError on other labels, on no
    examples, and when `epochs` is below 1.

    A golden example, by hand: (2, 1) is on the line, as the neuron is all zeros, and is added; (1, 3) then scores
    2 + 3 + 1 = 6 and should be a no, so it is taken away.

    >>> x, labels = torch.tensor([[2.0, 1.0], [1.0, 3.0]]), torch.tensor([1, -1])
    >>> for step in perceptron_steps(x, labels, epochs=1):
    ...     print(step.mistake, step.weight.tolist(), step.bias.item())
    True [2.0, 1.0] 1.0
    True [1.0, -2.0] 0.0
    """
    _check(x, labels, epochs)
    weight, bias = x.new_zeros(x.shape[1]), x.new_zeros(())
    for epoch in range(epochs):
        clean = True
        for i, (example, label) in enumerate(zip(x, labels.to(x.dtype), strict=True)):
            mistake = bool(label * (example @ weight + bias) <= 0)
            if mistake:
                weight, bias, clean = weight + label * example, bias + label, False
            yield PerceptronStep(epoch * len(x) + i, epoch, i, mistake, weight, bias)
        if clean:
            return


def perceptron(x: Float[Tensor, "batch features"], labels: Shaped[Tensor, " batch"], *, epochs: int) -> PerceptronStep:
    """The last of `perceptron_steps`: its `weight` (features,) and `bias` () are the trained neuron."""
    return last(perceptron_steps(x, labels, epochs=epochs))


def _check(x: Tensor, labels: Tensor, epochs: int) -> None:
    """Raise what `perceptron_steps` promises, saying what to do."""
    came = f"perceptron_steps got x {tuple(x.shape)}, labels {tuple(labels.shape)} and epochs={epochs}"
    if x.ndim != 2 or labels.shape != x.shape[:1] or not len(x):
        raise ValueError(f"{came}; wanted x (batch, features) and labels (batch,), with at least one example.")
    if epochs < 1:
        raise ValueError(f"{came}; it needs at least one pass over the examples.")
    if not torch.all((labels == 1) | (labels == -1)):
        raise ValueError(f"{came}; labels must be -1 or +1. Labels of 0 and 1 become 2 * labels - 1.")
