"""Chapter 15: what its checks take for right agrees with other ways, and what else the table of answers cannot show."""

import math
import re
from itertools import product
from pathlib import Path

import pytest
import torch
from scipy.stats import binomtest, norm
from torch.nn import functional

from dlcourse.attacks import L2, Linf, margin
from dlcourse.attacks import fgsm as package_fgsm
from dlcourse.checks import CheckFailed
from dlcourse.checks.ch15 import fgsm, masked, pgd, radius, shared
from dlcourse.checks.ch15 import margin as margin_check
from dlcourse.checks.examiner import matches
from dlcourse.checks.registry import find
from dlcourse.checks.subject import LocalSubject
from dlcourse.defenses import bpda


def told_apart(mistakes, cases, truth, same):
    """On the first case that shows a mistake, where it is named, no other reason fits its numbers.

    mistakes: (reason, [answers]). same(got, value): what the check takes for equal.
    """
    hidden = [(reason, answer) for reason, answers in mistakes for answer in answers]
    for case in cases:
        shown, right = [], truth(*case)
        for reason, answer in hidden:
            try:
                got = answer(*case)
            except RuntimeError:  # the mistake does not run on this case, nor does the learner's
                continue
            if not same(got, right):
                shown.append((reason, answer, got))
        for n, (reason, _, got) in enumerate(shown):
            twins = [other for other, _, twin in shown[:n] if other != reason and same(got, twin)]
            assert not twins, (reason, twins)
        hidden = [(reason, answer) for reason, answer in hidden if not any(answer is was for _, was, _ in shown)]
    assert not hidden, [reason for reason, _ in hidden]


def of_faults(function, mistakes):
    return [
        (reason, [lambda *args, faults=faults: function(*args, **faults) for faults in several])
        for reason, several in mistakes
    ]


# --- what is taken for right ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("round_", range(12))
def test_the_smallest_change_is_reached_and_no_shorter_one_in_the_same_direction_is_enough(round_):
    """The change that Hoelder's inequality names flips the nearest class just there, in each norm."""
    x, labels, weight, bias = (a.double() for a in margin_check.draw(torch.Generator().manual_seed(3), round_))
    labels = labels.long()
    for distance, steepest in zip(
        margin_check.truth(x, labels, weight, bias),
        (
            lambda row: functional.one_hot(row.abs().argmax(), len(row)) * row.sign(),
            lambda row: row / row.norm(),
            lambda row: row.sign(),
        ),
        strict=True,
    ):
        for example, label, size in zip(x, labels.tolist(), distance.tolist(), strict=True):
            if size == 0:
                assert (weight @ example + bias).argmax() != label
                continue
            others = [other for other in range(len(weight)) if other != label]
            leads = []
            for share in (1 - 1e-6, 1 + 1e-6):
                worst = math.inf
                for other in others:
                    row = weight[label] - weight[other]
                    scores = weight @ (example - share * size * steepest(row)) + bias
                    worst = min(worst, (scores[label] - scores[other]).item())
                leads.append(worst)
            assert leads[0] > 0 > leads[1]


