"""The stepper as a still picture: what a page without a kernel shows, and the figure beside the live one."""

import math

import torch
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from dlcourse import plot
from dlcourse.plot.show import Picture, render
from dlcourse.plot.style import COLOURS, DIVERGING, INK
from dlcourse.types import Float, Tensor
from dlcourse.widgets.conv_stepper import words
from dlcourse.widgets.conv_stepper.engine import ConvStepperEngine
from dlcourse.widgets.conv_stepper.numbers import short

CELL = 0.3  # inches
MOST = 8.6  # inches: a figure's width
ROOM = 0.75  # inches over and below a map


def picture(engine: ConvStepperEngine) -> Picture:
    """The picture with its padding, the kernel, the output: the window's places and the chosen cell are framed, every
    cell holds its number, or with show="paths" how many paths lead from it to the chosen cell. With several layers also
    the maps between. What a question asks for is hidden."""
    panels = _panels(engine)
    wide = [each.shape[1] for _, each in panels]
    high = max(each.shape[0] for _, each in panels)
    cell = min(CELL, MOST / (sum(wide) + 0.8 * len(wide)))
    width = max(cell * (sum(wide) + 0.8 * len(wide)), 3.5)
    fig, axes = plot.figure(1, len(panels), width=width, height=cell * high + ROOM, width_ratios=wide, squeeze=False)
    digits = 2 if engine.values["layers"] == 1 else 1
    texts = [_texts(numbers, 2 if title.startswith("kernel") else digits) for title, numbers in panels]
    longest = max(2, max(len(text) for rows in texts for line in rows for text in line))
    size = min(9, 72 * cell / (0.76 * longest))  # a digit is 0.64 of its size wide
    for ax, (title, numbers), written in zip(axes[0], panels, texts, strict=True):
        _map(ax, numbers, title, written, size)
    _padding(engine, axes[0][0])
    _frames(engine, list(axes[0]))
    return render(fig, alt=_alt(engine), caption=engine.describe())


def _panels(engine: ConvStepperEngine) -> list[tuple[str, Float[Tensor, "height width"]]]:
    """(title, numbers); what is unknown is NaN. The kernel stands behind the picture."""
    header, layer = engine.snapshot().header, engine.layer
    maps = [(each["title"].lower(), numbers) for each, numbers in zip(header["maps"], engine.maps, strict=False)]
    if engine.hidden == "size":
        maps.append(("output", torch.full((1, 1), math.nan, device="cpu")))
    elif engine.hidden == "value":
        maps[-1] = (maps[-1][0], torch.full_like(engine.output, math.nan))
    if paths := _shows_paths(engine):
        maps = [(name, _paths(each.paths)) for (name, _), each in zip(maps, engine.seen, strict=True)]
    title, image = maps[0]
    rows, columns = layer.padding
    pad = (columns, columns, rows, rows)
    maps[0] = (title, torch.nn.functional.pad(image, pad, value=-math.inf if layer.skips or paths else 0.0))
    if layer.mode == "kernel":
        maps.insert(1, ("kernel, flipped" if layer.flip else "kernel", layer.laid))
    return maps


def _shows_paths(engine: ConvStepperEngine) -> bool:
    return engine.values["show"] == "paths" and not engine.hidden


def _paths(counts: Float[Tensor, "height width"]) -> Float[Tensor, "height width"]:
    """A cell from which none leads stays empty."""
    return counts.float().masked_fill(counts == 0, -math.inf)


def _texts(numbers: Float[Tensor, "height width"], digits: int) -> list[list[str]]:
    return [
        ["?" if math.isnan(value) else "" if math.isinf(value) else short(value, digits) for value in line]
        for line in numbers.tolist()
    ]


def _map(ax: Axes, numbers: Float[Tensor, "height width"], title: str, texts: list[list[str]], size: float) -> None:
    """Blue below 0, orange above; in each cell its number, in letters of this size."""
    finite = numbers[numbers.isfinite()]
    limit = max(finite.abs().max().item(), 1e-6) if finite.numel() else 1.0
    ax.imshow(numbers.nan_to_num(0, neginf=0).numpy(), cmap=DIVERGING, vmin=-limit, vmax=limit)
    for row, line in enumerate(texts):
        for column, text in enumerate(line):
            ax.text(column, row, text, ha="center", va="center", fontsize=size, color=INK)
    ax.set(xticks=[], yticks=[], title=title)
    ax.title.set_fontsize(9.5)
    ax.set_xticks([at - 0.5 for at in range(1, numbers.shape[1])], minor=True)
    ax.set_yticks([at - 0.5 for at in range(1, numbers.shape[0])], minor=True)
    ax.set_axisbelow(False)
    ax.grid(False)
    ax.grid(True, which="minor", color="#CFCFCB", linewidth=0.6)
    ax.tick_params(which="minor", length=0)
    ax.spines[:].set(visible=True, color="#999999")


def _padding(engine: ConvStepperEngine, ax: Axes) -> None:
    """Hatched, so that nobody takes it for the picture."""
    up, left = engine.layer.padding
    rows, columns = engine.sizes[0]
    for row in range(rows + 2 * up):
        for column in range(columns + 2 * left):
            if not (up <= row < up + rows and left <= column < left + columns):
                ax.add_patch(
                    Rectangle(
                        (column - 0.5, row - 0.5), 1, 1, fill=False, hatch="////", edgecolor="#CFCFCB", linewidth=0
                    )
                )


def _frames(engine: ConvStepperEngine, axes: list[Axes]) -> None:
    """The window on the picture (with several layers all that is seen of it), and the chosen cell."""
    layer = engine.layer
    up, left = layer.padding
    for row, column in {(r, c) for r, c in _places(engine)}:
        _frame(axes[0], row + up, column + left, 1, 1, width=1)
    top, west, bottom, east = engine.seen[0].window
    rows, columns = engine.sizes[0]
    top, west, bottom, east = max(top, -up), max(west, -left), min(bottom, rows + up), min(east, columns + left)
    _frame(axes[0], top + up, west + left, bottom - top, east - west, width=2.4)
    if engine.hidden != "size":
        _frame(axes[-1], *engine.at, 1, 1, width=2.4)


def _places(engine: ConvStepperEngine) -> list[tuple[int, int]]:
    """The places of the picture that count: the window's, or with several layers the pixels seen."""
    if engine.values["layers"] == 1:
        return [(place.row, place.column) for place in engine.places]
    return [tuple(place) for place in (engine.seen[0].paths > 0).nonzero().tolist()]


def _frame(ax: Axes, row: int, column: int, rows: int, columns: int, *, width: float) -> None:
    ax.add_patch(
        Rectangle(
            (column - 0.5, row - 0.5),
            columns,
            rows,
            fill=False,
            edgecolor=COLOURS["blue"],
            linewidth=width,
            zorder=3,
            clip_on=False,
        )
    )


def _alt(engine: ConvStepperEngine) -> str:
    (rows, columns), layer = engine.sizes[0], engine.layer
    shown = f"A picture of {rows} by {columns} numbers"
    shown += " with its padding" if any(layer.padding) else ""
    kernel = ", the kernel" if layer.mode == "kernel" else ""
    paths = " In each cell stands on how many paths it leads to the chosen one." if _shows_paths(engine) else ""
    return (
        f"{shown}{kernel}, and the output cell by cell; the window and the chosen cell are framed.{paths} "
        f"{words.say(engine)}"
    )
