"""Breaking the optimisers turns a test red: faults that people make, by name, and every small change of the sources."""

import math

import dlcourse_optim as oracles
import pytest
import torch

from dlcourse import optim
from dlcourse.optim.base import Optimizer

# --- rules with one part changed --------------------------------------------------------------------------------------


def sgd_like(*, inside=False, first=None, ahead=None, old=False, decay=None):
    """SGD. inside: lr in the velocity. ahead: what Nesterov adds. old: it moves by the velocity before the step."""

    def rule(parameter, gradient, velocity, *, lr, momentum=0.0, nesterov=False, weight_decay=0.0):
        start = parameter
        if decay:
            start = decay(parameter, lr, weight_decay)
        else:
            gradient = gradient + weight_decay * parameter
        if not momentum:
            return start - lr * gradient, velocity
        before = torch.zeros_like(gradient) if velocity is None else velocity
        share = lr if inside else 1.0
        started = first if velocity is None else None
        velocity = started(gradient, momentum) if started else momentum * before + share * gradient
        move = velocity
        if nesterov:
            move = ahead(gradient, velocity, momentum) if ahead else share * gradient + momentum * velocity
        if old:
            move = before
        return start - (1.0 if inside else lr) * move, velocity

    return rule


def rmsprop_like(*, root=lambda square, eps: square.sqrt() + eps, corrected=False, swapped=False, total=False):
    """RMSprop. total: squares are summed up, as in AdaGrad."""

    def rule(parameter, gradient, square, *, lr, alpha=0.99, eps=1e-8, weight_decay=0.0):
        gradient = gradient + weight_decay * parameter
        share = 1 - alpha if swapped else alpha
        square = square + gradient**2 if total else share * square + (1 - share) * gradient**2
        seen = square / (1 - alpha) if corrected else square
        return parameter - lr * gradient / root(seen, eps), square

    return rule


def adam_like(
    *,
    correct=lambda value, beta, step: value / (1 - beta**step),
    correct_square=None,
    root=lambda square, eps: square.sqrt() + eps,
    decay=None,
    forget=lambda beta: beta,
    swapped=False,
    raw=False,
    keeps_corrected=False,
    l2_late=False,
    checks=True,
    default=0.0,
):
    """Adam. raw: the gradient itself above the fraction line. decay: (parameter, moved, lr, weight_decay) -> new."""

    def rule(parameter, gradient, mean, square, step, *, lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=default):
        if checks and step < 1:
            raise ValueError("it counts from 1")
        beta1, beta2 = reversed(betas) if swapped else betas
        pulled = gradient if decay else gradient + weight_decay * parameter
        mean = beta1 * mean + (1 - forget(beta1)) * (gradient if l2_late else pulled)
        square = beta2 * square + (1 - forget(beta2)) * (gradient if l2_late else pulled) ** 2
        mean_hat = correct(mean, beta1, step)
        square_hat = (correct_square or correct)(square, beta2, step)
        move = pulled if raw else mean_hat + (weight_decay * parameter if l2_late else 0.0)
        moved = parameter - lr * move / root(square_hat, eps)
        new = decay(parameter, moved, lr, weight_decay) if decay else moved
        return (new, mean_hat, square_hat) if keeps_corrected else (new, mean, square)

    return rule


def apart(parameter, moved, lr, weight_decay):
    """AdamW's decay as it should be."""
    return moved - lr * weight_decay * parameter


ADAM_FAULTS = [
    ("no bias correction", {"correct": lambda value, beta, step: value}),
    ("only the mean corrected", {"correct_square": lambda value, beta, step: value}),
    ("steps counted from 0", {"correct": lambda value, beta, step: value / (1 - beta ** max(step - 1, 1))}),
    ("steps one too many", {"correct": lambda value, beta, step: value / (1 - beta ** (step + 1))}),
    ("corrected by beta times step", {"correct": lambda value, beta, step: value / (1 - beta * step)}),
    ("eps inside the root", {"root": lambda square, eps: (square + eps).sqrt()}),
    ("eps squared inside the root", {"root": lambda square, eps: (square + eps**2).sqrt()}),
    ("eps forgotten", {"root": lambda square, eps: square.sqrt()}),
    ("eps as a lower bound", {"root": lambda square, eps: square.sqrt().clamp(min=eps)}),
    ("no root", {"root": lambda square, eps: square + eps}),
    ("betas swapped", {"swapped": True}),
    ("the mean not used", {"raw": True}),
    ("means that sum up", {"forget": lambda beta: 0.0}),
    ("corrected means kept", {"keeps_corrected": True}),
]


