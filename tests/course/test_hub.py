"""What a hub starts for a person. The whole of it, with a hub and a browser, is in tests/hub/."""

import json
import os
import shutil
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager

from dlcourse.course import hub, lab, sync
from dlcourse.course.errors import CourseError

MONDAY, TUESDAY = datetime(2030, 9, 2, 8, 15), datetime(2030, 9, 3, 8, 15)
CHAPTER = "chapters/00-start.ipynb"


@pytest.fixture
def course(tmp_path, monkeypatch):
    """A small course that can have a next edition; `course("0.2.0")` makes it so."""
    source = tmp_path / "course"
    (source / "chapters").mkdir(parents=True)
    (source / "exercises/01-neurons").mkdir(parents=True)
    install = sync.sync

    def edition(number: str) -> None:
        for name in (CHAPTER, "exercises/01-neurons/01-neurons-exercises.ipynb"):
            cell = {"cell_type": "markdown", "metadata": {}, "source": f"edition {number}"}
            notebook = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
            (source / name).write_text(json.dumps(notebook), encoding="utf-8")
        monkeypatch.setattr(hub, "sync", lambda folder: install(folder, source=source, edition=number))

    edition("0.1.0")
    return edition


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "home" / hub.FOLDER


def news(folder: Path) -> str:
    return (folder / hub.NEWS).read_text(encoding="utf-8")


def change(path: Path) -> str:
    notebook = json.loads(path.read_bytes())
    notebook["cells"][0]["source"] = "mine"
    path.write_text(json.dumps(notebook), encoding="utf-8")
    return path.read_text(encoding="utf-8")


def test_the_first_day_opens_the_start_notebook(course, folder):
    assert hub.bring_up_to_date(folder, MONDAY) == f"/lab/tree/{CHAPTER}"
    assert (folder / CHAPTER).is_file()
    assert "## 2030-09-02 08:15\n\nCourse edition 0.1.0" in news(folder)


def test_a_day_without_news_opens_what_was_open(course, folder):
    hub.bring_up_to_date(folder, MONDAY)
    before = news(folder)
    assert hub.bring_up_to_date(folder, TUESDAY) == "/lab"
    assert news(folder) == before


def test_an_update_opens_the_news_newest_first(course, folder):
    hub.bring_up_to_date(folder, MONDAY)
    mine = change(folder / CHAPTER)
    course("0.2.0")
    assert hub.bring_up_to_date(folder, TUESDAY) == hub.READ_NEWS
    text = news(folder)
    assert text.startswith(hub.HEAD)
    assert text.count(hub.HEAD) == 1
    assert text.index("2030-09-03") < text.index("2030-09-02")
    assert f"- kept your {CHAPTER}; edition 0.2.0 of it is beside it: chapters/00-start (edition 0.2.0).ipynb" in text
    assert "- updated exercises/01-neurons/01-neurons-exercises.ipynb" in text
    assert (folder / CHAPTER).read_text(encoding="utf-8") == mine


def test_the_same_complaint_is_not_shown_each_day(course, folder):
    hub.bring_up_to_date(folder, MONDAY)
    (folder / CHAPTER).write_text("{ damaged", encoding="utf-8")
    assert hub.bring_up_to_date(folder, MONDAY) == hub.READ_NEWS
    before = news(folder)
    assert "cannot be read as a notebook" in before
    assert hub.bring_up_to_date(folder, TUESDAY) == "/lab"
    assert news(folder) == before


def test_what_goes_wrong_is_told_and_keeps_nobody_out(course, folder, monkeypatch, capsys):
    hub.bring_up_to_date(folder, MONDAY)

    def full(folder):
        raise CourseError("The disk is full.")

    monkeypatch.setattr(hub, "sync", full)
    assert hub.bring_up_to_date(folder, TUESDAY) == hub.READ_NEWS
    assert "- The disk is full." in news(folder)
    assert "The disk is full." in capsys.readouterr().out


def test_news_that_cannot_be_written_keep_nobody_out(course, folder, capsys):
    hub.bring_up_to_date(folder, MONDAY)
    (folder / hub.NEWS).unlink()
    (folder / hub.NEWS).mkdir()
    course("0.2.0")
    assert hub.bring_up_to_date(folder, TUESDAY) == "/lab"
    assert "could not be written" in capsys.readouterr().err


