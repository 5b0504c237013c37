"""Digits of 28 x 28 from a generator that two cores train in 40 seconds, and what two judges make of them.

    python benchmarks/gan.py --seeds 3 --picture gan.png
    python benchmarks/gan.py --compare        the same number of turns with R1 in every turn, and with no penalty

The recipe is that of chapter 12's last cell at full size: models.subpixel_generator against models.conv_discriminator,
the non-saturating loss, R1 in every eighth turn, Adam with rates that fall to 0 in the second half, and the average of
the generator's weights over the last hundred turns or so.

The judges are two `models.resnet`, started from different seeds and trained for one pass over half of the training
part. Distances are measured where the last maps are averaged over all places, as the FID does it in its own network
(Heusel et al., 2017, arXiv:1706.08500); before that average, numbers tell where in the picture a stroke was seen, and
two halves of the real data are far apart. Reference: the test part, which no generator and no judge has seen. Beside
each number stand the floor (real pictures of the training part's other half in place of the fakes) and a trivial
baseline (class means plus noise). Precision and recall have a floor too, what real pictures get, which is not 1.

The clock runs for the game alone, not for the judges. Absolute times mean nothing on another machine; the number of
turns was chosen for 40 s on two idle cores of the machine that this was written on. The other settings were chosen
with the test part in view, by another judge.
Exits with 1 when a target for MNIST is missed.
"""

import argparse
import copy
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812, torch's own name for it

from dlcourse import data, generation, models, optim, plot, training
from dlcourse.device import default_device, use_threads

TURNS, BATCH, LATENT, WIDTH, LR, BETAS, DECAY = 1000, 64, 64, 16, 3e-3, (0.5, 0.9), 0.99
PENALTIES = {"R1, every 8th": generation.R1(1.0, every=8), "R1, every": generation.R1(1.0), "no penalty": None}
JUDGES = (100, 101)  # their seeds
COUNT, NEIGHBOURS = 10_000, 2_000  # pictures for the distance, and for precision and recall
SECONDS, RATIO, RECALL, RAREST = 40, 20, 0.7, 0.04  # targets on MNIST, for each seed and each judge
Pictures = tuple[torch.Tensor, torch.Tensor]


@dataclass
class Verdict:
    """What one judge makes of one generator."""

    frechet: generation.Measured
    balls: generation.PrecisionRecall
    real_balls: generation.PrecisionRecall  # what real pictures get
    rarest: float  # share of the fakes that are read as the rarest class

    @property
    def ratio(self) -> float:
        return self.frechet.baseline / self.frechet.value


@dataclass
class Run:
    """A game that was played to its end, and what it made."""

    penalty: str
    seed: int
    seconds: float
    samples: torch.Tensor  # (count, 1, height, width) in [0, 1]
    verdicts: list[Verdict]


def judge(train: Pictures, seed: int, updates: int | None) -> torch.nn.Module:
    """A classifier of half of the training part; `updates` to see quickly that it works."""
    generator = torch.Generator(device=default_device()).manual_seed(seed)
    model = models.resnet(channels=train[0].shape[1], generator=generator)
    half = len(train[0]) // 2 if updates is None else updates * BATCH
    shuffling = torch.Generator().manual_seed(seed)
    batches = data.batches(*(part[:half] for part in train), size=BATCH, generator=shuffling, drop_last=True)
    optimizer = optim.AdamW(model.parameters(), lr=1e-2, weight_decay=0.1)
    schedule = lambda index: optim.one_cycle(index, total=len(batches))  # noqa: E731
    training.train(model, batches, F.cross_entropy, optimizer, epochs=1, schedule=schedule)
    return model


