"""Made by networks: text from a language model, drawn a symbol at a time, and examples from a generator that learns to
fool a discriminator; and what they are worth.

Text: `shaping`, then `sampling`. The game of two networks: `adversarial` (the losses), `penalty`, `game` (its steps),
`gan_training`, and `optimum`, where both densities are known. Its measures: `modes`, `precision`, `frechet` in the
`features` of a classifier, `neighbours`, and beside each a floor and a `baseline`, in `measured`.
"""

from dlcourse.generation.adversarial import (
    HINGE,
    LEAST_SQUARES,
    LOSSES,
    MINIMAX,
    NON_SATURATING,
    WASSERSTEIN,
    Adversarial,
    minimax_definition,
)
from dlcourse.generation.baseline import class_means
from dlcourse.generation.features import features
from dlcourse.generation.frechet import frechet_distance
from dlcourse.generation.game import (
    DiscriminatorStep,
    GeneratorStep,
    discriminator_step,
    draw_samples,
    drawing_from,
    gan_steps,
    generator_step,
)
from dlcourse.generation.gan_training import GanHistory, GanTurn, train_gan
from dlcourse.generation.measured import Measured, measured
from dlcourse.generation.modes import Modes, mode_coverage
from dlcourse.generation.neighbours import Copying, copying, nearest
from dlcourse.generation.optimum import (
    game_value,
    jensen_shannon,
    optimal_discriminator,
    optimal_discriminator_definition,
    optimal_logits,
)
from dlcourse.generation.penalty import R1, GradientPenalty, gradient_penalty, r1_penalty
from dlcourse.generation.precision import PrecisionRecall, precision_recall, precision_recall_definition
from dlcourse.generation.sampling import SampleStep, sample, sample_steps
from dlcourse.generation.shaping import keep_top_k, keep_top_p, shaped, temper

__all__ = [
    "HINGE",
    "LEAST_SQUARES",
    "LOSSES",
    "MINIMAX",
    "NON_SATURATING",
    "R1",
    "WASSERSTEIN",
    "Adversarial",
    "Copying",
    "DiscriminatorStep",
    "GanHistory",
    "GanTurn",
    "GeneratorStep",
    "GradientPenalty",
    "Measured",
    "Modes",
    "PrecisionRecall",
    "SampleStep",
    "class_means",
    "copying",
    "discriminator_step",
    "draw_samples",
    "drawing_from",
    "features",
    "frechet_distance",
    "game_value",
    "gan_steps",
    "generator_step",
    "gradient_penalty",
    "jensen_shannon",
    "keep_top_k",
    "keep_top_p",
    "measured",
    "minimax_definition",
    "mode_coverage",
    "nearest",
    "optimal_discriminator",
    "optimal_discriminator_definition",
    "optimal_logits",
    "precision_recall",
    "precision_recall_definition",
    "r1_penalty",
    "sample",
    "sample_steps",
    "shaped",
    "temper",
    "train_gan",
]
