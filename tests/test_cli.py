"""The command line: plain, quick to start, exact about what went wrong."""

import os
import re
import subprocess
import sys
from types import SimpleNamespace

import pytest

import dlcourse
from dlcourse import cli
from dlcourse.course import CourseError, doctor
from dlcourse.course import lab as lab_module
from dlcourse.course import sync as sync_module

COMMANDS = [
    ("lab",),
    ("run",),
    ("doctor",),
    *(("data", name) for name in ("list", "fetch")),
    *(("progress", name) for name in ("show", "export", "import", "clear")),
    *(("course", name) for name in ("build", "lint", "release", "grade", "forget", "similarity")),
    *(("course", "keys", name) for name in ("show", "rotate", "revoke")),
]


@pytest.fixture
def main(capsys):
    """Exit status, stdout and stderr of a command run in this process."""

    def call(*arguments):
        with pytest.raises(SystemExit) as exit_:
            cli.main(list(arguments))
        return exit_.value.code or 0, *capsys.readouterr()

    return call


def python(*arguments, **environment):
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, env={**os.environ, **environment}, timeout=60
    )


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_has_an_example(main, command):
    status, out, err = main(*command, "--help")
    assert (status, err) == (0, "")
    assert f"Example: dlcourse {' '.join(command)}" in " ".join(out.split())


@pytest.mark.parametrize("group", [("course",), ("course", "keys")], ids=" ".join)
def test_the_instructors_groups_have_an_example_that_is_a_command(main, group):
    status, out, err = main(*group, "--help")
    assert (status, err) == (0, "")
    (typed,) = re.findall(r"Example: dlcourse (.+)", out)
    assert any(typed.split()[: len(command)] == list(command) for command in COMMANDS)
    assert typed.split()[: len(group)] == list(group)


def test_the_list_of_commands_shows_instructors_theirs(main):
    (line,) = [line for line in main("--help")[1].splitlines() if line.split()[:1] == ["course"]]
    assert "instructors" in line
    assert not line.endswith("...")


def test_groups_and_version(main):
    status, out, _ = main("--help")
    top = [line.split()[0] for line in out[out.index("Commands:") :].splitlines()[1:]]
    assert (status, top) == (0, ["lab", "run", "doctor", "data", "progress", "course"])
    assert main("--version") == (0, f"dlcourse {dlcourse.__version__}\n", "")
    assert main("data")[0] == 2
    assert main("nonsense")[0] == 2
    assert main("run", "--nonsense")[0] == 2


@pytest.mark.parametrize(
    "start", ["import dlcourse", "import sys; sys.argv[1:] = ['--help']; import dlcourse.__main__"]
)
def test_starting_loads_nothing_heavy(start):
    probe = f"try:\n {start.replace('; ', chr(10) + ' ')}\nexcept SystemExit: pass\nimport sys; print(*sys.modules)"
    loaded = set(python("-c", probe).stdout.split())
    assert "dlcourse" in loaded
    heavy = {
        "torch",
        "numpy",
        "matplotlib",
        "sklearn",
        "IPython",
        "jupyterlab",
        "jupyter_client",
        "nbclient",
        "nbformat",
    }
    assert loaded & {*heavy, "psutil", "pooch", "rich", "importlib.metadata", "asyncio"} == set()


