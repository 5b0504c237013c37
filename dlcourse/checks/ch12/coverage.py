"""12.coverage: which modes a generator reaches, and how many of its samples are good."""

from collections.abc import Callable
from itertools import chain
from typing import Any

import torch
from torch import Tensor

from dlcourse.checks.ch08.several import IN_PLACE
from dlcourse.checks.examiner import Examiner, Suspect, matches, number
from dlcourse.checks.exercise import Exercise
from dlcourse.checks.subject import Subject

Pair = tuple[int, float]
NAMES = "(covered, high_quality)"


def mode_coverage(samples, centres, radius, least):
    distances = (samples[:, None] - centres).norm(dim=2)  # (samples, modes)
    to_nearest, nearest = distances.min(dim=1)
    good = to_nearest <= radius
    counts = torch.bincount(nearest[good], minlength=len(centres))
    return int((counts >= least * len(samples)).sum()), good.double().mean().item()


DISTANCES: dict[str, Callable[[Tensor], Tensor]] = {  # of (samples, modes, features)
    "length": lambda apart: apart.square().sum(2).sqrt(),
    "squared": lambda apart: apart.square().sum(2),
    "l1": lambda apart: apart.abs().sum(2),
    "box": lambda apart: apart.abs().amax(2),
    "mean": lambda apart: apart.square().mean(2).sqrt(),
    "over the centres": lambda apart: apart.square().sum(1).sqrt(),
}


def _coverage(
    samples: Tensor,
    centres: Tensor,
    radius: float,
    least: float,
    *,
    distance: str = "length",
    home: str = "nearest",
    covered: str = "share",
    quality: str = "share",
) -> Pair:
    """Both numbers with some of the faults, in float64."""
    apart = DISTANCES[distance](samples.double()[:, None] - centres.double())
    if home == "the samples' axis":  # of each centre the nearest sample, and how often a sample is one
        to_nearest, nearest = apart.min(0)
        counts = nearest[to_nearest <= radius].bincount(minlength=len(centres)).tolist()
        return sum(count >= least * len(samples) for count in counts), (to_nearest <= radius).double().mean().item()
    nearest = apart == apart.amin(1, keepdim=True)
    near = apart <= radius
    at = {
        "nearest": nearest & near,
        "any": near,
        "first": near & (near.cumsum(1) == 1),
        "last": near & (near.flip(1).cumsum(1).flip(1) == 1),
        "far too": nearest,
        "far": nearest & ~near,
    }[home]
    good = (nearest & near if home == "nearest" else at).any(1)
    counts, n = at.sum(0).tolist(), len(samples)
    fullest = max(sum(counts), 1)
    wants = {
        "share": lambda count: count >= least * n,
        "strict": lambda count: count > least * n,
        "of the good": lambda count: count >= least * fullest and count > 0,
        "a stray": lambda count: count > 0,
        "even share": lambda count: count >= n / len(counts),
        "a part of least": lambda count: count >= least * n / len(counts),
        "all": lambda count: True,
    }
    if covered == "of its own":
        found = sum(count >= least * own > 0 for count, own in zip(counts, nearest.sum(0).tolist(), strict=True))
    elif covered == "missed":
        found = sum(not wants["share"](count) for count in counts)
    elif covered == "however far":
        found = sum(wants["share"](count) for count in nearest.sum(0).tolist())
    else:
        found = sum(wants[covered](count) for count in counts)
    inside = [count for count in counts if wants["share"](count)]
    share = {
        "share": good.sum().item() / n,
        "count": float(good.sum().item()),
        "per cent": 100 * good.sum().item() / n,
        "bad": 1 - good.sum().item() / n,
        "modes": found / len(counts),
        "covered": sum(inside) / n,
        "twice": sum(counts) / n,
        "fullest": max(counts) / n,
        "per mode": good.sum().item() / len(counts),
    }[quality]
    return found, share


