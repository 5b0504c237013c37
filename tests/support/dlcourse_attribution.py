"""The oracles of the explanations, and broken versions that each must reject.

As in dlcourse_oracles and dlcourse_mutants. Slopes are torch's, taken example by example from a copy of the model in
eval mode; sums, coalitions and matrices are written out in loops. `explains` is what every method must do, whatever it
is. Captum is asked in tests/attribution, not here.
"""

import copy
import math
from collections import OrderedDict
from contextlib import suppress
from dataclasses import FrozenInstanceError, replace
from functools import partial

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812, torch's own name for it
from dlcourse_attacks import (
    Broken,
    all_want_gradients,
    asking,
    asking_in_train_mode,
    forgets_on_failure,
    same,
    state_of,
    stays_in_eval_mode,
)
from dlcourse_oracles import global_stream_untouched, random, refuses, source

from dlcourse import attribution, training

nn = torch.nn
close = partial(torch.testing.assert_close, rtol=0, atol=1e-9)


# --- what every method does -------------------------------------------------------------------------------------------


def filled(model, device, seed=0):
    """The model in float64 with weights that are the same on each device, in train mode."""
    model = model.double()
    for i, p in enumerate(model.parameters()):
        p.data.copy_(random(*p.shape, seed=100 * seed + i, scale=0.7))
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.copy_(random(*module.running_mean.shape, seed=7))
            module.running_var.copy_(random(*module.running_var.shape, seed=8) ** 2 + 0.5)
    return model.to(device).train()


def cnn(device="cpu", *, classes=3, norm=False):
    """A small network for pictures (2, 6, 5), with a dropout that shows the mode."""
    layers = OrderedDict(
        conv1=nn.Conv2d(2, 3, 3, padding=1),
        relu1=nn.ReLU(),
        conv2=nn.Conv2d(3, 4, 2),
        pool=nn.MaxPool2d(2),
        **({"norm": nn.BatchNorm2d(4)} if norm else {}),
        relu2=nn.ReLU(),
        drop=nn.Dropout(0.5),
        flatten=nn.Flatten(),
        linear=nn.Linear(16, classes),
    )
    return filled(nn.Sequential(layers), device)


def pictures(device="cpu", batch=4, *, seed=0, dtype=torch.float64):
    """Numbers of both signs and zeros, not square."""
    x = random(batch, 2, 6, 5, seed=seed, dtype=torch.float64)
    return torch.where(x.abs() < 0.2, 0.0, x).to(device, dtype)


TARGETS = [1, 0, 2, 1]


def targets(device):
    return torch.tensor(TARGETS, device=device)


def still(model):
    """A copy in eval mode, for references."""
    return copy.deepcopy(model).eval() if isinstance(model, nn.Module) else model


def value(model, x, target):
    """The scores, one example after the other."""
    model = still(model)
    return torch.stack([model(x[i : i + 1])[0, t] for i, t in enumerate(target)]).detach()


def slopes(model, x, target):
    """Torch's slopes, one example after the other."""
    found, model = [], still(model)
    for i, t in enumerate(target):
        leaf = x[i : i + 1].detach().clone().requires_grad_()
        (slope,) = torch.autograd.grad(model(leaf)[0, t], leaf)
        found.append(slope)
    return torch.cat(found)


def mixed(model):
    """The same model with a layer in eval mode, a parameter that wants no gradient, and one that has a gradient."""
    model.drop.eval()
    model.linear.bias.requires_grad_(False)
    model.linear.weight.grad = torch.ones_like(model.linear.weight)
    return model


def leaves(call, device, make=cnn):
    """call(model) leaves the model as it was, also when its first or second answer fails; it asks in eval mode."""
    model = mixed(make(device))
    before = state_of(model)
    call(model)
    assert same(state_of(model), before), "the model was changed"
    assert torch.is_grad_enabled()
    modes = torch._C._len_torch_function_stack()
    for at in (1, 2):
        count = [0]

        def hook(module, inputs, at=at, count=count, model=model):
            assert not any(m.training for m in model.modules()), "asked in train mode"
            count[0] += 1
            if count[0] == at:
                raise Broken

        handle = model.linear.register_forward_pre_hook(hook)
        before = state_of(model)
        with suppress(Broken):
            call(model)
        assert count[0], "the model was not asked"
        assert same(state_of(model), before), "the model was changed by a failure"
        assert torch.is_grad_enabled()
        assert torch._C._len_torch_function_stack() == modes, "a mode was left behind"
        handle.remove()


def explains(method, device, *, make=cnn, x=None, like=lambda x: x, functions=True):
    """method(model, x, target), the same numbers at each call: like(x) tells the shape of the map, None a number each.

    Each example for itself; targets in any form; any layout of memory; the model, x and torch's own stream left alone;
    refusals in words.
    """
    model, x, t = make(device), pictures(device) if x is None else x, targets(device)
    before = x.clone()
    with global_stream_untouched():
        found = method(model, x, t)
    assert torch.equal(x, before), "x was changed"
    assert (found.shape, found.dtype, found.device) == (like(x).shape, x.dtype, x.device)
    assert not found.requires_grad
    others = x.flip(0).clone()
    others[2] = x[2]
    again = method(model, others, torch.tensor([0, 1, 2, 2], device=device))
    close(again[2], found[2])
    two = torch.full_like(t, 2)
    close(method(model, x, two), method(model, x, 2))
    close(method(model, x, two.int()), method(model, x, 2))
    if functions:
        close(method(model, x, lambda z: z.gather(1, t[:, None])[:, 0]), found)
        close(method(model, x, lambda z: 3 * z[:, 2]), 3 * method(model, x, 2))
    turned = x.transpose(1, -1).contiguous().transpose(1, -1)
    close(method(model, turned, t), found)
    assert method(still(model).float(), x.float(), t).dtype == torch.float32
    leaf = x.clone().requires_grad_()
    assert not method(model, leaf, t).requires_grad
    assert leaf.grad is None
    with torch.no_grad():
        close(method(model, x, t), found)
    leaves(lambda m: method(m, x, t), device, make)
    refuses(lambda: method(model, x.long(), t), TypeError, "int64", "x.float()")
    refuses(lambda: method(model, x[:0], t[:0]), ValueError, "at least one example")
    refuses(lambda: method(model, x, 3), ValueError, "target 3", "from 0 to 2")
    refuses(lambda: method(model, x, -1), ValueError, "target -1")
    refuses(lambda: method(model, x, t[1:]), ValueError, "target [0, 2, 1]", "one for each")
    refuses(lambda: method(model, x, t.double()), TypeError, "torch.float64", "integers")
    refuses(lambda: method(model, x, t > 0), TypeError, "torch.bool")
    refuses(lambda: method(model, x, t + 0j), TypeError, "torch.complex")
    if functions:
        refuses(lambda: method(model, x, lambda z: z), ValueError, "target made", "wanted a score for each")
        refuses(lambda: method(model, x, lambda z: None), ValueError, "NoneType")


