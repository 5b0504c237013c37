"""A run as JSON, and back: where it began, the changes on the way, how far it went.

It comes back out of a string from strangers, so every part of it is checked, and its length bounded, before anything is
computed. A room's own `replayed` puts the parts together:

    told = opened(state, params, checked_points)    # the beginning, checked
    changes = told.changes(checked_change)          # and the changes
    run = Run(told.values, told.drawn, stride=told.stride)
    told.replay(run, changes)
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from dlcourse.widgets.params import Param, whole
from dlcourse.widgets.runs.history import Change
from dlcourse.widgets.runs.run import Replayable
from dlcourse.widgets.runs.strokes import MOST_DRAWN, Strokes, after

STEPS = 20_000  # replayed in seconds, or half a minute where a step is dear
CHANGES = 2_000
Changes = dict[int, tuple[Change, ...]]  # by the step at which they were made


def packed(run: Replayable) -> dict[str, Any]:
    """The run as JSON. Raises ValueError when it is too long to be shared."""
    history = run.history
    count = sum(map(len, history.changes.values()))
    if history.last > STEPS or count > CHANGES:
        raise ValueError(
            f"this run has {history.last} {run.steps_called} and {count} changes; at most {STEPS} and {CHANGES} can be "
            "shared, for whoever opens it computes them anew. Go back and change something, or reset."
        )
    changes = [[step, list(change)] for step, made in sorted(history.changes.items()) for change in made]
    where = {"step": run.at, "last": history.last, "stride": history.stride}
    drawn = [[list(point) for point in stroke] for stroke in history.drawn]
    return {"values": dict(history.values), "drawn": drawn, "changes": changes, **where}


@dataclass(frozen=True)
class Told:
    """What a string says of a run, checked but for the changes."""

    values: Mapping[str, Any]  # at step 0
    drawn: Strokes  # at step 0
    last: int
    step: int
    stride: int
    listed: Any  # changes, as they came

    def changes(self, checked: Callable[[Any], Change]) -> Changes:
        """The changes by step. checked: one of them as the room knows it, or a ValueError."""
        expect(
            isinstance(self.listed, list) and len(self.listed) <= CHANGES,
            f"it wants a list of at most {CHANGES} changes",
        )
        changes: Changes = {}
        strokes, before = self.drawn, 0
        for item in self.listed:
            expect(isinstance(item, list) and len(item) == 2, "a change is no pair")
            before = whole("the step of a change", item[0], before, self.last)
            expect(isinstance(item[1], list) and item[1] and isinstance(item[1][0], str), "a change has no name")
            change = checked(item[1])
            expect(bool(strokes) or change[0] not in ("undo", "clear"), "it takes points back where none are drawn")
            strokes = after(strokes, change)
            changes[before] = (*changes.get(before, ()), change)
        return changes

    def replay(self, run: Replayable, changes: Changes) -> None:
        """Take a run that has just begun as far as it went, and back to where it stood."""
        for change in changes.pop(0, ()):
            run.change(change)
        run.history.changes |= changes
        while run.at < self.last and run.running:
            run.step()
        run.scrub(min(self.step, run.at))


def opened(state: Any, params: Mapping[str, Param], checked_points: Callable[[Any], Any]) -> Told:
    """What `packed` made, checked. Raises ValueError for anything that does not fit.

    checked_points: the points of one stroke, or a ValueError.
    """
    expect(isinstance(state, dict), "a run is no table")
    given = state.get("values")
    expect(isinstance(given, dict) and given.keys() == params.keys(), "it does not hold every setting")
    values = {name: param.check(name, given[name]) for name, param in params.items()}
    drawn = state.get("drawn", [])
    expect(isinstance(drawn, list) and len(drawn) <= MOST_DRAWN, "its drawn points are no list")
    strokes: Strokes = ()
    for points in drawn:
        strokes = after(strokes, ("points", checked_points(points)))
    last = whole("last", state.get("last"), 0, STEPS)
    step = whole("step", state.get("step"), 0, last)
    stride = whole("stride", state.get("stride"), 1, STEPS)
    return Told(values, strokes, last, step, stride, state.get("changes", []))


def expect(true: Any, otherwise: str) -> None:
    """Raises ValueError, which says that the string is damaged, when something is not true."""
    if not true:
        raise ValueError(f"this share string is damaged ({otherwise}).")
