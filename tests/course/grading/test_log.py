"""The grading log: what an instructor reads, and that a terminal obeys nothing in it."""

import hashlib
import warnings
from dataclasses import replace
from datetime import datetime
from random import Random

import pytest
from dlcourse_filed import answered, course, hand_in, judged, needs_human, verdict

from dlcourse.course.errors import CourseError
from dlcourse.course.grading import keys as keys_
from dlcourse.course.grading import result
from dlcourse.course.grading.book.gradebook import grading_log
from dlcourse.course.grading.book.handed_in import read, time_of
from dlcourse.course.grading.lock import Lock, write_lock

EARLIER = hashlib.sha256(b"earlier").hexdigest()


@pytest.fixture
def small(tmp_path, monkeypatch):
    monkeypatch.setenv("DLCOURSE_KEYS", str(tmp_path / "keys"))
    folder = tmp_path / "course"
    folder.mkdir()
    return course(folder)


def test_the_log_says_who_when_what_failed_and_why(small):
    folder, spec = small
    keys = keys_.create("dlcourse")
    content = hand_in(folder, "ann", answered(spec), spec, timestamp="2026-02-28 23:59:59 UTC")
    tests = (verdict("double-test", 2, 0, reason="The value is wrong.\nMost likely a sum."), verdict("part-test", 1, 1))
    cells, notes = (("cell 3", "NameError"),), ("The reference of 01.sigmoid was imported.",)
    told = {"tests": tests, "score": 1, "cells": cells, "notes": notes, "unsafe": True, "sandbox": "none"}
    result.write(
        folder, judged(spec, "ann", b"earlier", {"double-test": 0}, graded_at="2026-02-01T08:00:00+00:00"), keys
    )
    result.write(folder, judged(spec, "ann", content, **told), keys)
    result.write(folder, needs_human(spec, "bob", content), keys)
    log = grading_log(folder, "small")
    assert log == (folder / "grading" / "log" / "small.txt").read_text(encoding="utf-8")
    assert log == grading_log(folder, "small")
    assert log.splitlines() == [
        "Grading log of small, made from the results in grading/results/small.",
        "",
        "2 students, 1 graded, 1 waiting for a person.",
        "",
        "ann: 1 of 3 points",
        "  graded     2026-03-01 09:00:00 UTC, handed in 2026-02-28 23:59:59 UTC",
        f"  submission {judged(spec, 'ann', content).submission[:16]}, version 1, 1.2 s, sandbox: none",
        "  failed     double-test: 0 of 2 (visible part): The value is wrong. / Most likely a sum.",
        "  stopped    cell 3: NameError",
        "  flag       graded without a sandbox",
        "  flag       The reference of 01.sigmoid was imported.",
        f"  earlier    2026-02-01 08:00:00 UTC, submission {EARLIER[:16]}: 1 of 3 points",
        "",
        "bob: not graded",
        "  graded     2026-03-01 09:00:00 UTC, no time of handing in",
        f"  submission {judged(spec, 'bob', content).submission[:16]}, version 1, 1.2 s, sandbox: namespaces",
        "  TROUBLE    no memory left to fork",
    ]


def test_one_reason_for_all_tests_is_told_once(small):
    folder, spec = small
    why = "The file is not a notebook that Jupyter can open."
    tests = (verdict("double-test", 2, 0, reason=why), verdict("part-test", 1, 0, reason=why))
    log = grading_log(folder, "small", [judged(spec, "ann", b"", tests=tests, score=0)])
    assert [line for line in log.splitlines() if "failed" in line] == [f"  failed     all 2 tests: {why}"]
    other = (tests[0], verdict("part-test", 1, 0, reason="Nothing was written yet."))
    log = grading_log(folder, "small", [judged(spec, "ann", b"", tests=other, score=0)])
    assert log.count("  failed     ") == 2


def test_a_terminal_obeys_nothing_of_a_students(small):
    folder, spec = small
    evil = "\x1b]0;title\x07\x1b[2J\r\x9b31m\u202etxt\u2066\ud800\x00\x85 end"
    tests = (verdict("double-test", 2, 0, reason=evil), verdict("part-test", 1, 1))
    found = judged(spec, "ann", b"", tests=tests, score=1, cells=((evil, evil),), notes=(evil,))
    bad = result.BadResult(evil)
    log = grading_log(
        folder, "small", [found, bad, needs_human(spec, evil.replace("\x00", "").replace("\ud800", ""), b"")]
    )
    assert all(one.isprintable() or one == "\n" for one in log)
    assert r"\x1b]0;title\x07\x1b[2J\r\x9b31m\u202etxt\u2066\ud800\x00\x85 end" in log
    assert "no results of ours" in log


