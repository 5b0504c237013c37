"""Every exercise by its id, and the callables that `dlcourse.checks` offers."""

import textwrap
from collections.abc import Callable
from difflib import get_close_matches
from typing import Any

from dlcourse.checks import ch00, ch01, ch02, ch03, ch05, ch08, ch12, ch15, ch16
from dlcourse.checks.exercise import Exercise, run
from dlcourse.checks.outcome import UnknownExercise

EXERCISES: dict[str, Exercise] = {
    exercise.id: exercise
    for chapter in (ch00, ch01, ch02, ch03, ch05, ch08, ch12, ch15, ch16)
    for exercise in chapter.EXERCISES
}


def find(id: str) -> Exercise:
    """The exercise of an id. UnknownExercise with near matches when there is none."""
    if id in EXERCISES:
        return EXERCISES[id]
    near = get_close_matches(id, EXERCISES, n=3, cutoff=0.4) or list(EXERCISES)
    raise UnknownExercise(f"There is no exercise {id!r}. Did you mean {' or '.join(near)}?")


def _callable(exercise: Exercise) -> Callable[..., None]:
    def check(answer: Any, *, seed: int | None = None) -> None:
        run(exercise, answer, seed)

    check.__name__ = check.__qualname__ = exercise.name
    check.__doc__ = (
        f"Checks {exercise.id}, {exercise.title}. Raises NotStarted or CheckFailed, or prints what was proven.\n\n"
        + textwrap.fill(exercise.task, 100)
        + "\n\n"
        + textwrap.fill(f"seed: None checks on fixed inputs; a number draws others: {exercise.ranges}.", 100)
    )
    return check


CALLABLES = {exercise.name: _callable(exercise) for exercise in EXERCISES.values()}
