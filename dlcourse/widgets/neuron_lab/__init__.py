"""One neuron with two inputs, to move by hand and to train by two rules. See `engine.py`."""
