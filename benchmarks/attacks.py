"""Our PGD beside foolbox's: the same network, the same pictures, the same starts, one thread, in one run.

    python benchmarks/attacks.py
    python benchmarks/attacks.py --data mnist

- answers: from the same random start both must end at the same pixels, to 1e-6, on all but a few pictures. In float64:
  over many steps a rounding error of float32 turns the sign of some slope that is almost 0 (on MNIST, in one picture
  of twenty).
- robust accuracy: the mean over three random starts, the same for both, in per cent of the test pictures; 1 point
  apart at most. (From starts of their own the digits' 355 pictures gave one of them 75.5 to 78.0 % by chance alone.)
- time: they take turns, in changing order, and the median of the turns' ratios counts. Foolbox is asked by `run`, which
  does the attack and nothing else. At 1.0 times foolbox's time ours is as it should be; above 1.2 is a fault.

A clean network and one that was trained on PGD examples, because the two behave differently. Linf by default; in L2 the
two are not the same method where pixels are at the edge (ours projects exactly), so that only accuracy and time are
judged. Absolute times mean nothing on another machine; ratios do. Exits with 1 when a limit is passed.
"""

import argparse
import copy
import functools
import gc
import statistics
import sys
import time
import warnings
from collections.abc import Callable

import torch
import torch.nn.functional as F  # noqa: N812, torch's own name for it

from dlcourse import attacks, data, defenses, models, optim, training
from dlcourse.device import use_threads

POINTS, AIM, FAULT = 1.0, 1.0, 1.2  # per cent of the pictures; times foolbox's time
SAME, STRAYS = 1e-6, 0.02  # pixels from the same start, and the share of pictures that may end elsewhere
CLOCKS = {"cpu": time.process_time, "wall": time.perf_counter}
EPS = {"digits": 0.1, "mnist": 0.2}
Pictures = tuple[torch.Tensor, torch.Tensor]


def network(train: Pictures, threat: attacks.Threat | None, epochs: int) -> torch.nn.Module:
    """A small LeNet for these pictures; with a threat, trained on what PGD makes of them."""
    generator = torch.Generator().manual_seed(0)
    size = tuple(train[0].shape[1:])
    model = models.lenet(image=size, kernel=3 if size[1] < 12 else 5, norm=torch.nn.BatchNorm2d, generator=generator)
    batches = data.batches(*train, size=64, generator=generator, drop_last=True)
    seen = batches
    if threat is not None:
        attack = functools.partial(attacks.pgd, threat=threat, steps=5)
        seen = defenses.adversarial_batches(batches, model, attack, generator=generator)
    total = epochs * len(batches)
    schedule = lambda index: optim.one_cycle(index, total=total)  # noqa: E731
    optimizer = optim.AdamW(model.parameters(), lr=5e-3)
    training.train(model, seen, F.cross_entropy, optimizer, epochs=epochs, schedule=schedule)
    return model.eval()


class Rivals:
    """Both attacks on one network, each as start -> x_adv."""

    def __init__(self, model: torch.nn.Module, test: Pictures, threat: attacks.Threat, steps: int):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # foolbox 3.3.4 uses names that scipy has moved
            import foolbox
        x, labels = test
        kind = {attacks.Linf: foolbox.attacks.LinfPGD, attacks.L2: foolbox.attacks.L2PGD}[type(threat)]
        wrapped, step_size = foolbox.PyTorchModel(model, bounds=(0, 1), device=x.device), 2.5 * threat.eps / steps
        wrong = foolbox.Misclassification(labels)

        def theirs(start: torch.Tensor) -> torch.Tensor:
            made = type("FromStart", (kind,), {"get_random_start": lambda self, x0, eps: type(x0)(start)})
            attack = made(steps=steps, abs_stepsize=step_size, random_start=True)
            return attack.run(wrapped, x, wrong, epsilon=threat.eps)

        def ours(start: torch.Tensor) -> torch.Tensor:
            *_, step = attacks.pgd_steps(model, x, labels, threat, steps=steps, start=start)
            return step.x_adv

        self.model, self.x, self.labels, self.threat, self.steps = model, x, labels, threat, steps
        self.both: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {"foolbox": theirs, "dlcourse": ours}

    def start(self, seed: int) -> torch.Tensor:
        return self.threat.random(self.x, generator=torch.Generator(self.x.device).manual_seed(seed))

    def strays(self) -> float:
        """The share of pictures that end elsewhere, from the same start, in float64."""
        exact = Rivals(copy.deepcopy(self.model).double(), (self.x.double(), self.labels), self.threat, self.steps)
        ours, theirs = (attack(exact.start(0)) for attack in exact.both.values())
        return ((ours - theirs).abs().flatten(1).amax(1) > SAME).double().mean().item()

    def robust(self, seeds: int) -> dict[str, float]:
        """The mean robust accuracy of each over the same starts, in per cent."""
        found = {}
        for name, attack in self.both.items():
            shares = []
            for seed in range(seeds):
                x_adv = attack(self.start(1 + seed))
                assert self.threat.contains(x_adv, self.x).all(), f"{name} left the ball"
                shares.append(1 - attacks.fooled(answer(self.model, x_adv), self.labels).double().mean().item())
            found[name] = 100 * statistics.mean(shares)
        return found

    def times(self, rounds: int, clock: str) -> tuple[dict[str, float], float]:
        """Median seconds of each, and the median of the turns' ratios, ours over foolbox's."""
        now, start = CLOCKS[clock], self.start(0)
        spent: dict[str, list[float]] = {name: [] for name in self.both}
        for turn in range(rounds):
            for name in sorted(self.both, reverse=bool(turn % 2)):
                gc.collect()
                begun = now()
                self.both[name](start)
                spent[name].append(now() - begun)
        ratios = [mine / theirs for mine, theirs in zip(spent["dlcourse"], spent["foolbox"], strict=True)]
        return {name: statistics.median(values) for name, values in spent.items()}, statistics.median(ratios)