NEAREST = (
    "A sample that lies within the radius of two centres was counted for both: it belongs to the nearest one only."
)
ORDER = (
    "A sample that lies within the radius of several centres was given to the {} of them in the list: it belongs to "
    "the *nearest* one. So measure the distances to all centres first, and take the smallest."
)
SHARE = "A mode is covered when at least `least` of *all* samples are good ones of its own."
Faults = dict[str, str]
# What to say, and the answers that it is said of. A test holds that no two reasons fit the same numbers.
MISTAKES: tuple[tuple[str, tuple[Faults, ...]], ...] = (
    (
        "Samples that lie far from every centre were counted for the nearest one, or as good. Only those within "
        "`radius` count: a generator that throws points everywhere covers nothing.",
        ({"home": "far too"}, {"covered": "however far"}),
    ),
    ("Samples within the radius were left out, and those beyond it counted.", ({"home": "far"},)),
    (
        "The missing modes were counted: wanted is how many are covered.",
        ({"covered": "missed"},),
    ),
    (
        "The smallest distance was looked for along the samples: that is for each *centre* its nearest sample. Wanted "
        "is for each sample its nearest centre: distances of shape (samples, modes) need min(dim=1), not min(dim=0).",
        ({"home": "the samples' axis"},),
    ),
    (
        "One good sample was enough to cover a mode. Either a *number* of samples was compared with `least`, which is "
        "a share (divide by the number of samples first), or it was only asked whether any sample is near the centre, "
        f"as distances.min(dim=0) does. {SHARE}",
        ({"covered": "a stray"},),
    ),
    (
        "The good samples of a mode were divided by the samples that belong to this mode: so a single one, alone in "
        f"its place, has a share of 1. {SHARE}",
        ({"covered": "of its own"},),
    ),
    (
        f"`least` was divided by the number of modes: it is a share of all samples as it comes in. {SHARE}",
        ({"covered": "a part of least"},),
    ),
    (ORDER.format("first"), ({"home": "first"},)),
    (ORDER.format("last"), ({"home": "last"},)),
    (NEAREST, ({"home": "any"}, {"home": "any", "quality": "twice"})),
    (
        "The *squared* distance was compared with the radius: its root is missing.",
        ({"distance": "squared"},),
    ),
    (
        "The distance is the root of the summed squares of both differences: neither the sum of their sizes, nor the "
        "larger one, nor a mean.",
        ({"distance": "l1"}, {"distance": "box"}, {"distance": "mean"}),
    ),
    (
        "The length was taken over the centres, dim=1: samples[:, None] - centres is (samples, modes, 2), and a "
        "distance sums over the last axis, dim=2.",
        ({"distance": "over the centres"},),
    ),
    (f"More than `least` was asked for: `at least` includes it. {SHARE}", ({"covered": "strict"},)),
    (
        f"The share was taken of the good samples alone, and it is of all: with few good ones, few modes are "
        f"covered. {SHARE}",
        ({"covered": "of the good"},),
    ),
    (
        f"An even share was asked of each mode, and `least` was left out. {SHARE}",
        ({"covered": "even share"},),
    ),
    ("All modes were counted, whether samples lie there or not.", ({"covered": "all"},)),
    ("high_quality is the share of *samples* that are good, and this is the share of modes.", ({"quality": "modes"},)),
    ("high_quality is a share, from 0 to 1: this is a number of samples.", ({"quality": "count"},)),
    ("high_quality is a share, from 0 to 1: this is in per cent.", ({"quality": "per cent"},)),
    ("This is the share of *bad* samples: high_quality is that of the good ones.", ({"quality": "bad"},)),
    (
        "The good samples of modes that are not covered were left out: for high_quality every good sample counts.",
        ({"quality": "covered"},),
    ),
    (
        "This is the share of the fullest mode alone: high_quality is that of all good samples.",
        ({"quality": "fullest"},),
    ),
    (
        "The good samples were divided by the number of modes: the share is of the samples.",
        ({"quality": "per mode"},),
    ),
)


def _way(faults: Faults, passed: list[tuple[Any, ...]]) -> Callable[..., bool]:
    """Whether this mistake gives these numbers, and gave the right ones on all inputs that were passed."""

    def shows(args: tuple[Any, ...], wanted: Pair) -> bool:
        return not matches(_coverage(*args, **faults), wanted)

    def fits(got: Any, wanted: Pair, *args: Any) -> bool:
        return (
            shows(args, wanted)
            and matches(got, _coverage(*args, **faults))
            and not any(shows(before, _coverage(*before)) for before in passed)
        )

    return fits


def _numbers(got: Any) -> bool:
    return type(got) in (tuple, list) and len(got) == 2


