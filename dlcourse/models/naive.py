"""Forecasts that learn nothing, and that every other forecast has to beat first.

    persistence            the last value goes on                      s_(T+h) = s_T
    seasonal persistence   the value of one season before              s_(T+h) = s_(T+h-season k)
    mean                   the mean of what was seen                   s_(T+h) = mean(s_1 ... s_T)
    drift                  the line through first and last value       s_(T+h) = s_T + h (s_T - s_1) / (T - 1)

k is the smallest number of seasons that reaches back into what was seen. (Hyndman and Athanasopoulos, 2021,
"Forecasting: principles and practice", 3rd edition, section 5.2.)

The pictures of a good forecast and of persistence look alike: a curve that follows the true one, a step late.
Only the numbers tell. For a random walk, which share prices resemble, nothing beats persistence on average.

All take windows x (batch, length, ...), as `data.windows` makes them, and give (batch, horizon, ...). They raise
ValueError for a horizon below 1 and for windows without a value.
"""

import torch

from dlcourse.nn.sizes import whole
from dlcourse.types import Float, Tensor


def persistence(x: Float[Tensor, "batch length ..."], *, horizon: int = 1) -> Float[Tensor, "batch horizon ..."]:
    """The last value, as often as wanted.

    >>> persistence(torch.tensor([[1.0, 3.0, 2.0]]), horizon=2)
    tensor([[2., 2.]])
    """
    return seasonal_persistence(x, season=1, horizon=horizon)


def seasonal_persistence(
    x: Float[Tensor, "batch length ..."], *, season: int, horizon: int = 1
) -> Float[Tensor, "batch horizon ..."]:
    """The last `season` values, over and over. Raises ValueError for windows shorter than a season.

    >>> seasonal_persistence(torch.tensor([[9.0, 1.0, 2.0, 3.0]]), season=3, horizon=4)
    tensor([[1., 2., 3., 1.]])
    """
    season, horizon = _checked("seasonal_persistence", x, season, season=season, horizon=horizon)
    ahead = torch.arange(horizon, device=x.device)
    return x[:, x.shape[1] - season + ahead % season]


def mean_forecast(x: Float[Tensor, "batch length ..."], *, horizon: int = 1) -> Float[Tensor, "batch horizon ..."]:
    """The mean of each window.

    >>> mean_forecast(torch.tensor([[1.0, 3.0, 2.0]]), horizon=2)
    tensor([[2., 2.]])
    """
    (horizon,) = _checked("mean_forecast", x, 1, horizon=horizon)
    return x.mean(1, keepdim=True).repeat_interleave(horizon, dim=1)


def drift(x: Float[Tensor, "batch length ..."], *, horizon: int = 1) -> Float[Tensor, "batch horizon ..."]:
    """The last value, and from there on the mean step of the window. Raises ValueError for windows of one value.

    >>> drift(torch.tensor([[1.0, 5.0, 2.0]]), horizon=2)
    tensor([[2.5000, 3.0000]])
    """
    (horizon,) = _checked("drift", x, 2, horizon=horizon)
    first, final = x[:, 0], x[:, -1]
    step = (final - first) / (x.shape[1] - 1)
    return torch.stack([final + ahead * step for ahead in range(1, horizon + 1)], dim=1)


def _checked(caller: str, x: Tensor, least: int, **sizes: int) -> list[int]:
    """The sizes as whole numbers of 1 or more, after a look at whether the windows hold at least so many values."""
    found = whole(caller, 1, **sizes)
    if x.ndim < 2 or x.shape[1] < least:
        raise ValueError(
            f"{caller} got x {tuple(x.shape)}; wanted (batch, length, ...) with a length of {least} or more."
        )
    return found