def answer(model: torch.nn.Module, x: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return model(x)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="exit status: 0 if no limit is passed, else 1",
    )
    parser.add_argument("--data", choices=tuple(EPS), default="digits", help="(default: digits)")
    parser.add_argument("--norm", choices=("Linf", "L2"), default="Linf", help="(default: Linf)")
    parser.add_argument("--eps", type=float, default=None, help="(default: 0.1 digits, 0.2 mnist; L2: 5 times that)")
    parser.add_argument("--steps", type=int, default=20, help="(default: 20)")
    parser.add_argument("--count", type=int, default=500, help="test pictures, at most (default: 500)")
    parser.add_argument("--rounds", type=int, default=9, help="turns of the clock (default: 9)")
    parser.add_argument("--seeds", type=int, default=3, help="random starts for each (default: 3)")
    parser.add_argument("--clock", choices=tuple(CLOCKS), default="cpu", help="(default: cpu)")
    options = parser.parse_args()
    if min(options.rounds, options.seeds, options.count, options.steps) < 1:
        parser.error("--rounds, --seeds, --count and --steps want 1 or more")
    use_threads(1)
    try:
        train, test = (tuple(data.load(options.data, split=split, scale="full")) for split in ("train", "test"))
    except data.DataUnavailable as error:
        print(f"{options.data} is not at hand, and nothing is measured without it.\n{error}")
        return 1
    test = tuple(part[: options.count] for part in test)
    eps = options.eps or EPS[options.data] * (5 if options.norm == "L2" else 1)
    threat = getattr(attacks, options.norm)(eps)
    print(
        f"{options.data}, {len(test[0])} pictures, {threat}, PGD-{options.steps}, one thread, torch {torch.__version__}"
    )
    epochs = {"digits": 15, "mnist": 1}[options.data]
    faults = []
    for title, trained_on in (("clean", None), ("trained on PGD-5", threat)):
        model = network(train, trained_on, epochs)
        rivals = Rivals(model, test, threat, options.steps)
        clean = 100 * training.evaluate(model, *test, F.cross_entropy).accuracy
        strays, robust = rivals.strays(), rivals.robust(options.seeds)
        seconds, ratio = rivals.times(options.rounds, options.clock)
        gap = abs(robust["dlcourse"] - robust["foolbox"])
        print(f"{title}: {clean:.1f} % clean")
        for name in rivals.both:
            per = 1e3 * seconds[name] / len(test[0])
            print(f"  {name:<9} {robust[name]:6.2f} % robust   {seconds[name]:7.3f} s   {per:6.2f} ms a picture")
        print(f"  from the same start {strays:.1%} end elsewhere; {gap:.2f} points apart; time ratio {ratio:.2f} x")
        if options.norm == "Linf" and strays > STRAYS:
            faults.append(f"{title}: {strays:.1%} end elsewhere, more than {STRAYS:.0%}")
        if gap > POINTS:
            faults.append(f"{title}: {gap:.2f} points apart, more than {POINTS:g}")
        if ratio > FAULT:
            faults.append(f"{title}: {ratio:.2f} times foolbox's time, more than {FAULT:g}")
        elif ratio > AIM:
            print(f"  aim: {AIM:.1f} x")
    for fault in faults:
        print(f"FAULT  {fault}")
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
