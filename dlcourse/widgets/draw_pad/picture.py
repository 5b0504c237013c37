"""The draw pad as a still picture: what a page without a kernel shows, and the figure beside the live one."""

import torch
from matplotlib.axes import Axes

from dlcourse import plot
from dlcourse.plot.show import Picture, render
from dlcourse.plot.style import COLOURS, INK
from dlcourse.types import Float, Tensor
from dlcourse.widgets.draw_pad.engine import DIGITS, DrawPadEngine, percent
from dlcourse.widgets.draw_pad.ink import painted, segments

FINE = 240  # pixels of the drawing, which has none of its own


def picture(engine: DrawPadEngine) -> Picture:
    """The drawing, the image made of it and the ten probabilities, side by side; below, the same in words."""
    found, trouble = engine.tried()
    ratios = [1, 1, 1.2] if engine.read is not None else [1, 1]
    fig, axes = plot.figure(1, len(ratios), width=2.4 * sum(ratios), height=2.5, width_ratios=ratios)
    centres = (torch.arange(FINE, device="cpu") + 0.5) / FINE
    pieces = segments([stroke.points for stroke in engine.drawing.strokes])
    drawn = painted(pieces, set(engine.drawing.cells), engine.values["pen"], centres, centres)
    _image(axes[0], drawn.float(), "drawn")
    _image(axes[1], engine.image[0], "what the network sees" if engine.read is not None else "in 8 by 8 pixels")
    if engine.read is not None:
        _bars(axes[2], found, trouble)
    return render(fig, alt=_alt(engine, found), caption=engine.describe())


def _image(ax: Axes, pixels: Float[Tensor, "height width"], title: str) -> None:
    ax.imshow(pixels.numpy(), cmap="gray_r", vmin=0, vmax=1, interpolation="nearest")
    ax.set(xticks=[], yticks=[], title=title)
    ax.grid(False)
    ax.spines[:].set(visible=True, color="#999999")


def _bars(ax: Axes, found: Float[Tensor, " classes"] | None, trouble: str) -> None:
    """A bar for each digit; the winner's is dark, and its number stands beside it."""
    ax.set(xlim=(0, 1.35), xticks=[], ylim=(DIGITS - 0.4, -0.6), yticks=range(DIGITS), title="which digit?")
    ax.grid(False)
    ax.spines["bottom"].set_visible(False)
    ax.set_box_aspect(1 / 1.2)  # as high as the two images
    if found is None:
        ax.text(0.05, 4.5, "it could not be read" if trouble else "nothing drawn yet", va="center", color="#5A5A5A")
        return
    winner = int(found.argmax())
    colours = [INK if digit == winner else COLOURS["sky"] for digit in range(DIGITS)]
    ax.barh(range(DIGITS), found.tolist(), color=colours, height=0.7)
    ax.text(
        float(found[winner]) + 0.03, winner, percent(float(found[winner])), va="center", weight="bold", fontsize=9.5
    )
    ax.get_yticklabels()[winner].set_weight("bold")


def _alt(engine: DrawPadEngine, found: Float[Tensor, " classes"] | None) -> str:
    start = "A pad to draw a digit on, and beside it the drawing in eight by eight grey pixels. "
    if found is None:
        return start + engine.describe()
    second = int(found.argsort(descending=True)[1])
    return f"{start}{engine.describe()} Next comes {second} with {percent(float(found[second]))}."
