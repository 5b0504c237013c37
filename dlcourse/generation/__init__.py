"""Made by a network: text from a language model, pictures from a generator, and what they are worth."""

from dlcourse.generation.baseline import class_means
from dlcourse.generation.features import features
from dlcourse.generation.frechet import frechet_distance
from dlcourse.generation.measured import Measured, measured
from dlcourse.generation.modes import Modes, mode_coverage
from dlcourse.generation.neighbours import Copying, copying, nearest
from dlcourse.generation.precision import PrecisionRecall, precision_recall, precision_recall_definition
from dlcourse.generation.sampling import SampleStep, sample, sample_steps
from dlcourse.generation.shaping import keep_top_k, keep_top_p, shaped, temper

__all__ = [
    "Copying",
    "Measured",
    "Modes",
    "PrecisionRecall",
    "SampleStep",
    "class_means",
    "copying",
    "features",
    "frechet_distance",
    "keep_top_k",
    "keep_top_p",
    "measured",
    "mode_coverage",
    "nearest",
    "precision_recall",
    "precision_recall_definition",
    "sample",
    "sample_steps",
    "shaped",
    "temper",
]
