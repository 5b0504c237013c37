"""Training: the loop, what it measures, what it keeps, and what is wrong with it.

    for step in train_steps(model, batches, loss, optimizer, epochs=10): ...
    history = train(model, batches, loss, optimizer, epochs=10, validation=(x, y), checkpoint="run.pt")

Read `loop.py` first; `run.py` is how a run is saved and goes on.
"""

from dlcourse.training.asking import asking
from dlcourse.training.average import moving_average_
from dlcourse.training.causes import CAUSES, Finding, Measured
from dlcourse.training.diagnosis import Diagnosis, LayerHealth, Watched, diagnose, watch
from dlcourse.training.finder import LrFinder, LrFinderStep, lr_finder, lr_finder_steps
from dlcourse.training.history import History, TrainStep
from dlcourse.training.interrupt import Interrupted
from dlcourse.training.loop import Diverged, train, train_steps
from dlcourse.training.metrics import (
    Calibration,
    Evaluation,
    accuracy,
    calibration,
    confusion,
    evaluate,
    evaluating,
)
from dlcourse.training.sequences import bits_per_character, mean_absolute_error, perplexity, scaled_error, text_loss

__all__ = [
    "CAUSES",
    "Calibration",
    "Diagnosis",
    "Diverged",
    "Evaluation",
    "Finding",
    "History",
    "Interrupted",
    "LayerHealth",
    "LrFinder",
    "LrFinderStep",
    "Measured",
    "TrainStep",
    "Watched",
    "accuracy",
    "asking",
    "bits_per_character",
    "calibration",
    "confusion",
    "diagnose",
    "evaluate",
    "evaluating",
    "lr_finder",
    "lr_finder_steps",
    "mean_absolute_error",
    "moving_average_",
    "perplexity",
    "scaled_error",
    "text_loss",
    "train",
    "train_steps",
    "watch",
]
