"""`dlcourse course grade`: what it prints, how it ends, Ctrl-C; --explain; and once with the real judge in a jail."""

import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from dlcourse_grading import (
    ASSIGNMENT,
    answered,
    begun,
    hand_in,
    make,
    only,
    release,
    results,
    solution,
    stand_in,
)

from dlcourse import cli
from dlcourse.course import CourseError
from dlcourse.course.grading import keys, pools
from dlcourse.course.grading.explain import explain
from dlcourse.course.grading.grade import AskedWrongly, grade
from dlcourse.course.grading.jail import sandbox as jail
from dlcourse.course.grading.judge import one

SUPPORT = Path(__file__).parents[2] / "support"


@pytest.fixture
def main(course, capsys, monkeypatch):
    """Exit status, stdout and stderr of `dlcourse course grade toy ...` in this process, with the stand-in."""
    monkeypatch.chdir(course)
    monkeypatch.setattr(one, "grade_submission", stand_in)

    def call(*arguments):
        with pytest.raises(SystemExit) as ended:
            cli.main(["course", "grade", ASSIGNMENT, *arguments])
        return ended.value.code or 0, *capsys.readouterr()

    return call


def test_the_summary(main, course):
    hand_in(course, "ben", points=[2, 0], notes=["look at \x1b[2J this"])
    hand_in(course, "cat", trouble=["no memory"] * 3)
    status, out, err = main("--workers", "1")
    assert status == 1
    lines = [line.split() for line in out.splitlines() if line]
    assert lines[0] == ["student", "score", "failed", "tests", "flags", "seconds"]
    assert lines[1] == ["ann", "5/5", "1.0"]
    assert lines[2][:3] == ["ben", "2/5", "accuracy-test"]
    assert lines[3][:2] == ["cat", "?/5"]
    assert "\x1b" not in out
    assert "toy: 3 graded, 1 need a human." in out
    assert f"{course}/grading/log/toy.txt" in out
    assert err.splitlines()[-1] == "dlcourse: cat: needs a human: no memory"
    status, out, _ = main()
    assert status == 0
    assert "toy: 1 graded, 3 were graded before." in out


def test_in_a_folder_that_holds_no_course_the_checkout_is_named(main, course, tmp_path, monkeypatch):
    monkeypatch.setattr("dlcourse.course.sync.course_root", lambda: course)
    monkeypatch.chdir(tmp_path)
    status, out, err = main("--workers", "1")
    assert (status, "ann" in out) == (0, True)
    assert err == f"dlcourse: this folder holds no course; using the one in {course}\n"
    monkeypatch.chdir(course)
    assert main()[2] == ""


def test_the_summary_of_a_big_class(main, course):
    for number in range(60):
        hand_in(course, f"s{number:02}", points=[2, 0] if number == 33 else [2, 3])
    status, out, _ = main()
    assert status == 0
    table = out[out.index("The ten lowest:") : out.index("toy: 64 graded")]
    assert len(table.split("\n")) == 2 + 10 + 2
    assert table.splitlines()[2].split()[:2] == ["s33", "2/5"]


def test_exit_codes(main, course, monkeypatch):
    assert main("--student", "eve")[0] == 2
    assert main("--workers", "2", "--dask", "tcp://x:1")[0] == 2
    assert main("--explain", "ann", "double-test", "--regrade")[0] == 2
    assert main("--workers", "0")[0] == 2
    notebook = course / "solutions" / ASSIGNMENT / "toy-exercises.ipynb"
    notebook.write_bytes(solution(points=(1, 3)))
    status, out, err = main()
    assert (status, out) == (4, "")
    assert "The cell double-test was worth 2 and is worth 1." in err
    assert "put back what was here then" in err
    notebook.write_bytes(solution())

    def none(only):
        raise jail.NoSandbox("namespaces: refused")

    monkeypatch.setattr(pools, "_sandbox", none)
    status, out, err = main()
    assert (status, out, begun()) == (3, "", [])
    assert "namespaces: refused" in err
    assert main("--unsafe-no-sandbox")[0] == 0
    (course / "grading/locks/toy.json").unlink()
    status, _, err = main()
    assert (status, "dlcourse course release toy" in err) == (1, True)
    (course / "solutions/toy").rename(course / "solutions/other")
    status, out, err = main()
    assert (status, out, "There are: other." in err) == (2, "", True)


