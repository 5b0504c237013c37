"""How many clouds of a known mixture a generator has found, and how much of what it makes belongs to one.

A sample is of *high quality* when it lies within `radius` of its nearest centre, three standard deviations by custom.
A mode is *covered* when at least `least` of all samples are its high-quality ones, so that a stray sample, thrown
between two clouds and fallen into a third, covers nothing. (After Srivastava, Valkov, Russell, Gutmann and Sutton,
2017, VEEGAN, arXiv:1705.07761, section 4.1, who count a mode from one such sample on.)

Where it fails: the centres must be known, which they never are for pictures. And 8 of 8 does not say that the eight
get equal shares, nor that a cloud has its right width: a generator of the eight centres alone is perfect here. Look
at `counts`, and at the samples.
"""

from dataclasses import dataclass

from dlcourse.types import Float, Int, Tensor


@dataclass(frozen=True)
class Modes:
    """What was found of a mixture: read `high_quality` and `covered` together, for each alone is easily had."""

    counts: Int[Tensor, " modes"]  # high-quality samples at each centre
    covered: int  # centres with at least `least` of all samples
    high_quality: float  # share of the samples that lie near a centre, in [0, 1]


def mode_coverage(
    samples: Float[Tensor, "points features"],
    centres: Float[Tensor, "modes features"],
    *,
    radius: float,
    least: float = 0.01,
) -> Modes:
    """Count the samples within `radius` (the border included) of their nearest centre; of equally near ones the first.

    radius: in the units of the samples. least: the share of *all* samples from which a mode counts as covered. Samples
    that are nan or infinite count as bad ones. A perfect generator of round clouds of two dimensions scores 0.989 at
    three standard deviations, 1 - exp(-9/2), and not 1.

    Raises ValueError for no samples or centres, another number of columns, a radius that is not above 0, and a `least`
    outside (0, 1].

    >>> import torch
    >>> centres = torch.tensor([[0.0, 0.0], [4.0, 0.0]])
    >>> mode_coverage(torch.tensor([[0.1, 0.0], [0.0, 0.2], [2.0, 0.0], [3.9, 0.0]]), centres, radius=0.5, least=0.5)
    Modes(counts=tensor([2, 1]), covered=1, high_quality=0.75)
    """
    if samples.ndim != 2 or centres.ndim != 2 or samples.shape[1] != centres.shape[1]:
        raise ValueError(
            f"mode_coverage got samples {tuple(samples.shape)} and centres {tuple(centres.shape)}; wanted "
            "(points, features) and (modes, features), with as many features."
        )
    if not len(samples) or not len(centres):
        raise ValueError(f"mode_coverage got {len(samples)} samples and {len(centres)} centres; wanted some of each.")
    if not radius > 0 or not 0 < least <= 1:
        raise ValueError(
            f"mode_coverage(radius={radius}, least={least}): wanted a radius above 0, in the samples' units, and a "
            "share of all samples above 0 and at most 1."
        )
    gaps = (samples.detach()[:, None] - centres).square().sum(2).sqrt()
    distance, which = gaps.min(1)
    counts = which[distance <= radius].bincount(minlength=len(centres))
    shares = [count / len(samples) for count in counts.tolist()]
    return Modes(counts, sum(share >= least for share in shares), sum(counts.tolist()) / len(samples))
