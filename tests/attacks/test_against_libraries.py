"""FGSM, PGD and momentum equal foolbox's, live, and torchattacks', frozen, to 1e-6 from the same start."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from dlcourse_oracles import source

from dlcourse import attacks, models

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # foolbox 3.3.4 uses names that scipy has moved
    import foolbox

GOLDEN = Path(__file__).parents[1] / "golden" / "torchattacks.npz"


def close(ours, theirs):
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-6)


@pytest.fixture(scope="module")
def digits():
    """A network that nobody has trained, in eval mode as foolbox wants it, and pictures with many pixels at 0 and 1."""
    generator = source(0, "cpu")
    model = models.lenet(image=(1, 8, 8), widths=(4, 8), kernel=3, generator=generator).eval()
    x = ((torch.rand(24, 1, 8, 8, generator=generator, device="cpu") - 0.3) / 0.4).clamp(0, 1)
    return model, x, torch.randint(10, (24,), generator=generator, device="cpu")


def theirs_from(kind, start, **options):
    """A foolbox attack that begins where it is told."""
    made = type("FromStart", (kind,), {"get_random_start": lambda self, x0, eps: type(x0)(start)})
    return made(random_start=start is not None, **options)


def run(attack, model, x, labels, eps, targets=None):
    wanted = foolbox.Misclassification(labels) if targets is None else foolbox.TargetedMisclassification(targets)
    return attack.run(foolbox.PyTorchModel(model, bounds=(0, 1), device="cpu"), x, wanted, epsilon=eps)


def test_fgsm_equals_foolbox(digits):
    model, x, labels = digits
    for kind, threat in (
        (foolbox.attacks.LinfFastGradientAttack, attacks.Linf(0.1)),
        (foolbox.attacks.L2FastGradientAttack, attacks.L2(0.5)),
    ):
        theirs = run(kind(random_start=False), model, x, labels, threat.eps)
        close(attacks.fgsm(model, x, labels, threat), theirs)


@pytest.mark.parametrize("begin", ["x", "random"])
@pytest.mark.parametrize("aim", ["away", "targets"])
def test_pgd_equals_foolbox(digits, begin, aim):
    model, x, labels = digits
    targets = (labels + 1) % 10 if aim == "targets" else None
    for kind, threat, pictures in (
        (foolbox.attacks.LinfPGD, attacks.Linf(0.1), x),
        (foolbox.attacks.L2PGD, attacks.L2(0.25), 0.3 + 0.4 * x),  # away from the box: see the test below
    ):
        start = None if begin == "x" else threat.random(pictures, generator=source(1, "cpu"))
        theirs = run(theirs_from(kind, start, steps=9, abs_stepsize=0.03), model, pictures, labels, threat.eps, targets)
        *_, ours = attacks.pgd_steps(
            model, pictures, labels, threat, steps=9, step_size=0.03, targets=targets, start=start
        )
        close(ours.x_adv, theirs)
        if start is None:
            close(attacks.pgd(model, pictures, labels, threat, steps=9, step_size=0.03, targets=targets), theirs)


def test_at_the_box_our_l2_projection_is_nearer_than_the_libraries(digits):
    """A deviation: they scale and then clamp, which wastes what the clamp takes away; ours is the nearest point."""
    _, x, _ = digits
    threat, proposal = attacks.L2(0.5), x + torch.randn(x.shape, generator=source(2, "cpu"), device="cpu") / 8
    scaled = (x + threat.project_ball(proposal - x)).clamp(0, 1)
    exact = threat.project(proposal, x)
    ours, theirs = (threat.norm(point - proposal) for point in (exact, scaled))
    assert (ours <= theirs + 1e-6).all()
    assert (ours < theirs - 1e-3).any()
    assert threat.contains(exact, x).all()


def test_attacks_equal_torchattacks():
    """Frozen answers of torchattacks 3.5.1; tests/golden/make_torchattacks.py made them."""
    with np.load(GOLDEN) as file:
        frozen = {name: torch.from_numpy(file[name]) for name in file.files if name != "versions"}
        assert file["versions"][0] == "torchattacks 3.5.1"
    x, inside, labels, start = (frozen[name] for name in ("x", "inside", "labels", "start"))

    def model(x):
        return torch.tanh((x.flatten(1) - 0.5) / 0.25 @ frozen["first"]) @ frozen["second"]

    threat, options = attacks.Linf(0.1), {"steps": 7, "step_size": 0.02}
    close(attacks.fgsm(model, x, labels, threat), frozen["fgsm"])
    close(attacks.pgd(model, x, labels, threat, **options), frozen["pgd"])
    *_, last = attacks.pgd_steps(model, x, labels, threat, start=start, **options)
    close(last.x_adv, frozen["pgd_from_start"])
    close(attacks.pgd(model, x, labels, threat, targets=frozen["targets"], **options), frozen["pgd_targeted"])
    close(attacks.mifgsm(model, x, labels, threat, decay=0.9, **options), frozen["mifgsm"])
    close(attacks.pgd(model, inside, labels, attacks.L2(0.25), steps=7, step_size=0.06), frozen["pgd_l2"])
    moved = [(frozen[name] - x).abs().amax() for name in ("fgsm", "pgd", "pgd_from_start", "pgd_targeted", "mifgsm")]
    assert all(m > 0.09 for m in moved)
