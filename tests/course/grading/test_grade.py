"""The map over submissions, with a stand-in for the judge: what is graded, what is not again, what is trouble."""

import errno
import json
import os
import pickle
import threading
from dataclasses import replace

import pytest
from dlcourse_grading import (
    ASSIGNMENT,
    CLASS,
    FULL,
    begun,
    hand_in,
    ledger,
    make,
    only,
    release,
    results,
    solution,
    stand_in,
)

from dlcourse.course import CourseError
from dlcourse.course.grading import grade as grade_module
from dlcourse.course.grading import keys, pools
from dlcourse.course.grading.files import alone
from dlcourse.course.grading.grade import AskedWrongly, NotAsReleased, grade, printable
from dlcourse.course.grading.jail import sandbox as jail


def run(course, **options):
    """(report, lines of trouble) of a run with the stand-in."""
    told = []
    report = grade(course, ASSIGNMENT, grade_one=stand_in, on_trouble=told.append, **options)
    return report, told


def tree(folder):
    return {path: path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


# ---- what is graded, and what is not again


def test_everybody_is_graded_once(course, book):
    hand_in(course, "ben", points=[2, 0], notes=["an odd import"])
    seen = []
    report, told = run(course, on_progress=lambda *at: seen.append(at))
    assert (report.status, report.left, report.interrupted, told) == (0, 0, False, [])
    assert [(row.student, row.score, row.max_score) for row in report.rows] == [
        *(("ann", 5, 5), ("ben", 2, 5), ("cat", 5, 5), ("dan", 5, 5))
    ]
    assert (report.rows[1].failed, report.rows[1].flags) == (("accuracy-test",), ("an odd import",))
    assert begun() == list(CLASS)
    assert sorted(book.entered) == [("ann", 5), ("ben", 2), ("cat", 5), ("dan", 5)]
    assert book.logs == 1
    ann = only(course, "ann")
    assert (ann.status, ann.score, ann.max_score, ann.sandbox, ann.unsafe) == ("graded", 5, 5, "namespaces", False)
    assert (ann.version, ann.notes, ann.trouble) == (1, (), "")
    assert ann.versions == {"dlcourse": "1", "python": "3", "torch": "2"}
    assert [done for done, _, _ in seen] == [0, 1, 2, 3, 4]
    assert {total for _, total, _ in seen} == {4}


def test_a_result_is_the_checkpoint(course, book):
    run(course)
    files = tree(course / "grading" / "results")
    report, _ = run(course)
    assert begun() == list(CLASS)
    assert tree(course / "grading" / "results") == files
    assert [row.kept for row in report.rows] == [True] * 4
    assert len(book.entered) == 8  # entered once more: that mends a kill between result and gradebook


def test_what_was_handed_in_anew_is_graded_and_the_earlier_result_stays(course):
    run(course)
    hand_in(course, "cat", points=[0, 3])
    report, _ = run(course)
    assert begun() == ["ann", "ben", "cat", "cat", "dan"]
    assert sorted(each.score for each in results(course)["cat"]) == [3, 5]
    assert [row.score for row in report.rows if row.student == "cat"] == [3]


def test_another_release_or_another_spec_is_graded_anew(course):
    run(course)
    release(course, version=2)
    run(course)
    assert begun() == sorted(2 * CLASS)
    assert only(course, "ann").version == 2
    (course / "solutions" / ASSIGNMENT / "toy-exercises.ipynb").write_bytes(solution(points=(2, 4)))
    release(course, version=2)
    run(course, students=["ann"])
    assert sorted(each.max_score for each in results(course)["ann"]) == [5, 6]


def test_only_the_students_that_were_named(course):
    report, _ = run(course, students=["dan", "ben", "dan"])
    assert [row.student for row in report.rows] == ["ben", "dan"]
    assert begun() == ["ben", "dan"]
    with pytest.raises(AskedWrongly, match=r"Nothing was handed in by 'eve'. There is something by: 'ann', 'ben'"):
        run(course, students=["ann", "eve"])
    assert AskedWrongly.status == 2


def test_nothing_was_handed_in(tmp_path, own_keys):
    course = make(tmp_path / "course")
    release(course)
    with pytest.raises(CourseError, match=r"Nothing was handed in for toy.*nbgrader collect toy"):
        run(course)


def test_a_regrade_keeps_the_earlier_results(course):
    run(course)
    report, _ = run(course, regrade=True, students=["ann", "ben"])
    assert begun() == ["ann", "ann", "ben", "ben", "cat", "dan"]
    assert [row.kept for row in report.rows] == [False, False]
    assert len(list((course / "grading/results/toy/ann").glob("*.json*"))) == 2
    run(course, resume=True)  # it was not interrupted: nothing is left of it
    assert len(begun()) == 6


def interrupt_after(count, course, **options):
    stop = threading.Event()

    def progress(done, total, student):
        if student and sum(not name.startswith(".") for name in begun()) >= count:
            stop.set()

    return run(course, workers=1, stop=stop, on_progress=progress, **options)


def test_an_interrupted_run_goes_on(course):
    for student in CLASS:
        hand_in(course, student, sleep=0.05)
    report, told = interrupt_after(2, course)
    assert (report.status, report.interrupted, told) == (130, True, [])
    done = [row.student for row in report.rows]
    assert 0 < len(done) < 4
    assert report.left == 4 - len(done)
    assert sorted(results(course)) == sorted(done)
    before = len(begun())
    report, _ = run(course, resume=True)
    assert [row.student for row in report.rows if row.kept] == done
    assert sorted(results(course)) == list(CLASS)
    assert len(begun()) - before == 4 - len(done)


def test_an_interrupted_regrade_goes_on_only_with_resume(course):
    run(course)
    report, _ = interrupt_after(6, course, regrade=True)
    assert report.interrupted
    again = [row.student for row in report.rows]
    assert 0 < len(again) < 4
    count = len(begun())
    report, told = run(course)
    assert told == ["an earlier --regrade was interrupted; --resume goes on with it"]
    assert (len(begun()), report.status) == (count, 0)
    report, told = run(course, resume=True)
    assert (told, [row.student for row in report.rows if row.kept]) == ([], again)
    assert len(begun()) == count + 4 - len(again)
    assert run(course)[1] == []


def test_a_second_grader_is_told_to_wait(course):
    with alone(course / "grading" / ".lock", ""), pytest.raises(CourseError, match="Another grader is at work"):
        run(course)
    assert begun() == []


# ---- trouble is no score


def test_trouble_is_tried_again_and_passes(course):
    hand_in(course, "ben", trouble=["no memory", "still none"])
    report, told = run(course)
    assert report.status == 0
    assert begun().count("ben") == 3
    assert told == ["ben: no memory; once more, alone, later", "ben: attempt 2 of 3: still none"]
    assert only(course, "ben").score == FULL


def test_lasting_trouble_needs_a_human_and_is_never_a_score(course, book):
    hand_in(course, "ben", trouble=["no memory"] * 3)
    report, told = run(course)
    assert report.status == 1
    assert begun().count("ben") == 3
    assert told[-1] == "ben: needs a human: no memory"
    ben = only(course, "ben")
    assert (ben.status, ben.score, ben.tests, ben.trouble) == ("needs-human", None, (), "no memory")
    row = report.rows[1]
    assert (row.score, row.flags, row.trouble) == (None, ("needs a human",), "no memory")
    assert ("ben", None) in book.entered
    report, _ = run(course)  # the trouble is over by the fourth attempt
    assert (report.status, begun().count("ben")) == (0, 4)
    assert {row.student: row.kept for row in report.rows} == {"ann": True, "ben": False, "cat": True, "dan": True}
    assert only(course, "ben").score == FULL


def test_trouble_in_a_regrade_leaves_the_result_as_it_was(course, book):
    hand_in(course, "ben", trouble=["", "no memory", "no memory", "no memory"])
    run(course)
    assert only(course, "ben").score == FULL
    report, _ = run(course, regrade=True)
    assert report.status == 1
    assert only(course, "ben").score == FULL
    assert ("ben", None) not in book.entered
    count = len(begun())
    report, _ = run(course, resume=True)  # ben is still due
    assert (report.status, len(begun()) - count) == (0, 1)


@pytest.mark.parametrize(
    ("raises", "arguments", "told"),
    [
        ("OSError", [errno.ENOMEM, "Cannot allocate memory"], "Cannot allocate memory"),
        ("MemoryError", [], "MemoryError"),
        ("BlockingIOError", [errno.EAGAIN, "no process"], "no process"),
        ("ZeroDivisionError", ["in the grader"], "ZeroDivisionError: in the grader (dlcourse_grading.py, line"),
    ],
)
def test_an_error_of_the_grader_is_trouble(course, raises, arguments, told):
    hand_in(course, "ben", raises=raises, **{"with": arguments})
    report, lines = run(course)
    assert (report.status, only(course, "ben").score) == (1, None)
    assert told in lines[-1]
    assert [row.score for row in report.rows] == [5, None, 5, 5]


def test_a_limit_by_the_clock_counts_only_alone(course):
    for student in CLASS:
        hand_in(course, student, sleep=0.05)
    hand_in(course, "ann", waited=1, sleep=0.05)
    hand_in(course, "cat", waited=9, sleep=0.05)
    report, told = run(course, workers=4)
    assert told == [
        f"{name}: it ran into a limit by the clock; once more, alone, later" for name in ("ann", "cat")
    ] or (told == [f"{name}: it ran into a limit by the clock; once more, alone, later" for name in ("cat", "ann")])
    assert [row.score for row in report.rows] == [5, 5, 5, 5]
    assert begun() == ["ann", "ann", "ben", "cat", "cat", "dan"]
    lines = [line.split()[:2] for line in ledger()]
    assert lines[-4:] == [["begin", "ann"], ["end", "ann"], ["begin", "cat"], ["end", "cat"]]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda tests: tests[:1],
        lambda tests: (*tests, tests[0]),
        lambda tests: (tests[1], tests[0]),
        lambda tests: (replace(tests[0], score=9.0), tests[1]),
        lambda tests: (replace(tests[0], points=9.0), tests[1]),
        lambda tests: (replace(tests[0], score=float("nan")), tests[1]),
        lambda tests: (replace(tests[0], score=-1.0), tests[1]),
        lambda tests: (replace(tests[0], id="other"), tests[1]),
        lambda tests: (replace(tests[0], part="hidden", shown="the secret"), tests[1]),
        lambda tests: (replace(tests[0], passed="yes"), tests[1]),
    ],
)
def test_a_verdict_that_makes_no_sense_is_no_score(course, spoil):
    def spoilt(*arguments, **options):
        verdict = stand_in(*arguments, **options)
        return replace(verdict, tests=tuple(spoil(verdict.tests)))

    report = grade(course, ASSIGNMENT, students=["ann"], grade_one=spoilt)
    assert (report.status, report.rows[0].score) == (1, None)
    assert only(course, "ann").status == "needs-human"


