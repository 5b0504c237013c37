"""15.fgsm: one step of the fast gradient sign method, in pixels, against a network that normalises its input."""

from functools import cache
from itertools import chain
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from dlcourse.checks.ch15.shared import (
    CRASHES,
    WHERE,
    Mistakes,
    best_wrong,
    draw_network,
    in_another_form,
    logits,
    size,
    slope_at,
    suspects,
)
from dlcourse.checks.examiner import Examiner, Suspect
from dlcourse.checks.exercise import Exercise
from dlcourse.checks.subject import Subject


def fgsm(x, labels, eps, mean, std, w1, b1, w2, b2):
    pixels = x.clone().requires_grad_()
    scores = torch.tanh((pixels - mean) / std @ w1.T + b1) @ w2.T + b2
    loss = torch.nn.functional.cross_entropy(scores, labels, reduction="sum")
    (slope,) = torch.autograd.grad(loss, pixels)
    return (x + eps * torch.sign(slope)).clip(0, 1)


def _fgsm(
    x: Tensor,
    labels: Tensor,
    eps: float,
    mean: Tensor,
    std: Tensor,
    *weights: Tensor,
    sees: str = "normalised",
    loss: str = "label",
    way: str = "sign",
    pace: str = "pixels",
    box: str = "pixels",
    back: str = "x_adv",
) -> Tensor:
    """The step with some of the faults, in float64."""
    dtype = x.dtype
    x, mean, std, *weights = (each.double() for each in (x, mean, std, *weights))
    seen = {
        "normalised": lambda x: (x - mean) / std,
        "raw": lambda x: x,
        "twice": lambda x: ((x - mean) / std - mean) / std,
        "not shifted": lambda x: x / std,
        "not scaled": lambda x: x - mean,
        "divided first": lambda x: x - mean / std,
        "undone": lambda x: x * std + mean,
    }[sees]

    def raised(x: Tensor) -> Tensor:
        scores = logits(seen(x), *weights)
        entropy = functional.cross_entropy(scores, labels, reduction="none")
        return {
            "label": lambda: entropy,
            "answer": lambda: functional.cross_entropy(scores, scores.argmax(1), reduction="none"),
            "own logit": lambda: -scores.gather(1, labels[:, None])[:, 0],
            "own logit up": lambda: scores.gather(1, labels[:, None])[:, 0],
            "largest": lambda: scores.amax(1),
            "sum": lambda: scores.sum(1),
            "twice": lambda: functional.cross_entropy(scores.softmax(1), labels, reduction="none"),
            "margin": lambda: best_wrong(scores, labels),
        }[loss]()

    slope = slope_at(raised, x)
    length = slope.square().sum(1, keepdim=True).sqrt()
    direction = {
        "sign": slope.sign(),
        "against": -slope.sign(),
        "slope": slope,
        "slope down": -slope,
        "unit": slope / length.where(length > 0, 1),
        "times x": (slope * x).sign(),
        "never still": torch.where(slope >= 0, 1.0, -1.0).to(slope),
        "down where still": torch.where(slope > 0, 1.0, -1.0).to(slope),
        "one for all": slope.sum(0, keepdim=True).sign().expand_as(slope),
        "upwards": slope.sign().abs(),
        "mean": slope / len(x),
    }[way]
    reach = {
        "pixels": eps,
        "grey levels": eps / 255,
        "times std": eps * std,
        "over std": eps / std,
        "twice": 2 * eps,
        "half": eps / 2,
        "one": 1.0,
    }[pace]
    z = (x - mean) / std
    if box == "z":  # the network's own units, clamped there
        moved = (z + eps * direction).clamp(0, 1)
        moved = moved if back == "z" else moved * std + mean
    elif back == "z":
        moved = z + reach * direction
    elif back == "seen":
        moved = ((x + reach * direction).clamp(0, 1) - mean) / std
    elif box == "change":
        moved = x + (reach * direction).clamp(0, 1)
    else:
        moved = x + reach * direction
        low, high = {"pixels": (0, 1), "none": (-9, 9), "below": (0, 9), "above": (-9, 1)}[box]
        moved = moved.clamp(low, high)
        if back == "change":
            moved = moved - x
        if back == "unclamped change":
            moved = reach * direction
    return moved.to(dtype)


