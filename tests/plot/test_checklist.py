"""The picture of the checklist for masked slopes: every share a bar, every sign marked, and the same in words."""

from types import SimpleNamespace as Some

import pytest

from dlcourse import plot
from dlcourse.plot.show import render


def item(name, verdict, **found):
    return Some(name=name, question="?", found=found, verdict=verdict, says=f"{name} says {len(found)}.")


HONEST = Some(items=(item("one step", False, one=0.4, many=1.0), item("slopes", False, none=0.0)), examples=60)
MASKED = Some(items=(*HONEST.items[:1], item("stillness", True, unmoved=0.95)), examples=60)


def test_a_bar_for_each_share():
    (ax,) = plot.diagnosis(HONEST).axes
    assert [bar.get_width() for bar in ax.patches] == [0.4, 1.0, 0.0]
    assert [text.get_text() for text in ax.texts] == ["one 40%", "many 100%", "none 0%"]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["one step", "slopes"]
    assert ax.get_xlim() == (0, 1)
    assert ax.get_ylim()[0] > ax.get_ylim()[1], "the first item at the top"
    assert ax.get_xlabel() == "share of 60 examples"


def test_a_sign_is_told_without_colour():
    fig = plot.diagnosis(MASKED)
    (ax,) = fig.axes
    assert [bar.get_hatch() for bar in ax.patches] == [None, None, "///"]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["one step", "stillness: a sign"]
    assert fig._suptitle.get_text() == "slopes seem masked: 1 of 2 signs"
    assert plot.diagnosis(HONEST)._suptitle.get_text() == "no sign of masked slopes"


def test_in_words():
    assert plot.diagnosis_alt(MASKED) == (
        "Bars for 2 items, by 60 examples. slopes seem masked: 1 of 2 signs. one step: one step says 2. "
        "stillness (a sign): stillness says 1."
    )
    assert "no sign of masked slopes" in plot.diagnosis_alt(HONEST)


def overlapping(texts, fig):
    renderer = fig.canvas.get_renderer()
    boxes = [text.get_window_extent(renderer) for text in texts if text.get_text()]
    return [(a, b) for i, a in enumerate(boxes) for b in boxes[:i] if a.overlaps(b)]


@pytest.mark.parametrize("share", [0.0, 0.5, 0.69, 0.7, 1.0])
def test_texts_do_not_overlap(share):
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    names = ("one step", "black box", "unbounded", "larger eps", "random points", "slopes", "call to call", "stillness")
    long = Some(items=tuple(item(name, True, first=share, second=1 - share) for name in names), examples=100)
    fig = plot.diagnosis(long)
    FigureCanvasAgg(fig).draw()
    (ax,) = fig.axes
    assert overlapping([*ax.texts, *ax.get_yticklabels()], fig) == []
    assert render(fig, alt=plot.diagnosis_alt(long)).png
