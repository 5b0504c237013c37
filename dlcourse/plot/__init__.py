"""Results in, pictures out. `plot.figure` begins a figure in the house style, `plot.show` ends it with alt text."""

from dlcourse.plot.draw import curves, field, grid, images, line, points
from dlcourse.plot.graph import graph, graph_alt
from dlcourse.plot.show import show
from dlcourse.plot.style import COLOURS, DIVERGING, figure

__all__ = [
    "COLOURS",
    "DIVERGING",
    "curves",
    "field",
    "figure",
    "graph",
    "graph_alt",
    "grid",
    "images",
    "line",
    "points",
    "show",
]