UNITS = (
    "eps is in pixels, and this is a step of eps in the *network's* units, after (x - mean) / std: in pixels it is "
    "eps * std. Step in x, and let the normalisation be a part of the network."
)
ONE_STEP = "The step is eps times the *sign* of the slope in each pixel."
# What to say, and the answers that it is said of. A test holds that no two reasons fit the same numbers.
MISTAKES: Mistakes = (
    (
        "There is no clamp: a pixel is darker than 0 or brighter than 1 now, and no picture holds that.",
        ({"box": "none"},),
    ),
    ("Pixels above 1 were left: clamp to [0, 1] on both sides.", ({"box": "below"},)),
    ("Pixels below 0 were left: clamp to [0, 1] on both sides.", ({"box": "above"},)),
    (
        "The *change* was clamped to [0, 1], not the picture: no pixel can get darker so.",
        ({"box": "change"},),
    ),
    (UNITS, ({"pace": "times std"}, {"pace": "times std", "box": "none"})),
    (
        "These are the network's units: x_adv is a picture again, pixels in [0, 1], before the normalisation.",
        ({"back": "z"}, {"back": "z", "pace": "over std"}, {"back": "seen"}),
    ),
    (
        "The clamp to [0, 1] came in the network's units, after (x - mean) / std: there, [0, 1] is no bound of a "
        "picture.",
        ({"box": "z"},),
    ),
    (
        "All of this is in the network's units, after (x - mean) / std: the step, the clamp and what comes back. All "
        "three are wanted in pixels. Let (x - mean) / std be a part of the network: the slope goes through it.",
        ({"box": "z", "back": "z"},),
    ),
    (
        "eps was divided by std: it is in pixels, as x is.",
        ({"pace": "over std"},),
    ),
    (
        "eps was divided by 255: it is in the units of x already, pixels in [0, 1].",
        ({"pace": "grey levels"},),
    ),
    ("The step is not eps long: each pixel moves by eps.", ({"pace": "twice"}, {"pace": "half"}, {"pace": "one"})),
    (
        "The step goes *down* the loss of the label, and makes the network surer. Going down is for the loss of a "
        "class that you want; from the label you go up.",
        ({"way": "against"}, {"way": "slope down"}),
    ),
    (f"The slope itself was added. {ONE_STEP}", ({"way": "slope"}, {"way": "mean"})),
    (
        f"The slope was brought to length 1 in L2: that is the steepest step for another threat. {ONE_STEP}",
        ({"way": "unit"},),
    ),
    (
        "A pixel at 0 never moves here: its slope was multiplied by the pixel.",
        ({"way": "times x"},),
    ),
    (
        "A pixel with the slope 0 was moved: the network does not look at it, and sign(0) is 0.",
        ({"way": "never still"}, {"way": "down where still"}),
    ),
    (
        "All examples got the same step: their slopes were added. Each has a slope of its own.",
        ({"way": "one for all"},),
    ),
    ("All pixels moved up: the sign of the slope tells which way.", ({"way": "upwards"},)),
    (
        "The network was asked without its normalisation: it sees (x - mean) / std.",
        ({"sees": "raw"},),
    ),
    ("The pixels were normalised twice.", ({"sees": "twice"},)),
    (
        "The normalisation is not (x - mean) / std: first minus mean, then by std.",
        ({"sees": "not shifted"}, {"sees": "not scaled"}, {"sees": "divided first"}, {"sees": "undone"}),
    ),
    (
        "This raises the loss of the network's own answer. Where the network is wrong already, that leads back to the "
        "label: the loss is that of the label.",
        ({"loss": "answer"},),
    ),
    (
        "This lowers the label's logit alone: the cross-entropy also looks at what the other classes say.",
        ({"loss": "own logit"},),
    ),
    ("This raises the label's own logit, and makes the network surer.", ({"loss": "own logit up"},)),
    ("This raises a logit, and no loss: the cross-entropy of the label is to be raised.", ({"loss": "largest"},)),
    ("The labels do not matter here: the cross-entropy of the label is to be raised.", ({"loss": "sum"},)),
    (
        "A softmax was taken twice: cross_entropy takes the logits as they are.",
        ({"loss": "twice"},),
    ),
    (
        "This raises the margin over the best wrong class: asked is the cross-entropy, which looks at all classes.",
        ({"loss": "margin"},),
    ),
    (
        "The change alone came back: x_adv is the picture with it.",
        ({"back": "change"}, {"back": "unclamped change"}),
    ),
)


def _stays(got: Any, wanted: Tensor, x: Tensor, *args: Any) -> bool:
    return isinstance(got, Tensor) and got.shape == x.shape and got.dtype == x.dtype and torch.equal(got, x)


# The order matters: the first suspect that fits is named.
SUSPECTS = (
    *suspects(_fgsm, MISTAKES),
    Suspect("Nothing has moved: this is x itself. Is the slope added, times eps?", _stays),
    Suspect(
        "x_adv is a tensor of the shape of x, and nothing else comes back.",
        lambda got, wanted, *args: type(got) in (tuple, list),
    ),
)
WRONG = (
    "Print on the way: z = (x - mean) / std, logits(z, w1, b1, w2, b2), the cross-entropy of the labels, its slope in "
    "x, the sign of it; then x + eps * sign, and the clamp to [0, 1]."
)


