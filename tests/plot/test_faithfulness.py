"""Curves: what was measured is drawn, every curve has its name and mark, and words say it too."""

import numpy as np
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg

from dlcourse import attribution, plot

SHARE = torch.linspace(0, 1, 3)


def curve(*scores):
    """Of two examples, one above and one below."""
    middle = torch.tensor(scores)
    return attribution.Curve(SHARE, torch.stack([middle - 1, middle + 1], dim=1))


CURVES = {"slope": curve(4.0, 1.0, 0.0), "cover": curve(4.0, 3.0, 0.0)}
FLOOR = [curve(4.0, 1.5, 0.0), curve(4.0, 2.5, 0.0), curve(4.0, 3.5, 0.0)]


def drawn(fig):
    FigureCanvasAgg(fig).draw()
    return fig.axes[0]


def named(ax):
    """Each name on the axes with the mark and the colour beside it."""
    marks = [line for line in ax.lines if line.get_transform() == ax.transAxes]
    texts = [text for text in ax.texts if text.get_transform() == ax.transAxes]
    return {
        text.get_text(): [
            (mark.get_marker(), mark.get_color())
            for mark in marks
            if mark.get_ydata()[0] == text.get_position()[1] and 0 < text.get_position()[0] - mark.get_xdata()[0] < 0.05
        ]
        for text in texts
    }


# --- deletion ---------------------------------------------------------------------------------------------------------


def test_a_curve_for_each_method_with_its_name_and_mark():
    ax = drawn(plot.deletion(CURVES, ylabel="logit"))
    lines = [line for line in ax.lines if len(line.get_xdata()) == 3]
    assert [list(line.get_ydata()) for line in lines] == [[4, 1, 0], [4, 3, 0]]
    for key in ("marker", "color", "linestyle"):
        assert len({getattr(line, f"get_{key}")() for line in lines}) == 2
    wanted = [[(line.get_marker(), line.get_color())] for line in lines]
    assert named(ax) == dict(zip(CURVES, wanted, strict=True))
    assert (ax.get_xlabel(), ax.get_ylabel(), ax.get_xlim()) == ("share taken away", "logit", (0, 1))
    assert not ax.collections


def test_random_orders_are_a_band_with_its_name():
    ax = drawn(plot.deletion(CURVES, floor=FLOOR))
    (band,) = ax.collections
    corners = band.get_paths()[0].vertices
    assert {(0.5, 1.5), (0.5, 3.5)} <= {tuple(corner) for corner in corners.round(6)}
    assert list(ax.lines[0].get_ydata()) == [4, 2.5, 0]
    assert set(named(ax)) == {*CURVES, "random order"}
    assert drawn(plot.deletion(CURVES, floor=FLOOR[:1])).collections


def test_on_given_axes():
    fig, axes = plot.figure(1, 2)
    assert plot.deletion(CURVES, ax=axes[1], xlabel="share put in") is fig
    assert axes[1].get_xlabel() == "share put in"
    assert not axes[0].lines


def test_names_overlap_no_other_and_stay_on_the_axes():
    generator = torch.Generator().manual_seed(0)
    many = {
        name: attribution.Curve(torch.linspace(0, 1, 21), torch.randn(21, 4, generator=generator).cumsum(0))
        for name in ("saliency", "input x gradient", "integrated gradients", "guided backprop", "occlusion", "LRP")
    }
    for chosen in (many, {"slope": curve(1.0, 1.0, 1.0)}, dict.fromkeys(many, curve(2.0, 2.0, 2.0))):
        ax = drawn(plot.deletion(chosen, floor=FLOOR if len(chosen) == 1 else ()))
        boxes = [text.get_window_extent(ax.figure.canvas.get_renderer()) for text in ax.texts]
        assert [(a, b) for i, a in enumerate(boxes) for b in boxes[:i] if a.overlaps(b)] == []
        assert all(ax.bbox.x0 <= box.x0 and box.x1 <= ax.bbox.x1 for box in boxes)
        assert all(ax.bbox.y0 <= box.y0 and box.y1 <= ax.bbox.y1 for box in boxes)
        styles = [(line.get_color(), line.get_linestyle()) for line in ax.lines if len(line.get_xdata()) > 1]
        assert len(set(styles)) == len(styles), "colour and dashes together tell all apart"


def test_a_name_stands_beside_its_own_curve():
    """Two that begin and end together: each name is where they are apart, and near its own."""
    x = torch.linspace(0, 1, 21)
    heights = {"low": 4 - 4 * x - 6 * x * (1 - x) ** 2, "high": 4 - 4 * x + 6 * x * (1 - x) ** 2}
    ax = drawn(plot.deletion({name: attribution.Curve(x, y[:, None]) for name, y in heights.items()}))
    for text in ax.texts:
        place, height = ax.transData.inverted().transform(ax.transAxes.transform(text.get_position()))
        apart = {name: abs(np.interp(place, x, y) - height) for name, y in heights.items()}
        (other,) = {*heights} - {text.get_text()}
        assert apart[text.get_text()] < 0.7
        assert apart[other] > 2 * apart[text.get_text()]
        box = text.get_window_extent(ax.figure.canvas.get_renderer())
        under = np.linspace(box.x0, box.x1, 50)
        for y in heights.values():
            line = ax.transData.transform(np.stack([x, y], axis=1))
            across = np.interp(under, *line.T)
            assert not ((box.y0 < across) & (across < box.y1)).any(), "no line runs through a name"


def test_curves_in_words():
    words = plot.deletion_alt(CURVES, ylabel="logit")
    assert words == (
        "Logit against share taken away, 2 curves. slope: from 4 to 0, area 1.5; cover: from 4 to 0, area 2.5."
    )
    assert plot.deletion_alt(CURVES, floor=FLOOR).endswith(" 3 random orders: area from 1.75 to 2.75.")
    assert plot.deletion_alt(CURVES, floor=FLOOR[:1]).endswith(" 1 random order: area 1.75.")


@pytest.mark.parametrize("wrong", [{}, {"slope": torch.zeros(3)}])
def test_something_else_than_curves_is_refused(wrong):
    for draw in (plot.deletion, plot.deletion_alt):
        with pytest.raises(ValueError, match=r"wants \{method: curve\}"):
            draw(wrong)
        with pytest.raises(ValueError, match="for floor a list of such"):
            draw(CURVES, floor=[torch.zeros(3)])


def test_all_of_it_with_what_the_package_makes():
    g = torch.Generator().manual_seed(0)
    model = torch.nn.Sequential(
        torch.nn.Conv2d(1, 2, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(8, 3)
    ).eval()
    x = torch.rand(5, 1, 4, 4, generator=g)
    map = attribution.saliency(model, x, 1)
    orders = [attribution.deletion(model, x, 1, attribution.random_map(x, generator=g)) for _ in range(3)]
    found = {"saliency": attribution.deletion(model, x, 1, map)}
    np.testing.assert_allclose(
        plot.deletion(found, floor=orders).axes[0].lines[1].get_ydata()[-1],
        found["saliency"].scores[-1].mean().item(),
        rtol=1e-5,
    )
    assert plot.attributions(x, {"saliency": map, "Grad-CAM": attribution.grad_cam(model, x, 1, layer="0")}).axes
