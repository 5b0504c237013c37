"""The running average of weights: its oracle, its closed form, and what it is for."""

import copy

import pytest
import torch
from dlcourse_oracles import ORACLES, random
from hypothesis import given
from hypothesis import strategies as st

from dlcourse import nn, training
from dlcourse.seeding import generator


def test_equals_its_oracle(device):
    ORACLES["training.moving_average_"](training.moving_average_, device)


@given(decay=st.floats(0, 1), steps=st.integers(0, 12), seed=st.integers(0, 2**31))
def test_closed_form(decay, steps, seed):
    """After n updates: decay^n of the start, and (1 - decay) decay^k of the model k updates ago."""
    average, model = (torch.nn.Linear(3, 2).double() for _ in range(2))
    weights = random(steps + 1, 2, 3, seed=seed)
    average.weight.data = weights[0].clone()
    for weight in weights[1:]:
        model.weight.data = weight.clone()
        training.moving_average_(average, model, decay)
    wanted = decay**steps * weights[0]
    wanted = wanted + sum((1 - decay) * decay ** (steps - i) * weights[i] for i in range(1, steps + 1))
    torch.testing.assert_close(average.weight.detach(), wanted)


def test_what_is_left_of_the_start():
    """The number in the docstring: 37 % after 1,000 updates with 0.999."""
    average, model = torch.nn.Linear(1, 1), torch.nn.Linear(1, 1)
    average.weight.data.fill_(1.0)
    model.weight.data.zero_()
    for _ in range(1000):
        training.moving_average_(average, model, 0.999)
    assert average.weight.item() == pytest.approx(0.37, abs=0.005)


def test_weights_that_circle_have_an_average_in_the_middle():
    """A game's weights: the average is nearer to the centre than any of them."""
    model = torch.nn.Linear(2, 1, bias=False)
    average = copy.deepcopy(model)
    for i in range(500):
        angle = torch.tensor(0.2 * i)
        model.weight.data = torch.stack([5 + angle.cos(), 5 + angle.sin()])[None]
        training.moving_average_(average, model, 0.98)
    assert (model.weight - 5).norm().item() == pytest.approx(1, abs=1e-4)
    assert (average.weight - 5).norm() < 0.15


def test_it_works_on_a_network_with_a_spectral_norm():
    layer = nn.spectral_norm(nn.Linear(4, 3, generator=generator(0)), generator=generator(1))
    average = copy.deepcopy(layer)
    layer.parametrizations.weight.original.data *= 3
    layer(torch.ones(2, 4))
    training.moving_average_(average, layer, 0.5)
    mine, theirs = average.parametrizations.weight, layer.parametrizations.weight
    torch.testing.assert_close(mine.original * 3, theirs.original * 2)
    assert torch.equal(mine[0].u, theirs[0].u)
    assert mine[0].u is not theirs[0].u
