"""Precision and recall of a generator: is what it makes like the data, and does it make all that the data has?

The real examples stand for the region where data lie: the union of balls, one around each example, that reach to its
k-th nearest neighbour among the real ones. The fakes stand for what the generator makes, in the same way.

    precision   share of the fakes that lie in the real examples' region     falls with bad pictures
    recall      share of the real examples that lie in the fakes' region     falls with modes left out

(Kynkäänniemi, Karras, Laine, Lehtinen and Aila, 2019, arXiv:1904.06991, equations 1 and 2.)

Where it fails: one far-off example makes a huge ball, in which everything counts as good. Both numbers depend on k and
on how many examples there are, so compare at equal counts, and beside the floor, which is nowhere near 1. Fakes that
crowd into the middle of the data have a high precision. And a copy of the training set has both.
"""

import math
from dataclasses import dataclass

import torch

from dlcourse.generation.neighbours import SIZE, apart, rows
from dlcourse.nn.sizes import whole
from dlcourse.types import Float, Tensor


@dataclass(frozen=True)
class PrecisionRecall:
    """Two shares, in [0, 1]. Neither is worth anything without the other."""

    precision: float  # of the fakes, those that lie among the real examples
    recall: float  # of the real examples, those that lie among the fakes


def precision_recall_definition(
    real: Float[Tensor, "train features"], fake: Float[Tensor, "batch features"], *, k: int = 3
) -> PrecisionRecall:
    """As printed: a ball around each example, one after the other. Slow."""

    def covered(points: list, by: list) -> float:
        others = [[math.dist(centre, other) for j, other in enumerate(by) if j != i] for i, centre in enumerate(by)]
        balls = [(centre, sorted(distances)[k - 1]) for centre, distances in zip(by, others, strict=True)]
        inside = [any(math.dist(point, centre) <= radius for centre, radius in balls) for point in points]
        return sum(inside) / len(points)

    real, fake = real.tolist(), fake.tolist()
    return PrecisionRecall(precision=covered(fake, by=real), recall=covered(real, by=fake))


def precision_recall(
    real: Float[Tensor, "train ..."], fake: Float[Tensor, "batch ..."], *, k: int = 3
) -> PrecisionRecall:
    """Precision and recall by k nearest neighbours; an example is not its own neighbour, but its twin is.

    Give features of the pictures, from a classifier, rather than pixels; and as many real examples as fakes. Raises
    ValueError unless there are more than k of each, of one size, all numbers finite.

    >>> real, fake = torch.tensor([[0.0], [1.0], [5.0], [6.0]]), torch.tensor([[0.2], [0.3], [3.0], [3.1]])
    >>> precision_recall(real, fake, k=1)
    PrecisionRecall(precision=0.5, recall=0.0)
    """
    (k,) = whole("precision_recall", 1, k=k)
    real, fake = rows("precision_recall", real=real, fake=fake)
    if min(len(real), len(fake)) <= k:
        raise ValueError(
            f"precision_recall(k={k}) got {len(real)} real examples and {len(fake)} fakes; wanted more than k of each."
        )
    return PrecisionRecall(precision=_covered(fake, by=real, k=k), recall=_covered(real, by=fake, k=k))


def _covered(points: Float[Tensor, "batch features"], *, by: Float[Tensor, "train features"], k: int) -> float:
    """The share of the points that lie in one of the balls, each around an example and out to its k-th neighbour."""
    radii = []
    for start, part in zip(range(0, len(by), SIZE), by.split(SIZE), strict=True):
        distances = apart(part, by)
        distances.diagonal(offset=start).fill_(math.inf)  # of each to itself
        radii.append(distances.kthvalue(k, dim=1).values)
    reach = torch.cat(radii)
    inside = [(apart(part, by) <= reach).any(1).sum().item() for part in points.split(SIZE)]
    return sum(inside) / len(points)
