"""One small display object for predictions, quizzes, words, hints and solutions: HTML in a notebook, text elsewhere.

Colours come only from JupyterLab's theme variables, so a card reads in light and dark themes.
"""

import re
from dataclasses import dataclass
from html import escape

FRAME = (
    "border:1px solid var(--jp-border-color1,#8a8a8a);border-left-width:4px;border-radius:4px;"
    "padding:0.6em 1em;margin:0.4em 0;max-width:48em;"
    "color:var(--jp-content-font-color1,inherit);background:var(--jp-layout-color1,transparent)"
)
QUIET = "color:var(--jp-content-font-color1,inherit);opacity:0.85;margin:0.4em 0 0"


@dataclass(frozen=True, repr=False)
class Card:
    """`text` for a terminal, `html` (the inside, already escaped) for a notebook, `label` for a screen reader."""

    label: str
    text: str
    html: str

    def __repr__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        return f'<div role="group" aria-label="{escape(self.label)}" style="{FRAME}">{self.html}</div>'

    def show(self) -> None:
        """Displays at once, so that it also works in the middle of a cell; a plain Python prints the text."""
        # Here, not above: IPython takes longer to load than everything else in this package.
        from IPython.display import display

        display(self)


_AS_IT_IS = re.compile(r"(`[^`]+`|\$[^$]+\$)")  # code and formulas: no stress is looked for in them
_STRESS = re.compile(r"(?<![\w*])\*(?=\S)([^*]+)(?<=\S)\*(?![\w*])")


def prose(text: str) -> str:
    """A text for HTML, escaped; *stress* and `code` look as in the cells around it. That is all that is read in it.

    >>> prose("a *small* `a * b` & 2 * 3 * 4")
    'a <em>small</em> <code>a * b</code> &amp; 2 * 3 * 4'
    """
    parts = _AS_IT_IS.split(escape(text))
    parts[::2] = [_STRESS.sub(r"<em>\1</em>", part) for part in parts[::2]]
    return "".join(f"<code>{part[1:-1]}</code>" if part[:1] == "`" else part for part in parts)


def paragraph(text: str, style: str = "margin:0.3em 0") -> str:
    return f'<p style="{style}">{prose(text)}</p>'


def letters(count: int) -> str:
    """The names of `count` options: "a", "b", ..."""
    return "abcdefghijklmnopqrstuvwxyz"[:count]
