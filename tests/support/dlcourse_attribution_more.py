"""The oracles of Shapley values, LRP, the axioms, the tests of faithfulness and the known models; and broken versions.

Games have closed forms, layers are written out as matrices, curves pixel by pixel.
"""

import copy
import inspect
import math
from collections import OrderedDict
from dataclasses import FrozenInstanceError, fields, replace
from functools import partial
from itertools import permutations

import numpy as np
import pytest
import scipy.stats
import torch
from dlcourse_attacks import same, state_of
from dlcourse_attribution import (
    BASELINES,
    TARGETS,
    baseline_of,
    close,
    cnn,
    explains,
    filled,
    leaves,
    pictures,
    slopes,
    still,
    targets,
    value,
)
from dlcourse_oracles import global_stream_untouched, random, refuses, source

from dlcourse import attribution

nn = torch.nn


def of(function, name):
    """A class of the function's own file: a broken version has its own."""
    return inspect.unwrap(function).__globals__.get(name, getattr(attribution, name))


# --- Shapley values ---------------------------------------------------------------------------------------------------


def glove(coalitions):
    """One left glove (player 0), the others hold right ones: a pair is worth 1."""
    return (coalitions[:, 0] & coalitions[:, 1:].any(1)).double()


def airport(coalitions):
    """A runway for the largest who comes: costs 1, 3, 4, 8."""
    return (coalitions * torch.tensor([1.0, 3, 4, 8], dtype=torch.float64, device=coalitions.device)).amax(1)


def majority(coalitions):
    return (coalitions.sum(1) > coalitions.shape[1] / 2).double()


# v, players, the values in closed form (Littlechild and Owen, 1973, for the airport).
CLOSED = (
    (glove, 3, [2 / 3, 1 / 6, 1 / 6]),
    (glove, 4, [3 / 4, 1 / 12, 1 / 12, 1 / 12]),
    (airport, 4, [1 / 4, 1 / 4 + 2 / 3, 1 / 4 + 2 / 3 + 1 / 2, 1 / 4 + 2 / 3 + 1 / 2 + 4]),
    (majority, 5, [1 / 5] * 5),
    (lambda s: 7 + 2.0 * s[:, 0].double(), 1, [2.0]),
)


def table(players, device, seed=0):
    """A game of random winnings, and a list of the coalitions that were asked."""
    wins, asked = random(2**players, seed=seed, device=device), []

    def game(coalitions):
        assert coalitions.dtype == torch.bool
        asked.extend(map(tuple, coalitions.tolist()))
        bits = 2 ** torch.arange(players, device=coalitions.device)
        return wins[(coalitions * bits).sum(1).to(wins.device)]

    return game, asked


def shapley_by_hand(game, players):
    """All orders, one coalition at a time."""
    total = [0.0] * players
    for order in permutations(range(players)):
        here = torch.zeros(1, players, dtype=torch.bool)
        before = game(here).item()
        for player in order:
            here[0, player] = True
            after = game(here).item()
            total[player] += (after - before) / math.factorial(players)
            before = after
    return torch.tensor(total, dtype=torch.float64)


def exact(function, device):
    for game, players, wanted in CLOSED:
        found = function(game, players)
        assert found.dtype == torch.float64
        close(found, torch.tensor(wanted, dtype=torch.float64))
    for players in (1, 2, 5):
        game, _ = table(players, device, seed=players)
        close(function(game, players), shapley_by_hand(game, players))
    close(function(lambda s: game(s).float(), 5), shapley_by_hand(lambda s: game(s).float(), 5))


def shapley_exact(function, device):
    """Closed forms and all orders; each coalition once."""
    exact(function, device)
    game, asked = table(4, device)
    function(game, 4)
    assert len(asked) == len(set(asked)) == 16
    function(lambda s: s.double().sum(1), 16)
    refuses(lambda: function(game, 17), ValueError, "17 players", "at most 16")
    for wrong in (0, 1.5):
        refuses(lambda w=wrong: function(game, w), ValueError, "shapley_exact", f"players={wrong}")


def shapley_by_orders(function, device):
    exact(function, device)
    game, asked = table(4, device)
    function(game, 4)
    assert len(asked) == 24 * 5


def orders_by_hand(game, players, orders, seed, device):
    g, rows = source(seed, device), []
    for _ in range(orders):
        order = torch.randperm(players, generator=g, device=device)
        here, row = torch.zeros(1, players, dtype=torch.bool), torch.zeros(players, dtype=torch.float64)
        for player in order.tolist():
            before = game(here).item()
            here[0, player] = True
            row[player] = game(here).item() - before
        rows.append(row)
        mean = torch.stack(rows).mean(0)
        spread = (torch.stack(rows) - mean).square().sum(0)
        error = (spread / (len(rows) - 1) / len(rows)).sqrt() if len(rows) > 1 else torch.full_like(mean, math.nan)
        yield order, row, mean, error


def shapley_sampled_steps(function, device):
    game, asked = table(5, device)
    found = [*function(game, 5, orders=4, generator=source(2, device))]
    assert len(asked) == 4 * 6
    one = [*function(lambda s: 3.0 * s[:, 0], 1, orders=1, generator=source(2, device))]
    assert one[0].values.tolist() == [3]
    assert [step.index for step in found] == [0, 1, 2, 3]
    for step, wanted in zip(found, orders_by_hand(game, 5, 4, 2, device), strict=True):
        for one, other in zip((step.order, step.brought, step.values, step.error), wanted, strict=True):
            torch.testing.assert_close(one.cpu(), other.cpu(), rtol=0, atol=1e-9, equal_nan=True)
    refuses_orders(lambda *a, **o: [*function(*a, **o)], game, device)


def refuses_orders(call, game, device):
    g = source(0, device)
    refuses(lambda: call(game, 5, orders=0, generator=g), ValueError, "shapley_sampled", "orders=0")
    refuses(lambda: call(game, 0, orders=1, generator=g), ValueError, "shapley_sampled", "players=0")


def shapley_sampled(function, device):
    """Where the steps end; and it is right on the average, within what it says."""
    game, _ = table(4, device)
    *_, (_, _, values, error) = orders_by_hand(game, 4, 6, 2, device)
    found = function(game, 4, orders=6, generator=source(2, device))
    close(found.values.cpu(), values)
    close(found.error.cpu(), error)
    truth = shapley_by_hand(game, 4)
    many = function(game, 4, orders=400, generator=source(0, device))
    assert ((many.values.cpu() - truth).abs() < 4 * many.error.cpu()).all()
    assert many.error.max() < found.error.max()
    refuses_orders(function, game, device)


