"""03.adam: one update of Adam, from its equations. The parts of this check serve 03.adamw as well."""

import math
from collections.abc import Callable, Sequence
from itertools import chain, product
from typing import Any

import torch
from torch import Tensor

from dlcourse.checks.examiner import Examiner, Suspect, matches
from dlcourse.checks.exercise import Exercise
from dlcourse.checks.show import Later, show
from dlcourse.checks.subject import Subject


def adam_step(parameter, gradient, mean, square, step, lr, beta1, beta2, eps):
    mean = mean + (1 - beta1) * (gradient - mean)
    square = square + (1 - beta2) * (gradient**2 - square)
    mean_hat = mean / (1 - beta1**step)
    square_hat = square / (1 - beta2**step)
    return parameter - lr * mean_hat / (square_hat**0.5 + eps), mean, square


State = tuple[Tensor, Tensor, Tensor]  # parameter, mean, square
NAMES = "(parameter, mean, square)"


def oracle(
    parameter: Tensor,
    gradient: Tensor,
    mean: Tensor,
    square: Tensor,
    step: int,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float = 0.0,
) -> State:
    """The textbook's lines, in float64. weight_decay: decoupled."""
    p, g, m, v = (part.double() for part in (parameter, gradient, mean, square))
    m, v = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g * g
    moved = (m / (1 - beta1**step)) / ((v / (1 - beta2**step)).sqrt() + eps)
    return tuple(part.to(parameter.dtype) for part in (p - lr * weight_decay * p - lr * moved, m, v))


Way = Callable[..., Any]  # what a suspect would have returned for one of the three; None where it cannot be said


def _way(*ways: Way) -> Callable[..., bool]:
    """The test of a suspect for one part. What is not finite proves nothing."""

    def fits(got: Any, wanted: Tensor, *args: Any) -> bool:
        guesses = [way(*args) for way in ways]
        return any(isinstance(g, Tensor) and bool(g.isfinite().all()) and matches(got, g) for g in guesses)

    return fits


def _new(p: Tensor, g: Tensor, m: Tensor, v: Tensor, t: int, lr: float, b1: float, b2: float, eps: float) -> State:
    return adam_step(p, g, m, v, t, lr, b1, b2, eps)


def _zeros(reason: str) -> Suspect:
    return Suspect(
        reason, lambda got, wanted, *args: isinstance(got, Tensor) and not got.any() and matches(got, 0 * wanted)
    )


def _rounded(got: Any, wanted: Tensor, *args: Any) -> bool:
    return (
        isinstance(got, Tensor)
        and got.dtype == wanted.dtype == torch.float64
        and got.shape == wanted.shape
        and torch.allclose(got, wanted, rtol=1e-6, atol=1e-7)
    )


