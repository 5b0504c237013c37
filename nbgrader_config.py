"""nbgrader's settings for the course folder: the course build and an instructor's own nbgrader both read this file."""

import sys

c = get_config()  # noqa: F821 - nbgrader puts it there

# The folder is left to nbgrader (where it is started): an absolute path here would grade another checkout.
c.CourseDirectory.course_id = "dlcourse"
c.CourseDirectory.source_directory = "solutions"
c.CourseDirectory.release_directory = "exercises"

# An untouched exercise must raise: nbgrader gives full marks to a test cell that runs to its end.
c.ClearSolutions.code_stub = {"python": "raise NotStarted  # replace this line with your code"}
c.ClearSolutions.text_stub = "*Write your answer here, in place of this line.*"

# A learner who deleted a test cell is graded with it all the same.
c.OverwriteCells.add_missing_cells = True

# What students hand in is copied by owners, not by names, and no link is followed. Where the settings of the machine,
# which are read before these, have named ngshare, that collects.
if "ngshare_exchange" not in sys.modules:
    c.ExchangeFactory.collect = "dlcourse.course.grading.collect.Collect"