# After the mistakes above. The order matters: the first suspect that fits is named.
SUSPECTS = (
    Suspect(
        f"The two came back in the wrong order: it is {NAMES}.",
        lambda got, wanted, *args: (
            _numbers(got)
            and [number(part) for part in got[::-1]] == [float(part) for part in wanted]
            and got[0] != got[1]
        ),
    ),
    Suspect(
        "The numbers are right: covered is an int and high_quality a float, in a tuple. .item() makes a number of a "
        "tensor, and `return covered, high_quality` a tuple.",
        lambda got, wanted, *args: (
            _numbers(got) and all(abs(number(one) - right) < 1e-5 for one, right in zip(got, wanted, strict=True))
        ),
    ),
    Suspect(
        "Two numbers come back: return covered, high_quality.",
        lambda got, wanted, *args: not _numbers(got) and got is not None,
    ),
    Suspect(
        "high_quality is right, and covered is not. Count for each mode the good samples whose nearest centre it is, "
        "and compare with least times the number of samples.",
        lambda got, wanted, *args: _numbers(got) and matches(got[1], wanted[1]),
    ),
    Suspect(
        "covered is right, and high_quality is not: the share of all samples that lie within the radius of their "
        "nearest centre.",
        lambda got, wanted, *args: _numbers(got) and matches(got[0], wanted[0]),
    ),
)
CRASHES = (
    IN_PLACE,
    ("ZeroDivisionError", "A mode may have no sample at all, and something was divided by their number."),
    (
        "must match the size",
        "samples is (samples, 2) and centres (modes, 2): samples[:, None] - centres is (samples, modes, 2), each "
        "sample beside each centre.",
    ),
    (
        "Boolean value of Tensor with more than one value",
        "An `if` was given many truths at once: torch.where, or a mask, decides for each sample.",
    ),
    (
        "can only convert an array of size 1",
        ".item() is for a tensor with one number: sum or count first.",
    ),
    ("cannot be converted to Scalar", ".item() is for a tensor with one number: sum or count first."),
    (
        "output with shape",
        "The shapes of a sum do not fit: bincount(..., minlength=len(centres)) gives a count for every mode, also "
        "where no sample lies.",
    ),
)
WRONG = (
    "By hand: for each sample its nearest centre, and whether it lies within the radius. high_quality is the share of "
    "those that do; covered counts the centres that have at least least * len(samples) of them."
)


def check(subject: Subject, seed: int | None) -> str:
    passed: list[tuple[Any, ...]] = []
    mistakes = [Suspect(reason, _way(faults, passed)) for reason, several in MISTAKES for faults in several]
    ask = Examiner("12.coverage", "mode_coverage", subject, (*mistakes, *SUSPECTS), CRASHES)
    generator = torch.Generator().manual_seed(1 if seed is None else seed)
    for args in chain(cases(), (draw(generator, round_) for round_ in range(16))):
        ask.value(args, _coverage(*args), generic=WRONG, names=NAMES)
        passed.append(args)
    return f"right on {ask.asked} sets of samples: strays, empty modes, circles that overlap, and none that is good."


def cases() -> list[tuple[Any, ...]]:
    """By hand: eight samples, six centres. Then lonely samples, a crowd, circles that overlap, no good sample.

    A mistake shows on one of them, and there its numbers are its own.
    """
    centres = torch.tensor([[0.0, 0.0], [4.0, 0.0], [0.0, 4.0], [4.0, 4.0], [8.0, 0.0], [8.0, 4.0]])
    near = torch.tensor([[0.5, 0.0], [0.4, -0.5], [0.4, 0.3], [4.5, 0.25], [3.5, 0.0], [0.25, -0.25]])
    far = torch.tensor([[4.7, 4.6], [2.5, 3.0]])
    # Of six, two, one and one good samples; and seven that belong to the second centre, far from it.
    alone = torch.tensor([[0.0, 0.3], [0.2, 0], [-0.3, 0.1], [0, 0], [0.1, -0.4], [0.4, 0.2], [4, 0.3], [4.2, 0.1]])
    alone = torch.cat([alone, torch.tensor([[0.1, 3.9], [3.8, 4.2], [-1.2, 0], [-1, -1], [0, -1.5]])])
    alone = torch.cat([alone, torch.tensor([[5.2, 0], [5, -1], [4, -1.5], [3, -1], [6, 0], [5.5, 0.5], [4.5, -2]])])
    line = torch.tensor([[3.0, 0.0], [0.0, 0.0], [2.0, 0.0], [1.0, 0.0], [4.0, 0.0]])
    on_line = torch.tensor([[3, 0.2], [4.2, -0.2], [3.2, -0.2], [3, 0.6], [-0.4, -0.4], [3.9, -0.3], [-0.5, 0.1]])
    on_line = torch.cat([on_line, torch.tensor([[0, 0.2], [4.5, -0.5], [2, -0.6], [7, 1], [-3, 0.5]])])
    return [
        (torch.cat([near, far]), centres, 0.8, 0.25),
        (alone, centres[:4], 0.8, 0.25),
        _crowd(torch.Generator().manual_seed(72)),
        (on_line, line, 1.25, 0.25),
        (on_line + 20.0, line, 1.25, 0.125),
        (near.double(), centres[:1].double(), 0.6, 0.0625),
    ]


