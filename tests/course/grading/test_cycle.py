"""The instructor's guide, followed from its first command to its last: an instructor and students, each an OS user.

Commands are read out of deploy/instructors.md and run by whom the guide tells to, so the guide says nothing that does
not work. A fenced block says after its language who types it: nobody named is the instructor, `student` each of the
students, `root` the administrator; `server` keeps running; a file's name is what to put its text into.

nbgrader takes seconds to start. So the ordinary suite has one student, as far as the exported grades; all three, points
given in a browser and the rest of the guide are slow.
"""

import csv
import json
import os
import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatch
from pathlib import Path

import pytest
from dlcourse_browser import CHROMIUM, VIEWPORT, launched
from dlcourse_world import World, unfit

ROOT = Path(__file__).parents[3]
GUIDE = (ROOT / "deploy/instructors.md").read_text(encoding="utf-8")
TEACHER, STUDENTS = "teacher", ("student1", "student2", "student3")
ALL = pytest.param(STUDENTS, marks=pytest.mark.slow, id="three")
ASSIGNMENT, NOTEBOOK = "01-neurons", "01-neurons/01-neurons-exercises.ipynb"
SETTINGS = {"PYTHONPATH": "/home/teacher/dlcourse", "DLCOURSE_PROGRESS": "0"}
AUTOMATIC, BY_HAND = 16, 4  # points
HALF_DONE = {"perceptron-test": 2, "xor-test": 3}  # what student2 has right
DIAGNOSIS = "Give exp only numbers that are not positive"  # of student2's sigmoid
COMMENT = "Right, and the experiment could fail. What of the plateau?"
EXPLANATION = "The first loss is above log 2, so the start is sure of something false. I would start from zero."

pytestmark = pytest.mark.skipif(unfit() is not None, reason=f"{unfit()}")


@dataclass(frozen=True)
class Block:
    section: str
    language: str
    who: str
    text: str


def blocks(guide: str) -> list[Block]:
    found, section = [], ""
    for part in re.finditer(r"^## ([^\n]+)$|^```(\w+) ?(\S*)\n(.*?)^```$", guide, re.MULTILINE | re.DOTALL):
        if part[1]:
            section = part[1]
        else:
            found.append(Block(section, part[2], part[3], part[4]))
    return found


BLOCKS = blocks(GUIDE)


class Cycle:
    """The machine, the course folder, and what following the guide printed: `said[section][user]`."""

    def __init__(self, students: tuple[str, ...]):
        self.students = students
        self.world = World(TEACHER, *students)
        self.course = self.world.course_of(TEACHER)
        self.said: dict[str, dict[str, str]] = {}
        self.followed: set[Block] = set()
        self.kept: dict[str, dict[str, tuple]] = {}  # scores before somebody was forgotten

    def type(self, user: str, script: str, *, status: int = 0) -> str:
        """In the course folder for the instructor, at home for the others. Python finds the instructor's own clone."""
        folder, settings = ("dlcourse", SETTINGS) if user == TEACHER else ("", {})
        return self.world.run(user, script, folder, status=status, **settings)

    def blocks(self, section: str, *numbers: int, instead: dict[str, str] | None = None) -> Iterator[tuple[Block, str]]:
        """Those blocks of a section (all, or these numbers) with the text to type.

        instead: words of the guide in whose place others stand here, such as a date.
        """
        here = [block for block in BLOCKS if block.section == section]
        for block in [here[number] for number in numbers] or here:
            text = block.text
            for old, new in (instead or {}).items():
                assert old in text
                text = text.replace(old, new)
            self.followed.add(block)
            yield block, text

    def follow(self, section: str, *numbers: int, instead: dict[str, str] | None = None) -> dict[str, str]:
        """Do what the guide says; what each user saw of this section so far."""
        for block, text in self.blocks(section, *numbers, instead=instead):
            if block.language != "sh":
                with (self.course / block.who).open("a", encoding="utf-8") as file:
                    file.write(text)
                continue
            for user in {"": (TEACHER,), "student": self.students}.get(block.who, (block.who,)):
                seen = self.said.setdefault(section, {})
                seen[user] = seen.get(user, "") + self.type(user, text)
        return self.said.get(section, {})

    def serve(self, section: str, number: int, instead: dict[str, str] | None = None):
        """The instructor starts what keeps running; a `with` block ends it."""
        ((_, text),) = self.blocks(section, number, instead=instead)
        return self.world.server(TEACHER, f"exec {text}", "dlcourse", **SETTINGS)

    def write_into(self, student: str, sources: dict[str, str]) -> None:
        """The student's work: cells of the fetched notebook with other text."""
        path = self.world.home(student) / NOTEBOOK
        notebook = json.loads(path.read_bytes())
        for cell in notebook["cells"]:
            cell["source"] = sources.get(cell["metadata"].get("nbgrader", {}).get("grade_id"), cell["source"])
        path.write_text(json.dumps(notebook), encoding="utf-8")

    def scores(self) -> dict[str, dict[str, tuple]]:
        """student -> cell -> (score, given by hand, whether a person must look), as nbgrader's gradebook has them."""
        said = self.type(TEACHER, f"python - <<'END'\n{READ_SCORES}\nEND")
        table: dict[str, dict[str, tuple]] = {}
        for student, cell, *grade in json.loads(said.splitlines()[-1]):
            table.setdefault(student, {})[cell] = tuple(grade)
        return table

    def grades(self) -> dict[str, dict[str, str]]:
        """student -> row of the exported file."""
        with (self.course / "grades.csv").open(encoding="utf-8", newline="") as file:
            return {row["student_id"]: row for row in csv.DictReader(file)}


