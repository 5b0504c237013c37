"""No false failure: the reference, the solution and every right answer in another style pass hidden seeds.

20 seeds of each in the ordinary suite, 1,000 in the slow stage. They run in process: over the wire the same bytes
travel (tests/checks asks both connections), so a failure would show here as well, and this is many times as fast.
The seeds are drawn as the grader draws them, from 31 bits, and not from 0 on as in tests/checks.
"""

import hashlib
import json
import math
import random

import pytest
import torch
from dlcourse_styles import ROOT, tables

from dlcourse.checks.registry import EXERCISES
from dlcourse.checks.subject import LocalSubject
from dlcourse.course.grading.flags import exercise_of


def seeds(exercise, count):
    """Whole numbers of 31 bits, the same on every machine, others for every exercise."""
    for index in range(count):
        digest = hashlib.sha256(f"styles/{exercise}/{index}".encode()).digest()
        yield int.from_bytes(digest[:4], "big") >> 1


def solutions():
    """Exercise -> the callable of its solution, from the instructor's notebook run without its tests."""
    found = {}
    for path in sorted(ROOT.glob("solutions/*/*.ipynb")):
        names = {}
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            if cell["cell_type"] != "code":
                continue
            marks = cell["metadata"].get("nbgrader", {})
            source = "".join(cell["source"])
            if marks.get("solution") or (marks.get("locked") and not marks.get("grade")):
                exec(compile(source, f"{path.name}:{marks['grade_id']}", "exec"), names)
            elif marks.get("grade"):
                tested = source.split("(", 1)[1].split(")", 1)[0]
                found[exercise_of(path.parent.name, marks["grade_id"])] = names[tested]
            elif source.startswith("import "):
                exec("\n".join(line for line in source.splitlines() if "import " in line), names)
    return found


STYLES = [
    *((id, "reference", exercise.reference) for id, exercise in EXERCISES.items()),
    *((id, "solution", answer) for id, answer in solutions().items()),
    *tables()[1],
]
EVERY = pytest.mark.parametrize(
    ("id", "answer"), [(id, a) for id, _, a in STYLES], ids=[f"{e}-{n}" for e, n, _ in STYLES]
)


def check(id, answer, count):
    """The three parts of a false failure: a right answer refused, an error, or a verdict that hangs on global state."""
    subject, exercise = LocalSubject(answer), EXERCISES[id]
    for seed in seeds(id, count):
        assert exercise.check(subject, seed), f"seed {seed}"


def test_every_exercise_of_every_chapter_has_its_reference_its_solution_and_two_other_right_answers():
    for id in EXERCISES:
        there = [name for exercise, name, _ in STYLES if exercise == id]
        others = [name for name in there if name not in ("reference", "solution")]
        assert there.count("reference") == 1
        assert there.count("solution") == (id != "00.accuracy")  # it stands in a chapter, not in an assignment
        assert len(others) >= 2


def test_seeds_are_as_the_grader_draws_them():
    drawn = {id: list(seeds(id, 1_000)) for id in EXERCISES}
    assert all(0 <= seed < 2**31 for each in drawn.values() for seed in each)
    assert len({seed for each in drawn.values() for seed in each}) > 0.999 * 1_000 * len(EXERCISES)
    assert max(map(max, drawn.values())) > 2**30
    assert math.isclose(sum(drawn["01.sigmoid"]) / 1_000, 2**30, rel_tol=0.1)


@EVERY
def test_no_false_failure_over_20_hidden_seeds(id, answer):
    check(id, answer, 20)


@pytest.mark.slow
@EVERY
def test_no_false_failure_over_1000_hidden_seeds(id, answer):
    check(id, answer, 1_000)


def test_a_wrong_answer_fails_in_the_same_loop():
    """The loop can fail: the first wrong answer of each exercise does not pass."""
    first = {id: answer for id, _, answer, _ in reversed(tables()[0])}
    assert set(first) == set(EXERCISES)
    for id, answer in first.items():
        with pytest.raises(Exception, match=id.replace(".", r"\.")):
            check(id, answer, 1)


def test_the_verdict_does_not_hang_on_the_state_of_the_random_generators():
    torch.manual_seed(0)
    random.seed(0)
    state = torch.random.get_rng_state(), random.getstate()
    answer = EXERCISES["05.conv2d"].reference
    check("05.conv2d", answer, 2)
    assert torch.equal(torch.random.get_rng_state(), state[0])
    assert random.getstate() == state[1]
