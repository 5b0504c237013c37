"""Gradients as explanations: how would the score change if one pixel changed a little?

    saliency           d score / dx                                  Simonyan et al., 2014, arXiv:1312.6034, section 3
    input_x_gradient   x * d score / dx                              Shrikumar et al., 2017, arXiv:1704.02685, section 2
    smoothgrad         the mean slope over noisy copies of x         Smilkov et al., 2017, arXiv:1706.03825, equation 1

All are signed; who wants sizes takes `.abs()`, as the first paper does. Where they fail: a slope tells of small changes
only. Where a unit is saturated its slope is 0, though the answer may hang on it, and a pixel that is 0 gets 0 from
input_x_gradient, however much it matters that it is dark. Slopes of deep ReLU networks are ragged: hence SmoothGrad.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from dlcourse.attribution.score import Target, examples, slope
from dlcourse.nn.sizes import whole
from dlcourse.steps import last
from dlcourse.training.asking import Model
from dlcourse.types import Float, Tensor


def saliency(model: Model, x: Float[Tensor, "batch ..."], target: Target) -> Float[Tensor, "batch ..."]:
    """The slope of the score, signed: by how much it rises for each unit that a pixel rises. Errors as `slope`.

    >>> saliency(lambda x: x**2, torch.tensor([[3.0, 1.0]]), 0)
    tensor([[6., 0.]])
    """
    return slope(model, x, target)[1]


def input_x_gradient(model: Model, x: Float[Tensor, "batch ..."], target: Target) -> Float[Tensor, "batch ..."]:
    """The pixel times its slope: what it brings to a linear score. In the units of the score. Errors as `slope`.

    >>> input_x_gradient(lambda x: 2 * x, torch.tensor([[3.0, 1.0]]), 0)
    tensor([[6., 0.]])
    """
    return x.detach() * slope(model, x, target)[1]


@dataclass(frozen=True, eq=False)
class SmoothgradStep:
    """One noisy copy and the mean so far."""

    index: int
    noisy: Float[Tensor, "batch ..."]
    gradient: Float[Tensor, "batch ..."]  # at the noisy copy
    mean: Float[Tensor, "batch ..."]  # of the gradients, or of their squares, up to this one


def smoothgrad_steps(
    model: Model,
    x: Float[Tensor, "batch ..."],
    target: Target,
    *,
    sd: float,
    samples: int = 50,
    generator: torch.Generator,
    squared: bool = False,
) -> Iterator[SmoothgradStep]:
    """`samples` noisy copies, one after the other: x + sd * normal noise, which may leave [0, 1].

    sd: in the units of x; the paper takes 0.1 to 0.2 of the range. squared: the mean of the squares, which has lost
    its sign (Hooker et al., 2019, arXiv:1806.10758, section 4). Raises ValueError for an sd below 0 and samples that
    are no whole number of 1 or more; errors as `slope`.
    """
    x = examples("smoothgrad", x)
    (samples,) = whole("smoothgrad", 1, samples=samples)
    if not 0 <= sd < torch.inf:
        raise ValueError(f"smoothgrad(sd={sd}): wanted a finite number of 0 or more, in the units of x.")
    mean = torch.zeros_like(x)
    for index in range(samples):
        noisy = x + sd * torch.randn(x.shape, generator=generator, dtype=x.dtype, device=generator.device).to(x.device)
        gradient = slope(model, noisy, target)[1]
        mean = mean + ((gradient**2 if squared else gradient) - mean) / (index + 1)
        yield SmoothgradStep(index, noisy, gradient, mean)


def smoothgrad(
    model: Model,
    x: Float[Tensor, "batch ..."],
    target: Target,
    *,
    sd: float,
    samples: int = 50,
    generator: torch.Generator,
    squared: bool = False,
) -> Float[Tensor, "batch ..."]:
    """The mean slope over noisy copies: where `smoothgrad_steps` ends.

    It is the slope of the score blurred over a ball of about sd. An sd of 0 gives `saliency`.

    >>> smoothgrad(lambda x: x**2, torch.tensor([[3.0]]), 0, sd=0.0, samples=2, generator=torch.Generator())
    tensor([[6.]])
    """
    options = {"sd": sd, "samples": samples, "generator": generator, "squared": squared}
    return last(smoothgrad_steps(model, x, target, **options)).mean