def test_news_are_never_written_through_a_link(course, folder, tmp_path):
    """The learner's own link, or one from an archive that they unpacked: the file it names stays as it is."""
    hub.bring_up_to_date(folder, MONDAY)
    elsewhere = tmp_path / "elsewhere.md"
    elsewhere.write_text("not yours", encoding="utf-8")
    (folder / hub.NEWS).unlink()
    (folder / hub.NEWS).symlink_to(elsewhere)
    course("0.2.0")
    hub.bring_up_to_date(folder, TUESDAY)
    assert elsewhere.read_text(encoding="utf-8") == "not yours"


@pytest.mark.parametrize(("role", "settings"), [(None, "learner"), ("", "learner"), ("instructor", "instructor")])
def test_surroundings_by_role(monkeypatch, tmp_path, role, settings):
    monkeypatch.setenv("PATH", "/usr/bin")
    monkeypatch.delenv("JUPYTER_CONFIG_PATH", raising=False)
    monkeypatch.setattr(hub, "cpu_budget", lambda: 3)
    monkeypatch.setattr(hub, "runtime_folder", lambda: {"JUPYTER_RUNTIME_DIR": "/tmp/jupyter-made"})
    if role is None:
        monkeypatch.delenv("DLCOURSE_ROLE", raising=False)
    else:
        monkeypatch.setenv("DLCOURSE_ROLE", role)
    given = hub.environment(tmp_path, "/lab/opened")
    assert given["JUPYTER_CONFIG_PATH"] == os.pathsep.join([str(lab.SETTINGS / settings), str(lab.SETTINGS)])
    assert given["JUPYTER_PATH"].split(os.pathsep)[:2] == [str(lab.SETTINGS / "hub"), str(lab.SETTINGS)]
    assert given["PATH"] == f"{Path(sys.executable).parent}{os.pathsep}/usr/bin"
    assert given["OMP_NUM_THREADS"] == "3"
    assert given["JUPYTER_RUNTIME_DIR"] == "/tmp/jupyter-made"
    if settings == "learner":
        assert given["JUPYTERHUB_ROOT_DIR"] == str(tmp_path / "dlcourse-work")
        assert given["JUPYTERHUB_DEFAULT_URL"] == "/lab/opened"
        assert given["DLCOURSE_EXERCISES"] == str(tmp_path / "dlcourse-work/exercises")
    else:
        assert given["JUPYTERHUB_ROOT_DIR"] == str(tmp_path)
        assert "DLCOURSE_EXERCISES" not in given


@pytest.fixture
def tmp(tmp_path, monkeypatch):
    """A /tmp of this test's, and a place of memory beside it."""
    if sys.platform == "win32":
        pytest.skip("hubs run on Linux")
    place, memory = tmp_path / "tmp", tmp_path / "shm"
    place.mkdir()
    memory.mkdir()
    monkeypatch.setattr(hub.tempfile, "tempdir", str(place))
    monkeypatch.setattr(hub, "MEMORY", str(memory))
    return place


def mode(folder: Path) -> int:
    return folder.stat().st_mode & 0o777


def given_folder() -> Path:
    return Path(hub.runtime_folder()["JUPYTER_RUNTIME_DIR"])


def test_the_kernels_folder_is_closed_and_the_same_at_each_start(tmp):
    """Without systemd nobody empties /tmp: a folder for each start would pile up."""
    folder = given_folder()
    (folder / "kernel-of-yesterday-ipc-1").touch()
    assert folder.parent == tmp
    assert mode(folder) == 0o700
    assert given_folder() == folder
    assert list(tmp.iterdir()) == [folder]


@pytest.mark.parametrize("trap", ["a link", "a file", "an open folder", "of another"])
def test_whoever_makes_the_kernels_folder_first_gets_nothing(tmp, tmp_path, monkeypatch, trap):
    name, elsewhere = given_folder(), tmp_path / "elsewhere"
    name.rmdir()
    elsewhere.mkdir(mode=0o700)
    if trap == "a link":
        name.symlink_to(elsewhere)
    elif trap == "a file":
        name.touch(mode=0o600)
    else:
        name.mkdir(mode=0o700)
    if trap == "an open folder":
        name.chmod(0o755)
    if trap == "of another":
        number = os.getuid()
        monkeypatch.setattr(hub.os, "getuid", lambda: number + 1)
        name.rename(tmp / f"jupyter-{number + 1}")
    folder = given_folder()
    assert folder.parent == tmp
    assert folder not in (name, tmp / f"jupyter-{hub.os.getuid()}")
    assert mode(folder) == 0o700
    assert not folder.is_symlink()
    assert list(elsewhere.iterdir()) == []


