"""A checklist as a picture: what `dlcourse.attacks.diagnose` measured, item by item, and which items are signs.

Plain data is enough: `report.examples`, and `report.items`, each with `name`, `question`, `verdict` and `rows` (shares
in [0, 1], by what they are shares of).
"""

from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from dlcourse.plot.style import COLOURS, INK, figure

ROW = 0.23  # inches for a bar
NEXT = 1.3  # rows from the last bar of an item to the next question
SIGN = {"color": COLOURS["vermilion"], "hatch": "///"}
NONE = {"color": COLOURS["sky"]}


def checklist(report: Any) -> Figure:
    """Question under question, each with its answer, and under it a bar for each share, in words what it is a share of.

    A sign of masked slopes has a triangle, its bars are hatched. `plot.diagnosis(report)` is the same picture,
    `plot.diagnosis_alt(report)` says it in words.
    """
    rows = sum(NEXT + len(item.rows) for item in report.items)
    fig, ax = figure(width=8.0, height=1.0 + ROW * rows)
    ticks, labels, row = [], [], 0.0
    ground = {"facecolor": ax.get_facecolor(), "edgecolor": "none", "pad": 1}  # hides the grid behind a text
    for item in report.items:
        # From the figure's left edge to its right one, above the words of the bars.
        line = {"xycoords": ("figure fraction", "data"), "va": "center", "fontsize": 9, "color": INK, "bbox": ground}
        glyph, colour = ("▲", COLOURS["vermilion"]) if item.verdict else ("○", COLOURS["grey"])
        ax.annotate(glyph, (0.012, row), **line | {"color": colour, "fontsize": 11})
        ax.annotate(f"{item.name}: {item.question}", (0.036, row), **line)
        ax.annotate(_answer(item), (0.988, row), ha="right", weight="bold" if item.verdict else "normal", **line)
        for name, share in item.rows.items():
            row += 1
            ax.barh(row, share, 0.8, edgecolor=INK, linewidth=0.7, **(SIGN if item.verdict else NONE))
            # Beside the bar where there is room, else inside it on a ground of its own.
            side = {"ha": "left", "xytext": (5, 0)} if share < 0.85 else {"ha": "right", "xytext": (-5, 0)}
            spot = {"textcoords": "offset points", "va": "center", "fontsize": 8.5, "color": INK, "bbox": ground}
            ax.annotate(_percent(share), (share, row), **spot, **side)
            ticks.append(row)
            labels.append(name)
        row += NEXT
    for text in ax.texts:
        text.set_in_layout(False)  # or the bars would make room for what stands above them
    ax.set(xlim=(0, 1), ylim=(row - NEXT + 0.6, -0.6), yticks=ticks)
    ax.set_xlabel(f"share of {report.examples} examples, all of them right without an attack")
    ax.set_yticklabels(labels, fontsize=8.5)
    ax.xaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
    ax.grid(axis="y", visible=False)
    ax.spines["left"].set_visible(False)
    ax.tick_params(axis="y", length=0)
    fig.suptitle(_head(report), fontsize=11)
    return fig


def checklist_alt(report: Any) -> str:
    """The picture in words: the verdict, and for each item its question, the answer and the shares."""
    told = []
    for item in report.items:
        shares = "; ".join(f"{name}: {_percent(share)}" for name, share in item.rows.items())
        told.append(f"{item.name}: {item.question} {_answer(item).capitalize()}. {shares}.")
    return (
        f"Bars for {len(report.items)} questions, in shares of {report.examples} examples, all of them right without "
        f"an attack. {_head(report)}. {' '.join(told)}"
    )


def _answer(item: Any) -> str:
    return "yes, a sign" if item.verdict else "no"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _head(report: Any) -> str:
    signs = sum(item.verdict for item in report.items)
    return f"Slopes seem masked: {signs} of {len(report.items)} signs" if signs else "No sign of masked slopes"
