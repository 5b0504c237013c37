"""What each method promises, in numbers small enough to check by hand; and the optimisers at work in the Playground."""

import math

import pytest
import torch
from dlcourse_oracles import random
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcourse import optim
from dlcourse.widgets.playground.engine import PlaygroundEngine

SCALES = st.floats(-100, 100).map(lambda power: 10.0**power)


def numbers(*values):
    return torch.tensor(values, dtype=torch.float64)


def final(optimizer, parameter, slope, steps):
    """The parameter after so many steps along its slope."""
    for _ in range(steps):
        parameter.grad = slope(parameter.detach())
        optimizer.step()
    return parameter.detach()


# --- first steps by hand ----------------------------------------------------------------------------------------------


def test_momentum_by_hand(close):
    """Gradient 1 three times, momentum 1/2: velocity 1, 3/2, 7/4; lr 2 takes twice that."""
    parameter, velocity = optim.sgd(numbers(10.0), numbers(1.0), None, lr=2.0, momentum=0.5)
    assert (parameter.item(), velocity.item()) == (8.0, 1.0)
    parameter, velocity = optim.sgd(parameter, numbers(1.0), velocity, lr=2.0, momentum=0.5)
    assert (parameter.item(), velocity.item()) == (5.0, 1.5)
    parameter, velocity = optim.sgd(parameter, numbers(1.0), velocity, lr=2.0, momentum=0.5)
    assert (parameter.item(), velocity.item()) == (1.5, 1.75)


def test_nesterov_by_hand():
    """It looks half a velocity further: the first step is 1 + 1/2 * 1, the second 1 + 1/2 * 3/2."""
    parameter, velocity = optim.sgd(numbers(10.0), numbers(1.0), None, lr=2.0, momentum=0.5, nesterov=True)
    assert (parameter.item(), velocity.item()) == (7.0, 1.0)
    parameter, velocity = optim.sgd(parameter, numbers(1.0), velocity, lr=2.0, momentum=0.5, nesterov=True)
    assert (parameter.item(), velocity.item()) == (3.5, 1.5)


def test_weight_decay_by_hand():
    """Parameter 8, decay 1/4: the gradient 1 counts as 1 + 2."""
    assert optim.sgd(numbers(8.0), numbers(1.0), None, lr=1.0, weight_decay=0.25)[0].item() == 5.0
    parameter, square = optim.rmsprop(numbers(8.0), numbers(1.0), numbers(0.0), lr=1.0, alpha=0.0, weight_decay=0.25)
    assert (parameter.item(), square.item()) == (pytest.approx(7.0), 9.0)
    zero = numbers(0.0)
    _, mean, square = optim.adam(numbers(8.0), numbers(1.0), zero, zero, 1, lr=1.0, betas=(0.5, 0.5), weight_decay=0.25)
    assert (mean.item(), square.item()) == (1.5, 4.5)
    _, mean, square = optim.adamw(numbers(8.0), numbers(1.0), zero, zero, 1, lr=1.0, betas=(0.5, 0.5), weight_decay=0.5)
    assert (mean.item(), square.item()) == (0.5, 0.5)  # the decay is in no mean


def test_adams_second_step_by_hand(close):
    """Gradients 2 and 6, betas 1/2 and 3/4: mean 1, 7/2, corrected 2, 14/3; square 1, 39/4, corrected 4, 156/7."""
    zero = numbers(0.0)
    first = optim.adam(numbers(1.0), numbers(2.0), zero, zero, 1, lr=0.5, betas=(0.5, 0.75), eps=1.0)
    close(torch.cat(first), numbers(1 - 0.5 * 2 / (2 + 1), 1.0, 1.0))
    second = optim.adam(first[0], numbers(6.0), *first[1:], 2, lr=0.5, betas=(0.5, 0.75), eps=1.0)
    close(torch.cat(second), numbers(1 - 1 / 3 - 0.5 * (14 / 3) / (math.sqrt(156 / 7) + 1), 3.5, 9.75))


# --- what they promise ------------------------------------------------------------------------------------------------


@given(scale=SCALES, lr=st.floats(1e-6, 10), beta1=st.floats(0, 0.99), beta2=st.floats(0, 0.99))
def test_adams_first_step_is_lr_in_size_for_any_gradient(scale, lr, beta1, beta2, close):
    start, zero = numbers(1.0, -2.0, 0.5), torch.zeros(3, dtype=torch.float64)
    gradient = scale * numbers(3.0, -0.25, 1.0)
    options = {"lr": lr, "betas": (beta1, beta2), "eps": 0.0}
    close(optim.adam(start, gradient, zero, zero, 1, **options)[0], start - lr * gradient.sign())


