"""What a run of training leaves behind: plain numbers, for plots, tables and tests."""

from dataclasses import dataclass

from dlcourse.training.metrics import Evaluation


@dataclass(frozen=True)
class TrainStep:
    """One update."""

    index: int  # updates before it, from 0
    epoch: int  # passes finished before it
    loss: float  # of its batch, before the update
    lr: float  # of the optimizer's first group
    gradient_norm: float  # over all that the optimizer updates, before clipping


@dataclass(frozen=True)
class History:
    """A run of `train`."""

    steps: tuple[TrainStep, ...]  # every update
    evaluations: tuple[Evaluation, ...]  # after each pass, when there were examples for validation
    best: Evaluation | None  # the first of those with the lowest loss; None without validation
    stopped: str  # what ended it: "epochs" (all done), "patience", "interrupt", "diverged" or "not saved"


def best_of(evaluations: list[Evaluation]) -> Evaluation | None:
    """The first evaluation with the lowest loss; one whose loss is nan is never the best."""
    return min((e for e in evaluations if e.loss == e.loss), key=lambda e: e.loss, default=None)
