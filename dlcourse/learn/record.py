"""What was predicted, answered and checked, kept on this machine only."""

from typing import Any

from dlcourse import progress


def note(id: str, event: str, **data: Any) -> None:
    """Marks progress; a progress file that cannot be written costs a line, not the learner's cell."""
    try:
        progress.mark(id, event, **data)
    except OSError as error:
        print(f"(Your progress could not be saved: {error})")
