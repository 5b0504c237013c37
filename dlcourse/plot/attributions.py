"""Explanations side by side: each picture, and beside it what each method made of it.

Every map has a scale of its own, told below it: the maps of two methods are in different units, so their colours say
where, and not how much. Results come in as tensors; nothing here calls a model.
"""

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from dlcourse.plot.maps import GAP, LARGEST, SIGNED, WIDEST, _count, _frame, _limit, _numbers, _short, _titles
from dlcourse.plot.style import INK, PANEL, figure
from dlcourse.types import Float, Tensor

LINE = 0.17  # inches for a line of text
LETTER = 0.078  # inches for a letter
NAMES = 12  # letters of a picture's name in a line
UNSIGNED = LinearSegmentedColormap.from_list(
    "unsigned", SIGNED(np.linspace(0.5, 1, 128))
)  # orange is above 0, as there
MINUS = "\N{MINUS SIGN}"


def attributions(
    x: Float[Tensor, "batch channel height width"],
    maps: Mapping[str, Float[Tensor, "batch ..."]],
    *,
    names: Sequence[str] | None = None,
    cmap: Any = "gray_r",
) -> Figure:
    """A row for each picture: the picture, then its map by each method, blue below 0, orange above, white at 0.

    x: (batch, 1 or 3, height, width), pixels in [0, 1], others are clipped; dark ink on light paper, for photographs
    cmap="gray". maps: {method: (batch, channel, height, width) or (batch, height, width)}. Channels are added up. A map
    of a layer, with fewer rows and columns, is drawn as it is over the whole picture. + stands on the largest number
    of a map and, where a method has a sign, \N{MINUS SIGN} on the lowest below 0; under each map is the number of its
    strongest colour. names: one for each picture; by default its number. Raises ValueError for another shape or number.
    """
    pixels, values, titles = _checked(x, maps, names)
    columns, (height, width) = 1 + len(values), x.shape[2:]
    tall = height / width
    side = min(LARGEST, WIDEST / (columns * (1 + GAP)))  # inches of a tile, which is one unit wide
    line = LINE / side
    heads = [textwrap.fill(name, max(4, int(side * (1 + GAP) / LETTER))) for name in ("picture", *values)]
    top, step = line * max(head.count("\n") + 1 for head in heads), tall + 1.25 * line + GAP
    across, down = columns * (1 + GAP) - GAP, len(pixels) * step - GAP
    titles = [textwrap.fill(title, NAMES) for title in titles]
    room = LETTER * max(len(part) for title in titles for part in title.split("\n")) + 0.35
    fig, ax = figure(width=max(across * side + room, 2.5), height=(top + down) * side + 0.15)
    ax.grid(False)
    ax.spines[:].set_visible(False)
    ax.set_xticks([])
    ax.set_yticks([row * step + tall / 2 for row in range(len(pixels))], titles)
    ax.tick_params(length=0, labelsize=9)
    for column, head in enumerate(heads):
        ax.text(column * (1 + GAP) + 0.5, -0.04, head, ha="center", va="bottom", fontsize=9)
    for row, picture in enumerate(pixels):
        _tile(ax, picture, 0, row * step, tall, {"cmap": cmap, "norm": Normalize(0, 1)})
        for column, of_all in enumerate(values.values(), start=1):
            map, left, up, signed = of_all[row], column * (1 + GAP), row * step, _signed(of_all)
            reach = _limit(map, None, "attributions")
            scale = {"cmap": SIGNED if signed else UNSIGNED, "norm": Normalize(-reach if signed else 0, reach)}
            _tile(ax, map, left, up, tall, scale)
            for sign, (i, j) in _marks(map).items():
                spot = left + (j + 0.5) / map.shape[1], up + (i + 0.5) / map.shape[0] * tall
                mark = ax.text(*spot, sign, ha="center", va="center_baseline", fontsize=9, color=INK, weight="bold")
                mark.set_path_effects([withStroke(linewidth=2, foreground=PANEL)])  # it stands on any colour
            ax.text(left + 0.5, up + tall + 0.3 * line, _scale(map, signed), ha="center", va="top", fontsize=8.5)
    ax.set_aspect("equal")
    ax.set(xlim=(-0.02, across + 0.02), ylim=(down + 0.02, -top - 0.06))
    return fig


