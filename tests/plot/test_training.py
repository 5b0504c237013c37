"""The pictures of a run show what its numbers say, in any state of it; the words for them say the same."""

from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
import pytest
import torch

from dlcourse import plot, training
from dlcourse.plot.show import render
from dlcourse.plot.training import running_mean


@dataclass(frozen=True)
class Step:
    index: int
    loss: float
    lr: float
    gradient_norm: float


@dataclass(frozen=True)
class Evaluation:
    index: int
    epoch: int
    loss: float
    accuracy: float | None


@dataclass(frozen=True)
class History:
    """Plain data, and none of `dlcourse.training`: the pictures read only the fields."""

    steps: tuple
    evaluations: tuple
    best: Evaluation | None


def run(n=200, *, loss=lambda i: 2.5 / (1 + i / 10), accuracy=lambda e: 0.5 + e / 10, epochs=4, validate=True):
    steps = tuple(Step(i, float(loss(i)), 0.1 * (1 - i / n), 1.0 / (i + 1)) for i in range(n))
    evaluations = tuple(
        Evaluation((e + 1) * n // epochs, e, abs(e - 2) + 0.5, accuracy(e)) for e in range(epochs) if validate
    )
    best = min(evaluations, key=lambda e: e.loss, default=None)
    return History(steps, evaluations, best)


def curve(ax, label):
    (found,) = [line for line in ax.lines if str(line.get_label()).startswith(label)]
    return found.get_xydata()


def test_the_history_shows_its_numbers():
    history = run()
    fig = plot.history(history)
    loss, accuracy, lr, norm = fig.axes
    assert curve(loss, "training, each batch").tolist() == [[s.index, s.loss] for s in history.steps]
    smooth, span = running_mean(np.array([s.loss for s in history.steps]))
    assert span == 4
    assert curve(loss, "training, mean of about 4")[:, 1].tolist() == smooth.tolist()
    assert curve(loss, "validation").tolist() == [[e.index, e.loss] for e in history.evaluations]
    assert curve(loss, "best: 0.5 after 3 epochs").tolist() == [[150, 0.5]]
    assert accuracy.lines[0].get_xydata().tolist() == [[e.index, e.accuracy] for e in history.evaluations]
    assert lr.lines[0].get_ydata().tolist() == [s.lr for s in history.steps]
    assert norm.lines[0].get_ydata().tolist() == [s.gradient_norm for s in history.steps]
    assert [ax.get_ylabel() for ax in fig.axes] == ["loss", "accuracy", "lr", "gradient\nnorm"]
    assert norm.get_xlabel() == "update"
    assert norm.get_yscale() == "log"
    assert plot.history_alt(history) == (
        "200 updates. The loss of the batches, in the running mean, goes from 2.5 to "
        f"{smooth[-1]:.3g}. The validation loss goes from 2.5 to 1.5; it is lowest, 0.5, after 3 epochs, with an "
        "accuracy of 70.0%. The learning rate is 0.1 at first, 0.1 at the most and 0.0005 at the end. The gradient "
        "norm lies between 0.005 and 1."
    )


@pytest.mark.parametrize(
    ("history", "labels"),
    [
        (run(1, validate=False), ["loss", "lr", "gradient\nnorm"]),
        (run(3, validate=False), ["loss", "lr", "gradient\nnorm"]),
        (run(accuracy=lambda e: None), ["loss", "lr", "gradient\nnorm"]),
        (run(loss=lambda i: 10.0 ** (-i / 20)), ["loss (log scale)", "accuracy", "lr", "gradient\nnorm"]),
        (run(loss=lambda i: 5.0 - i), ["loss", "accuracy", "lr", "gradient\nnorm"]),  # below 0: no logarithm
        (run(4000, epochs=100), ["loss (log scale)", "accuracy", "lr", "gradient\nnorm"]),
    ],
    ids=["one update", "no validation", "no classes", "a wide loss", "a negative loss", "a long run"],
)
def test_any_run_can_be_drawn(history, labels):
    fig = plot.history(history)
    assert [ax.get_ylabel() for ax in fig.axes] == labels
    picture = render(fig, alt=plot.history_alt(history))
    assert len(picture.png) < 250_000
    assert picture.width <= 760


def test_validation_that_was_never_a_number():
    history = run()
    history = History(
        history.steps, tuple(Evaluation(e.index, e.epoch, float("nan"), 0.1) for e in history.evaluations), None
    )
    render(plot.history(history), alt=plot.history_alt(history))
    assert "lowest" not in plot.history_alt(history)


def test_without_an_update_there_is_nothing_to_draw():
    for draw in (plot.history, plot.history_alt):
        with pytest.raises(ValueError, match="without a single update"):
            draw(History((), (), None))


def test_the_running_mean():
    assert running_mean(np.full(500, 3.0))[0] == pytest.approx(3.0)
    assert running_mean(np.array([1.0, 5.0]))[0].tolist() == [1.0, 5.0]  # too few to smooth
    smooth, span = running_mean(np.array([1.0, *[0.0] * 99]))
    assert span == 2
    assert smooth[:3] == pytest.approx([1.0, 0.25 / 0.75, 0.125 / 0.875])


# ---- the learning rate


def test_the_finder_shows_its_numbers():
    lrs = tuple(10.0 ** (i / 10 - 5) for i in range(50))
    smooth = (*(2.0 - 0.03 * i for i in range(45)), 2.0, 3.0, 5.0, 9.0, 20.0)
    found = training.LrFinder(lrs, tuple(value + 0.1 for value in smooth), smooth)
    (ax,) = plot.lr_finder(found).axes
    assert curve(ax, "smoothed").tolist() == [list(pair) for pair in zip(lrs, smooth, strict=True)]
    assert curve(ax, "each batch")[:, 1].tolist() == list(found.losses)
    (line,) = [line for line in ax.lines if str(line.get_label()).startswith("steepest")]
    assert line.get_xdata()[0] == found.suggestion
    assert ax.get_xscale() == "log"
    assert ax.get_ylim()[1] < 4, "the explosion does not squeeze the rest"
    assert f"falls most steeply at the rate {found.suggestion:.2g}" in plot.lr_finder_alt(found)
    assert "is lowest, 0.68, at the rate 0.25 and ends at 20" in plot.lr_finder_alt(found)


def test_a_loss_that_never_falls_has_no_suggestion():
    found = training.LrFinder((0.1, 1.0, 10.0), (1.0, 2.0, 5.0), (1.0, 2.0, 5.0))
    (ax,) = plot.lr_finder(found).axes
    assert len(ax.lines) == 2
    assert plot.lr_finder_alt(found).endswith("It never falls.")


# ---- right and wrong


def test_the_confusion_table_is_written_out():
    table = torch.tensor([[5, 0, 2], [1, 7, 0], [0, 0, 9]])
    (ax,) = plot.confusion(table, names=["cat", "dog", "owl"]).axes
    written = {(text.get_position()[1], text.get_position()[0]): text.get_text() for text in ax.texts}
    assert written == {(0, 0): "5", (0, 2): "2", (1, 0): "1", (1, 1): "7", (2, 2): "9"}
    assert [label.get_text() for label in ax.get_yticklabels()] == ["cat", "dog", "owl"]
    assert ax.images[0].get_array().tolist() == [[0, 0, 2], [1, 0, 0], [0, 0, 0]]
    plot.confusion(torch.eye(3).int())  # nothing wrong at all
    (ax,) = plot.confusion(torch.tensor([[2 / 3, 1 / 3], [0.1, 0.9]])).axes  # shares
    assert [text.get_text() for text in ax.texts] == ["0.67", "0.33", "0.10", "0.90"]
    assert ax.images[0].get_clim() == (0, pytest.approx(1 / 3))
    for table, names in (
        *((torch.ones(2, 3), None), (torch.ones(2, 2), ["a"]), (torch.ones(3), None)),
        *((torch.ones(0, 0), None), (torch.ones(0), None)),
    ):
        with pytest.raises(ValueError, match="wanted"):
            plot.confusion(table, names=names)


def test_calibration_is_drawn_where_there_are_answers():
    logits = torch.tensor([[1.0, 4.0], [4.0, 1.0], [1.0, 1.0]]).log().requires_grad_()
    found = training.calibration(logits, torch.tensor([1, 1, 0]))
    fig = plot.calibration(found)
    top, low = fig.axes
    points = curve(top, "accuracy (error 0.367)")
    assert points[np.isfinite(points).all(1)] == pytest.approx(np.array([[0.5, 1.0], [0.8, 0.5]]))
    assert [bar.get_height() for bar in low.patches] == [0, 0, 0, 0, 1, 0, 0, 2, 0, 0]
    render(fig, alt="Two bins of ten hold answers, at 0.5 and 0.8.")


def test_no_setting_leaks():
    before = dict(mpl.rcParams)
    plot.history(run())
    assert dict(mpl.rcParams) == before
