"""Networks: the perceptron, the logistic neuron, and the multilayer perceptron."""

from dlcourse.models.logistic import LogisticStep, logistic, logistic_steps
from dlcourse.models.mlp import mlp, two_layer
from dlcourse.models.perceptron import PerceptronStep, perceptron, perceptron_steps

__all__ = [
    "LogisticStep",
    "PerceptronStep",
    "logistic",
    "logistic_steps",
    "mlp",
    "perceptron",
    "perceptron_steps",
    "two_layer",
]
