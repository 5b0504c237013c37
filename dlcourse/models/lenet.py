"""LeNet: convolutions that look, pools that shrink, and linear layers that decide. As it was taught, and as it is now.

    lenet_classic   [convolution 5 x 5, sigmoid, mean of 2 x 2]  twice, then three linear layers with sigmoids
    lenet           [convolution, largest of 2 x 2, batch norm, ReLU]  for each width, then one linear layer

LeCun, Bottou, Bengio and Haffner, 1998, "Gradient-based learning applied to document recognition", section II: there
the pictures were 32 x 32, the pools had weights and not every map of the second layer saw all of the first. Teaching
dropped these, and pads the 28 x 28 pictures by 2 in place of the wider border.

Where it fails: the linear layer after the last pool has a weight for each place. A network made for one size of
picture takes no other, and has to be shown a digit at all the places where it is to know it.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence

import torch

from dlcourse import nn
from dlcourse.models.mlp import made
from dlcourse.nn.sizes import whole


def lenet(
    *,
    image: tuple[int, int, int] = (1, 28, 28),
    widths: Sequence[int] = (16, 32),
    kernel: int = 5,
    classes: int = 10,
    norm: Callable[[int], torch.nn.Module] = nn.BatchNorm,
    generator: torch.Generator,
) -> nn.Sequential:
    """A model from pictures (batch, channel, height, width) in [0, 1] to logits (batch, classes).

    image: (channels, height, width). widths: channels after each convolution, whose windows are `kernel` x `kernel`, an
    odd number, padded so that only the pools shrink the picture, each by half (28 to 14 to 7; 8 to 4 to 2). The layers
    are named: conv1, pool1, norm1, relu1, conv2, ..., flatten, linear. The pool comes before the norm and the ReLU,
    which then have a quarter of the numbers to work on. `norm` is a class, which gets the channels;
    torch.nn.BatchNorm2d gives what ours does, in less time, where many small networks are to be trained. He's weights
    from `generator`, on whose device the model is made. Raises ValueError for a picture that the pools would use up,
    for no widths, for an even kernel, and for numbers that are not whole or below 1; TypeError for a norm that makes no
    module.

    >>> lenet(image=(1, 8, 8), widths=(16,), generator=torch.Generator().manual_seed(0))
    Sequential(
      (conv1): Conv2d(1, 16, kernel_size=(5, 5), stride=(1, 1), padding=(2, 2))
      (pool1): MaxPool2d(kernel_size=2, stride=2, padding=0, dilation=1, ceil_mode=False)
      (norm1): BatchNorm(16, eps=1e-05, momentum=0.1)
      (relu1): ReLU()
      (flatten): Flatten(start_dim=1, end_dim=-1)
      (linear): Linear(in_features=256, out_features=10, bias=True)
    )
    """
    channels, height, width = _sizes("lenet", image)
    (kernel,) = whole("lenet", 1, kernel=kernel)
    if not isinstance(widths, Sequence) or not widths or kernel % 2 == 0:
        raise ValueError(
            f"lenet(widths={widths!r}, kernel={kernel}): wanted a list of at least one width, and an odd kernel, "
            "which has a pixel in its middle."
        )
    if min(height, width) < 2 ** len(widths):
        raise ValueError(
            f"lenet(image={tuple(image)}, widths={tuple(widths)}): each width halves the picture, so it must be at "
            f"least {2 ** len(widths)} x {2 ** len(widths)}. Give fewer widths or larger pictures."
        )
    layers: dict[str, torch.nn.Module] = {}
    for i, out in enumerate(widths, start=1):
        layers[f"conv{i}"] = nn.Conv2d(channels, out, kernel, padding=kernel // 2, generator=generator)
        layers[f"pool{i}"] = nn.MaxPool2d(2)
        layers[f"norm{i}"] = made("lenet", "norm", norm, out)
        layers[f"relu{i}"] = nn.ReLU()
        channels, height, width = out, height // 2, width // 2
    layers["flatten"] = nn.Flatten()
    layers["linear"] = nn.Linear(channels * height * width, classes, generator=generator)
    return nn.Sequential(OrderedDict(layers)).to(generator.device)


def lenet_classic(
    *,
    image: tuple[int, int, int] = (1, 28, 28),
    classes: int = 10,
    generator: torch.Generator,
) -> nn.Sequential:
    """LeNet-5 as it is taught: from pictures (batch, channel, height, width) to logits (batch, classes).

    image: (channels, height, width), of 12 x 12 or more. 6 and 16 channels, kernels of 5, the first padded by 2;
    sigmoids, the mean of 2 x 2, and 120, 84 and `classes` linear units: 61,706 parameters for 28 x 28. Xavier's uniform
    weights from `generator`, on whose device the model is made. Raises ValueError for smaller pictures, and for
    numbers that are not whole or below 1.

    >>> model = lenet_classic(generator=torch.Generator().manual_seed(0))
    >>> sum(parameter.numel() for parameter in model.parameters())
    61706
    """
    channels, height, width = _sizes("lenet_classic", image)
    if min(height, width) < 12:
        raise ValueError(
            f"lenet_classic(image={tuple(image)}): its pools and its second kernel of 5 use up a picture smaller than "
            "12 x 12. Take models.lenet, or larger pictures."
        )
    options = {"init": nn.xavier_uniform, "generator": generator}
    features = 16 * ((height // 2 - 4) // 2) * ((width // 2 - 4) // 2)
    layers = {
        "conv1": nn.Conv2d(channels, 6, 5, padding=2, **options),
        "sigmoid1": torch.nn.Sigmoid(),
        "pool1": nn.AvgPool2d(2),
        "conv2": nn.Conv2d(6, 16, 5, **options),
        "sigmoid2": torch.nn.Sigmoid(),
        "pool2": nn.AvgPool2d(2),
        "flatten": nn.Flatten(),
        "linear1": nn.Linear(features, 120, **options),
        "sigmoid3": torch.nn.Sigmoid(),
        "linear2": nn.Linear(120, 84, **options),
        "sigmoid4": torch.nn.Sigmoid(),
        "linear3": nn.Linear(84, classes, **options),
    }
    return nn.Sequential(OrderedDict(layers)).to(generator.device)


def _sizes(caller: str, image: Sequence[int]) -> list[int]:
    """Channels, height and width as ints. Raises ValueError unless there are three, each a whole number from 1 on."""
    if not isinstance(image, Sequence) or len(image) != 3:
        raise ValueError(f"{caller}(image={image!r}): wanted (channels, height, width); grey pictures have 1 channel.")
    return whole(caller, 1, channels=image[0], height=image[1], width=image[2])
