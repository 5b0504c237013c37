"""The lab as a still picture: the points and what D says of each place, both losses, and how much is reached."""

import torch
from matplotlib.axes import Axes

from dlcourse import plot
from dlcourse.plot.show import Picture, render
from dlcourse.plot.style import COLOURS, INK
from dlcourse.widgets.gan_lab_2d.engine import GANLab2DEngine
from dlcourse.widgets.gan_lab_2d.history import COLUMNS
from dlcourse.widgets.snapshot import Snapshot

# Column, label, colour and style of each line.
LOSSES = (("d_loss", "loss of D", COLOURS["blue"], "-"), ("g_loss", "loss of G", COLOURS["vermilion"], "--"))
SHARES = (
    ("reached", "reached of the target", COLOURS["green"], "-"),
    ("quality", "of generated points on it", INK, "--"),
)


def picture(engine: GANLab2DEngine) -> Picture:
    """The present state, described below. While a question is open, the state it was asked in."""
    shown = engine.snapshot()
    fig, axes = plot.figure(1, 3, width=12.0, height=4.7)
    _arena(axes[0], shown)
    _curves(axes[1], shown, LOSSES)
    _curves(axes[2], shown, SHARES)
    return render(fig, alt=_alt(shown), caption=engine.describe())


def _arena(ax: Axes, shown: Snapshot) -> None:
    extent, arrays = tuple(shown.header["extent"]), shown.arrays
    says_fake = 1 - torch.from_numpy(arrays["field"]).float().clamp(max=254) / 254  # so that real is the field's blue
    plot.field(ax, says_fake, extent, level=0.5, vmin=0.0, vmax=1.0)
    grid = arrays["manifold"].numpy()
    for line in (*grid[::2], *(grid[:, ::2].transpose(1, 0, 2) if len(grid) > 1 else ())):
        ax.plot(*line.T, color=COLOURS["grey"], linestyle="-", linewidth=0.5, zorder=1.5)
    for name, colour, marker in (("real", COLOURS["blue"], "o"), ("fake", COLOURS["vermilion"], "^")):
        x = arrays[name]
        style = {"color": colour, "marker": marker, "edgecolors": INK, "linewidths": 0.4, "zorder": 3}
        ax.scatter(x[:, 0], x[:, 1], s=14, label={"real": "real", "fake": "generated"}[name], **style)
    if len(arrows := arrays["arrows"]):
        ends = (*arrows[:, :2].T, *(arrows[:, 2:] - arrows[:, :2]).T)
        ax.quiver(*ends, angles="xy", scale_units="xy", scale=1, color=INK, width=0.004, zorder=4)
    ax.set(xlim=extent[:2], ylim=extent[2:], aspect="equal", xlabel="first number", ylabel="second number")
    ax.set_title("field: blue where D says real", fontsize=10)
    _legend_below(ax)


def _curves(ax: Axes, shown: Snapshot, lines: tuple[tuple[str, str, str, str], ...]) -> None:
    curve, kept = shown.arrays["curve"], shown.arrays.get("kept_curve")
    for name, label, colour, style in lines:
        values = curve[:, COLUMNS.index(name)]
        if values.isfinite().any():
            alone = "o" if len(curve) == 1 else None
            ax.plot(curve[:, 0], values, label=label, color=colour, linestyle=style, marker=alone, linewidth=1.6)
    if kept is not None and lines is SHARES:
        ax.plot(kept[:, 0], kept[:, COLUMNS.index("reached")], color=COLOURS["grey"], label="A: reached", linewidth=1.2)
    ax.set(xlabel="step", ylabel="loss" if lines is LOSSES else "share")
    ax.margins(x=0.02)
    if lines is SHARES:
        ax.set_ylim(-0.03, 1.05)
    if ax.lines:
        _legend_below(ax)


def _legend_below(ax: Axes) -> None:
    """Outside, where it hides no point and no line."""
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.17), ncols=3, fontsize=8.5, frameon=False)


def _alt(shown: Snapshot) -> str:
    header, field = shown.header, shown.arrays["field"]
    real = (field[field < 255] > 127).mean() if (field < 255).any() else 0
    return (
        "Left: real points as blue circles and generated ones as vermilion triangles over the field of the "
        f"discriminator, which takes {real:.0%} of the plane for real (blue), with arrows that show where it pushes "
        "generated points. In the middle: both losses by step. Right: by step, the share of the target that is reached "
        f"and the share of generated points on it. {header['say']}."
    )
