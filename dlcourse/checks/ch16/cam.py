"""16.cam: Grad-CAM of the maps of one convolution, from activations and the slope of the label's logit for them."""

from functools import cache
from itertools import chain
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from dlcourse.checks.ch15.shared import Mistakes, in_another_form, size, slope_at
from dlcourse.checks.ch16.shared import CRASHES_OF_SLOPES, WHERE, Smaller, explain, first_wrong, rounding, row, suspects
from dlcourse.checks.examiner import Examiner, Suspect
from dlcourse.checks.exercise import Exercise
from dlcourse.checks.subject import Subject


def grad_cam(x, labels, kernels, bias, weight, out_bias):
    conv2d, max_pool2d = torch.nn.functional.conv2d, torch.nn.functional.max_pool2d
    maps = conv2d(x, kernels, bias, padding=1).relu().detach().requires_grad_()
    scores = max_pool2d(maps, 2).flatten(1) @ weight.T + out_bias
    (slope,) = torch.autograd.grad(scores[torch.arange(len(x)), labels].sum(), maps)
    importance = slope.mean(dim=(2, 3), keepdim=True)  # (batch, channels, 1, 1)
    return (importance * maps.detach()).sum(dim=1).relu()


def features(x: Tensor, kernels: Tensor, bias: Tensor) -> Tensor:
    """The maps of the exercise notebook's network: (batch, channels, height, width)."""
    return functional.conv2d(x, kernels, bias, padding=1).relu()


def head(maps: Tensor, weight: Tensor, out_bias: Tensor) -> Tensor:
    """What the network makes of its maps: the logits, (batch, classes)."""
    return functional.max_pool2d(maps, 2).flatten(1) @ weight.T + out_bias


def _cam(
    x: Tensor,
    labels: Tensor,
    kernels: Tensor,
    bias: Tensor,
    weight: Tensor,
    out_bias: Tensor,
    *,
    relu: str = "last",
    over: str = "mean",
    slope_of: str = "maps",
    times: str = "maps",
    slopes: str = "signed",
    score: str = "logit",
    channels: str = "sum",
    end: str = "as it is",
) -> Tensor:
    """The map with some of the faults, in float64."""
    dtype, n = x.dtype, torch.arange(len(x))
    x, kernels, bias, weight, out_bias = (each.double() for each in (x, kernels, bias, weight, out_bias))
    before = functional.conv2d(x, kernels, bias, padding=1)
    maps = before.relu()

    def scored(point: Tensor) -> Tensor:
        inner = {"maps": lambda: point, "before": lambda: point.relu(), "x": lambda: features(point, kernels, bias)}
        z = head(inner[slope_of](), weight, out_bias)
        return {
            "logit": lambda: z[n, labels],
            "mean": lambda: z[n, labels] / len(x),
            "probability": lambda: z.softmax(1)[n, labels],
            "log-probability": lambda: z.log_softmax(1)[n, labels],
            "cross-entropy": lambda: functional.cross_entropy(z, labels, reduction="none"),
            "answer": lambda: z.amax(1),
            "sum": lambda: z.sum(1),
            "first label": lambda: z[:, labels[0]],
            "first class": lambda: z[:, 0],
            "every label": lambda: z[:, labels].sum(1),
        }[score]()

    slope = slope_at(scored, {"maps": maps, "before": before, "x": x}[slope_of])
    if slopes == "sizes":
        slope = slope.abs()
    elif slopes == "positive":
        slope = slope.clamp(min=0)
    importance = {
        "mean": lambda: slope.mean((2, 3), keepdim=True),
        "sum": lambda: slope.sum((2, 3), keepdim=True),
        "largest": lambda: slope.amax((2, 3), keepdim=True),
        "each place": lambda: slope,
        "the batch": lambda: slope.mean((0, 2, 3), keepdim=True),
        "height": lambda: slope.mean(2, keepdim=True),
        "width": lambda: slope.mean(3, keepdim=True),
        "channels and height": lambda: slope.mean((1, 2), keepdim=True),
        "channels": lambda: slope.mean(1, keepdim=True),
        "channels too": lambda: slope.mean((1, 2, 3), keepdim=True),
    }[over]()
    if slopes == "sizes of means":
        importance = importance.abs()
    elif slopes == "positive means":
        importance = importance.clamp(min=0)
    shown = {"maps": maps, "before": before, "x": x, "nothing": torch.ones_like(maps)}[times]
    parts = importance * shown
    if relu == "first":
        parts = parts.clamp(min=0)
    cam = {"sum": lambda: parts.sum(1), "mean": lambda: parts.mean(1), "largest": lambda: parts.amax(1)}[channels]()
    cam = {
        "last": lambda: cam.clamp(min=0),
        "none": lambda: cam,
        "first": lambda: cam,
        "size": lambda: cam.abs(),
        "against": lambda: (-cam).clamp(min=0),
    }[relu]()
    least, most = cam.amin((1, 2), keepdim=True), cam.amax((1, 2), keepdim=True)
    return {
        "as it is": lambda: cam,
        "over the largest": lambda: cam / most,
        "over the largest, if any": lambda: cam / torch.where(most > 0, most, 1),
        "over the largest of all": lambda: cam / cam.max(),
        "from 0 to 1": lambda: (cam - least) / (most - least),
        "over its sum": lambda: cam / cam.sum((1, 2), keepdim=True),
    }[end]().to(dtype)


