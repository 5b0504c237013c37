"""What a learner has tried and done, in one small JSON file on their own machine. Nothing is sent anywhere.

    {"01.sigmoid": {"tried": {"times": 2, "last": "2030-01-31T09:00:00+00:00"}, "done": {...}}}

Off (marks are dropped, nothing is read) when DLCOURSE_PROGRESS=0, in grading (DLCOURSE_GRADED=1) and under pytest,
whose PYTEST_VERSION reaches the notebook kernels that it starts too.
"""

import json
import os
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

Progress = dict[str, dict[str, dict[str, Any]]]


def path() -> Path:
    """The file, in the platform's state folder."""
    from platformdirs import user_state_path

    return user_state_path("dlcourse", appauthor=False) / "progress.json"


def is_on() -> bool:
    return (
        os.environ.get("DLCOURSE_PROGRESS") != "0"
        and os.environ.get("DLCOURSE_GRADED") != "1"
        and "PYTEST_VERSION" not in os.environ
    )


def mark(id: str, event: str, **data: Any) -> None:
    """Notes that `event` ("tried", "done") happened to `id`, with a count, the time and any plain `data`.

    OSError when the file cannot be written.
    """
    if not is_on():
        return
    progress = read()
    entry = progress.setdefault(id, {}).setdefault(event, {"times": 0})
    entry |= {**data, "times": entry["times"] + 1, "last": datetime.now(UTC).isoformat(timespec="seconds")}
    _write(path(), progress)


def read() -> Progress:
    """Everything noted so far. A damaged file is kept under another name, and progress begins anew."""
    if not is_on():
        return {}
    file = path()
    try:
        return _parse(file.read_bytes())
    except FileNotFoundError:
        return {}
    except ValueError as error:
        aside = file.with_name(f"progress-damaged-{datetime.now(UTC):%Y%m%d-%H%M%S-%f}.json")
        os.replace(file, aside)
        print(f"The progress file could not be read ({error}). It was set aside as {aside}; progress begins anew.")
        return {}


def export(target: str | Path) -> Path:
    """Writes everything noted so far to `target`, to carry it to another machine."""
    target = Path(target)
    _write(target, read())
    return target


def import_(source: str | Path) -> None:
    """Adds what another machine exported: of every event the larger count stays. ValueError when `source` is none."""
    source = Path(source)
    try:
        other = _parse(source.read_bytes())
    except ValueError as error:
        raise ValueError(
            f"{source} is no exported progress: {error}. Make one with `dlcourse progress export`."
        ) from error
    if not is_on():
        raise RuntimeError("Progress is off (DLCOURSE_PROGRESS=0 or grading), so nothing can be imported.")
    merged = read()
    for id, events in other.items():
        mine = merged.setdefault(id, {})
        for event, entry in events.items():
            mine[event] = max(mine.get(event, entry), entry, key=lambda e: (e["times"], e.get("last", "")))
    _write(path(), merged)


def clear() -> list[Path]:
    """Removes everything noted so far, damaged files that were set aside too; what was removed comes back."""
    folder = path().parent
    found = [path(), *folder.glob("progress-damaged-*.json"), *folder.glob(".progress-*")]
    found = [file for file in found if file.exists()]
    for file in found:
        file.unlink()
    return found


def _parse(content: bytes) -> Progress:
    """The progress in a file's bytes; ValueError when it has another form."""
    try:
        progress = json.loads(content)
    except RecursionError as error:
        raise ValueError("nested too deep") from error
    is_right = isinstance(progress, dict) and all(
        isinstance(events, dict) and all(isinstance(e, dict) and type(e.get("times")) is int for e in events.values())
        for events in progress.values()
    )
    if not is_right:
        raise ValueError("it is JSON of another form")
    return progress


def _write(file: Path, progress: Progress) -> None:
    """In one step: a reader, or a machine that stops halfway, sees the old file or the new one."""
    file.parent.mkdir(parents=True, exist_ok=True)
    handle, new = tempfile.mkstemp(dir=file.parent, prefix=".progress-")
    try:
        with open(handle, "w", encoding="utf-8") as writer:
            json.dump(progress, writer, indent=1, sort_keys=True)
            writer.flush()
            os.fsync(writer.fileno())
        os.replace(new, file)
    except BaseException:
        os.unlink(new)
        raise
