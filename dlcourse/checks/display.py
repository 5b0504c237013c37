"""One small display object for hints, solutions and progress: HTML in a notebook, text elsewhere."""

from dataclasses import dataclass
from html import escape

# Colours come only from JupyterLab's theme variables, so this reads in light and dark themes.
_FRAME = (
    "border:1px solid var(--jp-border-color1,#8a8a8a);border-left-width:4px;border-radius:4px;"
    "padding:0.6em 1em;margin:0.4em 0;max-width:48em;"
    "color:var(--jp-content-font-color1,inherit);background:var(--jp-layout-color1,transparent)"
)


@dataclass(frozen=True, repr=False)
class Shown:
    """`text` for a terminal, `html` (already escaped) for a notebook, `label` for a screen reader."""

    label: str
    text: str
    html: str

    def __repr__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        return f'<div role="group" aria-label="{escape(self.label)}" style="{_FRAME}">{self.html}</div>'


def words(label: str, *paragraphs: str) -> Shown:
    """Paragraphs of plain text."""
    return Shown(label, "\n".join(paragraphs), "".join(f"<p>{escape(paragraph)}</p>" for paragraph in paragraphs))