def test_a_file_that_is_no_result_is_named(small):
    folder, spec = small
    keys = keys_.create("dlcourse")
    path = result.write(folder, judged(spec, "ann", b""), keys)
    path.write_bytes(path.read_bytes().replace(b'"score":2.0', b'"score":1.0'))
    log = grading_log(folder, "small")
    assert "0 students" in log
    assert f"{path.name}: the signature does not fit" in log


def test_times_that_nobody_can_believe_are_flagged(tmp_path):
    now, released = datetime(2026, 3, 1), datetime(2026, 2, 1)
    for told, flag in (
        ("2026-02-10 10:00:00 UTC", None),
        ("2026-03-01 00:05:00 UTC", None),  # a clock that is a little ahead
        ("2026-03-01 00:30:00 UTC", "in the future"),
        ("2026-01-31 10:00:00 UTC", "before the release"),
        ("yesterday", "holds no time; the submission counts as on time"),
        ("", "holds no time"),
    ):
        (tmp_path / "timestamp.txt").write_text(told)
        flags = read(tmp_path).flags(released=released, now=now)
        assert len(flags) == (flag is not None)
        assert (flag or "") in "".join(flags)
    (tmp_path / "timestamp.txt").unlink()
    assert read(tmp_path).flags(released=released, now=now) == []
    assert read(tmp_path / "nobody").at is None


@pytest.mark.parametrize(
    ("told", "at"),
    [
        ("2026-03-01 12:00:00.123456 UTC", datetime(2026, 3, 1, 12, 0, 0, 123456)),
        ("2026-03-01 12:00:00 CET", datetime(2026, 3, 1, 11)),  # a host may have set Exchange.timezone
        ("2024-01-01 111111111111111111111111111111m", None),
        ("2024-01-01 " + "9" * 53, None),
        ("2024-01-01 00:00 " + "9" * 40, None),
        ("0001-01-01 00:00:00 +99999", None),
        ("2024-13-45 00:00:00 UTC", None),
        ("../../etc/localtime", None),
        ("2026-03-01 12:00:00 /any/file", None),  # which dateutil would open
        ("2026-03-01 12:00:00".ljust(65), None),
        ("10:30", None),  # dateutil would make it today's
    ],
)
def test_a_text_is_a_time_or_none(told, at):
    assert time_of(told) == at


def test_no_text_stops_what_reads_it():
    """Of the characters that times are written with, in every order: dateutil raises more than it documents."""
    random = Random(0)
    parts = [
        "2024",
        "-01",
        "-",
        " ",
        "1" * 30,
        "m",
        "h",
        "UTC",
        "+",
        ":",
        "00",
        ".",
        "AM",
        "T",
        "e5",
        "Jan",
        "NaN",
        ",",
    ]
    for _ in range(3_000):
        told = "2024-01-01 " * random.randrange(2) + "".join(random.choices(parts, k=random.randrange(1, 7)))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # dateutil's, of zones that it does not know
            assert isinstance(time_of(told), datetime | None), told


def test_a_second_release_puts_no_flag_on_what_came_before_it(small):
    folder, spec = small
    content = hand_in(folder, "ann", answered(spec), spec, timestamp="2026-02-10 10:00:00 UTC")
    hand_in(folder, "bob", answered(spec), spec, timestamp="2026-01-20 10:00:00 UTC")
    first = Lock("small", 1, "c01234567", "0.1.0", spec.digest, {}, {}, "", "2026-02-01T00:00:00+00:00")
    write_lock(folder, first)
    write_lock(folder, replace(first, version=2, released_at="2026-02-20T00:00:00+00:00"))
    log = grading_log(folder, "small", [judged(spec, who, content) for who in ("ann", "bob")])
    of_ann, of_bob = log[log.index("ann:") :].split("bob:")
    assert "flag" not in of_ann
    assert "from before the release" in of_bob


def test_a_log_that_cannot_be_written(small):
    folder, spec = small
    (folder / "grading").mkdir()
    (folder / "grading" / "log").write_text("a file where the folder should be")
    with pytest.raises(CourseError, match=r"grading/log.*failed"):
        grading_log(folder, "small", [judged(spec, "ann", b"")])
