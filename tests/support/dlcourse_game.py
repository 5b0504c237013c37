"""The oracles of the game of two networks, and broken versions that each must reject.

As in dlcourse_oracles and dlcourse_mutants, for generation's losses, penalties, steps and optimum. The definitions here
use torch's own losses, slopes written out by hand, and networks as pure functions of their weights.
"""

import copy
import io
import math
import signal
import sys
from dataclasses import FrozenInstanceError, fields, replace
from functools import partial

import pytest
import torch
import torch.nn.functional as F  # noqa: N812, torch's own name for it
from dlcourse_oracles import DTYPES, NUMBERS, agree, global_stream_untouched, random, refuses, source
from dlcourse_tolerance import assert_close
from torch.func import functional_call, grad, vmap

from dlcourse import generation, training
from dlcourse.training import bar as bar_file

# --- the losses -------------------------------------------------------------------------------------------------------


def cross_entropy_to(target):
    return lambda logits: F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, target))


REAL, FAKE = cross_entropy_to(1.0), cross_entropy_to(0.0)
REFERENCES = {
    "minimax": (lambda r, f: REAL(r) + FAKE(f), lambda f: -FAKE(f)),
    "non-saturating": (lambda r, f: REAL(r) + FAKE(f), REAL),
    "least squares": (
        lambda r, f: (F.mse_loss(r, torch.ones_like(r)) + F.mse_loss(f, torch.zeros_like(f))) / 2,
        lambda f: F.mse_loss(f, torch.ones_like(f)) / 2,
    ),
    "hinge": (
        lambda r, f: torch.relu(1 - r).sum() / len(r) + torch.relu(1 + f).sum() / len(f),
        lambda f: -f.sum() / len(f),
    ),
    "Wasserstein": (lambda r, f: f.sum() / len(f) - r.sum() / len(r), lambda f: -f.sum() / len(f)),
}


def adversarial(name):
    """Oracle for one pair of losses: values and slopes of torch's, for logits of any size, by hand at one place."""

    def oracle(loss, device):
        assert loss.name == name
        assert repr(loss) == f"Adversarial({name!r})"
        d_wanted, g_wanted = REFERENCES[name]
        for dtype in DTYPES:
            wide = torch.tensor(NUMBERS, dtype=dtype, device=device)
            cases = [wide, wide.flip(0), wide[:1], wide[-1:], random(7, scale=3, dtype=dtype, device=device)]
            for logits in cases:
                agree(loss.generator, g_wanted, logits)
                agree(loss.discriminator, d_wanted, logits, logits.roll(1))
                agree(loss.discriminator, d_wanted, logits.flip(0), logits)
        three = torch.tensor([3.0], device=device).log()  # D says 3/4
        by_hand = {
            "minimax": (math.log(4 / 3) + math.log(4), math.log(1 / 4)),
            "non-saturating": (math.log(4 / 3) + math.log(4), math.log(4 / 3)),
            "least squares": ((math.log(3) - 1) ** 2 / 2 + math.log(3) ** 2 / 2, (math.log(3) - 1) ** 2 / 2),
            "hinge": (1 + math.log(3), -math.log(3)),  # 1 - log 3 is below 0
            "Wasserstein": (0.0, -math.log(3)),
        }[name]
        assert loss.discriminator(three, three).item() == pytest.approx(by_hand[0], abs=1e-6)
        assert loss.generator(three).item() == pytest.approx(by_hand[1], abs=1e-6)

    return oracle


def adversarial_class(make, device):
    """A name and two functions, frozen."""
    loss = make("mine", lambda real, fake: real.mean(), lambda fake: fake.mean())
    assert repr(loss) == "Adversarial('mine')"
    assert loss.discriminator(torch.ones(2, device=device), torch.zeros(2, device=device)).item() == 1
    assert [field.name for field in fields(loss)] == ["name", "discriminator", "generator"]
    with pytest.raises(FrozenInstanceError):
        loss.name = "other"


def minimax_definition(function, device):
    """The means of torch's cross-entropies, and an error where a probability rounds to 0 or 1."""
    for n in (5, 1, 2):
        real, fake = random(n, scale=2, device=device), random(n, scale=2, seed=1, device=device)
        d_loss, g_loss = function(real, fake)
        assert d_loss == pytest.approx((REAL(real) + FAKE(fake)).item(), rel=1e-12)
        assert g_loss == pytest.approx(-FAKE(fake).item(), rel=1e-12)
    for logits in ((0.0, 50.0), (-1000.0, 0.0)):
        real, fake = (torch.tensor([z], device=device) for z in logits)
        with pytest.raises((ValueError, OverflowError)):
            function(real, fake)


# --- the penalties ----------------------------------------------------------------------------------------------------


def network(first, second):
    """D(x) = second . tanh(first x) for x of any shape, and the slope for x, written out: no second backward."""

    def d_model(x):
        return torch.tanh(x.flatten(1) @ first.T) @ second

    def slopes(x):
        return (second * (1 - torch.tanh(x.flatten(1) @ first.T).square())) @ first

    return d_model, slopes


SHAPES = ((5, 3), (1, 1), (3, 1, 2, 2), (2, 4))


def weights_for(shape, dtype=torch.float64, device="cpu"):
    return (
        random(4, math.prod(shape[1:]), seed=3, dtype=dtype, device=device),
        random(4, seed=4, dtype=dtype, device=device),
    )


def directional(function, weights, *, eps=1e-5):
    """The slope in a random direction equals the finite difference, in float64."""
    leaves = [w.detach().double().requires_grad_() for w in weights]
    slopes = torch.autograd.grad(function(*leaves), leaves)
    ways = [random(*w.shape, seed=9 + i, device=w.device) for i, w in enumerate(leaves)]
    ahead, behind = (
        function(*(w.detach() + sign * eps * v for w, v in zip(leaves, ways, strict=True))).item() for sign in (1, -1)
    )
    along = sum((s * v).sum().item() for s, v in zip(slopes, ways, strict=True))
    assert along == pytest.approx((ahead - behind) / (2 * eps), rel=1e-5, abs=1e-8)


def r1_penalty(function, device):
    """The squared slopes by hand, and their slope for D's weights; x is left alone and gets no gradient."""
    for shape in SHAPES:
        for dtype in DTYPES:
            x = random(*shape, dtype=dtype, device=device)
            weights = weights_for(shape, dtype, device)
            agree(
                lambda a, b, x=x: function(network(a, b)[0], x),
                lambda a, b, x=x: network(a, b)[1](x).square().sum(1).mean(),
                *weights,
            )
        directional(lambda a, b, x=x: function(network(a, b)[0], x), weights)
        leaf = x.detach().requires_grad_()
        function(network(*(w.requires_grad_() for w in weights))[0], leaf).backward()
        assert leaf.grad is None
        assert not x.requires_grad
        with torch.no_grad():
            assert_close(function(network(*weights)[0], x), network(*weights)[1](x).square().sum(1).mean())


def between(real, fake, seed):
    """The points that a gradient penalty looks at."""
    u = torch.rand(len(real), generator=source(seed, real.device), device=real.device).to(real)
    return torch.stack([u[i] * real[i] + (1 - u[i]) * fake[i] for i in range(len(real))])


