"""What the game is about, where both densities are known: the best discriminator, and what is left for the generator.

Against data of density p and a generator of density q, the value V = E_p log D(x) + E_q log(1 - D(x)) is largest for

    D*(x) = p(x) / (p(x) + q(x)),        its logit is log p(x) - log q(x)

and there V = 2 JS(p, q) - log 4, with the Jensen-Shannon divergence JS = KL(p | m) / 2 + KL(q | m) / 2, m = (p + q) / 2
(Goodfellow et al., 2014, arXiv:1406.2661, proposition 1 and theorem 1). JS is 0 for equal densities and log 2 for
densities that do not overlap, *however far apart they are*: then it does not tell the generator which way to go.
"""

import math

import torch

from dlcourse.nn.activation import log_sigmoid, sigmoid
from dlcourse.types import Float, Tensor


def optimal_logits(log_p: Float[Tensor, "..."], log_q: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """log p - log q: what the best discriminator puts out before its sigmoid. nan where both densities are 0.

    >>> optimal_logits(torch.tensor([-1000.0]), torch.tensor([-1003.0]))
    tensor([3.])
    """
    return log_p - log_q


def optimal_discriminator(log_p: Float[Tensor, "..."], log_q: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """D* = p / (p + q), in [0, 1], from the logarithms of both densities: right also where p and q round to 0.

    >>> optimal_discriminator(torch.tensor([3.0, 1.0]).log(), torch.tensor([1.0, 1.0]).log())
    tensor([0.7500, 0.5000])
    """
    return sigmoid(optimal_logits(log_p, log_q))


def optimal_discriminator_definition(p: Float[Tensor, "..."], q: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """D* as printed, from the densities themselves: 0 / 0, nan, far away from both."""
    return p / (p + q)


def game_value(
    log_p: Float[Tensor, " points"],
    log_q: Float[Tensor, " points"],
    logits: Float[Tensor, " points"],
    x: Float[Tensor, " points"],
) -> Float[Tensor, ""]:
    """V of a discriminator with these logits at the places x, in nats: never above 2 JS - log 4.

    `x` rises, and both densities integrate to 1 over it (by the trapezoid rule, to 1 %), else ValueError.
    """
    _check("game_value", log_p, log_q, x)
    return torch.trapezoid(log_p.exp() * log_sigmoid(logits) + log_q.exp() * log_sigmoid(-logits), x)


def jensen_shannon(
    log_p: Float[Tensor, " points"], log_q: Float[Tensor, " points"], x: Float[Tensor, " points"]
) -> Float[Tensor, ""]:
    """The Jensen-Shannon divergence of two densities on a grid x, in nats: from 0 (equal) to log 2 (no overlap).

    `x` rises, and both densities integrate to 1 over it (by the trapezoid rule, to 1 %), else ValueError.

    >>> x = torch.linspace(0, 4, 401)
    >>> first = torch.where(x < 2, 0.5, 0.0)
    >>> jensen_shannon(first.log(), first.flip(0).log(), x)  # side by side: log 2, but for the one cell where they meet
    tensor(0.6914)
    """
    _check("jensen_shannon", log_p, log_q, x)
    log_m = torch.logaddexp(log_p, log_q) - math.log(2)
    return torch.trapezoid(_surprise(log_p, log_m) + _surprise(log_q, log_m), x) / 2


def _surprise(log_p: Float[Tensor, " points"], log_m: Float[Tensor, " points"]) -> Float[Tensor, " points"]:
    """p (log p - log m), and 0 where p is 0."""
    return torch.where(log_p.isneginf(), 0.0, log_p.exp() * (log_p - log_m))


def _check(who: str, log_p: Tensor, log_q: Tensor, x: Tensor) -> None:
    if not (x.diff() > 0).all():
        raise ValueError(f"{who}: x has to rise from place to place, as torch.linspace(-6, 6, 1201) does.")
    for name, log_density in (("log_p", log_p), ("log_q", log_q)):
        area = torch.trapezoid(log_density.exp(), x).item()
        if not abs(area - 1) <= 0.01:
            raise ValueError(
                f"{who}: the density of {name} integrates to {area:.4g} over x from {x.min():g} to {x.max():g}; wanted "
                "1, to 1 %. Take a wider or a finer grid, and give logarithms of densities."
            )
