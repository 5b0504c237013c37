"""A course with an exchange in which one student has left traces everywhere. As a program: kills of who removes them.

    python dlcourse_forgotten.py COURSE-AND-EXCHANGE EVERY

It kills `forget` with -9 before its first change of the disk or of the gradebook, then before its second, and so on
(before each EVERY-th), runs it again, and looks for what is left. It prints how many moments there were.
"""

import json
import os
import re
import shutil
import signal
import sqlite3
import sys
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from dlcourse_filed import ASSIGNMENT, answered, course, hand_in, judged
from nbgrader.utils import notebook_hash

from dlcourse.course.grading import keys as keys_
from dlcourse.course.grading import result
from dlcourse.course.grading.book import gradebook
from dlcourse.course.grading.forget import forget
from dlcourse.course.grading.spec import Spec
from dlcourse.course.grading.submission import parse

STUDENT, WORDS = "canary-7q", "a canary sang these words"
TRACES = (STUDENT.encode(), WORDS.encode())
NEIGHBOURS = ("canary-7", "canary-7q+x", "canary-7qa", "Canary-7q", "bob")  # names that begin alike
COMMENTED = "UPDATE comment SET manual_comment = ? WHERE notebook_id IN (SELECT n.id FROM submitted_notebook n JOIN "
COMMENTED += "submitted_assignment s ON n.assignment_id = s.id WHERE s.student_id = ?)"
PAGE = "small-exercises"
CHANGES = {"os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.link", "os.chmod"}


def seeded(folder: Path, others: Iterable[str]) -> Path:
    """folder/course and folder/exchange, after two rounds of handing in, grading and feedback for all of them."""
    made = folder / "course"
    made.mkdir(parents=True)
    made, spec = course(made)
    exchange = folder / "exchange"
    with (made / "nbgrader_config.py").open("a") as settings:
        settings.write(f"\nc.Exchange.root = {str(exchange)!r}\nc.Exchange.cache = {str(folder / 'cache')!r}\n")
    try:
        keys = keys_.load("dlcourse")
    except keys_.NoKeys:
        keys = keys_.create("dlcourse")
    for turn in (1, 2):
        with gradebook.writer(made, spec) as book:
            for who in (STUDENT, *others):
                _turn(made, exchange, book, spec, keys, who, turn)
    time = "2026-03-02 12:00:00.000000 UTC"
    shutil.copytree(
        made / "submitted" / STUDENT / ASSIGNMENT, folder / "cache/dlcourse" / f"{STUDENT}+{ASSIGNMENT}+{time}"
    )
    _comment(made / "gradebook.db")
    gradebook.grading_log(made, ASSIGNMENT)
    _odds_and_ends(made, folder, keys)
    return made


def _turn(
    made: Path, exchange: Path, book: gradebook.Writer, spec: Spec, keys: keys_.Keys, who: str, turn: int
) -> None:
    """Somebody hands in, and gets it back."""
    words = f"{WORDS}, for the time {turn}" if who == STUDENT else f"the words of number {len(who)} in turn {turn}"
    content = answered(spec, double="def double(x): return 2 * x", why=words)
    secret = f"{turn}{sum(map(ord, who)):x}".rjust(128, "a")
    time = f"2026-03-0{turn} 12:00:00.000000 UTC"
    hand_in(made, who, content, spec, timestamp=time, submission_secret=secret)
    graded = judged(spec, who, content)
    result.write(made, graded, keys)
    book.write(graded, parse(content))
    _exchange(exchange, who, time, content, secret)
    page = made / "feedback" / who / ASSIGNMENT / f"{PAGE}.html"
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(f"<p>{words}")
    (page.parent / "submission_secret.txt").write_text(secret)
    shutil.copy(page, exchange / f"dlcourse/feedback/{notebook_hash(secret=secret, notebook_id=PAGE)}.html")


def copied(template: Path, folder: Path) -> Path:
    """Another such pair of folders, in which nothing was forgotten yet."""
    shutil.copytree(template, folder, symlinks=True)
    settings = folder / "course/nbgrader_config.py"
    settings.write_text(settings.read_text().replace(str(template), str(folder)))
    return folder


def _exchange(exchange: Path, who: str, time: str, content: bytes, secret: str) -> None:
    folder = exchange / "dlcourse/inbound" / f"{who}+{ASSIGNMENT}+{time}+{secret[-12:]}"
    folder.mkdir(parents=True)
    (exchange / "dlcourse/feedback").mkdir(exist_ok=True)
    (folder / f"{PAGE}.ipynb").write_bytes(content)
    (folder / "timestamp.txt").write_text(time)
    (folder / "submission_secret.txt").write_text(secret)


