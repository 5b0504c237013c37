"""Normalisation inside a network: subtract the mean, divide by the standard deviation, then scale and shift.

    out = (x - mean) / sqrt(var + eps) * weight + bias

What differs is over which numbers mean and variance are taken:

- **Batch norm** (Ioffe and Szegedy, 2015, arXiv:1502.03167, algorithm 1): for each channel, over the batch and all
  positions. In training mode those of the batch at hand, so that examples influence each other and gradients flow
  through mean and variance too; in evaluation mode running averages of them, so that an example's answer is its own.
- **Layer norm** (Ba, Kiros and Hinton, 2016, arXiv:1607.06450, equations 3 and 4): for each example, over its
  features. Both modes are the same.

eps, inside the root, keeps a channel without variance finite: it comes out as the bias. A layer just before a batch
norm needs no bias of its own, as the mean takes it away again.

Where batch norm fails: a batch of one has no variance; small batches make noisy ones; a model left in training mode
goes on changing its averages, and examples that come sorted by class give statistics of that class alone. Layer norm
has none of these troubles, but lets features of unlike units mix.

In mixed precision (autocast) x comes in half precision, and so the moments here are rounded to its few digits, and the
answer is float32; torch's own layers take the moments in float32.
"""

import torch
from torch import nn

from dlcourse.types import Float, Tensor


def moments(x: Float[Tensor, "batch channel ..."]) -> tuple[Float[Tensor, " channel"], Float[Tensor, " channel"]]:
    """Mean and variance of each channel over the batch and all positions. The variance is biased: divided by n.

    >>> moments(torch.tensor([[1.0, 10.0], [3.0, 10.0]]))
    (tensor([ 2., 10.]), tensor([1., 0.]))
    """
    dims = (0, *range(2, x.ndim))  # all but the channels
    return x.mean(dims), x.var(dims, correction=0)


def batch_norm(
    x: Float[Tensor, "batch channel ..."],
    mean: Float[Tensor, " channel"],
    var: Float[Tensor, " channel"],
    weight: Float[Tensor, " channel"],
    bias: Float[Tensor, " channel"],
    *,
    eps: float = 1e-5,
) -> Float[Tensor, "batch channel ..."]:
    """Normalise each channel with the mean and variance given: `moments(x)` in training, running averages after it.

    Tables are (batch, features), a channel for each feature; images are (batch, channel, height, width). Raises
    ValueError when x has another number of channels than one of the rows.
    """
    check_channels("batch_norm", x, mean, var, weight, bias)
    scale = weight / torch.sqrt(var + eps)
    return (x - per_channel(mean, x)) * per_channel(scale, x) + per_channel(bias, x)


def batch_norm_definition(
    x: Float[Tensor, "batch channel ..."],
    weight: Float[Tensor, " channel"],
    bias: Float[Tensor, " channel"],
    *,
    eps: float = 1e-5,
) -> Float[Tensor, "batch channel ..."]:
    """Algorithm 1 of the paper, channel by channel and line by line: batch norm in training mode."""
    out = torch.empty_like(x)
    for c in range(x.shape[1]):
        values = x[:, c]
        m = values.numel()
        mean = values.sum() / m
        variance = ((values - mean) ** 2).sum() / m
        normalised = (values - mean) / torch.sqrt(variance + eps)
        out[:, c] = weight[c] * normalised + bias[c]
    return out


def layer_norm(
    x: Float[Tensor, "... features"],
    weight: Float[Tensor, " features"],
    bias: Float[Tensor, " features"],
    *,
    eps: float = 1e-5,
) -> Float[Tensor, "... features"]:
    """Normalise along the last dimension: each example by itself. Raises ValueError for another number of features.

    A golden example, by hand: mean 3 and variance 4, so -1 and +1; then twice that, plus 10.

    >>> layer_norm(torch.tensor([[1.0, 5.0]]), torch.full((2,), 2.0), torch.full((2,), 10.0))
    tensor([[ 8.0000, 12.0000]])
    """
    if not x.ndim or not x.shape[-1:] == weight.shape == bias.shape:
        raise ValueError(
            f"layer_norm got x {tuple(x.shape)}, weight {tuple(weight.shape)} and bias {tuple(bias.shape)}; wanted "
            f"{len(weight)} features in the last dimension of x, and a weight and a bias for each."
        )
    centred = x - x.mean(-1, keepdim=True)
    var = centred.square().mean(-1, keepdim=True)
    return centred / torch.sqrt(var + eps) * weight + bias


def layer_norm_definition(
    x: Float[Tensor, "batch features"],
    weight: Float[Tensor, " features"],
    bias: Float[Tensor, " features"],
    *,
    eps: float = 1e-5,
) -> Float[Tensor, "batch features"]:
    """The same example by example, as in the paper: mean, deviation, then gain and bias."""
    out = torch.empty_like(x)
    for i, example in enumerate(x):
        mean = example.sum() / len(example)
        variance = ((example - mean) ** 2).sum() / len(example)
        out[i] = weight * (example - mean) / torch.sqrt(variance + eps) + bias
    return out


