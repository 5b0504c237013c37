"""Numbers on their way in and out: checked as they come from a browser or a cell, short as they are printed."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch

from dlcourse.types import Tensor

LEFT, RIGHT, BOTTOM, TOP = -3.0, 3.0, -2.0, 4.0  # of the picture
LARGEST = 1e6  # no number is larger: float32 still tells the errors apart from infinity
PLACES = 61  # where the target is known, 0.1 apart


def term(weight: float, bias: float, out: float) -> str:
    """A hinge as people write it.

    >>> term(1, 0.5, 1), term(-2, -2, -0.5), term(0, 3, 1)
    ('relu(x + 0.5)', '-0.5 relu(-2x - 2)', 'relu(3)')
    """
    factor = {"1": "", "-1": "-"}.get(number(weight), number(weight))
    inner = [f"{factor}x"] if number(weight) != "0" else []
    if number(bias) != "0" or not inner:
        inner += [("+ " if bias > 0 else "- ") + number(abs(bias))] if inner else [number(bias)]
    outer = {"1": "", "-1": "-"}.get(number(out), f"{number(out)} ")
    return f"{outer}relu({' '.join(inner)})"


def number(value: float) -> str:
    """Three digits that count.

    >>> number(-0.04997), number(2.0), number(-0.0)
    ('-0.05', '2', '0')
    """
    return f"{value + 0.0:.3g}"


def count(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def tensor(values: Any) -> Tensor:
    return torch.tensor(values, dtype=torch.float32, device="cpu")


def short(values: Tensor) -> list[float]:
    """Float32 numbers with no more digits than it takes to come back to the same: 0.3, not 0.30000001192092896."""
    short = [float(str(value)) for value in values.detach().numpy()]
    return [brief if np.float32(brief) == long else long for brief, long in zip(short, values.tolist(), strict=True)]


def divided(hundredths: Iterable[int]) -> list[float]:
    return [value / 100 for value in hundredths]


def hundredths(values: Sequence[float]) -> list[int]:
    """A drawing as whole hundredths, so that it is shared exactly. Raises ValueError for another size or range."""
    if len(values) != PLACES or not all(BOTTOM <= value <= TOP for value in values):
        raise ValueError(
            f"drawn holds {len(values)} numbers: wanted {PLACES}, one for each place from {LEFT:g} to {RIGHT:g}, "
            f"each between {BOTTOM:g} and {TOP:g}."
        )
    return [round(100 * value) for value in values]


def real(name: str, value: Any) -> float:
    if isinstance(value, (bool, str, bytes)) or value is None:
        raise ValueError(f"{name}={value!r}: wanted a number.")
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{name}={value!r}: wanted a number.") from None
    if not abs(number) < 1e30:  # float32 holds no more, and "not a number" is not below it either
        raise ValueError(f"{name}={value!r}: wanted a finite number.")
    return number


def reals(name: str, values: Any, most: float = LARGEST) -> list[float]:
    """A list, a tuple, a tensor or an array of numbers of this size at most as a plain list. Raises ValueError."""
    values = values.tolist() if hasattr(values, "tolist") else values
    if not isinstance(values, (list, tuple)):
        raise ValueError(f"{name}={values!r}: wanted a list of numbers.")
    return [within(name, value, -most, most) for value in values]


def within(name: str, value: Any, low: float, high: float) -> float:
    number = real(name, value)
    if not low <= number <= high:
        raise ValueError(f"{name}={number:g} is out of range: wanted a number from {low:g} to {high:g}.")
    return number


def whole(name: str, value: Any, low: int, high: int) -> int:
    number = real(name, value)
    if number != int(number) or not low <= number <= high:
        raise ValueError(f"{name}={value!r}: wanted a whole number from {low} to {high}.")
    return int(number)
