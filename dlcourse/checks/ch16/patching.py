"""16.patching: one unit at a time from a clean run into a corrupted one, and what of the difference it restores."""

from collections.abc import Callable
from functools import cache
from itertools import chain
from typing import Any

import torch
from torch import Tensor

from dlcourse.checks.ch08.several import IN_PLACE
from dlcourse.checks.ch15.shared import Mistakes, in_another_form, size
from dlcourse.checks.ch16.shared import WHERE, Smaller, explain, first_wrong, kin, rounding, row, suspects
from dlcourse.checks.examiner import Examiner, Suspect, matches
from dlcourse.checks.exercise import Exercise
from dlcourse.checks.subject import Subject

Two = tuple[Tensor, Tensor]
NAMES = ("first", "second")


def patching(clean, corrupted, one, other, w1, b1, w2, b2, w3, b3):
    def metric(second):
        scores = w3 @ second + b3
        return scores[one] - scores[other]

    def deeper(first):
        return torch.relu(w2 @ first + b2)

    first, base_first = torch.relu(w1 @ clean + b1), torch.relu(w1 @ corrupted + b1)
    second, base_second = deeper(first), deeper(base_first)
    low, high = metric(base_second), metric(second)

    def each_unit(source, base, finish):
        patched = torch.where(torch.eye(len(base)).bool(), source, base)  # a row for each unit
        return torch.stack([(finish(units) - low) / (high - low) for units in patched])

    return each_unit(first, base_first, lambda units: metric(deeper(units))), each_unit(second, base_second, metric)


def _patching(
    clean: Tensor,
    corrupted: Tensor,
    one: int,
    other: int,
    *weights: Tensor,
    into: str = "corrupted",
    later: str = "anew",
    put: str = "clean",
    units: str = "one",
    metric: str = "difference",
    report: str = "share",
) -> Two:
    """Both layers with some of the faults, in float64."""
    dtype = clean.dtype
    clean, corrupted, w1, b1, w2, b2, w3, b3 = (each.double() for each in (clean, corrupted, *weights))

    def measured(second: Tensor) -> Tensor:
        z = w3 @ second + b3
        p = z.softmax(0)
        return {
            "difference": lambda: z[one] - z[other],
            "one": lambda: z[one],
            "other": lambda: z[other],
            "probability": lambda: p[one],
            "probabilities": lambda: p[one] - p[other],
            "log-probability": lambda: z.log_softmax(0)[one],
            "largest": lambda: z.max() - z[other],
            "sum": lambda: z.sum(),
        }[metric]()

    before, base_before = w1 @ clean + b1, w1 @ corrupted + b1
    first, base_first = before.relu(), base_before.relu()
    before_second, base_before_second = w2 @ first + b2, w2 @ base_first + b2
    second, base_second = before_second.relu(), base_before_second.relu()
    high, low = measured(second), measured(base_second)
    if into == "clean":
        before, before_second, first, base_first = base_before, base_before_second, base_first, first
        second, base_second = base_second, second

    def deeper(hidden: Tensor) -> Tensor:
        return {
            "anew": lambda: (w2 @ hidden + b2).relu(),
            "no ReLU": lambda: w2 @ hidden + b2,
            "corrupted": lambda: base_second,
            "clean": lambda: second,
        }[later]()

    def each_unit(source: Tensor, base: Tensor, raw: Tensor, finish: Any) -> Tensor:
        new = {
            "clean": source,
            "before": raw,
            "zero": torch.zeros_like(source),
            "change": source - base,
            "added": source + base,
            "mean": (source + base) / 2,
        }[put]
        eye = torch.eye(len(base), dtype=torch.bool)
        where = {
            "one": eye,
            "up to here": torch.ones_like(eye).tril(),
            "all": torch.ones_like(eye),
        }.get(units, eye)
        return torch.stack([finish(torch.where(chosen, new, base)) for chosen in where])

    def in_full(x: Tensor) -> Tensor:
        return measured((w2 @ (w1 @ x + b1).relu() + b2).relu())

    both = [
        each_unit(first, base_first, before, lambda hidden: measured(deeper(hidden))),
        each_unit(second, base_second, before_second, measured),
    ]
    if units == "inputs":
        both[0] = each_unit(clean, corrupted, clean, in_full)
    elif units == "on top":  # of the last patch of the first layer
        base_second = deeper(torch.cat([base_first[:-1], first[-1:]]))
        both[1] = each_unit(second, base_second, before_second, measured)
    shares = []
    for patched in both:
        share = {
            "share": lambda patched: (patched - low) / (high - low),
            "difference": lambda patched: patched - low,
            "metric": lambda patched: patched,
            "over clean": lambda patched: (patched - low) / high,
            "patched over clean": lambda patched: patched / high,
            "over corrupted": lambda patched: (patched - low) / low,
            "size": lambda patched: (patched - low) / (high - low).abs(),
            "sizes": lambda patched: ((patched - low) / (high - low)).abs(),
            "what is missing": lambda patched: (high - patched) / (high - low),
            "from clean": lambda patched: (patched - high) / (high - low),
            "turned round": lambda patched: (patched - low) / (low - high),
            "between 0 and 1": lambda patched: ((patched - low) / (high - low)).clamp(0, 1),
            "over the sum": lambda patched: (patched - low) / (patched - low).sum(),
            "per cent": lambda patched: 100 * (patched - low) / (high - low),
        }[report](patched)
        shares.append(share.to(dtype))
    return shares[0], shares[1]


