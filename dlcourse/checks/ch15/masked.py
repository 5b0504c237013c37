"""15.masked: an evaluation of a defence, freed of the four faults that make the defence look strong."""

from collections.abc import Callable
from functools import cache
from itertools import chain
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from dlcourse.checks.ch15.shared import (
    CRASHES,
    WHERE,
    Faults,
    Mistakes,
    best_wrong,
    draw_network,
    logits,
    size,
    slope_at,
)
from dlcourse.checks.examiner import Examiner, Suspect, matches, number, unlike
from dlcourse.checks.exercise import Exercise
from dlcourse.checks.show import apart
from dlcourse.checks.subject import Subject

Evaluated = tuple[float, float, Tensor]
NAMES = "(clean, robust, attacked)"
SCALE = 1e4


def evaluate(x, labels, starts, eps, step, steps, levels, scale, weights):
    w1, b1, w2, b2 = weights
    n = torch.arange(len(x), device=x.device)

    def scores(x):
        rounded = (x * (levels - 1)).round() / (levels - 1)
        through = x + (rounded - x).detach()
        return scale * (torch.tanh(through @ w1.T + b1) @ w2.T + b2)

    def attack(x_adv):
        for _ in range(steps):
            x_adv = x_adv.detach().requires_grad_()
            z = scores(x_adv)
            best = z.index_put((n, labels), torch.tensor(-torch.inf).to(z)).max(dim=1).values
            (slope,) = torch.autograd.grad((best - z[n, labels]).sum(), x_adv)
            x_adv = torch.clamp(x_adv.detach() + step * slope.sign(), x - eps, x + eps).clamp(0, 1)
        return x_adv

    attacked = torch.stack([attack(start) for start in starts])
    right = torch.stack([scores(each).argmax(dim=1) == labels for each in (x, *attacked)])
    return right[0].double().mean().item(), right.all(dim=0).double().mean().item(), attacked


def quantise(x: Tensor, levels: int) -> Tensor:
    """Pixels in [0, 1] -> the nearest of `levels` even ones."""
    return (x * (levels - 1)).round() / (levels - 1)


def defended(x: Tensor, levels: int, scale: float, weights: list[Tensor]) -> Tensor:
    """The defence of the exercise notebook: pixels rounded to even levels, and the logits times a large number."""
    return scale * logits(quantise(x, levels), *weights)


COUNTS: dict[str, Callable[..., float]] = {  # of answers (attacks, batch), those before (batch,), labels
    "each": lambda after, before, labels: ((after == labels).all(0) & (before == labels)).double().mean().item(),
    "not clean": lambda after, before, labels: (after == labels).all(0).double().mean().item(),
    "worst mean": lambda after, before, labels: ((after == labels) & (before == labels)).double().mean(1).min().item(),
    "worst mean, not clean": lambda after, before, labels: (after == labels).double().mean(1).min().item(),
    "mean": lambda after, before, labels: ((after == labels) & (before == labels)).double().mean().item(),
    "mean, not clean": lambda after, before, labels: (after == labels).double().mean().item(),
    "best": lambda after, before, labels: ((after == labels).any(0) & (before == labels)).double().mean().item(),
    "last": lambda after, before, labels: ((after[-1] == labels) & (before == labels)).double().mean().item(),
    "first": lambda after, before, labels: ((after[0] == labels) & (before == labels)).double().mean().item(),
    "unchanged": lambda after, before, labels: (after == before).all(0).double().mean().item(),
    "worst mean, unchanged": lambda after, before, labels: (after == before).double().mean(1).min().item(),
    "mean, unchanged": lambda after, before, labels: (after == before).double().mean().item(),
    "of the right": lambda after, before, labels: (
        ((after == labels).all(0) & (before == labels)).double().sum().item() / max((before == labels).sum().item(), 1)
    ),
    "fooled": lambda after, before, labels: 1 - ((after == labels).all(0) & (before == labels)).double().mean().item(),
    "per cent": lambda after, before, labels: (
        100 * ((after == labels).all(0) & (before == labels)).double().mean().item()
    ),
}


