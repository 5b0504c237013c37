"""`nbgrader collect` with the collector of ours, where students do all the harm that they can think of.

The honest ones are collected, the others are told. The instructor and the students are users of one Linux machine.
"""

import errno
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import tzset

import pytest
from dlcourse_world import World, unfit
from nbgrader.exchange import ExchangeError
from nbgrader.exchange.default import ExchangeCollect

from dlcourse.course.grading import collect, submission
from dlcourse.course.grading.book.handed_in import time_of
from dlcourse.course.grading.collect import Arrived, NotTaken, content
from dlcourse.course.grading.lock import open_gradebook
from dlcourse.course.grading.removal import remove
from dlcourse.course.grading.settings import Settings

ROOT = Path(__file__).parents[3]
ASSIGNMENT, NOTEBOOK = "01-neurons", "01-neurons-exercises.ipynb"
EARLY, LATE, LATER = (f"2026-03-0{day} 12:00:00.123456 UTC" for day in (1, 2, 3))
RANDOM, SECRET = "AbC-_f0123xy", "5" * 128
TEACHER, HONEST = "teacher", ("ann", "bob", "cat")
WRONG = ("eve", "fay", "gus", "hal", "ian", "jim", "kim")
OURS = "dlcourse.course.grading.collect.Collect"
NO_TIME = "2024-01-01 111111111111111111111111111111m"  # dateutil raises ArithmeticError
PLANTED = "open('/home/teacher/was-run', 'w')\n"

several_users = pytest.mark.skipif(unfit() is not None, reason=f"{unfit()}")


def name_of(student: str, time: str = EARLY, random: str = RANDOM) -> str:
    return f"{student}+{ASSIGNMENT}+{time}+{random}"


def folder_of(inbound: Path, student: str, time: str = EARLY) -> Path:
    """As `nbgrader submit` makes it, but for the notebook's content and the owner."""
    folder = inbound / name_of(student, time)
    folder.mkdir()
    (folder / NOTEBOOK).write_text(json.dumps({"of": student, "at": time}))
    (folder / "timestamp.txt").write_text(time)
    (folder / "submission_secret.txt").write_text(SECRET)
    return folder


class Class:
    """A course folder and an exchange; `said` is what collecting printed."""

    def __init__(self, settings: str):
        self.world = World(TEACHER, *HONEST, *WRONG)
        self.course = self.world.course_of(TEACHER)
        etc = self.world.folder / "etc/jupyter"
        etc.mkdir(exist_ok=True)
        hosts = (ROOT / "deploy/jupyterhub/nbgrader_config.py").read_text()
        own = self.course / "nbgrader_config.py"
        if settings == "the host's":  # each of the two must do without the other
            own.write_text(re.sub(r"\nif .*\n.*ExchangeFactory.*\n", "\n", own.read_text()))
            assert "ExchangeFactory" not in own.read_text()
        else:
            hosts = re.sub(r"\n.*ExchangeFactory.*", "", hosts)
        (etc / "nbgrader_config.py").write_text(hosts)
        self.inbound = self.world.folder / "srv/nbgrader/exchange/dlcourse/inbound"
        self.inbound.mkdir(parents=True)
        self.world.give(TEACHER, self.inbound.parent)
        self.inbound.chmod(0o2733)
        self.inbound.parents[1].chmod(0o1777)

    def hand_in(self, student: str, time: str = EARLY, owner: str = "") -> Path:
        folder = folder_of(self.inbound, student, time)
        self.world.give(owner or student, folder)
        return folder

    def collect(self, options: str = "", status: int = 0) -> str:
        line = f"nbgrader collect {ASSIGNMENT} {options}"
        return self.world.run(
            TEACHER, line, "dlcourse", status=status, seconds=300, PYTHONPATH="/home/teacher/dlcourse"
        )

    def collected(self) -> dict[str, dict[str, bytes]]:
        """student -> name -> content, of all that lies below their folder."""
        found = {path.name: {} for path in (self.course / "submitted").iterdir()}
        for path in (self.course / "submitted").rglob("*"):
            assert not path.is_symlink()
            if not path.is_dir():
                student, _, name = path.relative_to(self.course / "submitted").as_posix().split("/", 2)
                found[student][name] = path.read_bytes()
        return found


