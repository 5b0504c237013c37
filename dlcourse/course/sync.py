"""The learner's own copy of the chapters and exercises: made once, then brought up to date without losing a word.

The rule: a file is replaced only while its content is still what an edition of the course put there. For a notebook
the content is its cells' sources; outputs, execution counts and metadata do not count. Everything else, whether the
learner wrote it, changed it or damaged it, stays as it is, and the new edition lands beside it under its own name.

`.dlcourse/edition.json` records what was put where. It is written last, and every file is replaced whole, so a crash
half-way leaves a folder in which each file is either old or new, and the next call finishes the work.
"""

import errno
import hashlib
import json
import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from dlcourse import __version__
from dlcourse.course.errors import CourseError
from dlcourse.learn.content import content_root

RECORD = Path(".dlcourse", "edition.json")


@dataclass
class Report:
    """What one sync did; every path is relative to the folder, with forward slashes."""

    folder: Path
    edition: str
    added: list[str] = field(default_factory=list)  # not there before
    updated: list[str] = field(default_factory=list)  # replaced: untouched by the learner, older than this edition
    restored: list[str] = field(default_factory=list)  # put there by an earlier sync, since deleted
    kept: list[str] = field(default_factory=list)  # the learner's: left alone
    unreadable: list[str] = field(default_factory=list)  # of those kept, notebooks that cannot be read
    beside: dict[str, str] = field(default_factory=dict)  # kept file -> this edition's copy, new beside it
    record_damaged: bool = False

    def lines(self) -> list[str]:
        """The report for people; one line when there is nothing to tell."""
        told = []
        if self.record_damaged:
            told.append(f"{RECORD.as_posix()} could not be read: every file that differs is taken to be yours.")
        for verb, names in (("updated", self.updated), ("restored", self.restored)):
            told += [f"{verb} {name}" for name in names]
        told += [
            f"kept your {name}; edition {self.edition} of it is beside it: {copy}" for name, copy in self.beside.items()
        ]
        told += [
            f"{name} cannot be read as a notebook and was left alone; rename or delete it and sync again for a new copy"
            for name in self.unreadable
        ]
        if self.added:
            told.append(f"added {len(self.added)} file{'s' * (len(self.added) > 1)}")
        return [f"Course edition {self.edition} in {self.folder}" + (":" if told else ", up to date.")] + [
            f"  {line}" for line in told
        ]


def course_root() -> Path:
    """Folder of the installed course. Raises CourseError when the installation lacks it."""
    try:
        return content_root()
    except FileNotFoundError as error:
        raise CourseError(str(error)) from error


def shipped(source: Path) -> Iterator[str]:
    """Names of the files that a learner gets from `source`, relative to it, in order.

    Left out: the text a notebook was built from, the tables that only the package and its tests read (quiz answers
    among them), and anything hidden.
    """
    for room in ("chapters", "exercises"):
        for path in sorted((source / room).rglob("*")):
            name = path.relative_to(source)
            hidden = any(part.startswith((".", "__")) for part in name.parts)
            built_from = path.suffix == ".md" and path.with_suffix(".ipynb").is_file()
            if path.is_file() and not hidden and not built_from and path.suffix != ".toml":
                yield name.as_posix()


def sync(folder: str | Path, *, source: Path | None = None, edition: str = __version__) -> Report:
    """Bring the learner's `folder` up to `edition`, the course in `source` (default: the installed one).

    The folder is made when missing, laid out like the course; a new one gets a `.gitignore` that hides it from git.
    Returns a report. Raises CourseError when the folder cannot be used (a file, read-only, full, part of the course
    itself, or with a `chapters` that leads somewhere else); what was written until then is whole, and calling again
    goes on from there.
    """
    source = (source or course_root()).resolve()
    folder = Path(folder).expanduser().absolute()
    try:
        return _sync(folder, source, edition)
    except OSError as error:
        reason = _REASONS.get(error.errno or 0, "")
        raise CourseError(
            f"Bringing the course to {folder} failed at {error.filename or folder}: {error.strerror or error}. {reason}"
            "No file of yours was changed; mend this and run the same command again."
        ) from error


_REASONS = {
    errno.ENOSPC: "The disk is full. ",
    errno.EDQUOT: "Your disk quota is used up. ",
    errno.EACCES: "The folder is not yours to write to; choose another one. ",
    errno.EPERM: "The folder is not yours to write to; choose another one. ",
    errno.EROFS: "The folder is read-only; choose another one. ",
}


def _sync(folder: Path, source: Path, edition: str) -> Report:
    names = list(shipped(source))
    _refuse_unusable(folder, source, names)
    report = Report(folder, edition)
    (folder / RECORD.parent).mkdir(parents=True, exist_ok=True)
    if set(os.listdir(folder)) == {RECORD.parent.name}:  # never into a project that the learner has already
        _write(folder, ".gitignore", b"*\n")

    record, report.record_damaged = _read_record(folder / RECORD)
    for name in names:
        content = (source / name).read_bytes()
        record[name] = _sync_file(folder, name, content, record.get(name, {}), report)
    text = json.dumps({"format": 1, "edition": edition, "files": record}, indent=1, sort_keys=True)
    _write(folder, RECORD.as_posix(), f"{text}\n".encode())
    return report


