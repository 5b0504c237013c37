"""Figures that everybody can read: an image whose alt text reaches a screen reader."""

import base64
import io
import sys
from dataclasses import dataclass
from html import escape

import matplotlib as mpl
from matplotlib.figure import Figure

from dlcourse.plot.style import HOUSE

# Twice the pixels of an ordinary screen would double the notebook's size; one and a half is sharp enough.
DPI = 144
SHORTEST_ALT = 20


@dataclass(frozen=True, repr=False)
class Picture:
    """A finished figure: PNG bytes, the text that stands for them, its width in screen pixels."""

    png: bytes
    alt: str
    caption: str
    width: int

    def __repr__(self) -> str:
        return self.alt

    def _repr_html_(self) -> str:
        source = base64.b64encode(self.png).decode("ascii")
        image = (
            f'<img alt="{escape(self.alt)}" src="data:image/png;base64,{source}" '
            f'style="width:{self.width}px;max-width:100%;height:auto;border-radius:4px">'
        )
        caption = f'<figcaption style="max-width:48em">{escape(self.caption)}</figcaption>' if self.caption else ""
        return f'<figure style="margin:0.5em 0">{image}{caption}</figure>'


def render(fig: Figure, *, alt: str, caption: str | None = None) -> Picture:
    """The figure as a `Picture`; the checks on `alt` are those of `show`."""
    alt = " ".join(alt.split())
    if len(alt) < SHORTEST_ALT:
        raise ValueError(
            f"plot.show got alt={alt!r}, {len(alt)} characters, and wants at least {SHORTEST_ALT}. Say what a reader "
            'should see: alt="Loss falls from 2.3 to 0.1 within 200 steps, then stays flat."'
        )
    buffer = io.BytesIO()
    with mpl.rc_context(HOUSE):
        fig.savefig(buffer, format="png", dpi=DPI, facecolor=fig.get_facecolor(), metadata={"Software": None})
    return Picture(buffer.getvalue(), alt, caption or "", round(fig.get_figwidth() * 96))


def show(fig: Figure, *, alt: str, caption: str | None = None) -> None:
    """Shows a figure in the notebook as an image with alternative text, and closes it.

    alt: what a reader who cannot see the picture should know: its message, 20 characters or more.
    caption: a line below, optional. Raises ValueError when `alt` is empty or too short.
    In a plain Python session the alt text is printed.
    """
    picture = render(fig, alt=alt, caption=caption)
    if pyplot := sys.modules.get("matplotlib.pyplot"):
        pyplot.close(fig)  # or the notebook would show a pyplot figure a second time, without its alt text
    # Here, not above: IPython takes longer to load than everything else in this module.
    from IPython.display import display

    display(picture)
