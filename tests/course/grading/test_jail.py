"""The jail: every escape is tried in each backend, as root and as an ordinary user, and every trial can fail."""

import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

import pytest

from dlcourse.course.grading.jail import attempts, namespaces, seccomp
from dlcourse.course.grading.jail import sandbox as jail

SUPPORT = Path(__file__).parents[2] / "support"
ROOT = SUPPORT.parents[1]
IMPOSSIBLE = 77
USERS = ("whoever runs the tests", "an ordinary user")

PROBE = """\
import json, sys
sys.path.insert(0, sys.argv[1])
from dlcourse.course.grading.jail import sandbox as jail
try:
    found = jail.probe(sys.argv[2] or None)
    print(json.dumps({"name": found.name, "facts": found.facts}))
except jail.NoSandbox as error:
    print(json.dumps({"none": str(error)}))
"""


def run_as(conditions: str, *command: str) -> subprocess.CompletedProcess:
    """Run Python under the conditions of dlcourse_run_as.py; a test that cannot have them is skipped."""
    python = [sys.executable, *command]
    if conditions:
        python = [sys.executable, str(SUPPORT / "dlcourse_run_as.py"), *conditions.split(), "--", *python]
    clean = {key: value for key, value in os.environ.items() if key not in ("TMPDIR", "DLCOURSE_SANDBOX")}
    done = subprocess.run(python, capture_output=True, text=True, timeout=100, env=clean)
    if done.returncode == IMPOSSIBLE:
        pytest.skip(f"no sandbox can be tried: {done.stderr.strip()}")
    return done


def probe_as(conditions: str, backend: str = "") -> dict:
    done = run_as(conditions, "-c", PROBE, str(ROOT), backend)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def probed() -> dict:
    return {}


@pytest.fixture(params=jail.BACKENDS)
def backend(request, probed) -> str:
    """Each backend that can be had on this machine."""
    return _there(request.param, "", probed)


def _there(backend: str, conditions: str, probed: dict) -> str:
    if (backend, conditions) not in probed:
        probed[backend, conditions] = probe_as(conditions, backend)
    if "none" in probed[backend, conditions]:
        pytest.skip(f"no sandbox: {probed[backend, conditions]['none']}")
    return backend


def jailed(backend: str, program: str, **limits) -> list[str]:
    """What the program said, and how it ended."""
    return run_as("", str(SUPPORT / "dlcourse_jailed.py"), backend, json.dumps(limits), program).stdout.splitlines()[1:]


def start(backend: str, program: str, **limits) -> tuple[subprocess.Popen, int]:
    """The same, still running: the process that forked, and the pid of the outer process of the jail."""
    command = [sys.executable, SUPPORT / "dlcourse_jailed.py", backend, json.dumps(limits), program]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    outer = int(process.stdout.readline().removeprefix("OUTER "))
    return process, outer


# --- escapes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("conditions", ["", "ordinary"], ids=USERS)
@pytest.mark.parametrize("attempt", [attempt.__name__ for attempt in (*attempts.NEEDS, *attempts.ESCAPES)])
def test_each_attempt_ends_as_it_should(backend, conditions, attempt, probed):
    _there(backend, conditions, probed)
    (fact,) = [fact for fact in probed[backend, conditions]["facts"] if fact[0] == attempt]
    assert fact[1], fact
    assert fact[2].startswith("works" if attempt in {need.__name__ for need in attempts.NEEDS} else "refused")


