"""Backpropagation, one node at a time: an expression or a small net, forward, and backward. See `engine.py`."""