def _sync_file(folder: Path, name: str, content: bytes, entry: dict[str, str], report: Report) -> dict[str, str]:
    """Bring one file up to date and return its new entry in the record.

    An entry holds `digest`, of the edition that the learner's file comes from, and `offered`, of the last edition
    laid beside it: one that the learner then deleted is not laid down again.
    """
    new = _digest(name, content)
    target = folder / name
    if not os.path.lexists(target):
        _write(folder, name, content)
        (report.restored if entry else report.added).append(name)
        return {"digest": new}
    present = _digest_at(target)
    if present == new:
        return {"digest": new}
    if present is not None and present in entry.values():  # an edition's own text, also where its copy took the place
        _write(folder, name, content)
        report.updated.append(name)
        return {"digest": new}

    report.kept.append(name)
    if present is None and name.endswith(".ipynb"):
        report.unreadable.append(name)
    if new in (entry.get("digest"), entry.get("offered")):
        return entry
    copy = _free_name(folder, name, report.edition, new)
    if not os.path.lexists(folder / copy):
        _write(folder, copy, content)
        report.beside[name] = copy
    return {**entry, "offered": new}


def _free_name(folder: Path, name: str, edition: str, digest: str) -> str:
    """`a/b.ipynb` -> `a/b (edition 0.2.0).ipynb`, numbered while another file has that name; its own copy may."""
    path = Path(name)
    number = 1
    while True:
        label = f"edition {edition}" if number == 1 else f"edition {edition}, {number}"
        copy = path.with_name(f"{path.stem} ({label}){path.suffix}").as_posix()
        if not os.path.lexists(folder / copy) or _digest_at(folder / copy) == digest:
            return copy
        number += 1


def _digest_at(path: Path) -> str | None:
    """Digest of what a learner has at `path`; None for what no edition can have put there."""
    if path.is_symlink() or not path.is_file():
        return None
    try:
        return _digest(path.name, path.read_bytes())
    except (ValueError, LookupError, TypeError):  # not a notebook (any more)
        return None


def _digest(name: str, content: bytes) -> str:
    """SHA-256 of what counts in a file: the cells' kinds and sources of a notebook, the bytes of anything else.

    Raises ValueError, LookupError or TypeError for a notebook that cannot be read.
    """
    if name.endswith(".ipynb"):
        cells = json.loads(content)["cells"]
        # A source is one text or a list of lines, whichever the program that saved it likes.
        sources = [(cell["cell_type"], "".join(cell["source"])) for cell in cells]
        # JupyterLab adds an empty cell when the last one is run with Shift+Enter: nothing that anybody wrote.
        content = json.dumps([(kind, text) for kind, text in sources if text.strip()]).encode()
    return hashlib.sha256(content).hexdigest()


def _read_record(path: Path) -> tuple[dict[str, dict[str, str]], bool]:
    """The record's files, and whether there was a record that could not be read."""
    if not path.is_file():
        return {}, False
    try:
        files = json.loads(path.read_bytes())["files"]
        return {name: {key: str(value) for key, value in entry.items()} for name, entry in files.items()}, False
    except (ValueError, LookupError, TypeError, AttributeError):
        return {}, True


def _write(folder: Path, name: str, content: bytes) -> None:
    """Put a whole file at folder/name, or leave what was there: written aside, flushed to the disk, then renamed."""
    target = folder / name
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = folder / RECORD.parent / f"partial-{secrets.token_hex(8)}"
    try:
        with open(aside, "xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(aside, target)
    finally:
        aside.unlink(missing_ok=True)


def _refuse_unusable(folder: Path, source: Path, names: list[str]) -> None:
    if not names:
        raise CourseError(
            f"The course's chapters and exercises were looked for in {source}, and there are none. "
            "In a checkout, make them with: dlcourse course build"
        )
    if os.path.lexists(folder) and not folder.is_dir():
        raise CourseError(f"The course needs a folder, and {folder} is not one. Name another.")
    real = folder.resolve()
    package = Path(__file__).resolve().parents[1]
    own = [source / room for room in ("chapters", "exercises", "solutions")] + [package]
    checkout = (real / "dlcourse" / "__init__.py").is_file() and (real / "chapters").is_dir()
    if real == source or checkout or any(real.is_relative_to(place) for place in own):
        raise CourseError(
            f"{folder} is part of the course itself, whose notebooks are generated and would be mixed with yours. "
            "Name another folder, for example dlcourse-work."
        )
    for place in sorted({RECORD.parent, *(parent for name in names for parent in Path(name).parents)}):
        inside = (folder / place).resolve()
        if inside != real / place:
            raise CourseError(
                f"{folder / place} leads to {inside}, outside the folder, and files there would be changed. "
                "Remove that link or name another folder."
            )
