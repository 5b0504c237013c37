"""The two networks of a generative adversarial network: one draws, the other says how real a drawing looks.

    generator        z (batch, latent), standard normal  ->  x (batch, *shape)
    discriminator    x (batch, *shape)  ->  logits (batch,): above 0 it says real

(Goodfellow, Pouget-Abadie, Mirza, Xu, Warde-Farley, Ozair, Courville and Bengio, 2014, arXiv:1406.2661.) For points and
tiny pictures both are multilayer perceptrons. For pictures the generator makes small maps and enlarges them twice by
sub-pixel layers, and the discriminator shrinks them twice by strided convolutions, with leaky ReLUs and no pools
(Radford, Metz and Chintala, 2015, arXiv:1511.06434). No batch norm in the discriminator: it would mix the examples of a
batch, and a penalty on the slope at each example has then no meaning (Gulrajani et al., 2017, arXiv:1704.00028).

Where it fails: nothing in them makes the two learn alike fast, or the generator use all of z. That is training's part.
"""

import functools
import math
from collections import OrderedDict
from collections.abc import Sequence

import torch

from dlcourse import nn
from dlcourse.models.mlp import mlp
from dlcourse.nn.sizes import whole

Leaky = functools.partial(torch.nn.LeakyReLU, 0.2)  # the slope of Radford et al.: units that are off still pass it on


def gan_generator(
    shape: Sequence[int],
    *,
    latent: int = 64,
    hidden: Sequence[int] = (128, 128, 128),
    bounded: bool = False,
    generator: torch.Generator,
) -> nn.Sequential:
    """A multilayer perceptron with ReLU from z (batch, latent) to examples (batch, *shape).

    shape: (2,) for points, (channels, height, width) for pictures. bounded: a sigmoid at the end, so that all numbers
    lie in [0, 1], as those of pictures do. He's weights from `generator`, the torch.Generator, on whose device the
    model is made. Raises ValueError for sizes that are not whole or below 1, and for an empty shape.

    >>> model = gan_generator((1, 8, 8), latent=3, bounded=True, generator=torch.Generator().manual_seed(0))
    >>> model(torch.zeros(5, 3)).shape
    torch.Size([5, 1, 8, 8])
    """
    shape = _whole("gan_generator", "shape", shape)
    (latent,) = whole("gan_generator", 1, latent=latent)
    layers = mlp((latent, *_hidden("gan_generator", hidden), math.prod(shape)), generator=generator)
    return nn.Sequential(*layers, torch.nn.Unflatten(1, shape), *([torch.nn.Sigmoid()] if bounded else []))


def gan_discriminator(
    shape: Sequence[int], *, hidden: Sequence[int] = (128, 128, 128), generator: torch.Generator
) -> nn.Sequential:
    """A multilayer perceptron with leaky ReLUs from examples (batch, *shape) to logits (batch,). Else as above.

    >>> gan_discriminator((2,), generator=torch.Generator().manual_seed(0))(torch.zeros(5, 2)).shape
    torch.Size([5])
    """
    shape = _whole("gan_discriminator", "shape", shape)
    sizes = math.prod(shape), *_hidden("gan_discriminator", hidden), 1
    layers = mlp(sizes, activation=Leaky, generator=generator)
    return nn.Sequential(nn.Flatten(), *layers, nn.Flatten(0))


