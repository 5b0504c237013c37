"""The archive of spoken digits: which members are recordings, and one hash for their content.

The archive's own bytes are made anew by whoever packs it (time stamps, order, compression), so a hash of them says
nothing. Hashed instead are the recordings in order of name: for each its name, a zero byte, its length as eight
big-endian bytes, its bytes. The value in the catalogue was computed so from a real copy with 3,000 recordings.
Nothing is ever extracted to disk, so no path inside an archive can lead anywhere.
"""

import hashlib
import io
import re
import tarfile

from dlcourse.data.download import Damaged

RECORDING = re.compile(r"recordings/((\d)_([a-z]+)_(\d+)\.wav)$")  # file name, digit, speaker, index


def recordings(archive: bytes) -> dict[str, bytes]:
    """File name -> wav file, in order of name. `archive` is an unpacked tar. Raises Damaged when it is not one."""
    found = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(archive), mode="r:") as tar:
            for member in tar:
                if member.isfile() and (match := RECORDING.search(member.name)):
                    found[match[1]] = tar.extractfile(member).read()
    except tarfile.TarError as fault:
        raise Damaged(f"not a sound tar archive: {fault}") from None
    return dict(sorted(found.items()))


def digest(archive: bytes) -> str:
    """SHA-256 over the recordings, as the module's docstring says."""
    summary = hashlib.sha256()
    for name, content in recordings(archive).items():
        summary.update(name.encode() + b"\0" + len(content).to_bytes(8, "big") + content)
    return summary.hexdigest()
