"""What holds of every ball and of every attack, on generated shapes; and the recipe on digits."""

from functools import partial

import pytest
import torch
from dlcourse_oracles import source
from hypothesis import given
from hypothesis import strategies as st

from dlcourse import attacks, data, models, optim, training

KINDS = (attacks.Linf, attacks.L2, attacks.L1)
shapes = st.lists(st.integers(1, 4), min_size=1, max_size=3).map(tuple)
cases = (st.sampled_from(KINDS), st.floats(0, 3), shapes, st.integers(0, 1000), st.sampled_from([0.05, 1.0, 20.0]))


def drawn(shape, seed, scale):
    """x in [0, 1] with many pixels at 0 and 1, and a proposal somewhere."""
    g = source(seed, "cpu")
    x = torch.rand(3, *shape, generator=g, dtype=torch.float64, device="cpu").mul(2).sub(0.5).clamp(0, 1)
    return x, x + scale * torch.randn(3, *shape, generator=g, dtype=torch.float64, device="cpu"), g


@given(*cases)
def test_no_allowed_point_is_nearer(make, eps, shape, seed, scale):
    """The projection p of u onto a convex set: (u - p) . (z - p) <= 0 for every z of the set."""
    threat = make(eps)
    x, u, g = drawn(shape, seed, scale)
    p = threat.project(u, x)
    assert threat.contains(p, x).all()
    assert 0 <= p.min() <= p.max() <= 1
    for z in (x, threat.random(x, generator=g), threat.project(torch.rand_like(x), x), threat.project(2 * u - x, x)):
        assert ((u - p) * (z - p)).flatten(1).sum(1).max() <= 1e-9 * (1 + scale)
    torch.testing.assert_close(threat.project(p, x), p, rtol=0, atol=1e-12)  # what is allowed stays where it is


@given(*cases)
def test_no_direction_is_steeper(make, eps, shape, seed, scale):
    threat = make(eps)
    x, u, g = drawn(shape, seed, scale)
    slope = u - x
    best = (threat.steepest(slope) * slope).flatten(1).sum(1)
    for _ in range(3):
        other = torch.randn(x.shape, generator=g, dtype=x.dtype, device="cpu")
        other = other / threat.norm(other).reshape(-1, *[1] * len(shape))
        assert (best >= (other * slope).flatten(1).sum(1) - 1e-9).all()


@given(st.sampled_from(KINDS), st.floats(0, 0.5), shapes, st.integers(0, 100), st.sampled_from([2, 3, 10]))
def test_attacks_stay_within_the_threat(make, eps, shape, seed, classes):
    x, _, g = drawn(shape, seed, 1.0)
    x, threat = x.float(), make(eps)
    weight = torch.randn(x[0].numel(), classes, generator=g, device="cpu")
    labels = torch.randint(classes, (3,), generator=g, device="cpu")
    for attack in (attacks.fgsm, partial(attacks.pgd, steps=3), partial(attacks.mifgsm, steps=3)):
        for generator in (None, g):
            found = attack(lambda x: torch.tanh(x.flatten(1)) @ weight, x, labels, threat, generator=generator)
            assert threat.contains(found, x).all()
            assert 0 <= found.min() <= found.max() <= 1


def test_a_saturated_model_hides_its_slope_from_the_cross_entropy_and_not_from_the_margin():
    """Where the model is sure, the float32 cross-entropy rounds to 0, and further out its slope."""
    weight = torch.tensor([[0.0, 1.0], [0.0, -2.0]], device="cpu")
    x, labels = torch.tensor([[0.4, 0.6]], device="cpu"), torch.tensor([0], device="cpu")  # the gap is 0.8
    threat = attacks.Linf(0.3)
    for factor, value, slope in ((20, True, True), (22, False, True), (128, False, True), (131, False, False)):
        sure = lambda x, factor=factor: factor * x @ weight  # noqa: E731
        seen = attacks.input_gradient(sure, x, labels)
        assert [(part != 0).any().item() for part in seen] == [value, slope], factor
        found = attacks.pgd(sure, x, labels, threat)
        assert torch.equal(found, x) is not slope
        assert attacks.fooled(sure(attacks.pgd(sure, x, labels, threat, objective=attacks.margin)), labels).all()


@pytest.fixture(scope="module")
def trained():
    """Two networks for the digits, trained for a few seconds, and the test part."""
    found = []
    for seed in (0, 1):
        generator = source(seed, "cpu")
        model = models.lenet(image=(1, 8, 8), kernel=3, generator=generator)
        batches = data.batches(*data.load("digits", split="train"), size=64, generator=generator)
        optimizer = optim.AdamW(model.parameters(), lr=3e-3)
        loss = torch.nn.functional.cross_entropy
        training.train(model, batches, loss, optimizer, epochs=12, progress=False)
        found.append(model)
    return *found, *data.load("digits", split="test")


@pytest.mark.slow
def test_the_clean_network_falls_and_the_order_is_kept(trained):
    """Clean >= FGSM >= PGD >= the worst of all; under 10 % at eps 0.2; transfer fools less than PGD, more than none."""
    model, other, x, labels = trained
    threat = attacks.Linf(0.2)

    def accuracy(**tries):
        return attacks.robust_accuracy(model, x, labels, threat, tries, progress=False)

    def restarted(model, x, labels, threat):
        return attacks.pgd(model, x, labels, threat, restarts=3, generator=source(0, "cpu"))

    fgsm, pgd = accuracy(fgsm=attacks.fgsm), accuracy(pgd=attacks.pgd)
    worst = accuracy(fgsm=attacks.fgsm, pgd=attacks.pgd, mifgsm=attacks.mifgsm, restarted=restarted)
    moved = accuracy(transfer=attacks.transfer(other, attacks.mifgsm))
    print(f"clean {fgsm.clean:.3f}, FGSM {fgsm.robust:.3f}, PGD {pgd.robust:.3f}, worst {worst.robust:.3f}", end=" ")
    print(f"transferred {moved.robust:.3f}; {worst.successes}")
    assert fgsm.clean > 0.95
    assert fgsm.clean > moved.robust > pgd.robust
    assert fgsm.robust >= pgd.robust >= worst.robust
    assert pgd.robust < 0.1
    curve = attacks.epsilon_curve(model, x, labels, attacks.Linf, [0.0, 0.05, 0.1, 0.2], attacks.pgd, progress=False)
    assert curve.accuracy[0] == fgsm.clean
    assert list(curve.accuracy) == sorted(curve.accuracy, reverse=True)
