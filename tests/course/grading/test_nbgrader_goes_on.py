"""nbgrader's own steps after our writer: feedback, its release through the exchange, export, and a plain autograde.

What they do with a class of three: one honest, one who hands in an attack on every reader, one whose notebook nobody
can read. They run in processes of their own, from the course folder, as an instructor runs them."""

import csv
import json
import shutil

import pytest
from bs4 import BeautifulSoup
from dlcourse_filed import ROOT, answered, cell, course, hand_in, judged, notebook, verdict
from dlcourse_nbgrader import run
from dlcourse_pages import acting

from dlcourse.course.grading.book import gradebook
from dlcourse.course.grading.spec import read_spec
from dlcourse.course.grading.submission import parse

SECRETS = {"ann": "a1" * 64, "eve": "e1" * 64}
STRIKE = "<img src=x onerror=\"document.title='struck'\"><script>document.title='struck'</script>"
ATTACK = f"{STRIKE}\n\n[click](javascript:document.title='struck')\n\n```mermaid\n{STRIKE}\n```\n\n<svg onload=1>"

# As formgrader does it: through nbgrader's own API, with the course's settings.
AS_FORMGRADER = """
import json, sys
from nbgrader.api import Gradebook
from nbgrader.apps import NbGrader
from nbgrader.apps.api import NbGraderAPI
from nbgrader.coursedir import CourseDirectory
from nbgrader.plugins import CsvExportPlugin

app = NbGrader()
app.initialize([])
api = NbGraderAPI(coursedir=CourseDirectory(config=app.config), config=app.config)
for done in (api.generate_feedback("small", force=True), api.release_feedback("small")):
    assert done["success"], done
with Gradebook(api.coursedir.db_url, "dlcourse") as book:
    export = CsvExportPlugin()
    export.to = "grades.csv"
    export.export(book)
keys = ("student", "autograded", "needs_autograding", "score", "max_score", "needs_manual_grade")
shown = [{key: one.get(key) for key in keys} for one in api.get_submissions("small")]
pages = api.get_notebook_submissions("small", "small-exercises")
print(json.dumps([shown, [one["student"] for one in pages]]))
"""


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """(course folder, spec) with the class of three in its gradebook."""
    folder, spec = course(tmp_path_factory.mktemp("course"))
    exchange = folder / "exchange"
    exchange.mkdir(mode=0o777)
    exchange.chmod(0o777)
    with open(folder / "nbgrader_config.py", "a") as config:
        config.write(f"c.Exchange.root = {str(exchange)!r}\n")
    honest = answered(spec, double="def double(x):\n    return 2 * x", why="Because $a<b$, *surely*.")
    attack = answered(spec, double=f"def double(x):\n    return {STRIKE!r}", why=ATTACK)
    attack = notebook([*json.loads(attack)["cells"], cell("markdown", ATTACK), cell("code", f"%%html\n{STRIKE}")])
    tests = (
        verdict("double-test", 2, 0, shown=f"came back {STRIKE}", reason=f"It said {STRIKE}"),
        verdict("part-test", 1, 0.5),
    )
    contents = {"ann": honest, "eve": attack, "bob": b"no notebook"}
    for name, content in contents.items():
        hand_in(folder, name, content, spec, timestamp="2026-02-01 10:00:00.000000 UTC")
        if name in SECRETS:
            hand_in(folder, name, content, spec, submission_secret=SECRETS[name])
    results = [
        judged(spec, "ann", honest),
        judged(spec, "eve", attack, tests=tests, score=0.5, cells=(("cell 11", STRIKE),)),
        judged(spec, "bob", contents["bob"], tests=(), score=0, notes=("The file is not a notebook.",)),
    ]
    assert gradebook.write(folder, spec, results) == []
    return folder, spec


@pytest.fixture(scope="module")
def shown(graded):
    folder, _ = graded
    submissions, pages = json.loads(run(folder, "-c", AS_FORMGRADER).splitlines()[-1])
    return {one.pop("student"): one for one in submissions}, pages


def test_formgrader_lists_the_class(shown):
    submissions, pages = shown
    assert {name: one["score"] for name, one in submissions.items()} == {"ann": 3, "eve": 0.5, "bob": 0}
    assert all(
        one["autograded"] and not one["needs_autograding"] and one["needs_manual_grade"] and one["max_score"] == 11
        for one in submissions.values()
    )
    assert sorted(pages) == ["ann", "bob", "eve"]


def test_the_feedback_says_what_was_right_and_what_was_not(graded, shown):
    folder, _ = graded
    page = BeautifulSoup((folder / "feedback" / "ann" / "small" / "small-exercises.html").read_text(), "html.parser")
    text = page.get_text()
    for said in ("(Score: 3.0 / 11.0)", "passed: 2 of 2 points", "a tag", "return 2 * x", "hidden tests follow"):
        assert said in text
    assert page.find("b", class_="ours")  # what we wrote ourselves is as we wrote it
    assert page.find("em", string="surely")
    bob = (folder / "feedback" / "bob" / "small" / "small-exercises.html").read_text()
    assert "The file is not a notebook." in BeautifulSoup(bob, "html.parser").get_text()
    for path in (folder / "feedback").rglob("*.html"):
        assert "thirty-three" not in path.read_text()
        assert "sample answer" not in path.read_text()


