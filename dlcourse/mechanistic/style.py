"""Style transfer: a picture with the content of one and the style of another, by optimising its pixels.

    content   1/2 sum over channels and places of       (F - P)^2              the same features at the same places
    style     1 / (4 channels^2) sum over i, j of       (G_ij - A_ij)^2        the same features together, anywhere
    G_ij      mean over places of                       F_i F_j                the Gram matrix

of the features F of x in some layers of a network that was trained for something else; P and A belong to the content
and the style picture (Gatys, Ecker and Bethge, 2015, arXiv:1508.06576, equations 1 to 5). There G is a sum over places,
which the loss divides by their number squared; as a mean it is the same, and pictures of different size may be mixed.
Why it is style: means over places do not change when the places are shuffled. Where it fails: so nothing that is an
arrangement can be style, and what counts as a feature is whatever the network happened to learn.
"""

import math
from collections.abc import Iterator, Sequence

import torch

from dlcourse.mechanistic.activations import activations, outputs
from dlcourse.mechanistic.pixels import PixelStep, pixel_steps
from dlcourse.steps import last
from dlcourse.types import Float, Tensor


def gram(features: Float[Tensor, "batch channel height width"]) -> Float[Tensor, "batch channel channel"]:
    """How much each pair of channels is active together: the mean, over places, of their product.

    >>> gram(torch.tensor([[[[1.0, 2.0]], [[0.0, 3.0]]]]))
    tensor([[[2.5000, 3.0000],
             [3.0000, 4.5000]]])
    """
    rows = features.flatten(2)
    return rows @ rows.mT / rows.shape[2]


def gram_definition(features: Float[Tensor, "batch channel height width"]) -> Float[Tensor, "batch channel channel"]:
    """The same, one pair of channels at a time.

    >>> gram_definition(torch.tensor([[[[1.0, 2.0]], [[0.0, 3.0]]]]))
    tensor([[[2.5000, 3.0000],
             [3.0000, 4.5000]]])
    """
    batch, channels = features.shape[:2]
    matrix = features.new_zeros(batch, channels, channels)
    for i in range(channels):
        for j in range(channels):
            matrix[:, i, j] = (features[:, i] * features[:, j]).mean((1, 2))
    return matrix


def content_loss(features: Float[Tensor, "batch ..."], wanted: Float[Tensor, "_ ..."]) -> Float[Tensor, " batch"]:
    """Half the sum of squared differences of features, for each picture; wanted: of each, or of one for all.

    >>> content_loss(torch.tensor([[1.0, 2.0]]), torch.tensor([[0.0, 5.0]]))
    tensor([5.])
    """
    return (features - wanted).square().flatten(1).sum(1) / 2


def style_loss(
    features: Float[Tensor, "batch channel height width"], wanted: Float[Tensor, "_ channel channel"]
) -> Float[Tensor, " batch"]:
    """The squared distance of the features' Gram matrix to the wanted one, over 4 channels^2, for each picture.

    wanted: Gram matrices, one for each picture or one for all.

    >>> style_loss(torch.tensor([[[[1.0, 2.0]], [[0.0, 3.0]]]]), torch.zeros(1, 2, 2))  # (6.25 + 9 + 9 + 20.25) / 16
    tensor([2.7812])
    """
    return (gram(features) - wanted).square().sum((1, 2)) / (4 * features.shape[1] ** 2)


def style_transfer_steps(
    model: torch.nn.Module,
    content: Float[Tensor, "batch channel height width"],
    style: Float[Tensor, "_ channel _ _"],
    *,
    content_layers: Sequence[str],
    style_layers: Sequence[str],
    style_weight: float = 1e4,
    start: Float[Tensor, "batch channel height width"] | None = None,
    steps: int = 128,
    lr: float = 0.05,
) -> Iterator[PixelStep]:
    """`steps` steps towards the content's features and the style's Gram matrices: parts "content" and "style".

    content, style: pictures in [0, 1]; a style for each content, or one for all; of another size where the model takes
    it. content_layers, style_layers: names of layers that put out maps; each loss is the mean over its layers. Without
    content layers the result is a texture, without style layers the content is made anew. style_weight: how many times
    the style's loss counts. start: by default the content. lr: how far a pixel goes in a step, about.

    Raises ValueError for no layers at all, a layer whose output is no maps, numbers of pictures that do not fit, a
    style_weight that is not above 0, layers as `activations` and starts as `pixel_steps`.
    """
    if not (content_layers or style_layers) or not 0 < style_weight < math.inf:
        raise ValueError(
            f"style_transfer got content_layers={content_layers}, style_layers={style_layers} and "
            f"style_weight={style_weight}; wanted at least one layer, and a finite weight above 0."
        )
    if len(style) not in (1, len(content)):
        raise ValueError(f"style_transfer got {len(content)} contents, {len(style)} styles; wanted 1 or as many.")
    features = activations(model, content, content_layers)
    grams = {layer: gram(_maps(layer, maps)) for layer, maps in activations(model, style, style_layers).items()}
    layers = [*dict.fromkeys([*content_layers, *style_layers])]

    def loss(x: Tensor) -> dict[str, Tensor]:
        seen, parts = outputs(model, x, layers), {}
        if features:
            losses = [content_loss(seen[layer], wanted) for layer, wanted in features.items()]
            parts["content"] = torch.stack(losses).mean(0)
        if grams:
            losses = [style_loss(seen[layer], wanted) for layer, wanted in grams.items()]
            parts["style"] = style_weight * torch.stack(losses).mean(0)
        return parts

    return pixel_steps(model, loss, content if start is None else start, steps=steps, lr=lr)


def style_transfer(
    model: torch.nn.Module,
    content: Float[Tensor, "batch channel height width"],
    style: Float[Tensor, "_ channel _ _"],
    *,
    content_layers: Sequence[str],
    style_layers: Sequence[str],
    style_weight: float = 1e4,
    start: Float[Tensor, "batch channel height width"] | None = None,
    steps: int = 128,
    lr: float = 0.05,
) -> Float[Tensor, "batch channel height width"]:
    """The pictures after the last step. It is `last(style_transfer_steps(...)).x`, with the same errors.

    >>> model, light = torch.nn.Sequential(torch.nn.Identity()), torch.full((1, 1, 2, 2), 0.75)
    >>> x = style_transfer(model, 0 * light, light, content_layers=[], style_layers=["0"], start=light - 0.25)
    >>> round(x.mean().item(), 2)
    0.75
    """
    options = {"content_layers": content_layers, "style_layers": style_layers, "style_weight": style_weight}
    return last(style_transfer_steps(model, content, style, start=start, steps=steps, lr=lr, **options)).x


def _maps(layer: str, output: Tensor) -> Tensor:
    if output.ndim != 4:
        raise ValueError(
            f"layer {layer!r} gave {tuple(output.shape)}; style wants maps (batch, channel, height, width)."
        )
    return output