@given(scale=SCALES, lr=st.floats(1e-6, 10), alpha=st.floats(0, 0.99))
def test_rmsprops_first_step_is_longer_by_the_root_of_1_minus_alpha(scale, lr, alpha, close):
    start, gradient = numbers(1.0, -2.0), scale * numbers(3.0, -0.25)
    parameter, _ = optim.rmsprop(start, gradient, torch.zeros_like(start), lr=lr, alpha=alpha, eps=0.0)
    close(parameter, start - lr / math.sqrt(1 - alpha) * gradient.sign())


@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9])
@settings(max_examples=8)
@given(curvature=st.floats(1e-3, 1e3), share=st.one_of(st.floats(0.05, 0.97), st.floats(1.03, 2.0)))
def test_sgd_on_a_parabola_arrives_if_and_only_if_lr_is_below_2_over_curvature(momentum, curvature, share):
    """With momentum the bound is 2 (1 + momentum) / curvature. Half the parabola is curvature / 2 * parameter**2."""
    lr = share * 2 * (1 + momentum) / curvature
    parameter = numbers(1.0).requires_grad_()
    optimizer = optim.SGD([parameter], lr=lr, momentum=momentum)
    far = final(optimizer, parameter, lambda x: curvature * x, 300).abs().item()
    assert far < 1e-3 if share < 1 else far > 10


@pytest.mark.parametrize("momentum", [0.2, 0.5, 0.9])
@pytest.mark.parametrize("curvature", [0.25, 1.0, 30.0])
@pytest.mark.parametrize(("share", "arrives"), [(0.97, True), (1.03, False)])
def test_nesterov_has_a_bound_of_its_own(momentum, curvature, share, arrives):
    """2 (1 + momentum) / (1 + 2 momentum) / curvature, lower than without looking ahead."""
    bound = 2 * (1 + momentum) / (1 + 2 * momentum) / curvature
    parameter = numbers(1.0).requires_grad_()
    optimizer = optim.SGD([parameter], lr=share * bound, momentum=momentum, nesterov=True)
    far = final(optimizer, parameter, lambda x: curvature * x, 300).abs().item()
    assert far < 1e-3 if arrives else far > 10


def test_momentum_crosses_a_long_valley_sooner():
    """Curvatures 1 and 100: with the best rate for each, momentum is far nearer after 100 steps."""
    curvature, ends = numbers(1.0, 100.0), {}
    for momentum in (0.0, (9 / 11) ** 2):
        parameter = numbers(1.0, 1.0).requires_grad_()
        lr = 2 / 101 if momentum == 0 else (2 / 11) ** 2
        optimizer = optim.SGD([parameter], lr=lr, momentum=momentum)
        ends[momentum] = final(optimizer, parameter, lambda x: curvature * x, 100).norm().item()
    assert ends[(9 / 11) ** 2] < 1e-5 < 0.1 < ends[0.0]


@settings(max_examples=20)
@given(scale=SCALES, weight_decay=st.floats(0.01, 1))
def test_adamws_decay_does_not_depend_on_the_gradients_scale_and_l2_in_adam_does(scale, weight_decay, close):
    def end(rule, scale, decay):
        parameter = start = numbers(5.0, -3.0, 1.0)
        mean = square = torch.zeros_like(start)
        for step in range(1, 11):
            gradient = scale * random(3, seed=step)
            parameter, mean, square = rule(
                parameter, gradient, mean, square, step, lr=0.1, eps=0.0, weight_decay=weight_decay if decay else 0.0
            )
        return parameter

    close(end(optim.adamw, scale, True), end(optim.adamw, 1.0, True))
    assert (end(optim.adamw, 1.0, True) - end(optim.adamw, 1.0, False)).norm() > 1e-3  # and it does something
    # L2: next to large gradients it vanishes, next to small ones it is all there is.
    close(end(optim.adam, 1e15, True), end(optim.adam, 1e15, False))
    pulled = end(optim.adam, 1e-12, True)
    assert torch.allclose(pulled, numbers(5.0, -3.0, 1.0) - numbers(1.0, -1.0, 1.0), atol=0.2)


def test_for_sgd_both_kinds_of_decay_are_one(close):
    start, gradient = random(4), random(4, seed=1)
    parameter, _ = optim.sgd(start, gradient, None, lr=0.1, weight_decay=0.5)
    close(parameter, start * (1 - 0.1 * 0.5) - 0.1 * gradient)


