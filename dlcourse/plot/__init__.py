"""Results in, pictures out. `plot.figure` begins a figure in the house style, `plot.show` ends it with alt text."""

from dlcourse.plot.draw import curves, field, grid, images, line, points
from dlcourse.plot.show import show
from dlcourse.plot.style import COLOURS, DIVERGING, figure

__all__ = ["COLOURS", "DIVERGING", "curves", "field", "figure", "grid", "images", "line", "points", "show"]
