"""The spec: what the release shows, what it hides, and which notebooks it refuses."""

import ast
import json
import shutil
from pathlib import Path

import nbformat
import pytest
from traitlets.config import Config

from dlcourse.course import CourseError
from dlcourse.course import build as building
from dlcourse.course.grading.spec import NoAssignment, Spec, SpecCell, read_spec

ROOT = Path(__file__).parents[3]
ASSIGNMENTS = sorted(path.parent.name for path in (ROOT / "solutions").glob("*/*.ipynb"))

SWITCHES = {
    "answer": {"grade": False, "solution": True, "locked": False},
    "test": {"grade": True, "solution": False, "locked": True},
    "manual": {"grade": True, "solution": True, "locked": False},
    "locked": {"grade": False, "solution": False, "locked": True},
    "task": {"grade": False, "solution": False, "locked": True, "task": True},
}


def cell(role: str, name: str, source: str | list, kind: str = "code", points: object = None, **marked) -> dict:
    """A cell as nbgrader's own tools save it; a role of "" leaves it plain, with `name` as the cell's id."""
    made = {"cell_type": kind, "id": name, "metadata": {}, "source": source}
    if kind == "code":
        made |= {"outputs": [], "execution_count": None}
    if role:
        nbgrader = {"schema_version": 3, "task": False, **SWITCHES[role], "grade_id": name, **marked}
        if points is not None:
            nbgrader["points"] = points
        made |= {"metadata": {"nbgrader": nbgrader}, "id": f"of-{name}"}
    return made


def notebook(*cells: dict, **metadata) -> dict:
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": metadata, "cells": list(cells)}


def write(course: Path, content: dict | str, name: str = "ps1.ipynb") -> Path:
    folder = course / "solutions" / "ps1"
    folder.mkdir(parents=True, exist_ok=True)
    text = content if isinstance(content, str) else json.dumps(content)
    (folder / name).write_text(text, encoding="utf-8")
    return course


def spec_of(course: Path, *cells: dict) -> Spec:
    return read_spec(write(course, notebook(*cells)), "ps1")


# nbgrader as its documentation has it: no dlcourse, no config, several regions, half points, partial credit, a task.
PLAIN = (
    cell("", "intro", "# Problem set 1", "markdown"),
    cell("", "imports", "import math\n\nlimit = 3"),
    cell("answer", "squares", "def squares(n):\n    ### BEGIN SOLUTION\n    return [i * i for i in range(n)]\n"
         "    ### END SOLUTION\n\nassert callable(squares)"),
    cell("test", "squares-half", "assert squares(1) == [0]", points=0.5),
    cell("test", "squares-regions", "assert squares(2) == [0, 1]\n### BEGIN HIDDEN TESTS\n"
         "assert squares(3) == [0, 1, 4]\n### END HIDDEN TESTS\nassert squares(0) == []\n### BEGIN HIDDEN TESTS\n"
         "assert squares(9)[-1] == 64\n### END HIDDEN TESTS", points=2),
    cell("test", "squares-all", "### BEGIN HIDDEN TESTS\nassert squares(4)[3] == 9\n### END HIDDEN TESTS", points=1),
    cell("answer", "whole", "secret_of_the_whole = 7"),
    cell("test", "partial", "score = 0\nif squares(2) == [0, 1]:\n    score += 1\n### BEGIN HIDDEN TESTS\n"
         "if squares(5)[-1] == 16:\n    score += 1\n### END HIDDEN TESTS\nscore", points=2),
    cell("test", "inside", "for n in (1, 2):\n    assert len(squares(n)) == n\n    ### BEGIN HIDDEN TESTS\n"
         "    assert squares(n)[0] == 0\n    ### END HIDDEN TESTS", points=1),
    cell("manual", "why", "A secret sample answer.", "markdown", points=3),
    cell("manual", "program", "print(1)\n### BEGIN SOLUTION\nprint('secret')\n### END SOLUTION", points=1.5),
    cell("locked", "read-me", "Read this.", "markdown"),
    cell("locked", "given", "data = [1, 2]"),
    cell("task", "project", "Do a project.\n### BEGIN MARK SCHEME\nsecret marks\n### END MARK SCHEME", "markdown", 4),
)  # fmt: skip


