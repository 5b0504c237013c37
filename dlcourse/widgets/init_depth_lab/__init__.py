"""A deep network before its first step: what becomes of signals on the way up, and of gradients on the way down."""
