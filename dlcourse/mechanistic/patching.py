"""Activation patching: which part of a network carries the difference between two answers?

Run the model on a clean and on a corrupted input. Run it once more on the corrupted one, but put into one site (a layer
or some units of it) what was there in the clean run. With a metric m of the logits the effect of that site is

    effect = (m(patched) - m(corrupted)) / (m(clean) - m(corrupted))      0: nothing is restored, 1: everything is

(Vig et al., 2020, arXiv:2004.12265; Meng et al., 2022, arXiv:2202.05262, section 2; Zhang and Nanda, 2023,
arXiv:2309.16042, on the metric.) This asks what *suffices*. With clean and corrupted swapped it asks what is *needed*:
effect 1 then means that all is lost (Heimersheim and Nanda, 2024, arXiv:2404.15255).
Where it fails: effects do not add up. Of two parts that are both needed neither suffices (effects 0 and 0), of two that
each suffice neither is needed; `circuits.both` and `circuits.either` show it. And what it finds is about this pair of
inputs: what they have in common is invisible. A corrupted input that the model never meets may say little.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch

from dlcourse.hooks import replace
from dlcourse.mechanistic.activations import activations
from dlcourse.training.metrics import evaluating
from dlcourse.types import Float, Tensor


@dataclass(frozen=True)
class Site:
    """A part of what a layer puts out: some units of a hidden layer or channels of its maps, or all of it."""

    layer: str  # a name of model.named_modules(); "" is the model itself
    units: tuple[int, ...] | None = None  # numbers along dimension 1; None: all


Sites = Site | Sequence[Site]  # one, or several that are patched together; () is none


@dataclass(frozen=True, eq=False)
class Patching:
    """The metric of each pair of examples: in the clean run, in the corrupted one, and with each site patched."""

    clean: Float[Tensor, " batch"]
    corrupted: Float[Tensor, " batch"]
    patched: Float[Tensor, "sites batch"]

    @property
    def effect(self) -> Float[Tensor, " sites"]:
        """The share of the difference that each site restores, over all pairs: a ratio of sums, not a mean of ratios.

        >>> Patching(torch.tensor([2.0]), torch.tensor([1.0]), torch.tensor([[1.0], [1.5], [2.0]])).effect
        tensor([0.0000, 0.5000, 1.0000])
        """
        # One sum for all, so that the same numbers give the same sum, and the same ratio is exactly 1.
        total = (torch.cat([self.clean[None], self.patched]) - self.corrupted).sum(1)
        return total[1:] / total[0]


def activation_patching(
    model: torch.nn.Module,
    clean: Float[Tensor, "batch ..."],
    corrupted: Float[Tensor, "batch ..."],
    metric: Callable[[Tensor], Tensor],
    sites: Sequence[Sites],
) -> Patching:
    """The model on the corrupted inputs with each of `sites` in turn taken from the clean run, measured by the metric.

    clean, corrupted: pairs, row by row. metric: logits (batch, classes) -> (batch,), such as a difference of two
    logits; a probability that is nearly 1 in both runs would hide much. sites: each a `Site`, or a row of them that
    are patched together. An empty row restores nothing; a whole layer restores everything, if all ways from x to the
    logits go through it. What is patched later along the way overrides what was patched before it.

    The model answers in eval mode and is left as it was. Raises ValueError for unequal shapes, no examples, no sites, a
    unit that the layer does not have, a metric that is not one finite number for each example, or that is on average
    the same in both runs; and for layers as `activations` does.

    >>> model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Identity())
    >>> clean, corrupted = torch.tensor([[1.0, 3.0]]), torch.tensor([[0.0, 0.0]])
    >>> sites = [(), Site("0", (0,)), Site("0", (1,)), Site("0")]
    >>> activation_patching(model, clean, corrupted, lambda logits: logits.sum(1), sites).effect
    tensor([0.0000, 0.2500, 0.7500, 1.0000])
    """
    if clean.shape != corrupted.shape or not sites:
        raise ValueError(
            f"activation_patching got clean {tuple(clean.shape)}, corrupted {tuple(corrupted.shape)} and {len(sites)} "
            "sites; wanted pairs of equal shape and at least one site."
        )
    groups = [tuple(site) if isinstance(site, Sequence) else (site,) for site in sites]
    source = activations(model, clean, dict.fromkeys(["", *(site.layer for group in groups for site in group)]))
    before = _measured(metric, activations(model, corrupted, [""])[""])
    after = _measured(metric, source[""])
    if not (after - before).sum():
        raise ValueError(
            f"the metric is on average {after.mean():g} for clean and for corrupted: there is no difference to restore."
        )
    with evaluating(model):
        rows = [_measured(metric, patched(model, corrupted, group, source)) for group in groups]
    return Patching(after, before, torch.stack(rows))


def patched(
    model: torch.nn.Module, x: Float[Tensor, "batch ..."], sites: Sequence[Site], source: Mapping[str, Tensor]
) -> Tensor:
    """What the model says to x when the sites hold what source[layer] holds there; in the mode it is in.

    >>> model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.ReLU())
    >>> patched(model, torch.zeros(1, 2), [Site("0", (1,))], {"0": torch.tensor([[5.0, 7.0]])})
    tensor([[0., 7.]])
    """

    def put(layer: str, output: Tensor) -> Tensor:
        new = output.clone()
        for site in sites:
            if site.layer == layer:
                units = _units(site, output)
                new[:, units] = source[layer][:, units]
        return new

    layers = dict.fromkeys(site.layer for site in sites)
    with replace(model, {layer: lambda output, layer=layer: put(layer, output) for layer in layers}):
        return model(x.clone())


def _units(site: Site, output: Tensor) -> list[int] | slice:
    """Indices along dimension 1. Raises ValueError for one that is not there."""
    if site.units is None:
        return slice(None)
    count = output.shape[1]
    if not all(0 <= unit < count for unit in site.units):
        raise ValueError(f"{site}: layer {site.layer!r} has the units 0 to {count - 1}, of {tuple(output.shape)}.")
    return list(site.units)


def _measured(metric: Callable[[Tensor], Tensor], logits: Tensor) -> Tensor:
    values = metric(logits)
    if not isinstance(values, Tensor) or values.shape != logits.shape[:1] or not values.isfinite().all():
        came = f"{values.tolist()}" if isinstance(values, Tensor) else type(values).__name__
        raise ValueError(
            f"the metric made {came} of logits {tuple(logits.shape)}; wanted a finite number for each row."
        )
    return values
