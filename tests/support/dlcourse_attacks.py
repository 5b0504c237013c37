"""The oracles of the attacks, and broken versions that each must reject.

As in dlcourse_oracles and dlcourse_mutants, for threats, objectives, FGSM, PGD, momentum, transfer and robust accuracy.
Projections are found here by bisection in float64, L1's best direction by linear programming, losses and loops are
written out with torch's own functions. `behaves` is what every attack must do, whatever it is; other files use it too.
"""

import copy
import inspect
import io
import math
import re
import signal
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import FrozenInstanceError, fields, replace
from functools import partial
from itertools import pairwise

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812, torch's own name for it
from dlcourse_oracles import DTYPES, agree, global_stream_untouched, random, refuses, source
from dlcourse_tolerance import assert_close
from scipy.optimize import linprog

from dlcourse import attacks, training

ORDER = {"Linf": math.inf, "L2": 2, "L1": 1}
SHAPES = ((6,), (1, 2, 3), (3, 2))


def pixels(*shape, seed=0, dtype=torch.float64, device="cpu"):
    """Numbers in [0, 1], about a third of them exactly 0 or 1."""
    g = torch.Generator().manual_seed(seed)
    x = torch.rand(shape, generator=g, dtype=torch.float64)
    return ((x - 0.2) / 0.6).clamp(0, 1).to(device, dtype)


def net(classes=3, features=6, *, device="cpu", seed=0):
    """A small network in float64, in train mode, with a dropout that shows whether it is asked in eval mode."""
    nn = torch.nn
    model = nn.Sequential(
        nn.Flatten(), nn.Linear(features, 8), nn.Tanh(), nn.Dropout(0.5), nn.Linear(8, classes)
    ).double()
    for i, p in enumerate(model.parameters()):
        p.data.copy_(random(*p.shape, seed=seed + i, scale=1.2))
    return model.to(device)


def labels_for(model, x, *, wrong=()):
    """What the model says to x in eval mode, so that every example stands; the examples `wrong` get another label."""
    with training.evaluating(model):
        logits = model(x)
    labels = logits.argmax(1)
    for i in wrong:
        labels[i] = (labels[i] + 1) % logits.shape[1]
    return labels


# --- threats ----------------------------------------------------------------------------------------------------------


def nearest(u, low, high, eps, p):
    """The point nearest to each row of u within [low, high] and the ball: float64, by bisection on the multiplier."""
    rows = (t.detach().cpu().double().flatten(1).numpy() for t in (u, low, high))
    found = torch.from_numpy(np.stack([nearest_of_one(*row, eps, p) for row in zip(*rows, strict=True)]))
    return found.to(u.device)


def nearest_of_one(u, low, high, eps, p):
    size = np.abs(u)

    def point(t):  # t from 0 (the centre) to 1 (u itself)
        if p == 2:
            return np.clip(u * t, low, high)
        if p == 1:
            return np.clip(np.sign(u) * np.maximum(size - (1 - t) * size.max(), 0), low, high)
        return np.clip(np.clip(u, -eps, eps), low, high)

    if np.linalg.norm(point(1), p) <= eps:
        return point(1)
    a, b = 0.0, 1.0
    for _ in range(50):
        middle = (a + b) / 2
        a, b = (a, middle) if np.linalg.norm(point(middle), p) > eps else (middle, b)
    return point(a)


def threat(name):
    """Oracle for one kind of ball."""
    p = ORDER[name]

    def oracle(make, device):
        options_of_threat(name, make)
        for dtype in DTYPES:
            projections(make, p, dtype, device)
            directions(make, p, dtype, device)
            membership(make, p, dtype, device)
        if p == 1:
            within_the_box(make, device)
        draws(make, p, device)

    return oracle


def options_of_threat(name, make):
    made = make(0.25)
    assert made.eps == 0.25
    assert made == make(eps=0.25) != make(0.5)
    assert isinstance(made, attacks.Threat) or type(made).__module__ == "broken"
    with pytest.raises(FrozenInstanceError):
        made.eps = 1.0
    for wrong in (-0.1, math.inf, math.nan, True, "1", None):
        refuses(lambda w=wrong: make(w), ValueError, f"{name}(eps={wrong!r})", "[0, 1]", "8/255")
    assert make(0.0).eps == 0


def projections(make, p, dtype, device):
    """The nearest point in the ball and the box, by bisection; exactly within the box, and the argument left alone."""
    slack = 1e-9 if dtype == torch.float64 else 3e-6
    for i, shape in enumerate(((3, 1), (4, 7), (2, 1, 2, 20))):
        x = pixels(*shape, seed=i, dtype=dtype, device=device)
        for scale in (0.3, 3.0):
            proposal = x + random(*shape, seed=9 + i, scale=scale, dtype=dtype, device=device).round(decimals=2)
            proposal[0].flatten()[0] = x[0].flatten()[0]  # a pixel that did not move
            for eps in (0.0, 0.3, 1.5, 30.0):
                before = proposal.clone(), x.clone()
                found = make(eps).project(proposal, x)
                assert torch.equal(proposal, before[0])
                assert torch.equal(x, before[1])
                assert (found.shape, found.dtype, found.device) == (x.shape, x.dtype, x.device)
                assert 0 <= found.min() <= found.max() <= 1
                delta = (found.double() - x.double()).flatten(1)
                assert (torch.linalg.vector_norm(delta, ord=p, dim=1) <= eps + slack).all()
                wanted = nearest(proposal - x, -x, 1 - x, eps, p)
                assert (delta - wanted).abs().max() <= slack
                free = torch.full_like(x, math.inf)
                alone = make(eps).project_ball(proposal - x)
                assert alone.shape == x.shape
                assert (alone.double().flatten(1) - nearest(proposal - x, -free, free, eps, p)).abs().max() <= slack
    # Far outside, where a float32 has no digits behind the point; ties; and every pixel at the edge.
    x = pixels(3, 50, dtype=dtype, device=device)
    for far in (1e6 * random(3, 50, seed=2, dtype=dtype, device=device), torch.full_like(x, 7.0), 2 * x.round() - 1):
        found = make(0.7).project(x + far, x)
        assert (torch.linalg.vector_norm((found - x).double(), ord=p, dim=1) <= 0.7 * (1 + 1e-5)).all()
    assert_close(make(0.7).project(torch.full_like(x, 7.0), torch.ones_like(x)), torch.ones_like(x))
    for tiny in (1e-25, 1e-41):  # a float32 cannot square the one, nor invert the other
        for shape in ((1, 1), (1, 5)):
            point = torch.full(shape, 2 * tiny, dtype=dtype, device=device)
            assert 0 <= make(tiny).project(point, torch.zeros_like(point)).max() <= 2.01 * tiny
    level = make(1.0).project_ball(torch.full_like(x, 7.0))
    assert_close(level, torch.full_like(x, {math.inf: 1, 2: 50**-0.5, 1: 1 / 50}[p]))


def directions(make, p, dtype, device):
    """Of length 1, and along it a linear function rises by the dual norm of its slope; nothing where there is none."""
    dual = {math.inf: 1, 2: 2, 1: math.inf}[p]
    gradient = random(6, 2, 5, dtype=dtype, device=device)
    gradient[1] *= 1e-30
    gradient[2] *= 1e30
    gradient[3, 0] = 0
    found = make(0.3).steepest(gradient)
    assert (found.shape, found.dtype, found.device) == (gradient.shape, gradient.dtype, gradient.device)
    assert_close(torch.linalg.vector_norm(found.flatten(1), ord=p, dim=1), torch.ones_like(found[:, 0, 0]))
    rise = (found.double() * gradient.double()).flatten(1).sum(1)
    assert_close(rise, torch.linalg.vector_norm(gradient.double().flatten(1), ord=dual, dim=1)) if (
        dtype == torch.float64
    ) else torch.testing.assert_close(
        rise, torch.linalg.vector_norm(gradient.double().flatten(1), ord=dual, dim=1), rtol=1e-5, atol=0
    )
    none = make(0.3).steepest(torch.zeros_like(gradient))
    assert torch.equal(none, torch.zeros_like(gradient))
    holes = gradient.clone()
    holes[:, 0, 1] = math.nan
    filled = holes.nan_to_num(0.0)
    assert_close(make(0.3).steepest(holes), make(0.3).steepest(filled))
    assert make(0.3).steepest(torch.full_like(gradient, math.inf)).isfinite().all()
    assert_close(make(0.3).steepest(gradient), make(9.0).steepest(gradient))
    if p != 1:
        assert_close(make(0.3).steepest(gradient, torch.zeros_like(gradient), 0.1), found)


def within_the_box(make, device):
    """L1: with x only pixels that can move count; with a step, no point at that distance is better (linear program)."""
    gradient = torch.tensor([[3.0, -2.0, 1.0, 0.5], [2.0, 2.0, -2.0, 1.0]], dtype=torch.float64, device=device)
    x = torch.tensor([[1.0, 0.0, 0.25, 0.5], [0.9, 1.0, 0.5, 0.5]], dtype=torch.float64, device=device)
    wanted = torch.tensor([[0.0, 0, 1, 0], [1, 0, 0, 0]], dtype=torch.float64, device=device)
    assert_close(make(1.0).steepest(gradient, x), wanted)
    assert_close(make(1.0).steepest(gradient, x, 0.0), wanted)
    wanted = torch.tensor([[0.0, 0, 0.75, 0.25], [0.1, 0, -0.5, 0.4]], dtype=torch.float64, device=device)
    assert_close(make(1.0).steepest(gradient, x, 1.0), wanted)
    stuck = torch.tensor([[1.0, 0.0]], dtype=torch.float64, device=device)
    assert_close(make(1.0).steepest(2 * stuck - 1, stuck, 0.5), torch.zeros_like(stuck))
    for seed in range(3):
        x, gradient = pixels(2, 7, seed=seed, device=device), random(2, 7, seed=seed, device=device).round(decimals=1)
        for step in (0.3, 2.0, 20.0):
            move = step * make(1.0).steepest(gradient, x, step)
            assert (move.abs().sum(1) <= step + 1e-12).all()
            assert ((x + move >= -1e-12) & (x + move <= 1 + 1e-12)).all()
            for g, v, start in zip(gradient.tolist(), move.tolist(), x.tolist(), strict=True):
                costs, bounds = [-s for s in g] + g, [(0, 1 - a) for a in start] + [(0, a) for a in start]
                best = linprog(costs, A_ub=np.ones((1, 14)), b_ub=[step], bounds=bounds)
                assert np.dot(g, v) == pytest.approx(-best.fun, abs=1e-9)


