"""The two secrets of a course. They stay with the person who grades: never in the course folder, never in the exchange.

    course keys     from them come the hidden seeds: who has one can work the inputs of hidden tests out beforehand
    signing keys    they sign results: who has one can forge a result

One file for each course, `~/.config/dlcourse/keys/COURSE.json` (DLCOURSE_KEYS names another folder), which only its
owner can read. It keeps every key there was: seeds of an assignment come from the key it was released with, and an old
result is verified with the key that signed it, until that key is revoked.

Seeds and signatures are HMAC-SHA256 (RFC 2104) of canonical JSON (`files.canonical`) behind a line that says which of
the two it is, so that neither can stand for the other.
"""

import hashlib
import hmac
import os
import re
import secrets
import stat
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dlcourse.course.errors import CourseError
from dlcourse.course.grading.files import alone, canonical, parse, write_whole

KINDS = ("course", "signing")
SEEDS, RESULT = b"dlcourse hidden seed 1\n", b"dlcourse signed result 1\n"
BYTES, MAX_FILE = 32, 2**20
_LETTER = {"course": "c", "signing": "s"}
_NAMES = {"id", "kind", "made", "revoked", "secret"}


class NoKeys(CourseError):
    """The course has no keys yet."""


class BadSignature(Exception):
    """These bytes are not what one of the course's keys signed. The text says why."""


@dataclass(frozen=True)
class Key:
    id: str  # a kind's letter and 8 hex digits; no secret
    kind: str  # "course" or "signing"
    made: str  # UTC, ISO
    revoked: str  # "" or since when (UTC, ISO) it no longer counts
    secret: bytes = field(repr=False)


@dataclass(frozen=True)
class Keys:
    """All keys of a course, oldest first. The last of a kind that is not revoked is in use."""

    course: str
    every: tuple[Key, ...]

    def current(self, kind: str) -> Key:
        return next(key for key in reversed(self.every) if key.kind == kind and not key.revoked)

    def seeds(self, assignment: str, version: int, exercise: str, count: int = 2, *, key: str = "") -> list[int]:
        """`count` hidden seeds below 2^31, the same for every student.

        key: the id of the course key that the assignment was released with, else the one in use. CourseError when there
        is no such key, or when it is revoked.
        """
        secret = self._released_with(key, assignment).secret if key else self.current("course").secret
        return [
            int.from_bytes(_mac(secret, SEEDS, [assignment, version, exercise, index])[:4], "big") >> 1
            for index in range(count)
        ]

    def _released_with(self, id: str, assignment: str) -> Key:
        again = f"`dlcourse course release {assignment} --again` releases it with the key in use"
        found = next((key for key in self.every if key.id == id and key.kind == "course"), None)
        if found is None:
            raise CourseError(
                f"{assignment} was released with the course key {id}, which is not among the keys in "
                f"{path(self.course)}. Bring the file from the account that released it, or: {again}."
            )
        if found.revoked:
            raise CourseError(
                f"{assignment} was released with the course key {id}, which was revoked on {found.revoked[:10]}: its "
                f"hidden tests may be known. {again}."
            )
        return found

    def sign(self, body: dict) -> dict:
        """`body` with the id of the signing key in use, and the signature of both."""
        if "key" in body:
            raise ValueError('"key" is the name under which a signed body holds the id of its key')
        key = self.current("signing")
        signed = {**body, "key": key.id}
        return {"body": signed, "signature": _mac(key.secret, RESULT, signed).hex()}

    def verify(self, signed: Any) -> dict:
        """The body that was signed, without the id of the key. BadSignature when no key of the course signed it."""
        if type(signed) is not dict or signed.keys() != {"body", "signature"} or type(signed["body"]) is not dict:
            raise BadSignature("it is no signed result")
        body, signature = signed["body"], signed["signature"]
        key = next((key for key in self.every if key.kind == "signing" and key.id == body.get("key")), None)
        if key is None:
            raise BadSignature(f"the key that it names, {str(body.get('key'))[:20]!r}, is none of this course's")
        try:
            wanted = _mac(key.secret, RESULT, body).hex()
        except (TypeError, ValueError) as error:
            raise BadSignature(f"it holds what is never signed: {error}") from error
        if type(signature) is not str or not hmac.compare_digest(wanted.encode(), signature.encode("utf-8", "replace")):
            raise BadSignature("the signature does not fit its content: the file was changed")
        if key.revoked:
            raise BadSignature(f"the key that signed it, {key.id}, was revoked on {key.revoked[:10]}")
        return {name: value for name, value in body.items() if name != "key"}

    def __reduce__(self):
        raise TypeError("Keys stay in the process that read them; send what a worker needs, seeds for example.")