def test_what_cannot_be_read_scores_nothing_and_says_why(course):
    path = hand_in(course, "ben")
    path.unlink()
    path.symlink_to(course / "solutions" / ASSIGNMENT / "toy-exercises.ipynb")
    report, told = run(course)
    assert (report.status, told, begun()) == (0, [], ["ann", "cat", "dan"])
    ben = only(course, "ben")
    assert (ben.status, ben.score, ben.max_score) == ("graded", 0, 5)
    assert all("hand in the file itself" in test.reason for test in ben.tests)
    assert len(ben.tests) == 2
    run(course)
    assert len(begun()) == 3
    path.unlink()
    hand_in(course, "ben")
    run(course)
    assert sorted(each.score for each in results(course)["ben"]) == [0, 5]


def test_a_disk_that_fails_is_not_the_students_fault(course, monkeypatch):
    real = grade_module.open_submission

    def failing(folder, name):
        if "ben" in folder.parts:
            raise OSError(errno.EIO, "Input/output error")
        return real(folder, name)

    monkeypatch.setattr(grade_module, "open_submission", failing)
    report, told = run(course)
    assert (report.status, report.rows[1].score) == (1, None)
    assert "ben: needs a human: what was handed in cannot be read: [Errno 5] Input/output error" in told
    assert "ben" not in results(course)
    monkeypatch.undo()


