"""Running notebooks: what fails one, what does not, what is left behind."""

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nbformat
import psutil
import pytest

from dlcourse import cli
from dlcourse.course import CourseError
from dlcourse.course import sync as sync_module
from dlcourse.course.run import UnknownNotebookError, find, run

OURS = "exec(compile('import warnings\\nwarnings.warn(\"old\", {kind})', 'x', 'exec'), {{'__name__': '{module}'}})"


def write(path, *cells, tagged=()):
    """A notebook; text that begins with # is Markdown, and `tagged` numbers the cells that may raise."""
    made = [nbformat.v4.new_markdown_cell(c) if c.startswith("#") else nbformat.v4.new_code_cell(c) for c in cells]
    for index in tagged:
        made[index].metadata["tags"] = ["raises-exception"]
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(nbformat.v4.new_notebook(cells=made), path)
    return path


@pytest.fixture(autouse=True)
def _kept_notebooks(tmp_path, monkeypatch):
    """Failed notebooks are kept in the folder for temporary files, which is the test's own here."""
    (tmp_path / "t").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "t"))
    monkeypatch.setattr(tempfile, "tempdir", None)
    yield
    tempfile.tempdir = None


@pytest.fixture
def course(tmp_path):
    return tmp_path / "course"


def run_one(course, *cells, tagged=()):
    path = write(course / "chapters/01-a.ipynb", *cells, tagged=tagged)
    (outcome,) = run([path], root=course)
    return outcome


def test_a_notebook_that_holds(course):
    seen = []
    path = write(course / "chapters/01-a.ipynb", "# A", "x = 1", "## Two\n```\n# no heading\n```", "assert x == 1", "")
    (outcome,) = run([path], root=course, on_cell=lambda *at: seen.append(at))
    assert (outcome.name, outcome.cells, outcome.faults, outcome.saved) == ("01-a", 2, (), None)
    assert 0 < outcome.seconds < 60
    assert 20e6 < outcome.peak < 1e9
    assert {cells for _, cells, _ in seen} == {2}
    assert [done for done, _, _ in seen] == sorted(done for done, _, _ in seen)
    assert {heading for _, _, heading in seen} <= {"A", "Two"}


def test_what_fails_a_notebook_and_what_does_not(course):
    """One kernel for all of it: each cell is tagged, so that the next one runs."""
    failing = {
        "1 / 0": "ZeroDivisionError: division by zero",
        "import sys; print('hm', file=sys.stderr)": "written to stderr: hm",
        "import os; n = os.write(2, b'from below')": "written past Python: from below",
        "import warnings; warnings.warn('shown')": "UserWarning: shown",
        OURS.format(kind="DeprecationWarning", module="dlcourse.nn.activation"): "DeprecationWarning: old",
        OURS.format(kind="PendingDeprecationWarning", module="dlcourse"): "PendingDeprecationWarning: old",
        "raise SystemExit(3)": "SystemExit: 3",
        "class NotStartedYet(Exception): pass\nraise NotStartedYet": "NotStartedYet",
    }
    fine = [
        "class NotStarted(Exception): pass\nraise NotStarted('write it')",
        "class CheckFailed(Exception): pass\nraise CheckFailed('no')",
        OURS.format(kind="DeprecationWarning", module="somebody_else"),
        OURS.format(kind="DeprecationWarning", module="dlcourses"),
        "with warnings.catch_warnings(record=True): warnings.warn('kept')",
        "print('out')",
        "assert os.environ['DLCOURSE_PROGRESS'] == '0'",
        "assert os.getcwd().endswith(os.path.join('course', 'chapters'))",
    ]
    cells = [*failing, *fine]
    outcome = run_one(course, *cells, tagged=range(len(cells)))
    told = {cell: [fault.error for fault in outcome.faults if fault.source == cell] for cell in cells}
    for cell, wanted in failing.items():
        assert wanted in re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(told[cell])), cell
    assert [cell for cell in fine if told[cell]] == []
    saved = nbformat.read(outcome.saved, as_version=4)
    assert saved.cells[0].outputs[0].ename == "ZeroDivisionError"
    assert saved.metadata.get("widgets") is None


