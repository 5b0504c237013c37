"""The course build, on a course of two files in a temporary folder, and on the real tree."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import nbformat
import pytest

from dlcourse.checks.registry import EXERCISES
from dlcourse.course import CourseError
from dlcourse.course import build as building
from dlcourse.course.build import build

ROOT = Path(__file__).parents[2]

HEAD = """\
---
kernelspec:
  display_name: Python 3 (ipykernel)
  language: python
  name: python3
---

"""

CHAPTER = (
    HEAD
    + """\
# 1 · Tiny

About {{minutes}} minutes. **Größe**, naïve, 数.

```{code-cell} ipython3
x = 1
```

Between.

```{code-cell} ipython3
x = 1
```

+++ {"tags": ["wide"]}

Last words.
"""
)

SOLUTION = (
    HEAD
    + """\
# Exercises

```{code-cell} ipython3
import math

from dlcourse.checks import NotStarted
```

```{code-cell} ipython3
---
nbgrader: {role: answer, id: twice}
---
def twice(x):
    \"\"\"Two times x.\"\"\"
    ### BEGIN SOLUTION
    secret_of_the_solution = 2 * x
    return secret_of_the_solution
    ### END SOLUTION
```

```{code-cell} ipython3
---
nbgrader: {role: test, id: twice, points: 2}
tags: [wide]
---
assert twice(1) == 2
### BEGIN HIDDEN TESTS
assert twice(21) == 42, "secret of the hidden test"
### END HIDDEN TESTS
```

```{code-cell} ipython3
---
nbgrader: {role: answer, id: at-once}
---
### BEGIN SOLUTION
secret_number = 7
### END SOLUTION
print(secret_number)
```

```{code-cell} ipython3
---
nbgrader: {role: manual, id: program, points: 1.5}
---
secret_program = math.pi
```

+++ {"nbgrader": {"role": "locked", "id": "task"}}

Why?

+++ {"nbgrader": {"role": "manual", "id": "explain", "points": 4}}

A secret sample answer, with a number: 42.
"""
)

NAMES = [
    "chapters/01-tiny.ipynb",
    "exercises/01-tiny/01-tiny-exercises.ipynb",
    "solutions/01-tiny/01-tiny-exercises.ipynb",
]


@pytest.fixture
def course(tmp_path, monkeypatch):
    """A course of one chapter and one solutions notebook, unbuilt."""
    monkeypatch.setattr(building, "_exercise_minutes", lambda chapter: {"01-tiny": 20}[chapter])
    for room, text in (("chapters", CHAPTER), ("solutions", SOLUTION)):
        (tmp_path / room).mkdir()
        (tmp_path / room / "01-tiny.md").write_text(text, encoding="utf-8")
    (tmp_path / "chapters" / "notation.md").write_text("A page, not a notebook.\n", encoding="utf-8")
    shutil.copy(ROOT / "nbgrader_config.py", tmp_path)
    return tmp_path


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def content(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def cells(path: Path) -> list[nbformat.NotebookNode]:
    return nbformat.read(path, as_version=nbformat.NO_CONVERT).cells


def posix(paths) -> list[str]:
    return sorted(path.as_posix() for path in paths)


def test_builds_every_notebook_and_nothing_else(course):
    report = build(course)
    assert posix(report.written) == NAMES
    assert report.ok
    assert sorted(name for name in content(course) if name.endswith(".ipynb")) == NAMES


def test_notebooks_are_plain(course):
    build(course)
    for name in NAMES:
        raw = (course / name).read_bytes()
        assert raw.endswith(b"}\n")
        assert b"\r" not in raw
        notebook = json.loads(raw)
        assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
        assert notebook["metadata"] == {
            "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        }
        for cell in notebook["cells"]:
            assert cell.get("outputs", []) == []
            assert cell.get("execution_count") is None
    first = cells(course / NAMES[0])
    assert [cell.cell_type for cell in first] == ["markdown", "code", "markdown", "code", "markdown"]
    assert "**Größe**, naïve, 数." in first[0].source
    assert first[4].metadata == {"tags": ["wide"]}


def test_second_run_touches_nothing(course):
    build(course)
    before = {name: (course / name).stat().st_mtime_ns for name in NAMES}
    first = content(course)
    report = build(course)
    assert report.written == ()
    assert report.lines() == ["Every notebook is up to date."]
    assert content(course) == first
    assert {name: (course / name).stat().st_mtime_ns for name in NAMES} == before


def test_only_the_changed_notebook_is_written(course):
    build(course)
    edit(course / "chapters/01-tiny.md", "Between.", "In between.")
    assert posix(build(course).written) == NAMES[:1]


def test_same_bytes_elsewhere(course, tmp_path_factory):
    """Another folder, locale, hash seed and time zone, and sources with Windows' line ends."""
    build(course)
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    for name in ("chapters/01-tiny.md", "solutions/01-tiny.md", "nbgrader_config.py"):
        (elsewhere / name).parent.mkdir(exist_ok=True)
        (elsewhere / name).write_bytes((course / name).read_bytes().replace(b"\n", b"\r\n"))
    program = (
        "import sys; from dlcourse.course import build as b; "
        "b._exercise_minutes = lambda chapter: 20; b.build(sys.argv[1])"
    )
    environment = {
        **os.environ,
        **{"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0", "PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo"},
    }
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program, str(elsewhere)], env=environment, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert {name: (elsewhere / name).read_bytes() for name in NAMES} == {n: (course / n).read_bytes() for n in NAMES}


