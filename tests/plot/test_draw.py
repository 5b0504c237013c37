"""What is drawn is what came in: read back from the artists."""

import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgba

from dlcourse import plot
from dlcourse.plot.show import render
from dlcourse.plot.style import FILLS

X = torch.tensor([[0.0, 1.0], [2.0, 3.0], [4.0, -5.0]])
EXTENT = (-2.0, 3.0, 0.0, 1.0)
ALT = "A picture that a test looks at."


@pytest.fixture
def ax():
    return plot.figure()[1]


def offsets(ax):
    return [collection.get_offsets().tolist() for collection in ax.collections]


@pytest.mark.parametrize("labels", [[0, 1, 0], [-1, 1, -1], [0.0, 1.0, 0.0], [False, True, False]])
def test_points_by_class(ax, labels):
    plot.points(ax, X, torch.tensor(labels), names=("no", "yes"))
    assert offsets(ax) == [X[[0, 2]].tolist(), X[[1]].tolist()]
    first, second = ax.collections
    assert first.get_paths()[0].vertices.shape != second.get_paths()[0].vertices.shape, "markers differ in shape"
    assert first.get_facecolor()[0].tolist() == list(to_rgba(FILLS[0]))
    assert first.get_edgecolor()[0].tolist() != first.get_facecolor()[0].tolist()
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["no", "yes"]


def test_a_class_keeps_its_colour_when_the_other_is_absent(ax):
    plot.points(ax, X, torch.ones(3))
    assert offsets(ax) == [[], X.tolist()]


@pytest.mark.parametrize("labels", [torch.tensor([0, 1, 2]), torch.tensor([0, 1]), torch.zeros(3, 1), [0.5, 0, 1]])
def test_points_refuses(ax, labels):
    with pytest.raises(ValueError, match=r"plot\.points got"):
        plot.points(ax, X, labels)


def test_points_refuses_three_columns(ax):
    with pytest.raises(ValueError, match=r"x\[:, :2\]"):
        plot.points(ax, torch.zeros(3, 4), torch.zeros(3))


def test_points_accepts_a_tensor_inside_a_graph(ax):
    plot.points(ax, X.clone().requires_grad_(), torch.zeros(3))


def test_grid_and_field_agree(ax):
    """A field of x + 10 y, read back: columns run along x, rows along y from the bottom."""
    places = plot.grid(EXTENT, n=5)
    assert places.shape == (25, 2)
    assert places.dtype == torch.float32
    assert places[[0, 4, -1]].tolist() == [[-2, 0], [3, 0], [3, 1]]
    plot.field(ax, places @ torch.tensor([1.0, 10.0]), EXTENT)
    (image,) = ax.images
    shown = np.asarray(image.get_array())
    assert image.origin == "lower"
    assert image.get_extent() == list(EXTENT)
    assert shown[0, 0] == -2
    assert shown[0, 4] == 3
    assert shown[4, 0] == 8


def contour(ax):
    return np.concatenate([path.vertices for c in ax.collections for path in c.get_paths() if len(path.vertices)])


def test_the_contour_lies_where_the_level_is_reached(ax):
    places = plot.grid(EXTENT)
    plot.field(ax, places @ torch.tensor([1.0, 2.0]) - 1, EXTENT)
    x, y = contour(ax).T
    assert np.allclose(x + 2 * y - 1, 0, atol=1e-5)


def test_the_field_is_symmetric_around_its_level(ax):
    plot.field(ax, torch.tensor([-1.0, 0, 0, 5]), EXTENT, level=1.0)
    assert ax.images[0].get_clim() == (-3, 5)


def test_a_field_with_given_range_and_colour_bar(ax):
    plot.field(ax, torch.rand(3, 3), EXTENT, level=0.5, vmin=0, vmax=1, label="probability")
    assert ax.images[0].get_clim() == (0, 1)
    assert [other.get_ylabel() for other in ax.figure.axes] == ["", "probability"]


@pytest.mark.parametrize(("values", "level"), [(torch.ones(9), 0.0), (torch.arange(9), None)])
def test_no_contour_where_the_level_is_not_reached(ax, values, level):
    plot.field(ax, values, EXTENT, level=level)
    assert not ax.collections