READ_SCORES = """
import json
from nbgrader.api import Gradebook

with Gradebook("sqlite:///gradebook.db") as gradebook:
    print(json.dumps([
        (submission.student.id, grade.name, grade.score, grade.manual_score, grade.needs_manual_grade)
        for submission in gradebook.assignment_submissions("01-neurons")
        for notebook in submission.notebooks
        for grade in notebook.grades
    ]))
"""


def solved() -> dict[str, str]:
    """The sources of our own answers, by cell."""
    cells = json.loads((ROOT / "solutions" / NOTEBOOK).read_bytes())["cells"]
    marked = [(cell["metadata"].get("nbgrader", {}), cell["source"]) for cell in cells]
    return {meta["grade_id"]: source for meta, source in marked if meta.get("solution") and not meta["grade"]}


@pytest.fixture(scope="module", params=[pytest.param(STUDENTS[1:2], id="one"), ALL])
def cycle(request):
    cycle = Cycle(request.param)
    yield cycle
    cycle.world.remove()


@pytest.fixture(scope="module")
def released(cycle):
    cycle.follow("Install", 1)
    cycle.follow("The exchange", instead={"INSTRUCTOR": TEACHER})
    cycle.follow("Release")
    return cycle


@pytest.fixture(scope="module")
def handed_in(released):
    """student1 has all, student2 a part and one mistake, student3 hands in what was fetched."""
    cycle, answers = released, solved()
    naive = "def sigmoid(x):\n    return 1 / (1 + torch.exp(-x))"
    part = {name: answers[name] for name in ("perceptron-answer", "xor-answer")}
    work = {
        "student1": answers | {"explain-manual": EXPLANATION},
        "student2": part | {"sigmoid-answer": naive},
        "student3": {},
    }
    cycle.follow("Students", 0)
    for student in cycle.students:
        cycle.write_into(student, work[student])
    cycle.follow("Students", 1)
    cycle.follow("Collect", 0)
    return cycle


@pytest.fixture(scope="module")
def graded(handed_in):
    handed_in.follow("Grade", 0)
    return handed_in


@pytest.fixture(scope="module")
def first_scores(graded):
    return graded.scores()


@pytest.fixture(scope="module")
def given_back(graded):
    """Feedback is with the students, grades are in a file."""
    graded.follow("Read the log")
    graded.follow("Feedback")
    graded.follow("Export", 0)
    return graded


# --- the guide itself -----------------------------------------------------------------------------------------------


def test_the_contents_name_every_section():
    sections = re.findall(r"^## (.+)$", GUIDE, re.MULTILINE)
    anchors = [re.sub(r"[^\w\- ]", "", section.lower()).replace(" ", "-") for section in sections]
    contents = GUIDE[GUIDE.index("Contents:") : GUIDE.index("\n## ")]
    assert re.findall(r"\[(.+?)\]\(#(.+?)\)", contents) == list(zip(sections, anchors, strict=True))
    assert set(re.findall(r"\]\(#(.+?)\)", GUIDE)) == set(anchors)