FLOAT32 = Suspect(
    "This is right to about seven digits, and the tensors have float64: somewhere a number passes through float32, as "
    "in torch.tensor(beta1). The betas, lr and eps are plain numbers: use them as they are.",
    _rounded,
)
ORDER = "The three came back in another order: it is parameter, mean, square."
HELD = "mean and square go into the next update as they are, uncorrected: only the step uses corrected ones."
# The order matters: the first suspect that fits is named. The letters are those of the arguments, in their order.
MEAN = (
    _zeros("The mean is all zeros. It is beta1 times the old mean plus (1 - beta1) times the gradient."),
    Suspect(
        "The mean came back as it went in. The new one is beta1 times the old one plus (1 - beta1) times the gradient.",
        _way(lambda p, g, m, *rest: m),
    ),
    Suspect(ORDER, _way(lambda *args: _new(*args)[0], lambda *args: _new(*args)[2])),
    Suspect(
        "The mean forgets with beta2 here: it takes beta1, and the square beta2.",
        _way(lambda p, g, m, v, t, lr, b1, b2, eps: b2 * m + (1 - b2) * g),
    ),
    Suspect(
        "The two weights are swapped: beta1 belongs to the old mean, 1 - beta1 to the gradient.",
        _way(lambda p, g, m, v, t, lr, b1, *rest: (1 - b1) * m + b1 * g),
    ),
    Suspect(
        "1 - beta1 is missing: this is the velocity of momentum, a sum. Adam keeps a mean, whose two weights add up to "
        "1.",
        _way(lambda p, g, m, v, t, lr, b1, *rest: b1 * m + g),
    ),
    Suspect(
        "The corrected mean came back. " + HELD,
        _way(lambda p, g, m, v, t, lr, b1, *rest: (b1 * m + (1 - b1) * g) / (1 - b1**t)),
    ),
    Suspect(
        "The old mean was corrected before the gradient came in. First the new mean, from the old one as it is; then "
        "the correction, for the step alone.",
        _way(
            lambda p, g, m, v, t, lr, b1, *rest: b1 * m / (1 - b1**t) + (1 - b1) * g,
            lambda p, g, m, v, t, lr, b1, *rest: b1 * m / (1 - b1 ** (t - 1)) + (1 - b1) * g if t > 1 else None,
        ),
    ),
    Suspect(
        "This is the gradient alone: the mean remembers the earlier ones, with the weight beta1.",
        _way(lambda p, g, *rest: g, lambda p, g, m, v, t, lr, b1, *rest: (1 - b1) * g),
    ),
    Suspect(
        "The gradient is missing: add (1 - beta1) times the gradient.",
        _way(lambda p, g, m, v, t, lr, b1, *rest: b1 * m),
    ),
    Suspect(
        "The gradient was squared here: that is for square. The mean takes the gradient itself.",
        _way(lambda p, g, m, v, t, lr, b1, *rest: b1 * m + (1 - b1) * g**2),
    ),
    Suspect(
        "The gradient was subtracted: a mean adds, and the minus comes with the step.",
        _way(lambda p, g, m, v, t, lr, b1, *rest: b1 * m - (1 - b1) * g),
    ),
    Suspect(
        "beta1 stands here to the power of step. Powers belong into the correction; the new mean takes beta1 itself.",
        _way(lambda p, g, m, v, t, lr, b1, *rest: b1**t * m + (1 - b1**t) * g),
    ),
    Suspect(
        "The learning rate is in the mean: it belongs into the step alone.",
        _way(
            lambda p, g, m, v, t, lr, b1, *rest: b1 * m + (1 - b1) * lr * g,
            lambda p, g, m, v, t, lr, b1, *rest: b1 * m + lr * g,
        ),
    ),
    Suspect(
        "beta1 is written as 0.9 here: take the argument.",
        _way(lambda p, g, m, *rest: 0.9 * m + 0.1 * g),
    ),
    Suspect(
        "Both parts have the weight beta1: the gradient's is 1 - beta1, so that the two add up to 1.",
        _way(lambda p, g, m, v, t, lr, b1, *rest: b1 * m + b1 * g),
    ),
    Suspect(
        "Old mean and gradient were added as they are: their weights are beta1 and 1 - beta1.",
        _way(lambda p, g, m, *rest: m + g),
    ),
    Suspect(
        "The old mean has no weight: it is beta1 times the old one.",
        _way(lambda p, g, m, v, t, lr, b1, *rest: m + (1 - b1) * g),
    ),
    FLOAT32,
)
SQUARE = (
    _zeros("The mean is right, and the square is still all zeros: it comes next."),
    Suspect(
        "The square came back as it went in. The new one is beta2 times the old one plus (1 - beta2) times the "
        "gradient squared.",
        _way(lambda p, g, m, v, *rest: v),
    ),
    Suspect(ORDER, _way(lambda *args: _new(*args)[0])),
    Suspect(
        "The *mean* was squared here. A mean of squares is not the square of a mean: gradients that change their sign "
        "have a small mean and large squares. Square the gradient.",
        _way(
            lambda *args: args[7] * args[3] + (1 - args[7]) * _new(*args)[1] ** 2,
            lambda p, g, m, v, t, lr, b1, b2, eps: b2 * v + (1 - b2) * m**2,
            lambda *args: _new(*args)[1] ** 2,
        ),
    ),
    Suspect("The gradient was not squared.", _way(lambda p, g, m, v, t, lr, b1, b2, eps: b2 * v + (1 - b2) * g)),
    Suspect(
        "The size of the gradient was taken, not its square.",
        _way(lambda p, g, m, v, t, lr, b1, b2, eps: b2 * v + (1 - b2) * g.abs()),
    ),
    Suspect(
        "The square forgets with beta1 here: it takes beta2, and the mean beta1.",
        _way(lambda p, g, m, v, t, lr, b1, b2, eps: b1 * v + (1 - b1) * g**2),
    ),
    Suspect(
        "The two weights are swapped: beta2 belongs to the old square, 1 - beta2 to the gradient squared.",
        _way(lambda p, g, m, v, t, lr, b1, b2, eps: (1 - b2) * v + b2 * g**2),
    ),
    Suspect(
        "1 - beta2 is missing: a mean has two weights that add up to 1.",
        _way(lambda p, g, m, v, t, lr, b1, b2, eps: b2 * v + g**2),
    ),
    Suspect(
        "This adds up all squares, as Adagrad does: Adam keeps a mean of them, which forgets with beta2.",
        _way(lambda p, g, m, v, *rest: v + g**2),
    ),
    Suspect(
        "The corrected square came back. " + HELD,
        _way(lambda p, g, m, v, t, lr, b1, b2, eps: (b2 * v + (1 - b2) * g**2) / (1 - b2**t)),
    ),
    Suspect(
        "The old square was corrected before the gradient came in. First the new square, from the old one as it is; "
        "then the correction, for the step alone.",
        _way(
            lambda p, g, m, v, t, lr, b1, b2, eps: b2 * v / (1 - b2**t) + (1 - b2) * g**2,
            lambda p, g, m, v, t, lr, b1, b2, eps: b2 * v / (1 - b2 ** (t - 1)) + (1 - b2) * g**2 if t > 1 else None,
        ),
    ),
    Suspect(
        "The root came back. What goes into the next update is the mean of squares; only the step takes its root.",
        _way(
            lambda *args: _new(*args)[2].sqrt(),
            lambda *args: (_new(*args)[2] / (1 - args[7] ** args[4])).sqrt(),
        ),
    ),
    Suspect(
        "1 - beta2 was squared together with the gradient: (1 - beta2) * gradient ** 2.",
        _way(lambda p, g, m, v, t, lr, b1, b2, eps: b2 * v + ((1 - b2) * g) ** 2),
    ),
    Suspect(
        "The whole sum was squared, or the old square once more: it holds squares already. Square the gradient alone.",
        _way(
            lambda p, g, m, v, t, lr, b1, b2, eps: (b2 * v + (1 - b2) * g) ** 2,
            lambda p, g, m, v, t, lr, b1, b2, eps: b2 * v**2 + (1 - b2) * g**2,
        ),
    ),
    Suspect(
        "Here gradient minus mean is squared, a variance (as in AdaBelief). Adam squares the gradient itself.",
        _way(
            lambda p, g, m, v, t, lr, b1, b2, eps: b2 * v + (1 - b2) * (g - m) ** 2,
            lambda *args: args[7] * args[3] + (1 - args[7]) * (args[1] - _new(*args)[1]) ** 2,
        ),
    ),
    Suspect(
        "This is the mean once more: square is a mean of the gradient's squares.",
        _way(lambda *args: _new(*args)[1]),
    ),
    Suspect(
        "This is the gradient squared, alone: the square remembers the earlier ones, with the weight beta2.",
        _way(lambda p, g, *rest: g**2, lambda p, g, m, v, t, lr, b1, b2, eps: (1 - b2) * g**2),
    ),
    Suspect(
        "The gradient is missing: add (1 - beta2) times its square.",
        _way(lambda p, g, m, v, t, lr, b1, b2, eps: b2 * v),
    ),
    Suspect(
        "beta2 stands here to the power of step. Powers belong into the correction; the new square takes beta2 itself.",
        _way(lambda p, g, m, v, t, lr, b1, b2, eps: b2**t * v + (1 - b2**t) * g**2),
    ),
    Suspect(
        "eps is in the square: it belongs into the step alone, beside the root.",
        _way(lambda *args: _new(*args)[2] + args[8]),
    ),
    Suspect(
        "beta2 is written as a number here: take the argument.",
        _way(*(lambda p, g, m, v, *rest, b=b: b * v + (1 - b) * g**2 for b in (0.999, 0.99))),
    ),
    Suspect(
        "Here the mean was taken over the entries of the gradient: every entry has a square of its own.",
        _way(lambda p, g, m, v, t, lr, b1, b2, eps: b2 * v + (1 - b2) * (g**2).mean()),
    ),
    FLOAT32,
)

