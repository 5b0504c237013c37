"""Generators: drawn from their generator alone, of the stated shapes, and hard in the way they claim."""

import math

import pytest
import torch

from dlcourse import data
from dlcourse.data import synthetic
from dlcourse.data.catalogue import GENERATORS

PLANE = {"moons": 2, "circles": 2, "spirals": 2, "blobs": 3, "eight_gaussians": 8}  # name -> classes


def draw(name: str, n: int, *, seed: int = 0, **options):
    return getattr(synthetic, name)(n, generator=torch.Generator().manual_seed(seed), **options)


def test_the_catalogue_names_each_generator():
    own = {name for name, value in vars(synthetic).items() if getattr(value, "__module__", "") == synthetic.__name__}
    assert {name for name in own if name[0] != "_"} == set(GENERATORS)
    assert all(getattr(data, name) is getattr(synthetic, name) for name in GENERATORS)


@pytest.mark.parametrize("n", [1, 7, 64])
@pytest.mark.parametrize("name", GENERATORS)
def test_the_generator_alone_decides(name, n):
    state = torch.get_rng_state()
    x, y = draw(name, n, seed=1)
    again, other = draw(name, n, seed=1), draw(name, n, seed=2)
    assert len(x) == len(y) == n
    assert torch.equal(x, again[0])
    assert torch.equal(y, again[1])
    assert n == 1 or not torch.equal(x, other[0])
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("name", GENERATORS)
def test_a_problem_lives_where_its_generator_lives(name, device):
    x, y = getattr(data, name)(8, generator=torch.Generator(device=device).manual_seed(0))
    assert x.device.type == y.device.type == device.type


@pytest.mark.parametrize("name", GENERATORS)
def test_no_examples_are_refused(name):
    with pytest.raises(ValueError, match="wanted"):
        getattr(synthetic, name)(0, generator=torch.Generator())


@pytest.mark.parametrize("name", PLANE)
def test_classes_take_turns(name):
    _, y = draw(name, 20)
    assert y.tolist() == [row % PLANE[name] for row in range(20)]


@pytest.mark.parametrize("name", PLANE)
def test_noise_is_a_standard_deviation(name):
    clean, noisy = draw(name, 4_000, noise=0.0)[0], draw(name, 4_000, noise=0.25)[0]
    assert (noisy - clean).std().item() == pytest.approx(0.25, rel=0.05)
    assert (noisy - clean).mean(dim=0).abs().max() < 0.02


def test_moons_are_half_circles_that_interlock():
    x, y = draw("moons", 400, noise=0.0)
    upper, lower = x[y == 0], x[y == 1]
    assert torch.allclose(upper.norm(dim=1), torch.ones_like(upper[:, 0]))
    assert torch.allclose((lower - lower.new_tensor([1.0, 0.5])).norm(dim=1), torch.ones_like(lower[:, 0]))
    assert upper[:, 1].min() >= 0
    assert lower[:, 1].max() <= 0.5
    assert lower[:, 0].min() < upper[:, 0].max()  # each reaches into the other
    assert lower[:, 1].max() > upper[:, 1].min()


def test_circles_have_their_radii():
    x, y = draw("circles", 400, noise=0.0, inner=0.3)
    assert torch.allclose(x.norm(dim=1), torch.where(y == 0, 1.0, 0.3))
    assert x[y == 1].mean(dim=0).norm() < 0.1  # all the way round


@pytest.mark.parametrize("classes", [2, 3])
def test_spirals_are_one_arm_turned(classes):
    x, y = draw("spirals", 900, noise=0.0, classes=classes, turns=1.5)
    radius, angle = x.norm(dim=1), torch.atan2(x[:, 1], x[:, 0])
    wanted = 2 * math.pi * (1.5 * radius + y / classes)
    assert torch.allclose(torch.sin(angle - wanted), torch.zeros_like(radius), atol=1e-3)
    assert torch.allclose(torch.cos(angle - wanted), torch.ones_like(radius), atol=1e-3)
    assert radius.max() <= 1
    assert radius.median().item() == pytest.approx(0.5**0.5, abs=0.05)