def _evaluate(
    x: Tensor,
    labels: Tensor,
    starts: Tensor,
    eps: float,
    step: float,
    steps: int,
    levels: int,
    scale: float,
    weights: list[Tensor],
    *,
    rounding: str = "through",
    loss: str = "margin",
    count: str = "each",
    way: str = "up",
    around: str = "x",
    box: str = "both",
    begin: str = "starts",
    judge: str = "defended",
    rounds: int = 0,
    rounded: str = "no",
) -> Evaluated:
    """All three with some of the faults, in the dtype that came: what is lost to rounding belongs to the faults."""

    def seen(x: Tensor) -> Tensor:
        if rounding == "left out":
            return x
        steps = quantise(x, levels)
        return steps if rounding == "flat" else x + (steps - x).detach()

    def raised(x: Tensor) -> Tensor:
        scores = scale * logits(seen(x), *weights)
        return {
            "margin": lambda: best_wrong(scores, labels),
            "cross-entropy": lambda: functional.cross_entropy(scores, labels, reduction="none"),
            "unscaled": lambda: functional.cross_entropy(scores / scale, labels, reduction="none"),
            "own logit": lambda: -scores.gather(1, labels[:, None])[:, 0],
            "best logit": lambda: scores.amax(1) - scores.gather(1, labels[:, None])[:, 0],
            "probabilities": lambda: best_wrong(scores.softmax(1), labels),
            "answer": lambda: functional.cross_entropy(scores, scores.argmax(1), reduction="none"),
            "two largest": lambda: scores.topk(2).values.diff()[:, 0],
            "label at 0": lambda: (
                scores.scatter(1, labels[:, None], 0).amax(1) - scores.gather(1, labels[:, None])[:, 0]
            ),
            "answer before": lambda: best_wrong(scores, before),
        }[loss]()

    def answer(x: Tensor) -> Tensor:
        if judge == "undefended":
            return logits(x, *weights).argmax(-1)
        return defended(x, levels, scale, weights).argmax(-1)

    before, rows = answer(x), labels
    at_x, start, first = (each.expand_as(starts).flatten(0, 1) for each in (x, starts, starts[0]))
    labels, before = (each.repeat(len(starts)) for each in (rows, before))  # the attacks from all starts at once
    x_adv = at_x if begin == "x" else start
    for _ in range(steps + rounds):
        if rounded == "from there":
            x_adv = quantise(x_adv, levels)
        slope = slope_at(raised, x_adv)
        direction = slope if way == "slope" else (-1 if way == "down" else 1) * slope.sign()
        pushed = x_adv + step * direction
        if rounded == "before the clamps":
            pushed = quantise(pushed, levels)
        centre = {"x": at_x, "last": x_adv, "start": start, "first start": first}[around]
        if box in ("both", "ball"):
            pushed = torch.clamp(pushed, centre - eps, centre + eps)
        x_adv = pushed.clamp(0, 1) if box in ("both", "box") else pushed
        if rounded == "after the clamps":
            x_adv = quantise(x_adv, levels)
    points = (quantise(x_adv, levels) if rounded == "at the end" else x_adv).view_as(starts)
    before, after = before[: len(rows)], answer(points)
    return (before == rows).double().mean().item(), COUNTS[count](after, before, rows), points


