"""Releasing: what students get is what was committed; nothing is released by halves; what it was is written down.

nbgrader's own commands take seconds each: one real release is in the ordinary suite, the others are slow, and the order
of the steps is tested with a stand-in for nbgrader.
"""

import json
import os
import shutil
import stat
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from dlcourse import cli
from dlcourse.course import commands
from dlcourse.course.errors import CourseError
from dlcourse.course.grading import keys as keys_
from dlcourse.course.grading import release as release_
from dlcourse.course.grading.files import alone
from dlcourse.course.grading.lock import as_it_is, differences, due_date, open_gradebook, read_lock
from dlcourse.course.grading.release import load_keys, release
from dlcourse.course.grading.settings import settings
from dlcourse.course.grading.spec import read_spec

A = "01-neurons"
NOTEBOOK = f"{A}-exercises.ipynb"
DUE = datetime(2030, 1, 31, 23, 59, tzinfo=timezone(timedelta(hours=1)))


# ---- the real thing


@pytest.fixture(scope="module")
def released(tmp_path_factory, make_course):
    """(course, what release gave) after one release with a due date."""
    folder = tmp_path_factory.mktemp("released")
    with pytest.MonkeyPatch.context() as patch:
        set_own(patch, folder)
        course = make_course(folder)
        return course, release(course, A, due=DUE)


def set_own(patch, folder):
    patch.setenv("DLCOURSE_KEYS", str(folder / "keys"))
    patch.setenv("JUPYTER_NO_CONFIG", "1")
    patch.setenv("JUPYTER_CONFIG_DIR", str(folder / "jupyter"))
    patch.setenv("PATH", os.defpath)  # without the folder of nbgrader's alembic


@pytest.fixture
def same_keys(released, monkeypatch):
    """The keys that the release made."""
    set_own(monkeypatch, released[0].parent)


def test_students_can_fetch_what_was_committed(released):
    course, done = released
    assert done.exchange == course.parent / "exchange" / "dlcourse" / "outbound" / A
    assert (done.exchange / NOTEBOOK).read_bytes() == (course / "exercises" / A / NOTEBOOK).read_bytes()
    assert os.listdir(done.exchange) == [NOTEBOOK]
    assert (done.exchange / NOTEBOOK).stat().st_mode & 0o777 == 0o644


def test_the_gradebook_knows_the_assignment_its_cells_and_its_date(released, same_keys):
    course, done = released
    with open_gradebook(settings(course)) as gradebook:
        assignment = gradebook.find_assignment(A)
        assert assignment.duedate == datetime(2030, 1, 31, 22, 59)
        (notebook,) = assignment.notebooks
        assert {cell.name: cell.max_score for cell in notebook.grade_cells} == done.lock.points
        assert len(notebook.source_cells) >= len(done.lock.points)
        assert gradebook.course_id == "dlcourse"
    assert due_date(settings(course), A) == done.lock.due == "2030-01-31T22:59:00+00:00"


def test_the_lock_says_what_was_released(released, same_keys):
    course, done = released
    lock = read_lock(course, A)
    assert lock == done.lock
    assert (lock.version, lock.spec) == (1, read_spec(course, A).digest)
    assert lock.key == load_keys(course).current("course").id
    assert datetime.now(UTC) - datetime.fromisoformat(lock.released_at) < timedelta(hours=1)
    assert differences(lock, as_it_is(course, done.spec, lock)) == []


def test_the_first_release_makes_keys_and_says_where(released, same_keys):
    course, done = released
    assert done.new_keys == course.parent / "keys" / "dlcourse.json"
    assert stat.S_IMODE(done.new_keys.stat().st_mode) == 0o600
    secrets = [key.secret.hex() for key in load_keys(course).every]
    for path in course.parent.rglob("*"):
        if path.is_file() and path != done.new_keys:
            content = path.read_bytes()
            assert not any(secret.encode() in content or bytes.fromhex(secret) in content for secret in secrets)


def test_nothing_else_is_left(released):
    course, _ = released
    assert {path.relative_to(course).as_posix() for path in course.rglob("*") if path.is_file()} == {
        *("gradebook.db", "nbgrader_config.py", f"solutions/{A}/{NOTEBOOK}", f"exercises/{A}/{NOTEBOOK}"),
        *("grading/.lock", f"grading/locks/{A}.json"),
    }


