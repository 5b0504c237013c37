"""03.adamw: one update of AdamW: the decay stands beside Adam's step, and not in the gradient."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from dlcourse.checks.ch03 import adam
from dlcourse.checks.examiner import Examiner, Suspect, matches
from dlcourse.checks.exercise import Exercise
from dlcourse.checks.subject import Subject


def adamw_step(parameter, gradient, mean, square, step, lr, beta1, beta2, eps, weight_decay):
    parameter = parameter - lr * weight_decay * parameter
    mean = beta1 * mean + (1 - beta1) * gradient
    square = beta2 * square + (1 - beta2) * gradient**2
    mean_hat = mean / (1 - beta1**step)
    root = (square / (1 - beta2**step)).sqrt()
    return parameter - lr * mean_hat / (root + eps), mean, square


L2 = (
    "The decay was put into the gradient: that is L2 regularisation, which Adam's fraction then divides like all the "
    "rest, so that weights with large gradients hardly decay. AdamW leaves the gradient alone and shrinks the "
    "parameter itself."
)


def _decay_in(got: Any, right: Tensor, weight: float, p: Tensor) -> bool:
    """Whether `got` is what some multiple of the parameter, added to the gradient, makes of a running mean."""
    if not isinstance(got, Tensor) or got.shape != right.shape or got.dtype != right.dtype or p.numel() < 2:
        return False
    share = ((got - right) * p).sum() / (p * p).sum()
    return abs(share.item()) > 1e-4 * weight and matches(got, right + share * p)


def _l2_mean(got: Any, wanted: Tensor, p: Tensor, *rest: Any) -> bool:
    return _decay_in(got, wanted, 1 - rest[5], p)


def _l2_square(got: Any, wanted: Tensor, *args: Any) -> bool:
    p, g, _, v, _, lr, _, beta2, _, weight_decay = args
    return any(
        matches(got, beta2 * v + (1 - beta2) * (g + sign * factor * weight_decay * p) ** 2)
        for factor in (1.0, lr, 2.0, 0.5)
        for sign in (1, -1)
    )


def _without_decay(suspect: Suspect) -> Suspect:
    """A suspect of Adam's, asked about its own arguments."""
    return Suspect(suspect.reason, lambda got, wanted, *args: suspect.fits(got, wanted, *args[:-1]))


def _decayed(args: tuple[Any, ...]) -> tuple[Any, ...]:
    """Adam's arguments when the decay was done rightly."""
    return (args[0] * (1 - args[5] * args[9]), *args[1:9])


def _after_decay(suspect: Suspect) -> Suspect:
    return Suspect(suspect.reason, lambda got, wanted, *args: suspect.fits(got, wanted, *_decayed(args)))


Way = Callable[[Tensor, Tensor, Tensor, float, float], Tensor]


def _decays(*ways: Way) -> Callable[..., bool]:
    """The test of a suspect that makes way(parameter, step, root, lr, weight_decay) of a right step of Adam.

    step: what is to be subtracted, lr and all. root: what the corrected mean is divided by.
    """

    def fits(got: Any, wanted: Tensor, *args: Any) -> bool:
        p, lr, weight_decay = args[0], args[5], args[9]
        new, _, square = adam.adam_step(*args[:9])
        root = (square / (1 - args[7] ** args[4])).sqrt() + args[8]
        return any(matches(got, way(p, p - new, root, lr, weight_decay)) for way in ways)

    return fits


