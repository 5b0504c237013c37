"""Made-up problems, each hard in one known way. All are drawn from `generator` alone and live on its device.

Classes are as equal in size as n allows and take turns (0, 1, 0, 1, ...), so any slice is balanced.
Raises ValueError, in all of them, when n is below 1.
"""

import math

import torch
from torch.nn import functional

from dlcourse.types import Float, Int, Tensor


def moons(
    n: int, *, noise: float = 0.1, generator: torch.Generator
) -> tuple[Float[Tensor, "batch 2"], Int[Tensor, " batch"]]:
    """Two interleaved half circles of radius 1: no straight line parts them. noise: standard deviation."""
    y = _turns(n, 2, generator)
    angle = math.pi * _uniform(n, generator=generator)
    upper = torch.stack([angle.cos(), angle.sin()], dim=1)
    lower = torch.stack([1 - angle.cos(), 0.5 - angle.sin()], dim=1)
    return torch.where(y[:, None] == 0, upper, lower) + noise * _normal(n, 2, generator=generator), y


def circles(
    n: int, *, noise: float = 0.05, inner: float = 0.5, generator: torch.Generator
) -> tuple[Float[Tensor, "batch 2"], Int[Tensor, " batch"]]:
    """Class 0 on a circle of radius 1, class 1 on one of radius `inner`: a line parts their squares, not them."""
    y = _turns(n, 2, generator)
    angle = 2 * math.pi * _uniform(n, generator=generator)
    radius = torch.where(y == 0, 1.0, inner)
    return _polar(radius, angle) + noise * _normal(n, 2, generator=generator), y


def spirals(
    n: int, *, noise: float = 0.02, classes: int = 2, turns: float = 1.5, generator: torch.Generator
) -> tuple[Float[Tensor, "batch 2"], Int[Tensor, " batch"]]:
    """Arms that wind `turns` times from the origin out to radius 1, one for each class, evenly rotated."""
    y = _turns(n, classes, generator)
    radius = _uniform(n, generator=generator).sqrt()  # even along the arm's length, rather than crowded at the origin
    angle = 2 * math.pi * (turns * radius + y / classes)
    return _polar(radius, angle) + noise * _normal(n, 2, generator=generator), y


def blobs(
    n: int, *, noise: float = 0.5, classes: int = 3, radius: float = 2.0, generator: torch.Generator
) -> tuple[Float[Tensor, "batch 2"], Int[Tensor, " batch"]]:
    """Gaussian clouds of standard deviation `noise`, their centres evenly on a ring; class 0 is at (radius, 0)."""
    y = _turns(n, classes, generator)
    centre = _polar(torch.full_like(y, radius, dtype=torch.float32), 2 * math.pi * y / classes)
    return centre + noise * _normal(n, 2, generator=generator), y


def eight_gaussians(
    n: int, *, noise: float = 0.02, generator: torch.Generator
) -> tuple[Float[Tensor, "batch 2"], Int[Tensor, " batch"]]:
    """Eight tight clouds on a ring of radius 2, for seeing which ones a generative model forgets; y tells the cloud.

    Metz et al. 2017, Unrolled Generative Adversarial Networks (arXiv:1611.02163), appendix A.
    """
    return blobs(n, noise=noise, classes=8, radius=2.0, generator=generator)


def parity(
    n: int, *, bits: int = 8, generator: torch.Generator
) -> tuple[Float[Tensor, "batch features"], Int[Tensor, " batch"]]:
    """Bits, 0 or 1, and whether the number of ones is odd: each single bit tells nothing. Classes are random here."""
    x = _integers(n, bits, high=2, generator=generator)
    return x.float(), x.sum(dim=1) % 2


