"""Reverse-mode differentiation of one number at a time: the whole idea, before tensors.

Every operation records its name and its inputs in the result, so a result knows the graph that made it. `backward`
walks that graph once, from the result to the leaves, and each operation hands its inputs their share:

    contribution to an input = gradient of the result * local derivative        the shares of one input are added

(Rumelhart, Hinton and Williams, 1986, doi:10.1038/323533a0; Linnainmaa, 1970.) The derivatives are one table, `RULES`.
One number at a time is slow, which is why `tensor.py` does the same for whole arrays.
"""

import math
from collections.abc import Callable
from contextlib import nullcontext
from numbers import Real
from types import MappingProxyType
from typing import NamedTuple

from dlcourse.autograd.graph import backward_steps


class ScalarRule(NamedTuple):
    """One operation: its value, one local derivative for each input, and the same derivatives as they are printed."""

    forward: Callable[..., float]  # (*inputs) -> out
    locals: tuple[Callable[..., float], ...]  # (out, *inputs) -> d out / d input, one for each input
    texts: tuple[str, ...]  # the same as a formula in a, b and out


def _sigmoid(a: float) -> float:
    return 1 / (1 + math.exp(-a)) if a >= 0 else math.exp(a) / (1 + math.exp(a))


def _slope_in_exponent(out: float, a: float, b: float) -> float:
    """out * log(a). As in torch: 0 where a is 0, because 0 ** b stays 0 for all b > 0, and nan where a is negative."""
    return 0.0 if a == 0 else out * math.log(a) if a > 0 else math.nan


RULES: dict[str, ScalarRule] = {
    "add": ScalarRule(lambda a, b: a + b, (lambda out, a, b: 1.0, lambda out, a, b: 1.0), ("1", "1")),
    "sub": ScalarRule(lambda a, b: a - b, (lambda out, a, b: 1.0, lambda out, a, b: -1.0), ("1", "-1")),
    "mul": ScalarRule(lambda a, b: a * b, (lambda out, a, b: b, lambda out, a, b: a), ("b", "a")),
    "div": ScalarRule(lambda a, b: a / b, (lambda out, a, b: 1 / b, lambda out, a, b: -out / b), ("1 / b", "-out / b")),
    "pow": ScalarRule(
        math.pow,
        (lambda out, a, b: 0.0 if b == 0 else b * math.pow(a, b - 1), _slope_in_exponent),
        ("b * a ** (b - 1)", "out * log(a)"),
    ),
    "neg": ScalarRule(lambda a: -a, (lambda out, a: -1.0,), ("-1",)),
    "exp": ScalarRule(math.exp, (lambda out, a: out,), ("out",)),
    "log": ScalarRule(math.log, (lambda out, a: 1 / a,), ("1 / a",)),
    "sqrt": ScalarRule(math.sqrt, (lambda out, a: 0.5 / out,), ("1 / (2 * out)",)),
    "tanh": ScalarRule(math.tanh, (lambda out, a: 1 - out * out,), ("1 - out ** 2",)),
    "sigmoid": ScalarRule(_sigmoid, (lambda out, a: out * (1 - out),), ("out * (1 - out)",)),
    "relu": ScalarRule(
        lambda a: a if a > 0 else 0.0, (lambda out, a: 1.0 if a > 0 else 0.0,), ("1 if a > 0 else 0",)
    ),  # at 0 the slope is 0, as in torch
}


