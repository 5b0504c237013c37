"""The adversarial patch: one small picture that fools the model wherever it is laid, on whatever image.

    maximise over patch    the mean, over images and random places, of the objective of  paste(image, patch, place)

Each step lays the patch on all images, each time elsewhere, and goes along the sign of the mean slope; the patch's
pixels may be anything in [0, 1] (Brown, Mané, Roy, Abadi and Gilmer, 2017, arXiv:1712.09665, equation 1, without their
turning and scaling). It is no small change, and needs none: it can be printed. Where it fails: it depends on the images
it was made from, and what it hides may be what the label was about.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from dlcourse.attacks.objective import Model, Objective, begin, look, margin
from dlcourse.attacks.threat import Linf
from dlcourse.nn.sizes import whole
from dlcourse.steps import last
from dlcourse.types import Bool, Float, Int, Tensor


@dataclass(frozen=True)
class Patch:
    """What the attacker may do: put anything into one square of `size` x `size` pixels of each image."""

    size: int  # pixels

    def __post_init__(self) -> None:
        whole("Patch", 1, size=self.size)

    def places(
        self, x: Float[Tensor, "batch channel height width"], *, generator: torch.Generator
    ) -> tuple[Int[Tensor, " batch"], Int[Tensor, " batch"]]:
        """The upper left corner of a square for each image, uniform over those inside it: rows, columns."""
        draw = torch.rand(2, len(x), generator=generator, device=generator.device).to(x.device)
        last = [n - self.size for n in x.shape[2:]]
        return tuple((u * (n + 1)).long() for u, n in zip(draw, last, strict=True))

    def inside(
        self,
        x: Float[Tensor, "batch channel height width"],
        rows: Int[Tensor, " batch"],
        columns: Int[Tensor, " batch"],
    ) -> Bool[Tensor, "batch 1 height width"]:
        """Which pixels the squares cover."""
        down, across = (torch.arange(n, device=x.device) for n in x.shape[2:])
        down, across = down - rows[:, None], across - columns[:, None]
        down, across = ((place >= 0) & (place < self.size) for place in (down, across))
        return (down[:, :, None] & across[:, None, :])[:, None]

    def contains(
        self, x_adv: Float[Tensor, "batch channel height width"], x: Float[Tensor, "batch channel height width"]
    ) -> Bool[Tensor, " batch"]:
        """Does all that was changed fit into one such square, and is it within [0, 1]?

        >>> x = torch.zeros(2, 1, 4, 4)
        >>> x_adv = x.clone()
        >>> x_adv[0, 0, 1, 1] = x_adv[0, 0, 2, 2] = x_adv[1, 0, 0, 0] = x_adv[1, 0, 2, 0] = 1
        >>> Patch(2).contains(x_adv, x)
        tensor([ True, False])
        """
        changed = (x_adv != x).any(1)
        fits = ((x_adv >= 0) & (x_adv <= 1)).flatten(1).all(1)
        for dim in (1, 2):
            line = changed.any(3 - dim)
            places = torch.arange(line.shape[1], device=x.device)
            last, first = places.where(line, -1).amax(1), places.where(line, line.shape[1]).amin(1)
            fits = fits & (last - first < self.size)
        return fits


def paste(
    x: Float[Tensor, "batch channel height width"],
    patch: Float[Tensor, "channel side side"],
    rows: Int[Tensor, " batch"],
    columns: Int[Tensor, " batch"],
) -> Float[Tensor, "batch channel height width"]:
    """The images with the patch laid on, its upper left corner at (row, column) of each. Slopes flow into the patch.

    >>> x = torch.zeros(1, 1, 2, 3)
    >>> paste(x, torch.ones(1, 1, 1), torch.tensor([1]), torch.tensor([2]))
    tensor([[[[0., 0., 0.],
              [0., 0., 1.]]]])
    """
    threat = Patch(patch.shape[-1])
    down, across = (
        (torch.arange(n, device=x.device) - first[:, None]).clamp(0, threat.size - 1)
        for n, first in zip(x.shape[2:], (rows, columns), strict=True)
    )
    laid = patch[:, down[:, :, None], across[:, None, :]].transpose(0, 1)
    return torch.where(threat.inside(x, rows, columns), laid, x)


@dataclass(frozen=True, eq=False)
class PatchStep:
    """One step of the patch; all from before it."""

    index: int
    patch: Float[Tensor, "channel side side"]
    x_adv: Float[Tensor, "batch channel height width"]  # with the patch at this step's places
    gradient: Float[Tensor, "channel side side"]  # of the mean objective
    loss: Float[Tensor, " batch"]
    fooled: Bool[Tensor, " batch"]  # with targets: taken for them


def patch_steps(
    model: Model,
    x: Float[Tensor, "batch channel height width"],
    labels: Int[Tensor, " batch"],
    threat: Patch,
    *,
    steps: int = 100,
    step_size: float = 0.05,
    objective: Objective = margin,
    targets: Int[Tensor, " batch"] | None = None,
    generator: torch.Generator,
) -> Iterator[PatchStep]:
    """`steps` steps of the patch, and a last look at it: steps + 1 looks, each at new places.

    x (batch, channel, height, width) in [0, 1]. It begins grey, at 0.5; step_size: how far each of its pixels goes in a
    step. Raises ValueError for a patch larger than the images, and what `begin` refuses.
    """
    x, goal = begin("patch", x, labels, Linf(1.0), targets, objective)
    (steps,) = whole("patch", 0, steps=steps)
    if x.ndim != 4 or threat.size > min(x.shape[2:]):
        raise ValueError(
            f"patch got x {tuple(x.shape)} and {threat}; wanted images (batch, channel, height, width), and a "
            "patch that fits into them."
        )
    patch = x.new_full((x.shape[1], threat.size, threat.size), 0.5)
    for index in range(steps + 1):
        rows, columns = threat.places(x, generator=generator)
        x_adv = paste(x, patch, rows, columns)
        seen = look(model, x_adv, goal)
        # Each example's slope where the patch lies on it, cut out and averaged.
        places = torch.arange(threat.size, device=x.device)
        which = torch.arange(len(x), device=x.device)[:, None, None]
        cut = seen.gradient.movedim(1, -1)[
            which, (rows[:, None] + places)[:, :, None], (columns[:, None] + places)[:, None]
        ]
        gradient = cut.mean(0).movedim(-1, 0)
        yield PatchStep(index, patch, x_adv, gradient, seen.values, goal.reached(seen.logits))
        patch = (patch + step_size * gradient.sign()).clamp(0, 1)


def patch(
    model: Model,
    x: Float[Tensor, "batch channel height width"],
    labels: Int[Tensor, " batch"],
    threat: Patch,
    *,
    steps: int = 100,
    step_size: float = 0.05,
    objective: Objective = margin,
    targets: Int[Tensor, " batch"] | None = None,
    generator: torch.Generator,
) -> Float[Tensor, "batch channel height width"]:
    """The images with one patch for all, made from them, each at a random place. It is `last(patch_steps(...)).x_adv`.

    Unlike other attacks it depends on the whole batch. Errors as `patch_steps`.

    >>> model = lambda x: torch.stack([0 * x.flatten(1).sum(1) + 1.9, x.flatten(1).sum(1)], dim=1)  # bright or not
    >>> g = torch.Generator().manual_seed(0)
    >>> patch(model, torch.zeros(1, 1, 3, 3), torch.tensor([0]), Patch(2), generator=g).sum()
    tensor(4.)
    """
    options = {"steps": steps, "step_size": step_size, "objective": objective, "targets": targets}
    return last(patch_steps(model, x, labels, threat, generator=generator, **options)).x_adv
