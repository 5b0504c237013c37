"""What our convolution costs beside torch's: one run, one thread, float32.

    python benchmarks/conv.py

- loops: the definition, `nn.conv2d_loops`, on one tiny picture.
- 1 channel: 64 pictures of 28 x 28, 16 kernels of 5 x 5.
- 16 channels: 64 maps of 14 x 14, 32 kernels of 3 x 3.

Each with a bias, forward, and forward with backward: the slopes of x, weight and bias. In a first layer nobody asks for
the slope of x, and torch then saves more than we do: those rows are printed, not judged. All must give the same numbers
before anything is timed. They take turns, in changing order, and the median of the turns' ratios counts. Absolute times
mean nothing on another machine; ratios do. Exits with 1 when a fault limit is passed.
"""

import argparse
import gc
import statistics
import sys
import time
from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812, torch's own name for it

from dlcourse import nn

Convolution = Callable[..., torch.Tensor]
Pass = Callable[[Convolution], list[torch.Tensor]]


class Size(NamedTuple):
    """Shapes of x and weight, and by how much our forward with backward may be slower than torch's."""

    x: tuple[int, int, int, int]
    weight: tuple[int, int, int, int]
    aim: float
    fault: float


SIZES = {
    "1 channel": Size((64, 1, 28, 28), (16, 1, 5, 5), 1.3, 1.7),
    "16 channels": Size((64, 16, 14, 14), (32, 16, 3, 3), 4, 6),
}
TINY = Size((1, 2, 8, 8), (2, 2, 3, 3), 0, 0)
CLOCKS = {"cpu": time.process_time, "wall": time.perf_counter}


def passes(size: Size, *, backward: bool, first_layer: bool = False) -> Pass:
    """One pass: the output, and with `backward` the slopes too, without that of x in a first layer."""
    generator = torch.Generator().manual_seed(0)
    x, weight, bias = (torch.randn(s, generator=generator) for s in (size.x, size.weight, size.weight[:1]))
    leaves = [weight, bias] if first_layer else [x, weight, bias]
    for leaf in leaves:
        leaf.requires_grad_(backward)
    back = torch.randn(F.conv2d(x, weight).shape, generator=generator)

    def once(convolution: Convolution) -> list[torch.Tensor]:
        out = convolution(x, weight, bias)
        return [out, *torch.autograd.grad(out, leaves, back)] if backward else [out]

    return once


def ratio(title: str, once: Pass, rivals: dict[str, Convolution], rounds: int, inner: int, clock: str) -> float:
    """How many of the first rival's times the last one takes; a turn is `inner` passes."""
    for found in zip(*(once(convolution) for convolution in rivals.values()), strict=True):
        if not all(torch.allclose(found[0], other, rtol=1e-4, atol=1e-3) for other in found):
            raise SystemExit(f"{title}: the rivals give different numbers, so no time means anything")
    times: dict[str, list[float]] = {name: [] for name in rivals}
    now = CLOCKS[clock]
    for turn in range(rounds):
        for name in sorted(rivals, reverse=bool(turn % 2)):
            gc.collect()
            start = now()
            for _ in range(inner):
                once(rivals[name])
            times[name].append((now() - start) / inner)
    theirs, *_, ours = times.values()
    cost = statistics.median(slow / fast for fast, slow in zip(theirs, ours, strict=True))
    found = "".join(f"{name} {1e3 * statistics.median(values):8.3f} ms   " for name, values in times.items())
    print(f"  {title:<40}{found}{cost:8.2f} x", flush=True)
    return cost


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="example: python benchmarks/conv.py --rounds 11\n\nexit status: 0 if no fault limit is passed, else 1",
    )
    parser.add_argument("--rounds", type=int, default=41, help="turns of each; the median counts (default: 41)")
    parser.add_argument("--inner", type=int, default=5, help="passes in a turn (default: 5)")
    parser.add_argument("--clock", choices=CLOCKS, default="wall", help="cpu on a busy machine (default: wall)")
    options = parser.parse_args()
    if min(options.rounds, options.inner) < 1:
        parser.error("--rounds and --inner want 1 or more")
    torch.set_num_threads(1)
    how = (options.rounds, options.inner, options.clock)

    print(f"loops, x {TINY.x}, weight {TINY.weight}")
    three = {"torch": F.conv2d, "ours": nn.conv2d, "loops": nn.conv2d_loops}
    few = (min(options.rounds, 5), 1, options.clock)
    ratio("forward", passes(TINY, backward=False), three, *few)
    ratio("forward and backward", passes(TINY, backward=True), three, *few)

    costs = {}
    two = {"torch": F.conv2d, "ours": nn.conv2d}
    for name, size in SIZES.items():
        print(f"{name}, x {size.x}, weight {size.weight}")
        ratio("forward", passes(size, backward=False), two, *how)
        ratio("forward and backward, as a first layer", passes(size, backward=True, first_layer=True), two, *how)
        costs[name] = ratio("forward and backward", passes(size, backward=True), two, *how)

    print()
    for name, cost in costs.items():
        size = SIZES[name]
        word = "met   " if cost <= size.aim else "MISSED" if cost <= size.fault else "FAULT "
        print(f"{word}  {name}: at most {size.aim} of torch's, a fault above {size.fault}: {cost:.2f}")
    return 0 if all(cost <= SIZES[name].fault for name, cost in costs.items()) else 1


if __name__ == "__main__":
    sys.exit(main())