SHARE = "(patched - corrupted) / (clean - corrupted), each of the metric: 0 where nothing is restored, 1 where all is."
INTO = "What is wanted: the run is the corrupted one, and one unit of it holds what it held in the clean run."
STAYS = (
    "The patches stay: with the second unit, the first is still patched. Begin each time with the corrupted run's own "
    "activations, a .clone() of them."
)
INPUTS = (
    "An *input* was patched, an entry of x, and not a unit: the numbers exchanged are those of the first layer, "
    "torch.relu(w1 @ x + b1), of both runs."
)
METRIC = "The metric is logit[one] - logit[other]"
# What to say, and the answers that it is said of. A test holds that no two reasons fit the same numbers.
MISTAKES: Mistakes = (
    (
        "It was patched the other way round: a corrupted activation into the clean run (or, which is the same, all "
        f"units but the one into the corrupted run). That asks what is *needed*; here it is what *suffices*. {INTO}",
        (
            {"into": "clean"},
            {"into": "clean", "report": "what is missing"},
            {"into": "clean", "report": "from clean"},
        ),
    ),
    (
        "The second layer was not computed anew after a unit of the first was patched: it stayed as in the corrupted "
        "run, so nothing can change. All that comes later follows from what was put in.",
        ({"later": "corrupted"},),
    ),
    (
        "After a unit of the first layer was patched, the second layer was taken from the clean run: so all seems "
        "restored. All that comes later follows from what was put in.",
        ({"later": "clean"},),
    ),
    (
        "The second layer was computed anew without its ReLU.",
        ({"later": "no ReLU"},),
    ),
    (STAYS, ({"units": "up to here"},)),
    (INPUTS, ({"units": "inputs"},)),
    (
        "The second layer's patches were put on top of one in the first: its activations came from a patched run. "
        "Begin with those of the corrupted run itself.",
        ({"units": "on top"},),
    ),
    (f"The whole layer was patched at once: that restores all of it. {INTO}", ({"units": "all"},)),
    (
        "The unit was set to 0: that is an ablation, and asks what happens without it. " + INTO,
        (
            {"put": "zero"},
            {"put": "zero", "into": "clean"},
            {"put": "zero", "into": "clean", "report": "what is missing"},
        ),
    ),
    (
        "The number from *before* the ReLU was put in: where it is below 0, no unit could ever hold it. The activation "
        "is what comes after.",
        ({"put": "before"},),
    ),
    (
        f"Not the clean activation was put in, but a difference, a sum or a mean of the two runs. {INTO}",
        ({"put": "change"}, {"put": "added"}, {"put": "mean"}),
    ),
    (f"The rise of the metric came back, and was not divided. Wanted is {SHARE}", ({"report": "difference"},)),
    (f"The metric itself came back. Wanted is {SHARE}", ({"report": "metric"},)),
    (
        f"It was divided by the metric of the clean run. Wanted is {SHARE}",
        ({"report": "over clean"}, {"report": "patched over clean"}),
    ),
    (f"It was divided by the metric of the corrupted run. Wanted is {SHARE}", ({"report": "over corrupted"},)),
    (
        f"The *size* of the difference was taken, so that restored and made worse change places. Wanted is {SHARE}",
        ({"report": "size"},),
    ),
    (
        "The sizes came back: a unit may make it worse, its share is below 0 then.",
        ({"report": "sizes"},),
    ),
    (
        f"This is how much is still missing, 1 less the share. Wanted is {SHARE}",
        ({"report": "what is missing"},),
    ),
    (
        f"The difference was taken from the clean run. Wanted is {SHARE}",
        ({"report": "from clean"},),
    ),
    (f"The sign is turned round. Wanted is {SHARE}", ({"report": "turned round"},)),
    (
        "The shares were cut to [0, 1]: one unit may restore more than all together, and another make it worse.",
        ({"report": "between 0 and 1"},),
    ),
    (
        "The shares of a layer were brought to a sum of 1. They need not add up to 1: the units work together.",
        ({"report": "over the sum"},),
    ),
    ("The shares are in per cent.", ({"report": "per cent"},)),
    (f"{METRIC}, and this is one logit alone.", ({"metric": "one"}, {"metric": "other"})),
    (f"{METRIC}, and these are probabilities.", ({"metric": "probability"}, {"metric": "probabilities"})),
    (
        f"{METRIC}, and this is a log-probability, in which all other classes are as well.",
        ({"metric": "log-probability"},),
    ),
    (
        f"{METRIC}, of these two classes in every run: here the largest logit was taken.",
        ({"metric": "largest"},),
    ),
    (f"All logits were added up. {METRIC}.", ({"metric": "sum"},)),
)


