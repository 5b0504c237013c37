"""Is a map faithful to the model? Tests that need no truth, and what each of them cannot see.

    deletion, insertion        take away, or put in, the pixels with the largest map first; the area under the score
    infidelity                 mean over noise I of  (I . map - (score(x) - score(x - I)))^2
    sensitivity                how much the map moves when x moves a little
    cascading randomisation    does the map change when what the network has learned is destroyed, layer by layer?
    remove and retrain         how well does a network learn from pictures without their most important pixels?

(Petsiuk et al., 2018, arXiv:1806.07421; Yeh et al., 2019, arXiv:1901.09392, definitions 2.1 and 3.1; Adebayo et al.,
2018, arXiv:1810.03292, section 3; Hooker et al., 2019, arXiv:1806.10758.) Where they fail: deletion asks about pictures
that the model has never met, and can be won by finding adversarial pixels; a map that is 0 where the picture is 0 keeps
most of its ranks, whatever is randomised; retraining asks a new model, which may read the label off the holes of a map
that knew it; a map may pass all and still not tell what somebody wants to know. A curve says nothing without that of a
random order beside it.
"""

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from dlcourse.attribution.covered import covered_scores, start
from dlcourse.attribution.score import Target, examples, scores
from dlcourse.nn.sizes import whole
from dlcourse.training.asking import Model, asking
from dlcourse.training.metrics import accuracy
from dlcourse.types import Float, Int, Tensor

Method = Callable[[Model, Tensor, Target], Tensor]  # (model, x, target) -> map; fix its options with functools.partial


@dataclass(frozen=True, eq=False)
class Curve:
    """The score as pixels go, or come."""

    share: Float[Tensor, " points"]  # of the numbers of x that were taken away, or put in: from 0 to 1
    scores: Float[Tensor, "points batch"]

    @property
    def area(self) -> Float[Tensor, " batch"]:
        """The mean height of the curve, by trapezoids: for deletion the lower the better, for insertion the higher."""
        return torch.trapezoid(self.scores, self.share, dim=0)


def deletion(
    model: Model,
    x: Float[Tensor, "batch ..."],
    target: Target,
    map: Float[Tensor, "batch ..."],
    *,
    baseline: Float[Tensor, "..."] | float | None = None,
    points: int = 21,
) -> Curve:
    """From x to the baseline: first the numbers go whose map is largest (signed); of equal ones the earlier goes first.

    points: of the curve, 2 or more. Who wants probabilities gives `probability(...)` as the target. Raises ValueError
    for a map that is not shaped like x; errors as `score`.

    >>> x = torch.tensor([[3.0, 1.0]])
    >>> deletion(lambda x: x.sum(1, keepdim=True), x, 0, x, points=3).scores[:, 0]
    tensor([4., 1., 0.])
    """
    share, count = _shares("deletion", x, points)
    hidden = _place(x, map) < count.view(-1, *[1] * x.ndim)
    return Curve(share, covered_scores(model, x, target, hidden, baseline=baseline))


def insertion(
    model: Model,
    x: Float[Tensor, "batch ..."],
    target: Target,
    map: Float[Tensor, "batch ..."],
    *,
    baseline: Float[Tensor, "..."] | float | None = None,
    points: int = 21,
) -> Curve:
    """From the baseline to x: first the numbers come whose map is largest. Else as `deletion`.

    >>> x = torch.tensor([[3.0, 1.0]])
    >>> insertion(lambda x: x.sum(1, keepdim=True), x, 0, x, points=3).scores[:, 0]
    tensor([0., 3., 4.])
    """
    share, count = _shares("insertion", x, points)
    hidden = _place(x, map) >= count.view(-1, *[1] * x.ndim)
    return Curve(share, covered_scores(model, x, target, hidden, baseline=baseline))


def random_map(x: Float[Tensor, "batch ..."], *, generator: torch.Generator) -> Float[Tensor, "batch ..."]:
    """A map that knows nothing: its order is random. What every method has to beat."""
    return torch.rand(x.shape, generator=generator, dtype=x.dtype, device=generator.device).to(x.device)