# What gets through when these protections are left out. "nobody": root stays root, whom no file's mode stops.
LEFT_OUT = [
    ("namespaces", "mount nobody", "read_a_file list_a_folder write_elsewhere change_a_mode see_processes"),
    ("namespaces", "mount seccomp", "connect_to_a_path"),
    ("namespaces", "pid seccomp nobody", "signal_a_process signal_by_a_file"),
    ("namespaces", "network seccomp", "connect_over_tcp connect_to_an_abstract_socket"),
    ("namespaces", "seccomp", "fork execute make_a_namespace outlive_the_jail hide_memory_in_a_file"),
    ("namespaces", "seccomp capabilities nobody", "be_root_again"),
    ("namespaces", "environment", "see_an_environment"),
    ("namespaces", "descriptors", "use_a_stray_descriptor"),
    ("namespaces", "memory", "allocate_too_much"),
    ("namespaces", "cpu", "burn_time_without_end"),
    ("namespaces", "files", "fill_scratch hide_a_file"),
    ("landlock", "landlock", "read_a_file list_a_folder write_elsewhere see_processes"),
    ("landlock", "landlock seccomp nobody", "change_a_mode signal_a_process connect_over_tcp execute"),
    ("landlock", "landlock seccomp", "connect_to_an_abstract_socket"),
    ("landlock", "landlock seccomp capabilities nobody", "trace_a_process"),
    ("landlock", "seccomp", "fork make_a_namespace outlive_the_jail connect_to_a_path hide_a_file signal_by_a_file"),
    ("landlock", "environment", "see_an_environment"),
    ("landlock", "descriptors", "use_a_stray_descriptor"),
    ("landlock", "memory", "allocate_too_much"),
    ("landlock", "cpu", "burn_time_without_end"),
    ("landlock", "files", "fill_scratch"),
]


@pytest.mark.parametrize(("backend", "without", "through"), LEFT_OUT)
def test_a_missing_protection_is_noticed(backend, without, through, probed):
    _there(backend, "", probed)
    with pytest.raises(jail.NoSandbox) as refused:
        jail.probe(backend, without=without.split())
    for attempt in through.split():
        assert f"{attempt} " in str(refused.value)


def test_a_jail_around_the_whole_course_is_noticed(probed):
    _there("landlock", "", probed)
    if ROOT.name in ("site-packages", "dist-packages"):
        pytest.fail("these tests run from a checkout")
    with pytest.raises(jail.NoSandbox, match=r"list_the_course got through: .*solutions"):
        jail.probe("landlock", without=["landlock"])


def test_every_attempt_has_been_seen_to_succeed():
    seen = {name for _, _, through in LEFT_OUT for name in through.split()} | {"list_the_course"}
    assert seen == {attempt.__name__ for attempt in attempts.ESCAPES}


def test_every_protection_has_been_left_out():
    assert {name for _, without, _ in LEFT_OUT for name in without.split()} == set(jail.PROTECTIONS)


# --- choosing --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("user", ["", "ordinary "], ids=USERS)
def test_without_namespaces_landlock_is_chosen(user, probed):
    _there("landlock", user.strip(), probed)
    assert probe_as(f"{user}no-namespaces")["name"] == "landlock"


@pytest.mark.parametrize("user", ["", "ordinary "], ids=USERS)
def test_namespaces_come_first_and_need_no_landlock(user, probed):
    _there("namespaces", user.strip(), probed)
    assert probe_as(user.strip())["name"] == "namespaces"
    assert probe_as(f"{user}no-landlock")["name"] == "namespaces"


def test_without_both_the_reasons_of_both_are_told():
    assert probe_as("no-namespaces no-landlock")["none"].splitlines() == [
        "namespaces: new namespaces are refused (clone: Operation not permitted)",
        "landlock: create_ruleset: Function not implemented",
    ]


def test_one_backend_can_be_asked_for(monkeypatch):
    asked = []
    monkeypatch.setattr(jail, "_try_out", lambda backend, without: asked.append(backend) or {"failed": "no"})
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    monkeypatch.setenv("DLCOURSE_SANDBOX", "landlock")
    for only in (None, "namespaces"):
        with pytest.raises(jail.NoSandbox, match=r"no$"):
            jail.probe(only)
    assert asked == ["landlock", "namespaces"]
    monkeypatch.setenv("DLCOURSE_SANDBOX", "chroot")
    with pytest.raises(ValueError, match="'chroot'; there are namespaces, landlock"):
        jail.probe()


@pytest.mark.parametrize(("system", "machine"), [("darwin", "aarch64"), ("linux", "riscv64")])
def test_other_machines_have_no_sandbox(monkeypatch, system, machine):
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr(platform, "machine", lambda: machine)
    with pytest.raises(jail.NoSandbox, match=f"needs 64-bit Linux on x86_64 or aarch64; this is .* on {machine}"):
        jail.probe()


