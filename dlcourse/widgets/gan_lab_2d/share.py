"""A game as a string, and back: where it began, the changes on the way, how far it went.

A string comes from strangers, so every part of it is checked, and its length bounded, before anything is computed.
"""

from collections.abc import Mapping
from typing import Any

from dlcourse.widgets.gan_lab_2d.history import Change
from dlcourse.widgets.gan_lab_2d.run import LIVE, TURNS, Run
from dlcourse.widgets.gan_lab_2d.target import DRAWN, MOST_DRAWN, Batches, after, checked_points
from dlcourse.widgets.params import Param, whole

UPDATES = 20_000  # about half a minute of replay
CHANGES = 2_000


def packed(run: Run) -> dict[str, Any]:
    """The run as JSON. Raises ValueError when it is too long to be shared."""
    history = run.history
    count = sum(map(len, history.changes.values()))
    if history.last > UPDATES or count > CHANGES:
        raise ValueError(
            f"this run has {history.last} updates and {count} changes; at most {UPDATES} and {CHANGES} can be shared, "
            "for whoever opens it computes them anew. Go back and change something, or reset."
        )
    changes = [[step, list(change)] for step, made in sorted(history.changes.items()) for change in made]
    where = {"step": run.at, "last": history.last, "stride": history.stride}
    drawn = [[list(point) for point in stroke] for stroke in history.drawn]
    return {"values": dict(history.values), "drawn": drawn, "changes": changes, **where}


def replayed(state: Any, params: Mapping[str, Param]) -> Run:
    """The run that `packed` described. Raises ValueError for anything that does not fit."""
    _expect(isinstance(state, dict), "a run is no table")
    given = state.get("values")
    _expect(isinstance(given, dict) and given.keys() == params.keys(), "it does not hold every setting")
    values = {name: param.check(name, given[name]) for name, param in params.items()}
    drawn = _strokes(state.get("drawn", []))
    _expect(not drawn or values["data"] == DRAWN, "it has drawn points beside another target")
    last = whole("last", state.get("last"), 0, UPDATES)
    step = whole("step", state.get("step"), 0, last)
    stride = whole("stride", state.get("stride"), 1, UPDATES)
    changes = _changes(state.get("changes", []), values, drawn, last, params)
    run = Run(values, drawn, stride=stride)
    for change in changes.pop(0, ()):
        run.change(change)
    run.history.changes |= changes
    while run.at < last and run.running:
        run.step()
    run.scrub(min(step, run.at))
    return run


def _changes(
    listed: Any, values: Mapping[str, Any], drawn: Batches, last: int, params: Mapping[str, Param]
) -> dict[int, tuple[Change, ...]]:
    _expect(isinstance(listed, list) and len(listed) <= CHANGES, f"it wants a list of at most {CHANGES} changes")
    changes: dict[int, tuple[Change, ...]] = {}
    strokes, before = drawn, 0
    for item in listed:
        _expect(isinstance(item, list) and len(item) == 2, "a change is no pair")
        before = whole("the step of a change", item[0], before, last)
        change = _change(item[1], values, params)
        _expect(bool(strokes) or change[0] not in ("undo", "clear"), "it takes points back where none are drawn")
        strokes = after(strokes, change)
        changes[before] = (*changes.get(before, ()), change)
    return changes


def _change(listed: Any, values: Mapping[str, Any], params: Mapping[str, Param]) -> Change:
    _expect(isinstance(listed, list) and listed and isinstance(listed[0], str), "a change has no name")
    kind, *rest = listed
    if kind == "set" and len(rest) == 1 and isinstance(rest[0], dict) and rest[0] and LIVE.issuperset(rest[0]):
        return kind, {name: params[name].check(name, value) for name, value in rest[0].items()}
    if kind == "turn" and len(rest) == 1 and rest[0] in TURNS:
        return kind, rest[0]
    _expect(values["data"] == DRAWN, "it draws points beside another target")
    if kind == "points" and len(rest) == 1:
        return kind, [list(point) for point in checked_points(rest[0])]
    _expect(kind in ("undo", "clear") and not rest, f"there is no change {kind[:20]!r} like this one")
    return (kind,)


def _strokes(listed: Any) -> Batches:
    _expect(isinstance(listed, list) and len(listed) <= MOST_DRAWN, "its drawn points are no list")
    strokes: Batches = ()
    for points in listed:
        strokes = after(strokes, ("points", checked_points(points)))
    return strokes


def _expect(true: Any, otherwise: str) -> None:
    if not true:
        raise ValueError(f"this share string is damaged ({otherwise}).")
