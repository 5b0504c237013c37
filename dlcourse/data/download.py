"""Fetches one file so that it is either right or not there.

A file lives at the same path in all places, and they are tried in this order:

1. the shared folder `DLCOURSE_DATA` (only read), where a class or a hub keeps its copy;
2. the cache: `DLCOURSE_CACHE`, else the platform's cache folder;
3. the mirror `DLCOURSE_DATA_MIRROR`, an http(s) or file URL;
4. the public mirrors, in turn.

So a filled cache can be copied to a shared folder, or served as a mirror, as it is. Every read checks every byte, from
the cache too (a fifth of a second for MNIST): a damaged copy is reported, passed over and replaced. The hash is that of
the content *after* decompression, because two mirrors may have compressed the same content differently.
A download is held in memory (none exceeds 30 MB), checked there and only then written and renamed into place: breaking
it off leaves nothing behind, of two processes the later one replaces the file with an equal one, to resume is to run
again (files that arrived are kept).
"""

import errno
import gzip
import hashlib
import io
import os
import secrets
import warnings
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

_INSTALLED = "use a set that is installed already: digits, breast_cancer, iris, wine, china, flower or topics"
TIMEOUT = 15  # seconds without a byte; a dead mirror should not hold up a lesson


class DataUnavailable(OSError):
    """A file could be had from nowhere; the message says what was tried and what can be done."""

    def _render_traceback_(self) -> list[str]:
        return [f"DataUnavailable: {self}"]  # a learner needs the message, not the frames


class Damaged(Exception):
    """The bytes that came are not the file that was wanted."""


def plain_digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@dataclass(frozen=True)
class File:
    path: str  # in the shared folder, the cache and a mirror; .gz is unpacked on reading
    urls: tuple[str, ...]  # public mirrors
    download: int  # bytes to download, about
    size: int | None = None  # bytes of the content; None where it varies by mirror
    start: bytes = b""  # how the content begins
    sha256: str | None = None  # of the content, by `digest`; None: nobody could verify one
    digest: Callable[[bytes], str] = plain_digest


def read(file: File, *, progress: bool = False) -> bytes:
    """The file's content, unpacked and checked; fetched into the cache where it is not at hand.

    Errors: DataUnavailable when no place has it or the cache cannot be written; ValueError for a malformed mirror URL.
    Warns of a damaged or unreadable local copy before it looks further.
    """
    tried = []
    for folder in local_folders():
        where = folder / file.path
        try:
            return unpack(file, where.read_bytes())
        except FileNotFoundError:
            tried.append(f"{where}: not there")
        except (OSError, Damaged) as fault:
            tried.append(f"{where}: {reason(fault)}")
            warnings.warn(f"{where} cannot be used ({reason(fault)}); looking for a good copy", stacklevel=2)
    for url in mirrors(file):
        try:
            packed = download(url, file, progress=progress)
            content = unpack(file, packed)
        except (OSError, Damaged) as fault:
            tried.append(f"{url}: {reason(fault)}")
        else:
            save(packed, cache_folder() / file.path)
            return content
    raise DataUnavailable(
        f"{file.path} is not to be had. Tried: {'; '.join(tried)}. "
        "Ways out: try again when there is a network (what has arrived is kept); set DLCOURSE_DATA_MIRROR to the http "
        f"or file URL of a mirror; set DLCOURSE_DATA to a folder that holds {file.path}; or {_INSTALLED}."
    )


def at_hand(file: File) -> bool:
    """Whether a copy is in the shared folder or the cache (there, not checked)."""
    return any((folder / file.path).is_file() for folder in local_folders())


def cache_folder() -> Path:
    if chosen := os.environ.get("DLCOURSE_CACHE"):
        return Path(chosen).expanduser()
    import platformdirs

    return platformdirs.user_cache_path("dlcourse", appauthor=False)


def local_folders() -> list[Path]:
    shared = os.environ.get("DLCOURSE_DATA")
    return [*([Path(shared).expanduser()] if shared else []), cache_folder()]


