"""The notebook's side of a run: what a cell may call, whatever it is that trains."""

from collections.abc import Iterable
from typing import Any, ClassVar

from dlcourse.widgets.base import BaseWidget
from dlcourse.widgets.runs.engine import RunEngine


class RunWidget(BaseWidget):
    """A widget with a `RunEngine`. Controls that mean nothing beside what the learner brought are hidden."""

    engine_class: ClassVar[type[RunEngine]]
    would_lose: ClassVar[str]  # the widget and the learner's own things in it, as the beginning of a sentence

    def __init__(self, *, hide: Iterable[str] = (), **given: Any):
        super().__init__(hide=hide, **given)
        self.hide = [*self.hide, *(name for name in self.engine.own.fixed if name not in self.hide)]

    def load(self, text: str) -> None:
        """Take over what a share string holds, in place. ValueError leaves everything as it was."""
        if self.engine.own:
            raise ValueError(
                f"{self.would_lose} of your own, which would be lost. Load the string into another: "
                f"{type(self).__name__}.from_share(text)."
            )
        super().load(text)

    def back(self, n: int = 1) -> None:
        """n steps back, at most to the beginning."""
        self._change(lambda: self.engine.back(n))

    def scrub(self, step: int) -> None:
        """To any step that this run has been at, exactly as it was."""
        self._change(lambda: self.engine.scrub(step))

    def clear_points(self) -> None:
        """Take back all drawn points."""
        self._change(self.engine.clear_points)

    def fork(self) -> None:
        """Keep a copy of the run as it is, to compare with what comes."""
        self._change(self.engine.fork)

    def unfork(self) -> None:
        """Drop the kept run."""
        self._change(self.engine.unfork)

    def to_code(self) -> str:
        """A torch program that makes this run and prints the same losses."""
        with self.guard:
            return self.engine.to_code()
