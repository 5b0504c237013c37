"""The draw pad in the notebook."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from dlcourse.types import Bool, Float, Tensor
from dlcourse.widgets.bundle import bundle, styles
from dlcourse.widgets.draw_pad.engine import DrawPadEngine
from dlcourse.widgets.draw_pad.pad import PadWidget
from dlcourse.widgets.draw_pad.picture import picture

HERE = Path(__file__).parent


class DrawPad(PadWidget):
    """A pad to draw on, and what a network reads there while it is drawn.

    `DrawPad(network)`: any callable from images (1, 1, 8, 8) in [0, 1] to scores (1, 10); `DrawPad()` only draws.
    `pad.image` is the image as the network sees it, (1, 8, 8); `pad.ink` the 32 x 32 bitmap that it is counted from;
    `pad.digit` and `pad.probabilities` what was read. What a hand does, a cell can: `pad.draw([(x, y), ...])` with
    numbers from 0 to 1 and y down, `pad.example(7)`, `pad.toggle(row, column)`, `pad.undo()`, `pad.clear()`.
    `pen` is the width of the line; with `prepare=False` the network gets the pad as it is, neither stretched nor
    straightened. `hide=("example", "pen")` leaves out controls; `parts` lists what else can be hidden.
    What it reads well, and what it cannot, is told in `DrawPadEngine`.

    >>> pad = DrawPad()
    >>> pad.example(7)
    >>> pad.image.shape, int(pad.image.argmax())
    (torch.Size([1, 8, 8]), 3)
    """

    engine_class = DrawPadEngine
    picture = staticmethod(picture)
    title = "Draw a digit"
    parts = ("undo", "clear", "example", "pixels", "bitmap", "bars")
    _esm, _css = bundle(HERE / "draw_pad.js"), styles(HERE / "pad.css", HERE / "draw_pad.css")

    def __init__(self, read: Callable[[Tensor], Tensor] | None = None, *, hide: Iterable[str] = (), **given: Any):
        """read: the network. Raises ValueError for something that cannot be called, or a parameter out of range."""
        super().__init__(hide=hide, **(given if read is None else {**given, "read": read}))

    def load(self, text: str) -> None:
        """Take over the drawing of a share string; the network stays. ValueError leaves everything as it was."""
        fresh = self.engine_class.from_share(text)
        with self.guard:
            fresh.read = self.engine.read
            self.engine = fresh
        self._change(lambda: None)

    @property
    def image(self) -> Float[Tensor, "1 8 8"]:
        """What the network sees, from 0 (paper) to 1 (ink), row 0 at the top."""
        with self.guard:
            return self.engine.image

    @property
    def ink(self) -> Bool[Tensor, "32 32"]:
        """The bitmap whose blocks of 4 x 4 pixels are counted, row 0 at the top."""
        with self.guard:
            return self.engine.ink

    @property
    def probabilities(self) -> Float[Tensor, " classes"] | None:
        """What the network says, ten probabilities; None without a network or without ink."""
        with self.guard:
            return self.engine.probabilities()

    @property
    def digit(self) -> int | None:
        """The digit that the network finds most probable; None without a network or without ink."""
        with self.guard:
            return self.engine.digit
