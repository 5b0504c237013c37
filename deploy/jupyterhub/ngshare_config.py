"""nbgrader's settings in the image for Kubernetes, where the exchange is a service (ngshare) and not a folder.

All pods run as the same user: in a shared folder every student could read and forge the others' work.
"""

import os

from ngshare_exchange import configureExchange

c = get_config()  # noqa: F821 - nbgrader puts it there

configureExchange(c, ngshare_url="http://ngshare:8080/services/ngshare")
# ngshare's own collector writes whatever path a student's client sent.
c.ExchangeFactory.collect = "dlcourse.course.grading.collect_ngshare.Collect"
c.CourseDirectory.course_id = "dlcourse"
# A learner's exercises lie in their copy of the course already; they hand in from there, with nothing to fetch.
if "DLCOURSE_EXERCISES" in os.environ:
    c.Exchange.assignment_dir = os.environ["DLCOURSE_EXERCISES"]
