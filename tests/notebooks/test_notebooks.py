"""The course's own notebooks keep to the rules. Nothing is skipped: a missing notebook is a failure."""

from pathlib import Path

import pytest

from dlcourse.course.lint import lint_glossary, lint_notebook, lint_source

ROOT = Path(__file__).resolve().parents[2]
CHAPTERS = sorted(path.stem for path in (ROOT / "chapters").glob("[0-9]*.md"))
SOURCES = [*sorted((ROOT / "chapters").glob("*.md")), *sorted((ROOT / "solutions").glob("*.md"))]
EXERCISES = sorted(path.stem for path in (ROOT / "solutions").glob("*.md"))
NOTEBOOKS = [
    *(ROOT / "chapters" / f"{name}.ipynb" for name in CHAPTERS),
    *(ROOT / shelf / name / f"{name}-exercises.ipynb" for shelf in ("solutions", "exercises") for name in EXERCISES),
]


def named(path):
    return str(path.relative_to(ROOT))


def test_the_first_chapters_are_there():
    assert {"00-start", "00b-toolkit", "01-neurons"} <= set(CHAPTERS)
    assert "01-neurons" in EXERCISES


@pytest.mark.parametrize("path", NOTEBOOKS, ids=named)
def test_notebook(path):
    assert not [str(problem) for problem in lint_notebook(path)]


@pytest.mark.parametrize("path", SOURCES, ids=named)
def test_source(path):
    assert not [str(problem) for problem in lint_source(path)]


def test_no_notebook_without_a_source():
    built = {path for shelf in ("chapters", "solutions", "exercises") for path in (ROOT / shelf).rglob("*.ipynb")}
    built = {path for path in built if ".ipynb_checkpoints" not in path.parts}
    assert built - set(NOTEBOOKS) == set()


def test_glossary():
    assert not [str(problem) for problem in lint_glossary(ROOT)]
