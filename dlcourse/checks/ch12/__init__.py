"""The exercises of chapter 12, in the order of the exercise notebook; a file for each."""

from dlcourse.checks.ch12 import coverage, debug, optimal, penalty, two_losses

EXERCISES = tuple(exercise.EXERCISE for exercise in (optimal, two_losses, penalty, coverage, debug))
