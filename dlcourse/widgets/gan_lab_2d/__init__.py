"""GANLab2D: two networks play against one another on points of the plane. `engine.py` is the one to read."""
