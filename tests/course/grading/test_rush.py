"""Two hundred students hand in at one moment, through a real exchange, each as a user of their own.

Some hand in twice, some while `nbgrader collect` is at work, some over a disk so slow that it finds half of a notebook.
All are collected, all are graded, each has what is due for what they handed in last.
"""

import json
import re
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from dlcourse_world import World, unfit

from dlcourse.course.grading.result import Result

ROOT = Path(__file__).parents[3]
DRIVER = ROOT / "tests/support/dlcourse_rush.py"
ASSIGNMENT, NOTEBOOK = "01-neurons", "01-neurons/01-neurons-exercises.ipynb"
TEACHER, COUNT = "teacher", 200
SETTINGS = {"PYTHONPATH": "/home/teacher/dlcourse", "DLCOURSE_PROGRESS": "0"}
EXCHANGE = """c = get_config()
c.CourseDirectory.course_id = "dlcourse"
c.Exchange.root = "/srv/nbgrader/exchange"
"""
ENDLESS = "def sigmoid(x):\n    while True:\n        pass"
IDEAL = {"right": 16.0, "half": 5.0, "untouched": 0.0, "endless": 14.0}  # points of the tests

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(unfit() is not None, reason=f"{unfit()}"),
]


@dataclass
class Student:
    user: str
    kind: str  # of what is handed in last
    after: list[float] = field(default_factory=lambda: [0.0])  # seconds; all but the last time it is untouched
    held: bool = False  # half of it is copied, the rest after a first collection


def the_class() -> list[Student]:
    """Kinds in turn. A fifth hands in twice, a quarter later, while the work of others is collected already."""
    students = []
    for number in range(COUNT):
        kind = "endless" if number in (50, 150) else ("right", "half", "untouched", "right", "half")[number % 5]
        one = Student(f"s{number:03}", kind)
        if number % 5 == 1:
            one.after = [0.0, 0.2]
        elif number % 4 == 2:
            one.after = [number / 20]
        one.held = number % 40 == 8
        students.append(one)
    return students


def notebooks() -> dict[str, bytes]:
    """Kind -> what is handed in."""
    cells = json.loads((ROOT / "solutions" / NOTEBOOK).read_bytes())["cells"]
    marked = [(cell["metadata"].get("nbgrader", {}), cell["source"]) for cell in cells]
    answers = {meta["grade_id"]: source for meta, source in marked if meta.get("solution") and not meta["grade"]}
    half = {name: answers[name] for name in ("perceptron-answer", "xor-answer")}
    kinds = {"right": answers, "half": half, "untouched": {}, "endless": answers | {"sigmoid-answer": ENDLESS}}
    made = {}
    for kind, sources in kinds.items():
        notebook = json.loads((ROOT / "exercises" / NOTEBOOK).read_bytes())
        for cell in notebook["cells"]:
            cell["source"] = sources.get(cell["metadata"].get("nbgrader", {}).get("grade_id"), cell["source"])
        made[kind] = json.dumps(notebook).encode()
    return made


class Rush:
    def __init__(self, students: list[Student]):
        self.students = {one.user: one for one in students}
        self.world = World(TEACHER, *self.students)
        self.course = self.world.course_of(TEACHER)
        srv, work = self.world.folder / "srv", self.world.folder / "srv/rush"
        (srv / "nbgrader/exchange").mkdir(parents=True)
        (srv / "nbgrader/exchange").chmod(0o1777)
        (self.world.folder / "etc/jupyter").mkdir(exist_ok=True)
        (self.world.folder / "etc/jupyter/nbgrader_config.py").write_text(EXCHANGE)
        work.mkdir()
        for kind, content in notebooks().items():
            (work / f"{kind}.ipynb").write_bytes(content)
        plan = [self._plan(one) for one in students]
        (work / "plan.json").write_text(json.dumps(plan))
        (work / "rush.py").write_bytes(DRIVER.read_bytes())
        self.inbound = srv / "nbgrader/exchange/dlcourse/inbound"

    def _plan(self, one: Student) -> dict:
        *earlier, _ = one.after
        kinds = ["untouched"] * len(earlier) + [one.kind]
        works = [
            {"notebook": f"/srv/rush/{kind}.ipynb", "after": after, "held": one.held}
            for kind, after in zip(kinds, one.after, strict=True)
        ]
        return {"user": one.user, "number": self.world.numbers[one.user], "hand_in": works}

    def type(self, script: str, *, status: int = 0) -> str:
        return self.world.run(TEACHER, script, "dlcourse", status=status, seconds=3600, **SETTINGS)

    def results(self) -> dict[str, list[Result]]:
        found: dict[str, list[Result]] = {}
        for path in sorted((self.course / "grading/results" / ASSIGNMENT).glob("*/*")):
            found.setdefault(path.parent.name, []).append(Result.from_plain(_body(path)))
        return found


