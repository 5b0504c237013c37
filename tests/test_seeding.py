"""Seeds and generators repeat, differ, and leave each other alone."""

import random

import numpy as np
import pytest
import torch

from dlcourse.seeding import generator, seed


def draws():
    """One number of every global source."""
    return random.random(), np.random.rand(), torch.rand(()).item()


@pytest.fixture(autouse=True)
def _restored():
    """Global random states are put back."""
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    yield
    random.setstate(states[0])
    np.random.set_state(states[1])
    torch.set_rng_state(states[2])


def test_seed_repeats_every_global_source():
    seed(3)
    first, later = draws(), draws()
    seed(3)
    assert draws() == first
    assert all(a != b for a, b in zip(first, later, strict=True))
    seed(4)
    assert all(a != b for a, b in zip(first, draws(), strict=True))


def test_seed_reaches_the_device(device):
    seed(5)
    first = torch.rand(4, device=device)
    seed(5)
    assert torch.equal(first, torch.rand(4, device=device))


@pytest.mark.parametrize("n", [0, 2**32 - 1])
def test_smallest_and_largest_seed(n):
    seed(n)


@pytest.mark.parametrize("n", [-1, 2**32])
def test_a_seed_that_numpy_refuses_is_refused_before_anything_is_seeded(n):
    before = random.getstate()
    with pytest.raises(ValueError, match=r"from 0 to 2\*\*32 - 1"):
        seed(n)
    assert random.getstate() == before


def test_generator_repeats_and_leaves_the_global_state_alone(device):
    like = torch.empty(0, device=device)
    before = torch.get_rng_state()
    g, h, other = generator(7, like=like), generator(7, like=like), generator(8, like=like)
    assert g.device.type == device.type
    first = torch.rand(5, generator=g, device=device)
    assert torch.equal(first, torch.rand(5, generator=h, device=device))
    assert not torch.equal(first, torch.rand(5, generator=other, device=device))
    assert torch.equal(before, torch.get_rng_state())


def test_a_generator_is_on_the_cpu_unless_told_otherwise():
    assert generator(1).device.type == "cpu"
