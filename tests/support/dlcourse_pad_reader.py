"""What the tests of the draw pad read with and draw: chapter 00's network, and its example digits in many hands."""

import functools
import math
import random

import torch

from dlcourse import data, generator, seed
from dlcourse.widgets.draw_pad.digits import digit


@functools.cache
def trained(which: int) -> torch.nn.Module:
    """The network of chapter 00, by its very recipe, from another seed."""
    before = torch.get_rng_state()
    seed(which)
    images, labels = data.load("digits", split="train")
    network = torch.nn.Sequential(
        torch.nn.Flatten(),
        torch.nn.Linear(64, 128, device="cpu"),
        torch.nn.ReLU(),
        torch.nn.Linear(128, 10, device="cpu"),
    )
    optimizer = torch.optim.Adam(network.parameters(), lr=0.003)
    order = generator(which)
    for _ in range(30):
        for batch, truth in data.batches(images, labels, size=32, generator=order):
            loss = torch.nn.functional.cross_entropy(network(batch), truth)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    torch.set_rng_state(before)
    return network


def variants(which: int, count: int) -> list[tuple[list, float]]:
    """An example digit as other hands would draw it, (strokes, pen) each: slanted to both sides by up to 19 degrees,
    turned by up to 8, half as large to a little larger, broader or narrower, shaky, anywhere on the pad."""
    chance = random.Random(which)
    return [(redrawn(digit(which), chance), chance.uniform(0.06, 0.12)) for _ in range(count)]


def redrawn(strokes: list, chance: random.Random) -> list:
    slant, turn = chance.uniform(-0.35, 0.35), math.radians(chance.uniform(-8, 8))
    wide = chance.uniform(0.5, 1.1)
    high = wide * chance.uniform(0.85, 1.25)
    cos, sin = math.cos(turn), math.sin(turn)

    def moved(x: float, y: float) -> tuple[float, float]:
        x, y = x - 0.5 + chance.gauss(0, 0.004), y - 0.5 + chance.gauss(0, 0.004)
        x, y = (x - slant * y) * wide, y * high
        return cos * x - sin * y, sin * x + cos * y

    strokes = [[moved(*point) for point in stroke] for stroke in strokes]
    xs, ys = zip(*(point for stroke in strokes for point in stroke), strict=True)
    scale = min(1, 0.9 / (max(xs) - min(xs)), 0.9 / (max(ys) - min(ys)))
    right = chance.uniform(0.05 - min(xs) * scale, 0.95 - max(xs) * scale)
    down = chance.uniform(0.05 - min(ys) * scale, 0.95 - max(ys) * scale)
    return [[(x * scale + right, y * scale + down) for x, y in stroke] for stroke in strokes]
