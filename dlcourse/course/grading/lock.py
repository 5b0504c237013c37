"""What an assignment was when it was released, so that nobody is graded by another one unawares.

    course/grading/locks/ASSIGNMENT.json     the release in force; earlier ones stay beside it as NAME.1, NAME.2

`differences` says in words what is not any more as it was.
"""

import ast
import hashlib
import re
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from dlcourse import __version__
from dlcourse.course.errors import CourseError
from dlcourse.course.grading.files import canonical, parse, write_whole
from dlcourse.course.grading.result import plain_assignment
from dlcourse.course.grading.settings import Settings, programs_found, settings, spare_the_grammar
from dlcourse.course.grading.spec import Spec

FORMAT = 1
CHECKS = "dlcourse.checks"


@dataclass(frozen=True)
class Lock:
    assignment: str
    version: int  # 1, 2, ...: another one draws other hidden seeds
    key: str  # id of the course key that the seeds come from
    dlcourse: str
    spec: str  # digest of the instructor's cells
    checks: dict[str, str]  # exercise -> SHA-256 of the sources of its check
    points: dict[str, float]  # cell -> what it can earn, manual ones too
    due: str  # UTC, ISO; "" for none
    released_at: str  # UTC, ISO


def lock_path(course: Path, assignment: str) -> Path:
    return Path(course) / "grading" / "locks" / f"{plain_assignment(assignment)}.json"


def write_lock(course: Path, lock: Lock) -> Path:
    """Whole or not at all, an earlier one kept beside it. CourseError when it cannot be written."""
    path = lock_path(course, lock.assignment)
    try:
        write_whole(path, canonical({"format": FORMAT, **asdict(lock)}) + b"\n", keep=True)
    except OSError as error:
        raise CourseError(
            f"Writing the lock {path} failed: {error.strerror or error}. {lock.assignment} is in the gradebook, and "
            "the lock is as it was: make room, or the folder writable, and run the same command again."
        ) from error
    return path


def read_lock(course: Path, assignment: str, version: int | None = None) -> Lock:
    """The lock in force, or that of an earlier version. CourseError when there is none, or when it is damaged."""
    path = lock_path(course, assignment)
    for each in [path, *path.parent.glob(f"{path.name}.*")]:
        try:
            lock = _lock(parse(each.read_bytes()))
        except FileNotFoundError:
            break
        except (ValueError, TypeError) as error:
            raise CourseError(
                f"{each} is no lock that this version of dlcourse reads ({error}). Put back a copy of it, or move it "
                f"away and release again: `dlcourse course release {assignment}`."
            ) from error
        if lock.assignment != assignment:
            raise CourseError(f"{each} is the lock of {lock.assignment}. Put back the one of {assignment}.")
        if version in (None, lock.version):
            return lock
    which = f"version {version} of {assignment}" if version else assignment
    raise CourseError(
        f"There is no record that {which} was released ({path}). `dlcourse course release {assignment}` releases it; "
        "--no-exchange does so for a class without an exchange."
    )


_FIELDS = {"format": int, "version": int, "checks": dict, "points": dict}


def _lock(plain: Any) -> Lock:
    names = {"format", *Lock.__dataclass_fields__}
    if type(plain) is not dict or plain.get("format") != FORMAT or plain.keys() != names:
        raise ValueError("it is of another format")
    for name, value in plain.items():
        if type(value) is not _FIELDS.get(name, str):
            raise ValueError(f"its {name} is {value!r}"[:200])
    texts, numbers = plain["checks"].values(), plain["points"].values()
    if plain["version"] < 1 or {type(text) for text in texts} - {str} or {type(n) for n in numbers} - {int, float}:
        raise ValueError("a value in it is of another type")
    return Lock(**{name: value for name, value in plain.items() if name != "format"})


def as_it_is(course: Path, spec: Spec, lock: Lock | None = None) -> Lock:
    """What a lock would say of the assignment as it is now; version, key and day of release are those of `lock`."""
    return Lock(
        assignment=spec.assignment,
        version=lock.version if lock else 1,
        key=lock.key if lock else "",
        dlcourse=__version__,
        spec=spec.digest,
        checks={id: check_digest(id) for id in exercises(spec)},
        points={cell.id: cell.points for cell in (*spec.tests, *spec.manual)},
        due=due_date(settings(course), spec.assignment),
        released_at=lock.released_at if lock else "",
    )


def differences(lock: Lock, now: Lock) -> list[str]:
    """What is no longer as it was released, a sentence each, for an instructor; empty when nothing is."""
    found = []
    if lock.dlcourse != now.dlcourse:
        found.append(f"dlcourse was version {lock.dlcourse} and is {now.dlcourse}.")
    for id, was, is_ in _changes(lock.checks, now.checks):
        found.append(
            f"The check of {id} is not the one of the release, or something that it uses was changed."
            if was and is_
            else f"The check of {id} {'is no longer asked for' if was else 'was not asked for at the release'}."
        )
    for id, was, is_ in _changes(lock.points, now.points):
        if was is None:
            found.append(f"The cell {id}, worth {is_:g}, was not there.")
        elif is_ is None:
            found.append(f"The cell {id}, worth {was:g}, is gone.")
        else:
            found.append(f"The cell {id} was worth {was:g} and is worth {is_:g}.")
    if lock.spec != now.spec:
        found.append(
            f"The cells of solutions/{lock.assignment} are not those of the release: a text, a hidden test, points or "
            f"the order (digest {lock.spec[:12]} then, {now.spec[:12]} now)."
        )
    if lock.due != now.due:
        found.append(f"It was due {_day(lock.due)}, and the gradebook says {_day(now.due)}.")
    return found