def wants_slopes(method, device):
    """Refusals of the methods that follow slopes."""
    model, x = cnn(device).eval(), pictures(device)
    for wrong in (lambda x: model(x.detach()), lambda x: model(x).detach()):
        refuses(lambda m=wrong: method(m, x, 0), ValueError, "no slope", "occlusion")


def wants_logits(method, device):
    """Refusals of what is no (batch, classes)."""
    x = pictures(device)
    for wrong, words in (
        (lambda x: x, (", 2, 6, 5)", ", classes)")),
        (lambda x: x.flatten(1)[1:], (", 60)",)),
        (lambda x: [x], ("list",)),
    ):
        refuses(lambda m=wrong: method(m, x, 0), ValueError, "wanted logits", *words)
    refuses(lambda: method(lambda x: x[:, None], torch.ones(3, device=device), 0), ValueError, "(3,)", "(batch, ...)")


def in_place_first(method, device):
    """A model whose first layer works in place neither fails nor changes x."""
    model, x = nn.Sequential(nn.ReLU(inplace=True), nn.Flatten()), pictures(device)
    before = x.clone()
    method(model, x, 3)
    assert torch.equal(x, before)


# --- score ------------------------------------------------------------------------------------------------------------


def score(function, device):
    """The target's logit, in the graph and in the model's own mode."""
    model, x = cnn(device).eval(), pictures(device).requires_grad_()
    found = function(model, x, targets(device))
    close(found.detach(), value(model, x, TARGETS))
    found.sum().backward()
    close(x.grad, slopes(model, x, TARGETS))
    seen = []
    function(lambda x: (seen.append(torch.is_grad_enabled()), x.flatten(1))[1], x, 0)
    assert seen == [True]
    one = torch.ones(2, 1, device=device)
    assert function(lambda x: 5 * x, one, 0).tolist() == [5, 5]
    assert function(lambda x: x, one, lambda z: z[:, 0] + 1).tolist() == [2, 2]
    assert function(lambda x: x[:0], one[:0], torch.zeros(0, dtype=torch.long, device=device)).shape == (0,)
    for wrong in (torch.ones(2), 0.5, True, 1j):
        refuses(lambda w=wrong: function(model, x, w), TypeError, "wanted class numbers")
    for wrong in (3, -1, torch.tensor([0, 1, 2], device=device), torch.tensor([[0, 1, 2, 1]], device=device)):
        refuses(lambda w=wrong: function(model, x, w), ValueError, "does not fit logits (4, 3)", "from 0 to 2")
    wants = lambda m, x, t: function(m, x, t)  # noqa: E731
    x = pictures(device)
    for wrong, words in (
        (lambda x: x, ("(4, 2, 6, 5)", "wanted logits (4, classes)")),
        (lambda x: x.flatten(1)[1:], ("(3, 60)",)),
        (lambda x: [x], ("list",)),
    ):
        refuses(lambda m=wrong: wants(m, x, 0), ValueError, *words)
    refuses(lambda: function(model, x, lambda z: z[:, :1]), ValueError, "(4, 1)", "wanted a score for each, (4,)")
    refuses(lambda: function(model, x, lambda z: [z]), ValueError, "target made list")


def probability(function, device):
    x = random(4, 3, scale=3, device=device)
    wanted = x.softmax(1)
    close(attribution.score(lambda x: x, x, function(1)), wanted[:, 1])
    close(attribution.score(lambda x: x, x, function(targets(device))), wanted[range(4), TARGETS])
    refuses(lambda: function(3)(x), ValueError, "target 3")


def slope(function, device):
    """Scores and torch's slopes."""
    model, x = cnn(device), pictures(device)
    values, gradient = function(model, x, targets(device))
    assert not values.requires_grad
    close(values, value(model, x, TARGETS))
    close(gradient, slopes(model, x, TARGETS))
    method = lambda m, x, t: function(m, x, t)[1]  # noqa: E731
    explains(method, device)
    wants_slopes(method, device)
    wants_logits(method, device)
    in_place_first(method, device)
    assert function(lambda x: x**2, torch.full((2, 1), 3.0, device=device), 0)[1].tolist() == [[6], [6]]


def scores(function, device):
    model, x = cnn(device), pictures(device)
    close(function(model, x, targets(device)), value(model, x, TARGETS))
    explains(function, device, like=lambda x: x[:, 0, 0, 0])
    wants_logits(function, device)
    in_place_first(function, device)
    close(function(lambda x: x.detach().flatten(1), x, 2), x[:, 0, 0, 2])
    close(function(lambda x: 2 * x, x[0, 0], 1), 2 * x[0, 0, :, 1])


