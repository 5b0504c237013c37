"""Whose a submission in nbgrader's exchange is; and that one which is still arriving is neither judged nor a zero."""

import os
import pwd
import shutil

import pytest
from dlcourse_grading import ASSIGNMENT, NOTEBOOK, only, order, results, stand_in

from dlcourse.course.grading.exchange import assignment_of, cut_short
from dlcourse.course.grading.grade import grade

TIME, RANDOM, SECRET = "2026-03-01 12:00:00.123456 UTC", "AbC-_f0123xy", "5" * 128


@pytest.mark.parametrize(
    ("name", "student", "assignment"),
    [
        (f"ann+01-neurons+{TIME}+{RANDOM}", "ann", "01-neurons"),
        (f"ann+01-neurons+{TIME}", "ann", "01-neurons"),
        (f"ann+x+01-neurons+{TIME}+{RANDOM}", "ann+x", "01-neurons"),
        (f"ann+x+01-neurons+{TIME}+{RANDOM}", "ann", None),
        (f"ann+x+01-neurons+{TIME}", "ann+x", "01-neurons"),
        (f"ann+x+01-neurons+{TIME}", "ann", None),
        (f"anna+01-neurons+{TIME}+{RANDOM}", "ann", None),
        (f"ann+01-neurons+{TIME}+{RANDOM}", "anna", None),
        (f"*+01-neurons+{TIME}+{RANDOM}", "*", "01-neurons"),
        (f"ann+01-neurons+{TIME}+{RANDOM}", "*", None),
        (f"ann++{TIME}+{RANDOM}", "ann", None),
        ("ann+01-neurons", "ann", None),
        ("ann+01-neurons+soon+abcdefghijkl", "ann", None),
        ("ann", "ann", None),
    ],
)
def test_whose_it_is(name, student, assignment):
    assert assignment_of(name, student) == assignment


@pytest.fixture
def inbound(course, tmp_path):
    """The exchange of the course, in which ann's second submission is arriving: half of the notebook is there."""
    with (course / "nbgrader_config.py").open("a") as settings:
        settings.write(f"c.Exchange.root = {str(tmp_path / 'exchange')!r}\n")
    arriving = tmp_path / "exchange/dlcourse/inbound" / f"ann+{ASSIGNMENT}+{TIME}+{RANDOM}"
    arriving.mkdir(parents=True)
    content = order("ann", points=[2, 0])
    (arriving / NOTEBOOK).write_bytes(content[: len(content) // 2])
    return arriving


def collect(course, arriving):
    """As nbgrader copies: what is there."""
    folder = course / "submitted/ann" / ASSIGNMENT
    shutil.rmtree(folder)
    shutil.copytree(arriving, folder)
    return folder


def test_what_is_still_arriving_is_not_judged(course, inbound):
    assert grade(course, ASSIGNMENT, unsafe=True, grade_one=stand_in).status == 0
    before = only(course, "ann")
    folder = collect(course, inbound)
    told = []
    report = grade(course, ASSIGNMENT, unsafe=True, grade_one=stand_in, on_trouble=told.append)
    assert report.status == 1
    assert [(row.student, row.score) for row in report.rows if not row.kept] == [("ann", None)]
    assert "it was collected while it arrived" in told[0]
    assert f"Remove {folder}" in told[0]
    assert results(course)["ann"] == [before], "an earlier verdict stays, and no zero joins it"

    (inbound / NOTEBOOK).write_bytes(order("ann", points=[2, 0]))
    (inbound / "timestamp.txt").write_text(TIME)
    collect(course, inbound)
    assert grade(course, ASSIGNMENT, unsafe=True, grade_one=stand_in).status == 0, "the exchange has no more either"
    (inbound / "submission_secret.txt").write_text(SECRET)
    assert grade(course, ASSIGNMENT, unsafe=True, grade_one=stand_in).status == 1, "feedback would not be found"
    collect(course, inbound)
    report = grade(course, ASSIGNMENT, unsafe=True, grade_one=stand_in)
    assert (report.status, next(row.score for row in report.rows if row.student == "ann")) == (0, 2)


@pytest.mark.parametrize("empty", ["timestamp.txt", "submission_secret.txt"])
def test_a_file_that_was_opened_and_not_yet_written(course, inbound, empty):
    (inbound / "timestamp.txt").write_text(TIME)
    (inbound / "submission_secret.txt").write_text(SECRET)
    folder = collect(course, inbound)
    assert cut_short(inbound.parent, "ann", ASSIGNMENT, folder) == ""
    (folder / empty).write_text("")
    assert "Remove" in cut_short(inbound.parent, "ann", ASSIGNMENT, folder)


def test_work_that_did_not_come_through_an_exchange_needs_no_such_files(course, inbound, tmp_path):
    folder = course / "submitted/ben" / ASSIGNMENT
    (folder / "timestamp.txt").unlink()
    for arrivals in (None, tmp_path / "nowhere", inbound.parent):
        assert cut_short(arrivals, "ben", ASSIGNMENT, folder) == ""
    assert grade(course, ASSIGNMENT, students=["ben"], unsafe=True, grade_one=stand_in).status == 0


def test_a_classmates_folder_says_nothing_of_ones_work(course, inbound, monkeypatch):
    folder = course / "submitted/ann" / ASSIGNMENT
    (folder / "timestamp.txt").unlink(missing_ok=True)
    number = os.getuid()
    ann = pwd.struct_passwd(("ann", "x", number, number, "", "/", "/bin/sh"))
    monkeypatch.setattr(pwd, "getpwnam", {"ann": ann}.__getitem__)
    assert "Remove" in cut_short(inbound.parent, "ann", ASSIGNMENT, folder), "it is hers"
    (inbound.parent / f"ann+{ASSIGNMENT}+2026-03-09 12:00:00.000000 UTC+abcdefghijkl").symlink_to("nowhere")
    ann = pwd.struct_passwd(("ann", "x", number + 1, number, "", "/", "/bin/sh"))
    monkeypatch.setattr(pwd, "getpwnam", {"ann": ann}.__getitem__)
    assert cut_short(inbound.parent, "ann", ASSIGNMENT, folder) == "", "it is another's"