def folder() -> Path:
    """Where keys are kept."""
    if named := os.environ.get("DLCOURSE_KEYS"):
        return Path(named).absolute()
    from platformdirs import user_config_path

    return user_config_path("dlcourse", appauthor=False) / "keys"


def path(course_id: str) -> Path:
    """The file of a course's keys. CourseError when the course's id cannot be a file name."""
    if not re.fullmatch(r"[\w@+][\w@+. -]{0,99}", course_id):
        raise CourseError(
            f"The course id {course_id!r} cannot be a file name: 1 to 100 letters, digits, spaces and _ - . @ + are "
            "wanted, the first a letter or a digit. It is c.CourseDirectory.course_id in nbgrader_config.py."
        )
    return folder() / f"{course_id}.json"


def load(course_id: str, *, outside: Iterable[Path] = ()) -> Keys:
    """A course's keys. NoKeys when there are none; CourseError, with what to do, when they are not safely kept.

    outside: folders they must not lie in, the course's and the exchange's.
    """
    file = path(course_id)
    content = _read(file, outside)
    if content is None:
        raise NoKeys(
            f"There are no keys for the course {course_id!r} in {file.parent}. `dlcourse course release ASSIGNMENT` "
            "makes them when the first assignment is released. If that was done on another machine or account, copy "
            f"the file {file.name} from there (mode 600)."
        )
    try:
        return _keys(course_id, parse(content))
    except (ValueError, KeyError, TypeError) as error:
        raise CourseError(
            f"{file} does not hold keys as this version of dlcourse writes them ({error}). Put back a copy of it: "
            "without these keys no result of this course can be verified."
        ) from error


def create(course_id: str, *, outside: Iterable[Path] = ()) -> Keys:
    """Makes a course's two keys. CourseError when there are keys already, or when they could not be safely kept."""
    file = path(course_id)
    with _held(file, outside):
        if _read(file, outside) is not None:
            raise CourseError(f"There are keys for the course {course_id!r} already: {file}.")
        return _write(file, Keys(course_id, (_new("course"), _new("signing"))))


def rotate(course_id: str, which: str, *, outside: Iterable[Path] = ()) -> Keys:
    """A new key, "course" or "signing", is used from now on; the old one goes on counting for what it was used for."""
    if which not in KINDS:
        raise ValueError(f"{which!r} is no kind of key; the kinds are {' and '.join(KINDS)}")
    outside = tuple(outside)
    with _held(path(course_id), outside):
        keys = load(course_id, outside=outside)
        return _write(path(course_id), replace(keys, every=(*keys.every, _new(which))))


def revoke(course_id: str, id: str, *, outside: Iterable[Path] = ()) -> Keys:
    """The key, which leaked, counts no longer. If it was the one in use, a new one takes its place.

    A signing key: results that it signed are graded again. A course key: its assignments are released again.
    """
    outside = tuple(outside)
    with _held(path(course_id), outside):
        keys = load(course_id, outside=outside)
        key = next((key for key in keys.every if key.id == id), None)
        if key is None:
            known = ", ".join(each.id for each in keys.every)
            raise CourseError(f"The course {course_id!r} has no key {id!r}. It has: {known}.")
        if key.revoked:
            raise CourseError(f"The key {id} was revoked already, on {key.revoked[:10]}.")
        every = tuple(replace(each, revoked=_now()) if each == key else each for each in keys.every)
        if all(each.revoked for each in every if each.kind == key.kind):
            every += (_new(key.kind),)
        return _write(path(course_id), replace(keys, every=every))


def _mac(secret: bytes, purpose: bytes, value: Any) -> bytes:
    return hmac.new(secret, purpose + canonical(value), hashlib.sha256).digest()


def _new(kind: str) -> Key:
    return Key(f"{_LETTER[kind]}{secrets.token_hex(4)}", kind, _now(), "", secrets.token_bytes(BYTES))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


# ---- the file


