"""What the tests of the feature map explorer look into: a small network that has learned the digits for a moment."""

import functools

import torch

from dlcourse import data, generator, models, nn, optim, training


@functools.cache
def digits():
    """The 1,442 training pictures and their labels."""
    found = data.load("digits", split="train")
    return found.x, found.y


@functools.cache
def trained() -> torch.nn.Module:
    """Read it, do not change it: all tests share it."""
    x, y = digits()
    model = models.lenet(image=(1, 8, 8), widths=(6, 10), kernel=3, generator=generator(0))
    batches = data.batches(x, y, size=32, generator=generator(1), drop_last=True)
    training.train(model, batches, nn.cross_entropy, optim.Adam(model.parameters(), lr=0.01), epochs=1)
    return model.eval()


def large() -> tuple[torch.nn.Module, torch.Tensor, torch.Tensor]:
    """A network for 28 x 28 pictures that has learned nothing, and pictures that show nothing."""
    images = torch.rand(40, 1, 28, 28, generator=generator(3))
    return models.lenet(generator=generator(2)), images, torch.arange(40) % 10
