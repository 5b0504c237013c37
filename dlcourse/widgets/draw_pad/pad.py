"""The pad in a cell, as pad.js is the pad on the screen: of every widget whose engine has draw and toggle."""

from collections.abc import Iterable

from dlcourse.widgets.base import BaseWidget


class PadWidget(BaseWidget):
    """A widget with a pad to draw on: what a hand does there, a cell can."""

    def draw(self, stroke: Iterable[Iterable[float]]) -> None:
        """Add a stroke, points (x, y) from (0, 0), top left, to (1, 1), bottom right. Raises ValueError beyond."""
        self._change(lambda: self.engine.draw(stroke))

    def toggle(self, row: int, column: int) -> None:
        """Fill a cell of the pad's 8 x 8 grid, row 0 at the top, or empty it again."""
        self._change(lambda: self.engine.toggle(row, column))

    def example(self, digit: int | None = None) -> None:
        """Draw a built-in digit in place of what is there; without an argument the next one."""
        self._change(lambda: self.engine.example(digit))

    def undo(self) -> None:
        """Take the last change of the drawing back."""
        self._change(self.engine.undo)

    def clear(self) -> None:
        """An empty pad."""
        self._change(self.engine.clear)
