"""ActivationLab: seven bends, their slopes, and what is left of a slope after several in a row."""