def subpixel_generator(
    image: Sequence[int] = (1, 28, 28), *, latent: int = 64, width: int = 16, generator: torch.Generator
) -> nn.Sequential:
    """Pictures (batch, *image) in [0, 1] from z (batch, latent): small maps, enlarged twice by 2.

    image: (channels, height, width); height and width are multiples of 4. A linear layer makes 2 `width` maps of a
    quarter of the size; a convolution and a sub-pixel layer make `width` maps of half of it, and the same again the
    picture. All but the last have batch norm and ReLU. The layers are named: linear, maps, norm1, relu1, conv1,
    shuffle1, norm2, relu2, conv2, shuffle2, sigmoid. He's weights from `generator`, the torch.Generator, on whose
    device the model is made. Raises ValueError for other sizes, and for numbers that are not whole or below 1.

    >>> model = subpixel_generator(generator=torch.Generator().manual_seed(0))
    >>> model(torch.zeros(5, 64)).shape
    torch.Size([5, 1, 28, 28])
    """
    channels, height, columns = _quartered("subpixel_generator", image)
    latent, width = whole("subpixel_generator", 1, latent=latent, width=width)
    layers = {
        "linear": nn.Linear(latent, 2 * width * height * columns, generator=generator),
        "maps": torch.nn.Unflatten(1, (2 * width, height, columns)),
        "norm1": torch.nn.BatchNorm2d(2 * width),
        "relu1": nn.ReLU(),
        "conv1": nn.Conv2d(2 * width, 4 * width, 3, padding=1, generator=generator),
        "shuffle1": nn.PixelShuffle(2),
        "norm2": torch.nn.BatchNorm2d(width),
        "relu2": nn.ReLU(),
        "conv2": nn.Conv2d(width, 4 * channels, 3, padding=1, generator=generator),
        "shuffle2": nn.PixelShuffle(2),
        "sigmoid": torch.nn.Sigmoid(),
    }
    return nn.Sequential(OrderedDict(layers)).to(generator.device)


def conv_discriminator(
    image: Sequence[int] = (1, 28, 28), *, width: int = 16, generator: torch.Generator
) -> nn.Sequential:
    """Pictures (batch, *image) to logits (batch,): convolutions that halve the picture, leaky ReLUs, a linear layer.

    image: as above. The windows of the first two are 4 x 4 with stride 2, padded by 1; they make `width` and 2 `width`
    maps. The third is 3 x 3 with stride 2 and makes 4 `width`. The layers are named: conv1, relu1, conv2, relu2, conv3,
    relu3, flatten, linear, logits. Weights, errors as above.

    >>> conv_discriminator((1, 8, 8), generator=torch.Generator().manual_seed(0))(torch.zeros(5, 1, 8, 8)).shape
    torch.Size([5])
    """
    channels, height, columns = _quartered("conv_discriminator", image)
    (width,) = whole("conv_discriminator", 1, width=width)
    features = 4 * width * math.ceil(height / 2) * math.ceil(columns / 2)
    layers = {
        "conv1": nn.Conv2d(channels, width, 4, 2, padding=1, generator=generator),
        "relu1": Leaky(),
        "conv2": nn.Conv2d(width, 2 * width, 4, 2, padding=1, generator=generator),
        "relu2": Leaky(),
        "conv3": nn.Conv2d(2 * width, 4 * width, 3, 2, padding=1, generator=generator),
        "relu3": Leaky(),
        "flatten": nn.Flatten(),
        "linear": nn.Linear(features, 1, generator=generator),
        "logits": nn.Flatten(0),
    }
    return nn.Sequential(OrderedDict(layers)).to(generator.device)


def _whole(caller: str, name: str, sizes: Sequence[int]) -> tuple[int, ...]:
    """The sizes as ints. Raises ValueError for none, and for one that is not whole or below 1."""
    if not isinstance(sizes, Sequence) or not sizes:
        raise ValueError(f"{caller}({name}={sizes!r}): wanted a list of sizes, such as (2,) or (1, 8, 8).")
    return tuple(whole(caller, 1, **{f"{name}[{i}]": size})[0] for i, size in enumerate(sizes))


def _hidden(caller: str, hidden: Sequence[int]) -> tuple[int, ...]:
    """As `_whole`, but there may be no hidden layer: the network is then linear."""
    return _whole(caller, "hidden", hidden) if hidden != () and hidden != [] else ()


def _quartered(caller: str, image: Sequence[int]) -> tuple[int, int, int]:
    """Channels, and a quarter of height and width. Raises ValueError unless these are whole."""
    sizes = _whole(caller, "image", image)
    if len(sizes) != 3 or sizes[1] % 4 or sizes[2] % 4:
        raise ValueError(
            f"{caller}(image={tuple(sizes)}): wanted (channels, height, width) with multiples of 4: the picture is "
            "halved twice. Pad others, or take the multilayer perceptrons, which want no such thing."
        )
    return sizes[0], sizes[1] // 4, sizes[2] // 4
