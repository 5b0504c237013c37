"""A complete reverse-mode differentiation engine, small enough to read: numbers (`Value`), then arrays (`Tensor`).

Read `scalar.py` first (the idea), then `graph.py` (the walk), `rules.py` (the table), `tensor.py` (the arrays).
"""

from dlcourse.autograd.functions import concat, cross_entropy, pad, stack, where
from dlcourse.autograd.gradcheck import GradcheckError, GradcheckReport, gradcheck, numerical_gradient
from dlcourse.autograd.graph import BackwardStep, Graph, GraphNode, backward_steps, grad, topological_order, trace
from dlcourse.autograd.rules import unbroadcast
from dlcourse.autograd.scalar import Value
from dlcourse.autograd.tensor import Tensor, no_grad

__all__ = [
    "BackwardStep",
    "GradcheckError",
    "GradcheckReport",
    "Graph",
    "GraphNode",
    "Tensor",
    "Value",
    "backward_steps",
    "concat",
    "cross_entropy",
    "grad",
    "gradcheck",
    "no_grad",
    "numerical_gradient",
    "pad",
    "stack",
    "topological_order",
    "trace",
    "unbroadcast",
    "where",
]
