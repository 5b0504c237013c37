"""What the planted and the healthy runs of the diagnosis are made of: data, models and loops under watch."""

from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from dlcourse import data, models, optim
from dlcourse.training.diagnosis import Diagnosis, watch

CROSS_ENTROPY = F.cross_entropy


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def seeded(run: Callable[[int], Diagnosis]) -> Callable[[int], Diagnosis]:
    """The run with torch's global stream begun anew, for layers that draw from it; the stream is put back."""

    def again(seed):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return run(seed)

    return again


_digits: list = []


def digits():
    """x (1437, 1, 8, 8) with mean 0 and standard deviation 1, and the labels."""
    if not _digits:
        x, y = data.load("digits")
        _digits.extend([(x - x.mean()) / x.std(), y])
    return _digits


def blobs(seed: int, n: int = 600, classes: int = 3):
    return data.blobs(n, classes=classes, generator=generator(seed))


def moons(seed: int, n: int = 400):
    return data.moons(n, generator=generator(seed))


def diabetes():
    """A regression: ten features and one target, all standardised."""
    from sklearn.datasets import load_diabetes

    x, y = (torch.tensor(part, dtype=torch.float32) for part in load_diabetes(return_X_y=True))
    return (x - x.mean(0)) / x.std(0), ((y - y.mean()) / y.std())[:, None]


class Lenet(nn.Module):
    """Convolutions with functions for activations: no module to hook."""

    def __init__(self, seed: int, activation=F.relu, classes: int = 10):
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.conv1, self.conv2 = nn.Conv2d(1, 6, 3, padding=1), nn.Conv2d(6, 16, 3, padding=1)
            self.linear1, self.linear2 = nn.Linear(64, 48), nn.Linear(48, classes)
        self.activation = activation

    def forward(self, x):
        x = F.max_pool2d(self.activation(self.conv1(x)), 2)
        x = F.max_pool2d(self.activation(self.conv2(x)), 2)
        return self.linear2(self.activation(self.linear1(x.flatten(1))))


def torch_made(seed: int, make: Callable[[], nn.Module]) -> nn.Module:
    """A model with torch's own initial weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return make()


def net(seed: int, sizes=(64, 64, 10), **options) -> nn.Sequential:
    return nn.Sequential(nn.Flatten(), models.mlp(sizes, generator=generator(seed), **options))


def conv_norm(seed: int) -> nn.Module:
    return torch_made(
        seed,
        lambda: nn.Sequential(
            *(nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(8, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Flatten(), nn.Dropout(0.2), nn.Linear(64, 10)),
        ),
    )


def sgd(model, lr=0.1, **options):
    return optim.SGD(model.parameters(), lr=lr, **options)


def batches(x, y, seed, size=64, shuffled=True):
    return data.batches(x, y, size=size, generator=generator(seed) if shuffled else None)


def by_label(x, y):
    order = y.flatten().argsort(stable=True)
    return x[order], y[order]


def run(model, x, y, optimizer, seed, *, loss=CROSS_ENTROPY, size=64, epochs=2, shuffled=True, each=None, **loop):
    """The textbook loop, watched. `each(index)` is called before an update."""
    with watch(model, optimizer) as watched:
        textbook(model, batches(x, y, seed, size, shuffled), watched.loss(loss), optimizer, epochs, each=each, **loop)
    return watched.report()


def textbook(model, passes, seen, optimizer, epochs, *, each=None, clear="before", measure=None, clip=None, every=1):
    index = 0
    for _ in range(epochs):
        for x_batch, y_batch in passes:
            if each is not None:
                each(index)
            if clear == "before" and index % every == 0:
                optimizer.zero_grad()
            logits = model(x_batch)
            if clear == "after forward":
                optimizer.zero_grad(set_to_none=False)
            value = seen(logits, y_batch)
            (value / every).backward()
            if clear == "too soon":
                optimizer.zero_grad()
            if clip is not None:
                nn.utils.clip_grad_norm_(model.parameters(), clip)
            index += 1
            if index % every == 0:
                optimizer.step()
            if clear == "after":
                optimizer.zero_grad()
        if measure is not None:
            measure(model)


def bare(weight, x, y, seed, model, *, loss=CROSS_ENTROPY, lr=0.1, size=64, epochs=2, shuffled=True, clear=True):
    """A loop over a bare tensor, with no module at all."""
    weight = weight.requires_grad_()
    optimizer = torch.optim.SGD([weight], lr=lr)
    with watch(None, optimizer) as watched:
        seen = watched.loss(loss)
        for _ in range(epochs):
            for x_batch, y_batch in batches(x, y, seed, size, shuffled):
                if clear:
                    optimizer.zero_grad()
                seen(model(x_batch, weight), y_batch).backward()
                optimizer.step()
    return watched.report()
