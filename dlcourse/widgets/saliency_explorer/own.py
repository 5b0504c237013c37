"""What the explorer shows when nothing is given: pictures of digits, and a small convolutional network for them.

LeNet with two convolutions and no norm, so that three layers own what was learned. It takes about a third of a second,
once.
"""

import functools

import torch

from dlcourse import data, generator, models, nn, optim, training
from dlcourse.types import Float, Int, Tensor

EPOCHS = 5
SHOWN = 100  # pictures; the network has not seen them


@functools.cache
def network() -> torch.nn.Module:
    """From pictures (n, 1, 8, 8) to logits (n, 10), in eval mode."""
    examples = data.load("digits", split="train")
    model = models.lenet(image=(1, 8, 8), widths=(8, 16), kernel=3, norm=torch.nn.Identity, generator=generator(0))
    batches = data.batches(examples.x, examples.y, size=32, generator=generator(1), drop_last=True)
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    training.train(model, batches, nn.cross_entropy, optimizer, epochs=EPOCHS, progress=False)
    return model.eval()


@functools.cache
def pictures() -> tuple[Float[Tensor, "batch 1 8 8"], Int[Tensor, " batch"]]:
    """Held-back digits and their labels."""
    held = data.load("digits", split="test")
    return held.x[:SHOWN], held.y[:SHOWN]