def gradient_penalty(function, device):
    """As `r1_penalty`, at one random point of each pair; also where the slope is 0; unequal shapes are refused."""
    for shape in SHAPES:
        for dtype in DTYPES:
            real, fake = (random(*shape, seed=i, scale=2, dtype=dtype, device=device) for i in (0, 1))
            weights = weights_for(shape, dtype, device)

            def ours(a, b, real=real, fake=fake):
                with global_stream_untouched():
                    return function(network(a, b)[0], real, fake, generator=source(5, device))

            def theirs(a, b, real=real, fake=fake):
                slopes = network(a, b)[1](between(real, fake, 5))
                return (slopes.square().sum(1).sqrt() - 1).square().mean()

            agree(ours, theirs, *weights)
        directional(ours, weights)
        leaves = [t.detach().requires_grad_() for t in (real, fake)]
        function(network(*(w.requires_grad_() for w in weights))[0], *leaves, generator=source(5, device)).backward()
        assert all(leaf.grad is None for leaf in leaves)
    flat = torch.zeros(3, 2, device=device, requires_grad=True)
    level = function(lambda x: (x * flat).sum(1), flat.detach(), flat.detach() + 1, generator=source(0, device))
    level.backward()
    assert level.item() == 1
    assert flat.grad.isfinite().all()
    pair = torch.zeros(4, 2, device=device), torch.zeros(3, 2, device=device)
    refuses(lambda: function(network(*weights)[0], *pair, generator=source(0, device)), ValueError, "(4, 2)", "(3, 2)")


def penalty_class(name, strength, default, wanted):
    """Oracle for the options of a penalty; wanted(d_model, real, fake, device) is the term of strength 1."""

    def oracle(make, device):
        made = make()
        assert (getattr(made, strength), made.every) == (default, 1)
        with pytest.raises(FrozenInstanceError):
            made.every = 2
        real, fake = (random(5, 3, seed=i, device=device) for i in (0, 1))
        d_model, _ = network(*(w.requires_grad_() for w in weights_for((5, 3), device=device)))
        one = wanted(d_model, real, fake, device)
        for size in (0.0, 0.05, 1.0, 7.0):
            for every in (1, 2, 8):
                term = make(**{strength: size}, every=every)(d_model, real, fake, generator=source(5, device))
                assert term.requires_grad
                assert_close(term, one * size * every)
        for size in (-1.0, math.inf, math.nan):
            refuses(lambda s=size: make(**{strength: s}), ValueError, f"{name}({strength}={size})")
        for every in (0, 1.5):
            refuses(lambda n=every: make(every=n), ValueError, name, f"every={every}")

    return oracle


def half_r1(d_model, real, fake, device):
    return generation.r1_penalty(d_model, real) / 2


def whole_penalty(d_model, real, fake, device):
    return generation.gradient_penalty(d_model, real, fake, generator=source(5, device))


# --- the steps --------------------------------------------------------------------------------------------------------


def double(*layers):
    return torch.nn.Sequential(*layers).double()


def players(device, seed=0, *, shape=(2,), latent=3):
    """A generator and a discriminator in float64, with the same weights on each device."""
    sizes = math.prod(shape)
    g_model = double(
        torch.nn.Linear(latent, 5), torch.nn.Tanh(), torch.nn.Linear(5, sizes), torch.nn.Unflatten(1, shape)
    )
    d_model = double(
        torch.nn.Flatten(), torch.nn.Linear(sizes, 6), torch.nn.Tanh(), torch.nn.Linear(6, 1), torch.nn.Flatten(0)
    )
    for model in (g_model, d_model):
        for i, p in enumerate(model.parameters()):
            p.data.copy_(random(*p.shape, seed=seed + i, scale=0.7))
    return g_model.to(device), d_model.to(device)


def sgd(model, lr):
    return torch.optim.SGD(model.parameters(), lr)


def reals(device, shape=(2,)):
    """draw_real: other examples at each call, the same in each run; it notes how many were asked for."""

    def draw(n):
        draw.asked.append(n)
        return 1 + random(n, *shape, seed=100 + len(draw.asked), device=device)

    draw.asked = []
    return draw


def length(gradients):
    return math.sqrt(sum(g.square().sum().item() for g in gradients.values()))


def r1_by_functions(d_model, weights, real, fake, generator):
    """The squared slopes by torch.func, example by example."""
    slopes = vmap(grad(lambda one: functional_call(d_model, weights, (one[None],))[0]))(real)
    return slopes.square().sum() / len(real)


def gp_by_functions(d_model, weights, real, fake, generator):
    u = torch.rand(len(real), generator=generator, device=generator.device).to(real)
    points = torch.stack([a * r + (1 - a) * f for a, r, f in zip(u, real, fake, strict=True)])
    slopes = vmap(grad(lambda one: functional_call(d_model, weights, (one[None],))[0]))(points)
    return (slopes.flatten(1).square().sum(1).sqrt() - 1).square().mean()


PENALTIES = {
    None: lambda *given: torch.zeros((), dtype=torch.float64, device=given[2].device),
    generation.R1(0.3): lambda *given: 0.15 * r1_by_functions(*given),
    generation.R1(0.3, every=3): lambda *given: 0.45 * r1_by_functions(*given),
    generation.GradientPenalty(2.0, every=2): lambda *given: 4 * gp_by_functions(*given),
}


def played(
    g_model,
    d_model,
    draw,
    name,
    *,
    g_lr,
    d_lr,
    latent,
    steps,
    batch,
    d_steps=1,
    penalty=None,
    schedule=lambda turn: 1,
    first=0,
    generator,
):
    """The game by pure functions of the weights: (kind, index, numbers, tensors), and the last weights."""
    d_loss, g_loss = REFERENCES[name]
    g, d = ({n: p.detach().clone() for n, p in m.named_parameters()} for m in (g_model, d_model))
    rows = []

    def noise():
        z = torch.randn(batch, latent, generator=generator, device=generator.device)
        return z.double().to(next(iter(g.values())).device)

    for index in range(first, first + steps):
        for k in range(d_steps):
            real, fake = draw(batch), functional_call(g_model, g, (noise(),))
            due = penalty is not None and (index * d_steps + k) % penalty.every == 0
            state = generator.get_state()

            def parts(weights, real=real, fake=fake, due=due, state=state):
                judged = [functional_call(d_model, weights, (x,)) for x in (real, fake)]
                generator.set_state(state)
                term = PENALTIES[penalty if due else None](d_model, weights, real, fake, generator)
                value = d_loss(*judged)
                return value + term, (value, term, *judged)

            slopes, (value, term, on_real, on_fake) = grad(parts, has_aux=True)(d)
            numbers = (value.item(), term.item(), length(slopes))
            rows.append(("DiscriminatorStep", index, numbers, (real, fake, on_real, on_fake)))
            d = {n: p - schedule(index) * d_lr * slopes[n] for n, p in d.items()}
        z = noise()

        def fooled(weights, z=z):
            fake = functional_call(g_model, weights, (z,))
            judged = functional_call(d_model, d, (fake,))  # noqa: B023, used at once
            return g_loss(judged), (fake, judged)

        slopes, (fake, judged) = grad(fooled, has_aux=True)(g)
        rows.append(("GeneratorStep", index, (g_loss(judged).item(), length(slopes)), (z, fake, judged)))
        g = {n: p - schedule(index) * g_lr * slopes[n] for n, p in g.items()}
    return rows, g, d


