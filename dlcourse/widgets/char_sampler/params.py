"""What may be set."""

from dataclasses import dataclass
from typing import Any

from dlcourse.widgets.params import Choice, Number, Param, Whole, shown

LONGEST_PREFIX = 300  # characters
MOST_KEPT = 100  # the largest top-k


@dataclass(frozen=True, kw_only=True)
class Text(Param):
    """A text of up to `most` characters."""

    default: str
    most: int

    def check(self, name: str, value: Any) -> str:
        if not isinstance(value, str):
            raise ValueError(f"{name}={shown(value)}: wanted a text of up to {self.most} characters.")
        if len(value) > self.most:
            raise ValueError(f"{name} has {len(value)} characters; wanted up to {self.most}. Leave the first ones out.")
        if any(0xD800 <= ord(character) < 0xE000 for character in value):
            raise ValueError(f"{name}={shown(value)} holds half of a character (a surrogate); wanted whole ones.")
        return value


@dataclass(frozen=True, kw_only=True)
class Optional(Whole):
    """A whole number, or None, which is 0."""

    def check(self, name: str, value: Any) -> int:
        return super().check(name, 0 if value is None else value)

    def spec(self) -> dict[str, Any]:
        return {**super().spec(), "kind": "whole"}


PARAMS = {
    "prefix": Text(
        label="Prefix", help="What the model reads first; it writes on from there.", default="", most=LONGEST_PREFIX
    ),
    "temperature": Number(
        label="Temperature",
        help="Below 1 the likely gets likelier; at 0 only the likeliest is drawn; above 1 the unlikely comes up.",
        default=1.0,
        low=0,
        high=2,
    ),
    "top_k": Optional(
        label="Top-k (0: off)", help="Only the k likeliest may be drawn.", default=0, low=0, high=MOST_KEPT
    ),
    "top_p": Number(
        label="Top-p (1: off)",
        help="Only the likeliest that together have at least this share may be drawn.",
        default=1.0,
        low=0,
        high=1,
    ),
    "seed": Whole(label="Seed", help="Another seed, other draws; the same one, the same.", default=0, low=0, high=9999),
    "pace": Choice(label="Pace", help="How fast play goes.", default="fast", options=("slow", "fast")),
}
