"""The gated recurrent unit: two gates and one state, for three quarters of the LSTM's weights.

    r = sigmoid(W_ir x + b_ir + W_hr h + b_hr)          reset gate: how much of the old the new may look at
    z = sigmoid(W_iz x + b_iz + W_hz h + b_hz)          update gate: how much of the old to *keep*
    n =    tanh(W_in x + b_in + r * (W_hn h + b_hn))    candidate: the new
    h' = (1 - z) * n + z * h

(Cho et al., 2014, arXiv:1406.1078, equations 5 to 8.) The blocks of rows stand in torch's order r, z, n.

It differs from the paper in one place, as torch and cuDNN do: the reset gate works on the product, r * (W_hn h + b_hn),
and not on the state, W_hn (r * h). So all products with h are one matrix product. Others write 1 - z for z (Chung et
al., 2014, arXiv:1412.3555, equation 5): ask what a gate of 1 does before you copy weights across.

Why it remembers: from h to h' there is a way with slope z, with no matrix and no bend between.
Where it fails: it has one state for both memory and answer, so whatever it remembers it also shows.
"""

import torch
import torch.nn.functional as F  # noqa: N812, torch's own name for it

from dlcourse.nn.activation import sigmoid, tanh
from dlcourse.nn.rnn import Cell, check_cell
from dlcourse.types import Float, Tensor


def gru_cell(
    x: Float[Tensor, "batch features"],
    hidden: Float[Tensor, "batch hidden"],
    weight_ih: Float[Tensor, "3*hidden features"],
    weight_hh: Float[Tensor, "3*hidden hidden"],
    bias_ih: Float[Tensor, " 3*hidden"] | None = None,
    bias_hh: Float[Tensor, " 3*hidden"] | None = None,
) -> Float[Tensor, "batch hidden"]:
    """One step: the new hidden state. The biases are given together or not at all.

    Raises ValueError when the shapes do not fit together.

    A golden example, by hand: with weights of 0 both gates are half open and the candidate is 0, so half is kept.

    >>> zero = torch.zeros(1, 1)
    >>> gru_cell(zero, zero + 1, torch.zeros(3, 1), torch.zeros(3, 1))
    tensor([[0.5000]])
    """
    _, z, n = gru_gates(x, hidden, weight_ih, weight_hh, bias_ih, bias_hh)
    return (1 - z) * n + z * hidden


def gru_gates(
    x: Float[Tensor, "batch features"],
    hidden: Float[Tensor, "batch hidden"],
    weight_ih: Float[Tensor, "3*hidden features"],
    weight_hh: Float[Tensor, "3*hidden hidden"],
    bias_ih: Float[Tensor, " 3*hidden"] | None = None,
    bias_hh: Float[Tensor, " 3*hidden"] | None = None,
) -> tuple[Float[Tensor, "batch hidden"], Float[Tensor, "batch hidden"], Float[Tensor, "batch hidden"]]:
    """(r, z, n) of one step: reset gate, update gate, candidate. Arguments, errors as `gru_cell`."""
    check_cell("gru_cell", 3, x, (hidden,), weight_ih, weight_hh, bias_ih, bias_hh)
    r_x, z_x, n_x = F.linear(x, weight_ih, bias_ih).chunk(3, 1)
    r_h, z_h, n_h = F.linear(hidden, weight_hh, bias_hh).chunk(3, 1)
    r = torch.sigmoid(r_x + r_h)
    return r, torch.sigmoid(z_x + z_h), torch.tanh(n_x + r * n_h)


def gru_cell_definition(
    x: Float[Tensor, "batch features"],
    hidden: Float[Tensor, "batch hidden"],
    weight_ih: Float[Tensor, "3*hidden features"],
    weight_hh: Float[Tensor, "3*hidden hidden"],
    bias_ih: Float[Tensor, " 3*hidden"] | None = None,
    bias_hh: Float[Tensor, " 3*hidden"] | None = None,
) -> Float[Tensor, "batch hidden"]:
    """The same as the equations above stand there: gate by gate, one example at a time."""
    check_cell("gru_cell_definition", 3, x, (hidden,), weight_ih, weight_hh, bias_ih, bias_hh)
    size = weight_hh.shape[1]
    blocks = {gate: slice(place * size, (place + 1) * size) for place, gate in enumerate("rzn")}
    new = torch.empty_like(hidden)

    def from_x(gate: str, n: int) -> Tensor:
        rows = blocks[gate]
        return weight_ih[rows] @ x[n] + (0 if bias_ih is None else bias_ih[rows])

    def from_h(gate: str, n: int) -> Tensor:
        rows = blocks[gate]
        return weight_hh[rows] @ hidden[n] + (0 if bias_hh is None else bias_hh[rows])

    for n in range(len(x)):
        r = sigmoid(from_x("r", n) + from_h("r", n))
        z = sigmoid(from_x("z", n) + from_h("z", n))
        candidate = tanh(from_x("n", n) + r * from_h("n", n))
        new[n] = (1 - z) * candidate + z * hidden[n]
    return new


class GRUCell(Cell):
    """`gru_cell` with its parameters, named as in torch.nn.GRUCell. Without a state the memory is empty: zeros.

    All parameters start uniform within +-1 / sqrt(hidden_size), as torch's do, from the generator and in float32 on
    its device. Raises ValueError for sizes below 1 and for shapes that do not fit.

    >>> GRUCell(3, 5, generator=torch.Generator().manual_seed(0))
    GRUCell(3, 5)
    """

    gates = 3

    def forward(
        self, x: Float[Tensor, "batch features"], hidden: Float[Tensor, "batch hidden"] | None = None
    ) -> Float[Tensor, "batch hidden"]:
        hidden = x.new_zeros(len(x), self.hidden_size) if hidden is None else hidden
        return gru_cell(x, hidden, self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh)