def _keys(course_id: str, plain: Any) -> Keys:
    if type(plain) is not dict or plain.keys() != {"format", "course", "keys"} or plain["format"] != 1:
        raise ValueError("it is of another format")
    if plain["course"] != course_id:
        raise ValueError(f"it is for the course {plain['course']!r}")
    keys = []
    for each in plain["keys"]:
        if type(each) is not dict or each.keys() != _NAMES or not all(type(value) is str for value in each.values()):
            raise ValueError("a key has other fields")
        if each["kind"] not in KINDS or not re.fullmatch(rf"{_LETTER[each['kind']]}[0-9a-f]{{8}}", each["id"]):
            raise ValueError(f"the key {each['id'][:20]!r} has another kind or form")
        if not re.fullmatch(rf"[0-9a-f]{{{2 * BYTES}}}", each["secret"]):
            raise ValueError(f"the key {each['id']} is not of {BYTES} bytes")
        keys.append(Key(**{**each, "secret": bytes.fromhex(each["secret"])}))
    found = Keys(course_id, tuple(keys))
    if len({key.id for key in keys}) != len(keys):
        raise ValueError("two keys have one id")
    if {key.kind for key in keys if not key.revoked} != set(KINDS):
        raise ValueError("a key of each kind must be in use")
    return found


def _write(file: Path, keys: Keys) -> Keys:
    every = [
        {"id": key.id, "kind": key.kind, "made": key.made, "revoked": key.revoked, "secret": key.secret.hex()}
        for key in keys.every
    ]
    try:
        write_whole(file, canonical({"format": 1, "course": keys.course, "keys": every}) + b"\n")
    except OSError as error:
        raise CourseError(f"Writing the keys to {file} failed: {error.strerror}. The keys are as they were.") from error
    return keys


def _held(file: Path, outside: Iterable[Path]):
    """One process at a time makes or changes keys."""
    _check_place(file.parent, outside)
    try:
        if not file.parent.exists():
            file.parent.mkdir(parents=True, mode=0o700)
            file.parent.chmod(0o700)  # whatever the umask
    except OSError as error:
        raise CourseError(
            f"Making {file.parent} for the keys failed: {error.strerror}. DLCOURSE_KEYS names another folder."
        ) from error
    _check_folder(file.parent)
    return alone(file.with_name(".lock"), f"Another dlcourse is changing the keys in {file.parent}. Try again.")


def _read(file: Path, outside: Iterable[Path]) -> bytes | None:
    """The file's bytes, None when there is none; CourseError when others could have read or changed it."""
    _check_place(file.parent, outside)
    if not os.path.lexists(file.parent):
        return None
    _check_folder(file.parent)
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        what = "is a link" if file.is_symlink() else f"cannot be opened ({error.strerror})"
        raise CourseError(
            f"The file of keys {file} {what}. Put the file itself there, of your own and mode 600."
        ) from error
    try:
        _check_owner(file, os.fstat(descriptor), stat.S_ISREG, "regular file", 0o600)
        return os.read(descriptor, MAX_FILE)
    finally:
        os.close(descriptor)


def _check_place(place: Path, outside: Iterable[Path]) -> None:
    if os.name != "posix":
        raise CourseError(
            "Keys need a system with owners and modes of files. Release and grade on Linux, or in a container."
        )
    for forbidden in outside:
        if place.resolve().is_relative_to(forbidden.resolve()):
            raise CourseError(
                f"The keys would lie in {place}, inside {forbidden}, which others can read or copy. Name another "
                "folder in DLCOURSE_KEYS, or unset it. If keys were ever there, they have leaked: see "
                "`dlcourse course keys revoke`."
            )


def _check_folder(place: Path) -> None:
    _check_owner(place, os.lstat(place), stat.S_ISDIR, "folder", 0o700)


def _check_owner(place: Path, found: os.stat_result, is_kind, kind: str, mode: int) -> None:
    """CourseError unless it is what it should be, mine, and nobody else's to read or write."""
    if stat.S_ISLNK(found.st_mode) or not is_kind(found.st_mode):
        raise CourseError(f"{place}, for the keys, is no {kind}. Put a {kind} of your own there, mode {mode:o}.")
    if found.st_uid != os.geteuid():
        raise CourseError(
            f"{place}, for the keys, belongs to the user {found.st_uid}, and you are {os.geteuid()}. Grade as that "
            "user, or name a folder of your own in DLCOURSE_KEYS."
        )
    if found.st_mode & 0o077:
        raise CourseError(
            f"{place}, for the keys, is open to others (mode {stat.S_IMODE(found.st_mode):o}). If anybody else uses "
            "this machine the keys may have leaked: see `dlcourse course keys revoke`. "
            f"Close it: chmod {mode:o} '{place}'"
        )
