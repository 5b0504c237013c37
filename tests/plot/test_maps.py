"""Pictures of kernels, maps and patches: the right numbers on the right tile, one scale, and words that are true."""

import numpy as np
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg

from dlcourse import plot
from dlcourse.plot.maps import SIGNED
from dlcourse.plot.show import render

ALT = "A mosaic of small tiles, which is long enough."
DRAW = {"kernels": plot.kernels, "maps": plot.maps, "patches": plot.patches}


def randn(*shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def tiles(fig):
    return [image.get_array() for image in fig.axes[0].images]


def places(fig):
    """Left and top of each tile."""
    return [(image.get_extent()[0], image.get_extent()[3]) for image in fig.axes[0].images]


def texts(fig):
    return [text.get_text() for text in fig.axes[0].texts]


def test_kernels_of_one_channel_stand_in_a_grid():
    weight = randn(5, 1, 2, 3)
    fig = plot.kernels(weight, names="abcde", columns=3)
    assert all(np.array_equal(tile, kernel[0]) for tile, kernel in zip(tiles(fig), weight.double(), strict=True))
    assert texts(fig) == list("abcde")
    across, down = zip(*places(fig), strict=True)
    assert across[:3] == across[3:] + across[2:3]
    assert down[0] == down[2] < down[3] == down[4]
    left, right, bottom, top = fig.axes[0].images[0].get_extent()
    assert (right - left) / 3 == pytest.approx((bottom - top) / 2), "cells are squares"


def test_kernels_over_several_channels_stand_in_rows():
    weight = randn(2, 3, 4, 4)
    fig = plot.kernels(weight, names=["up", "down"])
    assert all(np.array_equal(a, b) for a, b in zip(tiles(fig), weight.double().flatten(0, 1), strict=True))
    across, down = zip(*places(fig), strict=True)
    assert across[:3] == across[3:]
    assert len(set(down[:3])) == 1
    ax = fig.axes[0]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["up", "down"]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["0", "1", "2"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("input channel", "output channel")


def test_zero_is_the_middle_of_the_kernels_scale():
    weight = torch.tensor([0.5, 1.0, 3.0]).reshape(3, 1, 1, 1)
    fig = plot.kernels(weight)
    assert {image.get_clim() for image in fig.axes[0].images} == {(-3.0, 3.0)}, "one scale for all"
    assert {image.get_clim() for image in plot.kernels(weight, limit=5).axes[0].images} == {(-5.0, 5.0)}
    assert np.allclose(SIGNED(127)[:3], 0.97, atol=0.01), "white at 0"
    assert fig.axes[1].get_ylabel() == "weight", "the bar says what the colours are"


def test_numbers_in_the_cells():
    weight = torch.tensor([[[[0.0, -2.0], [1.25, 0.5]]]])
    fig = plot.kernels(weight, names=["one"], numbers=True)
    assert texts(fig) == ["one", "0", "\N{MINUS SIGN}2", "1.25", "0.5"]
    inks = [text.get_color() for text in fig.axes[0].texts[1:]]
    assert inks[1] != inks[0] == inks[2] == inks[3], "light on the dark end of the scale"


def test_maps_share_a_scale_that_begins_at_zero():
    values = torch.stack([torch.full((2, 3), 0.5), torch.full((2, 3), 4.0)])
    fig = plot.maps(values)
    assert [tile.max() for tile in tiles(fig)] == [0.5, 4.0]
    assert {image.get_clim() for image in fig.axes[0].images} == {(0.0, 4.0)}
    assert {image.get_cmap().name for image in fig.axes[0].images} == {"gray_r"}
    assert texts(fig) == ["0", "1"]
    assert fig.axes[1].get_ylabel() == "value"


def test_one_negative_value_makes_the_scale_symmetric():
    values = torch.zeros(2, 3, 3)
    values[1, 2, 0] = -0.25
    fig = plot.maps(values)
    assert {image.get_clim() for image in fig.axes[0].images} == {(-0.25, 0.25)}
    assert {image.get_cmap().name for image in fig.axes[0].images} == {SIGNED.name}
    assert {image.get_clim() for image in plot.maps(values, limit=2).axes[0].images} == {(-2.0, 2.0)}


def test_patches():
    pixels = torch.rand(4, 1, 3, 5, generator=torch.Generator().manual_seed(0))
    fig = plot.patches(pixels, values=torch.tensor([3.0, 2.25, 1.0, -1.0]), columns=3)
    assert all(np.array_equal(a, b[0]) for a, b in zip(tiles(fig), pixels.double(), strict=True))
    assert texts(fig) == ["3", "2.25", "1", "\N{MINUS SIGN}1"]
    assert {image.get_clim() for image in fig.axes[0].images} == {(0.0, 1.0)}, "pixels, not a scale of their own"
    assert len(fig.axes) == 1, "grey needs no bar"
    assert texts(plot.patches(pixels, values=[1, 2, 3, 4], names="abcd")) == ["a 1", "b 2", "c 3", "d 4"]
    assert texts(plot.patches(pixels, names="abcd")) == list("abcd")
    assert texts(plot.patches(pixels)) == []


def test_patches_in_colour():
    pixels = torch.rand(2, 3, 4, 5, generator=torch.Generator().manual_seed(0))
    for tile, patch in zip(tiles(plot.patches(pixels)), pixels.double(), strict=True):
        assert np.array_equal(tile, patch.permute(1, 2, 0))


def test_words():
    weight = torch.tensor([[0.5, -1.0], [0.25, 0.0]]).reshape(2, 1, 1, 2)
    assert plot.kernels_alt(weight, names=["left", "right"]) == (
        "2 kernels of 1 by 2; blue weights are negative, orange ones positive. The largest in size is "
        "\N{MINUS SIGN}1, in kernel left."
    )
    assert "1 kernel of 3 by 3, each over 2 input channels" in plot.kernels_alt(torch.ones(1, 2, 3, 3))
    values = torch.zeros(3, 4, 5)
    values[1, 3, 2] = 7.0
    assert plot.maps_alt(values) == (
        "3 feature maps of 4 by 5. The strongest value is 7, in map 1, at row 3, column 2. 2 of them are 0 everywhere."
    )
    values[0, 0, 0] = -8.0
    assert plot.maps_alt(values, names="abc").endswith(
        "value is \N{MINUS SIGN}8, in map a, at row 0, column 0. 1 of them is 0 everywhere."
    )
    assert "everywhere" not in plot.maps_alt(torch.ones(2, 3, 3))
    assert plot.patches_alt(torch.zeros(1, 1, 3, 5)) == "1 patch of 3 by 5 pixels."
    assert plot.patches_alt(torch.zeros(2, 3, 3, 5), values=[1.5, 0.5]) == (
        "2 patches of 3 by 5 pixels; the unit's values go from 1.5 to 0.5."
    )


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("kernels", (3, 3)),
        ("kernels", (0, 1, 3, 3)),
        ("maps", (2, 3, 4, 4)),
        ("maps", (4, 4)),
        ("patches", (4, 4, 4)),
    ],
)
def test_other_shapes_are_refused(name, shape):
    for draw in (DRAW[name], getattr(plot, f"{name}_alt")):
        with pytest.raises(ValueError, match=rf"plot\.{name} got the shape"):
            draw(np.zeros(shape))


