"""Numbers as people write them: one rule for the whole screen. `number` in numbers.js follows the same."""

from decimal import ROUND_HALF_UP, Context, Decimal

FOUR = Context(prec=4, rounding=ROUND_HALF_UP)


def number(value: float | None) -> str:
    """Four digits that count, all of them before the point; halves go away from 0, as at school.

    >>> number(3.0), number(-0.25), number(1 / 9), number(1 / 64), number(1234.5), number(123456.0)
    ('3', '-0.25', '0.1111', '0.01563', '1235', '123456')
    >>> number(-0.0), number(0.000025), number(None)
    ('0', '2.5e-5', 'nothing')
    """
    if value is None:
        return "nothing"
    if value == 0:
        return "0"
    if value == round(value) or abs(value) >= 1000:
        return f"{Decimal(value).to_integral_value(ROUND_HALF_UP):f}"
    rounded = FOUR.create_decimal(Decimal(value)).normalize()
    return f"{rounded:e}" if abs(rounded) < Decimal("1e-4") else f"{rounded:f}"


def factor(value: float | None) -> str:
    """The same as a factor in a product: a negative one in parentheses."""
    return f"({number(value)})" if value is not None and value < 0 else number(value)


def short(value: float, digits: int = 2) -> str:
    """For a narrow cell, with the sign that print has: so many digits after the point, one less from 10 on.

    >>> short(3.0), short(0.1111), short(12.34), short(1234.5), short(123456.0), short(0.5), short(0.001)
    ('3', '0.11', '12.3', '1235', '1e5', '0.5', '≈0')
    """
    size, sign = abs(value), "\N{MINUS SIGN}" if value < 0 else ""
    if size >= 1e5:
        return sign + f"{size:.0e}".replace("e+0", "e").replace("e+", "e")
    if size == round(size) or size >= 100:
        return sign + number(float(round(size + 1e-9)))
    text = f"{size:.{digits - (size >= 9.995)}f}".rstrip("0").rstrip(".")
    return "≈0" if float(text) == 0 else sign + text
