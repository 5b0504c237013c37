"""One check per exercise: it passes, or says what was called, what came back, what was wanted and the likely reason.

    checks.sigmoid(sigmoid)              check an answer
    checks.hint("01.sigmoid")            a hint, a stronger one each time
    checks.solution("01.sigmoid")        a worked answer, after a try
    checks.progress()                    what is done
    checks.continue_here()               the next exercise
    checks.hidden_seeds("01.sigmoid")    for the hidden test of an exercise

Importing this loads no torch; the first check does.
"""

from importlib import import_module
from typing import Any

from dlcourse.checks.outcome import CheckFailed, NotStarted

_GUIDE = ("hint", "solution", "progress", "continue_here")
_SEEDS = ("hidden_seeds",)
_CHECKS = (
    *("accuracy", "sigmoid", "perceptron", "xor", "cross_entropy", "hinges", "debug_neuron"),
    *("local_derivatives", "unbroadcast", "topological_order"),
    *("debug_backward", "cross_entropy_backward", "batch_norm_backward"),
    *("warmup_cosine", "initial_weight", "adam_step", "adamw_step", "loops"),
    *("conv_shape", "conv2d", "max_pool2d", "kept", "follow", "debug_cnn"),
    *("lstm_cell", "clip_norm", "tuned", "masked_rnn", "leak_free", "forecast", "debug_text"),
    *("optimal_discriminator", "generator_losses", "gradient_penalty", "mode_coverage", "debug_game"),
    *("smallest_change", "fgsm", "pgd", "debug_evaluation", "certificate"),
    *("integrated_gradients", "shapley", "grad_cam", "debug_faithfulness", "patching"),
)

__all__ = ["CheckFailed", "NotStarted", *_CHECKS, *_GUIDE, *_SEEDS]


def __getattr__(name: str) -> Any:
    if name in _GUIDE:
        return getattr(import_module("dlcourse.checks.guide"), name)
    if name in _SEEDS:
        return getattr(import_module("dlcourse.checks.seeds"), name)
    if name in _CHECKS:
        return import_module("dlcourse.checks.registry").CALLABLES[name]
    raise AttributeError(f"dlcourse.checks has no {name!r}; it has {', '.join(__all__)}")


def __dir__() -> list[str]:
    return sorted(__all__)
