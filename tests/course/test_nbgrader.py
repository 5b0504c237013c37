"""Plain nbgrader, as an instructor runs it, on every exercise notebook: the solution earns all, the untouched exercise
nothing. It runs in processes of its own, from an empty folder with the course's nbgrader_config.py, for 20 s a chapter:
so every chapter after the first is slow."""

import json
import shutil
from pathlib import Path

import pytest
from dlcourse_nbgrader import run

ROOT = Path(__file__).parents[2]
ASSIGNMENTS = sorted(path.parent.name for path in (ROOT / "solutions").glob("*/*.ipynb"))

READ_SCORES = """
import json
from nbgrader.api import Gradebook

with Gradebook("sqlite:///gradebook.db") as gradebook:
    grades = [
        (submission.student.id, grade.name, grade.auto_score, grade.max_score, grade.needs_manual_grade)
        for submission in gradebook.assignment_submissions({assignment!r})
        for notebook in submission.notebooks
        for grade in notebook.grades
    ]
print(json.dumps(grades))
"""


@pytest.fixture(
    scope="module",
    params=[ASSIGNMENTS[0], *(pytest.param(name, marks=pytest.mark.slow) for name in ASSIGNMENTS[1:])],
)
def graded(request, tmp_path_factory):
    """(folder, assignment) after generate_assignment and one autograde of two submissions, `solved` and `untouched`."""
    assignment, folder = request.param, tmp_path_factory.mktemp("course")
    notebook = f"{assignment}-exercises.ipynb"
    shutil.copy(ROOT / "nbgrader_config.py", folder)
    shutil.copytree(ROOT / "solutions" / assignment, folder / "solutions" / assignment)
    for student, room in (("solved", "solutions"), ("untouched", "exercises")):
        submission = folder / "submitted" / student / assignment
        submission.mkdir(parents=True)
        shutil.copy(ROOT / room / assignment / notebook, submission)
    run(folder, "-m", "nbgrader", "generate_assignment", assignment)
    run(folder, "-m", "nbgrader", "autograde", assignment)
    return folder, assignment


@pytest.fixture(scope="module")
def grades(graded):
    """student -> cell -> (score given by nbgrader, points, whether a person must look)."""
    folder, assignment = graded
    table: dict[str, dict[str, tuple]] = {"solved": {}, "untouched": {}}
    for student, cell, *grade in json.loads(run(folder, "-c", READ_SCORES.format(assignment=assignment))):
        table[student][cell] = tuple(grade)
    return table


def outputs(folder: Path, assignment: str, student: str) -> str:
    """What the cells of a graded submission printed and raised, for a failure's message."""
    path = folder / "autograded" / student / assignment / f"{assignment}-exercises.ipynb"
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return json.dumps([(cell["id"], cell["outputs"]) for cell in cells if cell.get("outputs")], indent=1)[-4000:]


def test_every_test_cell_is_graded(graded, grades):
    folder, assignment = graded
    cells = json.loads((folder / "solutions" / assignment / f"{assignment}-exercises.ipynb").read_bytes())["cells"]
    points = {
        cell["id"]: cell["metadata"]["nbgrader"]["points"]
        for cell in cells
        if cell["metadata"].get("nbgrader", {}).get("grade")
    }
    assert points
    for table in grades.values():
        assert {cell: maximum for cell, (_, maximum, _) in table.items()} == points


def test_solution_scores_full(graded, grades):
    by_machine = {cell: grade for cell, grade in grades["solved"].items() if cell.endswith("-test")}
    lost = {cell: grade for cell, grade in by_machine.items() if grade[0] != grade[1]}
    assert not lost, outputs(*graded, "solved")


def test_a_person_reads_the_manual_answers(grades):
    for cell, (score, _, needs_a_person) in grades["solved"].items():
        if cell.endswith("-manual"):
            assert (score, needs_a_person) == (None, True)


def test_untouched_exercise_scores_nothing(graded, grades):
    """Manual cells too: nbgrader gives nothing for one that was left as it was released, and asks nobody."""
    assert [score for score, _, _ in grades["untouched"].values()] == [0] * len(grades["untouched"]), outputs(
        *graded, "untouched"
    )
    assert not any(needs_a_person for _, _, needs_a_person in grades["untouched"].values())


def test_nbgrader_releases_the_committed_exercise(graded):
    """The course build runs nbgrader's release steps in memory; nbgrader's own command gives the same bytes."""
    folder, assignment = graded
    name = Path("exercises", assignment, f"{assignment}-exercises.ipynb")
    assert (folder / name).read_bytes() == (ROOT / name).read_bytes()
