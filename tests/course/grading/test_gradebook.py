"""What the writer leaves in nbgrader's gradebook and in autograded/, and that a person's marks outlive a regrade."""

import hashlib
import json
import os
import re
import shutil
import sqlite3
import stat
import sys
from contextlib import closing
from pathlib import Path

import pytest
from dlcourse_filed import answered, cell, course, hand_in, judged, needs_human, notebook

from dlcourse.course.errors import CourseError
from dlcourse.course.grading.book import gradebook, handed_in
from dlcourse.course.grading.spec import read_spec
from dlcourse.course.grading.submission import parse

WORDS = "A neuron that is sure of something false."


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A course with a gradebook that knows its assignment and has no submission."""
    folder, spec = course(tmp_path_factory.mktemp("made"))
    gradebook.write(folder, spec, [], {})
    return folder, spec


@pytest.fixture
def small(made, tmp_path):
    folder = tmp_path / "course"
    shutil.copytree(made[0], folder)
    return folder, made[1]


def file(folder, spec, student="ann", content=None, scores=None, **fields):
    """Writes one result of a submission; with `answered` texts of the usual honest answer."""
    content = content if content is not None else answered(spec, double="def double(x): return 2 * x", why=WORDS)
    found = judged(spec, student, content, scores, **fields)
    gradebook.write(folder, spec, [found], {student: parse(content)} if content else {})
    return found


def rows(folder, query: str, *values) -> list[tuple]:
    with closing(sqlite3.connect(folder / "gradebook.db")) as database:
        return database.execute(query, values).fetchall()


def change(folder, statement: str, *values) -> None:
    with closing(sqlite3.connect(folder / "gradebook.db")) as database:
        assert database.execute(statement, values).rowcount > 0
        database.commit()


GRADES = """SELECT base_cell.name, grade.auto_score, grade.manual_score, grade.extra_credit, grade.needs_manual_grade
    FROM grade JOIN base_cell ON grade.cell_id = base_cell.id
    JOIN submitted_notebook ON grade.notebook_id = submitted_notebook.id
    JOIN submitted_assignment ON submitted_notebook.assignment_id = submitted_assignment.id
    WHERE submitted_assignment.student_id = ?"""
COMMENTS = GRADES.replace(
    "grade.auto_score, grade.manual_score, grade.extra_credit, grade.needs_manual_grade",
    "grade.auto_comment, grade.manual_comment",
).replace("grade", "comment")
GIVE = "UPDATE grade SET {} WHERE cell_id = (SELECT id FROM base_cell WHERE name = ? AND type != 'SolutionCell')"


def grades(folder, student="ann") -> dict[str, tuple]:
    """cell -> (auto score, manual score, extra credit, whether a person is asked)."""
    return {name: (*some, bool(asked)) for name, *some, asked in rows(folder, GRADES, student)}


def comments(folder, student="ann") -> dict[str, tuple]:
    return {name: tuple(some) for name, *some in rows(folder, COMMENTS, student)}


def dump(folder) -> str:
    with closing(sqlite3.connect(folder / "gradebook.db")) as database:
        return "\n".join(database.iterdump())


def snapshot(folder) -> dict[str, tuple]:
    """Every file of autograded/: content, mode and the time it was written."""
    found = {}
    for path in sorted((folder / "autograded").rglob("*")):
        if path.is_file():
            known = path.stat()
            found[path.relative_to(folder).as_posix()] = (path.read_bytes(), known.st_mode, known.st_mtime_ns)
    return found


# ---- rows


def test_a_result_becomes_rows(small):
    folder, spec = small
    file(folder, spec, scores={"double-test": 0, "part-test": 0.5})
    assert grades(folder) == {
        "double-test": (0, None, None, False),
        "part-test": (0.5, None, None, False),
        "why": (None, None, None, True),  # answered: a person reads it
        "plan": (0, None, None, False),  # untouched: nobody is asked
        "plot": (None, None, None, True),
    }
    assert comments(folder) == {
        **{"double": (None, None), "why": (None, None), "plan": ("No response.", None), "plot": (None, None)},
    }


def test_nbgrader_reads_the_scores_and_the_failed_tests(small):
    from nbgrader.api import Gradebook

    folder, spec = small
    file(folder, spec, "ann", scores={"part-test": 0.5})
    file(folder, spec, "bob", answered(spec, plan="plan = 2"))  # untouched code that a person marks counts as failed
    with Gradebook(f"sqlite:///{folder / 'gradebook.db'}", "dlcourse") as book:
        ann, bob = (book.find_submission_notebook("small-exercises", "small", name) for name in ("ann", "bob"))
        assert (ann.score, ann.max_score, ann.failed_tests, ann.needs_manual_grade) == (2.5, 11, True, True)
        assert (bob.score, bob.max_score, bob.failed_tests) == (3, 11, False)
        assert {grade.name: grade.max_score for grade in ann.grades} == {
            **{"double-test": 2, "part-test": 1, "why": 4, "plan": 1, "plot": 3},
        }
        assert book.find_grade("part-test", "small-exercises", "small", "ann").failed_tests
        assert [one.id for one in book.students] == ["ann", "bob"]
        assert len(book.submission_dicts("small")) == 2  # what formgrader's pages show
        assert len(book.notebook_submission_dicts("small-exercises", "small")) == 2
        assert {one["score"] for one in book.student_dicts()} == {2.5, 3}


def test_what_generate_assignment_saves_is_saved_when_it_is_missing(made):
    folder, spec = made
    sources = dict(rows(folder, "SELECT name, source FROM source_cell"))
    assert sources.keys() == {one.id for one in spec.cells if one.role}
    assert "hidden thirty-three" in sources["double-test"]  # nbgrader's own autograde needs the hidden tests
    assert "return 2 * x" not in sources["double"]
    assert rows(folder, "SELECT name, course_id, duedate FROM assignment") == [("small", "dlcourse", None)]


def test_the_same_results_again_change_nothing(small):
    folder, spec = small
    content = answered(spec, why=WORDS)
    hand_in(folder, "ann", content, spec, timestamp="2026-02-01 10:00:00 UTC")
    for student in ("ann", "bob"):
        file(folder, spec, student, content, {"double-test": 0})
    before = dump(folder), snapshot(folder)
    for student in ("bob", "ann"):
        file(folder, spec, student, content, {"double-test": 0})
    assert (dump(folder), snapshot(folder)) == before
    assert len(before[1]) == 6


def test_a_result_of_another_version_is_refused(small):
    folder, spec = small
    with pytest.raises(ValueError, match="another version"):
        gradebook.write(folder, spec, [judged(spec, "ann", b"", spec="0" * 64)], {})


# ---- a person's marks


def mark(folder) -> None:
    """What an instructor does in formgrader."""
    change(folder, GIVE.format("manual_score = 3, extra_credit = 0.5, needs_manual_grade = 0"), "why")
    change(folder, GIVE.format("manual_score = 2, needs_manual_grade = 0"), "double-test")
    change(folder, GIVE.format("needs_manual_grade = 0"), "plot")  # resolved, with no points
    change(folder, "UPDATE comment SET manual_comment = 'Well said.'")


def test_marks_survive_a_regrade_and_nobody_is_asked_again(small):
    folder, spec = small
    file(folder, spec, scores={"double-test": 0})
    mark(folder)
    file(folder, spec, scores={"double-test": 1})  # a repaired test, the same submission
    assert grades(folder) == {
        "double-test": (1, 2, None, False),
        "part-test": (1, None, None, False),
        "why": (None, 3, 0.5, False),
        "plan": (0, None, None, False),
        "plot": (None, None, None, False),
    }
    assert set(comments(folder).values()) == {(None, "Well said."), ("No response.", "Well said.")}


def test_marks_survive_another_submission_and_are_to_be_reviewed(small):
    folder, spec = small
    file(folder, spec, scores={"double-test": 0})
    mark(folder)
    file(folder, spec, content=answered(spec, why=WORDS + " Twice."))
    assert grades(folder) == {
        "double-test": (2, 2, None, True),
        "part-test": (1, None, None, False),
        "why": (None, 3, 0.5, True),
        "plan": (0, None, None, False),
        "plot": (None, None, None, True),
    }
    assert comments(folder)["why"] == (None, "Well said.")


def test_marks_are_reviewed_after_a_plain_autograde_too(small):
    """nbgrader's own notebook does not say which submission it shows: then nbgrader's rule holds."""
    folder, spec = small
    file(folder, spec)
    mark(folder)
    shown = folder / "autograded" / "ann" / "small" / spec.notebook
    theirs = json.loads(shown.read_bytes())
    del theirs["metadata"]["dlcourse"]
    shown.unlink()
    shown.write_text(json.dumps(theirs))
    file(folder, spec)
    assert [asked for *_, asked in grades(folder).values()].count(True) == 3


def test_an_emptied_answer_that_was_marked_is_reviewed(small):
    folder, spec = small
    file(folder, spec)
    mark(folder)
    file(folder, spec, content=answered(spec))
    assert grades(folder)["why"] == (0, 3, 0.5, True)


def test_a_submission_that_waits_for_a_person_has_no_score(small):
    folder, spec = small
    content = answered(spec)
    gradebook.write(folder, spec, [needs_human(spec, "ann", content)], {"ann": parse(content)})
    assert grades(folder)["double-test"] == (None, None, None, True)
    file(folder, spec, content=content)
    assert grades(folder)["double-test"] == (2, None, None, False)
    gradebook.write(folder, spec, [needs_human(spec, "ann", content)], {"ann": parse(content)})
    assert grades(folder)["double-test"] == (None, None, None, True)


def test_a_submission_that_nobody_can_read_scores_nothing(small):
    folder, spec = small
    file(folder, spec, content=b"", tests=(), score=0, notes=("The notebook is an empty file.",))
    assert {name: row[::3] for name, row in grades(folder).items() if name != "plot"} == {
        **{"double-test": (0, False), "part-test": (0, False), "why": (0, False), "plan": (0, False)},
    }


# ---- late


def due(folder, when: str | None) -> None:
    change(folder, "UPDATE assignment SET duedate = ?", when)


def times(folder) -> tuple:
    """(when, penalty) as the gradebook has it."""
    query = "SELECT timestamp, late_submission_penalty FROM submitted_assignment a JOIN submitted_notebook n"
    ((when, penalty),) = rows(folder, f"{query} ON n.assignment_id = a.id")
    return when and when[:19], penalty


LATE = "c.LateSubmissionPlugin.penalty_method = 'zero'\n"
PLUGIN = """
from nbgrader.plugins import BasePlugin
class Hourly(BasePlugin):
    def late_submission_penalty(self, student_id, score, total_seconds_late):
        return {}
