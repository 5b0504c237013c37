"""Files that hold a run of training: plain state dicts and numbers, written whole or not at all.

    {"model": state dict, "optimizer": state dict, "best": state dict of the best weights or None,
     "epoch": passes finished, "batch": batches done of the next one, "steps": (updates, 4), "evaluations": [...],
     "begun" and "now": where the random streams stood when the pass began and where they stand, "settings": {...}}

They are read with `weights_only=True`: a file from somewhere else can be wrong, but it cannot run code.
"""

import os
import pickle
import secrets
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch

FORMAT = "dlcourse run of training, 1"


def save(path: str | Path, content: dict[str, Any]) -> None:
    """Write beside the path under another name, then rename: whoever reads, or pulls the plug, meets the old file or
    the new one, never half of one. Raises OSError when it cannot be written."""
    path = Path(path)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with open(draft, "wb") as file:
            torch.save({"format": FORMAT, **content}, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def load(path: str | Path, keys: Iterable[str] = ()) -> dict[str, Any]:
    """What `save` wrote, its tensors on the CPU. Raises ValueError for a file that is damaged or something else, or
    does not hold all these keys."""
    with open(path, "rb") as file:
        try:
            damaged = zipfile.ZipFile(file).testzip()  # torch.load does not look at the checksums that torch.save wrote
            file.seek(0)
            content = None if damaged else torch.load(file, map_location="cpu", weights_only=True)
        except pickle.UnpicklingError:  # torch's own message names a way to load it all the same, and run what it holds
            raise _unreadable(path, "it holds more than tensors and plain values") from None
        except Exception as fault:  # damage in the wrong place brings all kinds
            raise _unreadable(path, f"{type(fault).__name__}: {fault}"[:100]) from fault
    if damaged:
        raise _unreadable(path, f"the checksum of {damaged} is wrong")
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise _unreadable(path, "something else wrote it")
    if missing := set(keys) - content.keys():
        raise _unreadable(path, f"it lacks {', '.join(sorted(missing))}")
    return content


def _unreadable(path: str | Path, why: str) -> ValueError:
    return ValueError(
        f"{path} is no checkpoint of `train`, or it is damaged ({why}). Move or delete it to begin from the start, or "
        "give another path."
    )