def test_a_jail_in_which_python_does_not_work_is_refused(monkeypatch):
    facts = [["import_a_module", False, "does not work: ModuleNotFoundError"], ["fork", True, "refused"]]
    monkeypatch.setattr(jail, "_try_out", lambda backend, without: {"facts": facts})
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    with pytest.raises(jail.NoSandbox, match=r"^landlock: import_a_module does not work: ModuleNotFoundError$"):
        jail.probe("landlock")


# --- what is asked for -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"backend": "chroot"}, "no backend is called 'chroot'"),
        ({"without": ["walls"]}, "no protection is called walls"),
    ],
)
def test_a_jail_that_is_not_known(asked, message):
    with pytest.raises(ValueError, match=message):
        jail.confine(**{"backend": "landlock", "memory": 1, "cpu": 1, "scratch": 1, "keep": []} | asked)


def test_a_descriptor_of_a_folder_is_a_way_out(backend):
    lines = jailed(backend, "say('in')", before="import os; assert os.open('/', os.O_RDONLY) == 3")
    assert lines == ["in", "END 0"]  # closed when nobody asks for it
    program = "import os; fd = os.open('/', os.O_RDONLY); os.dup2(fd, 90)"
    run = f"""\
import os, sys
sys.path.insert(0, {str(ROOT)!r})
from dlcourse.course.grading.jail import sandbox as jail
{program}
if (pid := os.fork()) == 0:
    try:
        jail.confine({backend!r}, memory=1, cpu=1, scratch=1, keep=[90])
    except ValueError as error:
        print(error, flush=True)
    os._exit(0)
os.waitpid(pid, 0)
"""
    assert run_as("", "-c", run).stdout == "descriptors [90] are folders: a way out of the jail\n"


def test_what_the_confined_process_finds(backend):
    program = "import os; say(os.listdir(), sorted(os.environ), os.getcwd() == os.environ['HOME']); os._exit(7)"
    assert jailed(backend, program) == ["[] ['HOME', 'MPLCONFIGDIR', 'TMPDIR'] True", "END 7"]


def test_more_can_be_made_readable(backend, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "set").write_text("numbers")
    (tmp_path / "other").write_text("secret")
    run = f"""\
import os, sys
from pathlib import Path
sys.path.insert(0, {str(ROOT)!r})
from dlcourse.course.grading.jail import sandbox as jail
hear, tell = os.pipe()
if (pid := os.fork()) == 0:
    place = Path({str(tmp_path)!r})
    jail.confine({backend!r}, memory=2**26, cpu=9, scratch=2**20, keep=[tell], readable=[place / "data"])
    text = (place / "data" / "set").read_text()
    for path, mode in ((place / "other", "r"), (place / "data" / "set", "a")):
        try:
            open(path, mode)
            text += " opened"
        except OSError as error:
            text += " refused"
    os.write(tell, text.encode())
    os._exit(0)
os.waitpid(pid, 0)
print(os.read(hear, 100).decode())
"""
    for folder in (tmp_path, *tmp_path.parents):  # pytest's own folders are closed to others, as root's jail is one
        if folder.owner() == "root" and folder.parts[:2] == ("/", "tmp") and len(folder.parts) > 2:
            folder.chmod(0o755)
    assert run_as("", "-c", run).stdout == "numbers refused refused\n"


@pytest.mark.parametrize("inside", [".venv", ""], ids=["in the course folder", "the course folder itself"])
def test_a_virtual_environment_in_the_course_folder_shows_nothing_of_the_course(backend, tmp_path, inside):
    with tempfile.TemporaryDirectory(prefix="dlcourse-course-") as name:  # where every user may look
        course = Path(name).resolve()
        course.chmod(0o755)
        for part in ("__init__.py", "course/__init__.py", "course/errors.py"):
            (course / "dlcourse" / part).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / "dlcourse" / part, course / "dlcourse" / part)
        shutil.copytree(ROOT / "dlcourse/course/grading", course / "dlcourse/course/grading")
        (course / "solutions").mkdir()
        venv.create(course / inside, symlinks=True)
        probe = [course / inside / "bin/python", "-c", PROBE, course, backend]
        done = subprocess.run(probe, capture_output=True, text=True, timeout=100)
        found = json.loads(done.stdout)
    assert found.get("name") == backend, found
    assert ["list_the_course", True] in [fact[:2] for fact in found["facts"]]