def attributions_alt(
    x: Float[Tensor, "batch channel height width"],
    maps: Mapping[str, Float[Tensor, "batch ..."]],
    *,
    names: Sequence[str] | None = None,
) -> str:
    """The maps in words, for `plot.show(fig, alt=...)`: of each its range, and where its largest number is."""
    pixels, values, titles = _checked(x, maps, names)
    size = pixels.shape[1:3]
    sizes = [name if map.shape[1:] == size else f"{name} ({_size(map.shape[1:])})" for name, map in values.items()]
    told = [
        f"{title}: {'; '.join(f'{name} {_range(of_all[row])}' for name, of_all in values.items())}."
        for row, title in enumerate(titles)
    ]
    return (
        f"{_count(len(titles), 'picture')} of {_size(size)}, each with a map by {', '.join(sizes)}; blue is below 0, "
        f"orange above, each map on a scale of its own. Picture {' Picture '.join(told)}"
    )


def _tile(ax: Axes, tile: np.ndarray, left: float, up: float, tall: float, scale: dict[str, Any]) -> None:
    ax.imshow(tile, extent=(left, left + 1, up + tall, up), interpolation="nearest", aspect="auto", **scale)
    ax.add_patch(_frame(left, up, tall))


def _signed(values: np.ndarray) -> bool:
    """Has the method given a number below 0 to any of the pictures?"""
    return bool(np.nanmin(values, initial=0) < 0)


def _marks(map: np.ndarray) -> dict[str, tuple[int, int]]:
    """Where + and minus stand: on the largest number above 0, and on the lowest below 0."""
    known = np.nan_to_num(map)
    found = {"+": known.argmax()} if known.max() > 0 else {}
    found |= {MINUS: known.argmin()} if known.min() < 0 else {}
    return {sign: np.unravel_index(place, map.shape) for sign, place in found.items()}


def _scale(map: np.ndarray, signed: bool) -> str:
    """The number of the strongest colour."""
    if np.isnan(map).any():
        return "not finite"
    if not map.any():
        return "0 everywhere"
    reach = _short(np.abs(map).max())
    return f"\N{PLUS-MINUS SIGN}{reach}" if signed else f"0 to {reach}"


def _range(map: np.ndarray) -> str:
    if np.isnan(map).all():
        return "is not finite"
    odd = ", with numbers that are not finite" if np.isnan(map).any() else ""
    if not np.nan_to_num(map).any():
        return f"is 0 everywhere{odd}"
    row, column = np.unravel_index(np.nanargmax(map), map.shape)
    return f"from {_short(np.nanmin(map))} to {_short(np.nanmax(map))}, largest at row {row}, column {column}{odd}"


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[0]} by {shape[1]}"


def _checked(
    x: Any, maps: Mapping[str, Any], names: Sequence[str] | None
) -> tuple[np.ndarray, dict[str, np.ndarray], list[str]]:
    """Pictures as matplotlib takes them, the maps as (batch, rows, columns), and the pictures' names."""
    pixels = _numbers(x, 4, "attributions", "x as (batch, 1 or 3, height, width)")
    if pixels.shape[1] not in (1, 3):
        raise ValueError(
            f"plot.attributions got {pixels.shape[1]} channels and wants 1, grey, or 3, red, green and blue."
        )
    if not maps:
        raise ValueError("plot.attributions got no maps; it wants {method: map}.")
    values = {str(name): _map(name, map, len(pixels)) for name, map in maps.items()}
    pixels = pixels.clip(0, 1)  # matplotlib would, but warns
    shown = pixels[:, 0] if pixels.shape[1] == 1 else np.moveaxis(pixels, 1, -1)
    return shown, values, _titles(names, len(pixels), "attributions", "pictures")


def _map(name: str, map: Any, batch: int) -> np.ndarray:
    wanted = f"for {name!r} ({batch}, channel, height, width) or ({batch}, height, width)"
    values = _numbers(map, map.ndim if map.ndim in (3, 4) else 4, "attributions", wanted)
    if len(values) != batch:
        raise ValueError(f"plot.attributions got the shape {values.shape} and wants {wanted}.")
    return values.sum(1) if values.ndim == 4 else values
