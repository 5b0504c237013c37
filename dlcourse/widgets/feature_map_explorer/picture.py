"""The explorer as a still picture: what the network sees, what it says, and the maps of the layer on the screen."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.patches import Rectangle

from dlcourse import plot
from dlcourse.plot.show import Picture, render
from dlcourse.plot.style import COLOURS, INK
from dlcourse.widgets.draw_pad.engine import percent
from dlcourse.widgets.feature_map_explorer.engine import FeatureMapExplorerEngine
from dlcourse.widgets.feature_map_explorer.words import number

# The view's script has the same colours: orange is above 0, blue below, in every layer; grey is ink.
POSITIVE = LinearSegmentedColormap.from_list("positive", ["#F7F7F5", "#F2AE6C", "#AD4A00"])
MOST = 32  # maps that are drawn; the widget shows all
MARK = "#8A1C8A"  # the frame: none of the colours of values
GAP = 0.14  # between maps, in parts of one


def picture(engine: FeatureMapExplorerEngine) -> Picture:
    """The present state, described below."""
    fig, (seen, says, maps) = plot.figure(1, 3, width=9.4, height=3.3, width_ratios=(1, 0.85, 2.3))
    _seen(seen, engine)
    _says(says, engine)
    _maps(fig, maps, engine)
    return render(fig, alt=_alt(engine), caption=engine.describe())


def _bare(ax: Axes, title: str) -> None:
    ax.set(xticks=[], yticks=[], title=title)
    ax.grid(False)
    ax.spines[:].set_visible(False)


def _seen(ax: Axes, engine: FeatureMapExplorerEngine) -> None:
    """The picture, with the receptive field of the chosen unit."""
    ax.imshow(engine.picture[0].numpy(), cmap="gray_r", vmin=0, vmax=1, interpolation="nearest")
    _bare(ax, "what the network sees")
    ax.spines[:].set(visible=True, color="#999999")
    height, width = engine.network.shape
    top, left, bottom, right = engine.layer.field.window(*engine.unit[1:])
    top, left, bottom, right = max(top, 0), max(left, 0), min(bottom, height), min(right, width)
    if bottom > top and right > left:
        frame = {"fill": False, "edgecolor": MARK, "linewidth": 2.4, "clip_on": False}
        ax.add_patch(Rectangle((left - 0.5, top - 0.5), right - left, bottom - top, **frame))
    ax.set_xlabel("framed: the field of the unit", fontsize=9)


def _says(ax: Axes, engine: FeatureMapExplorerEngine) -> None:
    """A bar for each class; with channels switched off, a mark where it was with all of them."""
    found, intact, classes = engine.probabilities(), engine.probabilities(frozenset()), engine.network.classes
    places = range(len(classes))
    if not found.isfinite().all():
        ax.text(0.5, 0.5, "no answer:\nnot a number", transform=ax.transAxes, ha="center", va="center")
        _bare(ax, "what it says")
        return
    best = int(found.argmax())
    colours = [INK if place == best else COLOURS["grey"] for place in places]
    ax.barh(places, found.tolist(), color=colours, height=0.7)
    if engine.off and intact.isfinite().all():
        ax.plot(intact.tolist(), places, "|", color=MARK, markersize=9, markeredgewidth=2)
        ax.set_xlabel("marks: with all channels", fontsize=9)
    ax.text(float(found[best]) + 0.04, best, percent(float(found[best])), va="center", weight="bold", fontsize=9)
    ax.set(xlim=(0, 1.6), xticks=[], ylim=(len(classes) - 0.4, -0.6), yticks=places, yticklabels=classes)
    ax.set_title("what it says")
    ax.grid(False)
    ax.spines["bottom"].set_visible(False)


def _maps(fig, ax: Axes, engine: FeatureMapExplorerEngine) -> None:
    """The maps on one scale, the chosen unit framed; a cross on what is switched off."""
    layer, (channel, row, column) = engine.layer, engine.unit
    first = channel // MOST * MOST
    maps = engine.maps[first : first + MOST].numpy()
    many = 8 if len(maps) > 6 else len(maps)
    tall = layer.height / layer.width
    scale = {"cmap": plot.SIGNED, "vmin": -layer.reach} if layer.signed else {"cmap": POSITIVE, "vmin": 0}
    for index, values in enumerate(maps):
        top, left = index // many * (tall + GAP + 0.2), index % many * (1 + GAP)
        image = ax.imshow(
            values,
            extent=(left, left + 1, top + tall, top),
            interpolation="nearest",
            vmax=layer.reach,
            **scale,
        )
        chosen = first + index == channel
        ax.text(left + 0.5, top - 0.04, str(first + index), ha="center", va="bottom", fontsize=8)
        ax.add_patch(Rectangle((left, top), 1, tall, fill=False, edgecolor="#999999", linewidth=0.7))
        if (layer.name, first + index) in engine.switched_off:
            ax.plot([left, left + 1], [top, top + tall], color=INK, linewidth=1, linestyle="-")
            ax.plot([left + 1, left], [top, top + tall], color=INK, linewidth=1, linestyle="-")
        if chosen:
            cell = (left + column / layer.width, top + row * tall / layer.height)
            size = (1 / layer.width, tall / layer.height)
            ax.add_patch(Rectangle(cell, *size, fill=False, edgecolor=MARK, linewidth=2))
    rows = -(-len(maps) // many)
    ax.set(xlim=(-0.03, many * (1 + GAP) - GAP + 0.03), ylim=(rows * (tall + GAP + 0.2) - GAP - 0.15, -0.3))
    ax.set_aspect("equal")
    some = "" if len(maps) == layer.channels else f", channels {first} to {first + len(maps) - 1} of {layer.channels}"
    _bare(ax, f"maps of {layer.name}{some}")
    bar = fig.colorbar(image, ax=ax, shrink=0.8, aspect=24)
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=8.5)


def _alt(engine: FeatureMapExplorerEngine) -> str:
    layer, maps = engine.layer, engine.maps
    strongest = int(np.argmax(maps.abs().nan_to_num(0).amax((1, 2)).numpy()))
    silent = int((maps == 0).all(2).all(1).sum())
    crossed = f" Switched off and crossed out: {len(engine.off)} channels." if engine.off else ""
    return (
        f"Left: the picture that the network sees, in {engine.network.shape[0]} by {engine.network.shape[1]} pixels, "
        f"with a frame around what the chosen unit sees. Middle: a bar for each class. Right: the {layer.channels} "
        f"maps of {layer.name} on one scale up to {number(layer.reach)}, orange above 0 and blue below; "
        f"channel {strongest} holds the strongest value, and {silent} are 0 everywhere.{crossed}"
    )
