"""What must hold for the models on any data: the mistake bound, the slope by finite differences, a line that folds."""

import math
from itertools import pairwise

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from dlcourse import models, nn

seeds = st.integers(0, 2**31)


def separable(n, features, seed, gap):
    """Points parted by a random line with at least `gap` to spare, their labels, and the line as (weight, bias)."""
    g = torch.Generator().manual_seed(seed)
    weight = torch.randn(features, generator=g, dtype=torch.float64)
    weight, bias = weight / weight.norm(), torch.randn((), generator=g, dtype=torch.float64)
    x = 2 * torch.randn(n, features, generator=g, dtype=torch.float64)
    score = x @ weight + bias
    labels = torch.where(score > 0, 1.0, -1.0).double()
    return x + (gap * labels)[:, None] * weight, labels, weight, bias


@given(n=st.integers(1, 20), features=st.integers(1, 4), seed=seeds, gap=st.floats(0.3, 3.0))
def test_novikoffs_bound(n, features, seed, gap):
    """At most (R / margin)^2 mistakes, for any line that parts the classes; and then a clean pass."""
    x, labels, weight, bias = separable(n, features, seed, gap)
    length = (x.square().sum(1) + 1).sqrt().max()  # the constant 1 for the bias counts as an input
    margin = (labels * (x @ weight + bias)).min() / (weight.square().sum() + bias.square()).sqrt()
    bound = (length / margin).square().item()
    assume(bound < 400)
    steps = list(models.perceptron_steps(x, labels, epochs=math.ceil(bound) + 1))  # each but the last has a mistake
    assert sum(step.mistake for step in steps) <= bound
    assert not any(step.mistake for step in steps[-n:])
    assert (labels * (x @ steps[-1].weight + steps[-1].bias) > 0).all()


@given(seed=seeds, epochs=st.integers(1, 5))
def test_a_perceptron_that_cannot_part_the_classes_uses_all_its_passes(seed, epochs):
    x = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    order = torch.randperm(4, generator=torch.Generator().manual_seed(seed))
    steps = list(models.perceptron_steps(x[order], torch.tensor([-1, 1, 1, -1])[order], epochs=epochs))
    assert len(steps) == 4 * epochs
    assert steps[-1].epoch == epochs - 1


@given(n=st.integers(1, 12), features=st.integers(1, 4), seed=seeds)
def test_weights_are_the_sum_of_mistaken_examples(n, features, seed):
    x, labels, _, _ = separable(n, features, seed, 0.0)
    steps = list(models.perceptron_steps(x, labels, epochs=4))
    wrong = torch.tensor([step.example for step in steps if step.mistake], dtype=torch.int64)
    torch.testing.assert_close(steps[-1].weight, (labels[wrong, None] * x[wrong]).sum(0))
    assert steps[-1].bias == labels[wrong].sum()


@given(n=st.integers(1, 8), features=st.integers(1, 4), seed=seeds)
def test_logistic_slope_is_the_limit_of_differences(n, features, seed):
    """The second step minus the first, over lr, against central differences of the loss at the first step."""
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(n, features, generator=g, dtype=torch.float64)
    y = torch.randint(0, 2, (n,), generator=g).double()
    _, here, after = models.logistic_steps(x, y, lr=0.5, steps=2)

    def loss(weight, bias):
        return nn.binary_cross_entropy_with_logits(x @ weight + bias, y)

    step = 1e-6
    for direction in torch.eye(features, dtype=torch.float64):
        slope = loss(here.weight + step * direction, here.bias) - loss(here.weight - step * direction, here.bias)
        torch.testing.assert_close(
            (here.weight - after.weight) @ direction / 0.5, slope / (2 * step), rtol=1e-5, atol=1e-8
        )
    slope = loss(here.weight, here.bias + step) - loss(here.weight, here.bias - step)
    torch.testing.assert_close((here.bias - after.bias) / 0.5, slope / (2 * step), rtol=1e-5, atol=1e-8)


@given(n=st.integers(1, 10), features=st.integers(1, 3), seed=seeds)
def test_logistic_loss_never_rises_when_the_step_is_small(n, features, seed):
    """The loss bends by at most mean |x, 1|^2 / 4: a step below the inverse of that cannot overshoot."""
    g = torch.Generator().manual_seed(seed)
    x = 2 * torch.randn(n, features, generator=g, dtype=torch.float64)
    y = torch.randint(0, 2, (n,), generator=g)
    lr = (4 / (x.square().sum(1) + 1).mean()).item()
    losses = [step.loss for step in models.logistic_steps(x, y, lr=lr, steps=10)]
    assert losses[0] == pytest.approx(math.log(2))
    assert all(b <= a + 1e-12 for a, b in pairwise(losses))


@given(seed=seeds)
def test_without_a_bend_two_layers_are_one(seed):
    g = torch.Generator().manual_seed(seed)
    w1, b1, w2, b2, x = (torch.randn(s, generator=g, dtype=torch.float64) for s in ((5, 3), 5, (2, 5), 2, (4, 3)))
    collapsed = x @ (w2 @ w1).T + (w2 @ b1 + b2)
    torch.testing.assert_close(models.two_layer(x, w1, b1, w2, b2, activation=lambda h: h), collapsed)


def test_two_hinges_compute_xor():
    """relu(x1 + x2) - 2 relu(x1 + x2 - 1) - 1/2 is above 0 exactly where one switch is up."""
    x = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    out = models.two_layer(
        x, torch.ones(2, 2), torch.tensor([0.0, -1.0]), torch.tensor([[1.0, -2.0]]), torch.tensor([-0.5])
    )
    assert out.flatten().tolist() == [-0.5, 0.5, 0.5, -0.5]


def test_steps_are_kept_apart():
    """An earlier step is not changed by a later one: each update makes new tensors."""
    x, labels = torch.tensor([[1.0, 2.0], [3.0, -1.0]]), torch.tensor([1, -1])
    for steps in (
        models.perceptron_steps(x, labels, epochs=3),
        models.logistic_steps(x, (labels + 1) // 2, lr=1.0, steps=5),
    ):
        kept, texts = [], []
        for step in steps:
            kept.append(step)
            texts.append(repr(step))
        assert [repr(step) for step in kept] == texts
    assert x.tolist() == [[1.0, 2.0], [3.0, -1.0]]


def test_nothing_runs_before_it_is_asked_for():
    """Steps are made one at a time: a billion passes cost nothing until they are taken."""
    x, labels = torch.tensor([[0.0], [0.0]]), torch.tensor([1, -1])
    steps = models.perceptron_steps(x, labels, epochs=10**9)
    assert next(steps).index == 0
    assert next(models.logistic_steps(x, (labels + 1) // 2, lr=1.0, steps=10**9)).index == 0
