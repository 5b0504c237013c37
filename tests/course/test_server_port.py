"""The port of a person's server is theirs alone. With a real hub and a real thief: tests/hub/test_ports.py."""

import asyncio
import errno
import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from dlcourse.course import server_port
from dlcourse.course.server_port import HeldPort, NoPort, hold

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="a hub's ports are held by a rule of Linux"),
    pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="to become another account needs root"),
]
ROOT = Path(__file__).parents[2]
INTRUDER = ROOT / "tests/support/dlcourse_intruder.py"
ANN, EVE = 64_001, 64_002  # Linux does not mind that nobody has these numbers
MARK = ["SO_REUSEPORT"]


def ways_in(port: int, account: int) -> list[dict]:
    """Each way to listen on a port, and what came of it for an account."""
    line = [sys.executable, str(INTRUDER), str(account), str(port), "once"]
    printed = subprocess.run(line, capture_output=True, text=True, check=True).stdout
    return [json.loads(said) for said in printed.splitlines()]


def alone(tried: list[dict]) -> list[dict]:
    return [way for way in tried if way["first"] is None]


def test_no_other_account_can_listen():
    with hold(0, ANN) as held:
        tried = ways_in(held.getsockname()[1], EVE)
    assert len(tried) > len(alone(tried)) ** 2
    assert {(way["address"], len(way["marks"])) for way in tried} >= {("127.0.0.1", 0), ("0.0.0.0", 2)}
    assert [way for way in tried if way["came"] != "Address already in use"] == []


def test_of_one_address_alone_it_would_not_hold():
    """What these tests know: a stranger's first socket on the port, beside the held address, opens it to a second."""
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        os.fchown(held.fileno(), ANN, -1)
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
        tried = ways_in(port, EVE)
        reached = [way for way in tried if way["came"] == "listens" and (way["address"], way["only_v6"]) == ("::", 0)]
    if "::" not in {way["address"] for way in tried}:
        pytest.skip("a machine without IPv6")
    assert [way["first"] for way in reached if way["first"] is None] == []
    assert ["::", 1, ["SO_REUSEPORT"]] in [way["first"] for way in reached]


def test_its_owner_can_with_the_mark():
    with hold(0, ANN) as held:
        tried = alone(ways_in(held.getsockname()[1], ANN))
    for way in tried:
        assert way["came"] == ("listens" if "SO_REUSEPORT" in way["marks"] else "Address already in use"), way
    assert {way["came"] for way in tried} == {"listens", "Address already in use"}


def test_a_port_that_is_let_go_of_can_be_taken():
    """So the tests above do not pass for want of a way in."""
    with hold(0, ANN) as held:
        port = held.getsockname()[1]
    assert {way["came"] for way in alone(ways_in(port, EVE))} == {"listens"}


def of_ipv4(tried: list[dict]) -> set[str]:
    return {way["came"] for way in alone(tried) if "." in way["address"] and ":" not in way["address"]}


def test_where_ipv6_is_for_itself_alone_ipv4_is_held_too(monkeypatch):
    class Apart(socket.socket):
        """As on a machine with net.ipv6.bindv6only = 1."""

        def __init__(self, *given):
            super().__init__(*given)
            if self.family == socket.AF_INET6:
                self.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)

    monkeypatch.setattr(server_port.socket, "socket", Apart)
    with hold(0, ANN) as held:
        assert of_ipv4(ways_in(held.getsockname()[1], EVE)) == {"Address already in use"}


def without_ipv6(monkeypatch, number: int) -> None:
    plain = socket.socket

    def made(family):
        if family == socket.AF_INET6:
            raise OSError(number, os.strerror(number))
        return plain(family)

    monkeypatch.setattr(server_port.socket, "socket", made)


def test_a_machine_without_ipv6(monkeypatch):
    with monkeypatch.context() as patched:
        without_ipv6(patched, errno.EAFNOSUPPORT)
        held = hold(0, ANN)
    with held:
        assert of_ipv4(ways_in(held.getsockname()[1], EVE)) == {"Address already in use"}


