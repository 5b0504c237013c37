"""What is done with the course as a whole: copied to a learner, opened, run, looked over, built."""

from dlcourse.course.errors import CourseError

__all__ = ["CourseError"]