def _changes(was: dict, is_: dict) -> list[tuple]:
    pairs = ((id, was.get(id), is_.get(id)) for id in sorted(was.keys() | is_.keys()))
    return [(id, then, now) for id, then, now in pairs if then != now]


def _day(due: str) -> str:
    return f"at {due[:16].replace('T', ' ')} UTC" if due else "on no date"


def due_date(here: Settings, assignment: str) -> str:
    """What the gradebook says; "" for no date, no such assignment or no gradebook yet."""
    if not here.has_gradebook:
        return ""
    with open_gradebook(here) as gradebook:
        from nbgrader.api import MissingEntry

        try:
            due = gradebook.find_assignment(assignment).duedate
        except MissingEntry:
            return ""
    return as_utc(due.replace(tzinfo=UTC)) if due else ""


def open_gradebook(here: Settings):
    """nbgrader's Gradebook, for a `with`. CourseError when nbgrader is missing or the gradebook cannot be opened."""
    spare_the_grammar()
    try:
        from nbgrader.api import Gradebook
    except ModuleNotFoundError as error:
        raise no_nbgrader(error) from error
    from sqlalchemy.exc import SQLAlchemyError

    try:
        with programs_found():
            return Gradebook(here.gradebook, here.id)
    except SQLAlchemyError as error:
        raise CourseError(f"The gradebook {here.gradebook} cannot be opened: {first_line(error)}") from error


def no_nbgrader(error: ModuleNotFoundError) -> CourseError:
    return CourseError(
        f"Releasing and grading need {error.name}, which is not installed: pip install 'dlcourse[grading]' "
        "(in a checkout: pip install -c constraints.txt -e '.[grading]')."
    )


def first_line(error: Exception) -> str:
    return str(error).split("\n")[0]


def as_utc(when: datetime) -> str:
    return when.astimezone(UTC).isoformat(timespec="seconds")


# ---- the checks of an assignment, read as text: importing them would import torch


def exercises(spec: Spec) -> list[str]:
    """The exercises whose hidden seeds a test asks for, sorted.

    CourseError when one is none of ours, or is not written out: its seeds could not be set.
    """
    found = set()
    for test in spec.tests:
        for id in _asked(f"{test.hidden}\n"):
            if not _home(id):
                what = repr(id) if id else "an id that is not written out"
                raise CourseError(
                    f"The hidden test {test.id} of {spec.assignment} asks checks.hidden_seeds for {what}; the id of an "
                    'exercise of this package is wanted, as in checks.hidden_seeds("01.sigmoid").'
                )
            found.add(id)
    return sorted(found)


def _asked(source: str) -> list[str]:
    """The ids that a hidden test gives to hidden_seeds; "" for one that is not written out."""
    if "hidden_seeds" not in source:
        return []
    try:
        calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    except SyntaxError:  # a magic: the text must do
        return re.findall(r"hidden_seeds\(\s*[\"']([^\"']*)[\"']\s*\)", source) or [""]
    calls = [call for call in calls if ast.unparse(call.func).split(".")[-1] == "hidden_seeds"]
    ids = [call.args[0].value if call.args and isinstance(call.args[0], ast.Constant) else "" for call in calls]
    return [id if isinstance(id, str) else "" for id in ids] or [""]


def check_digest(exercise: str) -> str:
    """SHA-256 over the sources of an exercise's check: its module and all that it imports inside dlcourse.checks.

    What the check imports from the rest of the package is told by the package's version.
    """
    modules, waiting = set(), [_home(exercise)]
    while waiting:
        if (module := waiting.pop()) not in modules:
            modules.add(module)
            waiting += _imports(module)
    sources = [[module, hashlib.sha256(_modules()[module].read_bytes()).hexdigest()] for module in sorted(modules)]
    return hashlib.sha256(canonical(sources)).hexdigest()


@cache
def _home(exercise: str) -> str:
    """The module that the check of an exercise stands in, "" for none. Only texts that have the id are parsed."""
    for name, path in _modules().items():
        source = path.read_bytes()
        for node in ast.walk(ast.parse(source)) if exercise and exercise.encode() in source else ():
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Exercise":
                ids = [keyword.value for keyword in node.keywords if keyword.arg == "id"]
                if [id.value for id in ids if isinstance(id, ast.Constant)] == [exercise]:
                    return name
    return ""


@cache
def _modules() -> dict[str, Path]:
    root = Path(__file__).parents[2] / "checks"
    found = {}
    for path in root.rglob("*.py"):
        parts = path.relative_to(root).with_suffix("").parts
        found[".".join([CHECKS, *(parts[:-1] if parts[-1] == "__init__" else parts)])] = path
    return found


def _imports(module: str) -> list[str]:
    """Modules of dlcourse.checks that a module imports, wherever in its text."""
    return [name for name in _named_imports(_modules()[module].read_bytes()) if name in _modules()]


@cache
def _named_imports(source: bytes) -> tuple[str, ...]:
    """The modules that a source imports; `from a import b` is a.b where that is a module of ours, else a."""
    names = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            names += [name if name in _modules() else node.module for name in inner]
    return tuple(names)
