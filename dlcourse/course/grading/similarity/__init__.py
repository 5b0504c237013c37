"""Which answers are alike: a report for the instructor, which proves nothing."""
