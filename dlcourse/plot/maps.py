"""What a convolutional network holds and sees: its kernels, its feature maps, and the patches that a unit answers to.

Each figure is one mosaic with one stated scale of colours for all its tiles, so that a weak map looks weak beside a
strong one. Kernels have a sign, so 0 is always the middle of their scale. Results come in as tensors; nothing here
calls a model. `kernels_alt`, `maps_alt` and `patches_alt` say the same in words, for `plot.show(fig, alt=...)`.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure

from dlcourse.plot.draw import _array
from dlcourse.plot.style import INK, PANEL, figure
from dlcourse.types import Float, Tensor

WIDEST = 8.2  # inches of tiles; the colour bar and the labels come beside them
LARGEST = 1.25  # inches for a tile among many
FEW = 3  # so many tiles side by side may be larger
GAP = 0.12  # between tiles, in parts of a tile
FRAME = "#999999"
BAR = 0.13  # inches
# The hues of `DIVERGING`, which is pale for the points on top of it, with strong ends: here the colour is the message.
SIGNED = LinearSegmentedColormap.from_list("signed", ["#0A5C96", "#74B3DD", "#F7F7F5", "#F2AE6C", "#AD4A00"], N=255)


def kernels(
    weight: Float[Tensor, "out channel height width"],
    *,
    names: Sequence[str] | None = None,
    columns: int = 8,
    limit: float | None = None,
    numbers: bool = False,
) -> Figure:
    """The kernels of a convolution, blue below 0, orange above, white at 0.

    weight: (out, channel, height, width), as torch keeps it. With one input channel the kernels stand in a grid of
    `columns`; with several, each row is an output channel and each column an input channel.
    names: one for each output channel; by default its number. limit: the weight of the strongest colours; by default
    the largest size there is. numbers: writes each weight in its cell. Raises ValueError for another shape or number.
    """
    values = _numbers(weight, 4, "kernels", "(out, channel, height, width)")
    out, channel = values.shape[:2]
    titles = _titles(names, out, "kernels", "output channels")
    reach = _limit(values, limit, "kernels")
    scale = {"cmap": SIGNED, "norm": Normalize(-reach, reach)}
    if channel == 1:
        return _mosaic(values[:, 0], columns, scale, "weight", titles=titles, numbers=numbers)
    flat = values.reshape(out * channel, *values.shape[2:])
    fig = _mosaic(flat, channel, scale, "weight", rows=titles, numbers=numbers)
    fig.axes[0].set(xlabel="input channel", ylabel="output channel")
    return fig


def kernels_alt(weight: Float[Tensor, "out channel height width"], *, names: Sequence[str] | None = None) -> str:
    """The kernels in words, for `plot.show(fig, alt=...)`: how many, how large, and which has the largest weight."""
    values = _numbers(weight, 4, "kernels", "(out, channel, height, width)")
    titles = _titles(names, len(values), "kernels", "output channels")
    out, channel, height, width = values.shape
    each = "" if channel == 1 else f", each over {channel} input channels"
    place = np.unravel_index(np.argmax(np.nan_to_num(np.abs(values))), values.shape)
    return (
        f"{_count(out, 'kernel')} of {height} by {width}{each}; blue weights are negative, orange ones positive. "
        f"The largest in size is {_short(values[place])}, in kernel {titles[place[0]]}."
    )


def maps(
    maps: Float[Tensor, "channel height width"],
    *,
    names: Sequence[str] | None = None,
    columns: int = 8,
    limit: float | None = None,
) -> Figure:
    """The feature maps of one picture, one tile for each channel, all on one scale.

    maps: (channel, height, width). Where all values are 0 or more, as after a ReLU, 0 is white and dark is strong;
    where there are negative ones, blue is below 0, orange above. names: one for each channel; by default its number.
    limit: the value of the strongest colour; by default the largest size there is. Raises ValueError for another shape
    or number.
    """
    values = _numbers(maps, 3, "maps", "(channel, height, width), the maps of one picture")
    titles = _titles(names, len(values), "maps", "channels")
    reach, signed = _limit(values, limit, "maps"), np.nanmin(values, initial=0) < 0
    scale = {"cmap": SIGNED if signed else "gray_r", "norm": Normalize(-reach if signed else 0, reach)}
    return _mosaic(values, columns, scale, "value", titles=titles)


def maps_alt(maps: Float[Tensor, "channel height width"], *, names: Sequence[str] | None = None) -> str:
    """The maps in words, for `plot.show(fig, alt=...)`: which answers most strongly, where, and how many are silent."""
    values = _numbers(maps, 3, "maps", "(channel, height, width), the maps of one picture")
    titles = _titles(names, len(values), "maps", "channels")
    channel, row, column = np.unravel_index(np.argmax(np.nan_to_num(np.abs(values))), values.shape)
    count = f"{_count(len(values), 'feature map')} of {values.shape[1]} by {values.shape[2]}."
    if np.isnan(values).all():
        return f"{count} No value is finite."
    odd = np.isnan(values).sum()
    bare = f" {_count(odd, 'value')} {'is' if odd == 1 else 'are'} not finite and left bare." if odd else ""
    silent = sum(not tile.any() for tile in values)
    still = f" {silent} of them {'is' if silent == 1 else 'are'} 0 everywhere." if silent else ""
    return (
        f"{count} The strongest{' finite' if odd else ''} value is {_short(values[channel, row, column])}, in map "
        f"{titles[channel]}, at row {row}, column {column}.{still}{bare}"
    )


def patches(
    patches: Float[Tensor, "batch channel height width"],
    *,
    values: Any = None,
    names: Sequence[str] | None = None,
    columns: int = 9,
    cmap: Any = "gray_r",
) -> Figure:
    """Pieces cut out of pictures, such as those that a unit answers to most, with the unit's value above each.

    patches: (n, 1, height, width), grey, or (n, 3, height, width), in colour; pixels in [0, 1], others are clipped.
    Dark ink on light paper; for photographs cmap="gray". values: (n,), written above; names: (n,), put before the
    value. Raises ValueError for another shape or number.
    """
    pixels = _numbers(patches, 4, "patches", "(n, 1 or 3, height, width)")
    if pixels.shape[1] not in (1, 3):
        raise ValueError(f"plot.patches got {pixels.shape[1]} channels and wants 1, grey, or 3, red, green and blue.")
    titles = _titles(names, len(pixels), "patches", "patches") if names is not None else [""] * len(pixels)
    if values is not None:
        told = [_short(value) for value in _fit(values, len(pixels))]
        titles = [f"{name} {value}".strip() for name, value in zip(titles, told, strict=True)]
    pixels = pixels.clip(0, 1)  # matplotlib would, but warns
    shown = pixels[:, 0] if pixels.shape[1] == 1 else np.moveaxis(pixels, 1, -1)
    return _mosaic(shown, columns, {"cmap": cmap, "norm": Normalize(0, 1)}, None, titles=titles)


def patches_alt(patches: Float[Tensor, "batch channel height width"], *, values: Any = None) -> str:
    """The patches in words, for `plot.show(fig, alt=...)`. What they show only you can say: add it."""
    pixels = _numbers(patches, 4, "patches", "(n, 1 or 3, height, width)")
    words = f"{_count(len(pixels), 'patch', 'patches')} of {pixels.shape[2]} by {pixels.shape[3]} pixels"
    if values is None:
        return f"{words}."
    told = _fit(values, len(pixels))
    known = told[~np.isnan(told)]
    if not len(known):
        return f"{words}; none of the unit's values is a number."
    odd = f"; {len(told) - len(known)} are no numbers" if len(known) < len(told) else ""
    return f"{words}; the unit's values go from {_short(known.max())} to {_short(known.min())}{odd}."


def _mosaic(
    tiles: np.ndarray,
    columns: int,
    scale: dict[str, Any],
    label: str | None,
    *,
    titles: Sequence[str] | None = None,
    rows: Sequence[str] | None = None,
    numbers: bool = False,
) -> Figure:
    """All tiles on one pair of axes: a hundred of them are drawn as quickly as one.

    tiles: (n, height, width) or (n, height, width, 3). titles: above each tile; or rows: a name for each row, and the
    columns numbered. A tile is one unit wide; `label` names the colour bar, None draws none.
    """
    count, height, width = tiles.shape[:3]
    columns = max(1, min(columns, count))
    down = -(-count // columns)
    tall, head = height / width, 0.0
    side = min(LARGEST if columns > FEW else 1.6 * LARGEST, WIDEST / (columns * (1 + GAP)))
    if titles is not None and any(titles):
        head = 0.21 / side  # inches of a line of text, in parts of a tile
    step = tall + head + GAP
    across = columns * (1 + GAP) - GAP
    room = 1.1 * (label is not None) + 0.55 * (rows is not None)
    high = down * step * side + 0.1 + 0.4 * (rows is not None)
    fig, ax = figure(width=max(across * side + 0.2 + room, 1.6), height=max(high, 1.2 if label is None else 1.5))
    ax.grid(False)
    ax.spines[:].set_visible(False)
    ax.set(xticks=[], yticks=[])
    for index, tile in enumerate(tiles):
        row, column = divmod(index, columns)
        left, top = column * (1 + GAP), row * step + head
        extent = (left, left + 1, top + tall, top)
        image = ax.imshow(tile, extent=extent, interpolation="nearest", aspect="auto", **scale)
        ax.add_patch(_frame(left, top, tall))
        if head:
            ax.text(left + 0.5, top - 0.04, titles[index], ha="center", va="bottom", fontsize=9)
        if numbers:
            _write(ax, tile, extent, side, scale["norm"].vmax)
    ax.set_aspect("equal")
    ax.set(xlim=(-0.02, across + 0.02), ylim=(down * step - GAP + 0.02, -0.02))
    if rows is not None:
        ax.set_yticks([row * step + tall / 2 for row in range(down)], rows)
        ax.set_xticks([column * (1 + GAP) + 0.5 for column in range(columns)], range(columns))
        ax.tick_params(length=0, labelsize=9 if side > 0.3 else 6)
    if label is not None:
        bar = fig.colorbar(image, ax=ax, label=label, aspect=0.9 * high / BAR, shrink=0.9)
        bar.outline.set_visible(False)
        bar.ax.tick_params(labelsize=8.5)
    return fig


def _frame(left: float, top: float, tall: float) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle((left, top), 1, tall, fill=False, edgecolor=FRAME, linewidth=0.7)


def _write(ax: Any, tile: np.ndarray, extent: tuple[float, float, float, float], side: float, reach: float) -> None:
    """Each number in the middle of its cell, as large as the cell allows."""
    height, width = tile.shape
    left, right, bottom, top = extent
    size = min(9.0, 72 * side / width * 0.3)
    for (row, column), value in np.ndenumerate(tile):
        x = left + (column + 0.5) * (right - left) / width
        y = top + (row + 0.5) * (bottom - top) / height
        ink = PANEL if abs(value) > 0.7 * reach else INK  # the strong ends of the scale are dark
        ax.text(x, y, _short(value), ha="center", va="center", fontsize=size, color=ink)


def _numbers(values: Any, ndim: int, function: str, wanted: str) -> np.ndarray:
    """The values as numpy's floats, infinite ones as nan, which is drawn as bare panel."""
    values = values.detach().cpu() if isinstance(values, Tensor) else np.asarray(values)
    if values.is_complex() if isinstance(values, Tensor) else np.iscomplexobj(values):
        raise ValueError(f"plot.{function} got complex numbers, which no colour stands for; take .real or .abs().")
    values = np.asarray(values.double() if isinstance(values, Tensor) else values, float)
    if values.ndim != ndim or values.size == 0:
        raise ValueError(f"plot.{function} got the shape {values.shape} and wants {wanted}.")
    return np.where(np.isfinite(values), values, np.nan)


def _limit(values: np.ndarray, limit: float | None, function: str) -> float:
    """The value of the strongest colour, never 0: what is 0 everywhere is drawn as 0."""
    if limit is not None:
        if not 0 < limit < np.inf:
            raise ValueError(f"plot.{function} got limit={limit}; wanted a number above 0, or None.")
        return float(limit)
    return float(np.abs(values[np.isfinite(values)]).max(initial=0)) or 1.0


def _titles(names: Sequence[str] | None, count: int, function: str, what: str) -> list[str]:
    if names is None:
        return [str(index) for index in range(count)]
    if len(names) != count:
        raise ValueError(f"plot.{function} got {count} {what} and {len(names)} names.")
    return [str(name) for name in names]


def _fit(values: Any, count: int) -> np.ndarray:
    values = _array(values)
    if values.shape != (count,):
        raise ValueError(f"plot.patches got {count} patches and values {values.shape}; wanted ({count},).")
    return values


def _count(count: int, one: str, more: str | None = None) -> str:
    return f"{count} {one if count == 1 else more or one + 's'}"


def _short(value: float) -> str:
    return f"{value:.3g}".replace("-", "\N{MINUS SIGN}")
