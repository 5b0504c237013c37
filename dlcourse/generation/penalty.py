"""Penalties on the discriminator's slope: they keep it from becoming a cliff that gives the generator no direction.

    R1                  gamma / 2 * mean of  |slope of D's logit at a real example|^2
    gradient penalty    weight * mean of  (|slope at a random point between a real and a fake example| - 1)^2

R1 pulls D flat where the data are, so that the game comes to rest there (Mescheder, Geiger and Nowozin, 2018,
arXiv:1801.04406, equation 9). The gradient penalty holds D near the slope 1 that the Wasserstein loss asks for
(Gulrajani et al., 2017, arXiv:1704.00028, equation 3). Both differentiate a slope: a second backward pass, about twice
the time of a step, so R1 may be taken lazily, every so many steps and as much stronger (Karras et al., 2020,
arXiv:1912.04958, appendix B). Both ask how D's logit of one example moves; batch norm in D would mix examples.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch

from dlcourse.nn.sizes import whole
from dlcourse.types import Float, Tensor


def r1_penalty(
    d_model: Callable[[Float[Tensor, "batch ..."]], Float[Tensor, " batch"]], real: Float[Tensor, "batch ..."]
) -> Float[Tensor, ""]:
    """The mean over real examples of the squared norm of the slope of D's logit; without gamma / 2.

    It can be differentiated for D's weights. `real` is used as it stands: no gradient flows to where it came from.

    >>> r1_penalty(lambda x: x @ torch.tensor([3.0, 4.0]), torch.zeros(5, 2))  # the slope is (3, 4) everywhere
    tensor(25.)
    """
    return _slopes(d_model, real).square().sum(1).mean()


def gradient_penalty(
    d_model: Callable[[Float[Tensor, "batch ..."]], Float[Tensor, " batch"]],
    real: Float[Tensor, "batch ..."],
    fake: Float[Tensor, "batch ..."],
    *,
    generator: torch.Generator,
) -> Float[Tensor, ""]:
    """The mean of (norm of the slope - 1)^2 at a random point u real + (1 - u) fake of each pair, u uniform in [0, 1).

    One u for a pair, from `generator`. It can be differentiated for D's weights, and only for them. Raises ValueError
    for unequal shapes.

    >>> x = torch.zeros(5, 2)
    >>> gradient_penalty(lambda x: x @ torch.tensor([3.0, 4.0]), x, x + 1, generator=torch.Generator())  # (5 - 1)^2
    tensor(16.)
    """
    if real.shape != fake.shape:
        raise ValueError(
            f"gradient_penalty got real {tuple(real.shape)} and fake {tuple(fake.shape)}; wanted pairs of equal shape."
        )
    u = torch.rand(len(real), generator=generator, device=generator.device).to(real)
    u = u.reshape(-1, *[1] * (real.ndim - 1))
    return (torch.linalg.vector_norm(_slopes(d_model, u * real + (1 - u) * fake), dim=1) - 1).square().mean()


@dataclass(frozen=True)
class R1:
    """gamma / 2 times `r1_penalty`, taken at every `every`-th update of D and then `every` times as strong."""

    gamma: float = 0.1
    every: int = 1  # updates of the discriminator

    def __post_init__(self) -> None:
        _check("R1", "gamma", self.gamma, self.every)

    def __call__(
        self,
        d_model: Callable[[Float[Tensor, "batch ..."]], Float[Tensor, " batch"]],
        real: Float[Tensor, "batch ..."],
        fake: Float[Tensor, "batch ..."],
        *,
        generator: torch.Generator,
    ) -> Float[Tensor, ""]:
        """The term to be added to D's loss when it is due; `fake` and `generator` are not used."""
        return self.every * self.gamma / 2 * r1_penalty(d_model, real)


@dataclass(frozen=True)
class GradientPenalty:
    """`weight` times `gradient_penalty`, taken at every `every`-th update of D and then `every` times as strong."""

    weight: float = 10.0
    every: int = 1  # updates of the discriminator

    def __post_init__(self) -> None:
        _check("GradientPenalty", "weight", self.weight, self.every)

    def __call__(
        self,
        d_model: Callable[[Float[Tensor, "batch ..."]], Float[Tensor, " batch"]],
        real: Float[Tensor, "batch ..."],
        fake: Float[Tensor, "batch ..."],
        *,
        generator: torch.Generator,
    ) -> Float[Tensor, ""]:
        """The term to be added to D's loss when it is due."""
        return self.every * self.weight * gradient_penalty(d_model, real, fake, generator=generator)


def _slopes(
    d_model: Callable[[Float[Tensor, "batch ..."]], Float[Tensor, " batch"]], x: Float[Tensor, "batch ..."]
) -> Float[Tensor, "batch features"]:
    """The slope of each example's logit for that example, flattened. create_graph: it will be differentiated itself."""
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        # Each logit depends on its own example only, so the slope of their sum holds the slope of each.
        (slope,) = torch.autograd.grad(d_model(x).sum(), x, create_graph=True)
    return slope.flatten(1)


def _check(who: str, name: str, strength: float, every: int) -> None:
    if not 0 <= strength < math.inf:
        raise ValueError(f"{who}({name}={strength}): wanted a finite number, 0 or more.")
    whole(who, 1, every=every)
