"""The playground as a still picture: on the left what the network says of each place, on the right how it learned."""

import torch

from dlcourse import plot
from dlcourse.plot.show import Picture, render
from dlcourse.plot.style import COLOURS, legend
from dlcourse.widgets.playground.engine import PlaygroundEngine
from dlcourse.widgets.snapshot import Snapshot


def picture(engine: PlaygroundEngine) -> Picture:
    """The present state, described below. While a question is open, the state it was asked in."""
    shown = engine.snapshot()
    fig, (left, right) = plot.figure(1, 2, height=3.6)
    _field(left, shown)
    _curves(right, shown)
    return render(fig, alt=_alt(shown), caption=engine.describe())


def _field(ax, shown: Snapshot) -> None:
    extent = tuple(shown.header["extent"])
    probability = torch.from_numpy(shown.arrays["field"]).float() / 254
    plot.field(ax, probability.clamp(max=1), extent, level=0.5, vmin=0.0, vmax=1.0)
    points = shown.arrays["train_points"]
    plot.points(ax, points[:, :2], points[:, 2], names=("class 0", "class 1"))
    ax.set(xlabel="$x_1$", ylabel="$x_2$", xlim=extent[:2], ylim=extent[2:])


def _curves(ax, shown: Snapshot) -> None:
    arrays = shown.arrays
    kept = arrays.get("kept_curve")
    for curve, colour, run in (
        (kept, COLOURS["grey"], "A: "),
        (arrays["curve"], None, "B: " if kept is not None else ""),
    ):
        if curve is None:
            continue
        for column, name, style in ((1, "train loss", "-"), (2, "test loss", "--")):
            if curve[:, column].isfinite().any():
                alone = "o" if len(curve) == 1 else None  # a line of one point is not to be seen
                drawn = {"color": colour or (COLOURS["blue"], COLOURS["vermilion"])[column - 1], "linestyle": style}
                ax.plot(curve[:, 0], curve[:, column], label=run + name, marker=alone, linewidth=1.6, **drawn)
    ax.set(xlabel="step", ylabel="loss")
    ax.set_ylim(bottom=0)
    ax.margins(x=0.02)
    if ax.lines:
        legend(ax)


def _alt(shown: Snapshot) -> str:
    points, say = shown.header["points"], shown.header["say"]
    field = shown.arrays["field"]
    orange = (field[field < 255] > 127).mean() if (field < 255).any() else 0
    return (
        f"Left: {points['train']} training points of two classes over the network's decision field, which gives "
        f"class 1 to {orange:.0%} of the plane. Right: loss by step. {say}."
    )
