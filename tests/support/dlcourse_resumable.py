"""A run of training with all that could go wrong on resuming: Dropout with and without a generator of its own, batch
norm, momentum, shuffling, a schedule, clipping, validation and early stopping. The same everywhere, to the bit.

    python dlcourse_resumable.py CHECKPOINT SIGNAL INDEX

trains with that checkpoint and sends itself the signal in the middle of update INDEX.
"""

import os
import sys

import torch

from dlcourse import data, training

EPOCHS, UPDATES = 9, 35  # of its 9 epochs of 7 batches patience allows 5


class Dropout(torch.nn.Module):
    """Inverted dropout from a generator of its own."""

    def __init__(self, generator):
        super().__init__()
        self.generator = generator

    def forward(self, x):
        if not self.training:
            return x
        return x * (torch.rand(x.shape, generator=self.generator, device=x.device) < 0.8) / 0.8


def parts(seed=0, device="cpu"):
    """Model, batches, optimizer and validation examples, always the same."""
    device = torch.device(device)
    torch.manual_seed(seed)
    generator = torch.Generator(device=device).manual_seed(seed)
    x, y = data.blobs(260, classes=4, noise=1.0, generator=torch.Generator().manual_seed(7))
    x, y = x.to(device), y.to(device)
    model = torch.nn.Sequential(
        torch.nn.Linear(2, 16, device=device),
        torch.nn.BatchNorm1d(16, device=device),
        torch.nn.ReLU(),
        torch.nn.Dropout(0.2),
        Dropout(torch.Generator(device=device).manual_seed(seed + 1)),
        torch.nn.Linear(16, 4, device=device),
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=0.3, momentum=0.9)
    batches = data.batches(x[:200], y[:200], size=32, generator=generator)
    return model, batches, optimizer, (x[200:], y[200:])


def schedule(index):
    return 1 - index / 80


def run(checkpoint=None, *, during=lambda index: None, device="cpu", **options):
    """Train; `during(index)` is called in the middle of each update. Returns the model's state and the history."""
    model, batches, optimizer, validation = parts(device=device)
    index = -1

    def factor(now):
        nonlocal index
        index = now
        return schedule(now)

    def loss(logits, labels):
        if model.training:
            during(index)
        return torch.nn.functional.cross_entropy(logits, labels)

    history = training.train(
        model,
        batches,
        loss,
        optimizer,
        **{"epochs": EPOCHS, "validation": validation, "schedule": factor, "clip": 1.0, "patience": 3} | options,
        checkpoint=checkpoint,
        progress=False,
    )
    streams = [torch.get_rng_state(), batches.generator.get_state(), model[4].generator.get_state()]
    return {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "streams": streams}, history


def equal(one, other):
    """Whether two nested states are the same to the bit."""
    if isinstance(one, torch.Tensor):
        return one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(equal(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(equal, one, other))
    return one == other


if __name__ == "__main__":
    torch.set_num_threads(1)
    path, number, at = sys.argv[1:]
    run(path, during=lambda index: os.kill(os.getpid(), int(number)) if index == int(at) else None)
