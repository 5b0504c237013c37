"""Removing what strangers made, and no link is followed: by open folders, never by a path that may change meanwhile."""

import errno
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count, islice
from pathlib import Path

from dlcourse.course.errors import CourseError

FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)

MOST = 1_000_000  # files and folders removed at one time: who owns a folder could fill it as fast as we empty it
SOME = 10_000  # names in memory at a time
ENDLESS = (
    f"it holds more than {MOST:,} files, or they come as fast as they go. Close the account, end its programs, "
    "and run the same command again"
)


@contextmanager
def opened(base: Path, *names: str) -> Iterator[int | None]:
    """The open folder base/names/..., of which only `base` may be reached by a link; None when it is not there.

    CourseError where one of the names is a link or no folder: what it leads to is not ours to touch.
    """
    at = -1
    try:
        at = os.open(base, FOLDER & ~getattr(os, "O_NOFOLLOW", 0))
        for name in names:
            below = os.open(name, FOLDER, dir_fd=at)
            os.close(at)
            at = below
    except FileNotFoundError:
        os.close(at) if at >= 0 else None
        yield None
        return
    except NotADirectoryError as error:
        os.close(at) if at >= 0 else None
        raise CourseError(
            f"{Path(base, *names)} is a link or no folder, and links are not followed here. Nothing was removed. "
            "If you put it there, work on what it leads to by hand; else ask yourself who did."
        ) from error
    try:
        yield at
    finally:
        os.close(at)


def measure(path: Path) -> tuple[int, int]:
    """Files (links and other things count as files) and bytes of a file or folder, as far as they can be read."""
    files, size, todo = 0, 0, [path]
    while todo:
        with suppress(OSError):
            here = todo.pop()
            found = os.lstat(here)
            if stat.S_ISDIR(found.st_mode):
                todo += [here / name for name in os.listdir(here)]
            else:
                files, size = files + 1, size + found.st_size
    return files, size


def remove(at: int, name: str, aside: str) -> None:
    """Removes an entry of the open folder `at`; a link itself, not what it names.

    A folder is renamed to `aside` first, so that nobody takes half of it for the whole; after a kill that is left.
    OSError when something cannot be removed, or when there is no end of it: the rest is gone then, and the same call
    goes on with what is left.
    """
    if not stat.S_ISDIR(os.stat(name, dir_fd=at, follow_symlinks=False).st_mode):
        os.unlink(name, dir_fd=at)
        return
    if name != aside:
        os.rename(name, aside, src_dir_fd=at, dst_dir_fd=at)
    top = _to_be_emptied(at, aside)
    try:
        _empty(top)
    finally:
        os.close(top)
    os.rmdir(aside, dir_fd=at)


def _empty(top: int) -> None:
    """Folders within folders are moved up first: however deep somebody nested them, this goes one level down only."""
    token, numbers = secrets.token_hex(8), count(1)
    for name, _ in _each(top, numbers):
        with suppress(FileNotFoundError):  # here and below: its owner may be removing things too
            if not _is_folder(top, name):
                os.unlink(name, dir_fd=top)
                continue
            within = _to_be_emptied(top, name)
            try:
                for inner, number in _each(within, numbers):
                    with suppress(FileNotFoundError):
                        if not _is_folder(within, inner):
                            os.unlink(inner, dir_fd=within)
                            continue
                        os.close(_to_be_emptied(within, inner))  # who moves a folder must be able to write to it
                        os.rename(inner, f"{token}-{number}", src_dir_fd=within, dst_dir_fd=top)
            finally:
                os.close(within)
            os.rmdir(name, dir_fd=top)


def _each(folder: int, numbers: Iterator[int]) -> Iterator[tuple[str, int]]:
    """What is in an open folder, with a number, until it is empty: an entry is gone before the next is asked for."""
    while True:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in islice(entries, SOME)]
        if not names:
            return
        for name in names:
            number = next(numbers)
            if number > MOST:
                raise OSError(errno.EBUSY, ENDLESS)
            yield name, number


def _is_folder(at: int, name: str) -> bool:
    return stat.S_ISDIR(os.stat(name, dir_fd=at, follow_symlinks=False).st_mode)


def _to_be_emptied(at: int, name: str) -> int:
    """The folder, open; readable and writable for us where it is our own (copies keep the mode that a student gave)."""
    try:
        folder = os.open(name, FOLDER, dir_fd=at)
    except PermissionError:
        if not hasattr(os, "O_PATH"):
            raise
        handle = os.open(name, os.O_PATH | FOLDER, dir_fd=at)
        try:
            os.chmod(f"/proc/self/fd/{handle}", 0o700)
        finally:
            os.close(handle)
        folder = os.open(name, FOLDER, dir_fd=at)
    if os.fstat(folder).st_mode & 0o700 != 0o700:
        with suppress(PermissionError):  # not ours: what cannot be removed is told then
            os.fchmod(folder, 0o700)
    return folder
