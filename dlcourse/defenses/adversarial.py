"""Adversarial training: learn from the worst examples that the attacker can make of the ones there are.

    min over the weights of  E [ max over x' in the threat of  loss(model(x'), y) ]

(Madry et al., 2018, arXiv:1706.06083, equation 2.1.) The inner maximum is an attack on the model as it stands now, a
few steps of PGD or one step from a random start (Wong, Rice and Kolter, 2020, arXiv:2001.03994); the outer minimum is
`training.train`, which sees nothing but batches. So all of it is batches whose x is attacked when it is asked for.
Where it fails: the net is robust against the threat it was trained with, and seldom against another. With one step a
large eps may let it learn to mislead that step, and then PGD finds everything (*catastrophic overfitting*): so measure
with stronger attacks than were trained with.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import torch

from dlcourse.types import Tensor


@dataclass(frozen=True, eq=False, repr=False)
class AdversarialBatches:
    """Batches that are attacked when they are asked for: made by `adversarial_batches`."""

    batches: Iterable
    model: torch.nn.Module
    attack: Callable[..., Tensor]  # attack(model, x, labels, generator=generator) -> x_adv
    generator: torch.Generator  # for the attack's random starts; an attribute, so that a run that goes on finds it
    beside: bool = False  # the clean examples first, the attacked ones behind them

    @property
    def size(self) -> int:
        """Examples in a batch, as the batches say; a run that goes on compares it."""
        return self.batches.size

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        for x, labels in self.batches:
            x_adv = self.attack(self.model, x, labels, generator=self.generator)
            yield torch.cat([x, x_adv]) if self.beside else x_adv, labels

    def __repr__(self) -> str:
        return f"AdversarialBatches({self.batches!r})"


def adversarial_batches(
    batches: Iterable,
    model: torch.nn.Module,
    attack: Callable[..., Tensor],
    *,
    generator: torch.Generator,
) -> AdversarialBatches:
    """Batches (x_adv, y) for `training.train`: each x is attacked when its turn comes, on the model as it is then.

    batches: pairs (x, y) as for `train`. attack(model, x, labels, generator=generator) gives x_adv: make it of any
    attack, as partial(attacks.pgd, threat=attacks.Linf(0.1), steps=5), or attacks.fgsm, which then starts at random and
    takes a step of 1.25 eps as in Wong's paper. The attack asks the model in eval mode, with its batch norms' running
    averages, and leaves it as it was.

    >>> from functools import partial
    >>> from dlcourse import attacks, data
    >>> generator = torch.Generator().manual_seed(0)
    >>> x, labels = torch.rand(6, 4, generator=generator), torch.tensor([0, 1, 0, 1, 0, 1])
    >>> model, attack = torch.nn.Linear(4, 2), partial(attacks.fgsm, threat=attacks.Linf(0.1))
    >>> for x_adv, y in adversarial_batches(data.batches(x, labels, size=4), model, attack, generator=generator):
    ...     print(tuple(x_adv.shape), y.tolist())
    (4, 4) [0, 1, 0, 1]
    (2, 4) [0, 1]
    """
    return AdversarialBatches(batches, model, attack, generator)