WEIGHT = (
    "The weight of a channel is the *mean* over the places of the slope for its activations: "
    "slope.mean((2, 3), keepdim=True)."
)
LEAF = "Grad-CAM asks for the slope for the maps: the leaf is what `features` gives, and only `head` comes after it."
LOGIT = "The score is the label's *logit*"
# What to say, and the answers that it is said of. A test holds that no two reasons fit the same numbers.
MISTAKES: Mistakes = (
    ("The ReLU at the end is missing: what speaks against the class is cut off.", ({"relu": "none"},)),
    (
        "The ReLU came before the sum over the channels. First all channels, for and against, then the ReLU.",
        ({"relu": "first"}, {"slopes": "positive means"}),
    ),
    ("The size of the sum came back: a ReLU cuts off what is below 0, it does not turn it round.", ({"relu": "size"},)),
    ("This is what speaks *against* the class: the sign is turned round.", ({"relu": "against"},)),
    (f"The slopes of a channel were added up over its places. {WEIGHT}", ({"over": "sum"},)),
    (f"The largest slope of a channel was taken. {WEIGHT}", ({"over": "largest"},)),
    (
        f"Slope times activation was taken place by place. That is another method; Grad-CAM has one weight for a whole "
        f"channel. {WEIGHT}",
        ({"over": "each place"}, {"over": "each place", "relu": "none"}),
    ),
    (
        f"The mean was taken over the height alone, or the width alone. {WEIGHT}",
        ({"over": "height"}, {"over": "width"}),
    ),
    (f"The mean was taken over the channels, and not over the places. {WEIGHT}", ({"over": "channels"},)),
    (
        f"The mean was taken over the channels as well, so that all of them weigh the same. {WEIGHT}",
        ({"over": "channels too"},),
    ),
    (
        f"There is one weight for the whole batch: each example has weights of its own. {WEIGHT}",
        ({"over": "the batch"},),
    ),
    (
        f"This is made of x and the slope for x. {LEAF}",
        ({"slope_of": "x", "times": "x"}, {"slope_of": "x", "times": "x", "over": "each place"}),
    ),
    (
        f"The slope was asked for x, and then multiplied with the maps. {LEAF}",
        ({"slope_of": "x"}, {"slope_of": "x", "over": "each place"}),
    ),
    (
        f"The mean was taken over the dimensions 1 and 2. With a batch these are channels and rows, and the places are "
        f"dimensions 2 and 3. {WEIGHT}",
        ({"over": "channels and height"},),
    ),
    (
        "The slope was asked for before the ReLU of `features`: that is 0 wherever the ReLU was off. The maps are what "
        "comes out of the ReLU.",
        ({"slope_of": "before"},),
    ),
    (
        "The activations are those before the ReLU of `features`. The maps are what comes out of the ReLU.",
        ({"times": "before"}, {"slope_of": "before", "times": "before"}),
    ),
    ("The weights were added up without the activations: weight *times* activation.", ({"times": "nothing"},)),
    (
        "The sizes of the slopes were taken: they keep their signs until the end.",
        ({"slopes": "sizes"}, {"slopes": "sizes of means"}),
    ),
    ("Slopes below 0 were dropped: they keep their signs until the end.", ({"slopes": "positive"},)),
    (f"{LOGIT}, and this is its probability.", ({"score": "probability"},)),
    (
        f"{LOGIT}, and this is its log-probability, in which all other classes are as well.",
        ({"score": "log-probability"},),
    ),
    (
        f"The cross-entropy was explained: its sign is turned round, and all other classes are in it. {LOGIT}.",
        ({"score": "cross-entropy"}, {"score": "cross-entropy", "relu": "none"}),
    ),
    (
        f"{LOGIT}, also where the network answers otherwise: this is the largest logit, the network's own answer.",
        ({"score": "answer"},),
    ),
    (f"All logits were added up: then the label does not matter. {LOGIT}.", ({"score": "sum"},)),
    (
        "All examples got the weights of one class, or those of one example, slope[0]. Each has a label of its own, "
        "logits[torch.arange(len(x)), labels], and weights of its own, slope.mean((2, 3), keepdim=True).",
        ({"score": "first label"}, {"score": "first class"}),  # by the same numbers: max pooling asks only the class
    ),
    (
        "logits[:, labels] takes *every* label for every row, (batch, batch): logits[torch.arange(len(x)), labels] "
        "takes one for each.",
        ({"score": "every label"},),
    ),
    (
        "All is divided by the number of examples: that happens when autograd gets the *mean* of the scores. Give it "
        "their sum: no example's score depends on another's.",
        ({"score": "mean"},),
    ),
    (
        "The channels were averaged, or the largest taken: weight times activation is *added up* over the channels.",
        ({"channels": "mean"}, {"channels": "largest"}),
    ),
    (
        "The map was brought to the range from 0 to 1. That is done for pictures, and hides how large it is: leave it "
        "in logits.",
        (
            {"end": "over the largest"},
            {"end": "over the largest, if any"},
            {"end": "over the largest of all"},
            {"end": "from 0 to 1"},
            {"end": "over its sum"},
        ),
    ),
)
# The order matters: the first suspect that fits is named.
SUSPECTS = (
    *suspects(_cam, MISTAKES),
    Suspect(
        "The examples were added up, and the channels are left: with a batch, dimension 0 is the examples, dimension 1 "
        "the channels. So slope.mean((2, 3), keepdim=True), and sum(1) for the channels.",
        lambda got, wanted, x, labels, kernels, *args: (
            isinstance(got, Tensor) and got.shape == (len(kernels), *wanted.shape[1:]) and len(kernels) != len(x)
        ),
    ),
    Suspect(
        "There is one map for each example, (batch, height, width): sum over the channels, dim=1.",
        lambda got, wanted, *args: isinstance(got, Tensor) and got.dim() == 4,
    ),
    Suspect(
        "One tensor comes back, (batch, height, width), and nothing else.",
        lambda got, wanted, *args: type(got) in (tuple, list),
    ),
)
OWN_CRASHES = (
    ("name 'features' is not defined", "features is in a cell above this one: run it."),
    ("name 'head' is not defined", "head is in a cell above this one: run it."),
    (
        "must match the size",
        "Two shapes do not fit. The maps are (batch, channels, height, width), and the mean over dim=(2, 3) with "
        "keepdim=True is (batch, channels, 1, 1), one number for each map.",
    ),
    *CRASHES_OF_SLOPES,
)
BATCH = (
    "Each example alone is right, and together they are not: something is taken over the whole batch. Autograd gets "
    "the *sum* of the labels' logits, and each example's slope is its own."
)