def test_every_command_is_followed_here():
    """Sections whose blocks this file runs; `test_the_rest_of_the_guide` looks at single blocks."""
    here = set(re.findall(r"(?:follow|serve)\(\s*\"([^\"]+)\"", Path(__file__).read_text(encoding="utf-8")))
    assert {block.section for block in BLOCKS} == here


def test_commands_within_sentences_are_those_of_the_blocks():
    typed = {" ".join(line.split()[:3]) for block in BLOCKS for line in block.text.splitlines()}
    named = re.findall(
        r"(?<!`)`((?:dlcourse|nbgrader|jupyter) [^`]+)`(?!`)", re.sub(r"```.*?```", "", GUIDE, flags=re.S)
    )
    assert {" ".join(line.split()[:3]) for line in named} - typed <= {
        "nbgrader autograde",  # named only to warn of it
        *("dlcourse course build", "dlcourse course grade", "dlcourse --version", "dlcourse doctor"),
    }


def test_pictures_and_other_files_that_it_names_are_there():
    for link in re.findall(r"\]\((?!https?:|#)([^)#]+)", GUIDE):
        assert (ROOT / "deploy" / link).exists(), link


def test_git_ignores_what_the_guide_leaves_in_the_folder():
    made = re.findall(r"(?:--to|--html|-czf) (\S+)", GUIDE)
    (kept,) = re.findall(r"-czf \S+ (.+)", GUIDE)
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").split()
    for name in {*made, *kept.split()}:
        assert any(fnmatch(f"/{name}", line.rstrip("/")) for line in ignored), name


def test_messages_of_the_guide_are_those_of_the_program():
    said = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "dlcourse/course/grading").rglob("*.py"))
    said = re.sub(r'"\n\s+f?"', "", said)
    table = GUIDE[GUIDE.index("by its first words") : GUIDE.index("What nbgrader says")]
    messages = [text for row in re.findall(r"^\| (.+?) \|", table, re.M) for text in re.findall(r"`(.+?)`", row)]
    assert len(messages) > 10
    assert [text for text in messages if text not in said] == []


def test_the_line_that_installs_is_the_readmes_with_the_extra():
    (line,) = [block.text for block in BLOCKS if block.who == "install"]
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    learn = next(text for text in readme.splitlines() if text.startswith("python3 -m venv .venv &&"))
    assert line == learn.replace(" -e . && .venv/bin/dlcourse lab", ' -e ".[author,grading]"') + "\n"
    assert "\ngrading = [" in (ROOT / "pyproject.toml").read_text(encoding="utf-8")


# --- the course of an assignment ------------------------------------------------------------------------------------


def test_each_command_ran_as_its_user(handed_in):
    world = handed_in.world
    inbound = world.folder / "srv/nbgrader/exchange/dlcourse/inbound"
    owners = {path.name.partition("+")[0]: path.stat().st_uid for path in inbound.iterdir()}
    assert owners == {student: world.numbers[student] for student in handed_in.students}
    assert (handed_in.course / "gradebook.db").stat().st_uid == world.numbers[TEACHER] != 0


def test_a_student_sees_nothing_of_another_nor_of_the_instructor(handed_in):
    others = [f"/home/{student}" for student in handed_in.students if student != "student2"]
    for place in (*others, "/home/teacher", "/srv/nbgrader/exchange/dlcourse/inbound"):
        assert "Permission denied" in handed_in.type("student2", f"ls {place} 2>&1", status=2)
    away = "mv /srv/nbgrader/exchange/dlcourse /srv/nbgrader/exchange/mine 2>&1"
    assert "not permitted" in handed_in.type("student2", away, status=1)


def test_scores_are_those_of_the_work(graded, first_scores):
    assert first_scores.keys() == set(graded.students)
    for student, cells in first_scores.items():
        passed = {cell: grade[0] for cell, grade in cells.items() if cell.endswith("-test") and grade[0]}
        if student == "student1":
            assert (len(passed), sum(passed.values())) == (6, AUTOMATIC)
        else:
            assert passed == {"student2": HALF_DONE, "student3": {}}[student]