def short_form(parameter, gradient, mean, square, step, *, lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0):
    """The order of the paper's section 2: another eps, not the one of algorithm 1."""
    gradient = gradient + weight_decay * parameter
    mean = betas[0] * mean + (1 - betas[0]) * gradient
    square = betas[1] * square + (1 - betas[1]) * gradient**2
    rate = lr * math.sqrt(1 - betas[1] ** step) / (1 - betas[0] ** step)
    return parameter - rate * mean / (square.sqrt() + eps), mean, square


# (rule, fault, broken rule)
RULES = [
    ("sgd", "wrong sign", lambda p, g, v, **options: optim.sgd(p, -g, v, **options)),
    ("sgd", "lr inside the velocity", sgd_like(inside=True)),
    ("sgd", "Nesterov forgotten", sgd_like(ahead=lambda gradient, velocity, momentum: velocity)),
    ("sgd", "Nesterov without the gradient", sgd_like(ahead=lambda g, velocity, momentum: momentum * velocity)),
    ("sgd", "Nesterov with the whole velocity", sgd_like(ahead=lambda g, velocity, momentum: g + velocity)),
    ("sgd", "the velocity a mean: (1 - momentum) of the gradient", sgd_like(first=lambda g, m: (1 - m) * g)),
    ("sgd", "the velocity starts at 0 and the first gradient is lost", sgd_like(first=lambda g, m: 0 * g)),
    ("sgd", "moves by the velocity before the step", sgd_like(old=True)),
    ("sgd", "decay without lr", sgd_like(decay=lambda p, lr, weight_decay: p * (1 - weight_decay))),
    ("sgd", "decay beside the velocity", sgd_like(decay=lambda p, lr, weight_decay: p * (1 - lr * weight_decay))),
    ("sgd", "decay forgotten", lambda p, g, v, weight_decay=0.0, **o: optim.sgd(p, g, v, **o)),
    (
        "sgd",
        "changes the parameter in place",
        lambda p, g, v, *, lr, **o: (p.copy_(optim.sgd(p, g, v, lr=lr, **o)[0]), optim.sgd(p, g, v, lr=lr, **o)[1]),
    ),
    (
        "sgd",
        "the first velocity is the gradient itself",
        lambda p, g, v, **o: (
            (optim.sgd(p, g, v, **o)[0], g) if v is None and o.get("momentum") else optim.sgd(p, g, v, **o)
        ),
    ),
    ("rmsprop", "eps inside the root", rmsprop_like(root=lambda square, eps: (square + eps).sqrt())),
    ("rmsprop", "no root", rmsprop_like(root=lambda square, eps: square + eps)),
    ("rmsprop", "eps forgotten", rmsprop_like(root=lambda square, eps: square.sqrt())),
    ("rmsprop", "corrected like Adam", rmsprop_like(corrected=True)),
    ("rmsprop", "alpha and 1 - alpha swapped", rmsprop_like(swapped=True)),
    ("rmsprop", "squares summed up, as in AdaGrad", rmsprop_like(total=True)),
    ("rmsprop", "decay forgotten", lambda p, g, s, weight_decay=0.0, **o: optim.rmsprop(p, g, s, **o)),
    (
        "rmsprop",
        "divides by the square before the step",
        lambda p, g, s, **o: (p - o["lr"] * g / (s.sqrt() + o.get("eps", 1e-8)), optim.rmsprop(p, g, s, **o)[1]),
    ),
    *[("adam", fault, adam_like(**change)) for fault, change in ADAM_FAULTS],
    *[("adam_definition", fault, adam_like(**change, checks=False)) for fault, change in ADAM_FAULTS],
    ("adam", "eps of the paper's section 2, added before the correction", short_form),
    ("adam", "decay apart, as in AdamW", adam_like(decay=apart)),
    ("adam", "L2 added after the means", adam_like(l2_late=True)),
    ("adam", "right, but silent on step 0", adam_like(checks=False)),
    *[("adamw", fault, adam_like(**change, decay=apart, default=0.01)) for fault, change in ADAM_FAULTS],
    ("adamw", "L2 in the gradient", adam_like(default=0.01)),
    ("adamw", "L2 beside the mean, divided with it", adam_like(l2_late=True, default=0.01)),
    ("adamw", "decay not times lr", adam_like(decay=lambda p, moved, lr, w: moved - w * p, default=0.01)),
    ("adamw", "decay after the step", adam_like(decay=lambda p, moved, lr, w: moved * (1 - lr * w), default=0.01)),
    ("adamw", "grows", adam_like(decay=lambda p, moved, lr, w: moved + lr * w * p, default=0.01)),
    ("adamw", "no decay by default", adam_like(decay=apart)),
    ("adamw", "decay forgotten", lambda p, g, m, s, t, weight_decay=0.01, **o: optim.adam(p, g, m, s, t, **o)),
]
# Right rules in another style, which no oracle may reject.
RIGHT = [
    ("sgd", sgd_like()),
    ("sgd", sgd_like(first=lambda gradient, momentum: gradient.clone())),
    ("rmsprop", rmsprop_like()),
    ("adam", adam_like()),
    ("adam_definition", adam_like(checks=False)),
    ("adamw", adam_like(decay=apart, default=0.01)),
]