# What may stand above and below the fraction of the step, by a name: a fault ("" is none), and its value from the
# gradient, the old and the new mean or square, the step's number, the beta that belongs and the other one (below: eps).
ABOVE: dict[str, tuple[str, Way]] = {
    "right": ("", lambda g, old, m, t, b, other: m / (1 - b**t)),
    "uncorrected": ("The mean was not corrected: divide it by 1 - beta1 ** step.", lambda g, old, m, t, b, other: m),
    "swapped": (
        "The mean was corrected with beta2: it is 1 - beta1 ** step.",
        lambda g, old, m, t, b, other: m / (1 - other**t),
    ),
    "multiplied": (
        "The mean was multiplied by its correction: divide by 1 - beta1 ** step, which is small at first.",
        lambda g, old, m, t, b, other: m * (1 - b**t),
    ),
    "early": (
        "The correction of the mean has step - 1 in its power: step counts from 1 already.",
        lambda g, old, m, t, b, other: m / (1 - b ** (t - 1)) if t > 1 else None,
    ),
    "late": (
        "The correction of the mean has step + 1 in its power: step counts from 1 already.",
        lambda g, old, m, t, b, other: m / (1 - b ** (t + 1)),
    ),
    "no power": (
        "The mean was divided by 1 - beta1, whatever the step: the power is missing, 1 - beta1 ** step.",
        lambda g, old, m, t, b, other: m / (1 - b),
    ),
    "brackets": (
        "In the correction of the mean the bracket is misplaced: 1 - beta1 ** step, and not (1 - beta1) ** step.",
        lambda g, old, m, t, b, other: m / (1 - b) ** t,
    ),
    "product": (
        "The correction of the mean multiplies by step where a power belongs: 1 - beta1 ** step.",
        lambda g, old, m, t, b, other: m / (1 - b * t) if b * t != 1 else None,
    ),
    "power alone": (
        "The mean was divided by beta1 ** step: it is 1 - beta1 ** step.",
        lambda g, old, m, t, b, other: m / b**t,
    ),
    "no brackets": (
        "Brackets are missing in the correction of the mean: mean / 1 - beta1 ** step divides by 1 alone. It is mean / "
        "(1 - beta1 ** step).",
        lambda g, old, m, t, b, other: m - b**t,
    ),
    "twice": ("The mean was corrected twice.", lambda g, old, m, t, b, other: m / (1 - b**t) ** 2),
    "root": (
        "The root was taken of the mean's correction: only the square has a root.",
        lambda g, old, m, t, b, other: m / math.sqrt(1 - b**t),
    ),
    "old": ("The step uses the old mean: update it first.", lambda g, old, m, t, b, other: old / (1 - b**t)),
    "old, uncorrected": (
        "The step uses the old mean, and without a correction: update it first, then divide by 1 - beta1 ** step.",
        lambda g, old, m, t, b, other: old,
    ),
    "gradient": (
        "The step takes the gradient itself, as RMSProp does: Adam takes the corrected mean of the gradients.",
        lambda g, old, m, t, b, other: g,
    ),
    "gradient, corrected": (
        "The gradient was divided by the mean's correction: the mean belongs there.",
        lambda g, old, m, t, b, other: g / (1 - b**t),
    ),
    "sign": (
        "The step takes the sign of the mean alone: the mean itself belongs above the fraction.",
        lambda g, old, m, t, b, other: m.sign(),
    ),
}
BELOW: dict[str, tuple[str, Way]] = {
    "right": ("", lambda g, old, v, t, b, other, eps: (v / (1 - b**t)).sqrt() + eps),
    "uncorrected": (
        "The square was not corrected: divide it by 1 - beta2 ** step.",
        lambda g, old, v, t, b, other, eps: v.sqrt() + eps,
    ),
    "inside": (
        "eps stands inside the root: it is sqrt(square_hat) + eps.",
        lambda g, old, v, t, b, other, eps: (v / (1 - b**t) + eps).sqrt(),
    ),
    "inside, uncorrected": (
        "eps stands inside the root, and the square was not corrected: sqrt(square_hat) + eps, with square_hat = "
        "square / (1 - beta2 ** step).",
        lambda g, old, v, t, b, other, eps: (v + eps).sqrt(),
    ),
    "inside, before": (
        "eps was added to the square before the correction, inside the root: it is sqrt(square_hat) + eps.",
        lambda g, old, v, t, b, other, eps: ((v + eps) / (1 - b**t)).sqrt(),
    ),
    "before": (
        "eps was added before the correction of the square, so the correction divides eps as well: first square_hat, "
        "then its root, then + eps.",
        lambda g, old, v, t, b, other, eps: (v.sqrt() + eps) / math.sqrt(1 - b**t),
    ),
    "no eps": (
        "eps has no effect here: it is added to the root, sqrt(square_hat) + eps. (Take the argument and not a number "
        "such as 1e-8; and it is no floor, as with max or clamp.)",
        lambda g, old, v, t, b, other, eps: (v / (1 - b**t)).sqrt(),
    ),
    "no eps, uncorrected": (
        "eps has no effect here, and the square was not corrected: sqrt(square_hat) + eps, with square_hat = square / "
        "(1 - beta2 ** step).",
        lambda g, old, v, t, b, other, eps: v.sqrt(),
    ),
    "minus": ("eps is subtracted: add it.", lambda g, old, v, t, b, other, eps: (v / (1 - b**t)).sqrt() - eps),
    "no root": (
        "The root is missing: divide by sqrt(square_hat) + eps.",
        lambda g, old, v, t, b, other, eps: v / (1 - b**t) + eps,
    ),
    "no root, uncorrected": (
        "The root is missing, and the correction of the square: divide by sqrt(square_hat) + eps.",
        lambda g, old, v, t, b, other, eps: v + eps,
    ),
    "outside": (
        "The square was corrected outside the root (or twice inside): first square / (1 - beta2 ** step), then the "
        "root.",
        lambda g, old, v, t, b, other, eps: v.sqrt() / (1 - b**t) + eps,
    ),
    "outside, eps and all": (
        "The square was corrected outside the root, eps and all: first square / (1 - beta2 ** step), then the root, "
        "then + eps.",
        lambda g, old, v, t, b, other, eps: (v.sqrt() + eps) / (1 - b**t),
    ),
    "swapped": (
        "The square was corrected with beta1: it is 1 - beta2 ** step.",
        lambda g, old, v, t, b, other, eps: (v / (1 - other**t)).sqrt() + eps,
    ),
    "multiplied": (
        "The square was multiplied by its correction: divide by 1 - beta2 ** step, which is small at first.",
        lambda g, old, v, t, b, other, eps: (v * (1 - b**t)).sqrt() + eps,
    ),
    "early": (
        "The correction of the square has step - 1 in its power: step counts from 1 already.",
        lambda g, old, v, t, b, other, eps: (v / (1 - b ** (t - 1))).sqrt() + eps if t > 1 else None,
    ),
    "late": (
        "The correction of the square has step + 1 in its power: step counts from 1 already.",
        lambda g, old, v, t, b, other, eps: (v / (1 - b ** (t + 1))).sqrt() + eps,
    ),
    "no power": (
        "The square was divided by 1 - beta2, whatever the step: the power is missing, 1 - beta2 ** step.",
        lambda g, old, v, t, b, other, eps: (v / (1 - b)).sqrt() + eps,
    ),
    "brackets": (
        "In the correction of the square the bracket is misplaced: 1 - beta2 ** step, and not (1 - beta2) ** step.",
        lambda g, old, v, t, b, other, eps: (v / (1 - b) ** t).sqrt() + eps,
    ),
    "power alone": (
        "The square was divided by beta2 ** step: it is 1 - beta2 ** step.",
        lambda g, old, v, t, b, other, eps: (v / b**t).sqrt() + eps,
    ),
    "old": (
        "The step uses the old square: update it first.",
        lambda g, old, v, t, b, other, eps: (old / (1 - b**t)).sqrt() + eps,
    ),
    "old, uncorrected": (
        "The step uses the old square, and without a correction: update it first, then divide by 1 - beta2 ** step.",
        lambda g, old, v, t, b, other, eps: old.sqrt() + eps,
    ),
    "gradient": (
        "The step is divided by the size of the gradient: the root of the corrected square belongs there.",
        lambda g, old, v, t, b, other, eps: g.abs() + eps,
    ),
    "half": (
        "`square_hat ** 1 / 2` is (square_hat ** 1) / 2: write ** 0.5, or torch.sqrt.",
        lambda g, old, v, t, b, other, eps: v / (1 - b**t) / 2 + eps,
    ),
    "half, uncorrected": (
        "`square ** 1 / 2` is (square ** 1) / 2: write ** 0.5, or torch.sqrt. And the square was not corrected.",
        lambda g, old, v, t, b, other, eps: v / 2 + eps,
    ),
    "eps times": (
        "eps multiplies here: it is added, sqrt(square_hat) + eps.",
        lambda g, old, v, t, b, other, eps: (v / (1 - b**t)).sqrt() * eps,
    ),
    "eps squared": (
        "eps stands inside the root, squared: it is sqrt(square_hat) + eps.",
        lambda g, old, v, t, b, other, eps: (v / (1 - b**t) + eps**2).sqrt(),
    ),
    "nothing": (
        "Nothing stands below: divide the corrected mean by sqrt(square_hat) + eps.",
        lambda g, old, v, t, b, other, eps: torch.ones_like(v),
    ),
    "times": (
        "This multiplies by the root: divide by sqrt(square_hat) + eps. Entries with large gradients take small steps.",
        lambda g, old, v, t, b, other, eps: 1 / ((v / (1 - b**t)).sqrt() + eps),
    ),
}
# Two faults, above and below, that are one thought: mostly those of the same name.
SAME = {
    "uncorrected": "There is no bias correction at this step: mean and square begin at 0 and are too small at first. "
    "At every update, not the first alone, divide them by 1 - beta1 ** step and 1 - beta2 ** step for the step.",
    "swapped": "The two corrections are swapped: the mean's is 1 - beta1 ** step, the square's 1 - beta2 ** step.",
    "multiplied": "Both corrections multiply: divide by 1 - beta1 ** step and 1 - beta2 ** step, which are small at "
    "first.",
    "early": "The corrections have step - 1 in their powers: step counts from 1 already.",
    "late": "The corrections have step + 1 in their powers: step counts from 1 already.",
    "no power": "The powers are missing: the corrections are 1 - beta1 ** step and 1 - beta2 ** step.",
    "brackets": "The brackets are misplaced: 1 - beta1 ** step, and not (1 - beta1) ** step; and so for beta2.",
    "power alone": "Both were divided by the power alone: the corrections are 1 - beta1 ** step and 1 - beta2 ** step.",
    "old": "The step uses the old mean and the old square: update them first.",
    "old, uncorrected": "The step uses the old mean and the old square, and no correction: update them first.",
}
TOGETHER = {(name, name): reason for name, reason in SAME.items()} | {
    ("twice", "outside"): "Both were corrected twice: once makes mean_hat and square_hat.",
    ("gradient", "nothing"): "This is plain gradient descent: Adam's mean and square are not in the step at all.",
}
RATES: tuple[tuple[str, Callable[[float], float]], ...] = (
    ("", lambda lr: lr),
    ("The sign is the wrong way round: subtract the step, downhill.", lambda lr: -lr),
    ("The learning rate was not used.", lambda lr: 1.0),
)


