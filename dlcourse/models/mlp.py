"""Linear layers with a bend between them: the multilayer perceptron.

    hidden = activation(x W1^T + b1)        out = hidden W2^T + b2

Without the bend the two layers collapse into one, W2 (W1 x + b1) + b2 = (W2 W1) x + (W2 b1 + b2): still a line.
`two_layer` is that network as one formula; `mlp` builds one of any depth as a torch module, from our layers.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch

from dlcourse import nn
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

    >>> weight1, bias1 = torch.tensor([[1.0, -1.0], [1.0, 1.0]]), torch.zeros(2)
    >>> weight2, bias2 = torch.tensor([[10.0, 1.0]]), torch.tensor([0.5])
    >>> two_layer(torch.tensor([[1.0, 2.0]]), weight1, bias1, weight2, bias2)
    tensor([[3.5000]])
    """
    hidden = activation(x @ weight1.T + bias1)
    return hidden @ weight2.T + bias2


def mlp(
    sizes: Sequence[int],
    *,
    activation: Callable[[], torch.nn.Module] = nn.ReLU,
    init: Callable[..., Tensor] = nn.he_normal,
    norm: Callable[[int], torch.nn.Module] | None = None,
    dropout: float = 0.0,
    generator: torch.Generator,
) -> nn.Sequential:
    """A model from x (batch, features) to logits (batch, classes), for sizes (features, hidden, ..., classes).

    For each hidden layer Linear, norm if there is one, activation, Dropout if `dropout` (a probability) is above 0; at
    the end a Linear alone. `activation` and `norm` are classes of modules, such as nn.Tanh and nn.BatchNorm (any
    function does that makes a module, of a size for `norm`); `init` draws the weights, see `nn.Linear`. Weights and
    masks come from `generator`, on whose device the model is made. Raises ValueError for fewer than two sizes and for
    one below 1, TypeError for an activation or norm that makes no module; nn.Dropout refuses what is no probability.

    >>> mlp((64, 32, 10), norm=nn.LayerNorm, generator=torch.Generator().manual_seed(0))
    Sequential(
      (0): Linear(in_features=64, out_features=32, bias=True)
      (1): LayerNorm(32, eps=1e-05)
      (2): ReLU()
      (3): Linear(in_features=32, out_features=10, bias=True)
    )
    """
    if len(sizes) < 2 or min(sizes) < 1:
        raise ValueError(f"mlp({tuple(sizes)}): at least two sizes are wanted, features and classes, each 1 or more.")
    *hidden, classes = sizes
    layers: list[torch.nn.Module] = []
    for inputs, outputs in pairwise(hidden):
        layers.append(nn.Linear(inputs, outputs, init=init, generator=generator))
        if norm is not None:
            layers.append(made("mlp", "norm", norm, outputs))
        layers.append(made("mlp", "activation", activation))
        if dropout:
            layers.append(nn.Dropout(dropout, generator=generator))
    layers.append(nn.Linear(hidden[-1], classes, init=init, generator=generator))
    return nn.Sequential(*layers).to(generator.device)


def made(name: str, role: str, make: Callable[..., torch.nn.Module], *sizes: int) -> torch.nn.Module:
    """make(*sizes), or a TypeError of the model `name` that says what to give."""
    try:
        made = None if isinstance(make, torch.nn.Module) else make(*sizes)  # a module would take the size for its x
    except TypeError as error:
        raise _no_module(name, role, make, sizes) from error
    if not isinstance(made, torch.nn.Module):
        raise _no_module(name, role, make, sizes)
    return made


def _no_module(name: str, role: str, make: object, sizes: tuple[int, ...]) -> TypeError:
    return TypeError(
        f"{name} got {role}={make!r}, which makes no module from {sizes}. Give a class, such as activation=nn.ReLU or "
        "norm=nn.BatchNorm: not nn.ReLU(), as each layer gets one of its own, and not the function nn.relu."
    )