# ---- ids and minutes


def test_cell_ids_outlive_a_neighbour(course):
    source = course / "chapters/01-tiny.md"
    build(course)
    before = [cell.id for cell in cells(course / NAMES[0])]
    assert len(set(before)) == 5
    assert before[3] == f"{before[1]}-2", "two equal cells"
    edit(source, "Between.", "In between.\n\n```{code-cell} ipython3\ny = 2\n```\n\nMore words.")
    build(course)
    after = [cell.id for cell in cells(course / NAMES[0])]
    assert [after[0], after[1], after[5], after[6]] == [before[0], before[1], before[3], before[4]]
    assert before[2] not in after


def test_equal_markdown_and_code_have_different_ids():
    both = [nbformat.v4.new_markdown_cell("x"), nbformat.v4.new_code_cell("x")]
    building._give_ids(both)
    assert both[0].id != both[1].id


def test_minutes_are_words_and_ceilings(course, monkeypatch):
    edit(course / "chapters/01-tiny.md", "Last words.", "word " * 1500)
    build(course)
    first = cells(course / NAMES[0])
    # Eleven words stand around the 1,500: 1511 / 150 + 20 = 30.07.
    assert "About 31 minutes." in first[0].source
    assert "{{" not in first[0].source

    monkeypatch.setattr(building, "_exercise_minutes", lambda chapter: 60)
    build(course)
    assert "About 71 minutes." in cells(course / NAMES[0])[0].source
    assert cells(course / NAMES[0])[0].id == first[0].id, "a new estimate is not a new cell"


# ---- nbgrader


def test_roles_expand(course):
    build(course)
    by_id = {cell.id: cell for cell in cells(course / NAMES[2])}
    switches = {
        name: tuple(cell.metadata.nbgrader[key] for key in ("grade", "solution", "locked", "task"))
        for name, cell in by_id.items()
        if "nbgrader" in cell.metadata
    }
    assert switches == {
        "twice-answer": (False, True, False, False),
        "twice-test": (True, False, True, False),
        "at-once-answer": (False, True, False, False),
        "program-manual": (True, True, False, False),
        "task-locked": (False, False, True, False),
        "explain-manual": (True, True, False, False),
    }
    assert {name: by_id[name].metadata.nbgrader.get("points") for name in switches} == {
        "twice-answer": None,
        "twice-test": 2,
        "at-once-answer": None,
        "program-manual": 1.5,
        "task-locked": None,
        "explain-manual": 4,
    }
    for name in switches:
        assert by_id[name].metadata.nbgrader.grade_id == name
        assert by_id[name].metadata.nbgrader.schema_version == 3
    assert {name: by_id[name].metadata.get("tags") for name in switches} == {
        "twice-answer": None,  # a definition alone raises nothing
        "twice-test": ["raises-exception", "wide"],
        "at-once-answer": ["raises-exception"],
        "program-manual": ["raises-exception"],
        "task-locked": None,
        "explain-manual": None,
    }