def explain(
    got: Any, p: Tensor, g: Tensor, m: Tensor, v: Tensor, t: int, lr: float, b1: float, b2: float, eps: float
) -> str:
    """The faults of the fraction that this new parameter shows, as few as can be; "" when no known ones do."""
    _, new_m, new_v = _new(p, g, m, v, t, lr, b1, b2, eps)
    moves = []
    for (up, (above_reason, above)), (down, (below_reason, below)) in product(ABOVE.items(), BELOW.items()):
        numerator, denominator = above(g, m, new_m, t, b1, b2), below(g, v, new_v, t, b2, b1, eps)
        if numerator is None or denominator is None or up == down == "right":
            continue
        reason = TOGETHER.get((up, down)) or " ".join(filter(None, (above_reason, below_reason)))
        single = (up, down) in TOGETHER or "right" in (up, down)
        moves.append((not single, reason, numerator / denominator))
    moves.sort(key=lambda move: move[0])  # one fault explains better than two
    for (rated, rate), (_, reason, move) in product(RATES, moves):
        if move.isfinite().all() and matches(got, p - rate(lr) * move):
            return f"{rated} {reason}".strip()
    return ""


def _moved(sign: int, rate: Callable[[float], float], *, parameter: int = 1) -> Callable[..., bool]:
    """The test of a suspect whose fraction is right, and whose last line is not."""
    return _way(
        lambda p, g, m, v, t, lr, b1, b2, eps: (
            parameter * p + sign * rate(lr) * (p - _new(p, g, m, v, t, 1.0, b1, b2, eps)[0])
        )
    )


