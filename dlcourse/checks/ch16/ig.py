"""16.ig: integrated gradients by midpoints, from a baseline to x, for the logit of each example's label."""

from functools import cache
from itertools import chain
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from dlcourse.checks.ch15.shared import Mistakes, draw_network, in_another_form, logits, size, slope_at
from dlcourse.checks.ch16.shared import CRASHES_OF_SLOPES, WHERE, Smaller, explain, first_wrong, rounding, row, suspects
from dlcourse.checks.examiner import Examiner, Suspect
from dlcourse.checks.exercise import Exercise
from dlcourse.checks.subject import Subject


def integrated_gradients(x, baseline, labels, steps, w1, b1, w2, b2):
    way, total = (x - baseline).detach(), torch.zeros_like(x)
    for k in range(steps):
        point = (baseline + (k + 0.5) / steps * way).detach().requires_grad_()
        scores = torch.tanh(point @ w1.T + b1) @ w2.T + b2
        (slope,) = torch.autograd.grad(scores[torch.arange(len(x)), labels].sum(), point)
        total = total + slope
    return way * total / steps


def _integrated(
    x: Tensor,
    baseline: Tensor,
    labels: Tensor,
    steps: int,
    *weights: Tensor,
    at: str = "middle",
    path: str = "from the baseline",
    factor: str = "way",
    score: str = "logit",
    slope: str = "for the point",
    total: str = "mean",
    end: str = "as it is",
) -> Tensor:
    """The map with some of the faults, in float64."""
    dtype = x.dtype
    x, baseline, *weights = (each.double() for each in (x, baseline, *weights))
    alphas = {
        "middle": lambda: [(k + 0.5) / steps for k in range(steps)],
        "left": lambda: [k / steps for k in range(steps)],
        "right": lambda: [(k + 1) / steps for k in range(steps)],
        "both ends": lambda: torch.linspace(0, 1, steps).tolist(),
        "one more": lambda: [k / steps for k in range(steps + 1)],
        "inside": lambda: [(k + 1) / (steps + 1) for k in range(steps)],
        "x": lambda: [1.0],
        "baseline": lambda: [0.0],
        "half-way": lambda: [0.5],
    }[at]()
    of_point = {
        "from the baseline": lambda alpha: baseline + alpha * (x - baseline),
        "from 0": lambda alpha: alpha * x,
        "beyond": lambda alpha: x + alpha * (x - baseline),
        "both added": lambda alpha: baseline + alpha * x,
    }[path]
    of_each, answers = labels.repeat(len(alphas)), logits(x, *weights).argmax(1).repeat(len(alphas))

    def scored(points: Tensor) -> Tensor:
        z, n = logits(points, *weights), torch.arange(len(points))
        return {
            "logit": lambda: z[n, of_each],
            "probability": lambda: z.softmax(1)[n, of_each],
            "log-probability": lambda: z.log_softmax(1)[n, of_each],
            "cross-entropy": lambda: functional.cross_entropy(z, of_each, reduction="none"),
            "answer": lambda: z[n, answers],
            "largest": lambda: z.amax(1),
            "sum": lambda: z.sum(1),
            "first label": lambda: z[:, labels[0]],
            "first class": lambda: z[:, 0],
            "every label": lambda: z[:, labels].sum(1),
        }[score]()

    stacked = slope_at(scored, torch.cat([of_point(alpha) for alpha in alphas])).view(len(alphas), *x.shape)
    if slope == "for x":
        stacked = stacked * torch.tensor(alphas, dtype=torch.float64)[:, None, None]
    elif slope == "size":
        stacked = stacked.abs()
    if total == "trapezoid":
        weight = torch.ones(len(alphas), dtype=torch.float64)
        weight[0] = weight[-1] = 0.5
        mean = (weight[:, None, None] * stacked).sum(0) / steps
    else:
        mean = {
            "mean": lambda: stacked.mean(0),
            "sum": lambda: stacked.sum(0),
            "last": lambda: stacked[-1],
            "piled up": lambda: stacked.cumsum(0).mean(0),
            "over the batch": lambda: stacked.mean(0) / len(x),
            "times steps": lambda: stacked.mean(0) / steps,
        }[total]()
    found = {
        "way": lambda: (x - baseline) * mean,
        "none": lambda: mean,
        "x": lambda: x * mean,
        "back": lambda: (baseline - x) * mean,
        "size": lambda: (x - baseline).abs() * mean,
        "one for all": lambda: (x - baseline) * mean.mean(0),
    }[factor]()
    return {
        "as it is": lambda: found,
        "size": lambda: found.abs(),
        "positive": lambda: found.clamp(min=0),
        "over its sum": lambda: found / found.sum(1, keepdim=True),
    }[end]().to(dtype)


