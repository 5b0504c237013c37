"""The picture of the checklist for masked slopes: each share with its meaning, signs marked, and all in words."""

from types import SimpleNamespace as Some

import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg

from dlcourse import attacks, generator, plot
from dlcourse.plot.show import render


def item(name, verdict, **rows):
    return Some(name=name, question=f"Is it {name}?", rows=rows, verdict=verdict)


HONEST = Some(items=(item("one step", False, one=0.4, many=1.0), item("slopes", False, none=0.0)), examples=60)
MASKED = Some(items=(*HONEST.items[:1], item("stillness", True, unmoved=0.95)), examples=60)


def drawn(report):
    fig = plot.diagnosis(report)
    FigureCanvasAgg(fig).draw()
    return fig, fig.axes[0]


def test_a_bar_for_each_share_with_its_meaning():
    fig, ax = drawn(HONEST)
    assert [bar.get_width() for bar in ax.patches] == [0.4, 1.0, 0.0]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["one", "many", "none"]
    middles = [bar.get_y() + bar.get_height() / 2 for bar in ax.patches]
    assert list(ax.get_yticks()) == pytest.approx(middles), "words and bar side by side"
    numbers = {text.get_text(): text.xy[1] for text in ax.texts if text.get_text().endswith(" %")}
    assert list(numbers) == ["40 %", "100 %", "0 %"]
    assert list(numbers.values()) == pytest.approx(middles)
    assert ax.get_xlim() == (0, 1)
    assert ax.get_ylim()[0] > ax.get_ylim()[1], "the first item at the top"
    assert ax.get_xlabel() == "share of 60 examples, all of them right without an attack"
    assert [label.get_text() for label in ax.get_xticklabels()][-1] == "100 %"
    assert fig._suptitle.get_text() == "No sign of masked slopes"


def test_a_sign_is_told_by_shape_and_words_and_colour():
    fig, ax = drawn(MASKED)
    assert [bar.get_hatch() for bar in ax.patches] == [None, None, "///"]
    assert ax.patches[0].get_facecolor() != ax.patches[2].get_facecolor()
    at = {}
    for text in ax.texts:
        at.setdefault(text.xy[1], []).append(text.get_text())
    questions = [line for line in at.values() if len(line) == 3]
    assert questions == [["○", "one step: Is it one step?", "no"], ["▲", "stillness: Is it stillness?", "yes, a sign"]]
    assert fig._suptitle.get_text() == "Slopes seem masked: 1 of 2 signs"


def test_in_words():
    assert plot.diagnosis_alt(MASKED) == (
        "Bars for 2 questions, in shares of 60 examples, all of them right without an attack. Slopes seem masked: 1 of "
        "2 signs. one step: Is it one step? No. one: 40 %; many: 100 %. stillness: Is it stillness? Yes, a sign. "
        "unmoved: 95 %."
    )
    assert "No sign of masked slopes" in plot.diagnosis_alt(HONEST)


@pytest.fixture(scope="module")
def report():
    """Of a model that rounds its input, so that some items are signs and others are not."""
    weight, g = torch.tensor([[0.0, 1.0], [0.0, -1.0]], device="cpu"), generator(0)
    x = torch.rand(100, 2, generator=g)
    options = {"steps": 3, "queries": 20, "draws": 5, "generator": g}
    return attacks.diagnose(lambda x: (4 * x).round() @ weight, x, (x @ weight).argmax(1), attacks.Linf(0.1), **options)


def test_the_picture_and_the_words_hold_what_was_diagnosed(report):
    _, ax = drawn(report)
    assert {item.verdict for item in report.items} == {True, False}
    wanted = [(name, share) for item in report.items for name, share in item.rows.items()]
    words = [label.get_text() for label in ax.get_yticklabels()]
    assert list(zip(words, [bar.get_width() for bar in ax.patches], strict=True)) == wanted
    told = plot.diagnosis_alt(report)
    assert all(f"{name}: {100 * share:.0f} %" in told for name, share in wanted)
    assert "unbounded: Is the model still right when the attacker may change everything? Yes, a sign. " in told


@pytest.mark.parametrize("share", [0.0, 0.5, 0.84, 0.85, 1.0])
def test_texts_overlap_nothing_and_stay_on_the_figure(report, share):
    items = [
        Some(name=item.name, question=item.question, rows=dict.fromkeys(item.rows, share), verdict=verdict)
        for verdict in (False, True)
        for item in report.items
    ]
    fig, ax = drawn(Some(items=items, examples=100))
    texts = [text for text in (*ax.texts, *ax.get_yticklabels()) if text.get_text()]
    boxes = [text.get_window_extent(fig.canvas.get_renderer()) for text in texts]
    assert [(a, b) for i, a in enumerate(boxes) for b in boxes[:i] if a.overlaps(b)] == []
    assert all(box.x0 >= 0 and box.x1 <= fig.bbox.width for box in boxes)
    assert render(fig, alt=plot.diagnosis_alt(report)).png
