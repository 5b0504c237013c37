"""The health of a network layer by layer: what a diagnosis found, and how numbers spread inside a model.

Both take plain data. A report is what `dlcourse.training.diagnose` returns: `report.findings`, each with a `cause`,
and `report.layers`, each with `name`, `gradient`, `dead` and `saturated`; that of `dlcourse.attacks.diagnose` is drawn
by `checklist`. Tensors by layer come from `dlcourse.hooks.capture`.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from dlcourse.plot.checklist import checklist, checklist_alt
from dlcourse.plot.style import COLOURS, INK, PANEL, figure, legend
from dlcourse.types import Tensor

ROW = 0.3  # inches for a layer
BINS = 80
WIDEST = 0.995  # share of the widest layer's numbers inside the picture: one outlier would make a line of every ridge
BARS = (
    ("dead", "dead units", {"color": COLOURS["vermilion"]}),
    ("saturated", "saturated outputs", {"color": COLOURS["sky"], "hatch": "///"}),
)
QUIET = "#5A5A5A"


def diagnosis(report: Any) -> Figure:
    """Each layer's gradient on a logarithmic axis, and beside it the shares of dead units and of saturated outputs.

    The first layer is at the top. A gradient of exactly 0 stands at the left edge, one that is not finite at the right,
    each with its word. `plot.diagnosis_alt(report)` says the same in words. A report of `dlcourse.attacks.diagnose` is
    drawn as a checklist. Raises ValueError for a report without layers: one of a run with no update, or of bare
    tensors.
    """
    if hasattr(report, "items") and hasattr(report, "examples"):
        return checklist(report)
    layers = _layers(report)
    fig, (left, right) = figure(1, 2, width=8.0, height=1.5 + ROW * len(layers), sharey=True)
    rows = np.arange(len(layers))
    _draw_gradients(left, [layer.gradient for layer in layers])
    left.set(xlabel="length of the gradient", ylabel="layer", yticks=rows)
    left.set_yticklabels([_short(layer.name) for layer in layers])
    left.set_ylim(len(layers) - 0.4, -0.6)
    shown = [bar for bar in BARS if any(getattr(layer, bar[0]) for layer in layers)]
    height = 0.7 / max(1, len(shown))
    for index, (name, label, style) in enumerate(shown):
        middle = rows + (index - (len(shown) - 1) / 2) * height
        shares = [getattr(layer, name) or 0 for layer in layers]
        right.barh(middle, shares, height, label=label, edgecolor=INK, linewidth=0.7, **style)
    bare = {"facecolor": PANEL, "edgecolor": "none", "pad": 1}
    for row, layer in enumerate(layers):
        if not layer.dead and not layer.saturated:
            word = "no units behind it" if layer.dead is None and layer.saturated is None else "none"
            right.text(0.015, row, word, va="center", fontsize=9, color=QUIET, bbox=bare)
    right.set(xlim=(0, 1), xlabel="share of the units behind the layer")
    right.xaxis.set_major_formatter(PercentFormatter(1))
    right.tick_params(axis="y", length=0)
    legend(right)
    fig.suptitle(f"likely cause: {report.findings[0].cause}" if report.findings else "nothing found", fontsize=11)
    return fig


def diagnosis_alt(report: Any) -> str:
    """The picture in words, for `plot.show(fig, alt=...)`."""
    if hasattr(report, "items") and hasattr(report, "examples"):
        return checklist_alt(report)
    layers = _layers(report)
    cause = f"Likely cause: {report.findings[0].cause}." if report.findings else "Nothing was found."
    first, last = layers[0], layers[-1]
    told = f"The gradient's length is {_number(first.gradient)} at the first layer, {_short(first.name)}"
    if last is not first:
        told += f", and {_number(last.gradient)} at the last, {_short(last.name)}"
    shares = []
    for name, what in (("dead", "dead units"), ("saturated", "saturated outputs")):
        known = [layer for layer in layers if getattr(layer, name)]
        if known:
            worst = max(known, key=lambda layer: getattr(layer, name))
            shares.append(f"The largest share of {what} is {getattr(worst, name):.0%}, behind {_short(worst.name)}.")
    units = " ".join(shares) or "No unit is dead or saturated."
    return f"Two panels by layer, {len(layers)} of them. {cause} {told}. {units}"


def _draw_gradients(ax: Axes, norms: Sequence[float]) -> None:
    """Dots and a line; what has no logarithm stands at an edge, open, with its word."""
    usual = [norm for norm in norms if math.isfinite(norm) and norm > 0]
    low, high = (min(usual), max(usual)) if usual else (1.0, 1.0)
    ax.set_xscale("log")
    ax.set_xlim(low / 10, high * 10)
    if high / low < 100:  # at least two powers of ten, so that small differences look small
        ax.set_xlim(math.sqrt(low * high) / 30, math.sqrt(low * high) * 30)
    edges = ax.get_xlim()
    spots = [norm if math.isfinite(norm) and norm > 0 else edges[0] if norm == 0 else edges[1] for norm in norms]
    ax.plot(spots, range(len(spots)), "-", color=COLOURS["blue"], linewidth=1.4)
    for row, (norm, spot) in enumerate(zip(norms, spots, strict=True)):
        odd = not (math.isfinite(norm) and norm > 0)
        face = ax.get_facecolor() if odd else COLOURS["blue"]
        ax.plot([spot], [row], "o", color=COLOURS["blue"], markerfacecolor=face, clip_on=False, zorder=4)
        if odd:
            word = "0" if norm == 0 else "not finite"
            side = {"ha": "left", "xytext": (8, 0)} if norm == 0 else {"ha": "right", "xytext": (-8, 0)}
            ax.annotate(word, (spot, row), textcoords="offset points", va="center", fontsize=9, **side)


def layers(panels: Mapping[str, Mapping[str, Any]]) -> Figure:
    """How numbers spread in each layer: a ridge for each, the first layer at the top, beside it the spread in figures.

    panels: {"activations": {layer: tensor}, "gradients": {layer: tensor}}, or one panel alone. The rows of a panel
    share its axis, so that a signal that dies out is seen to become narrow. All ridges are equally high; exact zeros
    (units that are off) are counted beside them and not drawn. `plot.layers_alt(panels)` says it in words. Raises
    ValueError when there is nothing to draw.

        with hooks.capture(model, names, retain_grad=True) as seen:
            loss(model(x), y).backward()
        fig = plot.layers({"activations": seen, "gradients": {name: h.grad for name, h in seen.items()}})
    """
    values = _values(panels)
    rows = max(len(rows) for rows in values.values())
    fig, axes = figure(1, len(values), width=max(5.4, 4.5 * len(values)), height=1.0 + 0.46 * rows, squeeze=False)
    for ax, (label, by_layer) in zip(axes[0], values.items(), strict=True):
        _draw_ridges(ax, by_layer)
        ax.set_xlabel(label)
    axes[0][0].set_ylabel("layer")
    return fig


def layers_alt(panels: Mapping[str, Mapping[str, Any]]) -> str:
    """The ridges in words, for `plot.show(fig, alt=...)`: the spread in the first and in the last layer."""
    told = []
    for label, by_layer in _values(panels).items():
        rows = list(by_layer.items())
        (first, begin), (last, end) = rows[0], rows[-1]
        text = f"{label}: the standard deviation is {_number(_spread(begin))} in layer {_short(first)}"
        if last != first:
            text += f" and {_number(_spread(end))} in layer {_short(last)}"
        told.append(text)
    return f"Ridges, one for each of {max(map(len, _values(panels).values()))} layers. {'; '.join(told)}."


def _draw_ridges(ax: Axes, by_layer: Mapping[str, np.ndarray]) -> None:
    finite = {name: values[np.isfinite(values)] for name, values in by_layer.items()}
    drawn = [values[values != 0] for values in finite.values() if values.any()]
    reach = max((float(np.quantile(np.abs(values), WIDEST)) for values in drawn), default=1.0)
    low = -reach if any(values.min() < 0 for values in drawn) else -0.05 * reach
    edges = np.linspace(low, reach, BINS + 1)
    middles = (edges[1:] + edges[:-1]) / 2
    for row, values in enumerate(finite.values()):
        heights = np.histogram(values[values != 0], edges)[0].astype(float)
        heights *= 0.86 / max(heights.max(), 1.0)
        ax.fill_between(middles, row, row - heights, color=COLOURS["sky"], alpha=0.75, lw=0, step="mid", zorder=2 + row)
        ax.step(middles, row - heights, "-", where="mid", color=COLOURS["blue"], linewidth=1.1, zorder=2 + row)
    for row, (name, values) in enumerate(by_layer.items()):
        text = f"std {_number(_spread(values))}"
        zeros = float((values == 0).mean())
        text += f"\n{zeros:.0%} zero" if zeros >= 0.005 else ""
        text += "\nnot finite" if len(finite[name]) < len(values) else ""
        ax.annotate(text, (1.01, row - 0.1), xycoords=("axes fraction", "data"), va="center", fontsize=8.5, color=INK)
    ax.set(xlim=(low, reach), ylim=(len(by_layer) - 0.8, -1.0), yticks=range(len(by_layer)))
    ax.set_yticklabels([_short(name) for name in by_layer])
    ax.xaxis.set_major_locator(MaxNLocator(5))
    ax.ticklabel_format(axis="x", style="sci", scilimits=(-2, 3))
    ax.grid(axis="y", visible=False)
    ax.spines["left"].set_visible(False)
    ax.tick_params(axis="y", length=0)


def _layers(report: Any) -> list[Any]:
    rows = list(getattr(report, "layers", None) or ())
    if not rows or not hasattr(report, "findings"):
        raise ValueError(
            f"plot.diagnosis got {type(report).__name__} without layers; it wants the report of a run in which a model "
            "of torch modules was updated: plot.diagnosis(diagnose(model, batches, loss, optimizer))."
        )
    return rows


def _values(panels: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, np.ndarray]]:
    """The panels with flat arrays of numbers in them."""
    values = {
        label: {name: _numbers(tensor) for name, tensor in by_layer.items() if tensor is not None}
        for label, by_layer in panels.items()
    }
    if not values or not all(by_layer and all(len(row) for row in by_layer.values()) for by_layer in values.values()):
        raise ValueError(
            "plot.layers got nothing to draw in a panel; it wants {title: {layer: tensor}}, as from hooks.capture. A "
            "gradient is None before backward, and without retain_grad=True."
        )
    return values


def _numbers(values: Any) -> np.ndarray:
    """Whatever came as one row of numpy's floats; numpy has none of torch's shorter ones."""
    return np.asarray(values.detach().cpu().double() if isinstance(values, Tensor) else values, float).ravel()


def _spread(values: np.ndarray) -> float:
    return float(values[np.isfinite(values)].std()) if np.isfinite(values).any() else math.nan


def _short(name: str) -> str:
    """A layer's name, its end if it is long."""
    return name if len(name) <= 14 else f"…{name[-13:]}"


def _number(value: float) -> str:
    return f"{value:.2g}".replace("-", "\N{MINUS SIGN}")