def _comment(file: Path) -> None:
    """A long comment that quotes the student was replaced by a short one: its text stays in pages that nothing uses."""
    with closing(sqlite3.connect(file)) as database:
        database.execute("PRAGMA secure_delete = OFF")
        for text in (f"You say that {WORDS}. " * 400, f"You say that {WORDS}."):
            assert database.execute(COMMENTED, (text, STUDENT)).rowcount > 0
            database.commit()


def _odds_and_ends(made: Path, folder: Path, keys: keys_.Keys) -> None:
    """What kills, regrades and strange files leave; and a folder of the student's that its owner made unreadable."""
    results = made / "grading/results" / ASSIGNMENT / STUDENT
    first = next(results.glob("*.json"))
    for name in (f"{first.name}.1", f"{first.name}.bad", f".{first.name}.part"):
        shutil.copy(first, results / name)
    shutil.copy(made / "grading/log" / f"{ASSIGNMENT}.txt", made / "grading/log" / f".{ASSIGNMENT}.txt.part")
    noted = {"since": "2026-03-03T12:00:00+00:00", "students": ["bob", STUDENT]}
    (made / "grading" / f".regrade-{ASSIGNMENT}.json").write_text(json.dumps(noted))
    deep = made / "submitted" / STUDENT / ASSIGNMENT / "closed/within"
    deep.mkdir(parents=True)
    (deep / "notes.txt").write_text(WORDS)
    (deep.parent / "outside").symlink_to(folder / "outside")
    (folder / "outside").mkdir(exist_ok=True)
    (folder / "outside/kept.txt").write_text("of somebody else")
    deep.chmod(0o500)
    deep.parent.chmod(0)


def traces(*roots: Path, needles: tuple[bytes, ...] = TRACES) -> list[str]:
    """Files and folders that hold one of these, in a name or anywhere in their bytes; names of neighbours apart."""

    def holds(content: bytes) -> bool:
        for name in sorted(NEIGHBOURS, key=len, reverse=True):
            content = content.replace(name.encode(), b"") if STUDENT in name else content
        return any(needle in content for needle in needles)

    found = []
    for path in (path for root in roots for path in root.rglob("*")):
        content = b"" if path.is_symlink() or not path.is_file() else path.read_bytes()
        if holds(os.fsencode(path.name)) or holds(content):
            found.append(str(path))
    return found


def files(*roots: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for root in roots for path in root.rglob("*") if path.is_file()}


def rows(file: Path) -> set[str]:
    """All of the database as text, but for what is about the student."""
    with closing(sqlite3.connect(file)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return set(database.iterdump())


# ---- kills


def forgotten(made: Path, kill_before: int) -> int:
    """The exit status of a fork that forgets the student, or is killed before its change number so-and-so."""
    if child := os.fork():
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    try:
        _count(kill_before)
        os._exit(len(forget(made, STUDENT)))
    except BaseException:
        import traceback

        traceback.print_exc()
        os._exit(99)


def _count(kill_before: int) -> None:
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    left = kill_before

    def one() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(lambda name, _: one() if name in CHANGES else None)
    event.listen(Engine, "commit", lambda _: one())

    def statement(connection, cursor, text, *_):
        if re.match("DELETE|VACUUM|PRAGMA wal", text):
            one()

    event.listen(Engine, "before_cursor_execute", statement)
    event.listen(Engine, "after_cursor_execute", statement)


def main(folder: Path, every: int) -> int:
    """The number of moments."""
    template = folder / "template"
    seeded(template, ("bob",))
    moment = 1
    while True:
        here = copied(template, folder / str(moment))
        made, roots = here / "course", (here / "course", here / "exchange", here / "cache")
        kept = {path: content for path, content in files(*roots).items() if "bob" in path or "outside" in path}
        status = forgotten(made, moment)
        if status == 0:
            return moment - 1
        assert status == -signal.SIGKILL, status
        assert forgotten(made, 0) == 0, f"the second run, after a kill before change {moment}"
        assert traces(*roots) == [], f"after a kill before change {moment}"
        rows(made / "gradebook.db")
        left = files(*roots)
        assert {path: left.get(path) for path in kept} == kept
        assert [path for path in left if ".forgetting" in path or path.endswith(".part")] == []
        shutil.rmtree(here)
        moment += every


if __name__ == "__main__":
    print(main(Path(sys.argv[1]), int(sys.argv[2])))
