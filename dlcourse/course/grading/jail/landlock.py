"""The jail's file system where namespaces are refused: Landlock (landlock(7), kernel doc userspace-api/landlock).

A ruleset handles every right that the kernel knows, so all is refused but what a rule gives back: reading below the
folders that Python needs, and plain files and folders in the scratch folder: no links or devices, and none is removed
or renamed, so that whoever bounds what lies there can count it. Nothing of /proc. From ABI 4 on TCP is refused too,
from ABI 6 on signals and abstract sockets that lead out of the jail; seccomp refuses these anyway. Landlock does not
govern stat, chdir, chmod, chown and times: seccomp leaves chmod and the like out, and that a file exists can be found
out by whoever knows its path. ABI 3 (Linux 6.2) is the first that governs truncation.
"""

import ctypes
import os
from collections.abc import Iterable
from pathlib import Path

from dlcourse.course.grading.jail.kernel import syscall

WRITE_FILE, READ_FILE, READ_DIR, MAKE_DIR, MAKE_REG, TRUNCATE = (1 << bit for bit in (1, 2, 3, 7, 8, 14))
LAST_FILE_RIGHT = {3: 14, 4: 14}  # the highest bit of an ABI; from 5 on it is 15, ioctl on devices
OLDEST = 3
VERSION_QUERY, RULE_PATH_BENEATH = 1, 1


class _Ruleset(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("network", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _layout_ = "ms"
    _fields_ = (("rights", ctypes.c_uint64), ("folder", ctypes.c_int32))


def abi() -> int:
    """The kernel's version of Landlock; an OSError where there is none, or one too old for us."""
    found = syscall("create_ruleset", None, 0, VERSION_QUERY)
    if found < OLDEST:
        raise OSError(f"Landlock's ABI is {found}, wanted {OLDEST} (Linux 6.2)")
    return found


def restrict(readable: Iterable[Path], scratch: Path) -> None:
    """From here on this process opens these files only. It needs no_new_privs and cannot be undone."""
    version = abi()
    every_file_right = (1 << (LAST_FILE_RIGHT.get(version, 15) + 1)) - 1
    asked = _Ruleset(every_file_right, 3, 3)  # bind and connect of TCP; abstract sockets and signals
    # An older kernel takes a shorter structure: the fields that it knows.
    size = 8 if version < 4 else 16 if version < 6 else 24
    rules = syscall("create_ruleset", ctypes.byref(asked), size, 0)
    try:
        for path in readable:
            _allow(rules, path, READ_FILE | (READ_DIR if path.is_dir() else 0))
        _allow(rules, Path("/dev/null"), READ_FILE | WRITE_FILE)
        for device in ("/dev/zero", "/dev/urandom"):
            _allow(rules, Path(device), READ_FILE)
        _allow(rules, scratch, READ_FILE | READ_DIR | WRITE_FILE | TRUNCATE | MAKE_DIR | MAKE_REG)
        syscall("restrict_self", rules, 0)
    finally:
        os.close(rules)


def _allow(rules: int, path: Path, rights: int) -> None:
    handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        syscall("add_rule", rules, RULE_PATH_BENEATH, ctypes.byref(_PathBeneath(rights, handle)), 0)
    finally:
        os.close(handle)