PILED = (
    "One leaf served for all steps, and its .grad adds up: each backward adds a slope to those that are there, so the "
    "first ones were counted again in every step."
)
POINTS = "The points are the middles of `steps` equal parts: alpha = (k + 0.5) / steps for k = 0 to steps - 1."
LOGIT = "The score is the label's *logit*"
# What to say, and the answers that it is said of. A test holds that no two reasons fit the same numbers.
MISTAKES: Mistakes = (
    (
        "The mean slope came back, without the factor (x - baseline): it says how steep it is, not how much was "
        "climbed. The sum over the features would not be the logit's rise.",
        ({"factor": "none"},),
    ),
    (
        "The baseline was left out twice: the way began at 0, and the factor is x. Both belong to the baseline that "
        "came: points baseline + alpha * (x - baseline), factor (x - baseline).",
        ({"path": "from 0", "factor": "x"},),
    ),
    (
        "The factor is x: it is how far each feature has moved, x - baseline. A feature that stands where the baseline "
        "stands gets 0.",
        ({"factor": "x"},),
    ),
    (
        "The way began at 0 (points alpha * x): it begins at the baseline, baseline + alpha * (x - baseline).",
        ({"path": "from 0"},),
    ),
    (
        "The points are not on the way from the baseline to x: they are baseline + alpha * (x - baseline), so alpha = "
        "1 is x.",
        ({"path": "beyond"}, {"path": "both added"}),
    ),
    ("The factor has the wrong sign: x - baseline, from the baseline to x.", ({"factor": "back"},)),
    (
        "The size of x - baseline was taken: it keeps its sign. A feature may have come down from its baseline.",
        ({"factor": "size"},),
    ),
    (f"The *left* end of each part was taken, alpha = k / steps. {POINTS}", ({"at": "left"},)),
    (f"The *right* end of each part was taken, alpha = (k + 1) / steps. {POINTS}", ({"at": "right"},)),
    (
        f"Both ends of the way are among the points: linspace(0, 1, ...). {POINTS}",
        ({"at": "both ends"}, {"at": "one more"}, {"at": "one more", "total": "trapezoid"}),
    ),
    (f"The points are (k + 1) / (steps + 1). {POINTS}", ({"at": "inside"},)),
    (
        "The slope was asked for at x alone: where the network is flat there, that is blind. The mean is over the "
        "whole way.",
        ({"at": "x"}, {"at": "x", "factor": "x"}, {"at": "x", "factor": "none"}),
    ),
    ("The slope was asked for at the baseline alone: the mean is over the whole way.", ({"at": "baseline"},)),
    ("The slope was asked for once, half-way: the mean is over `steps` points.", ({"at": "half-way"},)),
    (
        "Only the slope of the last point was kept: add up all of them. (Is the sum inside the loop?)",
        ({"total": "last"},),
    ),
    (
        "The slope was asked for in x, and not in the point: the point is baseline + alpha * (x - baseline), so each "
        "slope has become alpha times what it was. Cut the point off, .detach().requires_grad_(), and ask there.",
        ({"slope": "for x"}, {"slope": "for x", "factor": "none"}, {"slope": "for x", "total": "sum"}),
    ),
    (
        f"{PILED} Besides, it was asked for in x, and not in the point, so each slope has become alpha times what it "
        "was. Each point is a leaf of its own: (baseline + alpha * (x - baseline)).detach().requires_grad_().",
        ({"slope": "for x", "total": "piled up"}, {"slope": "for x", "total": "piled up", "factor": "none"}),
    ),
    (
        f"{PILED} Each point is a leaf of its own, .detach().requires_grad_(); or take torch.autograd.grad, which "
        "keeps nothing.",
        ({"total": "piled up"},),
    ),
    ("The sizes of the slopes were added: they keep their signs.", ({"slope": "size"},)),
    ("The slopes were added, and not divided by steps: their *mean* is wanted.", ({"total": "sum"},)),
    ("The slopes were divided by steps twice.", ({"total": "times steps"},)),
    (
        "All is divided by the number of examples: that happens when autograd gets the *mean* of the scores. Give it "
        "their sum: no example's score depends on another's.",
        ({"total": "over the batch"},),
    ),
    ("All examples got the same mean slope: each has its own.", ({"factor": "one for all"},)),
    (
        f"{LOGIT}, and this is its probability: a softmax looks at all classes, and is flat when sure.",
        ({"score": "probability"},),
    ),
    (
        f"{LOGIT}, and this is its log-probability, in which all other classes are as well.",
        ({"score": "log-probability"},),
    ),
    (
        f"The cross-entropy was explained: its sign is turned round, and all other classes are in it. {LOGIT}.",
        ({"score": "cross-entropy"},),
    ),
    (
        f"{LOGIT}, also where the network answers otherwise: this is the logit of the network's own answer.",
        ({"score": "answer"}, {"score": "largest"}),
    ),
    (f"All logits were added up: then the label does not matter. {LOGIT}.", ({"score": "sum"},)),
    (
        "One class was taken for all rows: each row has its own label, logits[torch.arange(len(x)), labels].",
        ({"score": "first label"}, {"score": "first class"}),
    ),
    (
        "logits[:, labels] takes *every* label for every row, (batch, batch): logits[torch.arange(len(x)), labels] "
        "takes one for each.",
        ({"score": "every label"},),
    ),
    ("The sizes came back: a map has signs, what speaks for the class and what against it.", ({"end": "size"},)),
    ("What speaks against the class was cut off: a map has both signs.", ({"end": "positive"},)),
    (
        "The map was divided by its sum: it already sums to the logit's rise, in logits. Leave it so.",
        ({"end": "over its sum"},),
    ),
)
# The order matters: the first suspect that fits is named.
SUSPECTS = (
    *suspects(_integrated, MISTAKES),
    Suspect(
        "One map, a tensor of the shape of x, comes back, and nothing else.",
        lambda got, wanted, *args: type(got) in (tuple, list),
    ),
    Suspect(
        "The features were added up: this is one number for each example. The map has one for each feature.",
        lambda got, wanted, *args: isinstance(got, Tensor) and got.dim() == 1 and wanted.dim() == 2,
    ),
)
OWN_CRASHES = (
    (
        "must match the size",
        "Two shapes do not fit. x is (batch, features) and baseline (features,); alpha is one number at a time, or "
        "(steps, 1, 1) for all points at once.",
    ),
    *CRASHES_OF_SLOPES,
)
SEVERAL = (
    "With one step this example is right, and with several it is not. The points are baseline + alpha * (x - baseline) "
    "with alpha = (k + 0.5) / steps; their slopes are added up and divided by steps."
)
BATCH = (
    "Each example alone is right, and together they are not: something is taken over the whole batch. Autograd gets "
    "the *sum* of the labels' logits, and each row of the slope belongs to its own example."
)


