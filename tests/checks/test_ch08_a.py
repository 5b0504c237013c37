"""08.lstm_cell, 08.clip and 08.radius: what the table of answers cannot show."""

import math

import pytest
import torch

from dlcourse import nn
from dlcourse.checks.ch08 import clip, lstm_cell, radius
from dlcourse.checks.examiner import matches


@pytest.mark.parametrize("round_", range(12))
def test_what_lstm_cell_takes_for_right_is_the_definition(round_):
    x, hidden, cell, *parameters = lstm_cell.draw(torch.Generator().manual_seed(3), round_)
    by_definition = nn.lstm_cell_definition(x, (hidden, cell), *parameters)
    tolerance = {torch.float32: 1e-5, torch.float64: 1e-12}[x.dtype]
    torch.testing.assert_close(
        lstm_cell.oracle(x, hidden, cell, *parameters), by_definition, rtol=tolerance, atol=tolerance
    )


@pytest.mark.parametrize("round_", range(12))
def test_what_clip_takes_for_right_is_what_torch_does(round_):
    gradients, most = clip.draw(torch.Generator().manual_seed(4), round_)
    leaves = [torch.nn.Parameter(torch.zeros_like(gradient)) for gradient in gradients]
    for leaf, gradient in zip(leaves, gradients, strict=True):
        leaf.grad = gradient.clone()
    norm = torch.nn.utils.clip_grad_norm_(leaves, most)
    clipped, wanted = clip.oracle(gradients, most)
    assert wanted == pytest.approx(norm.item(), rel=1e-5)
    torch.testing.assert_close(clipped, [leaf.grad for leaf in leaves], rtol=2e-5, atol=1e-7)


@pytest.mark.parametrize("round_", range(12))
def test_what_radius_takes_for_right_is_what_a_gradient_keeps_in_the_long_run(round_):
    weight, steps, share = radius.draw(torch.Generator().manual_seed(5), round_)
    tuned = radius.oracle(weight.double(), steps, share)
    start = torch.randn(len(weight), generator=torch.Generator().manual_seed(round_), dtype=torch.float64)
    start.requires_grad_()
    hidden, lengths = start, {}
    for step in range(1, 401):
        # Scaled at each step, so that nothing overflows; the factors are counted, and no gradient runs through them.
        scale = 1 / share ** (1 / steps)
        hidden = scale * (tuned @ hidden)
        if step in (200, 400):
            (gradient,) = torch.autograd.grad(hidden.sum(), start, retain_graph=True)
            lengths[step] = gradient.norm().item()
    # What is left of it per step does not grow nor shrink any more; where the matrix turns, its length sways.
    assert abs(math.log(lengths[400] / lengths[200])) / 200 < 0.02


def test_the_first_cases_lie_in_the_ranges_that_the_exercises_state():
    for args in lstm_cell.cases():
        assert len(args.x) <= 5
        assert args.x.shape[1] <= 6
        assert args.cell.shape[1] <= 5
    for gradients, most in clip.cases():
        assert 1 <= len(gradients) <= 5
        assert all(gradient.dim() <= 3 for gradient in gradients)
        assert 0.1 <= most <= 10
    for weight, steps, share in radius.cases():
        assert 1 <= len(weight) <= 8
        assert 1 <= steps <= 200
        assert 0.001 <= share <= 10
        assert radius.radius_of(weight) > 0.1


def test_large_gradients_are_drawn_and_stay_below_what_the_exercise_states():
    norms = [clip.oracle(*clip.draw(torch.Generator().manual_seed(seed), 1))[1] for seed in range(200)]
    assert max(norms) < 2e7
    assert max(norms) > 1e6


def told_apart(mistakes, cases, right, same):
    """On the first case that shows a mistake, where it is named, no other reason fits its numbers."""
    hidden = list(enumerate(mistakes))
    for case in cases:
        shown = []
        for place, (reason, answer) in hidden:
            try:
                got = answer(case)
            except (RuntimeError, ValueError, ZeroDivisionError, OverflowError):
                continue  # it does not run on this case, nor does the learner's
            if got is not None and not same(got, right(case), case):
                shown.append((place, reason, got))
        for n, (_, reason, got) in enumerate(shown):
            twins = [other for _, other, twin in shown[:n] if other != reason and same(got, twin, case)]
            assert not twins, (reason, twins)
        named = {place for place, *_ in shown}
        hidden = [mistake for mistake in hidden if mistake[0] not in named]
    assert not hidden, [reason for _, (reason, _) in hidden]


def of_parts(part, summed, cut, bends, last):
    def answer(step):
        gates = lstm_cell._gates(step, summed, cut, bends)
        if gates is None:
            raise ValueError
        new = {} if part == "cell" else {"n": lstm_cell.oracle(*step)[1]}
        return last(**gates, c=step.cell, h=step.hidden, **new)

    return answer


def test_no_two_diagnoses_of_the_cell_explain_the_same_numbers():
    parts = (lstm_cell.SUMS, lstm_cell.CUTS, lstm_cell.BENT, lstm_cell.UPDATES)
    assert [[reason for reason, _ in part].count(None) for part in parts] == [1, 1, 1, 1]
    right = [next(make for reason, make in part if reason is None) for part in parts]
    mistakes = []
    for place, part in enumerate(parts):
        for reason, make in part:
            if reason:
                mistakes.append((reason, of_parts("cell", *right[:place], make, *right[place + 1 :])))
    told_apart(mistakes, lstm_cell.cases(), lambda case: lstm_cell.oracle(*case)[1], lambda a, b, _: matches(a, b))


def test_no_two_diagnoses_of_hidden_explain_the_same_numbers():
    right = lstm_cell.SUMS[0][1], lstm_cell.CUTS[0][1]
    mistakes = [(reason, of_parts("hidden", *right, {}, show)) for reason, show in lstm_cell.SHOWN if reason]
    for reason, summed in lstm_cell.OUTPUT_SUMS:
        if reason:

            def by_its_sum(step, summed=summed):
                gates = lstm_cell._gates(step, summed, right[1], {})
                return gates and lstm_cell.SHOWN[0][1](
                    **gates, c=step.cell, h=step.hidden, n=lstm_cell.oracle(*step)[1]
                )

            mistakes.append((reason, by_its_sum))
    for bend in list(lstm_cell.BENDS)[1:]:
        mistakes.append((f"o took {bend}", of_parts("hidden", *right, {"o": bend}, lstm_cell.SHOWN[0][1])))
    told_apart(mistakes, lstm_cell.cases(), lambda case: lstm_cell.oracle(*case)[0], lambda a, b, _: matches(a, b))


def test_no_two_diagnoses_of_radius_explain_the_same_number():
    def factor(size, target):
        def answer(case):
            weight, steps, share = case
            by = target(steps, share) / size(weight.double())
            return None if isinstance(by, complex) else by

        return answer

    right = factor(radius.SIZES[0][1], radius.TARGETS[0][1])
    mistakes = [(reason, factor(size, radius.TARGETS[0][1])) for reason, size in radius.SIZES[1:]]
    mistakes += [(reason, factor(radius.SIZES[0][1], target)) for reason, target in radius.TARGETS[1:]]
    told_apart(mistakes, radius.cases(), right, lambda a, b, case: radius._equal(a, b, case[0].dtype))