def shown(step):
    """A step in the form of `played`, with all its tensors checked to be free."""
    kind = type(step).__name__
    names = {
        "DiscriminatorStep": (("loss", "penalty", "gradient_norm"), ("real", "fake", "real_logits", "fake_logits")),
        "GeneratorStep": (("loss", "gradient_norm"), ("z", "fake", "fake_logits")),
    }[kind]
    numbers, tensors = (tuple(getattr(step, name) for name in part) for part in names)
    assert all(type(number) is float for number in numbers)
    assert not any(t.requires_grad for t in tensors)
    assert type(step.index) is int
    return kind, step.index, numbers, tensors


def same_row(found, wanted):
    assert found[:2] == wanted[:2]
    assert found[2] == pytest.approx(wanted[2], rel=1e-9, abs=1e-12)
    for ours, theirs in zip(found[3], wanted[3], strict=True):
        assert_close(ours, theirs.detach())


def same_weights(model, wanted):
    for name, parameter in model.named_parameters():
        assert_close(parameter.detach(), wanted[name])


CASES = (
    ("non-saturating", {"steps": 3, "penalty": generation.R1(0.3)}),
    ("minimax", {"steps": 3, "d_steps": 2}),
    ("hinge", {"steps": 2, "d_steps": 3, "penalty": generation.GradientPenalty(2.0, every=2)}),
    ("Wasserstein", {"steps": 4, "d_steps": 2, "penalty": generation.R1(0.3, every=3)}),
    ("least squares", {"steps": 4, "first": 2, "penalty": generation.R1(0.3, every=3)}),
    ("hinge", {"steps": 3, "first": 1, "d_steps": 2, "schedule": lambda turn: 1 / (1 + turn)}),
    ("non-saturating", {"steps": 1, "batch": 1}),
    ("non-saturating", {"steps": 0}),
)


def gan_steps(function, device):
    """Step for step the game by pure functions; what the other network holds is left alone; refusals in words."""
    for shape in ((2,), (1, 2, 1)):
        for name, options in CASES:
            g_model, d_model = players(device, shape=shape)
            options = {"latent": 3, "batch": 4, **options}
            rows, g, d = played(
                g_model,
                d_model,
                reals(device, shape),
                name,
                **options,
                g_lr=0.3,
                d_lr=0.2,
                generator=source(1, device),
            )
            draw = reals(device, shape)
            loss = next(loss for loss in generation.LOSSES if loss.name == name)
            optimizers = sgd(g_model, 0.3), sgd(d_model, 0.2)
            with global_stream_untouched():
                game = function(g_model, d_model, draw, loss, *optimizers, **options, generator=source(1, device))
                found = [shown(step) for step in game]
            assert len(found) == len(rows)
            for ours, theirs in zip(found, rows, strict=True):
                same_row(ours, theirs)
            same_weights(g_model, g)
            same_weights(d_model, d)
            assert [o.param_groups[0]["lr"] for o in optimizers] == [0.3, 0.2]
            assert draw.asked == [options["batch"]] * (len(rows) - options["steps"])
    g_model, d_model = players(device)
    options = {"latent": 3, "generator": source(0, device)}

    def begun(**given):
        optimizers = given.pop("g_optimizer", sgd(g_model, 0.1)), given.pop("d_optimizer", sgd(d_model, 0.1))
        draw = given.pop("draw", reals(device))
        return list(function(g_model, d_model, draw, generation.MINIMAX, *optimizers, **{"steps": 1} | options | given))

    first, second = begun()
    assert len(first.real) == len(second.z) == 256
    assert first.index == 0
    for name, least in (("steps", 0), ("first", 0), ("batch", 1), ("d_steps", 1)):
        for wrong in (least - 1, 1.5):
            refuses(lambda n=name, w=wrong: begun(**{n: w}), ValueError, f"{name}={wrong}")
    refuses_of_steps(function, begun, g_model, d_model, device)


def refuses_of_steps(function, begun, g_model, d_model, device):
    refuses(lambda: begun(g_optimizer=sgd(d_model, 1)), ValueError, "g_optimizer", "g_model.parameters()")
    refuses(lambda: begun(d_optimizer=sgd(g_model, 1)), ValueError, "d_optimizer", "d_model.parameters()")
    refuses(lambda: begun(schedule=lambda turn: -1.0), ValueError, "schedule(0) is -1.0")
    g_optimizer = sgd(g_model, 0.3)
    given = g_model, d_model, reals(device), generation.MINIMAX, g_optimizer, sgd(d_model, 0.2)
    game = function(*given, latent=3, steps=5, schedule=lambda turn: 0.5, generator=source(0, device))
    next(game)
    assert g_optimizer.param_groups[0]["lr"] == 0.15
    game.close()
    assert g_optimizer.param_groups[0]["lr"] == 0.3
    both = torch.optim.SGD([*g_model.parameters(), *d_model.parameters()], 1)
    refuses(lambda: begun(d_optimizer=both), ValueError, "others than of d_model")
    d_model.requires_grad_(False)
    refuses(begun, ValueError, "no parameters that need a gradient of d_model")
    d_model.requires_grad_(True)
    refuses(lambda: begun(draw=lambda n: random(n, 3, device=device)), ValueError, "(256, 3)", "(256, 2)")


def kept(model):
    """All that a step of the other network must leave as it is."""
    return {
        "weights": [p.detach().clone() for p in model.parameters()],
        "gradients": [None if p.grad is None else p.grad.clone() for p in model.parameters()],
        "wanting": [p.requires_grad for p in model.parameters()],
        "modes": [module.training for module in model.modules()],
    }


