"""Maps of what made a network's score, side by side, and whether they are true of the network."""
