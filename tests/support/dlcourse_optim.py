"""The optimisers beside torch's: oracles that raise unless the room is right, and broken rooms that they must reject.

An oracle takes the room, the package's `optim` or a broken version of it with the same names. Oracles are apart from
the tests because they are used twice, here and on what is broken (tests/optim/test_mutations.py).
"""

import ast
import copy
import inspect
import io
import math
import sys
from collections.abc import Iterator
from functools import cache
from itertools import product
from pathlib import Path
from types import ModuleType, SimpleNamespace
from unittest import mock

import pytest
import torch
from dlcourse_mutants import broken_versions, compiled
from dlcourse_oracles import random
from dlcourse_tolerance import assert_close
from torch.optim import lr_scheduler

import dlcourse
from dlcourse import optim

CPU = torch.device("cpu")
DTYPES = (torch.float64, torch.float32)


def combinations(**choices) -> list[dict]:
    """Every combination of the options, and the defaults."""
    return [{}, *(dict(zip(choices, values, strict=True)) for values in product(*choices.values()))]


ADAM = {"betas": [(0.9, 0.999), (0.5, 0.75), (0.0, 0.9)], "eps": [1e-8, 1e-3], "weight_decay": [0.0, 0.1]}
# Class -> every combination of its options but lr, which is always tried.
OPTIONS = {
    "SGD": [
        options
        for options in combinations(momentum=[0.0, 0.9, 1.0], nesterov=[False, True], weight_decay=[0.0, 0.1])
        if options.get("momentum") or not options.get("nesterov")
    ]
    + [{"momentum": 0.9}],
    "RMSprop": combinations(alpha=[0.99, 0.5, 0.0], eps=[1e-8, 1e-3], weight_decay=[0.0, 0.1]),
    "Adam": combinations(**ADAM),
    "AdamW": combinations(**ADAM),
}
# Rule -> torch's class, the state between the parameter and the gradient's end, does the rule count its steps?
RULES = {
    "sgd": ("SGD", ["momentum_buffer"], False),
    "rmsprop": ("RMSprop", ["square_avg"], False),
    "adam": ("Adam", ["exp_avg", "exp_avg_sq"], True),
    "adamw": ("AdamW", ["exp_avg", "exp_avg_sq"], True),
    "adam_definition": ("Adam", ["exp_avg", "exp_avg_sq"], True),
}


# The first of these that a group has is changed on the way (torch's RMSprop has a momentum, ours has not).
LIKE_MOMENTUM = {"alpha": 0.8, "betas": (0.8, 0.95), "momentum": 0.5}


# --- a run ------------------------------------------------------------------------------------------------------------


def parameters(dtype=torch.float64, device=CPU) -> list[torch.Tensor]:
    """A scalar, one number, odd, none, transposed, and with gaps: the same numbers at each call."""
    made = [
        random(),
        random(1, seed=1),
        random(3, 5, seed=2),
        random(0, 2),
        random(4, 3, seed=3).T,
        random(3, 6, seed=4)[:, ::2],
    ]
    return [x.to(device, dtype).detach().requires_grad_() for x in made]


def groups(parameters: list[torch.Tensor]) -> list[dict]:
    """Two groups, the second with a rate and a decay of its own."""
    return [{"params": parameters[:3]}, {"params": parameters[3:], "lr": 0.003, "weight_decay": 0.2}]


def gradient(step: int, index: int, parameter: torch.Tensor) -> torch.Tensor | None:
    """Noise, some of it large, and a pull to 0; no gradient now and then."""
    if (step + index) % 7 == 3:
        return None
    return noise(parameter.shape, step, index).to(parameter) + 0.3 * parameter.detach()


@cache
def noise(shape: torch.Size, step: int, index: int) -> torch.Tensor:
    return random(*shape, seed=1000 * index + step, scale=10.0 ** (step % 3 - 1))


def turn(optimizer: torch.optim.Optimizer, done: float) -> None:
    """What somebody changes on the way, when the share `done` of the run is over."""
    first, second = optimizer.param_groups
    if done == 0.4:
        first["lr"], second["lr"] = first["lr"] / 2, second["lr"] * 3
    elif done == 0.5:
        second["weight_decay"] = 0.05
    elif done == 0.7:
        option, value = next((o, v) for o, v in LIKE_MOMENTUM.items() if o in first)
        first[option] = value
    elif done == 0.9 and "nesterov" in first:
        first["momentum"] = 0.0