def covered_scores(function, device):
    """Version by version and example by example; any number of versions at a time."""
    model, x = cnn(device), pictures(device)
    black = random(2, 6, 5, seed=5, device=device)
    for shape in ((7, 4, 2, 6, 5), (7, 1, 2, 6, 5), (7, 1, 1, 1, 1), (300, 4, 1, 6, 1), (1, 4, 1, 1, 1)):
        hidden = random(*shape, seed=3, device=device) > 0
        for baseline in (black, 0.3, None, x.flip(0)):
            found = function(model, x, targets(device), hidden, baseline=baseline)
            behind = torch.zeros_like(x) + (0.0 if baseline is None else baseline)
            wanted = [value(model, torch.where(h, behind, x), TARGETS) for h in hidden[:9]]
            assert found.shape == (shape[0], 4)
            close(found[:9], torch.stack(wanted))
            if shape[0] > 9:
                break
    many = pictures(device, 300)
    seen = []
    found = function(lambda x: (seen.append(len(x)), x.flatten(1))[1], many, 0, hidden[:1, :1].expand(3, 1, 1, 1, 1))
    assert found.shape == (3, 300)
    assert seen == [300] * 3
    seen.clear()
    function(lambda x: (seen.append(len(x)), x.flatten(1))[1], x, 0, (hidden[:1, :1]).expand(130, 1, 1, 1, 1))
    assert seen == [256, 256, 8]
    flags = random(3, 1, 1, 6, 5, device=device) > 0
    explains(lambda m, x, t: function(m, x, t, flags)[1], device, like=lambda x: x[:, 0, 0, 0])
    wants_logits(lambda m, x, t: function(m, x, t, flags if x.ndim == 4 else flags[:, 0, 0, 0, 0]), device)
    for wrong in (flags[0], flags[:, :, :, :5], flags.expand(3, 3, 1, 6, 5), flags[None]):
        refuses(lambda w=wrong: function(model, x, 0, w), ValueError, "does not fit x", "(4, 2, 6, 5)")
    for wrong in (black[:1, :5], x[:3], x[None]):
        refuses(lambda w=wrong: function(model, x, 0, flags, baseline=w), ValueError, "a baseline", "(2, 6, 5)")


# --- slopes -----------------------------------------------------------------------------------------------------------


def saliency(function, device):
    model, x = cnn(device), pictures(device)
    close(function(model, x, targets(device)), slopes(model, x, TARGETS))
    explains(function, device)
    wants_slopes(function, device)


def input_x_gradient(function, device):
    model, x = cnn(device), pictures(device)
    close(function(model, x, targets(device)), x * slopes(model, x, TARGETS))
    explains(function, device)
    wants_slopes(function, device)


def noisy_slopes(model, x, sd, samples, seed, squared):
    """Each noisy copy, its slope, and the mean of all so far."""
    g = source(seed, x.device)
    seen = []
    for _ in range(samples):
        noisy = x + sd * torch.randn(x.shape, generator=g, dtype=x.dtype, device=x.device)
        seen.append((noisy, slopes(model, noisy, TARGETS)))
        kept = torch.stack([s**2 if squared else s for _, s in seen])
        yield noisy, seen[-1][1], kept.mean(0)


def smoothgrad_steps(function, device):
    """Copy by copy, from the generator's own noise; no noise is the slope itself."""
    model, x = cnn(device), pictures(device)
    for squared in (False, True):
        options = {"sd": 0.3, "samples": 3, "squared": squared}
        found = [*function(model, x, targets(device), generator=source(4, device), **options)]
        assert [step.index for step in found] == [0, 1, 2]
        for step, wanted in zip(found, noisy_slopes(model, x, 0.3, 3, 4, squared), strict=True):
            for ours, theirs in zip((step.noisy, step.gradient, step.mean), wanted, strict=True):
                close(ours, theirs)
    method = lambda m, x, t: [*function(m, x, t, generator=source(4, device), **options)][-1].mean  # noqa: E731
    explains(method, device, functions=False)
    plain, said = (
        [*function(model, x, 0, sd=0.1, samples=1, generator=source(4, device), **o)] for o in ({}, {"squared": False})
    )
    close(plain[0].mean, said[0].mean)
    smoothgrad_options(lambda *a, **o: [*function(*a, **o)], model, x, device)
    with pytest.raises(FrozenInstanceError):
        step.mean = x


def smoothgrad_options(call, model, x, device):
    call = partial(call, model, x, 0)
    g = source(0, device)
    assert len([*call(sd=0.0, generator=g)]) in (4, 50)  # the map of 4 examples, or 50 steps
    for wrong in (-0.1, math.inf, math.nan):
        refuses(lambda w=wrong: call(sd=w, generator=g), ValueError, "smoothgrad(sd=", "0 or more")
    for wrong in (0, 1.5):
        refuses(lambda w=wrong: call(sd=0.1, samples=w, generator=g), ValueError, "smoothgrad", f"samples={wrong}")


def smoothgrad(function, device):
    model, x = cnn(device), pictures(device)
    for squared in (False, True):
        *_, (_, _, wanted) = noisy_slopes(model, x, 0.3, 5, 4, squared)
        options = {"sd": 0.3, "samples": 5, "squared": squared}
        close(function(model, x, targets(device), generator=source(4, device), **options), wanted)
    plain = function(model, x, targets(device), sd=0.0, samples=2, generator=source(0, device))
    close(plain, slopes(model, x, TARGETS))
    *_, (_, _, wanted) = noisy_slopes(model, x, 0.3, 1, 4, False)
    close(function(model, x, targets(device), sd=0.3, samples=1, generator=source(4, device)), wanted)
    *_, (_, _, wanted) = noisy_slopes(model, x, 0.3, 50, 4, False)
    close(function(model, x, targets(device), sd=0.3, generator=source(4, device)), wanted)
    options = {"sd": 0.3, "samples": 2}
    explains(lambda m, x, t: function(m, x, t, generator=source(4, device), **options), device)
    smoothgrad_options(function, model, x, device)


