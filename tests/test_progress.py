"""The learner's progress file: counted, atomic, carried between machines, never lost."""

import json

import pytest

from dlcourse import progress


@pytest.fixture
def file(tmp_path, monkeypatch):
    """A progress file of its own, switched on."""
    path = tmp_path / "state" / "progress.json"
    monkeypatch.setattr(progress, "path", lambda: path)
    for name in ("PYTEST_VERSION", "DLCOURSE_PROGRESS", "DLCOURSE_GRADED"):
        monkeypatch.delenv(name, raising=False)
    return path


def test_marks_are_counted(file):
    progress.mark("01.sigmoid", "tried")
    progress.mark("01.sigmoid", "tried", reason="nan")
    progress.mark("01.sigmoid", "done")
    noted = progress.read()["01.sigmoid"]
    assert noted["tried"]["times"] == 2
    assert noted["tried"]["reason"] == "nan"
    assert noted["done"]["times"] == 1
    assert json.loads(file.read_text()) == progress.read()
    assert [path.name for path in file.parent.iterdir()] == ["progress.json"]


def test_nothing_yet(file):
    assert progress.read() == {}
    assert not file.exists()


@pytest.mark.parametrize("switch", [("DLCOURSE_PROGRESS", "0"), ("DLCOURSE_GRADED", "1"), ("PYTEST_VERSION", "9")])
def test_off(file, monkeypatch, switch):
    progress.mark("01.xor", "done")
    before = file.read_bytes()
    monkeypatch.setenv(*switch)
    progress.mark("01.sigmoid", "tried")
    assert progress.read() == {}
    assert file.read_bytes() == before


@pytest.mark.parametrize(
    "damage",
    [b"", b"{", b"\xff\xfe", b"[]", b'{"01.xor": 3}', b'{"01.xor": {"done": {}}}', b"[" * 100_000, b"null"],
)
def test_damaged_file_is_set_aside(file, damage, capsys):
    file.parent.mkdir()
    file.write_bytes(damage)
    progress.mark("01.xor", "done")
    assert progress.read()["01.xor"]["done"]["times"] == 1
    (aside,) = file.parent.glob("progress-damaged-*.json")
    assert aside.read_bytes() == damage
    assert "set aside" in capsys.readouterr().out


def test_interrupted_write_leaves_the_old_file(file, monkeypatch):
    progress.mark("01.xor", "done")
    before = file.read_bytes()

    def stop(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(progress.os, "replace", stop)
    with pytest.raises(KeyboardInterrupt):
        progress.mark("01.xor", "done")
    assert file.read_bytes() == before
    assert list(file.parent.iterdir()) == [file]


def test_export_and_import_keep_the_larger_count(file, tmp_path):
    progress.mark("01.xor", "tried")
    progress.mark("01.xor", "tried")
    carried = progress.export(tmp_path / "carried.json")
    file.unlink()
    progress.mark("01.xor", "tried")
    progress.mark("01.hinges", "done")
    progress.import_(carried)
    progress.import_(carried)
    assert progress.read()["01.xor"]["tried"]["times"] == 2
    assert progress.read()["01.hinges"]["done"]["times"] == 1


def test_import_of_something_else(file, tmp_path):
    other = tmp_path / "other.json"
    other.write_text("[1, 2]")
    with pytest.raises(ValueError, match="no exported progress"):
        progress.import_(other)
    assert not file.exists()


def test_import_when_off(file, tmp_path, monkeypatch):
    progress.mark("01.xor", "done")
    carried = progress.export(tmp_path / "carried.json")
    monkeypatch.setenv("DLCOURSE_PROGRESS", "0")
    with pytest.raises(RuntimeError, match="off"):
        progress.import_(carried)


def test_check_marks_and_survives_a_full_disk(file, monkeypatch, capsys):
    import torch

    from dlcourse import checks
    from dlcourse.checks import guide

    checks.sigmoid(torch.sigmoid)
    assert progress.read()["01.sigmoid"]["done"]["times"] == 1
    assert "done" in repr(guide.progress())

    def full(*args, **kwargs):
        raise OSError("No space left on device")

    monkeypatch.setattr(progress.tempfile, "mkstemp", full)
    checks.sigmoid(torch.sigmoid)
    assert "could not be saved: No space left" in capsys.readouterr().out


def test_clear_removes_all_that_was_noted_and_nothing_else(file):
    progress.mark("01.xor", "done")
    file.write_text("{")
    progress.read()
    progress.mark("01.xor", "done")
    for name in (".progress-half", "other.json"):
        (file.parent / name).write_text("")
    removed = progress.clear()
    assert removed[0].name == "progress.json"
    assert len(removed) == 3
    assert [path.name for path in file.parent.iterdir()] == ["other.json"]
    assert progress.clear() == []


def test_path_is_in_the_state_folder():
    assert progress.path().name == "progress.json"
    assert "dlcourse" in str(progress.path().parent)
