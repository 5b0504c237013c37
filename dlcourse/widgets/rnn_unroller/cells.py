"""A cell as the unroller uses it: plain weights and the functions of dlcourse.nn, made here or read from a module."""

import copy
from dataclasses import dataclass, replace
from typing import Any, Self

import torch
import torch.nn.functional as F  # noqa: N812, torch's own name for it

from dlcourse import generator, nn
from dlcourse.nn.chrono import KEEPS
from dlcourse.nn.unroll import State, unroll
from dlcourse.types import Float, Tensor

FEATURES = 8  # numbers that stand for a character
MOST_UNITS = 200  # more would not fit into a view's frame
CLOSE = 1e-4  # how far a module's answer may be from what its weights say, of numbers of size 1
NAMES = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
KINDS = {1: "rnn", 3: "gru", 4: "lstm"}
MADE = {"rnn": nn.RNNCell, "lstm": nn.LSTMCell, "gru": nn.GRUCell}
BENDS = {"tanh": torch.tanh, "relu": nn.relu, "none": nn.Identity()}
KEEPERS = {"lstm": "forget gate", "gru": "update gate"}  # what keeps the old


@dataclass(frozen=True, eq=False)
class Cell:
    """kind: "rnn", "lstm" or "gru". bend: of an RNN, a name in `BENDS`. The rest as in torch; biases both or none."""

    kind: str
    weight_ih: Float[Tensor, "out features"]
    weight_hh: Float[Tensor, "out hidden"]
    bias_ih: Float[Tensor, " out"] | None = None
    bias_hh: Float[Tensor, " out"] | None = None
    bend: str = "tanh"

    @property
    def units(self) -> int:
        return self.weight_hh.shape[1]

    @property
    def features(self) -> int:
        return self.weight_ih.shape[1]

    @property
    def weights(self) -> tuple[Tensor | None, ...]:
        return self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh

    def zeros(self, batch: int = 1) -> State:
        zeros = self.weight_hh.new_zeros(batch, self.units)
        return (zeros, zeros) if self.kind == "lstm" else zeros

    def __call__(self, x: Float[Tensor, "batch features"], state: State) -> State:
        if self.kind == "rnn":
            return nn.rnn_cell(x, state, *self.weights, activation=BENDS[self.bend])
        return (nn.lstm_cell if self.kind == "lstm" else nn.gru_cell)(x, state, *self.weights)

    def parts(self, x: Float[Tensor, "batch features"], state: State) -> dict[str, Float[Tensor, "batch hidden"]]:
        """What a step is made of, by name: `PARTS` of this kind."""
        after = self(x, state)
        if self.kind == "rnn":
            numbers = [F.linear(x, self.weight_ih, self.bias_ih), F.linear(state, self.weight_hh, self.bias_hh)]
            numbers += [state, after]
        elif self.kind == "lstm":
            numbers = [*nn.lstm_gates(x, state, *self.weights), state[1], after[1], after[0]]
        else:
            numbers = [*nn.gru_gates(x, state, *self.weights), state, after]
        return dict(zip(PARTS[self.kind], numbers, strict=True))

    @property
    def radius(self) -> float | None:
        """The spectral radius of an RNN's weight_hh; None for the others."""
        return nn.spectral_radius(self.weight_hh).item() if self.kind == "rnn" else None

    @property
    def keep_bias(self) -> Float[Tensor, " hidden"] | None:
        """Both biases together of the gate that keeps the old, for each unit; None for an RNN, or without biases."""
        if self.kind == "rnn" or self.bias_ih is None:
            return None
        return (self.bias_ih + self.bias_hh)[self._keeper]

    def scaled(self, radius: float) -> Self:
        """An RNN with this spectral radius."""
        return replace(self, weight_hh=nn.scale_spectral_radius_(self.weight_hh.clone(), radius))

    def keeping(self, bias: float) -> Self:
        """An LSTM or GRU whose keeping gate has this bias in all units: `nn.forget_bias_`, and the same for a GRU."""
        ih, hh = self.bias_ih.clone(), self.bias_hh.clone()
        ih[self._keeper], hh[self._keeper] = bias, 0
        return replace(self, bias_ih=ih, bias_hh=hh)

    @property
    def _keeper(self) -> slice:
        """The rows of the gate that keeps."""
        place = KEEPS[len(self.weight_hh) // self.units][0]
        return slice(place * self.units, (place + 1) * self.units)


# What a step is made of -> what it says. In formulas h and c without a mark are of the step before.
PARTS = {
    "rnn": {
        "from x": "what the character brings, W_ih x + b_ih",
        "from h": "what the state brings, W_hh h + b_hh",
        "h before": "the hidden state before this step",
        "h": "the hidden state, the activation of the sum",
    },
    "lstm": {
        "i": "input gate: how much of the new to let in",
        "f": "forget gate: how much of the old to keep",
        "g": "candidate: the new",
        "o": "output gate: how much of the memory to show",
        "c before": "the cell state, the memory, before this step",
        "c": "the cell state, f · c + i · g",
        "h": "the hidden state, o · tanh(c)",
    },
    "gru": {
        "r": "reset gate: how much of the old the new may look at",
        "z": "update gate: how much of the old to keep",
        "n": "candidate: the new",
        "h before": "the hidden state before this step",
        "h": "the hidden state, (1 - z) · n + z · h",
    },
}
GATES = frozenset("ifozr")  # from 0 to 1


def make(values: dict[str, Any], features: int = FEATURES) -> Cell:
    """The cell that the parameters ask for, the same for the same ones."""
    kind, draw = values["cell"], generator(values["seed"])
    made = MADE[kind](features, values["units"], generator=draw)
    if kind != "rnn" and values["start"] == "chrono":
        nn.chrono_(made, values["longest"], generator=draw)
    cell = Cell(kind, *(getattr(made, name).detach() for name in NAMES))
    if kind == "rnn":
        return replace(cell.scaled(values["radius"]), bend=values["activation"])
    return cell.keeping(values["bias"]) if values["start"] == "forget_bias" else cell


def vectors(text: str, features: int, seed: int) -> Float[Tensor, "time features"]:
    """A random vector for each character, normal, the same wherever the character occurs."""
    drawn = {
        character: torch.randn(features, generator=generator(0x110000 * seed + ord(character)), device="cpu")
        for character in set(text)
    }
    return torch.stack([drawn[character] for character in text])


# The learner's own.


def read(module: Any) -> list[Cell]:
    """The cells of a module, the lowest layer first, as copies: of an RNNCell, LSTMCell, GRUCell, RNN, LSTM or GRU of
    dlcourse or torch, or of anything with their parameters' names that answers as they do. Raises ValueError."""
    if not isinstance(module, torch.nn.Module):
        raise ValueError(
            f"cell is a {type(module).__name__}; wanted 'rnn', 'lstm' or 'gru', or a module with weights: an RNNCell, "
            "LSTMCell, GRUCell, or a layer RNN, LSTM, GRU, of dlcourse.nn or torch.nn."
        )
    single = hasattr(module, "weight_hh")
    if not single and not hasattr(module, "weight_hh_l0"):
        raise ValueError(
            f"the {type(module).__name__} has no parameter weight_hh or weight_hh_l0. Give the recurrent cell or layer "
            "itself, such as model.rnn."
        )
    if hasattr(module, "weight_hh_l0_reverse"):
        raise ValueError("a layer that also reads backwards has no one way through time: take bidirectional=False.")
    if getattr(module, "proj_size", 0):
        raise ValueError("an LSTM with proj_size has states of two sizes; the unroller shows those without.")
    module = copy.deepcopy(module).to("cpu", torch.float32).eval().requires_grad_(False)
    suffixes, layer = ([""], 0) if single else ([], 0)
    while hasattr(module, f"weight_hh_l{layer}"):
        suffixes.append(f"_l{layer}")
        layer += 1
    bend = _bend(module)
    cells = [_cell([getattr(module, name + suffix, None) for name in NAMES], bend) for suffix in suffixes]
    _agree(module, cells, single)
    return cells


def _cell(weights: list[Tensor | None], bend: str) -> Cell:
    hh = weights[1]
    gates = hh.shape[0] // hh.shape[1] if hh.ndim == 2 else 0
    if hh.ndim != 2 or gates not in KINDS or len(hh) != gates * hh.shape[1]:
        raise ValueError(
            f"weight_hh is {tuple(hh.shape)}; wanted (hidden, hidden) of an RNN, (4 * hidden, hidden) of an LSTM, or "
            "(3 * hidden, hidden) of a GRU."
        )
    if hh.shape[1] > MOST_UNITS:
        raise ValueError(f"the cell has {hh.shape[1]} units; the unroller shows at most {MOST_UNITS}.")
    if not all(weight is None or weight.isfinite().all() for weight in weights):
        raise ValueError("some of the cell's weights are not finite (nan or inf). Look at them first.")
    return Cell(KINDS[gates], *(None if weight is None else weight.detach().clone() for weight in weights), bend)


def _bend(module: torch.nn.Module) -> str:
    """What an RNN's steps are bent by."""
    if hasattr(module, "nonlinearity"):  # torch's
        return module.nonlinearity
    function = getattr(module, "activation", None) or getattr(getattr(module, "step", None), "keywords", {}).get(
        "activation"
    )
    if function is None:
        return "tanh"
    probe = torch.linspace(-2, 2, 9, device="cpu")
    for name, known in BENDS.items():
        if torch.allclose(function(probe), known(probe), atol=1e-6):
            return name
    raise ValueError("the cell's activation is none of tanh, relu and the identity, which are what is shown here.")


@torch.no_grad()
def _agree(module: torch.nn.Module, cells: list[Cell], single: bool) -> None:
    """Raise ValueError unless the module answers as nn's functions do with its weights."""
    kind, first = cells[0].kind, cells[0]
    x = torch.randn(3, 5, first.features, generator=generator(0), device="cpu")
    hidden = torch.rand(3, first.units, generator=generator(1), device="cpu") - 0.5
    try:
        if single:
            state = (hidden, hidden.flip(0)) if kind == "lstm" else hidden
            theirs, ours = module(x[:, 0], state), first(x[:, 0], state)
            theirs, ours = ((each if isinstance(each, tuple) else (each,)) for each in (theirs, ours))
        else:
            time_first = getattr(module, "batch_first", True) is False
            out = module(x.transpose(0, 1) if time_first else x)[0]
            theirs, ours = [out.transpose(0, 1) if time_first else out], [run(cells, x)[-1]]
        far = max((a - b).abs().max().item() for a, b in zip(theirs, ours, strict=True))
    except Exception as error:
        raise ValueError(
            f"the {type(module).__name__} failed when it was called as a recurrent cell or layer is: {error}"
        ) from error
    if not far <= CLOSE:
        raise ValueError(
            f"the {type(module).__name__} answers differently (by {far:.2g}) from nn.{kind}_cell with the same weights,"
            " so what would be shown is not what it does. Are the gates in torch's order (LSTM i, f, g, o; GRU r, z, "
            "n), and every tanh and sigmoid in its place?"
        )


def run(cells: list[Cell], x: Float[Tensor, "batch time features"]) -> list[Float[Tensor, "batch time hidden"]]:
    """The outputs of each layer, the lowest first."""
    outputs = []
    for cell in cells:
        x = unroll(cell, x, cell.zeros(len(x)))[0]
        outputs.append(x)
    return outputs