def test_no_thread_to_be_had_is_trouble(course, monkeypatch):
    calls = []
    real = pools.Local.submit

    def refusing(self, *arguments):
        calls.append(1)
        if len(calls) == 2:
            raise RuntimeError("can't start new thread")
        return real(self, *arguments)

    monkeypatch.setattr(pools.Local, "submit", refusing)
    report, told = run(course)
    assert (report.status, begun()) == (0, list(CLASS))
    assert told[0].startswith("ben: RuntimeError: can't start new thread")


# ---- nothing is believed


def spoil_result(course, student, change):
    (path,) = (course / "grading/results/toy" / student).glob("*.json")
    signed = json.loads(path.read_bytes())
    change(signed)
    path.write_text(json.dumps(signed))
    return path


def test_a_changed_result_is_set_aside_and_graded_again(course):
    hand_in(course, "ben", points=[0, 0])
    run(course)
    for times in (1, 2):
        path = spoil_result(course, "ben", lambda signed: signed["body"].update(score=5.0))
        bad = path.read_bytes()
        report, told = run(course)
        aside = path.with_name(f"{path.name}.bad{'' if times == 1 else 1}")
        assert aside.read_bytes() == bad
        assert told == [told[0]]
        assert told[0].startswith(f"ben: its result is not believed and was renamed {aside.name}: ")
        assert "the signature does not fit its content" in told[0]
        assert report.rows[1].score == 0
        assert begun().count("ben") == 1 + times