def do_harm(of: Class) -> None:
    secret = of.world.home(TEACHER) / "secret.ipynb"
    secret.write_text("the teacher's")
    of.world.give(TEACHER, secret)

    own = of.hand_in("eve")
    (own / NOTEBOOK).unlink()
    (own / NOTEBOOK).symlink_to("/home/teacher/secret.ipynb")
    os.link(secret, own / "hard.ipynb")
    os.mkfifo(own / "fifo.ipynb")
    (own / "below").mkdir()
    (own / "below/nbgrader_config.py").write_text(PLANTED)
    (own / "nbgrader_config.py").write_text(PLANTED)
    (own / "\x1b[2Jodd\n.ipynb").write_text("{}")
    (own / "timestamp.txt").write_text(NO_TIME)
    of.world.give("eve", own)
    os.lchown(own / "hard.ipynb", *[of.world.numbers[TEACHER]] * 2)

    for_bob = of.hand_in("bob", LATER, owner="eve")
    (for_bob / NOTEBOOK).write_text("not bob's")
    (of.inbound / name_of("cat", LATER)).symlink_to("/home/teacher")
    os.mkfifo(of.inbound / name_of("eve", LATER))
    for garbage in ("junk", "+++", f"eve+{ASSIGNMENT}", f"eve+{ASSIGNMENT}+2026-99-99 +{RANDOM}", "\x1b[2J\n\udcff"):
        (of.inbound / garbage).mkdir()
        of.world.give("eve", of.inbound / garbage)
    (of.inbound / name_of("eve", LATE, "x")).mkdir()
    of.world.give("eve", of.inbound / name_of("eve", LATE, "x"))

    of.hand_in("eve", NO_TIME)

    (of.hand_in("fay") / "timestamp.txt").unlink()
    os.mkfifo(of.inbound / name_of("fay") / "timestamp.txt")
    with (of.hand_in("gus") / NOTEBOOK).open("r+b") as large:
        large.truncate(collect.LIMIT + 1)
    of.hand_in("hal").chmod(0o700)
    many = of.hand_in("ian")
    for number in range(submission.MAX_ENTRIES):
        (many / f"{number}.txt").touch()
    of.hand_in("jim")
    ahead = of.hand_in("jim", "2099-01-01 12:00:00.000000 UTC")
    os.utime(ahead, (4_100_000_000, 4_100_000_000))  # this time anybody can set
    of.hand_in("kim")
    os.chown(of.inbound / name_of("kim"), 65_432, 65_432)


@pytest.fixture(scope="module", params=["the course's", pytest.param("the host's", marks=pytest.mark.slow)])
def harmed(request):
    made = Class(request.param)
    try:
        for student in HONEST:
            made.hand_in(student)
        made.hand_in("ann", LATE)
        (made.inbound / f"bob+02-backpropagation+{EARLY}+{RANDOM}").mkdir()
        do_harm(made)
        made.said = made.collect()
        yield made
    finally:
        made.world.remove()


@several_users
def test_the_honest_are_collected_whoever_does_harm(harmed):
    last = {"ann": LATE, "bob": EARLY, "cat": EARLY, "jim": EARLY}
    for student, time in last.items():
        assert harmed.collected()[student] == {
            NOTEBOOK: json.dumps({"of": student, "at": time}).encode(),
            "timestamp.txt": time.encode(),
            "submission_secret.txt": SECRET.encode(),
        }


@several_users
def test_nothing_comes_but_files_of_the_student(harmed):
    """No link of either kind was followed, no pipe waited for, no settings came."""
    found = harmed.collected()
    assert found.keys() == {*HONEST, "eve", "fay", "jim"}
    assert found["eve"].keys() == {"timestamp.txt", "submission_secret.txt"}
    assert found["fay"].keys() == {NOTEBOOK, "submission_secret.txt"}
    (line,) = re.findall(r"Not copied, of eve: (.*)", harmed.said)
    assert line == f"\\x1b[2Jodd / .ipynb, {NOTEBOOK}, below, fifo.ipynb, hard.ipynb and 1 more"


