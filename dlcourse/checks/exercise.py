"""One exercise: what it teaches, what it costs, its hints, its reference answer and its check."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from dlcourse.checks import record
from dlcourse.checks.outcome import CheckFailed
from dlcourse.checks.subject import LocalSubject, Subject


@dataclass(frozen=True)
class Exercise:
    """An exercise. Its id is stable for good: a changed meaning gets a new id.

    name: of the callable in `dlcourse.checks`. objectives: ids as "01-O3". difficulty: 1 to 5. minutes: the ceiling.
    task: what to write. ranges: what the hidden seeds vary, and nothing else. hints: idea, sketch, nearly the code.
    reference: a right answer, which `solution` prints. walkthrough: two sentences on why it works.
    parts: hints of each part of an exercise that has several.
    where: the notebook, from the course's folder.
    check(subject, seed): raises NotStarted or CheckFailed, or returns what it proved ("right on 14 inputs ...").
    seed None is the visible check; every other seed draws other inputs from the same ranges.
    """

    id: str
    name: str
    title: str
    objectives: tuple[str, ...]
    difficulty: int
    minutes: int
    points: int
    task: str
    ranges: str
    hints: tuple[str, str, str]
    reference: Any
    walkthrough: str
    where: str
    check: Callable[[Subject, int | None], str]
    parts: Mapping[str, tuple[str, str, str]] = field(default_factory=dict)


def run(exercise: Exercise, answer: Any, seed: int | None = None) -> None:
    """Checks `answer` (the learner's function or class, or a Subject that stands for it) and prints what was proven.

    Raises NotStarted when the stub is untouched, CheckFailed with a diagnosis when the answer is not right.
    """
    subject = answer if isinstance(answer, Subject) else LocalSubject(answer)
    try:
        proven = exercise.check(subject, seed)
    except CheckFailed:
        record.attempt(exercise.id, passed=False)
        raise
    record.attempt(exercise.id, passed=True)
    print(f"{exercise.id}: {proven}")
    if subject.warned:
        print(f"Your code is right, and it warned: {'; '.join(subject.warned)}")