def test_anothers_result_is_set_aside(course):
    hand_in(course, "ann")
    hand_in(course, "ben", content=(course / "submitted/ann/toy/toy-exercises.ipynb").read_bytes())
    run(course)
    (ann,), (ben,) = ((course / "grading/results/toy" / who).glob("*.json") for who in ("ann", "ben"))
    ben.write_bytes(ann.read_bytes())
    _, told = run(course)
    assert "it is the result of 'ann'" in told[0]
    assert only(course, "ben").student == "ben"


def test_what_a_revoked_key_signed_is_graded_again(course):
    run(course)
    keys.revoke("dlcourse", keys.load("dlcourse").current("signing").id)
    report, told = run(course)
    assert (report.status, len(told), begun()) == (0, 4, sorted(2 * CLASS))


def test_hostile_names_reach_no_terminal_and_stop_nobody(course):
    escape = "\x1b[2Jeve"
    hand_in(course, escape, trouble=["\x1b]0;title\x07"] * 3)
    hand_in(course, "back\\slash")
    hand_in(course, os.fsdecode(b"byte\xff"))
    report, told = run(course)
    assert {row.student: row.score for row in report.rows if row.student in CLASS} == dict.fromkeys(CLASS, 5)
    assert sum(row.score is None for row in report.rows) == 3
    assert told
    assert all(line.isprintable() for line in told)
    assert any("can be no student's id" in line for line in told)


def test_printable():
    assert (
        printable("né\x1b\n\u202e") == "né\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}"
    )


# ---- fail closed


def no_sandbox(only):
    raise jail.NoSandbox("namespaces: refused\nlandlock: too old")


def test_without_a_sandbox_nothing_is_graded_and_nothing_written(course, book, monkeypatch):
    before = tree(course)
    monkeypatch.setattr(pools, "_sandbox", no_sandbox)
    with pytest.raises(pools.NoJail, match=r"(?s)nothing was graded.*namespaces: refused\nlandlock: too old"):
        run(course)
    assert pools.NoJail.status == 3
    assert tree(course) == before
    assert (begun(), book.opened) == ([], 0)


def test_a_sandbox_that_is_lost_on_the_way_is_trouble(course, monkeypatch):
    looks = []

    def fading(only):
        looks.append(only)
        return "namespaces" if len(looks) == 1 else no_sandbox(only)

    monkeypatch.setattr(pools, "_sandbox", fading)
    report, _ = run(course)
    assert (report.status, begun()) == (1, [])
    assert {row.score for row in report.rows} == {None}


def test_without_a_sandbox_on_demand_every_result_says_so(course, monkeypatch):
    monkeypatch.setattr(pools, "_sandbox", no_sandbox)
    report, _ = run(course, unsafe=True)
    assert all(row.flags == ("graded without a sandbox",) for row in report.rows)
    assert (only(course, "ann").sandbox, only(course, "ann").unsafe) == ("none", True)
    run(course, unsafe=True)
    assert begun() == list(CLASS)
    monkeypatch.setattr(pools, "_sandbox", lambda only: "landlock")
    run(course)  # what a sandbox never held is no checkpoint for who has one
    assert begun() == sorted(2 * CLASS)
    assert (only(course, "ann").sandbox, only(course, "ann").unsafe) == ("landlock", False)


def test_never_released(course):
    (course / "grading/locks/toy.json").unlink()
    before = tree(course)
    with pytest.raises(CourseError, match="dlcourse course release toy"):
        run(course)
    assert tree(course) == before