# --- limits ----------------------------------------------------------------------------------------------------------


def test_memory_is_what_is_allowed_beyond_the_start(backend):
    program = """\
say(len(bytes(100 * 2**20)))
try:
    bytes(200 * 2**20)
except MemoryError:
    say("refused")
"""
    before = "global held; held = bytearray(300 * 2**20)"  # what there was before the fork counts for nothing
    assert jailed(backend, program, memory=150 * 2**20, before=before) == [str(100 * 2**20), "refused", "END 0"]


def test_time_ends(backend):
    program = "import signal\nsignal.signal(signal.SIGXCPU, signal.SIG_IGN)\nwhile True: pass"
    assert jailed(backend, program, cpu=1) == ["END -9"]


def test_threads_start_and_are_bounded(backend):
    program = """\
import threading
threading.stack_size(65536)
stop = threading.Event()
started = 0
try:
    for _ in range(2000):
        threading.Thread(target=stop.wait, daemon=True).start()
        started += 1
except RuntimeError:
    say("refused")
say(started >= 16, started < 1000)
stop.set()
"""
    assert jailed(backend, program, memory=2**32) == ["refused", "True True", "END 0"]


FILL = """\
for number in range(64):
    with open(str(number), "wb") as file:
        file.write(bytes(2**20))
import time
time.sleep(60)
"""
SMALL = f"""\
for number in range({namespaces.MOST_FILES + 1}):
    open(str(number), "w").close()
import time
time.sleep(60)
"""


def test_scratch_is_bounded_in_bytes_and_in_files(backend):
    large, many = (jailed(backend, program, scratch=2**23) for program in (FILL, SMALL))
    if backend == "landlock":  # killed at the outer process's next glance
        assert (large[-1], many[-1]) == ("END -9", "END -9")
    else:
        assert large == ["RAISED OSError: [Errno 28] No space left on device", "END 0"]
        assert many == ["RAISED OSError: [Errno 28] No space left on device: '9999'", "END 0"]


RESERVES = """\
import errno, os
for number in range(3):
    with open(f"file{number}", "wb") as file:
        try:
            os.posix_fallocate(file.fileno(), 0, 2**22)
            say("had")
        except OSError as error:
            say(errno.errorcode[error.errno])
"""


def test_no_disk_is_taken_faster_than_anybody_looks(backend):
    """fallocate needs no writing: 2 GB took 2 ms, and the outer process looks every 200."""
    shared = {"namespaces": ["had", "had", "ENOSPC"], "landlock": ["EPERM"] * 3}  # whose disk it is
    assert jailed(backend, RESERVES, scratch=10 * 2**20) == [*shared[backend], "END 0"]


def test_torch_works_in_the_jail(backend):
    program = """\
import torch, scipy.linalg  # the second from within
torch.set_num_threads(4)
weight = torch.randn(300, 300, requires_grad=True, device="cpu")
(weight @ weight).sum().backward()
say(weight.grad.shape == weight.shape, scipy.linalg.det([[2.0, 0], [0, 3.0]]))
torch.save(weight, "weight.pt")
say(torch.equal(torch.load("weight.pt"), weight))
"""
    before = "import torch; torch.set_num_threads(1)"
    assert jailed(backend, program, memory=2**31, scratch=2**24, before=before) == ["True 6.0", "True", "END 0"]


# --- ends ------------------------------------------------------------------------------------------------------------

SLEEP = "say('in')\nimport time\ntime.sleep(60)\nsay('awake')"


@pytest.mark.parametrize("victim", ["grader", "outer"])
def test_nothing_outlives_a_kill(backend, victim):
    process, outer = start(backend, SLEEP)
    hold = os.pidfd_open(outer)
    assert process.stdout.readline() == "in\n"
    inner = Path(f"/proc/{outer}/task/{outer}/children").read_text().split()
    assert len(inner) == 1
    os.kill(process.pid if victim == "grader" else outer, signal.SIGKILL)
    end = time.monotonic() + 10
    while any(_lives(int(pid)) for pid in (outer, *inner)):
        assert time.monotonic() < end, "a process was left behind"
        time.sleep(0.01)
    os.close(hold)
    assert process.communicate(timeout=10)[0] == ("" if victim == "grader" else "END -9\n")


