"""The measures of a generator, over generated shapes, and what each of them is blind to."""

import math
from itertools import pairwise

import pytest
import scipy.linalg
import torch
from dlcourse_measures import frechet_by_root
from dlcourse_oracles import random, source
from hypothesis import given
from hypothesis import strategies as st

from dlcourse import data, generation

counts, sizes, seeds = st.integers(4, 12), st.integers(1, 4), st.integers(0, 10_000)


def lattice(n, features, seed):
    return torch.randint(0, 5, (n, features), generator=source(seed, "cpu"), device="cpu").float()


@given(counts, counts, sizes, st.integers(1, 3), seeds)
def test_precision_and_recall_follow_their_definition(n, m, features, k, seed):
    real, fake = lattice(n, features, seed), lattice(m, features, seed + 1)
    found = generation.precision_recall(real, fake, k=k)
    assert found == generation.precision_recall_definition(real, fake, k=k)
    swapped = generation.precision_recall(fake, real, k=k)
    assert (found.precision, found.recall) == (swapped.recall, swapped.precision)
    order = torch.randperm(n, generator=source(seed, "cpu"), device="cpu")
    assert generation.precision_recall(real[order], fake.flip(0), k=k) == found
    assert generation.precision_recall(real, real, k=k) == generation.PrecisionRecall(1.0, 1.0)  # copies are perfect


@given(st.integers(2, 20), st.integers(2, 20), st.integers(1, 12), st.floats(0.1, 10), seeds)
def test_frechet_moves_and_stretches_with_the_examples(n, m, features, scale, seed):
    a, b = random(n, features, seed=seed), random(m, features, seed=seed + 1, scale=scale) + 1
    d = generation.frechet_distance(a, b)
    assert d >= 0
    assert d == pytest.approx(generation.frechet_distance(b, a), rel=1e-6, abs=1e-6)
    assert generation.frechet_distance(a + 7, b + 7) == pytest.approx(d, rel=1e-6, abs=1e-6)
    assert generation.frechet_distance(3 * a, 3 * b) == pytest.approx(9 * d, rel=1e-6, abs=1e-6)
    turn = torch.linalg.qr(random(features, features, seed=seed + 2))[0]
    assert generation.frechet_distance(a @ turn, b @ turn) == pytest.approx(d, rel=1e-6, abs=1e-6)
    if min(n, m) > features:  # else scipy's root of a singular matrix is no judge
        assert d == pytest.approx(frechet_by_root(a, b), rel=1e-5, abs=1e-6)


@given(st.integers(2, 6), seeds)
def test_frechet_of_singular_covariances_is_the_limit_of_regular_ones(n, seed):
    a, b = random(n, 8, seed=seed), random(n + 1, 8, seed=seed + 1)
    tiny = 1e-12 * torch.eye(8, dtype=torch.float64, device="cpu")
    root = scipy.linalg.sqrtm(((a.T.cov() + tiny) @ (b.T.cov() + tiny)).numpy()).real
    wanted = (a.mean(0) - b.mean(0)).square().sum() + a.var(0).sum() + b.var(0).sum() - 2 * root.trace()
    assert generation.frechet_distance(a, b) == pytest.approx(wanted.item(), abs=1e-4)


@given(st.integers(1, 30), st.integers(1, 8), st.floats(0.1, 3), seeds)
def test_coverage_counts_each_sample_once(n, modes, radius, seed):
    samples, centres = 2 * random(n, 2, seed=seed), 2 * random(modes, 2, seed=seed + 1)
    found = generation.mode_coverage(samples, centres, radius=radius)
    near = (samples[:, None] - centres).norm(dim=2).amin(1) <= radius
    assert found.counts.sum() == near.sum()
    assert found.high_quality == near.sum().item() / n
    assert found.covered == (found.counts > 0).sum() <= modes  # one of at most 30 samples is more than a hundredth
    order = list(range(modes))[::-1]
    assert (
        generation.mode_coverage(samples, centres[order], radius=radius).counts.tolist() == found.counts[order].tolist()
    )


def test_a_perfect_generator_of_the_ring(device):
    samples, _ = data.eight_gaussians(20_000, noise=0.05, generator=source(0, device))
    angles = torch.arange(8, device=device) * math.tau / 8
    centres = 2 * torch.stack([angles.cos(), angles.sin()], dim=1)
    found = generation.mode_coverage(samples, centres, radius=3 * 0.05)
    assert found.covered == 8
    assert found.high_quality == pytest.approx(1 - math.exp(-4.5), abs=0.004)


def test_frechet_falls_to_its_bias_and_not_to_zero():
    """Of n samples of one distribution: about twice as many, about half the distance, and never 0."""
    halves = [
        generation.frechet_distance(random(n, 16, seed=n), random(n, 16, seed=n + 1)) for n in (100, 200, 400, 800)
    ]
    assert all(1.5 < more / fewer < 2.7 for more, fewer in pairwise(halves))


def test_frechet_does_not_see_beyond_mean_and_covariance():
    """Two clouds, and one normal distribution with the same mean and covariance."""
    n = 4000
    signs = torch.ones(n, 1, dtype=torch.float64, device="cpu")
    signs[::2] = -1
    clouds = 2 * signs + 0.1 * random(n, 1)
    normal = random(n, 1, seed=1)
    normal = (normal - normal.mean()) / normal.std() * clouds.std() + clouds.mean()
    assert generation.frechet_distance(clouds, normal) < 1e-9
    assert generation.precision_recall(clouds, normal).precision < 0.5


@pytest.fixture(scope="module")
def pictures():
    """Training pictures, held-out ones and labels of the training ones."""
    x, y = data.load("digits")
    order = torch.randperm(len(x), generator=source(0, "cpu"), device="cpu")
    return x[order[:900]], x[order[900:]], y[order[:900]]


def test_copies_show_and_blurred_pictures_do_not(pictures):
    train, held, y = pictures
    expected = 900 / len(torch.cat([train, held]))
    noise = 0.02 * random(*train.shape, dtype=torch.float32)
    for copies in (train, (train + noise).clamp(0, 1)):
        assert generation.copying(copies, train, held).nearer > 0.99
    means = torch.stack([train[y == k].mean(0) for k in range(10)])
    fog = means[y] + 0.02 * random(*train.shape, dtype=torch.float32)
    found = generation.copying(fog, train, held)
    assert found.distances.median() < found.held_out.median()  # nearer than real ones: and yet no copies
    assert abs(found.nearer - expected) < 0.25


def test_real_pictures_are_no_copies(pictures):
    train, held, _ = pictures
    found = generation.copying(held[:400], train, held[400:])
    assert found.expected == pytest.approx(900 / (900 + len(held) - 400))
    assert found.nearer == pytest.approx(found.expected, abs=0.08)


def test_the_baseline_is_fog(pictures):
    train, held, y = pictures
    fog = generation.class_means(train, y, len(held), generator=source(0, "cpu"))
    found = generation.measured(generation.frechet_distance, fog, train, held, fog)
    assert found.value == found.baseline > 3 * found.floor