def _crowd(generator: torch.Generator) -> tuple[Any, ...]:
    """Forty samples about six centres far apart, some modes fuller than others, and some samples far off."""
    centres = 5.0 * torch.tensor([[0, 0], [1, 0], [2, 0], [0, 1], [1, 1], [2, 1]])
    where = (6 * torch.rand(40, generator=generator) ** 2).long()
    off = 0.9 * torch.rand(40, 2, generator=generator)
    return centres[where] + off + 1.2 * (torch.rand(40, 1, generator=generator) < 0.4), centres, 1.0, 0.125


def draw(generator: torch.Generator, round_: int) -> tuple[Any, ...]:
    """Samples around some of the centres, and some anywhere; none so near to a border that rounding decides."""

    def number(low: int, high: int) -> int:
        return int(torch.randint(low, high + 1, (), generator=generator))

    modes, n = number(1, 8), number(1, 60)
    spread = (0.2, 0.6, 1.5)[round_ % 3]
    radius = round(spread * (0.8 + 1.7 * torch.rand((), generator=generator).item()), 2)
    centres = torch.rand(modes, 2, generator=generator) * 8 - 4
    reached = number(1, modes)
    where = torch.randint(0, reached, (4 * n,), generator=generator)
    samples = centres[where] + spread * torch.randn(4 * n, 2, generator=generator)
    anywhere = torch.rand(4 * n, generator=generator) < 0.2
    samples = torch.where(anywhere[:, None], torch.rand(4 * n, 2, generator=generator) * 12 - 6, samples)
    apart = DISTANCES["length"](samples[:, None] - centres)
    two = apart.sort(dim=1).values[:, :2]
    clear = ((apart - radius).abs() > 1e-3).all(1) & ((two[:, -1] - two[:, 0] > 1e-3) | (modes == 1))
    samples = samples[clear][:n]  # of four times as many, enough are clear
    if round_ % 4 == 1:
        samples, centres = samples.double(), centres.double()
    if round_ % 4 == 2:  # the same numbers, in another order in memory
        samples, centres = samples.T.contiguous().T, centres.T.contiguous().T
    return samples, centres, radius, (0.25, 0.125, 0.0625, 0.03125)[number(0, 3)]


EXERCISE = Exercise(
    id="12.coverage",
    name="mode_coverage",
    title="Which of the modes are there?",
    objectives=("12-O4",),
    difficulty=1,
    minutes=10,
    points=2,
    task="Write mode_coverage(samples, centres, radius, least): samples (samples, 2) of a generator, centres (modes, "
    "2), and two numbers. A sample belongs to its nearest centre, and is good when it lies within `radius` of it. A "
    "mode is covered when at least the share `least` of all samples are good ones of its own. Return (covered, "
    "high_quality): how many modes are covered, an int, and the share of all samples that are good, a float.",
    ranges="1 to 60 samples, 1 to 8 modes, radii of 0.1 to 4, circles that may overlap, least 1/32, 1/16, 1/8 or 1/4; "
    "no sample lies just on a circle, or half-way between two centres; float32 and float64; tensors that are views "
    "of others",
    hints=(
        "Two questions for each sample: to which centre does it belong, and is it near enough to count? A third one "
        "for each centre: are there enough?",
        "samples[:, None] - centres is (samples, modes, 2): from it the distances, (samples, modes). min(dim=1) gives "
        "the nearest distance and which centre it is. Count the good ones for each centre.",
        "to_nearest, nearest = distances.min(dim=1); good = to_nearest <= radius; counts = "
        "torch.bincount(nearest[good], minlength=len(centres)); covered where counts >= least * len(samples).",
    ),
    reference=mode_coverage,
    walkthrough="Each sample is given to one centre and counts only within the radius, so that points thrown anywhere "
    "cover nothing. The share `least` keeps a single stray from covering a mode, and high_quality says what the count "
    "of modes cannot: how many samples are good at all.",
    where="exercises/12-gan/12-gan-exercises.ipynb",
    check=check,
)
