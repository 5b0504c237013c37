"""The Frechet distance between two sets of examples, each taken for a normal distribution.

    d2  =  |mean_a - mean_b|^2  +  trace(S_a + S_b - 2 (S_a S_b)^(1/2))        S: covariances

That is the squared Wasserstein-2 distance of the two normal distributions. (Heusel, Ramsauer, Unterthiner, Nessler and
Hochreiter, 2017, arXiv:1706.08500, equation 6; Dowson and Landau, 1982.) In the features of a classifier trained on
ImageNet it is called FID; here the features are those of a classifier of the course, so numbers compare within one
classifier and one number of examples, with nothing else.

Where it fails: it sees means and covariances only, and two sets as different as you like may share those. It is biased:
with few examples the distance of two samples of one distribution is well above 0. It sees what the features see. And a
copy of the training set is as good as can be. Print it with its floor, real against real, and with a trivial baseline.
"""

import torch

from dlcourse.generation.neighbours import rows
from dlcourse.types import Float, Tensor


def frechet_distance(a: Float[Tensor, "batch ..."], b: Float[Tensor, "train ..."]) -> float:
    """The distance d2 above, 0 or more, in squared units of the features. The order of the two does not matter.

    Covariances divide by n - 1. They may be singular, as with fewer examples than features. Computed in float64 on the
    CPU, by symmetric eigendecomposition: with R the symmetric root of a covariance, trace (S_a S_b)^(1/2) is the sum
    of the singular values of R_a R_b, so no root of a matrix that is not symmetric is needed. Raises ValueError for
    fewer than two examples, examples of different sizes, and numbers that are not finite.

    In one dimension it is (difference of means)^2 + (difference of standard deviations)^2:

    >>> a, b = torch.tensor([[-1.0], [0.0], [1.0]]), torch.tensor([[0.0], [3.0], [6.0]])
    >>> round(frechet_distance(a, b), 6)  # means 0 and 3, standard deviations 1 and 3
    13.0
    """
    a, b = (x.to("cpu", torch.float64) for x in rows("frechet_distance", a=a, b=b))
    if min(len(a), len(b)) < 2:
        raise ValueError(
            f"frechet_distance got {len(a)} and {len(b)} examples; a covariance needs two, and a good estimate many "
            "more than there are features."
        )
    means = (a.mean(0) - b.mean(0)).square().sum()
    spreads = a.var(0).sum() + b.var(0).sum()
    shared = torch.linalg.svdvals(_root(a) @ _root(b)).sum()
    return max((means + spreads - 2 * shared).item(), 0.0)  # rounding may leave it just below 0


def _root(x: Float[Tensor, "batch features"]) -> Float[Tensor, "features features"]:
    """The symmetric root of the covariance of x: R R = S, by S = V diag(w) V^T. Rounding may leave a w below 0."""
    centred = x - x.mean(0)
    w, v = torch.linalg.eigh(centred.T @ centred / (len(x) - 1))
    return (v * w.clamp(min=0).sqrt()) @ v.T
