"""`dlcourse course forget`: nothing is left of one student, nothing of another is touched, whoever chose the names."""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from dlcourse_filed import ASSIGNMENT
from dlcourse_forgotten import NEIGHBOURS, PAGE, STUDENT, WORDS, copied, files, seeded, traces
from dlcourse_grading import begun, only, stand_in
from dlcourse_run_as import IMPOSSIBLE
from nbgrader.api import Gradebook
from nbgrader.utils import notebook_hash

from dlcourse import cli
from dlcourse.course import CourseError, commands
from dlcourse.course.grading import keys as keys_
from dlcourse.course.grading import mentions as mentions_
from dlcourse.course.grading import removal, result
from dlcourse.course.grading.files import alone
from dlcourse.course.grading.forget import forget, look
from dlcourse.course.grading.grade import AskedWrongly, grade
from dlcourse.course.grading.mentions import mentions

SUPPORT = Path(__file__).parents[2] / "support"


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """Made once: a course of the student and of others, and the keys that signed its results."""
    folder = tmp_path_factory.mktemp("template")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DLCOURSE_KEYS", str(folder / "keys"))
        patch.setenv("JUPYTER_NO_CONFIG", "1")
        seeded(folder, NEIGHBOURS)
    return folder


@pytest.fixture
def held(template, tmp_path, monkeypatch):
    """A copy of it, in which nothing was forgotten yet."""
    monkeypatch.setenv("DLCOURSE_KEYS", str(template / "keys"))
    return copied(template, tmp_path / "held")


@pytest.fixture
def main(held, capsys, monkeypatch):
    """Exit status, stdout and stderr of `dlcourse course forget ...` in the course's folder."""
    monkeypatch.chdir(held / "course")

    def call(*arguments):
        with pytest.raises(SystemExit) as ended:
            cli.main(["course", "forget", *arguments])
        return ended.value.code or 0, *capsys.readouterr()

    return call


def places(held):
    return held / "course", held / "exchange", held / "cache"


def others_files(held) -> dict[str, bytes]:
    """All files but those with the student's own traces, the log, the gradebook and what a kill left."""
    own = (f"/{STUDENT}/", f"/{STUDENT}+{ASSIGNMENT}+", "/grading/log/", ".regrade-", "gradebook.db")
    kept = {path: content for path, content in files(held).items() if not any(part in path for part in own)}
    return {path: content for path, content in kept.items() if WORDS.encode() not in content}


def others_rows(held) -> dict[str, dict]:
    """student -> all that nbgrader says of the submission."""
    with Gradebook(f"sqlite:///{held}/course/gradebook.db") as gradebook:
        return {
            submission.student.id: submission.to_dict()
            | {
                "grades": [grade.to_dict() for notebook in submission.notebooks for grade in notebook.grades],
                "comments": [comment.to_dict() for notebook in submission.notebooks for comment in notebook.comments],
            }
            for submission in gradebook.assignment_submissions(ASSIGNMENT)
            if submission.student.id != STUDENT
        }


# ---- what goes, what stays


def test_nothing_is_left_of_the_student(held):
    before = traces(*places(held))
    assert len(before) >= 25
    assert {path.relative_to(held).parts[:2] for path in map(Path, before)} >= {
        *(("course", name) for name in ("submitted", "autograded", "feedback", "grading", "gradebook.db")),
        *(("exchange", "dlcourse"), ("cache", "dlcourse")),
    }
    assert forget(held / "course", STUDENT) == []
    assert traces(*places(held)) == []
    assert (held / "outside/kept.txt").read_text() == "of somebody else"
    with pytest.raises(AskedWrongly):
        look(held / "course", STUDENT)


def test_pages_that_nothing_uses_held_the_words(held):
    """Else the test above would prove little about the gradebook."""
    file = held / "course/gradebook.db"
    with closing(sqlite3.connect(file)) as database:
        ((live,),) = database.execute("SELECT count(*) FROM comment WHERE manual_comment LIKE ?", (f"%{WORDS}%",))
    assert file.read_bytes().count(WORDS.encode()) > 10 * live


