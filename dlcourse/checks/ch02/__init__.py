"""The exercises of chapter 02, in the order of the exercise notebook; a file for each."""

from dlcourse.checks.ch02 import (
    batch_norm,
    debug,
    local_derivatives,
    softmax_cross_entropy,
    topological_order,
    unbroadcast,
)

EXERCISES = tuple(
    exercise.EXERCISE
    for exercise in (local_derivatives, unbroadcast, topological_order, debug, softmax_cross_entropy, batch_norm)
)