def objects(oracle, *arguments) -> bool:
    """Does the oracle raise?"""
    try:
        oracle(*arguments)
    except (Exception, pytest.fail.Exception):
        return True
    return False


@pytest.mark.parametrize(("name", "function"), [pytest.param(n, f, id=f"{n}: {fault}") for n, fault, f in RULES])
def test_a_known_fault_of_a_rule_is_rejected(name, function):
    assert objects(oracles.rule(name, extreme=False), oracles.room_of(**{name: function}))


@pytest.mark.parametrize(("name", "function"), RIGHT)
def test_a_right_rule_in_another_style_is_not_rejected(name, function):
    oracles.rule(name, extreme=False)(oracles.room_of(**{name: function}))


def test_every_rule_has_known_faults_and_a_right_answer():
    assert {name for name, _, _ in RULES} == {name for name, _ in RIGHT} == set(oracles.RULES)


# --- classes with one part changed ------------------------------------------------------------------------------------


class OneStepForAll(optim.Adam):
    """The steps counted for the whole network: wrong for a parameter that had no gradient at some."""

    def update(self, parameter, gradient, group):
        self.count = getattr(self, "count", 0) + (parameter is self.param_groups[0]["params"][0])
        new = super().update(parameter, gradient, group)
        self.state[parameter]["step"] = torch.tensor(float(self.count))
        return new


class NoGradientIsZero(optim.Adam):
    """A parameter without a gradient takes a step along its mean."""

    def step(self, closure=None):
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    parameter.grad = torch.zeros_like(parameter)
        return super().step(closure)


class FirstGroupOnly(optim.SGD):
    """Every group by the first one's options."""

    def update(self, parameter, gradient, group):
        return super().update(parameter, gradient, self.param_groups[0])


class OptionsFromTheStart(optim.SGD):
    """Deaf to a schedule."""

    def update(self, parameter, gradient, group):
        return super().update(parameter, gradient, group | self.defaults)


class NewTensor(optim.SGD):
    """Puts other numbers under the parameter and forgets the ones the model holds."""

    def step(self, closure=None):
        for group in self.param_groups:
            group["params"] = [p.detach().clone().requires_grad_() for p in group["params"]]
        return super().step(closure)


class SwapsTheData(optim.SGD):
    """Other memory under the same parameter: views of it stay behind."""

    def step(self, closure=None):
        loss = super().step(closure)
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter.data = parameter.data.clone()
        return loss


class DecaysTheGradientInPlace(optim.SGD):
    def update(self, parameter, gradient, group):
        gradient.add_(parameter, alpha=group["weight_decay"])
        return super().update(parameter, gradient, group | {"weight_decay": 0.0})


