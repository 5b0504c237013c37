"""Attack your own network, a move at a time: gradient, step, projection."""
