"""One attack on one network, move by move: where it stands after each, what the move was, what the network says there.

A step has three moves. `gradient`: which way is up. `step`: that way, as far as a step goes, allowed or not.
`projection`: back to the nearest point that the threat allows. Before the first step is the example, and with a random
start the jump to it.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch

from dlcourse import attacks, generator
from dlcourse.attacks.pgd import PgdStep
from dlcourse.steps import record
from dlcourse.types import Float, Int, Tensor
from dlcourse.widgets.attack_explorer.given import Net

MOVES = ("gradient", "step", "projection")
THREATS = {"Linf": attacks.Linf, "L2": attacks.L2, "L1": attacks.L1}


@dataclass(frozen=True)
class Plan:
    """What is done to any network."""

    threat: attacks.Threat
    attack: str
    steps: int
    step_size: float  # in the threat's norm
    random: bool
    target: int | None
    seed: int

    @classmethod
    def of(cls, values: dict[str, Any], target: int | None) -> "Plan":
        """FGSM is one step of length eps, from a random start of 1.25 eps, and PGD's first step is the same."""
        threat, random = THREATS[values["threat"]](values["eps"]), values["random"]
        if values["attack"] == "FGSM":
            steps, step_size = 1, (1.25 if random else 1) * threat.eps
        else:
            steps, step_size = values["steps"], values["step_share"] * threat.eps
        return cls(threat, values["attack"], steps, step_size, random, target, values["seed"])

    @property
    def moves(self) -> list[tuple[str, int]]:
        """(what, in which step), the steps counted from 1."""
        before = [("example", 0), *([("start", 0)] if self.random else [])]
        return before + [(what, step) for step in range(1, self.steps + 1) for what in MOVES]


@dataclass(frozen=True, eq=False)
class Run:
    """All on the CPU, one example: pictures are (1, height, width); time counts the steps that are done."""

    plan: Plan
    label: int
    example: Float[Tensor, "1 height width"]
    start: Float[Tensor, "1 height width"]
    steps: tuple[PgdStep, ...]
    clean: Float[Tensor, " classes"]  # logits at the example
    iterates: Float[Tensor, "time classes"]  # logits at the start and after each step
    proposals: Float[Tensor, "time classes"]  # logits where the steps go, before the projection

    def at(self, what: str, step: int) -> Float[Tensor, "1 height width"]:
        """Where the attack stands after a move."""
        if step == 0:
            return self.example if what == "example" else self.start
        found = self.steps[step - 1]
        return {"gradient": found.before, "step": found.proposal, "projection": found.x_adv}[what][0]

    def moved(self, what: str, step: int) -> Float[Tensor, "1 height width"]:
        """What the move is: the gradient itself, or by how much the picture changes."""
        if step == 0:
            return self.at(what, step) - self.example
        found = self.steps[step - 1]
        if what == "gradient":
            return found.gradient[0]
        return (found.proposal - found.before if what == "step" else found.x_adv - found.proposal)[0]

    def logits(self, what: str, step: int) -> Float[Tensor, " classes"]:
        if what == "example":
            return self.clean
        if what == "step":
            return self.proposals[step - 1]
        return self.iterates[step - 1 if what == "gradient" else step]

    @cached_property
    def finite(self) -> bool:
        """Are all answers on the way numbers?"""
        return bool(torch.cat([self.clean[None], self.iterates, self.proposals]).isfinite().all())

    @cached_property
    def reach(self) -> float:
        """The largest change of a pixel after any step."""
        return float(torch.stack([(step.x_adv[0] - self.example).abs().max() for step in self.steps]).max())

    @property
    def x_adv(self) -> Float[Tensor, "1 height width"]:
        """Where the attack ends."""
        return self.steps[-1].x_adv[0]

    def reached(self, logits: Float[Tensor, "batch classes"]) -> list[bool]:
        """For each row: is the attack where it wants to be?"""
        return self._goal(len(logits)).reached(logits).tolist()

    @cached_property
    def fooled_after(self) -> int | None:
        """The number of steps after which the attack is first where it wants to be; 0: at its start; None: never."""
        found = self.reached(self.iterates)
        return found.index(True) if any(found) else None

    @cached_property
    def loss(self) -> Float[Tensor, " time"]:
        """The cross-entropy of the right answer, which the attack raises, or of the target, which it lowers."""
        return attacks.cross_entropy(self.iterates, self._aim)

    @cached_property
    def margin(self) -> Float[Tensor, " time"]:
        """Above 0 where the attack has what it wants: the best wrong logit minus the right one, or the target's minus
        the best other."""
        found = attacks.margin(self.iterates, self._aim)
        return found if self.plan.target is None else -found

    @property
    def _aim(self) -> Int[Tensor, " time"]:
        return _of(self.label if self.plan.target is None else self.plan.target, self.iterates)

    def _goal(self, many: int) -> attacks.Goal:
        aims = [self.label, self.plan.target]
        made = [None if aim is None else torch.full((many,), aim, device="cpu") for aim in aims]
        return attacks.Goal(*made)


def run(net: Net, x: Float[Tensor, "1 1 height width"], label: int, plan: Plan) -> Run:
    """The attack, recorded. x lives where the network does."""
    labels = torch.full((1,), label, device=x.device)
    targets = None if plan.target is None else torch.full((1,), plan.target, device=x.device)
    start = plan.threat.random(x, generator=generator(plan.seed, like=x)) if plan.random else x
    attack = attacks.mifgsm_steps if plan.attack == "momentum" else attacks.pgd_steps
    steps = attack(
        net.model, x, labels, plan.threat, steps=plan.steps, step_size=plan.step_size, targets=targets, start=start
    )
    taken = record(steps)
    places = [x.cpu(), start.cpu(), *(step.x_adv for step in taken), *(step.proposal for step in taken)]
    logits = net(torch.cat(places).to(x)).float().cpu()
    return Run(
        plan,
        label,
        x[0].cpu(),
        start[0].cpu(),
        tuple(taken),
        logits[0],
        logits[1 : len(taken) + 2],
        logits[len(taken) + 2 :],
    )


def _of(value: int, like: Tensor) -> Int[Tensor, " batch"]:
    return torch.full((len(like),), value, device=like.device)
