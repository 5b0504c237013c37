"""Our explanations beside captum's: the same network, the same pictures, one thread, in one run.

    python benchmarks/attribution.py
    python benchmarks/attribution.py --data mnist

- agreement: the largest difference between both maps, once conventions are matched (see
  tests/attribution/test_against_captum.py); 1e-5 at most.
- time: they take turns, in changing order, and the median of the turns' ratios counts. For saliency, integrated
  gradients (50 points), Grad-CAM and occlusion an aim is set: 1.0 times captum's time; above 1.4 is a fault. The others
  are shown beside them. Captum's LRP knows no batch norm as we fold it, so LRP gets the network without its norms.

The network is the chapter's, trained for a few passes. Absolute times mean nothing on another machine; ratios do. Exits
with 1 when a limit is passed.
"""

import argparse
import copy
import gc
import statistics
import sys
import time
import warnings
from collections.abc import Callable

import torch
import torch.nn.functional as F  # noqa: N812, torch's own name for it
from tqdm import tqdm

from dlcourse import attribution, data, models, nn, optim, training
from dlcourse.device import use_threads

AIM, FAULT, SAME = 1.0, 1.4, 1e-5
JUDGED = ("saliency", "integrated gradients", "Grad-CAM", "occlusion")
CLOCKS = {"cpu": time.process_time, "wall": time.perf_counter}
Pair = tuple[Callable[[], torch.Tensor], Callable[[], torch.Tensor]]


def network(train: tuple[torch.Tensor, torch.Tensor], epochs: int) -> torch.nn.Sequential:
    """The chapter's network for these pictures."""
    generator = torch.Generator().manual_seed(0)
    size = tuple(train[0].shape[1:])
    model = models.lenet(image=size, kernel=3 if size[1] < 12 else 5, norm=torch.nn.BatchNorm2d, generator=generator)
    batches = data.batches(*train, size=64, generator=generator, drop_last=True)
    optimizer = optim.AdamW(model.parameters(), lr=5e-3)
    training.train(model, batches, F.cross_entropy, optimizer, epochs=epochs)
    return model.eval()


class WithoutNorms(torch.nn.Module):
    """The network without norms and with Flatten as a function, which is what captum's LRP can take."""

    def __init__(self, model: torch.nn.Sequential):
        super().__init__()
        layers = [layer for layer in copy.deepcopy(model) if not isinstance(layer, torch.nn.BatchNorm2d)]
        self.plain = torch.nn.Sequential(*layers)  # the same weights, for ours
        self.below, self.above = torch.nn.Sequential(*layers[:-2]), layers[-1]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.above(self.below(x).flatten(1))


def pairs(model: torch.nn.Sequential, x: torch.Tensor, target: torch.Tensor, window: int) -> dict[str, Pair]:
    """Ours and captum's for each method, as calls that give the same map."""
    import captum.attr as library
    from captum.attr._utils.lrp_rules import EpsilonRule

    bare = WithoutNorms(model)
    theirs_lrp = copy.deepcopy(bare)
    del theirs_lrp.plain
    windows, strides = (x.shape[1], window, window), (x.shape[1], window // 2, window // 2)

    def lrp_of_captum() -> torch.Tensor:
        for layer in theirs_lrp.modules():
            if isinstance(layer, (torch.nn.Conv2d, nn.Linear)):
                layer.rule = EpsilonRule(0.01)  # captum takes the rules away after each call
        return library.LRP(theirs_lrp).attribute(x.clone(), target)

    return {
        "saliency": (
            lambda: attribution.saliency(model, x, target),
            lambda: library.Saliency(model).attribute(x.clone(), target, abs=False),
        ),
        "input x gradient": (
            lambda: attribution.input_x_gradient(model, x, target),
            lambda: library.InputXGradient(model).attribute(x.clone(), target),
        ),
        "integrated gradients": (
            lambda: attribution.integrated_gradients(model, x, target),
            lambda: library.IntegratedGradients(model).attribute(x, 0.0, target),
        ),
        "guided backprop": (
            lambda: attribution.guided_backprop(model, x, target),
            lambda: library.GuidedBackprop(model).attribute(x.clone(), target),
        ),
        "Grad-CAM": (
            lambda: attribution.grad_cam(model, x, target, layer="conv2"),
            lambda: library.LayerGradCam(model, model.conv2).attribute(x, target, relu_attributions=True)[:, 0],
        ),
        "occlusion": (
            lambda: attribution.occlusion(model, x, target, window=window, stride=window // 2),
            lambda: library.Occlusion(model).attribute(x, windows, strides, 0.0, target),
        ),
        "LRP": (
            lambda: attribution.lrp(bare.plain, x, target, rules=attribution.Epsilon(0.01)),
            lrp_of_captum,
        ),
    }


def times(name: str, both: Pair, rounds: int, clock: str) -> tuple[float, float, float]:
    """Median seconds of ours and of captum's, and the median of the turns' ratios. The bar moves between two turns."""
    now, spent = CLOCKS[clock], ([], [])
    for call in both:
        call()  # warm
    for turn in tqdm(range(rounds), name, disable=None, leave=False):
        for which in (0, 1) if turn % 2 else (1, 0):
            gc.collect()
            begun = now()
            both[which]()
            spent[which].append(now() - begun)
    ratio = statistics.median(mine / theirs for mine, theirs in zip(*spent, strict=True))
    return statistics.median(spent[0]), statistics.median(spent[1]), ratio


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="exit status: 0 if no limit is passed, else 1",
    )
    parser.add_argument("--data", choices=("digits", "mnist"), default="digits", help="(default: digits)")
    parser.add_argument("--batch", type=int, default=64, help="pictures (default: 64)")
    parser.add_argument("--rounds", type=int, default=30, help="turns of the clock (default: 30)")
    parser.add_argument("--clock", choices=tuple(CLOCKS), default="cpu", help="(default: cpu)")
    options = parser.parse_args()
    if min(options.rounds, options.batch) < 1:
        parser.error("--rounds and --batch want 1 or more")
    use_threads(1)
    warnings.simplefilter("ignore")  # captum warns of each gradient it asks for and each hook that it sets
    try:
        train, test = (tuple(data.load(options.data, split=split, scale="full")) for split in ("train", "test"))
    except data.DataUnavailable as error:
        print(f"{options.data} is not at hand, and nothing is measured without it.\n{error}")
        return 1
    x, target = (part[: options.batch] for part in test)
    model = network(train, {"digits": 10, "mnist": 1}[options.data])
    clean = 100 * training.evaluate(model, *test, F.cross_entropy).accuracy
    print(f"{options.data}, {len(x)} pictures, {clean:.1f} % right, {options.rounds} turns, one thread", end="")
    print(f", torch {torch.__version__}")
    faults = []
    for name, both in pairs(model, x, target, 4 if x.shape[2] < 12 else 6).items():
        apart = (both[0]() - both[1]()).abs().max().item()
        mine, theirs, ratio = times(name, both, options.rounds, options.clock)
        aim = f"aim {AIM:.1f} x" if name in JUDGED else ""
        print(
            f"  {name:<21} dlcourse {1e3 * mine:8.2f} ms   captum {1e3 * theirs:8.2f} ms   {ratio:5.2f} x   "
            f"{apart:.1e} apart   {aim}"
        )
        if not apart <= SAME:
            faults.append(f"{name}: {apart:.1e} apart, more than {SAME:g}")
        if name in JUDGED and ratio > FAULT:
            faults.append(f"{name}: {ratio:.2f} times captum's time, more than {FAULT:g}")
    for fault in faults:
        print(f"FAULT  {fault}")
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
