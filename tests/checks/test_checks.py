"""Each check accepts right answers in several styles, and names the misconception of each wrong one."""

from collections import defaultdict

import pytest
import torch
from dlcourse_answers import local

from dlcourse.checks import CheckFailed, NotStarted
from dlcourse.checks.ch02.batch_norm import directional, oracle
from dlcourse.checks.registry import find
from dlcourse.checks.subject import Answerer, LocalSubject, Subject


def test_wrong_answer_fails_with_its_own_diagnosis(wrong, subject_of, seed):
    exercise, answer, phrase = wrong
    with subject_of(answer) as subject, pytest.raises(CheckFailed) as failure:
        exercise.check(subject, seed)
    assert phrase in failure.value.reason
    assert failure.value.exercise == exercise.id
    assert failure.value.called
    assert failure.value.came_back
    assert failure.value.wanted


def test_every_exercise_has_wrong_answers_and_other_right_ones(all_wrong, all_right, exercise):
    phrases = defaultdict(set)
    for id, _, _, phrase in all_wrong:
        phrases[id].add(phrase)
    assert len(phrases[exercise.id]) >= 4
    assert sum(id == exercise.id for id, *_ in all_right) >= 2


def test_right_answer_passes(right, subject_of, seed):
    exercise, answer = right
    with subject_of(answer) as subject:
        assert exercise.check(subject, seed)


@pytest.mark.parametrize("seed", [285, 759])
def test_cancelling_digits_are_allowed_for(seed):
    """Two seeds whose logits are near 900 and whose loss is near 0: float32 keeps only some of its digits."""
    find("01.cross_entropy").check(LocalSubject(find("01.cross_entropy").reference), seed)


@pytest.mark.slow
def test_right_answer_passes_twelve_hidden_seeds(right, connect):
    """tests/course/grading/test_styles.py has a thousand of them for three answers of each exercise."""
    exercise, answer = right
    with connect(answer) as subject:
        # The wire carries the same bytes as a call in process does, so two seeds are enough there.
        for seed in range(12 if connect is local else 2):
            exercise.check(subject, seed)


@pytest.mark.exhaustive
def test_right_answer_passes_a_thousand_hidden_seeds(right):
    """More than an hour on two cores for all chapters: to run, with -k, when a check or an answer changes."""
    exercise, answer = right
    subject = LocalSubject(answer)
    for seed in range(1_000):
        exercise.check(subject, seed)


def test_hidden_seeds_draw_other_inputs_and_the_same_seed_the_same(exercise):
    def asked(seed):
        requests = []
        answerer = Answerer(exercise.reference)

        def listen(request):
            requests.append(request)
            return answerer.reply(request)

        exercise.check(Subject(listen), seed)
        return requests

    third = asked(3)
    assert asked(3) == third
    assert asked(None) == asked(None)
    if exercise.id != "01.xor":  # it takes no input to draw: its whole range is checked at once
        assert asked(4) != third


def test_untouched_stub_is_not_started(exercise, connect):
    def stub(*values):
        raise NotStarted

    class Stub:
        def __init__(self, features):
            raise NotStarted

    answer = Stub if isinstance(exercise.reference, type) else stub
    with connect(answer) as subject, pytest.raises(NotStarted) as error:
        exercise.check(subject, None)
    assert f'checks.hint("{exercise.id}")' in str(error.value)


def test_class_whose_step_is_a_stub_is_not_started(connect):
    class Half:
        def __init__(self, features):
            self.weight, self.bias = torch.zeros(features), torch.zeros(())

        def step(self, x, label):
            raise NotStarted

    with connect(Half) as subject, pytest.raises(NotStarted):
        find("01.perceptron").check(subject, None)


def test_only_the_very_exception_of_the_stub_is_not_started(exercise, connect):
    class Forged(NotStarted):
        pass

    def answer(*values):
        raise Forged("nothing to see")

    with connect(answer) as subject, pytest.raises(CheckFailed, match="Forged"):
        exercise.check(subject, None)


@pytest.mark.parametrize("seed", range(20))
def test_oracle_of_batch_norm_agrees_with_a_directional_difference(seed):
    """In all three arguments, with a constant column: torch's gradient is not taken on trust."""
    generator = torch.Generator().manual_seed(seed)
    batch, features = 2 + seed % 8, 1 + seed % 6
    grad, x, along = torch.randn(3, batch, features, generator=generator, dtype=torch.float64)
    weight, bias, along_weight, along_bias = torch.randn(4, features, generator=generator, dtype=torch.float64)
    x[:, 0] = x[0, 0]
    eps, h = 0.1, 1e-5

    def loss(step):
        moved = x + step * along
        normal = (moved - moved.mean(0)) / (moved.var(0, correction=0) + eps).sqrt()
        return (grad * ((weight + step * along_weight) * normal + bias + step * along_bias)).sum()

    slopes = oracle(grad, x, weight, eps)
    claimed = sum((slope * d).sum() for slope, d in zip(slopes, (along, along_weight, along_bias), strict=True))
    torch.testing.assert_close((loss(h) - loss(-h)) / (2 * h), claimed, rtol=1e-7, atol=1e-8)
    expected = pytest.approx((slopes[0] * along).sum().item(), rel=1e-7, abs=1e-8)
    assert directional(grad, x, weight, eps, along) == expected


@pytest.mark.parametrize("error", [1e-4, -1e-4])
def test_a_small_error_is_an_error(connect, error):
    with connect(lambda x: torch.sigmoid(x) * (1 + error)) as subject, pytest.raises(CheckFailed):
        find("01.sigmoid").check(subject, None)
