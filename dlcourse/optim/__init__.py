"""Optimisers: update rules as pure functions, and thin classes with the names and the state of torch's."""
