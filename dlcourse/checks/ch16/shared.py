"""What the checks of chapter 16 share: tables of mistakes, and failures narrowed down to a smaller question."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

from dlcourse.checks.ch08.several import tensors
from dlcourse.checks.ch15.shared import CRASHES as OF_SLOPES
from dlcourse.checks.ch15.shared import Mistakes
from dlcourse.checks.examiner import Examiner, Suspect, matches
from dlcourse.checks.show import Later, show

WHERE = "exercises/16-interpretability/16-interpretability-exercises.ipynb"
CRASHES = (
    (
        "does not require grad",
        "Nothing here is on torch's record: a leaf is put there, .clone().requires_grad_(), *before* the logits are "
        "computed from it, and its slope is asked for.",
    ),
    (
        "you can only change requires_grad flags of leaf variables",
        "This tensor was computed from others that are on torch's record: .detach() cuts it off, then "
        ".requires_grad_().",
    ),
    (
        "Index tensor must have the same number of dimensions",
        "gather wants an index with as many dimensions as the logits, labels[:, None]. Or take "
        "logits[torch.arange(len(x)), labels].",
    ),
    (
        "grad can be implicitly created only for scalar outputs",
        "There is a score for each example, and torch wants one number: their sum. No example's score depends on "
        "another example, so the slope of the sum holds each one's own.",
    ),
    (
        "appears to not have been used in the graph",
        "The score does not depend on the tensor whose slope is asked for: compute the logits from this very tensor.",
    ),
    *OF_SLOPES,
)
_A_TUPLE = (
    "torch.autograd.grad returns a tuple of one, a slope for each input: (slope,) = torch.autograd.grad(...), or [0] "
    "at its end."
)
# Of the exercises that ask for a slope: what Python says where a tensor was wanted.
CRASHES_OF_SLOPES = (
    ("and 'tuple'", _A_TUPLE),  # of two operands
    ("'tuple' and", _A_TUPLE),
    ("must be Tensor, not tuple", _A_TUPLE),
    ("but got tuple", _A_TUPLE),
    ("got (tuple", _A_TUPLE),
    ("can't multiply sequence by non-int", _A_TUPLE),
    ("only integer tensors of a single element can be converted to an index", _A_TUPLE),  # a tuple times a tensor
    *CRASHES,
)
# Arguments, and what to say of what came back for them and what is right, if they differ.
Smaller = Iterable[tuple[tuple[Any, ...], Callable[[Any, Any], str]]]


def kin(got: Any, wanted: Any) -> bool:
    """Of the same type, shapes and dtypes: only then is it worth asking which mistake gives these numbers."""
    if isinstance(wanted, Tensor):
        return isinstance(got, Tensor) and got.shape == wanted.shape and got.dtype == wanted.dtype
    return type(got) is type(wanted) and len(got) == len(wanted) and all(map(kin, got, wanted))


def suspects(function: Callable[..., Any], mistakes: Mistakes) -> list[Suspect]:
    """function(*args, **faults) for each mistake. The order matters: the first that fits is named."""

    def program(faults: dict[str, Any]) -> Callable[..., bool]:
        def fits(got: Any, wanted: Any, *args: Any) -> bool:
            if not kin(got, wanted):
                return False
            try:
                value = function(*args, **faults)
            except RuntimeError:  # shapes that fit only sometimes
                return False
            return matches(got, value) and not matches(value, wanted)

        return fits

    return [Suspect(reason, program(faults)) for reason, several in mistakes for faults in several]


def explain(
    ask: Examiner,
    args: tuple[Any, ...],
    truth: Callable[..., Any],
    smaller: Callable[..., Smaller],
    *,
    generic: str,
    slack: float = 0.0,
    names: tuple[str, ...] = (),
) -> None:
    """Compares; and where no suspect knows the numbers, asks `smaller` questions, whose numbers fit into a sentence.

    smaller(got, wanted, *args): see Smaller; from the smallest on. generic: for what is wrong only as a whole.
    names: of the tensors, where a tuple of them is wanted.
    """
    wanted, called = truth(*args), ask.written(args)
    got = ask.ask(lambda: ask.subject.call(*args), called=called, wanted=Later(show, wanted))
    if same(got, wanted, slack):
        return
    known = next(([suspect] for suspect in (ROUNDED, *ask.suspects) if suspect.fits(got, wanted, *args)), [])
    if kin(got, wanted) and not known:
        for short, tell in smaller(got, wanted, *args):
            right, small = truth(*short), ask.written(short)
            came = ask.ask(lambda short=short: ask.subject.call(*short), called=small, wanted=Later(show, right))
            if not same(came, right, slack):
                reason = tell(came, right) if kin(came, right) else generic
                _fail(ask, came, right, short, names, called=small, generic=reason, suspects=(), slack=slack)
    _fail(ask, got, wanted, args, names, called=called, generic=generic, suspects=known, slack=slack)


def _fail(ask: Examiner, got: Any, wanted: Any, args: tuple[Any, ...], names: tuple[str, ...], **how: Any) -> None:
    """Of a tuple of tensors, the one that is wrong is shown."""
    if not names or not tensors(got, len(wanted)):
        ask.compare(got, wanted, args, names=f"({', '.join(names)})" if names else "", **how)
        return
    how["suspects"] = [Suspect(suspect.reason, lambda *_: True) for suspect in how["suspects"]]
    for name, one, right in zip(names, got, wanted, strict=True):
        ask.compare(one, right, args, **how | {"called": how["called"] + f"\nof what comes back: {name}"})


def same(got: Any, wanted: Any, slack: float) -> bool:
    """Right, but for rounding of the size of `slack`."""
    if not kin(got, wanted):
        return False
    if isinstance(wanted, tuple):
        return all(same(one, right, slack) for one, right in zip(got, wanted, strict=True))
    return matches(got, wanted) or (wanted.is_floating_point() and torch.allclose(got, wanted, rtol=0, atol=slack))


def _only_rounded(got: Any, wanted: Any, *args: Any) -> bool:
    return any(a.dtype == torch.float64 for a in args if isinstance(a, Tensor)) and same(got, wanted, 1e-5)


ROUNDED = Suspect(
    "This is right to about seven digits, and float64 went in: on the way something has float32. torch.linspace, "
    "torch.zeros and torch.tensor of floats do, unless they get dtype=.",
    _only_rounded,
)


def first_wrong(got: Tensor, wanted: Tensor, slack: float) -> tuple[int, ...]:
    """Where the two differ first; nan differs."""
    wrong = ~((got - wanted).abs() <= max(slack, 1e-5 * wanted.abs().max().item()))
    places = wrong.nonzero().tolist()
    return tuple(places[0]) if places else (0,) * wanted.dim()


def row(numbers: Tensor) -> str:
    """Numbers in a sentence."""
    return str([round(number, 4) + 0.0 for number in numbers.tolist()])


def rounding(*args: Any) -> float:
    """What some twenty roundings of numbers up to 10 may do, in the dtype of the first argument."""
    return 200 * torch.finfo(args[0].dtype).eps
