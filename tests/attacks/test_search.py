"""The longer attacks and the checklist: beside foolbox on one model, on trained digits, and what they promise."""

import copy
import warnings
from functools import cache, partial
from pathlib import Path

import numpy as np
import pytest
import torch
from dlcourse_attacks_more import PLANTED, Wrapped, linear_models
from dlcourse_oracles import source
from hypothesis import given
from hypothesis import strategies as st

from dlcourse import attacks, data, defenses, models

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # foolbox 3.3.4 uses names that scipy has moved
    import foolbox

LIBRARY = {
    "DeepFool L2": (attacks.deepfool, attacks.L2(8.0), foolbox.attacks.L2DeepFoolAttack(overshoot=0.02)),
    "DeepFool Linf": (attacks.deepfool, attacks.Linf(1.0), foolbox.attacks.LinfDeepFoolAttack(overshoot=0.02)),
    "Carlini-Wagner": (
        attacks.carlini_wagner,
        attacks.L2(8.0),
        foolbox.attacks.L2CarliniWagnerAttack(binary_search_steps=6, steps=300, stepsize=0.02, initial_const=0.1),
    ),
}


def trained(seed, loss, robust=False):
    """A small network after 12 passes over digits with loss(logits, rows): clean pictures, or PGD-5's at eps 0.1."""
    generator = source(seed, "cpu")
    model = models.lenet(image=(1, 8, 8), widths=(16, 32), kernel=3, norm=torch.nn.BatchNorm2d, generator=generator)
    x, y = data.load("digits")
    optimizer = torch.optim.AdamW(model.parameters(), 3e-3)
    passes, size = 12, 64
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, total_steps=passes * (len(x) // size))
    for _ in range(passes):
        order = torch.randperm(len(x), generator=generator, device="cpu")
        for rows in order[: len(x) // size * size].reshape(-1, size):
            pictures = x[rows]
            if robust:
                pictures = attacks.pgd(model, pictures, y[rows], attacks.Linf(0.1), steps=5, generator=generator)
            optimizer.zero_grad()
            loss(model.train()(pictures), rows).backward()
            optimizer.step()
            schedule.step()
    return model.eval()


@cache
def digits(seed, robust):
    """Trained on the labels."""
    _, y = data.load("digits")
    return trained(seed, lambda logits, rows: torch.nn.functional.cross_entropy(logits, y[rows]), robust)


def distilled(seed, temperature=100.0):
    """A student of a teacher, both trained at this temperature, and then used at 1."""
    x, y = data.load("digits")
    teacher = trained(seed, lambda logits, rows: torch.nn.functional.cross_entropy(logits / temperature, y[rows]))
    soft = defenses.soft_labels(teacher, x, temperature=temperature)
    options = {"temperature": temperature}
    return trained(seed + 10, lambda logits, rows: defenses.distillation_loss(logits, soft[rows], **options))


@cache
def pictures(n):
    """Test pictures of digits and their labels."""
    x, y = data.load("digits", split="test")
    return x[:n], y[:n]


@pytest.mark.parametrize("name", LIBRARY)
def test_changes_are_as_small_as_foolboxs(name):
    """The same model and pictures: the median within a few percent of foolbox's, or smaller; ours fools them all."""
    model, (x, labels) = digits(0, False), pictures(24)
    right = model(x).argmax(1) == labels
    x, labels = x[right], labels[right]
    attack, threat, theirs = LIBRARY[name]
    found = attack(model, x, labels, threat)
    assert (model(found).argmax(1) != labels).all()
    wrapped = foolbox.PyTorchModel(model, bounds=(0, 1), device="cpu")
    other, _, success = theirs(wrapped, x, foolbox.criteria.Misclassification(labels), epsilons=None)
    assert success.all()
    ratio = threat.norm(found - x) / threat.norm(other - x)
    print(f"{name}: ours over foolbox's, median {ratio.median():.3f}, largest {ratio.max():.3f}")
    assert ratio.median() <= 1.05
    assert ratio.mean() <= 1.1


FROZEN = Path(__file__).parents[1] / "golden" / "torchattacks_search.npz"


@cache
def frozen():
    """The network that tests/golden/make_torchattacks_search.py drew, and what torchattacks 3.5.1 did to it."""
    with np.load(FROZEN) as file:
        assert file["versions"][0] == "torchattacks 3.5.1"
        found = {name: torch.from_numpy(file[name]) for name in file.files if name != "versions"}
    return lambda x: torch.tanh((x.flatten(1) - 0.5) / 0.25 @ found["first"]) @ found["second"], found


@pytest.mark.parametrize("threat", [attacks.Linf(0.125), attacks.L2(0.25)], ids=["Linf", "L2"])
def test_apgd_goes_torchattacks_way(threat):
    """The same points up to the second checkpoint, where torchattacks compares with a point that it has left."""
    model, found = frozen()
    for loss, objective in (("ce", attacks.cross_entropy), ("dlr", attacks.dlr)):
        theirs = found[f"{type(threat).__name__}_{loss}"]
        start = threat.project(theirs[0], found["x"])  # theirs is outside by a rounding of float32
        steps = list(attacks.apgd_steps(model, found["x"], found["labels"], threat, objective=objective, start=start))
        assert (len(steps), len(theirs)) == (101, 42)
        going = torch.ones_like(found["labels"], dtype=torch.bool)
        for step, point in zip(steps[:42], theirs, strict=True):
            torch.testing.assert_close(step.x_adv[going], point[going], rtol=0, atol=1e-6)
            if loss == "dlr":  # at its largest value, 1, it has no slope, and rounding tells the way
                going &= step.loss < 0.999
        if loss == "ce":
            assert going.all()


def test_square_fools_as_many_as_torchattacks():
    model, found = frozen()
    x, labels = found["many"], found["many_labels"]
    ours = attacks.square(model, x, labels, attacks.Linf(0.125), steps=300, generator=source(0, "cpu"))
    share = (model(ours).argmax(1) != labels).double().mean()
    assert share >= found["square"].double().mean() - 0.05


@given(
    st.integers(0, 10**6), st.integers(2, 5), st.integers(1, 7), st.sampled_from([attacks.Linf(1.0), attacks.L2(9.0)])
)
def test_no_random_point_is_nearer_than_deepfools_on_a_linear_model(seed, classes, features, threat):
    g = source(seed, "cpu")
    weight = torch.randn(features, classes, generator=g, dtype=torch.float64, device="cpu")
    bias = torch.randn(classes, generator=g, dtype=torch.float64, device="cpu") / 3
    x = torch.rand(3, features, generator=g, dtype=torch.float64, device="cpu").mul(1.6).sub(0.3).clamp(0, 1)
    labels = (x @ weight + bias).argmax(1)
    found = attacks.deepfool(lambda x: x @ weight + bias, x, labels, threat)
    moved = (found != x).any(1)
    assert ((found @ weight + bias).argmax(1) != labels).equal(moved)
    reach = threat.norm(found - x).where(moved, threat.eps)
    for _ in range(50):
        away = torch.randn(x.shape, generator=g, dtype=torch.float64, device="cpu")
        away = away.sign() if seed % 2 and isinstance(threat, attacks.Linf) else away
        point = (x + away * (0.999 * reach / threat.norm(away))[:, None]).clamp(0, 1)
        assert ((point @ weight + bias).argmax(1) == labels).all()


@pytest.mark.parametrize("name", ["apgd", "square", "deepfool", "carlini_wagner"])
def test_pixels_at_0_and_1_move(name):
    """The only way to fool this model is through pixels that begin at an edge of the box."""
    attack = getattr(attacks, name)
    options = {"square": {"generator": source(0, "cpu"), "steps": 50}}.get(name, {})
    model = lambda x: torch.stack([x[:, 1], x[:, 0] + 0.9], dim=1)  # noqa: E731
    x = torch.tensor([[0.0, 1.0]], device="cpu")
    found = attack(model, x, torch.tensor([0], device="cpu"), attacks.L2(0.3), **options)
    assert found[0, 0] > 0
    assert found[0, 1] < 1
    assert model(found).argmax(1) == 1


def test_minimal_changes_do_not_move_with_a_constant_or_the_size_of_the_batch():
    for model, _, bias in linear_models("cpu"):
        x = torch.rand(6, 6, generator=source(0, "cpu"), dtype=torch.float64, device="cpu")
        labels = model(x).argmax(1)
        for attack in (attacks.deepfool, partial(attacks.carlini_wagner, searches=3, steps=20)):
            found = attack(model, x, labels, attacks.L2(3.0))
            assert len(bias) in (2, 3, 10)
            shifted = attack(lambda x, m=model: m(x) + 100, x, labels, attacks.L2(3.0))
            torch.testing.assert_close(shifted, found, rtol=0, atol=1e-4)
            parts = [attack(model, a, b, attacks.L2(3.0)) for a, b in zip(x.split(1), labels.split(1), strict=True)]
            torch.testing.assert_close(torch.cat(parts), found, rtol=0, atol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("robust", [False, True], ids=["clean", "adversarially trained"])
def test_apgd_and_square_are_at_least_as_strong_as_pgd_40(seed, robust):
    model, (x, labels) = digits(seed, robust), pictures(200)
    for threat in (attacks.Linf(0.1), attacks.L2(0.5)):
        both = {
            "apgd": partial(attacks.apgd, objective=attacks.dlr, generator=source(seed, "cpu")),
            "apgd ce": partial(attacks.apgd, generator=source(seed, "cpu")),
            "square": partial(attacks.square, generator=source(seed, "cpu")),
        }
        one = {"pgd": partial(attacks.pgd, steps=40, generator=source(seed, "cpu"))}
        ours = attacks.robust_accuracy(model, x, labels, threat, both, progress=False)
        pgd = attacks.robust_accuracy(model, x, labels, threat, one, progress=False)
        print(f"seed {seed}, robust {robust}, {threat}: {ours.per_attack}, PGD-40 {pgd.robust:.3f}")
        assert ours.robust <= pgd.robust


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("robust", [False, True], ids=["clean", "adversarially trained"])
def test_honest_digits_networks_are_not_accused(seed, robust):
    model, (x, labels) = digits(seed, robust), pictures(100)
    for threat in (attacks.Linf(0.05), attacks.Linf(0.1), attacks.Linf(0.2), attacks.L2(0.5)):
        report = attacks.diagnose(model, x, labels, threat, generator=source(seed, "cpu"))
        assert not report.masked, str(report)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_an_honest_linear_model_is_not_accused(seed):
    g = source(seed, "cpu")
    x, labels = pictures(100)
    weight = torch.zeros(64, 10, device="cpu", requires_grad=True)
    optimizer = torch.optim.Adam([weight], 0.03)
    for _ in range(100):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(x.flatten(1) @ weight, labels).backward()
        optimizer.step()
    model = lambda x: x.flatten(1) @ weight.detach()  # noqa: E731
    report = attacks.diagnose(model, x, labels, attacks.Linf(0.1), generator=g)
    assert not report.masked, str(report)


@pytest.mark.slow
@pytest.mark.parametrize("name", PLANTED)
def test_each_broken_digits_network_is_exposed(name):
    make, _ = PLANTED[name]
    model, (x, labels) = digits(0, False), pictures(100)
    report = attacks.diagnose(
        Wrapped(make(), copy.deepcopy(model)), x, labels, attacks.Linf(0.1), generator=source(0, "cpu")
    )
    assert report.masked, str(report)


BROKEN = {
    "Scale(100)": lambda net: torch.nn.Sequential(net, defenses.Scale(100.0)),
    "Quantise(16)": lambda net: torch.nn.Sequential(defenses.Quantise(16), net),
    "RandomDrop(0.1)": lambda net: torch.nn.Sequential(defenses.RandomDrop(0.1, generator=source(0, "cpu")), net),
}


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.parametrize("robust", [False, True], ids=["clean", "adversarially trained"])
def test_each_broken_defence_is_exposed(seed, name, robust):
    x, labels = pictures(100)
    model = BROKEN[name](digits(seed, robust))
    report = attacks.diagnose(model, x, labels, attacks.Linf(0.1), generator=source(seed, "cpu"))
    assert report.masked, str(report)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_defensive_distillation_is_exposed(seed):
    model, (x, labels) = distilled(seed), pictures(100)
    report = attacks.diagnose(model, x, labels, attacks.Linf(0.1), generator=source(seed, "cpu"))
    assert report.examples > 90
    assert report.masked, str(report)