def _lives(pid: int) -> bool:
    """Is this process there, and no zombie that nobody has asked after yet?"""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_jail_whose_grader_is_gone_does_not_begin():
    run = f"""\
import os, sys
sys.path.insert(0, {str(ROOT)!r})
from dlcourse.course.grading.jail import sandbox as jail
try:
    jail.confine("landlock", memory=1, cpu=1, scratch=1, keep=[], parent=1 if os.getppid() != 1 else 2)
except OSError as error:
    print(error)
"""
    assert run_as("", "-c", run).stdout == "the process that asked for a jail is gone\n"


def test_the_end_of_the_confined_process_is_passed_on(backend):
    assert jailed(backend, "import os; os._exit(3)") == ["END 3"]
    crash = "import ctypes; ctypes.string_at(0)"
    assert jailed(backend, crash) == [f"END {-signal.SIGSEGV}"]


def test_a_scratch_folder_is_removed_with_its_jail(probed):
    _there("landlock", "", probed)
    folders = []
    for how in ("ends", "is told to end"):
        process, outer = start("landlock", "import os; open('file', 'w'); say(os.getcwd())" + SLEEP * (how != "ends"))
        folders.append(Path(process.stdout.readline().strip()))
        if how != "ends":
            os.kill(outer, signal.SIGTERM)
        process.communicate(timeout=20)
    assert len(set(folders)) == 2
    assert not any(folder.exists() for folder in folders)


DEEP = """\
import os, time
say(os.getcwd())
open("file", "w").close()
os.umask(0o777)
open("closed file", "w").close()
os.mkdir("closed folder")
os.umask(0)
name = 100 * "x"
os.mkdir("open folder")
os.mkdir("open folder/closed folder", 0)
for _ in range({levels}):  # in the end a path longer than any call takes
    os.mkdir(name)
    os.chdir(name)
time.sleep({seconds})
"""


@pytest.mark.parametrize(("levels", "seconds", "end"), [(jail.DEEPEST - 1, 0, "END 0"), (300, 60, "END -9")])
def test_a_scratch_folder_of_any_depth_is_removed(probed, levels, seconds, end):
    _there("landlock", "", probed)
    folder, ended = jailed("landlock", DEEP.format(levels=levels, seconds=seconds))
    assert ended == end
    assert not Path(folder).exists()


def test_a_scratch_folder_that_a_kill_left_is_removed_by_a_later_jail(probed):
    _there("landlock", "", probed)
    process, outer = start("landlock", "import os; open('file', 'w'); say(os.getcwd())\n" + SLEEP)
    folder = Path(process.stdout.readline().strip())
    os.kill(outer, signal.SIGKILL)
    process.communicate(timeout=20)
    assert folder.exists()
    jailed("landlock", "say('in')")
    assert folder.exists(), "it is new: somebody may be about to lock it"
    long_ago = time.time() - 10 * jail.SURELY_LOCKED
    os.utime(folder, (long_ago, long_ago))
    assert jailed("landlock", "say('in')") == ["in", "END 0"]
    assert not folder.exists()


def test_a_scratch_folder_in_use_is_left_alone(probed):
    _there("landlock", "", probed)
    process, outer = start("landlock", "import os; say(os.getcwd())\n" + SLEEP)
    folder = Path(process.stdout.readline().strip())
    long_ago = time.time() - 10 * jail.SURELY_LOCKED
    os.utime(folder, (long_ago, long_ago))
    jailed("landlock", "say('in')")
    assert folder.exists()
    os.kill(outer, signal.SIGTERM)
    process.communicate(timeout=20)
    assert not folder.exists()


# --- the filter ------------------------------------------------------------------------------------------------------

NATIVE = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}