def test_a_second_release_is_refused_and_a_later_date_is_a_difference(released, same_keys):
    course, done = released
    with pytest.raises(
        CourseError, match=r"was released on \d{4}-\d\d-\d\d, as version 1\. With --again it becomes version 2"
    ):
        release(course, A)
    assert read_lock(course, A) == done.lock
    with open_gradebook(settings(course)) as gradebook:
        gradebook.update_or_create_assignment(A, duedate="2030-02-01 22:59:00")
    (told,) = differences(done.lock, as_it_is(course, done.spec, done.lock))
    assert told.endswith("the gradebook says at 2030-02-01 22:59 UTC.")


@pytest.fixture
def course(tmp_path, make_course, monkeypatch):
    monkeypatch.setenv("PATH", os.defpath)
    return make_course(tmp_path)


@pytest.mark.slow
def test_again_releases_what_is_there_now_with_other_seeds_and_the_date_stays(course, stand_in):
    with stand_in():
        first = release(course, A, exchange=False).lock
    outbound = course.parent / "exchange" / "dlcourse" / "outbound" / A
    shutil.copytree(course / "exercises" / A, outbound)
    for room in ("solutions", "exercises"):
        path = course / room / A / NOTEBOOK
        path.write_text(path.read_text(encoding="utf-8").replace("A sigmoid that survives", "A sigmoid"), "utf-8")
    with open_gradebook(settings(course)) as gradebook:
        gradebook.update_or_create_assignment(A, duedate="2030-01-31 22:59:00")

    second = release(course, A, again=True)
    assert (second.lock.version, second.new_keys, second.lock.due) == (2, None, "2030-01-31T22:59:00+00:00")
    assert second.lock.spec != first.spec
    assert b"A sigmoid that survives" not in (outbound / NOTEBOOK).read_bytes()
    keys = load_keys(course)
    seeds = [keys.seeds(A, lock.version, "01.xor", key=lock.key) for lock in (first, second.lock)]
    assert not set(seeds[0]) & set(seeds[1])
    assert (read_lock(course, A, 1), read_lock(course, A)) == (first, second.lock)


@pytest.mark.slow
def test_a_notebook_that_is_not_what_nbgrader_makes_is_refused_and_nothing_is_done(course):
    path = course / "exercises" / A / NOTEBOOK
    path.write_text(path.read_text(encoding="utf-8").replace("def sigmoid(x)", "def sigmoid(x, y)"), "utf-8")
    with pytest.raises(
        CourseError, match=rf"{NOTEBOOK}, cell sigmoid-answer: another source(.|\n)*dlcourse course build"
    ):
        release(course, A)
    assert not (course / "gradebook.db").exists()
    assert not (course / "grading" / "locks").exists()
    assert os.listdir(course.parent / "exchange") == []


@pytest.mark.slow
def test_an_absolute_course_directory_in_the_settings_does_not_release_another_checkout(course, tmp_path, make_course):
    (tmp_path / "other").mkdir()
    other = make_course(tmp_path / "other")
    with open(course / "nbgrader_config.py", "a", encoding="utf-8") as file:
        file.write(f"c.CourseDirectory.root = {str(other)!r}\n")
    done = release(course, A)
    assert (done.exchange / NOTEBOOK).is_file()
    assert (course / "gradebook.db").is_file()
    assert not (other / "gradebook.db").exists()


@pytest.mark.slow
def test_nbgraders_own_words_are_shown_when_it_fails(course):
    (course / "gradebook.db").write_text("no database")
    with pytest.raises(
        CourseError, match=r"`nbgrader generate_assignment 01-neurons` failed, and said:(.|\n)*database"
    ):
        release(course, A)
    assert not (course / "grading" / "locks").exists()


# ---- the order of the steps


@pytest.fixture
def stand_in(monkeypatch):
    """`with stand_in() as taken`: in place of nbgrader something that copies what is committed and enters nothing."""

    @contextmanager
    def stand_in():
        taken = []

        def generate(here, assignment, folder, gradebook):
            taken.append(f"generate {folder.name}")
            shutil.copytree(here.course / "exercises" / assignment, folder / "exercises" / assignment)

        def nbgrader(course, *arguments):
            taken.append(" ".join(arguments[:1] + tuple(a for a in arguments if a == "--force")))

        with monkeypatch.context() as patch:
            patch.setattr(release_, "_generate", generate)
            patch.setattr(release_, "_nbgrader", nbgrader)
            patch.setattr(release_, "_set_due_date", lambda *_: taken.append("due"))
            yield taken

    return stand_in


@pytest.fixture
def steps(stand_in):
    """The steps that were taken with the stand-in for nbgrader."""
    with stand_in() as taken:
        yield taken


