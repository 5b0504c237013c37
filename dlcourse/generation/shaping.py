"""Between a model's logits and the draw: what makes generated text bold or safe. All work along the last dimension.

    temper        softmax(logits / temperature)    below 1 the likely gets likelier; at 0 only the likeliest is left
    keep_top_k    only the k likeliest
    keep_top_p    only the likeliest that together have at least p: few where the model is sure, many where it is not

What is left out gets the logit minus infinity, which is probability 0; what stays keeps its proportions. Drawn from the
untouched probabilities a text goes astray, because each of the thousands of unlikely symbols is wrong and one of them
comes soon; always the likeliest symbol makes text that repeats itself. (Top-k: Fan, Lewis and Dauphin, 2018,
arXiv:1805.04833, section 5; top-p: Holtzman, Buys, Du, Forbes and Choi, 2020, arXiv:1904.09751, section 3.1.)

Shaped text reads better and is no longer what the model has learnt: never measure perplexity with it.
"""

import math

import torch

from dlcourse.nn.sizes import whole
from dlcourse.nn.softmax import softmax
from dlcourse.types import Bool, Float, Tensor


def temper(logits: Float[Tensor, "... classes"], temperature: float) -> Float[Tensor, "... classes"]:
    """(logits - the largest) / temperature, so at most 0: the shift changes no probability, and nothing overflows.

    At 0 only the largest logit is left, of equal ones the first. Raises ValueError for a negative temperature and for
    one that is no finite number.

    >>> softmax(temper(torch.tensor([1.0, 2.0]).log(), 0.5))  # 1 : 2 becomes 1 : 4
    tensor([0.2000, 0.8000])
    """
    if not 0 <= temperature < math.inf:
        raise ValueError(
            f"temper(temperature={temperature}): wanted 0 (the likeliest only) or a finite number above it."
        )
    if temperature < torch.finfo(logits.dtype).tiny:  # 0, or so small that dividing would make 0 / 0
        return keep_top_k(logits - logits.amax(-1, keepdim=True), 1)
    return (logits - logits.amax(-1, keepdim=True)) / temperature


def keep_top_k(logits: Float[Tensor, "... classes"], k: int) -> Float[Tensor, "... classes"]:
    """The k largest logits, the others minus infinity. Exactly k: of equal ones the first stay. All, where k is larger.

    Raises ValueError for a k that is no whole number of 1 or more.

    >>> keep_top_k(torch.tensor([0.0, 3.0, 1.0, 1.0]), 2)
    tensor([-inf, 3., 1., -inf])
    """
    (k,) = whole("keep_top_k", 1, k=k)
    keep = torch.arange(logits.shape[-1], device=logits.device) < k
    return _kept(logits, keep.expand_as(logits))


def keep_top_p(logits: Float[Tensor, "... classes"], p: float) -> Float[Tensor, "... classes"]:
    """The smallest set of largest logits whose probabilities sum to p or more, the others minus infinity.

    At least one stays, and at p = 1 all do; of equal ones the first. Raises ValueError for a p outside [0, 1].

    >>> keep_top_p(torch.tensor([0.2, 0.5, 0.3]).log(), 0.6).exp()
    tensor([0.0000, 0.5000, 0.3000])
    """
    if not 0 <= p <= 1:
        raise ValueError(
            f"keep_top_p(p={p}): wanted a share of the probability, from 0 (only the likeliest) to 1 (all)."
        )
    if p == 1:
        return logits  # rounding must not cut the rarest symbols off
    falling = softmax(logits).sort(dim=-1, descending=True).values
    before = falling.cumsum(-1) - falling  # what those have that come earlier
    keep = before < p
    keep[..., 0] = True
    return _kept(logits, keep)


def shaped(
    logits: Float[Tensor, "... classes"],
    *,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
) -> Float[Tensor, "... classes"]:
    """The probabilities to draw from: first the temperature, then top-k, then top-p; None leaves a step out.

    >>> shaped(torch.tensor([0.1, 0.2, 0.3, 0.4]).log(), top_k=2)
    tensor([0.0000, 0.0000, 0.4286, 0.5714])
    """
    logits = temper(logits, temperature)
    if top_k is not None:
        logits = keep_top_k(logits, top_k)
    if top_p is not None:
        logits = keep_top_p(logits, top_p)
    return softmax(logits)


def _kept(logits: Float[Tensor, "... classes"], keep: Bool[Tensor, "... classes"]) -> Float[Tensor, "... classes"]:
    """The logits where `keep`, which is about their ranks from the largest on, and minus infinity elsewhere."""
    order = logits.argsort(dim=-1, descending=True, stable=True)
    return logits.masked_fill(~torch.zeros_like(keep).scatter(-1, order, keep), -math.inf)
