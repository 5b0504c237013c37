"""Grading submissions that nobody trusts: reading them, the jail they run in, results and the gradebook."""