# --- integrated gradients ---------------------------------------------------------------------------------------------


def exact_up_to(degree):
    """Oracle for a quadrature that is exact for polynomials up to degree(steps), and no further."""

    def oracle(function, device):
        for steps in (2, 3, 7):
            alphas, weights = function(steps)
            assert len(alphas) == len(weights) == steps
            assert alphas == sorted(alphas)
            assert 0 <= alphas[0] < alphas[-1] <= 1
            assert all(isinstance(n, float) for n in (*alphas, *weights))
            for power in range(degree(steps) + 2):
                found = sum(w * a**power for a, w in zip(alphas, weights, strict=True))
                error = abs(found - 1 / (power + 1))
                assert (error < 1e-12) == (power <= degree(steps)), (steps, power, error)

    return oracle


def gauss_legendre(function, device):
    exact_up_to(lambda steps: 2 * steps - 1)(function, device)
    assert function(1) == ([0.5], [1.0])
    places, weights = np.polynomial.legendre.leggauss(9)
    assert np.allclose(function(9), [(places + 1) / 2, weights / 2], rtol=0, atol=1e-15)


def trapezoid(function, device):
    exact_up_to(lambda steps: 1)(function, device)
    for steps in (2, 5):
        alphas, weights = function(steps)
        assert np.allclose(alphas, np.linspace(0, 1, steps), rtol=0, atol=1e-15)
        values = np.random.default_rng(0).normal(size=steps)
        assert np.dot(weights, values) == pytest.approx(np.trapezoid(values, alphas))
    refuses(lambda: function(1), ValueError, "trapezoid", "steps_less_one=0")


def right_ends(function, device):
    exact_up_to(lambda steps: 0)(function, device)
    assert function(4) == ([0.25, 0.5, 0.75, 1.0], [0.25] * 4)
    assert function(1) == ([1.0], [1.0])


RULES = {
    "gauss_legendre": lambda n: tuple(np.polynomial.legendre.leggauss(n)[i] / 2 + (0.5, 0)[i] for i in (0, 1)),
    "trapezoid": lambda n: (np.linspace(0, 1, n), np.array([0.5, *[1.0] * (n - 2), 0.5]) / (n - 1)),
    "right_ends": lambda n: (np.arange(1, n + 1) / n, np.full(n, 1 / n)),
}
BASELINES = (None, 0.4, "point", "each")


def baseline_of(kind, x):
    if kind == "point":
        return random(*x.shape[1:], seed=9, device=x.device)
    return random(*x.shape, seed=9, device=x.device) if kind == "each" else kind


def path_by_hand(model, x, rule, steps, baseline):
    behind = torch.zeros_like(x) + (0.0 if baseline is None else baseline)
    total = torch.zeros_like(x)
    for alpha, weight in zip(*RULES[rule](steps), strict=True):
        point = behind + float(alpha) * (x - behind)
        slope = slopes(model, point, TARGETS)
        total = total + float(weight) * slope * (x - behind)
        yield float(alpha), float(weight), value(model, point, TARGETS), slope, total.clone()


def integrated_gradients_steps(function, device):
    """Point by point, for each rule and kind of baseline."""
    model, x = cnn(device), pictures(device)
    for rule, kind in zip((*RULES, "gauss_legendre"), BASELINES, strict=True):
        baseline = baseline_of(kind, x)
        options = {"baseline": baseline, "steps": 4, "rule": getattr(attribution, rule)}
        found = [*function(model, x, targets(device), **options)]
        assert [step.index for step in found] == [0, 1, 2, 3]
        for step, wanted in zip(found, path_by_hand(model, x, rule, 4, baseline), strict=True):
            ours = (step.alpha, step.weight, step.score, step.gradient, step.map)
            for one, other in zip(ours, wanted, strict=True):
                close(torch.as_tensor(one, dtype=torch.float64), torch.as_tensor(other, dtype=torch.float64))
    assert len([*function(model, x, 0)]) == 50
    many, passes = pictures(device, 100), []
    found = [*function(lambda x: (passes.append(len(x)), x.flatten(1) ** 2)[1], many, 3, steps=5)]
    assert passes == [200, 200, 100]
    for step in found:
        close(step.gradient.flatten(1)[:, 3], 2 * step.alpha * many.flatten(1)[:, 3])
        close(step.score, step.gradient.flatten(1)[:, 3] ** 2 / 4)
    assert not step.map.requires_grad
    method = lambda m, x, t: [*function(m, x, t, **options)][-1].map  # noqa: E731
    explains(method, device)
    path_options(lambda *a, **o: [*function(*a, **o)], model, x)


def path_options(call, model, x, caller="integrated_gradients"):
    assert call(model, x, 0, steps=1) is not None
    for wrong in (0, 2.5):
        refuses(lambda w=wrong: call(model, x, 0, steps=w), ValueError, caller, f"steps={wrong}")
    refuses(lambda: call(model, x, 0, baseline=x[:3]), ValueError, caller, "baseline (3, 2, 6, 5)")


