"""The optimisers and clipping are torch's: the same numbers, the same state, and state dicts go both ways."""

import copy

import dlcourse_optim as oracles
import pytest
import torch
from dlcourse_optim import OPTIONS, RULES
from hypothesis import given
from hypothesis import strategies as st
from torch.optim import lr_scheduler

from dlcourse import models, nn, optim

CASES = [pytest.param(name, options, id=f"{name} {options}") for name in OPTIONS for options in OPTIONS[name]]
by_class = pytest.mark.parametrize("name", OPTIONS)
every_option = pytest.mark.parametrize(("name", "options"), CASES)


@every_option
def test_a_hundred_steps_are_torchs(name, options, unchecked):  # `unchecked` for speed: the rules are checked below
    oracles.against_torch(optim, name, options)


@every_option
def test_a_state_dict_goes_on_in_either(name, options, unchecked):  # and because torch writes its zeros as integers
    oracles.interchange(optim, name, options)


@by_class
@pytest.mark.parametrize("dtype", oracles.DTYPES)
def test_a_run_stays_on_its_device_and_in_its_dtype(name, dtype, device, unchecked):
    for options in (OPTIONS[name][0], OPTIONS[name][-1]):
        oracles.against_torch(optim, name, options, device=device, dtype=dtype, steps=20)
        oracles.interchange(optim, name, options, device=device, dtype=dtype, steps=20)


@pytest.mark.parametrize("name", RULES)
def test_a_rule_is_torchs_for_extreme_gradients_too(name, device):
    oracles.rule(name)(optim, device)


@every_option
def test_a_class_is_its_rule_again_and_again(name, options):
    oracles.as_the_rule(optim, name, options)


SHARES, SIZES = st.floats(0, 0.9999), st.floats(0, 1e3)


@given(
    chosen=st.one_of(
        st.tuples(
            st.just("SGD"),
            st.fixed_dictionaries({"momentum": st.floats(1e-3, 1), "nesterov": st.booleans(), "weight_decay": SIZES}),
        ),
        st.tuples(st.just("RMSprop"), st.fixed_dictionaries({"alpha": SHARES, "eps": SIZES, "weight_decay": SIZES})),
        st.tuples(
            st.sampled_from(["Adam", "AdamW"]),
            st.fixed_dictionaries({"betas": st.tuples(SHARES, SHARES), "eps": SIZES, "weight_decay": SIZES}),
        ),
    ),
    lr=st.floats(0, 1e-3),
    shape=st.lists(st.integers(0, 3), max_size=3),
    seed=st.integers(0, 1000),
)
def test_any_option_and_any_shape(chosen, lr, shape, seed, close):
    name, options = chosen
    mine, its = (oracles.random(*shape, seed=seed).requires_grad_() for _ in range(2))
    ours = getattr(optim, name)([mine], lr=lr, **options)
    theirs = getattr(torch.optim, name)([its], lr=lr, **options)
    for step in range(5):
        mine.grad = oracles.random(*shape, seed=seed + step)
        its.grad = mine.grad.clone()
        ours.step()
        theirs.step()
        close(mine.detach(), its.detach())


@by_class
@pytest.mark.parametrize(
    "scheduler",
    [
        lambda optimizer: lr_scheduler.LambdaLR(optimizer, lambda i: optim.warmup_cosine(i, total=100, warmup=10)),
        lambda optimizer: lr_scheduler.StepLR(optimizer, 30, gamma=0.3),
        lambda optimizer: lr_scheduler.CosineAnnealingLR(optimizer, 60),
        lambda optimizer: lr_scheduler.OneCycleLR(optimizer, 0.05, total_steps=101, cycle_momentum=False),
    ],
    ids=["LambdaLR", "StepLR", "CosineAnnealingLR", "OneCycleLR"],
)
def test_torchs_schedulers_drive_ours(name, scheduler):
    driven(name, scheduler, {})


@pytest.mark.parametrize("name", ["SGD", "Adam"])
def test_the_scheduler_that_moves_the_momentum_drives_ours(name):
    options = {"momentum": 0.9} if name == "SGD" else {}
    driven(name, lambda optimizer: lr_scheduler.OneCycleLR(optimizer, 0.05, total_steps=101), options)


def driven(name, scheduler, options):
    ours, theirs = oracles.parameters(), oracles.parameters()
    mine, its = oracles.made(optim, name, options, ours), oracles.made(torch.optim, name, options, theirs)
    schedulers, rates = (scheduler(mine), scheduler(its)), set()
    for step in range(100):
        for optimizer, parameters, driving in zip((mine, its), (ours, theirs), schedulers, strict=True):
            oracles.advance(optimizer, parameters, step, step + 1, of=100, events=False)
            driving.step()
        rates.add(mine.param_groups[0]["lr"])
    oracles.same_parameters(ours, theirs)
    assert len(rates) > 1


def test_a_scheduler_does_not_move_a_momentum_that_is_not_there():
    with pytest.raises(ValueError, match="optimizer must support momentum"):
        lr_scheduler.OneCycleLR(optim.RMSprop(oracles.parameters()), 0.1, total_steps=5)


@by_class
@pytest.mark.parametrize(
    "check",
    [
        oracles.defaults,
        oracles.closures,
        oracles.refused_gradients,
        oracles.options,
        oracles.left_out,
        oracles.other_kinds,
        oracles.in_place,
        oracles.apart,
    ],
    ids=lambda check: check.__name__,
)
def test_a_class_keeps_its_promises(name, check, unchecked):
    check(optim, name)


