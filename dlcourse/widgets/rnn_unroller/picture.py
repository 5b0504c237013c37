"""The unroller as a still picture: what a page without a kernel shows, and the figure beside the live one."""

import math
from functools import partial

import torch
from matplotlib.axes import Axes
from matplotlib.colors import TwoSlopeNorm
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.ticker import MaxNLocator

from dlcourse import plot
from dlcourse.plot.show import Picture, render
from dlcourse.plot.style import COLOURS, DIVERGING, HOUSE, INK, LINES, PANEL
from dlcourse.widgets.rnn_unroller import words
from dlcourse.widgets.rnn_unroller.cells import GATES
from dlcourse.widgets.rnn_unroller.chart import mark
from dlcourse.widgets.rnn_unroller.engine import RNNUnrollerEngine
from dlcourse.widgets.rnn_unroller.numbers import figure, scale

DECADES = 6  # of the chart, to both sides of 1
FLOOR = -12  # decades of the strip, at most
PAPER = {"facecolor": PANEL, "edgecolor": "none", "alpha": 0.85, "pad": 1.5}  # behind a label


def picture(engine: RNNUnrollerEngine) -> Picture:
    """The states (for an LSTM the memory too) and the gates, a row for each unit and a column for each step, and the
    gradient that gets back to each step; beside them the same for other radii or biases. Without what is hidden."""
    seen = _seen(engine)
    maps = [("hidden state h", engine.hidden)] + ([] if engine.memory is None else [("cell state c", engine.memory)])
    draws = [partial(_states, numbers=numbers, title=title) for title, numbers in maps if "states" in seen]
    draws += [_gates] * ("gates" in seen) + [_strip] * ("strip" in seen)
    heights = [0.45 * len(_gate_names(engine)) if draw is _gates else 1 for draw in draws] or [2]
    columns, shape = 1, {"width": 6.2}
    if "chart" in seen:
        columns, shape = (2, {"width": 8.6, "width_ratios": [5, 3]}) if draws else (1, {"width": 4.2})
    height = 1.3 + 1.1 * sum(heights)
    fig, axes = plot.figure(len(heights), columns, height=height, squeeze=False, height_ratios=heights, **shape)
    for ax, draw in zip(axes[:, 0], draws, strict=False):
        draw(ax, engine=engine)
    if "chart" in seen:
        for ax in axes[:, -1]:
            ax.remove()
        _chart(fig.add_subplot(axes[0][0].get_gridspec()[:, -1]), engine)
    return render(fig, alt=_alt(engine, seen), caption=engine.describe())


def _seen(engine: RNNUnrollerEngine) -> frozenset[str]:
    """What is drawn, of "states", "gates", "strip" and "chart"; all that is hidden: the states alone."""
    there = {"states": "states_panel", "strip": "strip"}
    if engine.cell.kind != "rnn":
        there["gates"] = "step_panel"
    if "map" not in engine.unseen and engine.chart:
        there["chart"] = "map"
    return frozenset(name for name, part in there.items() if part not in engine.unseen) or frozenset({"states"})


def _gate_names(engine: RNNUnrollerEngine) -> list[str]:
    """i, f, g, o of an LSTM, r, z, n of a GRU."""
    return [name for name in engine.all_parts if name in GATES | {"g", "n"}]


def _states(ax: Axes, engine: RNNUnrollerEngine, numbers: torch.Tensor, title: str) -> None:
    _map(ax, numbers.T, scale(numbers), title, engine)
    ax.set(ylabel="unit")
    ax.yaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))


def _gates(ax: Axes, engine: RNNUnrollerEngine) -> None:
    """A band for each gate and the candidate, the first on top; in it a row for each unit, the first one lowest."""
    names, units = _gate_names(engine), engine.cell.units
    bands = torch.cat([engine.all_parts[name].T for name in reversed(names)])
    _map(ax, bands, 1.0, f"gates and candidate: {', '.join(names)}, a row for each unit", engine)
    for edge in range(1, len(names)):
        ax.axhline(edge * units - 0.5, color=INK, linewidth=1.0)
    ax.set_yticks([(band + 0.5) * units - 0.5 for band in range(len(names))], [f"${name}$" for name in reversed(names)])
    ax.tick_params(axis="y", length=0)


def _map(ax: Axes, rows: torch.Tensor, most: float, title: str, engine: RNNUnrollerEngine) -> None:
    image = ax.imshow(
        rows.numpy(),
        cmap=DIVERGING,
        vmin=-most,
        vmax=most,
        aspect="auto",
        origin="lower",
        interpolation="nearest",
        extent=(0.5, engine.time + 0.5, -0.5, len(rows) - 0.5),
    )
    ax.figure.colorbar(image, ax=ax, fraction=0.04, pad=0.02, ticks=[-most, 0, most], format="%.2g")
    ax.axvspan(engine.at - 0.5, engine.at + 0.5, fill=False, edgecolor=INK, linewidth=1.4)
    ax.set_title(title, fontsize=9.5)
    ax.grid(False)
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
        right = cut < engine.time / 2  # of the line there is more room
        note = {"xytext": (4 if right else -4, -3), "textcoords": "offset points", "va": "top", "fontsize": 8.5}
        ax.annotate(f"cut after step {cut}", (cut + 0.5, high), ha="left" if right else "right", bbox=PAPER, **note)
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
        for value in here:
            ax.axhline(max(low, min(value, high)), color=INK, linewidth=1.4)
        top = max(low, min(here[1], high))
        below = top > low + 0.85 * (high - low)  # no room above
        note = {"xytext": (-3, -3 if below else 3), "textcoords": "offset points", "va": "top" if below else "bottom"}
        ax.annotate(f"this cell: {_own(here)}", (engine.time - 0.5, top), ha="right", fontsize=8.5, bbox=PAPER, **note)
    ax.set(xlabel="steps back", ylabel=chart.dial, title="gradient that gets back")
    ax.title.set_fontsize(9.5)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.grid(False)


def _own(here: tuple[float, float]) -> str:
    """The cell's own place on the dial: a number, or from the lowest unit's to the highest."""
    low, high = (figure(value, 2) for value in here)
    return low if low == high else f"{low} to {high}"


def _alt(engine: RNNUnrollerEngine, seen: frozenset[str]) -> str:
    who, said = f"{words.units(engine)} over {engine.time} steps", []
    if "states" in seen:
        memory = " and the cell states" if engine.memory is not None else ""
        said.append(f"The hidden states{memory} of {who} as rows of colours")
    if "gates" in seen:
        *gates, last = _gate_names(engine)
        kinds = "gates and the candidate" if said else f"gates and the candidate of {who}"
        said.append(f"the {kinds} ({', '.join(gates)} and {last}) as rows of colours, a band for each")
    if "strip" in seen:
        bars = "bars on a logarithmic axis for the gradient that gets back to each step"
        if cut := engine.values["cut"]:
            bars += f", with a line at the cut after step {cut}; hatched, what would get back without it"
        said.append(bars)
    if "chart" in seen:
        back = "that gradient" if "strip" in seen else "the gradient that gets back"
        chart = f"a map of {back} over steps back and {engine.chart.dial}"
        if (here := mark(engine.cell)) is not None:
            lines = "a line marks" if here[0] == here[1] else "lines mark the ends of"
            chart += f", in which {lines} this cell's own, {_own(here)}"
        said.append(chart)
    text = "; ".join(said)
    return f"{text[0].upper()}{text[1:]}. {words.say(engine, gradient=bool(seen & {'strip', 'chart'}))}"
