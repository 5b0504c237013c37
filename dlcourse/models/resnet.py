"""A residual network: each block learns what to add to its input, so that depth costs no signal.

    out = relu(x + body(x))        body: convolution, norm, ReLU, convolution, norm

He, Zhang, Ren and Sun, 2015, arXiv:1512.03385, figure 2 and equation 1; where the body changes the shape, x goes
through a 1 x 1 convolution with the same stride (equation 2). The gain of the body's last norm starts at 0: every block
then begins as the identity, and the network as shallow as its stem (Goyal et al., 2017, arXiv:1706.02677, section 5.1).

The last maps are averaged over all places, so a model takes pictures of any size, and what it saw counts, not where.
That is also what it loses: a task in which the place matters needs another head.
"""

from collections import OrderedDict
from collections.abc import Sequence

import torch

from dlcourse import nn
from dlcourse.nn.sizes import whole
from dlcourse.types import Float, Tensor


class ResidualBlock(torch.nn.Module):
    """relu(shortcut(x) + body(x)), from `channels` to `out` channels; a `stride` above 1 shrinks height and width.

    `shortcut` is empty where x can be added as it is, otherwise a 1 x 1 convolution with a norm. At the start the body
    gives 0, so that on inputs that are nowhere negative a block without a projection changes nothing.

    >>> block = ResidualBlock(2, 2, generator=torch.Generator().manual_seed(0))
    >>> block(torch.full((3, 2, 1, 1), 0.5)).unique()
    tensor([0.5000], grad_fn=<Unique2Backward0>)
    """

    def __init__(self, channels: int, out: int, *, stride: int = 1, generator: torch.Generator):
        super().__init__()
        # bias=False: the norms have a bias of their own
        first = nn.Conv2d(channels, out, 3, stride=stride, padding=1, bias=False, generator=generator)
        second = nn.Conv2d(out, out, 3, padding=1, bias=False, generator=generator)
        layers = {"conv1": first, "norm1": nn.BatchNorm(out), "relu1": nn.ReLU(), "conv2": second}
        self.body = nn.Sequential(OrderedDict(layers, norm2=nn.BatchNorm(out)))
        torch.nn.init.zeros_(self.body.norm2.weight)
        self.shortcut = nn.Sequential()
        if channels != out or stride != 1:
            projection = nn.Conv2d(channels, out, 1, stride=stride, bias=False, generator=generator)
            self.shortcut = nn.Sequential(OrderedDict(conv=projection, norm=nn.BatchNorm(out)))
        self.to(generator.device)

    def forward(self, x: Float[Tensor, "batch channel height width"]) -> Float[Tensor, "batch out _ _"]:
        return nn.relu(self.shortcut(x) + self.body(x))

    def paths(self) -> list[nn.Sequential]:
        """The two ways through the block, whose results are added."""
        return [self.body, self.shortcut]


def resnet(
    *,
    channels: int = 1,
    widths: Sequence[int] = (16, 32, 64),
    blocks: int = 1,
    classes: int = 10,
    generator: torch.Generator,
) -> nn.Sequential:
    """A model from pictures (batch, channel, height, width) of any size, in [0, 1], to logits (batch, classes).

    A stem of one 3 x 3 convolution, then for each of `widths` as many residual blocks as `blocks`; from the second
    width on the first block has stride 2. The layers are named: conv, norm, relu, block1_1, block1_2, ..., block2_1,
    ..., pool, flatten, linear. He's weights from `generator`, on whose device the model is made. Raises ValueError for
    no widths, and for numbers that are not whole or below 1.

    >>> model = resnet(generator=torch.Generator().manual_seed(0))
    >>> list(dict(model.named_children()))
    ['conv', 'norm', 'relu', 'block1_1', 'block2_1', 'block3_1', 'pool', 'flatten', 'linear']
    """
    if not isinstance(widths, Sequence) or not widths:
        raise ValueError(f"resnet(widths={widths!r}): wanted a list of at least one number of channels.")
    (blocks,) = whole("resnet", 1, blocks=blocks)
    layers: dict[str, torch.nn.Module] = {
        "conv": nn.Conv2d(channels, widths[0], 3, padding=1, bias=False, generator=generator),
        "norm": nn.BatchNorm(widths[0]),
        "relu": nn.ReLU(),
    }
    inputs = widths[0]
    for i, out in enumerate(widths, start=1):
        for j in range(1, blocks + 1):
            stride = 2 if i > 1 and j == 1 else 1
            layers[f"block{i}_{j}"] = ResidualBlock(inputs, out, stride=stride, generator=generator)
            inputs = out
    layers["pool"] = nn.AdaptiveAvgPool2d(1)
    layers["flatten"] = nn.Flatten()
    layers["linear"] = nn.Linear(inputs, classes, generator=generator)
    return nn.Sequential(OrderedDict(layers)).to(generator.device)
