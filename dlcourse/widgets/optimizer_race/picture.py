"""The race as a still picture: the ways down from above on the left, the losses step by step on the right."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.lines import Line2D
from matplotlib.patheffects import Normal, Stroke

from dlcourse import plot
from dlcourse.plot.show import Picture, render
from dlcourse.plot.style import COLOURS, INK, PANEL
from dlcourse.widgets.optimizer_race.engine import OptimizerRaceEngine
from dlcourse.widgets.snapshot import Snapshot

# The view's script has the same colours, shapes and dashes.
LOOKS = {
    "sgd": (INK, "o", "-"),
    "momentum": (COLOURS["blue"], "^", (0, (6, 2))),
    "nesterov": ("#C774A3", "v", (0, (2, 1.5))),
    "rmsprop": (COLOURS["green"], "s", (0, (8, 2, 2, 2))),
    "adam": (COLOURS["vermilion"], "D", "-"),
    "adamw": ("#7B3F00", "P", (0, (4, 1.5))),
    "own": ("#7A00B3", "*", (0, (1, 1))),
}
LAND = LinearSegmentedColormap.from_list("race", ["#8FA9C9", "#C5CCCB", "#FAF1C4"])
BANDS = 14
LEAST = 1e-9  # of the losses drawn


def picture(engine: OptimizerRaceEngine) -> Picture:
    """The present state, described below. While a question is open, the beginning."""
    shown = engine.snapshot()
    fig, (left, right) = plot.figure(1, 2, width=9.4, height=3.9, width_ratios=(1.25, 1))
    _map(left, shown)
    _curves(right, shown)
    handles = [_key(racer["id"], racer["name"]) for racer in shown.header["racers"]]
    fig.legend(handles=handles, loc="outside lower center", ncols=len(handles), frameon=False, fontsize=9)
    return render(fig, alt=_alt(shown), caption=engine.describe())


def _map(ax: Axes, shown: Snapshot) -> None:
    header, trail = shown.header, shown.arrays["trail"]
    left, right, bottom, top = extent = header["extent"]
    heights = np.ma.masked_greater(shown.arrays["field"] + shown.arrays["fine"] / 256, 254.5)
    places = np.linspace(left, right, heights.shape[1]), np.linspace(bottom, top, heights.shape[0])
    levels = np.linspace(0, 254, BANDS + 1)
    ax.contourf(*places, heights, levels=levels, cmap=LAND)
    ax.contour(*places, heights, levels=levels[1:-1], colors="#5A6B80", linewidths=0.5, alpha=0.6)
    for x, y in header["minima"]:
        ax.plot(x, y, "+", color=INK, markersize=9, markeredgewidth=1.6)
    ends = np.cumsum(header["trails"])
    for row, begin, end in zip(header["rows"], ends - header["trails"], ends, strict=True):
        colour, marker, _ = LOOKS[row["racer"]]
        way = seen(trail[begin:end], extent)
        casing = [Stroke(linewidth=3.6, foreground=PANEL), Normal()]
        ax.plot(way[:, 0], way[:, 1], "-", color=colour, linewidth=1.7, path_effects=casing)
        if end > begin:
            x, y = np.clip(trail[end - 1], (left, bottom), (right, top))  # who has left the picture stands at its edge
            ax.plot(x, y, marker, color=colour, markersize=9, markeredgecolor=PANEL, clip_on=False, zorder=5)
    for x, y in header["starts"]:
        ax.plot(x, y, "o", markerfacecolor="none", markeredgecolor=INK, markersize=11, markeredgewidth=1.4)
    ax.set(xlim=extent[:2], ylim=extent[2:], xlabel="$x$", ylabel="$y$", aspect="equal")
    ax.grid(False)


def seen(way: np.ndarray, extent: list[float]) -> np.ndarray:
    """The steps of a trail but for those that leap over the whole picture, from outside to outside."""
    left, right, bottom, top = extent
    inside = ((way >= (left, bottom)) & (way <= (right, top))).all(-1)
    leaps = np.flatnonzero(~inside[1:] & ~inside[:-1]) + 1
    return np.insert(way, leaps, np.nan, axis=0)


def _curves(ax: Axes, shown: Snapshot) -> None:
    header, arrays = shown.header, shown.arrays
    for row, curve in zip(header["rows"], arrays["curves"], strict=True):
        colour, _, dash = LOOKS[row["racer"]]
        ax.plot(arrays["steps"], np.maximum(curve, LEAST), color=colour, linestyle=dash, linewidth=1.7)
    finite = arrays["curves"][np.isfinite(arrays["curves"])]
    first = max(float(arrays["curves"][:, 0].max()), LEAST) if len(finite) else 1.0
    low = max(float(finite.min()), LEAST) if len(finite) else LEAST
    ax.set_yscale("log")
    ax.set_ylim(min(low, first / 10) / 2, min(float(finite.max(initial=first)), 1e3 * first) * 3)
    ax.axvline(header["run"]["step"], color=COLOURS["grey"], linewidth=0.8)
    ax.set(xlabel="step", ylabel="loss above the lowest" if header["lowest"] else "loss")


def _key(racer: str, name: str) -> Line2D:
    colour, marker, dash = LOOKS[racer]
    return Line2D([], [], color=colour, marker=marker, linestyle=dash, label=name, markersize=7)


def _alt(shown: Snapshot) -> str:
    header = shown.header
    names = ", ".join(racer["name"] for racer in header["racers"])
    return (
        f"Left: the ways of {names} down a surface of two weights, seen from above with contour lines, from "
        f"{len(header['starts'])} start{'s' if len(header['starts']) > 1 else ''}. Right: their losses by step, on a "
        f"logarithmic scale. {header['say']}."
    )
