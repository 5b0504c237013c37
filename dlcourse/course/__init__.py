"""What is done with the course as a whole: copied to a learner, opened, run, looked over, built."""


class CourseError(Exception):
    """Something a person can mend. The command line prints its text alone, with no traceback."""
