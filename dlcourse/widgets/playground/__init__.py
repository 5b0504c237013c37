"""The playground: train a small network on points of the plane, watch it, and take it back in time."""
