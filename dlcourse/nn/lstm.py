"""Long short-term memory: a cell whose memory is kept unless a gate says otherwise.

    i = sigmoid(W_ii x + b_ii + W_hi h + b_hi)      input gate: how much of the new to let in
    f = sigmoid(W_if x + b_if + W_hf h + b_hf)      forget gate: how much of the old to *keep*
    g =    tanh(W_ig x + b_ig + W_hg h + b_hg)      candidate: the new
    o = sigmoid(W_io x + b_io + W_ho h + b_ho)      output gate: how much of the memory to show
    c' = f * c + i * g          the cell state, the memory
    h' = o * tanh(c')           the hidden state, what others see

(Hochreiter and Schmidhuber, 1997, Neural Computation 9; the forget gate is of Gers, Schmidhuber and Cummins, 2000,
Neural Computation 12.) The blocks of rows stand in torch's order i, f, g, o.

Why it remembers: from c to c' the slope along the cell state is f, with no matrix and no bend between. A gradient that
goes back k steps is multiplied by k forget gates, and those may all be nearly 1.
Where it fails: a gate of sigmoid(0) = 1/2 halves the memory at every step, so at the usual start nothing lasts longer
than some ten steps. `forget_bias_` and `chrono_` start with a longer memory.
"""

import torch
import torch.nn.functional as F  # noqa: N812, torch's own name for it

from dlcourse.nn.activation import sigmoid, tanh
from dlcourse.nn.rnn import Cell, check_cell
from dlcourse.types import Float, Tensor


def lstm_cell(
    x: Float[Tensor, "batch features"],
    state: tuple[Float[Tensor, "batch hidden"], Float[Tensor, "batch hidden"]],
    weight_ih: Float[Tensor, "4*hidden features"],
    weight_hh: Float[Tensor, "4*hidden hidden"],
    bias_ih: Float[Tensor, " 4*hidden"] | None = None,
    bias_hh: Float[Tensor, " 4*hidden"] | None = None,
) -> tuple[Float[Tensor, "batch hidden"], Float[Tensor, "batch hidden"]]:
    """One step: state and answer are (hidden, cell). The biases are given together or not at all.

    Raises ValueError when the shapes do not fit together.

    A golden example, by hand: with weights of 0 every gate is half open and the candidate is 0, so half of the memory
    is kept and half of its tanh is shown.

    >>> zero = torch.zeros(1, 1)
    >>> lstm_cell(zero, (zero, zero + 1), torch.zeros(4, 1), torch.zeros(4, 1))
    (tensor([[0.2311]]), tensor([[0.5000]]))
    """
    i, f, g, o = lstm_gates(x, state, weight_ih, weight_hh, bias_ih, bias_hh)
    cell = f * state[1] + i * g
    return o * torch.tanh(cell), cell


def lstm_gates(
    x: Float[Tensor, "batch features"],
    state: tuple[Float[Tensor, "batch hidden"], Float[Tensor, "batch hidden"]],
    weight_ih: Float[Tensor, "4*hidden features"],
    weight_hh: Float[Tensor, "4*hidden hidden"],
    bias_ih: Float[Tensor, " 4*hidden"] | None = None,
    bias_hh: Float[Tensor, " 4*hidden"] | None = None,
) -> tuple[
    Float[Tensor, "batch hidden"],
    Float[Tensor, "batch hidden"],
    Float[Tensor, "batch hidden"],
    Float[Tensor, "batch hidden"],
]:
    """(i, f, g, o) of one step: input gate, forget gate, candidate, output gate. Arguments, errors as `lstm_cell`."""
    check_cell("lstm_cell", 4, x, state, weight_ih, weight_hh, bias_ih, bias_hh)
    bias = None if bias_ih is None else bias_ih + bias_hh
    i, f, g, o = torch.addmm(F.linear(x, weight_ih, bias), state[0], weight_hh.T).chunk(4, 1)  # of one sum, in blocks
    return torch.sigmoid(i), torch.sigmoid(f), torch.tanh(g), torch.sigmoid(o)


def lstm_cell_definition(
    x: Float[Tensor, "batch features"],
    state: tuple[Float[Tensor, "batch hidden"], Float[Tensor, "batch hidden"]],
    weight_ih: Float[Tensor, "4*hidden features"],
    weight_hh: Float[Tensor, "4*hidden hidden"],
    bias_ih: Float[Tensor, " 4*hidden"] | None = None,
    bias_hh: Float[Tensor, " 4*hidden"] | None = None,
) -> tuple[Float[Tensor, "batch hidden"], Float[Tensor, "batch hidden"]]:
    """The same as the equations above stand there: gate by gate, one example at a time."""
    check_cell("lstm_cell_definition", 4, x, state, weight_ih, weight_hh, bias_ih, bias_hh)
    size = weight_hh.shape[1]
    blocks = {gate: slice(place * size, (place + 1) * size) for place, gate in enumerate("ifgo")}
    hidden, cell = state
    new_hidden, new_cell = torch.empty_like(hidden), torch.empty_like(cell)

    def total(gate: str, n: int) -> Tensor:
        rows = blocks[gate]
        product = weight_ih[rows] @ x[n] + weight_hh[rows] @ hidden[n]
        return product if bias_ih is None else product + bias_ih[rows] + bias_hh[rows]

    for n in range(len(x)):
        i, f, g, o = sigmoid(total("i", n)), sigmoid(total("f", n)), tanh(total("g", n)), sigmoid(total("o", n))
        new_cell[n] = f * cell[n] + i * g
        new_hidden[n] = o * tanh(new_cell[n])
    return new_hidden, new_cell


class LSTMCell(Cell):
    """`lstm_cell` with its parameters, named as in torch.nn.LSTMCell. Without a state the memory is empty: zeros.

    All parameters start uniform within +-1 / sqrt(hidden_size), as torch's do, from the generator and in float32 on
    its device. Raises ValueError for sizes below 1 and for shapes that do not fit.

    >>> LSTMCell(3, 5, generator=torch.Generator().manual_seed(0))
    LSTMCell(3, 5)
    """

    gates = 4

    def forward(
        self,
        x: Float[Tensor, "batch features"],
        state: tuple[Float[Tensor, "batch hidden"], Float[Tensor, "batch hidden"]] | None = None,
    ) -> tuple[Float[Tensor, "batch hidden"], Float[Tensor, "batch hidden"]]:
        if state is None:
            zeros = x.new_zeros(len(x), self.hidden_size)
            state = zeros, zeros
        return lstm_cell(x, state, self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh)
