"""A small picture, a kernel, and the window that slides: every number behind every output cell."""
