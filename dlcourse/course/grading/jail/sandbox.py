"""The jail in which a student's program runs: `probe` finds a backend that holds on this machine, `confine` goes in.

    backend = probe().name
    if (pid := os.fork()) == 0:
        confine(backend, memory=..., cpu=..., scratch=..., keep=[3])  # returns in the confined process, or raises
        ...

Two backends, best first: *namespaces* (namespaces.py: a root, a network and a pid tree of its own) and *landlock*
(landlock.py), where user namespaces are refused. In both the kernel calls are a short list (seccomp.py) without fork
and exec, so that the jail is one process and RLIMIT_AS (setrlimit(2)) is its memory.

`confine` splits in two: an outer process, which does nothing but wait, and the confined one, its child. The outer one
is the process that the caller forked: it ends as the confined one ends, with the same exit code or signal. Kill it
(SIGTERM, or SIGKILL) and the confined one dies too, by PR_SET_PDEATHSIG, and it dies itself with whoever forked it. The
signal is sent when the *thread* that forked ends, so fork from a thread that stays.
"""

import json
import math
import os
import platform
import secrets
import select
import signal
import stat
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from dlcourse.course.grading.jail import kernel, landlock, namespaces, seccomp

if sys.platform == "linux":
    import fcntl
    import resource

BACKENDS = ("namespaces", "landlock")
PACKAGE = Path(__file__).parents[3]
SYSTEM = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/usr/share/zoneinfo", "/etc/ld.so.cache")
# What the tests of the probe can leave out.
PROTECTIONS = (
    *("mount", "pid", "network", "landlock", "seccomp", "nobody", "capabilities"),
    *("environment", "descriptors", "memory", "cpu", "files"),
)
# All that the confined process has; each is its scratch folder. Matplotlib would make folders for what it keeps.
ENVIRONMENT = ("HOME", "TMPDIR", "MPLCONFIGDIR")
OPEN_FILES = 256
THREADS = 256
STACK = 8 * 2**20

# The Landlock backend's scratch folder lies on the machine's own disk: the outer process looks at it this often (s).
GLANCE = 0.2
DEEPEST = 16  # folders within folders
FOLDER = "dlcourse-jail-"
SURELY_LOCKED = 60  # seconds after its making in which a scratch folder has been locked by its owner


class NoSandbox(Exception):
    """No backend holds here: one line for each, with the reason."""


@dataclass(frozen=True)
class Sandbox:
    """A backend that held on this machine."""

    name: str  # "namespaces" or "landlock"; "none" where somebody insists on going without
    facts: tuple[tuple[str, bool, str], ...]  # what was tried, whether it was as it should be, and what was seen
    cost: float = 0.0  # milliseconds to fork, confine and end a small process


def probe(only: str | None = None, *, without: Collection[str] = ()) -> Sandbox:
    """Try the backends, best first, by doing; `only` (or DLCOURSE_SANDBOX) names one. NoSandbox has all reasons.

    `without` leaves protections out, for the tests: each that is missed must be noticed here.
    """
    only = only or os.environ.get("DLCOURSE_SANDBOX")
    if only and only not in BACKENDS:
        raise ValueError(f"no sandbox is called {only!r}; there are {', '.join(BACKENDS)}")
    if sys.platform != "linux" or platform.machine() not in kernel.NUMBERS or sys.maxsize < 2**32:
        here = f"{platform.system()} on {platform.machine()}"
        raise NoSandbox(f"a sandbox needs 64-bit Linux on {' or '.join(kernel.NUMBERS)}; this is {here}")
    reasons = []
    for backend in (only,) if only else BACKENDS:
        found = _try_out(backend, without)
        if "failed" in found:
            reasons.append(f"{backend}: {found['failed']}")
        elif amiss := [f"{name} {detail}" for name, held, detail in found["facts"] if not held]:
            reasons.append(f"{backend}: {'; '.join(amiss)}")
        else:
            return Sandbox(backend, tuple(map(tuple, found["facts"])), found["cost"])
    raise NoSandbox("\n".join(reasons))


# The program of the probe: of this package, wherever that is, and of nothing else that lies beside it.
START = """\
import sys
sys.path.insert(0, sys.argv[1])
import dlcourse
del sys.path[0]
from dlcourse.course.grading.jail import attempts
attempts.main(*sys.argv[2:])
"""