@several_users
def test_who_was_left_out_is_told_at_the_end(harmed):
    summary = harmed.said[harmed.said.index(f"Of {ASSIGNMENT}: ") :]
    assert summary.startswith(f"Of {ASSIGNMENT}: 6 collected, 0 were here, 15 left out.")
    told = dict(re.findall(r"Left out: (.*?): (.*)", summary))
    no_name = "it is not named as nbgrader names a submission"
    expected = {
        name_of("bob", LATER): "it belongs to eve, not to whom it names",
        name_of("cat", LATER): "it is a link or no folder; it belongs to root",
        name_of("eve", LATER): "it is a link or no folder; it belongs to root",
        name_of("gus"): f"it is larger than is taken: {NOTEBOOK}, with {collect.LIMIT:,} bytes of room",
        name_of("hal"): "it cannot be read (Permission denied); collect again, if it was still arriving",
        name_of("ian"): f"it holds more than {submission.MAX_ENTRIES:,} files",
        name_of("jim", "2099-01-01 12:00:00.000000 UTC"): "the time in its name lies after its last change",
        name_of("kim"): "it belongs to number 65432, who has no account, not to whom it names",
        **dict.fromkeys(("junk", "+++", f"eve+{ASSIGNMENT}", "\\x1b[2J / \\udcff"), f"{no_name}; it belongs to eve"),
        **dict.fromkeys(
            (f"eve+{ASSIGNMENT}+2026-99-99 +{RANDOM}", name_of("eve", LATE, "x"), name_of("eve", NO_TIME)), no_name
        ),
    }
    assert told == expected
    assert "\x1b" not in re.sub(r"\x1b\[[\d;]*m|\x1b\(B", "", harmed.said), "a name of a student's reached the terminal"


@pytest.mark.slow
@several_users
def test_settings_that_a_student_planted_are_not_run(harmed):
    folder = f"dlcourse/submitted/eve/{ASSIGNMENT}"
    harmed.world.run(TEACHER, "nbgrader list", folder, PYTHONPATH="/home/teacher/dlcourse")
    assert not (harmed.world.home(TEACHER) / "was-run").exists()


@several_users
def test_what_came_is_closed_to_others(harmed):
    for path in (harmed.course / "submitted").glob("*/*"):
        assert path.stat().st_mode & 0o7777 == 0o700
        assert {file.stat().st_mode & 0o7777 for file in path.iterdir()} == {0o600}
        assert path.stat().st_uid == harmed.world.numbers[TEACHER]


@pytest.mark.slow
@several_users
def test_once_more_with_the_options(harmed):
    """What is newer replaces what was collected, all of it; the rest stays."""
    (harmed.course / "submitted/bob" / ASSIGNMENT / "of-before.txt").touch()
    harmed.hand_in("bob", LATE)
    harmed.hand_in("hal", LATE)
    before = harmed.collected()
    said = harmed.collect()
    assert f"Of {ASSIGNMENT}: 1 collected, 6 were here (--update takes newer ones), 14 left out." in said
    assert harmed.collected() == {**before, "hal": harmed.collected()["hal"]}
    said = harmed.collect("--update --student=bob")
    assert f"Of {ASSIGNMENT}: 1 collected, 0 were here, 1 left out." in said
    assert harmed.collected()["bob"].keys() == {NOTEBOOK, "timestamp.txt", "submission_secret.txt"}
    assert harmed.collected()["bob"]["timestamp.txt"] == LATE.encode()
    said = harmed.collect("--update")
    assert f"Of {ASSIGNMENT}: 2 collected, 5 were here, 14 left out." in said, "eve and fay have no time to go by"
    assert not list((harmed.course / "submitted").glob("*/.*"))


@pytest.mark.slow
@several_users
def test_no_collecting_by_names_alone(harmed):
    said = harmed.collect("--ExchangeCollect.check_owner=False", status=1)
    assert "Nothing was collected" in said


# ---- one submission, which changes while it is read


@pytest.fixture
def one(tmp_path, monkeypatch):
    """inbound/, open, a submission in it, and its folder."""
    folder = folder_of(tmp_path, "ann")
    inbound = os.open(tmp_path, os.O_RDONLY)
    yield inbound, Arrived(folder.name, "ann", os.getuid(), datetime(2026, 3, 1, 12)), folder
    os.close(inbound)


