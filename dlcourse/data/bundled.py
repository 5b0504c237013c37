"""Sets that come with scikit-learn and Python itself. scikit-learn is imported when a set is asked for."""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import torch

from dlcourse.data.catalogue import source
from dlcourse.data.kinds import Dataset, Text

# As far as the publishers tell.
_UNITS = {
    "breast_cancer": "radius, perimeter and area in a unit of length that was not published; the others have none",
    "iris": "cm",
    "wine": "as published: alcohol in % by volume, the others in various units",
}


def digits() -> Dataset:
    from sklearn.datasets import load_digits

    raw = load_digits()
    return Dataset(
        name="digits",
        x=torch.from_numpy(raw.images).float().div(16).unsqueeze(1),  # ink is counted from 0 to 16
        y=torch.from_numpy(raw.target).long(),
        classes=tuple(str(name) for name in raw.target_names),
        features=(),
        units="ink, from 0 (none) to 1 (all of the pixel)",
        source=source("digits").origin,
        licence=source("digits").licence,
    )


def table(name: str) -> Dataset:
    from sklearn import datasets

    raw = getattr(datasets, f"load_{name}")()
    return Dataset(
        name=name,
        x=torch.from_numpy(raw.data).float(),
        y=torch.from_numpy(raw.target).long(),
        classes=tuple(str(label) for label in raw.target_names),
        features=tuple(str(feature) for feature in raw.feature_names),
        units=_UNITS[name],
        source=source(name).origin,
        licence=source(name).licence,
    )


def photograph(name: str) -> Dataset:
    from sklearn.datasets import load_sample_image

    raw = torch.from_numpy(load_sample_image(f"{name}.jpg").copy())  # height, width, colour; bytes
    return Dataset(
        name=name,
        x=raw.permute(2, 0, 1).unsqueeze(0).contiguous().float().div(255),
        y=torch.zeros(1, dtype=torch.long, device=raw.device),
        classes=(name,),
        features=(),
        units="red, green, blue (sRGB), from 0 to 1",
        source=source(name).origin,
        licence=source(name).licence,
    )


def topics() -> Text:
    entry = source("topics")
    try:
        from pydoc_data.topics import topics as parts
    except ImportError:  # some distributions leave it out
        origin = "modules of Python's standard library, as source text"
        return Text("topics", _standard_library(), origin, entry.licence)
    return Text("topics", "\n".join(parts[key] for key in sorted(parts)), entry.origin, entry.licence)


def _standard_library() -> str:
    modules = ("argparse", "ast", "datetime", "difflib", "inspect", "pathlib", "statistics", "tarfile", "textwrap")
    return "\n".join(Path(find_spec(module).origin).read_text(encoding="utf-8") for module in modules)


LOADERS: dict[str, Callable[[], Dataset | Text]] = {
    "digits": digits,
    "breast_cancer": lambda: table("breast_cancer"),
    "iris": lambda: table("iris"),
    "wine": lambda: table("wine"),
    "china": lambda: photograph("china"),
    "flower": lambda: photograph("flower"),
    "topics": topics,
}
