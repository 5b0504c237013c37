"""What may be set: a layer by name, a unit in it, a shift of the picture, the pen."""

from dataclasses import dataclass
from typing import Any

from dlcourse.widgets.params import Number, Param, Whole, shown

SHIFT = 4


@dataclass(frozen=True, kw_only=True)
class Name(Param):
    """A name; which ones there are only the engine knows, from the learner's network."""

    default: str

    def check(self, name: str, value: Any) -> str:
        if not isinstance(value, str):
            raise ValueError(f"{name}={shown(value)}: wanted the name of a layer.")
        return value


PARAMS = {
    "layer": Name(label="Layer", default="", help="Whose maps are shown; empty: the first convolution."),
    "channel": Whole(label="Channel", default=0, low=0, high=9999, help="Which of the layer's maps."),
    "row": Whole(label="Row", default=0, low=0, high=999, help="Of the unit in its map, from the top."),
    "column": Whole(label="Column", default=0, low=0, high=999, help="Of the unit in its map, from the left."),
    "right": Whole(
        label="Move right", default=0, low=-SHIFT, high=SHIFT, help="The picture, in pixels; zeros move in."
    ),
    "down": Whole(label="Move down", default=0, low=-SHIFT, high=SHIFT, help="The picture, in pixels; zeros move in."),
    "pen": Number(label="Pen", help="The width of the line, as a share of the pad.", default=0.09, low=0.03, high=0.2),
}
