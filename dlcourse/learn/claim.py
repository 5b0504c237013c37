"""Numbers in prose, asserted: a sentence that says "97 %" stands beside a cell that measures it.

    claim("97 %", accuracy, 0.95, 0.99)

The number read from the text and the measured value must both lie in the range the author allows, so neither the
sentence nor the code can drift away from the other. The notebook lint finds every number in prose in such a claim.
"""

import re
from typing import SupportsFloat

# A thousands comma needs groups of three: "0,5" is refused rather than read as 05.
NUMBER = re.compile(
    r"""(?<![\w.,])                              # not inside a word or another number
        (?P<sign>[-+\u2212])?
        (?P<digits>(?:\d{1,3}(?:,\d{3})++|\d++)(?:\.\d++)?|\.\d++)
        (?P<power>[eE][-+\u2212]?\d+)?
        (?![.,]\d)                            # "0,5" and "1.2.3" are no numbers
        (?:[\s\u00a0\u202f]*(?P<percent>%))?""",
    re.VERBOSE,
)
_BETWEEN = {"of": "out of", "to": "range", "\u2013": "range", "out of": "out of"}


class ClaimFailed(AssertionError):
    """A number in the text and the measurement disagree."""

    def _render_traceback_(self) -> list[str]:
        return [f"ClaimFailed: {self}"]


def value_of(match: re.Match[str]) -> float:
    """The number that a match of `NUMBER` stands for; a percentage is a fraction."""
    written = (match["sign"] or "") + match["digits"].replace(",", "") + (match["power"] or "")
    number = float(written.replace("\u2212", "-"))
    return number / 100 if match["percent"] else number


def parse(text: str) -> tuple[float, ...]:
    """The number in `text`, or both ends of a range; a number word is none.

    Raises ValueError when there is no digit, or more numbers than "3 of 4" (which is 3) and "82 to 91 %" have.

    >>> parse("97 % of the digits"), parse("1,797"), parse("3 of 4"), parse("1e-7"), parse("-1")
    ((0.97,), (1797.0,), (3.0,), (1e-07,), (-1.0,))
    >>> parse("82 to 91 %")
    (0.82, 0.91)
    """
    found = list(NUMBER.finditer(text))
    if len(found) == 1:
        return (value_of(found[0]),)
    joint = _BETWEEN.get(text[found[0].end() : found[1].start()].strip()) if len(found) == 2 else None
    if joint == "out of":
        return (value_of(found[0]),)
    if joint == "range":
        low, high = map(value_of, found)
        return (low / 100 if found[1]["percent"] and not found[0]["percent"] else low), high
    raise ValueError(
        f"A claim needs one number written in digits, and {text!r} has {len(found)}. "
        'Write "97 %", "1,797", "3 of 4", "82 to 91 %", "-0.5" or "1e-3", and one claim for each number.'
    )


def claim(text: str, value: SupportsFloat, low: float, high: float) -> None:
    """Asserts a number of the prose: what `text` says and the measured `value` both lie in [low, high].

    text: the number as the sentence writes it; a percentage is compared as a fraction ("97 %" with 0.97), and of a
    range ("82 to 91 %") both ends must lie in [low, high].
    value: what the cell measured: a number or a tensor with one element.
    Prints one line. Raises ClaimFailed when the sentence or the measurement is outside, ValueError when `text`
    cannot be read or the range is empty.

    >>> claim("97 %", 0.9722, 0.95, 0.99)
    claim "97 %": measured 0.9722, allowed 0.95 to 0.99
    """
    said, measured = parse(text), float(value)
    if not low <= high:
        raise ValueError(f"The claim {text!r} allows {low} to {high}: an empty range. Give the smaller bound first.")
    allowed = f"allowed {low:g} to {high:g}"
    if not all(low <= number <= high for number in said):
        read = " to ".join(f"{number:g}" for number in said)
        raise ClaimFailed(
            f'the text says "{text}", read as {read}, outside its own range ({allowed}). '
            "Mend the sentence or the range; a percentage is compared as a fraction."
        )
    if not low <= measured <= high:
        raise ClaimFailed(
            f'the text says "{text}", but the cell above measured {measured:.4g} ({allowed}). '
            "If you changed something above, that is the lesson; if not, please report it."
        )
    print(f'claim "{text}": measured {measured:.4g}, {allowed}')
