"""Sub-pixel layers and spectral norm on shapes that nobody chose: nothing is lost, and nothing stretched."""

import copy
import io
import math

import pytest
import torch
import torch.nn.functional as F  # noqa: N812, torch's own name for it
from dlcourse_oracles import agree, random
from dlcourse_tolerance import assert_close
from hypothesis import given
from hypothesis import strategies as st

from dlcourse import nn
from dlcourse.seeding import generator

seeds = st.integers(0, 2**31)
sizes = st.integers(1, 4)


# --- sub-pixel --------------------------------------------------------------------------------------------------------


def test_pixel_shuffle_by_hand():
    """Two places of four channels: a picture of two rows, the second place's pixels on the right."""
    x = torch.tensor([[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]]).T.reshape(1, 4, 1, 2)
    assert nn.pixel_shuffle(x, 2).tolist() == [[[[1, 2, 5, 6], [3, 4, 7, 8]]]]


@given(batch=sizes, out=sizes, factor=st.integers(1, 4), height=sizes, width=sizes, seed=seeds, tidy=st.booleans())
def test_pixel_shuffle(batch, out, factor, height, width, seed, tidy):
    x = random(batch, out * factor**2, height, width, seed=seed)
    x = x if tidy else x.transpose(1, 3).contiguous().transpose(1, 3)
    agree(lambda t: nn.pixel_shuffle(t, factor), lambda t: F.pixel_shuffle(t, factor), x)
    agree(lambda t: nn.pixel_shuffle_definition(t, factor), lambda t: F.pixel_shuffle(t, factor), x)
    assert_close(F.pixel_unshuffle(nn.pixel_shuffle(x, factor), factor), x)  # nothing is lost
    first = nn.pixel_shuffle(x, factor)[0, 0, :factor, :factor]
    assert_close(first.flatten(), x[0, : factor**2, 0, 0])


@given(channels=sizes, out=sizes, factor=st.integers(1, 3), height=sizes, width=sizes, seed=seeds)
def test_convolution_and_shuffle_are_a_transposed_convolution(channels, out, factor, height, width, seed):
    """As the file says: one whose stride is its kernel."""
    x, weight = random(2, channels, height, width, seed=seed), random(channels, out, factor, factor, seed=seed + 1)
    rows = weight.permute(1, 2, 3, 0).reshape(out * factor**2, channels, 1, 1)
    wanted = nn.conv_transpose2d(x, weight, stride=factor)
    assert_close(nn.pixel_shuffle(nn.conv2d(x, rows), factor), wanted)


# --- spectral norm ----------------------------------------------------------------------------------------------------


@given(rows=st.integers(1, 6), columns=st.integers(1, 6), seed=seeds, steps=st.integers(1, 5))
def test_sigma_comes_from_below_and_never_falls(rows, columns, seed, steps):
    matrix, u = random(rows, columns, seed=seed), random(rows, seed=seed + 1)
    largest, last = torch.linalg.matrix_norm(matrix, ord=2).item(), 0.0
    for _ in range(steps):
        sigma, u, v = nn.power_iteration(matrix, u, 1)
        assert last * (1 - 1e-12) <= sigma.item() <= largest * (1 + 1e-12)
        assert_close(torch.stack([u.norm(), v.norm()]), torch.ones(2, dtype=torch.float64))
        last = sigma.item()


@given(rows=st.integers(1, 5), columns=st.integers(1, 5), seed=seeds)
def test_slope_of_sigma_where_the_directions_have_settled(rows, columns, seed):
    """Then u and v held constant is no approximation: the slope along any direction is the limit of differences."""
    left, _, right = torch.linalg.svd(random(rows, columns, seed=seed), full_matrices=False)
    count = min(rows, columns)
    values = torch.arange(count, 0, -1, dtype=torch.float64)  # apart, so that the iteration settles
    matrix = (left * values) @ right
    direction, step = random(rows, columns, seed=seed + 1), 1e-6
    leaf = matrix.clone().requires_grad_()
    sigma, _, _ = nn.power_iteration(leaf, random(rows, seed=seed + 2), 200)
    (slope,) = torch.autograd.grad(sigma, leaf)
    up, down = (torch.linalg.matrix_norm(matrix + way * step * direction, ord=2) for way in (1, -1))
    torch.testing.assert_close((slope * direction).sum(), (up - down) / (2 * step), rtol=1e-5, atol=1e-7)


