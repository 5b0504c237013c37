"""Softmax and its relatives: from one logit per class to probabilities that sum to one.

    softmax(x)_i = exp(x_i) / sum_j exp(x_j)        logsumexp(x) = log sum_j exp(x_j)

Adding one number to all logits changes no probability, so the largest is subtracted first: then no `exp` meets a
positive number and at least one of them is exp(0) = 1, so that nothing overflows and the sum is never 0. The largest
is detached: as it cancels, its slope is 0, and there is nothing to pass back.
`NAME_definition` is the formula as a textbook prints it, which fails for large logits.
"""

import torch

from dlcourse.types import Float, Tensor


def softmax(x: Float[Tensor, "..."], *, dim: int = -1) -> Float[Tensor, "..."]:
    """Probabilities along `dim`: exp(x_i) / sum_j exp(x_j), each in [0, 1], summing to 1.

    >>> softmax(torch.tensor([1000.0, 1000.0, -1000.0]))
    tensor([0.5000, 0.5000, 0.0000])
    """
    powers = torch.exp(x - _largest(x, dim))
    return powers / powers.sum(dim, keepdim=True)


def softmax_definition(x: Float[Tensor, "..."], *, dim: int = -1) -> Float[Tensor, "..."]:
    """The softmax as printed: not a number where exp overflows."""
    return torch.exp(x) / torch.exp(x).sum(dim, keepdim=True)


def log_softmax(x: Float[Tensor, "..."], *, dim: int = -1) -> Float[Tensor, "..."]:
    """log(softmax(x)) along `dim`, never above 0, also where the softmax itself rounds to 0.

    >>> log_softmax(torch.tensor([0.0, 1000.0]))
    tensor([-1000.,     0.])
    """
    shifted = x - _largest(x, dim)
    return shifted - torch.log(torch.exp(shifted).sum(dim, keepdim=True))


def log_softmax_definition(x: Float[Tensor, "..."], *, dim: int = -1) -> Float[Tensor, "..."]:
    """The logarithm of the softmax as printed: minus infinity where the softmax rounds to 0."""
    return torch.log(softmax_definition(x, dim=dim))


def logsumexp(x: Float[Tensor, "..."], *, dim: int = -1) -> Float[Tensor, "..."]:
    """log sum_j exp(x_j) along `dim`, which goes away: a smooth maximum. Its slope is the softmax.

    >>> logsumexp(torch.tensor([-1000.0, -1000.0, 0.0]))
    tensor(0.)
    >>> logsumexp(torch.zeros(2))  # log 2
    tensor(0.6931)
    """
    bound = torch.finfo(x.dtype).max
    largest = _largest(x, dim).clamp(-bound, bound)  # so that infinity minus infinity never comes up, as in torch
    return largest.squeeze(dim) + torch.log(torch.exp(x - largest).sum(dim))


def logsumexp_definition(x: Float[Tensor, "..."], *, dim: int = -1) -> Float[Tensor, "..."]:
    """The logarithm of the sum as printed: infinite where exp overflows."""
    return torch.log(torch.exp(x).sum(dim))


def _largest(x: Float[Tensor, "..."], dim: int) -> Float[Tensor, "..."]:
    """The largest value along `dim`, kept as a dimension of size 1, as a constant."""
    return x.detach().amax(dim, keepdim=True)
