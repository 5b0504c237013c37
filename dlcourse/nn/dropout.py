"""Dropout: during training every number is set to 0 with probability p, drawn anew each time.

    out = x * keep / (1 - p)        keep = 1 with probability 1 - p, else 0

(Srivastava, Hinton, Krizhevsky, Sutskever and Salakhutdinov, 2014, JMLR 15.) No unit can rely on one other unit, and
each batch trains another thinned network. The paper scales the weights by 1 - p at test time; here, as everywhere
today, the kept numbers are scaled *up* during training, "inverted" dropout, so that the mean is right at once and
evaluation changes nothing at all.

Where it fails: in a model left in training mode, whose answers are then random; ahead of a batch norm, which keeps the
variance of numbers with gaps and meets numbers without them at evaluation (Li et al., 2018, arXiv:1801.05134); in
small networks, which have nothing to spare.
"""

import torch
from torch import nn

from dlcourse.types import Float, Tensor


def dropout(x: Float[Tensor, "..."], p: float, *, generator: torch.Generator | None = None) -> Float[Tensor, "..."]:
    """x with each number dropped with probability p, and the others divided by 1 - p. It always drops.

    The numbers come from `generator`, on its own device and in float32 whatever x is, so that one seed gives one mask;
    None draws from torch's global stream. Raises ValueError unless p is in [0, 1]; at p = 1 everything is 0. Dropping
    is a product with 0, as in torch: only finite numbers become 0.

    >>> dropout(torch.ones(8), 0.5, generator=torch.Generator().manual_seed(0))
    tensor([0., 2., 0., 0., 0., 2., 0., 2.])
    """
    _check(p)
    device = x.device if generator is None else generator.device
    keep = (torch.rand(x.shape, generator=generator, device=device, dtype=torch.float32) >= p).to(x.device)
    return x * keep * (1 / (1 - p) if p < 1 else 0.0)


class Dropout(nn.Module):
    """Dropout in training mode; in evaluation mode x as it came.

    With a `generator`, masks can be repeated: same state, same masks. It is no part of the state dict (torch's has
    none either), so whoever saves and resumes saves `generator.get_state()` too; and it stays where it was made when
    the model moves to another device. copy.deepcopy copies it at its present state, so that model and copy then draw
    the same masks. Raises ValueError unless p is in [0, 1].

    >>> Dropout(0.2)
    Dropout(p=0.2)
    """

    def __init__(self, p: float = 0.5, *, generator: torch.Generator | None = None):
        super().__init__()
        _check(p)
        self.p, self.generator = p, generator

    def forward(self, x: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        return dropout(x, self.p, generator=self.generator) if self.training else x

    def extra_repr(self) -> str:
        return f"p={self.p}" + (", with a generator" if self.generator else "")


def _check(p: float) -> None:
    """Raise ValueError unless p is a probability."""
    if not 0 <= p <= 1:
        raise ValueError(f"dropout with p={p}: p is the probability to drop a number, so it lies in [0, 1].")
