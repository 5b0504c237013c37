"""Integrated gradients: the slopes along the straight path from a baseline b to x, added up.

    map_i = (x_i - b_i) * integral over alpha from 0 to 1 of  d score / dx_i  at  b + alpha (x - b)

(Sundararajan, Taly and Yan, 2017, arXiv:1703.01365, equation 1.) So it is complete: the map sums to
score(x) - score(b), as far as the integral is exact. The integral becomes a weighted sum over points of the path, by a
`Quadrature`. Gauss-Legendre, the default as in captum, is exact for polynomials up to degree 2 n - 1, so for smooth
networks a few points do; along a ReLU network the slope jumps, and then the error shrinks only like 1 / n by any rule.
Print the gap (`axioms.completeness`), do not trust a number of steps. Where it fails: another baseline is another
explanation. A pixel that equals the baseline gets 0, so black says of black pixels that they do not matter.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch

from dlcourse.attribution.covered import at_a_time, start
from dlcourse.attribution.score import Target, examples, slopes
from dlcourse.nn.sizes import whole
from dlcourse.steps import last
from dlcourse.training.asking import Model
from dlcourse.types import Float, Tensor

Quadrature = Callable[[int], tuple[list[float], list[float]]]  # number of points -> (alphas in [0, 1], weights)


def gauss_legendre(steps: int) -> tuple[list[float], list[float]]:
    """The zeros of the Legendre polynomial of degree `steps` (numpy's leggauss), moved from [-1, 1] to [0, 1].

    >>> gauss_legendre(1)
    ([0.5], [1.0])
    """
    places, weights = np.polynomial.legendre.leggauss(steps)
    return ((places + 1) / 2).tolist(), (weights / 2).tolist()


def trapezoid(steps: int) -> tuple[list[float], list[float]]:
    """Both ends and equal steps between; the ends count half. The weights sum to 1 (captum's to (n - 1) / n).

    >>> trapezoid(3)
    ([0.0, 0.5, 1.0], [0.25, 0.5, 0.25])
    """
    (gaps,) = whole("trapezoid", 1, steps_less_one=steps - 1)
    half = 0.5 / gaps
    return [i / gaps for i in range(steps)], [half, *[2 * half] * (gaps - 1), half]


def right_ends(steps: int) -> tuple[list[float], list[float]]:
    """The right end of each of `steps` equal pieces: the paper's equation 3. x itself is a point, the baseline is not.

    >>> right_ends(2)
    ([0.5, 1.0], [0.5, 0.5])
    """
    return [(i + 1) / steps for i in range(steps)], [1 / steps] * steps


@dataclass(frozen=True, eq=False)
class IntegratedStep:
    """One point of the path."""

    index: int
    alpha: float  # 0 at the baseline, 1 at x
    weight: float  # its share of the integral
    score: Float[Tensor, " batch"]  # there
    gradient: Float[Tensor, "batch ..."]  # there
    map: Float[Tensor, "batch ..."]  # the sum up to this point


def integrated_gradients_steps(
    model: Model,
    x: Float[Tensor, "batch ..."],
    target: Target,
    *,
    baseline: Float[Tensor, "..."] | float | None = None,
    steps: int = 50,
    rule: Quadrature = gauss_legendre,
) -> Iterator[IntegratedStep]:
    """From the baseline to x: one pass forward and one back for each of `steps` points.

    baseline: a number, a point or a point for each example; default zeros. Raises ValueError for steps that are no
    whole number of 1 or more (2 for `trapezoid`), for a baseline that does not fit; errors as `slope`.
    """
    x = examples("integrated_gradients", x)
    (steps,) = whole("integrated_gradients", 1, steps=steps)
    begin = start("integrated_gradients", x, baseline)
    way = x - begin
    found = torch.zeros_like(x)
    places = [*zip(*rule(steps), strict=True)]
    for index, (alpha, weight) in enumerate(places):
        ahead = index % at_a_time(x)
        if not ahead:  # some points in one pass
            points = [begin + alpha * way for alpha, _ in places[index : index + at_a_time(x)]]
            values, gradients = slopes(model, torch.stack(points), target)
        found = found + weight * gradients[ahead] * way
        yield IntegratedStep(index, alpha, weight, values[ahead], gradients[ahead], found)


def integrated_gradients(
    model: Model,
    x: Float[Tensor, "batch ..."],
    target: Target,
    *,
    baseline: Float[Tensor, "..."] | float | None = None,
    steps: int = 50,
    rule: Quadrature = gauss_legendre,
) -> Float[Tensor, "batch ..."]:
    """Where `integrated_gradients_steps` ends. It sums to score(x) - score(baseline), up to the quadrature's error.

    >>> integrated_gradients(lambda x: x**2, torch.tensor([[3.0, 1.0]]), 0, steps=2)
    tensor([[9., 0.]])
    """
    options = {"baseline": baseline, "steps": steps, "rule": rule}
    return last(integrated_gradients_steps(model, x, target, **options)).map
