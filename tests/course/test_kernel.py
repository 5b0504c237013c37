"""What a kernel of the course does beside IPython, in real kernels from the kernelspec that `dlcourse lab` uses."""

import ast
import json
import os
import re
import subprocess
import sys
import time
import timeit
import uuid
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit
from urllib.request import Request, urlopen

import psutil
import pytest
from dlcourse_browser import Lab
from dlcourse_memory import box_or_skip
from ipykernel.kernelspec import get_kernel_dict
from jupyter_client.blocking import BlockingKernelClient
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import KernelManager

from dlcourse.course import kernel
from dlcourse.course.lab import SETTINGS, surroundings
from dlcourse.course.needs import peak
from dlcourse.course.run import UNSOLVED

GB = 10**9
CELL = ast.parse("x = 1")


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An empty home with a kernel of the same name in it, and the environment of a server of the course."""
    for name in [name for name in os.environ if name.startswith(("JUPYTER", "JPY_", "IPYTHON"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / ".ipython"))
    for name, value in surroundings().items():
        monkeypatch.setenv(name, value)
    other = tmp_path / ".local/share/jupyter/kernels/python3/kernel.json"
    other.parent.mkdir(parents=True)
    other.write_text(json.dumps({"argv": ["/nowhere"], "display_name": "Another", "language": "python"}))
    return tmp_path


class Kernel:
    """A kernel as a server starts it for a notebook."""

    def __init__(self, notebook: str | None):
        self.manager = KernelManager()
        name = {"JPY_SESSION_NAME": notebook} if notebook else {}
        self.manager.start_kernel(env={**os.environ, **name}, stderr=subprocess.DEVNULL)
        self.client = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=60)

    def run(self, *cells: str) -> list[dict]:
        """The replies to cells that are sent all at once, as "Run All" does."""
        return self.replies([self.client.execute(cell) for cell in cells])

    def replies(self, sent: list[str]) -> list[dict]:
        found = {}
        while not set(sent) <= set(found):
            reply = self.client.get_shell_msg(timeout=60)
            found[reply["parent_header"]["msg_id"]] = reply["content"]
        return [found[id] for id in sent]

    def value(self, expression: str) -> object:
        """What an expression is in the kernel, asked for past the cells: the guard is not asked."""
        id = self.client.execute("", silent=True, user_expressions={"x": expression})
        (reply,) = self.replies([id])
        found = reply["user_expressions"]["x"]
        assert found["status"] == "ok", found
        return ast.literal_eval(found["data"]["text/plain"])

    def pretend(self, *, limit: float, left: float) -> None:
        """Let its guard believe in a limit, and in what is left of it."""
        for name, value in (("memory_limit", limit), ("memory_budget", left)):
            self.value(f"setattr(__import__('sys').modules['dlcourse.course.kernel'], {name!r}, lambda: {value})")

    def refusal(self, cell: str = "1") -> str:
        """The message with which a cell is refused."""
        (reply,) = self.run(cell)
        assert reply["ename"] == "NotEnoughMemory", reply
        return "\n".join(reply["traceback"])

    def stop(self) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)


@contextmanager
def opened(notebook: str | None = "/home/ada/chapters/08-rnn.ipynb"):
    started = Kernel(notebook)
    try:
        yield started
    finally:
        started.stop()


def test_the_kernelspec_is_the_stock_one_but_for_the_extension(home):
    spec = KernelSpecManager().get_kernel_spec("python3")
    assert Path(spec.resource_dir) == SETTINGS / "kernels/python3"
    ours, stock = json.loads((SETTINGS / "kernels/python3/kernel.json").read_text()), get_kernel_dict()
    options = [word for word in stock["argv"][1:] if not word.startswith("-X")]
    assert ours["argv"] == ["python", *options, "--ext=dlcourse.course.kernel"]
    assert {**ours, "argv": None} == {**stock, "argv": None}


def test_a_kernel_of_the_course(home):
    """This interpreter, nothing loaded that costs memory, and all that a stock kernel can do."""
    with opened() as one:
        assert one.run("import sys; assert not {'torch', 'numpy'} & set(sys.modules)")[0]["status"] == "ok"
        assert one.value("sys.executable") == sys.executable
        info = one.client.kernel_info(reply=True)["content"]
        assert "debugger" in info["supported_features"]
        replies = one.run("import asyncio; await asyncio.sleep(0); x = 1", "def", "x = 2")
        assert [reply["status"] for reply in replies] == ["ok", "error", "aborted"]
        assert replies[1]["ename"] == "SyntaxError"
        assert one.value("x") == 1
        sent = one.client.execute("import time; time.sleep(60)")
        time.sleep(1)
        one.manager.interrupt_kernel()
        assert one.replies([sent])[0]["ename"] == "KeyboardInterrupt"
        assert one.run("x = 3")[0]["status"] == "ok"


def test_a_cell_without_enough_memory_is_refused_and_the_kernel_lives(home):
    with opened() as one:
        one.run("x = 1")
        one.pretend(limit=2 * GB, left=0.4 * GB)
        replies = one.run("x = 2", "x = 3")
        assert [reply["status"] for reply in replies] == ["error", "aborted"]  # "Run All" stops there
        assert one.value("x") == 1
        text = one.refusal("%%time\nx = 2")
        assert "Of the 2.00 GB that all your notebooks may take together, 0.40 GB is left." in text
        assert re.search(
            rf"^08-rnn holds 0\.[01]\d GB and takes up to {peak('08-rnn') / GB:.2f} GB\.$", text, re.MULTILINE
        )
        assert "No other notebook of yours is running" in text
        assert "more than 2.00 GB" in text
        assert "Traceback" not in text
        assert one.value("x") == 1
        one.pretend(limit=2 * GB, left=1.5 * GB)
        assert one.run("x = 4", "x += 1")[1]["status"] == "ok"
        assert one.value("x") == 5


def test_the_message_names_who_holds_what(home):
    """Another notebook with all that it started; not what this one started. Other tests' kernels may be named too."""
    hold = "import time; kept = b'x' * 60_000_000; print('ready', flush=True); time.sleep(60)"
    own, other = "/home/ada/chapters/08-rnn.ipynb", f"/home/ada/{uuid.uuid4()}.ipynb"
    with opened(own) as one, started(hold, other), started(hold, other), started(hold, own):
        one.pretend(limit=2 * GB, left=0.4 * GB)
        text = one.refusal()
        assert re.search(rf"^{Path(other).name} holds 0\.1[2-6] GB\.$", text, re.MULTILINE), text
        assert text.count(Path(other).name) == 1
        assert "08-rnn.ipynb holds" not in text
        assert "Kernel > Shut Down Kernel" in " ".join(text.split())
        assert "Running Terminals and Kernels" in text
        assert "No other notebook" not in text


