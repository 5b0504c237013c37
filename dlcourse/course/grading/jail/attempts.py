"""What the probe tries from inside a jail: each escape by doing it, against canaries that can be reached from outside.

Run as a program of its own by `jail.probe`, with a token in its environment. It lays out the canaries, forks a process
that confines itself, and that one reports over a pipe what it tried, before and after each attempt: whoever ends in the
middle of an attempt, or becomes another program, has not been held.
"""

import contextlib
import ctypes
import fcntl
import importlib
import json
import mmap
import os
import resource
import select
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from dlcourse.course.grading.jail import kernel
from dlcourse.course.grading.jail import sandbox as jail

TOKEN = "DLCOURSE_CANARY"
MEMORY, SCRATCH, CPU = 2**28, 2**22, 20
F_SETOWN = 8
PTRACE_SEIZE = 0x4206
PATIENCE = 60  # seconds for all attempts together


@dataclass(frozen=True)
class World:
    """The canaries, as the confined process knows them."""

    token: str
    file: Path  # holds the token; everybody may read it
    folder: Path  # everybody may write here
    stray: int  # an open descriptor of the file that nobody asked to keep
    pid: int  # the process that laid this out; the token is in its environment
    port: int  # of TCP on the loopback
    unix: Path  # a socket with a path
    abstract: str  # and one without


# --- attempts: each returns what it got, or raises OSError or MemoryError --------------------------------------------


def read_a_file(world: World) -> str:
    return world.file.read_text()


def list_a_folder(world: World) -> str:
    return ", ".join(os.listdir(world.file.parent))


def list_the_course(world: World) -> str:
    # An installed package lies beside others, which may be seen; a checkout's beside what must not be.
    course = jail.PACKAGE.parent
    if course.name in ("site-packages", "dist-packages"):
        raise OSError("no course lies around the package")
    meant = {path.relative_to(course).parts[:1] for path in jail.visible() if path.is_relative_to(course)}
    return _any([name for name in os.listdir(course) if (name,) not in meant])


def use_a_stray_descriptor(world: World) -> str:
    return os.pread(world.stray, 100, 0).decode()


def write_elsewhere(world: World) -> str:
    written = []
    for place in (world.folder, jail.PACKAGE, Path(os.__file__).parent, Path("/")):
        with contextlib.suppress(OSError):
            (mark := place / "dlcourse-was-here").touch()
            mark.unlink()
            written.append(str(place))
    return _any(written)


def change_a_mode(world: World) -> str:
    os.chmod(world.file, 0o600)
    return "chmod"


def see_processes(world: World) -> str:
    seen = [name for name in os.listdir("/proc") if name.isdigit() and int(name) != os.getpid()]
    return _any(seen[:5])


def see_an_environment(world: World) -> str:
    seen = [f"{name} in os.environ" for name in os.environ if name not in jail.ENVIRONMENT]
    # The process itself may keep what it was started with, and the outer one is 1 or the pid that was told.
    for path in (Path("/proc", str(pid), "environ") for pid in ("self", world.pid, 1)):
        with contextlib.suppress(OSError):
            seen += [str(path)] if path.read_bytes().strip(b"\0") else []
    return _any(seen)


def signal_a_process(world: World) -> str:
    os.kill(world.pid, 0)
    return f"process {world.pid}"


def signal_by_a_file(world: World) -> str:
    # The owner of a file is sent SIGIO, or whatever signal it is told to send, when there is something to read.
    hear, tell = os.pipe()
    fcntl.fcntl(hear, F_SETOWN, world.pid)
    os.close(hear)
    os.close(tell)
    return f"process {world.pid}"


def connect_over_tcp(world: World) -> str:
    with socket.socket(socket.AF_INET) as connection:
        connection.settimeout(2)
        connection.connect(("127.0.0.1", world.port))
    return f"port {world.port}"


def connect_to_an_abstract_socket(world: World) -> str:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(world.abstract)
    return "connected"


def connect_to_a_path(world: World) -> str:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(world.unix))
    return "connected"


def allocate_too_much(world: World) -> str:
    with mmap.mmap(-1, MEMORY + 2**20) as block:
        return f"{len(block) >> 20} MiB"


