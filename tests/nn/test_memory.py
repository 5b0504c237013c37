"""What is learned over 100 steps, and that the start of the gates decides it: three seeds, whose spread is printed.

The shape checks of the tests would make the loops four times slower, so each run is a process of its own: this file.
"""

import json
import subprocess
import sys
import time

import pytest
import torch

from dlcourse import nn, optim
from dlcourse.data.synthetic import adding_problem, first_symbol
from dlcourse.seeding import generator

LENGTH, BATCH = 100, 64
STARTS = {
    "chrono": lambda layer, g: nn.chrono_(layer, LENGTH, generator=g),
    "forget bias 2": lambda layer, g: nn.forget_bias_(layer, 2.0),
    "usual": lambda layer, g: layer,
}
RUNS = [
    ("adding", "LSTM", "chrono"),
    ("adding", "LSTM", "usual"),
    ("adding", "RNN", "usual"),
    ("first symbol", "LSTM", "chrono"),
    ("first symbol", "LSTM", "forget bias 2"),
    ("first symbol", "RNN", "usual"),
]


def squared(out, y):
    return (out[:, 0] - y).square().mean()


def accuracy(out, y):
    return (out.argmax(1) == y).float().mean()


# task -> (examples, features, outputs, loss, what is measured, units, learning rate, updates): the same for all rivals
TASKS = {
    "adding": (adding_problem, 2, 1, squared, squared, 24, 0.03, 250),
    "first symbol": (first_symbol, 8, 4, nn.cross_entropy, accuracy, 32, 0.01, 200),
}


def learned(task, kind, start, seed):
    """What is measured on 512 held-out examples after training, and the seconds of CPU that it took."""
    make, features, out, loss, measure, units, lr, updates = TASKS[task]
    g = generator(seed)
    layer = STARTS[start](getattr(nn, kind)(features, units, generator=g), g)
    head = nn.Linear(units, out, init=nn.xavier_uniform, generator=g)
    parameters = [*layer.parameters(), *head.parameters()]
    optimizer = optim.Adam(parameters, lr=lr)
    begun = time.process_time()
    for _ in range(updates):
        x, y = make(BATCH, length=LENGTH, generator=g)
        optimizer.zero_grad()
        loss(head(layer(x)[0][:, -1]), y).backward()
        optim.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
    seconds = time.process_time() - begun
    with torch.no_grad():
        x, y = make(512, length=LENGTH, generator=generator(10_000 + seed))
        return measure(head(layer(x)[0][:, -1]), y).item(), seconds


@pytest.fixture(scope="module", params=range(3), ids=lambda seed: f"seed {seed}")
def found(request):
    """task, kind, start -> what was measured, for one seed."""
    figures = {}
    for run in RUNS:
        command = [sys.executable, "-W", "error", __file__, *run, str(request.param)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        figures[run], seconds = json.loads(done.stdout)
        print(f"{', '.join(run)}, seed {request.param}: {figures[run]:.4f} after {seconds:.1f} s of CPU")
    return figures


@pytest.mark.slow
def test_adding_two_marked_numbers(found):
    """Always answering 1 has a mean squared error of 1/6."""
    assert found["adding", "LSTM", "chrono"] < 0.01
    assert found["adding", "LSTM", "usual"] > 0.15
    assert found["adding", "RNN", "usual"] > 0.15


@pytest.mark.slow
def test_remembering_the_first_symbol(found):
    """Chance is 1/4."""
    assert found["first symbol", "LSTM", "chrono"] >= 0.99
    assert found["first symbol", "LSTM", "forget bias 2"] <= 0.35
    assert found["first symbol", "RNN", "usual"] <= 0.35


if __name__ == "__main__":
    torch.set_num_threads(1)
    print(json.dumps(learned(*sys.argv[1:4], int(sys.argv[4]))))
