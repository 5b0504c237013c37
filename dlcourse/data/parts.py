"""Which examples are for training and which for testing, with no random number involved."""

import torch

from dlcourse.types import Bool, Float, Int, Tensor


def held_out(labels: Int[Tensor, " batch"]) -> Bool[Tensor, " batch"]:
    """True for the test examples: every fifth of each class, in the order given, so 20 % of each class or just below.

    >>> held_out(torch.tensor([0, 0, 0, 0, 0, 1, 1, 1, 1, 1])).int().tolist()
    [0, 0, 0, 0, 1, 0, 0, 0, 0, 1]
    """
    held = torch.zeros_like(labels, dtype=torch.bool)
    for label in labels.unique():
        held[(labels == label).nonzero().flatten()[4::5]] = True
    return held


def first_of_each(labels: Int[Tensor, " batch"], count: int) -> Bool[Tensor, " batch"]:
    """True for the first `count` examples of each class."""
    chosen = torch.zeros_like(labels, dtype=torch.bool)
    for label in labels.unique():
        chosen[(labels == label).nonzero().flatten()[:count]] = True
    return chosen


def of_text(text: str, split: str) -> str:
    """The first four fifths of a text for training, the rest for testing."""
    cut = len(text) * 4 // 5
    return {"train": text[:cut], "test": text[cut:], "all": text}[split]


def of_series(series: Float[Tensor, " time"], split: str) -> Float[Tensor, " _"]:
    """The first four fifths of a series, in time, for training, the rest for testing."""
    cut = len(series) * 4 // 5
    return {"train": series[:cut], "test": series[cut:], "all": series}[split]


def of_names(names: tuple[str, ...], split: str) -> tuple[str, ...]:
    """Every fifth different name for testing. A name that occurs twice stays in one part: it would leak otherwise.

    >>> of_names(("ann", "bo", "cy", "di", "ed", "ed", "flo"), "test")
    ('ed', 'ed')
    """
    if split == "all":
        return names
    held = set(list(dict.fromkeys(names))[4::5])
    return tuple(name for name in names if (name in held) == (split == "test"))
