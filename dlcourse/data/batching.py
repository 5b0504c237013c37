"""Minibatches."""

from collections.abc import Iterator

import torch

from dlcourse.types import Shaped, Tensor


def batches(
    x: Shaped[Tensor, "batch ..."],
    y: Shaped[Tensor, "batch ..."],
    *,
    size: int,
    generator: torch.Generator | None = None,
) -> Iterator[tuple[Tensor, Tensor]]:
    """One pass over the examples, `size` at a time; the last batch may be smaller.

    With a generator the examples are shuffled, anew in each call; without one they come in order.
    Raises ValueError when x and y differ in length, there are no examples, or size is below 1.

    >>> x = torch.arange(5)
    >>> [x_batch.tolist() for x_batch, _ in batches(x, x, size=2)]
    [[0, 1], [2, 3], [4]]
    """
    if len(x) != len(y) or len(x) == 0:
        raise ValueError(f"batches(x, y): {len(x)} examples and {len(y)} labels; wanted as many of each, at least one")
    if size < 1:
        raise ValueError(f"batches(size={size}): wanted at least 1 example in a batch")
    if generator is None:
        return zip(x.split(size), y.split(size), strict=True)
    order = torch.randperm(len(x), generator=generator, device=generator.device).to(x.device)
    return ((x[rows], y[rows]) for rows in order.split(size))