ALL = ["generate checked", "generate entered", "due", "release_assignment"]


def test_steps_in_order_the_lock_last(course, steps, monkeypatch):
    write = release_.write_lock
    monkeypatch.setattr(release_, "write_lock", lambda *a: (steps.append("lock"), write(*a)))
    told = []
    release(course, A, due=DUE, on_step=lambda done, steps, what: told.append((done, steps, what.split()[0])))
    assert steps == [*ALL, "lock"]
    assert told == [(0, 3, "making"), (1, 3, "entering"), (2, 3, "handing")]


@pytest.mark.parametrize("step", ["_generate", "_require_same", "_set_due_date", "_nbgrader", "write_lock"])
def test_a_release_that_failed_halfway_is_no_release_and_can_be_run_again(course, steps, monkeypatch, step):
    class Cut(Exception):
        pass

    def fail(*_):
        raise Cut

    with monkeypatch.context() as patch:
        patch.setattr(release_, step, fail)
        with pytest.raises(Cut):
            release(course, A, due=DUE)
    with pytest.raises(CourseError, match="no record"):
        read_lock(course, A)
    assert release(course, A, due=DUE).lock.version == 1


def test_what_is_in_the_exchange_already_is_not_released_once_more(course, steps):
    """A release that was killed before its last step."""
    outbound = course.parent / "exchange" / "dlcourse" / "outbound" / A
    shutil.copytree(course / "exercises" / A, outbound)
    assert release(course, A).exchange == outbound
    assert "release_assignment" not in steps


def test_another_assignment_in_the_exchange_is_replaced_only_when_told(course, steps):
    outbound = course.parent / "exchange" / "dlcourse" / "outbound" / A
    outbound.mkdir(parents=True)
    (outbound / NOTEBOOK).write_text("another")
    with pytest.raises(CourseError, match="which students may have"):
        release(course, A)
    assert steps == []
    assert release(course, A, again=True).lock.version == 1
    assert steps[-1] == "release_assignment --force"


def test_an_exchange_closed_to_us_is_opened_so_that_nobody_deletes_what_others_hand_in(course, steps, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: path != course.parent / "exchange")
    with pytest.raises(CourseError, match=r"may not write into the exchange .*: chmod 1777 '"):
        release(course, A)
    assert steps == []


def test_without_an_exchange_the_setting_is_named_and_nothing_is_done(course, steps):
    exchange = course.parent / "exchange"
    exchange.rmdir()
    with pytest.raises(CourseError, match=r"c\.Exchange\.root.*mode 1777.*--no-exchange"):
        release(course, A)
    exchange.write_text("")
    with pytest.raises(CourseError, match="is no folder"):
        release(course, A)
    assert steps == []
    done = release(course, A, exchange=False)
    assert (done.exchange, done.lock.version) == (None, 1)
    assert steps == ["generate checked", "generate entered"]


def test_an_exchange_that_is_no_folder_is_left_to_nbgrader(course, steps):
    with open(course / "nbgrader_config.py", "a", encoding="utf-8") as file:
        file.write("c.ExchangeFactory.exchange = 'somewhere.Else'\n")
    assert release(course, A).exchange is None
    assert steps[-1] == "release_assignment"


def test_keys_that_are_not_safe_stop_a_release_before_it_begins(course, steps, monkeypatch, own_keys):
    for inside in (course / "keys", course.parent / "exchange" / "keys"):
        monkeypatch.setenv("DLCOURSE_KEYS", str(inside))
        with pytest.raises(CourseError, match="Name another folder"):
            release(course, A)
        with pytest.raises(CourseError, match="Name another folder"):
            load_keys(course)
    monkeypatch.setenv("DLCOURSE_KEYS", str(own_keys))
    own_keys.mkdir(parents=True, mode=0o755)
    with pytest.raises(CourseError, match="chmod 700"):
        release(course, A)
    assert steps == []


def test_while_somebody_grades_nothing_is_released(course, steps):
    with alone(course / "grading" / ".lock", ""), pytest.raises(CourseError, match="grades or releases here"):
        release(course, A)
    assert steps == []


def test_an_unknown_assignment_and_nbgrader_missing_are_plain_errors(course, steps, monkeypatch):
    with pytest.raises(CourseError, match=r"no assignment '02-nothing' .*There are: 01-neurons"):
        release(course, "02-nothing")
    with pytest.raises(CourseError, match="no assignment's name"):
        release(course, "../x")
    monkeypatch.setattr(release_, "find_spec", lambda name: None)
    with pytest.raises(CourseError, match="pip install"):
        release(course, A)
    assert steps == []