"""


@pytest.mark.parametrize(
    ("told", "when", "penalty"),
    [
        ("2026-02-01 10:00:00.123456 UTC", "2026-02-01 10:00:00", None),
        ("2026-02-01 12:00:01 UTC", "2026-02-01 12:00:01", 2.5),
        ("2026-02-01 12:30:00 +0100", "2026-02-01 12:28:20", 2.5),  # nbgrader takes +0100 for 100 seconds; so do we
        ("2026-02-01T13:30:00+01:00", "2026-02-01 12:30:00", 2.5),
        ("2999-01-01 00:00:00 UTC", "2999-01-01 00:00:00", 2.5),  # the future is late, as in nbgrader
        ("1999-01-01 00:00:00 UTC", "1999-01-01 00:00:00", None),
        ("soon", None, None),
        ("", None, None),
        ("2026-02-01 12:30:00 /etc/localtime", None, None),
        ("9" * 60, None, None),
        ("2026-99-99", None, None),
    ],
)
def test_the_courses_own_late_penalty(small, told, when, penalty):
    folder, spec = small
    with open(folder / "nbgrader_config.py", "a") as config:
        config.write(LATE)
    due(folder, "2026-02-01 12:00:00.000000")
    content = hand_in(folder, "ann", answered(spec), spec, timestamp=told)
    file(folder, spec, content=content, scores={"part-test": 0.5})
    assert times(folder) == (when, penalty)


def test_no_penalty_without_a_due_date_and_a_day_more_for_an_extension(small):
    folder, spec = small
    with open(folder / "nbgrader_config.py", "a") as config:
        config.write(LATE)
    content = hand_in(folder, "ann", answered(spec), spec, timestamp="2026-02-01 12:30:00 UTC")
    file(folder, spec, content=content)
    assert times(folder)[1] is None
    due(folder, "2026-02-01 12:00:00.000000")
    file(folder, spec, content=content)
    assert times(folder)[1] == 3
    change(folder, "UPDATE submitted_assignment SET extension = '1970-01-02 00:00:00.000000'")
    file(folder, spec, content=content)
    assert times(folder)[1] is None


@pytest.mark.parametrize(
    ("answer", "penalty"), [("total_seconds_late / 3600", 0.5), ("99", 3), ("-1", 0), ("None", None)]
)
def test_a_plugin_beside_the_settings(small, answer, penalty):
    folder, spec = small
    name = f"hourly_{hashlib.sha256(answer.encode()).hexdigest()[:8]}"
    (folder / f"{name}.py").write_text(PLUGIN.format(answer))
    with open(folder / "nbgrader_config.py", "a") as config:
        config.write(f"c.AssignLatePenalties.plugin_class = '{name}.Hourly'\n")
    due(folder, "2026-02-01 12:00:00.000000")
    content = hand_in(folder, "ann", answered(spec), spec, timestamp="2026-02-01 12:30:00 UTC")
    before = list(sys.path), os.environ["PATH"]
    file(folder, spec, content=content)
    assert times(folder)[1] == penalty
    assert (list(sys.path), os.environ["PATH"]) == before


def test_a_plugin_that_fails_is_told_and_leaves_nothing(small):
    folder, spec = small
    (folder / "broken_penalty.py").write_text(PLUGIN.format("1 / 0"))
    with open(folder / "nbgrader_config.py", "a") as config:
        config.write("c.AssignLatePenalties.plugin_class = 'broken_penalty.Hourly'\n")
    due(folder, "2026-02-01 12:00:00.000000")
    content = hand_in(folder, "ann", answered(spec), spec, timestamp="2026-02-01 12:30:00 UTC")
    before = dump(folder)
    with pytest.raises(CourseError, match="Hourly, failed"):
        file(folder, spec, content=content)
    assert (dump(folder), snapshot(folder)) == (before, {})


# ---- files


def test_files_are_as_nbgrader_leaves_them(small):
    folder, spec = small
    secret = "ab" * 64
    content = hand_in(
        folder, "ann", answered(spec), spec, timestamp="2026-02-01 10:00:00 UTC", submission_secret=secret
    )
    (folder / "submitted" / "ann" / "small" / "torch.py").write_text("evil")
    file(folder, spec, content=content)
    there = folder / "autograded" / "ann" / "small"
    assert sorted(path.name for path in there.iterdir()) == sorted(
        [spec.notebook, "submission_secret.txt", "timestamp.txt"]
    )
    assert {stat.S_IMODE(path.stat().st_mode) for path in there.iterdir()} == {0o444}
    assert (there / "submission_secret.txt").read_text() == secret
    assert (there / "timestamp.txt").read_text() == "2026-02-01 10:00:00.000000 UTC\n"


def test_a_shared_course_is_writable_for_the_group(small):
    folder, spec = small
    with open(folder / "nbgrader_config.py", "a") as config:
        config.write("c.CourseDirectory.groupshared = True\n")
    file(folder, spec)
    there = folder / "autograded" / "ann" / "small"
    assert stat.S_IMODE((there / spec.notebook).stat().st_mode) == 0o664
    assert all(one.stat().st_mode & 0o2770 == 0o2770 for one in (there, there.parent, there.parent.parent))


@pytest.mark.parametrize("kind", ["link", "hard link", "fifo", "folder", "large", "not hex"])
def test_what_lies_beside_the_notebook_is_read_as_hostile(small, kind):
    """The feedback would carry it to the student: a link to a key, say. Each submission has a secret all the same."""
    folder, spec = small
    place = folder / "submitted" / "ann" / "small"
    content = hand_in(folder, "ann", answered(spec), spec)
    key = folder / "key"
    key.write_text("cd" * 64)
    for name in ("submission_secret.txt", "timestamp.txt"):
        if kind == "link":
            (place / name).symlink_to(key)
        elif kind == "hard link":
            os.link(key, place / name)
        elif kind == "fifo":
            os.mkfifo(place / name)
        elif kind == "folder":
            (place / name).mkdir()
        else:
            (place / name).write_text("ab" * 5_000 if kind == "large" else "../../etc/passwd")
    file(folder, spec, content=content)
    there = folder / "autograded" / "ann" / "small"
    secret = (there / "submission_secret.txt").read_text()
    assert len(secret) == 128
    assert secret not in ("cd" * 64, "ab" * 64)
    assert (there / "timestamp.txt").read_text() == ""
    assert "holds no time" in handed_in.read(place).flags()[0]
    before = snapshot(folder)
    file(folder, spec, content=content)
    assert snapshot(folder) == before  # a secret that we made stays


@pytest.mark.parametrize("name", ["", ".", "..", "../ann", "a/b", "a\\b", "a\0b"])
def test_an_id_that_leads_elsewhere_is_refused(small, name):
    folder, spec = small
    content = answered(spec)
    with pytest.raises(CourseError, match="student's id"):
        gradebook.write(folder, spec, [judged(spec, name, content)], {name: parse(content)})
    assert not (folder / "autograded").exists()


def test_who_handed_in_something_else_since_is_left_out(small):
    folder, spec = small
    results = []
    for name in ("ann", "bob", "eve"):
        content = hand_in(folder, name, answered(spec, why=name), spec)
        results.append(judged(spec, name, content))
    hand_in(folder, "bob", answered(spec, why="anew"), spec)
    (folder / "submitted" / "eve" / "small" / spec.notebook).unlink()
    assert gradebook.write(folder, spec, results) == ["bob", "eve"]
    assert [name for (name,) in rows(folder, "SELECT id FROM student")] == ["ann"]


# ---- trouble


def test_a_locked_gradebook_is_told_and_nothing_is_half_written(small, monkeypatch):
    folder, spec = small
    with open(folder / "nbgrader_config.py", "a") as config:
        config.write("c.CourseDirectory.db_url = 'sqlite:///gradebook.db?timeout=0.1'\n")
    file(folder, spec, "bob")
    before = dump(folder), snapshot(folder)
    with closing(sqlite3.connect(folder / "gradebook.db")) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(CourseError, match=r"locked.*wait until it is done"):
            file(folder, spec)
    assert (dump(folder), snapshot(folder)) == before
    file(folder, spec)
    assert grades(folder)["double-test"][0] == 2


def test_a_gradebook_that_cannot_be_written(small, monkeypatch):
    """Read-only, as SQLite tells it (the tests may run as root, whom no mode keeps out)."""
    folder, spec = small
    before = dump(folder)
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    def read_only(connection, _):
        connection.execute("PRAGMA query_only = ON")

    event.listen(Engine, "connect", read_only)
    try:
        with pytest.raises(CourseError, match=r"readonly.*writable for you"):
            file(folder, spec)
    finally:
        event.remove(Engine, "connect", read_only)
    assert (dump(folder), snapshot(folder)) == (before, {})
    assert not (folder / "autograded" / "ann" / "small").exists()


def test_a_full_disk_under_the_gradebook(small):
    """SQLite's own answer to a disk with no room: the file may not grow."""
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    folder, spec = small
    before = dump(folder)

    def full(connection, _):
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages}")

    event.listen(Engine, "connect", full)
    try:
        content = answered(spec, why=WORDS)
        many = (judged(spec, f"student{number}", content) for number in range(200))
        cells = dict.fromkeys((f"student{number}" for number in range(200)), parse(content))
        with pytest.raises(CourseError, match=r"full.*Make room"):
            gradebook.write(folder, spec, many, cells)
    finally:
        event.remove(Engine, "connect", full)
    written = {name for (name,) in rows(folder, "SELECT student_id FROM submitted_assignment")}
    shown = {path.parts[1] for path in map(Path, snapshot(folder))}
    assert written == shown
    assert len(dump(folder)) >= len(before)


