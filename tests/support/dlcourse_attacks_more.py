"""The oracles of the longer attacks and of the checklist for masked slopes, and broken versions that each must reject.

As in dlcourse_attacks, whose `behaves` each attack must pass. Every search is done here again for one example at a
time, in float64, with torch's autograd and optimiser and Python's loops, from the same random numbers. Oracles that
run hundreds of steps do so without the shape checks of the tests, which would take most of their time; the other tests
of these attacks (tests/attacks/test_search.py, and the examples in the docstrings) keep them.
"""

import copy
import inspect
import math
import sys
from collections.abc import Iterator
from dataclasses import FrozenInstanceError, replace
from fractions import Fraction
from functools import partial
from itertools import pairwise

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812, torch's own name for it
from dlcourse_attacks import (
    THREATS,
    apart,
    behaves,
    broken,
    in_train_mode,
    labels_for,
    net,
    pixels,
    with_options,
    without,
)
from dlcourse_oracles import global_stream_untouched, own_messages, refuses, source
from dlcourse_tolerance import assert_close
from scipy.optimize import linprog

from dlcourse import attacks
from dlcourse.steps import last

BALLS = (attacks.Linf(0.3), attacks.L2(0.6))  # those that have a nearest point, and patterns


def margin_of(logits, label, target=None):
    """Above 0: fooled; with a target: taken for it."""
    one = label if target is None else target
    gap = max(z for k, z in enumerate(logits.unbind()) if k != one) - logits[one]
    return gap if target is None else -gap


def reached_by(logits, label, target=None):
    answer = logits.argmax().item()
    return answer != label if target is None else answer == target


def loss_of(name, logits, label, target=None):
    """One example's objective, by torch."""
    if name == "margin":
        return margin_of(logits, label, target)
    value = F.cross_entropy(logits[None], torch.tensor([label if target is None else target], device=logits.device))
    return value if target is None else -value


def seen_at(still, name, point, label, target=None):
    """(objective, its slope, the logits) at one example, (1, ...)."""
    leaf = point.detach().clone().requires_grad_()
    logits = still(leaf)[0]
    value = loss_of(name, logits, label, target)
    (slope,) = torch.autograd.grad(value, leaf)
    return value.item(), slope, logits.detach()


def defaults(function, **wanted):
    """What the options are when nobody says: read off, for a run with them all would take long.

    A wrapper that takes anything has none of its own; what is wrong with it is for others to see.
    """
    options = inspect.signature(function).parameters
    if all(option.kind is not option.VAR_KEYWORD for option in options.values()):
        assert {name: options[name].default for name in wanted} == wanted


# --- the way back, and the nearest point ------------------------------------------------------------------------------


def threshold(at, device):
    """A model of one pixel that says 1 from `at` on."""
    return lambda x: torch.stack([torch.full_like(x[:, 0], at), x[:, 0]], dim=1)


def pulled_back(function, device):
    """Onto the boundary by as many halvings; x where it is reached, never reached, or out of the threat."""
    starts, ends = [0.1, 0.6, 0.0, 0.2], [0.93, 0.9, 0.2, 0.97]  # the boundary lies at no round share of the way
    x, found = (torch.tensor(row, dtype=torch.float64, device=device)[:, None] for row in (starts, ends))
    ways = (found - x)[:, 0].tolist()
    says_one = lambda logits: logits.argmax(1) == 1  # noqa: E731
    for halvings in (0, 1, 3, 16):
        up = [math.ceil((0.5 - a) / way * 2**halvings) / 2**halvings for a, way in zip(starts, ways, strict=True)]
        wanted = x + torch.tensor([up[0], 0, 0, up[3]], dtype=x.dtype, device=device)[:, None] * (found - x)
        moved = function(threshold(0.5, device), x, found, attacks.Linf(1.0), says_one, halvings=halvings)
        assert_close(moved, wanted)
    ours = partial(function, threshold(0.5, device), x, found)
    assert_close(ours(attacks.Linf(1.0), says_one), ours(attacks.Linf(1.0), says_one, halvings=16))
    defaults(function, halvings=16)
    many = pixels(2, 200, device=device).float()  # with the whole way to go, what was found, to the bit
    ends = pixels(2, 200, seed=1, device=device).float()
    many[:, 0], ends[:, 0] = 0.1, 0.9
    assert torch.equal(function(threshold(0.5, device), many, ends, attacks.Linf(1.0), says_one, halvings=0), ends)
    near = ours(attacks.Linf(0.35), says_one)
    assert near[0] == x[0]
    assert abs(near[3].item() - 0.5) < 2e-5
    image, far = torch.zeros(2, 1, 2, 2, device=device), torch.ones(2, 1, 2, 2, device=device)
    bright = lambda x: torch.stack([torch.full_like(x[:, 0, 0, 0], 1.9), x.sum((1, 2, 3))], dim=1)  # noqa: E731
    there = function(bright, image, far, attacks.Linf(1.0), says_one)
    assert (there.amax() - 0.475).abs() < 2**-15
    assert torch.equal(there, there.amax().expand_as(there))


def nearest_by_hand(threat, slope, gap, x):
    """One example, flat: bisection along clip(t * d, -x, 1 - x); None where even the corner is not enough."""
    gap, w, low, high = float(gap), *(t.detach().cpu().double().numpy() for t in (slope, -x, 1 - x))
    if not w.any() or (w * np.where(w > 0, high, low)).sum() < gap:
        return None
    way = np.sign(w) if isinstance(threat, attacks.Linf) else w / np.sqrt((w**2).sum())
    least, most = 0.0, 1.0
    while w @ np.clip(most * way, low, high) < gap:
        most *= 2
        if most > 1e9:
            return None
    for _ in range(60):
        middle = (least + most) / 2
        least, most = (middle, most) if w @ np.clip(middle * way, low, high) < gap else (least, middle)
    return torch.from_numpy(np.clip(most * way, low, high)).to(x)


def nearest_delta(function, device):
    """Against bisection, in Linf against linear programming too; nan where there is no such point; nan slopes are 0."""
    for shape in ((6,), (1, 2, 3), (1,)):
        for seed in range(4):
            x = pixels(5, *shape, seed=seed, device=device)
            slope = torch.randn(5, *shape, generator=torch.Generator().manual_seed(seed), dtype=x.dtype).to(device)
            slope[:, ..., 0] = slope[:, ..., 0] * (seed % 2)  # a slope of 0 here and there
            room = torch.where(slope > 0, 1 - x, x)
            most = (slope.abs() * room).flatten(1).sum(1)
            for share in (0.05, 0.5, 0.95, 1.05):
                gap = share * most + (share > 1) * 0.1
                for threat in BALLS:
                    found = function(threat, slope, gap, x)
                    assert found.shape == x.shape
                    for i in range(5):
                        if gap[i] == 0:
                            continue
                        wanted = nearest_by_hand(threat, slope[i].flatten(), gap[i], x[i].flatten())
                        if wanted is None:
                            assert found[i].isnan().any()
                        else:
                            torch.testing.assert_close(found[i].flatten(), wanted, rtol=1e-7, atol=1e-9)
        # the smallest t with slope . delta = gap, |delta| <= t and the box
        n = x[0].numel()
        for i in range(5):
            row, rows = slope[i].flatten().tolist(), torch.eye(n).tolist()
            found = function(BALLS[0], slope, 0.5 * most, x)[i]
            if not most[i]:
                continue
            limits = [[*r, -1.0] for r in rows] + [[*(-v for v in r), -1.0] for r in rows]
            bounds = [(-p, 1 - p) for p in x[i].flatten().tolist()]
            best = linprog(
                [0.0] * n + [1.0], limits, [0.0] * 2 * n, [[*row, 0.0]], [0.5 * most[i].item()], [*bounds, (0, None)]
            )
            assert found.abs().max().item() == pytest.approx(best.fun, abs=1e-7)
    odd = torch.tensor([[math.nan, 2.0]], device=device)
    half = torch.full_like(odd, 0.5)
    assert_close(
        function(BALLS[0], odd, torch.tensor([0.4], device=device), half), torch.tensor([[0.0, 0.2]], device=device)
    )


# --- DeepFool ---------------------------------------------------------------------------------------------------------


def deepfool_by_hand(model, x, label, threat, steps, overshoot):
    """One example: (x_adv after, gaps, distances, class, fooled before) of each step."""
    still, point, told = copy.deepcopy(model).eval(), x, []
    for _ in range(steps):
        leaf = point.clone().requires_grad_()
        logits = still(leaf)[0]
        slopes = [torch.autograd.grad(z - logits[label], leaf, retain_graph=True)[0].flatten() for z in logits]
        logits = logits.detach()
        gaps, distances, deltas = logits[label] - logits, [], []
        for k, slope in enumerate(slopes):
            aim = (1 + overshoot) * gaps[k] + 4 * torch.finfo(logits.dtype).eps * logits.abs().max()
            delta = None if k == label or aim <= 0 else nearest_by_hand(threat, slope, aim, point.flatten())
            deltas.append(delta)
            p = math.inf if isinstance(threat, attacks.Linf) else 2
            distances.append(math.inf if delta is None else torch.linalg.vector_norm(delta, p).item())
        nearest = distances.index(min(distances))
        fooled = logits.argmax().item() != label
        if not fooled and distances[nearest] < math.inf:
            point = (point + deltas[nearest].reshape(point.shape)).clamp(0, 1)
        told.append((point, gaps, distances, nearest, fooled))
    return told