def copy_task(
    n: int, *, length: int = 10, delay: int = 20, symbols: int = 8, generator: torch.Generator
) -> tuple[Int[Tensor, "batch time"], Int[Tensor, "batch time"]]:
    """Remember `length` symbols over `delay` steps, then repeat them; time = 2 length + delay.

    Symbols are 1 to `symbols`, 0 is blank, symbols + 1 says "now". x: the symbols, delay - 1 blanks, "now", blanks;
    y: blanks, then the symbols. Ignoring x and guessing scores a mean loss of length log(symbols) / time.
    Hochreiter and Schmidhuber 1997; in this form Arjovsky et al. 2016 (arXiv:1511.06464), section 5.1.
    """
    if min(length, delay, symbols) < 1:
        raise ValueError(f"copy_task(length={length}, delay={delay}, symbols={symbols}): wanted each at least 1")
    word = 1 + _integers(n, length, high=symbols, generator=generator)
    x = torch.zeros(n, 2 * length + delay, dtype=torch.long, device=generator.device)
    y = torch.zeros_like(x)
    x[:, :length] = word
    x[:, length + delay - 1] = symbols + 1
    y[:, length + delay :] = word
    return x, y


def adding_problem(
    n: int, *, length: int = 50, generator: torch.Generator
) -> tuple[Float[Tensor, "batch time 2"], Float[Tensor, " batch"]]:
    """Add the two marked numbers of a sequence.

    x[..., 0] holds numbers uniform in [0, 1), x[..., 1] is 1 at the two marks and else 0. One mark is in the first
    half, one in the second. Always answering 1 has a mean squared error of 1/6.
    Hochreiter and Schmidhuber 1997; in this form Arjovsky et al. 2016 (arXiv:1511.06464), section 5.2.
    """
    if length < 2:
        raise ValueError(f"adding_problem(length={length}): wanted at least 2, one step for each mark")
    half = length // 2
    numbers = _uniform(n, length, generator=generator)
    first = _integers(n, 1, high=half, generator=generator)
    second = half + _integers(n, 1, high=length - half, generator=generator)
    marks = torch.zeros_like(numbers).scatter_(1, torch.cat([first, second], dim=1), 1.0)
    return torch.stack([numbers, marks], dim=-1), (numbers * marks).sum(dim=1)


def first_symbol(
    n: int, *, length: int = 100, symbols: int = 4, noise: int = 4, generator: torch.Generator
) -> tuple[Float[Tensor, "batch time features"], Int[Tensor, " batch"]]:
    """What was the first of `length` symbols?

    The first is one of `symbols`, all others are of `noise` other kinds and say nothing about it. x is one-hot, with
    symbols + noise features; y is the first symbol. Chance is 1 / symbols. In the spirit of the tasks with a long time
    lag of Hochreiter and Schmidhuber 1997, section 5.
    """
    if length < 2 or noise < 1:
        raise ValueError(f"first_symbol(length={length}, noise={noise}): wanted at least 2 steps and 1 kind of noise")
    y = _turns(n, symbols, generator)
    rest = symbols + _integers(n, length - 1, high=noise, generator=generator)
    return functional.one_hot(torch.cat([y[:, None], rest], dim=1), symbols + noise).float(), y


def _turns(n: int, classes: int, generator: torch.Generator) -> Int[Tensor, " batch"]:
    if n < 1 or classes < 1:
        raise ValueError(f"asked for {n} examples of {classes} classes: wanted at least one of each")
    return torch.arange(n, device=generator.device) % classes


def _polar(radius: Float[Tensor, " batch"], angle: Float[Tensor, " batch"]) -> Float[Tensor, "batch 2"]:
    return torch.stack([radius * angle.cos(), radius * angle.sin()], dim=1)


def _uniform(*shape: int, generator: torch.Generator) -> Float[Tensor, "..."]:
    return torch.rand(shape, generator=generator, device=generator.device)


def _normal(*shape: int, generator: torch.Generator) -> Float[Tensor, "..."]:
    return torch.randn(shape, generator=generator, device=generator.device)


def _integers(*shape: int, high: int, generator: torch.Generator) -> Int[Tensor, "..."]:
    if min(shape) < 1:
        raise ValueError(f"asked for integers of shape {shape}: wanted each extent at least 1")
    return torch.randint(high, shape, generator=generator, device=generator.device)
