"""nbgrader's exchange, as the grader looks into it: whose a submission is, and whether a collected one is whole.

    EXCHANGE/COURSE/inbound/STUDENT+ASSIGNMENT+TIME+RANDOM/     one for each time that somebody handed in
    EXCHANGE/COURSE/feedback/<md5 of a submission's secret and the notebook's name>.html

`nbgrader submit` copies the notebook there file by file, then writes timestamp.txt, then submission_secret.txt.
`nbgrader collect` (ours: collect.py) asks for neither, so it can copy a submission that is still arriving.
"""

import os
import re
from pathlib import Path

from dlcourse.course.grading.book.handed_in import small_file
from dlcourse.course.grading.settings import Settings

STAMP, SECRET = "timestamp.txt", "submission_secret.txt"
TIME = re.compile(r"\d{4}-?\d\d-?\d\d[^+]*")
RANDOM = re.compile(r"[A-Za-z0-9_-]{12}")
NAME = re.compile(  # what a name says, true or not
    rf"(?P<student>.+)\+(?P<assignment>[^+]+)\+(?P<time>{TIME.pattern})(?:\+(?P<random>[^+]*))?", re.DOTALL
)


def inbound(here: Settings) -> Path | None:
    """Where submissions arrive; None for an exchange that is no folder."""
    return here.exchange and here.exchange / here.id / "inbound"


def assignment_of(name: str, student: str) -> str | None:
    """The assignment that a folder of inbound/ says this student handed in; None when it says another student.

    A student's id may hold a +, and RANDOM may be switched off, so ann+x's is not ann's.
    """
    if not name.startswith(f"{student}+"):
        return None
    assignment, *rest = name.removeprefix(f"{student}+").split("+")
    is_one = len(rest) in (1, 2) and TIME.fullmatch(rest[0]) and (len(rest) == 1 or RANDOM.fullmatch(rest[1]))
    return assignment if assignment and is_one else None


def cut_short(arrivals: Path | None, student: str, assignment: str, collected: Path) -> str:
    """Why a collected submission is not whole, with what to do; "" when it is, or when it did not come this way.

    arrivals: inbound/. Without timestamp.txt it was collected before the notebook was surely all there, without its
    secret before it was all there, and then its student could not fetch the feedback.
    """
    stamp, secret = (_text(collected, name) for name in (STAMP, SECRET))
    if (stamp and secret) or arrivals is None:
        return ""
    try:
        names = [name for name in os.listdir(arrivals) if assignment_of(name, student) == assignment]
        names = [name for name in names if _may_be_theirs(arrivals / name, student)]
    except OSError:  # there is no exchange, or it is another's
        return ""
    if stamp:
        beside = [arrivals / name for name in names]
        names = [each for each in beside if _text(each, STAMP) == stamp and _text(each, SECRET)]
    if not names:
        return ""
    return (
        f"it was collected while it arrived, so it may be a part of what was handed in. Remove {collected} and run "
        f"`nbgrader collect {assignment}` again; if that does not help, ask for it to be handed in again"
    )


def _may_be_theirs(folder: Path, student: str) -> bool:
    """Anybody can name a folder for a classmate. Where the student has no account here, names are all there is."""
    try:
        import pwd

        return os.lstat(folder).st_uid == pwd.getpwnam(student).pw_uid
    except (ImportError, KeyError, OSError):
        return True


def _text(folder: Path, name: str) -> bytes:
    return (small_file(folder, name) or b"").strip()
