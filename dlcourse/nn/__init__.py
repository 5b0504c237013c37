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
from dlcourse.nn.chrono import chrono_, forget_bias_
from dlcourse.nn.conv import Conv2d, conv2d, conv2d_loops
from dlcourse.nn.conv_transpose import ConvTranspose2d, conv_transpose2d, conv_transpose2d_loops
from dlcourse.nn.dropout import Dropout, dropout
from dlcourse.nn.gradient_flow import gradient_flow, scale_spectral_radius_, spectral_radius
from dlcourse.nn.gru import GRUCell, gru_cell, gru_cell_definition, gru_gates
from dlcourse.nn.init import fans, gain, he_normal, he_uniform, orthogonal, xavier_normal, xavier_uniform
from dlcourse.nn.linear import Linear, linear, linear_definition
from dlcourse.nn.loss import (
    binary_cross_entropy_with_logits,
    binary_cross_entropy_with_logits_definition,
    cross_entropy,
    cross_entropy_definition,
)
from dlcourse.nn.lstm import LSTMCell, lstm_cell, lstm_cell_definition, lstm_gates
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
from dlcourse.nn.recurrent import GRU, LSTM, RNN
from dlcourse.nn.rnn import RNNCell, rnn_cell, rnn_cell_definition
from dlcourse.nn.sizes import output_size, transposed_output_size
from dlcourse.nn.softmax import (
    log_softmax,
    log_softmax_definition,
    logsumexp,
    logsumexp_definition,
    softmax,
    softmax_definition,
)
from dlcourse.nn.spectral import power_iteration, spectral_norm
from dlcourse.nn.subpixel import PixelShuffle, pixel_shuffle, pixel_shuffle_definition
from dlcourse.nn.unroll import detach, length_mask, unroll, unroll_steps

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "AdaptiveAvgPool2d",
    "AvgPool2d",
    "BatchNorm",
    "Conv2d",
    "ConvTranspose2d",
    "Dropout",
    "Flatten",
    "GRUCell",
    "Identity",
    "LSTMCell",
    "LayerNorm",
    "Linear",
    "MaxPool2d",
    "Normalize",
    "PixelShuffle",
    "RNNCell",
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
    "chrono_",
    "conv2d",
    "conv2d_loops",
    "conv_transpose2d",
    "conv_transpose2d_loops",
    "cross_entropy",
    "cross_entropy_definition",
    "detach",
    "dropout",
    "elu",
    "fans",
    "forget_bias_",
    "gain",
    "gelu",
    "gelu_tanh",
    "gradient_flow",
    "gru_cell",
    "gru_cell_definition",
    "gru_gates",
    "he_normal",
    "he_uniform",
    "layer_norm",
    "layer_norm_definition",
    "leaky_relu",
    "length_mask",
    "linear",
    "linear_definition",
    "log_sigmoid",
    "log_sigmoid_definition",
    "log_softmax",
    "log_softmax_definition",
    "logsumexp",
    "logsumexp_definition",
    "lstm_cell",
    "lstm_cell_definition",
    "lstm_gates",
    "max_pool2d",
    "max_pool2d_definition",
    "moments",
    "orthogonal",
    "output_size",
    "pixel_shuffle",
    "pixel_shuffle_definition",
    "power_iteration",
    "receptive_fields",
    "relu",
    "rnn_cell",
    "rnn_cell_definition",
    "scale_spectral_radius_",
    "sigmoid",
    "sigmoid_definition",
    "silu",
    "softmax",
    "softmax_definition",
    "softplus",
    "softplus_definition",
    "spectral_norm",
    "spectral_radius",
    "tanh",
    "tanh_definition",
    "transposed_output_size",
    "unroll",
    "unroll_steps",
    "xavier_normal",
    "xavier_uniform",
]
