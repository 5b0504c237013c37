"""Games that go wrong, each with the seed with which it was seen to, and what mends it on the way.

None of it is a law: with another seed the same settings may go well. The tests play every one of them to the end.
"""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Preset:
    """settings: what differs from the defaults. steps: updates until it shows. remedy: what to set then, as it runs."""

    name: str
    settings: dict[str, Any]
    steps: int
    look: str  # what to look for
    sign: str  # the beginning of what is then said to be wrong; "" for nothing
    remedy: dict[str, Any]
    cure: int  # updates until all is well again
    why: str  # what the remedy does


PRESETS = {
    "healthy": Preset(
        "Healthy",
        {},
        3000,
        "All eight modes come, and D ends undecided: its field pales.",
        "",
        {},
        0,
        "Nothing is to be mended.",
    ),
    "collapse": Preset(
        "Collapse",
        {"penalty": "none", "beta1": 0.9},
        1500,
        "G piles up in one place and hops to another when D has learnt to refuse it: most modes stay empty.",
        "Modes are missing",
        {"penalty": "R1", "strength": 0.1, "beta1": 0.5},
        3000,
        "Less momentum lets both answer in time, and R1 keeps D from rising into a cliff at one pile.",
    ),
    "oscillation": Preset(
        "Oscillation",
        {"data": "point", "loss": "wasserstein", "penalty": "none", "beta1": 0.9},
        600,
        "The cloud swings round the real point and does not settle (show the path of the mean).",
        "The game goes round",
        {"penalty": "R1", "strength": 1.0},
        1500,
        "R1 damps the swinging: D becomes flat where the real points are, and pushes nobody on.",
    ),
    "d_wins": Preset(
        "D wins",
        {"loss": "minimax", "penalty": "none", "d_steps": 5, "d_lr": 0.003, "g_lr": 0.0002},
        900,
        "D tells most points apart, and with the minimax loss the arrows fade: G has nothing to go by.",
        "D wins",
        {"loss": "non_saturating", "penalty": "R1", "strength": 0.1, "d_steps": 1, "d_lr": 0.001, "g_lr": 0.001},
        1500,
        "The non-saturating loss pushes hardest where D is surest, and R1 makes its slope reach out.",
    ),
}