def test_for_want_of_descriptors_no_half_of_a_port_is_held(monkeypatch):
    without_ipv6(monkeypatch, errno.EMFILE)
    with pytest.raises(OSError, match="Too many open files"):
        hold(0, ANN)


def test_nobody_is_answered_while_no_server_listens():
    with hold(0, ANN) as held, pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", held.getsockname()[1]), 5)


def test_what_is_taken_cannot_be_held():
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="in use"):
        hold(taken.getsockname()[1], ANN)


def test_the_server_listens_with_the_mark_on_a_port_that_it_holds(tmp_path):
    """A stand-in for jupyterhub.singleuser listens as Jupyter does, by both of the functions that it uses."""
    stub = tmp_path / "jupyterhub"
    stub.mkdir()
    (stub / "__init__.py").touch()
    lines = [
        "import asyncio, gc, json, os, socket, sys",
        "from tornado.httpserver import HTTPServer",
        "from tornado.netutil import bind_sockets",
        "async def main():",
        "    server = HTTPServer(lambda request: None)",
        "    server.listen(0, '127.0.0.1')",
        "    for each in [*server._sockets.values(), *bind_sockets(0, '127.0.0.1')]:",
        "        marked.append(each.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT))",
        "        each.close()",
        "marked = []",
        "asyncio.run(main())",
        "mine = [each for each in gc.get_objects() if isinstance(each, socket.socket) and each.fileno() >= 0]",
        "started = [__name__, os.path.basename(sys.argv[0]), *sys.argv[1:]]",
        "print(json.dumps([marked, [each.getsockname()[1] for each in mine], started]))",
    ]
    (stub / "singleuser.py").write_text("\n".join(lines), encoding="utf-8")
    line = [sys.executable, "-P", "-m", "dlcourse.course.server_port", "--one"]
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    with hold(0, os.getuid()) as hubs:
        port = hubs.getsockname()[1]
        environment["JUPYTERHUB_SERVICE_URL"] = f"http://127.0.0.1:{port}/user/ann/"
        done = subprocess.run(line, env=environment, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert json.loads(done.stdout) == [[1, 1], [port], ["__main__", "singleuser.py", "--one"]]


class Bare:
    """As much of a JupyterHub spawner as the port needs; what a real one does is for the tests with a hub."""

    def __init__(self, running: bool = False, server=None):
        self.running, self.server, self.said = running, server, []
        self.user = SimpleNamespace(name="ann")
        self.log = SimpleNamespace(error=lambda *words: self.said.append(words[0] % words[1:]))
        self.port, self.trouble = 0, []

    def get_env(self):
        return {"port": str(self.port)}

    async def poll(self):
        return None if self.running else 0

    async def stop(self, now=False):
        assert now
        if self.trouble:
            raise self.trouble.pop()
        if await self.poll() is None:  # as LocalProcessSpawner does
            self.running = False

    def run_post_stop_hook(self):
        return "the host's own"


class Spawner(HeldPort, Bare):
    pass


@pytest.fixture(autouse=True)
def accounts(monkeypatch):
    numbers = {"ann": SimpleNamespace(pw_uid=ANN), "eve": SimpleNamespace(pw_uid=EVE)}
    monkeypatch.setattr(server_port.pwd, "getpwnam", numbers.__getitem__)


def can(port: int, account: int) -> bool:
    return "listens" in {way["came"] for way in ways_in(port, account)}


def test_from_the_start_until_after_the_end():
    spawner = Spawner()
    port = int(spawner.get_env()["port"])
    assert port == spawner.port
    assert not can(port, EVE)
    spawner.running, held = True, spawner.held
    spawner.server = SimpleNamespace(port=port)
    assert asyncio.run(spawner.poll()) is None
    assert spawner.held is held
    spawner.running = False
    assert asyncio.run(spawner.poll()) == 0
    assert not can(port, EVE)  # the proxy does not know yet
    assert spawner.run_post_stop_hook() == "the host's own"
    assert can(port, EVE)


def test_a_second_start_lets_go_of_the_first_port():
    spawner = Spawner()
    first, second = (int(spawner.get_env()["port"]) for _ in range(2))
    spawner.release()
    assert can(first, EVE)
    assert can(second, EVE)


HER_SERVER = """
import os, sys
from dlcourse.course.server_port import hold_own_port, share_ports
share_ports()
from tornado.netutil import bind_sockets
os.setresuid(*3 * [int(sys.argv[1])])
held = hold_own_port()
(ear,) = bind_sockets(int(sys.argv[2]), "127.0.0.1")
print("listens", flush=True)
sys.stdin.read()
"""


def test_while_the_hub_is_away_the_server_holds_its_port():
    """And the hub does again, when it is back; then the server ends, and the hub does not know yet."""
    with hold(0, ANN) as hubs:
        port = hubs.getsockname()[1]
        given = {"PYTHONPATH": str(ROOT), "JUPYTERHUB_SERVICE_URL": f"http://127.0.0.1:{port}/user/ann/"}
        line = [sys.executable, "-c", HER_SERVER, str(ANN), str(port)]
        server = subprocess.Popen(
            line, env={**os.environ, **given}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        with server:
            assert server.stdout.readline() == "listens\n"
            hubs.close()
            assert not can(port, EVE)
            spawner = Spawner(running=True, server=SimpleNamespace(port=port))
            assert asyncio.run(spawner.poll()) is None
    assert server.returncode == 0
    assert not can(port, EVE)
    spawner.release()
    assert can(port, EVE)


def test_a_port_that_is_somebody_elses_starts_no_server(monkeypatch):
    with hold(0, EVE) as taken:
        monkeypatch.setenv("JUPYTERHUB_SERVICE_URL", f"http://127.0.0.1:{taken.getsockname()[1]}/user/ann/")
        with pytest.raises(SystemExit, match="is somebody else's"):
            server_port.hold_own_port()


def test_a_server_whose_port_another_took_is_ended():
    """While the hub was away: it must not send the person there when it is back."""
    with hold(0, EVE) as taken:
        taken.listen()
        spawner = Spawner(running=True, server=SimpleNamespace(port=taken.getsockname()[1]))
        assert asyncio.run(spawner.poll()) == 1
        assert not spawner.running
        assert "ann's server does not have its port" in spawner.said[0]
        assert asyncio.run(spawner.poll()) == 0  # it asked once
        spawner.run_post_stop_hook()
        spawner.running = True
        assert asyncio.run(spawner.poll()) == 1  # the next server is one like any other


def test_a_server_whose_place_is_not_known_yet_holds_nothing():
    spawner = Spawner(running=True)
    assert asyncio.run(spawner.poll()) is None
    assert spawner.held is None


def test_a_server_that_could_not_be_ended_is_ended_at_the_next_poll():
    """To stop it fails once: nobody is sent to the other for good."""
    with hold(0, EVE) as taken:
        spawner = Spawner(running=True, server=SimpleNamespace(port=taken.getsockname()[1]))
        spawner.trouble = [RuntimeError("systemd does not answer")]
        with pytest.raises(RuntimeError, match="does not answer"):
            asyncio.run(spawner.poll())
        assert asyncio.run(spawner.poll()) == 1
        assert not spawner.running


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EPERM])
def test_the_hubs_own_trouble_ends_nobodys_server(monkeypatch, number):
    spawner = Spawner(running=True, server=SimpleNamespace(port=1024))

    def short(*_):
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patched:
        patched.setattr(server_port, "hold", short)
        assert asyncio.run(spawner.poll()) is None
    assert spawner.running
    assert spawner.held is None  # at the next poll it is tried again
    assert "not held yet" in spawner.said[0]


def test_without_a_port_the_person_is_told(monkeypatch):
    def none_left(*_):
        raise OSError(98, "Address already in use")

    monkeypatch.setattr(server_port, "hold", none_left)
    with pytest.raises(NoPort, match="no port for ann's server"):
        Spawner().get_env()
    assert "Nothing of yours is lost" in NoPort.jupyterhub_message
