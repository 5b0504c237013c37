"""Grading of untrusted work: read, run in a jail, judge outside it, sign, file. See grade.py."""
