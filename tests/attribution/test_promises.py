"""What the explanations promise, on generated models and inputs, at the extremes, and in two experiments on digits."""

from functools import cache, partial
from itertools import pairwise

import pytest
import torch
from dlcourse_attribution import filled, pictures
from dlcourse_attribution_more import net, table
from dlcourse_oracles import random, source
from hypothesis import given
from hypothesis import strategies as st

from dlcourse import attribution, data, models

nn = torch.nn
seeds = st.integers(0, 1000)
METHODS = {
    "saliency": attribution.saliency,
    "input_x_gradient": attribution.input_x_gradient,
    "smoothgrad": lambda *a: attribution.smoothgrad(*a, sd=0.1, samples=2, generator=source(0, "cpu")),
    "integrated_gradients": partial(attribution.integrated_gradients, steps=3),
    "guided_backprop": attribution.guided_backprop,
    "deconvnet": attribution.deconvnet,
    "occlusion": partial(attribution.occlusion, window=1),
    "lrp": partial(attribution.lrp, rules=attribution.Epsilon()),
}


def dense(sizes, activation, seed):
    """A network in float64 of these sizes."""
    layers = [nn.Flatten()]
    for inwards, out in pairwise(sizes):
        layers += [nn.Linear(inwards, out), activation()]
    return filled(nn.Sequential(*layers[:-1]), "cpu", seed=seed)


@given(seeds, st.lists(st.integers(1, 6), min_size=3, max_size=4), st.sampled_from([None, 0.5, "drawn"]))
def test_integrated_gradients_are_complete_on_a_smooth_network(seed, sizes, kind):
    model, x = dense(sizes, nn.Tanh, seed), random(3, sizes[0], seed=seed, scale=1.5)
    baseline = random(3, sizes[0], seed=seed + 1) if kind == "drawn" else kind
    map = attribution.integrated_gradients(model, x, 0, baseline=baseline)
    assert attribution.completeness(model, x, 0, map, baseline=baseline).gap.max() < 1e-6


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("rule", ["gauss_legendre", "trapezoid", "right_ends"])
def test_on_a_relu_network_the_gap_shrinks_with_the_steps(seed, rule):
    model, x = dense([20, 30, 30, 3], nn.ReLU, seed), random(16, 20, seed=seed)
    gaps = []
    for steps in (50, 500):
        map = attribution.integrated_gradients(model, x, 1, steps=steps, rule=getattr(attribution, rule))
        gaps.append(attribution.completeness(model, x, 1, map).gap.mean().item())
    print(f"{rule}, seed {seed}: mean gap {gaps[0]:.2e} with 50 steps, {gaps[1]:.2e} with 500")
    assert gaps[1] < gaps[0] / 3


@given(seeds, st.integers(1, 6))
def test_the_two_forms_of_shapley_agree(seed, players):
    game, _ = table(players, "cpu", seed)
    exact = attribution.shapley_exact(game, players)
    torch.testing.assert_close(exact, attribution.shapley_by_orders(game, players), rtol=0, atol=1e-9)
    nobody, all_of_them = torch.zeros(1, players, dtype=torch.bool), torch.ones(1, players, dtype=torch.bool)
    assert exact.sum().item() == pytest.approx((game(all_of_them) - game(nobody)).item())


@given(
    seeds, st.lists(st.integers(1, 5), min_size=2, max_size=2), st.sampled_from(["Zero", "Epsilon", "Gamma", "ZPlus"])
)
def test_lrp_equals_its_matrices(seed, sizes, name):
    """The way back through [convolution, ReLU, linear], each layer as a matrix."""
    rule, (channels, width) = getattr(attribution, name)(), sizes
    layers = (
        nn.Conv2d(2, channels, (2, 1), padding=(1, 0)),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(4 * channels * width, 3),
    )
    model = filled(nn.Sequential(*layers), "cpu", seed=seed).eval()
    x = random(2, 2, 3, width, seed=seed)
    with torch.no_grad():
        hidden = model[:3](x)
        relevance = model(x) * torch.tensor([0.0, 1.0, 0.0])
        matrix = attribution.as_matrix(model[3], (4 * channels * width,))
        relevance = attribution.lrp_by_matrix(hidden, matrix, model[3].bias, relevance, rule)
        matrix = attribution.as_matrix(model[0], tuple(x.shape[1:]))
        bias = model[0](0 * x[:1]).flatten()
        relevance = attribution.lrp_by_matrix(x.flatten(1), matrix, bias, relevance, rule)
    found = attribution.lrp(model, x, 1, rules=rule)
    torch.testing.assert_close(found, relevance.view_as(x), rtol=1e-6, atol=1e-9)


