"""Accuracy, confusion and calibration against slow definitions and scikit-learn; evaluation that leaves no trace."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, confusion_matrix
from torch.nn.functional import cross_entropy, mse_loss

from dlcourse import nn
from dlcourse.training import accuracy, calibration, confusion, evaluate, evaluating


def answers(n, classes, seed, *, scale=2.0, dtype=torch.float32, device="cpu"):
    """Random logits and labels; the labels lean towards the answer, so that some are right."""
    generator = torch.Generator().manual_seed(seed)
    logits = scale * torch.randn(n, classes, generator=generator, dtype=dtype)
    labels = (logits + 2 * scale * torch.randn(n, classes, generator=generator)).argmax(1)
    return logits.to(device), labels.to(device)


def calibration_definition(logits, labels, bins):
    """As printed, answer by answer, a bin at a time."""
    probabilities = [[math.exp(z) for z in row] for row in logits.double().tolist()]
    rows = [[p / sum(row) for p in row] for row in probabilities]
    sure = [max(row) for row in rows]
    right = [row.index(max(row)) == label for row, label in zip(rows, labels.tolist(), strict=True)]
    error, found = 0.0, []
    for i in range(bins):
        inside = [j for j in range(len(rows)) if i / bins < sure[j] <= (i + 1) / bins]
        confidence = sum(sure[j] for j in inside) / len(inside) if inside else math.nan
        share = sum(right[j] for j in inside) / len(inside) if inside else math.nan
        found.append((confidence, share, len(inside)))
        error += len(inside) / len(rows) * abs(share - confidence) if inside else 0.0
    return found, error


@given(st.integers(1, 60), st.integers(2, 6), st.integers(0, 100), st.sampled_from([torch.int64, torch.int32]))
def test_accuracy_and_confusion(n, classes, seed, kind):
    logits, labels = answers(n, classes, seed)
    labels = labels.to(kind)
    assert accuracy(logits, labels) == pytest.approx(accuracy_score(labels, logits.argmax(1)), abs=1e-12)
    table = confusion(logits, labels)
    assert table.tolist() == confusion_matrix(labels, logits.argmax(1), labels=range(classes)).tolist()
    assert table.diagonal().sum().item() / n == pytest.approx(accuracy(logits, labels))


@given(st.integers(1, 60), st.integers(2, 6), st.integers(0, 100), st.integers(1, 20))
def test_calibration_is_its_definition(n, classes, seed, bins):
    logits, labels = answers(n, classes, seed, dtype=torch.float64)
    found = calibration(logits, labels, bins=bins)
    want, error = calibration_definition(logits, labels, bins)
    for mine, theirs in zip((found.confidence, found.accuracy, found.count), zip(*want, strict=True), strict=True):
        assert mine.tolist() == pytest.approx(list(theirs), abs=1e-12, nan_ok=True)
    assert found.error == pytest.approx(error, abs=1e-12)


def test_the_edges_of_the_bins_belong_to_the_lower_one():
    even = torch.zeros(3, 2, dtype=torch.float64, device="cpu")  # confidence 1/2 exactly
    labels = torch.tensor([0, 0, 1], device="cpu")
    assert calibration(even, labels, bins=2).count.tolist() == [3, 0]
    assert calibration(even, labels, bins=4).count.tolist() == [0, 3, 0, 0]
    certain = torch.tensor([[1e3, 0.0]], device="cpu")  # confidence 1: in the last bin, not behind it
    assert calibration(certain, labels[:1]).count.tolist() == [0] * 9 + [1]
    assert calibration(certain, labels[:1]).error == 0.0
    assert calibration(certain, labels[2:]).error == 1.0


def test_a_calibrated_model_has_a_small_error_and_a_boaster_a_large_one():
    generator = torch.Generator().manual_seed(0)
    logits = 2 * torch.randn(20_000, 5, generator=generator)
    labels = torch.multinomial(logits.softmax(1), 1, generator=generator)[:, 0]  # drawn from what the model says
    assert calibration(logits, labels).error < 0.02
    assert calibration(3 * logits, labels).error > 0.15


def test_the_measures_follow_the_device(device, close):
    logits, labels = answers(40, 3, 0, device=device)
    here, there = calibration(logits, labels), calibration(logits.cpu(), labels.cpu())
    assert here.confidence.device.type == confusion(logits, labels).device.type == device.type
    close(here.confidence.cpu(), there.confidence)
    assert here.error == pytest.approx(there.error, abs=1e-6)
    assert accuracy(logits, labels) == accuracy(logits.cpu(), labels.cpu())
    model = torch.nn.Linear(3, 3, device=device)
    assert evaluate(model, logits, labels, cross_entropy).loss > 0


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("measure", [accuracy, confusion, calibration])
def test_wrong_arguments(measure):
    logits, labels = answers(4, 3, 0)
    with pytest.raises(TypeError, match=rf"{measure.__name__} got.*labels.long"):
        measure(logits, labels.float())
    with pytest.raises(TypeError, match="class numbers"):
        measure(logits, labels > 0)
    with pytest.raises(ValueError, match=r"labels.:, 0."):
        measure(logits, labels[:, None])
    with pytest.raises(ValueError, match=r"wanted .batch, classes"):
        measure(logits, labels[:3])
    with pytest.raises(ValueError, match="no examples"):
        measure(logits[:0], labels[:0])


@pytest.mark.parametrize("measure", [accuracy, confusion, calibration])
def test_a_model_that_answers_nothing_is_not_perfect(measure):
    logits, labels = answers(4, 3, 0)
    for wrong in (math.nan, math.inf):
        sick = logits.clone()
        sick[2, 1] = wrong
        with pytest.raises(ValueError, match="nan or inf"):
            measure(sick, labels)
    logits[:, 1] = -math.inf  # a class that is ruled out is an answer
    measure(logits, labels)
    with pytest.raises(ValueError, match="at least two"):
        measure(logits[:, :1], labels * 0)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_calibration_of_half_precision(dtype):
    """10,000 calibrated answers: in bfloat16 itself, a count ends at 256."""
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(10_000, 5, generator=generator)
    labels = torch.multinomial(logits.softmax(1), 1, generator=generator)[:, 0]
    half, full = calibration(logits.to(dtype), labels), calibration(logits, labels)
    assert half.error == pytest.approx(full.error, abs=0.003)
    assert half.accuracy[-1].item() == pytest.approx(full.accuracy[-1].item(), abs=0.01)


def test_labels_without_a_column_and_bins_without_number():
    logits, labels = answers(4, 3, 0)
    for wrong in (labels + 3, labels - 3):
        with pytest.raises(ValueError, match="wanted labels from 0 to 2"):
            confusion(logits, wrong)
    with pytest.raises(ValueError, match="at least one bin"):
        calibration(logits, labels, bins=0)


# ---- evaluate


class Noisy(torch.nn.Module):
    """Dropout and batch norm: what is measured depends on the mode."""

    def __init__(self):
        super().__init__()
        self.layers = torch.nn.Sequential(torch.nn.BatchNorm1d(3), torch.nn.Dropout(0.5), torch.nn.Linear(3, 3))

    def forward(self, x):
        return self.layers(x)


@pytest.mark.parametrize("size", [1, 7, 20, 1000])
def test_evaluate_is_the_loss_and_accuracy_of_the_whole(size):
    model, (x, labels) = Noisy(), answers(20, 3, 0)
    model.layers[0].eval()
    state = {name: value.clone() for name, value in model.state_dict().items()}
    stream = torch.get_rng_state()
    found = evaluate(model, x, labels, nn.cross_entropy, size=size, index=12, epoch=3)
    assert [module.training for module in model.modules()] == [True, True, False, True, True]
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), stream)
    model.eval()
    assert found.loss == pytest.approx(cross_entropy(model(x), labels).item(), rel=1e-6)
    assert found.accuracy == accuracy(model(x), labels)
    assert (found.index, found.epoch) == (12, 3)


def test_accuracy_only_where_there_are_classes():
    model, (x, _) = torch.nn.Linear(3, 1), answers(20, 3, 0)
    assert evaluate(model, x, x[:, :1], mse_loss).accuracy is None
    labels = (x[:, 0] > 0).long()  # two classes, but one column, whose argmax is always 0
    assert evaluate(model, x, labels, lambda z, y: (z[:, 0] - y).square().mean()).accuracy is None
    pair = torch.nn.LSTM(3, 3)  # an output that is a tuple
    assert evaluate(pair, x, labels, lambda out, y: out[0].square().mean()).accuracy is None


def test_an_output_of_nan_is_never_right():
    x, labels = torch.ones(4, 2, device="cpu"), torch.tensor([0, 0, 1, 0], device="cpu")
    x[:2] = torch.tensor([math.nan, 2.0], device="cpu")
    assert evaluate(torch.nn.Identity(), x, labels, cross_entropy).accuracy == 0.25


def test_modes_come_back_after_an_error_and_no_gradient_is_kept():
    model, (x, labels) = Noisy(), answers(20, 3, 0)
    with pytest.raises(ZeroDivisionError):
        evaluate(model, x, labels, lambda a, b: 1 / 0)
    assert all(module.training for module in model.modules())
    with evaluating(model):
        assert not model(x).requires_grad
    assert model(x).requires_grad


def test_evaluating_nothing_is_an_error():
    x, labels = answers(5, 3, 0)
    with pytest.raises(ValueError, match="at least one"):
        evaluate(torch.nn.Linear(3, 3), x[:0], labels[:0], cross_entropy)
