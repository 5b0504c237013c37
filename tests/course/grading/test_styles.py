"""No false failure: of each exercise the reference and two right answers in other styles pass hidden seeds.

21 seeds of each exercise in the ordinary suite, 1,000 in the slow stage; the three answers take them in turns.
Every right answer passes 12 seeds in the slow stage of tests/checks, and 1,000 each under its marker exhaustive. The
seeds here are drawn as a grader's are, of 31 bits. All run in process: over the wire the same bytes travel, and
tests/checks asks both.
"""

import ast
import hashlib
import json
import math
import random
import re

import pytest
import torch
from dlcourse_styles import ROOT, tables

from dlcourse.checks import CheckFailed
from dlcourse.checks.registry import EXERCISES
from dlcourse.checks.subject import LocalSubject
from dlcourse.course.grading.judge.flags import exercise_of


def seeds(exercise, count):
    """Whole numbers of 31 bits, the same on every machine, others for every exercise."""
    for index in range(count):
        digest = hashlib.sha256(f"styles/{exercise}/{index}".encode()).digest()
        yield int.from_bytes(digest[:4], "big") >> 1


KEPT = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef, ast.Assign)


def solutions():
    """Exercise -> the callable of its solution: the definitions of the instructor's notebook, and what tests call."""
    found = {}
    for path in sorted(ROOT.glob("solutions/*/*.ipynb")):
        names = {}
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            marks, source = cell["metadata"].get("nbgrader", {}), "".join(cell["source"])
            if cell["cell_type"] != "code":
                continue
            if marks.get("grade"):
                (called,) = re.findall(r"^checks\.\w+\((\w+)\)$", source, re.MULTILINE)
                found[exercise_of(path.parent.name, marks["grade_id"])] = names[called]
            elif marks or source.startswith(("import ", "from ")):
                tree = ast.parse(source)  # calls and loops at the top level are experiments, which print
                tree.body = [node for node in tree.body if isinstance(node, KEPT)]
                exec(compile(tree, f"{path.name}:{marks.get('grade_id')}", "exec"), names)
    return found


ALL = [
    *((id, "reference", exercise.reference) for id, exercise in EXERCISES.items()),
    *((id, "solution", answer) for id, answer in solutions().items()),
    *tables()[1],
]
STYLES = [each for exercise in EXERCISES for each in [one for one in ALL if one[0] == exercise][:3]]
EVERY = pytest.mark.parametrize(
    ("id", "answer"), [pytest.param(id, answer, id=f"{id}-{name}") for id, name, answer in STYLES]
)


def check(id, answer, drawn):
    """Raises on the first seed at which the answer does not pass."""
    subject, exercise = LocalSubject(answer), EXERCISES[id]
    for seed in drawn:
        assert exercise.check(subject, seed), f"seed {seed}"


def its_turns(id, answer, count):
    """A third of an exercise's seeds: those of this one of its three answers."""
    turn = [each for other, _, each in STYLES if other == id].index(answer)
    return list(seeds(id, count))[turn::3]


def test_every_exercise_of_every_chapter_has_its_reference_and_two_other_styles():
    for id in EXERCISES:
        names = [name for exercise, name, _ in STYLES if exercise == id]
        assert len(set(names)) == 3
        assert names[0] == "reference"
        assert (names[1] == "solution") == (id != "00.accuracy")  # it stands in a chapter, not in an assignment
        assert sum(exercise == id for exercise, *_ in tables()[1]) >= 2


def test_seeds_are_as_the_grader_draws_them():
    drawn = {id: list(seeds(id, 1_000)) for id in EXERCISES}
    assert all(0 <= seed < 2**31 for each in drawn.values() for seed in each)
    assert len({seed for each in drawn.values() for seed in each}) > 0.999 * 1_000 * len(EXERCISES)
    assert max(map(max, drawn.values())) > 2**30
    assert math.isclose(sum(drawn["01.sigmoid"]) / 1_000, 2**30, rel_tol=0.1)


@EVERY
def test_no_false_failure_over_21_hidden_seeds(id, answer):
    check(id, answer, its_turns(id, answer, 21))


@pytest.mark.slow
@EVERY
def test_no_false_failure_over_1000_hidden_seeds(id, answer):
    check(id, answer, its_turns(id, answer, 1_000))


def test_a_wrong_answer_fails_in_the_same_loop():
    """The loop can fail: the first wrong answer of each exercise does not pass."""
    first = {id: answer for id, _, answer, _ in reversed(tables()[0])}
    assert set(first) == set(EXERCISES)
    for id, answer in first.items():
        with pytest.raises(CheckFailed) as failure:
            check(id, answer, seeds(id, 1))
        assert failure.value.exercise == id


def test_the_verdict_does_not_hang_on_the_state_of_the_random_generators():
    torch.manual_seed(0)
    random.seed(0)
    state = torch.random.get_rng_state(), random.getstate()
    answer = EXERCISES["05.conv2d"].reference
    check("05.conv2d", answer, seeds("05.conv2d", 2))
    assert torch.equal(torch.random.get_rng_state(), state[0])
    assert random.getstate() == state[1]