@pytest.mark.parametrize(("name", "classes"), [("blobs", 3), ("eight_gaussians", 8)])
def test_clouds_sit_evenly_on_a_ring(name, classes):
    x, y = draw(name, 80 * classes)
    for label in range(classes):
        angle = 2 * math.pi * label / classes
        centre = x[y == label].mean(dim=0)
        assert centre[0].item() == pytest.approx(2 * math.cos(angle), abs=0.25)
        assert centre[1].item() == pytest.approx(2 * math.sin(angle), abs=0.25)


def test_parity_counts_ones_and_no_single_bit_tells():
    x, y = draw("parity", 4_000, bits=5)
    assert x.shape == (4_000, 5)
    assert [sum(row) % 2 for row in x.int().tolist()] == y.tolist()
    assert set(x.unique().tolist()) == {0.0, 1.0}
    agreement = (x == y[:, None]).float().mean(dim=0)
    assert ((agreement - 0.5).abs() < 0.05).all()


def test_copy_task_example_by_hand():
    x, y = draw("copy_task", 300, length=3, delay=4, symbols=5)
    assert x.shape == y.shape == (300, 10)
    for seen, wanted in zip(x.tolist(), y.tolist(), strict=True):
        word = seen[:3]
        assert seen == [*word, 0, 0, 0, 6, 0, 0, 0]
        assert wanted == [0] * 7 + word
    assert x[:, :3].unique().tolist() == [1, 2, 3, 4, 5]


def test_copy_task_with_no_pause_still_says_now():
    x, _ = draw("copy_task", 2, length=2, delay=1, symbols=1)
    assert x.tolist() == [[1, 1, 2, 0, 0]] * 2


@pytest.mark.parametrize("length", [2, 5, 50])
def test_adding_problem_marks_one_number_in_each_half(length):
    x, y = draw("adding_problem", 3_000, length=length)
    numbers, marks = x.unbind(dim=-1)
    half = length // 2
    assert (marks[:, :half].sum(dim=1) == 1).all()
    assert (marks[:, half:].sum(dim=1) == 1).all()
    assert (marks.sum(dim=1) == 2).all()
    assert (marks.sum(dim=0) > 0).all()  # every place can be marked
    assert numbers.min() >= 0
    assert numbers.max() < 1
    wanted = [sum(v for v, m in row if m) for row in x[:100].tolist()]
    assert y[:100].tolist() == pytest.approx(wanted)
    assert (y - 1).square().mean().item() == pytest.approx(1 / 6, rel=0.1)


@pytest.mark.parametrize(("length", "symbols", "noise"), [(2, 1, 1), (7, 4, 3), (100, 4, 4)])
def test_first_symbol_says_it_once(length, symbols, noise):
    x, y = draw("first_symbol", 600, length=length, symbols=symbols, noise=noise)
    assert x.shape == (600, length, symbols + noise)
    assert (x.sum(dim=2) == 1).all()
    kinds = x.argmax(dim=2)
    assert torch.equal(kinds[:, 0], y)
    assert (y.bincount(minlength=symbols) >= 600 // symbols).all()
    assert (kinds[:, 1:] >= symbols).all()
    assert kinds[:, 1:].unique().tolist() == list(range(symbols, symbols + noise))


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("copy_task", {"length": 0}),
        ("copy_task", {"delay": 0}),
        ("copy_task", {"symbols": 0}),
        ("adding_problem", {"length": 1}),
        ("first_symbol", {"length": 1}),
        ("first_symbol", {"noise": 0}),
        ("first_symbol", {"symbols": 0}),
        ("parity", {"bits": 0}),
        ("blobs", {"classes": 0}),
    ],
)
def test_impossible_sizes_are_refused(name, options):
    with pytest.raises(ValueError, match="wanted"):
        getattr(synthetic, name)(3, generator=torch.Generator(), **options)
