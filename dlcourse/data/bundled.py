"""Sets that come with scikit-learn, Python and the course. scikit-learn is imported when a set of it is asked for."""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import torch

from dlcourse.data.catalogue import source
from dlcourse.data.kinds import Dataset, Series, Text

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


def series(name: str, *, season: int, units: str) -> Series:
    """A table of the course: a year, or a year and month, and a value in each row."""
    lines = (Path(__file__).parent / "tables" / f"{name}.csv").read_text(encoding="utf-8").splitlines()[1:]
    rows = [line.split(",") for line in lines]
    return Series(
        name=name,
        years=torch.tensor([_year(when) for when, _ in rows], dtype=torch.float32, device="cpu"),
        values=torch.tensor([float(value) for _, value in rows], dtype=torch.float32, device="cpu"),
        season=season,
        units=units,
        source=source(name).origin,
        licence=source(name).licence,
    )


def _year(when: str) -> float:
    """The middle of a year or of a month, counted in years.

    >>> _year("1958"), _year("1958-07")
    (1958.5, 1958.5416666666667)
    """
    year, _, month = when.partition("-")
    return int(year) + ((int(month) - 0.5) / 12 if month else 0.5)


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


LOADERS: dict[str, Callable[[], Dataset | Series | Text]] = {
    "digits": digits,
    "breast_cancer": lambda: table("breast_cancer"),
    "iris": lambda: table("iris"),
    "wine": lambda: table("wine"),
    "china": lambda: photograph("china"),
    "flower": lambda: photograph("flower"),
    "sunspots": lambda: series("sunspots", season=11, units="sunspot number, mean of the year"),
    "co2": lambda: series("co2", season=12, units="CO2 in the air, ppm by volume, mean of the month"),
    "topics": topics,
}