def _smaller(got: Tensor, wanted: Tensor, *args: Any) -> Smaller:
    """The first wrong example alone, in one step, then in all."""
    x, baseline, labels, steps, *weights = args
    n = first_wrong(got, wanted, rounding(x))[0]
    one = x[n : n + 1], baseline, labels[n : n + 1]
    middle = (x[n] + baseline).double() / 2
    wide = [weight.double() for weight in weights]
    slope = slope_at(lambda at: logits(at, *wide)[:, labels[n]], middle[None])[0]
    told = (
        f"One example and one step, in numbers. The only point is half-way, {row(middle)}. The slope of logit "
        f"{int(labels[n])} there is {row(slope)}. x - baseline is {row(x[n] - baseline)}. Multiply the two, feature by "
        "feature."
    )
    yield (*one, 1, *weights), lambda *_: told
    yield (*one, steps, *weights), lambda *_: SEVERAL


def check(subject: Subject, seed: int | None) -> str:
    ask = Examiner("16.ig", "integrated_gradients", subject, SUSPECTS, OWN_CRASHES)
    generator = torch.Generator().manual_seed(1 if seed is None else seed)
    for args in chain(cases(), (draw(generator, round_) for round_ in range(12))):
        explain(ask, args, _integrated, _smaller, generic=BATCH, slack=rounding(*args))
    return (
        f"right on {ask.asked} batches. How many steps are enough, no rule says: add up each row, and lay it beside "
        "logit(x) - logit(baseline). A check sees numbers only: that x stays unmarked and the map carries no record of "
        "how it was made, see for yourself, with an x that is marked. .detach() on the way, x - baseline, and "
        ".detach().requires_grad_() on the point do it."
    )