def while_reading(monkeypatch, do) -> None:
    """Do something, once, between the first and the second read of a file."""
    read, done = os.read, []

    def reading(*given):
        text = read(*given)
        if not done:
            done.append(do())
        return text

    monkeypatch.setattr(collect.os, "read", reading)


def test_a_file_that_grows_while_it_is_read(one, monkeypatch):
    inbound, each, folder = one
    monkeypatch.setattr(collect, "LIMIT", 10_000)

    def grow():
        with (folder / NOTEBOOK).open("ab") as file:
            file.write(bytes(20_000))

    while_reading(monkeypatch, grow)
    with pytest.raises(NotTaken, match="larger than is taken"):
        content(inbound, each)


def test_a_file_that_shrinks_while_it_is_read(one, monkeypatch):
    inbound, each, folder = one
    (folder / NOTEBOOK).write_bytes(bytes(3 * 2**20))
    while_reading(monkeypatch, lambda: os.truncate(folder / NOTEBOOK, 5))
    files, _ = content(inbound, each)
    assert files[NOTEBOOK] == bytes(2**20)


def test_files_are_counted_together(one, monkeypatch):
    inbound, each, folder = one
    for name in ("a.ipynb", "b.ipynb"):
        (folder / name).write_bytes(bytes(6_000))
    exactly = 12_000 + (folder / NOTEBOOK).stat().st_size
    monkeypatch.setattr(collect, "LIMIT", exactly)
    assert content(inbound, each)[0]["b.ipynb"] == bytes(6_000)
    monkeypatch.setattr(collect, "LIMIT", exactly - 1)
    with pytest.raises(NotTaken, match=r"b\.ipynb, with 5,999 "):
        content(inbound, each)


@pytest.mark.parametrize("name", ["timestamp.txt", "submission_secret.txt"])
def test_the_small_files_are_small(one, name):
    inbound, each, folder = one
    (folder / name).write_bytes(bytes(1024))
    assert content(inbound, each)[0][name] == bytes(1024)
    (folder / name).write_bytes(bytes(1025))
    with pytest.raises(NotTaken, match="with 1,024 bytes of room"):
        content(inbound, each)


def test_as_many_files_as_are_taken(one, monkeypatch):
    inbound, each, _ = one
    monkeypatch.setattr(collect, "MAX_ENTRIES", 3)
    assert len(content(inbound, each)[0]) == 3
    monkeypatch.setattr(collect, "MAX_ENTRIES", 2)
    with pytest.raises(NotTaken, match="more than 2 files"):
        content(inbound, each)


@pytest.mark.parametrize("changed", ["a link", "a pipe", "gone"])
def test_a_file_that_is_exchanged_when_it_was_looked_at(one, monkeypatch, request, tmp_path, changed):
    inbound, each, folder = one
    (tmp_path / "secret").write_text("the teacher's")
    look = os.stat

    def then_exchange(name, **given):
        found = look(name, **given)
        if name == NOTEBOOK:
            (folder / NOTEBOOK).unlink()
            if changed == "a link":
                (folder / NOTEBOOK).symlink_to(tmp_path / "secret")
            elif changed == "a pipe":
                os.mkfifo(folder / NOTEBOOK)
        return found

    def waits(*_):
        raise AssertionError("it waits for somebody to write into the pipe")

    monkeypatch.setattr(collect.os, "stat", then_exchange)
    before = signal.signal(signal.SIGALRM, waits)
    signal.alarm(30)
    request.addfinalizer(lambda: (signal.alarm(0), signal.signal(signal.SIGALRM, before)))
    if changed == "a pipe":
        files, others = content(inbound, each)
        assert (files.keys(), others) == ({"timestamp.txt", "submission_secret.txt"}, [NOTEBOOK])
    else:
        with pytest.raises(NotTaken, match="it cannot be read"):
            content(inbound, each)


