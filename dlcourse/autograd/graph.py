"""The graph of what was computed: put it in order, walk it backwards, hand it to a picture.

A node is a `Value` or a `Tensor`; both record the name of the operation that made them and its inputs. That record is
all there is: no closures, so a graph can be drawn, stepped through and differentiated again.

Backward visits every node once, users before inputs, because a node can pass its gradient on only when all its users
have added their share. The order is a depth-first search with a stack of its own: Python's recursion ends after about
a thousand nodes, a recurrent network does not. (Griewank and Walther, Evaluating Derivatives, 2008, chapter 3.)
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any


def topological_order(root: Any) -> list[Any]:
    """Every node that `root` was made from: inputs before users, each once, `root` last.

    Raises ValueError for a cycle. Operations cannot make one, since a result is newer than its inputs; a hand that
    sets `inputs` can.

    >>> from dlcourse.autograd import Value
    >>> a = Value(2.0, "a")
    >>> [node.op or node.label for node in topological_order(a * a + a)]
    ['a', 'mul', 'add']
    """
    order: list[Any] = []
    unfinished, finished = 1, 2
    state: dict[int, int] = {}
    stack = [root]
    while stack:
        node = stack[-1]
        if id(node) not in state:  # first visit: its inputs go first
            state[id(node)] = unfinished
            for parent in reversed(node.inputs):
                if state.get(id(parent)) == unfinished:
                    raise ValueError(
                        f"the graph has a cycle: {_name(node)} was made from {_name(parent)}, and {_name(parent)} from "
                        f"{_name(node)}. Results are newer than their inputs; do not set `inputs` by hand."
                    )
                if id(parent) not in state:
                    stack.append(parent)
        else:
            stack.pop()
            if state[id(node)] == unfinished:  # second visit: all its inputs are in the list
                state[id(node)] = finished
                order.append(node)
    return order


def _name(node: Any) -> str:
    """For the message: its label, else its operation."""
    return repr(node.label or node.op or "a leaf")


@dataclass(frozen=True)
class BackwardStep:
    """One node's turn: its gradient is complete, and it hands each input a share.

    node: the Value or Tensor. op: what made it, None for a leaf. grad: d root / d node (a float or a Tensor).
    contributions: pairs (input, share), in the order of the inputs; an input used twice appears twice. An input that
    needs no gradient is left out. index, total: turn number `index`, from 0, of `total`.
    """

    node: Any
    op: str | None
    grad: Any
    contributions: tuple[tuple[Any, Any], ...]
    index: int
    total: int


def backward_steps(
    root: Any, grad: Any = None, *, retain_graph: bool = False, create_graph: bool = False
) -> Iterator[BackwardStep]:
    """Backpropagation, a node at a time, from `root` to the leaves. `root.backward()` runs it to its end.

    grad: the gradient to start from, shaped like `root`; 1 for a single number. retain_graph: keep the record, so that
    the same graph can be walked again (tensors only; numbers always keep theirs). create_graph: record the backward
    pass too, so that its results can be differentiated again. A leaf's `grad` grows when its turn comes.

    Raises ValueError for a root that is not a single number and has no `grad`, for a graph that was freed, and for a
    tensor that was changed in place after it was used.

    >>> from dlcourse.autograd import Value
    >>> a = Value(3.0, "a")
    >>> for step in backward_steps(a * a):
    ...     print(step.op, step.grad, [share for _, share in step.contributions])
    mul 1.0 [3.0, 3.0]
    None 6.0 []
    """
    return _sweep(root, grad, retain_graph, create_graph, deposit=True)


def _sweep(root: Any, grad: Any, retain_graph: bool, create_graph: bool, *, deposit: bool) -> Iterator[BackwardStep]:
    """The walk itself; without `deposit` it leaves every node's `grad` alone."""
    order = topological_order(root)
    for node in order:
        node.check()  # all of them before the first gradient moves: an error leaves every `grad` as it was
    gradients = {id(root): root.start(grad)}
    order = [node for node in reversed(order) if node.requires_grad]
    for index, node in enumerate(order):
        node.check()  # again: whoever reads the steps may have changed something since
        gradient = gradients.pop(id(node))
        with root.recording(create_graph):
            shares = node.pull_back(gradient, create_graph)
            for parent, share in shares:
                known = gradients.get(id(parent))
                gradients[id(parent)] = share if known is None else known + share  # shares add: never overwrite
            if deposit:
                node.deposit(gradient, create_graph)
        yield BackwardStep(node, node.op, gradient, shares, index, len(order))
        if not retain_graph:
            node.free()


