"""Nobody is sent to a classmate's program: the port of a server cannot be taken, before it starts or after it ended."""

import json
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
from dlcourse_hub import Client, Hub

INTRUDER = Path(__file__).parents[1] / "support/dlcourse_intruder.py"


@pytest.fixture(scope="module")
def hub():
    made = Hub("c.Spawner.poll_interval = 5\n")  # seconds until the hub notices that a server has ended
    yield made
    made.remove()


def wait(until, seconds: float = 90):
    deadline = time.monotonic() + seconds
    while not (found := until()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return found


def servers(hub, name: str) -> list[psutil.Process]:
    """What the hub started for a person."""
    return [
        process
        for process in psutil.Process(hub.server.process.pid).children(recursive=True)
        if process.uids().real == hub.world.numbers[name] and "JUPYTERHUB_SERVICE_URL" in process.environ()
    ]


def port_of(process: psutil.Process) -> int:
    return urlsplit(process.environ()["JUPYTERHUB_SERVICE_URL"]).port


@contextmanager
def intruder(account: int, port: int):
    """A program of a classmate's that tries to listen there, again and again; `said()` is what it has printed."""
    line = [sys.executable, str(INTRUDER), str(account), str(port), "forever"]
    with subprocess.Popen(line, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert json.loads(process.stdout.readline()) == {"tries": True}
            yield process
        finally:
            process.kill()


def test_the_port_is_never_a_classmates(running):
    """Bob knows which port her server will have, seconds before it listens, and tries all ways until he has it.

    He has it in the end, when she is sent there no more: he could have had it before, if Linux had let him.
    """
    ann, bob = Client(running, "ann"), running.world.numbers["bob"]
    ann.log_in()
    ann.session.get(f"{running.address}/hub/spawn/ann", allow_redirects=False)
    (server, *_) = wait(lambda: servers(running, "ann"))
    port = port_of(server)
    assert not any(each.laddr.port == port for each in psutil.net_connections("tcp")), "too late to be quicker"
    with intruder(bob, port) as thief:
        ann.start()
        assert ann.ask("GET", "/api/contents").json()["type"] == "directory"  # her own server's answer

        server.kill()
        seen = []
        while "User ann server stopped" not in running.said():
            seen.append(ann.session.get(ann.at("/api/contents"), allow_redirects=False).status_code)
            assert len(seen) < 1000
            time.sleep(0.05)
        assert 503 in seen  # the proxy tried, and nobody answered

        assert "listens" in json.loads(thief.stdout.readline())
        answer = ann.session.get(ann.at("/lab"))
        assert answer.status_code != 200 or "hub" in answer.url
        thief.kill()
        assert thief.stdout.read() == ""  # of her, he heard nothing
    ann.start()
    assert ann.ask("GET", "/api/contents").json()["type"] == "directory"
