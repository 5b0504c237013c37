"""Whole files or none, one process at a time, and one spelling of JSON."""

import errno
import json
import os
import subprocess
import sys

import pytest

from dlcourse.course.errors import CourseError
from dlcourse.course.grading.files import alone, canonical, parse, write_whole

FAILING = ["open", "fsync", "replace", "link"]


@pytest.fixture
def refuse(monkeypatch):
    """The named call of the system fails as on a full disk."""

    def refuse(name):
        def fail(*_, **__):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr(os, name, fail)

    return refuse


@pytest.mark.parametrize("call", FAILING)
def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, refuse, call):
    file = tmp_path / "file"
    write_whole(file, b"old")
    refuse(call)
    with pytest.raises(OSError, match="No space left"):
        write_whole(file, b"new", keep=True)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"file": b"old"}


def test_the_file_comes_to_the_disk_before_its_name_and_the_folder_after(tmp_path, monkeypatch):
    """Else a power cut leaves an empty file of the right name, or none."""
    seen = []
    sync, replace = os.fsync, os.replace

    def watched_sync(descriptor):
        seen.append("folder" if os.path.isdir(f"/proc/self/fd/{descriptor}") else "file")
        sync(descriptor)

    def watched_replace(*names):
        seen.append("rename")
        replace(*names)

    monkeypatch.setattr(os, "fsync", watched_sync)
    monkeypatch.setattr(os, "replace", watched_replace)
    write_whole(tmp_path / "file", b"x")
    assert seen == ["file", "rename", "folder"]


def test_files_and_new_folders_are_the_owners_alone(tmp_path):
    write_whole(tmp_path / "new" / "file", b"x")
    assert [(tmp_path / name).stat().st_mode & 0o777 for name in ("new", "new/file")] == [0o700, 0o600]


def test_what_a_killed_run_left_aside_is_written_over_even_a_link(tmp_path):
    victim = tmp_path / "victim"
    victim.write_bytes(b"mine")
    (tmp_path / ".file.part").symlink_to(victim)
    write_whole(tmp_path / "file", b"x")
    assert victim.read_bytes() == b"mine"
    assert sorted(os.listdir(tmp_path)) == ["file", "victim"]


def test_kept_files_are_numbered_and_the_same_content_is_not_kept(tmp_path):
    for content in (b"1", b"2", b"2", b"3"):
        write_whole(tmp_path / "file", content, keep=True)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {
        "file": b"3",
        "file.1": b"1",
        "file.2": b"2",
    }


@pytest.mark.parametrize("there", ["a link", "a folder", "a file in place of the folder"])
def test_a_lock_that_cannot_be_had_is_told(tmp_path, there):
    lock = tmp_path / "grading" / ".lock"
    if there == "a file in place of the folder":
        lock.parent.touch()
    else:
        lock.parent.mkdir()
        lock.mkdir() if there == "a folder" else lock.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(CourseError, match=r"cannot be opened: .*Nothing was written"), alone(lock, "busy"):
        raise AssertionError("the lock was not held")
    assert not (tmp_path / "elsewhere").exists()


def test_a_second_process_is_refused_and_the_lock_ends_with_its_holder(tmp_path):
    lock = tmp_path / "grading" / ".lock"
    hold = (
        "import sys; from pathlib import Path; from dlcourse.course.grading.files import alone\n"
        "with alone(Path(sys.argv[1]), ''): print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", hold, str(lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(CourseError, match="somebody grades"), alone(lock, "somebody grades"):
            pass
        other.kill()
        other.wait()
        with alone(lock, "somebody grades"):
            pass


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ({"b": 1, "a": [1.0, True, None]}, b'{"a":[1.0,true,null],"b":1}'),
        ({"é": "\ud800/\n"}, b'{"\\u00e9":"\\ud800/\\n"}'),
        ((0.1, -0.0, 1e22), b"[0.1,-0.0,1e+22]"),
    ],
)
def test_canonical_is_written_down(value, written):
    assert canonical(value) == written
    assert canonical(json.loads(written)) == written


@pytest.mark.parametrize("value", [float("nan"), [float("inf")], {1: 2}, {"a": {None: 1}}, {"a": object()}])
def test_canonical_refuses_what_has_no_one_spelling(value):
    with pytest.raises((ValueError, TypeError)):
        canonical(value)


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b'{"a": 1, "a": 1}', b"NaN", b"[Infinity]", b'"\xff"', b"[" * 100_000, b"1" * 5000],
    ids=["empty", "cut", "twice", "nan", "infinity", "not utf-8", "deep", "long number"],
)
def test_parse_is_strict(content):
    with pytest.raises(ValueError, match=r"."):
        parse(content)
