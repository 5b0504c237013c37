"""The jail: a process that computes and can do nothing else. sandbox.py finds a backend that holds, and goes in."""
