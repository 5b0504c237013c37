"""How much of a gradient gets back through time: the norm of d h_T / d state_t, for every step t.

By the chain rule it is a product of one Jacobian for each step in between,

    d h_T / d state_t = d h_T / d state_{T-1}  ...  d state_{t+1} / d state_t

and backpropagation through time multiplies them from the left, step by step. In a plain cell without a bend each is
W_hh, so that the product goes with the *spectral radius* of W_hh, the size of its largest eigenvalue: below 1 it
vanishes, above 1 it explodes, both as fast as radius^(T-t) in the long run (Hochreiter, 1991; Bengio, Simard and
Frasconi, 1994; Pascanu, Mikolov and Bengio, 2013, arXiv:1211.5063, section 2.1). tanh only shrinks it further. On a
few steps the radius says little: a matrix with a radius of 0 may stretch at first.

The norm is the spectral one, the largest singular value: the most by which a small change of the state at step t can
grow until it reaches h_T. The state is all that a cell hands on: h of an RNN or GRU, h and c side by side of an LSTM.

Where it misleads: it speaks of the best direction, and of the weights as they are. An LSTM that starts with a forget
bias of 2 lets a good part of a gradient back through 100 steps, and does not learn to remember the first of 100 symbols
(tests/nn/test_memory.py). A GRU that lets next to nothing back at its start learns the adding problem all the same:
training changes the flow, from the first update on. It shows what a start or a length changes; it is no verdict.
"""

from collections.abc import Callable

import torch
from einops import rearrange, repeat

from dlcourse.nn.unroll import State, each, hidden_of
from dlcourse.types import Float, Tensor


def gradient_flow(
    cell: Callable[[Tensor, State], State],
    x: Float[Tensor, "batch time features"],
    state: Float[Tensor, "batch hidden"] | tuple[Float[Tensor, "batch hidden"], Float[Tensor, "batch hidden"]],
) -> Float[Tensor, "batch time"]:
    """Spectral norm of d h_T / d state_t for t = 1 to T, the states after each step; at T itself it is 1.

    cell: any (x (batch, features), state) -> state: an RNNCell, LSTMCell or GRUCell, torch's too, or `layer.cell()`.
    state: the one before the first step. Exact, not sampled: each example is copied once for every unit, and copy j
    carries row j of the Jacobian back, so that one pass does for all. inf where a number was too large for the dtype.
    No gradient is left on the cell's parameters. Raises ValueError for a sequence without steps.

    >>> gradient_flow(lambda x, h: h / 2 + x, torch.ones(1, 4, 1), torch.zeros(1, 1))
    tensor([[0.1250, 0.2500, 0.5000, 1.0000]])
    """
    if not x.shape[1]:
        raise ValueError(f"gradient_flow got x {tuple(x.shape)}; wanted (batch, time, features), at least one step.")
    batch, units = hidden_of(state).shape
    state = each(lambda part: repeat(part, "b h -> (b j) h", j=units), state)
    before, after = [], []
    with torch.enable_grad():
        for inputs in repeat(x.detach(), "b t f -> t (b j) f", j=units):
            state = each(lambda part: part.detach().requires_grad_(), state)  # each step a graph of its own
            before.append(_parts(state))
            state = cell(inputs, state)
            after.append(_parts(state))
    slopes = [torch.zeros_like(part) for part in after[-1]]
    slopes[0] += torch.eye(units, dtype=slopes[0].dtype, device=slopes[0].device).repeat(batch, 1)
    jacobians = [torch.cat(slopes, 1)]
    for t in reversed(range(1, x.shape[1])):
        slopes = torch.autograd.grad(after[t], before[t], slopes, materialize_grads=True)
        jacobians.append(torch.cat(slopes, 1))
    return _spectral_norm(rearrange(jacobians[::-1], "t (b j) k -> b t j k", j=units))


def spectral_radius(weight: Float[Tensor, "hidden hidden"]) -> Float[Tensor, ""]:
    """The size of the largest eigenvalue. Raises ValueError for a matrix that is not square.

    >>> spectral_radius(torch.tensor([[0.0, 2.0], [-2.0, 0.0]]))
    tensor(2.0000)
    """
    if weight.ndim != 2 or len(weight) != weight.shape[1]:
        raise ValueError(
            f"spectral_radius got {tuple(weight.shape)}; wanted a square matrix. An LSTM's weight_hh holds four, a "
            "GRU's three: weight_hh.chunk(4), weight_hh.chunk(3)."
        )
    return torch.linalg.eigvals(weight).abs().max()


@torch.no_grad()
def scale_spectral_radius_(weight: Float[Tensor, "hidden hidden"], radius: float) -> Float[Tensor, "hidden hidden"]:
    """Scale a square matrix in place, so that its spectral radius is `radius`; returns it.

    Raises ValueError for a radius below 0, and for a matrix that is not square or whose radius is 0 already.

    >>> scale_spectral_radius_(torch.tensor([[2.0, 1.0], [0.0, -4.0]]), 0.5)
    tensor([[ 0.2500,  0.1250],
            [ 0.0000, -0.5000]])
    """
    now = spectral_radius(weight)
    if not radius >= 0 or now == 0:
        raise ValueError(
            f"scale_spectral_radius_ got a matrix of radius {now.item():g} and radius={radius}; wanted 0 or more, and "
            "a matrix with an eigenvalue that is not 0: no scaling changes a radius of 0."
        )
    return weight.mul_(radius / now)


def _parts(state: State) -> tuple[Tensor, ...]:
    return state if isinstance(state, tuple) else (state,)


def _spectral_norm(matrices: Float[Tensor, "batch time hidden out"]) -> Float[Tensor, "batch time"]:
    """The largest singular value of each; inf for a matrix with a number that is not finite."""
    finite = matrices.isfinite().all(3).all(2)
    norms = torch.linalg.matrix_norm(matrices.where(finite[:, :, None, None], 0.0), ord=2)
    return norms.where(finite, torch.inf)
