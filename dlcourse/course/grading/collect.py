"""`nbgrader collect` where strangers write to the exchange: nbgrader_config.py names this class in place of nbgrader's.

It runs on the instructor's account, on folders that students made. So nothing there is taken for what it says it is:

    whose a submission is   the owner of its folder, as the kernel has it. What is named for somebody else is left out
                            before the last of each student is chosen: nobody's work takes the place of another's.
    when it was handed in   the time in the folder's name, as nbgrader has it. That is the student's own word: an
                            earlier one cannot be told from a true one; one after the folder's last change is not
                            believed. (That time is the kernel's, ctime; mtime can be set by anybody.)
    what is copied          notebooks, timestamp.txt and submission_secret.txt, at the top of the folder, regular files
                            of that student. No link is followed, and nothing that blocks is waited for. nbgrader runs
                            an nbgrader_config.py of the folder that it is started in: none comes to submitted/.

What is left out is told, and costs nobody else anything. What was collected before is replaced in one piece, or stays;
after a kill between two renames it lies beside its place, and comes back when that student is collected again.
"""

import errno
import os
import stat
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from functools import cache
from itertools import islice
from pathlib import Path
from typing import NoReturn

from nbgrader.exchange.default import ExchangeCollect

from dlcourse.course.errors import CourseError
from dlcourse.course.grading.book.handed_in import SKEW, SMALL, read, time_of
from dlcourse.course.grading.exchange import NAME, SECRET, STAMP, assignment_of
from dlcourse.course.grading.removal import FOLDER, opened, remove
from dlcourse.course.grading.settings import Settings
from dlcourse.course.grading.submission import MAX_BYTES, MAX_ENTRIES, is_notebook

LIMIT = 2 * MAX_BYTES  # bytes of one submission; the grader reads half of it, of one notebook
MANY = 20  # lines on what was left out
BY_NAME = {errno.ENAMETOOLONG, errno.EEXIST, errno.EILSEQ, errno.EINVAL}  # a disk here refuses a name of there


class NotTaken(Exception):
    """Why a submission is left out: the end of a sentence."""


@dataclass(frozen=True)
class Arrived:
    """A folder of inbound/ that belongs to the student whom its name states."""

    name: str
    student: str
    owner: int
    at: datetime  # by its name; UTC without a zone, as nbgrader has it


class Shelf:
    """How a collector, this one or that for ngshare, writes to submitted/ and says what became of it."""

    def _nothing_left_out(self) -> None:
        self.left_out: list[tuple[int, str]] = []
        self.left_out_of: Counter[str | None] = Counter()

    # ---- what is written

    def _collect(self, submissions: list, content: Callable[[object], tuple[dict[str, bytes], list[str]]]) -> None:
        """One after the other. `content` gives what is taken of one, and the names of the rest, or raises NotTaken."""
        there = new = 0
        for each in submissions:
            folder = Path(
                self.coursedir.format_path(
                    self.coursedir.submitted_directory, each.student, self.coursedir.assignment_id
                )
            )
            if os.path.lexists(folder) and not self._is_wanted(folder, each):
                there += 1
                continue
            try:
                files, others = content(each)
                self._put(folder, files)
            except NotTaken as why:
                self._put_back(folder)
                self._leave_out(each.name, str(why), each.student)
                continue
            self.log.info("Collected: %s %s", each.student, self.coursedir.assignment_id)
            if others:
                self.log.info("Not copied, of %s: %s", each.student, _listed(others))
            new += 1
        self._sum_up(new, there)

    def _put(self, folder: Path, files: dict[str, bytes]) -> None:
        """Beside its place first, then there by one rename. The course's folder may not be closed, so the copy is."""
        shared = self.coursedir.groupshared
        part, old = f".{folder.name}.part", f".{folder.name}.old"
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            with opened(folder.parent) as at, ExitStack() as still_open:
                _put_back(at, folder.name, old)
                for left in (part, old):  # of a run that was killed
                    with suppress(FileNotFoundError):
                        remove(at, left, left)
                os.mkdir(part, dir_fd=at)
                into = os.open(part, FOLDER, dir_fd=at)
                still_open.callback(os.close, into)
                os.fchmod(into, 0o2770 if shared else 0o700)
                try:
                    for name, text in files.items():
                        with open(_made(name, into), "wb") as file:
                            file.write(text)
                            os.fchmod(file.fileno(), 0o660 if shared else 0o600)
                except NotTaken:
                    remove(at, part, part)
                    raise
                with suppress(FileNotFoundError):
                    os.rename(folder.name, old, src_dir_fd=at, dst_dir_fd=at)
                try:
                    os.rename(part, folder.name, src_dir_fd=at, dst_dir_fd=at)
                finally:
                    _put_back(at, folder.name, old)
                with suppress(FileNotFoundError):
                    remove(at, old, part)  # so that what is called old is whole, whenever this ends
        except (OSError, CourseError) as error:
            self._stop(folder, error)

    def _put_back(self, folder: Path) -> None:
        """What was collected before, where a run was killed that was about to replace it."""
        try:
            with opened(folder.parent) as at:
                if at is not None:
                    _put_back(at, folder.name, f".{folder.name}.old")
        except (OSError, CourseError) as error:
            self._stop(folder, error)

    # ---- what is told

    def _stop(self, path: Path, error: Exception) -> NoReturn:
        why = getattr(error, "strerror", None) or error
        self.fail(f"{path}: {why}. The exchange has all of it still: mend that and collect again.")

    def _leave_out(self, name: str, why: str, owner: str | None) -> None:
        """Told at the end, each owner's first before anybody's second: who fills inbound/ hides nobody else's line."""
        if self.left_out_of[owner] < MANY:
            self.left_out.append((self.left_out_of[owner], f"{_listed([name])}: {why}"))
        self.left_out_of[owner] += 1

    def _sum_up(self, new: int, there: int) -> None:
        hint = "" if self.update or self.before_duedate or not there else " (--update takes newer ones)"
        self.log.info(
            "Of %s: %d collected, %d were here%s, %d left out.",
            *(self.coursedir.assignment_id, new, there, hint, self.left_out_of.total()),
        )
        lines = [line for _, line in sorted(self.left_out)[:MANY]]
        for line in lines:
            self.log.warning("Left out: %s", line)
        if self.left_out_of.total() > len(lines):
            self.log.warning("... and %d more", self.left_out_of.total() - len(lines))


