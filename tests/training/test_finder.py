"""The sweep is training at rising rates; it stops when it explodes, suggests a rate that works, and leaves no trace."""

import itertools
import math

import dlcourse_resumable as resumable
import pytest
import torch
from torch.nn.functional import cross_entropy

from dlcourse import data, models, nn, optim, training
from dlcourse.training import LrFinder, lr_finder, lr_finder_steps


def parts():
    model, batches, optimizer, _ = resumable.parts()
    return model, batches, optimizer


def test_the_sweep_is_training_at_rising_rates(device):
    model, batches, optimizer, _ = resumable.parts(device=device)
    found = lr_finder(model, batches, cross_entropy, optimizer, low=1e-3, high=1e-1, steps=21)
    assert found.lrs == pytest.approx([1e-3 * 10 ** (i / 10) for i in range(21)])

    model, batches, optimizer, _ = resumable.parts(device=device)
    average, index = 0.0, 0
    for x, y in itertools.chain.from_iterable(batches for _ in range(3)):
        optimizer.param_groups[0]["lr"] = found.lrs[index]
        optimizer.zero_grad()
        loss = cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        assert loss.item() == found.losses[index]
        average = 0.9 * average + 0.1 * loss.item()
        assert found.smooth[index] == pytest.approx(average / (1 - 0.9 ** (index + 1)))
        index += 1
    assert index == len(found.losses) == 21


def test_the_smooth_loss_of_equal_losses_is_that_loss():
    model, batches, optimizer = parts()
    found = lr_finder(model, batches, lambda a, b: (a * 0).sum() + 2.5, optimizer, steps=30)
    assert found.smooth == pytest.approx([2.5] * 30)


def everything(model, batches, optimizer):
    numbers = {name: value.detach().clone() for name, value in [*model.named_parameters(), *model.named_buffers()]}
    gradients = [None if p.grad is None else p.grad.clone() for p in model.parameters()]
    memory = [
        {name: value.clone() if isinstance(value, torch.Tensor) else value for name, value in state.items()}
        for state in optimizer.state.values()
    ]
    rates = [group["lr"] for group in optimizer.param_groups]
    streams = [torch.get_rng_state(), batches.generator.get_state(), model[4].generator.get_state()]
    return numbers, gradients, memory, rates, streams, [module.training for module in model.modules()]


@pytest.mark.parametrize("trained", [False, True])
@pytest.mark.parametrize("end", ["finished", "given up", "exploded", "an error"])
def test_it_leaves_no_trace(trained, end):
    model, batches, optimizer = parts()
    optimizer = optim.AdamW([{"params": model[0].parameters(), "lr": 0.1}, {"params": model[5].parameters()}], lr=0.01)
    if trained:
        list(training.train_steps(model, batches, cross_entropy, optimizer))
        model.eval()
        model[1].train()
    before = everything(model, batches, optimizer)
    if end == "finished":
        lr_finder(model, batches, cross_entropy, optimizer)
    elif end == "given up":
        steps = lr_finder_steps(model, batches, cross_entropy, optimizer)
        assert [step.index for step in itertools.islice(steps, 9)] == list(range(9))
        assert not resumable.equal(everything(model, batches, optimizer)[0], before[0])
        steps.close()
    elif end == "exploded":
        found = lr_finder(model, batches, cross_entropy, optimizer, low=1.0, high=1e6)
        assert len(found.lrs) < 100
    else:
        left = iter(range(20))

        def loss(logits, labels):
            return cross_entropy(logits, labels) + 0 / (20 - 1 - next(left))

        with pytest.raises(ZeroDivisionError):
            lr_finder(model, batches, loss, optimizer)
    assert resumable.equal(everything(model, batches, optimizer), before)


def test_groups_keep_the_ratio_of_their_rates():
    model, batches, _ = parts()
    groups = [{"params": model[0].parameters(), "lr": 0.4}, {"params": model[5].parameters(), "lr": 0.1}]
    optimizer = torch.optim.SGD(groups)
    for step in lr_finder_steps(model, batches, cross_entropy, optimizer, low=1e-3, high=1e-1, steps=5):
        assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([step.lr, step.lr / 4])
    assert [group["lr"] for group in optimizer.param_groups] == [0.4, 0.1]


def test_what_the_state_dict_leaves_out_is_put_back_too():
    """Buffers that are not saved, and a parameter of the loss."""

    class Counting(torch.nn.Linear):
        def __init__(self):
            super().__init__(2, 4)
            self.register_buffer("calls", torch.zeros(1, device="cpu"), persistent=False)

        def forward(self, x):
            self.calls += 1
            return super().forward(x)

    model, batches = Counting(), parts()[1]
    temperature = torch.nn.Parameter(torch.ones(1, device="cpu"))
    optimizer = torch.optim.SGD([*model.parameters(), temperature], lr=0.1)
    lr_finder(model, batches, lambda a, b: cross_entropy(a / temperature, b), optimizer)
    assert (model.calls.item(), temperature.item(), temperature.grad) == (0, 1, None)


