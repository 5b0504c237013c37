"""Where a student is named in files that are not the student's: a page on similarity, an exported table, a comment."""

import mmap
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

SOURCES = {"dlcourse", "chapters", "exercises", "solutions", "tests", "benchmarks", "deploy", "node_modules"}
PACKED = (".tar", ".gz", ".tgz", ".zip", ".bz2", ".xz", ".zst", ".7z")
LARGE = 500 * 2**20  # bytes of a file that is not looked into


@dataclass(frozen=True)
class Rest:
    """What names the student and is not the student's: files of others, or unknown to us; archives, not looked into."""

    named: tuple[Path, ...]
    packed: tuple[Path, ...]


def mentions(roots: Iterable[Path], student: str, *, leave_out: set[Path]) -> Rest:
    """Looks through these folders for the id as a word of its own. Of a common word it finds much that is harmless."""
    word = re.compile(rb"(?<![\w.@+-])" + re.escape(student.encode()) + rb"(?![\w@+-]|\.\w)")
    named, packed = [], []
    for path in (path for root in roots for path in _files(root, leave_out)):
        if path.name.endswith(PACKED):
            packed.append(path)
        elif word.search(os.fsencode(path.name)) or _holds(path, word):
            named.append(path)
    return Rest(tuple(named), tuple(packed))


def _files(root: Path, leave_out: set[Path]) -> Iterator[Path]:
    """Regular files that may name people: not the course's sources, no environment, no hidden folder."""
    todo = [root]
    while todo:
        here = todo.pop()
        try:
            entries = sorted(os.scandir(here), key=lambda entry: entry.name)
        except OSError:  # closed to us, or gone meanwhile
            continue
        for entry in entries:
            path = Path(entry.path)
            if path in leave_out:
                continue
            if entry.is_dir(follow_symlinks=False):
                source = here == root and (entry.name in SOURCES or entry.name.startswith("."))
                if not source and not (path / "pyvenv.cfg").exists():
                    todo.append(path)
            elif entry.is_file(follow_symlinks=False):
                yield path


def _holds(path: Path, word: re.Pattern) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    except OSError:
        return False
    try:
        if not 0 < os.fstat(descriptor).st_size <= LARGE:
            return False
        with mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ) as content:
            return word.search(content) is not None
    finally:
        os.close(descriptor)
