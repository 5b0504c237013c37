"""The instructor's book: nbgrader's gradebook, the graded notebooks that formgrader shows, and the log."""
