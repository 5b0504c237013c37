"""What the checks share whose answers return several tensors at once: 08.masked, 08.windows and those of chapter 12."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from dlcourse.checks.examiner import Examiner, Suspect, matches
from dlcourse.checks.show import Later, show

IN_PLACE = (
    "an argument was changed in place",
    "An argument was changed: an operation that ends in _, +=, or an assignment to x[...]. The caller still needs it: "
    "make a new tensor.",
)
ROUNDED = Suspect(
    "This is right to about seven digits, and float64 went in: on the way something has float32.",
    lambda got, wanted, *args: (
        _alike(got, wanted)
        and wanted[0].dtype == torch.float64
        and all(torch.allclose(one, right, rtol=1e-6, atol=1e-6) for one, right in zip(got, wanted, strict=True))
    ),
)


def way(function: Callable[..., tuple[Tensor, ...]]) -> Callable[..., bool]:
    """The test of a suspect that returns `function(*args)`. What torch refuses proves nothing."""

    def fits(got: Any, wanted: tuple[Tensor, ...], *args: Any) -> bool:
        try:
            return matches(got, function(*args))
        except (RuntimeError, IndexError):  # weights turned round may not fit
            return False

    return fits


def parts(
    ask: Examiner,
    args: tuple[Any, ...],
    wanted: tuple[Tensor, ...],
    *,
    names: tuple[str, ...],
    generic: str,
    slack: float = 0.0,
    crashes: Sequence[tuple[str, str]] = (),
) -> None:
    """Compares a tuple of tensors, and shows of them the one that is wrong. The suspects judge all of them together.

    crashes: of this question alone, as in `Examiner.ask`.
    """
    called, together = ask.written(args), f"({', '.join(names)})"
    right = f"{together} = " + Later(show, wanted)
    got = ask.ask(lambda: ask.subject.call(*args), called=called, wanted=right, crashes=crashes)
    if not tensors(got, len(wanted)):
        ask.compare(got, wanted, args, called=called, generic=generic, names=together)
    suspects = [
        Suspect(suspect.reason, lambda one, right, *args, fits=suspect.fits: fits(got, wanted, *args))
        for suspect in ask.suspects
    ]
    for name, one, right in zip(names, got, wanted, strict=True):
        label = called + f"\nof what comes back: {name}"
        ask.compare(one, right, args, called=label, generic=generic, suspects=suspects, slack=slack)


def shapes_alone(got: Any, wanted: tuple[Tensor, ...], *args: Any) -> bool:
    """The numbers are right, in their order, and the shapes are not."""
    return (
        tensors(got, len(wanted))
        and any(one.shape != right.shape for one, right in zip(got, wanted, strict=True))
        and all(one.numel() == right.numel() for one, right in zip(got, wanted, strict=True))
        and all(matches(one.reshape(right.shape), right) for one, right in zip(got, wanted, strict=True))
    )


def tensors(got: Any, count: int) -> bool:
    """Whether this is a tuple of so many tensors."""
    return type(got) is tuple and len(got) == count and all(isinstance(one, Tensor) for one in got)


def _alike(got: Any, wanted: tuple[Tensor, ...]) -> bool:
    return tensors(got, len(wanted)) and all(
        one.shape == right.shape and one.dtype == right.dtype for one, right in zip(got, wanted, strict=True)
    )
