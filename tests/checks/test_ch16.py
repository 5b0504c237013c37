"""Chapter 16: what its checks take for right agrees with other ways, and what else the table of answers cannot show."""

import re
from itertools import combinations
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional

from dlcourse.attribution import deletion, grad_cam, integrated_gradients, shapley_by_orders, shapley_exact
from dlcourse.checks import CheckFailed
from dlcourse.checks.ch15.shared import logits
from dlcourse.checks.ch16 import cam, faithful, ig, patching, shapley
from dlcourse.checks.examiner import matches
from dlcourse.checks.registry import find
from dlcourse.checks.subject import LocalSubject
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


@pytest.mark.parametrize("round_", range(9))
def test_the_table_is_that_of_the_packages_deletion(round_):
    args = faithful.draw(torch.Generator().manual_seed(7), round_)
    x, labels, maps, floor_maps, baseline, *weights = args

    def curves_of(many):
        found = [
            deletion(lambda x: logits(x, *weights), x, labels, one, baseline=baseline, points=x.shape[1] + 1)
            for one in many
        ]
        return torch.stack([curve.scores for curve in found]), torch.stack([curve.area for curve in found])

    (scores, area), (_, floor) = curves_of(maps), curves_of(floor_maps)
    curves, ours, better = faithful._evaluate(*args)
    torch.testing.assert_close(curves, scores, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(ours, area, rtol=1e-5, atol=1e-5)
    assert torch.equal(better, area < floor.mean(0))


# --- the diagnoses ----------------------------------------------------------------------------------------------------


def test_no_two_diagnoses_of_integrated_gradients_explain_the_same_numbers():
    told_apart(ig._integrated, ig.MISTAKES, ig.cases())


def test_no_two_diagnoses_of_shares_explain_the_same_numbers():
    told_apart(shapley._shapley, shapley.MISTAKES, shapley.cases())


def test_no_two_diagnoses_of_grad_cam_explain_the_same_numbers():
    told_apart(cam._cam, cam.MISTAKES, cam.cases())


def test_no_two_diagnoses_of_patching_explain_the_same_numbers():
    told_apart(patching._patching, patching.MISTAKES, patching.cases())


@pytest.mark.parametrize("place", range(3))
def test_no_two_diagnoses_of_the_table_explain_the_same_curves_areas_or_truths(place):
    planted = [[], [], []]
    for (faults, reason), part in zip(faithful.BROKEN, (0, 0, 0, 2), strict=True):
        planted[part].append((reason, (faults,)))
    mistakes = (*planted[place], *(faithful.CURVES, faithful.AREAS, faithful.BETTERS)[place])
    told_apart(faithful._evaluate, mistakes, faithful.cases(), lambda got, other: matches(got[place], other[place]))


@pytest.mark.parametrize("there", [several for n in (1, 2, 3, 4) for several in combinations(range(4), n)])
def test_of_the_four_faults_of_the_notebook_the_first_is_named_and_whether_there_are_more(there):
    faults = {name: value for n in there for name, value in faithful.BROKEN[n][0].items()}
    with pytest.raises(CheckFailed) as failure:
        find("16.faithful").check(LocalSubject(lambda *args: faithful._evaluate(*args, **faults)), None)
    assert failure.value.reason == faithful.BROKEN[there[0]][1] + faithful.MORE * (len(there) > 1)


def program_of_the_notebook(*names):
    source = (Path(__file__).parents[2] / "solutions" / "16-interpretability.md").read_text(encoding="utf-8")
    found = {"torch": torch, "functional": functional}
    for name in names:
        exec(re.search(rf"^def {name}\(.*?(?=\n\n\n|\n```)", source, re.DOTALL | re.MULTILINE).group(), found)
    return found


def test_the_worked_ways_leave_a_marked_input_as_it_was_and_the_map_without_a_record():
    x, baseline, labels, steps, *weights = ig.cases()[0]
    of_the_notebook = program_of_the_notebook("logits", "integrated_gradients")["integrated_gradients"]
    for way in (of_the_notebook, ig.integrated_gradients):
        marked = x.clone().requires_grad_()
        found = way(marked, baseline, labels, steps, *weights)
        assert not found.requires_grad
        assert marked.requires_grad
        assert marked.grad is None
        torch.testing.assert_close(found, ig._integrated(x, baseline, labels, steps, *weights))


def test_the_broken_evaluation_of_the_notebook_is_diagnosed():
    broken = program_of_the_notebook("logits", "broken_evaluate")["broken_evaluate"]
    with pytest.raises(CheckFailed) as failure:
        find("16.faithful").check(LocalSubject(broken), None)
    assert failure.value.reason == faithful.BROKEN[0][1] + faithful.MORE


def test_the_experiments_of_the_notebook_show_each_fault(capsys):
    names = program_of_the_notebook("logits", "experiments", "evaluate", "broken_evaluate")

    def right(program):
        names["experiments"](program)
        lines = [line.split(": ", 1)[1].split("   right: ") for line in capsys.readouterr().out.splitlines()]
        return [shown == wanted for shown, wanted in lines]

    for program in (faithful.evaluate, names["evaluate"], faithful._evaluate):
        assert right(program) == [True] * 4
    assert right(names["broken_evaluate"]) == [False] * 4
    for n, (faults, _) in enumerate(faithful.BROKEN):
        told = right(lambda *args, faults=faults: faithful._evaluate(*args, **faults))
        assert told == [line != n for line in range(4)]
