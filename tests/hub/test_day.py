"""A day at the hub, as two students and an instructor live it, from the first log-in to the feedback read.

`DLCOURSE_SCREENSHOTS=FOLDER pytest -m hub tests/hub/test_day.py` leaves a picture of each step in FOLDER.
"""

import json

import pytest
from dlcourse_hub import ROOT, SITE, Visitor
from playwright.sync_api import expect

CHAPTER = "chapters/01-neurons.ipynb"
EXERCISE = "exercises/01-neurons/01-neurons-exercises.ipynb"
RIGHT = ("sigmoid-answer", "perceptron-answer")  # what ann solves; 2 points each
INSTRUCTORS_ONLY = {"Formgrader", "Course List", "Create assignment"}


@pytest.fixture
def people(chromium, running):
    """Each with a browser of the own."""
    visitors = {name: Visitor(chromium, running, name) for name in ("ann", "bob", "teacher")}
    yield visitors
    for visitor in visitors.values():
        visitor.close()


def solutions() -> dict[str, str]:
    cells = json.loads((ROOT / "solutions/01-neurons/01-neurons-exercises.ipynb").read_bytes())["cells"]
    marked = [(cell["metadata"].get("nbgrader", {}), "".join(cell["source"])) for cell in cells]
    return {meta["grade_id"]: source for meta, source in marked if meta.get("grade_id") in RIGHT}


def test_a_day(running, people):
    ann, bob, teacher = people.values()
    world, home = running.world, running.world.home
    world.course_of("teacher")
    due = '--due "2030-10-14 18:00"'
    world.run("teacher", f"dlcourse course release 01-neurons {due}", "dlcourse", PYTHONPATH=SITE)

    # A student logs in, and the course is there.
    ann.log_in("not-the-password")
    expect(ann.page.locator(".login_error")).to_contain_text("Invalid username or password")
    ann.screenshot("01-wrong-password")
    assert ann.wrong.pop().startswith("Failed to load resource: the server responded with a status of 403")
    ann.log_in()
    ann.lands_on("chapters/00-start.ipynb")
    ann.screenshot("02-start")

    # She runs a chapter and moves a widget with the keyboard.
    ann.open(CHAPTER)
    assert len(ann.run_all()) > 80
    ann.slide_the_line()
    ann.save()
    ann.screenshot("03-chapter")

    # She solves two exercises; their checks say so, the others that they are not started.
    ann.open(EXERCISE)
    ann.write(solutions())
    verdicts = {
        cell["metadata"]["nbgrader"]["grade_id"]: [output.get("ename", "passed") for output in cell["outputs"]]
        for cell in ann.run_all()
        if cell["metadata"].get("nbgrader", {}).get("grade_id", "").endswith("-test")
    }
    passed = {name for name, said in verdicts.items() if set(said) == {"passed"}}
    assert passed == {"sigmoid-test", "perceptron-test"}
    assert {error for name in verdicts.keys() - passed for error in verdicts[name]} <= {"NotStarted", "passed"}
    ann.save()
    ann.screenshot("04-exercise")

    # She hands in with a click, from where she worked; nothing had to be fetched.
    assert not INSTRUCTORS_ONLY & set(ann.menus("Nbgrader"))
    ann.choose("Nbgrader", "Assignment List")
    ann.page.click("#fetched_assignments_list button:text-is('Submit')")
    ann.page.wait_for_selector("#submitted_assignments_list .nested_list_item", timeout=60_000)
    ann.screenshot("05-handed-in")

    # Another student, at the same time, hands in what was never touched. He sees nothing of hers.
    bob.log_in()
    bob.lands_on("chapters/00-start.ipynb")
    bob.choose("Nbgrader", "Assignment List")
    bob.page.click("#fetched_assignments_list button:text-is('Submit')")
    bob.page.wait_for_selector("#submitted_assignments_list .nested_list_item", timeout=60_000)
    assert bob.page.locator("#submitted_assignments_list .nested_list_item").count() == 1
    assert bob.status("/user/ann/api/contents/chapters") == 403
    bob.screenshot("06-another-student")

    # The instructor collects, grades and gives feedback, in a terminal of the hub.
    teacher.log_in()
    teacher.wait_for_lab()
    assert set(teacher.menus("Nbgrader")) >= INSTRUCTORS_ONLY
    teacher.open_terminal()
    for number, line in enumerate(
        (
            "cd ~/dlcourse && nbgrader collect 01-neurons",
            "dlcourse course grade 01-neurons",
            "nbgrader generate_feedback 01-neurons && nbgrader release_feedback 01-neurons",
        )
    ):
        assert teacher.type(line, home("teacher") / f".status{number}") == 0, line
        teacher.screenshot(f"07-instructor-{number}")
    results = sorted(path.name for path in (home("teacher") / "dlcourse/grading/results/01-neurons").iterdir())
    assert [name.partition(".")[0] for name in results] == ["ann", "bob"]

    # What formgrader shows of it, within JupyterLab.
    teacher.choose("Nbgrader", "Formgrader")
    formgrader = teacher.page.frame_locator("iframe[src*='formgrader']").first
    row = formgrader.locator("tr", has_text="01-neurons")
    expect(row).to_contain_text("released", timeout=60_000)
    expect(row.locator("td").nth(8)).to_have_text("2")  # submissions
    teacher.screenshot("08-formgrader")

    # She fetches the feedback with a click and reads it.
    ann.page.click("#submitted_assignments_list button:text-is('Fetch Feedback')")
    ann.page.click("#submitted_assignments_list a:text('view feedback')", timeout=60_000)
    name = "01-neurons-exercises.html"
    ann.page.dblclick(f".jp-DirListing-itemName:has-text('{name}')", timeout=30_000)
    page = ann.page.frame_locator(".jp-HTMLViewer iframe")
    expect(page.locator("body")).to_contain_text("Score: 4.0 / 20.0", timeout=60_000)
    ann.screenshot("09-feedback")
    assert list((home("bob") / "dlcourse-work/exercises/01-neurons").glob("feedback")) == []  # each fetches the own

    # nbgrader's page asks for MathJax, and JupyterLab shows it without its scripts: deploy/instructors.md says so.
    ann.wrong = [text for text in ann.wrong if "mathjax" not in text.lower() and not text.startswith("Blocked script")]
    for visitor in people.values():
        assert visitor.wrong == [], visitor.name
