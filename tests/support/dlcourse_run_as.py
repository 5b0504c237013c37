"""A program that runs another under conditions which a test wants, without a touch to the machine:

    python dlcourse_run_as.py [ordinary] [no-namespaces] [no-landlock] -- COMMAND...

*ordinary*: as a user without any rights. Where Python lies below a folder that is closed to him, that folder is opened
in a mount namespace of this process only. *no-...*: a seccomp filter that answers as a kernel without them does.
Ends with 77 and a reason where a condition cannot be had.
"""

import ctypes
import os
import struct
import sys
from pathlib import Path

SUPPORT = Path(__file__).parent
sys.path.insert(0, str(SUPPORT.parents[1]))
from dlcourse.course.grading.jail import kernel, namespaces  # noqa: E402
from dlcourse.course.grading.jail.sandbox import PACKAGE  # noqa: E402

USER = 12345
IMPOSSIBLE = 77
LOAD, EQUAL, AND, RETURN = 0x20, 0x15, 0x54, 0x06
ALLOW, ERROR = 0x7FFF0000, 0x00050000
EPERM, ENOSYS = 1, 38
CLONE = {"x86_64": 56, "aarch64": 220}
UNSHARE = {"x86_64": 272, "aarch64": 97}


def become_ordinary() -> None:
    if os.geteuid() != 0:
        return
    needed = {Path(place).resolve() for place in (sys.prefix, sys.base_prefix, SUPPORT, PACKAGE)}
    closed = {path: [p for p in reversed(path.parents) if not p.stat().st_mode & 1] for path in needed}
    closed = {path: folders for path, folders in closed.items() if folders}
    if closed:
        kernel.libc("unshare", namespaces.NEW["mount"])
        namespaces._mount(None, "/", None, namespaces.MS_REC | namespaces.MS_PRIVATE)
    handles = {path: os.open(path, os.O_PATH) for path in closed}
    for folder in {closed[path][0] for path in handles}:
        namespaces._mount("tmpfs", str(folder), "tmpfs", 0, "mode=755")
    for path, handle in handles.items():
        path.mkdir(parents=True, exist_ok=True)
        namespaces._mount(f"/proc/self/fd/{handle}", str(path), None, namespaces.MS_BIND | namespaces.MS_REC)
        os.close(handle)
    os.setgroups([])
    os.setresgid(USER, USER, USER)
    os.setresuid(USER, USER, USER)


def refuse(what: set[str]) -> None:
    machine = os.uname().machine
    lines = []
    if "no-landlock" in what:
        lines += [(LOAD, 0, 0, 0), (EQUAL, 0, 1, 444), (RETURN, 0, 0, ERROR | ENOSYS)]
    if "no-namespaces" in what:
        for number in (CLONE[machine], UNSHARE[machine]):
            flags = [(LOAD, 0, 0, 16), (AND, 0, 0, namespaces.NEW["user"]), (EQUAL, 1, 0, 0)]
            lines += [(LOAD, 0, 0, 0), (EQUAL, 0, 4, number), *flags, (RETURN, 0, 0, ERROR | EPERM)]
    lines += [(RETURN, 0, 0, ALLOW)]
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in lines))

    class Program(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))

    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
    kernel.prctl(kernel.PR_SET_SECCOMP, 2, ctypes.byref(Program(len(lines), ctypes.addressof(code))))


if __name__ == "__main__":
    cut = sys.argv.index("--")
    conditions, command = set(sys.argv[1:cut]), sys.argv[cut + 1 :]
    try:
        if "ordinary" in conditions:
            become_ordinary()
        if conditions - {"ordinary"}:
            refuse(conditions)
    except OSError as error:
        print(f"cannot be {' and '.join(sorted(conditions))} here: {error}", file=sys.stderr)
        sys.exit(IMPOSSIBLE)
    os.execv(command[0], command)