def test_the_message_when_no_other_notebook_is_running(monkeypatch):
    allowed(monkeypatch, limit=2 * GB, left=0.4 * GB, held=0.1 * GB)
    monkeypatch.setattr(kernel, "_others", Counter)
    with pytest.raises(kernel.NotEnoughMemory) as caught:
        kernel.Guard("08-rnn.ipynb").visit(CELL)
    text = " ".join("\n".join(caught.value._render_traceback_()).split())
    assert "No other notebook of yours is running" in text
    assert "choose Kernel > Restart Kernel" in text
    assert "more than 2.00 GB" in text


def test_what_is_under_another_limit_is_no_other_notebook(monkeypatch):
    unique = f"{uuid.uuid4()}.ipynb"
    with started("print('ready', flush=True); input()", unique) as process:
        assert unique in kernel._others()
        monkeypatch.setattr(kernel, "_group", lambda pid: "0::/a" if pid == process.pid else "0::/b")
        assert unique not in kernel._others()


@contextmanager
def started(code: str, notebook: str):
    """Another notebook's kernel, or what looks like it from outside; it has said that it is ready."""
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        env={**os.environ, "JPY_SESSION_NAME": notebook},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with process:
        try:
            assert process.stdout.readline() == b"ready\n"
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize(
    ("notebook", "left", "runs"),
    [
        ("/x/chapters/15b-adversarial-deeper.ipynb", 0.5, False),
        ("/x/chapters/15b-adversarial-deeper-Copy1.ipynb", 0.5, False),
        ("/x/chapters/15b-adversarial-deeper (edition 0.2.0).ipynb", 0.5, False),
        ("/x/exercises/15-adversarial/15-adversarial-exercises.ipynb", 0.3, False),
        ("/x/chapters/00b-toolkit.ipynb", 0.5, True),
        ("/x/my own.ipynb", 0.15, True),  # nothing is known of it
        ("", 0.15, True),
        ("/x/my own.ipynb", 0.04, False),
        ("", 0.04, False),
    ],
)
def test_each_notebook_needs_its_own(monkeypatch, notebook, left, runs):
    allowed(monkeypatch, limit=2 * GB, left=left * GB, held=0.08 * GB)
    guard = kernel.Guard(notebook)
    if runs:
        assert guard.visit(CELL) is CELL
    else:
        with pytest.raises(kernel.NotEnoughMemory, match=r"0\.\d\d GB is left"):
            guard.visit(CELL)