@given(seeds)
def test_lrp_says_what_it_loses(seed):
    model, x = net(), pictures(seed=seed)
    steps = [
        *attribution.lrp_steps(model, x, 1, rules={"first": attribution.ZBox(-4.0, 4.0), "": attribution.Epsilon(0.1)})
    ]
    report = attribution.conservation(model, x, 1, steps[-1].relevance)
    torch.testing.assert_close(report.wanted - report.found, sum(step.lost for step in steps), rtol=1e-6, atol=1e-6)


@given(seeds, st.integers(1, 5), st.integers(1, 5))
def test_on_a_linear_model_they_are_all_the_same(seed, height, width):
    """weight * (x - baseline), whoever is asked."""
    weight, bias = random(height * width, 2, seed=seed), random(2, seed=seed + 1)
    model, x = (
        nn.Sequential(nn.Flatten(), nn.Linear(height * width, 2).double()),
        random(3, 1, height, width, seed=seed),
    )
    model[1].weight.data, model[1].bias.data = weight.T.clone(), bias
    truth = x * weight[:, 1].view(height, width)
    close = partial(torch.testing.assert_close, rtol=0, atol=1e-9)
    close(attribution.input_x_gradient(model, x, 1), truth)
    close(attribution.integrated_gradients(model, x, 1, steps=1), truth)
    close(attribution.occlusion(model, x, 1, window=1), truth)
    rows = torch.arange(height)[:, None]
    by_rows = truth.sum(3, keepdim=True).expand_as(truth) / width
    close(attribution.shapley(model, x, 1, groups=rows), by_rows)
    model[1].bias.data.zero_()
    close(attribution.lrp(model, x, 1, rules=attribution.Zero()), truth)


@pytest.mark.parametrize("name", METHODS)
def test_extremes(name):
    """A model that ignores x, one class, one pixel, pictures of zeros: finite maps, and 0 where nothing matters."""
    method = METHODS[name]
    for shape, classes in (((1, 1, 1), 1), ((1, 1, 1), 3), ((2, 3, 4), 1)):
        count = shape[0] * shape[1] * shape[2]
        model = filled(nn.Sequential(nn.Flatten(), nn.Linear(count, 4), nn.ReLU(), nn.Linear(4, classes)), "cpu").eval()
        for x in (torch.zeros(2, *shape), torch.ones(2, *shape), random(2, *shape)):
            found = method(model, x.double(), 0)
            assert found.shape == x.shape
            assert found.isfinite().all()
        model[3].weight.data.zero_()
        assert torch.equal(method(model, random(2, *shape), 0), torch.zeros(2, *shape, dtype=torch.float64))


def test_the_known_models_tell_the_methods_apart():
    """Either input suffices: slopes and occlusion see nothing, integrated gradients and Shapley values see both."""
    model, x = attribution.Either(), torch.ones(1, 2)
    for blind in (attribution.saliency, attribution.input_x_gradient):
        assert torch.equal(blind(model, x, 0), torch.zeros(1, 2))
    picture = x.view(1, 1, 1, 2)
    assert torch.equal(attribution.occlusion(lambda x: model(x.flatten(1)), picture, 0, window=1), 0 * picture)
    for seeing in (attribution.shapley, partial(attribution.integrated_gradients, steps=500)):
        torch.testing.assert_close(seeing(model, x, 0), model.shapley(x), rtol=0, atol=2e-3)


# --- experiments on digits --------------------------------------------------------------------------------------------


def trained(x, y, seed):
    """The chapter's kind of network, ten passes: about 98 % right."""
    g, passes, size = source(seed, "cpu"), 10, 64
    model = models.lenet(image=(1, 8, 8), kernel=3, norm=nn.BatchNorm2d, generator=g)
    optimizer = torch.optim.AdamW(model.parameters(), 1e-2)
    batches = len(x) // size
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, total_steps=passes * batches)
    for _ in range(passes):
        order = torch.randperm(len(x), generator=g, device="cpu")
        for rows in order[: batches * size].view(-1, size):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model.train()(x[rows]), y[rows]).backward()
            optimizer.step()
            schedule.step()
    return model.eval()


@cache
def clean(seed):
    return trained(*data.load("digits"), seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_randomisation_test_fails_guided_backprop_and_passes_gradients(seed):
    """Rank correlation with the trained network's map while all above the first convolution forgets what it learned."""
    model, (x, y) = clean(seed), data.load("digits", split="test")
    assert (model(x).argmax(1) == y).double().mean() > 0.95
    found = {}
    for method in (attribution.saliency, attribution.guided_backprop):
        steps = attribution.cascading_randomisation(model, x[:64], y[:64], method, generator=source(seed, "cpu"))
        found[method.__name__] = {layer: part.mean().item() for layer, part in steps.items()}
    print(f"seed {seed}: {found}")
    for layer in ("linear", "norm2", "conv2"):
        assert found["saliency"][layer] < 0.3
        assert found["guided_backprop"][layer] > 0.35
