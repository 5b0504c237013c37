"""Is a map to be trusted? Curves of deletion and insertion, beside random orders.

They take the curves that `dlcourse.attribution` makes and read only their fields. Each curve has its name beside it
with its mark, so that no colour is needed to tell them apart.
"""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from dlcourse.plot.draw import _array
from dlcourse.plot.maps import _count, _short
from dlcourse.plot.style import COLOURS, INK, LINES, MARKERS, PANEL, STYLES, figure

LETTER, LINE = 0.073, 0.17  # inches for a letter, and for a line of text
FLOOR = "random order"


def deletion(
    curves: Mapping[str, Any],
    *,
    floor: Sequence[Any] = (),
    ax: Axes | None = None,
    xlabel: str = "share taken away",
    ylabel: str = "score",
) -> Figure:
    """The score as pixels go: a curve for each method, and behind them a grey band for random orders.

    curves: {method: what `attribution.deletion` or `insertion` gives}, each with `share` (points,) and `scores`
    (points, batch), of which the mean over the batch is drawn. floor: the same by random orders, one for each; the band
    goes from the lowest to the highest of them, the line in it is their mean. For insertion say so:
    xlabel="share put in". ax: where to draw; by default a figure of its own. Raises ValueError without curves.
    """
    lines, orders = _means(curves, floor)
    fig, ax = figure(width=6.4, height=4.2) if ax is None else (ax.figure, ax)
    if orders:
        share, low, mean, high = _band(orders)
        ax.fill_between(share, low, high, color=COLOURS["grey"], alpha=0.25, linewidth=0)
        ax.plot(share, mean, "--", color=COLOURS["grey"], linewidth=1.4)
    styles = _styles(lines)
    for name, (share, scores, _) in lines.items():
        ax.plot(share, scores, markevery=max(1, len(share) // 7), markersize=6, **styles[name])
    ax.set(xlim=(0, 1), xlabel=xlabel, ylabel=ylabel)
    ax.xaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
    _name(ax, {name: line[:2] for name, line in lines.items()} | ({FLOOR: (share, mean)} if orders else {}), styles)
    return fig


def deletion_alt(
    curves: Mapping[str, Any],
    *,
    floor: Sequence[Any] = (),
    xlabel: str = "share taken away",
    ylabel: str = "score",
) -> str:
    """The curves in words, for `plot.show(fig, alt=...)`: where each begins and ends, and its mean height, the area."""
    lines, orders = _means(curves, floor)
    told = [
        f"{name}: from {_short(scores[0])} to {_short(scores[-1])}, area {_short(area)}"
        for name, (_, scores, area) in lines.items()
    ]
    words = f"{ylabel[:1].upper()}{ylabel[1:]} against {xlabel}, {_count(len(lines), 'curve')}. {'; '.join(told)}."
    if not orders:
        return words
    areas = [area for *_, area in orders]
    between = _short(areas[0]) if len(areas) == 1 else f"from {_short(min(areas))} to {_short(max(areas))}"
    return f"{words} {_count(len(orders), 'random order')}: area {between}."


# --- what came, as rows of numbers ------------------------------------------------------------------------------------


def _means(curves: Mapping[str, Any], floor: Sequence[Any]) -> tuple[dict[str, Any], list[Any]]:
    """Share, mean scores and mean area, of each method and of each random order."""
    every = [*curves.items(), *((FLOOR, curve) for curve in floor)]
    if not curves or not all(hasattr(curve, "area") for _, curve in every):
        raise ValueError(
            "plot.deletion wants {method: curve} as attribution.deletion(...) gives it, and for floor a list of such."
        )
    found = [
        (
            _array(curve.share).astype(float),
            _array(curve.scores).astype(float).mean(1),
            float(_array(curve.area).mean()),
        )
        for _, curve in every
    ]
    return dict(zip(map(str, curves), found, strict=False)), found[len(curves) :]


def _band(orders: list[Any]) -> tuple[np.ndarray, ...]:
    """Share, lowest, mean and highest score of the random orders."""
    share, scores = orders[0][0], np.stack([scores for _, scores, _ in orders])
    return share, scores.min(0), scores.mean(0), scores.max(0)


# --- names on the curves ----------------------------------------------------------------------------------------------


def _styles(names: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Colour, dashes and mark of each; the sixth has the first one's colour with other dashes."""
    found = {}
    for index, name in enumerate(names):
        round_, of_round = divmod(index, len(LINES))
        dashes, marker = STYLES[(of_round + round_) % len(STYLES)], MARKERS[index % len(MARKERS)]
        found[name] = {"color": LINES[of_round], "linestyle": dashes, "marker": marker}
    return found


def _name(ax: Axes, lines: Mapping[str, tuple[np.ndarray, np.ndarray]], styles: Mapping[str, Any]) -> None:
    """Writes its name with its mark above or below each line, where it is farthest from the other lines and names."""
    (left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()
    wide, high = 0.8 * ax.figure.get_figwidth() / len(ax.figure.axes), 0.8 * ax.figure.get_figheight()
    grid = np.linspace(0, 1, 101)
    drawn = {  # in parts of the axes
        name: np.interp(grid, (x - left) / (right - left), (np.nan_to_num(y) - bottom) / (top - bottom))
        for name, (x, y) in lines.items()
    }
    taken: list[tuple[float, float, float, float]] = []
    for name, heights in drawn.items():
        width, height = (len(name) + 2) * LETTER / wide, LINE / high
        best, chosen, mine = -np.inf, (0.5, 0.5), (0.0, 0.0, 0.0, 0.0)
        for middle, side in itertools.product(np.arange(0.02, 0.99, 0.02), (1, -1)):
            if not width / 2 <= middle <= 1 - width / 2:
                continue
            under = abs(grid - middle) <= width / 2
            edge = heights[under].max() if side > 0 else heights[under].min()
            y = edge + side * 0.75 * height
            box = (middle - width / 2, middle + width / 2, y - height / 2, y + height / 2)
            if box[2] < 0 or box[3] > 1 or any(_overlap(box, other) for other in taken):
                continue
            others = [abs(line[under] - y).min() for other, line in drawn.items() if other != name]
            slack = np.ptp(heights[under])  # a name beside a steep piece is far from it
            room = min(min(others, default=1.0), 2.5 * height) - 0.5 * slack
            if room > best:
                best, chosen, mine = room, (middle, y), box
        taken.append(mine)
        begin, y = chosen[0] - width / 2, chosen[1]
        spot = {"transform": ax.transAxes, "zorder": 5}
        ground = {"facecolor": PANEL, "alpha": 0.75, "edgecolor": "none", "pad": 0.5}
        ax.text(begin + 2 * LETTER / wide, y, name, ha="left", va="center", fontsize=9, color=INK, bbox=ground, **spot)
        if name in styles:
            style = styles[name]
            ax.plot([begin + 0.9 * LETTER / wide], [y], style["marker"], color=style["color"], markersize=6, **spot)


def _overlap(one: Sequence[float], other: Sequence[float]) -> bool:
    return one[0] < other[1] and other[0] < one[1] and one[2] < other[3] and other[2] < one[3]