def test_other_numbers_are_refused():
    for draw in (plot.kernels, plot.kernels_alt):
        with pytest.raises(ValueError, match="2 output channels and 1 names"):
            draw(torch.ones(2, 1, 3, 3), names=["a"])
    for draw in (plot.maps, plot.maps_alt):
        with pytest.raises(ValueError, match="2 channels and 3 names"):
            draw(torch.ones(2, 3, 3), names="abc")
    for draw in (plot.patches, plot.patches_alt):
        with pytest.raises(ValueError, match=r"2 patches and values \(3,\)"):
            draw(torch.ones(2, 1, 3, 3), values=[1, 2, 3])
    with pytest.raises(ValueError, match="2 patches and 1 names"):
        plot.patches(torch.ones(2, 1, 3, 3), names=["a"])
    with pytest.raises(ValueError, match=r"got 2 channels and wants 1, grey, or 3"):
        plot.patches(torch.ones(2, 2, 3, 3))


@pytest.mark.parametrize("value", [0.0, float("nan"), float("inf")])
def test_odd_values_are_drawn(value):
    values = torch.full((2, 3, 3), value)
    values[0, 1, 1] = 0.5
    for odd in (values, torch.full((2, 3, 3), value)):
        assert render(plot.maps(odd), alt=plot.maps_alt(odd)).png
        assert render(plot.kernels(odd[:, None]), alt=plot.kernels_alt(odd[:, None])).png
    assert plot.maps(values).axes[0].images[0].get_clim() == (0, 0.5), "what is not finite has no part in the scale"


