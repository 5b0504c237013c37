"""The expressions in the list, each with numbers whose gradients can be checked by hand or that show something."""

from typing import Any, NamedTuple


class Example(NamedTuple):
    """text: what `parse` reads. numbers: of its variables; lists of lists are tensors. data: tensors that need no
    gradient."""

    text: str
    numbers: dict[str, Any]
    data: tuple[str, ...] = ()

    @property
    def tensors(self) -> bool:
        return any(isinstance(number, list) for number in self.numbers.values())


EXAMPLES = {
    "neuron": Example(
        "tanh(w1 * x1 + w2 * x2 + b)", {"w1": 0.5, "x1": 1.0, "w2": 0.4, "x2": -2.0, "b": 0.7}
    ),  # the tanh of 0.4, where its slope still lets most of the gradient through
    "squared_error": Example("(w * x + b - y) ** 2", {"w": -0.5, "x": 2.0, "b": 1.0, "y": 1.5}),
    "diamond": Example("a * b + a * c", {"a": 2.0, "b": -3.0, "c": 5.0}),  # a is used twice: -3 + 5
    "shared_result": Example("h = tanh(w * x); h * h + h", {"w": 0.5, "x": 1.2}),
    "two_units": Example(
        "h1 = tanh(u1 * x); h2 = tanh(u2 * x); loss = (v1 * h1 + v2 * h2 - y) ** 2",
        {"u1": 0.8, "x": 1.5, "u2": -0.4, "v1": 1.2, "v2": 0.5, "y": 0.3},
    ),
    "softmax_cross_entropy": Example(
        "loss = log(exp(z1) + exp(z2) + exp(z3)) - z2", {"z1": 1.0, "z2": 2.0, "z3": 0.5}
    ),  # the gradients: softmax, less 1 at the right class, the second
    "tensors": Example(
        "h = relu(x @ A + b); loss = mean((h @ B - y) ** 2)",
        {
            "x": [[1.0, 2.0, -1.0], [0.5, -1.0, 2.0], [-1.0, 1.0, 0.0], [2.0, 0.0, 1.0]],
            # A and B are weights of the course, (out, in), transposed already: two nodes and a column less
            "A": [[0.5, -1.0], [1.0, 0.5], [-0.5, 1.0]],
            "b": [0.5, -0.5],  # broadcast to four rows, so its gradient is summed over them
            "B": [[1.0], [-2.0]],
            "y": [[2.0], [-1.0], [1.0], [0.0]],
        },
        data=("x", "y"),
    ),
}
OWN = "own"  # what the learner has typed
ODD = (2.0, -3.0, 1.5, 0.5, -0.8, 1.2, 3.0, -0.5, 0.7, 2.5)  # for variables without a number, in turn
