"""Releasing an assignment: what the students get is what the sources give, and what it was is written down.

1. nbgrader makes the students' notebook anew, in a temporary folder with a gradebook of its own;
2. its bytes must be those in exercises/ASSIGNMENT, which everybody has read;
3. nbgrader enters the assignment, with its due date, into the course's gradebook;
4. nbgrader puts it into the exchange;
5. the lock is written (see lock.py). Killed before this, `release` can simply be run again.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

from dlcourse.course.errors import CourseError
from dlcourse.course.grading import keys as keys_
from dlcourse.course.grading.files import alone
from dlcourse.course.grading.keys import Keys, NoKeys
from dlcourse.course.grading.lock import (
    Lock,
    as_it_is,
    as_utc,
    differences,
    exercises,
    first_line,
    lock_path,
    no_nbgrader,
    open_gradebook,
    read_lock,
    write_lock,
)
from dlcourse.course.grading.settings import Settings, forbidden, load_keys, path_with_programs, settings
from dlcourse.course.grading.spec import Spec, read_spec

__all__ = ["Lock", "Released", "as_it_is", "differences", "exercises", "load_keys", "read_lock", "release"]

SHOWN = 5  # cells that differ
IGNORED = {".ipynb_checkpoints", "__pycache__"}  # by nbgrader too


@dataclass(frozen=True)
class Released:
    """What a release did. new_keys: the file of keys, when it was made now. exchange: where students fetch from."""

    lock: Lock
    spec: Spec
    new_keys: Path | None
    exchange: Path | None


def release(
    course: Path,
    assignment: str,
    *,
    due: datetime | None = None,
    again: bool = False,
    exchange: bool = True,
    on_step: Callable[[int, int, str], None] = lambda *_: None,
) -> Released:
    """Releases solutions/ASSIGNMENT to the students, and writes the lock that grading goes by.

    due: with a time zone; without one what the gradebook says stays. again: release what was released already, as the
    next version, with other hidden seeds. exchange: put it into nbgrader's exchange as well. on_step: told how many
    steps are done, of how many, and what comes now; each takes nbgrader seconds.
    Raises CourseError, with what to do. Until the last step is done `read_lock` says what it said before.
    """
    course = Path(course).resolve()
    path, here, spec = lock_path(course, assignment), settings(course), read_spec(course, assignment)
    exercises(spec)  # refuses ids that are none
    if find_spec("nbgrader") is None:
        raise no_nbgrader(ModuleNotFoundError(name="nbgrader"))
    with alone(course / "grading" / ".lock", "Another dlcourse grades or releases here. Wait until it is done."):
        earlier = read_lock(course, assignment) if path.exists() else None
        if earlier and not again:
            raise CourseError(
                f"{assignment} was released on {earlier.released_at[:10]}, as version {earlier.version}. With --again "
                f"it becomes version {earlier.version + 1}, with other hidden seeds, and all are graded again."
            )
        outbound = _outbound(here, assignment, again) if exchange else None
        _keys_or_none(here)  # keys that are not safely kept are found before anything is done
        with tempfile.TemporaryDirectory(prefix="dlcourse-release-") as temporary:
            on_step(0, 3, "making the students' notebook")
            _generate(here, assignment, Path(temporary, "checked"), f"sqlite:///{temporary}/gradebook.db")
            _require_same(Path(temporary, "checked", "exercises", assignment), course / "exercises" / assignment)
            on_step(1, 3, "entering it in the gradebook")
            _generate(here, assignment, Path(temporary, "entered"), None if here.explicit_gradebook else here.gradebook)
        if due is not None:
            _set_due_date(here, assignment, due)
        if exchange and not (outbound and _same_files(outbound, course / "exercises" / assignment)):
            options = [f"--course={here.id}", f"--CourseDirectory.root={course}", *(["--force"] if again else [])]
            on_step(2, 3, "handing it to the exchange")
            _nbgrader(course, "release_assignment", assignment, *options)
        had_keys = _keys_or_none(here)
        keys = had_keys or keys_.create(here.id, outside=forbidden(here))
        lock = replace(
            as_it_is(course, spec),
            version=earlier.version + 1 if earlier else 1,
            key=keys.current("course").id,
            released_at=as_utc(datetime.now(UTC)),
        )
        write_lock(course, lock)
    return Released(lock, spec, None if had_keys else keys_.path(here.id), outbound)


def _keys_or_none(here: Settings) -> Keys | None:
    try:
        return keys_.load(here.id, outside=forbidden(here))
    except NoKeys:
        return None


# ---- nbgrader


def _generate(here: Settings, assignment: str, folder: Path, gradebook: str | None) -> None:
    """`nbgrader generate_assignment` on a copy of the sources. gradebook: None for the one that a setting names."""
    shutil.copytree(here.course / "solutions" / assignment, folder / "solutions" / assignment)
    options = [] if gradebook is None else [f"--CourseDirectory.db_url={gradebook}"]
    _nbgrader(
        here.course,  # its settings are read there
        *("generate_assignment", assignment, "--force", f"--course={here.id}", f"--CourseDirectory.root={folder}"),
        *("--CourseDirectory.source_directory=solutions", "--CourseDirectory.release_directory=exercises", *options),
    )


def _nbgrader(course: Path, *arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "nbgrader", *arguments],
        cwd=course,
        env={**os.environ, "PATH": path_with_programs()},  # without alembic it leaves a half-made gradebook
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
    )
    if done.returncode:
        said = "\n".join(line for line in (done.stdout + done.stderr).splitlines() if line.strip())[-2000:]
        raise CourseError(f"`nbgrader {' '.join(arguments[:2])}` failed, and said:\n{said}")


def _set_due_date(here: Settings, assignment: str, due: datetime) -> None:
    if due.tzinfo is None:
        raise ValueError("a due date needs a time zone")
    with open_gradebook(here) as gradebook:
        from sqlalchemy.exc import SQLAlchemyError

        try:
            gradebook.update_or_create_assignment(assignment, duedate=as_utc(due))
        except SQLAlchemyError as error:
            raise CourseError(f"Setting the due date in {here.gradebook} failed: {first_line(error)}") from error


# ---- the exchange


def _outbound(here: Settings, assignment: str, again: bool) -> Path | None:
    """Where students fetch from; None for an exchange that is no folder.

    CourseError when there is no exchange, or when it holds another assignment of this name that may not be replaced.
    """
    root = here.exchange
    if root is None:
        return None
    if not root.is_dir():
        what = "is no folder" if root.exists() else "does not exist"
        raise CourseError(
            f"The exchange {root} {what}. Set c.Exchange.root in nbgrader_config.py to a folder that students can "
            "reach too, and make it (mode 1777), or release with --no-exchange, which only prepares gradebook and lock."
        )
    if not os.access(root, os.W_OK | os.X_OK):
        raise CourseError(f"You may not write into the exchange {root}, which is c.Exchange.root: chmod 1777 '{root}'")
    outbound = root / here.id / "outbound" / assignment
    if outbound.exists() and not again and not _same_files(outbound, here.course / "exercises" / assignment):
        raise CourseError(f"{outbound} holds another {assignment}, which students may have. --again replaces it.")
    return outbound


# ---- what students get is what was committed


def _same_files(one: Path, other: Path) -> bool:
    return _files(one) == _files(other) != {}


def _files(folder: Path) -> dict[str, bytes]:
    found = {path.relative_to(folder): path for path in folder.rglob("*") if path.is_file()}
    return {name.as_posix(): path.read_bytes() for name, path in found.items() if not IGNORED & set(name.parts)}


def _require_same(made: Path, committed: Path) -> None:
    """CourseError, which says what differs and what to do, unless both folders hold the same bytes."""
    here, there = _files(made), _files(committed)
    told = []
    for name in sorted(here.keys() | there.keys()):
        if name not in there:
            told.append(f"{name} is missing")
        elif name not in here:
            told.append(f"{name} is none of what nbgrader makes")
        elif here[name] != there[name]:
            cells = _cells_that_differ(here[name], there[name])
            told += [f"{name}, {cell}" for cell in cells[:SHOWN]] or [f"{name} differs in other things than its cells"]
            told += [f"and {len(cells) - SHOWN} more cells"] * (len(cells) > SHOWN)
    if told:
        assignment = committed.name
        raise CourseError(
            f"exercises/{assignment} is not what nbgrader makes from solutions/{assignment}, so nothing was released:\n"
            + "".join(f"- {line}\n" for line in told)
            + "Make it again with `dlcourse course build` (for a notebook that was written in Jupyter: "
            f"`nbgrader generate_assignment {assignment} --force`), look at what changed, and release then."
        )


def _cells_that_differ(made: bytes, committed: bytes) -> list[str]:
    """In words, in the order of what nbgrader made."""
    try:
        pair = [json.loads(content)["cells"] for content in (made, committed)]
        here, there = ({cell.get("id", f"number {n}"): cell for n, cell in enumerate(cells, 1)} for cells in pair)
    except (ValueError, TypeError, KeyError, AttributeError):
        return ["which is no notebook"]
    told = [f"cell {id}: {_how(cell, there.get(id))}" for id, cell in here.items() if cell != there.get(id)]
    told += [f"cell {id}: not in the solutions" for id in there if id not in here]
    return told or ["its order of cells"] * (list(here) != list(there))


def _how(made: dict, committed: dict | None) -> str:
    if committed is None:
        return "missing"
    names = sorted(name for name in made.keys() | committed.keys() if made.get(name) != committed.get(name))
    return f"another {' and '.join(names)}"