def test_a_full_disk_under_autograded(small, monkeypatch):
    folder, spec = small
    file(folder, spec)
    before = dump(folder), snapshot(folder)
    real = os.open

    def no_room(path, flags, *more, **named):
        if str(path).endswith(".part"):
            raise OSError(28, "No space left on device", str(path))
        return real(path, flags, *more, **named)

    monkeypatch.setattr(os, "open", no_room)
    with pytest.raises(CourseError, match=r"No space left on device.*Make room"):
        file(folder, spec, content=answered(spec, why="other"))
    with pytest.raises(CourseError, match="No space left"):
        file(folder, spec, "bob")
    monkeypatch.undo()
    assert (dump(folder), snapshot(folder)) == before
    assert not list((folder / "autograded").rglob(".*"))
    assert not (folder / "autograded" / "bob" / "small").exists()


def test_a_kill_between_the_row_and_the_file_is_mended(small, monkeypatch):
    folder, spec = small
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        file(folder, spec)
    monkeypatch.undo()
    assert grades(folder)["double-test"][0] == 2
    file(folder, spec)
    whole = dump(folder), {name: found[:2] for name, found in snapshot(folder).items()}
    file(folder, spec)
    assert (dump(folder), {name: found[:2] for name, found in snapshot(folder).items()}) == whole
    assert len(whole[1]) == 3