def answer(machine: str, number: int, *arguments: int, own_root: bool = True, architecture: int | None = None) -> str:
    """What the filter says to a call, by a small interpreter of its program; the jailed process is number 7."""
    given = (*arguments, 0, 0, 0, 0, 0, 0)[:6]
    words = [number, NATIVE[machine] if architecture is None else architecture, 0, 0]
    words += [half for argument in given for half in (argument & 0xFFFFFFFF, argument >> 32)]
    lines = seccomp.program(machine, 7, own_root)
    at = accumulator = 0
    while True:
        code, true, false, constant = lines[at]
        at += 1
        if code == seccomp.LOAD:
            accumulator = words[constant // 4]
        elif code == seccomp.AND:
            accumulator &= constant
        elif code == seccomp.EQUAL:
            at += true if accumulator == constant else false
        elif code == seccomp.AT_LEAST:
            at += true if accumulator >= constant else false
        else:
            assert code == seccomp.RETURN
            return {0x7FFF0000: "allow", 0x50001: "EPERM", 0x50026: "ENOSYS", 0x80000000: "kill"}[constant]


THREAD, FORK = 0x3D0F00, 0x1200011  # the flags of glibc's pthread_create and fork


@pytest.mark.parametrize("machine", NATIVE)
def test_the_filter_on_each_machine(machine):
    def ask(x86_64: int, aarch64: int, *arguments: int, **other: bool) -> str:
        return answer(machine, x86_64 if machine == "x86_64" else aarch64, *arguments, **other)

    assert ask(0, 63) == "allow"  # read
    assert ask(56, 220, THREAD) == "allow"
    assert ask(56, 220, FORK) == "EPERM"
    assert ask(56, 220, THREAD | 0x10000000) == "EPERM"  # a thread in a new user namespace
    assert ask(435, 435) == "ENOSYS"  # clone3
    assert ask(999, 999) == "ENOSYS"  # of a kernel to come
    for call in ((59, 221), (101, 117), (41, 198), (53, 199), (42, 203), (165, 40), (272, 97), (321, 280), (319, 279)):
        assert ask(*call) == "EPERM"  # execve, ptrace, socket, socketpair, connect, mount, unshare, bpf, memfd_create
    assert ask(62, 129, 7, 9) == "allow"  # kill of itself
    assert ask(62, 129, 8, 9) == "EPERM"
    assert ask(62, 129, 2**64 - 1, 9) == "EPERM"  # kill of everybody
    assert ask(234, 131, 7, 8, 9) == "allow"  # tgkill
    assert ask(44, 206, 3, 0, 0, 0, 0) == "allow"  # sendto, without an address
    assert ask(44, 206, 3, 0, 0, 0, 2**32) == "EPERM"  # with one that shows in the upper half only
    assert ask(44, 206, 3, 0, 0, 0, 1) == "EPERM"
    assert ask(46, 211) == "EPERM"  # sendmsg, which may hold an address too
    assert ask(72, 25, 3, 1) == "allow"  # fcntl F_GETFD
    assert ask(72, 25, 3, 8) == "EPERM"  # F_SETOWN
    assert ask(157, 167, 1, 0) == "EPERM"  # prctl PR_SET_PDEATHSIG
    assert ask(302, 261, 0) == "allow"  # prlimit64 of itself
    assert ask(302, 261, 8) == "EPERM"
    assert ask(257, 56, 0, 0, 0o20200000) == "allow"  # openat O_TMPFILE
    assert ask(257, 56, 0, 0, 0o20200000, own_root=False) == "EPERM"
    assert ask(91, 52) == "allow"  # fchmod
    assert ask(91, 52, own_root=False) == "EPERM"
    assert answer(machine, 0, architecture=0x40000003) == "kill"  # i386
    assert answer(machine, 63, architecture=0x40000028) == "kill"  # 32-bit arm


def test_x32_calls_are_killed():
    assert answer("x86_64", 0x40000000) == "kill"
    assert answer("x86_64", 0x40000000 + 59) == "kill"


@pytest.mark.skipif(platform.machine() != "x86_64", reason="x32 is a way of calling of x86_64 only")
def test_a_real_x32_call_is_killed(backend):
    program = "import ctypes; ctypes.CDLL(None).syscall(ctypes.c_long(0x40000027)); say('alive')"
    assert jailed(backend, program) == [f"END {-signal.SIGSYS}"]
