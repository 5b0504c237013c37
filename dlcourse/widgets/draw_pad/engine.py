"""A drawing, the 8 x 8 image that is made of it, and what a network says to that image.

The strokes are kept as they were drawn, so pen and preparation can be changed afterwards, and the image is made anew.
"""

import logging
from collections.abc import Callable, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import torch

from dlcourse.types import Bool, Float, Tensor
from dlcourse.widgets.draw_pad import ink as raster
from dlcourse.widgets.draw_pad.digits import digit as example_digit
from dlcourse.widgets.draw_pad.ink import CELLS, Point
from dlcourse.widgets.engine import Engine
from dlcourse.widgets.params import Flag, Number
from dlcourse.widgets.snapshot import Snapshot

log = logging.getLogger(__name__)

MOST_STROKES = 200
MOST_POINTS = 4000  # of all strokes together
MOST_PAST = 200  # drawings that undo can go back through
LONGEST_ID = 64
DIGITS = 10


@dataclass(frozen=True)
class Stroke:
    """points: (x, y) from (0, 0), top left, to (1, 1), bottom right. id: of whoever may still be drawing it."""

    points: tuple[Point, ...]
    id: str = ""


@dataclass(frozen=True)
class Drawing:
    """strokes of the pen, and cells (row, column) of an 8 x 8 grid that were filled with the keyboard."""

    strokes: tuple[Stroke, ...] = ()
    cells: frozenset[tuple[int, int]] = frozenset()

    @property
    def empty(self) -> bool:
        return not self.strokes and not self.cells


