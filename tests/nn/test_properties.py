"""What must hold for any input: slopes by finite differences, symmetries, bounds; and the overflow that is taught."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dlcourse import nn

ELEMENTWISE = [
    nn.sigmoid,
    nn.log_sigmoid,
    nn.softplus,
    nn.tanh,
    nn.relu,
    nn.leaky_relu,
    nn.elu,
    nn.gelu,
    nn.gelu_tanh,
    nn.silu,
]
CORNERED = {nn.relu, nn.leaky_relu}  # no slope at 0: finite differences stay away from it

shapes = st.lists(st.integers(1, 4), max_size=3).map(tuple)
seeds = st.integers(0, 2**31)


def draw(shape, seed, scale=3.0):
    g = torch.Generator().manual_seed(seed)
    return scale * torch.randn(shape, generator=g, dtype=torch.float64)


def directional(f, x, seed, step=1e-6):
    """The slope of f along a random direction: by torch, and by a central difference (error about step^2)."""
    direction = draw(x.shape, seed + 1, scale=1.0)
    leaf = x.detach().requires_grad_()
    value = f(leaf)
    weight = draw(value.shape, seed + 2, scale=1.0)
    (slope,) = torch.autograd.grad(value, leaf, weight)
    difference = ((f(x + step * direction) - f(x - step * direction)) / (2 * step) * weight).sum()
    return (slope * direction).sum(), difference


@pytest.mark.parametrize("f", ELEMENTWISE, ids=lambda f: f.__name__)
@given(shape=shapes, seed=seeds)
def test_slope_is_the_limit_of_differences(f, shape, seed):
    x = draw(shape, seed)
    if f in CORNERED:
        x = torch.where(x.abs() < 1e-4, 1.0, x)
    torch.testing.assert_close(*directional(f, x.mT if x.ndim > 1 else x, seed), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("f", [nn.softmax, nn.log_softmax, nn.logsumexp], ids=lambda f: f.__name__)
@given(shape=shapes.filter(len), seed=seeds, data=st.data())
def test_slope_along_any_dimension(f, shape, seed, data):
    dim = data.draw(st.integers(-len(shape), len(shape) - 1))
    torch.testing.assert_close(*directional(lambda x: f(x, dim=dim), draw(shape, seed), seed), rtol=1e-6, atol=1e-7)


@given(batch=st.integers(1, 5), classes=st.integers(1, 5), seed=seeds)
def test_cross_entropy_slope_and_shift(batch, classes, seed):
    logits = draw((batch, classes), seed, scale=5.0)
    labels = torch.randint(0, classes, (batch,), generator=torch.Generator().manual_seed(seed))
    cost = nn.cross_entropy(logits, labels)
    assert cost >= 0
    torch.testing.assert_close(nn.cross_entropy(logits + 123.0, labels), cost)  # only differences count
    leaf = logits.clone().requires_grad_()
    (slope,) = torch.autograd.grad(nn.cross_entropy(leaf, labels), leaf)
    torch.testing.assert_close(slope, (nn.softmax(logits) - torch.eye(classes).double()[labels]) / batch)
    torch.testing.assert_close(*directional(lambda z: nn.cross_entropy(z, labels), logits, seed), rtol=1e-6, atol=1e-7)


@given(shape=shapes, seed=seeds)
def test_binary_and_two_class_losses_agree(shape, seed):
    """One logit z is two logits (0, z)."""
    z = draw(shape, seed, scale=5.0).flatten()
    y = (draw(z.shape, seed + 1) > 0).long()
    two = torch.stack([torch.zeros_like(z), z], 1)
    torch.testing.assert_close(nn.binary_cross_entropy_with_logits(z, y.double()), nn.cross_entropy(two, y))
    torch.testing.assert_close(nn.softmax(two)[:, 1], nn.sigmoid(z))


@given(shape=shapes, seed=seeds)
def test_symmetries_and_bounds(shape, seed):
    x = draw(shape, seed, scale=30.0)
    one = torch.ones_like(x)
    torch.testing.assert_close(nn.sigmoid(x) + nn.sigmoid(-x), one)
    torch.testing.assert_close(nn.tanh(-x), -nn.tanh(x))
    torch.testing.assert_close(nn.tanh(x), 2 * nn.sigmoid(2 * x) - 1)
    torch.testing.assert_close(nn.softplus(x) - nn.softplus(-x), x)
    torch.testing.assert_close(nn.relu(x) - nn.relu(-x), x)
    assert ((nn.sigmoid(x) >= 0) & (nn.sigmoid(x) <= 1) & (nn.log_sigmoid(x) <= 0)).all()
    assert ((nn.gelu(x) - nn.gelu_tanh(x)).abs() < 5e-4).all()  # as the docstring says
    if x.ndim:
        torch.testing.assert_close(nn.softmax(x).sum(-1), one.sum(-1) / x.shape[-1])
        assert ((nn.logsumexp(x) >= x.amax(-1)) & (nn.logsumexp(x) <= x.amax(-1) + math.log(x.shape[-1]) + 1e-12)).all()


def test_golden_values():
    """Worked by hand: sigmoid(log 3) = 3/4, tanh(log 2) = 3/5, softmax(log 1, log 3) = (1/4, 3/4)."""
    x = torch.tensor([math.log(3)], dtype=torch.float64)
    assert nn.sigmoid(x).item() == pytest.approx(3 / 4)
    assert nn.tanh(torch.tensor([math.log(2)], dtype=torch.float64)).item() == pytest.approx(3 / 5)
    assert nn.softmax(torch.cat([0 * x, x])).tolist() == pytest.approx([1 / 4, 3 / 4])
    assert nn.elu(-x, alpha=3.0).item() == pytest.approx(-2)  # 3 (1/3 - 1)
    assert nn.silu(x).item() == pytest.approx(math.log(3) * 3 / 4)
    assert nn.softplus(x).item() == pytest.approx(math.log(4))
    assert nn.gelu(torch.ones(1)).item() == pytest.approx(0.841345, abs=1e-6)  # the table of the normal distribution


@pytest.mark.parametrize("name", ["sigmoid", "log_sigmoid", "softplus", "tanh"])
@pytest.mark.parametrize("number", [-1000.0, 1000.0])
def test_second_slopes_are_finite_far_out(name, number):
    """Curvature is used by later chapters; no branch may leak there either."""
    x = torch.tensor([number, 0.0], requires_grad=True)
    (slope,) = torch.autograd.grad(getattr(nn, name)(x).sum(), x, create_graph=True)
    (curvature,) = torch.autograd.grad(slope.sum(), x)
    assert slope.isfinite().all()
    assert curvature.isfinite().all()


def test_the_overflow_that_the_chapter_shows():
    """The printed formulas fail where the package's do not: the reason why these files exist."""
    large = torch.tensor([1000.0, 999.0])
    assert nn.softmax_definition(large).isnan().all()
    torch.testing.assert_close(nn.softmax(large), torch.tensor([0.7310586, 0.2689414]))
    with pytest.raises(OverflowError):
        nn.cross_entropy_definition(large[None], torch.tensor([1]))
    assert nn.cross_entropy(large[None], torch.tensor([1])).item() == pytest.approx(1.3132617, rel=1e-5)
