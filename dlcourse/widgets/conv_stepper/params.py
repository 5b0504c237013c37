"""What may be set. Five of the parameters are pairs, (rows, columns), of which a single number sets both."""

from dataclasses import dataclass
from typing import Any

from dlcourse.widgets.conv_stepper.kernels import PRESETS
from dlcourse.widgets.conv_stepper.pictures import EXAMPLES
from dlcourse.widgets.params import Choice, Flag, Number, Param, Whole, shown

Pair = tuple[int, int]  # (rows, columns)


def spoken(pair: Pair) -> str:
    """
    >>> spoken((2, 2)), spoken((1, 2))
    ('2', '1 down and 2 across')
    """
    return str(pair[0]) if pair[0] == pair[1] else f"{pair[0]} down and {pair[1]} across"


@dataclass(frozen=True, kw_only=True)
class Two(Param):
    """(rows, columns), both whole numbers in [low, high]; one number stands for both.

    >>> stride = Two(label="Stride", default=(1, 1), low=1, high=4)
    >>> stride.check("stride", 2), stride.check("stride", [2, 1])
    ((2, 2), (2, 1))
    """

    default: Pair
    low: int
    high: int

    def check(self, name: str, value: Any) -> Pair:
        pair = list(value) if isinstance(value, (list, tuple)) else [value, value]
        if len(pair) != 2:
            raise ValueError(
                f"{name}={shown(value)}: wanted one whole number from {self.low} to {self.high}, or two, "
                "(rows, columns)."
            )
        one = Whole(label=self.label, default=self.low, low=self.low, high=self.high)
        return one.check(name, pair[0]), one.check(name, pair[1])


PARAMS: dict[str, Param] = {
    "mode": Choice(
        label="Kind",
        default="kernel",
        options=("kernel", "max", "average"),
        help="kernel: multiply and add. max, average: pooling, which has no numbers of its own.",
    ),
    "example": Choice(
        label="Picture", default="edge", options=(*EXAMPLES, "own"), help="Paint on any of them; then it is your own."
    ),
    "seed": Whole(
        label="Which one", default=0, low=0, high=9999, help="Other digits, patches or noise for each number."
    ),
    "size": Two(label="Picture size", default=(7, 7), low=3, high=16, help="Rows and columns."),
    "preset": Choice(
        label="Kernel", default="left_right", options=(*PRESETS, "own"), help="Type over any number; then it is own."
    ),
    "kernel_size": Two(label="Window", default=(3, 3), low=1, high=5, help="Rows and columns of the kernel."),
    "stride": Two(label="Stride", default=(1, 1), low=1, high=4, help="How far the window moves."),
    "padding": Two(label="Padding", default=(0, 0), low=0, high=4, help="Cells added on each side of the picture."),
    "dilation": Two(
        label="Dilation", default=(1, 1), low=1, high=4, help="Distance between neighbours in the window; 1: no gaps."
    ),
    "bias": Number(label="Bias", default=0.0, low=-10.0, high=10.0, digits=1, help="Added to every sum."),
    "flip": Flag(
        label="Flip the kernel", default=False, help="Off: correlation, as in torch. On: convolution in mathematics."
    ),
    "count_padding": Flag(
        label="Count the padding", default=True, help="Average pooling: divide by all places, padding included."
    ),
    "layers": Whole(label="Layers", default=1, low=1, high=4, help="The same layer, so many times over."),
    "show": Choice(
        label="Cells show",
        default="values",
        options=("values", "paths"),
        help="paths: how many ways lead from each cell to the chosen one of the last layer.",
    ),
    "brush": Number(label="Brush", default=1.0, low=-9.0, high=9.0, digits=1, help="The number that painting puts."),
    "pace": Choice(label="Pace", default="slow", options=("slow", "fast"), help="How fast play goes."),
}