@pytest.mark.parametrize("round_", range(9))
def test_one_step_is_that_of_the_package(round_):
    x, labels, eps, mean, std, *weights = fgsm.draw(torch.Generator().manual_seed(4), round_)
    wanted = package_fgsm(lambda x: shared.logits((x - mean) / std, *weights), x, labels, Linf(eps))
    torch.testing.assert_close(fgsm._fgsm(x, labels, eps, mean, std, *weights), wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("round_", range(9))
def test_many_steps_are_those_of_the_package_from_the_same_start(round_):
    """Its PGD begins at random; so one step at a time, from where the last one ended."""
    x, labels, start, eps, step, steps, *weights = pgd.draw(torch.Generator().manual_seed(5), round_)
    x_adv = start
    for _ in range(steps):
        slope = shared.slope_at(
            lambda at: functional.cross_entropy(shared.logits(at, *weights), labels, reduction="sum"), x_adv
        )
        x_adv = L2(eps).project(x_adv + step * L2(eps).steepest(slope), x)
    torch.testing.assert_close(pgd._pgd(x, labels, start, eps, step, steps, *weights), x_adv, rtol=0, atol=2e-5)


@pytest.mark.parametrize("seed", range(10))
def test_the_projection_is_no_farther_away_than_any_other_allowed_point(seed):
    generator = torch.Generator().manual_seed(seed)
    change = torch.randn(1, 3, generator=generator, dtype=torch.float64)
    low, high = -torch.rand(1, 3, generator=generator).double(), torch.rand(1, 3, generator=generator).double()
    nearest = pgd.project(change, low, high, 0.5)
    allowed = low + (high - low) * torch.rand(20_000, 3, generator=generator, dtype=torch.float64)
    allowed = allowed[allowed.norm(dim=1) <= 0.5]
    assert len(allowed) > 100
    assert nearest.norm() <= 0.5 + 1e-9
    assert ((nearest >= low) & (nearest <= high)).all()
    assert (change - nearest).norm() <= (change - allowed).norm(dim=1).min() + 1e-9


@pytest.mark.parametrize("round_", range(8))
def test_the_evaluation_is_that_of_the_package_seen_through_bpda(round_):
    x, labels, starts, eps, step, steps, levels, scale, weights = masked.draw(torch.Generator().manual_seed(6), round_)
    seen = bpda(lambda x: (x * (levels - 1)).round() / (levels - 1))
    points = []
    for x_adv in starts:
        for _ in range(steps):
            slope = shared.slope_at(lambda at: margin(scale * shared.logits(seen(at), *weights), labels), x_adv)
            x_adv = Linf(eps).project(x_adv + step * slope.sign(), x)
        points.append(x_adv)
    clean, robust, attacked = masked._evaluate(x, labels, starts, eps, step, steps, levels, scale, weights)
    torch.testing.assert_close(attacked, torch.stack(points), rtol=0, atol=1e-6)
    right = [margin(masked.defended(at, levels, scale, weights), labels) < 0 for at in (x, *points)]
    assert clean == right[0].double().mean().item()
    assert robust == torch.stack(right).all(0).double().mean().item()


@pytest.mark.parametrize("round_", range(8))
def test_the_certificate_is_that_of_scipys_binomial_test(round_):
    selection, estimation, sd, alpha = radius.draw(torch.Generator().manual_seed(7), round_)
    label = int(selection.argmax())
    test = binomtest(int(estimation[label]), int(estimation.sum()), alternative="greater")
    lower = test.proportion_ci(1 - alpha, "exact").low
    wanted = (label, pytest.approx(sd * norm.ppf(lower), rel=1e-9)) if lower > 0.5 else (-1, 0.0)
    assert radius._certificate(selection, estimation, sd, alpha) == wanted


# --- the diagnoses ----------------------------------------------------------------------------------------------------


def test_no_two_diagnoses_of_the_margin_explain_the_same_numbers():
    cases = margin_check.cases()
    told_apart(of_faults(margin_check._change, margin_check.MISTAKES), cases, margin_check.truth, matches)


def test_no_two_diagnoses_of_one_norm_explain_the_same_number():
    for place, name in enumerate(margin_check.NAMES):
        case = margin_check.cases()[0]
        found = [margin_check._change(*case, **margin_check._slip(place, norm)) for norm, _ in margin_check.NORMS[name]]
        for n, three in enumerate(found):
            assert not any(matches(three[place], other[place]) for other in found[:n])
            assert not matches(three[place], margin_check.truth(*case)[place])


def test_no_two_diagnoses_of_fgsm_explain_the_same_numbers():
    told_apart(of_faults(fgsm._fgsm, fgsm.MISTAKES), fgsm.cases(), fgsm._fgsm, matches)


def test_no_two_diagnoses_of_pgd_explain_the_same_numbers():
    told_apart(of_faults(pgd._pgd, pgd.MISTAKES), pgd.cases(), pgd._pgd, pgd._near)


def test_no_two_diagnoses_of_the_certificate_explain_the_same_numbers():
    told_apart(of_faults(radius._certificate, radius.MISTAKES), radius.cases(), radius._certificate, matches)


def test_no_two_diagnoses_of_the_evaluation_explain_the_same_points_or_the_same_count():
    cases, right = masked.cases(), masked._evaluate
    told_apart(of_faults(right, masked.ATTACKS), cases, right, lambda got, value: masked._points(got, value[2]))
    counting = [(reason, [{"count": count} for count in counts]) for reason, counts in masked.COUNTING]
    told_apart(of_faults(right, counting), cases, right, lambda got, value: matches(got[1], value[1]))


@pytest.mark.parametrize("there", [faults for faults in product((True, False), repeat=4) if any(faults)])
def test_of_the_four_faults_of_the_notebook_the_first_is_named(there):
    """And that there are more, where those of the counting come on top of those of the attack."""
    attack, count = masked.ATTACK_FAULTS.get(there[:2]), masked.COUNT_FAULTS.get(there[2:])
    faults = (attack[0] if attack else {}) | ({"count": count[0]} if count else {})
    with pytest.raises(CheckFailed) as failure:
        find("15.masked").check(LocalSubject(lambda *args: masked._evaluate(*args, **faults)), None)
    assert failure.value.reason == (attack[1] + masked.MORE * bool(count) if attack else count[1])


def program_of_the_notebook(*names):
    source = (Path(__file__).parents[2] / "solutions" / "15-adversarial.md").read_text(encoding="utf-8")
    found = {"torch": torch, "functional": functional}
    for name in names:
        exec(re.search(rf"^def {name}\(.*?(?=\n\n\n|\n```)", source, re.DOTALL | re.MULTILINE).group(), found)
    return found


def test_the_broken_evaluation_of_the_notebook_is_diagnosed():
    broken = program_of_the_notebook("logits", "quantise", "defended", "broken_evaluate")["broken_evaluate"]
    with pytest.raises(CheckFailed) as failure:
        find("15.masked").check(LocalSubject(broken), None)
    assert failure.value.reason == masked.ROUNDING + masked.MORE


def test_the_experiments_of_the_notebook_show_each_fault(capsys):
    names = program_of_the_notebook("logits", "quantise", "defended", "experiments", "evaluate", "broken_evaluate")

    def told(program):
        names["experiments"](program)
        return [line.split("right:") for line in capsys.readouterr().out.splitlines()]

    def right(line):
        return re.findall(r"\d\.\d\d", line[0]) == re.findall(r"\d\.\d\d", line[1])

    for program in (masked.evaluate, names["evaluate"]):
        assert [right(line) for line in told(program)] == [True] * 5
    assert [right(line) for line in told(names["broken_evaluate"])] == [False, False, False, True, False]
    for there, shown in (
        ({"rounding": "flat"}, [False, False, True, True, True]),
        ({"loss": "cross-entropy"}, [True, False, True, True, True]),
        ({"count": "worst mean"}, [True, True, True, True, False]),
        ({"count": "unchanged"}, [True, True, False, True, True]),
        ({"count": "not clean"}, [True, True, True, False, True]),
    ):
        program = lambda *args, there=there: masked._evaluate(*args, **there)  # noqa: E731
        assert [right(line) for line in told(program)] == shown
