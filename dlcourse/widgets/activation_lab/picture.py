"""The activation lab as a still picture: what a page without a kernel shows, and the figure beside the live one."""

from math import log10

from dlcourse import plot
from dlcourse.plot.show import Picture, render
from dlcourse.plot.style import COLOURS, INK, LINES
from dlcourse.widgets.activation_lab.engine import HIGH, LOW, TITLES, ActivationLabEngine, curve, number

DECADES = 3, 20  # of the axis of the bars, at least and at most


def picture(engine: ActivationLabEngine) -> Picture:
    """Value, slope and saturated bands over the input; beside them what a chain of each bend leaves of a slope of 1."""
    values = engine.values
    chosen, other, x = values["activation"], values["compare"], values["x"]
    names = [chosen] if other == "none" else [chosen, other]
    fig, (top, bottom, bars) = plot.figure(1, 3, width=8, height=2.9)
    for ax, what, at in ((top, "value", engine.value), (bottom, "slope", engine.slope)):
        for low, high in engine.bands:
            ax.axvspan(low, high, color=COLOURS["grey"], alpha=0.22, lw=0)
        for name, colour, style in zip(names, LINES, ("-", "--"), strict=False):
            drawn = curve(name)
            ax.plot(drawn.x, getattr(drawn, what), style, color=colour, label=TITLES[name])
        ax.plot(x, at, "o", color=LINES[0], markeredgecolor=INK, markersize=8, zorder=5)
        ax.set(title=what, xlabel="$x$", xlim=(LOW, HIGH))
    top.axline((x, engine.value), slope=engine.slope, color=INK, lw=1, ls=":")
    top.set_ylim(*height(names))
    bottom.set_ylim(-0.2, 1.25)
    if len(names) > 1:
        top.legend(loc="upper left", fontsize=8.5)
    _bars(bars, engine, names)
    alt = (
        f"Three panels about {TITLES[chosen]}. Its value and its slope over inputs from {LOW:g} to {HIGH:g}, with a "
        f"point at x = {number(x)}, value {number(engine.value)}, slope {number(engine.slope)}; shaded where the slope "
        f"is smaller in size than {number(values['threshold'])}: {engine.where()}. And bars on a logarithmic scale: "
        f"what a chain of each of seven activations keeps of a slope of 1."
    )
    return render(fig, alt=alt, caption=engine.describe())


def height(names: list[str]) -> tuple[float, float]:
    """Bottom and top of the value panel: all of the curves, and a little air."""
    lowest = min(curve(name).value.min().item() for name in names)
    highest = max(curve(name).value.max().item() for name in names)
    return min(lowest, -0.5) - 0.15 * (highest - lowest), highest + 0.1 * (highest - lowest)


def _bars(ax, engine: ActivationLabEngine, names: list[str]) -> None:
    ranking = engine.ranking[::-1]
    sizes = [abs(left) for _, left in ranking]
    least, most = DECADES
    floor = 10.0 ** -min(max([least, *(-log10(size) + 0.3 for size in sizes if size)]), most)
    for row, ((name, left), size) in enumerate(zip(ranking, sizes, strict=True)):
        colour = LINES[names.index(name)] if name in names else "#A8A8A4"
        end = max(size, floor)
        ax.barh(row, end - floor, left=floor, color=colour, height=0.62)
        if end < floor**0.4:  # beyond that there is no room for the number, and the axis tells
            ax.text(end, row, f" {number(left)}", va="center", fontsize=8.5, color=INK)
    ax.set_yticks(range(len(ranking)), [TITLES[name] for name, _ in ranking])
    ax.set(xscale="log", xlim=(floor, 2), title=f"slope left, {engine.values['layers']} in a row")
    ax.grid(False, axis="y")
