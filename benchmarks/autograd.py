"""The engine beside micrograd (as published) and torch: the same model, the same numbers, one run, one thread.

    pip install micrograd && python benchmarks/autograd.py

- moons: micrograd's own demo, a 2-16-16-1 network on 100 points, hinge loss and weight decay, whole batch.
- step: one training step of a 784-256-10 network on 64 examples, forward, backward and update.
- depth: forward and backward of a chain of operations; micrograd's recursion ends where it ends.
- width: the step for hidden layers of 16 to 4,096 units.
- digits: the held-out accuracy that `autograd.mlp` reaches, and its CPU seconds.

Before anything is timed, all engines must give the same losses over three updates. They take turns, and the median of
the rounds counts (for depth, the fastest of three). Torch updates with its own SGD, we with ours; the ratio without the
update is printed, too. Absolute times mean nothing on another machine; ratios do. Exits with 1 when a target is missed.
"""

import argparse
import gc
import importlib.util
import statistics
import sys
import time
from collections.abc import Callable

import torch

from dlcourse.autograd import Tensor, Value, concat, cross_entropy
from dlcourse.autograd.mlp import MLP, SGD, accuracy, as_torch, train_steps
from dlcourse.data import load, moons

TARGETS = {"step": 2.5, "moons": 1000.0, "accuracy": 0.975, "seconds": 2.0}
ALPHA, LR = 1e-4, 1.0  # of micrograd's demo: weight decay, and the learning rate of its first step
Steps = dict[str, Callable[[], float]]  # engine -> do one step, return the loss before it


def clock(step: Callable[[], float], seconds: float) -> float:
    """Seconds of CPU that one call costs: as many calls as fit into `seconds`, at least one."""
    gc.collect()
    calls, start = 0, time.process_time()
    while True:
        step()
        calls += 1
        passed = time.process_time() - start
        if passed >= seconds:
            return passed / calls


def in_turns(steps: Steps, rounds: int, seconds: float) -> dict[str, float]:
    """The median over the rounds; in each round every engine has its turn."""
    found: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(rounds):
        for name, step in steps.items():
            found[name].append(clock(step, seconds))
    return {name: statistics.median(times) for name, times in found.items()}


def show(title: str, times: dict[str, float], against: str) -> None:
    print(f"\n{title}")
    for name, seconds in times.items():
        print(f"  {name:<22}{seconds * 1e3:>12.3f} ms a step{seconds / times[against]:>12.2f} x {against}")


def must_agree(steps: Steps, digits: float) -> None:
    """All engines start from the same numbers, so their losses over three steps are the same."""
    losses = {name: [step() for _ in range(3)] for name, step in steps.items()}
    first = next(iter(losses.values()))
    for name, own in losses.items():
        if any(abs(a - b) > digits * abs(a) for a, b in zip(first, own, strict=True)):
            raise SystemExit(f"the engines compute different things, so no time means anything: {losses}, {name}")


# ---- moons


def moons_steps(with_micrograd: bool) -> Steps:
    """One step of the demo on each engine, all from the same weights."""
    x, y = moons(100, noise=0.1, generator=torch.Generator().manual_seed(1337))
    x, y = x.double(), y.double() * 2 - 1
    mlp = MLP((2, 16, 16, 1), generator=torch.Generator().manual_seed(1))
    for parameter in mlp.parameters:
        parameter.data = parameter.data.double()
    twin = as_torch(mlp)
    steps: Steps = {}

    def with_tensor() -> float:
        margin = (1 - mlp(x)[:, 0] * y).relu().mean()
        weights = concat([p.reshape(-1) for p in mlp.parameters])
        loss = margin + ALPHA * (weights * weights).sum()
        own.zero_grad()
        loss.backward()
        own.step()
        return loss.item()

    def with_torch() -> float:
        margin = (1 - twin(x)[:, 0] * y).relu().mean()
        weights = torch.cat([p.reshape(-1) for p in twin.parameters()])
        loss = margin + ALPHA * (weights * weights).sum()
        theirs.zero_grad()
        loss.backward()
        theirs.step()
        return loss.item()

    own, theirs = SGD(mlp.parameters, lr=LR), torch.optim.SGD(twin.parameters(), lr=LR)
    steps |= {"Tensor": with_tensor, "torch": with_torch, "Value": numbers_step(mlp, x, y, Value)}
    if with_micrograd:
        from micrograd.engine import Value as Micrograd

        steps["micrograd"] = numbers_step(mlp, x, y, Micrograd)
    return steps