def test_a_person_is_asked_to_read_the_explanation_that_was_written(graded, first_scores):
    asked = {student for student, cells in first_scores.items() for grade in cells.values() if grade[2]}
    assert asked == {"student1"} & set(graded.students)


def test_the_log_names_all(given_back):
    log = given_back.said["Read the log"][TEACHER]
    for student in given_back.students:
        assert student in log
    assert "sigmoid-test" in log


def test_each_student_has_the_own_feedback_and_no_other(given_back):
    pages = {}
    for student in given_back.students:
        (page,) = (given_back.world.home(student) / ASSIGNMENT / "feedback").glob("*/*.html")
        assert page.stat().st_uid == given_back.world.numbers[student]
        pages[student] = page.read_text(encoding="utf-8")
    mine = EXPLANATION.partition(",")[0]
    assert {student for student, page in pages.items() if mine in page} == {"student1"} & pages.keys()
    assert {student for student, page in pages.items() if DIAGNOSIS in page} == {"student2"}
    released = "/srv/nbgrader/exchange/dlcourse/feedback"
    assert "Permission denied" in given_back.type("student2", f"ls {released} 2>&1", status=2)


def test_the_exported_file_holds_every_student(given_back):
    rows = given_back.grades()
    scores = {"student1": AUTOMATIC, "student2": sum(HALF_DONE.values()), "student3": 0}
    assert {student: float(row["score"]) for student, row in rows.items()} == {
        student: scores[student] for student in given_back.students
    }
    assert {float(row["max_score"]) for row in rows.values()} == {AUTOMATIC + BY_HAND}
    assert {row["duedate"][:10] for row in rows.values()} == {"2030-10-14"}


# --- what comes later, once in a while ------------------------------------------------------------------------------

slow = pytest.mark.parametrize("cycle", [ALL], indirect=True)


@slow
@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
def test_points_given_by_hand_in_formgrader_survive_regrades(given_back):
    """In a browser, as an instructor does it; then a regrade, and a second submission."""
    cycle = given_back
    with (
        cycle.serve("Points by hand", 0, {"jupyter lab": "jupyter lab --no-browser --port=0"}) as server,
        launched() as browser,
    ):
        address = server.wait_for(r"(http://127\.0\.0\.1:\d+)/\S*\?(token=\w+)")
        page = browser.new_page(viewport=VIEWPORT)
        page.goto(f"{address[1]}/formgrader/gradebook?{address[2]}")
        page.get_by_role("link", name=ASSIGNMENT).click()
        page.get_by_role("link", name=f"{ASSIGNMENT}-exercises").click()
        row = page.locator("tbody tr", has_text=f"{AUTOMATIC} / {AUTOMATIC + BY_HAND}")
        row.locator("a").first.wait_for()
        shoot(page, "formgrader-submissions")
        row.locator("a").first.click()
        points = page.locator("#explain-manual")
        points.wait_for()
        page.locator("#sigmoid-test[placeholder='2']").wait_for()  # what our grader gave
        for box, text in ((points, "3"), (page.locator("#explain-manual-comment"), COMMENT)):
            with page.expect_response(lambda answer: answer.request.method == "PUT" and answer.ok):
                box.fill(text)
                box.blur()
        points.scroll_into_view_if_needed()
        shoot(page, "formgrader-points")
        page.reload()
        points.wait_for()
        assert (points.input_value(), page.locator("#explain-manual-comment").input_value()) == ("3", COMMENT)
    assert cycle.scores()["student1"]["explain-manual"] == (3, 3, False)
    cycle.follow("Grade", 2)
    assert cycle.scores()["student1"]["explain-manual"] == (3, 3, False)
    cycle.write_into("student1", {"explain-manual": f"{EXPLANATION} And I would look at the inputs."})
    cycle.type("student1", "nbgrader submit 01-neurons")
    cycle.follow("Collect", 1)
    cycle.follow("Grade", 1)
    assert cycle.scores()["student1"]["explain-manual"] == (3, 3, True), "kept, and flagged for another look"


def shoot(page, name: str) -> None:
    """With DLCOURSE_SCREENSHOTS set to a folder, leave a picture of the page there."""
    if folder := os.environ.get("DLCOURSE_SCREENSHOTS"):
        page.screenshot(path=Path(folder, f"{name}.png"))


