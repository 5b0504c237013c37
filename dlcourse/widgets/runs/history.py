"""What a run remembers: where it began, what was changed on the way, and now and then everything.

At most `most` records. They stand at every multiple of `stride`; when they become too many, every second one goes and
the stride doubles. So the records are a function of the stride and the last step, and a shared run has the same curve.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch

from dlcourse.widgets.runs.strokes import Strokes

MEMORY = 2**26  # bytes of weights in the records of a run; what its optimiser holds may be twice that
Change = tuple  # ("set", {name: value}), ("weight", layer, unit, input, value), ("points", [...]), ("undo",) ...
Measured = tuple  # a room's own NamedTuple of numbers, None where there is none


@dataclass(frozen=True)
class Record:
    """A step, after the changes made at it. saved: all that the next step depends on."""

    step: int
    measured: Measured
    saved: Mapping[str, Any]


@dataclass
class History:
    values: Mapping[str, Any]  # at step 0
    drawn: Strokes  # at step 0
    columns: tuple[str, ...]  # of what is measured: the numbers of the curve
    most: int  # records
    stride: int = 1
    last: int = 0  # the furthest step reached
    changes: dict[int, tuple[Change, ...]] = field(default_factory=dict)
    records: dict[int, Record] = field(default_factory=dict)  # in the order of their steps
    tip: tuple[int, Measured] | None = None  # the last step, which need not be a record

    def add(self, record: Record) -> None:
        self.records[record.step] = record
        if len(self.records) > self.most:
            self.stride *= 2
            self.records = {step: kept for step, kept in self.records.items() if step % self.stride == 0}

    def before(self, step: int) -> Record:
        """The nearest record at this step or before it."""
        return self.records[step - step % self.stride]

    def cut(self, step: int) -> None:
        """Forget what came after a step."""
        self.last, self.tip = step, None
        self.records = {at: record for at, record in self.records.items() if at <= step}
        self.changes = {at: changes for at, changes in self.changes.items() if at <= step}

    def note(self, step: int, change: Change) -> None:
        """Keep a change. One that overrides the one just before it takes its place, as when a slider is dragged."""
        changes = self.changes.get(step, ())
        before = changes[-1] if changes else ("",)
        if before[0] == change[0] == "set":
            changes, change = changes[:-1], ("set", before[1] | change[1])
        elif before[0] in ("weight", "bias") and before[:-1] == change[:-1]:
            changes = changes[:-1]
        self.changes[step] = (*changes, change)

    def curve(self) -> torch.Tensor:
        """(k, 1 + columns): step, then the columns; NaN for what is absent."""
        points = [(record.step, record.measured) for record in self.records.values()]
        if self.tip is not None and self.tip[0] not in self.records:
            points.append(self.tip)
        rows = [(step, *(getattr(measured, name) for name in self.columns)) for step, measured in points]
        return torch.from_numpy(np.array(rows, dtype=np.float32).reshape(-1, 1 + len(self.columns)))

    def copy(self) -> "History":
        return replace(self, changes=dict(self.changes), records=dict(self.records))


def copied(state: Any) -> Any:
    """A state dict with its tensors copied, so that nothing that trains on can change it."""
    if isinstance(state, torch.Tensor):
        return state.detach().clone()
    if isinstance(state, dict):
        return {key: copied(value) for key, value in state.items()}
    if isinstance(state, (list, tuple)):
        return type(state)(map(copied, state))
    return state
