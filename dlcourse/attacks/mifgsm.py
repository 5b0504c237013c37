"""The momentum iterative method: PGD that follows a running sum of the slopes instead of the latest.

    velocity  = decay * velocity + gradient / |gradient|_1
    x_adv     = project(x_adv + step * steepest(velocity), x)

(Dong et al., 2018, arXiv:1710.06081, algorithm 1.) What the slopes along the way agree on adds up, and what each point
has for itself cancels. So, they report, its perturbations fool other models more often than those of the iterative
method without it (see `transfer`). Where it fails: against the model itself it gains nothing, because it turns late.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from dlcourse.attacks.fgsm import checked_step
from dlcourse.attacks.objective import Model, Objective, begin, cross_entropy, look
from dlcourse.attacks.pgd import PgdStep, begun
from dlcourse.attacks.threat import Threat
from dlcourse.nn.sizes import whole
from dlcourse.steps import last
from dlcourse.types import Float, Int, Tensor


@dataclass(frozen=True, eq=False)
class MifgsmStep(PgdStep):
    """A step of PGD, whose direction is the steepest for the velocity."""

    velocity: Float[Tensor, "batch ..."]  # with this step's gradient in it


def mifgsm_steps(
    model: Model,
    x: Float[Tensor, "batch ..."],
    labels: Int[Tensor, " batch"],
    threat: Threat,
    *,
    steps: int = 10,
    step_size: float | None = None,
    decay: float = 1.0,
    objective: Objective = cross_entropy,
    targets: Int[Tensor, " batch"] | None = None,
    start: Float[Tensor, "batch ..."] | None = None,
) -> Iterator[MifgsmStep]:
    """One run from `start` (default: x itself). decay 0 is PGD.

    step_size: default eps / steps. Raises ValueError for a decay that is not in [0, 1], and what `pgd_steps` refuses.
    """
    x, goal = begin("mifgsm", x, labels, threat, targets, objective)
    (steps,) = whole("mifgsm", 1, steps=steps)
    step_size = checked_step("mifgsm", step_size, threat.eps / steps)
    if not 0 <= decay <= 1:
        raise ValueError(f"mifgsm(decay={decay}): wanted a number from 0 to 1; above 1 the first slopes would win.")
    before = begun("mifgsm", x, threat, start)
    velocity = torch.zeros_like(x)
    for index in range(steps):
        seen = look(model, before, goal)
        velocity = decay * velocity + _of_size_one(seen.gradient)
        direction = threat.steepest(velocity, before, step_size)
        proposal = before + step_size * direction
        x_adv = threat.project(proposal, x)
        reached = goal.reached(seen.logits)
        yield MifgsmStep(index, before, seen.values, reached, seen.gradient, direction, proposal, x_adv, velocity)
        before = x_adv


def mifgsm(
    model: Model,
    x: Float[Tensor, "batch ..."],
    labels: Int[Tensor, " batch"],
    threat: Threat,
    *,
    steps: int = 10,
    step_size: float | None = None,
    decay: float = 1.0,
    objective: Objective = cross_entropy,
    targets: Int[Tensor, " batch"] | None = None,
    generator: torch.Generator | None = None,
) -> Float[Tensor, "batch ..."]:
    """x_adv in [0, 1] and within the threat: where `mifgsm_steps` ends. With a generator from a random start, else x.

    >>> from dlcourse.attacks import Linf
    >>> weight = torch.tensor([[0.0, 3.0], [0.0, -4.0]])
    >>> mifgsm(lambda x: x @ weight, torch.tensor([[0.5, 0.5]]), torch.tensor([0]), Linf(0.1))
    tensor([[0.6000, 0.4000]])
    """
    x, _ = begin("mifgsm", x, labels, threat, targets, objective)
    start = None if generator is None else threat.random(x, generator=generator)
    options = {"steps": steps, "step_size": step_size, "decay": decay, "objective": objective}
    return last(mifgsm_steps(model, x, labels, threat, targets=targets, start=start, **options)).x_adv


def _of_size_one(gradient: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch ..."]:
    """Each example's slopes over the sum of their sizes; 0 stays 0, and nan becomes 0, or it would stay for good."""
    rows = gradient.nan_to_num(0.0).flatten(1)
    rows = rows / rows.abs().amax(1, keepdim=True).clamp(min=1)  # so that no sum overflows
    total = rows.abs().sum(1, keepdim=True)
    return (rows / torch.where(total > 0, total, 1.0)).reshape(gradient.shape)
