"""Models: neurons, the multilayer perceptron, LeNet, a small ResNet, GANs, a recurrent network for text, and rivals."""

from dlcourse.models.charrnn import CharRNN
from dlcourse.models.gan import conv_discriminator, gan_discriminator, gan_generator, subpixel_generator
from dlcourse.models.lenet import lenet, lenet_classic
from dlcourse.models.logistic import LogisticStep, logistic, logistic_steps
from dlcourse.models.mlp import mlp, two_layer
from dlcourse.models.naive import drift, mean_forecast, persistence, seasonal_persistence
from dlcourse.models.ngram import NGram, ngram_definition
from dlcourse.models.perceptron import PerceptronStep, perceptron, perceptron_steps
from dlcourse.models.resnet import ResidualBlock, resnet

__all__ = [
    "CharRNN",
    "LogisticStep",
    "NGram",
    "PerceptronStep",
    "ResidualBlock",
    "conv_discriminator",
    "drift",
    "gan_discriminator",
    "gan_generator",
    "lenet",
    "lenet_classic",
    "logistic",
    "logistic_steps",
    "mean_forecast",
    "mlp",
    "ngram_definition",
    "perceptron",
    "perceptron_steps",
    "persistence",
    "resnet",
    "seasonal_persistence",
    "subpixel_generator",
    "two_layer",
]
