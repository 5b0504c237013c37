"""How much of a gradient gets back, for every number of steps and every setting of the one dial that matters most.

The dial of an RNN is the spectral radius of weight_hh, that of an LSTM or GRU the bias of the gate that keeps the old.
All its settings go through `nn.gradient_flow` as one batch: what differs between them comes to the cell as one more
input, the factor of W_hh h or the bias.
"""

import math
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F  # noqa: N812, torch's own name for it

from dlcourse import nn
from dlcourse.types import Float, Tensor
from dlcourse.widgets.rnn_unroller.cells import BENDS, KEEPERS, Cell

RADII = tuple(round(0.1 * tenth, 1) for tenth in range(2, 21))
BIASES = tuple(half / 2 for half in range(-4, 13))
MOST_UNITS = 40  # of a chart: with 128 it would take seconds


@dataclass(frozen=True, eq=False)
class Chart:
    """log10 of |d h_T / d state_(T-k)| for each setting of the dial, the lowest first, and k = 0, 1, ..., T - 1 steps
    back; -inf for 0, inf for what float32 cannot hold."""

    dial: str
    settings: tuple[float, ...]
    flow: Float[Tensor, "points time"]


def why_none(cell: Cell) -> str | None:
    """Why there is no chart of this cell, if there is none."""
    if cell.units > MOST_UNITS:
        return f"The map is drawn for cells of at most {MOST_UNITS} units; this one has {cell.units}."
    if cell.kind == "rnn" and cell.radius == 0:
        return "weight_hh has a spectral radius of 0, and no scaling changes that."
    if cell.kind != "rnn" and cell.bias_ih is None:
        return "The cell has no biases, so there is nothing to vary."
    return None


def chart(cell: Cell, x: Float[Tensor, "time features"]) -> Chart:
    """All settings at once; the cell's own setting of the dial does not matter."""
    settings = RADII if cell.kind == "rnn" else BIASES
    column = torch.tensor(settings, device="cpu")[:, None, None].expand(-1, len(x), 1)
    inputs = torch.cat([x.expand(len(settings), -1, -1), column], 2)
    step = _scalable(cell) if cell.kind == "rnn" else _keepable(cell)
    flow = nn.gradient_flow(step, inputs, cell.zeros(len(settings)))
    dial = "spectral radius" if cell.kind == "rnn" else f"bias of the {KEEPERS[cell.kind]}"
    return Chart(dial, settings, flow.flip(1).log10())


def _scalable(cell: Cell):
    """The last input is the spectral radius."""
    unit = cell.scaled(1.0).weight_hh
    bias = None if cell.bias_ih is None else cell.bias_ih + cell.bias_hh

    def step(x: Tensor, hidden: Tensor) -> Tensor:
        return BENDS[cell.bend](F.linear(x[:, :-1], cell.weight_ih, bias) + x[:, -1:] * F.linear(hidden, unit))

    return step


def _keepable(cell: Cell) -> Cell:
    """The last input is the bias of the gate that keeps: its column is 1 in that gate's rows."""
    plain, one = cell.keeping(0.0), cell.keeping(1.0)
    return replace(plain, weight_ih=torch.cat([plain.weight_ih, (one.bias_ih - plain.bias_ih)[:, None]], 1))


def mark(cell: Cell) -> tuple[float, float] | None:
    """Where the cell itself is on the dial, from the lowest unit to the highest."""
    if cell.kind == "rnn":
        return (cell.radius, cell.radius)
    return None if cell.keep_bias is None else (cell.keep_bias.min().item(), cell.keep_bias.max().item())


def memory(bias: float) -> float:
    """Steps that a gate with this bias, and nothing else, remembers for: 1 / (1 - sigmoid(bias))."""
    return 1 + math.exp(bias)