def test_what_a_killed_run_left_aside_does_no_harm(small):
    folder, spec = small
    there = folder / "autograded" / "ann" / "small"
    there.mkdir(parents=True)
    (there / f".{spec.notebook}.part").write_text("half")
    file(folder, spec)
    assert not list(there.glob(".*"))


def test_a_half_made_gradebook_is_refused_with_what_to_do(small):
    folder, spec = small
    change(folder, "DELETE FROM alembic_version")
    with pytest.raises(CourseError, match=r"half made.*move it away.*nbgrader db upgrade"):
        file(folder, spec)
    with closing(sqlite3.connect(folder / "gradebook.db")) as database:
        database.execute("DROP TABLE alembic_version")
    with pytest.raises(CourseError, match="half made"):
        file(folder, spec)


def test_a_gradebook_of_another_version_and_one_that_is_none(small):
    folder, spec = small
    change(folder, "UPDATE alembic_version SET version_num = '724cde206c17'")
    with pytest.raises(CourseError, match=r"another version.*Back it up.*nbgrader db upgrade"):
        file(folder, spec)
    (folder / "gradebook.db").write_bytes(b"no database at all" * 100)
    with pytest.raises(CourseError, match="damaged"):
        file(folder, spec)


def test_a_new_gradebook_is_whole_or_not_there(tmp_path, monkeypatch):
    folder, spec = course(tmp_path)
    monkeypatch.setenv("PATH", "/nowhere")  # alembic is found beside this Python all the same
    gradebook.write(folder, spec, [], {})
    assert rows(folder, "SELECT COUNT(*) FROM alembic_version") == [(1,)]
    (folder / "gradebook.db").unlink()
    import nbgrader.api

    monkeypatch.setattr(nbgrader.api.sp, "check_output", lambda *_: (_ for _ in ()).throw(FileNotFoundError("alembic")))
    with pytest.raises(CourseError, match="alembic"):
        gradebook.write(folder, spec, [], {})
    assert sorted(path.name for path in folder.iterdir()) == ["nbgrader_config.py", "solutions"]


