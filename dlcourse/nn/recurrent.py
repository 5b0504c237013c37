"""Recurrent layers: a cell run along a sequence, in one direction or both, and such layers on top of each other.

`dlcourse.nn.unroll` runs one cell; here are the parameters, the directions and the layers.

**Both directions** (Schuster and Paliwal, 1997): a second cell reads from the end, each example from its own end, and
both outputs stand side by side. Only for a sequence that is there as a whole: at step t it knows what comes later.
**Layers**: the outputs of one are the sequence that the next one reads, with dropout between them in training (Zaremba,
Sutskever and Vinyals, 2014, arXiv:1409.2329): not along time, where it would wipe the memory out.

The loop is our own, with a matrix product for x at each step. benchmarks/recurrent.py measures by how much it is slower
than torch's.
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import nn

from dlcourse.nn.dropout import dropout
from dlcourse.nn.gru import gru_cell
from dlcourse.nn.lstm import lstm_cell
from dlcourse.nn.rnn import NAMES, add_parameters, rnn_cell
from dlcourse.nn.sizes import whole
from dlcourse.nn.unroll import State, Step, each, length_mask, unroll
from dlcourse.types import Float, Int, Tensor


class Recurrent(nn.Module):
    """What the three layers have in common. x is (batch, time, features): torch's `batch_first`, which is no option
    here, because everywhere else in the package the batch comes first too.

    forward(x, state=None, *, lengths=None) returns (outputs (batch, time, directions * hidden), final state). A state
    is (layers * directions, batch, hidden) as in torch: layer by layer, and in each forwards before backwards; for an
    LSTM two such tensors, (hidden, cell). None is zeros. lengths (batch,) says how many positions are real: what
    stands after them changes nothing, outputs there are 0, the final state is that of the last real position, and the
    backward direction begins there.

    The parameters have torch's names (weight_ih_l0, ..., weight_ih_l0_reverse, ...), so that load_state_dict copies
    from torch's layer and back; they start uniform within +-1 / sqrt(hidden_size), as torch's do, from the generator
    and in float32 on its device. `dropout` is the probability between layers, with masks from the same generator.

    Raises ValueError for sizes below 1, a probability outside [0, 1] or of no use in a single layer, for x, a state or
    lengths of another shape, and lengths that no sequence can have.
    """

    gates: int  # blocks of rows in each weight
    parts: int = 1  # tensors in a state
    step: Callable  # the pure cell

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        num_layers: int = 1,
        bias: bool = True,
        dropout: float = 0.0,
        bidirectional: bool = False,
        generator: torch.Generator,
    ):
        super().__init__()
        self.input_size, self.hidden_size, self.num_layers = whole(
            type(self).__name__, 1, input_size=input_size, hidden_size=hidden_size, num_layers=num_layers
        )
        self.bias, self.bidirectional = bias, bidirectional
        if not 0 <= dropout <= 1 or (dropout and self.num_layers == 1):
            raise ValueError(
                f"{type(self).__name__} got dropout={dropout} and num_layers={self.num_layers}; wanted a probability "
                "in [0, 1], and where it is not 0 two layers or more: it drops between them. Put a Dropout after one."
            )
        self.dropout, self.generator = dropout, generator if dropout else None
        for layer in range(self.num_layers):
            features = self.hidden_size * len(self.directions) if layer else self.input_size
            for backwards in self.directions:
                add_parameters(self, _suffix(layer, backwards), self.gates, features, bias, generator)

    @property
    def directions(self) -> tuple[bool, ...]:
        """For each direction, whether it reads backwards."""
        return (False, True) if self.bidirectional else (False,)

    def cell(self, layer: int = 0, *, backwards: bool = False) -> Step:
        """The cell of one layer and direction, (x (batch, features), state) -> state, with this layer's weights."""
        weights = [getattr(self, name + _suffix(layer, backwards)) for name in NAMES]
        return lambda x, state: self.step(x, state, *weights)

    def forward(
        self,
        x: Float[Tensor, "batch time features"],
        state: Float[Tensor, "layers batch hidden"]
        | tuple[Float[Tensor, "layers batch hidden"], Float[Tensor, "layers batch hidden"]]
        | None = None,
        *,
        lengths: Int[Tensor, " batch"] | None = None,
    ) -> tuple[Float[Tensor, "batch time out"], State]:
        state = self._checked(x, state, lengths)
        mask = None if lengths is None else length_mask(lengths.to(x.device), x.shape[1])
        finals = []
        for layer in range(self.num_layers):
            sides = []
            for backwards in self.directions:
                start = each(lambda part: part[len(finals)], state)
                outputs, final = unroll(self.cell(layer, backwards=backwards), x, start, mask, backwards=backwards)
                sides.append(outputs)
                finals.append(final)
            x = torch.cat(sides, 2) if self.bidirectional else outputs
            if self.dropout and self.training and layer < self.num_layers - 1:
                x = dropout(x, self.dropout, generator=self.generator)
        return x, each(lambda *ends: torch.stack(ends), *finals)

    def _checked(self, x: Tensor, state: State | None, lengths: Tensor | None) -> State:
        """The state, zeros if there is none. Raises ValueError unless all shapes fit."""
        name = type(self).__name__
        if x.ndim != 3 or x.shape[1] < 1 or x.shape[2] != self.input_size:
            raise ValueError(
                f"{name} got x {tuple(x.shape)}; wanted (batch, time, {self.input_size}), at least one step long. A "
                "single sequence (time, features) becomes a batch of one by x[None]."
            )
        if lengths is not None and lengths.shape != x.shape[:1]:
            raise ValueError(
                f"{name} got x {tuple(x.shape)} and lengths {tuple(lengths.shape)}; wanted ({len(x)},), a length for "
                "each example."
            )
        shape = (self.num_layers * len(self.directions), len(x), self.hidden_size)
        if state is None:
            zeros = x.new_zeros(shape)
            state = (zeros,) * self.parts if self.parts > 1 else zeros
        shapes = [tuple(part.shape) for part in (state if isinstance(state, tuple) else (state,))]
        if shapes != [shape] * self.parts or isinstance(state, tuple) != (self.parts > 1):
            wanted = "a tuple (hidden, cell), each" if self.parts > 1 else "a tensor"
            raise ValueError(
                f"{name} got a state of {', '.join(map(str, shapes))}; wanted {wanted} {shape}: (layers * directions, "
                "batch, hidden). None starts from zeros."
            )
        return state

    def extra_repr(self) -> str:
        parts = [f"{self.input_size}, {self.hidden_size}"]
        parts += [f"num_layers={self.num_layers}"] if self.num_layers > 1 else []
        parts += ["bias=False"] if not self.bias else []
        parts += [f"dropout={self.dropout}"] if self.dropout else []
        parts += ["bidirectional=True"] if self.bidirectional else []
        return ", ".join(parts)