def by_hand(args: tuple[Any, ...], place: tuple[int, ...]) -> str:
    """One place of one example's map in numbers."""
    labels = args[1]
    x, _, kernels, bias, weight, out_bias = (a.double() if a.is_floating_point() else a for a in args)
    maps = features(x, kernels, bias)
    slope = slope_at(lambda maps: head(maps, weight, out_bias)[:, labels[0]], maps)
    means, there = slope.mean((2, 3))[0], maps[0][(slice(None), *place[1:])]
    return (
        f"One example, one place, in numbers. The slope of logit {int(labels[0])} for the maps has, channel by "
        f"channel, the means {row(means)}. At the place {list(place[1:])} the activations, after the ReLU, are "
        f"{row(there)}. Their products add up to {(means * there).sum().item():.4g}, and the ReLU comes last."
    )


def _smaller(got: Tensor, wanted: Tensor, *args: Any) -> Smaller:
    """The first wrong example alone."""
    x, labels, *weights = args
    n = first_wrong(got, wanted, rounding(x))[0]
    one = (x[n : n + 1], labels[n : n + 1], *weights)
    yield one, lambda came, right: by_hand(one, first_wrong(came, right, rounding(x)))


def check(subject: Subject, seed: int | None) -> str:
    ask = Examiner("16.cam", "grad_cam", subject, SUSPECTS, OWN_CRASHES)
    generator = torch.Generator().manual_seed(1 if seed is None else seed)
    for args in chain(cases(), (draw(generator, round_) for round_ in range(12))):
        explain(ask, args, _cam, _smaller, generic=BATCH, slack=rounding(*args))
    return (
        f"right on {ask.asked} batches. The weights know only *that* a channel matters, and the activations where it "
        "was on: so a map can light up at a place that the score never looked at."
    )