def test_changed_points_come_with_the_assignment_and_changed_cells_do_not(small):
    folder, spec = small
    file(folder, spec)
    path = folder / "solutions" / "small" / spec.notebook
    cells = json.loads(path.read_bytes())["cells"]
    next(one for one in cells if one["id"] == "double-test")["metadata"]["nbgrader"]["points"] = 5
    path.write_bytes(notebook(cells))
    newer = read_spec(folder, "small")
    file(folder, newer)
    assert grades(folder)["double-test"][0] == 5
    assert rows(folder, "SELECT max_score FROM grade_cells JOIN base_cell USING (id) WHERE name = 'double-test'") == [
        (5,)
    ]
    assert len(grades(folder)) == 5
    path.write_bytes(notebook([*cells, cell("code", "assert 1", "test", "new-test", 1)]))
    with pytest.raises(CourseError, match=r"new-test.*Cells cannot come or go"):
        gradebook.write(folder, read_spec(folder, "small"), [], {})
    with pytest.raises(CourseError, match=r"no longer what was graded.*release small --again"):
        file(folder, spec)


def test_a_relative_and_a_foreign_place_in_the_settings(small, monkeypatch, tmp_path):
    """A relative gradebook lies in the course; an absolute root of another checkout does not count."""
    folder, spec = small
    with open(folder / "nbgrader_config.py", "a") as config:
        config.write(
            "c.CourseDirectory.root = '/another/checkout'\nc.CourseDirectory.db_url = 'sqlite:///gradebook.db'\n"
        )
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    file(folder, spec)
    assert grades(folder)["double-test"][0] == 2
    assert not list(elsewhere.iterdir())


