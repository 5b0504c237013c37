"""The hinge lab as a still picture: what a page without a kernel shows, and the figure beside the live one."""

from dlcourse import plot
from dlcourse.plot.show import Picture, render
from dlcourse.plot.style import COLOURS, INK, LINES
from dlcourse.widgets.hinge_lab.engine import HingeLabEngine
from dlcourse.widgets.hinge_lab.plain import BOTTOM, LEFT, RIGHT, TOP, count

QUIET = "#9A9A96"


def picture(engine: HingeLabEngine) -> Picture:
    """The target as dots, the hinges as thin lines, their sum as a thick one with its knots."""
    frame = engine.snapshot()
    header, arrays = frame.header, frame.arrays
    fig, ax = plot.figure(width=6.2, height=4.0)
    for index, part in enumerate(arrays["parts"]):
        ax.plot(arrays["x"], part, "-", color=QUIET, lw=1.1, label="single hinges" if index == 0 else None)
    ax.plot(arrays["places"], arrays["target"], ".", color=LINES[1], markersize=5, label="target")
    ax.plot(
        arrays["x"], arrays["curve"], "-", color=LINES[0], lw=2.6, label="their sum" if header["hinges"] else "constant"
    )
    seen = [(place, height) for (place, _), height in zip(header["knots"], header["heights"], strict=True)]
    seen = [(place, height) for place, height in seen if LEFT <= place <= RIGHT and BOTTOM <= height <= TOP]
    if seen:
        style = {"color": COLOURS["orange"], "markeredgecolor": INK, "markersize": 8, "zorder": 5}
        ax.plot(*zip(*seen, strict=True), "o", label="knots", **style)
    ax.set(xlim=(LEFT, RIGHT), ylim=(BOTTOM, TOP), xlabel="$x$", ylabel="$f(x)$")
    ax.set_title(f"{count(engine.pieces, 'straight piece')}, root mean square error {engine.error:.3f}")
    ax.legend(loc="upper left", ncols=2, fontsize=8.5)
    drawn = {"drawn": "a curve drawn by hand"}.get(engine.values["target"], f"the target {engine.values['target']!r}")
    alt = (
        f"A sum of {count(len(header['hinges']), 'hinge')} over x from {LEFT:g} to {RIGHT:g}, a chain of "
        f"{count(engine.pieces, 'straight piece')}, beside {drawn} as dots; each hinge as a thin line. "
        f"The root mean square distance between the two is {engine.error:.3f}."
    )
    return render(fig, alt=alt, caption=engine.describe())
