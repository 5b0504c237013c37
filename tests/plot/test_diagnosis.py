"""The pictures of a network's health: what stands where, at the odd values, and the words for it."""

import math
from types import SimpleNamespace as Some

import numpy as np
import pytest
import torch

from dlcourse import plot
from dlcourse.plot.show import render


def report(gradients, dead=None, saturated=None, *, cause=None, names=None):
    """What `training.diagnose` returns, as far as the picture looks at it."""
    nothing = [None] * len(gradients)
    rows = zip(names or map(str, range(len(gradients))), gradients, dead or nothing, saturated or nothing, strict=True)
    layers = tuple(Some(name=name, gradient=g, dead=d, saturated=s) for name, g, d, s in rows)
    return Some(layers=layers, findings=(Some(cause=cause),) if cause else ())


SICK = report([1e-6, 1e-3, 0.1], [0.0, 0.25, None], [0.0, 0.8, None], cause="vanishing gradients")


def dots(ax):
    return [tuple(line.get_xydata()[0]) for line in ax.lines if line.get_marker() == "o"]


def test_gradients_stand_on_a_logarithmic_axis_first_layer_on_top():
    left, right = plot.diagnosis(SICK).axes
    assert left.get_xscale() == "log"
    assert dots(left) == [(1e-6, 0), (1e-3, 1), (0.1, 2)]
    low, high = left.get_xlim()
    assert low < 1e-6 < 0.1 < high
    assert left.get_ylim()[0] > left.get_ylim()[1], "downwards"
    assert [label.get_text() for label in left.get_yticklabels()] == ["0", "1", "2"]
    assert right.get_shared_y_axes().joined(left, right)


def test_bars_are_shares():
    _, right = plot.diagnosis(SICK).axes
    widths = [bar.get_width() for bar in right.patches]
    assert widths == [0, 0.25, 0, 0, 0.8, 0]
    assert [text.get_text() for text in right.get_legend().get_texts()] == ["dead units", "saturated outputs"]
    assert [text.get_text() for text in right.texts] == ["none", "no units behind it"]
    assert right.get_xlim() == (0, 1)
    hatches = {bar.get_hatch() for bar in right.patches if bar.get_width()}
    assert len(hatches) == 2, "told apart without colour"


def test_a_bar_alone_fills_its_row():
    _, right = plot.diagnosis(report([1.0, 1.0], [0.5, 0.5])).axes
    assert [(bar.get_y() + bar.get_height() / 2, bar.get_height()) for bar in right.patches] == [
        (pytest.approx(0), 0.7),
        (pytest.approx(1), 0.7),
    ]


def test_the_title_says_the_cause():
    assert plot.diagnosis(SICK)._suptitle.get_text() == "likely cause: vanishing gradients"
    assert plot.diagnosis(report([1.0]))._suptitle.get_text() == "nothing found"


def test_what_has_no_logarithm_stands_at_an_edge_with_its_word():
    left, _ = plot.diagnosis(report([0.0, 1e-2, math.inf, math.nan, 1.0])).axes
    low, high = left.get_xlim()
    assert [x for x, _ in dots(left)] == pytest.approx([low, 1e-2, high, high, 1.0])
    assert [text.get_text() for text in left.texts] == ["0", "not finite", "not finite"]
    filled = [line.get_markerfacecolor() == line.get_color() for line in left.lines if line.get_marker() == "o"]
    assert filled == [False, True, False, False, True]


@pytest.mark.parametrize("gradients", [[0.0], [0.0, 0.0], [math.nan], [1.0], [1e-30, 1e30]])
def test_any_gradients_can_be_drawn(gradients):
    assert render(plot.diagnosis(report(gradients)), alt=plot.diagnosis_alt(report(gradients))).png


def test_small_differences_look_small():
    left, _ = plot.diagnosis(report([1.0, 1.1])).axes
    low, high = left.get_xlim()
    assert high / low > 100


def test_diagnosis_in_words():
    assert plot.diagnosis_alt(SICK) == (
        "Two panels by layer, 3 of them. Likely cause: vanishing gradients. The gradient's length is "
        "1e\N{MINUS SIGN}06 at the first layer, 0, and 0.1 at the last, 2. The largest share of dead units is 25%, "
        "behind 1. The largest share of saturated outputs is 80%, behind 1."
    )
    words = plot.diagnosis_alt(report([1.0]))
    assert "Nothing was found." in words
    assert "No unit is dead or saturated." in words
    assert "at the last" not in words


@pytest.mark.parametrize("wrong", [None, 3, report([]), Some(layers=report([1.0]).layers)])
def test_diagnosis_refuses(wrong):
    for draw in (plot.diagnosis, plot.diagnosis_alt):
        with pytest.raises(ValueError, match="without layers"):
            draw(wrong)


