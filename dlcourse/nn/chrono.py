"""How long a gated memory lasts at the start: biases of the gates that keep the old.

A gate that stands at f multiplies the memory by f at each step, so that k steps leave f^k of it: it lasts for about
1 / (1 - f) steps. With f = sigmoid(b) that is 1 + exp(b), so a bias of log(k - 1) is a memory of k steps; a bias of 0,
of 2 steps.

- **forget bias**: one number for all units. 1 is a custom that helps (Gers, Schmidhuber and Cummins, 2000; Jozefowicz,
  Zaremba and Sutskever, 2015): some 4 steps. A task of 100 steps asks for more.
- **chrono**: a time of its own for each unit, drawn between 2 steps and the `longest` that the task may need (Tallec
  and Ollivier, 2018, arXiv:1804.11188, section 2), and the input gate at 1 - f, so that what comes in is averaged over
  that time:

        b_f = log(u),  b_i = -b_f,     u uniform in [1, longest - 1]

  A GRU has one gate for both, so b_z = log(u). torch's update gate z is the share *kept*; where 1 - z is kept, the sign
  is the other one.

torch adds two biases. Here the one of the input, bias_ih, holds the number and the one of the state, bias_hh, is 0.
Where it fails: the start alone is set, and `longest` has to be guessed. A memory that is far too long lets in too
little, and learns slowly what is near.
"""

from collections.abc import Iterator

import torch
from torch import nn

from dlcourse.types import Tensor

# Gates in a bias -> which of them keeps the old, and which lets in the new. LSTM i, f, g, o; GRU r, z, n.
KEEPS = {4: (1, 0), 3: (1, None)}


@torch.no_grad()
def forget_bias_(lstm: nn.Module, value: float) -> nn.Module:
    """Set the forget gate's bias of every layer and direction to `value`, in place; returns the LSTM.

    For LSTM and LSTMCell, torch's too. Raises ValueError for another layer, and for one without biases.

    >>> from dlcourse.nn import LSTM
    >>> layer = forget_bias_(LSTM(3, 2, generator=torch.Generator().manual_seed(0)), 1.0)
    >>> (layer.bias_ih_l0 + layer.bias_hh_l0)[2:4]
    tensor([1., 1.], grad_fn=<SliceBackward0>)
    """
    for bias_ih, bias_hh in _biases("forget_bias_", lstm, (4,)):
        bias_ih[1] = value
        bias_hh[1] = 0
    return lstm


@torch.no_grad()
def chrono_(layer: nn.Module, longest: int, *, generator: torch.Generator) -> nn.Module:
    """Set the biases of the gates that keep and let in, in place: memories of 2 to `longest` steps. Returns the layer.

    For LSTM, GRU and their cells, torch's too. The other biases stay as they are. Raises ValueError for another layer,
    one without biases, and `longest` below 2.
    """
    if longest < 2:
        raise ValueError(f"chrono_ got longest={longest}; wanted 2 or more, the steps of the longest memory needed.")
    for bias_ih, bias_hh in _biases("chrono_", layer, (4, 3)):
        keep, let_in = KEEPS[len(bias_ih)]
        times = torch.empty(layer.hidden_size, device=generator.device, dtype=torch.float32)
        bias = times.uniform_(1, longest - 1, generator=generator).log().to(bias_ih)
        bias_ih[keep] = bias
        bias_hh[keep] = 0
        if let_in is not None:
            bias_ih[let_in] = -bias
            bias_hh[let_in] = 0
    return layer


def _biases(caller: str, layer: nn.Module, kinds: tuple[int, ...]) -> Iterator[tuple[Tensor, Tensor]]:
    """For each layer and direction its two biases, a row for each gate. They share memory with the parameters."""
    names = [name for name, _ in layer.named_parameters() if name.startswith("bias_ih")]
    if not names or len(getattr(layer, names[0])) // layer.hidden_size not in kinds:
        wanted = "an LSTM or LSTMCell" if kinds == (4,) else "an LSTM, a GRU or a cell of either"
        raise ValueError(f"{caller} got {layer}; wanted {wanted}, with biases.")
    for name in names:
        pair = getattr(layer, name), getattr(layer, name.replace("bias_ih", "bias_hh"))
        yield tuple(bias.view(-1, layer.hidden_size) for bias in pair)
