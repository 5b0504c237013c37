"""Files of the grader's own: written whole or not at all, for the owner alone, and one process at a time."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from dlcourse.course.errors import CourseError

_MISSING_FLAG = 0  # Windows has neither of the two; nothing is graded there


def write_whole(path: Path, content: bytes, *, keep: bool = False) -> None:
    """Writes `content` aside in the same folder, brings it to the disk, and puts it in place by one rename.

    A reader, a kill and a power cut find the old file or the new one. What a killed run left aside for this file is
    written over. With `keep` an old file with other content stays beside the new one, as NAME.1, NAME.2 and so on.
    OSError when it cannot be written; then the old file is as it was, and nothing is left aside.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    aside, kept = path.with_name(f".{path.name}.part"), None
    with suppress(FileNotFoundError):
        aside.unlink()
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", _MISSING_FLAG)
        with open(os.open(aside, flags, 0o600), "wb") as writer:
            writer.write(content)
            writer.flush()
            os.fsync(writer.fileno())
        if keep and path.exists() and path.read_bytes() != content:
            kept = _free_name(path)
            os.link(path, kept)
        os.replace(aside, path)
    except BaseException:
        for left in filter(None, (aside, kept)):
            with suppress(OSError):
                left.unlink()
        raise
    _sync_folder(path.parent)


def _free_name(path: Path) -> Path:
    number = 1
    while (free := path.with_name(f"{path.name}.{number}")).exists():
        number += 1
    return free


def _sync_folder(folder: Path) -> None:
    """A rename is on the disk only when its folder is."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def alone(lock: Path, busy: str) -> Iterator[None]:
    """Holds the lock file for this block. CourseError with the text `busy` when another process holds it."""
    import fcntl

    try:
        lock.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise CourseError(
            f"{lock}, by which one process at a time works here, cannot be opened: {error.strerror or error}. Make "
            "room, or the folder writable. Nothing was written."
        ) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise CourseError(busy) from error
        yield
    finally:
        os.close(descriptor)


def canonical(value: Any) -> bytes:
    """The one spelling of a JSON value that is hashed and signed.

    ASCII (other characters as \\uXXXX), the names of an object sorted by code point, no blank between tokens, numbers
    as Python's repr has them (1 and 1.0 differ), no nan and no infinity (ValueError), only text as names (TypeError).
    """
    try:
        _only_text_names(value)
        text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error
    return text.encode("ascii")


def _only_text_names(value: Any) -> None:
    if isinstance(value, dict):
        for name, item in value.items():
            if type(name) is not str:
                raise TypeError(f"a JSON object's names are text, and {name!r} is none")
            _only_text_names(item)
    elif isinstance(value, list | tuple):
        for item in value:
            _only_text_names(item)


def parse(content: bytes) -> Any:
    """JSON, read strictly: UTF-8, no name twice in an object, no nan, no infinity. ValueError says what is wrong."""
    try:
        return json.loads(content.decode("utf-8"), object_pairs_hook=_once, parse_constant=_no_constant)
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("it has a name twice")
    return found


def _no_constant(name: str) -> None:
    raise ValueError(f"it holds {name}, which is no number")