@pytest.mark.parametrize("count", [1, 8, 10])
def test_a_field_must_be_square(ax, count):
    with pytest.raises(ValueError, match=r"n \* n"):
        plot.field(ax, torch.zeros(count), EXTENT)


@pytest.mark.parametrize("weight", [(1.0, 2.0), (1.0, 0.0), (0.0, -3.0), (-1e-4, 5e-4), (1e5, 1.0)])
@pytest.mark.parametrize("bias", [0.0, -1.5, torch.tensor([2.0])])
def test_a_line_of_any_direction(ax, weight, bias):
    ax.set(xlim=(-2, 3), ylim=(-1, 4))
    plot.line(ax, torch.tensor(weight, dtype=torch.float64), bias, label="it")
    (drawn,) = ax.lines
    foot = np.array(drawn.get_xy1())
    other = np.array(drawn.get_xy2())
    for point in (foot, other):
        assert np.dot(weight, point) + float(bias) == pytest.approx(0, abs=1e-9)
    assert np.linalg.norm(foot - other) == pytest.approx(1)
    assert (ax.get_xlim(), ax.get_ylim()) == ((-2, 3), (-1, 4))
    assert ax.get_legend() is not None
    render(ax.figure, alt=ALT)


def test_a_zero_weight_has_no_line(ax):
    with pytest.raises(ValueError, match="there is no line"):
        plot.line(ax, torch.zeros(2), 1.0)


@pytest.mark.parametrize(("weight", "bias"), [((1.0, 2.0, 3.0), 0.0), ((float("nan"), 1.0), 0.0), ((1.0, 1.0), np.inf)])
def test_line_refuses(ax, weight, bias):
    with pytest.raises(ValueError, match=r"plot\.line got"):
        plot.line(ax, torch.tensor(weight), bias)


def test_curves_differ_in_colour_and_style(ax):
    plot.curves(ax, torch.arange(3), {name: torch.rand(3) for name in "abcde"}, xlabel="step", ylabel="loss")
    assert len({line.get_color() for line in ax.lines}) == len({str(line._dash_pattern) for line in ax.lines}) == 5
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("step", "loss")
    assert [text.get_text() for text in ax.get_legend().get_texts()] == list("abcde")


def test_curves_refuses_another_length(ax):
    with pytest.raises(ValueError, match=r"'b' of shape \(2,\)"):
        plot.curves(ax, [0, 1, 2], {"a": [1, 2, 3], "b": [1, 2]})


@pytest.mark.parametrize("shape", [(5, 4, 6), (5, 1, 4, 6)])
def test_images(shape):
    pixels = torch.rand(shape)
    fig = plot.images(pixels, titles=list("abcde"), columns=3)
    shown = [ax for ax in fig.axes if ax.images]
    assert [ax.get_title() for ax in shown] == list("abcde")
    assert len(fig.axes) == 6
    assert not fig.axes[-1].axison, "the empty place shows no frame"
    for ax, image in zip(shown, pixels.reshape(5, 4, 6), strict=True):
        assert np.array_equal(ax.images[0].get_array(), image)
        assert ax.images[0].get_clim() == (0, 1)
    render(fig, alt=ALT)


def test_one_image():
    assert len(plot.images(torch.rand(1, 8, 8)).axes) == 1


@pytest.mark.parametrize("shape", [(8, 8), (2, 3, 8, 8), (0, 8, 8)])
def test_images_refuses(shape):
    with pytest.raises(ValueError, match=r"plot\.images got the shape"):
        plot.images(torch.zeros(shape))


def test_images_refuses_too_few_titles():
    with pytest.raises(ValueError, match="3 images and 1 titles"):
        plot.images(torch.zeros(3, 2, 2), titles=["a"])


def test_a_busy_figure_stays_small():
    fig, axes = plot.figure(1, 2)
    generator = torch.Generator().manual_seed(0)
    for ax in axes:
        places = plot.grid(EXTENT)
        plot.field(ax, torch.sigmoid(places @ torch.tensor([3.0, 2.0])), EXTENT, level=0.5, vmin=0, vmax=1)
        plot.points(ax, torch.rand(200, 2, generator=generator), torch.arange(200) % 2)
    assert len(render(fig, alt=ALT).png) < 160_000