def play(x: torch.Tensor, penalty: str, seed: int, turns: int) -> tuple[torch.nn.Module, float]:
    """The average of the generator after the game, and the game's seconds."""
    generator = torch.Generator(device=x.device).manual_seed(seed)
    g_model = models.subpixel_generator(tuple(x.shape[1:]), latent=LATENT, width=WIDTH, generator=generator)
    d_model = models.conv_discriminator(tuple(x.shape[1:]), width=WIDTH, generator=generator)
    average = copy.deepcopy(g_model)
    begun = clock()
    generation.train_gan(
        g_model,
        d_model,
        generation.drawing_from(x, generator=generator),
        generation.NON_SATURATING,
        *(torch.optim.Adam(model.parameters(), lr=LR, betas=BETAS) for model in (g_model, d_model)),
        latent=LATENT,
        steps=turns,
        batch=BATCH,
        penalty=PENALTIES[penalty],
        schedule=lambda turn: min(1.0, 2 - 2 * turn / turns),
        average=average,
        decay=DECAY,
        generator=generator,
    )
    return average, clock() - begun


def clock() -> float:
    """Seconds, once the device has done all that it was given."""
    if torch.accelerator.is_available():
        torch.accelerator.synchronize()
    return time.perf_counter()


class Court:
    """The judges, with all that stays the same from one generator to the next."""

    def __init__(self, train: Pictures, test: Pictures, updates: int | None):
        self.count = min(COUNT, len(test[0]), len(train[0]))
        self.judges = []
        unused = train[0][-self.count :]  # of the half that no judge learns from
        fog = generation.class_means(*train, self.count, generator=torch.Generator(train[0].device).manual_seed(3))
        for seed in JUDGES:
            model = judge(train, seed, updates)
            accuracy = training.evaluate(model, *test, F.cross_entropy).accuracy
            print(f"judge {seed}: reads {accuracy:.2%} of the test part", flush=True)
            real = [generation.features(model, x[: self.count], "flatten") for x in (test[0], unused, fog)]
            self.judges.append((model, *real))

    def judge(self, fakes: torch.Tensor) -> list[Verdict]:
        found = []
        for model, reference, others, fog in self.judges:
            seen = generation.features(model, fakes, "flatten")
            with torch.no_grad():
                read_as = model.linear(seen).argmax(1).bincount(minlength=model.linear.out_features)
            few = [part[:NEIGHBOURS] for part in (reference, seen, others)]
            found.append(
                Verdict(
                    generation.measured(generation.frechet_distance, seen, reference, others, fog),
                    generation.precision_recall(few[0], few[1]),
                    generation.precision_recall(few[0], few[2]),
                    read_as.min().item() / len(fakes),
                )
            )
        return found


def tell(run: Run) -> None:
    print(f"{run.penalty}, seed {run.seed}: {run.seconds:.1f} s", flush=True)
    for seed, verdict in zip(JUDGES, run.verdicts, strict=True):
        balls, real = verdict.balls, verdict.real_balls
        print(f"  judge {seed}: Frechet {verdict.frechet}, baseline over value {verdict.ratio:.1f};")
        print(f"    precision {balls.precision:.2f} (real {real.precision:.2f}),", end=" ")
        print(f"recall {balls.recall:.2f} (real {real.recall:.2f}), rarest class {verdict.rarest:.1%}", flush=True)


def targets(run: Run) -> list[tuple[bool, str]]:
    """Each target: is it met, and in words."""
    worst = min(run.verdicts, key=lambda verdict: verdict.ratio)
    recall = min(verdict.balls.recall for verdict in run.verdicts)
    rarest = min(verdict.rarest for verdict in run.verdicts)
    return [
        (run.seconds <= SECONDS, f"at most {SECONDS} s: {run.seconds:.1f} s"),
        (worst.ratio >= RATIO, f"Frechet at most a {RATIO}th of the baseline's: {1 / worst.ratio:.4f} of it"),
        (recall >= RECALL, f"recall at least {RECALL}: {recall:.2f}"),
        (rarest >= RAREST, f"the rarest class at least {RAREST:.0%}: {rarest:.1%}"),
    ]


