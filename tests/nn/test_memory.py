"""What is learned over 100 steps, and that the start of the gates decides it: three seeds, whose spread is printed.

The shape checks of the tests would make the loops four times slower, so each run is a process of its own: this file.
"""

import json
import math
import subprocess
import sys
import time

import pytest
import torch

from dlcourse import nn, optim
from dlcourse.data.synthetic import adding_problem, first_symbol
from dlcourse.seeding import generator

LENGTH, BATCH = 100, 64
LONG = math.log(LENGTH - 1)  # a bias that makes a memory of LENGTH steps


@torch.no_grad()
def shut_input_(lstm):
    """One bias for all input gates: the other half of chrono, without its spread of times."""
    units = lstm.hidden_size
    lstm.bias_ih_l0[:units], lstm.bias_hh_l0[:units] = -LONG, 0
    return lstm


STARTS = {
    "chrono": lambda layer, g: nn.chrono_(layer, LENGTH, generator=g),
    "forget bias 2": lambda layer, g: nn.forget_bias_(layer, 2.0),
    "open forget gates alone": lambda layer, g: nn.forget_bias_(layer, LONG),
    "shut input gates alone": lambda layer, g: shut_input_(layer),
    "both, one time": lambda layer, g: shut_input_(nn.forget_bias_(layer, LONG)),
    "usual": lambda layer, g: layer,
}
RUNS = [
    ("adding", "LSTM", "chrono"),
    ("adding", "LSTM", "usual"),
    ("adding", "RNN", "usual"),
    ("first symbol", "LSTM", "chrono"),
    ("first symbol", "LSTM", "both, one time"),
    ("first symbol", "LSTM", "shut input gates alone"),
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


def in_a_process(run, seed):
    """What was measured, for one of RUNS and one seed; printed, too."""
    command = [sys.executable, "-W", "error", __file__, *run, str(seed)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    measured, seconds = json.loads(done.stdout)
    print(f"{', '.join(run)}, seed {seed}: {measured:.4f} after {seconds:.1f} s of CPU")
    return measured


@pytest.fixture(scope="module", params=range(3), ids=lambda seed: f"seed {seed}")
def found(request):
    """task, kind, start -> what was measured, for one seed."""
    return {run: in_a_process(run, request.param) for run in RUNS}


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


@pytest.mark.slow
def test_both_halves_of_chrono_do_it_without_its_spread_of_times(found):
    assert found["first symbol", "LSTM", "both, one time"] >= 0.99
    assert found["first symbol", "LSTM", "shut input gates alone"] <= 0.35


@pytest.mark.slow
def test_open_forget_gates_alone_are_not_reliable():
    """From some seeds they get as far as most of the symbols; not from all."""
    shares = [in_a_process(("first symbol", "LSTM", "open forget gates alone"), seed) for seed in range(3)]
    assert min(shares) <= 0.35


if __name__ == "__main__":
    torch.set_num_threads(1)
    print(json.dumps(learned(*sys.argv[1:4], int(sys.argv[4]))))