@own_messages()
def deepfool_steps(function, device):
    """Each step as by hand, until nothing moves; what is fooled or out of reach stays."""
    for classes, shape in ((2, (6,)), (3, (1, 2, 3)), (5, (3, 2))):
        model, x = net(classes, device=device), pixels(5, *shape, seed=classes, device=device)
        labels = labels_for(model, x, wrong=[1])
        for threat in BALLS:
            for overshoot in (0.02, 0.0, 0.5):
                steps = list(function(model, x, labels, threat, steps=6, overshoot=overshoot))
                assert [step.index for step in steps] == list(range(len(steps)))
                before = x
                for i in range(5):
                    told = deepfool_by_hand(model, x[i : i + 1], labels[i].item(), threat, len(steps), overshoot)
                    for step, (point, gaps, distances, nearest, fooled) in zip(steps, told, strict=True):
                        torch.testing.assert_close(step.x_adv[i : i + 1], point, rtol=0, atol=1e-7)
                        torch.testing.assert_close(step.gap[i], gaps, rtol=0, atol=1e-6)
                        assert bool(step.fooled[i]) == fooled
                        if not fooled:
                            assert step.distance[i].tolist() == pytest.approx(distances, abs=1e-6)
                            assert step.nearest[i] == nearest
                for step in steps[:-1]:
                    assert (step.x_adv != before).any(), "it goes on although nothing moves"
                    before = step.x_adv
                if len(steps) < 6:
                    assert torch.equal(steps[-1].x_adv, before)
    defaults(function, steps=50, overshoot=0.0)
    flat = lambda x: torch.stack([x[:, 0] * 0 + 1, x[:, 0] * 0], dim=1)  # noqa: E731
    half = torch.full((2, 3), 0.5, device=device)
    (only,) = function(flat, half, torch.zeros(2, dtype=torch.long, device=device), attacks.Linf(0.1))
    assert torch.equal(only.x_adv, half)
    # float32, a constant of 1000: rounding must not hold it on the boundary
    model, x = net(3, device=device), pixels(8, 6, device=device)
    labels = labels_for(model, x)
    coarse = copy.deepcopy(model).float().eval()
    high = lambda x: coarse(x) + 1000  # noqa: E731
    for threat in BALLS:
        final = last(function(high, x.float(), labels, threat, overshoot=0.0, steps=20)).x_adv
        assert (high(final).argmax(1) != labels).all()
    refuses(
        lambda: next(function(model, x, labels, attacks.L1(1.0))), ValueError, "deepfool", "L1(eps=1.0)", "Linf or L2"
    )
    for odd in (-0.1, math.nan):
        refuses(lambda o=odd: next(function(model, x, labels, BALLS[0], overshoot=o)), ValueError, f"overshoot={odd}")
    refuses(
        lambda: next(function(model, x, labels, BALLS[0], steps=0)), ValueError, "deepfool got steps=0", "1 or more"
    )
    assert len(list(function(model, x, labels, BALLS[0], steps=1))) == 1


def same_stream(found, wanted):
    """Two streams of equal steps."""
    for one, other in zip(found, wanted, strict=True):
        for a, b in zip(vars(one).values(), vars(other).values(), strict=True):
            assert torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b


def linear_models(device):
    """(model, weight (n, classes), bias) for 2, 3 and 10 classes."""
    for classes in (2, 3, 10):
        g = torch.Generator().manual_seed(classes)
        weight = torch.randn(6, classes, generator=g, dtype=torch.float64).to(device)
        bias = 0.3 * torch.randn(classes, generator=g, dtype=torch.float64).to(device)
        yield (lambda x, w=weight, b=bias: x.flatten(1) @ w + b), weight, bias


def smallest_of_linear(threat, weight, bias, x, label):
    """The distance of one example from the nearest other class in the box, by bisection; inf where there is none."""
    logits = x.flatten() @ weight + bias
    found = []
    for k in range(len(bias)):
        if k != label:
            delta = nearest_by_hand(threat, weight[:, k] - weight[:, label], logits[label] - logits[k], x.flatten())
            p = math.inf if isinstance(threat, attacks.Linf) else 2
            found.append(math.inf if delta is None else torch.linalg.vector_norm(delta, p).item())
    return min(found)


@own_messages()
def deepfool(function, device):
    """All that attacks do; exact for linear models in the box, pixels at 0 and 1 included; the default options."""
    defaults(function, steps=50, overshoot=0.0)
    for model, weight, bias in linear_models(device):
        x = pixels(8, 1, 2, 3, seed=1, device=device)
        labels = model(x).argmax(1)
        for whole in (attacks.Linf(1.0), attacks.L2(9.0)):
            found = function(model, x, labels, whole)
            sizes = whole.norm(found - x)
            wanted = [smallest_of_linear(whole, weight, bias, x[i], labels[i].item()) for i in range(8)]
            for i in range(8):
                if wanted[i] < math.inf:
                    assert sizes[i].item() == pytest.approx(wanted[i], rel=2e-4)
                    assert model(found)[i].argmax() != labels[i]
                else:
                    assert torch.equal(found[i], x[i])
            half = sorted(w for w in wanted if w < math.inf)[2]
            some = function(model, x, labels, type(whole)(half * 1.001))
            inside = torch.tensor([w <= half * 1.0005 for w in wanted], device=device)
            assert torch.equal((some != x).flatten(1).any(1), inside)
            assert torch.equal(function(model, x, (labels + 1) % len(bias), whole), x), "it moves what is wrong already"
    model, x = net(4, device=device), pixels(6, 6, device=device)
    labels = labels_for(model, x)
    for options in ({}, {"steps": 1}, {"overshoot": 0.9, "steps": 2}):
        stream = list(attacks.deepfool_steps(model, x, labels, BALLS[1], **options))
        reached = attacks.Goal(labels).reached
        wanted = attacks.pulled_back(model, x, stream[-1].x_adv, BALLS[1], reached)
        assert_close(function(model, x, labels, BALLS[1], **options), wanted)
    behaves(lambda m, x, y, t: function(m, x, y, t, steps=4), device, caller="deepfool", threats=BALLS, exact=1e-4)


# --- Carlini and Wagner -----------------------------------------------------------------------------------------------


def carlini_wagner_by_hand(model, x, label, *, searches, steps, step_size, c, kappa, target=None):
    """One example, with torch's Adam and autograd through tanh: (search, index, c, point, length, margin, best)."""
    still, told = copy.deepcopy(model).eval(), []
    low, high, best, shortest = 0.0, math.inf, x, math.inf
    for search in range(searches):
        v = torch.atanh(2 * x.clamp(0.01, 0.99) - 1).requires_grad_()
        optimizer, enough = torch.optim.Adam([v], lr=step_size, eps=1e-5), False
        for index in range(steps):
            point = (torch.tanh(v) + 1) / 2
            logits = still(point)[0]
            gap = margin_of(logits, label, target)
            loss = (point - x).square().sum() + c * (kappa - gap).clamp(min=0)
            (slope,) = torch.autograd.grad(loss, v)
            length = (point - x).detach().square().sum().sqrt().item()
            if reached_by(logits, label, target) and gap.item() >= kappa:
                enough = True
                if length < shortest:
                    best, shortest = point.detach(), length
            told.append((search, index, c, point.detach(), length, gap.item(), best, shortest < math.inf))
            v.grad = slope
            optimizer.param_groups[0]["lr"] = step_size * (1 - index / steps)
            optimizer.step()
        low, high = (low, c) if enough else (c, high)
        c = 10 * low if high == math.inf else high / 10 if low == 0 else math.sqrt(low * high)
    return told


CW_CASES = (
    (2, {"searches": 3, "steps": 4, "step_size": 0.2, "c": 1.0, "kappa": 0.0}),
    (3, {"searches": 4, "steps": 6, "step_size": 0.4, "c": 0.05, "kappa": 0.3}),
    (10, {"searches": 4, "steps": 5, "step_size": 0.5, "c": 3.0, "kappa": 0.0}),
)


