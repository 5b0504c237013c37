"""One run of `dlcourse course grade` over all hostile, broken and mistaken submissions: each gets what a perfect grader
gives, and the machine is afterwards as it was."""

import json
import os
import socket
import subprocess
import sys
import time

import pytest
from dlcourse_besieged import VICTIM, Besieged
from dlcourse_hostile import CASES, CHAPTER, ENDLESS, POINTS, ROOT, hand_in, quick_cases

QUICK = quick_cases()


def wrong_scores(course, case) -> str:
    """What is wrong with a case's verdict, "" if nothing is."""
    result, scores = course.result(case.name), course.scores(case.name)
    if set(scores) != set(POINTS) or result["max_score"] != sum(POINTS.values()):
        return f"not the instructor's tests: {scores} of {result['max_score']}"
    lost = {name: scores[name] for name, wanted in case.score.items() if wanted is not None and scores[name] != wanted}
    odd = {name: score for name, score in scores.items() if score not in (0, POINTS[name])}
    reasons = {test["id"]: (test["reason"], test["shown"]) for test in result["tests"]}
    return f"{lost or odd}; {case.why}\n{reasons}" if lost or odd else ""


def leaked(course, case) -> list[str]:
    told = course.told(case.name)
    return [word for word in case.hushed if word in told]


@pytest.mark.parametrize("case", QUICK, ids=lambda case: f"{case.family}-{case.name}")
def test_score_is_that_of_a_perfect_grader(course, case):
    assert not wrong_scores(course, case)
    assert not leaked(course, case)
    told = json.dumps(course.result(case.name)["notes"])
    assert [word for word in case.says if word not in told] == []


def nothing_happened(course):
    """The claims that hold for the run as a whole."""
    changed = {
        path for path in course.before.keys() | course.after.keys() if course.before.get(path) != course.after.get(path)
    }
    assert changed == set()
    assert course.marked_files() == []
    assert course.left_running == []
    assert course.heard == []
    assert course.found_secrets() == []
    assert course.bystander.poll() is None


def test_the_machine_is_as_it_was(course):
    nothing_happened(course)


def test_the_honest_student_among_them_is_untouched(course):
    assert not wrong_scores(course, course.cases[VICTIM])


def test_gradebook_holds_the_same_scores(course):
    book = course.gradebook()
    # A link in place of a student's folder is nobody's submission; all others are in the book, and nobody else is.
    assert set(book) == set(course.cases)
    assert {name: scores for name, scores in book.items() if scores != course.scores(name)} == {}


def test_results_stay_small(course):
    """Whatever a submission says, its result is a page and not a flood."""
    sizes = {name: len(json.dumps(course.result(name))) for name in course.cases}
    assert {name: size for name, size in sizes.items() if size > 200_000} == {}
    assert len(course.said) < 200_000


@pytest.mark.exhaustive
def test_slow_cases(slow_course):
    slow = [case for case in CASES.values() if case not in QUICK and case.name not in ENDLESS]
    wrong = {case.name: wrong_scores(slow_course, case) for case in slow}
    assert {name: text for name, text in wrong.items() if text} == {}
    assert [case.name for case in slow if leaked(slow_course, case)] == []
    nothing_happened(slow_course)


@pytest.mark.exhaustive
def test_endless_cases(endless_course):
    wrong = {name: wrong_scores(endless_course, CASES[name]) for name in ENDLESS}
    assert {name: text for name, text in wrong.items() if text} == {}
    nothing_happened(endless_course)


@pytest.mark.slow
def test_plain_checks_agree_with_the_stated_scores(tmp_path):
    """Honest cases in an ordinary process: the checks themselves give the scores that the cases state."""
    plain = [case for case in CASES.values() if case.plain]
    places = dict.fromkeys(("COURSE", "HOME", "KEYS", "TMP", "PACKAGE", "VICTIM", "MARK"), "nowhere")
    paths = {case.name: str(hand_in(case, tmp_path / case.name / CHAPTER, places).path) for case in plain}
    program = ROOT / "tests" / "support" / "dlcourse_plainly.py"
    done = subprocess.run(
        [sys.executable, program, *paths.values()],
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{program.parent}", "OMP_NUM_THREADS": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    verdicts = json.loads(done.stdout)
    scores = {
        name: {exercise: POINTS[exercise] * verdicts[path][f"{exercise}-test"] for exercise in POINTS}
        for name, path in paths.items()
    }
    assert scores == {case.name: case.score for case in plain}


def test_there_are_enough_cases():
    assert len(CASES) >= 300
    assert len(QUICK) >= 150
    assert all(case.why and set(case.score) == set(POINTS) for case in CASES.values())


# --- the watchmen themselves ----------------------------------------------------------------------------------------


@pytest.fixture
def quiet(tmp_path):
    """A course that nobody grades, for tests of what the tests see."""
    course = Besieged(tmp_path)
    course.hand_in([])
    course.before, course.said, course.left_running = course.state(), "", []
    yield course
    course.close()


def test_a_change_is_seen(quiet):
    path = quiet.course / "notes.txt"
    for change in (lambda: path.write_text("x"), lambda: path.chmod(0), path.unlink, lambda: path.symlink_to("/")):
        change()
        quiet.after = quiet.state()
        with pytest.raises(AssertionError, match=r"notes\.txt"):
            nothing_happened(quiet)
        quiet.before = quiet.after
    nothing_happened(quiet)


def test_a_secret_is_seen(quiet):
    quiet.after = quiet.before
    nothing_happened(quiet)
    folder = quiet.course / "autograded" / "spy" / CHAPTER
    folder.mkdir(parents=True)
    for of, token in quiet.secrets.items():
        (folder / "a.ipynb").write_text(f"... {token} ...", encoding="utf-8")
        assert quiet.found_secrets() == [f"{of} in autograded/spy/{CHAPTER}/a.ipynb"]


def test_a_caller_is_heard(quiet):
    for family, address in (
        (2, ("127.0.0.1", quiet.port_of_tcp)),
        (1, str(quiet.unix)),
        (1, f"\0{quiet.mark}-listener"),
    ):
        with socket.socket(family) as caller:
            caller.connect(address)
        for _ in range(500):
            if quiet.heard:
                break
            time.sleep(0.01)
        assert quiet.heard
        quiet.heard.clear()


def test_a_mark_is_seen(quiet):
    path = quiet.top / f"{quiet.mark}-left"
    path.touch()
    assert quiet.marked_files() == [str(path)]
