"""What a learner draws in the plane, stroke by stroke, so that the last stroke can be taken back."""

from typing import Any

MOST_DRAWN = 500
Strokes = tuple[tuple[tuple[float, ...], ...], ...]  # of points: x1, x2 and what else a room's points have


def after(strokes: Strokes, change: tuple) -> Strokes:
    """What is drawn after a change. Raises ValueError for too many points.

    >>> after((((0.0, 1.0),),), ("points", [[2.0, 3.0], [4.0, 5.0]]))
    (((0.0, 1.0),), ((2.0, 3.0), (4.0, 5.0)))
    >>> after((((0.0, 1.0),),), ("undo",))
    ()
    """
    if change[0] == "points":
        strokes = (*strokes, tuple(map(tuple, change[1])))
        if (count := sum(map(len, strokes))) > MOST_DRAWN:
            raise ValueError(f"that would be {count} drawn points; at most {MOST_DRAWN}. Clear some first.")
    return {"undo": strokes[:-1], "clear": ()}.get(change[0], strokes)


def counted(points: Any, wanted: str) -> list:
    """The points of one stroke, as a list. Raises ValueError, which says what is `wanted`, when it is none or too long.

    >>> counted(((0, 1), (2, 3)), "wanted [[x, y], ...]")
    [(0, 1), (2, 3)]
    """
    points = points.tolist() if hasattr(points, "tolist") else points  # a tensor, a numpy array
    if not isinstance(points, (list, tuple)) or not 1 <= len(points) <= MOST_DRAWN:
        raise ValueError(f"points={str(points)[:60]}: {wanted}, at least one and at most {MOST_DRAWN}.")
    return list(points)