def membership(make, p, dtype, device):
    """norm is the norm; contains is exact for the box, and forgives the rounding of x + delta, no more."""
    delta = random(4, 3, 5, dtype=dtype, device=device)
    assert_close(make(1.0).norm(delta), torch.linalg.vector_norm(delta.flatten(1), ord=p, dim=1))
    x = torch.full((7, 2, 40), 0.5, dtype=dtype, device=device)
    at = torch.zeros_like(x)
    at[:, 0, :16] = 0.3 / {math.inf: 1, 2: 4, 1: 16}[p]  # at distance 0.3
    x_adv = x + at
    x_adv[1] = x[1] + 1.001 * at[1]
    x_adv[2] = x[2] - 1.001 * at[2]
    x_adv[3, 0, 0] = math.nan
    x[4], x_adv[4] = 1.0, 1.0
    x_adv[4, 1, 1] = 1.0 + 2 * torch.finfo(dtype).eps
    x[5], x_adv[5] = 0.0, 0.0
    x_adv[5, 1, 1] = -1e-30
    found = make(0.3).contains(x_adv, x)
    assert found.tolist() == [True, False, False, False, False, False, True]
    assert make(0.0).contains(x[4:], x[4:]).all()
    rounded = pixels(50, 200, dtype=dtype, device=device)
    ways = make(0.123).project(rounded + random(50, 200, dtype=dtype, device=device), rounded)
    assert make(0.123).contains(ways, rounded).all()
    corner = torch.tensor([[0.0, 1.0]], dtype=dtype, device=device)
    assert make(0.5).contains(corner, corner.abs()).tolist() == [True]


def draws(make, p, device):
    """Uniform in the ball: the radius to the power n is uniform, each coordinate has the variance that it should."""
    n, count, eps = 3, 6000, 0.4
    for dtype in DTYPES:
        x = torch.full((count, 1, n), 0.5, dtype=dtype, device=device)
        with global_stream_untouched():
            found = make(eps).random(x, generator=source(0, device))
        assert (found.shape, found.dtype, found.device) == (x.shape, x.dtype, x.device)
        delta = (found - x).flatten(1).double()
        radius = torch.linalg.vector_norm(delta, ord=p, dim=1) / eps
        assert radius.max() <= 1 + 1e-6
        for share in (0.2, 0.5, 0.8):
            assert ((radius**n <= share).double().mean() - share).abs() < 0.03
        assert delta.mean(0).abs().max() < 0.04 * eps
        second = {math.inf: 1 / 3, 2: 1 / (n + 2), 1: 2 / ((n + 1) * (n + 2))}[p] * eps**2
        assert_variances(delta, second)
        assert torch.equal(found, make(eps).random(x, generator=source(0, device)))
        assert not torch.equal(found, make(eps).random(x, generator=source(1, device)))
    edge = torch.tensor([[0.0, 1.0]] * 50, device=device)
    found = make(eps).random(edge, generator=source(0, device))
    assert 0 <= found.min() <= found.max() <= 1
    assert (found != edge).any(0).all()
    assert make(eps).contains(found, edge).all()
    assert torch.equal(make(0.0).random(edge, generator=source(0, device)), edge)


def assert_variances(delta, second):
    assert (delta.square().mean(0) / second - 1).abs().max() < 0.08
    products = delta.T @ delta / len(delta)  # no coordinate knows of another
    assert (products - products.diag().diag()).abs().max() < 0.08 * second


# --- objectives -------------------------------------------------------------------------------------------------------


def logit_rows(classes, dtype, device):
    """Ties at the top and elsewhere, large gaps, both signs."""
    rows = random(9, classes, scale=3, dtype=dtype, device=device)
    rows[1] = 0
    rows[2, :2] = rows[2].max() + 1
    rows[3] *= 30
    rows[4] = rows[4].round()
    labels = torch.arange(9, device=device) % classes
    labels[5] = rows[5].argmax()
    return rows, labels


DISTINCT = [0, 3, 5, 6, 7, 8]  # the rows without ties, at which the slope would be a matter of taste


def margins_by_hand(logits, labels):
    """One example after the other."""
    found = []
    for row, label in zip(logits, labels.tolist(), strict=True):
        others = [row[i] for i in range(len(row)) if i != label]
        found.append(torch.stack(others).max() - row[label])
    return torch.stack(found)


def dlr_by_hand(logits, labels):
    found = []
    for row, gap in zip(logits, margins_by_hand(logits, labels), strict=True):
        if len(row) == 2:
            found.append(gap)
            continue
        order = sorted(range(len(row)), key=lambda i: -row[i].item())
        scale = row[order[0]] - row[order[2]]
        found.append(gap / scale if scale > 0 else gap)
    return torch.stack(found)


def dlr_towards(logits, labels, targets):
    found = []
    for row, label, target in zip(logits, labels.tolist(), targets.tolist(), strict=True):
        order = sorted(row, key=lambda z: -z.item())
        scale = order[0] - (order[2] + order[3]) / 2 if len(row) > 3 else 1.0
        found.append((row[target] - row[label]) / scale if scale > 0 else row[target] - row[label])
    return torch.stack(found)


def towards(name, logits, labels, targets):
    """What is raised with targets."""
    return dlr_towards(logits, labels, targets) if name == "dlr" else -REFERENCES[name](logits, targets)


REFERENCES = {
    "cross_entropy": lambda logits, labels: F.cross_entropy(logits, labels, reduction="none"),
    "margin": margins_by_hand,
    "dlr": dlr_by_hand,
}


def objective(name):
    """Oracle for one objective: the value of each example, its slope, no constant; labels that do not fit."""

    def oracle(function, device):
        for dtype in DTYPES:
            for classes in (2, 3, 4, 10):
                logits, labels = logit_rows(classes, dtype, device)
                agree(
                    lambda z, y=labels: function(z, y[DISTINCT]),
                    lambda z, y=labels: REFERENCES[name](z, y[DISTINCT]),
                    logits[DISTINCT],
                )
                assert_close(function(logits, labels), REFERENCES[name](logits, labels))
                assert_close(function(logits, labels.int()), REFERENCES[name](logits, labels))
                leaf = logits.clone().requires_grad_()
                function(leaf, labels).sum().backward()
                assert leaf.grad.isfinite().all()
                assert_close(leaf.grad.sum(1), torch.zeros_like(leaf.grad[:, 0])) if dtype == torch.float64 else None
            constant = function(logits.double() + 50, labels)
            assert_close(constant, function(logits.double(), labels))
        if name == "dlr":
            scaled = logits.double()[[0, 2, 5]]
            assert_close(function(20 * scaled, labels[[0, 2, 5]]), function(scaled, labels[[0, 2, 5]]))
            level = torch.tensor([[2.0, 2.0, 2.0, -1.0]], device=device)
            assert function(level, torch.tensor([3], device=device)).item() == 3
        else:
            far = torch.tensor([[200.0, -200.0, 0.0]], device=device)
            assert function(far, torch.tensor([1], device=device)).item() == 400
        assert function(logits[:0], labels[:0]).shape == (0,)
        refuses(lambda: function(logits, labels + 10), ValueError, "(9, 10)", "from 10 to 18", "from 0 to 9")
        refuses(lambda: function(logits, labels - 1), ValueError, "from -1 to 7")
        refuses(lambda: function(logits, labels[:5]), ValueError, "labels (5,)", "logits (9, 10)")

    return oracle


def dlr_targeted(function, device):
    """Example by example; a slope wherever the target stands; no constant, and from four classes on no factor."""
    for dtype in DTYPES:
        for classes in (2, 3, 4, 10):
            logits, labels = logit_rows(classes, dtype, device)
            targets = (labels + 1) % classes
            agree(
                lambda z, y=labels, t=targets: function(z, y[DISTINCT], t[DISTINCT]),
                lambda z, y=labels, t=targets: dlr_towards(z, y[DISTINCT], t[DISTINCT]),
                logits[DISTINCT],
            )
            assert_close(function(logits, labels, targets), dlr_towards(logits, labels, targets))
            assert_close(function(logits, labels.int(), targets.int()), dlr_towards(logits, labels, targets))
    few = logits.double()[DISTINCT], labels[DISTINCT], targets[DISTINCT]
    assert_close(function(20 * few[0] + 5, *few[1:]), function(*few))
    level = torch.tensor([[2.0, 2.0, 2.0, 1.0, -1.0], [2.0, 2.0, 2.0, 2.0, -1.0]], device=device)
    pair, ends = torch.tensor([0, 0], device=device), torch.tensor([3, 4], device=device)
    assert_close(function(level, pair, ends), torch.tensor([-2.0, -3.0], device=device))
    refuses(lambda: function(logits, labels, targets + 10), ValueError, "from 0 to 9")
    refuses(lambda: function(logits, labels - 1, targets), ValueError, "from -1 to 7")


def fooled(function, device):
    """The first of the largest logits is the answer, as for the accuracy; nan is never right."""
    logits = torch.tensor([[1.0, 2.0], [1.0, 1.0], [1.0, 1.0], [math.nan, 3.0], [3.0, math.nan], [2.0, 1.0]])
    labels = torch.tensor([0, 0, 1, 1, 0, 0])
    found = function(logits.to(device), labels.to(device))
    assert found.dtype == torch.bool
    assert found.tolist() == [True, False, True, True, True, False]
    logits, labels = logit_rows(5, torch.float32, device)
    assert function(logits, labels).float().mean().item() == pytest.approx(1 - training.accuracy(logits, labels))


