"""Chapter 16: what its checks take for right agrees with other ways, and what else the table of answers cannot show."""

import pytest
import torch
from torch import nn

from dlcourse.attribution import grad_cam, integrated_gradients, shapley_by_orders, shapley_exact
from dlcourse.checks.ch15.shared import logits
from dlcourse.checks.ch16 import cam, ig, patching, shapley
from dlcourse.checks.examiner import matches
from dlcourse.mechanistic import Site, activation_patching


def told_apart(function, mistakes, cases, same=matches):
    """On the first case that shows a mistake, where it is named, no other reason fits its numbers."""
    hidden = [(reason, faults) for reason, several in mistakes for faults in several]
    for case in cases:
        shown, right = [], function(*case)
        for reason, faults in hidden:
            got = function(*case, **faults)
            if not same(got, right):
                shown.append((reason, faults, got))
        for n, (reason, _, got) in enumerate(shown):
            twins = [other for other, _, twin in shown[:n] if other != reason and same(got, twin)]
            assert not twins, (reason, twins)
        hidden = [(reason, faults) for reason, faults in hidden if not any(faults is was for _, was, _ in shown)]
    assert not hidden, [reason for reason, _ in hidden]


# --- what is taken for right ------------------------------------------------------------------------------------------


def midpoints(steps):
    return [(k + 0.5) / steps for k in range(steps)], [1 / steps] * steps


@pytest.mark.parametrize("round_", range(12))
def test_the_map_is_that_of_the_package_by_midpoints_and_complete_with_many_steps(round_):
    x, baseline, labels, steps, *weights = ig.draw(torch.Generator().manual_seed(3), round_)
    x, baseline, *weights = (each.double() for each in (x, baseline, *weights))
    found = ig._integrated(x, baseline, labels, steps, *weights)
    wanted = integrated_gradients(
        lambda x: logits(x, *weights), x, labels, baseline=baseline, steps=steps, rule=midpoints
    )
    torch.testing.assert_close(found, wanted, rtol=1e-10, atol=1e-12)
    n = torch.arange(len(x))
    rise = (logits(x, *weights) - logits(baseline[None], *weights))[n, labels]
    many = ig._integrated(x, baseline, labels, 2_000, *weights)
    torch.testing.assert_close(many.sum(1), rise, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("round_", range(12))
def test_the_shares_are_those_of_the_package_in_both_its_ways(round_):
    (wins,) = shapley.draw(torch.Generator().manual_seed(4), round_)

    def game(coalitions):
        return torch.stack([wins[tuple(there.int().tolist())] for there in coalitions])

    found = shapley._shapley(wins).double()
    for way in (shapley_exact, shapley_by_orders):
        torch.testing.assert_close(found, way(game, wins.dim()), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("round_", range(12))
def test_the_map_of_the_last_layer_is_that_of_the_package(round_):
    x, labels, kernels, bias, weight, out_bias = cam.draw(torch.Generator().manual_seed(5), round_)
    model = nn.Sequential(
        nn.Conv2d(kernels.shape[1], len(kernels), 3, padding=1, device="cpu"),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(weight.shape[1], len(weight), device="cpu"),
    ).to(x.dtype)
    model.load_state_dict({"0.weight": kernels, "0.bias": bias, "4.weight": weight, "4.bias": out_bias})
    wanted = grad_cam(model, x, labels, layer="1")
    torch.testing.assert_close(cam._cam(x, labels, kernels, bias, weight, out_bias), wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("round_", range(12))
def test_what_each_unit_restores_is_what_the_package_finds(round_):
    clean, corrupted, one, other, *weights = patching.draw(torch.Generator().manual_seed(6), round_)
    layers = [nn.Linear(*w.shape[::-1], device="cpu", dtype=w.dtype) for w in weights[::2]]
    model = nn.Sequential(layers[0], nn.ReLU(), layers[1], nn.ReLU(), layers[2])
    for layer, weight, bias in zip(layers, weights[::2], weights[1::2], strict=True):
        layer.load_state_dict({"weight": weight, "bias": bias})
    found = patching._patching(clean, corrupted, one, other, *weights)
    for name, each in zip("13", found, strict=True):
        sites = [Site(name, (unit,)) for unit in range(len(each))]
        effect = activation_patching(
            model, clean[None], corrupted[None], lambda z: z[:, one] - z[:, other], sites
        ).effect
        torch.testing.assert_close(each, effect, rtol=1e-5, atol=1e-5)


# --- the diagnoses ----------------------------------------------------------------------------------------------------


def test_no_two_diagnoses_of_integrated_gradients_explain_the_same_numbers():
    told_apart(ig._integrated, ig.MISTAKES, ig.cases())


def test_no_two_diagnoses_of_shares_explain_the_same_numbers():
    told_apart(shapley._shapley, shapley.MISTAKES, shapley.cases())


def test_no_two_diagnoses_of_grad_cam_explain_the_same_numbers():
    told_apart(cam._cam, cam.MISTAKES, cam.cases())


def test_no_two_diagnoses_of_patching_explain_the_same_numbers():
    told_apart(patching._patching, patching.MISTAKES, patching.cases())