def test_python_m_dlcourse_is_dlcourse():
    done = python("-m", "dlcourse", "--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"dlcourse {dlcourse.__version__}\n", "")


def test_a_console_that_lacks_letters_is_no_fault():
    code = "from dlcourse import cli; cli.app.command('x')(lambda: cli.show_table(['größe'], [['→']]))"
    done = python("-c", f"{code}; cli.main(['x'])", PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stdout, done.stderr) == (0, "gr??e\n?\n", "")


def test_expected_errors_are_one_message_and_unexpected_ones_keep_their_traceback(main, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "course/chapters").mkdir(parents=True)
    (tmp_path / "course/chapters/notation.md").write_text("x")
    monkeypatch.setattr(sync_module, "content_root", lambda: tmp_path / "course")
    status, out, err = main("lab", str(tmp_path / "file"))
    assert (status, out) == (1, "")
    assert err == f"dlcourse: The course needs a folder, and {tmp_path / 'file'} is not one. Name another.\n"

    def broken():
        raise ZeroDivisionError

    monkeypatch.setattr(sync_module, "content_root", broken)
    with pytest.raises(ZeroDivisionError):
        cli.main(["lab", str(tmp_path / "work")])

    def gone():
        raise FileNotFoundError("Looked for the course's texts and found none. Install dlcourse again.")

    monkeypatch.setattr(sync_module, "content_root", gone)
    assert main("run")[2] == "dlcourse: Looked for the course's texts and found none. Install dlcourse again.\n"


@pytest.fixture
def opened(monkeypatch, tmp_path):
    """`lab` on a tiny course, in an empty current folder; JupyterLab is not started but noted."""
    calls = []
    (tmp_path / "course/chapters").mkdir(parents=True)
    (tmp_path / "course/chapters/notation.md").write_text("x")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setattr(sync_module, "content_root", lambda: tmp_path / "course")
    monkeypatch.setattr(os, "execve", lambda program, line, environment: calls.append((line, environment)))
    monkeypatch.setattr(os, "geteuid", lambda: 1000, raising=False)
    monkeypatch.setenv("JUPYTER_PREFER_ENV_PATH", "1")
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", "/mine")
    return calls


@pytest.mark.skipif(os.name == "nt", reason="Windows waits for JupyterLab instead")
@pytest.mark.parametrize(
    ("arguments", "folder", "passed_on"),
    [
        ([], "dlcourse-work", []),
        (["mine"], "mine", []),
        (["mine", "--no-browser", "--port", "9999"], "mine", ["--no-browser", "--port=9999"]),
        (["--", "--expose-app-in-browser", "--debug"], "dlcourse-work", ["--expose-app-in-browser", "--debug"]),
        (["--no-browser", "mine", "--", "--debug"], "mine", ["--no-browser", "--debug"]),
    ],
)
def test_lab_syncs_and_becomes_jupyterlab(main, opened, tmp_path, arguments, folder, passed_on):
    status, out, err = main("lab", *arguments)
    work = tmp_path / "here" / folder
    assert (status, err) == (0, "")
    assert out.splitlines()[0] == f"Course edition {dlcourse.__version__} in {work}:"
    assert (work / "chapters/notation.md").read_text() == "x"
    ((line, environment),) = opened
    assert line[:4] == [sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={work}"]
    assert line[5:] == passed_on
    assert environment == {**os.environ, **lab_module.surroundings()}
    assert environment["JUPYTER_CONFIG_PATH"] == f"{lab_module.SETTINGS}{os.pathsep}/mine"


def test_lab_starts_for_root_too(main, opened, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 0, raising=False)
    main("lab")
    assert "--allow-root" in opened[0][0]


def test_lab_called_inside_ones_folder_means_that_folder(main, opened, tmp_path, monkeypatch):
    main("lab")
    monkeypatch.chdir(tmp_path / "here/dlcourse-work")
    assert (
        main("lab")[1] == f"Course edition {dlcourse.__version__} in {tmp_path / 'here/dlcourse-work'}, up to date.\n"
    )


def test_lab_without_jupyterlab(main, opened, monkeypatch):
    monkeypatch.setattr(lab_module.importlib.util, "find_spec", lambda name: None)
    status, _, err = main("lab")
    assert status == 1
    assert "Opening the course needs JupyterLab" in err
    assert "-m pip install jupyterlab" in err


@pytest.mark.parametrize("port", ["0", "70000", "x"])
def test_a_port_that_is_none(main, opened, port):
    assert main("lab", "--port", port)[0] == 2
    assert opened == []


def test_doctor_tells_and_exits_by_the_worst_row(main, monkeypatch):
    rows = [doctor.Row("torch", "ok", "torch 2"), doctor.Row("disk", "warning", "0.5 GB", "Make room")]
    monkeypatch.setattr(doctor, "rows", lambda: rows)
    status, out, _ = main("doctor")
    assert status == 0
    assert out == "ok       torch  torch 2\nwarning  disk   0.5 GB\n\ndisk: Make room.\n"
    rows.append(doctor.Row("memory", "fault", "0 GB", "Raise it"))
    assert main("doctor")[0] == 1
    del rows[1:]
    assert main("doctor")[1].endswith("\n\nAll is well.\n")


def test_data_list_and_fetch(main, monkeypatch):
    from dlcourse import data

    status, out, _ = main("data", "list")
    assert status == 0
    assert [line.split()[0] for line in out.splitlines()[1:]] == [row.name for row in data.info()]
    assert main("data", "fetch", "digits") == (0, "digits: came with the installation\n", "")
    status, out, err = main("data", "fetch", "digits", "nothing")
    assert (status, out) == (2, "")
    assert "no data set 'nothing'" in err
    assert "tiny_shakespeare" in err

    def unavailable(name):
        raise data.DataUnavailable("mnist could be had from nowhere")

    monkeypatch.setattr(data, "fetch", unavailable, raising=False)
    assert main("data", "fetch", "mnist") == (1, "", "dlcourse: mnist: mnist could be had from nowhere\n")


def test_build_check_tells_by_its_exit_status(main, monkeypatch, tmp_path):
    from dlcourse.course import build as build_module

    (tmp_path / "solutions").mkdir()
    monkeypatch.setattr(sync_module, "content_root", lambda: tmp_path)
    asked = []

    def build(root, *, check):
        asked.append((root, check))
        return SimpleNamespace(lines=lambda: ["stale     a"], ok=False)

    monkeypatch.setattr(build_module, "build", build)
    assert main("course", "build", "--check") == (1, "stale     a\n", "")
    assert main("course", "build")[0] == 0
    assert asked == [(tmp_path, True), (tmp_path, False)]

    def at_fault(root, *, check):
        raise CourseError("chapters/01.md: a cell is at fault")

    monkeypatch.setattr(build_module, "build", at_fault)
    assert main("course", "build") == (1, "", "dlcourse: chapters/01.md: a cell is at fault\n")
    (tmp_path / "solutions").rmdir()
    assert "need a checkout" in main("course", "build")[2]


def test_progress_is_removed_when_somebody_says_yes(main, monkeypatch, tmp_path):
    from dlcourse import progress

    assert main("progress", "clear", "--yes")[0] == 1
    monkeypatch.setattr(progress, "is_on", lambda: True)
    monkeypatch.setattr(progress, "path", lambda: tmp_path / "state/progress.json")
    assert main("progress", "clear") == (0, "There is no progress here.\n", "")
    progress.mark("01.sigmoid", "tried")
    asked = []
    for answer, status in (("", 1), ("y", 0)):
        assert progress.path().exists()
        monkeypatch.setattr("builtins.input", lambda question, answer=answer: asked.append(question) or answer)
        assert main("progress", "clear")[0] == status
    assert str(progress.path()) in asked[0]
    assert not progress.path().exists()
    progress.mark("01.sigmoid", "tried")
    assert main("progress", "clear", "--yes")[1] == f"{progress.path()} is removed.\n"


def test_progress_goes_to_another_machine_and_back(main, monkeypatch, tmp_path):
    from dlcourse import progress

    file = tmp_path / "progress.json"
    for command in (["show"], ["export", str(file)], ["import", str(file)]):
        assert main("progress", *command)[::2] == (
            1,
            "dlcourse: Progress is off: DLCOURSE_PROGRESS is 0, or this is grading or a test run.\n",
        )
    monkeypatch.setattr(progress, "is_on", lambda: True)
    monkeypatch.setattr(progress, "path", lambda: tmp_path / "state/progress.json")
    assert main("progress", "show")[1].startswith("Nothing yet.")
    progress.mark("01.sigmoid", "tried")
    progress.mark("01.sigmoid", "tried")
    out = main("progress", "show")[1]
    assert out.splitlines()[1].split()[:3] == ["01.sigmoid", "tried", "2"]
    assert main("progress", "export", str(file))[0] == 0
    (tmp_path / "state/progress.json").unlink()
    assert main("progress", "import", str(file))[0] == 0
    assert main("progress", "show")[1] == out

    file.write_text("{")
    status, _, err = main("progress", "import", str(file))
    assert status == 1
    assert err.startswith(f"dlcourse: Reading progress from {file} failed: ")
    assert main("progress", "import", str(tmp_path / "nowhere"))[0] == 1
    assert main("progress", "export", str(tmp_path))[0] == 1
