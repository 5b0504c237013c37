"""A recurrent network step by step: its states, its gates, and how much of a gradient gets back through time."""
