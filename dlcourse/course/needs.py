"""How much memory a notebook of the course takes, as `chapters/needs.toml` states it:

    [peak]
    01-neurons = 0.65
    exercises = 0.55

In GB, the most that the notebook's kernel holds (resident memory); `exercises` stands for every exercise notebook.
Tests run all of them under a real limit and hold them to it.
"""

import re
import tomllib
from functools import cache
from pathlib import Path

from dlcourse.learn.content import content_root

GB = 1e9
UNKNOWN = 0.15 * GB  # of a notebook that is not the course's: a kernel and a little


@cache
def needs() -> dict[str, float]:
    """Bytes that the kernel of each chapter, and of `exercises`, holds at its peak."""
    table = tomllib.loads((content_root() / "chapters/needs.toml").read_text(encoding="utf-8"))
    return {name: gigabytes * GB for name, gigabytes in table["peak"].items()}


def peak(notebook: str) -> float:
    """Bytes that the notebook of this name or path holds at its peak; a learner's copy of it too."""
    stem = re.sub(r"(-Copy\d+| \(.*\))+$", "", Path(notebook).stem)
    return needs().get("exercises" if stem.endswith("-exercises") else stem, UNKNOWN)
