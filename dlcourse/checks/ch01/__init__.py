"""The exercises of chapter 01, in the order of the exercise notebook."""

from dlcourse.checks.ch01 import sigmoid

EXERCISES = (sigmoid.EXERCISE,)
