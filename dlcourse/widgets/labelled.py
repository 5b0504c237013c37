"""The learner's pictures, labels and names of classes, checked: what explorers of a classifier are given.

Each raises ValueError that names the widget, what came and what is wanted.
"""

from collections.abc import Sequence
from typing import Any

from dlcourse.types import Float, Int, Tensor
from dlcourse.widgets.params import shown

MOST_PIXELS = 4096
MOST_CLASSES = 30
LONGEST = 30  # characters of a name


def pictures(widget: str, x: Any, *, needs_two: str) -> Float[Tensor, "batch 1 height width"]:
    """Pictures (n, 1, height, width) in [0, 1]; needs_two: what cannot be done with a single pixel."""
    came = tuple(x.shape) if isinstance(x, Tensor) else type(x).__name__
    if not isinstance(x, Tensor) or x.ndim != 4 or x.shape[1] != 1 or not x.numel() or x[0].numel() > MOST_PIXELS:
        raise ValueError(
            f"{widget} got pictures {came}; wanted a tensor (n, 1, height, width), of at most {MOST_PIXELS} "
            "pixels each; x[:, None] adds the channel."
        )
    if x[0].numel() < 2:
        raise ValueError(f"{widget} got pictures of one pixel; {needs_two}.")
    if not x.is_floating_point():
        raise ValueError(f"{widget} got pictures of {x.dtype}; wanted floats in [0, 1]: x.float() / 255.")
    if not bool(((x >= 0) & (x <= 1)).all()):
        raise ValueError(
            f"{widget} got pictures from {x.min():g} to {x.max():g}; wanted pixels in [0, 1]. Normalisation "
            "belongs into the network, as a layer."
        )
    return x.detach()


def class_numbers(widget: str, labels: Any, many: int) -> Int[Tensor, " batch"]:
    """Labels of `many` pictures, on the CPU."""
    if not isinstance(labels, Tensor) or labels.is_floating_point() or labels.shape != (many,):
        came = f"{labels.dtype} {tuple(labels.shape)}" if isinstance(labels, Tensor) else type(labels).__name__
        raise ValueError(f"{widget} got labels {came}; wanted a tensor of class numbers ({many},).")
    return labels.detach().long().cpu()


def class_names(
    widget: str, classes: Sequence[str] | None, many: int, labels: Tensor, *, taken: Sequence[str] = ()
) -> tuple[str, ...]:
    """A name for each of the network's `many` classes: their numbers, if none are given. taken: no class's name."""
    names = tuple(map(str, range(many) if classes is None else classes))
    if len(names) != many or many > MOST_CLASSES or int(labels.min()) < 0 or int(labels.max()) >= many:
        raise ValueError(
            f"the network has {many} classes; there came {len(names)} names, and labels from {int(labels.min())} to "
            f"{int(labels.max())}. Wanted {many} names, labels from 0 to {many - 1}, at most {MOST_CLASSES}."
        )
    if len(set(names)) < many or not all(0 < len(name) <= LONGEST and name not in taken for name in names):
        raise ValueError(
            f"{widget} got classes {shown(names)}; wanted names of 1 to {LONGEST} letters, all different"
            + (f", and none called {' or '.join(taken)}." if taken else ".")
        )
    return names