def integrated_gradients(function, device):
    """Where the steps end; complete on a tanh network to 1e-9, and on the paper's examples."""
    model, x = cnn(device), pictures(device)
    for rule, kind in zip((*RULES, "gauss_legendre"), BASELINES, strict=True):
        baseline = baseline_of(kind, x)
        *_, (*_, wanted) = path_by_hand(model, x, rule, 5, baseline)
        options = {"baseline": baseline, "steps": 5, "rule": getattr(attribution, rule)}
        close(function(model, x, targets(device), **options), wanted)
    *_, (*_, wanted) = path_by_hand(model, x, "gauss_legendre", 50, None)
    close(function(model, x, targets(device)), wanted)
    smooth = filled(nn.Sequential(nn.Flatten(), nn.Linear(60, 8), nn.Tanh(), nn.Linear(8, 3)), device)
    gap = function(smooth, x, 1).flatten(1).sum(1) - value(smooth, x, [1] * 4) + value(smooth, 0 * x, [1] * 4)
    assert gap.abs().max() < 1e-6
    method = partial(function, steps=3)
    explains(method, device)
    wants_slopes(method, device)
    path_options(function, model, x)


# --- guided -----------------------------------------------------------------------------------------------------------


class Relus(nn.Module):
    """One network, its ReLUs spelled in many ways; one module serves twice."""

    def __init__(self, kind):
        super().__init__()
        self.first, self.second = nn.Linear(60, 9), nn.Linear(9, 7)
        self.drop, self.linear = nn.Dropout(0.5), nn.Linear(7, 3)
        self.relu, self.kind = nn.ReLU(inplace=kind == "in place"), kind

    def on(self, z):
        if self.kind in ("module", "in place"):
            return self.relu(z)
        if self.kind == "thrown away":
            z.relu_()
            return z
        return {
            "torch": lambda: torch.relu(z),
            "named": lambda: torch.relu(input=z),
            "functional": lambda: F.relu(z),
            "functional in place": lambda: F.relu(z, inplace=True),
            "functional by place": lambda: F.relu(z, True),
            "method": lambda: z.relu(),
            "torch in place": lambda: torch.relu_(z),
        }[self.kind]()

    def forward(self, x):
        return self.linear(self.drop(self.on(self.second(self.on(self.first(x.flatten(1)))))))


KINDS = ("module", "in place", "torch", "named", "functional", "functional in place", "functional by place", "method")
KINDS += ("torch in place", "thrown away")


def backwards_by_hand(model, x, way):
    """Three matrices, and two ways back."""
    with torch.no_grad():
        z1 = model.first(x.flatten(1))
        z2 = model.second(z1.clamp(min=0))
        g = model.linear.weight[TARGETS]
        g = way(g, z2) @ model.second.weight
        return (way(g, z1) @ model.first.weight).view_as(x)


def ways(way):
    """Oracle for a slope that goes back through the ReLUs by `way`."""

    def oracle(function, device):
        x = pictures(device)
        for kind in KINDS:
            model = filled(Relus(kind), device).eval()
            for p in model.parameters():
                p.data *= 2
            for scale in (0.02, 0.3, 1.0):
                close(function(model, scale * x, targets(device)), backwards_by_hand(model, scale * x, way))
            close(attribution.saliency(model, x, targets(device)), slopes(model, x, TARGETS))  # nothing is left behind
        explains(function, device)
        explains(function, device, make=lambda device: filled(Relus("in place"), device))
        seen = []
        function(lambda x: (torch.relu(z := 2 * x), seen.append(z.detach().clone()))[0].flatten(1), x, 0)
        close(seen[0], 2 * x)  # what is not meant to work in place does not
        leaf = torch.tensor([[-1.0, 2.0]], device=device, requires_grad=True)
        with pytest.raises(RuntimeError, match="in-place"):
            function(lambda x: torch.relu_(leaf) + x, torch.ones(1, 2, device=device), 0)
        words = ("no relu of torch", "torch.nn.ReLU", "clamp")
        name = {guided_way: "guided_backprop", deconv_way: "deconvnet"}[way]
        refuses(lambda: function(lambda x: x.flatten(1).clamp(min=0), x, 0), ValueError, name, *words)
        wants_slopes(lambda m, x, t: function(lambda x: torch.relu(m(x)), x, t), device)
        zero = torch.zeros(1, 1, device=device)  # at exactly 0 the unit is off
        assert function(torch.relu, zero, 0).item() == way(zero + 1, zero).item()

    return oracle


def guided_way(g, z):
    return torch.where((g > 0) & (z > 0), g, 0.0)


def deconv_way(g, z):
    return torch.where(g > 0, g, 0.0)


# --- layers -----------------------------------------------------------------------------------------------------------


def split(model, layer):
    """The model in eval mode in two parts, behind the layer."""
    model = still(model)
    at = [*dict(model.named_children())].index(layer) + 1
    return model[:at], model[at:]


def layer_by_hand(model, x, layer):
    """What the layer puts out, and torch's slope for it."""
    below, above = split(model, layer)
    maps = below(x).detach()
    return maps, slopes(above, maps, TARGETS)


LAYERS = ("conv1", "relu1", "conv2", "pool")


def in_place(device):
    """The same network, its ReLUs in place."""
    model = cnn(device)
    model.relu1.inplace = model.relu2.inplace = True
    return model


def of_layers(call, device, like):
    """What every method of a layer does: call(model, x, target, layer=name)."""
    x = pictures(device)
    method = lambda m, x, t: call(m, x, t, layer="conv2")  # noqa: E731
    explains(method, device, like=like)
    for layer in LAYERS:
        one = call(in_place(device), x, targets(device), layer=layer)
        close(one, call(cnn(device), x, targets(device), layer=layer)) if layer in ("conv1", "conv2") else None
    refuses(lambda: call(cnn(device), x, 0, layer="conv9"), ValueError, "conv9", "conv1")
    relu = nn.ReLU()
    twice = nn.Sequential(nn.Identity(), relu, nn.Flatten(), relu)
    refuses(lambda: call(twice, x, 0, layer="1"), ValueError, "'1' ran 2 times")

    class Unused(nn.Sequential):
        def forward(self, x):
            return self[0](x)

    never = Unused(nn.Flatten(), nn.Identity())
    refuses(lambda: call(never, x, 0, layer="1"), ValueError, "'1' ran 0 times")

    class Deaf(nn.Sequential):
        def forward(self, x):
            self[1](x)
            return self[0](x)

    refuses(
        lambda: call(Deaf(nn.Flatten(), nn.Identity()), x, 0, layer="1"), ValueError, "does not depend on layer '1'"
    )

    class Pair(nn.Module):
        def forward(self, x):
            return (x, x)

    class Two(nn.Sequential):
        def forward(self, x):
            return self[0](x)[0].flatten(1)

    refuses(lambda: call(Two(Pair()), x, 0, layer="0"), ValueError, "'0' gave tuple")