@pytest.mark.parametrize("assignment", ASSIGNMENTS)
def test_real_assignments_are_released_to_the_letter(assignment):
    spec = read_spec(ROOT, assignment)
    released = json.loads((ROOT / "exercises" / assignment / spec.notebook).read_text(encoding="utf-8"))["cells"]
    assert [(c.id, c.kind, c.source) for c in spec.cells] == [
        (c["id"], c["cell_type"], "".join(c["source"])) for c in released
    ]
    assert [(c.id, c.points) for c in spec.tests + spec.manual] == [
        (c["metadata"]["nbgrader"]["grade_id"], c["metadata"]["nbgrader"]["points"])
        for wanted in (False, True)
        for c in released
        if c["metadata"].get("nbgrader", {}).get("grade") and c["metadata"]["nbgrader"]["solution"] is wanted
    ]
    assert spec.points >= 18
    for test in spec.tests:
        ast.parse(test.hidden)
        assert "hidden_seed" in test.hidden
        assert "hidden_seed" not in test.source
        # The regions alone: what a learner sees anyway need not run twice.
        assert test.source not in test.hidden


def test_a_plain_notebook_is_released_as_nbgrader_does_it(tmp_path):
    spec = spec_of(tmp_path, *PLAIN)
    config = Config()
    config.SaveCells.enabled = False
    config.GenerateAssignment.no_database = True
    released = building._release(nbformat.from_dict(notebook(*PLAIN)), config, "ps1").cells
    assert [(c.kind, c.source) for c in spec.cells] == [(c.cell_type, c.source) for c in released]
    assert "secret" not in "".join(c.source for c in spec.cells)


def test_roles_points_and_order(tmp_path):
    spec = spec_of(tmp_path, *PLAIN)
    assert (spec.assignment, spec.notebook) == ("ps1", "ps1.ipynb")
    assert [(c.id, c.role) for c in spec.cells] == [
        ("intro", ""),
        ("imports", ""),
        ("squares", "answer"),
        ("squares-half", "test"),
        ("squares-regions", "test"),
        ("squares-all", "test"),
        ("whole", "answer"),
        ("partial", "test"),
        ("inside", "test"),
        ("why", "manual"),
        ("program", "manual"),
        ("read-me", "locked"),
        ("given", "locked"),
        ("project", "task"),
    ]
    assert [c.points for c in spec.tests] == [0.5, 2, 1, 2, 1]
    assert [(c.id, c.points) for c in spec.manual] == [("why", 3), ("program", 1.5), ("project", 4)]
    assert spec.points == 15
    assert all(type(c.points) is float for c in spec.cells)


def hidden(spec: Spec, name: str) -> str:
    return next(c.hidden for c in spec.cells if c.id == name)


def test_the_hidden_program_keeps_what_it_stands_on(tmp_path):
    """A region may use the visible part's names, stand in its loop, or count towards the number at the end."""
    spec = spec_of(tmp_path, *PLAIN)
    assert hidden(spec, "squares-half") == ""
    assert hidden(spec, "squares-all").strip() == "assert squares(4)[3] == 9"
    right, wrong = {"squares": lambda n: [i * i for i in range(n)]}, {"squares": lambda n: list(range(n))}
    for test in spec.tests:
        exec(test.source, dict(right))
        exec(test.hidden, dict(right))
    for name in ("squares-regions", "squares-all"):
        with pytest.raises(AssertionError):
            exec(hidden(spec, name), dict(wrong))
    body = ast.parse(hidden(spec, "partial")).body
    assert ast.unparse(body[-1]) == "score"
    for functions, score in ((right, 2), (wrong, 1)):
        exec(hidden(spec, "partial"), names := dict(functions))
        assert names["score"] == score