def test_losses_below_0_are_swept():
    x = torch.linspace(-1, 1, 8, device="cpu")[:, None]
    for shift in (20.0, 1.0):  # below 0 throughout, and from above to below
        torch.manual_seed(0)
        model = torch.nn.Linear(1, 1)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        found = lr_finder(
            model,
            [(x, 3 * x)],
            lambda a, b, shift=shift: torch.nn.functional.mse_loss(a, b) - shift,
            optimizer,
            low=1e-4,
            high=1e4,
        )
        assert 50 < len(found.lrs) < 100
        assert 1e-3 < found.suggestion < 1.0


def test_a_small_rise_below_0_is_no_explosion():
    model, batches, optimizer = parts()
    values = iter(range(-40, 0))
    found = lr_finder(model, batches, lambda a, b: (a * 0).sum() + next(values), optimizer, steps=30)
    assert len(found.losses) == 30


@pytest.mark.parametrize("index", [0, 2])
def test_a_batch_with_nan_is_no_explosion(index):
    model, batches, optimizer = parts()
    pairs = [(x.clone(), y) for x, y in batches]
    pairs[index][0][3, 1] = math.nan
    with pytest.raises(training.Diverged, match=f"Update {index} was not made.*The batch itself holds nan"):
        lr_finder(model, pairs, cross_entropy, optimizer)


@pytest.mark.usefixtures("unchecked")
def test_bad_input():
    model, batches, optimizer = parts()
    with pytest.raises(ValueError, match="list_iterator, which can be gone through only once, but the sweep"):
        lr_finder(model, iter([*batches]), cross_entropy, optimizer)
    optimizer.param_groups[0]["lr"] = 0.0
    with pytest.raises(ValueError, match="first group has a rate of 0"):
        lr_finder(model, batches, cross_entropy, optimizer)


def test_it_stops_when_the_loss_explodes():
    model = torch.nn.Linear(1, 1)
    x = torch.linspace(-1, 1, 8, device="cpu")[:, None]
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    found = lr_finder(model, [(x, 3 * x)], torch.nn.functional.mse_loss, optimizer, low=1e-4, high=1e4)
    assert len(found.lrs) < 100
    assert found.smooth[-1] > 4 * min(found.smooth)
    assert all(now <= 4 * min(found.smooth[: i + 1]) for i, now in enumerate(found.smooth[:-1]))
    found = lr_finder(model, [(x, 3 * x)], torch.nn.functional.mse_loss, optimizer, low=1e-3, high=1e30, steps=4)
    assert all(map(math.isfinite, found.losses))  # a jump straight to infinity ends it too


def test_the_suggestion_is_where_the_loss_falls_most():
    lrs = tuple(10.0 ** (i / 10 - 5) for i in range(60))
    falling = [2.0 - 1.9 / (1 + math.exp(-(i - 35) / 3)) for i in range(50)]  # steepest at 35
    smooth = (*falling, *(falling[-1] * 2 ** (i + 1) for i in range(10)))
    assert LrFinder(lrs, smooth, smooth).suggestion == pytest.approx(lrs[35])
    spike = (2.6, *smooth[1:])  # a first batch that is hard, and falls away as fast as the noise does
    assert LrFinder(lrs, spike, spike).suggestion == pytest.approx(lrs[35])
    assert LrFinder((1.0, 2.0, 3.0), (3.0, 1.0, 2.0), (3.0, 1.0, 2.0)).suggestion == 1.0
    with pytest.raises(ValueError, match=r"never fell between the rates 1 and 2.*Begin lower"):
        _ = LrFinder((1.0, 2.0), (1.0, 3.0), (1.0, 3.0)).suggestion


@pytest.mark.parametrize("make", [optim.AdamW, lambda p: optim.SGD(p, lr=1.0, momentum=0.9)])
def test_the_suggested_rate_trains(make):
    digits = data.load("digits")

    def fresh():
        generator = torch.Generator().manual_seed(0)
        model = models.mlp((64, 32, 10), generator=generator)
        batches = data.batches(digits.x.flatten(1), digits.y, size=32, generator=generator)
        return model, batches, nn.cross_entropy, make(model.parameters())

    def after(rate):
        model, batches, loss, optimizer = fresh()
        optimizer.param_groups[0]["lr"] = rate
        try:
            steps = list(training.train_steps(model, batches, loss, optimizer, epochs=2))
        except training.Diverged:
            return math.inf
        return sum(step.loss for step in steps[-20:]) / 20

    rate = lr_finder(*fresh()).suggestion
    assert after(rate) < min(after(rate / 100), after(rate * 100)) / 2


@pytest.mark.parametrize("options", [{"low": 0.0}, {"low": 1.0, "high": 0.1}, {"steps": 1}, {"high": math.inf}])
def test_bad_options(options):
    with pytest.raises(ValueError, match="0 < low < high"):
        lr_finder(*parts()[:2], cross_entropy, parts()[2], **options)


def test_nan_at_once_is_an_error():
    model, batches, optimizer = parts()
    with pytest.raises(training.Diverged, match="Update 0 was not made"):
        lr_finder(model, batches, lambda a, b: cross_entropy(a, b) * math.nan, optimizer)