def grad(
    output: Any,
    inputs: Any,
    grad_output: Any = None,
    *,
    retain_graph: bool = False,
    create_graph: bool = False,
) -> tuple[Any, ...]:
    """d output / d input for each of `inputs` (one, or several), leaves or not, without touching anybody's `grad`.

    An input that `output` does not depend on gets zeros (torch raises an error there); a constant raises ValueError.
    With create_graph the results can be differentiated again, and the graph is kept. Other errors: `backward_steps`.

    >>> import torch
    >>> from dlcourse.autograd import Tensor, grad
    >>> x = Tensor(torch.tensor(2.0), requires_grad=True)
    >>> (slope,) = grad(x**3, [x], create_graph=True)
    >>> (curvature,) = grad(slope, [x])
    >>> slope.item(), curvature.item()  # 3 x^2 and 6 x
    (12.0, 12.0)
    """
    inputs = [inputs] if hasattr(inputs, "pull_back") else list(inputs)
    for node in inputs:
        if not node.requires_grad:
            raise ValueError(f"grad: the input {_name(node)} is a constant. Make it with requires_grad=True.")
    found = {id(node): None for node in inputs}
    for step in _sweep(output, grad_output, retain_graph or create_graph, create_graph, deposit=False):
        if id(step.node) in found:
            found[id(step.node)] = step.grad
    return tuple(node.zeros() if found[id(node)] is None else found[id(node)] for node in inputs)


@dataclass(frozen=True)
class GraphNode:
    """One node of a picture: plain data. `inputs` are ids of other nodes; `value` only of a single number; `grad` is a
    number too, or the shape of an array's gradient, or None where there is none."""

    id: int
    op: str | None
    inputs: tuple[int, ...]
    label: str
    shape: tuple[int, ...]
    value: float | None
    grad: float | tuple[int, ...] | None
    requires_grad: bool
    options: dict[str, Any]


@dataclass(frozen=True)
class Graph:
    """What `plot.graph` draws: the nodes, inputs before users, the root last."""

    nodes: tuple[GraphNode, ...]


def trace(root: Any, steps: Iterable[BackwardStep] = ()) -> Graph:
    """A copy of the graph as data, for `plot.graph`. It stays as it is when the graph is freed or its numbers change.

    steps: from `backward_steps`, to show the gradients of those nodes; without, a node shows the `grad` it holds.

    >>> from dlcourse.autograd import Value
    >>> [(node.id, node.op, node.inputs) for node in trace(Value(2.0) * 3).nodes]
    [(0, None, ()), (1, None, ()), (2, 'mul', (0, 1))]
    """
    order = topological_order(root)
    if freed := [node for node in order if node.freed]:
        raise ValueError(
            f"trace: backward has freed {_name(freed[0])}. Trace before it, or call it with retain_graph=True."
        )
    number = {id(node): i for i, node in enumerate(order)}
    grads = {id(step.node): step.grad for step in steps}
    return Graph(
        tuple(
            GraphNode(
                number[id(node)],
                node.op,
                tuple(number[id(parent)] for parent in node.inputs),
                node.label,
                node.shape,
                node.number(),
                _number_or_shape(grads.get(id(node), node.grad)),
                node.requires_grad,
                dict(node.options),
            )
            for node in order
        )
    )


def _number_or_shape(grad: Any) -> float | tuple[int, ...] | None:
    """What a picture shows of a gradient."""
    if grad is None or isinstance(grad, float):
        return grad
    return tuple(grad.shape) if grad.number() is None else grad.number()
