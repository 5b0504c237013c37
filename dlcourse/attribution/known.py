"""Models whose explanation is known, and a score of each method against the truth.

    Additive     sum of f_i(x_i)                      Shapley value of i, integrated gradients:   f_i(x_i) - f_i(b_i)
    Product      x_1 x_2                              (x_1 - b_1) (x_2 + b_2) / 2, and the same the other way round
    Either       min(x_1 + x_2, 1)                    either suffices: at (1, 1) all slopes are 0, and each has half
    planted_shortcut      pictures with a mark that gives one class away: what is trained on them looks there

The first three are exact. The planted mark is where a network *may* look; that it does must be shown first, by putting
the mark where it does not belong (Adebayo et al., 2022, arXiv:2212.04629, on how such shortcuts are missed).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from dlcourse.attribution.faithfulness import ranks
from dlcourse.nn.sizes import whole
from dlcourse.types import Bool, Float, Int, Tensor


class Additive(nn.Module):
    """One logit, the sum of a function of each number: x (batch, features) -> (batch, 1).

    >>> model = Additive([torch.square, torch.neg])
    >>> x = torch.tensor([[3.0, 1.0]])
    >>> model(x), model.shapley(x, torch.zeros(1, 2))
    (tensor([[8.]]), tensor([[ 9., -1.]]))
    """

    def __init__(self, functions: Sequence[Callable[[Tensor], Tensor]]):
        super().__init__()
        self.functions = tuple(functions)

    def terms(self, x: Float[Tensor, "batch features"]) -> Float[Tensor, "batch features"]:
        """f_i(x_i)."""
        return torch.stack([f(column) for f, column in zip(self.functions, x.unbind(1), strict=True)], dim=1)

    def forward(self, x: Float[Tensor, "batch features"]) -> Float[Tensor, "batch 1"]:
        return self.terms(x).sum(1, keepdim=True)

    def shapley(
        self, x: Float[Tensor, "batch features"], baseline: Float[Tensor, "batch features"]
    ) -> Float[Tensor, "batch features"]:
        """The truth: also that of integrated gradients."""
        return self.terms(x) - self.terms(baseline)


class Product(nn.Module):
    """One logit, the product of two numbers: x (batch, 2) -> (batch, 1). Neither brings anything alone, from 0.

    >>> Product().shapley(torch.tensor([[2.0, 3.0]]), torch.zeros(1, 2))
    tensor([[3., 3.]])
    """

    def forward(self, x: Float[Tensor, "batch 2"]) -> Float[Tensor, "batch 1"]:
        return x.prod(1, keepdim=True)

    def shapley(self, x: Float[Tensor, "batch 2"], baseline: Float[Tensor, "batch 2"]) -> Float[Tensor, "batch 2"]:
        """The truth: also that of integrated gradients."""
        return (x - baseline) * (x + baseline).flip(1) / 2


class Either(nn.Module):
    """One logit, 1 - ReLU(1 - x_1 - x_2): x (batch, 2) -> (batch, 1). For numbers from 0 to 1 it is min(x_1 + x_2, 1).

    >>> Either().shapley(torch.ones(1, 2))
    tensor([[0.5000, 0.5000]])
    """

    def forward(self, x: Float[Tensor, "batch 2"]) -> Float[Tensor, "batch 1"]:
        return 1 - torch.relu(1 - x.sum(1, keepdim=True))

    def shapley(self, x: Float[Tensor, "batch 2"]) -> Float[Tensor, "batch 2"]:
        """The truth from the baseline 0, for x in [0, 1]: what is too much is taken from both alike."""
        return x - torch.relu(x.sum(1, keepdim=True) - 1) / 2


@dataclass(frozen=True, eq=False)
class Planted:
    """Pictures with a mark on some."""

    x: Float[Tensor, "batch channel height width"]
    labels: Int[Tensor, " batch"]
    marked: Bool[Tensor, " batch"]
    truth: Bool[Tensor, "1 1 height width"]  # where the mark is: the pixels that give the label away


def planted_shortcut(
    x: Float[Tensor, "batch channel height width"],
    labels: Int[Tensor, " batch"],
    *,
    label: int,
    share: float,
    size: int = 2,
    generator: torch.Generator,
) -> Planted:
    """A white square in the upper left corner of a random `share` of the pictures of one class, and of no others.

    share: from 0 to 1; size: pixels of its side. x itself is left alone. Raises ValueError for a share outside [0, 1],
    a square larger than the picture, and a label that no picture has.
    """
    (size,) = whole("planted_shortcut", 1, size=size)
    of_class = (labels == label).nonzero()[:, 0]
    if not 0 <= share <= 1 or size > min(x.shape[2:]) or not len(of_class):
        raise ValueError(
            f"planted_shortcut(label={label}, share={share}, size={size}): wanted a label that some picture has, a "
            f"share from 0 to 1 and a square that fits into {tuple(x.shape[2:])}."
        )
    order = torch.randperm(len(of_class), generator=generator, device=generator.device).to(x.device)
    marked = torch.zeros_like(labels, dtype=torch.bool)
    marked[of_class[order[: round(share * len(of_class))]]] = True
    truth = torch.zeros_like(x[:1, :1], dtype=torch.bool)
    truth[..., :size, :size] = True
    return Planted(torch.where(marked[:, None, None, None] & truth, 1.0, x), labels, marked, truth)


@dataclass(frozen=True, eq=False)
class Agreement:
    """How well the sizes of a map point at the true pixels, for each example."""

    mass: Float[Tensor, " batch"]  # the share of the map's size that lies on them
    rank: Float[Tensor, " batch"]  # the chance that one of them is above one of the others: 1 first, 0.5 by chance
    hit: Bool[Tensor, " batch"]  # is the largest on them? (the pointing game; of equal ones the first)


def agreement(map: Float[Tensor, "batch ..."], truth: Bool[Tensor, "..."]) -> Agreement:
    """The map beside the truth: True where the pixels are that matter; it broadcasts to the map.

    Raises ValueError for a truth that does not fit, or is all or nothing.

    >>> found = agreement(torch.tensor([[3.0, -1.0, 0.0]]), torch.tensor([True, False, False]))
    >>> found.mass, found.rank, found.hit
    (tensor([0.7500]), tensor([1.]), tensor([True]))
    """
    try:
        inside = truth.expand(map.shape).flatten(1)
    except RuntimeError as error:
        raise ValueError(f"a truth {tuple(truth.shape)} does not fit a map {tuple(map.shape)}.") from error
    size, count = map.abs().flatten(1), inside.sum(1)
    if not ((count > 0) & (count < inside.shape[1])).all():
        raise ValueError("the truth is all or nothing in some example: no pixel can be better than another.")
    wins = (ranks(map.abs()) * inside).sum(1) - count * (count - 1) / 2
    mass = (size * inside).sum(1) / size.sum(1)
    return Agreement(mass, wins / (count * (inside.shape[1] - count)), inside.gather(1, size.argmax(1)[:, None])[:, 0])
