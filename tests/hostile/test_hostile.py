"""Runs of `dlcourse course grade` over hostile, broken and mistaken submissions: each gets what a perfect grader gives,
the machine is afterwards as it was, and the pages of feedback that nbgrader makes hold nothing that acts or tells.

The ordinary suite grades more than half of the cases of chapter 01 and makes a page for every third of them; the slow
stage grades all that have no page yet, of all chapters, and makes it.
"""

import json
import os
import socket
import subprocess
import sys
import time
from html import escape

import pytest
from dlcourse_besieged import VICTIM, Besieged
from dlcourse_hostile import BEGUN, CASES, CHAPTER, ROOT, hand_in, paged_cases, points, quick_cases

QUICK = quick_cases()


def wrong_scores(course, case) -> str:
    """What is wrong with a case's verdict, "" if nothing is."""
    result, scores = course.result(case.name), course.scores(case.name)
    if set(scores) != set(course.points) or result["max_score"] != sum(course.points.values()):
        return f"not the instructor's tests: {scores} of {result['max_score']}"
    lost = {name: scores[name] for name, wanted in case.score.items() if wanted is not None and scores[name] != wanted}
    odd = {name: score for name, score in scores.items() if score not in (0, course.points[name])}
    reasons = {test["id"]: (test["reason"], test["shown"]) for test in result["tests"]}
    return f"{lost or odd}; {case.why}\n{reasons}" if lost or odd else ""


def leaked(course, case) -> list[str]:
    told = course.told(case.name)
    return [word for word in case.hushed if word in told]


def unsaid(course, case) -> list[str]:
    told = json.dumps(course.result(case.name)["notes"])
    return [word for word in case.says if word not in told]


@pytest.mark.parametrize("case", QUICK, ids=lambda case: f"{case.family}-{case.name}")
def test_score_is_that_of_a_perfect_grader(course, case):
    assert not wrong_scores(course, case)
    assert not leaked(course, case)
    assert not unsaid(course, case)


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


def in_the_book(course):
    """A link in place of a student's folder is nobody's submission; all others are in the book, and nobody else is."""
    book = course.gradebook()
    assert set(book) == set(course.cases)
    assert {name: scores for name, scores in book.items() if scores != course.scores(name)} == {}


def test_gradebook_holds_the_same_scores(course):
    in_the_book(course)


def small(course):
    """Whatever a submission says, its result is a page and not a flood."""
    sizes = {name: len(json.dumps(course.result(name))) for name in course.cases}
    assert {name: size for name, size in sizes.items() if size > 200_000} == {}
    assert len(course.said) < 200_000


def test_results_stay_small(course):
    small(course)


def test_pages_of_feedback_hold_nothing_that_acts_or_tells(course):
    assert {name: found for name in course.pages if (found := course.unfit(name))} == {}


def test_in_an_honest_page_only_the_template_acts(course):
    acts = course.plain_page.acts
    (loaded,) = [act for act in acts if act.startswith("script ")]
    assert loaded.startswith("script src=https://cdnjs.cloudflare.com/ajax/libs/mathjax/")
    assert acts["<script"] == 4  # that one, and what sets it up
    assert [act for act in acts if act.startswith("a ")] == [f"a href=../../chapters/{CHAPTER}.ipynb"]


@pytest.mark.slow
@pytest.mark.parametrize("chapter", BEGUN)
def test_all_other_cases(besieged, chapter):
    """In one test, since the slow stage would deal several of a file to workers, and each would grade anew."""
    cases = [case for case in CASES.values() if case.chapter == chapter and case not in paged_cases()]
    course = besieged(cases, chapter)
    wrong = {case.name: wrong_scores(course, case) for case in course.cases.values()}
    assert {name: text for name, text in wrong.items() if text} == {}
    assert [case.name for case in cases if leaked(course, case) or unsaid(course, case)] == []
    assert {name: found for name in course.pages if (found := course.unfit(name))} == {}
    nothing_happened(course)
    in_the_book(course)
    small(course)
    # What only the clock can stop was stopped by the clock, and graded once more, alone.
    late = {case.name for case in cases if case.clock}
    assert late <= course.by_the_clock
    assert all(f"{name}: it ran into a limit by the clock; once more, alone, later" in course.said for name in late)


@pytest.mark.slow
def test_plain_checks_agree_with_the_stated_scores(tmp_path):
    """Honest cases in an ordinary process: the checks themselves give the scores that the cases state."""
    plain = [case for case in CASES.values() if case.plain]
    places = dict.fromkeys(("COURSE", "HOME", "KEYS", "TMP", "PACKAGE", "VICTIM", "MARK"), "nowhere")
    paths = {case.name: str(hand_in(case, tmp_path / case.name / case.chapter, places).path) for case in plain}
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
        case.name: {
            exercise: worth * verdicts[paths[case.name]][f"{exercise}-test"]
            for exercise, worth in points(case.chapter).items()
        }
        for case in plain
    }
    assert scores == {case.name: case.score for case in plain}


def test_there_are_enough_cases():
    of = [sum(case.chapter == chapter for case in CASES.values()) for chapter in BEGUN]
    assert of[0] >= 300
    assert min(of) >= 10
    assert len(QUICK) >= 150
    assert any(case.clock for case in CASES.values())
    assert all(case.why and set(case.score) == set(points(case.chapter)) for case in CASES.values())


# --- the watchmen themselves ----------------------------------------------------------------------------------------


@pytest.fixture
def quiet(tmp_path):
    """A course that nobody grades, for tests of what the tests see."""
    course = Besieged(tmp_path)
    course.hand_in([CASES["untouched"]])
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


ACTS = (
    "<script>x</script>",
    "<IMG src=x>",
    "<p onclick=x>",
    "<p style='background: url(x)'>",
    "<a href='javascript:x'>x</a>",
    "<a href='//elsewhere'>x</a>",
    "<iframe srcdoc=x>",
    "<object data=x>",
    "<form><button formaction=x>",
    "<meta http-equiv=refresh>",
    "<svg/onload=x>",
    "<!-- x -->",
    "<!--[if IE]> x -->",
    "<!doctype x>",
    "<?xml x?>",
    "<ScRiPt",
    "< /script",
)


def test_an_unfit_page_is_seen(quiet):
    quiet.release()

    def found(text, name="untouched"):
        path = quiet.course / "feedback" / name / CHAPTER / f"{CHAPTER}-exercises.html"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"<html><head><style>x</style></head><body><p>{text}</p></body></html>", encoding="utf-8")
        return quiet.unfit(name)

    assert found("the victim's", VICTIM) == []
    for harmless in ("x", "&lt;script&gt; onclick=x", "<a href='#top'>x</a>", "<td style='text-align: left'>x</td>"):
        assert found(harmless) == []
    for acting in ACTS:
        assert found(acting), acting
    line = next(line for line in sorted(quiet.hidden_lines) if "hidden_seeds" in line)
    seed = min(quiet.seeds)
    for telling in (line, seed, str(quiet.home), str(ROOT), "SECRET_OF_THE_GRADER", f"My name is {VICTIM}."):
        assert len(found(f"x {escape(telling, quote=False)} x")) == 1, telling
        assert len(found("<span>" + escape(telling, quote=False)[:5] + "</span>" + escape(telling)[5:])) == 1, telling