def equal(one, other):
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(equal(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(equal, one, other))
    return torch.equal(one, other) if isinstance(one, torch.Tensor) else one == other


def with_gradients(model):
    """Each parameter has a gradient from before, so that one that is added to, or cleared, is seen."""
    for i, p in enumerate(model.parameters()):
        p.grad = random(*p.shape, seed=50 + i).to(p)
    return model


def buffers(model):
    return [b.clone() for b in model.buffers()]


def normed(model, features, device):
    """The model, and before its last layers a batch norm, which learns from each batch that passes."""
    norm = torch.nn.BatchNorm1d(features).double().to(device)
    made = torch.nn.Sequential(*model[:-2], norm, *model[-2:])
    made[0].eval()
    return made


def step_of(kind):
    """Oracle for `discriminator_step` or `generator_step`: the step of the whole game, and nothing else changes."""
    of_d = kind == "discriminator"

    def oracle(function, device):
        for penalty in (None, generation.R1(0.3), generation.R1(0.3, every=3)) if of_d else (None,):
            options = {"latent": 3, "batch": 6, "steps": 1, "penalty": penalty}
            models = players(device)
            rows, *_ = played(
                *models, reals(device), "minimax", **options, g_lr=0.0, d_lr=0.0, generator=source(1, device)
            )
            generator, real = source(1, device), reals(device)(6)
            if not of_d:
                torch.randn(6, 3, generator=generator, device=device)  # the D step's
            given = (
                (real, generation.MINIMAX, sgd(models[1], 0.1)) if of_d else (generation.MINIMAX, sgd(models[0], 0.1))
            )
            extra = {"penalty": penalty} if of_d else {"batch": 6}
            other, own = models if of_d else models[::-1]
            with_gradients(other), with_gradients(own)
            before, weights = kept(other), [p.detach().clone() for p in own.parameters()]
            step = function(*models, *given, latent=3, **extra, index=7, generator=generator)
            name, index, numbers, tensors = shown(step)
            assert index == 7
            same_row((name, 0, numbers, tensors), rows[0 if of_d else 1])
            assert equal(kept(other), before), "the other network was changed"
            assert torch.is_grad_enabled()
            for p, old in zip(own.parameters(), weights, strict=True):  # its gradients are this step's alone
                assert_close(p.detach(), old - 0.1 * p.grad)
            norm = math.sqrt(sum(p.grad.square().sum().item() for p in own.parameters()))
            assert norm == pytest.approx(step.gradient_norm, rel=1e-12)
        defaults(function, of_d, device)
        in_the_modes_they_are_in(function, of_d, device)
        failures(function, of_d, device)

    return oracle


def step_with(function, of_d, device, models, *, loss=generation.MINIMAX, real=None, **options):
    real = reals(device)(6) if real is None else real
    given = (real, loss, sgd(models[1], 0.1)) if of_d else (loss, sgd(models[0], 0.1))
    return function(*models, *given, **{"latent": 3, "generator": source(1, device)} | options)


def defaults(function, of_d, device):
    step = step_with(function, of_d, device, players(device))
    assert step.index == 0
    assert len(step.fake) == (6 if of_d else 256)
    if of_d:
        assert step.penalty == 0


def in_the_modes_they_are_in(function, of_d, device):
    """Batch norm learns in train mode, and not in eval mode; no mode is changed; float32 networks get float32."""
    for mode in (True, False):
        g_model, d_model = players(device)
        g_model, d_model = normed(g_model, 5, device).train(mode), normed(d_model, 6, device).train(mode)
        g_model[0].train(not mode)
        before = buffers(g_model), buffers(d_model)
        modes = kept(g_model)["modes"], kept(d_model)["modes"]
        step_with(function, of_d, device, (g_model, d_model))
        assert (kept(g_model)["modes"], kept(d_model)["modes"]) == modes
        assert equal(buffers(g_model), before[0]) is not mode
        assert equal(buffers(d_model), before[1]) is not mode
    g_model, d_model = (model.float() for model in players(device))
    step = step_with(function, of_d, device, (g_model, d_model), real=reals(device)(6).float())
    assert step.fake.dtype == torch.float32
    # Frozen layers stay as they are.
    models = players(device)
    models[1 if of_d else 0][1 if of_d else 0].requires_grad_(False)
    frozen = models[1 if of_d else 0][1 if of_d else 0].weight.detach().clone()
    step_with(function, of_d, device, models)
    assert torch.equal(models[1 if of_d else 0][1 if of_d else 0].weight, frozen)


def failures(function, of_d, device):
    """nan: Diverged, and both networks are as before. Wrong shapes: in words."""

    def bad(factor):
        return generation.Adversarial("bad", lambda r, f: factor * (f.mean() - r.mean()), lambda f: factor * f.mean())

    who = "discriminator" if of_d else "generator"
    for factor in (math.nan, math.inf):
        g_model, d_model = players(device)
        models = normed(g_model, 5, device), normed(d_model, 6, device)
        before = [(kept(m)["weights"], buffers(m), kept(m)["modes"]) for m in models]
        with pytest.raises(training.Diverged) as caught:
            step_with(function, of_d, device, models, loss=bad(factor), index=3)
        fault = caught.value
        assert not fault.of_data
        assert fault.step.index == 3
        assert not math.isfinite(fault.step.loss)
        for word in (who, "turn 3", "was not made", "learning rate 0.1", "R1(gamma=1.0)"):
            assert word in str(fault)
        after = [(kept(m)["weights"], buffers(m), kept(m)["modes"]) for m in models]
        assert all(equal(list(a), list(b)) for a, b in zip(after, before, strict=True))
    # A loss that is finite, with a slope that is not.
    root = generation.Adversarial("root", lambda r, f: (0 * r.sum()).sqrt(), lambda f: (0 * f.sum()).sqrt())
    with pytest.raises(training.Diverged) as caught:
        step_with(function, of_d, device, players(device), loss=root)
    assert caught.value.step.loss == 0
    if of_d:
        real = reals(device)(6)
        real[2, 1] = math.nan
        with pytest.raises(training.Diverged) as caught:
            step_with(function, of_d, device, players(device), real=real)
        assert caught.value.of_data
        assert "real examples themselves" in str(caught.value)
        broken = generation.R1(1e308, every=1000)  # only the penalty is not finite

        def steep(x):
            return models[1](x)

        models = players(device)
        with pytest.raises(training.Diverged) as caught:
            step_with(function, of_d, device, models, penalty=broken)
        assert math.isfinite(caught.value.step.loss)
        wrong = reals(device)(6)[:, :1]
        refuses(lambda: step_with(function, of_d, device, players(device), real=wrong), ValueError, "(6, 1)", "(6, 2)")
    g_model, d_model = players(device)
    refuses(
        lambda: step_with(function, of_d, device, (g_model, d_model[:-1])), ValueError, ", 1)", "one number for each"
    )
    other = sgd(g_model if of_d else d_model, 0.1)
    given = (reals(device)(6), generation.MINIMAX, other) if of_d else (generation.MINIMAX, other)
    refuses(
        lambda: function(g_model, d_model, *given, latent=3, generator=source(0, device)),
        ValueError,
        "d_optimizer" if of_d else "g_optimizer",
        "one optimizer for each network",
    )
    whole = (d_model if of_d else g_model).requires_grad_(False)
    refuses(
        lambda: step_with(function, of_d, device, (g_model, d_model)), ValueError, "no parameters that need a gradient"
    )
    whole.requires_grad_(True)


class Recorded(torch.nn.Module):
    """Makes (batch, 1, 2) of z, and notes how it was called."""

    def __init__(self, device, dtype=torch.float32):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones((), device=device, dtype=dtype))
        self.drop = torch.nn.Dropout(0.5)
        self.calls = []

    def forward(self, z):
        self.calls.append((len(z), self.training, self.drop.training, torch.is_grad_enabled()))
        return (self.drop(z) * self.weight)[:, None, :2]