class Collect(Shelf, ExchangeCollect):
    """Options are nbgrader's: update and before_duedate. check_owner cannot be switched off."""

    def init_src(self) -> None:
        if not self.coursedir.course_id:
            self.fail("No course id specified. Re-run with --course flag.")
        if not self.check_owner:
            self.fail(
                "ExchangeCollect.check_owner is switched off, and by owners alone this collector knows whose a "
                "submission is. Remove the setting. Nothing was collected."
            )
        self._nothing_left_out()
        due, last = self._due(), {}

        def rank(each: Arrived) -> tuple[bool, datetime]:
            return due is not None and each.at <= due, each.at

        with self._inbound() as inbound:
            for each in self._arrived(inbound):
                last[each.student] = max(last.get(each.student, each), each, key=rank)
        self.last = [last[student] for student in sorted(last)]

    def copy_files(self) -> None:
        with self._inbound() as inbound:
            self._collect(self.last, lambda each: content(inbound, each))

    # ---- what there is

    @contextmanager
    def _inbound(self) -> Iterator[int]:
        """inbound/, open."""
        path = Path(self.root, self.coursedir.course_id, "inbound")
        try:
            with opened(Path(self.root), self.coursedir.course_id, "inbound") as inbound:
                if inbound is None:
                    self.fail(f"There is no {path}: nothing was released yet, or Exchange.root names another folder.")
                yield inbound
        except CourseError:
            self.fail(f"{path} is a link or no folder. Ask yourself who put it there. Nothing was collected.")
        except OSError as error:
            self._stop(path, error)

    def _arrived(self, inbound: int) -> Iterator[Arrived]:
        """Submissions of this assignment; what is none, or somebody else's than it says, is left out."""
        account = cache(_account)
        wanted = self.coursedir.student_id or "*"
        with os.scandir(inbound) as entries:
            for name in (entry.name for entry in entries):
                states = NAME.fullmatch(name)
                if states and states["assignment"] != self.coursedir.assignment_id:
                    continue
                if not fnmatchcase(states["student"] if states else "", wanted):
                    continue
                owner = None
                try:
                    found = os.stat(name, dir_fd=inbound, follow_symlinks=False)
                    owner = account(found.st_uid)
                    yield _checked(name, found, owner, self.coursedir.assignment_id)
                except FileNotFoundError:  # taken back meanwhile
                    continue
                except OSError as error:
                    self._leave_out(name, f"it cannot be read ({error.strerror or error})", owner)
                except NotTaken as why:
                    self._leave_out(name, str(why), owner)

    def _due(self) -> datetime | None:
        """Only --before-duedate asks for it. No gradebook is made for this where there is none yet."""
        here = Settings(Path(self.coursedir.root), self.coursedir.course_id, None, self.coursedir.db_url, True)
        if not (self.before_duedate and here.has_gradebook):
            return None
        from nbgrader.api import MissingEntry

        from dlcourse.course.grading.lock import open_gradebook

        try:
            with open_gradebook(here) as gradebook:
                return gradebook.find_assignment(self.coursedir.assignment_id).duedate
        except MissingEntry:
            return None
        except CourseError as error:
            self.fail(f"{error} Nothing was collected.")

    def _is_wanted(self, folder: Path, each: Arrived) -> bool:
        """Whether it takes the place of what was collected before."""
        before = read(folder).at
        newer = before is None or each.at > before
        return (self.update and newer) or (self.before_duedate and each.at != before)


