"""The run on the screen as a torch program of its own: the same points, network, steps and changes, the same losses.

The program needs torch and `dlcourse.data`, no widget. It is written to be read: set-up, one `train` function, then the
story of the run as calls of `train` with the changes between them.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from dlcourse.widgets.playground.history import Change
from dlcourse.widgets.playground.problem import CENTRES, EDGE, SCALES, TEST, Batches, relative
from dlcourse.widgets.playground.run import Run

CALLS = {
    "moons": "data.moons(n, noise={noise}, generator=source)",
    "circles": "data.circles(n, noise={noise}, generator=source)",
    "spirals": "data.spirals(n, noise={noise}, turns=1.25, generator=source)",
    "blobs": "data.blobs(n, noise={noise}, classes=2, generator=source)",
    "xor": "data.parity(n, bits=2, generator=source)",
}
FEATURES = {
    **{"x1": "x1", "x2": "x2", "x1^2": "x1.square()", "x2^2": "x2.square()"},
    **{"x1*x2": "x1 * x2", "sin(x1)": "x1.sin()", "sin(x2)": "x2.sin()"},
}
MODULES = {
    **{"tanh": "Tanh", "relu": "ReLU", "sigmoid": "Sigmoid", "leaky_relu": "LeakyReLU"},
    **{"elu": "ELU", "gelu": "GELU", "silu": "SiLU", "linear": "Identity"},
}
OPTIMIZERS = {
    "sgd": "torch.optim.SGD(model.parameters(), lr={lr})",
    "momentum": "torch.optim.SGD(model.parameters(), lr={lr}, momentum=0.9)",
    "rmsprop": "torch.optim.RMSprop(model.parameters(), lr={lr})",
    "adam": "torch.optim.Adam(model.parameters(), lr={lr})",
}
PENALTIES = {
    "none": "0.0",
    "l1": "{strength} * sum(layer.weight.abs().sum() for layer in {layers})",
    "l2": "{strength} * sum(layer.weight.square().sum() for layer in {layers})",
}
TRAIN = '''
epoch, order = -1, torch.tensor([])  # which pass over the points this is, and which of them are still to come


def train(steps):
    """Take `steps` steps down the gradient, each on the next batch of the epoch's shuffled points."""
    global epoch, order
    for _ in range(steps):
        if len(order) == 0:
            epoch += 1
            order = torch.randperm(len(y), generator=generator({seed} * 1_000_003 + epoch))
        batch, order = order[:batch_size], order[batch_size:]
        loss = loss_of({logits}, y[batch]) + penalty()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

'''


def program(run: Run, own_points: bool) -> str:
    """The source of a program that computes `run` up to its present step."""
    history = run.history
    made = [(step, change) for step, changes in sorted(history.changes.items()) for change in changes if step <= run.at]
    values = history.values
    parts = [
        '"""A run of the playground: the same points, network and steps, and so the same losses."""\n',
        "import torch\n\nfrom dlcourse import data, generator\n",
        *(["# The points\n", _points(values, own_points)]),
        _drawn(history.drawn),
        _features(values, run.own),
        "\n# The network, its loss and its optimiser\n",
        _network(values, run.own),
        f"optimizer = {_optimizer(values, run.own_optimizer)}",
        "loss_of = torch.nn.functional.binary_cross_entropy_with_logits",
        f"batch_size = {values['batch_size']}\n",
        _penalty(values, run.own),
        TRAIN.format(seed=values["seed"], logits="logits_of(inputs[batch])" if run.own else "model(inputs[batch]).squeeze(1)"),
        "# The run\n",
        *_story(run, made),
        _result(run),
    ]
    return "\n".join(part for part in parts if part)
