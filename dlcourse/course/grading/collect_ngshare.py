"""`nbgrader collect` where the exchange is ngshare: a service in the place of a folder, as on Kubernetes.

ngshare knows by the hub's token whose a submission is, and when it came. What is in it, names of files included, is
what the student's client sent. So of each submission only notebooks, timestamp.txt (the service's own) and
submission_secret.txt are taken, by bare names, and put into submitted/ in one piece. A submission that is broken is
told, and costs nobody else anything.

Only settings that name ngshare import this: it needs ngshare_exchange.
"""

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from pathlib import Path

from ngshare_exchange import ExchangeCollect

from dlcourse.course.grading.book.handed_in import SMALL, read, time_of
from dlcourse.course.grading.collect import NotTaken, Shelf, _listed
from dlcourse.course.grading.exchange import SECRET, STAMP
from dlcourse.course.grading.submission import MAX_ENTRIES, is_notebook

LIMIT = 40 * 2**20  # bytes of one submission; the grader reads 20 MB of a notebook
LONGEST = 255  # bytes of a file's name


@dataclass(frozen=True)
class Handed:
    """A submission that ngshare has."""

    student: str
    at: datetime  # UTC without a zone, as nbgrader has it

    @property
    def name(self) -> str:
        return self.student


class Collect(Shelf, ExchangeCollect):
    """Options are nbgrader's update and --student. ngshare hands out the last submission only: no before_duedate."""

    def init_src(self) -> None:
        if not self.coursedir.course_id:
            self.fail("No course id specified. Re-run with --course flag.")
        if self.before_duedate:
            self.fail("ngshare hands out the last submission only: collect without --before-duedate.")
        self._nothing_left_out()
        answer = self.ngshare_api_get(f"/submissions/{self.coursedir.course_id}/{self.coursedir.assignment_id}")
        if not isinstance(answer, dict) or not isinstance(answer.get("submissions"), list):
            self.fail("ngshare did not list the submissions. Nothing was collected.")
        last: dict[str, Handed] = {}
        for each in self._handed(answer["submissions"]):
            if each.student not in last or each.at > last[each.student].at:
                last[each.student] = each
        self.last = [last[student] for student in sorted(last)]

    def copy_files(self) -> None:
        self._collect(self.last, lambda each: content(self._answer(each)))

    def _handed(self, records: list) -> Iterator[Handed]:
        wanted = self.coursedir.student_id or "*"
        for record in records:
            student = record.get("student_id") if isinstance(record, dict) else None
            if not isinstance(student, str) or not is_bare(student):
                self._leave_out(str(student), "that is no name of a student", None)
            elif fnmatchcase(student, wanted):
                at = _time(record.get("timestamp"))
                if at is None:
                    self._leave_out(student, "ngshare gives no time for it", student)
                else:
                    yield Handed(student, at)

    def _is_wanted(self, folder: Path, each: Handed) -> bool:
        before = read(folder).at if self.update else None
        return self.update and (before is None or each.at > before)

    def _answer(self, each: Handed) -> object:
        course, assignment = self.coursedir.course_id, self.coursedir.assignment_id
        return self.ngshare_api_get(f"/submission/{course}/{assignment}/{each.student}")


def content(answer: object) -> tuple[dict[str, bytes], list[str]]:
    """What is taken of ngshare's answer, by name; and the names of what is not. NotTaken when none of it can be."""
    sent = answer.get("files") if isinstance(answer, dict) else None
    if not isinstance(sent, list) or not all(isinstance(file, dict) for file in sent):
        raise NotTaken("ngshare did not hand it out")
    if len(sent) > MAX_ENTRIES:
        raise NotTaken(f"it holds more than {MAX_ENTRIES:,} files")
    stamp = answer.get("timestamp")
    if _time(stamp) is None:
        raise NotTaken("ngshare gives no time for it")
    files, others = {}, []
    for file in sent:
        name, text = file.get("path"), file.get("content")
        if not isinstance(name, str) or not is_bare(name) or not (name == SECRET or is_notebook(name)):
            if name != STAMP:
                others.append(str(name))
        elif name in files:
            raise NotTaken(f"it holds two files of one name (one in a folder within?): {_listed([name])}")
        else:
            room = SMALL if name == SECRET else LIMIT - sum(map(len, files.values()))
            files[name] = _bytes(name, text, room)
    return {**files, STAMP: stamp.encode()}, others


def is_bare(name: str) -> bool:
    """Whether it names an entry of a folder that everybody sees, and nothing else."""
    bare = name.isprintable() and not set(name) & set("/\\") and name[:1] not in ("", ".")
    return bare and len(name.encode()) <= LONGEST


def _time(text: object) -> datetime | None:
    return time_of(text) if isinstance(text, str) else None


def _bytes(name: str, text: object, room: int) -> bytes:
    if not isinstance(text, str):
        raise NotTaken(f"it has no content: {_listed([name])}")
    try:
        plain = base64.b64decode("".join(text.split()), validate=True)  # ngshare breaks lines
    except ValueError:
        raise NotTaken(f"it cannot be decoded: {_listed([name])}") from None
    if len(plain) > room:
        raise NotTaken(f"it is larger than is taken: {_listed([name])}, with {room:,} bytes of room")
    return plain
