"""The unroller as a still picture: what a page without a kernel shows, and the figure beside the live one."""

import math

import torch
from matplotlib.axes import Axes
from matplotlib.colors import TwoSlopeNorm
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.ticker import MaxNLocator

from dlcourse import plot
from dlcourse.plot.show import Picture, render
from dlcourse.plot.style import COLOURS, DIVERGING, HOUSE, INK, LINES
from dlcourse.widgets.rnn_unroller import words
from dlcourse.widgets.rnn_unroller.chart import mark
from dlcourse.widgets.rnn_unroller.engine import RNNUnrollerEngine
from dlcourse.widgets.rnn_unroller.numbers import scale

DECADES = 6  # of the chart, to both sides of 1
FLOOR = -12  # decades of the strip, at most


def picture(engine: RNNUnrollerEngine) -> Picture:
    """The states (for an LSTM the memory too), a row for each unit and a column for each step, and the gradient that
    gets back to each step; beside them the same for other radii or biases."""
    maps = [("hidden state h", engine.hidden)] + ([] if engine.memory is None else [("cell state c", engine.memory)])
    chart = engine.chart
    rows = len(maps) + 1
    shape = {"width": 8.6, "width_ratios": [5, 3]} if chart else {"width": 6.2}
    fig, axes = plot.figure(rows, 2 if chart else 1, height=1.3 + 1.1 * rows, squeeze=False, **shape)
    for ax, (title, numbers) in zip(axes[:, 0], maps, strict=False):
        _states(ax, numbers, title, engine)
    _strip(axes[-1][0], engine)
    if chart:
        for ax in axes[:, 1]:
            ax.remove()
        _chart(fig.add_subplot(axes[0][1].get_gridspec()[:, 1]), engine)
    return render(fig, alt=_alt(engine), caption=engine.describe())


def _states(ax: Axes, numbers: torch.Tensor, title: str, engine: RNNUnrollerEngine) -> None:
    most = scale(numbers)
    image = ax.imshow(
        numbers.T.numpy(),
        cmap=DIVERGING,
        vmin=-most,
        vmax=most,
        aspect="auto",
        origin="lower",
        interpolation="nearest",
        extent=(0.5, engine.time + 0.5, -0.5, engine.cell.units - 0.5),
    )
    ax.figure.colorbar(image, ax=ax, fraction=0.04, pad=0.02, ticks=[-most, 0, most], format="%.2g")
    ax.axvspan(engine.at - 0.5, engine.at + 0.5, fill=False, edgecolor=INK, linewidth=1.4)
    ax.set(title=title, ylabel="unit")
    ax.title.set_fontsize(9.5)
    ax.grid(False)
    ax.yaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    _symbols(ax, engine)


def _symbols(ax: Axes, engine: RNNUnrollerEngine) -> None:
    if any(engine.symbols) and engine.time <= 48:
        font = get_font(findfont(FontProperties(family=HOUSE["font.family"])))
        drawn = [symbol if font.get_char_index(ord(symbol)) else "□" for symbol in engine.symbols]
        ax.set_xticks(range(1, engine.time + 1), drawn, parse_math=False)  # a dollar sign is one
        ax.tick_params(axis="x", length=0)
    else:
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))


def _strip(ax: Axes, engine: RNNUnrollerEngine) -> None:
    logs = engine.uncut.log10().clamp(min=FLOOR - 1)
    finite = logs[logs.isfinite()]
    low = max(FLOOR, math.floor(min(finite.min().item(), -1))) if len(finite) else -1
    high = max(math.ceil(finite.max().item()), 1) if len(finite) else 1
    steps = torch.arange(1, engine.time + 1)
    cut = engine.values["cut"]
    for chosen, look in ((steps > cut, {"color": LINES[0]}), (steps <= cut, {"color": "#C8C8C4", "hatch": "///"})):
        if chosen.any():
            tops = logs[chosen].nan_to_num(posinf=high).clamp(low, high)
            ax.bar(steps[chosen].tolist(), (tops - low).tolist(), bottom=low, width=0.8, **look)
    if cut:
        ax.axvline(cut + 0.5, color=COLOURS["vermilion"], linewidth=2.2)
    ax.axhline(0, color=INK, linewidth=0.8)
    every = max(1, math.ceil((high - low) / 5))
    ticks = range(low, high + 1, every)
    ax.set_yticks(ticks, [f"$10^{{{tick}}}$" for tick in ticks])
    ax.set(
        xlim=(0.5, engine.time + 0.5),
        ylim=(low, high),
        title=f"gradient of $h_{{{engine.time}}}$ that gets back to each step",
        xlabel="step",
    )
    ax.title.set_fontsize(9.5)
    ax.grid(False, axis="x")


def _chart(ax: Axes, engine: RNNUnrollerEngine) -> None:
    chart = engine.chart
    flow = chart.flow.clamp(-DECADES, DECADES).nan_to_num(nan=DECADES)
    half = (chart.settings[1] - chart.settings[0]) / 2
    low, high = chart.settings[0] - half, chart.settings[-1] + half
    image = ax.imshow(
        flow.numpy(),
        cmap=DIVERGING,
        norm=TwoSlopeNorm(0, -DECADES, DECADES),
        aspect="auto",
        origin="lower",
        interpolation="nearest",
        extent=(-0.5, engine.time - 0.5, low, high),
    )
    bar = ax.figure.colorbar(image, ax=ax, fraction=0.06, pad=0.03, ticks=[-DECADES, 0, DECADES])
    bar.ax.set_yticklabels([f"≤ $10^{{-{DECADES}}}$", "1", f"≥ $10^{{{DECADES}}}$"])
    if (here := mark(engine.cell)) is not None:
        for value in {max(low, min(here[0], high)), max(low, min(here[1], high))}:
            ax.axhline(value, color=INK, linewidth=1.4)
    ax.set(xlabel="steps back", ylabel=chart.dial, title="gradient that gets back")
    ax.title.set_fontsize(9.5)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.grid(False)


def _alt(engine: RNNUnrollerEngine) -> str:
    memory = " and the cell states" if engine.memory is not None else ""
    chart = f", and a map of that gradient over steps back and {engine.chart.dial}" if engine.chart else ""
    return (
        f"The hidden states{memory} of {words.units(engine)} over {engine.time} steps as rows of colours, below them "
        f"bars on a logarithmic axis for the gradient that gets back to each step{chart}. {words.say(engine)}"
    )
