"""Drawing on axes: results come in as tensors, pictures come out. Nothing here calls a model."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dlcourse.plot.style import DIVERGING, FILLS, HOUSE, INK, LINES, MARKERS, STYLES, figure, legend
from dlcourse.types import Float, Shaped, Tensor

Extent = tuple[float, float, float, float]  # left, right, bottom, top, in data units


def _array(values: Any) -> np.ndarray:
    """Whatever came as a numpy array, off the accelerator and out of any graph."""
    return np.asarray(values.detach().cpu() if isinstance(values, Tensor) else values)


def points(
    ax: Axes,
    x: Float[Tensor, "points 2"],
    labels: Shaped[Tensor, " points"],
    *,
    names: Sequence[str] = ("0", "1"),
) -> None:
    """Points of the plane by class: colour and marker both differ, so neither is needed alone.

    x: (batch, 2). labels: 0, 1, ... up to the number of `names`, or -1 and +1 for the first and second name.
    Raises ValueError for other shapes or labels.
    """
    x, labels = _array(x), _array(labels)
    if x.ndim != 2 or x.shape[1] != 2 or labels.shape != x.shape[:1]:
        raise ValueError(
            f"plot.points got x of shape {x.shape} and labels of shape {labels.shape}; it wants (n, 2) and (n,). "
            "Pick two columns, like x[:, :2]."
        )
    classes = np.where(labels == -1, 0, labels)
    if not np.isin(classes, range(min(len(names), len(FILLS)))).all():
        raise ValueError(
            f"plot.points got the labels {np.unique(labels).tolist()} with names={tuple(names)}; "
            f"it wants 0 to {len(names) - 1} (six classes at most), or -1 and +1."
        )
    size = 42 if len(x) <= 300 else 22
    for index, name in enumerate(names):
        chosen = x[classes == index]
        style = {"color": FILLS[index], "marker": MARKERS[index], "edgecolors": INK, "linewidths": 0.7}
        ax.scatter(chosen[:, 0], chosen[:, 1], s=size, label=name, zorder=3, **style)
    legend(ax)


def grid(extent: Extent, n: int = 200) -> Float[Tensor, "points 2"]:
    """The n * n points of a grid over `extent` = (left, right, bottom, top), float32, row by row from the bottom.

    Feed them to a model and give the result to `field` with the same extent.

    >>> grid((0, 1, 0, 2), n=2).tolist()
    [[0.0, 0.0], [1.0, 0.0], [0.0, 2.0], [1.0, 2.0]]
    """
    left, right, bottom, top = extent
    across = torch.linspace(left, right, n, device="cpu")
    up = torch.linspace(bottom, top, n, device="cpu")
    y, x = torch.meshgrid(up, across, indexing="ij")
    return torch.stack([x.flatten(), y.flatten()], dim=1)


def field(
    ax: Axes,
    values: Shaped[Tensor, "..."],
    extent: Extent,
    *,
    level: float | None = 0.0,
    vmin: float | None = None,
    vmax: float | None = None,
    label: str | None = None,
) -> None:
    """A soft field of colour under the points, blue below `level`, orange above, with the contour where it is reached.

    values: one per point of `grid(extent)`, in its order: any shape with n * n elements.
    level: the decision contour, 0 for logits and 0.5 for probabilities; None draws none.
    vmin, vmax: the values of the strongest blue and orange; by default symmetric around the level.
    label: what the values are, beside a colour bar; None draws no bar. Raises ValueError when `values` is no square.
    """
    values = _array(values).astype(float).reshape(-1)
    n = round(values.size**0.5)
    if n < 2 or n * n != values.size:
        raise ValueError(f"plot.field got {values.size} values and wants n * n, one per point of plot.grid(extent, n).")
    middle = (values.min() + values.max()) / 2 if level is None else level
    reach = np.abs(values - middle).max() or 1.0
    image = ax.imshow(
        values.reshape(n, n),
        extent=extent,
        origin="lower",
        aspect="auto",
        cmap=DIVERGING,
        vmin=middle - reach if vmin is None else vmin,
        vmax=middle + reach if vmax is None else vmax,
        interpolation="bilinear",
        interpolation_stage="data",  # clean bands, and a picture a fifth of the size
        zorder=0,
    )
    ax.grid(False)
    if level is not None and values.min() < level < values.max():
        axes = np.linspace(*extent[:2], n), np.linspace(*extent[2:], n)
        ax.contour(*axes, values.reshape(n, n), levels=[level], colors=INK, linewidths=1.6, zorder=2)
    if label is not None:
        with mpl.rc_context(HOUSE):
            bar = ax.figure.colorbar(image, ax=ax, label=label)
        bar.outline.set_visible(False)


def line(
    ax: Axes,
    weight: Float[Tensor, "2"],
    bias: float | Float[Tensor, ""],
    *,
    label: str | None = None,
    colour: str = INK,
    style: Any = "-",
) -> None:
    """The line where w . x + b = 0, across the axes as they stand now, without changing their limits.

    weight: (2,), any direction, upright lines too. Raises ValueError for a zero weight, which has no line.
    """
    w, b = _array(weight).astype(float).reshape(-1), float(bias)
    if w.shape != (2,) or not w.any():
        raise ValueError(
            f"plot.line got the weight {w.tolist()} and wants two numbers, not both zero: "
            "with a zero weight, w . x + b is the same everywhere and there is no line."
        )
    if not np.isfinite([*w, b]).all():
        raise ValueError(f"plot.line got the weight {w.tolist()} and the bias {b}, which are not all finite.")
    foot = -b * w / (w @ w)  # the point of the line nearest to the origin
    limits = ax.get_xlim(), ax.get_ylim()
    ax.axline(foot, foot + [-w[1], w[0]] / np.linalg.norm(w), color=colour, linestyle=style, label=label, zorder=2.5)
    ax.set(xlim=limits[0], ylim=limits[1])
    ax.lines[-1].set_linewidth(HOUSE["lines.linewidth"])
    legend(ax)


def curves(
    ax: Axes,
    x: Shaped[Tensor, " points"],
    lines: Mapping[str, Shaped[Tensor, " points"]],
    *,
    xlabel: str | None = None,
    ylabel: str | None = None,
) -> None:
    """Several curves over the same x, each with its own colour and line style, named in the legend.

    lines: {label: y}, each y as long as x. Raises ValueError for another length.
    """
    x = _array(x)
    for (label, y), colour, style in zip(lines.items(), itertools.cycle(LINES), itertools.cycle(STYLES), strict=False):
        y = _array(y)
        if y.shape != x.shape:
            raise ValueError(f"plot.curves got {label!r} of shape {y.shape} over an x of shape {x.shape}.")
        ax.plot(x, y, label=label, color=colour, linestyle=style, linewidth=HOUSE["lines.linewidth"])
    if xlabel is not None:
        ax.set_xlabel(xlabel)
    if ylabel is not None:
        ax.set_ylabel(ylabel)
    legend(ax)


def images(
    images: Shaped[Tensor, "batch ... height width"],
    *,
    titles: Sequence[str] | None = None,
    columns: int = 8,
    cmap: Any = "gray_r",
    vmin: float | None = 0.0,
    vmax: float | None = 1.0,
) -> Figure:
    """A figure of small grey images, row by row, dark ink on light paper (for photographs: cmap="gray").

    images: (n, height, width) or (n, 1, height, width), pixels in [vmin, vmax], [0, 1] unless told otherwise.
    For weights, which have a sign: cmap=plot.DIVERGING, vmin=-m, vmax=m. titles: one for each image.
    Raises ValueError for another shape or number of titles.
    """
    pixels = _array(images)
    if pixels.ndim == 4 and pixels.shape[1] == 1:
        pixels = pixels[:, 0]
    if pixels.ndim != 3 or len(pixels) == 0:
        raise ValueError(
            f"plot.images got the shape {pixels.shape} and wants (n, height, width) or (n, 1, height, width)."
        )
    if titles is not None and len(titles) != len(pixels):
        raise ValueError(f"plot.images got {len(pixels)} images and {len(titles)} titles.")
    columns = min(columns, len(pixels))
    rows = -(-len(pixels) // columns)
    side = min(1.5, 9.4 / columns)
    height = rows * (side * pixels.shape[1] / pixels.shape[2] + (0.3 if titles is not None else 0.08))
    fig, axes = figure(rows, columns, width=columns * side, height=height, squeeze=False)
    for index, ax in enumerate(axes.flat):
        ax.set(xticks=[], yticks=[])
        ax.grid(False)
        if index >= len(pixels):
            ax.set_axis_off()
            continue
        ax.imshow(pixels[index], cmap=cmap, vmin=vmin, vmax=vmax, interpolation="nearest")
        ax.spines[:].set(visible=True, color="#999999")
        if titles is not None:
            ax.set_title(titles[index], fontsize=9.5)
    return fig
