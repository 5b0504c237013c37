"""A run that can be changed on the way and gone back in.

From its start, its number of steps and the changes made on the way the same run comes again, to the bit. Going back
means: take the nearest record at or before, and walk on from there, with the changes where they were made.
"""

from typing import Any, ClassVar, Self

from dlcourse.widgets.runs.history import Change, History, Measured, Record
from dlcourse.widgets.runs.strokes import Strokes


class Replayable:
    """A subclass makes `history`, and at last calls `_record`; its `step` ends with `_arrive`.

    It also says what there is to measure, how a change is applied, and what must be saved to come back.
    """

    steps_called: ClassVar[str] = "steps"  # what a learner calls them
    events: ClassVar[frozenset[str]]  # kinds of change that are no part of the beginning, even when made there

    values: dict[str, Any]  # every parameter of the engine, now
    drawn: Strokes  # now
    at: int  # the present step
    diverged: int | None  # the step at which the run ended
    history: History

    @property
    def running(self) -> bool:
        """Whether another step makes sense."""
        raise NotImplementedError

    def step(self) -> None:
        """One step. Nothing happens when the run cannot go on."""
        raise NotImplementedError

    def measured(self) -> Measured:
        """The present state in numbers."""
        raise NotImplementedError

    def _apply(self, change: Change) -> None:
        """Do what a change says, and note nothing."""
        raise NotImplementedError

    def _saved(self) -> dict[str, Any]:
        """All that the next step depends on."""
        raise NotImplementedError

    def _restore(self, record: Record) -> None:
        """Back to the step and the state of a record."""
        raise NotImplementedError

    def copy(self) -> Self:
        """The same run once more, with networks and optimisers of its own."""
        raise NotImplementedError

    # The changes on the way.

    def change(self, change: Change) -> None:
        """Change something at the present step. What had been recorded after it is no longer true and is dropped."""
        self._apply(change)
        self.history.cut(self.at)
        if self.at == 0 and change[0] not in self.events:
            self.history.values, self.history.drawn = dict(self.values), self.drawn  # it always was so
        else:
            self.history.note(self.at, change)
        self._record(again=True)

    def _arrive(self) -> None:
        for change in self.history.changes.get(self.at, ()):
            self._apply(change)
        self.history.last = max(self.history.last, self.at)
        self._record()

    # Back in time.

    def scrub(self, step: int) -> None:
        """To a step that the run has been at."""
        self.note_tip()
        record = self.history.before(step)
        if not record.step <= self.at <= step:
            self._restore(record)
        while self.at < step and self.running:
            self.step()

    def note_tip(self, measured: Measured | None = None) -> None:
        """Note what was measured at the last step reached, before leaving it: the curve ends there."""
        if self.at == self.history.last:
            self.history.tip = (self.at, measured or self.measured())

    def _record(self, again: bool = False) -> None:
        if self.at % self.history.stride == 0 and (again or self.at not in self.history.records):
            self.history.add(Record(self.at, self.measured(), self._saved()))
