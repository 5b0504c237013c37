"""Ten digits as a hand would write them: a few points for each stroke, joined by a smooth curve."""

import itertools

from dlcourse.widgets.draw_pad.ink import Point

SMOOTH = 8  # points that take the place of each piece between two given ones
# Strokes of each digit: points "x,y" in hundredths of the pad, y down, and a bar where the pen turns a corner.
STROKES: tuple[tuple[str, ...], ...] = (
    ("57,18 43,17 32,30 28,52 33,73 46,84 60,82 70,67 72,45 66,26 57,18",),
    ("36,36 46,27 54,16 | 54,50 53,84",),
    ("30,32 37,19 52,15 66,24 65,40 52,57 38,71 28,83 | 50,82 74,81",),
    ("30,22 45,15 63,20 66,33 58,43 44,47 | 62,51 71,64 63,79 45,85 28,77",),
    ("48,14 38,35 26,59 | 50,58 75,56", "60,36 58,60 56,87"),
    ("35,17 33,32 31,46 | 46,40 62,45 70,60 63,77 47,85 29,79", "35,17 52,17 70,15"),
    ("60,14 44,27 33,46 30,67 40,83 57,84 68,72 64,58 50,53 34,62",),
    ("28,18 50,18 72,17 | 60,40 50,62 44,86", "38,52 52,51 68,50"),
    ("63,24 52,15 38,20 37,34 50,47 63,61 64,76 51,86 37,78 37,62 50,48 63,35 63,24",),
    ("66,28 53,16 38,22 34,37 44,48 58,44 66,28 | 66,50 60,72 48,85 34,82",),
)


def digit(which: int) -> list[list[Point]]:
    """The strokes of an example digit, on a pad of side 1 with y down.

    >>> [len(digit(which)) for which in range(10)]  # how many strokes
    [1, 1, 1, 1, 2, 2, 1, 2, 1, 1]
    """
    return [stroke(text) for text in STROKES[which]]


def stroke(text: str) -> list[Point]:
    """A curve through all points of a text such as "36,36 46,27 54,16 | 54,50 53,84": from corner to corner smooth.

    >>> stroke("20,50 80,50")[::4]
    [(0.2, 0.5), (0.5, 0.5), (0.8, 0.5)]
    """
    points: list[Point] = []
    for part in text.split("|"):
        given = [(int(x) / 100, int(y) / 100) for x, y in (pair.split(",") for pair in part.split())]
        points += curve([*points[-1:], *given])[bool(points) :]
    return points


def curve(points: list[Point]) -> list[Point]:
    """A smooth curve through the points (Catmull and Rom 1974), `SMOOTH` times as many."""
    made = points[:1]
    for (before, start), (end, after) in zip(
        itertools.pairwise([points[0], *points]), itertools.pairwise([*points[1:], points[-1]]), strict=False
    ):
        for step in range(1, SMOOTH + 1):
            x, y = (_spline(*axis, step / SMOOTH) for axis in zip(before, start, end, after, strict=True))
            made.append((round(x, 4), round(y, 4)))
    return made


def _spline(before: float, start: float, end: float, after: float, t: float) -> float:
    """From `start` at t = 0 to `end` at t = 1, in the direction of the line between the neighbours at both."""
    linear, square = end - before, 2 * before - 5 * start + 4 * end - after
    return 0.5 * (2 * start + linear * t + square * t**2 + (3 * start - before - 3 * end + after) * t**3)
