"""Layers: activations, softmax and losses, as pure functions named as in torch."""

from dlcourse.nn.activation import (
    elu,
    gelu,
    gelu_tanh,
    leaky_relu,
    log_sigmoid,
    log_sigmoid_definition,
    relu,
    sigmoid,
    sigmoid_definition,
    silu,
    softplus,
    softplus_definition,
    tanh,
    tanh_definition,
)
from dlcourse.nn.loss import (
    binary_cross_entropy_with_logits,
    binary_cross_entropy_with_logits_definition,
    cross_entropy,
    cross_entropy_definition,
)
from dlcourse.nn.softmax import (
    log_softmax,
    log_softmax_definition,
    logsumexp,
    logsumexp_definition,
    softmax,
    softmax_definition,
)

__all__ = [
    "binary_cross_entropy_with_logits",
    "binary_cross_entropy_with_logits_definition",
    "cross_entropy",
    "cross_entropy_definition",
    "elu",
    "gelu",
    "gelu_tanh",
    "leaky_relu",
    "log_sigmoid",
    "log_sigmoid_definition",
    "log_softmax",
    "log_softmax_definition",
    "logsumexp",
    "logsumexp_definition",
    "relu",
    "sigmoid",
    "sigmoid_definition",
    "silu",
    "softmax",
    "softmax_definition",
    "softplus",
    "softplus_definition",
    "tanh",
    "tanh_definition",
]
