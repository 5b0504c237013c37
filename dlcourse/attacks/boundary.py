"""The way back: from a point where the model is fooled straight towards x, as far as it stays fooled.

An attack that looks for the smallest change stops a little beyond the decision boundary. Halving the segment between
x and what was found, and keeping the half whose near end is right and whose far end is fooled, brings it onto the
boundary: `halvings` questions leave an error of 2^-halvings of the length. Where it fails: the boundary may be crossed
several times on the segment; then one of the crossings is found, not always the nearest.
"""

from collections.abc import Callable

import torch

from dlcourse.attacks.objective import Model, answers, asking
from dlcourse.attacks.threat import Threat
from dlcourse.types import Bool, Float, Shaped, Tensor


def pulled_back(
    model: Model,
    x: Float[Tensor, "batch ..."],
    found: Float[Tensor, "batch ..."],
    threat: Threat,
    reached: Callable[[Float[Tensor, "batch classes"]], Bool[Tensor, " batch"]],
    *,
    halvings: int = 16,
) -> Float[Tensor, "batch ..."]:
    """The point on the segment from x to `found` at which the model begins to be `reached(logits)`.

    x itself where it is reached there, where it is not reached at `found` either, and where the threat does not allow
    what was found. Both ends lie in [0, 1].

    >>> from dlcourse.attacks import Linf
    >>> model = lambda x: torch.cat([x.new_full((len(x), 1), 0.3), x], dim=1)  # class 1 from 0.3 on
    >>> pulled_back(model, torch.zeros(1, 1), torch.ones(1, 1), Linf(0.5), lambda logits: logits.argmax(1) == 1)
    tensor([[0.3000]])
    """

    def at(share: Tensor) -> Tensor:
        return x.lerp(found, wide(share, x))  # exactly what was found where the share is 1

    x, found = x.detach(), found.detach()
    near = x.new_zeros(len(x))
    with asking(model):
        far = torch.where(reached(answers(model, found)) & ~reached(answers(model, x)), 1.0, near)
        for _ in range(halvings):
            middle = (near + far) / 2
            there = reached(answers(model, at(middle)))
            near, far = torch.where(there, near, middle), torch.where(there, middle, far)
    nearest = at(far)
    return pick(threat.contains(nearest, x), nearest, x)


def pick(
    which: Bool[Tensor, " batch"], yes: Shaped[Tensor, "batch ..."], no: Shaped[Tensor, "batch ..."]
) -> Shaped[Tensor, "batch ..."]:
    """For each example the one or the other.

    >>> pick(torch.tensor([True, False]), torch.ones(2, 2), torch.zeros(2, 2))
    tensor([[1., 1.],
            [0., 0.]])
    """
    return torch.where(wide(which, yes), yes, no)


def wide(values: Shaped[Tensor, " batch"], x: Shaped[Tensor, "batch ..."]) -> Shaped[Tensor, "..."]:
    """One number for each example, shaped to be used beside x: (batch, 1, ..., 1).

    >>> wide(torch.ones(5), torch.zeros(5, 1, 8, 8)).shape
    torch.Size([5, 1, 1, 1])
    """
    return values.reshape(-1, *[1] * (x.ndim - 1))
