"""The optimiser race: several update rules go down the same surface from the same start, side by side."""