def _body(path: Path) -> dict:
    return {name: value for name, value in json.loads(path.read_bytes())["body"].items() if name != "key"}


@pytest.fixture(scope="module")
def rush():
    """Everybody has handed in; what arrived meanwhile was collected meanwhile, and a little of it graded."""
    made = Rush(the_class())
    try:
        made.type(f"dlcourse course release {ASSIGNMENT}")
        with made.world.server("root", "exec python /srv/rush/rush.py /srv/rush/plan.json") as driver:
            driver.wait_for("ready")
            time.sleep(3)  # until the last fork waits
            (made.world.folder / "srv/go").touch()
            made.type(f"nbgrader collect {ASSIGNMENT} --update")
            made.type(f"nbgrader collect {ASSIGNMENT} --update")
            options = " ".join(f"--student {user}" for user, one in made.students.items() if one.held)
            made.early = made.type(f"dlcourse course grade {ASSIGNMENT} {options}", status=1)
            made.early_results = made.results().keys()
            (made.world.folder / "srv/rest").touch()
            made.told = driver.wait_for(r"(\d+) students handed in (\d+) times, 0 could not", 300)
        yield made
    finally:
        made.world.remove()


@pytest.fixture(scope="module")
def graded(rush):
    for option in ("", " --update"):
        rush.type(f"nbgrader collect {ASSIGNMENT}{option}")
    begun = time.monotonic()
    rush.said = rush.type(f"dlcourse course grade {ASSIGNMENT}")
    print(f"\n{COUNT} graded in {time.monotonic() - begun:.0f} s")
    return rush


def test_they_came_together(rush):
    """Many of them within one second, by the times that nbgrader gave them."""
    names = [path.name for path in rush.inbound.iterdir()]
    assert len(names) == sum(len(one.after) for one in rush.students.values()) == int(rush.told[2])
    assert Counter(name.partition("+")[0] for name in names) == {
        user: len(one.after) for user, one in rush.students.items()
    }
    seconds = Counter(re.search(r" (\d\d:\d\d:\d\d)\.", name)[1] for name in names)
    print(f"\n{len(names)} submissions, {[count for _, count in sorted(seconds.items())]} in each second")
    assert seconds.most_common(1)[0][1] >= 10


def test_half_of_a_notebook_is_collected_and_not_graded(rush):
    """nbgrader copies what is there. No zero that nobody meant comes of it."""
    asked = re.findall(r"dlcourse: (s\d+): needs a human: it was collected while it arrived", rush.early)
    assert sorted(asked) == [user for user, one in rush.students.items() if one.held]
    assert not rush.early_results


def test_each_was_collected_as_it_was_handed_in_last(graded):
    sent = notebooks()
    for user, one in graded.students.items():
        folder = graded.course / "submitted" / user / ASSIGNMENT
        assert (folder / f"{ASSIGNMENT}-exercises.ipynb").read_bytes() == sent[one.kind], user
        last = max(path.name for path in graded.inbound.glob(f"{user}+*"))
        assert (folder / "timestamp.txt").read_text() == last.split("+")[2]
        assert len((folder / "submission_secret.txt").read_text()) == 128
    assert {path.name for path in (graded.course / "submitted").iterdir()} == graded.students.keys()


def test_each_has_one_result_with_what_is_due(graded):
    results = graded.results()
    assert results.keys() == graded.students.keys()
    due = {user: IDEAL[one.kind] for user, one in graded.students.items()}
    last = {user: max(some, key=lambda result: result.graded_at) for user, some in results.items()}
    assert {user: result.score for user, result in last.items()} == due
    assert {result.status for some in results.values() for result in some} == {"graded"}
    assert {user for user, some in results.items() if len(some) > 1} == set(), "somebody was graded twice"


def test_the_gradebook_agrees_and_holds_each_once(graded):
    graded.type("nbgrader export --to grades.csv")
    lines = (graded.course / "grades.csv").read_text().splitlines()
    header = lines[0].split(",")
    rows = [dict(zip(header, line.split(","), strict=True)) for line in lines[1:]]
    assert len(rows) == COUNT
    due = {user: IDEAL[one.kind] for user, one in graded.students.items()}
    assert {row["student_id"]: float(row["raw_score"]) for row in rows} == due


def test_doing_all_again_changes_nothing(graded):
    def files() -> dict[str, bytes]:
        rooms = [graded.course / name for name in ("submitted", "autograded", "grading/results")]
        return {str(path): path.read_bytes() for room in rooms for path in room.rglob("*") if path.is_file()}

    before = files()
    graded.type(f"nbgrader collect {ASSIGNMENT} --update")
    said = graded.type(f"dlcourse course grade {ASSIGNMENT} --resume")
    assert f"0 graded, {COUNT} were graded before" in said
    assert files() == before
