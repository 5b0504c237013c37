"""Iteration is data: a method that repeats is a generator of small frozen steps, and these two take them in.

`perceptron_steps(...)` hands out one step after another; `perceptron(...)` is `last(perceptron_steps(...))`. Plots,
widgets and tests look at the steps, often long after the loop has moved on: `record` keeps copies for them.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

from torch import Tensor

Step = TypeVar("Step")


def last(steps: Iterable[Step]) -> Step:
    """Run the iteration to its end and return the last step. Raises ValueError when there was none.

    >>> last(n * n for n in range(4))
    9
    """
    final = deque(steps, maxlen=1)
    if not final:
        raise ValueError("last(steps): the iteration made no step. Give it at least one example, epoch or step to do.")
    return final[0]


def record(steps: Iterable[Step]) -> list[Step]:
    """All the steps, with their tensors detached, copied and on the CPU: nothing that runs on can change them.

    A step is a dataclass. Tensors inside nested dataclasses, tuples, lists and dicts are copied too; whatever else a
    step holds is kept as it is.
    """
    return [_copied(step) for step in steps]


def _copied(value: Any) -> Any:
    """The same value, with a CPU copy in place of each tensor."""
    if isinstance(value, Tensor):
        return value.detach().to("cpu", copy=True)
    if is_dataclass(value):
        return replace(value, **{field.name: _copied(getattr(value, field.name)) for field in fields(value)})
    if isinstance(value, dict):
        return {key: _copied(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return type(value)(map(_copied, value))
    return value