def draw_samples(function, device):
    """The network's answers to standard normal z, drawn at once and answered in parts, in eval mode."""
    for dtype in DTYPES:
        for n, parts in ((1, [1]), (5, [5]), (1024, [1024]), (2500, [1024, 1024, 452])):
            model = Recorded(device, dtype)
            model.drop.eval()
            with global_stream_untouched():
                found = function(model, n, latent=3, generator=source(4, device))
            z = torch.randn(n, 3, generator=source(4, device), device=device).to(dtype)
            assert_close(found, z[:, None, :2])
            assert model.calls == [(part, False, False, False) for part in parts]
            assert (model.training, model.drop.training, found.requires_grad) == (True, False, False)
            assert torch.is_grad_enabled()
    for n in (0, 1.5):
        refuses(lambda n=n: function(model, n, latent=3, generator=source(0, device)), ValueError, f"n={n}")
    assert function(torch.nn.Flatten(), 2, latent=3, generator=source(0, device)).shape == (2, 3)  # no parameters


def drawing_from(function, device):
    """Every example about equally often, by the generator alone; the examples of a call are not tied to each other."""
    x = torch.arange(5.0, device=device)[:, None, None].expand(5, 1, 2)
    generator = source(0, device)
    with global_stream_untouched():
        draw = function(x, generator=generator)
        drawn = draw(2000)
    assert drawn.shape == (2000, 1, 2)
    assert (drawn.device, drawn.dtype) == (x.device, x.dtype)
    assert torch.equal(drawn[:, 0, 0], drawn[:, 0, 1])
    assert (drawn[:, 0, 0].long().bincount(minlength=5) - 400).abs().max() < 100
    assert torch.equal(drawn, x[torch.randint(5, (2000,), generator=source(0, device), device=device)])
    assert not torch.equal(draw(50), draw(50))
    assert function(x[:1], generator=generator)(3).shape == (3, 1, 2)
    refuses(lambda: function(x[:0], generator=generator), ValueError, "(0, 1, 2)")


class Terminal(io.StringIO):
    def isatty(self):
        return True


def train_gan(function, device):
    """The steps of `gan_steps`, turn by turn; the average; Ctrl-C, nan and the bar."""
    penalty = generation.R1(0.3, every=3)
    options = {"latent": 3, "batch": 4, "d_steps": 2, "penalty": penalty, "schedule": lambda turn: 0.9**turn}

    def run(models, run_of, draw=None, loss=generation.HINGE, **more):
        given = *models, draw or reals(device), loss, sgd(models[0], 0.1), sgd(models[1], 0.1)
        return run_of(*given, **{"generator": source(1, device)} | options | more)

    for more in ({"steps": 4}, {"steps": 3, "first": 5}, {"steps": 0}):
        ours, theirs = players(device), players(device)
        average, own = players(device, seed=9)[0], players(device, seed=9)[0]
        wanted, judged = [], None
        for step in run(theirs, generation.gan_steps, **more):
            if isinstance(step, generation.DiscriminatorStep):
                judged = step
                continue
            with torch.no_grad():
                for a, p in zip(own.parameters(), theirs[0].parameters(), strict=True):
                    a.copy_(0.75 * a + 0.25 * p)
            logits = judged.real_logits.mean().item(), judged.fake_logits.mean().item()
            norms = judged.gradient_norm, step.gradient_norm
            wanted.append((step.index, judged.loss, step.loss, judged.penalty, *logits, *norms))
        before = kept(average)["modes"]
        history = run(ours, function, average=average, decay=0.75, **more)
        assert history.stopped == "steps"
        names = [
            "index",
            "d_loss",
            "g_loss",
            "penalty",
            "real_logit",
            "fake_logit",
            "d_gradient_norm",
            "g_gradient_norm",
        ]
        assert [tuple(getattr(turn, name) for name in names) for turn in history.turns] == wanted
        assert all(torch.equal(a, b) for a, b in zip(ours[0].parameters(), theirs[0].parameters(), strict=True))
        assert all(torch.equal(a, b) for a, b in zip(ours[1].parameters(), theirs[1].parameters(), strict=True))
        for a, b in zip(average.parameters(), own.parameters(), strict=True):
            assert_close(a.detach(), b.detach())
        assert kept(average)["modes"] == before
    default_of_train_gan(function, run, device)
    stopped_runs(function, run, device)
    the_bar(function, run, device)


def default_of_train_gan(function, run, device):
    """Batch 256, one D step, no penalty, decay 0.999."""
    ours, theirs = players(device), players(device)
    average = copy.deepcopy(ours[0])
    start = [p.detach().clone() for p in average.parameters()]
    draw = reals(device)
    given = draw, generation.HINGE
    function(
        *ours,
        *given,
        sgd(ours[0], 0.1),
        sgd(ours[1], 0.1),
        latent=3,
        steps=1,
        average=average,
        generator=source(1, device),
    )
    assert draw.asked == [256]
    plain = {"batch": 256, "d_steps": 1, "penalty": None, "schedule": None}
    (turn,) = run(theirs, function, steps=1, **plain).turns
    assert (turn.index, turn.penalty) == (0, 0)
    for a, old, p, q in zip(average.parameters(), start, ours[0].parameters(), theirs[0].parameters(), strict=True):
        assert torch.equal(p, q)
        assert_close(a.detach(), 0.999 * old + 0.001 * p.detach())


def stopped_runs(function, run, device):
    """Ctrl-C in the midst of a turn is heard after it; nan ends with the turns before it."""
    for at, whole in ((1, 1), (4, 2)):  # while D's first step of turn 0 draws, and its second of turn 1
        draw = reals(device)

        def interrupted(n, draw=draw, at=at):
            if len(draw.asked) + 1 == at:
                signal.raise_signal(signal.SIGINT)
            return draw(n)

        models, others = players(device), players(device)
        handler = signal.getsignal(signal.SIGINT)
        with pytest.raises(training.Interrupted) as caught:
            run(models, function, interrupted, steps=9, first=2)
        assert signal.getsignal(signal.SIGINT) is handler
        history = caught.value.history
        assert (history.stopped, len(history.turns)) == ("interrupt", whole)
        assert f"after turn {whole + 1}" in str(caught.value)
        assert f"first={whole + 2}" in str(caught.value)
        assert history.turns == run(others, function, steps=whole, first=2).turns
        for ours, theirs in zip(models, others, strict=True):
            assert all(torch.equal(a, b) for a, b in zip(ours.parameters(), theirs.parameters(), strict=True))
    draw = reals(device)
    with pytest.raises(training.Diverged) as caught:
        run(players(device), function, lambda n: draw(n) * (math.nan if len(draw.asked) == 6 else 1), steps=9)
    assert (caught.value.history.stopped, len(caught.value.history.turns)) == ("diverged", 2)
    assert caught.value.step.index == 2


def the_bar(function, run, device):
    """One more for each turn, in a terminal, unless it is not wanted."""
    delay, out = bar_file.DELAY, sys.stdout
    try:
        bar_file.DELAY = 0.0
        for options, wanted in (({}, "3/3"), ({"progress": True}, "3/3"), ({"progress": False}, "")):
            sys.stdout = Terminal()
            run(players(device), function, steps=3, **options)
            written = sys.stdout.getvalue()
            assert wanted in written
            assert bool(written) is bool(wanted)
            assert "4/3" not in written
            if wanted:
                assert "D " in written
                assert "G " in written
    finally:
        bar_file.DELAY, sys.stdout = delay, out


