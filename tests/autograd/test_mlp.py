"""The network on the engine: by hand, beside torch step by step, and on the digits."""

import math
import time
from statistics import median

import pytest
import torch

from dlcourse.autograd import Tensor, cross_entropy, gradcheck
from dlcourse.autograd.mlp import MLP, SGD, accuracy, as_torch, train_steps
from dlcourse.data import load


def source(n, device="cpu"):
    return torch.Generator(device=device).manual_seed(n)


def test_a_network_by_hand():
    mlp = MLP((2, 2, 1), generator=source(0))
    for parameter, numbers in zip(
        mlp.parameters, ([[1.0, -1.0], [1.0, 1.0]], [0.0, 0.0], [[10.0, 1.0]], [0.5]), strict=True
    ):
        parameter.data = torch.tensor(numbers)
    out = mlp(torch.tensor([[1.0, 2.0]]))
    assert out.data.tolist() == [[3.5]]  # hidden = relu(-1, 3)
    out.sum().backward()
    assert [parameter.grad.data.tolist() for parameter in mlp.parameters] == [
        [[0.0, 0.0], [1.0, 2.0]],
        [0.0, 1.0],
        [[0.0, 3.0]],
        [1.0],
    ]


def test_weights_start_with_hes_deviation_and_biases_at_zero(device):
    mlp = MLP((400, 300, 10), generator=source(0, device))
    first, bias, second, _ = mlp.parameters
    assert first.data.std().item() == pytest.approx(math.sqrt(2 / 400), rel=0.02)
    assert second.data.std().item() == pytest.approx(math.sqrt(2 / 300), rel=0.05)
    assert not bias.data.any()
    assert [p.label for p in mlp.parameters] == ["W1", "b1", "W2", "b2"]
    assert {p.device.type for p in mlp.parameters} == {device.type}


@pytest.mark.parametrize("sizes", [(), (3,), (3, 0, 2)])
def test_sizes_that_make_no_network(sizes):
    with pytest.raises(ValueError, match="at least two sizes"):
        MLP(sizes, generator=source(0))


def test_its_gradient_passes_gradcheck():
    mlp, labels = MLP((4, 5, 3), generator=source(1)), torch.tensor([0, 2, 1])
    x = torch.randn(3, 4, generator=source(2), dtype=torch.float64)

    def loss(*parameters):
        mlp.parameters = list(parameters)
        return cross_entropy(mlp(x), labels)

    assert gradcheck(loss, *mlp.parameters, per_element=True).compared == 5 * 4 + 5 + 3 * 5 + 3


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_losses_and_weights_equal_torchs_step_by_step(momentum, device):
    """The bridge: the same network, the same batches, torch's autograd and torch's SGD."""
    digits = load("digits")
    x, labels = digits.x.flatten(1)[:320].double().to(device), digits.y[:320].to(device)
    mlp = MLP((64, 32, 16, 10), generator=source(3, device))
    for parameter in mlp.parameters:
        parameter.data = parameter.data.double()
    twin = as_torch(mlp)
    mine = SGD(mlp.parameters, lr=0.1, momentum=momentum)
    theirs = torch.optim.SGD(twin.parameters(), lr=0.1, momentum=momentum)
    for step in range(30):
        batch = slice(32 * (step % 10), 32 * (step % 10) + 32)
        loss = cross_entropy(mlp(x[batch]), labels[batch])
        wanted = torch.nn.functional.cross_entropy(twin(x[batch]), labels[batch])
        torch.testing.assert_close(loss.data, wanted.detach(), rtol=1e-10, atol=1e-12)
        for optimizer, backward in ((mine, loss.backward), (theirs, wanted.backward)):
            optimizer.zero_grad()
            backward()
            optimizer.step()
        for a, b in zip(mlp.parameters, twin.parameters(), strict=True):
            torch.testing.assert_close(a.data, b.detach(), rtol=1e-9, atol=1e-11)
    assert loss.item() < 2  # it moved: the start is above log 10


def test_the_bridge_copies_and_shares_nothing():
    mlp = MLP((3, 4, 2), generator=source(0))
    twin = as_torch(mlp)
    mlp.parameters[0].data.zero_()
    assert twin[0].weight.abs().sum() > 0
    assert [type(layer).__name__ for layer in twin] == ["Linear", "ReLU", "Linear"]


def test_a_parameter_without_a_gradient_stays():
    used, unused = Tensor([1.0], requires_grad=True), Tensor([1.0], requires_grad=True)
    (used * 2).sum().backward()
    SGD([used, unused], lr=0.5).step()
    assert (used.item(), unused.item()) == (0.0, 1.0)


def test_without_momentum_every_step_is_its_own():
    weight = Tensor([1.0], requires_grad=True)
    optimizer = SGD([weight], lr=0.5)
    for wanted in (0.0, -1.0):
        optimizer.zero_grad()
        (weight * 2).sum().backward()
        optimizer.step()
        assert weight.item() == wanted


def test_accuracy_by_hand():
    mlp = MLP((2, 2), generator=source(0))
    mlp.parameters[0].data = torch.eye(2)  # the larger feature is the answer
    x = torch.tensor([[1.0, 0.0], [0.0, 1.0], [2.0, 1.0], [0.0, 3.0]])
    assert accuracy(mlp, x, torch.tensor([0, 1, 1, 1])) == 0.75


def test_training_repeats_with_its_generator_and_hands_out_every_update():
    x, labels = torch.randn(10, 3, generator=source(0)), torch.arange(10) % 2
    runs = []
    for _ in range(2):
        generator = source(5)
        mlp = MLP((3, 4, 2), generator=generator)
        runs.append(list(train_steps(mlp, x, labels, epochs=3, size=4, lr=0.1, generator=generator)))
    assert runs[0] == runs[1]
    assert [step.index for step in runs[0]] == list(range(9))  # 3 batches an epoch, the last of 2 examples
    assert runs[0][0].lr == 0.1
    assert runs[0][-1].lr == pytest.approx(0.1 * (1 + math.cos(math.pi * 8 / 9)) / 2)
    assert all(a.lr > b.lr > 0 for a, b in zip(runs[0], runs[0][1:], strict=False))


@pytest.mark.parametrize(("n", "m"), [(0, 0), (3, 2)])
def test_training_refuses_examples_without_labels(n, m, unchecked):
    mlp = MLP((3, 2), generator=source(0))
    with pytest.raises(ValueError, match=f"{n} examples and {m} labels"):
        next(train_steps(mlp, torch.ones(n, 3), torch.zeros(m, dtype=torch.long), generator=source(0)))


@pytest.mark.parametrize("seeds", [(1,), pytest.param((0, 1, 2), marks=pytest.mark.slow)], ids=["one", "three"])
def test_digits(seeds):
    """At least 0.975 of the held-out digits, median of three seeds, each in under 2 s of CPU (6 here: tests share)."""
    train, test = load("digits"), load("digits", split="test")
    found, seconds = [], []
    for seed in seeds:
        started = time.process_time()
        generator = source(seed)
        mlp = MLP((64, 512, 10), generator=generator)
        steps = list(train_steps(mlp, train.x.flatten(1), train.y, generator=generator))
        seconds.append(time.process_time() - started)
        found.append(accuracy(mlp, test.x.flatten(1), test.y))
        assert steps[-1].loss < 0.1 < 1.5 < steps[0].loss
    assert median(found) >= 0.975, found
    assert median(seconds) < 6, seconds
