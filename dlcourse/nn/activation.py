"""Activation functions: the bend between two layers, applied to each number by itself.

Each function has the value *and* the slope of torch's function of the same name, for any size of input, and its
formula in its own docstring. Two faults hide in almost every hand-written version:

- `exp` of a large number is infinite, and infinity over infinity is not a number. So no `exp` here ever meets a
  positive number: exp(-|x|) lies between 0 and 1.
- `torch.where` chooses between two values, but the slope runs through both, and 0 times infinity is not a number. So
  the branch not taken must be finite too. At the corner itself a slope has to be chosen: `abs` has slope 0 at 0.

`NAME_definition` beside a function is the formula as a textbook prints it: the same for small inputs, wrong for large.
"""

import math

import torch

from dlcourse.types import Float, Tensor


def sigmoid(x: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """1 / (1 + exp(-x)), in [0, 1]: squashes a logit into a probability. Its slope is at most 1/4, at 0.

    >>> sigmoid(torch.tensor([-1000.0, 0.0, 1000.0]))
    tensor([0.0000, 0.5000, 1.0000])
    """
    small = torch.exp(_minus_abs(x))
    return torch.where(x >= 0, 1.0, small) / (1 + small)  # for x < 0, both halves of the fraction times exp(x)


def sigmoid_definition(x: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """The sigmoid as printed: its slope is not a number far below 0, where exp(-x) overflows."""
    return 1 / (1 + torch.exp(-x))


def log_sigmoid(x: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """log(sigmoid(x)), never above 0; about x itself far below 0, where the sigmoid rounds to 0.

    >>> log_sigmoid(torch.tensor([-1000.0, 0.0, 1000.0]))
    tensor([-1.0000e+03, -6.9315e-01,  0.0000e+00])
    """
    return torch.where(x >= 0, 0.0, x) - torch.log1p(torch.exp(_minus_abs(x)))


def log_sigmoid_definition(x: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """The logarithm of the sigmoid as printed: minus infinity far below 0."""
    return torch.log(sigmoid_definition(x))


def softplus(x: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """log(1 + exp(x)), a ReLU with a round corner. It is -log_sigmoid(-x), and its slope is the sigmoid.

    torch returns x itself above a threshold of 20; here the formula holds everywhere.
    """
    return -log_sigmoid(-x)


def softplus_definition(x: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """The softplus as printed: infinite where exp(x) overflows."""
    return torch.log(1 + torch.exp(x))


def tanh(x: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """(exp(x) - exp(-x)) / (exp(x) + exp(-x)), in [-1, 1]: a sigmoid centred on 0, 2 sigmoid(2x) - 1.

    expm1(z) is exp(z) - 1 without the loss of digits near 0.
    """
    small = torch.expm1(2 * _minus_abs(x))
    size = -small / (2 + small)
    return torch.where(x >= 0, size, -size)


def tanh_definition(x: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """The hyperbolic tangent as printed: not a number where exp overflows."""
    return (torch.exp(x) - torch.exp(-x)) / (torch.exp(x) + torch.exp(-x))


def relu(x: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """max(x, 0): the rectified linear unit (Nair and Hinton, 2010). Slope 1 above 0, else 0; at 0 it is 0, as in torch.

    The spelling matters at 0: torch gives `clamp(x, min=0)` slope 1 there and `maximum(x, 0)` slope 1/2.
    """
    return torch.where(x <= 0, 0.0, x)


def leaky_relu(x: Float[Tensor, "..."], *, negative_slope: float = 0.01) -> Float[Tensor, "..."]:
    """x above 0, else negative_slope * x (Maas, Hannun and Ng, 2013): a unit that is off still learns.

    The slope at 0 is `negative_slope`, as in torch.
    """
    return torch.where(x > 0, x, negative_slope * x)


def elu(x: Float[Tensor, "..."], *, alpha: float = 1.0) -> Float[Tensor, "..."]:
    """x above 0, else alpha * (exp(x) - 1) (Clevert, Unterthiner and Hochreiter, 2015, arXiv:1511.07289, equation 15).

    It levels off at -alpha. The slope at 0 is `alpha`, as in torch: only alpha = 1 has no corner there.
    """
    below = torch.where(x > 0, 0.0, x)  # keeps exp, and so its slope, finite where that branch is not taken
    return torch.where(x > 0, x, alpha * torch.expm1(below))


def gelu(x: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """x times the chance that a standard normal number is below x (Hendrycks and Gimpel, 2016, arXiv:1606.08415).

    That chance is (1 + erf(x / sqrt 2)) / 2, which is erfc(-x / sqrt 2) / 2 without losing the digits far below 0.
    """
    return x * torch.erfc(-x / math.sqrt(2)) / 2


def gelu_tanh(x: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """GELU with the chance approximated, x (1 + tanh u) / 2 with u = sqrt(2 / pi) (x + 0.044715 x^3); as in GPT-2.

    Within 0.0005 of `gelu` (same paper, section 2). (1 + tanh u) / 2 is sigmoid(2u), exact far below 0 too.
    """
    return x * sigmoid(2 * math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))


def silu(x: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """x * sigmoid(x), also called swish (Elfwing, Uchibe and Doya, 2018; Ramachandran, Zoph and Le, 2017)."""
    return x * sigmoid(x)


def _minus_abs(x: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """-|x|, with slope -1 at 0: `-abs(x)` has slope 0 there, and sigmoid would have slope 0 in place of 1/4."""
    return torch.where(x >= 0, -x, x)
