"""Pixels taken away: how does the score change when some of them show the baseline instead?

Occlusion, Shapley values, deletion and insertion all ask this, and differ in what they cover and how they count.
Nothing can be left out of a picture without something else in its place: that is what the baseline is, and the answer
depends on it.
"""

import torch

from dlcourse.attribution.score import Target, answers, examples, picked
from dlcourse.training.asking import Model, asking
from dlcourse.types import Bool, Float, Tensor

SIZE = 256  # pictures that the model sees at a time


def covered_scores(
    model: Model,
    x: Float[Tensor, "batch ..."],
    target: Target,
    hidden: Bool[Tensor, "versions ..."],
    *,
    baseline: Float[Tensor, "..."] | float | None = None,
) -> Float[Tensor, "versions batch"]:
    """The scores of x in several versions, each with the baseline wherever `hidden` is True.

    hidden: (versions, batch, ...), with 1 in place of a size for "the same for all". Raises ValueError for one that
    does not broadcast to (versions, *x.shape) and for a baseline that does not fit; errors as `score`.

    >>> hidden = torch.tensor([[[False, False]], [[True, False]]])
    >>> covered_scores(lambda x: x.sum(1, keepdim=True), torch.tensor([[3.0, 1.0]]), 0, hidden)
    tensor([[4.],
            [1.]])
    """
    x = examples("covered_scores", x)
    behind = start("covered_scores", x, baseline)
    if hidden.ndim != x.ndim + 1 or any(
        ours not in (1, size) for ours, size in zip(hidden.shape[1:], x.shape, strict=True)
    ):
        raise ValueError(f"hidden {tuple(hidden.shape)} does not fit x; wanted (versions, *{tuple(x.shape)}), or 1s.")
    found = []
    with asking(model):
        for some in hidden.to(x.device).split(at_a_time(x)):
            versions = torch.where(some, behind, x)
            logits = answers(model, versions.flatten(0, 1)).unflatten(0, (len(some), len(x)))
            found += [picked(of_one, target) for of_one in logits]
    return torch.stack(found)


def at_a_time(x: Float[Tensor, "batch ..."]) -> int:
    """How many versions of x the model sees in one pass: `SIZE` pictures at most, but one version at least."""
    return max(SIZE // len(x), 1)


def start(
    caller: str, x: Float[Tensor, "batch ..."], baseline: Float[Tensor, "..."] | float | None
) -> Float[Tensor, "batch ..."]:
    """The baseline as a point for each example: what stands for "nothing there". None means zeros (black).

    A number, or a tensor that broadcasts to x. Raises ValueError for another shape.

    >>> start("me", torch.ones(1, 2), 0.5)
    tensor([[0.5000, 0.5000]])
    """
    given = torch.as_tensor(0.0 if baseline is None else baseline, dtype=x.dtype, device=x.device).detach()
    try:
        return given.expand_as(x)
    except RuntimeError as error:
        raise ValueError(
            f"{caller} got a baseline {tuple(given.shape)} for x {tuple(x.shape)}; wanted a number, one point for all "
            f"examples {tuple(x.shape[1:])}, or a point for each."
        ) from error