def infidelity(
    model: Model,
    x: Float[Tensor, "batch ..."],
    target: Target,
    map: Float[Tensor, "batch ..."],
    *,
    sd: float,
    samples: int = 100,
    generator: torch.Generator,
) -> Float[Tensor, " batch"]:
    """How badly the map, as a slope, foretells what normal noise of this sd does to the score: 0 is perfect.

    The map counts per unit of x. What was multiplied by x - baseline has to be divided by it first.

    >>> slope, model = torch.tensor([[2.0, 0.0]]), lambda x: 2 * x
    >>> infidelity(model, torch.ones(1, 2), 0, slope, sd=0.5, generator=torch.Generator()).item() < 1e-9
    True
    """
    x, before = examples("infidelity", x), scores(model, x, target)
    (samples,) = whole("infidelity", 1, samples=samples)
    total = torch.zeros_like(before)
    for _ in range(samples):
        noise = sd * torch.randn(x.shape, generator=generator, dtype=x.dtype, device=generator.device).to(x.device)
        foretold = (noise * _fits(x, map)).flatten(1).sum(1)
        total = total + (foretold - (before - scores(model, x - noise, target))) ** 2
    return total / samples


def sensitivity(
    model: Model,
    x: Float[Tensor, "batch ..."],
    target: Target,
    method: Method,
    *,
    radius: float,
    samples: int = 10,
    generator: torch.Generator,
) -> Float[Tensor, " batch"]:
    """The largest relative change of the map within `radius` (Linf) of x, over random points: |map' - map| / |map|.

    Lengths are Euclidean. A map of zeros has no relative change: nan.

    >>> same = lambda model, x, target: torch.ones_like(x)
    >>> sensitivity(lambda x: x, torch.ones(1, 2), 0, same, radius=0.1, generator=torch.Generator())
    tensor([0.])
    """
    x = examples("sensitivity", x)
    (samples,) = whole("sensitivity", 1, samples=samples)
    map = _fits(x, method(model, x, target))
    most = x.new_zeros(len(x))
    for _ in range(samples):
        near = x + radius * (2 * random_map(x, generator=generator) - 1)
        moved = torch.linalg.vector_norm((method(model, near, target) - map).flatten(1), dim=1)
        most = most.maximum(moved)
    return most / torch.linalg.vector_norm(map.flatten(1), dim=1)


@dataclass(frozen=True, eq=False)
class CascadeStep:
    """The map after one more layer has lost what it had learned."""

    index: int
    layer: str  # the one that was randomised last; "" at first, when none is
    map: Float[Tensor, "batch ..."]
    correlation: Float[Tensor, " batch"]  # of the sizes with those of the first map, by ranks: 1 is no change at all


def cascading_randomisation_steps(
    model: nn.Module,
    x: Float[Tensor, "batch ..."],
    target: Target,
    method: Method,
    *,
    generator: torch.Generator,
) -> Iterator[CascadeStep]:
    """From the last layer to the first, each parameter is drawn anew: normal, as large as it was on the average.

    It happens to a copy. Layers are modules that own parameters, in the order of `model.named_modules()`. Raises
    ValueError for a model that has none.
    """
    model, x = copy.deepcopy(model), examples("cascading_randomisation", x)
    layers = [name for name, module in model.named_modules() if [*module.parameters(recurse=False)]]
    if not layers:
        raise ValueError("cascading_randomisation: the model has no parameters, so there is nothing to randomise.")
    first = _fits(x, method(model, x, target))
    yield CascadeStep(0, "", first, rank_correlation(first.abs(), first.abs()))
    for index, name in enumerate(reversed(layers), start=1):
        _randomise(model.get_submodule(name), generator)
        map = method(model, x, target)
        yield CascadeStep(index, name, map, rank_correlation(map.abs(), first.abs()))


def cascading_randomisation(
    model: nn.Module,
    x: Float[Tensor, "batch ..."],
    target: Target,
    method: Method,
    *,
    generator: torch.Generator,
) -> dict[str, Float[Tensor, " batch"]]:
    """The rank correlation with the first map after each layer, by the layer's name, the last layer first.

    A faithful map loses its likeness to the first one; one that keeps it does not depend on what was learned.
    """
    steps = cascading_randomisation_steps(model, x, target, method, generator=generator)
    return {step.layer: step.correlation for step in steps if step.layer}


