"""Functions of several tensors, and the losses: each is one operation of the table, or a few of them."""

from collections.abc import Sequence

import torch

from dlcourse.autograd.tensor import Tensor, apply, check_mask, from_zero


def where(condition: torch.Tensor, a: "Tensor | float", b: "Tensor | float") -> Tensor:
    """`a` where the plain boolean `condition` holds, else `b`; at least one of them is a Tensor.

    >>> x = Tensor([-2.0, 3.0])
    >>> where(x > 0, x, 0.0).data
    tensor([0., 3.])
    """
    if not isinstance(a, Tensor) and not isinstance(b, Tensor):
        raise TypeError("where(condition, a, b): at least one of a and b is a Tensor; for others there is torch.where.")
    check_mask(condition)
    return apply("where", a, b, condition=condition)


def concat(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """The tensors one after the other along a dimension that is there already.

    >>> concat([Tensor([1.0]), Tensor([2.0, 3.0])]).data
    tensor([1., 2., 3.])
    """
    if not tensors or len({tensor.ndim for tensor in tensors}) != 1:
        shapes = [tuple(tensor.shape) for tensor in tensors]
        raise ValueError(f"concat of shapes {shapes}: at least one tensor, and as many dimensions in all, are wanted.")
    return apply("concat", *tensors, dim=from_zero(dim, tensors[0].ndim))


def stack(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """The tensors, all of one shape, along a new dimension.

    >>> stack([Tensor([1.0, 2.0]), Tensor([3.0, 4.0])], dim=1).data
    tensor([[1., 3.],
            [2., 4.]])
    """
    if len({tuple(tensor.shape) for tensor in tensors}) != 1:
        raise ValueError(f"stack of shapes {[tuple(tensor.shape) for tensor in tensors]}: one shape for all is wanted.")
    dim = from_zero(dim, tensors[0].ndim + 1)
    return concat([tensor.reshape(*tensor.shape[:dim], 1, *tensor.shape[dim:]) for tensor in tensors], dim)


def pad(x: Tensor, *widths: tuple[int, int]) -> Tensor:
    """Zeros around `x`: a pair (before, after) for each dimension.

    >>> pad(Tensor([1.0, 2.0]), (1, 2)).data
    tensor([0., 1., 2., 0., 0.])
    """
    if len(widths) != x.ndim or any(min(pair) < 0 for pair in widths):
        raise ValueError(f"pad of shape {tuple(x.shape)} by {widths}: a pair of widths from 0 up for each dimension.")
    return apply("pad", x, widths=widths)


def cross_entropy(logits: Tensor, labels: torch.Tensor) -> Tensor:
    """The mean over the batch of -log softmax(logits)[label].

    logits: (batch, classes). labels: plain integers in [0, classes), (batch,). Raises ValueError for other shapes or
    labels.

    >>> cross_entropy(Tensor([[0.0, 0.0]]), torch.tensor([1]))  # two equal logits: log 2
    Tensor(0.6931)
    """
    if not isinstance(labels, torch.Tensor):
        raise TypeError(
            f"cross_entropy wants labels as a torch tensor of whole numbers, and got a {type(labels).__name__}."
        )
    if logits.ndim != 2 or tuple(labels.shape) != (len(logits),) or labels.dtype.is_floating_point:
        raise ValueError(
            f"cross_entropy of logits {tuple(logits.shape)} and labels {tuple(labels.shape)} ({labels.dtype}): wanted "
            "are (batch, classes) and whole numbers (batch,)."
        )
    if labels.numel() and not 0 <= int(labels.min()) <= int(labels.max()) < logits.shape[1]:
        raise ValueError(
            f"cross_entropy: labels from {int(labels.min())} to {int(labels.max())}, but logits for the classes 0 to "
            f"{logits.shape[1] - 1}."
        )
    rows = torch.arange(len(logits), device=labels.device)
    return -logits.log_softmax(1)[rows, labels.long()].mean()
