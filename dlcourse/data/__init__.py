"""Data: real sets that ship with the installed packages, bigger ones fetched on request, and generators.

    x, y = data.load("digits")                    # a set, by name; data.names() lists them
    x, y = data.moons(200, generator=generator)   # a made-up problem
    for x_batch, y_batch in data.batches(x, y, size=32, generator=generator): ...

Importing this package loads neither torch nor scikit-learn; what needs them is fetched when it is first used.
"""

from importlib import import_module
from typing import Any

_HOMES = {
    "load": "loading",
    "batches": "batching",
    "names": "catalogue",
    "info": "catalogue",
    "fetch": "catalogue",
    "DataUnavailable": "download",
    "Dataset": "kinds",
    "Series": "kinds",
    "Text": "kinds",
    "Names": "kinds",
    "Recordings": "kinds",
    "Vocabulary": "text",
    "Bytes": "text",
    "split_blocks": "text",
    "text_batches": "text",
    "windows": "series",
    "split_in_time": "series",
    "moons": "synthetic",
    "circles": "synthetic",
    "spirals": "synthetic",
    "blobs": "synthetic",
    "eight_gaussians": "synthetic",
    "parity": "synthetic",
    "copy_task": "synthetic",
    "adding_problem": "synthetic",
    "first_symbol": "synthetic",
}

__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"dlcourse.data has no {name!r}; it has {', '.join(__all__)}")


def __dir__() -> list[str]:
    return sorted(__all__)
