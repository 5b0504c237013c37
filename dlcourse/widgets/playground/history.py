"""What a step of the playground's run is measured by."""

from typing import NamedTuple

MOST = 256  # records of a run
CURVE = ("train", "test")  # of what is measured: what the curve shows


class Measured(NamedTuple):
    """None where there are no points, or where the loss is not finite."""

    train: float | None
    train_accuracy: float | None
    test: float | None
    test_accuracy: float | None