GROUPS = ((torch.arange(6) // 3)[:, None] * 2 + torch.arange(5) // 3).expand(2, 6, 5)  # quarters, all channels


def quarter_game(model, x, i, baseline, groups=GROUPS):
    """Example i as a game of its groups, one coalition at a time."""
    behind = torch.zeros_like(x) + (0.0 if baseline is None else baseline)

    def game(coalitions):
        found = []
        for row in coalitions.tolist():
            inside = torch.tensor(row)[groups].to(x.device)
            found.append(value(model, torch.where(inside, x[i], behind[i])[None], TARGETS[i : i + 1])[0])
        return torch.stack(found)

    return game


def game_of(function, device):
    model, x = cnn(device), pictures(device)
    coalitions = random(9, 4, seed=1, device="cpu") > 0
    for kind in BASELINES[:3]:
        baseline = baseline_of(kind, x)
        for groups in (GROUPS, GROUPS[0], GROUPS[:1]):
            game = function(model, x[1:2], TARGETS[1], groups=groups, baseline=baseline)
            for where in ("cpu", device):
                close(game(coalitions.to(where)), quarter_game(model, x, 1, baseline)(coalitions))
    each = random(1, 60, seed=2, device="cpu") > 0
    wanted = value(model, torch.where(each.view(2, 6, 5).to(device), x[1:2], 0.0), [2])
    close(function(model, x[1:2], 2)(each), wanted)
    leaves(lambda m: function(m, x[:1], 0, groups=GROUPS)(coalitions), device)
    refuses_groups(lambda groups: function(model, x[:1], 0, groups=groups))


def refuses_groups(call):
    refuses(lambda: call(GROUPS.double()), ValueError, "torch.float64", "whole numbers")
    refuses(lambda: call(GROUPS[None]), ValueError, "(1, 2, 6, 5)", "shaped like x[0]")
    refuses(lambda: call(GROUPS[:, :5]), ValueError, "(2, 5, 5)", "(2, 6, 5)")
    for wrong in (GROUPS + 1, GROUPS - 1, 2 * GROUPS):
        refuses(lambda w=wrong: call(w), ValueError, "wanted 0, 1, 2")


def shapley(function, device):
    """Each example's own game, its values spread over the groups' pixels; complete."""
    model, x = cnn(device), pictures(device)
    uneven = torch.where(GROUPS == 0, 0, 1)
    for kind, groups in zip(BASELINES, (GROUPS, uneven, GROUPS[0], GROUPS), strict=True):
        baseline, whole = baseline_of(kind, x), groups.expand(2, 6, 5)
        found = function(model, x, targets(device), groups=groups, baseline=baseline)
        for i in range(4):
            players = int(whole.max()) + 1
            values = shapley_by_hand(quarter_game(model, x, i, baseline, whole), players)
            size = torch.stack([(whole == k).sum() for k in range(players)])
            close(found[i].cpu(), (values / size)[whole])
    few = random(3, 1, 2, seed=5, device=device)
    linear = lambda x: x.flatten(1) * 3  # noqa: E731
    close(function(linear, few, 1), few * torch.tensor([0.0, 3.0], device=device))
    explains(partial(function, groups=GROUPS), device, functions=False)
    drawn = function(model, x, targets(device), groups=GROUPS, orders=3, generator=source(2, device))
    g = source(2, device)
    for i in range(4):
        rows = []
        for _ in range(3):
            order = torch.randperm(4, generator=g, device=device).tolist()
            game = quarter_game(model, x, i, None)
            here, row = torch.zeros(1, 4, dtype=torch.bool), torch.zeros(4, dtype=torch.float64)
            for player in order:
                before = game(here).item()
                here[0, player] = True
                row[player] = game(here).item() - before
            rows.append(row)
        size = torch.stack([(k == GROUPS).sum() for k in range(4)])
        close(drawn[i].cpu(), (torch.stack(rows).mean(0) / size)[GROUPS])
    refuses(lambda: function(model, x, 0, groups=GROUPS, orders=3), ValueError, "orders=3", "generator")
    refuses(lambda: function(model, x, 0), ValueError, "60 players")
    refuses_groups(lambda groups: function(model, x, 0, groups=groups))
    refuses(lambda: function(model, x, 0, groups=GROUPS, baseline=x[1:]), ValueError, "shapley got a baseline")


# --- LRP --------------------------------------------------------------------------------------------------------------

# What j put into k, as printed: a (batch, in, 1), w (in, out).
PRINTED = {
    "Zero": lambda a, w: a * w,
    "Epsilon": lambda a, w: a * w,
    "Gamma": lambda a, w: a * (w + 0.7 * w.clamp(min=0)),
    "ZPlus": lambda a, w: (a * w).clamp(min=0),
    "ZBox": lambda a, w: a * w - -2.0 * w.clamp(min=0) - 3.0 * w.clamp(max=0),
}
OPTIONS = {
    "Zero": {},
    "Epsilon": {"eps": 0.3},
    "Gamma": {"gamma": 0.7},
    "ZPlus": {},
    "ZBox": {"low": -2.0, "high": 3.0},
}
BIAS = {
    "Zero": lambda b: b,
    "Epsilon": lambda b: b,
    "Gamma": lambda b: b + 0.7 * b.clamp(min=0),
    "ZPlus": lambda b: b.clamp(min=0),
    "ZBox": lambda b: 0 * b,
}
DEFAULTS = {"Zero": {}, "Epsilon": {"eps": 1e-6}, "Gamma": {"gamma": 0.25}, "ZPlus": {}, "ZBox": {"low": 0, "high": 1}}


def share_by_hand(a, matrix, bias, relevance, name):
    """One layer back, output by output."""
    shares = PRINTED[name](a[:, :, None], matrix)
    found = torch.zeros_like(a)
    for k in range(matrix.shape[1]):
        z = shares[:, :, k].sum(1) + BIAS[name](bias)[k]
        if name == "Epsilon":
            z = z + 0.3 * torch.where(z < 0, -1.0, 1.0).to(z)
        for i in range(len(a)):
            if z[i] != 0:
                found[i] += shares[i, :, k] / z[i] * relevance[i, k]
    return found


def rule(name):
    """Oracle for one rule: its shares as printed; its parts make the same z and shares, for a of both signs."""

    def oracle(make, device):
        made = make(**OPTIONS[name])
        a, weight, bias = (random(*shape, seed=3, device=device) for shape in ((4, 6, 1), (6, 5), (5,)))
        a[0] = 0
        bias[0] = 0
        close(made.shares(a, weight), PRINTED[name](a, weight))
        close(made.bias(bias), BIAS[name](bias))
        given = made.parts(a[:, :, 0], weight, bias)
        z = sum(part @ w + (0 if b is None else b) for part, w, b in given)
        close(z, PRINTED[name](a, weight).sum(1) + BIAS[name](bias))
        close(sum(part[:, :, None] * w for part, w, _ in given), PRINTED[name](a, weight))
        without = sum(part @ w + (0 if b is None else b) for part, w, b in made.parts(a[:, :, 0], weight, None))
        close(without, PRINTED[name](a, weight).sum(1))
        z = torch.tensor([-2.0, 0.0, 3.0], device=device)
        assert_steady = torch.tensor([-2.3, 0.3, 3.3], device=device) if name == "Epsilon" else z
        torch.testing.assert_close(made.steady(z), assert_steady)
        assert made.steady(z.double()).dtype == torch.float64
        assert {field.name: getattr(make(), field.name) for field in fields(make)} == DEFAULTS[name]
        assert made == make(**OPTIONS[name])
        if OPTIONS[name]:
            assert made != make()
            with pytest.raises(FrozenInstanceError):
                setattr(made, next(iter(OPTIONS[name])), 1.0)

    return oracle


def lrp_by_matrix(function, device):
    for name, options in OPTIONS.items():
        made = of(function, name)(**options)
        a, matrix = random(4, 6, seed=3, device=device), random(6, 5, seed=4, device=device)
        bias, relevance = random(5, seed=5, device=device), random(4, 5, seed=6, device=device)
        a[1] = 0
        bias[2] = 0
        found = function(a, matrix, bias, relevance, made)
        assert found.isfinite().all()
        close(found, share_by_hand(a, matrix, bias, relevance, name))
    one, level = torch.ones(1, 2, device=device), torch.tensor([[1.0], [-1.0]], device=device)
    nothing = function(one, level, torch.zeros(1, device=device), 4 * one[:, :1], of(function, "Zero")())
    assert nothing.tolist() == [[0, 0]]  # shares that cancel


def as_matrix(function, device):
    """Output by output, by torch's slopes; each layer of its kind."""
    for layer, shape in (
        (filled(nn.Linear(4, 3), device), (4,)),
        (filled(nn.Conv2d(2, 4, (2, 3), stride=(1, 2), padding=1, groups=2), device), (2, 3, 4)),
        (nn.AvgPool2d((2, 1)), (2, 4, 3)),
    ):
        kind = torch.float64 if [*layer.parameters()] else torch.float32
        leaf = random(1, *shape, dtype=kind, device=device if kind == torch.float64 else "cpu").requires_grad_()
        out = layer(leaf).flatten()
        wanted = torch.stack([torch.autograd.grad(z, leaf, retain_graph=True)[0].flatten() for z in out], dim=1)
        found = function(layer, shape)
        assert found.dtype == kind
        assert not found.requires_grad
        torch.testing.assert_close(found, wanted)


def net(device="cpu", *, classes=3):
    """All layers that LRP knows, nested; norms behind a convolution, behind its pool and behind a linear layer."""
    first = nn.Sequential(
        OrderedDict(conv=nn.Conv2d(2, 3, (3, 2), padding=(1, 0)), norm=nn.BatchNorm2d(3), relu=nn.ReLU(inplace=True))
    )
    second = nn.Sequential(nn.Conv2d(3, 4, 2, bias=False), nn.MaxPool2d((2, 1)), nn.BatchNorm2d(4), nn.ReLU())
    model = nn.Sequential(
        OrderedDict(
            first=first,
            second=second,
            mean=nn.AvgPool2d((1, 2), stride=1),
            point=nn.Conv2d(4, 6, 1, groups=2),
            relu=nn.ReLU(),
            all=nn.AdaptiveAvgPool2d((1, 2)),
            flatten=nn.Flatten(),
            hidden=nn.Linear(12, 7),
            norm=nn.BatchNorm1d(7),
            relu2=nn.ReLU(),
            drop=nn.Dropout(0.5),
            same=nn.Identity(),
            linear=nn.Linear(7, classes),
        )
    )
    for module in model.modules():
        if isinstance(module, nn.BatchNorm1d):
            module.running_mean.copy_(random(7, seed=7))
            module.running_var.copy_(random(7, seed=8) ** 2 + 0.5)
    return filled(model, device)


RULES_OF = {
    "first": ("ZBox", "first"),
    "second": ("Gamma", "sec"),
    "point": ("ZPlus", "point"),
    "hidden": ("Epsilon", ""),
}


def dense(function, a):
    """A function of batches as matrix and bias for examples of a's shape."""
    units = torch.eye(a[0].numel(), dtype=a.dtype, device=a.device).view(-1, *a.shape[1:])
    bias = function(torch.zeros_like(a[:1]))
    return (function(units) - bias).flatten(1), bias.flatten()


def lrp_by_hand(model, x, rule_of):
    """Each layer as a matrix, norms put in front of the pool: (name, relevance below), the last layer first."""
    model = still(model)
    leaves_of = [(n, m) for n, m in model.named_modules() if not isinstance(m, nn.Sequential)]
    inputs = [x]
    for _, module in leaves_of:
        inputs.append(module(inputs[-1].clone()).detach())
    relevance = torch.zeros_like(inputs[-1])
    for i, t in enumerate(TARGETS):
        relevance[i, t] = inputs[-1][i, t]
    steps = []
    for at in reversed(range(len(leaves_of))):
        (name, module), a = leaves_of[at], inputs[at]
        if isinstance(module, (nn.Linear, nn.Conv2d)):
            follow = [m for _, m in leaves_of[at + 1 : at + 3]]
            norm = next((m for m in follow if isinstance(m, (nn.BatchNorm1d, nn.BatchNorm2d))), None)
            matrix, bias = dense(lambda t, m=module, n=norm: (n(m(t)) if n else m(t)).detach(), a)
            below = share_by_hand(a.flatten(1), matrix, bias, relevance.flatten(1), rule_of(name)).view_as(a)
        elif isinstance(module, (nn.AvgPool2d, nn.AdaptiveAvgPool2d)):
            matrix, bias = dense(module, a)
            below = share_by_hand(a.flatten(1), matrix, bias, relevance.flatten(1), "Zero").view_as(a)
        elif isinstance(module, nn.MaxPool2d):
            below = torch.zeros_like(a)
            for i, c, r, k in np.ndindex(*relevance.shape):
                window = a[i, c, 2 * r : 2 * r + 2, k]
                below[i, c, 2 * r + int(window.argmax()), k] += relevance[i, c, r, k]
        else:
            below = relevance.reshape(a.shape)
        steps.append((name, below, relevance.flatten(1).sum(1) - below.flatten(1).sum(1)))
        relevance = below
    return steps


def lrp_steps(function, device):
    """Layer by layer as matrices, with one rule and with a rule for each; what is lost is said; nothing else is."""
    model, x = net(device), pictures(device)
    for name in OPTIONS:
        made = of(function, name)(**OPTIONS[name])
        found = [*function(model, x, targets(device), rules=made)]
        wanted = lrp_by_hand(model, x, lambda _, n=name: n)
        assert [step.name for step in found] == [n for n, *_ in wanted]
        for step, (_, below, lost) in zip(found, wanted, strict=True):
            close(step.relevance, below)
            close(step.lost, lost)
    rules = {beginning: of(function, n)(**OPTIONS[n]) for n, beginning in RULES_OF.values()}
    found = [*function(model, x, targets(device), rules=rules)]
    wanted = lrp_by_hand(model, x, lambda name: RULES_OF.get(name.partition(".")[0], ("Epsilon",))[0])
    for step, (_, below, _) in zip(found, wanted, strict=True):
        close(step.relevance, below)
    given = {step.name: type(step.rule).__name__ for step in found if step.rule}
    weighed = {"first.conv": "ZBox", "second.0": "Gamma", "point": "ZPlus", "hidden": "Epsilon", "linear": "Epsilon"}
    assert given == {**weighed, "mean": "Zero", "all": "Zero"}
    method = lambda m, x, t: [*function(m, x, t, rules=rules)][-1].relevance  # noqa: E731
    explains(method, device, make=net, functions=False)
    walk = function(model, x, 0, rules=rules)
    before = state_of(model)
    next(walk)
    assert same(state_of(model), before), "the model is changed between two steps"
    assert torch.is_grad_enabled()
    refuses_models(lambda *a, **o: [*function(*a, **o)], x, of(function, "Zero")())


class Residual(nn.Sequential):
    """A Sequential that runs in another way."""

    def forward(self, x):
        return x.flatten(1) + super().forward(x)


def refuses_models(call, x, zero):
    flat = nn.Sequential(nn.Flatten(), nn.Linear(60, 3).double().to(x.device))
    assert call(flat, x, 0, rules=zero) is not None
    refuses(lambda: call(flat, x, lambda z: z[:, 0], rules=zero), ValueError, "lrp explains a logit")
    refuses(lambda: call(flat, x, 0, rules={"0": zero}), TypeError, "no rule for layer '1'", "['0']", "Epsilon()")
    norm = nn.BatchNorm2d(2).double().to(x.device)
    for wrong, name in (
        (nn.Sequential(nn.Flatten(), nn.Tanh()), "'1', Tanh"),
        (nn.Sequential(norm, nn.Flatten()), "'0', BatchNorm2d"),
        (nn.Sequential(nn.Conv2d(2, 2, 1), nn.ReLU(), norm, nn.Flatten()), "'2', BatchNorm2d"),
        (nn.Sequential(nn.Conv2d(2, 2, 1), nn.AvgPool2d(1), norm, nn.Flatten()), "'2', BatchNorm2d"),
        (nn.Sequential(nn.Conv2d(2, 2, 1), norm, norm, nn.Flatten()), "'2', BatchNorm2d"),
        (nn.Sequential(nn.Conv2d(2, 2, 3, padding=1, padding_mode="circular"), nn.Flatten()), "'0', Conv2d"),
        (nn.Bilinear(1, 1, 1), "Bilinear"),
        (Residual(nn.Flatten()), "'', Residual"),
    ):
        refuses(lambda m=wrong: call(m.double().to(x.device), x, 0, rules=zero), TypeError, "no rule for layer", name)


def lrp(function, device):
    """The last step; input x gradient where nothing has a bias; what zeros do."""
    model, x = net(device), pictures(device)
    for name in OPTIONS:
        made = of(function, name)(**OPTIONS[name])
        close(function(model, x, targets(device), rules=made), lrp_by_hand(model, x, lambda _, n=name: n)[-1][1])
    bare = cnn(device)
    for module in bare.modules():
        if getattr(module, "bias", None) is not None:
            module.bias.data.zero_()
    zero = of(function, "Zero")()
    close(function(bare, x, targets(device), rules=zero), x * slopes(bare, x, TARGETS))
    assert torch.equal(function(bare, 0 * x, 0, rules=zero), 0 * x)
    level = nn.Sequential(nn.Flatten(), nn.Linear(60, 2, bias=False), nn.ReLU(), nn.Linear(2, 3)).double().to(x.device)
    level[1].weight.data = torch.ones_like(level[1].weight) * torch.tensor([1.0, -1.0] * 30, device=device)
    assert torch.equal(function(level, 0 * x + 1, 0, rules=zero), 0 * x)  # shares that cancel
    single = function(still(bare).float(), x.float(), targets(device), rules=zero)
    torch.testing.assert_close(single.double(), x * slopes(bare, x, TARGETS), rtol=1e-3, atol=1e-4)
    explains(partial(function, rules=of(function, "Epsilon")()), device, make=net, functions=False)
    refuses_models(function, x, zero)


# --- axioms -----------------------------------------------------------------------------------------------------------


def axiom_report(make, device):
    found = torch.tensor([1.0, 5.0, 2.0, 0.0], device=device)
    wanted = torch.tensor([1.5, 4.0, 2.0, 0.0], device=device)
    report = make("name", found, wanted, torch.tensor([2.0, 5.0, 0.0, 0.0], device=device))
    assert report.gap.tolist() == [0.5, 1, 0, 0]
    torch.testing.assert_close(report.relative, torch.tensor([0.25, 0.2, 0, 0], device=device))
    assert str(report) == "name            5 where 4 should be: a gap of 1, 20 % of the scale"
    assert str(make("n", found, 0 * found, found)).endswith("a gap of 5, 100 % of the scale")
    with pytest.raises(FrozenInstanceError):
        report.found = wanted


def reports(function, device, wanted, axiom):
    """Oracle for one sum beside a map."""
    model, x = cnn(device), pictures(device)
    map = random(4, 2, 6, 5, seed=3, device=device)
    sums = torch.stack([one.sum() for one in map])
    for kind in BASELINES:
        options, goal = wanted(model, x, kind)
        report = function(model, x, targets(device), map, **options)
        assert report.axiom == axiom
        close(report.found, sums)
        close(report.wanted, goal)
        close(report.scale, goal.abs())
    leaves(lambda m: function(m, x, targets(device), map, **options), device)
    assert not function(model, x, 0, map.clone().requires_grad_()).found.requires_grad
    refuses(lambda: function(model, x, 0, map[:3]), ValueError, "a map (3, 2, 6, 5) of x (4, 2, 6, 5)")


def completeness(function, device):
    def wanted(model, x, kind):
        baseline = baseline_of(kind, x)
        behind = torch.zeros_like(x) + (0.0 if baseline is None else baseline)
        return {"baseline": baseline}, value(model, x, TARGETS) - value(model, behind, TARGETS)

    reports(function, device, wanted, "completeness")


def conservation(function, device):
    reports(function, device, lambda model, x, kind: ({}, value(model, x, TARGETS)), "conservation")


def half_blind(device):
    """It looks at the first 30 of 60 numbers; number 3 only where the first is above a half."""
    weight = random(60, 3, seed=4, device=device)
    weight[30:] = 0
    return lambda x: torch.tanh(x.flatten(1) @ weight) + torch.relu(x.flatten(1)[:, :1] - 0.5) * x.flatten(1)[:, 50:51]


def dummies(function, device):
    """What is not looked at anywhere between; what is looked at somewhere only is none."""
    x = pictures(device).abs() + 0.1
    x[:, 0, 0, 0] = torch.tensor([0.2, 0.4, 1.0, 2.0], dtype=x.dtype, device=device)
    found = function(half_blind(device), x, targets(device), generator=source(0, device)).flatten(1)
    wanted = torch.ones_like(found)
    wanted[:, :30] = False
    wanted[2:, 50] = False
    assert torch.equal(found, wanted)
    high = torch.zeros_like(x) + 1.0
    found = function(half_blind(device), x, 0, baseline=high, generator=source(0, device)).flatten(1)
    assert not found[:, 50].any()
    seen = []

    def model(x):
        seen.append(x.detach().clone())
        return x.flatten(1)

    with global_stream_untouched():
        function(model, x, 0, baseline=0.3, samples=5, generator=source(0, device))
    assert len(seen) == 5
    share = (torch.stack(seen) - 0.3) / (x - 0.3)
    assert 0 <= share.min() < 0.05
    assert 0.95 < share.max() <= 1
    assert (share[0] - share[1]).abs().max() > 0.5
    assert (share[0, 0] - share[0, 1]).abs().max() > 0.5
    mix = torch.rand((5, *x.shape), generator=source(0, device), dtype=x.dtype, device=device)
    torch.testing.assert_close(share, mix)
    seen.clear()
    function(model, x, 0, generator=source(0, device))
    assert len(seen) == 16
    leaves(lambda m: function(m, x, 0, generator=source(0, device)), device)
    assert function(model, x, 0, samples=1, generator=source(0, device)).sum() == 4 * 59
    refuses(lambda: function(model, x, 0, samples=0, generator=source(0, device)), ValueError, "samples=0")


def dummy(function, device):
    x = pictures(device).abs() + 0.1
    map = random(4, 2, 6, 5, seed=3, device=device)
    map[0, 1] = 0
    map[1, 1, 2, 2] = -9.0
    report = function(half_blind(device), x, targets(device), map, generator=source(0, device))
    silent = attribution.dummies(half_blind(device), x, targets(device), generator=source(0, device))
    assert report.axiom == "dummy"
    close(report.found, torch.stack([m[s].abs().max() for m, s in zip(map, silent, strict=True)]))
    assert report.found[1] == 9
    close(report.wanted, torch.zeros_like(report.found))
    close(report.scale, map.abs().flatten(1).amax(1))
    options = {"baseline": 1.0, "samples": 3}
    report = function(half_blind(device), x, 0, map, generator=source(1, device), **options)
    silent = attribution.dummies(half_blind(device), x, 0, generator=source(1, device), **options)
    close(report.found, torch.stack([m[s].abs().max() for m, s in zip(map, silent, strict=True)]))
    all_seen = function(
        lambda x: x.flatten(1) @ torch.ones_like(x.flatten(1)).T, x, 0, map, generator=source(0, device)
    )
    assert torch.equal(all_seen.found, torch.zeros_like(all_seen.found))
    count = []
    function(lambda x: (count.append(1), x.flatten(1))[1], x, 0, map, generator=source(0, device))
    assert len(count) == 16
    leaves(lambda m: function(m, x, 0, map, generator=source(0, device)), device)
    refuses(lambda: function(half_blind(device), x, 0, map[1:], generator=source(0, device)), ValueError, "a map (3,")


def alike(device):
    """Numbers 1 and 4 are treated alike, and 2 and 3; not 0."""
    return lambda x: (x[:, 1] * x[:, 4] + torch.tanh(x[:, 2] + x[:, 3]) + 2 * x[:, 0])[:, None]


def symmetry(function, device):
    x = torch.tensor([[0.5, 2, 3, 3, 2], [0.5, 2, 3, 4, 1], [0.5, 1, 3, 3, 2]], dtype=torch.float64, device=device)
    map = torch.tensor([[9.0, 1, 2, 5, 0], [-9.0, 1, 2, 3, 4], [0.0, 7, 2, 2.5, 4]], dtype=torch.float64, device=device)
    call = partial(function, alike(device), x, 0, map)
    both = call(pairs=[(1, 4), (2, 3)], generator=source(0, device))
    assert both.axiom == "symmetry"
    assert both.found.tolist() == [3, 0, 0.5]
    assert both.wanted.tolist() == [0, 0, 0]
    assert both.scale.tolist() == [9, 9, 7]
    assert call(pairs=[(4, 1)], generator=source(0, device)).found.tolist() == [1, 0, 0]
    behind = torch.tensor([0.0, 0, 0, 1, 0], dtype=torch.float64, device=device)
    assert call(pairs=[(2, 3)], baseline=behind, generator=source(0, device)).found.tolist() == [0, 0, 0]
    assert call(pairs=[(2, 3)], baseline=1.0, generator=source(0, device)).found.tolist() == [3, 0, 0.5]
    words = ("are not alike to the model", "swapped")
    for pair in ((0, 1), (1, 2), (3, 0)):
        refuses(
            lambda p=pair: call(pairs=[p], generator=source(0, device)), ValueError, f"{pair[0]} and {pair[1]}", *words
        )
    nearly = lambda x: (x[:, 1] + 1.01 * x[:, 4])[:, None]  # noqa: E731
    mix = torch.rand((16, *x.shape), generator=source(0, device), dtype=x.dtype, device=device)
    change = (0.01 * (mix[..., 1] * x[:, 1] - mix[..., 4] * x[:, 4])).abs().max().item()
    words = (*words, f"{change:.4g}"[:5])
    refuses(lambda: function(nearly, x, 0, map, pairs=[(1, 4)], generator=source(0, device)), ValueError, *words)
    rounded = lambda x: (x[:, 1] + (1 + 1e-7) * x[:, 4])[:, None]  # noqa: E731
    assert function(rounded, x, 0, map, pairs=[(1, 4)], generator=source(0, device)).found.tolist() == [1, 0, 0]
    refuses(
        lambda: function(alike(device), x, 0, map[1:], pairs=[(1, 4)], generator=source(0, device)), ValueError, "a map"
    )
    count = []
    counted = lambda x: (count.append(1), alike(device)(x))[1]  # noqa: E731
    function(counted, x, 0, map, pairs=[(1, 4)], generator=source(0, device))
    assert len(count) == 32
    count.clear()
    function(counted, x, 0, map, pairs=[(1, 4)], samples=3, generator=source(0, device))
    assert len(count) == 6


def axioms(function, device):
    x = torch.tensor([[0.5, 2, 3, 3, 2]], dtype=torch.float64, device=device)
    map = random(1, 5, device=device)
    model, g = alike(device), lambda: source(0, device)
    for baseline in (None, 1.0):
        found = function(model, x, 0, map, baseline=baseline, pairs=[(1, 4)], generator=g())
        assert [report.axiom for report in found] == ["completeness", "conservation", "dummy", "symmetry"]
        close(found[0].gap, attribution.completeness(model, x, 0, map, baseline=baseline).gap)
        close(found[1].gap, attribution.conservation(model, x, 0, map).gap)
        close(found[3].found, (map[:, 1] - map[:, 4]).abs())
        assert len(function(model, x, 0, map, generator=g())) == 3
    count = []
    function(lambda x: (count.append(1), model(x))[1], x, 0, map, samples=2, generator=g())
    once = len(count)
    function(lambda x: (count.append(1), model(x))[1], x, 0, map, generator=g())
    assert len(count) - 2 * once == 14


# --- faithfulness -----------------------------------------------------------------------------------------------------


def curve_class(make, device):
    share = torch.tensor([0.0, 0.25, 1.0], dtype=torch.float64, device=device)
    scores = torch.tensor([[1.0, 2], [3, 2], [5, 0]], dtype=torch.float64, device=device)
    close(make(share, scores).area, torch.tensor([0.5 + 3, 0.5 + 0.75], dtype=torch.float64, device=device))
    with pytest.raises(FrozenInstanceError):
        make(share, scores).share = scores


def curve_by_hand(model, x, map, baseline, points, inserting):
    """Number by number, in the order of the map."""
    behind = torch.zeros_like(x) + (0.0 if baseline is None else baseline)
    found = []
    for point in range(points):
        count, shown = round(point / (points - 1) * x[0].numel()), (behind if inserting else x).clone()
        for i in range(len(x)):
            order = sorted(range(x[0].numel()), key=lambda k, i=i: -map[i].flatten()[k].item())
            for k in order[:count]:
                shown[i].view(-1)[k] = (x if inserting else behind)[i].flatten()[k]
        found.append(value(model, shown, TARGETS))
    return torch.stack(found)


def curves(inserting):
    """Oracle for deletion or insertion: signed, the largest first, ties in order, each example by its own map."""

    def oracle(function, device):
        model, x = cnn(device), pictures(device)
        map = random(4, 2, 6, 5, seed=3, device=device).round(decimals=1)
        for kind, points in zip(BASELINES, (2, 4, 7, 11), strict=True):
            baseline = baseline_of(kind, x)
            found = function(model, x, targets(device), map, baseline=baseline, points=points)
            close(found.share, torch.linspace(0, 1, points, dtype=torch.float64, device=device))
            close(found.scores, curve_by_hand(model, x, map, baseline, points, inserting))
        assert len(function(model, x, 0, map).share) == 21
        close(function(model, x[:1], TARGETS[0], map[:1], baseline=baseline[:1], points=11).scores, found.scores[:, :1])
        explains(
            lambda m, x, t: function(m, x, t, map.to(x.dtype), points=5).scores[2],
            device,
            like=lambda x: x[:, 0, 0, 0],
        )
        function(model, x, 0, map.clone().requires_grad_())
        name = "insertion" if inserting else "deletion"
        for wrong in (1, 2.5):
            refuses(lambda w=wrong: function(model, x, 0, map, points=w), ValueError, name, f"points={wrong}")
        refuses(lambda: function(model, x, 0, map[1:]), ValueError, "a map (3, 2, 6, 5)")

    return oracle


def random_map(function, device):
    x = pictures(device)
    with global_stream_untouched():
        found = function(x, generator=source(3, device))
    assert torch.equal(found, torch.rand(x.shape, generator=source(3, device), dtype=x.dtype, device=device))
    assert function(x.float(), generator=source(3, device)).dtype == torch.float32


def infidelity(function, device):
    """Noise by noise. The slope of a linear model has none."""
    model, x = cnn(device), pictures(device)
    map, g, total = random(4, 2, 6, 5, seed=3, device=device), source(5, device), 0.0
    for _ in range(3):
        noise = 0.4 * torch.randn(x.shape, generator=g, dtype=x.dtype, device=device)
        gap = torch.stack([(n * m).sum() for n, m in zip(noise, map, strict=True)])
        total = total + (gap - value(model, x, TARGETS) + value(model, x - noise, TARGETS)) ** 2
    call = partial(function, sd=0.4, samples=3)
    close(call(model, x, targets(device), map, generator=source(5, device)), total / 3)
    assert function(model, x, 0, map, sd=0.4, samples=1, generator=source(5, device)).shape == (4,)
    explains(
        lambda m, x, t: call(m, x, t, map.to(x.dtype), generator=source(5, device)),
        device,
        like=lambda x: x[:, 0, 0, 0],
        functions=False,
    )
    seen = []
    function(lambda x: (seen.append(1), x.flatten(1))[1], x, 0, map, sd=0.1, generator=source(5, device))
    assert len(seen) == 101
    refuses(lambda: function(model, x, 0, map, sd=1.0, samples=0, generator=source(5, device)), ValueError, "samples=0")
    refuses(lambda: call(model, x, 0, map[1:], generator=source(5, device)), ValueError, "a map (3, 2, 6, 5)")


def sensitivity(function, device):
    """Point by point: the largest change, not the mean."""
    model, x = cnn(device), pictures(device)
    first, g, most = slopes(model, x, TARGETS), source(5, device), torch.zeros(4, dtype=torch.float64, device=device)
    for _ in range(4):
        near = x + 0.2 * (2 * torch.rand(x.shape, generator=g, dtype=x.dtype, device=device) - 1)
        change = slopes(model, near, TARGETS) - first
        most = torch.maximum(most, change.flatten(1).norm(dim=1) / first.flatten(1).norm(dim=1))
    method = attribution.saliency
    found = function(model, x, targets(device), method, radius=0.2, samples=4, generator=source(5, device))
    close(found, most)
    assert (function(model, x, 0, method, radius=0.2, samples=1, generator=source(5, device)) > 0).all()
    seen = []

    def counting(model, x, target):
        seen.append(x)
        return torch.ones_like(x)

    assert function(model, x, 0, counting, radius=0.2, generator=source(5, device)).tolist() == [0] * 4
    assert len(seen) == 11
    assert function(model, x, 0, lambda m, x, t: 0 * x, radius=0.2, generator=source(5, device)).isnan().all()
    leaves(lambda m: function(m, x, 0, method, radius=0.2, samples=2, generator=source(5, device)), device)
    refuses(
        lambda: function(model, x, 0, method, radius=0.2, samples=0, generator=source(5, device)),
        ValueError,
        "samples=0",
    )
    wrong = lambda m, x, t: x[1:]  # noqa: E731
    refuses(lambda: function(model, x, 0, wrong, radius=0.2, generator=source(5, device)), ValueError, "a map")


def ranks(function, device):
    """Scipy's, counted from 0."""
    values = random(5, 3, 4, seed=1, device=device)
    values[1:3] = values[1:3].round()
    wanted = scipy.stats.rankdata(values.flatten(1).cpu().numpy(), axis=1) - 1
    assert function(values).tolist() == wanted.tolist()
    assert function(values.float()).dtype == torch.float32


def rank_correlation(function, device):
    """Scipy's, with ties."""
    one = random(5, 3, 4, seed=1, device=device)
    other = random(5, 3, 4, seed=2, device=device).round(decimals=0)
    other[1], other[2], one[3] = one[1] ** 3, -one[2], one[3].round()
    found = function(one, other)
    for i in range(5):
        wanted = scipy.stats.spearmanr(one[i].flatten().cpu(), other[i].flatten().cpu()).statistic
        assert found[i].item() == pytest.approx(wanted, abs=1e-9)
    assert function(one.float(), other.float()).dtype == torch.float32
    assert function(one[:1] * 0, other[:1]).isnan().all()


def sizes(parameters):
    return [p.detach().square().mean().sqrt().item() for p in parameters]


class Outer(nn.Module):
    """A parameter of its own around a layer."""

    def __init__(self):
        super().__init__()
        self.scale, self.inner = nn.Parameter(torch.ones(())), nn.Linear(60, 3)

    def forward(self, x):
        return self.scale * self.inner(x)


def cascade(function, device, walk):
    """Layer by layer on a copy: what is drawn, in which order, and the correlation of sizes with the first map."""
    model, x = cnn(device, norm=True), pictures(device)
    before, seen = state_of(model), []

    def method(model, x, target):
        seen.append(copy.deepcopy(model))
        return attribution.saliency(model, x, target)

    with global_stream_untouched():
        found = walk(function(model, x, targets(device), method, generator=source(6, device)))
    assert same(state_of(model), before)
    order = ["linear", "norm", "conv2", "conv1"]
    assert [name for name, *_ in found] == order
    g, copied = source(6, device), copy.deepcopy(model)
    first = slopes(model, x, TARGETS)
    for (name, correlation, map), met in zip(found, seen[1:], strict=True):
        for p in copied.get_submodule(name).parameters():
            noise = torch.randn(p.shape, generator=g, dtype=p.dtype, device=device)
            p.data = noise * p.data.square().mean().sqrt()
        for ours, theirs in zip(met.parameters(), copied.parameters(), strict=True):
            close(ours.detach(), theirs.detach())
        wanted = slopes(copied, x, TARGETS)
        close(correlation, attribution.rank_correlation(wanted.abs(), first.abs()))
        if map is not None:
            close(map, wanted)
    leaves(
        lambda m: walk(function(m, x, 0, attribution.saliency, generator=source(6, device))), device
    ) if False else None
    outer = Outer().double().to(device)
    walk(function(outer, x.flatten(1), 0, method, generator=source(6, device)))
    assert torch.equal(seen[-1].inner.weight, seen[-2].inner.weight)  # the outer parameter's turn is its own
    assert seen[-1].scale != seen[-2].scale
    refuses(
        lambda: walk(function(nn.Flatten(), x, 0, attribution.saliency, generator=source(6, device))),
        ValueError,
        "no parameters",
    )
    refuses(
        lambda: walk(function(model, x, 0, lambda m, x, t: x[1:], generator=source(6, device))), ValueError, "a map"
    )
    refuses(lambda: walk(function(model, x[:0], 0, method, generator=source(6, device))), ValueError, "at least one")


def cascading_randomisation_steps(function, device):
    cascade(function, device, lambda steps: [(s.layer, s.correlation, s.map) for s in steps][1:])
    model, x = cnn(device), pictures(device)
    found = [*function(model, x, 1, attribution.saliency, generator=source(6, device))]
    assert [step.index for step in found] == [0, 1, 2, 3]
    assert found[0].layer == ""
    close(found[0].map, slopes(model, x, [1] * 4))
    close(found[0].correlation, torch.ones(4, dtype=torch.float64, device=device))


def cascading_randomisation(function, device):
    cascade(function, device, lambda found: [(name, part, None) for name, part in found.items()])


def remove_and_retrain(function, device):
    """What is covered, in training and in test; the right labels; what came of it."""
    x, y = pictures(device, 6), torch.tensor([0, 1, 0, 1, 0, 1], device=device)
    map = random(6, 2, 6, 5, seed=3, device=device)
    met = []

    def fit(pictures, labels):
        met.append((pictures, labels))
        return lambda x: (met.append(x), torch.stack([0 * x[:, 0, 0, 0], 1 - 2 * (x[:, 0, 0, 0] > 0).double()], 1))[1]

    test = x.flip(0) + 0.01, y.flip(0), map.flip(0)
    for baseline in (None, 0.7):
        met.clear()
        found = function(fit, (x, y, map), test, share=[0.0, 0.3, 1.0], baseline=baseline)
        assert found.share == (0.0, 0.3, 1.0)
        for at, count in enumerate((0, 18, 60)):
            (pictures_met, labels_met), tested = met[2 * at : 2 * at + 2]
            assert torch.equal(labels_met, y)
            for given, known, by in ((pictures_met, x, map), (tested, test[0], test[2])):
                wanted = known.clone()
                for i in range(6):
                    order = sorted(range(60), key=lambda k, i=i, by=by: -by[i].flatten()[k].item())
                    for k in order[:count]:
                        wanted[i].view(-1)[k] = 0.0 if baseline is None else baseline
                close(given, wanted)
            answers = (wanted[:, 0, 0, 0] <= 0).long()
            assert found.accuracy[at] == (answers == test[1]).double().mean().item()
    model = cnn(device)
    before = state_of(model)
    function(lambda x, y: model, (x, y, map), test, share=[0.5])
    one = tuple(part[:1] for part in test)
    assert len(function(fit, (x, y, map), one, share=[0.5]).accuracy) == 1
    assert same(state_of(model), before)
    for wrong in ([-0.1], [0.5, 1.1]):
        refuses(lambda w=wrong: function(fit, (x, y, map), test, share=w), ValueError, "shares from 0 to 1")
    refuses(lambda: function(fit, (x, y, map[1:]), test, share=[0.5]), ValueError, "a map")


# --- known models -----------------------------------------------------------------------------------------------------


def truth_of(model, x, baseline):
    """By all orders, number by number."""
    rows = []
    for one, behind in zip(x, baseline, strict=True):

        def game(coalitions, one=one, behind=behind):
            return model(torch.where(coalitions.to(x.device), one, behind))[:, 0]

        rows.append(shapley_by_hand(game, x.shape[1]))
    return torch.stack(rows).to(x.device)


def additive(make, device):
    functions = [torch.square, torch.tanh, lambda x: 3 * x, torch.cos]
    model, x, behind = make(functions), random(5, 4, device=device), random(5, 4, seed=1, device=device)
    wanted = torch.stack([f(x[:, i]) for i, f in enumerate(functions)], dim=1)
    close(model(x), wanted.sum(1)[:, None])
    close(model.terms(x), wanted)
    close(model.shapley(x, behind), truth_of(model, x, behind))
    close(model.shapley(x, behind), attribution.integrated_gradients(model, x, 0, baseline=behind))
    assert isinstance(model, nn.Module)
    refuses(lambda: model(x[:, :3]), ValueError, "zip()")


def product(make, device):
    model, x, behind = make(), random(5, 2, device=device), random(5, 2, seed=1, device=device)
    close(model(x), (x[:, 0] * x[:, 1])[:, None])
    close(model.shapley(x, behind), truth_of(model, x, behind))
    close(model.shapley(x, behind), attribution.integrated_gradients(model, x, 0, baseline=behind))


def either(make, device):
    x = torch.tensor([[0.0, 0], [1, 1], [0.3, 0.2], [0.9, 0.4], [1, 0], [0.5, 0.5]], dtype=torch.float64, device=device)
    model = make()
    close(model(x), x.sum(1, keepdim=True).clamp(max=1))
    close(model.shapley(x), truth_of(model, x, 0 * x))
    assert model(torch.full((1, 2), 5.0, device=device)).item() == 1
    assert torch.equal(attribution.saliency(model, x[1:2], 0), torch.zeros_like(x[:1]))


def planted_shortcut(function, device):
    """The corner of a share of one class is white, and nothing else has changed."""
    x, labels = pictures(device, 40), torch.arange(40, device=device) % 4
    before = x.clone()
    with global_stream_untouched():
        found = function(x, labels, label=2, share=0.7, size=3, generator=source(0, device))
    assert torch.equal(x, before)
    assert torch.equal(found.labels, labels)
    assert found.marked.sum() == 7
    assert (labels[found.marked] == 2).all()
    assert found.truth.shape == (1, 1, 6, 5)
    wanted = x.clone()
    wanted[found.marked, :, :3, :3] = 1.0
    assert torch.equal(found.x, wanted)
    corner = torch.zeros(6, 5, dtype=torch.bool, device=device)
    corner[:3, :3] = True
    assert torch.equal(found.truth[0, 0], corner)
    assert (found.x.dtype, found.truth.dtype) == (x.dtype, torch.bool)
    others = function(x, labels, label=2, share=0.7, generator=source(1, device))
    assert not torch.equal(others.marked, found.marked)
    assert others.truth.sum() == 4
    assert function(x, labels, label=0, share=1.0, size=5, generator=source(0, device)).marked.sum() == 10
    assert not function(x, labels, label=0, share=0.0, generator=source(0, device)).marked.any()
    assert function(x, labels, label=1, share=0.5, size=1, generator=source(0, device)).truth.sum() == 1
    wide = x.transpose(2, 3)
    refuses(
        lambda: function(wide, labels, label=1, share=0.5, size=6, generator=source(0, device)), ValueError, "(5, 6)"
    )
    for options in ({"share": 1.1}, {"share": -0.1}, {"label": 4}, {"size": 6}, {"size": 0}):
        given = {"label": 1, "share": 0.5, "size": 2, **options}
        refuses(
            lambda g=given: function(x, labels, generator=source(0, device), **g),
            ValueError,
            "planted_shortcut",
            f"{next(iter(options))}={next(iter(options.values()))}",
        )


def agreement(function, device):
    """Pair by pair, with ties; signs do not count."""
    map = random(5, 2, 3, 2, device=device).round(decimals=0)
    truth = random(5, 2, 3, 2, seed=2, device=device) > 0.2
    single = torch.zeros(2, 3, 2, dtype=torch.bool, device=device)
    single[1, 2, 0] = True
    for given in (truth, truth[:1], truth[0], truth[0, :1], single, ~single):
        found, whole = function(map, given), given.expand(map.shape)
        for i in range(5):
            inside, outside = map[i][whole[i]].abs(), map[i][~whole[i]].abs()
            close(found.mass[i], inside.sum() / map[i].abs().sum())
            wins = sum((a > b).double() + (a == b).double() / 2 for a in inside for b in outside)
            close(found.rank[i], wins / (len(inside) * len(outside)))
            assert found.hit[i] == whole[i].flatten()[map[i].abs().flatten().argmax()]
    assert found.hit.dtype == torch.bool
    for wrong in (truth[0] & False, truth[0] | True):
        refuses(lambda w=wrong: function(map, w), ValueError, "all or nothing")
    refuses(lambda: function(map, truth[:, :, :2]), ValueError, "(5, 2, 2, 2)", "(5, 2, 3, 2)")


ORACLES = {
    "attribution.shapley_exact": shapley_exact,
    "attribution.shapley_by_orders": shapley_by_orders,
    "attribution.shapley_sampled_steps": shapley_sampled_steps,
    "attribution.shapley_sampled": shapley_sampled,
    "attribution.game_of": game_of,
    "attribution.shapley": shapley,
    **{f"attribution.{name}": rule(name) for name in OPTIONS},
    "attribution.lrp_by_matrix": lrp_by_matrix,
    "attribution.as_matrix": as_matrix,
    "attribution.lrp_steps": lrp_steps,
    "attribution.lrp": lrp,
    "attribution.AxiomReport": axiom_report,
    "attribution.completeness": completeness,
    "attribution.conservation": conservation,
    "attribution.dummies": dummies,
    "attribution.dummy": dummy,
    "attribution.symmetry": symmetry,
    "attribution.axioms": axioms,
    "attribution.Curve": curve_class,
    "attribution.deletion": curves(inserting=False),
    "attribution.insertion": curves(inserting=True),
    "attribution.random_map": random_map,
    "attribution.infidelity": infidelity,
    "attribution.sensitivity": sensitivity,
    "attribution.ranks": ranks,
    "attribution.rank_correlation": rank_correlation,
    "attribution.cascading_randomisation_steps": cascading_randomisation_steps,
    "attribution.cascading_randomisation": cascading_randomisation,
    "attribution.remove_and_retrain": remove_and_retrain,
    "attribution.Additive": additive,
    "attribution.Product": product,
    "attribution.Either": either,
    "attribution.planted_shortcut": planted_shortcut,
    "attribution.agreement": agreement,
}
RECORDS = {"Agreement", "CascadeStep", "LrpStep", "Planted", "Retrained", "ShapleyStep"}


# --- broken versions --------------------------------------------------------------------------------------------------


def all_weights_alike(game, players):
    """The mean over all coalitions: Banzhaf's value, which is not complete."""
    attribution.shapley_exact(game, players)
    bits = torch.arange(2**players, device="cpu")[:, None] >> torch.arange(players, device="cpu") & 1
    wins, found = game(bits.bool()).double().cpu(), []
    for i in range(players):
        found.append(2 * (wins * (2 * bits[:, i] - 1)).mean())
    return torch.stack(found)


def one_order(game, players):
    return attribution.shapley_sampled(game, players, orders=1, generator=source(0, "cpu")).values


def errors_like(change):
    """The steps with another standard error."""

    def call(game, players, *, orders, generator):
        for step in attribution.shapley_sampled_steps(game, players, orders=orders, generator=generator):
            yield replace(step, error=change(step.error, step.index + 1))

    return call


def other_rule(name, **methods):
    """A rule with another method, under its own name."""
    return type(name, (getattr(attribution, name),), methods)


def absolute_sums(function):
    """Sums of sizes."""
    return lambda model, x, target, map, **options: function(model, x, target, map.abs(), **options)


def unsigned_order(function):
    return lambda model, x, target, map, **options: function(model, x, target, map.abs(), **options)


def least_first(function):
    return lambda model, x, target, map, **options: function(model, x, target, -map, **options)


def one_order_for_all(function):
    """The mean map orders the numbers of all examples."""
    return lambda model, x, target, map, **o: function(model, x, target, map.mean(0, keepdim=True).expand_as(map), **o)


def bottom_up(model, x, target, method, *, generator):
    """The first layer first."""
    own = copy.deepcopy(model)
    first = method(own, x, target)
    steps = [*attribution.cascading_randomisation_steps(own, x, target, method, generator=generator)]
    yield steps[0]
    for index, name in enumerate(reversed([step.layer for step in steps[1:]]), start=1):
        for p in own.get_submodule(name).parameters():
            p.data = random(*p.shape, seed=index, device=p.device).to(p)
        map = method(own, x, target)
        yield replace(steps[0], index=index, layer=name, map=map, correlation=attribution.rank_correlation(map, first))


def on_the_model_itself(model, x, target, method, *, generator):
    found = attribution.cascading_randomisation(model, x, target, method, generator=generator)
    for p in model.parameters():
        p.data.normal_(generator=generator)
    return found


def signed(model, x, target, method, *, generator):
    """The correlation of the signed maps."""
    steps = [*attribution.cascading_randomisation_steps(model, x, target, method, generator=generator)]
    return {s.layer: attribution.rank_correlation(s.map, steps[0].map) for s in steps[1:]}


def ties_in_order(one, other):
    """Equal numbers ranked as they come."""
    ranks = [part.flatten(1).argsort(dim=1, stable=True).argsort(dim=1).to(one) for part in (one, other)]
    a, b = (part - part.mean(1, keepdim=True) for part in ranks)
    return (a * b).sum(1) / torch.sqrt((a**2).sum(1) * (b**2).sum(1))


def whole_pictures_in_the_test(fit, train, test, *, share, baseline=None):
    """Only what is learned from is covered."""
    right = attribution.remove_and_retrain(fit, train, test, share=share, baseline=baseline)
    seen = attribution.remove_and_retrain(
        fit, train, (test[0], test[1], torch.zeros_like(test[2])), share=share, baseline=baseline
    )
    return replace(right, accuracy=seen.accuracy)


def known_like(name, shapley):
    return type(name, (getattr(attribution, name),), {"shapley": shapley})


def marks_everybody(x, labels, *, label, share, **options):
    """A share of all pictures, whatever their class."""
    attribution.planted_shortcut(x, labels, label=label, share=share, **options)
    return replace(
        attribution.planted_shortcut(x, 0 * labels + label, label=label, share=share, **options), labels=labels
    )


def agrees(**change):
    def call(map, truth):
        right = attribution.agreement(map, truth)
        return replace(right, **{name: value(map, truth, right) for name, value in change.items()})

    return call


def of_map(name, *, module=True):
    """What people get wrong in any method."""
    right, full = getattr(attribution, name), f"attribution.{name}"
    yield full, "divided by the batch", lambda model, x, *a, **o: right(model, x, *a, **o) / len(x)
    yield full, "its sign lost", lambda *a, **o: right(*a, **o).abs()


NAMED = [
    ("attribution.shapley_exact", "all coalitions count alike", all_weights_alike),
    ("attribution.shapley_exact", "one order", one_order),
    ("attribution.shapley_by_orders", "one order", one_order),
    ("attribution.shapley_sampled_steps", "the spread, not the error", errors_like(lambda e, n: e * math.sqrt(n))),
    ("attribution.shapley_sampled_steps", "an error of 0 at first", errors_like(lambda e, n: e.nan_to_num(0.0))),
    (
        "attribution.shapley_sampled",
        "one order",
        lambda game, players, orders, generator: attribution.shapley_sampled(
            game, players, orders=min(orders, 1), generator=generator
        ),
    ),
    (
        "attribution.game_of",
        "always black",
        lambda *a, groups=None, baseline=None: attribution.game_of(*a, groups=groups),
    ),
    (
        "attribution.game_of",
        "who is absent plays",
        lambda *a, **o: (lambda game: lambda coalitions: game(~coalitions))(attribution.game_of(*a, **o)),
    ),
    *of_map("shapley"),
    (
        "attribution.shapley",
        "each pixel gets what the group has",
        lambda *a, groups=None, **o: attribution.shapley(*a, groups=groups, **o) * (15 if groups is not None else 1),
    ),
    ("attribution.Zero", "the bias forgotten", other_rule("Zero", bias=lambda self, bias: 0 * bias)),
    ("attribution.Epsilon", "eps with one sign", other_rule("Epsilon", steady=lambda self, z: z + self.eps)),
    ("attribution.Gamma", "the bias as it is", other_rule("Gamma", bias=lambda self, bias: bias)),
    (
        "attribution.ZPlus",
        "weights above 0 only",
        other_rule("ZPlus", parts=lambda self, a, weight, bias: [(a, weight.clamp(min=0), bias)]),
    ),
    (
        "attribution.ZBox",
        "low and high mixed up",
        other_rule("ZBox", shares=lambda s, a, w: a * w - s.high * w.clamp(min=0) - s.low * w.clamp(max=0)),
    ),
    (
        "attribution.lrp_by_matrix",
        "the shares of the outputs mixed up",
        lambda a, matrix, bias, relevance, rule: attribution.lrp_by_matrix(a, matrix, bias, relevance.flip(1), rule),
    ),
    (
        "attribution.as_matrix",
        "with its bias",
        lambda layer, shape: (
            attribution.as_matrix(layer, shape) + dense(layer.float(), torch.zeros(1, *shape))[1].sum()
        ),
    ),
    ("attribution.as_matrix", "transposed", lambda layer, shape: attribution.as_matrix(layer, shape).T),
    (
        "attribution.lrp_steps",
        "one rule for all",
        lambda *a, rules: attribution.lrp_steps(*a, rules=rules if isinstance(rules, attribution.Zero) else rules[""]),
    ),
    (
        "attribution.lrp_steps",
        "nothing is said to be lost",
        lambda *a, **o: (replace(step, lost=0 * step.lost) for step in attribution.lrp_steps(*a, **o)),
    ),
    *of_map("lrp"),
    ("attribution.lrp", "always the gradient's", lambda m, x, t, rules: attribution.input_x_gradient(m, x, t)),
    (
        "attribution.AxiomReport",
        "gaps that cancel",
        type("AxiomReport", (attribution.AxiomReport,), {"gap": property(lambda self: self.found - self.wanted)}),
    ),
    ("attribution.completeness", "sums of sizes", absolute_sums(attribution.completeness)),
    (
        "attribution.completeness",
        "the baseline forgotten",
        lambda m, x, t, map, baseline=None: replace(attribution.conservation(m, x, t, map), axiom="completeness"),
    ),
    ("attribution.conservation", "sums of sizes", absolute_sums(attribution.conservation)),
    (
        "attribution.dummies",
        "the slope at x only",
        lambda m, x, t, **o: (attribution.dummies(m, x, t, **o), attribution.saliency(m, x, t) == 0)[1],
    ),
    (
        "attribution.dummy",
        "the mean",
        lambda m, x, t, map, **o: replace(r := attribution.dummy(m, x, t, map, **o), found=r.found / 2),
    ),
    (
        "attribution.symmetry",
        "any pair will do",
        lambda m, x, *a, **o: attribution.symmetry(lambda x: x.sum(1, keepdim=True), x, *a, **o),
    ),
    (
        "attribution.symmetry",
        "also of unlike numbers",
        lambda m, x, *a, **o: attribution.symmetry(m, torch.ones_like(x), *a, **o),
    ),
    ("attribution.axioms", "never symmetry", lambda *a, pairs=(), **o: attribution.axioms(*a, **o)),
    (
        "attribution.Curve",
        "the sum",
        type("Curve", (attribution.Curve,), {"area": property(lambda self: self.scores.mean(0))}),
    ),
    *(
        (f"attribution.{name}", fault, make(getattr(attribution, name)))
        for name in ("deletion", "insertion")
        for fault, make in (
            ("sizes order", unsigned_order),
            ("the least first", least_first),
            ("one order for all", one_order_for_all),
        )
    ),
    ("attribution.deletion", "insertion", attribution.insertion),
    ("attribution.random_map", "of torch's own stream", lambda x, generator: torch.rand_like(x)),
    (
        "attribution.infidelity",
        "x + noise",
        lambda m, x, t, map, **o: attribution.infidelity(lambda z: m(2 * x - z), x, t, map, **o),
    ),
    (
        "attribution.sensitivity",
        "of the first point",
        lambda *a, samples=10, **o: attribution.sensitivity(*a, samples=min(samples, 1), **o),
    ),
    (
        "attribution.ranks",
        "ties as they come",
        lambda v: v.flatten(1).argsort(dim=1, stable=True).argsort(dim=1).to(v),
    ),
    ("attribution.rank_correlation", "ties as they come", ties_in_order),
    ("attribution.rank_correlation", "of the sizes", lambda a, b: attribution.rank_correlation(a.abs(), b.abs())),
    ("attribution.cascading_randomisation_steps", "the first layer first", bottom_up),
    ("attribution.cascading_randomisation", "the model itself is randomised", on_the_model_itself),
    ("attribution.cascading_randomisation", "of signed maps", signed),
    ("attribution.remove_and_retrain", "tested on whole pictures", whole_pictures_in_the_test),
    ("attribution.Additive", "the baseline forgotten", known_like("Additive", lambda self, x, b: self.terms(x))),
    ("attribution.Product", "x times the slope", known_like("Product", lambda self, x, b: (x - b) * x.flip(1))),
    ("attribution.Either", "half each, always", known_like("Either", lambda self, x: x / 2)),
    ("attribution.planted_shortcut", "any class", marks_everybody),
    ("attribution.agreement", "signed", lambda map, truth: attribution.agreement(map.clamp(min=0), truth)),
    (
        "attribution.agreement",
        "the pixels' share, not the map's",
        agrees(mass=lambda map, truth, right: truth.expand(map.shape).flatten(1).double().mean(1)),
    ),
]

# Changes that leave every result as it is, with the reason.
HARMLESS = {
    "for layer, a in zip(reversed(layers), reversed(inputs[:-1]), strict=True): [True -> False]": "equal lengths",
    'like = next(layer.parameters(), torch.empty(0, device="cpu")) [0 -> 1]': "only its dtype and device count",
    "return z + self.eps * torch.where(z < 0, -1.0, 1.0).to(z) [self.eps * torch.where(z < 0, -1.0, 1.0).to(z) -> "
    "self.eps / torch.where(z < 0, -1.0, 1.0).to(z)]": "a sign is its own inverse",
}
