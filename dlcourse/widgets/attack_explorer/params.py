"""What may be set: what the attacker may do, how it goes about it, and what it is after."""

from dataclasses import dataclass
from typing import Any

from dlcourse.widgets.params import Choice, Flag, Number, Param, Whole, shown

ATTACKS = ("FGSM", "PGD", "momentum")
THREATS = ("Linf", "L2", "L1")


@dataclass(frozen=True, kw_only=True)
class Target(Param):
    """A class by its name or number, or "" for none; which ones there are only the engine knows."""

    default: str = ""

    def check(self, name: str, value: Any) -> str:
        if isinstance(value, bool) or not isinstance(value, (str, int)):
            raise ValueError(f"{name}={shown(value)}: wanted the name of a class, or '' for none.")
        return str(value)


PARAMS = {
    "threat": Choice(
        label="Threat",
        help="Linf: each pixel by at most eps. L2: the root of the summed squares. L1: the summed sizes.",
        default="Linf",
        options=THREATS,
    ),
    "eps": Number(
        label="Eps",
        help="How far the picture may be changed, pixels in [0, 1].",
        default=0.1,
        low=0.005,
        high=30,
        log=True,
    ),
    "attack": Choice(
        label="Attack",
        help="FGSM: one step. PGD: many short ones. Momentum: PGD along a running sum of the slopes.",
        default="PGD",
        options=ATTACKS,
    ),
    "steps": Whole(label="Steps", help="How many; FGSM has one.", default=10, low=1, high=40),
    "step_share": Number(
        label="Step / eps",
        help="The length of a step, in parts of eps; FGSM goes all the way.",
        default=0.25,
        low=0.02,
        high=2.0,
        log=True,
    ),
    "random": Flag(label="Random start", help="Begin at a random point of the ball.", default=False),
    "target": Target(label="Target", help="The answer that the attack is after; none: any wrong one."),
    "seed": Whole(
        label="Seed", help="Of the random start, and of the slice's random direction.", default=0, low=0, high=9999
    ),
    "pace": Choice(label="Pace", help="How fast play goes.", default="slow", options=("slow", "fast")),
    "pen": Number(label="Pen", help="The width of the line, as a share of the pad.", default=0.09, low=0.03, high=0.2),
}
NOT_OF_THE_ATTACK = frozenset({"pace", "pen"})
