"""The explorer as a still picture: the picture, every method's map, and of the picked one the curve and the axioms."""

import textwrap

import numpy as np
from matplotlib.axes import Axes

from dlcourse import plot
from dlcourse.plot.show import Picture, render
from dlcourse.plot.style import COLOURS, INK
from dlcourse.widgets.feature_map_explorer.words import number
from dlcourse.widgets.saliency_explorer.engine import SaliencyExplorerEngine
from dlcourse.widgets.saliency_explorer.methods import METHODS

ROWS, COLUMNS = 3, 4


def picture(engine: SaliencyExplorerEngine) -> Picture:
    """The present state, described below."""
    snapshot = engine.snapshot()
    header, arrays = snapshot.header, snapshot.arrays
    fig, axes = plot.figure(ROWS, COLUMNS, width=9.4, height=7.4)
    first, *rest = axes.flat
    _bare(first, f"Logit of {header['target']['name']}: {number(header['says']['logit'] or 0.0)}")
    first.imshow(arrays["picture"], cmap="gray_r", vmin=0, vmax=254, interpolation="nearest")
    for ax, entry, map in zip(rest, header["maps"], arrays["maps"], strict=False):
        _map(fig, ax, entry, map, picked=entry["name"] == header["picked"], layers=header["layers"]["count"])
    curve, said = rest[len(METHODS) :]
    _curve(curve, header, arrays)
    _axioms(said, header)
    return render(fig, alt=_alt(header), caption=engine.describe())


def _bare(ax: Axes, title: str) -> None:
    ax.set(xticks=[], yticks=[])
    ax.set_title(title, fontsize=10)
    ax.grid(False)
    ax.spines[:].set(visible=True, color="#999999")


def _map(fig, ax: Axes, entry: dict, bytes_: np.ndarray, *, picked: bool, layers: int) -> None:
    """Orange for the target, blue against it; the one that was picked has a bold name."""
    _bare(ax, entry["title"])
    if picked:
        ax.set_title(f"\N{BLACK RIGHT-POINTING SMALL TRIANGLE} {entry['title']}", fontsize=9, weight="bold")
    if entry["why"]:
        words = "\n".join(textwrap.wrap(f"Does not apply. {entry['why']}", 24))
        ax.text(0.5, 0.5, words, transform=ax.transAxes, ha="center", va="center", fontsize=8)
        return
    reach, zero = entry["reach"], 127 if entry["signed"] else 0
    values = (bytes_.astype(float) - zero) / (254 - zero) * reach
    image = ax.imshow(values, cmap=plot.SIGNED, vmin=-reach, vmax=reach, interpolation="nearest")
    bar = fig.colorbar(image, ax=ax, shrink=0.85, aspect=18)
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=8)
    if not entry["signed"]:
        bar.ax.set_ylim(0, reach)
    if layers:
        said = entry["likeness"]
        ax.set_xlabel(said.replace("correlation ", "correlation\n") if entry["signed"] else said, fontsize=9)


def _curve(ax: Axes, header: dict, arrays: dict) -> None:
    """The curve of the picked map, with the band of random orders."""
    if header["faith"] is None:
        ax.axis("off")
        return
    share, (low, high) = np.asarray(arrays["share"]), np.asarray(arrays["band"])
    ax.fill_between(share, low, high, color=COLOURS["grey"], alpha=0.35, linewidth=0)
    ax.plot(share, arrays["curve"], color=INK)
    ax.set_title(f"{header['faith']['curve'].capitalize()}, in logits", fontsize=10)
    ax.set_xlabel("Share of pixels; grey: random orders", fontsize=9)
    ax.tick_params(labelsize=8)


def _axioms(ax: Axes, header: dict) -> None:
    """The axioms in words."""
    ax.axis("off")
    if header["faith"] is None:
        return
    lines = [
        line for each in header["faith"]["axioms"] for line in textwrap.wrap(f"{each['name']}: {each['words']}", 34)
    ]
    ax.text(0, 1, "\n".join(lines), transform=ax.transAxes, va="top", fontsize=7.5)


def _alt(header: dict) -> str:
    parts = [
        f"The picture, and {len(header['maps'])} maps of what made the logit of {header['target']['name']}: orange for "
        f"it, blue against it. {header['layers']['words']}."
    ]
    for entry in header["maps"]:
        parts.append(
            f"{entry['title']}: {entry['why'] or entry['scale'] + '; ' + entry['likeness']}.".replace("..", ".")
        )
    if header["faith"] is not None:
        parts.append(f"Below, of the picked one, the curve and the axioms. {header['faith']['words']}")
    return " ".join(parts)