# Of the new parameter, when mean and square are right.
PARAMETER = (
    _zeros("Mean and square are right, and the parameter is still all zeros: it comes next."),
    Suspect("The parameter came back as it went in: nothing took the step.", _way(lambda p, *rest: p)),
    Suspect("The sign is the wrong way round: subtract the step, downhill.", _moved(1, lambda lr: lr)),
    Suspect(
        "This is the step alone: subtract it from the parameter.",
        lambda got, wanted, *args: any(_moved(s, lambda lr: lr, parameter=0)(got, wanted, *args) for s in (-1, 1)),
    ),
    Suspect("The learning rate was not used.", _moved(-1, lambda lr: 1.0)),
    Suspect("The learning rate was used twice.", _moved(-1, lambda lr: lr * lr)),
    Suspect(
        "The learning rate is written as a number here: take the argument lr.",
        lambda got, wanted, *args: any(_moved(-1, lambda lr, n=n: n)(got, wanted, *args) for n in (0.001, 0.01)),
    ),
    Suspect(
        "Brackets are missing: eps was added to the new parameter, and belongs below the fraction, (sqrt(square_hat) + "
        "eps).",
        _way(
            lambda p, g, m, v, t, lr, b1, b2, eps: _new(p, g, m, v, t, lr, b1, b2, 0.0)[0] + eps,
            lambda p, g, m, v, t, lr, b1, b2, eps: _new(p, g, m, v, t, lr, b1, b2, 0.0)[0] - eps,
        ),
    ),
    Suspect(
        "The learning rate was subtracted from the parameter itself: parameter - lr * ..., without brackets round the "
        "first two.",
        _way(lambda p, g, m, v, t, lr, b1, b2, eps: (p - lr) * (p - _new(p, g, m, v, t, 1.0, b1, b2, eps)[0])),
    ),
    FLOAT32,
)