def goal_class(make, device):
    """The objective of the labels, or minus that of the targets; some of the examples."""
    logits, labels = logit_rows(4, torch.float64, device)
    targets = (labels + 2) % 4
    beside = inspect.unwrap(fields(make)[2].default).__globals__  # a broken version knows its own dlr by itself
    for name in REFERENCES:
        function = beside[name]
        plain, aimed = make(labels, objective=function), make(labels, targets, function)
        assert_close(plain(logits), function(logits, labels))
        assert_close(aimed(logits), towards(name, logits, labels, targets))
        assert torch.equal(plain.reached(logits), logits.argmax(1) != labels)
        assert torch.equal(aimed.reached(logits), logits.argmax(1) == targets)
        for rows in (torch.tensor([5, 2], device=device), labels == 1, slice(None)):
            assert_close(plain.of(rows)(logits[rows]), plain(logits)[rows])
            assert_close(aimed.of(rows)(logits[rows]), aimed(logits)[rows])
            assert torch.equal(aimed.of(rows).reached(logits[rows]), aimed.reached(logits)[rows])
    assert_close(make(labels)(logits), attacks.cross_entropy(logits, labels))
    lost = logits.clone()
    lost[:, 0] = math.nan
    assert make(labels).reached(lost).all()
    assert not make(labels, targets).reached(lost).any()
    assert [field.name for field in fields(make)] == ["labels", "targets", "objective"]
    with pytest.raises(FrozenInstanceError):
        plain.targets = labels


def state_of(model):
    """All that an attack must leave as it is."""
    return {
        "weights": [p.detach().clone() for p in model.parameters()],
        "gradients": [None if p.grad is None else p.grad.clone() for p in model.parameters()],
        "wanting": [p.requires_grad for p in model.parameters()],
        "modes": [module.training for module in model.modules()],
        "buffers": [b.clone() for b in model.buffers()],
        "hooks": [len(m._forward_hooks) + len(m._forward_pre_hooks) + len(m._backward_hooks) for m in model.modules()],
    }


def same(one, other):
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return torch.equal(one, other) if isinstance(one, torch.Tensor) else one == other


def mixed(model):
    """The same model with one layer in eval mode, one parameter that wants no gradient, and one with a gradient."""
    model[3].eval() if len(model) > 5 else model[1].eval()
    model[1].bias.requires_grad_(False)
    model[1].weight.grad = torch.ones_like(model[1].weight)
    return model


class Broken(Exception):
    """A model's own failure."""


def leaves_the_model(call, device, *, asked=True):
    """call(model) leaves it as it was, also when it fails at its first or second answer; it is asked in eval mode."""
    model = mixed(net(device=device))
    before = state_of(model)
    call(model)
    assert same(state_of(model), before), "the model was changed"
    assert torch.is_grad_enabled()
    for at in (1, 2):
        count = [0]

        def hook(module, inputs, at=at, count=count):
            assert not any(m.training for m in model.modules()), "asked in train mode"
            count[0] += 1
            if count[0] == at:
                raise Broken

        handle = model.register_forward_pre_hook(hook)
        before = state_of(model)
        with suppress(Broken):
            call(model)
        assert same(state_of(model), before), "the model was changed by a failure"
        handle.remove()


def input_gradient(function, device):
    """torch's slopes, example by example; shapes of any kind; constants; the model is left alone."""
    for shape in SHAPES:
        for name in ("cross_entropy", "margin"):
            model, x = net(device=device), pixels(5, *shape, device=device)
            labels = torch.arange(5, device=device) % 3
            values, gradient = function(model, x, labels, getattr(attacks, name))
            still = copy.deepcopy(model).eval()
            for i in range(5):
                leaf = x[i : i + 1].detach().requires_grad_()
                wanted = REFERENCES[name](still(leaf), labels[i : i + 1])[0]
                (slope,) = torch.autograd.grad(wanted, leaf)
                assert_close(values[i], wanted.detach())
                assert_close(gradient[i], slope[0])
            assert not any(t.requires_grad for t in (values, gradient, x))
    with torch.no_grad():
        again = function(model, x, labels)
    assert_close(again[0], REFERENCES["cross_entropy"](still(x), labels).detach())
    leaves_the_model(lambda m: function(m, x, labels), device)
    call = lambda x, labels, model=model: function(model, x, labels)  # noqa: E731
    refuses_inputs(call, "input_gradient", model, x, labels)


def refuses_inputs(call, caller, model, x, labels, *, slope=True):
    """What every attack refuses, in words. call(x, labels, model)."""
    refuses(lambda: call(x + 0.5, labels), ValueError, caller, "[0, 1]", "Normalisation")
    refuses(lambda: call(x - 0.5, labels), ValueError, caller, "[0, 1]")
    refuses(lambda: call(x * math.nan, labels), ValueError, caller, "[0, 1]")
    refuses(lambda: call(x.round().long(), labels), TypeError, caller, "int64", "255")
    refuses(lambda: call(x, labels.double()), TypeError, caller, "labels of torch.float64")
    refuses(lambda: call(x, labels > 0), TypeError, caller, "labels of torch.bool")
    refuses(lambda: call(x, labels + 0j), TypeError, caller, "labels of torch.complex")
    refuses(lambda: call(x, labels[1:]), ValueError, caller, f"labels ({len(x) - 1},)", f"wanted ({len(x)},)")
    refuses(lambda: call(x, labels[:, None]), ValueError, caller, f"labels ({len(x)}, 1)")
    refuses(
        lambda: call(x, labels, lambda x: model(x)[:, :1]), ValueError, f"({len(x)}, 1)", "two classes", "zeros_like"
    )
    refuses(lambda: call(x, labels, lambda x: model(x)[0]), ValueError, f"({len(x)}, classes)")
    refuses(lambda: call(x, labels, lambda x: model(x)[1:]), ValueError, f"({len(x)}, classes)")
    refuses(lambda: call(x, labels, lambda x: None), ValueError, "NoneType")
    if slope:
        refuses(lambda: call(x, labels, lambda x: model(x.detach())), ValueError, "no slope")
        refuses(lambda: call(x, labels, lambda x: model(x).detach()), ValueError, "no slope")


def look(function, device):
    """Logits, values and slopes of one point, all free of the graph."""
    model, x = net(device=device), pixels(4, 6, device=device)
    labels = torch.tensor([0, 1, 2, 0], device=device)
    goal = attacks.Goal(labels, (labels + 1) % 3, attacks.dlr)
    seen = function(model, x, goal)
    leaf = x.clone().requires_grad_()
    still = copy.deepcopy(model).eval()
    wanted = towards("dlr", still(leaf), labels, (labels + 1) % 3)
    (slope,) = torch.autograd.grad(wanted.sum(), leaf)
    assert_close(seen.logits, still(x).detach())
    assert_close(seen.values, wanted.detach())
    assert_close(seen.gradient, slope)
    assert not any(getattr(seen, field.name).requires_grad for field in fields(seen))
    leaf = x.clone().requires_grad_()
    function(model, leaf, goal)
    assert leaf.grad is None
    leaves_the_model(lambda m: function(m, x, goal), device)


def asking(function, device):
    """Inside: eval mode, no parameter wants a gradient, none is kept. A plain function is asked as it is."""
    model = mixed(net(device=device))
    before = state_of(model)
    with function(model):
        assert not any(module.training for module in model.modules())
        assert not any(p.requires_grad for p in model.parameters())
        assert not torch.is_grad_enabled()
    assert same(state_of(model), before)
    with pytest.raises(Broken), function(model):
        raise Broken
    assert same(state_of(model), before)
    assert torch.is_grad_enabled()
    with function(lambda x: x):
        assert not torch.is_grad_enabled()
    assert torch.is_grad_enabled()


def answers(function, device):
    """The logits as they come, if they are some."""
    x = pixels(3, 4, device=device)
    assert_close(function(lambda x: x[:, :2] + 1, x), x[:, :2] + 1)
    for model, words in (
        (lambda x: x[:, :1], ("(3, 1)", "zeros_like")),
        (lambda x: x[:, 0], ("(3,)", "(3, classes)")),
        (lambda x: x[:2], ("(2, 4)", "x (3, 4)")),
        (lambda x: (x, x), ("tuple",)),
    ):
        refuses(lambda m=model: function(m, x), ValueError, *words)


def begin(function, device):
    """x without its graph, and the goal; what every attack refuses."""
    x = pixels(4, 1, 2, 3, device=device).requires_grad_()
    labels, threat = torch.arange(4, device=device), attacks.Linf(0.1)
    found, goal = function("me", x, labels, threat, labels.flip(0), attacks.margin)
    assert torch.equal(found, x)
    assert not found.requires_grad
    assert (goal.labels is labels, goal.objective) == (True, attacks.margin)
    assert torch.equal(goal.targets, labels.flip(0))
    found, goal = function("me", x, labels, threat)
    assert (goal.targets, goal.objective.__name__) == (None, "cross_entropy")
    assert function("me", x[:0], labels[:0], threat)[0].shape == (0, 1, 2, 3)
    for wrong in (0.1, attacks.Linf, None):
        refuses(lambda w=wrong: function("me", x, labels, w), TypeError, "me", "Linf(8 / 255)")
    x = x.detach()
    for corner in (torch.zeros_like(x), torch.ones_like(x)):
        assert function("me", corner, labels, threat)[0] is not None
    above, below = x.clone(), x.clone()
    above[1, 0, 0, 0], below[1, 0, 0, 0] = 1.5, -0.5
    refuses(lambda: function("me", above, labels, threat), ValueError, "me got x from 0 to 1.5", "[0, 1]")
    refuses(lambda: function("me", below, labels, threat), ValueError, "me got x from -0.5 to 1", "[0, 1]")
    for name, call in (
        ("labels", lambda given: function("me", x, given, threat)),
        ("targets", lambda given: function("me", x, labels, threat, given)),
    ):
        for kind in (torch.float32, torch.bool, torch.complex64):
            refuses(lambda c=call, k=kind: c(labels.to(k)), TypeError, f"me got {name} of {kind}", f"{name}.long()")
        for wrong in (labels[1:], labels[:, None]):
            refuses(lambda c=call, w=wrong: c(w), ValueError, f"{name} {tuple(wrong.shape)}", "wanted (4,)")
    refuses(lambda: function("me", x.half().int(), labels, threat), TypeError, "int32")
    assert function("me", x.half(), labels.to(torch.int16), threat)[0].dtype == torch.float16


