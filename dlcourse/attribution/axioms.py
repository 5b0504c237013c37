"""Axioms: what a map should do whatever the model, as numbers beside each map.

    completeness    the map sums to  score(x) - score(baseline)                integrated gradients, Shapley values
    conservation    the map sums to  score(x)                                  LRP, as far as biases took nothing
    dummy           what the model does not look at gets 0
    symmetry        what the model treats alike, and is alike, gets the same

(Sundararajan et al., 2017, arXiv:1703.01365, sections 2 and 3; Shapley, 1953; Bach et al., 2015.) They are necessary
and cheap, and they do not make a map right: spread the difference evenly over all pixels, and it is complete.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from dlcourse.attribution.covered import start
from dlcourse.attribution.score import Target, examples, scores, slope
from dlcourse.nn.sizes import whole
from dlcourse.training.asking import Model
from dlcourse.types import Bool, Float, Tensor


@dataclass(frozen=True, eq=False)
class AxiomReport:
    """One axiom beside one map: a number for each example, and what it should be.

    >>> print(AxiomReport("completeness", torch.tensor([3.0]), torch.tensor([4.0]), torch.tensor([4.0])))
    completeness    3 where 4 should be: a gap of 1, 25 % of the scale
    """

    axiom: str
    found: Float[Tensor, " batch"]
    wanted: Float[Tensor, " batch"]
    scale: Float[Tensor, " batch"]  # what a gap is small or large beside

    @property
    def gap(self) -> Float[Tensor, " batch"]:
        """How far off, in the units of the score."""
        return (self.found - self.wanted).abs()

    @property
    def relative(self) -> Float[Tensor, " batch"]:
        """The gap over the scale; 0 where there is no gap."""
        return torch.where(self.gap > 0, self.gap / self.scale, 0.0)

    def __str__(self) -> str:
        """The example with the largest gap."""
        i = self.gap.argmax()
        return (
            f"{self.axiom:<15} {self.found[i]:.4g} where {self.wanted[i]:.4g} should be: a gap of {self.gap[i]:.2g}, "
            f"{100 * self.relative[i]:.3g} % of the scale"
        )


def completeness(
    model: Model,
    x: Float[Tensor, "batch ..."],
    target: Target,
    map: Float[Tensor, "batch ..."],
    *,
    baseline: Float[Tensor, "..."] | float | None = None,
) -> AxiomReport:
    """Does the map sum to the difference between the scores of x and of the baseline? The scale is that difference.

    >>> x = torch.tensor([[3.0, 1.0]])
    >>> completeness(lambda x: x**2, x, 0, torch.tensor([[9.0, 0.5]])).gap
    tensor([0.5000])
    """
    wanted = scores(model, x, target) - scores(model, start("completeness", x, baseline), target)
    return AxiomReport("completeness", _checked(x, map).flatten(1).sum(1), wanted, wanted.abs())


def conservation(
    model: Model, x: Float[Tensor, "batch ..."], target: Target, map: Float[Tensor, "batch ..."]
) -> AxiomReport:
    """Does the map sum to the score of x? The scale is that score.

    >>> conservation(lambda x: x**2, torch.tensor([[3.0, 1.0]]), 0, torch.tensor([[6.0, 0.0]])).relative
    tensor([0.3333])
    """
    wanted = scores(model, x, target)
    return AxiomReport("conservation", _checked(x, map).flatten(1).sum(1), wanted, wanted.abs())


def dummies(
    model: Model,
    x: Float[Tensor, "batch ..."],
    target: Target,
    *,
    baseline: Float[Tensor, "..."] | float | None = None,
    samples: int = 16,
    generator: torch.Generator,
) -> Bool[Tensor, "batch ..."]:
    """Which numbers the score does not look at: their slope is 0 at `samples` random points between baseline and x.

    Each point mixes baseline and x anew for each number. It can only err to one side: what it clears is no dummy.

    >>> dummies(lambda x: x[:, :1], torch.tensor([[3.0, 1.0]]), 0, generator=torch.Generator())
    tensor([[False,  True]])
    """
    silent = torch.ones_like(x, dtype=torch.bool)
    for point in _between("dummies", x, baseline, samples, generator):
        silent &= slope(model, point, target)[1] == 0
    return silent


def dummy(
    model: Model,
    x: Float[Tensor, "batch ..."],
    target: Target,
    map: Float[Tensor, "batch ..."],
    *,
    baseline: Float[Tensor, "..."] | float | None = None,
    samples: int = 16,
    generator: torch.Generator,
) -> AxiomReport:
    """The largest attribution of a number that the model does not look at (see `dummies`): it should be 0.

    The scale is the largest attribution of all. Without dummies it holds.

    >>> x, map = torch.tensor([[3.0, 1.0]]), torch.tensor([[3.0, -0.5]])
    >>> dummy(lambda x: x[:, :1], x, 0, map, generator=torch.Generator()).found
    tensor([0.5000])
    """
    silent = dummies(model, x, target, baseline=baseline, samples=samples, generator=generator)
    size = _checked(x, map).abs()
    found = (size * silent).flatten(1).amax(1)
    return AxiomReport("dummy", found, torch.zeros_like(found), size.flatten(1).amax(1))


def symmetry(
    model: Model,
    x: Float[Tensor, "batch ..."],
    target: Target,
    map: Float[Tensor, "batch ..."],
    *,
    pairs: Sequence[tuple[int, int]],
    baseline: Float[Tensor, "..."] | float | None = None,
    samples: int = 16,
    generator: torch.Generator,
) -> AxiomReport:
    """The largest difference within a pair of numbers that the model treats alike: it should be 0.

    pairs: places in the flattened example. A pair counts in the examples where both numbers are equal, and so are their
    baselines. The scale is the largest attribution. Raises ValueError for a pair that the model does not treat alike:
    swapped, they change the score at some random point between baseline and x.

    >>> x, map = torch.ones(1, 2), torch.tensor([[2.0, 1.5]])
    >>> symmetry(lambda x: x.sum(1, keepdim=True), x, 0, map, pairs=[(0, 1)], generator=torch.Generator()).found
    tensor([0.5000])
    """
    points = torch.stack([*_between("symmetry", x, baseline, samples, generator)])
    flat, behind, size = x.flatten(1), start("symmetry", x, baseline).flatten(1), _checked(x, map).flatten(1)
    before = torch.stack([scores(model, point, target) for point in points])
    differences = []
    for i, j in pairs:
        swapped = points.flatten(2).clone()
        swapped[..., [i, j]] = swapped[..., [j, i]]
        after = torch.stack([scores(model, point.view_as(x), target) for point in swapped])
        if not torch.allclose(after, before, rtol=1e-4, atol=1e-6):
            change = (after - before).abs().max()
            raise ValueError(
                f"numbers {i} and {j} are not alike to the model: swapped, they change a score by {change}."
            )
        alike = (flat[:, i] == flat[:, j]) & (behind[:, i] == behind[:, j])
        differences.append((size[:, i] - size[:, j]).abs() * alike)
    found = torch.stack(differences).amax(0)
    return AxiomReport("symmetry", found, torch.zeros_like(found), size.abs().amax(1))


def axioms(
    model: Model,
    x: Float[Tensor, "batch ..."],
    target: Target,
    map: Float[Tensor, "batch ..."],
    *,
    baseline: Float[Tensor, "..."] | float | None = None,
    pairs: Sequence[tuple[int, int]] = (),
    samples: int = 16,
    generator: torch.Generator,
) -> tuple[AxiomReport, ...]:
    """All of them, to print beside a map: completeness, conservation, dummy and, for `pairs`, symmetry.

    No method keeps both sums unless score(baseline) is 0: look at the one that your method promises.

    >>> x = torch.tensor([[3.0, 1.0]])
    >>> for report in axioms(lambda x: x, x, 0, torch.tensor([[3.0, 0.0]]), generator=torch.Generator()):
    ...     print(report)
    completeness    3 where 3 should be: a gap of 0, 0 % of the scale
    conservation    3 where 3 should be: a gap of 0, 0 % of the scale
    dummy           0 where 0 should be: a gap of 0, 0 % of the scale
    """
    options = {"baseline": baseline, "samples": samples, "generator": generator}
    reports = (
        completeness(model, x, target, map, baseline=baseline),
        conservation(model, x, target, map),
        dummy(model, x, target, map, **options),
    )
    return (*reports, symmetry(model, x, target, map, pairs=pairs, **options)) if pairs else reports


def _between(
    caller: str, x: Tensor, baseline: Tensor | float | None, samples: int, generator: torch.Generator
) -> list[Tensor]:
    """Random points of the box between the baseline and x."""
    x, behind = examples(caller, x), start(caller, x, baseline)
    (samples,) = whole(caller, 1, samples=samples)
    shape = (samples, *x.shape)
    mix = torch.rand(shape, generator=generator, dtype=x.dtype, device=generator.device).to(x.device)
    return [*(behind + mix * (x - behind))]


def _checked(x: Tensor, map: Tensor) -> Tensor:
    if map.shape != x.shape:
        raise ValueError(f"a map {tuple(map.shape)} of x {tuple(x.shape)}: wanted a number for each number of x.")
    return map.detach()
