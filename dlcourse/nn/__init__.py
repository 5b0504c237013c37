"""Layers: pure functions named as in torch, and thin modules with torch's parameter names.

Sequential, Flatten, Identity, ReLU and Tanh are torch's own.
"""

from torch.nn import Flatten, Identity, ReLU, Sequential, Tanh

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
from dlcourse.nn.dropout import Dropout, dropout
from dlcourse.nn.init import fans, gain, he_normal, he_uniform, orthogonal, xavier_normal, xavier_uniform
from dlcourse.nn.linear import Linear, linear, linear_definition
from dlcourse.nn.loss import (
    binary_cross_entropy_with_logits,
    binary_cross_entropy_with_logits_definition,
    cross_entropy,
    cross_entropy_definition,
)
from dlcourse.nn.norm import (
    BatchNorm,
    LayerNorm,
    batch_norm,
    batch_norm_definition,
    layer_norm,
    layer_norm_definition,
    moments,
)
from dlcourse.nn.normalize import Normalize
from dlcourse.nn.softmax import (
    log_softmax,
    log_softmax_definition,
    logsumexp,
    logsumexp_definition,
    softmax,
    softmax_definition,
)

__all__ = [
    "BatchNorm",
    "Dropout",
    "Flatten",
    "Identity",
    "LayerNorm",
    "Linear",
    "Normalize",
    "ReLU",
    "Sequential",
    "Tanh",
    "batch_norm",
    "batch_norm_definition",
    "binary_cross_entropy_with_logits",
    "binary_cross_entropy_with_logits_definition",
    "cross_entropy",
    "cross_entropy_definition",
    "dropout",
    "elu",
    "fans",
    "gain",
    "gelu",
    "gelu_tanh",
    "he_normal",
    "he_uniform",
    "layer_norm",
    "layer_norm_definition",
    "leaky_relu",
    "linear",
    "linear_definition",
    "log_sigmoid",
    "log_sigmoid_definition",
    "log_softmax",
    "log_softmax_definition",
    "logsumexp",
    "logsumexp_definition",
    "moments",
    "orthogonal",
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
    "xavier_normal",
    "xavier_uniform",
]
