"""Networks: the perceptron, the logistic neuron, the multilayer perceptron, LeNet and a small ResNet."""

from dlcourse.models.lenet import lenet, lenet_classic
from dlcourse.models.logistic import LogisticStep, logistic, logistic_steps
from dlcourse.models.mlp import mlp, two_layer
from dlcourse.models.perceptron import PerceptronStep, perceptron, perceptron_steps
from dlcourse.models.resnet import ResidualBlock, resnet

__all__ = [
    "LogisticStep",
    "PerceptronStep",
    "ResidualBlock",
    "lenet",
    "lenet_classic",
    "logistic",
    "logistic_steps",
    "mlp",
    "perceptron",
    "perceptron_steps",
    "resnet",
    "two_layer",
]
