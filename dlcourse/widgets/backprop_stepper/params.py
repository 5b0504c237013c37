"""Two kinds of parameter that only the stepper has: a formula, and a number for each of its variables."""

from dataclasses import dataclass, field
from typing import Any

from dlcourse.widgets.backprop_stepper.examples import EXAMPLES
from dlcourse.widgets.backprop_stepper.expression import Expression, parse
from dlcourse.widgets.params import Number, Param, shown

LARGEST = 1000.0
_NUMBER = Number(label="number", default=0.0, low=-LARGEST, high=LARGEST)


@dataclass(frozen=True, kw_only=True)
class Formula(Param):
    """An expression that can be read."""

    default: str

    def check(self, name: str, value: Any) -> str:
        if not isinstance(value, str):
            raise ValueError(f"{name}={shown(value)}: wanted an expression as text, such as '(a * b + c).tanh()'.")
        return self.read(value).text

    def read(self, text: str) -> Expression:
        """Raises ValueError for what cannot be read. Only the list's own example of tensors may hold tensors."""
        tensors = any(example.tensors and example.text == text.strip() for example in EXAMPLES.values())
        return parse(text, tensors=tensors)


@dataclass(frozen=True, kw_only=True)
class Numbers(Param):
    """Numbers by name, each from -1000 to 1000. Those that are left out stay as they are."""

    default: dict[str, float] = field(default_factory=dict)

    def check(self, name: str, value: Any) -> dict[str, float]:
        if not isinstance(value, dict) or not all(isinstance(each, str) for each in value):
            raise ValueError(f"{name}={shown(value)}: wanted numbers by name, such as {{'a': 2, 'b': -3}}.")
        return {each: _NUMBER.check(each, number) for each, number in value.items()}