def _of(layer: int, units: str) -> Callable[..., bool]:
    """The first layer that is wrong is this one, and it is that of the mistake, whatever came of the other."""

    def fits(got: Any, wanted: Two, *args: Any) -> bool:
        if not kin(got, wanted) or not all(map(matches, got[:layer], wanted[:layer])):
            return False
        part = _patching(*args, units=units)[layer]
        return not matches(part, wanted[layer]) and matches(got[layer], part)

    return fits


# The order matters: the first suspect that fits is named.
SUSPECTS = (
    *suspects(_patching, MISTAKES),
    Suspect(STAYS, _of(0, "up to here")),
    Suspect(STAYS, _of(1, "up to here")),
    Suspect(INPUTS, _of(0, "inputs")),
    Suspect(
        "The two came back in reverse order: first, then second.",
        lambda got, wanted, *args: matches(got, wanted[::-1]) and not matches(wanted, wanted[::-1]),
    ),
    Suspect(
        "Two tensors come back in a tuple: return first, second.",
        lambda got, wanted, *args: got is not None and (type(got) is not tuple or len(got) != 2),
    ),
    Suspect(
        "Both parts are tensors, a number for each unit: torch.stack makes one of a list of tensors.",
        lambda got, wanted, *args: type(got) is tuple and any(type(one) in (list, tuple) for one in got),
    ),
)
CRASHES = (
    IN_PLACE,
    ("name 'deep_logits' is not defined", "deep_logits is in a cell above this one: run it."),
    (
        "size mismatch",
        "A layer's weight is (units, inputs) and its input one vector: torch.relu(w1 @ x + b1) is the first layer. "
        "After a patch of the first layer the second begins with w2 @ first, not with w1.",
    ),
    (
        "must match the size",
        "Two shapes do not fit: a run's first layer has len(b1) numbers, its second len(b2).",
    ),
    (
        "out of bounds",
        "This layer has fewer units: len(b1) in the first, len(b2) in the second.",
    ),
)


def by_hand(args: tuple[Any, ...], layer: int, unit: int) -> str:
    """One unit's patch in numbers."""
    _, _, one, other, *_ = args
    clean, corrupted, w1, b1, w2, b2, w3, b3 = (each.double() for each in (*args[:2], *args[4:]))
    runs = []
    for x in (clean, corrupted):
        first = (w1 @ x + b1).relu()
        runs.append((first, (w2 @ first + b2).relu()))
    base = runs[1][layer]
    patched = base.clone()
    patched[unit] = runs[0][layer][unit]
    second = patched if layer else (w2 @ patched + b2).relu()
    logits = [w3 @ run + b3 for run in (runs[0][1], runs[1][1], second)]
    high, low, now = ((z[one] - z[other]).item() for z in logits)
    then = "" if layer else f"From there the second layer is {row(second)}. "
    return (
        f"Unit {unit} of {NAMES[layer]}, in numbers. The metric, logit[{one}] - logit[{other}], is {high:.4g} in the "
        f"clean run and {low:.4g} in the corrupted one, whose {NAMES[layer]} layer is {row(base)}. With unit {unit} "
        f"from the clean run it is {row(patched)}. {then}The logits are {row(logits[2])}, the metric {now:.4g}: so "
        f"({now:.4g} - {low:.4g}) / ({high:.4g} - {low:.4g}) = {(now - low) / (high - low):.4g}."
    )


def _smaller(got: Two, wanted: Two, *args: Any) -> Smaller:
    """The same call: of what comes back, the first number that is wrong."""

    def tell(came: Two, right: Two) -> str:
        layer = next(n for n in (0, 1) if n or not matches(came[0], right[0]))
        return by_hand(args, layer, first_wrong(came[layer], right[layer], rounding(*args))[0])

    yield args, tell


