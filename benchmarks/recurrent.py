"""What our recurrent layers cost beside torch's: one run, one thread, float32.

    python benchmarks/recurrent.py

- definition: a cell's definition, in Python loops, on one tiny batch.
- RNN, LSTM, GRU: 32 sequences of 64 steps, 64 features, 128 units.

Forward, and forward with backward: the slopes of x and all parameters. Our loop over time is in Python; torch's is in
C++, and its LSTM is one operation for the whole sequence. Both hold the same weights, and all must give the same
numbers before anything is timed. They take turns, in changing order, and the median of the turns' ratios counts.
Absolute times mean nothing on another machine; ratios do. Exits with 1 when a fault limit is passed.
"""

import argparse
import gc
import statistics
import sys
import time
from collections.abc import Callable
from typing import NamedTuple

import torch

from dlcourse import nn

Pass = Callable[[], list[torch.Tensor]]


class Kind(NamedTuple):
    """Layers and cells of ours and torch's, and by how much our forward with backward may be slower."""

    ours: Callable[..., torch.nn.Module]
    theirs: type[torch.nn.Module]
    cell: Callable
    definition: Callable
    reference: Callable
    gates: int
    aim: float
    fault: float


KINDS = {
    "RNN": Kind(nn.RNN, torch.nn.RNN, nn.rnn_cell, nn.rnn_cell_definition, torch.rnn_tanh_cell, 1, 1.3, 1.7),
    "GRU": Kind(nn.GRU, torch.nn.GRU, nn.gru_cell, nn.gru_cell_definition, torch.gru_cell, 3, 1.5, 2.0),
    "LSTM": Kind(nn.LSTM, torch.nn.LSTM, nn.lstm_cell, nn.lstm_cell_definition, torch.lstm_cell, 4, 2.2, 3.0),
}
BATCH, TIME, FEATURES, HIDDEN = 32, 64, 64, 128
TINY = (2, 3, 4)  # batch, features, hidden
CLOCKS = {"cpu": time.process_time, "wall": time.perf_counter}


def layer_pass(layer: torch.nn.Module, *, backward: bool) -> Pass:
    """One pass over a batch of sequences: the outputs, and with `backward` the slopes too."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(BATCH, TIME, FEATURES, generator=generator, requires_grad=backward)
    back = torch.randn(BATCH, TIME, HIDDEN, generator=generator)
    for parameter in layer.parameters():
        parameter.requires_grad_(backward)

    def once() -> list[torch.Tensor]:
        outputs, _ = layer(x)
        return [outputs, *torch.autograd.grad(outputs, [x, *layer.parameters()], back)] if backward else [outputs]

    return once


def cell_pass(cell: Callable, gates: int) -> Pass:
    """One step of a cell with its slopes, on the tiny batch."""
    generator = torch.Generator().manual_seed(0)
    batch, features, hidden = TINY
    shapes = [(batch, features), *[(batch, hidden)] * (1 + (gates == 4)), (gates * hidden, features)]
    shapes += [(gates * hidden, hidden), (gates * hidden,), (gates * hidden,)]
    x, *rest = (torch.randn(shape, generator=generator, requires_grad=True) for shape in shapes)
    state, weights = rest[:-4], rest[-4:]

    def once() -> list[torch.Tensor]:
        new = cell(x, tuple(state) if gates == 4 else state[0], *weights)
        hidden = new[0] if gates == 4 else new
        return [hidden, *torch.autograd.grad(hidden.sum(), [x, *weights])]

    return once


def ratio(title: str, rivals: dict[str, Pass], rounds: int, inner: int, clock: str) -> float:
    """How many of the first rival's times the last one takes; a turn is `inner` passes."""
    for found in zip(*(once() for once in rivals.values()), strict=True):
        if not all(torch.allclose(found[0], other, rtol=1e-4, atol=1e-3) for other in found):
            raise SystemExit(f"{title}: the rivals give different numbers, so no time means anything")
    times: dict[str, list[float]] = {name: [] for name in rivals}
    now = CLOCKS[clock]
    for turn in range(rounds):
        for name in sorted(rivals, reverse=bool(turn % 2)):
            gc.collect()
            start = now()
            for _ in range(inner):
                rivals[name]()
            times[name].append((now() - start) / inner)
    theirs, *_, ours = times.values()
    cost = statistics.median(slow / fast for fast, slow in zip(theirs, ours, strict=True))
    found = "".join(f"{name} {1e3 * statistics.median(values):8.3f} ms   " for name, values in times.items())
    print(f"  {title:<28}{found}{cost:8.2f} x", flush=True)
    return cost


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="example: python benchmarks/recurrent.py --rounds 11\n\nexit status: 0 if no limit is passed, else 1",
    )
    parser.add_argument("--rounds", type=int, default=41, help="turns of each; the median counts (default: 41)")
    parser.add_argument("--inner", type=int, default=3, help="passes in a turn (default: 3)")
    parser.add_argument("--clock", choices=CLOCKS, default="wall", help="cpu on a busy machine (default: wall)")
    options = parser.parse_args()
    if min(options.rounds, options.inner) < 1:
        parser.error("--rounds and --inner want 1 or more")
    torch.set_num_threads(1)
    how = (options.rounds, options.inner, options.clock)

    print("one step of a cell with its slopes, (batch, features, hidden) =", TINY)
    for name, kind in KINDS.items():
        three = {"torch": kind.reference, "ours": kind.cell, "definition": kind.definition}
        ratio(name, {rival: cell_pass(cell, kind.gates) for rival, cell in three.items()}, 5, 3, options.clock)

    costs = {}
    for name, kind in KINDS.items():
        print(f"{name}, x {(BATCH, TIME, FEATURES)}, {HIDDEN} units")
        theirs = kind.theirs(FEATURES, HIDDEN, batch_first=True)
        ours = kind.ours(FEATURES, HIDDEN, generator=torch.Generator().manual_seed(0))
        theirs.load_state_dict(ours.state_dict())
        for backward, title in ((False, "forward"), (True, "forward and backward")):
            rivals = {"torch": layer_pass(theirs, backward=backward), "ours": layer_pass(ours, backward=backward)}
            costs[name] = ratio(title, rivals, *how)

    print()
    for name, cost in costs.items():
        kind = KINDS[name]
        word = "met   " if cost <= kind.aim else "MISSED" if cost <= kind.fault else "FAULT "
        print(f"{word}  {name}: at most {kind.aim} of torch's, a fault above {kind.fault}: {cost:.2f}")
    return 0 if all(cost <= KINDS[name].fault for name, cost in costs.items()) else 1


if __name__ == "__main__":
    sys.exit(main())
