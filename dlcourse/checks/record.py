"""What was tried and done: in this kernel, and in the learner's progress file where that is kept."""

from collections import Counter

from dlcourse import progress
from dlcourse.learn.record import note

_attempts: Counter[str] = Counter()
_done: set[str] = set()


def attempt(exercise: str, *, passed: bool) -> None:
    """Counts one attempt. Nothing leaves this machine; a progress file that cannot be written costs a line, no more."""
    _attempts[exercise] += 1
    if passed:
        _done.add(exercise)
    note(exercise, "done" if passed else "tried")


def attempts(exercise: str) -> int:
    """How often `exercise` was tried, in this kernel or as far as the progress file knows."""
    noted = progress.read().get(exercise, {})
    return max(_attempts[exercise], sum(noted[event]["times"] for event in ("tried", "done") if event in noted))


def is_done(exercise: str) -> bool:
    """Whether its check has passed, in this kernel or as far as the progress file knows."""
    return exercise in _done or "done" in progress.read().get(exercise, {})
