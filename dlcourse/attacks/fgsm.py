"""The fast gradient sign method: one step, the steepest that the threat allows.

    x_adv = project(x + step * steepest(gradient of the objective at x))          in Linf:  x + eps * sign(gradient)

(Goodfellow, Shlens and Szegedy, 2015, arXiv:1412.6572, section 4.) For a linear model it is the strongest attack there
is in Linf and L1, and in L2 where the box does not cut the step: the steepest step of length eps, and no second look
would change it. Where it fails: a network bends, and at the end of a long step the slope is another. Then `pgd`, which
looks again at each of many short steps, finds what this misses. A model that stands against this alone is not robust.
"""

import math

import torch

from dlcourse.attacks.objective import Model, Objective, begin, cross_entropy, look
from dlcourse.attacks.threat import Threat
from dlcourse.types import Float, Int, Tensor


def fgsm(
    model: Model,
    x: Float[Tensor, "batch ..."],
    labels: Int[Tensor, " batch"],
    threat: Threat,
    *,
    step_size: float | None = None,
    objective: Objective = cross_entropy,
    targets: Int[Tensor, " batch"] | None = None,
    generator: torch.Generator | None = None,
) -> Float[Tensor, "batch ..."]:
    """x_adv in [0, 1] and within the threat, after one step up the objective; with targets, towards them.

    step_size: the length of the step, in the threat's norm and the units of x; default eps. With a generator the step
    begins at a random point of the ball, and is 1.25 eps long by default (Wong, Rice and Kolter, 2020,
    arXiv:2001.03994, algorithm 3). Raises ValueError for a step_size that is no finite number above 0, and what
    `begin` and `look` of objective.py refuse: x outside [0, 1], labels that do not fit, a model without a slope.

    >>> from dlcourse.attacks import Linf
    >>> weight = torch.tensor([[0.0, 1.0], [0.0, -2.0]])
    >>> fgsm(lambda x: x @ weight, torch.tensor([[0.5, 0.05]]), torch.tensor([0]), Linf(0.1))
    tensor([[0.6000, 0.0000]])
    """
    x, goal = begin("fgsm", x, labels, threat, targets, objective)
    start = x if generator is None else threat.random(x, generator=generator)
    step = checked_step("fgsm", step_size, (1 if generator is None else 1.25) * threat.eps)
    gradient = look(model, start, goal).gradient
    return threat.project(start + step * threat.steepest(gradient, start, step), x)


def checked_step(caller: str, step_size: float | None, default: float) -> float:
    """The step size, or the default for None."""
    if step_size is None:
        return default
    if not 0 < step_size < math.inf:
        raise ValueError(f"{caller}(step_size={step_size}): wanted a finite number above 0, in the units of eps.")
    return float(step_size)
