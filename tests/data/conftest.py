"""A cache of its own for each test, a server on the loopback that can misbehave, and no way out of this machine."""

import os
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

LOOPBACK = "127.0.0.1"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cache, still empty; no shared folder, no mirror, no proxy, the default scale."""
    for variable in ("DLCOURSE_DATA", "DLCOURSE_DATA_MIRROR", "DLCOURSE_SCALE"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("DLCOURSE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", LOOPBACK)
    monkeypatch.setenv("no_proxy", LOOPBACK)
    return tmp_path / "cache"


@pytest.fixture(autouse=True)
def loopback_only(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.node.get_closest_marker("network"):
        return
    resolve = socket.getaddrinfo

    def guarded(host, *args, **kwargs):
        assert host == LOOPBACK, f"a test asked for {host}; tests stay on the loopback"
        return resolve(host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", guarded)


class Server:
    """Serves `answers[path]`, a function that is handed the request's handler; counts what was asked for."""

    def __init__(self) -> None:
        self.answers: dict[str, Callable[[BaseHTTPRequestHandler], None]] = {}
        self.asked: Counter[str] = Counter()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked[self.path] += 1
                outer.answers.get(self.path, error(404))(self)

            def log_message(self, *args: object) -> None:
                pass

        self._http = ThreadingHTTPServer((LOOPBACK, 0), Handler)
        self.url = f"http://{LOOPBACK}:{self._http.server_port}"
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def close(self) -> None:
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()


def body(content: bytes, *, announced: int | None = None) -> Callable[[BaseHTTPRequestHandler], None]:
    """A plain answer; `announced` is the length it claims to have."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(content) if announced is None else announced))
        handler.end_headers()
        handler.wfile.write(content)

    return answer


def error(status: int) -> Callable[[BaseHTTPRequestHandler], None]:
    return lambda handler: handler.send_error(status)


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    yield running
    running.close()


@pytest.fixture
def serve() -> Callable[..., Callable[[BaseHTTPRequestHandler], None]]:
    return body


@pytest.fixture
def fail() -> Callable[[int], Callable[[BaseHTTPRequestHandler], None]]:
    return error


@pytest.fixture
def dead_url() -> str:
    """A loopback address at which nothing listens."""
    with socket.create_server((LOOPBACK, 0)) as closed:
        port = closed.getsockname()[1]
    return f"http://{LOOPBACK}:{port}"


@pytest.fixture(scope="session")
def real_files() -> Path:
    """Real copies laid out as a mirror: in DLCOURSE_TEST_DATA, or in shared/data beside the checkout."""
    folder = Path(os.environ.get("DLCOURSE_TEST_DATA") or Path(__file__).parents[3] / "shared" / "data")
    if not (folder / "mnist").is_dir():
        pytest.skip("no real files here; DLCOURSE_TEST_DATA names a folder that holds them, laid out as a mirror")
    return folder
