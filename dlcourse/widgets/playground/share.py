"""What the playground's run adds to the shared string: which changes there are, and what a weight may be."""

from collections.abc import Mapping
from typing import Any

from dlcourse.widgets.params import Number, Param, whole
from dlcourse.widgets.playground.problem import EXTENT, checked_points, problem
from dlcourse.widgets.playground.run import LIVE, Run
from dlcourse.widgets.runs.history import Change
from dlcourse.widgets.runs.share import expect, opened

WEIGHT = Number(label="weight", default=0.0, low=-10.0, high=10.0)


def replayed(state: Any, params: Mapping[str, Param]) -> Run:
    """The run that `packed` described. Raises ValueError for anything that does not fit."""
    told = opened(state, params, lambda points: checked_points(points, EXTENT))
    changes = told.changes(lambda listed: _change(listed, told.values, params))
    run = Run(problem(told.values), told.values, told.drawn, stride=told.stride)
    told.replay(run, changes)
    return run


def _change(listed: list, values: Mapping[str, Any], params: Mapping[str, Param]) -> Change:
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
    expect(kind in ("undo", "clear") and not rest, f"there is no change {kind[:20]!r} like this one")
    return (kind,)


def place(widths: tuple[int, ...], layer: Any, unit: Any, source: Any = 0) -> tuple[int, ...]:
    """The indices of a weight, checked against the network's widths."""
    layer = whole("layer", layer, 0, len(widths) - 2)
    return layer, whole("unit", unit, 0, widths[layer + 1] - 1), whole("input", source, 0, widths[layer] - 1)