CRASHES = (
    (
        "an argument was changed in place",
        "An argument was changed, by an operation that ends in _ or by *= or +=. The caller still needs it: write "
        "mean = beta1 * mean + ..., which makes a new tensor.",
    ),
    (
        "ZeroDivisionError",
        "A division by zero: step counts from 1, so at the first update the correction is 1 - beta ** 1. With step - 1 "
        "it would be 1 - beta ** 0, which is 0.",
    ),
    ("must be Tensor, not float", "torch.sqrt takes a tensor; the root of a plain number is number ** 0.5."),
    (
        "converted to Python scalars",
        "math.sqrt takes one number: for a tensor, torch.sqrt or ** 0.5.",
    ),
    ("cannot be converted to Scalar", "math.sqrt takes one number: for a tensor, torch.sqrt or ** 0.5."),
    ("for ^", "`^` is no power in Python: write beta1 ** step."),
    ("bitwise_xor", "`^` is no power in Python: write gradient ** 2."),
    ("name 'adam_step' is not defined", "Run the cell of the exercise before this one, or write the lines out."),
)
PARTS = (
    (
        "mean",
        1,
        MEAN,
        "It is beta1 times the old mean plus (1 - beta1) times the gradient. Do an entry that differs by hand.",
    ),
    (
        "square",
        2,
        SQUARE,
        "It is beta2 times the old square plus (1 - beta2) times the gradient squared. Do an entry that differs by "
        "hand.",
    ),
    (
        "parameter",
        0,
        PARAMETER,
        "Correct mean and square, then subtract lr times the one over (the root of the other plus eps). Print "
        "mean_hat and square_hat, and do an entry that differs by hand.",
    ),
)
ZERO = "0 / 0: where the square is 0, only eps below the fraction keeps it from being 0."
NO_NUMBER = (
    "Some entries are nan or infinite: a division by 0, or the root of a negative number. Print mean_hat, square_hat "
    "and the root. Is it square / (1 - beta2 ** step), with these brackets, and with a power?"
)
Part = tuple[str, int, Sequence[Suspect], str]