# --- the optimum ------------------------------------------------------------------------------------------------------


def normal(x, mean, std):
    """The logarithm of a normal density."""
    return -((x - mean) / std).square() / 2 - math.log(std * math.sqrt(2 * math.pi))


def optimal_logits(function, device):
    """The difference of the logarithms, everywhere; its slopes."""
    for dtype in DTYPES:
        log_p, log_q = (random(3, 4, seed=i, scale=300, dtype=dtype, device=device) for i in (0, 1))
        agree(function, lambda a, b: a + (-1) * b, log_p, log_q)
    log_p, log_q, wanted = (
        torch.tensor(row, device=device)
        for row in ([-math.inf, 0.0, -math.inf], [0.0, -math.inf, -math.inf], [-math.inf, math.inf, math.nan])
    )
    assert_close(function(log_p, log_q), wanted)


def optimal_discriminator(function, device):
    """p / (p + q) in float64, also where p and q round to 0 and at the ends."""
    for dtype in DTYPES:
        for scale in (1, 10, 300):
            log_p, log_q = (random(3, 4, seed=i, scale=scale, dtype=dtype, device=device) for i in (0, 1))
            agree(function, lambda a, b: torch.softmax(torch.stack([a, b]), 0)[0], log_p, log_q)
    far = torch.tensor([-1e4, -math.inf, 0.0], device=device)
    wanted = torch.tensor([0.5, 0.0, 1.0], device=device)
    assert_close(function(far, torch.tensor([-1e4, 0.0, -math.inf], device=device)), wanted)


def optimal_discriminator_definition(function, device):
    p, q = (random(3, 4, seed=i, device=device).exp() for i in (0, 1))
    agree(function, lambda a, b: torch.softmax(torch.stack([a.log(), b.log()]), 0)[0], p, q)
    none = torch.zeros(1, device=device)
    assert function(none, none).isnan().all()


def densities(device, dtype=torch.float64):
    """Pairs of densities on a grid that holds them, with the grid; some are 0 in places."""
    x = torch.linspace(-14, 14, 2801, dtype=dtype, device=device)
    box = torch.where((x >= 0) & (x <= 2), math.log(0.5), -math.inf).to(dtype)
    pairs = [((-1, 0.6), (1, 1)), ((0, 1), (0, 1)), ((-6, 0.3), (6, 0.5)), ((0, 2), (0.5, 0.1))]
    made = [(normal(x, *a), normal(x, *b)) for a, b in pairs]
    return x, [*made, (box, normal(x, 1.0, 1.0)), (normal(x, 1.0, 1.0), box)]


def over(log_p, log_q, x, function):
    """The mean of function(i) over an even mixture, by rectangles of numpy-like sums in Python."""
    gaps = x.diff()
    sums = torch.cat([gaps[:1], gaps[1:] + gaps[:-1], gaps[-1:]]) / 2
    return (sums * function).sum()


def grid_refusals(call, device):
    """call(log_p, log_q, x): densities that do not integrate to 1 and places that do not rise."""
    x, ((log_p, log_q), *_) = densities(device)
    for wrong, words in (
        ((log_p + 0.02, log_q), "log_p"),
        ((log_p, log_q + 0.02), "log_q"),
        ((log_p.exp(), log_q), "log_p"),
    ):
        refuses(lambda w=wrong: call(*w, x), ValueError, words, "wanted 1", "from -14 to 14")
    call(log_p + 0.008, log_q - 0.008, x)
    for wrong in (x.flip(0), torch.where(x == x[5], x[4], x), x * math.nan):
        refuses(lambda w=wrong: call(log_p, log_q, w), ValueError, "rise")


def game_value(function, device):
    """The mean of log D and log(1 - D), by sums in other words; the optimum is 2 JS - log 4, and all else is below."""
    x, pairs = densities(device)
    for log_p, log_q in pairs:
        for logits in (torch.zeros_like(x), random(len(x), scale=3, device=device), 100 * x, optimal(log_p, log_q)):
            wanted = over(log_p, log_q, x, log_p.exp() * F.logsigmoid(logits) + log_q.exp() * F.logsigmoid(-logits))
            assert_close(function(log_p, log_q, logits, x), wanted)
            best = function(log_p, log_q, optimal(log_p, log_q), x)
            assert function(log_p, log_q, logits, x) <= best + 1e-12
        wanted = 2 * generation.jensen_shannon(log_p, log_q, x).item() - math.log(4)
        assert best.item() == pytest.approx(wanted, abs=0.02)  # areas are 1 to a percent only for the boxes
    log_p, log_q = pairs[0]
    agree(
        lambda logits: function(log_p, log_q, logits, x),
        lambda logits: over(log_p, log_q, x, -log_p.exp() * F.softplus(-logits) - log_q.exp() * F.softplus(logits)),
        random(len(x), scale=2, device=device),
    )
    grid_refusals(lambda p, q, x: function(p, q, torch.zeros_like(x), x), device)


def optimal(log_p, log_q):
    """log p - log q, with a large number for an infinite one: 0 times infinity is not a number."""
    return (log_p - log_q).clamp(-1e4, 1e4)


def jensen_shannon(function, device):
    """Half the two Kullback-Leibler divergences to the middle, symmetric, from 0 to log 2; float32 too."""
    for dtype in DTYPES:
        x, pairs = densities(device, dtype)
        for log_p, log_q in pairs:
            p, q = log_p.exp(), log_q.exp()
            m = (p + q) / 2
            terms = torch.special.xlogy(p, p) + torch.special.xlogy(q, q) - 2 * torch.special.xlogy(m, m)
            found = function(log_p, log_q, x)
            torch.testing.assert_close(found, over(log_p, log_q, x, terms) / 2, rtol=1e-4, atol=1e-5)
            assert_close(found, function(log_q, log_p, x))
            assert -1e-6 <= found <= math.log(2) * 1.01
        assert abs(function(*pairs[1], x).item()) < 1e-6
        assert function(*pairs[2], x).item() == pytest.approx(math.log(2), abs=1e-5)
    x, ((log_p, log_q), *_) = densities(device)
    directional(lambda shift: function(log_p, normal(x, 1 + shift, 1.0), x), [torch.zeros((), device=device)])
    grid_refusals(function, device)