def test_what_a_notebook_holds_already_counts(monkeypatch):
    need = peak("08-rnn")
    for left, held, runs in [(0.3, need / GB - 0.31, False), (0.3, need / GB - 0.29, True), (0.06, 3, True)]:
        allowed(monkeypatch, limit=2 * GB, left=left * GB, held=held * GB)
        if runs:
            kernel.Guard("08-rnn.ipynb").visit(CELL)
        else:
            with pytest.raises(kernel.NotEnoughMemory):
                kernel.Guard("08-rnn.ipynb").visit(CELL)
    allowed(monkeypatch, limit=2 * GB, left=0.04 * GB, held=3 * GB)
    with pytest.raises(kernel.NotEnoughMemory, match=r"holds 3\.00 GB and takes up to 3\.05 GB"):
        kernel.Guard("08-rnn.ipynb").visit(CELL)


def test_without_a_limit_every_cell_runs(monkeypatch):
    allowed(monkeypatch, limit=16 * GB, left=0, held=0)
    assert kernel.Guard("08-rnn.ipynb").visit(CELL) is CELL


@pytest.mark.parametrize("error", [PermissionError("/proc is closed"), FileNotFoundError("gone"), ValueError("odd")])
@pytest.mark.parametrize("name", ["memory_limit", "memory_budget", "machine_memory"])
def test_what_cannot_be_read_stops_no_cell(monkeypatch, name, error):
    def fail():
        raise error

    allowed(monkeypatch, limit=2 * GB, left=0, held=0)
    monkeypatch.setattr(kernel, name, fail)
    assert kernel.Guard("08-rnn.ipynb").visit(CELL) is CELL


def allowed(monkeypatch, *, limit, left, held, machine=16 * GB):
    for name, value in (("memory_limit", limit), ("memory_budget", left), ("machine_memory", machine)):
        monkeypatch.setattr(kernel, name, lambda value=value: value)
    monkeypatch.setattr(psutil.Process, "memory_info", lambda self: SimpleNamespace(rss=held))


def test_a_look_costs_next_to_nothing(monkeypatch):
    """0.5 ms of processor time where it was written; 2 ms are allowed, and three times that before this fails."""
    monkeypatch.setattr(kernel, "machine_memory", lambda: float("inf"))  # so that there is a limit, and all is read
    guard = kernel.Guard("00-start.ipynb")
    assert min(timeit.repeat(lambda: guard.visit(CELL), time.process_time, repeat=20, number=5)) / 5 < 0.006


def test_surroundings_come_before_what_is_there(monkeypatch):
    monkeypatch.setenv("JUPYTER_PATH", "/mine")
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", "/settings")
    monkeypatch.setenv("JUPYTER_PREFER_ENV_PATH", "0")
    assert surroundings() == {
        "JUPYTER_PATH": f"{SETTINGS}{os.pathsep}/mine",
        "JUPYTER_CONFIG_PATH": f"{SETTINGS}{os.pathsep}/settings",
        "JUPYTER_PREFER_ENV_PATH": "0",
    }
    for name in surroundings():
        monkeypatch.delenv(name)
    assert surroundings() == {
        "JUPYTER_PATH": str(SETTINGS),
        "JUPYTER_CONFIG_PATH": str(SETTINGS),
        "JUPYTER_PREFER_ENV_PATH": "1",
    }


