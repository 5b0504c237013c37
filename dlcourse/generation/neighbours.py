"""The nearest training example of each generated one: has the generator learnt, or has it learnt by heart?

    nearest    distances and indices, to be looked at side by side with the samples
    copying    the same as two numbers

A generator that copies its training set is perfect by every measure that compares it with data like the training data:
Frechet distance, precision, recall. It is found out by data that it has not seen. Given fakes from the data's own
distribution, each real example is as likely the nearest, held out or not; so the share of fakes that are nearer to the
training set is about train / (train + held out), and more than that is copying. (The idea of the three-sample test of
Meehan, Chaudhuri and Dasgupta, 2020, arXiv:2004.05675.)

Where it fails: distances see what they are given. A copy that is shifted by a pixel is far in pixels and near in a
classifier's features. A generator that copies only now and then, or only a few people's pictures, hides in the
average: look at the nearest pairs too. And finding no copies here is no proof that nothing private comes out.
"""

import math
from dataclasses import dataclass

import torch

from dlcourse.nn.sizes import whole
from dlcourse.types import Float, Int, Tensor

SIZE = 256  # samples at a time: beside 60,000 training examples, 61 MB of distances


def nearest(
    samples: Float[Tensor, "batch ..."], training: Float[Tensor, "train ..."], k: int = 1
) -> tuple[Float[Tensor, "batch neighbours"], Int[Tensor, "batch neighbours"]]:
    """(distances, indices) of the k nearest training examples of each sample, the nearest first.

    Of equally near ones the first in the training set comes first. The distance is Euclid's over all numbers of an example, in their units: for pictures in [0, 1] of n pixels it is at
    most the root of n. Raises ValueError for no samples, fewer than k training examples, examples of different sizes,
    and numbers that are not finite.

    >>> nearest(torch.tensor([[0.0, 1.0]]), torch.tensor([[0.0, 4.0], [0.0, 1.5]]), k=2)
    (tensor([[0.5000, 3.0000]]), tensor([[1, 0]]))
    """
    (k,) = whole("nearest", 1, k=k)
    samples, training = rows("nearest", samples=samples, training=training)
    if k > len(training):
        raise ValueError(f"nearest(k={k}) got {len(training)} training examples; wanted at least k.")
    distances, indices = [], []
    for part in samples.split(SIZE):
        gaps = apart(part, training)
        for _ in range(k):
            found = gaps.min(1, keepdim=True)
            distances.append(found.values)
            indices.append(found.indices)
            gaps = gaps.scatter(1, found.indices, math.inf)
    return _side_by_side(distances, k), _side_by_side(indices, k)


@dataclass(frozen=True, repr=False)
class Copying:
    """How near the fakes are to the training set, beside how near unseen real examples are."""

    nearer: float  # share of the fakes that are nearer to the training set than to the held-out set; a tie is half
    expected: float  # what an honest generator has: train / (train + held out)
    distances: Float[Tensor, " batch"]  # of each fake to its nearest training example
    indices: Int[Tensor, " batch"]  # which that is
    held_out: Float[Tensor, " test"]  # of each held-out example to its nearest training example

    def __repr__(self) -> str:
        fake, real = self.distances.median().item(), self.held_out.median().item()
        return (
            f"{self.nearer:.1%} of the fakes are nearer to a training example than to a held-out one (honest: about "
            f"{self.expected:.1%}); median distance to the training set {fake:.3g}, of held-out examples {real:.3g}"
        )


def copying(
    fake: Float[Tensor, "batch ..."], training: Float[Tensor, "train ..."], held_out: Float[Tensor, "test ..."]
) -> Copying:
    """Compare the fakes' distances to what the generator has seen with their distances to what it has not.

    held_out: real examples that took no part in training, also not in choosing the recipe. Give pictures or, better,
    `features` of them. Raises ValueError as `nearest`.

    `nearer` does not mind blurred fakes: the mean of a class is unusually near to everything, to the training examples
    and the held-out ones alike, while `distances` below `held_out` alone would take it for a copy.

    >>> seen, unseen = torch.tensor([[0.0], [4.0], [8.0]]), torch.tensor([[2.0]])
    >>> copying(torch.tensor([[0.1], [4.1], [8.0], [2.5]]), seen, unseen)
    75.0% of the fakes are nearer to a training example than to a held-out one (honest: about 75.0%); \
median distance to the training set 0.1, of held-out examples 2
    """
    fake, training, held_out = rows("copying", fake=fake, training=training, held_out=held_out)
    seen, which = nearest(fake, training)
    unseen, _ = nearest(fake, held_out)
    between, _ = nearest(held_out, training)
    nearer, ties = (seen < unseen).sum().item(), (seen == unseen).sum().item()
    return Copying(
        nearer=(nearer + ties / 2) / len(fake),
        expected=len(training) / (len(training) + len(held_out)),
        distances=seen[:, 0],
        indices=which[:, 0],
        held_out=between[:, 0],
    )


def apart(a: Float[Tensor, "batch features"], b: Float[Tensor, "train features"]) -> Float[Tensor, "batch train"]:
    """Euclid's distance of each a to each b, from the differences: the faster form by products cannot tell a copy.

    >>> apart(torch.tensor([[0.0, 0.0], [0.0, 3.0]]), torch.tensor([[4.0, 0.0]]))
    tensor([[4.],
            [5.]])
    """
    return torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist")


def rows(caller: str, **sets: Float[Tensor, "..."]) -> list[Float[Tensor, "_ features"]]:
    """Each set with an example in each row, detached. ValueError unless they are finite, of one length, and not empty.

    >>> rows("f", x=torch.zeros(1, 1, 2), y=torch.ones(2, 2))
    [tensor([[0., 0.]]), tensor([[1., 1.],
            [1., 1.]])]
    """
    for name, x in sets.items():
        if x.ndim < 2 or not x.numel():
            raise ValueError(
                f"{caller} got {name} of shape {tuple(x.shape)}; wanted at least one example, (examples, features) or "
                "(examples, channel, height, width)."
            )
        if not x.isfinite().all():
            raise ValueError(f"{caller} got {name} with numbers that are nan or infinite. Look where they begin.")
    flat = [x.detach().flatten(1) for x in sets.values()]
    if len({x.shape[1] for x in flat}) > 1:
        shapes = ", ".join(f"{name} {tuple(x.shape)}" for name, x in sets.items())
        raise ValueError(f"{caller} got {shapes}; wanted examples of one size.")
    return flat


def _side_by_side(columns: list[Tensor], k: int) -> Tensor:
    """Columns in the order part 0 nearest, part 0 second, ..., part 1 nearest, ... as one table with k columns."""
    return torch.cat([torch.cat(columns[start : start + k], dim=1) for start in range(0, len(columns), k)])