def test_adam_does_not_see_a_change_of_scale(close):
    """Gradients a thousand times larger give the same run; a thousandth of eps, and eps shows."""

    def end(scale, eps):
        parameter, mean, square = random(3), *torch.zeros(2, 3, dtype=torch.float64)
        for step in range(1, 21):
            gradient = scale * random(3, seed=step)
            parameter, mean, square = optim.adam(parameter, gradient, mean, square, step, lr=0.1, eps=eps)
        return parameter

    close(end(1000.0, 0.0), end(1.0, 0.0))
    assert (end(1e-11, 1e-8) - random(3)).abs().max() < 0.01


def test_lr_stands_outside_the_velocity():
    """With lr set to 0 the next step stays, however fast it was going; inside the velocity it would coast on."""
    parameter = numbers(1.0).requires_grad_()
    optimizer = optim.SGD([parameter], lr=0.1, momentum=0.9)
    moved = final(optimizer, parameter, lambda x: x, 3).clone()
    optimizer.param_groups[0]["lr"] = 0.0
    assert torch.equal(final(optimizer, parameter, lambda x: x, 3), moved)


def test_nesterov_is_the_papers_with_its_variables_changed(close):
    """The paper takes the slope at place + momentum * velocity, with lr in the velocity: that is our parameter."""

    def slope(x):
        return x**3 + torch.sin(3 * x)

    place, coasting, lr, momentum = numbers(1.0, -0.4), numbers(0.0, 0.0), 0.05, 0.8
    parameter, velocity = place, None
    for _ in range(30):
        close(parameter, place + momentum * coasting)
        coasting = momentum * coasting - lr * slope(place + momentum * coasting)
        place = place + coasting
        parameter, velocity = optim.sgd(parameter, slope(parameter), velocity, lr=lr, momentum=momentum, nesterov=True)


def test_adamws_decay_is_times_lr():
    """At lr = 0 nothing moves; in the paper's algorithm 2 the decay would go on."""
    start = numbers(1.0, -2.0)
    zero = torch.zeros_like(start)
    parameter, _, _ = optim.adamw(start, start, zero, zero, 1, lr=0.0, weight_decay=0.5)
    assert torch.equal(parameter, start)


def test_the_definition_of_adam_and_adam_are_one(close):
    state = fast = (random(5), random(5, seed=1), random(5, seed=2).square())
    for step in range(1, 50):
        gradient = random(5, seed=step)
        state = optim.adam_definition(state[0], gradient, *state[1:], step, lr=0.1, betas=(0.7, 0.9))
        fast = optim.adam(fast[0], gradient, *fast[1:], step, lr=0.1, betas=(0.7, 0.9))
    close(torch.cat(state), torch.cat(fast))


@given(scale=st.floats(1e-3, 1e3), bound=st.floats(1e-3, 1e3))
def test_clipping_by_norm_keeps_the_direction(scale, bound, close):
    weight, bias = torch.zeros(3, 2, dtype=torch.float64), torch.zeros(2, dtype=torch.float64)
    weight.grad, bias.grad = scale * random(3, 2), scale * random(2, seed=1)
    before = torch.cat([weight.grad.flatten(), bias.grad])
    norm = optim.clip_grad_norm_([weight, bias], bound)
    after = torch.cat([weight.grad.flatten(), bias.grad])
    close(norm, before.norm())
    assert optim.gradient_norm([weight, bias]) <= bound
    close(after / after.norm(), before / before.norm())
    if norm <= bound - 1e-6:
        assert torch.equal(after, before)


# --- in the Playground ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make",
    [
        lambda p: optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True),
        lambda p: optim.RMSprop(p, lr=0.01),
        lambda p: optim.Adam(p, lr=0.01),
        lambda p: optim.AdamW(p, lr=0.01),
    ],
    ids=["SGD", "RMSprop", "Adam", "AdamW"],
)
def test_the_playground_trains_with_it_and_goes_back_exactly(make):
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(2, 4), torch.nn.Tanh(), torch.nn.Linear(4, 1))
    engine = PlaygroundEngine(model=model, optimizer=make(model.parameters()), data="moons", batch_size=10)
    engine.step(10)
    after = [p.detach().clone() for p in model.parameters()]
    engine.step(40)
    last = [p.detach().clone() for p in model.parameters()]
    assert not torch.equal(after[0], last[0])
    engine.scrub(10)
    assert all(torch.equal(p, a) for p, a in zip(model.parameters(), after, strict=True))
    engine.step(40)
    assert all(torch.equal(p, a) for p, a in zip(model.parameters(), last, strict=True))