ROUNDING = (
    "The attack saw no slope, and stood still: that of rounding is 0. On the sweep back, let the rounding count as if "
    "it were not there: x + (rounded - x).detach() has its value, and the slope of x. Is that done already? Then "
    "something after your rounding rounds again: `defended` does, so take scale * logits(..., *weights) in its place. "
    "Or the two are swapped: rounded + (x - rounded).detach() has the value of x, and the slope of the rounding."
)
FLAT = (
    "Where the network is right, the attack stood still. Either it raises the cross-entropy: of logits times 10,000 "
    "that is exactly 0 there, and so is its slope, while no factor flattens the margin. Or the label's own logit is "
    "among those whose largest is taken: the margin is the best *wrong* logit minus the label's."
)
MEAN = (
    "robust is the smallest of the accuracies under each attack. An attacker chooses anew for each example: robust are "
    "the examples that stand against *all* attacks."
)
UNCHANGED = (
    "Answers were compared with those before the attack, not with the labels: an answer that was wrong before and "
    "stays so counts as robust. Robust is: right without attack, and right under every one."
)
# Each original fault: its keywords with the fault, what to say. The two of the counting share a keyword.
ATTACK_FAULTS: dict[tuple[bool, bool], tuple[Faults, str]] = {
    (True, True): ({"rounding": "flat", "loss": "cross-entropy"}, ROUNDING),
    (True, False): ({"rounding": "flat"}, ROUNDING),
    (False, True): ({"loss": "cross-entropy"}, FLAT),
}
COUNT_FAULTS: dict[tuple[bool, bool], tuple[str, str]] = {
    (True, True): ("worst mean, unchanged", f"{UNCHANGED} And it is the smallest of several means."),
    (True, False): ("worst mean, not clean", MEAN),
    (False, True): ("unchanged", UNCHANGED),
}
POINTS = "attacked are the last points of the attack from each start, (attacks, batch, features)."
FAR = "Pixels have moved by more than eps: the ball is missing, or it is not around x."
OUTSIDE = "The box is missing: pixels are below 0 or above 1."
# Of the attack alone: what to say, and the answers whose points it is said of.
ATTACKS: tuple[tuple[str, tuple[Faults, ...]], ...] = (
    *((reason, (faults,)) for faults, reason in ATTACK_FAULTS.values()),
    (FLAT, ({"loss": "best logit"},)),
    (
        "The attack was made on the network without its rounding. Its *values* belong to the defence: only the slope "
        "of the rounding is replaced, by that of x.",
        ({"rounding": "left out"}, {"rounding": "left out", "loss": "cross-entropy"}),
    ),
    (
        "The logits were made small again, and their cross-entropy was raised. That sees a slope as well, but asked is "
        "the margin: the best wrong logit minus the label's.",
        ({"loss": "unscaled"}, {"loss": "unscaled", "rounding": "left out"}),
    ),
    (
        "The label's logit alone was lowered: the margin also has the best wrong logit in it.",
        ({"loss": "own logit"},),
    ),
    (
        "The margin was taken between the two largest logits, the second minus the first. Where the network is wrong "
        "already, that leads back: it is the best wrong logit minus that of the *label*.",
        ({"loss": "two largest"},),
    ),
    (
        "The label's logit was set to 0, to leave it out: where all others are below 0, it is the largest still. "
        "-torch.inf in its place is never the largest.",
        ({"loss": "label at 0"},),
    ),
    (
        "The margin was taken against the answer without attack: it is the best wrong logit minus that of the *label*, "
        "also where the network was wrong before.",
        ({"loss": "answer before"},),
    ),
    (
        "x_adv itself was rounded. Rounding belongs to the defence, which does it to whatever it is given: the "
        "attack keeps its own point as it is.",
        tuple({"rounded": when} for when in ("before the clamps", "after the clamps", "from there", "at the end")),
    ),
    ("The attack goes down: it makes the network surer.", ({"way": "down"}, {"way": "down", "loss": "unscaled"})),
    ("The slope was added without its sign: in Linf each pixel moves by `step`.", ({"way": "slope"},)),
    (FAR, ({"box": "box"}, {"around": "last"}, {"around": "start"}, {"around": "first start"})),
    (OUTSIDE, ({"box": "ball"},)),
    ("All attacks began at x: each begins at its own start.", ({"begin": "x"},)),
    ("One step too many, or one too few.", ({"rounds": 1}, {"rounds": -1})),
)
# What looks alike on one question, and does not on another: what to say, and the answers that it is said of.
SURE = "The attack saw no slope, and stood still, but not for the rounding: with a scale of 1 it moves. "
SATURATED: Mistakes = (
    (
        f"{SURE}It raises the margin of *probabilities*. Those of logits times 10,000 are exactly 0 and 1, and flat: "
        "take the margin of the logits.",
        ({"loss": "probabilities"},),
    ),
    (
        f"{SURE}It raises the loss of the network's own answer. Of logits times 10,000 that is exactly 0, and flat; "
        "and it is the label that counts: raise the margin.",
        ({"loss": "answer"},),
    ),
)
BALLS: Mistakes = (
    (
        "The ball is missing: pixels have moved by more than eps. Clamp to x - eps, x + eps after each step.",
        ({"box": "box"},),
    ),
    (
        "The ball is around the last point, so that the attack walks away from x. It is around x, and stays there.",
        ({"around": "last"},),
    ),
    (
        "The ball is around the start. It is around x, from wherever the attack begins.",
        ({"around": "start"}, {"around": "first start"}),
    ),
)
# Of the counting alone, with right points.
COUNTING: tuple[tuple[str, tuple[str, ...]], ...] = (
    *((reason, (count,)) for count, reason in COUNT_FAULTS.values()),
    (MEAN, ("worst mean",)),
    (
        "The accuracies under the attacks were averaged. An attacker chooses anew for each example: robust are those "
        "that stand against *all* attacks.",
        ("mean", "mean, not clean", "mean, unchanged"),
    ),
    (
        "Not all attacks were counted: one alone, or whether an example stands against any of them. Robust are those "
        "that stand against *all*.",
        ("best", "last", "first"),
    ),
    (
        "An example that is wrong without any attack counted as robust, since the attack pushed it to the right class. "
        "Right without attack, too.",
        ("not clean",),
    ),
    (
        "This is the share of those that were right before: robust accuracy is a share of *all* examples, so that it "
        "is never above clean.",
        ("of the right",),
    ),
    ("This is the share of those that *fell*: robust is the share that stands.", ("fooled",)),
    ("robust is a share from 0 to 1, not in per cent.", ("per cent",)),
)
MORE = " It is not the only fault that is left."
ATTACK = (
    "The points of the attack are not those that were meant. Take one example and one step: the margin of the rounded "
    "picture, its slope with the rounding left out on the sweep back, its sign times step, then within eps of x, "
    "then within 0 and 1."
)
COUNT = (
    "The points of the attack are right, and what is counted is not: robust is the share of all examples that are "
    "right without attack and right under every one."
)
CLEAN = "clean is the share of examples whose answer, from the defended network and without attack, is the label."


