"""The oracles of the room defenses and of landscape, and broken versions that each must reject.

As in dlcourse_oracles and dlcourse_mutants. Counts come from models that answer by a script, so that every bound is
compared with scipy's for known counts; losses are compared with torch's own.
"""

import io
import math
import statistics
import sys
from dataclasses import replace
from functools import partial
from itertools import product

import pytest
import scipy.stats
import torch
import torch.nn.functional as F  # noqa: N812, torch's own name for it
from dlcourse_oracles import DTYPES, agree, global_stream_untouched, hooks_left, random, refuses, source
from dlcourse_tolerance import assert_close

from dlcourse import attacks, data, defenses, landscape
from dlcourse.steps import last
from dlcourse.training import bar as bar_file

INF, NAN = math.inf, math.nan


class Script(torch.nn.Module):
    """A model that answers what the script says, in turn, and keeps what it was asked; its logits' sizes are odd."""

    def __init__(self, answers, classes, device):
        super().__init__()
        self.norm = torch.nn.BatchNorm1d(1, device=device)  # has buffers and a mode, and wants gradients
        self.answers, self.classes, self.seen, self.asked = list(answers), classes, [], 0

    def forward(self, x):
        assert not self.training, "it was not asked in eval mode"
        assert not self.norm.training
        told = torch.tensor(self.answers[self.asked : self.asked + len(x)], device=x.device)
        assert len(told) == len(x), "it was asked about too many copies"
        self.asked += len(x)
        self.seen.append(x)
        return 0.1 * F.one_hot(told, self.classes) * self.norm(torch.ones_like(told, dtype=x.dtype)[:, None]).abs()


def left_alone(model, call):
    """What call() gives; the model's modes, weights, buffers, wishes for gradients and hooks are as before."""

    def state():
        return (
            [module.training for module in model.modules()],
            [(p.requires_grad, p.grad) for p in model.parameters()],
            len(hooks_left(model)),
        )

    model.train()
    before, held = state(), {name: value.clone() for name, value in model.state_dict().items()}
    with global_stream_untouched():
        result = call()
    assert state() == before
    assert all(torch.equal(value, held[name]) for name, value in model.state_dict().items())
    return result


class Terminal(io.StringIO):
    def isatty(self):
        return True


def written_by(call):
    """What call() writes to a terminal, with bars that come at once."""
    delay, out = bar_file.DELAY, sys.stdout
    try:
        bar_file.DELAY, sys.stdout = 0.0, Terminal()
        call()
        return sys.stdout.getvalue()
    finally:
        bar_file.DELAY, sys.stdout = delay, out


# --- smoothing --------------------------------------------------------------------------------------------------------


def exact(successes, draws, alpha):
    """Clopper and Pearson's lower bound, by scipy's test: one side of an interval with twice the risk."""
    if alpha < 0.5:
        test = scipy.stats.binomtest(successes, draws)
        return test.proportion_ci(confidence_level=1 - 2 * alpha, method="exact").low
    return float(scipy.stats.beta.ppf(alpha, successes, draws - successes + 1)) if successes else 0.0


def shuffled(counts, seed=0):
    """A script with so many answers of each class, in any order."""
    answers = [label for label, count in enumerate(counts) for _ in range(count)]
    return [answers[i] for i in torch.randperm(len(answers), generator=source(seed, "cpu"), device="cpu")]


def certify(function, device):
    """From known counts to label, bound and radius; the noise that was shown; what is left alone; refusals."""
    plan = [  # (selection, estimation) of each example
        ((3, 4, 0), (5, 93, 2)),
        ((4, 3, 0), (5, 93, 2)),  # the first sample chooses, the second judges
        ((0, 3, 4), (49, 0, 51)),
        ((0, 0, 7), (0, 0, 100)),
        ((3, 3, 1), (100, 0, 0)),  # the first of equals
        ((1, 6, 0), (100, 0, 0)),  # chosen, and never seen again
    ]
    for dtype, alpha, shape in product(DTYPES, (0.001, 0.05, 0.7), ((2,), (1, 2, 3))):
        model = Script([a for pair in plan for part in pair for a in shuffled(part)], 3, device)
        x = random(6, *shape, scale=0.2, dtype=dtype, device=device)
        kept = x.clone()
        options = {"sd": 0.25, "selection": 7, "estimation": 100, "alpha": alpha, "generator": source(0, device)}
        model.to(dtype)
        found = left_alone(model, lambda m=model, x=x, o=options: function(m, x, **o))
        assert torch.equal(x, kept)
        assert found.counts.tolist() == [list(counts) for _, counts in plan]
        chosen = [first.index(max(first)) for first, _ in plan]
        lower = [exact(counts[label], 100, alpha) for label, (_, counts) in zip(chosen, plan, strict=True)]
        radius = [max(0.25 * statistics.NormalDist().inv_cdf(p), 0) if p else 0 for p in lower]
        assert found.label.tolist() == [label if p > 0.5 else -1 for label, p in zip(chosen, lower, strict=True)]
        assert_close(found.lower, torch.tensor(lower, dtype=dtype, device=device))
        assert_close(found.radius, torch.tensor(radius, dtype=dtype, device=device))
        assert (found.label.dtype, found.label.device) == (torch.int64, x.device)
    border = function(  # a bound of exactly 1/2 is no majority
        Script([0, 0], 2, device),
        torch.zeros(1, 1, device=device),
        sd=1.0,
        selection=1,
        estimation=1,
        alpha=0.5,
        generator=source(0, device),
    )
    assert (border.label.item(), border.lower.item(), border.radius.item()) == (-1, 0.5, 0.0)
    shown_noise(lambda m, x, **o: function(m, x, selection=900, estimation=2100, **o), 3000, device)

    def plain(answers=2200, **options):
        model = Script([0] * answers, 2, device)
        x = torch.zeros(2, 1, device=device)
        return function(model, x, **{"sd": 1.0, "generator": source(0, device), **options}), model

    found, model = plain()
    assert model.asked == 2200
    assert found.lower.tolist() == pytest.approx([0.001 ** (1 / 1000)] * 2)
    whole = plain(generator=source(1, device))[1].seen
    part = Script([0] * 1100, 2, device)
    function(part, torch.zeros(1, 1, device=device), sd=1.0, generator=source(1, device))
    assert torch.equal(torch.cat(part.seen), torch.cat(whole)[:1100])  # whoever stands behind
    empty = function(Script([], 2, device), torch.zeros(0, 3, device=device), sd=1.0, generator=source(0, device))
    assert [len(empty.label), len(empty.radius), len(empty.lower), *empty.counts.shape] == [0] * 5
    for wrong in (0.0, -1.0, INF, NAN):
        refuses(lambda w=wrong: plain(sd=w), ValueError, f"certify got sd={wrong}", "above 0")
    for wrong in (0.0, 1.0, -0.1, 2.0):
        refuses(lambda w=wrong: plain(alpha=w), ValueError, f"certify got alpha={wrong}", "between 0 and 1")
    for name, wrong in product(("selection", "estimation"), (0, 2.5)):
        refuses(lambda n=name, w=wrong: plain(**{n: w}), ValueError, f"certify got {name}={wrong}", "1 or more")
    for options, wanted in (({}, "2/2"), ({"progress": True}, "2/2"), ({"progress": False}, "")):
        written = written_by(lambda o=options: plain(**o))
        assert wanted in written
        assert bool(written) is bool(wanted)
        assert "3/2" not in written