class DrawPadEngine(Engine):
    """A pad that turns what is drawn into an 8 x 8 image and lets `read` say which digit it is.

    read: a callable from images (1, 1, 8, 8), in [0, 1] with 1 for ink, to scores (1, 10); without one it only draws.

    The image is made as the digits of the data set "digits" were (see `ink`), because a network reads only what looks
    like its examples. Trained as in chapter 00, from ten seeds, the network read all ten built-in digits, and 99 % of
    them when slanted, turned, resized, shaken and redrawn with other pens; with `prepare` off, a fifth. It remains a
    small network that knows few hands: a 1 with a base line is a 2 to it, a 1 with a very short flag a 3, a 7 without a
    crossbar and much slanted often something else, and for what is no digit at all it has no answer but a digit.

    >>> pad = DrawPadEngine()
    >>> pad.draw([(0.3, 0.2), (0.7, 0.2), (0.4, 0.8)])
    >>> pad.image.shape
    torch.Size([1, 8, 8])
    """

    name = "draw-pad"
    actions = frozenset({"draw", "undo", "clear", "toggle", "example"})
    params: ClassVar = {
        # 0.09 leaves 315 of 1,024 pixels inked on average; the data set's mean is 313.
        "pen": Number(
            label="Pen", help="The width of the line, as a share of the pad.", default=0.09, low=0.03, high=0.2
        ),
        "prepare": Flag(
            label="Stretch and straighten",
            help="As was done with the digits that the network learned from. Off: the pad as it is.",
            default=True,
        ),
    }

    def __init__(self, read: Callable[[Tensor], Tensor] | None = None, **values: Any) -> None:
        super().__init__(**values)
        if read is not None and not callable(read):
            raise ValueError(
                f"read={read!r}: wanted a network, or a function from images (1, 1, 8, 8) to scores (1, 10)."
            )
        self.read = read
        self.drawing = Drawing()
        self.past: list[Drawing] = []
        self.last_example: int | None = None
        self._ink: Tensor | None = None  # made when first asked for
        self._logged = ""

    # ------------------------------------------------------------------ drawing

    def draw(self, stroke: Iterable[Iterable[float]], id: str = "") -> None:
        """Add a stroke: points (x, y) in [0, 1], y down. With the `id` of an earlier one, go on where that one ended.

        Raises ValueError for points that are none, and for more than a pad holds.
        """
        points = _points(stroke)
        if not isinstance(id, str) or len(id) > LONGEST_ID:
            raise ValueError(f"draw: id={str(id)[:80]!r}; wanted a string of at most {LONGEST_ID} characters.")
        strokes = self.drawing.strokes
        at = next((i for i in reversed(range(len(strokes))) if id and strokes[i].id == id), None)
        if at is None:
            longer = (*strokes, Stroke(points, id))
        else:
            longer = (*strokes[:at], Stroke(strokes[at].points + points, id), *strokes[at + 1 :])
        _fits(longer)
        self._become(replace(self.drawing, strokes=longer), undoable=at is None)

    def toggle(self, row: int, column: int) -> None:
        """Fill one of the 8 x 8 cells of the pad with ink, or empty it again; row 0 is at the top.

        Only ink of this kind is taken away; strokes stay. Raises ValueError for another cell.
        """
        cell = (_whole("toggle", "row", row, CELLS), _whole("toggle", "column", column, CELLS))
        self._become(replace(self.drawing, cells=self.drawing.cells ^ {cell}))

    def example(self, digit: int | None = None) -> None:
        """Draw a built-in digit in place of what is there; without an argument the one after the last, from 0 on."""
        if digit is None:
            digit = 0 if self.last_example is None else (self.last_example + 1) % DIGITS
        which = _whole("example", "digit", digit, DIGITS)
        self._become(Drawing(tuple(Stroke(tuple(points)) for points in example_digit(which))))
        self.last_example = which

    def clear(self) -> None:
        """An empty pad; undo brings the drawing back."""
        if not self.drawing.empty:
            self._become(Drawing())

    def undo(self) -> None:
        """Take the last stroke, cell, example or clearing back; with nothing to take back, nothing happens."""
        if self.past:
            self.drawing = self.past.pop()
            self._ink = None

    def reset(self) -> None:
        """An empty pad, for good."""
        self.drawing, self.past, self.last_example, self._ink = Drawing(), [], None, None

    def changed(self, names: frozenset[str]) -> None:
        self._ink = None

    def _become(self, drawing: Drawing, *, undoable: bool = True) -> None:
        if undoable:
            self.past = [*self.past[1 - MOST_PAST :], self.drawing]
        self.drawing, self._ink = drawing, None

    # ------------------------------------------------------------------ what is made of it

    @property
    def ink(self) -> Bool[Tensor, "32 32"]:
        """Where there is ink, in 32 x 32 pixels, row 0 at the top."""
        if self._ink is None:
            pieces = raster.segments([stroke.points for stroke in self.drawing.strokes])
            make = raster.normalised if self.values["prepare"] else raster.whole
            self._ink = make(pieces, set(self.drawing.cells), self.values["pen"])
        return self._ink

    @property
    def image(self) -> Float[Tensor, "1 8 8"]:
        """What a network gets to see: the share of ink in each block of 4 x 4 pixels, row 0 at the top."""
        return raster.counted(self.ink).unsqueeze(0) / 16

    def probabilities(self) -> Float[Tensor, " classes"] | None:
        """What `read` makes of the image, as ten probabilities; None without a reader or without ink.

        Raises ValueError when `read` answers with something that is no row of ten scores, and whatever `read` raises.
        """
        if self.read is None or self.drawing.empty:
            return None
        return scores(self.read, self.image.unsqueeze(0)).softmax(0)

    @property
    def digit(self) -> int | None:
        """The digit that is most probable, None without a reader or without ink."""
        found = self.probabilities()
        return None if found is None else int(found.argmax())

    # ------------------------------------------------------------------ for a view

    def snapshot(self) -> Snapshot:
        """image: 0 to 16 of ink; ink: 0 or 1; both with row 0 at the *top*, as images have it and fields do not."""
        found, trouble = self.tried()
        strokes = [stroke.points for stroke in self.drawing.strokes]
        header = {
            "say": self._say(found, trouble),
            "digit": None if found is None else int(found.argmax()),
            "probability": None if found is None else round(float(found.max()), 6),
            "trouble": trouble,
            "reads": self.read is not None,
            "empty": self.drawing.empty,
            "undoable": bool(self.past),
            "strokes": [len(points) for points in strokes],
            "ids": [stroke.id for stroke in self.drawing.strokes],
            "cells": sorted(map(list, self.drawing.cells)),
        }
        arrays = {
            "image": raster.counted(self.ink).to(torch.uint8),
            "ink": self.ink.to(torch.uint8),
            "strokes": np.array([point for points in strokes for point in points], np.float32).reshape(-1, 2),
            "probabilities": torch.zeros(0, device="cpu") if found is None else found,
        }
        return Snapshot(header, arrays)

    def describe(self) -> str:
        if self.drawing.empty:
            return "The pad is empty."
        strokes, cells = len(self.drawing.strokes), len(self.drawing.cells)
        parts = [_counted(strokes, "stroke")] if strokes else []
        parts += [_counted(cells, "filled cell")] if cells else []
        return f"On the pad: {' and '.join(parts)}. {self._say(*self.tried())}".rstrip()

    def tried(self) -> tuple[Tensor | None, str]:
        """The probabilities, and why there are none although there should be: the pad itself goes on working."""
        try:
            found, trouble = self.probabilities(), ""
        except Exception as error:
            wanted = "the network failed on an image of shape (1, 1, 8, 8)"
            plain = isinstance(error, ValueError)
            found, trouble = None, str(error) if plain else f"{wanted}: {type(error).__name__}: {error}"
            if trouble != self._logged:  # once, not with every stroke
                log.error("DrawPad could not read the drawing: %s", trouble, exc_info=error)
        self._logged = trouble
        return found, trouble

    def _say(self, found: Tensor | None, trouble: str) -> str:
        if self.drawing.empty:
            return "The pad is empty."
        if trouble:
            return f"It could not be read: {trouble}"
        if found is None:
            return ""
        return f"It reads {int(found.argmax())} with {percent(float(found.max()))}."

    # ------------------------------------------------------------------ to hand on

    def state(self) -> dict[str, Any]:
        """The drawing, to four digits, and the parameters; not the network."""
        strokes = [[[round(x, 4), round(y, 4)] for x, y in stroke.points] for stroke in self.drawing.strokes]
        return {**super().state(), "strokes": strokes, "cells": sorted(map(list, self.drawing.cells))}

    def restore(self, state: Mapping[str, Any]) -> None:
        try:
            strokes = tuple(Stroke(_points(stroke)) for stroke in state.get("strokes", []))
            _fits(strokes)
            cells = frozenset(
                (_whole("a cell", "row", row, CELLS), _whole("a cell", "column", column, CELLS))
                for row, column in state.get("cells", [])
            )
        except (TypeError, ValueError) as error:
            raise ValueError(f"this share string is damaged ({error})") from None
        super().restore(state)
        self._become(Drawing(strokes, cells))