def test_a_folder_that_is_exchanged_for_anothers(one):
    inbound, each, _ = one
    with pytest.raises(NotTaken, match="exchanged"):
        content(inbound, Arrived(each.name, each.student, each.owner + 1, each.at))


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A collector, of a class of whoever runs this, where inbound/ lies, and where ann's work is collected to."""
    from nbgrader.coursedir import CourseDirectory

    monkeypatch.setattr(collect, "_account", {os.getuid(): "ann"}.get)
    course = CourseDirectory(root=str(tmp_path / "course"), course_id="dlcourse", assignment_id=ASSIGNMENT)
    inbound = tmp_path / "exchange/dlcourse/inbound"
    inbound.mkdir(parents=True)
    collector = collect.Collect(coursedir=course, root=str(tmp_path / "exchange"))
    return collector, inbound, tmp_path / "course/submitted/ann" / ASSIGNMENT


def run(collector) -> list[str]:
    """Collects; what was left out."""
    collector.init_src()
    collector.copy_files()
    return [line for _, line in sorted(collector.left_out)]


@pytest.mark.parametrize("killed_before", [False, True])
def test_a_disk_that_is_full_leaves_what_was_collected_before(here, monkeypatch, killed_before):
    collector, _, folder = here
    collector._put(folder, {NOTEBOOK: b"before"})
    if killed_before:
        folder.rename(folder.with_name(f".{ASSIGNMENT}.old"))

    def full(descriptor, *_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(collect.os, "fchmod", full)
        with pytest.raises(ExchangeError, match="No space left on device"):
            collector._put(folder, {NOTEBOOK: b"after"})
    assert (folder / NOTEBOOK).read_bytes() == b"before"
    collector._put(folder, {NOTEBOOK: b"after"})
    assert (folder / NOTEBOOK).read_bytes() == b"after"
    assert os.listdir(folder.parent) == [ASSIGNMENT]


def test_a_rename_that_fails_leaves_what_was_collected_before(here, monkeypatch):
    collector, _, folder = here
    collector._put(folder, {NOTEBOOK: b"before"})
    rename = os.rename

    def failing(name, *given, **others):
        if name == f".{ASSIGNMENT}.part":
            raise OSError(errno.EIO, "Input/output error")
        rename(name, *given, **others)

    monkeypatch.setattr(collect.os, "rename", failing)
    with pytest.raises(ExchangeError, match="Input/output error"):
        collector._put(folder, {NOTEBOOK: b"after"})
    assert (folder / NOTEBOOK).read_bytes() == b"before"


def test_in_a_course_that_shares_what_came_the_group_can_read_it(here):
    collector, _, folder = here
    collector.coursedir.groupshared = True
    collector._put(folder, {NOTEBOOK: b"{}"})
    assert folder.stat().st_mode & 0o7777 == 0o2770
    assert (folder / NOTEBOOK).stat().st_mode & 0o7777 == 0o660


@pytest.mark.parametrize("broken", [False, True])
def test_a_place_that_is_no_folder_is_told(here, broken):
    collector, inbound, folder = here
    size = collect.LIMIT + 1 if broken else 2
    os.truncate(folder_of(inbound, "ann") / NOTEBOOK, size)
    folder.parent.parent.mkdir(parents=True)
    folder.parent.touch()
    with pytest.raises(ExchangeError, match="mend that and collect again"):
        run(collector)


@pytest.mark.parametrize("after", [0, 1, 2, "the renames"])
def test_a_kill_leaves_the_old_copy_or_the_new_one(here, monkeypatch, after):
    """Nothing is done any more once it struck, as after SIGKILL."""
    collector, _, folder = here
    collector._put(folder, {NOTEBOOK: b"before"})
    rename, renamed = os.rename, []

    def killed(*given, **others):
        if len(renamed) == after:
            raise KeyboardInterrupt
        renamed.append(given)
        rename(*given, **others)

    def killed_at_the_last(*given):
        if len(renamed) == 2:
            raise KeyboardInterrupt
        remove(*given)

    with monkeypatch.context() as patched:
        patched.setattr(collect.os, "rename", killed)
        if after == "the renames":
            patched.setattr(collect, "remove", killed_at_the_last)
        with pytest.raises(KeyboardInterrupt):
            collector._put(folder, {NOTEBOOK: b"after"})
    collector._put_back(folder)
    assert (folder / NOTEBOOK).read_bytes() == (b"before" if after in (0, 1) else b"after")
    collector._put(folder, {NOTEBOOK: b"later"})
    assert (folder / NOTEBOOK).read_bytes() == b"later"
    assert os.listdir(folder.parent) == [ASSIGNMENT]


def test_what_a_kill_left_comes_back_though_nothing_new_can_be_taken(here):
    collector, inbound, folder = here
    collector._put(folder, {NOTEBOOK: b"before"})
    folder.rename(folder.with_name(f".{ASSIGNMENT}.old"))
    with (folder_of(inbound, "ann") / NOTEBOOK).open("r+b") as large:
        large.truncate(collect.LIMIT + 1)
    assert len(run(collector)) == 1
    assert (folder / NOTEBOOK).read_bytes() == b"before"


def test_the_first_of_a_student_that_cannot_be_taken_touches_nothing(here, tmp_path, monkeypatch):
    """There is no folder to look into for what a kill left; the one that we are in is none."""
    collector, inbound, _ = here
    os.truncate(folder_of(inbound, "ann") / NOTEBOOK, collect.LIMIT + 1)
    monkeypatch.chdir(tmp_path)
    Path(f".{ASSIGNMENT}.old").mkdir()
    assert len(run(collector)) == 1
    assert sorted(os.listdir()) == [f".{ASSIGNMENT}.old", "exchange"]


@pytest.mark.parametrize("number", ["ENAMETOOLONG", "EEXIST", "EILSEQ", "EINVAL"])
def test_a_name_that_cannot_be_here_costs_one_submission(here, monkeypatch, number):
    collector, inbound, folder = here
    (folder_of(inbound, "ann") / "Odd.ipynb").write_text("{}")
    make = os.open

    def opening(name, flags, *given, **others):
        if name == "Odd.ipynb" and flags & os.O_EXCL:  # with which a disk tells that it is there
            raise OSError(getattr(errno, number), "no such name here")
        return make(name, flags, *given, **others)

    monkeypatch.setattr(collect.os, "open", opening)
    (line,) = run(collector)
    assert line == f"{name_of('ann')}: Odd.ipynb cannot be written here (no such name here)"
    assert not os.listdir(folder.parent)


def test_one_that_cannot_be_looked_at_costs_one_submission(here, monkeypatch):
    collector, inbound, folder = here
    folder_of(inbound, "ann")
    folder_of(inbound, "bob")
    look = os.stat

    def looking(name, **given):
        if name == name_of("bob"):
            raise PermissionError(13, "Permission denied")
        return look(name, **given)

    monkeypatch.setattr(collect.os, "stat", looking)
    assert run(collector) == [f"{name_of('bob')}: it cannot be read (Permission denied)"]
    assert folder.exists()


@pytest.mark.parametrize(("minutes", "left_out"), [(9, 0), (11, 1)])
def test_a_students_clock_may_be_a_little_ahead_wherever_the_machine_is(here, monkeypatch, request, minutes, left_out):
    collector, inbound, _ = here
    monkeypatch.setenv("TZ", "East-9")
    tzset()
    request.addfinalizer(lambda: (monkeypatch.undo(), tzset()))
    ahead = datetime.now(UTC) + timedelta(minutes=minutes)
    folder_of(inbound, "ann", f"{ahead:%Y-%m-%d %H:%M:%S.%f} UTC")
    assert len(run(collector)) == left_out


def test_one_that_is_taken_back_meanwhile_is_no_trouble(here, monkeypatch):
    collector, inbound, folder = here
    folder_of(inbound, "ann")
    gone, look = folder_of(inbound, "ann", LATE), os.stat

    def looking(name, **given):
        if name == gone.name:
            shutil.rmtree(gone)
        return look(name, **given)

    monkeypatch.setattr(collect.os, "stat", looking)
    assert run(collector) == []
    assert (folder / "timestamp.txt").read_text() == EARLY


def test_of_one_student_alone_nobody_else_is_told(here, monkeypatch):
    collector, inbound, folder = here
    monkeypatch.setattr(collect, "_account", lambda number: "bob")
    (inbound / "junk").mkdir()
    folder_of(inbound, "ann")
    folder_of(inbound, "bob")
    collector.coursedir.student_id = "bob"
    assert run(collector) == []
    assert os.listdir(folder.parent.parent) == ["bob"]


def test_nothing_stays_open(here):
    """Of a thousand students none is refused for want of descriptors."""
    collector, inbound, _ = here
    folder_of(inbound, "ann")
    (folder_of(inbound, "ann", LATE) / NOTEBOOK).unlink()
    os.mkfifo(inbound / name_of("ann", LATE) / NOTEBOOK)
    before = os.listdir("/proc/self/fd")
    run(collector)
    assert len(os.listdir("/proc/self/fd")) == len(before)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ("no course", "No course id specified"),
        ("no inbound", "There is no .*/inbound"),
        ("a link", "is a link or no folder"),
        ("a course that is a link", "is a link or no folder"),
        ("a long name", "File name too long"),
    ],
)
def test_an_exchange_that_cannot_be_is_told(here, tmp_path, wrong, told):
    collector, inbound, folder = here
    elsewhere = tmp_path / "elsewhere"
    if wrong == "no course":
        collector.coursedir.course_id = ""
    elif wrong == "no inbound":
        inbound.rmdir()
    elif wrong == "a long name":
        collector.root = str(tmp_path / ("n" * 300))
    else:
        place = inbound if wrong == "a link" else inbound.parent
        place.rename(elsewhere)
        place.symlink_to(elsewhere)
        folder_of(inbound, "ann")
    with pytest.raises(ExchangeError, match=told):
        run(collector)
    assert not folder.exists()