def advance(optimizer, parameters, first: int, last: int, *, of: int, events: bool = True) -> None:
    """The steps from `first` to before `last` of a run of `of`; no step may touch a gradient."""
    for step in range(first, last):
        if events:
            turn(optimizer, step / of)
        gradients = [gradient(step, index, p) for index, p in enumerate(parameters)]
        for p, g in zip(parameters, gradients, strict=True):
            p.grad = None if g is None else g.clone()
        optimizer.step()
        for p, g in zip(parameters, gradients, strict=True):
            assert p.grad is None if g is None else torch.equal(p.grad, g), "it changed a gradient"


def made(room, name: str, options: dict, parameters) -> torch.optim.Optimizer:
    return getattr(room, name)(groups(parameters), lr=0.02, **options)


def same_parameters(ours, theirs) -> None:
    for mine, its in zip(ours, theirs, strict=True):
        assert_close(mine.detach(), its.detach())


def same_state(ours, theirs) -> None:
    """Equal keys and values of the state; each option of ours is an option of torch's, with the same value."""
    mine, its = ours.state_dict(), theirs.state_dict()
    assert mine["state"].keys() == its["state"].keys()
    for index, state in its["state"].items():
        assert mine["state"][index].keys() == state.keys()
        for key, value in state.items():
            assert_close(mine["state"][index][key], value)
    for group, other in zip(mine["param_groups"], its["param_groups"], strict=True):
        assert group == {option: other[option] for option in group}


# --- rules ------------------------------------------------------------------------------------------------------------

EXTREMES = [0.0, -0.0, 1e-30, -1e-30, 1e-8, -1e-8, 1e18, -3e19, 1e30, -1e30, math.inf, -math.inf, math.nan]


def rule_steps(function, rule, options, start, gradients) -> Iterator[tuple]:
    """(parameter, states) after each step of a rule that must leave its arguments alone and give new tensors."""
    _, keys, counts = RULES[rule]
    parameter, states = start, [None if rule == "sgd" else torch.zeros_like(start) for _ in keys]
    for index, gradient in enumerate(gradients):
        given = [x for x in (parameter, gradient, *states) if x is not None]
        before = [x.clone() for x in given]
        parameter, *states = function(parameter, gradient, *states, *([index + 1] if counts else []), **options)
        assert all(same(x, b) for x, b in zip(given, before, strict=True)), "it changed an argument"
        new = [x for x in (parameter, *states) if x is not None and x.numel()]
        assert not {x.data_ptr() for x in new} & {x.data_ptr() for x in given}, "it handed out an argument"
        yield parameter, states


def same(a: torch.Tensor, b: torch.Tensor) -> bool:
    return torch.equal(a.nan_to_num(7.0), b.nan_to_num(7.0)) and torch.equal(a.isnan(), b.isnan())


def rule(name: str, *, extreme: bool = True):
    """The oracle of a rule: torch's class on one tensor, step by step, ordinary gradients and `extreme` ones.

    What overflows depends on the order of the sums, so only ours has to be torch's there, not every right answer.
    """

    def oracle(room, device=CPU):
        function = getattr(room, name)
        theirs, keys, counts = RULES[name]
        definition = name.endswith("_definition")  # has no weight_decay, and no care for what overflows
        for options, dtype in product(OPTIONS[theirs], DTYPES):
            if definition and "weight_decay" in options:
                if options["weight_decay"]:
                    continue
                options = {option: value for option, value in options.items() if option != "weight_decay"}
            edges = torch.tensor(EXTREMES, dtype=dtype, device=device)
            runs = [(random(len(edges)), [edges, edges / 2, -edges])] if extreme and not definition else []
            if dtype == torch.float64:
                runs.append((random(3, 4), [random(3, 4, seed=9 + i) for i in range(5)]))
                runs.append((random(), [random(seed=i) for i in range(3)]))
                runs.append((random(4, 3).T, [random(3, 4, seed=i) for i in range(3)]))
            for start, gradients in runs:
                start, gradients = start.to(device, dtype), [g.to(device, dtype) for g in gradients]
                leaf = start.clone().requires_grad_()
                optimizer = getattr(torch.optim, theirs)([leaf], lr=0.02, **options)
                steps = rule_steps(function, name, {"lr": 0.02} | options, start, gradients)
                for gradient, (parameter, states) in zip(gradients, steps, strict=True):
                    leaf.grad = gradient.clone()
                    optimizer.step()
                    assert_close(parameter, leaf.detach())
                    for key, mine in zip(keys, states, strict=True):
                        if mine is None:
                            assert key not in optimizer.state[leaf]
                        else:
                            assert_close(mine, optimizer.state[leaf][key])
        if counts and not definition:
            with pytest.raises(ValueError, match="counts from 1"):
                function(start, start, start, start, 0, lr=0.1)

    return oracle