class RNN(Recurrent):
    """The plain recurrent layer: `rnn_cell` along time. `Recurrent` says what all layers take, return and refuse.

    `activation` bends each step; torch.nn.RNN's nonlinearity="relu" is activation=nn.relu here.

    >>> layer = RNN(3, 5, generator=torch.Generator().manual_seed(0))
    >>> outputs, final = layer(torch.zeros(2, 7, 3))
    >>> outputs.shape, final.shape
    (torch.Size([2, 7, 5]), torch.Size([1, 2, 5]))
    """

    gates = 1

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        num_layers: int = 1,
        bias: bool = True,
        dropout: float = 0.0,
        bidirectional: bool = False,
        activation: Callable[[Tensor], Tensor] = torch.tanh,
        generator: torch.Generator,
    ):
        options = {"num_layers": num_layers, "bias": bias, "dropout": dropout, "bidirectional": bidirectional}
        super().__init__(input_size, hidden_size, **options, generator=generator)
        self.step = partial(rnn_cell, activation=activation)


class LSTM(Recurrent):
    """`lstm_cell` along time; a state is a tuple (hidden, cell). `Recurrent` says what all layers take and refuse.

    >>> layer = LSTM(3, 5, num_layers=2, bidirectional=True, generator=torch.Generator().manual_seed(0))
    >>> outputs, (hidden, cell) = layer(torch.zeros(2, 7, 3), lengths=torch.tensor([7, 4]))
    >>> outputs.shape, hidden.shape, cell.shape
    (torch.Size([2, 7, 10]), torch.Size([4, 2, 5]), torch.Size([4, 2, 5]))
    """

    gates, parts = 4, 2
    step = staticmethod(lstm_cell)


class GRU(Recurrent):
    """`gru_cell` along time. `Recurrent` says what all layers take, return and refuse.

    >>> layer = GRU(3, 5, generator=torch.Generator().manual_seed(0))
    >>> outputs, final = layer(torch.zeros(2, 7, 3))
    >>> outputs.shape, final.shape
    (torch.Size([2, 7, 5]), torch.Size([1, 2, 5]))
    """

    gates = 3
    step = staticmethod(gru_cell)


def _suffix(layer: int, backwards: bool) -> str:
    """The end of a parameter's name, as in torch."""
    return f"_l{layer}" + ("_reverse" if backwards else "")
