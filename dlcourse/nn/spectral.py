"""Spectral normalisation: a layer that stretches no direction by more than about 1.

    W_SN = W / sigma(W)        sigma(W) = max of |W h| / |h|, the largest singular value

(Miyato, Kataoka, Koyama and Yoshida, 2018, arXiv:1802.05957, equations 6 to 8; a convolution's weights are reshaped to
(out, rest).) Leaky ReLUs stretch nothing either, so the output of a discriminator made of such layers cannot change
faster than its input does. sigma is found by *power iteration* (algorithm 1): multiplying a vector by W^T and W over
and over turns it towards the direction that grows most. Weights move little between updates, so one step each is enough
if it goes on from where the last one stopped.

Where it fails: sigma is too small until the iteration has caught up, never too large, so that "at most 1" holds nearly.
It bounds the matrix, not the convolution made of it, which can stretch by up to the square root of the kernel's cells.
"""

import torch
import torch.nn.functional as F  # noqa: N812, torch's own name for it
from torch import nn
from torch.nn.utils import parametrize

from dlcourse.nn.sizes import whole
from dlcourse.types import Float, Tensor

FIRST_STEPS = 15  # before the first forward pass; torch takes as many


def power_iteration(
    matrix: Float[Tensor, "out features"], u: Float[Tensor, " out"], steps: int
) -> tuple[Float[Tensor, ""], Float[Tensor, " out"], Float[Tensor, " features"]]:
    """(sigma, u, v) after so many steps from u: the largest singular value, from below, and its two directions.

    One step is v = W^T u, u = W v, each scaled to length 1; then sigma = u^T W v. Give the u that came back to go on.
    Each step shrinks the error of the directions by (sigma_2 / sigma_1)^2: with two largest values alike they never
    settle, and sigma is right all the same. The slope of sigma is u v^T: u and v are held constant, which is exact
    where they have settled. A start at right angles to the direction sought never finds it; a random one is not.
    In float32 for sizes between 1e-12 and 1e18, beyond which squares are lost. Raises ValueError for less than one
    step, and for shapes that do not fit.

    A golden example, by hand: W^T u = (3, 4) has length 5, and W v = (5, 0).

    >>> sigma, u, v = power_iteration(torch.tensor([[3.0, 4.0], [0.0, 0.0]]), torch.tensor([1.0, 0.0]), 1)
    >>> sigma, u, v
    (tensor(5.), tensor([1., 0.]), tensor([0.6000, 0.8000]))
    """
    (steps,) = whole("power_iteration", 1, steps=steps)
    if matrix.ndim != 2 or u.shape != matrix.shape[:1]:
        raise ValueError(
            f"power_iteration got matrix {tuple(matrix.shape)} and u {tuple(u.shape)}; wanted (out, features) and "
            "(out,). A convolution's weights become a matrix by weight.flatten(1)."
        )
    with torch.no_grad():
        for _ in range(steps):
            v = F.normalize(matrix.T @ u, dim=0)
            u = F.normalize(matrix @ v, dim=0)
    return u @ matrix @ v, u, v


def spectral_norm(layer: nn.Module, *, power_steps: int = 1, generator: torch.Generator) -> nn.Module:
    """Divide the layer's weight by its sigma, in every forward pass; changes the layer in place and returns it.

    layer: any with a `weight` of two dimensions or more, (out, ...): Linear, Conv2d, torch's too; of a transposed
    convolution, whose weight is (in, out, ...), the second dimension counts as out. The parameter that learns is then
    `layer.parametrizations.weight.original`, and `layer.weight` is computed. In train mode each use of it makes
    `power_steps` steps, so real and generated examples meet slightly different weights; in eval mode it makes none.
    The first direction is drawn from `generator` and takes 15 steps at once. Gradients run through sigma, which turns
    off growth along u v^T. Remove it with torch.nn.utils.parametrize.remove_parametrizations.

    Raises ValueError for a layer without such a weight, for one that has a spectral norm already, for a weight of
    zeros (there is nothing to scale), and for power_steps not whole or below 1.

    >>> from dlcourse.nn import Linear
    >>> generator = torch.Generator().manual_seed(0)
    >>> layer = spectral_norm(Linear(8, 4, generator=generator), generator=generator)
    >>> torch.linalg.svdvals(layer.weight.detach())[0]
    tensor(1.0000)
    """
    (power_steps,) = whole("spectral_norm", 1, power_steps=power_steps)
    if parametrize.is_parametrized(layer, "weight"):
        raise ValueError(f"spectral_norm got {type(layer).__name__}, whose weight is parametrised already.")
    weight = getattr(layer, "weight", None)
    if not isinstance(weight, nn.Parameter) or weight.ndim < 2:
        raise ValueError(f"spectral_norm got {layer}; wanted a layer with a weight (out, ...), such as nn.Linear.")
    transposed = isinstance(layer, (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d))
    scaling = SpectralNorm(weight.detach(), transposed=transposed, power_steps=power_steps, generator=generator)
    parametrize.register_parametrization(layer, "weight", scaling.train(layer.training))
    return layer


class SpectralNorm(nn.Module):
    """W to W / sigma(W), with the directions u and v as buffers: what `spectral_norm` hangs on a layer."""

    def __init__(self, weight: Float[Tensor, "..."], *, transposed: bool, power_steps: int, generator: torch.Generator):
        super().__init__()
        self.transposed, self.power_steps = transposed, power_steps
        matrix = self.matrix(weight)
        u = torch.randn(len(matrix), generator=generator, device=generator.device).to(matrix)
        sigma, u, v = power_iteration(matrix, u, FIRST_STEPS)
        if not sigma > 0:
            raise ValueError(f"spectral_norm got a weight {tuple(weight.shape)} with sigma {sigma:g}; wanted above 0.")
        self.register_buffer("u", u)
        self.register_buffer("v", v)

    def matrix(self, weight: Float[Tensor, "..."]) -> Float[Tensor, "out features"]:
        """The weight as (out, rest)."""
        return (weight.transpose(0, 1) if self.transposed else weight).flatten(1)

    def forward(self, weight: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        matrix = self.matrix(weight)
        if not self.training:
            return weight / (self.u @ matrix @ self.v)
        sigma, self.u, self.v = power_iteration(matrix, self.u, self.power_steps)
        return weight / sigma

    def extra_repr(self) -> str:
        return f"power_steps={self.power_steps}"