# The order matters: the first suspect that fits is named.
PARAMETER = (
    Suspect("There is no decay: this is Adam's step alone.", _decays(lambda p, s, root, lr, wd: p - s)),
    Suspect(
        "The decay was not multiplied by the learning rate: it shrinks the parameter by lr * weight_decay, so that a "
        "schedule on lr holds for the decay too.",
        _decays(
            lambda p, s, root, lr, wd: p * (1 - wd) - s,
            lambda p, s, root, lr, wd: (p - s) * (1 - wd),
        ),
    ),
    Suspect(
        "The decay was taken of the parameter *after* its step. Shrink the old parameter, then subtract Adam's step.",
        _decays(lambda p, s, root, lr, wd: (p - s) * (1 - lr * wd)),
    ),
    Suspect(
        "The parameter grows: the decay is subtracted, 1 - lr * weight_decay.",
        _decays(
            lambda p, s, root, lr, wd: p * (1 + lr * wd) - s,
            lambda p, s, root, lr, wd: p * (1 + wd) - s,
        ),
    ),
    Suspect(
        "The decay is divided by Adam's root together with the mean: put it beside the fraction, so that all weights "
        "shrink by the same share.",
        _decays(
            lambda p, s, root, lr, wd: p - s - lr * wd * p / root,
            lambda p, s, root, lr, wd: p - s - wd * p / root,
        ),
    ),
    Suspect(
        "The decay was multiplied by lr twice: lr * (fraction + weight_decay * parameter), and no further lr.",
        _decays(lambda p, s, root, lr, wd: p * (1 - lr * lr * wd) - s),
    ),
    Suspect(
        "The decay was taken twice: once, 1 - lr * weight_decay.",
        _decays(
            lambda p, s, root, lr, wd: p * (1 - lr * wd) ** 2 - s,
            lambda p, s, root, lr, wd: p * (1 - 2 * lr * wd) - s,
            lambda p, s, root, lr, wd: (p * (1 - lr * wd) - s) * (1 - lr * wd),
        ),
    ),
    Suspect(
        "The decay alone is there: Adam's step is missing.",
        _decays(lambda p, s, root, lr, wd: p * (1 - lr * wd), lambda p, s, root, lr, wd: p * (1 - wd)),
    ),
    Suspect(
        "The same number was taken from every entry: the decay takes a share of the parameter, lr * weight_decay * "
        "parameter.",
        _decays(
            lambda p, s, root, lr, wd: p - s - lr * wd,
            lambda p, s, root, lr, wd: p - s - wd,
        ),
    ),
    Suspect(
        "Every entry shrank by the same amount, its sign times lr * weight_decay: that is L1. The decay takes a share "
        "of the parameter.",
        _decays(lambda p, s, root, lr, wd: p - s - lr * wd * p.sign()),
    ),
    Suspect(
        "Adam's step was shrunk, not the parameter: parameter * (1 - lr * weight_decay) - step.",
        _decays(
            lambda p, s, root, lr, wd: p - s * (1 - lr * wd),
            lambda p, s, root, lr, wd: p - s * (1 - wd),
        ),
    ),
    Suspect(
        "Only the decayed part of the parameter is left: 1 minus lr * weight_decay is what stays of it.",
        _decays(
            lambda p, s, root, lr, wd: p * lr * wd - s,
            lambda p, s, root, lr, wd: p * wd - s,
        ),
    ),
    Suspect(
        "The brackets are misplaced: 1 - lr * weight_decay, and not (1 - lr) * weight_decay.",
        _decays(
            lambda p, s, root, lr, wd: p * (1 - lr) * wd - s,
        ),
    ),
    Suspect(
        "weight_decay is missing, and the parameter shrinks by lr alone: 1 - lr * weight_decay.",
        _decays(lambda p, s, root, lr, wd: p * (1 - lr) - s),
    ),
    Suspect(
        "Two shares were taken off, lr and weight_decay. It is their product: 1 - lr * weight_decay.",
        _decays(lambda p, s, root, lr, wd: p * (1 - lr - wd) - s),
    ),
    Suspect(
        "weight_decay is written as a number here: take the argument.",
        _decays(
            *(lambda p, s, root, lr, wd, by=by: p * (1 - lr * by) - s for by in (0.01, 0.1)),
        ),
    ),
    Suspect(
        "The decay has a power of step: one update shrinks the parameter once, by 1 - lr * weight_decay.",
        lambda got, wanted, *args: matches(got, wanted + args[0] * ((w := 1 - args[5] * args[9]) ** args[4] - w)),
    ),
    Suspect(
        "Where the gradient is 0 nothing decays here. Decay needs no gradient: every weight shrinks at every update, "
        "by the share lr * weight_decay.",
        lambda got, wanted, *args: any(
            matches(got, torch.where(still, wanted + args[5] * args[9] * args[0], wanted))
            for still in (args[1] == 0,)
            if still.any()
        ),
    ),
    Suspect(
        "There is a 1/2 in the decay: it comes from writing L2 as half a square, and 1 - lr * weight_decay has none.",
        _decays(lambda p, s, root, lr, wd: p * (1 - lr * wd / 2) - s),
    ),
    *map(_after_decay, adam.PARAMETER),
    *map(_without_decay, adam.PARAMETER),
)


