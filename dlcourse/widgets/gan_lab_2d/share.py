"""What the lab's game adds to the shared string: which changes there are, and that only a drawn target has points."""

from collections.abc import Mapping
from typing import Any

from dlcourse.widgets.gan_lab_2d.run import LIVE, TURNS, Run
from dlcourse.widgets.gan_lab_2d.target import DRAWN, checked_points
from dlcourse.widgets.params import Param
from dlcourse.widgets.runs.history import Change
from dlcourse.widgets.runs.share import expect, opened


def replayed(state: Any, params: Mapping[str, Param]) -> Run:
    """The run that `packed` described. Raises ValueError for anything that does not fit."""
    told = opened(state, params, checked_points)
    expect(not told.drawn or told.values["data"] == DRAWN, "it has drawn points beside another target")
    changes = told.changes(lambda listed: _change(listed, told.values, params))
    run = Run(told.values, told.drawn, stride=told.stride)
    told.replay(run, changes)
    return run


def _change(listed: list, values: Mapping[str, Any], params: Mapping[str, Param]) -> Change:
    kind, *rest = listed
    if kind == "set" and len(rest) == 1 and isinstance(rest[0], dict) and rest[0] and LIVE.issuperset(rest[0]):
        return kind, {name: params[name].check(name, value) for name, value in rest[0].items()}
    if kind == "turn" and len(rest) == 1 and rest[0] in TURNS:
        return kind, rest[0]
    expect(values["data"] == DRAWN, "it draws points beside another target")
    if kind == "points" and len(rest) == 1:
        return kind, [list(point) for point in checked_points(rest[0])]
    expect(kind in ("undo", "clear") and not rest, f"there is no change {kind[:20]!r} like this one")
    return (kind,)
