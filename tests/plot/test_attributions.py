"""Maps beside their pictures: the right numbers on the right tile, each scale told, signs marked, and words."""

import numpy as np
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg

from dlcourse import plot
from dlcourse.plot.attributions import UNSIGNED
from dlcourse.plot.maps import SIGNED
from dlcourse.plot.show import render

MINUS = "\N{MINUS SIGN}"


def randn(*shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def tiles(fig):
    return [image.get_array() for image in fig.axes[0].images]


def texts(fig):
    return [text.get_text() for text in fig.axes[0].texts]


PICTURES = torch.rand(2, 1, 4, 4, generator=torch.Generator().manual_seed(1))


def test_a_row_for_each_picture_and_a_column_for_each_method():
    maps = {"slope": randn(2, 1, 4, 4), "layer": randn(2, 2, 2)}
    fig = plot.attributions(PICTURES, maps, names=["a 3", "an 8"])
    wanted = [part[i].reshape(-1, *part.shape[-1:]) for i in (0, 1) for part in (PICTURES, *maps.values())]
    assert len(tiles(fig)) == len(wanted) == 6
    for tile, numbers in zip(tiles(fig), wanted, strict=True):
        np.testing.assert_allclose(tile, numbers.numpy(), rtol=1e-6)
    places = [image.get_extent() for image in fig.axes[0].images]
    assert [place[0] for place in places[:3]] == [place[0] for place in places[3:]]
    assert places[0][3] == places[1][3] == places[2][3] < places[3][3], "the first row is the upper one"
    assert all(above < below for *_, below, above in places), "nothing stands on its head"
    assert fig.axes[0].get_ylim()[0] > fig.axes[0].get_ylim()[1]
    assert len({round(right - left, 9) for left, right, *_ in places}) == 1, "a layer's map covers the whole picture"
    assert len({round(below - above, 9) for *_, below, above in places}) == 1
    assert texts(fig)[:3] == ["picture", "slope", "layer"]
    assert [label.get_text() for label in fig.axes[0].get_yticklabels()] == ["a 3", "an 8"]


def test_channels_are_added_up():
    x, map = torch.rand(2, 3, 4, 5, generator=torch.Generator().manual_seed(0)), randn(2, 3, 4, 5)
    picture, shown, *_ = tiles(plot.attributions(x, {"slope": map}))
    np.testing.assert_array_equal(picture, x[0].permute(1, 2, 0))
    np.testing.assert_allclose(shown, map[0].sum(0), rtol=1e-5)


def test_each_map_has_its_own_scale_and_tells_it():
    maps = {"signed": torch.zeros(2, 4, 4), "unsigned": torch.zeros(2, 4, 4)}
    maps["signed"][0, 1, 2], maps["signed"][0, 3, 3] = -2.0, 0.5
    maps["signed"][1, 0, 0] = 0.25  # nothing below 0, but the method has a sign
    maps["unsigned"][0, 2, 2] = 40.0
    fig = plot.attributions(PICTURES, maps)
    images = fig.axes[0].images
    assert [image.get_clim() for image in images] == [(0, 1), (-2, 2), (0, 40), (0, 1), (-0.25, 0.25), (0, 1)]
    assert [image.get_cmap() for image in images[1:3]] == [SIGNED, UNSIGNED]
    assert images[4].get_cmap() == SIGNED
    scales = ["\N{PLUS-MINUS SIGN}2", "0 to 40", "\N{PLUS-MINUS SIGN}0.25", "0 everywhere"]
    assert [text for text in texts(fig)[3:] if text not in ("+", MINUS)] == scales
    assert UNSIGNED(0.0) == pytest.approx(SIGNED(0.5), abs=0.01)
    assert UNSIGNED(1.0) == SIGNED(1.0), "orange is above 0 in both"


def test_signs_stand_on_the_largest_and_on_the_lowest_number():
    maps = {"fine": torch.zeros(1, 4, 4), "coarse": torch.tensor([[[0.0, 0.0], [0.0, 3.0]]])}
    maps["fine"][0, 1, 2], maps["fine"][0, 3, 0] = -2.0, 0.5
    fig = plot.attributions(PICTURES[:1], maps)
    marks = [(text.get_text(), *text.get_position()) for text in fig.axes[0].texts if text.get_text() in ("+", MINUS)]
    left, coarse = (fig.axes[0].images[i].get_extent()[0] for i in (1, 2))
    assert marks == [
        ("+", pytest.approx(left + 0.125), pytest.approx(0.875)),
        (MINUS, pytest.approx(left + 0.625), pytest.approx(0.375)),
        ("+", pytest.approx(coarse + 0.75), pytest.approx(0.75)),
    ]


def test_words():
    maps = {"slope": torch.zeros(2, 1, 4, 4), "layer": torch.ones(2, 2, 3)}
    maps["slope"][0, 0, 3, 1], maps["slope"][0, 0, 0, 0] = 0.5, -2.0
    assert plot.attributions_alt(PICTURES, maps, names=["a 3", "an 8"]) == (
        "2 pictures of 4 by 4, each with a map by slope, layer (2 by 3); blue is below 0, orange above, each map on a "
        f"scale of its own. Picture a 3: slope from {MINUS}2 to 0.5, largest at row 3, column 1; layer from 1 to 1, "
        "largest at row 0, column 0. Picture an 8: slope is 0 everywhere; layer from 1 to 1, largest at row 0, "
        "column 0."
    )


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_odd_values_are_drawn_and_told(value):
    some = torch.ones(2, 4, 4)
    some[0, 0, 0] = value
    for map in (some, torch.full((2, 4, 4), value)):
        fig, words = plot.attributions(PICTURES, {"odd": map}), plot.attributions_alt(PICTURES, {"odd": map})
        assert render(fig, alt=words).png
        assert "not finite" in texts(fig)
        assert "not finite" in words
    assert "odd from 1 to 1, largest at row 0, column 1, with numbers" in plot.attributions_alt(PICTURES, {"odd": some})


def test_tensors_of_any_kind_and_left_as_they_are():
    map = randn(2, 1, 4, 4).requires_grad_()
    before = map.detach().clone()
    for values in (map, map.detach().bfloat16(), map.detach().numpy(), map.transpose(2, 3)):
        assert len(tiles(plot.attributions(PICTURES, {"slope": values}))) == 4
    assert torch.equal(map, before)


@pytest.mark.filterwarnings("error")
def test_pixels_beyond_the_range_are_clipped(caplog):
    fig = plot.attributions(4 * randn(1, 3, 4, 4), {"slope": randn(1, 4, 4)}, cmap="gray")
    assert render(fig, alt="A photograph and one map beside it.").png
    assert not caplog.records


@pytest.mark.parametrize(
    ("shape", "methods", "name"),
    [((1, 1, 8, 8), 1, "0"), ((3, 1, 8, 8), 9, "a 7 taken for a 1"), ((2, 3, 28, 40), 4, "x")],
)
def test_nothing_overlaps_and_all_is_on_the_figure(shape, methods, name):
    long = ["saliency", "integrated gradients", "guided backprop", "Grad-CAM, conv2", "LRP epsilon", *"abcd"]
    maps = {method: randn(*shape) for method in long[:methods]}
    fig = plot.attributions(torch.zeros(shape), maps, names=[name] * shape[0])
    FigureCanvasAgg(fig).draw()
    assert fig.get_figwidth() <= 10.2
    ax = fig.axes[0]
    words = [text for text in (*ax.texts, *ax.get_yticklabels()) if text.get_text() not in ("+", MINUS)]
    boxes = [text.get_window_extent(fig.canvas.get_renderer()) for text in words]
    assert [(a, b) for i, a in enumerate(boxes) for b in boxes[:i] if a.overlaps(b)] == []
    assert all(box.x0 >= -1 and box.x1 <= fig.bbox.width and box.y0 >= 0 for box in boxes)
    assert all(box.y1 <= fig.bbox.height for box in boxes)


def test_other_shapes_and_numbers_are_refused():
    for draw in (plot.attributions, plot.attributions_alt):
        for wrong, words in (
            ((PICTURES[:, 0], {"a": randn(2, 4, 4)}), r"got the shape \(2, 4, 4\) and wants x as"),
            ((PICTURES.expand(2, 2, 4, 4), {"a": randn(2, 4, 4)}), "got 2 channels and wants 1, grey, or 3"),
            ((PICTURES, {}), "got no maps"),
            ((PICTURES, {"a": randn(3, 4, 4)}), r"\(3, 4, 4\) and wants for 'a' \(2, channel, height, width\) or"),
            ((PICTURES, {"a": randn(2, 16)}), r"\(2, 16\) and wants for 'a'"),
        ):
            with pytest.raises(ValueError, match=words):
                draw(*wrong)
        with pytest.raises(ValueError, match="2 pictures and 1 names"):
            draw(PICTURES, {"a": randn(2, 4, 4)}, names=["a"])