def check(subject: Subject, seed: int | None) -> str:
    ask = Examiner("16.patching", "patching", subject, SUSPECTS, CRASHES)
    generator = torch.Generator().manual_seed(1 if seed is None else seed)
    generic = f"Take one unit of the first layer. {INTO} Compute on from there, and report {SHARE}"
    for args in chain(cases(), (draw(generator, round_) for round_ in range(12))):
        explain(ask, args, _patching, _smaller, generic=generic, slack=rounding(*args), names=NAMES)
    return (
        f"right on {ask.asked} pairs of runs. A share near 1 says that this unit suffices, for this pair of inputs; "
        "that it is needed, only the patch the other way round can say."
    )


@cache
def cases() -> list[tuple[Any, ...]]:
    """Pairs on which every mistake shows, with numbers of its own; then by hand, a network that wants both its units.

    By hand: the second layer's only unit is on by as much as both of the first are together above 1.
    """
    by_hand = (
        torch.tensor([1.0, 1.0]),
        torch.tensor([0.0, 0.5]),
        0,
        1,
        torch.eye(2),
        torch.zeros(2),
        torch.tensor([[1.0, 1.0]]),
        torch.tensor([-1.0]),
        torch.tensor([[2.0], [0.0]]),
        torch.zeros(2),
    )
    return [*(draw(torch.Generator().manual_seed(seed), 0, large=True) for seed in (7, 0)), by_hand]


def draw(generator: torch.Generator, round_: int, large: bool = False) -> tuple[Any, ...]:
    """Again, while the two runs have nearly the same metric, or one that is nearly 0."""

    def of(parts: int, most: int, *shape: int) -> Tensor:
        return torch.randint(-most, most + 1, shape, generator=generator) / parts

    while True:
        features, first = (3, 3) if large else (size(generator, 1, 4), size(generator, 1, 4))
        second, classes = (3, 3) if large else (size(generator, 1, 4), size(generator, 2, 4))
        clean, corrupted = of(4, 8, features), of(4, 8, features)
        one = size(generator, 0, classes - 1)
        other = (one + size(generator, 1, classes - 1)) % classes
        weights = (
            *(of(8, 8, first, features), of(8, 4, first)),
            *(of(8, 8, second, first), of(8, 4, second)),
            *(of(4, 8, classes, second), of(8, 8, classes)),
        )
        high, low = (_metric(x, one, other, *weights) for x in (clean, corrupted))
        if abs(high - low) > 0.5 and abs(high) > 0.25 and abs(low) > 0.25:
            return in_another_form((clean, corrupted, one, other, *weights), round_)


def _metric(x: Tensor, one: int, other: int, *weights: Tensor) -> float:
    w1, b1, w2, b2, w3, b3 = weights
    logits = w3 @ (w2 @ (w1 @ x + b1).relu() + b2).relu() + b3
    return (logits[one] - logits[other]).item()


EXERCISE = Exercise(
    id="16.patching",
    name="patching",
    title="What is it used for?",
    objectives=("16-O3",),
    difficulty=3,
    minutes=20,
    points=3,
    task="Write patching(clean, corrupted, one, other, w1, b1, w2, b2, w3, b3) for a network of two hidden layers, "
    "first = relu(w1 @ x + b1), second = relu(w2 @ first + b2), logits = w3 @ second + b3. clean and corrupted "
    "(features,) are two inputs; the metric is logit[one] - logit[other]. For each unit of the first and of the second "
    "layer by itself: run the network on `corrupted`, put what this unit held in the clean run, after its ReLU, in "
    "its place, and compute the rest on from there. Return (first, second), two tensors with a number for each unit: "
    "(patched - corrupted) / (clean - corrupted) of the metric.",
    ranges="1 to 4 features, 1 to 4 units in each layer, 2 to 4 classes; inputs from -2 to 2, weights from -2 to 2; "
    "the metric of the two runs differs by more than 1/2; float32 and float64; tensors that are views of others",
    hints=(
        "Three runs: clean, corrupted, and corrupted with one number exchanged. Which numbers of the third run are the "
        "corrupted one's, and which follow anew?",
        "Keep first and second of both runs. For unit k of the first layer: a clone of the corrupted first, its "
        "entry k from the clean one, then relu(w2 @ first + b2), the logits, the metric. For the second layer only the "
        "logits are left to compute.",
        "patched = first_corrupted.clone(); patched[k] = first_clean[k]; then metric(relu(w2 @ patched + b2)); minus "
        "metric(corrupted), over metric(clean) - metric(corrupted). torch.stack over k, then the same for second.",
    ),
    reference=patching,
    walkthrough="All but one number of the corrupted run is left alone, and what follows is computed anew, so the rise "
    "of the metric is due to this unit. Divided by the whole difference it is a share: 0 restores nothing, 1 all, and "
    "the shares need not add up to 1.",
    where=WHERE,
    check=check,
)
