"""The lab as a still picture: what a page without a kernel shows, and the figure beside the live one."""

import math

import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.ticker import MaxNLocator

from dlcourse import plot
from dlcourse.plot.show import Picture, render
from dlcourse.plot.style import COLOURS, INK, LINES, PANEL, legend
from dlcourse.widgets.init_depth_lab import words
from dlcourse.widgets.init_depth_lab.engine import COLUMNS, InitDepthLabEngine
from dlcourse.widgets.snapshot import Snapshot

FILLS = {"values": "#74B3DD", "gradient": "#F2AE6C"}  # the two sides of DIVERGING


def picture(engine: InitDepthLabEngine) -> Picture:
    """The distributions of activations and gradients, a row for each layer, with their standard deviations, measured
    and predicted; beside them the dead or saturated share. While a question is open, nothing of all this."""
    shown = engine.snapshot()
    counted = shown.header["silent"] is not None and not engine.hidden
    widths = {"width_ratios": (3, 3, 1.2)} if counted else {}
    fig, axes = plot.figure(1, 3 if counted else 2, width=8, height=3.6, sharey=True, **widths)
    for ax, name, title in zip(axes, ("values", "gradient"), ("activations", "gradient that arrives"), strict=False):
        ax.set_title(title)
        if engine.hidden:
            ax.text(0.5, 0.5, "?", transform=ax.transAxes, ha="center", va="center", fontsize=40, color=INK)
            ax.set(xticks=[], xlabel="guess first")
        else:
            _rows(ax, shown, name)
    axes[0].set(ylabel="hidden layer", ylim=(0.4, engine.depth + 0.6))
    axes[0].yaxis.set_major_locator(MaxNLocator(integer=True, nbins=6, min_n_ticks=1))
    if counted:
        _silent(axes[2], shown)
    return render(fig, alt=_alt(engine), caption=engine.describe())


def _rows(ax, shown: Snapshot, name: str) -> None:
    low, high = shown.header["axes"][name]
    rows, layers = shown.arrays[name].astype(float), shown.header["layers"]
    rows[rows == 255] = math.nan
    colours = LinearSegmentedColormap.from_list(name, [PANEL, FILLS[name]]).with_extremes(bad="#C8C8C4")
    zero = low - 0.08 * (high - low)  # a column of its own for what is exactly 0
    look = {"aspect": "auto", "origin": "lower", "cmap": colours, "vmin": 0, "vmax": 254, "interpolation": "nearest"}
    ax.imshow(rows[:, 1:], extent=(low, high, 0.5, layers + 0.5), **look)
    ax.imshow(rows[:, :1], extent=(zero, low - 0.03 * (high - low), 0.5, layers + 0.5), **look)
    ax.set_xlim(zero, high)
    ax.grid(False)
    if shown.header["axes"]["show"] == "size":
        prefix = "" if name == "values" else "grad_"
        table = shown.arrays["layers"].numpy()
        places = range(1, layers + 1)
        theory = LINES[1] if name == "values" else COLOURS["blue"]
        marked = {"marker": "o", "markersize": 2.5}
        for column, label, how in (
            (f"predicted_{prefix}std", "std, predicted", {"linestyle": "--", "color": theory}),
            (f"{prefix}std", "std, measured", {"linestyle": "-", "color": INK, **marked}),
            ("between", "between examples", {"linestyle": ":", "color": INK}),
        ):
            curve = table[:, COLUMNS.index(column)]
            if np.isfinite(curve).any() and (name == "values" or column != "between"):
                alone = marked if len(curve) == 1 else {}  # a line of one point is not to be seen
                ax.plot(curve, places, label=label, **{"linewidth": 1.4, **how, **alone})
        if name == "values":
            legend(ax)
        ticks = [
            tick
            for tick in MaxNLocator(nbins=5, integer=True).tick_values(low, high)
            if low + 0.05 * (high - low) < tick <= high
        ]
        ax.set_xticks([(zero + low) / 2, *ticks], ["0", *(f"$10^{{{tick:.0f}}}$" for tick in ticks)])
        ax.set_xlabel("size |value|")
    else:
        ticks = [tick for tick in (-2, 0, 2, 4) if low < tick <= high]
        ax.set_xticks([(zero + low) / 2, *ticks], ["= 0", *map(str, ticks)])
        ax.set_xlabel("value / size of its layer")


def _silent(ax, shown: Snapshot) -> None:
    shares = shown.arrays["layers"][:, COLUMNS.index("silent")].nan_to_num(0).numpy()
    ax.barh(range(1, len(shares) + 1), 100 * shares, height=0.8, color=COLOURS["grey"])
    ax.set(xlim=(0, 100), title=shown.header["silent"], xlabel="%", xticks=[0, 50, 100])
    ax.title.set_fontsize(9.5)
    ax.grid(False, axis="y")


def _alt(engine: InitDepthLabEngine) -> str:
    if engine.hidden:
        return f"Two empty panels: a question is open. {engine.question.text(engine.depth)}"
    return (
        f"How the activations and the gradients of {engine.depth} hidden layers are distributed, a row for each layer, "
        f"layer 1 at the bottom. {words.say(engine)}"
    )
