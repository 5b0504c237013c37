"""What lies beside a notebook that was handed in, as far as nbgrader goes by it: timestamp.txt and a secret.

Both files are the student's to write: nbgrader's `submit` runs on the student's account. So they are read as hostile,
and nothing else of the folder is read or copied (formgrader would serve it from the instructor's own server).
"""

import os
import re
import secrets
import stat
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

SMALL = 1024  # bytes: more than any timestamp.txt or submission_secret.txt of nbgrader's
SKEW = timedelta(minutes=10)  # a student's clock may be this much ahead


@dataclass(frozen=True)
class HandedIn:
    """When a notebook was handed in, and the secret with which its student fetches the feedback."""

    at: datetime | None  # UTC without a zone, as nbgrader has it; None = no time, which counts as on time
    stamp: str  # the same, for timestamp.txt
    secret: bytes  # with which the student fetches the feedback; b"" = none
    strange: str = ""  # why the time is not believable

    def flags(self, *, released: datetime | None = None, now: datetime | None = None) -> list[str]:
        """What the instructor should see. A time counts as it stands, as nbgrader has it."""
        now = now or datetime.now(UTC).replace(tzinfo=None)
        flags = [self.strange] if self.strange else []
        if self.at and self.at > now + SKEW:
            flags.append(f"timestamp.txt lies in the future ({self.at:%Y-%m-%d %H:%M} UTC); it counts as it stands")
        if self.at and released and self.at < released:
            flags.append(
                f"timestamp.txt is from before the release ({self.at:%Y-%m-%d %H:%M} UTC); it counts as it stands"
            )
        return flags


def read(folder: Path) -> HandedIn:
    """What a student's folder of submitted/ says; a file that nobody can read says nothing."""
    secret = small_file(folder, "submission_secret.txt") or b""
    if not re.fullmatch(rb"[0-9A-Za-z]{1,256}", secret.strip()):
        secret = b""
    content = small_file(folder, "timestamp.txt")
    if content is None:
        return HandedIn(None, "", secret)
    counts = "the submission counts as on time"
    at = time_of(content.decode("ascii", "replace").strip())
    if at is None:
        return HandedIn(None, "", secret, f"timestamp.txt holds no time; {counts}")
    return HandedIn(at, f"{at:%Y-%m-%d %H:%M:%S.%f} UTC\n", secret)


def time_of(text: str) -> datetime | None:
    """The time in a text of the student's, in UTC without a zone; None when there is none."""
    # A zone is a name without a slash: dateutil would open /any/file as a zone's description.
    if not re.fullmatch(r"[0-9A-Za-z :.,+-]{8,64}", text):
        return None
    from nbgrader.utils import parse_utc

    try:
        return parse_utc(text)
    except Exception:  # dateutil raises ArithmeticError and others, of which its documentation knows nothing
        return None


def small_file(folder: Path, name: str) -> bytes | None:
    """A regular file of the student's, never through a link; b"" when it is anything else or larger than such files."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
    with ExitStack() as stack:
        try:
            at = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            stack.callback(os.close, at)
            file = os.open(name, flags, dir_fd=at)
            stack.callback(os.close, file)
        except FileNotFoundError:
            return None
        except OSError:  # a link, a socket
            return b""
        found = os.fstat(file)
        if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1 or found.st_size > SMALL:
            return b""
        return os.read(file, SMALL)


def secret_of(handed_in: HandedIn, folder: Path) -> bytes:
    """release_feedback stops for the whole class where one submission has no secret, so each gets one."""
    if handed_in.secret:
        return handed_in.secret
    with suppress(OSError):
        if found := (folder / "submission_secret.txt").read_bytes():
            return found
    return secrets.token_hex(64).encode()
