"""Projected gradient descent: many short steepest steps, and after each the nearest point that the threat allows.

    proposal = x_adv + step * steepest(gradient of the objective at x_adv)
    x_adv    = project(proposal, x)                   around x, the example itself, at every step

(Madry et al., 2018, arXiv:1706.06083, section 2.1; from x itself, without a random start, it is the
basic iterative method of Kurakin et al., 2017, arXiv:1607.02533.) It is the attack that a defence has to stand first.
Where it fails: it follows the slope, so it finds nothing where the slope is 0 or misleads (see `diagnose`), and with a
step size that does not fit it runs to and fro. So a high accuracy under PGD is a claim, and other attacks must try too.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from dlcourse.attacks.fgsm import checked_step
from dlcourse.attacks.objective import Goal, Model, Objective, answers, asking, begin, cross_entropy, look
from dlcourse.attacks.threat import Threat
from dlcourse.nn.sizes import whole
from dlcourse.steps import last
from dlcourse.types import Bool, Float, Int, Tensor


@dataclass(frozen=True, eq=False)
class PgdStep:
    """One step: where it began and what the model said there, then the three moves. All detached."""

    index: int
    before: Float[Tensor, "batch ..."]  # where the step begins
    loss: Float[Tensor, " batch"]  # the objective there; with targets, minus the objective for them
    fooled: Bool[Tensor, " batch"]  # is the model wrong there? with targets: does it say the target?
    gradient: Float[Tensor, "batch ..."]  # of the loss there
    direction: Float[Tensor, "batch ..."]  # the steepest, of length 1 in the threat's norm
    proposal: Float[Tensor, "batch ..."]  # before + step size * direction; it may lie outside
    x_adv: Float[Tensor, "batch ..."]  # the proposal, projected: where the next step begins


def pgd_steps(
    model: Model,
    x: Float[Tensor, "batch ..."],
    labels: Int[Tensor, " batch"],
    threat: Threat,
    *,
    steps: int = 20,
    step_size: float | None = None,
    objective: Objective = cross_entropy,
    targets: Int[Tensor, " batch"] | None = None,
    start: Float[Tensor, "batch ..."] | None = None,
) -> Iterator[PgdStep]:
    """One run of `steps` steps, from `start` (default: x itself; a random one is threat.random(x, generator=...)).

    step_size: the length of a step, in the threat's norm and the units of x; default 2.5 eps / steps, which reaches
    every point of the ball from any other with a little to spare. Raises ValueError for a start outside the threat,
    steps that are no whole number of 1 or more, and what `fgsm` refuses.
    """
    x, goal = begin("pgd", x, labels, threat, targets, objective)
    (steps,) = whole("pgd", 1, steps=steps)
    step_size = checked_step("pgd", step_size, 2.5 * threat.eps / steps)
    before = begun("pgd", x, threat, start)
    for index in range(steps):
        seen = look(model, before, goal)
        direction = threat.steepest(seen.gradient, before, step_size)
        proposal = before + step_size * direction
        x_adv = threat.project(proposal, x)
        reached = goal.reached(seen.logits)
        yield PgdStep(index, before, seen.values, reached, seen.gradient, direction, proposal, x_adv)
        before = x_adv


def pgd(
    model: Model,
    x: Float[Tensor, "batch ..."],
    labels: Int[Tensor, " batch"],
    threat: Threat,
    *,
    steps: int = 20,
    step_size: float | None = None,
    restarts: int = 1,
    objective: Objective = cross_entropy,
    targets: Int[Tensor, " batch"] | None = None,
    generator: torch.Generator | None = None,
) -> Float[Tensor, "batch ..."]:
    """x_adv in [0, 1] and within the threat: where `pgd_steps` ends.

    With a generator it starts at a random point of the ball, without one at x. restarts: so many runs, each from a
    random start of its own; later ones try only the examples that the model still gets right, and of an example that
    none fools the end with the largest objective is kept. Raises ValueError for restarts without a generator, which
    would all be the same, and what `pgd_steps` refuses.

    >>> from dlcourse.attacks import L2
    >>> weight = torch.tensor([[0.0, 3.0], [0.0, 4.0]])
    >>> pgd(lambda x: x @ weight, torch.tensor([[0.5, 0.5]]), torch.tensor([0]), L2(0.1))
    tensor([[0.5600, 0.5800]])
    """
    x, goal = begin("pgd", x, labels, threat, targets, objective)
    (restarts,) = whole("pgd", 1, restarts=restarts)
    if generator is None and restarts > 1:
        raise ValueError(f"pgd(restarts={restarts}) has no generator: all runs would start at x and end the same.")
    options = {"steps": steps, "step_size": step_size, "objective": objective}

    def run(rows: Tensor | slice) -> Tensor:
        # The starts of all examples are drawn, so that none depends on how the others fared.
        start = None if generator is None else threat.random(x, generator=generator)[rows]
        own = goal.of(rows)
        return last(pgd_steps(model, x[rows], own.labels, threat, targets=own.targets, start=start, **options)).x_adv

    best = run(slice(None))
    if restarts == 1:
        return best
    value, standing = _judged(model, best, goal)
    for _ in range(1, restarts):
        rows = standing.nonzero()[:, 0]
        if not len(rows):
            break
        found = run(rows)
        new_value, still = _judged(model, found, goal.of(rows))
        better = ~still | (new_value > value[rows])
        best[rows[better]], value[rows[better]] = found[better], new_value[better]
        standing[rows] = still
    return best


def begun(
    caller: str, x: Float[Tensor, "batch ..."], threat: Threat, start: Float[Tensor, "batch ..."] | None
) -> Float[Tensor, "batch ..."]:
    """Where an attack begins: at x, or at the start that was given, if it is one."""
    if start is None:
        return x
    if start.shape != x.shape or not bool(threat.contains(start, x).all()):
        raise ValueError(
            f"{caller} got a start {tuple(start.shape)} for x {tuple(x.shape)} that is not within {threat} and [0, 1]; "
            "take threat.random(x, generator=...), or threat.project(start, x)."
        )
    return start.detach()


def _judged(model: Model, x_adv: Tensor, goal: Goal) -> tuple[Tensor, Tensor]:
    """The goal's values at x_adv, and which examples still stand."""
    with asking(model):
        logits = answers(model, x_adv)
    return goal(logits), ~goal.reached(logits)
