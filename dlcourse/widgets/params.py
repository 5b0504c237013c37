"""What a learner may set. A parameter knows its default and its range, checks a value, and tells a view how to show it.

An engine lists its parameters in one table; the widget makes a trait and a control of each, so nothing is said twice.
"""

import math
from dataclasses import asdict, dataclass
from typing import Any

LONGEST = 80  # characters of a refused value that a message repeats


def shown(value: Any) -> str:
    """A value as a message repeats it: it may have come from a stranger, and be long."""
    text = repr(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


@dataclass(frozen=True, kw_only=True)
class Param:
    """label: what stands beside the control. help: one sentence, shown on hover and read by screen readers."""

    label: str
    help: str = ""

    def check(self, name: str, value: Any) -> Any:
        """The value in its own type. Raises ValueError that says what is allowed."""
        raise NotImplementedError

    def spec(self) -> dict[str, Any]:
        """What the view needs to draw the control, as JSON."""
        return {"kind": type(self).__name__.lower(), **asdict(self)}


@dataclass(frozen=True, kw_only=True)
class Number(Param):
    """A float in [low, high]. log: the control moves by factors; 0 is possible only as `zero`, the leftmost stop."""

    default: float
    low: float
    high: float
    log: bool = False
    zero: bool = False  # with log: 0 is allowed too
    digits: int = 2  # shown after the point, or with log: significant ones

    def check(self, name: str, value: Any) -> float:
        number = _number(name, value, f"a number from {self.low:g} to {self.high:g}")
        if self.zero and number == 0:
            return 0.0
        if not self.low <= number <= self.high:
            raise ValueError(f"{name}={number:g} is out of range: wanted {self._range()}.")
        return number

    def _range(self) -> str:
        return f"{'0, or ' if self.zero else ''}a number from {self.low:g} to {self.high:g}"


@dataclass(frozen=True, kw_only=True)
class Whole(Param):
    """A whole number in [low, high]."""

    default: int
    low: int
    high: int

    def check(self, name: str, value: Any) -> int:
        wanted = f"a whole number from {self.low} to {self.high}"
        number = _number(name, value, wanted)
        if number != int(number) or not self.low <= number <= self.high:
            raise ValueError(f"{name}={shown(value)} is out of range: wanted {wanted}.")
        return int(number)


@dataclass(frozen=True, kw_only=True)
class Choice(Param):
    """One of `options`, by name."""

    default: str
    options: tuple[str, ...]

    def check(self, name: str, value: Any) -> str:
        if not isinstance(value, str) or value not in self.options:
            raise ValueError(f"{name}={shown(value)} is not known: wanted one of {', '.join(map(repr, self.options))}.")
        return value


@dataclass(frozen=True, kw_only=True)
class Several(Param):
    """Some of `options`, at least one; kept in the order of the options."""

    default: tuple[str, ...]
    options: tuple[str, ...]

    def check(self, name: str, value: Any) -> tuple[str, ...]:
        chosen = [value] if isinstance(value, str) else list(value) if isinstance(value, (list, tuple, set)) else []
        unknown = [item for item in chosen if item not in self.options]
        if unknown or not chosen:
            raise ValueError(f"{name}={shown(value)}: wanted at least one of {', '.join(map(repr, self.options))}.")
        return tuple(option for option in self.options if option in chosen)


@dataclass(frozen=True, kw_only=True)
class Flag(Param):
    """On or off."""

    default: bool

    def check(self, name: str, value: Any) -> bool:
        if not isinstance(value, bool):
            raise ValueError(f"{name}={shown(value)}: wanted True or False.")
        return value


@dataclass(frozen=True, kw_only=True)
class Widths(Param):
    """Units per hidden layer: up to `most` layers of 1 to `high` units."""

    default: tuple[int, ...]
    most: int
    high: int

    def check(self, name: str, value: Any) -> tuple[int, ...]:
        wanted = f"up to {self.most} layers of 1 to {self.high} units, such as (4, 2)"
        if not isinstance(value, (list, tuple)) or len(value) > self.most:
            raise ValueError(f"{name}={shown(value)}: wanted {wanted}.")
        widths = tuple(_number(name, item, wanted) for item in value)
        if any(width != int(width) or not 1 <= width <= self.high for width in widths):
            raise ValueError(f"{name}={shown(value)}: wanted {wanted}.")
        return tuple(int(width) for width in widths)


def whole(name: str, value: Any, low: int, high: int) -> int:
    """A whole number that is no parameter but an argument: a step, an index. Raises ValueError as `Whole` does.

    >>> whole("step", 3.0, 0, 9)
    3
    """
    return Whole(label=name, default=low, low=low, high=high).check(name, value)


def _number(name: str, value: Any, wanted: str) -> float:
    """Whatever is a finite number (a Python or numpy number, a one-element tensor), as a float."""
    try:
        number = math.nan if isinstance(value, (bool, str, bytes)) else float(value)
    except (TypeError, ValueError, OverflowError, RuntimeError):  # the last is torch's, for a tensor of several numbers
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"{name}={shown(value)}: wanted {wanted}.")
    return number
