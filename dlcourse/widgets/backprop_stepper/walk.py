"""One run through an expression: all values, then all gradients, as the engine `dlcourse.autograd` gives them.

Values and gradients are computed by that engine alone. What has no finite result, such as log(-1), ends the run there:
what came before it stays.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite
from operator import add, mul, neg, pow, sub, truediv
from typing import Any

from dlcourse.autograd import Tensor, Value, backward_steps, topological_order
from dlcourse.autograd.scalar import RULES
from dlcourse.widgets.backprop_stepper.expression import Expression, Node

OPERATIONS = {"add": add, "sub": sub, "mul": mul, "div": truediv, "pow": pow, "neg": neg}


@dataclass(frozen=True)
class Share:
    """What the operation `user` hands to its input number `slot`, the node `to`."""

    user: int
    slot: int
    to: int
    amount: Any  # a float or a Tensor


@dataclass(frozen=True)
class Back:
    """The turn of one operation on the way back: its gradient is complete, and it hands shares to its inputs."""

    node: int
    grad: Any
    shares: tuple[Share, ...]


@dataclass(frozen=True)
class Walk:
    """nodes: inputs before users, the result last. values: Value or Tensor of each; None behind a failure.
    forward: the operations in order. backward: their turns on the way back, from the result.
    failure: (node, sentence) if the way forward or backward ended early. differentiable: which nodes get a gradient.
    """

    nodes: tuple[Node, ...]
    values: tuple[Any, ...]
    forward: tuple[int, ...]
    backward: tuple[Back, ...]
    differentiable: frozenset[int]
    failure: tuple[int, str] | None = None
    complete: bool = True  # the way forward reached the result
    users: Mapping[int, tuple[int, ...]] = field(default_factory=dict)  # who hands to a node; twice if it is used twice


def walk_numbers(expression: Expression, numbers: Mapping[str, float]) -> Walk:
    """Through an expression of single numbers."""
    values: list[Value | None] = []
    failure = None
    for index, node in enumerate(expression.nodes):
        made = None
        if node.op is None:
            made = Value(numbers[node.label], node.label) if node.number is None else node.number
        elif all(values[source] is not None for source in node.inputs) and failure is None:
            try:
                made = _apply(node.op, [values[source] for source in node.inputs])
                made.label = node.label
                if not isfinite(made.data):  # in the words of the engine, which may let inf and nan pass
                    of = ", ".join(f"{source.data:g}" for source in made.inputs)
                    raise ValueError(f"{node.op} of {of} is no finite number.")
                for source, constant in zip(node.inputs, made.inputs, strict=True):
                    values[source] = constant  # a plain number became a node of the graph
            except ValueError as error:
                made, failure = None, (index, str(error))
        values.append(made)
    values = [Value(value) if isinstance(value, float) else value for value in values]  # of a run that ended early
    return _walk(expression.nodes, values, failure)


def walk_tensors(expression: Expression, numbers: Mapping[str, Any], data: tuple[str, ...]) -> Walk:
    """Through an expression of tensors; `mean` becomes the sum and the division that it is made of."""
    leaves = {name: Tensor(numbers[name], requires_grad=name not in data, label=name) for name in expression.variables}
    values: list[Any] = []
    for node in expression.nodes:
        sources = [values[source] for source in node.inputs]
        made = (leaves[node.label] if node.number is None else node.number) if node.op is None else None
        made = _apply(node.op, sources) if made is None else made
        if node.op:
            made.label = node.label
        values.append(made)
    order = topological_order(values[-1])
    at = {id(value): index for index, value in enumerate(order)}
    nodes = tuple(
        Node(
            value.op,
            tuple(at[id(source)] for source in value.inputs),
            value.label,
            None if value.op or value.label else value.item(),
        )
        for value in order
    )
    return _walk(nodes, order, None)


def _apply(op: str, operands: list[Any]) -> Any:
    if op == "matmul":
        return operands[0] @ operands[1]
    if op in OPERATIONS:
        return OPERATIONS[op](*operands)
    return getattr(operands[0], op)()


def _walk(nodes: tuple[Node, ...], values: list[Any], failure: tuple[int, str] | None) -> Walk:
    forward = tuple(index for index, node in enumerate(nodes) if node.op is not None)
    differentiable = frozenset(
        index
        for index, (node, value) in enumerate(zip(nodes, values, strict=True))
        if node.number is None and (value is None or value.requires_grad)
    )
    users = {
        index: tuple(user for user in forward for source in nodes[user].inputs if source == index)
        for index in differentiable
    }
    if failure is not None:
        done = tuple(index for index in forward if index < failure[0])
        return Walk(nodes, tuple(values), done, (), differentiable, failure, False, users)
    backward, failure = _backward(nodes, values)
    return Walk(nodes, tuple(values), forward, backward, differentiable, failure, True, users)


def _backward(nodes: tuple[Node, ...], values: list[Any]) -> tuple[tuple[Back, ...], tuple[int, str] | None]:
    """As far as all shares are finite numbers."""
    at = {id(value): index for index, value in enumerate(values)}
    root, done = values[-1], []
    keep = {} if isinstance(root, Value) else {"retain_graph": True}
    turns = [at[id(value)] for value in reversed(topological_order(root)) if value.op is not None]
    steps = backward_steps(root, **keep)
    sums: dict[int, float] = {len(values) - 1: 1.0}
    for turn in turns:
        try:
            step = next(step for step in steps if step.op is not None)
            slots = [slot for slot, value in enumerate(values[turn].inputs) if value.requires_grad]
            amounts = [amount for _, amount in step.contributions]
            shares = tuple(
                Share(turn, slot, nodes[turn].inputs[slot], amount) for slot, amount in zip(slots, amounts, strict=True)
            )
            if not all(isfinite(amount) for amount in amounts if isinstance(amount, float)):
                raise ValueError
        except (ValueError, ArithmeticError):
            return tuple(done), (turn, _no_share(nodes[turn].op, values[turn], sums[turn]))
        for share in shares:
            if isinstance(share.amount, float):
                sums[share.to] = sums.get(share.to, 0.0) + share.amount
                if not isfinite(sums[share.to]):
                    name = nodes[share.to].label or f"its input {share.slot + 1}"
                    return tuple(done), (turn, f"with this, the shares of {name} add up to no finite number.")
        done.append(Back(turn, step.grad, shares))
    return tuple(done), None


def _no_share(op: str, value: Value, grad: float) -> str:
    """Why an operation hands on no finite number: its slope is none, or the product with its gradient."""
    numbers = [source.data for source in value.inputs]
    where = f"{op} of {' and '.join(f'{number:g}' for number in numbers)}"
    try:
        slopes = [
            slope(value.data, *numbers)
            for slope, source in zip(RULES[op].locals, value.inputs, strict=True)
            if source.requires_grad
        ]
    except (ValueError, ArithmeticError):
        slopes = []
    if slopes and all(map(isfinite, slopes)):
        return f"its gradient, {grad:.4g}, times the slope of {where} is no finite number."
    return f"{where} has no finite slope."