class StepInPlace(optim.AdamW):
    """Counts inside the tensor that a saved state dict holds."""

    def update(self, parameter, gradient, group):
        held = self.state[parameter].get("step")
        new = super().update(parameter, gradient, group)
        if held is not None:
            self.state[parameter]["step"] = held.copy_(self.state[parameter]["step"])
        return new


class ForgetsTheClosure(optim.RMSprop):
    def step(self, closure=None):
        super().step(closure)


class ClosureTwice(optim.RMSprop):
    def step(self, closure=None):
        if closure is not None:
            with torch.enable_grad():
                closure()
        return super().step(closure)


class ClosureAfterwards(optim.RMSprop):
    def step(self, closure=None):
        super().step()
        with torch.enable_grad():
            return closure() if closure is not None else None


class ClosureAsItComes(optim.RMSprop):
    """Gradients stay off in the closure where the caller had switched them off."""

    def step(self, closure=None):
        loss = closure() if closure is not None else None
        super().step()
        return loss


class TakesAnything(optim.Adam):
    def _check_options(self, options):
        pass


class TakesAnyGradient(optim.SGD):
    def _check_gradient(self, gradient):
        pass


class LoadsAnything(optim.AdamW):
    def load_state_dict(self, state_dict):
        torch.optim.Optimizer.load_state_dict(self, state_dict)


class AddsBeforeItLooks(optim.RMSprop):
    def add_param_group(self, param_group):
        torch.optim.Optimizer.add_param_group(self, param_group)
        self._check_options(param_group)


class OtherKeys(optim.SGD):
    """Its own name for the state."""

    def update(self, parameter, gradient, group):
        state = self.state[parameter]
        if "velocity" in state:
            state["momentum_buffer"] = state.pop("velocity")
        new = super().update(parameter, gradient, group)
        if "momentum_buffer" in state:
            state["velocity"] = state.pop("momentum_buffer")
        return new


class AlwaysFloat32(optim.Adam):
    def update(self, parameter, gradient, group):
        return super().update(parameter, gradient.float().to(gradient.dtype), group)


class MaximizeIgnored(optim.SGD):
    left_out = {}  # noqa: RUF012


class AdamForAdamW(optim.AdamW):
    rule = staticmethod(optim.adam)


CLASSES = [
    *(OneStepForAll, NoGradientIsZero, FirstGroupOnly, OptionsFromTheStart, NewTensor, SwapsTheData),
    *(
        DecaysTheGradientInPlace,
        StepInPlace,
        ForgetsTheClosure,
        ClosureTwice,
        ClosureAfterwards,
        ClosureAsItComes,
        TakesAnything,
    ),
    *(TakesAnyGradient, LoadsAnything, AddsBeforeItLooks, OtherKeys, AlwaysFloat32, MaximizeIgnored, AdamForAdamW),
]


@pytest.mark.parametrize("broken", CLASSES, ids=lambda broken: broken.__name__)
def test_a_known_fault_of_a_class_is_rejected(broken, unchecked):
    name = broken.__bases__[0].__name__
    named = type(name, (broken,), {})  # messages hold the class's name
    assert objects(oracles.one_class(name), oracles.room_of(**{name: named}))
    right = type(name, broken.__bases__, {})
    oracles.one_class(name)(oracles.room_of(**{name: right}))


def test_the_base_alone_updates_nothing():
    leaf = torch.ones(2, requires_grad=True)
    leaf.grad = torch.ones(2)

    class Bare(Optimizer):
        left_out = {}  # noqa: RUF012

    with pytest.raises(NotImplementedError):
        Bare([leaf], {"lr": 0.1}).step()


# --- schedules and clipping with one part changed ---------------------------------------------------------------------


def wave(share):
    return (1 + math.cos(math.pi * share)) / 2


def guarded(name, broken):
    """The broken schedule, with the right one's complaints."""

    def schedule(index, **options):
        getattr(optim, name)(index, **options)
        return broken(index, **options)

    return schedule