def rank_correlation(one: Float[Tensor, "batch ..."], other: Float[Tensor, "batch ..."]) -> Float[Tensor, " batch"]:
    """Spearman's: the correlation of the ranks, from -1 to 1. Equal numbers share their ranks; nan for a constant map.

    >>> rank_correlation(torch.tensor([[1.0, 2.0, 9.0]]), torch.tensor([[0.1, 0.5, 0.6]]))
    tensor([1.])
    """
    a, b = (part - part.mean(1, keepdim=True) for part in (ranks(one), ranks(other)))
    return (a * b).sum(1) / torch.sqrt((a**2).sum(1) * (b**2).sum(1))


def ranks(values: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch features"]:
    """How many numbers of the example are smaller; equal ones share the mean of their ranks.

    >>> ranks(torch.tensor([[5.0, 1.0, 5.0]]))
    tensor([[1.5000, 0.0000, 1.5000]])
    """
    flat = values.flatten(1)
    row = flat.sort(1).values
    below, up_to = (torch.searchsorted(row, flat, right=right) for right in (False, True))
    return ((below + up_to - 1) / 2).to(values.dtype)


@dataclass(frozen=True)
class Retrained:
    """What networks are worth that never saw the most important pixels."""

    share: tuple[float, ...]
    accuracy: tuple[float, ...]


def remove_and_retrain(
    fit: Callable[[Tensor, Tensor], Model],
    train: tuple[Tensor, Tensor, Tensor],
    test: tuple[Tensor, Tensor, Tensor],
    *,
    share: Sequence[float],
    baseline: Float[Tensor, "..."] | float | None = None,
) -> Retrained:
    """Cover the most important share of each picture, in training and test, train anew, and measure: ROAR in small.

    train, test: pictures, labels and the maps of the pictures. fit(pictures, labels) trains a new network and returns
    it. share: from 0 to 1. baseline: the paper takes the mean of the training pictures. The faster the accuracy falls
    the better the map, beside that of `random_map`. Raises ValueError for shares outside [0, 1].
    """
    if not all(0 <= s <= 1 for s in share):
        raise ValueError(f"remove_and_retrain(share={share}): wanted shares from 0 to 1.")
    found = []
    for part in share:
        covered = [_covered(x, map, part, baseline) for x, _, map in (train, test)]
        model = fit(covered[0], train[1])
        with asking(model):
            found.append(accuracy(model(covered[1]), test[1]))
    return Retrained(tuple(share), tuple(found))


def _covered(x: Tensor, map: Tensor, share: float, baseline: Tensor | float | None) -> Tensor:
    hidden = _place(x, map) < round(share * x[0].numel())
    return torch.where(hidden, start("remove_and_retrain", x, baseline), x)


def _place(x: Tensor, map: Tensor) -> Int[Tensor, "batch ..."]:
    """The place of each number in the order of the map, the largest first."""
    order = _fits(x, map).flatten(1).argsort(dim=1, descending=True, stable=True)
    return order.argsort(dim=1).view_as(map)


def _shares(caller: str, x: Tensor, points: int) -> tuple[Tensor, Tensor]:
    """The shares along a curve, and how many numbers they are."""
    (points,) = whole(caller, 2, points=points)
    share = torch.linspace(0, 1, points, dtype=examples(caller, x).dtype, device=x.device)
    return share, (share * x[0].numel()).round()


def _fits(x: Tensor, map: Tensor) -> Tensor:
    if map.shape != x.shape:
        raise ValueError(f"a map {tuple(map.shape)} of x {tuple(x.shape)}: wanted a number for each number of x.")
    return map.detach()


def _randomise(module: nn.Module, generator: torch.Generator) -> None:
    for parameter in module.parameters(recurse=False):
        noise = torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype, device=generator.device)
        parameter.data = noise.to(parameter.device) * parameter.data.square().mean().sqrt()