@pytest.fixture(scope="module")
def later(given_back):
    """The rest of the guide, in an order in which each step finds what it needs."""
    cycle = given_back
    cycle.follow("Collect", 1)
    cycle.follow("Grade", 1, 2)
    cycle.follow("A student asks why")
    cycle.follow("Copied work")
    cycle.follow("A large class", 0)
    cycle.follow("Export", 1)
    cycle.follow("Keys", 0, 1)
    key = next(line.split()[0] for line in cycle.said["Keys"][TEACHER].splitlines() if "signing" in line)
    cycle.follow("Keys", 2, instead={"ID": key})
    cycle.follow("Late work")
    due = (datetime.now(UTC) - timedelta(hours=36)).strftime("%Y-%m-%d %H:%M+00:00")
    cycle.follow("A test was wrong", instead={"--again": f'--again --due "{due}"'})
    cycle.follow("Export", 0)
    cycle.follow("Archive")
    cycle.kept = cycle.scores()
    cycle.follow("Forget a student")
    return cycle


@slow
def test_nothing_of_the_guide_was_left_out(later):
    """But for what installs (see above) and the server, which the test in a browser starts."""
    assert {block.who for block in set(BLOCKS) - later.followed} <= {"install", "server"}


@slow
def test_an_appeal_shows_all_and_agrees_with_the_result(later):
    said = later.said["A student asks why"][TEACHER]
    assert DIAGNOSIS in said
    assert "has the same verdict" in said


@slow
def test_the_report_on_similarity_names_nobody_for_what_was_released(later):
    page = (later.course / "similar.html").read_text(encoding="utf-8")
    assert "student1" in page
    assert "student3" not in page
    assert "<script" not in page


@slow
def test_results_of_the_first_release_stay_after_the_second(later):
    results = (later.course / "grading/results" / ASSIGNMENT / "student2").glob("*.json*")
    versions = {json.loads(path.read_bytes())["body"]["version"] for path in results}
    assert versions == {1, 2}


@slow
def test_two_points_a_started_day(later):
    """Student1 and student2 are a day and a half late by the second release; student3 has no points to lose."""
    rows = later.grades()
    penalties = {student: float(row["late_submission_penalty"]) for student, row in rows.items()}
    assert penalties == {"student1": 4, "student2": 4, "student3": 0, "student4": 0}
    assert float(rows["student2"]["score"]) == sum(HALF_DONE.values()) - 4


@slow
def test_the_archive_holds_work_results_and_gradebook_but_no_key(later):
    with tarfile.open(later.course / "course-archive.tar.gz") as archive:
        names = archive.getnames()
    assert "gradebook.db" in names
    assert f"submitted/student1/{NOTEBOOK}" in names
    assert any(name.startswith(f"grading/results/{ASSIGNMENT}/student1/") for name in names)
    assert not [name for name in names if "key" in name]


@slow
def test_a_forgotten_student_is_nowhere(later):
    """But in what the guide had made before, and the command names just these files."""
    exchange = later.world.folder / "srv/nbgrader"
    files = [path for root in (later.course, exchange) for path in root.rglob("*") if path.is_file()]
    holding = {path for path in files if b"student3" in path.read_bytes() or "student3" in str(path)}
    made = {later.course / name for name in ("grades.csv", "course-archive.tar.gz")}
    sources = {path for path in holding if path.relative_to(later.world.folder).parts[3:4] == ("dlcourse",)}
    assert holding - sources <= made
    said = later.said["Forget a student"][TEACHER]
    assert said.count("/home/teacher/dlcourse/grades.csv") == said.count("course-archive.tar.gz") == 2
    assert "student3 is forgotten here." in said


@slow
def test_the_others_are_as_before_and_grading_goes_on(later):
    """Fetched feedback and scores of the others; what was graded stays graded."""
    kept = {student: cells for student, cells in later.kept.items() if student != "student3"}
    assert kept.keys() == {"student1", "student2"}
    assert later.scores() == kept
    assert "0 graded, 2 were graded before" in later.type(TEACHER, "dlcourse course grade 01-neurons --resume")
    for student in kept:
        later.type(student, "rm -r 01-neurons/feedback; nbgrader fetch_feedback 01-neurons")
        assert list((later.world.home(student) / ASSIGNMENT / "feedback").glob("*/*.html"))