@cache
def cases() -> list[tuple[Any, ...]]:
    """Batches on which every mistake shows, with numbers of its own; then by hand.

    By hand: at the middle of the way both tanh stand at 0, where their slope is 1. The second example is the baseline.
    """
    by_hand = (
        torch.tensor([[3.0, 1.0], [1.0, -1.0]]),
        torch.tensor([1.0, -1.0]),
        torch.tensor([0, 1]),
        1,
        torch.eye(2),
        torch.tensor([-2.0, 0.0]),
        torch.tensor([[1.0, 2.0], [0.0, -1.0]]),
        torch.zeros(2),
    )
    return [*(draw(torch.Generator().manual_seed(seed), 0, large=True) for seed in (0, 1)), by_hand]


def draw(generator: torch.Generator, round_: int, large: bool = False) -> tuple[Any, ...]:
    """Numbers that are quarters, weights that are eighths."""

    def quarters(*shape: int) -> Tensor:
        return torch.randint(-8, 9, shape, generator=generator) / 4

    features, classes = (3, 3) if large else (size(generator, 1, 5), size(generator, 2, 4))
    batch, hidden = (3, 3) if large else (size(generator, 1, 5), size(generator, 1, 5))
    x, baseline = quarters(batch, features), quarters(features)
    if not large and features > 1:
        x[0, 0] = baseline[0]
    labels = torch.randint(classes, (batch,), generator=generator)
    steps = 4 if large else size(generator, 1, 8)
    return in_another_form((x, baseline, labels, steps, *draw_network(generator, features, hidden, classes)), round_)


EXERCISE = Exercise(
    id="16.ig",
    name="integrated_gradients",
    title="The whole way",
    objectives=("16-O1",),
    difficulty=3,
    minutes=20,
    points=3,
    task="Write integrated_gradients(x, baseline, labels, steps, w1, b1, w2, b2): x (batch, features), baseline "
    "(features,), labels (batch,), and a network logits(x, w1, b1, w2, b2) = tanh(x @ w1.T + b1) @ w2.T + b2. The "
    "score of an example is the logit of its label. Cut the straight way from the baseline to x into `steps` equal "
    "parts, and take the slope of the score at the middle of each. Return the map (batch, features): (x - baseline) "
    "times the mean of these slopes.",
    ranges="1 to 5 examples, 1 to 5 features, 2 to 4 classes, 1 to 5 hidden units, 1 to 8 steps; numbers of x and the "
    "baseline from -2 to 2, weights from -2 to 2; float32 and float64; tensors that are views of others",
    hints=(
        "You walk from the baseline to x. At each point you ask how steep the score is there, in each feature. Where "
        "on the way do you stand, and how far do you go in all?",
        "alpha goes through (k + 0.5) / steps; the point is baseline + alpha * (x - baseline). Each point is a leaf of "
        "its own, and its slope is that of the sum of the labels' logits. Mean of the slopes, times (x - baseline).",
        "way = (x - baseline).detach(); point = (baseline + alpha * way).detach().requires_grad_(); scores = "
        "logits(point, ...)[torch.arange(len(x)), labels]; (slope,) = torch.autograd.grad(scores.sum(), point). Add "
        "the slopes up; in the end times way, over steps.",
    ),
    reference=integrated_gradients,
    walkthrough="A small part of the way climbs slope times length, so all parts together climb from logit(baseline) "
    "to logit(x), and the map shares that out among the features. Middles of the parts err least among rules with one "
    "slope for each part.",
    where=WHERE,
    check=check,
)
