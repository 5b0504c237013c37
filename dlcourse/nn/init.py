"""Initialisation: how large the weights are at the start, so that signals keep their size on the way through.

If the inputs of a unit are independent with mean square q, and its `fan_in` weights have mean 0 and variance v, its
output has variance fan_in v q. Gradients come back through the same weights, each through `fan_out` of them:

    signals keep their size   if v = gain^2 / fan_in          gradients do   if v = gain^2 / fan_out
    Xavier: both, nearly      v = gain^2 2 / (fan_in + fan_out)      Glorot and Bengio, 2010, equations 12 and 16
    He: signals, with ReLU    v = 2 / fan_in                         He et al., 2015, arXiv:1502.01852, equation 10
    orthogonal                W W^T = gain^2 I, or W^T W             Saxe, McClelland and Ganguli, 2014, arXiv:1312.6120

The gain makes up for what the activation takes away: ReLU throws half of the mean square away, so its gain is sqrt 2.
With v twice too small, 50 layers shrink the signal by sqrt(2)^50, some 30 million times.

Xavier counts on an activation that is nearly linear around 0. An orthogonal matrix keeps every length exactly, so a
deep *linear* network learns as fast as a shallow one; a bend takes that exactness away. And all of them speak of the
start alone: weights move, and normalisation (`dlcourse.nn.norm`) keeps the sizes afterwards as well.

Each function returns a new tensor on the generator's device; a uniform one has the variance of its normal sister.
"""

import math
from collections.abc import Sequence

import torch

from dlcourse.types import Float, Tensor

# What keeps the size of a signal through the activation of that name; the numbers of torch.nn.init.calculate_gain.
# ReLU and leaky ReLU follow from the mean square that is left (He et al., 2015); 5/3 and 1 are customs that work.
GAINS = {
    "linear": 1.0,
    "sigmoid": 1.0,
    "tanh": 5 / 3,
    "relu": math.sqrt(2),
    "leaky_relu": math.sqrt(2 / (1 + 0.01**2)),  # with its usual slope of 0.01
}


def fans(shape: Sequence[int]) -> tuple[int, int]:
    """(fan_in, fan_out): how many inputs an output sees, and how many outputs see an input.

    Weights are (out, in), or (out, in, height, width) for a convolution, where each pair is joined by height * width
    weights. Raises ValueError for fewer than two dimensions (a bias has no fans), and for a size below 1.

    >>> fans((10, 64)), fans((8, 3, 5, 5))
    ((64, 10), (75, 200))
    """
    if len(shape) < 2 or min(shape) < 1:
        raise ValueError(
            f"fans({tuple(shape)}): a weight has at least two dimensions, (out, in), each 1 or more. "
            "Biases have no fans; they start at 0."
        )
    field = math.prod(shape[2:])
    return shape[1] * field, shape[0] * field


def gain(name: str) -> float:
    """The gain for an activation, from the table above. Raises ValueError for one that is not in it.

    >>> gain("tanh")
    1.6666666666666667
    """
    if name not in GAINS:
        raise ValueError(f"gain({name!r}): not in the table. Known are {', '.join(GAINS)}.")
    return GAINS[name]


def xavier_normal(
    shape: Sequence[int], *, gain: float = 1.0, generator: torch.Generator, dtype: torch.dtype = torch.float32
) -> Float[Tensor, "..."]:
    """Normal, with standard deviation gain * sqrt(2 / (fan_in + fan_out)). For tanh, sigmoid and linear layers."""
    return gain * math.sqrt(2 / sum(fans(shape))) * _normal(shape, generator, dtype)


def xavier_uniform(
    shape: Sequence[int], *, gain: float = 1.0, generator: torch.Generator, dtype: torch.dtype = torch.float32
) -> Float[Tensor, "..."]:
    """Uniform within +-gain * sqrt(6 / (fan_in + fan_out)): the same variance, because within +-a it is a^2 / 3."""
    return gain * math.sqrt(6 / sum(fans(shape))) * _uniform(shape, generator, dtype)


def he_normal(
    shape: Sequence[int],
    *,
    gain: float = GAINS["relu"],
    generator: torch.Generator,
    dtype: torch.dtype = torch.float32,
) -> Float[Tensor, "..."]:
    """Normal, with standard deviation gain / sqrt(fan_in), which is sqrt(2 / fan_in) for ReLU.

    >>> he_normal((1000, 50), generator=torch.Generator().manual_seed(0)).std()  # sqrt(2 / 50) is 0.2
    tensor(0.2000)
    """
    return gain / math.sqrt(fans(shape)[0]) * _normal(shape, generator, dtype)


def he_uniform(
    shape: Sequence[int],
    *,
    gain: float = GAINS["relu"],
    generator: torch.Generator,
    dtype: torch.dtype = torch.float32,
) -> Float[Tensor, "..."]:
    """Uniform within +-gain * sqrt(3 / fan_in), which is sqrt(6 / fan_in) for ReLU."""
    return gain * math.sqrt(3 / fans(shape)[0]) * _uniform(shape, generator, dtype)


def orthogonal(
    shape: Sequence[int], *, gain: float = 1.0, generator: torch.Generator, dtype: torch.dtype = torch.float32
) -> Float[Tensor, "..."]:
    """gain times a matrix with orthonormal rows when it is wide, orthonormal columns when it is tall.

    Dimensions after the first count as one. It is the Q of the QR decomposition of a normal matrix. Q is only fixed up
    to the signs of its columns, and routines prefer some: with the signs of R's diagonal taken out, every orthogonal
    matrix is equally likely (Mezzadri, 2007, arXiv:math-ph/0609050).
    """
    fans(shape)  # refuses what is no weight
    wide = torch.promote_types(dtype, torch.float32)  # in half precision there is no QR
    noise = _normal(shape, generator, wide).flatten(1)
    tall = noise if noise.shape[0] >= noise.shape[1] else noise.T
    q, r = torch.linalg.qr(tall)
    q = q * r.diagonal().sign()
    return (gain * (q if tall is noise else q.T)).reshape(shape).to(dtype)


def _normal(shape: Sequence[int], generator: torch.Generator, dtype: torch.dtype) -> Float[Tensor, "..."]:
    """Mean 0, variance 1."""
    return torch.randn(shape, generator=generator, dtype=dtype, device=generator.device)


def _uniform(shape: Sequence[int], generator: torch.Generator, dtype: torch.dtype) -> Float[Tensor, "..."]:
    """Uniform in [-1, 1)."""
    return 2 * torch.rand(shape, generator=generator, dtype=dtype, device=generator.device) - 1