@pytest.mark.parametrize("shape", [(1, 1, 3, 3), (3, 1, 1, 7), (64, 1, 5, 5), (16, 8, 3, 3), (6, 24, 5, 3)])
def test_any_layer_fits_and_nothing_overlaps(shape):
    fig = plot.kernels(randn(*shape))
    FigureCanvasAgg(fig).draw()
    renderer = fig.canvas.get_renderer()
    ax = fig.axes[0]
    assert fig.get_figwidth() <= 10.2
    for labels in (ax.texts, ax.get_xticklabels(), ax.get_yticklabels()):
        boxes = [label.get_window_extent(renderer) for label in labels]
        assert not [1 for i, a in enumerate(boxes) for b in boxes[:i] if a.overlaps(b)]


def test_tensors_of_any_kind_and_left_as_they_are():
    weight = randn(2, 1, 3, 3).requires_grad_()
    before = weight.detach().clone()
    for values in (weight, weight.detach().bfloat16(), weight.detach().numpy(), weight.transpose(2, 3)):
        assert len(tiles(plot.kernels(values))) == 2
    assert torch.equal(weight, before)


def test_a_large_layer_stays_a_small_picture():
    assert len(render(plot.kernels(randn(16, 8, 5, 5)), alt=ALT).png) < 160_000


def test_a_limit_is_a_number_above_zero():
    for limit in (0, -1.0, float("nan"), float("inf")):
        for name, draw in (("kernels", plot.kernels), ("maps", lambda x, **o: plot.maps(x[0], **o))):
            with pytest.raises(ValueError, match=rf"plot\.{name} got limit={limit}; wanted a number above 0"):
                draw(torch.ones(1, 1, 2, 2), limit=limit)


def test_what_is_zero_everywhere_has_a_scale():
    for fig in (plot.kernels(torch.zeros(2, 1, 3, 3)), plot.maps(torch.zeros(2, 3, 3))):
        assert {image.get_clim()[1] for image in fig.axes[0].images} == {1.0}


@pytest.mark.filterwarnings("error")
def test_odd_patches(caplog):
    """Pixels beyond [0, 1] are clipped without a word, values with two axes refused, nan told."""
    for channels in (1, 3):
        pixels = torch.linspace(-1, 2, 2 * channels * 4).reshape(2, channels, 2, 2)
        fig = plot.patches(pixels)
        assert render(fig, alt=ALT).png
        assert min(tile.min() for tile in tiles(fig)) == 0
        assert max(tile.max() for tile in tiles(fig)) == 1
    assert not caplog.records
    for draw in (plot.patches, plot.patches_alt):
        with pytest.raises(ValueError, match=r"values \(1, 2\); wanted \(2,\)"):
            draw(pixels, values=[[1.0, 2.0]])
    assert "go from 1 to 1; 1 are no numbers." in plot.patches_alt(pixels, values=[1.0, float("nan")])
    assert "none of the unit's values" in plot.patches_alt(pixels, values=[float("nan")] * 2)


def test_words_for_what_is_not_finite():
    values = torch.tensor([[[1.0, float("inf")]]])
    assert plot.maps_alt(values).endswith(
        "strongest finite value is 1, in map 0, at row 0, column 0. 1 value is not finite and left bare."
    )
    assert plot.maps_alt(values * float("nan")) == "1 feature map of 1 by 2. No value is finite."


@pytest.mark.parametrize("make", [torch.tensor, np.array])
def test_complex_numbers_are_refused(make):
    with pytest.raises(ValueError, match="complex numbers"):
        plot.maps(make([[[1j]]]))
