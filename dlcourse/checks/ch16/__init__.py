"""The exercises of chapter 16, in the order of the exercise notebook; a file for each."""

from dlcourse.checks.ch16 import cam, faithful, ig, patching, shapley

EXERCISES = tuple(exercise.EXERCISE for exercise in (ig, shapley, cam, faithful, patching))