def test_regions_after_checks_stand_alone(tmp_path):
    region = "### BEGIN HIDDEN TESTS\nfor s in (1, 2):\n    checks.f(f, seed=s)\n### END HIDDEN TESTS"
    alone = "for s in (1, 2):\n    checks.f(f, seed=s)"
    for number, (before, wanted) in enumerate(
        {
            "checks.f(f)\n": alone,
            "checks.f(f)\nchecks.g(f)\n": alone,
            "g = checks.f(f)\n": f"g = checks.f(f)\n{alone}",
            "f.fit()\n": f"f.fit()\n{alone}",
            "%matplotlib inline\n": f"%matplotlib inline\n{alone}",
        }.items()
    ):
        spec = spec_of(tmp_path, cell("test", f"t{number}", before + region, points=1))
        assert spec.cells[0].hidden == wanted
        assert spec.cells[0].source == before.rstrip("\n")


def test_stubs_and_markers_come_from_the_course(tmp_path):
    shutil.copy(ROOT / "nbgrader_config.py", tmp_path)
    spec = spec_of(tmp_path, *PLAIN)
    sources = {c.id: c.source for c in spec.cells}
    assert sources["whole"] == "raise NotStarted  # replace this line with your code"
    assert sources["squares"].split("\n")[1] == "    raise NotStarted  # replace this line with your code"
    assert sources["why"] == "*Write your answer here, in place of this line.*"
    (tmp_path / "nbgrader_config.py").write_text(
        "c = get_config()\n"
        "c.ClearSolutions.begin_solution_delimeter = 'VON HIER'\nc.ClearSolutions.end_solution_delimeter = 'BIS HIER'\n"
        "c.ClearHiddenTests.begin_test_delimeter = 'GEHEIM AN'\nc.ClearHiddenTests.end_test_delimeter = 'GEHEIM AUS'\n"
    )
    spec = spec_of(
        tmp_path,
        cell("answer", "a", "x = 1\n# VON HIER\ny = 2\n# BIS HIER"),
        cell("test", "t", "assert x\n# GEHEIM AN\nassert y\n# GEHEIM AUS", points=1),
    )
    assert spec.cells[0].source == "x = 1\n# YOUR CODE HERE\nraise NotImplementedError()"
    assert (spec.cells[1].source, spec.cells[1].hidden) == ("assert x", "assert x\nassert y")
    (tmp_path / "nbgrader_config.py").write_text("c = get_config()\n1 / 0\n")
    with pytest.raises(CourseError, match=r"nbgrader_config\.py could not be read: division by zero"):
        read_spec(tmp_path, "ps1")


def test_the_digest_is_of_everything(tmp_path):
    spec = spec_of(tmp_path, *PLAIN)
    assert len(spec.digest) == 64
    assert read_spec(tmp_path, "ps1").digest == spec.digest
    plain = json.loads(json.dumps(spec.plain()))
    assert Spec.from_plain(plain) == spec
    digests = {spec.digest}
    for field, value in {"id": "z", "kind": "raw", "role": "", "source": "z", "hidden": "z", "points": 9.0}.items():
        changed = json.loads(json.dumps(plain))
        changed["cells"][5][field] = value
        digests.add(Spec.from_plain(changed).digest)
    digests |= {
        Spec.from_plain({**plain, "assignment": "z"}).digest,
        Spec.from_plain({**plain, "notebook": "z"}).digest,
    }
    digests.add(Spec.from_plain({**plain, "cells": plain["cells"][::-1]}).digest)
    assert len(digests) == 10


def test_whole_points_give_the_digest_of_the_same_number(tmp_path):
    first = spec_of(tmp_path, cell("test", "t", "assert f()", points=2))
    assert spec_of(tmp_path, cell("test", "t", "assert f()", points=2.0)).digest == first.digest
    assert Spec.from_plain({**first.plain(), "cells": [{**first.plain()["cells"][0], "points": 2}]}) == first


