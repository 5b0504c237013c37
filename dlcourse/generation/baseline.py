"""The least that a generator has to beat: the mean picture of a class, with noise on each pixel.

It has learnt nothing of how pixels hang together: each is drawn by itself. Its pictures are a fog in the shape of a
digit. A measure that finds them good measures the wrong thing, and a generator that is not clearly better has not yet
earned its training time.
"""

import torch

from dlcourse.nn.sizes import whole
from dlcourse.types import Float, Int, Tensor


def class_means(
    x: Float[Tensor, "train ..."], y: Int[Tensor, " train"], n: int, *, generator: torch.Generator
) -> Float[Tensor, "batch ..."]:
    """n pictures in [0, 1]: a class, drawn as often as it comes in y; its mean; normal noise; clipped to [0, 1].

    The noise of a pixel has that pixel's standard deviation within the class (0 where the class has one example).
    Raises ValueError for no examples, another number of labels, or an n below 1.

    >>> x, y = torch.tensor([[0.25, 1.0], [0.25, 1.0]]), torch.tensor([3, 3])
    >>> class_means(x, y, 1, generator=torch.Generator().manual_seed(0))
    tensor([[0.2500, 1.0000]])
    """
    (n,) = whole("class_means", 1, n=n)
    if not len(x) or len(x) != len(y):
        raise ValueError(f"class_means got {len(x)} examples and {len(y)} labels; wanted as many, at least one.")
    kinds, which = y.unique(return_inverse=True)
    groups = [x[which == kind] for kind in range(len(kinds))]
    means = torch.stack([group.mean(0) for group in groups])
    spreads = torch.stack([group.std(0, correction=0) for group in groups])
    draw = torch.randint(len(x), (n,), generator=generator, device=generator.device).to(x.device)
    noise = torch.randn((n, *x.shape[1:]), generator=generator, device=generator.device).to(x)
    return (means[which[draw]] + spreads[which[draw]] * noise).clamp(0, 1)
