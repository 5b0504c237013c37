"""What was released is written down, and what is no longer as it was is said in words."""

import dataclasses
import inspect
import json
import shutil

import pytest

from dlcourse.checks.registry import EXERCISES
from dlcourse.course.errors import CourseError
from dlcourse.course.grading import lock as lock_
from dlcourse.course.grading.lock import Lock, as_it_is, check_digest, differences, exercises, read_lock, write_lock
from dlcourse.course.grading.spec import Spec, SpecCell, read_spec

LOCK = Lock(
    assignment="01-neurons",
    version=1,
    key="c01234567",
    dlcourse="1.0",
    spec="a" * 64,
    checks={"01.sigmoid": "b" * 64, "01.xor": "c" * 64},
    points={"sigmoid-test": 2.0, "explain-manual": 4.0},
    due="2030-01-31T22:59:00+00:00",
    released_at="2030-01-01T00:00:00+00:00",
)


def changed(**fields):
    return dataclasses.replace(LOCK, **fields)


def test_a_lock_is_read_as_it_was_written_and_earlier_ones_stay(tmp_path):
    locks = [changed(version=version) for version in (1, 2, 3)]
    for lock in locks:
        write_lock(tmp_path, lock)
    assert read_lock(tmp_path, "01-neurons") == locks[2]
    assert [read_lock(tmp_path, "01-neurons", version) for version in (1, 2, 3)] == locks
    with pytest.raises(CourseError, match="version 4 of 01-neurons"):
        read_lock(tmp_path, "01-neurons", 4)


def test_without_a_lock_the_command_that_writes_it_is_named(tmp_path):
    with pytest.raises(CourseError, match="`dlcourse course release 01-neurons`"):
        read_lock(tmp_path, "01-neurons")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "change",
    [
        {"format": 2},
        {"version": 0},
        {"version": True},
        {"version": "1"},
        {"more": 1},
        {"spec": None},
        {"checks": []},
        {"checks": {"01.sigmoid": 1}},
        {"points": {"sigmoid-test": "2"}},
        {"points": {"sigmoid-test": True}},
        {"assignment": "02-backpropagation"},
    ],
    ids=str,
)
def test_a_damaged_lock_is_refused(tmp_path, change):
    path = write_lock(tmp_path, LOCK)
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(CourseError, match="Put back"):
        read_lock(tmp_path, "01-neurons")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'"x"', b"\xff", b"null"])
def test_a_lock_that_is_no_json_is_refused(tmp_path, content):
    write_lock(tmp_path, LOCK).write_bytes(content)
    with pytest.raises(CourseError, match="Put back a copy"):
        read_lock(tmp_path, "01-neurons")


def test_a_disk_that_fails_is_a_plain_error_and_the_lock_is_as_it_was(tmp_path, monkeypatch):
    write_lock(tmp_path, LOCK)

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(lock_, "write_whole", full)
    with pytest.raises(CourseError, match="run the same command again"):
        write_lock(tmp_path, changed(version=2))
    assert read_lock(tmp_path, "01-neurons") == LOCK


# ---- in words

# What is otherwise now -> the sentence.
WORDS = {
    "nothing": ({}, []),
    "dlcourse": ({"dlcourse": "1.1"}, ["dlcourse was version 1.0 and is 1.1."]),
    "check": (
        {"checks": {"01.sigmoid": "d" * 64, "01.xor": "c" * 64}},
        ["The check of 01.sigmoid is not the one of the release, or something that it uses was changed."],
    ),
    "other checks": (
        {"checks": {"01.sigmoid": "b" * 64, "01.hinges": "c" * 64}},
        ["The check of 01.hinges was not asked for at the release.", "The check of 01.xor is no longer asked for."],
    ),
    "points": (
        {"points": {"sigmoid-test": 2.5, "xor-test": 1.0}},
        [
            "The cell explain-manual, worth 4, is gone.",
            "The cell sigmoid-test was worth 2 and is worth 2.5.",
            "The cell xor-test, worth 1, was not there.",
        ],
    ),
    "spec": (
        {"spec": "d" * 64},
        [
            "The cells of solutions/01-neurons are not those of the release: a text, a hidden test, points or the "
            "order (digest aaaaaaaaaaaa then, dddddddddddd now)."
        ],
    ),
    "later": (
        {"due": "2030-02-01T22:59:00+00:00"},
        ["It was due at 2030-01-31 22:59 UTC, and the gradebook says at 2030-02-01 22:59 UTC."],
    ),
    "no date": ({"due": ""}, ["It was due at 2030-01-31 22:59 UTC, and the gradebook says on no date."]),
}


