"""A result is believed when we signed exactly these bytes and it lies where it belongs; it is written whole or not."""

import dataclasses
import errno
import json
import os
import shutil
import subprocess
import sys
import unicodedata

import pytest

from dlcourse.course.errors import CourseError
from dlcourse.course.grading import keys as keys_
from dlcourse.course.grading import result as result_
from dlcourse.course.grading.files import canonical
from dlcourse.course.grading.result import BadName, BadResult, Result, TestResult, every, find, folder_name, read, write

RIGHT = TestResult("sigmoid-test", True, 2.0, 2.0, "", "", "", 0.25)
WRONG = TestResult("xor-test", False, 0.0, 1.5, "hidden", "Right on one side only.", "", 0.5)
RESULT = Result(
    assignment="01-neurons",
    version=1,
    student="bit-diddle",
    submission="a" * 64,
    spec="b" * 64,
    notebook="01-neurons-exercises.ipynb",
    status="graded",
    score=2.0,
    max_score=3.5,
    tests=(RIGHT, WRONG),
    cells=(("cell 7", "ZeroDivisionError"),),
    notes=("a note with é, \u202e and \x1b[31m",),
    trouble="",
    sandbox="namespaces",
    unsafe=False,
    seconds=1.5,
    cpu=1.25,
    graded_at="2030-01-31T09:00:00+00:00",
    versions={"dlcourse": "1", "python": "3.12", "torch": "2"},
)
NEEDS_HUMAN = dataclasses.replace(RESULT, status="needs-human", score=None, tests=(), trouble="the machine ran full")
UNREADABLE = dataclasses.replace(RESULT, score=0.0, tests=(), notes=("It is no notebook.",))


def changed(**fields):
    return dataclasses.replace(RESULT, **fields)


@pytest.fixture
def course(tmp_path):
    (tmp_path / "course").mkdir()
    return tmp_path / "course"


@pytest.mark.parametrize("result", [RESULT, NEEDS_HUMAN, UNREADABLE], ids=["graded", "needs-human", "unreadable"])
def test_what_is_written_is_read(course, keys, result):
    path = write(course, result, keys)
    assert path.relative_to(course).as_posix() == (f"grading/results/01-neurons/bit-diddle/{'a' * 16}-{'b' * 16}.json")
    assert read(path, keys_.load("dlcourse")) == result
    assert find(course, "01-neurons", "bit-diddle", "a" * 64, "b" * 64, keys) == result
    assert find(course, "01-neurons", "bit-diddle", "c" * 64, "b" * 64, keys) is None
    assert list(every(course, "01-neurons", keys)) == [result]
    assert path.stat().st_mode & 0o777 == 0o600


# ---- what is not believed