# ---- under a real limit


class Server:
    """`dlcourse lab` in a box, spoken to as JupyterLab's page does."""

    def __init__(self, lab: Lab):
        self.lab = lab
        self.sessions: list[Session] = []

    def open(self, chapter: str) -> "Session":
        name = f"{chapter}.ipynb"
        wanted = {"path": f"chapters/{name}", "name": name, "type": "notebook", "kernel": {"name": "python3"}}
        self.sessions.append(Session(self, self.ask("POST", "/api/sessions", wanted)))
        return self.sessions[-1]

    def ask(self, method: str, path: str, content: object = None) -> dict:
        address = urlsplit(self.lab.address)
        (token,) = parse_qs(address.query)["token"]
        request = Request(
            address._replace(path=path, query="").geturl(),
            method=method,
            data=None if content is None else json.dumps(content).encode(),
            headers={"Authorization": f"token {token}"},
        )
        with urlopen(request, timeout=60) as answer:
            return json.loads(answer.read() or b"{}")


class Session(Kernel):
    """A chapter open on a server, with its kernel."""

    def __init__(self, server: Server, model: dict):
        self.server, self.model = server, model
        kernel = model["kernel"]["id"]
        deadline = time.monotonic() + 60
        while not (found := list(server.lab.home.rglob(f"kernel-{kernel}.json"))):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        self.client = BlockingKernelClient(connection_file=str(found[0]))
        self.client.load_connection_file()
        self.client.start_channels(hb=False)  # a busy machine answers late, and that is no death
        self.client.wait_for_ready(timeout=60)
        self.pid = self.value("__import__('os').getpid()")

    def run_all(self) -> list[dict]:
        """All cells are sent at once; one tagged as not yet solved may fail, and the others go on."""
        text = (self.server.lab.home / "dlcourse-work" / self.model["path"]).read_text(encoding="utf-8")
        return self.replies(
            [
                self.client.execute(
                    "".join(cell["source"]),
                    stop_on_error="raises-exception" not in cell["metadata"].get("tags", ()),
                )
                for cell in json.loads(text)["cells"]
                if cell["cell_type"] == "code"
            ]
        )

    def stop(self) -> None:
        self.server.ask("DELETE", f"/api/sessions/{self.model['id']}")


@pytest.fixture
def server(tmp_path):
    """A server whose memory is limited for good."""
    with box_or_skip(LIMIT) as limited:
        lab = Lab(tmp_path, inside=lambda line: limited.command(*line))
        try:
            server = Server(lab)
            yield server, limited
            for session in server.sessions:
                session.client.stop_channels()
        finally:
            lab.kill()


LIMIT = 0.8 * GB


def troubles(replies: list[dict]) -> list[str]:
    """What failed; an exercise not yet solved is none."""
    failed = [reply for reply in replies if reply["status"] != "ok" and reply.get("ename") not in UNSOLVED]
    return ["\n".join(reply.get("traceback", [reply["status"]])) for reply in failed]


@pytest.mark.slow
def test_the_second_chapter_under_a_limit_is_told_so_and_no_kernel_dies(server):
    """Two chapters of which each fits and both do not: the first runs, the second waits until the first is gone."""
    server, limited = server
    first = server.open("00b-toolkit")
    assert troubles(first.run_all()) == []

    second = server.open("00-start")
    replies = second.run_all()
    states = [reply["status"] for reply in replies]
    at = states.index("error")
    assert states == ["ok"] * at + ["error"] + ["aborted"] * (len(states) - at - 1)
    text = "\n".join(replies[at]["traceback"])
    assert replies[at]["ename"] == "NotEnoughMemory", text
    assert "Of the 0.80 GB that all your notebooks may take together" in text
    assert re.search(r"^00b-toolkit\.ipynb holds 0\.[23]\d GB\.$", text, re.MULTILINE), text
    assert limited.kills() == 0
    assert {first.pid, second.pid} <= set(limited.pids())
    assert first.value("1 + 1") == second.value("1 + 1") == 2

    first.stop()
    assert troubles(second.run_all()) == []
    assert second.value("__import__('os').getpid()") == second.pid
    assert limited.kills() == 0