@cache
def cases() -> list[tuple[Tensor, ...]]:
    """Batches on which every mistake shows, with numbers of its own; then by hand.

    By hand: kernels that copy, one of them with the sign turned round; class 0 likes one map and not the other.
    """
    kernels = torch.zeros(2, 1, 3, 3)
    kernels[0, 0, 1, 1], kernels[1, 0, 1, 1] = 1, -1
    by_hand = (
        torch.tensor([[[[4.0, 0.0], [-2.0, 1.0]]]]),
        torch.tensor([0]),
        kernels,
        torch.zeros(2),
        torch.tensor([[4.0, -2.0], [0.0, 1.0]]),
        torch.zeros(2),
    )
    return [*(draw(torch.Generator().manual_seed(seed), 0, large=True) for seed in (38, 13)), by_hand]


def draw(generator: torch.Generator, round_: int, large: bool = False) -> tuple[Tensor, ...]:
    """Pictures of quarters, weights of eighths."""

    def of(parts: int, most: int, *shape: int) -> Tensor:
        return torch.randint(-most, most + 1, shape, generator=generator) / parts

    batch, colours = (3, 1) if large else (size(generator, 1, 4), size(generator, 1, 2))
    height, width = (3, 4) if large else (size(generator, 2, 5), size(generator, 2, 5))
    channels, classes = (2, 3) if large else (size(generator, 1, 4), size(generator, 2, 4))
    x, kernels = of(4, 4, batch, colours, height, width), of(8, 8, channels, colours, 3, 3)
    bias, out_bias = of(8, 4, channels), of(8, 8, classes)
    weight = of(4, 8, classes, channels * (height // 2) * (width // 2))
    labels = torch.randint(classes, (batch,), generator=generator)
    return in_another_form((x, labels, kernels, bias, weight, out_bias), round_)


EXERCISE = Exercise(
    id="16.cam",
    name="grad_cam",
    title="A map of the last layer",
    objectives=("16-O3",),
    difficulty=2,
    minutes=20,
    points=3,
    task="Write grad_cam(x, labels, kernels, bias, weight, out_bias) for a network in two parts: features(x, kernels, "
    "bias) = relu(conv2d(x, kernels, bias, padding=1)) gives maps (batch, channels, height, width), and head(maps, "
    "weight, out_bias) takes max_pool2d(maps, 2), flattens it from dimension 1 on, and gives the logits, flat @ "
    "weight.T + out_bias. The weight of a channel is the mean, over its places, of the slope of the label's logit for "
    "the maps. Return (batch, height, width): the sum over the channels of weight times activation, and what is below "
    "0 is cut off.",
    ranges="1 to 4 examples of 1 or 2 colours, 2 to 5 rows and columns, 1 to 4 channels, 2 to 4 classes; numbers of x "
    "from -1 to 1, weights from -2 to 2; float32 and float64; tensors that are views of others",
    hints=(
        "The question is not how steep the score is in the pixels, but in the maps. So where does the record begin, "
        "and which part of the network comes after it?",
        "maps = features(...), cut off and made a leaf; logits = head(maps, ...); the slope of the labels' logits for "
        "the maps is shaped like the maps. Its mean over rows and columns, kept as (batch, channels, 1, 1), times the "
        "maps; sum over the channels; ReLU.",
        "maps = features(x, kernels, bias).detach().requires_grad_(); (slope,) = torch.autograd.grad(score.sum(), "
        "maps), with the score of each row at its label; (slope.mean((2, 3), keepdim=True) * maps).sum(1).relu().",
    ),
    reference=grad_cam,
    walkthrough="The record begins at the maps, so the slope says how much each activation counts for the label's "
    "logit, and its mean is one weight for a channel. The sum over channels keeps where they were on, and the ReLU "
    "comes last, when for and against have met.",
    where=WHERE,
    check=check,
)