@own_messages()
def carlini_wagner_steps(function, device):
    """Each step as by hand: Adam, c up and down, the nearest so far; targets; pixels at 0 and 1 move."""
    for classes, options in CW_CASES:
        for targeted in (False, True):
            model, x = net(classes, device=device), pixels(4, 1, 2, 3, seed=classes, device=device)
            labels = labels_for(model, x)  # what is wrong already rests, but for the rounding that Adam amplifies
            targets = (labels + 1) % classes if targeted else None
            steps = list(function(model, x, labels, BALLS[1], targets=targets, **options))
            for i in range(4):
                aim = targets[i].item() if targeted else None
                told = carlini_wagner_by_hand(model, x[i : i + 1], labels[i].item(), target=aim, **options)
                for step, (search, index, c, point, length, gap, best, found) in zip(steps, told, strict=True):
                    assert (step.search, step.index) == (search, index)
                    assert step.c[i].item() == pytest.approx(c, rel=1e-9)
                    torch.testing.assert_close(step.point[i : i + 1], point, rtol=0, atol=1e-6)
                    torch.testing.assert_close(step.x_adv[i : i + 1], best, rtol=0, atol=1e-6)
                    assert step.length[i].item() == pytest.approx(length, abs=1e-6)
                    assert step.margin[i].item() == pytest.approx(gap, abs=1e-5)
                    assert bool(step.found[i]) == found
    defaults(function, searches=6, steps=100, step_size=0.2, c=1.0, kappa=0.0, targets=None)
    short = {"searches": 2, "steps": 1}
    assert [(s.search, s.index) for s in function(model, x, labels, BALLS[1], **short)] == [(0, 0), (1, 0)]
    for name, odd in (("c", 0.0), ("c", -1.0), ("kappa", -0.1), ("step_size", 0.0), ("step_size", math.nan)):
        refuses(
            lambda o={name: odd}: next(function(model, x, labels, BALLS[1], **o)),
            ValueError,
            "carlini_wagner",
            f"{name}={odd}",
        )
    for name in ("searches", "steps"):
        refuses(
            lambda o={name: 0}: next(function(model, x, labels, BALLS[1], **o)),
            ValueError,
            f"carlini_wagner got {name}=0",
        )
    broken = lambda x: torch.stack([x[:, 0] * math.nan, x[:, 0]], dim=1)  # noqa: E731
    half, zero = torch.full((1, 2), 0.5, device=device), torch.zeros(1, dtype=torch.long, device=device)
    assert all(step.point.isfinite().all() for step in function(broken, half, zero, BALLS[1], searches=1, steps=3))
    steep = lambda x: torch.stack([1 + (x[:, 0] - 0.5).abs().sqrt() * 0, x[:, 0] * 0], dim=1)  # noqa: E731
    assert all(torch.equal(step.point, half) for step in function(steep, half, zero, BALLS[1], searches=1, steps=3))