def test_others_keep_all_byte_for_byte(held):
    kept, rows = others_files(held), others_rows(held)
    assert len(kept) > 60
    assert rows.keys() == set(NEIGHBOURS)
    assert forget(held / "course", STUDENT) == []
    left = files(held)
    assert {path: left.get(path) for path in kept} == kept
    assert others_rows(held) == rows
    found = list(result.every(held / "course", ASSIGNMENT, keys_.load("dlcourse")))
    assert {one.student for one in found} == set(NEIGHBOURS)
    assert len(found) == 2 * len(NEIGHBOURS)


def test_the_log_and_the_note_of_a_regrade_keep_the_others(held):
    forget(held / "course", STUDENT)
    log = (held / "course/grading/log" / f"{ASSIGNMENT}.txt").read_text()
    assert "5 students, 5 graded" in log
    assert [line.partition(":")[0] for line in log.splitlines() if " points" in line and line[0] != " "] == sorted(
        NEIGHBOURS
    )
    note = held / "course/grading" / f".regrade-{ASSIGNMENT}.json"
    assert json.loads(note.read_bytes()) == {"since": "2026-03-03T12:00:00+00:00", "students": ["bob"]}


def test_without_keys_the_log_goes(held, monkeypatch):
    monkeypatch.setenv("DLCOURSE_KEYS", str(held / "none"))
    forget(held / "course", STUDENT)
    assert not (held / "course/grading/log" / f"{ASSIGNMENT}.txt").exists()


def test_who_is_in_the_gradebook_only(held):
    with Gradebook(f"sqlite:///{held}/course/gradebook.db") as gradebook:
        gradebook.add_student("registered", first_name="Grace-the-canary")
    assert [place.what for place in look(held / "course", "registered").places] == ["1 rows"]
    forget(held / "course", "registered")
    assert traces(held, needles=(b"registered", b"Grace-the-canary")) == []


def test_grading_goes_on_afterwards(course, book):
    """A regrade was interrupted; one of those who were due is forgotten; the rest is graded, and the note goes."""
    grade(course, "toy", unsafe=True, grade_one=stand_in)
    note = course / "grading/.regrade-toy.json"
    note.write_text(json.dumps({"since": "2040-01-01T00:00:00+00:00", "students": ["ann", "ben"]}))
    forget(course, "ben")
    report = grade(course, "toy", resume=True, unsafe=True, grade_one=stand_in)
    assert [(row.student, row.kept) for row in report.rows] == [("ann", False), ("cat", True), ("dan", True)]
    assert begun().count("ann") == 2
    assert not note.exists()
    assert only(course, "dan").score == 5


@pytest.mark.slow
def test_killed_at_any_moment_and_run_again(tmp_path, own_keys):
    done = subprocess.run(
        [sys.executable, SUPPORT / "dlcourse_forgotten.py", tmp_path, "1"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(SUPPORT), str(SUPPORT.parents[1])])},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert int(done.stdout.split()[-1]) > 50


# ---- who must not be believed


@pytest.mark.parametrize("name", ["..", ".", "", "/etc", "../bob", "bob/small", "a\0b", "\\bob"])
def test_a_name_that_is_no_name(held, name):
    before = files(held)
    with pytest.raises(AskedWrongly, match="can be no student's id"):
        forget(held / "course", name)
    assert files(held) == before


@pytest.mark.parametrize(
    "name", ["*", "?anary-7q", "[a-z]*", "$(touch made)", "bob; touch made", "-rf", "~", "%", "ann"]
)
def test_a_name_of_nobody_is_taken_as_it_stands(main, held, name):
    before = files(held)
    status, _, error = main("--yes", "--", name)
    assert status == 2
    assert "holds nothing about a student" in error
    assert files(held) == before


def test_a_name_like_others_is_told(main):
    status, _, error = main("canary-8q", "--yes")
    assert status == 2
    assert "'canary-7q'" in error