def test_only_a_tagged_cell_may_be_unsolved(course):
    outcome = run_one(course, "class NotStarted(Exception): pass", "## Your turn", "raise NotStarted", "print(1)")
    assert [(fault.place, fault.source) for fault in outcome.faults] == [
        ('cell 3, under "Your turn"', "raise NotStarted")
    ]
    assert outcome.cells == 2  # the last one never ran


def test_a_kernel_that_dies_is_a_fault(course):
    outcome = run_one(course, "x = 1", "import os; os._exit(9)", "print(1)")
    (fault,) = outcome.faults
    assert fault.place == "cell 2"
    assert "DeadKernelError" in fault.error


def test_peak_memory_counts_children_and_a_short_peak(course):
    spike = "b = bytearray(400_000_000); b[::4096] = bytes(97657); del b"
    assert run_one(course, spike).peak > 400e6
    child = (
        f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {spike!r} + '; import time; time.sleep(0.5)'])"
    )
    assert run_one(course, child).peak > 400e6


def test_the_users_settings_do_not_reach_the_kernel(course, tmp_path, monkeypatch):
    startup = tmp_path / "ipython/profile_default/startup/00.py"
    startup.parent.mkdir(parents=True)
    startup.write_text("surprise = 1")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("PYTHONWARNINGS", "error")
    kernel = tmp_path / "jupyter/kernels/python3/kernel.json"
    kernel.parent.mkdir(parents=True)
    kernel.write_text('{"argv": ["/nowhere/python"], "display_name": "x", "language": "python"}')
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    code = f"import os, sys; assert sys.executable == {sys.executable!r}\nassert 'surprise' not in globals()"
    code += "\nassert 'PYTHONWARNINGS' not in os.environ"
    assert run_one(course, code, "import warnings; assert 'dlcourse' in str(warnings.filters[0])").faults == ()


def test_finding_notebooks(course, tmp_path, monkeypatch):
    first = write(course / "chapters/00-start.ipynb", "1")
    second = write(course / "chapters/01-neurons.ipynb", "1")
    exercises = write(course / "exercises/01-neurons/01-neurons-exercises.ipynb", "1")
    mine = write(tmp_path / "mine.ipynb", "1")
    assert find([], root=course) == [first, second]
    assert find(["01-neurons", "00"], root=course) == [second, first]
    assert find(["01-neurons-exercises", str(mine)], root=course) == [exercises, mine]
    for unknown in ("02", "neurons", "", str(tmp_path)):
        with pytest.raises(UnknownNotebookError, match="01-neurons-exercises"):
            find([unknown], root=course)
    with pytest.raises(CourseError, match="dlcourse course build"):
        find([], root=tmp_path / "empty")


def test_a_learners_notebook_runs_where_its_links_hold(course, tmp_path):
    write(course / "chapters/01-a.ipynb", "1")
    (course / "chapters/notation.md").write_text("x")
    mine = write(
        tmp_path / "work/exercises/01-a/01-a-exercises.ipynb", "assert open('../../chapters/notation.md').read()"
    )
    (outcome,) = run([mine], root=course)
    assert outcome.faults == ()
    assert sorted(path.name for path in mine.parent.iterdir()) == [mine.name]


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"cells": [{}], "nbformat": 4, "nbformat_minor": 5, "metadata": {}}']
)
def test_a_file_that_is_no_notebook_is_a_plain_error(course, tmp_path, content):
    write(course / "chapters/01-a.ipynb", "1")
    (tmp_path / "x.ipynb").write_text(content)
    with pytest.raises(CourseError, match="as a notebook failed"):
        list(run([tmp_path / "x.ipynb"], root=course))


