"""Hidden seeds: fixed and public everywhere but in the grader, and never public there."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

from dlcourse import checks
from dlcourse.checks import seeds
from dlcourse.checks.outcome import UnknownExercise
from dlcourse.checks.registry import EXERCISES

ROOT = Path(__file__).parents[2]
SOLUTIONS = sorted((ROOT / "solutions").glob("*/*.ipynb"))


@pytest.fixture(autouse=True)
def _as_elsewhere(monkeypatch):
    monkeypatch.setattr(seeds, "_given", None)


def test_two_numbers_for_each_exercise_the_same_for_good():
    assert checks.hidden_seeds("01.sigmoid") == (463_709_198, 1_935_848_648)
    drawn = [checks.hidden_seeds(id) for id in EXERCISES]
    assert len({number for numbers in drawn for number in numbers}) == 2 * len(EXERCISES)
    assert all(type(number) is int and 0 <= number < 2**31 for numbers in drawn for number in numbers)


@pytest.mark.parametrize("id", ["01.sigmoyd", "sigmoid", ""])
def test_an_unknown_exercise_is_refused(id):
    with pytest.raises(UnknownExercise):
        checks.hidden_seeds(id)


def test_the_graders_numbers_take_their_place_and_nothing_public_is_left():
    seeds.use({"01.sigmoid": [5, 6, 7, 8]})
    assert checks.hidden_seeds("01.sigmoid") == (5, 6, 7, 8)
    with pytest.raises(UnknownExercise, match=r"gave no hidden seeds for '01\.xor', only for 01\.sigmoid"):
        checks.hidden_seeds("01.xor")
    seeds.use({})
    with pytest.raises(UnknownExercise, match="only for none"):
        checks.hidden_seeds("01.sigmoid")


def test_the_grader_sets_them_without_torch():
    code = (
        "import sys; from dlcourse.checks import seeds, hidden_seeds; seeds.use({'01.sigmoid': [1]})\n"
        "assert hidden_seeds('01.sigmoid') == (1,)\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("notebook", SOLUTIONS, ids=lambda path: path.parent.name)
def test_every_hidden_test_repeats_its_own_check_over_its_own_seeds(notebook):
    """The whole region is one loop, so no number stands in it that a learner could look up."""
    tests = [
        "".join(cell["source"])
        for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]
        if cell["metadata"].get("nbgrader", {}).get("grade") and cell["cell_type"] == "code"
    ]
    assert tests
    asked = set()
    for test in tests:
        visible, rest = test.split("### BEGIN HIDDEN TESTS\n")
        region, after = rest.split("### END HIDDEN TESTS")
        assert not after.strip()
        (loop,) = ast.parse(region).body
        (id,) = (argument.value for argument in loop.iter.args)
        name = EXERCISES[id].name
        call, answer = f"checks.{name}(", visible.strip().removeprefix(f"checks.{name}(").removesuffix(")")
        assert visible.strip() == f"{call}{answer})"
        assert ast.unparse(loop.iter) == f"checks.hidden_seeds('{id}')"
        assert [ast.unparse(line) for line in loop.body] == [f"{call}{answer}, seed={loop.target.id})"]
        assert id.split(".")[0] == notebook.name.split("-")[0]
        asked.add(id)
    assert len(asked) == len(tests)


def test_every_exercise_of_an_exercise_notebook_has_a_hidden_test():
    in_notebooks = {id for id, exercise in EXERCISES.items() if exercise.where.startswith("exercises/")}
    hidden = {id for id in EXERCISES for path in SOLUTIONS if f'hidden_seeds(\\"{id}\\")' in path.read_text("utf-8")}
    assert hidden == in_notebooks