@pytest.mark.parametrize("name", ["*", "$(touch made)", "canary-7q+*", ".x"])
def test_a_student_of_an_odd_name_is_the_only_one_forgotten(held, name):
    for room in ("submitted", "autograded"):
        shutil.copytree(held / "course" / room / "bob", held / "course" / room / name)
    before, may_differ = files(held), ("gradebook.db", ".lock", ".part")
    assert forget(held / "course", name) == []
    kept = {path: content for path, content in before.items() if f"/{name}/" not in path}
    left = {path: content for path, content in files(held).items() if not path.endswith(may_differ)}
    assert left == {path: content for path, content in kept.items() if not path.endswith(may_differ)}


def test_a_folder_that_is_a_link_is_removed_and_not_followed(held):
    course = held / "course"
    (held / "outside").mkdir(exist_ok=True)
    for place in (course / "submitted" / STUDENT, course / "grading/results" / ASSIGNMENT / STUDENT):
        shutil.rmtree(place)
        place.symlink_to(held / "outside")
    inbound = held / "exchange/dlcourse/inbound"
    (inbound / f"{STUDENT}+{ASSIGNMENT}+2026-03-09 12:00:00.000000 UTC+abcdefghijkl").symlink_to(held / "outside")
    assert forget(course, STUDENT) == []
    assert (held / "outside/kept.txt").read_text() == "of somebody else"
    assert not os.path.lexists(course / "submitted" / STUDENT)
    assert traces(*places(held)) == []


@pytest.mark.parametrize("place", ["course/submitted", "course/grading/results/small", "exchange/dlcourse/inbound"])
def test_a_place_that_is_a_link_stops_it_before_anything_is_removed(held, place):
    (held / place).rename(held / "elsewhere")
    (held / place).symlink_to(held / "elsewhere")
    before = files(held)
    with pytest.raises(CourseError, match="is a link or no folder"):
        look(held / "course", STUDENT)
    with pytest.raises(CourseError, match="is a link or no folder"):
        forget(held / "course", STUDENT)
    after = files(held)
    after.pop(str(held / "course/grading/.lock"))
    assert after == before


def test_a_secret_that_was_copied_from_another_proves_nothing(held):
    """What was handed in elsewhere, or collected by nbgrader's own collector, may hold another's secret."""
    course = held / "course"
    (secret,) = {path.read_text() for path in (course / "feedback/bob").glob("*/submission_secret.txt")}
    for path in (course / "submitted" / STUDENT).glob("*/submission_secret.txt"):
        path.write_text(secret)
    page = held / "exchange/dlcourse/feedback" / f"{notebook_hash(secret=secret, notebook_id=PAGE)}.html"
    before = page.read_bytes()
    forget(course, STUDENT)
    assert page.read_bytes() == before