@pytest.fixture
def main(course, monkeypatch, capsys):
    """The command line on the small course: exit status, stdout, stderr."""
    monkeypatch.setattr(sync_module, "content_root", lambda: course)
    monkeypatch.setattr(signal, "signal", lambda *_: None)  # the test runner keeps its own handlers

    def call(*arguments):
        with pytest.raises(SystemExit) as exit_:
            cli.main(list(arguments))
        return exit_.value.code, *capsys.readouterr()

    return call


def test_the_command_tells_the_table_and_the_verdict(course, main):
    write(course / "chapters/00-start.ipynb", "# Start", "print(1)")
    write(course / "chapters/01-neurons.ipynb", "# Neurons", "x = 1", "1 / 0  # why not")
    status, out, err = main("run")
    assert (status, err) == (1, "")
    assert "\x1b" not in out
    assert "00-start: ok, 1 cells in" in out
    assert 'cell 3, under "Neurons":\n\n    1 / 0  # why not\n' in out
    assert "    ZeroDivisionError: division by zero" in out
    saved = Path(out.split("The executed notebook is ")[1].splitlines()[0])
    assert saved.is_file()
    table = out[out.rindex("notebook  ") :].splitlines()
    assert [row.split()[0] for row in table] == ["notebook", "00-start", "01-neurons"]
    assert [row.split()[-1] for row in table] == ["result", "ok", "failed"]
    assert main("run", "00")[0] == 0
    status, out, err = main("run", "00", "07")
    assert (status, out) == (2, "")
    assert "no notebook '07'" in err
    assert "01-neurons" in err


# Refuses every connection that leaves this machine, in the command and in the kernel it starts.
NO_NETWORK = """
import socket
def refuse(real):
    def connect(self, address):
        if self.family != socket.AF_UNIX and address[0] not in ("127.0.0.1", "::1", "localhost"):
            raise AssertionError(f"reached for {address}")
        return real(self, address)
    return connect
socket.socket.connect = refuse(socket.socket.connect)
socket.socket.connect_ex = refuse(socket.socket.connect_ex)
"""


def start_command(course, tmp_path, *arguments, **options):
    (tmp_path / "site").mkdir(exist_ok=True)
    (tmp_path / "site/sitecustomize.py").write_text(NO_NETWORK)
    code = f"from pathlib import Path; from dlcourse import cli; from dlcourse.course import sync; \
sync.content_root = lambda: Path({str(course)!r}); cli.main({list(arguments)!r})"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site"), "PYTHONIOENCODING": "ascii"}
    return subprocess.Popen(
        [sys.executable, "-c", code],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        **options,
    )


def test_no_network_and_an_ascii_console_are_enough(course, tmp_path):
    write(
        course / "chapters/01-neurons.ipynb",
        "# Größe",
        "import socket\ntry: socket.create_connection(('192.0.2.1', 80), 1)\nexcept AssertionError: print('refused')",
        "raise ValueError('größer')",
    )
    process = start_command(course, tmp_path, "run")
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (1, "")
    assert "ValueError: gr??er" in out
    assert "refused" in Path(out.split("The executed notebook is ")[1].splitlines()[0]).read_text()


def alive(pid):
    """A dead process whose new parent has not looked yet is a zombie, not alive."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no such signals")
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupt_leaves_no_process_and_no_copy(course, tmp_path, number, status):
    pids = tmp_path / "pids"
    spin = (
        "import os, subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(300)'])\n"
        f"open({str(pids)!r} + '.new', 'w').write(f'{{os.getpid()}} {{child.pid}}')\n"
        f"os.rename({str(pids)!r} + '.new', {str(pids)!r})\n"
        "time.sleep(300)"
    )
    write(course / "chapters/01-neurons.ipynb", spin)
    process = start_command(course, tmp_path, "run")
    deadline = time.monotonic() + 30
    while not pids.exists():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    kernel = psutil.Process(int(pids.read_text().split()[0]))
    copy = Path(kernel.cwd()).parents[1]
    process.send_signal(number)
    _, err = process.communicate(timeout=30)
    assert process.returncode == status
    assert "Traceback" not in err
    assert not [pid for pid in map(int, pids.read_text().split()) if alive(pid)]
    assert not copy.exists()