def grad_cam(function, device):
    """The channels weighed by their mean slope, in any layer of maps."""
    model, x = cnn(device), pictures(device)
    for layer in LAYERS:
        maps, slope = layer_by_hand(model, x, layer)
        wanted = torch.zeros_like(maps[:, 0])
        for k in range(maps.shape[1]):
            wanted += slope[:, k].flatten(1).mean(1)[:, None, None] * maps[:, k]
        close(function(model, x, targets(device), layer=layer, relu=False), wanted)
        close(function(model, x, targets(device), layer=layer), wanted.clamp(min=0))
        assert wanted.min() < 0 < wanted.max()
    of_layers(function, device, like=lambda x: torch.zeros(4, 5, 4))
    refuses(lambda: function(model, x, 0, layer="flatten"), ValueError, "grad_cam", "'flatten' gave (4, 16)", "maps")


def upsampled(function, device):
    """Bilinear between the centres of the pixels."""
    cam = random(3, 2, 3, device=device)
    found = function(cam, (7, 5))
    assert found.shape == (3, 7, 5)
    for row in range(7):
        for column in range(5):
            y, x = (row + 0.5) * 2 / 7 - 0.5, (column + 0.5) * 3 / 5 - 0.5
            y, x = min(max(y, 0), 1), min(max(x, 0), 2)
            top, left = min(int(y), 0), min(int(x), 1)
            wanted = sum(
                (1 - abs(y - r)) * (1 - abs(x - c)) * cam[:, r, c] for r in (top, top + 1) for c in (left, left + 1)
            )
            close(found[:, row, column], wanted)


def layer_gradient_x_activation(function, device):
    model, x = cnn(device), pictures(device)
    for layer in (*LAYERS, "flatten"):
        maps, slope = layer_by_hand(model, x, layer)
        close(function(model, x, targets(device), layer=layer), maps * slope)
    of_layers(function, device, like=lambda x: torch.zeros(4, 4, 5, 4))


def layer_integrated_gradients(function, device):
    """The path is straight in the layer's outputs."""
    model, x = cnn(device), pictures(device)
    for (rule, kind), layer in zip(zip((*RULES, "gauss_legendre"), BASELINES, strict=True), LAYERS, strict=True):
        baseline = baseline_of(kind, x)
        below, above = split(model, layer)
        end = below(x).detach()
        begin = below(torch.zeros_like(x) + (0.0 if baseline is None else baseline)).detach()
        *_, (*_, wanted) = path_by_hand(above, end, rule, 5, begin)
        options = {"baseline": baseline, "steps": 5, "rule": getattr(attribution, rule)}
        close(function(model, x, targets(device), layer=layer, **options), wanted)
    *_, (*_, wanted) = path_by_hand(above, end, "gauss_legendre", 50, below(0 * x).detach())
    close(function(model, x, targets(device), layer=layer), wanted)
    of_layers(partial(function, steps=3), device, like=lambda x: torch.zeros(4, 4, 5, 4))
    call = lambda *a, **o: function(*a, layer="conv2", **o)  # noqa: E731
    path_options(call, model, x, "layer_integrated_gradients")


# --- occlusion --------------------------------------------------------------------------------------------------------


def occlusion_by_hand(model, x, window, stride, baseline):
    """Window by window, pixel by pixel; the last ones may stick out."""
    height, width = x.shape[2:]
    total, count = torch.zeros_like(x[:, :1]), torch.zeros(height, width, dtype=torch.float64, device=x.device)
    before, behind = value(model, x, TARGETS), torch.zeros_like(x) + (0.0 if baseline is None else baseline)
    rows = [stride[0] * i for i in range(1 + math.ceil((height - window[0]) / stride[0]))]
    columns = [stride[1] * i for i in range(1 + math.ceil((width - window[1]) / stride[1]))]
    for top in rows:
        for left in columns:
            here = (..., slice(top, top + window[0]), slice(left, left + window[1]))
            covered = x.clone()
            covered[here] = behind[here]
            total[here] += (before - value(model, covered, TARGETS))[:, None, None, None]
            count[here] += 1
    return (total / count).expand_as(x)


def occlusion(function, device):
    model, x = cnn(device), pictures(device)
    cases = (((3, 2), (2, 1), None), ((1, 1), (1, 1), 0.4), ((4, 5), (3, 4), "point"), ((2, 3), (2, 3), "each"))
    for window, stride, kind in cases:
        baseline = baseline_of(kind, x)
        wanted = occlusion_by_hand(model, x, window, stride, baseline)
        close(function(model, x, targets(device), window=window, stride=stride, baseline=baseline), wanted)
    close(function(model, x, targets(device), window=2), occlusion_by_hand(model, x, (2, 2), (1, 1), None))
    close(function(model, x, targets(device), window=3, stride=2), occlusion_by_hand(model, x, (3, 3), (2, 2), None))
    method = partial(function, window=3, stride=2)
    explains(method, device)
    found = method(model, x, 0)
    found[0, 0, 0, 0] = 99.0
    assert found[0, 1, 0, 0] != 99  # each number is its own
    for options in ({"window": 7}, {"window": (6, 6)}, {"window": 2, "stride": 3}, {"window": 2, "stride": (1, 3)}):
        refuses(lambda o=options: function(model, x, 0, **o), ValueError, "no larger than")
    for options in ({"window": 0}, {"window": 2, "stride": 0}, {"window": 1.5}):
        refuses(lambda o=options: function(model, x, 0, **o), ValueError, "occlusion", "_rows=")
    refuses(lambda: function(model, x, 0, window=2, baseline=x[1:]), ValueError, "a baseline (3, 2, 6, 5)")