# ---- what differs


@pytest.fixture
def folders(tmp_path, make_course):
    """What nbgrader made and what is committed, as yet the same; and the committed notebook as it can be changed."""
    for name in ("made", "committed"):
        (tmp_path / name).mkdir()
        shutil.copytree(Path(__file__).parents[3] / "exercises" / A, tmp_path / name / A)
    return tmp_path / "made" / A, tmp_path / "committed" / A


def edit(folder, change):
    path = folder / NOTEBOOK
    plain = json.loads(path.read_text(encoding="utf-8"))
    change(plain)
    path.write_text(json.dumps(plain), "utf-8")


# Change of the committed notebook -> what is said of it.
SAID = {
    "text": (lambda n: n["cells"][3].update(source="x"), "cell sigmoid-answer: another source"),
    "metadata": (lambda n: n["cells"][3]["metadata"].update(x=1), "cell sigmoid-answer: another metadata"),
    "both": (
        lambda n: n["cells"][3].update(source="x", cell_type="raw"),
        "cell sigmoid-answer: another cell_type and source",
    ),
    "missing": (lambda n: n["cells"].pop(3), "cell sigmoid-answer: missing"),
    "more": (lambda n: n["cells"].append(n["cells"][3] | {"id": "more"}), "cell more: not in the solutions"),
    "order": (lambda n: n["cells"].insert(3, n["cells"].pop()), "its order of cells"),
    "outside of cells": (lambda n: n["metadata"].update(x=1), "differs in other things than its cells"),
    "no cells": (lambda n: n.pop("cells"), "which is no notebook"),
    "odd cells": (lambda n: n.update(cells=[1]), "which is no notebook"),
    "every cell": (lambda n: [cell.update(source="x") for cell in n["cells"]], r"and \d+ more cells"),
}


@pytest.mark.parametrize(("change", "said"), SAID.values(), ids=SAID)
def test_what_differs_is_said(folders, change, said):
    edit(folders[1], change)
    with pytest.raises(CourseError, match=said) as error:
        release_._require_same(*folders)
    assert "dlcourse course build" in str(error.value)
    assert len(str(error.value)) < 1200


def test_files_that_differ_are_said_and_checkpoints_are_nobodys_business(folders):
    made, committed = folders
    for folder in (".ipynb_checkpoints", "__pycache__"):
        (committed / folder).mkdir()
        (committed / folder / "x").write_text("x")
    release_._require_same(made, committed)
    (made / "data.csv").write_text("1")
    (committed / "notes.txt").write_text("1")
    with pytest.raises(CourseError, match=r"- data\.csv is missing\n- notes\.txt is none of what nbgrader makes\n"):
        release_._require_same(made, committed)
    shutil.rmtree(committed)
    with pytest.raises(CourseError, match=f"{NOTEBOOK} is missing"):
        release_._require_same(made, committed)


# ---- settings


def test_settings_are_the_courses_and_below_them_those_of_jupyter(course, tmp_path, monkeypatch):
    monkeypatch.delenv("JUPYTER_NO_CONFIG")
    jupyter = tmp_path / "jupyter"
    jupyter.mkdir()
    (jupyter / "nbgrader_config.py").write_text(
        "c = get_config()\nc.CourseDirectory.course_id = 'other'\nc.CourseDirectory.db_url = 'sqlite:////srv/x.db'\n"
    )
    here = settings(course)
    assert (here.id, here.gradebook, here.explicit_gradebook) == ("dlcourse", "sqlite:////srv/x.db", True)
    assert here.exchange == course.parent / "exchange"
    (course / "nbgrader_config.json").write_text(json.dumps({"CourseDirectory": {"db_url": "sqlite:///mine.db"}}))
    assert settings(course).gradebook == f"sqlite:///{course / 'mine.db'}"
    (course / "nbgrader_config.py").unlink()
    (course / "nbgrader_config.json").unlink()
    assert (settings(course).id, str(settings(course).exchange)) == ("other", "/usr/local/share/nbgrader/exchange")


def test_a_collector_of_ours_has_the_exchange_that_nbgrader_has_and_any_other_has_not(course):
    assert "grading.collect.Collect" in (course / "nbgrader_config.py").read_text()
    assert settings(course).exchange == course.parent / "exchange"
    for what, foreign in (
        ("collect", "ngshare_exchange.Other"),
        ("collect", "dlcourse.course.grading.collect_ngshare.Collect"),
        ("fetch_assignment", "ngshare_exchange.Other"),
    ):
        (course / "nbgrader_config.json").write_text(json.dumps({"ExchangeFactory": {what: foreign}}))
        assert settings(course).exchange is None