def test_long_names_are_cut():
    left, _ = plot.diagnosis(report([1.0], names=["encoder.layers.11.linear1"])).axes
    (label,) = [label.get_text() for label in left.get_yticklabels()]
    assert len(label) == 14
    assert label.startswith("…")
    assert label.endswith("linear1")


def overlapping(texts, fig):
    renderer = fig.canvas.get_renderer()
    boxes = [text.get_window_extent(renderer) for text in texts if text.get_text()]
    return [(a, b) for i, a in enumerate(boxes) for b in boxes[:i] if a.overlaps(b)]


@pytest.mark.parametrize("count", [1, 2, 11, 30])
def test_no_labels_overlap(count):
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    fig = plot.diagnosis(report([10.0**-i for i in range(count)], [0.1] * count))
    FigureCanvasAgg(fig).draw()
    assert overlapping(fig.axes[0].get_yticklabels(), fig) == []
    fig = plot.layers({"activations": {str(i): torch.arange(5.0) * 10.0**-i for i in range(count)}})
    FigureCanvasAgg(fig).draw()
    assert overlapping(fig.axes[0].texts, fig) == []
    assert overlapping(fig.axes[0].get_xticklabels(), fig) == []


def panels(seed=0):
    draw = torch.Generator().manual_seed(seed)
    wide, narrow = torch.randn(500, 8, generator=draw), 0.01 * torch.randn(500, 8, generator=draw)
    return {"activations": {"1": wide.relu(), "3": narrow.relu()}, "gradients": {"1": narrow, "3": wide}}


def ridges(ax):
    """The height of each ridge along the axis, from its own floor."""
    return [(line.get_xdata(), row - line.get_ydata()) for row, line in enumerate(ax.lines)]


def test_ridges_are_histograms():
    values = panels()
    fig = plot.layers(values)
    assert [ax.get_xlabel() for ax in fig.axes] == ["activations", "gradients"]
    for ax, by_layer in zip(fig.axes, values.values(), strict=True):
        for (x, height), tensor in zip(ridges(ax), by_layer.values(), strict=True):
            assert height.max() == pytest.approx(0.86), "as high as one another"
            assert height.min() >= 0
            middle = (x * height).sum() / height.sum()
            assert middle == pytest.approx(tensor[tensor != 0].mean().item(), abs=0.05)
    (_, wide), (_, narrow) = ridges(fig.axes[0])
    assert (narrow > 0.05).sum() * 10 < (wide > 0.05).sum(), "one axis for all rows"


def test_zeros_are_counted_and_not_drawn():
    tensor = torch.tensor([0.0] * 60 + [1.0] * 20 + [2.0] * 20)
    ax = plot.layers({"activations": {"1": tensor}}).axes[0]
    ((x, height),) = ridges(ax)
    assert sorted(x[height > 0].round().tolist()) == [1, 2]
    assert ax.texts[0].get_text() == f"std {tensor.std(correction=0).item():.2g}\n60% zero"


def test_one_outlier_does_not_flatten_the_rest():
    tensor = torch.cat([torch.randn(5000, generator=torch.Generator().manual_seed(1)), torch.tensor([1e6])])
    ax = plot.layers({"x": {"1": tensor}}).axes[0]
    assert ax.get_xlim()[1] < 5


def test_odd_values_are_drawn():
    for tensor in (torch.zeros(3), torch.tensor([math.nan, math.inf]), torch.tensor([math.nan, 1.0]), torch.ones(1)):
        fig = plot.layers({"x": {"1": tensor}})
        assert render(fig, alt=plot.layers_alt({"x": {"1": tensor}})).png
        assert ("not finite" in fig.axes[0].texts[0].get_text()) == (not torch.isfinite(tensor).all())


def test_tensors_of_any_kind():
    graph = torch.ones(2, 3, 4, requires_grad=True)
    values = {"x": {"1": graph, "2": np.ones(3), "3": torch.ones(2).bfloat16(), "4": None}}
    assert len(plot.layers(values).axes[0].lines) == 3


def test_layers_in_words():
    words = plot.layers_alt({"activations": {"1": torch.tensor([-1.0, 1.0]), "3": torch.tensor([-0.1, 0.1])}})
    assert words == (
        "Ridges, one for each of 2 layers. activations: the standard deviation is 1 in layer 1 and 0.1 in layer 3."
    )
    assert "and" not in plot.layers_alt({"x": {"1": torch.ones(2)}}).split("layers.")[1].replace("standard", "")


@pytest.mark.parametrize("wrong", [{}, {"x": {}}, {"x": {"1": None}}, {"x": {"1": torch.zeros(0)}}])
def test_layers_refuses(wrong):
    for draw in (plot.layers, plot.layers_alt):
        with pytest.raises(ValueError, match="nothing to draw"):
            draw(wrong)