def _try_out(backend: str, without: Collection[str]) -> dict:
    """attempts.py in a process of its own: small, of one thread, and as the grader's, without an environment."""
    command = [sys.executable, "-I", "-c", START, str(PACKAGE.parent), backend, *sorted(without)]
    token = {"DLCOURSE_CANARY": secrets.token_hex(16)}
    try:
        done = subprocess.run(command, env=token, cwd="/", capture_output=True, text=True, timeout=120)
    except (OSError, subprocess.TimeoutExpired) as error:
        return {"failed": f"the probe could not run: {error}"}
    if done.returncode != 0:
        return {"failed": f"the probe ended with {done.returncode}: {done.stderr.strip()[-300:]}"}
    return json.loads(done.stdout)


def confine(
    backend: str,
    *,
    memory: int,  # bytes that may be allocated beyond what there is now
    cpu: float,  # seconds, of all threads together
    scratch: int,  # bytes that the scratch folder may hold
    keep: Sequence[int],  # descriptors that stay open beside 0, 1 and 2, which lead to /dev/null
    readable: Sequence[Path] = (),  # what the confined process may read beside what Python needs
    parent: int | None = None,  # the pid of the process that forked this one, taken before the fork
    without: Collection[str] = (),  # protections left out: for the tests of the probe only
) -> None:
    """Confine this process, which must be freshly forked and have one thread. Returns in the confined process.

    The confined one has an empty environment but for ENVIRONMENT: its empty scratch folder, also the current one. Under
    Landlock nothing there can be removed or renamed (see _Folder). Any step that fails raises, and whoever catches that
    is not in a jail: he must end.
    """
    if unknown := set(without) - set(PROTECTIONS):
        raise ValueError(f"no protection is called {' or '.join(sorted(unknown))}")
    if backend not in BACKENDS:
        raise ValueError(f"no backend is called {backend!r}; there are {', '.join(BACKENDS)}")
    _die_with_parent()
    if os.getppid() != (parent or os.getppid()):
        raise OSError("the process that asked for a jail is gone")
    if folders := [descriptor for descriptor in keep if stat.S_ISDIR(os.fstat(descriptor).st_mode)]:
        raise ValueError(f"descriptors {folders} are folders: a way out of the jail")
    shown = visible(tuple(readable))
    address_space = _address_space()
    if "environment" not in without:
        kernel.wipe_environment()
    if "descriptors" not in without:
        _close_all_but(keep)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

    told, tell = os.pipe()  # the outer process says when to go on; its end is also seen here
    if backend == "namespaces":
        folder = None
        flags = sum(flag for name, flag in namespaces.NEW.items() if name not in without)
        # WARM may have forbidden looks into its memory; then /proc of its children is root's, and nobody else could
        # write the maps. Both sides forbid them again below.
        kernel.prctl(kernel.PR_SET_DUMPABLE, 1)
        try:
            pid = kernel.clone(flags)
        except OSError as error:
            raise OSError(error.errno, f"new namespaces are refused ({error.strerror})") from error
    else:
        landlock.abi()
        folder = _Folder()
        pid = os.fork()
    if pid:
        os.close(told)
        for descriptor in keep:
            os.close(descriptor)
        _wait(pid, tell, folder, scratch)
    os.close(tell)
    if os.read(told, 1) != b"1":
        raise OSError("the outer process of the jail is gone")

    if folder is None:
        _into_namespaces(shown, scratch, without)
    else:
        _into_folder(folder, shown, without)
    os.environ.update(dict.fromkeys(ENVIRONMENT, os.getcwd()))
    tempfile.tempdir = (
        os.getcwd()
    )  # said, as finding out needs a file made and removed: Landlock's folder has none of it
    _die_with_parent()  # a change of user forgets the first
    if select.select([told], [], [], 0)[0]:
        raise OSError("the outer process of the jail is gone")
    os.close(told)
    _limit(memory + address_space, cpu, scratch, folder is not None, without)
    if "capabilities" not in without:
        kernel.forget_capabilities()
    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
    kernel.prctl(kernel.PR_SET_DUMPABLE, 0)  # nobody of the same user may look into it, nor does it leave a core file
    if folder is not None and "landlock" not in without:
        landlock.restrict(shown.values(), folder.path)
    if "seccomp" not in without:
        seccomp.restrict(own_root=folder is None)


