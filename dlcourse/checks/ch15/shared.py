"""What the checks of chapter 15 share: the network, its slopes, and tables of mistakes."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from dlcourse.checks.ch08.several import IN_PLACE
from dlcourse.checks.examiner import Suspect, matches

Faults = dict[str, Any]
Mistakes = Sequence[tuple[str, Sequence[Faults]]]  # what to say, and the keywords of the answers that it is said of
WHERE = "exercises/15-adversarial/15-adversarial-exercises.ipynb"
CRASHES = (
    IN_PLACE,
    ("name 'logits' is not defined", "logits is in a cell above this one: run it."),
    (
        "One of the differentiated Tensors does not require grad",
        "The slope is asked for in a tensor that is not on torch's record: requires_grad_() puts it there, before the "
        "logits are computed from this very tensor.",
    ),
    (
        "does not require grad",
        "Nothing here is on torch's record: put the pixels there with requires_grad_(), before the logits are computed "
        "from them.",
    ),
    (
        "appears to not have been used in the graph",
        "The loss does not depend on the tensor whose slope is asked for: compute the logits from this very tensor.",
    ),
    (
        "grad can be implicitly created only for scalar outputs",
        "There is a loss for each example, and torch wants one number: their sum. No example's loss depends on another "
        "example, so the slope of the sum holds each one's own.",
    ),
    (
        "'NoneType' object has no attribute",
        "x.grad is None: only leaves keep their slope there, after backward. torch.autograd.grad(..., x) hands it back "
        "instead.",
    ),
    (
        "'tuple' object has no attribute",
        "torch.autograd.grad returns a tuple, a slope for each input: (slope,) = ..., or [0] at its end.",
    ),
    (
        "backward through the graph a second time",
        "The same record was walked twice: compute the logits anew from the point where you stand now.",
    ),
    (
        "leaf Variable that requires grad",
        "A tensor on the record was changed in place: make a new one, x = (x + ...).detach().",
    ),
    (
        "you can only change requires_grad flags of leaf variables",
        "The point was computed from tensors that are on torch's record: .detach() cuts it off before the next step.",
    ),
    (
        "Can't call numpy()",
        "numpy takes no tensor that is on torch's record: stay with tensor operations, or .detach() first.",
    ),
)


def logits(x: Tensor, w1: Tensor, b1: Tensor, w2: Tensor, b2: Tensor) -> Tensor:
    """The network of the exercise notebook: (batch, features) -> (batch, classes)."""
    return torch.tanh(x @ w1.T + b1) @ w2.T + b2


def slope_at(loss: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """The slope of loss(x).sum() in x, also where slopes are switched off; 0 where nothing depends on x."""
    with torch.enable_grad():
        leaf = x.detach().clone().requires_grad_()
        (slope,) = torch.autograd.grad(loss(leaf).sum(), leaf, materialize_grads=True)
    return slope


def best_wrong(scores: Tensor, labels: Tensor) -> Tensor:
    """The best wrong logit minus the label's, (batch,)."""
    right = labels[:, None]
    return scores.scatter(1, right, -torch.inf).amax(1) - scores.gather(1, right)[:, 0]


def suspects(function: Callable[..., Any], mistakes: Mistakes, passed: Sequence[tuple[Any, ...]] = ()) -> list[Suspect]:
    """function(*args, **faults) for each mistake. The order matters: the first that fits is named.

    passed: inputs on which the answer was right, so that a mistake that would have shown there is none of its own.
    """

    def program(faults: Faults) -> Callable[..., bool]:
        def fits(got: Any, wanted: Any, *args: Any) -> bool:
            try:
                value = function(*args, **faults)
            except RuntimeError:  # shapes that fit only sometimes
                return False
            return (
                not matches(value, wanted)
                and matches(got, value)
                and all(matches(function(*before, **faults), function(*before)) for before in passed)
            )

        return fits

    return [Suspect(reason, program(faults)) for reason, several in mistakes for faults in several]


def draw_network(generator: torch.Generator, features: int, hidden: int, classes: int) -> tuple[Tensor, ...]:
    """w1, b1, w2, b2, all of them eighths: small enough that no unit is flat."""

    def eighths(*shape: int) -> Tensor:
        return torch.randint(-8, 9, shape, generator=generator) / 8

    return eighths(hidden, features), eighths(hidden), 2 * eighths(classes, hidden), eighths(classes)


def size(generator: torch.Generator, low: int, high: int) -> int:
    return int(torch.randint(low, high + 1, (), generator=generator))


def in_another_form(args: tuple[Any, ...], round_: int) -> tuple[Any, ...]:
    """One of three: as it is, in float64, or the same numbers in another order in memory."""
    if round_ % 3 == 1:
        return tuple(a.double() if isinstance(a, Tensor) and a.is_floating_point() else a for a in args)
    if round_ % 3 == 2:
        return tuple(a.T.contiguous().T if isinstance(a, Tensor) and a.dim() == 2 else a for a in args)
    return args