@pytest.mark.parametrize(("change", "words"), WORDS.values(), ids=WORDS)
def test_differences_in_words(change, words):
    assert differences(LOCK, changed(**change)) == words


def test_every_field_that_can_change_is_told():
    """Version, key and day belong to the release itself."""
    own = {"assignment", "version", "key", "released_at"}
    assert {name for change, _ in WORDS.values() for name in change} == {*Lock.__dataclass_fields__} - own


def test_an_assignment_as_it_is(tmp_path, make_course):
    course = make_course(tmp_path)
    spec = read_spec(course, "01-neurons")
    now = as_it_is(course, spec, LOCK)
    assert (now.version, now.key, now.released_at, now.due) == (1, LOCK.key, LOCK.released_at, "")
    assert now.spec == spec.digest
    assert sorted(now.checks) == [id for id in sorted(EXERCISES) if id.startswith("01.")]
    assert now.points["explain-manual"] == 4
    assert sum(now.points.values()) == spec.points
    assert sorted(path.name for path in course.iterdir()) == ["exercises", "nbgrader_config.py", "solutions"]


# ---- which checks, and what they are made of


def spec_with(hidden):
    return Spec("01-neurons", "x.ipynb", (SpecCell("x-test", "code", "test", "", hidden, 1.0),))


@pytest.mark.parametrize(
    ("hidden", "asked"),
    [
        ("", []),
        ("assert f(2) == 4", []),
        ('for s in checks.hidden_seeds("01.xor"):\n    checks.xor(f, seed=s)', ["01.xor"]),
        (
            "from dlcourse.checks import hidden_seeds\na = hidden_seeds('01.xor') + hidden_seeds('01.sigmoid')",
            ["01.sigmoid", "01.xor"],
        ),
        ('%time checks.hidden_seeds("01.xor")', ["01.xor"]),
    ],
)
def test_exercises_that_a_hidden_test_asks_for(hidden, asked):
    assert exercises(spec_with(hidden)) == asked


@pytest.mark.parametrize(
    "hidden",
    [
        'checks.hidden_seeds("01.xorr")',
        "id = '01.xor'\nchecks.hidden_seeds(id)",
        "checks.hidden_seeds()",
        "checks.hidden_seeds(7)",
        "seeds = checks.hidden_seeds\nseeds('01.xor')",
        "%time checks.hidden_seeds(id)",
    ],
)
def test_ids_whose_seeds_could_not_be_set_are_refused(hidden):
    with pytest.raises(CourseError, match=r"The hidden test x-test of 01-neurons.*is wanted, as in"):
        exercises(spec_with(hidden))


def test_checks_are_found_by_reading_where_they_are_found_by_importing():
    for id, exercise in EXERCISES.items():
        assert lock_._home(id) == inspect.getmodule(exercise.check).__name__
    for none in ("", "01", "01.sigmoids", "Perceptron"):
        assert lock_._home(none) == ""


@pytest.fixture
def sources(tmp_path, monkeypatch):
    """A copy of dlcourse.checks that the digests are made from; `change(module)` adds a line to one of its files."""
    modules = {}
    for name, path in lock_._modules().items():
        modules[name] = shutil.copy(path, tmp_path / f"{name}.py")
    monkeypatch.setattr(lock_, "_modules", lambda: modules)

    def change(module):
        with open(modules[f"dlcourse.checks.{module}"], "a", encoding="utf-8") as file:
            file.write("# another line\n")

    return change


@pytest.mark.parametrize(
    ("module", "is_part"),
    [
        ("ch03.adamw", True),
        ("ch03.adam", True),  # which ch03.adamw imports
        ("examiner", True),
        ("values", True),  # which examiner's own imports import
        ("ch03.init", False),
        ("ch03", False),
        ("registry", False),
        ("guide", False),
        ("seeds", False),
    ],
)
def test_a_digest_covers_the_check_and_what_it_imports_and_no_more(sources, module, is_part):
    before = check_digest("03.adamw")
    assert check_digest("03.adamw") == before
    sources(module)
    assert (check_digest("03.adamw") != before) is is_part
