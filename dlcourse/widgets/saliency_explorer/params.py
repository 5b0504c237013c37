"""What may be set: what is explained, from which baseline, how much of the network is left, and what is looked at."""

from dataclasses import dataclass
from typing import Any

from dlcourse.widgets.params import Choice, Number, Param, Whole, shown
from dlcourse.widgets.saliency_explorer.methods import METHODS

MOST_LAYERS = 200
BASELINES = ("paper", "ink", "mean_grey", "blurred")
WORDS = ("label", "answer")  # targets that are no class


@dataclass(frozen=True, kw_only=True)
class Target(Param):
    """One of `WORDS`, or a class by its name or number; which ones there are only the engine knows."""

    default: str = "label"

    def check(self, name: str, value: Any) -> str:
        if isinstance(value, bool) or not isinstance(value, (str, int)):
            raise ValueError(f"{name}={shown(value)}: wanted 'label', 'answer' or the name of a class.")
        return str(value)


PARAMS = {
    "picked": Choice(
        label="Map",
        help="The one that the lower panels look at.",
        default="integrated_gradients",
        options=tuple(METHODS),
    ),
    "target": Target(label="Target", help="The class whose logit is explained."),
    "baseline": Choice(
        label="Baseline",
        help="What stands for nothing there: 0, 1, the mean of all pictures, or this picture blurred.",
        default="paper",
        options=BASELINES,
    ),
    "layers": Whole(
        label="Layers randomised",
        help="How many layers have lost what they learned, from the last to the first.",
        default=0,
        low=0,
        high=MOST_LAYERS,
    ),
    "seed": Whole(label="Seed", help="Of what randomised layers are drawn from.", default=0, low=0, high=9999),
    "curve": Choice(
        label="Curve",
        help="Deletion takes the pixels with the largest map away first; insertion puts them in first.",
        default="deletion",
        options=("deletion", "insertion"),
    ),
    "gone": Number(
        label="Share", help="The share of pixels taken away, or put in, in the map's order.", default=0.2, low=0, high=1
    ),
    "pen": Number(label="Pen", help="The width of the line, as a share of the pad.", default=0.09, low=0.03, high=0.2),
}
OF_THE_LOOK = frozenset({"picked", "curve", "gone", "pen"})  # they leave all maps as they are