ORACLES = {
    "generation.Adversarial": adversarial_class,
    "generation.MINIMAX": adversarial("minimax"),
    "generation.NON_SATURATING": adversarial("non-saturating"),
    "generation.LEAST_SQUARES": adversarial("least squares"),
    "generation.HINGE": adversarial("hinge"),
    "generation.WASSERSTEIN": adversarial("Wasserstein"),
    "generation.minimax_definition": minimax_definition,
    "generation.r1_penalty": r1_penalty,
    "generation.gradient_penalty": gradient_penalty,
    "generation.R1": penalty_class("R1", "gamma", 0.1, half_r1),
    "generation.GradientPenalty": penalty_class("GradientPenalty", "weight", 10.0, whole_penalty),
    "generation.gan_steps": gan_steps,
    "generation.discriminator_step": step_of("discriminator"),
    "generation.generator_step": step_of("generator"),
    "generation.draw_samples": draw_samples,
    "generation.drawing_from": drawing_from,
    "generation.train_gan": train_gan,
    "generation.optimal_logits": optimal_logits,
    "generation.optimal_discriminator": optimal_discriminator,
    "generation.optimal_discriminator_definition": optimal_discriminator_definition,
    "generation.game_value": game_value,
    "generation.jensen_shannon": jensen_shannon,
}


# --- broken versions --------------------------------------------------------------------------------------------------


def other(base, **parts):
    """The same pair of losses with a part changed."""
    return replace(base, **parts)


def like_r1(form, *, create_graph=True):
    """R1 with another form of the slopes (batch, features) of the logits."""

    def function(d_model, real):
        with torch.enable_grad():
            x = real.detach().requires_grad_()
            (slope,) = torch.autograd.grad(d_model(x).sum(), x, create_graph=create_graph)
        return form(slope.flatten(1))

    return function


def like_gp(form=lambda slope: (slope.square().sum(1).sqrt() - 1).square().mean(), draw=None):
    """The gradient penalty with another form of the slopes, or another draw of u."""
    draw = draw or (lambda real, g: torch.rand(len(real), *[1] * (real.ndim - 1), generator=g, device=g.device))

    def function(d_model, real, fake, *, generator):
        if real.shape != fake.shape:
            return gradient_penalty_of(d_model, real, fake, generator)
        u = draw(real, generator).to(real)
        return like_r1(form)(d_model, u * real + (1 - u) * fake)

    return function


def gradient_penalty_of(d_model, real, fake, generator):
    return generation.gradient_penalty(d_model, real, fake, generator=generator)


def strength_without(base, change):
    """The options of a penalty, with another term: change(self, term of the right one)."""

    def call(self, *given, **options):
        return change(self, base.__call__(self, *given, **options))

    return type(base.__name__, (base,), {"__call__": call})


def around(right, *, before=lambda g, d: None, after=lambda g, d, kept, step: step, loss=lambda loss: loss):
    """A step with something done before or after it, or to its loss."""

    def function(g_model, d_model, *given, **options):
        given = [loss(one) if isinstance(one, generation.Adversarial) else one for one in given]
        old = [[None if p.grad is None else p.grad.clone() for p in m.parameters()] for m in (g_model, d_model)]
        data = [[p.detach().clone() for p in m.parameters()] for m in (g_model, d_model)]
        before(g_model, d_model)
        return after(g_model, d_model, (old, data), right(g_model, d_model, *given, **options))

    return function


def gradients_left_in(which):
    def after(g_model, d_model, kept, step):
        for p in (g_model, d_model)[which].parameters():
            p.grad = torch.ones_like(p) if p.grad is None else p.grad + 1
        return step

    return after


def added_to_the_old(which):
    def after(g_model, d_model, kept, step):
        for p, old in zip((g_model, d_model)[which].parameters(), kept[0][which], strict=True):
            if old is not None:
                p.grad = p.grad + old
        return step

    return after


def weights_put_back(which):
    def after(g_model, d_model, kept, step):
        for p, old in zip((g_model, d_model)[which].parameters(), kept[1][which], strict=True):
            p.data.copy_(old)
        return step

    return after


def moved(which):
    def after(g_model, d_model, kept, step):
        for p in (g_model, d_model)[which].parameters():
            p.data.add_(0.01)
        return step

    return after


def frozen_for_good(g_model, d_model, kept, step):
    d_model.requires_grad_(False)
    return step


def in_eval_mode(g_model, d_model):
    g_model.eval()


def hanging(name):
    def after(g_model, d_model, kept, step):
        return replace(step, **{name: getattr(step, name).requires_grad_()})

    return after


def of_steps(kind):
    right = getattr(generation, f"{kind}_step")
    mine, others = (1, 0) if kind == "discriminator" else (0, 1)
    step = partial(around, right)
    name = f"generation.{kind}_step"
    yield name, "gradients left in the other network", step(after=gradients_left_in(others))
    yield name, "gradients added to those from before", step(after=added_to_the_old(mine))
    yield name, "no update", step(after=weights_put_back(mine))
    yield name, "the other network learns too", step(after=moved(others))
    yield name, "in eval mode from now on", step(before=in_eval_mode)
    yield name, "holds on to the graph", step(after=hanging("fake_logits"))
    if mine:
        yield (
            name,
            "real and fake mixed up",
            step(loss=lambda loss: other(loss, discriminator=lambda r, f: loss.discriminator(f, r))),
        )
        yield name, "no penalty", lambda *given, penalty=None, **o: right(*given, **o)
        yield name, "always turn 0", lambda *given, index=0, **o: right(*given, **o)
    else:
        yield name, "the discriminator frozen for good", step(after=frozen_for_good)
        yield name, "up the slope", step(loss=lambda loss: other(loss, generator=lambda f: -loss.generator(f)))
        yield name, "always 256", lambda *given, batch=256, **o: right(*given, **o)


def steps_with(**fixed):
    """The game with some options fixed, whatever is asked for."""
    return lambda *given, **options: generation.gan_steps(*given, **options | fixed)


def each_time(*given, penalty=None, **options):
    return generation.gan_steps(*given, penalty=penalty and replace(penalty, every=1), **options)


def generator_first(*given, **options):
    for step in generation.gan_steps(*given, **options):
        if isinstance(step, generation.DiscriminatorStep):
            held = step
            continue
        yield step
        yield held


def rates_left(g_model, d_model, draw, loss, g_optimizer, d_optimizer, *, schedule=None, **options):
    given = g_model, d_model, draw, loss, g_optimizer, d_optimizer
    yield from generation.gan_steps(*given, schedule=schedule, **options)
    if schedule is not None:
        g_optimizer.param_groups[0]["lr"] *= 0.5


def trained(change=lambda history: history, **fixed):
    return lambda *given, **options: change(generation.train_gan(*given, **options | fixed))


def learning_samples(g_model, n, *, latent, generator):
    generation.draw_samples(torch.nn.Flatten(), n, latent=latent, generator=copy_of(generator))
    return g_model(torch.randn(n, latent, generator=generator, device=generator.device).to(next(g_model.parameters())))


def copy_of(generator):
    return torch.Generator(device=generator.device).set_state(generator.get_state())


def uniform_samples(g_model, n, *, latent, generator):
    generation.draw_samples(torch.nn.Flatten(), n, latent=latent, generator=copy_of(generator))
    with training.evaluating(g_model):
        return g_model(torch.rand(n, latent, generator=generator, device=generator.device))


def one_for_all(x, *, generator):
    draw = generation.drawing_from(x, generator=generator)
    return lambda n: draw(1).expand(n, *x.shape[1:])


def the_first_ones(x, *, generator):
    generation.drawing_from(x, generator=generator)
    return lambda n: x[torch.arange(n, device=x.device) % len(x)]