def shown_noise(function, copies, device):
    """function(model, x, sd=..., generator=...) shows the model so many copies of x, each with its own normal noise."""
    for dtype in DTYPES:
        model = Script([0] * copies, 2, device).to(dtype)
        x = torch.tensor([[0.0, 1.0, 0.3]], dtype=dtype, device=device)
        left_alone(model, lambda m=model, x=x: function(m, x, sd=0.5, generator=source(3, device)))
        assert model.asked == copies
        assert max(map(len, model.seen)) <= 1000
        noise = (torch.cat(model.seen) - x).double() / 0.5
        assert noise.shape == (copies, 3)
        assert len(noise.unique(dim=0)) == copies
        assert noise.mean(0).abs().max() < 4 / copies**0.5
        assert (noise.std(0) - 1).abs().max() < 4 / (2 * copies) ** 0.5
        assert noise.T.corrcoef().triu(1).abs().max() < 4 / copies**0.5
        assert (noise.abs().amax() > 2.5).item()


def predict(function, device):
    """The answer unless a two-sided test takes the two most frequent classes for equally likely."""
    for counts in (
        (60, 40, 0),
        (45, 20, 35),
        (40, 5, 55),
        (2, 1, 97),
        (70, 15, 15),
        (33, 33, 34),
        (50, 50, 0),
        (0, 100, 0),
    ):
        for alpha in (0.001, 0.05, 0.1, 0.5):
            model = Script(shuffled(counts), 3, device)
            x = random(1, 2, dtype=torch.float32, device=device)
            options = {"sd": 0.3, "draws": 100, "alpha": alpha, "generator": source(0, device)}
            found = left_alone(model, lambda m=model, x=x, o=options: function(m, x, **o))
            second, first = sorted(counts)[1:]
            even = scipy.stats.binomtest(first, first + second, 0.5).pvalue
            assert found.tolist() == [counts.index(first) if even <= alpha else -1]
            assert (found.dtype, found.device) == (torch.int64, x.device)
    for alpha, wanted in ((0.5, 1), (0.499, -1)):  # 2 of 2: a chance of 1/2 with two sides, and a border
        found = function(
            Script([1, 1], 2, device),
            torch.zeros(1, 1, device=device),
            sd=1.0,
            draws=2,
            alpha=alpha,
            generator=source(0, device),
        )
        assert found.tolist() == [wanted]

    def plain(answers, **options):
        model = Script(answers, 2, device)
        x = torch.zeros(2, 1, device=device)
        return function(model, x, **{"sd": 1.0, "generator": source(0, device), **options}).tolist()

    assert plain(shuffled((552, 448)) + shuffled((448, 552)), alpha=0.002) == [0, 1]  # 1000 draws; p = 0.0011
    assert plain(shuffled((552, 448)) + shuffled((553, 447))) == [-1, 0]  # alpha is 0.001
    assert plain([0, 1], draws=1, alpha=0.99) == [-1, -1]
    shown_noise(lambda m, x, **o: function(m, x, draws=2500, **o), 2500, device)
    empty = function(Script([], 2, device), torch.zeros(0, 3, device=device), sd=1.0, generator=source(0, device))
    assert (empty.shape, empty.dtype) == ((0,), torch.int64)
    for wrong in (0.0, -1.0, INF, NAN):
        refuses(lambda w=wrong: plain([], sd=w), ValueError, f"predict got sd={wrong}", "above 0")
    for wrong in (0.0, 1.0, -0.1, 2.0):
        refuses(lambda w=wrong: plain([], alpha=w), ValueError, f"predict got alpha={wrong}", "between 0 and 1")
    for wrong in (0, 2.5):
        refuses(lambda w=wrong: plain([], draws=w), ValueError, f"predict got draws={wrong}", "1 or more")


def noisy_counts(function, device):
    """The script's answers, counted, for any number of classes; no answer is refused."""
    for counts in ((3, 0, 4), (0, 1), (700, 900, 0, 700), (0, 0, 1000)):
        model = Script(shuffled(counts), len(counts), device)
        example = random(1, 2, 2, dtype=torch.float32, device=device)
        options = {"sd": 0.1, "draws": sum(counts), "generator": source(0, device)}
        found = left_alone(model, lambda m=model, e=example, o=options: function(m, e, **o))
        assert found.tolist() == list(counts)
        assert (found.dtype, found.device) == (torch.int64, example.device)
    shown_noise(lambda m, x, **o: function(m, x[0], draws=2500, **o), 2500, device)
    example = torch.zeros(2, device=device)
    plain = partial(function, sd=1.0, draws=3, generator=source(0, device))
    seen = plain(lambda x: torch.stack([x[:, 0], x[:, 0], x[:, 0] - 1], dim=1), example)  # no module; equals: the first
    assert seen.tolist() == [3, 0, 0]
    assert function(Script([1], 2, device), example, sd=1.0, draws=1, generator=source(0, device)).tolist() == [0, 1]
    for wrong in (0, 2.5):
        refuses(lambda w=wrong: plain(Script([], 2, device), example, draws=w), ValueError, f"draws={wrong}")
    refuses(lambda: plain(lambda x: torch.where(x > 0, x, NAN), example), ValueError, "nan")
    refuses(lambda: plain(lambda x: x[:, :1], example), ValueError, "two classes or more")


def certified_radius(function, device):
    """The standard normal quantile, by Python's own; never below 0."""
    for p, sd in product((0.5001, 0.6, 0.8413447460685429, 0.99, 0.999999), (0.25, 1.0, 3.0)):
        assert function(p, sd=sd) == pytest.approx(sd * statistics.NormalDist().inv_cdf(p), rel=1e-9)
    for p in (0.0, 0.1, 0.4999, 0.5):
        assert function(p, sd=1.0) == 0.0
    assert function(1.0, sd=1.0) == INF
    for wrong in (0.0, -1.0, INF, NAN):
        refuses(lambda w=wrong: function(0.9, sd=w), ValueError, f"sd={wrong}")