# --- what every attack does -------------------------------------------------------------------------------------------


def plus_seven(model):
    """A constant on all logits; a plain function, so the mode has to be right already."""
    still = copy.deepcopy(model).eval()
    return lambda x: still(x) + 7.0


THREATS = (attacks.Linf(0.15), attacks.L2(0.4), attacks.L1(0.6))


def behaves(attack, device, *, caller, threats=THREATS, slope=True, exact=1e-9):
    """What every attack does, whatever it is: `attack(model, x, labels, threat)`, the same numbers at each call.

    In the ball and the box; no constant on the logits, other example of the batch or number of classes matters; the
    model, the inputs and torch's own stream are left alone; in eval mode; refusals in words.
    """
    for turn, threat in enumerate(threats):
        for classes, shape in zip((2, 3, 10), (*SHAPES[turn:], *SHAPES[:turn]), strict=True):
            model, x = net(classes, device=device), pixels(4, *shape, seed=classes, device=device)
            labels = labels_for(model, x, wrong=[1])
            before = x.clone(), labels.clone()
            with global_stream_untouched():
                found = attack(model, x, labels, threat)
            assert torch.equal(x, before[0])
            assert torch.equal(labels, before[1])
            assert (found.shape, found.dtype, found.device) == (x.shape, x.dtype, x.device)
            assert not found.requires_grad
            assert threat.contains(found, x).all()
            close = partial(torch.testing.assert_close, rtol=0, atol=exact)
            close(attack(plus_seven(model), x, labels, threat), found)
            others = x.roll(1, 0)
            others[2] = x[2]
            other_labels = labels.roll(1)
            other_labels[2] = labels[2]
            close(attack(model, others, other_labels, threat)[2], found[2])
        leaves_the_model(lambda m, x=x, t=threat: attack(m, x, labels_for(m, x), t), device)
        single = attack(copy.deepcopy(model).float(), x.float(), labels, threat)
        assert single.dtype == torch.float32
        assert threat.contains(single, x.float()).all()
        leaf = x.clone().requires_grad_()
        assert not attack(model, leaf, labels, threat).requires_grad
        assert leaf.grad is None
        with torch.no_grad():
            close(attack(model, x, labels, threat), found)
        zero = type(threat)(0.0)
        assert_close(attack(model, x, labels, zero), x)
    call = lambda x, labels, model=model: attack(model, x, labels, threats[0])  # noqa: E731
    refuses_inputs(call, caller, model, x, labels, slope=slope)
    refuses(lambda: attack(model, x, labels, 0.1), TypeError, caller, "Linf(8 / 255)")


def apart(attack, device):
    """The same for each example alone as for all together; only for attacks that draw nothing."""
    model, x = net(device=device), pixels(4, 6, device=device)
    labels = labels_for(model, x)
    for threat in THREATS:
        whole = attack(model, x, labels, threat)
        for i in range(4):
            one = attack(model, x[i : i + 1], labels[i : i + 1], threat)
            torch.testing.assert_close(one, whole[i : i + 1], rtol=0, atol=1e-9)


# --- FGSM, PGD, momentum ----------------------------------------------------------------------------------------------


def slopes_of(model, x, labels, targets=None, name="cross_entropy"):
    """Values, slopes and answers of the model in eval mode, by torch."""
    still = copy.deepcopy(model).eval()
    leaf = x.detach().clone().requires_grad_()
    logits = still(leaf)
    values = REFERENCES[name](logits, labels) if targets is None else towards(name, logits, labels, targets)
    (slope,) = torch.autograd.grad(values.sum(), leaf)
    answer = logits.argmax(1)
    return values.detach(), slope, answer != labels if targets is None else answer == targets


def projected(threat, proposal, x):
    """The projection of `nearest`, in the shape of x."""
    p = ORDER[type(threat).__name__]
    return x + nearest(proposal - x, -x, 1 - x, threat.eps, p).reshape(x.shape)


def direction_of(threat, slope, x, step):
    """The steepest direction, in Linf and L2 by its formula."""
    if isinstance(threat, attacks.Linf):
        return slope.sign()
    if isinstance(threat, attacks.L2):
        length = slope.flatten(1).square().sum(1).sqrt()
        return slope / length.reshape(-1, *[1] * (x.ndim - 1))
    return threat.steepest(slope, x, step)  # its own oracle tests it


CASES = [
    (threat, shape, options)
    for threat, shape in zip((*THREATS, attacks.Linf(0.15)), (*SHAPES, (6,)), strict=True)
    for options in ({}, {"targets": True}, {"objective": "margin"}, {"objective": "dlr", "targets": True})
]


def case(shape, options, device):
    """A model, x, labels; the options as an attack takes them, and as `slopes_of` does."""
    model, x = net(4, device=device), pixels(5, *shape, seed=3, device=device)
    labels = labels_for(model, x, wrong=[0])
    targets = (labels + 1) % 4 if options.get("targets") else None
    name = options.get("objective", "cross_entropy")
    return model, x, labels, {"targets": targets, "objective": getattr(attacks, name)}, (labels, targets, name)


def fgsm(function, device):
    """One steepest step, projected; random starts; the best there is against a linear model."""
    for threat, shape, options in CASES:
        model, x, labels, given, theirs = case(shape, options, device)
        for step_size in (None, 0.05):
            step = threat.eps if step_size is None else step_size
            slope = slopes_of(model, x, *theirs)[1]
            wanted = projected(threat, x + step * direction_of(threat, slope, x, step), x)
            assert_close(function(model, x, labels, threat, step_size=step_size, **given), wanted)
            start = threat.random(x, generator=source(2, device))
            step = 1.25 * threat.eps if step_size is None else step_size
            slope = slopes_of(model, start, *theirs)[1]
            wanted = projected(threat, start + step * direction_of(threat, slope, start, step), x)
            found = function(model, x, labels, threat, step_size=step_size, **given, generator=source(2, device))
            assert_close(found, wanted)
    plain = function(model, x, labels, threat)
    assert_close(plain, function(model, x, labels, threat, objective=attacks.cross_entropy))
    behaves(function, device, caller="fgsm")
    behaves(lambda *given: function(*given, generator=source(0, device)), device, caller="fgsm")
    apart(function, device)
    linear(function, device)
    for wrong in (0.0, -1.0, math.inf, math.nan):
        refuses(
            lambda w=wrong: function(model, x, labels, threat, step_size=w), ValueError, "fgsm", f"step_size={wrong}"
        )


LINEAR = (attacks.Linf(0.3), attacks.L1(1.7))


def linear(attack, device, threats=LINEAR):
    """Against a linear model of two classes no point of the ball and the box raises the margin more."""
    weight = random(6, seed=4, device=device)
    model = lambda x: torch.stack([torch.zeros_like(x[:, 0]), x @ weight], dim=1)  # noqa: E731
    x = pixels(5, 6, seed=5, device=device)
    for threat in threats:
        found = attack(model, x, torch.zeros(5, dtype=torch.long, device=device), threat)
        for start, end in zip(x, found, strict=True):
            if isinstance(threat, attacks.Linf):
                best = torch.where(weight > 0, (start + 0.3).clamp(max=1), (start - 0.3).clamp(min=0)) @ weight
                assert_close(end @ weight, best)
                continue
            g, s = weight.tolist(), start.tolist()
            bounds = [(0, 1 - a) for a in s] + [(0, a) for a in s]
            best = linprog([-v for v in g] + g, A_ub=np.ones((1, 12)), b_ub=[threat.eps], bounds=bounds)
            assert ((end - start) @ weight).item() == pytest.approx(-best.fun, abs=1e-9)


def pgd_by_hand(model, x, theirs, threat, *, steps, step_size, start=None):
    """(before, loss, fooled, gradient, direction, proposal, x_adv) for each step."""
    at = x if start is None else start
    for _ in range(steps):
        values, slope, wrong = slopes_of(model, at, *theirs)
        direction = direction_of(threat, slope, at, step_size)
        proposal = at + step_size * direction
        end = projected(threat, proposal, x)
        yield at, values, wrong, slope, direction, proposal, end
        at = end


ROW = ("before", "loss", "fooled", "gradient", "direction", "proposal", "x_adv")


def same_steps(found, wanted):
    assert [step.index for step in found] == list(range(len(wanted)))
    for ours, theirs in zip(found, wanted, strict=True):
        for name, value in zip(ROW, theirs, strict=True):
            mine = getattr(ours, name)
            assert not mine.requires_grad
            assert torch.equal(mine, value) if value.dtype == torch.bool else True
            torch.testing.assert_close(mine, value, rtol=1e-7, atol=1e-8) if value.dtype != torch.bool else None