def test_two_largest_values_alike_never_settle_and_sigma_is_right_all_the_same():
    matrix = torch.tensor([[0.0, 3.0, 0.0], [-3.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    for seed in range(5):
        sigma, u, _ = nn.power_iteration(matrix, torch.randn(3, generator=generator(seed)), 30)
        assert sigma.item() == pytest.approx(3)
        assert abs(u[2].item()) < 1e-6


def test_a_start_at_right_angles_never_finds_it():
    sigma, _, _ = nn.power_iteration(torch.diag(torch.tensor([1.0, 9.0])), torch.tensor([1.0, 0.0]), 100)
    assert sigma.item() == 1


def test_torchs_parametrisation_gives_the_same_half_a_step_later():
    """torch.nn.utils.parametrizations ends its steps with v, the paper with u: on W^T it is the other way round."""
    ours = nn.spectral_norm(nn.Linear(6, 4, generator=generator(0)), power_steps=2, generator=generator(1)).double()
    theirs = torch.nn.Linear(6, 4).double()
    theirs.weight.data = ours.parametrizations.weight.original.detach().clone()
    theirs.bias.data.zero_()
    theirs = torch.nn.utils.parametrizations.spectral_norm(theirs, n_power_iterations=2, dim=1)
    theirs.parametrizations.weight[0]._v.copy_(ours.parametrizations.weight[0].u)
    for _ in range(3):
        x = random(5, 6)
        values, slopes = [], []
        for layer in (ours, theirs):
            values.append(layer(x))
            slopes.append(torch.autograd.grad(values[-1].square().sum(), layer.parametrizations.weight.original)[0])
        assert_close(values[0].detach(), values[1].detach())
        assert_close(*slopes)


@pytest.mark.parametrize("steps", [1, 3])
def test_after_a_few_uses_no_direction_is_stretched(steps):
    model = nn.Sequential(nn.Linear(9, 20, generator=generator(0)), nn.ReLU(), nn.Linear(20, 1, generator=generator(0)))
    for layer in (model[0], model[2]):
        layer.weight.data *= 7
        nn.spectral_norm(layer, power_steps=steps, generator=generator(1))
    for _ in range(20):
        model(torch.zeros(1, 9))
    a, b = random(50, 9, seed=1, dtype=torch.float32), random(50, 9, seed=2, dtype=torch.float32)
    assert ((model(a) - model(b)).abs().squeeze(1) <= 1.01 * (a - b).norm(dim=1)).all()


@given(channels=sizes, out=sizes, height=st.integers(1, 3), width=st.integers(1, 3), seed=seeds)
def test_a_convolution_stretches_by_no_more_than_the_root_of_its_kernels_cells(channels, out, height, width, seed):
    """What the file says of the matrix and the convolution; ones of one sign reach it in the middle of a picture."""
    layer = torch.nn.Conv2d(channels, out, (height, width), bias=False, padding=2).double()
    layer.weight.data = random(*layer.weight.shape, seed=seed)
    nn.spectral_norm(layer, generator=generator(seed)).eval()
    sigma = torch.linalg.matrix_norm(layer.weight.flatten(1), ord=2).item()
    x = random(1, channels, 6, 6, seed=seed + 1)
    assert layer(x).norm() <= sigma * math.sqrt(height * width) * x.norm() * (1 + 1e-9)


def test_a_convolution_of_ones_shows_that_the_matrix_says_too_little():
    layer = torch.nn.Conv2d(1, 1, 3, bias=False, padding=1)
    torch.nn.init.ones_(layer.weight)
    nn.spectral_norm(layer, generator=generator(0)).eval()
    x = torch.ones(1, 1, 40, 40)
    assert 2.8 < (layer(x).norm() / x.norm()).item() <= 3  # the root of nine


def test_one_step_per_use_keeps_up_with_weights_that_move():
    layer, g = nn.spectral_norm(nn.Linear(30, 20, generator=generator(0)), generator=generator(1)), generator(2)
    original = layer.parametrizations.weight.original
    for _ in range(100):
        original.data += 0.003 * torch.randn(original.shape, generator=g)
        assert torch.linalg.matrix_norm(layer.weight, ord=2).item() == pytest.approx(1, abs=0.03)


def test_the_penalty_on_slopes_gets_through():
    """A slope of a slope, as gradient penalties want it: against differences of the slope, in eval mode."""
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Softplus(), torch.nn.Linear(4, 1)).double()
    for i, p in enumerate(model.parameters()):
        p.data = random(*p.shape, seed=i)
    for layer in (model[0], model[2]):
        nn.spectral_norm(layer, generator=generator(0))
    model.eval()
    x = random(5, 3, seed=9).requires_grad_()

    def penalty():
        (slope,) = torch.autograd.grad(model(x).sum(), x, create_graph=True)
        return slope.square().sum()

    weight = model[0].parametrizations.weight.original
    (found,) = torch.autograd.grad(penalty(), weight)
    direction, step, sides = random(4, 3, seed=8), 1e-6, []
    for way in (1, -1):
        weight.data += way * step * direction
        sides.append(penalty().item())
        weight.data -= way * step * direction
    assert (found * direction).sum().item() == pytest.approx((sides[0] - sides[1]) / (2 * step), rel=1e-6)


def test_it_is_copied_saved_loaded_and_taken_away():
    layer = nn.spectral_norm(nn.Conv2d(2, 3, 3, generator=generator(0)), generator=generator(1))
    x = random(1, 2, 4, 4, dtype=torch.float32)
    twin = copy.deepcopy(layer)
    assert torch.equal(layer(x), twin(x))
    file = io.BytesIO()
    torch.save(layer.state_dict(), file)
    file.seek(0)
    other = nn.spectral_norm(nn.Conv2d(2, 3, 3, generator=generator(5)), generator=generator(6))
    other.load_state_dict(torch.load(file, weights_only=True))
    assert torch.equal(layer(x), other(x))
    wanted = layer.eval()(x)
    torch.nn.utils.parametrize.remove_parametrizations(layer, "weight")
    assert_close(layer(x), wanted)
    assert type(layer) is nn.Conv2d
    assert [*layer.state_dict()] == ["bias", "weight"]


def test_what_it_refuses_is_left_as_it_was():
    layer = nn.Linear(3, 2, generator=generator(0))
    with pytest.raises(ValueError, match="power_steps"):
        nn.spectral_norm(layer, power_steps=0, generator=generator(0))
    assert type(layer) is nn.Linear
    assert [*layer.state_dict()] == ["weight", "bias"]