def mirrors(file: File) -> list[str]:
    mirror = os.environ.get("DLCOURSE_DATA_MIRROR")
    if not mirror:
        return list(file.urls)
    if urlsplit(mirror).scheme not in ("http", "https", "file"):
        raise ValueError(
            f"DLCOURSE_DATA_MIRROR is {mirror!r}: wanted a URL that begins with http://, https:// or file://"
        )
    return [f"{mirror.rstrip('/')}/{file.path}", *file.urls]


def download(url: str, file: File, *, progress: bool) -> bytes:
    """The bytes behind an http(s) or file URL, as they are. Raises OSError (of which requests' errors are a kind)."""
    if urlsplit(url).scheme == "file":  # pooch knows only the network
        return Path(url2pathname(urlsplit(url).path)).read_bytes()
    import pooch
    from tqdm.auto import tqdm

    buffer = io.BytesIO()
    with tqdm(total=file.download, desc=file.path, unit="B", unit_scale=True, leave=False, disable=not progress) as bar:
        fetch = pooch.HTTPDownloader(
            progressbar=bar,
            chunk_size=2**16,
            timeout=TIMEOUT,
            headers={"Accept-Encoding": "identity"},  # else a server's own compression hides the true length
        )
        fetch(url, buffer, None)
    return buffer.getvalue()


def unpack(file: File, packed: bytes) -> bytes:
    """The content of what was read or downloaded; raises Damaged unless it is the file that was wanted."""
    if packed[:256].lstrip()[:1] == b"<":
        raise Damaged("a web page came in place of the file; a log-in page of the network, perhaps")
    try:
        content = gzip.decompress(packed) if file.path.endswith(".gz") else packed
    except EOFError:
        raise Damaged(f"cut short, {len(packed):,} bytes came") from None
    except (gzip.BadGzipFile, zlib.error) as fault:
        raise Damaged(f"not a sound gzip file: {fault}") from None
    if file.size is not None and len(content) != file.size:
        raise Damaged(f"wrong length: {len(content):,} bytes, wanted {file.size:,}")
    if not content.startswith(file.start):
        raise Damaged(f"begins with {content[: len(file.start)].hex()}, wanted {file.start.hex()}")
    if file.sha256 is not None and (came := file.digest(content)) != file.sha256:
        raise Damaged(f"wrong content: SHA-256 {came[:12]}..., wanted {file.sha256[:12]}...")
    return content


def save(packed: bytes, target: Path) -> None:
    """Writes beside the target under a name of its own, then renames: nobody ever sees half a file."""
    # Not tempfile: its files are readable by their owner only, and a cache may be copied to a shared folder.
    draft = target.with_name(f".{target.name}.{secrets.token_hex(8)}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            draft.write_bytes(packed)
            os.replace(draft, target)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
    except OSError as fault:
        why = "the disk is full" if fault.errno == errno.ENOSPC else reason(fault)
        raise DataUnavailable(
            f"{target.name} was downloaded and is right, but cannot be kept in {target.parent}: {why}. "
            "Ways out: make room, or get permission to write there, and try again; set DLCOURSE_CACHE to a folder that "
            f"can be written; set DLCOURSE_DATA to a folder that holds the file already; or {_INSTALLED}."
        ) from fault


def reason(fault: Exception) -> str:
    """One clause for a learner; requests' own texts run over four lines."""
    import requests

    if isinstance(fault, requests.HTTPError):
        return f"the server answered {fault.response.status_code} {fault.response.reason}"
    if isinstance(fault, requests.Timeout):
        return f"no answer for {TIMEOUT} seconds"
    if isinstance(fault, requests.exceptions.ChunkedEncodingError):
        return "the connection broke off"
    if isinstance(fault, requests.ConnectionError):
        return f"no connection ({type(fault).__name__})"
    if isinstance(fault, OSError) and fault.strerror:
        return fault.strerror
    return str(fault)
