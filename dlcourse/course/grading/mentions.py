"""Where a student is named in files that are not the student's: a page on similarity, an exported table, a comment."""

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

SOURCES = {"dlcourse", "chapters", "exercises", "solutions", "tests", "benchmarks", "deploy", "node_modules"}
PACKED = (".tar", ".gz", ".tgz", ".zip", ".bz2", ".xz", ".zst", ".7z")
LARGE = 500 * 2**20  # bytes of a file that is not looked into
BLOCK, OVERLAP = 2**20, 2**10  # bytes; no id is longer than the second


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
    """Read in blocks, and not mapped: a file that shrinks under a map ends the program (SIGBUS)."""
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    except OSError:
        return False
    with open(descriptor, "rb", buffering=0) as file:
        if os.fstat(descriptor).st_size > LARGE:
            return False
        text, begin = b"", 0  # what is looked at, and where in the file it begins
        while True:
            block = file.read(BLOCK) if begin <= LARGE else b""  # it may grow meanwhile
            text += block
            for found in word.finditer(text):  # what stands before and behind decides, too
                if (found.start() or not begin) and (found.end() + 2 <= len(text) or not block):
                    return True
            if not block:
                return False
            begin += max(0, len(text) - OVERLAP)
            text = text[-OVERLAP:]
