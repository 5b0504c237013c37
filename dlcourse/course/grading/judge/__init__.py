"""The judge: one submission, from its bytes to a verdict. one.py is the way in, tester.py what judges."""
