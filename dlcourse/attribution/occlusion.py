"""Occlusion: cover a piece of the picture, and see by how much the score falls.

    fall of a window      score(x) - score(x with the baseline inside the window)
    map of a pixel        the mean fall of all windows that cover it

(Zeiler and Fergus, 2014, arXiv:1311.2901, section 4.1; the mean as in captum.) It asks the model and needs no slope.
Where it fails: one window at a time. Of two pieces that each suffice, covering one changes nothing, and both get 0. And
a grey square is itself something to see: the fall is that of a picture as the model may never have met.
"""

from einops import einsum, rearrange

from dlcourse.attribution.covered import covered_scores
from dlcourse.attribution.score import Target, scores
from dlcourse.nn.sizes import whole
from dlcourse.training.asking import Model
from dlcourse.types import Bool, Float, Tensor


def occlusion(
    model: Model,
    x: Float[Tensor, "batch channel height width"],
    target: Target,
    *,
    window: int | tuple[int, int],
    stride: int | tuple[int, int] = 1,
    baseline: Float[Tensor, "..."] | float | None = None,
) -> Float[Tensor, "batch channel height width"]:
    """The mean fall of the score, for each pixel; the same for all channels, which are covered together.

    window: (rows, columns), or one number for both; stride: by how much it moves, at most the window. Raises ValueError
    as `windows` does, and for a baseline that does not fit; errors as `score`.

    >>> import torch
    >>> occlusion(lambda x: x.flatten(1), torch.tensor([[[[3.0, 1.0, 2.0]]]]), 0, window=(1, 2))
    tensor([[[[3.0000, 1.5000, 0.0000]]]])
    """
    covers = windows(x, window, stride)
    hidden = rearrange(covers, "windows height width -> windows 1 1 height width")
    falls = scores(model, x, target) - covered_scores(model, x, target, hidden, baseline=baseline)
    total = einsum(falls, covers.to(x.dtype), "windows batch, windows height width -> batch height width")
    return (total / covers.sum(0))[:, None].expand(x.shape).clone()


def windows(
    x: Float[Tensor, "batch channel height width"], window: int | tuple[int, int], stride: int | tuple[int, int]
) -> Bool[Tensor, "windows height width"]:
    """All places of a window on the pictures x, row by row: True inside.

    The first is in the upper left corner; the last ones may reach beyond the lower and the right edge, so that every
    pixel is covered (as in captum). Raises ValueError for a window larger than the picture, a stride above the window,
    and numbers that are not whole or below 1.

    >>> import torch
    >>> windows(torch.zeros(1, 1, 1, 4), (1, 3), (1, 2)).int()
    tensor([[[1, 1, 1, 0]],
    <BLANKLINE>
            [[0, 0, 1, 1]]], dtype=torch.int32)
    """
    both = zip(x.shape[2:], _pair("window", window), _pair("stride", stride), strict=True)
    rows, columns = (_along(x, *sizes) for sizes in both)
    return (rows[:, None, :, None] & columns[None, :, None, :]).flatten(0, 1)


def _along(x: Tensor, size: int, window: int, stride: int) -> Bool[Tensor, "windows length"]:
    """The places of a window along one dimension."""
    if window > size or stride > window:
        raise ValueError(
            f"a window of {window} with stride {stride} along {size} pixels: wanted a window no larger than the "
            "picture, and a stride no larger than the window, or some pixels would never be covered."
        )
    first = x.new_tensor(range(0, size - window + stride, stride))[:, None]
    place = x.new_tensor(range(size))
    return (first <= place) & (place < first + window)


def _pair(name: str, given: int | tuple[int, int]) -> list[int]:
    rows, columns = given if isinstance(given, tuple) else (given, given)
    return whole("occlusion", 1, **{f"{name}_rows": rows, f"{name}_columns": columns})