def test_who_fills_inbound_hides_nobody(here, monkeypatch):
    collector, inbound, _ = here
    for number in range(3 * collect.MANY):
        (inbound / f"junk-{number}").mkdir()
    strange, look = folder_of(inbound, "ann").name, os.stat

    def looking(name, **given):
        found = list(look(name, **given))
        return os.stat_result([*found[:4], 65_432, *found[5:]] if name == strange else found)

    monkeypatch.setattr(collect.os, "stat", looking)
    assert len(run(collector)) == collect.MANY + 1, "no more are kept"
    assert collector.left_out_of.total() == 3 * collect.MANY + 1
    told = []
    monkeypatch.setattr(collector.log, "warning", lambda text, *given: told.append(text % given))
    collector._sum_up(0, 0)
    assert len(told) == collect.MANY + 1
    assert any("number 65432" in line for line in told)
    assert any(line.endswith("names a submission; it belongs to ann") for line in told)
    assert told[-1] == f"... and {2 * collect.MANY + 1} more"


# ---- --before-duedate, whose meaning is nbgrader's to state


OF_NBGRADER = [collect.Collect, ExchangeCollect]


def enter(collector, due: datetime | None, assignment: str = ASSIGNMENT) -> None:
    """An assignment, with its due date, into a new gradebook."""
    book = Settings(Path(), "dlcourse", None, collector.coursedir.db_url, True)
    with open_gradebook(book) as gradebook:
        gradebook.update_or_create_assignment(assignment, duedate=due)


