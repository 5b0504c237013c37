"""What a certificate promises: on models where the true distance is known, and as a rate over many repetitions."""

import math
import time
from functools import partial

import pytest
import scipy.stats
import torch
from dlcourse_defenses import certify_like
from dlcourse_oracles import source
from hypothesis import given
from hypothesis import strategies as st

from dlcourse import attacks, data, defenses, models, nn, training

CPU = torch.device("cpu")


def linear(weight, bias=0.0):
    """Two classes with a straight boundary. Smoothed by normal noise it is the same classifier, so the true distance to
    another answer is |w . x + b| / |w|, and the noisy answer is the smoothed one's with Phi(distance / sd)."""

    def model(x):
        score = x.flatten(1) @ weight + bias
        return torch.stack([score, -score], dim=1)

    return model


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("sd", [0.1, 0.5])
def test_radii_are_never_above_the_true_distance(seed, sd):
    generator = source(seed, CPU)
    weight, bias = torch.randn(12, generator=generator, device=CPU), 0.1 * (seed - 1)
    x = torch.rand(60, 3, 2, 2, generator=generator, device=CPU)
    score = x.flatten(1) @ weight + bias
    distance = score.abs() / weight.norm()
    found = defenses.certify(linear(weight, bias), x, sd=sd, generator=generator)
    sure = found.label != defenses.ABSTAINS
    assert (found.radius <= distance).all()
    assert torch.equal(found.label[sure], (score < 0).long()[sure])
    assert sure[distance > 0.5 * sd].all()  # p is 0.69 there: a thousand copies tell
    assert found.radius.max() <= sd * scipy.stats.norm.ppf(0.001 ** (1 / 1000)) + 1e-6
    reached = distance[sure].clamp(max=2 * sd)  # beyond, the number of copies is the limit
    assert (found.radius[sure] > 0.6 * reached - 0.15 * sd).all()  # and not far below


def rate_of_failure(p, draws, alpha):
    """The probability that the bound is above p: known exactly, and at most alpha."""
    return sum(
        scipy.stats.binom.pmf(k, draws, p)
        for k in range(draws + 1)
        if k and scipy.stats.beta.ppf(alpha, k, draws - k + 1) > p
    )


@pytest.mark.parametrize(("distance", "alpha", "draws"), [(0.8, 0.05, 150), (1.5, 0.1, 60), (0.3, 0.02, 100)])
def test_the_bound_fails_as_often_as_it_may(distance, alpha, draws, unchecked):
    """2,000 certificates of one point, each from its own noise."""
    x = torch.full((2000, 1), distance, device=CPU)
    model = linear(torch.ones(1, device=CPU))
    options = {"sd": 1.0, "selection": 20, "estimation": draws, "alpha": alpha}
    found = defenses.certify(model, x, **options, generator=source(0, CPU))
    p = scipy.stats.norm.cdf(distance)
    failures = ((found.label == 0) & (found.lower > p)).sum().item() + (found.label == 1).sum().item()
    wrong_promises = ((found.label == 1) | (found.radius > distance)).sum().item()
    expected = rate_of_failure(p, draws, alpha)
    print(
        f"distance {distance}: {failures} of 2000 bounds fail, expected {2000 * expected:.0f}, alpha {2000 * alpha:.0f}"
    )
    assert expected <= alpha
    assert abs(failures - 2000 * expected) <= 4 * math.sqrt(2000 * expected) + 2
    assert wrong_promises <= 2000 * alpha + 4 * math.sqrt(2000 * alpha)


def on_the_border(function, draws):
    """How many of 3,000 certificates are given where both classes are equally likely, and every promise is wrong."""
    x, model = torch.zeros(3000, 1, device=CPU), linear(torch.ones(1, device=CPU))
    options = {"sd": 1.0, "selection": draws, "estimation": draws, "alpha": 0.05, "progress": False}
    return (function(model, x, **options, generator=source(1, CPU)).label != defenses.ABSTAINS).sum().item()


def test_one_sample_for_both_promises_too_much(unchecked):
    separate, together = on_the_border(defenses.certify, 100), on_the_border(certify_like(again=False), 100)
    print(f"of 3000 at the border, with alpha 0.05: {separate} with separate samples, {together} with one for both")
    assert separate <= 150 + 4 * math.sqrt(150)
    assert together > 190  # the class that came more often by chance is judged by that very chance


def test_predictions_are_wrong_at_most_as_often_as_said(unchecked):
    x, model = torch.full((3000, 1), 0.05, device=CPU), linear(torch.ones(1, device=CPU))
    answers = defenses.predict(model, x, sd=1.0, draws=60, alpha=0.1, generator=source(2, CPU))
    wrong = (answers == 1).sum().item()
    assert wrong <= 0.1 * 3000
    assert (answers == defenses.ABSTAINS).float().mean() > 0.8


@given(st.integers(1, 400), st.data(), st.floats(1e-4, 0.5))
def test_the_bound_is_a_bound(draws, chosen, alpha):
    """Above 0 and below the share; more successes or more risk raise it; its tail probability is alpha."""
    k = chosen.draw(st.integers(1, draws))
    lower = defenses.lower_bound(k, draws, alpha=alpha)
    assert 0 < lower < 1
    assert lower <= k / draws or alpha > 0.4
    assert defenses.lower_bound(k - 1, draws, alpha=alpha) < lower < defenses.lower_bound(k, draws, alpha=alpha + 0.1)
    assert scipy.stats.binom.sf(k - 1, draws, lower) == pytest.approx(alpha, rel=1e-6)


@pytest.mark.slow
def test_no_attack_gets_inside_a_certificate():
    """A digits net trained with noise; PGD in L2 on the smoothed net, as far as each radius; three starts."""
    x, y = data.load("digits", split="train")
    x_test, y_test = (part[:100] for part in data.load("digits", split="test"))
    sd, generator = 0.25, source(0, CPU)
    model = models.lenet(image=(1, 8, 8), widths=(16, 32), kernel=3, generator=generator)

    def noise(model, x, labels, *, generator):
        return x + sd * torch.randn(x.shape, generator=generator, device=generator.device)

    noisy = defenses.adversarial_batches(
        data.batches(x, y, size=64, generator=generator), model, noise, generator=generator
    )
    optimizer = torch.optim.AdamW(model.parameters(), 3e-3)
    training.train(model, noisy, nn.cross_entropy, optimizer, epochs=20, progress=False)
    begun = time.process_time()
    found = defenses.certify(model, x_test, sd=sd, progress=False, generator=generator)
    spent = time.process_time() - begun
    table = {radius: found.accuracy(y_test, radius) for radius in (0.0, 0.1, 0.25, 0.5)}
    print(f"certified accuracy {table}, {spent:.1f} CPU s for 100 digits of 1,100 copies")
    assert table[0.0] >= 0.85
    assert table[0.25] >= 0.6

    smoothed = defenses.eot(lambda x: model(x + sd * torch.randn(x.shape, generator=generator, device=CPU)), 30)
    for radius in (0.1, 0.25, 0.5):
        rows = (found.radius >= radius).nonzero()[:, 0]
        attack = partial(attacks.pgd, threat=attacks.L2(radius), steps=10, generator=generator)
        x_adv = attack(smoothed, x_test[rows], found.label[rows])
        answers = defenses.predict(model, x_adv, sd=sd, generator=generator)
        assert ((answers == found.label[rows]) | (answers == defenses.ABSTAINS)).all()
