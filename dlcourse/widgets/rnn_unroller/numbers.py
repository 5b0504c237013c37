"""Numbers as the unroller writes them. `figure` in numbers.js follows the same rule."""

import math

from dlcourse.types import Float, Tensor

RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def scale(numbers: Float[Tensor, "..."]) -> float:
    """The next round number that none of these is beyond, so that colours are strong; never below a thousandth.

    >>> import torch
    >>> scale(torch.tensor([0.3, -0.61])), scale(torch.tensor([1.0])), scale(torch.zeros(2))
    (0.8, 1.0, 0.001)
    """
    finite = numbers[numbers.isfinite()].abs()
    most = min(max(finite.max().item() if len(finite) else 1.0, 1e-3), 1e37)
    ten = 10.0 ** math.floor(math.log10(most))
    return next(
        float(f"{step * ten:.1e}") for step in (1, 1.5, 2, 3, 4, 5, 6, 8, 10) if step * ten >= most * (1 - 1e-6)
    )


def figure(value: float, digits: int = 3) -> str:
    """Three digits that count, beyond a thousandth and ten thousand with a power of ten.

    >>> figure(0.5), figure(0.01234), figure(3.2e-9), figure(-0.25), figure(123456.0), figure(0.0)
    ('0.5', '0.0123', '3.2·10⁻⁹', '-0.25', '1.23·10⁵', '0')
    >>> figure(math.inf), figure(0.9999)
    ('more than float32 holds', '1')
    """
    if not math.isfinite(value):
        return "more than float32 holds"
    if value == 0:
        return "0"
    mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
    if -3 <= int(exponent) <= 4:
        return f"{float(f'{value:.{digits - 1}e}'):g}" if int(exponent) < digits else f"{value:.0f}"
    return f"{float(mantissa):g}·10{str(int(exponent)).translate(RAISED)}"
