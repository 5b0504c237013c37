"""nbgrader for everybody on the machine: copy it to /etc/jupyter/nbgrader_config.py."""

import os

c = get_config()  # noqa: F821 - nbgrader puts it there

c.CourseDirectory.course_id = "dlcourse"
c.Exchange.root = "/srv/nbgrader/exchange"  # mode 1777
# Students write there: follow no link, and go by owners, not by names.
c.ExchangeFactory.collect = "dlcourse.course.grading.collect.Collect"
# A learner's exercises lie in their copy of the course already; they hand in from there, with nothing to fetch.
if "DLCOURSE_EXERCISES" in os.environ:
    c.Exchange.assignment_dir = os.environ["DLCOURSE_EXERCISES"]
