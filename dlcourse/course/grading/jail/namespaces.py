"""The jail's file system and outlook from new namespaces (namespaces(7), user_namespaces(7), pivot_root(2)).

The process becomes the first of a pid namespace, with no network, no ipc and no names but its own, and its root is a
tmpfs of our own making, read-only, into which what Python needs is bound read-only at the same paths. Scratch is a
second tmpfs, bounded in bytes and in files. There is no /proc: nothing in the jail needs it, the Landlock backend has
none either, and a container that masks parts of its own /proc lets nobody mount another. Needs mount_setattr(2) (5.12).
Whoever is root maps himself too, for as long as the tree is made (an interpreter may lie below a closed /root), and
then becomes NOBODY; an ordinary user stays himself, without a name for anybody else.
"""

import ctypes
import os
from pathlib import Path

from dlcourse.course.grading.jail.kernel import libc, syscall

NEW = {
    "user": 0x10000000,
    "pid": 0x20000000,
    "network": 0x40000000,
    "mount": 0x00020000,
    "ipc": 0x08000000,
    "uts": 0x04000000,
    "cgroup": 0x02000000,
}
NOBODY = 65534
SCRATCH = Path("/scratch")
DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom")
MOST_FILES = 10_000

MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_BIND, MS_REC, MS_PRIVATE = 2, 4, 8, 4096, 16384, 1 << 18
ATTR_RDONLY, ATTR_NOSUID, ATTR_NODEV, ATTR_NOEXEC = 1, 2, 4, 8
MNT_DETACH = 2
AT_FDCWD, AT_RECURSIVE = -100, 0x8000


class _MountAttr(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_uint64) for name in ("set", "clear", "propagation", "userns"))


def write_maps(pid: int) -> None:
    """From outside: which users the new namespace of `pid` knows."""
    uid, gid = os.geteuid(), os.getegid()
    proc = Path("/proc", str(pid))
    if uid == 0:
        both = f"0 0 1\n{NOBODY} {NOBODY} 1\n"
        _write(proc / "gid_map", both)
        _write(proc / "uid_map", both)
    else:
        _write(proc / "setgroups", "deny")  # else the kernel takes no gid map from an ordinary user
        _write(proc / "gid_map", f"{gid} {gid} 1\n")
        _write(proc / "uid_map", f"{uid} {uid} 1\n")


def _write(path: Path, text: str) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(handle, text.encode())  # the kernel wants the whole map in one write
    except OSError as error:
        raise OSError(error.errno, f"{path.name}: {error.strerror}") from error
    finally:
        os.close(handle)


def build(visible: dict[Path, Path], scratch: int, owner: int) -> None:
    """Inside, with the maps written: make the new root, move there, lose the old one.

    `visible`: for each path in the jail what shall be seen there, with every link resolved. `scratch`: its bytes.
    `owner`: the user whose the scratch folder is.
    """
    _mount(None, "/", None, MS_REC | MS_PRIVATE)
    # /proc is there on every machine, and nobody in this namespace needs it any more.
    _mount("tmpfs", "/proc", "tmpfs", MS_NOSUID | MS_NODEV, "size=1m,nr_inodes=4k,mode=755")
    os.mkdir("/proc/outside")
    syscall("pivot_root", b"/proc", b"/proc/outside")
    os.chdir("/")
    for path, source in visible.items():
        _bind(path, source, ATTR_RDONLY | ATTR_NOSUID | ATTR_NODEV)
    for device in map(Path, DEVICES):
        _bind(device, device, ATTR_RDONLY | ATTR_NOSUID | ATTR_NOEXEC)
    os.mkdir(SCRATCH)
    bounds = f"size={scratch},nr_inodes={MOST_FILES},mode=700,uid={owner}"
    _mount("tmpfs", str(SCRATCH), "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, bounds)
    libc("umount2", b"/outside", MNT_DETACH)
    os.rmdir("/outside")
    _set("/", ATTR_RDONLY | ATTR_NOSUID | ATTR_NODEV | ATTR_NOEXEC, 0)
    os.chdir(SCRATCH)


def _bind(path: Path, source: Path, attributes: int) -> None:
    outside = Path(f"/outside{source}")
    if path.exists() and path.samefile(outside):
        return  # it lies below one that was bound before
    if outside.is_dir():
        path.mkdir(parents=True, exist_ok=True)
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    _mount(str(outside), str(path), None, MS_BIND | MS_REC)
    _set(str(path), attributes, AT_RECURSIVE)


def _mount(source: str | None, target: str, kind: str | None, flags: int, data: str | None = None) -> None:
    texts = [text.encode() if text is not None else None for text in (source, target, kind, data)]
    try:
        libc("mount", *texts[:3], flags, texts[3])
    except OSError as error:
        raise OSError(error.errno, f"mount on {target}: {error.strerror}") from error


def _set(target: str, attributes: int, flags: int) -> None:
    asked = _MountAttr(attributes, 0, 0, 0)
    syscall("mount_setattr", AT_FDCWD, target.encode(), flags, ctypes.byref(asked), ctypes.sizeof(asked))


def become_nobody(opens_files_as: int = NOBODY) -> None:
    """Give root up: the user and group NOBODY, and no other groups."""
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, opens_files_as, opens_files_as)
