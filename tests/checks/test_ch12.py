"""Chapter 12: what its checks take for right agrees with torch, and what else the table of answers cannot show."""

import math
import re
from pathlib import Path

import pytest
import torch
from torch.nn import functional

from dlcourse.checks import CheckFailed
from dlcourse.checks.ch12 import coverage, debug, optimal, penalty, two_losses
from dlcourse.checks.examiner import matches
from dlcourse.checks.registry import find
from dlcourse.checks.subject import LocalSubject


def told_apart(mistakes, cases, truth):
    """On the first case that shows a mistake, where it is named, no other reason fits its numbers."""
    hidden = [(reason, answer) for reason, answers in mistakes for answer in answers]
    for case in cases:
        shown, right = [], truth(*case)
        for reason, answer in hidden:
            try:
                got = answer(*case)
            except (RuntimeError, IndexError):  # the mistake does not run on this case, nor does the learner's
                continue
            if not matches(got, right):
                shown.append((reason, answer, got))
        for n, (reason, _, got) in enumerate(shown):
            twins = [other for other, _, twin in shown[:n] if other != reason and matches(got, twin)]
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
def test_the_best_discriminator_is_the_bayes_rule_of_torchs_own_densities(round_):
    log_p, log_q = optimal.draw(torch.Generator().manual_seed(3), round_)
    both = torch.stack([log_p.double(), log_q.double()])
    tolerance = {torch.float32: 1e-4, torch.float64: 1e-9}[log_p.dtype]  # a digit of a logarithm of -1000 is lost
    wanted = torch.softmax(both, dim=0)[0].to(log_p.dtype)
    torch.testing.assert_close(optimal.truth(log_p, log_q), wanted, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("round_", range(12))
def test_both_losses_are_cross_entropies_of_torch_and_so_are_their_slopes(round_):
    z = two_losses.draw(torch.Generator().manual_seed(4), round_).double().clone().requires_grad_()
    losses = (
        -functional.binary_cross_entropy_with_logits(z, torch.zeros_like(z)),
        functional.binary_cross_entropy_with_logits(z, torch.ones_like(z)),
    )
    torch.testing.assert_close(two_losses.truth(z.detach()), losses, rtol=1e-12, atol=1e-12)
    for loss, by_hand in zip(losses, two_losses.slopes(z.detach()), strict=True):
        torch.testing.assert_close(by_hand, torch.autograd.grad(loss, z)[0], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("round_", range(12))
def test_the_penalty_by_hand_is_that_of_autograd_in_value_and_in_slope(round_):
    args = [arg.double() for arg in penalty.draw(torch.Generator().manual_seed(5), round_)]
    leaves = [args[place].requires_grad_() for place in penalty.WEIGHTS.values()]
    by_autograd = penalty.gradient_penalty(*args)
    torch.testing.assert_close(penalty.truth(*(arg.detach() for arg in args)), by_autograd.detach())
    slopes = torch.autograd.grad(by_autograd, leaves)
    by_hand = penalty.slopes(*(arg.detach() for arg in args))
    torch.testing.assert_close(tuple(by_hand.values()), slopes, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("seed", range(10))
def test_slopes_of_the_penalty_agree_with_a_directional_difference(seed):
    """In float64, along a random direction in all three weights: the second derivative is not taken on trust."""
    generator = torch.Generator().manual_seed(seed)
    args = [arg.double() for arg in penalty.draw(generator, 0)]
    along = {
        name: torch.randn(args[place].shape, generator=generator, dtype=torch.float64)
        for name, place in penalty.WEIGHTS.items()
    }

    def moved(h):
        there = list(args)
        for name, place in penalty.WEIGHTS.items():
            there[place] = args[place] + h * along[name]
        return penalty.truth(*there)

    claimed = sum((slope * along[name]).sum() for name, slope in penalty.slopes(*args).items())
    h = 1e-5
    torch.testing.assert_close((moved(h) - moved(-h)) / (2 * h), claimed, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("round_", range(12))
def test_coverage_is_what_counting_one_by_one_gives(round_):
    samples, centres, radius, least = coverage.draw(torch.Generator().manual_seed(6), round_)
    counts, good = [0] * len(centres), 0
    for x, y in samples.tolist():
        distances = [math.dist((x, y), centre) for centre in centres.tolist()]
        nearest = distances.index(min(distances))
        if distances[nearest] <= radius:
            counts[nearest] += 1
            good += 1
    wanted = sum(count / len(samples) >= least for count in counts), good / len(samples)
    assert coverage._coverage(samples, centres, radius, least) == pytest.approx(wanted)


@pytest.mark.parametrize("round_", range(8))
def test_the_game_is_that_of_two_optimisers_of_torch(round_):
    g_weights, d_weights, z, real, lr = debug.draw(torch.Generator().manual_seed(7), round_)
    g, d = ([weight.double().clone().requires_grad_() for weight in weights] for weights in (g_weights, d_weights))
    g_optimizer, d_optimizer = torch.optim.SGD(g, lr=lr), torch.optim.SGD(d, lr=lr)
    bce = functional.binary_cross_entropy_with_logits
    for noise, points in zip(z.double(), real.double(), strict=True):
        logits = debug._layers(points, d), debug._layers(debug._layers(noise, g).detach(), d)
        d_optimizer.zero_grad()
        (bce(logits[0], torch.ones_like(logits[0])) + bce(logits[1], torch.zeros_like(logits[1]))).backward()
        d_optimizer.step()
        fooled = debug._layers(debug._layers(noise, g), d)
        g_optimizer.zero_grad()
        bce(fooled, torch.ones_like(fooled)).backward()
        g_optimizer.step()
    wanted = tuple([weight.detach().to(z.dtype) for weight in weights] for weights in (g, d))
    for got, right in zip(debug._play(g_weights, d_weights, z, real, lr), wanted, strict=True):
        torch.testing.assert_close(got, right)


# --- the diagnoses ----------------------------------------------------------------------------------------------------


def test_no_two_diagnoses_of_the_best_discriminator_explain_the_same_numbers():
    told_apart(optimal.MISTAKES, optimal.cases(), optimal.truth)


@pytest.mark.parametrize(("place", "table"), [(0, two_losses.MINIMAX), (1, two_losses.NON_SATURATING)])
def test_no_two_diagnoses_of_a_loss_explain_the_same_number(place, table):
    told_apart(table, [(z,) for z in two_losses.cases()], lambda z: two_losses.truth(z)[place])


def test_no_two_diagnoses_of_the_penalty_explain_the_same_number():
    told_apart(of_faults(penalty._penalty, penalty.MISTAKES), penalty.cases(), penalty.truth)


def test_no_two_diagnoses_of_coverage_explain_the_same_numbers():
    told_apart(of_faults(coverage._coverage, coverage.MISTAKES), coverage.cases(), coverage._coverage)


def test_no_two_diagnoses_of_the_game_explain_the_same_numbers():
    told_apart(of_faults(debug._play, debug.MISTAKES), debug.cases(), debug._play)


def program_of_the_notebook(*names):
    source = (Path(__file__).parents[2] / "solutions" / "12-gan.md").read_text(encoding="utf-8")
    found = {"torch": torch, "functional": functional, "math": math}
    for name in names:
        exec(re.search(rf"^def {name}\(.*?(?=\n\n\n|\n```)", source, re.DOTALL | re.MULTILINE).group(), found)
    return found


def test_the_broken_game_of_the_notebook_is_diagnosed():
    broken = program_of_the_notebook("critic", "generate", "broken_play")["broken_play"]
    with pytest.raises(CheckFailed) as failure:
        find("12.debug").check(LocalSubject(broken), None)
    assert failure.value.reason == debug.LABEL + debug.MORE


def test_the_experiments_of_the_notebook_show_each_fault(capsys):
    names = program_of_the_notebook("critic", "generate", "experiments", "play")

    def told(program):
        names["experiments"](program)
        return capsys.readouterr().out.splitlines()

    def on_the_record(*args):
        return tuple([weight.clone().requires_grad_() * 1 for weight in weights] for weights in names["play"](*args))

    for program in (debug.play, names["play"], on_the_record):
        one, two = told(program)
        assert "D stays: True, the fakes move by 0.25 " in one
        assert len(set(re.findall(r"-?\d\.\d{3}", two))) == 1
    for faults, _ in debug.FAULTS:
        one, two = told(lambda *args, faults=faults: debug._play(*args, **faults))
        apart = len(set(re.findall(r"-?\d\.\d{3}", two))) > 1
        assert apart == ("clear_d" in faults)
        assert ("move by 0.25 " in one) == ("clear_d" in faults)
