"""The exercises of chapter 08, in the order of the exercise notebook; a file for each."""

from dlcourse.checks.ch08 import clip, debug, forecast, lstm_cell, masked, radius, windows

EXERCISES = tuple(exercise.EXERCISE for exercise in (lstm_cell, clip, radius, masked, windows, forecast, debug))