def scores(read: Callable[[Tensor], Any], images: Float[Tensor, "1 1 8 8"]) -> Float[Tensor, " classes"]:
    """What `read` answers to one image, as ten scores on the CPU. Raises ValueError when that is something else."""
    with torch.no_grad(), evaluating(read):
        if isinstance(read, torch.nn.Module) and (first := next(read.parameters(), None)) is not None:
            images = images.to(first.device, first.dtype)
        answer = read(images)
    try:
        answer = torch.as_tensor(answer, dtype=torch.float32).detach().cpu()
    except (TypeError, ValueError, RuntimeError):
        raise ValueError(f"the network gave {type(answer).__name__} for one image; wanted scores (1, 10).") from None
    if answer.shape != (1, DIGITS):
        raise ValueError(
            f"the network gave the shape {tuple(answer.shape)} for one image (1, 1, 8, 8); "
            "wanted (1, 10), one score for each digit."
        )
    if not answer.isfinite().all():
        raise ValueError("the network gave scores that are not finite: it has been trained to pieces, or not at all.")
    return answer[0]


@contextmanager
def evaluating(read: Any):
    """A module in evaluation mode, and each of its parts in its own mode again afterwards."""
    modes = [(part, part.training) for part in read.modules()] if isinstance(read, torch.nn.Module) else []
    if modes:
        read.eval()
    try:
        yield
    finally:
        for part, mode in modes:
            part.training = mode


def percent(probability: float) -> str:
    """As people write it, and never "100 %", which no network can mean.

    >>> percent(0.934), percent(0.9999), percent(0.002)
    ('93 %', 'more than 99 %', 'less than 1 %')
    """
    if probability >= 0.995:
        return "more than 99 %"
    return "less than 1 %" if probability < 0.005 else f"{100 * probability:.0f} %"


def _points(stroke: Any) -> tuple[Point, ...]:
    try:
        points = np.asarray([[float(value) for value in point] for point in stroke], dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"a stroke is a list of points (x, y), and this is {str(stroke)[:60]!r}.") from None
    if points.ndim != 2 or points.shape[1] != 2 or not len(points):
        raise ValueError(f"a stroke is a list of one or more points (x, y); what came has the shape {points.shape}.")
    wrong = ~((points >= 0) & (points <= 1)).all(1)  # true for nan, too
    if wrong.any():
        x, y = points[wrong][0].tolist()
        raise ValueError(f"the point ({x:g}, {y:g}) is not on the pad; both numbers should be from 0 to 1.")
    return tuple(map(tuple, points.tolist()))


def _fits(strokes: tuple[Stroke, ...]) -> None:
    points = sum(len(stroke.points) for stroke in strokes)
    if len(strokes) > MOST_STROKES or points > MOST_POINTS:
        raise ValueError(
            f"the pad is full: it holds {MOST_STROKES} strokes and {MOST_POINTS:,} points, and this would make "
            f"{len(strokes)} and {points:,}. Clear it first."
        )


def _whole(what: str, name: str, value: Any, end: int) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or not 0 <= value < end:
        raise ValueError(f"{what}: {name}={value!r}; wanted a whole number from 0 to {end - 1}.")
    return int(value)


def _counted(number: int, word: str) -> str:
    return f"{number} {word}{'s' if number != 1 else ''}"