def _is(got: Any) -> bool:
    return type(got) is tuple and len(got) == 3 and isinstance(got[2], Tensor)


def _points(got: Any, points: Tensor) -> bool:
    """The same points, but for rounding."""
    return (
        _is(got)
        and got[2].dtype == points.dtype
        and got[2].shape == points.shape
        and torch.allclose(got[2], points, rtol=0, atol=_slack(points.dtype))
    )


def _slack(dtype: torch.dtype) -> float:
    return 1e-5 if dtype == torch.float32 else 1e-9


def _of_attack(faults: Faults) -> Callable[..., bool]:
    def fits(got: Any, wanted: Evaluated, *args: Any) -> bool:
        if not _is(got) or unlike(got[2], wanted[2]):  # the program need not run
            return False
        value = _evaluate(*args, **faults)
        return not _points(value, wanted[2]) and _points(got, value[2])

    return fits


def _of_count(count: str) -> Callable[..., bool]:
    def fits(got: Any, wanted: Evaluated, *args: Any) -> bool:
        if not _points(got, wanted[2]):  # the program need not run
            return False
        value = _evaluate(*args, count=count)
        return not matches(value[1], wanted[1]) and matches(got[1], value[1])

    return fits


def _shaped(got: Any, wanted: Evaluated) -> bool:
    return _is(got) and got[2].shape == wanted[2].shape