def hide_memory_in_a_file(world: World) -> str:
    os.memfd_create("hidden")
    return "memfd_create"


def fill_scratch(world: World) -> str:
    with open("large", "wb", buffering=0) as file:
        file.seek(SCRATCH)
        file.write(b"x")
    return f"{SCRATCH + 1} bytes"


def hide_a_file(world: World) -> str:
    # One without a name is seen by nobody who counts; in a tmpfs of our own it counts all the same.
    with contextlib.ExitStack() as stack:
        for _ in range(3):
            file = stack.enter_context(open(os.open(".", os.O_TMPFILE | os.O_RDWR), "wb"))
            file.write(bytes(SCRATCH // 2))
            file.flush()
    return "O_TMPFILE"


def make_a_namespace(world: World) -> str:
    kernel.libc("unshare", 0x10000000)
    return "unshare"


def trace_a_process(world: World) -> str:
    kernel.libc("ptrace", PTRACE_SEIZE, world.pid, 0, 0)
    return f"process {world.pid}"


def outlive_the_jail(world: World) -> str:
    kernel.prctl(kernel.PR_SET_PDEATHSIG, 0)
    return "PR_SET_PDEATHSIG"


def be_root_again(world: World) -> str:
    os.setuid(0)
    os.chroot("/")
    return "chroot"


def burn_time_without_end(world: World) -> str:
    most = resource.getrlimit(resource.RLIMIT_CPU)[1]
    if most != resource.RLIM_INFINITY and most <= CPU + 5:
        raise OSError(f"it would end after {most} s")
    return "no end"


def fork(world: World) -> str:
    if (pid := os.fork()) == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    return "forked"


def execute(world: World) -> str:
    # The loader of shared libraries is a program too, one that starts others.
    loaders = [str(path) for place in ("/lib64", "/lib") for path in Path(place).glob("ld-linux*.so*")]
    for program in (sys.executable, "/bin/true", *loaders):
        with contextlib.suppress(OSError):
            os.execv(program, [program, "--version"])
    raise OSError("no program could be started")


def _any(found: list[str]) -> str:
    if not found:
        raise OSError("nothing found")
    return ", ".join(found)


ESCAPES: tuple[Callable[[World], str], ...] = (
    *(read_a_file, list_a_folder, list_the_course, use_a_stray_descriptor, write_elsewhere, change_a_mode),
    *(see_processes, see_an_environment, signal_a_process, signal_by_a_file, trace_a_process),
    *(connect_over_tcp, connect_to_an_abstract_socket, connect_to_a_path),
    *(allocate_too_much, hide_memory_in_a_file, fill_scratch, hide_a_file, burn_time_without_end),
    *(be_root_again, make_a_namespace, outlive_the_jail, fork, execute),
)

# --- and what must work all the same: each raises where it does not --------------------------------------------------


def import_a_module(world: World) -> None:
    assert "colorsys" not in sys.modules
    importlib.import_module("colorsys")


def read_the_package(world: World) -> None:
    (jail.PACKAGE / "__init__.py").read_text()


def load_a_library(world: World) -> None:
    ctypes.CDLL("libm.so.6")


def use_scratch(world: World) -> None:
    assert Path.cwd() == Path.home()
    assert os.listdir() == []
    Path("note").write_text("kept")
    assert Path("note").read_text() == "kept"
    assert tempfile.gettempdir() == os.getcwd()
    handle, _ = tempfile.mkstemp()
    os.close(handle)


def start_a_thread(world: World) -> None:
    ran = []
    thread = threading.Thread(target=ran.append, args=(1,))
    thread.start()
    thread.join()
    assert ran == [1]


NEEDS: tuple[Callable[[World], None], ...] = (
    *(import_a_module, read_the_package, load_a_library, use_scratch, start_a_thread),
)

# --- the two sides ---------------------------------------------------------------------------------------------------


def _inside(world: World, say: Callable[..., None]) -> None:
    for need in NEEDS:
        say("try", need.__name__)
        try:
            need(world)
        except Exception as error:
            say("told", need.__name__, False, f"does not work: {type(error).__name__}: {error}")
        else:
            say("told", need.__name__, True, "works")
    for escape in ESCAPES:
        say("try", escape.__name__)
        try:
            got = escape(world)
        except (OSError, MemoryError) as error:
            say("told", escape.__name__, True, f"refused: {error or type(error).__name__}")
        else:
            say("told", escape.__name__, False, f"got through: {got}")
    say("done")


@contextlib.contextmanager
def _canaries(token: str) -> Iterator[World]:
    place = Path(tempfile.mkdtemp(prefix="dlcourse-canary-")).resolve()
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, place)
        place.chmod(0o755)
        (file := place / "canary").write_text(token)
        file.chmod(0o644)
        (folder := place / "open").mkdir()
        folder.chmod(0o777)
        tcp, path, abstract = (
            stack.enter_context(socket.socket(family)) for family in (socket.AF_INET, socket.AF_UNIX, socket.AF_UNIX)
        )
        tcp.bind(("127.0.0.1", 0))
        path.bind(str(place / "socket"))
        (place / "socket").chmod(0o777)
        abstract.bind(f"\0dlcourse-canary-{token}")
        for listener in (tcp, path, abstract):
            listener.listen()
        stray = os.open(file, os.O_RDONLY)
        stack.callback(os.close, stray)
        port = tcp.getsockname()[1]
        yield World(token, file, folder, stray, os.getpid(), port, place / "socket", f"\0dlcourse-canary-{token}")


def try_out(backend: str, without: list[str]) -> dict:
    """{"facts": [[attempt, held, detail], ...]}, or {"failed": why there was no jail to try}."""
    with _canaries(os.environ[TOKEN]) as world:
        hear, tell = os.pipe()
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            _be_confined(backend, without, world, tell, parent)
        os.close(tell)
        heard = list(_lines(hear, pid))
        os.waitpid(pid, 0)
    if failed := [line[1] for line in heard if line[0] == "failed"]:
        return {"failed": failed[0]}
    facts = [line[1:] for line in heard if line[0] == "told"]
    answered = {fact[0] for fact in facts}
    facts += [
        [attempt.__name__, False, "no answer: the process ended or became another"]
        for attempt in (*NEEDS, *ESCAPES)
        if attempt.__name__ not in answered
    ]
    return {"facts": facts}


def _be_confined(backend: str, without: list[str], world: World, tell: int, parent: int) -> None:
    def say(*words: object) -> None:
        os.write(tell, json.dumps(words).encode() + b"\n")

    try:
        jail.confine(backend, memory=MEMORY, cpu=CPU, scratch=SCRATCH, keep=[tell], parent=parent, without=without)
    except Exception as error:
        say("failed", getattr(error, "strerror", None) or str(error) or type(error).__name__)
    else:
        _inside(world, say)
    finally:
        os._exit(0)


def _lines(hear: int, pid: int) -> Iterator[list]:
    """What the confined process said, to its end or the end of patience."""
    end, text = time.monotonic() + PATIENCE, b""
    while True:
        if not select.select([hear], [], [], max(0, end - time.monotonic()))[0]:
            os.kill(pid, signal.SIGKILL)
            break
        if not (more := os.read(hear, 65536)):
            break
        text += more
    os.close(hear)
    for line in text.splitlines():
        yield json.loads(line)


def cost(backend: str, rounds: int = 5) -> tuple[float, float]:
    """(milliseconds, CPU milliseconds) of fork, confine and exit, the median; of a process that is as large as this."""
    taken = []
    for _ in range(rounds):
        start, used = time.perf_counter(), _used()
        if (pid := os.fork()) == 0:
            try:
                jail.confine(backend, memory=MEMORY, cpu=CPU, scratch=SCRATCH, keep=[])
            except BaseException:
                os._exit(1)
            os._exit(0)
        if os.waitpid(pid, 0)[1] != 0:
            raise OSError(f"{backend}: no jail to be timed")
        taken.append((1e3 * (time.perf_counter() - start), 1e3 * (_used() - used)))
    wall, processor = (sorted(column)[rounds // 2] for column in zip(*taken, strict=True))
    return wall, processor


def _used() -> float:
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def main(backend: str, *without: str) -> None:
    found = try_out(backend, list(without))
    if "facts" in found and all(held for _, held, _ in found["facts"]):
        found["cost"] = cost(backend)[0]
    print(json.dumps(found))