COMMAND = """
import sys
from dlcourse import cli
from dlcourse.course.grading.book import gradebook
from dlcourse.course.grading.judge import one
from dlcourse.course.grading import pools
from dlcourse_grading import Book, stand_in
book = Book()
gradebook.writer, gradebook.grading_log = book.writer, book.log
pools._sandbox = lambda only: "namespaces"
one.grade_submission = stand_in
cli.main(["course", "grade", "toy", *sys.argv[1:]])
"""


def command(course, *arguments):
    return subprocess.Popen(
        [sys.executable, "-c", COMMAND, *arguments],
        cwd=course,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(SUPPORT), str(SUPPORT.parents[1])])},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_keeps_what_is_graded(course, how):
    for number in range(40):
        hand_in(course, f"s{number:02}", sleep=0.2)
    with command(course, "--workers", "2") as running:
        while len(results(course)) < 3:
            assert running.poll() is None, running.stderr.read()
            time.sleep(0.02)
        running.send_signal(how)
        out, err = running.communicate(timeout=60)
    assert running.returncode == 130, err
    done = len(results(course))
    assert 3 <= done < 44
    assert f"{44 - done} still to grade. Go on with: dlcourse course grade toy --resume" in err
    assert f"toy: {done} graded." in out
    assert not list((course / "grading").rglob("*.part"))
    before = len(begun())
    with command(course, "--resume", "--workers", "20") as running:
        _, err = running.communicate(timeout=60)
    assert running.returncode == 0, err
    assert len(begun()) - before == 44 - done


# ---- --explain


def test_explain_tells_all_and_compares(main, course):
    hand_in(course, "ben", points=[2, 0])
    main()
    seeds = keys.load("dlcourse").seeds("toy", 1, "00.accuracy")
    before = {path: path.read_bytes() for path in course.rglob("*") if path.is_file()}
    for exercise in ("accuracy-test", "00.accuracy"):
        status, out, err = main("--explain", "ben", exercise)
        assert (status, err) == (0, "")
        assert "ben, toy, accuracy-test: 0 of 3 points, failed in its hidden part: That is not it." in out
        assert f"hidden seeds of 00.accuracy: {', '.join(map(str, seeds))}" in out
        assert f"it fails with the seed {seeds[0]}" in out
        assert "    called     f(7041)" in out
        assert "has the same verdict" in out
    assert {path: path.read_bytes() for path in course.rglob("*") if path.is_file()} == before
    status, out, _ = main("--explain", "ann", "double-test")
    assert (status, "ann, toy, double-test: 2 of 2 points\n" in out) == (0, True)


def test_explain_tells_a_visible_failure_once(course):
    told = "called     f(7)"

    def seen(*arguments, **options):
        verdict = stand_in(*arguments, **options)
        failed = {"passed": False, "score": 0.0, "part": "visible", "shown": told, "explained": told}
        return replace(verdict, tests=tuple(replace(test, **failed) for test in verdict.tests))

    lines = explain(course, ASSIGNMENT, "ann", "double-test", grade_one=seen).lines
    assert [line.strip() for line in lines].count(told) == 1


def test_explain_says_when_the_verdict_is_another(course):
    hand_in(course, "ben", points=[2, 0])
    grade(course, ASSIGNMENT, grade_one=stand_in)

    def kinder(*arguments, **options):
        verdict = stand_in(*arguments, **options)
        return replace(verdict, tests=tuple(replace(t, passed=True, score=t.points, part="") for t in verdict.tests))

    told = explain(course, ASSIGNMENT, "ben", "accuracy-test", grade_one=kinder)
    assert told.same is False
    assert "has another verdict: 0 of 3 points, failed in its hidden part" in told.lines[-1]
    hand_in(course, "ben", points=[2, 1])
    told = explain(course, ASSIGNMENT, "ben", "accuracy-test", grade_one=stand_in)
    assert told.same is None
    assert told.lines[-1].startswith("There is no signed result of exactly this submission.")