def numbers_step(mlp: MLP, x: torch.Tensor, y: torch.Tensor, number: type) -> Callable[[], float]:
    """The demo one number at a time, as micrograd's `nn` spells it: sums of products, relu."""
    layers = [
        [([number(w) for w in row], number(b)) for row, b in zip(weight.data.tolist(), bias.data.tolist(), strict=True)]
        for weight, bias in zip(mlp.parameters[::2], mlp.parameters[1::2], strict=True)
    ]
    parameters = [p for layer in layers for weights, bias in layer for p in (*weights, bias)]
    points, labels = x.tolist(), y.tolist()

    def score(inputs: list) -> object:
        for depth, layer in enumerate(layers, 1):
            inputs = [sum((w * i for w, i in zip(weights, inputs, strict=True)), bias) for weights, bias in layer]
            inputs = inputs if depth == len(layers) else [unit.relu() for unit in inputs]
        return inputs[0]

    def step() -> float:
        margins = [
            (1 + -label * score([number(i) for i in point])).relu() for point, label in zip(points, labels, strict=True)
        ]
        loss = sum(margins, number(0.0)) * (1.0 / len(margins)) + ALPHA * sum((p * p for p in parameters), number(0.0))
        for p in parameters:
            p.grad = 0.0
        loss.backward()
        for p in parameters:
            p.data -= LR * p.grad
        return loss.data

    return step


# ---- classification


def classify_steps(hidden: int, *, update: bool = True) -> Steps:
    """One step of a 784-hidden-10 network on 64 examples in float32, plain SGD: this engine's and torch's."""
    generator = torch.Generator().manual_seed(0)
    x, labels = torch.randn(64, 784, generator=generator), torch.randint(10, (64,), generator=generator)
    mlp = MLP((784, hidden, 10), generator=generator)
    twin = as_torch(mlp)
    own, theirs = SGD(mlp.parameters, lr=0.01), torch.optim.SGD(twin.parameters(), lr=0.01)

    def with_tensor() -> float:
        loss = cross_entropy(mlp(x), labels)
        own.zero_grad()
        loss.backward()
        if update:
            own.step()
        return loss.item()

    def with_torch() -> float:
        loss = torch.nn.functional.cross_entropy(twin(x), labels)
        theirs.zero_grad()
        loss.backward()
        if update:
            theirs.step()
        return loss.item()

    return {"Tensor": with_tensor, "torch": with_torch}


# ---- depth


def chain(make: Callable[[], object], length: int) -> Callable[[], float]:
    """Forward and backward of `length` additions, one after the other."""

    def step() -> float:
        x = y = make()
        for _ in range(length):
            y = y + x
        y.backward()
        return float(x.grad)

    return step


def chains(with_micrograd: bool) -> dict[str, Callable[[], object]]:
    makers: dict[str, Callable[[], object]] = {
        "Tensor": lambda: Tensor(torch.tensor(1.0), requires_grad=True),
        "torch": lambda: torch.tensor(1.0, requires_grad=True),
        "Value": lambda: Value(1.0),
    }
    if with_micrograd:
        from micrograd.engine import Value as Micrograd

        makers["micrograd"] = lambda: Micrograd(1.0)
    return makers


