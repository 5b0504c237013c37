"""The stepper as a still picture: what a page without a kernel shows, and a figure for a chapter."""

from dlcourse import plot
from dlcourse.plot.show import Picture, render
from dlcourse.widgets.backprop_stepper.engine import BackpropStepperEngine


def picture(engine: BackpropStepperEngine) -> Picture:
    """The graph with the values and gradients known at the present step; below, the same in words."""
    graph = engine.graph
    return render(plot.graph(graph), alt=plot.graph_alt(graph), caption=engine.describe())