def _account(number: int) -> str | None:
    import pwd

    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return None


def _checked(name: str, found: os.stat_result, owner: str | None, assignment: str) -> Arrived:
    """A submission, by its name and by what the kernel says of it. NotTaken when they do not agree."""
    states = NAME.fullmatch(name)
    whose = f"it belongs to {owner or f'number {found.st_uid}, who has no account'}"
    also = "" if states and owner == states["student"] else f"; {whose}"
    if not states:
        raise NotTaken(f"it is not named as nbgrader names a submission{also}")
    if not stat.S_ISDIR(found.st_mode):
        raise NotTaken(f"it is a link or no folder{also}")
    if owner != states["student"]:
        raise NotTaken(f"{whose}, not to whom it names")
    if assignment_of(name, owner) != assignment or (at := time_of(states["time"])) is None:
        raise NotTaken("it is not named as nbgrader names a submission")
    if at > datetime.fromtimestamp(found.st_ctime, UTC).replace(tzinfo=None) + SKEW:
        raise NotTaken("the time in its name lies after its last change")
    return Arrived(name, owner, found.st_uid, at)


def _put_back(at: int, name: str, old: str) -> None:
    if name not in (there := os.listdir(at)) and old in there:
        os.rename(old, name, src_dir_fd=at, dst_dir_fd=at)


def _made(name: str, at: int) -> int:
    """A new file. NotTaken for a name that cannot be here: too long, or one that is there but for its capitals."""
    try:
        return os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=at)
    except OSError as error:
        if error.errno not in BY_NAME:
            raise
        raise NotTaken(f"{_listed([name])} cannot be written here ({error.strerror})") from error


def content(inbound: int, each: Arrived) -> tuple[dict[str, bytes], list[str]]:
    """What is taken of a submission, by name; and the names of what is not. NotTaken when none of it can be taken."""
    files, others = {}, []
    try:
        with _open(each.name, inbound, FOLDER) as at:
            if os.fstat(at).st_uid != each.owner:
                raise NotTaken("it was exchanged for another while it was collected")
            with os.scandir(at) as entries:
                names = [entry.name for entry in islice(entries, MAX_ENTRIES + 1)]
            if len(names) > MAX_ENTRIES:
                raise NotTaken(f"it holds more than {MAX_ENTRIES:,} files")
            for name in sorted(names):
                small = name in (STAMP, SECRET)
                taken = None
                if small or (is_notebook(name) and name.isprintable()):
                    room = SMALL if small else LIMIT - sum(map(len, files.values()))
                    taken = _bytes(at, name, each.owner, room)
                if taken is None:
                    others.append(name)
                else:
                    files[name] = taken
    except OSError as error:
        what = error.strerror or str(error)
        raise NotTaken(f"it cannot be read ({what}); collect again, if it was still arriving") from error
    return files, others


def _bytes(at: int, name: str, owner: int, room: int) -> bytes | None:
    """A regular file of the owner's, else None; looked at before it is opened, and once more after."""
    if not _is_theirs(os.stat(name, dir_fd=at, follow_symlinks=False), owner):
        return None
    with _open(name, at, os.O_NOFOLLOW | os.O_NONBLOCK) as file:
        found = os.fstat(file)
        if not _is_theirs(found, owner):
            return None
        parts, size = [], found.st_size
        while size <= room and (part := os.read(file, 2**20)):  # it may grow or shrink meanwhile
            parts.append(part)
            size = max(found.st_size, sum(map(len, parts)))
        if size > room:
            raise NotTaken(f"it is larger than is taken: {_listed([name])}, with {room:,} bytes of room")
        return b"".join(parts)


def _is_theirs(found: os.stat_result, owner: int) -> bool:
    return stat.S_ISREG(found.st_mode) and found.st_uid == owner


@contextmanager
def _open(name: str, at: int, flags: int) -> Iterator[int]:
    descriptor = os.open(name, os.O_RDONLY | os.O_CLOEXEC | flags, dir_fd=at)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _listed(names: list[str]) -> str:
    """Some of them, printable: students chose them."""
    from dlcourse.course.grading.book.log import shown

    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(shown(name, 120) for name in names[:5]) + more
