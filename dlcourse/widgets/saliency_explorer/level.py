"""All maps of one picture at one level of randomisation, and what is true of the one that was picked.

A level is asked for once and kept by the engine; what only the lower panels need is made when it is first looked at.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice

import torch

from dlcourse import attribution, generator
from dlcourse.attribution import AxiomReport, Curve
from dlcourse.training.asking import Model
from dlcourse.types import Bool, Float, Tensor
from dlcourse.widgets.saliency_explorer.given import logits
from dlcourse.widgets.saliency_explorer.methods import METHODS, Map, Setting, explain

ORDERS = 20  # random ones, for the band
POINTS = 21  # of a curve


@dataclass(frozen=True, eq=False)
class Trial:
    """A map's curve beside those of random orders."""

    curve: Curve
    random: Curve  # of `ORDERS` orders

    @property
    def band(self) -> Float[Tensor, "2 points"]:
        """The lowest and the highest score of any random order at each share."""
        return torch.stack([self.random.scores.amin(1), self.random.scores.amax(1)])


@dataclass(eq=False)
class Level:
    """The network with some layers drawn anew, and the maps of what is left.

    names of `maps`: those of `METHODS`.
    """

    model: Model
    x: Float[Tensor, "1 1 height width"]
    target: int
    setting: Setting
    logits: Float[Tensor, " classes"]
    maps: Mapping[str, Map]
    first: Mapping[str, Map]  # those of the network as it was learned
    _kept: dict = field(default_factory=dict)

    @cached_property
    def correlations(self) -> dict[str, float]:
        """The rank correlation of each map with its first one, signs included; nan where one of both is constant."""
        return self._alike(lambda map: map)

    @cached_property
    def size_correlations(self) -> dict[str, float]:
        """The same of their sizes alone, without the signs."""
        return self._alike(torch.abs)

    def _alike(self, seen: Callable[[Tensor], Tensor]) -> dict[str, float]:
        pairs = {name: (map.values, self.first[name].values) for name, map in self.maps.items()}
        return {
            name: float(attribution.rank_correlation(seen(now), seen(first)))
            for name, (now, first) in pairs.items()
            if now is not None and first is not None
        }

    def trial(self, name: str, curve: str) -> Trial:
        """The deletion or insertion curve of a map that there is. In logits of the target."""

        def asked(x: Tensor, map: Tensor) -> Curve:
            walk = {"deletion": attribution.deletion, "insertion": attribution.insertion}[curve]
            return walk(self.model, x, self.target, map, baseline=self.setting.baseline, points=POINTS)

        if ("random", curve) not in self._kept:
            many = self.x.expand(ORDERS, -1, -1, -1)
            order = attribution.random_map(many, generator=generator(0, like=self.x))
            self._kept["random", curve] = asked(many, order)
        if (name, curve) not in self._kept:
            self._kept[name, curve] = asked(self.x, self.maps[name].values)
        return Trial(self._kept[name, curve], self._kept["random", curve])

    def axioms(self, name: str) -> tuple[AxiomReport, ...]:
        """Completeness, conservation and dummy of a map that there is."""
        if (name, "axioms") not in self._kept:
            self._kept[name, "axioms"] = attribution.axioms(
                self.model, self.x, self.target, self.maps[name].values, **self._options()
            )
        return self._kept[name, "axioms"]

    def dummies(self) -> Bool[Tensor, "1 1 height width"]:
        """The pixels that the network does not look at."""
        if "dummies" not in self._kept:
            self._kept["dummies"] = attribution.dummies(self.model, self.x, self.target, **self._options())
        return self._kept["dummies"]

    def _options(self) -> dict:
        return {"baseline": self.setting.baseline, "generator": generator(0, like=self.x)}

    def partly(self, name: str, curve: str, share: float) -> tuple[int, Float[Tensor, "1 1 height width"], float]:
        """How many pixels a share is, the picture without them (or with them alone), and its score."""
        count = round(share * self.x[0].numel())
        order = self.maps[name].values.flatten().argsort(descending=True, stable=True)
        hidden = torch.zeros_like(self.x, dtype=torch.bool).flatten()
        hidden[order[:count]] = True
        hidden = hidden.view_as(self.x) ^ (curve == "insertion")
        baseline = self.setting.baseline
        score = attribution.covered_scores(self.model, self.x, self.target, hidden[None], baseline=baseline)
        return count, torch.where(hidden, baseline, self.x), float(score)


def level(
    model: Model,
    x: Float[Tensor, "1 1 height width"],
    target: int,
    setting: Setting,
    first: Mapping[str, Map] | None = None,
) -> Level:
    """Every method asked once. first: the maps before any layer was drawn anew; without them, these are the first."""
    maps = {name: explain(method, model, x, target, setting) for name, method in METHODS.items()}
    said = logits(model, x)[0].float().cpu()
    return Level(model, x, target, setting, said, maps, maps if first is None else first)


def randomised(model: torch.nn.Module, x: Tensor, layers: int, seed: int) -> torch.nn.Module:
    """A copy whose last `layers` layers have lost what they learned: as `cascading_randomisation_steps` leaves it."""
    seen = []

    def keep(model: torch.nn.Module, x: Tensor, target: int) -> Tensor:
        seen.append(model)
        return x

    draws = generator(seed, like=x)
    steps = attribution.cascading_randomisation_steps(model, x, 0, keep, generator=draws)
    next(islice(steps, layers, None))
    steps.close()
    return seen[-1]
