"""What `load` returns: a labelled set, a series, a text, a list of names, or recordings. Each says where it is from."""

from collections.abc import Iterator
from dataclasses import dataclass

from dlcourse.types import Float, Int, Tensor


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """Examples and their labels; unpacks into the two: `x, y = load("digits")`.

    Images are (batch, channel, height, width) in [0, 1]; tables are (batch, features) in raw units, never scaled.
    """

    name: str
    x: Float[Tensor, "batch ..."]
    y: Int[Tensor, " batch"]  # index into `classes`
    classes: tuple[str, ...]
    features: tuple[str, ...]  # the columns of a table; empty for images
    units: str
    source: str  # one line: where from, who made it
    licence: str

    def __iter__(self) -> Iterator[Tensor]:
        return iter((self.x, self.y))

    def __repr__(self) -> str:
        return f"Dataset({self.name}: x {tuple(self.x.shape)}, y {tuple(self.y.shape)}, {len(self.classes)} classes)"


@dataclass(frozen=True, eq=False, repr=False)
class Series:
    """One number at each of many times, evenly spaced; unpacks into the two: `years, values = load("sunspots")`."""

    name: str
    years: Float[Tensor, " time"]  # when: 1958.5 is the middle of 1958
    values: Float[Tensor, " time"]  # raw, never scaled
    season: int  # steps after which it comes round, about: what a seasonal guess would look back
    units: str
    source: str
    licence: str

    def __iter__(self) -> Iterator[Tensor]:
        return iter((self.years, self.values))

    def __repr__(self) -> str:
        first, final = int(self.years[0]), int(self.years[-1])
        return f"Series({self.name}: {len(self.values)} values, {first} to {final}, {self.units})"


@dataclass(frozen=True, eq=False, repr=False)
class Text:
    """One long text."""

    name: str
    text: str
    source: str
    licence: str

    def __repr__(self) -> str:
        return f"Text({self.name}: {len(self.text):,} characters, {len(set(self.text))} different)"


@dataclass(frozen=True, eq=False, repr=False)
class Names:
    """Given names in lower case, girls' then boys', each by falling frequency; a name given to both occurs twice."""

    name: str
    names: tuple[str, ...]
    source: str
    licence: str

    def __repr__(self) -> str:
        return f"Names({self.name}: {len(self.names):,} names, {', '.join(self.names[:3])} ...)"


@dataclass(frozen=True, eq=False, repr=False)
class Recordings:
    """Recordings of different lengths; the label is what is said, the speaker is who says it."""

    name: str
    waves: tuple[Float[Tensor, " _"], ...]  # amplitude in [-1, 1) over time; `_` because the lengths differ
    y: Int[Tensor, " batch"]  # index into `classes`
    speakers: tuple[str, ...]  # one for each wave
    classes: tuple[str, ...]
    rate: int  # samples a second
    source: str
    licence: str

    def __repr__(self) -> str:
        return f"Recordings({self.name}: {len(self.waves):,} at {self.rate} Hz, {len(set(self.speakers))} speakers)"
