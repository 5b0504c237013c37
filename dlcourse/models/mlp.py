"""A network of two layers: a linear layer, a bend, and another linear layer.

    hidden = activation(x W1^T + b1)        out = hidden W2^T + b2

Without the bend the two layers collapse into one, W2 (W1 x + b1) + b2 = (W2 W1) x + (W2 b1 + b2): still a line.
"""

from collections.abc import Callable

from dlcourse.nn.activation import relu
from dlcourse.types import Float, Tensor


def two_layer(
    x: Float[Tensor, "batch features"],
    weight1: Float[Tensor, "hidden features"],
    bias1: Float[Tensor, " hidden"],
    weight2: Float[Tensor, "out hidden"],
    bias2: Float[Tensor, " out"],
    *,
    activation: Callable[[Tensor], Tensor] = relu,
) -> Float[Tensor, "batch out"]:
    """The network's outputs. Weights are (out, in), as in `torch.nn.Linear`; there is no activation on the last layer.

    A golden example, by hand: hidden = relu(1 - 2, 1 + 2) = (0, 3), so out = 10 * 0 + 1 * 3 + 0.5.

    >>> import torch
    >>> weight1, bias1 = torch.tensor([[1.0, -1.0], [1.0, 1.0]]), torch.zeros(2)
    >>> weight2, bias2 = torch.tensor([[10.0, 1.0]]), torch.tensor([0.5])
    >>> two_layer(torch.tensor([[1.0, 2.0]]), weight1, bias1, weight2, bias2)
    tensor([[3.5000]])
    """
    hidden = activation(x @ weight1.T + bias1)
    return hidden @ weight2.T + bias2