# The order matters: the first suspect that fits is named.
SUSPECTS = (
    Suspect(
        "The first two are swapped: clean, then robust.",
        lambda got, wanted, *args: (
            _is(got) and wanted[0] != wanted[1] and [number(one) for one in got[:2]] == [wanted[1], wanted[0]]
        ),
    ),
    *(Suspect(reason, _of_attack(faults)) for reason, several in ATTACKS for faults in several),
    *(Suspect(reason, _of_count(count)) for reason, several in COUNTING for count in several),
    Suspect(
        "The numbers are right: clean and robust are floats. .item() makes one of a tensor.",
        lambda got, wanted, *args: (
            _points(got, wanted[2])
            and all(abs(number(one) - right) < 1e-5 for one, right in zip(got[:2], wanted[:2], strict=True))
        ),
    ),
    Suspect(
        f"Three come back: return clean, robust, attacked. And {POINTS}",
        lambda got, wanted, *args: not _is(got) and got is not None,
    ),
    Suspect(
        POINTS,
        lambda got, wanted, *args: _is(got) and got[2].shape != wanted[2].shape,
    ),
    Suspect(
        OUTSIDE,
        lambda got, wanted, *args: _shaped(got, wanted) and bool(((got[2] < -1e-4) | (got[2] > 1 + 1e-4)).any()),
    ),
    Suspect(
        FAR,
        lambda got, wanted, x, labels, starts, eps, *args: (
            _shaped(got, wanted) and bool(((got[2] - x).abs() > eps + 1e-4).any())
        ),
    ),
)
WRONG_CRASHES = (
    ("name 'defended' is not defined", "defended is in a cell above this one: run it."),
    ("name 'quantise' is not defined", "quantise is in a cell above this one: run it."),
    *CRASHES,
    (
        "stack expects",
        "torch.stack joins tensors of one shape: from each start comes one x_adv, (batch, features).",
    ),
)


def check(subject: Subject, seed: int | None) -> str:
    ask = Examiner("15.masked", "evaluate", subject, SUSPECTS, WRONG_CRASHES)
    generator = torch.Generator().manual_seed(1 if seed is None else seed)
    for args in chain(cases(), (draw(generator, round_) for round_ in range(8))):
        _compare(ask, args, _evaluate(*args))
    return f"right on {ask.asked} defences. Four faults found: two hid the slope, two counted what had fallen."


def _compare(ask: Examiner, args: tuple[Any, ...], wanted: Evaluated) -> None:
    """First the points of the attack, then what is counted: of two faults, the earlier one is named."""
    called = ask.written(args)
    got = ask.ask(lambda: ask.subject.call(*args), called=called, wanted=f"{NAMES}, two floats and a tensor")
    if not _is(got) or unlike(got[2], wanted[2]):
        ask.compare(got, wanted, args, called=called, generic=POINTS, names=NAMES)
    attacked = _points(got, wanted[2])
    more = not attacked and _counted(got, args)
    for place, (name, generic) in enumerate((("clean", CLEAN), ("robust", COUNT), ("attacked", ATTACK))):
        there = attacked if place == 2 else matches(got[place], wanted[place])
        if there or (place == 1 and not attacked):  # robust follows from the points: speak of those first
            continue
        came_back, right = (f"{name} = {text}" for text in _apart(got[place], wanted[place]))
        reason = next((suspect.reason for suspect in ask.suspects if suspect.fits(got, wanted, *args)), generic)
        reason = _asked_again(ask, args, reason)
        ask.fail(called=called, came_back=came_back, wanted=right, reason=reason + MORE * more)


