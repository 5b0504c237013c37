"""The loss on a plane through an example: colour for the loss, and lines for the ball, the box and the decision.

It takes what `dlcourse.landscape.plane` makes and reads only its fields; nothing here calls a model.
"""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from dlcourse.plot.draw import _array
from dlcourse.plot.style import COLOURS, INK, PANEL, figure

RISING = LinearSegmentedColormap.from_list("dlcourse_loss", [PANEL, "#F2AE6C", "#AD4A00"], N=24)


def landscape(
    plane: Any, *, ax: Axes | None = None, limit: float | None = None, label: str | None = "loss (nats)"
) -> Figure:
    """The plane: pale where the loss is low, dark orange where it is high.

    A black line is where the answer changes, a blue dashed one the edge of the ball, a grey dotted one the edge of the
    box [0, 1]; the cross is the example. ax: where to draw; by default a figure of its own. limit: the loss of the
    strongest colour, to compare two planes; by default the largest there is. label: of the colour bar; None draws none.
    Raises ValueError for what is no plane.
    """
    _check(plane)
    loss, answers = _array(plane.loss).astype(float), _array(plane.label)
    u, v = _array(plane.u).astype(float), _array(plane.v).astype(float)
    fig, ax = figure(width=5.4, height=4.6) if ax is None else (ax.figure, ax)
    shown = np.where(np.isfinite(loss), loss, np.nan)
    low = float(np.nanmin(shown, initial=0))  # a margin, unlike a cross-entropy, is below 0 where the answer is right
    top = float(np.nanmax(shown, initial=0)) if limit is None else float(limit)
    extent = (*_edges(u), *_edges(v))
    colours = {"cmap": RISING, "vmin": low, "vmax": top if top > low else low + 1}
    image = ax.imshow(shown, extent=extent, origin="lower", aspect="auto", **colours)
    ax.grid(False)
    lines, right = [], answers == plane.right
    if right.any() and not right.all():
        ax.contour(u, v, right.astype(float), levels=[0.5], colors=[INK], linestyles=["-"], linewidths=1.8)
        lines.append(Line2D([], [], color=INK, linewidth=1.8, label="answer changes"))
    for name, edge, colour, style in (
        ("edge of the ball", _array(plane.ball), COLOURS["blue"], "--"),
        ("edge of the box [0, 1]", _array(plane.box), COLOURS["grey"], ":"),
    ):
        seen = (abs(edge) <= extent[1::2]).all(1) & (abs(edge) > 0.01 * plane.eps).any(1)
        if seen.any():
            lines += ax.plot(*edge.T, color=colour, linestyle=style, linewidth=1.8, label=name)
    ax.plot([0], [0], marker="+", markersize=11, markeredgewidth=2, color=INK)
    ax.set(xlim=extent[:2], ylim=extent[2:])
    ax.set_xlabel("along the steepest direction" if plane.along_gradient else "along the first direction")
    ax.set_ylabel("along the second direction")
    if lines:
        ax.legend(handles=lines, loc="upper left", fontsize=8.5)
    if label is not None:
        fig.colorbar(image, ax=ax, label=label).outline.set_visible(False)
    return fig


def landscape_alt(plane: Any) -> str:
    """The plane in words, for `plot.show(fig, alt=...)`: the loss in the middle, the highest in the ball, answers."""
    _check(plane)
    loss, answers, inside = _array(plane.loss).astype(float), _array(plane.label), _array(plane.in_ball)
    inside = inside & _array(plane.in_box)
    middle = loss[loss.shape[0] // 2, loss.shape[1] // 2]
    first = "the steepest direction" if plane.along_gradient else "a direction that is not the gradient's"
    words = f"The loss on a plane along {first} and another. In the middle it is {middle:.3g}"
    if not inside.any():
        return f"{words}; no point of the grid lies in the ball and the box."
    others = sorted({int(answer) for answer in answers[inside]} - {plane.right})
    told = f"other answers there: {', '.join(map(str, others))}" if others else "every answer there is right"
    return f"{words}; within the ball of {plane.eps:g} and the box at most {loss[inside].max():.3g}; {told}."


def _edges(places: np.ndarray) -> tuple[float, float]:
    """Left edge of the first cell and right edge of the last, so that cells have their places in the middle."""
    half = (places[1] - places[0]) / 2
    return float(places[0] - half), float(places[-1] + half)


def _check(plane: Any) -> None:
    wanted = "u", "v", "loss", "label", "in_ball", "in_box", "ball", "box", "right", "eps", "along_gradient"
    if not all(hasattr(plane, name) for name in wanted):
        raise ValueError(f"plot.landscape got {type(plane).__name__}; it wants what landscape.plane(...) makes.")
