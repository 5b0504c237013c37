"""Values written for a reader: as code where they fit; of a large tensor, the entries around the first wrong one."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

FULL = 12  # elements up to which a tensor is written in full
USUAL = (torch.float32, torch.int64, torch.bool)  # what torch.tensor makes of floats, whole numbers and truth values
AROUND = 2  # entries shown on either side of the wrong one
CALL = 40  # elements up to which an input is: a learner pastes the call to run it
LONGEST = 600  # characters in all


class Later:
    """A text that is written when it is read. A right answer needs no message, and writing one takes its time.

    >>> "two: " + Later(show, 2.0) + "!"
    'two: 2.0!'
    """

    def __init__(self, write: Callable[..., str], *args: Any) -> None:
        self._write, self._args = write, args

    def __str__(self) -> str:
        return self._write(*self._args)

    def __repr__(self) -> str:
        return repr(str(self))

    def __add__(self, more: "Words") -> "Later":
        return Later(lambda: f"{self}{more}")

    def __radd__(self, before: str) -> "Later":
        return Later(lambda: f"{before}{self}")


Words = str | Later


def show(value: Any, *, near: tuple[int, ...] | None = None, digits: int = 4) -> str:
    """`value` in a few words. near: the index of the entry that matters. digits: significant digits of a float.

    >>> show(torch.tensor([[0.5, -1000.0], [float("nan"), 0.0]]))
    'torch.tensor([[0.5, -1000.], [nan, 0.]])'
    >>> show(torch.zeros(100, 7, dtype=torch.float64), near=(3, 4))
    'tensor of shape (100, 7), float64; at [3, 4]: 0., around it [0., 0., 0., 0., 0.]'
    >>> show((True, torch.tensor(2))), show(0.1 + 0.2)
    ('(True, torch.tensor(2))', '0.3')
    """
    text = _show(value, near, digits)
    return text if len(text) <= LONGEST else text[:LONGEST] + " ..."


def paste(value: Any) -> str:
    """An argument as code, its floats rounded to 6 digits; of a tensor too large for that, what it is.

    >>> paste(torch.tensor([2, -1])), paste(torch.tensor(0.5, dtype=torch.float64)), paste(1.0)
    ('torch.tensor([2, -1])', 'torch.tensor(0.5, dtype=torch.float64)', '1.0')
    >>> paste(torch.zeros(9, 7))
    'a float32 tensor of shape (9, 7), too large to print in full'
    """
    if not isinstance(value, Tensor):
        return show(value, digits=6)
    return _as_code(value, 6) if value.numel() <= CALL else f"{kind(value)}, too large to print in full"


def kind(value: Any) -> str:
    """What `value` is, in the reader's words."""
    if isinstance(value, Tensor):
        return f"{_article(_dtype(value))} tensor of shape {tuple(value.shape)}"
    if value is None:
        return "None"
    if type(value) in (tuple, list):
        return f"a {type(value).__name__} of {len(value)}"
    return _article(type(value).__name__)


def _article(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def apart(got: Any, wanted: Any, near: tuple[int, ...] | None = None) -> tuple[str, str]:
    """Both values with as many digits as it takes to see the difference."""
    for digits in (4, 6, 9, 17):
        texts = show(got, near=near, digits=digits), show(wanted, near=near, digits=digits)
        if texts[0] != texts[1]:
            break
    return texts


def _show(value: Any, near: tuple[int, ...] | None, digits: int) -> str:
    if isinstance(value, Tensor):
        return _show_tensor(value, near, digits)
    if type(value) is float:
        text = _number(value, digits)
        return f"{text}0" if text.endswith(".") else text
    if type(value) in (tuple, list):
        inside = ", ".join(_show(item, None, digits) for item in value[:FULL])
        inside += ", ..." if len(value) > FULL else ""
        return f"({inside}{',' if len(value) == 1 else ''})" if type(value) is tuple else f"[{inside}]"
    if type(value) is dict:
        inside = ", ".join(f"{key!r}: {_show(item, None, digits)}" for key, item in list(value.items())[:FULL])
        return f"{{{inside}{', ...' if len(value) > FULL else ''}}}"
    return repr(value)


def _dtype(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def _number(value: float | complex | bool, digits: int) -> str:
    if type(value) is not float:
        return str(value)
    value += 0.0  # so that -0.0 is 0.0
    # A short whole number reads better in full than as 1e+03; beyond that %g decides.
    whole = math.isfinite(value) and value == round(value) and abs(value) < 1e6
    text = f"{value:.0f}" if whole else f"{value:.{digits}g}"
    return f"{text}." if text.lstrip("-").isdigit() else text


def _nested(values: Any, digits: int) -> str:
    if isinstance(values, list):
        return "[" + ", ".join(_nested(item, digits) for item in values) + "]"
    return _number(values, digits)


def _as_code(tensor: Tensor, digits: int) -> str:
    dtype = "" if tensor.dtype in USUAL else f", dtype={tensor.dtype}"
    if not tensor.numel():
        return f"torch.empty({', '.join(map(str, tensor.shape))}{dtype})"
    return f"torch.tensor({_nested(tensor.tolist(), digits)}{dtype})"


def _show_tensor(tensor: Tensor, near: tuple[int, ...] | None, digits: int) -> str:
    if tensor.numel() <= FULL:
        return _as_code(tensor, digits)
    text = f"tensor of shape {tuple(tensor.shape)}{'' if tensor.dtype in USUAL else f', {_dtype(tensor)}'}"
    index = near or (0,) * tensor.dim()
    row, column = tensor[index[:-1]], index[-1]
    around = row[max(0, column - AROUND) : column + AROUND + 1].tolist()
    return f"{text}; at {list(index)}: {_number(tensor[index].item(), digits)}, around it {_nested(around, digits)}"