# --- classes ----------------------------------------------------------------------------------------------------------


def against_torch(room, name, options, *, device=CPU, dtype=torch.float64, steps=100):
    """Parameters and state equal torch's along a run with two groups, missing gradients and changing options."""
    ours, theirs = parameters(dtype, device), parameters(dtype, device)
    mine, its = made(room, name, options, ours), made(torch.optim, name, options, theirs)
    for first in range(0, steps, steps // 10):
        advance(mine, ours, first, first + steps // 10, of=steps)
        advance(its, theirs, first, first + steps // 10, of=steps)
        same_parameters(ours, theirs)
        same_state(mine, its)


def interchange(room, name, options, *, device=CPU, dtype=torch.float64, steps=40):
    """A state dict saved in the middle, by ours or torch's, goes on in ours or torch's as if nothing happened."""
    whole = parameters(dtype, device)
    advance(made(torch.optim, name, options, whole), whole, 0, steps, of=steps, events=False)
    for first, second in ((room, torch.optim), (torch.optim, room), (room, room)):
        held = parameters(dtype, device)
        saving = made(first, name, options, held)
        advance(saving, held, 0, steps // 2, of=steps, events=False)
        file = io.BytesIO()
        torch.save(saving.state_dict(), file)
        file.seek(0)
        going_on = made(second, name, {}, held)  # its options come with the state
        going_on.load_state_dict(torch.load(file, weights_only=True))
        advance(going_on, held, steps // 2, steps, of=steps, events=False)
        same_parameters(held, whole)


def as_the_rule(room, name, options):
    """A class is its rule, applied again and again: equal to the bit."""
    (rule,) = [rule for rule, (owner, _, _) in RULES.items() if owner == name and not rule.endswith("_definition")]
    leaf = random(3, 4).requires_grad_()
    optimizer = getattr(room, name)([leaf], lr=0.02, **options)
    gradients = [random(3, 4, seed=9 + i) for i in range(5)]
    steps = rule_steps(getattr(room, rule), rule, {"lr": 0.02} | options, leaf.detach().clone(), gradients)
    for g, (parameter, states) in zip(gradients, steps, strict=True):
        leaf.grad = g.clone()
        optimizer.step()
        assert torch.equal(leaf, parameter)
        for key, value in zip(RULES[rule][1], states, strict=True):
            assert value is None or torch.equal(optimizer.state[leaf][key], value)


def defaults(room, name):
    """Options left out have torch's values (for SGD ours asks for lr)."""
    leaf = random(2).requires_grad_()
    ours = getattr(room, name)([leaf], **({"lr": 0.001} if name == "SGD" else {}))
    theirs = getattr(torch.optim, name)([leaf])
    assert ours.defaults == {option: theirs.defaults[option] for option in ours.defaults}


def closures(room, name):
    """The closure runs once, first, with gradients on even where they are off, and its loss comes back."""
    leaf = random(3).requires_grad_()
    optimizer, calls = getattr(room, name)([leaf], lr=0.1), []

    def closure():
        calls.append(leaf.detach().clone())
        optimizer.zero_grad()
        loss = leaf.square().sum()
        loss.backward()
        return loss

    start = leaf.detach().clone()
    with torch.no_grad():
        loss = optimizer.step(closure)
    assert len(calls) == 1
    assert torch.equal(calls[0], start)
    assert loss.item() == start.square().sum().item()
    assert not torch.equal(leaf, start)
    assert leaf.requires_grad
    assert leaf.is_leaf
    assert optimizer.step() is None


def refused_gradients(room, name):
    """Sparse and complex gradients are refused by name, and the parameters ahead of them have not moved."""
    table = torch.nn.Embedding(5, 2, sparse=True)
    table(torch.tensor([1])).sum().backward()
    wave = torch.ones(2, dtype=torch.complex64).requires_grad_()
    wave.grad = torch.ones(2, dtype=torch.complex64)
    for parameter in (table.weight, wave):
        first = torch.ones(2, requires_grad=True)
        first.grad = torch.ones(2)
        optimizer = getattr(room, name)([{"params": [first]}, {"params": [parameter]}], lr=0.1)
        with pytest.raises(TypeError, match=rf"{name} got a gradient of torch\.(sparse|strided)"):
            optimizer.step()
        assert first.tolist() == [1, 1]


NUMBER = {"at least 0": [-1e-9, -1.0, math.inf, math.nan], "below 1": [-1e-9, 1.0, 2.0, math.nan]}
# Option -> (what its error says, values out of range, values at the edges of the range).
REFUSED = {
    "lr": ("lr=", NUMBER["at least 0"], [0.0, 0, 1e9]),
    "momentum": ("momentum=", [-1e-9, 1 + 1e-9, math.nan], [0.0, 1, 1.0]),
    "alpha": ("alpha=", NUMBER["below 1"], [0.0, 0, 1 - 1e-9]),
    "eps": ("eps=", NUMBER["at least 0"], [0.0, 1e9]),
    "weight_decay": ("weight_decay=", NUMBER["at least 0"], [0.0, 0, 1e9]),
    "betas": (
        "betas=",
        [*((b, 0.9) for b in NUMBER["below 1"]), *((0.9, b) for b in NUMBER["below 1"]), (0.9,), (0.9, 0.9, 0.9), 0.9],
        [(0.0, 0.0), (1 - 1e-9, 0)],
    ),
}


def options(room, name):
    """Options out of range are refused wherever they come in, and what is refused changes nothing."""
    make = getattr(room, name)
    leaf, other = random(2).requires_grad_(), random(3).requires_grad_()
    known = [option for option in REFUSED if option in inspect.signature(make).parameters]
    assert {option for option in make([leaf], lr=0.1).defaults if option in REFUSED} == set(known)
    for option in known:
        message, outside, edges = REFUSED[option]
        wrong = [(ValueError, message, value) for value in outside]
        wrong += [(TypeError, f"{option} of type", v) for v in (("0.1", 0.1) if option == "betas" else "0.1", None)]
        for error, words, value in [w for w in wrong if not (option == "betas" and w[2] is None)]:
            with pytest.raises(error, match=f"^{name} got {words}.*wanted"):
                make([leaf], **{"lr": 0.1} | {option: value})
            optimizer = make([leaf], lr=0.1)
            with pytest.raises(error, match=words):
                optimizer.add_param_group({"params": [other], option: value})
            assert len(optimizer.param_groups) == 1
            saved = optimizer.state_dict()
            saved["param_groups"][0].update({"lr": 0.7} | {option: value})
            with pytest.raises(error, match=words):
                optimizer.load_state_dict(saved)
            assert optimizer.param_groups[0]["lr"] == 0.1
        for value in edges:
            assert make([leaf], **{"lr": 0.1} | {option: value}).param_groups[0][option] == value


# Class -> options of torch's class that change its results and that ours does not have.
ABSENT = {
    "SGD": {"dampening": 0.5, "maximize": True},
    "RMSprop": {"momentum": 0.9, "centered": True, "maximize": True},
    "Adam": {"amsgrad": True, "maximize": True, "decoupled_weight_decay": True},
    "AdamW": {"amsgrad": True, "maximize": True},
}
# Options of torch's that leave the results as they are, or nearly: how to compute, not what.
INDIFFERENT = {"foreach", "fused", "capturable", "differentiable"}


def left_out(room, name):
    """An option that torch has and ours has not is refused by name, not ignored, unless it is switched off."""
    make = getattr(room, name)
    theirs = set(inspect.signature(getattr(torch.optim, name)).parameters) - {"params"}
    assert theirs - set(inspect.signature(make).parameters) - INDIFFERENT == set(ABSENT[name])
    leaf = random(2).requires_grad_()
    for option, value in ABSENT[name].items():
        with pytest.raises(ValueError, match=rf"{name} here has no {option}.*torch\.optim"):
            make([{"params": [leaf], option: value}], lr=0.1)
        saved = getattr(torch.optim, name)([leaf], lr=0.7, **{option: value}).state_dict()
        optimizer = make([leaf], lr=0.1)
        with pytest.raises(ValueError, match=option):
            optimizer.load_state_dict(saved)
        assert optimizer.param_groups[0]["lr"] == 0.1
    off = getattr(torch.optim, name)([leaf], lr=0.1).defaults
    make([{"params": [leaf]} | {option: off[option] for option in ABSENT[name]}], lr=0.1)


TORCHS_KINDS = [
    *("SGD", "RMSprop", "Adam", "AdamW", "NAdam", "RAdam", "Adamax", "Adagrad", "Adadelta", "Adafactor", "ASGD"),
    *("Rprop", "SparseAdam"),
]


def other_kinds(room, name):
    """The state of another kind of optimiser is refused, ours or torch's; Adam and AdamW are two kinds."""
    leaf = random(2).requires_grad_()
    others = [(optim, other) for other in OPTIONS if other != name]
    others += [(torch.optim, other) for other in TORCHS_KINDS if other != name]
    for lib, other in others:
        saved = getattr(lib, other)([leaf], lr=0.1).state_dict()
        with pytest.raises(ValueError, match=r"has no|have no"):
            getattr(room, name)([leaf], lr=0.1).load_state_dict(saved)
    if name in ("Adam", "AdamW"):  # torch 2.6 did not yet save which of the two it was
        saved = getattr(torch.optim, name)([leaf], lr=0.7).state_dict()
        del saved["param_groups"][0]["decoupled_weight_decay"]
        optimizer = getattr(room, name)([leaf], lr=0.1)
        optimizer.load_state_dict(saved)
        assert optimizer.param_groups[0]["lr"] == 0.7


def in_place(room, name):
    """Whoever holds the parameter, a view of it or its memory, sees the step."""
    leaf = random(3).requires_grad_()
    view, start = leaf.detach()[1:], leaf.detach().clone()
    optimizer = getattr(room, name)([leaf], lr=0.1)
    for _ in range(2):
        leaf.grad = torch.ones_like(leaf)
        optimizer.step()
    assert optimizer.param_groups[0]["params"][0] is leaf
    assert not torch.equal(leaf, start)
    assert torch.equal(view, leaf[1:])


def apart(room, name):
    """No state is shared: not with a gradient, nor with another optimiser that loaded the same state dict."""
    leaf, twin = (random(3).requires_grad_() for _ in range(2))
    options = {"lr": 0.1} | ({"momentum": 0.9} if name == "SGD" else {})
    optimizer, other = (getattr(room, name)([parameter], **options) for parameter in (leaf, twin))
    leaf.grad, twin.grad = torch.ones_like(leaf), torch.ones_like(twin)
    optimizer.step()
    held = copy.deepcopy(optimizer.state_dict()["state"][0])
    optimizer.zero_grad(set_to_none=False)
    other.load_state_dict(optimizer.state_dict())
    other.step()
    for key, value in held.items():
        assert torch.equal(optimizer.state[leaf][key], value)
        assert not torch.equal(other.state[twin][key], value)
    other.load_state_dict(optimizer.state_dict())  # once more: loading leaves it able to load
    assert all(torch.equal(other.state[twin][key], value) for key, value in held.items())


# --- schedules --------------------------------------------------------------------------------------------------------


def factors(scheduler, count: int, **options) -> list[float]:
    """The learning rates of one of torch's schedulers, for a rate of 1."""
    optimizer = torch.optim.SGD([torch.zeros((), requires_grad=True)], lr=1.0)
    driving, rates = scheduler(optimizer, **options), []
    for index in range(count):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if index + 1 < count:
            driving.step()
    return rates


def equal(ours: list[float], theirs: list[float]) -> None:
    assert all(type(value) is float for value in ours)
    assert ours == pytest.approx(theirs, rel=1e-10, abs=1e-12)


def step_decay(room, *, every=3, factor=0.5, count=10):
    ours = [room.step_decay(index, every=every, factor=factor) for index in range(count)]
    equal(ours, factors(lr_scheduler.StepLR, count, step_size=every, gamma=factor))


def cosine(room, *, total=7, floor=0.1):
    ours = [room.cosine(index, total=total, floor=floor) for index in range(total + 1)]
    equal(ours, factors(lr_scheduler.CosineAnnealingLR, total + 1, T_max=total, eta_min=floor))
    assert [room.cosine(total + more, total=total, floor=floor) for more in range(5)] == pytest.approx([floor] * 5)


def warmup_cosine(room, *, total=9, warmup=3, floor=0.1):
    ours = [room.warmup_cosine(index, total=total, warmup=warmup, floor=floor) for index in range(total + 1)]
    up = (
        factors(lr_scheduler.LinearLR, warmup, start_factor=1 / warmup, total_iters=warmup - 1)
        if warmup > 1
        else [1.0] * warmup
    )
    down = factors(lr_scheduler.CosineAnnealingLR, total - warmup + 1, T_max=total - warmup, eta_min=floor)
    equal(ours, up + down)
    after = [room.warmup_cosine(total + more, total=total, warmup=warmup, floor=floor) for more in range(5)]
    assert after == pytest.approx([floor] * 5)


def one_cycle(room, *, total=11, warmup=0.3, start=0.04, end=4e-6):
    ours = [room.one_cycle(index, total=total, warmup=warmup, start=start, end=end) for index in range(total)]
    torchs = {"max_lr": 1.0, "pct_start": warmup, "div_factor": 1 / start, "final_div_factor": start / end}
    equal(ours, factors(lr_scheduler.OneCycleLR, total, total_steps=total, cycle_momentum=False, **torchs))
    after = [room.one_cycle(total + more, total=total, warmup=warmup, start=start, end=end) for more in range(5)]
    assert after == pytest.approx([end] * 5)


def schedules(room):
    """All four beside torch's, at odd totals and at their edges; the defaults; what they refuse and what they take."""
    for every, factor in ((1, 0.5), (3, 0.1), (4, 1.0)):
        step_decay(room, every=every, factor=factor)
    equal([room.step_decay(5, every=5)], [0.1])
    for total, floor in ((1, 0.0), (2, 1.0), (7, 0.25)):
        cosine(room, total=total, floor=floor)
    equal([room.cosine(5, total=5), room.warmup_cosine(5, total=5, warmup=1)], [0.0, 0.0])
    for total, warmup in ((1, 0), (4, 3), (9, 1), (9, 4)):
        warmup_cosine(room, total=total, warmup=warmup)
    for total, warmup in ((1, 0.3), (2, 0.3), (11, 0.3), (8, 0.375), (9, 0.9), (9, 0.0), (40, 0.1)):
        one_cycle(room, total=total, warmup=warmup)
    equal([room.one_cycle(0, total=4, warmup=0.25)], [1.0])  # the top is the first update, where torch divides by 0
    many = [room.one_cycle(index, total=50) for index in range(50)]
    equal(many, factors(lr_scheduler.OneCycleLR, 50, total_steps=50, cycle_momentum=False, max_lr=1.0))
    equal([room.one_cycle(0, total=9, warmup=0.5, start=0.0), room.one_cycle(9, total=9, end=0.0)], [0.0, 0.0])
    equal([room.one_cycle(0, total=9, warmup=0.5, start=1.0), room.one_cycle(9, total=9, end=1.0)], [1.0, 1.0])
    for name, options in WRONG_SCHEDULES:
        with pytest.raises(ValueError, match=rf"^{name} got .*(wanted|counted)"):
            getattr(room, name)(**{"index": 0} | options)


WRONG_SCHEDULES = [
    ("step_decay", {"index": -1, "every": 2}),
    *[("step_decay", {"every": 0}), ("step_decay", {"every": -2})],
    *[("step_decay", {"every": 2, "factor": factor}) for factor in (0.0, -0.1, 1.1, math.nan)],
    ("cosine", {"index": -1, "total": 5}),
    *[("cosine", {"total": 0}), ("cosine", {"total": -5})],
    *[("cosine", {"total": 5, "floor": floor}) for floor in (-0.1, 1.1, math.nan)],
    ("warmup_cosine", {"index": -1, "total": 5, "warmup": 2}),
    *[("warmup_cosine", {"total": total, "warmup": warmup}) for total, warmup in ((5, -1), (5, 5), (5, 6), (0, 0))],
    *[("warmup_cosine", {"total": 5, "warmup": 2, "floor": floor}) for floor in (-0.1, 1.1, math.nan)],
    ("one_cycle", {"index": -1, "total": 5}),
    *[("one_cycle", {"total": 0}), ("one_cycle", {"total": -5})],
    *[("one_cycle", {"total": 5, "warmup": warmup}) for warmup in (-0.1, 1.0, 2.0, math.nan)],
    *[("one_cycle", {"total": 5, "start": start}) for start in (-0.1, 1.1, math.nan)],
    *[("one_cycle", {"total": 5, "end": end}) for end in (-0.1, 1.1, math.nan)],
]


# --- clipping ---------------------------------------------------------------------------------------------------------


def with_gradients(dtype, device, scale, special=()) -> list[torch.Tensor]:
    """Parameters of many shapes, the second without a gradient, all gradients `scale` in size."""
    made = parameters(dtype, device)
    for index, parameter in enumerate(made):
        if index != 1:
            parameter.grad = scale * random(*parameter.shape, seed=50 + index).to(parameter)
    for place, value in enumerate(special):
        made[2].grad[place, 0] = value
    return made


def clipping(room, device=CPU):
    """The norm, and both ways to clip, beside torch's; the edges; what they refuse."""
    utils = torch.nn.utils
    for dtype, scale, special in (
        *product(DTYPES, (1e-3, 1.0, 50.0), [()]),
        *((dtype, 1.0, special) for dtype in DTYPES for special in ((math.inf,), (-math.inf, math.nan), (math.nan,))),
        *((dtype, 0.0, ()) for dtype in DTYPES),
        (torch.float64, 1e-9, ()),
    ):
        for bound in (0.5, 3.0, math.inf):
            for ours, theirs in (
                (room.clip_grad_norm_, utils.clip_grad_norm_),
                (room.clip_grad_value_, utils.clip_grad_value_),
            ):
                mine, its = (with_gradients(dtype, device, scale, special) for _ in range(2))
                measured = room.gradient_norm(iter(mine))
                assert not measured.requires_grad
                values = ours(iter(mine), bound), theirs(iter(its), bound)
                if values[1] is None:
                    assert values[0] is None
                else:
                    assert_close(*values)
                    assert_close(measured, values[1])
                for a, b in zip(mine, its, strict=True):
                    assert (a.grad is None) == (b.grad is None)
                    if a.grad is not None:
                        assert_close(a.grad, b.grad)
    mixed = [*with_gradients(torch.float32, device, 1.0), *with_gradients(torch.float64, device, 1.0)]
    torch.testing.assert_close(  # each norm in its own dtype, so the whole is as exact as float32
        room.gradient_norm(mixed),
        utils.get_total_norm([x.grad for x in mixed if x.grad is not None]),
        rtol=1e-5,
        atol=1e-6,
    )
    for half in (torch.float16, torch.bfloat16):  # 64 times 20,000 squared: the sum is beyond float16, the norm too
        large = torch.zeros(64, dtype=half, device=device).requires_grad_()
        large.grad = torch.full_like(large, 2e4)
        assert room.gradient_norm(large).item() == pytest.approx(1.6e5, rel=1e-2)
        assert room.clip_grad_norm_(large, 8.0).item() == pytest.approx(1.6e5, rel=1e-2)
        assert large.grad.dtype == half
        assert large.grad.tolist() == pytest.approx([1.0] * 64, rel=1e-2)
    table = torch.nn.Embedding(5, 2, sparse=True, device=device)
    table(torch.tensor([1], device=device)).sum().backward()
    for measure in (
        room.gradient_norm,
        lambda p: room.clip_grad_norm_(p, 1.0),
        lambda p: room.clip_grad_value_(p, 1.0),
    ):
        with pytest.raises(TypeError, match=r"torch\.sparse_coo.*sparse=False"):
            measure(table.weight)
    nothing = parameters(torch.float32, device)
    assert room.gradient_norm(nothing).item() == room.clip_grad_norm_(nothing, 1.0).item() == 0
    assert room.gradient_norm([]).item() == room.clip_grad_norm_([], 1.0).item() == 0
    assert room.clip_grad_value_([], 1.0) is None
    single = torch.zeros(2, device=device).requires_grad_()
    single.grad = torch.tensor([3.0, 4.0], device=device)
    assert room.gradient_norm(single).item() == 5
    assert single.grad.tolist() == [3, 4]
    assert room.clip_grad_norm_(single, 1e-3).item() == 5  # so small that torch's 1e-6 beside the norm shows
    assert_close(single.grad, torch.tensor([3.0, 4.0], device=device) * (1e-3 / (5 + 1e-6)))
    tiny = torch.zeros(1, dtype=torch.float64, device=device).requires_grad_()
    tiny.grad = torch.full_like(tiny, 1e-6)
    room.clip_grad_norm_(tiny, 1e-6)
    assert_close(tiny.grad, torch.full_like(tiny, 5e-7))
    single.grad = torch.tensor([3.0, 4.0], device=device)
    room.clip_grad_value_(single, 3.5)
    assert single.grad.tolist() == [3, 3.5]
    for clip in (room.clip_grad_norm_, room.clip_grad_value_):
        clip([single], 1e-9)
        for bound in (0.0, -1.0, math.nan):
            with pytest.raises(ValueError, match=rf"^{clip.__name__} got .*above 0"):
                clip([single], bound)


# --- broken rooms -----------------------------------------------------------------------------------------------------

FOLDER = Path(dlcourse.__file__).parent / "optim"


def own(module: ModuleType) -> dict:
    """What the module itself defines."""
    return {name: value for name, value in vars(module).items() if getattr(value, "__module__", None) == "broken"}


def room_of(**replaced) -> SimpleNamespace:
    """The package's optim, with some names replaced."""
    return SimpleNamespace(**{name: getattr(optim, name) for name in optim.__all__} | replaced)


def broken_rooms(file: str) -> Iterator[tuple[str, SimpleNamespace, str]]:
    """(what was changed, the room with that change, in which function or class) for each small change of a file."""
    for label, module in broken_versions(FOLDER / f"{file}.py"):
        if file == "base":  # the classes are made anew on top of it
            with mock.patch.dict(sys.modules, {"dlcourse.optim.base": module}):
                above = [
                    compiled(ast.parse((FOLDER / f"{name}.py").read_text("utf-8")))
                    for name in ("sgd", "rmsprop", "adam")
                ]
            yield label, room_of(**{name: value for each in above for name, value in own(each).items()}), module.changed
        else:
            yield label, room_of(**own(module)), module.changed


def one_class(name: str):
    """The oracle of a class, short: few steps, each option, each check."""

    def oracle(room):
        for check in (defaults, closures, refused_gradients, options, left_out, other_kinds, in_place, apart):
            check(room, name)
        for chosen in OPTIONS[name]:
            as_the_rule(room, name, chosen)
        for chosen in (OPTIONS[name][0], OPTIONS[name][-1]):
            against_torch(room, name, chosen, steps=10)
            interchange(room, name, chosen, steps=10)

    return oracle


# What must be right in each file.
ORACLES = {
    "sgd": {"sgd": rule("sgd"), "SGD": one_class("SGD")},
    "rmsprop": {"rmsprop": rule("rmsprop"), "RMSprop": one_class("RMSprop")},
    "adam": {name: rule(name) for name in ("adam_definition", "adam", "adamw")}
    | {name: one_class(name) for name in ("Adam", "AdamW")},
    "schedule": {"": schedules},
    "clip": {"": clipping},
    "base": {name: one_class(name) for name in ("SGD", "RMSprop", "Adam", "AdamW")},
}


def rejected(room, file: str, changed: str) -> bool:
    """Does an oracle of the file raise? The first to do so ends the matter: that of what was changed is asked first."""
    try:
        for name in sorted(ORACLES[file], key=lambda name: name != changed):
            ORACLES[file][name](room)
    except (Exception, pytest.fail.Exception):
        return True
    return False