@pytest.fixture
def taken(here, monkeypatch):
    """`taken(kind, update=...)`: collects ann's once more before the due date; the time of what is collected then."""
    ours, _, folder = here
    monkeypatch.setattr("nbgrader.api.get_alembic_version", lambda: "")  # a program that takes seconds to say it

    def collected(kind, *, before_duedate: bool = True, update: bool = False) -> str:
        collector = kind(coursedir=ours.coursedir, root=ours.root, before_duedate=before_duedate, update=update)
        collector.init_src()
        collector.copy_files()
        return (folder / "timestamp.txt").read_text()

    Path(ours.coursedir.root).mkdir()
    return collected


@pytest.mark.parametrize("kind", OF_NBGRADER)
def test_the_last_that_was_on_time_is_taken_before_a_later_one(here, taken, kind):
    collector, inbound, _ = here
    enter(collector, time_of(LATE))  # to the microsecond: that is on time
    for time in (EARLY, LATE, LATER):
        folder_of(inbound, "ann", time)
    assert taken(kind) == LATE


@pytest.mark.parametrize("kind", OF_NBGRADER)
def test_with_none_on_time_the_last_is_taken(here, taken, kind):
    collector, inbound, _ = here
    enter(collector, time_of(EARLY) - timedelta(microseconds=1))
    for time in (EARLY, LATE):
        folder_of(inbound, "ann", time)
    assert taken(kind) == LATE