def three(
    ask: Examiner,
    args: tuple[Any, ...],
    wanted: State,
    parts: Sequence[Part],
    explained: Callable[..., str],
) -> None:
    """Asks for the three tensors and compares them in the order of `parts`.

    explained(got, *args): why a wrong new parameter that no suspect knows is what it is, or "".
    """
    called = ask.written(args)
    got = ask.ask(lambda: ask.subject.call(*args), called=called, wanted=f"{NAMES} = " + Later(show, wanted))
    got = tuple(got) if type(got) is list and len(got) == 3 else got
    if type(got) is not tuple or len(got) != 3:
        reason = f"Return three tensors, {NAMES}: the new state goes into the next update."
        unnamed = (Suspect(reason, lambda got, *rest: got is not None),)
        ask.compare(got, wanted, args, called=called, generic="", suspects=unnamed, names=NAMES)
    for name, position, suspects, generic in parts:
        part, right = got[position], wanted[position]
        label = called + f"\nof the three: {name}"

        def why(name: str = name, part: Any = part, generic: str = generic) -> str:
            if name != "parameter":
                return generic
            if not part.isfinite().all():
                return NO_NUMBER if wanted[2].all() else ZERO
            return explained(part, *args) or generic

        slack = 20 * torch.finfo(right.dtype).eps * max(1.0, right.abs().max().item())
        ask.compare(part, right, args, called=label, generic=why, suspects=suspects, slack=slack)


