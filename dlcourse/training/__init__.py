"""Training: the loop, what it measures, what it keeps, and what is wrong with it."""
