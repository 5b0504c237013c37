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
        {"penalty": "R1", "strength": 0.1},
        3000,
        "All eight modes come, and D ends undecided: its field pales.",
        "",
        {},
        0,
        "Nothing is to be mended.",
    ),
    "collapse": Preset(
        "Collapse",
        {},
        2000,
        "G piles up on a few modes and hops to others when D has learnt to refuse these.",
        "Modes are missing",
        {"penalty": "R1", "strength": 0.1},
        2000,
        "R1 keeps D's slope at real points small, so that D cannot chase one pile at the cost of all others.",
    ),
    "oscillation": Preset(
        "Oscillation",
        {"data": "point"},
        1000,
        "The cloud circles the real point and does not settle.",
        "The game goes round",
        {"penalty": "R1", "strength": 1.0},
        1000,
        "R1 damps the circling: at the optimum D is flat, and pushes nobody on.",
    ),
    "d_wins": Preset(
        "D wins",
        {"loss": "minimax", "d_steps": 5, "d_lr": 0.003, "g_lr": 0.0005},
        1000,
        "D tells all points apart, and with the minimax loss the arrows fade: G has nothing to go by.",
        "D wins",
        {"loss": "non_saturating", "penalty": "R1", "strength": 0.1, "d_steps": 1, "d_lr": 0.001, "g_lr": 0.001},
        2000,
        "The non-saturating loss pushes hardest where D is surest, and R1 makes its slope reach out.",
    ),
}
