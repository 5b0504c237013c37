"""Which picture is explained: one of those that were given, or a drawing."""

from collections.abc import Iterable
from typing import Any

from dlcourse.types import Float, Tensor
from dlcourse.widgets.draw_pad import mnist
from dlcourse.widgets.draw_pad.engine import DrawPadEngine
from dlcourse.widgets.draw_pad.ink import segments
from dlcourse.widgets.params import whole
from dlcourse.widgets.saliency_explorer.given import DRAWN, Given


class Pictures:
    """index: of the picture, None for a drawing. saw: counts the pictures that there were."""

    def __init__(self, given: Given, pen: float) -> None:
        self.given = given
        self.pad = DrawPadEngine(pen=pen)
        self.index: int | None = 0
        self.saw = 0
        self._x: Tensor | None = None

    def show(self, index: int) -> None:
        """One of the pictures that were given; the drawing is gone."""
        index = whole("index", index, 0, len(self.given.images) - 1)
        self.pad.clear()
        self._changed(index)

    def draw(self, action: str, *arguments: Any) -> None:
        """An action of the pad: draw, toggle, example, clear or undo. Raises ValueError for pictures of other sizes."""
        if not self.given.drawable:
            sizes = " and ".join(f"{height} x {width}" for height, width in DRAWN)
            raise ValueError(
                f"these pictures are {self.given.shape[0]} x {self.given.shape[1]}; only those of {sizes} can be drawn."
            )
        getattr(self.pad, action)(*arguments)
        self._changed(None)

    def set_pen(self, pen: float) -> None:
        self.pad.set(pen=pen)
        if self.index is None:
            self._changed(None)

    def restore(self, index: Any, strokes: Iterable, cells: Iterable) -> None:
        """From a share string: a picture's index, or a drawing."""
        if index is not None:
            self.show(index)
        else:
            self.draw("restore", {"strokes": strokes, "cells": cells})

    def _changed(self, index: int | None) -> None:
        self.index, self._x = index, None
        self.saw += 1

    @property
    def x(self) -> Float[Tensor, "1 1 height width"]:
        """The picture, where the given ones live."""
        if self._x is None:
            images = self.given.images
            if self.index is not None:
                self._x = images[self.index : self.index + 1]
            elif self.given.shape == (8, 8):
                self._x = self.pad.image[None].to(images)
            else:
                self._x = (self.sixteenths / 16)[None, None].to(images)
        return self._x

    @property
    def sixteenths(self) -> Tensor:
        """The drawing as whole numbers from 0 to 16."""
        if self.given.shape == (8, 8):
            return (self.pad.image[0] * 16).round().int()
        drawing = self.pad.drawing
        pieces = segments([stroke.points for stroke in drawing.strokes])
        return mnist.counted(pieces, set(drawing.cells), self.pad.values["pen"])