def test_the_feedback_holds_no_live_script_of_a_students(graded, shown):
    """All that can run in the page of an attacker is what runs in an honest one's: the template's own."""
    folder, _ = graded
    ann, eve = (
        acting((folder / "feedback" / name / "small" / "small-exercises.html").read_text()) for name in ("ann", "eve")
    )
    assert eve == ann
    assert [one[:60] for one in ann if one.startswith("<script")] == [
        '<script src="https://cdnjs.cloudflare.com/ajax/libs/mathjax/',
        '<script type="text/x-mathjax-config">\n    init_mathjax = fun',
    ]


def test_each_students_feedback_can_be_fetched(graded, shown):
    """release_feedback stops for all where one has no secret: bob, who has none, has one of ours."""
    from nbgrader.utils import notebook_hash

    folder, _ = graded
    released = {path.stem for path in (folder / "exchange" / "dlcourse" / "feedback").iterdir()}
    assert len(released) == 3
    assert {notebook_hash(secret=secret, notebook_id="small-exercises") for secret in SECRETS.values()} < released


def test_grades_are_exported(graded, shown):
    folder, _ = graded
    with open(folder / "grades.csv") as file:
        grades = {row["student_id"]: (float(row["score"]), float(row["max_score"])) for row in csv.DictReader(file)}
    assert grades == {"ann": (3, 11), "bob": (0, 11), "eve": (0.5, 11)}


@pytest.mark.slow
def test_plain_commands_go_on_from_it(graded, tmp_path):
    """An honest class: `nbgrader autograde` leaves what is graded alone, and with --force comes to the same scores."""
    folder, spec = course(tmp_path)
    content = hand_in(
        folder, "ann", answered(spec, double="def double(x):\n    return 2 * x"), spec, timestamp="2026-02-01 10:00 UTC"
    )
    gradebook.write(folder, spec, [judged(spec, "ann", content, {"part-test": 0.5})])
    before = (folder / "autograded" / "ann" / "small" / spec.notebook).read_bytes()
    run(folder, "-m", "nbgrader", "autograde", "small")
    assert (folder / "autograded" / "ann" / "small" / spec.notebook).read_bytes() == before
    read = (
        "from nbgrader.api import Gradebook\nimport json\n"
        "with Gradebook('sqlite:///gradebook.db') as book:\n"
        "    rows = book.find_submission_notebook('small-exercises', 'small', 'ann').grades\n"
        "    print(json.dumps(sorted((row.name, row.auto_score, row.needs_manual_grade) for row in rows)))"
    )
    ours = json.loads(run(folder, "-c", read))
    run(folder, "-m", "nbgrader", "autograde", "small", "--force")
    assert json.loads(run(folder, "-c", read)) == ours
    run(folder, "-m", "nbgrader", "generate_feedback", "small")
    run(folder, "-m", "nbgrader", "generate_assignment", "small", "--force")
    gradebook.write(folder, spec, [judged(spec, "ann", content, {"part-test": 0.5})])
    assert json.loads(run(folder, "-c", read)) == ours


@pytest.mark.slow
def test_chapter_01_is_as_plain_autograde_has_it(tmp_path):
    """The same trusted submissions through nbgrader's executor and through our writer: the same rows."""
    name = "01-neurons"
    file = f"{name}-exercises.ipynb"
    found = {}
    for way in ("theirs", "ours"):
        folder = tmp_path / way
        shutil.copytree(ROOT / "solutions" / name, folder / "solutions" / name)
        shutil.copy(ROOT / "nbgrader_config.py", folder)
        spec = read_spec(folder, name)
        contents = {"solved": "solutions", "untouched": "exercises"}
        contents = {who: (ROOT / room / name / file).read_bytes() for who, room in contents.items()}
        for who, content in contents.items():
            hand_in(folder, who, content, spec, timestamp="2026-02-01 10:00:00 UTC")
        if way == "theirs":
            run(folder, "-m", "nbgrader", "generate_assignment", name)
            run(folder, "-m", "nbgrader", "autograde", name)
        else:
            nothing = {one.id: 0 for one in spec.tests}
            results = [
                judged(spec, who, content, {} if who == "solved" else nothing) for who, content in contents.items()
            ]
            gradebook.write(folder, spec, results, {who: parse(content) for who, content in contents.items()})
        found[way] = [run(folder, "-c", EVERYTHING), *cells_of(folder, name, file)]
    assert found["ours"] == found["theirs"]


# Every row that matters, without the ids that are made up.
EVERYTHING = """
from nbgrader import api

FIELDS = {
    api.Grade: "auto_score manual_score extra_credit needs_manual_grade max_score cell_type failed_tests",
    api.Comment: "auto_comment manual_comment",
    api.SourceCell: "cell_type locked source checksum",
    api.SubmittedNotebook: "flagged late_submission_penalty score",
    api.SubmittedAssignment: "timestamp extension max_score",
    api.Notebook: "kernelspec max_score",
    api.Assignment: "duedate course_id",
    api.Student: "first_name last_name email",
}
with api.Gradebook("sqlite:///gradebook.db") as book:
    for kind, fields in FIELDS.items():
        rows = [(repr(row), *(getattr(row, field) for field in fields.split())) for row in book.db.query(kind)]
        print(*sorted(map(repr, rows)), sep="\\n")
"""


def cells_of(folder, name: str, file: str) -> list:
    """The graded notebooks without what running them left: times, counts, outputs, hidden tests."""
    found = []
    for who in ("solved", "untouched"):
        for one in json.loads((folder / "autograded" / who / name / file).read_bytes())["cells"]:
            marks = one["metadata"].get("nbgrader", {})
            marks = {key: value for key, value in marks.items() if key != "cell_type"}
            source = "" if marks.get("grade") and not marks.get("solution") else "".join(one["source"])
            found.append((one["cell_type"], one["id"], marks, source))
    return found
