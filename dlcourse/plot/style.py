"""The house style: colours that colour-blind readers can tell apart, on a light panel that also reads in a dark theme.

The palette is Okabe and Ito's (2008, "Color universal design"). Some of its colours are too pale for a line on a
light panel, so `LINES` holds only the strong ones and a slightly darker purple, each at a contrast of 3:1 or more;
a test simulates three kinds of colour blindness (Machado et al. 2009) and bounds the distances.
"""

from typing import Any

import matplotlib as mpl
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

COLOURS = {
    "black": "#000000",
    "orange": "#E69F00",
    "sky": "#56B4E9",
    "green": "#009E73",
    "yellow": "#F0E442",
    "blue": "#0072B2",
    "vermilion": "#D55E00",
    "purple": "#CC79A7",
    "grey": "#767676",  # not of the palette: for what stands in the background
}
PANEL = "#FBFBF9"
INK = "#222222"
# In the order lines are drawn. Neighbours differ in lightness too, for print and for the colour blind.
LINES = (COLOURS["blue"], COLOURS["vermilion"], INK, COLOURS["green"], "#C774A3")
STYLES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))
MARKERS = ("o", "^", "s", "D", "v", "P")
# Fills are paler than lines, and every point has a dark edge; the first two match the two sides of `DIVERGING`.
FILLS = (COLOURS["blue"], COLOURS["orange"], COLOURS["green"], COLOURS["purple"], COLOURS["sky"], COLOURS["yellow"])
# Low values take the first class's blue, high ones the second's orange. Steps, not a smooth run: bands read as a map's.
DIVERGING = LinearSegmentedColormap.from_list("dlcourse", ["#74B3DD", "#F7F7F5", "#F2AE6C"], N=24)

HOUSE = {
    "figure.facecolor": PANEL,
    "figure.dpi": 96,
    "savefig.facecolor": PANEL,
    "axes.facecolor": PANEL,
    "axes.edgecolor": "#777777",
    "axes.labelcolor": INK,
    "axes.prop_cycle": cycler(color=LINES, linestyle=STYLES),
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.titlesize": 11,
    "axes.labelsize": 10.5,
    "grid.color": "#E3E3DF",
    "grid.linewidth": 0.8,
    "lines.linewidth": 2.0,
    "lines.markersize": 6,
    "font.family": "DejaVu Sans",  # comes with matplotlib, so a figure looks the same everywhere
    "font.size": 10,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": 9.5,
    "ytick.labelsize": 9.5,
    "legend.fontsize": 9.5,
    "legend.frameon": True,
    "legend.framealpha": 0.92,
    "legend.edgecolor": "#CCCCCC",
    "legend.facecolor": PANEL,
}
_WIDTHS = {1: 5.4, 2: 8.0}  # inches: a notebook's column is about nine wide


def figure(
    rows: int = 1, columns: int = 1, *, width: float | None = None, height: float | None = None, **share: Any
) -> tuple[Figure, Any]:
    """A figure in the house style and its axes: one, or an array of them as `Figure.subplots` gives.

    width, height: inches; by default as wide as suits the columns, each panel at four to three.
    share: sharex, sharey, width_ratios and the like, for `Figure.subplots`.
    The figure is not registered with pyplot: nothing appears until `plot.show`, and no global setting changes.
    """
    width = width or _WIDTHS.get(columns, 9.4)
    height = height or rows * width / columns * 0.75
    with mpl.rc_context(HOUSE):
        fig = Figure(figsize=(width, height), layout="constrained")
        return fig, fig.subplots(rows, columns, **share)


def legend(ax: Axes) -> None:
    """Draws or renews the legend, when something on the axes has a label."""
    if ax.get_legend_handles_labels()[1]:
        with mpl.rc_context(HOUSE):
            ax.legend()