def test_however_deep_a_student_nests_folders(held, request):
    # What a failure leaves is too deep for pytest, which would stumble over it at the end of this run and of others.
    request.addfinalizer(lambda: subprocess.run(["rm", "-rf", held], check=True))
    folder = held / "course/submitted" / STUDENT / ASSIGNMENT
    at = os.open(folder, os.O_RDONLY)
    for _ in range(3_000):
        os.mkdir("d", dir_fd=at)
        below = os.open("d", os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = below
    os.close(os.open("deep.txt", os.O_CREAT | os.O_WRONLY, dir_fd=at))
    os.close(at)
    assert forget(held / "course", STUDENT) == []
    assert not folder.parent.exists()


FILLS = """
import os, sys
at, number, test = os.open(sys.argv[1], os.O_RDONLY), 0, os.getppid()
print("begun", flush=True)
while os.getppid() == test:  # it would fill the disk, were the test killed
    number += 1
    os.close(os.open(f"{number}.txt", os.O_CREAT, dir_fd=at))
"""


def test_a_folder_that_fills_as_fast_as_it_is_emptied_is_told_and_goes_the_next_time(held, monkeypatch):
    """Its owner adds files, by an open folder: no new name keeps them out. Others' are untouched."""
    inbound = held / "exchange/dlcourse/inbound"
    folder = next(inbound.glob(f"{STUDENT}+{ASSIGNMENT}+*"))
    kept = others_files(held)
    with (
        monkeypatch.context() as patched,
        subprocess.Popen([sys.executable, "-c", FILLS, folder], stdout=subprocess.PIPE) as student,
    ):
        patched.setattr(removal, "MOST", 500)
        try:
            student.stdout.readline()
            while len(os.listdir(folder)) < 1_000:
                assert student.poll() is None
            (left,) = forget(held / "course", STUDENT)
        finally:
            student.kill()
    assert "end its programs, and run the same command again" in left.why
    assert left.path.parent == inbound
    assert left.path.name.startswith(".forgetting-")
    assert forget(held / "course", STUDENT) == []
    assert traces(*places(held)) == []
    assert {path: files(held).get(path) for path in kept} == kept


@pytest.mark.parametrize("place", [".", "below"])
def test_a_file_that_its_owner_removes_meanwhile(held, monkeypatch, place):
    """It is no reason to leave the others."""
    folder = next((held / "exchange/dlcourse/inbound").glob(f"{STUDENT}+{ASSIGNMENT}+*")) / place
    folder.mkdir(exist_ok=True)
    (folder / "gone.txt").touch()
    unlink, taken = os.unlink, []

    def unlink_twice(name, *, dir_fd=None):
        unlink(name, dir_fd=dir_fd)
        if name == "gone.txt":
            taken.append(name)
            raise FileNotFoundError(2, "No such file or directory")

    with monkeypatch.context() as patched:
        patched.setattr(removal.os, "unlink", unlink_twice)
        assert forget(held / "course", STUDENT) == []
    assert taken
    assert not list((held / "exchange/dlcourse/inbound").glob(".forgetting-*"))
    assert traces(*places(held)) == []


# ---- what is left, and names the student


def named(folder, student="bob") -> list[str]:
    return [path.name for path in mentions([folder], student, leave_out=set()).named]


@pytest.mark.parametrize("size", [0, 7, 11, 12, 13, 14, 15, 16, 17, 23, 30])
def test_an_id_is_found_wherever_a_block_ends(tmp_path, monkeypatch, size):
    monkeypatch.setattr(mentions_, "BLOCK", 16)
    monkeypatch.setattr(mentions_, "OVERLAP", 8)
    beside = {"before": b"xbob", "behind": b"bobx", "address": b"bob.org"}
    for name, word in {"sentence": b"bob.", "alone": b"bob", **beside}.items():
        for end, rest in (("ends", b""), ("goes-on", b" " * 40)):
            (tmp_path / f"{name}-{end}").write_bytes(b" " * size + word + rest)
    assert named(tmp_path) == ["alone-ends", "alone-goes-on", "sentence-ends", "sentence-goes-on"]


def test_a_file_that_its_owner_cuts_off_while_it_is_looked_through(tmp_path, monkeypatch):
    """A map of it would end the program by a signal."""
    sparse = tmp_path / "sparse"
    sparse.touch()
    os.truncate(sparse, 64 * 2**20)
    read, cut = os.fstat, []

    def then_cut(descriptor):
        found = read(descriptor)
        os.truncate(sparse, 0)
        cut.append(found.st_size)
        return found

    monkeypatch.setattr(mentions_.os, "fstat", then_cut)
    assert named(tmp_path) == []
    assert cut == [64 * 2**20]


def test_what_is_large_is_not_looked_into_and_of_what_grows_no_more_than_that(tmp_path, monkeypatch):
    monkeypatch.setattr(mentions_, "BLOCK", 16)
    monkeypatch.setattr(mentions_, "OVERLAP", 8)
    monkeypatch.setattr(mentions_, "LARGE", 100)
    (tmp_path / "large").write_bytes(b"bob".ljust(101))
    (tmp_path / "as-large-as-may-be").write_bytes(b"bob".ljust(100))
    (grows := tmp_path / "grows").touch()
    look = os.fstat

    def then_grow(descriptor):
        found = look(descriptor)
        if found.st_size == 0:
            grows.write_bytes(b"bob".rjust(1_000))
        return found

    monkeypatch.setattr(mentions_.os, "fstat", then_grow)
    assert named(tmp_path) == ["as-large-as-may-be"]
    assert grows.stat().st_size == 1_000


@pytest.mark.parametrize("changed", ["a link", "a pipe"])
def test_a_file_that_is_exchanged_when_it_was_listed(tmp_path, monkeypatch, request, changed):
    elsewhere, room = tmp_path / "elsewhere", tmp_path / "room"
    elsewhere.write_text("bob")
    room.mkdir()
    (room / "file").symlink_to(elsewhere) if changed == "a link" else os.mkfifo(room / "file")
    monkeypatch.setattr(mentions_, "_files", lambda *_: [room / "file"])

    def waits(*_):
        raise AssertionError("it waits for somebody to write into the pipe")

    before = signal.signal(signal.SIGALRM, waits)
    signal.alarm(30)
    request.addfinalizer(lambda: (signal.alarm(0), signal.signal(signal.SIGALRM, before)))
    assert named(room) == []


def test_what_others_have_in_the_exchange_is_not_looked_into(held):
    """There it is theirs: as large as they like, and changing."""
    folder = held / "exchange/dlcourse/inbound" / f"bob+{ASSIGNMENT}+2026-03-09 12:00:00.000000 UTC+abcdefghijkl"
    folder.mkdir()
    (folder / "notes.txt").write_text(f"with {STUDENT}")
    beside = held / "exchange/dlcourse/notes.txt"
    beside.write_text(f"with {STUDENT}")
    assert look(held / "course", STUDENT).rest.named == (beside,)


def test_while_a_grader_is_at_work(held):
    before = files(held)
    with (
        alone(held / "course/grading/.lock", ""),
        pytest.raises(CourseError, match="Another dlcourse grades or releases here"),
    ):
        forget(held / "course", STUDENT)
    after = files(held)
    after.pop(str(held / "course/grading/.lock"))
    assert after == before


def test_another_structure_of_folders_is_refused(held):
    with (held / "course/nbgrader_config.py").open("a") as settings:
        settings.write('\nc.CourseDirectory.directory_structure = "{nbgrader_step}/{assignment_id}/{student_id}"\n')
    before = files(held)
    with pytest.raises(CourseError, match="Only nbgrader's own"):
        forget(held / "course", STUDENT)
    assert files(held) == before


# ---- the command


def test_a_dry_run_shows_all_and_changes_nothing(main, held):
    similar, archive = held / "course/similar.html", held / "course/old.tar.gz"
    similar.write_text(f"<td>{STUDENT}</td><td>bob</td>")
    archive.write_bytes(b"packed")
    before = files(held)
    status, said, _ = main(STUDENT, "--dry-run")
    assert status == 0
    for place in (
        *("the gradebook", f"submitted/{STUDENT}", f"autograded/{STUDENT}", f"feedback/{STUDENT}"),
        *(f"grading/results/{ASSIGNMENT}/{STUDENT}", f"grading/log/{ASSIGNMENT}.txt", f".regrade-{ASSIGNMENT}.json"),
        *(str(held / "exchange/dlcourse/inbound"), str(held / "exchange/dlcourse/feedback"), str(held / "cache")),
    ):
        assert place in said
    assert said.index("stay:") < said.index(str(similar)) < said.index("not looked into") < said.index(str(archive))
    for word in ("the student's own home", "backups", f"/hub/api/users/{STUDENT}", "Nothing was removed."):
        assert word in said
    assert files(held) == before


@pytest.mark.parametrize("room", ["submitted", "autograded", "feedback", "release", "exercises"])
def test_a_course_that_lies_where_others_work_is_kept_is_not_believed(main, held, monkeypatch, room):
    """Its settings are a program, and whoever handed it in wrote them."""
    planted = held / "course" / room / "bob/small/within/and/deeper"
    (planted / "solutions").mkdir(parents=True)
    (planted / "nbgrader_config.py").write_text(f"open({str(held / 'was-run')!r}, 'w')\nc = get_config()\n")
    monkeypatch.chdir(planted)
    status, _, error = main(STUDENT, "--yes")
    assert status == 1
    assert f"cd {held / 'course'}" in error
    assert not (held / "was-run").exists()
    assert traces(*places(held))


def test_a_course_that_lies_in_a_folder_of_that_name_is_one(tmp_path, monkeypatch):
    mine = tmp_path / "exercises/mine"
    (mine / "solutions").mkdir(parents=True)
    (mine / "nbgrader_config.py").touch()
    monkeypatch.chdir(mine)
    assert commands._course() == mine


@pytest.mark.parametrize("answer", ["", "n", "no", "what?"])
def test_only_a_yes_removes(main, held, monkeypatch, answer):
    monkeypatch.setattr("builtins.input", lambda question: answer)
    before = files(held)
    status, said, _ = main(STUDENT)
    assert (status, files(held)) == (1, before)
    assert said.endswith("Nothing was removed.\n")


def test_a_yes_does(main, held, monkeypatch):
    monkeypatch.setattr("builtins.input", lambda question: "y")
    status, said, _ = main(STUDENT)
    assert status == 0
    assert f"{STUDENT} is forgotten here." in said
    assert traces(*places(held)) == []


def test_nobody_there_to_answer(main, held, monkeypatch):
    def end(question):
        raise EOFError

    monkeypatch.setattr("builtins.input", end)
    before = files(held)
    status, _, error = main(STUDENT)
    assert (status, files(held)) == (1, before)
    assert "--yes" in error


def test_what_cannot_be_removed_is_told_and_goes_the_next_time(main, held, monkeypatch):
    """A folder that a student made within a submission is the student's, and the exchange's owner may not empty it."""
    inbound = held / "exchange/dlcourse/inbound"
    unlink = os.unlink

    def refuse(name, *, dir_fd=None):
        if dir_fd is not None and "/inbound/" in os.readlink(f"/proc/self/fd/{dir_fd}"):
            raise PermissionError(13, "Permission denied")
        unlink(name, dir_fd=dir_fd)

    monkeypatch.setattr(removal.os, "unlink", refuse)
    status, said, error = main(STUDENT, "--yes")
    assert status == 1
    assert "forgotten here" not in said
    assert error.count("could not be removed: Permission denied") == 2
    assert f"rm -r -- {inbound}/.forgetting-" in error
    assert not list(inbound.glob(f"{STUDENT}+{ASSIGNMENT}+*")), "nbgrader would collect it again"
    monkeypatch.undo()
    monkeypatch.chdir(held / "course")
    assert main(STUDENT, "--yes")[0] == 0
    assert traces(*places(held)) == []


CLOSED = """
import tempfile
from pathlib import Path
from dlcourse.course.grading.removal import opened, remove

with tempfile.TemporaryDirectory() as folder:
    within = Path(folder, "ann/closed/within")
    within.mkdir(parents=True)
    (within / "notes.txt").write_text("")
    within.chmod(0o500)
    within.parent.chmod(0)
    with opened(Path(folder)) as at:
        remove(at, "ann", "aside")
    print(list(Path(folder).iterdir()))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="becomes an ordinary user as Linux has it")
def test_folders_that_a_student_closed_as_an_ordinary_instructor_has_them():
    """A copy keeps the mode that its author gave it; root would not notice."""
    line = [sys.executable, SUPPORT / "dlcourse_run_as.py", "ordinary", "--", sys.executable, "-c", CLOSED]
    environment = {**os.environ, "PYTHONPATH": str(SUPPORT.parents[1]), "TMPDIR": "/tmp"}
    done = subprocess.run(line, env=environment, cwd="/", capture_output=True, text=True)
    if done.returncode == IMPOSSIBLE:
        pytest.skip(done.stderr.strip())
    assert (done.returncode, done.stdout, done.stderr) == (0, "[]\n", "")
