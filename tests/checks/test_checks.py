"""Each check accepts right answers in several styles, and names the misconception of each wrong one."""

from collections import Counter

import pytest

from dlcourse import checks
from dlcourse.checks import CheckFailed, NotStarted
from dlcourse.checks.registry import EXERCISES


@pytest.mark.parametrize("seed", [None, 7, 41_017])
def test_wrong_answer_fails_with_its_own_diagnosis(wrong, connect, seed):
    exercise, answer, phrase = wrong
    with connect(answer) as subject, pytest.raises(CheckFailed) as failure:
        exercise.check(subject, seed)
    assert phrase in failure.value.reason
    assert failure.value.exercise == exercise.id
    assert failure.value.called
    assert failure.value.came_back
    assert failure.value.wanted


def test_right_answer_passes_the_visible_check_and_hidden_ones(right, connect):
    exercise, answer = right
    with connect(answer) as subject:
        assert exercise.check(subject, None)
        assert exercise.check(subject, 41_017)


def test_right_answer_passes_thirty_hidden_seeds(right, connect):
    if connect.__name__ == "remote":
        return  # the same bytes as in process; the slow suite goes over the wire too
    exercise, answer = right
    with connect(answer) as subject:
        for seed in range(100, 130):
            exercise.check(subject, seed)


@pytest.mark.slow
def test_right_answer_passes_a_thousand_hidden_seeds(right, connect):
    exercise, answer = right
    with connect(answer) as subject:
        for seed in range(1_000):
            exercise.check(subject, seed)