@by_class
@pytest.mark.parametrize("params", ["generator", "list", "one tensor in a group", "named"])
def test_parameters_come_as_torch_takes_them(name, params):
    model = torch.nn.Linear(3, 2)
    optimizer = getattr(optim, name)(
        {
            "generator": model.parameters(),
            "list": list(model.parameters()),
            "one tensor in a group": [{"params": model.weight}, {"params": model.bias, "lr": 0.3}],
            "named": model.named_parameters(),
        }[params],
        lr=0.1,
    )
    before = [p.detach().clone() for p in model.parameters()]
    model(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    assert all(not torch.equal(p, b) for p, b in zip(model.parameters(), before, strict=True))
    optimizer.zero_grad()
    assert all(p.grad is None for p in model.parameters())


def test_what_torch_refuses_is_refused():
    leaf = torch.zeros(2, requires_grad=True)
    with pytest.raises(ValueError, match="empty parameter list"):
        optim.Adam([])
    with pytest.raises(TypeError, match="iterable of Tensors"):
        optim.Adam(leaf)
    with pytest.raises(ValueError, match="more than one parameter group"):
        optim.Adam([{"params": [leaf]}, {"params": [leaf]}])
    with pytest.raises(ValueError, match="non-leaf"):
        optim.Adam([leaf * 2])


def test_nesterov_needs_momentum():
    leaf = torch.zeros(2, requires_grad=True)
    with pytest.raises(ValueError, match=r"nesterov=True without momentum; give one, such as momentum=0\.9"):
        optim.SGD([leaf], lr=0.1, nesterov=True)
    with pytest.raises(ValueError, match="nesterov=True without momentum"):
        optim.SGD([{"params": [leaf], "momentum": 0.0}], lr=0.1, momentum=0.9, nesterov=True)


@by_class
def test_a_parameter_that_was_added_later_joins_in(name):
    first, second = (oracles.random(3, seed=i).requires_grad_() for i in range(2))
    optimizer = getattr(optim, name)([first], lr=0.1)
    optimizer.add_param_group({"params": [second], "lr": 0.0})
    assert optimizer.param_groups[1].keys() == optimizer.param_groups[0].keys()
    start = second.detach().clone()
    for parameter in (first, second):
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    assert torch.equal(second, start)  # a rate of 0 stays where it is
    optimizer.param_groups[1]["lr"] = 0.1
    optimizer.step()
    assert not torch.equal(second, start)


@by_class
def test_hooks_of_torch_run(name):
    leaf = torch.ones(2, requires_grad=True)
    optimizer, seen = getattr(optim, name)([leaf], lr=0.1), []
    optimizer.register_step_pre_hook(lambda *_: seen.append("before"))
    optimizer.register_step_post_hook(lambda *_: seen.append("after"))
    optimizer.step()
    assert seen == ["before", "after"]


@by_class
def test_a_deep_copy_goes_on_alike_and_apart(name):
    model = torch.nn.Linear(3, 2)
    optimizer = getattr(optim, name)(model.parameters(), lr=0.1)

    def steps(model, optimizer):
        for _ in range(3):
            optimizer.zero_grad()
            model(torch.ones(4, 3)).square().sum().backward()
            optimizer.step()

    steps(model, optimizer)
    twin, its = copy.deepcopy((model, optimizer))
    held = copy.deepcopy(optimizer.state_dict())
    steps(twin, its)
    assert str(optimizer.state_dict()) == str(held)
    assert not torch.equal(model.weight, twin.weight)
    steps(model, optimizer)
    assert torch.equal(model.weight, twin.weight)


@by_class
def test_half_precision_is_torchs(name, device):
    mine, its = (oracles.random(5).to(device, torch.bfloat16).requires_grad_() for _ in range(2))
    ours, theirs = getattr(optim, name)([mine], lr=0.01), getattr(torch.optim, name)([its], lr=0.01)
    for step in range(20):
        mine.grad = oracles.random(5, seed=step).to(mine)
        its.grad = mine.grad.clone()
        ours.step()
        theirs.step()
    torch.testing.assert_close(mine, its, rtol=0.02, atol=0.02)


def test_a_network_trained_by_ours_is_the_one_trained_by_torchs(close):
    """A run whose gradients depend on all steps before, with clipping and a schedule: float64, two layers."""

    def run(lib, clip):
        weights = [oracles.random(*s, seed=i) for i, s in enumerate([(8, 4), (8,), (3, 8), (3,)])]
        for weight in weights:
            weight.requires_grad_()
        optimizer = lib.AdamW(weights, lr=0.05)
        scheduler = lr_scheduler.LambdaLR(optimizer, lambda i: optim.warmup_cosine(i, total=60, warmup=5))
        x, labels = oracles.random(30, 4, seed=9), torch.arange(30) % 3
        for _ in range(60):
            optimizer.zero_grad()
            loss = nn.cross_entropy(models.two_layer(x, *weights), labels)
            loss.backward()
            clip(weights, 0.5)
            optimizer.step()
            scheduler.step()
        return [weight.detach() for weight in weights], loss.item()

    ours, loss = run(optim, optim.clip_grad_norm_)
    theirs, _ = run(torch.optim, torch.nn.utils.clip_grad_norm_)
    assert loss < 0.7  # of log 3 = 1.1 for guessing
    for mine, its in zip(ours, theirs, strict=True):
        close(mine, its)


def test_clipping_is_torchs(device):
    oracles.clipping(optim, device)


def test_clipping_leaves_no_trace_in_a_graph():
    weight = torch.ones(2, requires_grad=True)
    (gradient,) = torch.autograd.grad(weight.pow(3).sum(), weight, create_graph=True)
    weight.grad = gradient
    assert not optim.gradient_norm([weight]).requires_grad
    assert not optim.clip_grad_norm_([weight], 1.0).requires_grad