def test_another_assignment_than_was_released(course):
    (course / "solutions" / ASSIGNMENT / "toy-exercises.ipynb").write_bytes(solution(points=(2, 4)))
    before = tree(course)
    with pytest.raises(NotAsReleased, match="The cell accuracy-test was worth 3 and is worth 4") as error:
        run(course)
    assert error.value.status == 4
    assert tree(course) == before
    hand_in(course, "ann", points=[2, 4])
    report, _ = run(course, students=["ann"], accept_changes=True)
    assert report.rows[0].score == 6
    (note,) = only(course, "ann").notes
    assert note.startswith("graded although it is not what was released: The cell accuracy-test was worth 3")
    assert report.rows[0].flags == (note,)


def test_no_keys(course, own_keys):
    (own_keys / "dlcourse.json").unlink()
    with pytest.raises(CourseError, match="There are no keys"):
        run(course)
    assert begun() == []


def test_the_seeds_are_the_locked_ones_and_the_same_for_all(course):
    given = []

    def noting(content, spec, seeds, *, sandbox):
        given.append(seeds)
        return stand_in(content, spec, seeds, sandbox=sandbox)

    grade(course, ASSIGNMENT, grade_one=noting)
    found = keys.load("dlcourse")
    assert given == 4 * [{"00.accuracy": found.seeds("toy", 1, "00.accuracy")}]
    release(course, version=2)
    keys.rotate("dlcourse", "course")
    grade(course, ASSIGNMENT, grade_one=noting, students=["ann"])
    assert given[-1] == {"00.accuracy": found.seeds("toy", 2, "00.accuracy")}
    assert given[-1] != {"00.accuracy": keys.load("dlcourse").seeds("toy", 2, "00.accuracy")}


def test_a_worker_gets_no_key(course, monkeypatch):
    sent = []
    real = pools.Local.submit

    def noting(self, work, *arguments):
        sent.append(pickle.dumps(arguments))
        return real(self, work, *arguments)

    monkeypatch.setattr(pools.Local, "submit", noting)
    run(course)
    assert len(sent) == 4
    for key in keys.load("dlcourse").every:
        assert not any(key.secret in each or key.secret.hex().encode() in each for each in sent)


def test_only_few_submissions_are_open_at_once(course, monkeypatch):
    for number in range(30):
        hand_in(course, f"s{number}", sleep=0.002)
    flying, most = [0], [0]
    real = pools.Local.submit

    def counting(self, *arguments):
        future = real(self, *arguments)
        flying[0] += 1
        most[0] = max(most[0], flying[0])
        future.add_done_callback(lambda _: flying.__setitem__(0, flying[0] - 1))
        return future

    monkeypatch.setattr(pools.Local, "submit", counting)
    report, _ = run(course, workers=3)
    assert len(report.rows) == 34
    assert most[0] <= 4


# ---- what cannot be written


def test_a_gradebook_that_cannot_be_written_stops_the_run_and_the_next_one_mends_it(course, book):
    book.refuses = 2
    with pytest.raises(CourseError, match="readonly"):
        run(course)
    done = sorted(results(course))
    assert 3 <= len(done) <= 4  # the one whose entry failed is signed
    assert len(book.entered) == 2
    book.refuses = None
    graded = len(begun())
    report, _ = run(course, resume=True)
    assert [row.student for row in report.rows if row.kept] == done
    assert len(begun()) - graded == 4 - len(done)
    assert {student for student, _ in book.entered} == set(CLASS)


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{}", b"\xff", b'{"since": "soon", "students": []}', b'{"since": 5, "students": []}']
)
def test_a_damaged_note_of_a_regrade_is_told(course, content):
    run(course)
    (course / f"grading/.regrade-{ASSIGNMENT}.json").write_bytes(content)
    with pytest.raises(CourseError, match=r"notes a regrade that was interrupted, and cannot be read.*Remove it"):
        run(course, resume=True)
    assert begun() == list(CLASS)


def test_a_regrade_that_cannot_be_noted_is_not_begun(course, monkeypatch):
    run(course)

    def full(path, content, keep=False):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(grade_module, "write_whole", full)
    with pytest.raises(CourseError, match=r"Noting that a regrade begins failed.*No space left"):
        run(course, regrade=True)
    assert begun() == list(CLASS)