@pytest.mark.parametrize("kind", OF_NBGRADER)
def test_once_more_before_the_due_date(here, taken, kind):
    """What is the last on time takes the place of any other, with --update or not; --update alone asks for no date."""
    collector, inbound, folder = here
    enter(collector, time_of(LATE))
    folder_of(inbound, "ann", EARLY)
    assert taken(kind) == EARLY
    (folder / "note.txt").touch()
    assert taken(kind) == taken(kind, update=True) == EARLY
    assert (folder / "note.txt").exists(), "it is the copy that was there"
    folder_of(inbound, "ann", LATER)
    assert taken(kind) == taken(kind, update=True) == EARLY
    folder_of(inbound, "ann", LATE)
    assert taken(kind) == LATE
    assert taken(kind, before_duedate=False) == LATE
    assert taken(kind, before_duedate=False, update=True) == LATER
    assert taken(kind) == LATE
    assert taken(kind, before_duedate=False, update=True) == LATER
    assert taken(kind, update=True) == LATE


@pytest.mark.parametrize("known", ["no date", "another assignment", "no gradebook"])
def test_without_a_due_date_the_last_is_taken_and_no_gradebook_is_made(here, taken, known):
    collector, inbound, _ = here
    if known == "no date":
        enter(collector, None)
    elif known == "another assignment":
        enter(collector, time_of(EARLY), "02-backpropagation")
    before = os.listdir(collector.coursedir.root)
    for time in (EARLY, LATE):
        folder_of(inbound, "ann", time)
    assert taken(collect.Collect, before_duedate=False) == LATE
    assert taken(collect.Collect) == LATE
    assert sorted(os.listdir(collector.coursedir.root)) == sorted([*before, "submitted"])


def test_a_gradebook_that_cannot_be_opened_is_told(here, taken):
    collector, inbound, folder = here
    Path(collector.coursedir.root, "gradebook.db").write_text("no gradebook at all")
    folder_of(inbound, "ann")
    with pytest.raises(ExchangeError, match="Nothing was collected"):
        taken(collect.Collect)
    assert not folder.exists()


@pytest.mark.parametrize(
    ("options", "offered"), [({}, True), ({"update": True}, False), ({"before_duedate": True}, False)]
)
def test_update_is_offered_to_who_would_get_more_by_it(here, taken, monkeypatch, options, offered):
    collector, inbound, _ = here
    folder_of(inbound, "ann")
    collector.update = options.get("update", False)
    collector.before_duedate = options.get("before_duedate", False)
    run(collector)
    told = []
    monkeypatch.setattr(collector.log, "info", lambda text, *given: told.append(text % given))
    run(collector)
    hint = " (--update takes newer ones)" if offered else ""
    assert told == [f"Of {ASSIGNMENT}: 0 collected, 1 were here{hint}, 0 left out."]


# ---- which collector it is


ASK = """
import sys
from nbgrader.apps import NbGraderApp
from nbgrader.exchange import ExchangeFactory

app = NbGraderApp()
app.initialize([])
print(ExchangeFactory(parent=app).collect)
"""


@pytest.mark.slow
def test_settings_of_the_course_name_it_but_where_it_is_ngshare(tmp_path):
    """Read by nbgrader itself in the course's folder, after those of the machine."""
    machine, course = tmp_path / "machine", tmp_path / "course"
    for folder in (machine, course):
        folder.mkdir()
    shutil.copy(ROOT / "nbgrader_config.py", course)
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("JUPYTER_")},
        "PYTHONPATH": str(ROOT),
        "JUPYTER_CONFIG_DIR": str(machine),
        "USER": "teacher",  # ngshare's asks for it
    }

    def asked() -> str:
        line = [sys.executable, "-c", ASK]
        done = subprocess.run(line, cwd=course, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    assert asked() == f"<class '{OURS}'>"
    shutil.copy(ROOT / "deploy/jupyterhub/ngshare_config.py", machine / "nbgrader_config.py")
    assert asked() == "<class 'dlcourse.course.grading.collect_ngshare.Collect'>"