def test_released_exercise(course):
    build(course)
    by_id = {cell.id: cell for cell in cells(course / NAMES[1])}
    assert list(by_id) == [cell.id for cell in cells(course / NAMES[2])]
    assert by_id["twice-answer"].source == dedent(
        '''\
        def twice(x):
            """Two times x."""
            raise NotStarted  # replace this line with your code'''
    )
    assert by_id["twice-test"].source == "assert twice(1) == 2"
    assert by_id["at-once-answer"].source == (
        "raise NotStarted  # replace this line with your code\nprint(secret_number)"
    )
    assert by_id["program-manual"].source == "raise NotStarted  # replace this line with your code"
    assert by_id["task-locked"].source == "Why?"
    assert by_id["explain-manual"].source == "*Write your answer here, in place of this line.*"
    assert by_id["twice-test"].metadata.editable is False
    for name in ("twice-answer", "twice-test", "explain-manual"):
        assert len(by_id[name].metadata.nbgrader.checksum) == 32
    text = (course / NAMES[1]).read_text(encoding="utf-8").replace("print(secret_number)", "")
    assert "secret" not in text


def replaced(old: str, new: str):
    return lambda course: edit(course / "solutions/01-tiny.md", old, new)


FAULTS = {
    "unknown role": (replaced("role: answer, id: twice", "role: anwser, id: twice"), "code cell 3", "answer, test"),
    "unknown key": (replaced("id: twice, points: 2", "id: twice, point: 2"), "code cell 4", "points: ..."),
    "no id": (replaced("{role: answer, id: twice}", "{role: answer}"), "code cell 3", "role: ..., id: ..."),
    "bad id": (replaced("role: answer, id: twice", "role: answer, id: twi.ce"), "code cell 3", "'twi.ce'"),
    "not a table": (replaced("{role: answer, id: twice}", "answer"), "code cell 3", "'answer'"),
    "duplicate id": (replaced("id: at-once", "id: twice"), "code cell 3", "'twice-answer'"),
    "points on an answer": (replaced("answer, id: twice", "answer, points: 1, id: twice"), "code cell 3", "has points"),
    "no points": (replaced("test, id: twice, points: 2", "test, id: twice"), "code cell 4", "above 0"),
    "no number": (replaced("points: 2", "points: two"), "code cell 4", "above 0"),
    "zero points": (replaced("points: 2", "points: 0"), "code cell 4", "above 0"),
    "points true": (replaced("points: 2", "points: true"), "code cell 4", "above 0"),
    "markdown test": (replaced('"manual", "id"', '"test", "id"'), "markdown cell 8", "'manual' or 'locked'"),
    "misspelt begin": (replaced("BEGIN HIDDEN TESTS", "BEGIN HIDEN TESTS"), "code cell 4", "BEGIN HIDEN TESTS"),
    "lower case": (replaced("### BEGIN HIDDEN", "### begin hidden"), "code cell 4", "### BEGIN or ### END"),
    "no begin": (replaced("### BEGIN HIDDEN TESTS\n", ""), "code cell 4", "no region is open"),
    "no end": (replaced("    ### END SOLUTION\n", ""), "code cell 3", "no end to it"),
    "nested": (replaced("    return secret", "    ### BEGIN SOLUTION\n    return secret"), "code cell 3", "is open"),
    "hidden test in an answer": (
        lambda course: (
            replaced("### BEGIN SOLUTION", "### BEGIN HIDDEN TESTS")(course),
            replaced("### END SOLUTION", "### END HIDDEN TESTS")(course),
        ),
        "code cell 3",
        "role test",
    ),
    "mark scheme": (replaced("A secret sample", "### BEGIN MARK SCHEME\nA secret sample"), "markdown cell 8", "MARK"),
    "solution outside": (replaced("# Exercises", "# Exercises\n### BEGIN SOLUTION"), "markdown cell 1", "answer or"),
    "no python": (replaced("return secret_of", "return return secret_of"), "code cell 3", "no Python"),
    "yaml": (replaced("{role: answer, id: twice}", "{role: answer"), "solutions/01-tiny.md", "MyST"),
    "autotest": (replaced("assert twice(1)", "### AUTOTEST twice(1)\nassert twice(1)"), "solutions/01-tiny.md", ""),
    "graded cell in a chapter": (
        lambda course: edit(course / "chapters/01-tiny.md", '{"tags": ["wide"]}', '{"nbgrader": {"role": "locked"}}'),
        "chapters/01-tiny.md: markdown cell 5",
        "solutions/",
    ),
    "no configuration": (lambda course: (course / "nbgrader_config.py").unlink(), "nbgrader_config.py", "none"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_name_file_and_cell_and_change_nothing(course, capfd, fault):
    build(course)
    edit(course / "chapters/01-tiny.md", "Last words.", "Other words, which must not be written either.")
    spoil, where, what = FAULTS[fault]
    spoil(course)
    before = content(course)
    for check in (False, True):
        with pytest.raises(CourseError) as raised:
            build(course, check=check)
        message = str(raised.value)
        assert where in message
        assert what in message
        assert "01-tiny.md" in message or fault == "no configuration"
    assert content(course) == before
    assert capfd.readouterr() == ("", "")


def test_fault_shows_how_the_cell_begins(course):
    replaced("role: answer, id: twice", "role: anwser, id: twice")(course)
    with pytest.raises(CourseError) as raised:
        build(course)
    assert str(raised.value) == (
        "solutions/01-tiny.md: code cell 3, which begins 'def twice(x):', "
        "has the role 'anwser'; the roles are answer, test, manual, locked."
    )


@pytest.mark.parametrize("missing", ["jupytext", "nbgrader.converters"])
def test_missing_author_tools(course, monkeypatch, missing):
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(CourseError, match=r"pip install 'dlcourse\[author\]'"):
        build(course)


def test_a_failed_write_leaves_no_half_file(course, monkeypatch):
    build(course)
    edit(course / "chapters/01-tiny.md", "Between.", "In between.")
    before = content(course)

    def full_disk(source, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full_disk)
    with pytest.raises(OSError, match="No space left"):
        build(course)
    assert content(course) == before


# ---- check


def test_check_before_the_first_build(course):
    before = content(course)
    report = build(course, check=True)
    assert posix(report.stale) == NAMES
    assert report.written == ()
    assert not report.ok
    assert content(course) == before


@pytest.mark.parametrize(
    ("name", "old", "new", "stale"),
    [
        ("chapters/01-tiny.md", "Between.", "In between.", NAMES[:1]),
        ("solutions/01-tiny.md", "2 * x", "x * 2", NAMES[2:]),  # the learner's copy is the same
        ("solutions/01-tiny.md", "# Exercises", "# More exercises", NAMES[1:]),
        (NAMES[1], "Two times x.", "Three times x.", NAMES[1:2]),  # edited by hand
        (NAMES[0], '"kernelspec"', '"edited": 1,\n  "kernelspec"', NAMES[:1]),
        ("nbgrader_config.py", "raise NotStarted", "raise NotImplementedError", NAMES[1:2]),
    ],
)
def test_check_lists_the_stale(course, name, old, new, stale):
    build(course)
    assert build(course, check=True).ok
    edit(course / name, old, new)
    before = content(course)
    report = build(course, check=True)
    assert posix(report.stale) == stale
    assert all(f"stale     {name}" in report.lines() for name in stale)
    assert content(course) == before
    build(course)
    assert build(course, check=True).ok


def test_orphans_are_told_and_kept(course):
    build(course)
    (course / "chapters/01-tiny.md").rename(course / "chapters/02-tiny.md.txt")
    (course / "exercises/01-tiny/answers.py").write_text("x = 1\n")
    (course / "exercises/01-tiny/.ipynb_checkpoints").mkdir()
    (course / "exercises/01-tiny/.ipynb_checkpoints/a-checkpoint.ipynb").write_text("{}")
    before = content(course)
    for check in (False, True):
        report = build(course, check=check)
        assert posix(report.orphaned) == ["chapters/01-tiny.ipynb", "exercises/01-tiny/answers.py"]
        assert not report.ok
        assert "orphaned  chapters/01-tiny.ipynb" in report.lines()[0]
    assert content(course) == before


# ---- the real tree


def test_committed_notebooks_are_what_the_sources_give():
    report = build(ROOT, check=True)
    assert report.ok, "\n".join(report.lines())


def test_points_are_those_of_the_registry():
    """A test cell called `sigmoid` in chapter 01 belongs to exercise 01.sigmoid."""
    checked = 0
    for path in (ROOT / "solutions").glob("*/*.ipynb"):
        for cell in cells(path):
            if cell.id.endswith("-test"):
                exercise = EXERCISES[f"{path.stem.split('-')[0]}.{cell.id.removesuffix('-test')}"]
                assert cell.metadata.nbgrader.points == exercise.points, cell.id
                checked += 1
    assert checked >= 6


def test_minutes_come_from_the_registry():
    expected = sum(exercise.minutes for exercise in EXERCISES.values() if exercise.id.startswith("01."))
    assert building._exercise_minutes("01-neurons") == expected > 0
    assert building._exercise_minutes("97-none") == 0