# Name -> (change of the plain body, which is then signed rightly; what the reason says).
IMPOSSIBLE = {
    "another format": ({"format": 2}, "reads 1"),
    "format is true": ({"format": True}, "format"),
    "no score": ({"score": ...}, "lacks score"),
    "extra field": ({"bonus": 1}, "'bonus'"),
    "score as text": ({"score": "2"}, "score"),
    "score is true": ({"score": True}, "score"),
    "negative score": ({"score": -1.0}, "score"),
    "huge score": ({"score": 10**400}, "score"),
    "score above the maximum": ({"score": 4.0, "tests": [{"id": "x", "score": 4.0, "points": 4.0}]}, "is above 3.5"),
    "score that no test gave": ({"score": 3.5}, "not the sum"),
    "score of none": ({"score": None}, "has no score"),
    "maximum of other tests": ({"max_score": 5.0}, "is not the tests' 3.5"),
    "test above its points": ({"score": 4.0, "max_score": 4.0, "tests": [{"id": "x", "score": 4.0}]}, "of 2.0 points"),
    "nothing read and no reason": ({"tests": [], "notes": [], "score": 0.0}, "no note"),
    "human and score": ({"status": "needs-human", "trouble": "x"}, "a score all the same"),
    "human and no reason": ({"status": "needs-human", "score": None, "tests": []}, "does not say why"),
    "graded in trouble": ({"trouble": "x"}, "in spite of trouble"),
    "unknown status": ({"status": "fine"}, "status"),
    "version 0": ({"version": 0}, "version"),
    "version as float": ({"version": 1.0}, "version"),
    "version is true": ({"version": True}, "version"),
    "student as number": ({"student": 7}, "student"),
    "student above": ({"student": ".."}, "no student's id"),
    "assignment above": ({"assignment": "../x"}, "no assignment's name"),
    "short digest": ({"submission": "a" * 63}, "64 hex"),
    "capital digest": ({"spec": "B" * 64}, "64 hex"),
    "unsafe as 0": ({"unsafe": 0}, "unsafe"),
    "tests as object": ({"tests": {}}, "tests"),
    "test is text": ({"tests": ["x"]}, "test 1 is no object"),
    "test lacks": ({"tests": [{"seconds": ...}]}, "test 1 lacks seconds"),
    "test has more": ({"tests": [{"more": 1}]}, "test 1 has fields"),
    "test passed as 1": ({"tests": [{"passed": 1}]}, "passed"),
    "test in another part": ({"tests": [{"part": "secret"}]}, "part"),
    "hidden test that shows": ({"tests": [{"part": "hidden", "shown": "41017"}]}, "shows"),
    "test twice": ({"tests": [{}, {}], "score": 4.0, "max_score": 4.0}, "twice"),
    "cell of three": ({"cells": [["a", "b", "c"]]}, "pair"),
    "note as number": ({"notes": [1]}, "note"),
    "versions as list": ({"versions": []}, "versions"),
    "version of none": ({"versions": {"torch": None}}, "version is no text"),
    "no time": ({"graded_at": "yesterday"}, "UTC"),
    "time of no zone": ({"graded_at": "2030-01-31T09:00:00"}, "UTC"),
    "time as number": ({"graded_at": 7}, "UTC"),
}


def with_change(change):
    """The plain body of RESULT with a change; `...` takes a field away, a test is filled up from RIGHT."""
    plain = RESULT.plain() | change
    if type(plain["tests"]) is list:
        plain["tests"] = [
            without(dataclasses.asdict(RIGHT) | test) if type(test) is dict and "tests" in change else test
            for test in plain["tests"]
        ]
    return without(plain)


def without(plain):
    return {name: value for name, value in plain.items() if value is not ...}


