"""Asks an answer one question after another, compares, and stops at the first difference with a diagnosis.

The likely reason comes from a table of suspects. A suspect is a known misconception as code: what it would have
returned for the same arguments. If that is what came back, its reason is the one to read.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import torch
from torch import Tensor

from dlcourse.checks.outcome import AnswerError, CheckFailed, NotStarted
from dlcourse.checks.show import CALL, Later, Words, apart, kind, paste, show
from dlcourse.checks.subject import Subject

# (relative, absolute): room for another order of the same arithmetic, far below any misconception.
TOLERANCE = {torch.float32: (2e-5, 2e-6), torch.float64: (1e-9, 1e-12)}

NO_SLOPE = (
    "No slope reaches the input: something on the way left torch's record of the computation (.detach(), .item(), "
    ".tolist(), .data, torch.no_grad, numpy, or a new torch.tensor). Stay with tensor operations."
)
GENERIC = {  # the reason for each kind of AnswerError that no entry of `crashes` explains
    "raised": "The code stopped with this error. Run it by hand on this input and print shapes and dtypes on the way.",
    "NameError": "This name is not known here: is it spelled as in the first line of the stub, is its cell run, and is "
    "its module named (math.cos, torch.sqrt)?",
    "signature": "The name or the parameters differ from the stub. Keep the first line of the stub as it was.",
    "changed-argument": "An argument was changed in place: an operation that ends in _, an assignment to x[...], or "
    "+=. The caller still needs it, so make a new tensor instead.",
    "not-plain": "Return plain torch tensors and Python numbers, as the stub says.",
    "silent": "It took too long: look for a loop that never ends.",
    "gone": "The process that runs the answer ended, or sent something that is no answer.",
}
PLAIN = (  # what came instead of a plain value, and what makes one of it
    ("a torch.Size ", "tuple(...)"),
    ("a numpy.ndarray ", "torch.tensor(...)"),
    ("a numpy.bool", "bool(...)"),
    ("a numpy.int", "int(...)"),
    ("a numpy.uint", "int(...)"),
    ("a numpy.float", "float(...)"),
)


@dataclass(frozen=True)
class Suspect:
    """One misconception. fits(got, wanted, *args): is that what came back? reason: what to tell the learner."""

    reason: str
    fits: Callable[..., bool]


def gives(function: Callable[..., Any]) -> Callable[..., bool]:
    """The test of a suspect that returns `function(*args)`."""
    return lambda got, wanted, *args: matches(got, function(*args))


def matches(got: Any, wanted: Any) -> bool:
    """Equal in type, shape and dtype, and in value within the tolerance; nan matches nan (for suspects only)."""
    if isinstance(wanted, Tensor):
        return (
            isinstance(got, Tensor)
            and got.dtype == wanted.dtype
            and got.shape == wanted.shape
            and not _wrong(got, wanted, equal_nan=True).any()
        )
    if type(got) is not type(wanted):
        return False
    if type(wanted) is float:
        # As loose as float32: a float usually comes out of such a tensor, by .item().
        return matches(*(torch.tensor(number, dtype=torch.float32, device="cpu") for number in (got, wanted)))
    if type(wanted) in (tuple, list):
        return len(got) == len(wanted) and all(map(matches, got, wanted))
    if type(wanted) is dict:
        return got.keys() == wanted.keys() and all(matches(got[name], wanted[name]) for name in wanted)
    return got == wanted


def number(value: Any) -> float:
    """`value` as a number whatever its type, for suspects; nan when it is none."""
    if isinstance(value, Tensor):
        return float(value) if value.numel() == 1 and not value.is_complex() else math.nan
    return float(value) if type(value) in (bool, int, float) else math.nan


def _wrong(got: Tensor, wanted: Tensor, slack: float = 0.0, *, equal_nan: bool = False) -> Tensor:
    """Which entries differ by more than rounding. A nan is never right unless `equal_nan`."""
    if not wanted.is_floating_point() or torch.equal(got, wanted):  # most right answers are right to the last bit
        return got != wanted
    relative, absolute = TOLERANCE[wanted.dtype]
    return ~torch.isclose(got, wanted, rtol=relative, atol=max(absolute, slack), equal_nan=equal_nan)


class Examiner:
    """One run of a check.

    exercise: its id. name: what the learner calls the answer. crashes: pairs (part of an exception's text, reason).
    lines: of Python that the answer may run for one value; None is no limit.
    Counts its questions in `asked`; every method raises CheckFailed or NotStarted at the first difference.
    """

    def __init__(
        self,
        exercise: str,
        name: str,
        subject: Subject,
        suspects: Sequence[Suspect] = (),
        crashes: Sequence[tuple[str, str]] = (),
        lines: int | None = None,
    ) -> None:
        self.exercise, self.name, self.subject = exercise, name, subject
        self.suspects, self.crashes, self.lines = suspects, crashes, lines
        self.asked = 0

    def value(self, args: tuple[Any, ...], wanted: Any, *, generic: str, slack: float = 0.0, names: str = "") -> None:
        """Compares the answer's value for `args`.

        generic: the reason when no suspect fits. slack: absolute error to allow, where the arithmetic cancels.
        """
        called = self.written(args)
        got = self.ask(lambda: self.subject.call(*args, lines=self.lines), called=called, wanted=Later(show, wanted))
        self.compare(got, wanted, args, called=called, generic=generic, slack=slack, names=names)

    def slope(
        self,
        args: tuple[Any, ...],
        cotangent: Tensor,
        position: int,
        wanted: Tensor,
        *,
        suspects: Sequence[Suspect],
        generic: str,
        slack: float = 0.0,
    ) -> None:
        """Compares the slope of sum(cotangent * answer) for the argument at `position`.

        suspects: of the slope; each is given (slope or None, wanted, *args).
        """
        called = "the slope of " + self.written(args)
        if not torch.equal(cotangent, torch.ones_like(cotangent)):
            called += ", its entries weighted by " + Later(paste, cotangent)
        slopes = self.ask(lambda: self.subject.vjp(args, cotangent), called=called, wanted=Later(show, wanted))
        got = slopes[position]
        if got is None:
            self.fail(called=called, came_back="no slope at all", wanted=show(wanted), reason=NO_SLOPE)
        self.compare(got, wanted, args, called=called, generic=generic, suspects=suspects, slack=slack)

    def ask(
        self, question: Callable[[], Any], *, called: Words, wanted: Words, crashes: Sequence[tuple[str, str]] = ()
    ) -> Any:
        """The answer's value, or the diagnosis when it gave none.

        crashes: of this question alone; they come before those of all questions.
        """
        self.asked += 1
        try:
            return question()
        except AnswerError as error:
            if error.kind == "not-started":
                stub = error.message  # it may be another one: an answer may call that of the exercise before it
                elsewhere = stub.isidentifier() and not stub.startswith("__") and stub != self.name
                raise NotStarted(
                    f"{self.exercise}. Write your code in place of the line `raise NotStarted`"
                    f"{f' in {stub}' if elsewhere else ''}, run that cell, "
                    f'then this one. checks.hint("{self.exercise}") gives a first idea.'
                ) from None
            came_back = {
                "raised": f"{error}" + (f"\nin {error.line}" if error.line else ""),
                "signature": error.message,
                "not-plain": error.message,
            }.get(error.kind, f"nothing: {error.message}")
            self.fail(called=called, came_back=came_back, wanted=wanted, reason=self._reason_of(error, crashes))

    def _reason_of(self, error: AnswerError, crashes: Sequence[tuple[str, str]]) -> str:
        for part, reason in (*crashes, *self.crashes):
            if part in str(error):
                return reason
        reason = GENERIC["NameError" if error.error == "NameError" else error.kind]
        maker = next((maker for what, maker in PLAIN if error.message.startswith(what)), "")
        return f"{reason} {maker} makes one of this." if error.kind == "not-plain" and maker else reason

    def compare(
        self,
        got: Any,
        wanted: Any,
        args: tuple[Any, ...],
        *,
        called: Words,
        generic: str | Callable[[], str],
        suspects: Sequence[Suspect] | None = None,
        slack: float = 0.0,
        names: str = "",
    ) -> None:
        """Fails unless `got` is `wanted`: first in what it is, then in its values. Suspects may know either mistake.

        generic: the reason when no suspect fits, or a function that finds it: it is called only then.
        names: of the parts of a tuple, "(weight, bias)".
        """
        advice = unlike(got, wanted, on_the_way=bool(args), names=names)
        names = f"{names} = " if names else ""
        if advice:
            came_back, right = show(got), show(wanted)
            if got is not None and (not names or type(got) is not tuple or len(got) != len(wanted)):
                came_back, right = f"{kind(got)}: {came_back}", f"{kind(wanted)}: {names}{right}"
            elif got is not None:
                came_back, right = names + came_back, names + right
        elif isinstance(wanted, Tensor):
            wrong = _wrong(got, wanted, slack)
            if not wrong.any():
                return
            place = tuple(wrong.nonzero()[0].tolist())
            came_back, right = apart(got, wanted, place)
            if args and args[0].shape == wanted.shape and wanted.numel() > CALL:
                called += f"\nwhere it holds {show(args[0][place].item())} at {list(place)}"
        elif matches(got, wanted):
            return
        else:
            came_back, right = (names + text for text in apart(got, wanted))
        suspects = self.suspects if suspects is None else suspects
        suspected = next((suspect.reason for suspect in suspects if suspect.fits(got, wanted, *args)), "")
        reason = suspected or advice or (generic if isinstance(generic, str) else generic())
        self.fail(called=called, came_back=came_back, wanted=right, reason=reason)

    def written(self, args: tuple[Any, ...]) -> Later:
        """The call as a learner would write it."""
        return Later(lambda: f"{self.name}({', '.join(map(paste, args))})")

    def fail(self, *, called: Words, came_back: Words, wanted: Words, reason: str) -> NoReturn:
        texts = {"called": str(called), "came_back": str(came_back), "wanted": str(wanted)}
        raise CheckFailed(self.exercise, **texts, reason=reason) from None


def unlike(got: Any, wanted: Any, *, on_the_way: bool = False, names: str = "") -> str:
    """Why `got` is another kind of thing than `wanted`, as advice; "" when it is the same kind.

    on_the_way: it was computed from an input, so that the mistake may lie between the two.
    names: of the parts of a tuple, "(weight, bias)"; the advice then begins with the name of its part.
    """
    if got is None and wanted is not None:
        return "Nothing was returned: for this input no line with `return` was reached."
    if isinstance(wanted, Tensor) and isinstance(got, Tensor):
        if got.shape != wanted.shape:
            advice = f"The shape should be {tuple(wanted.shape)} and is {tuple(got.shape)}."
            return advice + (" Print the shapes on the way, and look for broadcasting." if on_the_way else "")
        if got.dtype != wanted.dtype:
            advice = f"The dtype should be {wanted.dtype} and is {got.dtype}."
            return advice + (" Some step on the way fixes a dtype: take it from the input." if on_the_way else "")
        return ""
    if type(got) is type(wanted):
        if type(wanted) in (tuple, list) and len(got) != len(wanted):
            return f"{len(wanted)} values were wanted, and {len(got)} came."
        if type(wanted) in (tuple, list):
            parts = [unlike(*pair, on_the_way=on_the_way) for pair in zip(got, wanted, strict=True)]
            labels = [f"{name}: " for name in names[1:-1].split(", ")] if names else [""] * len(parts)
            return next((label + part for label, part in zip(labels, parts, strict=True) if part), "")
        if type(wanted) is dict:
            if lost := [name for name in wanted if name not in got]:
                return f"{lost[0]!r} is missing from the dictionary."
            if extra := [name for name in got if name not in wanted]:
                return f"{extra[0]!r} does not belong into the dictionary."
            parts = {name: unlike(got[name], wanted[name], on_the_way=on_the_way) for name in wanted}
            return next((f"{name!r}: {part}" for name, part in parts.items() if part), "")
        return ""
    advice = {int: "int(...)", float: "float(...) or .item()", bool: "bool(...)"}.get(type(wanted))
    if advice and (isinstance(got, Tensor) or type(got) in (int, float, bool)):
        return f"This is {kind(got)}, and {kind(wanted)} was wanted: {advice} makes one."
    return f"This is {kind(got)}, and {kind(wanted)} was wanted."
