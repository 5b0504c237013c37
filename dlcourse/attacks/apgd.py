"""Auto-PGD: projected gradient steps that choose their own size. There is nothing to tune but the number of steps.

    ahead = P(point + size * steepest)                             P projects on the threat; the first size is 2 eps
    new   = P(point + 0.75 (ahead - point) + 0.25 (point - before))                   a quarter of the last move goes on

At checkpoints, which come ever closer, it asks: did the objective rise in less than three quarters of the steps, or is
the best point still the same although the size was left alone? Then the size is halved, and it goes on from the best
point (Croce and Hein, 2020, arXiv:2003.01690, algorithm 1). Where it fails: it follows slopes. With masked slopes it is
as blind as PGD, so `square`, which needs none, belongs beside it; and one objective may be flat where another is not.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import torch

from dlcourse.attacks.boundary import pick, wide
from dlcourse.attacks.objective import Model, Objective, begin, cross_entropy, look
from dlcourse.attacks.pgd import begun
from dlcourse.attacks.threat import Threat
from dlcourse.nn.sizes import whole
from dlcourse.steps import last
from dlcourse.types import Bool, Float, Int, Tensor

RISES = 0.75  # rho: the share of steps that should raise the objective
CHECKS = (22, 41, 57, 70, 80, 87, 93, 99)  # percent: each gap 3 less than the last, but 6 at least (section 3.2)
GOES_ON = 0.25  # 1 - alpha: the share of the last move that is added to the next


@dataclass(frozen=True, eq=False)
class ApgdStep:
    """One look at the model; the first of them is at the start, before any step."""

    index: int  # steps made before it
    x_adv: Float[Tensor, "batch ..."]  # where it looked
    loss: Float[Tensor, " batch"]  # the objective there, which is to be raised
    fooled: Bool[Tensor, " batch"]  # there; with targets: taken for them
    gradient: Float[Tensor, "batch ..."]  # of the loss, there
    size: Float[Tensor, " batch"]  # of the next step, in the threat's norm
    halved: Bool[Tensor, " batch"]  # the next step is half as large as this one was, and begins at the highest point
    best: Float[Tensor, "batch ..."]  # the answer so far: the highest point that fools, or else the highest
    best_loss: Float[Tensor, " batch"]  # there
    best_fooled: Bool[Tensor, " batch"]  # there


def checkpoints(steps: int) -> list[int]:
    """After how many steps the size is looked at: those shares of them, rounded up.

    >>> checkpoints(100)
    [22, 41, 57, 70, 80, 87, 93, 99]
    """
    return list(dict.fromkeys(-(-percent * steps // 100) for percent in CHECKS))  # with few steps some fall together


def apgd_steps(
    model: Model,
    x: Float[Tensor, "batch ..."],
    labels: Int[Tensor, " batch"],
    threat: Threat,
    *,
    steps: int = 100,
    objective: Objective = cross_entropy,
    targets: Int[Tensor, " batch"] | None = None,
    start: Float[Tensor, "batch ..."] | None = None,
) -> Iterator[ApgdStep]:
    """The start, and `steps` steps from it: `steps` + 1 looks, each a pass forward and one back.

    x (batch, ...) in [0, 1]. start: default x itself. Made for Linf and L2; in L1 each step moves the pixel with the
    largest slope. Raises ValueError for steps that are no whole number of 0 or more, and what `pgd_steps` refuses.
    """
    x, goal = begin("apgd", x, labels, threat, targets, objective)
    (steps,) = whole("apgd", 0, steps=steps)
    checks = checkpoints(steps)
    spans = {check: check - past for past, check in pairwise([0, *checks])}
    point = before = begun("apgd", x, threat, start)
    seen = look(model, point, goal)
    gradient, loss, fooled = seen.gradient, seen.values, goal.reached(seen.logits)
    best, best_loss, best_fooled = point, loss, fooled
    peak, peak_gradient, peak_loss = point, gradient, loss  # where the objective was highest, fooled or not
    size, rises, peak_then = torch.full_like(loss, 2 * threat.eps), torch.zeros_like(loss), loss
    halved = now = torch.zeros_like(fooled)  # at the last checkpoint; at this step
    yield ApgdStep(0, point, loss, fooled, gradient, size, now, best, best_loss, best_fooled)
    for index in range(1, steps + 1):
        ahead = threat.project(point + wide(size, x) * threat.steepest(gradient, point), x)
        goes_on = GOES_ON if index > 1 else 0.0
        new = threat.project(point + (1 - goes_on) * (ahead - point) + goes_on * (point - before), x)
        before, point, loss_before = point, new, loss
        seen = look(model, point, goal)
        gradient, loss, fooled = seen.gradient, seen.values, goal.reached(seen.logits)
        rises = rises + (loss > loss_before)
        higher = loss > peak_loss
        peak, peak_gradient = pick(higher, point, peak), pick(higher, gradient, peak_gradient)
        peak_loss = pick(higher, loss, peak_loss)
        better = preferred(fooled, loss, best_fooled, best_loss)
        best, best_loss, best_fooled = pick(better, point, best), pick(better, loss, best_loss), best_fooled | fooled
        now = torch.zeros_like(fooled)
        if index in spans:
            stuck = ~halved & (peak_loss == peak_then)
            halved = now = (rises < RISES * spans[index]) | stuck
            size, rises, peak_then = pick(now, size / 2, size), torch.zeros_like(rises), peak_loss
        yield ApgdStep(index, point, loss, fooled, gradient, size, now, best, best_loss, best_fooled)
        point, gradient, loss = pick(now, peak, point), pick(now, peak_gradient, gradient), pick(now, peak_loss, loss)


def apgd(
    model: Model,
    x: Float[Tensor, "batch ..."],
    labels: Int[Tensor, " batch"],
    threat: Threat,
    *,
    steps: int = 100,
    restarts: int = 1,
    objective: Objective = cross_entropy,
    targets: Int[Tensor, " batch"] | None = None,
    generator: torch.Generator | None = None,
) -> Float[Tensor, "batch ..."]:
    """x_adv in [0, 1] and within the threat: the worst of all points that were looked at, for each example.

    Of those that fool the one with the highest objective, or else of all. With a generator it starts at a random point
    of the ball, without one at x. restarts: so many runs, each from a random start of its own; later ones try only the
    examples that still stand. Raises ValueError for restarts without a generator, and what `apgd_steps` refuses.

    >>> from dlcourse.attacks import Linf
    >>> weight = torch.tensor([[0.0, 3.0], [0.0, -4.0]])
    >>> apgd(lambda x: x @ weight, torch.tensor([[0.5, 0.45]]), torch.tensor([0]), Linf(0.25), steps=10)
    tensor([[0.7500, 0.2000]])
    """
    x, goal = begin("apgd", x, labels, threat, targets, objective)
    (restarts,) = whole("apgd", 1, restarts=restarts)
    if generator is None and restarts > 1:
        raise ValueError(f"apgd(restarts={restarts}) has no generator: all runs would start at x and end the same.")
    best = x.clone()
    highest, ever = x.new_full((len(x),), -torch.inf), torch.zeros_like(labels, dtype=torch.bool)
    for _ in range(restarts):
        # The starts of all examples are drawn, so that none depends on how the others fared.
        start = x if generator is None else threat.random(x, generator=generator)
        rows = (~ever).nonzero()[:, 0]
        if not len(rows):
            break
        own, options = goal.of(rows), {"steps": steps, "objective": objective}
        steps_of = apgd_steps(model, x[rows], own.labels, threat, targets=own.targets, start=start[rows], **options)
        found = last(steps_of)
        better = preferred(found.best_fooled, found.best_loss, ever[rows], highest[rows])
        best[rows[better]], highest[rows[better]] = found.best[better], found.best_loss[better]
        ever[rows] = found.best_fooled
    return best


def preferred(
    fooled: Bool[Tensor, " batch"],
    loss: Float[Tensor, " batch"],
    best_fooled: Bool[Tensor, " batch"],
    best_loss: Float[Tensor, " batch"],
) -> Bool[Tensor, " batch"]:
    """Is a new point the better answer? One that fools before one that does not, then the higher objective.

    >>> fooled, before = torch.tensor([True, False, True]), torch.tensor([False, True, True])
    >>> preferred(fooled, torch.tensor([1.0, 3.0, 3.0]), before, torch.tensor([2.0, 2.0, 2.0]))
    tensor([ True, False,  True])
    """
    return (fooled & ~best_fooled) | ((fooled == best_fooled) & (loss > best_loss))