LEFT_ALONE = "The decay must leave gradient, mean and square alone, and one of them was shrunk: it is the parameter's."


def _shrunk_mean(got: Any, wanted: Tensor, p: Tensor, g: Tensor, m: Tensor, v: Tensor, *rest: Any) -> bool:
    _, lr, b1, _, _, wd = rest
    return any(
        matches(got, way)
        for share in (1 - lr * wd, 1 - wd)
        for way in (share * wanted, b1 * m + (1 - b1) * share * g, b1 * share * m + (1 - b1) * g)
    )


def _shrunk_square(got: Any, wanted: Tensor, p: Tensor, g: Tensor, m: Tensor, v: Tensor, *rest: Any) -> bool:
    _, lr, _, b2, _, wd = rest
    return any(
        matches(got, way)
        for share in (1 - lr * wd, 1 - wd)
        for way in (share * wanted, b2 * v + (1 - b2) * (share * g) ** 2, b2 * share * v + (1 - b2) * g**2)
    )


SHRUNK_MEAN, SHRUNK_SQUARE = Suspect(LEFT_ALONE, _shrunk_mean), Suspect(LEFT_ALONE, _shrunk_square)


def explain(got: Any, *args: Any) -> str:
    """What of Adam's fraction is wrong, when the decay is right, or left out, or without lr."""
    if reason := adam.explain(got, *_decayed(args)):
        return f"The decay is right. {reason}"
    if reason := adam.explain(got, *args[:-1]):
        return f"There is no decay. {reason}"
    reason = adam.explain(got, args[0] * (1 - args[9]), *args[1:9])
    return reason and f"The decay was not multiplied by the learning rate. {reason}"


PARTS = (
    ("mean", 1, (Suspect(L2, _l2_mean), SHRUNK_MEAN, *map(_without_decay, adam.MEAN)), adam.PARTS[0][3]),
    ("square", 2, (Suspect(L2, _l2_square), SHRUNK_SQUARE, *map(_without_decay, adam.SQUARE)), adam.PARTS[1][3]),
    (
        "parameter",
        0,
        PARAMETER,
        "It is parameter * (1 - lr * weight_decay) minus Adam's step, which the decay does not touch. Do an entry "
        "that differs by hand.",
    ),
)


def check(subject: Subject, seed: int | None) -> str:
    ask = Examiner("03.adamw", "adamw_step", subject, (), adam.CRASHES)
    generator = torch.Generator().manual_seed(1 if seed is None else seed)

    def right_for(*args: Any) -> None:
        adam.three(ask, args, adam.oracle(*args), PARTS, explain)

    right_for(*adam.CASE, 0.4)
    right_for(*adam.FIRST, 0.1)  # the entry without a gradient shrinks all the same
    for round_ in range(12):
        weight_decay = 0.01 + 0.49 * torch.rand((), generator=generator, dtype=torch.float64).item()
        right_for(*adam.draw(generator, round_), weight_decay)
    return f"right on {ask.asked} updates: every weight shrinks by the same share, whatever its gradient."


EXERCISE = Exercise(
    id="03.adamw",
    name="adamw_step",
    title="AdamW",
    objectives=("03-O2",),
    difficulty=2,
    minutes=8,
    points=2,
    task="Write adamw_step(parameter, gradient, mean, square, step, lr, beta1, beta2, eps, weight_decay): an update of "
    "Adam with decoupled weight decay. The old parameter shrinks by the share lr * weight_decay, then Adam's step, "
    "made of the plain gradient, is subtracted. Return the new (parameter, mean, square).",
    ranges="those of 03.adam; weight decays between 0.01 and 0.5",
    hints=(
        "What happens to a weight whose gradient is always 0? With the decay in the gradient, Adam divides it by its "
        "own size. Where must it stand so that every weight shrinks by the same share?",
        "The gradient, mean and square are Adam's and know nothing of the decay. Only the parameter is multiplied by 1 "
        "- lr * weight_decay, before the step is subtracted.",
        "return adam_step(parameter * (1 - lr * weight_decay), gradient, mean, square, step, lr, beta1, beta2, eps).",
    ),
    reference=adamw_step,
    walkthrough="Adam's mean, square and step come from the plain gradient. The decay acts on the parameter alone, a "
    "share lr * weight_decay of it at every update, so that it is the same for weights with large and small gradients.",
    where="exercises/03-training/03-training-exercises.ipynb",
    check=check,
)
