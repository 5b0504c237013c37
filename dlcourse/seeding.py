"""Randomness that can be repeated: one seed for everything global, or a generator that is handed on.

A function of the package that draws at random takes a `generator`; only notebooks and scripts call `seed`. The same
seed repeats on the same machine and version; another device or version of torch may draw other numbers.
"""

import random

import numpy as np
import torch
from torch import Tensor


def seed(n: int) -> None:
    """Seed Python's `random`, numpy's global state and torch on all devices. Raises ValueError unless 0 <= n < 2**32.

    >>> seed(1)
    >>> first = torch.rand(3)
    >>> seed(1)
    >>> torch.equal(first, torch.rand(3))
    True
    """
    if not 0 <= n < 2**32:
        raise ValueError(f"seed({n}): numpy takes seeds from 0 to 2**32 - 1; choose a number in that range.")
    random.seed(n)
    np.random.seed(n)  # scikit-learn and others draw from this global state
    torch.manual_seed(n)


def generator(n: int, *, like: Tensor | None = None) -> torch.Generator:
    """A source of random numbers seeded with `n`, on the device of `like` (default: the CPU).

    >>> torch.equal(torch.rand(3, generator=generator(0)), torch.rand(3, generator=generator(0)))
    True
    """
    made = torch.Generator() if like is None else torch.Generator(device=like.device)
    return made.manual_seed(n)
