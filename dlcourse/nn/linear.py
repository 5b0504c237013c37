"""The linear layer: every output is a weighted sum of all inputs, plus a bias of its own.

    out = x W^T + b        out_j = sum_k x_k W_jk + b_j

W is (out, in), one row for each output, as in torch. The layer works along the last dimension and treats everything
before it as examples. Two of them without a bend in between are one: see `models.two_layer`.

At the start the biases are 0 and the weights are drawn by `init`, He's rule unless told otherwise, which suits ReLU:
see `dlcourse.nn.init` for the others. torch.nn.Linear starts smaller, with uniform weights and biases within
1 / sqrt(in), a variance of 1 / (3 in); a network of ours and one of torch's are equal only once the weights are copied.
"""

from collections.abc import Callable

import torch
from torch import nn

from dlcourse.nn.init import he_normal
from dlcourse.types import Float, Tensor


def linear(
    x: Float[Tensor, "... features"], weight: Float[Tensor, "out features"], bias: Float[Tensor, " out"] | None = None
) -> Float[Tensor, "... out"]:
    """x W^T + b. Raises ValueError when the last dimension of x is not that of the weight, or b is not one per output.

    A golden example, by hand: 1 * 3 + 2 * 4 = 11 and 1 * 5 + 2 * 6 = 17, plus the biases.

    >>> linear(torch.tensor([[1.0, 2.0]]), torch.tensor([[3.0, 4.0], [5.0, 6.0]]), torch.tensor([0.5, -0.5]))
    tensor([[11.5000, 16.5000]])
    """
    if not x.ndim or x.shape[-1] != weight.shape[1]:
        raise ValueError(
            f"linear got x {tuple(x.shape)} and weight {tuple(weight.shape)}; wanted {weight.shape[1]} features in the "
            "last dimension of x. Images become rows by x.flatten(1), or by nn.Flatten() at the head of a model."
        )
    if bias is not None and bias.shape != weight.shape[:1]:
        raise ValueError(f"linear got bias {tuple(bias.shape)}; wanted ({len(weight)},), a number for each output.")
    out = x @ weight.T
    return out if bias is None else out + bias


def linear_definition(
    x: Float[Tensor, "batch features"], weight: Float[Tensor, "out features"], bias: Float[Tensor, " out"]
) -> Float[Tensor, "batch out"]:
    """The same number by number: example i, output j, a sum over k."""
    out = x.new_zeros(len(x), len(weight))
    for i in range(len(x)):
        for j in range(len(weight)):
            out[i, j] = bias[j] + sum(x[i, k] * weight[j, k] for k in range(x.shape[1]))
    return out


class Linear(nn.Module):
    """A linear layer with parameters `weight` (out, in) and `bias` (out,), named as in torch.nn.Linear.

    `init` is called as init((out, in), generator=generator), so any function of `dlcourse.nn.init` fits;
    functools.partial(nn.xavier_normal, gain=5 / 3) changes its gain. The layer is made in float32 on the generator's
    device. Raises ValueError for sizes below 1.

    >>> Linear(3, 2, generator=torch.Generator().manual_seed(0))
    Linear(in_features=3, out_features=2, bias=True)
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        bias: bool = True,
        init: Callable[..., Tensor] = he_normal,
        generator: torch.Generator,
    ):
        super().__init__()
        if in_features < 1 or out_features < 1:
            raise ValueError(f"Linear({in_features}, {out_features}): each size must be 1 or more.")
        self.in_features, self.out_features = in_features, out_features
        self.weight = nn.Parameter(init((out_features, in_features), generator=generator))
        self.bias = nn.Parameter(torch.zeros_like(self.weight[:, 0])) if bias else None

    def forward(self, x: Float[Tensor, "... features"]) -> Float[Tensor, "... out"]:
        return linear(x, self.weight, self.bias)

    def extra_repr(self) -> str:
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"
