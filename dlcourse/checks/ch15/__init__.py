"""The exercises of chapter 15, in the order of the exercise notebook; a file for each."""

from dlcourse.checks.ch15 import fgsm, margin, masked, pgd, radius

EXERCISES = tuple(exercise.EXERCISE for exercise in (margin, fgsm, pgd, masked, radius))
