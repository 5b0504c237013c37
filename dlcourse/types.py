"""The vocabulary of shapes: one meaning for each dimension name, in the whole package.

A signature says what goes in and what comes out, `Float[Tensor, "batch classes"]`; the names are those of `DIMENSIONS`.
There are no aliases such as `Image`, because an alias hides the shape. The annotations cost nothing at run time; the
tests check every call against them. A lone name starts with a space, `" batch"`, so that linters do not take it for a
forward reference; `...` stands for any number of dimensions, `""` for none (a scalar).

>>> DIMENSIONS["batch"]
'examples handled together'
"""

from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor

__all__ = ["DIMENSIONS", "Bool", "Float", "Int", "Shaped", "Tensor"]

DIMENSIONS: dict[str, str] = {
    "batch": "examples handled together",
    "features": "numbers that describe one example",
    "classes": "kinds to tell apart; one logit each",
    "hidden": "units of a hidden layer",
    "latent": "random numbers that a generator makes one example from",
    "out": "numbers that a layer or network puts out for one example",
    "channel": "colour or feature planes of an image",
    "height": "rows of an image, top to bottom",
    "width": "columns of an image, left to right",
    "time": "positions in a sequence, first to last",
    "length": "positions of a window of a sequence",
    "horizon": "positions to foretell",
    "points": "places of a plot or of a generated set",
    "train": "examples to learn from",
    "test": "examples held back, to measure with",
    "layers": "layers of a network, first to last",
    "sites": "parts of a network that are changed in turn",
    "parameters": "all numbers that training may change, in one row",
    "side": "rows or columns of a square picture",
    "kernel_height": "rows of a kernel",
    "kernel_width": "columns of a kernel",
    "cells": "numbers of a kernel, row by row",
    "group_channel": "input channels that one kernel sees: channel / groups",
    "group_out": "output channels of one group: out / groups",
    "out_height": "rows of the picture that comes out",
    "out_width": "columns of the picture that comes out",
    "pairs": "a context and the symbol behind it, each once",
    "contexts": "runs of symbols that something may follow, each once",
    "bins": "intervals that numbers are sorted into",
    "modes": "clouds of a mixture, one centre each",
    "versions": "of one example, each with other pixels covered",
    "windows": "places of a window on a picture",
    "players": "who shares in what a coalition wins",
    "coalitions": "sets of players, each a row of who takes part",
    "neighbours": "the nearest of other examples, the nearest first",
}
