"""How a run of training went: its history, the search for its learning rate, and what the model mistakes.

They take plain data, such as `dlcourse.training` makes, and read only its fields. Nothing here trains or measures.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from dlcourse.plot.draw import _array
from dlcourse.plot.style import COLOURS, INK, PANEL, figure, legend

TRAINING, VALIDATION, BEST = COLOURS["blue"], COLOURS["vermilion"], COLOURS["green"]
WIDE = 30.0  # losses that span more than this factor are drawn on a logarithmic axis
SHADES = LinearSegmentedColormap.from_list("dlcourse_counts", [PANEL, "#9CC9E6", "#0B5C8E"])


def history(history: Any) -> Figure:
    """A run of training, update by update: end it with `plot.show(fig, alt=plot.history_alt(history))`.

    From the top: the loss of each batch (faint), their running mean, and the validation loss with its lowest point; the
    validation accuracy, where there is one; the learning rate; the norm of the gradient before clipping.

    history: `steps`, each with `index, loss, lr, gradient_norm`; `evaluations`, each with `index, epoch, loss,
    accuracy` (None without classes); `best`, one of them or None. Raises ValueError when there is no step.
    """
    steps, evaluations = _parts(history)
    index, loss, lr, norm = (
        np.array([getattr(step, name) for step in steps]) for name in ("index", "loss", "lr", "gradient_norm")
    )
    measured = [e for e in evaluations if e.accuracy is not None]
    heights = [3.0, *([1.1] if measured else []), 0.9, 0.9]
    fig, axes = figure(len(heights), 1, width=7.4, height=1.05 * sum(heights) + 0.5, sharex=True, height_ratios=heights)
    top, *middle, low, lowest = axes
    _losses(top, index, loss, evaluations, history.best)
    for ax in middle:
        ax.plot(
            [e.index for e in measured], [e.accuracy for e in measured], color=VALIDATION, ls="--", **_dots(measured)
        )
        ax.set_ylabel("accuracy")
    low.plot(index, lr, color=INK, linestyle="-", linewidth=1.5)
    low.set_ylabel("lr")
    low.set_ylim(bottom=0)
    lowest.plot(index, norm, color=COLOURS["grey"], linestyle="-", linewidth=0.7)
    lowest.set_ylabel("gradient\nnorm")
    if (norm > 0).all() and norm.max() > WIDE * norm.min():
        lowest.set_yscale("log")
    lowest.set_xlabel("update")
    if history.best is not None:
        for ax in axes:
            ax.axvline(history.best.index, color=BEST, linestyle=":", linewidth=1.4, zorder=1)
    fig.align_ylabels(axes)
    return fig


def history_alt(history: Any) -> str:
    """The same run in words, for `plot.show(fig, alt=...)`."""
    steps, evaluations = _parts(history)
    smooth, _ = running_mean(np.array([step.loss for step in steps]))
    words = (
        f"{len(steps)} updates. The loss of the batches, in the running mean, goes from {steps[0].loss:.3g} to "
        f"{smooth[-1]:.3g}."
    )
    if evaluations:
        words += f" The validation loss goes from {evaluations[0].loss:.3g} to {evaluations[-1].loss:.3g}"
        if history.best is not None:
            best = history.best
            words += f"; it is lowest, {best.loss:.3g}, after {_epochs(best.epoch + 1)}"
            words += "" if best.accuracy is None else f", with an accuracy of {best.accuracy:.1%}"
        words += "."
    rates, norms = [step.lr for step in steps], [step.gradient_norm for step in steps]
    words += f" The learning rate is {rates[0]:.3g}"
    if max(rates) > min(rates):
        words += f" at first, {max(rates):.3g} at the most and {rates[-1]:.3g} at the end"
    words += "."
    return words + f" The gradient norm lies between {min(norms):.2g} and {max(norms):.2g}."


def running_mean(values: np.ndarray) -> tuple[np.ndarray, int]:
    """The mean of each value and those before it, recent ones weighing most; and over how many it about runs.

    A fiftieth of them: with 1,000 updates the mean forgets within 20.
    """
    span = max(1, round(len(values) / 50))
    keep, average, smooth = 1 - 1 / span, 0.0, []
    for count, value in enumerate(values, 1):
        average = keep * average + (1 - keep) * value
        smooth.append(average / (1 - keep**count))  # it began at 0: so much of it is missing
    return np.array(smooth), span


def _losses(ax: Axes, index: np.ndarray, loss: np.ndarray, evaluations: Sequence[Any], best: Any) -> None:
    smooth, span = running_mean(loss)
    ax.plot(index, loss, color=TRAINING, linestyle="-", linewidth=0.8, alpha=0.3, label="training, each batch")
    if span > 1:
        label = f"training, mean of about {span}"
        ax.plot(index, smooth, color=TRAINING, linestyle="-", label=label)
    if evaluations:
        x, y = [e.index for e in evaluations], [e.loss for e in evaluations]
        ax.plot(x, y, color=VALIDATION, linestyle="--", label="validation", **_dots(evaluations))
    if best is not None:
        label = f"best: {best.loss:.3g} after {_epochs(best.epoch + 1)}"
        ax.plot([best.index], [best.loss], color=BEST, linestyle="", marker="*", markersize=13, label=label, zorder=4)
    shown = [*smooth, *(e.loss for e in evaluations if np.isfinite(e.loss))]
    ax.set_ylabel("loss")
    if min(loss) > 0 and min(shown) > 0 and max(shown) > WIDE * min(shown):
        ax.set_yscale("log")
        ax.set_ylabel("loss (log scale)")
        ax.set_ylim(bottom=0.7 * min(*shown, np.quantile(loss, 0.01)))  # a lucky batch may be near 0
    legend(ax)


def _dots(points: Sequence[Any]) -> dict[str, Any]:
    """Marks on a curve of few points; many would hide it."""
    return {"marker": "o", "markersize": 4} if len(points) <= 40 else {}


def _epochs(count: int) -> str:
    return f"{count} epoch{'s' * (count != 1)}"


def _parts(history: Any) -> tuple[Sequence[Any], Sequence[Any]]:
    if not history.steps:
        raise ValueError("plot.history got a run without a single update, and there is nothing to draw.")
    return history.steps, history.evaluations


# ---- the learning rate


def lr_finder(found: Any) -> Figure:
    """Loss against learning rate, and the rate suggested: end it with `plot.show(fig, alt=plot.lr_finder_alt(found))`.

    found: `lrs`, `losses` and `smooth`, and `suggestion`, which may raise ValueError when there is none.
    """
    lrs, losses, smooth = (np.array(values) for values in (found.lrs, found.losses, found.smooth))
    fig, ax = figure(width=6.4, height=3.9)
    ax.plot(lrs, losses, color=TRAINING, linestyle="-", linewidth=0.8, alpha=0.35, label="each batch")
    ax.plot(lrs, smooth, color=TRAINING, linestyle="-", label="smoothed")
    if (rate := _suggestion(found)) is not None:
        ax.axvline(rate, color=VALIDATION, linestyle="--", linewidth=1.6, label=f"steepest fall: {rate:.2g}")
    low, high = smooth.min(), max(smooth[0], losses[0])
    margin = 0.35 * (high - low) or 1.0
    ax.set(xscale="log", xlabel="learning rate (log scale)", ylabel="loss", ylim=(low - margin, high + margin))
    legend(ax)
    return fig


def lr_finder_alt(found: Any) -> str:
    """The same search in words, for `plot.show(fig, alt=...)`."""
    lowest = min(range(len(found.smooth)), key=found.smooth.__getitem__)
    words = (
        f"Learning rates from {found.lrs[0]:.2g} to {found.lrs[-1]:.2g}, one for each of {len(found.lrs)} updates. The "
        f"smoothed loss begins at {found.smooth[0]:.3g}, is lowest, {found.smooth[lowest]:.3g}, at the rate "
        f"{found.lrs[lowest]:.2g} and ends at {found.smooth[-1]:.3g}."
    )
    rate = _suggestion(found)
    return words + (" It never falls." if rate is None else f" It falls most steeply at the rate {rate:.2g}.")


def _suggestion(found: Any) -> float | None:
    try:
        return found.suggestion
    except ValueError:
        return None


# ---- right and wrong


def confusion(table: Any, *, names: Sequence[str] | None = None) -> Figure:
    """How often each class (row) was taken for each class (column), as a table of shaded numbers.

    table: (classes, classes) counts, such as `training.confusion` gives. names: of the classes; default 0, 1, ...
    Only the mistakes are shaded, the diagonal is in bold: it would drown them. Raises ValueError for another shape or
    number of names, or a table of nothing. Shares in place of counts are written with two decimals.
    """
    counts = _array(table)
    names = [str(i) for i in range(len(counts))] if names is None else list(names)
    if not names or counts.shape != (len(names), len(names)):
        raise ValueError(
            f"plot.confusion got a table {counts.shape} and {len(names)} names; wanted (n, n), n names, n at least 1."
        )
    side = 0.46 * len(names) + 1.1
    fig, ax = figure(width=side, height=side)
    wrong = counts * (1 - np.eye(len(names), dtype=int))
    ax.imshow(wrong, cmap=SHADES, vmin=0, vmax=wrong.max() or 1)
    for (row, column), count in np.ndenumerate(counts):
        if count:
            dark = row != column and wrong[row, column] > 0.6 * wrong.max()
            weight = "bold" if row == column else "normal"
            text = str(count) if isinstance(count, np.integer) else f"{count:.2f}"
            ax.text(column, row, text, ha="center", va="center", color=PANEL if dark else INK, weight=weight)
    ax.set(xticks=range(len(names)), yticks=range(len(names)), xlabel="answer", ylabel="truth")
    ax.set_xticklabels(names)
    ax.set_yticklabels(names)
    ax.grid(False)
    ax.spines[:].set_visible(True)
    return fig


def calibration(found: Any) -> Figure:
    """Confidence against accuracy, bin by bin, beside the diagonal of a model that promises what it keeps.

    found: `confidence`, `accuracy` and `count` of each bin, and `error`, such as `training.calibration` gives. Under it
    stands how many answers there are in each bin: where there are few, a gap means little.
    """
    confidence, accuracy, count = map(_array, (found.confidence, found.accuracy, found.count))
    edges = np.linspace(0, 1, len(count) + 1)
    fig, (top, low) = figure(2, 1, width=4.8, height=5.4, sharex=True, height_ratios=[3.2, 1])
    top.plot([0, 1], [0, 1], color=INK, linestyle="--", linewidth=1.4, label="calibrated")
    label = f"accuracy (error {found.error:.3f})"
    top.vlines(confidence, confidence, accuracy, color=TRAINING, linewidth=1.6)
    top.plot(confidence, accuracy, color=TRAINING, linestyle="", marker="o", label=label, clip_on=False, zorder=4)
    top.set(xlim=(0, 1), ylim=(0, 1), ylabel="accuracy")
    low.bar(edges[:-1], count, width=np.diff(edges), align="edge", color=TRAINING, edgecolor=PANEL)
    low.set(xlabel="confidence", ylabel="answers")
    legend(top)
    return fig