def test_cells_without_a_role_have_ids_of_their_own(tmp_path):
    """Also in a notebook of format 4.4, which has none, and where an id is somebody's grade_id."""
    bare = {key: value for key, value in cell("", "", "1").items() if key != "id"}
    plain = cell("", "t", "2")
    marked_but_ordinary = cell("locked", "t", "3", locked=False)
    spec = spec_of(tmp_path, bare, plain, cell("test", "t", "assert f", points=1), marked_but_ordinary, bare)
    ids = [c.id for c in spec.cells]
    assert len(set(ids)) == 5
    assert ids[2] == "t"
    assert [c.role for c in spec.cells] == ["", "", "test", "", ""]
    assert read_spec(tmp_path, "ps1").digest == spec.digest


def test_sources_as_lines_or_text(tmp_path):
    spec = spec_of(tmp_path, cell("", "a", ["x = 1\r\n", "y = 2"]), cell("", "b", "x = 1\ny = 2"))
    assert spec.cells[0].source == spec.cells[1].source == "x = 1\ny = 2"
    assert spec.cells[0] == SpecCell("a", "code", "", "x = 1\ny = 2")


TEST = "assert f()\n### BEGIN HIDDEN TESTS\nassert f(2)\n### END HIDDEN TESTS"

REFUSED = {
    "a solution outside an answer": (cell("", "x", "### BEGIN SOLUTION\n1\n### END SOLUTION"), "answer cells"),
    "a solution in a test": (cell("test", "x", "### BEGIN SOLUTION\n1\n### END SOLUTION", points=1), "answer cells"),
    "a solution in a locked cell": (cell("locked", "x", "### BEGIN SOLUTION\n1\n### END SOLUTION"), "answer cells"),
    "hidden tests outside a test": (cell("locked", "x", TEST), "test cells"),
    "hidden tests beside a solution": (
        cell("answer", "x", f"### BEGIN SOLUTION\n1\n### END SOLUTION\n{TEST}"), "test cells"),
    "a misspelt marker": (cell("test", "x", TEST.replace("HIDDEN TESTS", "hidden tests"), points=1), "released with"),
    "a marker in the singular": (cell("test", "x", TEST.replace("TESTS", "TEST"), points=1), "released with"),
    "a misspelt solution": (
        cell("answer", "x", "### BEGIN SOLUTION\n1\n### END SOLUTION\n### Begin solution\n2\n### End solution"),
        "released with"),
    "a mark scheme in text": (
        cell("", "x", "### BEGIN MARK SCHEME\n1\n### END MARK SCHEME", "markdown"), "mark schemes"),
    "no end": (cell("test", "x", "### BEGIN HIDDEN TESTS\nassert f(2)", points=1), "no 'END HIDDEN TESTS' after it"),
    "no beginning": (cell("test", "x", "assert f(2)\n### END HIDDEN TESTS", points=1), "no region of that kind"),
    "nested": (cell("test", "x", "### BEGIN HIDDEN TESTS\n### BEGIN HIDDEN TESTS\n### END HIDDEN TESTS", points=1),
               "a region of that kind is open"),
    "a test that is no Python without its region": (
        cell("test", "x", "def t():\n    ### BEGIN HIDDEN TESTS\n    assert f()\n    ### END HIDDEN TESTS", points=1),
        "without its hidden tests no Python"),
    "a test that is no Python with it": (
        cell("test", "x", "### BEGIN HIDDEN TESTS\nassert f(\n### END HIDDEN TESTS", points=1), "is no Python"),
    "a test made anew every time": (cell("test", "x", "### AUTOTEST f(1)", points=1), "as assertions"),
    "a hashed one": (cell("test", "x", "### HASHED AUTOTEST f(1)", points=1), "as assertions"),
    "no points": (cell("test", "x", "assert f"), "points None"),
    "negative points": (cell("test", "x", "assert f", points=-1), "points -1"),
    "endless points": (cell("test", "x", "assert f", points=float("inf")), "points inf"),
    "points that are none": (cell("test", "x", "assert f", points=True), "points True"),
    "points in words": (cell("manual", "x", "f", "markdown", points="2"), "points '2'"),
    "a test in Markdown": (cell("test", "x", "f", "markdown", points=1), "is markdown and marked as test"),
    "an answer in Markdown": (cell("answer", "x", "f", "markdown"), "is markdown and marked as answer"),
    "a task in code": (cell("task", "x", "f", points=1), "is code and marked as task"),
    "an id with a blank": (cell("locked", "x y", "f"), "the grade_id 'x y'"),
    "no id": (cell("locked", "x", "f", grade_id=None), "the grade_id None"),
    "an old schema": (cell("locked", "x", "f", schema_version=1), "nbgrader update"),
    "no schema": (cell("locked", "x", "f", schema_version=None), "nbgrader update"),
    "no kind": ({**cell("", "x", "f"), "cell_type": "heading"}, "cell_type 'heading'"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_released_or_graded_is_refused(case, tmp_path):
    bad, message = REFUSED[case]
    with pytest.raises(CourseError, match=r"^solutions/ps1/ps1\.ipynb: cell 2, which begins ") as caught:
        spec_of(tmp_path, cell("", "first", "1"), bad)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_answer_that_is_all_solution_hides_what_stands_in_it(tmp_path):
    """Without a region the whole cell is the solution, whatever else is in it."""
    spec = spec_of(tmp_path, cell("answer", "x", TEST))
    assert spec.cells[0].source == "# YOUR CODE HERE\nraise NotImplementedError()"


def test_two_cells_with_one_grade_id_are_refused(tmp_path):
    with pytest.raises(CourseError, match=r"cell 2, .*has the grade_id 'x' that another cell has"):
        spec_of(tmp_path, cell("locked", "x", "1"), cell("locked", "x", "2"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("no JSON", "is not a notebook"),
        ("[]", "no list of cells"),
        ('{"worksheets": []}', "no list of cells"),
        ('{"cells": [1]}', "no list of cells"),
        ('{"cells": [{"cell_type": "code", "source": [1]}]}', "no list of cells"),
        ('{"cells": [{"cell_type": "code", "metadata": {"nbgrader": 1}}]}', "no list of cells"),
        (notebook(kernelspec={"language": "R"}), "a notebook in R; only Python"),
    ],
)
def test_files_that_are_no_python_notebook_are_refused(content, message, tmp_path):
    with pytest.raises(CourseError, match=message):
        read_spec(write(tmp_path, content), "ps1")


def test_a_name_that_no_assignment_has_is_answered_with_those_there_are(tmp_path):
    with pytest.raises(NoAssignment, match=r"no assignment 'ps1' in .*solutions\. There are: none\."):
        read_spec(tmp_path, "ps1")
    for folder in ("b", "a", ".ipynb_checkpoints"):
        (tmp_path / "solutions" / folder).mkdir(parents=True)
        (tmp_path / "solutions" / folder / "one.ipynb").touch()
    with pytest.raises(NoAssignment, match=r"There are: a, b\.$") as refused:
        read_spec(tmp_path, "ps1")
    assert refused.value.status == 2


def test_exactly_one_notebook(tmp_path):
    write(tmp_path, notebook(*PLAIN))
    write(tmp_path, notebook(*PLAIN), ".hidden.ipynb")
    assert read_spec(tmp_path, "ps1").notebook == "ps1.ipynb"
    write(tmp_path, notebook(*PLAIN), "ps2.ipynb")
    with pytest.raises(CourseError, match=r"exactly one notebook in .*, and it holds 2"):
        read_spec(tmp_path, "ps1")
