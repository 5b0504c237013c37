"""Minibatches."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from numbers import Integral

import torch

from dlcourse.types import Shaped, Tensor


@dataclass(frozen=True, eq=False, repr=False)  # tensors neither compare nor print as one value
class Batches:
    """Examples in batches: made by `batches`, gone through as often as you like; `len` is the batches of one pass."""

    x: Shaped[Tensor, "batch ..."]
    y: Shaped[Tensor, "batch ..."]
    size: int  # examples in a batch
    generator: torch.Generator | None = None  # shuffles, anew in each pass; None: in order
    drop_last: bool = False  # leave a smaller last batch out

    def __len__(self) -> int:
        return len(self.x) // self.size if self.drop_last else -(-len(self.x) // self.size)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        """One pass. Its order is drawn here, once, so that the generator's state before it repeats the whole pass."""
        if self.generator is None:
            pairs = zip(self.x.split(self.size), self.y.split(self.size), strict=True)
        else:
            order = torch.randperm(len(self.x), generator=self.generator, device=self.generator.device)
            pairs = ((self.x[rows], self.y[rows]) for rows in order.to(self.x.device).split(self.size))
        return islice(pairs, len(self))

    def __repr__(self) -> str:
        order = "in order" if self.generator is None else "shuffled anew in each pass"
        return f"Batches({len(self)} of {self.size}, from {len(self.x)} examples, {order})"


def batches(
    x: Shaped[Tensor, "batch ..."],
    y: Shaped[Tensor, "batch ..."],
    *,
    size: int,
    generator: torch.Generator | None = None,
    drop_last: bool = False,
) -> Batches:
    """The examples `size` at a time; each pass over the result is one epoch. The last batch may be smaller.

    With a generator the examples are shuffled, anew in each pass; without one they come in order. `drop_last` leaves
    the smaller last batch out (another few examples in each pass, when they are shuffled). The batches live where the
    examples live. Raises ValueError when x and y differ in length, there are no examples, size is below 1, or
    `drop_last` would leave nothing; TypeError for lists and arrays, a size that is no whole number, or a seed in place
    of a generator.

    >>> x = torch.arange(5)
    >>> [x_batch.tolist() for x_batch, _ in batches(x, x, size=2)]
    [[0, 1], [2, 3], [4]]
    >>> batches(x, x, size=2, drop_last=True)
    Batches(2 of 2, from 5 examples, in order)
    """
    for name, value, kind, wanted in (
        ("x", x, Tensor, "a tensor, such as torch.as_tensor(x)"),
        ("y", y, Tensor, "a tensor, such as torch.as_tensor(y)"),
        ("size", size, Integral, "a whole number of examples"),
        ("generator", generator, torch.Generator | None, "a generator, such as torch.Generator().manual_seed(0)"),
    ):
        if not isinstance(value, kind):
            raise TypeError(f"batches got {name} of type {type(value).__name__}; wanted {wanted}.")
    if len(x) != len(y) or len(x) == 0:
        raise ValueError(f"batches(x, y): {len(x)} examples and {len(y)} labels; wanted as many of each, at least one")
    if size < 1:
        raise ValueError(f"batches(size={size}): wanted at least 1 example in a batch")
    if drop_last and size > len(x):
        raise ValueError(
            f"batches(size={size}, drop_last=True): {len(x)} examples fill no batch; wanted a size of {len(x)} or less"
        )
    return Batches(x, y, size, generator, drop_last)
