"""dlcourse: a deep-learning course that runs, checks itself and grades.

Importing it loads neither torch nor matplotlib: each name below is fetched when it is first used.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "seed": "dlcourse.seeding",
    "generator": "dlcourse.seeding",
    "default_device": "dlcourse.device",
    "use_threads": "dlcourse.device",
    "claim": "dlcourse.learn",
    "predict": "dlcourse.learn",
    "reveal": "dlcourse.learn",
    "quiz": "dlcourse.learn",
    "glossary": "dlcourse.learn",
}
_ROOMS = (
    "attacks",
    "attribution",
    "autograd",
    "checks",
    "data",
    "defenses",
    "generation",
    "hooks",
    "landscape",
    "learn",
    "mechanistic",
    "models",
    "nn",
    "optim",
    "plot",
    "training",
    "units",
    "widgets",
)

__all__ = ["__version__", *_HOMES, *_ROOMS]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    if name in _ROOMS:
        return import_module(f"dlcourse.{name}")
    raise AttributeError(f"dlcourse has no {name!r}; it has {', '.join(__all__)}")


def __dir__() -> list[str]:
    return sorted(__all__)