class Value:
    """One number that remembers how it was made.

    data: the number. grad: d root / d this, after `root.backward()`; 0 before. op, inputs: what made it; None and ()
    for a leaf. label: a name for pictures. Change `data` only between a backward pass and the next forward pass:
    unlike a Tensor, a Value does not notice.

    >>> a, b = Value(2.0), Value(-3.0)
    >>> loss = (a * b + a) ** 2
    >>> loss.backward()
    >>> loss.data, a.grad, b.grad
    (16.0, 16.0, -16.0)
    """

    __slots__ = ("data", "grad", "inputs", "label", "op", "requires_grad")
    options = MappingProxyType({})  # tensors have some; a number never does

    def __init__(self, data: float, label: str = ""):
        if isinstance(data, Value):
            raise TypeError("Value(...) wants a plain number, and got a Value: use it as it is.")
        if not isinstance(data, Real):
            raise TypeError(f"Value(...) holds one plain number, and got {data!r} ({type(data).__name__}).")
        self.data = float(data)
        self.grad = 0.0
        self.op: str | None = None
        self.inputs: tuple[Value, ...] = ()
        self.label = label
        self.requires_grad = True  # False for plain numbers in an expression, such as the 2 of x ** 2

    # ---- making the graph

    def __add__(self, other: "Value | float") -> "Value":
        return _apply("add", self, other)

    def __radd__(self, other: float) -> "Value":
        return _apply("add", other, self)

    def __sub__(self, other: "Value | float") -> "Value":
        return _apply("sub", self, other)

    def __rsub__(self, other: float) -> "Value":
        return _apply("sub", other, self)  # other - self: the order counts

    def __mul__(self, other: "Value | float") -> "Value":
        return _apply("mul", self, other)

    def __rmul__(self, other: float) -> "Value":
        return _apply("mul", other, self)

    def __truediv__(self, other: "Value | float") -> "Value":
        return _apply("div", self, other)

    def __rtruediv__(self, other: float) -> "Value":
        return _apply("div", other, self)

    def __pow__(self, other: "Value | float") -> "Value":
        return _apply("pow", self, other)

    def __rpow__(self, other: float) -> "Value":
        return _apply("pow", other, self)

    def __neg__(self) -> "Value":
        return _apply("neg", self)

    def exp(self) -> "Value":
        return _apply("exp", self)

    def log(self) -> "Value":
        return _apply("log", self)

    def sqrt(self) -> "Value":
        return _apply("sqrt", self)

    def tanh(self) -> "Value":
        return _apply("tanh", self)

    def sigmoid(self) -> "Value":
        return _apply("sigmoid", self)

    def relu(self) -> "Value":
        return _apply("relu", self)

    # ---- going back through it

    def backward(self) -> None:
        """Set `grad` of every value that this one was made from.

        A leaf adds: gradients of several calls sum up until you set `grad` to 0 again, as in torch. A value in between
        holds the gradient of the last call.
        """
        for _ in backward_steps(self):
            pass

    # What `backward_steps` and `trace` ask of a node. Numbers are never freed: nothing large hangs on them.

    shape = ()
    freed = False
    recording = staticmethod(nullcontext)

    def start(self, grad: float | None) -> float:
        return 1.0 if grad is None else float(grad)

    def check(self) -> None:
        pass

    def pull_back(self, grad: float, create_graph: bool) -> "tuple[tuple[Value, float], ...]":
        """The rule of this operation: each input with its share of the gradient."""
        if create_graph:
            raise ValueError("create_graph: a Value's gradient is a plain number. Second derivatives are for Tensor.")
        if self.op is None:
            return ()
        numbers = [node.data for node in self.inputs]
        slopes = RULES[self.op].locals
        try:
            return tuple(
                (node, grad * slope(self.data, *numbers))
                for node, slope in zip(self.inputs, slopes, strict=True)
                if node.requires_grad
            )
        except (ValueError, ZeroDivisionError, OverflowError) as cause:
            raise ValueError(f"{_called(self.op, numbers)} has no finite slope.") from cause

    def deposit(self, grad: float, create_graph: bool) -> None:
        self.grad = self.grad + grad if self.op is None else grad

    def free(self) -> None:
        pass

    def zeros(self) -> float:
        return 0.0

    def number(self) -> float:
        return self.data

    def __repr__(self) -> str:
        name = f", {self.label!r}" if self.label else ""
        return f"Value({self.data:.6g}{name})"


def _called(op: str, numbers: list[float]) -> str:
    """For error messages: `log of -1`."""
    return f"{op} of {', '.join(f'{number:g}' for number in numbers)}"


def _constant(number: float) -> Value:
    made = Value(number)
    made.requires_grad = False
    return made


def _apply(op: str, *operands: Value | float) -> Value:
    """The operation's value, with a record of what made it. Raises ValueError where it has none (log of -1)."""
    inputs = tuple(operand if isinstance(operand, Value) else _constant(operand) for operand in operands)
    numbers = [node.data for node in inputs]
    try:
        out = Value(RULES[op].forward(*numbers))
    except (ValueError, ZeroDivisionError, OverflowError) as cause:
        raise ValueError(f"{_called(op, numbers)} is no finite number.") from cause
    if not math.isfinite(out.data) and all(map(math.isfinite, numbers)):
        raise ValueError(f"{_called(op, numbers)} is no finite number.")
    out.op, out.inputs = op, inputs
    return out