def depth(with_micrograd: bool) -> None:
    print("\ndepth: a chain of additions, microseconds an operation, forward and backward")
    makers = chains(with_micrograd)
    print("  length    " + "".join(f"{name:>14}" for name in makers))
    for length in (100, 1_000, 10_000, 100_000):
        line = f"  {length:<10}"
        for make in makers.values():
            step = chain(make, length)
            try:
                if step() != length + 1:
                    raise SystemExit("a chain gave the wrong gradient")
                line += f"{min(clock(step, 0.2) for _ in range(3)) / length * 1e6:>14.2f}"
            except RecursionError:
                line += f"{'RecursionError':>16}"
        print(line, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="example: python benchmarks/autograd.py --rounds 3\n\nexit status: 0 if every target is met, else 1",
    )
    parser.add_argument("--rounds", type=int, default=7, help="turns of each engine; the median counts (default: 7)")
    parser.add_argument("--seconds", type=float, default=0.3, help="CPU seconds of a turn (default: 0.3)")
    options = parser.parse_args()
    if options.rounds < 1 or options.seconds <= 0:
        parser.error("--rounds wants 1 or more, --seconds more than 0")
    torch.set_num_threads(1)
    with_micrograd = importlib.util.find_spec("micrograd") is not None
    if not with_micrograd:
        print("micrograd is not installed (pip install micrograd): its lines are left out, and its target is not met.")

    steps = moons_steps(with_micrograd)
    must_agree(steps, 1e-9)
    times = in_turns(steps, options.rounds, options.seconds)
    show("moons: 2-16-16-1, 100 points, hinge loss, float64; the same loss to nine digits on all", times, "Tensor")
    moons_ratio = times["micrograd"] / times["Tensor"] if with_micrograd else 0.0

    steps = classify_steps(256)
    must_agree(steps, 1e-5)
    times = in_turns(steps, options.rounds, options.seconds)
    show("step: 784-256-10, 64 examples, float32", times, "torch")
    step_ratio = times["Tensor"] / times["torch"]
    times = in_turns(classify_steps(256, update=False), options.rounds, options.seconds)
    show("the same without the update", times, "torch")

    print("\nwidth: the same step for other hidden layers, Tensor / torch")
    for hidden in (16, 64, 256, 1024, 4096):
        steps = classify_steps(hidden)
        must_agree(steps, 1e-4)
        times = in_turns(steps, max(1, options.rounds // 2), options.seconds)
        print(f"  {hidden:<6}{times['Tensor'] / times['torch']:>8.2f}", flush=True)
    depth(with_micrograd)

    train, test = load("digits"), load("digits", split="test")
    scores, seconds = [], []
    for seed in range(3):
        start = time.process_time()
        generator = torch.Generator().manual_seed(seed)
        mlp = MLP((64, 512, 10), generator=generator)
        for _ in train_steps(mlp, train.x.flatten(1), train.y, generator=generator):
            pass
        seconds.append(time.process_time() - start)
        scores.append(accuracy(mlp, test.x.flatten(1), test.y))
    print(
        f"\ndigits: held-out accuracy {', '.join(f'{score:.4f}' for score in scores)}, at most {max(seconds):.2f} CPU s"
    )

    met = {
        f"a step costs at most {TARGETS['step']} times torch's": (step_ratio, step_ratio <= TARGETS["step"]),
        f"at least {TARGETS['moons']:.0f} times faster than micrograd": (moons_ratio, moons_ratio >= TARGETS["moons"]),
        f"median accuracy at least {TARGETS['accuracy']}": (
            statistics.median(scores),
            statistics.median(scores) >= TARGETS["accuracy"],
        ),
        f"digits in under {TARGETS['seconds']:.0f} CPU s": (max(seconds), max(seconds) < TARGETS["seconds"]),
    }
    print()
    for target, (came, well) in met.items():
        print(f"{'met   ' if well else 'MISSED'}  {target}: {came:.4g}")
    return 0 if all(well for _, well in met.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