def prepare(readable: Sequence[Path] = ()) -> None:
    """Work out once what every `confine` of a child needs: saves each child some milliseconds."""
    visible(tuple(readable))
    for own_root in (True, False):
        seccomp.program(platform.machine(), os.getpid(), own_root)


def _die_with_parent() -> None:
    kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)


@cache
def visible(readable: tuple[Path, ...] = ()) -> dict[Path, Path]:
    """What the loaded Python needs to import further modules: each path by its name, and what it is without links.

    Of a prefix only its libraries: a virtual environment may lie in the course folder, or be the course folder.
    Of the course only the package: beside it lie solutions, submissions and the gradebook.
    """
    named = [PACKAGE, *map(Path, SYSTEM), *readable]
    named += [Path(prefix, lib) for prefix in (sys.prefix, sys.base_prefix) for lib in ("lib", "lib64")]
    named += [Path(sysconfig.get_path(which)) for which in ("stdlib", "platstdlib")]
    named += [Path(place) for place in sys.path if Path(place).name in ("site-packages", "dist-packages")]
    resolved = {Path(os.path.abspath(path)): path.resolve() for path in named if path.exists()}
    # What a link leads to comes before the link, and a folder before what lies in it.
    return {path: path for path in sorted(resolved.values())} | dict(sorted(resolved.items()))


def _address_space() -> int:
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()


def _close_all_but(keep: Sequence[int]) -> None:
    null = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(null, standard)
    stay = sorted({0, 1, 2, *keep})
    for low, high in zip(stay, [*stay[1:], os.sysconf("SC_OPEN_MAX")], strict=True):
        os.closerange(low + 1, high)


def _into_namespaces(shown: dict[Path, Path], scratch: int, without: Collection[str]) -> None:
    give_up_root = os.geteuid() == 0 and "nobody" not in without
    if "mount" in without:
        os.chdir(tempfile.gettempdir())
    else:
        owner = namespaces.NOBODY if give_up_root else os.geteuid()
        namespaces.build(shown, scratch if "files" not in without else 2**40, owner)
    kernel.libc("sethostname", b"jail", 4)
    kernel.forget_bounding_set()
    if give_up_root:
        namespaces.become_nobody()


def _into_folder(folder: "_Folder", shown: dict[Path, Path], without: Collection[str]) -> None:
    folder.let_go()
    kernel.forget_bounding_set()
    if os.geteuid() == 0 and "nobody" not in without:
        os.chown(folder.path, namespaces.NOBODY, namespaces.NOBODY)
        os.chmod(folder.path, 0o770)
        if all(map(_open_to_all, shown.values())):
            namespaces.become_nobody()
        else:
            # Of an interpreter below a closed /root NOBODY could import nothing more. So he goes on opening files as
            # root, without any capability and within Landlock's rules, but is NOBODY to all that counts.
            namespaces.become_nobody(opens_files_as=0)
    os.chdir(folder.path)


def _open_to_all(path: Path) -> bool:
    return bool(path.stat().st_mode & stat.S_IROTH) and all(p.stat().st_mode & stat.S_IXOTH for p in path.parents)


def _limit(address_space: int, cpu: float, scratch: int, shared_user: bool, without: Collection[str]) -> None:
    # Threads are counted for each user of a namespace: in one of our own nobody else has any.
    others = _tasks_of(os.getuid()) if shared_user else 0
    wanted = {
        resource.RLIMIT_NOFILE: OPEN_FILES,
        resource.RLIMIT_NPROC: others + THREADS,
        resource.RLIMIT_STACK: STACK,
    }
    if "cpu" not in without:
        wanted[resource.RLIMIT_CPU] = math.ceil(cpu + time.process_time())
    if "memory" not in without:
        wanted[resource.RLIMIT_AS] = address_space
    if "files" not in without:
        wanted[resource.RLIMIT_FSIZE] = scratch
    for which, most in wanted.items():
        hard = resource.getrlimit(which)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(which, (most, most))


def _tasks_of(uid: int) -> int:
    """How many threads this user has on this machine."""
    found = 0
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            text = status.read_text()
        except (FileNotFoundError, ProcessLookupError):  # it has ended meanwhile
            continue
        if f"\nUid:\t{uid}\t" in text:
            found += int(text.partition("\nThreads:\t")[2].partition("\n")[0])
    return found


