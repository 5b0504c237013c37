"""No number without its floor and its baseline.

A Frechet distance of 4 says nothing. Beside 0.3 for real examples against other real ones and 9 for the trivial
generator it says: much is learnt, and something is missing.
"""

from collections.abc import Callable
from dataclasses import dataclass

from dlcourse.types import Float, Tensor


@dataclass(frozen=True, repr=False)
class Measured:
    """One measure of a generator, with what the best and a trivial one would get.

    >>> Measured(4.2, floor=0.3, baseline=9.25)
    4.2 (real against real 0.3, class means plus noise 9.25)
    """

    value: float
    floor: float  # real examples in place of the fakes: nothing is better, and no zero is to be hoped for
    baseline: float  # a trivial generator's, as `class_means`

    def __repr__(self) -> str:
        return f"{self.value:.3g} (real against real {self.floor:.3g}, class means plus noise {self.baseline:.3g})"


def measured(
    measure: Callable[[Tensor, Tensor], float],
    fake: Float[Tensor, "batch ..."],
    real: Float[Tensor, "train ..."],
    other_real: Float[Tensor, "batch ..."],
    baseline: Float[Tensor, "batch ..."],
) -> Measured:
    """measure(real, fake), beside measure(real, other_real) and measure(real, baseline).

    fake, other_real and baseline: as many of each, because most measures depend on the number of examples; real and
    other_real have no example in common. Raises ValueError for different numbers.

    >>> import torch
    >>> gap = lambda a, b: (a.mean() - b.mean()).abs().item()
    >>> measured(gap, torch.full((2, 1), 0.5), torch.zeros(3, 1), torch.zeros(2, 1), torch.ones(2, 1))
    0.5 (real against real 0, class means plus noise 1)
    """
    if not len(fake) == len(other_real) == len(baseline):
        raise ValueError(
            f"measured got {len(fake)} fakes, {len(other_real)} other real examples and {len(baseline)} of the "
            "baseline; wanted as many of each, because the measures depend on it. Cut the longer ones."
        )
    return Measured(measure(real, fake), floor=measure(real, other_real), baseline=measure(real, baseline))
