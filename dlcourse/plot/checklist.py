"""A checklist as a picture: what `dlcourse.attacks.diagnose` measured, item by item, and which items are signs.

Plain data is enough: `report.items`, each with `name`, `question`, `found` (shares in [0, 1] by name), `verdict` and
`says`, and `report.examples`.
"""

from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from dlcourse.plot.style import COLOURS, INK, figure

BAR = 0.24  # inches for a bar
GAP = 1  # rows between two items
SIGN = {"color": COLOURS["vermilion"], "hatch": "///"}
NONE = {"color": COLOURS["sky"]}


def checklist(report: Any) -> Figure:
    """A bar for each share that was measured, item under item; those of a sign of masked slopes are hatched and named.

    `plot.diagnosis(report)` is the same picture, `plot.diagnosis_alt(report)` says it in words.
    """
    rows = sum(len(item.found) + GAP for item in report.items)
    fig, ax = figure(width=8.0, height=1.0 + BAR * rows)
    ticks, labels, row = [], [], 0
    for item in report.items:
        style, word = (SIGN, f"{item.name}: a sign") if item.verdict else (NONE, item.name)
        for index, (name, share) in enumerate(item.found.items()):
            ax.barh(row, share, 0.8, edgecolor=INK, linewidth=0.7, **style)
            # Beside the bar where there is room, else inside it on a ground of its own.
            side = {"ha": "left", "xytext": (5, 0)} if share < 0.7 else {"ha": "right", "xytext": (-5, 0)}
            ground = {"facecolor": ax.get_facecolor(), "edgecolor": "none", "pad": 1}
            text = f"{name} {share:.0%}"
            spot = {"textcoords": "offset points", "va": "center", "fontsize": 8.5, "color": INK, "bbox": ground}
            ax.annotate(text, (share, row), **spot, **side)
            if index == 0:
                ticks.append(row)
                labels.append(word)
            row += 1
        row += GAP
    ax.set(xlim=(0, 1), ylim=(row - GAP - 0.4, -0.6), yticks=ticks, xlabel=f"share of {report.examples} examples")
    ax.set_yticklabels(labels)
    for label, item in zip(ax.get_yticklabels(), report.items, strict=True):
        label.set_fontweight("bold" if item.verdict else "normal")
    ax.xaxis.set_major_formatter(PercentFormatter(1))
    ax.grid(axis="y", visible=False)
    ax.tick_params(axis="y", length=0)
    fig.suptitle(_head(report), fontsize=11)
    return fig


def checklist_alt(report: Any) -> str:
    """The picture in words: the verdict, and for each item what was found."""
    told = [f"{item.name}{' (a sign)' if item.verdict else ''}: {item.says}" for item in report.items]
    return f"Bars for {len(report.items)} items, by {report.examples} examples. {_head(report)}. {' '.join(told)}"


def _head(report: Any) -> str:
    signs = sum(item.verdict for item in report.items)
    return f"slopes seem masked: {signs} of {len(report.items)} signs" if signs else "no sign of masked slopes"