class BatchNorm(nn.Module):
    """Batch norm for tables (batch, features) and images (batch, channel, height, width): torch's BatchNorm1d and 2d.

    Parameters `weight` and `bias`, buffers `running_mean`, `running_var` and `num_batches_tracked`, named as in torch.
    In training mode each call moves the running averages by the share `momentum` towards the batch's; the variance
    that is kept is unbiased, divided by n - 1, although the one that normalises is divided by n. Momentum is the share
    of the *new*, the other way round than an optimiser's. Made in float32 on torch's default device.

    Raises ValueError in training mode when a channel holds one number only, and for another number of channels; when
    it is made, for no features, an eps below 0 and a momentum outside [0, 1].

    >>> BatchNorm(3)
    BatchNorm(3, eps=1e-05, momentum=0.1)
    """

    def __init__(self, features: int, *, eps: float = 1e-5, momentum: float = 0.1):
        super().__init__()
        _check_options("BatchNorm", features, eps)
        if not 0 <= momentum <= 1:
            raise ValueError(f"BatchNorm(momentum={momentum}): it is the share of the new batch, so it lies in [0, 1].")
        self.features, self.eps, self.momentum = features, eps, momentum
        device = torch.get_default_device()
        self.weight = nn.Parameter(torch.ones(features, device=device))
        self.bias = nn.Parameter(torch.zeros(features, device=device))
        self.register_buffer("running_mean", torch.zeros(features, device=device))
        self.register_buffer("running_var", torch.ones(features, device=device))
        self.register_buffer("num_batches_tracked", torch.tensor(0, device=device))

    def forward(self, x: Float[Tensor, "batch channel ..."]) -> Float[Tensor, "batch channel ..."]:
        mean, var = self._learn_from(x) if self.training else (self.running_mean, self.running_var)
        return batch_norm(x, mean, var, self.weight, self.bias, eps=self.eps)

    def _learn_from(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The batch's mean and variance, after moving the running averages towards them."""
        check_channels("BatchNorm", x, self.weight)
        n = x.numel() // self.features
        if n < 2:
            raise ValueError(
                f"BatchNorm in training mode got x {tuple(x.shape)}: {n} number(s) for each channel have no variance. "
                "Give a batch of two or more (drop_last=True leaves a last batch of one out), or call model.eval()."
            )
        mean, var = moments(x)
        with torch.no_grad():
            self.running_mean += self.momentum * (mean - self.running_mean)
            self.running_var += self.momentum * (var * (n / (n - 1)) - self.running_var)
            self.num_batches_tracked += 1
        return mean, var

    def extra_repr(self) -> str:
        return f"{self.features}, eps={self.eps}, momentum={self.momentum}"


class LayerNorm(nn.Module):
    """Layer norm along the last dimension, with parameters `weight` and `bias`, named as in torch.nn.LayerNorm.

    Made in float32 on torch's default device. Raises ValueError for another number of features, and when it is made
    for none or with an eps below 0.

    >>> LayerNorm(3)
    LayerNorm(3, eps=1e-05)
    """

    def __init__(self, features: int, *, eps: float = 1e-5):
        super().__init__()
        _check_options("LayerNorm", features, eps)
        self.features, self.eps = features, eps
        device = torch.get_default_device()
        self.weight = nn.Parameter(torch.ones(features, device=device))
        self.bias = nn.Parameter(torch.zeros(features, device=device))

    def forward(self, x: Float[Tensor, "... features"]) -> Float[Tensor, "... features"]:
        return layer_norm(x, self.weight, self.bias, eps=self.eps)

    def extra_repr(self) -> str:
        return f"{self.features}, eps={self.eps}"


def per_channel(values: Float[Tensor, " channel"], x: Float[Tensor, "batch channel ..."]) -> Tensor:
    """One value for each channel, shaped to meet x: (channel,) for tables, (channel, 1, 1) for images."""
    return values.reshape(-1, *[1] * (x.ndim - 2))


def check_channels(caller: str, x: Tensor, *rows: Tensor) -> None:
    """Raise ValueError unless each row has a value for each of x's channels."""
    for row in rows:
        if x.ndim < 2 or row.shape != x.shape[1:2]:
            raise ValueError(
                f"{caller} got x {tuple(x.shape)}; wanted (batch, {len(row)}) or (batch, {len(row)}, height, width), "
                f"as there are values for {len(row)} channels. A single example becomes a batch of one by x[None]."
            )


def _check_options(caller: str, features: int, eps: float) -> None:
    """Raise ValueError for a layer of no features, or with an eps that is no small number to add."""
    if features < 1:
        raise ValueError(f"{caller}({features}): the number of features must be 1 or more.")
    if not eps >= 0:
        raise ValueError(f"{caller}(eps={eps}): eps keeps the root away from 0, so it must be 0 or more.")
