"""Nothing of this course talks to anybody, but for data sets that somebody asks for: in its sources, and when it runs.

deploy/privacy.md says so to whoever hosts it. What happens in a browser is watched by each test of tests/browser.
"""

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from dlcourse import cli

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "dlcourse"
CUT_OFF = ROOT / "tests/support/dlcourse_cut_off.py"

# Modules that can talk to another machine. urllib.parse and the like only take addresses apart.
CLIENTS = {
    *("socket", "ssl", "http", "urllib", "ftplib", "smtplib", "poplib", "imaplib", "telnetlib", "xmlrpc", "asyncio"),
    *("requests", "urllib3", "httpx", "aiohttp", "pooch", "websocket", "websockets", "tornado", "zmq", "paramiko"),
    *("pycurl", "grpc", "sentry_sdk", "wandb", "mlflow", "huggingface_hub", "opentelemetry", "distributed", "dask"),
}
HARMLESS = {"urllib.parse", "urllib.request.url2pathname"}
# (file, client) -> why.
ALLOWED = {
    ("data/download.py", "pooch"): "fetches a data set that was asked for by name",
    ("data/download.py", "requests"): "the names of pooch's errors",
    ("course/grading/pools.py", "distributed"): "the cluster that an instructor names with --dask",
    ("course/run.py", "asyncio"): "waits for a kernel of this machine",
    ("checks/frames.py", "socket"): "the pair of sockets between the grader's two processes",
    ("checks/subject.py", "socket"): "the same",
    ("course/grading/judge/jailed.py", "socket"): "the same",
    ("course/grading/judge/student.py", "socket"): "the same",
    ("course/grading/judge/student.py", "asyncio"): "a cell of a student's may await, within the jail",
    ("course/grading/judge/tester.py", "socket"): "the same",
    ("course/grading/judge/warm.py", "socket"): "the same",
    ("course/server_port.py", "socket"): "holds the port of a person's server; it neither listens nor connects",
    ("course/server_port.py", "tornado"): "marks what Jupyter listens on",
    ("course/grading/jail/attempts.py", "socket"): "tries from within the jail whether it holds",
}
IN_A_BROWSER = re.compile(
    r"\b(fetch|XMLHttpRequest|WebSocket|EventSource|sendBeacon|RTCPeerConnection|importScripts)\b"
    r"|@import|url\((?!#|[\"']?(?:#|data:))|https?://(?!www\.w3\.org/(?:2000/svg|1999/xhtml))|\bimport\(\s*[^\"'./\s]"
)
STARTED_ALONE = {  # what a learner does, and an instructor looks at
    "doctor": [sys.executable, "-m", "dlcourse", "doctor"],
    "run": [sys.executable, "-m", "dlcourse", "run", "00-start"],
    "progress": [sys.executable, "-m", "dlcourse", "progress", "show"],
    "a check, a quiz, data": [
        *(sys.executable, "-c"),
        "import torch\n"
        "from dlcourse import checks, data, progress\n"
        "from dlcourse.learn import predict, quiz\n"
        "checks.sigmoid(torch.sigmoid)\n"
        "quiz('01.score', 0)\n"
        "data.load('digits')\n"
        "assert progress.read()['01.sigmoid']",
    ],
}


def clients(source: ast.Module) -> set[str]:
    """Clients that a module imports, or names in a text of its own, as importlib wants it."""
    found = set()
    for node in ast.walk(source):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Call) and any(isinstance(part, ast.Constant) for part in node.args):
            called = getattr(node.func, "attr", getattr(node.func, "id", ""))
            names = [str(part.value) for part in node.args if isinstance(part, ast.Constant)]
            names = names if called in ("import_module", "__import__", "find_spec") else []
        for name in names:
            if not any(name == fine or name.startswith(f"{fine}.") for fine in HARMLESS):
                found |= {name.partition(".")[0]} & CLIENTS
    return found


def test_the_package_imports_no_client_but_for_data():
    found = {
        (file.relative_to(PACKAGE).as_posix(), client)
        for file in PACKAGE.rglob("*.py")
        for client in clients(ast.parse(file.read_text(encoding="utf-8")))
    }
    assert found == ALLOWED.keys()


@pytest.mark.parametrize(
    "line",
    [
        *("import requests", "import http.client", "from urllib.request import urlopen", "import urllib.request"),
        *(
            "def f():\n    from socket import create_connection",
            "importlib.import_module('httpx')",
            "__import__('ssl')",
        ),
    ],
)
def test_a_client_is_seen(line):
    assert clients(ast.parse(line))
    assert not clients(ast.parse("from urllib.parse import quote\nfrom urllib.request import url2pathname"))


def test_no_script_and_no_style_asks_for_anything():
    files = [file for end in ("js", "css") for file in PACKAGE.rglob(f"*.{end}")]
    asking = {file.name: IN_A_BROWSER.search(file.read_text(encoding="utf-8")) for file in files}
    assert len(asking) > 50
    assert {name: found[0] for name, found in asking.items() if found} == {}


@pytest.mark.parametrize(
    "line",
    [
        *("await fetch('/x')", "new XMLHttpRequest()", "navigator.sendBeacon(a, b)", "new WebSocket(address)"),
        *(
            "@import 'x.css';",
            "background: url(//a.org/p.png)",
            "import('https://a.org/m.js')",
            "s.src = 'http://a.org'",
        ),
    ],
)
def test_a_request_is_seen(line):
    assert IN_A_BROWSER.search(line)
    assert not IN_A_BROWSER.search("fill: url(#arrow); document.createElementNS('http://www.w3.org/2000/svg', tag)")


