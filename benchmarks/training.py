"""What `train` costs beside a bare torch loop, and how soon the digits are read: one run, one thread.

    python benchmarks/training.py

- mlp: an update of the 64-256-128-10 network on 32 digits, with SGD and momentum, and with AdamW.
- lenet: an update of a small LeNet on 64 random images of 28 x 28.
- digits: the held-out accuracy of the recipe below with three seeds, its CPU seconds, and when it first read 97 %.

The bare loop is the one that everybody writes: zero_grad, loss, backward, step, and the loss as a number. `train` does
the same and keeps a history with the gradient's norm, ready for Ctrl-C. Before anything is timed, both must give the
same losses to the bit. They take turns, and the median of the turns' ratios counts. Absolute times mean nothing on
another machine; ratios do. Exits with 1 when a target is missed.
"""

import argparse
import gc
import statistics
import sys
import time
from collections.abc import Callable

import torch
from torch.nn.functional import cross_entropy

from dlcourse import data, models, nn, optim, training

TARGETS = {"mlp": 1.3, "lenet": 1.05, "accuracy": 0.97, "seconds": 3.0}
SIZES, EPOCHS, SIZE, LR, DECAY = (64, 256, 128, 10), 20, 32, 3e-3, 0.1  # the recipe for the digits
Pairs = list[tuple[torch.Tensor, torch.Tensor]]
Make = Callable[[], torch.nn.Module]
Optimizer = Callable[..., torch.optim.Optimizer]


def mlp(seed: int = 0) -> torch.nn.Module:
    return models.mlp(SIZES, generator=torch.Generator().manual_seed(seed))


def lenet() -> torch.nn.Module:
    """LeCun's, with ReLU and the largest of four in place of what they had in 1998."""
    torch.manual_seed(0)
    return torch.nn.Sequential(
        torch.nn.Conv2d(1, 6, 5, padding=2),
        torch.nn.ReLU(),
        torch.nn.MaxPool2d(2),
        torch.nn.Conv2d(6, 16, 5),
        torch.nn.ReLU(),
        torch.nn.MaxPool2d(2),
        torch.nn.Flatten(),
        torch.nn.Linear(400, 120),
        torch.nn.ReLU(),
        torch.nn.Linear(120, 84),
        torch.nn.ReLU(),
        torch.nn.Linear(84, 10),
    )


def digits(split: str = "train") -> tuple[torch.Tensor, torch.Tensor]:
    found = data.load("digits", split=split)
    return found.x.flatten(1), found.y


def images(count: int, size: int) -> Pairs:
    generator = torch.Generator().manual_seed(0)
    return [
        (torch.rand(size, 1, 28, 28, generator=generator), torch.randint(10, (size,), generator=generator))
        for _ in range(count)
    ]


def bare(make: Make, pairs: Pairs, optimizer: Optimizer) -> Callable[[], list[float]]:
    """The loop by hand."""
    model = make()
    updates = optimizer(model.parameters())

    def once() -> list[float]:
        losses = []
        model.train()
        for x, y in pairs:
            updates.zero_grad()
            loss = cross_entropy(model(x), y)
            loss.backward()
            updates.step()
            losses.append(loss.item())
        return losses

    return once


def driven(make: Make, pairs: Pairs, optimizer: Optimizer) -> Callable[[], list[float]]:
    """The same by `train`."""
    model = make()
    updates = optimizer(model.parameters())
    return lambda: [s.loss for s in training.train(model, pairs, cross_entropy, updates, epochs=1).steps]


def ratio(title: str, make: Make, pairs: Pairs, optimizer: Optimizer, rounds: int) -> float:
    """How much an update through `train` costs, in updates of the bare loop; a turn goes once through the pairs.

    The median of the ratios of neighbouring turns: a machine that is slow for a while is so for both.
    """
    loops = {"bare loop": bare(make, pairs, optimizer), "train": driven(make, pairs, optimizer)}
    first = {name: once() for name, once in loops.items()}
    if first["bare loop"] != first["train"]:
        raise SystemExit(f"{title}: the loops give different losses, so no time means anything")
    times: dict[str, list[float]] = {name: [] for name in loops}
    for turn in range(rounds):
        for name in sorted(loops, reverse=bool(turn % 2)):
            gc.collect()
            start = time.process_time()
            loops[name]()
            times[name].append((time.process_time() - start) / len(pairs))
    cost = statistics.median(slow / fast for fast, slow in zip(times["bare loop"], times["train"], strict=True))
    found = "".join(f"{name} {1e3 * statistics.median(values):7.3f} ms   " for name, values in times.items())
    print(f"  {title:<34}{found}{cost:.2f} x", flush=True)
    return cost