ORACLES = {
    "training.asking": asking,
    "attribution.score": score,
    "attribution.scores": scores,
    "attribution.slope": slope,
    "attribution.probability": probability,
    "attribution.covered_scores": covered_scores,
    "attribution.saliency": saliency,
    "attribution.input_x_gradient": input_x_gradient,
    "attribution.smoothgrad_steps": smoothgrad_steps,
    "attribution.smoothgrad": smoothgrad,
    "attribution.gauss_legendre": gauss_legendre,
    "attribution.trapezoid": trapezoid,
    "attribution.right_ends": right_ends,
    "attribution.integrated_gradients_steps": integrated_gradients_steps,
    "attribution.integrated_gradients": integrated_gradients,
    "attribution.guided_backprop": ways(guided_way),
    "attribution.deconvnet": ways(deconv_way),
    "attribution.grad_cam": grad_cam,
    "attribution.upsampled": upsampled,
    "attribution.layer_gradient_x_activation": layer_gradient_x_activation,
    "attribution.layer_integrated_gradients": layer_integrated_gradients,
    "attribution.occlusion": occlusion,
}
RECORDS = {"IntegratedStep", "SmoothgradStep"}


# --- broken versions --------------------------------------------------------------------------------------------------


def without(right, *names):
    """The method that does not listen to some options."""
    return lambda *given, **options: right(*given, **{k: v for k, v in options.items() if k not in names})


def with_options(right, **fixed):
    return lambda *given, **options: right(*given, **options | fixed)


def of_method(name, *, plain=True):
    """What people get wrong in any method."""
    right, full = getattr(attribution, name), f"attribution.{name}"

    def with_target(change):
        return lambda model, x, target, **o: right(model, x, change(target), **o)

    first = lambda t: t[0].item() if isinstance(t, torch.Tensor) and t.ndim and len(t) == 4 else t  # noqa: E731
    yield full, "one target for all", with_target(first)
    yield full, "divided by the batch", lambda model, x, *a, **o: right(model, x, *a, **o) / len(x)
    yield full, "its sign lost", lambda *a, **o: right(*a, **o).abs()
    yield full, "any x", lambda model, x, *a, **o: right(model, x if x.is_floating_point() else 1.0 * x, *a, **o)
    if plain:
        of_class = lambda t: t if callable(t) else attribution.probability(t)  # noqa: E731
        yield full, "of the probability", with_target(of_class)
        yield full, "in train mode", lambda model, *a, **o: right(lambda x: model(x), *a, **o)


def keeps_the_graph(model, x, target):
    """The gradient by backward, which also fills those of the parameters."""
    leaf = x.detach().requires_grad_()
    with training.evaluating(model) if isinstance(model, nn.Module) else torch.no_grad(), torch.enable_grad():
        values = attribution.score(model, leaf, target)
        values.sum().backward()
    return values.detach(), leaf.grad


def no_neighbours(model, x, target, hidden, *, baseline=None):
    """The order of versions and examples mixed up."""
    return attribution.covered_scores(model, x, target, hidden, baseline=baseline).flip(0)


def restarted(right):
    """The same noise for each copy."""

    def call(model, x, target, *, generator, **options):
        state = generator.get_state()
        for step in right(model, x, target, generator=generator, **options):
            generator.set_state(state)
            yield step

    return call


def to_the_end(steps, name):
    """The plain function of some steps."""
    return lambda *a, **o: getattr([*steps(*a, **o)][-1], name)


def without_the_way(model, x, target, **options):
    """Mean slopes, never multiplied by x - baseline."""
    total = torch.zeros_like(x)
    for step in attribution.integrated_gradients_steps(model, x, target, **options):
        total = total + step.weight * step.gradient
        yield replace(step, map=total)


def times_x(model, x, target, **options):
    """Multiplied by x and not by x - baseline."""
    total = torch.zeros_like(x)
    for step in attribution.integrated_gradients_steps(model, x, target, **options):
        total = total + step.weight * step.gradient * x
        yield replace(step, map=total)


def hooked(way):
    """With hooks that stay."""

    def call(model, x, target):
        for module in model.modules() if isinstance(model, nn.Module) else ():
            if isinstance(module, nn.ReLU):
                module.register_forward_hook(lambda module, inputs, output: None)
        return way(model, x, target)

    return call


def cam_by(weigh):
    """Grad-CAM with other weights of the channels."""

    def call(model, x, target, *, layer, relu=True):
        attribution.grad_cam(model, x, target, layer=layer, relu=relu)
        still_model = still(model)
        at = [*dict(model.named_children())].index(layer) + 1
        maps = still_model[:at](x.detach()).detach()
        gradient = attribution.saliency(still_model[at:], maps, target)
        found = (weigh(gradient) * maps).sum(1)
        return found.clamp(min=0) if relu else found

    return call


def not_averaged(model, x, target, **options):
    """The falls of all windows added up."""
    found = attribution.occlusion(model, x, target, **options)
    rows, columns = w if isinstance(w := options["window"], tuple) else (w, w)
    return found * rows * columns


