"""The exercises of chapter 05, in the order of the exercise notebook; a file for each."""

from dlcourse.checks.ch05 import conv2d, debug, equivariance, max_pool, shuffle, size

EXERCISES = tuple(exercise.EXERCISE for exercise in (size, conv2d, max_pool, equivariance, shuffle, debug))
