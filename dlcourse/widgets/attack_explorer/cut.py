"""A slice through the space of pictures: the steepest direction across, a random one up, the example in the middle.

Which class the network tells where, how far the ball and the box reach, and the attack's path, each of its points as
near as the slice comes to it. The path leaves the slice: how far is told, too.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch

from dlcourse import attacks, generator, landscape
from dlcourse.types import Float, Tensor
from dlcourse.widgets.attack_explorer.given import Net
from dlcourse.widgets.attack_explorer.run import Run

REACH = 1.5  # of the slice, in parts of eps
SMALL = 100  # pixels: of small pictures the slice is finer
SIZES = (41, 17)
LEAST = 0.015  # of the slice: a class with less has no name on it


@dataclass(frozen=True, eq=False)
class Cut:
    plane: landscape.LossPlane
    classes: tuple[str, ...]

    @cached_property
    def ball(self) -> Float[Tensor, "points 2"]:
        """The outline of the ball on the slice, in parts of eps."""
        return (self.plane.ball / self.plane.eps).float().cpu()

    @cached_property
    def box(self) -> Float[Tensor, "points 2"]:
        """That of [0, 1]; where a pixel at its end would move further, it is the picture itself."""
        return (self.plane.box / self.plane.eps).float().cpu()

    def places(self, deltas: Float[Tensor, "batch height width"]) -> Float[Tensor, "batch 2"]:
        """The points of the slice nearest to perturbations, in parts of eps."""
        return self._nearest(deltas)[0] / self.plane.eps

    def off(self, delta: Float[Tensor, "1 height width"]) -> float:
        """The share of a perturbation's length (Euclidean) that leads out of the slice, from 0 to 1."""
        left, length = float(self._nearest(delta)[1][0]), float(delta.norm())
        return min(left / length, 1.0) if length else 0.0

    def _nearest(self, deltas: Tensor) -> tuple[Float[Tensor, "batch 2"], Float[Tensor, " batch"]]:
        ways = self.plane.directions.float().cpu().flatten(1)
        flat = deltas.float().flatten(1)
        found = torch.linalg.solve(ways @ ways.T, ways @ flat.T).T
        return found, (flat - found @ ways).norm(dim=1)

    @cached_property
    def regions(self) -> list[dict[str, Any]]:
        """The classes on the slice, the largest first: name, share, and a place for the name, in parts of eps."""
        plane, found = self.plane, []
        for label in plane.label.unique().tolist():
            rows, columns = (plane.label == label).nonzero(as_tuple=True)
            share = len(rows) / plane.label.numel()
            if share < LEAST:
                continue
            away = (rows - rows.float().mean()).square() + (columns - columns.float().mean()).square()
            at = int(away.argmin())
            place = [float(plane.u[columns[at]]) / plane.eps, float(plane.v[rows[at]]) / plane.eps]
            found.append({"class": label, "name": self.classes[label], "share": share, "at": place})
        return sorted(found, key=lambda region: -region["share"])

    @cached_property
    def nearest(self) -> float | None:
        """How far along the steepest direction the answer changes first, in parts of eps; None: not on the slice."""
        middle = len(self.plane.u) // 2
        row = self.plane.label[middle, middle:]
        other = (row != row[0]).nonzero()
        return float(self.plane.u[middle + int(other[0])]) / self.plane.eps if len(other) else None


def cut(net: Net, x: Float[Tensor, "1 1 height width"], found: Run, classes: tuple[str, ...]) -> Cut:
    """The slice for this attack; its first direction is that of the attack's own loss."""
    target, device = found.plan.target, x.device

    def towards(logits: Tensor, labels: Tensor) -> Tensor:
        return -attacks.cross_entropy(logits, torch.full_like(labels, target))

    plane = landscape.plane(
        net.model,
        x,
        torch.full((1,), found.label, device=device),
        found.plan.threat,
        objective=None if target is None else towards,
        size=SIZES[x[0].numel() > SMALL],
        reach=REACH,
        generator=generator(found.plan.seed, like=x),
    )
    return Cut(plane, classes)