@pytest.mark.parametrize(("change", "reason"), IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_a_signature_does_not_make_nonsense_a_result(course, keys, change, reason):
    path = write(course, RESULT, keys)
    path.write_bytes(canonical(keys.sign(with_change(change))))
    with pytest.raises(BadResult, match=reason) as error:
        read(path, keys)
    assert error.value.path == path
    assert str(path) in str(error.value)


def test_nonsense_is_never_signed(course, keys):
    for wrong in (changed(score=9.0), changed(max_score=float("nan")), changed(tests=(RIGHT,)), changed(version=0)):
        with pytest.raises(BadResult):
            write(course, wrong, keys)
    with pytest.raises(BadName):
        write(course, changed(student="../bit-diddle"), keys)
    assert list(course.iterdir()) == []


# Name -> (change of the file's bytes, what the reason says).
DAMAGED = {
    "score raised": (lambda content: content.replace(b'"score":2.0,"seconds"', b'"score":3.0,"seconds"'), "fit"),
    "other spelling of a number": (lambda content: content.replace(b'"cpu":1.25', b'"cpu":1.250000001'), "fit"),
    "nan": (lambda content: content.replace(b'"cpu":1.25', b'"cpu":NaN'), "NaN"),
    "infinite": (lambda content: content.replace(b'"cpu":1.25', b'"cpu":1e999'), "never signed"),
    "a field twice": (lambda content: content.replace(b'"cpu":1.25', b'"cpu":1.25,"cpu":1.25'), "twice"),
    "cut": (lambda content: content[: len(content) // 2], "JSON"),
    "empty": (lambda content: b"", "JSON"),
    "not utf-8": (lambda content: content.replace(b"bit-diddle", b"bit-d\xffddle"), "JSON"),
    "deep": (lambda content: b"[" * 100_000, "JSON"),
    "unsigned": (lambda content: canonical(json.loads(content)["body"]), "no signed result"),
    "other key": (lambda content: content.replace(b'"key":"s', b'"key":"s0'), "none of this course"),
    "too long": (lambda content: content + b" " * result_.MAX_BYTES, "more than"),
}


@pytest.mark.parametrize(("change", "reason"), DAMAGED.values(), ids=DAMAGED)
def test_changed_bytes_are_not_believed(course, keys, change, reason):
    path = write(course, RESULT, keys)
    before = path.read_bytes()
    path.write_bytes(change(before))
    assert path.read_bytes() != before
    with pytest.raises(BadResult, match=reason):
        read(path, keys)
    with pytest.raises(BadResult, match=reason):
        find(course, "01-neurons", "bit-diddle", "a" * 64, "b" * 64, keys)
    (refused,) = every(course, "01-neurons", keys)
    assert isinstance(refused, BadResult)
    assert refused.path == path


@pytest.mark.parametrize(
    ("assignment", "student", "name"),
    [
        ("01-neurons", "ann", None),
        ("02-backpropagation", "bit-diddle", None),
        ("01-neurons", "bit-diddle", f"{'c' * 16}-{'b' * 16}.json"),
        ("01-neurons", "bit-diddle", f"{'a' * 16}-{'c' * 16}.json"),
        ("01-neurons", "bit-diddle", "x.json"),
    ],
    ids=["student", "assignment", "submission", "spec", "name"],
)
def test_a_true_result_in_another_place_is_not_believed(course, keys, assignment, student, name):
    path = write(course, RESULT, keys)
    moved = course / "grading" / "results" / assignment / student / (name or path.name)
    moved.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(path, moved)
    with pytest.raises(BadResult, match="belongs into 01-neurons/bit-diddle/"):
        read(moved, keys)
    assert read(path, keys) == RESULT


def test_digests_are_compared_whole_not_by_what_the_name_holds(course, keys):
    write(course, RESULT, keys)
    for submission, spec in (("a" * 63 + "0", "b" * 64), ("a" * 64, "b" * 63 + "0")):
        with pytest.raises(BadResult, match="first 16 digits"):
            find(course, "01-neurons", "bit-diddle", submission, spec, keys)


def test_results_outlive_a_rotation_and_not_a_revoked_key(course, keys):
    path = write(course, RESULT, keys)
    assert read(path, keys_.rotate("dlcourse", "signing")) == RESULT
    left = keys_.revoke("dlcourse", keys.current("signing").id)
    with pytest.raises(BadResult, match="revoked"):
        read(path, left)
    write(course, RESULT, left)
    assert read(path, left) == RESULT


# ---- writing


def test_a_regrade_keeps_the_earlier_result_beside_it(course, keys):
    path = write(course, RESULT, keys)
    later = changed(tests=(RIGHT, dataclasses.replace(WRONG, passed=True, score=1.5, part="")), score=3.5, version=2)
    write(course, later, keys)
    write(course, later, keys)
    assert [read(path, keys), read(path.with_name(f"{path.name}.1"), keys)] == [later, RESULT]
    assert list(every(course, "01-neurons", keys)) == [later]
    assert len(list(path.parent.iterdir())) == 2


def test_what_a_killed_run_left_aside_is_swept(course, keys):
    path = write(course, RESULT, keys)
    (path.parent / ".other.json.part").write_bytes(b"half")
    (path.parent / f".{path.name}.part").write_bytes(b"half")
    write(course, RESULT, keys)
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("trouble", [errno.ENOSPC, errno.EACCES, errno.EROFS, errno.EIO], ids=errno.errorcode.get)
@pytest.mark.parametrize("call", ["open", "fsync", "replace", "mkdir"])
def test_a_failing_disk_is_a_plain_error_and_leaves_nothing_half_written(course, keys, monkeypatch, call, trouble):
    student = changed(student="ann") if call == "mkdir" else RESULT
    path = write(course, RESULT, keys)
    before = path.read_bytes()

    def fail(*_, **__):
        raise OSError(trouble, os.strerror(trouble))

    with monkeypatch.context() as patch:
        patch.setattr(os, call, fail)
        with pytest.raises(CourseError, match=rf"{os.strerror(trouble)}.*Make room"):
            write(course, dataclasses.replace(student, version=2), keys)
    assert {each: each.read_bytes() for each in course.rglob("*") if each.is_file()} == {path: before}


def test_a_result_that_cannot_be_read_is_our_trouble_not_a_bad_result(course, keys):
    path = write(course, RESULT, keys)
    path.unlink()
    path.mkdir()
    with pytest.raises(IsADirectoryError):
        read(path, keys)


FILL = """
import sys
from pathlib import Path
sys.path[:0] = sys.argv[2:]
from dlcourse.course.errors import CourseError
from dlcourse.course.grading import keys
from dlcourse.course.grading.result import every, write
from test_result import RESULT, changed
import subprocess
disk = Path(sys.argv[1])
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", disk], check=True)
keys = keys.create("dlcourse")
written, failed = [], None
for number in range(1000):
    result = changed(student=f"student-{number}", notes=("x" * 20_000,))
    try:
        write(disk, result, keys)
    except CourseError as error:
        failed = str(error)
        break
    written.append(result)
assert failed and "No space left" in failed and len(written) > 3, (failed, len(written))
assert sorted(map(str, every(disk, "01-neurons", keys))) == sorted(map(str, written))
left = [path.name for path in disk.rglob("*") if path.is_file()]
assert len(left) == len(written), left
print("full")
"""


def test_a_full_disk(tmp_path):
    """A real one, in a mount namespace of its own: as root, or in a user namespace where one is allowed."""
    ways = (["unshare", "--mount"], ["unshare", "--user", "--map-root-user", "--mount"])
    way = next((way for way in ways if shutil.which("unshare") and not subprocess.call([*way, "true"])), None)
    if way is None:
        pytest.skip("no disk may be mounted here")
    disk = tmp_path / "disk"
    disk.mkdir()
    folders = [folder for folder in (os.path.dirname(__file__), *sys.path) if folder]
    done = subprocess.run([*way, sys.executable, "-c", FILL, str(disk), *folders], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "full\n"), done.stderr


def test_a_place_where_no_folder_can_be_made(course, keys):
    (course / "grading").write_text("a file")
    with pytest.raises(CourseError, match="the folder writable"):
        write(course, RESULT, keys)
    assert [path.name for path in course.iterdir()] == ["grading"]


# ---- names


@pytest.mark.parametrize("name", ["bit-diddle", "u1", "0", "a.b@example.org", "_x", "a" * 100, "a+b"])
def test_plain_ids_are_their_own_folders(name):
    assert folder_name(name) == name


STRANGE = [
    *("Ann", "ann ", " ann", "-rf", "--help", ".hidden", "...", "a" * 101, "é", "e\u0301", "日本", "a\nb", "a\x1b[31m"),
    *("a:b", "a*", "$(reboot)", "ann~0123456789abcdef", "~", "a\u202eb", "CON", "ﬁ", "a" * 255),
]


def test_strange_ids_have_folders_of_their_own():
    folders = [folder_name(name) for name in STRANGE]
    assert len({unicodedata.normalize("NFKC", folder).casefold() for folder in folders}) == len(STRANGE)
    for folder, name in zip(folders, STRANGE, strict=True):
        assert folder.startswith(("~", *"abcdefghijklmnopqrstuvwxyz_0123456789"))
        assert folder.isascii()
        assert len(folder) <= 57
        assert folder != name
        assert not folder.startswith("ann~0123456789abcdef")


def test_ids_that_differ_by_case_alone_have_folders_that_differ_in_more():
    folders = {folder_name(name).casefold() for name in ("ann", "Ann", "ANN", "aNN")}
    assert len(folders) == 4


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "../ann", "ann/", "/etc", "a\\b", "a\0b", "a" * 256, "a" * 300, "é" * 128, "a\udcff"],
    ids=lambda name: ascii(name[:12]),
)
def test_ids_that_no_folder_can_have_are_refused(course, keys, name):
    with pytest.raises(BadName, match="no student's id") as error:
        folder_name(name)
    assert str(error.value).isascii()
    assert len(str(error.value)) < 400
    with pytest.raises(BadName):
        find(course, "01-neurons", name, "a" * 64, "b" * 64, keys)


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../a", "a\0", "é", "-x", ".x", "a" * 101, "x\n"])
def test_assignments_have_plain_names(course, keys, name):
    with pytest.raises(BadName, match="no assignment's name"):
        write(course, changed(assignment=name), keys)


@pytest.mark.parametrize("student", STRANGE)
def test_results_of_strange_ids_are_written_and_read(course, keys, student):
    result = changed(student=student)
    path = write(course, result, keys)
    assert read(path, keys) == result
    assert path.resolve().is_relative_to(course.resolve() / "grading" / "results" / "01-neurons")
