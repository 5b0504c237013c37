"""The convolution stepper in the notebook."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from dlcourse.types import Float, Tensor
from dlcourse.widgets.base import BaseWidget
from dlcourse.widgets.bundle import bundle, styles
from dlcourse.widgets.conv_stepper.engine import ConvStepperEngine
from dlcourse.widgets.conv_stepper.picture import picture
from dlcourse.widgets.engine import Engine
from dlcourse.widgets.runner import Paced, Runner

HERE = Path(__file__).parent


class ConvStepper(BaseWidget):
    """A window slides over a small picture, and behind every number of the output stands the sum that made it.

    `ConvStepper(image=x, kernel=k)`: your own numbers, (3 to 16, 3 to 16) and (1 to 5, 1 to 5); or choose with
    `example` and `preset`, `size` and `kernel_size`. `mode="max"` or `"average"` pools instead. `stride`, `padding` and
    `dilation` take one number or (rows, columns); `bias`, `flip` (convolution in place of correlation), `layers` (the
    same layer over and over, for receptive fields) and `show` ("values", "paths") do the rest: `dlcourse.widgets`'
    `ConvStepperEngine.params` has them all.

    `w.step()`, `w.back()`, `w.scrub(index)` and `w.go(row, column)` move the window; `w.paint([(2, 3)], 1)`,
    `w.image = x`, `w.kernel = k` change what it moves over; `w.output`, `w.maps`, `w.window` and `w.paths` are what is
    shown. `w.ask()` or `w.ask("size")` hides the output until `w.guess(...)`. `hide=("flip", "formula")` leaves out
    controls, buttons or `parts` of the view. Rows and columns are counted from 0, here and on the screen.

    There is one channel. How a kernel adds several of them up is seen in `FeatureMapExplorer`.

    >>> w = ConvStepper(example="edge", padding=1)
    >>> w.go(3, 3)
    >>> w.output[3, 3].item(), w.window
    (3.0, (2, 2, 5, 5))
    """

    engine_class = ConvStepperEngine
    picture = staticmethod(picture)
    title = "Convolution stepper"
    parts = ("picture_panel", "kernel_panel", "products", "output_panel", "formula", "field", "predict", "linked")
    _esm, _css = bundle(HERE / "conv_stepper.js"), styles(HERE / "conv_stepper.css")

    def __init__(
        self,
        image: Any = None,
        kernel: Any = None,
        *,
        hide: Iterable[str] = (),
        engine: Engine | None = None,
        runner: Runner | None = None,
        **given: Any,
    ):
        """Raises ValueError for a parameter out of range, or a window that does not fit."""
        own = {name: each for name, each in (("image", image), ("kernel", kernel)) if each is not None}
        # Steps per frame mean nothing here: `pace` is in their place.
        hide = ["speed", *([hide] if isinstance(hide, str) else hide)]
        super().__init__(hide=hide, engine=engine, runner=runner or Paced(1.0, 0.25), **own, **given)

    # The window.

    def back(self, n: int = 1) -> None:
        """n output cells back, at most to the first."""
        self._change(lambda: self.engine.back(n))

    def scrub(self, step: int) -> None:
        """To the output cell of this number, counted row by row from 0."""
        self._change(lambda: self.engine.scrub(step))

    def go(self, row: int, column: int) -> None:
        """To an output cell, both from 0."""
        self._change(lambda: self.engine.go(row, column))

    # The picture and the kernel.

    def paint(self, cells: Iterable[Iterable[int]], value: float | None = None) -> None:
        """Put a number (the brush's) into these cells, (row, column) from 0."""
        self._change(lambda: self.engine.paint(cells, value))

    def clear(self) -> None:
        """An empty picture."""
        self._change(self.engine.clear)

    def undo(self) -> None:
        """Take the last change of picture or kernel back."""
        self._change(self.engine.undo)

    @property
    def image(self) -> Float[Tensor, "height width"]:
        with self.guard:
            return self.engine.image.clone()

    @image.setter
    def image(self, numbers: Any) -> None:
        self._change(lambda: self.engine.put_image(numbers))

    @property
    def kernel(self) -> Float[Tensor, "kernel_height kernel_width"]:
        """As typed, not turned."""
        with self.guard:
            return self.engine.kernel.clone()

    @kernel.setter
    def kernel(self, numbers: Any) -> None:
        self._change(lambda: self.engine.put_kernel(numbers))

    # What is shown.

    @property
    def output(self) -> Float[Tensor, "out_height out_width"]:
        """Of the last layer."""
        with self.guard:
            return self.engine.output.clone()

    @property
    def maps(self) -> list[Float[Tensor, "height width"]]:
        """The picture, then what each layer makes of it."""
        with self.guard:
            return [each.clone() for each in self.engine.maps]

    @property
    def window(self) -> tuple[int, int, int, int]:
        """(top, left, bottom, right) in pixels of the picture: what the chosen cell of the last layer sees, ends
        exclusive. It may leave the picture."""
        with self.guard:
            return self.engine.seen[0].window

    @property
    def paths(self) -> Float[Tensor, "height width"]:
        """On how many paths each pixel of the picture gets to the chosen cell of the last layer."""
        with self.guard:
            return self.engine.seen[0].paths

    # Predict before you see.

    def ask(self, of: str = "value") -> None:
        """Hide the output until one of its numbers (of="value"), or its size (of="size"), is guessed."""
        self._change(lambda: self.engine.ask(of))

    def guess(self, answer: Any) -> str:
        """Answer the question, with a number or with (rows, columns): what is said to it."""
        return self._change(lambda: self.engine.guess(answer))["text"]

    def reveal(self) -> None:
        """Give up, and see."""
        self._change(self.engine.reveal)

    def forget(self) -> None:
        """Drop the question."""
        self._change(self.engine.forget)

    def to_code(self) -> str:
        """A program on torch that prints the output."""
        with self.guard:
            return self.engine.to_code()
