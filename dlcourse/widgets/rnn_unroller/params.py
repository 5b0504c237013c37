"""What may be set."""

from dataclasses import dataclass
from typing import Any

from dlcourse.widgets.params import Choice, Number, Param, Whole, shown

STEPS = 120  # of a text, at most
UNITS = 32  # of a cell that the unroller makes


@dataclass(frozen=True, kw_only=True)
class Text(Param):
    """1 to `longest` characters, any of them.

    >>> Text(label="Text", default="a", longest=3).check("text", "äöü")
    'äöü'
    """

    default: str
    longest: int

    def check(self, name: str, value: Any) -> str:
        wanted = f"wanted a text of 1 to {self.longest} characters"
        if not isinstance(value, str):
            raise ValueError(f"{name}={shown(value)}: {wanted}.")
        if not 1 <= len(value) <= self.longest:
            raise ValueError(f"{name} has {len(value)} characters: {wanted}.")
        if any("\ud800" <= character <= "\udfff" for character in value):
            raise ValueError(f"{name} holds half of a character, which no file could keep: {wanted}.")
        return value


PARAMS: dict[str, Param] = {
    "text": Text(
        label="Text", default="she put the key under the mat", longest=STEPS, help="One step for each character."
    ),
    "cell": Choice(
        label="Cell", default="rnn", options=("rnn", "lstm", "gru"), help="What happens at each of the steps."
    ),
    "units": Whole(label="Units", default=12, low=1, high=UNITS, help="Numbers in the hidden state."),
    "radius": Number(
        label="Spectral radius",
        default=0.9,
        low=0.1,
        high=2.0,
        help="Of an RNN's weight_hh: the size of its largest eigenvalue.",
    ),
    "activation": Choice(
        label="Activation", default="tanh", options=("tanh", "none"), help="An RNN's; none: nothing bends."
    ),
    "start": Choice(
        label="Gates start",
        default="usual",
        options=("usual", "forget_bias", "chrono"),
        help="Biases of the gate that keeps the old: the LSTM's forget gate, the GRU's update gate.",
    ),
    "bias": Number(label="Forget bias", default=1.0, low=-4.0, high=6.0, help="For all units; start: forget bias."),
    "longest": Whole(
        label="Longest memory", default=60, low=2, high=300, help="In steps; start: chrono draws 2 to this many."
    ),
    "seed": Whole(label="Seed", default=0, low=0, high=9999, help="Other weights, and another vector per character."),
    "cut": Whole(
        label="Cut after step",
        default=0,
        low=0,
        high=STEPS - 1,
        help="No gradient gets back beyond this place, as with a detach; 0: no cut.",
    ),
    "unit": Whole(label="Unit", default=0, low=0, high=199, help="The one whose numbers are written out."),
    "pace": Choice(label="Pace", default="slow", options=("slow", "fast"), help="Of play."),
}