# No two of the usual mistakes give the same numbers here, and nothing cancels: every entry can be done by hand.
CASE = (
    torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64),
    torch.tensor([0.5, -3.0, 2.0], dtype=torch.float64),
    torch.tensor([0.25, 1.25, -1.5], dtype=torch.float64),
    torch.tensor([1.5, 0.25, 2.0], dtype=torch.float64),
    *(3, 0.1, 0.8, 0.95, 0.05),  # step, lr, beta1, beta2, eps
)
FIRST = (
    torch.tensor([1.0, -2.0], dtype=torch.float64),
    torch.tensor([0.25, 0.0], dtype=torch.float64),  # an entry that has no gradient
    *torch.zeros(2, 2, dtype=torch.float64),
    *(1, 0.5, 0.9, 0.999, 1e-8),
)
SHAPES = ((4,), (2, 3), (), (1, 5), (2, 1, 3), (3, 2))


def draw(generator: torch.Generator, round_: int) -> tuple[Any, ...]:
    """Arguments of adam_step from the ranges that the exercise states."""

    def number(low: float, high: float) -> float:
        return low + (high - low) * torch.rand((), generator=generator, dtype=torch.float64).item()

    shape = SHAPES[int(torch.randint(len(SHAPES), (), generator=generator))]
    dtype = (torch.float32, torch.float64)[round_ % 2]
    tensors = torch.randn(4, *shape[::-1], generator=generator, dtype=torch.float64)
    tensors[3] = tensors[3].square() + 0.01
    tensors[1][torch.rand(shape[::-1], generator=generator) < 0.2] = 0.0
    step = (1, 2, 10, 1000)[int(torch.randint(4, (), generator=generator))]
    if step == 1:
        tensors[2:] = 0.0
    eps = (1e-8, 1e-6, 1e-3, 0.1)[round_ % 4]
    # Reversed axes in memory: views.
    views = [tensor.to(dtype).permute(tuple(range(len(shape) - 1, -1, -1))) for tensor in tensors]
    return (*views, step, number(0.001, 0.5), number(0.5, 0.95), number(0.8, 0.999), eps)


def check(subject: Subject, seed: int | None) -> str:
    ask = Examiner("03.adam", "adam_step", subject, (), CRASHES)
    generator = torch.Generator().manual_seed(1 if seed is None else seed)
    for args in chain((CASE, FIRST), (draw(generator, round_) for round_ in range(12))):
        three(ask, args, oracle(*args), PARTS, explain)
    return f"right on {ask.asked} updates, the first ones and the thousandth among them."


EXERCISE = Exercise(
    id="03.adam",
    name="adam_step",
    title="Adam",
    objectives=("03-O2",),
    difficulty=3,
    minutes=15,
    points=3,
    task="Write adam_step(parameter, gradient, mean, square, step, lr, beta1, beta2, eps): four tensors of one shape, "
    "step (1 at the first update) and four floats in; the new (parameter, mean, square) out, three new tensors. mean "
    "and square come back uncorrected; the step corrects them, and eps stands beside the root.",
    ranges="shapes of up to three axes, steps 1 to 1,000 (before the first, mean and square are 0), lr 0.001 to 0.5, "
    "beta1 0.5 to 0.95, beta2 0.8 to 0.999, eps 1e-8 to 0.1, entries of the gradient that are 0, float32 and float64, "
    "tensors that are views of others",
    hints=(
        "Five short lines: the two running means, the two corrected ones, the step. Which of the five results does "
        "the next update need, and which are forgotten? Give them names accordingly.",
        "mean takes the gradient with the weight 1 - beta1, square takes the gradient squared with 1 - beta2. After "
        "`step` updates they lack the factors 1 - beta1 ** step and 1 - beta2 ** step: divide by these, for the step "
        "alone. Return the undivided ones.",
        "mean = beta1 * mean + (1 - beta1) * gradient; square likewise with gradient ** 2 and beta2; mean_hat = mean / "
        "(1 - beta1 ** step); square_hat = square / (1 - beta2 ** step); parameter - lr * mean_hat / "
        "(torch.sqrt(square_hat) + eps).",
    ),
    reference=adam_step,
    walkthrough="Both running means move towards the new value by a share 1 - beta of the way, and since they began at "
    "0 they lack a factor 1 - beta ** step, by which the step divides. The corrected mean over the root of the "
    "corrected square gives every entry a step of about lr, whatever the size of its gradients.",
    where="exercises/03-training/03-training-exercises.ipynb",
    check=check,
)
