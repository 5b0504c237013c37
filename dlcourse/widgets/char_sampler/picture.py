"""The sampler as a still picture: what may come at the step that is looked at, before and after shaping."""

from dlcourse import plot
from dlcourse.plot.show import Picture, render
from dlcourse.plot.style import COLOURS, INK, legend
from dlcourse.widgets.char_sampler import words
from dlcourse.widgets.char_sampler.engine import CharSamplerEngine

MOST = 14  # bars
BEFORE = "#C9C9C4"


def picture(engine: CharSamplerEngine) -> Picture:
    """A pair of bars for each of the likeliest symbols; the text stands below, in the description."""
    rows = engine.bars()[:MOST].tolist()
    fig, ax = plot.figure(width=6.4, height=0.6 + 0.24 * max(6, len(rows)))
    places = range(len(rows))
    ax.barh(places, [100 * row[1] for row in rows], height=0.78, color=BEFORE, label="the model says")
    ax.barh(places, [100 * row[2] for row in rows], height=0.42, color=COLOURS["blue"], label="to draw from")
    if engine.other:
        beside = {"color": COLOURS["orange"], "markeredgecolor": INK, "markersize": 6, "linestyle": ""}
        ax.plot([100 * row[3] for row in rows], places, "D", label=f"{engine.other.title}", **beside)
    here, most = engine.here, max(max(row[1 : 4 if engine.other else 3]) for row in rows)
    width = min(118, 120 * most)
    for place, (token, before, after, beside) in zip(places, rows, strict=True):
        marks = (["drawn" if here.shaping else "chosen"] if here and here.token == token else []) + (
            [] if after else ["cut off"]
        )
        if marks:
            right = 100 * max(before, after, beside if engine.other else 0) + 0.02 * width
            ax.text(right, place, ", ".join(marks), va="center", fontsize=9, color=INK)
    names = [_plain(engine.symbols[int(row[0])].shown, engine.symbols[int(row[0])].said) for row in rows]
    ax.set(ylim=(len(rows) - 0.4, -0.6), yticks=places, yticklabels=names, xlabel="probability, %")
    ax.set_xlim(0, width)
    where = "after the prefix" if here is None else f"at step {engine.at}"
    ax.set_title(f"what may come {where}: {engine.reader.title}, {words.settings(engine)}", fontsize=10)
    ax.grid(False, axis="y")
    legend(ax)
    return render(fig, alt=_alt(engine), caption=engine.describe())


def _alt(engine: CharSamplerEngine) -> str:
    return (
        f"Bars of the likeliest next symbols, before and after shaping. {words.say(engine)} {words.likeliest(engine)}."
    )


def _plain(shown: str, said: str) -> str:
    """A label that the figure's font can draw."""
    return said if not shown.isascii() or shown == "$" else shown
