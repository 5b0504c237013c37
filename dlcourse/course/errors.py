"""What can go wrong with a course that a person can mend."""


class CourseError(Exception):
    """Something a person can mend. The command line prints its text alone, with no traceback.

    status: the exit status then.
    """

    status = 1