def read_digits(seed: int, *, look: bool = False) -> tuple[training.History, float, float]:
    """A run of the recipe: its history, its CPU seconds, its held-out accuracy. `look`: measured after each pass."""
    x, y = digits()
    start = time.process_time()
    generator = torch.Generator().manual_seed(seed)
    model = models.mlp(SIZES, generator=generator)
    batches = data.batches(x, y, size=SIZE, generator=generator)
    total = EPOCHS * len(batches)
    history = training.train(
        model,
        batches,
        nn.cross_entropy,
        optim.AdamW(model.parameters(), lr=LR, weight_decay=DECAY),
        epochs=EPOCHS,
        schedule=lambda index: optim.warmup_cosine(index, total=total, warmup=total // 10),
        validation=digits("test") if look else None,
    )
    seconds = time.process_time() - start
    return history, seconds, training.evaluate(model, *digits("test"), nn.cross_entropy).accuracy


def first_time_above(wanted: float, seed: int, seconds: float) -> float | None:
    """When the run that took `seconds` first read that share of the held-out digits: the same run, looked at."""
    history, *_ = read_digits(seed, look=True)
    above = (e.index / len(history.steps) for e in history.evaluations if e.accuracy >= wanted)
    return next((share * seconds for share in above), None)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="example: python benchmarks/training.py --rounds 5\n\nexit status: 0 if every target is met, else 1",
    )
    parser.add_argument("--rounds", type=int, default=15, help="turns of each loop; the median counts (default: 15)")
    rounds = parser.parse_args().rounds
    if rounds < 1:
        parser.error("--rounds wants 1 or more")
    torch.set_num_threads(1)

    def sgd(parameters):
        return torch.optim.SGD(parameters, lr=0.01, momentum=0.9)

    def our_sgd(parameters):
        return optim.SGD(parameters, lr=0.01, momentum=0.9)

    pairs = 4 * list(data.batches(*digits(), size=SIZE))
    print("an update, CPU time")
    mlp_ratio = max(
        ratio("mlp, torch's SGD with momentum", mlp, pairs, sgd, rounds),
        ratio("mlp, torch's AdamW", mlp, pairs, torch.optim.AdamW, rounds),
        ratio("mlp, our SGD with momentum", mlp, pairs, our_sgd, rounds),
        ratio("mlp, our AdamW", mlp, pairs, optim.AdamW, rounds),
    )
    lenet_ratio = max(
        ratio("lenet, torch's SGD with momentum", lenet, images(20, 64), sgd, rounds),
        ratio("lenet, our AdamW", lenet, images(20, 64), optim.AdamW, rounds),
    )

    print(f"digits, {'-'.join(map(str, SIZES))}, our AdamW, {EPOCHS} epochs, batches of {SIZE}: held-out accuracy, CPU")
    scores, seconds = [], []
    for seed in range(3):
        _, whole, score = read_digits(seed)
        first = first_time_above(TARGETS["accuracy"], seed, whole)
        print(f"  {score:.4f} in {whole:.2f} s; 97 % first after {'never' if first is None else f'{first:.2f} s'}")
        scores.append(score)
        seconds.append(whole)

    met = {
        f"an update of the mlp costs at most {TARGETS['mlp']} bare ones": (mlp_ratio, mlp_ratio <= TARGETS["mlp"]),
        f"an update of LeNet costs at most {TARGETS['lenet']}": (lenet_ratio, lenet_ratio <= TARGETS["lenet"]),
        f"every seed reads at least {TARGETS['accuracy']:.0%}": (min(scores), min(scores) >= TARGETS["accuracy"]),
        f"in at most {TARGETS['seconds']:.0f} CPU s": (max(seconds), max(seconds) <= TARGETS["seconds"]),
    }
    print()
    for target, (came, well) in met.items():
        print(f"{'met   ' if well else 'MISSED'}  {target}: {came:.4g}")
    return 0 if all(well for _, well in met.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