def test_jupyterlab_asks_for_no_news_and_no_newer_version():
    """Both come from this extension; tests/browser sees that the settings are those of `dlcourse lab`."""
    settings = json.loads((PACKAGE / "course/jupyter/labconfig/page_config.json").read_bytes())
    assert settings["disabledExtensions"]["@jupyterlab/apputils-extension:announcements"] is True


# ---- at work


@pytest.fixture
def cut_off(tmp_path):
    """Runs a command on a machine without a network: what it printed, and who tried to use one."""

    def run(*command: str, status: int = 0) -> tuple[str, list[str]]:
        wire = tmp_path / "wire"
        (tmp_path / "home").mkdir(exist_ok=True)
        off = ("PYTEST_VERSION", "PYTEST_CURRENT_TEST", "PYTHONWARNINGS")
        mine = {name: value for name, value in os.environ.items() if not name.startswith("DLCOURSE_")}
        environment = {name: value for name, value in mine.items() if name not in off}
        environment |= {"HOME": str(tmp_path / "home"), "PYTHONPATH": str(ROOT)}
        for name in ("XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"):
            environment[name] = str(tmp_path / "home" / name.lower())
        done = subprocess.run(
            [sys.executable, CUT_OFF, wire, *command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env=environment,
        )
        if done.returncode == 77:
            pytest.skip(done.stderr.strip())
        assert done.returncode == status, f"{command} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
        return done.stdout, wire.read_text().splitlines() if wire.exists() else []

    return run


@pytest.mark.skipif(sys.platform != "linux", reason="network namespaces are Linux's")
@pytest.mark.parametrize(
    "what", [pytest.param(what, marks=[pytest.mark.slow] if what == "run" else []) for what in STARTED_ALONE]
)
def test_it_works_without_a_network_and_tries_none(cut_off, what):
    _, tried = cut_off(*STARTED_ALONE[what])
    assert tried == []


ADDRESS = "192.0.2.1"  # of RFC 5737: nobody's
PLANTED = {
    "a look-up": "socket.getaddrinfo('telemetry.invalid', 443)",
    "a connection": f"socket.socket().connect(('{ADDRESS}', 443))",
    "a datagram": f"socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('{ADDRESS}', 9))",
    "urllib": f"urllib.request.urlopen('http://{ADDRESS}/', timeout=5)",
}
QUIETLY = (
    "import socket, urllib.request, warnings\nwarnings.simplefilter('ignore')\ntry:\n    {}\nexcept OSError:\n    pass"
)


@pytest.mark.skipif(sys.platform != "linux", reason="network namespaces are Linux's")
@pytest.mark.parametrize("what", PLANTED)
def test_a_planted_attempt_is_caught(cut_off, what):
    (line, *_) = cut_off(sys.executable, "-c", QUIETLY.format(PLANTED[what]))[1]
    assert re.search(r"^socket\.\w+ (telemetry\.invalid|192\.0\.2\.1) by ", line)


@pytest.mark.skipif(sys.platform != "linux", reason="network namespaces are Linux's")
def test_an_attempt_in_a_kernel_is_caught(cut_off, tmp_path):
    """`dlcourse run` starts kernels, and the list is theirs too."""
    cell = {"cell_type": "code", "id": "a", "metadata": {}, "source": "", "outputs": []}
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = {"nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec": kernel}}
    notebook["cells"] = [cell | {"execution_count": None, "source": QUIETLY.format(PLANTED["a connection"])}]
    (tmp_path / "planted.ipynb").write_text(json.dumps(notebook))
    said, tried = cut_off(sys.executable, "-m", "dlcourse", "run", "planted.ipynb")
    assert "planted: ok" in said
    assert len(tried) == 1
    assert "192.0.2.1" in tried[0]
    assert "ipykernel" in tried[0]


@pytest.mark.skipif(sys.platform != "linux", reason="network namespaces are Linux's")
def test_what_may_talk_is_told_that_there_is_no_network(cut_off):
    """A data set that was asked for is the one thing that looks for a network; with none it says so."""
    said, tried = cut_off(sys.executable, "-m", "dlcourse", "data", "fetch", "names", status=1)
    assert tried
    assert {line.split()[0] for line in tried} == {"socket.getaddrinfo"}
    assert said == ""


# ---- what is written about it


def test_what_the_page_on_privacy_names_is_there(capsys):
    """Files of ours, tests, and commands, with their help."""
    page = (ROOT / "deploy/privacy.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:dlcourse/|tests/)?(?:\w+/)*\w+\.py)`", page))
    assert len(named) > 12
    places = (ROOT, PACKAGE, PACKAGE / "course")
    assert [name for name in named if not any((place / name).is_file() for place in places)] == []
    for command in re.findall(r"`dlcourse ((?:[a-z]+ ?)+)", page):
        with pytest.raises(SystemExit) as ended:
            cli.main([*command.split(), "--help"])
        assert not ended.value.code, command
    assert "Usage: dlcourse course forget" in capsys.readouterr().out
    anchors = re.findall(r"^## (.+)$", page, re.MULTILINE)
    contents = page[page.index("Contents:") : page.index("\n## ")]
    assert re.findall(r"\[(.+?)\]\(#", contents) == anchors
