"""Kills a grader with -9 at random moments, again and again, and looks after each kill at what is on the disk.

    python dlcourse_grading_kills.py COURSE SEED KILLS

A process of its own, with one thread and everything imported: each grader is a fork of it, so that a run is short and
most moments of it are worth killing in. It ends with a traceback when something was lost, doubled or half written.
"""

import json
import os
import random
import signal
import sqlite3
import sys
import time
from contextlib import closing
from pathlib import Path

import nbgrader.api
import nbgrader.converters
import nbgrader.coursedir
import nbgrader.preprocessors  # noqa: F401 - so that a fork need not
from dlcourse_grading import ASSIGNMENT, begun, hand_in, ledger, results, stand_in

from dlcourse.course.grading.grade import grade

STUDENTS = [f"s{number:02}" for number in range(12)]
SCORES = "SELECT s.student_id, SUM(g.auto_score), COUNT(g.auto_score) FROM grade g "
SCORES += "JOIN submitted_notebook n ON g.notebook_id = n.id JOIN submitted_assignment s ON n.assignment_id = s.id "
SCORES += "GROUP BY s.student_id"


def grader(course: Path, options: dict) -> int:
    """A grader in a process of its own; its id."""
    if pid := os.fork():
        return pid
    try:
        report = grade(course, ASSIGNMENT, unsafe=True, grade_one=stand_in, **options)
        os._exit(report.status)
    except BaseException:
        import traceback

        traceback.print_exc()
        os._exit(99)


def gradebook(course: Path) -> dict[str, float | None]:
    """Student -> score in the gradebook, which is whole; half a submission is an error."""
    file = course / "gradebook.db"
    if not file.exists():
        return {}
    with closing(sqlite3.connect(file)) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        rows = db.execute(SCORES).fetchall()
    assert {count for _, _, count in rows} <= {0, 2}, rows
    return {student: score for student, score, _ in rows}


def newest(course: Path) -> dict:
    """Student -> the latest result; fails on a file that is not believed."""
    return {name: max(found, key=lambda one: one.graded_at) for name, found in results(course).items()}


def wait(pid: int, kill_after: float | None) -> tuple[int, float]:
    """(exit code, when it ended) of a grader, which is killed when it lives longer than so many seconds."""
    deadline = None if kill_after is None else time.monotonic() + kill_after
    while not (ended := os.waitpid(pid, os.WNOHANG))[0]:
        if deadline is not None and time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
            deadline = None
        time.sleep(0.002)
    return os.waitstatus_to_exitcode(ended[1]), time.monotonic()


def main(course: Path, seed: int, kills: int) -> dict:
    chance = random.Random(seed)
    points, killed, rounds = [2, 3], 0, 0
    lasted = 2.0  # seconds of a run; measured on the way
    while killed < kills:
        # A new round: everybody hands in something else, or all is regraded.
        rounds += 1
        if rounds % 3 == 0:
            options = {"regrade": True}
        else:
            points, options = [rounds % 3, rounds % 4], {}
            for name in STUDENTS:
                hand_in(course, name, points=points, round=rounds, sleep=0.01)
        since = {name: one.graded_at for name, one in newest(course).items()} if rounds > 1 else {}
        while True:
            done = {name for name, one in newest(course).items() if one.graded_at != since.get(name)}
            before = len(begun())
            pid, started = grader(course, options), time.monotonic()
            status, ended = wait(pid, chance.uniform(0, lasted) if killed < kills else None)
            judged = begun_since(before)
            assert not done & set(judged), f"graded twice: {done & set(judged)}"
            assert len(judged) == len(set(judged)), judged
            check(course)
            if status == 0:  # the kill came too late
                lasted = ended - started
                break
            assert status == -signal.SIGKILL, status
            killed += 1
            noted = (course / "grading" / f".regrade-{ASSIGNMENT}.json").exists()
            options = {"regrade": not noted and "regrade" in options, "resume": True}
        assert {name: one.score for name, one in newest(course).items()} == dict.fromkeys(STUDENTS, sum(points))
        assert gradebook(course) == dict.fromkeys(STUDENTS, sum(points))
        regraded = {name for name, one in newest(course).items() if one.graded_at != since.get(name)}
        assert regraded == set(STUDENTS), "a submission was lost"
    assert not list((course / "grading").rglob("*.part"))
    return {"killed": killed, "rounds": rounds, "judged": len(begun())}


def begun_since(count: int) -> list[str]:
    lines = [line.split()[1] for line in ledger() if line.startswith("begin")]
    return lines[count:]


def check(course: Path) -> None:
    """After a kill: every result is believed, and the gradebook holds nothing but what a result says."""
    known = {name: {one.score for one in found} | {None} for name, found in results(course).items()}
    for name, score in gradebook(course).items():
        assert score in known.get(name, {None}), (name, score, known.get(name))


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))))
