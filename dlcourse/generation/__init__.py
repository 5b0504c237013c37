"""Made by networks: text from a language model, drawn a symbol at a time, and examples from a generator that learns to
fool a discriminator.

Text: `shaping`, then `sampling`. The game of two networks: `adversarial` (the losses), `penalty`, `game` (its steps),
`gan_training`, and `optimum`, where both densities are known.
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
from dlcourse.generation.optimum import (
    game_value,
    jensen_shannon,
    optimal_discriminator,
    optimal_discriminator_definition,
    optimal_logits,
)
from dlcourse.generation.penalty import R1, GradientPenalty, gradient_penalty, r1_penalty
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
    "DiscriminatorStep",
    "GanHistory",
    "GanTurn",
    "GeneratorStep",
    "GradientPenalty",
    "SampleStep",
    "discriminator_step",
    "draw_samples",
    "drawing_from",
    "game_value",
    "gan_steps",
    "generator_step",
    "gradient_penalty",
    "jensen_shannon",
    "keep_top_k",
    "keep_top_p",
    "minimax_definition",
    "optimal_discriminator",
    "optimal_discriminator_definition",
    "optimal_logits",
    "r1_penalty",
    "sample",
    "sample_steps",
    "shaped",
    "temper",
    "train_gan",
]
