"""A pad to draw a digit on; a network reads it while it is drawn."""