def test_explain_asked_wrongly(course):
    with pytest.raises(AskedWrongly, match=r"toy has no test 'nonsense'. It has: double-test, accuracy-test"):
        explain(course, ASSIGNMENT, "ann", "nonsense", grade_one=stand_in)
    with pytest.raises(AskedWrongly, match="Nothing was handed in by 'eve'"):
        explain(course, ASSIGNMENT, "eve", "double-test", grade_one=stand_in)
    hand_in(course, "ben", trouble=["no memory"])
    with pytest.raises(CourseError, match="could not be replayed: no memory"):
        explain(course, ASSIGNMENT, "ben", "double-test", grade_one=stand_in)


# ---- once for real


@pytest.fixture(scope="module")
def jailed():
    try:
        jail.probe()
    except jail.NoSandbox as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(error))
    yield
    one.close()


ONLY_ONES = "def accuracy(predicted, labels):\n    return 1.0"
FIXED = "def double(x):\n    return 4"


@pytest.mark.parametrize("dies", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_the_real_judge_in_a_real_jail(tmp_path, own_keys, jailed, dies):
    course = make(tmp_path / "course")
    release(course)
    hand_in(course, "right", answered())
    hand_in(course, "fixed", answered(double=FIXED))
    hand_in(course, "wrong", answered(accuracy=ONLY_ONES))
    hand_in(course, "empty", b"")

    def kill(done, total, who):
        if dies and done == 1:
            one._warm._process.kill()  # the process that all others are forked from: it is started anew

    report = grade(course, ASSIGNMENT, workers=1, on_progress=kill)
    assert report.status == 0
    assert {row.student: row.score for row in report.rows} == {"right": 5, "fixed": 3, "wrong": 2, "empty": 0}
    assert only(course, "right").sandbox in ("namespaces", "landlock")
    fixed = only(course, "fixed").tests[0]
    assert (fixed.part, fixed.shown) == ("hidden", "")
    assert "fixed: 3 of 5 points" in report.log.read_text()
    assert (course / "gradebook.db").exists()
    told = explain(course, ASSIGNMENT, "wrong", "00.accuracy")
    assert told.same
    text = "\n".join(told.lines)
    assert all(word in text for word in ("called", "came back", "wanted", "likely", "hidden seeds of 00.accuracy"))


# ---- a full disk

FULL_DISK = """
import os, subprocess, sys
from pathlib import Path
disk, empty = Path(sys.argv[1]), int(sys.argv[2])
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", disk], check=True)
from dlcourse.course import CourseError
from dlcourse.course.grading.grade import grade
from dlcourse_grading import hand_in, make, release, results, stand_in
from dlcourse_grading_kills import gradebook
names = [f"s{n:02}" for n in range(30)]
course = make(disk / "course", "first")
release(course)
assert grade(course, "toy", unsafe=True, grade_one=stand_in).status == 0
for name in names:
    hand_in(course, name)
left = os.statvfs(disk)
(disk / "ballast").write_bytes(bytes(max(0, left.f_bavail * left.f_frsize - empty)))
said = ""
try:
    grade(course, "toy", unsafe=True, grade_one=stand_in)
except CourseError as error:
    said = str(error)
assert "No space left" in said or "full" in said, said
done = results(course)  # all that is there is believed
assert len(done) < 31, len(done)
assert not [path for path in course.rglob("*") if path.name.endswith(".part")]
scores = gradebook(course)
assert all(scores[name] in (None, 5.0) for name in scores) and set(scores) <= set(done), scores
(disk / "ballast").unlink()
report = grade(course, "toy", unsafe=True, grade_one=stand_in, resume=True)
assert report.status == 0 and {row.student for row in report.rows if row.kept} == set(done)
assert gradebook(course) == dict.fromkeys(["first", *names], 5.0)
print(len(done), said)
"""


@pytest.mark.slow
@pytest.mark.parametrize("empty", [0, 40_000, 150_000])
def test_a_full_disk(tmp_path, own_keys, ledger, empty):
    """A real one, in a mount namespace of its own: as root, or in a user namespace where one is allowed."""
    ways = (["unshare", "--mount"], ["unshare", "--user", "--map-root-user", "--mount"])
    way = next((way for way in ways if shutil.which("unshare") and not subprocess.call([*way, "true"])), None)
    if way is None:
        pytest.skip("no disk may be mounted here")
    (tmp_path / "disk").mkdir()
    done = subprocess.run(
        [*way, sys.executable, "-c", FULL_DISK, tmp_path / "disk", str(empty)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(SUPPORT), str(SUPPORT.parents[1])])},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-3000:]