def test_a_full_disk_keeps_nobody_out(tmp, tmp_path, monkeypatch, capsys):
    """Kernels' sockets go into memory; with neither the server starts all the same, and the log says why."""

    def full():
        raise FileNotFoundError("No usable temporary directory found")

    monkeypatch.setattr(hub.tempfile, "gettempdir", full)
    assert given_folder().parent == tmp_path / "shm"
    assert "No usable temporary directory found" in capsys.readouterr().err
    monkeypatch.setattr(hub, "MEMORY", str(tmp_path / "missing"))
    assert hub.runtime_folder() == {}
    given = hub.environment(tmp_path, "/lab")
    assert "JUPYTER_RUNTIME_DIR" not in given
    assert given["JUPYTERHUB_ROOT_DIR"] == str(tmp_path / hub.FOLDER)
    said = capsys.readouterr().err
    assert said.count("no folder for kernels' sockets") == 4


def test_a_hubs_kernel_is_the_courses_without_a_debugger(monkeypatch, tmp_path):
    """Its debugger would listen on a port of the machine, where every account may give it orders."""
    monkeypatch.setattr(hub.tempfile, "tempdir", str(tmp_path))
    for name, value in hub.environment(tmp_path, "/lab").items():
        monkeypatch.setenv(name, value)
    spec = KernelSpecManager().get_kernel_spec("python3").to_dict()
    ours = KernelSpec.from_resource_dir(str(lab.SETTINGS / "kernels/python3")).to_dict()
    assert (spec["metadata"]["debugger"], ours["metadata"]["debugger"]) == (False, True)
    assert {**spec, "metadata": {**spec["metadata"], "debugger": True}} == ours


@pytest.mark.skipif(sys.platform == "win32", reason="hubs run on Linux")
def test_it_becomes_the_server_in_the_right_folder(tmp_path):
    """A stand-in for jupyterhub.singleuser says how it was started."""
    stub = tmp_path / "stub" / "jupyterhub"
    stub.mkdir(parents=True)
    (stub / "__init__.py").touch()
    (stub / "singleuser.py").write_text("import os, sys\nprint('HERE', os.getcwd(), sys.argv[1:])", encoding="utf-8")
    home, root = tmp_path / "home", Path(__file__).parents[2]
    (home / "dlcourse").mkdir(parents=True)
    shutil.copy(root / "nbgrader_config.py", home / "dlcourse")
    for name in ("dlcourse.py", "tornado.py"):  # of another edition, say
        (home / "dlcourse" / name).write_text("raise RuntimeError(__file__)", encoding="utf-8")
    settings = {"HOME": str(home), "PATH": os.environ["PATH"], "TMPDIR": str(tmp_path), "SHELL": "/bin/sh"}
    for role, place in (("learner", home), ("instructor", home / "dlcourse")):
        done = subprocess.run(
            [sys.executable, "-m", "dlcourse.course.hub", "--ServerApp.port=1234"],
            env={**settings, "PYTHONPATH": f"{stub.parent}{os.pathsep}{root}", "DLCOURSE_ROLE": role},
            capture_output=True,
            text=True,
            check=True,
        )
        last = done.stdout.splitlines()[-1]
        assert last.startswith(f"HERE {place} ['--KernelManager.transport=ipc', ")
        assert last.endswith("'--ServerApp.port=1234']")  # the hub's own come last and win
    assert (home / "dlcourse-work" / CHAPTER).is_file()


@pytest.mark.skipif(sys.platform != "linux", reason="cgroups are Linux's")
def test_threads_follow_the_quota_of_a_real_cgroup(tmp_path):
    """A server that may use one core of two tells its kernels so."""
    tree = Path("/sys/fs/cgroup/cpu")
    group = tree / f"dlcourse-{os.getpid()}"
    try:
        group.mkdir()
        (group / "cpu.cfs_period_us").write_text("100000")
        (group / "cpu.cfs_quota_us").write_text("100000")
    except OSError as error:
        pytest.skip(f"no cpu cgroup can be made here: {error}")
    try:
        code = "import pathlib; from dlcourse.course import hub; print(hub.environment(pathlib.Path('.'), '/lab'))"
        line = f'echo $$ > {group}/cgroup.procs && exec {sys.executable} -c "$CODE"'
        settings = {**os.environ, "CODE": code, "TMPDIR": str(tmp_path)}
        done = subprocess.run(["sh", "-ec", line], env=settings, capture_output=True, text=True, check=True)
    finally:
        group.rmdir()
    assert "'OMP_NUM_THREADS': '1'" in done.stdout