SCHEDULES = [
    ("step_decay", "falls at every step", lambda i, *, every, factor=0.1: factor ** (i / every)),
    ("step_decay", "one step too late", lambda i, *, every, factor=0.1: factor ** (max(i - 1, 0) // every)),
    ("step_decay", "factor times, not to the power", lambda i, *, every, factor=0.1: 1 - (1 - factor) * (i // every)),
    ("cosine", "climbs again", lambda i, *, total, floor=0.0: floor + (1 - floor) * wave(i / total)),
    ("cosine", "arrives at the last index", lambda i, *, total, floor=0.0: optim.cosine(i, total=max(total - 1, 1))),
    (
        "cosine",
        "the floor cuts it off",
        lambda i, *, total, floor=0.0: max(optim.cosine(i, total=total), floor),
    ),
    (
        "cosine",
        "the floor added on top",
        lambda i, *, total, floor=0.0: optim.cosine(i, total=total) + floor,
    ),
    ("cosine", "a line", lambda i, *, total, floor=0.0: max(1 - (1 - floor) * i / total, floor)),
    ("cosine", "a quarter wave", lambda i, *, total, floor=0.0: math.cos(math.pi * min(i / total, 1) / 2)),
    (
        "warmup_cosine",
        "starts at 0",
        lambda i, *, total, warmup, floor=0.0: (
            i / warmup if i < warmup else optim.warmup_cosine(i, total=total, warmup=warmup, floor=floor)
        ),
    ),
    (
        "warmup_cosine",
        "the cosine began at index 0",
        lambda i, *, total, warmup, floor=0.0: (
            (i + 1) / warmup if i < warmup else optim.cosine(i, total=total, floor=floor)
        ),
    ),
    (
        "warmup_cosine",
        "the cosine lasts total updates more",
        lambda i, *, total, warmup, floor=0.0: (
            (i + 1) / warmup if i < warmup else optim.cosine(i - warmup, total=total, floor=floor)
        ),
    ),
    (
        "warmup_cosine",
        "one update too many to warm up",
        lambda i, *, total, warmup, floor=0.0: (
            (i + 1) / (warmup + 1) if i <= warmup else optim.cosine(i - warmup, total=total - warmup, floor=floor)
        ),
    ),
    (
        "warmup_cosine",
        "warms up from the floor",
        lambda i, *, total, warmup, floor=0.0: (
            floor + (1 - floor) * (i + 1) / warmup
            if i < warmup
            else optim.cosine(i - warmup, total=total - warmup, floor=floor)
        ),
    ),
    ("one_cycle", "the top one later", lambda i, *, total, **o: optim.one_cycle(max(i - 1, 0), total=total, **o)),
    ("one_cycle", "warm-up by a line", None),
    ("one_cycle", "start ignored", lambda i, *, start=0.04, **o: optim.one_cycle(i, **o)),
    ("one_cycle", "end ignored", lambda i, *, end=4e-6, **o: optim.one_cycle(i, **o)),
    ("one_cycle", "half up, half down", lambda i, *, warmup=0.3, **o: optim.one_cycle(i, warmup=0.5, **o)),
    ("one_cycle", "down one update too long", lambda i, *, total, **o: optim.one_cycle(i, total=total + 1, **o)),
]


def line_up(index, *, total, warmup=0.3, start=1 / 25, end=1 / 250_000):
    top = warmup * total - 1
    if index < top:
        return start + (1 - start) * index / top
    return optim.one_cycle(index, total=total, warmup=warmup, start=start, end=end)


@pytest.mark.parametrize(("name", "broken"), [pytest.param(n, b, id=f"{n}: {fault}") for n, fault, b in SCHEDULES])
def test_a_known_fault_of_a_schedule_is_rejected(name, broken, unchecked):
    assert objects(oracles.schedules, oracles.room_of(**{name: guarded(name, broken or line_up)}))


@pytest.mark.parametrize("name", ["step_decay", "cosine", "warmup_cosine", "one_cycle"])
def test_a_schedule_that_refuses_nothing_is_rejected(name, unchecked):
    def lenient(index, **options):
        try:
            return getattr(optim, name)(index, **options)
        except ValueError:
            return 1.0

    assert objects(oracles.schedules, oracles.room_of(**{name: lenient}))
    oracles.schedules(oracles.room_of(**{name: getattr(optim, name)}))


def clip_like(*, norm=optim.gradient_norm, factor=lambda bound, norm: (bound / (norm + 1e-6)).clamp(max=1)):
    """Clipping by norm with one part changed."""

    def clip_grad_norm_(parameters, max_norm):
        if not max_norm > 0:
            raise ValueError(f"clip_grad_norm_ got {max_norm}; wanted above 0")
        held = [parameters] if isinstance(parameters, torch.Tensor) else list(parameters)
        measured = norm(held)
        for parameter in held:
            if parameter.grad is not None:
                parameter.grad.mul_(factor(max_norm, measured))
        return measured

    return clip_grad_norm_


def grads(parameters):
    held = [parameters] if isinstance(parameters, torch.Tensor) else list(parameters)
    return [parameter.grad for parameter in held if parameter.grad is not None]


def each_alone(parameters, max_norm):
    """Every parameter clipped by its own norm: the direction changes."""
    held = [parameters] if isinstance(parameters, torch.Tensor) else list(parameters)
    norm = optim.gradient_norm(held)
    for parameter in held:
        optim.clip_grad_norm_(parameter, max_norm)
    return norm


def one_sided(parameters, clip_value):
    optim.clip_grad_value_([], clip_value)
    for gradient in grads(parameters):
        gradient.clamp_(max=clip_value)


def copies(parameters, clip_value):
    optim.clip_grad_value_([], clip_value)
    for gradient in grads(parameters):
        gradient.clamp(-clip_value, clip_value)


def norm_afterwards(parameters, max_norm):
    held = list(parameters) if not isinstance(parameters, torch.Tensor) else parameters
    optim.clip_grad_norm_(held, max_norm)
    return optim.gradient_norm(held)


def norm_like(function):
    """A norm of all numbers in one row, half precision widened first."""

    def norm(parameters):
        held = [parameters] if isinstance(parameters, torch.Tensor) else list(parameters)
        optim.gradient_norm(held)  # refuses
        rows = [g.flatten().to(torch.promote_types(g.dtype, torch.float32)) for g in grads(held)]
        return function(torch.cat(rows or [torch.zeros(1)]))

    return norm


CLIPS = [
    ("clip_grad_norm_", "grows small gradients", clip_like(factor=lambda bound, norm: bound / (norm + 1e-6))),
    ("clip_grad_norm_", "without the 1e-6", clip_like(factor=lambda bound, norm: (bound / norm).clamp(max=1))),
    ("clip_grad_norm_", "no clipping", clip_like(factor=lambda bound, norm: 1.0)),
    ("clip_grad_norm_", "returns the norm after it", norm_afterwards),
    ("clip_grad_norm_", "each parameter alone", each_alone),
    ("gradient_norm", "squared", norm_like(lambda row: row.square().sum())),
    ("gradient_norm", "sum of sizes", norm_like(lambda row: row.abs().sum())),
    ("gradient_norm", "the largest number", norm_like(lambda row: row.abs().max())),
    ("gradient_norm", "mean of squares", norm_like(lambda row: row.square().mean().sqrt())),
    ("clip_grad_value_", "from above only", one_sided),
    ("clip_grad_value_", "clips copies", copies),
]


@pytest.mark.parametrize(("name", "broken"), [pytest.param(n, b, id=f"{n}: {fault}") for n, fault, b in CLIPS])
def test_a_known_fault_of_clipping_is_rejected(name, broken):
    assert objects(oracles.clipping, oracles.room_of(**{name: broken}))


def test_clipping_in_another_style_is_not_rejected():
    row = norm_like(torch.linalg.vector_norm)
    oracles.clipping(oracles.room_of(clip_grad_norm_=clip_like(norm=row), gradient_norm=row))


# --- every small change of the sources --------------------------------------------------------------------------------

# Changes that leave every result as it is, with the reason.
HARMLESS: dict[str, str] = {}


@pytest.mark.parametrize("file", oracles.ORACLES)
def test_every_small_change_of_the_source_is_rejected(file, unchecked):
    unchanged, *changed = ((label, oracles.rejected(room, file, at)) for label, room, at in oracles.broken_rooms(file))
    assert unchanged == ("unchanged", False)
    assert len(changed) >= 10
    assert [label for label, seen in changed if not seen and label not in HARMLESS] == []


def test_every_file_of_the_room_is_broken():
    assert {path.stem for path in oracles.FOLDER.glob("*.py")} - {"__init__"} == set(oracles.ORACLES)
