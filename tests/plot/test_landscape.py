"""The picture of the loss on a plane."""

import numpy as np
import pytest
import torch

from dlcourse import plot
from dlcourse.attacks import L2, margin
from dlcourse.landscape import plane


def made(eps=0.3, score=1.0, **options):
    """Is the first of two pixels larger than the second?"""
    x, label = torch.tensor([[0.5, 0.4]]), torch.tensor([0])
    return plane(lambda x: score * x, x, label, L2(eps), directions=torch.eye(2), size=21, **options)


def test_it_draws_the_loss_and_three_borders():
    found = made(eps=0.5)
    fig = plot.landscape(found)
    ax = fig.axes[0]
    np.testing.assert_allclose(ax.images[0].get_array(), found.loss.numpy())
    assert ax.images[0].origin == "lower"
    texts = [text.get_text() for text in ax.get_legend().get_texts()]
    assert texts == ["answer changes", "edge of the ball", "edge of the box [0, 1]"]
    drawn = {line.get_label(): line.get_xydata() for line in ax.lines}
    for name, edge in (("edge of the ball", found.ball), ("edge of the box [0, 1]", found.box)):
        np.testing.assert_allclose(drawn[name], edge.numpy())
    np.testing.assert_allclose(np.hypot(*drawn["edge of the ball"].T), 0.5, rtol=1e-6)
    left, right, bottom, top = ax.images[0].get_extent()
    assert (*ax.get_xlim(), *ax.get_ylim()) == pytest.approx((left, right, bottom, top)), "no edge widens the picture"
    assert (left, right) == pytest.approx((-0.7875, 0.7875))
    assert (bottom, top) == (left, right)
    assert len(fig.axes) == 2
    fig.canvas.draw()


def test_borders_that_are_not_there_are_not_drawn():
    fig = plot.landscape(made(eps=0.1, score=0.0, reach=0.5), label=None)
    assert fig.axes[0].get_legend() is None
    assert len(fig.axes) == 1


def test_a_box_that_is_left_at_once_has_no_edge():
    x, label = torch.zeros(1, 3), torch.tensor([0])
    ways = torch.tensor([[1.0, -1.0, 0.0], [0.0, 1.0, -1.0]])
    fig = plot.landscape(plane(lambda x: x, x, label, L2(0.5), directions=ways))
    texts = [text.get_text() for text in fig.axes[0].get_legend().get_texts()]
    assert texts == ["answer changes", "edge of the ball"]


def test_on_given_axes_with_a_limit():
    fig, axes = plot.figure(1, 2)
    assert plot.landscape(made(), ax=axes[1], limit=3.0) is fig
    assert axes[1].images[0].get_clim() == (0, 3.0)
    assert not axes[0].images


def test_a_margin_is_shown_from_its_lowest():
    found = made(eps=0.05, objective=margin)
    low, top = plot.landscape(found).axes[0].images[0].get_clim()
    assert (low, top) == pytest.approx((-0.25, 0.05))  # -0.1 in the middle, 0.15 less or more at two corners


def test_no_answer_at_all_is_said_and_warns_nobody():
    found = made(score=float("nan"))
    plot.landscape(found).canvas.draw()
    assert "within the ball of 0.3 and the box at most nan" in plot.landscape_alt(found)


def test_in_words():
    assert plot.landscape_alt(made(eps=0.3)) == (
        "The loss on a plane along a direction that is not the gradient's and another. In the middle it is 0.644; "
        "within the ball of 0.3 and the box at most 0.857; other answers there: 1."
    )
    assert plot.landscape_alt(made(eps=0.01)).endswith("every answer there is right.")


def test_something_else_is_refused():
    with pytest.raises(ValueError, match=r"got Tensor; it wants what landscape\.plane"):
        plot.landscape(torch.zeros(3, 3))