def test_settings_that_cannot_be_read(small):
    folder, spec = small
    (folder / "nbgrader_config.py").write_text("c = get_config()\nraise SystemError('broken')\n")
    with pytest.raises(CourseError, match="broken"):
        file(folder, spec)


def test_the_time_does_not_grow_with_the_class(small):
    """As many statements for each submission, however many came before, and none reads through all of the class."""
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    folder, spec = small
    with open(folder / "nbgrader_config.py", "a") as config:
        config.write(LATE)
    due(folder, "2026-02-01 12:00:00.000000")
    asked = []
    content = answered(spec, why=WORDS)

    def listen(_connection, _cursor, statement, values, *_):
        asked.append((statement, values))

    event.listen(Engine, "before_cursor_execute", listen)
    try:
        counts = []
        with gradebook.writer(folder, spec) as one:
            for number in range(12):
                hand_in(folder, f"s{number}", content, spec, timestamp="2026-02-01 13:00:00 UTC")
                asked.clear()
                one.write(judged(spec, f"s{number}", content), parse(content))
                counts.append(len(asked))
    finally:
        event.remove(Engine, "before_cursor_execute", listen)
    assert len(set(counts)) == 1
    assert counts[0] <= 16
    reads = [(statement, values) for statement, values in asked if statement.startswith("SELECT")]
    assert len(reads) >= 5
    for statement, values in reads:
        plan = rows(folder, f"EXPLAIN QUERY PLAN {statement}", *values)
        assert not [row for row in plan if re.search(r"SCAN (grade|comment|student|submitted_\w+)\b", row[-1])], (
            statement,
            plan,
        )