def _asked_again(ask: Examiner, args: tuple[Any, ...], reason: str) -> str:
    """A more exact reason, where another question tells apart what looks alike on this one."""
    x, labels, starts, eps, step, steps, levels, scale, weights = args
    if reason == ROUNDING:  # is it the rounding that is flat, or what the scale has made so sure?
        scale, mistakes = 1.0, SATURATED
    elif reason == FAR:  # steps longer than eps
        starts, eps, step, mistakes = x + (starts - x) * (0.1 / eps), 0.1, 0.15, BALLS
    else:
        return reason
    again = x, labels, starts, eps, step, steps, levels, scale, weights
    wanted = f"{NAMES}, two floats and a tensor"
    got = ask.ask(lambda: ask.subject.call(*again), called=ask.written(again), wanted=wanted)
    return next(
        (
            told
            for told, several in mistakes
            for faults in several
            if _of_attack(faults)(got, _evaluate(*again), *again)
        ),
        reason,
    )


def _counted(got: Evaluated, args: tuple[Any, ...]) -> bool:
    """With the points that came back, is robust counted in one of the two ways of the broken program, and wrongly?"""
    x, labels, *_, levels, scale, weights = args
    before = defended(x, levels, scale, weights).argmax(1)
    after = defended(got[2], levels, scale, weights).argmax(-1)
    right = COUNTS["each"](after, before, labels)
    return not matches(got[1], right) and any(
        matches(got[1], COUNTS[count](after, before, labels)) for count, _ in COUNT_FAULTS.values()
    )


def _apart(got: Any, wanted: Any) -> tuple[str, str]:
    if not isinstance(wanted, Tensor):
        return apart(got, wanted)
    wrong = ~((got - wanted).abs() <= _slack(wanted.dtype))
    return apart(got, wanted, tuple(wrong.nonzero()[0].tolist()))


@cache
def cases() -> list[tuple[Any, ...]]:
    """The first was found by a search: every mistake shows on it, and its numbers are its own."""
    x = [28, 10, 40, 37, 26, 25, 21, 74, 25, 41, 6, 7, 83]
    starts = [
        [31, 40, 55, 46, 51, 0, 42, 100, 53, 32, 14, 20, 100],
        [22, 0, 66, 44, 48, 0, 0, 57, 19, 20, 0, 0, 94],
        [43, 34, 29, 14, 8, 2, 38, 82, 50, 49, 15, 0, 64],
    ]
    weights = [[[-6], [8], [1]], [4, 0, -2], [[16, 4, -14], [12, 16, -16], [6, 4, 6]], [-3, -3, 2]]
    telling = (
        torch.tensor(x)[:, None] / 100,
        torch.tensor([1, 0, 1, 1, 0, 0, 1, 1, 1, 1, 2, 0, 2]),
        torch.tensor(starts)[:, :, None] / 100,
        0.3,
        0.05,
        2,
        5,
        SCALE,
        [torch.tensor(weight) / 8 for weight in weights],
    )
    return [telling, *(draw(torch.Generator().manual_seed(seed), 0, large=True) for seed in (129, 181))]


def draw(generator: torch.Generator, round_: int, large: bool = False) -> tuple[Any, ...]:
    """Again, while rounding may decide: a pixel half-way between two levels, a slope of nearly 0, two classes level."""
    while True:
        batch, features = (10, 2) if large else (size(generator, 1, 6), size(generator, 1, 4))
        attacks, classes = (2, 3) if large else (size(generator, 1, 3), size(generator, 2, 4))
        weights = list(draw_network(generator, features, 3 if large else size(generator, 1, 4), classes))
        x = torch.randint(0, 101, (batch, features), generator=generator) / 100
        eps, step = size(generator, 10, 30) / 100, size(generator, 5, 15) / 100
        steps, levels = 2 if large else size(generator, 1, 4), size(generator, 3, 9)
        starts = x + eps * torch.randint(-7, 8, (attacks, batch, features), generator=generator) / 8
        starts = starts.clamp(0, 1)
        if round_ % 2:
            x, starts, weights = x.double(), starts.double(), [weight.double() for weight in weights]
        answers = defended(x, levels, 1.0, weights).argmax(1)
        others = torch.randint(classes, (batch,), generator=generator)
        labels = torch.where(torch.rand(batch, generator=generator) < 0.75, answers, others)
        args = x, labels, starts, eps, step, steps, levels, SCALE, weights
        if _clear(args):
            return args