def pgd_steps(function, device):
    """Step for step the loop by hand, from x or from a start."""
    model, x, labels, *_ = case((6,), {}, device)
    starts(function, model, x, labels, "pgd")
    for turn, (threat, shape, options) in enumerate(CASES):
        model, x, labels, given, theirs = case(shape, options, device)
        more, steps, step_size = (
            ({"steps": 4}, 4, 2.5 * threat.eps / 4),
            ({"steps": 3, "step_size": 0.07}, 3, 0.07),
        )[(turn + turn // 4) % 2]
        for start in (None, threat.random(x, generator=source(3, device))):
            wanted = list(pgd_by_hand(model, x, theirs, threat, steps=steps, step_size=step_size, start=start))
            same_steps(list(function(model, x, labels, threat, **more, start=start, **given)), wanted)
    assert len(list(function(model, x, labels, threat))) == 20
    loop = function(model, x, labels, threat)
    next(loop)
    assert model.training  # also between two steps
    leaves_the_model(lambda m: list(function(m, x, labels, threat, steps=2)), device)


def starts(function, model, x, labels, caller):
    """What the steps refuse, and a start that has a graph."""
    threat = attacks.Linf(0.1)
    refuses_numbers(lambda **o: list(function(model, x, labels, threat, **o)), caller)
    for wrong in ((x + 0.2).clamp(0, 1), x[1:], x - 0.05, x * math.nan):
        refuses(
            lambda w=wrong: list(function(model, x, labels, threat, start=w)), ValueError, caller, "start", "random"
        )
    call = lambda x, labels, model=model: list(function(model, x, labels, threat))  # noqa: E731
    refuses_inputs(call, caller, model, x, labels)
    leaf = threat.project(x + 0.1, x).requires_grad_()
    (step,) = function(model, x, labels, threat, start=leaf, steps=1)
    assert not step.before.requires_grad
    assert torch.equal(step.before, leaf)


def refuses_numbers(call, caller):
    for wrong in (0, -1, 2.5):
        refuses(lambda w=wrong: call(steps=w), ValueError, f"{caller} got steps={wrong}", "1 or more")
    for wrong in (0.0, -1.0, math.inf, math.nan):
        refuses(lambda w=wrong: call(step_size=w), ValueError, caller, f"step_size={wrong}")


def pgd(function, device):
    """Where the steps end; of several runs what fools, or else what comes nearest to it."""
    for turn, (threat, shape, options) in enumerate(CASES):
        restarts = 2 + turn % 2
        model, x, labels, given, theirs = case(shape, options, device)
        ends = [
            list(
                pgd_by_hand(
                    model,
                    x,
                    theirs,
                    threat,
                    steps=3,
                    step_size=0.06,
                    start=threat.random(x, generator=stream),
                )
            )[-1][-1]
            for stream in [source(4, device)]
            for _ in range(restarts)
        ]
        first = function(model, x, labels, threat, steps=3, step_size=0.06, **given, generator=source(4, device))
        torch.testing.assert_close(first, ends[0], rtol=0, atol=1e-8)
        found = function(
            model, x, labels, threat, steps=3, step_size=0.06, restarts=restarts, **given, generator=source(4, device)
        )
        judged = [slopes_of(model, end, *theirs) for end in ends]
        for i in range(len(x)):
            fooling = [k for k in range(restarts) if judged[k][2][i]]
            best = fooling[0] if fooling else max(range(restarts), key=lambda k: judged[k][0][i].item())
            torch.testing.assert_close(found[i], ends[best][i], rtol=0, atol=1e-8)
        if not options:
            plain = function(model, x, labels, threat)
            wanted = list(pgd_by_hand(model, x, theirs, threat, steps=20, step_size=2.5 * threat.eps / 20))[-1][-1]
            torch.testing.assert_close(plain, wanted, rtol=0, atol=1e-7)
    behaves(partial(function, steps=3), device, caller="pgd")
    behaves(lambda *given: function(*given, steps=2, restarts=3, generator=source(0, device)), device, caller="pgd")
    apart(partial(function, steps=3), device)
    linear(partial(function, steps=20), device, (attacks.Linf(0.3),))
    refuses(lambda: function(model, x, labels, threat, restarts=2), ValueError, "restarts=2", "no generator")
    for wrong in (0, 1.5):
        refuses(
            lambda w=wrong: function(model, x, labels, threat, restarts=w, generator=source(0, device)),
            ValueError,
            f"restarts={wrong}",
        )
    refuses_numbers(lambda **o: function(model, x, labels, threat, **o), "pgd")


def mifgsm_by_hand(model, x, theirs, threat, *, steps, step_size, decay, start=None):
    """As `pgd_by_hand`, with the running sum of slopes at the end."""
    at, velocity = x if start is None else start, torch.zeros_like(x)
    for _ in range(steps):
        values, slope, wrong = slopes_of(model, at, *theirs)
        each = [v * decay + s / s.abs().sum() for v, s in zip(velocity, slope, strict=True)]
        velocity = torch.stack(each)
        direction = direction_of(threat, velocity, at, step_size)
        proposal = at + step_size * direction
        end = projected(threat, proposal, x)
        yield at, values, wrong, slope, direction, proposal, end, velocity
        at = end


def mifgsm_steps(function, device):
    """Step for step the loop by hand; slopes of any size count the same."""
    model, x, labels, *_ = case((6,), {}, device)
    starts(function, model, x, labels, "mifgsm")
    sizes_of_slopes(function, device)
    for wrong in (-0.1, 1.1, math.nan):
        refuses(lambda w=wrong: list(function(model, x, labels, THREATS[0], decay=w)), ValueError, f"decay={wrong}")
    for turn, (threat, shape, options) in enumerate(CASES):
        model, x, labels, given, theirs = case(shape, options, device)
        more, steps, step_size, decay = (
            ({"steps": 4}, 4, threat.eps / 4, 1.0),
            ({"steps": 3, "step_size": 0.07, "decay": 0.5}, 3, 0.07, 0.5),
            ({"steps": 2, "decay": 0.0}, 2, threat.eps / 2, 0.0),
        )[turn % 3]
        for start in (None, threat.random(x, generator=source(3, device))):
            numbers = {"steps": steps, "step_size": step_size, "decay": decay, "start": start}
            wanted = list(mifgsm_by_hand(model, x, theirs, threat, **numbers))
            found = list(function(model, x, labels, threat, **more, start=start, **given))
            same_steps(found, [row[:-1] for row in wanted])
            for step, row in zip(found, wanted, strict=True):
                torch.testing.assert_close(step.velocity, row[-1], rtol=1e-7, atol=1e-8)
    assert len(list(function(model, x, labels, threat))) == 10
    leaves_the_model(lambda m: list(function(m, x, labels, threat, steps=2)), device)


def sizes_of_slopes(function, device):
    """Tiny and huge slopes, none at all, and nan in some."""
    x, labels = torch.full((1, 2), 0.5, device=device), torch.zeros(1, dtype=torch.long, device=device)
    for size in (1e-30, 1.0, 1e30):
        weight = size * torch.tensor([[0.0, 1.0], [0.0, -3.0]], device=device)
        *_, step = function(lambda x, w=weight: x @ w, x, labels, attacks.L2(0.1), objective=attacks.margin, steps=2)
        assert_close(step.velocity, torch.tensor([[0.5, -1.5]], device=device))
        assert_close(step.direction.norm(), torch.ones((), device=device))
    *_, step = function(lambda x: 0 * x, x, labels, attacks.L2(0.1), objective=attacks.margin)
    assert torch.equal(step.x_adv, x)
    assert torch.equal(step.velocity, 0 * x)

    class Holes(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.clone()

        @staticmethod
        def backward(ctx, slope):
            return torch.cat([slope[:, :1] * math.nan, slope[:, 1:]], dim=1)

    *_, step = function(lambda x: Holes.apply(x), x, labels, attacks.Linf(0.1))
    assert_close(step.x_adv, torch.tensor([[0.5, 0.6]], device=device))


def mifgsm(function, device):
    """Where the steps end."""
    for threat, shape, options in CASES:
        model, x, labels, given, theirs = case(shape, options, device)
        start = threat.random(x, generator=source(4, device))
        wanted = list(mifgsm_by_hand(model, x, theirs, threat, steps=3, step_size=0.06, decay=0.7, start=start))[-1][-2]
        numbers = {"steps": 3, "step_size": 0.06, "decay": 0.7}
        found = function(model, x, labels, threat, **numbers, **given, generator=source(4, device))
        torch.testing.assert_close(found, wanted, rtol=0, atol=1e-8)
        if not options:
            plain = function(model, x, labels, threat)
            numbers = {"steps": 10, "step_size": threat.eps / 10, "decay": 1.0}
            wanted = list(mifgsm_by_hand(model, x, theirs, threat, **numbers))[-1][-2]
            torch.testing.assert_close(plain, wanted, rtol=0, atol=1e-7)
    behaves(partial(function, steps=3), device, caller="mifgsm")
    behaves(lambda *given: function(*given, steps=2, generator=source(0, device)), device, caller="mifgsm")
    apart(partial(function, steps=3), device)
    refuses_numbers(lambda **o: function(model, x, labels, threat, **o), "mifgsm")


# --- transfer, robust accuracy ----------------------------------------------------------------------------------------


def transfer(function, device):
    """The other model is never asked; what is given is handed on."""
    source_model, x = net(device=device), pixels(4, 6, device=device)
    labels = labels_for(source_model, x)
    seen = []

    def attack(model, x, labels, threat, **options):
        seen.append((model, x, labels, threat, options))
        return x.clone()

    def never(x):
        raise AssertionError("the model under attack was asked")

    threat = attacks.Linf(0.1)
    attacked = function(source_model, attack)
    assert seen == []
    assert_close(attacked(never, x, labels, threat, steps=3), x)
    ((model, *given, options),) = seen
    assert model is source_model
    assert all(mine is theirs for mine, theirs in zip(given, (x, labels, threat), strict=True))
    assert options == {"steps": 3}
    assert_close(
        function(source_model, attacks.fgsm)(never, x, labels, threat), attacks.fgsm(source_model, x, labels, threat)
    )


def said(answer):
    """A model that says answer[i] to the picture i / 10, of three classes."""

    def model(x):
        index = (x[:, 0] * 10).round().long()
        return F.one_hot(torch.tensor(answer, device=x.device)[index], 3).to(x.dtype)

    return model


def transfer_rate(function, device):
    """Only what both get right counts, and of it only what fools the source."""
    x = torch.arange(5, device=device)[:, None] / 10
    labels = torch.zeros(5, dtype=torch.long, device=device)
    first = said([0, 0, 0, 0, 1, 1, 1, 0, 1, 1])
    second = said([0, 0, 0, 1, 0, 2, 0, 1, 1, 1])
    # Right for both: 0, 1, 2. Attacked they are 5, 6, 7: the source says 1, 1, 0 and the target 2, 0, 1.
    found = function(first, second, x, labels, x + 0.5)
    assert (found.tried, found.source, found.both) == (3, 2, 1)
    assert found.rate == 0.5
    none = function(first, second, x, labels, x)
    assert (none.tried, none.source, none.both) == (3, 0, 0)
    assert math.isnan(none.rate)
    for which in (0, 1):

        def call(model, which=which):
            pair = [net(device=device), net(device=device)]
            pair[which] = model
            points = pixels(4, 6, device=device)
            return function(*pair, points, labels[:4], points.flip(0))

        leaves_the_model(call, device)


def nudge(size):
    """An attack that lowers each picture by size; it notes how many it got."""

    def attack(model, x, labels, threat):
        attack.seen.append(len(x))
        return x - size

    attack.seen = []
    return attack


def robust_accuracy(function, device):
    """By hand: the worst case example by example, each attack on what still stands, judged by the model itself."""
    # The picture i / 10 is of class 0, and right from 3 up: lowered by 0.1 the 3 falls, by 0.2 the 3 and the 4.
    model = said([1, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0])
    x = torch.tensor([9, 3, 4, 2, 8, 3, 5], device=device)[:, None] / 10
    labels = torch.zeros(7, dtype=torch.long, device=device)
    threat = attacks.Linf(0.25)
    for size, weak_sees, strong_sees in ((256, [6], [4]), (3, [3, 2, 1], [2, 1, 1]), (1, [1] * 6, [1] * 4)):
        weak, strong, none = nudge(0.1), nudge(0.2), nudge(0.0)
        tries = {"weak": weak, "none": none, "strong": strong}
        found = function(model, x, labels, threat, tries, size=size, progress=False)
        assert found.clean == pytest.approx(6 / 7)
        assert found.robust == pytest.approx(3 / 7)
        assert list(found.per_attack.items()) == [
            ("weak", pytest.approx(4 / 7)),
            ("none", pytest.approx(4 / 7)),
            ("strong", pytest.approx(3 / 7)),
        ]
        assert found.fooled_by.tolist() == [-1, 0, 2, -2, -1, 0, -1]
        assert found.successes == {"weak": 2, "none": 0, "strong": 1}
        wanted = x.clone()
        wanted[[1, 5]] -= 0.1
        wanted[2] -= 0.2
        assert_close(found.x_adv, wanted)
        assert (weak.seen, none.seen, strong.seen) == (weak_sees, strong_sees, strong_sees)
    weak = nudge(0.1)
    function(model, x[3:4], labels[:1], threat, {"weak": weak}, progress=False)
    assert weak.seen == []  # nothing stood
    large = x.repeat(100, 1)
    function(model, large, labels.repeat(100), threat, {"weak": weak}, progress=False)
    assert weak.seen == [219, 220, 161]  # 256 at a time, of which every seventh was wrong already
    keeps_to_the_threat(function, model, x, labels, threat)
    interrupted_accuracy(function, model, x, labels, threat)
    both = {"weak": nudge(0.1), "strong": nudge(0.2)}
    tells(lambda **o: function(model, x, labels, threat, both, size=3, **o), "6/6")
    leaves_the_model(
        lambda m: function(m, pixels(4, 6, device=device), labels[:4], threat, {"fgsm": attacks.fgsm}), device
    )


def keeps_to_the_threat(function, model, x, labels, threat):
    """An attack that does not is named; so is what cannot be measured."""

    def tried(attack, **options):
        return function(model, x, labels, threat, {"mine": attack}, **options)

    words = "'mine'", "left the threat", "threat.project"
    refuses(lambda: tried(nudge(0.3)), ValueError, *words, "at distance 0.3")
    refuses(lambda: tried(lambda m, x, y, t: x.clamp(max=0.85) + 0.2), ValueError, *words, "to 1.05")
    refuses(lambda: tried(lambda m, x, y, t: x * math.nan), ValueError, *words)
    refuses(lambda: tried(lambda m, x, y, t: x[1:]), ValueError, "'mine'", "(5, 1)", "(6, 1)")
    one = lambda m, x, y, t: torch.cat([x[:1] - 0.3, x[1:]])  # noqa: E731
    refuses(lambda: tried(one), ValueError, "1 of 6 examples", "from 0.6 to 0.6")
    refuses(lambda: function(model, x, labels, threat, {}), ValueError, "0 attacks")
    refuses(lambda: function(model, x[:0], labels[:0], threat, {"mine": one}), ValueError, "0 examples")
    refuses(lambda: tried(one, size=0), ValueError, "size=0")
    refuses(lambda: function(model, x + 1, labels, threat, {"mine": one}), ValueError, "robust_accuracy", "[0, 1]")
    leaf = x.clone().requires_grad_()
    kept = function(model, x, labels, threat, {"graph": lambda m, x, y, t: x + 0 * leaf.sum()}, progress=False)
    assert not kept.x_adv.requires_grad


def interrupted_accuracy(function, model, x, labels, threat):
    """Ctrl-C is heard between two attacks, and the examples that were done are kept."""
    for at, done in ((1, 0), (2, 3), (3, 6)):
        handler = signal.getsignal(signal.SIGINT)
        count = [0]

        def attack(model, x, labels, threat, at=at, count=count):
            count[0] += 1
            if count[0] == at:
                signal.raise_signal(signal.SIGINT)
            return x - 0.1

        with pytest.raises(training.Interrupted) as caught:
            function(model, x, labels, threat, {"a": attack, "b": nudge(0.2)}, size=3, progress=False)
        assert signal.getsignal(signal.SIGINT) is handler
        assert f"after {done} of 7 examples" in str(caught.value)
        partial_result = caught.value.history
        if done == 0:
            assert partial_result is None
            continue
        wanted = function(
            model, x[:done], labels[:done], threat, {"a": nudge(0.1), "b": nudge(0.2)}, size=3, progress=False
        )
        assert torch.equal(partial_result.fooled_by, wanted.fooled_by)
        assert partial_result.per_attack == wanted.per_attack


def tells(call, counted):
    """A bar comes on a terminal, unless it is switched off."""
    from dlcourse.training import bar as bar_file

    for options, shown in (({}, True), ({"progress": True}, True), ({"progress": False}, False)):
        with pytest.MonkeyPatch.context() as patch:
            screen = Terminal()
            patch.setattr("sys.stdout", screen)
            patch.setattr(bar_file, "DELAY", 0.0)
            call(**options)
        counts = re.findall(r"\d+/\d+", screen.getvalue())  # not every one: it is written twice a second
        assert counts[-1:] == ([counted] if shown else [])
        assert {count.partition("/")[2] for count in counts} <= {counted.partition("/")[2]}


class Terminal(io.StringIO):
    def isatty(self):
        return True


def epsilon_curve(function, device):
    """Each eps by itself, with the threat that is made of it."""
    model = said([1, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0])
    x = torch.tensor([9, 3, 4, 2, 8, 3, 5], device=device)[:, None] / 10
    labels = torch.zeros(7, dtype=torch.long, device=device)
    asked = []

    def attack(model, x, labels, threat):
        asked.append((threat, len(x)))
        return x - threat.eps

    for make in (attacks.Linf, attacks.L1):
        asked.clear()
        found = function(model, x, labels, make, [0.0, 0.2, 0.1], attack, size=4, progress=False)
        assert found.eps == (0.0, 0.2, 0.1)
        assert found.accuracy == pytest.approx((6 / 7, 3 / 7, 4 / 7))
        assert asked == [(make(eps), n) for eps in (0.0, 0.2, 0.1) for n in (3, 3)]
    assert function(model, x, labels, attacks.L2, (), attack).accuracy == ()
    asked.clear()
    function(model, x.repeat(50, 1), labels.repeat(50), attacks.L2, [0.1], attack, progress=False)
    assert [n for _, n in asked] == [219, 81]  # 256 at a time
    tells(lambda **o: function(model, x, labels, attacks.L2, [0.1, 0.2], attack, **o), "2/2")

    def stopping(model, x, labels, threat):
        if threat.eps == 0.2:
            signal.raise_signal(signal.SIGINT)
        return x - threat.eps

    with pytest.raises(training.Interrupted) as caught:
        function(model, x, labels, attacks.Linf, [0.1, 0.2, 0.3], stopping, size=4, progress=False)
    assert caught.value.history.eps == (0.1,)
    assert caught.value.history.accuracy == pytest.approx((4 / 7,))
    assert "after 1 of 3 values" in str(caught.value)


ORACLES = {
    "attacks.Linf": threat("Linf"),
    "attacks.L2": threat("L2"),
    "attacks.L1": threat("L1"),
    "attacks.cross_entropy": objective("cross_entropy"),
    "attacks.margin": objective("margin"),
    "attacks.dlr": objective("dlr"),
    "attacks.dlr_targeted": dlr_targeted,
    "attacks.fooled": fooled,
    "attacks.Goal": goal_class,
    "attacks.input_gradient": input_gradient,
    "attacks.look": look,
    "attacks.asking": asking,
    "attacks.answers": answers,
    "attacks.begin": begin,
    "attacks.fgsm": fgsm,
    "attacks.pgd_steps": pgd_steps,
    "attacks.pgd": pgd,
    "attacks.mifgsm_steps": mifgsm_steps,
    "attacks.mifgsm": mifgsm,
    "attacks.transfer": transfer,
    "attacks.transfer_rate": transfer_rate,
    "attacks.robust_accuracy": robust_accuracy,
    "attacks.epsilon_curve": epsilon_curve,
}

# --- broken versions --------------------------------------------------------------------------------------------------


def broken(base, **methods):
    """The class with some methods changed, under its own name."""
    return type(base.__name__, (base,), methods)


def clamp_last(self, x_adv, x):
    """On the ball, then into the box: what the libraries do."""
    return (x + self.project_ball(x_adv - x)).clamp(0, 1)


def scaled(self, x_adv, x):
    delta = x_adv - x
    factor = (self.eps / self.norm(delta).clamp(min=1e-12)).clamp(max=1)
    return (x + delta * factor.reshape(-1, *[1] * (x.ndim - 1))).clamp(0, 1)


def scaled_ball(self, delta):
    factor = (self.eps / self.norm(delta).clamp(min=1e-12)).clamp(max=1)
    return delta * factor.reshape(-1, *[1] * (delta.ndim - 1))


def no_box(self, x_adv, x):
    return x + self.project_ball(x_adv - x)


def plain_division(self, gradient, x=None, step=None):
    return gradient / self.norm(gradient).reshape(-1, *[1] * (gradient.ndim - 1)).clamp(min=1e-12)


def over_the_batch(self, gradient, x=None, step=None):
    return gradient / gradient.norm().clamp(min=1e-12)


def sign_over_n(self, gradient, x=None, step=None):
    return gradient.sign().nan_to_num(0.0) / gradient[0].numel()


def blind_to_the_box(self, gradient, x=None, step=None):
    return attacks.L1.steepest(self, gradient)


def one_pixel_only(self, gradient, x=None, step=None):
    return attacks.L1.steepest(self, gradient, x)


def too_near(self, x, *, generator):
    """A normal direction, and a length that is uniform."""
    arrow = torch.randn(x.shape, generator=generator, device=generator.device).to(x)
    u = torch.rand(len(x), generator=generator, device=generator.device).to(x)
    factor = self.eps * u / self.norm(arrow)
    return (x + arrow * factor.reshape(-1, *[1] * (x.ndim - 1))).clamp(0, 1)


def corners(self, x, *, generator):
    signs = torch.rand(x.shape, generator=generator, device=generator.device).to(x).sub(0.5).sign()
    return (x + self.eps * signs).clamp(0, 1)


def unclamped(self, x, *, generator):
    u = torch.rand(x.shape, generator=generator, device=generator.device).to(x)
    return x + self.eps * (2 * u - 1)


def no_tolerance(self, x_adv, x):
    inside = ((x_adv >= 0) & (x_adv <= 1)).flatten(1).all(1)
    return inside & (self.norm(x_adv - x) <= self.eps)


def checked_first(right, function):
    """The function, but what the right one refuses is refused."""

    def call(*given, **options):
        right(*given, **options)
        return function(*given, **options)

    return call


def dlr_of_two(logits, labels):
    """As in the libraries: it needs three classes, or four."""
    attacks.margin(logits, labels)
    ordered = logits.sort(dim=1, descending=True).values
    return attacks.margin(logits, labels) / (ordered[:, 0] - ordered[:, 2] + 1e-12)


def dlr_by_the_gap(logits, labels):
    first, second = logits.topk(2, dim=1).values.unbind(1)
    return attacks.margin(logits, labels) / torch.where(first > second, first - second, 1.0)


class LosesTheSign(attacks.Goal):
    def __call__(self, logits):
        return self.objective(logits, self.labels if self.targets is None else self.targets)


class AlwaysOfLabels(attacks.Goal):
    def reached(self, logits):
        return attacks.fooled(logits, self.labels)


class KeepsItsTargets(attacks.Goal):
    def of(self, rows):
        return replace(self, labels=self.labels[rows])


def gradient_like(form=lambda values: values.sum(), *, eval_mode=True, backward=False):
    """input_gradient with one part changed."""

    def function(model, x, labels, objective=attacks.cross_entropy):
        attacks.input_gradient(model, x, labels, objective)
        with training.evaluating(model) if eval_mode else nullcontext(), torch.enable_grad():
            leaf = x.detach().clone().requires_grad_()
            values = objective(model(leaf), labels)
            if backward:
                form(values).backward()
                return values.detach(), leaf.grad
            return values.detach(), torch.autograd.grad(form(values), leaf)[0]

    return function


def look_like(**options):
    gradient = gradient_like(**options)

    def function(model, x, goal):
        seen = attacks.look(model, x, goal)
        return replace(seen, gradient=gradient(model, x, goal.labels, lambda logits, labels: goal(logits))[1])

    return function


@contextmanager
def asking_in_train_mode(model):
    with torch.no_grad():
        yield


@contextmanager
def all_want_gradients(model):
    with attacks.asking(model):
        yield
    for parameter in model.parameters() if isinstance(model, torch.nn.Module) else ():
        parameter.requires_grad_(True)


@contextmanager
def stays_in_eval_mode(model):
    with attacks.asking(model):
        yield
    if isinstance(model, torch.nn.Module):
        model.eval()


HELD = []


@contextmanager
def forgets_on_failure(model):
    held, enabled = attacks.asking(model), torch.is_grad_enabled()
    HELD.append(held)  # or it would be put back when it is thrown away
    held.__enter__()
    try:
        yield
    finally:
        torch.set_grad_enabled(enabled)  # that belongs to all tests; what is forgotten is the model
    held.__exit__(None, None, None)


class Unbounded:
    """A threat whose projection is another one."""

    def __new__(cls, threat, project):
        return type(type(threat).__name__, (type(threat),), {"project": project})(threat.eps)


def with_threat(right, change):
    """The attack, with another threat than the one that was given."""

    def call(model, x, labels, threat, **options):
        if not isinstance(threat, attacks.Threat) or not threat.eps:
            return right(model, x, labels, threat, **options)
        return right(model, x, labels, change(threat), **options)

    return call


def with_options(right, **fixed):
    return lambda *given, **options: right(*given, **options | fixed)


def without(right, *names):
    """The attack that does not listen to some options."""
    return lambda *given, **options: right(*given, **{k: v for k, v in options.items() if k not in names})


def downhill(right):
    def call(model, x, labels, threat, **options):
        objective = options.pop("objective", attacks.cross_entropy)
        return right(model, x, labels, threat, **options, objective=lambda z, y: -objective(z, y))

    return call


def in_train_mode(right):
    """The model is handed over as a plain function, so that nobody can set its mode."""
    return lambda model, *given, **options: right(lambda x: model(x), *given, **options)


def mean_of_batch(right):
    """In L2, the step is shared out over the batch."""
    return with_threat(
        right, lambda t: broken(type(t), steepest=over_the_batch)(t.eps) if isinstance(t, attacks.L2) else t
    )


def around_the_last(model, x, labels, threat, **options):
    """Each step is projected around where it began, so that x_adv walks away."""
    steps, start = options.pop("steps", 20), options.pop("start", None)
    list(attacks.pgd_steps(model, x, labels, threat, steps=steps, start=start, **options))
    step_size = options.pop("step_size", None) or 2.5 * threat.eps / steps
    at = x if start is None else start
    for index in range(steps):
        (step,) = attacks.pgd_steps(model, at, labels, threat, steps=1, step_size=step_size, **options)
        yield replace(step, index=index)
        at = step.x_adv


def after_the_step(right):
    """loss and fooled of where the step ends."""

    def call(model, x, labels, threat, **options):
        steps = list(right(model, x, labels, threat, **options))
        for one, following in pairwise([*steps, steps[-1]]):
            yield replace(one, loss=following.loss, fooled=following.fooled)

    return call


def last_restart(model, x, labels, threat, *, restarts=1, generator=None, **options):
    attacks.pgd(model, x, labels, threat, restarts=restarts, generator=copy_of(generator), **options)
    for _ in range(restarts):
        found = attacks.pgd(model, x, labels, threat, generator=generator, **options)
    return found


def copy_of(generator):
    return generator and torch.Generator(device=generator.device).set_state(generator.get_state())


def loudest_restart(model, x, labels, threat, *, restarts=1, generator=None, **options):
    """The largest loss of the whole batch wins."""
    attacks.pgd(model, x, labels, threat, restarts=restarts, generator=copy_of(generator), **options)
    goal = attacks.Goal(labels, options.get("targets"), options.get("objective", attacks.cross_entropy))
    runs = [attacks.pgd(model, x, labels, threat, generator=generator, **options) for _ in range(restarts)]
    with attacks.asking(model):
        return max(runs, key=lambda run: goal(model(run)).mean().item())


def never_normalised(model, x, labels, threat, *, decay=1.0, start=None, **options):
    held = torch.zeros_like(x)
    for step in attacks.mifgsm_steps(model, x, labels, threat, decay=decay, start=start, **options):
        held = decay * held + step.gradient
        yield replace(step, velocity=held)


def asks_the_target(source, attack):
    attacks.transfer(source, attack)
    return lambda model, *given, **options: attack(model, *given, **options)


def counts(**change):
    def call(source, target, x, labels, x_adv):
        right = attacks.transfer_rate(source, target, x, labels, x_adv)
        return replace(right, **{name: value(x, right) for name, value in change.items()})

    return call


def each_for_itself(model, x, labels, threat, tries, **options):
    """The worst attack on average: the attacker has to choose one for all pictures."""
    right = attacks.robust_accuracy(model, x, labels, threat, tries, **options)
    alone = [attacks.robust_accuracy(model, x, labels, threat, {k: v}, **options).robust for k, v in tries.items()]
    return replace(right, robust=min(alone))


def of_what_was_right(model, x, labels, threat, tries, **options):
    """A share of the examples that were right at first, not of all."""
    right = attacks.robust_accuracy(model, x, labels, threat, tries, **options)
    return replace(right, robust=right.robust / right.clean if right.clean else 0.0)


def anything_goes(model, x, labels, threat, tries, **options):
    """No look at where the attacks end."""
    return attacks.robust_accuracy(model, x, labels, attacks.Linf(1.0), tries, **options)


def the_same_ball(model, x, labels, threat_of, eps, attack, **options):
    return attacks.epsilon_curve(model, x, labels, lambda e: threat_of(eps[0]), eps, attack, **options)


def never_rises(model, x, labels, threat_of, eps, attack, **options):
    right = attacks.epsilon_curve(model, x, labels, threat_of, eps, attack, **options)
    return replace(right, accuracy=tuple(min(right.accuracy[: i + 1]) for i in range(len(eps))))


def of_attack(name):
    """What people get wrong in any attack."""
    right = getattr(attacks, name)
    walk = list if name.endswith("_steps") else lambda found: found
    full = f"attacks.{name}"
    yield full, "no clamp into the box", with_threat(right, lambda t: Unbounded(t, no_box))
    yield full, "no ball", with_threat(right, lambda t: Unbounded(t, lambda self, x_adv, x: x_adv.clamp(0, 1)))
    yield full, "on the ball, then into the box", with_threat(right, lambda t: Unbounded(t, scaled))
    yield full, "eps in normalised units", with_threat(right, lambda t: type(t)(t.eps / 0.3))
    yield full, "down the objective", downhill(right)
    yield full, "targets not heard", without(right, "targets")
    yield full, "the objective not heard", without(right, "objective")
    yield full, "in train mode", in_train_mode(right)
    yield full, "one step for the whole batch", mean_of_batch(right)
    yield full, "the step size not heard", without(right, "step_size")
    yield full, "no checks", lambda model, x, *given, **o: walk(right(model, x.clamp(0, 1), *given, **o))


# Changes that leave every result as it is, with the reason.
HARMLESS = {
    "return torch.where(values > 0, values, 1.0) [1.0 -> 2.0]": "what is divided by it is 0",
    "room = torch.where(delta > 0, 1 - x, x) [delta > 0 -> delta >= 0]": "a pixel that does not move needs no room",
    "return (x + self._fit(delta.abs(), room) * delta.sign()).clamp(0, 1) [1 -> 2]": "the room ends there",
    "rounding = torch.finfo(x.dtype).eps * (self.norm(torch.ones_like(x)) + 16 * self.eps) [16 -> 17]": "rounding",
    "return inside & (self.norm(x_adv - x) <= self.eps + rounding) "
    "[self.norm(x_adv - x) <= self.eps + rounding -> self.norm(x_adv - x) < self.eps + rounding]": "a border",
    "return (x + self.eps * (2 * u - 1)).clamp(0, 1) "
    "[x + self.eps * (2 * u - 1) -> x - self.eps * (2 * u - 1)]": "as likely",
    "return (x + self.eps * arrow.reshape(x.shape)).clamp(0, 1) "
    "[x + self.eps * arrow.reshape(x.shape) -> x - self.eps * arrow.reshape(x.shape)]": "as likely",
    "return (x + self.eps * (share * signs).reshape(x.shape)).clamp(0, 1) "
    "[x + self.eps * (share * signs).reshape(x.shape) -> x - self.eps * (share * signs).reshape(x.shape)]": "as likely",
    "return (x + self.eps * (share * signs).reshape(x.shape)).clamp(0, 1) "
    "[share * signs -> share / signs]": "a sign is its own inverse",
    "outside = self.norm(best) > self.eps [self.norm(best) > self.eps -> self.norm(best) >= self.eps]": "a border",
    "free = rows * scale < caps [rows * scale < caps -> rows * scale <= caps]": "a border",
    "if not (wider > scale)[outside].any(): [wider > scale -> wider >= scale]": "the same, by more rounds",
    "to_edge = torch.where(gradient > 0, 1 - x, x).flatten(1) [gradient > 0 -> gradient >= 0]": "no slope, no step",
    "order = rows.abs().argsort(dim=1, descending=True, stable=True) [True -> False]": "a CPU's sort is stable",
    "room = room.gather(1, order).clamp(max=1) [1 -> 2]": "any finite number from 1 up",
    "rows = rows / rows.abs().amax(1, keepdim=True).clamp(min=1) [1 -> 2]": "any number",
    "return (rows / torch.where(total > 0, total, 1.0)).reshape(gradient.shape) [1.0 -> 2.0]": "0 is divided by it",
    "better = ~still | (new_value > value[rows]) [new_value > value[rows] -> new_value >= value[rows]]": "a border",
    "chunks = list(zip(x.split(size), labels.split(size), strict=True)) [True -> False]": "equal lengths",
    "fooled_by, x_adv = (torch.cat(found) for found in zip(*parts, strict=True)) [True -> False]": "equal lengths",
    "return RobustAccuracy(shares[0], shares[-1], dict(zip(attacks, shares[1:], strict=True)), fooled_by, x_adv) "
    "[True -> False]": "equal lengths",
}

NAMED = [
    ("attacks.Linf", "no box", broken(attacks.Linf, project=no_box)),
    ("attacks.Linf", "the slope, not its sign", broken(attacks.Linf, steepest=plain_division)),
    ("attacks.Linf", "starts in the corners only", broken(attacks.Linf, random=corners)),
    ("attacks.Linf", "starts outside the box", broken(attacks.Linf, random=unclamped)),
    ("attacks.Linf", "no tolerance", broken(attacks.Linf, contains=no_tolerance)),
    ("attacks.L2", "on the ball, then into the box", broken(attacks.L2, project=clamp_last)),
    ("attacks.L2", "no box", broken(attacks.L2, project=no_box)),
    ("attacks.L2", "squares that underflow", broken(attacks.L2, steepest=plain_division)),
    ("attacks.L2", "one length for the batch", broken(attacks.L2, steepest=over_the_batch)),
    ("attacks.L2", "starts too near the centre", broken(attacks.L2, random=too_near)),
    ("attacks.L1", "scaled, not projected", broken(attacks.L1, project_ball=scaled_ball)),
    ("attacks.L1", "scaled, then into the box", broken(attacks.L1, project=scaled)),
    ("attacks.L1", "on the ball, then into the box", broken(attacks.L1, project=clamp_last)),
    ("attacks.L1", "all pixels a little", broken(attacks.L1, steepest=sign_over_n)),
    ("attacks.L1", "pixels at the edge count", broken(attacks.L1, steepest=blind_to_the_box)),
    ("attacks.L1", "one pixel, however long the step", broken(attacks.L1, steepest=one_pixel_only)),
    ("attacks.L1", "starts too near the centre", broken(attacks.L1, random=too_near)),
    ("attacks.cross_entropy", "the mean", lambda z, y: attacks.cross_entropy(z, y).mean().expand(len(z))),
    (
        "attacks.cross_entropy",
        "as printed: infinite for large gaps",
        checked_first(attacks.cross_entropy, lambda z, y: -z.softmax(1).log().gather(1, y.long()[:, None])[:, 0]),
    ),
    ("attacks.margin", "the other way round", lambda z, y: -attacks.margin(z, y)),
    (
        "attacks.margin",
        "the right class among the others",
        checked_first(attacks.margin, lambda z, y: z.amax(1) - z.gather(1, y.long()[:, None])[:, 0]),
    ),
    ("attacks.dlr", "crashes below three classes", dlr_of_two),
    ("attacks.dlr", "over the gap to the second", dlr_by_the_gap),
    ("attacks.dlr", "the margin", attacks.margin),
    ("attacks.dlr_targeted", "minus the target's dlr", lambda z, y, t: attacks.margin(z, y) * 0 - attacks.dlr(z, t)),
    ("attacks.dlr_targeted", "the other way round", lambda z, y, t: -attacks.dlr_targeted(z, y, t)),
    ("attacks.fooled", "nan is right", lambda z, y: z.nan_to_num(0.0).argmax(1) != y),
    ("attacks.fooled", "level counts as fooled", lambda z, y: attacks.margin(z, y) >= 0),
    ("attacks.Goal", "away from the targets", LosesTheSign),
    ("attacks.Goal", "any wrong answer will do", AlwaysOfLabels),
    ("attacks.Goal", "others' targets", KeepsItsTargets),
    ("attacks.input_gradient", "of the mean", gradient_like(lambda values: values.mean())),
    ("attacks.input_gradient", "in train mode", gradient_like(eval_mode=False)),
    ("attacks.input_gradient", "gradients left in the parameters", gradient_like(backward=True)),
    ("attacks.look", "of the mean", look_like(form=lambda values: values.mean())),
    ("attacks.look", "gradients left in the parameters", look_like(backward=True)),
    ("attacks.asking", "in train mode", asking_in_train_mode),
    ("attacks.asking", "every parameter wants a gradient", all_want_gradients),
    ("attacks.asking", "stays in eval mode", stays_in_eval_mode),
    ("attacks.asking", "not put back after a failure", forgets_on_failure),
    ("attacks.answers", "anything goes", lambda model, x: model(x)),
    (
        "attacks.begin",
        "any range of pixels",
        lambda caller, x, labels, threat, *given: (
            x.detach(),
            attacks.begin(caller, x.clamp(0, 1), labels, threat, *given)[1],
        ),
    ),
    *of_attack("fgsm"),
    ("attacks.fgsm", "always from x", without(attacks.fgsm, "generator")),
    *of_attack("pgd_steps"),
    ("attacks.pgd_steps", "projected around the last step", around_the_last),
    ("attacks.pgd_steps", "always from x", without(attacks.pgd_steps, "start")),
    ("attacks.pgd_steps", "loss and answer of the next point", after_the_step(attacks.pgd_steps)),
    *of_attack("pgd"),
    ("attacks.pgd", "always from x", without(attacks.pgd, "generator", "restarts")),
    ("attacks.pgd", "one run only", without(attacks.pgd, "restarts")),
    ("attacks.pgd", "the last run", last_restart),
    ("attacks.pgd", "one run for the whole batch", loudest_restart),
    *of_attack("mifgsm_steps"),
    ("attacks.mifgsm_steps", "steep places count more", never_normalised),
    ("attacks.mifgsm_steps", "no momentum", with_options(attacks.mifgsm_steps, decay=0.0)),
    *of_attack("mifgsm"),
    ("attacks.mifgsm", "no momentum", with_options(attacks.mifgsm, decay=0.0)),
    ("attacks.transfer", "looks at the target", asks_the_target),
    ("attacks.transfer_rate", "all examples", counts(tried=lambda x, right: len(x))),
    ("attacks.transfer_rate", "of all that were tried", counts(source=lambda x, right: right.tried)),
    ("attacks.robust_accuracy", "the worst attack on average", each_for_itself),
    ("attacks.robust_accuracy", "of what was right", of_what_was_right),
    ("attacks.robust_accuracy", "any perturbation goes", anything_goes),
    ("attacks.epsilon_curve", "one ball for all", the_same_ball),
    ("attacks.epsilon_curve", "smoothed", never_rises),
]