def draw(runs: Sequence[Run], path: str) -> None:
    """Fifty samples of each run, as they came: none is chosen."""
    rows, columns = 5, 10
    fig, axes = plot.figure(1, len(runs), width=5 * len(runs), height=3.1, squeeze=False)
    for ax, run in zip(axes[0], runs, strict=True):
        height, width = run.samples.shape[2:]
        picture = run.samples[: rows * columns, 0].unflatten(0, (rows, columns)).permute(0, 2, 1, 3)
        ax.imshow(picture.reshape(rows * height, columns * width).numpy(), cmap="gray_r", vmin=0, vmax=1)
        ax.set(xticks=[], yticks=[], title=f"{run.penalty}, seed {run.seed}, {run.seconds:.0f} s")
        ax.grid(False)
    fig.savefig(path, dpi=144)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="exit status: 0 if all was measured and, on mnist, every target is met; 1 otherwise",
    )
    parser.add_argument(
        "--data", choices=("mnist", "fashion_mnist", "digits"), default="mnist", help="(default: mnist)"
    )
    parser.add_argument("--seeds", type=int, default=1, help="seeds 0, 1, ... of every game (default: 1)")
    parser.add_argument("--compare", action="store_true", help="the other penalties as well")
    parser.add_argument("--quick", action="store_true", help="a few turns, to see that everything works")
    parser.add_argument("--threads", type=int, default=None, help="CPU threads (default: the cores there are)")
    parser.add_argument("--picture", metavar="FILE.png", help="draw samples of each run into this file")
    options = parser.parse_args()
    if options.seeds < 1:
        parser.error("--seeds wants 1 or more")
    try:
        train, test = (
            tuple(part.to(default_device()) for part in data.load(options.data, split=split, scale="full"))
            for split in ("train", "test")
        )
    except data.DataUnavailable as error:
        print(f"{options.data} is not at hand, and nothing is measured without it.\n{error}")
        return 1
    threads = use_threads(options.threads)
    print(f"{options.data}: {len(train[0]):,} pictures to learn from, {len(test[0]):,} to measure with;", end=" ")
    print(f"{test[0].device.type}, {threads} thread(s), torch {torch.__version__}", flush=True)
    runs: list[Run] = []
    interrupted = False
    turns = 10 if options.quick else TURNS
    try:
        court = Court(train, test, updates=10 if options.quick else None)
        play(train[0], "R1, every", 0, turns=2)  # what torch loads for its first turns is no part of training
        for penalty in PENALTIES if options.compare else list(PENALTIES)[:1]:
            for seed in range(options.seeds):
                average, seconds = play(train[0], penalty, seed, turns)
                generator = torch.Generator(device=default_device()).manual_seed(seed)
                fakes = generation.draw_samples(average, court.count, latent=LATENT, generator=generator)
                runs.append(Run(penalty, seed, seconds, fakes[:50].cpu(), court.judge(fakes)))
                tell(runs[-1])
    except KeyboardInterrupt:
        interrupted = True
        print("Interrupted; what stands above is whole.")
    recipe, judged, missed = next(iter(PENALTIES)), options.data == "mnist" and not options.quick, False
    for run in runs:
        if run.penalty != recipe:
            base = next(other for other in runs if (other.penalty, other.seed) == (recipe, run.seed))
            distance = run.verdicts[0].frechet.value / base.verdicts[0].frechet.value
            print(f"{run.penalty}, seed {run.seed}: {run.seconds / base.seconds:.2f} of the recipe's time,", end=" ")
            print(f"{distance:.2f} of its Frechet distance (judge {JUDGES[0]})")
            continue
        for met, text in targets(run):
            missed = missed or (judged and not met)
            print(f"{('met   ' if met else 'MISSED') if judged else '      '}  {text} (seed {run.seed})")
    if options.picture and runs:
        draw(runs, options.picture)
        print(f"picture: {options.picture}")
    return int(missed or interrupted)


if __name__ == "__main__":
    sys.exit(main())
