"""The plain recurrent cell: a layer that is handed its own last answer, and so can remember.

    h_t = tanh(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh)

x_t is the input at step t and h_t the *hidden state*, all that the cell knows of steps 1 to t (Elman, 1990, Cognitive
Science 14, where it is called the context). The same weights serve every step, so a sequence may have any length. Two
biases where one would do are torch's custom; only their sum counts.

Where it fails: a gradient that goes back k steps is multiplied k times by W_hh and by slopes of tanh, which are at most
1. It vanishes when W_hh shrinks, and may explode when it stretches (Bengio, Simard and Frasconi, 1994; Pascanu, Mikolov
and Bengio, 2013, arXiv:1211.5063, section 2). What is many steps ago is then not learned; `gradient_flow` measures it.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F  # noqa: N812, torch's own name for it
from torch import nn

from dlcourse.nn.sizes import whole
from dlcourse.types import Float, Tensor

NAMES = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")  # torch's: from input and from hidden state to hidden state


def rnn_cell(
    x: Float[Tensor, "batch features"],
    hidden: Float[Tensor, "batch hidden"],
    weight_ih: Float[Tensor, "hidden features"],
    weight_hh: Float[Tensor, "hidden hidden"],
    bias_ih: Float[Tensor, " hidden"] | None = None,
    bias_hh: Float[Tensor, " hidden"] | None = None,
    *,
    activation: Callable[[Tensor], Tensor] = torch.tanh,
) -> Float[Tensor, "batch hidden"]:
    """One step: the new hidden state. The biases are given together or not at all.

    Raises ValueError when the shapes do not fit together.

    A golden example, by hand, without a bend: 2 * 3 + 10 * 0.5 = 11.

    >>> one = torch.ones(1, 1)
    >>> rnn_cell(3 * one, 10 * one, 2 * one, 0.5 * one, activation=nn.Identity())
    tensor([[11.]])
    """
    check_cell("rnn_cell", 1, x, (hidden,), weight_ih, weight_hh, bias_ih, bias_hh)
    return activation(F.linear(x, weight_ih, bias_ih) + F.linear(hidden, weight_hh, bias_hh))


def rnn_cell_definition(
    x: Float[Tensor, "batch features"],
    hidden: Float[Tensor, "batch hidden"],
    weight_ih: Float[Tensor, "hidden features"],
    weight_hh: Float[Tensor, "hidden hidden"],
    bias_ih: Float[Tensor, " hidden"] | None = None,
    bias_hh: Float[Tensor, " hidden"] | None = None,
    *,
    activation: Callable[[Tensor], Tensor] = torch.tanh,
) -> Float[Tensor, "batch hidden"]:
    """The same number by number: example n, unit j, a sum over the inputs and a sum over the units a step ago."""
    check_cell("rnn_cell_definition", 1, x, (hidden,), weight_ih, weight_hh, bias_ih, bias_hh)
    new = torch.empty_like(hidden)
    for n in range(len(x)):
        for j in range(len(weight_hh)):
            total = sum(weight_ih[j, k] * x[n, k] for k in range(x.shape[1]))
            total = total + sum(weight_hh[j, k] * hidden[n, k] for k in range(hidden.shape[1]))
            new[n, j] = activation(total if bias_ih is None else total + bias_ih[j] + bias_hh[j])
    return new


class Cell(nn.Module):
    """What the three cells have in common: torch's four parameters, and how they start."""

    gates: int  # blocks of rows in each weight

    def __init__(self, input_size: int, hidden_size: int, *, bias: bool = True, generator: torch.Generator):
        super().__init__()
        self.input_size, self.hidden_size = whole(
            type(self).__name__, 1, input_size=input_size, hidden_size=hidden_size
        )
        add_parameters(self, "", self.gates, self.input_size, bias, generator)

    def extra_repr(self) -> str:
        return f"{self.input_size}, {self.hidden_size}" + ("" if self.bias_ih is not None else ", bias=False")


class RNNCell(Cell):
    """`rnn_cell` with its parameters, named as in torch.nn.RNNCell. Without a state the memory is empty: zeros.

    All parameters start uniform within +-1 / sqrt(hidden_size), as torch's do, from the generator and in float32 on
    its device. Raises ValueError for sizes below 1 and for shapes that do not fit.

    >>> RNNCell(3, 5, generator=torch.Generator().manual_seed(0))
    RNNCell(3, 5)
    """

    gates = 1

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        bias: bool = True,
        activation: Callable[[Tensor], Tensor] = torch.tanh,
        generator: torch.Generator,
    ):
        super().__init__(input_size, hidden_size, bias=bias, generator=generator)
        self.activation = activation

    def forward(
        self, x: Float[Tensor, "batch features"], hidden: Float[Tensor, "batch hidden"] | None = None
    ) -> Float[Tensor, "batch hidden"]:
        hidden = x.new_zeros(len(x), self.hidden_size) if hidden is None else hidden
        weights = (self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh)
        return rnn_cell(x, hidden, *weights, activation=self.activation)


def add_parameters(
    module: nn.Module, suffix: str, gates: int, features: int, bias: bool, generator: torch.Generator
) -> None:
    """Give the module the four parameters of a cell, uniform within +-1 / sqrt(hidden_size); None for no bias."""
    rows, bound = gates * module.hidden_size, module.hidden_size**-0.5
    columns = {"weight_ih": (features,), "weight_hh": (module.hidden_size,)}
    for name in NAMES:
        if bias or name in columns:
            shape = (rows, *columns.get(name, ()))
            start = torch.empty(shape, device=generator.device, dtype=torch.float32)
            module.register_parameter(name + suffix, nn.Parameter(start.uniform_(-bound, bound, generator=generator)))
        else:
            module.register_parameter(name + suffix, None)


def check_cell(
    caller: str,
    gates: int,
    x: Tensor,
    states: tuple[Tensor, ...],
    weight_ih: Tensor,
    weight_hh: Tensor,
    bias_ih: Tensor | None,
    bias_hh: Tensor | None,
) -> None:
    """Raise ValueError unless the shapes fit: a batch of one, or a bias of one number, would be repeated in silence."""
    hidden, features = weight_hh.shape[-1], weight_ih.shape[-1]
    rows, batch = gates * hidden, len(x)
    biases = () if bias_ih is None and bias_hh is None else (bias_ih, bias_hh)
    if (
        x.shape != (batch, features)
        or any(state.shape != (batch, hidden) for state in states)
        or weight_ih.shape != (rows, features)
        or weight_hh.shape != (rows, hidden)
        or any(bias is None or bias.shape != (rows,) for bias in biases)
    ):
        shapes = ", ".join(str(tuple(state.shape)) for state in states)
        given = [None if bias is None else tuple(bias.shape) for bias in (bias_ih, bias_hh)]
        raise ValueError(
            f"{caller} got x {tuple(x.shape)}, state {shapes}, weight_ih {tuple(weight_ih.shape)}, weight_hh "
            f"{tuple(weight_hh.shape)} and biases {given[0]} and {given[1]}; wanted x (batch, features), state (batch, "
            f"hidden), weights ({gates} * hidden, features) and ({gates} * hidden, hidden), and two biases of "
            f"({gates} * hidden,) or none. One example becomes a batch of one by x[None]."
        )