class _Folder:
    """The Landlock backend's scratch folder, on the machine's own disk: locked while in use, watched, removed.

    Landlock bounds no sizes, and RLIMIT_FSIZE only each file. So the outer process looks in at every GLANCE, and kills
    who has more than `scratch` bytes or MOST_FILES names there. Files cannot be removed from inside, nor made without
    a name: so none escapes its count. What a killed outer process leaves behind, a later one removes.
    """

    def __init__(self) -> None:
        self.remove_abandoned()
        self.path = Path(tempfile.mkdtemp(prefix=FOLDER)).resolve()
        self._lock = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        fcntl.flock(self._lock, fcntl.LOCK_EX)

    def let_go(self) -> None:
        """In the confined process: the lock is the outer one's."""
        os.close(self._lock)

    def overfull(self, scratch: int) -> bool:
        """Is there more than is allowed, or something that cannot be looked at?"""
        try:
            sizes = list(self._sizes(self._lock, DEEPEST))
        except FileNotFoundError:  # on its way; the next glance will see it
            return False
        except OSError:
            return True
        return sum(sizes) > scratch or len(sizes) > namespaces.MOST_FILES

    @classmethod
    def _sizes(cls, folder: int, levels: int) -> Iterator[int]:
        if levels == 0:
            raise OSError("too deep to be looked at")
        with os.scandir(folder) as entries:
            for entry in entries:
                found = entry.stat(follow_symlinks=False)
                yield max(found.st_size, 512 * found.st_blocks)
                if stat.S_ISDIR(found.st_mode):
                    below = _open_folder(entry.name, folder)
                    try:
                        yield from cls._sizes(below, levels - 1)
                    finally:
                        os.close(below)

    def remove(self) -> None:
        self._remove(self.path, self._lock)

    @staticmethod
    def _remove(path: Path, folder: int) -> None:
        # Whatever depth and length of path somebody made: each folder's folders are moved to the top first.
        while names := os.listdir(folder):
            for name in names:
                if not stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
                    os.unlink(name, dir_fd=folder)
                    continue
                os.chmod(name, 0o700, dir_fd=folder)  # there are no links that it could follow
                below = _open_folder(name, folder)
                try:
                    for inner in os.listdir(below):
                        os.chmod(inner, 0o700, dir_fd=below)  # a folder that is closed cannot be moved
                        os.rename(inner, secrets.token_hex(16), src_dir_fd=below, dst_dir_fd=folder)
                finally:
                    os.close(below)
                os.rmdir(name, dir_fd=folder)
        os.rmdir(path)

    @classmethod
    def remove_abandoned(cls) -> None:
        """Remove the folders of outer processes that were killed: ours, not new, and no longer locked."""
        for path in Path(tempfile.gettempdir()).glob(f"{FOLDER}*"):
            try:
                handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
            except OSError:  # another user's, or removed meanwhile
                continue
            try:
                found = os.fstat(handle)
                ours = found.st_uid in (os.geteuid(), namespaces.NOBODY if os.geteuid() == 0 else os.geteuid())
                if ours and time.time() - found.st_mtime > SURELY_LOCKED:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    cls._remove(path, handle)
            except (BlockingIOError, FileNotFoundError):  # in use, or another sweeper was faster
                continue
            finally:
                os.close(handle)


def _open_folder(name: str, within: int) -> int:
    return os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=within)


def _wait(pid: int, tell: int, folder: _Folder | None, scratch: int) -> None:
    """The outer process from here on. It ends as the confined process ends."""
    signal.signal(signal.SIGTERM, lambda *_: os.kill(pid, signal.SIGKILL))
    try:
        if folder is None:
            namespaces.write_maps(pid)
            kernel.prctl(kernel.PR_SET_DUMPABLE, 0)
        os.write(tell, b"1")
        if folder is not None:
            process = os.pidfd_open(pid)
            while not select.select([process], [], [], GLANCE)[0]:
                if folder.overfull(scratch):
                    os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
    except BaseException:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        raise
    finally:
        if folder is not None:
            folder.remove()
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        signal.signal(-code, signal.SIG_DFL) if -code != signal.SIGKILL else None
        os.kill(os.getpid(), -code)
    os._exit(code if code >= 0 else 128 - code)