def the_other_way(model, x, target, **options):
    return -attribution.occlusion(model, x, target, **options)


def tuned(quadrature, change):
    return lambda steps: change(*quadrature(steps))


NAMED = [
    ("training.asking", "in train mode", asking_in_train_mode),
    ("training.asking", "every parameter wants a gradient", all_want_gradients),
    ("training.asking", "stays in eval mode", stays_in_eval_mode),
    ("training.asking", "not put back after a failure", forgets_on_failure),
    ("attribution.score", "of the probability", lambda m, x, t: attribution.score(lambda x: m(x).softmax(1), x, t)),
    ("attribution.score", "outside the graph", lambda m, x, t: attribution.score(m, x, t).detach()),
    ("attribution.score", "the largest logit", lambda m, x, t: m(x).amax(1)),
    ("attribution.scores", "in train mode", lambda m, x, t: attribution.scores(lambda x: m(x), x, t)),
    ("attribution.scores", "x changed in place", lambda m, x, t: attribution.score(m, x, t).detach()),
    ("attribution.slope", "of the mean", lambda m, x, t: tuple(p / len(x) for p in attribution.slope(m, x, t))),
    ("attribution.slope", "gradients left in the parameters", keeps_the_graph),
    ("attribution.probability", "the logit", lambda t: lambda z: attribution.score(lambda x: x, z, t)),
    ("attribution.covered_scores", "versions mixed up", no_neighbours),
    (
        "attribution.covered_scores",
        "shown and hidden mixed up",
        lambda m, x, t, hidden, **o: attribution.covered_scores(m, x, t, ~hidden, **o),
    ),
    ("attribution.covered_scores", "always black", without(attribution.covered_scores, "baseline")),
    *of_method("saliency"),
    *of_method("input_x_gradient"),
    ("attribution.input_x_gradient", "the gradient alone", attribution.saliency),
    ("attribution.smoothgrad_steps", "one noise for all", restarted(attribution.smoothgrad_steps)),
    ("attribution.smoothgrad_steps", "never squared", without(attribution.smoothgrad_steps, "squared")),
    *of_method("smoothgrad"),
    ("attribution.smoothgrad", "one noise for all", to_the_end(restarted(attribution.smoothgrad_steps), "mean")),
    ("attribution.smoothgrad", "no noise", with_options(attribution.smoothgrad, sd=0.0)),
    ("attribution.gauss_legendre", "from -1 to 1", lambda n: tuple(map(list, np.polynomial.legendre.leggauss(n)))),
    (
        "attribution.trapezoid",
        "weights that do not sum to 1",
        tuned(attribution.trapezoid, lambda a, w: (a, [x * (len(w) - 1) / len(w) for x in w])),
    ),
    ("attribution.right_ends", "the left ends", tuned(attribution.right_ends, lambda a, w: ([0.0, *a[:-1]], w))),
    ("attribution.integrated_gradients_steps", "never times the way", without_the_way),
    ("attribution.integrated_gradients_steps", "times x", times_x),
    (
        "attribution.integrated_gradients_steps",
        "always from black",
        without(attribution.integrated_gradients_steps, "baseline"),
    ),
    *of_method("integrated_gradients"),
    ("attribution.integrated_gradients", "never times the way", to_the_end(without_the_way, "map")),
    ("attribution.integrated_gradients", "times x", to_the_end(times_x, "map")),
    ("attribution.integrated_gradients", "always from black", without(attribution.integrated_gradients, "baseline")),
    *of_method("guided_backprop"),
    ("attribution.guided_backprop", "the gradient", attribution.saliency),
    ("attribution.guided_backprop", "the deconvnet", attribution.deconvnet),
    ("attribution.guided_backprop", "hooks that stay", hooked(attribution.guided_backprop)),
    *of_method("deconvnet"),
    ("attribution.deconvnet", "guided backprop", attribution.guided_backprop),
    *of_method("grad_cam", plain=False),
    ("attribution.grad_cam", "the sum of the slopes", cam_by(lambda g: g.sum((2, 3), keepdim=True))),
    ("attribution.grad_cam", "slope by slope", cam_by(lambda g: g)),
    ("attribution.grad_cam", "never cut at 0", with_options(attribution.grad_cam, relu=False)),
    (
        "attribution.upsampled",
        "the nearest",
        lambda cam, size: F.interpolate(cam[:, None], size=size, mode="nearest")[:, 0],
    ),
    (
        "attribution.upsampled",
        "corners on corners",
        lambda cam, size: F.interpolate(cam[:, None], size=size, mode="bilinear", align_corners=True)[:, 0],
    ),
    *of_method("layer_gradient_x_activation", plain=False),
    *of_method("layer_integrated_gradients", plain=False),
    (
        "attribution.layer_integrated_gradients",
        "always from black",
        without(attribution.layer_integrated_gradients, "baseline"),
    ),
    *of_method("occlusion"),
    ("attribution.occlusion", "the rise", the_other_way),
    ("attribution.occlusion", "added up", not_averaged),
    ("attribution.occlusion", "always black", without(attribution.occlusion, "baseline")),
    ("attribution.occlusion", "one pixel at a time", with_options(attribution.occlusion, stride=1)),
]
# Changes that leave every result as it is, with the reason.
HARMLESS = {
    "ours not in (1, size) for ours, size in zip(hidden.shape[1:], x.shape, strict=True) "
    "[True -> False]": "equal lengths",
    "places = [*zip(*rule(steps), strict=True)] [True -> False]": "equal lengths",
    "for alpha, weight in zip(*rule(steps), strict=True): [True -> False]": "equal lengths",
    'both = zip(x.shape[2:], _pair("window", window), _pair("stride", stride), strict=True) '
    "[True -> False]": "two each",
    "self.seen += 1 [1 -> 2]": "any number above 0",
}
