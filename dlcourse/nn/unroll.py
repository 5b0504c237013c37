"""Running a cell along a sequence, one step after another.

    state_0 = zeros, or what is given          state_t = cell(x_t, state_{t-1})          t = 1, ..., time

A cell is any function (x (batch, features), state) -> state. The outputs are the hidden states h_1 to h_time, the
*final state* is the last one; a text that goes on is read by handing it in again. Gradients go back through all steps
that one call has seen (backpropagation through time). **Truncated**: read a long text a window at a time, and between
windows keep the numbers of the state but cut the gradient (Williams and Peng, 1990, Neural Computation 2); `detach`
cuts:

    state = None
    for x, y in windows:
        outputs, state = layer(x, detach(state))

**Lengths.** Sequences of unlike lengths share a batch by being padded to the longest. The mask is True where a position
is real. Behind its length an example's state stands still and its output is 0, so padding changes no result, whatever
it holds. torch packs the sequences instead; the answers are the same.
"""

from collections.abc import Callable, Iterator
from functools import partial

import torch

from dlcourse.types import Bool, Float, Int, Tensor

State = Tensor | tuple[Tensor, Tensor]  # of an LSTM (hidden, cell), else hidden; each shape is in the signatures
Step = Callable[[Tensor, State], State]


def unroll_steps(
    cell: Step,
    x: Float[Tensor, "batch time features"],
    state: Float[Tensor, "batch hidden"] | tuple[Float[Tensor, "batch hidden"], Float[Tensor, "batch hidden"]],
    mask: Bool[Tensor, "batch time"] | None = None,
) -> Iterator[State]:
    """The state after each step. `cell` is any (x (batch, features), state) -> state: RNNCell, LSTMCell, GRUCell.

    Where the mask is False the state stands still, and x may hold anything, nan too.

    >>> [state.item() for state in unroll_steps(lambda x, h: h / 2 + x, torch.ones(1, 3, 1), torch.zeros(1, 1))]
    [1.0, 1.5, 1.75]
    """
    if mask is not None:
        x = x.where(mask.unsqueeze(2), 0.0)  # through a nan that is left out afterwards, the slopes would still be nan
    for t, inputs in enumerate(x.unbind(1)):
        new = cell(inputs, state)
        state = new if mask is None else each(partial(torch.where, mask[:, t : t + 1]), new, state)
        yield state


def unroll(
    cell: Step,
    x: Float[Tensor, "batch time features"],
    state: Float[Tensor, "batch hidden"] | tuple[Float[Tensor, "batch hidden"], Float[Tensor, "batch hidden"]],
    mask: Bool[Tensor, "batch time"] | None = None,
    *,
    backwards: bool = False,
) -> tuple[Float[Tensor, "batch time hidden"], State]:
    """Run the steps to their end: all hidden states, 0 where the mask is False, and the final state.

    backwards: from the last position to the first. The outputs stand at the position at which they were made.
    """
    if backwards:
        outputs, final = unroll(cell, x.flip(1), state, None if mask is None else mask.flip(1))
        return outputs.flip(1), final
    states = list(unroll_steps(cell, x, state, mask))
    outputs = torch.stack([hidden_of(state) for state in states], 1)
    return outputs if mask is None else outputs.where(mask.unsqueeze(2), 0.0), states[-1]


def length_mask(lengths: Int[Tensor, " batch"], time: int) -> Bool[Tensor, "batch time"]:
    """True at the first lengths[n] positions of row n. Raises ValueError for a length below 1 or above `time`.

    >>> length_mask(torch.tensor([1, 3]), 3)
    tensor([[ True, False, False],
            [ True,  True,  True]])
    """
    if lengths.ndim != 1 or lengths.is_floating_point() or ((lengths < 1) | (lengths > time)).any():
        raise ValueError(
            f"length_mask got lengths {lengths.tolist()} of {lengths.dtype} and time={time}; wanted a row of whole "
            f"numbers from 1 to {time}, how many positions of each example are real."
        )
    return torch.arange(time, device=lengths.device) < lengths[:, None]


def detach(state: State | None) -> State | None:
    """The state with the same numbers and no way back for gradients: cuts backpropagation through time. None is None.

    The tensors share their memory with the given ones, which stay as they are.
    """
    return None if state is None else each(Tensor.detach, state)


def each(function: Callable[..., Tensor], *states: State) -> State:
    """function(one tensor of each state), for the one tensor of a state or for both."""
    return tuple(map(function, *states)) if isinstance(states[0], tuple) else function(*states)


def hidden_of(state: State) -> Tensor:
    """The hidden state, which others see."""
    return state[0] if isinstance(state, tuple) else state
