"""A run as a string, and back: where it began, the changes on the way, how far it went.

A string comes from strangers, so every part of it is checked, and its length bounded, before anything is computed.
"""

from collections.abc import Mapping
from typing import Any

from dlcourse.widgets.params import Number, Param, whole
from dlcourse.widgets.playground.history import Change
from dlcourse.widgets.playground.problem import EXTENT, MOST_DRAWN, Batches, checked_points, problem
from dlcourse.widgets.playground.run import LIVE, Run

STEPS = 20_000  # some seconds of replay
CHANGES = 2_000
WEIGHT = Number(label="weight", default=0.0, low=-10.0, high=10.0)


def packed(run: Run) -> dict[str, Any]:
    """The run as JSON. Raises ValueError when it is too long to be shared."""
    history = run.history
    count = sum(map(len, history.changes.values()))
    if history.last > STEPS or count > CHANGES:
        raise ValueError(
            f"this run has {history.last} steps and {count} changes; at most {STEPS} and {CHANGES} can be shared, "
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
    last = whole("last", state.get("last"), 0, STEPS)
    step = whole("step", state.get("step"), 0, last)
    stride = whole("stride", state.get("stride"), 1, STEPS)
    changes = _changes(state.get("changes", []), values, drawn, last, params)
    run = Run(problem(values), values, drawn, stride=stride)
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
    widths = (len(values["features"]), *values["layers"], 1)
    if kind == "set" and len(rest) == 1 and isinstance(rest[0], dict) and rest[0] and LIVE.issuperset(rest[0]):
        return kind, {name: params[name].check(name, value) for name, value in rest[0].items()}
    if kind == "weight" and len(rest) == 4:
        return kind, *place(widths, *rest[:3]), WEIGHT.check("the weight", rest[3])
    if kind == "bias" and len(rest) == 3:
        return kind, *place(widths, *rest[:2])[:2], WEIGHT.check("the bias", rest[2])
    if kind == "points" and len(rest) == 1:
        return kind, [list(point) for point in checked_points(rest[0], EXTENT)]
    _expect(kind in ("undo", "clear") and not rest, f"there is no change {kind[:20]!r} like this one")
    return (kind,)


def after(strokes: Batches, change: Change) -> Batches:
    """What is drawn after a change. Raises ValueError for too many points."""
    if change[0] == "points":
        strokes = (*strokes, tuple(map(tuple, change[1])))
        if (count := sum(map(len, strokes))) > MOST_DRAWN:
            raise ValueError(f"that would be {count} drawn points; at most {MOST_DRAWN}. Clear some first.")
    return {"undo": strokes[:-1], "clear": ()}.get(change[0], strokes)


def place(widths: tuple[int, ...], layer: Any, unit: Any, source: Any = 0) -> tuple[int, ...]:
    """The indices of a weight, checked against the network's widths."""
    layer = whole("layer", layer, 0, len(widths) - 2)
    return layer, whole("unit", unit, 0, widths[layer + 1] - 1), whole("input", source, 0, widths[layer] - 1)


def _strokes(listed: Any) -> Batches:
    _expect(isinstance(listed, list) and len(listed) <= MOST_DRAWN, "its drawn points are no list")
    strokes: Batches = ()
    for points in listed:
        strokes = after(strokes, ("points", checked_points(points, EXTENT)))
    return strokes


def _expect(true: Any, otherwise: str) -> None:
    if not true:
        raise ValueError(f"this share string is damaged ({otherwise}).")
