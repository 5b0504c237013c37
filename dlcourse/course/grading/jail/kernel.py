"""The few kernel calls that Python has no name for, through ctypes; every failure is an OSError that names the call.

Relies on the C library's wrappers (mount(2), umount2(2), sethostname(2), prctl(2)) and on syscall(2) with the numbers
of Linux on x86_64 and aarch64. Nothing is loaded at import, so that this file can be imported on any machine.
"""

import ctypes
import errno
import os
import platform
from functools import cache
from pathlib import Path

# The numbers of each machine: asm/unistd_64.h for x86_64, asm-generic/unistd.h for aarch64. Since 5.1 both agree.
NUMBERS = {
    "x86_64": {"clone": 56, "capset": 126, "pivot_root": 155},
    "aarch64": {"clone": 220, "capset": 91, "pivot_root": 41},
}
EVERYWHERE = {"mount_setattr": 442, "create_ruleset": 444, "add_rule": 445, "restrict_self": 446}

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_SECCOMP, PR_CAPBSET_DROP = 1, 4, 22, 24
PR_SET_NO_NEW_PRIVS, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL = 38, 47, 4


@cache
def _libraries() -> tuple[ctypes.CDLL, ctypes.PyDLL]:
    # The second keeps the interpreter's lock during the call: what a raw clone needs.
    return ctypes.CDLL(None, use_errno=True), ctypes.PyDLL(None, use_errno=True)


def _result(name: str, returned: int) -> int:
    if returned == -1:
        code = ctypes.get_errno()
        raise OSError(code, f"{name}: {os.strerror(code)}")
    return returned


def _plain(argument: object) -> object:
    return ctypes.c_long(argument) if isinstance(argument, int) else argument


def libc(name: str, *arguments: object) -> int:
    """Call a function of the C library; numbers are passed as longs, bytes as text, None as a null pointer."""
    return _result(name, getattr(_libraries()[0], name)(*map(_plain, arguments)))


def syscall(name: str, *arguments: object, holding: bool = False) -> int:
    """Call the kernel; `holding` keeps the interpreter's lock meanwhile."""
    number = EVERYWHERE.get(name) or NUMBERS[platform.machine()][name]
    function = _libraries()[holding].syscall
    function.restype = ctypes.c_long
    return _result(name, function(ctypes.c_long(number), *map(_plain, arguments)))


def prctl(option: int, *arguments: object) -> int:
    return _result(f"prctl {option}", _libraries()[0].prctl(option, *map(_plain, [*arguments, 0, 0, 0, 0][:4])))


def clone(flags: int) -> int:
    """fork(2) into new namespaces: 0 in the child, its pid in the parent. The process must have one thread.

    os.fork after unshare(2) cannot do this for root, whose uid map somebody outside the namespace has to write.
    """
    SIGCHLD = 17  # noqa: N806 - signal.SIGCHLD, which Windows lacks
    hooks = ctypes.pythonapi
    hooks.PyOS_BeforeFork()
    try:
        pid = syscall("clone", flags | SIGCHLD, 0, 0, 0, 0, holding=True)
    except OSError:
        hooks.PyOS_AfterFork_Parent()
        raise
    (hooks.PyOS_AfterFork_Parent if pid else hooks.PyOS_AfterFork_Child)()
    return pid


class _CapHeader(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


def forget_bounding_set() -> None:
    """Drop what an exec could bring back (capabilities(7)); an ordinary user may not, and has nothing to drop."""
    for capability in range(64):
        try:
            prctl(PR_CAPBSET_DROP, capability)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.EPERM):  # EINVAL: the kernel knows no more of them
                raise
            return


def forget_capabilities() -> None:
    """Drop every capability that this process has."""
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL)
    version_3, sets = 0x20080522, (ctypes.c_uint32 * 6)()
    syscall("capset", ctypes.byref(_CapHeader(version_3, 0)), ctypes.byref(sets))


def wipe_environment() -> None:
    """Forget the environment, and blank the text of it that /proc/PID/environ would go on showing."""
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    start, end = int(fields[47]), int(fields[48])  # env_start and env_end in proc_pid_stat(5); 3 is the first here
    os.environ.clear()
    libc("clearenv")
    if start:  # zero when the process may not be looked at
        ctypes.memset(start, 0, end - start)