def _clear(args: tuple[Any, ...]) -> bool:
    x, labels, starts, eps, step, steps, levels, scale, weights = args
    wide = [weight.double() for weight in weights]

    def slope_of(points: Tensor) -> Tensor | None:
        """The slope of the margin, or None where rounding may decide."""
        points, rows = points.double(), labels.repeat(len(points) // len(labels))
        half_way = (points * (levels - 1) - 0.5).frac().abs()
        if torch.minimum(half_way, 1 - half_way).min() <= 1e-3:
            return None
        scores = defended(points, levels, 1.0, wide)
        most = scores.topk(2, dim=1).values
        seconds = scores.scatter(1, rows[:, None], -torch.inf).topk(2, dim=1).values
        level = (seconds[:, 0] - seconds[:, 1]).min() < 1e-3
        if (most[:, 0] - most[:, 1]).min() <= 1e-2 or level:
            return None
        slope = slope_at(lambda x: best_wrong(logits(x, *wide), rows), quantise(points, levels))
        return slope if bool(((slope.abs() > 1e-4) | (slope == 0)).all()) else None

    slope = slope_of(torch.cat([x, *starts]))  # most draws that are not clear show it here, before any attack
    if slope is None:
        return False
    path = [starts]
    for _ in range(steps):  # one step from where the last one ended
        path.append(_evaluate(x, labels, path[-1], eps, step, 1, levels, scale, weights)[2])
    later = slope_of(torch.cat(path[1:]).flatten(0, 1))
    return later is not None and bool(slope.any() or later.any())


EXERCISE = Exercise(
    id="15.masked",
    name="debug_evaluation",
    title="Why does this defence look so strong?",
    objectives=("15-O2", "15-O4"),
    difficulty=4,
    minutes=30,
    points=4,
    task="Write evaluate(x, labels, starts, eps, step, steps, levels, scale, weights) for the defence defended(x, "
    "levels, scale, weights) = scale * logits(quantise(x, levels), *weights), where quantise(x, levels) = (x * (levels "
    "- 1)).round() / (levels - 1). From each of `starts` (attacks, batch, features) an attack takes `steps` steps: "
    "x_adv + step * sign(slope of the margin), the margin being the best wrong logit of the defended network minus "
    "that of the label, with the rounding counted as x itself on the sweep back (for the slope); then within eps of x "
    "in each pixel, then within 0 and 1. Return (clean, robust, attacked): the share of examples that are right "
    "without attack, a float; the share of all examples that are right without attack and under every attack, a "
    "float; and the last points of all attacks, (attacks, batch, features).",
    ranges="1 to 13 examples, 1 to 4 features, 2 to 4 classes, 1 to 4 hidden units, 1 to 3 attacks of 1 to 4 steps, 3 "
    "to 9 levels, a scale of 10,000; eps from 0.1 to 0.3, step from 0.05 to 0.15; no pixel half-way between two "
    "levels, no two classes level, and no slope so small that rounding turns its sign; float32 and float64",
    hints=(
        "How far does the attack move, and which examples? What does the evaluation say of a network that is wrong on "
        "everything, and of two attacks of which each fools the other half? Each of the experiments has an end that "
        "you know beforehand.",
        "Two faults hide the slope: rounding is flat, and a cross-entropy of huge logits is 0. Two are in the "
        "counting: what an answer is compared with, and the order of `over attacks` and `over examples`.",
        "rounded = quantise(x, levels); through = x + (rounded - x).detach(); the margin of scale * logits(through, "
        "*weights), its label's place filled with -inf for the best wrong logit. right = answers == labels, for x and "
        "for each attacked; robust is the mean of right.all(dim=0).",
    ),
    reference=evaluate,
    walkthrough="The rounding keeps its value and gets the slope of x, so that the attacker sees where the network "
    "after it leans; the margin has a slope however large the logits are. An example is robust only if it is right in "
    "every row of one table, that without attack among them.",
    where=WHERE,
    check=check,
)