@own_messages()
def carlini_wagner(function, device):
    """All that attacks do; near the exact minimum of linear models, from pixels at 0 and 1 too; kappa and targets."""
    defaults(function, searches=6, steps=100, step_size=0.2, c=1.0, kappa=0.0, targets=None)
    for model, weight, bias in linear_models(device):
        x = pixels(8, 1, 2, 3, seed=1, device=device)
        labels = model(x).argmax(1)
        found, whole = function(model, x, labels, attacks.L2(9.0), steps=60, step_size=0.3), attacks.L2(1.0)
        ratios = []
        for i, size in enumerate(whole.norm(found - x).tolist()):
            wanted = smallest_of_linear(whole, weight, bias, x[i], labels[i].item())
            if wanted < math.inf:
                ratios.append(size / wanted)
                assert model(found)[i].argmax() != labels[i]
            else:
                assert torch.equal(found[i], x[i])
        assert min(ratios) > 1 - 1e-9
        assert sorted(ratios)[len(ratios) // 2] < 1.02
        assert len(bias) > 2 or max(ratios) < 1.03, "of several classes it may go for one that is not the nearest"
    model, x = net(4, device=device), pixels(6, 6, device=device)
    labels = labels_for(model, x)
    targets = (labels + 1) % 4
    for options in (
        {"searches": 2, "steps": 8},
        {"searches": 3, "steps": 9, "step_size": 0.4, "kappa": 0.2, "c": 5.0},
        {"searches": 3, "steps": 8, "targets": targets, "step_size": 0.5},
    ):
        goal, kappa = attacks.Goal(labels, options.get("targets"), attacks.margin), options.get("kappa", 0.0)
        final = last(attacks.carlini_wagner_steps(model, x, labels, attacks.L2(2.0), **options)).x_adv
        reached = lambda z, goal=goal, kappa=kappa: goal.reached(z) & (goal(z) >= kappa)  # noqa: E731
        wanted = attacks.pulled_back(model, x, final, attacks.L2(2.0), reached)
        assert (wanted != x).any()
        assert_close(function(model, x, labels, attacks.L2(2.0), **options), wanted)
    few = partial(function, searches=2, steps=4, step_size=0.4)
    behaves(few, device, caller="carlini_wagner", threats=(attacks.L2(0.6),), exact=1e-4)


# --- APGD -------------------------------------------------------------------------------------------------------------


def checks_by_hand(steps):
    """Algorithm 1's w_j = ceil(p_j N), in fractions."""
    p = [Fraction(0), Fraction(22, 100)]
    while p[-1] <= 1:
        p.append(p[-1] + max(p[-1] - p[-2] - Fraction(3, 100), Fraction(6, 100)))
    return sorted({math.ceil(part * steps) for part in p if 0 < part <= 1})


def checkpoints(function, device):
    for steps in (0, 1, 7, 30, 50, 100, 1000):
        assert function(steps) == checks_by_hand(steps)
    assert function(100) == [22, 41, 57, 70, 80, 87, 93, 99]


def apgd_by_hand(model, name, x, label, threat, steps, start, target=None):
    """One example, by the paper: (point, value, slope, fooled, size, halved, best, its value, ever) of each look."""
    model = copy.deepcopy(model).eval()
    norm = (lambda g: g.sign()) if isinstance(threat, attacks.Linf) else (lambda g: g / g.square().sum().sqrt())
    checks = [0, *checks_by_hand(steps)]
    points = [start]
    value, slope, logits = seen_at(model, name, start, label, target)
    values, size = [value], 2 * threat.eps
    top = (value, start, slope)
    answer = (reached_by(logits, label, target), value, start)
    told = [(start, value, slope, answer[0], size, False, start, value, answer[0])]
    sizes, tops, rises = [size], [value], 0
    for k in range(steps):
        point = points[-1]
        ahead = threat.project(point + size * norm(slope), x)
        kept = point + 0.75 * (ahead - point) + 0.25 * (point - points[-2]) if k else ahead
        new = threat.project(kept, x)
        value, slope, logits = seen_at(model, name, new, label, target)
        rises += value > values[-1]
        if value > top[0]:
            top = (value, new, slope)
        fooled = reached_by(logits, label, target)
        if (fooled, value) > answer[:2]:
            answer = (fooled, value, new)
        points.append(new)
        values.append(value)
        halved = False
        if k + 1 in checks[1:]:
            span = k + 1 - max(w for w in checks if w < k + 1)
            halved = rises < 0.75 * span or (sizes[-1] == size and tops[-1] == top[0])
            sizes.append(size)
            tops.append(top[0])
            rises = 0
            if halved:
                size /= 2
        told.append((new, value, slope, fooled, size, halved, answer[2], answer[1], answer[0]))
        if halved:
            points[-1], values[-1], slope = top[1], top[0], top[2]
    return told


@own_messages()
def apgd_steps(function, device):
    """Each look as by hand: sizes halved for both reasons, restarts at the highest point, the best answer so far."""
    reasons = set()
    for classes, shape, threat, name, targeted in (
        (2, (6,), BALLS[0], "cross_entropy", False),
        (3, (1, 2, 3), BALLS[1], "margin", False),
        (10, (3, 2), attacks.Linf(0.9), "cross_entropy", True),
        (4, (6,), attacks.L2(2.0), "cross_entropy", False),
    ):
        model, x = net(classes, device=device), pixels(4, *shape, seed=classes, device=device)
        labels = labels_for(model, x, wrong=[1])
        targets = (labels + 1) % classes if targeted else None
        start = threat.random(x, generator=source(3, device))
        for begins in (None, start):
            options = {"objective": getattr(attacks, name), "targets": targets, "start": begins}
            steps = list(function(model, x, labels, threat, steps=30, **options))
            assert [step.index for step in steps] == list(range(31))
            for i in range(4):
                begun = (x if begins is None else begins)[i : i + 1]
                aim = targets[i].item() if targeted else None
                told = apgd_by_hand(model, name, x[i : i + 1], labels[i].item(), threat, 30, begun, aim)
                before = math.inf
                for step, looked in zip(steps, told, strict=True):
                    point, value, slope, fooled, size, halved, best, best_value, ever = looked
                    if isinstance(threat, attacks.L2) and abs(value - before) < 1e-12:
                        break  # it has arrived: whether it still rises is a matter of the last bit
                    before = value
                    torch.testing.assert_close(step.x_adv[i : i + 1], point, rtol=0, atol=1e-6)
                    torch.testing.assert_close(step.best[i : i + 1], best, rtol=0, atol=1e-6)
                    assert step.loss[i].item() == pytest.approx(value, abs=1e-6)
                    assert step.best_loss[i].item() == pytest.approx(best_value, abs=1e-6)
                    assert (bool(step.fooled[i]), bool(step.best_fooled[i])) == (fooled, ever)
                    assert (step.size[i].item(), bool(step.halved[i])) == (pytest.approx(size), halved)
                    reasons.add((halved, step.index))
                    torch.testing.assert_close(step.gradient[i : i + 1], slope, rtol=0, atol=1e-5)
    assert {(True, 7), (False, 7)} <= reasons
    defaults(function, steps=100, objective=attacks.cross_entropy, targets=None, start=None)
    assert len(list(function(model, x, labels, threat, steps=0))) == 1
    halvings(function, device)
    flat = lambda x: torch.stack([x[:, 0] * 0 + 1, x[:, 0] * 0], dim=1)  # noqa: E731
    half, zero = torch.full((1, 2), 0.5, device=device), torch.zeros(1, dtype=torch.long, device=device)
    level = list(function(flat, half, zero, attacks.Linf(0.1), steps=10))
    assert [step.index for step in level if step.halved.any()] == checks_by_hand(10), "too few rises"
    wrong = (x - 0.5).abs() + 2
    refuses(lambda: next(function(model, x, labels, threat, start=wrong)), ValueError, "apgd got a start")
    refuses(lambda: next(function(model, x, labels, threat, steps=-1)), ValueError, "apgd got steps=-1")


def halvings(function, device):
    """When the size is halved, by objectives that come from a list, whatever the point."""
    rising = [float(k) for k in range(101)]
    for values, wanted in (
        (rising, []),
        ([200.0, *rising[1:]], [22, 57, 80, 93]),  # the highest stays the first; every other time it was just halved
        ([v - 1.5 * (k in (43, 45, 47, 49)) for k, v in enumerate(rising)], []),  # 12 rises in 16: three quarters
        ([v - 1.5 * (k in (43, 45, 47, 49, 51)) for k, v in enumerate(rising)], [57]),
    ):
        told = iter(values)
        objective = lambda logits, labels, told=told: 0 * logits.sum(1) + next(told)  # noqa: E731
        x, label = torch.full((1, 2), 0.5, device=device), torch.zeros(1, dtype=torch.long, device=device)
        steps = list(function(lambda x: x, x, label, attacks.Linf(0.1), objective=objective))
        assert [step.index for step in steps if step.halved] == wanted
        assert [step.size.item() for step in steps if step.halved] == pytest.approx(
            [0.2 / 2 ** (n + 1) for n in range(len(wanted))]
        )


@own_messages()
def apgd(function, device):
    """All that attacks do; the best of a run; restarts of those that stand, each from a start of its own."""
    defaults(function, steps=100, restarts=1, objective=attacks.cross_entropy, targets=None, generator=None)
    model, x = net(4, device=device), pixels(12, 6, seed=5, device=device)
    labels = labels_for(model, x, wrong=[3])
    targets = (labels + 1) % 4
    for threat in (attacks.Linf(0.12), attacks.L2(0.25)):
        for options in ({}, {"objective": attacks.margin}, {"targets": targets}):
            steps = {"steps": 5, **options}
            wanted = last(attacks.apgd_steps(model, x, labels, threat, **steps)).best
            assert_close(function(model, x, labels, threat, **steps), wanted)
            ours, theirs = source(1, device), source(1, device)
            found = function(model, x, labels, threat, restarts=3, generator=ours, **steps)
            answer = [(False, -math.inf, x[i]) for i in range(12)]
            for _ in range(3):
                if all(fooled for fooled, _, _ in answer):
                    break
                start = threat.random(x, generator=theirs)
                run = last(attacks.apgd_steps(model, x, labels, threat, start=start, **steps))
                for i in range(12):
                    new = (bool(run.best_fooled[i]), run.best_loss[i].item(), run.best[i])
                    if not answer[i][0] and new[:2] > answer[i][:2]:
                        answer[i] = new
            assert_close(found, torch.stack([point for _, _, point in answer]))
            alone = last(
                attacks.apgd_steps(
                    model, x, labels, threat, start=threat.random(x, generator=source(4, device)), **steps
                )
            )
            assert_close(function(model, x, labels, threat, generator=source(4, device), **steps), alone.best)
    given, weight, _ = next(linear_models(device))
    told = given(x).argmax(1)
    corner = (x + 0.2 * ((weight[:, 1] - weight[:, 0]) * (1 - 2 * told[:, None])).sign()).clamp(0, 1)
    assert_close(function(given, x, told, attacks.Linf(0.2), steps=10), corner)
    refuses(lambda: function(model, x, labels, threat, restarts=2), ValueError, "apgd(restarts=2)", "no generator")
    refuses(lambda: function(model, x, labels, threat, restarts=0), ValueError, "apgd got restarts=0")
    everything = function(model, x, (labels + 1) % 4, threat, restarts=4, steps=2, generator=source(0, device))
    assert (model.eval()(everything).argmax(1) != (labels + 1) % 4).any()
    few = partial(function, steps=2)
    behaves(few, device, caller="apgd", threats=THREATS, exact=1e-6)
    apart(few, device)


# --- Square -----------------------------------------------------------------------------------------------------------


def hill_by_hand(rows, columns):
    """Algorithm 4's eta: in each half rectangles around the middle, one inside the other."""

    def half(height, width):
        values = torch.zeros(height, width, dtype=torch.float64, device="cpu")
        for k in range(max(height, width) // 2 + 1):
            for i in range(height):
                for j in range(width):
                    if abs(i - height // 2) <= k and abs(j - width // 2) <= k:
                        values[i, j] += 1 / (k + 1) ** 2
        return values / values.norm() if height else values

    both = torch.cat([half(rows // 2, columns), -half(rows - rows // 2, columns)])
    return both / both.norm()


def square_by_hand(model, x, label, threat, steps, numbers, target=None):
    """One example, with loops over pixels: (x_adv, margin, fooled, kept, side) of the start and each proposal."""
    shape = x.shape
    image = x.reshape(shape[1:]) if x.ndim == 4 else x.reshape(1, 1, -1)
    channels, height, width = image.shape
    numbers = iter(numbers.tolist())
    still = copy.deepcopy(model).eval()
    sign = lambda: 1.0 if next(numbers) < 0.5 else -1.0  # noqa: E731

    def ask(delta):
        tried = threat.project((image + delta).reshape(shape), x)
        logits = still(tried)[0].detach()
        return tried, margin_of(logits, label, target).item(), reached_by(logits, label, target)

    delta = torch.zeros_like(image)
    if isinstance(threat, attacks.Linf):
        for c in range(channels):
            for j in range(width):
                delta[c, :, j] = threat.eps * sign()
    else:
        rows, columns = max(height // 5, 1), max(width // 5, 1)
        form = hill_by_hand(rows, columns).to(image)
        for c in range(channels):
            for top in range(0, height, rows):
                for left in range(0, width, columns):
                    up = sign()
                    for i in range(top, min(top + rows, height)):
                        for j in range(left, min(left + columns, width)):
                            delta[c, i, j] = up * form[i - top, j - left]
        delta = threat.eps * delta / delta.norm()
    x_adv, highest, fooled = ask(delta)
    told = [(x_adv, highest, fooled, True, 0)]
    for step in range(steps):
        if fooled:
            break
        passed = sum(step * 10_000 // steps > border for border in (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000))
        side = max(round(math.sqrt(0.8 * 0.5**passed * height * width)), 1)
        delta = x_adv.reshape(image.shape) - image
        proposal = delta.clone()

        def window(side):
            tall, wide = min(side, height), min(side, width)
            top, left = int(next(numbers) * (height - tall + 1)), int(next(numbers) * (width - wide + 1))
            return slice(top, top + tall), slice(left, left + wide)

        if isinstance(threat, attacks.Linf):
            place = window(side)
            for c in range(channels):
                proposal[c][place] = threat.eps * sign()
        else:
            odd = max(side if side % 2 else side + 1, 3)
            place, payer = window(odd), window(odd)
            upright = next(numbers) < 0.5
            for c in range(channels):
                tall, wide = delta[c][place].shape
                form = (hill_by_hand(wide, tall).T if upright else hill_by_hand(tall, wide)).to(image)
                old = delta[c][place]
                new = (old / old.norm() if old.any() else old) + sign() * form
                both = delta[c].clone()
                both[place] = both[payer] = 0
                spent = delta[c].square().sum() - both.square().sum()
                free = max(threat.eps**2 - delta.square().sum().item(), 0) / channels
                proposal[c][payer] = 0
                proposal[c][place] = new / new.norm() * (spent + free).sqrt() if new.any() else new
            proposal = threat.eps * proposal / proposal.norm()
        tried, value, reached = ask(proposal)
        kept = value > highest or reached
        if kept:
            x_adv, highest = tried, value
        fooled = reached
        told.append((x_adv, highest, fooled, kept, side))
    return told


def numbers_of(shape, threat, steps):
    """How many random numbers an example of this shape uses."""
    channels, height, width = shape if len(shape) == 3 else (1, 1, math.prod(shape))
    if isinstance(threat, attacks.Linf):
        return channels * width + steps * (2 + channels)
    tiles = math.prod(math.ceil(n / max(n // 5, 1)) for n in (height, width))
    return channels * tiles + steps * (5 + channels)


SQUARE_CASES = (
    (2, (1, 5, 4), attacks.Linf(0.1), False),
    (3, (2, 4, 7), attacks.L2(0.4), False),
    (10, (6,), attacks.Linf(0.15), True),
    (4, (3, 2), attacks.L2(0.3), False),
    (3, (1, 12, 11), attacks.L2(0.5), True),
    (3, (3, 9, 8), attacks.Linf(0.03), False),
)


@own_messages()
def square_steps(function, device):
    """The start and each proposal as by hand, from the same numbers; those that are fooled are left alone."""
    seen = set()
    for classes, shape, threat, targeted in SQUARE_CASES:
        features = math.prod(shape)
        model, x = net(classes, features, device=device), pixels(5, *shape, seed=classes, device=device)
        labels = labels_for(model, x)
        targets = (labels + 1) % classes if targeted else None
        with global_stream_untouched():
            steps = list(function(model, x, labels, threat, steps=24, targets=targets, generator=source(2, device)))
        assert [step.index for step in steps] == list(range(len(steps)))
        numbers = torch.rand(5, numbers_of(shape, threat, 24), generator=source(2, device), device=device)
        lengths = []
        for i in range(5):
            aim = targets[i].item() if targeted else None
            told = square_by_hand(model, x[i : i + 1], labels[i].item(), threat, 24, numbers[i], aim)
            lengths.append(len(told))
            told += [(*told[-1][:3], False, None)] * (len(steps) - len(told))
            for step, (point, value, fooled, kept, side) in zip(steps, told, strict=True):
                torch.testing.assert_close(step.x_adv[i : i + 1], point, rtol=0, atol=1e-6)
                assert step.margin[i].item() == pytest.approx(value, abs=1e-5)
                assert (bool(step.fooled[i]), bool(step.kept[i])) == (fooled, kept)
                assert side in (None, step.side)
                seen.add((fooled, kept))
        assert len(steps) == max(lengths)
    assert len(seen) == 4
    defaults(function, steps=1000, targets=None)
    slow = function(model, x, labels, threat, steps=10_000, generator=source(2, device))
    assert [step.side for step, _ in zip(slow, range(14), strict=False)] == [0, *[8] * 11, 5, 5]
    one, zero = pixels(2, 1, 1, 1, device=device), torch.zeros(2, dtype=torch.long, device=device)
    for threat in BALLS:  # one pixel, and none of the steps
        assert list(function(net(3, 1, device=device), one, zero, threat, steps=3, generator=source(0, device)))
        assert len(list(function(model, x, labels, threat, steps=0, generator=source(0, device)))) == 1
    half = torch.full((1, 1, 3, 3), 0.5, device=device)
    dead = lambda x: torch.stack([x.flatten(1)[:, 0] * 0 + 1, x.flatten(1)[:, 0] * 0], dim=1)  # noqa: E731
    for step in function(dead, half, zero[:1], attacks.L2(0.1), steps=5, generator=source(0, device)):
        assert step.x_adv.isfinite().all()
        assert step.kept.all() == (step.index == 0), "it keeps what is not better"
    given = {"generator": source(0, device)}
    refuses(
        lambda: next(function(model, x, labels, attacks.L1(1.0), **given)),
        ValueError,
        "square got L1(eps=1.0)",
        "Linf or L2",
    )
    refuses(lambda: next(function(model, x, labels, threat, steps=-1, **given)), ValueError, "square got steps=-1")


@own_messages()
def square(function, device):
    """All that attacks do, with no slope at all; in parts as at once; the last of the steps."""

    def seeded(model, x, labels, threat, **options):
        return function(model, x, labels, threat, steps=6, generator=source(7, device), **options)

    defaults(function, steps=1000, targets=None)
    model, x = net(4, 18, device=device), pixels(6, 2, 3, 3, device=device)
    labels = labels_for(model, x, wrong=[1])
    for threat in (attacks.Linf(0.1), attacks.L2(0.3)):
        for targets in (None, (labels + 1) % 4):
            options = {"steps": 9, "targets": targets}
            wanted = last(attacks.square_steps(model, x, labels, threat, generator=source(1, device), **options)).x_adv
            assert_close(function(model, x, labels, threat, generator=source(1, device), **options), wanted)
            if device.type == "cpu":  # elsewhere random numbers do not come in a row
                g = source(1, device)
                aims = (None, None) if targets is None else targets.split(3)
                parts = [
                    function(model, x[k : k + 3], labels[k : k + 3], threat, steps=9, targets=aim, generator=g)
                    for k, aim in zip((0, 3), aims, strict=True)
                ]
                assert_close(torch.cat(parts), wanted)
    behaves(seeded, device, caller="square", threats=BALLS, slope=False, exact=1e-6)


# --- the patch --------------------------------------------------------------------------------------------------------


def patch_class(make, device):
    """Places inside the image, every one of them; what lies inside; what fits; a whole number of pixels."""
    threat = make(2)
    assert threat.size == 2
    with pytest.raises(FrozenInstanceError):
        threat.size = 3
    x = torch.rand(400, 2, 3, 5, generator=source(0, device), device=device)
    with global_stream_untouched():
        rows, columns = threat.places(x, generator=source(1, device))
    assert rows.unique().tolist() == [0, 1]
    assert columns.unique().tolist() == [0, 1, 2, 3]
    assert (columns.bincount() > 70).all()
    draw = torch.rand(2, 400, generator=source(1, device), device=device)
    assert torch.equal(rows, (draw[0] * 2).long())
    assert torch.equal(columns, (draw[1] * 4).long())
    inside = threat.inside(x, rows, columns)
    assert inside.shape == (400, 1, 3, 5)
    for i in range(20):
        wanted = torch.zeros(1, 3, 5, dtype=torch.bool, device=device)
        wanted[:, rows[i] : rows[i] + 2, columns[i] : columns[i] + 2] = True
        assert torch.equal(inside[i], wanted)
    grey = torch.full((8, 2, 3, 5), 0.5, device=device)
    changed = grey.clone()
    changed[1, 1, 0, 0] = 0
    changed[2, 0, 1, 3], changed[2, 1, 2, 4] = 0, 1
    changed[3, 0, 0, 0], changed[3, 0, 0, 2] = 0, 0
    changed[4, 0, 0, 0], changed[4, 1, 2, 0] = 0, 0
    changed[5, 0, 0, 0] = 1.01
    changed[6, 0, 0, 0] = -0.01
    changed[7] = 0.4
    assert threat.contains(changed, grey).tolist() == [True, True, True, False, False, False, False, False]
    assert make(5).contains(changed, grey)[7]
    for odd in (0, -1, 1.5, True):
        refuses(lambda s=odd: make(s), ValueError, "Patch", f"size={odd!r}")


def pasted_by_hand(x, patch, rows, columns):
    size, out = patch.shape[-1], x.clone()
    for i in range(len(x)):
        out[i, :, rows[i] : rows[i] + size, columns[i] : columns[i] + size] = patch
    return out


def paste(function, device):
    """As slices would do it, slopes into the patch and around it included."""
    for shape, size in (((3, 2, 4, 6), 2), ((2, 1, 3, 3), 3), ((4, 3, 5, 2), 1)):
        x, patch = pixels(*shape, device=device), pixels(shape[1], size, size, seed=1, device=device)
        for seed in range(3):
            rows, columns = attacks.Patch(size).places(x, generator=source(seed, device))
            slopes = []
            for call in (function, pasted_by_hand):
                leaves = [t.clone().requires_grad_() for t in (x, patch)]
                out = call(*leaves, rows, columns)
                slopes.append((out.detach(), *torch.autograd.grad(out.square().sum(), leaves)))
            for ours, theirs in zip(*slopes, strict=True):
                assert_close(ours, theirs)


def patch_steps(function, device):
    """Grey first; each step the sign of the mean slope through the pasted images, at new places; the last look."""
    model, x = net(4, 40, device=device), pixels(6, 2, 4, 5, device=device)
    labels = labels_for(model, x, wrong=[1])
    targets = (labels + 1) % 4
    for size, options, step_size in (
        (2, {}, 0.05),
        (3, {"targets": targets}, 0.3),
        (1, {"objective": "cross_entropy"}, 0.2),
    ):
        name, aims = options.get("objective", "margin"), options.get("targets")
        given = {"steps": 5, "step_size": step_size, "targets": aims, "objective": getattr(attacks, name)}
        threat, g = attacks.Patch(size), source(3, device)
        with global_stream_untouched():
            steps = list(function(model, x, labels, threat, generator=source(3, device), **given))
        assert [step.index for step in steps] == list(range(6))
        patch = torch.full((2, size, size), 0.5, dtype=x.dtype, device=device)
        still = copy.deepcopy(model).eval()
        for step in steps:
            rows, columns = threat.places(x, generator=g)
            leaf = patch.clone().requires_grad_()
            images = pasted_by_hand(x, leaf, rows, columns)
            logits = still(images)
            aim = [None if aims is None else t.item() for t in (labels if aims is None else aims)]
            values = torch.stack([loss_of(name, z, y.item(), t) for z, y, t in zip(logits, labels, aim, strict=True)])
            (slope,) = torch.autograd.grad(values.mean(), leaf)
            assert_close(step.patch, patch)
            assert_close(step.x_adv, images.detach())
            assert_close(step.loss, values.detach())
            torch.testing.assert_close(step.gradient, slope, rtol=1e-7, atol=1e-9)
            wanted = [reached_by(z, y.item(), t) for z, y, t in zip(logits.detach(), labels, aim, strict=True)]
            assert step.fooled.tolist() == wanted
            assert threat.contains(step.x_adv, x).all()
            patch = (patch + step_size * slope.sign()).clamp(0, 1)
        assert (steps[0].x_adv != steps[1].x_adv).any()
    assert model.training
    defaults(function, steps=100, step_size=0.05, objective=attacks.margin, targets=None)
    assert len(list(function(model, x, labels, threat, steps=0, generator=source(0, device)))) == 1
    broken = lambda x: torch.stack([x.flatten(1)[:, 0] * math.nan, x.flatten(1)[:, 0]], dim=1)  # noqa: E731
    odd = list(function(broken, x, labels % 2, threat, steps=2, generator=source(0, device)))
    assert torch.equal(odd[-1].patch, torch.full_like(odd[-1].patch, 0.5)), "it moves without a slope"
    g = {"generator": source(0, device)}
    fits = list(function(model, x, labels, attacks.Patch(4), steps=0, **g))
    assert len(fits) == 1
    refuses(
        lambda: next(function(model, x, labels, attacks.Patch(5), **g)),
        ValueError,
        "patch got x (6, 2, 4, 5)",
        "Patch(size=5)",
    )
    refuses(
        lambda: next(function(model, x.flatten(1), labels, attacks.Patch(1), **g)), ValueError, "patch got x (6, 40)"
    )
    refuses(lambda: next(function(model, x, labels, threat, steps=-1, **g)), ValueError, "patch got steps=-1")
    refuses(lambda: next(function(model, x * 2, labels, threat, **g)), ValueError, "patch got x from")


def patch(function, device):
    """The last of the steps, with their options; within the threat; the model is left in its mode."""
    model, x = net(4, 40, device=device), pixels(6, 2, 4, 5, device=device)
    labels, threat = labels_for(model, x), attacks.Patch(2)
    defaults(function, steps=100, step_size=0.05, objective=attacks.margin, targets=None)
    given = {"steps": 100, "step_size": 0.05, "objective": attacks.margin, "targets": None}
    for options in (
        {"steps": 3},
        {"steps": 4, "step_size": 0.3, "objective": attacks.cross_entropy, "targets": labels * 0},
    ):
        found = function(model, x, labels, threat, generator=source(1, device), **options)
        steps = attacks.patch_steps(model, x, labels, threat, generator=source(1, device), **{**given, **options})
        assert_close(found, last(steps).x_adv)
        assert threat.contains(found, x).all()
        assert model.training
        assert all(parameter.grad is None and parameter.requires_grad for parameter in model.parameters())


# --- the checklist ----------------------------------------------------------------------------------------------------


class Wrapped(torch.nn.Module):
    """f(net, x), as a module."""

    def __init__(self, f, inner):
        super().__init__()
        self.f, self.inner = f, inner

    def forward(self, x):
        return self.f(self.inner, x)


class Drawn:
    """Adds noise to the input, other at each call but the same in each run."""

    def __init__(self, size):
        self.size = size

    def __call__(self, inner, x):
        self.calls = getattr(self, "calls", 0) + 1
        return inner(x + self.size * torch.randn(x.shape, generator=source(self.calls, x.device), device=x.device))


def plainly(inner, x):
    return inner(x)


def detached(inner, x):
    return inner(x.detach())


# What is wrapped around a network, and which items must see it.
PLANTED = {
    "saturated logits": (lambda: lambda inner, x: 1e4 * inner(x), {"slopes"}),
    "a rounded input": (lambda: lambda inner, x: inner((4 * x).round() / 4), {"slopes", "stillness", "unbounded"}),
    "randomness": (lambda: Drawn(0.3), {"call to call"}),
    "no slope at all": (lambda: detached, {"slopes", "unbounded", "black box"}),
    "a wave over the slope": (lambda: lambda inner, x: inner(x + 1e-3 * torch.sin(1e5 * x)), {"unbounded"}),
}


def diagnose_by_hand(model, x, labels, threat, *, steps, queries, draws, generator):
    """{item: (found, verdict)}, by counting: the same attacks with the same random numbers."""
    still = copy.deepcopy(model).eval()
    with torch.no_grad():
        right = still(x).argmax(1) == labels
    x, labels = x[right], labels[right]
    n, few = len(x), max(2, 0.05 * len(x))

    def wrong(x_adv):
        with torch.no_grad():
            return still(x_adv).argmax(1) != labels

    def share(which):
        return sum(which.tolist()) / n

    leaf, answers = x.clone().requires_grad_(), {}
    logits = still(leaf)
    (slope,) = torch.autograd.grad(F.cross_entropy(logits, labels, reduction="sum"), leaf, allow_unused=True)
    if slope is None:
        none, odd = torch.ones(n, dtype=torch.bool), torch.zeros(n, dtype=torch.bool)
    else:
        none = torch.tensor([bool((s == 0).all()) for s in slope])
        odd = torch.tensor([not bool(s.isfinite().all()) for s in slope])
    answers["slopes"] = ({"exactly 0": share(none), "not finite": share(odd)}, share(none | odd) > 0.1)

    def followed(attack, ball, **options):
        return (
            torch.zeros(n, dtype=torch.bool) if none.all() else wrong(attack(model, x, labels, ball, **options)).cpu()
        )

    run = {"steps": steps, "generator": generator}
    many = followed(attacks.pgd, threat, **run)
    p = {"Linf": math.inf, "L2": 2, "L1": 1}[type(threat).__name__]
    largest = max(torch.linalg.vector_norm(torch.ones(x[0].numel()), p).item(), threat.eps)
    values = [threat.eps * (largest / threat.eps) ** (k / 4) for k in range(5)]
    success = [many, *(followed(attacks.pgd, type(threat)(eps), **run) for eps in values[1:])]
    one = followed(attacks.fgsm, threat)
    answers["one step"] = ({"one step": share(one), "many steps": share(many)}, one.sum() - many.sum() > few)
    if p != 1:
        asked = wrong(attacks.square(model, x, labels, threat, steps=queries, generator=generator)).cpu()
        answers["black box"] = ({"a black box": share(asked), "slopes": share(many)}, asked.sum() - many.sum() > few)
    answers["unbounded"] = ({"still right": 1 - share(success[-1])}, n - success[-1].sum() > few)
    falls = [before.sum().item() - after.sum().item() for before, after in pairwise(success)]
    found = {f"eps {eps:.3g}": share(which) for eps, which in zip(values, success, strict=True)}
    answers["larger eps"] = (found, max(falls) > few)
    lucky = torch.zeros(n, dtype=torch.bool)
    for _ in range(draws):
        lucky |= wrong(threat.random(x, generator=generator)).cpu()
    only = lucky & ~many
    found = {"random points": share(lucky), "slopes": share(many), "random points alone": share(only)}
    answers["random points"] = (found, only.sum() > few)
    with torch.no_grad():
        calls = [still(x) for _ in range(5)]
        spread = calls[0].max() - calls[0].min()
        differ = torch.stack([(a - b).abs().amax(1) > 1e-4 * spread for a in calls for b in calls]).any(0)
        other = torch.stack([c.argmax(1) != calls[0].argmax(1) for c in calls]).any(0)
        answers["call to call"] = ({"other logits": share(differ), "other answer": share(other)}, differ.sum() > few)
        near = type(threat)(threat.eps / 100).random(x, generator=generator)
        unmoved = (still(near) == still(x)).all(1)
    answers["stillness"] = ({"unmoved": share(unmoved)}, share(unmoved) > 0.1)
    return n, answers


# What the shares of each item are shares of, in the words that stand in the picture.
MEANINGS = {
    "one step": "fooled by {}",
    "black box": "fooled by {}",
    "unbounded": "{} without a bound",
    "larger eps": "fooled by slopes at {}",
    "random points": "fooled by {}",
    "slopes": "slope {}",
    "call to call": "{} when asked again",
    "stillness": "all logits {} by a random move of eps / 100",
}
ITEMS = list(MEANINGS)


@own_messages()
def diagnose(function, device):
    """Every number as counted by hand; each planted fault is seen, an honest network is not accused."""
    defaults(function, steps=40, queries=300, draws=50)
    for name, (make, signs) in {"nothing": (lambda: plainly, set()), **PLANTED}.items():
        for threat in HONEST if name == "nothing" else HONEST[:1]:
            report = diagnosed(function, device, make, threat)
            seen = {item.name for item in report.items if item.verdict}
            assert signs <= seen
            assert report.masked == bool(seen)
            told = str(report)
            assert told.splitlines()[0].startswith("Slopes seem" if seen else "No sign")
            assert f"{report.examples} examples" in told
            assert [line[2] for line in told.splitlines()[1:]] == ["! "[not item.verdict] for item in report.items]
            if name == "nothing" and not isinstance(threat, attacks.L1):  # a few steps go too short a way in L1
                assert not report.masked
    refused_by_diagnose(function, device)
    steady(function, device)


HONEST = (attacks.Linf(0.1), attacks.L2(0.3), attacks.L1(0.5), attacks.Linf(0.8))
BRIEFLY = {"steps": 5, "queries": 12, "draws": 3}


def diagnosed(function, device, make, threat):
    """The report on a wrapped network, compared item by item with what is counted by hand."""
    inner, x = net(3, device=device), pixels(60, 6, seed=4, device=device)
    labels = labels_for(inner, x, wrong=[0, 7])
    model, same = (Wrapped(make(), inner).train() for _ in range(2))
    with global_stream_untouched():
        report = function(model, x, labels, threat, generator=source(1, device), **BRIEFLY)
    assert model.training
    if isinstance(model.f, Drawn):  # the number of calls is not for the oracle to say
        return report
    n, wanted = diagnose_by_hand(same, x, labels, threat, generator=source(1, device), **BRIEFLY)
    assert report.examples == n
    assert [item.name for item in report.items] == [item for item in ITEMS if item in wanted]
    for item in report.items:
        found, verdict = wanted[item.name]
        assert list(item.found) == list(found)
        assert list(item.found.values()) == pytest.approx(list(found.values()), abs=1e-6)
        assert item.verdict == bool(verdict), item
        assert item.question.endswith("?")
        assert in_words(item.name, found, item.says), item
        assert list(item.rows) == [MEANINGS[item.name].format(name) for name in found]
        assert list(item.rows.values()) == list(item.found.values())
        assert report[item.name] is item
    return report


def refused_by_diagnose(function, device):
    """Options out of range, labels that are all wrong, no room to move in; slopes of nan are told, not refused."""
    model, x = net(3, device=device), pixels(60, 6, seed=4, device=device)
    labels, threat, given = labels_for(model, x), attacks.Linf(0.1), {"generator": source(0, device)}
    few = {"steps": 1, "queries": 1, "draws": 1}
    for name in few:
        options = {**few, name: 0, **given}
        refuses(lambda o=options: function(model, x, labels, threat, **o), ValueError, f"diagnose got {name}=0")
    nobody = (labels + 1) % 3
    refuses(
        lambda: function(model, x, nobody, threat, **few, **given), ValueError, "diagnose got 60 examples", "0 right"
    )
    none = attacks.Linf(0.0)
    refuses(lambda: function(model, x, labels, none, **few, **given), ValueError, "Linf(eps=0.0)", "above 0")
    still = lambda x: x.sum(1, keepdim=True) - x.sum(1, keepdim=True).detach()  # noqa: E731
    nan = Wrapped(lambda inner, x: inner(x) + 0 * still(x).sqrt(), model)
    report = function(nan, x, labels, threat, **few, **given)
    assert len(report.items) == 8
    assert report["slopes"].found == {"exactly 0": 0.0, "not finite": 1.0}
    assert report["slopes"].verdict
    refuses(lambda: report["two steps"], KeyError, "two steps", "one step, black box")


def steady(function, device):
    """What differs from call to call counts from 1e-4 of the logits' spread on, and for more than a few examples."""
    given = {"steps": 1, "queries": 1, "draws": 1, "generator": source(0, device)}
    plain = lambda x: 30 * x[:, :3] + 50  # noqa: E731

    def asked(x, size, first):
        """Every other call, the logits of the first examples are higher by this share of the spread."""
        calls, spread = iter(range(10**6)), plain(x).max() - plain(x).min()

        def model(x):
            those = torch.arange(len(x), device=x.device)[:, None] < first
            return plain(x) + size * spread * (next(calls) % 2) * those

        report = function(model, x, plain(x).argmax(1), attacks.Linf(0.1), **given)
        return report["call to call"]

    for n, few in ((20, 2), (300, 15)):
        x = pixels(n, 6, seed=4, device=device)
        for size, first, share, sign in (
            (0.5e-4, n, 0.0, False),
            (2e-4, n, 1.0, True),
            (2e-4, few, few / n, False),
            (2e-4, few + 1, (few + 1) / n, True),
        ):
            item = asked(x, size, first)
            assert item.found == {"other logits": pytest.approx(share), "other answer": 0.0}
            assert item.verdict == sign
    report = function(lambda x: 0 * x, x, torch.zeros_like(x[:, 0]).long(), attacks.Linf(0.1), **given)
    assert report["call to call"].found == {"other logits": 0.0, "other answer": 0.0}, "no spread, no difference"


def in_words(name, found, says):
    """Does the sentence hold the shares?"""
    values = list(found.values())
    if name != "larger eps":
        return all(f"{share:.0%}" in says for share in values)
    fall = max(0, *(before - after for before, after in pairwise(values)))
    names = [name.removeprefix("eps ") for name in found]
    told = f"goes from {values[0]:.0%} to {values[-1]:.0%}, and falls by {fall:.0%}"
    return f"from eps {names[0]} to {names[-1]} the share" in says and told in says


ORACLES = {
    "attacks.pulled_back": pulled_back,
    "attacks.nearest_delta": nearest_delta,
    "attacks.deepfool_steps": deepfool_steps,
    "attacks.deepfool": deepfool,
    "attacks.carlini_wagner_steps": carlini_wagner_steps,
    "attacks.carlini_wagner": carlini_wagner,
    "attacks.checkpoints": checkpoints,
    "attacks.apgd_steps": apgd_steps,
    "attacks.apgd": apgd,
    "attacks.square_steps": square_steps,
    "attacks.square": square,
    "attacks.Patch": patch_class,
    "attacks.paste": paste,
    "attacks.patch_steps": patch_steps,
    "attacks.patch": patch,
    "attacks.diagnose": diagnose,
}
RECORDS = {"ApgdStep", "CarliniWagnerStep", "DeepFoolStep", "Diagnosis", "Evidence", "PatchStep", "SquareStep"}

# --- faults -----------------------------------------------------------------------------------------------------------


def with_constant(right, name, value):
    """The function, while a constant of its file has another value."""
    home = sys.modules[right.__module__]

    def function(*given, **options):
        kept = getattr(home, name)
        setattr(home, name, value)
        try:
            found = right(*given, **options)
            found = list(found) if isinstance(found, Iterator) else found
        finally:
            setattr(home, name, kept)
        return iter(found) if isinstance(found, list) else found

    return function


def change_steps(right, change):
    """A stream whose steps are changed."""

    def steps(*given, **options):
        return map(change, right(*given, **options))

    return steps


def blind_to_the_box(threat, slope, gap, x):
    way = threat.steepest(slope)
    rate = (way * slope).flatten(1).sum(1)
    return ((gap / rate).reshape(-1, *[1] * (x.ndim - 1)) * way).maximum(-x).minimum(1 - x)


def not_pulled_back(model, x, labels, threat, **options):
    found = last(attacks.deepfool_steps(model, x, labels, threat, **options)).x_adv
    allowed = threat.contains(found, x) & attacks.fooled(model(found), labels)
    return torch.where(allowed.reshape(-1, *[1] * (x.ndim - 1)), found, x)


def wherever_it_is(model, x, labels, threat, **options):
    return attacks.deepfool(model, x, labels, type(threat)(9.0), **options)


def the_last_point(model, x, labels, threat, *, restarts=1, generator=None, **options):
    attacks.apgd(model, x, labels, threat, restarts=restarts, generator=generator, **options)  # refuses
    start = None if generator is None else threat.random(x, generator=generator)
    return last(attacks.apgd_steps(model, x, labels, threat, start=start, **options)).x_adv


def one_place_for_all(self, x, *, generator):
    rows, columns = attacks.Patch.places(self, x, generator=generator)
    return rows[:1].expand_as(rows), columns[:1].expand_as(columns)


def over_the_edge(self, x, *, generator):
    draw = torch.rand(2, len(x), generator=generator, device=generator.device)
    return tuple((u * n).long() for u, n in zip(draw, x.shape[2:], strict=True))


def added(x, patch, rows, columns):
    return (x + attacks.paste(torch.zeros_like(x), patch, rows, columns)).clamp(0, 1)


def rows_for_columns(x, patch, rows, columns):
    return attacks.paste(
        x, patch, columns.clamp(max=x.shape[2] - patch.shape[1]), rows.clamp(max=x.shape[3] - patch.shape[1])
    )


def verdicts(change):
    """The checklist with other verdicts."""

    def function(*given, **options):
        report = attacks.diagnose(*given, **options)
        return replace(report, items=tuple(replace(item, verdict=change(item)) for item in report.items))

    return function


NAMED = [
    ("attacks.pulled_back", "stays at what was found", lambda model, x, found, threat, reached, **_: found),
    (
        "attacks.pulled_back",
        "wherever it is",
        lambda m, x, f, t, r, **o: attacks.pulled_back(m, x, f, attacks.Linf(1.0), r, **o),
    ),
    ("attacks.nearest_delta", "blind to the box", blind_to_the_box),
    (
        "attacks.deepfool_steps",
        "the box forgotten",
        with_constant(attacks.deepfool_steps, "nearest_delta", blind_to_the_box),
    ),
    ("attacks.deepfool_steps", "rounding holds it", with_constant(attacks.deepfool_steps, "ROUNDING", 0)),
    ("attacks.deepfool_steps", "the overshoot not heard", without(attacks.deepfool_steps, "overshoot")),
    ("attacks.deepfool", "not pulled back", not_pulled_back),
    ("attacks.deepfool", "outside the threat", wherever_it_is),
    ("attacks.deepfool", "in train mode", in_train_mode(attacks.deepfool)),
    (
        "attacks.carlini_wagner_steps",
        "pixels at 0 and 1 never move",
        with_constant(attacks.carlini_wagner_steps, "INSIDE", 1e-12),
    ),
    ("attacks.carlini_wagner_steps", "rounding moves it", with_constant(attacks.carlini_wagner_steps, "SMALL", 1e-12)),
    ("attacks.carlini_wagner_steps", "kappa not heard", without(attacks.carlini_wagner_steps, "kappa")),
    ("attacks.carlini_wagner_steps", "targets not heard", without(attacks.carlini_wagner_steps, "targets")),
    ("attacks.carlini_wagner", "targets not heard", without(attacks.carlini_wagner, "targets")),
    ("attacks.carlini_wagner", "one search", with_options(attacks.carlini_wagner, searches=1)),
    ("attacks.carlini_wagner", "in train mode", in_train_mode(attacks.carlini_wagner)),
    ("attacks.checkpoints", "evenly", lambda steps: [steps * k // 9 for k in range(1, 9)]),
    ("attacks.checkpoints", "rounded down", lambda steps: [k * steps // 100 for k in (22, 41, 57, 70, 80, 87, 93, 99)]),
    ("attacks.apgd_steps", "no momentum", with_constant(attacks.apgd_steps, "GOES_ON", 0.0)),
    ("attacks.apgd_steps", "any rise will do", with_constant(attacks.apgd_steps, "RISES", 0.1)),
    ("attacks.apgd_steps", "always from x", without(attacks.apgd_steps, "start")),
    (
        "attacks.apgd_steps",
        "the last point for the best",
        change_steps(attacks.apgd_steps, lambda s: replace(s, best=s.x_adv)),
    ),
    ("attacks.apgd_steps", "the objective not heard", without(attacks.apgd_steps, "objective")),
    ("attacks.apgd", "the last point", the_last_point),
    ("attacks.apgd", "one run only", without(attacks.apgd, "restarts")),
    ("attacks.apgd", "always from x", without(attacks.apgd, "generator", "restarts")),
    ("attacks.apgd", "in train mode", in_train_mode(attacks.apgd)),
    ("attacks.square_steps", "squares never shrink", with_constant(attacks.square_steps, "HALVINGS", ())),
    ("attacks.square_steps", "the whole picture", with_constant(attacks.square_steps, "SHARE", 1.0)),
    ("attacks.square_steps", "targets not heard", without(attacks.square_steps, "targets")),
    ("attacks.square", "only the start", with_options(attacks.square, steps=0)),
    ("attacks.square", "targets not heard", without(attacks.square, "targets")),
    ("attacks.square", "in train mode", in_train_mode(attacks.square)),
    ("attacks.Patch", "one place for all", broken(attacks.Patch, places=one_place_for_all)),
    ("attacks.Patch", "over the edge", broken(attacks.Patch, places=over_the_edge)),
    (
        "attacks.Patch",
        "anything fits",
        broken(attacks.Patch, contains=lambda self, x_adv, x: x_adv.flatten(1).amax(1) <= 1),
    ),
    ("attacks.paste", "added", added),
    ("attacks.paste", "rows for columns", rows_for_columns),
    ("attacks.patch_steps", "grey for ever", with_options(attacks.patch_steps, step_size=1e-9)),
    ("attacks.patch_steps", "the step size not heard", without(attacks.patch_steps, "step_size")),
    ("attacks.patch_steps", "targets not heard", without(attacks.patch_steps, "targets")),
    ("attacks.patch", "the step size not heard", without(attacks.patch, "step_size")),
    ("attacks.patch", "the image untouched", lambda model, x, labels, threat, **options: x),
    ("attacks.diagnose", "accuses everybody", verdicts(lambda item: True)),
    ("attacks.diagnose", "accuses nobody", verdicts(lambda item: False)),
    ("attacks.diagnose", "any difference", with_constant(attacks.diagnose, "_few", lambda n: -1.0)),
    ("attacks.diagnose", "a step is as good as a run", with_options(attacks.diagnose, steps=1)),
    ("attacks.diagnose", "no random points", with_options(attacks.diagnose, draws=1)),
]

# Changes that leave every result as it is, with the reason (tests/test_mutations.py).
_HIGHEST = "of points equally high either will do"
_SIGN = "a sign is its own inverse"
_EQUAL = "equal lengths"
_RESTS = "a pixel without a slope stays where it is"
_FLAT = "without any slope the answer is nan"
HARMLESS = {
    "room = torch.where(slope > 0, 1 - x, x).flatten(1) [slope > 0 -> slope >= 0]": _RESTS,
    "rate = (slope.nan_to_num(0.0).flatten(1) * way).abs() [0.0 -> 1.0]": _RESTS,
    "stop, order = torch.where(rate > 0, room / way.abs(), 0.0).sort(dim=1) [0.0 -> 1.0]": _RESTS,
    "t = torch.where(left > 0, (gap[:, None] - done) / left, 0.0).amax(1) [left > 0 -> left >= 0]": _FLAT,
    "t = torch.where(left > 0, (gap[:, None] - done) / left, 0.0).amax(1) [0.0 -> 1.0]": _FLAT,
    "t = torch.where(full.sum(1) >= gap, t, torch.nan)[:, None] [full.sum(1) >= gap -> full.sum(1) > gap]": "a border",
    "higher = loss > peak_loss [loss > peak_loss -> loss >= peak_loss]": _HIGHEST,
    "return (fooled & ~best_fooled) | ((fooled == best_fooled) & (loss > best_loss)) "
    "[loss > best_loss -> loss >= best_loss]": _HIGHEST,
    "threat = Patch(patch.shape[-1]) [-1 -> 1]": "a patch is as high as wide",
    "threat = Patch(patch.shape[-1]) [1 -> 2]": "a patch is as high as wide",
    "for n, first in zip(x.shape[2:], (rows, columns), strict=True) [True -> False]": _EQUAL,
    "return tuple((u * (n + 1)).long() for u, n in zip(draw, last, strict=True)) [True -> False]": _EQUAL,
    'x, goal = begin("patch", x, labels, Linf(1.0), targets, objective) [1.0 -> 2.0]': "any threat passes",
    "last, first = places.where(line, -1).amax(1), places.where(line, line.shape[1]).amin(1) "
    "[-1 -> 1]": "where nothing changed, first lies far behind",
    "last, first = places.where(line, -1).amax(1), places.where(line, line.shape[1]).amin(1) "
    "[1 -> 2]": "any number below 0 does",
    "reached = goal.reached(seen.logits) & (seen.values >= kappa) "
    "[seen.values >= kappa -> seen.values > kappa]": "a border",
    "nearer = reached & (length < shortest) [length < shortest -> length <= shortest]": "equally near",
    "pull = torch.where(seen.values < kappa, weight, 0.0) [seen.values < kappa -> seen.values <= kappa]": "a border",
    "return goal.reached(logits) & (goal(logits) >= kappa) [goal(logits) >= kappa -> goal(logits) > kappa]": "a border",
    "n = len(success[0]) [0 -> 1]": _EQUAL,
    '{f"eps {eps:.3g}": share for eps, share in zip(values, shares, strict=True)}, [True -> False]': _EQUAL,
    "_share(none | odd) > SOME, [_share(none | odd) > SOME -> _share(none | odd) >= SOME]": "a border",
    "_share(still) > SOME, [_share(still) > SOME -> _share(still) >= SOME]": "a border",
    "lost > _few(n), [lost > _few(n) -> lost >= _few(n)]": "a border",
    "differ = (calls.amax(0) - calls.amin(0)).amax(1) > NOISE * (calls[0].amax() - calls[0].amin()) "
    "[0 -> 1]": "every call has a spread",
    "other = (calls.argmax(2) != calls[0].argmax(1)).any(0) [0 -> 1]": "all are alike, or one differs from any",
    "passed = sum(index * 10_000 // steps > border for border in HALVINGS) [10000 -> 10001]": "a hair sooner",
    "sizes = 1 / torch.arange(1, max(height, columns) // 2 + 2, device=like.device).to(like).square() "
    "[1 -> 2]": "the length is made 1 afterwards",
    "for n, u in zip(image.shape[2:], numbers.unbind(1), strict=True): [True -> False]": _EQUAL,
    "return torch.where(numbers < 0.5, 1.0, -1.0).to(like) [numbers < 0.5 -> numbers <= 0.5]": "a border",
    "return values / torch.where(length > 0, length, 1.0) [1.0 -> 2.0]": "what has no length stays 0",
    "return eps * signs.expand_as(image) [eps * signs.expand_as(image) -> eps / signs.expand_as(image)]": _SIGN,
    "return torch.where(inside, eps * _signs(numbers[:, 2:], delta)[:, :, None, None], delta) "
    "[eps * _signs(numbers[:, 2:], delta)[:, :, None, None] -> "
    "eps / _signs(numbers[:, 2:], delta)[:, :, None, None]]": _SIGN,
    "forms = torch.stack([hill(rows, columns, delta), hill(columns, rows, delta).T])[(numbers[:, 4] < 0.5).long()] "
    "[numbers[:, 4] < 0.5 -> numbers[:, 4] <= 0.5]": "a border",
    "new = _unit(delta.where(inside, 0.0), (2, 3)) + added * _signs(numbers[:, 5:], delta)[:, :, None, None] "
    "[added * _signs(numbers[:, 5:], delta)[:, :, None, None] -> "
    "added / _signs(numbers[:, 5:], delta)[:, :, None, None]]": _SIGN,
}
