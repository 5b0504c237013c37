"""The losses of the game: what each of the two networks minimises, from the discriminator's logits alone.

D(x) = sigmoid(logit) is the probability that x is real, so log D is log_sigmoid(logit) and log(1 - D) is
log_sigmoid(-logit). All are means over the batch:

    name             the discriminator minimises                          the generator minimises
    minimax          -log D(real) - log(1 - D(fake))                      log(1 - D(fake))
    non-saturating   the same                                             -log D(fake)
    least squares    (logit(real) - 1)^2 / 2 + logit(fake)^2 / 2          (logit(fake) - 1)^2 / 2
    hinge            max(0, 1 - logit(real)) + max(0, 1 + logit(fake))    -logit(fake)
    Wasserstein      logit(fake) - logit(real)                            -logit(fake)

When D wins, its logits on fakes are far below 0. There minimax is flat, with slope -D(fake) towards 0: the generator
learns nothing just when it is worst. The others keep a slope. In the last three the "logit" is a mere score.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from dlcourse.nn.activation import log_sigmoid, relu
from dlcourse.types import Float, Tensor


@dataclass(frozen=True)
class Adversarial:
    """A loss for each of the two, in terms of the discriminator's logits (batch,); both are to be minimised."""

    name: str
    discriminator: Callable[[Tensor, Tensor], Tensor]  # (real_logits, fake_logits) -> scalar
    generator: Callable[[Tensor], Tensor]  # fake_logits -> scalar

    def __repr__(self) -> str:
        return f"Adversarial({self.name!r})"


def _two_classes(real_logits: Float[Tensor, " batch"], fake_logits: Float[Tensor, " batch"]) -> Float[Tensor, ""]:
    """Binary cross-entropy of both halves: -log D(real) - log(1 - D(fake))."""
    return -log_sigmoid(real_logits).mean() - log_sigmoid(-fake_logits).mean()


def _fooled_less(fake_logits: Float[Tensor, " batch"]) -> Float[Tensor, ""]:
    """log(1 - D(fake)), in nats. Slope for a logit: -D(fake) / batch, which dies out where D is sure."""
    return log_sigmoid(-fake_logits).mean()


def _fooled_more(fake_logits: Float[Tensor, " batch"]) -> Float[Tensor, ""]:
    """-log D(fake), in nats. Slope for a logit: -(1 - D(fake)) / batch, the largest where D is sure."""
    return -log_sigmoid(fake_logits).mean()


def _squares(real_logits: Float[Tensor, " batch"], fake_logits: Float[Tensor, " batch"]) -> Float[Tensor, ""]:
    return (real_logits - 1).square().mean() / 2 + fake_logits.square().mean() / 2


def _square(fake_logits: Float[Tensor, " batch"]) -> Float[Tensor, ""]:
    return (fake_logits - 1).square().mean() / 2


def _margins(real_logits: Float[Tensor, " batch"], fake_logits: Float[Tensor, " batch"]) -> Float[Tensor, ""]:
    return relu(1 - real_logits).mean() + relu(1 + fake_logits).mean()


def _distance(real_logits: Float[Tensor, " batch"], fake_logits: Float[Tensor, " batch"]) -> Float[Tensor, ""]:
    return fake_logits.mean() - real_logits.mean()


def _score(fake_logits: Float[Tensor, " batch"]) -> Float[Tensor, ""]:
    return -fake_logits.mean()


# Goodfellow et al., 2014, arXiv:1406.2661: equation 1, and its end of section 3 for the non-saturating generator.
MINIMAX = Adversarial("minimax", _two_classes, _fooled_less)
NON_SATURATING = Adversarial("non-saturating", _two_classes, _fooled_more)
# Mao et al., 2017, arXiv:1611.04076, equation 9: real is 1, fake is 0, the generator wants 1.
LEAST_SQUARES = Adversarial("least squares", _squares, _square)
# Lim and Ye, 2017, arXiv:1705.02894; Miyato et al., 2018, arXiv:1802.05957, equations 16 and 17.
HINGE = Adversarial("hinge", _margins, _score)
# Arjovsky, Chintala and Bottou, 2017, arXiv:1701.07875, equation 3. D must be held to slopes of about 1: see `penalty`.
WASSERSTEIN = Adversarial("Wasserstein", _distance, _score)
LOSSES = (MINIMAX, NON_SATURATING, LEAST_SQUARES, HINGE, WASSERSTEIN)


def minimax_definition(
    real_logits: Float[Tensor, " batch"], fake_logits: Float[Tensor, " batch"]
) -> tuple[float, float]:
    """The two losses of `MINIMAX` as printed, example by example: an error (log of 0, or overflow) for large logits.

    >>> import torch
    >>> d_loss, g_loss = minimax_definition(torch.tensor([0.0]), torch.tensor([0.0]))
    >>> round(d_loss, 4), round(g_loss, 4)  # D says 1/2 to both: 2 log 2, and -log 2
    (1.3863, -0.6931)
    """

    def d(logit: float) -> float:
        return 1 / (1 + math.exp(-logit))

    on_real = sum(math.log(d(logit)) for logit in real_logits.tolist()) / len(real_logits)
    on_fake = sum(math.log(1 - d(logit)) for logit in fake_logits.tolist()) / len(fake_logits)
    return -(on_real + on_fake), on_fake
