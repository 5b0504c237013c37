"""The network: linear layers with an activation between them, its optimiser and its penalty, all of them of torch.

Initial weights and biases are uniform in +-1/sqrt(inputs), the bound of `torch.nn.Linear`, but from a generator of our
own: nothing here draws from torch's global stream.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import nn

from dlcourse.types import Float, Tensor

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "tanh": nn.Tanh,
    "relu": nn.ReLU,
    "sigmoid": nn.Sigmoid,
    "leaky_relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "linear": nn.Identity,
}
OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "sgd": torch.optim.SGD,
    "momentum": lambda parameters, lr: torch.optim.SGD(parameters, lr=lr, momentum=0.9),
    "rmsprop": torch.optim.RMSprop,
    "adam": torch.optim.Adam,
}
PENALTIES: dict[str, Callable[[Tensor], Tensor]] = {
    "l1": lambda weight: weight.abs().sum(),
    "l2": lambda weight: weight.square().sum(),
}
SATURATED = 0.99  # of the way from the middle of the activation's range to its end


def network(widths: Sequence[int], activation: str, source: torch.Generator) -> nn.Sequential:
    """widths: inputs, units of each hidden layer, 1. The output is a logit: no activation after the last layer."""
    modules: list[nn.Module] = []
    for inputs, units in pairwise(widths):
        modules += [_linear(inputs, units, source), ACTIVATIONS[activation]()]
    return nn.Sequential(*modules[:-1])


def _linear(inputs: int, units: int, source: torch.Generator) -> nn.Linear:
    layer = nn.utils.skip_init(nn.Linear, inputs, units, device="cpu")
    bound = inputs**-0.5
    for parameter in (layer.weight, layer.bias):
        parameter.data.uniform_(-bound, bound, generator=source)
    return layer


def bend(model: nn.Sequential, activation: str) -> None:
    """Put another activation between the layers; the weights stay."""
    for index in range(1, len(model), 2):
        model[index] = ACTIVATIONS[activation]()


def linears(model: nn.Module) -> list[nn.Linear]:
    """The linear layers, in order; a layer that is used twice is one layer."""
    return [module for module in model.modules() if isinstance(module, nn.Linear)]


def penalty(model: nn.Module, kind: str, strength: float) -> Tensor | float:
    """What a step adds to the loss: `strength` times the sum of |w| (l1) or w^2 (l2) over the weights, no biases."""
    if kind == "none":
        return 0.0
    return strength * sum(PENALTIES[kind](layer.weight) for layer in linears(model))


def one_logit(out: Float[Tensor, "batch ..."]) -> Float[Tensor, " batch"]:
    """The logit of class 1. Two logits per point count by their difference: that is softmax with cross-entropy."""
    if out.ndim == 1:
        return out
    return out.squeeze(1) if out.shape[1] == 1 else out[:, 1] - out[:, 0]


def walk(
    model: nn.Module, inputs: Tensor, *, tall: bool = False
) -> tuple[Tensor, list[tuple[Tensor, Tensor, nn.Module]]]:
    """The logits, and for each hidden layer (before its activation, after it, the activation).

    A hidden layer is a Linear of an `nn.Sequential` that is not the last; without an activation after it, it bends
    nothing. Of other models only the logits are known. tall: fast for many rows, but only for a network of this room.
    """
    if not isinstance(model, nn.Sequential):
        return one_logit(model(inputs)), []
    modules, hidden, before = list(model), [], None
    last = max((i for i, module in enumerate(modules) if isinstance(module, nn.Linear)), default=-1)
    for index, module in enumerate(modules):
        out = by_columns(module, inputs) if tall and isinstance(module, nn.Linear) else module(inputs)
        if before is not None:
            plain = isinstance(module, nn.Linear)
            hidden.append((before, before, nn.Identity()) if plain else (before, out, module))
        before = out if isinstance(module, nn.Linear) and index < last else None
        inputs = out
    return one_logit(inputs), hidden


def by_columns(layer: nn.Linear, inputs: Tensor) -> Tensor:
    """`layer(inputs)`, column after column in memory: for 10,000 rows of a few numbers seven times as fast."""
    return torch.addmm(layer.bias[:, None], layer.weight, inputs.T).T


def idle(before: Tensor, after: Tensor, activation: nn.Module) -> int:
    """How many units of a layer no longer react to any of the points (the rows).

    tanh and sigmoid: at 0.99 of their range everywhere. The others: a slope of exactly 0 everywhere.
    """
    if len(before) == 0 or isinstance(activation, nn.Identity):
        return 0
    if saturates(activation):
        swing = after if isinstance(activation, nn.Tanh) else 2 * after - 1
        return int((swing.abs() > SATURATED).all(dim=0).sum())
    with torch.enable_grad():
        leaf = before.detach().requires_grad_()
        (slope,) = torch.autograd.grad(activation(leaf).sum(), leaf)
    return int((slope == 0).all(dim=0).sum())


def saturates(activation: nn.Module) -> bool:
    return isinstance(activation, (nn.Tanh, nn.Sigmoid))