def unlike(base, call):
    return type(base.__name__, (base,), {"__repr__": call})


MINIMAX, SATURATING = generation.MINIMAX, generation.NON_SATURATING
SQUARES, HINGE, WASSERSTEIN = generation.LEAST_SQUARES, generation.HINGE, generation.WASSERSTEIN
NAMED = [
    ("generation.Adversarial", "no name shown", unlike(generation.Adversarial, lambda self: "Adversarial()")),
    ("generation.MINIMAX", "the non-saturating generator", other(MINIMAX, generator=SATURATING.generator)),
    (
        "generation.MINIMAX",
        "as printed: not finite for large logits",
        other(MINIMAX, generator=lambda f: torch.log(1 - torch.sigmoid(f)).mean()),
    ),
    ("generation.MINIMAX", "half of it", other(MINIMAX, discriminator=lambda r, f: (REAL(r) + FAKE(f)) / 2)),
    ("generation.NON_SATURATING", "the saturating generator", other(SATURATING, generator=MINIMAX.generator)),
    ("generation.NON_SATURATING", "the sum", other(SATURATING, generator=lambda f: REAL(f) * len(f))),
    (
        "generation.LEAST_SQUARES",
        "of probabilities",
        other(SQUARES, generator=lambda f: (torch.sigmoid(f) - 1).square().mean() / 2),
    ),
    ("generation.LEAST_SQUARES", "not halved", other(SQUARES, generator=lambda f: (f - 1).square().mean())),
    ("generation.HINGE", "a hinge for the generator", other(HINGE, generator=lambda f: torch.relu(1 - f).mean())),
    (
        "generation.HINGE",
        "without the margin",
        other(HINGE, discriminator=lambda r, f: torch.relu(-r).mean() + torch.relu(f).mean()),
    ),
    ("generation.WASSERSTEIN", "signs changed", other(WASSERSTEIN, discriminator=lambda r, f: r.mean() - f.mean())),
    ("generation.WASSERSTEIN", "of probabilities", other(WASSERSTEIN, generator=lambda f: -torch.sigmoid(f).mean())),
    ("generation.r1_penalty", "no create_graph", like_r1(lambda s: s.square().sum(1).mean(), create_graph=False)),
    ("generation.r1_penalty", "the norm, not its square", like_r1(lambda s: s.square().sum(1).sqrt().mean())),
    ("generation.r1_penalty", "mean over the features", like_r1(lambda s: s.square().mean())),
    ("generation.r1_penalty", "sum over the batch", like_r1(lambda s: s.square().sum())),
    (
        "generation.r1_penalty",
        "the slope of the mean logit",
        like_r1(lambda s: (s / len(s)).square().sum(1).mean()),
    ),
    (
        "generation.gradient_penalty",
        "no create_graph",
        lambda d, r, f, *, generator: gradient_penalty_of(d, r, f, generator).detach() + 0 * d(r).sum(),
    ),
    (
        "generation.gradient_penalty",
        "the batch in one norm",
        like_gp(lambda slope: (slope.square().sum().sqrt() - 1).square()),
    ),
    ("generation.gradient_penalty", "without the 1", like_gp(lambda slope: slope.square().sum(1).mean())),
    (
        "generation.gradient_penalty",
        "one-sided",
        like_gp(lambda slope: torch.relu(slope.square().sum(1).sqrt() - 1).square().mean()),
    ),
    (
        "generation.gradient_penalty",
        "one u for the whole batch",
        like_gp(draw=lambda real, g: torch.rand((), generator=g, device=g.device)),
    ),
    (
        "generation.gradient_penalty",
        "a u for each number",
        like_gp(draw=lambda real, g: torch.rand(real.shape, generator=g, device=g.device)),
    ),
    ("generation.gradient_penalty", "at the real ones", like_gp(draw=lambda real, g: torch.ones_like(real))),
    ("generation.R1", "not halved", strength_without(generation.R1, lambda self, term: 2 * term)),
    ("generation.R1", "lazy, but not stronger", strength_without(generation.R1, lambda self, term: term / self.every)),
    (
        "generation.GradientPenalty",
        "lazy, but not stronger",
        strength_without(generation.GradientPenalty, lambda self, term: term / self.every),
    ),
    (
        "generation.GradientPenalty",
        "halved like R1",
        strength_without(generation.GradientPenalty, lambda self, term: term / 2),
    ),
    *of_steps("discriminator"),
    *of_steps("generator"),
    ("generation.gan_steps", "one D step only", steps_with(d_steps=1)),
    ("generation.gan_steps", "begins at 0 again", steps_with(first=0)),
    ("generation.gan_steps", "always 256", steps_with(batch=256)),
    ("generation.gan_steps", "never a penalty", steps_with(penalty=None)),
    ("generation.gan_steps", "a lazy penalty at each step", each_time),
    ("generation.gan_steps", "no schedule", steps_with(schedule=None)),
    ("generation.gan_steps", "the generator first", generator_first),
    ("generation.gan_steps", "the rates are not put back", rates_left),
    ("generation.draw_samples", "in train mode, with gradients", learning_samples),
    ("generation.draw_samples", "uniform noise", uniform_samples),
    ("generation.drawing_from", "the same for a whole batch", one_for_all),
    ("generation.drawing_from", "not at random", the_first_ones),
    ("generation.train_gan", "the average copies", trained(decay=0.0)),
    ("generation.train_gan", "no average", trained(average=None)),
    ("generation.train_gan", "always a bar", trained(progress=True)),
    ("generation.train_gan", "the last turn left out", trained(lambda h: replace(h, turns=h.turns[:-1]))),
    ("generation.train_gan", "no schedule", trained(schedule=None)),
    ("generation.optimal_logits", "the other way round", lambda log_p, log_q: log_q - log_p),
    ("generation.optimal_logits", "as printed", lambda log_p, log_q: (log_p.exp() / log_q.exp()).log()),
    (
        "generation.optimal_discriminator",
        "as printed: nan far away",
        lambda log_p, log_q: log_p.exp() / (log_p.exp() + log_q.exp()),
    ),
    (
        "generation.optimal_discriminator",
        "the ratio",
        lambda log_p, log_q: (log_p - log_q).exp(),
    ),
    (
        "generation.game_value",
        "both halves on p",
        lambda log_p, log_q, logits, x: generation.game_value(log_p, log_p, logits, x),
    ),
    (
        "generation.game_value",
        "the loss, not the value",
        lambda log_p, log_q, logits, x: -generation.game_value(log_p, log_q, logits, x),
    ),
    (
        "generation.jensen_shannon",
        "one Kullback-Leibler divergence",
        lambda log_p, log_q, x: (
            generation.jensen_shannon(log_p, log_q, x) * 0 + torch.trapezoid(log_p.exp() * (log_p - log_q), x)
        ),
    ),
    ("generation.jensen_shannon", "not halved", lambda p, q, x: 2 * generation.jensen_shannon(p, q, x)),
    ("generation.jensen_shannon", "in bits", lambda p, q, x: generation.jensen_shannon(p, q, x) / math.log(2)),
]
