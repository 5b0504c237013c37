"""The exercises of chapter 01, in the order of the exercise notebook; a file for each."""

from dlcourse.checks.ch01 import cross_entropy, debug, hinges, perceptron, sigmoid, xor

EXERCISES = tuple(exercise.EXERCISE for exercise in (sigmoid, perceptron, debug, cross_entropy, xor, hinges))
