"""The lab as a still picture: on the left the points and what D says of each place, on the right how the game went."""

import torch
from matplotlib.axes import Axes

from dlcourse import plot
from dlcourse.plot.show import Picture, render
from dlcourse.plot.style import COLOURS, INK
from dlcourse.widgets.gan_lab_2d.engine import GANLab2DEngine
from dlcourse.widgets.gan_lab_2d.history import COLUMNS
from dlcourse.widgets.snapshot import Snapshot


def picture(engine: GANLab2DEngine) -> Picture:
    """The present state, described below. While a question is open, the state it was asked in."""
    shown = engine.snapshot()
    fig, (left, right) = plot.figure(1, 2, width=8.6, height=4.0, width_ratios=(1, 1))
    _arena(left, shown)
    _curves(right, shown)
    return render(fig, alt=_alt(shown), caption=engine.describe())


def _arena(ax: Axes, shown: Snapshot) -> None:
    extent, arrays = tuple(shown.header["extent"]), shown.arrays
    said = torch.from_numpy(arrays["field"]).float().clamp(max=254) / 254
    plot.field(ax, said, extent, level=0.5, vmin=0.0, vmax=1.0)
    grid = arrays["manifold"].numpy()
    for line in (*grid[::2], *(grid[:, ::2].transpose(1, 0, 2) if len(grid) > 1 else ())):
        ax.plot(*line.T, color=COLOURS["grey"], linestyle="-", linewidth=0.5, zorder=1.5)
    for name, colour, marker in (("real", COLOURS["orange"], "^"), ("fake", COLOURS["blue"], "o")):
        x = arrays[name]
        style = {"color": colour, "marker": marker, "edgecolors": INK, "linewidths": 0.4, "zorder": 3}
        ax.scatter(x[:, 0], x[:, 1], s=14, label={"real": "real", "fake": "generated"}[name], **style)
    if len(arrows := arrays["arrows"]):
        ends = (*arrows[:, :2].T, *(arrows[:, 2:] - arrows[:, :2]).T)
        ax.quiver(*ends, angles="xy", scale_units="xy", scale=1, color=INK, width=0.004, zorder=4)
    ax.set(xlim=extent[:2], ylim=extent[2:], aspect="equal")
    ax.legend(loc="upper left", fontsize=8.5)


def _curves(ax: Axes, shown: Snapshot) -> None:
    curve, kept = shown.arrays["curve"], shown.arrays.get("kept_curve")
    for name, label, colour, style in (
        ("d_loss", "loss of D", COLOURS["orange"], "-"),
        ("g_loss", "loss of G", COLOURS["blue"], "--"),
        ("reached", "reached, 0 to 1", COLOURS["green"], "-."),
        ("quality", "on the data, 0 to 1", INK, ":"),
    ):
        values = curve[:, COLUMNS.index(name)]
        if values.isfinite().any():
            alone = "o" if len(curve) == 1 else None
            ax.plot(curve[:, 0], values, label=label, color=colour, linestyle=style, marker=alone, linewidth=1.6)
    if kept is not None:
        ax.plot(kept[:, 0], kept[:, COLUMNS.index("reached")], color=COLOURS["grey"], label="A: reached", linewidth=1.2)
    ax.set(xlabel="step")
    ax.margins(x=0.02)
    if ax.lines:
        low, high = ax.get_ylim()
        ax.set_ylim(low, high + 0.28 * (high - low))  # room for the legend
        ax.legend(loc="upper left", ncols=2, fontsize=8.5)


def _alt(shown: Snapshot) -> str:
    header, field = shown.header, shown.arrays["field"]
    orange = (field[field < 255] > 127).mean() if (field < 255).any() else 0
    return (
        "Left: real points as orange triangles and generated ones as blue circles over the field of the discriminator, "
        f"which takes {orange:.0%} of the plane for real, with arrows that show where it pushes generated points. "
        f"Right: both losses and the reached share by step. {header['say']}."
    )
