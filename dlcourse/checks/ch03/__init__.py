"""The exercises of chapter 03, in the order of the exercise notebook; a file for each."""

from dlcourse.checks.ch03 import adam, adamw, init, loops, schedule

EXERCISES = tuple(exercise.EXERCISE for exercise in (schedule, init, adam, adamw, loops))