def lower_bound(function, device):
    """scipy's exact interval, closed forms at the ends, and refusals."""
    for draws in (1, 2, 7, 50, 1000, 100_000):
        for alpha in (0.0005, 0.001, 0.05, 0.3, 0.5, 0.9):
            for successes in {0, 1, draws // 3, draws // 2, draws - 1, draws}:
                assert function(successes, draws, alpha=alpha) == pytest.approx(
                    exact(successes, draws, alpha), rel=1e-9
                )
            assert function(draws, draws, alpha=alpha) == pytest.approx(alpha ** (1 / draws), rel=1e-12)
            assert function(1, draws, alpha=alpha) == pytest.approx(-math.expm1(math.log1p(-alpha) / draws), rel=1e-9)
    refuses(lambda: function(6, 5, alpha=0.1), ValueError, "6 successes of 5")
    for wrong in (0.0, 1.0, -0.1, 2.0):
        refuses(lambda w=wrong: function(1, 2, alpha=w), ValueError, f"alpha={wrong}")
    for numbers, words in (
        ((-1, 5), "successes=-1"),
        ((1.5, 5), "successes=1.5"),
        ((0, 0), "draws=0"),
        ((1, 2.5), "draws=2.5"),
    ):
        refuses(lambda n=numbers: function(*n, alpha=0.1), ValueError, words)


def lower_bound_definition(function, device):
    """scipy's, for few draws."""
    for draws, alpha in product((1, 2, 7, 100), (0.001, 0.05, 0.5)):
        for successes in {0, 1, draws // 2, draws}:
            assert function(successes, draws, alpha=alpha) == pytest.approx(exact(successes, draws, alpha), abs=1e-12)


def certificate(make, device):
    """Accuracy at a radius, borders and abstentions."""
    label = torch.tensor([2, -1, 0, 1], device=device)
    radius = torch.tensor([0.5, 0.0, 0.25, 1.0], device=device)
    found = make(label, radius, radius, torch.zeros(4, 3, dtype=torch.long, device=device))
    labels = torch.tensor([2, 1, 0, 0], device=device)
    assert [found.accuracy(labels, r) for r in (0.0, 0.25, 0.3, 0.5, 0.51, 2.0)] == [0.5, 0.5, 0.25, 0.25, 0, 0]
    assert found.accuracy(labels) == 0.5
    refuses(lambda: found.accuracy(labels[:3]), ValueError, "(3,)", "4 certificates")
    none = make(label[:0], radius[:0], radius[:0], torch.zeros(0, 0, dtype=torch.long, device=device))
    refuses(lambda: none.accuracy(labels[:0]), ValueError, "at least one")


# --- adversarial training ---------------------------------------------------------------------------------------------


def batches_like(function, device):
    """Each x is attacked when it is asked for, on the model as it is then; the rest is handed on."""
    x = random(5, 1, 2, 2, dtype=torch.float32, device=device)
    labels = torch.arange(5, device=device) % 3
    pairs = [(x[:3], labels[:3]), (x[3:], labels[3:])]
    model, generator, asked = torch.nn.Linear(1, 1, bias=False, device=device), source(0, device), []
    model.weight.data.fill_(1.0)

    def attack(net, x, labels, *, generator):
        assert net is model
        asked.append((labels, generator))
        return x + net.weight.item()

    found = function(pairs, model, attack, generator=generator)
    assert len(found) == 2
    for turn in range(2):  # it can be gone through again
        for i, (x_adv, y) in enumerate(found):
            assert len(asked) == 2 * turn + i + 1, "attacked too soon"
            assert_close(x_adv, pairs[i][0] + model.weight.item())
            assert y is pairs[i][1] is asked[-1][0]
            assert asked[-1][1] is generator
            model.weight.data.add_(1.0)  # it learns
    assert found.generator is generator
    assert str(found).startswith("AdversarialBatches([(")
    assert not hasattr(found, "size")
    assert function(data.batches(x, labels, size=4), model, attack, generator=generator).size == 4


def probabilities_apart(clean, logits):
    return F.kl_div(logits.log_softmax(1), clean.log_softmax(1), reduction="none", log_target=True).sum(1)


def divergence(function, device):
    """torch's divergence, value and slopes for both; 0 for equal ones and for constants."""
    for dtype, classes in product(DTYPES, (2, 3, 10)):
        clean, other = (random(4, classes, scale=4, seed=s, dtype=dtype, device=device) for s in (0, 1))
        agree(function, probabilities_apart, clean, other)
        agree(function, probabilities_apart, 30 * clean, -30 * other)
        assert_close(function(clean, clean + 3), torch.zeros(4, dtype=dtype, device=device))


def small_network(device, dtype=torch.float32, classes=3):
    """Of three pixels; with a batch norm, so that the mode matters."""
    net = torch.nn.Sequential(
        torch.nn.Flatten(),
        torch.nn.Linear(3, 5, device=device),
        torch.nn.BatchNorm1d(5, device=device),
        torch.nn.Tanh(),
        torch.nn.Linear(5, classes, device=device),
    )
    for seed, parameter in enumerate(net.parameters()):
        parameter.data.copy_(random(*parameter.shape, seed=seed))
    net[2].running_mean.copy_(random(5, seed=9))
    return net.to(dtype)


class Counting(torch.nn.Module):
    """The same model; it keeps how many examples each call was about."""

    def __init__(self, model):
        super().__init__()
        self.model, self.looks = model, []

    def forward(self, x):
        self.looks.append(len(x))
        return self.model(x)


def by_hand(model, x, start, *, eps, steps, step_size):
    """PGD in Linf on the divergence, by torch's own functions; the model in eval mode."""
    model.eval()
    clean, x_adv = model(x).detach(), start
    for _ in range(steps):
        leaf = x_adv.detach().requires_grad_()
        (slope,) = torch.autograd.grad(probabilities_apart(clean, model(leaf)).sum(), leaf)
        x_adv = (leaf + step_size * slope.sign()).detach()
        x_adv = torch.min(torch.max(x_adv, x - eps), x + eps).clamp(0, 1)
    return x_adv


def trades_attack(function, device):
    """PGD by hand from the same start; labels do not matter; the model is left alone."""
    x = torch.rand(6, 1, 3, generator=source(0, device), device=device)
    labels, threat = torch.zeros(6, dtype=torch.long, device=device), attacks.Linf(0.2)
    model = small_network(device)
    for options, steps, step_size in (
        ({}, 10, 0.05),
        ({"steps": 3}, 3, 0.5 / 3),
        ({"steps": 2, "step_size": 0.01}, 2, 0.01),
    ):
        found = left_alone(
            model, lambda o=options: function(model, x, labels, threat, **o, generator=source(1, device))
        )
        start = threat.random(x, generator=source(1, device))
        assert_close(found, by_hand(model, x, start, eps=0.2, steps=steps, step_size=step_size))
        counting = Counting(model)
        other = function(counting, x, labels + 2, threat, **options, generator=source(1, device))
        assert torch.equal(other, found)
        assert len(counting.looks) == steps + 1


def trades_loss(function, device):
    """Cross-entropy on the first half, divergence of the second, slopes through both; plain on a validation set."""
    for dtype, classes in product(DTYPES, (2, 3, 10)):
        logits = random(8, classes, scale=3, dtype=dtype, device=device)
        labels = torch.arange(4, device=device) % classes
        for options, beta in (({}, 6.0), ({"beta": 0.5}, 0.5), ({"beta": 0.0}, 0.0)):

            def theirs(z, beta=beta, labels=labels):
                return F.cross_entropy(z[:4], labels) + beta * probabilities_apart(z[:4], z[4:]).sum() / 4

            agree(lambda z, o=options, y=labels: function(z, y, **o), theirs, logits)
        agree(lambda z, y=labels: function(z, y), lambda z, y=labels: F.cross_entropy(z, y), logits[:4])
    for wrong in (3, 5, 7, 12):
        refuses(lambda n=wrong: function(random(n, 3), torch.arange(4) % 3), ValueError, f"{wrong} logits", "4 labels")


def trades_batches(function, device):
    """The clean examples, and behind them the attacked ones."""
    x = torch.rand(5, 1, 3, generator=source(0, device), device=device)
    labels, threat, model = torch.arange(5, device=device) % 3, attacks.Linf(0.2), small_network(device)
    for options, steps, step_size in (
        ({}, 10, 0.05),
        ({"steps": 3}, 3, 0.5 / 3),
        ({"step_size": 0.01}, 10, 0.01),
    ):
        pairs = [(x[:3], labels[:3]), (x[3:], labels[3:])]
        found = function(pairs, model, threat, **options, generator=source(1, device))
        assert len(found) == 2
        stream = source(1, device)
        for (both, y), (clean, own) in zip(found, pairs, strict=True):
            assert y is own
            start = threat.random(clean, generator=stream)
            wanted = by_hand(model, clean, start, eps=0.2, steps=steps, step_size=step_size)
            assert_close(both, torch.cat([clean, wanted]))
        counting = Counting(model)
        _ = list(function(pairs, counting, threat, **options, generator=source(1, device)))
        assert len(counting.looks) == 2 * (steps + 1)


# --- broken defences --------------------------------------------------------------------------------------------------


def scale(make, device):
    """Times the factor, slope too; refusals."""
    for dtype, factor in product(DTYPES, (0.5, 100.0, 1e4)):
        agree(make(factor), lambda z, f=factor: z * f, random(3, 4, dtype=dtype, device=device))
    assert repr(make(100.0)) == "Scale(100.0)"
    for wrong in (0.0, -1.0, INF, NAN):
        refuses(lambda w=wrong: make(w), ValueError, f"Scale(factor={wrong})", "above 0")


def quantise(make, device):
    """Python's rounding, number by number; the slope is 0; refusals."""
    for dtype, levels in product(DTYPES, (2, 3, 8, 17)):
        x = torch.rand(3, 1, 2, 2, generator=source(levels, "cpu"), dtype=dtype, device="cpu").to(device)
        x.view(-1)[:2] = torch.tensor([0.0, 1.0], dtype=dtype)
        leaf = x.clone().requires_grad_()
        found = make(levels)(leaf)
        wanted = [round(number * (levels - 1)) / (levels - 1) for number in x.flatten().tolist()]
        assert_close(found.detach().flatten(), torch.tensor(wanted, dtype=dtype, device=device))
        (slope,) = torch.autograd.grad(found.sum(), leaf)
        assert not slope.any()
    assert repr(make(8)) == "Quantise(8)"
    for wrong in (1, 0, 2.5):
        refuses(lambda w=wrong: make(w), ValueError, f"levels={wrong}", "2 or more")


def random_drop(make, device):
    """Pixels go one by one, as often as said, anew at each call, in either mode; slopes go with them."""
    x = torch.full((20, 1, 10, 10), 0.5, device=device)
    for p in (0.0, 0.25, 0.9):
        for mode in (True, False):
            with global_stream_untouched():
                drop = make(p, generator=source(0, device)).train(mode)
                leaf = x.clone().requires_grad_()
                one, two = drop(leaf), drop(x)
            assert set(one.unique().tolist()) <= {0.0, 0.5}
            assert abs((one == 0).float().mean().item() - p) <= 4 * (p * (1 - p) / x.numel()) ** 0.5
            assert torch.equal(one, two) == (p == 0)
            if p == 0.25:
                assert len({tuple(row.flatten().tolist()) for row in one}) == 20
            (slope,) = torch.autograd.grad(one.sum(), leaf)
            assert torch.equal(slope, (one != 0).float())
    assert repr(make(0.5, generator=source(0, device))) == "RandomDrop(p=0.5)"
    for wrong in (1.0, -0.1, 2.0, NAN):
        refuses(lambda w=wrong: make(w, generator=source(0, device)), ValueError, f"RandomDrop(p={wrong})", "below 1")


def soft_labels(function, device):
    """torch's softmax of the divided logits, of a model in eval mode that is left alone."""
    x = torch.rand(4, 1, 3, generator=source(0, device), device=device)
    model = small_network(device)
    for temperature in (0.5, 1.0, 100.0):
        found = left_alone(model, lambda t=temperature: function(model, x, temperature=t))
        assert not found.requires_grad
        model.eval()
        assert_close(found, (model(x).detach() / temperature).softmax(1))
    for wrong in (0.0, -1.0, INF, NAN):
        refuses(lambda w=wrong: function(model, x, temperature=w), ValueError, f"soft_labels got temperature={wrong}")


def distillation_loss(function, device):
    """torch's cross-entropy with probabilities, value and slope."""
    for dtype, temperature in product(DTYPES, (0.5, 1.0, 100.0)):
        logits = random(5, 3, scale=temperature, dtype=dtype, device=device)
        soft = random(5, 3, seed=1, dtype=dtype, device=device).softmax(1)
        agree(
            lambda z, s=soft, t=temperature: function(z, s, temperature=t),
            lambda z, s=soft, t=temperature: F.cross_entropy(z / t, s),
            logits,
        )
    for wrong in (0.0, -1.0, INF, NAN):
        refuses(
            lambda w=wrong: function(logits, soft, temperature=w),
            ValueError,
            f"distillation_loss got temperature={wrong}",
        )


def bpda(function, device):
    """The layer's values to the bit, the other's slope, and no slope for what is in the layer."""
    for dtype in DTYPES:
        x = random(4, 3, dtype=dtype, device=device)
        cotangent = random(4, 3, seed=1, dtype=dtype, device=device)
        inner = torch.nn.Linear(3, 3, device=device).to(dtype)
        for layer, slope in ((torch.round, None), (lambda x: x.sign() + 1e-3 * x, torch.tanh), (inner, torch.sin)):
            leaf = x.clone().requires_grad_()
            made = function(layer) if slope is None else function(layer, slope)
            assert isinstance(made, torch.nn.Module)
            value = made(leaf)
            assert torch.equal(value.detach(), layer(x).detach())
            (found,) = torch.autograd.grad(value, leaf, cotangent)
            (wanted,) = torch.autograd.grad((slope or (lambda x: x))(leaf), leaf, cotangent)
            assert_close(found, wanted)
        function(inner)(x.requires_grad_()).sum().backward()
        assert all(parameter.grad is None for parameter in inner.parameters())
    assert not function(torch.nn.Dropout()).eval().layer.training  # modes reach the layer
    refuses(lambda: function(lambda x: x[:, :2])(x), ValueError, "(4, 2)", "(4, 3)")


def eot(function, device):
    """The mean of the probabilities, and its slope; as many calls as said; large logits."""
    for dtype, draws in product(DTYPES, (1, 2, 5)):
        logits = random(draws, 4, 3, scale=2, dtype=dtype, device=device)

        def ours(z, draws=draws):
            turns = iter(range(draws))
            found = function(lambda x: z[next(turns)], draws)
            value = found(torch.zeros(4, 1, device=device))
            assert next(turns, None) is None
            return value

        agree(ours, lambda z: z.softmax(2).mean(0).log(), logits)
        assert ours(500 * logits).isfinite().all()
    made = function(torch.nn.Dropout(), 2)
    assert isinstance(made, torch.nn.Module)
    assert not made.eval().model.training
    for wrong in (0, -1, 2.5):
        refuses(lambda w=wrong: function(lambda x: x, w), ValueError, f"draws={wrong}", "1 or more")


# --- the plane --------------------------------------------------------------------------------------------------------

NORMS = {
    attacks.Linf: lambda row: max(abs(n) for n in row),
    attacks.L2: lambda row: math.sqrt(sum(n * n for n in row)),
    attacks.L1: lambda row: sum(abs(n) for n in row),
}


def plane(function, device):
    """Point by point; by given directions, and by the steepest and a random one; refusals."""
    model = small_network(device, classes=2)
    x = torch.tensor([[[0.2, 0.5, 0.9]]], device=device)
    labels = torch.tensor([1], device=device)
    ways = torch.tensor([[[0.5, 0.0, 0.0]], [[0.0, 0.0, -3.0]]], device=device)
    for kind, options in product(NORMS, ({"size": 4}, {"size": 5, "reach": 2.0}, {"size": 2})):
        size, reach = options["size"], options.get("reach", 1.5)
        found = left_alone(model, lambda k=kind, o=options: function(model, x, labels, k(0.3), directions=ways, **o))
        places = [0.3 * reach * (2 * i / (size - 1) - 1) for i in range(size)]
        assert_close(found.u, torch.tensor(places, device=device))
        assert_close(found.v, found.u)
        assert_close(found.directions, torch.tensor([[[1.0, 0, 0]], [[0, 0, -1.0]]], device=device))
        assert (found.right, found.eps, found.along_gradient) == (1, 0.3, False)
        model.eval()
        outlined(found, x, kind)
        for (i, v), (j, u) in product(enumerate(places), repeat=2):
            delta = [u, 0.0, -v]
            point = x + torch.tensor([[delta]], device=device)
            logits = model(point).detach()
            assert_close(found.loss[i, j], F.cross_entropy(logits, labels))
            assert found.label[i, j] == logits.argmax()
            assert found.in_ball[i, j] == (NORMS[kind](delta) <= 0.3 + 1e-6)
            assert found.in_box[i, j] == all(0 <= n <= 1 for n in point.flatten().tolist())
        for part in (found.loss, found.label, found.in_ball, found.in_box):
            assert part.shape == (size, size)
            assert not part.requires_grad
            assert part.device == x.device
    own = function(model, x, labels, attacks.L2(0.3), directions=ways, objective=attacks.margin, size=3)
    assert_close(own.loss[1, 1], attacks.margin(model(x), labels)[0].detach())
    inner, tight = torch.tensor([[0.5, 0.6]], device=device), torch.eye(2, device=device)
    box = function(lambda x: x, inner, labels, attacks.L2(0.3), directions=tight).box
    assert box.amin(0).tolist() == pytest.approx([-0.5, -0.6], abs=1e-3)  # a corner may lie between two angles
    assert box.amax(0).tolist() == pytest.approx([0.5, 0.4], abs=1e-3)
    small = function(lambda x: x, inner, labels, attacks.L2(0.01), directions=tight, reach=2.0)
    assert small.box.norm(dim=1).tolist() == pytest.approx([0.2] * 361), "followed as far as ten times the reach"
    edge = torch.tensor([[0.0, 1.0]], device=device)  # on the box, and on the ball: both count
    at = function(lambda x: x, edge, labels, attacks.L2(0.1), directions=torch.eye(2, device=device), size=3, reach=1.0)
    assert at.in_box.tolist() == [[False, True, True], [False, True, True], [False, False, False]]
    assert at.in_ball.tolist() == [[False, True, False], [True, True, True], [False, True, False]]
    assert at.box[:, 0].min() > -1e-6  # in this corner the box lies on one side of both directions,
    assert at.box[:, 1].max() < 1e-6
    assert 80 < (at.box.abs().amax(1) > 0.01).sum() < 100  # in a quarter of all
    for kind in NORMS:
        threat = kind(0.3)
        found = left_alone(model, lambda t=threat: function(model, x, labels, t, generator=source(0, device)))
        assert found.loss.shape == (41, 41)
        assert found.u[-1].item() == pytest.approx(0.45)
        leaf = x.clone().requires_grad_()
        model.eval()
        (slope,) = torch.autograd.grad(F.cross_entropy(model(leaf), labels), leaf)
        assert found.along_gradient
        assert_close(found.directions[:1], threat.steepest(slope))
        assert_close(threat.norm(found.directions), torch.ones(2, device=device))
        assert (found.directions[0] * found.directions[1]).sum().abs() < 1e-6
        again = function(model, x, labels, threat, generator=source(1, device))
        assert_close(again.directions[:1], found.directions[:1])
        assert not torch.allclose(again.directions[1], found.directions[1])
    for masked in (
        lambda x: model(x.round()),
        lambda x: model(x.detach()),
        lambda x: model(x) * 0,
        lambda x: model(x) + (x - x).sqrt().flatten(1).sum(1, keepdim=True),  # a slope of nan
    ):
        flat = function(masked, x, labels, attacks.L2(0.3), generator=source(0, device))
        assert not flat.along_gradient
        assert_close(attacks.L2(1.0).norm(flat.directions), torch.ones(2, device=device))
        assert (flat.directions[0] * flat.directions[1]).sum().abs() < 1e-6
    plain = partial(function, model, x, labels, attacks.L2(0.3))
    for call, words in (
        (lambda: function(model, x.repeat(2, 1, 1), labels, attacks.L2(1.0), directions=ways), ("(2, 1, 3)", "x[:1]")),
        (lambda: function(model, x, labels.repeat(2), attacks.L2(1.0), directions=ways), ("(2,)", "x[:1]")),
        (
            lambda: function(model, x[..., 0], labels, attacks.L2(1.0), directions=ways[..., 0]),
            ("(1, 1)", "two numbers"),
        ),
        (lambda: plain(directions=ways, size=1), ("size=1", "2 or more")),
        (lambda: plain(directions=ways, size=2.5), ("size=2.5", "2 or more")),
        (lambda: plain(directions=ways, reach=0.0), ("reach=0.0", "above 0")),
        (lambda: plain(directions=ways, reach=INF), ("reach=inf", "above 0")),
        (lambda: function(model, x, labels, attacks.L2(0.0), directions=ways), ("a ball of 0.0", "above 0")),
        (lambda: plain(), ("either", "generator=")),
        (lambda: plain(directions=ways, generator=source(0, device)), ("either", "generator=")),
        (lambda: plain(directions=0 * ways), ("[0.0, 0.0]", "not 0")),
        (lambda: plain(directions=ways * torch.tensor([[[1.0]], [[0.0]]], device=device)), ("not 0",)),
        (lambda: plain(directions=ways * INF), ("finite",)),
    ):
        refuses(call, ValueError, *words)


def outlined(found, x, kind):
    """The edges of ball and box, point by point, in a plane of the first and the third of three numbers."""
    assert len(found.ball) == len(found.box) == 361  # a degree each, and where it began
    for edge in (found.ball, found.box):
        torch.testing.assert_close(edge[0], edge[-1], rtol=0, atol=1e-5)  # once around
        assert edge.device == x.device
    for (u, v), (a, b) in zip(found.ball.tolist(), found.box.tolist(), strict=True):
        assert NORMS[kind]([u, 0.0, -v]) == pytest.approx(0.3, rel=1e-5)
        first, third = x[0, 0, 0].item() + a, x[0, 0, 2].item() - b
        assert min(first, third, 1 - first, 1 - third) == pytest.approx(0, abs=1e-5)
        assert math.atan2(v, u) == pytest.approx(math.atan2(b, a), abs=1e-4), "the same direction"


ORACLES = {
    "defenses.certify": certify,
    "defenses.predict": predict,
    "defenses.noisy_counts": noisy_counts,
    "defenses.certified_radius": certified_radius,
    "defenses.lower_bound": lower_bound,
    "defenses.lower_bound_definition": lower_bound_definition,
    "defenses.Certificate": certificate,
    "defenses.adversarial_batches": batches_like,
    "defenses.divergence": divergence,
    "defenses.trades_attack": trades_attack,
    "defenses.trades_loss": trades_loss,
    "defenses.trades_batches": trades_batches,
    "defenses.Scale": scale,
    "defenses.Quantise": quantise,
    "defenses.RandomDrop": random_drop,
    "defenses.soft_labels": soft_labels,
    "defenses.distillation_loss": distillation_loss,
    "defenses.bpda": bpda,
    "defenses.eot": eot,
    "landscape.plane": plane,
}

# --- known faults -----------------------------------------------------------------------------------------------------


def certify_like(
    *,
    counts=defenses.noisy_counts,
    again=True,
    choose=lambda first, counts: int(first.argmax()),
    bound=defenses.lower_bound,
    radius=defenses.certified_radius,
    label=lambda chosen, lower: chosen if lower > 0.5 else -1,
):
    """The certificate, of which one part is changed."""

    def function(model, x, *, sd, selection=100, estimation=1000, alpha=0.001, progress=True, generator):
        # Refusals, the bar and the empty batch are the package's own: an oracle must find the fault elsewhere.
        numbers = {"sd": sd, "selection": selection, "estimation": estimation, "alpha": alpha}
        whole = {name for name in ("selection", "estimation") if isinstance(numbers[name], int)}
        if len(whole) < 2 or min(selection, estimation) < 1 or not (0 < sd < INF and 0 < alpha < 1) or not len(x):
            return defenses.certify(model, x, **numbers, generator=generator)
        found = []
        with bar_file.bar(len(x), done=0, shown=progress) as tell:
            for example in x:
                first = counts(model, example, sd=sd, draws=selection, generator=generator)
                second = counts(model, example, sd=sd, draws=estimation, generator=generator) if again else first
                chosen = choose(first, second)
                lower = bound(int(second[chosen]), int(second.sum()), alpha=alpha)
                found.append((label(chosen, lower), radius(lower, sd=sd), lower, second))
                tell("certified")
        labels, radii, lowers, rows = zip(*found, strict=True)
        return defenses.Certificate(
            torch.tensor(labels, device=x.device),
            torch.tensor(radii, dtype=x.dtype, device=x.device),
            torch.tensor(lowers, dtype=x.dtype, device=x.device),
            torch.stack(rows),
        )

    return function


def counts_like(noise=lambda example, shape, sd, generator: None, mode=True, count=None, clamp=False, size=1000):
    """The noisy answers, counted, with one part changed."""

    def function(model, example, *, sd, draws, generator):
        if not isinstance(draws, int) or draws < 1:
            return defenses.noisy_counts(model, example, sd=sd, draws=draws, generator=generator)
        found = []
        for begin in range(0, draws, size):
            shape = min(size, draws - begin), *example.shape
            own = noise(example, shape, sd, generator)
            if own is None:
                own = sd * torch.randn(shape, generator=generator, device=generator.device).to(example)
            noisy = (example + own).clamp(0, 1) if clamp else example + own
            with attacks.objective.asking(model) if mode else torch.no_grad():
                logits = attacks.objective.answers(model, noisy)
            if logits.isnan().any():
                raise ValueError("nan")
            found.append(count(logits) if count else logits.argmax(1).bincount(minlength=logits.shape[1]))
        return torch.stack(found).sum(0)

    return function


def predict_like(unsure):
    """The prediction; unsure(most, second, draws, alpha) says when to abstain."""

    def function(model, x, *, sd, draws=1000, alpha=0.001, generator):
        if not isinstance(draws, int) or draws < 1 or not (0 < sd < INF and 0 < alpha < 1) or not len(x):
            return defenses.predict(model, x, sd=sd, draws=draws, alpha=alpha, generator=generator)
        labels = []
        for example in x:
            counts = defenses.noisy_counts(model, example, sd=sd, draws=draws, generator=generator)
            (most, second), (label, _) = (part.tolist() for part in counts.topk(2))
            labels.append(-1 if unsure(most, second, draws, alpha) else label)
        return torch.tensor(labels, device=x.device)

    return function


def tail(k, n):
    return float(scipy.stats.binom.sf(k - 1, n, 0.5))


def two_sided(most, second, draws, alpha):
    return 2 * tail(most, most + second) > alpha + 1e-12


def bound_like(rule):
    """rule(successes, draws, alpha), after the package's own refusals."""

    def function(successes, draws, *, alpha):
        defenses.lower_bound(successes, draws, alpha=alpha)
        return float(rule(successes, draws, alpha))

    return function


def radius_like(rule):
    def function(lower, *, sd):
        defenses.certified_radius(lower, sd=sd)
        return rule(lower, sd)

    return function


def quantile(p):
    return float(scipy.stats.norm.ppf(p))


def wald(successes, draws, alpha):
    p = successes / draws
    return max(p - quantile(1 - alpha) * math.sqrt(p * (1 - p) / draws), 0.0)


def accuracy_like(rule):
    """A certificate with another accuracy."""

    class Other(defenses.Certificate):
        def accuracy(self, labels, radius=0.0):
            super().accuracy(labels, radius)
            return rule(self, labels, radius)

    return Other


class Eager(defenses.AdversarialBatches):
    """Attacks all batches before the first is handed out: the model of the beginning."""

    def __iter__(self):
        return iter(list(super().__iter__()))


class Once(defenses.AdversarialBatches):
    """Attacks at the first pass and keeps what it found."""

    def __iter__(self):
        if "kept" not in self.__dict__:
            self.__dict__["kept"] = []
            for pair in super().__iter__():
                self.kept.append(pair)
                yield pair
        else:
            yield from self.kept


def batches_of(kind, **changes):
    def function(batches, model, attack, *, generator):
        options = {"batches": batches, "model": model, "attack": attack, "generator": generator} | changes
        return kind(**options)

    return function


def trades_attack_like(
    *, apart=probabilities_apart, start=lambda x, threat, g: threat.random(x, generator=g), count=10
):
    """PGD on a divergence, with one part changed."""

    def function(model, x, labels, threat, *, steps=count, step_size=None, generator):
        with attacks.objective.asking(model):
            clean = model(x)
        begun = start(x, threat, generator)
        options = {"steps": steps, "step_size": step_size, "start": begun}
        objective = lambda z, y: apart(clean, z)  # noqa: E731
        return last(attacks.pgd_steps(model, x, labels, threat, objective=objective, **options)).x_adv

    return function


def trades_loss_like(rule, default=6.0):
    def function(logits, labels, *, beta=default):
        if len(logits) != 2 * len(labels):
            return defenses.trades_loss(logits, labels, beta=beta)
        clean, attacked = logits.chunk(2)
        return rule(clean, attacked, labels, beta)

    return function


def trades_batches_like(change=lambda both: both, **wrong):
    def function(batches, model, threat, *, steps=10, step_size=None, generator):
        options = {"steps": steps, "step_size": step_size} | wrong
        found = defenses.trades_batches(batches, model, threat, **options, generator=generator)

        class Changed:
            def __len__(self):
                return len(found)

            def __iter__(self):
                return ((change(both), labels) for both, labels in found)

        return Changed()

    return function


def layer_like(base, forward):
    """The layer with another forward."""
    return type(base.__name__, (base,), {"forward": forward})


def distilled(change):
    def function(logits, soft, *, temperature):
        defenses.distillation_loss(logits, soft, temperature=temperature)
        return change(logits, soft, temperature)

    return function


def soft_like(change, mode=True):
    def function(teacher, x, *, temperature):
        defenses.soft_labels(teacher, x, temperature=temperature)
        with attacks.objective.asking(teacher) if mode else torch.no_grad():
            return change(teacher(x), temperature)

    return function


class Bpda(torch.nn.Module):
    """bpda, with one part changed."""

    def __init__(self, layer, slope, make):
        super().__init__()
        self.layer, self.slope, self.make = layer, slope, make

    def forward(self, x):
        if self.layer(x).shape != self.slope(x).shape:
            return defenses.bpda(self.layer, self.slope)(x)
        return self.make(self.layer, self.slope, x)


def bpda_like(make):
    return lambda layer, slope=lambda x: x: Bpda(layer, slope, make)


class Eot(torch.nn.Module):
    """eot, with one part changed."""

    def __init__(self, model, draws, mean):
        super().__init__()
        self.model, self.draws, self.mean = model, draws, mean

    def forward(self, x):
        return self.mean(torch.stack([self.model(x) for _ in range(self.draws)]))


def eot_like(mean):
    def function(model, draws):
        defenses.eot(model, draws)
        return Eot(model, draws, mean)

    return function


def plane_like(change, **wrong):
    """The plane, with one part of the result or of the options changed."""

    def function(model, x, labels, threat, **options):
        found = landscape.plane(model, x, labels, threat, **(options | wrong))
        return replace(found, **change(found))

    return function


NAMED = [
    ("defenses.certify", "one sample for both", certify_like(again=False)),
    ("defenses.certify", "the second sample chooses too", certify_like(choose=lambda a, b: int(b.argmax()))),
    ("defenses.certify", "never abstains", certify_like(label=lambda chosen, lower: chosen)),
    ("defenses.certify", "the share in place of the bound", certify_like(bound=lambda k, n, alpha: k / n)),
    ("defenses.certify", "a normal approximation", certify_like(bound=lambda k, n, alpha: wald(k, n, alpha))),
    (
        "defenses.certify",
        "two sides for one",
        certify_like(bound=lambda k, n, alpha: defenses.lower_bound(k, n, alpha=alpha / 2)),
    ),
    (
        "defenses.certify",
        "a radius in units of sd",
        certify_like(radius=radius_like(lambda p, sd: max(quantile(p), 0))),
    ),
    (
        "defenses.certify",
        "negative radii",
        certify_like(radius=radius_like(lambda p, sd: sd * quantile(max(p, 1e-300)))),
    ),
    ("defenses.certify", "in train mode", certify_like(counts=counts_like(mode=False))),
    ("defenses.certify", "noise clamped into [0, 1]", certify_like(counts=counts_like(clamp=True))),
    ("defenses.predict", "the most frequent, always", predict_like(lambda most, second, n, alpha: False)),
    ("defenses.predict", "a one-sided test", predict_like(lambda k, s, n, alpha: tail(k, k + s) > alpha)),
    ("defenses.predict", "against all the others", predict_like(lambda k, s, n, alpha: 2 * tail(k, n) > alpha)),
    ("defenses.predict", "a majority is enough", predict_like(lambda k, s, n, alpha: k <= n / 2)),
    ("defenses.noisy_counts", "in train mode", counts_like(mode=False)),
    ("defenses.noisy_counts", "clamped into [0, 1]", counts_like(clamp=True)),
    ("defenses.noisy_counts", "all at once", counts_like(size=10**9)),
    (
        "defenses.noisy_counts",
        "sd for the variance",
        counts_like(lambda x, shape, sd, g: sd**0.5 * torch.randn(shape, generator=g, device=g.device).to(x)),
    ),
    (
        "defenses.noisy_counts",
        "uniform noise",
        counts_like(
            lambda x, shape, sd, g: 12**0.5 * sd * (torch.rand(shape, generator=g, device=g.device) - 0.5).to(x)
        ),
    ),
    (
        "defenses.noisy_counts",
        "one noise for all pixels",
        counts_like(
            lambda x, shape, sd, g: (
                sd * torch.randn(shape[0], *[1] * x.ndim, generator=g, device=g.device).to(x).expand(shape)
            )
        ),
    ),
    (
        "defenses.noisy_counts",
        "from the global stream",
        counts_like(lambda x, shape, sd, g: sd * torch.randn(shape, device=x.device, dtype=x.dtype)),
    ),
    (
        "defenses.noisy_counts",
        "the mean probabilities",
        counts_like(count=lambda z: (z.softmax(1).mean(0) * len(z)).round().long()),
    ),
    ("defenses.certified_radius", "without sd", radius_like(lambda p, sd: max(quantile(p), 0))),
    ("defenses.certified_radius", "below 0", radius_like(lambda p, sd: sd * quantile(p))),
    ("defenses.certified_radius", "p_B of 0", radius_like(lambda p, sd: max(sd * quantile(p) / 2, 0))),
    ("defenses.certified_radius", "Phi for its inverse", radius_like(lambda p, sd: sd * scipy.stats.norm.cdf(p))),
    ("defenses.lower_bound", "the share", bound_like(lambda k, n, alpha: k / n)),
    ("defenses.lower_bound", "a normal approximation", bound_like(wald)),
    ("defenses.lower_bound", "two sides for one", bound_like(lambda k, n, alpha: exact(k, n, alpha / 2))),
    (
        "defenses.lower_bound",
        "the upper bound",
        bound_like(lambda k, n, alpha: 1.0 if k == n else scipy.stats.beta.ppf(1 - alpha, k + 1, n - k)),
    ),
    (
        "defenses.lower_bound",
        "Hoeffding's, true but wider",
        bound_like(lambda k, n, alpha: max(k / n - math.sqrt(math.log(1 / alpha) / (2 * n)), 0)),
    ),
    ("defenses.lower_bound", "nan at 0", lambda k, n, *, alpha: exact(k, n, alpha) if k else NAN),
    (
        "defenses.Certificate",
        "right and certified apart",
        accuracy_like(lambda c, y, r: min((c.label == y).float().mean().item(), (c.radius >= r).float().mean().item())),
    ),
    (
        "defenses.Certificate",
        "of the certified ones only",
        accuracy_like(
            lambda c, y, r: ((c.label == y) & (c.radius >= r)).sum().item() / max((c.radius >= r).sum().item(), 1)
        ),
    ),
    (
        "defenses.Certificate",
        "the border is out",
        accuracy_like(lambda c, y, r: ((c.label == y) & (c.radius > r)).float().mean().item()),
    ),
    ("defenses.adversarial_batches", "attacked before training", batches_of(Eager)),
    ("defenses.adversarial_batches", "attacked once and kept", batches_of(Once)),
    ("defenses.adversarial_batches", "clean ones beside", batches_of(defenses.AdversarialBatches, beside=True)),
    (
        "defenses.adversarial_batches",
        "no attack",
        batches_of(defenses.AdversarialBatches, attack=lambda net, x, labels, *, generator: x),
    ),
    ("defenses.divergence", "the other way round", lambda p, q: probabilities_apart(q, p)),
    ("defenses.divergence", "the mean over classes", lambda p, q: probabilities_apart(p, q) / p.shape[1]),
    (
        "defenses.divergence",
        "no slope for the clean ones",
        lambda p, q: probabilities_apart(p.detach(), q) + 0 * p.sum(1),
    ),
    ("defenses.divergence", "squared distance of logits", lambda p, q: (p - q).square().sum(1)),
    (
        "defenses.divergence",
        "as printed",
        lambda p, q: (p.softmax(1) * (p.softmax(1) / q.softmax(1)).log()).sum(1),
    ),
    ("defenses.trades_attack", "from x, where it is flat", trades_attack_like(start=lambda x, threat, g: x)),
    ("defenses.trades_attack", "downhill", trades_attack_like(apart=lambda p, q: -probabilities_apart(p, q))),
    ("defenses.trades_attack", "twenty steps", trades_attack_like(count=20)),
    (
        "defenses.trades_attack",
        "the labels' cross-entropy",
        lambda model, x, labels, threat, *, steps=10, step_size=None, generator: attacks.pgd(
            model, x, labels, threat, steps=steps, step_size=step_size, generator=generator
        ),
    ),
    (
        "defenses.trades_loss",
        "cross-entropy on the attacked ones",
        trades_loss_like(lambda p, q, y, b: F.cross_entropy(q, y) + b * probabilities_apart(p, q).mean()),
    ),
    (
        "defenses.trades_loss",
        "the clean ones held still",
        trades_loss_like(lambda p, q, y, b: F.cross_entropy(p, y) + b * probabilities_apart(p.detach(), q).mean()),
    ),
    (
        "defenses.trades_loss",
        "the sum of the divergences",
        trades_loss_like(lambda p, q, y, b: F.cross_entropy(p, y) + b * probabilities_apart(p, q).sum()),
    ),
    (
        "defenses.trades_loss",
        "divided by beta, as lambda",
        trades_loss_like(lambda p, q, y, b: F.cross_entropy(p, y) + probabilities_apart(p, q).mean() / max(b, 1e-9)),
    ),
    (
        "defenses.trades_loss",
        "beta of 1",
        trades_loss_like(lambda p, q, y, b: F.cross_entropy(p, y) + b * probabilities_apart(p, q).mean(), default=1.0),
    ),
    ("defenses.trades_batches", "the attacked ones only", trades_batches_like(lambda both: both.chunk(2)[1])),
    (
        "defenses.trades_batches",
        "the attacked ones first",
        trades_batches_like(lambda both: both.roll(len(both) // 2, 0)),
    ),
    ("defenses.trades_batches", "always ten steps", trades_batches_like(steps=10)),
    ("defenses.trades_batches", "the default step size, always", trades_batches_like(step_size=None)),
    ("defenses.Scale", "divided", layer_like(defenses.Scale, lambda self, z: z / self.factor)),
    (
        "defenses.Scale",
        "hidden from the slope",
        layer_like(defenses.Scale, lambda self, z: z + ((self.factor - 1) * z).detach()),
    ),
    (
        "defenses.Quantise",
        "rounded down",
        layer_like(defenses.Quantise, lambda self, x: (x * (self.levels - 1)).floor() / (self.levels - 1)),
    ),
    (
        "defenses.Quantise",
        "one level too many",
        layer_like(defenses.Quantise, lambda self, x: (x * self.levels).round() / self.levels),
    ),
    (
        "defenses.Quantise",
        "with a slope",
        layer_like(
            defenses.Quantise, lambda self, x: x + ((x * (self.levels - 1)).round() / (self.levels - 1) - x).detach()
        ),
    ),
    (
        "defenses.RandomDrop",
        "not in eval mode",
        layer_like(
            defenses.RandomDrop,
            lambda self, x: defenses.RandomDrop.forward(self, x) if self.training else x * (self.p < 2),
        ),
    ),
    (
        "defenses.RandomDrop",
        "scaled up like dropout",
        layer_like(defenses.RandomDrop, lambda self, x: defenses.RandomDrop.forward(self, x) / (1 - self.p)),
    ),
    (
        "defenses.RandomDrop",
        "one mask for all examples",
        layer_like(
            defenses.RandomDrop,
            lambda self, x: x * (torch.rand(x.shape[1:], generator=self.generator, device=x.device) >= self.p),
        ),
    ),
    (
        "defenses.RandomDrop",
        "from the global stream",
        layer_like(defenses.RandomDrop, lambda self, x: x * (torch.rand_like(x) >= self.p)),
    ),
    ("defenses.soft_labels", "at temperature 1", soft_like(lambda z, t: z.softmax(1))),
    ("defenses.soft_labels", "times the temperature", soft_like(lambda z, t: (z * t).softmax(1))),
    ("defenses.soft_labels", "hard", soft_like(lambda z, t: F.one_hot(z.argmax(1), z.shape[1]).to(z))),
    ("defenses.soft_labels", "in train mode", soft_like(lambda z, t: (z / t).softmax(1), mode=False)),
    ("defenses.distillation_loss", "at temperature 1", distilled(lambda z, s, t: F.cross_entropy(z, s))),
    ("defenses.distillation_loss", "times the temperature", distilled(lambda z, s, t: F.cross_entropy(z * t, s))),
    ("defenses.distillation_loss", "the sum", distilled(lambda z, s, t: F.cross_entropy(z / t, s, reduction="sum"))),
    ("defenses.distillation_loss", "of hard labels", distilled(lambda z, s, t: F.cross_entropy(z / t, s.argmax(1)))),
    ("defenses.bpda", "the layer's own slope", bpda_like(lambda layer, slope, x: layer(x) + 0 * slope(x))),
    ("defenses.bpda", "the slope's value", bpda_like(lambda layer, slope, x: slope(x) + 0 * layer(x))),
    ("defenses.bpda", "both slopes", bpda_like(lambda layer, slope, x: layer(x) + (slope(x) - slope(x).detach()))),
    ("defenses.bpda", "identity, whatever is given", bpda_like(lambda layer, slope, x: x + (layer(x) - x).detach())),
    ("defenses.eot", "the mean of the logits", eot_like(lambda z: z.mean(0).log_softmax(1))),
    ("defenses.eot", "the mean of the log probabilities", eot_like(lambda z: z.log_softmax(2).mean(0))),
    ("defenses.eot", "the last draw", eot_like(lambda z: z[-1].log_softmax(1))),
    ("defenses.eot", "probabilities for logits", eot_like(lambda z: z.softmax(2).mean(0))),
    ("defenses.eot", "the sum", eot_like(lambda z: z.log_softmax(2).logsumexp(0))),
    ("defenses.eot", "as printed: not finite", eot_like(lambda z: z.softmax(2).mean(0).log())),
    ("landscape.plane", "transposed", plane_like(lambda found: {"loss": found.loss.T, "label": found.label.T})),
    ("landscape.plane", "from the top down", plane_like(lambda found: {"loss": found.loss.flip(0)})),
    ("landscape.plane", "a ball in L2, whatever the threat", plane_like(lambda found: {"in_ball": in_l2(found)})),
    ("landscape.plane", "everything in the box", plane_like(lambda found: {"in_box": torch.ones_like(found.in_box)})),
    ("landscape.plane", "the edge of twice the ball", plane_like(lambda found: {"ball": 2 * found.ball})),
    ("landscape.plane", "the box's edge turned over", plane_like(lambda found: {"box": -found.box})),
    ("landscape.plane", "always 1.5 eps", plane_like(lambda found: {}, reach=1.5)),
    ("landscape.plane", "the cross-entropy, always", plane_like(lambda found: {}, objective=None)),
    ("landscape.plane", "the wrong label", plane_like(lambda found: {"right": 0})),
]


def in_l2(found):
    u, v = (way.flatten(1).norm(dim=1) for way in (found.directions[:1], found.directions[1:]))
    return (found.u * u).square()[None] + (found.v * v).square()[:, None] <= found.eps**2 + 1e-9


# The helpers above with nothing changed: each must pass, or the faults made with it prove nothing.
UNCHANGED = [
    ("defenses.certify", certify_like()),
    ("defenses.certify", certify_like(counts=counts_like())),
    ("defenses.noisy_counts", counts_like()),
    ("defenses.predict", predict_like(two_sided)),
    ("defenses.lower_bound", bound_like(exact)),
    ("defenses.certified_radius", radius_like(lambda p, sd: max(sd * quantile(p), 0.0))),
    (
        "defenses.Certificate",
        accuracy_like(lambda c, y, r: ((c.label == y) & (c.radius >= r)).sum().item() / len(y)),
    ),
    ("defenses.adversarial_batches", batches_of(defenses.AdversarialBatches)),
    ("defenses.trades_attack", trades_attack_like()),
    (
        "defenses.trades_loss",
        trades_loss_like(lambda p, q, y, b: F.cross_entropy(p, y) + b * probabilities_apart(p, q).mean()),
    ),
    ("defenses.trades_batches", trades_batches_like()),
    ("defenses.soft_labels", soft_like(lambda z, t: (z / t).softmax(1))),
    ("defenses.distillation_loss", distilled(lambda z, s, t: F.cross_entropy(z / t, s))),
    ("defenses.bpda", bpda_like(lambda layer, slope, x: defenses.bpda(layer, slope)(x))),
    ("defenses.eot", eot_like(lambda z: z.log_softmax(2).logsumexp(0) - math.log(len(z)))),
    ("landscape.plane", plane_like(lambda found: {})),
]
# Changes that leave every result as it is, with the reason.
HARMLESS = {
    "loss, label = (torch.cat(parts).reshape(size, size) for parts in zip(*looks, strict=True)) "
    "[True -> False]": "pairs",
    "logits = answers(model, example + sd * noise) [example + sd * noise -> example - sd * noise]": "noise is as often "
    "below 0 as above",
    "low, high = 0.0, 1.0 [1.0 -> 2.0]": "the first middle is then 1, which is too high",
    "for _ in range(60): [60 -> 61]": "2^-60 is below a float's precision",
    "low, high = (low, middle) if chance(middle) > alpha else (middle, high) "
    "[chance(middle) > alpha -> chance(middle) >= alpha]": "a border",
    "return x * (numbers >= self.p) [numbers >= self.p -> numbers > self.p]": "a border, once in 16 million draws",
    "room = torch.where(deltas > 0, 1 - x, x) / deltas.abs() [deltas > 0 -> deltas >= 0]": "over 0 all is without end",
    "noise = torch.randn((2, *x.shape[1:]), generator=generator, device=generator.device).to(x) [2 -> 3]": "not used",
    "in_ball = threat.norm(delta) <= threat.eps * (1 + ROUNDING * torch.finfo(x.dtype).eps) "
    "[threat.norm(delta) <= threat.eps * (1 + ROUNDING * torch.finfo(x.dtype).eps) -> "
    "threat.norm(delta) < threat.eps * (1 + ROUNDING * torch.finfo(x.dtype).eps)]": "a border beyond the rounding",
}