def check(subject: Subject, seed: int | None) -> str:
    ask = Examiner("15.fgsm", "fgsm", subject, SUSPECTS, CRASHES)
    generator = torch.Generator().manual_seed(1 if seed is None else seed)
    for args in chain(cases(), (draw(generator, round_) for round_ in range(12))):
        ask.value(args, _fgsm(*args), generic=WRONG)
    return (
        f"right on {ask.asked} batches: every pixel moves by eps, or as far as a picture can. A check sees numbers "
        "only: that the caller's x stays unmarked, and that x_adv carries no record, see for yourself. "
        "x.clone().requires_grad_() and .detach() do it."
    )


@cache
def cases() -> list[tuple[Any, ...]]:
    """Batches, on which every mistake shows, with numbers of its own. By hand: class n looks at pixel n alone."""
    by_hand = (
        torch.tensor([[0.5, 0.5, 0.5], [0.05, 0.95, 1.0]]),
        torch.tensor([0, 0]),
        0.1,
        torch.tensor([0.5, 0.25, 0.5]),
        torch.tensor([0.25, 0.5, 0.5]),
        torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]),
        torch.zeros(2),
        torch.tensor([[1.0, 0.0], [0.0, 1.0]]),
        torch.zeros(2),
    )
    return [*(draw(torch.Generator().manual_seed(seed), 0, large=True) for seed in (66, 1, 2)), by_hand]


def draw(generator: torch.Generator, round_: int, large: bool = False) -> tuple[Any, ...]:
    """Again, while a slope is so small that rounding may turn its sign; a pixel that nobody looks at has exactly 0."""
    while True:
        features, classes = (4, 4) if large else (size(generator, 1, 5), size(generator, 2, 5))
        batch, hidden = 3 if large else size(generator, 1, 6), 3 if large else size(generator, 1, 5)
        levels = torch.randint(-4, 25, (batch, features), generator=generator)
        x = (levels / 20).clamp(0, 1)  # some at 0, some at 1
        labels = torch.randint(classes, (batch,), generator=generator)
        w1, b1, w2, b2 = draw_network(generator, features, hidden, classes)
        if features > 1:
            w1[:, size(generator, 0, features - 1)] = 0
        mean = torch.randint(4, 13, (features,), generator=generator) / 16
        std = torch.randint(4, 13, (features,), generator=generator) / 16
        eps = size(generator, 1, 6) / 20
        args = x, labels, eps, mean, std, w1, b1, w2, b2
        wide = [each.double() for each in (mean, std, w1, b1, w2, b2)]
        slope = slope_at(
            lambda x: functional.cross_entropy(logits((x - wide[0]) / wide[1], *wide[2:]), labels),  # noqa: B023
            x.double(),
        )
        looked_at = (w1 != 0).any(0)
        if looked_at.any() and slope[:, looked_at].abs().min() > 1e-4:
            return in_another_form(args, round_)


EXERCISE = Exercise(
    id="15.fgsm",
    name="fgsm",
    title="One step, in pixels",
    objectives=("15-O2",),
    difficulty=2,
    minutes=12,
    points=3,
    task="Write fgsm(x, labels, eps, mean, std, w1, b1, w2, b2): x (batch, features) are pixels in [0, 1], labels "
    "(batch,), eps is a number in the units of x. The network normalises first: its logits are logits((x - mean) / "
    "std, w1, b1, w2, b2), with logits(z, ...) = tanh(z @ w1.T + b1) @ w2.T + b2; mean and std are (features,). Return "
    "x_adv (batch, features): one step that moves each pixel by eps in the direction in which the cross-entropy of "
    "the label rises; a pixel whose slope is 0 stays. x_adv is a picture: pixels in [0, 1].",
    ranges="1 to 6 examples, 1 to 5 features, 2 to 5 classes, 1 to 5 hidden units; pixels from 0 to 1, some of them "
    "just there; eps from 0.05 to 0.3, mean and std from 1/4 to 3/4; no slope is so small that rounding turns its "
    "sign, but some are exactly 0; float32 and float64; tensors that are views of others",
    hints=(
        "Of which tensor do you want the slope: of what the network sees after the normalisation, or of the picture? "
        "In whose units is eps?",
        "Put x on torch's record, normalise *after* that, ask for the slope of the cross-entropy in x. Its sign, times "
        "eps, is the step; a picture ends at 0 and 1.",
        "pixels = x.clone().requires_grad_(); z = (pixels - mean) / std; slope of cross_entropy(logits(z, ...), "
        "labels) in pixels; x + eps * slope.sign(), then .clamp(0, 1).",
    ),
    reference=fgsm,
    walkthrough="The normalisation is a part of the network, so the slope goes through it to the pixels, and eps keeps "
    "the unit of the picture. Of all changes by at most eps a pixel, the one along the sign raises a straight loss "
    "most; the clamp keeps it a picture.",
    where=WHERE,
    check=check,
)