def test_without_settings_the_gradebook_is_beside_the_course(course, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    here = settings(Path("course"))
    assert (here.gradebook, here.explicit_gradebook) == (f"sqlite:///{course / 'gradebook.db'}", False)
    assert not here.has_gradebook


@pytest.mark.parametrize("text", ["", "c = get_config()\nc.CourseDirectory.course_id = ''\n"])
def test_a_course_without_an_id_is_told_where_to_set_it(course, text):
    (course / "nbgrader_config.py").write_text(text)
    with pytest.raises(CourseError, match=r"c\.CourseDirectory\.course_id"):
        settings(course)


def test_settings_that_cannot_be_read_are_a_plain_error(course):
    (course / "nbgrader_config.py").write_text("1 / 0")
    with pytest.raises(CourseError, match=r"nbgrader_config\.py could not be read: ZeroDivisionError"):
        settings(course)


# ---- commands


@pytest.fixture
def main(course, monkeypatch, capsys):
    """Exit status, stdout and stderr of a command in this course."""
    monkeypatch.chdir(course)

    def call(*arguments):
        with pytest.raises(SystemExit) as exit_:
            cli.main(list(arguments))
        return exit_.value.code or 0, *capsys.readouterr()

    return call


def test_release_and_keys_on_the_command_line(main, course, steps, own_keys):
    status, out, err = main("course", "release", A, "--due", "2130-01-31T23:59+01:00")
    assert (status, err) == (0, "")
    assert f"New keys for this course: {own_keys / 'dlcourse.json'}" in out
    assert f"{A}, version 1, is released, with no due date: 20 points." in out  # the stand-in sets none
    assert "Students fetch it from" in out
    assert steps == ALL
    status, _, err = main("course", "release", A)
    assert (status, "--again" in err, "Traceback" in err) == (1, True, False)
    status, out, err = main("course", "release", A, "--again", "--no-exchange", "--due", "2020-01-31 23:59")
    assert (status, "version 2" in out) == (0, True)
    assert "whatever is handed in now is late" in err

    first = load_keys(course)
    assert main("course", "keys", "rotate", "--signing")[0] == 0
    status, out, _ = main("course", "keys", "show")
    now = load_keys(course)
    rows = [line.split() for line in out.splitlines()[1:4]]
    assert [(row[0], row[1], " ".join(row[3:])) for row in rows] == [
        (first.current("course").id, "course", "in use"),
        (first.current("signing").id, "signing", "old"),
        (now.current("signing").id, "signing", "in use"),
    ]
    shown = out + main("course", "keys", "revoke", first.current("signing").id)[1]
    assert f"dlcourse course grade {A}" in shown
    shown += main("course", "keys", "revoke", first.current("course").id)[1]
    assert f"dlcourse course release {A} --again" in shown
    shown += main("course", "keys", "rotate", "--course")[1]
    assert not any(key.secret.hex() in shown for key in load_keys(course).every)
    assert (
        "Nothing was released with it." in main("course", "keys", "revoke", load_keys(course).current("course").id)[1]
    )


def test_a_command_asked_wrongly_says_so(main, steps):
    for wrong in (
        ("keys", "rotate"),
        ("keys", "rotate", "--signing", "--course"),
        ("release", A, "--due", "tomorrow"),
        ("release",),
    ):
        status, _, err = main("course", *wrong)
        assert status == 2
        assert "Traceback" not in err
    assert steps == []
    status, _, err = main("course", "keys", "show")
    assert (status, "dlcourse course release ASSIGNMENT" in err) == (1, True)


def test_a_due_date_without_a_zone_is_this_machines(monkeypatch):
    assert commands._when("2030-01-31 23:59") == datetime(2030, 1, 31, 23, 59).astimezone()
    assert commands._when("2030-01-31T23:59+01:00") == DUE
    assert commands._when(None) is None


def test_a_lock_with_a_revoked_key_is_graded_no_more(course, steps):
    lock = release(course, A).lock
    keys_.revoke("dlcourse", lock.key)
    with pytest.raises(CourseError, match=f"dlcourse course release {A} --again"):
        load_keys(course).seeds(A, lock.version, "01.xor", key=lock.key)
    again = release(course, A, again=True).lock
    assert len(load_keys(course).seeds(A, again.version, "01.xor", key=again.key)) == 2
