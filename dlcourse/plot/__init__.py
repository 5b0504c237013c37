"""Results in, pictures out. `plot.figure` begins a figure in the house style, `plot.show` ends it with alt text."""

from dlcourse.plot.attributions import attributions, attributions_alt
from dlcourse.plot.diagnosis import diagnosis, diagnosis_alt, layers, layers_alt
from dlcourse.plot.draw import curves, field, grid, images, line, points
from dlcourse.plot.faithfulness import deletion, deletion_alt
from dlcourse.plot.graph import graph, graph_alt
from dlcourse.plot.landscape import landscape, landscape_alt
from dlcourse.plot.maps import SIGNED, kernels, kernels_alt, maps, maps_alt, patches, patches_alt
from dlcourse.plot.show import show
from dlcourse.plot.style import COLOURS, DIVERGING, figure
from dlcourse.plot.training import calibration, confusion, history, history_alt, lr_finder, lr_finder_alt

__all__ = [
    "COLOURS",
    "DIVERGING",
    "SIGNED",
    "attributions",
    "attributions_alt",
    "calibration",
    "confusion",
    "curves",
    "deletion",
    "deletion_alt",
    "diagnosis",
    "diagnosis_alt",
    "field",
    "figure",
    "graph",
    "graph_alt",
    "grid",
    "history",
    "history_alt",
    "images",
    "kernels",
    "kernels_alt",
    "landscape",
    "landscape_alt",
    "layers",
    "layers_alt",
    "line",
    "lr_finder",
    "lr_finder_alt",
    "maps",
    "maps_alt",
    "patches",
    "patches_alt",
    "points",
    "show",
]
