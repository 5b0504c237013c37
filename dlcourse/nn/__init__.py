"""Layers: pure functions named as in torch, and thin modules with torch's parameter names.

Sequential, Flatten, Identity, ReLU, Tanh and the pools MaxPool2d, AvgPool2d and AdaptiveAvgPool2d are torch's own.
What is listed here is for everybody; the other functions of the files (`windows`, `pair`) are tools that they share.
"""

from torch.nn import AdaptiveAvgPool2d, AvgPool2d, Flatten, Identity, MaxPool2d, ReLU, Sequential, Tanh

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
from dlcourse.nn.conv import Conv2d, conv2d, conv2d_loops
from dlcourse.nn.conv_transpose import ConvTranspose2d, conv_transpose2d, conv_transpose2d_loops
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
from dlcourse.nn.pool import (
    adaptive_avg_pool2d,
    adaptive_avg_pool2d_definition,
    avg_pool2d,
    avg_pool2d_definition,
    max_pool2d,
    max_pool2d_definition,
)
from dlcourse.nn.receptive import ReceptiveField, receptive_fields
from dlcourse.nn.sizes import output_size, transposed_output_size
from dlcourse.nn.softmax import (
    log_softmax,
    log_softmax_definition,
    logsumexp,
    logsumexp_definition,
    softmax,
    softmax_definition,
)

__all__ = [
    "AdaptiveAvgPool2d",
    "AvgPool2d",
    "BatchNorm",
    "Conv2d",
    "ConvTranspose2d",
    "Dropout",
    "Flatten",
    "Identity",
    "LayerNorm",
    "Linear",
    "MaxPool2d",
    "Normalize",
    "ReLU",
    "ReceptiveField",
    "Sequential",
    "Tanh",
    "adaptive_avg_pool2d",
    "adaptive_avg_pool2d_definition",
    "avg_pool2d",
    "avg_pool2d_definition",
    "batch_norm",
    "batch_norm_definition",
    "binary_cross_entropy_with_logits",
    "binary_cross_entropy_with_logits_definition",
    "conv2d",
    "conv2d_loops",
    "conv_transpose2d",
    "conv_transpose2d_loops",
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
    "max_pool2d",
    "max_pool2d_definition",
    "moments",
    "orthogonal",
    "output_size",
    "receptive_fields",
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
    "transposed_output_size",
    "xavier_normal",
    "xavier_uniform",
]
